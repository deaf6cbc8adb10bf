/* interfaces: the addresses of this machine, as uv_interface_addresses gives them; that one follows a null pointer when memory ends in the middle. */
#ifndef HF_NODE_INTERFACES_H
#define HF_NODE_INTERFACES_H
#include <uv.h>

/* Of interfaces that are up, IPv4 and IPv6, without names. free() them. Not 0: an error of libuv's; nothing was made. */
int hf_interfaces(uv_interface_address_t **ret, int *ret_n);
#endif

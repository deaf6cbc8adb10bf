/* p2pd_address: multiaddrs of the ways in which p2pd is reached, read into what the system takes and made of what it says. */
#ifndef HF_NODE_P2PD_ADDRESS_H
#define HF_NODE_P2PD_ADDRESS_H
#include "../core/codec/multiaddr.h"

#include <sys/socket.h>

/* /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT[/ws]; views into `address`. False: it is none. */
bool hf_p2pd_read_tcp(hf_bytes address, hf_multiaddr *ret, uint16_t *ret_port);
/* /ip4|ip6/HOST/udp/PORT/webrtc-direct: what follows is ours to say. */
bool hf_p2pd_read_rtc(hf_bytes address, hf_multiaddr *ret, uint16_t *ret_port);
/* False: the host is a name. */
bool hf_p2pd_sockaddr_of(const hf_multiaddr_part *host, uint16_t port, struct sockaddr_storage *ret);

/* Appends the binary multiaddr; protocol: "tcp" or "udp"; rest: the text that follows the port. */
void hf_p2pd_add_place(hf_buf *ret, const struct sockaddr_storage *address, const char *protocol, hf_bytes rest);

/* What is told of one listener. */
typedef struct hf_p2pd_telling { hf_mem *mem; hf_arena *arena; const char *protocol; hf_bytes rest; } hf_p2pd_telling;
/* Its binary multiaddrs, in the arena, at most n_max; one that listens everywhere is at each interface. Returns how many. */
size_t hf_p2pd_add_listener(const hf_p2pd_telling *t, const struct sockaddr_storage *address, hf_bytes *ret, size_t n_max);
#endif

/* tcp: the TCP carriage of the peer: listens, and stays connected to the peers it was told to join, redialling for ever with backoff. */
#ifndef HF_NODE_TCP_H
#define HF_NODE_TCP_H
#include "node.h"

typedef struct hf_tcp hf_tcp;
/* Listens unless port is -1. NULL: *ret_problem. */
hf_tcp *hf_tcp_open(hf_node *node, const char **ret_problem);
int hf_tcp_port(const hf_tcp *tcp); /* 0: not listening */
/* Stays connected to this multiaddr (text, /ip4|ip6|dns4/…/tcp/…[/p2p/…]) until close. False: *ret_problem. Calling it again for the same peer changes nothing. */
bool hf_tcp_join(hf_tcp *tcp, const char *multiaddr, const char **ret_problem);
void hf_tcp_close(hf_tcp *tcp);
#endif

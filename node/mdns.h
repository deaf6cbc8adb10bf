/* mdns: finds peers on the LAN and is found (libp2p/specs discovery/mdns.md). Bytes are core/p2p/mdns_message.h's; this is the carriage. */
#ifndef HF_NODE_MDNS_H
#define HF_NODE_MDNS_H
#include "node.h"

typedef struct hf_mdns hf_mdns;
/* Joins the multicast group on every interface that has one and asks every 10 s; found(node, multiaddr text) is called for each address of another peer. NULL: no
 * multicast here (*ret_problem says why); the node goes on without. */
hf_mdns *hf_mdns_open(hf_node *node, const char *service, int p2p_port, void (*found)(hf_node *node, const char *multiaddr), const char **ret_problem);
void hf_mdns_close(hf_mdns *mdns);
#endif

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
/* The same for a peer that was found, with its /p2p/ID; forgotten when it is never reached. */
bool hf_tcp_found(hf_tcp *tcp, const char *multiaddr, const char **ret_problem);
/* The peer on this channel has proved who it is. */
void hf_tcp_reached(hf_channel *channel);
/* Found peers over a restart, multiaddrs each with a line feed. */
void hf_tcp_remember(hf_tcp *tcp, hf_bytes lines);
/* True: what is to be kept for hf_tcp_remember has changed; appended. */
bool hf_tcp_news(hf_tcp *tcp, hf_buf *ret_lines);
/* How the dialling of a peer stands. False: nobody asked to be connected to it. */
typedef struct hf_tcp_standing {
    const char *address;
    unsigned failures;        /* in a row */
    bool dialling;
    uint64_t next_ms;         /* from now, when not dialling */
} hf_tcp_standing;
bool hf_tcp_standing_of(const hf_tcp *tcp, const hf_peer_id *peer, hf_tcp_standing *ret);
/* A channel that the core asks for (HF_OUT_DIAL): answers through hf_node_channel_dialled or hf_host_dial_failed. */
void hf_tcp_dial(hf_node *node, const hf_out *out);
void hf_tcp_dial_off(hf_tcp *tcp, uint64_t dial);
bool hf_tcp_can_dial(void *ctx, hf_bytes address); /* hf_core_config.can_dial: TCP without anything on it */
void hf_tcp_close(hf_tcp *tcp);
#endif

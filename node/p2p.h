/* p2p: the libp2p peer around the core, as the options want it: AutoNAT, the DHT, relaying for others and being reached through relays, hole punching, and the
 * peers that the DHT knows for the databases that are kept here. Parts of the core's host (core/p2p/host.h).
 *
 * Found out to be reachable, or told so, it is a server of the DHT; found out not to be, it keeps reservations at up to two relays among its peers. What
 * it keeps it provides: the CID of a database's manifest, zdpu… of its address. It looks there for others, and connects to those who are found. */
#ifndef HF_NODE_P2P_H
#define HF_NODE_P2P_H
#include "../core/p2p/autonat.h"
#include "node.h"

typedef struct hf_p2p hf_p2p;
/* Before the core loads. NULL: no memory. */
hf_p2p *hf_p2p_open(hf_node *node);
/* A peer to stay connected to, at an address of webrtc-direct that ends in /p2p/ID. False: it is no such address, or there are 16. */
bool hf_p2p_join(hf_p2p *p2p, const char *multiaddr);
/* The carriage listens: addresses are told, peers of the last run are dialled. */
void hf_p2p_start(hf_p2p *p2p);
/* HF_OUT_SAID, CONNECTED and NAMED. NULL allowed, here and below. */
void hf_p2p_said(hf_p2p *p2p, const hf_out *out);
void hf_p2p_turn(hf_p2p *p2p); /* every second */
void hf_p2p_close(hf_p2p *p2p);

enum { HF_P2P_RELAYS_MAX = 2 };
typedef struct hf_p2p_about {
    hf_autonat_reach reach;
    bool told;                          /* by the operator */
    bool dht, dht_server, relays;       /* relays: for others */
    size_t dht_table, dht_records, n_provided;
    size_t n_reservations, n_circuits;  /* given to others */
    uint64_t n_bytes_relayed;
    hf_peer_id relay[HF_P2P_RELAYS_MAX];/* where we have reservations */
    size_t n_relay;
    size_t n_book;                      /* peers in the address book */
    uint64_t n_found, n_direct;         /* peers that the DHT named for our databases; connections that left a relay */
} hf_p2p_about;
void hf_p2p_look(const hf_p2p *p2p, hf_p2p_about *ret);
const char *hf_p2p_reach_name(hf_autonat_reach reach);
/* Appends one JSON object. */
void hf_p2p_describe(const hf_p2p *p2p, hf_buf *buf);
#endif

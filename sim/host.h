/* host: the shell of a bare libp2p peer (core/p2p/host.h) with the DHT, gossip and relays as parts. Peer i listens at port 1024 + i, so that an address says
 * whom it leads to; honest ones have a /24 each, sybils share a few. */
#ifndef HF_SIM_HOST_H
#define HF_SIM_HOST_H
#include "../core/core.h"
#include "../core/p2p/gossip.h"
#include "../core/p2p/kad.h"
#include "../core/p2p/relay.h"

struct hf_world;
struct hf_sim_peer;

enum { HF_SIM_ADDRESS_LEN = 8, HF_SAME_DIALS_MAX = 8 };

typedef struct hf_sim_host {
    hf_host *host;
    hf_kad *kad;                /* NULL: a sybil of the DHT answers by itself */
    hf_gossip *gossip;
    hf_relay *relay;
    uint8_t address[HF_SIM_ADDRESS_LEN];
    bool sybil, relays, restarted;
    uint32_t n_joined;          /* so many of those that it knew of from the start were there when it dialled them. Who came to it says nothing of whom it
                                 * knows: it tries on until they are as many as it wants, as shells do with --join */
    hf_buf book;                /* of before its restart, as a node keeps it; whom it names is all that it knows then */
    uint64_t dials_ms;          /* the minute that is counted began then */
    uint8_t *dials;             /* in it, by peer */
} hf_sim_host;

void hf_sim_hosts_make(struct hf_world *w);
void hf_sim_host_start(struct hf_world *w, struct hf_sim_peer *p);
/* The process ends and comes back after a second with the book that it saved. */
void hf_sim_host_restart(struct hf_world *w, struct hf_sim_peer *p);
void hf_sim_host_stop(struct hf_world *w, struct hf_sim_peer *p);
void hf_sim_host_pump(struct hf_world *w, struct hf_sim_peer *p);
void hf_sim_host_tick(struct hf_world *w, struct hf_sim_peer *p);
void hf_sim_host_opened(struct hf_world *w, struct hf_sim_peer *p, uint64_t conn, bool dialer);
void hf_sim_host_received(struct hf_world *w, struct hf_sim_peer *p, uint64_t conn, hf_bytes bytes);
void hf_sim_host_lost(struct hf_world *w, struct hf_sim_peer *p, uint64_t conn);
void hf_sim_host_dial_failed(struct hf_world *w, struct hf_sim_peer *p, uint64_t dial, const char *reason);
/* Dials some that it knows of, when it has too few connections; and again in a while. */
void hf_sim_host_join(struct hf_world *w, struct hf_sim_peer *p);
/* Wishes for a connection; context 0: nobody waits for it. */
void hf_sim_host_connect(struct hf_world *w, struct hf_sim_peer *p, uint32_t to, hf_bytes address, uint64_t context);
void hf_sim_address(const struct hf_world *w, uint32_t peer, uint8_t ret[HF_SIM_ADDRESS_LEN]);
#endif

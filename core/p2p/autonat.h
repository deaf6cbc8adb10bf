/* autonat: can others dial us? AutoNAT v1, both sides. Spec: libp2p/specs autonat/autonat-v1.md. Sits on the swarm; the shell dials.
 *
 * As a client: asks one peer that speaks it after another (one every 15 s while nothing is sure, then every 15 minutes) to dial us. Once `confidence`
 * peers from different networks (IPv4 /16, IPv6 /32) have said the same within an hour, that is our REACHABILITY. Nobody can check what a peer says;
 * therefore several, and nothing but advertising hangs on it.
 * As a server: dials nothing but the IP that the asking peer is seen at, never over a relay, never a private one; 30 requests a minute
 * in all, 3 a peer, 16 at once.
 * any_address: private IPs count too, and networks do not: for LANs and tests.
 * Limits: messages 8 KiB, 16 addresses; 10 s for a message, 20 s for a dial.
 * Version 2 (one address at a time, with a number to prove the dial) is autonat2.h.
 */
#ifndef HF_AUTONAT_H
#define HF_AUTONAT_H
#include "swarm.h"

#define HF_AUTONAT_PROTOCOL "/libp2p/autonat/1.0.0"

typedef struct hf_autonat hf_autonat;

typedef struct hf_autonat_config {
    bool serve, any_address;
    uint32_t confidence; /* [4] "more than 3 peers" */
    bool (*may_ask)(void *ctx, const hf_peer_id *peer); /* NULL: every peer that speaks it */
    void *may_ask_ctx;
} hf_autonat_config;

/* NULL: no memory, or the protocol is known already. */
hf_autonat *hf_autonat_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_autonat_config *config);
void hf_autonat_free(hf_autonat *autonat);
/* Every swarm event with our tag, and IDENTIFIED, CONN_DOWN. */
void hf_autonat_event(hf_autonat *autonat, uint64_t now_ms, const hf_swarm_out *event);
/* The outcome of a DIAL_BACK: `addr` of those given came up with that peer at its other end; NULL: none did. The shell closes that
 * connection again. Within 20 s, else it counts as none. */
void hf_autonat_dialled(hf_autonat *autonat, uint64_t now_ms, uint64_t dial, const hf_bytes *addr);

typedef enum hf_autonat_reach { HF_AUTONAT_UNKNOWN, HF_AUTONAT_PUBLIC, HF_AUTONAT_PRIVATE } hf_autonat_reach;
typedef enum hf_autonat_kind {
    HF_AUTONAT_NONE = 0,
    HF_AUTONAT_DIAL_BACK,    /* dial, peer, addrs: make a new connection to one of them, from another port than the one we listen on */
    HF_AUTONAT_REACHABILITY, /* reach, addrs (where we were reached; PUBLIC only): it has changed */
} hf_autonat_kind;
typedef struct hf_autonat_out {
    hf_autonat_kind kind;
    hf_autonat_reach reach;
    uint64_t dial;
    hf_peer_id peer;
    const hf_bytes *addrs; /* binary multiaddrs, valid until the next call */
    size_t n_addrs;
} hf_autonat_out;
hf_autonat_kind hf_autonat_next(hf_autonat *autonat, hf_autonat_out *ret_out);
uint64_t hf_autonat_deadline(const hf_autonat *autonat);
void hf_autonat_tick(hf_autonat *autonat, uint64_t now_ms);
/* What is believed now. */
hf_autonat_reach hf_autonat_look(const hf_autonat *autonat);
/* Somebody tried within the hour and did not reach us, and nobody did. */
bool hf_autonat_leans_private(const hf_autonat *autonat, uint64_t now_ms);
#endif

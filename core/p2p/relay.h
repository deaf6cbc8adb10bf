/* relay: circuit relay v2: connections through a third peer. Spec: libp2p/specs relay/circuit-v2.md; what js does: the notes in
 * docs/reference/wire.md. Sits on the swarm.
 *
 * A relayed connection is a whole libp2p connection (multistream, Noise, yamux) inside a stream to the relay. To the swarm it is one
 * more byte channel, with a number of its own (hf_relay_is_conn): this module opens it there, moves its bytes between the swarm and the
 * stream, and ends one when the other ends. The shell hands every event of the swarm to hf_relay_event first:
 *
 *      while (hf_swarm_next(swarm, &out)) if (!hf_relay_event(relay, now_ms, &out)) ...the shell's own dealing with it...;
 *
 * As a client: keeps reservations at relays (refreshed after three quarters of their time, made again after loss, with growing pauses and
 * jitter), connects to peers through relays, takes connections that come through relays where it has a reservation.
 * As a server: reservations and connections with limits; back-pressure both ways; each direction ends by itself (half-close).
 * Refuses: hops over hops (a relayed connection as carrier), relaying to ourselves, peers without a reservation.
 * Limits: per circuit and direction what the swarm buffers for a stream (1 MiB) and what was on its way when the reader stopped, all
 * held bytes together at most held_bytes_max; messages 4 KiB; 10 s for each message; 8 relays, 256 own relayed connections.
 * Time: now_ms as the swarm's; wire times are UTC, see unix_offset_ms.
 */
#ifndef HF_RELAY_H
#define HF_RELAY_H
#include "relay_message.h"
#include "swarm.h"

#define HF_RELAY_HOP_PROTOCOL "/libp2p/circuit/relay/0.2.0/hop"
#define HF_RELAY_STOP_PROTOCOL "/libp2p/circuit/relay/0.2.0/stop"

typedef struct hf_relay hf_relay;

typedef enum hf_relay_ask { HF_RELAY_ASK_RESERVE, HF_RELAY_ASK_CONNECT } hf_relay_ask;
/* UNLIMITED: no limit is applied or told, so that the connection is an ordinary one (OrbitDB replicates over it, gossip runs). */
typedef enum hf_relay_verdict { HF_RELAY_DENY, HF_RELAY_LIMITED, HF_RELAY_UNLIMITED } hf_relay_verdict;

typedef struct hf_relay_config {
    int64_t unix_offset_ms;            /* UTC in ms since 1970 minus now_ms */
    bool serve;                        /* be a relay for others */
    bool called_by_any;                /* take connections through relays that we keep no reservation at, too (somebody else may have made it for us) */
    /* May `peer` reserve (target NULL), connect to `target`? NULL: LIMITED for all. */
    hf_relay_verdict (*allow)(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target);
    void *allow_ctx;
    /* 0 means the default in brackets. */
    uint32_t reservations_max;         /* [128]; one a peer */
    uint32_t reservations_per_ip_max;  /* [8] by the address the peer came from; 0xffffffff: no bound */
    uint32_t reservation_s;            /* [3,600] */
    uint32_t circuits_max;             /* [256] relayed connections in all */
    uint32_t circuits_per_peer_max;    /* [16] from or to one peer */
    uint32_t duration_s;               /* [120] of a limited connection */
    uint64_t bytes_max;                /* [128 KiB] of a limited connection, each direction */
    uint64_t bytes_per_s;              /* [no bound] of any relayed connection, both directions together, bursts of one second */
    uint64_t held_bytes_max;           /* [32 MiB] held for slow readers beyond the swarm's stream buffers */
} hf_relay_config;

/* Streams of hop carry `tag`, those of stop `tag` + 1. NULL: no memory, or the swarm knows the protocols already. */
hf_relay *hf_relay_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_relay_config *config);
void hf_relay_free(hf_relay *relay); /* before the swarm; its relayed connections are lost */
/* Every event of the swarm. True: it was about this module's streams and connections only, and nobody else need see it. */
bool hf_relay_event(hf_relay *relay, uint64_t now_ms, const hf_swarm_out *event);
/* Is this number one of a relayed connection? The shell's own have the top bit clear. */
static inline bool hf_relay_is_conn(uint64_t conn) { return conn >> 63; }

/* Keeps a reservation at this relay from now on. HF_EXISTS; HF_LIMIT: 8. */
HF_MUST_USE hf_err hf_relay_reserve(hf_relay *relay, uint64_t now_ms, const hf_peer_id *at);
void hf_relay_unreserve(hf_relay *relay, const hf_peer_id *at); /* it runs out by itself at the relay */
/* Connects to `target` through the relay `via`, to which there must be a direct connection (HF_NOT_FOUND). The outcome comes as CONNECTED or
 * FAILED; after CONNECTED the swarm says CONN_UP or CONN_CLOSE. HF_LIMIT: too many. */
HF_MUST_USE hf_err hf_relay_connect(hf_relay *relay, uint64_t now_ms, const hf_peer_id *via, const hf_peer_id *target, uint64_t context);

typedef enum hf_relay_kind {
    HF_RELAY_NONE = 0,
    HF_RELAY_DIAL,      /* via: there is no connection to this relay; the shell makes one. Asked again after a pause. */
    HF_RELAY_RESERVED,  /* via, addrs: our addresses there (…/p2p/VIA/p2p-circuit/p2p/SELF), limit, expires_ms; again after each refresh */
    HF_RELAY_LOST,      /* via, status, reason: there is no reservation (any more); it is tried again */
    HF_RELAY_CONNECTED, /* via, peer, conn, context, limit, inbound */
    HF_RELAY_FAILED,    /* via, peer, context, status (0: it did not come to one), reason */
} hf_relay_kind;
typedef struct hf_relay_out {
    hf_relay_kind kind;
    hf_peer_id via, peer;
    uint64_t conn, context, expires_ms;
    bool inbound;
    hf_relay_limit limit;
    uint32_t status;
    const char *reason;    /* static text */
    const hf_bytes *addrs; /* binary multiaddrs, valid until the next call */
    size_t n_addrs;
} hf_relay_out;
hf_relay_kind hf_relay_next(hf_relay *relay, hf_relay_out *ret_out);
uint64_t hf_relay_deadline(const hf_relay *relay);
void hf_relay_tick(hf_relay *relay, uint64_t now_ms);

/* ---- looking in ---- */
typedef struct hf_relay_stats {
    size_t n_reservations, n_circuits, n_channels; /* given to others; relayed for others; own relayed connections */
    uint64_t n_bytes_relayed;
    size_t n_bytes_held;
} hf_relay_stats;
hf_relay_stats hf_relay_look(const hf_relay *relay);
#endif

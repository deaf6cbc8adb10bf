/* host: a whole libp2p peer: one swarm, the protocols over it, an address book and a dialer, behind one face. Sans-IO: the shell opens the
 * channels that it asks for, moves their bytes, and hears what the protocols say.
 *
 * A protocol comes in as a part: one table of functions (hf_host_part). The host gives it the swarm's events of its tags and every connection's
 * coming and going, drains it, keeps its time, and dials what it wishes for. A part that carries connections itself (a relay does) sees all events
 * first and may keep them. A part is added in one line; what it says reaches the shell untouched, as HF_HOST_SAID.
 *
 * Two connections to one peer, as when both dial at once, are both kept: the swarm opens streams on the faster, the other rests. Closing one of them
 * by rule would need the other side to know the rule, and libp2p has none.
 *
 * Life:    new -> add* -> (conn_* | dial_failed | connect | tick)* -> free; after each call drain hf_host_next() until HF_HOST_NONE.
 *          Streams are opened, written and read through hf_host_swarm(), with tags from HF_HOST_TAG_USER on.
 * Memory:  from `mem`; bounds of swarm.h, book.h and dialer.h; HF_HOST_PARTS_MAX parts.
 * Order:   same calls, same outputs, byte for byte.
 */
#ifndef HF_HOST_H
#define HF_HOST_H
#include "book.h"
#include "dialer.h"
#include "swarm.h"

enum { HF_HOST_PARTS_MAX = 16, HF_HOST_TAG_USER = 0x10000 };

typedef struct hf_host hf_host;

typedef struct hf_host_config {
    hf_swarm_config swarm;
    /* Which addresses the shell can dial (binary multiaddr without the last /p2p/PEER). Those over a relay are asked of the parts. */
    bool (*can_dial)(void *ctx, hf_bytes address);
    void *ctx;
    /* &hf_host_dialling: with an address book and a dialer. NULL: without, and without their code: nothing under "wishes" may be called, no HF_HOST_DIAL
     * comes, and channels are opened with hf_host_conn_open_own. */
    const struct hf_host_dialling *dialling;
} hf_host_config;
extern const struct hf_host_dialling hf_host_dialling;

hf_host *hf_host_new(hf_mem *mem, const hf_host_config *config);
void hf_host_free(hf_host *host);      /* with its parts; NULL allowed */
hf_swarm *hf_host_swarm(const hf_host *host);
hf_book *hf_host_book(const hf_host *host); /* NULL: not dialling */
const hf_peer_id *hf_host_self(const hf_host *host);

/* ---- parts ---- */

typedef struct hf_host_out hf_host_out;

/* What a part does; `event`, `next` and `free` must be there. `ctx` is its own. */
typedef struct hf_host_part {
    const char *name;                  /* static */
    void *ctx;
    uint32_t tag, n_tags;              /* swarm events of these tags are its; with CONN_UP, IDENTIFIED and CONN_DOWN of all */
    bool carrier;                      /* sees every event before all others, and what it returns true for nobody else sees */
    bool (*event)(void *ctx, uint64_t now_ms, const hf_swarm_out *event);
    /* Does one thing that is due. Fills *out (as HF_HOST_SAID, or leaves it) and returns true, or returns false: nothing is due. May call the host. */
    bool (*next)(void *ctx, uint64_t now_ms, hf_host_out *out);
    uint64_t (*deadline)(void *ctx);
    void (*tick)(void *ctx, uint64_t now_ms);
    void (*free)(void *ctx);
    /* How a wish of hf_host_part_connect went; reason NULL: there is a connection. */
    void (*connected)(void *ctx, uint64_t now_ms, const hf_peer_id *peer, uint64_t context, const char *reason);
    /* For carriers: dials of addresses over a relay. The answer is hf_host_dial_opened or hf_host_dial_failed. */
    bool (*can_dial)(void *ctx, hf_bytes address);
    void (*dial)(void *ctx, uint64_t now_ms, uint64_t dial, const hf_peer_id *peer, hf_bytes address);
    /* For parts that want channels in a way of their own (host_dials.h): `next` fills *out as HF_HOST_DIAL or HF_HOST_DIAL_OFF, with a number < 2^48
     * of its own; these tell what came of it. `opened` opens the connection on the swarm; `ended`: any connection of the swarm is gone, up or not. */
    hf_err (*opened)(void *ctx, uint64_t now_ms, uint64_t dial, uint64_t conn, hf_bytes remote);
    void (*failed)(void *ctx, uint64_t now_ms, uint64_t dial, const char *reason);
    void (*ended)(void *ctx, uint64_t now_ms, uint64_t conn, const char *reason);
} hf_host_part;

/* Adds a part (copied); it stays until hf_host_free, which calls its `free`. HF_LIMIT: too many; then `free` is not called. */
HF_MUST_USE hf_err hf_host_add(hf_host *host, const hf_host_part *part);
/* A carrier's dial has a connection that it opened on the swarm itself; false: the dial was called off meanwhile, the carrier closes it. */
bool hf_host_dial_opened(hf_host *host, uint64_t dial, uint64_t conn);
/* A part's wish for a connection; `connected` tells how it went. context < 2^48. As hf_host_connect, but nothing goes into the book. */
HF_MUST_USE hf_err hf_host_part_connect(hf_host *host, uint64_t now_ms, const void *part_ctx, const hf_peer_id *peer, const hf_bytes *addrs,
                                        size_t n_addrs, uint64_t context);

/* ---- carriage: as in swarm.h; numbers under 2^63 (the others are the carriers') ---- */

/* A byte channel is up. dial: the number from HF_HOST_DIAL; 0: the other side dialled. HF_STATE: the dial was called off; HF_LIMIT: too many:
 * the shell closes the channel. */
HF_MUST_USE hf_err hf_host_conn_open(hf_host *host, uint64_t now_ms, uint64_t conn, uint64_t dial, hf_bytes remote);
/* The same for a channel that the shell made of its own accord, without HF_HOST_DIAL. */
HF_MUST_USE hf_err hf_host_conn_open_own(hf_host *host, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote);
HF_MUST_USE hf_err hf_host_conn_recv(hf_host *host, uint64_t now_ms, uint64_t conn, hf_bytes bytes);
/* A WebRTC connection is up; `expected` of a dial counts as well as open's. */
HF_MUST_USE hf_err hf_host_conn_open_channels(hf_host *host, uint64_t now_ms, uint64_t conn, uint64_t dial, const hf_channels_open *open);
HF_MUST_USE hf_err hf_host_channel_opened(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel);
HF_MUST_USE hf_err hf_host_channel_recv(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message);
void hf_host_channel_closed(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel);
void hf_host_channel_busy(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy);
void hf_host_conn_lost(hf_host *host, uint64_t now_ms, uint64_t conn);
void hf_host_conn_busy(hf_host *host, uint64_t now_ms, uint64_t conn, bool busy);
/* The dial did not work, and why (static text). */
void hf_host_dial_failed(hf_host *host, uint64_t now_ms, uint64_t dial, const char *reason);

/* ---- wishes ---- */

/* Wishes for a connection to `peer` (NULL: whoever is at these addresses). The addresses (binary multiaddrs) go into the book as the user's.
 * HF_HOST_CONNECTED with this context comes out, at once when there is a connection. timeout_ms 0: 60 s. 0 < context < 2^63. HF_LIMIT, HF_NOMEM,
 * HF_DENIED: that is ourselves. */
HF_MUST_USE hf_err hf_host_connect(hf_host *host, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                                   uint64_t context);
void hf_host_forget(hf_host *host, uint64_t context); /* no CONNECTED comes */
/* Closes every connection to the peer; false: there was none. */
bool hf_host_disconnect(hf_host *host, uint64_t now_ms, const hf_peer_id *peer);

/* ---- what comes out ---- */

typedef enum hf_host_kind {
    HF_HOST_NONE = 0,
    HF_HOST_SEND,      /* conn, bytes: give to the channel, in this order; records (channels.h) for a WebRTC connection */
    HF_HOST_CLOSE,     /* conn, reason: close the channel after what was sent; do not call conn_lost for it */
    HF_HOST_DIAL,      /* dial, bytes (a binary multiaddr), port, at_ms: open a channel; answer with conn_open or dial_failed */
    HF_HOST_DIAL_OFF,  /* dial: not wanted any more, no answer is needed */
    HF_HOST_CONNECTED, /* context, peer; reason: NULL when it worked, else why not */
    HF_HOST_EVENT,     /* event: CONN_UP, IDENTIFIED, CONN_DOWN of all, and what happens on streams with the shell's tags */
    HF_HOST_SAID,      /* part (its name), said: what a part hands out, in its own type */
} hf_host_kind;

/* The port to dial from. OWN: the one that we listen on, if it can be; the same one again and again shows a NAT the same face. FRESH: never that one. */
typedef enum hf_host_port { HF_HOST_PORT_ANY, HF_HOST_PORT_OWN, HF_HOST_PORT_FRESH } hf_host_port;

struct hf_host_out {
    hf_host_kind kind;
    uint64_t conn, dial, context;
    hf_host_port port;
    uint64_t at_ms;    /* DIAL: not before this time; 0: now */
    hf_peer_id peer;
    hf_bytes bytes;
    const char *reason, *part;
    const hf_swarm_out *event;
    const void *said;
};

/* What it points at is valid until the next call on the host. */
hf_host_kind hf_host_next(hf_host *host, uint64_t now_ms, hf_host_out *ret_out);
uint64_t hf_host_deadline(const hf_host *host); /* UINT64_MAX: none */
void hf_host_tick(hf_host *host, uint64_t now_ms);
#endif

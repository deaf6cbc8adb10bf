/* swarm_private: what the files of the swarm share.
 *
 *      swarm.c           the face: life, protocols, carriage, looking in
 *      swarm_link.c      one connection: upgrade, muxer, its end
 *      swarm_channels.c  what a connection of data channels has of its own
 *      swarm_stream.c    one stream: negotiation, bytes, its end
 *      swarm_identify.c  the protocols that the swarm itself speaks: identify, identify push, ping
 *      swarm_event.c     what comes out, in which order
 *
 * A link or stream that is over stays in memory until its last event has been handed out, for events before that point
 * at it.
 */
#ifndef HF_SWARM_PRIVATE_H
#define HF_SWARM_PRIVATE_H
#include "channels.h"
#include "conn.h"
#include "identify.h"
#include "swarm.h"
#include "yamux.h"

#define HF_PING_PROTOCOL "/ipfs/ping/1.0.0"
enum { HF_PING_LEN = 32 };

typedef struct hf_link hf_link;
typedef struct hf_stream hf_stream;
typedef struct hf_event hf_event;
typedef struct hf_peer hf_peer;

/* In a queue. Those that come once at a time live inside their link or stream, so that an end can be told without
 * memory. */
struct hf_event {
    hf_event *next;
    hf_swarm_kind kind;
    bool queued;
    hf_link *link;
    hf_stream *stream;
    size_t at, len; /* DATA: where in the link's decrypted bytes */
};

/* What a stream is for. */
typedef enum hf_role {
    HF_ROLE_APP,
    HF_ROLE_UNKNOWN, /* inbound, not negotiated */
    HF_ROLE_IDENTIFY_IN,
    HF_ROLE_IDENTIFY_OUT,
    HF_ROLE_PUSH_IN,
    HF_ROLE_PUSH_OUT,
    HF_ROLE_PING_IN,
    HF_ROLE_PING_OUT,
} hf_role;

struct hf_stream {
    hf_stream *next, *prev; /* of the link */
    hf_link *link;
    uint64_t id;
    void *mux; /* the muxer's */
    hf_role role;
    uint32_t tag;
    bool inbound, negotiated, gone, muted, reset;
    const char *reason;
    hf_multistream select;
    hf_buf collect;       /* identify: the message so far; ping out: what must come back */
    uint64_t deadline_ms; /* UINT64_MAX: none */
    hf_event open_event, fin_event, drained_event, gone_event;
};

struct hf_link {
    hf_link *next, *prev, *next_dirty, *next_of_peer;
    hf_swarm *swarm;
    uint64_t number; /* the shell's */
    hf_conn conn;
    hf_mux mux;             /* `self` NULL until the upgrade is done */
    hf_channels *channels; /* NULL: a byte channel. Else the muxer, there from the beginning */
    hf_peer *peer; /* NULL: not up */
    uint8_t remote[256];
    uint16_t remote_len;
    bool up, closing, lost, dirty, busy, sent, relayed, limited, aside;
    bool resumed; /* channels: a stream that did not read reads again */
    const char *reason;
    hf_stream *first, *last;
    hf_event up_event, identified_event, down_event;
    bool last_of_peer;
    size_t n_data_events;
    hf_arena identify_arena;
    hf_identify identify;
    bool identified; /* it answered once */
    uint64_t handshake_deadline_ms, recv_ms, ping_due_ms, stream_deadline_ms, ping_sent_ms;
    uint32_t ping_rtt_ms;
    bool pinging;
};

struct hf_peer {
    hf_peer *next, *prev; /* in order of first connection */
    hf_peer_id id;
    hf_link *links;
};

typedef struct hf_protocol {
    uint8_t *name;
    size_t len;
    uint32_t tag;
} hf_protocol;

struct hf_swarm {
    hf_mem *mem;
    hf_swarm_config config;
    uint8_t seed[32], public_key[32];
    bool is_foreign; /* of another kind of key: what it signs, the host signed */
    hf_peer_id self;
    uint64_t map_seed;
    hf_conn_keys keys;
    hf_buf agent, key_message, payload;
    hf_protocol *protocols;
    size_t n_protocols, cap_protocols, protocol_bytes;
    hf_buf addresses; /* 2-byte length (native order), bytes */
    size_t n_addresses;
    hf_buf record;        /* the signed peer record that was told last; empty: to be made */
    hf_buf record_payload; /* what it signs */
    uint64_t record_seq;  /* of the last one made */
    bool push_wanted;
    hf_buf limited_protocols; /* that run on limited connections: 2-byte length (native order), name */
    size_t n_limited_protocols;

    hf_map links, streams, peers;
    hf_link *first, *last, *dirty_first, *dirty_last;
    hf_peer *first_peer, *last_peer;
    uint64_t next_stream;
    uint64_t deadline_ms; /* not later than the earliest */
    uint64_t now_ms;      /* of the last call, for what happens while draining */

    hf_event *event_first, *event_last;
    hf_arena events;
};

/* ---- swarm_event.c ---- */
void hf_event_push(hf_swarm *swarm, hf_event *event, hf_swarm_kind kind, hf_link *link, hf_stream *stream);
HF_MUST_USE hf_err hf_event_push_data(hf_stream *stream, hf_bytes bytes);
void hf_link_dirty(hf_link *link); /* it may have something to send, or is over */

/* ---- swarm.c ---- */
HF_MUST_USE hf_err hf_link_open(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote,
                                const hf_channels_open *channels, hf_link **ret);

/* ---- swarm_channels.c ---- */
HF_MUST_USE hf_err hf_link_start_channels(hf_link *link, uint64_t now_ms, const hf_channels_open *open, uint8_t ephemeral[32]);
void hf_link_resume(hf_link *link); /* reads what was held back */

/* ---- swarm_link.c ---- */
enum { HF_LINK_STREAMS_OUT_MAX = 1000 }; /* js takes so many on one connection */
hf_link *hf_link_find(const hf_swarm *swarm, uint64_t number); /* NULL: none */
/* `channels` NULL: over a byte channel. */
HF_MUST_USE hf_err hf_link_new(hf_swarm *swarm, uint64_t now_ms, uint64_t number, bool dialer, const hf_peer_id *expected, hf_bytes remote,
                               const hf_channels_open *channels, hf_link **ret);
void hf_link_free(hf_link *link);
HF_MUST_USE hf_err hf_link_recv(hf_link *link, uint64_t now_ms, hf_bytes bytes);
void hf_link_make_room(hf_link *link);                                    /* before bytes come in: what was handed out is used */
HF_MUST_USE hf_err hf_link_advance(hf_link *link, uint64_t now_ms);       /* comes up when it can, then reads the muxer */
void hf_link_fail(hf_link *link, const char *reason, hf_yamux_code code); /* idempotent; streams are told */
void hf_link_notices(hf_link *link);                                      /* what the muxer has to tell */
void hf_link_tick(hf_link *link, uint64_t now_ms);
uint64_t hf_link_deadline(const hf_link *link);
bool hf_link_carries(const hf_link *link, hf_bytes protocol); /* false: it is limited, and the protocol not for that */
void hf_link_taken(hf_link *link); /* what was handed out as SEND is gone */

/* ---- swarm_stream.c ---- */
/* NULL: no memory. */
hf_stream *hf_stream_new(hf_link *link, uint64_t now_ms, hf_role role, uint32_t tag, bool inbound);
HF_MUST_USE hf_err hf_stream_open(hf_link *link, uint64_t now_ms, hf_bytes protocol, hf_role role, uint32_t tag,
                                  hf_stream **ret);
void hf_stream_free(hf_stream *stream);
/* Over: out of all tables. A stream that nobody outside knows is freed at once: do not touch it afterwards. */
void hf_stream_gone(hf_stream *stream, bool reset, const char *reason);
HF_MUST_USE hf_err hf_stream_opened(hf_link *link, uint64_t now_ms, void *mux);
HF_MUST_USE hf_err hf_stream_data(hf_stream *stream, uint64_t now_ms, hf_bytes bytes);
void hf_stream_fin(hf_stream *stream, uint64_t now_ms);

/* ---- swarm_identify.c: the roles other than APP ---- */
/* The role of a protocol name that is the swarm's own; HF_ROLE_UNKNOWN: none. */
hf_role hf_service_role(hf_bytes protocol);
/* The listener's or dialer's protocol stands. */
HF_MUST_USE hf_err hf_service_open(hf_stream *stream, uint64_t now_ms);
HF_MUST_USE hf_err hf_service_data(hf_stream *stream, uint64_t now_ms, hf_bytes bytes);
void hf_service_fin(hf_stream *stream);
void hf_service_start(hf_link *link, uint64_t now_ms); /* asks who it is, unless that is being asked */
void hf_service_ping(hf_link *link, uint64_t now_ms);
void hf_service_push_all(hf_swarm *swarm, uint64_t now_ms);
bool hf_link_speaks(const hf_link *link, hf_bytes protocol);
#endif

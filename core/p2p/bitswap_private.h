/* bitswap_private: what the files of bitswap share.
 *
 *      bitswap.c           the face: life, events, what comes out, time
 *      bitswap_stream.c    messages onto and off their streams
 *      bitswap_fetch.c     what we want
 *      bitswap_serve.c     what others want
 */
#ifndef HF_BITSWAP_PRIVATE_H
#define HF_BITSWAP_PRIVATE_H
#include "bitswap.h"
#include "bitswap_message.h"

enum {
    HF_BITSWAP_WANTS_MAX = 4096,    /* ours, all peers together */
    HF_BITSWAP_WANTLIST_MAX = 1024, /* a peer's; js never cancels, so the oldest that cannot be answered makes room */
    HF_BITSWAP_WANTLIST_BYTES = 64 << 10, /* a list of 1,024 wants by usual CIDs is shorter */
    HF_BITSWAP_WANTS_A_MESSAGE = 512,
    HF_BITSWAP_SERVE_BYTES = 512 << 10, /* a message of blocks is closed once it holds this much */
    HF_BITSWAP_PARTIAL_MAX = 8 << 20,   /* bytes of unfinished messages from one peer */
    HF_BITSWAP_CHUNK = 64 << 10,
    HF_BITSWAP_IDLE_MS = 5000, /* between bytes of a message */
    HF_BITSWAP_WANT_MS = 30000,
    HF_BITSWAP_WANT_MS_MAX = 600000,    /* however busy its peer is with earlier ones */
    HF_BITSWAP_SEND_MS = 30000, /* without any progress on an answer */
    HF_BITSWAP_RETRY_MS = 1000,
    HF_BITSWAP_STRIKES_MAX = 3,
};

typedef struct hf_bitswap_peer hf_bitswap_peer;
typedef struct hf_bitswap_want hf_bitswap_want_t;

/* One peer asked for one want; in a list of each. */
typedef struct hf_bitswap_ask {
    hf_bitswap_want_t *want;
    hf_bitswap_peer *peer;
    struct hf_bitswap_ask *next_of_want, *next, *prev; /* next, prev: of the peer */
    bool sent;
} hf_bitswap_ask;

/* In the map and the time-ordered list while it is open; in the list of outputs once it is decided. */
struct hf_bitswap_want {
    uint8_t cid[HF_CID_BYTES_MAX];
    size_t cid_len;
    uint64_t context, asked_ms, first_ms;  /* asked_ms: put off while its peer is busy; first_ms: of the last asking */
    hf_bitswap_ask *asks;
    hf_bitswap_want_t *next, *prev;
    hf_peer_id from;
    uint8_t *block;                        /* NULL: failed */
    size_t block_len, block_cap;
};

/* What the message that is being written says about a want; in the list it is always NOTHING. */
enum { HF_BITSWAP_SAID_NOTHING, HF_BITSWAP_SAID_NO, HF_BITSWAP_SAID_ALL };

typedef struct hf_bitswap_served {
    uint8_t cid[HF_CID_BYTES_MAX];
    uint8_t cid_len, said;
    bool have_only, dont_have, waiting;    /* waiting: it was not here */
} hf_bitswap_served;

struct hf_bitswap_peer {
    hf_bitswap_peer *next;
    hf_peer_id id;
    hf_bitswap_ask *asks;
    uint64_t retry_ms;                     /* 0: no unsent ask was put off */
    bool unsent;                           /* some ask waits for the next flush */
    size_t n_stale;                        /* blocks that may still come though nobody waits for them any more */
    size_t n_again;                        /* blocks that came and may come once more */
    size_t n_twice, n_reading;             /* n_reading: its streams that are not finished */
    uint64_t progress_ms, answered_ms;     /* (part of) an answer came; first_ms of the latest want that it answered */
    hf_bitswap_served *served;
    size_t n_served, served_cap, n_waiting, n_ready;
    struct hf_bitswap_stream *answers;     /* the stream of answers, when one is open for more */
    size_t partial_bytes;
    unsigned strikes;
    const char *abuse;                     /* told or to be told: nothing of this peer counts any more */
    bool abuse_due;
};

typedef struct hf_bitswap_stream {
    struct hf_bitswap_stream *next, *prev;
    uint64_t id;
    hf_bitswap_peer *peer;
    bool inbound, finished;                /* finished: in: the peer's end has come */
    hf_buf bytes;                          /* in: the message so far; out: what is to be written */
    size_t at;                             /* out: written */
    uint64_t deadline_ms;
} hf_bitswap_stream;

struct hf_bitswap {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_block_source source;
    hf_map wants;                          /* cid -> want */
    hf_map streams;                        /* id -> stream */
    hf_bitswap_want_t *first, *last;       /* open wants, the longest asked first */
    hf_bitswap_want_t *out, *out_last;     /* decided */
    hf_bitswap_want_t *shown;              /* the output that the caller looks at */
    hf_bitswap_peer *peers;
    hf_bitswap_stream *first_stream;
    hf_bitswap_writer writer;
    uint64_t due_ms;                       /* not later than the earliest deadline */
    uint64_t rescan_ms;                    /* not before this do new blocks make us look through what peers wait for */
    bool rescan;
    size_t n_stale;                        /* as a peer's, of peers that have gone */
    uint64_t n_unasked, n_unserved;
};

/* ---- bitswap.c ---- */
hf_bitswap_peer *hf_bitswap_peer_of(hf_bitswap *b, const hf_peer_id *id, bool make);
void hf_bitswap_peer_free(hf_bitswap *b, hf_bitswap_peer *peer); /* its wants fail */
void hf_bitswap_due(hf_bitswap *b, uint64_t at_ms);
void hf_bitswap_strike(hf_bitswap *b, hf_bitswap_peer *peer, const char *reason);

/* ---- bitswap_stream.c ---- */
/* Sends what the writer holds: on a stream of its own, or as one more answer on the peer's. HF_LIMIT / HF_NOT_FOUND from
 * the swarm, HF_NOMEM: then it was not sent. */
HF_MUST_USE hf_err hf_bitswap_send(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer, bool answer);
/* Are answers waiting in our buffer for the peer to take them? */
bool hf_bitswap_answers_wait(const hf_bitswap_peer *peer);
void hf_bitswap_answers_end(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer);
void hf_bitswap_stream_event(hf_bitswap *b, uint64_t now_ms, const hf_swarm_out *event);
void hf_bitswap_stream_free(hf_bitswap *b, hf_bitswap_stream *stream);
void hf_bitswap_streams_tick(hf_bitswap *b, uint64_t now_ms);

/* ---- bitswap_fetch.c ---- */
void hf_bitswap_fetch_block(hf_bitswap *b, hf_bitswap_peer *peer, hf_bytes cid, hf_bytes block);
void hf_bitswap_fetch_denied(hf_bitswap *b, hf_bitswap_peer *peer, hf_bytes cid);
void hf_bitswap_fetch_peer_gone(hf_bitswap *b, hf_bitswap_peer *peer);
void hf_bitswap_fetch_tick(hf_bitswap *b, uint64_t now_ms);
void hf_bitswap_want_free(hf_bitswap *b, hf_bitswap_want_t *want);

/* ---- bitswap_serve.c ---- */
void hf_bitswap_serve_clear(hf_bitswap *b, hf_bitswap_peer *peer);
void hf_bitswap_serve_item(hf_bitswap *b, hf_bitswap_peer *peer, const hf_bitswap_item *want);
void hf_bitswap_serve(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer);
void hf_bitswap_serve_tick(hf_bitswap *b, uint64_t now_ms);
#endif

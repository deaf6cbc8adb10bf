/* yamux: many streams over one ordered, authenticated byte channel. Spec: libp2p/specs yamux/README.md.
 *
 * Life:    new -> (recv | open | write | finish | reset | ...)* -> free. What is to be sent gathers in hf_yamux_out().
 * Memory:  per stream what was written and does not fit the peer's window, at most send_buffer_bytes_max; received
 * bytes are never kept: they come out as views into the input. Frames:  one write is one DATA frame up to 64 KiB
 * (longer writes are cut there), never merged, never split by a narrow window: a peer that reads frame by frame
 * (OrbitDB heads) sees what was written. js sends no larger frames either. Window:  256 KiB a stream, doubled up to 4
 * MiB while the reader keeps up, at most 16 MiB above the first 256 KiB in all. Limits:  inbound streams; what costs us
 * an answer (pings, refused or aborted streams) comes from a budget; while we are told not to send, answers are
 * counted. A peer that overruns one, or breaks the protocol, breaks the session: a reason comes out.
 */
#ifndef HF_YAMUX_H
#define HF_YAMUX_H
#include "mux.h"

#define HF_YAMUX_PROTOCOL "/yamux/1.0.0"

enum {
    HF_YAMUX_WINDOW_BYTES = 256 * 1024,          /* "Yamux is initially starts each stream with a 256KiB window size" */
    HF_YAMUX_WINDOW_BYTES_MAX = 4 * 1024 * 1024, /* 100 ms round trips at 40 MB/s */
    HF_YAMUX_EXTRA_BYTES_MAX = 16 * 1024 * 1024, /* of all streams together */
    HF_YAMUX_FRAME_BYTES_MAX = 64 * 1024,        /* of data that we send in one frame */
    HF_YAMUX_UNKNOWN_BYTES_MAX = 16 * 1024 * 1024, /* a frame for a stream we no longer know; js's largest window */
    HF_YAMUX_OUT_BYTES_MAX = 1024 * 1024,          /* data waits in its stream while so much is in the output */
    HF_YAMUX_STALL_MS = 45000,                     /* a stream whose peer takes nothing for so long */
};

typedef enum hf_yamux_code {
    HF_YAMUX_NORMAL = 0,
    HF_YAMUX_PROTOCOL_ERROR = 1,
    HF_YAMUX_INTERNAL_ERROR = 2
} hf_yamux_code;

typedef struct hf_yamux hf_yamux;
typedef struct hf_yamux_stream hf_yamux_stream;

typedef struct hf_yamux_config {
    bool dialer; /* odd stream ids */
    uint32_t streams_in_max, streams_out_max;
    uint32_t send_buffer_bytes_max; /* a stream */
    uint64_t seed;                  /* for the stream table */
} hf_yamux_config;

hf_yamux *hf_yamux_new(hf_mem *mem, const hf_yamux_config *config, uint64_t now_ms);
void hf_yamux_free(hf_yamux *y); /* with all its streams; NULL allowed */

/* ---- what the peer said ---- */
typedef enum hf_yamux_kind {
    HF_YAMUX_NONE = 0, /* all bytes are taken */
    HF_YAMUX_OPENED,   /* stream: the peer opened it; it is accepted. Set its owner. */
    HF_YAMUX_DATA,     /* stream, bytes: a view into the input */
    HF_YAMUX_FIN,      /* stream: the peer writes no more */
    HF_YAMUX_RESET,    /* stream: over, by the peer */
    HF_YAMUX_BROKEN,   /* reason: the session is dead, go-away is in the output */
} hf_yamux_kind;

typedef struct hf_yamux_event {
    hf_yamux_kind kind;
    hf_yamux_stream *stream;
    hf_bytes bytes;
    const char *reason;
} hf_yamux_event;

/* Takes from the front of *bytes until something is to be told. HF_NOMEM: the session is dead. */
HF_MUST_USE hf_err hf_yamux_recv(hf_yamux *y, uint64_t now_ms, hf_bytes *bytes, hf_yamux_event *ret);

/* ---- what we say ---- */
/* HF_LIMIT: too many, or ids are used up. HF_STATE: the session is dead. */
HF_MUST_USE hf_err hf_yamux_open(hf_yamux *y, void *owner, hf_yamux_stream **ret);
/* All or nothing. HF_LIMIT: the send buffer would overflow; `drained` will be told. HF_STATE: finished, over or dead.
 */
HF_MUST_USE hf_err hf_yamux_write(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *stream, hf_bytes bytes);
void hf_yamux_finish(hf_yamux *y, hf_yamux_stream *stream); /* FIN after what is buffered */
/* `drained` will be told when all that was written is sent. False: it is. */
bool hf_yamux_when_drained(hf_yamux_stream *stream);
void hf_yamux_reset(hf_yamux *y, hf_yamux_stream *stream);  /* now; nothing is told */
void hf_yamux_reading(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *stream, bool on);
/* Forgets the stream, resetting it when it is not over. */
void hf_yamux_drop(hf_yamux *y, hf_yamux_stream *stream);
void hf_yamux_ping(hf_yamux *y, uint64_t now_ms);     /* nothing while one is on its way */
void hf_yamux_close(hf_yamux *y, hf_yamux_code code); /* go-away; dead afterwards */
/* While blocked no stream data goes to the output. */
void hf_yamux_block(hf_yamux *y, uint64_t now_ms, bool blocked);
/* The bytes for the channel; its `err` is HF_NOMEM when some were lost: the session is then of no use. */
const hf_buf *hf_yamux_out(const hf_yamux *y);
void hf_yamux_taken(hf_yamux *y, uint64_t now_ms); /* they are gone; more may follow at once */
void hf_yamux_rest(hf_yamux *y);                   /* nothing went by for a while: give memory back */

/* ---- what came of it: drain after each call ---- */
/* The next stream that was drained after HF_LIMIT (*ret_drained) or has come to its end by our own FIN; NULL: none. */
hf_yamux_stream *hf_yamux_notice(hf_yamux *y, bool *ret_drained);
/* A stream that has had something to send for HF_YAMUX_STALL_MS and could not, or NULL. */
hf_yamux_stream *hf_yamux_stalled(hf_yamux *y, uint64_t now_ms);

/* ---- looking in ---- */
void *hf_yamux_owner(const hf_yamux_stream *stream);
void hf_yamux_set_owner(hf_yamux_stream *stream, void *owner);
uint32_t hf_yamux_id(const hf_yamux_stream *stream);
bool hf_yamux_over(const hf_yamux_stream *stream); /* both sides finished, or reset */
size_t hf_yamux_buffered(const hf_yamux_stream *stream);
uint32_t hf_yamux_rtt_ms(const hf_yamux *y); /* UINT32_MAX: not known */
/* The session behind the swarm's table; `self` is NULL when `y` is. */
hf_mux hf_yamux_mux(hf_yamux *y);
#endif

/* mux: what the swarm asks of a muxer, as one table: yamux over a byte channel (yamux_mux.c), and data channels, which are streams by
 * themselves (channels.h). The words mean what yamux.h says of them; what differs is said here.
 *
 * Life:    a muxer's own `new` fills an hf_mux; free ends it. `self` NULL: there is none yet.
 * Views:   an event's bytes are valid until the next call on the muxer.
 */
#ifndef HF_MUX_H
#define HF_MUX_H
#include "../base/base.h"

typedef enum hf_mux_kind {
    HF_MUX_NONE = 0, /* nothing more is to be told */
    HF_MUX_OPENED,   /* stream: the peer opened it. Set its owner. */
    HF_MUX_DATA,     /* stream, bytes: one frame's or message's at most */
    HF_MUX_FIN,      /* stream: the peer writes no more */
    HF_MUX_RESET,    /* stream, reason (NULL: by the peer): over; drop it */
    HF_MUX_BROKEN,   /* reason: the session is dead */
} hf_mux_kind;

typedef struct hf_mux_event {
    hf_mux_kind kind;
    void *stream;
    hf_bytes bytes;
    const char *reason; /* static text */
} hf_mux_event;

typedef struct hf_mux_table {
    void (*free)(void *mux); /* with all its streams */
    /* Takes from the front of *bytes (none for data channels) until something is to be told. HF_NOMEM: the session is dead. */
    hf_err (*next)(void *mux, uint64_t now_ms, hf_bytes *bytes, hf_mux_event *ret);
    hf_err (*open)(void *mux, void *owner, void **ret);
    hf_err (*write)(void *mux, uint64_t now_ms, void *stream, hf_bytes bytes);
    void (*finish)(void *mux, void *stream);
    bool (*when_drained)(void *stream);
    void (*reading)(void *mux, uint64_t now_ms, void *stream, bool on); /* what was held back comes out of `next` */
    void (*drop)(void *mux, uint64_t now_ms, void *stream);
    void (*ping)(void *mux, uint64_t now_ms);
    void (*close)(void *mux, int code); /* hf_yamux_code */
    void (*block)(void *mux, uint64_t now_ms, bool blocked);
    const hf_buf *(*out)(const void *mux);
    void (*taken)(void *mux, uint64_t now_ms);
    void (*rest)(void *mux);
    void *(*notice)(void *mux, bool *ret_drained);
    void *(*stalled)(void *mux, uint64_t now_ms);
    void *(*owner)(const void *stream);
    void (*set_owner)(void *stream, void *owner);
    bool (*over)(const void *stream);
    size_t (*buffered)(const void *stream);
    uint32_t (*rtt_ms)(const void *mux);    /* UINT32_MAX: not known */
    uint64_t (*deadline)(const void *mux);  /* when `tick` is due; UINT64_MAX: never */
    void (*tick)(void *mux, uint64_t now_ms);
} hf_mux_table;

typedef struct hf_mux {
    const hf_mux_table *table;
    void *self;
} hf_mux;

static inline hf_err hf_mux_write(hf_mux m, uint64_t now_ms, void *stream, hf_bytes bytes) { return m.table->write(m.self, now_ms, stream, bytes); }
static inline void hf_mux_finish(hf_mux m, void *stream) { m.table->finish(m.self, stream); }
static inline bool hf_mux_over(hf_mux m, const void *stream) { return m.table->over(stream); }

/* A budget of things that cost us: `tokens` left, refilled with time. */
typedef struct hf_mux_budget {
    uint32_t tokens;
    uint64_t refilled_ms;
} hf_mux_budget;

static inline bool hf_mux_spend(hf_mux_budget *b, uint64_t now_ms, uint32_t max, uint32_t per_s) {
    uint64_t refill = (now_ms - b->refilled_ms) * per_s / 1000;
    if (refill) {
        b->tokens = refill > max - b->tokens ? max : b->tokens + (uint32_t)refill;
        b->refilled_ms = now_ms;
    }
    if (b->tokens == 0) return false;
    b->tokens--;
    return true;
}

/* Refused or aborted streams: honest peers reset a few when they shut down or race a limit (js opens at most 1,000 streams). Without the
 * budget a loop of open and reset would be free for the peer and work for us. */
enum { HF_MUX_ABORTS_MAX = 2000, HF_MUX_ABORTS_PER_S = 100 };
#endif

/* channels_private: what channels.c (life), channels_recv.c (what the peer says) and channels_send.c (what we say) share. */
#ifndef HF_CHANNELS_PRIVATE_H
#define HF_CHANNELS_PRIVATE_H
#include "channels.h"

/* How a stream came to its end. */
typedef enum hf_channel_end {
    HF_CHANNEL_ALIVE,
    HF_CHANNEL_DONE,   /* both sides finished */
    HF_CHANNEL_BROKEN, /* the peer did wrong: `reason` */
    HF_CHANNEL_PEERS,  /* the peer reset it */
    HF_CHANNEL_SHUT,   /* the peer closed the channel; there is nothing to close any more */
} hf_channel_end;

typedef struct hf_channel hf_channel;
struct hf_channel {
    hf_channel *next, *prev; /* all channels of the session, oldest first */
    hf_channel *next_ready, *next_notice, *next_told;
    void *owner;
    uint8_t key[4]; /* the number, as the key of the table */
    uint32_t number;
    hf_channel_end end;
    const char *reason;
    uint64_t progress_ms, linger_ms; /* last time something could be sent; when its wait for FIN_ACK is over */
    bool inbound, fresh;             /* fresh: the peer's, and not told about */
    bool fin_wanted, fin_sent, fin_acked, fin_received, fin_told;
    bool stopped, shut, lingers; /* stopped: the peer reads no more. shut: the channel is gone. lingers: dropped, waits for FIN_ACK */
    bool not_reading, busy, limited, ready, noticed, telling;
    hf_buf queue, held;                       /* to send, to hand out: 4-byte length (native order), bytes; each is one message */
    size_t queue_at, queued, held_at, n_held; /* consumed offsets; bytes of data left */
};

/* A list in order, through one of the `next_` members. */
typedef struct hf_channel_list {
    hf_channel *first, *last;
} hf_channel_list;

struct hf_channels {
    hf_mem *mem;
    hf_channels_config config;
    hf_map channels; /* number -> channel */
    hf_channel_list all, ready, notice, told;
    uint32_t next_number, n_in, n_out, n_lingers;
    bool early, dead, blocked;
    const char *broken; /* to be told */
    uint64_t linger_ms; /* not later than the first wait's end */
    size_t n_held;
    hf_channel *current; /* `rest` is what its message has left */
    hf_bytes rest;
    hf_mux_budget aborts;
    hf_buf out;
};

hf_channel *hf_channel_new(hf_channels *c, uint32_t number, bool inbound);
hf_channel *hf_channel_find(const hf_channels *c, uint32_t number);
void hf_channel_free(hf_channels *c, hf_channel *s); /* out of everything; nothing is said */
void hf_channel_tell(hf_channels *c, hf_channel *s); /* it may have something for `next` */
void hf_channel_leave_told(hf_channels *c, hf_channel *s);
void hf_channel_leave_map(hf_channels *c, hf_channel *s); /* its number may be another's from now on */
void hf_channel_close(hf_channels *c, hf_channel *s);     /* the channel, when the peer has not, and it is freed */
void hf_channel_let_go(hf_channels *c, hf_channel *s);    /* what is held is thrown away */
void hf_channel_check_done(hf_channels *c, hf_channel *s); /* both sides finished? */

void hf_channels_record(hf_channels *c, uint32_t number, hf_channel_op op);
void hf_channel_say_flag(hf_channels *c, hf_channel *s, hf_channel_flag flag);
void hf_channel_make_ready(hf_channels *c, hf_channel *s);
void hf_channels_pump(hf_channels *c, uint64_t now_ms); /* sends what may be sent */
void hf_channel_unqueue(hf_channel *s);                 /* what is not sent will not be */
void hf_channel_add_notice(hf_channels *c, hf_channel *s);
void hf_channel_leave_lists(hf_channels *c, hf_channel *s); /* ready, notice */

/* Of the table. */
hf_err hf_channels_next(void *mux, uint64_t now_ms, hf_bytes *bytes, hf_mux_event *ret);
hf_err hf_channels_open(void *mux, void *owner, void **ret);
hf_err hf_channels_write(void *mux, uint64_t now_ms, void *stream, hf_bytes bytes);
void hf_channels_finish(void *mux, void *stream);
bool hf_channels_when_drained(void *stream);
void hf_channels_block(void *mux, uint64_t now_ms, bool blocked);
const hf_buf *hf_channels_out(const void *mux);
void hf_channels_taken(void *mux, uint64_t now_ms);
void hf_channels_rest(void *mux);
void *hf_channels_notice(void *mux, bool *ret_drained);
void *hf_channels_stalled(void *mux, uint64_t now_ms);
#endif

/* channels_send: what we say on data channels: records, the queues of streams. See channels.h.
 *
 * A write goes straight into the output when its channel, the connection and the order allow; else it waits in its stream's queue. Streams that
 * have something and may send it stand in the ready list, one message each in turn. Flags wait for nothing but what was written before them.
 */
#include "channels_private.h"

#include <string.h>

enum { CHUNK_HEAD = 4 };

/* ---- records ---- */

static void put_u32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static size_t begin_record(hf_channels *c, uint32_t number, hf_channel_op op) {
    uint8_t *p = hf_buf_extend(&c->out, HF_CHANNEL_RECORD_LEN);
    if (!p) return 0;
    put_u32(p, number);
    p[4] = (uint8_t)op;
    put_u32(p + 5, 0);
    return c->out.len;
}

static void end_record(hf_channels *c, size_t from) {
    if (!c->out.err) put_u32(c->out.ptr + from - 4, (uint32_t)(c->out.len - from));
}

void hf_channels_record(hf_channels *c, uint32_t number, hf_channel_op op) {
    if (!c->dead) (void)begin_record(c, number, op);
}

static void send_message(hf_channels *c, uint32_t number, hf_channel_message message) {
    if (c->dead) return;
    size_t from = begin_record(c, number, HF_CHANNEL_MESSAGE);
    hf_channel_message_add(&c->out, &message);
    end_record(c, from);
}

void hf_channel_say_flag(hf_channels *c, hf_channel *s, hf_channel_flag flag) {
    if (!s->shut) send_message(c, s->number, (hf_channel_message){.flag = flag});
}

void hf_channels_say(hf_channels *c, uint32_t channel, hf_bytes payload) {
    send_message(c, channel, (hf_channel_message){HF_CHANNEL_NO_FLAG, payload});
}

void hf_channels_shut(hf_channels *c, uint32_t channel) { hf_channels_record(c, channel, HF_CHANNEL_CLOSE); }

/* ---- the lists ---- */

void hf_channel_make_ready(hf_channels *c, hf_channel *s) {
    bool wants = (s->queued && !s->busy) || (!s->queued && s->fin_wanted && !s->fin_sent);
    if (s->ready || s->end || !wants) return;
    s->ready = true;
    s->next_ready = NULL;
    if (c->ready.last)
        c->ready.last->next_ready = s;
    else
        c->ready.first = s;
    c->ready.last = s;
}

static hf_channel *pop_ready(hf_channels *c) {
    hf_channel *s = c->ready.first;
    c->ready.first = s->next_ready;
    if (!c->ready.first) c->ready.last = NULL;
    s->ready = false;
    return s;
}

void hf_channel_add_notice(hf_channels *c, hf_channel *s) {
    if (s->noticed) return;
    s->noticed = true;
    s->next_notice = NULL;
    if (c->notice.last)
        c->notice.last->next_notice = s;
    else
        c->notice.first = s;
    c->notice.last = s;
}

void hf_channel_leave_lists(hf_channels *c, hf_channel *s) {
    hf_channel *before = NULL;
    for (hf_channel *i = s->ready ? c->ready.first : NULL; i && i != s; i = i->next_ready) before = i;
    if (s->ready && before) before->next_ready = s->next_ready;
    if (s->ready && !before) c->ready.first = s->next_ready;
    if (s->ready && c->ready.last == s) c->ready.last = before;
    before = NULL;
    for (hf_channel *i = s->noticed ? c->notice.first : NULL; i && i != s; i = i->next_notice) before = i;
    if (s->noticed && before) before->next_notice = s->next_notice;
    if (s->noticed && !before) c->notice.first = s->next_notice;
    if (s->noticed && c->notice.last == s) c->notice.last = before;
    s->ready = s->noticed = false;
}

void *hf_channels_notice(void *mux, bool *ret_drained) {
    hf_channels *c = mux;
    hf_channel *s = c->notice.first;
    if (!s) return NULL;
    c->notice.first = s->next_notice;
    if (!c->notice.first) c->notice.last = NULL;
    s->noticed = false;
    *ret_drained = s->limited && s->queued == 0;
    if (*ret_drained) s->limited = false;
    return s;
}

/* ---- data ---- */

static bool may_send(const hf_channels *c) { return !c->blocked && !c->dead && c->out.len < HF_CHANNELS_OUT_BYTES_MAX; }

static hf_bytes next_piece(hf_bytes *bytes) {
    hf_bytes piece = hf_sub(*bytes, 0, HF_CHANNELS_PAYLOAD_BYTES_MAX);
    *bytes = hf_sub(*bytes, piece.len, bytes->len);
    return piece;
}

static void send_data(hf_channels *c, uint64_t now_ms, hf_channel *s, hf_bytes data) {
    s->progress_ms = now_ms;
    hf_channels_say(c, s->number, data);
}

static hf_err enqueue(uint64_t now_ms, hf_channel *s, hf_bytes bytes) {
    if (s->queue_at > s->queue.len / 2) { /* so each byte is moved at most once */
        hf_buf_consume(&s->queue, s->queue_at);
        s->queue_at = 0;
    }
    size_t n_pieces = (bytes.len + HF_CHANNELS_PAYLOAD_BYTES_MAX - 1) / HF_CHANNELS_PAYLOAD_BYTES_MAX;
    uint8_t *p = hf_buf_extend(&s->queue, bytes.len + n_pieces * CHUNK_HEAD);
    if (!p) {
        s->queue.err = HF_OK; /* what it held is whole */
        return HF_NOMEM;
    }
    if (s->queued == 0) s->progress_ms = now_ms;
    s->queued += bytes.len;
    while (bytes.len) {
        hf_bytes piece = next_piece(&bytes);
        uint32_t len = (uint32_t)piece.len;
        memcpy(p, &len, CHUNK_HEAD);
        memcpy(p + CHUNK_HEAD, piece.ptr, piece.len);
        p += CHUNK_HEAD + piece.len;
    }
    return HF_OK;
}

hf_err hf_channels_write(void *mux, uint64_t now_ms, void *stream, hf_bytes bytes) {
    hf_channels *c = mux;
    hf_channel *s = stream;
    if (c->dead || s->end || s->fin_wanted) return HF_STATE;
    if (bytes.len == 0 || s->stopped) return HF_OK;
    if (bytes.len > c->config.send_buffer_bytes_max - s->queued) {
        s->limited = s->queued > 0;
        return HF_LIMIT;
    }
    if (s->queued == 0 && may_send(c) && !s->busy) {
        while (bytes.len && !c->out.err) send_data(c, now_ms, s, next_piece(&bytes));
        return c->out.err;
    }
    hf_err err = enqueue(now_ms, s, bytes);
    if (err) return err;
    hf_channel_make_ready(c, s);
    hf_channels_pump(c, now_ms);
    return c->out.err;
}

bool hf_channels_when_drained(void *stream) {
    hf_channel *s = stream;
    return s->limited = s->queued > 0;
}

static void send_fin(hf_channels *c, hf_channel *s) {
    hf_channel_say_flag(c, s, HF_CHANNEL_FIN);
    s->fin_sent = true;
    hf_channel_check_done(c, s);
}

void hf_channel_unqueue(hf_channel *s) {
    hf_buf_deinit(&s->queue); /* an idle stream holds no buffer */
    s->queue_at = s->queued = 0;
}

static void send_next(hf_channels *c, uint64_t now_ms, hf_channel *s) {
    uint32_t len;
    if (s->queued == 0) {
        if (s->fin_wanted && !s->fin_sent) send_fin(c, s);
        return;
    }
    if (s->busy) return;
    memcpy(&len, s->queue.ptr + s->queue_at, CHUNK_HEAD);
    send_data(c, now_ms, s, HF_BYTES(s->queue.ptr + s->queue_at + CHUNK_HEAD, len));
    s->queue_at += CHUNK_HEAD + len;
    s->queued -= len;
    if (s->queued == 0) {
        hf_channel_unqueue(s);
        if (s->limited) hf_channel_add_notice(c, s);
    }
    hf_channel_make_ready(c, s);
}

void hf_channels_pump(hf_channels *c, uint64_t now_ms) {
    while (c->ready.first && may_send(c)) send_next(c, now_ms, pop_ready(c));
}

void hf_channels_finish(void *mux, void *stream) {
    hf_channel *s = stream;
    if (s->end || s->fin_wanted) return;
    s->fin_wanted = true;
    if (s->queued == 0) send_fin(mux, s);
}

/* ---- the table's ---- */

hf_err hf_channels_open(void *mux, void *owner, void **ret) {
    hf_channels *c = mux;
    if (c->dead) return HF_STATE;
    if (c->n_out >= c->config.streams_out_max || c->next_number == HF_CHANNEL_OURS) return HF_LIMIT;
    hf_channel *s = hf_channel_new(c, HF_CHANNEL_OURS | c->next_number, false);
    if (!s) return HF_NOMEM;
    c->next_number++;
    s->owner = owner;
    hf_channels_record(c, s->number, HF_CHANNEL_OPEN);
    *ret = s;
    return HF_OK;
}

void hf_channels_block(void *mux, uint64_t now_ms, bool blocked) {
    hf_channels *c = mux;
    c->blocked = blocked;
    hf_channels_pump(c, now_ms);
}

const hf_buf *hf_channels_out(const void *mux) { return &((const hf_channels *)mux)->out; }

void hf_channels_taken(void *mux, uint64_t now_ms) {
    hf_channels *c = mux;
    hf_buf_clear(&c->out);
    hf_channels_pump(c, now_ms);
}

void hf_channels_rest(void *mux) {
    hf_channels *c = mux;
    if (c->out.len == 0) hf_buf_deinit(&c->out);
}

void *hf_channels_stalled(void *mux, uint64_t now_ms) {
    const hf_channels *c = mux;
    for (hf_channel *s = c->all.first; s; s = s->next)
        if (s->queued && !s->end && now_ms - s->progress_ms >= HF_CHANNELS_STALL_MS) return s;
    return NULL;
}

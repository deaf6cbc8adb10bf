/* yamux_send: what we say: frames, the queues of streams, windows. See yamux.h.
 *
 * A write goes straight into the output when the window, the channel and the order allow; else it waits in its stream's
 * queue. Streams that have something and may send it stand in the ready list, one frame each in turn.
 */
#include "yamux_private.h"

#include <string.h>

enum { CHUNK_HEAD = 4 };

static void add_frame(hf_yamux *y, hf_yamux_frame frame, hf_bytes data) {
    uint8_t *p = hf_buf_extend(&y->out, HF_YAMUX_HEADER_LEN + data.len);
    if (!p) return;
    hf_yamux_frame_write(frame, p);
    if (data.len) memcpy(p + HF_YAMUX_HEADER_LEN, data.ptr, data.len);
}

void hf_yamux_send_frame(hf_yamux *y, uint8_t type, uint16_t flags, uint32_t stream, uint32_t length) {
    if (y->dead) return;
    if (y->blocked) y->blocked_bytes += HF_YAMUX_HEADER_LEN;
    add_frame(y, (hf_yamux_frame){type, flags, stream, length}, HF_BYTES(NULL, 0));
}

static void send_data(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s, hf_bytes data) {
    s->send_window -= (uint32_t)data.len;
    s->progress_ms = now_ms;
    add_frame(y, (hf_yamux_frame){HF_YAMUX_TYPE_DATA, 0, s->id, (uint32_t)data.len}, data);
}

/* ---- the lists ---- */

void hf_yamux_make_ready(hf_yamux *y, hf_yamux_stream *s) {
    bool wants = s->queued || (s->fin_wanted && !s->fin_sent);
    if (s->ready || s->over || !wants) return;
    s->ready = true;
    s->next_ready = NULL;
    if (y->ready_last)
        y->ready_last->next_ready = s;
    else
        y->ready_first = s;
    y->ready_last = s;
}

static hf_yamux_stream *pop_ready(hf_yamux *y) {
    hf_yamux_stream *s = y->ready_first;
    y->ready_first = s->next_ready;
    if (!y->ready_first) y->ready_last = NULL;
    s->ready = false;
    return s;
}

static void leave_ready(hf_yamux *y, hf_yamux_stream *s) {
    if (!s->ready) return;
    hf_yamux_stream *before = NULL;
    for (hf_yamux_stream *i = y->ready_first; i != s; i = i->next_ready) before = i;
    if (before)
        before->next_ready = s->next_ready;
    else
        y->ready_first = s->next_ready;
    if (y->ready_last == s) y->ready_last = before;
    s->ready = false;
}

void hf_yamux_add_notice(hf_yamux *y, hf_yamux_stream *s) {
    if (s->noticed) return;
    s->noticed = true;
    s->next_notice = NULL;
    if (y->notice_last)
        y->notice_last->next_notice = s;
    else
        y->notice_first = s;
    y->notice_last = s;
}

static void leave_notice(hf_yamux *y, hf_yamux_stream *s) {
    if (!s->noticed) return;
    hf_yamux_stream *before = NULL;
    for (hf_yamux_stream *i = y->notice_first; i != s; i = i->next_notice) before = i;
    if (before)
        before->next_notice = s->next_notice;
    else
        y->notice_first = s->next_notice;
    if (y->notice_last == s) y->notice_last = before;
    s->noticed = false;
}

hf_yamux_stream *hf_yamux_notice(hf_yamux *y, bool *ret_drained) {
    hf_yamux_stream *s = y->notice_first;
    if (!s) return NULL;
    leave_notice(y, s);
    *ret_drained = s->limited && s->queued == 0;
    if (*ret_drained) s->limited = false;
    return s;
}

/* ---- streams come and go ---- */

hf_yamux_stream *hf_yamux_stream_new(hf_yamux *y, uint32_t id, bool inbound) {
    hf_yamux_stream *s = hf_alloc(y->mem, sizeof *s);
    if (!s) return NULL;
    s->id = id;
    s->inbound = inbound;
    memcpy(s->key, &id, sizeof s->key);
    s->send_window = s->recv_window = s->recv_max = HF_YAMUX_WINDOW_BYTES;
    hf_buf_init(&s->queue, y->mem);
    if (hf_map_put(&y->streams, HF_BYTES(s->key, sizeof s->key), s)) {
        hf_release(y->mem, s, sizeof *s);
        return NULL;
    }
    s->prev = y->last;
    if (y->last)
        y->last->next = s;
    else
        y->first = s;
    y->last = s;
    if (inbound)
        y->n_in++;
    else
        y->n_out++;
    return s;
}

void hf_yamux_end(hf_yamux *y, hf_yamux_stream *s) {
    if (s->over) return;
    s->over = true;
    hf_map_remove(&y->streams, HF_BYTES(s->key, sizeof s->key));
    leave_ready(y, s);
    if (y->current == s) y->current = NULL;
    y->extra_bytes -= s->recv_max - HF_YAMUX_WINDOW_BYTES;
    if (s->inbound)
        y->n_in--;
    else
        y->n_out--;
    hf_buf_deinit(&s->queue);
    s->queued = s->queue_at = 0;
}

void hf_yamux_reset(hf_yamux *y, hf_yamux_stream *s) {
    if (s->over) return;
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_RST, s->id, 0);
    hf_yamux_end(y, s);
}

void hf_yamux_drop(hf_yamux *y, hf_yamux_stream *s) {
    hf_yamux_reset(y, s);
    leave_notice(y, s);
    if (s->prev)
        s->prev->next = s->next;
    else
        y->first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        y->last = s->prev;
    hf_release(y->mem, s, sizeof *s);
}

hf_err hf_yamux_open(hf_yamux *y, void *owner, hf_yamux_stream **ret) {
    if (y->dead) return HF_STATE;
    if (y->n_out >= y->config.streams_out_max || y->next_id > UINT32_MAX - 2) return HF_LIMIT;
    hf_yamux_stream *s = hf_yamux_stream_new(y, y->next_id, false);
    if (!s) return HF_NOMEM;
    y->next_id += 2;
    s->owner = owner;
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, s->id, 0);
    *ret = s;
    return HF_OK;
}

/* ---- data ---- */

static hf_bytes next_piece(hf_bytes *bytes) {
    hf_bytes piece = hf_sub(*bytes, 0, HF_YAMUX_FRAME_BYTES_MAX);
    *bytes = hf_sub(*bytes, piece.len, bytes->len);
    return piece;
}

static bool may_send(const hf_yamux *y) { return !y->blocked && !y->dead && y->out.len < HF_YAMUX_OUT_BYTES_MAX; }

/* An idle stream holds no buffer; the session holds one for the next that needs it, so that a long transfer does not ask the system for the same
 * memory over and over. */
static void swap_spare(hf_yamux *y, hf_yamux_stream *s) {
    hf_buf queue = s->queue;
    s->queue = y->spare;
    y->spare = queue;
}

static void drop_queue(hf_yamux *y, hf_yamux_stream *s) {
    hf_buf_clear(&s->queue);
    if (s->queue.cap > y->spare.cap) swap_spare(y, s);
    hf_buf_deinit(&s->queue);
    s->queue_at = 0;
}

static hf_err enqueue(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s, hf_bytes bytes) {
    if (!s->queue.cap) swap_spare(y, s);
    if (s->queue_at > s->queue.len / 2) { /* so each byte is moved at most once */
        hf_buf_consume(&s->queue, s->queue_at);
        s->queue_at = 0;
    }
    size_t n_pieces = (bytes.len + HF_YAMUX_FRAME_BYTES_MAX - 1) / HF_YAMUX_FRAME_BYTES_MAX;
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

static hf_err refuse(hf_yamux_stream *s) {
    s->limited = s->queued > 0;
    return HF_LIMIT;
}

bool hf_yamux_when_drained(hf_yamux_stream *s) { return s->limited = s->queued > 0; }

hf_err hf_yamux_write(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s, hf_bytes bytes) {
    if (y->dead || s->over || s->fin_wanted) return HF_STATE;
    if (bytes.len == 0) return HF_OK;
    if (bytes.len > y->config.send_buffer_bytes_max - s->queued) return refuse(s);
    if (s->queued == 0 && may_send(y) && bytes.len <= s->send_window) {
        while (bytes.len && !y->out.err) send_data(y, now_ms, s, next_piece(&bytes));
        return y->out.err;
    }
    hf_err err = enqueue(y, now_ms, s, bytes);
    if (err) return err;
    hf_yamux_make_ready(y, s);
    hf_yamux_pump(y, now_ms);
    return y->out.err;
}

static void send_fin(hf_yamux *y, hf_yamux_stream *s) {
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_FIN_FLAG, s->id, 0);
    s->fin_sent = true;
    if (!s->fin_received) return;
    hf_yamux_end(y, s);
    hf_yamux_add_notice(y, s);
}

/* One frame of the stream. Waits rather than splits when the window is too narrow for the chunk: every known peer gives
 * window back when half or less of its 256 KiB is read, so at least 128 KiB come sooner or later, and a chunk has 64 at
 * most. */
static void send_next(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s) {
    if (s->queued == 0) {
        if (s->fin_wanted && !s->fin_sent) send_fin(y, s);
        return;
    }
    uint32_t len;
    memcpy(&len, s->queue.ptr + s->queue_at, CHUNK_HEAD);
    if (len > s->send_window) return;
    send_data(y, now_ms, s, HF_BYTES(s->queue.ptr + s->queue_at + CHUNK_HEAD, len));
    s->queue_at += CHUNK_HEAD + len;
    s->queued -= len;
    if (s->queued == 0) {
        drop_queue(y, s);
        if (s->limited) hf_yamux_add_notice(y, s);
    }
    hf_yamux_make_ready(y, s);
}

void hf_yamux_pump(hf_yamux *y, uint64_t now_ms) {
    while (y->ready_first && may_send(y)) send_next(y, now_ms, pop_ready(y));
}

void hf_yamux_finish(hf_yamux *y, hf_yamux_stream *s) {
    if (s->over || s->fin_wanted) return;
    s->fin_wanted = true;
    if (s->queued == 0) send_fin(y, s);
}

/* ---- windows, pings, the channel ---- */

/* Doubles the window when half of it was read within 4 round trips (the rule of js and go): then the window is what
 * holds the peer back. */
static uint32_t growth(const hf_yamux *y, uint64_t now_ms, const hf_yamux_stream *s) {
    if (y->rtt_ms == UINT32_MAX || now_ms - s->epoch_ms >= (uint64_t)y->rtt_ms * 4) return 0;
    bool full = s->recv_max > HF_YAMUX_WINDOW_BYTES_MAX / 2 || y->extra_bytes + s->recv_max > HF_YAMUX_EXTRA_BYTES_MAX;
    return full ? 0 : s->recv_max;
}

void hf_yamux_grant(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s) {
    if (s->over || s->not_reading || s->fin_received || s->uncredited < s->recv_max / 2) return;
    uint32_t more = growth(y, now_ms, s);
    uint32_t delta = s->uncredited + more;
    s->recv_max += more;
    y->extra_bytes += more;
    s->recv_window += delta;
    s->uncredited = 0;
    s->epoch_ms = now_ms;
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, 0, s->id, delta);
}

void hf_yamux_reading(hf_yamux *y, uint64_t now_ms, hf_yamux_stream *s, bool on) {
    s->not_reading = !on;
    s->epoch_ms = 0; /* a pause says nothing about the width of the path */
    hf_yamux_grant(y, now_ms, s);
}

void hf_yamux_ping(hf_yamux *y, uint64_t now_ms) {
    if (y->dead || y->ping_out) return;
    y->ping_out = true;
    y->ping_ms = now_ms;
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, y->ping_id++);
}

void hf_yamux_close(hf_yamux *y, hf_yamux_code code) {
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_AWAY, 0, 0, (uint32_t)code);
    y->dead = true;
}

void hf_yamux_block(hf_yamux *y, uint64_t now_ms, bool blocked) {
    y->blocked = blocked;
    y->blocked_bytes = 0;
    hf_yamux_pump(y, now_ms);
}

const hf_buf *hf_yamux_out(const hf_yamux *y) { return &y->out; }

void hf_yamux_taken(hf_yamux *y, uint64_t now_ms) {
    hf_buf_clear(&y->out);
    hf_yamux_pump(y, now_ms);
}

void hf_yamux_rest(hf_yamux *y) {
    if (y->out.len == 0) hf_buf_deinit(&y->out);
    hf_buf_deinit(&y->spare);
}

/* yamux: the session's life and what the peer says; yamux_send.c has what we say. See yamux.h.
 *
 * A frame is read in three stages: its header (12 bytes, gathered), its body (data is passed on as it comes, so that a
 * frame of a whole window costs no memory), its end (FIN and RST take effect after the data). Each call of recv stops
 * at the first thing worth telling.
 */
#include "yamux_private.h"

#include <string.h>

/* js asks every 30 s, others every 15 s. */
enum { PINGS_MAX = 100, PINGS_PER_S = 10 };

hf_yamux *hf_yamux_new(hf_mem *mem, const hf_yamux_config *config, uint64_t now_ms) {
    hf_yamux *y = hf_alloc(mem, sizeof *y);
    if (!y) return NULL;
    y->mem = mem;
    y->config = *config;
    y->next_id = config->dialer ? 1 : 2; /* "The client side should use odd ID's, and the server even" */
    y->rtt_ms = UINT32_MAX;
    y->pings = (hf_mux_budget){PINGS_MAX, now_ms};
    y->aborts = (hf_mux_budget){HF_MUX_ABORTS_MAX, now_ms};
    hf_map_init(&y->streams, mem, config->seed);
    hf_buf_init(&y->out, mem);
    hf_buf_init(&y->spare, mem);
    return y;
}

void hf_yamux_free(hf_yamux *y) {
    if (!y) return;
    y->dead = true;
    while (y->first) hf_yamux_drop(y, y->first);
    hf_map_deinit(&y->streams);
    hf_buf_deinit(&y->out);
    hf_buf_deinit(&y->spare);
    hf_release(y->mem, y, sizeof *y);
}

static hf_err broken(hf_yamux *y, hf_yamux_event *ret, const char *reason) {
    hf_yamux_close(y, HF_YAMUX_PROTOCOL_ERROR);
    *ret = (hf_yamux_event){.kind = HF_YAMUX_BROKEN, .reason = reason};
    return HF_OK;
}

static hf_yamux_stream *find(hf_yamux *y, uint32_t id) {
    uint8_t key[4];
    memcpy(key, &id, 4);
    return hf_map_get(&y->streams, HF_BYTES(key, 4));
}

/* ---- frames of the session ---- */

static hf_err take_ping(hf_yamux *y, uint64_t now_ms, hf_yamux_event *ret) {
    if (y->frame.flags == HF_YAMUX_SYN) {
        if (!hf_mux_spend(&y->pings, now_ms, PINGS_MAX, PINGS_PER_S)) return broken(y, ret, "yamux: too many pings");
        hf_yamux_send_frame(y, HF_YAMUX_TYPE_PING, HF_YAMUX_ACK, 0, y->frame.length);
        return HF_OK;
    }
    if (!y->ping_out || y->frame.length != y->ping_id - 1) return broken(y, ret, "yamux: unasked ping answer");
    y->ping_out = false;
    uint64_t rtt = now_ms - y->ping_ms;
    y->rtt_ms = rtt < UINT32_MAX ? (uint32_t)rtt : UINT32_MAX - 1;
    return HF_OK;
}

static hf_err take_away(hf_yamux *y, hf_yamux_event *ret) {
    static const char *const reasons[] = {"yamux: the peer goes away", "yamux: the peer goes away: protocol error",
                                          "yamux: the peer goes away: internal error"};
    y->dead = true;
    *ret = (hf_yamux_event){.kind = HF_YAMUX_BROKEN, .reason = reasons[y->frame.length < 3 ? y->frame.length : 0]};
    return HF_OK;
}

/* ---- frames of a stream ---- */

/* A SYN over the limit is refused with RST, as js does; who does not stop is cut off. */
static hf_err take_syn(hf_yamux *y, uint64_t now_ms, hf_yamux_event *ret) {
    uint32_t id = y->frame.stream;
    if ((id % 2 == 1) == y->config.dialer) return broken(y, ret, "yamux: stream id of the wrong parity");
    if (y->current) return broken(y, ret, "yamux: SYN for a stream that is open");
    if (y->n_in >= y->config.streams_in_max) {
        if (!hf_mux_spend(&y->aborts, now_ms, HF_MUX_ABORTS_MAX, HF_MUX_ABORTS_PER_S)) return broken(y, ret, "yamux: too many streams");
        hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_RST, id, 0);
        return HF_OK;
    }
    y->current = hf_yamux_stream_new(y, id, true);
    if (!y->current) return HF_NOMEM;
    hf_yamux_send_frame(y, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_ACK, id, 0);
    *ret = (hf_yamux_event){.kind = HF_YAMUX_OPENED, .stream = y->current};
    return HF_OK;
}

static hf_err begin_data(hf_yamux *y, hf_yamux_event *ret) {
    hf_yamux_stream *s = y->current;
    y->left = y->frame.length;
    if (!s) return y->left > HF_YAMUX_UNKNOWN_BYTES_MAX ? broken(y, ret, "yamux: frame too long") : HF_OK;
    if (y->left > s->recv_window) return broken(y, ret, "yamux: receive window overrun");
    if (s->fin_received && y->left) return broken(y, ret, "yamux: data after FIN");
    s->recv_window -= y->left;
    return HF_OK;
}

static hf_err take_window(hf_yamux *y, uint64_t now_ms, hf_yamux_event *ret) {
    hf_yamux_stream *s = y->current;
    if (!s) return HF_OK;
    if (y->frame.length > UINT32_MAX - s->send_window) return broken(y, ret, "yamux: window overflow");
    s->send_window += y->frame.length;
    hf_yamux_make_ready(y, s);
    hf_yamux_pump(y, now_ms);
    return HF_OK;
}

static hf_err begin_frame(hf_yamux *y, uint64_t now_ms, hf_yamux_event *ret) {
    hf_fault fault;
    y->header_len = 0;
    if (hf_yamux_frame_read(y->header, &y->frame, &fault)) return broken(y, ret, fault.what);
    if (y->frame.type == HF_YAMUX_TYPE_PING) return take_ping(y, now_ms, ret);
    if (y->frame.type == HF_YAMUX_TYPE_AWAY) return take_away(y, ret);
    y->at = HF_YAMUX_AT_BODY;
    y->left = 0;
    y->current = find(y, y->frame.stream);
    hf_err err = y->frame.flags & HF_YAMUX_SYN ? take_syn(y, now_ms, ret) : HF_OK;
    if (err || ret->kind == HF_YAMUX_BROKEN) return err;
    return y->frame.type == HF_YAMUX_TYPE_DATA ? begin_data(y, ret) : take_window(y, now_ms, ret);
}

static void read_header(hf_yamux *y, hf_bytes *bytes) {
    size_t n = HF_YAMUX_HEADER_LEN - y->header_len;
    if (n > bytes->len) n = bytes->len;
    memcpy(y->header + y->header_len, bytes->ptr, n);
    y->header_len = (uint8_t)(y->header_len + n);
    *bytes = hf_sub(*bytes, n, bytes->len);
}

static void read_body(hf_yamux *y, uint64_t now_ms, hf_bytes *bytes, hf_yamux_event *ret) {
    hf_bytes part = hf_sub(*bytes, 0, y->left);
    *bytes = hf_sub(*bytes, part.len, bytes->len);
    y->left -= (uint32_t)part.len;
    hf_yamux_stream *s = y->current;
    if (!s || part.len == 0) return;
    s->uncredited += (uint32_t)part.len;
    hf_yamux_grant(y, now_ms, s);
    *ret = (hf_yamux_event){.kind = HF_YAMUX_DATA, .stream = s, .bytes = part};
}

static void take_fin(hf_yamux *y, hf_yamux_stream *s, hf_yamux_event *ret) {
    if (s->fin_received) return; /* js says FIN twice when both sides close at once */
    s->fin_received = true;
    if (s->fin_sent) hf_yamux_end(y, s);
    *ret = (hf_yamux_event){.kind = HF_YAMUX_FIN, .stream = s};
}

static hf_err end_frame(hf_yamux *y, uint64_t now_ms, hf_yamux_event *ret) {
    hf_yamux_stream *s = y->current;
    y->at = HF_YAMUX_AT_HEADER;
    y->current = NULL;
    if (!s) return HF_OK;
    if (y->frame.flags & HF_YAMUX_RST) {
        if (s->inbound && !hf_mux_spend(&y->aborts, now_ms, HF_MUX_ABORTS_MAX, HF_MUX_ABORTS_PER_S))
            return broken(y, ret, "yamux: too many aborted streams");
        hf_yamux_end(y, s);
        *ret = (hf_yamux_event){.kind = HF_YAMUX_RESET, .stream = s};
    } else if (y->frame.flags & HF_YAMUX_FIN_FLAG)
        take_fin(y, s, ret);
    return HF_OK;
}

/* One step forward; false when more bytes are needed. */
static bool step(hf_yamux *y, uint64_t now_ms, hf_bytes *bytes, hf_yamux_event *ret, hf_err *ret_err) {
    if (y->at == HF_YAMUX_AT_HEADER) {
        if (bytes->len == 0) return false;
        read_header(y, bytes);
        if (y->header_len == HF_YAMUX_HEADER_LEN) *ret_err = begin_frame(y, now_ms, ret);
    } else if (y->at == HF_YAMUX_AT_BODY) {
        if (y->left && bytes->len == 0) return false;
        read_body(y, now_ms, bytes, ret);
        if (y->left == 0) y->at = HF_YAMUX_AT_END;
    } else {
        *ret_err = end_frame(y, now_ms, ret);
    }
    return true;
}

/* While the channel does not take bytes, each answer waits in memory: 64 KiB of them (5,000 frames) is nobody's honest
 * need. */
enum { BLOCKED_BYTES_MAX = 64 * 1024 };

hf_err hf_yamux_recv(hf_yamux *y, uint64_t now_ms, hf_bytes *bytes, hf_yamux_event *ret) {
    hf_err err = HF_OK;
    *ret = (hf_yamux_event){.kind = HF_YAMUX_NONE};
    while (!y->dead && !err && ret->kind == HF_YAMUX_NONE && step(y, now_ms, bytes, ret, &err)) {
        if (!y->dead && y->blocked_bytes > BLOCKED_BYTES_MAX)
            err = broken(y, ret, "yamux: asks much and reads nothing");
    }
    if (!err) err = y->out.err;
    if (err) y->dead = true;
    if (y->dead) *bytes = hf_sub(*bytes, bytes->len, 0);
    return err;
}

hf_yamux_stream *hf_yamux_stalled(hf_yamux *y, uint64_t now_ms) {
    for (hf_yamux_stream *s = y->first; s; s = s->next)
        if (s->queued && !s->over && now_ms - s->progress_ms >= HF_YAMUX_STALL_MS) return s;
    return NULL;
}

void *hf_yamux_owner(const hf_yamux_stream *stream) { return stream->owner; }
void hf_yamux_set_owner(hf_yamux_stream *stream, void *owner) { stream->owner = owner; }
uint32_t hf_yamux_id(const hf_yamux_stream *stream) { return stream->id; }
bool hf_yamux_over(const hf_yamux_stream *stream) { return stream->over; }
size_t hf_yamux_buffered(const hf_yamux_stream *stream) { return stream->queued; }
uint32_t hf_yamux_rtt_ms(const hf_yamux *y) { return y->rtt_ms; }

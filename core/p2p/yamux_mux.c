/* yamux_mux: yamux as the swarm's muxer: mux.h's table over yamux.h. */
#include "yamux.h"

static void end(void *mux) { hf_yamux_free(mux); }

static hf_err next(void *mux, uint64_t now_ms, hf_bytes *bytes, hf_mux_event *ret) {
    static const hf_mux_kind kinds[] = {HF_MUX_NONE, HF_MUX_OPENED, HF_MUX_DATA, HF_MUX_FIN, HF_MUX_RESET, HF_MUX_BROKEN};
    hf_yamux_event event;
    hf_err err = hf_yamux_recv(mux, now_ms, bytes, &event);
    *ret = (hf_mux_event){kinds[event.kind], event.stream, event.bytes, event.reason};
    return err;
}

static hf_err open_stream(void *mux, void *owner, void **ret) {
    hf_yamux_stream *s = NULL;
    hf_err err = hf_yamux_open(mux, owner, &s);
    if (!err) *ret = s;
    return err;
}

static hf_err write_stream(void *mux, uint64_t now_ms, void *stream, hf_bytes bytes) { return hf_yamux_write(mux, now_ms, stream, bytes); }
static void finish(void *mux, void *stream) { hf_yamux_finish(mux, stream); }
static bool when_drained(void *stream) { return hf_yamux_when_drained(stream); }
static void reading(void *mux, uint64_t now_ms, void *stream, bool on) { hf_yamux_reading(mux, now_ms, stream, on); }

static void drop(void *mux, uint64_t now_ms, void *stream) {
    (void)now_ms;
    hf_yamux_drop(mux, stream);
}

static void ping(void *mux, uint64_t now_ms) { hf_yamux_ping(mux, now_ms); }
static void close_session(void *mux, int code) { hf_yamux_close(mux, (hf_yamux_code)code); }
static void block(void *mux, uint64_t now_ms, bool blocked) { hf_yamux_block(mux, now_ms, blocked); }
static const hf_buf *out(const void *mux) { return hf_yamux_out(mux); }
static void taken(void *mux, uint64_t now_ms) { hf_yamux_taken(mux, now_ms); }
static void rest(void *mux) { hf_yamux_rest(mux); }
static void *notice(void *mux, bool *ret_drained) { return hf_yamux_notice(mux, ret_drained); }
static void *stalled(void *mux, uint64_t now_ms) { return hf_yamux_stalled(mux, now_ms); }
static void *owner_of(const void *stream) { return hf_yamux_owner(stream); }
static void set_owner(void *stream, void *owner) { hf_yamux_set_owner(stream, owner); }
static bool is_over(const void *stream) { return hf_yamux_over(stream); }
static size_t buffered(const void *stream) { return hf_yamux_buffered(stream); }
static uint32_t rtt_ms(const void *mux) { return hf_yamux_rtt_ms(mux); }

static uint64_t deadline(const void *mux) {
    (void)mux;
    return UINT64_MAX;
}

static void tick(void *mux, uint64_t now_ms) { (void)mux, (void)now_ms; }

static const hf_mux_table table = {
    .free = end, .next = next, .open = open_stream, .write = write_stream,
    .finish = finish, .when_drained = when_drained, .reading = reading, .drop = drop,
    .ping = ping, .close = close_session, .block = block, .out = out,
    .taken = taken, .rest = rest, .notice = notice, .stalled = stalled,
    .owner = owner_of, .set_owner = set_owner, .over = is_over, .buffered = buffered,
    .rtt_ms = rtt_ms, .deadline = deadline, .tick = tick,
};

hf_mux hf_yamux_mux(hf_yamux *y) { return (hf_mux){y ? &table : NULL, y}; }

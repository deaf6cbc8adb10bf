/* channels_recv: what the peer and the shell say of data channels, and what of it is told. See channels.h.
 *
 * A message's data goes out as a view into it when its stream reads and nothing older waits; else it is held. Streams with something to tell stand
 * in the list `told`; `next` takes from the message at hand first, then from them.
 */
#include "channels_private.h"

#include <string.h>

enum { CHUNK_HEAD = 4 };

/* Nothing more is sent or handed out; the end itself will be told. */
static void finish_off(hf_channels *c, hf_channel *s, hf_channel_end how, const char *reason) {
    if (s->end || s->lingers) return;
    s->end = how;
    s->reason = reason;
    hf_channel_leave_lists(c, s);
    hf_channel_let_go(c, s);
    hf_channel_unqueue(s);
    if (c->current == s) c->current = NULL;
    hf_channel_tell(c, s);
}

static void break_session(hf_channels *c, const char *reason) {
    c->dead = true;
    c->broken = reason;
}

/* ---- what the shell tells ---- */

hf_err hf_channels_opened(hf_channels *c, uint64_t now_ms, uint32_t channel) {
    if (c->dead) return HF_OK;
    if (channel & HF_CHANNEL_OURS || hf_channel_find(c, channel)) return HF_EXISTS;
    if (c->n_in >= c->config.streams_in_max) {
        if (hf_mux_spend(&c->aborts, now_ms, HF_MUX_ABORTS_MAX, HF_MUX_ABORTS_PER_S))
            hf_channels_record(c, channel, HF_CHANNEL_CLOSE);
        else
            break_session(c, "channels: too many streams");
        return c->out.err;
    }
    hf_channel *s = hf_channel_new(c, channel, true);
    if (!s) return HF_NOMEM;
    hf_channel_tell(c, s);
    return HF_OK;
}

void hf_channels_closed(hf_channels *c, uint64_t now_ms, uint32_t channel) {
    hf_channel *s = hf_channel_find(c, channel);
    if (!s) return;
    s->shut = true;
    hf_channel_leave_map(c, s);
    if (s->lingers || (s->fresh && !s->fin_received)) {
        hf_channel_free(c, s);
        return;
    }
    if (s->end) return; /* `drop` will find it shut */
    /* js closes the channel when it has finished and does not want our end: nobody is owed anything but what is held */
    if (s->fin_received && (s->stopped || s->fin_sent)) {
        s->stopped = s->fin_wanted = s->fin_sent = true;
        hf_channel_unqueue(s);
        hf_channel_check_done(c, s);
        return;
    }
    if (s->inbound && !hf_mux_spend(&c->aborts, now_ms, HF_MUX_ABORTS_MAX, HF_MUX_ABORTS_PER_S))
        break_session(c, "channels: too many aborted streams");
    finish_off(c, s, HF_CHANNEL_SHUT, "the peer closed the channel");
}

void hf_channels_busy(hf_channels *c, uint64_t now_ms, uint32_t channel, bool busy) {
    hf_channel *s = hf_channel_find(c, channel);
    if (!s || s->lingers) return;
    s->busy = busy;
    hf_channel_make_ready(c, s);
    hf_channels_pump(c, now_ms);
}

/* ---- one message ---- */

static bool hands_out(const hf_channels *c, const hf_channel *s) { return !c->early && !s->not_reading && !s->fresh; }

static hf_err hold(hf_channels *c, hf_channel *s, hf_bytes payload) {
    size_t max = c->early ? HF_CHANNELS_EARLY_BYTES_MAX : HF_CHANNELS_ALL_HELD_BYTES_MAX;
    if (payload.len > HF_CHANNELS_HELD_BYTES_MAX - s->n_held || payload.len > max - c->n_held) {
        finish_off(c, s, HF_CHANNEL_BROKEN, "channels: more came than the stream's reader takes");
        return HF_OK;
    }
    uint32_t len = (uint32_t)payload.len;
    if (s->held_at > s->held.len / 2) {
        hf_buf_consume(&s->held, s->held_at);
        s->held_at = 0;
    }
    hf_buf_add(&s->held, HF_BYTES(&len, CHUNK_HEAD));
    hf_buf_add(&s->held, payload);
    if (s->held.err) return HF_NOMEM;
    s->n_held += payload.len;
    c->n_held += payload.len;
    hf_channel_tell(c, s);
    return HF_OK;
}

static hf_err take_payload(hf_channels *c, hf_channel *s, hf_bytes payload, hf_mux_event *ret) {
    if (s->fin_received) {
        finish_off(c, s, HF_CHANNEL_BROKEN, "channels: data after FIN");
        return HF_OK;
    }
    if (!hands_out(c, s) || s->n_held) return hold(c, s, payload);
    *ret = (hf_mux_event){.kind = HF_MUX_DATA, .stream = s, .bytes = payload};
    return HF_OK;
}

static void take_fin(hf_channels *c, hf_channel *s) {
    if (s->fin_received) return;
    s->fin_received = true;
    hf_channel_say_flag(c, s, HF_CHANNEL_FIN_ACK);
    if (!s->end) hf_channel_tell(c, s);
}

static void take_stop(hf_channels *c, hf_channel *s) {
    s->stopped = true;
    if (s->end) return;
    hf_channel_unqueue(s);
    if (s->limited) hf_channel_add_notice(c, s);
    if (s->fin_wanted && !s->fin_sent) hf_channel_make_ready(c, s);
}

static void take_reset(hf_channels *c, uint64_t now_ms, hf_channel *s) {
    if (s->inbound && !hf_mux_spend(&c->aborts, now_ms, HF_MUX_ABORTS_MAX, HF_MUX_ABORTS_PER_S))
        break_session(c, "channels: too many aborted streams");
    finish_off(c, s, HF_CHANNEL_PEERS, NULL);
}

/* The end of a stream that is dropped: only flags count. */
static void take_late(hf_channels *c, hf_channel *s, hf_channel_flag flag) {
    if (flag == HF_CHANNEL_FIN_ACK || flag == HF_CHANNEL_RESET) hf_channel_close(c, s);
}

static void take_flag(hf_channels *c, uint64_t now_ms, hf_channel *s, hf_channel_flag flag) {
    if (flag == HF_CHANNEL_FIN) take_fin(c, s);
    if (flag == HF_CHANNEL_STOP_SENDING) take_stop(c, s);
    if (flag == HF_CHANNEL_FIN_ACK && s->fin_sent) s->fin_acked = true;
    if (flag == HF_CHANNEL_RESET) take_reset(c, now_ms, s);
}

/* Takes one message from `rest`. */
static hf_err take_message(hf_channels *c, uint64_t now_ms, hf_mux_event *ret) {
    hf_channel *s = c->current;
    hf_channel_message m;
    if (hf_channel_message_read(&c->rest, &m)) {
        c->current = NULL;
        finish_off(c, s, HF_CHANNEL_BROKEN, "channels: not a message");
        return HF_OK;
    }
    if (c->rest.len == 0) c->current = NULL;
    if (s->lingers) {
        c->current = NULL;
        take_late(c, s, m.flag);
        return HF_OK;
    }
    hf_err err = HF_OK;
    if (m.payload.len && !s->end && m.flag != HF_CHANNEL_RESET) err = take_payload(c, s, m.payload, ret);
    if (!err) take_flag(c, now_ms, s, m.flag);
    return err;
}

hf_err hf_channels_recv(hf_channels *c, uint64_t now_ms, uint32_t channel, hf_bytes message) {
    hf_channel *s = hf_channel_find(c, channel);
    hf_mux_event none;
    hf_err err = HF_OK;
    if (!s || c->dead || message.len == 0) return HF_OK;
    HF_ASSERT(!c->current);
    if (message.len > HF_CHANNELS_MESSAGE_BYTES_MAX) {
        finish_off(c, s, HF_CHANNEL_BROKEN, "channels: message over 16 KiB");
        return HF_OK;
    }
    c->current = s;
    c->rest = message;
    while (c->early && c->current && !err) err = take_message(c, now_ms, &none); /* nothing is told yet: all is held */
    if (err) c->dead = true;
    return err;
}

/* ---- what is told ---- */

static hf_bytes take_held(hf_channels *c, hf_channel *s) {
    uint32_t len;
    memcpy(&len, s->held.ptr + s->held_at, CHUNK_HEAD);
    hf_bytes bytes = HF_BYTES(s->held.ptr + s->held_at + CHUNK_HEAD, len);
    s->held_at += CHUNK_HEAD + len;
    s->n_held -= len;
    c->n_held -= len;
    return bytes;
}

/* The next thing to say of a stream; false: nothing, for now. */
static bool tell(hf_channels *c, hf_channel *s, hf_mux_event *ret) {
    *ret = (hf_mux_event){.stream = s, .reason = s->reason};
    if (s->fresh) {
        s->fresh = false;
        ret->kind = HF_MUX_OPENED;
        return true;
    }
    if (s->end) {
        if (s->end != HF_CHANNEL_DONE) ret->kind = HF_MUX_RESET;
    } else if (s->n_held && !s->not_reading) {
        ret->kind = HF_MUX_DATA;
        ret->bytes = take_held(c, s);
    } else if (s->fin_received && !s->fin_told && !s->n_held) {
        s->fin_told = true;
        ret->kind = HF_MUX_FIN;
        hf_channel_check_done(c, s);
    }
    if (!ret->kind && !s->n_held) hf_channel_let_go(c, s); /* what was handed out is used */
    return ret->kind != HF_MUX_NONE;
}

/* A stream that ended before it was told about is nobody's business. */
static bool forget_unknown(hf_channels *c, hf_channel *s) {
    if (!s->fresh || !s->end) return false;
    if (s->end == HF_CHANNEL_BROKEN) hf_channel_say_flag(c, s, HF_CHANNEL_RESET);
    hf_channel_close(c, s);
    return true;
}

hf_err hf_channels_next(void *mux, uint64_t now_ms, hf_bytes *bytes, hf_mux_event *ret) {
    hf_channels *c = mux;
    hf_err err = HF_OK;
    (void)bytes;
    *ret = (hf_mux_event){.kind = HF_MUX_NONE};
    while (c->current && !c->dead && !err && !ret->kind) err = take_message(c, now_ms, ret);
    while (!err && !c->dead && !ret->kind && !c->early && c->told.first) {
        hf_channel *s = c->told.first;
        if (!forget_unknown(c, s) && !tell(c, s, ret)) hf_channel_leave_told(c, s);
    }
    if (!ret->kind && c->broken) {
        *ret = (hf_mux_event){.kind = HF_MUX_BROKEN, .reason = c->broken};
        c->broken = NULL;
    }
    hf_channels_pump(c, now_ms);
    if (!err) err = c->out.err;
    if (err) c->dead = true;
    return err;
}

size_t hf_channels_held(const hf_channels *c) { return c->n_held; }

/* channels: the session's life and what the peer says; channels_send.c has what we say. See channels.h.
 *
 * A message's data goes out as a view into it when its stream reads and nothing older waits; else it is held. Streams with something to tell stand
 * in the list `told`; `next` takes from the message at hand first, then from them.
 */
#include "channels_private.h"

#include <string.h>

enum { CHUNK_HEAD = 4 };

/* ---- life ---- */

hf_channels *hf_channels_new(hf_mem *mem, const hf_channels_config *config, uint64_t now_ms) {
    hf_channels *c = hf_alloc(mem, sizeof *c);
    if (!c) return NULL;
    c->mem = mem;
    c->config = *config;
    c->early = true;
    c->linger_ms = UINT64_MAX;
    c->aborts = (hf_mux_budget){HF_MUX_ABORTS_MAX, now_ms};
    hf_map_init(&c->channels, mem, config->seed);
    hf_buf_init(&c->out, mem);
    return c;
}

static void end(void *mux) {
    hf_channels *c = mux;
    while (c->all.first) hf_channel_free(c, c->all.first);
    hf_map_deinit(&c->channels);
    hf_buf_deinit(&c->out);
    hf_release(c->mem, c, sizeof *c);
}

void hf_channels_release(hf_channels *c) { c->early = false; }

hf_channel *hf_channel_find(const hf_channels *c, uint32_t number) { return hf_map_get(&c->channels, HF_BYTES(&number, sizeof number)); }

hf_channel *hf_channel_new(hf_channels *c, uint32_t number, bool inbound) {
    hf_channel *s = hf_alloc(c->mem, sizeof *s);
    if (!s) return NULL;
    s->number = number;
    s->inbound = s->fresh = inbound;
    memcpy(s->key, &number, sizeof s->key);
    hf_buf_init(&s->queue, c->mem);
    hf_buf_init(&s->held, c->mem);
    if (hf_map_put(&c->channels, HF_BYTES(s->key, sizeof s->key), s)) {
        hf_release(c->mem, s, sizeof *s);
        return NULL;
    }
    s->prev = c->all.last;
    if (c->all.last)
        c->all.last->next = s;
    else
        c->all.first = s;
    c->all.last = s;
    if (inbound)
        c->n_in++;
    else
        c->n_out++;
    return s;
}

void hf_channel_let_go(hf_channels *c, hf_channel *s) {
    c->n_held -= s->n_held;
    hf_buf_deinit(&s->held);
    s->held_at = s->n_held = 0;
}

static void leave_told(hf_channels *c, hf_channel *s) {
    hf_channel *before = NULL;
    if (!s->telling) return;
    for (hf_channel *i = c->told.first; i != s; i = i->next_told) before = i;
    if (before)
        before->next_told = s->next_told;
    else
        c->told.first = s->next_told;
    if (c->told.last == s) c->told.last = before;
    s->telling = false;
}

/* It is no stream any more: nothing to send, nothing to tell. */
static void strip(hf_channels *c, hf_channel *s) {
    hf_channel_leave_lists(c, s);
    leave_told(c, s);
    hf_channel_let_go(c, s);
    hf_channel_unqueue(s);
    if (c->current == s) c->current = NULL;
    s->owner = NULL;
    if (s->inbound)
        c->n_in--;
    else
        c->n_out--;
}

/* When the peer has closed a channel, its number may be another's already. */
static void leave_map(hf_channels *c, hf_channel *s) {
    if (hf_channel_find(c, s->number) == s) hf_map_remove(&c->channels, HF_BYTES(s->key, sizeof s->key));
}

void hf_channel_free(hf_channels *c, hf_channel *s) {
    if (s->lingers)
        c->n_lingers--;
    else
        strip(c, s);
    leave_map(c, s);
    if (s->prev)
        s->prev->next = s->next;
    else
        c->all.first = s->next;
    if (s->next)
        s->next->prev = s->prev;
    else
        c->all.last = s->prev;
    hf_release(c->mem, s, sizeof *s);
}

void hf_channel_tell(hf_channels *c, hf_channel *s) {
    if (s->telling) return;
    s->telling = true;
    s->next_told = NULL;
    if (c->told.last)
        c->told.last->next_told = s;
    else
        c->told.first = s;
    c->told.last = s;
}

void hf_channel_check_done(hf_channels *c, hf_channel *s) {
    if (s->end || !s->fin_sent || !s->fin_told) return;
    s->end = HF_CHANNEL_DONE;
    hf_channel_add_notice(c, s);
}

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
    leave_map(c, s);
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

static void close_lingering(hf_channels *c, hf_channel *s) {
    hf_channels_record(c, s->number, HF_CHANNEL_CLOSE);
    hf_channel_free(c, s);
}

/* The end of a stream that is dropped: only flags count. */
static void take_late(hf_channels *c, hf_channel *s, hf_channel_flag flag) {
    if (flag == HF_CHANNEL_FIN_ACK || flag == HF_CHANNEL_RESET) close_lingering(c, s);
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
    if (!s->shut) hf_channels_record(c, s->number, HF_CHANNEL_CLOSE);
    hf_channel_free(c, s);
    return true;
}

static hf_err next(void *mux, uint64_t now_ms, hf_bytes *bytes, hf_mux_event *ret) {
    hf_channels *c = mux;
    hf_err err = HF_OK;
    (void)bytes;
    *ret = (hf_mux_event){.kind = HF_MUX_NONE};
    while (c->current && !c->dead && !err && !ret->kind) err = take_message(c, now_ms, ret);
    while (!err && !c->dead && !ret->kind && !c->early && c->told.first) {
        hf_channel *s = c->told.first;
        if (!forget_unknown(c, s) && !tell(c, s, ret)) leave_told(c, s);
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

/* ---- the end of streams ---- */

/* All is said and heard: it closes when the peer has our FIN. */
static void linger(hf_channels *c, uint64_t now_ms, hf_channel *s) {
    if (s->fin_acked || s->shut || c->n_lingers >= HF_CHANNELS_LINGER_MAX) {
        if (!s->shut) hf_channels_record(c, s->number, HF_CHANNEL_CLOSE);
        hf_channel_free(c, s);
        return;
    }
    strip(c, s);
    s->lingers = true;
    s->linger_ms = now_ms + HF_CHANNELS_FIN_ACK_MS;
    c->n_lingers++;
    if (s->linger_ms < c->linger_ms) c->linger_ms = s->linger_ms;
}

static void drop(void *mux, uint64_t now_ms, void *stream) {
    hf_channels *c = mux;
    hf_channel *s = stream;
    if (s->end == HF_CHANNEL_DONE) {
        linger(c, now_ms, s);
        return;
    }
    if (s->end == HF_CHANNEL_ALIVE || s->end == HF_CHANNEL_BROKEN) hf_channel_say_flag(c, s, HF_CHANNEL_RESET);
    if (!s->shut) hf_channels_record(c, s->number, HF_CHANNEL_CLOSE);
    hf_channel_free(c, s);
}

static void tick(void *mux, uint64_t now_ms) {
    hf_channels *c = mux;
    if (c->linger_ms > now_ms) return;
    c->linger_ms = UINT64_MAX;
    hf_channel *following;
    for (hf_channel *s = c->all.first; s; s = following) {
        following = s->next;
        if (!s->lingers) continue;
        if (s->linger_ms <= now_ms)
            close_lingering(c, s);
        else if (s->linger_ms < c->linger_ms)
            c->linger_ms = s->linger_ms;
    }
}

/* ---- the table ---- */

static void reading(void *mux, uint64_t now_ms, void *stream, bool on) {
    hf_channel *s = stream;
    (void)now_ms;
    s->not_reading = !on;
    if (on) hf_channel_tell(mux, s);
}

static void ping(void *mux, uint64_t now_ms) { (void)mux, (void)now_ms; }

static void close_session(void *mux, int code) {
    (void)code;
    ((hf_channels *)mux)->dead = true;
}

static void *owner_of(const void *stream) { return ((const hf_channel *)stream)->owner; }
static void set_owner(void *stream, void *owner) { ((hf_channel *)stream)->owner = owner; }
static bool is_over(const void *stream) { return ((const hf_channel *)stream)->end != HF_CHANNEL_ALIVE; }
static size_t buffered(const void *stream) { return ((const hf_channel *)stream)->queued; }
static uint64_t deadline(const void *mux) { return ((const hf_channels *)mux)->linger_ms; }

static uint32_t rtt_ms(const void *mux) {
    (void)mux;
    return UINT32_MAX;
}

static const hf_mux_table table = {
    .free = end, .next = next, .open = hf_channels_open, .write = hf_channels_write,
    .finish = hf_channels_finish, .when_drained = hf_channels_when_drained, .reading = reading, .drop = drop,
    .ping = ping, .close = close_session, .block = hf_channels_block, .out = hf_channels_out,
    .taken = hf_channels_taken, .rest = hf_channels_rest, .notice = hf_channels_notice, .stalled = hf_channels_stalled,
    .owner = owner_of, .set_owner = set_owner, .over = is_over, .buffered = buffered,
    .rtt_ms = rtt_ms, .deadline = deadline, .tick = tick,
};

hf_mux hf_channels_mux(hf_channels *c) { return (hf_mux){c ? &table : NULL, c}; }

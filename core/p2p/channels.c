/* channels: the life of the session and of its streams; channels_recv.c has what the peer says, channels_send.c what we say. See channels.h. */
#include "channels_private.h"

#include <string.h>

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

void hf_channel_leave_told(hf_channels *c, hf_channel *s) {
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
    hf_channel_leave_told(c, s);
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
void hf_channel_leave_map(hf_channels *c, hf_channel *s) {
    if (hf_channel_find(c, s->number) == s) hf_map_remove(&c->channels, HF_BYTES(s->key, sizeof s->key));
}

void hf_channel_free(hf_channels *c, hf_channel *s) {
    if (s->lingers)
        c->n_lingers--;
    else
        strip(c, s);
    hf_channel_leave_map(c, s);
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

/* ---- the end of streams ---- */

void hf_channel_close(hf_channels *c, hf_channel *s) {
    if (!s->shut) hf_channels_record(c, s->number, HF_CHANNEL_CLOSE);
    hf_channel_free(c, s);
}

/* All is said and heard: it closes when the peer has our FIN. */
static void linger(hf_channels *c, uint64_t now_ms, hf_channel *s) {
    if (s->fin_acked || s->shut || c->n_lingers >= HF_CHANNELS_LINGER_MAX) {
        hf_channel_close(c, s);
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
    hf_channel_close(c, s);
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
            hf_channel_close(c, s);
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
    .free = end, .next = hf_channels_next, .open = hf_channels_open, .write = hf_channels_write,
    .finish = hf_channels_finish, .when_drained = hf_channels_when_drained, .reading = reading, .drop = drop,
    .ping = ping, .close = close_session, .block = hf_channels_block, .out = hf_channels_out,
    .taken = hf_channels_taken, .rest = hf_channels_rest, .notice = hf_channels_notice, .stalled = hf_channels_stalled,
    .owner = owner_of, .set_owner = set_owner, .over = is_over, .buffered = buffered,
    .rtt_ms = rtt_ms, .deadline = deadline, .tick = tick,
};

hf_mux hf_channels_mux(hf_channels *c) { return (hf_mux){c ? &table : NULL, c}; }

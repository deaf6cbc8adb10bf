/* dcutr: see dcutr.h. One session a relayed connection. */
#include "dcutr.h"

#include "dcutr_message.h"
#include "frame.h"
#include "reach.h"

#include <string.h>

enum {
    SESSIONS_MAX = 64,
    DIAL_ADDRS_MAX = 8,
    ADDR_BYTES_MAX = 128,
    SEEN_MAX = 4, /* addresses under which others see us */
    TRIES_MAX = 3,
    ASKED_MAX = 6,
    TRY_MS = 5000,
    PAUSE_MS = 30000,
    PAUSE_MS_MAX = 16 * 60000,
    GRACE_MS = 10000,
};

typedef enum state {
    RESTING,    /* nothing to do but to wait for the other side, or it failed */
    UNILATERAL, /* B: the caller's own addresses are being dialled */
    CONNECTING, /* B: CONNECT is sent, the answer must come */
    DIALLING,   /* B: SYNC is sent, both dial */
    ASKED,      /* A: a stream came, CONNECT must come */
    ANSWERED,   /* A: CONNECT is sent back, SYNC must come */
    GRACE,      /* there is a direct connection; this one is closed soon */
} state;

typedef struct session {
    struct session *next;
    uint64_t conn, stream; /* stream 0: none */
    hf_peer_id peer;
    bool inbound, started;
    state state;
    unsigned n_tries, n_asked;
    uint64_t deadline_ms, sent_ms, pause_ms, asked_ms; /* pause: before the next three tries; asked: when n_asked began to count */
    hf_buf in;
    uint8_t addrs[DIAL_ADDRS_MAX][ADDR_BYTES_MAX]; /* to be dialled */
    uint8_t lens[DIAL_ADDRS_MAX];
    size_t n_addrs;
    bool dial_due, done_due, failed_due, dial_as;
    uint64_t dial_ms;
    const char *reason;
} session;

struct hf_dcutr {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    bool any_address;
    session *sessions;
    size_t n_sessions;
    uint64_t due_ms;
    uint8_t seen[SEEN_MAX][ADDR_BYTES_MAX];
    uint8_t seen_lens[SEEN_MAX];
    size_t next_seen;
    hf_bytes views[DIAL_ADDRS_MAX];
};

hf_dcutr *hf_dcutr_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, bool any_address) {
    hf_dcutr *d = hf_alloc(mem, sizeof *d);
    if (!d) return NULL;
    *d = (hf_dcutr){.mem = mem, .swarm = swarm, .tag = tag, .any_address = any_address, .due_ms = UINT64_MAX};
    hf_err err = hf_swarm_allow_limited(swarm, HF_TEXT(HF_DCUTR_PROTOCOL));
    if (!err) err = hf_swarm_protocol(swarm, HF_TEXT(HF_DCUTR_PROTOCOL), tag);
    if (!err) return d;
    hf_release(mem, d, sizeof *d);
    return NULL;
}

static void free_session(hf_dcutr *d, session **at) {
    session *s = *at;
    *at = s->next;
    d->n_sessions--;
    hf_buf_deinit(&s->in);
    hf_release(d->mem, s, sizeof *s);
}

void hf_dcutr_free(hf_dcutr *d) {
    if (!d) return;
    while (d->sessions) free_session(d, &d->sessions);
    hf_release(d->mem, d, sizeof *d);
}

static session **session_at(hf_dcutr *d, uint64_t conn) {
    session **at = &d->sessions;
    while (*at && (*at)->conn != conn) at = &(*at)->next;
    return at;
}

static void enter(hf_dcutr *d, session *s, state state, uint64_t deadline_ms) {
    s->state = state;
    s->deadline_ms = deadline_ms;
    if (deadline_ms < d->due_ms) d->due_ms = deadline_ms;
}

static void end_stream(hf_dcutr *d, uint64_t now_ms, session *s, bool reset) {
    if (s->stream && reset) hf_swarm_stream_reset(d->swarm, now_ms, s->stream);
    else if (s->stream) hf_swarm_stream_finish(d->swarm, now_ms, s->stream);
    s->stream = 0;
    hf_buf_deinit(&s->in);
}

/* ---- addresses ---- */

static void take_addrs(hf_dcutr *d, session *s, const hf_bytes *addrs, size_t n_addrs) {
    s->n_addrs = 0;
    for (size_t i = 0; i < n_addrs && s->n_addrs < DIAL_ADDRS_MAX; i++) {
        if (addrs[i].len > ADDR_BYTES_MAX) continue;
        if (!hf_reach_is_dialable(addrs[i], hf_peer_id_bytes(&s->peer), d->any_address)) continue;
        memcpy(s->addrs[s->n_addrs], addrs[i].ptr, addrs[i].len);
        s->lens[s->n_addrs++] = (uint8_t)addrs[i].len;
    }
}

/* Where somebody sees us, by a direct connection. */
static void note_seen(hf_dcutr *d, hf_bytes addr) {
    if (addr.len > ADDR_BYTES_MAX) return;
    if (!hf_reach_is_dialable(addr, hf_peer_id_bytes(hf_swarm_self(d->swarm)), d->any_address)) return;
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (hf_eq(addr, HF_BYTES(d->seen[i], d->seen_lens[i]))) return;
    size_t at = d->next_seen++ % SEEN_MAX;
    memcpy(d->seen[at], addr.ptr, addr.len);
    d->seen_lens[at] = (uint8_t)addr.len;
}

static void list_ours(const hf_dcutr *d, hf_dcutr_message *m) {
    hf_bytes self = hf_peer_id_bytes(hf_swarm_self(d->swarm)), addr;
    for (size_t i = 0; (addr = hf_swarm_address(d->swarm, i)).len && m->n_addrs < HF_DCUTR_ADDRS_MAX - SEEN_MAX; i++)
        if (addr.len <= ADDR_BYTES_MAX && hf_reach_is_dialable(addr, self, d->any_address)) m->addrs[m->n_addrs++] = addr;
    for (size_t i = 0; i < SEEN_MAX; i++)
        if (d->seen_lens[i]) m->addrs[m->n_addrs++] = HF_BYTES(d->seen[i], d->seen_lens[i]);
}

static hf_err say(hf_dcutr *d, uint64_t now_ms, session *s, hf_dcutr_type type) {
    hf_dcutr_message m = {.type = type};
    hf_buf out;
    if (type == HF_DCUTR_CONNECT) list_ours(d, &m);
    hf_buf_init(&out, d->mem);
    hf_dcutr_message_add(&out, &m);
    hf_frame_close(&out, 0);
    hf_err err = out.err;
    if (!err) err = hf_swarm_stream_write(d->swarm, now_ms, s->stream, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return err;
}

/* ---- trying ---- */

static void give_up(hf_dcutr *d, session *s, const char *reason) {
    s->failed_due = true;
    s->reason = reason;
    enter(d, s, RESTING, UINT64_MAX);
}

/* What was in the way may pass: a port that an earlier connection still holds, a NAT that starts anew. */
static void rest(hf_dcutr *d, uint64_t now_ms, session *s) {
    s->n_tries = 0;
    s->pause_ms = !s->pause_ms ? PAUSE_MS : s->pause_ms < PAUSE_MS_MAX ? 2 * s->pause_ms : PAUSE_MS_MAX;
    enter(d, s, RESTING, now_ms + s->pause_ms);
}

static void dial(session *s, uint64_t at_ms, bool as_dialer) {
    s->dial_due = true;
    s->dial_ms = at_ms;
    s->dial_as = as_dialer;
}

static void punch(hf_dcutr *d, uint64_t now_ms, session *s) {
    end_stream(d, now_ms, s, true);
    if (!hf_swarm_peer_speaks(d->swarm, &s->peer, HF_TEXT(HF_DCUTR_PROTOCOL))) {
        give_up(d, s, "dcutr: the peer does not take part");
        return;
    }
    if (s->n_tries++ >= TRIES_MAX) {
        if (!s->pause_ms) give_up(d, s, "dcutr: no direct connection after three tries");
        rest(d, now_ms, s);
        return;
    }
    hf_err err = hf_swarm_stream_open_on(d->swarm, now_ms, s->conn, HF_TEXT(HF_DCUTR_PROTOCOL), d->tag, &s->stream);
    if (!err) err = say(d, now_ms, s, HF_DCUTR_CONNECT);
    if (err) end_stream(d, now_ms, s, true);
    s->sent_ms = now_ms;
    enter(d, s, CONNECTING, now_ms + TRY_MS);
}

/* We were called: identify has told who it is. */
static void start(hf_dcutr *d, uint64_t now_ms, session *s, const hf_identify *identify) {
    s->started = true;
    take_addrs(d, s, identify->addresses, identify->n_addresses);
    if (s->n_addrs) {
        dial(s, now_ms, true);
        enter(d, s, UNILATERAL, now_ms + TRY_MS);
        return;
    }
    punch(d, now_ms, s);
}

static void upgrade(hf_dcutr *d, uint64_t now_ms, session *s) {
    if (s->state == GRACE) return;
    s->done_due = true;
    s->dial_due = false;
    end_stream(d, now_ms, s, false);
    enter(d, s, GRACE, now_ms + GRACE_MS);
}

/* ---- messages ---- */

static void take_message(hf_dcutr *d, uint64_t now_ms, session *s, const hf_dcutr_message *m) {
    if (s->state == CONNECTING && m->type == HF_DCUTR_CONNECT) {
        uint64_t rtt = now_ms - s->sent_ms;
        take_addrs(d, s, m->addrs, m->n_addrs);
        if (say(d, now_ms, s, HF_DCUTR_SYNC)) return; /* the deadline tries again */
        end_stream(d, now_ms, s, false);
        if (s->n_addrs) dial(s, now_ms + rtt / 2, false); /* else only the other side can */
        enter(d, s, DIALLING, now_ms + rtt / 2 + TRY_MS);
    } else if (s->state == ASKED && m->type == HF_DCUTR_CONNECT) {
        take_addrs(d, s, m->addrs, m->n_addrs);
        if (!say(d, now_ms, s, HF_DCUTR_CONNECT)) s->state = ANSWERED;
    } else if (s->state == ANSWERED && m->type == HF_DCUTR_SYNC) {
        if (s->n_addrs) dial(s, now_ms, true);
        end_stream(d, now_ms, s, false);
        enter(d, s, RESTING, UINT64_MAX); /* the other side counts the tries */
    } else end_stream(d, now_ms, s, true);
}

static void stream_data(hf_dcutr *d, uint64_t now_ms, session *s, hf_bytes bytes) {
    hf_err err = HF_OK;
    hf_buf_add(&s->in, bytes);
    while (!err && s->stream) {
        hf_dcutr_message m;
        hf_bytes message;
        size_t len;
        err = s->in.err ? s->in.err : hf_frame_read(hf_buf_bytes(&s->in), HF_DCUTR_MESSAGE_MAX, &message, &len);
        if (!err) err = hf_dcutr_message_read(message, &m);
        if (err) break;
        take_message(d, now_ms, s, &m);
        if (s->stream) hf_buf_consume(&s->in, len);
    }
    if (err && err != HF_TRUNCATED) end_stream(d, now_ms, s, true);
}

/* Only the peer that we called may ask us, and only over the connection that it was called by. */
static void stream_in(hf_dcutr *d, uint64_t now_ms, const hf_swarm_out *e) {
    session *s = *session_at(d, e->conn);
    if (s && now_ms - s->asked_ms >= PAUSE_MS) s->asked_ms = now_ms, s->n_asked = 0;
    if (!s || s->inbound || s->stream || s->state == GRACE || s->n_asked++ >= ASKED_MAX) {
        hf_swarm_stream_reset(d->swarm, now_ms, e->stream);
        return;
    }
    s->stream = e->stream;
    enter(d, s, ASKED, now_ms + TRY_MS);
}

static void stream_event(hf_dcutr *d, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) {
        stream_in(d, now_ms, e);
        return;
    }
    session *s = *session_at(d, e->conn);
    if (!s || s->stream != e->stream) return;
    if (e->kind == HF_SWARM_STREAM_DATA) stream_data(d, now_ms, s, e->bytes);
    if (e->kind != HF_SWARM_STREAM_GONE) return;
    s->stream = 0;
    hf_buf_deinit(&s->in);
    if (s->state == ASKED || s->state == ANSWERED) enter(d, s, RESTING, UINT64_MAX);
}

/* ---- connections ---- */

static void relayed_up(hf_dcutr *d, uint64_t now_ms, const hf_swarm_out *e) {
    uint64_t direct;
    session *s = d->n_sessions < SESSIONS_MAX ? hf_alloc(d->mem, sizeof *s) : NULL;
    if (!s) return; /* it stays relayed */
    s->conn = e->conn;
    s->peer = e->peer;
    s->inbound = e->inbound;
    s->deadline_ms = UINT64_MAX;
    hf_buf_init(&s->in, d->mem);
    s->next = d->sessions;
    d->sessions = s;
    d->n_sessions++;
    if (!hf_swarm_direct(d->swarm, &e->peer, &direct)) enter(d, s, GRACE, now_ms + GRACE_MS);
}

static void direct_up(hf_dcutr *d, uint64_t now_ms, const hf_peer_id *peer) {
    for (session *s = d->sessions; s; s = s->next)
        if (hf_peer_id_eq(&s->peer, peer)) upgrade(d, now_ms, s);
}

static void conn_down(hf_dcutr *d, const hf_swarm_out *e) {
    uint64_t direct;
    session **at = session_at(d, e->conn);
    if (*at) free_session(d, at);
    if (e->relayed || !hf_swarm_direct(d->swarm, &e->peer, &direct)) return;
    for (session *s = d->sessions; s; s = s->next) /* the relayed one is needed after all */
        if (s->state == GRACE && hf_peer_id_eq(&s->peer, &e->peer)) enter(d, s, RESTING, UINT64_MAX);
}

static void identified(hf_dcutr *d, uint64_t now_ms, const hf_swarm_out *e) {
    if (!e->relayed) {
        note_seen(d, e->identify->observed);
        return;
    }
    session *s = *session_at(d, e->conn);
    if (s && s->inbound && !s->started && s->state == RESTING) start(d, now_ms, s, e->identify);
}

void hf_dcutr_event(hf_dcutr *d, uint64_t now_ms, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_CONN_UP:
        if (e->relayed) relayed_up(d, now_ms, e);
        else direct_up(d, now_ms, &e->peer);
        break;
    case HF_SWARM_IDENTIFIED: identified(d, now_ms, e); break;
    case HF_SWARM_CONN_DOWN: conn_down(d, e); break;
    case HF_SWARM_SEND:
    case HF_SWARM_CONN_CLOSE: break;
    default:
        if (e->tag == d->tag) stream_event(d, now_ms, e);
    }
}

/* ---- what comes out ---- */

static void show_dial(hf_dcutr *d, session *s, hf_dcutr_out *out) {
    for (size_t i = 0; i < s->n_addrs; i++) d->views[i] = HF_BYTES(s->addrs[i], s->lens[i]);
    out->kind = HF_DCUTR_DIAL;
    out->addrs = d->views;
    out->n_addrs = s->n_addrs;
    out->at_ms = s->dial_ms;
    out->dialer = s->dial_as;
}

hf_dcutr_kind hf_dcutr_next(hf_dcutr *d, hf_dcutr_out *ret_out) {
    *ret_out = (hf_dcutr_out){.kind = HF_DCUTR_NONE};
    for (session *s = d->sessions; s && !ret_out->kind; s = s->next) {
        bool *due = s->dial_due ? &s->dial_due : s->done_due ? &s->done_due : &s->failed_due;
        if (!*due) continue;
        *due = false;
        ret_out->peer = s->peer;
        if (due == &s->dial_due) show_dial(d, s, ret_out);
        else ret_out->kind = due == &s->done_due ? HF_DCUTR_UPGRADED : HF_DCUTR_FAILED;
        if (ret_out->kind == HF_DCUTR_FAILED) ret_out->reason = s->reason;
    }
    return ret_out->kind;
}

/* ---- time ---- */

static void late(hf_dcutr *d, uint64_t now_ms, session *s) {
    s->deadline_ms = UINT64_MAX;
    switch (s->state) {
    case UNILATERAL:
    case CONNECTING:
    case DIALLING: punch(d, now_ms, s); break;
    case ASKED:
    case ANSWERED:
        end_stream(d, now_ms, s, true);
        enter(d, s, RESTING, UINT64_MAX);
        break;
    case GRACE: hf_swarm_conn_close(d->swarm, now_ms, s->conn, "a direct connection took its place"); break;
    case RESTING: if (s->started) punch(d, now_ms, s);
    }
}

uint64_t hf_dcutr_deadline(const hf_dcutr *d) { return d->due_ms; }

void hf_dcutr_tick(hf_dcutr *d, uint64_t now_ms) {
    if (now_ms < d->due_ms) return;
    d->due_ms = UINT64_MAX;
    for (session *s = d->sessions; s; s = s->next) {
        if (s->deadline_ms <= now_ms) late(d, now_ms, s);
        if (s->deadline_ms < d->due_ms) d->due_ms = s->deadline_ms;
    }
}

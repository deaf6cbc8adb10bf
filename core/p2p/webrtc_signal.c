/* webrtc_signal: see webrtc_signal.h. One session a stream. */
#include "webrtc_signal.h"

#include "frame.h"

#include <string.h>

enum {
    SESSIONS_MAX = 16,
    SESSIONS_OF_PEER_MAX = 2,
    HEARD_MAX = 128,
    SESSION_MS = 30000,
};

typedef struct session {
    struct session *next;
    uint32_t number;
    uint64_t stream; /* 0: gone */
    hf_peer_id peer;
    bool caller;
    bool said, heard, finished; /* said, heard: our and the peer's description; finished: the peer says no more */
    bool ended;                 /* the connection stands; only the stream's end is waited for, and nothing is told */
    unsigned n_heard;
    uint64_t deadline_ms;
    hf_buf in;
} session;

typedef struct news {
    struct news *next;
    hf_webrtc_signal_kind kind;
    uint32_t session;
    hf_peer_id peer;
    hf_webrtc_signal_type type;
    const char *reason;
    size_t len;
    uint8_t data[];
} news;

struct hf_webrtc_signal {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag, last_number;
    session *sessions;
    size_t n_sessions;
    uint64_t due_ms;
    news *first, **last, *shown; /* shown: what the last `next` gave out */
};

/* ---- life ---- */

hf_webrtc_signal *hf_webrtc_signal_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag) {
    hf_webrtc_signal *w = hf_alloc(mem, sizeof *w);
    if (!w) return NULL;
    *w = (hf_webrtc_signal){.mem = mem, .swarm = swarm, .tag = tag, .due_ms = UINT64_MAX};
    w->last = &w->first;
    hf_err err = hf_swarm_allow_limited(swarm, HF_TEXT(HF_WEBRTC_SIGNAL_PROTOCOL));
    if (!err) err = hf_swarm_protocol(swarm, HF_TEXT(HF_WEBRTC_SIGNAL_PROTOCOL), tag);
    if (!err) return w;
    hf_release(mem, w, sizeof *w);
    return NULL;
}

static void news_free(hf_webrtc_signal *w, news *n) {
    if (n) hf_release(w->mem, n, sizeof *n + n->len);
}

static void session_free(hf_webrtc_signal *w, session *gone) {
    session **at = &w->sessions;
    while (*at != gone) at = &(*at)->next;
    *at = gone->next;
    w->n_sessions--;
    hf_buf_deinit(&gone->in);
    hf_release(w->mem, gone, sizeof *gone);
}

void hf_webrtc_signal_free(hf_webrtc_signal *w) {
    if (!w) return;
    while (w->sessions) session_free(w, w->sessions);
    while (w->first) {
        news *n = w->first;
        w->first = n->next;
        news_free(w, n);
    }
    news_free(w, w->shown);
    hf_release(w->mem, w, sizeof *w);
}

static session *find(const hf_webrtc_signal *w, uint32_t number) {
    session *s = w->sessions;
    while (s && s->number != number) s = s->next;
    return s;
}

static session *find_stream(const hf_webrtc_signal *w, uint64_t stream) {
    session *s = w->sessions;
    while (s && s->stream != stream) s = s->next;
    return s;
}

/* NULL: no memory, or too many. */
static session *session_new(hf_webrtc_signal *w, uint64_t now_ms, const hf_peer_id *peer, bool caller) {
    session *s = w->n_sessions < SESSIONS_MAX ? hf_alloc(w->mem, sizeof *s) : NULL;
    if (!s) return NULL;
    *s = (session){.next = w->sessions, .number = ++w->last_number, .peer = *peer, .caller = caller, .deadline_ms = now_ms + SESSION_MS};
    hf_buf_init(&s->in, w->mem);
    w->sessions = s;
    w->n_sessions++;
    if (s->deadline_ms < w->due_ms) w->due_ms = s->deadline_ms;
    return s;
}

/* ---- news ---- */

static hf_err report(hf_webrtc_signal *w, const session *s, hf_webrtc_signal_kind kind, const hf_webrtc_signal_message *m, const char *reason) {
    size_t len = m ? m->data.len : 0;
    news *n = hf_alloc(w->mem, sizeof *n + len);
    if (!n) return HF_NOMEM;
    *n = (news){.kind = kind, .session = s->number, .peer = s->peer, .reason = reason, .len = len};
    if (m) n->type = m->type;
    if (len) memcpy(n->data, m->data.ptr, len);
    *w->last = n;
    w->last = &n->next;
    return HF_OK;
}

/* Without memory to tell, the shell's own time runs out. */
static void fail(hf_webrtc_signal *w, uint64_t now_ms, session *s, const char *reason) {
    if (s->stream) hf_swarm_stream_reset(w->swarm, now_ms, s->stream);
    if (!s->ended) (void)!report(w, s, HF_WEBRTC_SIGNAL_ENDED, NULL, reason);
    session_free(w, s);
}

hf_webrtc_signal_kind hf_webrtc_signal_next(hf_webrtc_signal *w, hf_webrtc_signal_out *ret_out) {
    news *n = w->first;
    news_free(w, w->shown);
    w->shown = n;
    *ret_out = (hf_webrtc_signal_out){.kind = HF_WEBRTC_SIGNAL_NONE};
    if (!n) return HF_WEBRTC_SIGNAL_NONE;
    w->first = n->next;
    if (!w->first) w->last = &w->first;
    *ret_out = (hf_webrtc_signal_out){n->kind, n->session, n->peer, n->type, HF_BYTES(n->data, n->len), n->reason};
    return n->kind;
}

/* ---- what we say ---- */

hf_err hf_webrtc_signal_call(hf_webrtc_signal *w, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer, uint32_t *ret_session) {
    uint64_t stream = 0;
    hf_err err = w->n_sessions < SESSIONS_MAX ? HF_OK : HF_LIMIT;
    if (!err) err = hf_swarm_stream_open_on(w->swarm, now_ms, conn, HF_TEXT(HF_WEBRTC_SIGNAL_PROTOCOL), w->tag, &stream);
    if (err) return err;
    session *s = session_new(w, now_ms, peer, true);
    if (!s) {
        hf_swarm_stream_reset(w->swarm, now_ms, stream);
        return HF_NOMEM;
    }
    s->stream = stream;
    *ret_session = s->number;
    return HF_OK;
}

static bool is_turn(const session *s, hf_webrtc_signal_type type) {
    if (type == HF_WEBRTC_CANDIDATE) return s->said;
    return !s->said && (s->caller ? type == HF_WEBRTC_OFFER : type == HF_WEBRTC_ANSWER && s->heard);
}

hf_err hf_webrtc_signal_say(hf_webrtc_signal *w, uint64_t now_ms, uint32_t session_number, hf_webrtc_signal_type type, hf_bytes data) {
    session *s = find(w, session_number);
    hf_webrtc_signal_message m = {type, data};
    hf_buf out;
    if (!s || !s->stream || s->ended) return HF_NOT_FOUND;
    if (!is_turn(s, type)) return HF_STATE;
    hf_buf_init(&out, w->mem);
    hf_webrtc_signal_message_add(&out, &m);
    hf_err err = out.len > HF_WEBRTC_SIGNAL_MESSAGE_MAX ? HF_LIMIT : HF_OK;
    hf_frame_close(&out, 0);
    if (!err) err = out.err;
    if (!err) err = hf_swarm_stream_write(w->swarm, now_ms, s->stream, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    if (!err) s->said = true;
    return err;
}

hf_err hf_webrtc_signal_with(const hf_webrtc_signal *w, uint32_t session_number, hf_peer_id *ret_peer, bool *ret_caller) {
    const session *s = find(w, session_number);
    if (!s || s->ended) return HF_NOT_FOUND;
    if (!s->said || !s->heard) return HF_STATE;
    *ret_peer = s->peer;
    *ret_caller = s->caller;
    return HF_OK;
}

void hf_webrtc_signal_end(hf_webrtc_signal *w, uint64_t now_ms, uint32_t session_number, bool connected) {
    session *s = find(w, session_number);
    if (!s || s->ended) return;
    s->ended = true;
    if (s->stream && connected) hf_swarm_stream_finish(w->swarm, now_ms, s->stream);
    else if (s->stream) hf_swarm_stream_reset(w->swarm, now_ms, s->stream);
    if (!connected || !s->stream) session_free(w, s);
}

/* ---- what the peer says ---- */

/* The description first, candidates after it. */
static bool take_message(hf_webrtc_signal *w, uint64_t now_ms, session *s, const hf_webrtc_signal_message *m) {
    hf_webrtc_signal_type description = s->caller ? HF_WEBRTC_ANSWER : HF_WEBRTC_OFFER;
    const char *wrong = NULL;
    if (++s->n_heard > HEARD_MAX) wrong = "webrtc signalling: too many messages";
    else if (m->type != (s->heard ? HF_WEBRTC_CANDIDATE : description)) wrong = "webrtc signalling: not the message that is due";
    else if (s->caller && !s->said) wrong = "webrtc signalling: an answer before the offer";
    s->heard = true;
    if (!wrong && report(w, s, HF_WEBRTC_SIGNAL_HEARD, m, NULL)) wrong = "out of memory";
    if (wrong) fail(w, now_ms, s, wrong);
    return !wrong;
}

static void stream_data(hf_webrtc_signal *w, uint64_t now_ms, session *s, hf_bytes bytes) {
    hf_buf_add(&s->in, bytes);
    if (s->in.err) return fail(w, now_ms, s, "out of memory");
    size_t at = 0, len = 0;
    hf_webrtc_signal_message m;
    hf_bytes framed;
    hf_err err;
    while (!(err = hf_frame_read(hf_sub(hf_buf_bytes(&s->in), at, s->in.len), HF_WEBRTC_SIGNAL_MESSAGE_MAX, &framed, &len))) {
        err = hf_webrtc_signal_message_read(framed, &m);
        if (err) break;
        if (!take_message(w, now_ms, s, &m)) return; /* the session is gone */
        at += len;
    }
    if (err != HF_TRUNCATED) return fail(w, now_ms, s, "webrtc signalling: not a message");
    hf_buf_consume(&s->in, at);
}

static void stream_in(hf_webrtc_signal *w, uint64_t now_ms, const hf_swarm_out *e) {
    size_t n = 0;
    for (const session *i = w->sessions; i; i = i->next) n += !i->caller && hf_peer_id_eq(&i->peer, &e->peer);
    session *s = n < SESSIONS_OF_PEER_MAX ? session_new(w, now_ms, &e->peer, false) : NULL;
    if (s) s->stream = e->stream;
    else hf_swarm_stream_reset(w->swarm, now_ms, e->stream);
}

/* The stream may end before the connection stands: all that is needed may have been said. */
static void stream_gone(hf_webrtc_signal *w, uint64_t now_ms, session *s, const hf_swarm_out *e) {
    s->stream = 0;
    if (s->ended) session_free(w, s);
    else if (!s->said || !s->heard || !s->finished) fail(w, now_ms, s, e->reason ? e->reason : "webrtc signalling: its stream is gone");
}

void hf_webrtc_signal_event(hf_webrtc_signal *w, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) return stream_in(w, now_ms, e);
    session *s = find_stream(w, e->stream);
    if (!s) return;
    if (e->kind == HF_SWARM_STREAM_OPEN && report(w, s, HF_WEBRTC_SIGNAL_CALL, NULL, NULL)) fail(w, now_ms, s, "out of memory");
    if (e->kind == HF_SWARM_STREAM_DATA && !s->ended) stream_data(w, now_ms, s, e->bytes);
    if (e->kind == HF_SWARM_STREAM_GONE) stream_gone(w, now_ms, s, e);
    if (e->kind != HF_SWARM_STREAM_FIN) return;
    s->finished = true;
    if (!s->heard && !s->ended) fail(w, now_ms, s, "webrtc signalling: the peer had nothing to say");
}

/* ---- time ---- */

uint64_t hf_webrtc_signal_deadline(const hf_webrtc_signal *w) { return w->due_ms; }

void hf_webrtc_signal_tick(hf_webrtc_signal *w, uint64_t now_ms) {
    session *following;
    if (now_ms < w->due_ms) return;
    w->due_ms = UINT64_MAX;
    for (session *s = w->sessions; s; s = following) {
        following = s->next;
        if (s->deadline_ms <= now_ms) fail(w, now_ms, s, "webrtc signalling: took too long");
        else if (s->deadline_ms < w->due_ms) w->due_ms = s->deadline_ms;
    }
}

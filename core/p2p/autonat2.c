/* autonat2: see autonat2.h. The face, and the streams. */
#include "autonat2_private.h"

#include "frame.h"

enum { DATA_BYTES = 40000 };

hf_autonat2 *hf_autonat2_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_autonat2_config *config) {
    hf_autonat2 *a = hf_alloc(mem, sizeof *a);
    if (!a) return NULL;
    a->mem = mem;
    a->swarm = swarm;
    a->tag = tag;
    a->config = *config;
    if (!a->config.confidence) a->config.confidence = 4;
    if (!a->config.data_bytes) a->config.data_bytes = DATA_BYTES;
    a->due_ms = a->ask_ms = UINT64_MAX;
    hf_err err = config->serve ? hf_swarm_protocol(swarm, HF_TEXT(HF_AUTONAT2_PROTOCOL), tag) : HF_OK;
    if (!err) err = hf_swarm_protocol(swarm, HF_TEXT(HF_AUTONAT2_BACK_PROTOCOL), tag + 1);
    if (!err) return a;
    hf_release(mem, a, sizeof *a);
    return NULL;
}

static void free_stream(hf_autonat2 *a, hf_autonat2_stream **at) {
    hf_autonat2_stream *s = *at;
    *at = s->next;
    a->n_streams--;
    hf_buf_deinit(&s->in);
    hf_release(a->mem, s, sizeof *s);
}

void hf_autonat2_free(hf_autonat2 *a) {
    if (!a) return;
    while (a->streams) free_stream(a, &a->streams);
    hf_release(a->mem, a, sizeof *a);
}

void hf_autonat2_due(hf_autonat2 *a, uint64_t at_ms) {
    if (at_ms < a->due_ms) a->due_ms = at_ms;
}

void hf_autonat2_set_deadline(hf_autonat2 *a, hf_autonat2_stream *s, uint64_t at_ms) {
    s->deadline_ms = at_ms;
    hf_autonat2_due(a, at_ms);
}

/* ---- streams ---- */

hf_autonat2_stream *hf_autonat2_stream_new(hf_autonat2 *a, uint64_t id, uint64_t conn, const hf_peer_id *peer, hf_autonat2_role role, uint64_t deadline_ms) {
    hf_autonat2_stream *s = a->n_streams < HF_AUTONAT2_STREAMS_MAX ? hf_alloc(a->mem, sizeof *s) : NULL;
    if (!s) return NULL;
    s->id = id;
    s->conn = conn;
    s->peer = *peer;
    s->role = role;
    hf_buf_init(&s->in, a->mem);
    s->next = a->streams;
    a->streams = s;
    a->n_streams++;
    hf_autonat2_set_deadline(a, s, deadline_ms);
    return s;
}

static hf_autonat2_stream **find(hf_autonat2 *a, uint64_t id) {
    hf_autonat2_stream **at = &a->streams;
    while (*at && (*at)->id != id && !((*at)->back_stream && (*at)->back_stream == id)) at = &(*at)->next;
    return at;
}

void hf_autonat2_end(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) {
    s->role = HF_AUTONAT2_OVER;
    s->dial_due = false;
    hf_buf_deinit(&s->in);
    hf_autonat2_set_deadline(a, s, now_ms + HF_AUTONAT2_LINGER_MS);
    hf_swarm_stream_finish(a->swarm, now_ms, s->id);
}

void hf_autonat2_say(hf_autonat2 *a, uint64_t now_ms, uint64_t stream, const hf_autonat2_message *message) {
    hf_buf out;
    hf_buf_init(&out, a->mem);
    hf_autonat2_message_add(&out, message);
    hf_frame_close(&out, 0);
    hf_err err = out.err;
    if (!err) err = hf_swarm_stream_write(a->swarm, now_ms, stream, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    if (err) hf_swarm_stream_reset(a->swarm, now_ms, stream);
}

/* Where a relayed peer is, nobody sees, and what comes over a relay was not dialled. */
static void stream_in(hf_autonat2 *a, uint64_t now_ms, const hf_swarm_out *e) {
    hf_autonat2_role role = e->tag == a->tag ? HF_AUTONAT2_ASKED : HF_AUTONAT2_CALLED;
    if (e->relayed || !hf_autonat2_stream_new(a, e->stream, e->conn, &e->peer, role, now_ms + HF_AUTONAT2_MESSAGE_MS))
        hf_swarm_stream_reset(a->swarm, now_ms, e->stream);
}

/* A whole message is there. False: it is not what may come now. */
static bool take_message(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, hf_bytes message) {
    hf_autonat2_message m;
    uint64_t nonce;
    bool taken;
    if (s->role == HF_AUTONAT2_GIVING) {
        hf_autonat2_taken(a, now_ms, s, !hf_autonat2_taken_read(message, &taken) && taken);
        return true;
    }
    if (s->role == HF_AUTONAT2_CALLED) {
        if (hf_autonat2_back_read(message, &nonce)) return false;
        hf_autonat2_number_came(a, now_ms, s, nonce);
        return true;
    }
    if (hf_autonat2_message_read(message, &m)) return false;
    if (s->role == HF_AUTONAT2_ASKED && m.type == HF_AUTONAT2_DIAL_REQUEST) hf_autonat2_asked(a, now_ms, s, &m);
    else if (s->role == HF_AUTONAT2_PAYING && m.type == HF_AUTONAT2_DATA_RESPONSE) hf_autonat2_paid(a, now_ms, s, &m);
    else if (s->role == HF_AUTONAT2_ASKING) hf_autonat2_answered(a, now_ms, s, &m);
    else return false;
    return true;
}

static bool listens(const hf_autonat2_stream *s, uint64_t stream) {
    if (s->role == HF_AUTONAT2_GIVING) return stream == s->back_stream;
    return stream == s->id && (s->role == HF_AUTONAT2_ASKED || s->role == HF_AUTONAT2_PAYING || s->role == HF_AUTONAT2_ASKING || s->role == HF_AUTONAT2_CALLED);
}

/* What comes when nothing is expected is passed over. */
static void stream_data(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, uint64_t stream, hf_bytes bytes) {
    hf_bytes message;
    size_t len;
    if (!listens(s, stream)) return;
    hf_buf_add(&s->in, bytes);
    for (hf_err err = s->in.err; listens(s, stream);) {
        if (!err) err = hf_frame_read(hf_buf_bytes(&s->in), HF_AUTONAT2_MESSAGE_MAX, &message, &len);
        if (err == HF_TRUNCATED) return;
        if (err || !take_message(a, now_ms, s, message)) {
            hf_swarm_stream_reset(a->swarm, now_ms, stream); /* its GONE ends it */
            return;
        }
        if (s->role != HF_AUTONAT2_OVER) hf_buf_consume(&s->in, len);
    }
}

static void stream_gone(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream **at, uint64_t stream) {
    hf_autonat2_stream *s = *at;
    if (stream == s->back_stream) {
        s->back_stream = 0;
        if (s->role == HF_AUTONAT2_GIVING) hf_autonat2_taken(a, now_ms, s, false);
        return;
    }
    if (s->role == HF_AUTONAT2_ASKING) hf_autonat2_unanswered(a, now_ms, s);
    if (s->back_conn) hf_swarm_conn_close(a->swarm, now_ms, s->back_conn, "autonat: nobody asks any more");
    free_stream(a, at);
}

static void stream_event(hf_autonat2 *a, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) {
        stream_in(a, now_ms, e);
        return;
    }
    hf_autonat2_stream **at = find(a, e->stream);
    if (!*at) return;
    if (e->kind == HF_SWARM_STREAM_DATA) stream_data(a, now_ms, *at, e->stream, e->bytes);
    if (e->kind == HF_SWARM_STREAM_GONE) stream_gone(a, now_ms, at, e->stream);
}

void hf_autonat2_event(hf_autonat2 *a, uint64_t now_ms, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_IDENTIFIED: hf_autonat2_identified(a, now_ms, e); break;
    case HF_SWARM_CONN_UP:
    case HF_SWARM_CONN_DOWN:
    case HF_SWARM_SEND:
    case HF_SWARM_CONN_CLOSE: break;
    default:
        if (e->tag == a->tag || e->tag == a->tag + 1) stream_event(a, now_ms, e);
    }
}

/* ---- what comes out, and time ---- */

hf_autonat2_kind hf_autonat2_next(hf_autonat2 *a, hf_autonat2_out *ret_out) {
    *ret_out = (hf_autonat2_out){.kind = HF_AUTONAT2_NONE};
    if (hf_autonat2_client_news(a, ret_out)) return ret_out->kind;
    for (hf_autonat2_stream *s = a->streams; s; s = s->next) {
        if (!s->dial_due) continue;
        s->dial_due = false;
        ret_out->dial = s->id;
        ret_out->peer = s->peer;
        ret_out->addr = HF_BYTES(s->addr.bytes, s->addr.len);
        return ret_out->kind = HF_AUTONAT2_DIAL_BACK;
    }
    return HF_AUTONAT2_NONE;
}

uint64_t hf_autonat2_deadline(const hf_autonat2 *a) { return a->due_ms; }

static void late(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) {
    if (s->role == HF_AUTONAT2_WAITING || s->role == HF_AUTONAT2_DIALLING || s->role == HF_AUTONAT2_GIVING) {
        hf_autonat2_server_late(a, now_ms, s);
        return;
    }
    s->deadline_ms = UINT64_MAX;
    hf_swarm_stream_reset(a->swarm, now_ms, s->id); /* its GONE ends it */
}

void hf_autonat2_tick(hf_autonat2 *a, uint64_t now_ms) {
    if (now_ms < a->due_ms) return;
    a->due_ms = UINT64_MAX;
    for (hf_autonat2_stream *s = a->streams; s; s = s->next) {
        if (s->deadline_ms <= now_ms) late(a, now_ms, s);
        hf_autonat2_due(a, s->deadline_ms);
    }
    hf_autonat2_client_tick(a, now_ms);
}

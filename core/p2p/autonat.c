/* autonat: see autonat.h. The face, and the streams. */
#include "autonat_private.h"

#include "frame.h"

hf_autonat *hf_autonat_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_autonat_config *config) {
    hf_autonat *a = hf_alloc(mem, sizeof *a);
    if (!a) return NULL;
    a->mem = mem;
    a->swarm = swarm;
    a->tag = tag;
    a->config = *config;
    if (!a->config.confidence) a->config.confidence = 4;
    a->due_ms = a->ask_ms = UINT64_MAX;
    if (!config->serve || !hf_swarm_protocol(swarm, HF_TEXT(HF_AUTONAT_PROTOCOL), tag)) return a;
    hf_release(mem, a, sizeof *a);
    return NULL;
}

static void free_stream(hf_autonat *a, hf_autonat_stream **at) {
    hf_autonat_stream *s = *at;
    *at = s->next;
    a->n_streams--;
    hf_buf_deinit(&s->in);
    hf_release(a->mem, s, sizeof *s);
}

void hf_autonat_free(hf_autonat *a) {
    if (!a) return;
    while (a->streams) free_stream(a, &a->streams);
    hf_release(a->mem, a, sizeof *a);
}

void hf_autonat_due(hf_autonat *a, uint64_t at_ms) {
    if (at_ms < a->due_ms) a->due_ms = at_ms;
}

/* ---- streams ---- */

hf_autonat_stream *hf_autonat_stream_new(hf_autonat *a, uint64_t id, uint64_t conn, const hf_peer_id *peer,
                                         uint64_t deadline_ms) {
    hf_autonat_stream *s = a->n_streams < HF_AUTONAT_STREAMS_MAX ? hf_alloc(a->mem, sizeof *s) : NULL;
    if (!s) return NULL;
    s->id = id;
    s->conn = conn;
    s->peer = *peer;
    s->deadline_ms = deadline_ms;
    hf_buf_init(&s->in, a->mem);
    s->next = a->streams;
    a->streams = s;
    a->n_streams++;
    hf_autonat_due(a, deadline_ms);
    return s;
}

static hf_autonat_stream **find(hf_autonat *a, uint64_t id) {
    hf_autonat_stream **at = &a->streams;
    while (*at && (*at)->id != id) at = &(*at)->next;
    return at;
}

void hf_autonat_end(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s) {
    s->state = HF_AUTONAT_OVER;
    s->dial_due = false;
    hf_buf_deinit(&s->in);
    s->deadline_ms = now_ms + HF_AUTONAT_LINGER_MS;
    hf_autonat_due(a, s->deadline_ms);
    hf_swarm_stream_finish(a->swarm, now_ms, s->id);
}

void hf_autonat_say(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *message) {
    hf_buf out;
    hf_buf_init(&out, a->mem);
    hf_autonat_message_add(&out, message);
    hf_frame_close(&out, 0);
    hf_err err = out.err;
    if (!err) err = hf_swarm_stream_write(a->swarm, now_ms, s->id, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    if (err) hf_swarm_stream_reset(a->swarm, now_ms, s->id); /* its GONE ends it */
}

static void stream_in(hf_autonat *a, uint64_t now_ms, const hf_swarm_out *e) {
    hf_autonat_stream *s = NULL;
    if (!e->relayed) s = hf_autonat_stream_new(a, e->stream, e->conn, &e->peer, now_ms + HF_AUTONAT_MESSAGE_MS);
    if (s) s->state = HF_AUTONAT_ASKED;
    else hf_swarm_stream_reset(a->swarm, now_ms, e->stream); /* where a relayed peer is, nobody sees */
}

static void stream_data(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, hf_bytes bytes) {
    hf_autonat_message m;
    hf_bytes message;
    size_t len;
    if (s->state != HF_AUTONAT_ASKED && s->state != HF_AUTONAT_ASKING) return;
    hf_buf_add(&s->in, bytes);
    hf_err err = s->in.err;
    if (!err) err = hf_frame_read(hf_buf_bytes(&s->in), HF_AUTONAT_MESSAGE_MAX, &message, &len);
    if (err == HF_TRUNCATED) return;
    if (!err) err = hf_autonat_message_read(message, &m);
    if (!err && m.response != (s->state == HF_AUTONAT_ASKING)) err = HF_MALFORMED;
    if (err && s->state == HF_AUTONAT_ASKING) hf_swarm_stream_reset(a->swarm, now_ms, s->id);
    else if (err) hf_autonat_refuse(a, now_ms, s, HF_AUTONAT_BAD_REQUEST, "not a request");
    else if (m.response) hf_autonat_answered(a, now_ms, s, &m);
    else hf_autonat_asked(a, now_ms, s, &m);
}

static void stream_event(hf_autonat *a, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) {
        stream_in(a, now_ms, e);
        return;
    }
    hf_autonat_stream **at = find(a, e->stream);
    if (!*at) return;
    if (e->kind == HF_SWARM_STREAM_DATA) stream_data(a, now_ms, *at, e->bytes);
    if (e->kind != HF_SWARM_STREAM_GONE) return;
    if ((*at)->state == HF_AUTONAT_ASKING) hf_autonat_unanswered(a, now_ms, *at);
    free_stream(a, at);
}

void hf_autonat_event(hf_autonat *a, uint64_t now_ms, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_IDENTIFIED: hf_autonat_identified(a, now_ms, e); break;
    case HF_SWARM_CONN_UP:
    case HF_SWARM_CONN_DOWN:
    case HF_SWARM_SEND:
    case HF_SWARM_CONN_CLOSE: break;
    default:
        if (e->tag == a->tag) stream_event(a, now_ms, e);
    }
}

hf_autonat_kind hf_autonat_next(hf_autonat *a, hf_autonat_out *ret_out) {
    *ret_out = (hf_autonat_out){.kind = HF_AUTONAT_NONE};
    if (hf_autonat_client_news(a, ret_out)) return ret_out->kind;
    for (hf_autonat_stream *s = a->streams; s; s = s->next) {
        if (!s->dial_due) continue;
        s->dial_due = false;
        ret_out->dial = s->id;
        ret_out->peer = s->peer;
        ret_out->addrs = s->addrs;
        ret_out->n_addrs = s->n_addrs;
        return ret_out->kind = HF_AUTONAT_DIAL_BACK;
    }
    return HF_AUTONAT_NONE;
}

uint64_t hf_autonat_deadline(const hf_autonat *a) { return a->due_ms; }

void hf_autonat_tick(hf_autonat *a, uint64_t now_ms) {
    if (now_ms < a->due_ms) return;
    a->due_ms = UINT64_MAX;
    for (hf_autonat_stream *s = a->streams; s; s = s->next) {
        if (s->deadline_ms <= now_ms && s->state == HF_AUTONAT_DIALLING)
            hf_autonat_refuse(a, now_ms, s, HF_AUTONAT_DIAL_ERROR, "no connection in time");
        else if (s->deadline_ms <= now_ms) {
            s->deadline_ms = UINT64_MAX;
            hf_swarm_stream_reset(a->swarm, now_ms, s->id);
        }
        hf_autonat_due(a, s->deadline_ms);
    }
    hf_autonat_client_tick(a, now_ms);
}

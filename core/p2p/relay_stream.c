/* relay_stream: one stream of the relay: messages off and onto it, bytes with back-pressure, its end. See relay_private.h. */
#include "relay_private.h"

#include "frame.h"

/* ---- life ---- */

hf_relay_stream *hf_relay_stream_new(hf_relay *r, uint64_t id, uint64_t carrier, const hf_peer_id *peer,
                                     hf_relay_role role) {
    hf_relay_stream *s = hf_alloc(r->mem, sizeof *s);
    if (!s) return NULL;
    s->id = id;
    s->carrier = carrier;
    s->peer = *peer;
    s->role = role;
    s->deadline_ms = UINT64_MAX;
    hf_buf_init(&s->in, r->mem);
    hf_buf_init(&s->held, r->mem);
    if (hf_map_put(&r->streams, hf_relay_key(&s->id), s)) {
        hf_release(r->mem, s, sizeof *s);
        return NULL;
    }
    s->prev = r->last;
    if (r->last) r->last->next = s;
    else r->first = s;
    r->last = s;
    return s;
}

static void forget_held(hf_relay *r, hf_relay_stream *s) {
    r->n_held -= s->held.len;
    hf_buf_deinit(&s->held);
}

void hf_relay_stream_free(hf_relay *r, hf_relay_stream *s) {
    if (!s->gone) hf_map_remove(&r->streams, hf_relay_key(&s->id));
    if (r->cursor == s) r->cursor = s->next;
    if (s->prev) s->prev->next = s->next;
    else r->first = s->next;
    if (s->next) s->next->prev = s->prev;
    else r->last = s->prev;
    forget_held(r, s);
    hf_buf_deinit(&s->in);
    hf_release(r->mem, s, sizeof *s);
}

/* Out of the table; what is still to be told of it lives in the list of news. */
static void leave(hf_relay *r, hf_relay_stream *s) {
    if (s->gone) return;
    if (!s->told) {
        hf_relay_stream_free(r, s);
        return;
    }
    hf_map_remove(&r->streams, hf_relay_key(&s->id));
    s->gone = true;
    s->role = HF_RELAY_ANSWERED;
    s->deadline_ms = UINT64_MAX;
    forget_held(r, s);
}

void hf_relay_drop(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    hf_swarm_stream_reset(r->swarm, now_ms, s->id);
    leave(r, s);
}

void hf_relay_set_deadline(hf_relay *r, hf_relay_stream *s, uint64_t at_ms) {
    s->deadline_ms = at_ms;
    hf_relay_due(r, at_ms);
}

void hf_relay_tell(hf_relay *r, hf_relay_stream *s, hf_relay_kind news, uint32_t status, const char *reason) {
    s->news = news;
    s->status = status;
    s->reason = reason;
    if (s->told) return;
    s->told = true;
    s->next_news = NULL;
    if (r->news_last) r->news_last->next_news = s;
    else r->news_first = s;
    r->news_last = s;
}

/* ---- messages out ---- */

hf_err hf_relay_say(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool stop, const hf_relay_message *message) {
    hf_buf framed;
    hf_buf_init(&framed, r->mem);
    hf_relay_message_add(&framed, message, stop);
    hf_frame_close(&framed, 0);
    hf_err err = framed.err;
    if (!err) err = hf_swarm_stream_write(r->swarm, now_ms, s->id, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
    return err;
}

void hf_relay_answer(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool stop, hf_relay_status status) {
    hf_relay_message m = {.type = HF_RELAY_STATUS, .status = status};
    if (hf_relay_say(r, now_ms, s, stop, &m)) {
        hf_relay_drop(r, now_ms, s);
        return;
    }
    s->role = HF_RELAY_ANSWERED;
    hf_relay_finish(r, now_ms, s);
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_LINGER_MS);
}

hf_err hf_relay_stream_open(hf_relay *r, uint64_t now_ms, uint64_t carrier, const hf_peer_id *peer, bool stop,
                            const hf_relay_message *message, hf_relay_stream **ret) {
    uint64_t id;
    hf_bytes protocol = stop ? HF_TEXT(HF_RELAY_STOP_PROTOCOL) : HF_TEXT(HF_RELAY_HOP_PROTOCOL);
    hf_err err = hf_swarm_stream_open_on(r->swarm, now_ms, carrier, protocol, r->tag + stop, &id);
    if (err) return err;
    hf_relay_stream *s = hf_relay_stream_new(r, id, carrier, peer, HF_RELAY_ANSWERED);
    if (!s) {
        hf_swarm_stream_reset(r->swarm, now_ms, id);
        return HF_NOMEM;
    }
    err = hf_relay_say(r, now_ms, s, stop, message);
    if (err) hf_relay_drop(r, now_ms, s);
    else *ret = s;
    return err;
}

/* ---- bytes out ---- */

hf_err hf_relay_pass(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    hf_err err = s->held.len ? HF_LIMIT : HF_OK;
    while (bytes.len && !err) {
        hf_bytes part = hf_sub(bytes, 0, HF_RELAY_CHUNK);
        err = hf_swarm_stream_write(r->swarm, now_ms, s->id, part);
        if (!err) bytes = hf_sub(bytes, part.len, bytes.len);
    }
    if (!err || err != HF_LIMIT) return err;
    if (bytes.len > r->config.held_bytes_max - r->n_held) return HF_LIMIT;
    hf_buf_add(&s->held, bytes);
    if (s->held.err) return HF_NOMEM;
    r->n_held += bytes.len;
    s->watched = true;
    return HF_OK;
}

bool hf_relay_is_full(hf_relay *r, hf_relay_stream *s) {
    if (!s->watched && hf_swarm_stream_buffered(r->swarm, s->id) > HF_RELAY_HIGH_WATER)
        s->watched = hf_swarm_stream_when_drained(r->swarm, s->id);
    return s->watched;
}

void hf_relay_finish(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    s->finish = true;
    if (!s->held.len) hf_swarm_stream_finish(r->swarm, now_ms, s->id);
}

static void resume_source(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    if (s->role == HF_RELAY_CIRCUIT) hf_relay_circuit_rest(r, now_ms, s->other);
    if (s->role != HF_RELAY_CHANNEL || !s->paused) return;
    s->paused = false;
    hf_swarm_conn_busy(r->swarm, now_ms, s->conn, false);
}

void hf_relay_drained(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    size_t at = 0;
    hf_err err = HF_OK;
    s->watched = false;
    while (at < s->held.len && !err) {
        hf_bytes part = hf_sub(hf_buf_bytes(&s->held), at, HF_RELAY_CHUNK);
        err = hf_swarm_stream_write(r->swarm, now_ms, s->id, part);
        if (!err) at += part.len;
    }
    hf_buf_consume(&s->held, at);
    r->n_held -= at;
    if (err == HF_NOMEM) hf_swarm_stream_reset(r->swarm, now_ms, s->id); /* its GONE ends the rest */
    s->watched = err == HF_LIMIT;
    if (err) return;
    hf_buf_deinit(&s->held);
    if (s->finish) hf_swarm_stream_finish(r->swarm, now_ms, s->id);
    else if (!hf_relay_is_full(r, s)) resume_source(r, now_ms, s);
}

/* ---- what came in ---- */

static void refuse(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const char *reason) {
    switch (s->role) {
    case HF_RELAY_ASKED: hf_relay_answer(r, now_ms, s, false, HF_RELAY_MALFORMED); break;
    case HF_RELAY_CALLED: hf_relay_answer(r, now_ms, s, true, HF_RELAY_MALFORMED); break;
    case HF_RELAY_RESERVING:
        hf_relay_reserve_failed(r, now_ms, s, reason);
        hf_relay_drop(r, now_ms, s);
        break;
    case HF_RELAY_DIALLING:
        hf_relay_tell(r, s, HF_RELAY_FAILED, 0, reason);
        hf_relay_drop(r, now_ms, s);
        break;
    case HF_RELAY_WAITING:
    case HF_RELAY_STOPPING: hf_relay_circuit_end(r, now_ms, s, HF_RELAY_UNREACHED); break;
    default: hf_relay_drop(r, now_ms, s); break;
    }
}

static void take_message(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    switch (s->role) {
    case HF_RELAY_ASKED: hf_relay_asked(r, now_ms, s, m); break;
    case HF_RELAY_CALLED: hf_relay_called(r, now_ms, s, m); break;
    case HF_RELAY_RESERVING: hf_relay_reserve_answered(r, now_ms, s, m); break;
    case HF_RELAY_DIALLING: hf_relay_connect_answered(r, now_ms, s, m); break;
    case HF_RELAY_STOPPING: hf_relay_stop_answered(r, now_ms, s, m); break;
    default: break;
    }
}

/* The message that starts what came on this stream; what follows it is left in `in`. */
static void collect(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    bool stop = s->role == HF_RELAY_CALLED || s->role == HF_RELAY_STOPPING;
    hf_relay_message m;
    hf_bytes message;
    size_t len;
    hf_buf_add(&s->in, bytes);
    hf_err err = s->in.err;
    if (!err) err = hf_frame_read(hf_buf_bytes(&s->in), HF_RELAY_MESSAGE_MAX, &message, &len);
    if (err == HF_TRUNCATED) return;
    if (!err) err = hf_relay_message_read(message, stop, &m);
    if (err) {
        refuse(r, now_ms, s, "relay: not a message");
        return;
    }
    hf_buf whole = s->in; /* the message's views stay while the stream may go */
    hf_buf_init(&s->in, r->mem);
    hf_buf_add(&s->in, hf_sub(hf_buf_bytes(&whole), len, whole.len));
    if (s->in.err) refuse(r, now_ms, s, "out of memory");
    else take_message(r, now_ms, s, &m);
    hf_buf_deinit(&whole);
}

static void keep_early(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    if (s->in.len + bytes.len <= HF_RELAY_EARLY_MAX) hf_buf_add(&s->in, bytes);
    else s->in.err = HF_LIMIT;
    if (s->in.err) hf_relay_circuit_end(r, now_ms, s, HF_RELAY_UNEXPECTED);
}

void hf_relay_stream_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    switch (s->role) {
    case HF_RELAY_CHANNEL: hf_relay_channel_data(r, now_ms, s, bytes); break;
    case HF_RELAY_CIRCUIT: hf_relay_circuit_data(r, now_ms, s, bytes); break;
    case HF_RELAY_WAITING: keep_early(r, now_ms, s, bytes); break;
    case HF_RELAY_ANSWERED: break;
    default: collect(r, now_ms, s, bytes); break;
    }
}

void hf_relay_stream_fin(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    switch (s->role) {
    case HF_RELAY_CHANNEL:
        hf_relay_channel_end(r, now_ms, s);
        hf_relay_set_deadline(r, s, now_ms + HF_RELAY_LINGER_MS);
        hf_relay_finish(r, now_ms, s);
        break;
    case HF_RELAY_CIRCUIT: hf_relay_circuit_fin(r, now_ms, s); break;
    case HF_RELAY_ANSWERED: break;
    default: refuse(r, now_ms, s, "relay: a message that breaks off"); break;
    }
}

void hf_relay_stream_gone(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool reset, const char *reason) {
    switch (s->role) {
    case HF_RELAY_RESERVING: hf_relay_reserve_failed(r, now_ms, s, reason); break;
    case HF_RELAY_DIALLING: hf_relay_tell(r, s, HF_RELAY_FAILED, 0, reason); break;
    case HF_RELAY_CHANNEL: hf_relay_channel_end(r, now_ms, s); break;
    case HF_RELAY_WAITING:
    case HF_RELAY_STOPPING:
    case HF_RELAY_CIRCUIT: hf_relay_circuit_gone(r, now_ms, s, reset); break;
    default: break;
    }
    leave(r, s);
}

void hf_relay_stream_late(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    if (s->role == HF_RELAY_CIRCUIT) hf_relay_circuit_late(r, now_ms, s);
    else if (s->role == HF_RELAY_ASKED || s->role == HF_RELAY_CALLED) hf_relay_drop(r, now_ms, s);
    else refuse(r, now_ms, s, "relay: no answer in time");
}

/* kad_request: one question to one peer: it is dialled when it is not connected, then a stream carries the question and its answer. js answers
 * one question a stream well and breaks off at our end of stream, so ours comes after the answer. */
#include "kad_private.h"

#include "../codec/varint.h"

static hf_bytes id_key(const hf_kad_request *r) {
    return HF_BYTES(&r->stream, sizeof r->stream);
}

static void request_free(hf_kad *kad, hf_kad_request *r) {
    if (r->open) hf_map_remove(&kad->asked, id_key(r));
    if (r->prev)
        r->prev->next = r->next;
    else
        kad->first_request = r->next;
    if (r->next) r->next->prev = r->prev;
    hf_buf_deinit(&r->bytes);
    hf_release(kad->mem, r, sizeof *r);
}

static void arm(hf_kad *kad, hf_kad_request *r, uint64_t at_ms) {
    r->deadline_ms = at_ms;
    hf_kad_due(kad, at_ms);
}

/* Frees it, then tells. */
static void fail(hf_kad *kad, uint64_t now_ms, hf_kad_request *r) {
    hf_kad_op *op = r->op;
    hf_peer_id peer = r->peer;
    hf_kad_type type = r->type;
    if (r->open) hf_swarm_stream_reset(kad->swarm, now_ms, r->stream);
    request_free(kad, r);
    hf_kad_contact_failed(kad, &peer);
    if (op) hf_kad_op_failure(kad, now_ms, op, &peer, type);
}

/* ---- asking ---- */

static hf_err write_message(hf_kad *kad, uint64_t now_ms, hf_kad_request *r) {
    hf_buf framed;
    hf_buf_init(&framed, kad->mem);
    hf_varint_add(&framed, r->bytes.len);
    hf_buf_add(&framed, hf_buf_bytes(&r->bytes));
    hf_err err = framed.err ? framed.err : hf_swarm_stream_write(kad->swarm, now_ms, r->stream, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
    return err;
}

/* The peer is connected. On failure the request is as before. */
static hf_err send(hf_kad *kad, uint64_t now_ms, hf_kad_request *r) {
    hf_err err = hf_swarm_stream_open(kad->swarm, now_ms, &r->peer, hf_buf_bytes(&kad->protocol), kad->tag, &r->stream);
    if (err) return err;
    err = hf_map_put(&kad->asked, id_key(r), r);
    r->open = !err;
    if (!err) err = write_message(kad, now_ms, r);
    if (err) {
        hf_swarm_stream_reset(kad->swarm, now_ms, r->stream);
        if (r->open) hf_map_remove(&kad->asked, id_key(r));
        r->open = false;
        return err;
    }
    hf_buf_deinit(&r->bytes);
    if (r->type == HF_KAD_ADD_PROVIDER) hf_swarm_stream_finish(kad->swarm, now_ms, r->stream); /* nobody answers it */
    arm(kad, r, now_ms + kad->config.request_ms);
    return HF_OK;
}

static bool is_dialled(const hf_kad *kad, const hf_kad_request *but) {
    for (const hf_kad_request *r = kad->first_request; r; r = r->next)
        if (r != but && !r->open && hf_peer_id_eq(&r->peer, &but->peer)) return true;
    return false;
}

static hf_err dial(hf_kad *kad, uint64_t now_ms, hf_kad_request *r, const hf_kad_addresses *addresses) {
    if (!addresses || !addresses->n) return HF_NOT_FOUND;
    arm(kad, r, now_ms + kad->config.request_ms);
    return is_dialled(kad, r) ? HF_OK : hf_kad_emit(kad, HF_KAD_DIAL, 0, &r->peer, addresses);
}

hf_err hf_kad_ask(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer,
                  const hf_kad_addresses *addresses, hf_kad_type type, hf_buf *message) {
    hf_kad_request *r = message->err ? NULL : hf_alloc(kad->mem, sizeof *r);
    if (!r) {
        hf_buf_deinit(message);
        return HF_NOMEM;
    }
    *r = (hf_kad_request){.op = op, .peer = *peer, .type = type, .bytes = *message, .next = kad->first_request};
    hf_buf_init(message, kad->mem);
    if (r->next) r->next->prev = r;
    kad->first_request = r;
    hf_err err = hf_swarm_connected(kad->swarm, peer) ? send(kad, now_ms, r) : dial(kad, now_ms, r, addresses);
    if (err) request_free(kad, r);
    return err;
}

/* The list may change while one of it is told: each time anew from its front. */
static hf_kad_request *waiting_for(hf_kad *kad, const hf_peer_id *peer) {
    hf_kad_request *r = kad->first_request;
    while (r && (r->open || !hf_peer_id_eq(&r->peer, peer))) r = r->next;
    return r;
}

void hf_kad_requests_up(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer) {
    for (hf_kad_request *r; (r = waiting_for(kad, peer));)
        if (send(kad, now_ms, r)) fail(kad, now_ms, r);
}

void hf_kad_requests_unreachable(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer) {
    if (hf_swarm_connected(kad->swarm, peer)) return;
    for (hf_kad_request *r; (r = waiting_for(kad, peer));) fail(kad, now_ms, r);
}

/* op NULL: all. */
void hf_kad_requests_drop(hf_kad *kad, uint64_t now_ms, const hf_kad_op *op) {
    for (hf_kad_request *r = kad->first_request, *next; r; r = next) {
        next = r->next;
        if (op && r->op != op) continue;
        if (r->open) hf_swarm_stream_reset(kad->swarm, now_ms, r->stream);
        request_free(kad, r);
    }
}

/* ---- the answer ---- */

/* What it was for is done; the stream may come to its end by itself. */
static void answered(hf_kad *kad, uint64_t now_ms, hf_kad_request *r, const hf_kad_message *message) {
    hf_kad_op *op = r->op;
    hf_kad_type type = r->type;
    hf_peer_id peer = r->peer;
    r->op = NULL;
    r->answered = true;
    hf_swarm_stream_finish(kad->swarm, now_ms, r->stream);
    arm(kad, r, now_ms + kad->config.request_ms);
    hf_kad_contact_seen(kad, now_ms, &peer);
    if (op) hf_kad_op_answer(kad, now_ms, op, &peer, type, message);
}

static void take_bytes(hf_kad *kad, uint64_t now_ms, hf_kad_request *r, hf_bytes bytes) {
    if (r->answered || r->type == HF_KAD_ADD_PROVIDER) return;
    hf_buf_add(&r->bytes, bytes);
    uint64_t len;
    size_t head;
    hf_err err = r->bytes.err ? r->bytes.err : hf_varint_read(hf_buf_bytes(&r->bytes), &len, &head);
    if (!err && len > HF_KAD_MESSAGE_MAX) err = HF_LIMIT;
    if (!err && r->bytes.len - head < len) err = HF_TRUNCATED;
    if (err == HF_TRUNCATED) return;
    hf_kad_message message;
    if (!err) err = hf_kad_read(hf_sub(hf_buf_bytes(&r->bytes), head, (size_t)len), &message, NULL);
    if (err || message.type != r->type) return fail(kad, now_ms, r);
    hf_buf whole = r->bytes; /* the message lives in it, whatever becomes of the request */
    hf_buf_init(&r->bytes, kad->mem);
    answered(kad, now_ms, r, &message);
    hf_buf_deinit(&whole);
}

/* An ADD_PROVIDER that was negotiated was taken, as far as anybody tells. */
static void gone(hf_kad *kad, uint64_t now_ms, hf_kad_request *r) {
    if (r->type == HF_KAD_ADD_PROVIDER && r->sent && !r->answered)
        answered(kad, now_ms, r, NULL);
    else if (!r->answered)
        return fail(kad, now_ms, r);
    request_free(kad, r);
}

void hf_kad_request_event(hf_kad *kad, uint64_t now_ms, hf_kad_request *r, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_STREAM_OPEN:
        r->sent = true;
        break;
    case HF_SWARM_STREAM_DATA:
        take_bytes(kad, now_ms, r, e->bytes);
        break;
    case HF_SWARM_STREAM_FIN:
        if (!r->answered && r->type != HF_KAD_ADD_PROVIDER) fail(kad, now_ms, r);
        break;
    case HF_SWARM_STREAM_GONE:
        gone(kad, now_ms, r);
        break;
    default:
        break;
    }
}

static hf_kad_request *expired(hf_kad *kad, uint64_t now_ms) {
    hf_kad_request *r = kad->first_request;
    while (r && r->deadline_ms > now_ms) r = r->next;
    return r;
}

void hf_kad_requests_tick(hf_kad *kad, uint64_t now_ms) {
    for (hf_kad_request *r; (r = expired(kad, now_ms));) {
        if (!r->answered) {
            fail(kad, now_ms, r);
            continue;
        }
        hf_swarm_stream_reset(kad->swarm, now_ms, r->stream);
        request_free(kad, r);
    }
    for (hf_kad_request *r = kad->first_request; r; r = r->next) hf_kad_due(kad, r->deadline_ms);
}

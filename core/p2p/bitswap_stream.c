/* bitswap_stream: messages onto and off their streams. Our wants have a stream a message, our answers one for as many as
 * there are; what comes in may be one message or many. */
#include "bitswap_private.h"

#include "../codec/varint.h"

static hf_bytes id_key(const hf_bitswap_stream *stream) { return HF_BYTES(&stream->id, sizeof stream->id); }

static hf_bitswap_stream *stream_new(hf_bitswap *b, hf_bitswap_peer *peer, uint64_t id, bool inbound) {
    hf_bitswap_stream *s = hf_alloc(b->mem, sizeof *s);
    if (!s) return NULL;
    *s = (hf_bitswap_stream){.id = id, .peer = peer, .inbound = inbound, .deadline_ms = UINT64_MAX};
    hf_buf_init(&s->bytes, b->mem);
    if (hf_map_put(&b->streams, id_key(s), s)) {
        hf_release(b->mem, s, sizeof *s);
        return NULL;
    }
    s->next = b->first_stream;
    if (s->next) s->next->prev = s;
    b->first_stream = s;
    return s;
}

void hf_bitswap_stream_free(hf_bitswap *b, hf_bitswap_stream *s) {
    if (s->prev) s->prev->next = s->next;
    else b->first_stream = s->next;
    if (s->next) s->next->prev = s->prev;
    hf_map_remove(&b->streams, id_key(s));
    if (s->inbound) s->peer->partial_bytes -= s->bytes.len;
    if (s->inbound && !s->finished) s->peer->n_reading--;
    if (s->peer->answers == s) s->peer->answers = NULL;
    hf_buf_deinit(&s->bytes);
    hf_release(b->mem, s, sizeof *s);
}

static void arm(hf_bitswap *b, hf_bitswap_stream *s, uint64_t at_ms) {
    s->deadline_ms = at_ms;
    hf_bitswap_due(b, at_ms);
}

/* ---- out ---- */

/* Writes as much as the swarm takes; the rest follows when it has drained. */
static void write_on(hf_bitswap *b, uint64_t now_ms, hf_bitswap_stream *s) {
    hf_err err = HF_OK;
    while (s->at < s->bytes.len && !err) {
        hf_bytes chunk = hf_sub(hf_buf_bytes(&s->bytes), s->at, HF_BITSWAP_CHUNK);
        err = hf_swarm_stream_write(b->swarm, now_ms, s->id, chunk);
        if (!err) s->at += chunk.len;
    }
    arm(b, s, now_ms + HF_BITSWAP_SEND_MS);
    if (err && err != HF_LIMIT) hf_swarm_stream_reset(b->swarm, now_ms, s->id);
    if (err || !s->bytes.len) return;
    s->at = 0;
    hf_buf_deinit(&s->bytes);
    if (s != s->peer->answers) hf_swarm_stream_finish(b->swarm, now_ms, s->id);
}

bool hf_bitswap_answers_wait(const hf_bitswap_peer *peer) { return peer->answers && peer->answers->bytes.len > 0; }

void hf_bitswap_answers_end(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer) {
    if (!peer->answers) return;
    uint64_t id = peer->answers->id;
    peer->answers = NULL;
    hf_swarm_stream_finish(b->swarm, now_ms, id);
}

static hf_err open_out(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer, hf_bitswap_stream **ret) {
    uint64_t id;
    hf_err err = hf_swarm_stream_open(b->swarm, now_ms, &peer->id, HF_TEXT(HF_BITSWAP_PROTOCOL), b->tag, &id);
    if (err) return err;
    *ret = stream_new(b, peer, id, false);
    if (*ret) return HF_OK;
    hf_swarm_stream_reset(b->swarm, now_ms, id);
    return HF_NOMEM;
}

hf_err hf_bitswap_send(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer, bool answer) {
    hf_buf message;
    hf_buf_init(&message, b->mem);
    hf_bitswap_stream *s = answer ? peer->answers : NULL;
    hf_err err = hf_bitswap_write_end(&b->writer, false, &message);
    if (!err && !s) err = open_out(b, now_ms, peer, &s);
    if (err) {
        hf_buf_deinit(&message);
        return err;
    }
    HF_ASSERT(!s->bytes.len);
    s->bytes = message;
    if (answer) peer->answers = s;
    write_on(b, now_ms, s);
    return HF_OK;
}

/* ---- in ---- */

static void take_message(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer, hf_bytes message) {
    hf_err err = hf_bitswap_check(message);
    if (err)
        return hf_bitswap_strike(b, peer, err == HF_LIMIT ? "bitswap: a block over 2 MiB" : "bitswap: not a message");
    hf_bitswap_reader reader = hf_bitswap_read(message);
    for (hf_bitswap_item item; hf_bitswap_read_next(&reader, &item) && !peer->abuse;) {
        uint8_t cid[HF_CID_BYTES_MAX];
        size_t len;
        if (item.kind == HF_BITSWAP_ITEM_BLOCK || item.kind == HF_BITSWAP_ITEM_DONT_HAVE) peer->progress_ms = now_ms;
        switch (item.kind) {
        case HF_BITSWAP_ITEM_FULL: hf_bitswap_serve_clear(b, peer); break;
        case HF_BITSWAP_ITEM_WANT: hf_bitswap_serve_item(b, peer, &item); break;
        case HF_BITSWAP_ITEM_DONT_HAVE: hf_bitswap_fetch_denied(b, peer, item.cid); break;
        case HF_BITSWAP_ITEM_BLOCK:
            if (hf_bitswap_block_cid(item.prefix, item.block, cid, &len))
                hf_bitswap_strike(b, peer, "bitswap: a block of unknown kind");
            else hf_bitswap_fetch_block(b, peer, HF_BYTES(cid, len), item.block);
            break;
        default: break; /* HAVE answers a question that we do not ask */
        }
    }
}

/* Takes the whole messages off the front. HF_TRUNCATED: one is not whole yet. Its wants are no sign that a peer is busy answering ours; what is
 * longer than a list of wants must be blocks. */
static hf_err take_messages(hf_bitswap *b, uint64_t now_ms, hf_bitswap_stream *s) {
    size_t at = 0;
    hf_err err = HF_OK;
    while (at < s->bytes.len && !s->peer->abuse) {
        hf_bytes rest = hf_sub(hf_buf_bytes(&s->bytes), at, s->bytes.len);
        uint64_t len;
        size_t head;
        err = hf_varint_read(rest, &len, &head);
        if (!err && len > HF_BITSWAP_MESSAGE_MAX) err = HF_LIMIT;
        if (!err && rest.len - head < len) {
            err = HF_TRUNCATED;
            if (len > HF_BITSWAP_WANTLIST_BYTES) s->peer->progress_ms = now_ms;
        }
        if (err) break;
        take_message(b, now_ms, s->peer, hf_sub(rest, head, (size_t)len));
        at += head + (size_t)len;
    }
    hf_buf_consume(&s->bytes, at);
    s->peer->partial_bytes -= at;
    return err;
}

static void refuse(hf_bitswap *b, uint64_t now_ms, hf_bitswap_stream *s, const char *reason) {
    hf_swarm_stream_reset(b->swarm, now_ms, s->id);
    hf_bitswap_strike(b, s->peer, reason);
    s->peer->partial_bytes -= s->bytes.len;
    hf_buf_deinit(&s->bytes);
    s->deadline_ms = UINT64_MAX;
}

static void take_bytes(hf_bitswap *b, uint64_t now_ms, hf_bitswap_stream *s, hf_bytes bytes) {
    hf_bitswap_peer *peer = s->peer;
    if (peer->abuse) return;
    if (peer->partial_bytes + bytes.len > HF_BITSWAP_PARTIAL_MAX)
        return refuse(b, now_ms, s, "bitswap: too many unfinished messages");
    hf_buf_add(&s->bytes, bytes);
    if (s->bytes.err) return hf_swarm_stream_reset(b->swarm, now_ms, s->id);
    peer->partial_bytes += bytes.len;
    hf_err err = take_messages(b, now_ms, s);
    if (err == HF_TRUNCATED) arm(b, s, now_ms + HF_BITSWAP_IDLE_MS);
    else s->deadline_ms = UINT64_MAX;
    if (err && err != HF_TRUNCATED) refuse(b, now_ms, s, "bitswap: a message over 4 MiB or without a length");
    hf_bitswap_serve(b, now_ms, peer);
}

static void stream_in(hf_bitswap *b, uint64_t now_ms, const hf_swarm_out *e) {
    hf_bitswap_peer *peer = hf_bitswap_peer_of(b, &e->peer, true);
    if (!peer || peer->abuse || !stream_new(b, peer, e->stream, true))
        return hf_swarm_stream_reset(b->swarm, now_ms, e->stream);
    peer->n_reading++;
    hf_swarm_stream_finish(b->swarm, now_ms, e->stream);
}

static void stream_gone(hf_bitswap *b, uint64_t now_ms, hf_bitswap_stream *s) {
    hf_bitswap_peer *peer = s->peer;
    hf_bitswap_stream_free(b, s);
    hf_bitswap_serve(b, now_ms, peer);
}

void hf_bitswap_stream_event(hf_bitswap *b, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) return stream_in(b, now_ms, e);
    hf_bitswap_stream *s = hf_map_get(&b->streams, HF_BYTES(&e->stream, sizeof e->stream));
    if (!s) return;
    switch (e->kind) {
    case HF_SWARM_STREAM_DATA:
        if (s->inbound) take_bytes(b, now_ms, s, e->bytes);
        break;
    case HF_SWARM_STREAM_FIN:
        if (s->inbound && !s->finished) s->peer->n_reading--;
        s->finished = true;
        if (s->inbound && s->bytes.len) refuse(b, now_ms, s, "bitswap: a message that breaks off");
        break;
    case HF_SWARM_STREAM_DRAINED:
        write_on(b, now_ms, s);
        hf_bitswap_serve(b, now_ms, s->peer);
        break;
    case HF_SWARM_STREAM_GONE: stream_gone(b, now_ms, s); break;
    default: break;
    }
}

/* A message that stands still, or an answer that nobody takes: the stream is given up. */
void hf_bitswap_streams_tick(hf_bitswap *b, uint64_t now_ms) {
    for (hf_bitswap_stream *s = b->first_stream; s; s = s->next) {
        if (s->deadline_ms <= now_ms) {
            hf_swarm_stream_reset(b->swarm, now_ms, s->id);
            s->deadline_ms = UINT64_MAX;
        }
        hf_bitswap_due(b, s->deadline_ms);
    }
}

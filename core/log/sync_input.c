/* sync_input: Holdfast's way, the other half: what the peer says and sends. Bytes wait as they came; one part of a
 * message is dealt with a call, straight from where it lies. A frame that is none of ours is the end of the peer's
 * credit: no later frame can be trusted to begin where it should. */
#include "sync_private.h"

#include <string.h>

void hf_sync_input(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_bytes bytes) {
    /* Moving what is left is worth it only when it is little against what was read. */
    if (link->in_at > link->in.len / 2) {
        hf_buf_consume(&link->in, link->in_at);
        if (link->message_end) link->message_end -= link->in_at;
        link->in_at = 0;
    }
    hf_buf_add(&link->in, bytes);
    if (link->in.err) return hf_swarm_stream_reset(s->swarm, now_ms, link->stream);
    if (link->reading_off || link->in.len - link->in_at <= HF_SYNC_INPUT_MAX + HF_SYNC_FRAME_HEAD_MAX) return;
    link->reading_off = true;
    hf_swarm_stream_reading(s->swarm, now_ms, link->stream, false);
}

/* Gives memory back when all is read, and lets the peer go on. Returns whether it told the swarm. */
static bool read_on(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (link->in_at == link->in.len) {
        link->in_at = link->message_end = 0;
        if (link->in.cap > HF_SYNC_INPUT_LOW) hf_buf_deinit(&link->in);
        else hf_buf_clear(&link->in);
    }
    if (!link->reading_off || link->in.len - link->in_at > HF_SYNC_INPUT_LOW) return false;
    link->reading_off = false;
    hf_swarm_stream_reading(s->swarm, now_ms, link->stream, true);
    return true;
}

/* ---- Have ---- */

/* Tells LEVEL once for each number of entries. */
void hf_sync_check_level(hf_sync *s, hf_sync_link *link) {
    const hf_log *log = link->db->log;
    if (!link->knows_peer_heads || link->level_n == hf_log_n(log) || hf_log_heads(log, NULL, 0) != link->n_peer_heads)
        return;
    for (size_t i = 0; i < link->n_peer_heads; i++) {
        uint32_t index = hf_log_find(log, link->peer_heads[i]);
        if (index == UINT32_MAX || !hf_log_item_at(log, index)->head) return;
    }
    link->level_n = hf_log_n(log);
    link->level_due = true;
    hf_sync_wake(s, link);
}

/* Which of the heads that come now were asked for already. */
static uint64_t asked_of(const hf_sync_link *link, uint8_t (*heads)[32], size_t n_heads) {
    uint64_t asked = 0;
    for (size_t i = 0; i < n_heads; i++)
        for (size_t k = 0; link->heads_asked && k < link->n_peer_heads; k++)
            if (link->heads_asked >> k & 1 && !memcmp(heads[i], link->peer_heads[k], 32)) asked |= UINT64_C(1) << i;
    return asked;
}

static void take_heads(hf_sync *s, hf_sync_link *link, hf_bytes have) {
    uint8_t heads[HF_SYNC_HEADS_MAX][32];
    size_t n = 0;
    hf_pb_reader r = hf_pb_read(have);
    for (hf_bytes digest; hf_sync_head_next(&r, &digest);) memcpy(heads[n++], digest.ptr, 32);
    link->heads_asked = asked_of(link, heads, n);
    link->knows_peer_heads = false;
    link->n_peer_heads = 0;
    if (n && hf_grow(s->mem, (void **)&link->peer_heads, &link->peer_heads_cap, sizeof *link->peer_heads, n)) return; /* they are told again */
    if (n) memcpy(link->peer_heads, heads, n * sizeof *heads);
    link->n_peer_heads = n;
    link->knows_peer_heads = true;
    hf_sync_check_level(s, link);
}

static void ask_for_head(hf_sync *s, hf_sync_link *link, size_t i) {
    if (link->n_asks >= HF_SYNC_WANTS_MAX || hf_grow(s->mem, (void **)&link->asks, &link->asks_cap, sizeof *link->asks, link->n_asks + 1))
        return; /* asked for when it is time again */
    memcpy(link->asks[link->n_asks++], link->peer_heads[i], 32);
    link->heads_asked |= UINT64_C(1) << i;
}

/* All that these heads stand on, and they themselves, were sent before: what is unknown is missing here because the clocks hid it, or because
 * something that it stands on could not be had. It is asked for once, and then from time to time: the peer says no more while nothing is new. */
void hf_sync_ask_for_heads(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    const hf_log *log = link->db->log;
    bool again = link->ask_ms && link->ask_ms <= now_ms, lacking = false;
    for (size_t i = 0; i < link->n_peer_heads; i++) {
        const uint8_t *digest = link->peer_heads[i];
        if (hf_log_find(log, digest) != UINT32_MAX || hf_sync_was_refused(link, digest)) continue;
        lacking = true;
        if (!hf_log_waiting(log, digest) && (again || !(link->heads_asked >> i & 1))) ask_for_head(s, link, i);
    }
    if (lacking && link->ask_ms > now_ms) return;
    uint32_t gap = link->ask_gap_ms ? 2 * link->ask_gap_ms : HF_SYNC_COMPARE_MS;
    link->ask_gap_ms = !lacking ? 0 : gap < HF_SYNC_ASK_AGAIN_MS_MAX ? gap : HF_SYNC_ASK_AGAIN_MS_MAX;
    link->ask_ms = lacking ? now_ms + link->ask_gap_ms : 0;
    hf_sync_due(s, link->ask_ms);
}

static void take_have(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_bytes bytes) {
    hf_sync_have have;
    if (hf_sync_have_read(bytes, &have)) return hf_sync_abuse(s, link->peer, "sync: a Have that does not read");
    hf_sync_take_clocks(s, link, bytes);
    bool first = !link->heard;
    if (!have.more) link->heard = true;
    if (have.tells_heads) take_heads(s, link, bytes);
    if (have.tells_heads && !first) hf_sync_ask_for_heads(s, now_ms, link);
}

/* ---- the other parts ---- */

/* An identity that nobody waits for is kept until an entry names it: checking it costs two signatures. */
static hf_sync_kind take_identity(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_bytes block, hf_sync_out *out) {
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    if (hf_log_knows_identity(link->db->log, digest)) return HF_SYNC_WORKED;
    if (hf_sync_want_find(link->db, digest))
        return hf_sync_join_identity(s, now_ms, link->db, &link->peer->id, block, out);
    hf_buf *candidate = &link->candidates[link->next_candidate++ % HF_SYNC_CANDIDATES];
    hf_buf_clear(candidate);
    if (block.len <= HF_SYNC_IDENTITY_BYTES_MAX) hf_buf_add(candidate, block);
    if (candidate->err) hf_buf_clear(candidate); /* it will be wanted, and asked for */
    return HF_SYNC_WORKED;
}

static void take_want(hf_sync *s, hf_sync_link *link, hf_bytes digest) {
    if (link->n_answers >= HF_SYNC_ANSWERS_MAX) return; /* who asks for more than that at once asks again, elsewhere */
    if (hf_grow(s->mem, (void **)&link->answers, &link->answers_cap, sizeof *link->answers, link->n_answers + 1))
        return;
    memcpy(link->answers[link->n_answers++], digest.ptr, 32);
}

static void take_missing(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_bytes digest) {
    hf_sync_want *want = hf_sync_want_find(link->db, digest.ptr);
    if (want && want->step == HF_SYNC_ON_STREAM && hf_peer_id_eq(&want->source, &link->peer->id))
        hf_sync_want_failed(s, now_ms, link->db, want);
}

static hf_sync_kind take_part(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_sync_part part, hf_bytes bytes,
                              hf_sync_out *out) {
    uint32_t index;
    switch (part) {
    case HF_SYNC_PART_HAVE: take_have(s, now_ms, link, bytes); break;
    case HF_SYNC_PART_IDENTITY: return take_identity(s, now_ms, link, bytes, out);
    case HF_SYNC_PART_ENTRY: return hf_sync_join(s, link->db, &link->peer->id, bytes, &index, out);
    case HF_SYNC_PART_WANT: take_want(s, link, bytes); break;
    case HF_SYNC_PART_MISSING: take_missing(s, now_ms, link, bytes); break;
    }
    return HF_SYNC_WORKED;
}

/* ---- messages ---- */

/* Finds the end of the message at in_at. False: it is not whole, or none at all. */
static bool begin_message(hf_sync *s, hf_sync_link *link) {
    if (link->message_end) return true;
    size_t at, len;
    hf_err err = hf_sync_frame(hf_sub(hf_buf_bytes(&link->in), link->in_at, link->in.len), &at, &len);
    if (err && err != HF_TRUNCATED) hf_sync_abuse(s, link->peer, "sync: not a frame");
    if (err) return false;
    link->in_at += at;
    link->message_end = link->in_at + len;
    return true;
}

/* The entries of the message from here on. */
static void look_ahead(hf_sync *s, hf_sync_link *link, hf_bytes message) {
    hf_bytes blocks[HF_LOG_AHEAD_MAX], bytes;
    hf_sync_part part;
    size_t at = 0, n = 0;
    while (n < HF_LOG_AHEAD_MAX && !hf_sync_part_next(message, &at, &part, &bytes))
        if (part == HF_SYNC_PART_ENTRY) blocks[n++] = bytes;
    link->n_ahead = n;
    if (n > 1) hf_log_look_ahead(link->db->log, s->spread, blocks, n);
}

hf_sync_kind hf_sync_input_work(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_sync_out *out) {
    if (!link->has_stream) return HF_SYNC_NONE;
    if (read_on(s, now_ms, link)) return HF_SYNC_WORKED;
    if (!link->in.len || !begin_message(s, link)) return HF_SYNC_NONE;
    hf_bytes message = hf_sub(hf_buf_bytes(&link->in), link->in_at, link->message_end - link->in_at), bytes;
    size_t at = 0;
    hf_sync_part part;
    hf_err err = hf_sync_part_next(message, &at, &part, &bytes);
    if (err == HF_MALFORMED) hf_sync_abuse(s, link->peer, "sync: not a message");
    if (!err && part == HF_SYNC_PART_ENTRY && s->spread) {
        if (!link->n_ahead) look_ahead(s, link, message);
        link->n_ahead--;
    }
    link->in_at = err ? link->message_end : link->in_at + at;
    hf_sync_kind kind = err ? HF_SYNC_WORKED : take_part(s, now_ms, link, part, bytes, out);
    if (link->in_at == link->message_end) link->message_end = link->n_ahead = 0;
    return kind;
}

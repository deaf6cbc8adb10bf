/* heads: OrbitDB's way of bringing replicas together. Spec: interop notes sections 1 (rules 1 to 3) and 11.
 *
 * Each side writes its heads, one entry a muxer frame, and finishes; it reads until the other has finished. What is
 * missing then is fetched by bitswap. A stream of this protocol is never reset by us (rule 3: that may end the other's
 * process): what we do not want to read is passed over. js delivers one entry a chunk, but cuts are not relied on: CBOR
 * items delimit themselves. */
#include "sync_private.h"

#include "../codec/dag_cbor.h"

#include <string.h>

/* ---- telling ---- */

/* Those of our heads that are durable and fit into a frame, together into the window. */
static void tell(hf_sync *s, uint64_t now_ms, hf_sync_link *link, uint64_t stream) {
    hf_sync_db *db = link->db;
    uint32_t heads[HF_SYNC_HEADS_MAX];
    size_t n = hf_log_heads(db->log, heads, HF_COUNT(heads)), total = 0;
    for (size_t i = 0; i < n && i < HF_COUNT(heads); i++) {
        uint8_t cid[HF_CID_LEN];
        hf_bytes block;
        hf_cid_from_digest(hf_log_item_at(db->log, heads[i])->digest, cid);
        if (heads[i] >= db->n_durable || s->blocks.get(s->blocks.ctx, HF_BYTES(cid, sizeof cid), &block)) continue;
        if (block.len > HF_SYNC_HEAD_FRAME_MAX || total + block.len > HF_SYNC_HEADS_SEND_MAX) continue;
        if (hf_swarm_stream_write(s->swarm, now_ms, stream, block)) break;
        total += block.len;
    }
    hf_swarm_stream_finish(s->swarm, now_ms, stream);
}

/* ---- reading ---- */

static hf_sync_heads *find(hf_sync_link *link, uint64_t stream) {
    hf_sync_heads *h = link->heads;
    while (h && (h->stream != stream || h->over)) h = h->next;
    return h;
}

static void read_from(hf_sync *s, uint64_t now_ms, hf_sync_link *link, uint64_t stream) {
    size_t n = 0;
    hf_sync_heads **at = &link->heads;
    for (; *at; at = &(*at)->next) n++;
    hf_sync_heads *h = n < HF_SYNC_HEADS_STREAMS ? hf_alloc(s->mem, sizeof *h) : NULL;
    if (!h) return; /* it is answered, but not read: the next one will be */
    *at = h;
    h->stream = stream;
    h->deadline_ms = now_ms + HF_SYNC_HEADS_READ_MS;
    hf_buf_init(&h->bytes, s->mem);
    hf_sync_due(s, h->deadline_ms);
}

static void take_bytes(hf_sync_heads *h, hf_bytes bytes) {
    if (h && h->bytes.len + bytes.len <= HF_SYNC_HEADS_RECV_MAX) hf_buf_add(&h->bytes, bytes);
}

static void over(hf_sync_link *link, uint64_t stream) {
    hf_sync_heads *h = find(link, stream);
    if (h) h->over = true;
}

void hf_sync_heads_event(hf_sync *s, uint64_t now_ms, hf_sync_link *link, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_STREAM_OPEN:
        read_from(s, now_ms, link, e->stream);
        tell(s, now_ms, link, e->stream);
        break;
    case HF_SWARM_STREAM_DATA: take_bytes(find(link, e->stream), e->bytes); break;
    case HF_SWARM_STREAM_FIN: over(link, e->stream); break;
    case HF_SWARM_STREAM_GONE:
        over(link, e->stream);
        if (link->heads_opened && link->heads_stream == e->stream) link->heads_opened = false;
        break;
    default: break;
    }
}

/* ---- opening ---- */

bool hf_sync_heads_open(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    if (!link->speaks_heads || link->speaks_sync || link->heads_opened || !link->heads_ms || link->heads_ms > now_ms)
        return false;
    uint32_t tag = s->tag_first + 2 * db->number + 1;
    hf_err err = hf_swarm_stream_open(s->swarm, now_ms, &link->peer->id, hf_buf_bytes(&db->heads_name), tag,
                                      &link->heads_stream);
    link->heads_opened = !err;
    link->heads_last_ms = now_ms;
    link->heads_ms = now_ms + (err == HF_LIMIT ? HF_SYNC_REOPEN_MS : s->heads_every_ms);
    hf_sync_due(s, link->heads_ms);
    return !err;
}

/* ---- joining ---- */

static void heads_free(hf_sync *s, hf_sync_link *link, hf_sync_heads *h) {
    hf_sync_heads **at = &link->heads;
    while (*at != h) at = &(*at)->next;
    *at = h->next;
    hf_buf_deinit(&h->bytes);
    hf_release(s->mem, h, sizeof *h);
}

/* Level: every head of theirs is one of ours, and they have as many. */
static void done(hf_sync *s, hf_sync_link *link, hf_sync_heads *h) {
    const hf_log *log = link->db->log;
    size_t n_ours = hf_log_heads(log, NULL, 0);
    if (n_ours && h->n_same == n_ours && h->n_heads == n_ours && link->level_n != hf_log_n(log)) {
        link->level_n = hf_log_n(log);
        link->level_due = true;
    }
    heads_free(s, link, h);
}

static hf_sync_kind not_an_entry(hf_sync *s, hf_sync_link *link, hf_sync_heads *h, hf_bytes rest, const char *reason,
                                 hf_sync_out *out) {
    uint8_t digest[32];
    hf_sha256_of(rest, digest);
    heads_free(s, link, h);
    return hf_sync_refuse(s, link->db, &link->peer->id, digest, HF_MALFORMED, reason, out);
}

static hf_sync_kind join_next(hf_sync *s, hf_sync_link *link, hf_sync_heads *h, hf_sync_out *out) {
    hf_bytes rest = hf_sub(hf_buf_bytes(&h->bytes), h->at, HF_ENTRY_BYTES_MAX);
    hf_value item;
    size_t len;
    hf_fault fault = {"heads: not an entry", 0};
    hf_err err = hf_cbor_decode_prefix(&s->arena, rest, &item, &len, &fault);
    if (err) return not_an_entry(s, link, h, rest, fault.what, out);
    hf_arena_clear(&s->arena);
    h->at += len;
    h->n_heads++;
    uint32_t index = UINT32_MAX;
    hf_sync_kind kind = hf_sync_join(s, link->db, &link->peer->id, hf_sub(rest, 0, len), &index, out);
    if (index != UINT32_MAX && hf_log_item_at(link->db->log, index)->head) h->n_same++;
    return kind;
}

hf_sync_kind hf_sync_heads_work(hf_sync *s, hf_sync_link *link, hf_sync_out *out) {
    hf_sync_heads *h = link->heads;
    while (h && !h->over) h = h->next;
    if (!h) return HF_SYNC_NONE;
    if (h->at < h->bytes.len && h->n_heads < HF_SYNC_HEADS_MAX) return join_next(s, link, h, out);
    done(s, link, h);
    return HF_SYNC_WORKED;
}

/* ---- time ---- */

/* A peer that does not finish: what it said counts, and it is asked again later. */
void hf_sync_heads_tick(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    for (hf_sync_heads *h = link->heads; h; h = h->next) {
        if (h->over) continue;
        if (h->deadline_ms > now_ms) {
            hf_sync_due(s, h->deadline_ms);
            continue;
        }
        h->over = true;
        if (link->heads_stream == h->stream) link->heads_opened = false;
        hf_sync_wake(s, link);
    }
}

void hf_sync_heads_free(hf_sync *s, hf_sync_link *link) {
    while (link->heads) heads_free(s, link, link->heads);
}

/* gossip_ahead: signatures of messages that came together, checked on all processors before the messages are taken one by one. A signature holds or it
 * does not, whatever else is known by then: so what was found out stays true until its message is looked at, and what comes out is the same. */
#include "gossip_private.h"

#include "../codec/varint.h"

enum { MESSAGES_MAX = 128, BYTES_MAX = 256 << 10, REST_MAX = 1 << 20, CHUNKS_MAX = 1024, WORTH = 4 };

typedef struct job {
    hf_gossip_id id;
    hf_gossip_verified author;
    hf_bytes is_signed, signature; /* copies */
    hf_err err;
    bool ran;
} job;

struct hf_gossip_ahead {
    hf_arena arena;
    hf_buf rest;          /* an RPC that is cut by the ends of frames */
    uint64_t stream;
    size_t n_chunks;      /* of the stream's that come next were looked at */
    size_t n, at, n_max;  /* jobs, at most n_max; those before `at` are over */
    size_t n_bytes;
    job *jobs;
};

static void clear(hf_gossip_ahead *a) {
    hf_arena_clear(&a->arena);
    hf_buf_clear(&a->rest);
    a->jobs = NULL;
    a->n = a->at = a->n_bytes = a->n_chunks = 0;
}

hf_gossip_ahead *hf_gossip_ahead_new(hf_mem *mem) {
    hf_gossip_ahead *a = hf_alloc(mem, sizeof *a);
    if (!a) return NULL;
    hf_arena_init(&a->arena, mem);
    hf_buf_init(&a->rest, mem);
    return a;
}

void hf_gossip_ahead_free(hf_gossip *g) {
    hf_gossip_ahead *a = g->ahead;
    if (!a) return;
    hf_arena_deinit(&a->arena);
    hf_buf_deinit(&a->rest);
    hf_release(g->mem, a, sizeof *a);
    g->ahead = NULL;
}

/* ---- what is worth a look ---- */

static bool is_there(const hf_gossip_ahead *a, const hf_gossip_id *id) {
    for (size_t i = 0; i < a->n; i++)
        if (a->jobs[i].id.len == id->len && !memcmp(a->jobs[i].id.bytes, id->bytes, id->len)) return true;
    return false;
}

static bool is_full(const hf_gossip *g) {
    const hf_gossip_ahead *a = g->ahead;
    return !a->jobs || a->n >= a->n_max || a->n_bytes > BYTES_MAX || g->n_pending + a->n >= g->config.pending_max;
}

/* As hf_gossip_message_in will see it: another one, or one twice, costs no check there and none here. */
static void add_message(hf_gossip *g, const hf_gossip_message *m) {
    hf_gossip_ahead *a = g->ahead;
    const hf_gossip_topic *topic = hf_gossip_topic_of(g, m->topic);
    const char *reason;
    if (is_full(g) || !topic || !topic->subscribed || m->data.len > g->config.message_bytes_max) return;
    job *j = &a->jobs[a->n];
    *j = (job){.err = HF_OK};
    if (hf_gossip_author(m, &j->author, &reason) || hf_peer_id_eq(&j->author.from, &g->self)) return;
    j->id.len = (uint8_t)hf_gossip_id_of(&j->author, m->seqno, g->config.ids_by_specification, j->id.bytes);
    if (is_there(a, &j->id) || hf_gossip_seen_of(g, HF_BYTES(j->id.bytes, j->id.len))) return;
    hf_buf_clear(&g->scratch);
    hf_gossip_add_signed(&g->scratch, m);
    if (g->scratch.err) return;
    j->is_signed = hf_arena_copy(&a->arena, hf_buf_bytes(&g->scratch));
    j->signature = hf_arena_copy(&a->arena, m->signature);
    if (!j->is_signed.ptr || (m->signature.len && !j->signature.ptr)) return;
    a->n_bytes += j->is_signed.len;
    a->n++;
}

/* Returns how many bytes whole RPCs take; what is no RPC ends it. */
static size_t add_rpcs(hf_gossip *g, hf_bytes bytes) {
    size_t at = 0, head;
    for (uint64_t len; at < bytes.len && !is_full(g); at += head + (size_t)len) {
        hf_bytes rest = hf_sub(bytes, at, bytes.len);
        if (hf_varint_read(rest, &len, &head) || len > g->config.rpc_bytes_max || rest.len - head < len) break;
        hf_gossip_reader reader = hf_gossip_read(hf_sub(rest, head, (size_t)len));
        for (hf_gossip_item item; !is_full(g) && hf_gossip_read_next(&reader, &item);)
            if (item.kind == HF_GOSSIP_ITEM_PUBLISH) add_message(g, &item.message);
    }
    return at;
}

/* One more frame's bytes. False: enough. */
static bool add_chunk(void *ctx, hf_bytes bytes) {
    hf_gossip *g = ctx;
    hf_gossip_ahead *a = g->ahead;
    bool cut = a->rest.len > 0;
    if (is_full(g) || a->rest.len > REST_MAX || a->n_chunks == CHUNKS_MAX) return false;
    a->n_chunks++;
    if (cut) hf_buf_add(&a->rest, bytes);
    if (a->rest.err) return false;
    size_t at = add_rpcs(g, cut ? hf_buf_bytes(&a->rest) : bytes);
    if (cut) hf_buf_consume(&a->rest, at);
    else hf_buf_add(&a->rest, hf_sub(bytes, at, bytes.len));
    return !a->rest.err;
}

/* ---- the face ---- */

typedef struct coming { size_t n, n_bytes; } coming;

static bool count(void *ctx, hf_bytes bytes) {
    coming *c = ctx;
    c->n_bytes += bytes.len;
    return ++c->n < CHUNKS_MAX;
}

static void run_one(void *arg, size_t i) {
    job *j = &((job *)arg)[i];
    j->err = hf_public_key_verify(HF_BYTES(j->author.key, j->author.key_len), j->is_signed, j->signature);
    j->ran = true;
}

/* What follows in frames of its own is looked at, too, unless the start of an RPC would be copied for a few bytes, and again with the next few. */
static void add_coming(hf_gossip *g, uint64_t stream, hf_bytes rest) {
    hf_gossip_ahead *a = g->ahead;
    coming c = {0, 0};
    hf_swarm_stream_ahead(g->swarm, stream, count, &c);
    if (rest.len / WORTH > c.n_bytes) {
        a->n_chunks = c.n;
        return;
    }
    hf_buf_add(&a->rest, rest);
    if (!a->rest.err) hf_swarm_stream_ahead(g->swarm, stream, add_chunk, g);
}

void hf_gossip_look_ahead(hf_gossip *g, hf_gossip_peer *peer, hf_bytes bytes) {
    hf_gossip_ahead *a = g->ahead;
    if (!a) return;
    bool looked = a->n_chunks && a->stream == peer->in_stream;
    if (looked) a->n_chunks--;
    if (looked || hf_gossip_score_of(g, peer) < g->config.score.graylist_threshold) return;
    clear(a);
    a->stream = peer->in_stream;
    a->n_max = peer->credit < MESSAGES_MAX ? (size_t)peer->credit : MESSAGES_MAX; /* what is over its budget is not looked at */
    a->jobs = hf_arena_alloc(&a->arena, MESSAGES_MAX * sizeof *a->jobs);
    size_t whole = add_rpcs(g, bytes);
    add_coming(g, peer->in_stream, hf_sub(bytes, whole, bytes.len));
    if (a->n > 1) g->config.spread->run(g->config.spread->ctx, a->n, run_one, a->jobs);
}

bool hf_gossip_was_checked(hf_gossip *g, const hf_gossip_verified *author, hf_bytes is_signed, hf_bytes signature, hf_err *ret_err) {
    hf_gossip_ahead *a = g->ahead;
    for (size_t i = a ? a->at : 0; a && i < a->n; i++) {
        const job *j = &a->jobs[i];
        bool same = hf_eq(j->signature, signature) && hf_eq(j->is_signed, is_signed);
        if (!same || !hf_eq(HF_BYTES(j->author.key, j->author.key_len), HF_BYTES(author->key, author->key_len))) continue;
        a->at = i + 1;
        *ret_err = j->err;
        return j->ran;
    }
    return false;
}

void hf_gossip_ahead_tick(hf_gossip *g) {
    if (!g->ahead) return;
    clear(g->ahead);
    hf_arena_deinit(&g->ahead->arena);
    hf_arena_init(&g->ahead->arena, g->mem);
    hf_buf_deinit(&g->ahead->rest);
    hf_buf_init(&g->ahead->rest, g->mem);
}

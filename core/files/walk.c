/* walk: see walk.h. */
#include "walk.h"

#include <string.h>

struct hf_walk {
    hf_mem *mem;
    hf_links_scope scope;
    hf_block_source source;
    hf_buf pending;
    hf_arena arena;
    hf_map seen;
    const char *failed;
    bool (*has)(void *ctx, hf_bytes cid);
    uint8_t cid[HF_CID_BYTES_MAX]; /* of the output */
};

hf_walk *hf_walk_new(hf_mem *mem, hf_bytes root, hf_links_scope scope, hf_block_source source) {
    if (!hf_cid_valid(root) || root.len > HF_CID_BYTES_MAX) return NULL;
    hf_walk *w = hf_alloc(mem, sizeof *w);
    if (!w) return NULL;
    *w = (hf_walk){.mem = mem, .scope = scope, .source = source};
    hf_buf_init(&w->pending, mem);
    hf_arena_init(&w->arena, mem);
    hf_map_init(&w->seen, mem, 0);
    hf_cids_push(&w->pending, root);
    if (!w->pending.err) return w;
    hf_walk_free(w);
    return NULL;
}

void hf_walk_leaves_by(hf_walk *w, bool (*has)(void *, hf_bytes)) { w->has = has; }

void hf_walk_free(hf_walk *w) {
    if (!w) return;
    hf_buf_deinit(&w->pending);
    hf_map_deinit(&w->seen);
    hf_arena_deinit(&w->arena);
    hf_release(w->mem, w, sizeof *w);
}

static hf_walk_kind fail(hf_walk *w, const char *reason, hf_walk_out *ret) {
    w->failed = reason;
    ret->reason = reason;
    return ret->kind = HF_WALK_FAILED;
}

/* NULL: remembered. */
static const char *remember(hf_walk *w, hf_bytes cid, bool leaf) {
    if (w->seen.n >= HF_WALK_SEEN_MAX) return leaf ? NULL : "a DAG of more than 262,144 nodes";
    hf_bytes key = hf_arena_copy(&w->arena, cid);
    return key.ptr && !hf_map_put(&w->seen, key, w) ? NULL : "no memory";
}

static bool is_leaf(hf_bytes cid) {
    hf_cid parsed;
    return !hf_cid_read(cid, &parsed) && parsed.codec == HF_CODEC_RAW && parsed.hash != HF_HASH_IDENTITY;
}

static hf_err look_up(hf_walk *w, hf_bytes cid, hf_bytes *ret) {
    if (!w->has || !is_leaf(cid)) return hf_block_find(&w->source, cid, ret);
    *ret = HF_BYTES(NULL, 0);
    return w->has(w->source.ctx, cid) ? HF_OK : HF_NOT_FOUND;
}

static hf_walk_kind visit(hf_walk *w, hf_bytes block, hf_walk_out *ret) {
    bool leaf = is_leaf(ret->cid);
    hf_cids_pop(&w->pending);
    const char *why = remember(w, ret->cid, leaf);
    hf_err err = why ? HF_OK : hf_cids_push_links(&w->pending, ret->cid, block, w->scope, HF_WALK_PENDING_MAX);
    if (err == HF_LIMIT) why = "a DAG that is too wide";
    else if (err == HF_NOMEM) why = "no memory";
    else if (err) why = "a block that is not what its codec says";
    if (why) return fail(w, why, ret);
    ret->block = block;
    return ret->kind = HF_WALK_BLOCK;
}

hf_walk_kind hf_walk_next(hf_walk *w, hf_walk_out *ret) {
    *ret = (hf_walk_out){.kind = HF_WALK_END};
    if (w->failed) return fail(w, w->failed, ret);
    for (hf_bytes cid; hf_cids_last(&w->pending, &cid); hf_cids_pop(&w->pending)) {
        if (hf_map_get(&w->seen, cid)) continue;
        memcpy(w->cid, cid.ptr, cid.len);
        ret->cid = HF_BYTES(w->cid, cid.len);
        hf_bytes block;
        hf_err err = look_up(w, ret->cid, &block);
        if (err == HF_NOT_FOUND) return ret->kind = HF_WALK_NEED;
        return err ? fail(w, "the store cannot be read", ret) : visit(w, block, ret);
    }
    return HF_WALK_END;
}

void hf_walk_skip(hf_walk *w) { hf_cids_pop(&w->pending); }

hf_err hf_walk_push(hf_walk *w, hf_bytes cid) {
    if (w->pending.len + cid.len >= HF_WALK_PENDING_MAX) return HF_LIMIT;
    hf_cids_push(&w->pending, cid);
    return w->pending.err;
}

size_t hf_walk_ahead(const hf_walk *w, hf_bytes *ret, size_t n) {
    size_t end = w->pending.len, found = 0;
    hf_bytes cid;
    bool first = true;
    while (found < n && hf_cids_step(&w->pending, &end, &cid)) {
        if (!first && !hf_map_get(&w->seen, cid)) ret[found++] = cid;
        first = false;
    }
    return found;
}

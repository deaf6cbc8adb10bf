/* export: see export.h. A stack of parts that are still to come, the next one on top. */
#include "export.h"

#include <string.h>

enum { PARTS_MAX = 262144, DEPTH_MAX = 64 };

typedef struct part {
    uint64_t at, size;
    uint8_t cid[HF_CID_BYTES_MAX];
    uint8_t cid_len, depth;
    bool root;  /* of unknown size */
} part;

struct hf_export {
    hf_mem *mem;
    hf_block_source source;
    uint64_t from, to;
    part *parts;
    size_t n, cap;
    part now;
    const char *failed;
};

hf_export *hf_export_new(hf_mem *mem, hf_bytes root, uint64_t from, uint64_t to, hf_block_source source) {
    hf_export *x = hf_cid_valid(root) && root.len <= HF_CID_BYTES_MAX ? hf_alloc(mem, sizeof *x) : NULL;
    if (!x) return NULL;
    *x = (hf_export){.mem = mem, .source = source, .from = from, .to = to};
    if (hf_grow(mem, (void **)&x->parts, &x->cap, sizeof *x->parts, 1)) {
        hf_export_free(x);
        return NULL;
    }
    x->parts[x->n++] = (part){.cid_len = (uint8_t)root.len, .root = true};
    memcpy(x->parts[0].cid, root.ptr, root.len);
    return x;
}

void hf_export_free(hf_export *x) {
    if (!x) return;
    hf_release(x->mem, x->parts, x->cap * sizeof *x->parts);
    hf_release(x->mem, x, sizeof *x);
}

static hf_export_kind fail(hf_export *x, const char *reason, hf_export_out *ret) {
    x->failed = reason;
    ret->reason = reason;
    return ret->kind = HF_EXPORT_FAILED;
}

/* Puts the parts that lie in the range onto the stack, the first one on top. */
static const char *push_parts(hf_export *x, const hf_node *node, uint64_t at) {
    hf_unixfs_sizes sizes = {.begun = false};
    hf_dag_link link;
    size_t cursor = 0, first = x->n;
    if (x->now.depth == DEPTH_MAX) return "a file of more than 64 levels";
    for (uint64_t size; hf_unixfs_next_size(&node->unixfs, &sizes, &size) && hf_dag_pb_next(&node->dag, &cursor, &link); at += size) {
        if (!size || x->from >= x->to || at >= x->to || at + size <= x->from) continue;
        if (x->n == PARTS_MAX) return "a file's nodes are too wide";
        if (hf_grow(x->mem, (void **)&x->parts, &x->cap, sizeof *x->parts, x->n + 1)) return "no memory";
        part *p = &x->parts[x->n++];
        *p = (part){.at = at, .size = size, .cid_len = (uint8_t)link.cid.len, .depth = (uint8_t)(x->now.depth + 1)};
        memcpy(p->cid, link.cid.ptr, link.cid.len);
    }
    for (size_t a = first, b = x->n; a + 1 < b; a++, b--) {
        part swapped = x->parts[a];
        x->parts[a] = x->parts[b - 1];
        x->parts[b - 1] = swapped;
    }
    return NULL;
}

/* Cuts the data that begins at `at` to the range. */
static hf_bytes cut(const hf_export *x, uint64_t at, hf_bytes data, uint64_t *ret_at) {
    uint64_t end = at + data.len;
    uint64_t from = at < x->from ? (x->from < end ? x->from : end) : at;
    uint64_t to = end < x->to ? end : x->to;
    *ret_at = from;
    return to > from ? hf_sub(data, (size_t)(from - at), (size_t)(to - from)) : HF_BYTES(NULL, 0);
}

static hf_export_kind visit(hf_export *x, hf_export_out *ret) {
    hf_node node;
    hf_fault fault = {"not a file", 0};
    hf_err err = hf_node_read(ret->cid, ret->block, &node, &fault);
    if (err || node.kind != HF_NODE_FILE) return fail(x, fault.what, ret);
    if (!x->now.root && node.file_size != x->now.size) return fail(x, "a part of a file is not as long as its parent says", ret);
    bool raw = node.codec == HF_CODEC_RAW;
    hf_bytes data = raw ? ret->block : node.unixfs.data;
    ret->bytes = cut(x, x->now.at, data, &ret->at);
    const char *why = raw ? NULL : push_parts(x, &node, x->now.at + data.len);
    if (why) return fail(x, why, ret);
    return ret->kind = HF_EXPORT_BLOCK;
}

hf_export_kind hf_export_next(hf_export *x, hf_export_out *ret) {
    *ret = (hf_export_out){.kind = HF_EXPORT_END};
    if (x->failed) return fail(x, x->failed, ret);
    if (!x->n) return HF_EXPORT_END;
    x->now = x->parts[x->n - 1];
    ret->cid = HF_BYTES(x->now.cid, x->now.cid_len);
    hf_err err = hf_block_find(&x->source, ret->cid, &ret->block);
    if (err == HF_NOT_FOUND) return ret->kind = HF_EXPORT_NEED;
    if (err) return fail(x, "the store cannot be read", ret);
    x->n--;
    return visit(x, ret);
}

size_t hf_export_ahead(const hf_export *x, hf_bytes *ret, size_t n) {
    size_t found = 0;
    for (size_t i = x->n; i > 1 && found < n; i--) ret[found++] = HF_BYTES(x->parts[i - 2].cid, x->parts[i - 2].cid_len);
    return found;
}

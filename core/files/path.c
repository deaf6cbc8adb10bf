/* path: see path.h. */
#include "path.h"

#include <string.h>

static void skip_slashes(hf_path *p) {
    while (p->rest.len && p->rest.ptr[0] == '/') p->rest = hf_sub(p->rest, 1, p->rest.len);
}

static hf_bytes first_name(const hf_path *p) { return hf_sub(p->rest, 0, hf_find(p->rest, '/', 0)); }

static void go_to(hf_path *p, hf_bytes cid) {
    memcpy(p->cid, cid.ptr, cid.len);
    p->cid_len = cid.len;
}

hf_err hf_path_init(hf_path *p, hf_bytes root, hf_bytes names) {
    if (!hf_cid_valid(root) || root.len > HF_CID_BYTES_MAX) return HF_MALFORMED;
    if (names.len > HF_PATH_MAX) return HF_LIMIT;
    *p = (hf_path){.rest = names};
    go_to(p, root);
    skip_slashes(p);
    return HF_OK;
}

static void leave_name(hf_path *p, hf_bytes cid, size_t name_len) {
    go_to(p, cid);
    p->rest = hf_sub(p->rest, name_len, p->rest.len);
    p->shard = false;
    p->depth = 0;
    p->n_names++;
    skip_slashes(p);
}

static const char *enter_plain(hf_path *p, const hf_node *node) {
    hf_bytes name = first_name(p);
    size_t at = 0;
    for (hf_node_entry e; hf_node_next_entry(node, &at, &e);)
        if (hf_eq(e.name, name)) return leave_name(p, e.cid, name.len), NULL;
    return "no such name";
}

/* A shard's link is for one slot: the entry itself, or the shard below. */
static const char *enter_shard(hf_path *p, const hf_node *node) {
    hf_bytes name = first_name(p), rest;
    if (!p->shard) p->hash = hf_unixfs_hash(name), p->fanout = node->unixfs.fanout;
    if (node->unixfs.fanout != p->fanout) return "no such name";
    uint32_t slot = hf_unixfs_slot(p->hash, p->fanout, p->depth), at_slot;
    size_t at = 0;
    for (hf_dag_link link; hf_dag_pb_next(&node->dag, &at, &link);) {
        if (!hf_unixfs_split_name(link.name, p->fanout, &at_slot, &rest) || at_slot != slot) continue;
        if (hf_eq(rest, name)) return leave_name(p, link.cid, name.len), NULL;
        if (rest.len) continue;
        go_to(p, link.cid);
        p->shard = true;
        p->depth++;
        return NULL;
    }
    return "no such name";
}

static hf_path_kind end(hf_path *p, bool not_found, const char *reason, hf_path_out *ret) {
    p->failed = reason;
    p->not_found = not_found;
    ret->reason = reason;
    return ret->kind = not_found ? HF_PATH_NOT_FOUND : HF_PATH_FAILED;
}

hf_path_kind hf_path_next(hf_path *p, const hf_block_source *source, hf_path_out *ret) {
    memcpy(p->shown, p->cid, p->cid_len);
    *ret = (hf_path_out){.kind = HF_PATH_FOUND, .cid = HF_BYTES(p->shown, p->cid_len)};
    if (p->failed) return end(p, p->not_found, p->failed, ret);
    if (!p->rest.len) return HF_PATH_FOUND;
    if (p->n_names == HF_PATH_NAMES_MAX) return end(p, false, "a path of more than 128 names", ret);
    hf_err err = hf_block_find(source, ret->cid, &ret->block);
    if (err == HF_NOT_FOUND) return ret->kind = HF_PATH_NEED;
    if (err) return end(p, false, "the store cannot be read", ret);
    hf_node node;
    hf_fault fault = {NULL, 0};
    if (hf_node_read(ret->cid, ret->block, &node, &fault)) return end(p, false, fault.what, ret);
    bool shard = node.kind == HF_NODE_DIRECTORY && node.unixfs.type == HF_UNIXFS_SHARD;
    if (node.kind != HF_NODE_DIRECTORY || (p->shard && !shard)) return end(p, !p->shard, "not a directory", ret);
    const char *why = shard ? enter_shard(p, &node) : enter_plain(p, &node);
    ret->kind = HF_PATH_BLOCK;
    if (!why) return HF_PATH_BLOCK;
    p->failed = why; /* the block that proves it comes out first */
    p->not_found = true;
    return HF_PATH_BLOCK;
}

/* node: see node.h. */
#include "node.h"

#include "../codec/dag_cbor.h"

#include <string.h>

static hf_err read_dag_pb(hf_bytes block, hf_node *node, hf_fault *fault) {
    hf_err err = hf_dag_pb_read(block, &node->dag, fault);
    if (err) return err;
    node->kind = HF_NODE_OTHER;
    if (!node->dag.has_data || hf_unixfs_read(node->dag.data, &node->unixfs, NULL)) return HF_OK;
    switch (node->unixfs.type) {
    case HF_UNIXFS_RAW:
    case HF_UNIXFS_FILE:
        if (node->unixfs.n_sizes != node->dag.n_links) return HF_OK;
        node->kind = HF_NODE_FILE;
        node->file_size = node->unixfs.file_size;
        break;
    case HF_UNIXFS_DIRECTORY:
    case HF_UNIXFS_SHARD: node->kind = HF_NODE_DIRECTORY; break;
    case HF_UNIXFS_SYMLINK: node->kind = HF_NODE_SYMLINK; break;
    default: break;
    }
    return HF_OK;
}

hf_err hf_node_read(hf_bytes cid, hf_bytes block, hf_node *ret, hf_fault *fault) {
    hf_cid parsed;
    if (hf_cid_read(cid, &parsed)) return hf_fail(fault, HF_MALFORMED, "not a CID", 0);
    *ret = (hf_node){.kind = HF_NODE_OTHER, .codec = parsed.codec};
    if (parsed.codec == HF_CODEC_DAG_PB) return read_dag_pb(block, ret, fault);
    if (parsed.codec == HF_CODEC_RAW) {
        ret->kind = HF_NODE_FILE;
        ret->file_size = block.len;
    }
    return HF_OK;
}

bool hf_node_next_entry(const hf_node *node, size_t *at, hf_node_entry *ret) {
    hf_dag_link link;
    while (hf_dag_pb_next(&node->dag, at, &link)) {
        uint32_t slot;
        hf_bytes name = link.name;
        if (node->unixfs.type == HF_UNIXFS_SHARD && !hf_unixfs_split_name(link.name, node->unixfs.fanout, &slot, &name)) continue;
        if (node->unixfs.type != HF_UNIXFS_SHARD && !name.len) continue;
        *ret = (hf_node_entry){name, link.cid, link.tsize};
        return true;
    }
    return false;
}

/* ---- lists of CIDs ---- */

void hf_cids_push(hf_buf *cids, hf_bytes cid) {
    HF_ASSERT(cid.len && cid.len <= HF_CID_BYTES_MAX);
    uint8_t *p = hf_buf_extend(cids, cid.len + 1);
    if (!p) return;
    memcpy(p, cid.ptr, cid.len);
    p[cid.len] = (uint8_t)cid.len;
}

bool hf_cids_step(const hf_buf *cids, size_t *end, hf_bytes *ret) {
    if (!*end) return false;
    size_t len = cids->ptr[*end - 1];
    *ret = HF_BYTES(cids->ptr + *end - 1 - len, len);
    *end -= len + 1;
    return true;
}

bool hf_cids_last(const hf_buf *cids, hf_bytes *ret) {
    size_t end = cids->len;
    return hf_cids_step(cids, &end, ret);
}

void hf_cids_pop(hf_buf *cids) {
    if (cids->len) cids->len -= (size_t)cids->ptr[cids->len - 1] + 1;
}

/* The list from `from` on is turned around, so that what was pushed first is on top: first all bytes, then each item in itself. */
static void turn(uint8_t *p, size_t len) {
    for (size_t i = 0; i < len / 2; i++) {
        uint8_t byte = p[i];
        p[i] = p[len - 1 - i];
        p[len - 1 - i] = byte;
    }
}

static void turn_list(hf_buf *cids, size_t from) {
    uint8_t *p = cids->ptr + from;
    size_t n = cids->len - from;
    turn(p, n);
    for (size_t at = 0; at < n;) {
        size_t len = p[at];
        turn(p + at, len + 1);
        at += len + 1;
    }
}

static bool is_shard_link(const hf_node *node, const hf_dag_link *link) {
    uint32_t slot;
    hf_bytes rest;
    return hf_unixfs_split_name(link->name, node->unixfs.fanout, &slot, &rest) && !rest.len;
}

static hf_err push_dag_pb(hf_buf *cids, hf_bytes block, hf_links_scope scope, size_t bytes_max) {
    hf_node node = {.kind = HF_NODE_OTHER};
    hf_err err = read_dag_pb(block, &node, NULL);
    if (err) return err;
    if (scope == HF_LINKS_SHARDS && (node.kind != HF_NODE_DIRECTORY || node.unixfs.type != HF_UNIXFS_SHARD)) return HF_OK;
    size_t at = 0;
    for (hf_dag_link link; hf_dag_pb_next(&node.dag, &at, &link);) {
        if (scope == HF_LINKS_SHARDS && !is_shard_link(&node, &link)) continue;
        if (cids->len + link.cid.len + 1 > bytes_max) return HF_LIMIT;
        hf_cids_push(cids, link.cid);
    }
    return cids->err;
}

/* One CBOR head: major and argument. *at is behind it then. */
static bool read_head(hf_bytes b, size_t *at, unsigned *major, uint64_t *argument) {
    if (*at >= b.len) return false;
    uint8_t first = b.ptr[(*at)++];
    unsigned low = first & 31, n = low < 24 ? 0 : low < 28 ? 1u << (low - 24) : 9;
    if (n > 8 || b.len - *at < n) return false;
    *major = first >> 5;
    *argument = n ? 0 : low;
    for (; n; n--) *argument = *argument << 8 | b.ptr[(*at)++];
    return true;
}

/* Links are tag 42 over bytes, wherever they stand: read in one line, without a tree. */
static hf_err push_dag_cbor(hf_buf *cids, hf_bytes block, size_t bytes_max) {
    enum { BYTES = 2, TEXT = 3, TAG = 6, LINK_TAG = 42 };
    bool tagged = false;
    for (size_t at = 0; at < block.len;) {
        unsigned major;
        uint64_t argument;
        if (!read_head(block, &at, &major, &argument)) return HF_MALFORMED;
        bool link = tagged;
        tagged = major == TAG && argument == LINK_TAG;
        if (link && major != BYTES) return HF_MALFORMED;
        if (major != BYTES && major != TEXT) continue;
        if (argument > block.len - at) return HF_MALFORMED;
        hf_bytes bytes = hf_sub(block, at, (size_t)argument), cid = hf_sub(bytes, 1, bytes.len);
        at += (size_t)argument;
        if (!link) continue;
        if (!bytes.len || bytes.ptr[0] || !hf_cid_valid(cid) || cid.len > HF_CID_BYTES_MAX) return HF_MALFORMED;
        if (cids->len + cid.len + 1 > bytes_max) return HF_LIMIT;
        hf_cids_push(cids, cid);
    }
    return tagged ? HF_MALFORMED : cids->err;
}

hf_err hf_cids_push_links(hf_buf *cids, hf_bytes cid, hf_bytes block, hf_links_scope scope, size_t bytes_max) {
    hf_cid parsed;
    size_t from = cids->len;
    hf_err err = hf_cid_read(cid, &parsed);
    if (!err && parsed.codec == HF_CODEC_DAG_PB) err = push_dag_pb(cids, block, scope, bytes_max);
    else if (!err && parsed.codec == HF_CODEC_DAG_CBOR && scope == HF_LINKS_ALL) err = push_dag_cbor(cids, block, bytes_max);
    if (err) {
        cids->len = from;
        cids->err = HF_OK;
        return err;
    }
    if (cids->len > from) turn_list(cids, from);
    return HF_OK;
}

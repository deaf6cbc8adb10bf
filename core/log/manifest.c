/* manifest: see manifest.h. "The first path segment of accessController is the controller's type": `ipfs` or `orbitdb`. */
#include "manifest.h"

#include "../codec/dag_cbor.h"
#include "../codec/value.h"

#include <string.h>

#define IPFS_PREFIX "/ipfs/"
#define ADDRESS_PREFIX "/orbitdb/"
enum { BLOCK_BYTES_MAX = 256 * 1024, IPFS_PREFIX_LEN = sizeof IPFS_PREFIX - 1, ADDRESS_PREFIX_LEN = sizeof ADDRESS_PREFIX - 1 };

void hf_access_add_block(hf_buf *buf, const hf_bytes *write, size_t n_write) {
    hf_cbor_add_head(buf, 5, 2);
    hf_cbor_add_text(buf, HF_TEXT("type"));
    hf_cbor_add_text(buf, HF_TEXT("ipfs"));
    hf_cbor_add_text(buf, HF_TEXT("write"));
    hf_cbor_add_head(buf, 4, n_write);
    for (size_t i = 0; i < n_write; i++) hf_cbor_add_text(buf, write[i]);
}

static void add_block(hf_buf *buf, hf_bytes name, hf_bytes type, hf_bytes path) {
    hf_cbor_add_head(buf, 5, 3);
    hf_cbor_add_text(buf, HF_TEXT("name"));
    hf_cbor_add_text(buf, name);
    hf_cbor_add_text(buf, HF_TEXT("type"));
    hf_cbor_add_text(buf, type);
    hf_cbor_add_text(buf, HF_TEXT("accessController"));
    hf_cbor_add_text(buf, path);
}

void hf_manifest_add_block(hf_buf *buf, hf_bytes name, hf_bytes type, const uint8_t access_cid[HF_CID_LEN]) {
    char path[IPFS_PREFIX_LEN + HF_CID_TEXT_LEN];
    memcpy(path, IPFS_PREFIX, IPFS_PREFIX_LEN);
    hf_cid_text(access_cid, path + IPFS_PREFIX_LEN);
    add_block(buf, name, type, HF_BYTES(path, sizeof path));
}

void hf_manifest_add_guarded_block(hf_buf *buf, hf_bytes name, hf_bytes type, const uint8_t access_manifest_cid[HF_CID_LEN]) {
    char path[HF_ADDRESS_LEN];
    hf_manifest_address(access_manifest_cid, path);
    add_block(buf, name, type, HF_BYTES(path, sizeof path));
}

void hf_manifest_address(const uint8_t manifest_cid[HF_CID_LEN], char ret_address[HF_ADDRESS_LEN]) {
    memcpy(ret_address, ADDRESS_PREFIX, ADDRESS_PREFIX_LEN);
    hf_cid_text(manifest_cid, ret_address + ADDRESS_PREFIX_LEN);
}

static hf_err decode_map(hf_bytes block, hf_arena *scratch, hf_value *ret, hf_fault *fault) {
    if (block.len > BLOCK_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "manifest: block too big", BLOCK_BYTES_MAX);
    hf_err err = hf_cbor_decode(scratch, block, ret, fault);
    if (err) return err == HF_TRUNCATED ? HF_MALFORMED : err;
    return ret->kind == HF_MAP ? HF_OK : hf_fail(fault, HF_MALFORMED, "manifest: not a map", 0);
}

static bool is_text(const hf_value *v) { return v && v->kind == HF_TEXT_VALUE; }

hf_err hf_manifest_read(hf_bytes block, hf_arena *scratch, hf_manifest *ret, hf_fault *fault) {
    hf_value map;
    hf_err err = decode_map(block, scratch, &map, fault);
    if (err) return err;
    const hf_value *name = hf_value_get(&map, "name"), *type = hf_value_get(&map, "type");
    const hf_value *access = hf_value_get(&map, "accessController");
    if (!is_text(name)) return hf_fail(fault, HF_MALFORMED, "manifest: name is missing", 0);
    if (!is_text(type)) return hf_fail(fault, HF_MALFORMED, "manifest: type is missing", 0);
    if (!is_text(access)) return hf_fail(fault, HF_MALFORMED, "manifest: accessController is missing", 0);
    hf_bytes path = access->as.s;
    hf_manifest m = {.name = name->as.s, .type = type->as.s, .guarded = hf_starts(path, HF_TEXT(ADDRESS_PREFIX))};
    if (!m.guarded && !hf_starts(path, HF_TEXT(IPFS_PREFIX)))
        return hf_fail(fault, HF_DENIED, "manifest: unknown type of access controller", 0);
    if (m.guarded ? hf_address_parse(path, m.access_digest) : hf_cid_digest(hf_sub(path, IPFS_PREFIX_LEN, path.len), m.access_digest))
        return hf_fail(fault, HF_MALFORMED, "manifest: accessController is not a dag-cbor CID", 0);
    *ret = m;
    return HF_OK;
}

static hf_err copy_texts(const hf_value *list, hf_arena *scratch, hf_bytes **ret, hf_fault *fault) {
    size_t n = list->as.list.n;
    hf_bytes *out = hf_arena_alloc(scratch, (n ? n : 1) * sizeof *out);
    if (!out) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const hf_value *v = &list->as.list.items[i];
        if (!is_text(v)) return hf_fail(fault, HF_MALFORMED, "access controller: write holds something that is not text", i);
        out[i] = v->as.s;
    }
    *ret = out;
    return HF_OK;
}

hf_err hf_access_read(hf_bytes block, hf_arena *scratch, hf_bytes **ret_write, size_t *ret_n, hf_fault *fault) {
    hf_value map;
    hf_err err = decode_map(block, scratch, &map, fault);
    if (err) return err;
    const hf_value *type = hf_value_get(&map, "type"), *write = hf_value_get(&map, "write");
    if (!is_text(type)) return hf_fail(fault, HF_MALFORMED, "access controller: type is missing", 0);
    if (!hf_eq(type->as.s, HF_TEXT("ipfs"))) return hf_fail(fault, HF_DENIED, "access controller: unknown type", 0);
    if (!write || write->kind != HF_LIST) return hf_fail(fault, HF_MALFORMED, "access controller: write is not a list", 0);
    err = copy_texts(write, scratch, ret_write, fault);
    if (!err) *ret_n = write->as.list.n;
    return err;
}

static bool is_slash(uint8_t c) { return c == '/' || c == '\\'; }

/* Stricter than js in one thing: the CID must be of our own kind (v1, dag-cbor, sha2-256), because no manifest has another. */
hf_err hf_address_parse(hf_bytes text, uint8_t ret_digest[32]) {
    if (text.len <= ADDRESS_PREFIX_LEN || !is_slash(text.ptr[0]) || !is_slash(text.ptr[ADDRESS_PREFIX_LEN - 1])) return HF_MALFORMED;
    if (!hf_eq(hf_sub(text, 1, ADDRESS_PREFIX_LEN - 2), HF_TEXT("orbitdb"))) return HF_MALFORMED;
    hf_bytes cid = hf_sub(text, ADDRESS_PREFIX_LEN, text.len);
    if (is_slash(cid.ptr[cid.len - 1])) cid.len--;
    return hf_cid_digest(cid, ret_digest);
}

/* cid: see cid.h.
 *
 *     v1:  01  codec(varint)  hash(varint)  length(varint)  digest
 *     v0:  12 20 digest                     a bare sha2-256 multihash; the codec is dag-pb
 */
#include "cid.h"

#include "../crypto/crypto.h"
#include "multibase.h"
#include "varint.h"

#include <string.h>

enum { V0_LEN = 34 };

/* A view of the parts; the digest is not copied. */
typedef struct parts {
    uint64_t version, codec, hash;
    hf_bytes digest;
} parts;

static hf_err take_varint(hf_bytes bytes, size_t *at, uint64_t *ret) {
    size_t len;
    hf_err err = hf_varint_read(hf_sub(bytes, *at, bytes.len), ret, &len);
    if (!err) *at += len;
    return err;
}

static hf_err split_multihash(hf_bytes bytes, size_t *at, parts *ret) {
    uint64_t len;
    hf_err err = take_varint(bytes, at, &ret->hash);
    if (!err) err = take_varint(bytes, at, &len);
    if (err) return err;
    if (len > bytes.len - *at) return HF_TRUNCATED;
    ret->digest = hf_sub(bytes, *at, (size_t)len);
    *at += (size_t)len;
    return HF_OK;
}

static hf_err split_v0(hf_bytes bytes, parts *ret, size_t *ret_len) {
    if (bytes.len > 1 && bytes.ptr[1] != 0x20) return HF_MALFORMED;
    if (bytes.len < V0_LEN) return HF_TRUNCATED;
    *ret = (parts){0, HF_CODEC_DAG_PB, HF_HASH_SHA256, hf_sub(bytes, 2, 32)};
    *ret_len = V0_LEN;
    return HF_OK;
}

static hf_err split(hf_bytes bytes, parts *ret, size_t *ret_len) {
    size_t at = 0;
    if (bytes.len && bytes.ptr[0] == HF_HASH_SHA256) return split_v0(bytes, ret, ret_len);
    hf_err err = take_varint(bytes, &at, &ret->version);
    if (err) return err;
    if (ret->version != 1) return HF_MALFORMED;
    err = take_varint(bytes, &at, &ret->codec);
    if (!err) err = split_multihash(bytes, &at, ret);
    if (!err) *ret_len = at;
    return err;
}

bool hf_cid_valid(hf_bytes bytes) {
    parts p;
    size_t len;
    return !split(bytes, &p, &len) && len == bytes.len;
}

bool hf_multihash_valid(hf_bytes bytes) {
    parts p;
    size_t at = 0;
    return !split_multihash(bytes, &at, &p) && at == bytes.len;
}

hf_err hf_cid_read_prefix(hf_bytes bytes, hf_cid *ret_cid, size_t *ret_len) {
    parts p;
    size_t len;
    hf_err err = split(bytes, &p, &len);
    if (err) return err;
    if (p.digest.len > sizeof ret_cid->digest) return HF_LIMIT;
    *ret_cid = (hf_cid){.version = p.version, .codec = p.codec, .hash = p.hash, .digest_len = p.digest.len};
    if (p.digest.len) memcpy(ret_cid->digest, p.digest.ptr, p.digest.len);
    *ret_len = len;
    return HF_OK;
}

hf_err hf_cid_read(hf_bytes bytes, hf_cid *ret_cid) {
    hf_cid cid;
    size_t len;
    hf_err err = hf_cid_read_prefix(bytes, &cid, &len);
    if (!err && len != bytes.len) err = HF_MALFORMED;
    if (!err) *ret_cid = cid;
    return err;
}

void hf_cid_add(hf_buf *buf, const hf_cid *cid) {
    if (cid->version == 1) {
        hf_varint_add(buf, 1);
        hf_varint_add(buf, cid->codec);
    }
    hf_varint_add(buf, cid->hash);
    hf_varint_add(buf, cid->digest_len);
    hf_buf_add(buf, HF_BYTES(cid->digest, cid->digest_len));
}

/* ---- text ---- */

enum { BYTES_ROOM = 4 * HF_VARINT_MAX + 64 }; /* the largest hf_cid there is, its varints all at their longest */

/* The spec's "decoding algorithm" for strings: 46 characters that begin with Qm are v0; else multibase, which must
 * not be v0. */
static hf_err bytes_of_text(hf_bytes text, uint8_t bytes[BYTES_ROOM], size_t *ret_len) {
    if (text.len == 46 && hf_starts(text, HF_TEXT("Qm")))
        return hf_base_read(HF_BASE58BTC, text, bytes, BYTES_ROOM, ret_len);
    hf_err err = hf_multibase_read(text, bytes, BYTES_ROOM, ret_len);
    if (!err && (*ret_len == 0 || bytes[0] == HF_HASH_SHA256)) return HF_MALFORMED;
    return err;
}

hf_err hf_cid_parse(hf_bytes text, hf_cid *ret_cid) {
    uint8_t bytes[BYTES_ROOM];
    size_t len;
    hf_err err = bytes_of_text(text, bytes, &len);
    if (!err) err = hf_cid_read(HF_BYTES(bytes, len), ret_cid);
    return err == HF_TRUNCATED ? HF_MALFORMED : err; /* a text that is whole gets no more bytes */
}

void hf_cid_add_text(hf_buf *buf, const hf_cid *cid) {
    uint8_t bytes[BYTES_ROOM];
    hf_buf binary = {.mem = buf->mem, .ptr = bytes, .cap = sizeof bytes}; /* large enough: never grown */
    hf_cid_add(&binary, cid);
    if (cid->version == 0) hf_base_add(buf, HF_BASE58BTC, hf_buf_bytes(&binary));
    else hf_multibase_add(buf, HF_BASE32, hf_buf_bytes(&binary));
}

hf_bytes hf_cid_multihash(hf_bytes cid) {
    uint64_t part;
    size_t at = 0;
    if (!hf_cid_valid(cid)) return HF_BYTES(NULL, 0);
    if (cid.ptr[0] == HF_HASH_SHA256) return cid;
    for (int i = 0; i < 2; i++)
        if (take_varint(cid, &at, &part)) return HF_BYTES(NULL, 0);
    return hf_sub(cid, at, cid.len);
}

bool hf_cid_eq(const hf_cid *a, const hf_cid *b) {
    return a->version == b->version && a->codec == b->codec && a->hash == b->hash &&
           hf_eq(HF_BYTES(a->digest, a->digest_len), HF_BYTES(b->digest, b->digest_len));
}

hf_err hf_cid_check(const hf_cid *cid, hf_bytes block) {
    uint8_t digest[32];
    hf_bytes claimed = HF_BYTES(cid->digest, cid->digest_len);
    if (cid->hash == HF_HASH_IDENTITY) return hf_eq(claimed, block) ? HF_OK : HF_DENIED;
    if (cid->hash != HF_HASH_SHA256) return HF_LIMIT;
    hf_sha256_of(block, digest);
    return hf_eq(claimed, HF_BYTES(digest, sizeof digest)) ? HF_OK : HF_DENIED;
}

/* ---- our own kind ---- */

static const uint8_t OURS[4] = {1, HF_CODEC_DAG_CBOR, HF_HASH_SHA256, 32};

void hf_cid_from_digest(const uint8_t digest[32], uint8_t ret_cid[HF_CID_LEN]) {
    memmove(ret_cid + sizeof OURS, digest, 32);
    memcpy(ret_cid, OURS, sizeof OURS);
}

void hf_cid_of(hf_bytes block, uint8_t ret_cid[HF_CID_LEN]) {
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    hf_cid_from_digest(digest, ret_cid);
}

void hf_cid_text(const uint8_t cid[HF_CID_LEN], char ret_text[HF_CID_TEXT_LEN]) {
    char text[HF_BASE58_TEXT_MAX];
    size_t len = hf_base58_write(HF_BYTES(cid, HF_CID_LEN), text);
    HF_ASSERT(len == HF_CID_TEXT_LEN - 1);
    ret_text[0] = HF_BASE58BTC;
    memcpy(ret_text + 1, text, len);
}

void hf_cid_of_codec(uint8_t codec, hf_bytes block, uint8_t ret_cid[HF_CID_LEN]) {
    HF_ASSERT(codec < 0x80);
    hf_cid_of(block, ret_cid);
    ret_cid[1] = codec;
}

hf_err hf_cid_digest(hf_bytes text, uint8_t ret_digest[32]) {
    uint8_t bytes[HF_CID_LEN];
    size_t len;
    if (hf_multibase_read(text, bytes, sizeof bytes, &len)) return HF_MALFORMED;
    if (len != sizeof bytes || memcmp(bytes, OURS, sizeof OURS) != 0) return HF_MALFORMED;
    memcpy(ret_digest, bytes + sizeof OURS, 32);
    return HF_OK;
}

/* identity: see identity.h. Section 4 of the interop notes:
 *   signatures.id        = signing key over the text id
 *   signatures.publicKey = root key over the text publicKey followed directly by the text signatures.id */
#include "identity.h"

#include "../codec/dag_cbor.h"
#include "entry_read.h"

#include <string.h>

enum {
    IDENTITY_BYTES_MAX = 16 * 1024, /* ours have about 475; room for fields that js ignores */
    SIG_HEX_MAX = 2 * HF_DER_MAX,
    COMPRESSED_LEN = 33,
};

/* ---- writing ---- */

static hf_err public_hex(const hf_secp *secp, const uint8_t secret[32], char ret[HF_PUBLIC_KEY_HEX_LEN]) {
    static const char hex[] = "0123456789abcdef";
    uint8_t key[COMPRESSED_LEN];
    hf_err err = hf_secp_public(secp, secret, key);
    for (size_t i = 0; !err && i < sizeof key; i++) {
        ret[2 * i] = hex[key[i] >> 4];
        ret[2 * i + 1] = hex[key[i] & 15];
    }
    return err;
}

/* Appends the signature over `message` as hex text. */
static hf_err sign_hex(const hf_secp *secp, const uint8_t secret[32], hf_bytes message, hf_buf *hex) {
    uint8_t der[HF_DER_MAX];
    size_t len;
    hf_err err = hf_secp_sign(secp, secret, message, der, &len);
    if (err) return err;
    hf_buf_add_hex(hex, HF_BYTES(der, len));
    return hex->err;
}

static void add_field(hf_buf *buf, const char *name, hf_bytes text) {
    hf_cbor_add_text(buf, hf_str(name));
    hf_cbor_add_text(buf, text);
}

/* "canonical order comes out as id, type, publicKey, signatures{id, publicKey}" */
static hf_err write_block(hf_buf *buf, hf_bytes id, hf_bytes public_key, hf_bytes sig_id, hf_bytes sig_key) {
    hf_cbor_add_head(buf, 5, 4);
    add_field(buf, "id", id);
    add_field(buf, "type", HF_TEXT("publickey"));
    add_field(buf, "publicKey", public_key);
    hf_cbor_add_text(buf, HF_TEXT("signatures"));
    hf_cbor_add_head(buf, 5, 2);
    add_field(buf, "id", sig_id);
    add_field(buf, "publicKey", sig_key);
    return buf->err;
}

/* `text`: publicKey, then signatures.id, then signatures.publicKey, one after the other: the second signature covers the first two. */
static hf_err sign_block(hf_writer *w, const uint8_t root_secret[32], hf_buf *text) {
    hf_bytes id = HF_BYTES(w->id, HF_PUBLIC_KEY_HEX_LEN);
    hf_buf_add(text, HF_BYTES(w->public_key, HF_PUBLIC_KEY_HEX_LEN));
    hf_err err = sign_hex(w->secp, w->signing_secret, id, text);
    size_t covered = text->len;
    if (!err) err = sign_hex(w->secp, root_secret, hf_buf_bytes(text), text);
    if (err) return err;
    hf_bytes all = hf_buf_bytes(text);
    size_t key_len = HF_PUBLIC_KEY_HEX_LEN;
    return write_block(&w->block, id, hf_sub(all, 0, key_len), hf_sub(all, key_len, covered - key_len),
                       hf_sub(all, covered, all.len - covered));
}

static hf_err fill(hf_writer *w, const uint8_t root_secret[32]) {
    hf_err err = public_hex(w->secp, root_secret, w->id);
    if (!err) err = public_hex(w->secp, w->signing_secret, w->public_key);
    if (err) return err;
    hf_buf text;
    hf_buf_init(&text, w->block.mem);
    err = sign_block(w, root_secret, &text);
    hf_buf_deinit(&text);
    if (err) return err;
    hf_cid_of(hf_buf_bytes(&w->block), w->cid);
    hf_cid_text(w->cid, w->hash);
    return HF_OK;
}

hf_err hf_writer_init(hf_writer *writer, hf_mem *mem, const hf_secp *secp, const uint8_t root_secret[32], const uint8_t signing_secret[32]) {
    *writer = (hf_writer){.secp = secp};
    hf_buf_init(&writer->block, mem);
    memcpy(writer->signing_secret, signing_secret, 32);
    hf_err err = fill(writer, root_secret);
    if (err) hf_writer_deinit(writer);
    return err;
}

void hf_writer_deinit(hf_writer *writer) {
    if (writer->block.ptr) hf_buf_deinit(&writer->block);
    hf_wipe(writer, sizeof *writer);
}

/* ---- reading ---- */

typedef struct fields {
    hf_bytes id, type, public_key, sig_id, sig_key;
} fields;

static fields fields_of(const hf_value *map) {
    const hf_value *signatures = hf_value_get(map, "signatures");
    return (fields){
        hf_value_as_text(hf_value_get(map, "id")),
        hf_value_as_text(hf_value_get(map, "type")),
        hf_value_as_text(hf_value_get(map, "publicKey")),
        hf_value_as_text(hf_value_get(signatures, "id")),
        hf_value_as_text(hf_value_get(signatures, "publicKey")),
    };
}

static hf_err check_fields(const fields *f, hf_fault *fault) {
    if (!f->id.len) return hf_fail(fault, HF_MALFORMED, "identity: id is missing", 0);
    if (!f->type.len) return hf_fail(fault, HF_MALFORMED, "identity: type is missing", 0);
    if (!f->public_key.len) return hf_fail(fault, HF_MALFORMED, "identity: publicKey is missing", 0);
    if (!f->sig_id.len) return hf_fail(fault, HF_MALFORMED, "identity: signatures.id is missing", 0);
    if (!f->sig_key.len) return hf_fail(fault, HF_MALFORMED, "identity: signatures.publicKey is missing", 0);
    if (!hf_eq(f->type, HF_TEXT("publickey"))) return hf_fail(fault, HF_DENIED, "identity: unknown type", 0);
    return HF_OK;
}

static hf_err parse_key(hf_bytes hex, hf_secp_key *ret) {
    uint8_t key[COMPRESSED_LEN] = {0};
    if (hex.len != HF_PUBLIC_KEY_HEX_LEN || !hf_hex_read(hex, key)) return HF_MALFORMED;
    return hf_secp_parse(HF_BYTES(key, sizeof key), ret);
}

static hf_err verify_hex(const hf_secp_key *key, hf_bytes message, hf_bytes sig) {
    uint8_t der[HF_DER_MAX] = {0};
    if (sig.len > SIG_HEX_MAX || !hf_hex_read(sig, der)) return HF_DENIED;
    return hf_secp_verify(key, message, HF_BYTES(der, sig.len / 2)) ? HF_DENIED : HF_OK;
}

static hf_err verify(const fields *f, hf_identity *ret, hf_fault *fault) {
    hf_secp_key root;
    if (parse_key(f->public_key, &ret->key)) return hf_fail(fault, HF_MALFORMED, "identity: publicKey is not a key", 0);
    if (parse_key(f->id, &root)) return hf_fail(fault, HF_MALFORMED, "identity: id is not a key", 0);
    if (verify_hex(&ret->key, f->id, f->sig_id)) return hf_fail(fault, HF_DENIED, "identity: signatures.id does not fit", 0);
    char both[HF_PUBLIC_KEY_HEX_LEN + SIG_HEX_MAX]; /* sig_id verified, so it is not longer than that */
    memcpy(both, f->public_key.ptr, f->public_key.len);
    memcpy(both + f->public_key.len, f->sig_id.ptr, f->sig_id.len);
    if (verify_hex(&root, HF_BYTES(both, f->public_key.len + f->sig_id.len), f->sig_key))
        return hf_fail(fault, HF_DENIED, "identity: signatures.publicKey does not fit", 0);
    return HF_OK;
}

hf_err hf_identity_read(hf_bytes block, hf_arena *scratch, hf_identity *ret, hf_fault *fault) {
    if (block.len > IDENTITY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "identity: block too big", IDENTITY_BYTES_MAX);
    hf_value map;
    hf_err err = hf_cbor_decode(scratch, block, &map, fault);
    if (err) return err == HF_TRUNCATED ? HF_MALFORMED : err;
    fields f = fields_of(&map);
    err = check_fields(&f, fault);
    hf_identity identity;
    if (!err) err = verify(&f, &identity, fault);
    if (err) return err;
    hf_sha256_of(block, identity.digest);
    memcpy(identity.id, f.id.ptr, HF_PUBLIC_KEY_HEX_LEN);
    memcpy(identity.public_key, f.public_key.ptr, HF_PUBLIC_KEY_HEX_LEN);
    *ret = identity;
    return HF_OK;
}

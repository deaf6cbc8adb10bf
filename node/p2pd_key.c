/* p2pd_key: see p2pd_key.h. PrivateKey { Type 1, Data 2 }: Ed25519 is 32 bytes of seed, 32 of public key, and in old files these again; secp256k1 is its 32
 * bytes; RSA and ECDSA are DER. */
#include "p2pd_key.h"

#include "../core/codec/protobuf.h"
#include "../core/crypto/crypto.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TYPE_RSA = 0, TYPE_ED25519 = 1, TYPE_SECP256K1 = 2, TYPE_ECDSA = 3, FILE_MAX = 16384, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

static bool read_message(hf_bytes message, uint64_t *ret_type, hf_bytes *ret_data) {
    hf_pb_reader reader = hf_pb_read(message);
    hf_pb_field field;
    *ret_type = UINT64_MAX;
    *ret_data = HF_BYTES(NULL, 0);
    while (hf_pb_next(&reader, &field)) {
        if (field.number == 1 && field.wire == 0) *ret_type = field.u;
        if (field.number == 2 && field.wire == 2) *ret_data = field.bytes;
    }
    return !reader.err && *ret_type <= TYPE_ECDSA;
}

static void put_message(hf_p2pd_key *k, uint64_t type, hf_bytes data) {
    hf_pb_add_u64(&k->message, 1, type);
    hf_pb_add_bytes(&k->message, 2, data);
    k->key.public_key_message = hf_buf_bytes(&k->message);
}

/* ---- by OpenSSL ---- */

static hf_err sign_evp(void *ctx, hf_bytes message, hf_buf *ret) {
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    size_t len = 0;
    bool ok = md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, ctx) == 1 && EVP_DigestSign(md, NULL, &len, message.ptr, message.len) == 1;
    size_t before = ret->len;
    uint8_t *at = ok ? hf_buf_extend(ret, len) : NULL;
    ok = at && EVP_DigestSign(md, at, &len, message.ptr, message.len) == 1;
    if (ok) ret->len = before + len;
    EVP_MD_CTX_free(md);
    return ok ? HF_OK : HF_NOMEM;
}

static bool is_kind(EVP_PKEY *key, uint64_t type) {
    int bits = EVP_PKEY_get_bits(key);
    if (type == TYPE_RSA) return EVP_PKEY_is_a(key, "RSA") && bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX;
    return type == TYPE_ECDSA && EVP_PKEY_is_a(key, "EC");
}

hf_err hf_p2pd_key_verify(void *ctx, hf_bytes public_key_message, hf_bytes message, hf_bytes signature) {
    (void)ctx;
    uint64_t type;
    hf_bytes der;
    if (!read_message(public_key_message, &type, &der)) return HF_MALFORMED;
    const uint8_t *at = der.ptr;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)der.len);
    hf_err err = key && is_kind(key, type) ? HF_OK : HF_MALFORMED;
    EVP_MD_CTX *md = err ? NULL : EVP_MD_CTX_new();
    if (!err && !md) err = HF_NOMEM;
    if (!err && EVP_DigestVerifyInit(md, NULL, EVP_sha256(), NULL, key) != 1) err = HF_NOMEM;
    if (!err && EVP_DigestVerify(md, signature.ptr, signature.len, message.ptr, message.len) != 1) err = HF_DENIED;
    EVP_MD_CTX_free(md);
    EVP_PKEY_free(key);
    return err;
}

static const char *load_evp(hf_p2pd_key *k, uint64_t type, hf_bytes der) {
    const uint8_t *at = der.ptr;
    k->evp = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    if (!k->evp || !is_kind(k->evp, type)) return "not an RSA key of 2048 to 8192 bits, nor an ECDSA key";
    uint8_t *spki = NULL;
    int len = i2d_PUBKEY(k->evp, &spki);
    if (len <= 0) return "out of memory";
    put_message(k, type, HF_BYTES(spki, (size_t)len));
    OPENSSL_free(spki);
    k->key.sign = sign_evp;
    k->key.ctx = k->evp;
    return NULL;
}

/* ---- by the core ---- */

static hf_err sign_secp(void *ctx, hf_bytes message, hf_buf *ret) {
    const hf_p2pd_key *k = ctx;
    uint8_t der[HF_DER_MAX];
    size_t len;
    hf_err err = hf_secp_sign(k->secp, k->seed, message, der, &len);
    if (!err) hf_buf_add(ret, HF_BYTES(der, len));
    return err ? err : ret->err;
}

static bool fill_random(uint8_t *out, size_t len) { return getrandom(out, len, 0) == (ssize_t)len; }

static const char *load_secp(hf_p2pd_key *k, hf_mem *mem, hf_bytes data) {
    uint8_t blinding[32], public[33];
    if (data.len != sizeof k->seed || !fill_random(blinding, sizeof blinding)) return "not a secp256k1 key";
    memcpy(k->seed, data.ptr, sizeof k->seed);
    k->secp = hf_secp_new(mem, blinding);
    if (!k->secp) return "out of memory";
    if (hf_secp_public(k->secp, k->seed, public)) return "not a secp256k1 key";
    put_message(k, TYPE_SECP256K1, HF_BYTES(public, sizeof public));
    k->key.sign = sign_secp;
    k->key.ctx = k;
    return NULL;
}

static const char *load_seed(hf_p2pd_key *k, hf_bytes data) {
    if (data.len != 64 && data.len != 96) return "not an Ed25519 key";
    memcpy(k->seed, data.ptr, sizeof k->seed);
    k->is_seed = true;
    return NULL;
}

/* ---- the file ---- */

static const char *load(hf_p2pd_key *k, hf_mem *mem, hf_bytes file) {
    uint64_t type;
    hf_bytes data;
    if (!read_message(file, &type, &data)) return "not a private key as libp2p writes it";
    const char *bad = type == TYPE_ED25519 ? load_seed(k, data) : type == TYPE_SECP256K1 ? load_secp(k, mem, data) : load_evp(k, type, data);
    return bad ? bad : k->message.err ? "out of memory" : NULL;
}

const char *hf_p2pd_key_load(hf_p2pd_key *k, hf_mem *mem, const char *path) {
    uint8_t bytes[FILE_MAX];
    *k = (hf_p2pd_key){.is_seed = !path};
    hf_buf_init(&k->message, mem);
    if (!path) return fill_random(k->seed, sizeof k->seed) ? NULL : "no randomness";
    FILE *file = fopen(path, "rb");
    if (!file) return strerror(errno);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    const char *bad = load(k, mem, HF_BYTES(bytes, len));
    hf_wipe(bytes, sizeof bytes);
    return bad;
}

void hf_p2pd_key_drop(hf_p2pd_key *k) {
    EVP_PKEY_free(k->evp);
    hf_secp_free(k->secp);
    hf_buf_deinit(&k->message);
    hf_wipe(k, sizeof *k);
}

/* ECDSA on secp256k1 over SHA-256 (SEC 1; nonces RFC 6979) over libsecp256k1.
 *
 * Refuses: signatures that are not strict DER (BIP 66) or have a high S (BIP 146), so that one message and nonce have
 * one signature: an entry's CID covers its signature, and a second form of it would be a second entry.
 * Verification uses the library's static context and allocates nothing. */
#include "crypto.h"

#include <secp256k1.h>
#include <secp256k1_preallocated.h>
#include <string.h>

_Static_assert(sizeof(secp256k1_pubkey) == sizeof(hf_secp_key), "a parsed key is the library's");

enum { COMPRESSED_LEN = 33, DER_MIN = 8 };

struct hf_secp {
    hf_mem *mem;
    size_t len; /* of this whole block */
    secp256k1_context *context;
    _Alignas(16) uint8_t room[]; /* the library's context lives here */
};

hf_secp *hf_secp_new(hf_mem *mem, const uint8_t seed[32]) {
    size_t len = sizeof(hf_secp) + secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE);
    hf_secp *secp = hf_alloc(mem, len);
    if (!secp) return NULL;
    secp->mem = mem;
    secp->len = len;
    secp->context = secp256k1_context_preallocated_create(secp->room, SECP256K1_CONTEXT_NONE);
    int blinded = secp256k1_context_randomize(secp->context, seed);
    HF_ASSERT(blinded);
    return secp;
}

void hf_secp_free(hf_secp *secp) {
    if (!secp) return;
    secp256k1_context_preallocated_destroy(secp->context);
    hf_mem *mem = secp->mem;
    size_t len = secp->len;
    hf_wipe(secp, len);
    hf_release(mem, secp, len);
}

hf_err hf_secp_public(const hf_secp *secp, const uint8_t secret[32], uint8_t ret_public[33]) {
    secp256k1_pubkey key;
    if (!secp256k1_ec_pubkey_create(secp->context, &key, secret)) return HF_MALFORMED;
    size_t len = COMPRESSED_LEN;
    secp256k1_ec_pubkey_serialize(secp->context, ret_public, &len, &key, SECP256K1_EC_COMPRESSED);
    return HF_OK;
}

hf_err hf_secp_parse(hf_bytes public_key, hf_secp_key *ret_key) {
    if (public_key.len != COMPRESSED_LEN) return HF_MALFORMED;
    secp256k1_pubkey key;
    if (!secp256k1_ec_pubkey_parse(secp256k1_context_static, &key, public_key.ptr, public_key.len)) return HF_MALFORMED;
    memcpy(ret_key->opaque, &key, sizeof key);
    return HF_OK;
}

hf_err hf_secp_sign(const hf_secp *secp, const uint8_t secret[32], hf_bytes message, uint8_t ret_der[HF_DER_MAX],
                    size_t *ret_der_len) {
    uint8_t digest[32];
    hf_sha256_of(message, digest);
    secp256k1_ecdsa_signature signature;
    if (!secp256k1_ecdsa_sign(secp->context, &signature, digest, secret, NULL, NULL)) return HF_MALFORMED;
    *ret_der_len = HF_DER_MAX;
    int fits = secp256k1_ecdsa_signature_serialize_der(secp->context, ret_der, ret_der_len, &signature);
    HF_ASSERT(fits);
    return HF_OK;
}

/* One INTEGER at `at`, the end of which is *ret_end. BIP 66: "Negative numbers are not allowed", and "Null bytes at the
 * start are not allowed, unless [it] would otherwise be interpreted as a negative number". */
static bool strict_integer(hf_bytes der, size_t at, size_t *ret_end) {
    if (der.len - at < 3 || der.ptr[at] != 0x02) return false;
    size_t len = der.ptr[at + 1];
    if (len == 0 || len > der.len - at - 2) return false;
    const uint8_t *n = der.ptr + at + 2;
    if (n[0] & 0x80) return false;
    if (len > 1 && n[0] == 0x00 && !(n[1] & 0x80)) return false;
    *ret_end = at + 2 + len;
    return true;
}

/* BIP 66: 0x30 [total-length] 0x02 [R-length] [R] 0x02 [S-length] [S]; our form has no sighash byte behind it. Lengths are
 * single bytes because 72 is all there can be. The library's own parser lets negative integers through as zero. */
static bool strict_der(hf_bytes der) {
    if (der.len < DER_MIN || der.len > HF_DER_MAX) return false;
    if (der.ptr[0] != 0x30 || der.ptr[1] != der.len - 2) return false;
    size_t r_end, s_end;
    return strict_integer(der, 2, &r_end) && strict_integer(der, r_end, &s_end) && s_end == der.len;
}

hf_err hf_secp_verify(const hf_secp_key *key, hf_bytes message, hf_bytes der) {
    if (!strict_der(der)) return HF_MALFORMED;
    secp256k1_ecdsa_signature signature;
    if (!secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &signature, der.ptr, der.len))
        return HF_MALFORMED;
    secp256k1_pubkey parsed;
    memcpy(&parsed, key->opaque, sizeof parsed);
    uint8_t digest[32];
    hf_sha256_of(message, digest);
    /* The library's verify refuses S above half the order by itself. */
    return secp256k1_ecdsa_verify(secp256k1_context_static, &signature, digest, &parsed) ? HF_OK : HF_DENIED;
}

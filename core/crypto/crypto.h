/* crypto: a thin face over libsodium and libsecp256k1. No algorithm of our own, no randomness, no global state:
 * secrets and nonces are handed in. All comparisons of secrets are constant time.
 */
#ifndef HF_CRYPTO_H
#define HF_CRYPTO_H

#include "../base/base.h"

void hf_wipe(void *ptr, size_t len);                       /* zeroes, not optimised away */
bool hf_equal_ct(const void *a, const void *b, size_t len); /* constant time */

/* ---- SHA-256, HMAC, HKDF (FIPS 180-4, RFC 2104, RFC 5869) ---- */
typedef struct hf_sha256 { _Alignas(16) uint8_t opaque[128]; } hf_sha256;
void hf_sha256_init(hf_sha256 *state);
void hf_sha256_add(hf_sha256 *state, hf_bytes bytes);
void hf_sha256_end(hf_sha256 *state, uint8_t ret_digest[32]);
void hf_sha256_of(hf_bytes bytes, uint8_t ret_digest[32]);
void hf_hmac_sha256(hf_bytes key, hf_bytes bytes, uint8_t ret_mac[32]);
/* RFC 5869 extract then expand; HF_LIMIT when ret_len > 255*32. */
HF_MUST_USE hf_err hf_hkdf_sha256(hf_bytes salt, hf_bytes ikm, hf_bytes info, uint8_t *ret, size_t ret_len);

/* ---- X25519 (RFC 7748) ---- */
void hf_x25519_public(const uint8_t secret[32], uint8_t ret_public[32]);
/* HF_DENIED when the result would be all zero (low-order point). */
HF_MUST_USE hf_err hf_x25519(const uint8_t secret[32], const uint8_t peer_public[32], uint8_t ret_shared[32]);

/* ---- ChaCha20-Poly1305, IETF nonce (RFC 8439) ---- */
/* Writes bytes.len + 16 bytes to ret; ret may equal bytes.ptr. */
void hf_aead_seal(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret);
/* Writes bytes.len - 16 bytes to ret; ret may equal bytes.ptr. HF_DENIED when the tag does not fit or len < 16. */
HF_MUST_USE hf_err hf_aead_open(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret);

/* ---- Ed25519 (RFC 8032; strict: S < L, no small-order keys) ---- */
void hf_ed25519_public(const uint8_t seed[32], uint8_t ret_public[32]);
void hf_ed25519_sign(const uint8_t seed[32], const uint8_t public_key[32], hf_bytes message, uint8_t ret_signature[64]);
HF_MUST_USE hf_err hf_ed25519_verify(const uint8_t public_key[32], hf_bytes message, hf_bytes signature);

/* ---- secp256k1 ECDSA over SHA-256 (SEC 1, RFC 6979, BIP 146 low-S, BIP 66 strict DER) ---- */
typedef struct hf_secp hf_secp;       /* signing context; verification needs none */
typedef struct hf_secp_key { uint8_t opaque[64]; } hf_secp_key; /* a parsed public key */
enum { HF_DER_MAX = 72 };
/* `seed` blinds the context against side channels: 32 random bytes. NULL on no memory. */
hf_secp *hf_secp_new(hf_mem *mem, const uint8_t seed[32]);
void hf_secp_free(hf_secp *secp);
/* A secret is valid when 0 < n < group order; HF_MALFORMED otherwise. */
HF_MUST_USE hf_err hf_secp_public(const hf_secp *secp, const uint8_t secret[32], uint8_t ret_public[33]);
/* 33-byte compressed only; HF_MALFORMED otherwise. */
HF_MUST_USE hf_err hf_secp_parse(hf_bytes public_key, hf_secp_key *ret_key);
/* Signs SHA-256(message), RFC 6979 nonce, low-S, DER. ret_der_len <= HF_DER_MAX. */
HF_MUST_USE hf_err hf_secp_sign(const hf_secp *secp, const uint8_t secret[32], hf_bytes message,
                                uint8_t ret_der[HF_DER_MAX], size_t *ret_der_len);
/* HF_MALFORMED: not strict DER. HF_DENIED: high S, or does not fit. */
HF_MUST_USE hf_err hf_secp_verify(const hf_secp_key *key, hf_bytes message, hf_bytes der);

#endif

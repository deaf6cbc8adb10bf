/* SHA-256 of one piece (the function itself is sha256_native.c's or sha256_wasm.c's), HMAC-SHA-256 (RFC 2104), HKDF-SHA-256 (RFC 5869) over libsodium.
 * States live on the caller's stack; nothing is allocated, because every entry, block and signature passes here. */
#include "crypto.h"

#include <sodium/crypto_auth_hmacsha256.h>
#include <string.h>

enum { DIGEST_LEN = 32, HKDF_BLOCKS_MAX = 255 }; /* RFC 5869, 2.3: L <= 255 * HashLen */

void hf_sha256_of(hf_bytes bytes, uint8_t ret_digest[32]) {
    hf_sha256 state;
    hf_sha256_init(&state);
    hf_sha256_add(&state, bytes);
    hf_sha256_end(&state, ret_digest);
}

/* An empty view may carry a NULL pointer, which libsodium's copies must not see. */
static void hmac_add(crypto_auth_hmacsha256_state *state, hf_bytes bytes) {
    if (bytes.len) crypto_auth_hmacsha256_update(state, bytes.ptr, bytes.len);
}

static void hmac_init(crypto_auth_hmacsha256_state *state, hf_bytes key) {
    static const uint8_t none[1];
    crypto_auth_hmacsha256_init(state, key.len ? key.ptr : none, key.len);
}

void hf_hmac_sha256(hf_bytes key, hf_bytes bytes, uint8_t ret_mac[32]) {
    crypto_auth_hmacsha256_state state;
    hmac_init(&state, key);
    hmac_add(&state, bytes);
    crypto_auth_hmacsha256_final(&state, ret_mac);
    hf_wipe(&state, sizeof state);
}

/* RFC 5869, 2.3: T(n) = HMAC-Hash(PRK, T(n-1) | info | n) */
static void hkdf_block(const uint8_t prk[DIGEST_LEN], hf_bytes before, hf_bytes info, uint8_t n,
                       uint8_t ret[DIGEST_LEN]) {
    crypto_auth_hmacsha256_state state;
    hmac_init(&state, HF_BYTES(prk, DIGEST_LEN));
    hmac_add(&state, before);
    hmac_add(&state, info);
    hmac_add(&state, HF_BYTES(&n, 1));
    crypto_auth_hmacsha256_final(&state, ret);
    hf_wipe(&state, sizeof state);
}

hf_err hf_hkdf_sha256(hf_bytes salt, hf_bytes ikm, hf_bytes info, uint8_t *ret, size_t ret_len) {
    if (ret_len > (size_t)HKDF_BLOCKS_MAX * DIGEST_LEN) return HF_LIMIT;
    uint8_t prk[DIGEST_LEN], t[DIGEST_LEN];
    hf_hmac_sha256(salt, ikm, prk);
    size_t t_len = 0;
    uint8_t n = 1;
    for (size_t at = 0; at < ret_len; at += DIGEST_LEN, n++) {
        hkdf_block(prk, HF_BYTES(t, t_len), info, n, t);
        t_len = DIGEST_LEN;
        size_t left = ret_len - at;
        memcpy(ret + at, t, left < DIGEST_LEN ? left : DIGEST_LEN);
    }
    hf_wipe(prk, sizeof prk);
    hf_wipe(t, sizeof t);
    return HF_OK;
}

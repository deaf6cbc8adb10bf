/* SHA-256 (FIPS 180-4) in WebAssembly: libsodium's. The Makefile takes this file or sha256_native.c. */
#include "crypto.h"

#include <sodium/crypto_hash_sha256.h>

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(hf_sha256), "the library's state fits ours");
_Static_assert(_Alignof(crypto_hash_sha256_state) <= _Alignof(hf_sha256), "and its alignment");

static crypto_hash_sha256_state *inner(hf_sha256 *state) { return (crypto_hash_sha256_state *)(void *)state->opaque; }

void hf_sha256_init(hf_sha256 *state) { crypto_hash_sha256_init(inner(state)); }

void hf_sha256_add(hf_sha256 *state, hf_bytes bytes) {
    if (bytes.len) crypto_hash_sha256_update(inner(state), bytes.ptr, bytes.len);
}

void hf_sha256_end(hf_sha256 *state, uint8_t ret_digest[32]) { crypto_hash_sha256_final(inner(state), ret_digest); }

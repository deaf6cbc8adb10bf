/* SHA-256 (FIPS 180-4) natively: OpenSSL's, which uses the processor's own instructions where there are some; libsodium's is plain C, and two hashes
 * an entry were half of what an append costs beside its signature. The one-shot interface of OpenSSL 3 looks the algorithm up at each call, so this is
 * the older one. The Makefile takes this file or sha256_wasm.c. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto.h"

#include <openssl/sha.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(hf_sha256), "the library's state fits ours");
_Static_assert(_Alignof(SHA256_CTX) <= _Alignof(hf_sha256), "and its alignment");

static SHA256_CTX *inner(hf_sha256 *state) { return (SHA256_CTX *)(void *)state->opaque; }

void hf_sha256_init(hf_sha256 *state) { SHA256_Init(inner(state)); }

void hf_sha256_add(hf_sha256 *state, hf_bytes bytes) {
    if (bytes.len) SHA256_Update(inner(state), bytes.ptr, bytes.len);
}

void hf_sha256_end(hf_sha256 *state, uint8_t ret_digest[32]) { SHA256_Final(ret_digest, inner(state)); }

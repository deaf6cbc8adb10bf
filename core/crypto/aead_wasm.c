/* ChaCha20-Poly1305 in WebAssembly: libsodium's for every length. The Makefile takes this file or aead_native.c. */
#include "aead_private.h"

hf_aead_way hf_aead_seal_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    (void)key, (void)nonce, (void)ad, (void)bytes, (void)ret;
    return HF_AEAD_OTHER_WAY;
}

hf_aead_way hf_aead_open_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    (void)key, (void)nonce, (void)ad, (void)bytes, (void)ret;
    return HF_AEAD_OTHER_WAY;
}

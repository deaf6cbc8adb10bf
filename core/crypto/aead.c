/* ChaCha20-Poly1305 with the IETF's 12-byte nonce (RFC 8439): short messages over libsodium, long ones over what the platform has (aead_native.c,
 * aead_wasm.c). Refuses: a message whose tag does not fit; then nothing of the plaintext is handed out. */
#include "aead_private.h"

#include <sodium/crypto_aead_chacha20poly1305.h>

enum { TAG_LEN = 16, LONG_LEN = 1024 };

void hf_aead_seal(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    if (bytes.len >= LONG_LEN && hf_aead_seal_long(key, nonce, ad, bytes, ret)) return;
    crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, bytes.ptr, bytes.len, ad.ptr, ad.len, NULL, nonce, key);
}

hf_err hf_aead_open(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    if (bytes.len < TAG_LEN) return HF_DENIED;
    hf_aead_way way = bytes.len >= LONG_LEN ? hf_aead_open_long(key, nonce, ad, bytes, ret) : HF_AEAD_OTHER_WAY;
    if (way == HF_AEAD_REFUSED) hf_wipe(ret, bytes.len - TAG_LEN);
    if (way) return way == HF_AEAD_DONE ? HF_OK : HF_DENIED;
    int bad = crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, bytes.ptr, bytes.len, ad.ptr, ad.len, nonce,
                                                        key);
    return bad ? HF_DENIED : HF_OK;
}

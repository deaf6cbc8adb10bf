/* ChaCha20-Poly1305 with the IETF's 12-byte nonce (RFC 8439) over libsodium.
 * Refuses: a message whose tag does not fit; then nothing of the plaintext is handed out. */
#include "crypto.h"

#include <sodium/crypto_aead_chacha20poly1305.h>

enum { TAG_LEN = 16 };

void hf_aead_seal(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    crypto_aead_chacha20poly1305_ietf_encrypt(ret, NULL, bytes.ptr, bytes.len, ad.ptr, ad.len, NULL, nonce, key);
}

hf_err hf_aead_open(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    if (bytes.len < TAG_LEN) return HF_DENIED;
    int bad = crypto_aead_chacha20poly1305_ietf_decrypt(ret, NULL, NULL, bytes.ptr, bytes.len, ad.ptr, ad.len, nonce,
                                                        key);
    return bad ? HF_DENIED : HF_OK;
}

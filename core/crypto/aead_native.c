/* Long ChaCha20-Poly1305 messages natively: OpenSSL's, three to five times as fast as libsodium's, whose Poly1305 knows nothing newer than SSE2.
 * Its contexts cost some 300 ns a message, so short ones are better off with libsodium. Without memory for one nothing has been done yet and
 * libsodium does it all. The Makefile takes this file or aead_wasm.c. */
#include "aead_private.h"

#include <openssl/evp.h>

enum { TAG_LEN = 16, LEN_MAX = 1 << 30 };

/* One pass with the key, nonce and additional data set. NULL: no memory. */
static EVP_CIPHER_CTX *begin(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, bool seals) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int len = 0;
    bool ok = ctx && EVP_CipherInit_ex2(ctx, EVP_chacha20_poly1305(), key, nonce, seals, NULL) == 1;
    if (ok && ad.len) ok = EVP_CipherUpdate(ctx, NULL, &len, ad.ptr, (int)ad.len) == 1;
    if (ok) return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

hf_aead_way hf_aead_seal_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    if (bytes.len > LEN_MAX || ad.len > LEN_MAX) return HF_AEAD_OTHER_WAY;
    EVP_CIPHER_CTX *ctx = begin(key, nonce, ad, true);
    int len = 0;
    if (!ctx) return HF_AEAD_OTHER_WAY;
    bool ok = EVP_EncryptUpdate(ctx, ret, &len, bytes.ptr, (int)bytes.len) == 1 && EVP_EncryptFinal_ex(ctx, ret + bytes.len, &len) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, ret + bytes.len) == 1;
    EVP_CIPHER_CTX_free(ctx); /* wipes the key */
    HF_ASSERT(ok);            /* a stream cipher in memory that is there has nothing to fail on */
    return HF_AEAD_DONE;
}

hf_aead_way hf_aead_open_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret) {
    size_t text_len = bytes.len - TAG_LEN;
    if (bytes.len > LEN_MAX || ad.len > LEN_MAX) return HF_AEAD_OTHER_WAY;
    EVP_CIPHER_CTX *ctx = begin(key, nonce, ad, false);
    int len = 0;
    if (!ctx) return HF_AEAD_OTHER_WAY;
    bool fits = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, (void *)(uintptr_t)(bytes.ptr + text_len)) == 1 &&
                EVP_DecryptUpdate(ctx, ret, &len, bytes.ptr, (int)text_len) == 1 && EVP_DecryptFinal_ex(ctx, ret + text_len, &len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return fits ? HF_AEAD_DONE : HF_AEAD_REFUSED;
}

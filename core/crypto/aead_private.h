/* aead_private: what aead.c asks of the platform: a quicker way for long messages, where there is one. */
#ifndef HF_AEAD_PRIVATE_H
#define HF_AEAD_PRIVATE_H
#include "crypto.h"

typedef enum hf_aead_way { HF_AEAD_OTHER_WAY = 0, HF_AEAD_DONE, HF_AEAD_REFUSED } hf_aead_way;

/* As hf_aead_seal and hf_aead_open. HF_AEAD_OTHER_WAY: nothing was written, libsodium is to do it. After HF_AEAD_REFUSED what `ret` holds is to be wiped. */
hf_aead_way hf_aead_seal_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret);
hf_aead_way hf_aead_open_long(const uint8_t key[32], const uint8_t nonce[12], hf_bytes ad, hf_bytes bytes, uint8_t *ret);
#endif

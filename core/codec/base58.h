/* base58: the bitcoin alphabet, as base58btc and peer ids use it. Private to multibase.c, which has the public face. */
#ifndef HF_BASE58_H
#define HF_BASE58_H
#include "multibase.h"

/* As hf_base_read. */
HF_MUST_USE hf_err hf_base58_read(hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len);
#endif

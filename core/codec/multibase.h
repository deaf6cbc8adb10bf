/* multibase: bytes <-> text. base16 (f), base32 lower no padding (b), base58btc (z), base64url no padding (u),
 * base64 no padding (m). Spec: multiformats/multibase. Decoding is strict: no stray characters, no padding, no
 * non-zero trailing bits, one letter case. */
#ifndef HF_MULTIBASE_H
#define HF_MULTIBASE_H
#include "../base/base.h"

typedef enum hf_base {
    HF_BASE16 = 'f',
    HF_BASE32 = 'b',
    HF_BASE58BTC = 'z',
    HF_BASE64 = 'm',
    HF_BASE64URL = 'u'
} hf_base;

enum { HF_BASE58_BYTES_MAX = 512 }; /* base58 is quadratic: longer input is refused with HF_LIMIT */
enum { HF_BASE58_TEXT_MAX = 700 };  /* the longest text of so many bytes: 512 * log(256)/log(58), rounded up */

/* Without the multibase prefix character. base58 of more than HF_BASE58_BYTES_MAX sets buf->err to HF_LIMIT. */
void hf_base_add(hf_buf *buf, hf_base base, hf_bytes bytes);
/* Appends to *ret; on failure nothing is appended. HF_MALFORMED, HF_LIMIT (base58 too long), HF_NOMEM. */
HF_MUST_USE hf_err hf_base_decode(hf_base base, hf_bytes text, hf_buf *ret);
/* With the prefix character. HF_MALFORMED for an unknown prefix. */
void hf_multibase_add(hf_buf *buf, hf_base base, hf_bytes bytes);
HF_MUST_USE hf_err hf_multibase_decode(hf_bytes text, hf_buf *ret);

/* ---- into the caller's memory ---- */
/* At most `cap` bytes; HF_LIMIT when it would be more. */
HF_MUST_USE hf_err hf_base_read(hf_base base, hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len);
HF_MUST_USE hf_err hf_multibase_read(hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len);
/* bytes.len <= HF_BASE58_BYTES_MAX (asserted); returns the length, no NUL. */
size_t hf_base58_write(hf_bytes bytes, char ret[HF_BASE58_TEXT_MAX]);
#endif

/* json: RFC 8259 text <-> value. Refuses duplicate keys, lone surrogates, broken UTF-8, control characters in
 * strings, trailing bytes and nesting beyond HF_VALUE_DEPTH_MAX. Integers that fit int64 stay integers (-0 is 0),
 * other numbers become the nearest double; one too large for a double is refused. Strings without escapes are views
 * into the text. */
#ifndef HF_JSON_H
#define HF_JSON_H
#include "value.h"

/* HF_MALFORMED / HF_TRUNCATED (the text ends early) / HF_LIMIT (depth) / HF_NOMEM, with fault. */
HF_MUST_USE hf_err hf_json_decode(hf_arena *arena, hf_bytes text, hf_value *ret, hf_fault *fault);
/* Compact. Numbers as JavaScript prints them (so a float beyond 2^53 reads back as the integer that its digits
 * spell); NaN and infinity are null. BYTES become {"$bytes": hex}, LINK {"$cid": "b…" or "Qm…"}; broken UTF-8
 * becomes U+FFFD. Also safe inside <script type="application/ld+json">: '<' '>' '&' U+2028/9 are escaped. Nesting
 * beyond twice HF_VALUE_DEPTH_MAX sets buf->err to HF_LIMIT, a spoiled value to HF_NOMEM. */
void hf_json_add(hf_buf *buf, const hf_value *value);
void hf_json_add_text(hf_buf *buf, hf_bytes text); /* one quoted string */
#endif

/* canonical: are these bytes exactly what our own dag-cbor writer would have written? One pass, no memory.
 * Spec: interop notes section 2. Used where a signature covers the canonical form: canonical bytes are signed as they stand, others are
 * decoded and written anew first.
 * Refuses (as not canonical, without saying why): all that the decoder refuses, and keys out of order, short floats, `undefined`, floats
 * that are integers, nesting deeper than HF_VALUE_DEPTH_MAX. */
#ifndef HF_CANONICAL_H
#define HF_CANONICAL_H
#include "../codec/value.h"

/* Is there one canonical item at the front? *ret_len: bytes it takes. */
bool hf_canonical_item(hf_bytes bytes, size_t *ret_len);

/* A cursor over canonical bytes whose layout is known. The first failure sticks; afterwards reads give zero and empty. */
typedef struct hf_canonical {
    hf_bytes in;
    size_t at;
    bool failed;
} hf_canonical;
uint64_t hf_canonical_head(hf_canonical *c, unsigned major); /* the argument of a head of this major type */
hf_bytes hf_canonical_text(hf_canonical *c);                 /* valid UTF-8 */
hf_bytes hf_canonical_take(hf_canonical *c, size_t len);     /* the next bytes, whatever they are */
void hf_canonical_expect(hf_canonical *c, hf_bytes literal); /* exactly these bytes come next */
#endif

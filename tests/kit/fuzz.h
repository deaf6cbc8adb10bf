/* fuzz: what fuzz targets (*_fuzz.c) share: memory, random bytes that are always the same, and taking the input apart, always within it. */
#ifndef HF_FUZZ_H
#define HF_FUZZ_H

#include "../../core/base/base.h"

#include <stdlib.h>

/* What a target is; libFuzzer calls it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* For a hf_mem; ctx: NULL, or a size_t that counts the bytes that are out. */
static inline void *hf_fuzz_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    if (ctx) *(size_t *)ctx += new_len - old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

/* For a `random` of a host; ctx: a uint64_t that it goes on from. */
static inline void hf_fuzz_fill(void *ctx, uint8_t *out, size_t len) {
    uint64_t *state = ctx;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)((*state = *state * 6364136223846793005u + 1442695040888963407u) >> 56);
}

/* Is it empty, or does it lie in the other? */
static inline bool hf_fuzz_lies_in(hf_bytes part, hf_bytes all) { return !part.len || (part.ptr >= all.ptr && part.ptr + part.len <= all.ptr + all.len); }

/* Takes what stands before the next `end`, and that as well; all that is left where there is none. */
static inline hf_bytes hf_fuzz_until(hf_bytes *in, uint8_t end) {
    hf_bytes front = hf_sub(*in, 0, hf_find(*in, end, 0));
    *in = hf_sub(*in, front.len + 1, in->len);
    return front;
}

/* Takes a step: a head of three bytes, the last `n_len` of which (1 or 2, big-endian) say how many bytes follow, or fewer at the end.
 * False: no head is left. */
static inline bool hf_fuzz_step(hf_bytes *in, size_t n_len, const uint8_t **ret_head, hf_bytes *ret_bytes) {
    if (in->len < 3) return false;
    *ret_head = in->ptr;
    *ret_bytes = hf_sub(*in, 3, (n_len == 2 ? (size_t)in->ptr[1] << 8 : 0) | in->ptr[2]);
    *in = hf_sub(*in, 3 + ret_bytes->len, in->len);
    return true;
}

#endif

/* utf8: see utf8.h. */
#include "utf8.h"

#include <string.h>

static uint64_t top_bits(const uint8_t *p) {
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word & 0x8080808080808080u;
}

bool hf_utf8_check(hf_bytes s) {
    if (s.len < 8) return hf_utf8_valid(s);
    size_t i = 0;
    while (s.len - i >= 8 && !top_bits(s.ptr + i)) i += 8;
    if (s.len - i < 8 && !top_bits(s.ptr + s.len - 8)) return true; /* the rest, together with what was seen already */
    return hf_utf8_valid(hf_sub(s, i, s.len));
}

/* RFC 3629, table in section 4: the second byte's range excludes overlongs, surrogates and what lies beyond
 * U+10FFFF. */
static void second_range(uint8_t lead, uint8_t *ret_lo, uint8_t *ret_hi) {
    *ret_lo = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *ret_hi = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
}

size_t hf_utf8_step(hf_bytes s, bool *ret_valid) {
    uint8_t lead = s.ptr[0], lo, hi;
    *ret_valid = lead < 0x80;
    if (lead < 0xc2 || lead > 0xf4) return 1;
    size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2, i = 1;
    second_range(lead, &lo, &hi);
    for (; i < len && i < s.len && s.ptr[i] >= lo && s.ptr[i] <= hi; i++) lo = 0x80, hi = 0xbf;
    *ret_valid = i == len;
    return i;
}

static const uint8_t REPLACEMENT[3] = {0xef, 0xbf, 0xbd};

void hf_utf8_add_repaired(hf_buf *buf, hf_bytes s) {
    bool valid;
    for (size_t i = 0, len; i < s.len; i += len) {
        len = hf_utf8_step(hf_sub(s, i, s.len), &valid);
        hf_buf_add(buf, valid ? hf_sub(s, i, len) : HF_BYTES(REPLACEMENT, 3));
    }
}

static size_t repaired_len(hf_bytes s) {
    size_t total = 0;
    bool valid;
    for (size_t i = 0, len; i < s.len; i += len) {
        len = hf_utf8_step(hf_sub(s, i, s.len), &valid);
        total += valid ? len : 3;
    }
    return total;
}

hf_bytes hf_utf8_repair(hf_arena *arena, hf_bytes s) {
    size_t total = repaired_len(s), at = 0;
    uint8_t *out = hf_arena_alloc(arena, total);
    if (!out) return HF_BYTES(NULL, 0);
    bool valid;
    for (size_t i = 0, len; i < s.len; i += len) {
        len = hf_utf8_step(hf_sub(s, i, s.len), &valid);
        memcpy(out + at, valid ? s.ptr + i : REPLACEMENT, valid ? len : 3);
        at += valid ? len : 3;
    }
    return HF_BYTES(out, total);
}

size_t hf_utf8_write(uint32_t code, uint8_t ret[4]) {
    if (code < 0x80) {
        ret[0] = (uint8_t)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, code >>= 6) ret[i] = (uint8_t)(0x80 | (code & 0x3f));
    ret[0] = (uint8_t)((0xf00u >> len) | code);
    return len;
}

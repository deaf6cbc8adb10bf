/* fold: see fold.h. */
#include "fold.h"

#include "../codec/utf8.h"

/* Characters first, first + step, … last fold to themselves + delta. Sorted; drawn from Unicode 14's CaseFolding.txt.
 * */
static const struct {
    uint16_t first, last, step;
    int32_t delta;
} FOLDS[] = {
    {0x0041, 0x005a, 1, 32},     {0x00b5, 0x00b5, 1, 775},    {0x00c0, 0x00d6, 1, 32},     {0x00d8, 0x00de, 1, 32},
    {0x0100, 0x012e, 2, 1},      {0x0132, 0x0136, 2, 1},      {0x0139, 0x0147, 2, 1},      {0x014a, 0x0176, 2, 1},
    {0x0178, 0x0178, 1, -121},   {0x0179, 0x017d, 2, 1},      {0x017f, 0x017f, 1, -268},   {0x0181, 0x0181, 1, 210},
    {0x0182, 0x0184, 2, 1},      {0x0186, 0x0186, 1, 206},    {0x0187, 0x0187, 1, 1},      {0x0189, 0x018a, 1, 205},
    {0x018b, 0x018b, 1, 1},      {0x018e, 0x018e, 1, 79},     {0x018f, 0x018f, 1, 202},    {0x0190, 0x0190, 1, 203},
    {0x0191, 0x0191, 1, 1},      {0x0193, 0x0193, 1, 205},    {0x0194, 0x0194, 1, 207},    {0x0196, 0x0196, 1, 211},
    {0x0197, 0x0197, 1, 209},    {0x0198, 0x0198, 1, 1},      {0x019c, 0x019c, 1, 211},    {0x019d, 0x019d, 1, 213},
    {0x019f, 0x019f, 1, 214},    {0x01a0, 0x01a4, 2, 1},      {0x01a6, 0x01a6, 1, 218},    {0x01a7, 0x01a7, 1, 1},
    {0x01a9, 0x01a9, 1, 218},    {0x01ac, 0x01ac, 1, 1},      {0x01ae, 0x01ae, 1, 218},    {0x01af, 0x01af, 1, 1},
    {0x01b1, 0x01b2, 1, 217},    {0x01b3, 0x01b5, 2, 1},      {0x01b7, 0x01b7, 1, 219},    {0x01b8, 0x01b8, 1, 1},
    {0x01bc, 0x01bc, 1, 1},      {0x01c4, 0x01c4, 1, 2},      {0x01c5, 0x01c5, 1, 1},      {0x01c7, 0x01c7, 1, 2},
    {0x01c8, 0x01c8, 1, 1},      {0x01ca, 0x01ca, 1, 2},      {0x01cb, 0x01db, 2, 1},      {0x01de, 0x01ee, 2, 1},
    {0x01f1, 0x01f1, 1, 2},      {0x01f2, 0x01f4, 2, 1},      {0x01f6, 0x01f6, 1, -97},    {0x01f7, 0x01f7, 1, -56},
    {0x01f8, 0x021e, 2, 1},      {0x0220, 0x0220, 1, -130},   {0x0222, 0x0232, 2, 1},      {0x023a, 0x023a, 1, 10795},
    {0x023b, 0x023b, 1, 1},      {0x023d, 0x023d, 1, -163},   {0x023e, 0x023e, 1, 10792},  {0x0241, 0x0241, 1, 1},
    {0x0243, 0x0243, 1, -195},   {0x0244, 0x0244, 1, 69},     {0x0245, 0x0245, 1, 71},     {0x0246, 0x024e, 2, 1},
    {0x0345, 0x0345, 1, 116},    {0x0370, 0x0372, 2, 1},      {0x0376, 0x0376, 1, 1},      {0x037f, 0x037f, 1, 116},
    {0x0386, 0x0386, 1, 38},     {0x0388, 0x038a, 1, 37},     {0x038c, 0x038c, 1, 64},     {0x038e, 0x038f, 1, 63},
    {0x0391, 0x03a1, 1, 32},     {0x03a3, 0x03ab, 1, 32},     {0x03c2, 0x03c2, 1, 1},      {0x03cf, 0x03cf, 1, 8},
    {0x03d0, 0x03d0, 1, -30},    {0x03d1, 0x03d1, 1, -25},    {0x03d5, 0x03d5, 1, -15},    {0x03d6, 0x03d6, 1, -22},
    {0x03d8, 0x03e0, 2, 1},      {0x03f0, 0x03f0, 1, -54},    {0x03f1, 0x03f1, 1, -48},    {0x03f4, 0x03f4, 1, -60},
    {0x03f5, 0x03f5, 1, -64},    {0x03f7, 0x03f7, 1, 1},      {0x03f9, 0x03f9, 1, -7},     {0x03fa, 0x03fa, 1, 1},
    {0x03fd, 0x03ff, 1, -130},   {0x0400, 0x040f, 1, 80},     {0x0410, 0x042f, 1, 32},     {0x0460, 0x0480, 2, 1},
    {0x048a, 0x04be, 2, 1},      {0x04c0, 0x04c0, 1, 15},     {0x04c1, 0x04cd, 2, 1},      {0x04d0, 0x052e, 2, 1},
    {0x1c80, 0x1c80, 1, -6222},  {0x1c81, 0x1c81, 1, -6221},  {0x1c82, 0x1c82, 1, -6212},  {0x1c83, 0x1c84, 1, -6210},
    {0x1c85, 0x1c85, 1, -6211},  {0x1c86, 0x1c86, 1, -6204},  {0x1c87, 0x1c87, 1, -6180},  {0x1c88, 0x1c88, 1, 35267},
    {0x1e00, 0x1e94, 2, 1},      {0x1e9b, 0x1e9b, 1, -58},    {0x1e9e, 0x1e9e, 1, -7615},  {0x1ea0, 0x1efe, 2, 1},
    {0x1f08, 0x1f0f, 1, -8},     {0x1f18, 0x1f1d, 1, -8},     {0x1f28, 0x1f2f, 1, -8},     {0x1f38, 0x1f3f, 1, -8},
    {0x1f48, 0x1f4d, 1, -8},     {0x1f59, 0x1f5f, 2, -8},     {0x1f68, 0x1f6f, 1, -8},     {0x1f88, 0x1f8f, 1, -8},
    {0x1f98, 0x1f9f, 1, -8},     {0x1fa8, 0x1faf, 1, -8},     {0x1fb8, 0x1fb9, 1, -8},     {0x1fba, 0x1fbb, 1, -74},
    {0x1fbc, 0x1fbc, 1, -9},     {0x1fbe, 0x1fbe, 1, -7173},  {0x1fc8, 0x1fcb, 1, -86},    {0x1fcc, 0x1fcc, 1, -9},
    {0x1fd8, 0x1fd9, 1, -8},     {0x1fda, 0x1fdb, 1, -100},   {0x1fe8, 0x1fe9, 1, -8},     {0x1fea, 0x1feb, 1, -112},
    {0x1fec, 0x1fec, 1, -7},     {0x1ff8, 0x1ff9, 1, -128},   {0x1ffa, 0x1ffb, 1, -126},   {0x1ffc, 0x1ffc, 1, -9},
    {0x2126, 0x2126, 1, -7517},  {0x212a, 0x212a, 1, -8383},  {0x212b, 0x212b, 1, -8262},  {0x2c60, 0x2c60, 1, 1},
    {0x2c62, 0x2c62, 1, -10743}, {0x2c63, 0x2c63, 1, -3814},  {0x2c64, 0x2c64, 1, -10727}, {0x2c67, 0x2c6b, 2, 1},
    {0x2c6d, 0x2c6d, 1, -10780}, {0x2c6e, 0x2c6e, 1, -10749}, {0x2c6f, 0x2c6f, 1, -10783}, {0x2c70, 0x2c70, 1, -10782},
    {0x2c72, 0x2c72, 1, 1},      {0x2c75, 0x2c75, 1, 1},      {0x2c7e, 0x2c7f, 1, -10815}, {0xa640, 0xa66c, 2, 1},
    {0xa680, 0xa69a, 2, 1},      {0xa722, 0xa72e, 2, 1},      {0xa732, 0xa76e, 2, 1},      {0xa779, 0xa77b, 2, 1},
    {0xa77d, 0xa77d, 1, -35332}, {0xa77e, 0xa786, 2, 1},      {0xa78b, 0xa78b, 1, 1},      {0xa78d, 0xa78d, 1, -42280},
    {0xa790, 0xa792, 2, 1},      {0xa796, 0xa7a8, 2, 1},      {0xa7aa, 0xa7aa, 1, -42308}, {0xa7ab, 0xa7ab, 1, -42319},
    {0xa7ac, 0xa7ac, 1, -42315}, {0xa7ad, 0xa7ad, 1, -42305}, {0xa7ae, 0xa7ae, 1, -42308}, {0xa7b0, 0xa7b0, 1, -42258},
    {0xa7b1, 0xa7b1, 1, -42282}, {0xa7b2, 0xa7b2, 1, -42261}, {0xa7b3, 0xa7b3, 1, 928},    {0xa7b4, 0xa7c2, 2, 1},
    {0xa7c4, 0xa7c4, 1, -48},    {0xa7c5, 0xa7c5, 1, -42307}, {0xa7c6, 0xa7c6, 1, -35384}, {0xa7c7, 0xa7c9, 2, 1},
    {0xa7d0, 0xa7d0, 1, 1},      {0xa7d6, 0xa7d8, 2, 1},      {0xa7f5, 0xa7f5, 1, 1},      {0xff21, 0xff3a, 1, 32},
};

uint32_t hf_fold_char(uint32_t code) {
    if (code < 0x80) return code - 'A' < 26 ? code + 32 : code;
    size_t lo = 0, hi = HF_COUNT(FOLDS);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (FOLDS[mid].last < code)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == HF_COUNT(FOLDS) || code < FOLDS[lo].first || (code - FOLDS[lo].first) % FOLDS[lo].step) return code;
    return (uint32_t)((int32_t)code + FOLDS[lo].delta);
}

uint32_t hf_fold_next(hf_bytes s, size_t *at) {
    if (s.ptr[*at] < 0x80) return s.ptr[(*at)++];
    bool valid;
    size_t len = hf_utf8_step(hf_sub(s, *at, s.len), &valid);
    const uint8_t *p = s.ptr + *at;
    *at += len;
    if (!valid) return 0xfffd;
    uint32_t code = p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) code = code << 6 | (p[i] & 0x3f);
    return code;
}

static uint8_t fold_ascii(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* The next character, folded, as UTF-8. Most text is ASCII most of the time. */
static size_t fold_next(hf_bytes text, size_t *at, uint8_t ret[4]) {
    if (text.ptr[*at] >= 0x80) return hf_utf8_write(hf_fold_char(hf_fold_next(text, at)), ret);
    ret[0] = fold_ascii(text.ptr[(*at)++]);
    return 1;
}

/* Into `out`, or only counted when there is none. */
static size_t fold_into(hf_bytes text, uint8_t *out) {
    uint8_t bytes[4];
    size_t len = 0;
    for (size_t at = 0; at < text.len;) {
        size_t n = fold_next(text, &at, bytes);
        for (size_t i = 0; out && i < n; i++) out[len + i] = bytes[i];
        len += n;
    }
    return len;
}

hf_bytes hf_fold_text(hf_arena *arena, hf_bytes text) {
    size_t len = fold_into(text, NULL);
    uint8_t *out = hf_arena_alloc(arena, len + 1);
    if (!out) return HF_BYTES(NULL, 0);
    fold_into(text, out);
    return HF_BYTES(out, len);
}

hf_err hf_needle_make(hf_arena *arena, hf_bytes text, hf_needle *ret) {
    hf_bytes folded = hf_fold_text(arena, text);
    uint32_t *border = folded.ptr ? hf_arena_alloc(arena, (folded.len + 1) * sizeof *border) : NULL;
    if (!border) return HF_NOMEM;
    for (size_t i = 1, k = 0; i < folded.len; i++) {
        while (k && folded.ptr[i] != folded.ptr[k]) k = border[k - 1];
        if (folded.ptr[i] == folded.ptr[k]) k++;
        border[i] = (uint32_t)k;
    }
    *ret = (hf_needle){folded, border};
    return HF_OK;
}

/* Knuth, Morris, Pratt over the folded bytes. UTF-8 synchronises itself, so a match of bytes is one of characters. */
bool hf_needle_in(const hf_needle *needle, hf_bytes text) {
    hf_bytes want = needle->text;
    uint8_t bytes[4];
    size_t k = 0;
    for (size_t at = 0; at < text.len && k < want.len;) {
        if (k == 0 && text.ptr[at] < 0x80 && fold_ascii(text.ptr[at]) != want.ptr[0]) {
            at++; /* by far the most frequent case */
            continue;
        }
        size_t n = fold_next(text, &at, bytes);
        for (size_t i = 0; i < n && k < want.len; i++) {
            while (k && bytes[i] != want.ptr[k]) k = needle->border[k - 1];
            if (bytes[i] == want.ptr[k]) k++;
        }
    }
    return k == want.len;
}

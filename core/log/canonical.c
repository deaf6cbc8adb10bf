/* canonical: see canonical.h. The walk keeps a stack of open containers instead of calling itself. */
#include "canonical.h"

#include <string.h>

enum { MAJOR_UINT, MAJOR_NEGATIVE, MAJOR_BYTES, MAJOR_TEXT, MAJOR_LIST, MAJOR_MAP, MAJOR_TAG, MAJOR_SIMPLE };
enum { SIMPLE_FALSE = 0xf4, SIMPLE_TRUE = 0xf5, SIMPLE_NULL = 0xf6, FLOAT64 = 0xfb };

static const uint8_t *take(hf_canonical *c, size_t len) {
    if (c->failed || len > c->in.len - c->at) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *p = c->in.ptr + c->at;
    c->at += len;
    return p;
}

static uint64_t big_endian(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

/* RFC 8949, 4.2.1: "the shortest form". `info` is the low five bits of the head. */
static uint64_t argument(hf_canonical *c, unsigned info) {
    if (info < 24) return info;
    if (info > 27) {
        c->failed = true;
        return 0;
    }
    size_t n = (size_t)1 << (info - 24);
    const uint8_t *p = take(c, n);
    if (!p) return 0;
    uint64_t v = big_endian(p, n);
    uint64_t least = n == 1 ? 24 : (uint64_t)1 << (4 * n);
    if (v < least) c->failed = true;
    return v;
}

uint64_t hf_canonical_head(hf_canonical *c, unsigned major) {
    const uint8_t *p = take(c, 1);
    if (!p) return 0;
    if (p[0] >> 5 != major) c->failed = true;
    uint64_t v = argument(c, p[0] & 31u);
    return c->failed ? 0 : v;
}

static hf_bytes string(hf_canonical *c, unsigned major) {
    uint64_t len = hf_canonical_head(c, major);
    if (len > SIZE_MAX) c->failed = true;
    const uint8_t *p = take(c, (size_t)len);
    return p ? HF_BYTES(p, (size_t)len) : HF_BYTES(NULL, 0);
}

hf_bytes hf_canonical_text(hf_canonical *c) {
    hf_bytes s = string(c, MAJOR_TEXT);
    if (!hf_utf8_valid(s)) c->failed = true;
    return c->failed ? HF_BYTES(NULL, 0) : s;
}

hf_bytes hf_canonical_take(hf_canonical *c, size_t len) {
    const uint8_t *p = take(c, len);
    return p ? HF_BYTES(p, len) : HF_BYTES(NULL, 0);
}

void hf_canonical_expect(hf_canonical *c, hf_bytes literal) {
    const uint8_t *p = take(c, literal.len);
    if (p && memcmp(p, literal.ptr, literal.len) != 0) c->failed = true;
}

/* "a number with an integral value within ±(2^53−1) is written as an integer"; NaN and infinities are never written. */
static bool float_ok(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    if ((bits >> 52 & 0x7ff) == 0x7ff) return false;
    bool in_range = d >= -9007199254740991.0 && d <= 9007199254740991.0;
    return !in_range || (double)(int64_t)d != d;
}

static void simple(hf_canonical *c) {
    const uint8_t *p = take(c, 1);
    if (!p) return;
    if (p[0] == SIMPLE_FALSE || p[0] == SIMPLE_TRUE || p[0] == SIMPLE_NULL) return;
    const uint8_t *bits = p[0] == FLOAT64 ? take(c, 8) : NULL;
    if (!bits || !float_ok(big_endian(bits, 8))) c->failed = true;
}

/* Tag 42 and a byte string of 00 and a CID. What the CID must look like is the decoder's to say: the tree was decoded too. */
static void link(hf_canonical *c) {
    if (hf_canonical_head(c, MAJOR_TAG) != 42) c->failed = true;
    hf_bytes s = string(c, MAJOR_BYTES);
    if (s.len < 2 || s.ptr[0] != 0) c->failed = true;
}

typedef struct open_item {
    uint64_t n_left;  /* items of a list, pairs of a map */
    bool is_map;
    hf_bytes key;     /* the last one read; ptr NULL before the first */
} open_item;

/* Canonical order: by length, then bytes; equal keys are duplicates. */
static void next_key(hf_canonical *c, open_item *map) {
    hf_bytes key = hf_canonical_text(c);
    if (c->failed) return;
    bool rises = !map->key.ptr || key.len > map->key.len || (key.len == map->key.len && hf_cmp(key, map->key) > 0);
    if (!rises) c->failed = true;
    map->key = key;
}

/* Reads one item; a container is opened on the stack instead of being walked. */
static void item(hf_canonical *c, open_item *stack, size_t *depth) {
    unsigned major = c->at < c->in.len ? c->in.ptr[c->at] >> 5 : MAJOR_SIMPLE;
    if (major == MAJOR_TEXT) hf_canonical_text(c);
    else if (major == MAJOR_BYTES) string(c, MAJOR_BYTES);
    else if (major == MAJOR_TAG) link(c);
    else if (major == MAJOR_SIMPLE) simple(c);
    else {
        uint64_t n = hf_canonical_head(c, major);
        if (major != MAJOR_LIST && major != MAJOR_MAP) return;
        if (*depth == HF_VALUE_DEPTH_MAX) c->failed = true;
        else stack[(*depth)++] = (open_item){n, major == MAJOR_MAP, {NULL, 0}};
    }
}

bool hf_canonical_item(hf_bytes bytes, size_t *ret_len) {
    open_item stack[HF_VALUE_DEPTH_MAX];
    size_t depth = 0;
    hf_canonical c = {bytes, 0, false};
    item(&c, stack, &depth);
    while (depth && !c.failed) {
        open_item *top = &stack[depth - 1];
        if (top->n_left == 0) {
            depth--;
            continue;
        }
        top->n_left--;
        if (top->is_map) next_key(&c, top);
        item(&c, stack, &depth);
    }
    if (!c.failed) *ret_len = c.at;
    return !c.failed;
}

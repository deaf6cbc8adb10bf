/* dag_cbor: see dag_cbor.h. Writing. */
#include "dag_cbor.h"

#include "cid.h"
#include "utf8.h"

#include <string.h>

enum { UNSIGNED, NEGATIVE, BYTE_STRING, TEXT_STRING, ARRAY, MAP, TAG };

static void store(uint8_t *p, uint64_t value, size_t len) {
    for (size_t i = len; i-- > 0; value >>= 8) p[i] = (uint8_t)value;
}

/* The head, and room behind it for the contents that it announces; NULL on NOMEM. */
static uint8_t *extend(hf_buf *buf, unsigned major, uint64_t argument, size_t contents_len) {
    unsigned size_log2 = argument > 0xffffffff ? 3 : argument > 0xffff ? 2 : argument > 0xff ? 1 : 0;
    size_t len = argument < 24 ? 0 : (size_t)1 << size_log2;
    uint8_t *p = hf_buf_extend(buf, 1 + len + contents_len);
    if (!p) return NULL;
    p[0] = (uint8_t)(major << 5 | (len ? 24 + size_log2 : (unsigned)argument));
    store(p + 1, argument, len);
    return p + 1 + len;
}

void hf_cbor_add_head(hf_buf *buf, unsigned major, uint64_t argument) { extend(buf, major, argument, 0); }

static void add_string(hf_buf *buf, unsigned major, hf_bytes s) {
    uint8_t *p = extend(buf, major, s.len, s.len);
    if (p && s.len) memcpy(p, s.ptr, s.len);
}

void hf_cbor_add_text(hf_buf *buf, hf_bytes text) { add_string(buf, TEXT_STRING, text); }

void hf_cbor_add_bytes(hf_buf *buf, hf_bytes bytes) { add_string(buf, BYTE_STRING, bytes); }

void hf_cbor_add_u64(hf_buf *buf, uint64_t value) { hf_cbor_add_head(buf, UNSIGNED, value); }

/* js has one number type: 1.0 and -0.0 are its integers 1 and 0, as long as integers are exact in it. */
static hf_err add_float(double f, hf_buf *buf) {
    if (f - f != 0) return HF_MALFORMED;
    if (f >= -9007199254740991.0 && f <= 9007199254740991.0 && (double)(int64_t)f == f) {
        hf_cbor_add_head(buf, f < 0 ? NEGATIVE : UNSIGNED, f < 0 ? (uint64_t)(-1 - (int64_t)f) : (uint64_t)f);
        return HF_OK;
    }
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    uint8_t *p = hf_buf_extend(buf, 9);
    if (!p) return HF_NOMEM;
    p[0] = 0xfb;
    store(p + 1, bits, 8);
    return HF_OK;
}

static hf_err add_text(hf_bytes text, hf_buf *buf) {
    if (!hf_utf8_check(text)) return HF_MALFORMED;
    hf_cbor_add_text(buf, text);
    return HF_OK;
}

static hf_err add_link(hf_bytes cid, hf_buf *buf) {
    if (!hf_cid_valid(cid)) return HF_MALFORMED;
    hf_cbor_add_head(buf, TAG, 42);
    hf_cbor_add_head(buf, BYTE_STRING, cid.len + 1);
    hf_buf_add_byte(buf, 0);
    hf_buf_add(buf, cid);
    return HF_OK;
}

static hf_err add(const hf_value *value, hf_buf *buf, int depth);

static hf_err add_list(const hf_value *list, hf_buf *buf, int depth) {
    hf_cbor_add_head(buf, ARRAY, list->as.list.n);
    for (uint32_t i = 0; i < list->as.list.n; i++) {
        hf_err err = add(&list->as.list.items[i], buf, depth + 1);
        if (err) return err;
    }
    return HF_OK;
}

static hf_err add_pair(const hf_pair *pair, hf_buf *buf, int depth) {
    hf_err err = add_text(pair->key, buf);
    return err ? err : add(&pair->value, buf, depth + 1);
}

static hf_err add_sorted(const hf_pair **sorted, size_t n, hf_buf *buf, int depth) {
    for (size_t i = 0; i < n; i++) {
        if (i && hf_key_cmp(sorted[i - 1]->key, sorted[i]->key) == 0) return HF_MALFORMED;
        hf_err err = add_pair(sorted[i], buf, depth);
        if (err) return err;
    }
    return HF_OK;
}

static hf_err add_unsorted(const hf_pair *pairs, size_t n, hf_buf *buf, int depth) {
    const hf_pair *few[16], **sorted = few;
    if (n > HF_COUNT(few) && !(sorted = hf_alloc(buf->mem, n * sizeof *sorted))) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) sorted[i] = &pairs[i];
    hf_pairs_sort(sorted, n);
    hf_err err = add_sorted(sorted, n, buf, depth);
    if (sorted != few) hf_release(buf->mem, sorted, n * sizeof *sorted);
    return err;
}

/* What was read is mostly in order already, and then needs no sorting. */
static hf_err add_map(const hf_value *map, hf_buf *buf, int depth) {
    const hf_pair *pairs = map->as.map.pairs;
    uint32_t n = map->as.map.n, n_ordered = 1;
    hf_cbor_add_head(buf, MAP, n);
    while (n_ordered < n && hf_key_cmp(pairs[n_ordered - 1].key, pairs[n_ordered].key) < 0) n_ordered++;
    if (n_ordered < n) return add_unsorted(pairs, n, buf, depth);
    for (uint32_t i = 0; i < n; i++) {
        hf_err err = add_pair(&pairs[i], buf, depth);
        if (err) return err;
    }
    return HF_OK;
}

static hf_err add_container(const hf_value *value, hf_buf *buf, int depth) {
    if (hf_value_spoiled(value)) return HF_NOMEM;
    if (depth >= HF_VALUE_DEPTH_MAX) return HF_LIMIT;
    return value->kind == HF_LIST ? add_list(value, buf, depth) : add_map(value, buf, depth);
}

static hf_err add(const hf_value *value, hf_buf *buf, int depth) {
    switch (value->kind) {
    case HF_NULL: hf_buf_add_byte(buf, 0xf6); return HF_OK;
    case HF_BOOL: hf_buf_add_byte(buf, value->as.b ? 0xf5 : 0xf4); return HF_OK;
    case HF_INT: hf_cbor_add_head(buf, value->negative ? NEGATIVE : UNSIGNED, value->as.u); return HF_OK;
    case HF_FLOAT: return add_float(value->as.f, buf);
    case HF_BYTES_VALUE: hf_cbor_add_bytes(buf, value->as.s); return HF_OK;
    case HF_TEXT_VALUE: return add_text(value->as.s, buf);
    case HF_LINK: return add_link(value->as.s, buf);
    default: return add_container(value, buf, depth);
    }
}

hf_err hf_cbor_encode(const hf_value *value, hf_buf *buf) {
    size_t start = buf->len;
    hf_err err = add(value, buf, 0);
    if (!err) err = buf->err;
    if (err) buf->len = start;
    return err;
}

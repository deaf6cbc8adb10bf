/* base: see base.h. Bytes, errors and the buffer; arena.c and map.c hold the rest. */
#include "base.h"

#include <string.h>

const char *hf_err_name(hf_err err) {
    static const char *const names[] = {"ok",     "out of memory", "malformed", "truncated", "limit reached",
                                        "denied", "not found",     "missing",   "exists",    "wrong state"};
    return (size_t)err < HF_COUNT(names) ? names[err] : "unknown";
}

hf_err hf_fail(hf_fault *fault, hf_err err, const char *what, size_t at) {
    if (fault) *fault = (hf_fault){what, at};
    return err;
}

hf_bytes hf_str(const char *z) { return HF_BYTES(z ? z : "", z ? strlen(z) : 0); }

bool hf_eq(hf_bytes a, hf_bytes b) { return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0); }

int hf_cmp(hf_bytes a, hf_bytes b) {
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

bool hf_starts(hf_bytes s, hf_bytes prefix) {
    return s.len >= prefix.len && hf_eq(HF_BYTES(s.ptr, prefix.len), prefix);
}

hf_bytes hf_sub(hf_bytes s, size_t from, size_t len) {
    if (from > s.len) from = s.len;
    if (len > s.len - from) len = s.len - from;
    return HF_BYTES(s.ptr ? s.ptr + from : NULL, len);
}

size_t hf_find(hf_bytes s, uint8_t c, size_t from) {
    if (from >= s.len) return s.len;
    const uint8_t *p = memchr(s.ptr + from, c, s.len - from);
    return p ? (size_t)(p - s.ptr) : s.len;
}

/* RFC 3629, table in section 4: the second byte's range excludes overlongs and surrogates. */
bool hf_utf8_valid(hf_bytes s) {
    size_t i = 0;
    while (i < s.len) {
        uint8_t c = s.ptr[i++];
        if (c < 0x80) continue;
        size_t n = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || s.len - i < n) return false;
        uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (s.ptr[i] < lo || s.ptr[i] > hi) return false;
        for (size_t k = 1; k < n; k++)
            if ((s.ptr[i + k] & 0xc0) != 0x80) return false;
        i += n;
    }
    return true;
}

hf_err hf_parse_u64(hf_bytes s, uint64_t *ret_value) {
    if (s.len == 0) return HF_MALFORMED;
    uint64_t v = 0;
    for (size_t i = 0; i < s.len; i++) {
        unsigned d = s.ptr[i] - (unsigned)'0';
        if (d > 9 || v > (UINT64_MAX - d) / 10) return HF_MALFORMED;
        v = v * 10 + d;
    }
    *ret_value = v;
    return HF_OK;
}

void *hf_alloc(hf_mem *mem, size_t len) {
    void *p = mem->resize(mem->ctx, NULL, 0, len);
    if (p) memset(p, 0, len);
    return p;
}

void hf_release(hf_mem *mem, void *ptr, size_t len) {
    if (ptr) mem->resize(mem->ctx, ptr, len, 0);
}

hf_err hf_grow(hf_mem *mem, void **ptr, size_t *n_cap, size_t item_len, size_t n_need) {
    if (n_need <= *n_cap) return HF_OK;
    size_t n = *n_cap ? *n_cap : 8;
    while (n < n_need) {
        if (n > SIZE_MAX / 2) return HF_NOMEM;
        n *= 2;
    }
    if (n > SIZE_MAX / item_len) return HF_NOMEM;
    void *p = mem->resize(mem->ctx, *ptr, *n_cap * item_len, n * item_len);
    if (!p) return HF_NOMEM;
    *ptr = p;
    *n_cap = n;
    return HF_OK;
}

void hf_buf_init(hf_buf *buf, hf_mem *mem) { *buf = (hf_buf){.mem = mem}; }

void hf_buf_deinit(hf_buf *buf) {
    if (buf->ptr) hf_release(buf->mem, buf->ptr, buf->cap);
    *buf = (hf_buf){.mem = buf->mem};
}

void hf_buf_clear(hf_buf *buf) {
    buf->len = 0;
    buf->err = HF_OK;
}

hf_bytes hf_buf_bytes(const hf_buf *buf) { return HF_BYTES(buf->ptr, buf->len); }

uint8_t *hf_buf_extend(hf_buf *buf, size_t len) {
    if (buf->err) return NULL;
    /* At least one byte of room even for none, so that NULL always means failure. */
    size_t need = buf->len + (len ? len : 1);
    if (need < buf->len || hf_grow(buf->mem, (void **)&buf->ptr, &buf->cap, 1, need)) {
        buf->err = HF_NOMEM;
        return NULL;
    }
    uint8_t *p = buf->ptr + buf->len;
    buf->len += len;
    return p;
}

void hf_buf_add(hf_buf *buf, hf_bytes bytes) {
    if (bytes.len == 0) return;
    uint8_t *p = hf_buf_extend(buf, bytes.len);
    if (p) memcpy(p, bytes.ptr, bytes.len);
}

void hf_buf_add_str(hf_buf *buf, const char *z) { hf_buf_add(buf, hf_str(z)); }

void hf_buf_add_byte(hf_buf *buf, uint8_t byte) { hf_buf_add(buf, HF_BYTES(&byte, 1)); }

void hf_buf_add_u64(hf_buf *buf, uint64_t value) {
    uint8_t digits[20];
    size_t i = sizeof digits;
    do {
        digits[--i] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value);
    hf_buf_add(buf, HF_BYTES(digits + i, sizeof digits - i));
}

void hf_buf_add_i64(hf_buf *buf, int64_t value) {
    if (value < 0) hf_buf_add_byte(buf, '-');
    hf_buf_add_u64(buf, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void hf_buf_add_hex(hf_buf *buf, hf_bytes bytes) {
    static const char hex[] = "0123456789abcdef";
    uint8_t *p = hf_buf_extend(buf, bytes.len * 2);
    for (size_t i = 0; p && i < bytes.len; i++) {
        p[2 * i] = (uint8_t)hex[bytes.ptr[i] >> 4];
        p[2 * i + 1] = (uint8_t)hex[bytes.ptr[i] & 15];
    }
}

void hf_buf_consume(hf_buf *buf, size_t len) {
    HF_ASSERT(len <= buf->len);
    buf->len -= len;
    if (buf->len && len) memmove(buf->ptr, buf->ptr + len, buf->len);
}

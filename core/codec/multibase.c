/* multibase: see multibase.h. The bases of 2^n; base58.c has the other. */
#include "multibase.h"

#include "base58.h"

/* RFC 4648: groups of bits, first bit first. The last character is filled up with zero bits, and other ones there
 * are refused: else one address would have many spellings. */
typedef struct radix {
    const char *alphabet;
    unsigned bits; /* per character */
} radix;

static const radix BASE16 = {"0123456789abcdef", 4};
static const radix BASE32 = {"abcdefghijklmnopqrstuvwxyz234567", 5};
static const radix BASE64 = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6};
static const radix BASE64URL = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6};

static const radix *radix_of(hf_base base) {
    switch (base) {
    case HF_BASE16: return &BASE16;
    case HF_BASE32: return &BASE32;
    case HF_BASE64: return &BASE64;
    case HF_BASE64URL: return &BASE64URL;
    default: return NULL;
    }
}

static void add_bits(hf_buf *buf, const radix *radix, hf_bytes bytes) {
    if (bytes.len == 0) return;
    if (bytes.len > SIZE_MAX / 8) {
        buf->err = HF_NOMEM;
        return;
    }
    uint8_t *out = hf_buf_extend(buf, (bytes.len * 8 + radix->bits - 1) / radix->bits);
    if (!out) return;
    uint32_t held = 0, n_held = 0, mask = (1u << radix->bits) - 1;
    for (size_t i = 0; i < bytes.len; i++) {
        held = held << 8 | bytes.ptr[i];
        for (n_held += 8; n_held >= radix->bits; *out++ = (uint8_t)radix->alphabet[held >> n_held & mask])
            n_held -= radix->bits;
    }
    if (n_held) *out = (uint8_t)radix->alphabet[held << (radix->bits - n_held) & mask];
}

static void add_base58(hf_buf *buf, hf_bytes bytes) {
    char text[HF_BASE58_TEXT_MAX];
    if (buf->err) return;
    if (bytes.len > HF_BASE58_BYTES_MAX) buf->err = HF_LIMIT;
    else hf_buf_add(buf, HF_BYTES(text, hf_base58_write(bytes, text)));
}

void hf_base_add(hf_buf *buf, hf_base base, hf_bytes bytes) {
    if (base == HF_BASE58BTC) {
        add_base58(buf, bytes);
        return;
    }
    const radix *radix = radix_of(base);
    HF_ASSERT(radix);
    add_bits(buf, radix, bytes);
}

void hf_multibase_add(hf_buf *buf, hf_base base, hf_bytes bytes) {
    hf_buf_add_byte(buf, (uint8_t)base);
    hf_base_add(buf, base, bytes);
}

/* ---- reading ---- */

/* Value of a character, or 64 and more when the alphabet has no such one. The alphabets are runs, so comparing is
 * enough. */
static unsigned digit_of(hf_base base, unsigned c) {
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z', number = c >= '0' && c <= '9';
    switch (base) {
    case HF_BASE16: return number ? c - '0' : lower && c <= 'f' ? c - 'a' + 10 : 64;
    case HF_BASE32: return lower ? c - 'a' : c >= '2' && c <= '7' ? c - '2' + 26 : 64;
    default: break;
    }
    if (upper) return c - 'A';
    if (lower) return c - 'a' + 26;
    if (number) return c - '0' + 52;
    if (c == (base == HF_BASE64 ? '+' : '-')) return 62;
    return c == (base == HF_BASE64 ? '/' : '_') ? 63 : 64;
}

static hf_err read_bits(hf_base base, unsigned bits, hf_bytes text, uint8_t *ret) {
    uint32_t held = 0, n_held = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = digit_of(base, text.ptr[i]);
        if (digit >= 1u << bits) return HF_MALFORMED;
        held = held << bits | digit;
        n_held += bits;
        if (n_held < 8) continue;
        n_held -= 8;
        *ret++ = (uint8_t)(held >> n_held);
    }
    return n_held >= bits || (held & ((1u << n_held) - 1)) ? HF_MALFORMED : HF_OK;
}

static size_t bits_len(unsigned bits, hf_bytes text) { return text.len / 8 * bits + text.len % 8 * bits / 8; }

hf_err hf_base_read(hf_base base, hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len) {
    if (base == HF_BASE58BTC) return hf_base58_read(text, ret, cap, ret_len);
    const radix *radix = radix_of(base);
    if (!radix) return HF_MALFORMED;
    size_t len = bits_len(radix->bits, text);
    if (len > cap) return HF_LIMIT;
    hf_err err = read_bits(base, radix->bits, text, ret);
    if (!err) *ret_len = len;
    return err;
}

hf_err hf_multibase_read(hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len) {
    if (text.len == 0) return HF_MALFORMED;
    return hf_base_read((hf_base)text.ptr[0], hf_sub(text, 1, text.len), ret, cap, ret_len);
}

hf_err hf_base_decode(hf_base base, hf_bytes text, hf_buf *ret) {
    const radix *radix = radix_of(base);
    size_t start = ret->len, len = 0, room = radix ? bits_len(radix->bits, text) : HF_BASE58_BYTES_MAX;
    if (!radix && base != HF_BASE58BTC) return HF_MALFORMED;
    uint8_t *out = hf_buf_extend(ret, room ? room : 1);
    if (!out) return ret->err;
    hf_err err = hf_base_read(base, text, out, room, &len);
    ret->len = start + (err ? 0 : len);
    return err;
}

hf_err hf_multibase_decode(hf_bytes text, hf_buf *ret) {
    if (text.len == 0) return HF_MALFORMED;
    return hf_base_decode((hf_base)text.ptr[0], hf_sub(text, 1, text.len), ret);
}

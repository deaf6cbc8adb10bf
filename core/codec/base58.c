/* base58: a change of radix. Five digits at a time (58^5 < 2^32) over 32-bit limbs, so that an identifier of 36
 * bytes costs a few dozen multiplications or divisions, and nothing wider than 64 bits, which WebAssembly does not
 * have. Leading zero bytes are leading '1's, one for one. */
#include "base58.h"

#include <string.h>

static const char ALPHABET[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
enum { CHUNK = 5, CHUNK_RADIX = 58 * 58 * 58 * 58 * 58, LIMBS_MAX = HF_BASE58_BYTES_MAX / 4 + 2 };

/* ---- writing ---- */

/* Bytes, most significant first -> limbs, most significant first. */
static size_t load(hf_bytes bytes, uint32_t *limbs) {
    size_t n = (bytes.len + 3) / 4, at = 0, first = bytes.len - (n ? (n - 1) * 4 : 0);
    for (size_t i = 0; i < n; i++) {
        uint32_t limb = 0;
        for (size_t end = first + i * 4; at < end; at++) limb = limb << 8 | bytes.ptr[at];
        limbs[i] = limb;
    }
    return n;
}

/* limbs /= CHUNK_RADIX, in place; returns the remainder. */
static uint32_t divide(uint32_t *limbs, size_t n) {
    uint64_t rest = 0;
    for (size_t i = 0; i < n; i++) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / CHUNK_RADIX);
        rest %= CHUNK_RADIX;
    }
    return (uint32_t)rest;
}

size_t hf_base58_write(hf_bytes bytes, char ret[HF_BASE58_TEXT_MAX]) {
    HF_ASSERT(bytes.len <= HF_BASE58_BYTES_MAX);
    uint32_t limbs[LIMBS_MAX];
    char text[HF_BASE58_TEXT_MAX + CHUNK];
    size_t n_zeros = 0, at = sizeof text, first = 0;
    while (n_zeros < bytes.len && bytes.ptr[n_zeros] == 0) n_zeros++;
    size_t n = load(hf_sub(bytes, n_zeros, bytes.len), limbs);
    while (first < n) {
        uint32_t digits = divide(limbs + first, n - first);
        for (int i = 0; i < CHUNK; i++, digits /= 58) text[--at] = ALPHABET[digits % 58];
        while (first < n && limbs[first] == 0) first++;
    }
    while (at < sizeof text && text[at] == '1') at++;
    memset(ret, '1', n_zeros);
    memcpy(ret + n_zeros, text + at, sizeof text - at);
    return n_zeros + sizeof text - at;
}

/* ---- reading ---- */

/* Value + 1 of each character; 0: not in the alphabet. */
static const uint8_t DIGITS[128] = {
    ['1'] = 1,  ['2'] = 2,  ['3'] = 3,  ['4'] = 4,  ['5'] = 5,  ['6'] = 6,  ['7'] = 7,  ['8'] = 8,  ['9'] = 9,
    ['A'] = 10, ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15, ['G'] = 16, ['H'] = 17, ['J'] = 18,
    ['K'] = 19, ['L'] = 20, ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24, ['R'] = 25, ['S'] = 26, ['T'] = 27,
    ['U'] = 28, ['V'] = 29, ['W'] = 30, ['X'] = 31, ['Y'] = 32, ['Z'] = 33, ['a'] = 34, ['b'] = 35, ['c'] = 36,
    ['d'] = 37, ['e'] = 38, ['f'] = 39, ['g'] = 40, ['h'] = 41, ['i'] = 42, ['j'] = 43, ['k'] = 44, ['m'] = 45,
    ['n'] = 46, ['o'] = 47, ['p'] = 48, ['q'] = 49, ['r'] = 50, ['s'] = 51, ['t'] = 52, ['u'] = 53, ['v'] = 54,
    ['w'] = 55, ['x'] = 56, ['y'] = 57, ['z'] = 58,
};

static size_t multiply_add(uint32_t *limbs, size_t n, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (size_t i = 0; i < n; i++) {
        carry += (uint64_t)limbs[i] * factor;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) limbs[n++] = (uint32_t)carry;
    return n;
}

/* Limbs, least significant first -> bytes without leading zeros, most significant first, counted. */
static size_t bytes_len(const uint32_t *limbs, size_t n) {
    if (n == 0) return 0;
    return n * 4 - (size_t)__builtin_clz(limbs[n - 1]) / 8;
}

static void store(const uint32_t *limbs, uint8_t *ret, size_t len) {
    for (size_t i = 0; i < len; i++) ret[len - 1 - i] = (uint8_t)(limbs[i / 4] >> i % 4 * 8);
}

hf_err hf_base58_read(hf_bytes text, uint8_t *ret, size_t cap, size_t *ret_len) {
    uint32_t limbs[LIMBS_MAX];
    size_t n_zeros = 0, n = 0;
    if (text.len > HF_BASE58_TEXT_MAX) return HF_LIMIT;
    while (n_zeros < text.len && text.ptr[n_zeros] == '1') n_zeros++;
    for (size_t i = n_zeros; i < text.len;) {
        uint32_t digits = 0, radix = 1;
        for (int k = 0; k < CHUNK && i < text.len; k++, i++, radix *= 58) {
            uint8_t c = text.ptr[i], digit = c < 128 ? DIGITS[c] : 0;
            if (!digit) return HF_MALFORMED;
            digits = digits * 58 + digit - 1;
        }
        n = multiply_add(limbs, n, radix, digits);
    }
    size_t len = bytes_len(limbs, n);
    if (n_zeros + len > cap || n_zeros + len > HF_BASE58_BYTES_MAX) return HF_LIMIT;
    memset(ret, 0, n_zeros);
    store(limbs, ret + n_zeros, len);
    *ret_len = n_zeros + len;
    return HF_OK;
}

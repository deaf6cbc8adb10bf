/* link_text: see link_text.h.
 *
 * The binary CID (01 71 12 20, 32 digest bytes) is nine big-endian limbs. Its 48 base58 digits are one group of three and nine of five.
 * 58^5 fits 32 bits, so a group is one multiplication (or division) a limb. */
#include "link_text.h"

enum { LIMBS = 9, GROUPS = 9, GROUP_DIGITS = 5, LEAD_DIGITS = 3 };
#define CID_PREFIX 0x01711220u
#define GROUP_BASE 656356768u /* 58^5 */

static const char digits[] = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* Value of a base58 character plus one; zero: not in the alphabet (no 0 O I l). */
static const uint8_t values[128] = {
    ['1'] = 1,  ['2'] = 2,  ['3'] = 3,  ['4'] = 4,  ['5'] = 5,  ['6'] = 6,  ['7'] = 7,  ['8'] = 8,  ['9'] = 9,  ['A'] = 10,
    ['B'] = 11, ['C'] = 12, ['D'] = 13, ['E'] = 14, ['F'] = 15, ['G'] = 16, ['H'] = 17, ['J'] = 18, ['K'] = 19, ['L'] = 20,
    ['M'] = 21, ['N'] = 22, ['P'] = 23, ['Q'] = 24, ['R'] = 25, ['S'] = 26, ['T'] = 27, ['U'] = 28, ['V'] = 29, ['W'] = 30,
    ['X'] = 31, ['Y'] = 32, ['Z'] = 33, ['a'] = 34, ['b'] = 35, ['c'] = 36, ['d'] = 37, ['e'] = 38, ['f'] = 39, ['g'] = 40,
    ['h'] = 41, ['i'] = 42, ['j'] = 43, ['k'] = 44, ['m'] = 45, ['n'] = 46, ['o'] = 47, ['p'] = 48, ['q'] = 49, ['r'] = 50,
    ['s'] = 51, ['t'] = 52, ['u'] = 53, ['v'] = 54, ['w'] = 55, ['x'] = 56, ['y'] = 57, ['z'] = 58,
};

static bool group_value(const uint8_t *text, size_t n, uint32_t *ret) {
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t d = text[i] < 128 ? values[text[i]] : 0;
        if (!d) return false;
        v = v * 58 + (d - 1u);
    }
    *ret = v;
    return true;
}

/* limbs = limbs * 58^5 + add; false when that overflows. Limbs before `from` are still zero. */
static bool multiply_add(uint32_t limbs[LIMBS], uint32_t add, size_t from) {
    uint64_t carry = add;
    for (size_t i = LIMBS; i-- > from;) {
        carry += (uint64_t)limbs[i] * GROUP_BASE;
        limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return carry == 0;
}

hf_err hf_link_text_read(hf_bytes text, uint8_t ret_digest[32]) {
    if (text.len != HF_CID_TEXT_LEN || text.ptr[0] != 'z') return HF_MALFORMED;
    uint32_t limbs[LIMBS] = {0}, value;
    const uint8_t *p = text.ptr + 1;
    if (!group_value(p, LEAD_DIGITS, &limbs[LIMBS - 1])) return HF_MALFORMED;
    p += LEAD_DIGITS;
    for (size_t g = 0; g < GROUPS; g++, p += GROUP_DIGITS) {
        /* After g groups the value is below 58^(3 + 5 (g + 1)) < 2^(32 (g + 2)): the rest of the limbs is zero. */
        size_t from = g + 2 < LIMBS ? LIMBS - (g + 2) : 0;
        if (!group_value(p, GROUP_DIGITS, &value) || !multiply_add(limbs, value, from)) return HF_MALFORMED;
    }
    if (limbs[0] != CID_PREFIX) return HF_MALFORMED;
    for (size_t i = 0; i < 32; i++) ret_digest[i] = (uint8_t)(limbs[1 + i / 4] >> (24 - 8 * (i % 4)));
    return HF_OK;
}

/* limbs = limbs / 58^5, the remainder is returned; limbs before `from` are zero already. */
static uint32_t divide(uint32_t limbs[LIMBS], size_t from) {
    uint64_t rest = 0;
    for (size_t i = from; i < LIMBS; i++) {
        rest = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(rest / GROUP_BASE);
        rest %= GROUP_BASE;
    }
    return (uint32_t)rest;
}

static void write_group(uint32_t value, char *ret, size_t n) {
    for (size_t i = n; i-- > 0; value /= 58) ret[i] = digits[value % 58];
}

void hf_link_text_write(const uint8_t digest[32], char ret_text[HF_CID_TEXT_LEN]) {
    uint32_t limbs[LIMBS] = {CID_PREFIX};
    for (size_t i = 0; i < 32; i++) limbs[1 + i / 4] = limbs[1 + i / 4] << 8 | digest[i];
    ret_text[0] = 'z';
    for (size_t g = GROUPS, from = 0; g-- > 0;) {
        write_group(divide(limbs, from), ret_text + 1 + LEAD_DIGITS + g * GROUP_DIGITS, GROUP_DIGITS);
        while (from < LIMBS - 1 && limbs[from] == 0) from++;
    }
    write_group(limbs[LIMBS - 1], ret_text + 1, LEAD_DIGITS);
}

/* big: see big.h. */
#include "big.h"

#include <string.h>

static void push(hf_big *big, uint32_t word) {
    HF_ASSERT(big->n < HF_BIG_WORDS);
    big->w[big->n++] = word;
}

static void trim(hf_big *big) {
    while (big->n && big->w[big->n - 1] == 0) big->n--;
}

void hf_big_set(hf_big *big, uint64_t value) {
    big->n = 0;
    for (; value; value >>= 32) push(big, (uint32_t)value);
}

void hf_big_mul_add(hf_big *big, uint32_t factor, uint32_t addend) {
    uint64_t carry = addend;
    for (uint32_t i = 0; i < big->n; i++) {
        carry += (uint64_t)big->w[i] * factor;
        big->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) push(big, (uint32_t)carry);
}

void hf_big_mul_pow10(hf_big *big, uint32_t exponent) {
    for (; exponent >= 9; exponent -= 9) hf_big_mul_add(big, 1000000000, 0);
    uint32_t rest = 1;
    for (; exponent; exponent--) rest *= 10;
    if (rest > 1) hf_big_mul_add(big, rest, 0);
}

void hf_big_shl(hf_big *big, uint32_t bits) {
    uint32_t words = bits / 32;
    if (big->n == 0) return;
    hf_big_mul_add(big, (uint32_t)1 << bits % 32, 0);
    HF_ASSERT(words <= HF_BIG_WORDS - big->n);
    memmove(big->w + words, big->w, big->n * sizeof *big->w);
    memset(big->w, 0, words * sizeof *big->w);
    big->n += words;
}

void hf_big_sub(hf_big *big, const hf_big *less) {
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < big->n; i++) {
        uint64_t take = borrow + (i < less->n ? less->w[i] : 0);
        borrow = big->w[i] < take;
        big->w[i] -= (uint32_t)take;
    }
    HF_ASSERT(!borrow && less->n <= big->n);
    trim(big);
}

int hf_big_cmp(const hf_big *a, const hf_big *b) {
    if (a->n != b->n) return a->n < b->n ? -1 : 1;
    for (uint32_t i = a->n; i-- > 0;)
        if (a->w[i] != b->w[i]) return a->w[i] < b->w[i] ? -1 : 1;
    return 0;
}

static uint32_t word(const hf_big *big, uint32_t i) { return i < big->n ? big->w[i] : 0; }

int hf_big_cmp_sum(const hf_big *a, const hf_big *b, const hf_big *c) {
    uint32_t n = a->n > b->n ? a->n : b->n;
    if (n < c->n) n = c->n;
    uint64_t carry = 0;
    int result = 0;
    for (uint32_t i = 0; i < n; i++) {
        carry += (uint64_t)word(a, i) + word(b, i);
        uint32_t sum = (uint32_t)carry;
        if (sum != word(c, i)) result = sum < word(c, i) ? -1 : 1;
        carry >>= 32;
    }
    return carry ? 1 : result;
}

uint32_t hf_big_bits(const hf_big *big) {
    return big->n ? big->n * 32 - (uint32_t)__builtin_clz(big->w[big->n - 1]) : 0;
}

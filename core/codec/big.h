/* big: natural numbers of up to 4096 bits on the stack, as much arithmetic as exact decimal conversion needs.
 * Private to number.c. The room is enough for every double: the largest number made is a power of ten near 10^1110
 * (3,688 bits), shifted by 57. Running out of it would be our own bug, and asserts. */
#ifndef HF_BIG_H
#define HF_BIG_H
#include "../base/base.h"

enum { HF_BIG_WORDS = 128 };
typedef struct hf_big {
    uint32_t n;               /* words in use; the highest is not 0; zero has none */
    uint32_t w[HF_BIG_WORDS]; /* least significant first */
} hf_big;

void hf_big_set(hf_big *big, uint64_t value);
void hf_big_mul_add(hf_big *big, uint32_t factor, uint32_t addend); /* big * factor + addend */
void hf_big_mul_pow10(hf_big *big, uint32_t exponent);
void hf_big_shl(hf_big *big, uint32_t bits);
void hf_big_sub(hf_big *big, const hf_big *less);                   /* less <= big */
int hf_big_cmp(const hf_big *a, const hf_big *b);
int hf_big_cmp_sum(const hf_big *a, const hf_big *b, const hf_big *c); /* a + b against c */
uint32_t hf_big_bits(const hf_big *big);                            /* position of the highest 1, from 1; 0 for zero */
#endif

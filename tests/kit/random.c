/* random: numbers that are the same on every machine (splitmix64). */
#include "check.h"

uint64_t hf_test_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void hf_test_random_fill(void *ctx, uint8_t *out_bytes, size_t len) {
    for (size_t i = 0; i < len; i++) out_bytes[i] = (uint8_t)hf_test_random(ctx);
}

/* The two things done to every secret: comparing it in constant time and wiping it where it dies. */
#include "crypto.h"

#include <sodium/utils.h>

void hf_wipe(void *ptr, size_t len) {
    if (len) sodium_memzero(ptr, len);
}

bool hf_equal_ct(const void *a, const void *b, size_t len) { return len == 0 || sodium_memcmp(a, b, len) == 0; }

/* A stranger's identity block in any bytes: refused with a reason, or taken, and then the same each time. */
#include "identity.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {resize, NULL};
    hf_arena arena;
    hf_identity identity, again;
    hf_fault fault = {NULL, 0};
    memset(&identity, 0, sizeof identity);
    memset(&again, 0, sizeof again);
    hf_arena_init(&arena, &mem);
    hf_err err = hf_identity_read(HF_BYTES(data, len), &arena, &identity, &fault);
    HF_ASSERT(err == HF_OK || fault.what);
    if (!err) {
        HF_ASSERT(hf_identity_read(HF_BYTES(data, len), &arena, &again, NULL) == HF_OK);
        HF_ASSERT(memcmp(&identity, &again, sizeof identity) == 0);
    }
    hf_arena_deinit(&arena);
    return 0;
}

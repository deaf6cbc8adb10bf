/* A stranger's identity block in any bytes: refused with a reason, or taken, and then the same each time. */
#include "identity.h"

#include "../../tests/kit/fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
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

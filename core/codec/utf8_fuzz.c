/* Both judges of UTF-8 say the same; steps cover all; what is repaired is well-formed, and unchanged when it was. */
#include "utf8.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_bytes in = HF_BYTES(data, len);
    hf_arena arena;
    bool valid = hf_utf8_check(in), all = true;
    hf_arena_init(&arena, &mem);
    for (size_t at = 0; at < len;) {
        bool one;
        size_t n = hf_utf8_step(hf_sub(in, at, len), &one);
        HF_ASSERT(n >= 1 && n <= 4 && at + n <= len);
        HF_ASSERT(one == hf_utf8_valid(hf_sub(in, at, n)));
        all = all && one;
        at += n;
    }
    HF_ASSERT(valid == all && valid == hf_utf8_valid(in));
    hf_bytes repaired = hf_utf8_repair(&arena, in);
    HF_ASSERT(hf_utf8_check(repaired) && repaired.len <= 3 * len && (!valid || hf_eq(repaired, in)));
    hf_arena_deinit(&arena);
    return 0;
}

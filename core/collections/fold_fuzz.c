/* A needle (up to the first NUL) is found in a text exactly when a plain search in the folded text finds it; folding twice is folding once. */
#include "fold.h"

#include "../../tests/kit/fuzz.h"

static bool stands_in(hf_bytes what, hf_bytes text) {
    for (size_t i = 0; i + what.len <= text.len; i++)
        if (hf_eq(hf_sub(text, i, what.len), what)) return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_needle needle;
    hf_bytes in = HF_BYTES(data, len), what = hf_sub(in, 0, hf_find(in, 0, 0)), text = hf_sub(in, what.len + 1, len);
    hf_arena_init(&arena, &mem);
    HF_ASSERT(!hf_needle_make(&arena, what, &needle));
    hf_bytes folded = hf_fold_text(&arena, text);
    HF_ASSERT(hf_utf8_valid(folded) && hf_eq(hf_fold_text(&arena, folded), folded));
    HF_ASSERT(hf_eq(needle.text, hf_fold_text(&arena, what)));
    HF_ASSERT(hf_needle_in(&needle, text) == stands_in(needle.text, folded));
    hf_arena_deinit(&arena);
    return 0;
}

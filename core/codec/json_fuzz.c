/* What decodes is written and decodes again, and the second writing is the same text, without NUL or '<'. The texts
 * are compared, not the values: a float beyond 2^53 may be written with digits that are read as another integer,
 * which is written the same. */
#include "json.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(hf_arena *arena, const hf_value *v) {
    hf_buf first, second;
    hf_value again;
    hf_buf_init(&first, &mem);
    hf_buf_init(&second, &mem);
    hf_json_add(&first, v);
    HF_ASSERT(!first.err && hf_json_decode(arena, hf_buf_bytes(&first), &again, NULL) == HF_OK);
    hf_json_add(&second, &again);
    HF_ASSERT(hf_eq(hf_buf_bytes(&first), hf_buf_bytes(&second)));
    HF_ASSERT(hf_find(hf_buf_bytes(&first), '<', 0) == first.len && hf_find(hf_buf_bytes(&first), 0, 0) == first.len);
    hf_buf_deinit(&first);
    hf_buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_value v;
    hf_fault fault = {NULL, 0};
    hf_arena_init(&arena, &mem);
    if (hf_json_decode(&arena, HF_BYTES(data, len), &v, &fault) == HF_OK) check(&arena, &v);
    else HF_ASSERT(fault.what && fault.at <= len);
    hf_arena_deinit(&arena);
    return 0;
}

/* What decodes has a canonical form; that form decodes to an equal value and is its own canonical form. Memory stays
 * within bounds. */
#include "dag_cbor.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(hf_arena *arena, const hf_value *v) {
    hf_buf first, second;
    hf_value again;
    hf_buf_init(&first, &mem);
    hf_buf_init(&second, &mem);
    HF_ASSERT(hf_cbor_encode(v, &first) == HF_OK);
    HF_ASSERT(hf_cbor_decode(arena, hf_buf_bytes(&first), &again, NULL) == HF_OK && hf_value_eq(v, &again));
    HF_ASSERT(hf_cbor_encode(&again, &second) == HF_OK && hf_eq(hf_buf_bytes(&first), hf_buf_bytes(&second)));
    hf_buf_deinit(&first);
    hf_buf_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_value v;
    hf_fault fault = {NULL, 0};
    size_t taken = 0;
    hf_arena_init(&arena, &mem);
    hf_err err = hf_cbor_decode_prefix(&arena, HF_BYTES(data, len), &v, &taken, &fault);
    HF_ASSERT(arena.used_bytes <= 64 * len);
    if (err) HF_ASSERT(fault.what && fault.at <= len && taken == 0);
    else check(&arena, &v);
    hf_err whole = hf_cbor_decode(&arena, HF_BYTES(data, len), &v, &fault);
    HF_ASSERT(whole == (err ? err : taken < len ? HF_MALFORMED : HF_OK));
    hf_arena_deinit(&arena);
    return 0;
}

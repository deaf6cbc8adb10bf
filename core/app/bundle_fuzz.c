/* A bundle from anywhere: when it decodes, encoding its files and decoding again agrees. */
#include "bundle.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_buf again;
    hf_file *files, *files_again;
    size_t n, n_again;
    hf_fault fault;
    hf_arena_init(&arena, &mem);
    hf_buf_init(&again, &mem);
    if (!hf_bundle_decode(&arena, HF_BYTES(data, len), &files, &n, &fault)) {
        HF_ASSERT(!hf_bundle_encode(&arena, files, n, &again));
        HF_ASSERT(!hf_bundle_decode(&arena, hf_buf_bytes(&again), &files_again, &n_again, &fault) && n == n_again);
    }
    hf_buf_deinit(&again);
    hf_arena_deinit(&arena);
    return 0;
}

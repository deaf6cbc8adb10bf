/* Fuzz: an envelope; only what is signed opens. */
#include "peer_record.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_peer_record record;
    hf_arena_init(&arena, &mem);
    if (!hf_peer_record_open(&arena, HF_BYTES(data, len), &record)) HF_ASSERT(record.peer.len && record.n_addresses <= HF_PEER_RECORD_ADDRESSES_MAX);
    hf_arena_deinit(&arena);
    return 0;
}

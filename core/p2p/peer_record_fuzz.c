/* Fuzz: an envelope; only what is signed opens. */
#include "peer_record.h"

#include <stdlib.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {resize, NULL};
    hf_arena arena;
    hf_peer_record record;
    hf_arena_init(&arena, &mem);
    if (!hf_peer_record_open(&arena, HF_BYTES(data, len), &record)) HF_ASSERT(record.peer.len && record.n_addresses <= HF_PEER_RECORD_ADDRESSES_MAX);
    hf_arena_deinit(&arena);
    return 0;
}

/* A message that reads, written and read again, says the same. */
#include "identify.h"

#include "../../tests/kit/fuzz.h"

#include <stdlib.h>

static void check_same(const hf_identify *a, const hf_identify *b) {
    if (!hf_eq(a->agent, b->agent) || !hf_eq(a->observed, b->observed) || !hf_eq(a->record, b->record)) abort();
    size_t k = 0; /* empty items are not written */
    for (size_t i = 0; i < a->n_protocols; i++)
        if (a->protocols[i].len && (k >= b->n_protocols || !hf_eq(a->protocols[i], b->protocols[k++]))) abort();
    if (k != b->n_protocols) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_buf again;
    hf_bytes message;
    hf_identify_message m, twice;
    hf_identify merged;
    hf_arena_init(&arena, &mem);
    hf_buf_init(&again, &mem);
    if (!hf_identify_unframe(HF_BYTES(data, len), &message) && message.len > len) abort();
    if (!hf_identify_read(&arena, HF_BYTES(data, len), &m, NULL)) {
        hf_identify_add(&again, &m);
        if (hf_identify_read(&arena, hf_buf_bytes(&again), &twice, NULL)) abort();
        check_same(&m.said, &twice.said);
        if (hf_identify_merge(&arena, &m.said, &twice.said, &merged)) abort();
    }
    hf_buf_deinit(&again);
    hf_arena_deinit(&arena);
    return 0;
}

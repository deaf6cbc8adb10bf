/* A line of an import into each type of database (first byte): refused with a reason, or it has what the type asks for. */
#include "db_line.h"

#include "../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_db_line line;
    if (!len) return 0;
    bool events = data[0] % 3 == 0, documents = data[0] % 3 == 1;
    hf_arena_init(&arena, &mem);
    const char *why = hf_db_line_read(&arena, HF_BYTES(data + 1, len - 1), events, documents, &line);
    if (!why) HF_ASSERT(line.value && (events || documents || (line.key && line.key->kind == HF_TEXT_VALUE)));
    if (!why && documents) HF_ASSERT(line.value->kind == HF_MAP && (!line.field.len || hf_value_eq(hf_value_get_bytes(line.value, line.field), line.key)));
    hf_arena_deinit(&arena);
    return 0;
}

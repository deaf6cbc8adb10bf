/* A manifest's JSON, then a line break, then what a form sent: a schema that is read has fields that obey its rules,
 * and what a form is allowed to say obeys them too. */
#include "../../tests/kit/fuzz.h"
#include "../codec/json.h"
#include "schema.h"

#include <stdlib.h>

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check_field(hf_arena *arena, const hf_schema *schema, size_t i, hf_bytes form) {
    const hf_field *field = &schema->fields[i];
    if (hf_schema_field(schema, field->name) != i || !field->label.len) abort();
    if (field->fallback.kind != HF_NULL && hf_field_refuses(field, &field->fallback)) abort();
    hf_value value, again;
    const char *refusal;
    if (hf_field_parse(arena, field, form, &value, &refusal)) abort();
    if (refusal) {
        if (value.kind != HF_NULL) abort();
        return;
    }
    if (hf_field_refuses(field, &value)) abort();
    /* What came out as text goes in again as it is. */
    if (value.kind != HF_TEXT_VALUE) return;
    if (hf_field_parse(arena, field, value.as.s, &again, &refusal) || refusal || !hf_value_eq(&value, &again)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    hf_bytes in = HF_BYTES(data, len), form = hf_sub(in, hf_find(in, '\n', 0) + 1, len);
    hf_value json;
    hf_schema schema;
    hf_fault fault = {NULL, 0};
    if (!hf_json_decode(&arena, hf_sub(in, 0, hf_find(in, '\n', 0)), &json, NULL)) {
        hf_err err = hf_schema_read(&arena, HF_TEXT("things"), &json, &schema, &fault);
        if (err && (err != HF_MALFORMED || !fault.what)) abort();
        for (size_t i = 0; !err && i < schema.n_fields; i++) check_field(&arena, &schema, i, form);
    }
    hf_arena_deinit(&arena);
    return 0;
}

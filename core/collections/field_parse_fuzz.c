/* What a form sent, as a field of every type and rule that the first byte chooses: it is refused with a reason, or a value that obeys the field, and that stands
 * for itself when it is sent again. */
#include "schema.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const hf_bytes choices[] = {{(const uint8_t *)"red", 3}, {(const uint8_t *)"green", 5}};
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_value value, again;
    const char *refusal = "unset";
    if (!len) return 0;
    hf_field field = {.name = HF_TEXT("f"), .type = (hf_field_type)(data[0] % 7), .required = data[0] & 8, .multiline = data[0] & 16,
                      .has_min = data[0] & 32, .has_max = data[0] & 64, .min = -2, .max = 9};
    if (field.type == HF_FIELD_CHOICE) field.choices = choices, field.n_choices = HF_COUNT(choices);
    hf_arena_init(&arena, &mem);
    HF_ASSERT(!hf_field_parse(&arena, &field, HF_BYTES(data + 1, len - 1), &value, &refusal));
    if (!refusal) HF_ASSERT(!hf_field_refuses(&field, &value));
    if (!refusal && value.kind == HF_TEXT_VALUE) {
        HF_ASSERT(hf_utf8_valid(hf_value_as_text(&value)));
        HF_ASSERT(!hf_field_parse(&arena, &field, hf_value_as_text(&value), &again, &refusal) && !refusal && hf_value_eq(&value, &again));
    }
    hf_arena_deinit(&arena);
    return 0;
}

/* What reads as a form is written and reads again as the same fields. */
#include "form.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(hf_arena *arena, const hf_form *form) {
    hf_buf buf;
    hf_form again;
    size_t n = 0;
    hf_buf_init(&buf, &mem);
    for (size_t i = 0; i < form->n; i++) hf_form_add(&buf, &n, form->fields[i].name, form->fields[i].value);
    HF_ASSERT(!buf.err && hf_form_read(arena, hf_sub(hf_buf_bytes(&buf), 1, buf.len), &again, NULL) == HF_OK);
    HF_ASSERT(again.n == form->n);
    for (size_t i = 0; i < form->n; i++)
        HF_ASSERT(hf_eq(again.fields[i].name, form->fields[i].name) &&
                  hf_eq(again.fields[i].value, form->fields[i].value));
    hf_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_form form;
    hf_fault fault = {NULL, 0};
    hf_arena_init(&arena, &mem);
    if (hf_form_read(&arena, HF_BYTES(data, len), &form, &fault) == HF_OK)
        check(&arena, &form);
    else
        HF_ASSERT(fault.what != NULL);
    (void)hf_content_type_is(HF_BYTES(data, len), "application/json");
    hf_arena_deinit(&arena);
    return 0;
}

/* A template and what it is rendered over, with a NUL between: template and JSON. The template may include itself
 * ("a"). What compiles renders within its limits, and twice to the same bytes. */
#include "../../tests/kit/fuzz.h"
#include "../codec/json.h"
#include "mustache.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void render(const hf_template *template, const hf_value *data) {
    hf_view root = hf_view_value(data);
    hf_buf first, second, marks;
    hf_buf_init(&first, &mem);
    hf_buf_init(&second, &mem);
    hf_buf_init(&marks, &mem);
    hf_err err = hf_template_render(template, &root, &first, &marks),
           again = hf_template_render(template, &root, &second, NULL);
    HF_ASSERT(err == again && (err == HF_OK || err == HF_LIMIT));
    HF_ASSERT(hf_eq(hf_buf_bytes(&first), hf_buf_bytes(&second)) && marks.len == 0);
    hf_buf_deinit(&first);
    hf_buf_deinit(&second);
    hf_buf_deinit(&marks);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_templates set;
    hf_arena arena;
    hf_template *template;
    hf_fault fault = {NULL, 0};
    hf_bytes input = HF_BYTES(data, len), missing;
    hf_value value = hf_value_null();
    size_t cut = hf_find(input, 0, 0), at;
    hf_templates_init(&set, &mem);
    hf_arena_init(&arena, &mem);
    hf_err err = hf_templates_add(&set, HF_TEXT("a"), hf_sub(input, 0, cut), false, &template, &fault);
    HF_ASSERT(err == HF_OK || (fault.what && fault.at <= cut));
    if (!err) {
        (void)hf_templates_link(&set, &missing, &at);
        if (hf_json_decode(&arena, hf_sub(input, cut + 1, len), &value, NULL)) value = hf_value_null();
        render(template, &value);
    }
    hf_arena_deinit(&arena);
    hf_templates_deinit(&set);
    return 0;
}

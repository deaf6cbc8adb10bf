/* A manifest, and after a NUL the one template "p": either an app or a problem that names app.json or the template. */
#include "app.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes input = HF_BYTES(data, len), problem;
    size_t cut = hf_find(input, 0, 0);
    const hf_file files[] = {{HF_TEXT("app.json"), hf_sub(input, 0, cut)},
                             {HF_TEXT("templates/p.mustache"), hf_sub(input, cut + 1, len)}};
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    hf_app *app = hf_app_new(&mem, files, HF_COUNT(files), 1, &arena, &problem);
    if (app)
        HF_ASSERT(hf_app_name(app).len > 0 && problem.len == 0);
    else
        HF_ASSERT(hf_starts(problem, HF_TEXT("app.json: ")) ||
                  hf_starts(problem, HF_TEXT("templates/p.mustache: line ")));
    hf_app_free(app);
    hf_arena_deinit(&arena);
    return 0;
}

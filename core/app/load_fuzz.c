/* A whole app folder from anybody, as a bundle: refused with a reason, or an app that answers for its front page, an unknown one, its API
 * and a form. */
#include "../../tests/kit/fuzz.h"
#include "bundle.h"
#include "test_tools.h"

static void ask(sample *s, const char *method, const char *path) {
    hf_request request = sample_request(s, method, path);
    HF_ASSERT(sample_ask(s, &request) == HF_OK);
    HF_ASSERT(s->answer.status >= 200 && s->answer.status < 600);
    HF_ASSERT(sample_header(s, "content-security-policy").len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_file *files;
    size_t n;
    sample s = {.app = NULL};
    hf_bytes problem = HF_BYTES(NULL, 0);
    hf_arena_init(&arena, &mem);
    if (!hf_bundle_decode(&arena, HF_BYTES(data, len), &files, &n, NULL)) {
        hf_err err = sample_open_files(&s, &mem, files, n, &problem);
        HF_ASSERT(err ? err == HF_MALFORMED && problem.len > 0 : s.app != NULL);
        if (!err && hf_app_n_schemas(s.app) <= HF_COUNT(s.collections)) ask(&s, "GET", "/"), ask(&s, "GET", "/no/such"), ask(&s, "GET", "/api"), ask(&s, "POST", "/notes");
        sample_close(&s);
    }
    hf_arena_deinit(&arena);
    return 0;
}

/* bundle: an app folder there and back; what is no bundle is refused. */
#include "bundle.h"

#include "../../tests/kit/check.h"

HF_TEST(bundle_goes_there_and_back) {
    hf_file files[] = {{HF_TEXT("app.json"), HF_TEXT("{}")}, {HF_TEXT("static/a.png"), HF_TEXT("\x89PNG\xff")}};
    hf_file *got;
    size_t n;
    hf_fault fault;
    hf_buf bundle;
    hf_buf_init(&bundle, hf_test_mem());
    CHECK_ERR(hf_bundle_encode(hf_test_arena(), files, HF_COUNT(files), &bundle), HF_OK);
    CHECK_ERR(hf_bundle_decode(hf_test_arena(), hf_buf_bytes(&bundle), &got, &n, &fault), HF_OK);
    CHECK_U64(n, 2);
    for (size_t i = 0; i < n; i++) {
        CHECK_BYTES(got[i].path, files[i].path);
        CHECK_BYTES(got[i].bytes, files[i].bytes);
    }
    for (size_t cut = 0; cut < bundle.len; cut++)
        CHECK(hf_bundle_decode(hf_test_arena(), HF_BYTES(bundle.ptr, cut), &got, &n, &fault) != HF_OK);
    hf_buf_deinit(&bundle);
}

HF_TEST(bundle_refuses_what_is_none) {
    static const char *const table[] = {"a0", "80", "a16566696c6573a0ff", "a16566696c657380", "a16566696c6573a161616178"};
    hf_file *got;
    size_t n;
    hf_fault fault;
    for (size_t i = 0; i < HF_COUNT(table); i++)
        CHECK_MSG(hf_bundle_decode(hf_test_arena(), hf_test_hex(hf_str(table[i])), &got, &n, &fault) != HF_OK, "row %zu", i);
}

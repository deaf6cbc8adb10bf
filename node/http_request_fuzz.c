/* Any head, and what is made of it at each place of listening (first byte): what is taken has an origin of our own making, parts that lie in the head, and, where
 * not everybody can reach us, a Host that a page elsewhere cannot have. */
#include "http_parse.h"

#include "../tests/kit/fuzz.h"
#include "http_request.h"

#include <string.h>

static void check(const hf_http_head *head, hf_bytes text, uint8_t how) {
    static const hf_http_place places[] = {HF_HTTP_ANYWHERE, HF_HTTP_NETWORK, HF_HTTP_MACHINE};
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_wire_request r;
    const char *origin = how & 4 ? "https://todo.example" : NULL;
    hf_arena_init(&arena, &mem);
    unsigned status = hf_http_read(head, origin, how & 8, places[how % 3], &arena, &r);
    HF_ASSERT(!status || status == 400 || status == 421);
    if (!status) {
        HF_ASSERT(hf_starts(r.request.origin, HF_TEXT("http")) && hf_fuzz_lies_in(r.request.session, text) && hf_fuzz_lies_in(r.query_version, text) && hf_fuzz_lies_in(r.entry, text));
        for (size_t i = 0; i < r.request.origin.len; i++) HF_ASSERT(r.request.origin.ptr[i] > ' ' && !strchr("<>\"'\\", r.request.origin.ptr[i]));
        HF_ASSERT(places[how % 3] != HF_HTTP_MACHINE || !hf_eq(head->host, HF_TEXT("evil.example")));
    }
    (void)hf_http_may_open(head->fields[HF_HTTP_ORIGIN], origin, places[how % 3], NULL, 0);
    hf_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    hf_bytes all = HF_BYTES(data + 1, len - 1);
    hf_http_head head;
    size_t scanned = 0, end = 0;
    if (!hf_http_parse(all, &scanned, &head, &end) && end) check(&head, hf_sub(all, 0, end), data[0]);
    return 0;
}

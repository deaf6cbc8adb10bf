/* Bytes from anywhere, come at once or cut in two: the same is said of them; and a head that is taken has no second reading: its lines end in CR LF,
 * its parts lie in it, its path is one. The first byte says where to cut. */
#include "http_parse.h"

#include "../tests/kit/fuzz.h"

static void check_taken(const hf_http_head *head, hf_bytes text) {
    for (size_t i = 0; i < text.len; i++) HF_ASSERT((text.ptr[i] == '\n') == (i > 0 && text.ptr[i - 1] == '\r'));
    HF_ASSERT(text.len >= 4 && hf_eq(hf_sub(text, text.len - 4, 4), HF_TEXT("\r\n\r\n")));
    HF_ASSERT(hf_fuzz_lies_in(head->method, text) && hf_fuzz_lies_in(head->path, text) && hf_fuzz_lies_in(head->query, text) && hf_fuzz_lies_in(head->host, text));
    for (int i = 0; i < HF_HTTP_NAMES; i++) HF_ASSERT(hf_fuzz_lies_in(head->fields[i], text));
    HF_ASSERT(head->method.len && head->host.len && head->path.len && head->path.ptr[0] == '/');
    HF_ASSERT(hf_find(head->path, ' ', 0) == head->path.len && hf_find(head->query, ' ', 0) == head->query.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    hf_bytes all = HF_BYTES(data + 1, len - 1);
    hf_http_head head, head_again;
    size_t scanned = 0, scanned_again = 0, end, end_again = 0;
    unsigned status = hf_http_parse(all, &scanned, &head, &end);
    unsigned status_again = hf_http_parse(hf_sub(all, 0, data[0]), &scanned_again, &head_again, &end_again);
    if (!status_again && !end_again) status_again = hf_http_parse(all, &scanned_again, &head_again, &end_again);
    HF_ASSERT(status == status_again && (status || end == end_again));
    if (!status && end) check_taken(&head, hf_sub(all, 0, end));
    hf_http_mentions(all, "gzip");
    return 0;
}

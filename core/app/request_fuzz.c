/* Requests, one after another, to one app that lives as long as the fuzzer: lines METHOD, path, query, body, headers
 * by their first letter; a NUL ends a request. Every one is answered; redirects stay here; what is written can be
 * applied; what is typed cannot open a script. */
#include "test_tools.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static sample s;
enum { REQUESTS_MAX = 16, OPERATIONS_MAX = 100 };

static void open_sample(void) {
    hf_arena keep;
    hf_bytes problem;
    hf_arena_init(&keep, &mem);
    HF_ASSERT(sample_open(&s, &mem, &keep, &problem) == HF_OK);
    hf_arena_deinit(&keep);
}

static void read_header(hf_bytes text, hf_request *request) {
    hf_bytes value = hf_sub(text, 1, text.len);
    switch (text.len ? text.ptr[0] : 0) {
    case 'c':
        request->content_type = value;
        break;
    case 'n':
        request->if_none_match = value;
        break;
    case 'm':
        request->if_match = value;
        break;
    case 'o':
        request->header_origin = value;
        break;
    case 's':
        request->sec_fetch_site = value;
        break;
    case 'r':
        request->referer = value;
        break;
    case 'k':
        request->session = value;
        break;
    case 'i':
        request->client_op = value;
        break;
    default:
        break;
    }
}

static hf_request read_request(hf_bytes input) {
    hf_request request = sample_request(&s, "GET", "/");
    request.method = hf_fuzz_until(&input, '\n');
    request.path = hf_fuzz_until(&input, '\n');
    request.query = hf_fuzz_until(&input, '\n');
    request.body = hf_fuzz_until(&input, '\n');
    request.content_type = HF_TEXT("application/x-www-form-urlencoded");
    if (hf_starts(request.path, HF_TEXT("/api/"))) request.content_type = HF_TEXT("application/json");
    while (input.len) read_header(hf_fuzz_until(&input, '\n'), &request);
    return request;
}

static void check_answer(void) {
    hf_bytes location = sample_header(&s, "location");
    HF_ASSERT(s.answer.status >= 200 && s.answer.status < 600 && s.answer.status != 500);
    HF_ASSERT(sample_header(&s, "content-security-policy").len > 0);
    HF_ASSERT(location.len == 0 ||
              (location.ptr[0] == '/' && !hf_starts(location, HF_TEXT("//")) && !hf_starts(location, HF_TEXT("/\\"))));
    for (size_t i = 0; i < s.answer.n_headers; i++)
        for (size_t k = 0; k < s.answer.headers[i].value.len; k++)
            HF_ASSERT(s.answer.headers[i].value.ptr[k] >= 0x20 && s.answer.headers[i].value.ptr[k] != 0x7f);
    HF_ASSERT(s.answer.n_operations == 0 || s.answer.status < 400);
    if (hf_starts(sample_header(&s, "content-type"), HF_TEXT("text/html")))
        HF_ASSERT(!sample_contains(s.answer.body, HF_TEXT("<x")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes rest = HF_BYTES(data, len);
    if (!s.app) open_sample();
    for (int i = 0; i < REQUESTS_MAX && rest.len; i++) {
        hf_request request = read_request(hf_fuzz_until(&rest, 0));
        HF_ASSERT(sample_ask(&s, &request) == HF_OK);
        check_answer();
    }
    if (s.time <= OPERATIONS_MAX) return 0;
    sample_close(&s); /* enough for one life */
    s.app = NULL;
    return 0;
}

/* http_request: whose names are ours, and whose pages may speak to us. */
#include "http_request.h"

#include "../tests/kit/check.h"

#include <string.h>

static unsigned status_of(const char *host, const char *origin, hf_http_place place) {
    hf_http_head head = {.method = HF_TEXT("GET"), .path = HF_TEXT("/"), .host = hf_str(host)};
    hf_wire_request wire;
    return hf_http_read(&head, origin, false, place, hf_test_arena(), &wire);
}

HF_TEST(http_request_place_is_where_it_listens) {
    static const struct { const char *host; hf_http_place place; } cases[] = {
        {"127.0.0.1", HF_HTTP_MACHINE}, {"127.9.9.9", HF_HTTP_MACHINE}, {"localhost", HF_HTTP_MACHINE}, {"::1", HF_HTTP_MACHINE},
        {"192.168.1.5", HF_HTTP_NETWORK}, {"10.0.0.1", HF_HTTP_NETWORK}, {"fd00::1", HF_HTTP_NETWORK}, {"fe80::1", HF_HTTP_NETWORK},
        {"0.0.0.0", HF_HTTP_ANYWHERE}, {"::", HF_HTTP_ANYWHERE}, {"8.8.8.8", HF_HTTP_ANYWHERE}, {"2606:4700::1111", HF_HTTP_ANYWHERE},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) CHECK_MSG(hf_http_place_of(cases[i].host) == cases[i].place, "%s", cases[i].host);
}

/* A page at evil.example, whose owner lets that name lead to where a node listens, is not served under it. */
HF_TEST(http_request_names_that_are_served) {
    static const struct { const char *host; unsigned machine, network, anywhere; } cases[] = {
        {"localhost", 200, 200, 200},         {"localhost:3000", 200, 200, 200},     {"[::1]:3000", 200, 200, 200},       {"127.0.0.1", 200, 200, 200},
        {"a.localhost", 200, 200, 200},       {"node.example", 200, 200, 200},       {"evil.example", 421, 421, 200},     {"evil.example:3000", 421, 421, 200},
        {"192.168.1.5:3000", 421, 200, 200},  {"10.0.0.1", 421, 200, 200},           {"[fd00::1]:3000", 421, 200, 200},   {"8.8.8.8", 421, 421, 200},
        {"[2606:4700::1111]", 421, 421, 200}, {"nas", 421, 200, 200},                {"nas:3000", 421, 200, 200},         {"nas.local", 421, 200, 200},
        {"todo.home.arpa", 421, 200, 200},    {"nas.lan:80", 421, 200, 200},         {"10.0.0.1.evil.example", 421, 421, 200}, {"local", 421, 200, 200},
        {"nas.local.evil.example", 421, 421, 200}, {"192.168.1.5.nip.io", 421, 421, 200}, {"[::1].evil.example", 421, 421, 200}, {"evil.localhost.example", 421, 421, 200},
        {"[::ffff:8.8.8.8]", 421, 200, 200},  {"2130706433", 421, 200, 200},         {"a b", 400, 400, 400},              {"", 400, 400, 400},
        {"a@evil.example", 400, 400, 400},    {"evil.example/", 400, 400, 400},      {"evil\r\nx: y", 400, 400, 400},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        const char *origin = "http://node.example";
        unsigned got[] = {status_of(cases[i].host, origin, HF_HTTP_MACHINE), status_of(cases[i].host, origin, HF_HTTP_NETWORK),
                          status_of(cases[i].host, origin, HF_HTTP_ANYWHERE)};
        unsigned want[] = {cases[i].machine, cases[i].network, cases[i].anywhere};
        for (size_t k = 0; k < 3; k++) CHECK_MSG((got[k] ? got[k] : 200) == want[k], "%s, place %zu: %u", cases[i].host, k, got[k]);
    }
}

HF_TEST(http_request_pages_that_may_open_a_socket) {
    static const char *const others[] = {"https://b.example", "http://10.1.1.1:3000"};
    static const struct { const char *page; bool machine, network; } cases[] = {
        {"", true, true}, {"http://localhost:8080", true, true}, {"https://127.0.0.1", true, true}, {"http://node.example", true, true},
        {"https://b.example", true, true}, {"https://B.example", true, true}, {"http://10.1.1.1:3000", true, true},
        {"https://b.example:444", false, false}, {"https://evil.example", false, false}, {"http://localhost.evil.example", false, false},
        {"null", false, false}, {"http://", false, false}, {"https://b.example.evil.example", false, false}, {"http://evil.example/http://localhost", false, false},
        {"http://192.168.1.5:3000", false, true}, {"http://nas.local", false, true}, {"http://8.8.8.8", false, false}, {"chrome-extension://abcdef", false, false},
        {"://localhost", false, false}, {"localhost", false, false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        const char *origin = "http://node.example";
        hf_bytes page = hf_str(cases[i].page);
        CHECK_MSG(hf_http_may_open(page, origin, HF_HTTP_ANYWHERE, others, 2), "%s anywhere", cases[i].page);
        CHECK_MSG(hf_http_may_open(page, origin, HF_HTTP_MACHINE, others, 2) == cases[i].machine, "%s, machine", cases[i].page);
        CHECK_MSG(hf_http_may_open(page, origin, HF_HTTP_NETWORK, others, 2) == cases[i].network, "%s, network", cases[i].page);
    }
}

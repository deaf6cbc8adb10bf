/* The small parts by themselves: escaping, paths, forms, dates, the cache, entity tags. */
#include "../../tests/kit/check.h"
#include "answer.h"
#include "cache.h"
#include "date.h"
#include "escape.h"
#include "form.h"
#include "router.h"

#include <string.h>

static hf_bytes made(void (*add)(hf_buf *, hf_bytes), const char *text) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    add(&buf, hf_str(text));
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return kept;
}

HF_TEST(escape_html_and_urls) {
    static const struct {
        void (*add)(hf_buf *, hf_bytes);
        const char *text, *want;
    } cases[] = {
        {hf_html_add, "a<b>&\"'c", "a&lt;b&gt;&amp;&quot;&#39;c"},
        {hf_html_add, "", ""},
        {hf_html_add, "<", "&lt;"},
        {hf_html_add, "\xc3\xa9", "\xc3\xa9"},
        {hf_url_add, "a b/c?d=e&f%g-._~", "a%20b%2Fc%3Fd%3De%26f%25g-._~"},
        {hf_url_add, "\xc3\xa9'\"", "%C3%A9%27%22"},
        {hf_url_add_sent, "/a%20b?c=d&e=f", "/a%20b?c=d&e=f"},
        {hf_url_add_sent, "/<\">'\x01 \x7f\r\n#\\", "/%3C%22%3E%27%01%20%7F%0D%0A%23%5C"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) CHECK_BYTES(made(cases[i].add, cases[i].text), hf_str(cases[i].want));
}

HF_TEST(escape_decodes_strictly) {
    static const struct {
        const char *text;
        bool plus;
        const char *want;
        size_t at;
    } cases[] = {
        {"abc", true, "abc", 0},      {"a+b%20c", true, "a b c", 0},   {"a+b", false, "a+b", 0},
        {"%41%7a", false, "Az", 0},   {"%c3%A9", true, "\xc3\xa9", 0}, {"", true, "", 0},
        {"%", true, NULL, 0},         {"a%4", true, NULL, 1},          {"%4g", true, NULL, 0},
        {"%%41", true, NULL, 0},      {"%00", true, NULL, 0},          {"%ff", true, NULL, 0},
        {"%ed%a0%80", true, NULL, 0}, {"\xff", true, NULL, 0},         {"%c0%af", true, NULL, 0},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes got;
        hf_fault fault = {"", 99};
        hf_err err = hf_url_decode(hf_test_arena(), hf_str(cases[i].text), cases[i].plus, &got, &fault);
        CHECK_MSG(err == (cases[i].want ? HF_OK : HF_MALFORMED), "%s", cases[i].text);
        if (cases[i].want)
            CHECK_BYTES(got, hf_str(cases[i].want));
        else
            CHECK_U64(fault.at, cases[i].at);
    }
}

HF_TEST(router_reads_paths) {
    static const struct {
        const char *text;
        bool fine;
    } cases[] = {
        {"/", true},
        {"/a", true},
        {"/a/:id", true},
        {"/a/:id/b-c_d.e~f", true},
        {"/a/b/c/d/e/f/g/h", true},
        {"", false},
        {"a", false},
        {"//", false},
        {"/a/", false},
        {"/a//b", false},
        {"/a b", false},
        {"/:", false},
        {"/:a/:a", false},
        {"/a?b", false},
        {"/..", false},
        {"/a/b/c/d/e/f/g/h/i", false},
        {"/\xc3\xa9", false},
        {"/:.", false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_path path;
        const char *wrong = hf_path_read(hf_str(cases[i].text), &path);
        CHECK_MSG((wrong == NULL) == cases[i].fine, "%s: %s", cases[i].text, wrong ? wrong : "taken");
    }
}

HF_TEST(router_literal_beats_parameter) {
    hf_path literal = {0}, param = {0}, late = {0};
    CHECK(!hf_path_read(HF_TEXT("/a/new"), &literal) && !hf_path_read(HF_TEXT("/a/:id"), &param) &&
          !hf_path_read(HF_TEXT("/:x/new"), &late));
    hf_segments segments;
    CHECK_ERR(hf_segments_read(hf_test_arena(), HF_TEXT("/a/new"), &segments, NULL), HF_OK);
    CHECK(hf_path_matches(&literal, &segments) && hf_path_matches(&param, &segments) &&
          hf_path_matches(&late, &segments));
    CHECK(literal.rank > param.rank && param.rank > late.rank);
    CHECK_ERR(hf_segments_read(hf_test_arena(), HF_TEXT("/a/x%2Fy"), &segments, NULL), HF_OK);
    CHECK(hf_path_matches(&param, &segments));
    CHECK_BYTES(segments.parts[1], HF_TEXT("x/y"));
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_path_add(&buf, &param, segments.parts[1]);
    CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("/a/x%2Fy"));
    hf_buf_deinit(&buf);
}

HF_TEST(router_odd_paths_match_nothing) {
    hf_path two;
    CHECK(!hf_path_read(HF_TEXT("/:a/:b"), &two));
    static const struct {
        const char *path;
        bool matches;
    } cases[] = {
        {"/x/y", true},
        {"/x/%2F", true},
        {"/x/...", true},
        {"/x/..", false},
        {"/x/%2e%2E", false},
        {"/./y", false},
        {"//y", false},
        {"/x//y", false},
        {"/x", false},
        {"/x/y/z", false},
        {"/1/2/3/4/5/6/7/8/9", false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_segments segments;
        CHECK_ERR(hf_segments_read(hf_test_arena(), hf_str(cases[i].path), &segments, NULL), HF_OK);
        CHECK_MSG(hf_path_matches(&two, &segments) == cases[i].matches, "%s", cases[i].path);
    }
}

HF_TEST(form_reads_fields) {
    static const struct {
        const char *body;
        size_t n;
        const char *name, *value;
    } cases[] = {
        {"", 0, "a", NULL},       {"a=b", 1, "a", "b"},      {"a=b&a=c", 2, "a", "c"},   {"a", 1, "a", ""},
        {"=b", 1, "", "b"},       {"a=b=c", 1, "a", "b=c"},  {"&a=1&&", 1, "a", "1"},    {"a+b=c+d", 1, "a b", "c d"},
        {"%61=%62", 1, "a", "b"}, {"a=1&b=2", 2, "c", NULL}, {"a=%26%3D", 1, "a", "&="},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_form form;
        CHECK_ERR(hf_form_read(hf_test_arena(), hf_str(cases[i].body), &form, NULL), HF_OK);
        CHECK_U64(form.n, cases[i].n);
        const hf_bytes *value = hf_form_get(&form, hf_str(cases[i].name));
        CHECK((value != NULL) == (cases[i].value != NULL));
        if (value) CHECK_BYTES(*value, hf_str(cases[i].value));
    }
}

HF_TEST(date_writes_utc) {
    static const struct {
        int64_t ms;
        const char *iso, *text, *http;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000Z", "1 January 1970, 00:00 UTC", "Thu, 01 Jan 1970 00:00:00 GMT"},
        {951782400000, "2000-02-29T00:00:00.000Z", "29 February 2000, 00:00 UTC", "Tue, 29 Feb 2000 00:00:00 GMT"},
        {1709208000123, "2024-02-29T12:00:00.123Z", "29 February 2024, 12:00 UTC", "Thu, 29 Feb 2024 12:00:00 GMT"},
        {1735689599999, "2024-12-31T23:59:59.999Z", "31 December 2024, 23:59 UTC", "Tue, 31 Dec 2024 23:59:59 GMT"},
        {4107542400000, "2100-03-01T00:00:00.000Z", "1 March 2100, 00:00 UTC", "Mon, 01 Mar 2100 00:00:00 GMT"},
        {-1, "1969-12-31T23:59:59.999Z", "31 December 1969, 23:59 UTC", "Wed, 31 Dec 1969 23:59:59 GMT"},
        {INT64_MAX, "9999-12-31T23:59:59.999Z", "31 December 9999, 23:59 UTC", "Fri, 31 Dec 9999 23:59:59 GMT"},
        {INT64_MIN, "0001-01-01T00:00:00.000Z", "1 January 1, 00:00 UTC", "Mon, 01 Jan 0001 00:00:00 GMT"},
    };
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_buf_clear(&buf);
        hf_date_add_iso(&buf, cases[i].ms);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_str(cases[i].iso));
        hf_buf_clear(&buf);
        hf_date_add_day(&buf, cases[i].ms);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_sub(hf_str(cases[i].iso), 0, 10));
        hf_buf_clear(&buf);
        hf_date_add_text(&buf, cases[i].ms);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_str(cases[i].text));
        hf_buf_clear(&buf);
        hf_date_add_http(&buf, cases[i].ms);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_str(cases[i].http));
    }
    hf_buf_deinit(&buf);
}

/* Against a model: a random walk of puts and gets with the bound never passed, and no page ever wrong. */
HF_TEST(cache_is_bounded_and_never_wrong) {
    enum { MAX = 4096, KEYS = 40 };
    hf_cache cache;
    uint64_t state = 1;
    uint8_t latest[KEYS] = {0}, body[300];
    size_t hits = 0;
    hf_cache_init(&cache, hf_test_mem(), MAX, 5);
    for (int i = 0; i < 5000; i++) {
        uint64_t r = hf_test_random(&state);
        uint8_t k = (uint8_t)(r % KEYS), version = (uint8_t)(r >> 8 & 1);
        hf_bytes key = HF_BYTES(&k, 1), versions = HF_BYTES(&version, 1);
        const hf_cached *found = hf_cache_get(&cache, key, versions);
        if (found) {
            hits++;
            CHECK(found->n_marks == 1 && found->marks[0] == k && found->body.ptr[0] == k &&
                  found->body.ptr[1] == version && latest[k] == version);
        } else {
            memset(body, k, sizeof body);
            body[1] = version;
            size_t mark = k;
            hf_cache_put(&cache, key, versions, HF_BYTES(body, 2 + (r >> 16) % 298), &mark, 1);
            latest[k] = version;
        }
        CHECK(cache.bytes <= MAX && cache.map.n <= KEYS);
    }
    CHECK(hits > 100);
    uint8_t *large = hf_arena_alloc(hf_test_arena(), MAX);
    hf_cache_put(&cache, HF_TEXT("large"), HF_TEXT(""), HF_BYTES(large, MAX / 2), NULL, 0);
    CHECK(hf_cache_get(&cache, HF_TEXT("large"), HF_TEXT("")) == NULL);
    hf_cache_deinit(&cache);
}

HF_TEST(cache_drops_what_was_not_used_for_longest) {
    hf_cache cache;
    uint8_t body[100] = {0};
    hf_cache_init(&cache, hf_test_mem(), 1024, 5);
    size_t room = 0;
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (; room < HF_COUNT(keys); room++) {
        size_t n = cache.map.n;
        hf_cache_put(&cache, hf_str(keys[room]), HF_TEXT("v"), HF_BYTES(body, sizeof body), NULL, 0);
        if (cache.map.n == n) break;
    }
    CHECK(room > 2 && room < HF_COUNT(keys));
    CHECK(hf_cache_get(&cache, HF_TEXT("a"), HF_TEXT("v")) == NULL);
    CHECK(hf_cache_get(&cache, HF_TEXT("b"), HF_TEXT("v")) != NULL); /* used: c is next to go */
    hf_cache_put(&cache, HF_TEXT("z"), HF_TEXT("v"), HF_BYTES(body, sizeof body), NULL, 0);
    CHECK(hf_cache_get(&cache, HF_TEXT("c"), HF_TEXT("v")) == NULL);
    CHECK(hf_cache_get(&cache, HF_TEXT("b"), HF_TEXT("v")) != NULL);
    hf_test_mem_fail_at(1);
    hf_cache_put(&cache, HF_TEXT("y"), HF_TEXT("v"), HF_BYTES(body, sizeof body), NULL, 0);
    hf_test_mem_fail_at(0);
    CHECK(hf_cache_get(&cache, HF_TEXT("y"), HF_TEXT("v")) == NULL);
    hf_cache_deinit(&cache);
}

HF_TEST(etag_comparison) {
    static const struct {
        const char *header, *etag;
        bool weak, strong;
    } cases[] = {
        {"\"a\"", "\"a\"", true, true},      {"W/\"a\"", "\"a\"", true, false},     {"\"a\"", "W/\"a\"", true, false},
        {"W/\"a\"", "W/\"a\"", true, false}, {"\"b\", \"a\"", "\"a\"", true, true}, {"\"b\"", "\"a\"", false, false},
        {"*", "\"a\"", true, true},          {"", "\"a\"", false, false},           {" , ", "\"a\"", false, false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        CHECK_MSG(hf_etag_matches(hf_str(cases[i].header), hf_str(cases[i].etag), true) == cases[i].weak, "%s weak",
                  cases[i].header);
        CHECK_MSG(hf_etag_matches(hf_str(cases[i].header), hf_str(cases[i].etag), false) == cases[i].strong,
                  "%s strong", cases[i].header);
    }
}

/* api, site: the addresses that every app has. */
#include "../../tests/kit/check.h"
#include "../codec/json.h"
#include "test_tools.h"

static sample s;

static void open_sample(void) {
    hf_bytes problem;
    CHECK_ERR(sample_open(&s, hf_test_mem(), hf_test_arena(), &problem), HF_OK);
}

typedef struct call {
    const char *method, *target, *body, *if_match, *key;
} call;

static unsigned ask(call c) {
    hf_request request = sample_request(&s, c.method, c.target);
    request.content_type = HF_TEXT("application/json; charset=utf-8");
    request.body = hf_str(c.body);
    request.if_match = hf_str(c.if_match);
    request.client_op = hf_str(c.key);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    return s.answer.status;
}

static hf_bytes keep(hf_bytes b) {
    return hf_arena_copy(hf_test_arena(), b);
}

static const char *keep_z(hf_bytes b) {
    char *z = hf_arena_alloc(hf_test_arena(), b.len + 1);
    memcpy(z, b.ptr, b.len);
    return z;
}

#define CHECK_BODY(part)                                                                                               \
    CHECK_MSG(sample_contains(s.answer.body, hf_str(part)), "no %s in %.*s", part, (int)s.answer.body.len,             \
              (const char *)s.answer.body.ptr)
#define CHECK_STATUS(c, want)                                                                                          \
    do {                                                                                                               \
        unsigned got = ask(c);                                                                                         \
        CHECK_MSG(got == (want), "%s %s: %u %.*s", (c).method, (c).target, got, (int)s.answer.body.len,                \
                  (const char *)s.answer.body.ptr);                                                                    \
    } while (0)

static const char *create(const char *body) {
    CHECK_STATUS(((call){"POST", "/api/v1/notes", body, NULL, NULL}), 201);
    return keep_z(sample_header(&s, "location"));
}

HF_TEST(api_creates_reads_changes_deletes) {
    open_sample();
    const char *url =
        create("{\"title\":\" Milk <b>\",\"rank\":2,\"due\":\"2024-01-02\",\"pinned\":true,\"kind\":null}");
    hf_bytes made = keep(s.answer.body);
    CHECK(sample_header(&s, "set-cookie").len > 0);
    CHECK_STATUS(((call){"GET", url, NULL, NULL, NULL}), 200);
    CHECK_BODY("\"title\":\"Milk ");
    CHECK_BODY("\"kind\":null,\"due\":\"2024-01-02T00:00:00.000Z\",\"rank\":2,\"ratio\":null,\"pinned\":true,\"votes\":"
               "0,\"author\":\"");
    CHECK(made.len > 100 && hf_starts(s.answer.body, hf_sub(made, 0, 100))); /* POST answered with what GET shows */
    CHECK_BYTES(sample_header(&s, "content-type"), HF_TEXT("application/json"));
    const char *etag = keep_z(sample_header(&s, "etag"));
    CHECK_STATUS(((call){"PATCH", url, "{\"title\":\"New\",\"due\":null}", NULL, NULL}), 200);
    CHECK_BODY("\"title\":\"New\"");
    CHECK_BODY("\"due\":null");
    CHECK_STATUS(((call){"GET", url, NULL, NULL, NULL}), 200);
    CHECK_BODY("\"title\":\"New\"");
    CHECK_BODY("\"due\":null,\"rank\":2");
    CHECK_STATUS(((call){"PATCH", url, "{\"title\":\"Late\"}", etag, NULL}), 412);
    CHECK_STATUS(((call){"DELETE", url, NULL, etag, NULL}), 412);
    CHECK_STATUS(((call){"GET", url, NULL, NULL, NULL}), 200);
    etag = keep_z(sample_header(&s, "etag"));
    CHECK_STATUS(((call){"PATCH", url, "{\"votes\":{\"$add\":3}}", etag, NULL}), 200);
    CHECK_BODY("\"votes\":3");
    CHECK_STATUS(((call){"PATCH", url, "{\"votes\":{\"$add\":-1}}", "*", NULL}), 200);
    CHECK_BODY("\"votes\":2");
    CHECK_STATUS(((call){"PATCH", url, "{}", NULL, NULL}), 200);
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_STATUS(((call){"DELETE", url, NULL, NULL, NULL}), 204);
    CHECK_U64(s.answer.body.len, 0);
    CHECK_STATUS(((call){"GET", url, NULL, NULL, NULL}), 410);
    CHECK_STATUS(((call){"PATCH", url, "{\"title\":\"x\"}", NULL, NULL}), 410);
    CHECK_STATUS(((call){"DELETE", url, NULL, NULL, NULL}), 410);
    sample_close(&s);
}

HF_TEST(api_lists) {
    open_sample();
    create("{\"title\":\"b\",\"rank\":2,\"kind\":\"red\"}");
    create("{\"title\":\"a\",\"rank\":5,\"body\":\"Needle\"}");
    create("{\"title\":\"c\",\"rank\":3,\"pinned\":true}");
    static const struct {
        const char *query, *want;
    } cases[] = {
        {"", "bac"},
        {"?sort=title", "abc"},
        {"?sort=-title", "cba"},
        {"?sort=-rank", "acb"},
        {"?rank=5", "a"},
        {"?rank.less=4&sort=rank", "bc"},
        {"?rank.more=2&sort=rank", "ca"},
        {"?body.contains=needle", "a"},
        {"?pinned=true", "c"},
        {"?kind=red", "b"},
        {"?title=x", ""},
        {"?sort=title&limit=2", "ab"},
        {"?sort=title&limit=2&page=2", "c"},
        {"?limit=2&page=9", ""},
        {"?rank=2&rank=3", ""},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        char got[8] = "";
        CHECK_STATUS(((call){"GET", sample_join(hf_test_arena(), "/api/v1/notes", cases[i].query), NULL, NULL, NULL}),
                     200);
        hf_value json;
        CHECK_ERR(hf_json_decode(&s.arena, s.answer.body, &json, NULL), HF_OK);
        const hf_value *items = hf_value_get(&json, "items");
        for (size_t k = 0; k < items->as.list.n; k++)
            got[k] = (char)hf_value_as_text(hf_value_get(&items->as.list.items[k], "title")).ptr[0];
        CHECK_MSG(!strcmp(got, cases[i].want), "%s: %s, not %s", cases[i].query, got, cases[i].want);
    }
    CHECK_BODY("{\"total\":0,\"page\":1,\"pages\":1,\"items\":[]}");
    static const char *const wrong[] = {
        "?nope=1", "?sort=nope",   "?sort=",      "?page=0",    "?page=x", "?limit=0", "?limit=1001",
        "?rank=x", "?rank.nope=1", "?rank.less=", "?title=%zz", "?.=1",    "?a=1&b=1"};
    for (size_t i = 0; i < HF_COUNT(wrong); i++) {
        ask((call){"GET", sample_join(hf_test_arena(), "/api/v1/notes", wrong[i]), NULL, NULL, NULL});
        CHECK_MSG(s.answer.status == 400, "%s: %u", wrong[i], s.answer.status);
    }
    sample_close(&s);
}

HF_TEST(api_refuses) {
    open_sample();
    const char *url = create("{\"title\":\"x\"}");
    const struct {
        const char *method, *target, *body;
        unsigned status;
        const char *part;
    } cases[] = {
        {"POST", "/api/v1/notes", "", 400, "\"status\":400"},
        {"POST", "/api/v1/notes", "{", 400, "\"type\":\"about:blank\""},
        {"POST", "/api/v1/notes", "[]", 400, "the body must be an object"},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"title\":\"b\"}", 400, ""},
        {"POST", "/api/v1/notes", "{}", 422,
         "\"errors\":[{\"field\":\"title\",\"message\":\"The title is required.\"}]"},
        {"POST", "/api/v1/notes", "{\"title\":null}", 422, "The title is required."},
        {"POST", "/api/v1/notes", "{\"title\":1}", 422, "The title is not text."},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"rank\":\"3\"}", 422, "\"field\":\"rank\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"rank\":9}", 422, "\"field\":\"rank\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"pinned\":\"on\"}", 422, "\"field\":\"pinned\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"due\":\"never\"}", 422, "\"field\":\"due\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"nope\":1,\"rank\":0}", 422,
         "{\"field\":\"nope\",\"message\":\"nope is no field of this collection.\"},{\"field\":\"rank\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"created\":1}", 422, "Created fills itself."},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"votes\":1}", 422, "\"field\":\"votes\""},
        {"POST", "/api/v1/notes", "{\"title\":\"a\",\"votes\":{\"$add\":1}}", 422, "\"field\":\"votes\""},
        {"PATCH", url, "{\"title\":\"a\",\"votes\":{\"$add\":1}}", 422, "\"field\":\"votes\""},
        {"PATCH", url, "{\"votes\":{\"$add\":\"1\"}}", 422, "\"field\":\"votes\""},
        {"PATCH", url, "{\"title\":null}", 422, "The title is required."},
        {"PATCH", "/api/v1/notes/nobody", "{\"title\":\"a\"}", 404, "There is no such document."},
        {"DELETE", "/api/v1/notes/nobody", NULL, 404, "There is no such document."},
        {"GET", "/api/v1/notes/nobody", NULL, 404, "There is no such document."},
        {"GET", "/api/v1/nope", NULL, 404, "There is nothing at this address."},
        {"GET", "/api/v1", NULL, 404, ""},
        {"GET", "/api/v2/notes", NULL, 404, ""},
        {"GET", "/api/v1/notes/", NULL, 404, ""},
        {"GET", "/api/v1/notes/a/b", NULL, 404, ""},
        {"PUT", url, "{}", 405, "\"status\":405"},
        {"DELETE", "/api/v1/notes", "{}", 405, "\"status\":405"},
        {"GET", "/api/v1/notes/%zz", NULL, 400, "\"status\":400"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        CHECK_STATUS(((call){cases[i].method, cases[i].target, cases[i].body, NULL, NULL}), cases[i].status);
        CHECK_BODY(cases[i].part);
        CHECK_BYTES(sample_header(&s, "content-type"), HF_TEXT("application/problem+json"));
        CHECK_BYTES(sample_header(&s, "cache-control"), HF_TEXT("no-store"));
        CHECK_U64(s.answer.n_operations, 0);
    }
    static const char *const types[] = {"", "text/plain", "application/x-www-form-urlencoded",
                                        "application/json; charset=latin1", "application/jsonp"};
    for (size_t i = 0; i < HF_COUNT(types); i++) {
        hf_request request = sample_request(&s, "POST", "/api/v1/notes");
        request.content_type = hf_str(types[i]);
        request.body = HF_TEXT("{\"title\":\"a\"}");
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_U64(s.answer.status, 415);
    }
    sample_close(&s);
}

HF_TEST(api_idempotency_key_has_one_effect) {
    open_sample();
    call post = {"POST", "/api/v1/notes", "{\"title\":\"x\"}", NULL, "key-1"};
    CHECK_STATUS(post, 201);
    const char *url = keep_z(sample_header(&s, "location"));
    CHECK_STATUS(post, 201);
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_BYTES(sample_header(&s, "location"), hf_str(url));
    CHECK_BODY("\"title\":\"x\"");
    call vote = {"PATCH", url, "{\"votes\":{\"$add\":1}}", NULL, "key-2"};
    CHECK_STATUS(vote, 200);
    CHECK_STATUS(vote, 200);
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_BODY("\"votes\":1");
    vote.key = NULL;
    CHECK_STATUS(vote, 200);
    CHECK_STATUS(vote, 200);
    CHECK_BODY("\"votes\":3");
    call del = {"DELETE", url, NULL, NULL, "key-3"};
    CHECK_STATUS(del, 204);
    CHECK_STATUS(del, 204);
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_STATUS(post, 410);
    CHECK_STATUS(vote, 410);
    sample_close(&s);
}

/* ---- site ---- */

HF_TEST(site_serves_static_files) {
    open_sample();
    const struct {
        const char *target;
        unsigned status;
        const char *type, *cache;
    } cases[] = {
        {"/static/app.css", 200, "text/css; charset=utf-8", "no-cache"},
        {"/static/app.css?v=r1", 200, "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
        {"/static/app.css?v=r2", 302, "", "no-store"},
        {"/static/app.css?v=", 302, "", "no-store"},
        {"/static/app.css?v=r2&x", 302, "", "no-store"},
        {"/static/none?v=r2", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/app.css?v=r1&x", 200, "text/css; charset=utf-8", "no-cache"},
        {"/static/icon.svg", 200, "image/svg+xml", "no-cache"},
        {"/static/sub/page.html", 200, "application/octet-stream", "no-cache"},
        {"/static/%61pp.css", 200, "text/css; charset=utf-8", "no-cache"},
        {"/static", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/none", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/app.css/", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/app.css/x", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/../app.json", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/%2e%2e/app.json", 404, "text/html; charset=utf-8", "no-store"},
        {"/static/..%2fapp.json", 404, "text/html; charset=utf-8", "no-store"},
        {"/static//app.css", 404, "text/html; charset=utf-8", "no-store"},
        {"/app.json", 404, "text/html; charset=utf-8", "no-store"},
        {"/templates/index.mustache", 404, "text/html; charset=utf-8", "no-store"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        CHECK_STATUS(((call){"GET", cases[i].target, NULL, NULL, NULL}), cases[i].status);
        CHECK_BYTES(sample_header(&s, "content-type"), hf_str(cases[i].type));
        CHECK_BYTES(sample_header(&s, "cache-control"), hf_str(cases[i].cache));
    }
    CHECK_STATUS(((call){"GET", "/static/%61pp.css?v=r2", NULL, NULL, NULL}), 302);
    CHECK_BYTES(sample_header(&s, "location"), HF_TEXT("/static/app.css"));
    CHECK_STATUS(((call){"GET", "/static/app.css", NULL, NULL, NULL}), 200);
    CHECK_BODY("body{color:red}");
    hf_request request = sample_request(&s, "GET", "/static/app.css");
    request.if_none_match = keep(sample_header(&s, "etag"));
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 304);
    CHECK_U64(s.answer.body.len, 0);
    CHECK_STATUS(((call){"POST", "/static/app.css", NULL, NULL, NULL}), 405);
    CHECK_BYTES(sample_header(&s, "allow"), HF_TEXT("GET, HEAD"));
    sample_close(&s);
}

HF_TEST(site_manifest_robots_sitemap) {
    open_sample();
    const char *url = create("{\"title\":\"x\"}");
    CHECK_STATUS(((call){"GET", "/manifest.webmanifest", NULL, NULL, NULL}), 200);
    CHECK_BYTES(sample_header(&s, "content-type"), HF_TEXT("application/manifest+json"));
    hf_value json;
    CHECK_ERR(hf_json_decode(&s.arena, s.answer.body, &json, NULL), HF_OK);
    CHECK_BYTES(hf_value_as_text(hf_value_get(&json, "name")), HF_TEXT("Notes & more"));
    CHECK_U64(hf_value_get(&json, "icons")->as.list.n, 2);
    CHECK_STATUS(((call){"GET", "/robots.txt", NULL, NULL, NULL}), 200);
    CHECK_BODY("Sitemap: https://notes.example/sitemap.xml\n");
    CHECK_STATUS(((call){"GET", "/sitemap.xml", NULL, NULL, NULL}), 200);
    CHECK_BYTES(sample_header(&s, "content-type"), HF_TEXT("application/xml; charset=utf-8"));
    CHECK_BODY("<url><loc>https://notes.example/</loc></url>\n");
    const char *loc = sample_join(hf_test_arena(), "<loc>https://notes.example", url + strlen("/api/v1"));
    CHECK_BODY(sample_join(hf_test_arena(), loc, "</loc><lastmod>2023-11-14T22:13:20.001Z</lastmod></url>"));
    hf_request request = sample_request(&s, "GET", "/sitemap.xml");
    request.if_none_match = keep(sample_header(&s, "etag"));
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 304);
    CHECK_STATUS(((call){"DELETE", url, NULL, NULL, NULL}), 204);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 200);
    CHECK_STATUS(((call){"POST", "/sitemap.xml", NULL, NULL, NULL}), 405);
    CHECK_STATUS(((call){"GET", "/sitemap.xml/", NULL, NULL, NULL}), 404);
    sample_close(&s);
}

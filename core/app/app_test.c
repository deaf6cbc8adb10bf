/* app: pages, actions and what every request must pass, through the app's one door. */
#include "../../tests/kit/check.h"
#include "escape.h"
#include "test_tools.h"

static sample s;

static void open_sample(void) {
    hf_bytes problem = HF_TEXT("");
    hf_err err = sample_open(&s, hf_test_mem(), hf_test_arena(), &problem);
    CHECK_MSG(!err, "%.*s", (int)problem.len, (const char *)problem.ptr);
}

static unsigned get(const char *target) {
    hf_request request = sample_request(&s, "GET", target);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    return s.answer.status;
}

static unsigned post(const char *target, const char *body) {
    hf_request request = sample_form(&s, target, body);
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
    CHECK_MSG(sample_contains(s.answer.body, hf_str(part)), "no \"%s\" in:\n%.*s", part, (int)s.answer.body.len,       \
              (const char *)s.answer.body.ptr)
#define CHECK_NO_BODY(part)                                                                                            \
    CHECK_MSG(!sample_contains(s.answer.body, hf_str(part)), "\"%s\" in:\n%.*s", part, (int)s.answer.body.len,         \
              (const char *)s.answer.body.ptr)
#define CHECK_HEADER(name, value) CHECK_BYTES(sample_header(&s, name), hf_str(value))

/* Creates a note and gives its page. */
static const char *create(const char *body) {
    unsigned status = post("/notes", body);
    CHECK_MSG(status == 303, "%u: %.*s", status, (int)s.answer.body.len, (const char *)s.answer.body.ptr);
    return keep_z(sample_header(&s, "location"));
}

static const char *join(const char *a, const char *b) {
    return sample_join(hf_test_arena(), a, b);
}

HF_TEST(app_shows_lists_items_and_counts) {
    open_sample();
    CHECK_U64(get("/"), 200);
    CHECK_HEADER("content-type", "text/html; charset=utf-8");
    CHECK_HEADER("cache-control", "no-cache");
    CHECK_BODY("0/0 total 0 page 1/1");
    const char *url =
        create("title=Milk+%26+bread&body=a%0D%0Ab&kind=green&due=2024-02-29T12:00:00Z&rank=3&ratio=0.25&pinned=on");
    CHECK_U64(get("/"), 200);
    CHECK_BODY("1/1 total 1 page 1/1");
    CHECK_BODY(join(join("<a href=\"", url), "\">Milk &amp; bread</a> [green] * 0\n"));
    CHECK_U64(get(url), 200);
    CHECK_BODY("<h1>Milk &amp; bread</h1><pre>a\nb</pre><time datetime=\"2024-02-29T12:00:00.000Z\">29 February 2024, "
               "12:00 UTC</time> 3 0.25 by ");
    CHECK_BODY("<option>red</option><option selected>green</option>");
    CHECK_BODY("Body=a\nb Kind=green Rank=3 Ratio=0.25 The title=Milk &amp; bread Pinned=true");
    CHECK_U64(get("/notes/new"), 200);
    CHECK_BODY("<p>new The title 200</p>");
    sample_close(&s);
}

HF_TEST(app_filters_sorts_and_turns_pages) {
    open_sample();
    create("title=d&kind=red&rank=1");
    create("title=a&pinned=1&kind=green");
    create("title=c&body=Needle");
    create("title=b&pinned=1&kind=red&rank=5");
    static const struct {
        const char *target, *part, *other;
    } cases[] = {
        {"/", "total 4 page 1/2", "rel=prev"},
        {"/", "<a rel=next href=\"/?page=2\">", "<p>q="},
        {"/?page=2", "page 2/2", "rel=next"},
        {"/?page=2", "<a rel=prev href=\"/\">", "<p>q="},
        {"/?page=3", "page 3/2", "<li id"},
        {"/?page=0", "page 1/2", "x"},
        {"/?page=99999999999", "page 1/2", "x"},
        {"/?state=pinned", "total 2 page 1/1", "c</a>"},
        {"/?state=pinned", "<p>q= pinned=true</p>", "x"},
        {"/?state=loose", "total 2 page 1/1", "pinned=true"},
        {"/?state=bogus", "total 4", "<p>q="},
        {"/?state=", "total 4", "<p>q="},
        {"/?kind=red", "total 2", ">a</a>"},
        {"/?kind=red&state=pinned", ">b</a>", ">d</a>"},
        {"/?kind=blue", "total 4", "<p>q="},
        {"/?rank=5", "total 1", ">a</a>"},
        {"/?rank=%35", "total 1", ">a</a>"},
        {"/?rank=x", "total 4", "<p>q="},
        {"/?q=nEEdle", "total 1", ">a</a>"},
        {"/?q=nothing", "total 0", "<li id"},
        {"/?unknown=1", "total 4", "<p>q="},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        CHECK_U64(get(cases[i].target), 200);
        CHECK_MSG(sample_contains(s.answer.body, hf_str(cases[i].part)), "%s: no %s", cases[i].target, cases[i].part);
        if (cases[i].other[1])
            CHECK_MSG(!sample_contains(s.answer.body, hf_str(cases[i].other)), "%s: has %s", cases[i].target,
                      cases[i].other);
    }
    create("title=e&pinned=1");
    create("title=f&pinned=1");
    CHECK_U64(get("/?state=pinned&q=&page=1"), 200);
    CHECK_BODY("<a rel=next href=\"/?state=pinned&amp;page=2\">");
    sample_close(&s);
}

HF_TEST(app_routes) {
    open_sample();
    const char *url = create("title=x");
    static const struct {
        const char *method, *target;
        unsigned status;
        const char *header, *value;
    } cases[] = {
        {"GET", "/about", 200, "content-type", "text/html; charset=utf-8"},
        {"HEAD", "/about", 200, "content-type", "text/html; charset=utf-8"},
        {"GET", "/about/", 308, "location", "/about"},
        {"GET", "/about/?a=%20b&c=<", 308, "location", "/about?a=%20b&c=%3C"},
        {"HEAD", "/about/", 308, "location", "/about"},
        {"POST", "/about/", 404, "", ""},
        {"GET", "/%61bout", 200, "", ""},
        {"GET", "/About", 404, "", ""},
        {"GET", "/nowhere", 404, "cache-control", "no-store"},
        {"GET", "/notes", 405, "allow", "POST"},
        {"PUT", "/about", 405, "allow", "GET, HEAD"},
        {"DELETE", "/notes/x", 405, "allow", "GET, HEAD, POST"},
        {"OPTIONS", "/notes/x", 405, "allow", "GET, HEAD, POST"},
        {"POST", "/", 405, "allow", "GET, HEAD"},
        {"GET", "/notes/nobody", 404, "", ""},
        {"GET", "/notes/a%2Fb", 404, "", ""},
        {"GET", "/notes/a/b", 404, "", ""},
        {"GET", "/about%2F", 404, "", ""},
        {"GET", "//", 404, "", ""},
        {"GET", "//evil.example/", 404, "", ""},
        {"GET", "//about", 404, "", ""},
        {"GET", "/./about", 404, "", ""},
        {"GET", "/x/../about", 404, "", ""},
        {"GET", "/notes/%2e%2e/about", 404, "", ""},
        {"GET", "/notes/..", 404, "", ""},
        {"GET", "/a/b/c/d/e/f/g/h/i/j", 404, "", ""},
        {"GET", "/ab%6", 400, "", ""},
        {"GET", "/ab%zz", 400, "", ""},
        {"GET", "/notes/%ff", 400, "", ""},
        {"GET", "/notes/%00", 400, "", ""},
        {"GET", "about", 400, "", ""},
        {"GET", "", 400, "", ""},
        {"GET", "/?q=%zz", 400, "", ""},
        {"GET", "/?q=%ff", 400, "", ""},
        {"BREW", "/about", 405, "allow", "GET, HEAD"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_request request = sample_request(&s, cases[i].method, cases[i].target);
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_MSG(s.answer.status == cases[i].status, "%s %s: %u", cases[i].method, cases[i].target, s.answer.status);
        CHECK_BYTES(sample_header(&s, cases[i].header), hf_str(cases[i].value));
        CHECK_U64(s.answer.n_operations, 0);
    }
    char *many = hf_arena_alloc(hf_test_arena(), 4096);
    memset(many, 'a', 4000);
    many[0] = '/';
    CHECK_U64(get(many), 414);
    many[1] = '?';
    CHECK_U64(get(many), 414);
    CHECK_U64(post(join(url, "/delete"), ""), 303);
    CHECK_U64(get(url), 410);
    CHECK_BODY("<h1>410 Gone</h1><p>What was here has been deleted.</p>");
    CHECK_BODY("noindex");
    CHECK_U64(post(url, "title=y&op=later"), 410);
    CHECK_U64(post("/notes/nobody/toggle", ""), 404);
    sample_close(&s);
}

HF_TEST(app_security_headers_are_on_every_answer) {
    open_sample();
    static const char *const targets[] = {"/",
                                          "/nowhere",
                                          "/static/app.css",
                                          "/static/none",
                                          "/robots.txt",
                                          "/sitemap.xml",
                                          "/manifest.webmanifest",
                                          "/about/",
                                          "/api/v1/notes",
                                          "/api/v1/none",
                                          "/%",
                                          "/notes"};
    for (size_t i = 0; i < HF_COUNT(targets); i++) {
        get(targets[i]);
        CHECK(hf_starts(sample_header(&s, "content-security-policy"), HF_TEXT("default-src 'none'; ")));
        CHECK_HEADER("x-content-type-options", "nosniff");
        CHECK_HEADER("referrer-policy", "same-origin");
        CHECK_HEADER("cross-origin-opener-policy", "same-origin");
        CHECK(sample_header(&s, "permissions-policy").len > 0);
        CHECK(sample_header(&s, "set-cookie").len == 0);
    }
    CHECK(!sample_contains(sample_header(&s, "content-security-policy"), HF_TEXT("unsafe-inline")));
    sample_close(&s);
}

/* ---- writes ---- */

HF_TEST(app_actions_toggle_increment_update_delete) {
    open_sample();
    const char *url = create("title=x&rank=2");
    CHECK_U64(post(join(url, "/toggle"), "op=a"), 303);
    CHECK_HEADER("location", "/");
    CHECK_U64(post(join(url, "/vote"), ""), 303);
    CHECK_U64(post(join(url, "/vote"), ""), 303);
    CHECK_U64(post(url, "title=y&unknown=1&votes=99&author=me&created=1"), 303);
    get("/");
    CHECK_BODY(">y</a>  * 4");
    CHECK_U64(post(join(url, "/toggle"), "op=b"), 303);
    get("/");
    CHECK_BODY(">y</a>   4");
    CHECK_U64(post(url, "rank="), 303);
    get(url);
    CHECK_U64(post(url, "unknown=1"), 303);
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_U64(post(join(url, "/delete"), ""), 303);
    get("/");
    CHECK_BODY("0/0 total 0");
    sample_close(&s);
}

HF_TEST(app_one_op_has_one_effect) {
    open_sample();
    const char *url = create("title=x&op=1");
    CHECK_U64(post("/notes", "title=x&op=1"), 303);
    CHECK_BYTES(sample_header(&s, "location"), hf_str(url));
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_U64(post("/notes", "title=x&op=1&back=%2Felsewhere"), 303); /* where the form stood does not matter */
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_U64(post("/notes", "title=y&op=1"), 303); /* two texts from one stale page are two actions */
    CHECK_U64(s.answer.n_operations, 1);
    CHECK_U64(post("/notes", "title=x"), 303); /* no op: each post is its own */
    CHECK_U64(post("/notes", "title=x"), 303);
    CHECK_U64(s.answer.n_operations, 1);
    get("/");
    CHECK_BODY("total 4");
    const char *vote = join(url, "/vote"), *del = join(url, "/delete");
    for (int i = 0; i < 3; i++) CHECK_U64(post(vote, "op=2"), 303);
    get("/?q=x");
    CHECK_BODY(" 2\n");
    for (int i = 0; i < 3; i++)
        CHECK_U64(post(del, "op=3"), 303); /* the second is not "gone": it was this very action that did it */
    CHECK_U64(post(del, "op=4"), 410);
    CHECK_U64(post("/notes", "title=x&op=1"), 303); /* a create that was done and deleted since is not done again */
    CHECK_U64(s.answer.n_operations, 0);
    CHECK_U64(get(url), 410);
    sample_close(&s);
}

HF_TEST(app_opid_is_as_specified) {
    open_sample();
    post("/notes", "op=abc&title=x+y&back=%2F&rank=2");
    static const char text[] = "holdfast op\0abc\0/notes\0title=x y\0rank=2\0";
    uint8_t digest[32];
    hf_sha256_of(HF_BYTES(text, sizeof text - 1), digest);
    hf_buf want;
    hf_buf_init(&want, hf_test_mem());
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i < 26; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)digest[bit / 8] << 8 | (bit / 8 + 1 < 16 ? digest[bit / 8 + 1] : 0u);
        hf_buf_add_byte(&want, (uint8_t)digits[pair >> (11 - bit % 8) & 31]);
    }
    CHECK_BYTES(s.answer.operations[0].opid, hf_buf_bytes(&want));
    CHECK_BYTES(s.answer.operations[0].key, hf_buf_bytes(&want));
    hf_buf_deinit(&want);
    sample_close(&s);
}

HF_TEST(app_bad_input_keeps_what_was_typed) {
    open_sample();
    static const struct {
        const char *body, *message;
    } cases[] = {
        {"rank=2", "title: The title is required."},
        {"title=", "title: The title is required."},
        {"title=+%09+", "title: The title is required."},
        {"title=a&rank=9", "rank: Rank "},
        {"title=a&rank=x", "rank: Rank is not a whole number."},
        {"title=a&kind=blue", "kind: Kind "},
        {"title=a&due=tomorrow", "due: Due is not a date and time."},
        {"title=a&pinned=perhaps", "pinned: Pinned is not yes or no."},
        {"title=a%07", "title: The title contains control characters."},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        CHECK_U64(post("/notes", cases[i].body), 422);
        CHECK_BODY(cases[i].message);
        CHECK_HEADER("cache-control", "no-store");
        CHECK_U64(s.answer.n_operations, 0);
        CHECK(sample_header(&s, "etag").len == 0);
    }
    CHECK_U64(post("/notes", "title=%22%3E%3Cb%3E&rank=77"), 422);
    CHECK_BODY("<input name=title value=\"&quot;&gt;&lt;b&gt;\">");
    CHECK_BODY("noindex");
    create("title=Found&pinned=1");
    create("title=Loose");
    CHECK_U64(post("/notes", "title=&back="
                             "https%3A%2F%2Fnotes.example%2F%3Fstate%3Dpinned"),
              422);
    CHECK_BODY("Found");
    CHECK_NO_BODY("Loose");
    CHECK_U64(post("/notes", "title=&back=%2F%3Fq%3D%25zz"), 422);
    const char *url = create("title=Old");
    CHECK_U64(post(url, "title="), 422);
    CHECK_BODY("<h1>Old</h1>");
    CHECK_BODY("<input name=title value=\"\">");
    CHECK_BODY("<p>The title is required.</p>");
    CHECK_U64(get(url), 200);
    CHECK_BODY("value=\"Old\"");
    sample_close(&s);
}

HF_TEST(app_takes_only_proper_forms) {
    open_sample();
    static const struct {
        const char *type, *body;
        unsigned status;
    } cases[] = {
        {"application/x-www-form-urlencoded", "title=a", 303},
        {"Application/X-WWW-Form-urlencoded; Charset=UTF-8", "title=b", 303},
        {"application/x-www-form-urlencoded;charset=\"utf-8\"", "title=c", 303},
        {"application/x-www-form-urlencoded; charset=latin1", "title=d", 415},
        {"text/plain", "title=a", 415},
        {"multipart/form-data; boundary=x", "title=a", 415},
        {"application/json", "{\"title\":\"a\"}", 415},
        {"", "title=a", 415},
        {"application/x-www-form-urlencoded, text/plain", "title=a", 415},
        {"application/x-www-form-urlencoded", "title=%", 400},
        {"application/x-www-form-urlencoded", "title=%4", 400},
        {"application/x-www-form-urlencoded", "title=%zz", 400},
        {"application/x-www-form-urlencoded", "title=%ff", 400},
        {"application/x-www-form-urlencoded", "title=%00", 400},
        {"application/x-www-form-urlencoded", "title=\xed\xa0\x80", 400},
        {"application/x-www-form-urlencoded", "&&title=e&&", 303},
        {"application/x-www-form-urlencoded", "title=f&title=g", 303},
        {"application/x-www-form-urlencoded", "", 422},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_request request = sample_form(&s, "/notes", cases[i].body);
        request.content_type = hf_str(cases[i].type);
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_MSG(s.answer.status == cases[i].status, "%s %s: %u", cases[i].type, cases[i].body, s.answer.status);
        CHECK((s.answer.n_operations == 1) == (cases[i].status == 303));
    }
    hf_buf body;
    hf_buf_init(&body, hf_test_mem());
    for (int i = 0; i < 200; i++) hf_buf_add_str(&body, "a=b&");
    hf_request request = sample_form(&s, "/notes", "");
    request.body = hf_buf_bytes(&body);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 400);
    while (body.len <= HF_APP_BODY_MAX) hf_buf_add_str(&body, "a long body beyond the limit");
    request.body = hf_buf_bytes(&body);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 413);
    hf_buf_clear(&body);
    hf_buf_add_str(&body, "title=x&body=");
    while (body.len < 200000) hf_buf_add_str(&body, "more than an entry holds ");
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] == ' ') body.ptr[i] = '+';
    request.body = hf_buf_bytes(&body);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 413);
    CHECK_U64(s.answer.n_operations, 0);
    hf_buf_deinit(&body);
    sample_close(&s);
}

/* Threat 17. */
HF_TEST(app_refuses_posts_from_other_sites) {
    open_sample();
    static const struct {
        const char *site, *origin;
        unsigned status;
    } cases[] = {
        {"same-origin", SAMPLE_ORIGIN, 303},
        {"same-origin", "", 303},
        {"none", "", 303},
        {"none", SAMPLE_ORIGIN, 303},
        {"", SAMPLE_ORIGIN, 303},
        {"", "", 303},
        {"cross-site", "", 403},
        {"cross-site", SAMPLE_ORIGIN, 403},
        {"same-site", "", 403},
        {"same-site", SAMPLE_ORIGIN, 403},
        {"Same-Origin", "", 403},
        {"x", "", 403},
        {"", "https://evil.example", 403},
        {"", "null", 403},
        {"", "http://notes.example", 403},
        {"", "https://notes.example:8443", 403},
        {"", "https://notes.example.evil", 403},
        {"same-origin", "null", 403},
        {"same-origin", "https://evil.example", 403},
        {"none", "https://evil.example", 403},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        static const char *const methods[][2] = {{"POST", "/notes"}, {"POST", "/api/v1/notes"}};
        for (size_t m = 0; m < 2; m++) {
            hf_request request = sample_form(&s, methods[m][1], m ? "{\"title\":\"a\"}" : "title=a");
            if (m) request.content_type = HF_TEXT("application/json");
            request.sec_fetch_site = hf_str(cases[i].site);
            request.header_origin = hf_str(cases[i].origin);
            CHECK_ERR(sample_ask(&s, &request), HF_OK);
            unsigned want = m && cases[i].status == 303 ? 201 : cases[i].status;
            CHECK_MSG(s.answer.status == want, "%s '%s' '%s': %u", methods[m][1], cases[i].site, cases[i].origin,
                      s.answer.status);
            CHECK((s.answer.n_operations == 1) == (want < 400));
        }
    }
    hf_request request = sample_request(&s, "GET", "/");
    request.sec_fetch_site = HF_TEXT("cross-site"); /* following a link is fine */
    request.header_origin = HF_TEXT("https://evil.example");
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_U64(s.answer.status, 200);
    sample_close(&s);
}

HF_TEST(app_goes_back_within_its_own_origin_only) {
    open_sample();
    const char *toggle = join(create("title=x"), "/toggle");
    static const struct {
        const char *back, *referer, *want;
    } cases[] = {
        {"%2F%3Fq%3Da%26page%3D2", "", "/?q=a&page=2"},
        {"https%3A%2F%2Fnotes.example%2Fabout", "", "/about"},
        {"%2F%2Fevil.example", "", "/"},
        {"%2F%5Cevil.example", "", "/"},
        {"%2F%09%2Fevil.example", "", "/"},
        {"%2F%0D%0Aset-cookie:x", "", "/"},
        {"https%3A%2F%2Fevil.example%2F", "", "/"},
        {"https%3A%2F%2Fnotes.example.evil%2F", "", "/"},
        {"https%3A%2F%2Fnotes.example%40evil%2F", "", "/"},
        {"https%3A%2F%2Fnotes.example%2F%2Fevil", "", "/"},
        {"javascript%3Aalert(1)", "", "/"},
        {"evil", "", "/"},
        {"%2F%C3%A9", "", "/"},
        {"", "https://notes.example/?page=2", "/?page=2"},
        {"", "https://evil.example/", "/"},
        {"", "https://notes.example//evil", "/"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_request request = sample_form(&s, toggle, join("back=", cases[i].back));
        request.referer = hf_str(cases[i].referer);
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_U64(s.answer.status, 303);
        CHECK_BYTES(sample_header(&s, "location"), hf_str(cases[i].want));
    }
    sample_close(&s);
}

HF_TEST(app_names_sessions_without_giving_them_away) {
    open_sample();
    create("title=x");
    hf_bytes cookie = keep(sample_header(&s, "set-cookie"));
    CHECK_BYTES(
        cookie,
        HF_TEXT(
            "holdfast_session=ljnfuws2ljnfuws2ljnfuws2li; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax; Secure"));
    hf_value payload;
    CHECK_ERR(hf_cbor_decode(&s.arena, s.answer.operations[0].payload, &payload, NULL), HF_OK);
    hf_bytes first = keep(hf_value_as_text(hf_value_get(&payload, "by")));
    CHECK_U64(first.len, 16);
    static const struct {
        const char *session, *origin;
        bool by_session, same, sets, secure;
    } cases[] = {
        {"ljnfuws2ljnfuws2ljnfuws2li", SAMPLE_ORIGIN, true, true, false,
         false}, /* the cookie from before: the same name */
        {"mjnfuws2ljnfuws2ljnfuws2li", SAMPLE_ORIGIN, true, false, false, false},
        {"not one of ours", SAMPLE_ORIGIN, true, true, true, true},
        {"", "http://127.0.0.1:3000", true, true, true, false},
        {"", SAMPLE_ORIGIN, false, false, false, false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_request request = sample_form(&s, "/notes", "title=y");
        request.session = hf_str(cases[i].session);
        request.origin = request.header_origin = hf_str(cases[i].origin);
        request.by_session = cases[i].by_session;
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_ERR(hf_cbor_decode(&s.arena, s.answer.operations[0].payload, &payload, NULL), HF_OK);
        hf_bytes by = hf_value_as_text(hf_value_get(&payload, "by"));
        CHECK(hf_eq(by, first) == cases[i].same && (by.len == 16) == cases[i].by_session);
        hf_bytes set = sample_header(&s, "set-cookie");
        CHECK((set.len > 0) == cases[i].sets && sample_contains(set, HF_TEXT("Secure")) == cases[i].secure);
    }
    sample_close(&s);
}

/* ---- entity tags and the cache ---- */

HF_TEST(app_cached_pages_carry_a_fresh_nonce_and_no_stale_state) {
    open_sample();
    create("title=a");
    create("title=b");
    hf_request one = sample_request(&s, "GET", "/"), two = one;
    memset(one.nonce, 1, 16);
    memset(two.nonce, 2, 16);
    CHECK_ERR(sample_ask(&s, &one), HF_OK);
    hf_bytes fresh = keep(s.answer.body), etag = keep(sample_header(&s, "etag"));
    CHECK(sample_contains(fresh, HF_TEXT("value=\"aeaqcaibaeaqcaibaeaqcaibae\"")));
    CHECK_ERR(sample_ask(&s, &two), HF_OK);
    CHECK_U64(s.answer.body.len, fresh.len);
    CHECK(!hf_eq(s.answer.body, fresh));
    CHECK_NO_BODY("aeaqcaibaeaqcaibaeaqcaibae");
    CHECK_BODY("<input name=op value=aibaeaqcaibaeaqcaibaeaqcai>");
    CHECK_BYTES(sample_header(&s, "etag"), etag);
    CHECK_ERR(sample_ask(&s, &one), HF_OK);
    CHECK_BYTES(s.answer.body, fresh); /* cached or not: equal nonce, equal bytes */
    CHECK_U64(get("/?"), 200);
    create("title=c");
    CHECK_ERR(sample_ask(&s, &one), HF_OK);
    CHECK_BODY(">c</a>");
    CHECK(!hf_eq(sample_header(&s, "etag"), etag));
    hf_request elsewhere = one;
    elsewhere.origin =
        HF_TEXT("http://other.example"); /* a hostile Host must not find its way into somebody else's page */
    CHECK_ERR(sample_ask(&s, &elsewhere), HF_OK);
    CHECK_BODY("http://other.example/");
    CHECK_ERR(sample_ask(&s, &one), HF_OK);
    CHECK_NO_BODY("other.example");
    sample_close(&s);
}

HF_TEST(app_page_answers_304) {
    open_sample();
    get("/");
    hf_bytes etag = keep(sample_header(&s, "etag"));
    CHECK(hf_starts(etag, HF_TEXT("W/\"")) && etag.len == 20);
    const struct {
        const char *header;
        unsigned status;
    } cases[] = {{keep_z(etag), 304},
                 {join("\"x\", ", keep_z(etag)), 304},
                 {keep_z(hf_sub(etag, 2, etag.len)), 304},
                 {"*", 304},
                 {"W/\"x\"", 200},
                 {"", 200},
                 {",,", 200}};
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_request request = sample_request(&s, "GET", "/");
        request.if_none_match = hf_str(cases[i].header);
        CHECK_ERR(sample_ask(&s, &request), HF_OK);
        CHECK_MSG(s.answer.status == cases[i].status, "'%s': %u", cases[i].header, s.answer.status);
        CHECK_BYTES(sample_header(&s, "etag"), etag);
        CHECK((s.answer.body.len == 0) == (cases[i].status == 304));
    }
    static const char *const others[] = {"/?page=2", "/?", "/about"};
    for (size_t i = 0; i < HF_COUNT(others); i++) {
        get(others[i]);
        CHECK(hf_eq(sample_header(&s, "etag"), etag) == (i == 1)); /* an empty query is no query */
    }
    create("title=a");
    get("/about");
    hf_bytes about = keep(sample_header(&s, "etag"));
    create("title=b");
    get("/about");
    CHECK_BYTES(sample_header(&s, "etag"), about); /* it reads nothing, so nothing changes it */
    hf_app_release(s.app, HF_TEXT("r2"), HF_TEXT("/_holdfast/page.js?v=r2"));
    get("/about");
    CHECK(!hf_eq(sample_header(&s, "etag"), about));
    CHECK_BODY("<p>r2 /about</p>"); /* not the kept page of the release before */
    sample_close(&s);
}

/* ---- head ---- */

HF_TEST(app_head_has_what_search_engines_want) {
    open_sample();
    const char *url = create("title=Milk+%3C%2Fscript%3E&body=About+milk");
    get("/");
    static const char *const parts[] = {
        "<title>All notes</title>",
        "<meta name=\"description\" content=\"Every note.\">",
        "<link rel=\"canonical\" href=\"https://notes.example/\">",
        "<meta property=\"og:title\" content=\"All notes\">",
        "<meta property=\"og:site_name\" content=\"Notes &amp; more\">",
        "<meta property=\"og:image\" content=\"https://notes.example/static/i.png\">",
        "<meta name=\"twitter:card\" content=\"summary_large_image\">",
        "<link rel=\"apple-touch-icon\" href=\"/static/i.png?v=r1\" sizes=\"180x180\" type=\"image/png\">",
        "\"@type\":\"ItemList\"",
        "\"numberOfItems\":1",
        "\"position\":1,\"url\":\"https://notes.example/notes/",
        "<link rel=\"icon\" href=\"/static/icon.svg?v=r1\" sizes=\"any\" type=\"image/svg+xml\">",
        "<link rel=\"manifest\" href=\"/manifest.webmanifest\">",
        "<link rel=\"stylesheet\" href=\"/static/app.css?v=r1\">",
        "<meta name=\"theme-color\" content=\"#123456\">",
    };
    for (size_t i = 0; i < HF_COUNT(parts); i++) CHECK_BODY(parts[i]);
    CHECK_NO_BODY("noindex");
    CHECK_NO_BODY("<script src");
    CHECK_NO_BODY("type=\"module\"");
    CHECK_NO_BODY("Milk </script>");
    get(url);
    CHECK_BODY("<title>Milk &lt;/script&gt;</title>");
    CHECK_BODY("\"@type\":\"CreativeWork\"");
    CHECK_BODY("\"dateModified\":\"2023-11-14T22:13:20.");
    CHECK_BODY("<meta name=\"description\" content=\"About milk\">");
    get("/%61bout?x=1");
    CHECK_BODY("<link rel=\"canonical\" href=\"https://notes.example/about\">"); /* however it was asked for */
    get("/?q=milk");
    CHECK_BODY("noindex");
    CHECK_BODY("<link rel=\"canonical\" href=\"https://notes.example/\">");
    hf_app_release(s.app, HF_TEXT("r2"), HF_TEXT("/_holdfast/page.js?v=r2&x"));
    get("/about");
    CHECK_BODY("<script type=\"module\" src=\"/_holdfast/page.js?v=r2&amp;x\"></script>");
    CHECK_BODY("<p>r2 /about</p>");
    CHECK_BODY("\"@type\":\"WebPage\"");
    sample_close(&s);
}

/* Threat 19: whatever is typed, stored by a stranger or written into an address stays text: the markup of every page
 * is the same as with a harmless word in its place, and the structured data decodes to that very text. */
#include "../../tests/kit/check.h"
#include "../codec/json.h"
#include "escape.h"
#include "test_tools.h"

static const char *const payloads[] = {
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=alert(1) x=\"",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<!--",
    "-->",
    "--><script>alert(1)</script>",
    "<![CDATA[<script>",
    "]]>",
    "<!DOCTYPE x>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<iframe src=javascript:alert(1)>",
    "<body onload=alert(1)>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "<math><mtext></table><img src=x>",
    "<table><td background=\"javascript:alert(1)\">",
    "<link rel=stylesheet href=//evil>",
    "<style>@import '//evil'</style>",
    "<meta http-equiv=refresh content=0;url=//evil>",
    "<base href=//evil>",
    "<object data=//evil>",
    "<embed src=//evil>",
    "<form action=//evil><input type=submit>",
    "<input autofocus onfocus=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<video><source onerror=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<template><script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</head><body onload=alert(1)>",
    "{{op}}",
    "{{{page.head}}}",
    "{{#items}}{{/items}}",
    "{{=<% %>=}}",
    "{{>layout}}",
    "\\\"};alert(1);//",
    "\\u003cscript\\u003e",
    "&lt;script&gt;",
    "&#60;script&#62;",
    "&",
    "%3Cscript%3E",
    "<\xe2\x80\xa8script>",
    "\xe2\x80\xa9</script>",
    "\xef\xbc\x9cscript\xef\xbc\x9e",
    "<scr\xc2\xadipt>",
    "\xe2\x80\xae<script>",
    "`onerror=alert(1)`",
    "$&$1$`",
    "${alert(1)}",
    "<script src=//evil></script",
    "'\"`><",
    "<<script>alert(1)//<</script>",
    "<x/onclick=alert(1)>x",
    "@import'//evil';",
};

static sample s;

static hf_err send(const char *method, hf_bytes target, hf_bytes body) {
    size_t question = hf_find(target, '?', 0);
    hf_request request = sample_form(&s, "/", "");
    request.method = hf_str(method);
    request.path = hf_sub(target, 0, question);
    request.query = hf_sub(target, question + 1, target.len);
    request.body = body;
    memset(request.nonce, 7, 16);
    return sample_ask(&s, &request);
}

/* Structured data must be JSON without a '<'; with quotes inside it is left out of the skeleton. */
static size_t skip_data(hf_bytes body, size_t at, hf_bytes must_have) {
    static const char end[] = "</script>";
    size_t to = at;
    hf_value json;
    while (!hf_starts(hf_sub(body, to, body.len), hf_str(end))) to++;
    hf_bytes data = hf_sub(body, at, to - at);
    CHECK(hf_find(data, '<', 0) == data.len && hf_find(data, '>', 0) == data.len);
    CHECK_ERR(hf_json_decode(hf_test_arena(), data, &json, NULL), HF_OK);
    const hf_value *items = hf_value_get(&json, "itemListElement");
    const hf_value *named = items && items->as.list.n ? &items->as.list.items[0] : &json;
    if (must_have.len) CHECK_BYTES(hf_value_as_text(hf_value_get(named, "name")), must_have);
    return to;
}

/* Everything that makes markup, and nothing else. */
static hf_bytes skeleton(hf_bytes body, hf_bytes name) {
    static const char data[] = "<script type=\"application/ld+json\">";
    uint8_t *out = hf_arena_alloc(hf_test_arena(), body.len);
    size_t n = 0;
    for (size_t i = 0; i < body.len; i++) {
        if (hf_starts(hf_sub(body, i, body.len), hf_str(data))) i = skip_data(body, i + sizeof data - 1, name);
        uint8_t c = body.ptr[i];
        if (c == '<' || c == '>' || c == '"' || c == '\'') out[n++] = c;
    }
    return HF_BYTES(out, n);
}

static hf_bytes join_encoded(const char *before, const char *text, const char *after) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_buf_add_str(&buf, before);
    hf_url_add(&buf, hf_str(text));
    hf_buf_add_str(&buf, after);
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return kept;
}

enum { PAGES = 9 };

/* One world with `text` in every place that a stranger can fill; the skeleton of every page that shows it. */
static void walk(const char *text, hf_bytes ret[PAGES]) {
    hf_bytes problem;
    size_t n = 0;
    CHECK_ERR(sample_open(&s, hf_test_mem(), hf_test_arena(), &problem), HF_OK);
    CHECK_ERR(send("POST", HF_TEXT("/notes"), join_encoded("title=&body=", text, "")), HF_OK);
    CHECK_U64(s.answer.status, 422);
    ret[n++] = skeleton(s.answer.body, HF_TEXT(""));
    CHECK_ERR(send("POST", HF_TEXT("/notes"), join_encoded("rank=x&title=", text, "")), HF_OK);
    CHECK_U64(s.answer.status, 422);
    ret[n++] = skeleton(s.answer.body, HF_TEXT(""));
    CHECK_ERR(send("POST", HF_TEXT("/notes"), join_encoded("title=", text, "")), HF_OK);
    CHECK_MSG(s.answer.status == 303, "%s: %u", text, s.answer.status);
    hf_bytes url = hf_arena_copy(hf_test_arena(), sample_header(&s, "location"));
    CHECK_ERR(send("POST", url, join_encoded("body=", text, "")), HF_OK);
    CHECK_U64(s.answer.status, 303);
    const hf_doc *doc = hf_collection_get(s.collections[0], s.answer.operations[0].key);
    hf_bytes title = hf_value_as_text(hf_doc_field(doc, 0));
    hf_bytes targets[] = {HF_TEXT("/"),
                          url,
                          join_encoded("/?q=matches%20nothing", text, "&rank="),
                          join_encoded("/?", text, "=1"),
                          join_encoded("/notes/", text, ""),
                          join_encoded("/", text, "/"),
                          join_encoded("/?state=", text, "")};
    for (size_t i = 0; i < HF_COUNT(targets); i++) {
        CHECK_ERR(send("GET", targets[i], HF_TEXT("")), HF_OK);
        ret[n++] = skeleton(s.answer.body, i < 2 ? title : HF_TEXT(""));
        CHECK(sample_header(&s, "location").len == 0 || sample_header(&s, "location").ptr[0] == '/');
    }
    CHECK_U64(n, PAGES);
    sample_close(&s);
}

HF_TEST(xss_payloads_stay_text) {
    hf_bytes want[PAGES], got[PAGES];
    walk("harmless", want);
    CHECK(HF_COUNT(payloads) >= 60);
    for (size_t i = 0; i < HF_COUNT(payloads); i++) {
        walk(payloads[i], got);
        for (size_t k = 0; k < PAGES; k++) CHECK_MSG(hf_eq(got[k], want[k]), "%s changes page %zu", payloads[i], k);
    }
}

/* What a shell may hand in for an origin (a Host header) and what an operator may write into the manifest are
 * escaped just the same. */
HF_TEST(xss_origin_and_manifest_stay_text) {
    static const char hostile[] = "http://\"><script>'";
    hf_bytes problem;
    CHECK_ERR(sample_open(&s, hf_test_mem(), hf_test_arena(), &problem), HF_OK);
    hf_request request = sample_request(&s, "GET", "/");
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    hf_bytes want = skeleton(s.answer.body, HF_TEXT(""));
    request.origin = hf_str(hostile);
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK_BYTES(skeleton(s.answer.body, HF_TEXT("")), want);
    request.path = HF_TEXT("/sitemap.xml");
    CHECK_ERR(sample_ask(&s, &request), HF_OK);
    CHECK(!sample_contains(s.answer.body, HF_TEXT("<script>")));
    sample_close(&s);
}

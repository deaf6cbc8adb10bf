/* manifest and loading: what is wrong with an app folder is said with the file, the place and the thing; and memory
 * that fails at any point. */
#include "../../tests/kit/check.h"
#include "load.h"
#include "test_tools.h"

#define FIELDS                                                                                                         \
    "\"collections\":{\"c\":{\"write\":[\"*\"],\"fields\":{\"t\":{\"type\":\"text\",\"required\":true},\"b\":{"        \
    "\"type\":\"bool\"},\"n\":{\"type\":\"counter\"},"                                                                 \
    "\"a\":{\"type\":\"time\",\"auto\":\"created\"}}},\"d\":{\"write\":[\"*\"],\"fields\":{\"x\":{\"type\":\"text\"}}" \
    "}}"
#define ROUTES                                                                                                         \
    "\"routes\":[{\"path\":\"/\",\"template\":\"p\"},{\"path\":\"/c/"                                                  \
    ":id\",\"template\":\"p\",\"item\":{\"from\":\"c\"}}]"
#define APP(rest) "{\"name\":\"x\"," FIELDS rest "}"
#define ROUTE(rest) APP(",\"routes\":[{\"path\":\"/\",\"template\":\"p\"" rest "}]")
#define ITEM(rest) APP(",\"routes\":[{\"path\":\"/c/:id\",\"template\":\"p\",\"item\":{\"from\":\"c\"}" rest "}]")
#define ACTION(rest) APP("," ROUTES ",\"actions\":[{" rest "}]")

static hf_err load(const char *manifest, const char *template, hf_bytes *ret_problem) {
    const hf_file files[] = {{HF_TEXT("app.json"), hf_str(manifest)},
                             {HF_TEXT("templates/p.mustache"), hf_str(template)},
                             {HF_TEXT("README.md"), HF_TEXT("x")}};
    hf_app *app = hf_app_new(hf_test_mem(), files, HF_COUNT(files), 1, hf_test_arena(), ret_problem);
    bool made = app != NULL;
    hf_app_free(app);
    return made ? HF_OK : HF_MALFORMED;
}

HF_TEST(manifest_takes) {
    static const char *const cases[] = {
        "{\"name\":\"x\"}",
        APP(""),
        APP("," ROUTES),
        ROUTE(",\"lists\":{\"l\":{\"from\":\"c\"}}"),
        ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"sort\":\"-t\",\"limit\":10000}}"),
        ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"equals\":{\"b\":true}}}}}"), /* a word */
        ROUTE(",\"counts\":{\"k\":{\"from\":\"c\",\"where\":{\"b\":true}}}"),
        ROUTE(",\"sitemap\":true"),
        ITEM(",\"sitemap\":\"c\",\"history\":true"),
        ITEM(",\"title\":\"{{item.t}}\""),
        ACTION(
            "\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\"],\"failed\":\"/\",\"then\":\"/c/:id\""),
        ACTION("\"path\":\"/c/:id\",\"do\":\"update\",\"in\":\"c\",\"fields\":[\"b\"],\"failed\":\"/c/"
               ":id\",\"then\":\"back\""),
        ACTION("\"path\":\"/c/:id/n\",\"do\":\"increment\",\"in\":\"c\",\"field\":\"n\",\"by\":-1"),
        ACTION("\"path\":\"/c/:id/x\",\"do\":\"delete\",\"in\":\"c\""),
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes problem;
        hf_err err = load(cases[i], "", &problem);
        CHECK_MSG(!err, "%s: %.*s", cases[i], (int)problem.len, (const char *)problem.ptr);
        CHECK_U64(problem.len, 0);
    }
}

HF_TEST(manifest_refuses_and_says_where) {
    static const struct {
        const char *manifest, *problem;
    } cases[] = {
        {"", "app.json: line 1: "},
        {"{\n\"name\": \"x\",\n}", "app.json: line 3: "},
        {"[]", "app.json: must be an object"},
        {"{}", "app.json: name is missing"},
        {"{\"name\":1}", "app.json: name must be text"},
        {"{\"name\":\"\"}", "app.json: name must not be empty"},
        {"{\"name\":\"x\",\"rutes\":[]}", "app.json: has an unknown key 'rutes'"},
        {"{\"name\":\"x\",\"title\":{}}", "app.json: title must be text"},
        {"{\"name\":\"x\",\"image\":\"https://elsewhere/x.png\"}", "app.json: must have an image that begins with /static/"},
        {"{\"name\":\"x\",\"image\":\"/static/none.png\"}", "app.json: names an image that is not there: '/static/none.png'"},
        {"{\"name\":\"x\",\"icons\":{}}", "app.json: icons must be a list"},
        {"{\"name\":\"x\",\"icons\":[{\"src\":\"//evil/x\"}]}",
         "app.json: icons[0] must have a src that begins with /static/"},
        {"{\"name\":\"x\",\"icons\":[{\"src\":\"/static/none.png\"}]}",
         "app.json: names an icon that is not there: '/static/none.png'"},
        {"{\"name\":\"x\",\"collections\":[]}", "app.json: collections must be an object"},
        {"{\"name\":\"x\",\"collections\":{\"c\":{}}}", "app.json: collections.c: a collection needs "},
        {"{\"name\":\"x\",\"collections\":{\"c\":{\"write\":[\"*\"],\"fields\":{\"a\":{\"type\":\"text\"},\"t\":{"
         "\"type\":\"tex\"}}}}}",
         "app.json: collections.c.fields.t: \"type\" is none of "},
        {"{\"name\":\"x\",\"collections\":{\"c\":{\"write\":[\"*\"],\"fields\":{\"id\":{\"type\":\"text\"}}}}}",
         "app.json: collections.c has a field whose name is taken: 'id'"},
        {"{\"name\":\"x\",\"routes\":[1]}", "app.json: routes[0] must be an object"},
        {"{\"name\":\"x\",\"routes\":[{}]}", "app.json: routes[0].path is missing"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"x\",\"template\":\"p\"}]}",
         "app.json: routes[0].path must begin with '/' 'x'"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"/api/x\",\"template\":\"p\"}]}",
         "app.json: routes[0].path is an address that every app has already: '/api/x'"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"/\",\"template\":\"none\"}]}",
         "app.json: a route wants a template that is not there: 'none'"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"/:x\",\"template\":\"p\"}]}",
         "app.json: routes[0] has a path parameter that no item uses"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"/\",\"template\":\"p\",\"title\":\"{{x\"}]}",
         "app.json: a tag that is not closed '{{x'"},
        {"{\"name\":\"x\",\"routes\":[{\"path\":\"/\",\"template\":\"p\",\"title\":\"{{>x}}\"}]}",
         "app.json: a title includes a template that is not there: 'x'"},
        {ROUTE(",\"history\":true"), "app.json: routes[0] has a history but no item"},
        {ROUTE(",\"history\":1"), "app.json: routes[0].history must be true or false"},
        {ROUTE(",\"lists\":{\"page\":{\"from\":\"c\"}}"), "app.json: routes[0].lists.page has a name that is taken"},
        {ROUTE(",\"lists\":{\"l\":{}}"), "app.json: routes[0].lists.l.from is missing"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"e\"}}"),
         "app.json: routes[0].lists.l.from names a collection that is not there: 'e'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"sort\":\"-z\"}}"),
         "app.json: routes[0].lists.l.sort names a field that is not there: 'z'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"limit\":0}}"),
         "app.json: routes[0].lists.l.limit must be a number from 1 to 10000"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"where\":{\"z\":1}}}"),
         "app.json: routes[0].lists.l.where names a field that is not there: 'z'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"where\":{\"b\":1}}}"),
         "app.json: routes[0].lists.l.where.b is not yes or no"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"where\":[]}}"),
         "app.json: routes[0].lists.l.where must be an object"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":1}}}"),
         "app.json: routes[0].lists.l.filters.f must be an object"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{}}}}"),
         "app.json: routes[0].lists.l.filters.f must have 1 to 16 words"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"page\":{\"equals\":\"t\"}}}}"),
         "app.json: routes[0].lists.l.filters.page has a name that lists use"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"equals\":\"z\"}}}}"),
         "app.json: routes[0].lists.l.filters.f names a field that is not there: 'z'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"contains\":[\"b\"]}}}}"),
         "app.json: routes[0].lists.l.filters.f can only search text, which this field is not: 'b'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"contains\":[]}}}}"),
         "app.json: routes[0].lists.l.filters.f must name a field"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"w\":{\"z\":1}}}}}"),
         "app.json: routes[0].lists.l.filters.f.w names a field that is not there: 'z'"},
        {ROUTE(",\"lists\":{\"l\":{\"from\":\"c\",\"filters\":{\"f\":{\"equals\":\"t\",\"x\":1}}}}"),
         "app.json: routes[0].lists.l.filters.f has an unknown key 'x'"},
        {ROUTE(",\"counts\":{\"k\":{\"where\":{}}}"), "app.json: routes[0].counts.k.from is missing"},
        {ROUTE(",\"item\":{\"from\":\"c\"}"),
         "app.json: routes[0].item has an id that is no parameter of the path: ':id'"},
        {ITEM(",\"sitemap\":true"), "app.json: routes[0].sitemap must name the collection of the item"},
        {ITEM(",\"sitemap\":\"d\""), "app.json: routes[0].sitemap must name the collection of the item"},
        {ACTION(""), "app.json: actions[0].path is missing"},
        {ACTION("\"path\":\"/c\",\"do\":\"explode\",\"in\":\"c\""),
         "app.json: actions[0].do must be create, update, toggle, increment or delete, not 'explode'"},
        {ACTION("\"path\":\"/c/:id\",\"do\":\"create\",\"in\":\"c\""),
         "app.json: actions[0].path creates a document and must not have a parameter"},
        {ACTION("\"path\":\"/c\",\"do\":\"delete\",\"in\":\"c\""),
         "app.json: actions[0].path must have one parameter, :id"},
        {ACTION("\"path\":\"/c/:key\",\"do\":\"delete\",\"in\":\"c\""),
         "app.json: actions[0].path must have one parameter, :id"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[]"),
         "app.json: actions[0].fields must name at least one field"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"b\"],\"failed\":\"/\""),
         "app.json: actions[0].fields must have the required field 't'"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\",\"a\"],\"failed\":\"/\""),
         "app.json: actions[0].fields[1] names a field that fills itself: 'a'"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\",\"n\"],\"failed\":\"/\""),
         "app.json: actions[0].fields[1] names a counter, which only increment changes: 'n'"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\"]"),
         "app.json: actions[0].failed is missing"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\"],\"failed\":\"/x\""),
         "app.json: actions[0].failed must be the path of a route, as it stands there, not '/x'"},
        {ACTION("\"path\":\"/c\",\"do\":\"create\",\"in\":\"c\",\"fields\":[\"t\"],\"failed\":\"/c/:id\""),
         "app.json: actions[0].failed shows another document than the one that the action is about: '/c/:id'"},
        {ACTION("\"path\":\"/c/:id/t\",\"do\":\"toggle\",\"in\":\"c\",\"field\":\"t\""),
         "app.json: actions[0].field must be a bool"},
        {ACTION("\"path\":\"/c/:id/n\",\"do\":\"increment\",\"in\":\"c\",\"field\":\"b\""),
         "app.json: actions[0].field must be a counter"},
        {ACTION("\"path\":\"/c/:id/n\",\"do\":\"increment\",\"in\":\"c\",\"field\":\"n\",\"by\":0"),
         "app.json: actions[0].by must be a whole number within a million, not 0"},
        {ACTION("\"path\":\"/c/:id/x\",\"do\":\"delete\",\"in\":\"c\",\"then\":\"//evil\""),
         "app.json: actions[0].then has a segment that is empty or not made of"},
        {ACTION("\"path\":\"/c/:id/x\",\"do\":\"delete\",\"in\":\"c\",\"then\":\"https://evil\""),
         "app.json: actions[0].then must begin with '/'"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes problem = HF_TEXT("");
        CHECK_ERR(load(cases[i].manifest, "", &problem), HF_MALFORMED);
        CHECK_MSG(hf_starts(problem, hf_str(cases[i].problem)), "%s\n  says: %.*s", cases[i].manifest, (int)problem.len,
                  (const char *)problem.ptr);
    }
}

HF_TEST(manifest_templates_refused_with_their_line) {
    static const struct {
        const char *template, *problem;
    } cases[] = {
        {"a\nb\n{{#c}}", "templates/p.mustache: line 3: a section that is not closed"},
        {"\n{{>nowhere}}", "templates/p.mustache: line 2: includes a template that is not there: 'nowhere'"},
        {"\xff", "templates/p.mustache: line 1: not UTF-8"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes problem;
        CHECK_ERR(load("{\"name\":\"x\"}", cases[i].template, &problem), HF_MALFORMED);
        CHECK_BYTES(problem, hf_str(cases[i].problem));
    }
    hf_bytes problem;
    CHECK(hf_app_new(hf_test_mem(), NULL, 0, 1, hf_test_arena(), &problem) == NULL);
    CHECK_BYTES(problem, HF_TEXT("app.json: is not there"));
}

HF_TEST(manifest_bundled_todo_app_loads) {
    static const char *const names[] = {"app.json",
                                        "templates/_empty.mustache",
                                        "templates/_found.mustache",
                                        "templates/_item.mustache",
                                        "templates/_pages.mustache",
                                        "templates/_status.mustache",
                                        "templates/_tabs.mustache",
                                        "templates/error.mustache",
                                        "templates/index.mustache",
                                        "templates/layout.mustache",
                                        "templates/todo.mustache",
                                        "static/app.css",
                                        "static/og-image.png",
                                        "static/apple-touch-icon.png",
                                        "static/icon.svg",
                                        "static/icon-192.png",
                                        "static/icon-512.png",
                                        "static/icon-maskable-512.png"};
    hf_file files[HF_COUNT(names)];
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        const char *path = sample_join(hf_test_arena(), "apps/todo/", names[i]);
        files[i] = (hf_file){hf_str(names[i]), hf_test_file(path)};
    }
    sample s;
    hf_bytes problem;
    hf_err err = sample_open_files(&s, hf_test_mem(), files, HF_COUNT(files), &problem);
    CHECK_MSG(!err, "%.*s", (int)problem.len, (const char *)problem.ptr);
    hf_request post = sample_form(&s, "/todos", "text=Buy+milk&assignee=Ann&creator=Bob&op=x"),
               page = sample_request(&s, "GET", "/?assignee=Ann&status=open");
    CHECK_ERR(sample_ask(&s, &post), HF_OK);
    CHECK_U64(s.answer.status, 303);
    CHECK_ERR(sample_ask(&s, &page), HF_OK);
    CHECK_U64(s.answer.status, 200);
    CHECK(sample_contains(s.answer.body, HF_TEXT(">Buy milk</a></label><span>Ann</span>")));
    sample_close(&s);
}

/* ---- memory that fails ---- */

/* Everything an app does, once. */
static hf_err live(sample *s) {
    static const struct {
        const char *method, *target, *body;
    } steps[] = {
        {"POST", "/notes", "title=x&body=y&rank=3&due=2024-01-01&op=1"},
        {"POST", "/notes", "title=&kind=blue"},
        {"GET", "/?q=x&state=loose&page=1", ""},
        {"GET", "/?q=x&state=loose&page=1", ""},
        {"GET", "/about/", ""},
        {"GET", "/nowhere", ""},
        {"GET", "/notes", ""},
        {"GET", "/static/app.css", ""},
        {"GET", "/sitemap.xml", ""},
        {"GET", "/manifest.webmanifest", ""},
        {"GET", "/api/v1/notes?sort=title", ""},
        {"GET", "/api/v1/nope", ""},
        {"GET", "/%zz", ""},
    };
    hf_bytes problem;
    hf_err err = sample_open(s, hf_test_mem(), hf_test_arena(), &problem);
    for (size_t i = 0; i < HF_COUNT(steps) && !err; i++) {
        hf_request request = sample_form(s, steps[i].target, steps[i].body);
        size_t question = hf_find(request.path, '?', 0);
        request.method = hf_str(steps[i].method);
        request.path = hf_sub(request.path, 0, question);
        err = sample_ask(s, &request);
    }
    hf_request post = sample_request(s, "POST", "/api/v1/notes");
    post.content_type = HF_TEXT("application/json");
    post.body = HF_TEXT("{\"title\":\"z\",\"rank\":2}");
    if (!err) err = sample_ask(s, &post);
    post.body = HF_TEXT("{\"rank\":99,\"nope\":1}");
    if (!err) err = sample_ask(s, &post);
    return err;
}

HF_TEST(app_survives_failing_memory_anywhere) {
    size_t n = 1;
    sample s;
    for (bool failed = true; failed; n++) {
        hf_test_mem_fail_at(n);
        hf_err err = live(&s);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_MSG(err == (failed ? HF_NOMEM : HF_OK) || (failed && err == HF_OK), "allocation %zu: %s", n,
                  hf_err_name(err));
        sample_close(&s);
        CHECK_MSG(hf_test_mem_out() == 0, "allocation %zu leaks", n);
    }
    CHECK_MSG(n > 150, "%zu", n);
}

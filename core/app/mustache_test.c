/* mustache: the specification's own cases, what is refused, limits, marks, and memory that fails. */
#include "mustache.h"
#include "../../tests/kit/check.h"

#include <string.h>

static hf_err add_partials(hf_templates *set, const hf_value *partials) {
    hf_template *t;
    hf_err err = HF_OK;
    for (size_t i = 0; partials && partials->kind == HF_MAP && i < partials->as.map.n && !err; i++)
        err = hf_templates_add(set, partials->as.map.pairs[i].key, hf_value_as_text(&partials->as.map.pairs[i].value),
                               false, &t, NULL);
    return err;
}

static hf_err render(hf_bytes source, const hf_value *partials, const hf_value *data, hf_buf *out) {
    hf_templates set;
    hf_template *t = NULL;
    hf_fault fault;
    hf_bytes missing;
    size_t at;
    hf_templates_init(&set, hf_test_mem());
    hf_err err = add_partials(&set, partials);
    if (!err) err = hf_templates_add(&set, HF_TEXT(""), source, false, &t, &fault);
    if (!err) {
        (void)hf_templates_link(&set, &missing, &at);
        hf_view root = hf_view_value(data);
        err = hf_template_render(t, &root, out, NULL);
    }
    hf_templates_deinit(&set);
    return err;
}

static size_t run_module(const char *path) {
    const hf_value *tests = hf_value_get(hf_test_json(path), "tests");
    for (size_t i = 0; i < tests->as.list.n; i++) {
        const hf_value *test = &tests->as.list.items[i];
        hf_bytes name = hf_value_as_text(hf_value_get(test, "name"));
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        hf_err err = render(hf_value_as_text(hf_value_get(test, "template")), hf_value_get(test, "partials"),
                            hf_value_get(test, "data"), &out);
        CHECK_MSG(!err, "%s: %.*s: %s", path, (int)name.len, (const char *)name.ptr, hf_err_name(err));
        hf_bytes want = hf_value_as_text(hf_value_get(test, "expected"));
        CHECK_MSG(hf_eq(hf_buf_bytes(&out), want), "%s: %.*s: got \"%.*s\", expected \"%.*s\"", path, (int)name.len,
                  (const char *)name.ptr, (int)out.len, (const char *)out.ptr, (int)want.len, (const char *)want.ptr);
        hf_buf_deinit(&out);
    }
    return tests->as.list.n;
}

HF_TEST(mustache_spec_required_modules) {
    static const struct {
        const char *path;
        size_t n;
    } modules[] = {
        {"mustache/comments.json", 12}, {"mustache/delimiters.json", 14}, {"mustache/interpolation.json", 42},
        {"mustache/inverted.json", 22}, {"mustache/partials.json", 12},   {"mustache/sections.json", 34},
    };
    for (size_t i = 0; i < HF_COUNT(modules); i++) CHECK_U64(run_module(modules[i].path), modules[i].n);
}

/* Out of scope by decision: logic in templates would have to run the same in the node and in the browser, and none
 * of the apps needs it. Named and counted here, so that nobody takes silence for support. */
HF_TEST(mustache_spec_optional_modules_are_out_of_scope) {
    static const struct {
        const char *path;
        size_t n;
    } out[] = {
        {"mustache/~lambdas.json", 10}, {"mustache/~inheritance.json", 27}, {"mustache/~dynamic-names.json", 21}};
    for (size_t i = 0; i < HF_COUNT(out); i++)
        CHECK_U64(hf_value_get(hf_test_json(out[i].path), "tests")->as.list.n, out[i].n);
}

HF_TEST(mustache_refuses) {
    static const struct {
        const char *source, *what;
        size_t at;
    } cases[] = {
        {"a {{b", "a tag that is not closed", 2},
        {"{{{b}}", "a tag that is not closed", 0},
        {"{{}}", "a tag without a name", 0},
        {"{{# }}", "a tag without a name", 0},
        {"{{a b}}", "a name with a space in it", 0},
        {"{{a..b}}", "a name with an empty part", 0},
        {"{{.a}}", "a name with an empty part", 0},
        {"x{{#a}}", "a section that is not closed", 1},
        {"{{#a}}{{^b}}{{/b}}", "a section that is not closed", 0},
        {"{{/a}}", "the end of a section that was not opened", 0},
        {"{{#a}}{{/b}}", "the end of another section than the one that is open", 6},
        {"{{#a}}{{#b}}{{/a}}{{/b}}", "the end of another section than the one that is open", 12},
        {"{{> }}", "a partial without a name", 0},
        {"{{=x=}}", "delimiters are two short words", 0},
        {"{{=a b c=}}", "delimiters are two short words", 0},
        {"{{=0123456789abcdefg x=}}", "delimiters are two short words", 0},
        {"{{a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q}}", "a name with too many parts", 0},
        {"a\xff", "not UTF-8", 0},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_templates set;
        hf_template *t;
        hf_fault fault = {"", 0};
        hf_templates_init(&set, hf_test_mem());
        hf_err err = hf_templates_add(&set, HF_TEXT("x"), hf_str(cases[i].source), false, &t, &fault);
        CHECK_MSG(err == HF_MALFORMED || err == HF_LIMIT, "%s is taken", cases[i].source);
        CHECK_MSG(!strcmp(fault.what, cases[i].what) && fault.at == cases[i].at, "%s: '%s' at %zu", cases[i].source,
                  fault.what, fault.at);
        CHECK(hf_templates_find(&set, HF_TEXT("x")) == NULL);
        hf_templates_deinit(&set);
    }
}

HF_TEST(mustache_bounds_nesting_and_work) {
    hf_buf source, out;
    hf_value null = hf_value_null();
    hf_buf_init(&source, hf_test_mem());
    hf_buf_init(&out, hf_test_mem());
    for (int i = 0; i <= HF_TEMPLATE_DEPTH_MAX; i++) hf_buf_add_str(&source, "{{^a}}");
    CHECK_ERR(render(hf_buf_bytes(&source), NULL, &null, &out), HF_LIMIT);
    static const struct {
        const char *self;
        hf_err want;
    } partials[] = {
        {"{{>self}}", HF_LIMIT},                       /* for ever */
        {"{{>self}}{{>self}}", HF_LIMIT},              /* 2^64 times */
        {"{{^a}}{{#b}}{{>self}}{{/b}}{{/a}}.", HF_OK}, /* stops */
    };
    for (size_t i = 0; i < HF_COUNT(partials); i++) {
        hf_value map = hf_value_map(hf_test_arena(), 1);
        hf_map_add(&map, "self", hf_value_text(hf_str(partials[i].self)));
        hf_buf_clear(&out);
        CHECK_ERR(render(HF_TEXT("{{>self}}"), &map, &null, &out), partials[i].want);
    }
    hf_value many = hf_value_list(hf_test_arena(), 300), map = hf_value_map(hf_test_arena(), 1);
    for (int i = 0; i < 300; i++) hf_list_add(&many, hf_value_u64(1));
    hf_map_add(&map, "l", many);
    hf_buf_clear(&out); /* 300^4 times nothing */
    CHECK_ERR(render(HF_TEXT("{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}"), NULL, &map, &out), HF_LIMIT);
    hf_buf_deinit(&source);
    hf_buf_deinit(&out);
}

HF_TEST(mustache_falsy_is_nothing_zero_and_empty) {
    hf_value data = hf_value_map(hf_test_arena(), 5);
    hf_map_add(&data, "zero", hf_value_u64(0));
    hf_map_add(&data, "one", hf_value_i64(-1));
    hf_map_add(&data, "empty", hf_value_text(HF_TEXT("")));
    hf_map_add(&data, "text", hf_value_text(HF_TEXT("'<&>\"")));
    hf_map_add(&data, "float", hf_value_float(0.5));
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    CHECK_ERR(render(HF_TEXT("{{#zero}}0{{/zero}}{{#one}}{{one}}{{/one}}{{#empty}}e{{/empty}}{{#float}}{{float}}{{/"
                             "float}} {{text}} {{{text}}}"),
                     NULL, &data, &out),
              HF_OK);
    CHECK_BYTES(hf_buf_bytes(&out), HF_TEXT("-10.5 &#39;&lt;&amp;&gt;&quot; '<&>\""));
    hf_buf_deinit(&out);
}

/* ---- marks, texts of maps, a template within a template ---- */
static void shout(const hf_view *self, hf_buf *buf) {
    (void)self;
    hf_buf_add_str(buf, "<b>&");
}
static const hf_view_class safe_class = {.text = shout, .safe = true}, raw_class = {.text = shout};

static bool root_get(const hf_view *self, const hf_name *name, hf_view *ret) {
    if (hf_eq(name->text, HF_TEXT("op")))
        *ret = (hf_view){.kind = HF_VIEW_MARK, .as.s = HF_TEXT("OPOP")};
    else if (hf_eq(name->text, HF_TEXT("safe")))
        *ret = hf_view_map(&safe_class, NULL, NULL);
    else if (hf_eq(name->text, HF_TEXT("raw")))
        *ret = hf_view_map(&raw_class, NULL, NULL);
    else if (hf_eq(name->text, HF_TEXT("content")))
        *ret = (hf_view){.kind = HF_VIEW_TEMPLATE, .as.template = self->self};
    else
        return false;
    return true;
}
static const hf_view_class root_class = {.get = root_get};

HF_TEST(mustache_marks_places_through_layout_and_content) {
    hf_templates set;
    hf_template *page, *layout;
    hf_templates_init(&set, hf_test_mem());
    CHECK_ERR(
        hf_templates_add(&set, HF_TEXT("page"), HF_TEXT("a\n{{op}}\n{{safe}} {{raw}} {{{raw}}}\n"), false, &page, NULL),
        HF_OK);
    CHECK_ERR(
        hf_templates_add(&set, HF_TEXT("layout"), HF_TEXT("<{{op}}>\n  {{{content}}}\n{{op}}"), false, &layout, NULL),
        HF_OK);
    hf_view root = hf_view_map(&root_class, page, NULL);
    hf_buf out, marks;
    hf_buf_init(&out, hf_test_mem());
    hf_buf_init(&marks, hf_test_mem());
    CHECK_ERR(hf_template_render(layout, &root, &out, &marks), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&out), HF_TEXT("<OPOP>\n  a\nOPOP\n<b>& &lt;b&gt;&amp; <b>&\n\nOPOP"));
    const size_t *at = (const size_t *)(const void *)marks.ptr;
    CHECK_U64(marks.len / sizeof *at, 3);
    for (size_t i = 0; i < 3; i++) CHECK(hf_eq(HF_BYTES(out.ptr + at[i], 4), HF_TEXT("OPOP")));
    hf_buf_deinit(&out);
    hf_buf_deinit(&marks);
    hf_templates_deinit(&set);
}

HF_TEST(mustache_link_names_what_is_missing) {
    hf_templates set;
    hf_template *t;
    hf_bytes missing;
    size_t at;
    hf_templates_init(&set, hf_test_mem());
    CHECK_ERR(hf_templates_add(&set, HF_TEXT("a"), HF_TEXT("x {{> _b }}"), false, &t, NULL), HF_OK);
    CHECK(hf_templates_link(&set, &missing, &at) == t);
    CHECK_BYTES(missing, HF_TEXT("_b"));
    CHECK_U64(at, 2);
    CHECK_ERR(hf_templates_add(&set, HF_TEXT("_b"), HF_TEXT("y"), false, &t, NULL), HF_OK);
    CHECK(hf_templates_link(&set, &missing, &at) == NULL);
    hf_templates_deinit(&set);
}

HF_TEST(mustache_survives_failing_memory) {
    hf_value data = hf_value_map(hf_test_arena(), 1), partials = hf_value_map(hf_test_arena(), 1);
    hf_map_add(&data, "a", hf_value_text(HF_TEXT("text")));
    hf_map_add(&partials, "p", hf_value_text(HF_TEXT("{{a}}\n{{#a}}{{.}}{{/a}}\n")));
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = render(HF_TEXT("{{#a}}\n  {{>p}}\n{{/a}}"), &partials, &data, &out);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (!err) CHECK_BYTES(hf_buf_bytes(&out), HF_TEXT("  text\n  text\n"));
        hf_buf_deinit(&out);
    }
    CHECK(n > 5);
}

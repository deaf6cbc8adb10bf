/* test_tools: a small app with every kind of field, run over real collections. Operations of an answer are applied
 * as the core would. */
#ifndef HF_APP_TEST_TOOLS_H
#define HF_APP_TEST_TOOLS_H
#include "../codec/dag_cbor.h"
#include "../crypto/crypto.h"
#include "app.h"

#include <string.h>

#define SAMPLE_ORIGIN "https://notes.example"

static const char sample_manifest[] =
    "{\"name\":\"notes\",\"title\":\"Notes & more\",\"description\":\"A "
    "sample.\",\"lang\":\"en\",\"image\":\"/static/i.png\",\"themeColor\":\"#123456\","
    "\"icons\":[{\"src\":\"/static/icon.svg\",\"sizes\":\"any\",\"type\":\"image/svg+xml\"},{\"src\":\"/static/"
    "i.png\",\"sizes\":\"180x180\",\"type\":\"image/png\"}],"
    "\"collections\":{\"notes\":{\"write\":[\"*\"],\"fields\":{"
    "\"title\":{\"type\":\"text\",\"label\":\"The title\",\"required\":true,\"max\":200},"
    "\"body\":{\"type\":\"text\",\"multiline\":true},"
    "\"kind\":{\"type\":\"choice\",\"choices\":[\"red\",\"green\"]},"
    "\"due\":{\"type\":\"time\"},\"rank\":{\"type\":\"int\",\"min\":1,\"max\":5},\"ratio\":{\"type\":\"number\"},"
    "\"pinned\":{\"type\":\"bool\",\"default\":false},\"votes\":{\"type\":\"counter\"},"
    "\"author\":{\"type\":\"text\",\"auto\":\"creator\"},"
    "\"created\":{\"type\":\"time\",\"auto\":\"created\"},\"updated\":{\"type\":\"time\",\"auto\":\"updated\"}}},"
    "\"tags\":{\"write\":[\"*\"],\"fields\":{\"word\":{\"type\":\"text\",\"required\":true}}}},"
    "\"routes\":["
    "{\"path\":\"/\",\"template\":\"index\",\"title\":\"All notes\",\"description\":\"Every "
    "note.\",\"lists\":{\"notes\":{\"from\":\"notes\","
    "\"sort\":\"title\",\"limit\":3,\"filters\":{\"state\":{\"pinned\":{\"pinned\":true},\"loose\":{\"pinned\":false}},"
    "\"kind\":{\"equals\":\"kind\"},\"rank\":{\"equals\":\"rank\"},\"q\":{\"contains\":[\"title\",\"body\"]}}}},"
    "\"counts\":{\"pinned\":{\"from\":\"notes\",\"where\":{\"pinned\":true}},\"all\":{\"from\":\"notes\"}},"
    "\"structured\":\"ItemList\",\"sitemap\":true},"
    "{\"path\":\"/notes/:id\",\"template\":\"note\",\"title\":\"{{item.title}}\",\"description\":\"{{item.body}}\","
    "\"item\":{\"from\":\"notes\",\"id\":\":id\"},\"history\":true,\"sitemap\":\"notes\",\"structured\":"
    "\"CreativeWork\"},"
    "{\"path\":\"/about\",\"template\":\"about\",\"title\":\"About\"},"
    "{\"path\":\"/notes/new\",\"template\":\"new\"}"
    "],\"actions\":["
    "{\"path\":\"/"
    "notes\",\"do\":\"create\",\"in\":\"notes\",\"fields\":[\"title\",\"body\",\"kind\",\"due\",\"rank\",\"ratio\","
    "\"pinned\"],\"then\":\"/notes/:id\",\"failed\":\"/\"},"
    "{\"path\":\"/notes/"
    ":id\",\"do\":\"update\",\"in\":\"notes\",\"fields\":[\"title\",\"body\",\"kind\",\"rank\"],\"then\":\"back\","
    "\"failed\":\"/notes/:id\"},"
    "{\"path\":\"/notes/:id/toggle\",\"do\":\"toggle\",\"in\":\"notes\",\"field\":\"pinned\",\"then\":\"back\"},"
    "{\"path\":\"/notes/:id/vote\",\"do\":\"increment\",\"in\":\"notes\",\"field\":\"votes\",\"by\":2,\"then\":\"/\"},"
    "{\"path\":\"/notes/:id/delete\",\"do\":\"delete\",\"in\":\"notes\",\"then\":\"/\"}]}";

static const char *const sample_files[][2] = {
    {"app.json", sample_manifest},
    {"templates/layout.mustache",
     "<!doctype html>\n<html "
     "lang=\"{{app.lang}}\">\n<head>\n{{{page.head}}}</head>\n<body>\n{{{content}}}</body>\n</html>\n"},
    {"templates/index.mustache",
     "<h1>{{page.title}}</h1><p>{{counts.pinned}}/{{counts.all}} total {{notes.total}} page "
     "{{notes.page}}/{{notes.pages}}</p>\n"
     "{{#errors.any}}<ul>{{#errors.list}}<li>{{field}}: {{message}}</li>{{/errors.list}}</ul>{{/errors.any}}\n"
     "<form method=post action=/notes><input name=op value=\"{{op}}\"><input name=back value=\"{{page.url}}\"><input "
     "name=title value=\"{{form.title}}\">{{errors.title}}"
     "<select "
     "name=kind>{{#fields.notes.kind.choices}}<option>{{value}}</option>{{/fields.notes.kind.choices}}</select></"
     "form>\n"
     "{{#filter.any}}<p>q={{query.q}} pinned={{filter.state.pinned}}</p>{{/filter.any}}\n"
     "{{#notes.items}}\n  {{>_row}}\n{{/notes.items}}\n"
     "{{#notes.previous}}<a rel=prev href=\"{{.}}\">{{/notes.previous}}{{#notes.next}}<a rel=next "
     "href=\"{{notes.next}}\">{{/notes.next}}\n"},
    {"templates/_row.mustache", "<li id=\"{{id}}\"><a href=\"{{url}}\">{{title}}</a> {{#kind}}[{{kind}}]{{/kind}} "
                                "{{#pinned}}*{{/pinned}} {{votes}}\n"
                                "<form><input name=op value={{op}}></form></li>\n"},
    {"templates/note.mustache",
     "<h1>{{item.title}}</h1><pre>{{item.body}}</pre><time datetime=\"{{item.due.iso}}\">{{item.due.text}}</time> "
     "{{item.rank}} {{item.ratio}} by {{item.author}}\n"
     "<input name=op value={{op}}><input name=title "
     "value=\"{{#errors.any}}{{form.title}}{{/errors.any}}{{^errors.any}}{{item.title}}{{/errors.any}}\">\n"
     "{{#item.kind.choices}}<option{{#selected}} selected{{/selected}}>{{label}}</option>{{/item.kind.choices}}\n"
     "{{#errors.list}}<p>{{message}}</p>{{/errors.list}}\n"
     "{{#history}}<li>{{op}} {{at.ms}} {{by}}:{{#changes}} {{label}}={{value}}{{/changes}}</li>\n{{/history}}\n"},
    {"templates/about.mustache", "<p>{{release}} {{page.path}}</p>\n"},
    {"templates/new.mustache", "<p>new {{fields.notes.title.label}} {{fields.notes.title.max}}</p>\n"},
    {"templates/error.mustache", "<h1>{{page.status}} {{page.title}}</h1><p>{{page.description}}</p>\n"},
    {"static/app.css", "body{color:red}"},
    {"static/icon.svg", "<svg/>"},
    {"static/i.png", "PNG"},
    {"static/sub/page.html", "<script>"},
};

typedef struct sample {
    hf_app *app;
    hf_collection *collections[4];
    uint8_t versions[4][32];
    hf_app_state state;
    hf_arena arena; /* of the last request */
    hf_response answer;
    uint64_t time; /* Lamport clock, and the wall clock in steps */
} sample;

static inline hf_file *sample_file_list(hf_arena *arena, size_t *ret_n) {
    hf_file *files = hf_arena_alloc(arena, HF_COUNT(sample_files) * sizeof *files);
    for (size_t i = 0; files && i < HF_COUNT(sample_files); i++)
        files[i] = (hf_file){hf_str(sample_files[i][0]), hf_str(sample_files[i][1])};
    *ret_n = HF_COUNT(sample_files);
    return files;
}

static inline void sample_close(sample *s) {
    for (size_t i = 0; i < HF_COUNT(s->collections); i++) hf_collection_free(s->collections[i]);
    hf_app_free(s->app);
    if (s->arena.mem) hf_arena_deinit(&s->arena);
}

static inline hf_err sample_open_files(sample *s, hf_mem *mem, const hf_file *files, size_t n, hf_bytes *ret_problem) {
    memset(s, 0, sizeof *s);
    s->time = 1;
    hf_arena_init(&s->arena, mem);
    s->app = hf_app_new(mem, files, n, 7, &s->arena, ret_problem);
    if (!s->app) return hf_eq(*ret_problem, HF_TEXT("out of memory")) ? HF_NOMEM : HF_MALFORMED;
    hf_app_release(s->app, HF_TEXT("r1"), HF_TEXT(""));
    for (size_t i = 0; i < hf_app_n_schemas(s->app) && i < HF_COUNT(s->collections); i++) {
        s->collections[i] = hf_collection_new(mem, hf_app_schema(s->app, i), 9);
        if (!s->collections[i]) return HF_NOMEM;
    }
    s->state = (hf_app_state){s->collections, (const uint8_t(*)[32])s->versions};
    return HF_OK;
}

static inline hf_err sample_open(sample *s, hf_mem *mem, hf_arena *keep, hf_bytes *ret_problem) {
    size_t n;
    memset(s, 0, sizeof *s);
    hf_file *files = sample_file_list(keep, &n);
    return files ? sample_open_files(s, mem, files, n, ret_problem) : HF_NOMEM;
}

static inline hf_err sample_apply(sample *s, const hf_operation *operation) {
    hf_value payload;
    bool changed;
    hf_order order = {.time = s->time++, .writer = HF_TEXT("writer-0123456789")};
    hf_sha256_of(operation->payload, order.digest);
    hf_err err = hf_cbor_decode(&s->arena, operation->payload, &payload, NULL);
    if (!err) err = hf_collection_apply(s->collections[operation->collection], &order, &payload, &changed);
    s->versions[operation->collection][0]++;
    s->versions[operation->collection][1] += s->versions[operation->collection][0] == 0;
    return err;
}

/* The answer stays in s->answer until the next request. */
static inline hf_err sample_ask(sample *s, const hf_request *request) {
    hf_arena_clear(&s->arena);
    hf_err err = hf_app_handle(s->app, &s->state, request, &s->arena, &s->answer);
    for (size_t i = 0; !err && i < s->answer.n_operations; i++) err = sample_apply(s, &s->answer.operations[i]);
    return err;
}

static inline hf_request sample_request(const sample *s, const char *method, const char *target) {
    hf_bytes t = hf_str(target);
    size_t question = hf_find(t, '?', 0);
    hf_request request = {.method = hf_str(method),
                          .path = hf_sub(t, 0, question),
                          .query = hf_sub(t, question + 1, t.len),
                          .origin = HF_TEXT(SAMPLE_ORIGIN),
                          .now_ms = 1700000000000 + s->time,
                          .by_session = true};
    memset(request.nonce, (int)s->time, sizeof request.nonce);
    memset(request.new_session, 0x5a, sizeof request.new_session);
    return request;
}

static inline hf_request sample_form(const sample *s, const char *target, const char *body) {
    hf_request request = sample_request(s, "POST", target);
    request.content_type = HF_TEXT("application/x-www-form-urlencoded");
    request.header_origin = HF_TEXT(SAMPLE_ORIGIN);
    request.sec_fetch_site = HF_TEXT("same-origin");
    request.body = hf_str(body);
    return request;
}

static inline hf_bytes sample_header(const sample *s, const char *name) {
    for (size_t i = 0; i < s->answer.n_headers; i++)
        if (hf_eq(s->answer.headers[i].name, hf_str(name))) return s->answer.headers[i].value;
    return HF_TEXT("");
}

/* The two texts as one, in memory of the test. */
static inline const char *sample_join(hf_arena *arena, const char *a, const char *b) {
    size_t n = strlen(a), m = strlen(b);
    char *z = hf_arena_alloc(arena, n + m + 1);
    HF_ASSERT(z != NULL);
    memcpy(z, a, n);
    memcpy(z + n, b, m + 1);
    return z;
}

static inline bool sample_contains(hf_bytes text, hf_bytes part) {
    for (size_t i = 0; part.len <= text.len && i <= text.len - part.len; i++)
        if (hf_starts(hf_sub(text, i, part.len), part)) return true;
    return false;
}
#endif

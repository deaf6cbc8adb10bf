/* Pages a second: a list of 100 todos rendered anew each time (as after a write), and answered from the cache; and
 * the size of the page. */
#define _POSIX_C_SOURCE 199309L
#include "../codec/dag_cbor.h"
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TODOS = 100, SECONDS = 1 };

static const char manifest[] = "{\"name\":\"todo\",\"title\":\"Todo\",\"description\":\"A shared list that outlives "
                               "its server.\",\"collections\":{\"todos\":{\"write\":[\"*\"],\"fields\":{"
                               "\"text\":{\"type\":\"text\",\"required\":true,\"max\":500},\"done\":{\"type\":\"bool\","
                               "\"default\":false},\"assignee\":{\"type\":\"text\",\"max\":80},"
                               "\"created\":{\"type\":\"time\",\"auto\":\"created\"}}}},\"routes\":[{\"path\":\"/"
                               "\",\"template\":\"index\",\"title\":\"Todo\",\"lists\":{\"todos\":{\"from\":\"todos\","
                               "\"sort\":\"-created\",\"filters\":{\"status\":{\"open\":{\"done\":false},\"done\":{"
                               "\"done\":true}},\"q\":{\"contains\":[\"text\",\"assignee\"]}}}},"
                               "\"counts\":{\"open\":{\"from\":\"todos\",\"where\":{\"done\":false}},\"all\":{\"from\":"
                               "\"todos\"}},\"structured\":\"ItemList\"},"
                               "{\"path\":\"/todos/:id\",\"template\":\"index\",\"item\":{\"from\":\"todos\"}}]}";
static const char layout[] = "<!doctype html>\n<html "
                             "lang=\"{{app.lang}}\">\n<head>\n{{{page.head}}}</head>\n<body>\n<header>{{app.title}}</"
                             "header>\n<main>\n{{{content}}}</main>\n</body>\n</html>\n";
static const char index_page[] =
    "<p>{{counts.open}} of {{counts.all}}</p>\n<form method=\"post\" action=\"/todos\"><input type=\"hidden\" "
    "name=\"op\" value=\"{{op}}\"><input name=\"text\" value=\"{{form.text}}\"></form>\n"
    "{{^todos.empty}}<ul>\n{{#todos.items}}\n{{>_item}}\n{{/todos.items}}\n</ul>{{/todos.empty}}\n";
static const char item[] =
    "<li id=\"todo-{{id}}\"><label><button formaction=\"/todos/{{id}}/toggle\" aria-pressed=\"{{done}}\"></button><a "
    "href=\"{{url}}\">{{text}}</a></label>"
    "{{#assignee}}<span>{{assignee}}</span>{{/assignee}}<time datetime=\"{{created.iso}}\">{{created.date}}</time>"
    "<button formaction=\"/todos/{{id}}/delete\" aria-label=\"Delete {{text}}\"></button></li>\n";

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "%s failed\n", what);
    exit(1);
}

static void add_todo(hf_collection *todos, hf_arena *arena, unsigned i) {
    char text[64], key[32];
    bool changed;
    hf_order order = {.time = i + 1, .writer = HF_TEXT("writer"), .digest = {(uint8_t)i}};
    hf_value value = hf_value_map(arena, 3), payload;
    hf_buf buf;
    snprintf(text, sizeof text, "Something that needs doing, number %u <soon>", i);
    snprintf(key, sizeof key, "abcdefghijklmnopqrstuv%04u", i);
    hf_map_add(&value, "text", hf_value_text(hf_str(text)));
    hf_map_add(&value, "assignee", hf_value_text(i % 2 ? HF_TEXT("Ann") : HF_TEXT("")));
    hf_buf_init(&buf, &mem);
    must(!hf_operation_encode(&buf, "NEW", hf_str(key), &value, hf_str(key), 1700000000000 + i, HF_TEXT("")), "encode");
    must(!hf_cbor_decode(arena, hf_buf_bytes(&buf), &payload, NULL), "decode");
    must(!hf_collection_apply(todos, &order, &payload, &changed) && changed, "apply");
    hf_buf_deinit(&buf);
}

typedef struct world {
    hf_app *app;
    hf_collection *todos;
    uint8_t version[1][32];
    hf_app_state state;
} world;

/* `fresh`: the state changes before every answer. */
static void measure(world *w, const char *what, bool fresh) {
    hf_request request = {.method = HF_TEXT("GET"), .path = HF_TEXT("/"), .origin = HF_TEXT("https://todo.example")};
    hf_arena arena;
    hf_response answer = {0};
    size_t n = 0;
    double from = now(), took = 0;
    hf_arena_init(&arena, &mem);
    while (took < SECONDS) {
        for (int i = 0; i < 100; i++, n++) {
            hf_arena_clear(&arena);
            memcpy(request.nonce, &n, sizeof n);
            if (fresh) memcpy(w->version[0], &n, sizeof n);
            must(!hf_app_handle(w->app, &w->state, &request, &arena, &answer) && answer.status == 200, "handle");
        }
        took = now() - from;
    }
    printf("%s: %.0f pages/s, %.1f us, %zu bytes\n", what, (double)n / took, took * 1e6 / (double)n, answer.body.len);
    hf_arena_deinit(&arena);
}

int main(void) {
    const hf_file files[] = {{HF_TEXT("app.json"), hf_str(manifest)},
                             {HF_TEXT("templates/layout.mustache"), hf_str(layout)},
                             {HF_TEXT("templates/index.mustache"), hf_str(index_page)},
                             {HF_TEXT("templates/_item.mustache"), hf_str(item)}};
    world w = {0};
    hf_arena arena;
    hf_bytes problem;
    hf_arena_init(&arena, &mem);
    w.app = hf_app_new(&mem, files, HF_COUNT(files), 1, &arena, &problem);
    must(w.app != NULL, "app");
    w.todos = hf_collection_new(&mem, hf_app_schema(w.app, 0), 1);
    must(w.todos != NULL, "collection");
    for (unsigned i = 0; i < TODOS; i++) add_todo(w.todos, &arena, i);
    w.state = (hf_app_state){&w.todos, (const uint8_t(*)[32])w.version};
    measure(&w, "100 todos rendered", true);
    measure(&w, "100 todos from the cache", false);
    hf_collection_free(w.todos);
    hf_app_free(w.app);
    hf_arena_deinit(&arena);
    return 0;
}

/* pages: N random states of the todo app and random requests to each, from one seed; prints a line a request with the digest of the whole answer. The
 * suite runs it natively and in WebAssembly and compares: the node's bytes and the worker's must be the same.
 *
 *     pages N FILE...      FILE: of apps/todo, e.g. apps/todo/app.json */
#include "../../core/core.h"
#include "../../core/crypto/crypto.h"
#include "../kit/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, ROOM = 1 << 20 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_file files[FILES_MAX];
static size_t n_files;
static const char *const WORDS[] = {"milk", "<b>bread</b>", "Tom & \"Jerry\"", "naïve café", "日本語", "שלום", "😀 done", "a'b", "{{text}}", "x"};

static void read_app(int argc, char **argv) {
    for (int i = 2; i < argc && n_files < FILES_MAX; i++) {
        FILE *f = fopen(argv[i], "rb");
        uint8_t *bytes = malloc(ROOM);
        if (!f || !bytes) exit(1);
        size_t len = fread(bytes, 1, ROOM, f);
        fclose(f);
        files[n_files++] = (hf_file){hf_str(argv[i] + strlen("apps/todo/")), HF_BYTES(bytes, len)};
    }
}

static uint64_t pick(uint64_t *random, uint64_t n) { return hf_test_random(random) % n; }

static const char *word(uint64_t *random) { return WORDS[pick(random, HF_COUNT(WORDS))]; }

static void percent(char *out, const char *text) {
    for (; *text; text++) out += sprintf(out, "%%%02X", (unsigned)(unsigned char)*text);
    *out = 0;
}

/* A random document's ID, or one that nobody has. */
static hf_bytes some_id(hf_core *core, hf_arena *arena, uint64_t *random) {
    const hf_doc **docs;
    size_t n, total;
    hf_query query = {.sort_field = SIZE_MAX};
    if (hf_collection_query(hf_core_collection(core, 1), arena, &query, &docs, &n, &total) || !n || pick(random, 20) == 0) return HF_TEXT("nobody");
    return hf_doc_id(docs[pick(random, n)]);
}

static hf_response ask(hf_core *core, uint64_t *random, const char *method, const char *path, const char *query, const char *body) {
    static uint64_t clock = 1700000000000u;
    hf_request r = {.method = hf_str(method), .path = hf_str(path), .query = hf_str(query), .origin = HF_TEXT("https://todo.example"), .now_ms = clock += pick(random, 100000)};
    if (body) {
        r.content_type = HF_TEXT("application/x-www-form-urlencoded");
        r.body = hf_str(body);
    }
    hf_test_random_fill(random, r.nonce, sizeof r.nonce);
    hf_test_random_fill(random, r.new_session, sizeof r.new_session);
    hf_response response = {0};
    uint64_t seq;
    if (hf_core_handle(core, 1, &r, &response, &seq)) exit(1);
    return response;
}

static void write_something(hf_core *core, uint64_t *random) {
    hf_arena arena;
    char path[200], body[2000], a[300], b[300];
    hf_arena_init(&arena, &mem);
    hf_bytes id = some_id(core, &arena, random);
    int len = (int)id.len;
    const char *text = (const char *)id.ptr;
    percent(a, word(random));
    percent(b, word(random));
    snprintf(body, sizeof body, "text=%s+%d&assignee=%s", a, (int)pick(random, 1000), pick(random, 3) ? b : "");
    switch (pick(random, 6)) {
    case 0: snprintf(path, sizeof path, "/todos/%.*s/toggle", len, text); break;
    case 1: snprintf(path, sizeof path, "/todos/%.*s/delete", len, text); break;
    case 2: snprintf(path, sizeof path, "/todos/%.*s", len, text); break;
    default: strcpy(path, "/todos");
    }
    ask(core, random, "POST", path, "", body);
    hf_arena_deinit(&arena);
}

static void print_answer(size_t state, const char *what, const hf_response *r) {
    hf_sha256 hash;
    uint8_t digest[32];
    hf_sha256_init(&hash);
    for (size_t i = 0; i < r->n_headers; i++) {
        hf_sha256_add(&hash, r->headers[i].name);
        hf_sha256_add(&hash, r->headers[i].value);
    }
    hf_sha256_add(&hash, r->body);
    hf_sha256_end(&hash, digest);
    printf("%zu %s %u %zu ", state, what, r->status, r->body.len);
    for (size_t i = 0; i < 32; i++) printf("%02x", digest[i]);
    printf("\n");
}

static void look(hf_core *core, uint64_t *random, size_t state) {
    hf_arena arena;
    char path[200], query[900], q[300];
    hf_arena_init(&arena, &mem);
    hf_bytes id = some_id(core, &arena, random);
    percent(q, word(random));
    snprintf(query, sizeof query, "status=%s&q=%s&page=%d", pick(random, 2) ? "open" : "done", pick(random, 2) ? q : "", (int)pick(random, 3));
    snprintf(path, sizeof path, "/todos/%.*s", (int)id.len, (const char *)id.ptr);
    hf_response r = ask(core, random, "GET", "/", "", NULL);
    print_answer(state, "list", &r);
    r = ask(core, random, "GET", "/", query, NULL);
    print_answer(state, "filtered", &r);
    r = ask(core, random, "GET", path, "", NULL);
    print_answer(state, "item", &r);
    r = ask(core, random, "POST", "/todos", "", "text=");
    print_answer(state, "refused", &r);
    r = ask(core, random, "GET", pick(random, 2) ? "/sitemap.xml" : "/api/v1/todos", "", NULL);
    print_answer(state, "machine", &r);
    hf_arena_deinit(&arena);
}

static void forget_stored(hf_core *core) {
    hf_out out;
    uint64_t seq = 0;
    while (hf_core_next(core, 1, &out))
        if (out.kind == HF_OUT_STORE) seq = out.seq;
    hf_core_stored(core, 1, seq);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    read_app(argc, argv);
    for (size_t state = 0; state < (size_t)atoi(argv[1]); state++) {
        uint64_t random = 7919 * (state + 1);
        hf_secrets secrets;
        hf_arena arena;
        hf_bytes problem;
        hf_arena_init(&arena, &mem);
        hf_secrets_make(hf_test_random_fill, &random, &secrets);
        hf_core_config config = {.files = files, .n_files = n_files, .release = HF_TEXT("release"), .script_url = HF_TEXT("/_holdfast/page.js"), .secrets = &secrets,
                                 .agent = HF_TEXT("pages"), .by_session = true, .random = hf_test_random_fill, .random_ctx = &random};
        hf_core *core = hf_core_new(&mem, &config, &arena, &problem);
        if (!core) return fprintf(stderr, "%.*s\n", (int)problem.len, (const char *)problem.ptr), 1;
        if (hf_core_start(core, 1)) return 1;
        for (size_t n = pick(&random, 25); n; n--) write_something(core, &random);
        forget_stored(core);
        look(core, &random, state);
        hf_core_free(core);
        hf_arena_deinit(&arena);
    }
    return 0;
}

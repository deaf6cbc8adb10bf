/* Speeds and sizes of collections: operations applied and decoded a second, bytes for 100,000 of them, hostile orders
 * on one document, queries a second over 100 and 10,000 documents. */
#define _POSIX_C_SOURCE 199309L
#include "../codec/dag_cbor.h"
#include "../codec/json.h"
#include "collection.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OPERATIONS = 100000, HOSTILE = 10000 };

static size_t mem_out, mem_peak;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx;
    mem_out += new_len - old_len;
    if (mem_out > mem_peak) mem_peak = mem_out;
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

static hf_schema read_schema(hf_arena *arena) {
    static const char json[] = "{\"write\":[\"*\"],\"fields\":{\"text\":{\"type\":\"text\",\"required\":true,\"max\":"
                               "500},\"done\":{\"type\":\"bool\",\"default\":false},"
                               "\"assignee\":{\"type\":\"text\",\"max\":80},\"stars\":{\"type\":\"counter\"},"
                               "\"created\":{\"type\":\"time\",\"auto\":\"created\"},"
                               "\"updated\":{\"type\":\"time\",\"auto\":\"updated\"}}}";
    hf_value value;
    hf_schema schema;
    must(!hf_json_decode(arena, hf_str(json), &value, NULL), "json");
    must(!hf_schema_read(arena, HF_TEXT("todos"), &value, &schema, NULL), "schema");
    return schema;
}

typedef struct load {
    hf_bytes bytes[OPERATIONS];
    hf_value payloads[OPERATIONS];
    hf_order orders[OPERATIONS];
} load;

/* Operation i: a NEW for each of n_docs documents, then SET, INC and now and then a replay of another node. */
static void make(load *l, hf_arena *arena, size_t i, size_t n_docs) {
    static const char writer[] = "02a1b2c3d4e5f60718293a4b5c6d7e8f900112233445566778899aabbccddeeff0";
    char key[48], opid[48], text[96];
    snprintf(key, sizeof key, "%08" PRIx32 "-4bd2-4f6a", (uint32_t)(i % n_docs) * 2654435761u);
    snprintf(opid, sizeof opid, "%016" PRIx64 "%016" PRIx64, (uint64_t)i * 0x9e3779b97f4a7c15u, (uint64_t)i);
    snprintf(text, sizeof text, "Buy milk, bread and %zu apples for Sunday", i);
    hf_value value = hf_value_map(arena, 3);
    const char *op = i < n_docs ? "NEW" : i % 3 ? "SET" : "INC";
    if (i < n_docs) {
        hf_map_add(&value, "text", hf_value_text(hf_str(text)));
        hf_map_add(&value, "assignee", hf_value_text(i % 2 ? HF_TEXT("Ann") : HF_TEXT("Bob")));
        hf_map_add(&value, "done", hf_value_bool(i % 4 == 0));
    } else if (i % 3 == 0)
        hf_map_add(&value, "stars", hf_value_u64(1));
    else if (i % 3 == 1)
        hf_map_add(&value, "done", hf_value_bool(i & 1));
    else
        hf_map_add(&value, "text", hf_value_text(hf_str(text)));
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    must(!hf_operation_encode(&buf, op, hf_str(key), &value, hf_str(opid), 1700000000000 + i, HF_TEXT("s-4f2c91")),
         "encode");
    l->bytes[i] = hf_arena_copy(arena, hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    must(!hf_cbor_decode(arena, l->bytes[i], &l->payloads[i], NULL), "decode");
    l->orders[i] = (hf_order){.time = i + 1, .writer = hf_str(writer)};
    memcpy(l->orders[i].digest, &i, sizeof i);
}

static void apply(hf_collection *c, const load *l, size_t i) {
    bool changed;
    must(!hf_collection_apply(c, &l->orders[i], &l->payloads[i], &changed), "apply");
}

static void bench_apply(load *l, hf_arena *arena, const hf_schema *schema, size_t n_docs, bool newest_first) {
    for (size_t i = 0; i < OPERATIONS; i++) make(l, arena, i, n_docs);
    size_t before = mem_out;
    mem_peak = mem_out;
    hf_collection *c = hf_collection_new(&mem, schema, 42);
    double start = now();
    for (size_t i = 0; i < OPERATIONS; i++) apply(c, l, newest_first ? OPERATIONS - 1 - i : i);
    must(hf_collection_n(c) == n_docs, "count");
    double seconds = now() - start;
    printf("apply %d operations on %zu documents, %s first: %.0f/s, %.1f MB (peak %.1f)\n", OPERATIONS, n_docs,
           newest_first ? "newest" : "oldest", OPERATIONS / seconds, (double)(mem_out - before) / 1e6,
           (double)(mem_peak - before) / 1e6);
    hf_collection_free(c);
}

static void bench_decode(const load *l) {
    hf_arena scratch;
    hf_arena_init(&scratch, &mem);
    double start = now();
    for (size_t i = 0; i < OPERATIONS; i++) {
        hf_value value;
        hf_arena_clear(&scratch);
        must(!hf_cbor_decode(&scratch, l->bytes[i], &value, NULL), "decode");
    }
    printf("decode the same payloads: %.0f/s\n", OPERATIONS / (now() - start));
    hf_arena_deinit(&scratch);
}

/* 10,000 operations on one document. 0: newest first. 1: rising DEL below newer edits. 2: rising DEL, and a reader
 * after each. */
static void bench_hostile(load *l, hf_arena *arena, const hf_schema *schema, int shape) {
    static const char *const names[] = {"newest first", "rising DEL under newer edits",
                                        "the same with a reader after each"};
    for (size_t i = 0; i < HOSTILE; i++) make(l, arena, i, 1);
    for (size_t i = shape ? HOSTILE / 2 : HOSTILE; i < HOSTILE; i++) {
        hf_value deletion = hf_value_map(arena, 5);
        const char *const keys[] = {"key", "opid", "at"};
        hf_map_add(&deletion, "op", hf_value_text(HF_TEXT("DEL")));
        hf_map_add(&deletion, "value", hf_value_null());
        for (size_t k = 0; k < 3; k++) hf_map_add(&deletion, keys[k], *hf_value_get(&l->payloads[i], keys[k]));
        l->payloads[i] = deletion;
    }
    hf_collection *c = hf_collection_new(&mem, schema, 42);
    double start = now();
    for (size_t i = 0; i < HOSTILE; i++) {
        if (shape && i < HOSTILE / 2) l->orders[i].time += HOSTILE;
        apply(c, l, shape ? i : HOSTILE - 1 - i);
        if (shape == 2) (void)hf_collection_n(c);
    }
    const hf_doc *doc = hf_collection_get(c, hf_value_as_text(hf_value_get(&l->payloads[0], "key")));
    must(doc && hf_doc_n_changes(doc) == HOSTILE && hf_doc_change_at(doc, 0).order != NULL, "history");
    printf("%d operations on one document, %s: %.1f ms\n", HOSTILE, names[shape], (now() - start) * 1e3);
    hf_collection_free(c);
}

static void bench_queries(load *l, hf_arena *arena, const hf_schema *schema, size_t n_docs) {
    for (size_t i = 0; i < n_docs; i++) make(l, arena, i, n_docs);
    hf_collection *c = hf_collection_new(&mem, schema, 42);
    for (size_t i = 0; i < n_docs; i++) apply(c, l, i);
    static const size_t text[] = {0, 2}, done[] = {1};
    const hf_filter open = {HF_EQUALS, done, 1, hf_value_bool(false)},
                    search = {HF_CONTAINS, text, 2, hf_value_text(HF_TEXT("7 APPLES"))};
    const struct {
        const char *name;
        hf_query query;
    } queries[] = {
        {"all, newest first", {.sort_field = SIZE_MAX, .descending = true, .limit = 100}},
        {"open ones, newest first",
         {.filters = &open, .n_filters = 1, .sort_field = 4, .descending = true, .limit = 100}},
        {"text search", {.filters = &search, .n_filters = 1, .sort_field = SIZE_MAX, .limit = 100}},
        {"by text", {.sort_field = 0, .limit = 100}},
    };
    hf_arena scratch;
    hf_arena_init(&scratch, &mem);
    for (size_t q = 0; q < HF_COUNT(queries); q++) {
        size_t n_rounds = 0, n, total = 0;
        double start = now();
        for (; now() - start < 0.3; n_rounds++) {
            const hf_doc **docs;
            hf_arena_clear(&scratch);
            must(!hf_collection_query(c, &scratch, &queries[q].query, &docs, &n, &total), "query");
        }
        printf("query %zu documents, %s (%zu match): %.0f/s\n", n_docs, queries[q].name, total,
               (double)n_rounds / (now() - start));
    }
    hf_arena_deinit(&scratch);
    hf_collection_free(c);
}

int main(void) {
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    hf_schema schema = read_schema(&arena);
    load *l = calloc(1, sizeof *l);
    must(l != NULL, "memory");
    bench_apply(l, &arena, &schema, 10000, false);
    bench_decode(l);
    bench_apply(l, &arena, &schema, 10000, true);
    bench_apply(l, &arena, &schema, 100, false);
    bench_apply(l, &arena, &schema, OPERATIONS, false);
    for (int shape = 0; shape < 3; shape++) bench_hostile(l, &arena, &schema, shape);
    bench_queries(l, &arena, &schema, 100);
    bench_queries(l, &arena, &schema, 10000);
    free(l);
    hf_arena_deinit(&arena);
    return 0;
}

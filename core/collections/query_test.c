/* Queries: a table of the rules, then random queries against a filter and a sort that are as dumb as can be. */
#include "test_tools.h"

static const char FIELDS[] =
    "'text':{'type':'text'},'done':{'type':'bool'},'n':{'type':'int'},'x':{'type':'number'},'who':{'type':'text'},"
    "'made':{'type':'time','auto':'created'},'hits':{'type':'counter'}";

static void add(hf_collection *c, const char *key, uint64_t time, const char *value) {
    hf_value payload = hf_value_map(hf_test_arena(), 5);
    hf_map_add(&payload, "op", hf_value_text(HF_TEXT("NEW")));
    hf_map_add(&payload, "key", hf_value_text(hf_str(key)));
    hf_map_add(&payload, "opid", hf_value_text(HF_TEXT("1")));
    hf_map_add(&payload, "at", hf_value_u64(time * 10));
    hf_map_add(&payload, "value", json_value(value));
    hf_order order = order_at(time, "A", 1);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
    CHECK(changed);
}

static hf_collection *shelf(void) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    add(c, "d", 4, "{'text':'apple','n':2,'x':0.5,'who':'Ann'}");
    add(c, "b", 2, "{'text':'Banana','done':true,'n':10}");
    add(c, "c", 3, "{'text':'apple','done':false,'n':-3,'x':2,'who':'bob'}");
    add(c, "a", 1, "{'text':'\\u00c9clair','n':2,'x':1.5}");
    add(c, "e", 5, "{'text':'Apple','done':true,'x':-1}");
    return c;
}

typedef struct ask {
    const char *shows;
    size_t total;
    struct {
        hf_compare compare;
        size_t fields[2];
        const char *value;
    } filters[2];
    const char *sort;
    bool descending;
    size_t offset, limit;
} ask;

enum { TEXT, DONE, N, X, WHO, MADE, HITS };
#define ON(field)                                                                                                      \
    { field, field }

static const ask ASKS[] = {
    {.shows = "abcde", .total = 5},
    {.shows = "edcba", .total = 5, .descending = true},
    {.shows = "bc", .total = 5, .offset = 1, .limit = 2},
    {.shows = "e", .total = 5, .offset = 4, .limit = 2},
    {.shows = "", .total = 5, .offset = 5, .limit = 2},
    {.shows = "", .total = 5, .offset = SIZE_MAX, .limit = SIZE_MAX},
    {.shows = "cde", .total = 5, .offset = 2},
    {.shows = "be", .total = 2, .filters = {{HF_EQUALS, ON(DONE), "true"}}},
    {.shows = "c", .total = 1, .filters = {{HF_EQUALS, ON(DONE), "false"}}},
    {.shows = "ad", .total = 2, .filters = {{HF_EQUALS, ON(DONE), "null"}}},
    {.shows = "cd", .total = 2, .filters = {{HF_EQUALS, ON(TEXT), "'apple'"}}},
    {.shows = "ad", .total = 2, .filters = {{HF_EQUALS, ON(N), "2"}}},
    {.shows = "c", .total = 1, .filters = {{HF_EQUALS, ON(X), "2.0"}}},
    {.shows = "", .total = 0, .filters = {{HF_EQUALS, ON(N), "'2'"}}},
    {.shows = "cde", .total = 3, .filters = {{HF_CONTAINS, ON(TEXT), "'PPL'"}}},
    {.shows = "a", .total = 1, .filters = {{HF_CONTAINS, ON(TEXT), "'\\u00e9C'"}}},
    {.shows = "bd", .total = 2, .filters = {{HF_CONTAINS, {TEXT, WHO}, "'an'"}}},
    {.shows = "abcde", .total = 5, .filters = {{HF_CONTAINS, ON(WHO), "''"}}},
    {.shows = "", .total = 0, .filters = {{HF_CONTAINS, ON(N), "'2'"}}},
    {.shows = "", .total = 0, .filters = {{HF_CONTAINS, ON(TEXT), "2"}}},
    {.shows = "ad", .total = 2, .filters = {{HF_MORE, ON(N), "-3"}, {HF_LESS, ON(N), "10"}}},
    {.shows = "de", .total = 2, .filters = {{HF_LESS, ON(X), "1.5"}}},
    {.shows = "a", .total = 1, .filters = {{HF_MORE, ON(TEXT), "'apple'"}}},
    {.shows = "", .total = 0, .filters = {{HF_MORE, ON(TEXT), "1"}}},
    {.shows = "", .total = 0, .filters = {{HF_LESS, ON(DONE), "null"}}},
    {.shows = "de", .total = 2, .filters = {{HF_MORE, ON(MADE), "30"}}},
    {.shows = "abcde", .total = 5, .filters = {{HF_EQUALS, ON(HITS), "0"}}},
    {.shows = "c", .total = 1, .filters = {{HF_CONTAINS, ON(TEXT), "'a'"}, {HF_CONTAINS, ON(WHO), "'B'"}}},
    {.shows = "ecadb", .total = 5, .sort = "n"},
    {.shows = "bdace", .total = 5, .sort = "n", .descending = true},
    {.shows = "bedac", .total = 5, .sort = "x"},
    {.shows = "adcbe", .total = 5, .sort = "done"},
    {.shows = "ecdba", .total = 5, .sort = "text"},
    {.shows = "abedc", .total = 5, .sort = "who", .filters = {{HF_CONTAINS, ON(WHO), "''"}}},
    {.shows = "edcba", .total = 5, .sort = "made", .descending = true},
    {.shows = "cb", .total = 5, .sort = "made", .descending = true, .offset = 2, .limit = 2},
};

static hf_query query_of(const hf_collection *c, const ask *a, hf_filter filters[2]) {
    hf_query query = {.filters = filters,
                      .sort_field = SIZE_MAX,
                      .descending = a->descending,
                      .offset = a->offset,
                      .limit = a->limit};
    for (size_t i = 0; i < 2 && a->filters[i].value; i++) {
        size_t n_fields = a->filters[i].fields[0] == a->filters[i].fields[1] ? 1 : 2;
        filters[i] =
            (hf_filter){a->filters[i].compare, a->filters[i].fields, n_fields, json_value(a->filters[i].value)};
        query.n_filters++;
    }
    if (a->sort) query.sort_field = hf_schema_field(hf_collection_schema(c), hf_str(a->sort));
    return query;
}

HF_TEST(query_follows_its_rules) {
    hf_collection *c = shelf();
    for (size_t i = 0; i < HF_COUNT(ASKS); i++) {
        hf_filter filters[2];
        hf_query query = query_of(c, &ASKS[i], filters);
        const hf_doc **docs;
        size_t n, total;
        CHECK_ERR(hf_collection_query(c, hf_test_arena(), &query, &docs, &n, &total), HF_OK);
        char got[8] = "";
        for (size_t k = 0; k < n; k++) got[k] = (char)hf_doc_id(docs[k]).ptr[0];
        CHECK_MSG(strcmp(got, ASKS[i].shows) == 0 && total == ASKS[i].total, "query %zu: %s of %zu, expected %s", i,
                  got, total, ASKS[i].shows);
    }
    hf_collection_free(c);
}

HF_TEST(query_refuses_fields_that_are_not) {
    hf_collection *c = shelf();
    size_t field = 7;
    hf_filter filter = {HF_EQUALS, &field, 1, hf_value_null()};
    hf_query by_field = {.filters = &filter, .n_filters = 1, .sort_field = SIZE_MAX}, sorted = {.sort_field = 7};
    const hf_doc **docs;
    size_t n, total;
    CHECK_ERR(hf_collection_query(c, hf_test_arena(), &by_field, &docs, &n, &total), HF_NOT_FOUND);
    CHECK_ERR(hf_collection_query(c, hf_test_arena(), &sorted, &docs, &n, &total), HF_NOT_FOUND);
    hf_collection_free(c);
}

HF_TEST(query_of_nothing) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    hf_query query = {.sort_field = 0};
    const hf_doc **docs;
    size_t n = 9, total = 9;
    CHECK_ERR(hf_collection_query(c, hf_test_arena(), &query, &docs, &n, &total), HF_OK);
    CHECK_U64(n, 0);
    CHECK_U64(total, 0);
    hf_collection_free(c);
}

HF_TEST(query_survives_no_memory) {
    hf_collection *c = shelf();
    hf_filter filters[2];
    static const ask a = {.filters = {{HF_CONTAINS, {TEXT, WHO}, "'a'"}, {HF_CONTAINS, ON(TEXT), "'p'"}},
                          .sort = "text"};
    hf_query query = query_of(c, &a, filters);
    size_t n_failed = 0;
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_arena_init(&arena, hf_test_mem());
        /* As in schema_test.c: room for 16 * n bytes, then no more. */
        while (hf_arena_alloc(&arena, 16) && arena.used_bytes < 4096 - 16 * n) continue;
        hf_test_mem_fail_at(1);
        const hf_doc **docs = NULL;
        size_t n_docs = 0, total = 0;
        hf_err err = hf_collection_query(c, &arena, &query, &docs, &n_docs, &total);
        hf_test_mem_fail_at(0);
        CHECK(!err || (err == HF_NOMEM && !docs));
        hf_arena_deinit(&arena);
        if (!err) break;
        n_failed++;
    }
    CHECK_MSG(n_failed > 10, "failed %zu times only", n_failed);
    hf_collection_free(c);
}

/* ---- against the dumb model: numbers and lower-case letters only, so that no folding is needed ---- */

enum { MODEL_DOCS = 40 };
typedef struct thing {
    int n;
    char text[4];
} thing; /* n -1: unset; created in the order of the array */

static bool dumb_match(const thing *t, hf_compare compare, bool on_text, int n, const char *text) {
    if (compare == HF_CONTAINS) return text[0] == 0 || (on_text && strstr(t->text, text));
    if (on_text)
        return compare == HF_EQUALS ? strcmp(t->text, text) == 0
               : compare == HF_LESS ? strcmp(t->text, text) < 0
                                    : strcmp(t->text, text) > 0;
    if (t->n < 0) return false;
    return compare == HF_EQUALS ? t->n == n : compare == HF_LESS ? t->n < n : t->n > n;
}

/* sort: 0 creation, 1 n, 2 text. Picks the smallest again and again. */
static size_t dumb_sort(const thing *things, const bool *in, int sort, bool descending, size_t *ret) {
    bool left[MODEL_DOCS];
    size_t n = 0;
    memcpy(left, in, sizeof left);
    for (;; n++) {
        int best = -1;
        for (int i = 0; i < MODEL_DOCS; i++) {
            if (!left[i]) continue;
            int c = best < 0    ? -1
                    : sort == 1 ? things[i].n - things[best].n
                    : sort == 2 ? strcmp(things[i].text, things[best].text)
                                : 0;
            if (c == 0) c = 1; /* created later */
            if (best < 0 || (descending ? c > 0 : c < 0)) best = i;
        }
        if (best < 0) return n;
        left[best] = false;
        ret[n] = (size_t)best;
    }
}

static hf_collection *collection_of(thing *things, uint64_t *seed) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of("'n':{'type':'int'},'text':{'type':'text'}"), *seed);
    for (size_t i = 0; i < MODEL_DOCS; i++) {
        thing *t = &things[i];
        *t = (thing){.n = (int)(hf_test_random(seed) % 7) - 1};
        for (size_t k = 0, len = hf_test_random(seed) % 4; k < len; k++) t->text[k] = "ab"[hf_test_random(seed) % 2];
        char key[3] = {(char)('A' + i / 10), (char)('0' + i % 10), 0}, number[8] = "null", value[40];
        if (t->n >= 0) snprintf(number, sizeof number, "%d", t->n);
        snprintf(value, sizeof value, "{'n':%s,'text':'%s'}", number, t->text);
        add(c, (char *)hf_arena_copy(hf_test_arena(), HF_BYTES(key, 3)).ptr, i + 1, value);
    }
    return c;
}

static void check_random_query(const hf_collection *c, const thing *things, uint64_t *seed) {
    static const char *const texts[] = {"", "a", "b", "ab", "ba", "aab"};
    const char *text = texts[hf_test_random(seed) % HF_COUNT(texts)];
    hf_compare compare = (hf_compare)(hf_test_random(seed) % 4);
    size_t field = hf_test_random(seed) % 2, want[MODEL_DOCS], n_got, total;
    int n = (int)(hf_test_random(seed) % 6), sort = (int)(hf_test_random(seed) % 3);
    bool as_text = field == 1 || compare == HF_CONTAINS, in[MODEL_DOCS];
    hf_filter filter = {compare, &field, 1, as_text ? hf_value_text(hf_str(text)) : hf_value_i64(n)};
    hf_query query = {&filter,
                      hf_test_random(seed) % 8 != 0,
                      sort == 0 ? SIZE_MAX : (size_t)sort - 1,
                      hf_test_random(seed) % 2,
                      hf_test_random(seed) % 10,
                      hf_test_random(seed) % 10};
    for (int i = 0; i < MODEL_DOCS; i++)
        in[i] = !query.n_filters || dumb_match(&things[i], compare, field == 1, n, text);
    size_t n_want = dumb_sort(things, in, sort, query.descending, want),
           from = query.offset < n_want ? query.offset : n_want;
    size_t len = query.limit && query.limit < n_want - from ? query.limit : n_want - from;
    const hf_doc **docs;
    CHECK_ERR(hf_collection_query(c, hf_test_arena(), &query, &docs, &n_got, &total), HF_OK);
    CHECK_U64(total, n_want);
    CHECK_U64(n_got, len);
    for (size_t i = 0; i < len; i++) CHECK_U64(hf_doc_created_ms(docs[i]) / 10 - 1, want[from + i]);
}

HF_TEST(query_agrees_with_a_dumb_filter) {
    uint64_t seed = 5;
    for (int world = 0; world < 20; world++) {
        thing things[MODEL_DOCS];
        hf_collection *c = collection_of(things, &seed);
        for (int i = 0; i < 200; i++) check_random_query(c, things, &seed);
        hf_collection_free(c);
    }
}

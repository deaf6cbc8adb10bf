/* The law of collections: state is a pure function of the set of entries. Random worlds (few documents, few opids, few
 * writers, times that tie) are delivered in 2,000 random orders with repetitions and with readers in between; what
 * shows must be the same each time, and the same as a naive model says, which sorts everything and folds it from the
 * start. The model shares no code with the collection. */
#include "../codec/dag_cbor.h"
#include "test_tools.h"

#include <stdlib.h>

/* ACTS: enough that documents are both short and long for the collection, which adds the short ones up at once. */
enum { WORLDS_N = 100, ORDERS_N = 20, ACTS = 60, DOCS = 3, NUMBERS = 3 };

typedef enum kind { NEW, SET, DEL, INC, KINDS } kind;
static const char *const KIND_NAMES[] = {"NEW", "SET", "DEL", "INC"};
static const char *const DOC_NAMES[DOCS] = {"a", "b", "c"};
static const char *const FIELD_NAMES[NUMBERS] = {"x", "y", "z"};
static const char *const WRITERS[] = {"W1", "W2", "W22"};

/* One entry. x is required and within 0..9, y within 0..9 with default 1, z anything; -1 stands for "left out". */
typedef struct act {
    kind kind;
    int doc, opid, writer, numbers[NUMBERS], amount;
    uint64_t time, at;
    uint8_t digest;
} act;

static int pick(uint64_t *seed, int n) {
    return (int)(hf_test_random(seed) % (uint64_t)n);
}

static act random_act(uint64_t *seed, int i) {
    act a = {.kind = (kind)pick(seed, KINDS),
             .doc = pick(seed, DOCS),
             .opid = pick(seed, ACTS / 2),
             .writer = pick(seed, 3)};
    for (int f = 0; f < NUMBERS; f++)
        a.numbers[f] = pick(seed, 14) - 2; /* 10, 11 break the schema of x and y; -2 and -1: left out */
    a.amount = pick(seed, 9) - 4;
    a.time = 1 + (uint64_t)pick(seed, 20);
    a.at = (uint64_t)pick(seed, 1000);
    a.digest = (uint8_t)i;
    return a;
}

/* ---- the model ---- */

static int older_first(const void *x, const void *y) {
    const act *a = x, *b = y;
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    int c = strcmp(WRITERS[a->writer], WRITERS[b->writer]);
    return c ? c : (int)a->digest - (int)b->digest;
}

static bool allowed(int field, int number) {
    return number >= 0 && (field == 2 || number <= 9);
}

static bool means_something(const act *a) {
    if (a->kind == NEW) return allowed(0, a->numbers[0]);
    return a->kind != SET || allowed(0, a->numbers[0]) || allowed(1, a->numbers[1]) || allowed(2, a->numbers[2]);
}

/* The acts on one document that count, oldest first. */
static int that_count(const act *sorted, int doc, const act **ret) {
    bool seen[ACTS] = {false};
    int n = 0;
    for (int i = 0; i < ACTS; i++) {
        if (sorted[i].doc != doc || !means_something(&sorted[i]) || seen[sorted[i].opid]) continue;
        seen[sorted[i].opid] = true;
        ret[n++] = &sorted[i];
    }
    return n;
}

typedef struct shown {
    bool exists;
    int numbers[NUMBERS], hits;
    const act *made;
    uint64_t touched;
    int n_history;
    uint8_t history[ACTS];
} shown;

static shown model(const act *sorted, int doc) {
    const act *acts[ACTS];
    shown s = {.numbers = {-1, 1, -1}};
    s.n_history = that_count(sorted, doc, acts);
    int from = 0;
    for (int i = 0; i < s.n_history; i++) {
        s.history[i] = acts[i]->digest;
        if (acts[i]->kind == DEL) from = i + 1;
    }
    for (int i = from; i < s.n_history; i++) {
        const act *a = acts[i];
        if (a->kind == NEW && !s.exists) s.made = a;
        if (a->kind == NEW) s.exists = true;
        for (int f = 0; f < NUMBERS && a->kind != INC; f++)
            if (allowed(f, a->numbers[f])) s.numbers[f] = a->numbers[f];
        if (a->kind == INC) s.hits += a->amount;
        s.touched = a->at;
    }
    return s;
}

/* ---- the collection ---- */

static hf_value payload_of(const act *a) {
    hf_arena *arena = hf_test_arena();
    hf_value payload = hf_value_map(arena, 5), value = hf_value_null();
    char *opid = hf_arena_alloc(arena, 8);
    opid[0] = 'o', opid[1] = (char)('0' + a->opid);
    if (a->kind != DEL) value = hf_value_map(arena, NUMBERS + 1);
    for (int f = 0; f < NUMBERS && (a->kind == NEW || a->kind == SET); f++)
        if (a->numbers[f] >= 0) hf_map_add(&value, FIELD_NAMES[f], hf_value_i64(a->numbers[f]));
    if (a->kind == INC) hf_map_add(&value, "hits", hf_value_i64(a->amount));
    hf_map_add(&payload, "op", hf_value_text(hf_str(KIND_NAMES[a->kind])));
    hf_map_add(&payload, "key", hf_value_text(hf_str(DOC_NAMES[a->doc])));
    hf_map_add(&payload, "opid", hf_value_text(hf_str(opid)));
    hf_map_add(&payload, "at", hf_value_u64(a->at));
    hf_map_add(&payload, "value", value);
    return payload;
}

static hf_order order_of(const act *a) {
    hf_order order = {.time = a->time, .writer = hf_str(WRITERS[a->writer]), .digest = {a->digest}};
    return order;
}

static bool deliver(hf_collection *c, const act *a, const hf_value *payload) {
    hf_order order = order_of(a);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, payload, &changed), HF_OK);
    return changed;
}

static void check_number(const hf_doc *doc, size_t field, int want, const char *where, uint64_t seed) {
    const hf_value *v = hf_doc_field(doc, field);
    bool same = want == -1 && field < NUMBERS ? v->kind == HF_NULL : hf_value_as_i64(v, INT64_MIN) == want;
    CHECK_MSG(same, "seed %llu, %s: field %zu should be %d", (unsigned long long)seed, where, field, want);
}

static void check_doc(const hf_collection *c, const act *sorted, int doc, uint64_t seed) {
    shown want = model(sorted, doc);
    const char *name = DOC_NAMES[doc];
    const hf_doc *got = hf_collection_get(c, hf_str(name));
    CHECK_MSG((got != NULL) == want.exists, "seed %llu, %s: shows?", (unsigned long long)seed, name);
    if (!got || !want.made) return;
    for (size_t f = 0; f < NUMBERS; f++) check_number(got, f, want.numbers[f], name, seed);
    check_number(got, 3, want.hits, name, seed);
    CHECK_U64(hf_doc_created_ms(got), want.made->at);
    CHECK_U64(hf_doc_updated_ms(got), want.touched);
    CHECK_U64(hf_doc_n_changes(got), want.n_history);
    for (int i = 0; i < want.n_history; i++)
        CHECK_U64(hf_doc_change_at(got, (size_t)i).order->digest[0], want.history[i]);
}

static void shuffle(int *order, int n, uint64_t *seed) {
    for (int i = n - 1; i > 0; i--) {
        int k = pick(seed, i + 1), t = order[i];
        order[i] = order[k];
        order[k] = t;
    }
}

/* Adds up what was put off, and sorts. */
static void read_history(const hf_collection *c, const char *name) {
    const hf_doc *doc = hf_collection_get(c, hf_str(name));
    for (size_t i = 1; doc && i < hf_doc_n_changes(doc); i++)
        CHECK(hf_order_compare(hf_doc_change_at(doc, i - 1).order, hf_doc_change_at(doc, i).order) < 0);
}

static hf_err apply_again(void *ctx, const hf_order *order, hf_bytes payload) {
    hf_value value;
    hf_arena arena;
    bool changed;
    hf_arena_init(&arena, hf_test_mem());
    hf_err err = hf_cbor_decode(&arena, payload, &value, NULL);
    if (!err) err = hf_collection_apply(ctx, order, &value, &changed);
    hf_arena_deinit(&arena);
    return err;
}

/* What is kept makes the same state again. */
static hf_collection *copy_of(const hf_collection *c) {
    hf_collection *copy = hf_collection_new(hf_test_mem(), hf_collection_schema(c), 5);
    CHECK_ERR(hf_collection_each(c, apply_again, copy), HF_OK);
    return copy;
}

/* Each act once, in any order, and some again; a reader now and then. */
static void run_order(const hf_schema *schema, const act *acts, const hf_value *payloads, const act *sorted,
                      uint64_t *seed) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema, hf_test_random(seed));
    int order[2 * ACTS], n = ACTS + pick(seed, ACTS);
    uint64_t id = *seed;
    for (int i = 0; i < n; i++) order[i] = i < ACTS ? i : pick(seed, ACTS);
    shuffle(order, n, seed);
    for (int i = 0; i < n; i++) {
        deliver(c, &acts[order[i]], &payloads[order[i]]);
        if (pick(seed, 8) == 0) read_history(c, DOC_NAMES[pick(seed, DOCS)]);
    }
    hf_collection *copy = copy_of(c); /* before it is read: what was put off goes along */
    for (int doc = 0; doc < DOCS; doc++) {
        check_doc(c, sorted, doc, id);
        check_doc(copy, sorted, doc, id);
    }
    hf_collection_free(copy);
    hf_collection_free(c);
}

static const hf_schema *numbers_schema(void) {
    return schema_of(
        "'x':{'type':'int','required':true,'min':0,'max':9},'y':{'type':'int','min':0,'max':9,'default':1},"
        "'z':{'type':'int'},'hits':{'type':'counter'}");
}

HF_TEST(collection_state_is_a_function_of_the_set) {
    const hf_schema *schema = numbers_schema();
    uint64_t seed = 20;
    for (int w = 0; w < WORLDS_N; w++) {
        act acts[ACTS], sorted[ACTS];
        hf_value payloads[ACTS];
        for (int i = 0; i < ACTS; i++) {
            sorted[i] = acts[i] = random_act(&seed, i);
            payloads[i] = payload_of(&acts[i]);
        }
        qsort(sorted, ACTS, sizeof *sorted, older_first);
        for (int k = 0; k < ORDERS_N; k++) run_order(schema, acts, payloads, sorted, &seed);
    }
}

static hf_bytes look(hf_collection *c) {
    hf_buf out;
    hf_buf_init(&out, hf_test_arena()->mem);
    hf_buf_add(&out, dump(c));
    for (int doc = 0; doc < DOCS; doc++) {
        const hf_doc *d = hf_collection_get(c, hf_str(DOC_NAMES[doc]));
        for (size_t i = 0; d && i < hf_doc_n_changes(d); i++)
            hf_buf_add_hex(&out, HF_BYTES(hf_doc_change_at(d, i).order->digest, 1));
    }
    hf_bytes text = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return text;
}

/* A page that is cached until something changes must never be kept too long. */
HF_TEST(collection_never_hides_a_change) {
    const hf_schema *schema = numbers_schema();
    uint64_t seed = 4;
    size_t n_told = 0, n_seen = 0;
    for (int w = 0; w < WORLDS_N; w++) {
        hf_collection *c = hf_collection_new(hf_test_mem(), schema, 1);
        hf_bytes before = look(c);
        for (int i = 0; i < ACTS; i++) {
            act a = random_act(&seed, i);
            hf_value payload = payload_of(&a);
            bool told = deliver(c, &a, &payload);
            hf_bytes after = look(c);
            CHECK_MSG(told || hf_eq(before, after), "world %d, act %d: changed in silence", w, i);
            n_told += told;
            n_seen += !hf_eq(before, after);
            before = after;
        }
        hf_collection_free(c);
    }
    CHECK_MSG(n_seen * 20 >= n_told * 19, "%zu told, only %zu were changes", n_told, n_seen);
}

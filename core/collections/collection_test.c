/* Each rule of collection.h as a small world: a few operations, in every order in which they can arrive, each of them
 * twice, must show the same documents. */
#include "test_tools.h"

static const char FIELDS[] = "'text':{'type':'text','required':true,'max':20},"
                             "'done':{'type':'bool'},"
                             "'n':{'type':'int','min':0,'max':10},"
                             "'kind':{'type':'choice','choices':['a','b'],'default':'a'},"
                             "'hits':{'type':'counter','default':5},"
                             "'made':{'type':'time','auto':'created'},"
                             "'touched':{'type':'time','auto':'updated'},"
                             "'who':{'type':'text','auto':'creator'}";

typedef struct step {
    uint64_t time;
    const char *writer, *payload;
} step;

enum { STEPS_MAX = 5 };
typedef struct world {
    const char *rule, *shows;
    step steps[STEPS_MAX];
} world;

#define NEW1(opid) "{'op':'NEW','key':'d','opid':'" opid "','at':10,'value':{'text':'milk'}}"
#define SET1(opid, value) "{'op':'SET','key':'d','opid':'" opid "','at':20,'value':{" value "}}"
#define DEL1(opid) "{'op':'DEL','key':'d','opid':'" opid "','at':30,'value':null}"
#define INC1(opid, n) "{'op':'INC','key':'d','opid':'" opid "','at':40,'value':{'hits':" n "}}"
#define REST " kind=a hits=5 made=10 touched=10 who=A"

static const world WORLDS[] = {
    {"a NEW shows", "d text=milk" REST, {{1, "A", NEW1("1")}}},
    {"nothing shows without a NEW", "", {{1, "A", SET1("1", "'text':'x'")}, {2, "A", INC1("2", "3")}}},
    {"a replay with another order has no effect", "d text=milk" REST, {{1, "A", NEW1("1")}, {9, "B", NEW1("1")}}},
    {"a replayed DEL does not delete again",
     "d text=milk" REST,
     {{1, "A", DEL1("1")}, {2, "A", NEW1("2")}, {3, "B", DEL1("1")}}},
    {"the oldest of an opid counts, even when it is another operation",
     "d text=milk" REST,
     {{1, "A", NEW1("1")}, {5, "B", DEL1("1")}}},
    {"the oldest of an opid is the DEL", "", {{1, "A", NEW1("1")}, {3, "B", DEL1("2")}, {5, "A", NEW1("2")}}},
    {"opids are per document",
     "d text=milk" REST "; e text=milk" REST,
     {{1, "A", NEW1("1")}, {2, "A", "{'op':'NEW','key':'e','opid':'1','at':10,'value':{'text':'milk'}}"}}},
    {"a replayed INC adds once",
     "d text=milk kind=a hits=7 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")}, {2, "A", INC1("2", "2")}, {3, "B", INC1("2", "2")}}},
    {"a DEL hides", "", {{1, "A", NEW1("1")}, {2, "B", DEL1("2")}}},
    {"a DEL older than the NEW does not", "d text=milk" REST, {{2, "A", NEW1("1")}, {1, "B", DEL1("2")}}},
    {"edits do not bring back", "", {{1, "A", NEW1("1")}, {2, "B", DEL1("2")}, {3, "A", SET1("3", "'text':'x'")}}},
    {"only what is newer than the newest DEL counts",
     "d text=milk" REST,
     {{1, "A", SET1("1", "'n':3")}, {2, "A", INC1("2", "9")}, {3, "B", DEL1("3")}, {4, "A", NEW1("4")}}},
    {"a DEL in the middle buries what is older, and nothing else",
     "d text=milk n=4 kind=a hits=6 made=10 touched=40 who=A",
     {{1, "A", INC1("1", "9")},
      {2, "B", DEL1("2")},
      {3, "A", NEW1("3")},
      {4, "A", SET1("4", "'n':4")},
      {5, "A", INC1("5", "1")}}},
    {"the newest of several DEL decides",
     "d text=milk" REST,
     {{1, "A", NEW1("1")},
      {2, "B", DEL1("2")},
      {3, "B", DEL1("3")},
      {4, "A", NEW1("4")},
      {3, "A", SET1("5", "'n':1")}}},
    {"a field shows its newest value",
     "d text=b kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {3, "A", SET1("2", "'text':'b'")}, {2, "B", SET1("3", "'text':'a'")}}},
    {"two people, two fields: both keep their change",
     "d text=tea done=true kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "A", SET1("2", "'done':true")}, {2, "B", SET1("3", "'text':'tea'")}}},
    {"equal times: the greater writer is newer",
     "d text=b kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "B", SET1("2", "'text':'b'")}, {2, "A", SET1("3", "'text':'a'")}}},
    {"a SET with null unsets, the default shows",
     "d text=milk"
     " kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "A", SET1("2", "'kind':'b','n':4")}, {3, "A", SET1("3", "'kind':null,'n':null")}}},
    {"a second NEW acts as a SET; creation stays",
     "d text=tea kind=b hits=5 made=10 touched=50 who=A",
     {{1, "A", NEW1("1")}, {2, "B", "{'op':'NEW','key':'d','opid':'2','at':50,'value':{'text':'tea','kind':'b'}}"}}},
    {"counters of several writers add up",
     "d text=milk kind=a hits=1 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")}, {2, "A", INC1("2", "2")}, {2, "B", INC1("3", "3")}, {3, "B", INC1("4", "-9")}}},
    {"a counter stops at 2^53, and comes back exactly",
     "d text=milk kind=a hits=9007199254740992 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")}, {2, "A", INC1("2", "9007199254740992")}, {3, "A", INC1("3", "9007199254740992")}}},
    {"a counter stops at 2^53, by little",
     "d text=milk kind=a hits=9007199254740992 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")}, {2, "A", INC1("2", "9007199254740988")}}},
    {"… exactly",
     "d text=milk kind=a hits=4 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")},
      {2, "A", INC1("2", "9007199254740992")},
      {3, "A", INC1("3", "-9007199254740992")},
      {4, "A", INC1("4", "-1")}}},
    {"… below, too",
     "d text=milk kind=a hits=-9007199254740992 made=10 touched=40 who=A",
     {{1, "A", NEW1("1")}, {2, "A", INC1("2", "-9007199254740992")}, {3, "A", INC1("3", "-7")}}},
    {"a field that breaks the schema is ignored, its neighbours count",
     "d text=milk n=3 kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "A", SET1("2", "'n':3,'kind':'z','done':'yes','text':'','colour':'red'")}}},
    {"a NEW that lacks a required field is ignored",
     "",
     {{1, "A", "{'op':'NEW','key':'d','opid':'1','at':1,'value':{'done':true}}"}}},
    {"a NEW whose required field breaks the schema lacks it",
     "",
     {{1, "A", "{'op':'NEW','key':'d','opid':'1','at':1,'value':{'text':'a text longer than twenty characters'}}"}}},
    {"what is ignored whole does not use up its opid",
     "d text=milk" REST,
     {{1, "A", "{'op':'NEW','key':'d','opid':'1','at':1,'value':{'done':true}}"}, {2, "A", NEW1("1")}}},
    {"counters and automatic fields cannot be written",
     "d text=milk"
     " kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "A", SET1("2", "'hits':100,'made':1,'touched':1,'who':'eve','kind':'a'")}}},
    {"only counters are counted up",
     "d text=milk" REST,
     {{1, "A", NEW1("1")}, {2, "A", "{'op':'INC','key':'d','opid':'2','at':40,'value':{'n':1}}"}}},
    {"who: the session that the writer serves",
     "d text=x kind=a hits=5 made=7 touched=7 who=ann",
     {{1, "A", "{'op':'NEW','key':'d','opid':'1','at':7,'by':'ann','value':{'text':'x'}}"}}},
    {"numbers may be spelled as floats",
     "d text=milk n=3 kind=a hits=5 made=10 touched=20 who=A",
     {{1, "A", NEW1("1")}, {2, "A", SET1("2", "'n':3.0")}}},
    {"documents stand by creation, whatever their names",
     "z text=1 kind=a hits=5 made=1 touched=1 who=A; a text=2 kind=a hits=5 made=0 touched=0 who=A",
     {{2, "A", "{'op':'NEW','key':'a','opid':'1','at':0,'value':{'text':'2'}}"},
      {1, "A", "{'op':'NEW','key':'z','opid':'1','at':1,'value':{'text':'1'}}"}}},
};

static size_t n_steps(const world *w) {
    size_t n = 0;
    while (n < STEPS_MAX && w->steps[n].payload) n++;
    return n;
}

static void apply_step(hf_collection *c, const step *s) {
    hf_order order = order_at(s->time, s->writer, (uint8_t)strlen(s->payload));
    hf_value payload = json_value(s->payload);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
}

/* The k-th permutation, and in the middle of it every step again. With `read`, somebody looks after each step. */
static void run_world(const hf_schema *schema, const world *w, size_t permutation, bool read) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
    size_t n = n_steps(w), left[STEPS_MAX];
    for (size_t i = 0; i < n; i++) left[i] = i;
    for (size_t i = 0, k = permutation; i < n; i++) {
        size_t pick = k % (n - i);
        k /= n - i;
        apply_step(c, &w->steps[left[pick]]);
        if (read) (void)hf_collection_n(c);
        apply_step(c, &w->steps[left[pick]]);
        left[pick] = left[n - i - 1];
    }
    for (size_t i = 0; i < n; i++) apply_step(c, &w->steps[i]);
    hf_bytes got = dump(c);
    CHECK_MSG(hf_eq(got, hf_str(w->shows)), "%s (order %zu): shows \"%.*s\"", w->rule, permutation, (int)got.len,
              (const char *)got.ptr);
    hf_collection_free(c);
}

HF_TEST(collection_rules_in_every_order) {
    const hf_schema *schema = schema_of(FIELDS);
    for (size_t i = 0; i < HF_COUNT(WORLDS); i++) {
        size_t n_orders = 1;
        for (size_t k = 2; k <= n_steps(&WORLDS[i]); k++) n_orders *= k;
        for (size_t k = 0; k < n_orders; k++) {
            run_world(schema, &WORLDS[i], k, false);
            run_world(schema, &WORLDS[i], k, true);
        }
    }
}

/* ---- what is ignored, and that it is counted ---- */

HF_TEST(collection_ignores_and_counts) {
    static const struct {
        const char *payload;
        uint64_t n_ignored;
        bool shows;
    } cases[] = {
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':{'text':'x'}}", 0, true},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':{'text':'x'},'more':[1]}", 0, true},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':{'text':'x','n':11}}", 1, true},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':{'text':'x','n':11,'m':1,'done':1}}", 1, true},
        {"{'op':'PUT','key':'d','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'new','key':'d','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':7,'key':'d','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'key':'d','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'','opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':4,'opid':'1','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'','at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':[],'at':1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':-1,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':'1','value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':8640000000000001,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'by':'','value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'by':3,'value':{'text':'x'}}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':null}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':['text','x']}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1}", 1, false},
        {"{'op':'NEW','key':'d','opid':'1','at':1,'value':{}}", 1, false},
        {"{'op':'SET','key':'d','opid':'1','at':1,'value':{}}", 1, false},
        {"{'op':'SET','key':'d','opid':'1','at':1,'value':{'m':1}}", 1, false},
        {"{'op':'INC','key':'d','opid':'1','at':1,'value':{'hits':0.5}}", 1, false},
        {"{'op':'INC','key':'d','opid':'1','at':1,'value':{'hits':9007199254740993}}", 1, false},
        {"{'op':'INC','key':'d','opid':'1','at':1,'value':{'hits':null}}", 1, false},
        {"{'op':'DEL','key':'d','opid':'1','at':1,'value':{}}", 1, false},
        {"{'op':'DEL','key':'d','opid':'1','at':1}", 1, false},
        {"[]", 1, false},
        {"null", 1, false},
        {"'NEW'", 1, false},
    };
    const hf_schema *schema = schema_of(FIELDS);
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
        step s = {1, "A", cases[i].payload};
        apply_step(c, &s);
        CHECK_MSG(hf_collection_ignored(c) == cases[i].n_ignored, "%s: %d ignored", s.payload,
                  (int)hf_collection_ignored(c));
        CHECK_MSG(hf_collection_n(c) == cases[i].shows, "%s: shows?", s.payload);
        CHECK_U64(hf_collection_version(c), cases[i].shows);
        CHECK_U64(hf_collection_knows_op(c, HF_TEXT("d"), HF_TEXT("1")), cases[i].shows);
        hf_collection_free(c);
    }
}

static hf_value long_payload(size_t key_len, size_t opid_len, size_t by_len) {
    static const char many[] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                               "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    hf_value payload = hf_value_map(hf_test_arena(), 6);
    hf_map_add(&payload, "op", hf_value_text(HF_TEXT("NEW")));
    hf_map_add(&payload, "key", hf_value_text(HF_BYTES(many, key_len)));
    hf_map_add(&payload, "opid", hf_value_text(HF_BYTES(many, opid_len)));
    hf_map_add(&payload, "by", hf_value_text(HF_BYTES(many, by_len)));
    hf_map_add(&payload, "at", hf_value_u64(5));
    hf_map_add(&payload, "value", json_value("{'text':'x'}"));
    return payload;
}

HF_TEST(collection_limits_names) {
    static const struct {
        size_t key, opid, by;
        bool shows;
    } cases[] = {
        {128, 64, 128, true}, {1, 1, 1, true}, {129, 64, 128, false}, {128, 65, 128, false}, {128, 64, 129, false},
    };
    const hf_schema *schema = schema_of(FIELDS);
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
        hf_value payload = long_payload(cases[i].key, cases[i].opid, cases[i].by);
        hf_order order = order_at(1, "A", 1);
        bool changed;
        CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
        CHECK_MSG(changed == cases[i].shows, "case %zu", i);
        hf_collection_free(c);
    }
}

/* ---- reading ---- */

HF_TEST(collection_tells_deleted_from_unknown) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    CHECK(!hf_collection_had(c, HF_TEXT("d")) && !hf_collection_get(c, HF_TEXT("d")));
    apply_step(c, &(step){5, "A", DEL1("1")});
    CHECK(!hf_collection_had(c, HF_TEXT("d"))); /* never showed */
    apply_step(c, &(step){3, "A", NEW1("2")});
    CHECK(hf_collection_had(c, HF_TEXT("d")) && !hf_collection_get(c, HF_TEXT("d")));
    CHECK_U64(hf_collection_n(c), 0);
    apply_step(c, &(step){7, "A", NEW1("3")});
    CHECK(!hf_collection_had(c, HF_TEXT("d")) && hf_collection_get(c, HF_TEXT("d")));
    CHECK(hf_collection_knows_op(c, HF_TEXT("d"), HF_TEXT("2")));
    CHECK(!hf_collection_knows_op(c, HF_TEXT("d"), HF_TEXT("4")));
    CHECK(!hf_collection_knows_op(c, HF_TEXT("e"), HF_TEXT("2")));
    hf_collection_free(c);
}

/* The NEW turns out to be a replay of an older SET: then nothing was ever there. */
HF_TEST(collection_forgets_what_a_replay_pretended) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    apply_step(c, &(step){5, "A", NEW1("1")});
    apply_step(c, &(step){6, "A", DEL1("2")});
    CHECK(hf_collection_had(c, HF_TEXT("d")));
    apply_step(c, &(step){4, "B", SET1("1", "'n':1")});
    CHECK(!hf_collection_had(c, HF_TEXT("d")));
    hf_collection_free(c);
}

/* A long history, so that adding up is put off: the DEL turns out to be older than everything, the document is there
 * again. */
HF_TEST(collection_tells_of_a_document_that_comes_back) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    static const char *const sets[] = {SET1("a", "'n':1"), SET1("b", "'n':1"), SET1("c", "'n':1"), SET1("d", "'n':1"),
                                       SET1("e", "'n':1"), SET1("f", "'n':1"), SET1("g", "'n':1"), SET1("h", "'n':1"),
                                       SET1("i", "'n':1"), SET1("j", "'n':1"), SET1("k", "'n':1"), SET1("l", "'n':1"),
                                       SET1("m", "'n':1"), SET1("n", "'n':1"), SET1("o", "'n':1"), SET1("p", "'n':1"),
                                       SET1("q", "'n':1"), SET1("r", "'n':1"), SET1("s", "'n':1"), SET1("t", "'n':1")};
    apply_step(c, &(step){5, "A", NEW1("1")});
    for (size_t i = 0; i < HF_COUNT(sets); i++) apply_step(c, &(step){6 + i, "A", sets[i]});
    apply_step(c, &(step){90, "A", DEL1("2")});
    CHECK_U64(hf_collection_n(c), 0);
    hf_order order = order_at(1, "A", 1);
    hf_value payload = json_value(DEL1("2"));
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
    CHECK(changed);
    CHECK_U64(hf_collection_n(c), 1);
    hf_collection_free(c);
}

HF_TEST(collection_shortens_a_long_writer) {
    const hf_schema *schema = schema_of(FIELDS);
    hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
    apply_step(c, &(step){1, "0123456789abcdefghij", NEW1("1")});
    const hf_doc *doc = hf_collection_get(c, HF_TEXT("d"));
    CHECK_BYTES(hf_value_as_text(hf_doc_field(doc, hf_schema_field(schema, HF_TEXT("who")))), HF_TEXT("89abcdefghij"));
    CHECK_U64(hf_doc_created_ms(doc), 10);
    hf_collection_free(c);
}

HF_TEST(collection_keeps_history) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    const step steps[] = {{4, "B", INC1("4", "2")},
                          {1, "A", NEW1("1")},
                          {3, "A", DEL1("3")},
                          {9, "A", DEL1("3")},
                          {2, "B", "{'op':'SET','key':'d','opid':'2','at':20,'by':'ann','value':{'text':'b','n':99}}"},
                          {5, "A", NEW1("5")}};
    for (size_t i = 0; i < HF_COUNT(steps); i++) apply_step(c, &steps[i]);
    static const char *const ops[] = {"NEW", "SET", "DEL", "INC", "NEW"};
    static const char *const values[] = {"{'text':'milk'}", "{'text':'b'}", "null", "{'hits':2}", "{'text':'milk'}"};
    const hf_doc *doc = hf_collection_get(c, HF_TEXT("d"));
    CHECK(doc != NULL);
    CHECK_U64(hf_doc_n_changes(doc), HF_COUNT(ops));
    for (size_t i = 0; i < HF_COUNT(ops); i++) {
        hf_doc_change change = hf_doc_change_at(doc, i);
        hf_value want = json_value(values[i]);
        CHECK_U64(change.order->time, i + 1);
        CHECK_BYTES(change.op, hf_str(ops[i]));
        CHECK_U64(change.opid.ptr[0], '1' + i);
        CHECK_BYTES(change.by, i == 1 ? HF_TEXT("ann") : HF_TEXT(""));
        CHECK_U64(change.at_ms, i == 3 ? 40 : i == 2 ? 30 : i == 1 ? 20 : 10);
        CHECK(hf_value_eq(change.value, &want));
    }
    hf_collection_free(c);
}

HF_TEST(collection_says_what_changed) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    static const struct {
        step step;
        bool changed;
    } cases[] = {
        {{5, "A", SET1("1", "'n':1")}, false},                                        /* nothing shows yet */
        {{6, "A", NEW1("2")}, true},           {{6, "A", NEW1("2")}, false},          /* the same entry */
        {{8, "B", NEW1("2")}, false},                                                 /* a replay of it */
        {{7, "B", SET1("3", "'n':2")}, true},  {{9, "B", SET1("4", "'m':2")}, false}, /* ignored */
        {{20, "A", DEL1("5")}, true},          {{19, "A", DEL1("6")}, false},
        {{15, "A", NEW1("7")}, false}, /* buried already */
    };
    uint64_t version = 0;
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_order order = order_at(cases[i].step.time, cases[i].step.writer, 1);
        hf_value payload = json_value(cases[i].step.payload);
        bool changed;
        CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
        CHECK_MSG(changed == cases[i].changed, "step %zu", i);
        version += changed;
        CHECK_U64(hf_collection_version(c), version);
    }
    hf_collection_free(c);
}

/* ---- hostile loads, and no memory ---- */

/* Payloads may die right after they were applied: nothing of them is borrowed. */
HF_TEST(collection_copies_what_it_keeps) {
    hf_collection *c = hf_collection_new(hf_test_mem(), schema_of(FIELDS), 7);
    char text[] = "{\"op\":\"NEW\",\"key\":\"d\",\"opid\":\"1\",\"at\":1,\"by\":\"ann\",\"value\":{\"text\":\"milk\"}}";
    hf_value payload;
    CHECK_ERR(hf_json_decode(hf_test_arena(), hf_str(text), &payload, NULL), HF_OK);
    hf_order order = order_at(1, "A", 1);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
    memset(text, '#', sizeof text - 1);
    CHECK_BYTES(dump(c), HF_TEXT("d text=milk kind=a hits=5 made=1 touched=1 who=ann"));
    CHECK(hf_collection_knows_op(c, HF_TEXT("d"), HF_TEXT("1")));
    hf_collection_free(c);
}

enum { LOAD = 10000 };

/* `shape` 0: SET newest first. 1: a DEL between, rising, under newer edits. 2: each opid again, ever older. */
static void load(hf_collection *c, int shape, size_t i) {
    char opid[16] = "op";
    for (size_t k = 0, rest = shape == 2 ? i % 100 : i; k < 6; k++, rest /= 10) opid[2 + k] = (char)('0' + rest % 10);
    hf_value payload = json_value(shape == 1 && i >= LOAD / 2 ? "{'op':'DEL','key':'d','value':null}"
                                                              : "{'op':'SET','key':'d','value':{'n':1}}");
    hf_value whole = hf_value_map(hf_test_arena(), 5);
    for (size_t k = 0; k < 3; k++) hf_map_add_bytes(&whole, payload.as.map.pairs[k].key, payload.as.map.pairs[k].value);
    hf_map_add(&whole, "opid", hf_value_text(hf_str(opid)));
    hf_map_add(&whole, "at", hf_value_u64(i));
    uint64_t time = shape != 1 ? 2 * LOAD - i : i < LOAD / 2 ? LOAD + i : i;
    hf_order order = order_at(time, "A", (uint8_t)i);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &whole, &changed), HF_OK);
}

/* That it takes no second is in collection_bench.c, where there is a clock; here, that nothing gets lost. */
HF_TEST(collection_bears_ten_thousand_on_one_document) {
    const hf_schema *schema = schema_of(FIELDS);
    for (int shape = 0; shape < 3; shape++) {
        hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
        for (size_t i = 0; i < LOAD; i++) load(c, shape, i);
        apply_step(c, &(step){3 * LOAD, "A", NEW1("1")});
        const hf_doc *doc = hf_collection_get(c, HF_TEXT("d"));
        CHECK(doc != NULL);
        CHECK_U64(hf_doc_n_changes(doc), shape == 2 ? 101 : LOAD + 1);
        for (size_t i = 1; i < hf_doc_n_changes(doc); i++)
            CHECK(hf_order_compare(hf_doc_change_at(doc, i - 1).order, hf_doc_change_at(doc, i).order) < 0);
        hf_collection_free(c);
    }
}

static const step MEMORY_STEPS[] = {{1, "A", NEW1("1")}, {5, "A", SET1("2", "'text':'tea'")},
                                    {3, "B", DEL1("3")}, {2, "B", SET1("2", "'n':1")},
                                    {6, "A", NEW1("6")}, {4, "A", INC1("5", "1")}};

/* False: there was no memory, and the same call with memory made up for it. */
static bool apply_without_memory(hf_collection *c, const step *s) {
    hf_order order = order_at(s->time, s->writer, 1);
    hf_value payload = json_value(s->payload);
    bool changed;
    hf_err err = hf_collection_apply(c, &order, &payload, &changed);
    if (!err) return true;
    CHECK_ERR(err, HF_NOMEM);
    CHECK(!changed);
    hf_test_mem_fail_at(0);
    CHECK_ERR(hf_collection_apply(c, &order, &payload, &changed), HF_OK);
    return false;
}

/* A failure leaves what was there; the same call again succeeds. */
HF_TEST(collection_survives_no_memory) {
    const hf_schema *schema = schema_of(FIELDS);
    bool whole = false;
    size_t n = 1;
    for (; !whole; n++) {
        hf_test_mem_fail_at(n);
        hf_collection *c = hf_collection_new(hf_test_mem(), schema, 7);
        whole = c != NULL;
        for (size_t i = 0; c && i < HF_COUNT(MEMORY_STEPS); i++)
            if (!apply_without_memory(c, &MEMORY_STEPS[i])) whole = false;
        hf_test_mem_fail_at(0);
        if (c) CHECK_BYTES(dump(c), HF_TEXT("d text=milk kind=a hits=6 made=10 touched=10 who=A"));
        hf_collection_free(c);
    }
    CHECK_MSG(n > 6, "only %zu allocations", n);
}

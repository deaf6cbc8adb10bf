/* What a manifest may say about a collection, and what is refused with which words. */
#include "test_tools.h"

static hf_err read_schema(const char *name, const char *json, hf_schema *ret, hf_fault *fault) {
    hf_value value = json_value(json);
    *fault = (hf_fault){"", 99};
    return hf_schema_read(hf_test_arena(), hf_str(name), &value, ret, fault);
}

#define FIELDS_OF(fields) "{'write':['*'],'fields':{" fields "}}"

HF_TEST(schema_reads_the_documented_example) {
    hf_schema s;
    hf_fault fault;
    CHECK_ERR(
        read_schema(
            "todos",
            FIELDS_OF(
                "'text':{'type':'text','label':'What needs doing','required':true,'max':500},"
                "'done':{'type':'bool','default':false},'assignee':{'type':'text','label':'For','max':80},"
                "'due_date':{'type':'time','min':0},'created':{'type':'time','auto':'created'},"
                "'updated':{'type':'time','auto':'updated'},'by':{'type':'text','auto':'creator'},"
                "'stars':{'type':'counter','default':1},'kind':{'type':'choice','choices':['a','b'],'default':'b'},"
                "'note':{'type':'text','multiline':true,'min':2},'x':{'type':'number','min':-1.5,'max':2}"),
            &s, &fault),
        HF_OK);
    CHECK_BYTES(s.name, HF_TEXT("todos"));
    CHECK_U64(s.n_fields, 11);
    CHECK_U64(s.n_write, 1);
    CHECK_BYTES(s.write[0], HF_TEXT("*"));
    const hf_field *text = &s.fields[0], *due = &s.fields[3], *kind = &s.fields[8], *x = &s.fields[10];
    CHECK(text->type == HF_FIELD_TEXT && text->required && text->has_max && !text->has_min && text->max == 500 &&
          !text->multiline);
    CHECK_BYTES(text->label, HF_TEXT("What needs doing"));
    CHECK(s.fields[1].fallback.kind == HF_BOOL && !s.fields[1].fallback.as.b);
    CHECK_BYTES(due->label, HF_TEXT("Due date"));
    CHECK(due->has_min && due->min == 0 && due->fallback.kind == HF_NULL);
    CHECK(s.fields[4].automatic == HF_AUTO_CREATED && s.fields[5].automatic == HF_AUTO_UPDATED &&
          s.fields[6].automatic == HF_AUTO_CREATOR);
    CHECK_U64(kind->n_choices, 2);
    CHECK_BYTES(kind->fallback.as.s, HF_TEXT("b"));
    CHECK(x->min == -1.5 && x->max == 2.0);
    CHECK(s.fields[9].multiline);
    CHECK_U64(hf_schema_field(&s, HF_TEXT("kind")), 8);
    CHECK_U64(hf_schema_field(&s, HF_TEXT("kin")), SIZE_MAX);
}

/* The manifest's text may be thrown away once the schema is read. */
HF_TEST(schema_copies_what_it_keeps) {
    char text[] =
        "{\"write\":[\"ann\"],\"fields\":{\"kind\":{\"type\":\"choice\",\"choices\":[\"one\"],\"default\":\"one\"}}}";
    hf_value json;
    CHECK_ERR(hf_json_decode(hf_test_arena(), hf_str(text), &json, NULL), HF_OK);
    hf_schema s;
    CHECK_ERR(hf_schema_read(hf_test_arena(), HF_TEXT("things"), &json, &s, NULL), HF_OK);
    memset(text, '#', sizeof text - 1);
    CHECK_BYTES(s.write[0], HF_TEXT("ann"));
    CHECK_BYTES(s.fields[0].name, HF_TEXT("kind"));
    CHECK_BYTES(s.fields[0].label, HF_TEXT("Kind"));
    CHECK_BYTES(s.fields[0].choices[0], HF_TEXT("one"));
    CHECK_BYTES(s.fields[0].fallback.as.s, HF_TEXT("one"));
}

HF_TEST(schema_refuses) {
    static const struct {
        const char *name, *json, *word;
        size_t at;
    } cases[] = {
        {"Todos", FIELDS_OF("'a':{'type':'text'}"), "name", 0},
        {"", FIELDS_OF("'a':{'type':'text'}"), "name", 0},
        {"a234567890123456789012345678901234", FIELDS_OF("'a':{'type':'text'}"), "name", 0},
        {"t", "[]", "not an object", 0},
        {"t", "{'fields':{'a':{'type':'text'}}}", "\"write\"", 0},
        {"t", "{'write':'*','fields':{'a':{'type':'text'}}}", "\"write\"", 0},
        {"t", "{'write':[],'fields':{'a':{'type':'text'}}}", "\"write\"", 0},
        {"t", "{'write':[7],'fields':{'a':{'type':'text'}}}", "\"write\"", 0},
        {"t", "{'write':['x','x'],'fields':{'a':{'type':'text'}}}", "\"write\"", 0},
        {"t", "{'write':['*']}", "\"fields\"", 0},
        {"t", "{'write':['*'],'fields':[]}", "\"fields\"", 0},
        {"t", FIELDS_OF(""), "\"fields\"", 0},
        {"t", "{'write':['*'],'field':{},'fields':{'a':{'type':'text'}}}", "neither", 0},
        {"t", FIELDS_OF("'A':{'type':'text'}"), "name", 0},
        {"t", FIELDS_OF("'_a':{'type':'text'}"), "name", 0},
        {"t", FIELDS_OF("'a-b':{'type':'text'}"), "name", 0},
        {"t", FIELDS_OF("'a':{'type':'text'},'é':{'type':'text'}"), "name", 1},
        {"t", FIELDS_OF("'a':{'type':'text'},'b':'text'"), "not an object", 1},
        {"t", FIELDS_OF("'a':{'type':'text'},'b':{}"), "\"type\"", 1},
        {"t", FIELDS_OF("'a':{'type':'string'}"), "\"type\"", 0},
        {"t", FIELDS_OF("'a':{'type':1}"), "\"type\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','requird':true}"), "a setting", 0},
        {"t", FIELDS_OF("'a':{'type':'text','required':'yes'}"), "\"required\"", 0},
        {"t", FIELDS_OF("'a':{'type':'counter','required':true}"), "\"required\"", 0},
        {"t", FIELDS_OF("'a':{'type':'int','multiline':true}"), "\"multiline\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','multiline':1}"), "\"multiline\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','label':''}"), "\"label\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','label':5}"), "\"label\"", 0},
        {"t", FIELDS_OF("'a':{'type':'int','min':'1'}"), "\"min\"", 0},
        {"t", FIELDS_OF("'a':{'type':'int','max':null}"), "\"max\"", 0},
        {"t", FIELDS_OF("'a':{'type':'int','max':9223372036854775807}"), "\"max\"", 0},
        {"t", FIELDS_OF("'a':{'type':'int','min':2,'max':1}"), "above", 0},
        {"t", FIELDS_OF("'a':{'type':'text','min':-1}"), "few", 0},
        {"t", FIELDS_OF("'a':{'type':'text','max':0}"), "few", 0},
        {"t", FIELDS_OF("'a':{'type':'bool','min':0}"), "do not fit", 0},
        {"t", FIELDS_OF("'a':{'type':'counter','max':9}"), "do not fit", 0},
        {"t", FIELDS_OF("'a':{'type':'choice','choices':['x'],'max':9}"), "do not fit", 0},
        {"t", FIELDS_OF("'a':{'type':'choice'}"), "\"choices\"", 0},
        {"t", FIELDS_OF("'a':{'type':'choice','choices':[]}"), "\"choices\"", 0},
        {"t", FIELDS_OF("'a':{'type':'choice','choices':['x','x']}"), "\"choices\"", 0},
        {"t", FIELDS_OF("'a':{'type':'choice','choices':['']}"), "\"choices\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','choices':['x']}"), "\"choices\"", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':'now'}"), "\"auto\"", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':''}"), "\"auto\"", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':true}"), "\"auto\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text','auto':'created'}"), "\"auto\"", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':'creator'}"), "\"auto\"", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':'created','required':true}"), "automatic", 0},
        {"t", FIELDS_OF("'a':{'type':'time','auto':'created','default':1}"), "automatic", 0},
        {"t", FIELDS_OF("'a':{'type':'text','max':3,'default':'four'}"), "\"default\"", 0},
        {"t", FIELDS_OF("'a':{'type':'text'},'b':{'type':'bool','default':'no'}"), "\"default\"", 1},
        {"t", FIELDS_OF("'a':{'type':'choice','choices':['x'],'default':'y'}"), "\"default\"", 0},
        {"t", FIELDS_OF("'a':{'type':'counter','default':1.5}"), "\"default\"", 0},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_schema s;
        hf_fault fault;
        CHECK_MSG(read_schema(cases[i].name, cases[i].json, &s, &fault) == HF_MALFORMED, "%s was read", cases[i].json);
        CHECK_MSG(strstr(fault.what, cases[i].word) != NULL, "%s: \"%s\" does not say %s", cases[i].json, fault.what,
                  cases[i].word);
        CHECK_MSG(fault.at == cases[i].at, "%s: at %zu", cases[i].json, fault.at);
    }
}

static hf_value many_fields(size_t n) {
    hf_value write = hf_value_list(hf_test_arena(), 1), fields = hf_value_map(hf_test_arena(), n),
             json = hf_value_map(hf_test_arena(), 2);
    for (size_t i = 0; i < n; i++) {
        uint8_t name[3] = {'f', (uint8_t)('a' + i / 26), (uint8_t)('a' + i % 26)};
        hf_map_add_bytes(&fields, hf_arena_copy(hf_test_arena(), HF_BYTES(name, 3)), json_value("{'type':'text'}"));
    }
    hf_list_add(&write, hf_value_text(HF_TEXT("*")));
    hf_map_add(&json, "write", write);
    hf_map_add(&json, "fields", fields);
    return json;
}

HF_TEST(schema_takes_64_fields_and_no_more) {
    hf_schema s;
    hf_value most = many_fields(HF_SCHEMA_FIELDS_MAX), more = many_fields(HF_SCHEMA_FIELDS_MAX + 1);
    CHECK_ERR(hf_schema_read(hf_test_arena(), HF_TEXT("t"), &more, &s, NULL), HF_MALFORMED);
    CHECK_ERR(hf_schema_read(hf_test_arena(), HF_TEXT("t"), &most, &s, NULL), HF_OK);
    CHECK_U64(hf_schema_field(&s, HF_TEXT("fcl")), 63);
    /* All 64 may be required: the last one is, here, and the collection knows. */
    hf_field fields[HF_SCHEMA_FIELDS_MAX];
    memcpy(fields, s.fields, sizeof fields);
    fields[63].required = true;
    s.fields = fields;
    hf_collection *c = hf_collection_new(hf_test_mem(), &s, 1);
    hf_value lacking = json_value("{'op':'NEW','key':'d','opid':'1','at':1,'value':{'fck':'x'}}");
    hf_value whole = json_value("{'op':'NEW','key':'d','opid':'1','at':1,'value':{'fcl':'x'}}");
    hf_order order = order_at(1, "A", 1);
    bool changed;
    CHECK_ERR(hf_collection_apply(c, &order, &lacking, &changed), HF_OK);
    CHECK(!changed);
    CHECK_ERR(hf_collection_apply(c, &order, &whole, &changed), HF_OK);
    CHECK(changed);
    hf_collection_free(c);
}

HF_TEST(schema_survives_no_memory) {
    hf_value json = json_value(
        "{'write':['*','ann'],'fields':{'kind':{'type':'choice','choices':['one','two'],'default':'one','label':'K'},"
        "'b':{'type':'text'}}}");
    size_t n_failed = 0;
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_arena_init(&arena, hf_test_mem());
        /* An arena takes memory in chunks: leave 16 * n bytes of the first one, so that each run fails a little later
         * than the last. */
        while (hf_arena_alloc(&arena, 16) && arena.used_bytes < 4096 - 16 * n) continue;
        hf_test_mem_fail_at(1);
        hf_schema s;
        hf_fault fault = {"", 0};
        hf_err err = hf_schema_read(&arena, HF_TEXT("things"), &json, &s, &fault);
        hf_test_mem_fail_at(0);
        hf_arena_deinit(&arena);
        if (!err) break;
        CHECK_ERR(err, HF_NOMEM);
        CHECK_BYTES(hf_str(fault.what), HF_TEXT("out of memory"));
        n_failed++;
    }
    CHECK_MSG(n_failed > 10, "failed %zu times only", n_failed);
}

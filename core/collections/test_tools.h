/* test_tools: what the tests of collections share. JSON in tests is written with ' for ", so that it can be read. */
#ifndef HF_COLLECTIONS_TEST_TOOLS_H
#define HF_COLLECTIONS_TEST_TOOLS_H
#include "../../tests/kit/check.h"
#include "../codec/json.h"
#include "collection.h"

#include <stdio.h>
#include <string.h>

static inline hf_bytes quoted(const char *text) {
    size_t len = strlen(text);
    uint8_t *p = hf_arena_alloc(hf_test_arena(), len + 1);
    for (size_t i = 0; i < len; i++) p[i] = text[i] == '\'' ? '"' : (uint8_t)text[i];
    return HF_BYTES(p, len);
}

static inline hf_value json_value(const char *text) {
    hf_value value = hf_value_null();
    hf_fault fault = {"", 0};
    hf_err err = hf_json_decode(hf_test_arena(), quoted(text), &value, &fault);
    CHECK_MSG(!err, "%s: %s at %zu", text, fault.what, fault.at);
    return value;
}

static inline hf_schema *schema_of(const char *fields) {
    char text[4096];
    int len = snprintf(text, sizeof text, "{'write':['*'],'fields':{%s}}", fields);
    CHECK(len > 0 && (size_t)len < sizeof text);
    hf_value json = json_value(text);
    hf_schema *schema = hf_arena_alloc(hf_test_arena(), sizeof *schema);
    hf_fault fault = {"", 0};
    hf_err err = hf_schema_read(hf_test_arena(), HF_TEXT("things"), &json, schema, &fault);
    CHECK_MSG(!err, "%s: %s at %zu", fields, fault.what, fault.at);
    return schema;
}

/* The digest follows from time, writer and `salt`, as an entry's would. */
static inline hf_order order_at(uint64_t time, const char *writer, uint8_t salt) {
    hf_order order = {.time = time, .writer = hf_str(writer)};
    order.digest[0] = salt;
    memcpy(order.digest + 1, &time, sizeof time);
    order.digest[9] = (uint8_t)(order.writer.len ? order.writer.ptr[0] : 0);
    return order;
}

static inline void dump_value(hf_buf *out, const hf_value *v) {
    if (v->kind == HF_TEXT_VALUE)
        hf_buf_add(out, v->as.s);
    else
        hf_json_add(out, v);
}

/* "d1 text=milk done=false; d2 …": the showing documents by creation, with the fields that are set. */
static inline hf_bytes dump(const hf_collection *c) {
    const hf_schema *schema = hf_collection_schema(c);
    hf_buf out;
    hf_buf_init(&out, hf_test_arena()->mem);
    const hf_doc **docs = NULL;
    size_t n = 0, total = 0;
    hf_query query = {.sort_field = SIZE_MAX};
    CHECK_ERR(hf_collection_query(c, hf_test_arena(), &query, &docs, &n, &total), HF_OK);
    CHECK_U64(n, hf_collection_n(c));
    for (size_t i = 0; i < n; i++) {
        CHECK(hf_collection_get(c, hf_doc_id(docs[i])) == docs[i]);
        if (i) hf_buf_add_str(&out, "; ");
        hf_buf_add(&out, hf_doc_id(docs[i]));
        for (size_t f = 0; f < schema->n_fields; f++) {
            const hf_value *v = hf_doc_field(docs[i], f);
            if (v->kind == HF_NULL) continue;
            hf_buf_add_str(&out, " ");
            hf_buf_add(&out, schema->fields[f].name);
            hf_buf_add_str(&out, "=");
            dump_value(&out, v);
        }
    }
    hf_bytes text = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return text;
}
#endif

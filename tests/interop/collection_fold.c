/* collection_fold: what the core's collections show of operations given a line each, for comparison with other programs (collection.mjs):
 *
 *      schema JSON                              a collection without operations: {"write", "fields"}
 *      op TIME WRITER DIGEST PAYLOAD            one more; digest and payload (dag-cbor) in hex
 *      dump                                     prints what shows as canonical dag-cbor in hex: [[id, created, updated, {field: value}]], by creation
 */
#include "../../core/codec/dag_cbor.h"
#include "../../core/codec/json.h"
#include "../../core/collections/collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_arena schemas, scratch; /* a writer's text must outlive the collection */
static hf_schema schema;
static hf_collection *collection;

static hf_bytes unhex(const char *hex) {
    size_t len = strlen(hex) / 2;
    uint8_t *p = hf_arena_alloc(&scratch, len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) abort();
        p[i] = (uint8_t)byte;
    }
    return HF_BYTES(p, len);
}

static void begin(const char *json) {
    hf_value value;
    hf_fault fault = {"", 0};
    hf_collection_free(collection);
    hf_arena_clear(&schemas);
    hf_bytes text = hf_arena_copy(&schemas, hf_str(json));
    if (hf_json_decode(&schemas, text, &value, &fault) || hf_schema_read(&schemas, HF_TEXT("things"), &value, &schema, &fault)) {
        fprintf(stderr, "schema: %s\n", fault.what);
        abort();
    }
    collection = hf_collection_new(&mem, &schema, 7);
}

static void apply(char *line) {
    hf_order order = {.time = strtoull(strtok(line, " "), NULL, 10)};
    hf_bytes writer = hf_str(strtok(NULL, " "));
    hf_bytes digest = unhex(strtok(NULL, " ")), payload = unhex(strtok(NULL, " "));
    hf_value value;
    bool changed;
    order.writer = hf_arena_copy(&schemas, writer);
    memcpy(order.digest, digest.ptr, sizeof order.digest);
    if (hf_cbor_decode(&scratch, payload, &value, NULL) || hf_collection_apply(collection, &order, &value, &changed)) abort();
}

/* 2^53 itself, which JavaScript writes as a float. */
static hf_value as_js(const hf_value *v) {
    int64_t limit = (int64_t)1 << 53, n = hf_value_as_i64(v, 0);
    return n == limit || n == -limit ? hf_value_float((double)n) : *v;
}

static hf_value doc_value(const hf_doc *doc) {
    hf_value list = hf_value_list(&scratch, 4), fields = hf_value_map(&scratch, schema.n_fields);
    for (size_t i = 0; i < schema.n_fields; i++) hf_map_add_bytes(&fields, schema.fields[i].name, as_js(hf_doc_field(doc, i)));
    hf_list_add(&list, hf_value_text(hf_doc_id(doc)));
    hf_list_add(&list, hf_value_u64(hf_doc_created_ms(doc)));
    hf_list_add(&list, hf_value_u64(hf_doc_updated_ms(doc)));
    hf_list_add(&list, fields);
    return list;
}

static void dump(void) {
    const hf_doc **docs = NULL;
    size_t n = 0, total;
    hf_query query = {.sort_field = SIZE_MAX};
    hf_buf out;
    hf_buf_init(&out, &mem);
    if (hf_collection_query(collection, &scratch, &query, &docs, &n, &total)) abort();
    hf_value all = hf_value_list(&scratch, n);
    for (size_t i = 0; i < n; i++) hf_list_add(&all, doc_value(docs[i]));
    if (hf_cbor_encode(&all, &out)) abort();
    for (size_t i = 0; i < out.len; i++) printf("%02x", out.ptr[i]);
    putchar('\n');
    fflush(stdout);
    hf_buf_deinit(&out);
}

int main(void) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    hf_arena_init(&schemas, &mem);
    hf_arena_init(&scratch, &mem);
    while ((len = getline(&line, &cap, stdin)) > 0) {
        if (line[len - 1] == '\n') line[len - 1] = 0;
        hf_arena_clear(&scratch);
        if (!strncmp(line, "schema ", 7)) begin(line + 7);
        else if (!strncmp(line, "op ", 3)) apply(line + 3);
        else dump();
    }
    free(line);
    hf_collection_free(collection);
    hf_arena_deinit(&scratch);
    hf_arena_deinit(&schemas);
    return 0;
}

/* Any bytes as payloads of entries: a collection takes them in any order, shows the same, and what it shows can be
 * written again. */
#include "../../tests/kit/fuzz.h"
#include "../codec/dag_cbor.h"
#include "collection.h"

#include <stdlib.h>
#include <string.h>

enum { ENTRIES_MAX = 64 };

static hf_mem mem = {hf_fuzz_resize, NULL};

#define FIELD(field_name, field_type, ...)                                                                             \
    { .name = HF_TEXT(field_name), .type = (field_type), __VA_ARGS__ }
static const hf_bytes CHOICES[] = {{(const uint8_t *)"x", 1}, {(const uint8_t *)"y", 1}};

static hf_schema make_schema(hf_field fields[6]) {
    const hf_field all[] = {
        FIELD("t", HF_FIELD_TEXT, .required = true, .has_max = true, .max = 9),
        FIELD("n", HF_FIELD_INT, .has_min = true, .min = -3),
        FIELD("c", HF_FIELD_COUNTER, .required = false),
        FIELD("k", HF_FIELD_CHOICE, .choices = CHOICES, .n_choices = 2),
        FIELD("f", HF_FIELD_NUMBER, .required = false),
        FIELD("u", HF_FIELD_TIME, .automatic = HF_AUTO_UPDATED),
    };
    memcpy(fields, all, sizeof all);
    return (hf_schema){.name = HF_TEXT("things"), .fields = fields, .n_fields = 6};
}

/* Entries are the items that follow one another; each one's place in the order follows from its bytes, so that ties
 * happen. */
static size_t split(hf_arena *arena, hf_bytes in, hf_value *payloads, hf_order *orders) {
    size_t n = 0;
    for (size_t at = 0, len = 0; at < in.len && n < ENTRIES_MAX; at += len, n++) {
        if (hf_cbor_decode_prefix(arena, hf_sub(in, at, in.len), &payloads[n], &len, NULL)) break;
        orders[n] = (hf_order){.time = in.ptr[at + len - 1] % 8, .writer = HF_TEXT("w")};
        orders[n].digest[0] = (uint8_t)n;
    }
    return n;
}

static void apply(hf_collection *c, const hf_order *order, const hf_value *payload) {
    bool changed;
    if (hf_collection_apply(c, order, payload, &changed)) abort();
}

/* What a history holds can be written, read and applied again. */
static void write_again(hf_arena *arena, hf_collection *copy, const hf_doc *doc, size_t i) {
    hf_doc_change change = hf_doc_change_at(doc, i);
    char op[4] = {0};
    memcpy(op, change.op.ptr, 3);
    hf_buf buf;
    hf_value payload;
    hf_buf_init(&buf, &mem);
    if (hf_operation_encode(&buf, op, hf_doc_id(doc), change.value, change.opid, change.at_ms, change.by)) abort();
    if (hf_cbor_decode(arena, hf_buf_bytes(&buf), &payload, NULL)) abort();
    apply(copy, change.order, &payload);
    hf_buf_deinit(&buf);
}

static void must_agree(const hf_doc *a, const hf_doc *b, const hf_schema *schema) {
    if (!b || hf_doc_n_changes(a) != hf_doc_n_changes(b)) abort();
    for (size_t i = 0; i < hf_doc_n_changes(a); i++)
        if (hf_order_compare(hf_doc_change_at(a, i).order, hf_doc_change_at(b, i).order)) abort();
    for (size_t f = 0; f < schema->n_fields; f++)
        if (!hf_value_eq(hf_doc_field(a, f), hf_doc_field(b, f))) abort();
}

static void compare(hf_arena *arena, const hf_collection *a, const hf_collection *b, hf_collection *copy) {
    const hf_schema *schema = hf_collection_schema(a);
    const hf_doc **docs = NULL;
    size_t n = 0, total = 0;
    hf_query query = {.sort_field = 0};
    if (hf_collection_n(a) != hf_collection_n(b) || hf_collection_query(a, arena, &query, &docs, &n, &total)) abort();
    for (size_t i = 0; i < n; i++) {
        must_agree(docs[i], hf_collection_get(b, hf_doc_id(docs[i])), schema);
        for (size_t k = 0; k < hf_doc_n_changes(docs[i]); k++) write_again(arena, copy, docs[i], k);
        must_agree(docs[i], hf_collection_get(copy, hf_doc_id(docs[i])), schema);
    }
    if (hf_collection_ignored(copy)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    hf_field fields[6];
    hf_schema schema = make_schema(fields);
    hf_value payloads[ENTRIES_MAX];
    hf_order orders[ENTRIES_MAX];
    size_t n = split(&arena, HF_BYTES(data, len), payloads, orders);
    hf_collection *forth = hf_collection_new(&mem, &schema, 1), *back = hf_collection_new(&mem, &schema, 2),
                  *copy = hf_collection_new(&mem, &schema, 3);
    for (size_t i = 0; i < n; i++) {
        apply(forth, &orders[i], &payloads[i]);
        apply(back, &orders[n - 1 - i], &payloads[n - 1 - i]);
        if (i % 3 == 0) (void)hf_collection_n(back);
    }
    compare(&arena, forth, back, copy);
    hf_collection_free(copy);
    hf_collection_free(back);
    hf_collection_free(forth);
    hf_arena_deinit(&arena);
    return 0;
}

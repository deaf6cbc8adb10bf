/* document: see document.h. */
#include "document.h"

#include "field.h"

#include <string.h>

/* ---- life ---- */

hf_doc *hf_doc_new(hf_arena *arena, const hf_shape *shape, hf_bytes id) {
    hf_doc *doc = hf_arena_alloc(arena, sizeof *doc + shape->n_computed * sizeof(hf_computed) +
                                            shape->n_plain * sizeof(hf_cell) + id.len);
    if (!doc) return NULL;
    doc->shape = shape;
    doc->sorted = true;
    doc->cells = (hf_cell *)(doc->computed + shape->n_computed);
    uint8_t *text = (uint8_t *)(doc->cells + shape->n_plain);
    memcpy(text, id.ptr, id.len);
    doc->id = HF_BYTES(text, id.len);
    return doc;
}

void hf_doc_free(hf_doc *doc, hf_mem *mem) {
    hf_release(mem, doc->ops, doc->n_cap * sizeof *doc->ops);
}

/* From two: most documents are written once or twice. Places are 32 bits wide; 2^31 operations would take 300 GB. */
hf_err hf_doc_reserve(hf_doc *doc, hf_mem *mem) {
    if (doc->n_ops >= INT32_MAX) return HF_NOMEM;
    if (doc->n_cap) return hf_grow(mem, (void **)&doc->ops, &doc->n_cap, sizeof *doc->ops, doc->n_ops + 1);
    doc->ops = hf_alloc(mem, 2 * sizeof *doc->ops);
    if (!doc->ops) return HF_NOMEM;
    doc->n_cap = 2;
    return HF_OK;
}

/* ---- adding up ---- */

static void clear(hf_doc *doc) {
    const hf_shape *shape = doc->shape;
    memset(doc->cells, 0, shape->n_plain * sizeof *doc->cells);
    memset(doc->computed, 0, shape->n_computed * sizeof *doc->computed);
    doc->created = doc->updated = NULL;
}

static void add_up(hf_computed *sum, const hf_value *amount) {
    int64_t n = hf_value_as_i64(amount, 0), low = n & 0xffffffff;
    sum->low += low;
    sum->high += (n - low) / ((int64_t)1 << 32);
}

static void merge_fields(hf_doc *doc, const hf_op *op) {
    for (size_t i = 0; i < hf_op_n_fields(op); i++) {
        size_t place = doc->shape->places[hf_op_field(op, i)];
        const hf_value *value = &op->pairs[i].value;
        if (op->kind == HF_OP_INC)
            add_up(&doc->computed[place], value);
        else if (!doc->cells[place].winner || hf_op_newer(op, doc->cells[place].winner))
            doc->cells[place] = (hf_cell){op, value};
    }
}

static void merge_live(hf_doc *doc, const hf_op *op) {
    if (op->kind == HF_OP_NEW && (!doc->created || hf_op_newer(doc->created, op))) doc->created = op;
    if (!doc->updated || hf_op_newer(op, doc->updated)) doc->updated = op;
    merge_fields(doc, op);
}

static void merge(hf_doc *doc, const hf_op *op) {
    if (op->kind == HF_OP_NEW) doc->ever_new = true;
    if (doc->deleted && !hf_op_newer(op, doc->deleted)) return;
    if (op->kind != HF_OP_DEL) {
        merge_live(doc, op);
        return;
    }
    /* Which of the live ones it buries, only a rebuild can tell, unless it buries them all. */
    if (doc->updated && hf_op_newer(doc->updated, op))
        doc->stale = true;
    else
        clear(doc);
    doc->deleted = op;
}

void hf_doc_settle(hf_doc *doc) {
    if (!doc->stale) return;
    clear(doc);
    doc->deleted = NULL;
    doc->ever_new = doc->stale = false;
    for (size_t i = 0; i < doc->n_ops; i++) {
        const hf_op *op = doc->ops[i];
        if (op->kind == HF_OP_DEL && (!doc->deleted || hf_op_newer(op, doc->deleted))) doc->deleted = op;
    }
    for (size_t i = 0; i < doc->n_ops; i++) merge(doc, doc->ops[i]);
}

void hf_doc_add(hf_doc *doc, hf_op *op) {
    if (doc->n_ops && !hf_op_newer(op, doc->ops[doc->n_ops - 1])) doc->sorted = false;
    op->place = (uint32_t)doc->n_ops;
    doc->ops[doc->n_ops++] = op;
    if (!doc->stale) merge(doc, op);
}

void hf_doc_replace(hf_doc *doc, const hf_op *twin, hf_op *op) {
    op->place = twin->place;
    doc->ops[op->place] = op;
    doc->sorted = false;
    doc->stale = true;
}

/* ---- reading; the collection has settled it ---- */

hf_bytes hf_doc_id(const hf_doc *doc) {
    return doc->id;
}

uint64_t hf_doc_created_ms(const hf_doc *doc) {
    return doc->created->at_ms;
}

uint64_t hf_doc_updated_ms(const hf_doc *doc) {
    return doc->updated->at_ms;
}

/* The default plus the sum, held within what an integer field may show. */
static hf_value counter(const hf_field *field, const hf_computed *sum) {
    int64_t low = sum->low + hf_value_as_i64(&field->fallback, 0) % ((int64_t)1 << 32);
    int64_t high = sum->high + hf_value_as_i64(&field->fallback, 0) / ((int64_t)1 << 32);
    int64_t limit_high = HF_FIELD_INT_MAX >> 32;
    int64_t carry = low / ((int64_t)1 << 32);
    high += carry;
    low -= carry * ((int64_t)1 << 32);
    if (high > limit_high || high < -limit_high) return hf_value_i64(high > 0 ? HF_FIELD_INT_MAX : -HF_FIELD_INT_MAX);
    int64_t total = high * ((int64_t)1 << 32) + low;
    if (total > HF_FIELD_INT_MAX) total = HF_FIELD_INT_MAX;
    return hf_value_i64(total < -HF_FIELD_INT_MAX ? -HF_FIELD_INT_MAX : total);
}

/* Who asked for it: the session that the writer names, otherwise the writer itself, by the end of its name (keys begin
 * alike). */
static hf_value creator(const hf_op *created) {
    enum { SHORT = 12 };
    hf_bytes by = hf_op_by(created), writer = created->order.writer;
    if (by.len) return hf_value_text(by);
    return hf_value_text(writer.len > SHORT ? hf_sub(writer, writer.len - SHORT, SHORT) : writer);
}

static hf_value compute(const hf_doc *doc, const hf_field *field, const hf_computed *computed) {
    switch (field->automatic) {
    case HF_AUTO_CREATED:
        return hf_value_u64(hf_doc_created_ms(doc));
    case HF_AUTO_UPDATED:
        return hf_value_u64(hf_doc_updated_ms(doc));
    case HF_AUTO_CREATOR:
        return creator(doc->created);
    case HF_AUTO_NONE:
        break;
    }
    return counter(field, computed);
}

const hf_value *hf_doc_field(const hf_doc *doc, size_t field) {
    const hf_schema *schema = doc->shape->schema;
    HF_ASSERT(field < schema->n_fields);
    size_t place = doc->shape->places[field];
    if (doc->shape->computed >> field & 1) {
        hf_computed *computed = (hf_computed *)&doc->computed[place];
        computed->value = compute(doc, &schema->fields[field], computed);
        return &computed->value;
    }
    const hf_cell *cell = &doc->cells[place];
    return cell->winner && cell->value->kind != HF_NULL ? cell->value : &schema->fields[field].fallback;
}

/* ---- history ---- */

static int compare_ops(const void *a, const void *b, const void *ctx) {
    (void)ctx;
    return hf_order_compare(&((const hf_op *)a)->order, &((const hf_op *)b)->order);
}

/* Sorting shows nothing differently, so a reader's document may be sorted under its hands. */
static void sort(hf_doc *doc) {
    if (doc->sorted) return;
    hf_sort_pointers((void **)doc->ops, doc->n_ops, doc->n_ops, compare_ops, NULL);
    for (size_t i = 0; i < doc->n_ops; i++) doc->ops[i]->place = (uint32_t)i;
    doc->sorted = true;
}

size_t hf_doc_n_changes(const hf_doc *doc) {
    return doc->n_ops;
}

hf_doc_change hf_doc_change_at(const hf_doc *doc, size_t i) {
    HF_ASSERT(i < doc->n_ops);
    sort((hf_doc *)doc);
    const hf_op *op = doc->ops[i];
    return (hf_doc_change){&op->order, hf_op_name((hf_op_kind)op->kind), hf_op_id(op), hf_op_by(op), op->at_ms,
                           &op->value};
}

/* operation: see operation.h. */
#include "operation.h"

#include "../codec/dag_cbor.h"
#include "field.h"

#include <string.h>

static const char *const NAMES[] = {"NEW", "SET", "DEL", "INC"}; /* as hf_op_kind */

hf_bytes hf_op_name(hf_op_kind kind) {
    return HF_BYTES(NAMES[kind], 3);
}

static bool find_kind(hf_bytes name, hf_op_kind *ret) {
    for (size_t i = 0; i < HF_COUNT(NAMES); i++) {
        *ret = (hf_op_kind)i;
        if (hf_eq(name, hf_op_name(*ret))) return true;
    }
    return false;
}

static bool is_computed(const hf_field *field) {
    return field->type == HF_FIELD_COUNTER || field->automatic != HF_AUTO_NONE;
}

void hf_shape_init(hf_shape *shape, const hf_schema *schema) {
    HF_ASSERT(schema->n_fields <= HF_SCHEMA_FIELDS_MAX);
    *shape = (hf_shape){.schema = schema};
    for (size_t i = 0; i < schema->n_fields; i++) {
        const hf_field *field = &schema->fields[i];
        uint64_t bit = (uint64_t)1 << i;
        if (is_computed(field))
            shape->computed |= bit;
        else if (field->required && field->fallback.kind == HF_NULL)
            shape->required |= bit;
        shape->places[i] = (uint8_t)(is_computed(field) ? shape->n_computed++ : shape->n_plain++);
    }
}

/* ---- reading ---- */

/* Does this field of an operation count? */
static bool counts(const hf_field *field, hf_op_kind kind, const hf_value *value) {
    if (field->automatic != HF_AUTO_NONE || (field->type == HF_FIELD_COUNTER) != (kind == HF_OP_INC)) return false;
    return hf_field_refuses(field, value) == NULL;
}

static void choose(const hf_schema *schema, const hf_pair *pair, uint64_t *seen, hf_op_view *view) {
    size_t i = hf_schema_field(schema, pair->key);
    if (i == SIZE_MAX || (*seen >> i & 1) || !counts(&schema->fields[i], view->kind, &pair->value)) {
        view->partly = true;
        return;
    }
    *seen |= (uint64_t)1 << i;
    view->fields[view->n_fields] = (uint8_t)i;
    view->values[view->n_fields++] = &pair->value;
    if (pair->value.kind == HF_TEXT_VALUE) view->text_bytes += pair->value.as.s.len;
}

static bool choose_all(const hf_shape *shape, const hf_value *value, hf_op_view *view) {
    uint64_t seen = 0;
    if (view->kind == HF_OP_DEL) return value && value->kind == HF_NULL;
    if (!value || value->kind != HF_MAP) return false;
    for (size_t i = 0; i < value->as.map.n; i++) choose(shape->schema, &value->as.map.pairs[i], &seen, view);
    return view->kind == HF_OP_NEW ? (seen & shape->required) == shape->required : view->n_fields > 0;
}

static bool is_text(const hf_value *v, size_t len_min, size_t len_max) {
    return v && v->kind == HF_TEXT_VALUE && v->as.s.len >= len_min && v->as.s.len <= len_max && hf_utf8_valid(v->as.s);
}

/* However it is spelled: JavaScript cannot tell a whole float from an integer. */
static bool is_clock(const hf_value *v) {
    int64_t at = v ? hf_value_as_i64(v, -1) : -1;
    return at >= 0 && at <= HF_FIELD_TIME_MAX;
}

bool hf_op_read(const hf_shape *shape, const hf_value *payload, hf_op_view *ret) {
    const hf_value *key = hf_value_get(payload, "key"), *opid = hf_value_get(payload, "opid");
    const hf_value *by = hf_value_get(payload, "by"), *at = hf_value_get(payload, "at");
    if (!is_text(key, 1, HF_KEY_MAX) || !is_text(opid, 1, HF_OPID_MAX) || (by && !is_text(by, 1, HF_BY_MAX)) ||
        !is_clock(at))
        return false;
    *ret = (hf_op_view){.key = key->as.s, .opid = opid->as.s, .by = hf_value_as_text(by), .at_ms = (uint64_t)hf_value_as_i64(at, 0)};
    if (!find_kind(hf_value_as_text(hf_value_get(payload, "op")), &ret->kind)) return false;
    return choose_all(shape, hf_value_get(payload, "value"), ret);
}

/* ---- keeping ---- */

static uint8_t *put(uint8_t *at, hf_bytes bytes) {
    if (bytes.len) memcpy(at, bytes.ptr, bytes.len);
    return at + bytes.len;
}

/* Whole numbers are kept as integers, so that what shows does not depend on how a writer spelled them. */
static hf_value normal(const hf_field *field, const hf_value *value) {
    bool whole = field->type == HF_FIELD_INT || field->type == HF_FIELD_TIME || field->type == HF_FIELD_COUNTER;
    return whole && value->kind == HF_FLOAT ? hf_value_i64(hf_value_as_i64(value, 0)) : *value;
}

static void keep_fields(hf_op *op, const hf_shape *shape, const hf_op_view *view) {
    uint8_t *fields = (uint8_t *)(op->pairs + view->n_fields);
    uint8_t *at = put(put(put(fields, HF_BYTES(view->fields, view->n_fields)), view->opid), view->by);
    for (size_t i = 0; i < view->n_fields; i++) {
        const hf_field *field = &shape->schema->fields[view->fields[i]];
        hf_value value = normal(field, view->values[i]);
        if (value.kind == HF_TEXT_VALUE) {
            hf_bytes text = value.as.s;
            value.as.s.ptr = at;
            at = put(at, text);
        }
        op->pairs[i] = (hf_pair){field->name, value};
    }
}

hf_op *hf_op_keep(hf_arena *arena, const hf_shape *shape, const hf_order *order, const hf_op_view *view) {
    size_t n = view->n_fields;
    hf_op *op = hf_arena_alloc(arena, sizeof *op + n * (sizeof(hf_pair) + 1) + view->opid.len + view->by.len +
                                          view->text_bytes);
    if (!op) return NULL;
    op->order = *order;
    op->at_ms = view->at_ms;
    op->kind = (uint8_t)view->kind;
    op->opid_len = (uint8_t)view->opid.len;
    op->by_len = (uint8_t)view->by.len;
    keep_fields(op, shape, view);
    if (view->kind == HF_OP_DEL) return op; /* zeroed memory: HF_NULL */
    op->value.kind = HF_MAP;
    op->value.as.map.pairs = op->pairs;
    op->value.as.map.n = op->value.as.map.n_room = (uint32_t)n;
    return op;
}

size_t hf_op_n_fields(const hf_op *op) {
    return op->value.kind == HF_MAP ? op->value.as.map.n : 0;
}

static const uint8_t *tail(const hf_op *op) {
    return (const uint8_t *)(op->pairs + hf_op_n_fields(op));
}

size_t hf_op_field(const hf_op *op, size_t i) {
    return tail(op)[i];
}

hf_bytes hf_op_id(const hf_op *op) {
    return HF_BYTES(tail(op) + hf_op_n_fields(op), op->opid_len);
}

hf_bytes hf_op_by(const hf_op *op) {
    return HF_BYTES(tail(op) + hf_op_n_fields(op) + op->opid_len, op->by_len);
}

bool hf_op_newer(const hf_op *a, const hf_op *b) {
    return hf_order_compare(&a->order, &b->order) > 0;
}

/* ---- writing ---- */

static bool may_encode(const char *op, hf_bytes key, hf_bytes opid, hf_bytes by) {
    hf_op_kind kind;
    return find_kind(hf_str(op), &kind) && key.len >= 1 && key.len <= HF_KEY_MAX && opid.len >= 1 &&
           opid.len <= HF_OPID_MAX && by.len <= HF_BY_MAX;
}

static void add_text_pair(hf_buf *buf, hf_bytes key, hf_bytes text) {
    hf_cbor_add_text(buf, key);
    hf_cbor_add_text(buf, text);
}

/* Keys in dag-cbor's order: by length, then bytes. */
hf_err hf_operation_encode(hf_buf *buf, const char *op, hf_bytes key, const hf_value *value, hf_bytes opid,
                           uint64_t at_ms, hf_bytes by) {
    enum { MAJOR_MAP = 5 };
    if (!may_encode(op, key, opid, by) || at_ms > (uint64_t)HF_FIELD_TIME_MAX) return HF_MALFORMED;
    size_t start = buf->len;
    hf_cbor_add_head(buf, MAJOR_MAP, by.len ? 6 : 5);
    hf_cbor_add_text(buf, HF_TEXT("at"));
    hf_cbor_add_u64(buf, at_ms);
    if (by.len) add_text_pair(buf, HF_TEXT("by"), by);
    add_text_pair(buf, HF_TEXT("op"), hf_str(op));
    add_text_pair(buf, HF_TEXT("key"), key);
    add_text_pair(buf, HF_TEXT("opid"), opid);
    hf_cbor_add_text(buf, HF_TEXT("value"));
    hf_err err = buf->err ? buf->err : hf_cbor_encode(value, buf);
    if (!err) err = buf->err;
    if (err) buf->len = start;
    return err;
}

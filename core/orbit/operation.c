/* operation: see operation.h. */
#include "operation.h"

#include "../codec/dag_cbor.h"

static void add_op(hf_buf *buf, const char *op) {
    hf_cbor_add_head(buf, 5, 3);
    hf_cbor_add_text(buf, HF_TEXT("op"));
    hf_cbor_add_text(buf, hf_str(op));
    hf_cbor_add_text(buf, HF_TEXT("key"));
}

void hf_orbit_operation_head(hf_buf *buf, const char *op, hf_bytes key) {
    add_op(buf, op);
    hf_cbor_add_text(buf, key);
    hf_cbor_add_text(buf, HF_TEXT("value"));
}

static hf_err write(hf_buf *buf, const char *op, const hf_value *key, const hf_value *value, hf_fault *fault) {
    hf_value null = hf_value_null();
    size_t before = buf->len;
    add_op(buf, op);
    hf_err err = hf_cbor_encode(key ? key : &null, buf);
    hf_cbor_add_text(buf, HF_TEXT("value"));
    if (!err) err = hf_cbor_encode(value ? value : &null, buf);
    if (!err) err = buf->err;
    if (err && buf->len > before) buf->len = before;
    return err == HF_MALFORMED || err == HF_LIMIT ? hf_fail(fault, err, "not a value that dag-cbor can hold", 0) : err;
}

/* What JavaScript takes for false: such a key names no document there. */
static bool is_falsy(const hf_value *v) {
    if (!v || v->kind == HF_NULL) return true;
    if (v->kind == HF_BOOL) return !v->as.b;
    if (v->kind == HF_INT) return !v->negative && v->as.u == 0;
    if (v->kind == HF_FLOAT) return v->as.f == 0 || v->as.f != v->as.f;
    return v->kind == HF_TEXT_VALUE && v->as.s.len == 0;
}

static hf_err put_document(const hf_value *field, const hf_value *doc, hf_buf *buf, hf_fault *fault) {
    hf_bytes name = field ? hf_value_as_text(field) : HF_TEXT("_id");
    const hf_value *key = doc && doc->kind == HF_MAP ? hf_value_get_bytes(doc, name) : NULL;
    if (is_falsy(key)) return hf_fail(fault, HF_MALFORMED, "the document does not contain the field that it is indexed by", 0);
    return write(buf, "PUT", key, doc, fault);
}

hf_err hf_orbit_operation(const hf_orbit_state *state, hf_orbit_type type, hf_orbit_op op, const hf_value *key, const hf_value *value, hf_buf *buf,
                          hf_fault *fault) {
    bool keyed = type == HF_ORBIT_KEYVALUE || type == HF_ORBIT_DOCUMENTS;
    if (op == HF_ORBIT_ADD && type == HF_ORBIT_EVENTS) return write(buf, "ADD", NULL, value, fault);
    if (op == HF_ORBIT_ADD || !keyed) return hf_fail(fault, HF_STATE, "not an operation of this type of database", 0);
    if (op == HF_ORBIT_PUT && type == HF_ORBIT_DOCUMENTS) return put_document(key, value, buf, fault);
    if (!key) return hf_fail(fault, HF_MALFORMED, "no key", 0);
    if (op == HF_ORBIT_PUT) return write(buf, "PUT", key, value, fault);
    if (type == HF_ORBIT_DOCUMENTS && hf_orbit_state_find(state, key) == UINT32_MAX) return hf_fail(fault, HF_NOT_FOUND, "no such document", 0);
    return write(buf, "DEL", key, NULL, fault);
}

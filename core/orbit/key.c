/* key: see key.h. */
#include "key.h"

#include "../codec/dag_cbor.h"
#include "../codec/multibase.h"
#include "../codec/number.h"

bool hf_orbit_key_add_exact(hf_buf *buf, const hf_value *key) {
    if (!key || key->kind == HF_BYTES_VALUE || key->kind == HF_LIST || key->kind == HF_MAP || key->kind == HF_LINK) return false;
    hf_err err = hf_cbor_encode(key, buf);
    if (err == HF_NOMEM) buf->err = err;
    return !err;
}

static void add_int(hf_buf *buf, const hf_value *v) {
    if (!v->negative) return hf_buf_add_u64(buf, v->as.u);
    hf_buf_add_byte(buf, '-');
    if (v->as.u == UINT64_MAX) hf_buf_add_str(buf, "18446744073709551616"); /* -1 - u */
    else hf_buf_add_u64(buf, v->as.u + 1);
}

static void add_float(hf_buf *buf, double f) {
    char text[HF_NUMBER_TEXT_MAX];
    size_t len = hf_number_print(f, text);
    hf_buf_add(buf, HF_BYTES(text, len));
}

/* A Uint8Array: numbers with commas. */
static void add_byte_list(hf_buf *buf, hf_bytes bytes) {
    for (size_t i = 0; i < bytes.len; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_buf_add_u64(buf, bytes.ptr[i]);
    }
}

static void add_link(hf_buf *buf, hf_bytes cid) {
    bool v0 = cid.len == 34 && cid.ptr[0] == 0x12;
    if (v0) hf_base_add(buf, HF_BASE58BTC, cid);
    else hf_multibase_add(buf, HF_BASE32, cid);
}

static void add_plain(hf_buf *buf, const hf_value *v) {
    switch (v->kind) {
    case HF_NULL: hf_buf_add_str(buf, "null"); break;
    case HF_BOOL: hf_buf_add_str(buf, v->as.b ? "true" : "false"); break;
    case HF_INT: add_int(buf, v); break;
    case HF_FLOAT: add_float(buf, v->as.f); break;
    case HF_BYTES_VALUE: add_byte_list(buf, v->as.s); break;
    case HF_TEXT_VALUE: hf_buf_add(buf, v->as.s); break;
    case HF_LINK: add_link(buf, v->as.s); break;
    case HF_MAP: hf_buf_add_str(buf, "[object Object]"); break;
    case HF_LIST: break;
    }
}

/* Array.prototype.join, lists within lists included; null is empty there. */
static void add_list(hf_buf *buf, const hf_value *list) {
    struct { const hf_value *list; uint32_t at; } stack[HF_VALUE_DEPTH_MAX + 1] = {{list, 0}};
    for (size_t depth = 1; depth;) {
        const hf_value *l = stack[depth - 1].list;
        uint32_t at = stack[depth - 1].at++;
        if (at >= l->as.list.n) {
            depth--;
            continue;
        }
        if (at) hf_buf_add_byte(buf, ',');
        const hf_value *item = &l->as.list.items[at];
        bool opens = item->kind == HF_LIST && depth < HF_COUNT(stack);
        if (opens) {
            stack[depth].list = item;
            stack[depth++].at = 0;
        } else if (item->kind != HF_NULL) add_plain(buf, item);
    }
}

void hf_orbit_key_add_name(hf_buf *buf, const hf_value *key) {
    if (!key) hf_buf_add_str(buf, "undefined");
    else if (key->kind == HF_LIST) add_list(buf, key);
    else add_plain(buf, key);
}

bool hf_orbit_key_is_hidden(hf_bytes name) {
    static const char *const members[] = {"constructor", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__",
                                          "__lookupSetter__", "isPrototypeOf", "propertyIsEnumerable", "toString", "valueOf", "__proto__",
                                          "toLocaleString"};
    for (size_t i = 0; i < HF_COUNT(members); i++)
        if (hf_eq(name, hf_str(members[i]))) return true;
    return false;
}

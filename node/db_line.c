/* db_line: see db_line.h. */
#include "db_line.h"

#include "../core/codec/json.h"

/* The field of a document that its key is in. */
static bool find_field(hf_db_line *ret) {
    const hf_value *doc = ret->value, *id = hf_value_get(doc, "_id");
    if (doc->kind != HF_MAP) return false;
    if (!ret->key || (id && hf_value_eq(id, ret->key))) return id && id->kind == HF_TEXT_VALUE;
    for (uint32_t i = 0; i < doc->as.map.n && !ret->field.len; i++)
        if (hf_value_eq(&doc->as.map.pairs[i].value, ret->key)) ret->field = doc->as.map.pairs[i].key;
    return ret->field.len > 0;
}

const char *hf_db_line_read(hf_arena *arena, hf_bytes text, bool events, bool documents, hf_db_line *ret) {
    hf_fault fault = {NULL, 0};
    hf_value *all = hf_arena_alloc(arena, sizeof *all);
    if (!all) return "out of memory";
    if (hf_json_decode(arena, text, all, &fault)) return fault.what ? fault.what : "no JSON";
    *ret = (hf_db_line){.key = (hf_value *)hf_value_get(all, "key"), .value = (hf_value *)hf_value_get(all, "value"), .hash = hf_value_as_text(hf_value_get(all, "hash"))};
    if (!ret->value) return "no object with a \"value\"";
    if (events) return NULL;
    if (ret->key && ret->key->kind != HF_TEXT_VALUE) return "a \"key\" that is not text";
    if (!documents) return ret->key ? NULL : "no \"key\"";
    return find_field(ret) ? NULL : "a document that does not hold its key";
}

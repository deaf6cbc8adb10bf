/* api_json: see api_json.h. */
#include "api_json.h"

#include "../codec/json.h"
#include "date.h"
#include "item.h"
#include "write.h"

/* ---- writing ---- */

static hf_value shown(const hf_api_doc *d, size_t i) {
    const hf_field *field = &d->shelf->schema->fields[i];
    const hf_value *change = d->changes ? hf_value_get_bytes(d->changes, field->name) : NULL;
    hf_value now = d->doc ? *hf_doc_field(d->doc, i) : field->fallback;
    if (change && d->adds) return hf_value_i64(hf_value_as_i64(&now, 0) + hf_value_as_i64(change, 0));
    if (change && change->kind != HF_NULL) return *change;
    if (change) return field->fallback;
    if (field->automatic == HF_AUTO_UPDATED && d->changes) return hf_value_u64(d->now_ms);
    if (field->automatic == HF_AUTO_CREATED && !d->doc) return hf_value_u64(d->now_ms);
    if (field->type == HF_FIELD_COUNTER && now.kind == HF_NULL) return hf_value_u64(0);
    return now;
}

static void add_value(hf_buf *buf, const hf_field *field, const hf_value *value) {
    if (field->type != HF_FIELD_TIME || value->kind != HF_INT) {
        hf_json_add(buf, value);
        return;
    }
    hf_buf_add_byte(buf, '"');
    hf_date_add_iso(buf, hf_value_as_i64(value, 0));
    hf_buf_add_byte(buf, '"');
}

void hf_api_add_doc(hf_buf *buf, const hf_api_doc *doc) {
    const hf_schema *schema = doc->shelf->schema;
    hf_buf_add_str(buf, "{\"id\":");
    hf_json_add_text(buf, doc->id);
    if (doc->shelf->item_route) {
        hf_buf_add_str(buf, ",\"url\":\"");
        hf_item_add_url(buf, doc->shelf, doc->id);
        hf_buf_add_byte(buf, '"');
    }
    for (size_t i = 0; i < schema->n_fields; i++) {
        hf_value value = shown(doc, i);
        hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, schema->fields[i].name);
        hf_buf_add_byte(buf, ':');
        add_value(buf, &schema->fields[i], &value);
    }
    hf_buf_add_byte(buf, '}');
}

/* ---- reading ---- */

typedef struct reading {
    hf_call *call;
    const hf_schema *schema;
    hf_api_input *input;
    size_t n_sets, n_adds;
} reading;

static hf_err fail(reading *r, const hf_field *field, const char *refusal) {
    return hf_write_failure(r->call, field, refusal, &r->input->failures[r->input->n_failures++]);
}

static hf_err fail_unknown(reading *r, hf_bytes name) {
    hf_field *field = hf_arena_alloc(r->call->arena, sizeof *field);
    if (!field) return HF_NOMEM;
    *field = (hf_field){.name = name, .label = name};
    return fail(r, field, "is no field of this collection");
}

/* Text goes the way of a form's text (trimmed, folded, dates read); all else is taken as it is and must fit. */
static hf_err convert(reading *r, const hf_field *field, const hf_value *json, hf_value *ret,
                      const char **ret_refusal) {
    bool as_text = field->type == HF_FIELD_TEXT || field->type == HF_FIELD_TIME || field->type == HF_FIELD_CHOICE;
    if (json->kind == HF_TEXT_VALUE && as_text)
        return hf_field_parse(r->call->arena, field, json->as.s, ret, ret_refusal);
    *ret = *json;
    *ret_refusal = hf_field_refuses(field, json);
    return HF_OK;
}

static hf_err take_counter(reading *r, const hf_field *field, const hf_value *json) {
    const hf_value *by = json->kind == HF_MAP && json->as.map.n == 1 ? hf_value_get(json, "$add") : NULL;
    if (!by || hf_field_refuses(field, by)) return fail(r, field, "is a counter and takes {\"$add\": NUMBER}");
    r->n_adds++;
    hf_map_add_bytes(&r->input->value, field->name, *by);
    return HF_OK;
}

static hf_err take(reading *r, const hf_pair *pair) {
    size_t i = hf_schema_field(r->schema, pair->key);
    const char *refusal = NULL;
    hf_value value;
    if (i == SIZE_MAX) return fail_unknown(r, pair->key);
    const hf_field *field = &r->schema->fields[i];
    if (field->automatic != HF_AUTO_NONE) return fail(r, field, "fills itself");
    if (field->type == HF_FIELD_COUNTER) return take_counter(r, field, &pair->value);
    hf_err err = convert(r, field, &pair->value, &value, &refusal);
    if (err) return err;
    if (refusal) return fail(r, field, refusal);
    r->n_sets++;
    hf_map_add_bytes(&r->input->value, field->name, value);
    return HF_OK;
}

static hf_err check_required(reading *r, const hf_value *body) {
    hf_err err = HF_OK;
    for (size_t i = 0; i < r->schema->n_fields && !err; i++) {
        const hf_field *field = &r->schema->fields[i];
        bool needed = field->required && field->automatic == HF_AUTO_NONE && field->fallback.kind == HF_NULL;
        if (needed && !hf_value_get_bytes(body, field->name)) err = fail(r, field, "is required");
    }
    return err;
}

/* One operation either sets or adds. */
static hf_err check_kinds(reading *r, bool creates) {
    r->input->adds = r->n_adds > 0;
    if (r->n_adds == 0 || (r->n_sets == 0 && !creates)) return HF_OK;
    for (size_t i = 0; i < r->schema->n_fields; i++)
        if (r->schema->fields[i].type == HF_FIELD_COUNTER)
            return fail(r, &r->schema->fields[i], "can only be added to in a change of its own");
    return HF_OK;
}

hf_err hf_api_read(hf_call *call, const hf_schema *schema, bool creates, hf_api_input *ret, hf_fault *fault) {
    hf_value body;
    hf_err err = hf_json_decode(call->arena, call->request->body, &body, fault);
    if (err) return err;
    if (body.kind != HF_MAP) return hf_fail(fault, HF_MALFORMED, "the body must be an object", 0);
    if (body.as.map.n > HF_SCHEMA_FIELDS_MAX) return hf_fail(fault, HF_MALFORMED, "the body has too many members", 0);
    *ret = (hf_api_input){.value = hf_value_map(call->arena, body.as.map.n + 1)};
    ret->failures = hf_arena_alloc(call->arena, (body.as.map.n + schema->n_fields + 1) * sizeof *ret->failures);
    if (!ret->value.as.map.pairs || !ret->failures) return HF_NOMEM;
    reading r = {.call = call, .schema = schema, .input = ret};
    for (size_t i = 0; i < body.as.map.n && !err; i++) err = take(&r, &body.as.map.pairs[i]);
    if (!err && creates) err = check_required(&r, &body);
    return err ? err : check_kinds(&r, creates);
}

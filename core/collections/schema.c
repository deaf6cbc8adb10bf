/* schema: the manifest's words for one collection -> hf_schema. Strict, because a typing error that is overlooked here
 * would silently change what every replica shows: unknown settings are refused, and so are settings that do not fit
 * the type. See schema.h. */
#include "field.h"

#include <string.h>

enum { CHOICES_MAX = 256, WRITERS_MAX = 1024 };

static const char *const TYPES[] = {"text", "bool",   "int",    "number",
                                    "time", "choice", "counter"};         /* as hf_field_type */
static const char *const AUTOS[] = {"", "created", "updated", "creator"}; /* as hf_field_auto */
static const char *const SETTINGS[] = {"type", "label",   "required", "multiline", "min",
                                       "max",  "default", "choices",  "auto"};

/* Index of the word, or `n`. */
static size_t word(const char *const *words, size_t n, hf_bytes text) {
    size_t i = 0;
    while (i < n && !hf_eq(hf_str(words[i]), text)) i++;
    return i;
}

static bool is_name(hf_bytes name) {
    if (name.len == 0 || name.len > 32 || name.ptr[0] < 'a' || name.ptr[0] > 'z') return false;
    for (size_t i = 1; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_') return false;
    }
    return true;
}

/* What is being read: NULL in `what` until something is wrong. NOMEM is kept apart. */
typedef struct reader {
    hf_arena *arena;
    const char *what;
    hf_err err;
} reader;

static bool refuse(reader *r, const char *what) {
    if (!r->err) {
        r->err = HF_MALFORMED;
        r->what = what;
    }
    return false;
}

static bool no_memory(reader *r) {
    r->err = HF_NOMEM;
    r->what = "out of memory";
    return false;
}

static bool keep_text(reader *r, hf_bytes text, hf_bytes *ret) {
    *ret = hf_arena_copy(r->arena, text);
    return ret->ptr ? true : no_memory(r);
}

/* A list of different, non-empty texts. */
static bool read_texts(reader *r, const hf_value *list, size_t n_max, const char *what, const hf_bytes **ret,
                       size_t *ret_n) {
    if (!list || list->kind != HF_LIST || list->as.list.n == 0 || list->as.list.n > n_max) return refuse(r, what);
    hf_bytes *texts = hf_arena_alloc(r->arena, list->as.list.n * sizeof *texts);
    if (!texts) return no_memory(r);
    for (size_t i = 0; i < list->as.list.n; i++) {
        hf_bytes text = hf_value_as_text(&list->as.list.items[i]);
        for (size_t k = 0; k < i; k++)
            if (hf_eq(texts[k], text)) return refuse(r, what);
        if (text.len == 0) return refuse(r, what);
        if (!keep_text(r, text, &texts[i])) return false;
    }
    *ret = texts;
    *ret_n = list->as.list.n;
    return true;
}

static bool read_flag(reader *r, const hf_value *v, const char *what, bool *ret) {
    if (v && v->kind != HF_BOOL) return refuse(r, what);
    *ret = v && v->as.b;
    return true;
}

static bool read_number(reader *r, const hf_value *v, const char *what, bool *ret_has, double *ret) {
    if (!v) return true;
    int64_t whole = hf_value_as_i64(v, INT64_MIN);
    if (v->kind == HF_FLOAT && __builtin_isfinite(v->as.f))
        *ret = v->as.f;
    else if (v->kind == HF_INT && whole >= -HF_FIELD_TIME_MAX && whole <= HF_FIELD_TIME_MAX)
        *ret = (double)whole;
    else
        return refuse(r, what);
    *ret_has = true;
    return true;
}

static bool read_range(reader *r, const hf_value *json, hf_field *field) {
    bool ranged = field->type == HF_FIELD_TEXT || field->type == HF_FIELD_INT || field->type == HF_FIELD_NUMBER ||
                  field->type == HF_FIELD_TIME;
    if (!read_number(r, hf_value_get(json, "min"), "\"min\" is not a number", &field->has_min, &field->min))
        return false;
    if (!read_number(r, hf_value_get(json, "max"), "\"max\" is not a number", &field->has_max, &field->max))
        return false;
    if ((field->has_min || field->has_max) && !ranged) return refuse(r, "\"min\" and \"max\" do not fit this type");
    if (field->has_min && field->has_max && field->min > field->max) return refuse(r, "\"min\" is above \"max\"");
    if (field->type == HF_FIELD_TEXT && ((field->has_min && field->min < 0) || (field->has_max && field->max < 1)))
        return refuse(r, "a text cannot have so few characters");
    return true;
}

static bool read_type(reader *r, const hf_value *json, hf_field *field) {
    size_t type = word(TYPES, HF_COUNT(TYPES), hf_value_as_text(hf_value_get(json, "type")));
    if (type == HF_COUNT(TYPES)) return refuse(r, "\"type\" is none of text, bool, int, number, time, choice, counter");
    field->type = (hf_field_type)type;
    const hf_value *choices = hf_value_get(json, "choices");
    if (field->type != HF_FIELD_CHOICE) return choices ? refuse(r, "\"choices\" belong to type choice") : true;
    return read_texts(r, choices, CHOICES_MAX, "\"choices\" must be 1 to 256 different texts", &field->choices,
                      &field->n_choices);
}

static bool read_auto(reader *r, const hf_value *json, hf_field *field) {
    const hf_value *v = hf_value_get(json, "auto");
    if (!v) return true;
    size_t i = word(AUTOS, HF_COUNT(AUTOS), hf_value_as_text(v));
    if (i == 0 || i == HF_COUNT(AUTOS)) return refuse(r, "\"auto\" is none of created, updated, creator");
    field->automatic = (hf_field_auto)i;
    if (field->type != (field->automatic == HF_AUTO_CREATOR ? HF_FIELD_TEXT : HF_FIELD_TIME))
        return refuse(r, "\"auto\" created and updated belong to type time, creator to type text");
    if (field->required || hf_value_get(json, "default") || field->has_min || field->has_max)
        return refuse(r, "an automatic field takes no rules and no default");
    return true;
}

static bool read_flags(reader *r, const hf_value *json, hf_field *field) {
    if (!read_flag(r, hf_value_get(json, "required"), "\"required\" is not true or false", &field->required))
        return false;
    if (!read_flag(r, hf_value_get(json, "multiline"), "\"multiline\" is not true or false", &field->multiline))
        return false;
    if (field->multiline && field->type != HF_FIELD_TEXT) return refuse(r, "\"multiline\" belongs to type text");
    if (field->required && field->type == HF_FIELD_COUNTER)
        return refuse(r, "a counter is never left out: \"required\" does not fit");
    return true;
}

static bool read_default(reader *r, const hf_value *json, hf_field *field) {
    const hf_value *v = hf_value_get(json, "default");
    if (!v || v->kind == HF_NULL) return true;
    if (hf_field_refuses(field, v)) return refuse(r, "\"default\" breaks the field's own rules");
    hf_err err = hf_value_copy(r->arena, v, &field->fallback);
    return err ? no_memory(r) : true;
}

/* "due_date" -> "Due date" */
static bool read_label(reader *r, const hf_value *json, hf_field *field) {
    const hf_value *label = hf_value_get(json, "label");
    if (label && hf_value_as_text(label).len == 0) return refuse(r, "\"label\" is not a text");
    if (label) return keep_text(r, label->as.s, &field->label);
    uint8_t text[32] = {0};
    for (size_t i = 0; i < field->name.len; i++) text[i] = field->name.ptr[i] == '_' ? ' ' : field->name.ptr[i];
    text[0] = (uint8_t)(text[0] - 32);
    return keep_text(r, HF_BYTES(text, field->name.len), &field->label);
}

static bool knows_settings(reader *r, const hf_value *json) {
    for (size_t i = 0; i < json->as.map.n; i++)
        if (word(SETTINGS, HF_COUNT(SETTINGS), json->as.map.pairs[i].key) == HF_COUNT(SETTINGS))
            return refuse(r, "a field has a setting that is none of type, label, required, multiline, min, max, "
                             "default, choices, auto");
    return true;
}

static bool read_field(reader *r, const hf_pair *pair, hf_field *field) {
    const hf_value *json = &pair->value;
    *field = (hf_field){.fallback = hf_value_null()};
    if (!is_name(pair->key)) return refuse(r, "a field's name is not [a-z][a-z0-9_]{0,31}");
    if (json->kind != HF_MAP) return refuse(r, "a field is not an object");
    return keep_text(r, pair->key, &field->name) && knows_settings(r, json) && read_type(r, json, field) &&
           read_flags(r, json, field) && read_range(r, json, field) && read_auto(r, json, field) &&
           read_default(r, json, field) && read_label(r, json, field);
}

static bool read_fields(reader *r, const hf_value *json, hf_schema *schema, size_t *ret_at) {
    if (!json || json->kind != HF_MAP || json->as.map.n == 0 || json->as.map.n > HF_SCHEMA_FIELDS_MAX)
        return refuse(r, "a collection needs \"fields\": an object of 1 to 64 fields");
    hf_field *fields = hf_arena_alloc(r->arena, json->as.map.n * sizeof *fields);
    if (!fields) return no_memory(r);
    for (size_t i = 0; i < json->as.map.n; i++) {
        *ret_at = i;
        if (!read_field(r, &json->as.map.pairs[i], &fields[i])) return false;
    }
    schema->fields = fields;
    schema->n_fields = json->as.map.n;
    return true;
}

static bool read_collection(reader *r, hf_bytes name, const hf_value *json, hf_schema *schema, size_t *ret_at) {
    if (!is_name(name)) return refuse(r, "a collection's name is not [a-z][a-z0-9_]{0,31}");
    if (json->kind != HF_MAP) return refuse(r, "a collection is not an object");
    for (size_t i = 0; i < json->as.map.n; i++)
        if (!hf_eq(json->as.map.pairs[i].key, HF_TEXT("write")) && !hf_eq(json->as.map.pairs[i].key, HF_TEXT("fields")))
            return refuse(r, "a collection has a setting that is neither \"write\" nor \"fields\"");
    return keep_text(r, name, &schema->name) &&
           read_texts(r, hf_value_get(json, "write"), WRITERS_MAX,
                      "a collection needs \"write\": different ids that may write, or [\"*\"]", &schema->write,
                      &schema->n_write) &&
           read_fields(r, hf_value_get(json, "fields"), schema, ret_at);
}

hf_err hf_schema_read(hf_arena *arena, hf_bytes name, const hf_value *json, hf_schema *ret, hf_fault *fault) {
    reader r = {.arena = arena};
    hf_schema schema = {0};
    size_t at = 0;
    if (!read_collection(&r, name, json, &schema, &at)) return hf_fail(fault, r.err, r.what, at);
    *ret = schema;
    return HF_OK;
}

size_t hf_schema_field(const hf_schema *schema, hf_bytes name) {
    for (size_t i = 0; i < schema->n_fields; i++)
        if (hf_eq(schema->fields[i].name, name)) return i;
    return SIZE_MAX;
}

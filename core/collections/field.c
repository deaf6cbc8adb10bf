/* field: does a value obey its field? The same answer on every replica, for forms and for entries of strangers. See
 * schema.h. */
#include "field.h"

#include "fold.h"

#include <string.h>

bool hf_field_is_space(uint32_t code) {
    return code == ' ' || (code >= 0x09 && code <= 0x0d) || code == 0x85 || code == 0xa0 || code == 0x1680 ||
           (code >= 0x2000 && code <= 0x200a) || hf_field_breaks_line(code) || code == 0x202f || code == 0x205f ||
           code == 0x3000;
}

bool hf_field_breaks_line(uint32_t code) {
    return code == '\n' || code == '\r' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

/* C0, DEL and C1 (Unicode general category Cc): nothing that a person types, and trouble in terminals, logs and XML. */
static bool is_control(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

bool hf_field_allows_char(const hf_field *field, uint32_t code) {
    if (field->multiline && (code == '\n' || code == '\t')) return true;
    return !is_control(code) && (field->multiline || !hf_field_breaks_line(code));
}

typedef struct text_facts {
    size_t n_chars;
    bool blank, clean; /* nothing but white space; nothing that the field does not allow */
} text_facts;

static text_facts look_at(const hf_field *field, hf_bytes text) {
    text_facts facts = {0, true, true};
    for (size_t at = 0; at < text.len; facts.n_chars++) {
        uint32_t code = hf_fold_next(text, &at);
        if (!hf_field_is_space(code)) facts.blank = false;
        if (!hf_field_allows_char(field, code)) facts.clean = false;
    }
    return facts;
}

static const char *text_refuses(const hf_field *field, const hf_value *value) {
    if (value->kind != HF_TEXT_VALUE || !hf_utf8_valid(value->as.s)) return "is not text";
    text_facts facts = look_at(field, value->as.s);
    if (facts.blank && field->required) return "is required";
    if (!facts.clean) return "contains control characters";
    if (field->has_max && (double)facts.n_chars > field->max) return "is longer than allowed";
    /* As in HTML: an empty text is one left out, and leaving out is allowed here. */
    if (field->has_min && facts.n_chars && (double)facts.n_chars < field->min) return "is shorter than allowed";
    return NULL;
}

static const char *range_refuses(const hf_field *field, double number) {
    if (field->has_min && number < field->min) return "is smaller than allowed";
    if (field->has_max && number > field->max) return "is larger than allowed";
    return NULL;
}

/* INT64_MIN: not a whole number within ±limit. */
static int64_t whole(const hf_value *value, int64_t limit) {
    int64_t number = hf_value_as_i64(value, INT64_MIN);
    return number < -limit || number > limit ? INT64_MIN : number;
}

static const char *int_refuses(const hf_field *field, const hf_value *value) {
    int64_t number = whole(value, HF_FIELD_INT_MAX);
    return number == INT64_MIN ? "is not a whole number" : range_refuses(field, (double)number);
}

static const char *time_refuses(const hf_field *field, const hf_value *value) {
    int64_t ms = whole(value, HF_FIELD_TIME_MAX);
    return ms == INT64_MIN ? "is not a date and time" : range_refuses(field, (double)ms);
}

/* Integers only as far as a double holds them exactly: canonical dag-cbor writes what is larger as a float. */
static const char *number_refuses(const hf_field *field, const hf_value *value) {
    int64_t number = value->kind == HF_INT ? whole(value, HF_FIELD_INT_MAX) : 0;
    if ((value->kind != HF_INT && value->kind != HF_FLOAT) || number == INT64_MIN) return "is not a number";
    double d = value->kind == HF_INT ? (double)number : value->as.f;
    return __builtin_isfinite(d) ? range_refuses(field, d) : "is not a number";
}

static const char *choice_refuses(const hf_field *field, const hf_value *value) {
    for (size_t i = 0; value->kind == HF_TEXT_VALUE && i < field->n_choices; i++)
        if (hf_eq(field->choices[i], value->as.s)) return NULL;
    return "is not one of the choices";
}

const char *hf_field_refuses(const hf_field *field, const hf_value *value) {
    if (value->kind == HF_NULL) return field->required || field->type == HF_FIELD_COUNTER ? "is required" : NULL;
    switch (field->type) {
    case HF_FIELD_TEXT:
        return text_refuses(field, value);
    case HF_FIELD_BOOL:
        return value->kind == HF_BOOL ? NULL : "is not yes or no";
    case HF_FIELD_INT:
    case HF_FIELD_COUNTER:
        return int_refuses(field, value);
    case HF_FIELD_NUMBER:
        return number_refuses(field, value);
    case HF_FIELD_TIME:
        return time_refuses(field, value);
    case HF_FIELD_CHOICE:
        return choice_refuses(field, value);
    }
    __builtin_trap(); /* a field made by hand with no type of ours: our own bug */
}

/* schema: the typed fields and rules of one collection, as the app's manifest declares them (docs/reference/app-format.md). */
#ifndef HF_SCHEMA_H
#define HF_SCHEMA_H
#include "../codec/value.h"

typedef enum hf_field_type {
    HF_FIELD_TEXT,     /* UTF-8, min..max counts characters (code points) */
    HF_FIELD_BOOL,
    HF_FIELD_INT,      /* within ±2^53, min..max */
    HF_FIELD_NUMBER,   /* finite double, min..max */
    HF_FIELD_TIME,     /* ms since 1970 */
    HF_FIELD_CHOICE,   /* one of `choices` */
    HF_FIELD_COUNTER,  /* integer that adds up; changed by INC only */
} hf_field_type;

/* Who fills the field: the author, or the operation itself. */
typedef enum hf_field_auto { HF_AUTO_NONE, HF_AUTO_CREATED, HF_AUTO_UPDATED, HF_AUTO_CREATOR } hf_field_auto;

typedef struct hf_field {
    hf_bytes name;             /* [a-z][a-z0-9_]{0,31} */
    hf_bytes label;            /* for messages: "Text" */
    hf_field_type type;
    hf_field_auto automatic;
    bool required, multiline;  /* multiline: line breaks kept; otherwise folded to spaces */
    bool has_min, has_max;
    double min, max;
    hf_value fallback;         /* `default`, HF_NULL when none */
    const hf_bytes *choices;
    size_t n_choices;
} hf_field;

typedef struct hf_schema {
    hf_bytes name;             /* of the collection */
    const hf_field *fields;
    size_t n_fields;
    const hf_bytes *write;     /* ids that may write, or "*" */
    size_t n_write;
} hf_schema;

enum { HF_SCHEMA_FIELDS_MAX = 64 };

/* From the manifest's JSON ("collections": {NAME: {...}}); memory from the arena, which must outlive the schema; `json` need not.
 * HF_MALFORMED with what is wrong; fault->at is the place of the field in "fields", from 0. */
HF_MUST_USE hf_err hf_schema_read(hf_arena *arena, hf_bytes name, const hf_value *json, hf_schema *ret, hf_fault *fault);
/* Index of a field, or SIZE_MAX. */
size_t hf_schema_field(const hf_schema *schema, hf_bytes name);
/* Does a value obey the field's type and rules? NULL: yes. Otherwise a static English text without the label: "is required", "is longer than allowed"…
 * HF_NULL (unset) is refused by required fields only. Text: no control characters, line breaks only where multiline, blank is not there when required,
 * and an empty one has no minimum. For a counter it judges the amount of an INC. Who may fill the field is not asked here. */
const char *hf_field_refuses(const hf_field *field, const hf_value *value);
/* What a form sent -> a value of the field's type (trimmed, folded, "on"/"true"/"1" for bool, RFC 3339 or ms for time; a date alone or a time without
 * zone is UTC). Left empty: "" for text, false for bool, else HF_NULL. Same answer convention; the error is HF_NOMEM alone. The value obeys
 * hf_field_refuses and lives in the arena or in the schema. */
HF_MUST_USE hf_err hf_field_parse(hf_arena *arena, const hf_field *field, hf_bytes text, hf_value *ret, const char **ret_refusal);
#endif

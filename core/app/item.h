/* item: documents as templates see them: fields by name, `id`, `url`, times and choices, and the history. Nothing is
 * copied. */
#ifndef HF_ITEM_H
#define HF_ITEM_H
#include "inside.h"

hf_view hf_item_view(const hf_shelf *shelf, const hf_doc *doc);
hf_view hf_item_history(const hf_shelf *shelf, const hf_doc *doc);
/* A value as this field shows it: times as {iso, ms, date, text}, choices with their choices. `value` must outlive
 * the view. */
hf_view hf_item_field_view(const hf_field *field, const hf_value *value);
/* What a form needs to know of a field: label, required, min, max, multiline, choices (with `value` selected). */
hf_view hf_item_field_rules(const hf_field *field, const hf_value *value);
/* The document's page, or nothing when it has none. */
void hf_item_add_url(hf_buf *buf, const hf_shelf *shelf, hf_bytes id);
/* What a person would call it; its ID when it has no text. */
hf_bytes hf_item_title(const hf_shelf *shelf, const hf_doc *doc);
#endif

/* form: application/x-www-form-urlencoded, as bodies of posts and as queries. Spec: WHATWG URL section 5.1, but
 * strict: wrong percent-encoding, NUL bytes and broken UTF-8 are refused instead of repaired, since what is repaired
 * silently is stored for ever.
 */
#ifndef HF_FORM_H
#define HF_FORM_H
#include "../base/base.h"

enum { HF_FORM_FIELDS_MAX = 128 };

typedef struct hf_form_field {
    hf_bytes name, value;
} hf_form_field;

typedef struct hf_form {
    const hf_form_field *fields; /* in the order sent; a name may come more than once */
    size_t n;
} hf_form;

/* Memory from the arena, texts are views of `body` where nothing was encoded. HF_MALFORMED / HF_LIMIT (fields) with
 * fault. */
HF_MUST_USE hf_err hf_form_read(hf_arena *arena, hf_bytes body, hf_form *ret, hf_fault *fault);
/* The last field of that name, or NULL. The last, so that a hidden "done=false" before a checkbox "done=true" says
 * what an unchecked box cannot. */
const hf_bytes *hf_form_get(const hf_form *form, hf_bytes name);
/* name=value, encoded, with '?' or '&' before it as `*n_written` demands. */
void hf_form_add(hf_buf *buf, size_t *n_written, hf_bytes name, hf_bytes value);

/* Is this content type `want` ("application/json"), with no charset but UTF-8? */
bool hf_content_type_is(hf_bytes content_type, const char *want);
#endif

/* api_json: documents as the API writes and reads them. Times are RFC 3339 text; what is unset is null. */
#ifndef HF_API_JSON_H
#define HF_API_JSON_H
#include "page.h"

/* {"id","url",field: value…}. `doc` may be NULL (a new document); `changes` (may be NULL) are members that an
 * operation is about to set, `now_ms` when; `adds`: they are counters' increments instead. */
typedef struct hf_api_doc {
    const hf_shelf *shelf;
    hf_bytes id;
    const hf_doc *doc;
    const hf_value *changes;
    bool adds;
    uint64_t now_ms;
} hf_api_doc;
void hf_api_add_doc(hf_buf *buf, const hf_api_doc *doc);

/* A request's body -> members that an operation sets. Failures say what is wrong with which field. */
typedef struct hf_api_input {
    hf_value value;
    bool adds; /* {"votes": {"$add": 1}}: an INC */
    hf_failure *failures;
    size_t n_failures;
} hf_api_input;
/* HF_MALFORMED with fault: not a JSON object. `creates`: required fields must be there. */
HF_MUST_USE hf_err hf_api_read(hf_call *call, const hf_schema *schema, bool creates, hf_api_input *ret,
                               hf_fault *fault);
#endif

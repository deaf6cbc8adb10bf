/* api: /api/v1/COLLECTION[/ID] as JSON. GET (filter, sort, page), POST 201 + Location, PATCH, DELETE 204. ETag and
 * If-Match (412) per document, errors as problem+json (RFC 9457), Idempotency-Key
 * (draft-ietf-httpapi-idempotency-key-header): the same key, path and body are one action.
 */
#ifndef HF_API_H
#define HF_API_H
#include "inside.h"

enum { HF_API_LIMIT = 100, HF_API_LIMIT_MAX = 1000, HF_API_FILTERS_MAX = 16 };

HF_MUST_USE hf_err hf_api_answer(hf_call *call);
#endif

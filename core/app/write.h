/* write: what actions and the API share: operation IDs, the session's public name, operations, and who may post at
 * all.
 *
 * The effective operation ID names an action, wherever and however often it is sent: base32(first 16 bytes of
 * SHA-256("holdfast op" NUL op NUL path NUL, then what was sent)). `op` is that of the page the form was on; without
 * one the request's nonce takes its place and the action is its own.
 */
#ifndef HF_WRITE_H
#define HF_WRITE_H
#include "page.h"

enum { HF_WRITE_PAYLOAD_MAX = 128 * 1024 }; /* leaves room for the rest of an entry (256 KiB) in the log */

/* Cross-site request forgery: Sec-Fetch-Site must be same-origin or none, and an Origin must be ours. Neither
 * header: not a browser. */
bool hf_write_is_own_site(const hf_request *request);

/* From a form: fields in order, without op and back. */
HF_MUST_USE hf_err hf_write_form_opid(hf_call *call, const hf_form *form, hf_bytes *ret);
/* From the API: Idempotency-Key and the body as sent. */
HF_MUST_USE hf_err hf_write_api_opid(hf_call *call, hf_bytes *ret);

/* A full sentence: "What needs doing is required." */
HF_MUST_USE hf_err hf_write_failure(hf_call *call, const hf_field *field, const char *refusal, hf_failure *ret);
/* Adds an operation to the answer. HF_LIMIT: too large for an entry. */
HF_MUST_USE hf_err hf_write_add(hf_call *call, size_t collection, const char *op, hf_bytes key, const hf_value *value,
                                hf_bytes opid);
/* Set-Cookie, when sessions are wanted here and this request has none. */
HF_MUST_USE hf_err hf_write_session(hf_call *call);
#endif

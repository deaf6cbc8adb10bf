/* answer: the parts that answers are put together from: status, headers (the security headers are on every answer),
 * entity tags, refusals. */
#ifndef HF_ANSWER_H
#define HF_ANSWER_H
#include "inside.h"

/* Empties the answer and adds the security headers. */
void hf_answer_begin(hf_call *call);
/* `name` lower case and static; `value` lives as long as the request's arena. */
void hf_answer_header(hf_call *call, const char *name, hf_bytes value);
void hf_answer_body(hf_call *call, unsigned status, const char *content_type, hf_bytes body);
/* A copy of the buffer's bytes in the request's arena; the buffer is emptied. */
HF_MUST_USE hf_err hf_answer_keep(hf_call *call, hf_buf *buf, hf_bytes *ret);

/* An answer that says no: as problem+json (RFC 9457) below /api/, else as the app's error page. `detail` is a full
 * sentence. */
HF_MUST_USE hf_err hf_answer_refuse(hf_call *call, unsigned status, const char *detail);
HF_MUST_USE hf_err hf_answer_problem(hf_call *call, unsigned status, hf_bytes detail);
/* 405 with Allow. */
HF_MUST_USE hf_err hf_answer_not_allowed(hf_call *call, const char *allow);
const char *hf_status_title(unsigned status);

/* base32 (lower case, no padding) of the bytes, in the arena. */
HF_MUST_USE hf_err hf_base32_text(hf_arena *arena, hf_bytes bytes, hf_bytes *ret);
/* A strong entity tag of these bytes, quotes and all. */
HF_MUST_USE hf_err hf_etag_of(hf_arena *arena, hf_bytes bytes, hf_bytes *ret);
/* The buffer's text as answer 200, or 304: no-cache, tagged by its own hash. The buffer is emptied. */
HF_MUST_USE hf_err hf_answer_text(hf_call *call, const char *type, hf_buf *buf);
/* Does the header (a list of entity tags, or "*") name this one? Weak comparison ignores W/ (RFC 9110 section
 * 8.8.3.2), strong wants none. */
bool hf_etag_matches(hf_bytes header, hf_bytes etag, bool weak);
/* Adds the etag; when If-None-Match has it, makes this answer a 304 and says true. */
bool hf_answer_unchanged(hf_call *call, hf_bytes etag);
#endif

/* escape: the one place where text becomes safe inside HTML and inside URLs, and where URLs become text again.
 * Spec: HTML 13.1.2.3 and 13.1.4 (what must be a character reference), RFC 3986 section 2, WHATWG URL
 * "application/x-www-form-urlencoded parsing" (but strict: a stray '%' is refused, not kept). JSON inside a script
 * element is hf_json_add's own business.
 */
#ifndef HF_ESCAPE_H
#define HF_ESCAPE_H
#include "../base/base.h"

/* Safe as element text and inside an attribute in double or single quotes: & < > " ' become character references. */
void hf_html_add(hf_buf *buf, hf_bytes text);
/* One path segment or one query name or value: all but A-Z a-z 0-9 - . _ ~ becomes %XX. */
void hf_url_add(hf_buf *buf, hf_bytes text);
/* A path or query as it was sent: legal URL characters and % stay, all others become %XX, so that it can stand in a
 * header. */
void hf_url_add_sent(hf_buf *buf, hf_bytes sent);

/* Undoes %XX (and '+' for space when `plus`). HF_MALFORMED: a '%' without two hex digits, a NUL, or not UTF-8
 * afterwards. The result is a view of `text` when there was nothing to undo, else it lives in the arena. */
HF_MUST_USE hf_err hf_url_decode(hf_arena *arena, hf_bytes text, bool plus, hf_bytes *ret, hf_fault *fault);

/* May this stand in a Location header as a path of our own origin? '/' first, not "//" or "/\", and no byte that a
 * browser drops or turns into '/': controls, space, backslash, non-ASCII. */
bool hf_url_is_own_path(hf_bytes path);
#endif

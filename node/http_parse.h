/* http_parse: the head of an HTTP/1.x request (RFC 9112), read by llhttp, strictly: what two readers could take for different requests is refused.
 * Bytes only.
 *
 * Decided here, because llhttp leaves it open or takes more: where a head ends, and that its lines end in CR LF and are not folded; limits; which
 * fields may come once; versions; one space between the parts of the first line; names that are empty; hosts; paths with broken escapes or NULs;
 * which methods have bodies. Transfer-Encoding is not read (411): forms and this API's clients say how long their bodies are. */
#ifndef HF_NODE_HTTP_PARSE_H
#define HF_NODE_HTTP_PARSE_H
#include "../core/base/base.h"

enum { HF_HTTP_HEAD_MAX = 16384, HF_HTTP_LINES_MAX = 128 };

typedef enum hf_http_name {
    HF_HTTP_HOST, HF_HTTP_CONTENT_TYPE, HF_HTTP_CONTENT_ENCODING, HF_HTTP_ORIGIN, HF_HTTP_EXPECT, HF_HTTP_UPGRADE, HF_HTTP_SEC_FETCH_SITE, HF_HTTP_WEBSOCKET_KEY,
    HF_HTTP_WEBSOCKET_VERSION, HF_HTTP_IDEMPOTENCY_KEY, HF_HTTP_HOLDFAST_ENTRY,
    HF_HTTP_ONCE, /* those above may come once only (and Content-Length, which llhttp sees to); of those below the first counts */
    HF_HTTP_ACCEPT = HF_HTTP_ONCE, HF_HTTP_ACCEPT_ENCODING, HF_HTTP_COOKIE, HF_HTTP_IF_MATCH, HF_HTTP_IF_NONE_MATCH, HF_HTTP_REFERER,
    HF_HTTP_RANGE, HF_HTTP_CACHE_CONTROL, HF_HTTP_SERVICE_WORKER,
    HF_HTTP_NAMES,
} hf_http_name;

typedef struct hf_http_head {
    hf_bytes method, path, query;     /* views; path as sent, query without '?' */
    hf_bytes host;                    /* from the target if it stands there, else the header; never empty */
    hf_bytes fields[HF_HTTP_NAMES];
    uint64_t body_len;
    bool keep_alive;                  /* by version and Connection */
    bool upgrade;                     /* Connection names it */
    bool newest;                      /* HTTP/1.1; else 1.0 */
} hf_http_head;

/* Reads a head from the start of `bytes`. 0: *ret_len is its length, or 0 when more has to come; else the status to refuse with. *scanned: how
 * far earlier calls came; 0 at first. */
unsigned hf_http_parse(hf_bytes bytes, size_t *scanned, hf_http_head *ret, size_t *ret_len);
/* Whether a comma-separated list names `word`, whatever the case. */
bool hf_http_mentions(hf_bytes list, const char *word);
#endif

/* app: request -> response. Runs an app folder (docs/reference/app-format.md) over collections: router, queries, templates, forms, actions, JSON API.
 * A page is a pure function of (request, state of the collections it read, nonce); node and browser render the same bytes.
 *
 * Refuses: sockets, files, clocks; it never writes to a collection itself: an action comes back as operations that the caller appends to the logs.
 * Memory: per request from the caller's arena; the page cache from `mem` (HF_APP_CACHE_BYTES_MAX).
 */
#ifndef HF_APP_H
#define HF_APP_H
#include "../collections/collection.h"

typedef struct hf_app hf_app;

typedef struct hf_file { hf_bytes path, bytes; } hf_file;   /* "app.json", "templates/index.mustache", "static/app.css" */

enum { HF_APP_BODY_MAX = 256 * 1024, HF_APP_CACHE_BYTES_MAX = 16 << 20, HF_APP_HEADERS_MAX = 24, HF_APP_OPERATIONS_MAX = 8 };

/* Parses manifest and templates; file bytes are copied. On failure *ret_problem (arena text: file, line, what is wrong) says why. */
hf_app *hf_app_new(hf_mem *mem, const hf_file *files, size_t n_files, uint64_t seed, hf_arena *arena, hf_bytes *ret_problem);
void hf_app_free(hf_app *app);
hf_bytes hf_app_name(const hf_app *app);
size_t hf_app_n_schemas(const hf_app *app);
const hf_schema *hf_app_schema(const hf_app *app, size_t i);
/* The release ID that pages, worker and WebAssembly carry (short text, copied) and the URLs of the page script; set once before the first request. */
void hf_app_release(hf_app *app, hf_bytes release, hf_bytes script_url);

/* What the app reads: the i-th schema's collection and the version of its log (32 bytes; equal on replicas with equal entries). */
typedef struct hf_app_state {
    hf_collection *const *collections;
    const uint8_t (*versions)[32];
} hf_app_state;

typedef struct hf_request {
    hf_bytes method, path, query;       /* path percent-encoded as sent, query without '?' */
    hf_bytes origin;                    /* scheme://host[:port] that the app is reached at, for absolute URLs */
    hf_bytes content_type, body;
    hf_bytes if_none_match, if_match, accept, header_origin, sec_fetch_site, referer;
    hf_bytes session;                   /* value of the session cookie, may be empty */
    hf_bytes client_op;                 /* not from a form: header Idempotency-Key of the API, may be empty */
    uint8_t nonce[16];                  /* fresh random bytes: becomes {{op}} */
    uint8_t new_session[16];            /* fresh random bytes: used when a write comes without a session */
    uint64_t now_ms;
    bool by_session;                    /* the writer signs for somebody else (a node): name the session in `by` */
} hf_request;

typedef struct hf_header { hf_bytes name, value; } hf_header;

typedef struct hf_operation {
    size_t collection;                  /* index of the schema */
    hf_bytes key, opid, payload;        /* payload: canonical dag-cbor, ready for hf_log_append */
} hf_operation;

typedef struct hf_response {
    unsigned status;
    hf_header headers[HF_APP_HEADERS_MAX]; /* content-type, etag, cache-control, location, set-cookie, content-security-policy… lower-case names */
    size_t n_headers;
    hf_bytes body;                      /* valid until the next call on the app or the arena's end */
    hf_operation operations[HF_APP_OPERATIONS_MAX]; /* append these durably, then send the answer */
    size_t n_operations;
} hf_response;

/* Always answers (404, 405, 413, 422, 500 included); HF_NOMEM otherwise. HEAD answers as GET with the body left in place (the shell drops it). */
HF_MUST_USE hf_err hf_app_handle(hf_app *app, const hf_app_state *state, const hf_request *request, hf_arena *arena, hf_response *ret);
#endif

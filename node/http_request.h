/* http_request: a parsed head -> hf_request, and hf_response -> bytes on the wire. No state. */
#ifndef HF_NODE_HTTP_REQUEST_H
#define HF_NODE_HTTP_REQUEST_H
#include "../core/app/app.h"
#include "http_parse.h"

typedef struct hf_wire_request {
    hf_request request;              /* without body */
    hf_bytes entry, query_version;   /* header Holdfast-Entry, base64url; the value of ?v= */
    hf_bytes range, cache_control, service_worker;
    bool gzip, head, newest;         /* newest: HTTP/1.1 */
} hf_wire_request;

/* Where we listen: on this machine only, in a private network only, or anywhere. */
typedef enum hf_http_place { HF_HTTP_ANYWHERE, HF_HTTP_NETWORK, HF_HTTP_MACHINE } hf_http_place;
hf_http_place hf_http_place_of(const char *listen_host);

/* Views into the head; only the origin is in the arena. `origin`: the configured one or NULL (then from Host). Where not everybody can reach us, a Host
 * that is neither a name of this machine (in a network: one that no public DNS knows, or a private address) nor the origin's is a page elsewhere that
 * had its name pointed here. Returns 0, or the status to refuse with. */
unsigned hf_http_read(const hf_http_head *head, const char *origin, bool tls, hf_http_place place, hf_arena *arena, hf_wire_request *ret);
/* May a page of this origin (the header Origin; empty: it is no page) open a WebSocket, which no browser asks about? Anywhere: yes, what is said there
 * needs no permission. Else only pages of names as above, and of `others`: origins that belong to this node. */
bool hf_http_may_open(hf_bytes page, const char *origin, hf_http_place place, const char *const *others, size_t n_others);

/* "Not Found" and so on. */
const char *hf_http_reason(unsigned status);
/* Status line and Date (RFC 9110 6.6.1). wall_ms: since 1970. */
void hf_http_add_status(hf_buf *buf, unsigned status, uint64_t wall_ms);
/* These and all headers. Returns whether a body follows. */
bool hf_http_add_head(hf_buf *buf, const hf_response *response, uint64_t wall_ms, bool keep_alive);
#endif

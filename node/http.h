/* http: pages, files, events and WebSockets on one port, on the node's loop. Carries requests to the core and answers back; an answer to
 * a write is held until the store says that it is durable. Also the WebSocket carriage of the peer. */
#ifndef HF_NODE_HTTP_H
#define HF_NODE_HTTP_H
#include "node.h"

typedef struct hf_http hf_http;

typedef struct hf_http_counts {
    size_t pages, listeners, websockets; /* connections now; pages: those that ask, or may ask, for something */
    size_t held_bytes;                   /* of requests not yet read and answers not yet taken */
    uint64_t answers[6];                 /* since the start, by the first digit of their status */
} hf_http_counts;

/* Listens. NULL: *ret_problem. */
hf_http *hf_http_open(hf_node *node, const char **ret_problem);
int hf_http_port(const hf_http *http);
/* Everything up to seq is durable: the answers that waited for it go out. */
void hf_http_stored(hf_http *http, uint64_t seq);
/* Nothing can be stored now: who waits for that is told so, and gets back what was typed. */
void hf_http_refuse_waiting(hf_http *http);
/* A collection shows something new: tell those who listen at /events. */
void hf_http_changed(hf_http *http, hf_bytes collection);
/* From now on each answer ends its connection. */
void hf_http_stop(hf_http *http);
/* Takes no more connections. */
void hf_http_refuse_more(hf_http *http);
/* Some request was begun and is not answered yet. */
bool hf_http_is_busy(const hf_http *http);
void hf_http_count(const hf_http *http, hf_http_counts *ret);
void hf_http_close(hf_http *http);
#endif

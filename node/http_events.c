/* http_events: GET /events, server-sent events. A listener is told that a collection shows something new, never what. */
#include "http_private.h"

enum { QUEUED_MAX = 4096 };

static const char HEAD[] = "content-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\n";

void hf_events_begin(hf_client *c, bool head) {
    hf_http *http = c->http;
    bool over = head || http->stopping;
    hf_buf_clear(&http->scratch);
    hf_http_add_status(&http->scratch, 200, hf_node_wall());
    hf_buf_add_str(&http->scratch, HEAD);
    hf_buf_add_str(&http->scratch, over ? "connection: close\r\n\r\n" : "\r\nretry: 1000\n\n");
    if (http->scratch.err) return hf_client_shut(c);
    c->last |= over;
    hf_exchange_count(http, 200);
    if (!over) {
        c->phase = HF_PHASE_EVENTS;
        c->last = false;
        c->next_listener = http->listeners;
        http->listeners = c;
        hf_client_end_in(c, UINT64_MAX);
    }
    hf_client_send(c, hf_buf_bytes(&http->scratch), HF_BYTES(NULL, 0));
}

void hf_events_forget(hf_client *c) {
    hf_client **at = &c->http->listeners;
    while (*at && *at != c) at = &(*at)->next_listener;
    if (*at) *at = c->next_listener;
}

/* A listener that does not read will look for itself when it comes back. */
static void tell(hf_client *c, hf_bytes line) {
    if (c->out.len - c->out_at < QUEUED_MAX) hf_client_send(c, line, HF_BYTES(NULL, 0));
}

void hf_http_changed(hf_http *http, hf_bytes collection) {
    if (!http->listeners) return;
    hf_buf line;
    hf_buf_init(&line, &http->node->mem);
    hf_buf_add_str(&line, "event: change\ndata: {\"collection\":\"");
    hf_buf_add(&line, collection);
    hf_buf_add_str(&line, "\"}\n\n");
    for (hf_client *c = http->listeners; c && !line.err; c = c->next_listener) tell(c, hf_buf_bytes(&line));
    hf_buf_deinit(&line);
}

/* So that what stands between does not think the stream dead, and that we notice when it is. */
void hf_events_beat(hf_http *http) {
    for (hf_client *c = http->listeners; c; c = c->next_listener) tell(c, HF_TEXT(":\n\n"));
}

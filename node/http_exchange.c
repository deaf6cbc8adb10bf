/* http_exchange: a request from its headers to its answer. */
#include "../core/codec/multibase.h"
#include "../core/codec/varint.h"
#include "describe.h"
#include "http_private.h"
#include "metrics.h"
#include "say.h"

#include <string.h>

enum {
    ENTRY_BLOCKS_MAX = 8,
    BODY_TOLD_MAX = 1 << 20,       /* a body that is announced as longer is not even read */
    BODY_PAUSE_MS = 8000,          /* between two pieces of a body */
    SEND_MS = 20000,
    BODY_GRACE_MS = 10000,         /* after this it has to have come at a byte a millisecond */
};

/* ---- answering ---- */

void hf_exchange_count(hf_http *http, unsigned status) { http->n_answers[status / 100 % HF_COUNT(http->n_answers)]++; }

static void answer_now(hf_client *c, const hf_response *response, bool head) {
    hf_buf *buf = &c->http->scratch;
    c->last |= c->http->stopping;
    hf_exchange_count(c->http, response->status);
    hf_buf_clear(buf);
    bool body = hf_http_add_head(buf, response, hf_node_wall(), !c->last);
    if (buf->err) return hf_client_shut(c);
    hf_client_send(c, hf_buf_bytes(buf), body && !head ? response->body : HF_BYTES(NULL, 0));
}

static void answer_later(hf_client *c, const hf_response *response, const hf_wire_request *wire, uint64_t seq) {
    hf_http *http = c->http;
    hf_refuse_remember(c, wire);
    c->last |= http->stopping;
    hf_exchange_count(http, response->status);
    if (hf_http_add_head(&c->out, response, hf_node_wall(), !c->last)) hf_buf_add(&c->out, response->body);
    if (c->out.err) return hf_client_shut(c);
    c->phase = HF_PHASE_WAITING;
    c->seq = seq;
    c->next_waiting = NULL;
    *http->waiting_last = c;
    http->waiting_last = &c->next_waiting;
    hf_client_end_in(c, UINT64_MAX);
    if (http->node->refuses) hf_http_refuse_waiting(http);
}

static void answer_text(hf_client *c, unsigned status, const char *type, hf_bytes body, bool head) {
    hf_response r = {.status = status, .body = body, .n_headers = 4};
    r.headers[0] = (hf_header){HF_TEXT("content-type"), hf_str(type)};
    r.headers[1] = (hf_header){HF_TEXT("cache-control"), HF_TEXT("no-store")};
    r.headers[2] = (hf_header){HF_TEXT("x-content-type-options"), HF_TEXT("nosniff")};
    r.headers[3] = (hf_header){HF_TEXT("access-control-allow-origin"), HF_TEXT("*")};
    if (status == 405) r.headers[r.n_headers++] = (hf_header){HF_TEXT("allow"), HF_TEXT("GET, HEAD")};
    if (status == 426) r.headers[r.n_headers++] = (hf_header){HF_TEXT("sec-websocket-version"), HF_TEXT("13")};
    answer_now(c, &r, head);
}

static void answer_plain(hf_client *c, unsigned status, const char *text, bool head) {
    answer_text(c, status, "text/plain; charset=utf-8", hf_str(text), head);
}

/* What stands after such a request cannot be trusted to be another one. */
static void refuse(hf_client *c, unsigned status) {
    static const struct { unsigned status; const char *text; } TEXTS[] = {
        {403, "Not for pages of other sites.\n"}, {404, "No WebSocket here.\n"}, {411, "Send a content-length.\n"}, {413, "That is too long.\n"}, {415, "Send it as it is, not compressed.\n"}, {417, "Only 100-continue can be expected.\n"},
        {421, "This name is not served here; a node is told of its name by --origin.\n"}, {426, "Only version 13.\n"}, {431, "These headers are too long.\n"},
        {505, "Only HTTP/1.0 and HTTP/1.1.\n"},
    };
    const char *text = "The request cannot be read.\n";
    for (size_t i = 0; i < HF_COUNT(TEXTS); i++)
        if (TEXTS[i].status == status) text = TEXTS[i].text;
    c->last = true;
    answer_plain(c, status, text, hf_starts(hf_buf_bytes(&c->in), HF_TEXT("HEAD ")));
}

static void answer_file(hf_client *c, const hf_site_file *file, const hf_wire_request *wire) {
    hf_bytes release = hf_site_release(c->http->node->site);
    bool pinned = hf_eq(wire->query_version, release), gzip = wire->gzip && file->gzip.len;
    if (wire->query_version.len && !pinned) return answer_plain(c, 404, "That release is not served here any more.\n", wire->head);
    hf_response r = {.status = 200, .body = gzip ? file->gzip : file->bytes, .n_headers = 4};
    r.headers[0] = (hf_header){HF_TEXT("content-type"), hf_str(file->type)};
    r.headers[1] = (hf_header){HF_TEXT("cache-control"), pinned ? HF_TEXT("public, max-age=31536000, immutable") : HF_TEXT("no-cache")};
    r.headers[2] = (hf_header){HF_TEXT("x-content-type-options"), HF_TEXT("nosniff")};
    r.headers[3] = (hf_header){HF_TEXT("vary"), HF_TEXT("accept-encoding")};
    if (gzip) r.headers[r.n_headers++] = (hf_header){HF_TEXT("content-encoding"), HF_TEXT("gzip")};
    if (!strcmp(file->name, "sw.js")) {
        r.headers[r.n_headers++] = (hf_header){HF_TEXT("service-worker-allowed"), HF_TEXT("/")};
        r.headers[r.n_headers++] = (hf_header){HF_TEXT("content-security-policy"),
                                               HF_TEXT("default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws: wss: http: https:")};
    }
    return answer_now(c, &r, wire->head);
}

/* What the node says of itself. */
static void answer_written(hf_client *c, void write(const hf_node *node, hf_buf *buf), const char *type, bool head) {
    hf_buf text;
    hf_buf_init(&text, &c->http->node->mem);
    write(c->http->node, &text);
    if (text.err) answer_plain(c, 500, "out of memory\n", head);
    else answer_text(c, 200, type, hf_buf_bytes(&text), head);
    hf_buf_deinit(&text);
}

/* ---- requests ---- */

/* The browser's own signed blocks that came with a form: joined first, so that the action finds its operation done. */
static void offer_entry(hf_node *node, hf_bytes text) {
    hf_buf blocks;
    hf_buf_init(&blocks, &node->mem);
    hf_fault fault;
    size_t at = 0;
    if (hf_base_decode(HF_BASE64URL, text, &blocks)) blocks.len = 0;
    for (int i = 0; i < ENTRY_BLOCKS_MAX && at < blocks.len; i++) {
        uint64_t len;
        size_t head;
        hf_bytes rest = hf_sub(hf_buf_bytes(&blocks), at, blocks.len);
        if (hf_varint_read(rest, &len, &head) || len > rest.len - head) break;
        hf_err err = hf_core_offer(node->core, hf_node_now(node), hf_sub(rest, head, len), &fault);
        if (err && err != HF_EXISTS) hf_say(HF_LEVEL_DEBUG, "a form's own entry was not joined", "error", hf_err_name(err), NULL);
        at += head + (size_t)len;
    }
    hf_buf_deinit(&blocks);
}

static void run(hf_client *c, hf_wire_request *wire) {
    hf_node *node = c->http->node;
    if (hf_refuse_write(c, wire)) return;
    if (wire->entry.len) offer_entry(node, wire->entry);
    hf_response response = {0};
    uint64_t seq;
    wire->request.now_ms = hf_node_wall();
    hf_err err = hf_core_handle(node->core, hf_node_now(node), &wire->request, &response, &seq);
    if (err) answer_plain(c, 500, "The node is out of memory.\n", wire->head);
    else if (seq && response.status < 400) answer_later(c, &response, wire, seq); /* a refusal promises nothing */
    else answer_now(c, &response, wire->head);
    hf_node_pump(node);
}

static void answer_ready(hf_client *c, bool head) {
    bool ready = c->http->node->ready;
    answer_plain(c, ready ? 200 : 503, ready ? "ready\n" : "not ready\n", head);
}

static void answer_ipfs(hf_client *c, const hf_wire_request *wire) {
    unsigned refused = 0;
    if (hf_eq(wire->request.method, HF_TEXT("OPTIONS"))) {
        hf_response r = {.status = 204, .n_headers = 4};
        r.headers[0] = (hf_header){HF_TEXT("access-control-allow-origin"), HF_TEXT("*")};
        r.headers[1] = (hf_header){HF_TEXT("access-control-allow-methods"), HF_TEXT("GET, HEAD, OPTIONS")};
        r.headers[2] = (hf_header){HF_TEXT("access-control-allow-headers"), HF_TEXT("Content-Type, Range, User-Agent, X-Requested-With")};
        r.headers[3] = (hf_header){HF_TEXT("access-control-max-age"), HF_TEXT("86400")};
        answer_now(c, &r, false);
    } else if (!wire->head && !hf_eq(wire->request.method, HF_TEXT("GET"))) answer_plain(c, 405, "Only GET and HEAD.\n", false);
    else if ((refused = hf_ipfs_begin(c, wire))) answer_plain(c, refused, "Too many files are being read.\n", wire->head);
}

static void route(hf_client *c, hf_wire_request *wire) {
    hf_bytes path = wire->request.path, method = wire->request.method, prefix = HF_TEXT("/_holdfast/");
    bool file = hf_starts(path, prefix), health = hf_eq(path, HF_TEXT("/healthz")), ready = hf_eq(path, HF_TEXT("/readyz")),
         described = hf_eq(path, HF_TEXT("/.well-known/holdfast.json")), events = hf_eq(path, HF_TEXT("/events")), metrics = hf_eq(path, HF_TEXT("/metrics"));
    if (hf_starts(path, HF_TEXT("/ipfs/"))) return answer_ipfs(c, wire);
    if (!file && !health && !ready && !described && !events && !metrics) return run(c, wire);
    if (!wire->head && !hf_eq(method, HF_TEXT("GET"))) return answer_plain(c, 405, "Only GET and HEAD.\n", false);
    if (health) return answer_plain(c, 200, "ok\n", wire->head);
    if (ready) return answer_ready(c, wire->head);
    if (described) return answer_written(c, hf_describe_site, "application/json", wire->head);
    if (metrics) return answer_written(c, hf_metrics_write, HF_METRICS_TYPE, wire->head);
    if (events) return hf_events_begin(c, wire->head);
    const hf_site_file *found = hf_site_file_of(c->http->node->site, hf_sub(path, prefix.len, path.len));
    if (found) answer_file(c, found, wire);
    else answer_plain(c, 404, "No such file.\n", wire->head);
}

/* ---- requests as they come in ---- */

/* 0, or the status to refuse with. */
static unsigned begin_body(hf_client *c, const hf_http_head *head) {
    hf_bytes expect = head->fields[HF_HTTP_EXPECT];
    size_t len = head->body_len > HF_APP_BODY_MAX ? HF_APP_BODY_MAX + 1 : (size_t)head->body_len; /* one too many: the core sees it and says so */
    if (head->body_len > BODY_TOLD_MAX) return 413;
    if (expect.len && !hf_http_mentions(expect, "100-continue")) return 417;
    hf_bytes encoding = head->fields[HF_HTTP_CONTENT_ENCODING];
    if (encoding.len && !hf_http_mentions(encoding, "identity")) return 415; /* nothing is unpacked here */
    c->need = c->head_len + len;
    c->phase = HF_PHASE_BODY;
    c->began_ms = hf_node_now(c->http->node);
    hf_client_end_in(c, BODY_PAUSE_MS);
    if (expect.len && c->in.len < c->need) hf_client_send(c, HF_TEXT("HTTP/1.1 100 Continue\r\n\r\n"), HF_BYTES(NULL, 0));
    return 0;
}

/* False: too slow. */
static bool body_goes_on(hf_client *c) {
    size_t n_received = c->in.len - c->head_len;
    hf_client_end_in(c, BODY_PAUSE_MS);
    return hf_node_now(c->http->node) - c->began_ms <= BODY_GRACE_MS + n_received;
}

static void use_up(hf_client *c, const hf_http_head *head, size_t head_len) {
    size_t len = c->need > head_len ? c->need : head_len;
    c->last |= head->body_len > len - head_len; /* the rest of the body stays unread */
    hf_buf_consume(&c->in, len);
    c->scanned = c->head_len = c->need = 0;
}

/* All of it is in c->in. */
static void handle(hf_client *c, const hf_http_head *head, size_t head_len) {
    hf_http *http = c->http;
    hf_wire_request wire;
    hf_arena_clear(&http->arena);
    c->last |= !head->keep_alive;
    c->phase = HF_PHASE_HEAD;
    unsigned refused = hf_http_read(head, http->node->options->origin, http->tls != NULL, http->place, &http->arena, &wire);
    wire.request.body = c->need > head_len ? hf_sub(hf_buf_bytes(&c->in), head_len, c->need - head_len) : HF_BYTES(NULL, 0);
    if (refused) refuse(c, refused);
    else if (!hf_peer_is_asked_for(head)) route(c, &wire);
    else if (http->stopping) refuse(c, 503);
    else if ((refused = hf_peer_begin(c, head))) refuse(c, refused);
    if (c->phase != HF_PHASE_GONE) use_up(c, head, head_len);
}

bool hf_exchange_take(hf_client *c) {
    if (c->phase == HF_PHASE_BODY && c->in.len < c->need) {
        if (!body_goes_on(c)) hf_client_shut(c);
        return false;
    }
    hf_http_head head;
    size_t head_len;
    if (c->phase == HF_PHASE_BODY) c->scanned = 0; /* read again: its bytes may have moved */
    unsigned refused = hf_http_parse(hf_buf_bytes(&c->in), &c->scanned, &head, &head_len);
    if (!refused && !head_len) return false;
    c->head_len = head_len;
    if (!refused && head.body_len && c->phase == HF_PHASE_HEAD) refused = begin_body(c, &head);
    if (refused) return refuse(c, refused), false;
    if (c->in.len < c->need) return false;
    handle(c, &head, head_len);
    return true;
}

/* ---- after it ---- */

void hf_http_stored(hf_http *http, uint64_t seq) {
    if (!http->waiting || http->waiting->seq > seq) return;
    while (http->waiting && http->waiting->seq <= seq) {
        hf_client *c = http->waiting;
        http->waiting = c->next_waiting;
        if (!http->waiting) http->waiting_last = &http->waiting;
        c->phase = HF_PHASE_HEAD;
        hf_refuse_forget(c);
        hf_client_end_in(c, SEND_MS);
        hf_client_resume(c);
    }
    if (!http->waiting) hf_http_stay_awake(http);
}

void hf_exchange_forget(hf_client *c) {
    hf_http *http = c->http;
    hf_client **at = &http->waiting;
    while (*at && *at != c) at = &(*at)->next_waiting;
    if (*at) *at = c->next_waiting;
    http->waiting_last = &http->waiting;
    while (*http->waiting_last) http->waiting_last = &(*http->waiting_last)->next_waiting;
}

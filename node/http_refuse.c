/* http_refuse: a form while the store cannot write: a page that says so, with everything that was typed, to be sent again. It has the same operation ID, so
 * that it counts once whatever became of the first. */
#include "http_private.h"

#include <string.h>

enum { SEND_REFUSAL_MS = 20000 };

/* ---- what was typed ---- */

void hf_refuse_remember(hf_client *c, const hf_wire_request *wire) {
    hf_buf_clear(&c->typed);
    bool form = hf_starts(wire->request.content_type, HF_TEXT("application/x-www-form-urlencoded"));
    if (!form || wire->request.body.len > HF_APP_BODY_MAX) return;
    hf_buf_add(&c->typed, wire->request.path);
    hf_buf_add_byte(&c->typed, 0);
    hf_buf_add(&c->typed, wire->request.body);
    if (c->typed.err) hf_refuse_forget(c);
}

void hf_refuse_forget(hf_client *c) {
    hf_buf_deinit(&c->typed);
    hf_buf_init(&c->typed, &c->http->node->mem);
}

/* ---- the page ---- */

static void add_escaped(hf_buf *buf, uint8_t byte) {
    switch (byte) {
    case '&': hf_buf_add_str(buf, "&amp;"); return;
    case '<': hf_buf_add_str(buf, "&lt;"); return;
    case '>': hf_buf_add_str(buf, "&gt;"); return;
    case '"': hf_buf_add_str(buf, "&quot;"); return;
    case '\'': hf_buf_add_str(buf, "&#39;"); return;
    default: hf_buf_add_byte(buf, byte);
    }
}

static int hex(uint8_t c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

/* Of a form's body, decoded and made harmless. */
static void add_decoded(hf_buf *buf, hf_bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        bool escape = byte == '%' && i + 2 < text.len && hex(text.ptr[i + 1]) >= 0 && hex(text.ptr[i + 2]) >= 0;
        if (escape) {
            byte = (uint8_t)(hex(text.ptr[i + 1]) << 4 | hex(text.ptr[i + 2]));
            i += 2;
        } else if (byte == '+') byte = ' ';
        add_escaped(buf, byte);
    }
}

static void add_field(hf_buf *buf, hf_bytes pair) {
    size_t end = hf_find(pair, '=', 0);
    hf_bytes name = hf_sub(pair, 0, end), value = hf_sub(pair, end + 1, pair.len);
    bool op = hf_eq(name, HF_TEXT("op"));
    if (!name.len) return;
    hf_buf_add_str(buf, op ? "<input type=\"hidden\" name=\"" : "<p><label>");
    add_decoded(buf, name);
    hf_buf_add_str(buf, op ? "\" value=\"" : "<br><textarea cols=\"60\" name=\"");
    if (!op) add_decoded(buf, name);
    if (!op) hf_buf_add_str(buf, "\">\n");
    add_decoded(buf, value);
    hf_buf_add_str(buf, op ? "\">\n" : "</textarea></label></p>\n");
}

static void add_page(hf_buf *buf, hf_bytes typed) {
    size_t end = hf_find(typed, 0, 0);
    hf_bytes body = hf_sub(typed, end + 1, typed.len);
    hf_buf_add_str(buf, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\"><title>Not saved</title></head>\n"
                        "<body><main><h1>Not saved</h1>\n<p>This server cannot store anything at the moment. What was there before can still be read.</p>\n"
                        "<p>What you sent stands here. Send it again in a while: it will count once.</p>\n<form method=\"post\" action=\"");
    for (size_t i = 0; i < end; i++) add_escaped(buf, typed.ptr[i]);
    hf_buf_add_str(buf, "\">\n");
    for (size_t at = 0; at < body.len;) {
        size_t to = hf_find(body, '&', at);
        add_field(buf, hf_sub(body, at, to - at));
        at = to + 1;
    }
    hf_buf_add_str(buf, "<p><button>Send again</button> <a href=\"/\">Back to the start</a></p>\n</form></main></body></html>\n");
}

/* ---- answering ---- */

static void fill(hf_response *r, bool page, hf_bytes body) {
    *r = (hf_response){.status = 503, .body = body, .n_headers = 5};
    r->headers[0] = (hf_header){HF_TEXT("content-type"), page ? HF_TEXT("text/html; charset=utf-8") : HF_TEXT("application/json")};
    r->headers[1] = (hf_header){HF_TEXT("cache-control"), HF_TEXT("no-store")};
    r->headers[2] = (hf_header){HF_TEXT("x-content-type-options"), HF_TEXT("nosniff")};
    r->headers[3] = (hf_header){HF_TEXT("retry-after"), HF_TEXT("10")};
    r->headers[4] = (hf_header){HF_TEXT("content-security-policy"), HF_TEXT("default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")};
}

/* Into c->out; what was typed is used up. */
static void put_answer(hf_client *c) {
    hf_response r;
    hf_buf page;
    hf_buf_init(&page, &c->http->node->mem);
    bool form = c->typed.len > 0;
    if (form) add_page(&page, hf_buf_bytes(&c->typed));
    fill(&r, form, form && !page.err ? hf_buf_bytes(&page) : HF_TEXT("{\"error\":\"the server cannot store anything at the moment\"}\n"));
    hf_buf_clear(&c->out);
    c->out_at = 0;
    if (hf_http_add_head(&c->out, &r, hf_node_wall(), !c->last)) hf_buf_add(&c->out, r.body);
    c->broken |= c->out.err != 0;
    hf_buf_deinit(&page);
    hf_refuse_forget(c);
    hf_exchange_count(c->http, r.status);
}

/* One from elsewhere is the core's to refuse: a page of ours with what others put into it must not be a click away from being sent. */
static bool is_foreign(const hf_request *r) {
    bool site = !r->sec_fetch_site.len || hf_eq(r->sec_fetch_site, HF_TEXT("same-origin")) || hf_eq(r->sec_fetch_site, HF_TEXT("none"));
    return !site || (r->header_origin.len && !hf_eq(r->header_origin, r->origin));
}

bool hf_refuse_write(hf_client *c, const hf_wire_request *wire) {
    hf_bytes method = wire->request.method;
    bool reads = wire->head || hf_eq(method, HF_TEXT("GET")) || hf_eq(method, HF_TEXT("OPTIONS"));
    if (!c->http->node->refuses || reads || is_foreign(&wire->request)) return false;
    c->last |= c->http->stopping;
    hf_refuse_remember(c, wire);
    put_answer(c);
    hf_client_end_in(c, SEND_REFUSAL_MS);
    hf_client_flush(c);
    return true;
}

void hf_http_refuse_waiting(hf_http *http) {
    while (http->waiting) {
        hf_client *c = http->waiting;
        http->waiting = c->next_waiting;
        if (!http->waiting) http->waiting_last = &http->waiting;
        c->phase = HF_PHASE_HEAD;
        put_answer(c);
        hf_client_end_in(c, SEND_REFUSAL_MS);
        hf_client_resume(c);
    }
}

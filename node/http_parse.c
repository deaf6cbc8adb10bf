/* http_parse: see http_parse.h. */
#include "http_parse.h"

#include <llhttp.h>
#include <string.h>
#include <strings.h>

static const char *const NAMES[HF_HTTP_NAMES] = {
    [HF_HTTP_HOST] = "host",
    [HF_HTTP_CONTENT_TYPE] = "content-type", [HF_HTTP_CONTENT_ENCODING] = "content-encoding",
    [HF_HTTP_ORIGIN] = "origin",
    [HF_HTTP_EXPECT] = "expect",
    [HF_HTTP_UPGRADE] = "upgrade",
    [HF_HTTP_SEC_FETCH_SITE] = "sec-fetch-site",
    [HF_HTTP_WEBSOCKET_KEY] = "sec-websocket-key",
    [HF_HTTP_WEBSOCKET_VERSION] = "sec-websocket-version",
    [HF_HTTP_IDEMPOTENCY_KEY] = "idempotency-key",
    [HF_HTTP_HOLDFAST_ENTRY] = "holdfast-entry",
    [HF_HTTP_ACCEPT] = "accept",
    [HF_HTTP_ACCEPT_ENCODING] = "accept-encoding",
    [HF_HTTP_COOKIE] = "cookie",
    [HF_HTTP_IF_MATCH] = "if-match",
    [HF_HTTP_IF_NONE_MATCH] = "if-none-match",
    [HF_HTTP_REFERER] = "referer",
    [HF_HTTP_RANGE] = "range",
    [HF_HTTP_CACHE_CONTROL] = "cache-control",
    [HF_HTTP_SERVICE_WORKER] = "service-worker",
};

static bool is_space(uint8_t c) { return c == ' ' || c == '\t'; }

static int hex_of(uint8_t c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_word(hf_bytes text, const char *word) {
    size_t len = strlen(word);
    return text.len == len && !strncasecmp((const char *)text.ptr, word, len);
}

static hf_bytes trim(hf_bytes text) {
    while (text.len && is_space(text.ptr[0])) text = hf_sub(text, 1, text.len);
    while (text.len && is_space(text.ptr[text.len - 1])) text.len--;
    return text;
}

bool hf_http_mentions(hf_bytes list, const char *word) {
    for (size_t at = 0; at < list.len;) {
        size_t end = hf_find(list, ',', at);
        hf_bytes item = hf_sub(list, at, end - at);
        if (is_word(trim(hf_sub(item, 0, hf_find(item, ';', 0))), word)) return true;
        at = end + 1;
    }
    return false;
}

/* ---- where the head ends ---- */

static bool fits(uint8_t before, uint8_t c) {
    if ((before == '\r') != (c == '\n')) return false;
    if (before == '\n' && is_space(c)) return false;
    return (c >= 0x20 && c != 0x7f) || c == '\t' || c == '\r' || c == '\n';
}

/* 400 at the first byte that no head has, without waiting for the rest of it; else *ret_end: after the empty line, 0: not there yet. */
static unsigned find_end(hf_bytes b, size_t *scanned, size_t *ret_end) {
    *ret_end = 0;
    for (size_t i = *scanned; i < b.len && i < HF_HTTP_HEAD_MAX; i++) {
        if (!fits(i ? b.ptr[i - 1] : 0, b.ptr[i])) return 400;
        *scanned = i + 1;
        if (b.ptr[i] == '\n' && i >= 3 && b.ptr[i - 2] == '\n') return *ret_end = i + 1, 0;
    }
    return b.len >= HF_HTTP_HEAD_MAX ? 431 : 0;
}

/* ---- what llhttp finds ---- */

typedef struct findings {
    hf_http_head *head;
    hf_bytes target, version, name, value;
    uint32_t seen;             /* of the names */
    int n_fields;
    unsigned refused;
    bool complete;
} findings;

/* Parts may come in pieces that follow one another. */
static int extend(hf_bytes *part, const char *at, size_t len) {
    if (!part->ptr) part->ptr = (const uint8_t *)at;
    part->len = (size_t)((const uint8_t *)at - part->ptr) + len;
    return 0;
}

static int on_method(llhttp_t *p, const char *at, size_t len) { return extend(&((findings *)p->data)->head->method, at, len); }
static int on_target(llhttp_t *p, const char *at, size_t len) { return extend(&((findings *)p->data)->target, at, len); }
static int on_version(llhttp_t *p, const char *at, size_t len) { return extend(&((findings *)p->data)->version, at, len); }
static int on_name(llhttp_t *p, const char *at, size_t len) { return extend(&((findings *)p->data)->name, at, len); }
static int on_value(llhttp_t *p, const char *at, size_t len) { return extend(&((findings *)p->data)->value, at, len); }

static hf_http_name name_of(hf_bytes name) {
    for (int i = 0; i < HF_HTTP_NAMES; i++)
        if (is_word(name, NAMES[i])) return (hf_http_name)i;
    return HF_HTTP_NAMES;
}

static unsigned take_field(findings *f, hf_bytes name, hf_bytes value) {
    if (f->n_fields++ == HF_HTTP_LINES_MAX) return 431;
    if (!name.len) return 400;
    hf_http_name known = name_of(name);
    if (known == HF_HTTP_NAMES) return 0;
    bool again = f->seen & 1u << known;
    f->seen |= 1u << known;
    if (again) return known < HF_HTTP_ONCE ? 400 : 0;
    f->head->fields[known] = value;
    return 0;
}

static int on_field_complete(llhttp_t *p) {
    findings *f = p->data;
    f->refused = take_field(f, f->name, trim(f->value));
    f->name = f->value = HF_BYTES(NULL, 0);
    return f->refused ? HPE_USER : HPE_OK;
}

static int on_complete(llhttp_t *p) {
    ((findings *)p->data)->complete = true;
    return HPE_PAUSED; /* the body is none of its business */
}

static const llhttp_settings_t SETTINGS = {
    .on_method = on_method,
    .on_url = on_target,
    .on_version = on_version,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_field_complete,
    .on_headers_complete = on_complete,
};

/* ---- what we make of it ---- */

static bool path_is_clean(hf_bytes path) {
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%') continue;
        if (path.len - i < 3 || hex_of(path.ptr[i + 1]) < 0 || hex_of(path.ptr[i + 2]) < 0) return false;
        if (path.ptr[i + 1] == '0' && path.ptr[i + 2] == '0') return false;
    }
    return true;
}

static bool read_target(hf_bytes target, hf_http_head *ret) {
    bool plain = hf_starts(target, HF_TEXT("http://")), secure = hf_starts(target, HF_TEXT("https://"));
    if (hf_find(target, '#', 0) < target.len) return false;
    if (plain || secure) {
        hf_bytes rest = hf_sub(target, secure ? 8 : 7, target.len);
        size_t slash = hf_find(rest, '/', 0);
        ret->host = hf_sub(rest, 0, slash);
        target = hf_sub(rest, slash, rest.len);
        if (!ret->host.len) return false;
    }
    size_t question = hf_find(target, '?', 0);
    ret->path = hf_sub(target, 0, question);
    ret->query = hf_sub(target, question + 1, target.len);
    return ret->path.len && ret->path.ptr[0] == '/' && path_is_clean(ret->path);
}

/* One space each, and HTTP: llhttp would also read RTSP. */
static bool line_is_plain(const findings *f) {
    hf_bytes protocol = HF_TEXT(" HTTP/");
    const uint8_t *method_end = f->head->method.ptr + f->head->method.len, *target_end = f->target.ptr + f->target.len;
    return f->target.ptr == method_end + 1 && f->version.ptr == target_end + protocol.len && !memcmp(target_end, protocol.ptr, protocol.len);
}

/* How long the body is must be beyond doubt: what one reader takes for a body, another could take for the next request. */
static unsigned read_length(const llhttp_t *p, hf_http_head *head) {
    bool reading = hf_eq(head->method, HF_TEXT("GET")) || hf_eq(head->method, HF_TEXT("HEAD"));
    bool writing = hf_eq(head->method, HF_TEXT("POST")) || hf_eq(head->method, HF_TEXT("PUT")) || hf_eq(head->method, HF_TEXT("PATCH"));
    if (p->flags & F_TRANSFER_ENCODING) return 411;
    if (!(p->flags & F_CONTENT_LENGTH)) return writing ? 411 : 0;
    head->body_len = p->content_length;
    return reading && head->body_len ? 400 : 0;
}

static unsigned read_found(const llhttp_t *p, const findings *f) {
    hf_http_head *head = f->head;
    bool newest = hf_eq(f->version, HF_TEXT("1.1"));
    if (f->refused) return f->refused;
    if (f->version.len == 3 && !newest && !hf_eq(f->version, HF_TEXT("1.0"))) return 505;
    if (!f->complete || !f->version.len || !line_is_plain(f) || !read_target(f->target, head)) return 400;
    if (!head->host.len) head->host = head->fields[HF_HTTP_HOST];
    if (!head->host.len || !(f->seen & 1u << HF_HTTP_HOST)) return 400;
    head->newest = newest;
    head->keep_alive = newest && llhttp_should_keep_alive(p);
    head->upgrade = p->flags & F_CONNECTION_UPGRADE;
    return read_length(p, head);
}

unsigned hf_http_parse(hf_bytes bytes, size_t *scanned, hf_http_head *ret, size_t *ret_len) {
    *ret_len = 0;
    *ret = (hf_http_head){0};
    size_t end;
    unsigned refused = find_end(bytes, scanned, &end);
    if (refused || !end) return refused;
    findings found = {.head = ret};
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &SETTINGS);
    parser.data = &found;
    llhttp_execute(&parser, (const char *)bytes.ptr, end);
    found.complete &= llhttp_get_error_pos(&parser) == (const char *)bytes.ptr + end; /* it ends where we saw its end */
    *ret_len = end;
    return read_found(&parser, &found);
}

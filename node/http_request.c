/* http_request: see http_request.h. */
#include "http_request.h"

#include "../core/app/date.h"
#include "../core/p2p/reach.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool host_is_clean(hf_bytes host) {
    if (!host.len || host.len > 255) return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        bool ok = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c && strchr("-.:[]_", c));
        if (!ok) return false;
    }
    return true;
}

static bool is_ip4(hf_bytes name) {
    struct in_addr ip;
    char text[16];
    if (name.len >= sizeof text) return false;
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    return inet_pton(AF_INET, text, &ip) == 1;
}

static bool same_name(hf_bytes name, const char *other) { return name.len == strlen(other) && !strncasecmp((const char *)name.ptr, other, name.len); }

/* Without the port; empty: it is no host. */
static hf_bytes name_of(hf_bytes host) {
    bool v6 = host.len && host.ptr[0] == '[';
    size_t end = v6 ? hf_find(host, ']', 0) + 1 : hf_find(host, ':', 0);
    if (end > host.len || (end < host.len && host.ptr[end] != ':')) end = 0;
    return hf_sub(host, 0, end);
}

static bool ends_in(hf_bytes name, const char *suffix) {
    size_t len = strlen(suffix);
    return name.len > len && same_name(hf_sub(name, name.len - len, name.len), suffix);
}

static bool name_is_local(hf_bytes name) {
    if (same_name(name, "localhost") || same_name(name, "[::1]")) return true;
    return hf_starts(name, HF_TEXT("127.")) ? is_ip4(name) : ends_in(name, ".localhost");
}

/* 4 or 16 bytes; 0: it is none. */
static size_t read_ip(hf_bytes name, uint8_t ret[16]) {
    char text[64];
    bool v6 = name.len > 1 && name.ptr[0] == '[';
    if (v6) name = hf_sub(name, 1, name.len - 2);
    if (name.len >= sizeof text) return 0;
    memcpy(text, name.ptr, name.len);
    text[name.len] = 0;
    return inet_pton(v6 ? AF_INET6 : AF_INET, text, ret) == 1 ? v6 ? 16 : 4 : 0;
}

/* Nobody out there can make such a name lead here: private addresses, and names that public DNS does not have. */
static bool name_is_near(hf_bytes name) {
    static const char *const SUFFIXES[] = {".local", ".lan", ".internal", ".home.arpa", ".test"};
    uint8_t ip[16];
    size_t len = read_ip(name, ip);
    if (len) return !hf_reach_is_public_ip(HF_BYTES(ip, len));
    for (size_t i = 0; i < HF_COUNT(SUFFIXES); i++)
        if (ends_in(name, SUFFIXES[i])) return true;
    return hf_find(name, '.', 0) == name.len && hf_find(name, ':', 0) == name.len;
}

static bool is_host_of(hf_bytes host, const char *origin) {
    const char *name = origin ? strstr(origin, "://") : NULL;
    return name && same_name(host, name + 3);
}

static hf_bytes origin_of(hf_bytes host, bool tls, hf_arena *arena) {
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    hf_buf_add_str(&buf, tls ? "https://" : "http://");
    hf_buf_add(&buf, host);
    hf_bytes kept = hf_arena_copy(arena, hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return kept;
}

static hf_bytes session_of(hf_bytes cookies) {
    hf_bytes name = HF_TEXT("holdfast_session=");
    for (size_t at = 0; at < cookies.len;) {
        while (at < cookies.len && cookies.ptr[at] == ' ') at++;
        size_t end = hf_find(cookies, ';', at);
        hf_bytes cookie = hf_sub(cookies, at, end - at);
        if (hf_starts(cookie, name)) return hf_sub(cookie, name.len, cookie.len);
        at = end + 1;
    }
    return HF_BYTES(NULL, 0);
}

static bool host_is_ours(hf_bytes host, const char *origin, hf_http_place place) {
    hf_bytes name = name_of(host);
    if (place == HF_HTTP_ANYWHERE || is_host_of(host, origin)) return true;
    return name.len && (name_is_local(name) || (place == HF_HTTP_NETWORK && name_is_near(name)));
}

hf_http_place hf_http_place_of(const char *host) {
    uint8_t ip[16], zeros[16] = {0};
    hf_bytes name = hf_str(host);
    bool v6 = strchr(host, ':') != NULL;
    if (!strncmp(host, "127.", 4) || !strcmp(host, "localhost") || !strcmp(host, "::1")) return HF_HTTP_MACHINE;
    if (inet_pton(v6 ? AF_INET6 : AF_INET, host, ip) != 1 || !name.len) return HF_HTTP_ANYWHERE;
    size_t len = v6 ? 16 : 4;
    return !memcmp(ip, zeros, len) || hf_reach_is_public_ip(HF_BYTES(ip, len)) ? HF_HTTP_ANYWHERE : HF_HTTP_NETWORK;
}

bool hf_http_may_open(hf_bytes page, const char *origin, hf_http_place place, const char *const *others, size_t n_others) {
    if (place == HF_HTTP_ANYWHERE || !page.len) return true;
    for (size_t i = 0; i < n_others; i++)
        if (same_name(page, others[i])) return true;
    size_t scheme = hf_starts(page, HF_TEXT("http://")) ? 7 : hf_starts(page, HF_TEXT("https://")) ? 8 : page.len;
    hf_bytes host = hf_sub(page, scheme, page.len);
    return host_is_clean(host) && host_is_ours(host, origin, place);
}

/* The value of ?v=. */
static hf_bytes version_of(hf_bytes query) {
    for (size_t at = 0; at < query.len;) {
        size_t end = hf_find(query, '&', at);
        hf_bytes pair = hf_sub(query, at, end - at);
        if (hf_starts(pair, HF_TEXT("v="))) return hf_sub(pair, 2, pair.len);
        at = end + 1;
    }
    return HF_BYTES(NULL, 0);
}

unsigned hf_http_read(const hf_http_head *head, const char *origin, bool tls, hf_http_place place, hf_arena *arena, hf_wire_request *ret) {
    const hf_bytes *fields = head->fields;
    memset(ret, 0, sizeof *ret);
    if (!host_is_clean(head->host)) return 400;
    if (!host_is_ours(head->host, origin, place)) return 421;
    ret->request = (hf_request){
        .method = head->method,
        .path = head->path,
        .query = head->query,
        .origin = origin ? hf_str(origin) : origin_of(head->host, tls, arena),
        .content_type = fields[HF_HTTP_CONTENT_TYPE],
        .if_none_match = fields[HF_HTTP_IF_NONE_MATCH],
        .if_match = fields[HF_HTTP_IF_MATCH],
        .accept = fields[HF_HTTP_ACCEPT],
        .header_origin = fields[HF_HTTP_ORIGIN],
        .referer = fields[HF_HTTP_REFERER],
        .sec_fetch_site = fields[HF_HTTP_SEC_FETCH_SITE],
        .client_op = fields[HF_HTTP_IDEMPOTENCY_KEY],
        .session = session_of(fields[HF_HTTP_COOKIE]),
    };
    ret->entry = fields[HF_HTTP_HOLDFAST_ENTRY];
    ret->query_version = version_of(head->query);
    ret->range = fields[HF_HTTP_RANGE];
    ret->cache_control = fields[HF_HTTP_CACHE_CONTROL];
    ret->service_worker = fields[HF_HTTP_SERVICE_WORKER];
    ret->newest = head->newest;
    ret->gzip = hf_http_mentions(fields[HF_HTTP_ACCEPT_ENCODING], "gzip");
    ret->head = hf_eq(head->method, HF_TEXT("HEAD"));
    return 0;
}

const char *hf_http_reason(unsigned status) {
    switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 505: return "HTTP Version Not Supported";
    default: return "Status";
    }
}

void hf_http_add_status(hf_buf *buf, unsigned status, uint64_t wall_ms) {
    hf_buf_add_str(buf, "HTTP/1.1 ");
    hf_buf_add_u64(buf, status);
    hf_buf_add_byte(buf, ' ');
    hf_buf_add_str(buf, hf_http_reason(status));
    hf_buf_add_str(buf, "\r\ndate: ");
    hf_date_add_http(buf, (int64_t)wall_ms);
    hf_buf_add_str(buf, "\r\n");
}

bool hf_http_add_head(hf_buf *buf, const hf_response *response, uint64_t wall_ms, bool keep_alive) {
    hf_http_add_status(buf, response->status, wall_ms);
    hf_buf_add_str(buf, "x-served-by: node\r\n");
    for (size_t i = 0; i < response->n_headers; i++) {
        hf_buf_add(buf, response->headers[i].name);
        hf_buf_add_str(buf, ": ");
        hf_buf_add(buf, response->headers[i].value);
        hf_buf_add_str(buf, "\r\n");
    }
    bool body = response->status != 204 && response->status != 304;
    if (body) {
        hf_buf_add_str(buf, "content-length: ");
        hf_buf_add_u64(buf, response->body.len);
        hf_buf_add_str(buf, "\r\n");
    }
    hf_buf_add_str(buf, keep_alive ? "\r\n" : "connection: close\r\n\r\n");
    return body;
}

/* http_parse: see http_parse.h. */
#include "http_parse.h"

#include <string.h>
#include <strings.h>

static const char *const NAMES[HF_HTTP_NAMES] = {
    [HF_HTTP_HOST] = "host",
    [HF_HTTP_CONTENT_LENGTH] = "content-length",
    [HF_HTTP_CONTENT_TYPE] = "content-type",
    [HF_HTTP_ORIGIN] = "origin",
    [HF_HTTP_TRANSFER_ENCODING] = "transfer-encoding",
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
};

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_upper(uint8_t c) { return c >= 'A' && c <= 'Z'; }
static bool is_token(uint8_t c) { return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z') || (c && strchr("!#$%&'*+-.^_`|~", c)); }
static bool is_space(uint8_t c) { return c == ' ' || c == '\t'; }

static int hex_of(uint8_t c) {
    if (is_digit(c)) return c - '0';
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

/* 400 at the first byte that no head has, without waiting for the rest of it; else *ret_end: after the empty line, 0: not there yet. */
static unsigned find_end(hf_bytes b, size_t *scanned, size_t *ret_end) {
    *ret_end = 0;
    for (size_t i = *scanned; i < b.len && i < HF_HTTP_HEAD_MAX; i++) {
        uint8_t c = b.ptr[i], before = i ? b.ptr[i - 1] : 0;
        if ((before == '\r') != (c == '\n')) return 400;
        if ((c < 0x20 && c != '\t' && c != '\r' && c != '\n') || c == 0x7f) return 400;
        *scanned = i + 1;
        if (c == '\n' && i >= 3 && b.ptr[i - 2] == '\n') return *ret_end = i + 1, 0;
    }
    return b.len >= HF_HTTP_HEAD_MAX ? 431 : 0;
}

/* ---- the request line ---- */

static bool path_is_clean(hf_bytes path) {
    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] != '%') continue;
        if (path.len - i < 3 || hex_of(path.ptr[i + 1]) < 0 || hex_of(path.ptr[i + 2]) < 0) return false;
        if (path.ptr[i + 1] == '0' && path.ptr[i + 2] == '0') return false;
    }
    return true;
}

static bool read_target(hf_bytes target, hf_http_head *ret) {
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= ' ' || target.ptr[i] >= 0x7f || target.ptr[i] == '#') return false;
    bool plain = hf_starts(target, HF_TEXT("http://")), secure = hf_starts(target, HF_TEXT("https://"));
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

static unsigned read_line(hf_bytes line, hf_http_head *ret) {
    size_t first = hf_find(line, ' ', 0), second = hf_find(line, ' ', first + 1);
    ret->method = hf_sub(line, 0, first);
    hf_bytes version = hf_sub(line, second + 1, line.len);
    if (!first || second >= line.len) return 400;
    for (size_t i = 0; i < first; i++)
        if (!is_upper(line.ptr[i])) return 400;
    if (version.len != 8 || !hf_starts(version, HF_TEXT("HTTP/")) || !is_digit(version.ptr[5]) || version.ptr[6] != '.' || !is_digit(version.ptr[7])) return 400;
    if (version.ptr[5] != '1' || version.ptr[7] > '1') return 505;
    ret->keep_alive = version.ptr[7] == '1';
    return read_target(hf_sub(line, first + 1, second - first - 1), ret) ? 0 : 400;
}

/* ---- the headers ---- */

static hf_http_name name_of(hf_bytes name) {
    for (int i = 0; i < HF_HTTP_NAMES; i++)
        if (is_word(name, NAMES[i])) return (hf_http_name)i;
    return HF_HTTP_NAMES;
}

static void read_connection(hf_bytes value, hf_http_head *ret) {
    if (hf_http_mentions(value, "close")) ret->keep_alive = false;
    ret->upgrade |= hf_http_mentions(value, "upgrade");
}

static unsigned read_field(hf_bytes line, hf_http_head *ret, uint32_t *seen) {
    size_t colon = hf_find(line, ':', 0);
    if (!colon || colon == line.len) return 400;
    for (size_t i = 0; i < colon; i++)
        if (!is_token(line.ptr[i])) return 400;
    hf_bytes name = hf_sub(line, 0, colon), value = trim(hf_sub(line, colon + 1, line.len));
    if (is_word(name, "connection")) return read_connection(value, ret), 0;
    hf_http_name known = name_of(name);
    if (known == HF_HTTP_NAMES) return 0;
    bool again = *seen & 1u << known;
    *seen |= 1u << known;
    if (again) return known < HF_HTTP_ONCE ? 400 : 0;
    ret->fields[known] = value;
    return 0;
}

/* How long the body is must be beyond doubt: what one reader takes for a body, another could take for the next request. */
static unsigned read_length(hf_http_head *head, uint32_t seen) {
    bool told = seen & 1u << HF_HTTP_CONTENT_LENGTH, chunked = seen & 1u << HF_HTTP_TRANSFER_ENCODING;
    bool reading = hf_eq(head->method, HF_TEXT("GET")) || hf_eq(head->method, HF_TEXT("HEAD"));
    bool writing = hf_eq(head->method, HF_TEXT("POST")) || hf_eq(head->method, HF_TEXT("PUT")) || hf_eq(head->method, HF_TEXT("PATCH"));
    if (chunked) return told ? 400 : 411;
    if (!told) return writing ? 411 : 0;
    if (hf_parse_u64(head->fields[HF_HTTP_CONTENT_LENGTH], &head->body_len)) return 400;
    return reading && head->body_len ? 400 : 0;
}

static unsigned read_head(hf_bytes head, hf_http_head *ret) {
    uint32_t seen = 0;
    size_t end = hf_find(head, '\r', 0);
    unsigned refused = read_line(hf_sub(head, 0, end), ret);
    for (int n = 0; !refused; n++) {
        size_t at = end + 2;
        end = hf_find(head, '\r', at);
        if (end == at) break;
        refused = n == HF_HTTP_LINES_MAX ? 431 : read_field(hf_sub(head, at, end - at), ret, &seen);
    }
    if (refused) return refused;
    if (!ret->host.len) ret->host = ret->fields[HF_HTTP_HOST];
    if (!ret->host.len || !(seen & 1u << HF_HTTP_HOST)) return 400;
    return read_length(ret, seen);
}

unsigned hf_http_parse(hf_bytes bytes, size_t *scanned, hf_http_head *ret, size_t *ret_len) {
    *ret_len = 0;
    *ret = (hf_http_head){0};
    size_t skip = hf_starts(bytes, HF_TEXT("\r\n")) ? 2 : 0, end; /* some clients send one after a body */
    if (bytes.len > skip && !is_upper(bytes.ptr[skip]) && !(bytes.len == 1 && bytes.ptr[0] == '\r')) return 400;
    hf_bytes rest = hf_sub(bytes, skip, bytes.len);
    size_t seen = *scanned > skip ? *scanned - skip : 0;
    unsigned refused = find_end(rest, &seen, &end);
    *scanned = seen + skip;
    if (refused || !end) return refused;
    *ret_len = skip + end;
    return read_head(hf_sub(rest, 0, end), ret);
}

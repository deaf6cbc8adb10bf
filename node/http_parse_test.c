/* The head of a request: what is read out of a good one, and what each kind of bad one is refused with. That llhttp was built to read strictly
 * shows in the second table as well. */
#include "../tests/kit/check.h"
#include "http_parse.h"

#include <string.h>

#define LINE "GET / HTTP/1.1\r\n"
#define HOST "Host: localhost\r\n"

static unsigned parse(hf_bytes bytes, hf_http_head *ret, size_t *ret_len) {
    size_t scanned = 0;
    return hf_http_parse(bytes, &scanned, ret, ret_len);
}

static hf_http_head read_good(const char *text) {
    hf_http_head head;
    size_t len;
    unsigned status = parse(hf_str(text), &head, &len);
    CHECK_MSG(status == 0 && len, "%s: refused with %u", text, status);
    return head;
}

HF_TEST(http_head_is_read) {
    hf_http_head head = read_good("POST /todos?q=a%20b HTTP/1.1\r\nhOsT: localhost:3000\r\nCookie:  a=b; c=d \t\r\nX-Unknown: x\r\nX-Empty:\r\n"
                                  "Content-Type: text/plain\r\nContent-Length: 12\r\nAccept: one\r\nAccept: two\r\n\r\nbody");
    CHECK_BYTES(head.method, HF_TEXT("POST"));
    CHECK_BYTES(head.path, HF_TEXT("/todos"));
    CHECK_BYTES(head.query, HF_TEXT("q=a%20b"));
    CHECK_BYTES(head.host, HF_TEXT("localhost:3000"));
    CHECK_BYTES(head.fields[HF_HTTP_COOKIE], HF_TEXT("a=b; c=d"));
    CHECK_BYTES(head.fields[HF_HTTP_CONTENT_TYPE], HF_TEXT("text/plain"));
    CHECK_BYTES(head.fields[HF_HTTP_ACCEPT], HF_TEXT("one"));
    CHECK_U64(head.fields[HF_HTTP_ORIGIN].len, 0);
    CHECK_U64(head.body_len, 12);
    CHECK(head.keep_alive && !head.upgrade);
}

HF_TEST(http_connection_is_read) {
    CHECK(read_good(LINE HOST "\r\n").keep_alive);
    CHECK(!read_good("GET / HTTP/1.0\r\n" HOST "\r\n").keep_alive);
    CHECK(!read_good("GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n").keep_alive);
    CHECK(!read_good(LINE HOST "Connection: x, Close\r\n\r\n").keep_alive);
    CHECK(!read_good(LINE HOST "Connection: x\r\nConnection: close\r\n\r\n").keep_alive);
    CHECK(read_good(LINE HOST "Connection: keep-alive, Upgrade\r\n\r\n").upgrade);
    CHECK(!read_good(LINE HOST "Upgrade: websocket\r\n\r\n").upgrade);
}

HF_TEST(http_target_may_be_absolute) {
    hf_http_head head = read_good("GET http://one.example:80/a?b HTTP/1.1\r\nHost: two.example\r\n\r\n");
    CHECK_BYTES(head.host, HF_TEXT("one.example:80"));
    CHECK_BYTES(head.path, HF_TEXT("/a"));
    CHECK_BYTES(head.query, HF_TEXT("b"));
    CHECK_BYTES(read_good("GET https://one.example/ HTTP/1.1\r\nHost: x\r\n\r\n").host, HF_TEXT("one.example"));
}

/* Each says its own thing; together with the first one all are refused. */
static const struct { unsigned status; const char *text; } BAD[] = {
    {400, "\r\n\r\n"}, {400, "hello\r\n\r\n"}, {400, "\x16\x03\x01"}, {400, "get / HTTP/1.1\r\n" HOST "\r\n"}, {400, "BREW / HTTP/1.1\r\n" HOST "\r\n"},
    /* versions and protocols */
    {400, "GET /\r\n\r\n"}, {400, "GET /\r\n" HOST "\r\n"}, {505, "GET / HTTP/0.9\r\n" HOST "\r\n"}, {505, "GET / HTTP/1.2\r\n" HOST "\r\n"},
    {505, "GET / HTTP/2.0\r\n" HOST "\r\n"}, {505, "GET / HTTP/9.9\r\n" HOST "\r\n"}, {505, "PRI * HTTP/2.0\r\n\r\n"}, {400, "GET / HTTP/1\r\n" HOST "\r\n"},
    {400, "GET / HTTP/x.y\r\n" HOST "\r\n"}, {400, "GET / RTSP/1.0\r\n" HOST "\r\n"}, {400, "SOURCE / ICE/1.0\r\n" HOST "\r\n"},
    /* spaces in the first line */
    {400, "GET  / HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET /  HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET / HTTP/1.1 \r\n" HOST "\r\n"},
    {400, "GET\t/ HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET / b HTTP/1.1\r\n" HOST "\r\n"}, {400, " GET / HTTP/1.1\r\n" HOST "\r\n"},
    /* targets */
    {400, "CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n"}, {400, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET a HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET /%zz HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET /%0 HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET /%00 HTTP/1.1\r\n" HOST "\r\n"}, {400, "GET http:///a HTTP/1.1\r\n" HOST "\r\n"},
    {400, "GET ftp://localhost/ HTTP/1.1\r\n" HOST "\r\n"},
    /* line ends */
    {400, "GET / HTTP/1.1\n"}, {400, LINE "Host: localhost\n"}, {400, LINE "Host: localhost\r\r"}, {400, LINE HOST "X: a\rb"},
    {400, LINE HOST "X: a\r\n b"}, {400, LINE HOST "X: a\r\n\tb"}, {400, LINE " Host"},
    /* names and values */
    {400, LINE HOST "Host : x\r\n\r\n"}, {400, LINE HOST "X : x\r\n\r\n"}, {400, LINE HOST "X Y: x\r\n\r\n"}, {400, LINE HOST "X\xff: x\r\n\r\n"},
    {400, LINE HOST ": x\r\n\r\n"}, {400, LINE HOST "x\r\n\r\n"}, {400, LINE HOST "X: a\x01"}, {400, LINE HOST "X: a\x7f"},
    /* hosts, and what may come once */
    {400, LINE "\r\n"}, {400, LINE "Host:\r\n\r\n"}, {400, LINE HOST HOST "\r\n"}, {400, "GET http://localhost/ HTTP/1.1\r\n\r\n"},
    {400, LINE HOST "Origin: a\r\nOrigin: a\r\n\r\n"}, {400, LINE HOST "Holdfast-Entry: a\r\nholdfast-entry: a\r\n\r\n"},
    /* lengths */
    {411, "POST / HTTP/1.1\r\n" HOST "\r\n"}, {411, "PUT / HTTP/1.1\r\n" HOST "\r\n"}, {411, "PATCH / HTTP/1.1\r\n" HOST "\r\n"},
    {411, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"}, {411, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n"},
    {411, LINE HOST "Transfer-Encoding: identity\r\n\r\n"}, {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, identity\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: x\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"}, {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1 1\r\n\r\n"}, {400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"}, {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n"},
    {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n"}, {400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551616\r\n\r\n"},
    {400, LINE HOST "Content-Length: 1\r\n\r\n"}, {400, "HEAD / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n"},
};

HF_TEST(http_head_is_refused) {
    for (size_t i = 0; i < HF_COUNT(BAD); i++) {
        hf_http_head head;
        size_t len;
        unsigned status = parse(hf_str(BAD[i].text), &head, &len);
        CHECK_MSG(status == BAD[i].status, "%s: %u, expected %u", BAD[i].text, status, BAD[i].status);
    }
    hf_http_head head;
    size_t len;
    CHECK_U64(parse(HF_TEXT("GET /a\0b HTTP/1.1\r\n" HOST "\r\n"), &head, &len), 400);
    CHECK_U64(parse(HF_TEXT(LINE HOST "X: a\0b\r\n\r\n"), &head, &len), 400);
}

HF_TEST(http_bodies_that_are_taken) {
    CHECK_U64(read_good("POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n").body_len, 0);
    CHECK_U64(read_good("DELETE / HTTP/1.1\r\n" HOST "\r\n").body_len, 0);
    CHECK_U64(read_good("DELETE / HTTP/1.1\r\n" HOST "Content-Length: 7\r\n\r\n").body_len, 7);
    CHECK_U64(read_good(LINE HOST "Content-Length: 0\r\n\r\n").body_len, 0);
    CHECK_U64(read_good("POST / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615 \r\n\r\n").body_len, UINT64_MAX);
}

/* Cut anywhere, it is the same; what follows it is left alone, and so is one line end before it. */
HF_TEST(http_head_comes_in_pieces) {
    hf_bytes text = HF_TEXT("\r\n" LINE HOST "Accept: */*\r\n\r\n" LINE "X");
    size_t want = text.len - (sizeof LINE "X" - 1);
    for (size_t cut = 0; cut < want; cut++) {
        size_t scanned = 0, len;
        hf_http_head head;
        CHECK_U64(hf_http_parse(hf_sub(text, 0, cut), &scanned, &head, &len), 0);
        CHECK_U64(len, 0);
        CHECK_U64(hf_http_parse(text, &scanned, &head, &len), 0);
        CHECK_U64(len, want);
        CHECK_BYTES(head.fields[HF_HTTP_ACCEPT], HF_TEXT("*/*"));
    }
}

static hf_bytes long_head(size_t len) {
    hf_bytes start = HF_TEXT(LINE HOST "X: ");
    uint8_t *bytes = hf_arena_alloc(hf_test_arena(), len);
    CHECK(bytes);
    memset(bytes, 'x', len);
    memcpy(bytes, start.ptr, start.len);
    memcpy(bytes + len - 4, "\r\n\r\n", 4);
    return HF_BYTES(bytes, len);
}

HF_TEST(http_head_has_bounds) {
    hf_http_head head;
    size_t len;
    CHECK_U64(parse(long_head(HF_HTTP_HEAD_MAX), &head, &len), 0);
    CHECK_U64(len, HF_HTTP_HEAD_MAX);
    CHECK_U64(parse(long_head(HF_HTTP_HEAD_MAX + 1), &head, &len), 431);
    for (int n = HF_HTTP_LINES_MAX; n <= HF_HTTP_LINES_MAX + 1; n++) {
        hf_buf text;
        hf_buf_init(&text, hf_test_mem());
        hf_buf_add_str(&text, LINE HOST);
        for (int i = 1; i < n; i++) hf_buf_add_str(&text, "X: y\r\n");
        hf_buf_add_str(&text, "\r\n");
        unsigned status = parse(hf_buf_bytes(&text), &head, &len);
        hf_buf_deinit(&text);
        CHECK_U64(status, n > HF_HTTP_LINES_MAX ? 431 : 0);
    }
}

HF_TEST(http_lists_name_words) {
    CHECK(hf_http_mentions(HF_TEXT("gzip"), "gzip") && hf_http_mentions(HF_TEXT("br , GZIP;q=0.5"), "gzip") && hf_http_mentions(HF_TEXT(",,gzip"), "gzip"));
    CHECK(!hf_http_mentions(HF_TEXT(""), "gzip") && !hf_http_mentions(HF_TEXT("xgzip, gzipx"), "gzip") && !hf_http_mentions(HF_TEXT("a;gzip"), "gzip"));
}

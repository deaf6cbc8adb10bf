/* A WebSocket as a byte channel: both ends of ours, and what a stranger may say to either. */
#include "../tests/kit/check.h"
#include "wsock.h"

#include <string.h>

#define ASKS "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

typedef struct ends {
    hf_wsock *asks, *answers;
    hf_buf to_answers, to_asks, at_answers, at_asks;
} ends;

static void begin(ends *e) {
    hf_buf *const bufs[] = {&e->to_answers, &e->to_asks, &e->at_answers, &e->at_asks};
    for (size_t i = 0; i < HF_COUNT(bufs); i++) hf_buf_init(bufs[i], hf_test_mem());
    e->asks = hf_wsock_new(hf_test_mem(), "localhost:4001");
    e->answers = hf_wsock_new(hf_test_mem(), NULL);
    CHECK(e->asks && e->answers);
    hf_wsock_begin(e->asks, &e->to_answers);
    hf_wsock_begin(e->answers, &e->to_asks);
    CHECK(e->to_answers.len && !e->to_asks.len);
}

static void end(ends *e) {
    hf_buf *const bufs[] = {&e->to_answers, &e->to_asks, &e->at_answers, &e->at_asks};
    for (size_t i = 0; i < HF_COUNT(bufs); i++) hf_buf_deinit(bufs[i]);
    hf_wsock_free(e->asks);
    hf_wsock_free(e->answers);
}

/* Hands over what is on its way, `piece` bytes at a time. False: an end says that it is over. */
static bool carry(ends *e, size_t piece) {
    bool ok = true;
    while (ok && (e->to_answers.len || e->to_asks.len)) {
        hf_buf *way = e->to_answers.len ? &e->to_answers : &e->to_asks;
        uint8_t bytes[4096];
        size_t n = way->len < piece ? way->len : piece;
        memcpy(bytes, way->ptr, n);
        hf_buf_consume(way, n);
        if (way == &e->to_answers) ok = hf_wsock_recv(e->answers, HF_BYTES(bytes, n), &e->at_answers, &e->to_asks);
        else ok = hf_wsock_recv(e->asks, HF_BYTES(bytes, n), &e->at_asks, &e->to_answers);
    }
    return ok;
}

HF_TEST(wsock_carries_bytes_both_ways_at_every_cut) {
    static const size_t pieces[] = {1, 2, 3, 7, 61, 4096};
    static uint8_t big[70000];
    uint64_t seed = 3;
    hf_test_random_fill(&seed, big, sizeof big);
    for (size_t i = 0; i < HF_COUNT(pieces); i++) {
        ends e;
        begin(&e);
        CHECK(hf_wsock_send(e.asks, HF_TEXT("early"), &e.to_answers)); /* before the ends have agreed */
        CHECK(carry(&e, pieces[i]));
        CHECK_BYTES(hf_buf_bytes(&e.at_answers), HF_TEXT("early"));
        hf_buf_clear(&e.at_answers);
        CHECK(hf_wsock_send(e.asks, HF_BYTES(big, sizeof big), &e.to_answers));
        CHECK(hf_wsock_send(e.answers, HF_BYTES(big, 300), &e.to_asks));
        CHECK(carry(&e, pieces[i]));
        CHECK_BYTES(hf_buf_bytes(&e.at_answers), HF_BYTES(big, sizeof big));
        CHECK_BYTES(hf_buf_bytes(&e.at_asks), HF_BYTES(big, 300));
        end(&e);
    }
}

HF_TEST(wsock_says_goodbye) {
    ends e;
    begin(&e);
    CHECK(carry(&e, 4096));
    hf_wsock_close(e.asks, &e.to_answers);
    CHECK(e.to_answers.len);
    CHECK(!carry(&e, 4096)); /* the other end hears it */
    CHECK(e.to_asks.len);    /* and answers */
    end(&e);
}

/* What the answering end says to this first word; `ret_over`: it is over for it. */
static hf_bytes answer_to(ends *e, const char *text, bool *ret_over) {
    begin(e);
    hf_buf_clear(&e->to_asks);
    *ret_over = !hf_wsock_recv(e->answers, hf_str(text), &e->at_answers, &e->to_asks);
    return hf_buf_bytes(&e->to_asks);
}

HF_TEST(wsock_answers_as_the_standard_has_it) {
    ends e;
    bool over;
    hf_bytes said = answer_to(&e, ASKS KEY "\r\n", &over);
    CHECK(!over);
    CHECK_BYTES(said, HF_TEXT("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                              "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    end(&e);
}

HF_TEST(wsock_refuses_who_asks_for_something_else) {
    static const struct { const char *text, *status; } rows[] = {
        {"GET /other HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"},
        {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426"},
        {"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 8\r\n" KEY "\r\n", "HTTP/1.1 426"},
        {ASKS "\r\n", "HTTP/1.1 400"},
        {ASKS "Sec-WebSocket-Key: short\r\n\r\n", "HTTP/1.1 400"},
        {"\x16\x03\x01\x02\x00 no HTTP", "HTTP/1.1 400"},
        {"/multistream/1.0.0\n", "HTTP/1.1 400"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        ends e;
        bool over;
        hf_bytes said = answer_to(&e, rows[i].text, &over);
        CHECK_MSG(over && hf_eq(hf_sub(said, 0, strlen(rows[i].status)), hf_str(rows[i].status)), "row %zu: %.*s", i, (int)said.len, (const char *)said.ptr);
        CHECK(!hf_wsock_recv(e.answers, HF_TEXT("more"), &e.at_answers, &e.to_asks));
        end(&e);
    }
}

HF_TEST(wsock_takes_no_endless_head) {
    ends e;
    char text[1024];
    bool over = false;
    begin(&e);
    memset(text, 'a', sizeof text);
    hf_buf_clear(&e.to_asks);
    CHECK(hf_wsock_recv(e.answers, HF_TEXT("GET / HTTP/1.1\r\nX: "), &e.at_answers, &e.to_asks));
    for (size_t i = 0; i < 32 && !over; i++) over = !hf_wsock_recv(e.answers, HF_BYTES(text, sizeof text), &e.at_answers, &e.to_asks);
    CHECK(over);
    over = false;
    for (size_t i = 0; i < 32 && !over; i++) over = !hf_wsock_recv(e.asks, HF_BYTES(text, sizeof text), &e.at_asks, &e.to_answers);
    CHECK(over);
    end(&e);
}

/* Only who knows the key that was sent is believed. */
HF_TEST(wsock_believes_no_other_answer) {
    static const char *const rows[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n",
        "\r\n\r\n",
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        ends e;
        begin(&e);
        CHECK_MSG(!hf_wsock_recv(e.asks, hf_str(rows[i]), &e.at_asks, &e.to_answers), "row %zu was believed", i);
        end(&e);
    }
}

/* After the two have agreed: frames as a stranger may send them to the answering end. */
HF_TEST(wsock_refuses_broken_frames) {
    static const struct { const char *bytes; size_t len; } rows[] = {
        {"\x82\x03" "abc", 5},                                           /* not masked */
        {"\x81\x83" "\0\0\0\0" "abc", 9},                                /* text */
        {"\xf2\x83" "\0\0\0\0" "abc", 9},                                /* reserved bits */
        {"\x83\x83" "\0\0\0\0" "abc", 9},                                /* a kind that does not exist */
        {"\x80\x83" "\0\0\0\0" "abc", 9},                                /* goes on with nothing */
        {"\x89\xfe\x01\x00" "\0\0\0\0", 8},                              /* a ping over 125 bytes */
        {"\x88\x82" "\0\0\0\0" "\x03\xe8", 8},                           /* goodbye */
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        ends e;
        begin(&e);
        CHECK(carry(&e, 4096));
        CHECK_MSG(!hf_wsock_recv(e.answers, HF_BYTES(rows[i].bytes, rows[i].len), &e.at_answers, &e.to_asks), "row %zu was taken", i);
        CHECK_U64(e.at_answers.len, 0);
        end(&e);
    }
}

HF_TEST(wsock_answers_pings_between_frames) {
    ends e;
    begin(&e);
    CHECK(carry(&e, 4096));
    CHECK(hf_wsock_recv(e.answers, HF_BYTES("\x02\x81\0\0\0\0a" "\x89\x81\0\0\0\0p" "\x80\x81\0\0\0\0b", 21), &e.at_answers, &e.to_asks));
    CHECK_BYTES(hf_buf_bytes(&e.at_answers), HF_TEXT("ab"));
    CHECK_BYTES(hf_buf_bytes(&e.to_asks), HF_BYTES("\x8a\x01p", 3));
    end(&e);
}

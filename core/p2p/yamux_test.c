/* yamux sessions by themselves: which frames go out, windows, the order of ends. Two sessions against a model, and
 * hostile frames, are in swarm_test.c and swarm_hostile_test.c. */
#include "yamux.h"
#include "yamux_frame.h"

#include "../../tests/kit/check.h"

#include <stdio.h>
#include <string.h>

static hf_yamux *session(bool dialer) {
    hf_yamux_config config = {dialer, 4, 4, 400000, 0};
    return hf_yamux_new(hf_test_mem(), &config, 0);
}

/* What is in the output, in words: "W1+S D1:5 W1+F". */
static hf_bytes words(hf_yamux *y) {
    hf_bytes out = hf_buf_bytes(hf_yamux_out(y));
    char text[1000];
    size_t n = 0, at = 0;
    while (at < out.len) {
        hf_yamux_frame f;
        CHECK_ERR(hf_yamux_frame_read(out.ptr + at, &f, NULL), HF_OK);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%c%u", n ? " " : "", "DWPA"[f.type], f.stream);
        for (int i = 0; i < 4; i++)
            if (f.flags >> i & 1) n += (size_t)snprintf(text + n, sizeof text - n, "+%c", "SAFR"[i]);
        if (f.length) n += (size_t)snprintf(text + n, sizeof text - n, ":%u", f.length);
        CHECK(n < sizeof text);
        at += HF_YAMUX_HEADER_LEN + (f.type == HF_YAMUX_TYPE_DATA ? f.length : 0);
    }
    hf_yamux_taken(y, 0);
    return hf_arena_copy(hf_test_arena(), HF_BYTES(text, n));
}

static hf_yamux_event feed(hf_yamux *y, uint64_t now_ms, uint8_t type, uint16_t flags, uint32_t stream, uint32_t length,
                           hf_bytes data) {
    static uint8_t bytes[400000];
    hf_yamux_event event;
    hf_yamux_frame_write((hf_yamux_frame){type, flags, stream, length}, bytes);
    if (data.len) memcpy(bytes + HF_YAMUX_HEADER_LEN, data.ptr, data.len);
    hf_bytes in = HF_BYTES(bytes, HF_YAMUX_HEADER_LEN + data.len);
    CHECK_ERR(hf_yamux_recv(y, now_ms, &in, &event), HF_OK);
    if (event.kind == HF_YAMUX_OPENED) { /* the rest of the same frame */
        hf_yamux_event more;
        CHECK_ERR(hf_yamux_recv(y, now_ms, &in, &more), HF_OK);
    }
    return event;
}

static const hf_bytes none = {(const uint8_t *)"", 0};
static uint8_t block[300000];

HF_TEST(yamux_says_what_js_says) {
    hf_yamux *y = session(true);
    hf_yamux_stream *s, *t;
    CHECK_ERR(hf_yamux_open(y, NULL, &s), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_TEXT("hello")), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, none), HF_OK);
    hf_yamux_finish(y, s);
    hf_yamux_finish(y, s);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_TEXT("x")), HF_STATE);
    CHECK_ERR(hf_yamux_open(y, NULL, &t), HF_OK);
    hf_yamux_reset(y, t);
    hf_yamux_ping(y, 0);
    hf_yamux_ping(y, 0);
    hf_yamux_close(y, HF_YAMUX_INTERNAL_ERROR);
    CHECK_BYTES(words(y), HF_TEXT("W1+S D1:5 W1+F W3+S W3+R P0+S A0:2"));
    CHECK_ERR(hf_yamux_open(y, NULL, &t), HF_STATE);
    hf_yamux_free(y);
}

HF_TEST(yamux_answers) {
    hf_yamux *y = session(false);
    hf_yamux_event event = feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1, 0, none);
    CHECK_U64(event.kind, HF_YAMUX_OPENED);
    CHECK_U64(hf_yamux_id(event.stream), 1);
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, 5, none).kind, HF_YAMUX_NONE);
    CHECK_BYTES(words(y), HF_TEXT("W1+A P0+A:5"));
    for (uint32_t id = 3; id <= 9; id += 2) feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, id, 0, none);
    CHECK_BYTES(words(y), HF_TEXT("W3+A W5+A W7+A W9+R")); /* four at most */
    hf_yamux_free(y);
}

HF_TEST(yamux_one_write_one_frame) {
    hf_yamux *y = session(true);
    hf_yamux_stream *s;
    CHECK_ERR(hf_yamux_open(y, NULL, &s), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 65536)), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 65537)), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 100000)), HF_OK);
    CHECK_BYTES(words(y), HF_TEXT("W1+S D1:65536 D1:65536 D1:1 D1:65536 D1:34464"));
    /* 31071 are left: too narrow for the next, which is not split, and nothing overtakes it */
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 40000)), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 10)), HF_OK);
    hf_yamux_finish(y, s);
    CHECK_BYTES(words(y), none);
    CHECK_U64(hf_yamux_buffered(s), 40010);
    feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_ACK, 1, 40000 - 31071 - 1, none);
    CHECK_BYTES(words(y), none); /* one byte is lacking */
    feed(y, 0, HF_YAMUX_TYPE_WINDOW, 0, 1, 20000, none);
    CHECK_BYTES(words(y), HF_TEXT("D1:40000 D1:10 W1+F"));
    CHECK_U64(hf_yamux_buffered(s), 0);
    hf_yamux_free(y);
}

HF_TEST(yamux_streams_take_turns) {
    hf_yamux *y = session(true);
    hf_yamux_stream *s, *t;
    CHECK_ERR(hf_yamux_open(y, NULL, &s), HF_OK);
    CHECK_ERR(hf_yamux_open(y, NULL, &t), HF_OK);
    hf_yamux_block(y, 0, true);
    for (uint32_t i = 1; i <= 3; i++) CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, i)), HF_OK);
    for (uint32_t i = 1; i <= 2; i++) CHECK_ERR(hf_yamux_write(y, 0, t, HF_BYTES(block, i)), HF_OK);
    CHECK_BYTES(words(y), HF_TEXT("W1+S W3+S"));
    hf_yamux_block(y, 0, false);
    CHECK_BYTES(words(y), HF_TEXT("D1:1 D3:1 D1:2 D3:2 D1:3"));
    hf_yamux_free(y);
}

HF_TEST(yamux_tells_when_it_is_drained) {
    hf_yamux *y = session(true);
    hf_yamux_stream *s;
    bool drained = false;
    CHECK_ERR(hf_yamux_open(y, NULL, &s), HF_OK);
    hf_yamux_block(y, 0, true);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 200000)), HF_OK);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 200001)), HF_LIMIT);
    CHECK_ERR(hf_yamux_write(y, 0, s, HF_BYTES(block, 10000)), HF_OK); /* smaller ones still fit */
    CHECK(!hf_yamux_notice(y, &drained));
    hf_yamux_block(y, 0, false);
    CHECK(hf_yamux_notice(y, &drained) == s && drained);
    CHECK(!hf_yamux_notice(y, &drained));
    hf_yamux_free(y);
}

HF_TEST(yamux_gives_window_back_and_widens_it) {
    hf_yamux *y = session(false);
    hf_yamux_stream *s = feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1, 0, none).stream;
    words(y);
    feed(y, 0, HF_YAMUX_TYPE_DATA, 0, 1, 131071, HF_BYTES(block, 131071));
    CHECK_BYTES(words(y), none);
    feed(y, 10000, HF_YAMUX_TYPE_DATA, 0, 1, 1, HF_BYTES(block, 1));
    CHECK_BYTES(words(y), HF_TEXT("W1:131072")); /* half is read: as much is given */
    hf_yamux_ping(y, 10000);
    feed(y, 10100, HF_YAMUX_TYPE_PING, HF_YAMUX_ACK, 0, 0, none); /* 100 ms */
    CHECK_U64(hf_yamux_rtt_ms(y), 100);
    words(y);
    feed(y, 10399, HF_YAMUX_TYPE_DATA, 0, 1, 131072, HF_BYTES(block, 131072));
    CHECK_BYTES(words(y), HF_TEXT("W1:393216")); /* within 4 round trips: twice as wide from now on */
    hf_yamux_reading(y, 10400, s, false);
    feed(y, 10400, HF_YAMUX_TYPE_DATA, 0, 1, 262144, HF_BYTES(block, 262144));
    CHECK_BYTES(words(y), none);
    hf_yamux_reading(y, 20000, s, true);
    CHECK_BYTES(words(y), HF_TEXT("W1:262144"));
    hf_yamux_free(y);
}

HF_TEST(yamux_ends_streams_in_every_order) {
    bool drained;
    hf_yamux *y = session(false); /* theirs, then ours */
    hf_yamux_stream *s = feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1, 0, none).stream;
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_FIN_FLAG, 1, 0, none).kind, HF_YAMUX_FIN);
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_FIN_FLAG, 1, 0, none).kind,
              HF_YAMUX_NONE); /* js says it twice */
    CHECK(!hf_yamux_over(s));
    hf_yamux_finish(y, s);
    CHECK(hf_yamux_over(s) && hf_yamux_notice(y, &drained) == s && !drained);
    hf_yamux_drop(y, s);
    s = feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 3, 0, none).stream; /* ours, then theirs */
    hf_yamux_finish(y, s);
    CHECK(!hf_yamux_over(s));
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_FIN_FLAG, 3, 0, none).kind, HF_YAMUX_FIN);
    CHECK(hf_yamux_over(s));
    hf_yamux_drop(y, s);
    s = feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 5, 0, none).stream; /* theirs, by force */
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_WINDOW, HF_YAMUX_RST, 5, 0, none).kind, HF_YAMUX_RESET);
    CHECK(hf_yamux_over(s));
    CHECK_BYTES(words(y), HF_TEXT("W1+A W1+F W3+A W3+F W5+A"));
    CHECK_U64(feed(y, 0, HF_YAMUX_TYPE_DATA, 0, 5, 5, HF_TEXT("stray")).kind, HF_YAMUX_NONE); /* was on its way */
    hf_yamux_free(y);
}

/* What one stream's queue needed the next one's uses; a session at rest holds none of it. */
HF_TEST(yamux_queues_share_their_memory) {
    hf_yamux *y = session(true);
    hf_yamux_stream *s, *t;
    size_t empty, first;
    CHECK_ERR(hf_yamux_open(y, NULL, &s), HF_OK);
    CHECK_ERR(hf_yamux_open(y, NULL, &t), HF_OK);
    words(y);
    hf_yamux_rest(y);
    empty = hf_test_mem_out();
    for (uint32_t id = 1; id <= 3; id += 2) {
        hf_yamux_stream *stream = id == 1 ? s : t;
        CHECK_ERR(hf_yamux_write(y, 0, stream, HF_BYTES(block, 300000)), HF_OK);
        words(y);
        CHECK(hf_yamux_buffered(stream) > 0);
        feed(y, 0, HF_YAMUX_TYPE_WINDOW, 0, id, 262144, none);
        words(y);
        CHECK_U64(hf_yamux_buffered(stream), 0);
        if (id == 1) first = hf_test_mem_out();
        CHECK(hf_test_mem_out() >= empty + 300000);
    }
    CHECK_U64(hf_test_mem_out(), first);
    hf_yamux_rest(y);
    CHECK_U64(hf_test_mem_out(), empty);
    hf_yamux_free(y);
}

/* Everything above is one script: its events must not depend on how the bytes are cut. */
static hf_bytes script_events(hf_bytes script, size_t cut) {
    hf_yamux *y = session(false);
    hf_buf log;
    hf_buf_init(&log, hf_test_mem());
    for (size_t at = 0; at < script.len; at += cut) {
        hf_bytes in = hf_sub(script, at, cut);
        hf_yamux_event event;
        do {
            CHECK_ERR(hf_yamux_recv(y, 0, &in, &event), HF_OK);
            if (event.kind == HF_YAMUX_DATA)
                hf_buf_add(&log, event.bytes);
            else if (event.kind)
                hf_buf_add_byte(&log, (uint8_t)('0' + event.kind));
        } while (event.kind);
    }
    hf_buf_add(&log, hf_buf_bytes(hf_yamux_out(y)));
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&log));
    hf_buf_deinit(&log);
    hf_yamux_free(y);
    return kept;
}

HF_TEST(yamux_at_any_cut) {
    hf_bytes script = hf_test_hex(HF_TEXT("000100010000000100000000"
                                          "00000000000000010000000568656c6c6f"
                                          "000200010000000000000007"
                                          "000000050000000300000003616263"
                                          "0001000400000001"
                                          "00000000"
                                          "000100080000000300000000"
                                          "000000000000000900000002ffff"
                                          "000200020000000000000063"));
    hf_bytes whole = script_events(script, script.len);
    CHECK(hf_starts(whole, HF_TEXT("1hello1abc3345")));
    for (size_t cut = 1; cut < script.len; cut++) CHECK_BYTES(script_events(script, cut), whole);
}

HF_TEST(yamux_without_memory) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_test_mem_fail_at(n);
        hf_yamux *y = session(true);
        hf_yamux_stream *s;
        hf_err err = y ? hf_yamux_open(y, NULL, &s) : HF_NOMEM;
        if (!err) err = hf_yamux_write(y, 0, s, HF_BYTES(block, 300000));
        if (!err && hf_yamux_buffered(s) != 300000 - 262144) err = HF_STATE;
        hf_bytes in = HF_BYTES("\0\1\0\1\0\0\0\2\0\0\0\0", 12);
        hf_yamux_event event;
        if (!err) err = hf_yamux_recv(y, 0, &in, &event);
        if (!err && event.kind != HF_YAMUX_OPENED) err = HF_STATE;
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        hf_yamux_free(y);
    }
}

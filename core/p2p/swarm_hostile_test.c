/* What a stranger may try on the swarm, before and after a real handshake, and what it costs us: bounded memory,
 * bounded time, a reason. The hostile side speaks real Noise (conn.c) and then says what it likes. */
#include "swarm_test.h"

#include "../crypto/crypto.h"
#include "conn.h"
#include "yamux_frame.h"

typedef struct evil {
    end victim;
    hf_conn conn;
    hf_conn_keys keys;
    hf_buf payload, inbox;
    uint64_t now_ms;
    size_t out_max; /* of the memory that was out at any time */
} evil;

static evil e;

static void hear(void) {
    end_drain(&e.victim, e.now_ms, &e.inbox);
    if (hf_test_mem_out() > e.out_max) e.out_max = hf_test_mem_out();
    hf_buf_clear(&e.conn.plain);
    e.conn.plain_at = 0;
    CHECK_ERR(hf_conn_recv(&e.conn, hf_buf_bytes(&e.inbox)), HF_OK);
    hf_buf_clear(&e.inbox);
}

static void tell(void) {
    hf_buf out = e.conn.out;
    hf_buf_init(&e.conn.out, hf_test_mem());
    if (!e.victim.closed) CHECK_ERR(hf_swarm_conn_recv(e.victim.swarm, e.now_ms, CONN, hf_buf_bytes(&out)), HF_OK);
    hf_buf_deinit(&out);
    hear();
}

static void evil_start(const hf_swarm_config *config) {
    uint8_t seed[32] = {66}, public_key[32], ephemeral[32] = {67};
    e.now_ms = 1000;
    e.out_max = 0;
    end_start(&e.victim, 1, config);
    e.victim.keep = false;
    CHECK_ERR(hf_swarm_protocol(e.victim.swarm, HF_TEXT(ECHO), TAG_ECHO), HF_OK);
    CHECK_ERR(hf_swarm_protocol(e.victim.swarm, HF_TEXT(SINK), TAG_SINK), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(e.victim.swarm, e.now_ms, CONN, false, NULL, HF_TEXT("")), HF_OK);
    memset(e.keys.static_secret, 68, 32);
    hf_x25519_public(e.keys.static_secret, e.keys.static_public);
    hf_ed25519_public(seed, public_key);
    hf_buf_init(&e.payload, hf_test_mem());
    hf_buf_init(&e.inbox, hf_test_mem());
    hf_noise_payload_add(&e.payload, seed, public_key, e.keys.static_public, true);
    e.keys.payload = hf_buf_bytes(&e.payload);
    CHECK_ERR(hf_conn_init(&e.conn, hf_test_mem(), &e.keys, true, NULL, ephemeral), HF_OK);
    for (int i = 0; i < 4; i++) tell();
    CHECK_U64(e.conn.phase, HF_CONN_OPEN);
    CHECK(find_event(&e.victim, HF_SWARM_CONN_UP, 0) != NULL);
}

static void evil_stop(void) {
    end_stop(&e.victim);
    hf_conn_deinit(&e.conn);
    hf_buf_deinit(&e.payload);
    hf_buf_deinit(&e.inbox);
}

static void say_frame(uint8_t type, uint16_t flags, uint32_t stream, uint32_t length, hf_bytes data) {
    uint8_t head[HF_YAMUX_HEADER_LEN];
    hf_buf bytes;
    hf_buf_init(&bytes, hf_test_mem());
    hf_yamux_frame_write((hf_yamux_frame){type, flags, stream, length}, head);
    hf_buf_add(&bytes, HF_BYTES(head, sizeof head));
    hf_buf_add(&bytes, data);
    CHECK_ERR(hf_conn_send(&e.conn, hf_buf_bytes(&bytes)), HF_OK);
    hf_buf_deinit(&bytes);
}

static const hf_bytes nothing = {(const uint8_t *)"", 0};

static const char *why(void) {
    const hf_swarm_out *close = find_event(&e.victim, HF_SWARM_CONN_CLOSE, 0);
    return close ? close->reason : "";
}

/* Opens a stream and agrees on the protocol. */
static void open_stream(uint32_t id, hf_bytes protocol) {
    hf_buf lines;
    hf_buf_init(&lines, hf_test_mem());
    hf_multistream_add(&lines, HF_TEXT(HF_MULTISTREAM_HEADER));
    hf_multistream_add(&lines, protocol);
    say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, id, 0, nothing);
    say_frame(HF_YAMUX_TYPE_DATA, 0, id, (uint32_t)lines.len, hf_buf_bytes(&lines));
    hf_buf_deinit(&lines);
    tell();
}

HF_TEST(hostile_frames_close_with_a_reason) {
    static const struct {
        uint8_t type;
        uint16_t flags;
        uint32_t stream, length;
        const char *reason;
    } cases[] = {
        {HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 2, 0, "yamux: stream id of the wrong parity"},
        {HF_YAMUX_TYPE_PING, HF_YAMUX_ACK, 0, 99, "yamux: unasked ping answer"},
        {HF_YAMUX_TYPE_DATA, HF_YAMUX_SYN, 1, 0xffffffff, "yamux: receive window overrun"},
        {HF_YAMUX_TYPE_DATA, HF_YAMUX_SYN, 1, 262145, "yamux: receive window overrun"},
        {HF_YAMUX_TYPE_DATA, 0, 77, 0xffffffff, "yamux: frame too long"},
        {HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1, 0xffffffff, "yamux: window overflow"},
        {9, 0, 1, 0, "yamux: unknown frame type"},
        {HF_YAMUX_TYPE_AWAY, 0, 0, 1, "yamux: the peer goes away: protocol error"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        evil_start(NULL);
        say_frame(cases[i].type, cases[i].flags, cases[i].stream, cases[i].length, nothing);
        tell();
        CHECK_MSG(strcmp(why(), cases[i].reason) == 0, "case %zu: %s", i, why());
        CHECK(find_event(&e.victim, HF_SWARM_CONN_DOWN, 0)->last);
        evil_stop();
    }
}

HF_TEST(hostile_second_syn_and_data_after_fin) {
    evil_start(NULL);
    open_stream(1, HF_TEXT(SINK));
    say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1, 0, nothing);
    tell();
    CHECK(strcmp(why(), "yamux: SYN for a stream that is open") == 0);
    CHECK(find_event(&e.victim, HF_SWARM_STREAM_GONE, 0)->reset);
    evil_stop();
    evil_start(NULL);
    open_stream(1, HF_TEXT(SINK));
    say_frame(HF_YAMUX_TYPE_DATA, HF_YAMUX_FIN_FLAG, 1, 1, HF_TEXT("x"));
    say_frame(HF_YAMUX_TYPE_DATA, 0, 1, 1, HF_TEXT("y"));
    tell();
    CHECK(strcmp(why(), "yamux: data after FIN") == 0);
    evil_stop();
}

/* threats-and-targets 14: "100 k SYN: memory +32 MiB at most, connection closed" */
HF_TEST(hostile_syn_flood_is_bounded_and_ends) {
    evil_start(NULL);
    size_t before = hf_test_mem_out(), n = 0;
    for (uint32_t id = 1; n < 100000 && !e.victim.closed; n++, id += 2) {
        say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, id, 0, nothing);
        if (n % 100 == 0) tell();
    }
    CHECK(e.victim.closed && n < 5000);
    CHECK(strcmp(why(), "yamux: too many streams") == 0);
    CHECK_MSG(e.out_max - before < 1024 * 1024, "%zu bytes", e.out_max - before);
    evil_stop();
}

/* SYN and RST again and again: never many streams at once, yet work for us. */
HF_TEST(hostile_open_and_abort_ends) {
    evil_start(NULL);
    size_t n = 0;
    for (uint32_t id = 1; n < 100000 && !e.victim.closed; n++, id += 2) {
        say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, id, 0, nothing);
        say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_RST, id, 0, nothing);
        if (n % 100 == 0) tell();
    }
    CHECK(e.victim.closed && n < 5000);
    CHECK(strcmp(why(), "yamux: too many aborted streams") == 0);
    evil_stop();
}

HF_TEST(hostile_ping_flood_ends) {
    evil_start(NULL);
    for (uint32_t i = 0; i < 1000 && !e.victim.closed; i++) {
        say_frame(HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, i, nothing);
        tell();
    }
    CHECK(strcmp(why(), "yamux: too many pings") == 0);
    evil_stop();
    evil_start(NULL); /* an honest rate goes on for ever */
    for (uint32_t i = 0; i < 1000; i++, e.now_ms += 200) {
        say_frame(HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, i, nothing);
        tell();
    }
    CHECK(!e.victim.closed);
    evil_stop();
}

/* It asks and asks and does not read: the shell's queue is full, so answers would pile up. */
HF_TEST(hostile_asks_much_and_reads_nothing) {
    evil_start(NULL);
    hf_swarm_conn_busy(e.victim.swarm, e.now_ms, CONN, true);
    for (uint32_t i = 0; i < 100000 && !e.victim.closed; i++, e.now_ms += 100) {
        say_frame(HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, i, nothing);
        tell();
    }
    CHECK(strcmp(why(), "yamux: asks much and reads nothing") == 0);
    evil_stop();
}

static void wait_ms(uint64_t ms) {
    for (uint64_t until = e.now_ms + ms; e.now_ms < until && !e.victim.closed; e.now_ms += 1000) {
        say_frame(HF_YAMUX_TYPE_DATA, 0, 99, 1, HF_TEXT("x")); /* it lives, on a stream nobody knows */
        tell();
        if (hf_swarm_deadline(e.victim.swarm) <= e.now_ms) hf_swarm_tick(e.victim.swarm, e.now_ms);
        hear();
    }
}

/* threats-and-targets 14: "zero-window peer frees in 60 s" */
HF_TEST(hostile_peer_without_window_frees_the_stream) {
    static uint8_t block[60000];
    evil_start(NULL);
    open_stream(1, HF_TEXT(SINK));
    uint64_t s = find_event(&e.victim, HF_SWARM_STREAM_OPEN, 0)->stream;
    hf_err err = HF_OK;
    while (!err) {
        err = hf_swarm_stream_write(e.victim.swarm, e.now_ms, s, HF_BYTES(block, sizeof block));
        hear();
    }
    CHECK_ERR(err, HF_LIMIT);
    CHECK(hf_swarm_stream_buffered(e.victim.swarm, s) > 900000);
    wait_ms(61000);
    CHECK(!e.victim.closed);
    CHECK(strcmp(find_event(&e.victim, HF_SWARM_STREAM_GONE, 0)->reason, "the peer takes no data") == 0);
    CHECK_U64(hf_swarm_stream_buffered(e.victim.swarm, s), 0);
    CHECK(hf_test_mem_out() < 600000);
    evil_stop();
}

HF_TEST(hostile_streams_that_never_agree_are_reset) {
    evil_start(NULL);
    wait_ms(16000); /* just after a ping: nothing else falls due in the next 12 s */
    for (uint32_t id = 1; id < 200; id += 2) {
        say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, id, 0, nothing);
        say_frame(HF_YAMUX_TYPE_DATA, 0, id, 10, HF_TEXT("\x13/multistr"));
    }
    tell();
    size_t before = hf_test_mem_out();
    wait_ms(12000);
    CHECK(!e.victim.closed && hf_test_mem_out() < before - 100 * 200);
    CHECK_U64(count_events(&e.victim, HF_SWARM_STREAM_OPEN) + count_events(&e.victim, HF_SWARM_STREAM_GONE), 0);
    evil_stop();
}

HF_TEST(hostile_negotiations_hurt_their_stream_only) {
    static const char *const openings[] = {"GET / HTTP/1.1\r\n", "\x13/multistream/2.0.0\n",
                                           "\x13/multistream/1.0.0\n\xff\xff\xff", "\x01\n"};
    evil_start(NULL);
    for (uint32_t i = 0; i < HF_COUNT(openings); i++) {
        say_frame(HF_YAMUX_TYPE_WINDOW, HF_YAMUX_SYN, 1 + 2 * i, 0, nothing);
        say_frame(HF_YAMUX_TYPE_DATA, 0, 1 + 2 * i, (uint32_t)strlen(openings[i]), hf_str(openings[i]));
        tell();
    }
    CHECK(!e.victim.closed);
    open_stream(99, HF_TEXT(ECHO));
    CHECK(find_event(&e.victim, HF_SWARM_STREAM_OPEN, 0) != NULL);
    evil_stop();
}

HF_TEST(hostile_identify_push_is_not_believed) {
    evil_start(NULL);
    uint8_t other_key[32] = {5};
    hf_buf message, framed;
    hf_buf_init(&message, hf_test_mem());
    hf_buf_init(&framed, hf_test_mem());
    hf_buf_add(&message, HF_BYTES("\x0a\x24", 2));
    hf_public_key_add(&message, other_key);
    hf_buf_add(&message, HF_BYTES("\x1a\x02/x", 4));
    hf_buf_add_byte(&framed, (uint8_t)message.len);
    hf_buf_add(&framed, hf_buf_bytes(&message));
    open_stream(1, HF_TEXT("/ipfs/id/push/1.0.0"));
    say_frame(HF_YAMUX_TYPE_DATA, 0, 1, (uint32_t)framed.len, hf_buf_bytes(&framed));
    open_stream(3, HF_TEXT("/ipfs/id/push/1.0.0"));
    say_frame(HF_YAMUX_TYPE_DATA, 0, 3, 5, HF_TEXT("\xff\xff\xff\xff\x01"));
    tell();
    CHECK(!find_event(&e.victim, HF_SWARM_IDENTIFIED, 0) && !e.victim.closed);
    hf_buf_deinit(&message);
    hf_buf_deinit(&framed);
    evil_stop();
}

HF_TEST(hostile_noise_closes_with_a_reason) {
    evil_start(NULL);
    CHECK_ERR(hf_swarm_conn_recv(e.victim.swarm, e.now_ms, CONN, HF_TEXT("\x00\x05hello")), HF_OK);
    end_drain(&e.victim, e.now_ms, &e.inbox);
    CHECK(strcmp(why(), "noise: message too short") == 0);
    evil_stop();
    evil_start(NULL);
    say_frame(HF_YAMUX_TYPE_PING, HF_YAMUX_SYN, 0, 1, nothing);
    e.conn.out.ptr[5] ^= 1;
    CHECK_ERR(hf_swarm_conn_recv(e.victim.swarm, e.now_ms, CONN, hf_buf_bytes(&e.conn.out)), HF_OK);
    end_drain(&e.victim, e.now_ms, &e.inbox);
    CHECK(strcmp(why(), "noise: message does not decrypt") == 0);
    evil_stop();
}

HF_TEST(hostile_openings_close_with_a_reason) {
    static const struct {
        const char *bytes;
        size_t len;
        const char *reason;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18, "multistream: newline not at the end"},
        {"\x13/multistream/1.0.0\n\x07/noise\n\xff\xff", 30, "noise: handshake message too long"},
        {"\x13/multistream/1.0.0\n\x07/noise\n\x00\x01x", 31, "noise: handshake message does not decrypt"},
        {"\x16\x03\x01\x02\x00\x01\n", 7, "multistream: newline not at the end"}, /* TLS */
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        static end victim;
        hf_buf inbox;
        hf_buf_init(&inbox, hf_test_mem());
        end_start(&victim, 1, NULL);
        CHECK_ERR(hf_swarm_conn_open(victim.swarm, 0, CONN, false, NULL, HF_TEXT("")), HF_OK);
        CHECK_ERR(hf_swarm_conn_recv(victim.swarm, 0, CONN, HF_BYTES(cases[i].bytes, cases[i].len)), HF_OK);
        end_drain(&victim, 0, &inbox);
        const hf_swarm_out *close = find_event(&victim, HF_SWARM_CONN_CLOSE, 0);
        CHECK_MSG(close && strcmp(close->reason, cases[i].reason) == 0, "case %zu: %s", i,
                  close ? close->reason : "open");
        CHECK(!find_event(&victim, HF_SWARM_CONN_UP, 0));
        hf_buf_deinit(&inbox);
        end_stop(&victim);
    }
}

/* A peer that knows no Noise gets no connection, from whichever side it asks. */
HF_TEST(hostile_plaintext_is_not_spoken) {
    static const char *const offers[] = {"/plaintext/2.0.0\n", "/plaintext/1.0.0\n", "/secio/1.0.0\n", "/tls/1.0.0\n", "/noise/0.0.0\n"};
    for (size_t i = 0; i < HF_COUNT(offers); i++) {
        for (int dialer = 0; dialer < 2; dialer++) {
            static end victim;
            hf_buf inbox, said;
            hf_buf_init(&inbox, hf_test_mem());
            hf_buf_init(&said, hf_test_mem());
            end_start(&victim, 1, NULL);
            CHECK_ERR(hf_swarm_conn_open(victim.swarm, 0, CONN, dialer, NULL, HF_TEXT("")), HF_OK);
            hf_buf_add_str(&said, "\x13/multistream/1.0.0\n");
            hf_buf_add_byte(&said, (uint8_t)strlen(offers[i]));
            hf_buf_add_str(&said, offers[i]);
            hf_buf_add_str(&said, "\x0d/yamux/1.0.0\n");
            CHECK_ERR(hf_swarm_conn_recv(victim.swarm, 0, CONN, hf_buf_bytes(&said)), HF_OK);
            end_drain(&victim, 0, &inbox);
            hf_swarm_tick(victim.swarm, 11000);
            end_drain(&victim, 11000, &inbox);
            CHECK_MSG(find_event(&victim, HF_SWARM_CONN_CLOSE, 0) != NULL, "%s is open after 11 s", offers[i]);
            CHECK(!find_event(&victim, HF_SWARM_CONN_UP, 0));
            hf_buf_deinit(&inbox);
            hf_buf_deinit(&said);
            end_stop(&victim);
        }
    }
}

HF_TEST(hostile_too_many_connections_of_one_peer) {
    static world w;
    world_start(&w, 100000);
    for (uint64_t i = 1; i <= 4; i++) { /* the first makes one; four more */
        hf_buf to_a, to_b;
        hf_buf_init(&to_a, hf_test_mem());
        hf_buf_init(&to_b, hf_test_mem());
        CHECK_ERR(hf_swarm_conn_open(w.a.swarm, w.now_ms, CONN + i, true, NULL, HF_TEXT("")), HF_OK);
        CHECK_ERR(hf_swarm_conn_open(w.b.swarm, w.now_ms, CONN + i, false, NULL, HF_TEXT("")), HF_OK);
        for (int turn = 0; turn < 20; turn++) {
            end_drain(&w.a, w.now_ms, &to_b);
            end_drain(&w.b, w.now_ms, &to_a);
            (void)!hf_swarm_conn_recv(w.a.swarm, w.now_ms, CONN + i, hf_buf_bytes(&to_a));
            (void)!hf_swarm_conn_recv(w.b.swarm, w.now_ms, CONN + i, hf_buf_bytes(&to_b));
            hf_buf_clear(&to_a);
            hf_buf_clear(&to_b);
        }
        hf_buf_deinit(&to_a);
        hf_buf_deinit(&to_b);
    }
    CHECK_U64(count_events(&w.b, HF_SWARM_CONN_UP), 4);
    const hf_swarm_out *refused = find_event(&w.a, HF_SWARM_CONN_CLOSE, 0);
    CHECK(refused && strcmp(refused->reason, "too many connections to this peer") == 0);
    CHECK_U64(hf_swarm_n_peers(w.a.swarm), 1);
    world_stop(&w);
}

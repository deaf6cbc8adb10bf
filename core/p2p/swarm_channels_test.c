/* Two swarms over the data channels of one WebRTC connection: /webrtc (the peer is known) and webrtc-direct (Noise on channel 0). The test plays
 * both shells: it numbers channels as SCTP does, and delivers messages in order within a channel and in any order between channels. */
#include "channels.h"
#include "swarm_test.h"

enum { WIRE_MAX = 4000 };

typedef struct packet {
    uint8_t op;
    uint32_t wire; /* the SCTP stream id */
    hf_bytes bytes;
} packet;

typedef struct side {
    end e;
    hf_buf out;
    packet coming[WIRE_MAX]; /* to this side, in order */
    size_t n_coming;
    bool reject; /* no channel can be opened */
} side;

static side sides[2]; /* the dialer first */
static uint64_t now_ms, shuffle;

static hf_swarm *swarm_of(int i) { return sides[i].e.swarm; }

/* The core's number and the wire's: the dialer opens even ones, the other odd ones, from 2 on (0 is Noise's). */
static uint32_t to_wire(int i, uint32_t number) { return number & HF_CHANNEL_OURS ? 2 * (number & ~HF_CHANNEL_OURS) + 2 + (uint32_t)i : number; }
static uint32_t from_wire(int i, uint32_t wire) { return wire >= 2 && wire % 2 == (uint32_t)i ? HF_CHANNEL_OURS | (wire - 2 - (uint32_t)i) / 2 : wire; }

static uint32_t get_u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

static void route(int i) {
    side *to = &sides[!i];
    hf_bytes out = hf_buf_bytes(&sides[i].out);
    while (out.len) {
        CHECK(out.len >= HF_CHANNEL_RECORD_LEN && out.len >= HF_CHANNEL_RECORD_LEN + get_u32(out.ptr + 5) && to->n_coming < WIRE_MAX);
        uint32_t len = get_u32(out.ptr + 5);
        hf_bytes bytes = hf_arena_copy(hf_test_arena(), hf_sub(out, HF_CHANNEL_RECORD_LEN, len));
        to->coming[to->n_coming++] = (packet){out.ptr[4], to_wire(i, get_u32(out.ptr)), bytes};
        out = hf_sub(out, HF_CHANNEL_RECORD_LEN + len, out.len);
    }
    hf_buf_clear(&sides[i].out);
}

/* The next one: the first, or the first of any channel. */
static packet pick(side *s) {
    size_t at = shuffle ? hf_test_random(&shuffle) % s->n_coming : 0;
    for (size_t i = 0; i < at; i++)
        if (s->coming[i].wire == s->coming[at].wire) at = i;
    packet p = s->coming[at];
    memmove(s->coming + at, s->coming + at + 1, (--s->n_coming - at) * sizeof p);
    return p;
}

static bool deliver(int i) {
    side *s = &sides[i];
    if (!s->n_coming) return false;
    packet p = pick(s);
    uint32_t number = from_wire(i, p.wire);
    if (s->e.closed) return true;
    if (p.op == HF_CHANNEL_OPEN && s->reject) hf_swarm_channel_closed(swarm_of(!i), now_ms, CONN, from_wire(!i, p.wire));
    if (p.op == HF_CHANNEL_OPEN && !s->reject) (void)!hf_swarm_channel_opened(s->e.swarm, now_ms, CONN, number);
    if (p.op == HF_CHANNEL_MESSAGE) (void)!hf_swarm_channel_recv(s->e.swarm, now_ms, CONN, number, p.bytes);
    if (p.op == HF_CHANNEL_CLOSE) hf_swarm_channel_closed(s->e.swarm, now_ms, CONN, number);
    return true;
}

static void run(void) {
    bool moved = true;
    while (moved) {
        for (int i = 0; i < 2; i++) {
            end_drain(&sides[i].e, now_ms, &sides[i].out);
            route(i);
        }
        moved = deliver(0);
        if (deliver(1)) moved = true;
        for (int i = 0; i < 2 && !moved; i++) {
            if (!sides[i].e.closed || sides[!i].e.closed) continue;
            sides[!i].e.closed = moved = true;
            hf_swarm_conn_lost(swarm_of(!i), now_ms, CONN);
        }
    }
}

static void start_with(const hf_swarm_config *config) {
    now_ms = 1000;
    shuffle = 0;
    for (int i = 0; i < 2; i++) {
        sides[i].n_coming = 0;
        sides[i].reject = false;
        end_start(&sides[i].e, (uint8_t)(i + 1), config);
        hf_buf_init(&sides[i].out, hf_test_mem());
        if (!sides[i].e.swarm) continue;
        CHECK_ERR(hf_swarm_protocol(swarm_of(i), HF_TEXT(ECHO), TAG_ECHO), HF_OK);
        CHECK_ERR(hf_swarm_protocol(swarm_of(i), HF_TEXT(SINK), TAG_SINK), HF_OK);
    }
}

static void stop(void) {
    for (int i = 0; i < 2; i++) {
        end_stop(&sides[i].e);
        hf_buf_deinit(&sides[i].out);
    }
}

static hf_err connect_known(void) {
    hf_err err = HF_OK;
    for (int i = 0; i < 2 && !err; i++)
        err = hf_swarm_conn_open_channels(swarm_of(i), now_ms, CONN, &(hf_channels_open){.dialer = i == 0, .peer = hf_swarm_self(swarm_of(!i))});
    if (!err) run();
    return err;
}

static hf_err connect_direct(const hf_peer_id *expected, hf_bytes client_prologue) {
    hf_channels_open client = {.dialer = true, .prologue = client_prologue, .expected = expected};
    hf_channels_open server = {.noise_initiator = true, .prologue = HF_TEXT("libp2p-webrtc-noise:AB")};
    hf_err err = hf_swarm_conn_open_channels(swarm_of(0), now_ms, CONN, &client);
    if (!err) err = hf_swarm_conn_open_channels(swarm_of(1), now_ms, CONN, &server);
    if (!err) run();
    return err;
}

static uint64_t open_stream(int i, const char *protocol, uint32_t tag) {
    uint64_t s = 0;
    CHECK_ERR(hf_swarm_stream_open_on(swarm_of(i), now_ms, CONN, hf_str(protocol), tag, &s), HF_OK);
    return s;
}

static void check_up(void) {
    for (int i = 0; i < 2; i++) {
        const hf_swarm_out *up = find_event(&sides[i].e, HF_SWARM_CONN_UP, 0);
        CHECK(up && hf_peer_id_eq(&up->peer, hf_swarm_self(swarm_of(!i))) && up->inbound == (i == 1));
        CHECK(find_event(&sides[i].e, HF_SWARM_IDENTIFIED, 0) && hf_swarm_peer_speaks(swarm_of(i), &up->peer, HF_TEXT(ECHO)));
    }
}

static void echo_once(int i, size_t len) {
    static uint8_t text[200000];
    for (size_t k = 0; k < len; k++) text[k] = (uint8_t)(k * 7);
    sides[!i].e.echo = true;
    uint64_t s = open_stream(i, ECHO, TAG_ECHO);
    CHECK_ERR(hf_swarm_stream_write(swarm_of(i), now_ms, s, HF_BYTES(text, len)), HF_OK);
    hf_swarm_stream_finish(swarm_of(i), now_ms, s);
    run();
    CHECK_BYTES(received(&sides[i].e, s), HF_BYTES(text, len));
    CHECK(!find_event(&sides[i].e, HF_SWARM_STREAM_GONE, 0)->reset && !find_event(&sides[!i].e, HF_SWARM_STREAM_GONE, 0)->reset);
}

HF_TEST(swarm_channels_connect_identify_and_echo) {
    start_with(NULL);
    CHECK_ERR(connect_known(), HF_OK);
    check_up();
    echo_once(0, 200000);
    stop();
}

HF_TEST(swarm_channels_direct_runs_noise_first) {
    start_with(NULL);
    CHECK_ERR(connect_direct(hf_swarm_self(swarm_of(1)), HF_TEXT("libp2p-webrtc-noise:AB")), HF_OK);
    check_up();
    echo_once(1, 3000);
    stop();
}

/* Channels overtake each other: a stream of the server may come before the end of the handshake. */
HF_TEST(swarm_channels_in_any_order) {
    for (uint64_t seed = 1; seed <= 200; seed++) {
        start_with(NULL);
        shuffle = seed;
        CHECK_ERR(seed % 2 ? connect_direct(NULL, HF_TEXT("libp2p-webrtc-noise:AB")) : connect_known(), HF_OK);
        check_up();
        echo_once((int)(seed / 2 % 2), 40000);
        stop();
    }
}

HF_TEST(swarm_channels_another_prologue_or_peer_is_refused) {
    for (int i = 0; i < 2; i++) {
        start_with(NULL);
        CHECK_ERR(connect_direct(i ? hf_swarm_self(swarm_of(0)) : NULL, i ? HF_TEXT("libp2p-webrtc-noise:AB") : HF_TEXT("libp2p-webrtc-noise:AC")), HF_OK);
        CHECK(sides[0].e.closed && sides[1].e.closed && !find_event(&sides[0].e, HF_SWARM_CONN_UP, 0));
        stop();
    }
}

HF_TEST(swarm_channels_refuse_wrong_calls) {
    start_with(NULL);
    hf_channels_open open = {.peer = hf_swarm_self(swarm_of(0))};
    CHECK_ERR(hf_swarm_conn_open_channels(swarm_of(0), now_ms, CONN, &open), HF_DENIED);
    open = (hf_channels_open){.peer = hf_swarm_self(swarm_of(1)), .expected = hf_swarm_self(swarm_of(0))};
    CHECK_ERR(hf_swarm_conn_open_channels(swarm_of(0), now_ms, CONN, &open), HF_DENIED);
    CHECK_ERR(hf_swarm_channel_opened(swarm_of(0), now_ms, CONN, 1), HF_NOT_FOUND);
    CHECK_ERR(connect_known(), HF_OK);
    CHECK_ERR(hf_swarm_conn_recv(swarm_of(0), now_ms, CONN, HF_TEXT("bytes")), HF_NOT_FOUND);
    CHECK_ERR(hf_swarm_channel_recv(swarm_of(0), now_ms, CONN + 1, 1, HF_TEXT("bytes")), HF_NOT_FOUND);
    stop();
}

HF_TEST(swarm_channels_back_pressure) {
    static uint8_t block[60000];
    start_with(NULL);
    CHECK_ERR(connect_known(), HF_OK);
    uint64_t s = open_stream(0, SINK, TAG_SINK);
    run();
    uint64_t sink = find_event(&sides[1].e, HF_SWARM_STREAM_OPEN, 0)->stream;
    hf_swarm_stream_reading(swarm_of(1), now_ms, sink, false);
    for (int i = 0; i < 15; i++) CHECK_ERR(hf_swarm_stream_write(swarm_of(0), now_ms, s, HF_BYTES(block, sizeof block)), HF_OK);
    hf_swarm_stream_finish(swarm_of(0), now_ms, s);
    run();
    CHECK(received(&sides[1].e, sink).len == 0 && !find_event(&sides[1].e, HF_SWARM_STREAM_FIN, 0));
    hf_swarm_stream_reading(swarm_of(1), now_ms, sink, true);
    run();
    CHECK_U64(received(&sides[1].e, sink).len, 15 * sizeof block);
    CHECK(find_event(&sides[1].e, HF_SWARM_STREAM_FIN, 0) != NULL);
    hf_swarm_channel_busy(swarm_of(1), now_ms, CONN, 2, true); /* not that stream's: nothing happens */
    hf_swarm_stream_finish(swarm_of(1), now_ms, sink);
    run();
    CHECK(find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 0) && !find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 0)->reset);
    stop();
}

HF_TEST(swarm_channels_that_nobody_reads_are_reset) {
    static uint8_t block[60000];
    start_with(NULL);
    CHECK_ERR(connect_known(), HF_OK);
    uint64_t s = open_stream(0, SINK, TAG_SINK);
    run();
    hf_swarm_stream_reading(swarm_of(1), now_ms, find_event(&sides[1].e, HF_SWARM_STREAM_OPEN, 0)->stream, false);
    for (int i = 0; i < 30 && !find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 0); i++) {
        (void)!hf_swarm_stream_write(swarm_of(0), now_ms, s, HF_BYTES(block, sizeof block));
        run();
    }
    CHECK(find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 0)->reset && find_event(&sides[1].e, HF_SWARM_STREAM_GONE, 0)->reset);
    CHECK(!sides[0].e.closed && !sides[1].e.closed);
    stop();
}

HF_TEST(swarm_channels_waits_for_its_channel) {
    static uint8_t block[60000];
    hf_swarm_config small = {.send_buffer_bytes_max = 100000};
    start_with(&small);
    CHECK_ERR(connect_known(), HF_OK);
    uint64_t s = open_stream(0, SINK, TAG_SINK);
    run();
    uint32_t number = HF_CHANNEL_OURS; /* identify may have been the first */
    for (uint32_t i = 0; i < 4; i++) hf_swarm_channel_busy(swarm_of(0), now_ms, CONN, number + i, true);
    CHECK_ERR(hf_swarm_stream_write(swarm_of(0), now_ms, s, HF_BYTES(block, sizeof block)), HF_OK);
    CHECK_ERR(hf_swarm_stream_write(swarm_of(0), now_ms, s, HF_BYTES(block, sizeof block)), HF_LIMIT);
    CHECK_U64(hf_swarm_stream_buffered(swarm_of(0), s), sizeof block);
    for (uint32_t i = 0; i < 4; i++) hf_swarm_channel_busy(swarm_of(0), now_ms, CONN, number + i, false);
    run();
    CHECK(count_events(&sides[0].e, HF_SWARM_STREAM_DRAINED) == 1 && hf_swarm_stream_buffered(swarm_of(0), s) == 0);
    stop();
}

HF_TEST(swarm_channels_reset_and_refuse) {
    start_with(NULL);
    CHECK_ERR(connect_known(), HF_OK);
    uint64_t s = open_stream(0, SINK, TAG_SINK);
    run();
    hf_swarm_stream_reset(swarm_of(0), now_ms, s);
    run();
    CHECK(find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 0)->reset && find_event(&sides[1].e, HF_SWARM_STREAM_GONE, 0)->reset);
    s = open_stream(1, "/unknown", 5);
    run();
    const hf_swarm_out *gone = find_event(&sides[1].e, HF_SWARM_STREAM_GONE, 1);
    CHECK(gone && gone->reset && gone->stream == s && gone->tag == 5);
    sides[1].reject = true;
    open_stream(0, SINK, TAG_SINK);
    run();
    gone = find_event(&sides[0].e, HF_SWARM_STREAM_GONE, 1);
    CHECK(gone && gone->reset && !sides[0].e.closed);
    stop();
}

/* Pings keep it; a peer that answers none is let go. */
HF_TEST(swarm_channels_stay_up_and_end) {
    start_with(NULL);
    CHECK_ERR(connect_known(), HF_OK);
    for (int i = 0; i < 40; i++) {
        now_ms += 5000;
        for (int k = 0; k < 2; k++)
            if (hf_swarm_deadline(swarm_of(k)) <= now_ms) hf_swarm_tick(swarm_of(k), now_ms);
        run();
    }
    CHECK(!sides[0].e.closed && !sides[1].e.closed);
    CHECK_U64(hf_swarm_conn_rtt_ms(swarm_of(0), CONN), 0);
    for (int i = 0; i < 20; i++) {
        now_ms += 5000;
        hf_swarm_tick(swarm_of(0), now_ms);
        end_drain(&sides[0].e, now_ms, &sides[0].out);
        hf_buf_clear(&sides[0].out);
    }
    CHECK(sides[0].e.closed && find_event(&sides[0].e, HF_SWARM_CONN_DOWN, 0)->last);
    run();
    CHECK(find_event(&sides[1].e, HF_SWARM_CONN_DOWN, 0) != NULL);
    stop();
}

/* Nothing is lost that was allocated, wherever memory ends. */
HF_TEST(swarm_channels_without_memory) {
    for (size_t n = 1; n < 400; n += 3) {
        start_with(NULL);
        hf_test_mem_fail_at(n);
        hf_err err = n % 2 ? connect_known() : connect_direct(NULL, HF_TEXT("libp2p-webrtc-noise:AB"));
        uint64_t s = 0;
        if (!err) err = hf_swarm_stream_open_on(swarm_of(0), now_ms, CONN, HF_TEXT(ECHO), TAG_ECHO, &s);
        if (!err) (void)!hf_swarm_stream_write(swarm_of(0), now_ms, s, HF_TEXT("hello"));
        if (!err) run();
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        stop();
        CHECK(failed || n > 30);
    }
}

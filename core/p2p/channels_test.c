/* Data channels as a muxer by themselves: the framing, which records go out, ends in every order, bounds. Two swarms over them are in
 * swarm_channels_test.c. */
#include "channels.h"

#include "../../tests/kit/check.h"

#include <stdio.h>
#include <string.h>

static hf_mux m;
static hf_channels *c;
static uint8_t block[300000];

static void start(bool early) {
    hf_channels_config config = {4, 4, 400000, 0};
    c = hf_channels_new(hf_test_mem(), &config, 0);
    m = hf_channels_mux(c);
    if (!early) hf_channels_release(c);
}

static void stop(void) { m.table->free(m.self); }

static uint32_t get_u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* One record's message in words: data's length, then the flag. */
static int word(char *text, size_t room, hf_bytes message) {
    static const char *const flags[] = {"", "FIN", "STOP", "RESET", "ACK"};
    hf_channel_message said;
    CHECK(message.len <= HF_CHANNELS_MESSAGE_BYTES_MAX);
    CHECK_ERR(hf_channel_message_read(&message, &said), HF_OK);
    CHECK_U64(message.len, 0);
    if (said.flag == HF_CHANNEL_NO_FLAG) return snprintf(text, room, "%zu", said.payload.len);
    return snprintf(text, room, "%s", flags[said.flag + 1]);
}

/* What is in the output, in words: "+A0 A0:5 A0:FIN -A0"; A: a channel of ours, P: of the peer's. */
static hf_bytes words(void) {
    hf_bytes out = hf_buf_bytes(m.table->out(m.self));
    char text[1000];
    size_t n = 0;
    while (out.len) {
        uint32_t channel = get_u32(out.ptr), len = get_u32(out.ptr + 5);
        uint8_t op = out.ptr[4];
        CHECK(out.len >= HF_CHANNEL_RECORD_LEN + len && op >= HF_CHANNEL_OPEN && op <= HF_CHANNEL_CLOSE);
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%s%c%u", n ? " " : "", op == HF_CHANNEL_OPEN ? "+" : op == HF_CHANNEL_CLOSE ? "-" : "",
                              channel & HF_CHANNEL_OURS ? 'A' : 'P', channel & ~HF_CHANNEL_OURS);
        if (op == HF_CHANNEL_MESSAGE) {
            text[n++] = ':';
            n += (size_t)word(text + n, sizeof text - n, hf_sub(out, HF_CHANNEL_RECORD_LEN, len));
        }
        CHECK(n < sizeof text);
        out = hf_sub(out, HF_CHANNEL_RECORD_LEN + len, out.len);
    }
    m.table->taken(m.self, 0);
    return hf_arena_copy(hf_test_arena(), HF_BYTES(text, n));
}

static hf_mux_event next(void) {
    hf_mux_event event;
    hf_bytes none = {NULL, 0};
    CHECK_ERR(m.table->next(m.self, 0, &none, &event), HF_OK);
    return event;
}

static hf_mux_event hear(uint32_t channel, hf_bytes message) {
    CHECK_ERR(hf_channels_recv(c, 0, channel, message), HF_OK);
    return next();
}

static hf_mux_event say(uint32_t channel, hf_channel_flag flag, hf_bytes payload) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_channel_message_add(&buf, &(hf_channel_message){flag, payload});
    hf_bytes message = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return hear(channel, message);
}

static const hf_bytes nothing = {(const uint8_t *)"", 0};

static void *open_inbound(uint32_t channel) {
    CHECK_ERR(hf_channels_opened(c, 0, channel), HF_OK);
    hf_mux_event event = next();
    CHECK_U64(event.kind, HF_MUX_OPENED);
    return event.stream;
}

static void *open_ours(void) {
    void *s = NULL;
    CHECK_ERR(m.table->open(m.self, NULL, &s), HF_OK);
    return s;
}

/* ---- the framing ---- */

static hf_channel_flag flag_of(const hf_value *value) {
    static const char *const names[] = {"FIN", "STOP_SENDING", "RESET", "FIN_ACK"};
    const hf_value *name = hf_value_get(value, "flag");
    for (int i = 0; name && i < 4; i++)
        if (hf_eq(hf_value_as_text(name), hf_str(names[i]))) return (hf_channel_flag)i;
    return HF_CHANNEL_NO_FLAG;
}

HF_TEST(channels_frame_as_js_does) {
    const hf_value *rows = hf_value_get(hf_test_json("orbitdb/webrtc.json"), "dataChannelMessages");
    CHECK(rows && rows->as.list.n >= 6);
    for (size_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i], *value = hf_value_get(row, "value"), *message = hf_value_get(value, "message");
        hf_bytes framed = hf_test_hex(hf_value_as_text(hf_value_get(row, "framed"))), rest = framed;
        hf_channel_message said;
        CHECK_ERR(hf_channel_message_read(&rest, &said), HF_OK);
        CHECK_U64(rest.len, 0);
        CHECK(said.flag == flag_of(value));
        CHECK_BYTES(said.payload, message ? hf_test_hex(hf_value_as_text(hf_value_get(message, "$bytes"))) : nothing);
        hf_buf again;
        hf_buf_init(&again, hf_test_mem());
        hf_channel_message_add(&again, &said);
        CHECK_BYTES(hf_buf_bytes(&again), framed);
        hf_buf_deinit(&again);
    }
}

HF_TEST(channels_refuse_what_is_not_whole) {
    static const char *const bad[] = {"03", "020800ff", "0208", "8080808080808080808001", "ff7f0800", "020b00", "0312056869", "038001"};
    hf_channel_message said;
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        hf_bytes bytes = hf_test_hex(hf_str(bad[i]));
        hf_err err = hf_channel_message_read(&bytes, &said);
        if (!err) err = hf_channel_message_read(&bytes, &said);
        CHECK_MSG(err == HF_MALFORMED, "%s", bad[i]);
    }
}

/* ---- records ---- */

HF_TEST(channels_say_what_js_says) {
    start(false);
    void *s = open_ours(), *t;
    CHECK_ERR(hf_mux_write(m, 0, s, HF_TEXT("hello")), HF_OK);
    hf_mux_finish(m, s);
    hf_mux_finish(m, s);
    CHECK_ERR(hf_mux_write(m, 0, s, HF_TEXT("x")), HF_STATE);
    CHECK_ERR(m.table->open(m.self, NULL, &t), HF_OK);
    m.table->drop(m.self, 0, t);
    CHECK_BYTES(words(), HF_TEXT("+A0 A0:5 A0:FIN +A1 A1:RESET -A1"));
    m.table->close(m.self, 0);
    CHECK_ERR(m.table->open(m.self, NULL, &t), HF_STATE);
    stop();
}

HF_TEST(channels_one_write_one_message_up_to_16377_bytes) {
    start(false);
    void *s = open_ours();
    CHECK_ERR(hf_mux_write(m, 0, s, HF_BYTES(block, 16377)), HF_OK);
    CHECK_ERR(hf_mux_write(m, 0, s, HF_BYTES(block, 40000)), HF_OK);
    CHECK_BYTES(words(), HF_TEXT("+A0 A0:16377 A0:16377 A0:16377 A0:7246"));
    stop();
}

HF_TEST(channels_take_turns_and_wait_for_their_channel) {
    start(false);
    void *s = open_ours(), *t = open_ours();
    bool drained = false;
    hf_channels_busy(c, 0, HF_CHANNEL_OURS, true);
    CHECK_ERR(hf_mux_write(m, 0, s, HF_BYTES(block, 300000)), HF_OK);
    CHECK_ERR(hf_mux_write(m, 0, s, HF_BYTES(block, 200000)), HF_LIMIT);
    CHECK_ERR(hf_mux_write(m, 0, t, HF_TEXT("two")), HF_OK);
    CHECK_BYTES(words(), HF_TEXT("+A0 +A1 A1:3"));
    CHECK_U64(m.table->buffered(s), 300000);
    hf_channels_busy(c, 0, HF_CHANNEL_OURS, false);
    CHECK(m.table->notice(m.self, &drained) == s && drained && !m.table->notice(m.self, &drained));
    CHECK_U64(words().len, 18 * 9 + 7); /* 18 of 16377 and one of 5214 */
    m.table->block(m.self, 0, true);
    for (uint32_t i = 1; i <= 3; i++) CHECK_ERR(hf_mux_write(m, 0, s, HF_BYTES(block, i)), HF_OK);
    for (uint32_t i = 1; i <= 2; i++) CHECK_ERR(hf_mux_write(m, 0, t, HF_BYTES(block, i)), HF_OK);
    hf_mux_finish(m, t);
    CHECK_BYTES(words(), nothing);
    m.table->block(m.self, 0, false);
    CHECK_BYTES(words(), HF_TEXT("A0:1 A1:1 A0:2 A1:2 A0:3 A1:FIN"));
    stop();
}

HF_TEST(channels_stall) {
    start(false);
    void *s = open_ours();
    hf_channels_busy(c, 1000, HF_CHANNEL_OURS, true);
    CHECK_ERR(hf_mux_write(m, 1000, s, HF_TEXT("waits")), HF_OK);
    CHECK(!m.table->stalled(m.self, 45999) && m.table->stalled(m.self, 46000) == s);
    stop();
}

/* ---- ends ---- */

HF_TEST(channels_close_when_both_sides_are_done) {
    start(false);
    void *s = open_inbound(3);
    CHECK_U64(say(3, HF_CHANNEL_FIN, HF_TEXT("bye")).kind, HF_MUX_DATA);
    CHECK_U64(next().kind, HF_MUX_FIN);
    CHECK_BYTES(words(), HF_TEXT("P3:ACK"));
    CHECK_U64(say(3, HF_CHANNEL_FIN, nothing).kind, HF_MUX_NONE); /* twice is nothing new */
    hf_mux_finish(m, s);
    CHECK(hf_mux_over(m, s));
    m.table->drop(m.self, 100, s);
    CHECK_BYTES(words(), HF_TEXT("P3:FIN")); /* it waits for the peer's answer */
    CHECK_U64(m.table->deadline(m.self), 100 + HF_CHANNELS_FIN_ACK_MS);
    CHECK_U64(say(3, HF_CHANNEL_NO_FLAG, HF_TEXT("late")).kind, HF_MUX_NONE);
    CHECK_U64(say(3, HF_CHANNEL_FIN_ACK, nothing).kind, HF_MUX_NONE);
    CHECK_BYTES(words(), HF_TEXT("-P3"));
    open_inbound(3); /* the number is free again */
    stop();
}

HF_TEST(channels_wait_five_seconds_for_the_last_answer) {
    start(false);
    void *s = open_ours();
    hf_mux_finish(m, s);
    CHECK_U64(say(HF_CHANNEL_OURS, HF_CHANNEL_FIN, nothing).kind, HF_MUX_FIN);
    m.table->drop(m.self, 100, s);
    CHECK_BYTES(words(), HF_TEXT("+A0 A0:FIN A0:ACK"));
    m.table->tick(m.self, 5099);
    CHECK_BYTES(words(), nothing);
    m.table->tick(m.self, 5100);
    CHECK_BYTES(words(), HF_TEXT("-A0"));
    CHECK(m.table->deadline(m.self) == UINT64_MAX);
    stop();
}

HF_TEST(channels_reset_both_ways) {
    start(false);
    void *s = open_inbound(5);
    hf_mux_event event = say(5, HF_CHANNEL_RESET, HF_TEXT("thrown away"));
    CHECK(event.kind == HF_MUX_RESET && event.stream == s && !event.reason && hf_mux_over(m, s));
    m.table->drop(m.self, 0, s);
    CHECK_BYTES(words(), HF_TEXT("-P5"));
    s = open_inbound(5);
    m.table->drop(m.self, 0, s);
    CHECK_BYTES(words(), HF_TEXT("P5:RESET -P5"));
    CHECK_U64(say(5, HF_CHANNEL_NO_FLAG, HF_TEXT("late")).kind, HF_MUX_NONE);
    stop();
}

HF_TEST(channels_closed_by_the_peer) {
    start(false);
    void *s = open_inbound(5);
    hf_channels_closed(c, 0, 5);
    hf_mux_event event = next();
    CHECK(event.kind == HF_MUX_RESET && event.stream == s && event.reason);
    m.table->drop(m.self, 0, s);
    CHECK_BYTES(words(), nothing);
    stop();
}

/* js says STOP_SENDING and FIN and closes: what it said is still read, and the end is no reset. */
HF_TEST(channels_read_on_when_the_peer_wants_no_answer) {
    start(false);
    void *s = open_inbound(5);
    bool drained;
    m.table->reading(m.self, 0, s, false);
    CHECK_U64(say(5, HF_CHANNEL_NO_FLAG, HF_TEXT("one")).kind, HF_MUX_NONE);
    CHECK_U64(say(5, HF_CHANNEL_STOP_SENDING, nothing).kind, HF_MUX_NONE);
    CHECK_ERR(hf_mux_write(m, 0, s, HF_TEXT("for nobody")), HF_OK);
    CHECK_U64(say(5, HF_CHANNEL_FIN, HF_TEXT("two")).kind, HF_MUX_NONE);
    hf_channels_closed(c, 0, 5);
    CHECK_U64(next().kind, HF_MUX_NONE);
    CHECK_BYTES(words(), HF_TEXT("P5:ACK"));
    void *t = open_inbound(5); /* the number is another's now */
    m.table->reading(m.self, 0, s, true);
    CHECK_BYTES(next().bytes, HF_TEXT("one"));
    CHECK_BYTES(next().bytes, HF_TEXT("two"));
    CHECK_U64(next().kind, HF_MUX_FIN);
    CHECK(m.table->notice(m.self, &drained) == s && !drained && hf_mux_over(m, s));
    m.table->drop(m.self, 0, s);
    CHECK_BYTES(words(), nothing);
    CHECK(say(5, HF_CHANNEL_NO_FLAG, HF_TEXT("x")).stream == t);
    stop();
}

/* ---- bounds ---- */

HF_TEST(channels_break_a_stream_that_does_wrong) {
    static const struct {
        const char *hex; /* NULL: a message that is too long */
        bool after_fin;
    } bad[] = {{"02", false}, {"0312056869", false}, {NULL, false}, {"0412026869", true}};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        start(false);
        void *s = open_inbound(5);
        if (bad[i].after_fin) CHECK_U64(say(5, HF_CHANNEL_FIN, nothing).kind, HF_MUX_FIN);
        hf_mux_event event = hear(5, bad[i].hex ? hf_test_hex(hf_str(bad[i].hex)) : HF_BYTES(block, HF_CHANNELS_MESSAGE_BYTES_MAX + 1));
        CHECK(event.kind == HF_MUX_RESET && event.stream == s && event.reason);
        (void)words();
        m.table->drop(m.self, 0, s);
        CHECK_BYTES(words(), HF_TEXT("P5:RESET -P5"));
        stop();
    }
}

HF_TEST(channels_two_messages_in_one) {
    start(false);
    void *s = open_inbound(5);
    hf_mux_event event = hear(5, hf_test_hex(HF_TEXT("03120161031201620208000200")));
    CHECK(event.kind == HF_MUX_DATA && event.stream == s);
    CHECK_BYTES(event.bytes, HF_TEXT("a"));
    CHECK_BYTES(next().bytes, HF_TEXT("b"));
    CHECK_U64(next().kind, HF_MUX_RESET); /* the last is not whole */
    stop();
}

HF_TEST(channels_hold_a_bounded_amount) {
    start(false);
    void *s = open_inbound(5);
    hf_mux_event event = {.kind = HF_MUX_NONE};
    size_t n = 0;
    m.table->reading(m.self, 0, s, false);
    for (; !event.kind && n < 1000; n++) event = say(5, HF_CHANNEL_NO_FLAG, HF_BYTES(block, 16000));
    CHECK_U64(n, HF_CHANNELS_HELD_BYTES_MAX / 16000 + 1);
    CHECK(event.kind == HF_MUX_RESET && event.stream == s && event.reason);
    CHECK(hf_test_mem_out() < 100000 + n * 17000); /* the test's own copies */
    stop();
}

HF_TEST(channels_refuse_more_than_their_number) {
    start(false);
    for (uint32_t i = 1; i <= 4; i++) open_inbound(i);
    CHECK_ERR(hf_channels_opened(c, 0, 4), HF_EXISTS);
    CHECK_ERR(hf_channels_opened(c, 0, HF_CHANNEL_OURS | 7), HF_EXISTS);
    CHECK_ERR(hf_channels_opened(c, 0, 5), HF_OK);
    CHECK_U64(next().kind, HF_MUX_NONE);
    CHECK_BYTES(words(), HF_TEXT("-P5"));
    hf_mux_event event = {.kind = HF_MUX_NONE};
    int n = 0;
    for (; !event.kind && n < 5000; n++) {
        CHECK_ERR(hf_channels_opened(c, 0, 6), HF_OK);
        event = next();
        m.table->taken(m.self, 0);
    }
    CHECK(event.kind == HF_MUX_BROKEN && event.reason && n == HF_MUX_ABORTS_MAX);
    stop();
}

HF_TEST(channels_before_the_peer_is_known_are_held) {
    start(true);
    CHECK_ERR(hf_channels_opened(c, 0, 5), HF_OK);
    CHECK_ERR(hf_channels_opened(c, 0, 6), HF_OK);
    CHECK_U64(say(5, HF_CHANNEL_FIN, HF_TEXT("early")).kind, HF_MUX_NONE);
    CHECK_U64(say(6, HF_CHANNEL_NO_FLAG, HF_BYTES(block, 16000)).kind, HF_MUX_NONE);
    for (int i = 0; i < 4; i++) CHECK_U64(say(6, HF_CHANNEL_NO_FLAG, HF_BYTES(block, 16000)).kind, HF_MUX_NONE); /* too much for a stranger */
    hf_channels_release(c);
    hf_mux_event event = next();
    CHECK_U64(event.kind, HF_MUX_OPENED);
    CHECK_BYTES(next().bytes, HF_TEXT("early"));
    event = next();
    CHECK(event.kind == HF_MUX_FIN);
    CHECK_U64(next().kind, HF_MUX_NONE);
    CHECK_BYTES(words(), HF_TEXT("P5:ACK P6:RESET -P6"));
    stop();
}

/* core: two browsers' cores and a relay between them: reservations, a call, signalling, and what is written crosses data channels. The test plays
 * the shells: their links to the relay, their RTCPeerConnections, the numbers of their channels. */
#include "core.h"

#include "../tests/kit/check.h"
#include "p2p/channels.h"
#include "p2p/relay.h"

#include <string.h>

static const char APP[] =
    "{\"name\":\"t\",\"title\":\"T\",\"description\":\"d\",\"lang\":\"en\","
    "\"collections\":{\"notes\":{\"write\":[\"*\"],\"fields\":{\"text\":{\"type\":\"text\",\"required\":true,\"max\":50}}}},"
    "\"routes\":[{\"path\":\"/\",\"template\":\"index\",\"title\":\"T\",\"description\":\"d\",\"lists\":{\"notes\":{\"from\":\"notes\"}}}],"
    "\"actions\":[{\"path\":\"/notes\",\"do\":\"create\",\"in\":\"notes\",\"fields\":[\"text\"],\"then\":\"/\",\"failed\":\"/\"}]}";

enum { LINK = 2, RTC = 7, NOTHING = 1000, BLOCKS_MAX = 16 };

typedef struct browser {
    hf_core *core;
    uint64_t random;
    hf_secrets secrets;
    struct { uint8_t cid[HF_CID_LEN]; hf_bytes block; } blocks[BLOCKS_MAX];
    size_t n_blocks;
    hf_buf to_relay, from_relay, channels; /* on their way; channels: records to the other browser */
    uint32_t session;
    bool caller, peer_up, level, hung_up;
    char address[256];
    size_t n_ended, n_up;
    const char *reason;
} browser;

static browser two[2];
static hf_swarm *relay_swarm;
static hf_relay *relay;
static uint64_t now_ms, relay_random;
static bool mute; /* the second browser answers no offer */

static hf_err stored_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const browser *b = ctx;
    for (size_t i = 0; i < b->n_blocks; i++)
        if (hf_eq(cid, HF_BYTES(b->blocks[i].cid, HF_CID_LEN))) return *ret = b->blocks[i].block, HF_OK;
    return HF_NOT_FOUND;
}

static void store(browser *b, const hf_out *out) {
    CHECK(b->n_blocks < BLOCKS_MAX);
    memcpy(b->blocks[b->n_blocks].cid, out->cid, HF_CID_LEN);
    b->blocks[b->n_blocks++].block = hf_arena_copy(hf_test_arena(), out->bytes);
    hf_core_stored(b->core, now_ms, out->seq);
}

static void start_browser(browser *b, uint64_t seed) {
    static const hf_file files[] = {
        {HF_TEXT("app.json"), {(const uint8_t *)APP, sizeof APP - 1}},
        {HF_TEXT("templates/layout.mustache"), HF_TEXT("<html>{{{content}}}</html>")},
        {HF_TEXT("templates/index.mustache"), HF_TEXT("<form><input name=op value={{op}}></form>{{#notes.items}}[{{text}}]{{/notes.items}}")},
    };
    hf_bytes problem;
    *b = (browser){.random = seed};
    hf_secrets_make(hf_test_random_fill, &b->random, &b->secrets);
    hf_core_config config = {
        .files = files, .n_files = HF_COUNT(files), .release = HF_TEXT("r1"), .secrets = &b->secrets, .agent = HF_TEXT("test"), .wants_introductions = true,
        .relayed = true, .unix_offset_ms = 1700000000000, .random = hf_test_random_fill, .random_ctx = &b->random, .blocks = {stored_block, b},
    };
    b->core = hf_core_new(hf_test_mem(), &config, hf_test_arena(), &problem);
    CHECK(b->core != NULL);
    CHECK_ERR(hf_core_start(b->core, now_ms), HF_OK);
    hf_buf_init(&b->to_relay, hf_test_mem());
    hf_buf_init(&b->from_relay, hf_test_mem());
    hf_buf_init(&b->channels, hf_test_mem());
}

static void start(void) {
    static const uint8_t seed[32] = {99};
    now_ms = 1000;
    mute = false;
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("relay"), .random = hf_test_random_fill, .random_ctx = &relay_random};
    relay_swarm = hf_swarm_new(hf_test_mem(), &config);
    hf_bytes address = HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1\xdd\x03", 10); /* /ip4/127.0.0.1/tcp/4001/ws */
    CHECK_ERR(hf_swarm_addresses(relay_swarm, &address, 1), HF_OK);
    relay = hf_relay_new(hf_test_mem(), relay_swarm, 1, &(hf_relay_config){.serve = true, .unix_offset_ms = 1700000000000});
    for (int i = 0; i < 2; i++) {
        start_browser(&two[i], (uint64_t)i + 1);
        CHECK_ERR(hf_core_conn_open(two[i].core, now_ms, LINK, true, hf_swarm_self(relay_swarm), HF_BYTES("", 0)), HF_OK);
        CHECK_ERR(hf_swarm_conn_open(relay_swarm, now_ms, (uint64_t)i + 1, false, NULL, HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1", 8)), HF_OK);
    }
}

static void stop(void) {
    hf_relay_free(relay);
    hf_swarm_free(relay_swarm);
    for (int i = 0; i < 2; i++) {
        hf_core_free(two[i].core);
        hf_buf_deinit(&two[i].to_relay);
        hf_buf_deinit(&two[i].from_relay);
        hf_buf_deinit(&two[i].channels);
    }
}

/* What the page does with it: the connection stands when the caller has the answer. */
static void heard(int i, const hf_out *out) {
    browser *b = &two[i];
    b->session = out->session;
    if (out->type == HF_WEBRTC_OFFER && !mute) {
        CHECK_BYTES(out->bytes, HF_TEXT("an offer"));
        CHECK_ERR(hf_core_rtc_say(b->core, now_ms, b->session, HF_WEBRTC_ANSWER, HF_TEXT("an answer")), HF_OK);
        CHECK_ERR(hf_core_rtc_say(b->core, now_ms, b->session, HF_WEBRTC_CANDIDATE, HF_TEXT("null")), HF_OK);
    }
    if (out->type != HF_WEBRTC_ANSWER) return;
    for (int k = 0; k < 2; k++) CHECK_ERR(hf_core_rtc_up(two[k].core, now_ms, two[k].session, RTC), HF_OK);
}

static void take(int i, const hf_out *out) {
    browser *b = &two[i];
    switch (out->kind) {
    case HF_OUT_STORE: store(b, out); break;
    case HF_OUT_SEND: hf_buf_add(out->conn == RTC ? &b->channels : &b->to_relay, out->bytes); break;
    case HF_OUT_CONN_CLOSE: b->hung_up = out->conn == RTC; break;
    case HF_OUT_PEER_UP: b->n_up += out->conn == RTC; break;
    case HF_OUT_LEVEL: b->level = true; break;
    case HF_OUT_REACHABLE:
        CHECK(out->bytes.len < sizeof b->address);
        memcpy(b->address, out->bytes.ptr, out->bytes.len);
        b->address[out->bytes.len] = 0;
        break;
    case HF_OUT_RTC_CALL:
        b->session = out->session;
        b->caller = true;
        CHECK_ERR(hf_core_rtc_say(b->core, now_ms, b->session, HF_WEBRTC_OFFER, HF_TEXT("an offer")), HF_OK);
        break;
    case HF_OUT_RTC_HEARD: heard(i, out); break;
    case HF_OUT_RTC_ENDED:
        b->n_ended++;
        b->reason = out->reason;
        break;
    default: break;
    }
}

static bool drain_relay(void) {
    hf_swarm_out e;
    hf_relay_out said;
    bool moved = false;
    while (hf_swarm_next(relay_swarm, &e)) {
        moved = true;
        if (hf_relay_event(relay, now_ms, &e)) continue;
        if (e.kind == HF_SWARM_SEND) hf_buf_add(&two[e.conn - 1].from_relay, e.bytes);
    }
    while (hf_relay_next(relay, &said)) moved = true;
    return moved;
}

static uint32_t get_u32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

/* The caller's channels are even on the wire, the other's odd. */
static void channels_to(int i, hf_bytes records) {
    while (records.len) {
        uint32_t number = get_u32(records.ptr), len = get_u32(records.ptr + 5), from = two[!i].caller ? 0 : 1;
        uint8_t op = records.ptr[4];
        uint32_t wire = number & HF_CHANNEL_OURS ? 2 * (number & ~HF_CHANNEL_OURS) + 2 + from : number;
        uint32_t theirs = wire % 2 == from ? wire : HF_CHANNEL_OURS | (wire - 2 - !from) / 2;
        hf_bytes bytes = hf_sub(records, HF_CHANNEL_RECORD_LEN, len);
        if (op == HF_CHANNEL_OPEN) CHECK_ERR(hf_core_channel_opened(two[i].core, now_ms, RTC, theirs), HF_OK);
        if (op == HF_CHANNEL_MESSAGE) CHECK_ERR(hf_core_channel_recv(two[i].core, now_ms, RTC, theirs, bytes), HF_OK);
        if (op == HF_CHANNEL_CLOSE) hf_core_channel_closed(two[i].core, now_ms, RTC, theirs);
        records = hf_sub(records, HF_CHANNEL_RECORD_LEN + len, records.len);
    }
}

static hf_bytes take_all(hf_buf *buf) {
    hf_bytes all = hf_arena_copy(hf_test_arena(), hf_buf_bytes(buf));
    hf_buf_clear(buf);
    return all;
}

static bool step(int i) {
    browser *b = &two[i];
    hf_out out;
    bool moved = false;
    while (hf_core_next(b->core, now_ms, &out)) {
        take(i, &out);
        moved = true;
    }
    hf_bytes up = take_all(&b->to_relay), down = take_all(&b->from_relay), across = take_all(&b->channels);
    if (up.len) CHECK_ERR(hf_swarm_conn_recv(relay_swarm, now_ms, (uint64_t)i + 1, up), HF_OK);
    if (down.len) CHECK_ERR(hf_core_conn_recv(b->core, now_ms, LINK, down), HF_OK);
    if (!two[!i].hung_up) channels_to(!i, across);
    return moved || up.len || down.len || across.len;
}

static void run(void) {
    for (bool moved = true; moved;) {
        moved = drain_relay();
        for (int i = 0; i < 2; i++)
            if (step(i)) moved = true;
    }
}

static void wait_ms(uint64_t ms) {
    for (uint64_t until = now_ms + ms; now_ms < until;) {
        now_ms += 100;
        for (int i = 0; i < 2; i++) hf_core_tick(two[i].core, now_ms);
        hf_swarm_tick(relay_swarm, now_ms);
        hf_relay_tick(relay, now_ms);
        run();
    }
}

static void reserve_both(void) {
    run();
    for (int i = 0; i < 2; i++) CHECK_ERR(hf_core_reserve(two[i].core, now_ms, hf_swarm_self(relay_swarm)), HF_OK);
    run();
    wait_ms(200);
}

static hf_err meet(int i) { return hf_core_meet(two[i].core, now_ms, hf_swarm_self(relay_swarm), hf_core_self(two[!i].core)); }

static void check_address(const browser *b) {
    hf_buf want;
    hf_buf_init(&want, hf_test_mem());
    hf_buf_add_str(&want, "/ip4/127.0.0.1/tcp/4001/ws/p2p/");
    hf_peer_id_add_text(&want, hf_swarm_self(relay_swarm));
    hf_buf_add_str(&want, "/p2p-circuit/webrtc/p2p/");
    hf_peer_id_add_text(&want, hf_core_self(b->core));
    hf_buf_add_str(&want, "\n");
    CHECK_BYTES(hf_str(b->address), hf_buf_bytes(&want));
    hf_buf_deinit(&want);
}

HF_TEST(core_relay_meets_and_shares_what_is_written) {
    start();
    reserve_both();
    for (int i = 0; i < 2; i++) check_address(&two[i]);
    CHECK_ERR(meet(0), HF_OK);
    run();
    CHECK(two[0].caller && !two[1].caller && two[0].n_up == 1 && two[1].n_up == 1);
    CHECK(two[0].n_ended == 0 && two[1].n_ended == 0);
    CHECK_ERR(meet(0), HF_EXISTS);
    hf_response response;
    uint64_t seq;
    hf_request post = {.method = HF_TEXT("POST"), .path = HF_TEXT("/notes"), .origin = HF_TEXT("http://x"), .header_origin = HF_TEXT("http://x"),
                       .content_type = HF_TEXT("application/x-www-form-urlencoded"), .body = HF_TEXT("op=0123456789abcdef0123456789abcdef&text=hello")};
    CHECK_ERR(hf_core_handle(two[1].core, now_ms, &post, &response, &seq), HF_OK);
    CHECK_U64(response.status, 303);
    run();
    wait_ms(2000);
    CHECK_U64(hf_core_n_entries(two[0].core, 1), 1);
    CHECK(two[1].level && hf_core_pending(two[1].core) == 0);
    stop();
}

HF_TEST(core_relay_outlives_the_relayed_connection) {
    start();
    reserve_both();
    CHECK_ERR(meet(1), HF_OK);
    run();
    CHECK(two[0].n_up == 1 && two[1].caller);
    for (int i = 0; i < 2; i++) { /* the relay goes away */
        hf_core_conn_lost(two[i].core, now_ms, LINK);
        hf_swarm_conn_lost(relay_swarm, now_ms, (uint64_t)i + 1);
    }
    run();
    CHECK(hf_core_connected(two[0].core, hf_core_self(two[1].core)) && hf_core_connected(two[1].core, hf_core_self(two[0].core)));
    CHECK_BYTES(hf_str(two[0].address), HF_TEXT(""));
    stop();
}

HF_TEST(core_relay_says_why_a_call_came_to_nothing) {
    start();
    run();
    CHECK_ERR(meet(0), HF_OK);
    run();
    CHECK(two[0].n_ended == 1 && two[0].reason && !two[0].caller); /* nobody reserved */
    reserve_both();
    mute = true;
    CHECK_ERR(meet(0), HF_OK);
    run();
    CHECK(two[0].caller && two[0].n_ended == 1);
    wait_ms(31000);
    CHECK(two[0].n_ended == 2 && two[1].n_ended == 1 && two[0].n_up == 0);
    hf_core_unreserve(two[0].core, hf_swarm_self(relay_swarm));
    run();
    CHECK_BYTES(hf_str(two[0].address), HF_TEXT(""));
    CHECK_ERR(hf_core_rtc_say(two[0].core, now_ms, NOTHING, HF_WEBRTC_CANDIDATE, HF_TEXT("x")), HF_NOT_FOUND);
    CHECK_ERR(hf_core_rtc_up(two[0].core, now_ms, NOTHING, RTC), HF_NOT_FOUND);
    hf_core_rtc_failed(two[0].core, now_ms, NOTHING);
    stop();
}

/* Nothing runs on the limited connection but the setting up: no PEER_UP, no sync. */
HF_TEST(core_relay_keeps_limited_connections_to_itself) {
    start();
    reserve_both();
    mute = true;
    CHECK_ERR(meet(0), HF_OK);
    run();
    CHECK(hf_core_connected(two[0].core, hf_core_self(two[1].core)));
    CHECK(two[0].n_up == 0 && two[1].n_up == 0 && !two[0].level);
    hf_core_rtc_failed(two[1].core, now_ms, two[1].session);
    run();
    CHECK(two[0].n_ended == 1);
    mute = false;
    CHECK_ERR(meet(0), HF_OK); /* again, over the relayed connection that is there */
    run();
    CHECK(two[0].n_up == 1 && two[1].n_up == 1);
    stop();
}

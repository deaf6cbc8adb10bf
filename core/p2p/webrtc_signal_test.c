/* Two peers set up a WebRTC connection over an ordinary connection of the swarm; a third test plays a peer that does not keep to the order. */
#include "webrtc_signal.h"

#include "swarm_test.h"

enum { TAG = 30, NEWS_MAX = 256 };

typedef struct party {
    end e;
    hf_webrtc_signal *w;
    hf_webrtc_signal_out news[NEWS_MAX];
    size_t n_news;
    uint64_t raw; /* a stream of the protocol opened by hand */
} party;

static party sides[2]; /* the caller first */
static uint64_t now_ms;

static void keep(party *p, const hf_webrtc_signal_out *out) {
    CHECK(p->n_news < NEWS_MAX);
    p->news[p->n_news] = *out;
    p->news[p->n_news++].data = hf_arena_copy(hf_test_arena(), out->data);
}

static bool drain(int i) {
    party *p = &sides[i];
    hf_swarm_out out;
    hf_webrtc_signal_out said;
    bool moved = false;
    while (hf_swarm_next(p->e.swarm, &out)) {
        moved = true;
        if (out.kind == HF_SWARM_SEND) hf_buf_add(&sides[!i].e.inbox, out.bytes);
        else if (out.tag == TAG && p->w && out.stream != p->raw) hf_webrtc_signal_event(p->w, now_ms, &out);
    }
    while (p->w && hf_webrtc_signal_next(p->w, &said)) keep(p, &said);
    if (!p->e.inbox.len) return moved;
    hf_bytes in = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&p->e.inbox));
    hf_buf_clear(&p->e.inbox);
    CHECK_ERR(hf_swarm_conn_recv(p->e.swarm, now_ms, CONN, in), HF_OK);
    return true;
}

static void run(void) {
    for (bool moved = true; moved;) {
        moved = drain(0);
        if (drain(1)) moved = true;
    }
}

static void start(bool callee_speaks) {
    now_ms = 1000;
    for (int i = 0; i < 2; i++) {
        sides[i] = (party){.n_news = 0};
        end_start(&sides[i].e, (uint8_t)(i + 1), NULL);
        if (i == 0 || callee_speaks) sides[i].w = hf_webrtc_signal_new(hf_test_mem(), sides[i].e.swarm, TAG);
        CHECK_ERR(hf_swarm_conn_open(sides[i].e.swarm, now_ms, CONN, i == 0, NULL, HF_TEXT("")), HF_OK);
    }
    run();
    CHECK_U64(hf_swarm_n_peers(sides[0].e.swarm), 1);
}

static void stop(void) {
    for (int i = 0; i < 2; i++) {
        hf_webrtc_signal_free(sides[i].w);
        end_stop(&sides[i].e);
    }
}

static const hf_webrtc_signal_out *news(int i, size_t n) {
    CHECK(n < sides[i].n_news);
    return &sides[i].news[n];
}

static uint32_t call(void) {
    uint32_t session = 0;
    CHECK_ERR(hf_webrtc_signal_call(sides[0].w, now_ms, CONN, hf_swarm_self(sides[1].e.swarm), &session), HF_OK);
    run();
    return session;
}

static hf_err say(int i, uint32_t session, hf_webrtc_signal_type type, const char *text) {
    hf_err err = hf_webrtc_signal_say(sides[i].w, now_ms, session, type, hf_str(text));
    run();
    return err;
}

HF_TEST(webrtc_signal_messages_are_js_ones) {
    const hf_value *rows = hf_value_get(hf_value_get(hf_test_json("orbitdb/webrtc.json"), "signalingObserved"), "messages");
    CHECK(rows && rows->as.list.n >= 6);
    for (size_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i], *decoded = hf_value_get(row, "decoded");
        hf_bytes bytes = hf_test_hex(hf_value_as_text(hf_value_get(row, "protobuf")));
        hf_webrtc_signal_message m;
        CHECK_ERR(hf_webrtc_signal_message_read(bytes, &m), HF_OK);
        CHECK_BYTES(m.data, hf_value_as_text(hf_value_get(decoded, "data")));
        static const char *const types[] = {"SDP_OFFER", "SDP_ANSWER", "ICE_CANDIDATE"};
        CHECK_BYTES(hf_str(types[m.type]), hf_value_as_text(hf_value_get(decoded, "type")));
        hf_buf again;
        hf_buf_init(&again, hf_test_mem());
        hf_webrtc_signal_message_add(&again, &m);
        CHECK_BYTES(hf_buf_bytes(&again), bytes);
        hf_buf_deinit(&again);
    }
    hf_webrtc_signal_message m;
    CHECK_ERR(hf_webrtc_signal_message_read(hf_test_hex(HF_TEXT("0803")), &m), HF_MALFORMED);
    CHECK_ERR(hf_webrtc_signal_message_read(hf_test_hex(HF_TEXT("08021201ff")), &m), HF_MALFORMED);
    CHECK_ERR(hf_webrtc_signal_message_read(hf_test_hex(HF_TEXT("12056162")), &m), HF_MALFORMED);
}

HF_TEST(webrtc_signal_sets_up_a_connection) {
    start(true);
    uint32_t ours = call();
    CHECK(news(0, 0)->kind == HF_WEBRTC_SIGNAL_CALL && hf_peer_id_eq(&news(0, 0)->peer, hf_swarm_self(sides[1].e.swarm)));
    CHECK_ERR(say(0, ours, HF_WEBRTC_CANDIDATE, "early"), HF_STATE);
    CHECK_ERR(say(0, ours, HF_WEBRTC_ANSWER, "wrong"), HF_STATE);
    CHECK_ERR(say(0, ours, HF_WEBRTC_OFFER, "offer"), HF_OK);
    CHECK_ERR(say(0, ours, HF_WEBRTC_OFFER, "again"), HF_STATE);
    CHECK_ERR(say(0, ours, HF_WEBRTC_CANDIDATE, "c1"), HF_OK);
    uint32_t theirs = news(1, 0)->session;
    CHECK(news(1, 0)->kind == HF_WEBRTC_SIGNAL_HEARD && news(1, 0)->type == HF_WEBRTC_OFFER);
    CHECK_BYTES(news(1, 0)->data, HF_TEXT("offer"));
    CHECK_BYTES(news(1, 1)->data, HF_TEXT("c1"));
    hf_peer_id peer;
    bool caller;
    CHECK_ERR(hf_webrtc_signal_with(sides[1].w, theirs, &peer, &caller), HF_STATE);
    CHECK_ERR(say(1, theirs, HF_WEBRTC_ANSWER, "answer"), HF_OK);
    CHECK_ERR(say(1, theirs, HF_WEBRTC_CANDIDATE, "null"), HF_OK);
    CHECK(news(0, 1)->type == HF_WEBRTC_ANSWER && news(0, 2)->type == HF_WEBRTC_CANDIDATE);
    CHECK_ERR(hf_webrtc_signal_with(sides[1].w, theirs, &peer, &caller), HF_OK);
    CHECK(!caller && hf_peer_id_eq(&peer, hf_swarm_self(sides[0].e.swarm)));
    hf_webrtc_signal_end(sides[0].w, now_ms, ours, true);
    CHECK_ERR(hf_webrtc_signal_with(sides[0].w, ours, &peer, &caller), HF_NOT_FOUND);
    run();
    hf_webrtc_signal_end(sides[1].w, now_ms, theirs, true);
    run();
    CHECK(sides[0].n_news == 3 && sides[1].n_news == 2); /* nobody hears of an end that is no failure */
    stop();
}

HF_TEST(webrtc_signal_failures_are_told) {
    start(true);
    uint32_t ours = call();
    CHECK_ERR(say(0, ours, HF_WEBRTC_OFFER, "offer"), HF_OK);
    hf_webrtc_signal_end(sides[1].w, now_ms, news(1, 0)->session, false);
    run();
    CHECK(news(0, 1)->kind == HF_WEBRTC_SIGNAL_ENDED && news(0, 1)->reason);
    ours = call();
    CHECK_ERR(say(0, ours, HF_WEBRTC_OFFER, "offer"), HF_OK);
    now_ms += 30000;
    hf_webrtc_signal_tick(sides[0].w, now_ms);
    CHECK(hf_webrtc_signal_deadline(sides[0].w) == UINT64_MAX);
    run();
    CHECK(news(0, 3)->kind == HF_WEBRTC_SIGNAL_ENDED && news(1, 2)->kind == HF_WEBRTC_SIGNAL_ENDED);
    stop();
    start(false);
    call();
    CHECK(sides[0].n_news == 1 && news(0, 0)->kind == HF_WEBRTC_SIGNAL_ENDED);
    stop();
}

/* A peer by hand, to the called one: what it says, framed. */
static void raw(const char *const *hex, size_t n) {
    CHECK_ERR(hf_swarm_stream_open_on(sides[0].e.swarm, now_ms, CONN, HF_TEXT(HF_WEBRTC_SIGNAL_PROTOCOL), TAG, &sides[0].raw), HF_OK);
    for (size_t i = 0; i < n; i++) {
        CHECK(!hf_swarm_stream_write(sides[0].e.swarm, now_ms, sides[0].raw, hf_test_hex(hf_str(hex[i]))) || i);
        run();
    }
}

HF_TEST(webrtc_signal_refuses_what_is_out_of_turn) {
    static const char *const answer[] = {"050801120161"}, *const candidate[] = {"050802120161"}, *const twice[] = {"050800120161", "050800120161"},
                             *const garbage[] = {"0308021205"}, *const huge[] = {"818002080012"};
    static const struct { const char *const *hex; size_t n; } bad[] = {{answer, 1}, {candidate, 1}, {twice, 2}, {garbage, 1}, {huge, 1}};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        start(true);
        raw(bad[i].hex, bad[i].n);
        CHECK_U64(sides[1].n_news, bad[i].n);
        CHECK(news(1, bad[i].n - 1)->kind == HF_WEBRTC_SIGNAL_ENDED && news(1, bad[i].n - 1)->reason);
        stop();
    }
}

HF_TEST(webrtc_signal_is_bounded) {
    start(true);
    uint32_t session;
    for (int i = 0; i < 3; i++) raw(NULL, 0); /* the third is one too many */
    run();
    sides[0].raw = 0;
    hf_err err = HF_OK;
    size_t n = 0;
    for (; !err && n < 100; n++) err = hf_webrtc_signal_call(sides[0].w, now_ms, CONN, hf_swarm_self(sides[1].e.swarm), &session);
    CHECK(err == HF_LIMIT && n == 17);
    run();
    stop();
    start(true);
    session = call();
    CHECK_ERR(say(0, session, HF_WEBRTC_OFFER, "offer"), HF_OK);
    for (int i = 0; i < 200; i++) (void)!hf_webrtc_signal_say(sides[0].w, now_ms, session, HF_WEBRTC_CANDIDATE, HF_TEXT("c"));
    run();
    CHECK_U64(sides[1].n_news, 129);
    CHECK(news(1, 128)->kind == HF_WEBRTC_SIGNAL_ENDED && news(1, 128)->reason);
    stop();
}

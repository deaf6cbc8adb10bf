/* signal among raw peers (tests/kit/net.h): who is told of whom, ways that die, and peers that say too much. Peer 0 carries. */
#include "signal.h"

#include "../../tests/kit/net.h"
#include "signal_message.h"

#include <string.h>

typedef struct world {
    hf_net *net;
    hf_net_config config;
    hf_signal *signals[HF_NET_PEERS_MAX];
    bool mute[HF_NET_PEERS_MAX];           /* the test speaks for it */
    uint64_t first_conn[HF_NET_PEERS_MAX]; /* by which it came up first */
    uint64_t streams[64];                  /* of mute ones */
    size_t n_streams, n_gone, n_lists[HF_NET_PEERS_MAX], n_listed[HF_NET_PEERS_MAX], n_abuse[HF_NET_PEERS_MAX], n_received[HF_NET_PEERS_MAX];
    size_t n_bytes;                        /* that mute ones heard */
    const char *reason;
    hf_peer_id from;
} world;

static void take_news(world *w, size_t i) {
    hf_signal_out out;
    while (hf_signal_next(w->signals[i], &out)) {
        if (out.kind == HF_SIGNAL_PEERS) w->n_lists[i]++, w->n_listed[i] = out.n_peers;
        if (out.kind == HF_SIGNAL_ABUSE) w->n_abuse[i]++, w->reason = out.reason;
        if (out.kind == HF_SIGNAL_RECEIVED) w->n_received[i]++, w->from = out.peer;
    }
}

static void on_event(void *ctx, hf_net *net, size_t i, const hf_swarm_out *e) {
    world *w = ctx;
    if (e->kind == HF_SWARM_CONN_UP && !w->first_conn[i]) w->first_conn[i] = e->conn;
    if (w->mute[i]) {
        if (e->kind == HF_SWARM_STREAM_OPEN && w->n_streams < HF_COUNT(w->streams)) w->streams[w->n_streams++] = e->stream;
        if (e->kind == HF_SWARM_STREAM_DATA) w->n_bytes += e->bytes.len;
        if (e->kind == HF_SWARM_STREAM_GONE) w->n_gone++;
        return;
    }
    if (e->kind == HF_SWARM_IDENTIFIED || e->tag == HF_NET_TAG_RAW) hf_signal_event(w->signals[i], hf_net_now(net), e);
    take_news(w, i);
}

static void start(world *w, size_t n_peers, size_t n_mute) {
    *w = (world){.config = {.seed = 5, .n_peers = n_peers, .raw_event = on_event, .raw_ctx = w}};
    for (size_t i = 0; i < n_peers; i++) w->config.raw[i] = true;
    w->net = hf_net_new(&w->config);
    for (size_t i = 0; i < n_peers; i++) {
        hf_swarm *swarm = hf_net_at(w->net, i)->swarm;
        w->mute[i] = i >= n_peers - n_mute;
        if (w->mute[i]) CHECK_ERR(hf_swarm_protocol(swarm, HF_TEXT(HF_SIGNAL_PROTOCOL), HF_NET_TAG_RAW), HF_OK);
        else CHECK((w->signals[i] = hf_signal_new(hf_test_mem(), swarm, HF_NET_TAG_RAW, i > 0, 7)) != NULL);
    }
}

static void stop(world *w) {
    for (size_t i = 0; i < w->config.n_peers; i++) hf_signal_free(w->signals[i]);
    hf_net_free(w->net);
}

static void run(world *w, uint64_t ms) {
    for (uint64_t end = hf_net_now(w->net) + ms; hf_net_now(w->net) < end;) {
        hf_net_run(w->net, 100);
        for (size_t i = 0; i < w->config.n_peers; i++) {
            if (w->signals[i]) hf_signal_tick(w->signals[i], hf_net_now(w->net));
            hf_net_drain(w->net, i);
        }
    }
}

static const hf_peer_id *id_of(world *w, size_t i) { return hf_swarm_self(hf_net_at(w->net, i)->swarm); }

HF_TEST(signal_introduces_and_carries) {
    world w;
    start(&w, 3, 0);
    hf_net_connect(w.net, 1, 0);
    hf_net_connect(w.net, 2, 0);
    run(&w, 2000);
    CHECK(w.n_listed[1] == 1 && w.n_listed[2] == 1 && w.n_lists[0] == 0);
    CHECK_ERR(hf_signal_send(w.signals[1], hf_net_now(w.net), id_of(&w, 2), HF_TEXT("offer")), HF_OK);
    hf_net_drain(w.net, 1);
    run(&w, 100);
    CHECK(w.n_received[2] == 1 && hf_peer_id_eq(&w.from, id_of(&w, 1)));
    stop(&w);
}

/* Two ways between the same peers: the one that signals went by dies, and they go on by the other. */
HF_TEST(signal_goes_on_when_its_way_dies) {
    for (size_t closer = 0; closer < 2; closer++) {
        world w;
        start(&w, 2, 0);
        hf_net_connect(w.net, 1, 0);
        run(&w, 1000);
        CHECK_ERR(hf_signal_send(w.signals[0], hf_net_now(w.net), id_of(&w, 1), HF_TEXT("a")), HF_OK);
        hf_net_connect(w.net, 0, 1);
        run(&w, 1000);
        hf_swarm_conn_close(hf_net_at(w.net, closer)->swarm, hf_net_now(w.net), w.first_conn[closer], "test");
        hf_net_drain(w.net, closer);
        run(&w, 1000);
        CHECK(hf_net_connected(w.net, 0, 1));
        for (size_t i = 0; i < 2; i++) {
            CHECK_ERR(hf_signal_send(w.signals[i], hf_net_now(w.net), id_of(&w, !i), HF_TEXT("b")), HF_OK);
            hf_net_drain(w.net, i);
            run(&w, 100);
            CHECK_U64(w.n_received[!i], i == 0 ? 2 : 1);
        }
        stop(&w);
    }
}

/* ---- those who say too much ---- */

static void say(world *w, uint64_t stream, const hf_signal_message *m) {
    hf_buf frame;
    hf_buf_init(&frame, hf_test_mem());
    hf_signal_message_add(&frame, m);
    (void)!hf_swarm_stream_write(hf_net_at(w->net, 2)->swarm, hf_net_now(w->net), stream, hf_buf_bytes(&frame));
    hf_buf_deinit(&frame);
    hf_net_drain(w->net, 2);
    hf_net_run(w->net, 1);
}

static uint64_t open_stream(world *w) {
    uint64_t id = 0;
    CHECK_ERR(hf_swarm_stream_open(hf_net_at(w->net, 2)->swarm, hf_net_now(w->net), id_of(w, 0), HF_TEXT(HF_SIGNAL_PROTOCOL), HF_NET_TAG_RAW, &id), HF_OK);
    hf_net_drain(w->net, 2);
    hf_net_run(w->net, 1);
    return id;
}

static void start_hostile(world *w) {
    start(w, 3, 1);
    hf_net_connect(w->net, 1, 0);
    hf_net_connect(w->net, 2, 0);
    run(w, 2000);
}

HF_TEST(signal_hostile_flood_ends) {
    world w;
    start_hostile(&w);
    uint64_t stream = open_stream(&w);
    hf_signal_message m = {.kind = HF_SIGNAL_CARRY, .peer = *id_of(&w, 1), .data = HF_TEXT("x")};
    for (int i = 0; i < 400; i++) say(&w, stream, &m);
    CHECK_U64(w.n_abuse[0], 1);
    CHECK(w.n_received[1] >= 200 && w.n_received[1] < 250);
    CHECK(hf_peer_id_eq(&w.from, id_of(&w, 2))); /* under its own name, whatever it says */
    stop(&w);
}

/* However many streams it opens, it has one place, and one budget. */
HF_TEST(signal_hostile_streams_are_one) {
    world w;
    start_hostile(&w);
    size_t before = hf_test_mem_out();
    hf_signal_message m = {.kind = HF_SIGNAL_CARRY, .peer = *id_of(&w, 1), .data = HF_TEXT("x")};
    for (int i = 0; i < 40; i++) {
        uint64_t stream = open_stream(&w);
        for (int k = 0; k < 10; k++) say(&w, stream, &m);
    }
    CHECK_MSG(w.n_received[1] < 250, "%zu", w.n_received[1]);
    CHECK(w.n_abuse[0] > 0);
    CHECK_MSG(hf_test_mem_out() < before + 100000, "%zu", hf_test_mem_out() - before);
    stop(&w);
}

/* It comes and goes as often as it may: the others are told now and then. */
HF_TEST(signal_hostile_changes_are_told_together) {
    world w;
    start_hostile(&w);
    uint64_t stream = open_stream(&w);
    run(&w, 1000);
    size_t before = w.n_lists[1];
    for (int i = 0; i < 190; i++) say(&w, stream, &(hf_signal_message){.kind = HF_SIGNAL_HELLO, .wants = i % 2 == 0});
    run(&w, 1500);
    CHECK_MSG(w.n_lists[1] - before >= 1 && w.n_lists[1] - before <= 3, "%zu lists", w.n_lists[1] - before);
    CHECK_U64(w.n_abuse[0] + w.n_abuse[1], 0);
    CHECK_U64(w.n_listed[1], 0); /* what it said last counts */
    stop(&w);
}

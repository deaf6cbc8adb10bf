/* Messages whose signatures were looked at ahead are judged as those that were not, however they are cut, whoever spoiled them. */
#include "gossip_test.h"

enum { MESSAGES = 60, PAST_ONE_LOOK = 300 };

typedef struct counter { size_t n_runs, n_each, n_most; } counter;

/* Backwards, for the order must not matter. */
static void run_backwards(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg) {
    counter *c = ctx;
    c->n_runs++;
    c->n_each += n;
    if (n > c->n_most) c->n_most = n;
    while (n > 0) each(arg, --n);
}

static void run_nothing(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg) { (void)ctx, (void)n, (void)each, (void)arg; }

/* One gossip that a raw peer speaks to. */
static gnet *listener(const hf_spread *spread) {
    gnet *net = net_new(3);
    net_add(net, &(hf_gossip_config){.spread = spread});
    net_add(net, NULL);
    net_subscribe(net, 0);
    net_connect(net, 1, 0);
    net_run(net);
    raw_open(net, 1, 0, HF_GOSSIP_PROTOCOL_11);
    raw_subscribe(net, 1);
    net_wait(net, 1000);
    return net;
}

static size_t below(uint64_t *rng, size_t n) { return (size_t)(hf_test_random(rng) % n); }

static void add_rpc(hf_buf *stream, const hf_buf *rpc) {
    hf_varint_add(stream, rpc->len);
    hf_buf_add(stream, hf_buf_bytes(rpc));
}

/* RPCs of one or of several messages, some twice, some spoiled. */
static void add_stream(hf_buf *stream, uint64_t *rng, size_t n, bool spoil) {
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    for (size_t i = 0; i < n; i++) {
        int how = spoil && below(rng, 30) == 0 ? NO_SIGNATURE + (int)below(rng, 5) : SOUND;
        bool again = i && below(rng, 8) == 0;
        add_message(&rpc, (uint8_t)(50 + below(rng, 3)), again ? i - 1 : i, how, below(rng, 1500), NULL);
        if (below(rng, 3) == 0 && i + 1 < n) continue;
        add_rpc(stream, &rpc);
        hf_buf_clear(&rpc);
    }
    hf_buf_deinit(&rpc);
}

/* In frames of any size, which arrive together. */
static void say_stream(gnet *net, hf_bytes stream, uint64_t rng) {
    gnode *raw = &net->nodes[1];
    for (size_t at = 0, len; at < stream.len && raw->stream; at += len) {
        len = 1 + below(&rng, 6000);
        if (len > stream.len - at) len = stream.len - at;
        CHECK_ERR(hf_swarm_stream_write(raw->swarm, net->now_ms, raw->stream, hf_sub(stream, at, len)), HF_OK);
        if (below(&rng, 40) == 0) net_run(net);
    }
    net_run(net);
}

static void check_same(const hf_spread *spread, uint64_t seed) {
    gnet *plain = listener(NULL), *ahead = listener(spread);
    uint64_t rng = seed;
    hf_buf stream;
    hf_buf_init(&stream, hf_test_mem());
    add_stream(&stream, &rng, MESSAGES, true);
    say_stream(plain, hf_buf_bytes(&stream), seed);
    say_stream(ahead, hf_buf_bytes(&stream), seed);
    CHECK(!memcmp(plain->nodes[0].got, ahead->nodes[0].got, sizeof plain->nodes[0].got));
    hf_gossip_stats a = stats_at(plain, 0), b = stats_at(ahead, 0);
    CHECK(!memcmp(&a, &b, sizeof a));
    CHECK(score_at(plain, 0, 1) == score_at(ahead, 0, 1));
    CHECK_U64(plain->nodes[0].n_abuse, ahead->nodes[0].n_abuse);
    hf_buf_deinit(&stream);
    net_free(plain);
    net_free(ahead);
}

HF_TEST(gossip_looked_at_ahead_is_judged_the_same) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        counter c = {0, 0, 0};
        check_same(&(hf_spread){run_backwards, &c}, seed);
        CHECK(c.n_runs > 0 && c.n_each > 1);
    }
    check_same(&(hf_spread){run_nothing, NULL}, 1);
}

/* Each is looked at once, in few runs, though each has a frame of its own. */
HF_TEST(gossip_looks_ahead_past_the_frame_at_hand) {
    counter c = {0, 0, 0};
    hf_buf stream, rpc;
    hf_buf_init(&stream, hf_test_mem());
    hf_buf_init(&rpc, hf_test_mem());
    gnet *net = listener(&(hf_spread){run_backwards, &c});
    for (uint64_t i = 0; i < PAST_ONE_LOOK; i++) {
        hf_buf_clear(&stream);
        hf_buf_clear(&rpc);
        add_message(&rpc, 50, i, SOUND, 100, NULL);
        add_rpc(&stream, &rpc);
        CHECK_ERR(hf_swarm_stream_write(net->nodes[1].swarm, net->now_ms, net->nodes[1].stream, hf_buf_bytes(&stream)), HF_OK);
    }
    net_run(net);
    CHECK_U64(net->nodes[0].n_got, PAST_ONE_LOOK);
    CHECK_U64(c.n_each, PAST_ONE_LOOK);
    CHECK_U64(c.n_runs, 3);
    CHECK_U64(c.n_most, 128);
    hf_buf_deinit(&rpc);
    hf_buf_deinit(&stream);
    net_free(net);
}

/* What came before, or comes twice, costs no second check; nor does a lone message need the others. */
HF_TEST(gossip_looks_ahead_at_what_is_new) {
    counter c = {0, 0, 0};
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    gnet *net = listener(&(hf_spread){run_backwards, &c});
    for (size_t i = 0; i < 50; i++) add_message(&rpc, 50, i % 5, SOUND, 10, NULL);
    raw_say(net, 1, hf_buf_bytes(&rpc));
    CHECK_U64(c.n_each, 5);
    raw_say(net, 1, hf_buf_bytes(&rpc));
    CHECK_U64(c.n_each, 5);
    hf_buf_clear(&rpc);
    add_message(&rpc, 50, 6, SOUND, 10, NULL);
    raw_say(net, 1, hf_buf_bytes(&rpc));
    CHECK_U64(c.n_runs, 1);
    CHECK_U64(net->nodes[0].n_got, 6);
    hf_buf_deinit(&rpc);
    net_free(net);
}

HF_TEST(gossip_looks_ahead_without_memory) {
    for (size_t at = 1; at < 60; at++) {
        counter c = {0, 0, 0};
        uint64_t rng = 5;
        hf_buf stream;
        hf_buf_init(&stream, hf_test_mem());
        add_stream(&stream, &rng, 6, false);
        gnet *net = listener(&(hf_spread){run_backwards, &c});
        size_t half = stream.len / 2;
        hf_gossip *g = net->nodes[0].gossip;
        say_stream(net, hf_sub(hf_buf_bytes(&stream), 0, half), 9);
        hf_test_mem_fail_at(at);
        (void)!hf_swarm_stream_write(net->nodes[1].swarm, net->now_ms, net->nodes[1].stream, hf_sub(hf_buf_bytes(&stream), half, stream.len));
        net_run(net);
        hf_test_mem_fail_at(0);
        CHECK(net->nodes[0].gossip == g);
        hf_buf_deinit(&stream);
        net_free(net);
    }
}

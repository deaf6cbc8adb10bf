/* Heads by pubsub, in a small world (tests/kit/net.h): what comes by several ways counts once, what is said again goes no further, and who lies is
 * not listened to. Peer 0 is complete, peer 1 raw and hostile, peer 2 raw and a listener; they meet through peer 0. */
#include "sync_private.h"

#include "../../tests/kit/net.h"

#include <string.h>

static hf_net *start(size_t n_entries) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 21, .n_peers = 3, .raw = {false, true, true}, .gossip = true});
    hf_net_connect(net, 1, 0);
    hf_net_connect(net, 2, 0);
    hf_net_run(net, 3000);
    for (size_t i = 0; i < n_entries; i++) {
        hf_net_append(net, 0, 0);
        hf_net_run(net, 200);
    }
    return net;
}

static void publish(hf_net *net, hf_bytes block) {
    CHECK_ERR(hf_gossip_publish(hf_net_at(net, 1)->gossip, hf_net_now(net), hf_log_address(hf_net_at(net, 0)->logs[0]), block, NULL, NULL), HF_OK);
    hf_net_drain(net, 1);
    hf_net_run(net, 5);
}

HF_TEST(sync_gossip_brings_what_is_written) {
    hf_net *net = start(20);
    CHECK_U64(hf_net_at(net, 2)->n_gossiped, 20);
    CHECK_U64(hf_net_at(net, 0)->n_abuse, 0);
    hf_net_free(net);
}

/* Old entries in new messages, each signed as it should be: nobody who listened needs them again. */
HF_TEST(sync_gossip_does_not_pass_on_old_entries) {
    enum { N = 100 };
    hf_net *net = start(N);
    hf_net_peer *victim = hf_net_at(net, 0);
    size_t before = hf_net_at(net, 2)->n_gossiped;
    for (int round = 0; round < 5; round++)
        for (uint32_t i = 0; i < N; i++) publish(net, hf_net_get(net, 0, 0, i));
    hf_net_run(net, 2000);
    hf_gossip_stats stats;
    hf_gossip_stats_of(victim->gossip, &stats);
    CHECK_MSG(stats.n_delivered >= 5 * N, "%zu came", (size_t)stats.n_delivered);
    CHECK_MSG(hf_net_at(net, 2)->n_gossiped - before <= 1, "%zu passed on", hf_net_at(net, 2)->n_gossiped - before); /* the head, once */
    CHECK_U64(victim->n_joined, 0);
    CHECK_U64(victim->n_abuse, 0); /* it may be a peer that does not know better */
    hf_net_free(net);
}

/* A new entry of somebody else's travels on, once. */
HF_TEST(sync_gossip_passes_on_what_is_new) {
    hf_net *net = start(1);
    hf_net_peer *raw = hf_net_at(net, 1);
    hf_buf block;
    uint8_t digest[32], next[1][32];
    hf_buf_init(&block, hf_test_mem());
    CHECK_ERR(hf_log_identity(hf_net_at(net, 0)->logs[0], &raw->identity), HF_OK);
    memcpy(next[0], hf_log_item_at(hf_net_at(net, 0)->logs[0], 0)->digest, 32);
    hf_bytes address = hf_log_address(hf_net_at(net, 0)->logs[0]);
    CHECK_ERR(hf_entry_create(&raw->writer, address, (const uint8_t(*)[32])next, 1, NULL, 0, 2, HF_TEXT("\x01"), &block, digest), HF_OK);
    size_t before = hf_net_at(net, 2)->n_gossiped;
    for (int i = 0; i < 4; i++) publish(net, hf_buf_bytes(&block));
    hf_net_run(net, 1000);
    CHECK_U64(hf_net_at(net, 0)->n_joined, 1);
    CHECK_U64(hf_net_at(net, 2)->n_gossiped - before, 1);
    hf_buf_deinit(&block);
    hf_net_free(net);
}

static void publish_damaged(hf_net *net, size_t at, unsigned how) {
    hf_bytes good = hf_net_get(net, 0, 0, 0);
    uint8_t bytes[1024];
    CHECK(good.len <= sizeof bytes && at < good.len);
    memcpy(bytes, good.ptr, good.len);
    bytes[at] = (uint8_t)(bytes[at] + how);
    publish(net, HF_BYTES(bytes, good.len));
}

/* What no honest peer passes on costs its bearer all credit. */
HF_TEST(sync_gossip_does_not_listen_to_liars) {
    hf_net *net = start(3);
    hf_net_peer *victim = hf_net_at(net, 0);
    size_t before = hf_net_at(net, 2)->n_gossiped, n = 0;
    for (; n < 50 && hf_net_connected(net, 0, 1); n++) publish_damaged(net, 0, (unsigned)n + 1);
    CHECK(n < 20 && !hf_net_connected(net, 0, 1));
    CHECK_U64(victim->n_abuse, 1);
    CHECK_U64(hf_net_at(net, 2)->n_gossiped, before);
    CHECK(hf_net_connected(net, 0, 2));
    hf_net_free(net);
}

/* js passes on what has a wrong signature, without looking. Its bearer is not to blame; but so many signatures and no more are checked for it. */
HF_TEST(sync_gossip_checks_few_wrong_signatures) {
    hf_net *net = start(3);
    hf_net_peer *victim = hf_net_at(net, 0);
    hf_bytes good = hf_net_get(net, 0, 0, 0);
    size_t before = hf_net_at(net, 2)->n_gossiped, sig = 0;
    while (memcmp(good.ptr + sig, "csig", 4)) sig++;
    for (unsigned i = 0; i < 500; i++) publish_damaged(net, sig + 20 + i % 40, 1 + i / 40);
    CHECK_MSG(victim->n_refused >= HF_SYNC_GOSSIP_REFUSED && victim->n_refused < HF_SYNC_GOSSIP_REFUSED + 8, "%zu refused", victim->n_refused);
    CHECK_U64(hf_net_at(net, 2)->n_gossiped, before);
    CHECK(victim->n_abuse == 0 && hf_net_connected(net, 0, 1));
    hf_net_run(net, 10000);
    before = victim->n_refused;
    for (unsigned i = 0; i < 50; i++) publish_damaged(net, sig + 20 + i % 40, 100 + i / 40);
    CHECK_MSG(victim->n_refused - before >= 9 && victim->n_refused - before <= 12, "%zu refused", victim->n_refused - before);
    hf_net_free(net);
}

/* 10,000 messages from one: the other's come through at once, memory stays bounded, and nothing of the flood reaches the listener. */
HF_TEST(sync_gossip_flood_delays_nobody) {
    hf_net *net = start(3);
    hf_net_peer *victim = hf_net_at(net, 0), *raw = hf_net_at(net, 1);
    hf_bytes topic = hf_log_address(victim->logs[0]), block = hf_arena_copy(hf_test_arena(), hf_net_get(net, 0, 0, 0));
    size_t memory = hf_test_mem_out();
    for (int i = 0; i < 100; i++) {
        for (int k = 0; k < 100; k++) (void)!hf_gossip_publish(raw->gossip, hf_net_now(net), topic, block, NULL, NULL);
        size_t before = hf_net_at(net, 2)->n_gossiped;
        hf_net_append(net, 0, 0);
        hf_net_drain(net, 1);
        hf_net_run(net, 10);
        if (i >= 24) continue; /* 32 a second are published; comparing heads finds the rest */
        CHECK_MSG(hf_net_at(net, 2)->n_gossiped == before + 1, "round %d: %zu came", i, hf_net_at(net, 2)->n_gossiped - before);
        CHECK_MSG(hf_test_mem_out() < memory + (32u << 20), "%zu bytes", hf_test_mem_out() - memory);
    }
    hf_net_free(net);
}

/* Replicas in a small world (tests/kit/net.h): whatever is written where, whoever speaks which way, however the
 * channels cut, delay and break, all come to hold the same entries, each once. */
#include "sync_private.h"

#include "../../tests/kit/net.h"

#include <string.h>

static const hf_net_peer *peer(hf_net *net, size_t i) { return hf_net_at(net, i); }

HF_TEST(sync_brings_two_together) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 1, .n_peers = 2});
    for (int i = 0; i < 20; i++) hf_net_append(net, 0, 0);
    for (int i = 0; i < 7; i++) hf_net_append(net, 1, 0);
    hf_net_connect(net, 0, 1);
    CHECK(hf_net_settle(net, 1000));
    CHECK_U64(peer(net, 0)->n_joined, 7);
    CHECK_U64(peer(net, 1)->n_joined, 20);
    CHECK_U64(peer(net, 0)->n_identities, 1);
    CHECK_U64(peer(net, 1)->n_identities, 1);
    hf_net_run(net, 10000);
    CHECK_U64(hf_sync_behind(peer(net, 0)->sync, hf_swarm_self(peer(net, 1)->swarm)), 0);
    CHECK_U64(hf_sync_behind(peer(net, 1)->sync, hf_swarm_self(peer(net, 0)->swarm)), 0);
    CHECK(peer(net, 0)->n_level > 0 && peer(net, 1)->n_level > 0);
    CHECK_U64(peer(net, 0)->n_refused + peer(net, 1)->n_refused + peer(net, 0)->n_abuse + peer(net, 1)->n_abuse, 0);
    hf_net_free(net);
}

HF_TEST(sync_by_heads_brings_two_together) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 1, .n_peers = 2, .heads_only = {true}});
    for (int i = 0; i < 20; i++) hf_net_append(net, 0, 0);
    for (int i = 0; i < 7; i++) hf_net_append(net, 1, 0);
    hf_net_connect(net, 0, 1);
    CHECK(hf_net_settle(net, 5000));
    CHECK_U64(peer(net, 0)->n_joined, 7);
    CHECK_U64(peer(net, 1)->n_joined, 20);
    hf_net_free(net);
}

/* Any partitions, delays, cuts and mixture of ways: everybody has everything once the channels stay up. */
static void random_world(uint64_t seed) {
    uint64_t r = seed;
    hf_net_config config = {.seed = seed,
                            .n_peers = 2 + hf_test_random(&r) % 3,
                            .delay_ms_max = (uint32_t)(hf_test_random(&r) % 80),
                            .durable_ms_max = (uint32_t)(hf_test_random(&r) % 50),
                            .cut_max = hf_test_random(&r) % 2 ? 700 : 0};
    for (size_t i = 0; i < config.n_peers; i++) config.heads_only[i] = hf_test_random(&r) % 3 == 0;
    if (hf_test_random(&r) % 4 == 0) config.writer_of[1] = 1; /* one identity in two places */
    if (hf_test_random(&r) % 4 == 0) config.send_buffer_bytes_max = 70000;
    hf_net *net = hf_net_new(&config);
    for (int i = 0; i < 60; i++) {
        size_t a = hf_test_random(&r) % config.n_peers, b = hf_test_random(&r) % config.n_peers;
        switch (hf_test_random(&r) % 6) {
        case 0:
            if (a != b && !hf_net_connected(net, a, b)) hf_net_connect(net, a, b);
            break;
        case 1: hf_net_disconnect(net, a, b); break;
        case 2: hf_net_run(net, hf_test_random(&r) % 500); break;
        default: hf_net_append(net, a, 0);
        }
    }
    for (size_t a = 0; a < config.n_peers; a++)
        for (size_t b = 0; b < a; b++)
            if (!hf_net_connected(net, a, b)) hf_net_connect(net, a, b);
    CHECK_MSG(hf_net_settle(net, 200000), "seed %u: not level after %u ms", (unsigned)seed, 200000u);
    for (size_t i = 0; i < config.n_peers; i++)
        CHECK_MSG(!peer(net, i)->n_refused && !peer(net, i)->n_abuse, "seed %u: peer %u: %s", (unsigned)seed,
                  (unsigned)i, peer(net, i)->reason);
    hf_net_free(net);
}

HF_TEST(sync_converges_in_any_world) {
    for (uint64_t seed = 1; seed <= 60; seed++) random_world(seed);
}

static size_t bytes_of(hf_net *net) { return peer(net, 0)->n_bytes_sent + peer(net, 1)->n_bytes_sent; }

HF_TEST(sync_a_new_entry_is_one_message_away) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 2, .n_peers = 2, .delay_ms_max = 0});
    hf_net_connect(net, 0, 1);
    hf_net_append(net, 0, 0);
    CHECK(hf_net_settle(net, 1000));
    hf_net_run(net, 30000);
    size_t before = bytes_of(net), level = peer(net, 1)->n_level;
    hf_net_run(net, 60000);
    size_t idle = bytes_of(net) - before; /* pings */
    before = peer(net, 0)->n_bytes_sent;
    hf_net_append(net, 1, 0);
    hf_net_run(net, 1);
    CHECK_U64(peer(net, 0)->n_joined, 1);
    CHECK_U64(peer(net, 1)->n_level, level + 1); /* it has said so already */
    CHECK_U64(hf_sync_behind(peer(net, 1)->sync, hf_swarm_self(peer(net, 0)->swarm)), 0);
    CHECK(peer(net, 0)->n_bytes_sent - before < 300);
    before = bytes_of(net);
    hf_net_run(net, 60000);
    CHECK_U64(bytes_of(net) - before, idle); /* nothing is compared that is level */
    hf_net_free(net);
}

HF_TEST(sync_when_both_dial_one_stream_wins) {
    for (uint64_t seed = 1; seed < 9; seed++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = seed, .n_peers = 2, .delay_ms_max = 30});
        for (int i = 0; i < 50; i++) hf_net_append(net, i % 2, 0);
        hf_net_connect(net, 0, 1);
        hf_net_connect(net, 1, 0);
        CHECK(hf_net_settle(net, 4000));
        hf_net_run(net, 20000);
        hf_net_append(net, 0, 0);
        CHECK(hf_net_settle(net, 100));
        CHECK_U64(peer(net, 0)->n_joined + peer(net, 1)->n_joined, 51);
        hf_net_free(net);
    }
}

HF_TEST(sync_only_what_is_durable_is_shown) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = 3, .n_peers = 2, .heads_only = {heads}});
        hf_net_connect(net, 0, 1);
        hf_net_run(net, 100);
        hf_net_append(net, 0, 0);
        hf_net_at(net, 0)->durable_ms = hf_net_now(net) + 40000;
        hf_net_run(net, 10000);
        hf_net_append(net, 1, 0); /* gives it an occasion to tell */
        hf_net_run(net, 29000);
        CHECK_U64(peer(net, 0)->n_joined, 1);
        CHECK_U64(peer(net, 1)->n_joined, 0);
        hf_net_run(net, 2000);
        CHECK_U64(peer(net, 1)->n_joined, 1);
        hf_net_free(net);
    }
}

/* Carol never met Alice. */
HF_TEST(sync_writers_that_left_are_still_served) {
    for (int heads = 0; heads < 3; heads++) {
        hf_net *net =
            hf_net_new(&(hf_net_config){.seed = 4, .n_peers = 3, .heads_only = {false, heads == 1, heads == 2}});
        for (int i = 0; i < 5; i++) hf_net_append(net, 0, 0);
        hf_net_connect(net, 0, 1);
        hf_net_run(net, 5000);
        CHECK_U64(peer(net, 1)->n_joined, 5);
        hf_net_disconnect(net, 0, 1);
        hf_net_append(net, 1, 0);
        hf_net_connect(net, 2, 1);
        hf_net_run(net, 5000);
        CHECK_U64(peer(net, 2)->n_joined, 6);
        CHECK_U64(peer(net, 2)->n_identities, 2);
        hf_net_free(net);
    }
}

/* A late-comer between two that are level takes from both, but gives nothing back, and nothing goes round in a ring. */
HF_TEST(sync_sends_nothing_that_is_there) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 5, .n_peers = 3});
    for (int i = 0; i < 200; i++) hf_net_append(net, 0, 0);
    hf_net_run(net, 10);
    hf_net_connect(net, 0, 1);
    CHECK(!hf_net_settle(net, 2000)); /* the third has nothing yet */
    size_t block_bytes = peer(net, 0)->n_bytes_stored;
    CHECK_MSG(peer(net, 0)->n_bytes_sent < block_bytes * 105 / 100, "%zu for %zu", peer(net, 0)->n_bytes_sent, block_bytes);
    hf_net_connect(net, 2, 0);
    hf_net_connect(net, 2, 1);
    CHECK(hf_net_settle(net, 2000));
    CHECK(peer(net, 2)->n_bytes_sent < block_bytes / 10);
    CHECK_U64(peer(net, 2)->n_joined, 200);
    size_t before[3] = {peer(net, 0)->n_bytes_sent, peer(net, 1)->n_bytes_sent, peer(net, 2)->n_bytes_sent};
    hf_net_append(net, 1, 0);
    CHECK(hf_net_settle(net, 100));
    for (size_t i = 0; i < 3; i++)
        CHECK_MSG(peer(net, i)->n_bytes_sent - before[i] < 5000, "%zu: %zu bytes", i,
                  peer(net, i)->n_bytes_sent - before[i]);
    hf_net_free(net);
}

HF_TEST(sync_one_writer_in_two_places) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = 6, .n_peers = 2, .writer_of = {0, 1}, .heads_only = {heads}});
        for (int i = 0; i < 100; i++) hf_net_append(net, 0, 0);
        for (int i = 0; i < 60; i++) hf_net_append(net, 1, 0);
        hf_net_connect(net, 0, 1);
        CHECK(hf_net_settle(net, 3000));
        CHECK_U64(peer(net, 0)->n_joined, 60);
        CHECK_U64(peer(net, 1)->n_joined, 100);
        hf_net_free(net);
    }
}

HF_TEST(sync_several_logs_one_identity) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(
            &(hf_net_config){.seed = 7, .n_peers = 3, .n_logs = 2, .heads_only = {heads}, .delay_ms_max = 20});
        for (int i = 0; i < 12; i++) hf_net_append(net, (size_t)i % 3, (size_t)i % 2);
        hf_net_connect(net, 0, 1);
        hf_net_connect(net, 0, 2);
        CHECK(hf_net_settle(net, 60000));
        hf_net_free(net);
    }
}

/* js cannot take a head of more than a frame: it is left out there, and found as an ancestor of the next one. */
HF_TEST(sync_heads_larger_than_a_frame) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = 8, .n_peers = 2, .heads_only = {heads}, .cut_max = 5000});
        hf_net_append_big(net, 0, 0, 200000);
        hf_net_connect(net, 0, 1);
        CHECK(hf_net_settle(net, 10000) == !heads);
        hf_net_append(net, 0, 0);
        CHECK(hf_net_settle(net, 10000));
        CHECK_U64(peer(net, 1)->n_joined, 2);
        hf_net_free(net);
    }
}

/* Levels need no more than clocks and heads when they meet again. */
HF_TEST(sync_tells_little_when_nothing_is_new) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 14, .n_peers = 3});
    for (size_t i = 0; i < 300; i++) hf_net_append(net, i % 3, 0);
    hf_net_connect(net, 0, 1);
    hf_net_connect(net, 1, 2);
    CHECK(hf_net_settle(net, 2000));
    hf_net_run(net, 100);
    hf_net_disconnect(net, 0, 1);
    size_t before = bytes_of(net);
    hf_net_connect(net, 1, 0);
    hf_net_run(net, 4000);
    CHECK_MSG(bytes_of(net) - before < 6000, "%zu bytes", bytes_of(net) - before);
    hf_net_free(net);
}

/* Far more than all buffers on the way hold, to a shell that joins slowly: the sender waits for the swarm, the reader's queue stays short. */
HF_TEST(sync_presses_back) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 9, .n_peers = 2, .work_max = {0, 1}, .world_mem = hf_test_arena()->mem});
    for (int i = 0; i < 1500; i++) hf_net_append_big(net, 0, 0, 5000);
    for (int i = 0; i < 10; i++) hf_net_append_big(net, 1, 0, 100000);
    hf_net_run(net, 10);
    hf_net_connect(net, 0, 1);
    size_t most = 0;
    for (int i = 0; i < 5000 && !hf_net_level(net); i++) {
        hf_net_run(net, 1);
        if (hf_test_mem_out() > most) most = hf_test_mem_out();
    }
    CHECK(hf_net_level(net));
    CHECK_MSG(most > 1u << 20 && most < 4u << 20, "%zu bytes", most);
    hf_net_free(net);
}

/* The peer that shows an entry has lost an ancestor of it; another peer, which never spoke of it, has it. */
HF_TEST(sync_asks_others_for_what_the_source_lost) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = 15, .n_peers = 3, .heads_only = {heads}});
        hf_net_append(net, 2, 0);
        hf_net_connect(net, 0, 2);
        hf_net_connect(net, 1, 2);
        CHECK(hf_net_settle(net, 2000));
        hf_net_disconnect(net, 1, 2);
        for (int i = 0; i < 6; i++) hf_net_append(net, 1, 0);
        hf_net_run(net, 10);
        hf_net_copy_store(net, 1, 2);
        hf_net_lose(net, 1, 0, 3);
        hf_net_connect(net, 0, 1);
        hf_net_run(net, 3000);
        CHECK_U64(peer(net, 0)->n_joined, 7);
        CHECK_U64(peer(net, 0)->n_refused, 0);
        hf_net_free(net);
    }
}

/* The block was lost by its only holder and is there again later: on a quiet link nobody says anything but who lacks it. */
static void block_comes_back(bool heads_only, uint64_t lost_ms, uint64_t within_ms) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 6, .n_peers = 2, .heads_only = {heads_only}});
    for (int i = 0; i < 100; i++) hf_net_append(net, 0, 0);
    uint8_t cid[HF_CID_LEN];
    hf_bytes block = hf_arena_copy(hf_test_arena(), hf_net_get(net, 0, 0, 30));
    hf_net_lose(net, 0, 0, 30);
    hf_net_connect(net, 0, 1);
    CHECK(!hf_net_settle(net, lost_ms));
    CHECK(peer(net, 1)->n_refused > 1);
    CHECK_MSG(peer(net, 1)->n_abuse == 0, "%s", peer(net, 1)->reason);
    hf_net_put(net, 0, block, cid);
    CHECK(hf_net_settle(net, within_ms));
    CHECK_U64(peer(net, 1)->n_abuse, 0);
    hf_net_free(net);
}

HF_TEST(sync_asks_again_on_a_quiet_link) {
    block_comes_back(false, 20000, 25000);
    block_comes_back(false, 2 * 3600000, 300000 + 1000);
}

HF_TEST(sync_asks_again_by_heads) {
    block_comes_back(true, 1800000, 35000);
}

HF_TEST(sync_asks_less_and_less_for_what_is_lost) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 6, .n_peers = 2});
    for (int i = 0; i < 100; i++) hf_net_append(net, 0, 0);
    hf_net_lose(net, 0, 0, 30);
    hf_net_connect(net, 0, 1);
    CHECK(!hf_net_settle(net, 3600000));
    size_t n = peer(net, 1)->n_refused;
    CHECK_MSG(n >= 10 && n <= 20, "%zu", n); /* 5 s, 10 s, ... 160 s, then every 5 min */
    hf_net_free(net);
}

/* Nobody had an ancestor when it was asked for. Nothing new is written, and still the entries come once somebody has it again. */
HF_TEST(sync_asks_again_for_what_nobody_had) {
    for (int heads = 0; heads < 2; heads++) {
        hf_net *net = hf_net_new(&(hf_net_config){.seed = 16, .n_peers = 3, .heads_only = {heads}});
        for (int i = 0; i < 6; i++) hf_net_append(net, 1, 0);
        hf_net_run(net, 10);
        hf_net_copy_store(net, 1, 2);
        hf_net_lose(net, 1, 0, 3);
        hf_net_connect(net, 0, 1);
        hf_net_run(net, 3000);
        CHECK(peer(net, 0)->n_joined < 6);
        hf_net_copy_store(net, 2, 1);
        hf_net_run(net, 60000);
        CHECK_U64(peer(net, 0)->n_joined, 6);
        CHECK_U64(peer(net, 0)->n_abuse, 0);
        hf_net_free(net);
    }
}

HF_TEST(sync_survives_lost_connections_midway) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 10, .n_peers = 2, .delay_ms_max = 10, .cut_max = 3000});
    for (int i = 0; i < 300; i++) hf_net_append(net, 0, 0);
    for (int i = 0; i < 200 && !hf_net_level(net); i++) {
        hf_net_connect(net, i % 2, !(i % 2));
        hf_net_run(net, 60 + (uint64_t)i);
        hf_net_disconnect(net, 0, 1);
    }
    CHECK(hf_net_level(net));
    CHECK_U64(peer(net, 1)->n_joined, 300);
    hf_net_free(net);
}

/* Memory runs out at the n-th allocation of bitswap and sync, for every n, and comes back: nothing is lost for good. heads_ms: how often heads are
 * compared, by OrbitDB's way; 0: by our own way. */
static bool starve(size_t n, uint32_t heads_ms) {
    hf_net *net = hf_net_new(&(hf_net_config){
        .seed = 12, .n_peers = 2, .world_mem = hf_test_arena()->mem, .heads_only = {heads_ms > 0}, .delay_ms_max = 5});
    for (size_t i = 0; i < 2 && heads_ms; i++) hf_net_at(net, i)->sync->heads_every_ms = heads_ms;
    for (int i = 0; i < 6; i++) hf_net_append(net, (size_t)i % 2, 0);
    hf_test_mem_fail_at(n);
    hf_net_connect(net, 0, 1);
    hf_net_run(net, 300);
    bool failed = hf_test_mem_failed();
    hf_test_mem_fail_at(0);
    CHECK_MSG(hf_net_settle(net, 100000), "allocation %zu, heads every %u ms", n, (unsigned)heads_ms);
    CHECK_MSG(!hf_net_at(net, 0)->n_abuse && !hf_net_at(net, 1)->n_abuse, "allocation %zu: %s", n,
              hf_net_at(net, 0)->reason);
    hf_net_free(net);
    return failed;
}

HF_TEST(sync_recovers_when_memory_runs_out) {
    static const uint32_t heads_ms[] = {0, HF_SYNC_HEADS_MS, 10000, HF_SYNC_COMPARE_MS};
    for (size_t i = 0; i < HF_COUNT(heads_ms); i++) {
        size_t n = 1;
        while (starve(n, heads_ms[i])) n++;
        CHECK(n > 20);
    }
}

HF_TEST(sync_new_without_memory) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 13, .n_peers = 1, .raw = {true}});
    hf_swarm *swarm = hf_net_at(net, 0)->swarm;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_block_source none = {NULL, NULL};
        hf_test_mem_fail_at(n);
        hf_bitswap *b = hf_bitswap_new(hf_test_mem(), swarm, 1, none);
        hf_sync *s = b ? hf_sync_new(hf_test_mem(), swarm, b, none, 16) : NULL;
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == !s);
        hf_sync_free(s);
        hf_bitswap_free(b);
    }
    hf_net_free(net);
}

/* Fetching between complete peers: what a want comes to. Serving and hostile peers: core/log/sync_hostile_test.c; js:
 * tests of the node. */
#include "bitswap.h"

#include "../../tests/kit/net.h"

#include <string.h>

static const hf_peer_id *id_of(hf_net *net, size_t i) { return hf_swarm_self(hf_net_at(net, i)->swarm); }

/* Peer 0 wants this from peers 1 .. n. */
static void want(hf_net *net, size_t n, const uint8_t cid[HF_CID_LEN]) {
    hf_bitswap *b = hf_net_at(net, 0)->bitswap;
    for (size_t i = 1; i <= n; i++)
        CHECK_ERR(hf_bitswap_want(b, hf_net_now(net), id_of(net, i), HF_BYTES(cid, HF_CID_LEN), 0), HF_OK);
    hf_bitswap_flush(b, hf_net_now(net));
    hf_net_drain(net, 0);
}

static hf_net *star(size_t n_peers) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 21, .n_peers = n_peers, .delay_ms_max = 20, .cut_max = 900});
    for (size_t i = 1; i < n_peers; i++) hf_net_connect(net, 0, i);
    hf_net_run(net, 1000);
    return net;
}

static void expect(hf_net *net, size_t n_blocks, size_t n_failed) {
    CHECK_U64(hf_net_at(net, 0)->n_blocks, n_blocks);
    CHECK_U64(hf_net_at(net, 0)->n_failed, n_failed);
    for (size_t i = 0; i < 3; i++) CHECK_U64(hf_net_at(net, i)->n_abuse, 0);
}

HF_TEST(bitswap_fetches_once_from_whoever_has_it) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    hf_net_put(net, 1, HF_TEXT("block"), cid);
    want(net, 2, cid);
    hf_net_run(net, 200);
    expect(net, 1, 0);
    hf_net_put(net, 2, HF_TEXT("block"), cid); /* both answer: the second answer is no offence */
    for (size_t i = 0; i < 5; i++) {
        want(net, 2, cid);
        hf_net_run(net, 200);
        expect(net, 2 + i, 0);
    }
    hf_net_free(net);
}

/* To us the peer was gone for a moment, to it we were not: its answers to what we asked before are no offence. */
HF_TEST(bitswap_forgives_answers_to_earlier_wants) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    for (uint8_t i = 0; i < 5; i++) {
        hf_net_put(net, 1, HF_BYTES(&i, 1), cid);
        want(net, 1, cid);
    }
    hf_swarm_out down = {.kind = HF_SWARM_CONN_DOWN, .last = true, .peer = *id_of(net, 1)};
    hf_bitswap_event(hf_net_at(net, 0)->bitswap, hf_net_now(net), &down);
    hf_net_run(net, 200);
    expect(net, 0, 5);
    hf_net_free(net);
}

HF_TEST(bitswap_fails_when_all_say_no) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(HF_TEXT("nowhere"), cid);
    want(net, 2, cid);
    hf_net_run(net, 200);
    expect(net, 0, 1);
    hf_net_free(net);
}

/* "a block that turns up later at a peer is pushed then": after a no, and when nobody waits for it any more. */
HF_TEST(bitswap_forgives_blocks_that_turn_up) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    for (uint8_t i = 0; i < 5; i++) {
        hf_cid_of(HF_BYTES(&i, 1), cid);
        want(net, 1, cid);
    }
    hf_net_run(net, 200);
    expect(net, 0, 5);
    for (uint8_t i = 0; i < 5; i++) hf_net_put(net, 1, HF_BYTES(&i, 1), cid);
    hf_bitswap_have(hf_net_at(net, 1)->bitswap, hf_net_now(net), HF_BYTES(cid, sizeof cid));
    hf_net_run(net, 3000);
    expect(net, 0, 5);
    hf_net_free(net);
}

HF_TEST(bitswap_fails_when_the_last_one_asked_goes) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(HF_TEXT("nowhere"), cid);
    want(net, 2, cid);
    hf_net_disconnect(net, 0, 1);
    hf_net_disconnect(net, 0, 2);
    hf_net_run(net, 10);
    expect(net, 0, 1);
    want(net, 1, cid); /* not even connected */
    hf_net_run(net, 10);
    expect(net, 0, 2);
    hf_net_free(net);
}

HF_TEST(bitswap_fails_when_time_is_over) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 22, .n_peers = 3, .raw = {false, true}});
    hf_net_connect(net, 0, 1);
    hf_net_run(net, 1000);
    CHECK_ERR(hf_swarm_protocol(hf_net_at(net, 1)->swarm, HF_TEXT(HF_BITSWAP_PROTOCOL), HF_NET_TAG_RAW),
              HF_OK); /* and never answers */
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(HF_TEXT("nowhere"), cid);
    want(net, 1, cid);
    hf_net_run(net, 29000);
    expect(net, 0, 0);
    hf_net_run(net, 2000);
    expect(net, 0, 1);
    hf_net_free(net);
}

HF_TEST(bitswap_cancels) {
    hf_net *net = star(3);
    uint8_t cid[HF_CID_LEN];
    hf_net_put(net, 1, HF_TEXT("block"), cid);
    want(net, 1, cid);
    hf_bitswap_cancel(hf_net_at(net, 0)->bitswap, hf_net_now(net), HF_BYTES(cid, sizeof cid));
    hf_bitswap_cancel(hf_net_at(net, 0)->bitswap, hf_net_now(net), HF_BYTES(cid, sizeof cid));
    hf_net_run(net, 40000);
    expect(net, 0, 0);
    hf_net_free(net);
}

HF_TEST(bitswap_limits_wants) {
    hf_net *net = star(3);
    hf_bitswap *b = hf_net_at(net, 0)->bitswap;
    uint8_t digest[32] = {0}, cid[HF_CID_LEN];
    for (unsigned i = 0; i < 4096; i++) {
        digest[0] = (uint8_t)i, digest[1] = (uint8_t)(i >> 8);
        hf_cid_from_digest(digest, cid);
        CHECK_ERR(hf_bitswap_want(b, hf_net_now(net), id_of(net, 1), HF_BYTES(cid, sizeof cid), 0), HF_OK);
        CHECK_ERR(hf_bitswap_want(b, hf_net_now(net), id_of(net, 1), HF_BYTES(cid, sizeof cid), 0),
                  HF_OK); /* the same */
    }
    digest[2] = 1;
    hf_cid_from_digest(digest, cid);
    CHECK_ERR(hf_bitswap_want(b, hf_net_now(net), id_of(net, 1), HF_BYTES(cid, sizeof cid), 0), HF_LIMIT);
    CHECK_ERR(hf_bitswap_want(b, hf_net_now(net), id_of(net, 1), HF_BYTES(cid, 0), 0), HF_MALFORMED);
    hf_bitswap_flush(b, hf_net_now(net));
    hf_net_drain(net, 0);
    hf_net_run(net, 60000);
    expect(net, 0, 4096);
    hf_net_free(net);
}

/* Big blocks of other kinds than ours, many at once, through small buffers. */
HF_TEST(bitswap_fetches_much) {
    hf_net_config config = {.seed = 23, .n_peers = 3, .delay_ms_max = 3, .send_buffer_bytes_max = 100000};
    hf_net *net = hf_net_new(&config);
    hf_net_connect(net, 0, 1);
    hf_net_run(net, 1000);
    static uint8_t block[2 << 20];
    for (unsigned i = 0; i < 12; i++) {
        uint8_t cid[HF_CID_LEN];
        block[0] = (uint8_t)i;
        hf_net_put(net, 1, HF_BYTES(block, i ? sizeof block / i : 2 << 20), cid);
        want(net, 1, cid);
    }
    hf_net_run(net, 20000);
    expect(net, 12, 0);
    hf_net_free(net);
}

/* Memory runs out at the n-th allocation while a want travels and is answered, for every n. A question or an answer that did not arrive costs its
 * time; an answer that could not be written is written once memory is back, and what comes later is answered. */
HF_TEST(bitswap_answers_when_memory_is_back) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 24, .n_peers = 3, .world_mem = hf_test_arena()->mem});
    static uint8_t block[50000];
    uint8_t cid[HF_CID_LEN];
    hf_net_connect(net, 0, 1);
    hf_net_run(net, 1000);
    size_t n = 0, n_soon = 0, n_blocks = 0;
    for (bool failed = true; failed; n++) {
        block[0] = (uint8_t)n;
        hf_net_put(net, 1, HF_BYTES(block, 10000 + 3000 * n), cid);
        want(net, 1, cid);
        hf_test_mem_fail_at(n + 1);
        hf_net_run(net, 20);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        n_blocks = hf_net_at(net, 0)->n_blocks;
        hf_net_run(net, 2000);
        n_soon += hf_net_at(net, 0)->n_blocks > n_blocks;
        hf_net_run(net, 40000);
        CHECK_U64(hf_net_at(net, 0)->n_blocks + hf_net_at(net, 0)->n_failed, n + 1);
    }
    CHECK_MSG(n_soon >= 2, "%zu of %zu", n_soon, n);
    CHECK_U64(n_blocks, hf_net_at(net, 0)->n_blocks); /* the last one came at once */
    hf_net_free(net);
}

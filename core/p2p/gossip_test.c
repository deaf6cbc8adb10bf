/* Gossip among peers that mean well: everybody gets everything once, meshes keep their degree, gossip heals what was lost. */
#include "gossip_test.h"

static const hf_gossip_config plain = {.seen_ms = 0};

static void weave_into(gnet *net, size_t n, size_t more, const hf_gossip_config *config) {
    for (size_t i = 0; i < n; i++) net_add(net, config);
    for (size_t i = 0; i < n; i++) net_subscribe(net, i);
    net_weave(net, more);
    net_wait(net, 3000);
}

static gnet *woven(size_t n, size_t more, const hf_gossip_config *config, uint64_t seed) {
    gnet *net = net_new(seed);
    weave_into(net, n, more, config);
    return net;
}

static void everyone_got(gnet *net, uint32_t first, uint32_t end) {
    for (size_t i = 0; i < net->n_nodes; i++) {
        if (!net->nodes[i].gossip) continue;
        for (uint32_t k = first; k < end; k++) CHECK_MSG(net->nodes[i].got[k] == 1, "node %zu, message %u: %u times", i, k, net->nodes[i].got[k]);
        CHECK_U64(net->nodes[i].n_twice, 0);
    }
}

/* What a mesh may be: at most Dhi, and Dlo unless there are not so many. Both ends know of it. */
static void check_meshes(gnet *net, size_t low) {
    for (size_t i = 0; i < net->n_nodes; i++) {
        hf_gossip *g = net->nodes[i].gossip;
        size_t n = hf_gossip_n_mesh(g, TOPIC), want = hf_gossip_n_subscribers(g, TOPIC);
        CHECK_MSG(n <= 12, "node %zu has %zu in its mesh", i, n);
        CHECK_MSG(n >= (want < low ? want : low), "node %zu has only %zu of %zu in its mesh", i, n, want);
        for (size_t k = 0; k < net->n_nodes; k++)
            if (hf_gossip_in_mesh(g, TOPIC, &net->nodes[k].id))
                CHECK(hf_gossip_in_mesh(net->nodes[k].gossip, TOPIC, &net->nodes[i].id));
    }
}

static void check_unharmed(gnet *net) {
    for (size_t i = 0; i < net->n_nodes; i++) {
        CHECK_U64(net->nodes[i].n_abuse, 0);
        for (size_t k = 0; k < net->n_nodes; k++) CHECK(score_at(net, i, k) >= 0);
    }
}

HF_TEST(gossip_two_peers) {
    gnet *net = net_new(1);
    net_add(net, &plain);
    net_add(net, &plain);
    net_subscribe(net, 0);
    net_connect(net, 0, 1);
    net_run(net);
    net_subscribe(net, 1);
    net_run(net);
    CHECK_U64(net->nodes[0].n_subscribed, 1);
    CHECK_U64(net->nodes[1].n_subscribed, 1);
    CHECK(hf_gossip_in_mesh(net->nodes[1].gossip, TOPIC, &net->nodes[0].id)); /* grafted at once */
    CHECK(hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    net_publish(net, 0, 1, 4);
    net_publish(net, 1, 2, 0 + 4);
    net_run(net);
    everyone_got(net, 1, 3);
    CHECK(hf_peer_id_eq(&net->nodes[0].last.from, &net->nodes[1].id));
    hf_gossip_unsubscribe(net->nodes[1].gossip, net->now_ms, TOPIC);
    net_run(net);
    CHECK_U64(net->nodes[0].n_unsubscribed, 1);
    CHECK_U64(hf_gossip_n_mesh(net->nodes[0].gossip, TOPIC), 0);
    size_t n_peers = 7;
    CHECK_ERR(hf_gossip_publish(net->nodes[0].gossip, net->now_ms, TOPIC, HF_TEXT(""), NULL, &n_peers), HF_OK);
    CHECK_U64(n_peers, 0);
    check_unharmed(net);
    net_free(net);
}

static void check_woven(size_t n, size_t more, uint32_t n_messages, uint64_t seed) {
    gnet *net = woven(n, more, &plain, seed);
    check_meshes(net, 4);
    for (uint32_t k = 0; k < n_messages; k++) {
        net_publish(net, hf_test_random(&net->random) % n, k, 4 + hf_test_random(&net->random) % 1000);
        net_run(net);
    }
    everyone_got(net, 0, n_messages);
    net_wait(net, 10000);
    everyone_got(net, 0, n_messages);
    check_meshes(net, 4);
    check_unharmed(net);
    net_free(net);
}

HF_TEST(gossip_twenty_peers) {
    for (uint64_t seed = 1; seed <= 3; seed++) check_woven(20, 5, 40, seed);
}

HF_TEST(gossip_a_hundred_peers) { check_woven(100, 5, 20, 9); }

/* By the specification's ids, through meshes alone. */
HF_TEST(gossip_without_flood_publishing) {
    hf_gossip_config config = {.no_flood_publish = true, .ids_by_specification = true};
    gnet *net = woven(20, 4, &config, 4);
    for (uint32_t k = 0; k < 20; k++) net_publish(net, k, k, 100);
    net_run(net);
    everyone_got(net, 0, 20);
    check_unharmed(net);
    net_free(net);
}

HF_TEST(gossip_fanout_of_a_publisher_that_does_not_subscribe) {
    hf_gossip_config config = {.no_flood_publish = true};
    gnet *net = woven(12, 3, &config, 5);
    size_t i = net_add(net, &config), n_peers = 0;
    for (size_t k = 0; k < 10; k++) net_connect(net, i, k);
    net_wait(net, 1000);
    for (uint32_t k = 0; k < 5; k++) {
        uint32_t data = k;
        CHECK_ERR(hf_gossip_publish(net->nodes[i].gossip, net->now_ms, TOPIC, HF_BYTES(&data, 4), NULL, &n_peers), HF_OK);
        CHECK_U64(n_peers, 6); /* always the same D */
        net->nodes[i].got[k] = 1;
    }
    net_run(net);
    everyone_got(net, 0, 5);
    net_subscribe(net, i); /* the fanout becomes the mesh */
    net_run(net);
    CHECK_U64(hf_gossip_n_mesh(net->nodes[i].gossip, TOPIC), 6);
    net_free(net);
}

/* What was published within the last three heartbeats reaches even those who were not there. */
HF_TEST(gossip_late_joiner_learns_of_the_latest) {
    gnet *net = woven(10, 3, &plain, 6);
    net_publish(net, 0, 0, 2000);
    net_wait(net, 20000);
    net_publish(net, 1, 1, 2000);
    net_run(net);
    hf_gossip_config alone = {.d = UINT32_MAX, .d_lo = UINT32_MAX, .d_hi = UINT32_MAX, .d_out = UINT32_MAX}; /* in no mesh: it lives on gossip */
    size_t i = net_add(net, &alone);
    net_subscribe(net, i);
    for (size_t k = 0; k < 6; k++) net_connect(net, i, k);
    net_wait(net, 3000);
    CHECK_U64(net->nodes[i].got[0], 0);
    CHECK_U64(net->nodes[i].got[1], 1);
    net_publish(net, 2, 2, 100);
    net_wait(net, 3000);
    CHECK_U64(net->nodes[i].got[2], 1);
    CHECK_U64(hf_gossip_n_mesh(net->nodes[i].gossip, TOPIC), 0);
    CHECK(stats_at(net, i).n_iwant_sent > 0);
    check_unharmed(net);
    net_free(net);
}

/* Grafted at once, it would never be told of what the mesh had before; so who is new in a mesh gets gossip, too. */
HF_TEST(gossip_tells_a_new_mesh_peer_what_went_before) {
    gnet *net = woven(3, 1, &plain, 6);
    net_publish(net, 0, 1, 100);
    net_run(net);
    size_t i = net_add(net, &plain);
    net_subscribe(net, i);
    net_connect(net, i, 2);
    net_wait(net, 3000);
    CHECK(hf_gossip_in_mesh(net->nodes[i].gossip, TOPIC, &net->nodes[2].id));
    everyone_got(net, 1, 2);
    net_free(net);
}

/* The channels between node 0 and its mesh: they stand still, or go on. */
static void still_mesh(gnet *net, bool still, bool was_mesh[NODES_MAX]) {
    for (size_t l = 0; l < net->n_links; l++)
        for (size_t end = 0; end < 2; end++) {
            size_t other = net->links[l].node[end];
            if (net->links[l].node[!end] == 0 && was_mesh[other]) hf_swarm_conn_busy(net->nodes[other].swarm, net->now_ms, l + 1, still);
        }
}

/* The whole mesh of a node cannot reach it and has little room to wait: messages are lost, and gossip of the others brings them. */
HF_TEST(gossip_heals_what_slow_channels_lost) {
    hf_gossip_config small = {.d = 3, .d_lo = 2, .d_hi = 4, .d_out = 1, .no_flood_publish = true, .queue_bytes_max = 200 << 10};
    gnet *net = net_new(7);
    net->send_buffer_bytes_max = 32 << 10;
    weave_into(net, 12, 5, &small);
    bool was_mesh[NODES_MAX] = {false};
    for (size_t i = 1; i < 12; i++) was_mesh[i] = hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[i].id);
    still_mesh(net, true, was_mesh);
    for (uint32_t k = 0; k < 100; k++) { /* more than the swarm's buffer and ours take */
        net_publish(net, 1 + k % 11, k, 4000);
        net_run(net);
    }
    size_t dropped = 0;
    for (size_t i = 1; i < 12; i++) dropped += stats_at(net, i).n_dropped;
    CHECK(dropped > 0);
    CHECK_U64(net->nodes[0].n_got, 0);
    net_wait(net, 3000);
    CHECK(stats_at(net, 0).n_iwant_sent > 0);
    still_mesh(net, false, was_mesh);
    net_wait(net, 5000);
    everyone_got(net, 0, 100);
    CHECK(stats_at(net, 0).n_duplicates > 0); /* what had waited came, too */
    net_free(net);
}

HF_TEST(gossip_verdicts) {
    gnet *net = net_new(8);
    for (size_t i = 0; i < 3; i++) net_add(net, &plain);
    for (size_t i = 0; i < 3; i++) net_subscribe(net, i);
    net_connect(net, 0, 1);
    net_connect(net, 1, 2);
    net_run(net);
    net_wait(net, 2000);
    gnode *middle = &net->nodes[1];
    middle->verdict = HF_GOSSIP_IGNORE;
    net_publish(net, 0, 1, 10);
    net_run(net);
    CHECK_U64(middle->got[1], 1);
    CHECK_U64(net->nodes[2].got[1], 0);
    CHECK(score_at(net, 1, 0) >= 0);
    middle->hold = true;
    net_publish(net, 0, 2, 10);
    net_wait(net, 2000);
    CHECK_U64(net->nodes[2].got[2], 0);
    hf_gossip_id id = middle->last_id;
    CHECK_U64(stats_at(net, 1).n_pending, 1);
    hf_gossip_validated(middle->gossip, net->now_ms, HF_BYTES(id.bytes, id.len), HF_GOSSIP_ACCEPT);
    hf_gossip_validated(middle->gossip, net->now_ms, HF_BYTES(id.bytes, id.len), HF_GOSSIP_REJECT); /* too late */
    net_run(net);
    CHECK_U64(net->nodes[2].got[2], 1);
    CHECK(score_at(net, 1, 0) > 0); /* it brought one first */
    middle->hold = false;
    middle->verdict = HF_GOSSIP_REJECT;
    net_publish(net, 0, 3, 10);
    net_run(net);
    CHECK(score_at(net, 1, 0) < -5);
    net_wait(net, 1000);
    CHECK(!hf_gossip_in_mesh(middle->gossip, TOPIC, &net->nodes[0].id)); /* and out of the mesh */
    CHECK(!hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &middle->id));
    middle->hold = true;
    net_publish(net, 2, 4, 10);
    net_run(net);
    CHECK_U64(stats_at(net, 1).n_pending, 1);
    net_wait(net, 125000); /* no verdict within the seen time */
    CHECK_U64(stats_at(net, 1).n_pending, 0);
    CHECK_U64(stats_at(net, 1).n_seen, 0);
    CHECK(score_at(net, 1, 2) >= 0);
    net_free(net);
}

HF_TEST(gossip_auto_accept_passes_on_at_once) {
    gnet *net = net_new(8);
    for (size_t i = 0; i < 3; i++) net_add(net, &plain);
    net_subscribe(net, 0);
    CHECK_ERR(hf_gossip_subscribe(net->nodes[1].gossip, net->now_ms, TOPIC, &(hf_gossip_subscription){.auto_accept = true}), HF_OK);
    net_subscribe(net, 2);
    net_connect(net, 0, 1);
    net_connect(net, 1, 2);
    net_wait(net, 2000);
    net->nodes[1].hold = true;
    net_publish(net, 0, 1, 1000);
    net_run(net);
    everyone_got(net, 1, 2);
    CHECK(!net->nodes[1].last.needs_verdict);
    CHECK_U64(stats_at(net, 1).n_pending, 0);
    net_free(net);
}

/* More than Dhi who all want us: the surplus is pruned, named to each other, and not grafted again within the backoff. */
HF_TEST(gossip_prunes_surplus_and_names_peers) {
    hf_gossip_config hub = {.px = true}, leaf = {.d_out = UINT32_MAX};
    gnet *net = net_new(11);
    net_add(net, &hub);
    for (size_t i = 1; i <= 20; i++) net_add(net, &leaf);
    for (size_t i = 0; i <= 20; i++) net_subscribe(net, i);
    hf_bytes address = HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa2", 8);
    for (size_t i = 1; i <= 20; i++) {
        CHECK_ERR(hf_swarm_addresses(net->nodes[i].swarm, &address, 1), HF_OK);
        net_connect(net, i, 0);
        net_run(net);
    }
    net_wait(net, 3000);
    CHECK(hf_gossip_n_mesh(net->nodes[0].gossip, TOPIC) <= 12);
    size_t named = 0, records = 0;
    for (size_t i = 1; i <= 20; i++) named += net->nodes[i].n_px, records += net->nodes[i].n_records;
    CHECK(named > 0);
    CHECK_U64(records, named);
    size_t mesh = hf_gossip_n_mesh(net->nodes[0].gossip, TOPIC);
    net_wait(net, 30000);
    CHECK_U64(hf_gossip_n_mesh(net->nodes[0].gossip, TOPIC), mesh);
    check_unharmed(net);
    net_publish(net, 3, 1, 100);
    net_wait(net, 2000);
    everyone_got(net, 1, 2);
    net_free(net);
}

HF_TEST(gossip_counts_outbound_in_the_mesh) {
    gnet *net = net_new(12);
    for (size_t i = 0; i < 30; i++) net_add(net, &plain);
    for (size_t i = 0; i < 30; i++) net_subscribe(net, i);
    for (size_t i = 1; i < 20; i++) net_connect(net, i, 0); /* they dialled us */
    net_wait(net, 3000);
    for (size_t i = 20; i < 30; i++) net_connect(net, 0, i); /* we dialled them */
    net_wait(net, 3000);
    size_t outbound = 0;
    for (size_t i = 20; i < 30; i++) outbound += hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[i].id);
    CHECK(outbound >= 2);
    net_free(net);
}

/* A stream that is lost comes back, with all that the peer must know. */
HF_TEST(gossip_opens_its_stream_again) {
    gnet *net = net_new(13);
    net_add(net, &plain);
    size_t raw = net_add(net, NULL);
    net_subscribe(net, 0);
    net_connect(net, raw, 0);
    net_run(net);
    raw_open(net, raw, 0, HF_GOSSIP_PROTOCOL_11);
    CHECK_U64(raw_count(&net->nodes[raw], HF_GOSSIP_ITEM_SUBSCRIPTION), 1);
    for (size_t i = 2; i < 5; i++) {
        for (uint64_t id = 1; id < 50; id++) hf_swarm_stream_reset(net->nodes[raw].swarm, net->now_ms, id); /* whichever it is */
        net_run(net);
        net_wait(net, 9000);
        CHECK_U64(raw_count(&net->nodes[raw], HF_GOSSIP_ITEM_SUBSCRIPTION), i);
    }
    net_free(net);
}

HF_TEST(gossip_bounds_what_is_asked_of_it) {
    hf_gossip_config tight = {.topics_max = 3, .message_bytes_max = 100};
    gnet *net = net_new(14);
    net_add(net, &tight);
    hf_gossip *g = net->nodes[0].gossip;
    uint8_t big[300] = {0};
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT(""), NULL), HF_LIMIT);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_BYTES(big, 257), NULL), HF_LIMIT);
    CHECK_ERR(hf_gossip_publish(g, 0, TOPIC, HF_BYTES(big, 101), NULL, NULL), HF_LIMIT);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("a"), NULL), HF_OK);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("b"), NULL), HF_OK);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("c"), NULL), HF_OK);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("d"), NULL), HF_LIMIT);
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("c"), NULL), HF_OK);
    hf_gossip_unsubscribe(g, 0, HF_TEXT("a"));
    CHECK_ERR(hf_gossip_subscribe(g, 0, HF_TEXT("d"), NULL), HF_OK);
    net_free(net);
}

/* Same calls, same bytes: what one node sends in two equal worlds. */
HF_TEST(gossip_is_deterministic) {
    hf_gossip_stats stats[2];
    uint64_t hash[2] = {0};
    for (size_t round = 0; round < 2; round++) {
        gnet *net = woven(15, 4, &plain, 15);
        for (uint32_t k = 0; k < 10; k++) net_publish(net, k, k, 600);
        net_wait(net, 5000);
        stats[round] = stats_at(net, 3);
        for (size_t i = 0; i < 15; i++)
            for (size_t k = 0; k < 15; k++) hash[round] = hash[round] * 3 + hf_gossip_in_mesh(net->nodes[i].gossip, TOPIC, &net->nodes[k].id);
        net_free(net);
    }
    CHECK(memcmp(&stats[0], &stats[1], sizeof stats[0]) == 0);
    CHECK_U64(hash[0], hash[1]);
}

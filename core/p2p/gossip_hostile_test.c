/* Gossip among peers that do not mean well: what they cost is bounded, and what they do is counted against them. */
#include "gossip_test.h"

static const hf_gossip_config plain = {.seen_ms = 0};

static void say_message(gnet *net, size_t raw, uint8_t author, uint64_t number, int spoil, size_t len) {
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    add_message(&rpc, author, number, spoil, len, NULL);
    raw_say(net, raw, hf_buf_bytes(&rpc));
    hf_buf_deinit(&rpc);
}

static void say_control(gnet *net, size_t raw, hf_buf *control) {
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    hf_gossip_add_control(&rpc, hf_buf_bytes(control));
    raw_say(net, raw, hf_buf_bytes(&rpc));
    hf_buf_deinit(&rpc);
    hf_buf_clear(control);
}

static void say_graft(gnet *net, size_t raw) {
    hf_buf control;
    hf_buf_init(&control, hf_test_mem());
    hf_gossip_add_graft(&control, TOPIC);
    say_control(net, raw, &control);
    hf_buf_deinit(&control);
}

/* Ids, made up, or one given. */
static void say_ids(gnet *net, size_t raw, hf_gossip_item_kind kind, size_t n, uint64_t from, const hf_gossip_id *given) {
    uint8_t (*made)[44] = hf_alloc(hf_test_mem(), n * 44);
    hf_bytes *ids = hf_alloc(hf_test_mem(), n * sizeof *ids);
    for (size_t i = 0; i < n; i++) {
        uint64_t number = from + i;
        memcpy(made[i], &number, 8);
        ids[i] = given ? HF_BYTES(given->bytes, given->len) : HF_BYTES(made[i], 44);
    }
    hf_buf control;
    hf_buf_init(&control, hf_test_mem());
    hf_gossip_add_ids(&control, kind, TOPIC, ids, n);
    say_control(net, raw, &control);
    hf_buf_deinit(&control);
    hf_release(hf_test_mem(), made, n * 44);
    hf_release(hf_test_mem(), ids, n * sizeof *ids);
}

/* Node 0 with gossip, node 1 raw, and more gossips. */
static gnet *with_raw(const hf_gossip_config *config, size_t n_more) {
    gnet *net = net_new(3);
    net_add(net, config);
    net_add(net, NULL);
    for (size_t i = 0; i < n_more; i++) net_add(net, config);
    net_subscribe(net, 0);
    for (size_t i = 0; i < n_more; i++) net_subscribe(net, 2 + i);
    net_connect(net, 1, 0);
    for (size_t i = 0; i < n_more; i++) net_connect(net, 2 + i, 0);
    net_run(net);
    raw_open(net, 1, 0, HF_GOSSIP_PROTOCOL_11);
    raw_subscribe(net, 1);
    net_wait(net, 1000);
    return net;
}

HF_TEST(gossip_takes_a_strangers_sound_message_once) {
    gnet *net = with_raw(&plain, 2);
    for (int i = 0; i < 3; i++) say_message(net, 1, 50, 7, SOUND, 100);
    for (size_t i = 0; i < 4; i += 2) {
        CHECK_U64(net->nodes[i].got[7], 1);
        CHECK_U64(net->nodes[i].n_twice, 0);
    }
    CHECK(score_at(net, 0, 1) > 0);
    net_free(net);
}

HF_TEST(gossip_refuses_what_is_not_signed_right) {
    for (int spoil = NO_SIGNATURE; spoil <= NO_AUTHOR; spoil++) {
        gnet *net = with_raw(&plain, 1);
        say_message(net, 1, 50, 7, spoil, 100);
        CHECK_U64(net->nodes[0].n_got, 0);
        CHECK(score_at(net, 0, 1) < 0);
        CHECK(score_at(net, 0, 1) > -80);
        say_message(net, 1, 50, 7, SOUND, 100); /* the forgery did not take the sound one's place */
        CHECK_U64(net->nodes[0].got[7], 1);
        CHECK_U64(net->nodes[2].got[7], 1);
        for (uint64_t k = 8; k < 11; k++) say_message(net, 1, 50, k, spoil, 100);
        CHECK(score_at(net, 0, 1) < -80);
        CHECK_U64(net->nodes[0].n_abuse, 1);
        say_message(net, 1, 50, 20, SOUND, 100); /* graylisted: nothing of it is read */
        CHECK_U64(net->nodes[0].got[20], 0);
        CHECK_U64(stats_at(net, 0).n_invalid, 3);
        net_free(net);
    }
}

HF_TEST(gossip_forgets_slowly_and_remembers_who_left) {
    gnet *net = with_raw(&plain, 0);
    for (uint64_t k = 0; k < 4; k++) say_message(net, 1, 50, k, WRONG_SIGNATURE, 10);
    double score = score_at(net, 0, 1);
    net_disconnect(net, 0);
    net_wait(net, 60000);
    CHECK(score_at(net, 0, 1) == score); /* leaving does not help */
    CHECK_U64(stats_at(net, 0).n_retained, 1);
    size_t l = net_connect(net, 1, 0);
    net_run(net);
    CHECK(score_at(net, 0, 1) < -80);
    net_wait(net, 60000); /* staying does */
    CHECK(score_at(net, 0, 1) > -1);
    net_disconnect(net, l);
    net_wait(net, 70000);
    CHECK_U64(stats_at(net, 0).n_retained, 0);
    net_free(net);
}

HF_TEST(gossip_forgets_the_oldest_of_too_many) {
    hf_gossip_config config = {.retained_max = 3};
    gnet *net = net_new(4);
    net_add(net, &config);
    net_subscribe(net, 0);
    for (size_t i = 1; i <= 6; i++) {
        net_add(net, NULL);
        size_t l = net_connect(net, i, 0);
        net_run(net);
        raw_open(net, i, 0, HF_GOSSIP_PROTOCOL_11);
        for (uint64_t k = 0; k < 3; k++) say_message(net, i, 50, k, WRONG_SIGNATURE, 10);
        net_disconnect(net, l);
        net_wait(net, 1000);
    }
    CHECK_U64(stats_at(net, 0).n_retained, 3);
    CHECK(score_at(net, 0, 3) == 0);
    CHECK(score_at(net, 0, 4) < 0);
    net_free(net);
}

HF_TEST(gossip_ends_streams_with_what_is_no_rpc) {
    hf_gossip_config config = {.rpc_bytes_max = 5000, .message_bytes_max = 3000};
    gnet *net = with_raw(&config, 0);
    say_message(net, 1, 50, 1, SOUND, 3500); /* too long a message in an RPC that is not */
    CHECK_U64(net->nodes[0].n_got, 0);
    CHECK(score_at(net, 0, 1) < 0);
    net_wait(net, 60000);
    say_message(net, 1, 50, 2, SOUND, 6000);
    CHECK_U64(net->nodes[1].stream, 0); /* reset */
    CHECK_U64(net->nodes[0].n_abuse, 1);
    CHECK(strstr(net->nodes[0].reason, "too long") != NULL);
    raw_open(net, 1, 0, HF_GOSSIP_PROTOCOL_11);
    raw_say(net, 1, HF_TEXT("\x0a\x05"));
    CHECK_U64(net->nodes[1].stream, 0);
    for (int i = 0; i < 4; i++) {
        raw_open(net, 1, 0, HF_GOSSIP_PROTOCOL_11);
        raw_say(net, 1, HF_TEXT("\x0a\x05"));
    }
    CHECK(score_at(net, 0, 1) < -80);
    net_free(net);
}

HF_TEST(gossip_bounds_a_flood_of_grafts) {
    gnet *net = with_raw(&plain, 0);
    hf_buf control;
    hf_buf_init(&control, hf_test_mem());
    hf_gossip_add_prune(&control, TOPIC, NULL, 0, 60);
    say_control(net, 1, &control); /* so that a graft of its own is against what it asked for */
    size_t before = raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PRUNE);
    for (int i = 0; i < 50; i++) say_graft(net, 1);
    CHECK(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PRUNE) - before <= 3);
    CHECK(score_at(net, 0, 1) < -80);
    CHECK(!hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    for (int i = 0; i < 1000; i++) hf_gossip_add_graft(&control, HF_TEXT("unknown")); /* nothing is kept of those */
    say_control(net, 1, &control);
    CHECK_U64(stats_at(net, 0).n_topics, 1);
    hf_buf_deinit(&control);
    net_free(net);
}

HF_TEST(gossip_grafts_nobody_beyond_dhi_that_it_did_not_dial) {
    gnet *net = net_new(5);
    net_add(net, &plain);
    net_subscribe(net, 0);
    for (size_t i = 1; i <= 16; i++) {
        net_add(net, NULL);
        net_connect(net, i, 0);
        net_run(net);
        raw_open(net, i, 0, HF_GOSSIP_PROTOCOL_11);
        raw_subscribe(net, i);
        say_graft(net, i);
    }
    CHECK_U64(hf_gossip_n_mesh(net->nodes[0].gossip, TOPIC), 12);
    for (size_t i = 13; i <= 16; i++) CHECK_U64(raw_count(&net->nodes[i], HF_GOSSIP_ITEM_PRUNE), 1);
    net_free(net);
}

HF_TEST(gossip_bounds_a_flood_of_ihaves) {
    hf_gossip_config config = {.ids_max = 500, .ihave_max = 5};
    gnet *net = with_raw(&config, 0);
    for (uint64_t i = 0; i < 20; i++) say_ids(net, 1, HF_GOSSIP_ITEM_IHAVE, 200, i * 1000, NULL);
    CHECK_U64(stats_at(net, 0).n_iwant_sent, 500);
    net_wait(net, 1000);
    for (uint64_t i = 0; i < 20; i++) say_ids(net, 1, HF_GOSSIP_ITEM_IHAVE, 1, i * 1000 + 500, NULL);
    CHECK_U64(stats_at(net, 0).n_iwant_sent, 505);
    net_wait(net, 5000); /* nothing came of it */
    CHECK(score_at(net, 0, 1) < -80);
    net_free(net);
}

HF_TEST(gossip_holds_nothing_against_promises_kept_by_others) {
    gnet *net = with_raw(&plain, 1);
    hf_buf rpc;
    hf_gossip_id id;
    hf_buf_init(&rpc, hf_test_mem());
    add_message(&rpc, 50, 7, SOUND, 10, &id);
    say_ids(net, 1, HF_GOSSIP_ITEM_IHAVE, 1, 0, &id);
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_IWANT), 1);
    net_wait(net, 1000);
    raw_say(net, 1, hf_buf_bytes(&rpc));
    say_ids(net, 1, HF_GOSSIP_ITEM_IHAVE, 1, 0, &id); /* we have it: not asked for */
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_IWANT), 1);
    net_wait(net, 5000);
    CHECK(score_at(net, 0, 1) > 0);
    hf_buf_deinit(&rpc);
    net_free(net);
}

HF_TEST(gossip_bounds_a_flood_of_iwants) {
    gnet *net = with_raw(&plain, 0);
    hf_gossip_id id;
    CHECK_ERR(hf_gossip_publish(net->nodes[0].gossip, net->now_ms, TOPIC, HF_TEXT("0123"), &id, NULL), HF_OK);
    net_run(net);
    size_t before = raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PUBLISH);
    CHECK_U64(before, 1);
    say_ids(net, 1, HF_GOSSIP_ITEM_IWANT, 300, 0, &id);
    for (int i = 0; i < 20; i++) say_ids(net, 1, HF_GOSSIP_ITEM_IWANT, 1, 0, &id);
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PUBLISH), before + 3);
    net_wait(net, 6000); /* out of the history */
    say_ids(net, 1, HF_GOSSIP_ITEM_IWANT, 1, 0, &id);
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PUBLISH), before + 3);
    net_free(net);
}

HF_TEST(gossip_sends_not_what_is_not_wanted) {
    gnet *net = with_raw(&plain, 1);
    hf_buf rpc;
    hf_gossip_id id;
    hf_buf_init(&rpc, hf_test_mem());
    add_message(&rpc, 50, 7, SOUND, 2000, &id);
    say_graft(net, 1);
    net_add(net, NULL);
    net_connect(net, 3, 0);
    net_run(net);
    raw_open(net, 3, 0, HF_GOSSIP_PROTOCOL_11);
    say_ids(net, 1, HF_GOSSIP_ITEM_IDONTWANT, 600, 5, NULL); /* the 513th on are not noticed */
    net_wait(net, 1000);
    say_ids(net, 1, HF_GOSSIP_ITEM_IDONTWANT, 1, 0, &id);
    raw_say(net, 3, hf_buf_bytes(&rpc));
    CHECK_U64(net->nodes[0].got[7], 1);
    CHECK_U64(net->nodes[2].got[7], 1);
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PUBLISH), 0);
    say_message(net, 3, 50, 8, SOUND, 10);
    CHECK_U64(raw_count(&net->nodes[1], HF_GOSSIP_ITEM_PUBLISH), 1);
    hf_buf_deinit(&rpc);
    net_free(net);
}

HF_TEST(gossip_bounds_a_flood_of_subscriptions) {
    gnet *net = with_raw(&plain, 0);
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    for (uint32_t i = 0; i < 3000; i++) {
        hf_gossip_add_subscription(&rpc, HF_BYTES(&i, 4), true);
        if (i == 999) {
            raw_say(net, 1, hf_buf_bytes(&rpc));
            CHECK_U64(stats_at(net, 0).n_topics, 256); /* with the one from before */
            CHECK_U64(net->nodes[0].n_subscribed, 256);
            CHECK(score_at(net, 0, 1) >= 0);
            hf_buf_clear(&rpc);
        }
    }
    raw_say(net, 1, hf_buf_bytes(&rpc));
    CHECK(score_at(net, 0, 1) < 0);
    CHECK_U64(stats_at(net, 0).n_topics, 256);
    net_disconnect(net, 0);
    CHECK_U64(stats_at(net, 0).n_topics, 1);
    hf_buf_deinit(&rpc);
    net_free(net);
}

HF_TEST(gossip_counts_peers_of_one_address) {
    gnet *net = net_new(6);
    hf_gossip_config config = {.score = {.ip_threshold = 4}};
    net_add(net, &config);
    for (size_t i = 1; i <= 10; i++) {
        net_add(net, NULL);
        net_connect_from(net, i, 0, i <= 7 ? 77 : (uint8_t)i);
    }
    net_run(net);
    CHECK(score_at(net, 0, 1) == -5 * 3 * 3);
    CHECK(score_at(net, 0, 8) == 0);
    net_disconnect(net, 0);
    net_disconnect(net, 1);
    net_disconnect(net, 2);
    CHECK(score_at(net, 0, 7) == 0);
    CHECK_ERR(hf_gossip_app_score(net->nodes[0].gossip, &net->nodes[7].id, -9), HF_OK);
    CHECK(score_at(net, 0, 7) == -90);
    CHECK_ERR(hf_gossip_app_score(net->nodes[0].gossip, &net->nodes[0].id, 1), HF_NOT_FOUND);
    net_free(net);
}

/* P3: a mesh peer that brings nothing where much is expected. */
HF_TEST(gossip_counts_what_a_mesh_peer_does_not_bring) {
    gnet *net = with_raw(&plain, 0);
    hf_gossip_topic_score score = hf_gossip_topic_score_default;
    score.delivery_weight = -10;
    score.delivery_threshold = 4;
    score.delivery_cap = 20;
    score.delivery_activation_ms = 3000;
    score.failure_weight = -100;
    score.failure_decay = 0.99;
    CHECK_ERR(hf_gossip_subscribe(net->nodes[0].gossip, net->now_ms, TOPIC, &(hf_gossip_subscription){.score = &score}), HF_OK);
    say_graft(net, 1);
    for (uint64_t k = 0; k < 10; k++) say_message(net, 1, 50, k, SOUND, 10);
    net_wait(net, 4500);
    CHECK(hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    net_wait(net, 10000);
    CHECK(!hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    CHECK(score_at(net, 0, 1) < 0); /* P3b: it does not begin anew */
    net_free(net);
}

/* What nobody judges and nobody takes stays bounded. */
HF_TEST(gossip_bounds_what_waits_for_a_verdict) {
    hf_gossip_config config = {.pending_max = 10};
    gnet *net = with_raw(&config, 0);
    net->nodes[0].hold = true;
    for (uint64_t k = 0; k < 30; k++) say_message(net, 1, 50, k, SOUND, 10);
    CHECK_U64(stats_at(net, 0).n_pending, 10);
    CHECK_U64(stats_at(net, 0).n_throttled, 20);
    CHECK(score_at(net, 0, 1) >= 0);
    hf_gossip_id id = net->nodes[0].last_id;
    hf_gossip_validated(net->nodes[0].gossip, net->now_ms, HF_BYTES(id.bytes, id.len), HF_GOSSIP_IGNORE);
    say_message(net, 1, 50, 20, SOUND, 10); /* it was not seen: it can come again */
    CHECK_U64(net->nodes[0].got[20], 1);
    net_free(net);
}

/* Sound messages, more than anybody has to say: dropped before their signatures are looked at, which wrong ones show. What others bring comes. */
HF_TEST(gossip_bounds_a_flood_of_sound_messages) {
    hf_gossip_config config = {.messages_a_second = 20};
    gnet *net = with_raw(&config, 1);
    for (uint64_t k = 0; k < 80; k++) say_message(net, 1, 50, k, SOUND, 10);
    CHECK_U64(stats_at(net, 0).n_over, 0); /* at once, after a silence */
    for (uint64_t k = 80; k < 84; k++) say_message(net, 1, 50, k, k % 2 ? WRONG_SIGNATURE : SOUND, 10);
    CHECK_U64(stats_at(net, 0).n_over, 4);
    CHECK_U64(stats_at(net, 0).n_invalid, 0);
    CHECK_U64(net->nodes[0].n_got, 80);
    CHECK(score_at(net, 0, 1) >= 0);
    say_message(net, 1, 50, 7, SOUND, 10); /* what is known costs nothing */
    CHECK_U64(stats_at(net, 0).n_over, 4);
    net_wait(net, 1000);
    for (uint64_t k = 80; k < 110; k++) say_message(net, 1, 50, k, SOUND, 10);
    CHECK_U64(net->nodes[0].n_got, 100); /* what was not seen can come again */
    CHECK(score_at(net, 0, 1) < 10 && net->nodes[0].n_abuse == 0);
    for (uint64_t k = 200; k < 230; k++) say_message(net, 1, 50, k, SOUND, 10);
    CHECK(net->nodes[0].n_abuse == 1 && score_at(net, 0, 1) < -80);
    hf_gossip_id id;
    size_t before = net->nodes[0].n_got;
    CHECK_ERR(hf_gossip_publish(net->nodes[2].gossip, net->now_ms, TOPIC, HF_TEXT("\x00\x01\x00\x00 honest"), &id, NULL), HF_OK);
    net_run(net);
    CHECK_U64(net->nodes[0].n_got, before + 1);
    CHECK(score_at(net, 0, 2) >= 0);
    net_free(net);
}

/* One that brings what everybody says, a little below its budget, is never blamed. */
HF_TEST(gossip_lets_busy_peers_be) {
    hf_gossip_config config = {.messages_a_second = 20};
    gnet *net = with_raw(&config, 0);
    for (uint64_t k = 0; k < 400; k++) {
        say_message(net, 1, 50, k, SOUND, 10);
        if (k % 19 == 18) net_wait(net, 1000);
    }
    CHECK_U64(net->nodes[0].n_got, 400);
    CHECK_U64(stats_at(net, 0).n_over, 0);
    CHECK(score_at(net, 0, 1) >= 0);
    net_free(net);
}

HF_TEST(gossip_bounds_what_is_remembered) {
    hf_gossip_config config = {.seen_max = 50, .history_bytes_max = 20000};
    gnet *net = with_raw(&config, 0);
    for (uint64_t k = 0; k < 100; k++) say_message(net, 1, 50, k, SOUND, 1000);
    CHECK(stats_at(net, 0).history_bytes <= 20000);
    CHECK(stats_at(net, 0).n_history >= 10);
    net_wait(net, 1000);
    CHECK_U64(stats_at(net, 0).n_seen, 50);
    net_wait(net, 130000);
    CHECK_U64(stats_at(net, 0).n_seen, 0);
    CHECK_U64(stats_at(net, 0).n_history, 0);
    net_free(net);
}

/* A peer that takes nothing: what waits for it is bounded, and it leaves the mesh. */
HF_TEST(gossip_bounds_what_waits_for_a_peer) {
    hf_gossip_config config = {.queue_bytes_max = 50000};
    gnet *net = with_raw(&config, 1);
    say_graft(net, 1);
    CHECK(hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    hf_swarm_conn_busy(net->nodes[0].swarm, net->now_ms, 1, true);
    for (uint32_t k = 0; k < 500; k++) {
        net_publish(net, k % 2 ? 0 : 2, k, 4000);
        net_run(net);
        CHECK(stats_at(net, 0).queue_bytes <= 50000);
        if (k % 100 == 99) net_wait(net, 1000);
    }
    CHECK(!hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &net->nodes[1].id));
    CHECK(stats_at(net, 0).n_dropped > 0);
    CHECK_U64(net->nodes[2].n_twice, 0);
    CHECK_U64(net->nodes[2].got[499], 1);
    net_free(net);
}

/* PX: only with a sound record, and not without end. */
HF_TEST(gossip_passes_on_whom_a_pruner_names) {
    gnet *net = with_raw(&plain, 0);
    uint8_t seed[32] = {200};
    hf_bytes address = HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa2", 8);
    hf_buf envelope, control;
    hf_peer_record record;
    hf_buf_init(&envelope, hf_test_mem());
    hf_buf_init(&control, hf_test_mem());
    CHECK_ERR(hf_peer_record_seal(hf_test_mem(), seed, 5, &address, 1, &envelope), HF_OK);
    CHECK_ERR(hf_peer_record_open(hf_test_arena(), hf_buf_bytes(&envelope), &record), HF_OK);
    hf_gossip_px px[30] = {{hf_peer_id_bytes(&record.peer), hf_buf_bytes(&envelope)}};
    hf_gossip_add_prune(&control, TOPIC, px, 1, 10);
    say_control(net, 1, &control);
    CHECK_U64(net->nodes[0].n_px, 1);
    CHECK_U64(net->nodes[0].n_records, 1);
    CHECK(hf_peer_id_eq(&net->nodes[0].px, &record.peer));
    px[0].peer_id = hf_peer_id_bytes(&net->nodes[0].id); /* we ourselves */
    px[1] = (hf_gossip_px){hf_peer_id_bytes(&net->nodes[1].id), {0}}; /* connected */
    px[2] = (hf_gossip_px){HF_TEXT("nonsense"), {0}};
    px[3] = (hf_gossip_px){hf_peer_id_bytes(&record.peer), HF_TEXT("nonsense")};
    px[4] = (hf_gossip_px){hf_peer_id_bytes(&record.peer), {0}};
    hf_gossip_add_prune(&control, TOPIC, px, 5, 10);
    say_control(net, 1, &control);
    CHECK_U64(net->nodes[0].n_px, 1);
    net_wait(net, 1000);
    for (size_t i = 0; i < 30; i++) px[i] = (hf_gossip_px){hf_peer_id_bytes(&record.peer), hf_buf_bytes(&envelope)};
    hf_gossip_add_prune(&control, TOPIC, px, 30, 10);
    say_control(net, 1, &control);
    CHECK_U64(net->nodes[0].n_px, 17);
    net_wait(net, 1000);
    CHECK_ERR(hf_gossip_app_score(net->nodes[0].gossip, &net->nodes[1].id, -1), HF_OK);
    hf_gossip_add_prune(&control, TOPIC, px, 1, 10);
    say_control(net, 1, &control);
    CHECK_U64(net->nodes[0].n_px, 17); /* below the threshold */
    hf_buf_deinit(&envelope);
    hf_buf_deinit(&control);
    net_free(net);
}

/* Who speaks only old protocols gets what is his: no backoff in 1.0, everything in floodsub. */
HF_TEST(gossip_speaks_to_old_peers) {
    static const char *const old[] = {HF_GOSSIP_PROTOCOL_10, HF_GOSSIP_PROTOCOL_FLOOD};
    for (size_t k = 0; k < 2; k++) {
        gnet *net = net_new(7);
        net_add(net, &plain);
        net_add(net, &plain);
        size_t raw = net->n_nodes++;
        gnode *n = &net->nodes[raw];
        n->seed[0] = 3;
        hf_buf_init(&n->in, hf_test_mem());
        hf_swarm_config config = {.ed25519_seed = n->seed, .agent = HF_TEXT("old"), .random = hf_test_random_fill, .random_ctx = &n->random};
        n->swarm = hf_swarm_new(hf_test_mem(), &config);
        n->id = *hf_swarm_self(n->swarm);
        CHECK_ERR(hf_swarm_protocol(n->swarm, hf_str(old[k]), RAW_STREAM_TAG), HF_OK);
        net_subscribe(net, 0);
        net_subscribe(net, 1);
        net_connect(net, 0, 1);
        net_connect(net, raw, 0);
        net_run(net);
        raw_open(net, raw, 0, old[k]);
        raw_subscribe(net, raw);
        net_wait(net, 1500);
        CHECK(hf_gossip_in_mesh(net->nodes[0].gossip, TOPIC, &n->id) == (k == 0));
        net_publish(net, 1, 1, 2000);
        net_run(net);
        CHECK_U64(raw_count(n, HF_GOSSIP_ITEM_PUBLISH), 1);
        say_message(net, raw, 50, 2, SOUND, 10);
        CHECK_U64(net->nodes[0].got[2], 1);
        CHECK_U64(net->nodes[1].got[2], 1);
        hf_gossip_unsubscribe(net->nodes[0].gossip, net->now_ms, TOPIC);
        net_run(net);
        CHECK_U64(raw_count(n, HF_GOSSIP_ITEM_PRUNE), k == 0);
        CHECK_U64(raw_count(n, HF_GOSSIP_ITEM_IDONTWANT), 0);
        net_free(net);
    }
}

/* ---- thirty of a hundred are against us ---- */

/* They want the topic, push into meshes, pass nothing on, and say nonsense. */
static void act_hostile(gnet *net, size_t raw, uint64_t round) {
    switch (hf_test_random(&net->random) % 5) {
    case 0: say_graft(net, raw); break;
    case 1: say_ids(net, raw, HF_GOSSIP_ITEM_IHAVE, 20, round * 1000 + raw, NULL); break;
    case 2: say_message(net, raw, (uint8_t)raw, 400 + round, WRONG_SIGNATURE, 100); break;
    case 3: say_ids(net, raw, HF_GOSSIP_ITEM_IWANT, 20, round * 1000, NULL); break;
    default: raw_say(net, raw, HF_TEXT("\x0a\x05"));
    }
}

HF_TEST(gossip_delivers_among_hostile_peers) {
    enum { N = 40, HOSTILE = 12 };
    gnet *net = net_new(21);
    hf_gossip_config config = {.no_flood_publish = true}; /* the harder way */
    for (size_t i = 0; i < N; i++) net_add(net, i < HOSTILE ? NULL : &config);
    for (size_t i = HOSTILE; i < N; i++) net_subscribe(net, i);
    for (size_t i = HOSTILE; i < N; i++) net_connect(net, i, HOSTILE + (i + 1 - HOSTILE) % (N - HOSTILE));
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < 5; k++) {
            size_t other = HOSTILE + hf_test_random(&net->random) % (N - HOSTILE);
            if (other != i) net_connect(net, i, other);
        }
    net_run(net);
    size_t victim[HOSTILE];
    for (size_t i = 0; i < HOSTILE; i++) {
        for (size_t l = 0; l < net->n_links; l++)
            if (net->links[l].node[0] == i) victim[i] = net->links[l].node[1];
        raw_open(net, i, victim[i], HF_GOSSIP_PROTOCOL_11);
        raw_subscribe(net, i);
        say_graft(net, i);
    }
    net_wait(net, 2000);
    for (uint32_t k = 0; k < 30; k++) {
        for (size_t i = 0; i < HOSTILE; i++) {
            if (!net->nodes[i].stream && hf_swarm_connected(net->nodes[i].swarm, &net->nodes[victim[i]].id))
                raw_open(net, i, victim[i], HF_GOSSIP_PROTOCOL_11);
            act_hostile(net, i, k);
        }
        net_publish(net, HOSTILE + hf_test_random(&net->random) % (N - HOSTILE), k, 700);
        net_wait(net, 500);
    }
    net_wait(net, 5000);
    for (size_t i = HOSTILE; i < N; i++) {
        for (uint32_t k = 0; k < 30; k++) CHECK_MSG(net->nodes[i].got[k] == 1, "node %zu, message %u", i, k);
        for (size_t k = HOSTILE; k < N; k++) CHECK_MSG(score_at(net, i, k) >= 0, "node %zu of %zu", i, k);
    }
    for (size_t i = 0; i < HOSTILE; i++) CHECK(!hf_gossip_in_mesh(net->nodes[victim[i]].gossip, TOPIC, &net->nodes[i].id));
    net_free(net);
}

/* ---- no memory ---- */

/* Two gossips and a hostile peer go through everything while the n-th allocation of a gossip fails, and all after it for a while; nothing leaks,
 * nothing breaks, and afterwards messages come through again. */
static size_t n_left; /* allocations until they fail; SIZE_MAX: they do not */

static void *failing_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    hf_mem *mem = ctx;
    if (new_len > old_len) {
        if (n_left == 0) return NULL;
        if (n_left != SIZE_MAX) n_left--;
    }
    return mem->resize(mem->ctx, ptr, old_len, new_len);
}

static void live_a_little(gnet *net) {
    static hf_gossip_px px = {{0}, {0}};
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t data[300] = {k};
        (void)!hf_gossip_publish(net->nodes[k % 2 * 2].gossip, net->now_ms, TOPIC, HF_BYTES(data, sizeof data), NULL, NULL);
        net_run(net);
    }
    say_message(net, 1, 50, 5, SOUND, 1000);
    say_message(net, 1, 50, 6, WRONG_SIGNATURE, 1000);
    say_ids(net, 1, HF_GOSSIP_ITEM_IHAVE, 5, 0, NULL);
    say_ids(net, 1, HF_GOSSIP_ITEM_IDONTWANT, 5, 0, NULL);
    hf_buf control;
    hf_buf_init(&control, hf_test_mem());
    px.peer_id = hf_peer_id_bytes(&net->nodes[2].id);
    hf_gossip_add_prune(&control, TOPIC, &px, 1, 10);
    say_control(net, 1, &control);
    hf_buf_deinit(&control);
    net_wait(net, 1500);
    hf_gossip_unsubscribe(net->nodes[2].gossip, net->now_ms, TOPIC);
    net_wait(net, 1500);
    (void)!hf_gossip_subscribe(net->nodes[2].gossip, net->now_ms, TOPIC, NULL);
    net_wait(net, 1000);
}

HF_TEST(gossip_allocation_failures) {
    hf_mem failing = {failing_resize, hf_test_mem()};
    size_t n = 0;
    for (bool failed = true; failed; n += 1 + n / 40) {
        gnet *net = net_new(30);
        net->mem = &failing;
        n_left = SIZE_MAX;
        net_add(net, &plain);
        net_add(net, NULL);
        net_add(net, &plain);
        n_left = n;
        (void)!hf_gossip_subscribe(net->nodes[0].gossip, net->now_ms, TOPIC, NULL);
        (void)!hf_gossip_subscribe(net->nodes[2].gossip, net->now_ms, TOPIC, NULL);
        net_connect(net, 1, 0);
        net_connect(net, 2, 0);
        net_run(net);
        raw_open(net, 1, 0, HF_GOSSIP_PROTOCOL_11);
        raw_subscribe(net, 1);
        live_a_little(net);
        failed = n_left == 0;
        n_left = SIZE_MAX; /* there is memory again */
        CHECK_ERR(hf_gossip_subscribe(net->nodes[0].gossip, net->now_ms, TOPIC, NULL), HF_OK);
        CHECK_ERR(hf_gossip_subscribe(net->nodes[2].gossip, net->now_ms, TOPIC, NULL), HF_OK);
        net_disconnect(net, 1); /* a subscription that could not be noted comes with the next connection */
        net_wait(net, 1000);
        net_connect(net, 2, 0);
        net_wait(net, 3000);
        net_publish(net, 0, 100, 1000);
        net_wait(net, 2000);
        CHECK_MSG(net->nodes[2].got[100] == 1, "after failure %zu", n);
        net_free(net);
    }
    CHECK(n > 100);
}

HF_TEST(gossip_new_without_memory) {
    for (size_t n = 1;; n++) {
        uint8_t seed[32] = {1};
        uint64_t random = 1;
        hf_swarm_config swarm_config = {.ed25519_seed = seed, .agent = HF_TEXT("t"), .random = hf_test_random_fill, .random_ctx = &random};
        hf_swarm *swarm = hf_swarm_new(hf_test_mem(), &swarm_config);
        hf_gossip_config config = {.ed25519_seed = seed, .random = hf_test_random_fill, .random_ctx = &random};
        hf_test_mem_fail_at(n);
        hf_gossip *g = hf_gossip_new(hf_test_mem(), swarm, TAG, &config);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK((g == NULL) == failed);
        hf_gossip_free(g);
        hf_swarm_free(swarm);
        if (!failed) break;
    }
}

/* Networks of peers with the DHT: lookups against the truth, values, providers, time. Hostile peers: kad_hostile_test.c. */
#include "kad_test.h"

#ifdef __wasm__
enum { BIG = 40 };
#else
enum { BIG = 200 };
#endif

static hf_bytes number_key(unsigned n) {
    hf_buf b;
    hf_buf_init(&b, hf_test_mem());
    hf_buf_add_str(&b, "/test/");
    hf_buf_add_u64(&b, n);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&b));
    hf_buf_deinit(&b);
    return copy;
}

static hf_bytes multihash(unsigned n) {
    uint8_t *p = hf_arena_alloc(hf_test_arena(), 34);
    p[0] = 0x12, p[1] = 32;
    hf_sha256_of(number_key(n), p + 2);
    return HF_BYTES(p, 34);
}

/* How many of the true k closest were found, when they came in order. */
static size_t check_closest(kad_net *net, size_t i, hf_bytes key, size_t k) {
    uint8_t target[32];
    size_t truth[64], n_right = 0;
    hf_sha256_of(key, target);
    const kad_result *r = KAD_DO(net, i, hf_kad_closest_peers, key);
    CHECK_ERR(r->done.err, HF_OK);
    CHECK_U64(r->n_found, k);
    CHECK_U64(kad_truth(net, target, i, k, truth), k);
    for (size_t a = 0; a < k; a++) {
        CHECK(r->n_addresses[a] == 1);
        for (size_t b = 0; b < k; b++) n_right += hf_peer_id_eq(&r->found[a], kad_id(net, truth[b]));
    }
    for (size_t a = 0; a + 1 < k; a++)
        CHECK(kad_is_closer(net, target, kad_find_node(net, &r->found[a]), kad_find_node(net, &r->found[a + 1])));
    return n_right;
}

static size_t log2_of(size_t n) {
    size_t bits = 0;
    while (n >>= 1) bits++;
    return bits;
}

static void check_lookups(kad_net *net, unsigned n, size_t k) {
    size_t n_hops = 0, n_asked = 0;
    for (unsigned round = 0; round < n; round++) {
        size_t i = hf_test_random(&net->random) % net->n;
        if (net->nodes[i].dead) continue;
        size_t n_right = check_closest(net, i, number_key(1000 + round), k);
        CHECK_MSG(n_right == k, "%zu of %zu closest", n_right, k);
        if (net->nodes[i].result.done.n_hops > n_hops) n_hops = net->nodes[i].result.done.n_hops;
        if (net->nodes[i].result.done.n_asked > n_asked) n_asked = net->nodes[i].result.done.n_asked;
    }
    CHECK_MSG(n_hops > 0 && n_hops <= log2_of(net->n) + 1, "%zu hops", n_hops);
    CHECK_MSG(n_asked <= k * (log2_of(net->n) + 1), "%zu asked", n_asked);
}

HF_TEST(kad_many_peers) {
    hf_kad_config config = {.k = 8, .alpha = 3};
    kad_net *net = kad_net_up(BIG, &config, 1);
    check_lookups(net, 40, 8);
    /* Values from everywhere. */
    for (unsigned round = 0; round < 10; round++) {
        size_t from = hf_test_random(&net->random) % BIG, to = hf_test_random(&net->random) % BIG;
        const kad_result *r = KAD_DO(net, from, hf_kad_put_value, number_key(round), HF_TEXT("value"));
        CHECK_ERR(r->done.err, HF_OK);
        CHECK_U64(r->done.n, 8);
        r = KAD_DO(net, to, hf_kad_get_value, number_key(round), round % 4);
        CHECK_ERR(r->done.err, HF_OK);
        CHECK_BYTES(r->value, HF_TEXT("value"));
        CHECK_ERR(KAD_DO(net, to, hf_kad_get_value, number_key(round + 500), 0)->done.err, HF_NOT_FOUND);
    }
    /* Providers from everywhere. */
    for (unsigned round = 0; round < 10; round++) {
        size_t from = hf_test_random(&net->random) % BIG,
               to = (from + 1 + hf_test_random(&net->random) % (BIG - 1)) % BIG;
        CHECK_U64(KAD_DO(net, from, hf_kad_provide, multihash(round))->done.n, 8);
        const kad_result *r = KAD_DO(net, to, hf_kad_find_providers, multihash(round), 1);
        CHECK_ERR(r->done.err, HF_OK);
        CHECK_U64(r->n_found, 1);
        CHECK(hf_peer_id_eq(&r->found[0], kad_id(net, from)) && r->n_addresses[0] == 1);
        CHECK_BYTES(r->address, HF_BYTES(net->nodes[from].address, 8));
        CHECK_ERR(KAD_DO(net, to, hf_kad_find_providers, multihash(round + 500), 0)->done.err, HF_NOT_FOUND);
    }
    /* Peers from everywhere. */
    for (unsigned round = 0; round < 10; round++) {
        size_t from = hf_test_random(&net->random) % BIG, to = hf_test_random(&net->random) % BIG;
        if (from == to) continue;
        const kad_result *r = KAD_DO(net, from, hf_kad_find_peer, kad_id(net, to));
        CHECK_U64(r->n_found, 1);
        CHECK(hf_peer_id_eq(&r->found[0], kad_id(net, to)));
        CHECK_BYTES(r->address, HF_BYTES(net->nodes[to].address, 8));
    }
    /* Half of them go. The rest looks around, finds each other and the values that were put at eight. */
    for (size_t i = 0; i < BIG; i += 2) kad_kill(net, i);
    kad_run(net, 700000);
    check_lookups(net, 30, 8);
    size_t n_kept = 0;
    for (unsigned round = 0; round < 10; round++)
        n_kept += KAD_DO(net, 1 + 2 * round, hf_kad_get_value, number_key(round), 0)->done.err == HF_OK;
    CHECK_MSG(n_kept >= 9, "%zu of 10 values are still there", n_kept);
    kad_net_free(net);
}

HF_TEST(kad_the_same_run_twice) {
    size_t dials[2], asked[2];
    for (unsigned run = 0; run < 2; run++) {
        hf_kad_config config = {.k = 4, .alpha = 2, .paths = 2};
        kad_net *net = kad_net_up(20, &config, 9);
        asked[run] = KAD_DO(net, 3, hf_kad_closest_peers, HF_TEXT("anything"))->done.n_asked;
        dials[run] = net->n_dials;
        kad_net_free(net);
    }
    CHECK(dials[0] == dials[1] && dials[0] > 0 && asked[0] == asked[1]);
}

HF_TEST(kad_disjoint_paths_find_the_closest_too) {
    hf_kad_config config = {.k = 8, .alpha = 6, .paths = 3};
    kad_net *net = kad_net_up(40, &config, 2);
    for (unsigned round = 0; round < 20; round++) CHECK_U64(check_closest(net, round, number_key(round), 8), 8);
    kad_net_free(net);
}

/* ---- small networks ---- */

static kad_net *small(size_t n, hf_kad_config config) {
    if (!config.k) config.k = 4;
    return kad_net_up(n, &config, 5);
}

HF_TEST(kad_alone) {
    kad_net *net = small(1, (hf_kad_config){.k = 0});
    CHECK_ERR(KAD_DO(net, 0, hf_kad_closest_peers, HF_TEXT("x"))->done.err, HF_MISSING);
    CHECK_ERR(KAD_DO(net, 0, hf_kad_put_value, HF_TEXT("/test/a"), HF_TEXT("v"))->done.err, HF_MISSING);
    const kad_result *r = KAD_DO(net, 0, hf_kad_get_value, HF_TEXT("/test/a"), 0); /* what is here is found here */
    CHECK_ERR(r->done.err, HF_OK);
    CHECK_BYTES(r->value, HF_TEXT("v"));
    CHECK_ERR(KAD_DO(net, 0, hf_kad_find_providers, multihash(1), 0)->done.err, HF_MISSING);
    kad_net_free(net);
}

HF_TEST(kad_clients_ask_and_are_in_no_table) {
    kad_net *net = small(6, (hf_kad_config){.k = 0});
    net->n = 7;
    kad_node_start(net, 6, false);
    kad_connect(net, 6, 0, NULL);
    kad_run(net, 5000);
    CHECK(!hf_swarm_peer_speaks(net->nodes[0].swarm, kad_id(net, 6), HF_TEXT(HF_KAD_PROTOCOL)));
    CHECK(hf_kad_table_size(net->nodes[6].kad) >= 4);
    for (size_t i = 0; i < 6; i++) {
        const hf_kad_contact *c = hf_kad_contact_of(net->nodes[i].kad, kad_id(net, 6));
        CHECK(!c || c->place == HF_KAD_OUTSIDE);
    }
    CHECK_U64(KAD_DO(net, 6, hf_kad_put_value, HF_TEXT("/test/a"), HF_TEXT("v"))->done.n, 4);
    CHECK_BYTES(KAD_DO(net, 2, hf_kad_get_value, HF_TEXT("/test/a"), 0)->value, HF_TEXT("v"));
    CHECK_U64(KAD_DO(net, 3, hf_kad_find_peer, kad_id(net, 6))->n_found,
              1); /* a client, too, is found through those it is connected to */
    uint64_t stream;
    hf_swarm_out none;
    CHECK_ERR(
        hf_swarm_stream_open(net->nodes[0].swarm, net->now_ms, kad_id(net, 6), HF_TEXT(HF_KAD_PROTOCOL), 99, &stream),
        HF_OK);
    kad_run(net, 100);
    CHECK(!hf_swarm_next(net->nodes[0].swarm, &none));
    CHECK(!net->nodes[6].kad->first_served);
    CHECK_ERR(hf_kad_serve(net->nodes[6].kad), HF_OK); /* it turns out that others reach it */
    kad_run(net, 2000);
    CHECK(hf_swarm_peer_speaks(net->nodes[0].swarm, kad_id(net, 6), HF_TEXT(HF_KAD_PROTOCOL)));
    size_t knew = hf_kad_table_size(net->nodes[0].kad);
    CHECK_ERR(
        hf_swarm_stream_open(net->nodes[0].swarm, net->now_ms, kad_id(net, 6), HF_TEXT(HF_KAD_PROTOCOL), 99, &stream),
        HF_OK);
    kad_run(net, 100);
    CHECK(net->nodes[6].kad->first_served != NULL);
    hf_kad_serve_no_more(net->nodes[6].kad, net->now_ms); /* and then not any more */
    CHECK(!net->nodes[6].kad->first_served);
    kad_run(net, 2000);
    CHECK(!hf_swarm_peer_speaks(net->nodes[0].swarm, kad_id(net, 6), HF_TEXT(HF_KAD_PROTOCOL)));
    CHECK_U64(hf_kad_table_size(net->nodes[0].kad), knew - 1);
    CHECK_BYTES(KAD_DO(net, 6, hf_kad_get_value, HF_TEXT("/test/a"), 0)->value, HF_TEXT("v"));
    CHECK_ERR(hf_kad_serve(net->nodes[6].kad), HF_OK);
    kad_run(net, 2000);
    CHECK_U64(hf_kad_table_size(net->nodes[0].kad), knew);
    kad_net_free(net);
}

HF_TEST(kad_networks_of_another_name_are_apart) {
    kad_net *net = small(3, (hf_kad_config){.protocol = HF_TEXT("/holdfast/kad/1.0.0")});
    net->config.protocol = HF_TEXT("/other/kad/1.0.0");
    net->n = 4;
    kad_node_start(net, 3, true);
    kad_connect(net, 3, 0, NULL);
    kad_run(net, 5000);
    CHECK_U64(hf_kad_table_size(net->nodes[3].kad), 0);
    CHECK_U64(hf_kad_table_size(net->nodes[0].kad), 2);
    kad_net_free(net);
}

HF_TEST(kad_private_addresses_stay_private) {
    static const struct {
        hf_kad_network network;
        size_t n_wan, n_lan;
    } cases[] = {{HF_KAD_WAN, 1, 0}, {HF_KAD_LAN, 0, 1}, {HF_KAD_ANY_NETWORK, 1, 1}};
    for (size_t c = 0; c < HF_COUNT(cases); c++) {
        kad_net *net = kad_net_new(3, &(hf_kad_config){.network = cases[c].network}, 3);
        memcpy(net->nodes[2].address, "\x04\x0a\0\0\x01\x06\x0f\xa1", 8);
        hf_bytes address = HF_BYTES(net->nodes[2].address, 8);
        CHECK_ERR(hf_swarm_addresses(net->nodes[2].swarm, &address, 1), HF_OK);
        if (cases[c].n_lan) memcpy(net->nodes[0].address, "\x04\x0a\0\0\x02\x06\x0f\xa1", 8); /* only then it is told at all */
        kad_connect(net, 0, 1, NULL);
        kad_connect(net, 0, 2, NULL);
        kad_run(net, 3000);
        CHECK_U64(hf_kad_table_size(net->nodes[0].kad), cases[c].n_wan + cases[c].n_lan);
        kad_net_free(net);
    }
}

HF_TEST(kad_better_values_win_and_worse_are_corrected) {
    kad_net *net = small(6, (hf_kad_config){.k = 6});
    hf_bytes key = HF_TEXT("/test/a");
    CHECK_U64(KAD_DO(net, 0, hf_kad_put_value, key, HF_TEXT("v1"))->done.n, 5);
    CHECK_ERR(hf_kad_store_put(&net->nodes[3].kad->store, net->now_ms, 0, kad_id(net, 1), key, HF_TEXT("v2")),
              HF_OK); /* one has a newer one */
    hf_kad_value *lost = hf_kad_store_value(&net->nodes[4].kad->store, net->now_ms, key);
    CHECK(lost != NULL);
    hf_kad_store_drop_value(&net->nodes[4].kad->store, lost); /* one has none */
    const kad_result *r = KAD_DO(net, 5, hf_kad_get_value, key, 0);
    CHECK_BYTES(r->value, HF_TEXT("v2"));
    kad_run(net, 1000);
    for (size_t i = 0; i < 6; i++) {
        const hf_kad_value *v = hf_kad_store_value(&net->nodes[i].kad->store, net->now_ms, key);
        CHECK(v && hf_eq(HF_BYTES(v->value, v->value_len), HF_TEXT("v2")));
    }
    uint64_t op;
    CHECK_ERR(hf_kad_put_value(net->nodes[1].kad, net->now_ms, key, HF_TEXT("v1"), &op),
              HF_DENIED); /* we hold a better one */
    CHECK_ERR(hf_kad_put_value(net->nodes[1].kad, net->now_ms, key, HF_TEXT("!"), &op), HF_DENIED);
    CHECK_ERR(hf_kad_put_value(net->nodes[1].kad, net->now_ms, HF_TEXT("/nobody/a"), HF_TEXT("v"), &op), HF_DENIED);
    CHECK_ERR(hf_kad_put_value(net->nodes[1].kad, net->now_ms, HF_TEXT("plain"), HF_TEXT("v"), &op), HF_DENIED);
    kad_net_free(net);
}

HF_TEST(kad_quorum) {
    kad_net *net = small(6, (hf_kad_config){.k = 6, .alpha = 1});
    KAD_DO(net, 0, hf_kad_put_value, HF_TEXT("/test/a"), HF_TEXT("v"));
    const kad_result *r = KAD_DO(net, 0, hf_kad_get_value, HF_TEXT("/test/a"), 1);
    CHECK(r->done.n == 1 && r->done.n_asked <= 1);
    r = KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/test/a"), 3);
    CHECK(r->done.n == 3 && r->n_values == 1 && r->done.n_asked <= 3);
    r = KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/test/a"), 0);
    CHECK_U64(r->done.n, 6);
    kad_net_free(net);
}

HF_TEST(kad_public_keys) {
    kad_net *net = small(4, (hf_kad_config){.k = 0});
    uint8_t seed[32] = {1, 0, 0x77}, public_key[32];
    hf_ed25519_public(seed, public_key);
    hf_buf key, value;
    hf_buf_init(&key, hf_test_mem());
    hf_buf_init(&value, hf_test_mem());
    hf_public_key_add(&value, public_key);
    hf_buf_add_str(&key, "/pk/");
    hf_buf_add(&key, hf_peer_id_bytes(kad_id(net, 0)));
    CHECK_U64(KAD_DO(net, 1, hf_kad_put_value, hf_buf_bytes(&key), hf_buf_bytes(&value))->done.n, 3);
    CHECK_BYTES(KAD_DO(net, 2, hf_kad_get_value, hf_buf_bytes(&key), 0)->value, hf_buf_bytes(&value));
    uint64_t op;
    key.ptr[key.len - 1] ^= 1;
    CHECK_ERR(hf_kad_put_value(net->nodes[1].kad, net->now_ms, hf_buf_bytes(&key), hf_buf_bytes(&value), &op),
              HF_DENIED);
    hf_buf_deinit(&key);
    hf_buf_deinit(&value);
    kad_net_free(net);
}

static const uint64_t HOUR = 3600000;

HF_TEST(kad_values_and_providers_end_and_are_said_again) {
    kad_net *net = small(5, (hf_kad_config){.k = 6, .refresh_ms = 4 * 3600000});
    KAD_DO(net, 0, hf_kad_put_value, HF_TEXT("/test/a"), HF_TEXT("v"));
    KAD_DO(net, 0, hf_kad_provide, multihash(1));
    kad_run(net, 60 * HOUR); /* beyond both: said again twice meanwhile */
    CHECK_BYTES(KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/test/a"), 0)->value, HF_TEXT("v"));
    const kad_result *r = KAD_DO(net, 2, hf_kad_find_providers, multihash(1), 0);
    CHECK(r->n_found == 1 && r->n_addresses[0] == 1);
    hf_kad_forget(net->nodes[0].kad, HF_TEXT("/test/a"));
    hf_kad_unprovide(net->nodes[0].kad, multihash(1));
    CHECK(net->nodes[0].kad->n_own_values == 0 && net->nodes[0].kad->n_own_providers == 0);
    kad_run(net, 30 * HOUR); /* 46 h since they were said last */
    CHECK_ERR(KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/test/a"), 0)->done.err, HF_NOT_FOUND);
    kad_kill(net, 0); /* then nobody knows its addresses by itself */
    for (size_t i = 1; i < 5; i++) hf_kad_contact_failed(net->nodes[i].kad, kad_id(net, 0));
    r = KAD_DO(net, 2, hf_kad_find_providers, multihash(1), 0);
    CHECK(r->n_found == 1 && r->n_addresses[0] == 0); /* the addresses' time is over, the provider's is not */
    kad_run(net, 12 * HOUR);
    CHECK_ERR(KAD_DO(net, 2, hf_kad_find_providers, multihash(1), 0)->done.err, HF_NOT_FOUND);
    for (size_t i = 1; i < 5; i++)
        CHECK(hf_kad_n_values(net->nodes[i].kad) == 0 && hf_kad_n_providers(net->nodes[i].kad) == 0);
    kad_net_free(net);
}

HF_TEST(kad_records_that_expire_by_themselves) {
    kad_net *net = small(4, (hf_kad_config){.k = 0});
    uint64_t until = net->unix_ms + net->now_ms + HOUR;
    uint8_t value[8];
    for (size_t i = 0; i < 8; i++) value[i] = (uint8_t)(until >> 8 * (7 - i));
    CHECK_U64(KAD_DO(net, 0, hf_kad_put_value, HF_TEXT("/until/x"), HF_BYTES(value, 8))->done.n, 3);
    CHECK_ERR(KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/until/x"), 0)->done.err, HF_OK);
    kad_run(net, 2 * HOUR);
    CHECK_ERR(KAD_DO(net, 1, hf_kad_get_value, HF_TEXT("/until/x"), 0)->done.err, HF_NOT_FOUND);
    uint64_t op;
    CHECK_ERR(hf_kad_put_value(net->nodes[2].kad, net->now_ms, HF_TEXT("/until/x"), HF_BYTES(value, 8), &op),
              HF_DENIED);
    kad_net_free(net);
}

HF_TEST(kad_cancel) {
    kad_net *net = small(6, (hf_kad_config){.k = 0});
    kad_disconnect_all(net);
    kad_run(net, 100);
    hf_kad *kad = net->nodes[0].kad;
    uint64_t op, n_ops = 0;
    *kad_fresh(net, 0) = 0;
    CHECK_ERR(hf_kad_closest_peers(kad, net->now_ms, HF_TEXT("x"), &op), HF_OK);
    hf_kad_cancel(kad, net->now_ms, op);
    hf_kad_cancel(kad, net->now_ms, op);
    kad_run(net, 100000);
    CHECK_U64(net->nodes[0].result.n_done, 0);
    CHECK(!kad->first_op && !kad->n_ops);
    while (!hf_kad_closest_peers(kad, net->now_ms, HF_TEXT("x"), &op)) n_ops++;
    CHECK(n_ops <= HF_KAD_OPS_MAX);
    CHECK_ERR(hf_kad_closest_peers(kad, net->now_ms, HF_TEXT("x"), &op), HF_LIMIT);
    CHECK_ERR(hf_kad_find_peer(kad, net->now_ms, kad_id(net, 1), &op), HF_LIMIT);
    for (uint64_t i = 0; i < n_ops; i++) hf_kad_cancel(kad, net->now_ms, op - i);
    kad_net_free(net);
}

HF_TEST(kad_arguments) {
    kad_net *net = small(2, (hf_kad_config){.own_max = 2});
    hf_kad *kad = net->nodes[0].kad;
    static uint8_t big[HF_KAD_VALUE_MAX + 1];
    uint64_t op;
    CHECK_ERR(hf_kad_closest_peers(kad, net->now_ms, HF_BYTES(big, HF_KAD_KEY_MAX + 1), &op), HF_LIMIT);
    CHECK_ERR(hf_kad_put_value(kad, net->now_ms, HF_TEXT("/test/a"), HF_BYTES(big, sizeof big), &op), HF_LIMIT);
    CHECK_ERR(hf_kad_provide(kad, net->now_ms, HF_TEXT("no hash"), &op), HF_MALFORMED);
    CHECK_ERR(hf_kad_find_providers(kad, net->now_ms, HF_TEXT(""), 0, &op), HF_MALFORMED);
    hf_bytes ours,
        cid = hf_test_hex(HF_TEXT("01711220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    CHECK_ERR(hf_kad_multihash(cid, &ours), HF_OK);
    CHECK_BYTES(ours, hf_sub(cid, 2, 34));
    CHECK_ERR(hf_kad_multihash(ours, &ours), HF_OK);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_ERR(hf_kad_provide(kad, net->now_ms, multihash(i), &op), i < 2 ? HF_OK : HF_LIMIT);
        CHECK_ERR(hf_kad_put_value(kad, net->now_ms, number_key(i), HF_TEXT("v"), &op), i < 2 ? HF_OK : HF_LIMIT);
    }
    CHECK_ERR(hf_kad_provide(kad, net->now_ms, multihash(1), &op), HF_OK); /* again is no other */
    CHECK_ERR(hf_swarm_addresses(net->nodes[0].swarm, NULL, 0), HF_OK);
    hf_kad_unprovide(kad, multihash(0));
    CHECK_ERR(hf_kad_provide(kad, net->now_ms, multihash(0), &op), HF_STATE);
    kad_run(net, 1000);
    kad_net_free(net);
}

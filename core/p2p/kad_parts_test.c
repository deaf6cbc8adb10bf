/* The parts of the DHT that know no network: the routing table, the store, address lists. */
#include "../../tests/kit/check.h"
#include "../codec/multiaddr.h"
#include "../crypto/crypto.h"
#include "kad_store.h"
#include "kad_table.h"

#include <string.h>

/* ---- table ---- */

static hf_bytes address(unsigned a, unsigned b, unsigned c, unsigned d) {
    uint8_t bytes[8] = {4, (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d, 6, 0x0f, 0xa1};
    return hf_arena_copy(hf_test_arena(), HF_BYTES(bytes, sizeof bytes));
}

static hf_kad_contact *contact(uint64_t number, hf_bytes at) {
    hf_kad_contact *c = hf_arena_alloc(hf_test_arena(), sizeof *c);
    c->id = (hf_peer_id){.bytes = {0, 8}, .len = 10};
    memcpy(c->id.bytes + 2, &number, sizeof number);
    hf_sha256_of(hf_peer_id_bytes(&c->id), c->key);
    c->group = hf_kad_group_of(at);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &c->addresses, ~0u, &c->id, at), HF_OK);
    return c;
}

static void contact_free(hf_kad_contact *c) {
    hf_kad_addresses_clear(hf_test_mem(), &c->addresses);
}

static int by_distance(const uint8_t key[32], const hf_kad_contact *a, const hf_kad_contact *b) {
    uint8_t da[32], db[32];
    hf_kad_distance(a->key, key, da);
    hf_kad_distance(b->key, key, db);
    return memcmp(da, db, 32);
}

static hf_bytes parse(const char *text) {
    hf_buf b;
    hf_buf_init(&b, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &b, NULL), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&b));
    hf_buf_deinit(&b);
    return copy;
}

HF_TEST(kad_table_finds_the_closest) {
    enum { N = 400, K = 20 };
    static const uint8_t self[32] = {0x5a};
    hf_kad_table t;
    hf_kad_contact *all[N], *got[K], *oldest;
    uint64_t random = 7;
    hf_kad_table_init(&t, hf_test_mem(), K, self);
    for (size_t i = 0; i < N; i++) {
        all[i] = contact(i, address(1, (unsigned)i >> 8, i & 255, 1));
        (void)!hf_kad_table_add(&t, i, all[i], &oldest);
    }
    CHECK(t.n > 80 && t.n < N);
    for (unsigned round = 0; round < 50; round++) {
        uint8_t key[32];
        hf_test_random_fill(&random, key, sizeof key);
        const hf_peer_id *skip = round % 2 ? &all[round]->id : NULL;
        size_t n = hf_kad_table_closest(&t, key, skip, got, K);
        CHECK_U64(n, K);
        for (size_t i = 0; i + 1 < n; i++) CHECK(by_distance(key, got[i], got[i + 1]) < 0);
        size_t n_closer = 0; /* nobody else in the table is closer than the last */
        for (size_t i = 0; i < N; i++)
            n_closer += all[i]->place == HF_KAD_IN && !(skip && hf_peer_id_eq(&all[i]->id, skip)) &&
                        by_distance(key, all[i], got[n - 1]) <= 0;
        CHECK_U64(n_closer, n);
    }
    for (size_t i = 0; i < N; i++) {
        (void)hf_kad_table_remove(&t, all[i]);
        contact_free(all[i]);
    }
    CHECK_U64(t.n, 0);
    hf_kad_table_deinit(&t);
}

/* Contacts of one bucket: the first bit differs from ours. */
static hf_kad_contact *far_contact(uint64_t *number, hf_bytes at) {
    for (;;) {
        hf_kad_contact *c = contact((*number)++, at);
        if (c->key[0] & 0x80) return c;
        contact_free(c);
    }
}

HF_TEST(kad_table_keeps_the_old_and_spares_the_new) {
    enum { K = 4 };
    static const uint8_t self[32] = {0};
    uint64_t number = 0;
    hf_kad_table t;
    hf_kad_contact *c[12], *oldest = NULL;
    hf_kad_table_init(&t, hf_test_mem(), K, self);
    for (unsigned i = 0; i < 12; i++) {
        c[i] = far_contact(&number, address(1, 2, i, 4));
        CHECK_ERR(hf_kad_table_add(&t, i, c[i], &oldest), i < K ? HF_OK : HF_LIMIT);
        if (i >= K) CHECK(oldest == c[0] && c[i]->place == HF_KAD_SPARE);
    }
    CHECK(c[7]->place == HF_KAD_OUTSIDE && c[8]->place == HF_KAD_SPARE); /* four spares, the newest */
    CHECK_ERR(hf_kad_table_add(&t, 20, c[0], &oldest), HF_OK);           /* seen again: now c[1] is the oldest */
    CHECK_ERR(hf_kad_table_add(&t, 21, c[4], &oldest), HF_LIMIT);
    CHECK(oldest == c[1]);
    CHECK(hf_kad_table_remove(&t, c[1]) == c[4]); /* the newest spare moves up */
    CHECK(c[4]->place == HF_KAD_IN && c[1]->place == HF_KAD_OUTSIDE);
    CHECK_U64(t.n, K);
    hf_kad_contact self_contact = *c[0];
    memcpy(self_contact.key, self, 32);
    CHECK_ERR(hf_kad_table_add(&t, 22, &self_contact, &oldest), HF_DENIED);
    for (unsigned i = 0; i < 12; i++) contact_free(c[i]);
    hf_kad_table_deinit(&t);
}

HF_TEST(kad_table_limits_a_network) {
    static const uint8_t self[32] = {0};
    uint64_t number = 0;
    hf_kad_table t;
    hf_kad_contact *c[64], *oldest;
    hf_kad_table_init(&t, hf_test_mem(), 20, self);
    t.per_group_max = 2;
    size_t n_in = 0, n = 0;
    for (unsigned i = 0; i < 10; i++) { /* one bucket */
        c[n] = far_contact(&number, address(9, 9, 9, i));
        n_in += hf_kad_table_add(&t, i, c[n++], &oldest) == HF_OK;
    }
    CHECK_U64(n_in, 2);
    for (unsigned i = 0; i < 40; i++) { /* all buckets */
        c[n] = contact(1000 + i, address(9, 9, 9, 100 + i));
        n_in += hf_kad_table_add(&t, i, c[n++], &oldest) == HF_OK;
    }
    CHECK_U64(n_in, 2 * HF_KAD_TABLE_GROUPS);
    c[n] = far_contact(&number, address(9, 9, 8, 1)); /* the neighbouring network */
    CHECK_ERR(hf_kad_table_add(&t, 60, c[n++], &oldest), HF_OK);
    CHECK_ERR(hf_kad_table_add(&t, 61, c[0], &oldest), HF_OK); /* who is in stays */
    for (unsigned i = 0; i < 5; i++) {
        c[n] = far_contact(&number, address(127, 0, 0, 1));
        CHECK_ERR(hf_kad_table_add(&t, 62, c[n++], &oldest), i < 1 ? HF_OK : HF_DENIED);
    }
    t.loopback_is_free = true;
    CHECK_ERR(hf_kad_table_add(&t, 63, c[n - 1], &oldest), HF_OK);
    for (size_t i = 0; i < n; i++) contact_free(c[i]);
    hf_kad_table_deinit(&t);
}

/* Two addresses in two networks: one of each in a bucket, however many names they have. */
HF_TEST(kad_table_takes_one_of_an_address) {
    static const uint8_t self[32] = {0};
    uint64_t number = 0;
    hf_kad_table t;
    hf_kad_contact *c[64], *oldest;
    hf_kad_table_init(&t, hf_test_mem(), 20, self);
    t.per_group_max = 2;
    size_t n_in = 0, n = 0;
    for (unsigned i = 0; i < 20; i++) {
        c[n] = far_contact(&number, address(66, 66, i % 2, 1));
        n_in += hf_kad_table_add(&t, i, c[n++], &oldest) == HF_OK;
    }
    CHECK_U64(n_in, 2);
    hf_kad_group whose = hf_kad_group_of(parse("/ip6/2a00:1:2:3::1/tcp/1")), same = hf_kad_group_of(parse("/ip6/2a00:1:2:3:4::1/udp/2"));
    hf_kad_group near = hf_kad_group_of(parse("/ip6/2a00:1:2:4::1/tcp/1")), name = hf_kad_group_of(parse("/dns4/a.example/tcp/1"));
    CHECK(hf_kad_group_same_address(&whose, &same) && !hf_kad_group_same_address(&whose, &near) && !hf_kad_group_same_address(&name, &name));
    c[n] = far_contact(&number, address(66, 66, 0, 2)); /* its neighbour, and then no third */
    CHECK_ERR(hf_kad_table_add(&t, 30, c[n++], &oldest), HF_OK);
    c[n] = far_contact(&number, address(66, 66, 0, 3));
    CHECK_ERR(hf_kad_table_add(&t, 31, c[n++], &oldest), HF_DENIED);
    for (size_t i = 0; i < n; i++) contact_free(c[i]);
    hf_kad_table_deinit(&t);
}

/* ---- addresses ---- */

HF_TEST(kad_address_scopes_and_groups) {
    static const struct {
        const char *text;
        hf_kad_scope scope;
    } cases[] = {
        {"/ip4/224.0.0.1/udp/1", HF_KAD_NOWHERE},
        {"/ip6/::1/tcp/1", HF_KAD_LOOPBACK},
        {"/ip6/::/tcp/1", HF_KAD_NOWHERE},
        {"/ip6/fe80::1/tcp/1", HF_KAD_PRIVATE},
        {"/ip6/fd00::1/tcp/1", HF_KAD_PRIVATE},
        {"/ip6/2a00:1450::1/tcp/1", HF_KAD_PUBLIC},
        {"/ip6/ff02::1/tcp/1", HF_KAD_NOWHERE},
        {"/ip6/2001:db8::1/tcp/1", HF_KAD_NOWHERE},
        {"/ip6/::ffff:10.0.0.1/tcp/1", HF_KAD_PRIVATE},
        {"/ip6/::ffff:8.8.8.8/tcp/1", HF_KAD_PUBLIC},
        {"/ip6zone/eth0/ip6/fe80::1/tcp/1", HF_KAD_PRIVATE},
        {"/dns/printer.local/tcp/1", HF_KAD_PRIVATE},
        {"/dns4/a.localhost/tcp/1", HF_KAD_LOOPBACK},
        {"/unix/tmp", HF_KAD_NOWHERE},
        {"/dnsaddr/example.com", HF_KAD_PUBLIC},
        {"/ip4/127.9.9.9/tcp/1", HF_KAD_LOOPBACK},
        {"/ip6/64:ff9b::7f00:1/tcp/1", HF_KAD_LOOPBACK},
        {"/ip6/64:ff9b::808:808/tcp/1", HF_KAD_PUBLIC},
        {"/ip6/2002:a00:1::1/tcp/1", HF_KAD_PRIVATE},
        {"/ip6/2002:808:808::1/tcp/1", HF_KAD_PUBLIC},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++)
        CHECK_MSG(hf_kad_scope_of(parse(cases[i].text)) == cases[i].scope, "%s", cases[i].text);
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.3.250/udp/9/quic-v1", true},
        {"/ip4/1.2.3.4/tcp/1", "/ip4/1.2.4.4/tcp/1", false},
        {"/ip4/1.2.3.4/tcp/1", "/ip6/::ffff:1.2.3.9/tcp/1", true},
        {"/ip6/2a00:1:2:3:4::1/tcp/1", "/ip6/2a00:1:2:ffff:ffff::9/tcp/1", true},
        {"/ip6/2a00:1:2:3::1/tcp/1", "/ip6/2a00:1:3:3::1/tcp/1", false},
        {"/dns4/a.example/tcp/1", "/dns6/a.example/tcp/2", true},
        {"/dns4/a.example/tcp/1", "/dns4/b.example/tcp/1", false},
        {"/unix/tmp", "/unix/tmp", false},
    };
    for (size_t i = 0; i < HF_COUNT(pairs); i++) {
        hf_kad_group a = hf_kad_group_of(parse(pairs[i].a)), b = hf_kad_group_of(parse(pairs[i].b));
        CHECK_MSG(hf_kad_group_eq(&a, &b) == pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
    }
}

HF_TEST(kad_address_lists_are_bounded) {
    hf_kad_addresses a = {NULL, 0, 0};
    hf_peer_id me;
    CHECK_ERR(hf_peer_id_parse(HF_TEXT("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"), &me), HF_OK);
    hf_bytes views[HF_KAD_ADDRESSES_MAX];
    const char *of_me = "/ip4/1.2.3.4/tcp/1/p2p/12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5";
    const char *of_other = "/ip4/1.2.3.4/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N";
    for (unsigned i = 0; i < 3; i++)
        CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, parse(of_me)), HF_OK);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, parse(of_other)), HF_OK);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, address(10, 0, 0, 1)), HF_OK);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, HF_TEXT("\x04\x01")), HF_OK);
    CHECK_U64(hf_kad_addresses_views(&a, views), 1);
    CHECK_BYTES(views[0], parse(of_me));
    for (unsigned i = 0; i < 100; i++)
        CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, address(1, 2, 3, i)), HF_OK);
    CHECK_U64(a.n, HF_KAD_ADDRESSES_MAX);
    hf_kad_addresses_clear(hf_test_mem(), &a);
    char text[700] = "/dns4/";
    memset(text + 6, 'a', 600);
    memcpy(text + 606, "/tcp/1", 7);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, parse(text)), HF_OK);
    text[6] = 'b';
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &me, parse(text)), HF_OK);
    CHECK_U64(a.n, 1); /* both do not fit */
    hf_kad_addresses_clear(hf_test_mem(), &a);
}

/* ---- store ---- */

static hf_kad_store store_new(void) {
    static const uint8_t self[32] = {0};
    hf_kad_limits limits = {.values_max = 8,
                            .value_bytes_max = 400,
                            .providers_max = 8,
                            .providers_per_key_max = 3,
                            .per_peer_values_max = 4,
                            .per_peer_providers_max = 4,
                            .value_ms = 1000,
                            .provider_ms = 2000,
                            .provider_address_ms = 500};
    hf_kad_store s;
    hf_kad_store_init(&s, hf_test_mem(), &limits, self, 1);
    return s;
}

static hf_peer_id peer(unsigned n) {
    return (hf_peer_id){.bytes = {0, 2, (uint8_t)n, (uint8_t)(n >> 8)}, .len = 4};
}

static hf_bytes key_of(unsigned n) {
    return hf_arena_copy(hf_test_arena(), HF_BYTES(&n, sizeof n));
}

HF_TEST(kad_store_values_end) {
    hf_kad_store s = store_new();
    hf_peer_id a = peer(1);
    CHECK_ERR(hf_kad_store_put(&s, 0, 5, &a, HF_TEXT("k"), HF_TEXT("v")), HF_OK);
    CHECK_ERR(hf_kad_store_put(&s, 0, 5, NULL, HF_TEXT("own"), HF_TEXT("v")), HF_OK);
    CHECK(hf_kad_store_value(&s, 999, HF_TEXT("k")) != NULL);
    CHECK_ERR(hf_kad_store_put(&s, 999, 1004, &a, HF_TEXT("k"), HF_TEXT("v")), HF_OK); /* said again: lasts on */
    CHECK(hf_kad_store_value(&s, 1998, HF_TEXT("k")) != NULL);
    CHECK(hf_kad_store_value(&s, 1999, HF_TEXT("k")) == NULL);
    CHECK_U64(s.n_values, 0);
    CHECK_U64(s.value_bytes, 0);
    CHECK_ERR(hf_kad_store_put(&s, 2000, 5, &a, HF_TEXT("k"), HF_TEXT("")), HF_OK);
    hf_kad_store_sweep(&s, 3000);
    CHECK_U64(s.n_values, 0);
    CHECK(hf_kad_store_value(&s, 1u << 30, HF_TEXT("own")) != NULL); /* ours stays */
    hf_kad_store_deinit(&s);
}

HF_TEST(kad_store_values_are_bounded) {
    hf_kad_store s = store_new();
    unsigned n_taken = 0;
    for (unsigned i = 0; i < 100; i++) {
        hf_peer_id from = peer(i);
        hf_err err = hf_kad_store_put(&s, 0, 0, &from, key_of(i), HF_TEXT("value"));
        CHECK(!err || err == HF_LIMIT);
        n_taken += !err;
        CHECK(s.n_values <= 8 && s.value_bytes <= 400);
    }
    CHECK(n_taken > 8 && n_taken < 100);
    uint8_t worst[32] = {0}, hash[32];
    unsigned n_nearer = 0; /* the eight that stay are the nearest to us of all */
    for (unsigned i = 0; i < 100; i++) {
        hf_sha256_of(key_of(i), hash);
        if (hf_kad_store_value(&s, 0, key_of(i)) && memcmp(hash, worst, 32) > 0) memcpy(worst, hash, 32);
    }
    for (unsigned i = 0; i < 100; i++) {
        hf_sha256_of(key_of(i), hash);
        n_nearer += memcmp(hash, worst, 32) <= 0;
    }
    CHECK_U64(n_nearer, 8);
    static const uint8_t big[500];
    hf_peer_id other = peer(500);
    CHECK_ERR(hf_kad_store_put(&s, 0, 0, &other, HF_TEXT("big"), HF_BYTES(big, sizeof big)), HF_LIMIT);
    hf_kad_store_deinit(&s);
    s = store_new();
    for (unsigned i = 0; i < 6; i++)
        CHECK_ERR(hf_kad_store_put(&s, 0, 0, &other, key_of(i), HF_TEXT("v")), i < 4 ? HF_OK : HF_LIMIT);
    hf_kad_store_deinit(&s);
}

static hf_err provide(hf_kad_store *s, uint64_t now_ms, unsigned key, unsigned n, bool own) {
    hf_kad_addresses a = {NULL, 0, 0};
    hf_kad_provider *ignored;
    hf_peer_id id = peer(n);
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, ~0u, &id, address(1, 2, 3, n & 255)), HF_OK);
    hf_err err = hf_kad_store_provide(s, now_ms, key_of(key), &id, &a, own, &ignored);
    hf_kad_addresses_clear(hf_test_mem(), &a);
    return err;
}

HF_TEST(kad_store_providers_are_bounded_and_end) {
    hf_kad_store s = store_new();
    for (unsigned i = 0; i < 5; i++) CHECK_ERR(provide(&s, 0, 7, i, false), i < 3 ? HF_OK : HF_LIMIT);
    CHECK_ERR(provide(&s, 100, 7, 9, true), HF_OK); /* ours always */
    CHECK_ERR(provide(&s, 1500, 7, 0, false), HF_OK);
    hf_kad_shelf *shelf = hf_kad_store_shelf(&s, key_of(7));
    CHECK(shelf && shelf->n == 4);
    size_t n_counting = 0, n_addressed = 0;
    for (hf_kad_provider *p = shelf->first; p; p = p->next_of_key) {
        n_counting += hf_kad_provider_counts(&s, 2500, p);
        n_addressed += hf_kad_provider_address_counts(&s, 1600, p);
    }
    CHECK_U64(n_counting, 2); /* the renewed and ours */
    CHECK_U64(n_addressed, 1);
    CHECK_ERR(provide(&s, 2500, 7, 4, false), HF_OK); /* one whose time is over made room */
    hf_kad_store_sweep(&s, 10000);
    CHECK_U64(s.n_providers, 0);
    CHECK_U64(hf_kad_store_shelf(&s, key_of(7))->n, 1);
    for (unsigned i = 0; i < 100; i++) {
        hf_err err = provide(&s, 10000, i, i, false);
        CHECK(!err || err == HF_LIMIT);
        CHECK(s.n_providers <= 8);
    }
    for (unsigned i = 0, n = 0; i < 20; i++) {
        n += provide(&s, 20000, 200 + i, 7, false) == HF_OK;
        CHECK(n <= 4);
    }
    hf_kad_store_deinit(&s);
}

HF_TEST(kad_store_survives_want_of_memory) {
    for (size_t n = 1;; n++) {
        hf_kad_store s = store_new();
        hf_peer_id a = peer(1);
        hf_test_mem_fail_at(n);
        for (unsigned i = 0; i < 3; i++) {
            hf_err err = hf_kad_store_put(&s, 0, 0, &a, key_of(i), HF_TEXT("value"));
            CHECK(!err || err == HF_NOMEM);
            hf_kad_addresses none = {NULL, 0, 0};
            hf_kad_provider *ignored;
            err = hf_kad_store_provide(&s, 0, key_of(i), &a, &none, false, &ignored);
            CHECK(!err || err == HF_NOMEM);
        }
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_kad_store_deinit(&s);
        if (!failed) break;
    }
}

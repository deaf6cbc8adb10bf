/* Whom the address book keeps, in which order, and for how long. */
#include "book.h"

#include "../../tests/kit/check.h"
#include "../codec/multiaddr.h"

#include <stdio.h>

static hf_peer_id peer_named(uint32_t n) {
    hf_peer_id id = {.bytes = {0x12, 0x20, (uint8_t)n, (uint8_t)(n >> 8)}, .len = 34};
    return id;
}

static hf_bytes address(const char *text) {
    hf_buf binary;
    hf_buf_init(&binary, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &binary, NULL), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
    return copy;
}

static void add(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, hf_book_source source, const char *text, hf_err want) {
    hf_bytes a = address(text);
    CHECK_ERR(hf_book_add(book, now_ms, peer, source, &a, 1, 1000), want);
}

/* All addresses as text, each ended by a space. */
static void check_list(hf_book *book, uint64_t now_ms, const hf_peer_id *peer, const char *want) {
    hf_buf text;
    hf_bytes a;
    hf_buf_init(&text, hf_test_mem());
    for (size_t i = 0; hf_book_address(book, now_ms, peer, i, &a); i++) {
        CHECK_ERR(hf_multiaddr_text(a, &text), HF_OK);
        hf_buf_add_byte(&text, ' ');
    }
    CHECK_BYTES(hf_buf_bytes(&text), hf_str(want));
    hf_buf_deinit(&text);
}

HF_TEST(book_orders_by_trust_and_luck) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(1);
    add(book, 0, &p, HF_BOOK_NAMED, "/ip4/10.0.0.1/tcp/1", HF_OK);
    add(book, 0, &p, HF_BOOK_SELF, "/ip4/10.0.0.2/tcp/1", HF_OK);
    add(book, 0, &p, HF_BOOK_USER, "/ip4/10.0.0.3/tcp/1", HF_OK);
    check_list(book, 0, &p, "/ip4/10.0.0.3/tcp/1 /ip4/10.0.0.2/tcp/1 /ip4/10.0.0.1/tcp/1 ");
    hf_book_dialled(book, 0, &p, address("/ip4/10.0.0.3/tcp/1"), false);
    hf_book_dialled(book, 0, &p, address("/ip4/10.0.0.1/tcp/1"), true);
    check_list(book, 0, &p, "/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1 /ip4/10.0.0.3/tcp/1 ");
    add(book, 0, &p, HF_BOOK_SELF, "/ip4/10.0.0.4/tcp/1", HF_OK); /* says where it is now: .2 is not any more */
    check_list(book, 0, &p, "/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.4/tcp/1 /ip4/10.0.0.3/tcp/1 ");
    hf_book_free(book);
}

HF_TEST(book_forgets_in_time_unless_kept) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(1);
    add(book, 0, &p, HF_BOOK_NAMED, "/ip4/10.0.0.1/tcp/1", HF_OK);
    check_list(book, 999, &p, "/ip4/10.0.0.1/tcp/1 ");
    check_list(book, 1000, &p, "");
    hf_book_keep(book, 500, &p, true);
    check_list(book, 100000, &p, "/ip4/10.0.0.1/tcp/1 ");
    hf_book_keep(book, 100000, &p, false);
    check_list(book, 100000 + HF_BOOK_KNOWN_MS - 1, &p, "/ip4/10.0.0.1/tcp/1 ");
    check_list(book, 100000 + HF_BOOK_KNOWN_MS, &p, "");
    hf_book_free(book);
}

/* An older record that somebody passes on does not bring back where the peer was; its own last word does, whatever number it has. */
HF_TEST(book_keeps_the_latest_record) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(1);
    hf_buf a, b;
    hf_buf_init(&a, hf_test_mem());
    hf_buf_init(&b, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(HF_TEXT("/ip4/10.0.0.1/tcp/1"), &a, NULL), HF_OK);
    CHECK_ERR(hf_multiaddr_parse(HF_TEXT("/ip4/10.0.0.2/tcp/1"), &b, NULL), HF_OK);
    hf_bytes old_addr = hf_buf_bytes(&a), new_addr = hf_buf_bytes(&b);
    hf_peer_record older = {.peer = p, .seq = 5, .addresses = &old_addr, .n_addresses = 1};
    hf_peer_record newer = {.peer = p, .seq = 6, .addresses = &new_addr, .n_addresses = 1};
    CHECK_ERR(hf_book_certify(book, 0, &older, false, 1000), HF_OK);
    CHECK_ERR(hf_book_certify(book, 0, &newer, false, 1000), HF_OK);
    check_list(book, 0, &p, "/ip4/10.0.0.2/tcp/1 ");
    CHECK_ERR(hf_book_certify(book, 1, &older, false, 1000), HF_DENIED);
    check_list(book, 1, &p, "/ip4/10.0.0.2/tcp/1 ");
    CHECK_ERR(hf_book_certify(book, 1, &older, true, 1000), HF_OK);
    check_list(book, 1, &p, "/ip4/10.0.0.1/tcp/1 ");
    CHECK_ERR(hf_book_certify(book, 2, &newer, false, 1000), HF_OK);
    CHECK_ERR(hf_book_certify(book, 2000, &older, false, 1000), HF_OK); /* the newer one's addresses ran out */
    hf_buf_deinit(&a);
    hf_buf_deinit(&b);
    hf_book_free(book);
}

HF_TEST(book_believes_the_signed_word) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_bytes first;
    hf_buf own;
    hf_buf_init(&own, hf_test_mem());
    hf_peer_id p = peer_named(1);
    add(book, 0, &p, HF_BOOK_NAMED, "/ip4/10.6.6.6/tcp/1", HF_OK);
    add(book, 0, &p, HF_BOOK_SIGNED, "/ip4/10.0.0.1/tcp/1", HF_OK);
    check_list(book, 0, &p, "/ip4/10.0.0.1/tcp/1 ");
    add(book, 1, &p, HF_BOOK_NAMED, "/ip4/10.6.6.6/tcp/1", HF_OK);
    add(book, 1, &p, HF_BOOK_USER, "/ip4/10.0.0.9/tcp/1", HF_OK);
    check_list(book, 1, &p, "/ip4/10.0.0.9/tcp/1 /ip4/10.0.0.1/tcp/1 /ip4/10.6.6.6/tcp/1 ");
    for (size_t i = 0; i < 2 * HF_BOOK_ADDRESSES_MAX; i++) {
        char text[64];
        snprintf(text, sizeof text, "/ip4/10.7.7.%d/tcp/1", (int)i);
        add(book, 2, &p, HF_BOOK_NAMED, text, HF_OK);
    }
    CHECK(hf_book_address(book, 2, &p, 1, &first) && !hf_multiaddr_parse(HF_TEXT("/ip4/10.0.0.1/tcp/1"), &own, NULL));
    CHECK_BYTES(first, hf_buf_bytes(&own));
    hf_buf_deinit(&own);
    add(book, 1000, &p, HF_BOOK_NAMED, "/ip4/10.0.0.2/tcp/1", HF_OK); /* the signed one ran out */
    hf_book_free(book);
}

HF_TEST(book_takes_only_the_peers_own_addresses) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p, other;
    CHECK_ERR(hf_peer_id_parse(HF_TEXT("12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN"), &p), HF_OK);
    CHECK_ERR(hf_peer_id_parse(HF_TEXT("12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p"), &other), HF_OK);
    add(book, 0, &p, HF_BOOK_USER, "/ip4/10.0.0.1/tcp/1/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN", HF_OK);
    add(book, 0, &p, HF_BOOK_USER, "/ip4/10.0.0.2/tcp/1/p2p/12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p", HF_OK);
    add(book, 0, &p, HF_BOOK_USER, "/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN", HF_OK);
    const hf_bytes bad[] = {HF_TEXT("\xff\xff"), HF_TEXT("")};
    CHECK_ERR(hf_book_add(book, 0, &p, HF_BOOK_USER, bad, 2, 1000), HF_OK);
    check_list(book, 0, &p, "/ip4/10.0.0.1/tcp/1 ");
    add(book, 0, &p, HF_BOOK_USER,
        "/ip4/10.0.0.2/tcp/1/p2p/12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p/p2p-circuit/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN",
        HF_OK);
    check_list(book, 0, &p, "/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1/p2p/12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p/p2p-circuit ");
    hf_book_free(book);
}

/* A stranger's thousand addresses do not push out the user's one; a stranger's thousand peers not the connected one. */
HF_TEST(book_is_bounded) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(0);
    hf_bytes found;
    add(book, 0, &p, HF_BOOK_USER, "/ip4/10.0.0.1/tcp/1", HF_OK);
    hf_book_keep(book, 0, &p, true);
    uint8_t named[] = {4, 10, 1, 0, 0, 6, 0, 1};
    for (unsigned i = 0; i < 1000; i++) {
        named[3] = (uint8_t)(i >> 8);
        named[4] = (uint8_t)i;
        const hf_bytes a = HF_BYTES(named, sizeof named);
        CHECK_ERR(hf_book_add(book, 0, &p, HF_BOOK_NAMED, &a, 1, 1000), HF_OK);
    }
    size_t n = 0;
    while (hf_book_address(book, 0, &p, n, &found)) n++;
    CHECK_U64(n, HF_BOOK_ADDRESSES_MAX);
    CHECK(hf_book_address(book, 0, &p, 0, &found) && hf_eq(found, address("/ip4/10.0.0.1/tcp/1")));
    const hf_bytes a = HF_BYTES(named, sizeof named);
    for (uint32_t i = 1; i < HF_BOOK_PEERS_MAX + 500; i++) {
        hf_peer_id stranger = peer_named(i);
        CHECK_ERR(hf_book_add(book, 0, &stranger, HF_BOOK_NAMED, &a, 1, 1000), HF_OK);
    }
    CHECK_U64(hf_book_n_peers(book), HF_BOOK_PEERS_MAX);
    CHECK(hf_book_address(book, 0, &p, 0, &found));
    hf_peer_id first = peer_named(1), last = peer_named(HF_BOOK_PEERS_MAX + 499);
    CHECK(!hf_book_address(book, 0, &first, 0, &found));
    CHECK(hf_book_address(book, 0, &last, 0, &found));
    hf_book_free(book);
}

HF_TEST(book_lets_failed_addresses_rest) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(1);
    hf_bytes a = address("/ip4/10.0.0.1/tcp/1");
    add(book, 0, &p, HF_BOOK_USER, "/ip4/10.0.0.1/tcp/1", HF_OK);
    CHECK_U64(hf_book_rests_until(book, &p, a), 0);
    uint64_t rests[] = {5000, 10000, 20000, 40000, 80000, 160000, 300000, 300000};
    for (size_t i = 0; i < HF_COUNT(rests); i++) {
        hf_book_dialled(book, 100, &p, a, false);
        CHECK_U64(hf_book_rests_until(book, &p, a), 100 + rests[i]);
    }
    hf_book_dialled(book, 100, &p, a, true);
    CHECK_U64(hf_book_rests_until(book, &p, a), 0);
    hf_book_free(book);
}

HF_TEST(book_knows_protocols) {
    hf_book *book = hf_book_new(hf_test_mem(), 1);
    hf_peer_id p = peer_named(1);
    hf_bytes name;
    const hf_bytes names[] = {HF_TEXT("/a/1"), HF_TEXT("/b/1")};
    CHECK(!hf_book_protocol(book, &p, 0, &name));
    CHECK_ERR(hf_book_speaks(book, 0, &p, names, 2), HF_OK);
    CHECK(hf_book_protocol(book, &p, 1, &name) && hf_eq(name, HF_TEXT("/b/1")));
    CHECK(!hf_book_protocol(book, &p, 2, &name));
    CHECK_ERR(hf_book_speaks(book, 0, &p, names + 1, 1), HF_OK);
    CHECK(hf_book_protocol(book, &p, 0, &name) && hf_eq(name, HF_TEXT("/b/1")));
    CHECK(!hf_book_protocol(book, &p, 1, &name));
    hf_book_free(book);
}

static void count(void *ctx, const hf_peer_id *peer) {
    hf_peer_id *seen = ctx;
    seen[seen[0].len ? 1 : 0] = *peer;
}

/* Those that were met come back, the one that was met last first; those that were only named do not. Whatever is cut off or wrong stays out. */
HF_TEST(book_comes_back_after_a_restart) {
    hf_book *book = hf_book_new(hf_test_mem(), 1), *again = hf_book_new(hf_test_mem(), 2);
    hf_peer_id met = peer_named(1), named = peer_named(2), last = peer_named(3), seen[2] = {{.len = 0}};
    hf_buf saved;
    hf_buf_init(&saved, hf_test_mem());
    add(book, 0, &met, HF_BOOK_SELF, "/ip4/10.0.0.1/tcp/1", HF_OK);
    add(book, 0, &met, HF_BOOK_NAMED, "/ip4/10.0.0.9/tcp/1", HF_OK);
    add(book, 0, &last, HF_BOOK_USER, "/ip4/10.0.0.3/tcp/1", HF_OK);
    add(book, 0, &named, HF_BOOK_NAMED, "/ip4/10.0.0.2/tcp/1", HF_OK);
    hf_book_save(book, 10, &saved);
    CHECK_ERR(hf_book_restore(again, 5000, hf_buf_bytes(&saved), 1000, count, seen), HF_OK);
    CHECK(hf_peer_id_eq(&seen[0], &last) && hf_peer_id_eq(&seen[1], &met));
    CHECK_U64(hf_book_n_peers(again), 2);
    check_list(again, 5500, &met, "/ip4/10.0.0.1/tcp/1 ");
    check_list(again, 6500, &met, "");
    for (size_t len = 0; len < saved.len; len++) {
        hf_book *part = hf_book_new(hf_test_mem(), 3);
        CHECK_ERR(hf_book_restore(part, 0, hf_sub(hf_buf_bytes(&saved), 0, len), 1000, NULL, NULL), HF_OK);
        CHECK(hf_book_n_peers(part) < 2);
        hf_book_free(part);
    }
    hf_buf_clear(&saved);
    hf_book_save(book, 1, &saved);
    hf_book *one = hf_book_new(hf_test_mem(), 4);
    CHECK_ERR(hf_book_restore(one, 0, hf_buf_bytes(&saved), 1000, NULL, NULL), HF_OK);
    CHECK_U64(hf_book_n_peers(one), 1);
    hf_book_free(one);
    hf_buf_deinit(&saved);
    hf_book_free(again);
    hf_book_free(book);
}

static void take_one(void *ctx, const hf_peer_id *peer) {
    hf_peer_id **at = ctx;
    *(*at)++ = *peer;
}

/* Two of a network, and those that were dialled before those that only came, although these came later. */
HF_TEST(book_saves_a_few_of_a_network) {
    enum { SYBILS = 40 };
    hf_book *book = hf_book_new(hf_test_mem(), 1), *again = hf_book_new(hf_test_mem(), 2);
    const hf_peer_id anchor = peer_named(1), guest = peer_named(2);
    const hf_bytes where = address("/ip4/11.0.0.1/tcp/1");
    hf_peer_id got[SYBILS + 2], *at = got;
    hf_buf saved;
    hf_buf_init(&saved, hf_test_mem());
    add(book, 0, &anchor, HF_BOOK_NAMED, "/ip4/11.0.0.1/tcp/1", HF_OK);
    hf_book_dialled(book, 0, &anchor, where, true);
    add(book, 0, &guest, HF_BOOK_SELF, "/ip4/11.0.1.1/tcp/1", HF_OK);
    for (unsigned i = 0; i < SYBILS; i++) {
        const hf_peer_id sybil = peer_named((uint8_t)(10 + i));
        add(book, 0, &sybil, HF_BOOK_SELF, i % 2 ? "/ip4/66.66.0.1/tcp/1" : "/ip6/2a00:66::1/tcp/1", HF_OK);
    }
    hf_book_save(book, 100, &saved);
    CHECK_ERR(hf_book_restore(again, 0, hf_buf_bytes(&saved), 1000, take_one, &at), HF_OK);
    CHECK_U64((size_t)(at - got), 2 + 2 * HF_BOOK_SAVED_OF_A_NETWORK);
    CHECK(hf_peer_id_eq(&got[0], &anchor) && hf_peer_id_eq(&got[5], &guest));
    hf_buf_deinit(&saved);
    hf_book_free(again);
    hf_book_free(book);
}

HF_TEST(book_survives_no_memory) {
    hf_peer_id p = peer_named(1);
    const hf_bytes a = address("/ip4/10.0.0.1/tcp/1"), name = HF_TEXT("/a/1");
    for (size_t n = 1; n < 20; n++) {
        hf_test_mem_fail_at(n);
        hf_book *book = hf_book_new(hf_test_mem(), 1);
        hf_err err = book ? hf_book_add(book, 0, &p, HF_BOOK_USER, &a, 1, 1000) : HF_NOMEM;
        if (!err) err = hf_book_speaks(book, 0, &p, &name, 1);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == (err == HF_NOMEM));
        hf_book_free(book);
        if (!failed) return;
    }
    CHECK_MSG(false, "never enough memory");
}

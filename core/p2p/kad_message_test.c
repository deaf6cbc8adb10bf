/* The DHT's bytes against what js wrote (tests/vectors/kad/make.mjs), and what is refused; addresses and keys alike. */
#include "kad_message.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"
#include "kad_address.h"
#include "kad_table.h"

#include <string.h>

static hf_bytes member(const hf_value *v, const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(v, key)));
}

static const hf_value *list(const hf_value *v, const char *key) {
    const hf_value *l = hf_value_get(v, key);
    CHECK(l && l->kind == HF_LIST && l->as.list.n > 0);
    return l;
}

static bool has(const hf_value *v, const char *key) {
    return hf_value_get(v, key)->kind == HF_TEXT_VALUE;
}

static void check_peers(hf_kad_peers peers, const hf_value *want) {
    hf_kad_peer peer;
    for (size_t i = 0; i < want->as.list.n; i++) {
        CHECK(hf_kad_peers_next(&peers, &peer));
        CHECK_BYTES(hf_peer_id_bytes(&peer.id), member(&want->as.list.items[i], "id"));
        const hf_value *addresses = hf_value_get(&want->as.list.items[i], "addresses");
        hf_pb_reader r = hf_kad_peer_addresses(&peer);
        hf_bytes address;
        for (size_t k = 0; k < addresses->as.list.n; k++) {
            CHECK(hf_kad_address_next(&r, &address));
            CHECK_BYTES(address, hf_test_hex(hf_value_as_text(&addresses->as.list.items[k])));
        }
        CHECK(!hf_kad_address_next(&r, &address));
    }
    CHECK(!hf_kad_peers_next(&peers, &peer));
}

static void check_record(hf_bytes got, const hf_value *want) {
    if (has(want, "record")) CHECK_BYTES(got, member(want, "record"));
}

HF_TEST(kad_message_reads_what_js_writes) {
    const hf_value *messages = list(hf_test_json("kad/kad.json"), "messages");
    for (size_t i = 0; i < messages->as.list.n; i++) {
        const hf_value *m = &messages->as.list.items[i];
        hf_kad_message got;
        CHECK_ERR(hf_kad_read(member(m, "protobuf"), &got, NULL), HF_OK);
        CHECK_U64(got.type, hf_value_as_i64(hf_value_get(m, "type"), -1));
        CHECK_BYTES(got.key, member(m, "key"));
        CHECK(got.has_record == has(m, "record"));
        check_record(got.record, m);
        check_peers(hf_kad_closer(&got), hf_value_get(m, "closer"));
        check_peers(hf_kad_providers(&got), hf_value_get(m, "providers"));
    }
}

static hf_kad_addresses pack(hf_kad_peer *peer) {
    hf_kad_addresses a = {NULL, 0, 0};
    hf_pb_reader r = hf_kad_peer_addresses(peer);
    for (hf_bytes address; hf_kad_address_next(&r, &address);)
        CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, &peer->id, address), HF_OK);
    return a;
}

static void write_peers(hf_buf *out, hf_kad_peers peers, bool providers) {
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer);) {
        hf_kad_addresses a = pack(&peer);
        if (providers)
            hf_kad_add_provider(out, &peer.id, hf_kad_addresses_packed(&a));
        else
            hf_kad_add_closer(out, &peer.id, hf_kad_addresses_packed(&a));
        hf_kad_addresses_clear(hf_test_mem(), &a);
    }
}

HF_TEST(kad_message_writes_what_js_writes) {
    const hf_value *messages = list(hf_test_json("kad/kad.json"), "messages");
    for (size_t i = 0; i < messages->as.list.n; i++) {
        hf_bytes want = member(&messages->as.list.items[i], "protobuf");
        hf_kad_message m;
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        CHECK_ERR(hf_kad_read(want, &m, NULL), HF_OK);
        hf_kad_add_head(&out, m.type, m.key, m.has_record ? &m.record : NULL);
        write_peers(&out, hf_kad_closer(&m), false);
        write_peers(&out, hf_kad_providers(&m), true);
        CHECK_BYTES(hf_buf_bytes(&out), want);
        hf_buf_deinit(&out);
    }
}

HF_TEST(kad_message_records_and_times_are_those_of_js) {
    const hf_value *v = hf_test_json("kad/kad.json"), *records = list(v, "records"), *times = list(v, "times");
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    for (size_t i = 0; i < records->as.list.n; i++) {
        const hf_value *r = &records->as.list.items[i];
        hf_kad_record got;
        CHECK_ERR(hf_kad_record_read(member(r, "record"), &got, NULL), HF_OK);
        CHECK_BYTES(got.key, member(r, "key"));
        CHECK_BYTES(got.value, member(r, "value"));
        hf_buf_clear(&out);
        hf_kad_record_add(&out, got.key, got.value, (uint64_t)hf_value_as_i64(hf_value_get(r, "ms"), -1));
        CHECK_BYTES(hf_buf_bytes(&out), member(r, "record"));
    }
    for (size_t i = 0; i < times->as.list.n; i++) {
        const hf_value *t = &times->as.list.items[i];
        hf_buf_clear(&out);
        hf_kad_time_add(&out, (uint64_t)hf_value_as_i64(hf_value_get(t, "ms"), -1));
        CHECK_BYTES(hf_buf_bytes(&out), hf_value_as_text(hf_value_get(t, "text")));
    }
    hf_buf_deinit(&out);
}

HF_TEST(kad_message_hashes_and_public_addresses_are_those_of_js) {
    const hf_value *v = hf_test_json("kad/kad.json"), *hashes = list(v, "hashes"), *addresses = list(v, "public");
    for (size_t i = 0; i < hashes->as.list.n; i++) {
        uint8_t hash[32];
        hf_sha256_of(member(&hashes->as.list.items[i], "key"), hash);
        CHECK_BYTES(HF_BYTES(hash, 32), member(&hashes->as.list.items[i], "hash"));
    }
    for (size_t i = 0; i < addresses->as.list.n; i++) {
        const hf_value *a = &addresses->as.list.items[i];
        bool is_public = hf_kad_scope_of(member(a, "address")) == HF_KAD_PUBLIC;
        CHECK_MSG(is_public == hf_value_as_bool(hf_value_get(a, "public"), false), "address %zu", i);
    }
}

HF_TEST(kad_message_refuses) {
    static const struct {
        const char *hex;
        hf_err err;
    } cases[] = {
        {"ff", HF_MALFORMED},     /* no field */
        {"0805ff", HF_MALFORMED}, /* breaks off */
        {"0806", HF_MALFORMED},   /* a type that nobody knows */
        {"08ffffffffffffffffff01", HF_MALFORMED},
        {"120561", HF_MALFORMED},   /* a key that breaks off */
        {"42020a05", HF_MALFORMED}, /* a peer that does */
        {"4a01ff", HF_MALFORMED},   /* a provider that is none */
        {"0b", HF_MALFORMED},       /* a group */
        {"", HF_OK},
        {"4200", HF_OK}, /* a peer without an ID is skipped */
        {"42040a020000", HF_OK},
        {"5002", HF_OK}, /* cluster level */
        {"120161", HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_kad_message m;
        hf_kad_peer peer;
        hf_err err = hf_kad_read(hf_test_hex(hf_str(cases[i].hex)), &m, NULL);
        CHECK_MSG(err == cases[i].err, "%s: %s", cases[i].hex, hf_err_name(err));
        if (err) continue;
        hf_kad_peers peers = hf_kad_closer(&m);
        CHECK(!hf_kad_peers_next(&peers, &peer));
    }
}

HF_TEST(kad_message_limits) {
    static uint8_t big[HF_KAD_MESSAGE_MAX];
    hf_buf b;
    hf_kad_message m;
    hf_kad_record r;
    hf_buf_init(&b, hf_test_mem());
    hf_pb_add_bytes(&b, 2, HF_BYTES(big, HF_KAD_KEY_MAX));
    CHECK_ERR(hf_kad_read(hf_buf_bytes(&b), &m, NULL), HF_OK);
    hf_buf_clear(&b);
    hf_pb_add_bytes(&b, 2, HF_BYTES(big, HF_KAD_KEY_MAX + 1));
    CHECK_ERR(hf_kad_read(hf_buf_bytes(&b), &m, NULL), HF_LIMIT);
    hf_buf_clear(&b);
    hf_pb_add_bytes(&b, 7, HF_BYTES(big, HF_KAD_MESSAGE_MAX));
    CHECK_ERR(hf_kad_read(hf_buf_bytes(&b), &m, NULL), HF_LIMIT);
    hf_buf_clear(&b);
    hf_pb_add_bytes(&b, 2, HF_BYTES(big, HF_KAD_VALUE_MAX + 1));
    CHECK_ERR(hf_kad_record_read(hf_buf_bytes(&b), &r, NULL), HF_LIMIT);
    hf_buf_clear(&b);
    hf_pb_add_bytes(&b, 1, HF_BYTES(big, HF_KAD_KEY_MAX + 1));
    CHECK_ERR(hf_kad_record_read(hf_buf_bytes(&b), &r, NULL), HF_LIMIT);
    hf_buf_clear(&b);
    for (unsigned i = 0; i < 100; i++) hf_pb_add_bytes(&b, 8, HF_TEXT("\x0a\x03\0\x01z"));
    CHECK_ERR(hf_kad_read(hf_buf_bytes(&b), &m, NULL), HF_OK);
    hf_kad_peers peers = hf_kad_closer(&m);
    size_t n = 0;
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer);) n++;
    CHECK_U64(n, HF_KAD_PEERS_A_MESSAGE);
    hf_buf_deinit(&b);
}

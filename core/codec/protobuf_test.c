/* Protobuf: the guide's examples, what is written reads back, every malformed field, any cut. */
#include "../../tests/kit/check.h"
#include "protobuf.h"

#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }

HF_TEST(protobuf_reads_fields) {
    static const struct { const char *hex; uint32_t number; uint8_t wire; uint64_t u; const char *bytes; } rows[] = {
        {"089601", 1, 0, 150, ""},                                  /* the guide's first example */
        {"120774657374696e67", 2, 2, 0, "74657374696e67"},          /* its second: "testing" */
        {"0800", 1, 0, 0, ""}, {"1200", 2, 2, 0, ""}, {"0880808000", 1, 0, 0, ""}, /* any length of form */
        {"08ffffffffffffffffff01", 1, 0, UINT64_MAX, ""}, {"088080808080808080" "8001", 1, 0, (uint64_t)1 << 63, ""},
        {"090102030405060708", 1, 1, 0x0807060504030201, ""}, {"0d01020304", 1, 5, 0x04030201, ""},
        {"f8ffffff0f01", (1 << 29) - 1, 0, 1, ""}, {"8a808000" "00", 1, 2, 0, ""},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_pb_reader r = hf_pb_read(hex(rows[i].hex));
        hf_pb_field field;
        CHECK_MSG(hf_pb_next(&r, &field), "%s", rows[i].hex);
        CHECK_U64(field.number, rows[i].number);
        CHECK_U64(field.wire, rows[i].wire);
        CHECK_U64(field.u, rows[i].u);
        CHECK_BYTES(field.bytes, hex(rows[i].bytes));
        CHECK(!hf_pb_next(&r, &field));
        CHECK_ERR(r.err, HF_OK);
    }
}

HF_TEST(protobuf_refuses) {
    static const char *const rows[] = {
        "00",
        "0000",
        "0200",
        "08",
        "0880",
        "08ffffffffffffffffff02",
        "08ffffffffffffffffffff01",
        "0b",
        "0b0c",
        "0c",
        "0e00",
        "0f00",
        "1201",
        "120374",
        "12ffffffffffffffffff01",
        "09010203040506",
        "0d010203",
        "808080801000",
        "ffffffffffffffffff0100",
        "80",
        "1280",
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_pb_reader r = hf_pb_read(hex(rows[i]));
        hf_pb_field field = {.number = 42};
        CHECK_MSG(!hf_pb_next(&r, &field), "%s was read", rows[i]);
        CHECK_ERR(r.err, HF_MALFORMED);
        CHECK_U64(field.number, 42);
        CHECK(!hf_pb_next(&r, &field)); /* the failure sticks */
    }
}

static hf_bytes sample(hf_buf *buf) {
    hf_pb_add_u64(buf, 1, 0);
    hf_pb_add_bytes(buf, 2, HF_TEXT("key"));
    hf_pb_add_u64(buf, 16, 300);
    hf_pb_add_bytes(buf, (1 << 29) - 1, HF_TEXT(""));
    hf_pb_add_u64(buf, 3, UINT64_MAX);
    return hf_buf_bytes(buf);
}

HF_TEST(protobuf_reads_what_it_writes) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_bytes message = sample(&buf);
    CHECK_BYTES(message, hex("080012036b6579" "8001ac02" "faffffff0f00" "18ffffffffffffffffff01"));
    hf_pb_reader r = hf_pb_read(message);
    hf_pb_field field;
    size_t n = 0;
    for (; hf_pb_next(&r, &field); n++) {
        if (field.number == 2) CHECK_BYTES(field.bytes, HF_TEXT("key"));
        if (field.number == 16) CHECK_U64(field.u, 300);
    }
    CHECK_U64(n, 5);
    CHECK_ERR(r.err, HF_OK);
    hf_buf_deinit(&buf);
}

/* Cut between fields a message is a shorter message; cut within one it is malformed. */
HF_TEST(protobuf_any_cut) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_bytes message = sample(&buf);
    static const size_t ends[] = {0, 2, 7, 11, 17};
    for (size_t cut = 0; cut < message.len; cut++) {
        bool between = false;
        for (size_t i = 0; i < HF_COUNT(ends); i++) between |= cut == ends[i];
        uint8_t *exact = hf_alloc(hf_test_mem(), cut + 1);
        memcpy(exact, message.ptr, cut);
        hf_pb_reader r = hf_pb_read(HF_BYTES(exact, cut));
        hf_pb_field field;
        while (hf_pb_next(&r, &field)) continue;
        hf_release(hf_test_mem(), exact, cut + 1);
        CHECK_ERR(r.err, between ? HF_OK : HF_MALFORMED);
    }
    hf_buf_deinit(&buf);
}

/* Peer keys as libp2p writes them. */
HF_TEST(protobuf_keys_of_the_vectors) {
    const hf_value *peers = hf_value_get(hf_test_json("orbitdb/peerid-multiaddr.json"), "peers");
    CHECK(peers->as.list.n > 0);
    for (uint32_t i = 0; i < peers->as.list.n; i++) {
        const hf_value *peer = &peers->as.list.items[i];
        hf_bytes raw = hf_test_hex(hf_value_as_text(hf_value_get(peer, "publicKeyRaw")));
        hf_bytes message = hf_test_hex(hf_value_as_text(hf_value_get(peer, "publicKeyProtobuf")));
        bool ed25519 = hf_eq(hf_value_as_text(hf_value_get(peer, "type")), HF_TEXT("Ed25519"));
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_pb_add_u64(&buf, 1, ed25519 ? 1 : 2);
        hf_pb_add_bytes(&buf, 2, raw);
        CHECK_BYTES(hf_buf_bytes(&buf), message);
        hf_buf_deinit(&buf);
    }
}

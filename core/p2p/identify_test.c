/* identify: the messages of js, partial pushes, and messages that are too much. */
#include "identify.h"

#include "../../tests/kit/check.h"

#include <string.h>

static hf_bytes hex_of(const hf_value *v, const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(v, key)));
}

static hf_bytes inner(const hf_value *fields, const char *key) { return hex_of(hf_value_get(fields, key), "$bytes"); }

HF_TEST(identify_reads_what_js_wrote) {
    const hf_value *v = hf_value_get(hf_test_json("orbitdb/identify.json"), "identify"),
                   *fields = hf_value_get(v, "fields");
    const hf_value *protocols = hf_value_get(fields, "protocols");
    hf_identify_message m;
    hf_bytes message;
    CHECK_ERR(hf_identify_unframe(hex_of(v, "framed"), &message), HF_OK);
    CHECK_BYTES(message, hex_of(v, "protobuf"));
    CHECK_ERR(hf_identify_read(hf_test_arena(), message, &m, NULL), HF_OK);
    CHECK_BYTES(m.said.agent, hf_value_as_text(hf_value_get(fields, "agentVersion")));
    CHECK_BYTES(m.said.protocol_version, hf_value_as_text(hf_value_get(fields, "protocolVersion")));
    CHECK_BYTES(m.public_key, inner(fields, "publicKey"));
    CHECK_BYTES(m.said.observed, inner(fields, "observedAddr"));
    CHECK_BYTES(m.said.record, hex_of(hf_value_get(hf_test_json("orbitdb/identify.json"), "peerRecord"), "envelope"));
    CHECK_U64(m.said.n_addresses, 2);
    CHECK_BYTES(m.said.addresses[1], hf_test_hex(HF_TEXT("047f000001060fa2dd03")));
    CHECK_U64(m.said.n_protocols, protocols->as.list.n);
    for (size_t i = 0; i < m.said.n_protocols; i++)
        CHECK_BYTES(m.said.protocols[i], hf_value_as_text(&protocols->as.list.items[i]));
}

HF_TEST(identify_writes_what_js_writes) {
    static const char *const names[] = {"minimal", "push"};
    for (size_t i = 0; i < HF_COUNT(names); i++) {
        const hf_value *v = hf_value_get(hf_test_json("orbitdb/identify.json"), names[i]);
        hf_identify_message m;
        hf_buf again;
        hf_buf_init(&again, hf_test_mem());
        CHECK_ERR(hf_identify_read(hf_test_arena(), hex_of(v, "protobuf"), &m, NULL), HF_OK);
        hf_identify_add(&again, &m);
        CHECK_BYTES(hf_buf_bytes(&again), hex_of(v, "protobuf"));
        hf_identify_message twice;
        CHECK_ERR(hf_identify_read(hf_test_arena(), hf_buf_bytes(&again), &twice, NULL), HF_OK);
        CHECK_U64(twice.said.n_protocols, m.said.n_protocols);
        CHECK_U64(twice.said.n_addresses, m.said.n_addresses);
        hf_buf_deinit(&again);
    }
}

HF_TEST(identify_unframes_at_any_cut) {
    hf_bytes framed = hex_of(hf_value_get(hf_test_json("orbitdb/identify.json"), "identify"), "framed"), message;
    for (size_t cut = 0; cut < framed.len; cut++)
        CHECK_ERR(hf_identify_unframe(hf_sub(framed, 0, cut), &message), HF_TRUNCATED);
    CHECK_ERR(hf_identify_unframe(HF_BYTES("\x81\x40", 2), &message), HF_LIMIT); /* 8,193 */
    CHECK_ERR(hf_identify_unframe(HF_BYTES("\x80\x00", 2), &message), HF_MALFORMED);
}

HF_TEST(identify_refuses_too_much) {
    hf_identify_message m;
    hf_fault fault = {NULL, 0};
    hf_bytes message = hex_of(hf_value_get(hf_test_json("orbitdb/identify.json"), "minimal"), "protobuf");
    CHECK_ERR(hf_identify_read(hf_test_arena(), hf_sub(message, 0, message.len - 1), &m, &fault), HF_MALFORMED);
    CHECK(fault.what != NULL);
    static uint8_t many[HF_IDENTIFY_BYTES_MAX + 1];
    for (size_t i = 0; i + 1 < sizeof many; i += 2) many[i] = 0x1a, many[i + 1] = 0; /* protocols, empty */
    CHECK_ERR(hf_identify_read(hf_test_arena(), HF_BYTES(many, 2 * HF_IDENTIFY_PROTOCOLS_MAX), &m, &fault), HF_OK);
    CHECK_ERR(hf_identify_read(hf_test_arena(), HF_BYTES(many, 2 * HF_IDENTIFY_PROTOCOLS_MAX + 2), &m, &fault),
              HF_LIMIT);
    CHECK_ERR(hf_identify_read(hf_test_arena(), HF_BYTES(many, sizeof many), &m, &fault), HF_LIMIT);
    for (size_t i = 0; i + 1 < sizeof many; i += 2) many[i] = 0x12;
    CHECK_ERR(hf_identify_read(hf_test_arena(), HF_BYTES(many, 2 * HF_IDENTIFY_ADDRESSES_MAX + 2), &m, &fault),
              HF_LIMIT);
}

HF_TEST(identify_merge_keeps_what_is_not_said_again) {
    hf_bytes one = HF_TEXT("/one"), two = HF_TEXT("/two");
    hf_identify before = {
        .agent = HF_TEXT("a/1"), .protocols = &one, .n_protocols = 1, .addresses = &one, .n_addresses = 1};
    hf_identify now = {.agent = HF_TEXT("a/2"), .protocols = &two, .n_protocols = 1}, got;
    CHECK_ERR(hf_identify_merge(hf_test_arena(), &before, &now, &got), HF_OK);
    CHECK_BYTES(got.agent, HF_TEXT("a/2"));
    CHECK_BYTES(got.protocols[0], two);
    CHECK_U64(got.n_addresses, 1);
    CHECK_BYTES(got.addresses[0], one);
    before.record = HF_TEXT("signed"); /* goes with the addresses that it is of */
    before.record_seq = 7;
    CHECK_ERR(hf_identify_merge(hf_test_arena(), &before, &now, &got), HF_OK);
    CHECK_BYTES(got.record, HF_TEXT("signed"));
    CHECK_U64(got.record_seq, 7);
    now.addresses = &two;
    now.n_addresses = 1;
    CHECK_ERR(hf_identify_merge(hf_test_arena(), &before, &now, &got), HF_OK);
    CHECK_U64(got.record.len, 0);
    now.n_addresses = 0;
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        hf_arena arena;
        hf_arena_init(&arena, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_identify_merge(&arena, &before, &now, &got);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        hf_arena_deinit(&arena);
    }
}

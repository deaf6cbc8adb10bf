/* The relay's messages and vouchers: vectors both ways, what is refused. */
#include "relay_message.h"

#include "../../tests/kit/check.h"
#include "../codec/json.h"
#include "../crypto/crypto.h"
#include "envelope.h"
#include "frame.h"

#include <stdio.h>
#include <string.h>

static const hf_value *at(const hf_value *v, const char *key) {
    const hf_value *found = hf_value_get(v, key);
    CHECK_MSG(found != NULL, "no %s", key);
    return found;
}

static hf_bytes hex_at(const hf_value *v, const char *key) { return hf_test_hex(hf_value_as_text(at(v, key))); }

/* Every vector reads, and written again is the same bytes. */
HF_TEST(relay_message_vectors_both_ways) {
    const hf_value *all = at(hf_test_json("orbitdb/relay.json"), "messages");
    for (size_t i = 0; i < all->as.list.n; i++) {
        const hf_value *v = &all->as.list.items[i];
        hf_bytes bytes = hex_at(v, "protobuf"), framed = hex_at(v, "framed"), message;
        hf_bytes from = hf_value_as_text(at(v, "from"));
        bool stop = hf_eq(hf_sub(from, from.len - 4, 4), HF_TEXT("stop"));
        hf_relay_message m;
        hf_buf out;
        size_t len;
        CHECK_ERR(hf_relay_message_read(bytes, stop, &m), HF_OK);
        hf_buf_init(&out, hf_test_mem());
        hf_relay_message_add(&out, &m, stop);
        CHECK_BYTES(hf_buf_bytes(&out), bytes);
        hf_frame_close(&out, 0);
        CHECK_BYTES(hf_buf_bytes(&out), framed);
        CHECK_ERR(hf_frame_read(hf_buf_bytes(&out), HF_RELAY_MESSAGE_MAX, &message, &len), HF_OK);
        CHECK_BYTES(message, bytes);
        for (size_t cut = 0; cut < framed.len; cut++)
            CHECK_ERR(hf_frame_read(hf_sub(framed, 0, cut), HF_RELAY_MESSAGE_MAX, &message, &len), HF_TRUNCATED);
        hf_buf_deinit(&out);
    }
}

/* What js said on the wire; a reservation's limit stands in milliseconds there. */
HF_TEST(relay_message_reads_what_js_said) {
    const hf_value *all = at(hf_test_json("orbitdb/relay.json"), "observed");
    size_t n_reservations = 0;
    for (size_t i = 0; i < all->as.list.n; i++) {
        hf_relay_message m;
        hf_bytes bytes = hex_at(&all->as.list.items[i], "protobuf");
        CHECK_ERR(hf_relay_message_read(bytes, false, &m), HF_OK);
        if (!m.has_reservation) continue;
        n_reservations++;
        hf_relay_voucher voucher;
        CHECK_U64(m.limit.duration_s, 120000);
        CHECK_U64(m.n_addrs, 1);
        CHECK_ERR(hf_relay_voucher_open(hf_test_mem(), m.voucher, &voucher), HF_OK);
        CHECK_U64(voucher.expires_s, m.expires_s);
    }
    CHECK(n_reservations > 0);
}

HF_TEST(relay_voucher_vector_both_ways) {
    const hf_value *all = at(hf_test_json("orbitdb/relay.json"), "voucher");
    hf_bytes envelope = hex_at(all, "envelope");
    hf_relay_voucher v;
    CHECK_ERR(hf_relay_voucher_open(hf_test_mem(), envelope, &v), HF_OK);
    hf_buf out, text;
    hf_buf_init(&out, hf_test_mem());
    hf_buf_init(&text, hf_test_mem());
    hf_relay_voucher_add(&out, &v);
    CHECK_BYTES(hf_buf_bytes(&out), hex_at(all, "payload"));
    hf_peer_id_add_text(&text, &v.relay);
    CHECK_BYTES(hf_buf_bytes(&text), hf_value_as_text(at(hf_test_json("orbitdb/relay.json"), "relayPeerId")));
    hf_buf_deinit(&out);
    hf_buf_deinit(&text);
    /* one bit anywhere, and it does not hold */
    uint8_t bad[256];
    CHECK(envelope.len <= sizeof bad);
    for (size_t i = 0; i < envelope.len * 8; i++) {
        memcpy(bad, envelope.ptr, envelope.len);
        bad[i / 8] ^= (uint8_t)(1 << i % 8);
        CHECK(hf_relay_voucher_open(hf_test_mem(), HF_BYTES(bad, envelope.len), &v) != HF_OK);
    }
}

HF_TEST(envelope_opens_what_it_signs) {
    static const uint8_t seed[32] = {7};
    uint8_t public_key[32];
    hf_buf out;
    hf_envelope e;
    hf_ed25519_public(seed, public_key);
    hf_buf_init(&out, hf_test_mem());
    hf_envelope_add(&out, seed, public_key, HF_TEXT("a"), HF_TEXT("type"), HF_TEXT("payload"));
    CHECK_ERR(hf_envelope_open(hf_test_mem(), hf_buf_bytes(&out), HF_TEXT("a"), &e), HF_OK);
    CHECK_BYTES(e.payload, HF_TEXT("payload"));
    CHECK_BYTES(e.payload_type, HF_TEXT("type"));
    CHECK_ERR(hf_envelope_open(hf_test_mem(), hf_buf_bytes(&out), HF_TEXT("b"), &e), HF_DENIED);
    hf_buf_deinit(&out);
}

HF_TEST(relay_message_refuses) {
    static const struct {
        const char *hex;
        bool stop;
    } bad[] = {
        {"", false},           {"0803", false},         {"0802", false},     {"0801", false},       {"08011202", false},
        {"08011200", false},   {"080112020a00", false}, {"0800120101", false}, {"08ffffffffffffffffff01", false},
        {"0802", true},        {"0800", true},          {"08001200", true},  {"0801", true},        {"08022001", true},
    };
    hf_relay_message m;
    for (size_t i = 0; i < HF_COUNT(bad); i++)
        CHECK_MSG(hf_relay_message_read(hf_test_hex(hf_str(bad[i].hex)), bad[i].stop, &m) == HF_MALFORMED, "%s", bad[i].hex);
    hf_bytes message;
    size_t len;
    CHECK_ERR(hf_frame_read(hf_test_hex(HF_TEXT("8120")), HF_RELAY_MESSAGE_MAX, &message, &len), HF_LIMIT);
    CHECK_ERR(hf_frame_read(hf_test_hex(HF_TEXT("8000")), HF_RELAY_MESSAGE_MAX, &message, &len), HF_MALFORMED);
}

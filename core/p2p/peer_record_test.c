/* Signed peer records: ours, js's, and what is refused. */
#include "peer_record.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

static void seal(hf_buf *envelope, uint64_t seq) {
    uint8_t seed[32] = {7};
    hf_bytes addresses[] = {HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1", 8), HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa2", 8)};
    hf_buf_init(envelope, hf_test_mem());
    CHECK_ERR(hf_peer_record_seal(hf_test_mem(), seed, seq, addresses, 2, envelope), HF_OK);
}

HF_TEST(peer_record_opens_what_it_seals) {
    hf_buf envelope;
    hf_peer_record record;
    seal(&envelope, 300);
    CHECK_ERR(hf_peer_record_open(hf_test_arena(), hf_buf_bytes(&envelope), &record), HF_OK);
    CHECK_U64(record.seq, 300);
    CHECK_U64(record.n_addresses, 2);
    CHECK_BYTES(record.addresses[1], HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa2", 8));
    hf_buf_deinit(&envelope);
}

/* Every byte counts: no change to an envelope leaves it valid for anything but what it said. */
HF_TEST(peer_record_refuses_any_change) {
    hf_buf envelope;
    seal(&envelope, 1);
    for (size_t i = 0; i < envelope.len; i++) {
        hf_peer_record record;
        envelope.ptr[i] ^= 1;
        CHECK(hf_peer_record_open(hf_test_arena(), hf_buf_bytes(&envelope), &record) != HF_OK);
        envelope.ptr[i] ^= 1;
        CHECK(hf_peer_record_open(hf_test_arena(), hf_sub(hf_buf_bytes(&envelope), 0, i), &record) != HF_OK);
    }
    hf_buf_deinit(&envelope);
}

/* js puts one into its identify message (field 8). */
HF_TEST(peer_record_opens_what_js_seals) {
    const hf_value *v = hf_test_json("orbitdb/identify.json");
    hf_bytes envelope = hf_test_hex(hf_value_as_text(hf_value_get(hf_value_get(v, "peerRecord"), "envelope")));
    hf_peer_record record;
    CHECK_ERR(hf_peer_record_open(hf_test_arena(), envelope, &record), HF_OK);
    CHECK_U64(record.seq, 1700000000000);
    CHECK_U64(record.n_addresses, 2);
}

HF_TEST(peer_record_allocation_failures) {
    hf_buf envelope;
    seal(&envelope, 1);
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_peer_record record;
        hf_arena_init(&arena, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_peer_record_open(&arena, hf_buf_bytes(&envelope), &record);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_arena_deinit(&arena);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (!failed) break;
    }
    hf_buf_deinit(&envelope);
}

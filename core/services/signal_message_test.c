/* signal_message: what is written is read; what is malformed, unaddressed or too much is refused. */
#include "signal_message.h"

#include "../../tests/kit/check.h"
#include "../codec/varint.h"

#include <string.h>

static hf_peer_id some_peer(uint8_t seed) {
    uint8_t bytes[38] = {0x00, 0x24, 0x08, 0x01, 0x12, 0x20};
    memset(bytes + 6, seed, 32);
    hf_peer_id id;
    CHECK_ERR(hf_peer_id_read(HF_BYTES(bytes, sizeof bytes), &id), HF_OK);
    return id;
}

static hf_bytes body_of(const hf_buf *frame) {
    uint64_t len;
    size_t head;
    CHECK_ERR(hf_varint_read(hf_buf_bytes(frame), &len, &head), HF_OK);
    CHECK_U64(head + len, frame->len);
    return hf_sub(hf_buf_bytes(frame), head, len);
}

HF_TEST(signal_messages_are_read_as_written) {
    hf_signal_message table[] = {
        {.kind = HF_SIGNAL_HELLO, .wants = true},
        {.kind = HF_SIGNAL_HELLO},
        {.kind = HF_SIGNAL_LIST},
        {.kind = HF_SIGNAL_LIST, .peers = {some_peer(1), some_peer(2)}, .n_peers = 2},
        {.kind = HF_SIGNAL_CARRY, .peer = some_peer(3), .data = HF_TEXT("offer")},
        {.kind = HF_SIGNAL_DELIVER, .peer = some_peer(4)},
    };
    for (size_t i = 0; i < HF_COUNT(table); i++) {
        hf_buf frame;
        hf_signal_message got;
        hf_buf_init(&frame, hf_test_mem());
        hf_signal_message_add(&frame, &table[i]);
        CHECK_ERR(hf_signal_message_read(body_of(&frame), &got), HF_OK);
        CHECK_U64(got.kind, table[i].kind);
        CHECK(got.wants == table[i].wants && got.n_peers == table[i].n_peers && hf_peer_id_eq(&got.peer, &table[i].peer));
        for (size_t k = 0; k < got.n_peers; k++) CHECK(hf_peer_id_eq(&got.peers[k], &table[i].peers[k]));
        CHECK_BYTES(got.data, table[i].data);
        hf_buf_deinit(&frame);
    }
}

HF_TEST(signal_messages_that_are_wrong_are_refused) {
    static const struct { const char *hex; hf_err err; } table[] = {
        {"", HF_OK},                       /* an empty message is HELLO that wants nothing */
        {"0804", HF_MALFORMED},            /* kind 4 */
        {"0802", HF_MALFORMED},            /* CARRY to nobody */
        {"0803", HF_MALFORMED},            /* DELIVER from nobody */
        {"08022203010203", HF_MALFORMED},  /* an ID that is none */
        {"08", HF_MALFORMED},              /* cut */
        {"0a05", HF_MALFORMED},            /* bytes that are not there */
        {"38ff01", HF_OK},                 /* an unknown field is passed over */
    };
    for (size_t i = 0; i < HF_COUNT(table); i++) {
        hf_signal_message m;
        CHECK_MSG(hf_signal_message_read(hf_test_hex(hf_str(table[i].hex)), &m) == table[i].err, "row %zu", i);
    }
    hf_signal_message many = {.kind = HF_SIGNAL_LIST, .n_peers = HF_SIGNAL_PEERS_MAX}, got;
    for (size_t i = 0; i < many.n_peers; i++) many.peers[i] = some_peer((uint8_t)i);
    hf_buf frame, longer;
    hf_buf_init(&frame, hf_test_mem());
    hf_buf_init(&longer, hf_test_mem());
    hf_signal_message_add(&frame, &many);
    CHECK_ERR(hf_signal_message_read(body_of(&frame), &got), HF_OK);
    hf_buf_add(&longer, body_of(&frame));
    hf_buf_add_byte(&longer, 3 << 3 | 2);
    hf_buf_add_byte(&longer, 38);
    hf_buf_add(&longer, hf_peer_id_bytes(&many.peers[0]));
    CHECK_ERR(hf_signal_message_read(hf_buf_bytes(&longer), &got), HF_LIMIT);
    hf_buf_clear(&frame);
    hf_buf_clear(&longer);
    uint8_t *room = hf_buf_extend(&longer, HF_SIGNAL_DATA_MAX + 1);
    memset(room, 'x', HF_SIGNAL_DATA_MAX + 1);
    hf_signal_message big = {.kind = HF_SIGNAL_CARRY, .peer = some_peer(9), .data = hf_buf_bytes(&longer)};
    hf_signal_message_add(&frame, &big);
    CHECK_ERR(hf_signal_message_read(body_of(&frame), &got), HF_LIMIT);
    hf_buf_deinit(&frame);
    hf_buf_deinit(&longer);
}

HF_TEST(signal_message_survives_failing_memory) {
    hf_signal_message m = {.kind = HF_SIGNAL_CARRY, .peer = some_peer(5), .data = HF_TEXT("data")};
    for (size_t n = 1;; n++) {
        hf_buf frame;
        hf_buf_init(&frame, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_signal_message_add(&frame, &m);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == (frame.err != HF_OK));
        hf_buf_deinit(&frame);
        if (!failed) break;
    }
}

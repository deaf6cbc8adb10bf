/* STUN messages: what is written reads the same, and nothing that was changed does. The HMAC is a stand-in here; the vectors of RFC 5769 are tried with
 * the real one in node/webrtc_test.c. */
#include "stun.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

#include <string.h>

static void mac_of(void *ctx, hf_bytes key, hf_bytes bytes, uint8_t ret[20]) {
    uint8_t digest[32];
    (void)ctx;
    hf_hmac_sha256(key, bytes, digest);
    memcpy(ret, digest, 20);
}

static const hf_stun_mac MAC = {mac_of, NULL};

static hf_stun_message full(void) {
    return (hf_stun_message){
        .kind = HF_STUN_REQUEST, .transaction = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, .username = HF_TEXT("listener:browser1"), .has_mapped = true,
        .mapped = {.ip = {192, 0, 2, 1}, .port = 32853}, .has_priority = true, .priority = 0x6e0001ff, .use_candidate = true, .controlling = true,
        .tie_breaker = 0x932ff9b151263b36,
    };
}

static void check_same(const hf_stun_message *a, const hf_stun_message *b) {
    CHECK(a->kind == b->kind && !memcmp(a->transaction, b->transaction, 12));
    CHECK_BYTES(a->username, b->username);
    CHECK(a->has_mapped == b->has_mapped && a->mapped.v6 == b->mapped.v6 && a->mapped.port == b->mapped.port && !memcmp(a->mapped.ip, b->mapped.ip, 16));
    CHECK(a->has_priority == b->has_priority && a->priority == b->priority && a->use_candidate == b->use_candidate);
    CHECK(a->controlling == b->controlling && a->controlled == b->controlled && a->tie_breaker == b->tie_breaker && a->error == b->error);
    CHECK_U64(a->n_unknown, b->n_unknown);
}

static void try_round(const hf_stun_message *m) {
    hf_buf packet;
    hf_stun_message back;
    hf_buf_init(&packet, hf_test_mem());
    CHECK_ERR(hf_stun_write(&packet, m, HF_TEXT("password"), MAC), HF_OK);
    CHECK_ERR(hf_stun_read(hf_buf_bytes(&packet), &back, NULL), HF_OK);
    CHECK(back.fingerprinted && back.integrity_at);
    check_same(m, &back);
    CHECK_ERR(hf_stun_check(hf_buf_bytes(&packet), &back, HF_TEXT("password"), MAC), HF_OK);
    CHECK_ERR(hf_stun_check(hf_buf_bytes(&packet), &back, HF_TEXT("passwore"), MAC), HF_DENIED);
    hf_buf_deinit(&packet);
}

HF_TEST(stun_reads_what_it_writes) {
    hf_stun_message m = full();
    try_round(&m);
    m.kind = HF_STUN_SUCCESS;
    m.mapped = (hf_stun_address){.ip = {0x20, 1, 0xd, 0xb8, 0x12, 0x34, 0x56, 0x78, 0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77}, .port = 1, .v6 = true};
    try_round(&m);
    try_round(&(hf_stun_message){.kind = HF_STUN_ERROR, .error = 487, .controlled = true});
    try_round(&(hf_stun_message){.kind = HF_STUN_INDICATION});
}

HF_TEST(stun_names_the_attributes_it_does_not_know) {
    hf_stun_message m = {.kind = HF_STUN_ERROR, .error = 420, .unknown = {0x1234, 0x7fff}, .n_unknown = 2}, back;
    static const uint8_t foreign[] = {0, 1, 0, 16, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0, 1, 9, 0, 0, 0, 0xc0, 0x57, 0, 4, 1, 2, 3, 4};
    hf_buf packet;
    hf_buf_init(&packet, hf_test_mem());
    CHECK_ERR(hf_stun_write(&packet, &m, HF_TEXT("p"), MAC), HF_OK);
    CHECK(packet.len > 32 && !memcmp(packet.ptr + 28, "\0\x0a\0\4\x12\x34\x7f\xff", 8));
    CHECK_ERR(hf_stun_read(HF_BYTES(foreign, sizeof foreign), &back, NULL), HF_OK);
    CHECK(back.n_unknown == 1 && back.unknown[0] == 0x1234 && !back.fingerprinted && !back.integrity_at);
    CHECK_ERR(hf_stun_check(HF_BYTES(foreign, sizeof foreign), &back, HF_TEXT("p"), MAC), HF_DENIED);
    hf_buf_deinit(&packet);
}

/* A bit changed anywhere is seen by FINGERPRINT, or it is no STUN message at all; cut anywhere, it does not read. */
HF_TEST(stun_refuses_any_change) {
    hf_stun_message m = full(), back;
    hf_buf packet;
    hf_buf_init(&packet, hf_test_mem());
    CHECK_ERR(hf_stun_write(&packet, &m, HF_TEXT("password"), MAC), HF_OK);
    for (size_t i = 0; i < packet.len * 8; i++) {
        packet.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
        bool bad = hf_stun_read(hf_buf_bytes(&packet), &back, NULL) || hf_stun_check(hf_buf_bytes(&packet), &back, HF_TEXT("password"), MAC) || !back.fingerprinted;
        CHECK_MSG(bad, "bit %zu", i);
        packet.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t len = 0; len < packet.len; len++) CHECK(hf_stun_read(HF_BYTES(packet.ptr, len), &back, NULL) != HF_OK);
    hf_buf_deinit(&packet);
}

HF_TEST(stun_ignores_what_stands_behind_the_integrity) {
    hf_stun_message m = {.kind = HF_STUN_REQUEST, .username = HF_TEXT("aaaa:bbbb")}, back;
    hf_buf packet;
    hf_buf_init(&packet, hf_test_mem());
    CHECK_ERR(hf_stun_write(&packet, &m, HF_TEXT("p"), MAC), HF_OK);
    packet.len -= 8; /* FINGERPRINT away, a priority in its place */
    hf_buf_add(&packet, HF_BYTES("\0\x24\0\4\1\1\1\1", 8));
    CHECK_ERR(hf_stun_read(hf_buf_bytes(&packet), &back, NULL), HF_OK);
    CHECK(!back.has_priority && !back.fingerprinted);
    CHECK_ERR(hf_stun_check(hf_buf_bytes(&packet), &back, HF_TEXT("p"), MAC), HF_OK);
    hf_buf_deinit(&packet);
}

HF_TEST(stun_limits_and_memory) {
    static uint8_t name[HF_STUN_USERNAME_MAX + 1], large[HF_STUN_BYTES_MAX + 4] = {0, 1, 5, 0xf0, 0x21, 0x12, 0xa4, 0x42};
    hf_stun_message m = full(), back;
    hf_buf packet;
    hf_buf_init(&packet, hf_test_mem());
    m.username = HF_BYTES(name, sizeof name);
    CHECK_ERR(hf_stun_write(&packet, &m, HF_TEXT("p"), MAC), HF_LIMIT);
    CHECK_ERR(hf_stun_read(HF_BYTES(large, sizeof large), &back, NULL), HF_LIMIT);
    m.username.len--;
    for (size_t n = 1;; n++) {
        hf_test_mem_fail_at(n);
        hf_err err = hf_stun_write(&packet, &m, HF_TEXT("p"), MAC);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        hf_buf_deinit(&packet);
        hf_buf_init(&packet, hf_test_mem());
        if (!failed) break;
        CHECK_ERR(err, HF_NOMEM);
    }
}

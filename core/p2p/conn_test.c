/* The upgrade of a channel, both ends: with the muxer named in the handshake and negotiated inside it, at any cut, and
 * what may not pass. */
#include "conn.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

#include <string.h>

typedef struct party {
    hf_conn conn;
    hf_conn_keys keys;
    hf_buf payload;
    size_t taken; /* of conn.out */
} party;

static hf_err start(party *p, uint8_t name, bool dialer, bool name_yamux) {
    uint8_t seed[32] = {name}, public_key[32], ephemeral[32] = {name, 1};
    memset(p, 0, sizeof *p);
    memset(p->keys.static_secret, name + 10, 32);
    hf_x25519_public(p->keys.static_secret, p->keys.static_public);
    hf_ed25519_public(seed, public_key);
    hf_buf_init(&p->payload, hf_test_mem());
    hf_noise_payload_add(&p->payload, seed, public_key, p->keys.static_public, name_yamux);
    p->keys.payload = hf_buf_bytes(&p->payload);
    return hf_conn_init(&p->conn, hf_test_mem(), &p->keys, dialer, NULL, ephemeral);
}

static void stop(party *p) {
    hf_conn_deinit(&p->conn);
    hf_buf_deinit(&p->payload);
}

/* Carries what is in out, in pieces. */
static hf_err carry(party *from, party *to, size_t cut, bool *ret_moved) {
    hf_err err = HF_OK;
    while (!err && from->taken < from->conn.out.len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&from->conn.out), from->taken, cut);
        from->taken += part.len;
        *ret_moved = true;
        err = hf_conn_recv(&to->conn, part);
    }
    return err;
}

static hf_err run(party *a, party *b, size_t cut) {
    hf_err err = HF_OK;
    for (bool moved = true; moved && !err;) {
        moved = false;
        err = carry(a, b, cut, &moved);
        if (!err) err = carry(b, a, cut, &moved);
    }
    return err;
}

static hf_bytes unread(const party *p) {
    return hf_sub(hf_buf_bytes(&p->conn.plain), p->conn.plain_at, p->conn.plain.len);
}

HF_TEST(conn_opens_at_any_cut_with_and_without_early_muxer) {
    static const size_t cuts[] = {1, 2, 5, 33, 1000};
    for (int named = 0; named < 2; named++)
        for (size_t i = 0; i < HF_COUNT(cuts); i++) {
            party a, b;
            CHECK_ERR(start(&a, 1, true, named), HF_OK);
            CHECK_ERR(start(&b, 2, false, named), HF_OK);
            CHECK_ERR(run(&a, &b, cuts[i]), HF_OK);
            CHECK(a.conn.phase == HF_CONN_OPEN && b.conn.phase == HF_CONN_OPEN);
            CHECK(a.conn.peer.len == 38 && !hf_peer_id_eq(&a.conn.peer, &b.conn.peer));
            CHECK_ERR(hf_conn_send(&a.conn, HF_TEXT("first words")), HF_OK);
            CHECK_ERR(hf_conn_send(&b.conn, HF_TEXT("answer")), HF_OK);
            CHECK_ERR(run(&a, &b, cuts[i]), HF_OK);
            CHECK_BYTES(unread(&b), HF_TEXT("first words"));
            CHECK_BYTES(unread(&a), HF_TEXT("answer"));
            stop(&a);
            stop(&b);
        }
}

/* The muxer's first bytes ride in the Noise message that ends the negotiation. */
HF_TEST(conn_keeps_what_follows_the_muxers_name) {
    party a, b;
    CHECK_ERR(start(&a, 1, true, false), HF_OK);
    CHECK_ERR(start(&b, 2, false, false), HF_OK);
    bool moved;
    for (int i = 0; i < 2; i++) { /* up to the third message, which the listener has not seen */
        CHECK_ERR(carry(&a, &b, 1000, &moved), HF_OK);
        CHECK_ERR(carry(&b, &a, 1000, &moved), HF_OK);
    }
    CHECK_U64(a.conn.phase, HF_CONN_MUXER);
    CHECK_ERR(hf_conn_send(&a.conn, HF_TEXT("early")), HF_OK);
    CHECK_ERR(run(&a, &b, 1000), HF_OK);
    CHECK_BYTES(unread(&b), HF_TEXT("early"));
    stop(&a);
    stop(&b);
}

HF_TEST(conn_opens_empty_messages) {
    party a, b;
    uint8_t empty[2 + HF_NOISE_TAG_LEN] = {0, HF_NOISE_TAG_LEN}, nonce[12] = {0};
    CHECK_ERR(start(&a, 1, true, true), HF_OK);
    CHECK_ERR(start(&b, 2, false, true), HF_OK);
    CHECK_ERR(run(&a, &b, 1000), HF_OK);
    hf_aead_seal(a.conn.tx.key, nonce, HF_TEXT(""), HF_TEXT(""), empty + 2);
    a.conn.tx.nonce++;
    CHECK_ERR(hf_conn_recv(&b.conn, HF_BYTES(empty, sizeof empty)), HF_OK);
    CHECK_ERR(hf_conn_send(&a.conn, HF_TEXT("x")), HF_OK);
    CHECK_ERR(run(&a, &b, 1), HF_OK);
    CHECK_BYTES(unread(&b), HF_TEXT("x"));
    stop(&a);
    stop(&b);
}

HF_TEST(conn_dies_once_and_for_all) {
    party a, b;
    CHECK_ERR(start(&a, 1, true, true), HF_OK);
    CHECK_ERR(start(&b, 2, false, true), HF_OK);
    b.keys.static_public[0] ^= 1; /* the listener signs another key than the one it uses */
    b.payload.len = 0;
    uint8_t seed[32] = {2}, public_key[32];
    hf_ed25519_public(seed, public_key);
    hf_noise_payload_add(&b.payload, seed, public_key, b.keys.static_public, true);
    b.keys.payload = hf_buf_bytes(&b.payload);
    CHECK_ERR(run(&a, &b, 1000), HF_DENIED);
    CHECK_U64(a.conn.phase, HF_CONN_DEAD);
    CHECK(strcmp(a.conn.reason, "noise: the signature of the static key does not verify") == 0);
    CHECK_ERR(hf_conn_recv(&a.conn, HF_TEXT("x")), HF_DENIED);
    stop(&a);
    stop(&b);
}

HF_TEST(conn_without_memory) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        party a, b;
        hf_test_mem_fail_at(n);
        hf_err err = start(&a, 1, true, false);
        if (a.payload.err) err = HF_NOMEM;
        hf_err err_b = start(&b, 2, false, false);
        if (b.payload.err || err_b) err = HF_NOMEM;
        if (!err) err = run(&a, &b, 7);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        stop(&a);
        stop(&b);
    }
}

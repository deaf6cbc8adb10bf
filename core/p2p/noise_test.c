/* Noise: the five handshakes that js-libp2p made with fixed keys, every byte and every intermediate state from both
 * sides; then what must not pass. */
#include "noise.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

#include <string.h>

static hf_bytes hex_of(const hf_value *v, const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(v, key)));
}
static const hf_value *item(const hf_value *list, size_t i) { return &list->as.list.items[i]; }
static const hf_value *vectors(void) { return hf_value_get(hf_test_json("orbitdb/noise.json"), "handshakes"); }

typedef struct side {
    const hf_value *v;
    hf_noise noise;
    hf_noise_cipher tx, rx;
} side;

static void start(side *s, const hf_value *handshake, bool initiator) {
    s->v = hf_value_get(handshake, initiator ? "initiator" : "responder");
    hf_noise_init(&s->noise, initiator, hex_of(handshake, "prologue"), hex_of(s->v, "noiseStaticPrivate").ptr,
                  hex_of(s->v, "noiseStaticPublic").ptr, hex_of(s->v, "noiseEphemeralPrivate").ptr);
}

static void check_state(const hf_noise *n, const hf_value *state) {
    CHECK_BYTES(HF_BYTES(n->h, 32), hex_of(state, "h"));
    CHECK_BYTES(HF_BYTES(n->ck, 32), hex_of(state, "ck"));
    if (hf_value_as_text(hf_value_get(state, "k")).len) CHECK_BYTES(HF_BYTES(n->cipher.key, 32), hex_of(state, "k"));
}

/* One message from `from` to `to`; both must then stand in the recorded state. */
static void pass(side *from, side *to, const hf_value *handshake, size_t i, hf_bytes payload) {
    hf_buf out;
    uint8_t got[HF_NOISE_PAYLOAD_MAX];
    size_t got_len = 0;
    hf_buf_init(&out, hf_test_mem());
    CHECK(hf_noise_my_turn(&from->noise) && !hf_noise_my_turn(&to->noise));
    CHECK_ERR(hf_noise_write(&from->noise, payload, &out), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&out), hex_of(item(hf_value_get(handshake, "wire"), i), "bytes"));
    CHECK_ERR(hf_noise_read(&to->noise, hf_sub(hf_buf_bytes(&out), 2, out.len), got, &got_len), HF_OK);
    CHECK_BYTES(HF_BYTES(got, got_len), payload);
    check_state(&from->noise, item(hf_value_get(handshake, "states"), i + 1));
    check_state(&to->noise, item(hf_value_get(handshake, "states"), i + 1));
    hf_buf_deinit(&out);
}

static void shake(side *a, side *b, const hf_value *handshake) {
    start(a, handshake, true);
    start(b, handshake, false);
    check_state(&a->noise, item(hf_value_get(handshake, "states"), 0));
    pass(a, b, handshake, 0, HF_BYTES("", 0));
    pass(b, a, handshake, 1, hex_of(b->v, "handshakePayload"));
    pass(a, b, handshake, 2, hex_of(a->v, "handshakePayload"));
    CHECK(hf_noise_done(&a->noise) && hf_noise_done(&b->noise));
}

static void check_payload(const side *teller, const uint8_t heard_static[32]) {
    hf_noise_payload payload;
    hf_peer_id peer, want;
    const hf_value *muxers = hf_value_get(teller->v, "streamMuxers");
    CHECK_ERR(hf_noise_payload_read(hex_of(teller->v, "handshakePayload"), &payload), HF_OK);
    CHECK_BYTES(payload.identity_key, hex_of(teller->v, "libp2pPublicKeyProtobuf"));
    CHECK(payload.yamux == (muxers->as.list.n > 0));
    CHECK_ERR(hf_noise_payload_check(&payload, heard_static, &peer), HF_OK);
    CHECK_ERR(hf_peer_id_parse(hf_value_as_text(hf_value_get(teller->v, "peerId")), &want), HF_OK);
    CHECK(hf_peer_id_eq(&peer, &want));
}

HF_TEST(noise_reproduces_every_handshake_byte) {
    const hf_value *all = vectors();
    CHECK(all->as.list.n >= 5);
    for (size_t i = 0; i < all->as.list.n; i++) {
        side a, b;
        const hf_value *keys = hf_value_get(item(all, i), "transportKeys");
        shake(&a, &b, item(all, i));
        check_payload(&b, a.noise.rs);
        check_payload(&a, b.noise.rs);
        hf_noise_split(&a.noise, &a.tx, &a.rx);
        hf_noise_split(&b.noise, &b.tx, &b.rx);
        CHECK_BYTES(HF_BYTES(a.tx.key, 32), hex_of(keys, "initiatorToResponder"));
        CHECK_BYTES(HF_BYTES(b.tx.key, 32), hex_of(keys, "responderToInitiator"));
        CHECK_BYTES(HF_BYTES(a.rx.key, 32), HF_BYTES(b.tx.key, 32));
        CHECK_BYTES(HF_BYTES(b.rx.key, 32), HF_BYTES(a.tx.key, 32));
        uint8_t zero[sizeof a.noise] = {0};
        CHECK(memcmp((const uint8_t *)&a.noise, zero, sizeof zero) == 0); /* wiped */
    }
}

HF_TEST(noise_signs_the_payload_as_js_does) {
    const hf_value *all = vectors();
    size_t n = 0;
    for (size_t i = 0; i < all->as.list.n; i++) {
        const hf_value *v = hf_value_get(item(all, i), "initiator");
        if (!hf_eq(hf_value_as_text(hf_value_get(v, "libp2pPrivateKeyType")), HF_TEXT("Ed25519"))) continue;
        size_t n_muxers = hf_value_get(v, "streamMuxers")->as.list.n;
        if (n_muxers > 1) continue;
        hf_bytes key = hex_of(v, "libp2pPrivateKeyRaw");
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_noise_payload_add(&buf, key.ptr, key.ptr + 32, hex_of(v, "noiseStaticPublic").ptr, n_muxers == 1);
        if (n_muxers == 0) hf_buf_add(&buf, HF_BYTES("\x22\x00", 2)); /* js writes an empty extension then */
        CHECK_BYTES(hf_buf_bytes(&buf), hex_of(v, "handshakePayload"));
        hf_buf_deinit(&buf);
        n++;
    }
    CHECK(n >= 3);
}

static hf_bytes plaintext(const hf_value *list, size_t i) {
    if (i == 2) { /* "70000 bytes where byte i = i & 255" */
        uint8_t *p = hf_arena_alloc(hf_test_arena(), 70000);
        for (size_t k = 0; k < 70000; k++) p[k] = (uint8_t)k;
        return HF_BYTES(p, 70000);
    }
    return i == 3 ? HF_TEXT("hi back") : hf_value_as_text(item(list, i));
}

HF_TEST(noise_seals_and_opens_the_recorded_frames) {
    const hf_value *all = vectors();
    for (size_t h = 0; h < all->as.list.n; h++) {
        side a, b;
        const hf_value *frames = hf_value_get(item(all, h), "transport"),
                       *plain = hf_value_get(item(all, h), "transportPlaintexts");
        shake(&a, &b, item(all, h));
        hf_noise_split(&a.noise, &a.tx, &a.rx);
        hf_noise_split(&b.noise, &b.tx, &b.rx);
        hf_buf sent;
        hf_buf_init(&sent, hf_test_mem());
        for (size_t i = 0; i < 3; i++) CHECK_ERR(hf_noise_seal(&a.tx, plaintext(plain, i), &sent), HF_OK);
        size_t from_responder = sent.len;
        CHECK_ERR(hf_noise_seal(&b.tx, plaintext(plain, 3), &sent), HF_OK);
        size_t at = 0;
        for (size_t i = 0; i < frames->as.list.n; i++) {
            const hf_value *f = item(frames, i);
            size_t len = 2 + ((size_t)sent.ptr[at] << 8 | sent.ptr[at + 1]);
            uint8_t digest[32];
            hf_sha256_of(HF_BYTES(sent.ptr + at, len), digest);
            CHECK_BYTES(HF_BYTES(digest, 32), hex_of(f, "frameSha256"));
            hf_noise_cipher *rx = at < from_responder ? &b.rx : &a.rx;
            CHECK_ERR(hf_noise_open(rx, HF_BYTES(sent.ptr + at + 2, len - 2), sent.ptr + at + 2), HF_OK); /* in place */
            at += len;
        }
        CHECK_U64(at, sent.len);
        hf_buf_deinit(&sent);
    }
}

/* Each bit of each message, turned over, must end the handshake there or at the next message. */
HF_TEST(noise_notices_every_changed_bit) {
    const hf_value *handshake = item(vectors(), 0);
    for (size_t message = 0; message < 3; message++) {
        hf_bytes wire = hex_of(item(hf_value_get(handshake, "wire"), message), "bytes");
        for (size_t bit = 16; bit < wire.len * 8; bit += 5) {
            side a, b;
            uint8_t got[HF_NOISE_PAYLOAD_MAX], changed[1024];
            size_t got_len;
            hf_err err = HF_OK;
            start(&a, handshake, true);
            start(&b, handshake, false);
            for (size_t i = 0; i < 3 && !err; i++) {
                side *from = i == 1 ? &b : &a, *to = i == 1 ? &a : &b;
                hf_buf out;
                hf_buf_init(&out, hf_test_mem());
                err = hf_noise_write(&from->noise, i ? hex_of(from->v, "handshakePayload") : HF_BYTES("", 0), &out);
                if (!err) memcpy(changed, out.ptr, out.len);
                if (!err && i == message) changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
                if (!err) err = hf_noise_read(&to->noise, HF_BYTES(changed + 2, out.len - 2), got, &got_len);
                hf_buf_deinit(&out);
            }
            /* X25519 ignores the top bit of a public key, yet the hash does not */
            CHECK_MSG(err != HF_OK, "message %zu bit %zu", message, bit);
            hf_noise_deinit(&a.noise);
            hf_noise_deinit(&b.noise);
        }
    }
}

HF_TEST(noise_refuses_short_messages_and_wrong_turns) {
    const hf_value *handshake = item(vectors(), 0);
    hf_bytes first = hex_of(item(hf_value_get(handshake, "wire"), 0), "bytes"),
             second = hex_of(item(hf_value_get(handshake, "wire"), 1), "bytes");
    uint8_t got[HF_NOISE_PAYLOAD_MAX];
    size_t got_len;
    for (size_t len = 0; len < 32; len++) {
        side b;
        start(&b, handshake, false);
        CHECK_ERR(hf_noise_read(&b.noise, HF_BYTES(first.ptr + 2, len), got, &got_len), HF_MALFORMED);
    }
    for (size_t len = 0; len < second.len - 2; len += 3) {
        side a;
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        start(&a, handshake, true);
        CHECK_ERR(hf_noise_read(&a.noise, HF_BYTES(second.ptr + 2, len), got, &got_len), HF_STATE);
        CHECK_ERR(hf_noise_write(&a.noise, HF_BYTES("", 0), &out), HF_OK);
        CHECK_ERR(hf_noise_write(&a.noise, HF_BYTES("", 0), &out), HF_STATE);
        CHECK(hf_noise_read(&a.noise, HF_BYTES(second.ptr + 2, len), got, &got_len) != HF_OK);
        hf_buf_deinit(&out);
    }
}

HF_TEST(noise_refuses_low_order_keys) {
    uint8_t zero[32] = {0}, secret[32] = {1}, public_key[32], got[256];
    size_t got_len;
    hf_noise n;
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_x25519_public(secret, public_key);
    hf_noise_init(&n, false, HF_BYTES("", 0), secret, public_key, secret);
    CHECK_ERR(hf_noise_read(&n, HF_BYTES(zero, 32), got, &got_len), HF_OK);
    CHECK_ERR(hf_noise_write(&n, HF_BYTES("", 0), &out), HF_DENIED);
    hf_buf_deinit(&out);
}

HF_TEST(noise_payload_must_be_signed_by_its_key) {
    const hf_value *v = hf_value_get(item(vectors(), 0), "responder");
    hf_bytes good = hex_of(v, "handshakePayload");
    uint8_t bytes[256], other[32] = {9};
    hf_noise_payload payload;
    hf_peer_id peer;
    for (size_t i = 0; i < good.len; i++) {
        memcpy(bytes, good.ptr, good.len);
        bytes[i] ^= 1;
        bool in_extension = i >= 104; /* not signed: it only says which muxers there are */
        if (hf_noise_payload_read(HF_BYTES(bytes, good.len), &payload)) continue;
        hf_err err = hf_noise_payload_check(&payload, hex_of(v, "noiseStaticPublic").ptr, &peer);
        CHECK_MSG(in_extension ? err == HF_OK : err != HF_OK, "byte %zu", i);
    }
    CHECK_ERR(hf_noise_payload_read(good, &payload), HF_OK);
    CHECK_ERR(hf_noise_payload_check(&payload, other, &peer), HF_DENIED);
    CHECK_ERR(hf_noise_payload_read(HF_BYTES("", 0), &payload), HF_OK);
    CHECK_ERR(hf_noise_payload_check(&payload, other, &peer), HF_MALFORMED);
    for (size_t len = 1; len < good.len; len++) { /* cut within a field */
        bool at_field = len == 38 || len == 104;
        hf_err err = hf_noise_payload_read(hf_sub(good, 0, len), &payload);
        CHECK_MSG((err == HF_OK) == at_field, "cut at %zu", len);
    }
}

HF_TEST(noise_ends_when_nonces_are_used_up) {
    hf_noise_cipher c = {.nonce = 0xfffffffe};
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    CHECK_ERR(hf_noise_seal(&c, HF_TEXT("x"), &out), HF_OK);
    CHECK_ERR(hf_noise_seal(&c, HF_TEXT("x"), &out), HF_LIMIT);
    uint8_t p[17] = {0};
    CHECK_ERR(hf_noise_open(&c, HF_BYTES(p, 17), p), HF_LIMIT);
    hf_buf_deinit(&out);
}

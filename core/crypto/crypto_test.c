/* The face over the libraries does what the standards say where we call it: own cases, round trips, every refusal.
 * The large public vector sets are in wycheproof_test.c. */
#include "../../tests/kit/check.h"
#include "crypto.h"

#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }

HF_TEST(sha256_of_known_texts) {
    static const struct { const char *text, *digest; } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint8_t digest[32];
        hf_sha256_of(hf_str(rows[i].text), digest);
        CHECK_BYTES(HF_BYTES(digest, 32), hex(rows[i].digest));
    }
}

HF_TEST(sha256_does_not_care_where_its_input_is_cut) {
    uint8_t text[130], whole[32], cut[32];
    uint64_t seed = 1;
    hf_test_random_fill(&seed, text, sizeof text);
    hf_sha256_of(HF_BYTES(text, sizeof text), whole);
    for (size_t at = 0; at <= sizeof text; at++) {
        hf_sha256 state;
        hf_sha256_init(&state);
        hf_sha256_add(&state, HF_BYTES(text, at));
        hf_sha256_add(&state, HF_BYTES(NULL, 0));
        hf_sha256_add(&state, HF_BYTES(text + at, sizeof text - at));
        hf_sha256_end(&state, cut);
        CHECK_BYTES(HF_BYTES(cut, 32), HF_BYTES(whole, 32));
    }
}

HF_TEST(hmac_takes_an_empty_key_and_an_empty_text) {
    uint8_t mac[32];
    hf_hmac_sha256(HF_BYTES(NULL, 0), HF_BYTES(NULL, 0), mac);
    CHECK_BYTES(HF_BYTES(mac, 32), hex("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

HF_TEST(hkdf_ends_at_255_blocks) {
    static uint8_t out[255 * 32 + 1];
    CHECK_ERR(hf_hkdf_sha256(HF_BYTES(NULL, 0), HF_TEXT("k"), HF_BYTES(NULL, 0), out, 255 * 32), HF_OK);
    CHECK_ERR(hf_hkdf_sha256(HF_BYTES(NULL, 0), HF_TEXT("k"), HF_BYTES(NULL, 0), out, 255 * 32 + 1), HF_LIMIT);
    CHECK_ERR(hf_hkdf_sha256(HF_BYTES(NULL, 0), HF_TEXT("k"), HF_BYTES(NULL, 0), out, 0), HF_OK);
}

/* Noise asks for two or three keys of one chain: a longer output begins with the shorter one. */
HF_TEST(hkdf_shorter_output_is_a_prefix) {
    uint8_t full[96], part[96];
    CHECK_ERR(hf_hkdf_sha256(HF_TEXT("salt"), HF_TEXT("ikm"), HF_TEXT("info"), full, sizeof full), HF_OK);
    for (size_t len = 0; len <= sizeof full; len++) {
        CHECK_ERR(hf_hkdf_sha256(HF_TEXT("salt"), HF_TEXT("ikm"), HF_TEXT("info"), part, len), HF_OK);
        CHECK_BYTES(HF_BYTES(part, len), HF_BYTES(full, len));
    }
}

/* RFC 7748, 6.1 */
HF_TEST(x25519_as_in_the_rfc) {
    static const char *secrets[] = {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
                                    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"};
    static const char *publics[] = {"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
                                    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"};
    for (int i = 0; i < 2; i++) {
        uint8_t got[32];
        hf_x25519_public(hex(secrets[i]).ptr, got);
        CHECK_BYTES(HF_BYTES(got, 32), hex(publics[i]));
        CHECK_ERR(hf_x25519(hex(secrets[i]).ptr, hex(publics[1 - i]).ptr, got), HF_OK);
        CHECK_BYTES(HF_BYTES(got, 32), hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
    }
}

HF_TEST(x25519_refuses_points_of_small_order_and_writes_nothing) {
    static const char *points[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                   "0100000000000000000000000000000000000000000000000000000000000000",
                                   "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                                   "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    uint8_t secret[32] = {7};
    for (size_t i = 0; i < HF_COUNT(points); i++) {
        uint8_t shared[32] = {0xaa, 0xbb}, before[32] = {0xaa, 0xbb};
        CHECK_ERR(hf_x25519(secret, hex(points[i]).ptr, shared), HF_DENIED);
        CHECK_BYTES(HF_BYTES(shared, 32), HF_BYTES(before, 32));
    }
}

/* RFC 8032, 7.1, test 1; the second row by another implementation. */
HF_TEST(ed25519_as_in_the_rfc) {
    static const struct { const char *message, *signature; } rows[] = {
        {"", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
             "be24655141438e7a100b"},
        {"r", "1b79abc415a34efe5915b4c1b53d2435e731b3c92d0ba440de29cab2999fa885bd0eb3c71dfd8df6fbecf8c0ef403e8902dec8e2abd0"
              "0ab9b04b1df027929609"},
    };
    const uint8_t *seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").ptr;
    uint8_t key[32], signature[64];
    hf_ed25519_public(seed, key);
    CHECK_BYTES(HF_BYTES(key, 32), hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"));
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_ed25519_sign(seed, key, hf_str(rows[i].message), signature);
        CHECK_BYTES(HF_BYTES(signature, 64), hex(rows[i].signature));
    }
}

HF_TEST(ed25519_refuses_every_flipped_bit_and_every_other_length) {
    uint8_t seed[32] = {1}, key[32], signature[65] = {0};
    hf_ed25519_public(seed, key);
    hf_ed25519_sign(seed, key, HF_TEXT("entry"), signature);
    CHECK_ERR(hf_ed25519_verify(key, HF_TEXT("entry"), HF_BYTES(signature, 64)), HF_OK);
    CHECK_ERR(hf_ed25519_verify(key, HF_TEXT("Entry"), HF_BYTES(signature, 64)), HF_DENIED);
    for (size_t len = 0; len <= 65; len++)
        if (len != 64) CHECK_ERR(hf_ed25519_verify(key, HF_TEXT("entry"), HF_BYTES(signature, len)), HF_DENIED);
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_ERR(hf_ed25519_verify(key, HF_TEXT("entry"), HF_BYTES(signature, 64)), HF_DENIED);
        signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

/* With the neutral element as key, R = S*B fits every message, unless small-order keys are refused. */
HF_TEST(ed25519_refuses_a_small_order_key) {
    uint8_t key[32] = {1}, signature[64] = {1};
    CHECK_ERR(hf_ed25519_verify(key, HF_TEXT("anything"), HF_BYTES(signature, 64)), HF_DENIED);
}

HF_TEST(aead_as_another_implementation_has_it) {
    uint8_t key[32], nonce[12], sealed[8 + 16];
    memset(key, 1, sizeof key);
    memset(nonce, 2, sizeof nonce);
    hf_aead_seal(key, nonce, HF_TEXT("ad"), HF_TEXT("holdfast"), sealed);
    CHECK_BYTES(HF_BYTES(sealed, sizeof sealed), hex("8e739e4aebc29bae314dad39c03bde4a2682a9b87220cb6a"));
}

HF_TEST(aead_works_in_place_at_every_length) {
    uint8_t key[32] = {3}, nonce[12] = {4}, text[200], box[216], apart[216];
    uint64_t seed = 5;
    hf_test_random_fill(&seed, text, sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        memcpy(box, text, len);
        hf_aead_seal(key, nonce, HF_BYTES(NULL, 0), HF_BYTES(text, len), apart);
        hf_aead_seal(key, nonce, HF_BYTES(NULL, 0), HF_BYTES(box, len), box);
        CHECK_BYTES(HF_BYTES(box, len + 16), HF_BYTES(apart, len + 16));
        CHECK_ERR(hf_aead_open(key, nonce, HF_BYTES(NULL, 0), HF_BYTES(box, len + 16), box), HF_OK);
        CHECK_BYTES(HF_BYTES(box, len), HF_BYTES(text, len));
    }
}

/* Long messages go another way than short ones on some platforms. The hash of 65,519 sealed bytes is node's and @noble/ciphers'. */
HF_TEST(aead_of_long_messages) {
    enum { LEN = 65519 };
    uint8_t key[32], nonce[12], digest[32], *box = hf_arena_alloc(hf_test_arena(), LEN + 16), *text = hf_arena_alloc(hf_test_arena(), LEN);
    memset(key, 7, sizeof key);
    memset(nonce, 9, sizeof nonce);
    for (size_t i = 0; i < LEN; i++) text[i] = (uint8_t)(i * 7 + i / 251);
    hf_aead_seal(key, nonce, HF_TEXT("ad"), HF_BYTES(text, LEN), box);
    hf_sha256_of(HF_BYTES(box, LEN + 16), digest);
    CHECK_BYTES(HF_BYTES(digest, 32), hex("764d54def0ecaee66d84b40ee1db7a5010f7840eaf9bc302f7b3134daeef3d42"));
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, LEN + 16), box), HF_OK);
    CHECK_BYTES(HF_BYTES(box, LEN), HF_BYTES(text, LEN));
    for (size_t len = 1000; len < 1050; len++) { /* around where the ways part */
        memcpy(box, text, len);
        hf_aead_seal(key, nonce, HF_TEXT("ad"), HF_BYTES(box, len), box);
        CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, len + 16), box), HF_OK);
        CHECK_BYTES(HF_BYTES(box, len), HF_BYTES(text, len));
    }
}

HF_TEST(aead_of_long_messages_refuses_what_was_changed) {
    enum { LEN = 5000 };
    static const uint8_t zero[LEN];
    static const size_t places[] = {0, 1, 1023, LEN - 1, LEN, LEN + 15};
    uint8_t key[32] = {3}, nonce[12] = {4}, *box = hf_arena_alloc(hf_test_arena(), LEN + 16), *out = hf_arena_alloc(hf_test_arena(), LEN);
    hf_aead_seal(key, nonce, HF_TEXT("ad"), HF_BYTES(zero, LEN), box);
    for (size_t i = 0; i < HF_COUNT(places); i++) {
        box[places[i]] ^= 1;
        memset(out, 1, LEN);
        CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, LEN + 16), out), HF_DENIED);
        CHECK_BYTES(HF_BYTES(out, LEN), HF_BYTES(zero, LEN)); /* nothing that does not verify is left there */
        box[places[i]] ^= 1;
    }
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("aD"), HF_BYTES(box, LEN + 16), out), HF_DENIED);
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, LEN + 15), out), HF_DENIED);
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, LEN + 16), out), HF_OK);
}

HF_TEST(aead_refuses_every_flipped_bit_and_every_cut) {
    uint8_t key[32] = {3}, nonce[12] = {4}, box[24], out[24];
    hf_aead_seal(key, nonce, HF_TEXT("ad"), HF_TEXT("holdfast"), box);
    for (size_t len = 0; len < sizeof box; len++)
        CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, len), out), HF_DENIED);
    for (size_t bit = 0; bit < sizeof box * 8; bit++) {
        box[bit / 8] ^= (uint8_t)(1u << bit % 8);
        CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, sizeof box), out), HF_DENIED);
        box[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("aD"), HF_BYTES(box, sizeof box), out), HF_DENIED);
    nonce[11]++;
    CHECK_ERR(hf_aead_open(key, nonce, HF_TEXT("ad"), HF_BYTES(box, sizeof box), out), HF_DENIED);
}

HF_TEST(secrets_are_compared_and_wiped) {
    uint8_t a[40], b[40], zero[40] = {0};
    memset(a, 9, sizeof a);
    memset(b, 9, sizeof b);
    CHECK(hf_equal_ct(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        CHECK(!hf_equal_ct(a, b, sizeof a));
        CHECK(hf_equal_ct(a, b, i));
        b[i] ^= 0x80;
    }
    CHECK(hf_equal_ct(NULL, NULL, 0));
    hf_wipe(a, sizeof a);
    CHECK_BYTES(HF_BYTES(a, sizeof a), HF_BYTES(zero, sizeof zero));
    hf_wipe(NULL, 0);
}

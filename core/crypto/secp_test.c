/* secp256k1: what is signed verifies, what a second implementation signed is signed alike, and every other form of a
 * signature or key is refused. The large public vector sets are in wycheproof_test.c. */
#include "../../tests/kit/check.h"
#include "crypto.h"

#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }

static hf_secp *new_secp(void) {
    static const uint8_t seed[32] = {42};
    hf_secp *secp = hf_secp_new(hf_test_mem(), seed);
    CHECK(secp != NULL);
    return secp;
}

HF_TEST(secp_new_without_memory_gives_null) {
    uint8_t seed[32] = {0};
    hf_test_mem_fail_at(1);
    CHECK(hf_secp_new(hf_test_mem(), seed) == NULL);
    CHECK_U64(hf_test_mem_out(), 0);
    hf_secp_free(NULL);
}

/* The widely published RFC 6979 example for this curve: secret 1, "Satoshi Nakamoto". */
HF_TEST(secp_signs_deterministically_whatever_the_blinding) {
    uint8_t secret[32] = {0}, der[HF_DER_MAX], public_key[33];
    secret[31] = 1;
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t seed[32] = {i};
        hf_secp *secp = hf_secp_new(hf_test_mem(), seed);
        CHECK_ERR(hf_secp_public(secp, secret, public_key), HF_OK);
        CHECK_BYTES(HF_BYTES(public_key, 33), hex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"));
        size_t len;
        CHECK_ERR(hf_secp_sign(secp, secret, HF_TEXT("Satoshi Nakamoto"), der, &len), HF_OK);
        CHECK_BYTES(HF_BYTES(der, len),
                    hex("3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
                        "02202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"));
        hf_secp_free(secp);
    }
}

/* Identities that the JavaScript implementation made: same keys, same bytes. */
HF_TEST(secp_signs_as_orbitdb_does) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "identities");
    CHECK(list && list->kind == HF_LIST && list->as.list.n > 0);
    hf_secp *secp = new_secp();
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *identity = &list->as.list.items[i];
        const uint8_t *root = hf_test_hex(hf_value_as_text(hf_value_get(identity, "rootPrivateKey"))).ptr;
        hf_bytes id = hf_value_as_text(hf_value_get(identity, "id"));
        uint8_t public_key[33], der[HF_DER_MAX];
        size_t len;
        CHECK_ERR(hf_secp_public(secp, root, public_key), HF_OK);
        CHECK_BYTES(HF_BYTES(public_key, 33), hf_test_hex(id));
        hf_bytes message = hf_value_as_text(hf_value_get(identity, "idMessageUtf8"));
        const uint8_t *signing = hf_test_hex(hf_value_as_text(hf_value_get(identity, "signingPrivateKey"))).ptr;
        CHECK_ERR(hf_secp_sign(secp, signing, message, der, &len), HF_OK);
        CHECK_BYTES(HF_BYTES(der, len), hf_test_hex(hf_value_as_text(hf_value_get(identity, "idSignature"))));
    }
    hf_secp_free(secp);
}

/* Many signatures, so that short R and S and both lengths of each occur. */
HF_TEST(secp_verifies_what_it_signs_and_nothing_else) {
    hf_secp *secp = new_secp();
    uint64_t random = 7;
    for (int i = 0; i < 60; i++) {
        uint8_t secret[32], public_key[33], der[HF_DER_MAX], message[40];
        hf_test_random_fill(&random, secret, sizeof secret);
        hf_test_random_fill(&random, message, sizeof message);
        size_t len;
        hf_secp_key key;
        CHECK_ERR(hf_secp_public(secp, secret, public_key), HF_OK);
        CHECK_ERR(hf_secp_parse(HF_BYTES(public_key, 33), &key), HF_OK);
        CHECK_ERR(hf_secp_sign(secp, secret, HF_BYTES(message, sizeof message), der, &len), HF_OK);
        CHECK_ERR(hf_secp_verify(&key, HF_BYTES(message, sizeof message), HF_BYTES(der, len)), HF_OK);
        CHECK_ERR(hf_secp_verify(&key, HF_BYTES(message, sizeof message - 1), HF_BYTES(der, len)), HF_DENIED);
        der[len - 1] ^= 1;
        CHECK_ERR(hf_secp_verify(&key, HF_BYTES(message, sizeof message), HF_BYTES(der, len)), HF_DENIED);
    }
    hf_secp_free(secp);
}

HF_TEST(secp_secrets_out_of_range_are_malformed) {
    static const char *bad[] = {"0000000000000000000000000000000000000000000000000000000000000000",
                                "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
                                "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    hf_secp *secp = new_secp();
    uint8_t public_key[33], der[HF_DER_MAX];
    size_t len = 1234;
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        CHECK_ERR(hf_secp_public(secp, hex(bad[i]).ptr, public_key), HF_MALFORMED);
        CHECK_ERR(hf_secp_sign(secp, hex(bad[i]).ptr, HF_TEXT("x"), der, &len), HF_MALFORMED);
        CHECK_U64(len, 1234);
    }
    CHECK_ERR(hf_secp_public(secp, hex("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140").ptr, public_key),
              HF_OK);
    hf_secp_free(secp);
}

#define GX "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
#define GY "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8"

HF_TEST(secp_public_keys_are_33_bytes_on_the_curve) {
    static const char *good[] = {"02" GX, "03" GX};
    static const char *bad[] = {"", "02", "00" GX, "01" GX, "04" GX, "05" GX, "06" GX, "07" GX, "02" GX "00",
                                "04" GX GY, "06" GX GY,
                                /* not on the curve, and x = the field's prime */
                                "020000000000000000000000000000000000000000000000000000000000000005",
                                "02fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"};
    hf_secp_key key;
    for (size_t i = 0; i < HF_COUNT(good); i++) CHECK_ERR(hf_secp_parse(hex(good[i]), &key), HF_OK);
    for (size_t i = 0; i < HF_COUNT(bad); i++)
        CHECK_MSG(hf_secp_parse(hex(bad[i]), &key) == HF_MALFORMED, "row %zu was taken", i);
}

/* BIP 66's rules one by one; every row is malformed, the closing rows are well formed and only do not fit. */
HF_TEST(secp_der_is_strict) {
    static const struct { const char *der; hf_err want; } rows[] = {
        {"", HF_MALFORMED},
        {"30", HF_MALFORMED},
        {"3000", HF_MALFORMED},
        {"30060201010201", HF_MALFORMED},           /* cut */
        {"3006020101020101" "00", HF_MALFORMED},    /* bytes behind */
        {"3007020101020101" "00", HF_MALFORMED},    /* bytes behind, counted */
        {"3106020101020101", HF_MALFORMED},         /* not a SEQUENCE */
        {"3005020101020101", HF_MALFORMED},         /* too short a length */
        {"308106020101020101", HF_MALFORMED},       /* long form of the length */
        {"3080020101020101" "0000", HF_MALFORMED},  /* indefinite length */
        {"3006030101020101", HF_MALFORMED},         /* R is not an INTEGER */
        {"3006020101030101", HF_MALFORMED},         /* S is not an INTEGER */
        {"30050200020101" "00", HF_MALFORMED},      /* empty R, and a length that is not */
        {"3006020002020101", HF_MALFORMED},         /* empty R */
        {"3006020201010200", HF_MALFORMED},         /* empty S */
        {"3006020181020101", HF_MALFORMED},         /* negative R */
        {"3006020101020181", HF_MALFORMED},         /* negative S */
        {"300702020001020101", HF_MALFORMED},       /* R padded */
        {"300702010102020001", HF_MALFORMED},       /* S padded */
        {"3006020501020101", HF_MALFORMED},         /* R longer than all */
        {"3006020401010201", HF_MALFORMED},         /* R eats S */
        {"300602028181020101", HF_MALFORMED},
        {"30060201ff02ff01", HF_MALFORMED},
        {"3006020101020101", HF_DENIED},
        {"3006020100020100", HF_DENIED},
        {"300702020081020101", HF_DENIED},
        {"3026022100fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe020101", HF_DENIED},
        {"30270222010000000000000000000000000000000000000000000000000000000000000000000201" "01", HF_DENIED},
    };
    hf_secp_key key;
    CHECK_ERR(hf_secp_parse(hex("02" GX), &key), HF_OK);
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_err got = hf_secp_verify(&key, HF_TEXT("message"), hex(rows[i].der));
        CHECK_MSG(got == rows[i].want, "%s gave %s", rows[i].der, hf_err_name(got));
    }
}

/* n - s verifies on paper as well as s does; BIP 146 takes only the lower one. */
HF_TEST(secp_refuses_the_high_twin_of_a_signature) {
    hf_secp_key key;
    CHECK_ERR(hf_secp_parse(hex("02" GX), &key), HF_OK);
    hf_bytes low = hex("3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
                       "02202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5");
    hf_bytes high = hex("3046022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
                        "022100dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c");
    CHECK_ERR(hf_secp_verify(&key, HF_TEXT("Satoshi Nakamoto"), low), HF_OK);
    CHECK_ERR(hf_secp_verify(&key, HF_TEXT("Satoshi Nakamoto"), high), HF_DENIED);
}

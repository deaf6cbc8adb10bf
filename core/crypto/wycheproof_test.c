/* The Wycheproof vectors, all of them: each file is walked to its end, and the number of cases seen is the number the
 * file says it has, so that a renamed field cannot make a test pass by testing nothing. */
#include "../../tests/kit/check.h"
#include "crypto.h"

#include <string.h>

typedef void run_case(const hf_value *group, const hf_value *test);

static void run_file(const char *path, run_case *run) {
    const hf_value *file = hf_test_json(path), *groups = hf_value_get(file, "testGroups");
    CHECK(groups && groups->kind == HF_LIST);
    size_t n = 0;
    for (size_t i = 0; i < groups->as.list.n; i++) {
        const hf_value *group = &groups->as.list.items[i], *tests = hf_value_get(group, "tests");
        CHECK(tests && tests->kind == HF_LIST);
        for (size_t j = 0; j < tests->as.list.n; j++, n++) run(group, &tests->as.list.items[j]);
    }
    CHECK(n > 0);
    CHECK_U64(n, hf_value_as_i64(hf_value_get(file, "numberOfTests"), 0));
}

static hf_bytes field(const hf_value *map, const char *key) {
    const hf_value *v = hf_value_get(map, key);
    CHECK_MSG(v && v->kind == HF_TEXT_VALUE, "no field %s", key);
    return hf_test_hex(v->as.s);
}

static bool is_valid(const hf_value *test) { return hf_eq(hf_value_as_text(hf_value_get(test, "result")), HF_TEXT("valid")); }

/* A check that names the case. */
static void check_case(const hf_value *test, bool ok) {
    hf_bytes comment = hf_value_as_text(hf_value_get(test, "comment"));
    int id = (int)hf_value_as_i64(hf_value_get(test, "tcId"), -1);
    CHECK_MSG(ok, "case %d: %.*s", id, (int)comment.len, (const char *)comment.ptr);
}

static void hmac_case(const hf_value *group, const hf_value *test) {
    uint8_t mac[32];
    hf_hmac_sha256(field(test, "key"), field(test, "msg"), mac);
    size_t len = (size_t)hf_value_as_i64(hf_value_get(group, "tagSize"), 0) / 8;
    check_case(test, len > 0 && hf_eq(HF_BYTES(mac, len), field(test, "tag")) == is_valid(test));
}
HF_TEST(wycheproof_hmac_sha256) { run_file("wycheproof/hmac_sha256_test.json", hmac_case); }

static void hkdf_case(const hf_value *group, const hf_value *test) {
    (void)group;
    static uint8_t out[255 * 32 + 1];
    size_t len = (size_t)hf_value_as_i64(hf_value_get(test, "size"), 0);
    CHECK(len <= sizeof out || !is_valid(test));
    hf_err err = hf_hkdf_sha256(field(test, "salt"), field(test, "ikm"), field(test, "info"), out, len);
    if (is_valid(test)) check_case(test, !err && hf_eq(HF_BYTES(out, len), field(test, "okm")));
    else check_case(test, err == HF_LIMIT);
}
HF_TEST(wycheproof_hkdf_sha256) { run_file("wycheproof/hkdf_sha256_test.json", hkdf_case); }

static bool all_zero(hf_bytes b) {
    for (size_t i = 0; i < b.len; i++)
        if (b.ptr[i]) return false;
    return true;
}

/* "acceptable" marks unusual public keys; only those that give zeroes are refused. */
static void x25519_case(const hf_value *group, const hf_value *test) {
    (void)group;
    uint8_t shared[32];
    hf_bytes want = field(test, "shared");
    hf_err err = hf_x25519(field(test, "private").ptr, field(test, "public").ptr, shared);
    if (all_zero(want)) check_case(test, !is_valid(test) && err == HF_DENIED);
    else check_case(test, !err && hf_eq(HF_BYTES(shared, 32), want));
}
HF_TEST(wycheproof_x25519) { run_file("wycheproof/x25519_test.json", x25519_case); }

static void ed25519_case(const hf_value *group, const hf_value *test) {
    hf_bytes key = field(hf_value_get(group, "publicKey"), "pk");
    CHECK_U64(key.len, 32);
    hf_err err = hf_ed25519_verify(key.ptr, field(test, "msg"), field(test, "sig"));
    check_case(test, is_valid(test) ? err == HF_OK : err == HF_DENIED);
}
HF_TEST(wycheproof_ed25519) { run_file("wycheproof/ed25519_test.json", ed25519_case); }

/* Other nonce lengths cannot be said through our face; all of those cases are invalid ones. */
static void aead_case(const hf_value *group, const hf_value *test) {
    (void)group;
    hf_bytes nonce = field(test, "iv"), key = field(test, "key"), ad = field(test, "aad"), text = field(test, "msg");
    if (nonce.len != 12) {
        check_case(test, !is_valid(test));
        return;
    }
    hf_buf box;
    hf_buf_init(&box, hf_test_mem());
    hf_buf_add(&box, field(test, "ct"));
    hf_buf_add(&box, field(test, "tag"));
    CHECK(!box.err);
    uint8_t *out = hf_arena_alloc(hf_test_arena(), text.len + 16);
    hf_aead_seal(key.ptr, nonce.ptr, ad, text, out);
    bool sealed_alike = hf_eq(HF_BYTES(out, text.len + 16), hf_buf_bytes(&box));
    hf_err err = hf_aead_open(key.ptr, nonce.ptr, ad, hf_buf_bytes(&box), out);
    hf_buf_deinit(&box);
    if (is_valid(test)) check_case(test, sealed_alike && !err && hf_eq(HF_BYTES(out, text.len), text));
    else check_case(test, err == HF_DENIED);
}
HF_TEST(wycheproof_chacha20_poly1305) { run_file("wycheproof/chacha20_poly1305_test.json", aead_case); }

/* The vectors give 04 x y, we take 02|03 x. */
static hf_secp_key group_key(const hf_value *group) {
    hf_bytes full = field(hf_value_get(group, "publicKey"), "uncompressed");
    CHECK(full.len == 65 && full.ptr[0] == 4);
    uint8_t compressed[33];
    memcpy(compressed, full.ptr, 33);
    compressed[0] = 2 | (full.ptr[64] & 1);
    hf_secp_key key;
    CHECK_ERR(hf_secp_parse(HF_BYTES(compressed, 33), &key), HF_OK);
    return key;
}

static hf_err verify_case(const hf_value *group, const hf_value *test) {
    hf_secp_key key = group_key(group);
    return hf_secp_verify(&key, field(test, "msg"), field(test, "sig"));
}

static void bitcoin_case(const hf_value *group, const hf_value *test) {
    check_case(test, (verify_case(group, test) == HF_OK) == is_valid(test));
}
HF_TEST(wycheproof_secp256k1_bitcoin) { run_file("wycheproof/ecdsa_secp256k1_sha256_bitcoin_test.json", bitcoin_case); }

/* S of a valid DER signature, compared with half the order (SEC 2: n / 2). */
static bool has_high_s(hf_bytes der) {
    size_t at = 4 + (size_t)der.ptr[3];
    hf_bytes s = hf_sub(der, at + 2, der.ptr[at + 1]);
    while (s.len > 1 && s.ptr[0] == 0) s = hf_sub(s, 1, s.len - 1);
    hf_bytes half = hf_test_hex(HF_TEXT("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"));
    return s.len > half.len || (s.len == half.len && hf_cmp(s, half) > 0);
}

static size_t n_high;

/* This set takes both twins of a signature, we the lower one. That is the only difference. */
static void either_s_case(const hf_value *group, const hf_value *test) {
    hf_err err = verify_case(group, test);
    bool high = is_valid(test) && has_high_s(field(test, "sig"));
    n_high += high;
    if (high) check_case(test, err == HF_DENIED);
    else check_case(test, (err == HF_OK) == is_valid(test));
}
HF_TEST(wycheproof_secp256k1) {
    n_high = 0;
    run_file("wycheproof/ecdsa_secp256k1_sha256_test.json", either_s_case);
    CHECK(n_high > 0);
}

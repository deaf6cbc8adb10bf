/* Identities as js makes them, and everything that must not pass for one. */
#include "log_kit.h"

#include "../codec/dag_cbor.h"

#include <string.h>

static hf_bytes text_of(const hf_value *map, const char *key) { return hf_value_as_text(hf_value_get(map, key)); }
static hf_bytes hex_of(const hf_value *map, const char *key) { return hf_test_hex(text_of(map, key)); }

static hf_secp *open_secp(void) {
    static const uint8_t seed[32] = {9};
    hf_secp *secp = hf_secp_new(hf_test_mem(), seed);
    CHECK(secp != NULL);
    return secp;
}

/* Deterministic nonces: our block is js's block, byte for byte. */
HF_TEST(identity_writes_what_js_writes) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "identities");
    hf_secp *secp = open_secp();
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        hf_writer w;
        CHECK_ERR(hf_writer_init(&w, hf_test_mem(), secp, hex_of(v, "rootPrivateKey").ptr, hex_of(v, "signingPrivateKey").ptr), HF_OK);
        CHECK_BYTES(HF_BYTES(w.id, sizeof w.id), text_of(v, "id"));
        CHECK_BYTES(HF_BYTES(w.public_key, sizeof w.public_key), text_of(v, "publicKey"));
        CHECK_BYTES(hf_buf_bytes(&w.block), hex_of(v, "blockBytes"));
        CHECK_BYTES(HF_BYTES(w.hash, sizeof w.hash), text_of(v, "cid"));
        CHECK_BYTES(HF_BYTES(w.cid, sizeof w.cid), hex_of(v, "cidBytes"));
        hf_writer_deinit(&w);
    }
    CHECK_U64(list->as.list.n, 4);
    hf_secp_free(secp);
}

HF_TEST(identity_reads_what_js_writes) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "identities");
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        hf_identity identity;
        hf_fault fault = {"", 0};
        hf_err err = hf_identity_read(hex_of(v, "blockBytes"), hf_test_arena(), &identity, &fault);
        CHECK_MSG(!err, "%s", fault.what);
        CHECK_BYTES(HF_BYTES(identity.id, sizeof identity.id), text_of(v, "id"));
        CHECK_BYTES(HF_BYTES(identity.public_key, sizeof identity.public_key), text_of(v, "publicKey"));
        CHECK_BYTES(HF_BYTES(identity.digest, 32), hf_sub(hex_of(v, "cidBytes"), 4, 32));
    }
}

/* The signature edge cases, through the parts that identities and entries are verified with. Ed25519 keys are the one place where we are
 * stricter: js has them, but no stock OrbitDB writes such an identity, and `id` and `publicKey` here are secp256k1 keys. */
HF_TEST(identity_signature_edge_cases) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "verify");
    size_t n_true = 0;
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        hf_bytes name = text_of(v, "name"), sig = text_of(v, "signature"), key = text_of(v, "publicKey");
        uint8_t der[256] = {0}, key_bytes[128] = {0};
        hf_secp_key parsed;
        bool ok = sig.len / 2 < sizeof der && key.len / 2 < sizeof key_bytes && hf_hex_read(sig, der) && hf_hex_read(key, key_bytes);
        ok = ok && !hf_secp_parse(HF_BYTES(key_bytes, key.len / 2), &parsed);
        ok = ok && !hf_secp_verify(&parsed, text_of(v, "dataUtf8"), HF_BYTES(der, sig.len / 2));
        bool stricter = hf_starts(name, HF_TEXT("ed25519"));
        bool want = !stricter && hf_value_as_bool(hf_value_get(v, "result"), false);
        CHECK_MSG(ok == want, "%.*s: %d", (int)name.len, (const char *)name.ptr, ok);
        n_true += ok;
    }
    CHECK_U64(list->as.list.n, 13);
    CHECK_U64(n_true, 2);
}

/* ---- what must not pass ---- */

/* A valid identity's block with one field of the map (or of `signatures`) replaced; value NULL: left out. */
static hf_bytes with_field(hf_bytes block, const char *outer, const char *inner, const hf_value *value) {
    hf_arena *arena = hf_test_arena();
    hf_value map;
    CHECK_ERR(hf_cbor_decode(arena, block, &map, NULL), HF_OK);
    hf_value *in = &map;
    if (outer) in = (hf_value *)hf_value_get(&map, outer);
    hf_value changed = hf_value_map(arena, in->as.map.n + 1);
    for (size_t i = 0; i < in->as.map.n; i++)
        if (!hf_eq(in->as.map.pairs[i].key, hf_str(inner))) hf_map_add_bytes(&changed, in->as.map.pairs[i].key, in->as.map.pairs[i].value);
    if (value) hf_map_add(&changed, inner, *value);
    *in = changed;
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    CHECK_ERR(hf_cbor_encode(&map, &buf), HF_OK);
    hf_bytes copy = hf_arena_copy(arena, hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return copy;
}

static hf_bytes upper(hf_bytes text) {
    hf_bytes copy = hf_arena_copy(hf_test_arena(), text);
    for (size_t i = 0; i < copy.len; i++)
        if (copy.ptr[i] >= 'a') ((uint8_t *)copy.ptr)[i] -= 32;
    return copy;
}

HF_TEST(identity_refuses) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "identities");
    const hf_value *alice = &list->as.list.items[0], *bob = &list->as.list.items[1];
    hf_bytes block = hex_of(alice, "blockBytes");
    hf_bytes bob_block = hex_of(bob, "blockBytes");
    hf_value bob_map;
    CHECK_ERR(hf_cbor_decode(hf_test_arena(), bob_block, &bob_map, NULL), HF_OK);
    const hf_value *bob_sigs = hf_value_get(&bob_map, "signatures");
    hf_value empty = hf_value_text(HF_TEXT("")), number = hf_value_u64(1), did = hf_value_text(HF_TEXT("did"));
    hf_value odd = hf_value_text(HF_TEXT("abc")), not_hex = hf_value_text(HF_TEXT("zz"));
    hf_value upper_id = hf_value_text(upper(text_of(alice, "id"))), upper_sig = hf_value_text(upper(text_of(alice, "idSignature")));
    hf_value long_sig = hf_value_text(HF_BYTES(memset(hf_arena_alloc(hf_test_arena(), 400), 'a', 400), 400));
    const struct {
        const char *outer, *inner;
        const hf_value *value;
        hf_err err;
    } rows[] = {
        {NULL, "id", NULL, HF_MALFORMED},
        {NULL, "id", &empty, HF_MALFORMED},
        {NULL, "id", &number, HF_MALFORMED},
        {NULL, "id", &odd, HF_MALFORMED},
        {NULL, "id", &upper_id, HF_MALFORMED},
        {NULL, "id", hf_value_get(&bob_map, "id"), HF_DENIED},
        {NULL, "type", NULL, HF_MALFORMED},
        {NULL, "type", &did, HF_DENIED},
        {NULL, "publicKey", NULL, HF_MALFORMED},
        {NULL, "publicKey", &not_hex, HF_MALFORMED},
        {NULL, "publicKey", hf_value_get(&bob_map, "publicKey"), HF_DENIED},
        {NULL, "signatures", NULL, HF_MALFORMED},
        {NULL, "signatures", &number, HF_MALFORMED},
        {"signatures", "id", NULL, HF_MALFORMED},
        {"signatures", "id", &not_hex, HF_DENIED},
        {"signatures", "id", &upper_sig, HF_DENIED},
        {"signatures", "id", &long_sig, HF_DENIED},
        {"signatures", "id", hf_value_get(bob_sigs, "id"), HF_DENIED},
        {"signatures", "publicKey", NULL, HF_MALFORMED},
        {"signatures", "publicKey", &odd, HF_DENIED},
        {"signatures", "publicKey", &long_sig, HF_DENIED},
        {"signatures", "publicKey", hf_value_get(bob_sigs, "publicKey"), HF_DENIED},
        {NULL, "extra", &number, HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_identity identity;
        hf_fault fault = {NULL, 0};
        hf_bytes changed = with_field(block, rows[i].outer, rows[i].inner, rows[i].value);
        hf_err err = hf_identity_read(changed, hf_test_arena(), &identity, &fault);
        CHECK_MSG(err == rows[i].err, "row %zu (%s): %s %s", i, rows[i].inner, hf_err_name(err), fault.what ? fault.what : "");
        CHECK_MSG(!err || fault.what, "row %zu gives no reason", i);
    }
}

HF_TEST(identity_refuses_cut_and_huge_blocks) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/identity.json"), "identities");
    hf_bytes block = hex_of(&list->as.list.items[0], "blockBytes");
    hf_identity identity;
    for (size_t len = 0; len < block.len; len++)
        CHECK_ERR(hf_identity_read(hf_sub(block, 0, len), hf_test_arena(), &identity, NULL), HF_MALFORMED);
    uint8_t *huge = hf_arena_alloc(hf_test_arena(), 1 << 15);
    CHECK_ERR(hf_identity_read(HF_BYTES(huge, 1 << 15), hf_test_arena(), &identity, NULL), HF_LIMIT);
}

HF_TEST(identity_blocks_of_the_invalid_vectors) {
    const hf_value *blocks = hf_value_get(hf_test_json("orbitdb/invalid.json"), "identityBlocks");
    size_t n_ok = 0;
    for (size_t i = 0; i < blocks->as.map.n; i++) {
        hf_identity identity;
        n_ok += hf_identity_read(hf_test_hex(hf_value_as_text(&blocks->as.map.pairs[i].value)), hf_test_arena(), &identity, NULL) == HF_OK;
    }
    CHECK_U64(blocks->as.map.n, 7);
    CHECK_U64(n_ok, 1); /* the one with an extra field, which js ignores too */
}

HF_TEST(writer_refuses_bad_secrets) {
    hf_secp *secp = open_secp();
    uint8_t zero[32] = {0}, good[32] = {1}, order[32];
    memset(order, 0xff, sizeof order);
    hf_writer w;
    CHECK_ERR(hf_writer_init(&w, hf_test_mem(), secp, zero, good), HF_MALFORMED);
    CHECK_ERR(hf_writer_init(&w, hf_test_mem(), secp, good, zero), HF_MALFORMED);
    CHECK_ERR(hf_writer_init(&w, hf_test_mem(), secp, order, good), HF_MALFORMED);
    CHECK(w.block.ptr == NULL && w.signing_secret[0] == 0); /* wiped */
    hf_secp_free(secp);
}

HF_TEST(writer_and_identity_without_memory) {
    hf_secp *secp = open_secp();
    uint8_t root[32] = {1}, signing[32] = {2};
    hf_writer w;
    hf_err err = HF_NOMEM;
    size_t n = 1;
    for (; err == HF_NOMEM; n++) {
        hf_test_mem_fail_at(n);
        err = hf_writer_init(&w, hf_test_mem(), secp, root, signing);
        CHECK_MSG(hf_test_mem_failed() == (err == HF_NOMEM), "failure %zu was not reported", n);
    }
    CHECK(n > 3);
    err = HF_NOMEM;
    for (n = 1; err == HF_NOMEM; n++) {
        hf_arena scratch;
        hf_identity identity;
        hf_arena_init(&scratch, hf_test_mem());
        hf_test_mem_fail_at(n);
        err = hf_identity_read(hf_buf_bytes(&w.block), &scratch, &identity, NULL);
        hf_arena_deinit(&scratch);
    }
    CHECK_ERR(err, HF_OK);
    hf_test_mem_fail_at(0);
    hf_writer_deinit(&w);
    hf_secp_free(secp);
}

/* Manifests, access controllers and addresses, as js has them. */
#include "manifest.h"

#include "../../tests/kit/check.h"
#include "../codec/dag_cbor.h"
#include "../codec/json.h"

static hf_bytes text_of(const hf_value *map, const char *key) { return hf_value_as_text(hf_value_get(map, key)); }

static hf_bytes cid_text(hf_bytes block) {
    uint8_t cid[HF_CID_LEN];
    char *text = hf_arena_alloc(hf_test_arena(), HF_CID_TEXT_LEN);
    hf_cid_of(block, cid);
    hf_cid_text(cid, text);
    return HF_BYTES(text, HF_CID_TEXT_LEN);
}

HF_TEST(access_controllers_of_js) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/manifest.json"), "accessControllers");
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        const hf_value *ids = hf_value_get(hf_value_get(v, "value"), "write");
        hf_bytes block = hf_test_hex(text_of(v, "blockBytes")), *write, want[8];
        size_t n;
        CHECK_ERR(hf_access_read(block, hf_test_arena(), &write, &n, NULL), HF_OK);
        CHECK_U64(n, ids->as.list.n);
        for (size_t k = 0; k < n; k++) {
            want[k] = hf_value_as_text(&ids->as.list.items[k]);
            CHECK_BYTES(write[k], want[k]);
        }
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_access_add_block(&buf, want, n);
        CHECK_BYTES(hf_buf_bytes(&buf), block);
        CHECK_BYTES(cid_text(hf_buf_bytes(&buf)), text_of(v, "cid"));
        hf_buf_deinit(&buf);
    }
    CHECK_U64(list->as.list.n, 4);
}

/* Writes the manifest again, when it is one that we would write: without meta. */
static void rewrite(const hf_value *v, const hf_manifest *m, hf_bytes block) {
    if (hf_value_get(hf_value_get(v, "value"), "meta")) return;
    uint8_t cid[HF_CID_LEN];
    hf_buf buf;
    hf_cid_from_digest(m->access_digest, cid);
    hf_buf_init(&buf, hf_test_mem());
    if (m->guarded) hf_manifest_add_guarded_block(&buf, m->name, m->type, cid);
    else hf_manifest_add_block(&buf, m->name, m->type, cid);
    CHECK_BYTES(hf_buf_bytes(&buf), block);
    hf_buf_deinit(&buf);
}

HF_TEST(manifests_of_js) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/manifest.json"), "manifests");
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i], *value = hf_value_get(v, "value");
        hf_bytes block = hf_test_hex(text_of(v, "blockBytes"));
        bool guarded = hf_starts(text_of(value, "accessController"), HF_TEXT("/orbitdb/"));
        hf_manifest m;
        hf_fault fault = {NULL, 0};
        CHECK_ERR(hf_manifest_read(block, hf_test_arena(), &m, &fault), HF_OK);
        CHECK(m.guarded == guarded);
        uint8_t cid[HF_CID_LEN], digest[32];
        char address[HF_ADDRESS_LEN];
        hf_cid_of(block, cid);
        hf_manifest_address(cid, address);
        CHECK_BYTES(HF_BYTES(address, sizeof address), text_of(v, "address"));
        CHECK_ERR(hf_address_parse(HF_BYTES(address, sizeof address), digest), HF_OK);
        CHECK_BYTES(HF_BYTES(digest, 32), HF_BYTES(cid + 4, 32));
        CHECK_BYTES(m.name, text_of(value, "name"));
        CHECK_BYTES(m.type, text_of(value, "type"));
        rewrite(v, &m, block);
    }
    CHECK_U64(list->as.list.n, 7);
}

/* Stricter than js: a version-0 CID ("Qm…") cannot name a manifest, which is dag-cbor. js finds that out when it fetches it. */
HF_TEST(addresses_of_js) {
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/manifest.json"), "addresses");
    for (size_t i = 0; i < list->as.list.n; i++) {
        const hf_value *v = &list->as.list.items[i];
        hf_bytes address = text_of(v, "address");
        bool valid = hf_value_as_bool(hf_value_get(v, "valid"), false) && !hf_starts(address, HF_TEXT("/orbitdb/Qm"));
        uint8_t digest[32];
        CHECK_MSG((hf_address_parse(address, digest) == HF_OK) == valid, "%.*s", (int)address.len, (const char *)address.ptr);
    }
    CHECK_U64(list->as.list.n, 12);
}

HF_TEST(addresses_refused) {
    static const char *const bad[] = {"", "/", "/orbitdb/", "//orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3",
                                      "/orbitdb//", "/orbitdb//zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3",
                                      "/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3//",
                                      "/Orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3",
                                      "/orbitdb/bafkreiebzrnroamgos2adnbpgw5apo3z4iishhbdx77gldnbk57d4zdio4"};
    uint8_t digest[32];
    for (size_t i = 0; i < HF_COUNT(bad); i++) CHECK_MSG(hf_address_parse(hf_str(bad[i]), digest) == HF_MALFORMED, "%s", bad[i]);
}

/* JSON text as dag-cbor. */
static hf_bytes cbor(const char *json) {
    hf_value value;
    hf_buf buf;
    CHECK_ERR(hf_json_decode(hf_test_arena(), hf_str(json), &value, NULL), HF_OK);
    hf_buf_init(&buf, hf_test_arena()->mem);
    CHECK_ERR(hf_cbor_encode(&value, &buf), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return copy;
}

#define AC "\"accessController\":\"/ipfs/zdpuAwKJDKp1C2UFkZ18GELaKzyCxaH4A8jQSpLiRKEcnBDxq\""

HF_TEST(manifest_verdicts) {
    static const struct {
        const char *json;
        hf_err err;
    } rows[] = {
        {"{\"name\":\"n\",\"type\":\"events\"," AC "}", HF_OK},
        {"{\"name\":\"\",\"type\":\"\"," AC ",\"more\":[1]}", HF_OK},
        {"{\"type\":\"events\"," AC "}", HF_MALFORMED},
        {"{\"name\":1,\"type\":\"events\"," AC "}", HF_MALFORMED},
        {"{\"name\":\"n\"," AC "}", HF_MALFORMED},
        {"{\"name\":\"n\",\"type\":null," AC "}", HF_MALFORMED},
        {"{\"name\":\"n\",\"type\":\"events\"}", HF_MALFORMED},
        {"{\"name\":\"n\",\"type\":\"events\",\"accessController\":\"/ipfs/\"}", HF_MALFORMED},
        {"{\"name\":\"n\",\"type\":\"events\",\"accessController\":\"/ipfs/zdpu\"}", HF_MALFORMED},
        {"{\"name\":\"n\",\"type\":\"events\",\"accessController\":\"/custom/zdpu\"}", HF_DENIED},
        {"{\"name\":\"n\",\"type\":\"events\",\"accessController\":\"\"}", HF_DENIED},
        {"[1]", HF_MALFORMED},
        {"null", HF_MALFORMED},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_manifest m;
        hf_fault fault = {NULL, 0};
        hf_err err = hf_manifest_read(cbor(rows[i].json), hf_test_arena(), &m, &fault);
        CHECK_MSG(err == rows[i].err && (!err || fault.what), "%s: %s", rows[i].json, hf_err_name(err));
    }
}

HF_TEST(access_verdicts) {
    static const struct {
        const char *json;
        hf_err err;
    } rows[] = {
        {"{\"type\":\"ipfs\",\"write\":[]}", HF_OK},           {"{\"type\":\"ipfs\",\"write\":[\"*\"],\"x\":1}", HF_OK},
        {"{\"type\":\"ipfs\"}", HF_MALFORMED},                 {"{\"type\":\"ipfs\",\"write\":\"*\"}", HF_MALFORMED},
        {"{\"type\":\"ipfs\",\"write\":[1]}", HF_MALFORMED},   {"{\"type\":\"ipfs\",\"write\":[\"*\",null]}", HF_MALFORMED},
        {"{\"write\":[]}", HF_MALFORMED},                      {"{\"type\":\"orbitdb\",\"write\":[]}", HF_DENIED},
        {"7", HF_MALFORMED},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_bytes *write;
        size_t n;
        hf_fault fault = {NULL, 0};
        hf_err err = hf_access_read(cbor(rows[i].json), hf_test_arena(), &write, &n, &fault);
        CHECK_MSG(err == rows[i].err && (!err || fault.what), "%s: %s", rows[i].json, hf_err_name(err));
    }
}

HF_TEST(manifest_cut_and_without_memory) {
    hf_bytes block = cbor("{\"name\":\"n\",\"type\":\"events\"," AC "}"), access = cbor("{\"type\":\"ipfs\",\"write\":[\"*\"]}");
    hf_manifest m;
    hf_bytes *write;
    size_t n_write;
    for (size_t len = 0; len < block.len; len++)
        CHECK_ERR(hf_manifest_read(hf_sub(block, 0, len), hf_test_arena(), &m, NULL), HF_MALFORMED);
    for (size_t len = 0; len < access.len; len++)
        CHECK_ERR(hf_access_read(hf_sub(access, 0, len), hf_test_arena(), &write, &n_write, NULL), HF_MALFORMED);
    hf_err err = HF_NOMEM;
    for (size_t n = 1; err == HF_NOMEM; n++) {
        hf_arena scratch;
        hf_arena_init(&scratch, hf_test_mem());
        hf_test_mem_fail_at(n);
        err = hf_manifest_read(block, &scratch, &m, NULL);
        if (!err) err = hf_access_read(access, &scratch, &write, &n_write, NULL);
        hf_arena_deinit(&scratch);
        CHECK(err == HF_OK || err == HF_NOMEM);
        CHECK(n > 1 || err == HF_NOMEM);
    }
}

/* CIDs: every one in the vectors that real programs made, the spec's forms, and what is refused. */
#include "../../tests/kit/check.h"
#include "cid.h"
#include "multibase.h"

#include <stdio.h>
#include <string.h>

static hf_bytes hex(const char *text) { return hf_test_hex(hf_str(text)); }

static hf_bytes binary_of(const hf_cid *cid) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_cid_add(&buf, cid);
    hf_bytes bytes = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return bytes;
}

static hf_bytes text_of(const uint8_t cid[HF_CID_LEN]) {
    char text[HF_CID_TEXT_LEN];
    hf_cid_text(cid, text);
    return hf_arena_copy(hf_test_arena(), HF_BYTES(text, sizeof text));
}

/* A block and its CID, wherever a vector has both. */
static size_t check_block(const hf_value *map) {
    static const char *const block_keys[] = {"bytes", "blockBytes"}, *const cid_keys[] = {"cid", "hash"};
    hf_bytes block = {NULL, 0}, text = {NULL, 0};
    for (size_t i = 0; i < 2; i++) {
        if (hf_value_get(map, block_keys[i])) block = hf_test_hex(hf_value_as_text(hf_value_get(map, block_keys[i])));
        if (hf_value_get(map, cid_keys[i])) text = hf_value_as_text(hf_value_get(map, cid_keys[i]));
    }
    if (!block.len || text.len != HF_CID_TEXT_LEN) return 0;
    uint8_t cid[HF_CID_LEN];
    hf_cid parsed;
    hf_cid_of(block, cid);
    CHECK_BYTES(text_of(cid), text);
    CHECK_ERR(hf_cid_parse(text, &parsed), HF_OK);
    CHECK_ERR(hf_cid_check(&parsed, block), HF_OK);
    CHECK_ERR(hf_cid_check(&parsed, hf_sub(block, 1, block.len)), HF_DENIED);
    return 1;
}

/* A text that is a CID, forth and back. */
static size_t check_text(hf_bytes text) {
    hf_cid cid;
    uint8_t digest[32], binary[HF_CID_LEN];
    bool ours = text.len == HF_CID_TEXT_LEN && hf_starts(text, HF_TEXT("zdpu")),
         base32 = text.len == 59 && hf_starts(text, HF_TEXT("bafyrei"));
    if (!ours && !base32) return 0;
    CHECK_ERR(hf_cid_parse(text, &cid), HF_OK);
    CHECK(cid.version == 1 && cid.codec == HF_CODEC_DAG_CBOR && cid.hash == HF_HASH_SHA256 && cid.digest_len == 32);
    CHECK_ERR(hf_cid_digest(text, digest), HF_OK);
    CHECK_BYTES(HF_BYTES(digest, 32), HF_BYTES(cid.digest, 32));
    hf_cid_from_digest(digest, binary);
    CHECK_BYTES(HF_BYTES(binary, sizeof binary), binary_of(&cid));
    if (ours) CHECK_BYTES(text_of(binary), text);
    return 1;
}

typedef struct counts { size_t n_texts, n_blocks; } counts;

static void walk(const hf_value *v, counts *n) {
    if (v->kind == HF_TEXT_VALUE) n->n_texts += check_text(v->as.s);
    if (v->kind == HF_LIST)
        for (uint32_t i = 0; i < v->as.list.n; i++) walk(&v->as.list.items[i], n);
    if (v->kind != HF_MAP) return;
    n->n_blocks += check_block(v);
    for (uint32_t i = 0; i < v->as.map.n; i++) walk(&v->as.map.pairs[i].value, n);
}

HF_TEST(cid_all_in_the_vectors) {
    static const char *const files[] = {"dag-cbor", "entries", "identity", "invalid", "log200", "manifest",
                                        "states",   "ties",    "session",  "bitswap", "gossipsub"};
    counts n = {0, 0};
    for (size_t i = 0; i < HF_COUNT(files); i++) {
        char path[64];
        snprintf(path, sizeof path, "orbitdb/%s.json", files[i]);
        walk(hf_test_json(path), &n);
    }
    CHECK_MSG(n.n_texts > 1600 && n.n_blocks > 400, "only %zu texts and %zu blocks", n.n_texts, n.n_blocks);
}

/* One digest in every base that is read, and version 0. */
HF_TEST(cid_forms) {
    static const struct { const char *text, *binary; uint64_t codec; } rows[] = {
        {"QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
         "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_DAG_PB},
        {"bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
         "01701220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_DAG_PB},
        {"zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW",
         "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_RAW},
        {"f01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
         "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_RAW},
        {"mAVUSIOOwxEKY/BwUmvv0yJlvuSQnrkHkZJuTTKSVmRt4UrhV",
         "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_RAW},
        {"uAVUSIOOwxEKY_BwUmvv0yJlvuSQnrkHkZJuTTKSVmRt4UrhV",
         "01551220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", HF_CODEC_RAW},
        {"bafkqaaa", "01550000", HF_CODEC_RAW},
        {"bafzaajaiaejcad446k4azp66nqj6ro32qyb36txyfxzfefag3jgjsm6yyp6agbdj",
         "01720024080112200f9cf2b80cbfde6c13e8bb7a8603bf4ef82df2521406da4c9933d8c3fc030469", HF_CODEC_LIBP2P_KEY},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_cid parsed, read;
        CHECK_ERR(hf_cid_parse(hf_str(rows[i].text), &parsed), HF_OK);
        CHECK_BYTES(binary_of(&parsed), hex(rows[i].binary));
        CHECK_U64(parsed.codec, rows[i].codec);
        CHECK_ERR(hf_cid_read(hex(rows[i].binary), &read), HF_OK);
        CHECK(hf_cid_eq(&parsed, &read) && hf_cid_valid(hex(rows[i].binary)));
        if (parsed.hash == HF_HASH_SHA256) CHECK_ERR(hf_cid_check(&parsed, HF_TEXT("")), HF_OK);
    }
}

HF_TEST(cid_prefix_and_any_cut) {
    static const char *const rows[] = {
        "01711220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "015500020102",
        "1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "01a9021e0101"};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_bytes bytes = hex(rows[i]);
        hf_cid cid;
        size_t len;
        uint8_t longer[64];
        memcpy(longer, bytes.ptr, bytes.len);
        longer[bytes.len] = 0x12;
        CHECK_ERR(hf_cid_read_prefix(HF_BYTES(longer, bytes.len + 1), &cid, &len), HF_OK);
        CHECK_U64(len, bytes.len);
        CHECK_ERR(hf_cid_read(HF_BYTES(longer, bytes.len + 1), &cid), HF_MALFORMED);
        CHECK(!hf_cid_valid(HF_BYTES(longer, bytes.len + 1)));
        for (size_t cut = 0; cut < bytes.len; cut++) {
            CHECK_ERR(hf_cid_read(hf_sub(bytes, 0, cut), &cid), HF_TRUNCATED);
            CHECK(!hf_cid_valid(hf_sub(bytes, 0, cut)));
        }
    }
}

HF_TEST(cid_refuses_bytes) {
    static const struct { const char *hex; hf_err err; } rows[] = {
        {"00", HF_MALFORMED},
        {"02711220", HF_MALFORMED},
        {"1221", HF_MALFORMED},
        {"1210e3b0c44298fc1c149afbf4c8996fb92427", HF_MALFORMED},
        {"8100711220", HF_MALFORMED},
        {"01f100", HF_MALFORMED},
        {"0155ffffffffffffffffff01", HF_MALFORMED},
        {"015500ffffffffffffffff7f", HF_TRUNCATED},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_cid cid;
        hf_err err = hf_cid_read(hex(rows[i].hex), &cid);
        CHECK_MSG(err == rows[i].err, "%s: %s", rows[i].hex, hf_err_name(err));
    }
    uint8_t large[4 + 65] = {1, 0x55, 0, 65};
    hf_cid cid;
    CHECK_ERR(hf_cid_read(HF_BYTES(large, sizeof large), &cid), HF_LIMIT);
    CHECK(hf_cid_valid(HF_BYTES(large, sizeof large)));
    large[3] = 64;
    CHECK_ERR(hf_cid_read(HF_BYTES(large, sizeof large - 1), &cid), HF_OK);
}

HF_TEST(cid_refuses_text) {
    static const char *const rows[] = {
        "",
        "z",
        "b",
        "Q",
        "Qm",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1",
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR10",
        "zQmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", /* v0 has no multibase prefix */
        "f1220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk",
        "xafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
        "f0155000",
        "f01550001",
        "zdpu",
        "zdpuAsqdMj9hWqbLYYE8HwPQWEtqi4WhCXGbmYCGyYefCRCa",
        "zdpuAsqdMj9hWqbLYYE8HwPQWEtqi4WhCXGbmYCGyYefCRCagg",
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_cid cid;
        uint8_t digest[32];
        CHECK_MSG(hf_cid_parse(hf_str(rows[i]), &cid) != HF_OK, "%s was read", rows[i]);
        CHECK_ERR(hf_cid_digest(hf_str(rows[i]), digest), HF_MALFORMED);
    }
}

/* Only our own kind has the short way; others are CIDs all the same. */
HF_TEST(cid_digest_is_of_our_own_kind) {
    static const char *const others[] = {"zb2rhmy65F3REf8SZp7De11gxtECBGgUKaLdiDj7MCGCHxbDW",
                                         "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n", "bafkqaaa",
                                         "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"};
    uint8_t digest[32];
    for (size_t i = 0; i < HF_COUNT(others); i++) CHECK_ERR(hf_cid_digest(hf_str(others[i]), digest), HF_MALFORMED);
    CHECK_ERR(hf_cid_digest(HF_TEXT("bafyreidogqfzz75tpkmjzjke425xqcrmpcib2p5tg44hnbirumdbpl5adu"), digest), HF_OK);
}

HF_TEST(cid_check_identity_and_unknown) {
    hf_cid cid;
    CHECK_ERR(hf_cid_read(hex("015500020102"), &cid), HF_OK);
    CHECK_ERR(hf_cid_check(&cid, HF_TEXT("\x01\x02")), HF_OK);
    CHECK_ERR(hf_cid_check(&cid, HF_TEXT("\x01\x03")), HF_DENIED);
    CHECK_ERR(hf_cid_check(&cid, HF_TEXT("\x01")), HF_DENIED);
    CHECK_ERR(hf_cid_read(hex("01551e020102"), &cid), HF_OK);
    CHECK_ERR(hf_cid_check(&cid, HF_TEXT("\x01\x02")), HF_LIMIT);
    CHECK_ERR(hf_cid_read(hex("01551202e3b0"), &cid), HF_OK); /* a shortened digest proves little */
    CHECK_ERR(hf_cid_check(&cid, HF_TEXT("")), HF_DENIED);
}

HF_TEST(cid_multihash_alone) {
    CHECK(hf_multihash_valid(hex("00020102")));
    CHECK(hf_multihash_valid(hex("1e00")));
    CHECK(!hf_multihash_valid(hex("000201")) && !hf_multihash_valid(hex("0002010203")) && !hf_multihash_valid(hex("")));
}

/* Peer ids as js-libp2p made them, in every spelling; signatures of both key kinds. */
#include "peer_id.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

static hf_bytes text_of(const hf_value *v, const char *key) { return hf_value_as_text(hf_value_get(v, key)); }
static hf_bytes hex_of(const hf_value *v, const char *key) { return hf_test_hex(text_of(v, key)); }

HF_TEST(peer_id_reads_and_writes_what_js_made) {
    const hf_value *peers = hf_value_get(hf_test_json("orbitdb/peerid-multiaddr.json"), "peers");
    CHECK(peers->as.list.n >= 3);
    for (size_t i = 0; i < peers->as.list.n; i++) {
        const hf_value *p = &peers->as.list.items[i];
        hf_peer_id from_key, from_bytes, from_text, from_cid;
        CHECK_ERR(hf_peer_id_of_key(hex_of(p, "publicKeyProtobuf"), &from_key), HF_OK);
        CHECK_BYTES(hf_peer_id_bytes(&from_key), hex_of(p, "multihash"));
        CHECK_ERR(hf_peer_id_read(hex_of(p, "multihash"), &from_bytes), HF_OK);
        CHECK_ERR(hf_peer_id_parse(text_of(p, "peerIdBase58"), &from_text), HF_OK);
        CHECK_ERR(hf_peer_id_parse(text_of(p, "peerIdCidBase32"), &from_cid), HF_OK);
        CHECK(hf_peer_id_eq(&from_key, &from_bytes) && hf_peer_id_eq(&from_key, &from_text) &&
              hf_peer_id_eq(&from_key, &from_cid));
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_peer_id_add_text(&buf, &from_key);
        CHECK_BYTES(hf_buf_bytes(&buf), text_of(p, "peerIdBase58"));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(peer_id_reads_hashed_ids) {
    hf_peer_id id;
    CHECK_ERR(hf_peer_id_parse(HF_TEXT("QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupNKC"), &id), HF_OK);
    CHECK_U64(id.len, 34);
    CHECK_U64(id.bytes[0], 0x12);
}

HF_TEST(peer_id_refuses_other_things) {
    static const char *const texts[] = {
        "",
        "1",
        "12D3",
        "Qm",
        "zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3",
        "hello",
        "12D3KooW0OIl",
        "12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN",
        "QmcgpsyWgH8Y8ajJz1Cu72KnS5uo2Aa2LpzU7kinSupN"};
    static const char *const hexes[] = {
        "",
        "00",
        "0000",
        "0024080112",
        "1220ff",
        "1320"
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0029"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000"};
    static const char *const keys[] = {"",
                                       "0801",
                                       "080112",
                                       "08011220",
                                       "08001220000000000000000000000000000000000000000000000000000000000000000000",
                                       "0801121f00000000000000000000000000000000000000000000000000000000000000",
                                       "122000000000000000000000000000000000000000000000000000000000000000000801",
                                       "0801122000000000000000000000000000000000000000000000000000000000000000000800"};
    hf_peer_id id;
    for (size_t i = 0; i < HF_COUNT(texts); i++)
        CHECK_MSG(hf_peer_id_parse(hf_str(texts[i]), &id) == HF_MALFORMED, "%s", texts[i]);
    for (size_t i = 0; i < HF_COUNT(hexes); i++)
        CHECK_MSG(hf_peer_id_read(hf_test_hex(hf_str(hexes[i])), &id) == HF_MALFORMED, "%s", hexes[i]);
    for (size_t i = 0; i < HF_COUNT(keys); i++)
        CHECK_MSG(hf_peer_id_of_key(hf_test_hex(hf_str(keys[i])), &id) == HF_MALFORMED, "%s", keys[i]);
}

HF_TEST(public_key_verifies_ed25519) {
    uint8_t seed[32] = {7}, public_key[32], signature[64];
    hf_ed25519_public(seed, public_key);
    hf_ed25519_sign(seed, public_key, HF_TEXT("hello"), signature);
    hf_buf key;
    hf_buf_init(&key, hf_test_mem());
    hf_public_key_add(&key, public_key);
    CHECK_ERR(hf_public_key_verify(hf_buf_bytes(&key), HF_TEXT("hello"), HF_BYTES(signature, 64)), HF_OK);
    CHECK_ERR(hf_public_key_verify(hf_buf_bytes(&key), HF_TEXT("hallo"), HF_BYTES(signature, 64)), HF_DENIED);
    CHECK_ERR(hf_public_key_verify(hf_buf_bytes(&key), HF_TEXT("hello"), HF_BYTES(signature, 63)), HF_DENIED);
    key.ptr[1] = 3;
    CHECK_ERR(hf_public_key_verify(hf_buf_bytes(&key), HF_TEXT("hello"), HF_BYTES(signature, 64)), HF_MALFORMED);
    hf_buf_deinit(&key);
}

/* bitswap's bytes against what js wrote, and what is refused. */
#include "bitswap_message.h"

#include "../../tests/kit/check.h"
#include "../codec/varint.h"

#include <string.h>

static hf_bytes member(const hf_value *v, const char *key) {
    return hf_test_hex(hf_value_as_text(hf_value_get(v, key)));
}

static hf_bytes bytes_member(const hf_value *v, const char *key) { return member(hf_value_get(v, key), "$bytes"); }

static bool flag(const hf_value *v, const char *key) { return hf_value_as_bool(hf_value_get(v, key), false); }

static const hf_value *list(const hf_value *v, const char *key) {
    const hf_value *l = hf_value_get(v, key);
    CHECK(l && l->kind == HF_LIST);
    return l;
}

static void check_wants(hf_bitswap_reader *r, const hf_value *wantlist) {
    hf_bitswap_item item;
    const hf_value *entries = list(wantlist, "entries");
    if (flag(wantlist, "full")) CHECK(hf_bitswap_read_next(r, &item) == HF_BITSWAP_ITEM_FULL);
    for (size_t i = 0; i < entries->as.list.n; i++) {
        const hf_value *e = &entries->as.list.items[i];
        CHECK(hf_bitswap_read_next(r, &item) == HF_BITSWAP_ITEM_WANT);
        CHECK_BYTES(item.cid, bytes_member(e, "cid"));
        CHECK(item.cancel == flag(e, "cancel"));
        CHECK(item.dont_have == flag(e, "sendDontHave"));
        CHECK(item.have_only == hf_eq(hf_value_as_text(hf_value_get(e, "wantType")), HF_TEXT("WantHave")));
    }
}

HF_TEST(bitswap_message_reads_what_js_writes) {
    const hf_value *messages = list(hf_test_json("orbitdb/bitswap.json"), "messages");
    for (size_t i = 0; i < messages->as.list.n; i++) {
        const hf_value *m = &messages->as.list.items[i], *decoded = hf_value_get(m, "decoded");
        hf_bytes protobuf = member(m, "protobuf");
        hf_bitswap_item item;
        CHECK_ERR(hf_bitswap_check(protobuf), HF_OK);
        hf_bitswap_reader r = hf_bitswap_read(protobuf);
        check_wants(&r, hf_value_get(decoded, "wantlist"));
        const hf_value *blocks = list(decoded, "blocks"), *presences = list(decoded, "blockPresences");
        for (size_t k = 0; k < blocks->as.list.n; k++) {
            CHECK(hf_bitswap_read_next(&r, &item) == HF_BITSWAP_ITEM_BLOCK);
            CHECK_BYTES(item.prefix, bytes_member(&blocks->as.list.items[k], "prefix"));
            CHECK_BYTES(item.block, bytes_member(&blocks->as.list.items[k], "data"));
        }
        for (size_t k = 0; k < presences->as.list.n; k++) {
            const hf_value *p = &presences->as.list.items[k];
            bool have = hf_eq(hf_value_as_text(hf_value_get(p, "type")), HF_TEXT("HaveBlock"));
            CHECK(hf_bitswap_read_next(&r, &item) == (have ? HF_BITSWAP_ITEM_HAVE : HF_BITSWAP_ITEM_DONT_HAVE));
            CHECK_BYTES(item.cid, bytes_member(p, "cid"));
        }
        CHECK(hf_bitswap_read_next(&r, &item) == HF_BITSWAP_ITEM_END && !r.err);
    }
}

/* Writes a message again from its items. */
static void write_again(hf_bytes protobuf, hf_buf *ret) {
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    hf_bitswap_reader r = hf_bitswap_read(protobuf);
    bool full = false;
    for (hf_bitswap_item item; hf_bitswap_read_next(&r, &item);) {
        uint8_t bytes[HF_CID_BYTES_MAX];
        size_t len;
        hf_cid cid;
        switch (item.kind) {
        case HF_BITSWAP_ITEM_FULL: full = true; break;
        case HF_BITSWAP_ITEM_WANT: hf_bitswap_write_want(&w, item.cid, item.cancel); break;
        case HF_BITSWAP_ITEM_BLOCK:
            CHECK_ERR(hf_bitswap_block_cid(item.prefix, item.block, bytes, &len), HF_OK);
            CHECK_ERR(hf_cid_read(HF_BYTES(bytes, len), &cid), HF_OK);
            hf_bitswap_write_block(&w, &cid, item.block);
            break;
        default: hf_bitswap_write_presence(&w, item.cid, item.kind == HF_BITSWAP_ITEM_HAVE);
        }
    }
    CHECK_ERR(hf_bitswap_write_end(&w, full, ret), HF_OK);
    hf_bitswap_writer_deinit(&w);
}

HF_TEST(bitswap_message_writes_what_js_writes) {
    static const char *const ours[] = {"want-block (normal request, as js sends it)",
                                       "two wants",
                                       "cancel",
                                       "block",
                                       "two blocks",
                                       "have",
                                       "don't have"};
    const hf_value *messages = list(hf_test_json("orbitdb/bitswap.json"), "messages");
    size_t n_found = 0;
    for (size_t i = 0; i < messages->as.list.n; i++) {
        const hf_value *m = &messages->as.list.items[i];
        for (size_t k = 0; k < HF_COUNT(ours); k++) {
            if (!hf_eq(hf_value_as_text(hf_value_get(m, "name")), hf_str(ours[k]))) continue;
            hf_buf out;
            hf_buf_init(&out, hf_test_mem());
            write_again(member(m, "protobuf"), &out);
            CHECK_BYTES(hf_buf_bytes(&out), member(m, "framed"));
            hf_buf_deinit(&out);
            n_found++;
        }
    }
    CHECK_U64(n_found, HF_COUNT(ours));
}

static void write_decoded(hf_bitswap_writer *w, const hf_value *decoded) {
    const hf_value *wants = list(hf_value_get(decoded, "wantlist"), "entries"), *blocks = list(decoded, "blocks");
    for (size_t i = 0; i < wants->as.list.n; i++) {
        const hf_value *e = &wants->as.list.items[i];
        hf_bitswap_write_want(w, bytes_member(e, "cid"), flag(e, "cancel"));
    }
    for (size_t i = 0; i < blocks->as.list.n; i++) {
        hf_bytes prefix = bytes_member(&blocks->as.list.items[i], "prefix"),
                 data = bytes_member(&blocks->as.list.items[i], "data");
        uint8_t bytes[HF_CID_BYTES_MAX];
        size_t len;
        hf_cid cid;
        CHECK_ERR(hf_bitswap_block_cid(prefix, data, bytes, &len), HF_OK);
        CHECK_ERR(hf_cid_read(HF_BYTES(bytes, len), &cid), HF_OK);
        hf_bitswap_write_block(w, &cid, data);
    }
}

/* Every message of the recorded session, written by us, has the length that its frame had on the wire. */
HF_TEST(bitswap_message_lengths_of_a_real_session) {
    const hf_value *frames = list(hf_test_json("orbitdb/session-frames.json"), "frames");
    size_t n = 0;
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    for (size_t i = 0; i < frames->as.list.n; i++) {
        const hf_value *f = &frames->as.list.items[i], *messages = hf_value_get(f, "messages");
        const hf_value *decoded =
            messages && messages->as.list.n ? hf_value_get(&messages->as.list.items[0], "bitswap") : NULL;
        if (!decoded) continue;
        hf_buf out;
        hf_buf_init(&out, hf_test_mem());
        write_decoded(&w, decoded);
        CHECK_ERR(hf_bitswap_write_end(&w, flag(hf_value_get(decoded, "wantlist"), "full"), &out), HF_OK);
        uint64_t len;
        size_t head;
        CHECK_ERR(hf_varint_read(hf_buf_bytes(&out), &len, &head), HF_OK);
        CHECK_U64(len, hf_value_as_i64(hf_value_get(f, "length"), -1));
        CHECK_ERR(hf_bitswap_check(hf_sub(hf_buf_bytes(&out), head, out.len)), HF_OK);
        hf_buf_deinit(&out);
        n++;
    }
    hf_bitswap_writer_deinit(&w);
    CHECK_U64(n, 18);
}

HF_TEST(bitswap_message_refuses) {
    static const struct {
        const char *hex; hf_err err;
    } cases[] = {
        {"ff", HF_MALFORMED},
        {"0a05", HF_MALFORMED},
        {"0a020a00", HF_MALFORMED},
        {"0a040a021001", HF_MALFORMED},
        {"1a020a00", HF_MALFORMED},
        {"1a00", HF_MALFORMED},
        {"1a0412020102", HF_MALFORMED},
        {"2200", HF_MALFORMED},
        {"22020a00", HF_MALFORMED},
        {"22021001", HF_MALFORMED},
        {"0a030a01ff", HF_MALFORMED},
        {"0a021000220a", HF_MALFORMED},
        {"0b", HF_MALFORMED},
        {"", HF_OK},
        {"0a00", HF_OK},
        {"0a021001", HF_OK},
        {"2800", HF_OK},
        {"1203616263", HF_OK},
        {"3a0161", HF_OK},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_err err = hf_bitswap_check(hf_test_hex(hf_str(cases[i].hex)));
        CHECK_MSG(err == cases[i].err, "%s: %s", cases[i].hex, hf_err_name(err));
    }
    static uint8_t big[HF_BITSWAP_BLOCK_MAX + 64];
    hf_buf b;
    hf_buf_init(&b, hf_test_mem());
    hf_pb_add_bytes(&b, 1, HF_TEXT("\x01\x71\x12\x20"));
    hf_pb_add_bytes(&b, 2, HF_BYTES(big, HF_BITSWAP_BLOCK_MAX + 1));
    hf_buf message;
    hf_buf_init(&message, hf_test_mem());
    hf_pb_add_bytes(&message, 3, hf_buf_bytes(&b));
    CHECK_ERR(hf_bitswap_check(hf_buf_bytes(&message)), HF_LIMIT);
    hf_buf_deinit(&b);
    hf_buf_deinit(&message);
}

HF_TEST(bitswap_message_prefixes) {
    static const struct {
        const char *prefix, *cid; hf_err err;
    } cases[] = {
        {"01711220", "01711220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", HF_OK},
        {"01551220", "01551220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", HF_OK},
        {"00701220", "1220ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", HF_OK},
        {"01711320", NULL, HF_LIMIT},
        {"0171121f", NULL, HF_LIMIT},
        {"01550003", NULL, HF_LIMIT},
        {"02711220", NULL, HF_MALFORMED},
        {"017112", NULL, HF_MALFORMED},
        {"", NULL, HF_MALFORMED},
        {"0171122000", NULL, HF_MALFORMED},
        {"81007112", NULL, HF_MALFORMED},
        {"01ffffffffffffffffff", NULL, HF_MALFORMED},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        uint8_t cid[HF_CID_BYTES_MAX];
        size_t len = 0;
        hf_err err = hf_bitswap_block_cid(hf_test_hex(hf_str(cases[i].prefix)), HF_TEXT("abc"), cid, &len);
        CHECK_MSG(err == cases[i].err, "%s: %s", cases[i].prefix, hf_err_name(err));
        if (!err) CHECK_BYTES(HF_BYTES(cid, len), hf_test_hex(hf_str(cases[i].cid)));
    }
}

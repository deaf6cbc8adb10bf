/* What `canonical` says must be what decoding and encoding again says. */
#include "canonical.h"

#include "../../tests/kit/check.h"
#include "../codec/dag_cbor.h"

#include <string.h>

/* The slow answer. */
static bool round_trips(hf_bytes bytes) {
    hf_value value;
    hf_buf buf;
    if (hf_cbor_decode(hf_test_arena(), bytes, &value, NULL)) return false;
    hf_buf_init(&buf, hf_test_mem());
    bool same = hf_cbor_encode(&value, &buf) == HF_OK && hf_eq(hf_buf_bytes(&buf), bytes);
    hf_buf_deinit(&buf);
    return same;
}

static bool is_canonical(hf_bytes bytes) {
    size_t len;
    return hf_canonical_item(bytes, &len) && len == bytes.len;
}

HF_TEST(canonical_table) {
    static const struct {
        const char *hex;
        bool canonical;
    } rows[] = {
        {"00", true},          {"17", true},           {"1818", true},        {"1817", false},       {"190100", true},
        {"1900ff", false},     {"1a00010000", true},   {"1a0000ffff", false}, {"1bffffffffffffffff", true},
        {"1b00000000ffffffff", false},                 {"20", true},          {"3818", true},        {"f4", true},
        {"f5", true},          {"f6", true},           {"f7", false},         {"f8ff", false},       {"f97e00", false},
        {"fa3fc00000", false}, {"fb3ff8000000000000", true},                  {"fb3ff0000000000000", false},
        {"fb8000000000000000", false},                 {"fb7ff0000000000000", false},                {"fb7ff8000000000000", false},
        {"fb4340000000000000", true},                  {"fb433fffffffffffff", false},                {"60", true},
        {"6161", true},        {"61ff", false},        {"6261", false},       {"40", true},          {"41ff", true},
        {"7f6161ff", false},   {"80", true},           {"8100", true},        {"8200", false},       {"9f00ff", false},
        {"a0", true},          {"a1616100", true},     {"a10000", false},     {"a2616100616200", true},
        {"a2616200616100", false},                     {"a2616100616100", false},                    {"a262616100616200", false},
        {"a26162006261610" "0", true},                 {"c000", false},       {"0000", false},       {"", false},
        {"a2606060", false},   {"a16060", true},       {"1c", false},         {"ff", false},         {"5801", false},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        bool got = is_canonical(hf_test_hex(hf_str(rows[i].hex)));
        CHECK_MSG(got == rows[i].canonical, "%s is %s canonical", rows[i].hex, got ? "said to be" : "said not to be");
    }
}

HF_TEST(canonical_agrees_with_the_codec_on_the_vectors) {
    const hf_value *all = hf_test_json("orbitdb/dag-cbor.json");
    size_t n = 0;
    for (size_t k = 0; k < all->as.map.n; k++) {
        const hf_value *list = &all->as.map.pairs[k].value;
        for (size_t i = 0; list->kind == HF_LIST && i < list->as.list.n; i++) {
            const hf_value *item = &list->as.list.items[i];
            hf_bytes hex = hf_value_as_text(hf_value_get(item, "bytes"));
            if (!hex.len) hex = hf_value_as_text(hf_value_get(item, "hex"));
            if (!hex.len) continue;
            hf_bytes bytes = hf_test_hex(hex);
            CHECK_MSG(is_canonical(bytes) == round_trips(bytes), "%.*s", (int)hex.len, (const char *)hex.ptr);
            n++;
        }
    }
    CHECK_MSG(n >= 100, "only %zu vectors found", n);
}

/* Every change of one byte of a block with a bit of everything in it. */
HF_TEST(canonical_agrees_with_the_codec_on_changed_bytes) {
    hf_bytes seed = hf_test_hex(hf_str("a4616183010220626161a1616bf6626262fb3ff8000000000000636363634341ff0061"));
    uint8_t bytes[64];
    size_t n_canonical = 0;
    for (size_t i = 0; i + 1 < seed.len; i++)
        for (unsigned v = 0; v < 256; v++) {
            memcpy(bytes, seed.ptr, seed.len);
            bytes[i] = (uint8_t)v;
            hf_bytes changed = HF_BYTES(bytes, seed.len - 1);
            bool got = is_canonical(changed);
            CHECK_MSG(got == round_trips(changed), "byte %zu as %02x", i, v);
            n_canonical += got;
        }
    CHECK(n_canonical > 100);
}

HF_TEST(canonical_depth_has_a_limit) {
    uint8_t bytes[HF_VALUE_DEPTH_MAX + 2];
    size_t len;
    memset(bytes, 0x81, sizeof bytes);
    bytes[HF_VALUE_DEPTH_MAX] = 0x00;
    CHECK(hf_canonical_item(HF_BYTES(bytes, HF_VALUE_DEPTH_MAX + 1), &len));
    bytes[HF_VALUE_DEPTH_MAX] = 0x81;
    bytes[HF_VALUE_DEPTH_MAX + 1] = 0x00;
    CHECK(!hf_canonical_item(HF_BYTES(bytes, HF_VALUE_DEPTH_MAX + 2), &len));
}

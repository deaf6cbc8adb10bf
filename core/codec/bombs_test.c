/* Small inputs that ask for much: nesting without end, lengths of 2^63, millions of nothings. Each decoder refuses them, or takes memory by what is
 * really there. */
#include "dag_cbor.h"
#include "json.h"
#include "multiaddr.h"
#include "protobuf.h"
#include "value.h"

#include "../../tests/kit/check.h"

#include <string.h>

enum { BIG = 1 << 20 };

static uint8_t input[BIG];

static hf_bytes repeat(const char *what, size_t len) {
    for (size_t i = 0; i < BIG; i++) input[i] = (uint8_t)what[i % len];
    return HF_BYTES(input, BIG - BIG % len);
}

/* Memory that is out while the decoded value stands, in bytes for a byte of input. */
static void check_cbor(hf_bytes bytes, bool may_be_read) {
    hf_arena arena;
    hf_value value;
    size_t before = hf_test_mem_out();
    hf_arena_init(&arena, hf_test_mem());
    hf_err err = hf_cbor_decode(&arena, bytes, &value, NULL);
    CHECK(may_be_read || err);
    CHECK_MSG(hf_test_mem_out() - before <= 64 * bytes.len + (64 << 10), "%zu bytes out of %zu", hf_test_mem_out() - before, bytes.len);
    hf_arena_deinit(&arena);
}

HF_TEST(bombs_of_cbor) {
    static const struct { const char *bytes; size_t len; } heads[] = {
        {"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, /* a list of 2^63 - 1 */
        {"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, {"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 9}, {"\x7b\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
        {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9}, {"\x9a\xff\xff\xff\xff", 5}, {"\x9a\x7f\xff\xff\xff\x80\x80\x80", 8}, {"\xbb\0\0\0\0\xff\xff\xff\xff\x60", 10},
        {"\x9f", 1}, {"\x5f", 1}, {"\xbf", 1}, {"\xd8\x2a\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", 11},
    };
    for (size_t i = 0; i < HF_COUNT(heads); i++) {
        check_cbor(HF_BYTES(heads[i].bytes, heads[i].len), false);
        check_cbor(repeat(heads[i].bytes, heads[i].len), false);
    }
    check_cbor(repeat("\x81", 1), false);            /* a list in a list in ... */
    check_cbor(repeat("\xa1\x60", 2), false);
    check_cbor(repeat("\xd8\x2a", 2), false);
    hf_bytes million = repeat("\x80", 1);            /* a million empty lists */
    memcpy(input, "\x9a\x00\x0f\xff\xfb", 5);
    check_cbor(million, true);
}

HF_TEST(bombs_of_json) {
    static const char *const units[] = {"[", "{\"a\":", "[[],", "\"\\u", "1e", "-", "[1e999999999,", "{\"\":{},", "[{},", "\\", "\"", "tru", "9"};
    for (size_t i = 0; i < HF_COUNT(units); i++) {
        hf_arena arena;
        hf_value value;
        size_t before = hf_test_mem_out();
        hf_arena_init(&arena, hf_test_mem());
        hf_bytes bytes = repeat(units[i], strlen(units[i]));
        hf_err err = hf_json_decode(&arena, bytes, &value, NULL);
        CHECK_MSG(err != HF_OK || units[i][0] == '9' || units[i][0] == '"', "%s", units[i]);
        CHECK_MSG(hf_test_mem_out() - before <= 64 * bytes.len + (64 << 10), "%s: %zu bytes", units[i], hf_test_mem_out() - before);
        hf_arena_deinit(&arena);
    }
}

HF_TEST(bombs_of_protobuf_and_multiaddr) {
    static const struct { const char *bytes; size_t len; } bad[] = {
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10}, {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, {"\x0b", 1}, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10}, {"\x00\x00", 2},
    };
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        hf_pb_reader r = hf_pb_read(repeat(bad[i].bytes, bad[i].len));
        hf_pb_field field;
        size_t n = 0;
        while (hf_pb_next(&r, &field)) n++;
        CHECK_ERR(r.err, HF_MALFORMED);
        CHECK(n <= 1);
    }
    size_t before = hf_test_mem_out();
    hf_multiaddr parts;
    CHECK(hf_multiaddr_read(repeat("\x04\x7f\0\0\1", 5), &parts, NULL) != HF_OK);
    CHECK(hf_multiaddr_read(repeat("\xa2\x02", 2), &parts, NULL) != HF_OK);
    CHECK(hf_multiaddr_read(repeat("\x36\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10), &parts, NULL) != HF_OK);
    CHECK_U64(hf_test_mem_out(), before);
}

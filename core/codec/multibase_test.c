/* The bases: the spec's own vectors, every length forth and back, and all the spellings that strictness refuses. */
#include "../../tests/kit/check.h"
#include "multibase.h"

#include <string.h>

static const hf_base BASES[] = {HF_BASE16, HF_BASE32, HF_BASE58BTC, HF_BASE64, HF_BASE64URL};

/* multiformats/multibase tests/basic.csv, leading_zero.csv, two_leading_zeros.csv; RFC 4648 section 10; base58 draft
 * section 5. */
static const struct { const char *text, *hex; } ROWS[] = {
    {"f796573206d616e692021", "796573206d616e692021"},
    {"bpfsxgidnmfxgsibb", "796573206d616e692021"},
    {"z7paNL19xttacUY", "796573206d616e692021"},
    {"meWVzIG1hbmkgIQ", "796573206d616e692021"},
    {"ueWVzIG1hbmkgIQ", "796573206d616e692021"},
    {"f00796573206d616e692021", "00796573206d616e692021"},
    {"bab4wk4zanvqw42jaee", "00796573206d616e692021"},
    {"z17paNL19xttacUY", "00796573206d616e692021"},
    {"mAHllcyBtYW5pICE", "00796573206d616e692021"},
    {"z117paNL19xttacUY", "0000796573206d616e692021"},
    {"baaahszltebwwc3tjeaqq", "0000796573206d616e692021"},
    {"f", ""},
    {"b", ""},
    {"z", ""},
    {"m", ""},
    {"u", ""},
    {"bmy", "66"},
    {"bmzxq", "666f"},
    {"bmzxw6", "666f6f"},
    {"bmzxw6yq", "666f6f62"},
    {"bmzxw6ytb", "666f6f6261"},
    {"bmzxw6ytboi", "666f6f626172"},
    {"mZg", "66"},
    {"mZm8", "666f"},
    {"mZm9v", "666f6f"},
    {"mZm9vYg", "666f6f62"},
    {"m+/8", "fbff"},
    {"u-_8", "fbff"},
    {"z2NEpo7TZRRrLZSi2U", "48656c6c6f20576f726c6421"},
    {"z1", "00"},
    {"z1111", "00000000"},
    {"z2", "01"},
    {"zz", "39"},
    {"z21", "3a"},
    {"z11233QC4", "0000287fb4cd"},
    {"zUSm3fpXnKG5EUBx2ndxBDMPVciP5hGey2Jh4NDv6gmeo1LkMeiKrLJUUBk6Z",
     "54686520717569636b2062726f776e20666f78206a756d7073206f76657220746865206c617a7920646f672e"},
};

static hf_bytes write_bytes(hf_base base, hf_bytes bytes) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_multibase_add(&buf, base, bytes);
    CHECK_ERR(buf.err, HF_OK);
    hf_bytes text = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return text;
}

static void check_reads(hf_bytes text, hf_bytes want) {
    hf_buf buf;
    uint8_t bytes[1024];
    size_t len;
    hf_buf_init(&buf, hf_test_mem());
    hf_buf_add_str(&buf, "kept");
    CHECK_ERR(hf_multibase_decode(text, &buf), HF_OK);
    CHECK_BYTES(hf_sub(hf_buf_bytes(&buf), 4, buf.len), want);
    hf_buf_deinit(&buf);
    CHECK_ERR(hf_multibase_read(text, bytes, sizeof bytes, &len), HF_OK);
    CHECK_BYTES(HF_BYTES(bytes, len), want);
    CHECK_ERR(hf_multibase_read(text, bytes, want.len, &len), HF_OK);
    if (want.len) CHECK_ERR(hf_multibase_read(text, bytes, want.len - 1, &len), HF_LIMIT);
}

HF_TEST(multibase_vectors) {
    for (size_t i = 0; i < HF_COUNT(ROWS); i++) {
        hf_bytes text = hf_str(ROWS[i].text), bytes = hf_test_hex(hf_str(ROWS[i].hex));
        CHECK_BYTES(write_bytes((hf_base)text.ptr[0], bytes), text);
        check_reads(text, bytes);
    }
}

HF_TEST(multibase_every_length_forth_and_back) {
    uint64_t seed = 9;
    uint8_t bytes[HF_BASE58_BYTES_MAX];
    for (size_t len = 0; len <= sizeof bytes; len += len < 80 ? 1 : 43) {
        hf_test_random_fill(&seed, bytes, len);
        size_t n_zeros = hf_test_random(&seed) % 4;
        memset(bytes, 0, n_zeros < len ? n_zeros : len);
        for (size_t b = 0; b < HF_COUNT(BASES); b++)
            check_reads(write_bytes(BASES[b], HF_BYTES(bytes, len)), HF_BYTES(bytes, len));
    }
}

HF_TEST(multibase_largest_base58) {
    uint8_t bytes[HF_BASE58_BYTES_MAX + 1];
    hf_buf buf;
    memset(bytes, 0xff, sizeof bytes);
    check_reads(write_bytes(HF_BASE58BTC, HF_BYTES(bytes, HF_BASE58_BYTES_MAX)), HF_BYTES(bytes, HF_BASE58_BYTES_MAX));
    memset(bytes, 0, sizeof bytes);
    check_reads(write_bytes(HF_BASE58BTC, HF_BYTES(bytes, HF_BASE58_BYTES_MAX)), HF_BYTES(bytes, HF_BASE58_BYTES_MAX));
    hf_buf_init(&buf, hf_test_mem());
    hf_base_add(&buf, HF_BASE58BTC, HF_BYTES(bytes, sizeof bytes));
    CHECK_ERR(buf.err, HF_LIMIT);
    hf_buf_clear(&buf);
    char text[HF_BASE58_TEXT_MAX + 1];
    memset(text, 'z', sizeof text);
    CHECK_ERR(hf_base_decode(HF_BASE58BTC, HF_BYTES(text, sizeof text), &buf), HF_LIMIT);
    CHECK_ERR(hf_base_decode(HF_BASE58BTC, HF_BYTES(text, HF_BASE58_TEXT_MAX), &buf),
              HF_LIMIT); /* a little over 512 bytes */
    memset(text, '1', sizeof text);
    CHECK_ERR(hf_base_decode(HF_BASE58BTC, HF_BYTES(text, HF_BASE58_BYTES_MAX + 1), &buf), HF_LIMIT);
    uint8_t roomy[1024]; /* more room does not move the bound */
    size_t len;
    CHECK_ERR(hf_base_read(HF_BASE58BTC, HF_BYTES(text, HF_BASE58_BYTES_MAX + 1), roomy, sizeof roomy, &len), HF_LIMIT);
    CHECK_U64(buf.len, 0);
    hf_buf_deinit(&buf);
}

HF_TEST(multibase_refuses) {
    static const char *const rows[] = {
        "",    "x00",       "kzz", "F00", "\xff",  "f0",      "f0g",    "fAB",  "f0 ",  "b1",     "b0a",
        "bMY", "bmy======", "bmz", "ba",  "bmzx",  "bmzxw6a", "z0",     "zO",   "zI",   "zl",     "z2NEp o7",
        "z+",  "z\xc3",     "mZ",  "mZh", "mZg==", "mZm9=",   "mZm9vZ", "m-_8", "u+/8", "mZ\nm8", "u====",
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_err err = hf_multibase_decode(hf_str(rows[i]), &buf);
        CHECK_MSG(err == HF_MALFORMED && buf.len == 0, "%s: %s", rows[i], hf_err_name(err));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(multibase_without_memory) {
    for (size_t b = 0; b < HF_COUNT(BASES); b++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_test_mem_fail_at(1);
        hf_base_add(&buf, BASES[b], HF_TEXT("abc"));
        CHECK_ERR(buf.err, HF_NOMEM);
        hf_buf_clear(&buf);
        CHECK_ERR(hf_base_decode(BASES[b], HF_TEXT("22222222"), &buf), HF_NOMEM);
        hf_test_mem_fail_at(0);
        hf_buf_deinit(&buf);
    }
}

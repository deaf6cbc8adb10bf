/* Varints: the spec's examples, every length, and each form that is not the shortest. */
#include "../../tests/kit/check.h"
#include "varint.h"

static const struct { uint64_t value; const char *hex; } ROWS[] = {
    {0, "00"}, {1, "01"}, {127, "7f"}, {128, "8001"}, {255, "ff01"}, {300, "ac02"}, {16383, "ff7f"}, {16384, "808001"},
    {0x0fffffff, "ffffff7f"}, {((uint64_t)1 << 56) - 1, "ffffffffffffff7f"}, {(uint64_t)1 << 56, "808080808080808001"},
    {INT64_MAX, "ffffffffffffffff7f"},
};

HF_TEST(varint_reads_what_it_writes) {
    for (size_t i = 0; i < HF_COUNT(ROWS); i++) {
        hf_bytes want = hf_test_hex(hf_str(ROWS[i].hex));
        uint8_t bytes[HF_VARINT_MAX];
        uint64_t value;
        size_t len;
        CHECK_BYTES(HF_BYTES(bytes, hf_varint_write(ROWS[i].value, bytes)), want);
        CHECK_ERR(hf_varint_read(want, &value, &len), HF_OK);
        CHECK_U64(value, ROWS[i].value);
        CHECK_U64(len, want.len);
        for (size_t cut = 0; cut < want.len; cut++)
            CHECK_ERR(hf_varint_read(hf_sub(want, 0, cut), &value, &len), HF_TRUNCATED);
    }
}

HF_TEST(varint_takes_only_its_own_bytes) {
    uint64_t value;
    size_t len;
    CHECK_ERR(hf_varint_read(HF_TEXT("\xac\x02\xff\xff"), &value, &len), HF_OK);
    CHECK_U64(value, 300);
    CHECK_U64(len, 2);
}

HF_TEST(varint_refuses) {
    static const char *const rows[] = {"8000",
                                       "818000",
                                       "ff00",
                                       "80808080808080808001",
                                       "ffffffffffffffffff01",
                                       "ffffffffffffffffff",
                                       "808080808080808000"};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint64_t value = 42;
        size_t len = 42;
        CHECK_ERR(hf_varint_read(hf_test_hex(hf_str(rows[i])), &value, &len), HF_MALFORMED);
        CHECK_U64(value + len, 84);
    }
}

HF_TEST(varint_add_appends) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_varint_add(&buf, 1);
    hf_varint_add(&buf, 300);
    CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("\x01\xac\x02"));
    hf_buf_deinit(&buf);
}

#include "unixfs.h"

#include "../../tests/kit/check.h"

static uint64_t big_endian(hf_bytes b) {
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) v = v << 8 | b.ptr[i];
    return v;
}

HF_TEST(unixfs_hash_is_murmur3) {
    const hf_value *rows = hf_value_get(hf_test_json("unixfs/unixfs.json"), "hashes");
    CHECK(rows && rows->as.list.n == 40);
    for (uint32_t i = 0; i < rows->as.list.n; i++) {
        const hf_value *row = &rows->as.list.items[i];
        hf_bytes name = hf_test_hex(hf_value_as_text(hf_value_get(row, "hex")));
        hf_bytes hash = hf_test_hex(hf_value_as_text(hf_value_get(row, "hash")));
        CHECK_U64(hf_unixfs_hash(name), big_endian(hash));
    }
}

HF_TEST(unixfs_slots_are_bits_of_the_hash) {
    CHECK_U64(hf_unixfs_slot(0x123456789abcdef0, 256, 0), 0x12);
    CHECK_U64(hf_unixfs_slot(0x123456789abcdef0, 256, 7), 0xf0);
    CHECK_U64(hf_unixfs_slot(0x123456789abcdef0, 256, 8), UINT32_MAX);
    CHECK_U64(hf_unixfs_slot(0x123456789abcdef0, 16, 1), 2);
    CHECK_U64(hf_unixfs_slot(0xffe0000000000000, 1024, 0), 1023);
    uint32_t slot;
    hf_bytes rest;
    CHECK(hf_unixfs_split_name(HF_TEXT("7Fname"), 256, &slot, &rest));
    CHECK_U64(slot, 0x7f);
    CHECK_BYTES(rest, HF_TEXT("name"));
    CHECK(hf_unixfs_split_name(HF_TEXT("1FFx"), 512, &slot, &rest));
    CHECK(!hf_unixfs_split_name(HF_TEXT("200x"), 512, &slot, &rest));
    CHECK(!hf_unixfs_split_name(HF_TEXT("7fname"), 256, &slot, &rest)); /* capitals only */
    CHECK(!hf_unixfs_split_name(HF_TEXT("7"), 256, &slot, &rest));
}

static hf_err read_hex(const char *hex, hf_unixfs *ret) { return hf_unixfs_read(hf_test_hex(hf_str(hex)), ret, NULL); }

HF_TEST(unixfs_reads) {
    hf_unixfs u;
    hf_unixfs_sizes at = {.begun = false};
    uint64_t size = 0;
    CHECK_ERR(read_hex("0802180920042005", &u), HF_OK); /* two parts, 4 and 5 */
    CHECK(u.type == HF_UNIXFS_FILE && u.file_size == 9 && u.n_sizes == 2);
    CHECK(hf_unixfs_next_size(&u, &at, &size) && size == 4);
    CHECK(hf_unixfs_next_size(&u, &at, &size) && size == 5);
    CHECK(!hf_unixfs_next_size(&u, &at, &size));
    CHECK_ERR(read_hex("080218092202040520008001", &u), HF_MALFORMED); /* what follows the packed sizes breaks off */
    CHECK_ERR(read_hex("08021809220204052000", &u), HF_OK);            /* packed, and one more of 0 */
    CHECK_U64(u.n_sizes, 3);
    CHECK_ERR(read_hex("08021208616263646566676818083812", &u), HF_OK); /* data, mode */
    CHECK(u.file_size == 8 && u.mode == 0x12);
    CHECK_ERR(read_hex("0801", &u), HF_OK);
    CHECK(u.type == HF_UNIXFS_DIRECTORY);
    CHECK_ERR(read_hex("0805120101282230800242020805", &u), HF_OK); /* a shard with a time */
    CHECK(u.type == HF_UNIXFS_SHARD && u.fanout == 256 && u.has_mtime && u.mtime_s == 5);
}

HF_TEST(unixfs_refuses) {
    static const char *const rows[] = {
        "",                       /* no type */
        "0806", "08ff01",         /* unknown types */
        "080218082004",           /* 4 is not 8 */
        "08022080808080808080808001", /* a size beyond 2^62 */
        "1001", "0d00000000",     /* types of fields */
        "080528223003",           /* 3 slots */
        "0805282230801028",       /* 2,048 slots, and it breaks off */
        "08052823308002",         /* another hash */
        "08051202010228223008",   /* more bits than slots */
        "0802220180",             /* broken packed size */
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_unixfs u;

        CHECK_MSG(read_hex(rows[i], &u) == HF_MALFORMED, "%s is taken", rows[i]);
    }
}

/* base: bytes, numbers, UTF-8, the buffer, the arena and the map, with memory that fails. */
#include "base.h"

#include "../../tests/kit/check.h"

#include <string.h>

HF_TEST(bytes_compare_and_cut) {
    CHECK(hf_eq(HF_TEXT("ab"), hf_str("ab")) && !hf_eq(HF_TEXT("ab"), HF_TEXT("a")) && hf_eq(HF_TEXT(""), HF_BYTES(NULL, 0)));
    CHECK(hf_cmp(HF_TEXT("a"), HF_TEXT("ab")) < 0 && hf_cmp(HF_TEXT("b"), HF_TEXT("ab")) > 0 && hf_cmp(HF_TEXT("ab"), HF_TEXT("ab")) == 0);
    CHECK(hf_starts(HF_TEXT("abc"), HF_TEXT("ab")) && !hf_starts(HF_TEXT("a"), HF_TEXT("ab")));
    CHECK_BYTES(hf_sub(HF_TEXT("abc"), 1, 9), HF_TEXT("bc"));
    CHECK_BYTES(hf_sub(HF_TEXT("abc"), 9, 1), HF_TEXT(""));
    CHECK_U64(hf_find(HF_TEXT("a.b.c"), '.', 2), 3);
    CHECK_U64(hf_find(HF_TEXT("abc"), '.', 0), 3);
}

HF_TEST(numbers_are_read_strictly) {
    static const struct { const char *text; hf_err err; uint64_t value; } table[] = {
        {"0", HF_OK, 0}, {"18446744073709551615", HF_OK, UINT64_MAX}, {"007", HF_OK, 7}, {"", HF_MALFORMED, 0}, {"-1", HF_MALFORMED, 0},
        {"+1", HF_MALFORMED, 0}, {"1 ", HF_MALFORMED, 0}, {"18446744073709551616", HF_MALFORMED, 0}, {"99999999999999999999", HF_MALFORMED, 0},
    };
    for (size_t i = 0; i < HF_COUNT(table); i++) {
        uint64_t value = 0;
        CHECK_ERR(hf_parse_u64(hf_str(table[i].text), &value), table[i].err);
        CHECK_U64(value, table[i].value);
    }
}

HF_TEST(utf8_is_judged_as_rfc_3629_says) {
    static const struct { const char *text; bool valid; } table[] = {
        {"", true}, {"a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true}, {"\xf4\x8f\xbf\xbf", true}, {"\xed\x9f\xbf", true},
        {"\x80", false}, {"\xc0\x80", false}, {"\xc1\xbf", false}, {"\xe0\x9f\xbf", false}, {"\xed\xa0\x80", false}, {"\xf0\x8f\xbf\xbf", false},
        {"\xf4\x90\x80\x80", false}, {"\xf5\x80\x80\x80", false}, {"\xe2\x82", false}, {"\xc3", false}, {"\xc3x", false}, {"\xff", false},
    };
    for (size_t i = 0; i < HF_COUNT(table); i++) CHECK_MSG(hf_utf8_valid(hf_str(table[i].text)) == table[i].valid, "row %zu", i);
}

HF_TEST(buf_grows_and_its_failure_sticks) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    CHECK(hf_buf_extend(&buf, 0) != NULL);
    hf_buf_add_str(&buf, "n=");
    hf_buf_add_u64(&buf, 0);
    hf_buf_add_i64(&buf, INT64_MIN);
    hf_buf_add_hex(&buf, HF_TEXT("\x01\xff"));
    hf_buf_add_hex(&buf, HF_TEXT(""));
    CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("n=0-922337203685477580801ff"));
    hf_buf_consume(&buf, 3);
    CHECK_U64(buf.ptr[0], '-');
    hf_test_mem_fail_at(1);
    CHECK(hf_buf_extend(&buf, 4096) == NULL);
    hf_test_mem_fail_at(0);
    size_t before = buf.len;
    hf_buf_add_byte(&buf, 'x');
    CHECK_ERR(buf.err, HF_NOMEM);
    CHECK_U64(buf.len, before);
    hf_buf_clear(&buf);
    CHECK_ERR(buf.err, HF_OK);
    CHECK(hf_buf_extend(&buf, SIZE_MAX) == NULL);
    hf_buf_deinit(&buf);
}

HF_TEST(arena_gives_zeroed_aligned_memory) {
    hf_arena arena;
    hf_arena_init(&arena, hf_test_mem());
    for (size_t len = 0; len < 9000; len = len * 2 + 1) {
        uint8_t *p = hf_arena_alloc(&arena, len);
        CHECK(p && (uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < len; i++) CHECK(p[i] == 0);
        memset(p, 0xaa, len);
    }
    CHECK_BYTES(hf_arena_copy(&arena, HF_TEXT("kept")), HF_TEXT("kept"));
    CHECK(hf_arena_copy(&arena, HF_TEXT("")).ptr != NULL);
    CHECK(hf_arena_alloc(&arena, SIZE_MAX - 8) == NULL);
    hf_arena_clear(&arena);
    CHECK_U64(arena.used_bytes, 0);
    uint8_t *again = hf_arena_alloc(&arena, 64);
    for (size_t i = 0; i < 64; i++) CHECK(again[i] == 0);
    hf_test_mem_fail_at(1);
    CHECK(hf_arena_alloc(&arena, 1 << 21) == NULL);
    hf_arena_deinit(&arena);
}

/* Against a plain array: puts, replacements and removals at random, with keys that collide often. */
HF_TEST(map_agrees_with_a_plain_model) {
    enum { KEYS = 200 };
    static char names[KEYS][8];
    static int values[KEYS];
    int *model[KEYS] = {0};
    uint64_t random = 7;
    hf_map map;
    hf_map_init(&map, hf_test_mem(), 3);
    for (size_t i = 0; i < KEYS; i++) {
        names[i][0] = (char)('a' + i % 26);
        names[i][1] = (char)('a' + i / 26);
    }
    for (size_t round = 0; round < 20000; round++) {
        size_t i = hf_test_random(&random) % KEYS;
        hf_bytes key = HF_BYTES(names[i], 2);
        int *value = &values[hf_test_random(&random) % KEYS];
        if (hf_test_random(&random) % 2) {
            CHECK_ERR(hf_map_put(&map, key, value), HF_OK);
            model[i] = value;
        } else {
            CHECK(hf_map_remove(&map, key) == model[i]);
            model[i] = NULL;
        }
        CHECK(hf_map_get(&map, key) == model[i]);
    }
    size_t n = 0, cursor = 0, seen = 0;
    for (size_t i = 0; i < KEYS; i++) {
        CHECK(hf_map_get(&map, HF_BYTES(names[i], 2)) == model[i]);
        n += model[i] != NULL;
    }
    while (hf_map_next(&map, &cursor)) seen++;
    CHECK_U64(seen, n);
    CHECK_U64(map.n, n);
    hf_test_mem_fail_at(1);
    hf_err err = HF_OK;
    for (size_t i = 0; i < KEYS && !err; i++) err = hf_map_put(&map, HF_BYTES(names[i], 1 + i % 2), &values[0]);
    hf_test_mem_fail_at(0);
    hf_map_deinit(&map);
}

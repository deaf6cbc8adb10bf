/* Trees are built, compared and copied; running out of memory while building shows at the end; keys are sorted and
 * checked. */
#include "../../tests/kit/check.h"
#include "value.h"

#include <string.h>

static hf_value sample(hf_arena *arena) {
    hf_value map = hf_value_map(arena, 3), list = hf_value_list(arena, 4);
    hf_list_add(&list, hf_value_i64(-7));
    hf_list_add(&list, hf_value_float(0.5));
    hf_list_add(&list, hf_value_bytes(HF_TEXT("\x00\xff")));
    hf_list_add(&list, hf_value_map(arena, 0));
    hf_map_add(&map, "list", list);
    hf_map_add(&map, "text", hf_value_text(HF_TEXT("hello")));
    hf_map_add(&map, "flag", hf_value_bool(true));
    return map;
}

HF_TEST(value_getters) {
    hf_value map = sample(hf_test_arena());
    CHECK_BYTES(hf_value_as_text(hf_value_get(&map, "text")), HF_TEXT("hello"));
    CHECK(hf_value_as_bool(hf_value_get(&map, "flag"), false));
    CHECK(hf_value_as_bool(hf_value_get(&map, "text"), true));
    CHECK(hf_value_get(&map, "tex") == NULL && hf_value_get(NULL, "text") == NULL);
    CHECK(hf_value_get(hf_value_get(&map, "list"), "text") == NULL);
    CHECK_U64(hf_value_as_text(hf_value_get(&map, "list")).len, 0);
    CHECK(hf_value_as_i64(&hf_value_get(&map, "list")->as.list.items[0], 1) == -7);
}

HF_TEST(value_as_i64_or_fallback) {
    hf_value rows[] = {
        hf_value_u64(5),
        hf_value_i64(INT64_MIN),
        hf_value_i64(INT64_MAX),
        hf_value_float(3),
        hf_value_float(-9007199254740992.0),
        hf_value_u64((uint64_t)INT64_MAX + 1),
        {.kind = HF_INT, .negative = true, .as.u = (uint64_t)INT64_MAX + 1},
        hf_value_float(0.5),
        hf_value_float(1e300),
        hf_value_float(-1e300),
        hf_value_float(__builtin_nan("")),
        hf_value_null(),
    };
    int64_t want[] = {5, INT64_MIN, INT64_MAX, 3, -9007199254740992, 42, 42, 42, 42, 42, 42, 42};
    for (size_t i = 0; i < HF_COUNT(rows); i++)
        CHECK_MSG(hf_value_as_i64(&rows[i], 42) == want[i], "row %zu", i);
    CHECK(hf_value_as_i64(NULL, 42) == 42);
}

HF_TEST(value_equality) {
    hf_value one = hf_value_u64(1), minus = hf_value_i64(-1), big = hf_value_u64(9007199254740993),
             max = hf_value_u64(UINT64_MAX);
    hf_value min = {.kind = HF_INT, .negative = true, .as.u = UINT64_MAX};
    struct { hf_value a, b; bool equal; } rows[] = {
        {one, hf_value_float(1.0), true},
        {hf_value_u64(0), hf_value_float(-0.0), true},
        {minus, hf_value_float(-1), true},
        {one, hf_value_float(1.5), false},
        {minus, hf_value_float(1), false},
        {one, minus, false},
        {one, hf_value_bool(true), false},
        {big, hf_value_float(9007199254740992.0), false},
        {max, hf_value_float(18446744073709551616.0), false},
        {min, hf_value_float(-18446744073709551616.0), true},
        {min, hf_value_float(-1e300), false},
        {one, hf_value_float(__builtin_nan("")), false},
        {minus, hf_value_float(__builtin_nan("")), false},
        {hf_value_text(HF_TEXT("a")), hf_value_text(HF_TEXT("a")), true},
        {hf_value_text(HF_TEXT("a")), hf_value_bytes(HF_TEXT("a")), false},
        {hf_value_null(), hf_value_null(), true},
        {hf_value_null(), hf_value_bool(false), false},
        {hf_value_list(hf_test_arena(), 0), hf_value_map(hf_test_arena(), 0), false},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        CHECK_MSG(hf_value_eq(&rows[i].a, &rows[i].b) == rows[i].equal, "row %zu", i);
        CHECK_MSG(hf_value_eq(&rows[i].b, &rows[i].a) == rows[i].equal, "row %zu, turned round", i);
    }
}

static hf_value map_of(const char *keys, int first_value) {
    hf_value map = hf_value_map(hf_test_arena(), strlen(keys));
    for (size_t i = 0; i < strlen(keys); i++)
        hf_map_add_bytes(&map, HF_BYTES(keys + i, 1), hf_value_i64(first_value < 0 ? keys[i] : first_value));
    return map;
}

HF_TEST(value_map_order_does_not_matter) {
    hf_value abc = map_of("abcd", -1);
    const char *orders[] = {"abcd", "dcba", "bdac", "cdab", "dabc"};
    for (size_t i = 0; i < HF_COUNT(orders); i++) {
        hf_value other = map_of(orders[i], -1);
        CHECK(hf_value_eq(&abc, &other));
    }
    hf_value others[] = {map_of("abc", -1), map_of("abcde", -1), map_of("abce", -1), map_of("abcd", 1)};
    for (size_t i = 0; i < HF_COUNT(others); i++)
        CHECK(!hf_value_eq(&abc, &others[i]) && !hf_value_eq(&others[i], &abc));
}

/* A copy shares no byte with what it was made of. */
HF_TEST(value_copy_is_deep) {
    hf_arena arena;
    hf_arena_init(&arena, hf_test_mem());
    char text[] = "abc";
    hf_value map = hf_value_map(&arena, 1), copied, wanted = hf_value_map(hf_test_arena(), 1);
    hf_map_add_bytes(&map, HF_BYTES(text, 1), hf_value_text(HF_BYTES(text, 3)));
    hf_map_add(&wanted, "a", hf_value_text(HF_TEXT("abc")));
    CHECK_ERR(hf_value_copy(hf_test_arena(), &map, &copied), HF_OK);
    memset(text, 'x', 3);
    hf_arena_deinit(&arena);
    CHECK(hf_value_eq(&copied, &wanted));
}

HF_TEST(value_copy_refuses_depth) {
    for (int depth = HF_VALUE_DEPTH_MAX - 1; depth <= HF_VALUE_DEPTH_MAX + 1; depth++) {
        hf_value v = hf_value_null(), copied;
        for (int i = 0; i < depth; i++) {
            hf_value outer = hf_value_list(hf_test_arena(), 1);
            hf_list_add(&outer, v);
            v = outer;
        }
        CHECK_ERR(hf_value_copy(hf_test_arena(), &v, &copied), depth > HF_VALUE_DEPTH_MAX ? HF_LIMIT : HF_OK);
    }
}

HF_TEST(value_building_and_copying_without_memory) {
    size_t n_failures = 0;
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_value copied = hf_value_null();
        hf_arena_init(&arena, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_value big = hf_value_list(&arena, 1000), v = sample(&arena), outer = hf_value_list(&arena, 2);
        hf_list_add(&outer, v);
        hf_list_add(&outer, big);
        hf_err err = hf_value_copy(&arena, &outer, &copied);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err, failed ? HF_NOMEM : HF_OK);
        if (hf_value_spoiled(&outer)) CHECK(failed);
        if (!failed) CHECK(hf_value_eq(&outer, &copied));
        hf_arena_deinit(&arena);
        if (!failed) break;
        n_failures++;
    }
    CHECK(n_failures > 0);
}

HF_TEST(value_absurd_room_is_no_memory) {
    hf_value list = hf_value_list(hf_test_arena(), SIZE_MAX / 8), map = hf_value_map(hf_test_arena(), SIZE_MAX / 2);
    CHECK(hf_value_spoiled(&list) && hf_value_spoiled(&map));
    hf_list_add(&list, hf_value_null());
    hf_map_add(&map, "key", hf_value_null());
    CHECK_U64(list.as.list.n + map.as.map.n, 0);
    hf_value outer_map = hf_value_map(hf_test_arena(), 1), outer_list = hf_value_list(hf_test_arena(), 1);
    hf_map_add(&outer_map, "list", list);
    hf_list_add(&outer_list, outer_map);
    CHECK(hf_value_spoiled(&outer_map) && hf_value_spoiled(&outer_list));
}

/* ---- keys ---- */

static void make_keys(hf_pair *pairs, size_t n, uint64_t *seed) {
    for (size_t i = 0; i < n; i++) {
        uint8_t *key = hf_arena_alloc(hf_test_arena(), 8);
        uint64_t number = hf_test_random(seed);
        memcpy(key, &number, 8);
        pairs[i] = (hf_pair){HF_BYTES(key, 5 + number % 4), hf_value_null()};
    }
}

HF_TEST(value_pairs_sort_any_number) {
    uint64_t seed = 5;
    static hf_pair pairs[300];
    static const hf_pair *sorted[300];
    for (size_t n = 0; n <= HF_COUNT(pairs); n += n < 40 ? 1 : 37) {
        make_keys(pairs, n, &seed);
        for (size_t i = 0; i < n; i++) sorted[i] = &pairs[i];
        hf_pairs_sort(sorted, n);
        for (size_t i = 1; i < n; i++) CHECK(hf_key_cmp(sorted[i - 1]->key, sorted[i]->key) <= 0);
        uint64_t sum = 0; /* still the same pairs */
        for (size_t i = 0; i < n; i++) sum += (uint64_t)(sorted[i] - pairs);
        CHECK_U64(sum, n ? n * (n - 1) / 2 : 0);
    }
}

HF_TEST(value_double_keys_are_found) {
    uint64_t seed = 6;
    static hf_pair pairs[300];
    for (size_t n = 2; n <= HF_COUNT(pairs); n += n < 40 ? 1 : 37) {
        make_keys(pairs, n, &seed);
        CHECK_ERR(hf_pairs_check_unique(hf_test_mem(), pairs, n), HF_OK);
        size_t a = hf_test_random(&seed) % n, b = (a + 1 + hf_test_random(&seed) % (n - 1)) % n;
        pairs[a].key = pairs[b].key;
        CHECK_ERR(hf_pairs_check_unique(hf_test_mem(), pairs, n), HF_MALFORMED);
    }
    make_keys(pairs, 300, &seed);
    hf_test_mem_fail_at(1);
    CHECK_ERR(hf_pairs_check_unique(hf_test_mem(), pairs, 300), HF_NOMEM);
}

/* Very many keys in falling order: with a quadratic search this test would not end. */
HF_TEST(value_many_keys_are_checked_quickly) {
    size_t n = 200000;
    hf_pair *pairs = hf_arena_alloc(hf_test_arena(), n * sizeof *pairs);
    uint32_t *keys = hf_arena_alloc(hf_test_arena(), n * sizeof *keys);
    for (size_t i = 0; i < n; i++) {
        keys[i] = __builtin_bswap32((uint32_t)(n - i));
        pairs[i].key = HF_BYTES(&keys[i], sizeof *keys);
    }
    CHECK_ERR(hf_pairs_check_unique(hf_test_mem(), pairs, n), HF_OK);
}

/* State against what js shows (states.json, log200.json), in many orders of arrival; keys as JavaScript names them; no memory. */
#include "../codec/dag_cbor.h"
#include "../log/log_kit.h"
#include "key.h"
#include "state.h"

#include <string.h>

enum { ENTRIES_MAX = 256, ORDERS = 25 };

typedef struct world {
    hf_kit kit;
    hf_log *log;
    hf_orbit_state *states[3]; /* events, keyvalue, documents */
    hf_bytes blocks[ENTRIES_MAX];
    size_t n;
    const hf_value *vector;
} world;

static void take(world *w, const hf_entry *e, uint32_t index) {
    for (size_t i = 0; i < HF_COUNT(w->states); i++) {
        bool decides;
        CHECK_ERR(hf_orbit_state_apply(w->states[i], index, &e->payload, &decides), HF_OK);
    }
}

static void join(world *w, hf_bytes block) {
    hf_arena arena;
    hf_entry e;
    uint32_t index;
    hf_arena_init(&arena, hf_test_mem());
    hf_err err = hf_log_join(w->log, block, &arena, &e, &index, NULL);
    for (; err != HF_NOT_FOUND; err = hf_log_ready(w->log, &arena, &e, &index, NULL)) {
        CHECK(err == HF_OK || err == HF_MISSING);
        if (err == HF_OK) take(w, &e, index);
        hf_arena_clear(&arena);
    }
    hf_arena_deinit(&arena);
}

static void open_log(world *w, hf_bytes address) {
    static const hf_bytes anyone = HF_TEXT("*");
    static const hf_orbit_type types[] = {HF_ORBIT_EVENTS, HF_ORBIT_KEYVALUE, HF_ORBIT_DOCUMENTS};
    hf_log_config config = {.address = address, .write = &anyone, .n_write = 1, .seed = 1};
    w->log = hf_log_new(hf_test_mem(), &config);
    CHECK(w->log != NULL);
    for (size_t i = 0; i < HF_KIT_WRITERS; i++) CHECK_ERR(hf_log_identity(w->log, &w->kit.identities[i]), HF_OK);
    for (size_t i = 0; i < HF_COUNT(types); i++) CHECK((w->states[i] = hf_orbit_state_new(hf_test_mem(), w->log, types[i], 1)) != NULL);
}

static void close_log(world *w) {
    for (size_t i = 0; i < HF_COUNT(w->states); i++) hf_orbit_state_free(w->states[i]);
    hf_log_free(w->log);
}

static void read_blocks(world *w, const hf_value *entries) {
    for (w->n = 0; w->n < entries->as.list.n; w->n++)
        w->blocks[w->n] = hf_test_hex(hf_value_as_text(hf_value_get(&entries->as.list.items[w->n], "bytes")));
}

static void join_in_some_order(world *w, uint64_t *random) {
    for (size_t i = w->n - 1; *random && i; i--) {
        size_t k = hf_test_random(random) % (i + 1);
        hf_bytes t = w->blocks[i];
        w->blocks[i] = w->blocks[k], w->blocks[k] = t;
    }
    for (size_t i = 0; i < w->n; i++) join(w, w->blocks[i]);
    CHECK_U64(hf_log_n(w->log), w->n);
}

static uint32_t item_of(const world *w, const hf_value *hash) {
    uint8_t digest[32];
    hf_kit_digest(hf_value_as_text(hash), digest);
    return hf_log_find(w->log, digest);
}

/* js's all(): oldest first. Items are hashes or objects with a hash. */
static void check_rows(const world *w, const uint32_t *items, size_t n, const hf_value *all, bool oldest_first) {
    CHECK_U64(n, all->as.list.n);
    for (size_t i = 0; i < n; i++) {
        const hf_value *v = &all->as.list.items[i], *hash = v->kind == HF_MAP ? hf_value_get(v, "hash") : v;
        CHECK_U64(items[oldest_first ? n - 1 - i : i], item_of(w, hash));
    }
}

static void check_all(const world *w, hf_orbit_type type, const hf_value *all) {
    const uint32_t *items;
    uint32_t *list = NULL;
    size_t n = 0, cap = 0;
    hf_orbit_range range = HF_ORBIT_ALL;
    if (type != HF_ORBIT_EVENTS) {
        CHECK_ERR(hf_orbit_state_rows(w->states[type], &items, &n), HF_OK);
        return check_rows(w, items, n, all, true);
    }
    CHECK_ERR(hf_orbit_range_items(w->log, &range, hf_test_mem(), &list, &n, &cap), HF_OK);
    check_rows(w, list, n, all, true);
    hf_release(hf_test_mem(), list, cap * sizeof *list);
}

/* The value that get answers, by looking into the block of the entry that decides. */
static void check_get(const world *w, hf_orbit_type type, const hf_value *key, const hf_value *want) {
    uint32_t item = hf_orbit_state_find(w->states[type], key);
    if (!want || want->kind == HF_NULL || hf_value_get(want, "undefined")) return CHECK_U64(item, UINT32_MAX);
    CHECK(item != UINT32_MAX);
    hf_entry e;
    for (size_t i = 0; i < w->n; i++) {
        uint8_t digest[32];
        hf_sha256_of(w->blocks[i], digest);
        if (memcmp(digest, hf_log_item_at(w->log, item)->digest, 32) != 0) continue;
        CHECK_ERR(hf_entry_read(w->blocks[i], hf_test_arena(), &e, NULL), HF_OK);
        const hf_value *got = hf_value_get(&e.payload, "value"), *value = type == HF_ORBIT_KEYVALUE && !hf_value_get(want, "value") ? want : hf_value_get(want, "value");
        CHECK(got && value && hf_value_eq(got, value));
        return;
    }
    CHECK(!"an entry of this world");
}

static uint32_t marked(const world *w, bool any, const char *mark) { return any ? item_of(w, hf_value_get(w->vector, mark)) : UINT32_MAX; }

static void check_range(const world *w, hf_bytes name, const hf_value *want) {
    static const char *const names[] = {"gt mid", "gte mid", "lt mid", "lte mid", "lt mid amount 3", "lte mid amount 3", "gt mid amount 3",
                                        "gte mid amount 3", "gt mid lt hi", "gte mid lte hi", "amount 0", "amount 1"};
    size_t i = 0;
    while (i < HF_COUNT(names) && !hf_eq(name, hf_str(names[i]))) i++;
    CHECK_MSG(i < HF_COUNT(names), "an unknown range: %.*s", (int)name.len, (const char *)name.ptr);
    hf_orbit_range r = {
        .lt = marked(w, i == 2 || i == 4, "mid"), .lte = marked(w, i == 3 || i == 5, "mid"),
        .gt = marked(w, i == 0 || i == 6 || i == 8, "mid"), .gte = marked(w, i == 1 || i == 7 || i == 9, "mid"),
        .amount = i >= 4 && i <= 7 ? 3 : i == 10 ? 0 : i == 11 ? 1 : SIZE_MAX,
    };
    if (i == 8) r.lt = marked(w, true, "hi");
    if (i == 9) r.lte = marked(w, true, "hi");
    uint32_t *list = NULL;
    size_t n = 0, cap = 0;
    CHECK_ERR(hf_orbit_range_items(w->log, &r, hf_test_mem(), &list, &n, &cap), HF_OK);
    check_rows(w, list, n, want, false);
    hf_release(hf_test_mem(), list, cap * sizeof *list);
}

HF_TEST(orbit_state_of_200_entries_in_any_order) {
    world w;
    hf_kit_open(&w.kit);
    const hf_value *v = hf_test_json("orbitdb/log200.json");
    read_blocks(&w, hf_value_get(v, "entries"));
    w.vector = hf_value_get(v, "states");
    const hf_value *gets = hf_value_get(w.vector, "gets"), *ranges = hf_value_get(w.vector, "eventsRanges");
    uint64_t random = 0;
    for (size_t round = 0; round < ORDERS; round++, random = round) {
        open_log(&w, hf_value_as_text(hf_value_get(v, "logId")));
        join_in_some_order(&w, &random);
        check_all(&w, HF_ORBIT_KEYVALUE, hf_value_get(w.vector, "keyvalueAll"));
        check_all(&w, HF_ORBIT_DOCUMENTS, hf_value_get(w.vector, "documentsAll"));
        check_all(&w, HF_ORBIT_EVENTS, hf_value_get(v, "entries"));
        for (uint32_t i = 0; i < gets->as.map.n; i++) {
            hf_value key = hf_value_text(gets->as.map.pairs[i].key);
            check_get(&w, HF_ORBIT_KEYVALUE, &key, hf_value_get(&gets->as.map.pairs[i].value, "keyvalue"));
            check_get(&w, HF_ORBIT_DOCUMENTS, &key, hf_value_get(&gets->as.map.pairs[i].value, "documents"));
        }
        for (uint32_t i = 0; i < ranges->as.map.n; i++) check_range(&w, ranges->as.map.pairs[i].key, &ranges->as.map.pairs[i].value);
        close_log(&w);
    }
    hf_kit_close(&w.kit);
}

static void check_gets(const world *w, hf_orbit_type type, const hf_value *gets) {
    for (uint32_t i = 0; gets && gets->kind == HF_MAP && i < gets->as.map.n; i++) {
        hf_value key = hf_value_text(gets->as.map.pairs[i].key);
        check_get(w, type, &key, &gets->as.map.pairs[i].value);
    }
    for (uint32_t i = 0; gets && gets->kind == HF_LIST && i < gets->as.list.n; i++)
        check_get(w, type, hf_value_get(&gets->as.list.items[i], "key"), &gets->as.list.items[i]);
}

HF_TEST(orbit_state_shows_what_js_shows) {
    world w;
    hf_kit_open(&w.kit);
    const hf_value *list = hf_value_get(hf_test_json("orbitdb/states.json"), "databases");
    for (uint32_t d = 0; d < list->as.list.n; d++) {
        const hf_value *v = &list->as.list.items[d], *all = hf_value_get(v, "all"), *five = hf_value_get(v, "getNumeric5");
        hf_bytes type = hf_value_as_text(hf_value_get(v, "type"));
        read_blocks(&w, hf_value_get(v, "entries"));
        hf_entry first;
        CHECK_ERR(hf_entry_read(w.blocks[0], hf_test_arena(), &first, NULL), HF_OK);
        uint64_t random = d;
        open_log(&w, first.id);
        join_in_some_order(&w, &random);
        if (hf_eq(type, HF_TEXT("mixed"))) {
            check_all(&w, HF_ORBIT_EVENTS, hf_value_get(all, "events"));
            check_all(&w, HF_ORBIT_KEYVALUE, hf_value_get(all, "keyvalue"));
            check_all(&w, HF_ORBIT_DOCUMENTS, hf_value_get(all, "documents"));
        } else {
            check_all(&w, hf_orbit_type_of(type), all);
            check_gets(&w, hf_orbit_type_of(type), hf_value_get(v, "gets"));
        }
        hf_value number = hf_value_u64(5);
        if (five) check_get(&w, HF_ORBIT_DOCUMENTS, &number, five);
        close_log(&w);
    }
    hf_kit_close(&w.kit);
}

/* Pairs of a key in dag-cbor and String(key) in JavaScript. */
HF_TEST(orbit_key_names_as_javascript_does) {
    static const struct { const char *hex, *name; bool exact; } cases[] = {
        {"00", "0", true}, {"20", "-1", true}, {"1bffffffffffffffff", "18446744073709551615", true},
        {"3bffffffffffffffff", "-18446744073709551616", true}, {"fb3ff8000000000000", "1.5", true}, {"fb7e37e43c8800759c", "1e+300", true},
        {"fbc000000000000000", "-2", true}, {"f5", "true", true}, {"f6", "null", true}, {"60", "", true}, {"6161", "a", true},
        {"80", "", false}, {"830182020380", "1,2,3,", false}, {"8280f6", ",", false}, {"82820102f6", "1,2,", false}, {"81a0", "[object Object]", false},
        {"430102ff", "1,2,255", false}, {"a0", "[object Object]", false},
        {"d82a58250001711220e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", false},
    };
    hf_buf name, exact;
    hf_buf_init(&name, hf_test_mem());
    hf_buf_init(&exact, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_value v;
        CHECK_ERR(hf_cbor_decode(hf_test_arena(), hf_test_hex(hf_str(cases[i].hex)), &v, NULL), HF_OK);
        hf_buf_clear(&name);
        hf_orbit_key_add_name(&name, &v);
        CHECK_BYTES(hf_buf_bytes(&name), hf_str(cases[i].name));
        CHECK(hf_orbit_key_add_exact(&exact, &v) == cases[i].exact);
    }
    hf_buf_clear(&name);
    hf_orbit_key_add_name(&name, NULL);
    CHECK_BYTES(hf_buf_bytes(&name), HF_TEXT("undefined"));
    CHECK(!hf_orbit_key_add_exact(&exact, NULL));
    hf_buf_deinit(&name);
    hf_buf_deinit(&exact);
}

/* Each allocation fails once; after trying again the state is what it must be. */
HF_TEST(orbit_state_without_memory) {
    world w;
    hf_kit_open(&w.kit);
    const hf_value *v = &hf_value_get(hf_test_json("orbitdb/states.json"), "databases")->as.list.items[4];
    read_blocks(&w, hf_value_get(v, "entries"));
    hf_entry entries[8];
    CHECK(w.n <= HF_COUNT(entries));
    for (size_t i = 0; i < w.n; i++) CHECK_ERR(hf_entry_read(w.blocks[i], hf_test_arena(), &entries[i], NULL), HF_OK);
    open_log(&w, entries[0].id);
    uint64_t random = 0;
    join_in_some_order(&w, &random);
    bool failed = true;
    for (size_t at = 1; failed; at++) {
        hf_test_mem_fail_at(at);
        hf_orbit_state *s = hf_orbit_state_new(hf_test_mem(), w.log, HF_ORBIT_KEYVALUE, 1);
        hf_err errs[8] = {HF_OK};
        bool decides;
        for (uint32_t i = 0; s && i < w.n; i++) errs[i] = hf_orbit_state_apply(s, i, &entries[i].payload, &decides);
        const uint32_t *items;
        size_t n;
        if (s) (void)!hf_orbit_state_rows(s, &items, &n);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        for (uint32_t i = 0; s && i < w.n; i++)
            if (errs[i]) CHECK_ERR(hf_orbit_state_apply(s, i, &entries[i].payload, &decides), HF_OK);
        if (s) {
            CHECK_ERR(hf_orbit_state_rows(s, &items, &n), HF_OK);
            check_rows(&w, items, n, hf_value_get(v, "all"), true);
        }
        hf_orbit_state_free(s);
    }
    close_log(&w);
    hf_kit_close(&w.kit);
}

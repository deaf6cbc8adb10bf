/* The log against js: a history of 200 entries replayed step by step, small histories of each database type, ties, and 55 entries that js
 * takes or refuses. Then our own rules: clocks, access, loading, memory. */
#include "log_kit.h"

#include "../codec/dag_cbor.h"

#include <string.h>

static hf_bytes text_of(const hf_value *map, const char *key) { return hf_value_as_text(hf_value_get(map, key)); }

/* A block of the vectors: its list item by CID text. */
static hf_bytes block_of(const hf_value *entries, hf_bytes hash) {
    for (size_t i = 0; i < entries->as.list.n; i++)
        if (hf_eq(text_of(&entries->as.list.items[i], "hash"), hash)) return hf_test_hex(text_of(&entries->as.list.items[i], "bytes"));
    CHECK_MSG(false, "no block %.*s", (int)hash.len, (const char *)hash.ptr);
    return HF_BYTES(NULL, 0);
}

static void check_heads(const hf_log *log, const hf_value *want) {
    uint32_t heads[64];
    CHECK_U64(hf_log_heads(log, heads, HF_COUNT(heads)), want->as.list.n);
    for (size_t i = 0; i < want->as.list.n; i++) {
        uint8_t digest[32];
        hf_kit_digest(hf_value_as_text(&want->as.list.items[i]), digest);
        CHECK_BYTES(HF_BYTES(hf_log_item_at(log, heads[i])->digest, 32), HF_BYTES(digest, 32));
    }
}

/* The log's order is that of the list, oldest first. */
static void check_order(const hf_log *log, const hf_value *entries) {
    size_t n;
    const uint32_t *order = hf_kit_order(log, &n);
    CHECK_U64(n, entries->as.list.n);
    for (size_t i = 0; i < n; i++) {
        uint8_t digest[32];
        hf_kit_digest(text_of(&entries->as.list.items[i], "hash"), digest);
        CHECK_BYTES(HF_BYTES(hf_log_item_at(log, order[n - 1 - i])->digest, 32), HF_BYTES(digest, 32));
    }
}

/* ---- log200 ---- */

static void replay_append(const hf_kit *kit, hf_log *log, size_t writer, hf_bytes want) {
    hf_entry e;
    hf_buf block;
    uint32_t index;
    CHECK_ERR(hf_entry_read(want, hf_test_arena(), &e, NULL), HF_OK);
    hf_buf_init(&block, hf_test_mem());
    CHECK_ERR(hf_log_append(log, &kit->writers[writer], e.payload_bytes, &block, &index), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&block), want);
    CHECK_U64(index, hf_log_n(log) - 1);
    hf_buf_deinit(&block);
}

static size_t writer_named(hf_bytes name) {
    static const char *const names[] = {"alice", "bob", "carol", "dave"};
    size_t i = 0;
    while (i < HF_COUNT(names) && !hf_eq(hf_str(names[i]), name)) i++;
    CHECK(i < HF_COUNT(names));
    return i;
}

HF_TEST(log200_replayed_step_by_step) {
    hf_kit kit;
    hf_kit_store store;
    hf_log *logs[3];
    hf_kit_open(&kit);
    const hf_value *v = hf_test_json("orbitdb/log200.json"), *entries = hf_value_get(v, "entries"), *steps = hf_value_get(v, "steps");
    hf_kit_store_open(&store);
    hf_kit_store_add_hex(&store, entries);
    for (size_t i = 0; i < 3; i++) logs[i] = hf_kit_log(&kit, hf_test_mem(), text_of(v, "logId"), 3, 3);
    for (size_t i = 0; i < steps->as.list.n; i++) {
        const hf_value *step = &steps->as.list.items[i];
        size_t who = writer_named(text_of(step, "log"));
        CHECK(who < HF_COUNT(logs));
        hf_bytes block = block_of(entries, text_of(step, "entry"));
        if (hf_eq(text_of(step, "t"), HF_TEXT("append"))) replay_append(&kit, logs[who], who, block);
        else hf_kit_join(logs[who], block, NULL);
        CHECK_U64(hf_kit_fetch(logs[who], &store), 0);
        check_heads(logs[who], hf_value_get(step, "heads"));
    }
    CHECK_U64(steps->as.list.n, 270);
    for (size_t i = 0; i < 3; i++) hf_log_free(logs[i]);
    hf_kit_store_close(&store);
    hf_kit_close(&kit);
}

/* The survivors of "for each key the first PUT or DEL seen decides", oldest first, must hold js's all() in its order. */
typedef struct survivor {
    hf_value key;
    uint8_t digest[32];
    bool put;
} survivor;

static size_t survivors_of(const hf_log *log, const hf_kit_store *store, survivor *ret) {
    size_t n_order, n = 0, n_put = 0;
    const uint32_t *order = hf_kit_order(log, &n_order);
    for (size_t i = 0; i < n_order; i++) {
        const uint8_t *digest = hf_log_item_at(log, order[i])->digest;
        const hf_bytes *block = hf_map_get(&store->blocks, HF_BYTES(digest, 32));
        hf_entry e;
        CHECK_ERR(hf_entry_read(*block, hf_test_arena(), &e, NULL), HF_OK);
        hf_bytes op = text_of(&e.payload, "op");
        bool put = hf_eq(op, HF_TEXT("PUT")), seen = !put && !hf_eq(op, HF_TEXT("DEL"));
        const hf_value *key = hf_value_get(&e.payload, "key");
        for (size_t k = 0; k < n && !seen; k++) seen = hf_value_eq(&ret[k].key, key);
        if (seen) continue;
        ret[n] = (survivor){.key = *key, .put = put};
        memcpy(ret[n++].digest, digest, 32);
    }
    for (size_t i = 0; i < n; i++)
        if (ret[i].put) ret[n_put++] = ret[i];
    return n_put;
}

/* exact: js's own quirks with object keys make its list shorter in one of the vectors. */
static void check_state(const hf_log *log, const hf_kit_store *store, const hf_value *all, bool exact) {
    survivor *s = hf_arena_alloc(hf_test_arena(), (hf_log_n(log) + 1) * sizeof *s);
    size_t n = survivors_of(log, store, s), k = 0;
    for (size_t i = n; i-- > 0 && k < all->as.list.n;) {
        uint8_t digest[32];
        hf_kit_digest(text_of(&all->as.list.items[k], "hash"), digest);
        if (memcmp(digest, s[i].digest, 32) == 0) k++;
    }
    CHECK_U64(k, all->as.list.n);
    if (exact) CHECK_U64(n, all->as.list.n);
}

HF_TEST(log200_order_and_state_from_any_delivery) {
    hf_kit kit;
    hf_kit_store store;
    hf_kit_open(&kit);
    const hf_value *v = hf_test_json("orbitdb/log200.json"), *entries = hf_value_get(v, "entries"), *states = hf_value_get(v, "states");
    hf_kit_store_open(&store);
    hf_kit_store_add_hex(&store, entries);
    uint64_t random = 5;
    for (size_t round = 0; round < 8; round++) {
        hf_log *log = hf_kit_log(&kit, hf_test_mem(), text_of(v, "logId"), 3, round % 4);
        for (size_t i = 0; i < 3; i++) /* three that come by themselves; the rest is fetched */
            hf_kit_join(log, hf_test_hex(text_of(&entries->as.list.items[hf_test_random(&random) % 200], "bytes")), NULL);
        for (size_t i = 0; i < 3; i++) hf_kit_store_add(&store, hf_buf_bytes(&kit.writers[i].block));
        const hf_value *heads = hf_value_get(v, "finalHeads");
        for (size_t i = 0; i < heads->as.list.n; i++) hf_kit_join(log, block_of(entries, hf_value_as_text(&heads->as.list.items[i])), NULL);
        CHECK_U64(hf_kit_fetch(log, &store), 0);
        check_heads(log, heads);
        check_order(log, entries);
        check_state(log, &store, hf_value_get(states, "keyvalueAll"), true);
        check_state(log, &store, hf_value_get(states, "documentsAll"), true);
        CHECK_U64(hf_log_n_pending(log), 0);
        CHECK_U64(hf_log_counts(log)->joined, 200);
        CHECK_U64(hf_log_counts(log)->equivocations, 0);
        hf_log_free(log);
    }
    hf_kit_store_close(&store);
    hf_kit_close(&kit);
}

/* ---- states ---- */

static void replay_database(const hf_kit *kit, const hf_value *db) {
    const hf_value *entries = hf_value_get(db, "entries"), *all = hf_value_get(db, "all");
    hf_kit_store store;
    hf_entry first;
    hf_kit_store_open(&store);
    hf_kit_store_add_hex(&store, entries);
    CHECK_ERR(hf_entry_read(hf_test_hex(text_of(&entries->as.list.items[0], "bytes")), hf_test_arena(), &first, NULL), HF_OK);
    hf_log *joined = hf_kit_log(kit, hf_test_mem(), first.id, 4, 4), *written = hf_kit_log(kit, hf_test_mem(), first.id, 4, 4);
    for (size_t i = entries->as.list.n; i-- > 0;)
        hf_kit_join(joined, hf_test_hex(text_of(&entries->as.list.items[i], "bytes")), NULL);
    bool by_hand = hf_eq(text_of(db, "type"), HF_TEXT("mixed")); /* appended below the database, without refs */
    for (size_t i = 0; i < entries->as.list.n && !by_hand; i++)
        replay_append(kit, written, 0, hf_test_hex(text_of(&entries->as.list.items[i], "bytes")));
    check_order(joined, entries);
    if (!by_hand) check_order(written, entries);
    bool quirk = hf_value_get(db, "note") && hf_eq(text_of(db, "type"), HF_TEXT("keyvalue"));
    if (all->kind == HF_MAP) {
        check_state(joined, &store, hf_value_get(all, "keyvalue"), true);
        check_state(joined, &store, hf_value_get(all, "documents"), true);
        check_order(joined, hf_value_get(all, "events"));
    } else if (hf_eq(text_of(db, "type"), HF_TEXT("events"))) check_order(joined, all);
    else check_state(joined, &store, all, !quirk);
    hf_log_free(joined);
    hf_log_free(written);
    hf_kit_store_close(&store);
}

HF_TEST(log_states_of_each_type) {
    hf_kit kit;
    hf_kit_open(&kit);
    const hf_value *databases = hf_value_get(hf_test_json("orbitdb/states.json"), "databases");
    for (size_t i = 0; i < databases->as.list.n; i++) replay_database(&kit, &databases->as.list.items[i]);
    CHECK_U64(databases->as.list.n, 6);
    hf_kit_close(&kit);
}

/* ---- ties ---- */

/* js's list and ours hold the same (time, writer) at each place: where js has an order, it is ours. Which of two equal ones comes first is
 * the order of joining in js and the digest here. */
static void check_like_js(const hf_log *log, const uint32_t *order, size_t n, const hf_value *labels, const hf_value *entries, bool oldest_first) {
    CHECK_U64(n, labels->as.list.n);
    for (size_t i = 0; i < n; i++) {
        hf_bytes label = hf_value_as_text(&labels->as.list.items[i]);
        for (size_t k = 0; k < entries->as.list.n; k++) {
            const hf_value *v = &entries->as.list.items[k];
            if (!hf_eq(text_of(v, "label"), label)) continue;
            uint8_t digest[32];
            hf_kit_digest(text_of(v, "hash"), digest);
            uint32_t theirs = hf_log_find(log, digest), ours = order[oldest_first ? n - 1 - i : i];
            CHECK(theirs != UINT32_MAX);
            CHECK_U64(hf_log_item_at(log, ours)->time, hf_log_item_at(log, theirs)->time);
            CHECK_U64(hf_log_item_at(log, ours)->writer, hf_log_item_at(log, theirs)->writer);
        }
    }
}

/* The list of a log's digests, newest first: what must be the same whatever the order of joining. */
static hf_bytes order_digests(const hf_log *log) {
    size_t n;
    const uint32_t *order = hf_kit_order(log, &n);
    uint8_t *all = hf_arena_alloc(hf_test_arena(), n * 32 + 1);
    for (size_t i = 0; i < n; i++) memcpy(all + i * 32, hf_log_item_at(log, order[i])->digest, 32);
    return HF_BYTES(all, n * 32);
}

static hf_bytes tie_result(const hf_kit *kit, hf_bytes log_id, const hf_value *scenario, const hf_value *result) {
    const hf_value *entries = hf_value_get(scenario, "entries"), *joins = hf_value_get(result, "joinOrder");
    hf_kit_store store;
    hf_kit_store_open(&store);
    hf_kit_store_add_hex(&store, entries);
    hf_log *log = hf_kit_log(kit, hf_test_mem(), log_id, 4, 4);
    for (size_t i = 0; i < joins->as.list.n; i++)
        for (size_t k = 0; k < entries->as.list.n; k++) {
            const hf_value *v = &entries->as.list.items[k];
            if (hf_eq(text_of(v, "label"), hf_value_as_text(&joins->as.list.items[i])))
                hf_kit_join(log, hf_test_hex(text_of(v, "bytes")), NULL);
            CHECK_U64(hf_kit_fetch(log, &store), 0);
        }
    size_t n;
    uint32_t heads[8];
    const uint32_t *order = hf_kit_order(log, &n);
    check_like_js(log, order, n, hf_value_get(result, "values"), entries, true);
    check_like_js(log, heads, hf_log_heads(log, heads, HF_COUNT(heads)), hf_value_get(result, "heads"), entries, false);
    CHECK(hf_log_counts(log)->equivocations > 0);
    hf_bytes digests = order_digests(log);
    hf_log_free(log);
    hf_kit_store_close(&store);
    return digests;
}

HF_TEST(log_ties_have_one_order_whatever_came_first) {
    hf_kit kit;
    hf_kit_open(&kit);
    const hf_value *v = hf_test_json("orbitdb/ties.json"), *scenarios = hf_value_get(v, "scenarios");
    size_t n_results = 0;
    for (size_t i = 0; i < scenarios->as.list.n; i++) {
        const hf_value *scenario = &scenarios->as.list.items[i], *results = hf_value_get(scenario, "results");
        hf_bytes first = HF_BYTES(NULL, 0);
        for (size_t k = 0; k < results->as.list.n; k++, n_results++) {
            hf_bytes got = tie_result(&kit, text_of(v, "logId"), scenario, &results->as.list.items[k]);
            if (k == 0) first = got;
            CHECK_BYTES(got, first);
        }
    }
    CHECK_U64(scenarios->as.list.n, 5);
    CHECK_U64(n_results, 17);
    hf_kit_close(&kit);
}

/* ---- invalid ---- */

/* Where we refuse what js takes, and why. Everything else has js's verdict. */
static const struct {
    const char *name, *reason;
} stricter[] = {
    {"key of another writer than the identity", "else anyone signs with any key under an authorised identity's name"},
    {"key/sig of an UNAUTHORISED key", "the same hole: access control would not hold"},
    {"clock.id differs from key", "the clock's id decides the order: nobody may order another's entries"},
    {"clock.id arbitrary string", "the same"},
    {"clock.time far in the future", "one entry would push every clock to its end (HF_CLOCK_LEAP_MAX)"},
    {"clock.time not above its parents", "traversal order is the total order only when clocks rise"},
    {"clock.time zero", "the first clock is 1"},
    {"clock.time negative", "the first clock is 1"},
    {"clock.time float", "clocks are counted, not measured"},
    {"v = 1", "a version that we do not know may mean anything"},
};

static bool is_stricter(hf_bytes name) {
    for (size_t i = 0; i < HF_COUNT(stricter); i++)
        if (hf_starts(name, hf_str(stricter[i].name))) return true;
    return false;
}

static void judge_case(const hf_kit *kit, const hf_value *v, const hf_value *one, const hf_kit_store *store, size_t *n_stricter) {
    const hf_value *valid = hf_value_get(v, "validEntries"), *ids = hf_value_get(v, "write");
    hf_bytes write[8], block = hf_test_hex(text_of(one, "bytes")), name = text_of(one, "name");
    for (size_t i = 0; i < ids->as.list.n; i++) write[i] = hf_value_as_text(&ids->as.list.items[i]);
    hf_log_config config = {text_of(v, "logId"), write, ids->as.list.n, 3, NULL, NULL};
    hf_log *log = hf_log_new(hf_test_mem(), &config);
    for (size_t i = 0; i < HF_KIT_WRITERS; i++) CHECK_ERR(hf_log_identity(log, &kit->identities[i]), HF_OK);
    for (size_t i = 0; i < valid->as.list.n; i++)
        CHECK_ERR(hf_kit_join(log, hf_test_hex(text_of(&valid->as.list.items[i], "bytes")), NULL), HF_OK);
    hf_kit_join(log, block, NULL);
    size_t n_given_up = hf_kit_fetch(log, store);
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    bool taken = hf_log_find(log, digest) != UINT32_MAX, js = hf_value_as_bool(hf_value_get(one, "accepted"), false);
    bool want = js && !is_stricter(name);
    CHECK_MSG(taken == want, "%.*s: %s", (int)name.len, (const char *)name.ptr, taken ? "taken" : "refused");
    const hf_log_counters *c = hf_log_counts(log);
    CHECK_MSG(taken || n_given_up || c->refused_malformed + c->refused_denied + c->refused_limit, "%.*s: refused silently", (int)name.len,
              (const char *)name.ptr);
    CHECK_U64(hf_log_n_pending(log), 0);
    *n_stricter += js && !want;
    hf_log_free(log);
}

HF_TEST(log_invalid_entries) {
    hf_kit kit;
    hf_kit_store store;
    hf_kit_open(&kit);
    const hf_value *v = hf_test_json("orbitdb/invalid.json"), *cases = hf_value_get(v, "cases");
    hf_kit_store_open(&store);
    hf_kit_store_add_hex(&store, hf_value_get(v, "identityBlocks"));
    hf_kit_store_add_hex(&store, hf_value_get(v, "supportBlocks"));
    hf_kit_store_add_hex(&store, hf_value_get(v, "validEntries"));
    hf_kit_store_add_hex(&store, cases);
    size_t n_stricter = 0;
    for (size_t i = 0; i < cases->as.list.n; i++) judge_case(&kit, v, &cases->as.list.items[i], &store, &n_stricter);
    CHECK_U64(cases->as.list.n, 55);
    CHECK_U64(n_stricter, HF_COUNT(stricter));
    hf_kit_store_close(&store);
    hf_kit_close(&kit);
}

/* ---- our own rules ---- */

HF_TEST(log_clock_leaps) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_bytes address = HF_TEXT(HF_KIT_ADDRESS);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), address, 4, 4);
    hf_kit_entry root_leap = hf_kit_make(&kit, 0, HF_CLOCK_LEAP_MAX + 1, NULL, 0, NULL, 0);
    hf_kit_entry root = hf_kit_make(&kit, 0, HF_CLOCK_LEAP_MAX, NULL, 0, NULL, 0);
    const hf_kit_entry *on_root[] = {&root};
    hf_kit_entry same = hf_kit_make(&kit, 1, root.time, on_root, 1, NULL, 0), below_ref = hf_kit_make(&kit, 1, 5, NULL, 0, on_root, 1);
    hf_kit_entry leap = hf_kit_make(&kit, 1, root.time + HF_CLOCK_LEAP_MAX + 1, on_root, 1, NULL, 0);
    hf_kit_entry far = hf_kit_make(&kit, 1, root.time + HF_CLOCK_LEAP_MAX, on_root, 1, NULL, 0);
    CHECK_ERR(hf_kit_join(log, root_leap.block, NULL), HF_DENIED);
    CHECK_ERR(hf_kit_join(log, root.block, NULL), HF_OK);
    CHECK_ERR(hf_kit_join(log, same.block, NULL), HF_DENIED);
    CHECK_ERR(hf_kit_join(log, below_ref.block, NULL), HF_DENIED);
    CHECK_ERR(hf_kit_join(log, leap.block, NULL), HF_DENIED);
    CHECK_ERR(hf_kit_join(log, far.block, NULL), HF_OK);
    CHECK_ERR(hf_kit_join(log, leap.block, NULL), HF_OK); /* no leap any more: a refusal is not remembered */
    CHECK_U64(hf_log_counts(log)->refused_denied, 4);
    CHECK_U64(hf_log_counts(log)->joined, 3);
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* A ref is an ancestor that must be there, but only `next` makes a head no head. */
HF_TEST(log_refs_do_not_cover_heads) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 4, 4);
    hf_kit_entry a = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *on_a[] = {&a};
    hf_kit_entry b = hf_kit_make(&kit, 1, 0, NULL, 0, on_a, 1);
    uint32_t heads[4];
    size_t n;
    CHECK_ERR(hf_kit_join(log, b.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, a.block, NULL), HF_OK);
    CHECK_U64(hf_log_heads(log, heads, 4), 2);
    CHECK(hf_log_item_at(log, heads[0])->time == 2 && hf_log_item_at(log, heads[1])->time == 1);
    hf_kit_order(log, &n);
    CHECK_U64(n, 2);
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_counts_one_writer_in_two_places) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 4, 4);
    hf_kit_entry a = hf_kit_make(&kit, 0, 1, NULL, 0, NULL, 0), a2 = hf_kit_make(&kit, 0, 1, NULL, 0, NULL, 0);
    hf_kit_entry a3 = hf_kit_make(&kit, 0, 3, NULL, 0, NULL, 0), late = hf_kit_make(&kit, 0, 2, NULL, 0, NULL, 0);
    hf_kit_entry b = hf_kit_make(&kit, 1, 1, NULL, 0, NULL, 0), a4 = hf_kit_make(&kit, 0, 1, NULL, 0, NULL, 0);
    const hf_kit_entry *all[] = {&a, &a2, &a3, &late, &b, &a4};
    const uint64_t want[] = {0, 1, 1, 1, 1, 2};
    for (size_t i = 0; i < HF_COUNT(all); i++) {
        CHECK_ERR(hf_kit_join(log, all[i]->block, NULL), HF_OK);
        CHECK_U64(hf_log_counts(log)->equivocations, want[i]);
    }
    CHECK_U64(hf_log_n_writers(log), 2);
    CHECK_U64(hf_log_writer_time(log, 0), 3);
    CHECK_BYTES(hf_log_writer_key(log, 1), HF_BYTES(kit.writers[1].public_key, HF_PUBLIC_KEY_HEX_LEN));
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_access_list) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_bytes anyone[] = {HF_TEXT("*")}, null = HF_TEXT("\xf6");
    hf_log_config open_config = {HF_TEXT(HF_KIT_ADDRESS), anyone, 1, 1, NULL, NULL}, closed_config = {HF_TEXT(HF_KIT_ADDRESS), NULL, 0, 1, NULL, NULL};
    hf_log *open_log = hf_log_new(hf_test_mem(), &open_config), *closed = hf_log_new(hf_test_mem(), &closed_config);
    hf_buf block;
    uint32_t index;
    hf_buf_init(&block, hf_test_mem());
    CHECK_BYTES(hf_log_address(open_log), HF_TEXT(HF_KIT_ADDRESS));
    CHECK_ERR(hf_log_append(closed, &kit.writers[3], null, &block, &index), HF_DENIED);
    CHECK_ERR(hf_log_append(open_log, &kit.writers[3], null, &block, &index), HF_OK);
    CHECK(hf_log_knows_identity(open_log, kit.identities[3].digest)); /* its own writer's, so that it can load again */
    CHECK_ERR(hf_log_identity(closed, &kit.identities[3]), HF_OK);
    CHECK_ERR(hf_kit_join(closed, hf_buf_bytes(&block), NULL), HF_DENIED);
    hf_buf_clear(&block);
    CHECK_ERR(hf_log_append(open_log, &kit.writers[3], HF_TEXT("\xff"), &block, &index), HF_MALFORMED);
    CHECK_U64(hf_log_n(open_log), 1);
    hf_buf_deinit(&block);
    hf_log_free(open_log);
    hf_log_free(closed);
    hf_kit_close(&kit);
}

/* More heads than one entry can name: the newest are named, the others stay heads for the next. */
HF_TEST(log_append_on_many_heads) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 4, 4);
    for (size_t i = 0; i < 300; i++) CHECK_ERR(hf_kit_join(log, hf_kit_make(&kit, i % 3, 1 + i, NULL, 0, NULL, 0).block, NULL), HF_OK);
    const size_t want[] = {45, 1, 1};
    for (size_t i = 0; i < HF_COUNT(want); i++) {
        hf_buf block;
        uint32_t index;
        hf_entry e;
        hf_buf_init(&block, hf_test_mem());
        CHECK_ERR(hf_log_append(log, &kit.writers[3], hf_kit_payload(i), &block, &index), HF_OK);
        CHECK_ERR(hf_entry_read(hf_buf_bytes(&block), hf_test_arena(), &e, NULL), HF_OK);
        CHECK(block.len < 16 * 1024);
        CHECK_U64(e.time, 301 + i);
        CHECK_U64(e.n_refs, HF_LOG_REFS);
        CHECK_U64(hf_log_heads(log, NULL, 0), want[i]);
        hf_buf_deinit(&block);
    }
    hf_log_free(log);
    hf_kit_close(&kit);
}

static bool nested(void *ctx, uint32_t index) {
    (void)index;
    CHECK_ERR(hf_log_traverse(ctx, nested, ctx), HF_STATE);
    return false;
}

HF_TEST(log_traverse_does_not_nest) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 4, 4);
    CHECK_ERR(hf_log_traverse(log, nested, log), HF_OK);
    CHECK_ERR(hf_kit_join(log, hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0).block, NULL), HF_OK);
    CHECK_ERR(hf_log_traverse(log, nested, log), HF_OK);
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* ---- loading ---- */

HF_TEST(log_loads_what_it_indexed) {
    hf_kit kit;
    hf_kit_open(&kit);
    const hf_value *v = hf_test_json("orbitdb/log200.json"), *entries = hf_value_get(v, "entries");
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), text_of(v, "logId"), 3, 3), *stranger = hf_kit_log(&kit, hf_test_mem(), text_of(v, "logId"), 3, 0);
    hf_log *other = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
    hf_entry e;
    for (size_t i = 0; i < entries->as.list.n; i++) {
        hf_bytes block = hf_test_hex(text_of(&entries->as.list.items[i], "bytes"));
        CHECK_ERR(hf_log_load(stranger, block, &e, hf_test_arena(), NULL), HF_MISSING);
        CHECK_ERR(hf_log_load(other, block, &e, hf_test_arena(), NULL), HF_DENIED);
        if (i < 150) /* the newest has ancestors that are not there yet */
            CHECK_ERR(hf_log_load(log, hf_test_hex(text_of(&entries->as.list.items[199], "bytes")), &e, hf_test_arena(), NULL), HF_MISSING);
        CHECK_ERR(hf_log_load(log, block, &e, hf_test_arena(), NULL), HF_OK);
        CHECK_ERR(hf_log_load(log, block, &e, hf_test_arena(), NULL), HF_EXISTS);
    }
    check_order(log, entries);
    check_heads(log, hf_value_get(v, "finalHeads"));
    CHECK_ERR(hf_log_load(log, HF_TEXT("junk"), &e, hf_test_arena(), NULL), HF_MALFORMED);
    CHECK_U64(hf_log_n(stranger) + hf_log_n(other), 0);
    hf_log_free(log);
    hf_log_free(stranger);
    hf_log_free(other);
    hf_kit_close(&kit);
}

/* ---- memory ---- */

/* Each call that runs out of memory is made again with memory there: nothing may have been half done. */
static hf_err again(hf_err err, bool *failed) {
    if (err != HF_NOMEM) return HF_OK;
    *failed = true;
    hf_test_mem_fail_at(0);
    return HF_NOMEM;
}

static hf_err join_into(hf_log *log, hf_bytes block) {
    hf_arena arena;
    hf_entry e;
    uint32_t index;
    hf_arena_init(&arena, hf_test_mem());
    hf_err err = hf_log_join(log, block, &arena, &e, &index, NULL);
    hf_arena_deinit(&arena);
    return err;
}

static hf_err ready_into(hf_log *log) {
    hf_arena arena;
    hf_entry e;
    uint32_t index;
    hf_arena_init(&arena, hf_test_mem());
    hf_err err = hf_log_ready(log, &arena, &e, &index, NULL);
    hf_arena_deinit(&arena);
    return err;
}

static bool see(void *ctx, uint32_t index) {
    (void)ctx, (void)index;
    return true;
}

/* Newest first, identities in the middle, then an entry of our own. Returns whether memory failed on the way. */
static bool run_script(const hf_kit *kit, const hf_kit_entry *entries, size_t n, uint8_t ret_version[32]) {
    bool failed = false;
    hf_log *log;
    while (!(log = hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 4, 0))) again(HF_NOMEM, &failed);
    for (size_t i = n; i-- > 0;) {
        while (again(join_into(log, entries[i].block), &failed)) continue;
        if (i == n / 2)
            for (size_t k = 0; k < HF_KIT_WRITERS; k++)
                while (again(hf_log_identity(log, &kit->identities[k]), &failed)) continue;
    }
    for (hf_err err = HF_OK; err != HF_NOT_FOUND;) {
        err = ready_into(log);
        again(err, &failed);
    }
    CHECK_U64(hf_log_n(log), n);
    hf_buf block;
    uint32_t index;
    hf_buf_init(&block, hf_test_mem());
    while (again(hf_log_append(log, &kit->writers[0], HF_TEXT("\xf6"), &block, &index), &failed)) CHECK_U64(block.len, 0);
    while (again(hf_log_traverse(log, see, NULL), &failed)) continue;
    CHECK_U64(hf_log_n(log), n + 1);
    hf_log_version(log, ret_version);
    hf_buf_deinit(&block);
    hf_log_free(log);
    return failed;
}

HF_TEST(log_without_memory) {
    hf_kit kit;
    hf_kit_entry e[12];
    uint8_t want[32], got[32];
    hf_kit_open(&kit);
    for (size_t i = 0; i < HF_COUNT(e); i++) {
        const hf_kit_entry *next[] = {i ? &e[i - 1] : NULL, i > 1 ? &e[i - 2] : NULL};
        e[i] = hf_kit_make(&kit, i % 3, 0, next, i > 1 ? 2 : i, next, i > 0);
    }
    CHECK(!run_script(&kit, e, HF_COUNT(e), want));
    size_t n = 1;
    for (bool failed = true; failed; n++) {
        hf_test_mem_fail_at(n);
        failed = run_script(&kit, e, HF_COUNT(e), got);
        hf_test_mem_fail_at(0);
        CHECK_BYTES(HF_BYTES(got, 32), HF_BYTES(want, 32));
    }
    CHECK(n > 50);
    hf_kit_close(&kit);
}

/* Waiting: long chains backwards, what is asked for, what falls with what, and the limits. */
#include "log_kit.h"
#include "log_pool.h"

#include <string.h>

static hf_log *open_log(const hf_kit *kit, size_t n_known) {
    return hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, n_known);
}

/* Fifty thousand, the newest first: each waits for the one before, and the root lets all of them in, one after the other. */
HF_TEST(log_chain_delivered_backwards) {
    enum { LEN = 50000 };
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry *chain = hf_arena_alloc(hf_test_arena(), LEN * sizeof *chain);
    for (size_t i = 0; i < LEN; i++) {
        const hf_kit_entry *next[] = {i ? &chain[i - 1] : NULL};
        chain[i] = hf_kit_make(&kit, 0, 0, next, i > 0, NULL, 0);
    }
    hf_log *log = open_log(&kit, 1);
    for (size_t i = LEN; i-- > 1;) CHECK_ERR(hf_kit_join_only(log, chain[i].block), HF_MISSING);
    CHECK_U64(hf_log_n_pending(log), LEN - 1);
    hf_log_want want[2];
    CHECK_U64(hf_log_wanted(log, want, 2), 1);
    CHECK_BYTES(HF_BYTES(want[0].digest, 32), HF_BYTES(chain[0].digest, 32));
    size_t n_ready;
    CHECK_ERR(hf_kit_join(log, chain[0].block, &n_ready), HF_OK);
    CHECK_U64(n_ready, LEN - 1);
    CHECK_U64(hf_log_n_pending(log), 0);
    uint32_t head;
    CHECK_U64(hf_log_heads(log, &head, 1), 1);
    CHECK_U64(hf_log_item_at(log, head)->time, LEN);
    for (uint32_t i = 0; i < LEN; i++) CHECK(memcmp(hf_log_item_at(log, i)->digest, chain[i].digest, 32) == 0);
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* root <- a <- b <- c, and d on root and b. */
typedef struct family {
    hf_kit_entry root, a, b, c, d;
} family;

static void make_family(const hf_kit *kit, family *f) {
    f->root = hf_kit_make(kit, 0, 0, NULL, 0, NULL, 0);
    const hf_kit_entry *root[] = {&f->root}, *a[] = {&f->a}, *b[] = {&f->b};
    f->a = hf_kit_make(kit, 1, 0, root, 1, NULL, 0);
    f->b = hf_kit_make(kit, 0, 0, a, 1, root, 1);
    f->c = hf_kit_make(kit, 2, 0, b, 1, a, 1);
    f->d = hf_kit_make(kit, 1, 0, b, 1, root, 1);
}

static bool wants(const hf_log_want *list, size_t n, const uint8_t digest[32], bool identity) {
    for (size_t i = 0; i < n; i++)
        if (list[i].identity == identity && memcmp(list[i].digest, digest, 32) == 0) return true;
    return false;
}

HF_TEST(log_wanted_is_told_once) {
    hf_kit kit;
    family f;
    hf_log_want w[8];
    hf_kit_open(&kit);
    make_family(&kit, &f);
    hf_log *log = open_log(&kit, 2);
    CHECK_U64(hf_log_wanted(log, w, 8), 0);
    CHECK_ERR(hf_kit_join(log, f.c.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, f.c.block, NULL), HF_MISSING); /* waits already */
    CHECK_U64(hf_log_n_pending(log), 1);
    CHECK(hf_log_waiting(log, f.c.digest) && !hf_log_waiting(log, f.b.digest));
    CHECK_U64(hf_log_wanted(log, w, 8), 3);
    CHECK(wants(w, 3, f.b.digest, false) && wants(w, 3, f.a.digest, false) && wants(w, 3, kit.identities[2].digest, true));
    CHECK_U64(hf_log_wanted(log, w, 8), 0);
    CHECK_ERR(hf_kit_join(log, f.b.block, NULL), HF_MISSING);
    CHECK_U64(hf_log_wanted(log, w, 8), 1); /* a is asked for already */
    CHECK(wants(w, 1, f.root.digest, false));
    hf_log_rewant(log);
    CHECK_U64(hf_log_wanted(log, w, 2), 2);
    CHECK_U64(hf_log_wanted(log, w, 8), 1); /* b waits itself: it need not be fetched */
    CHECK_ERR(hf_kit_join(log, f.root.block, NULL), HF_OK);
    size_t n_ready;
    CHECK_ERR(hf_kit_join(log, f.a.block, &n_ready), HF_OK);
    CHECK_U64(n_ready, 1);
    CHECK_ERR(hf_log_identity(log, &kit.identities[2]), HF_OK);
    CHECK_U64(hf_kit_drain(log), 1);
    CHECK_U64(hf_log_n(log), 4);
    CHECK_U64(hf_log_n_pending(log), 0);
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_give_up_takes_descendants) {
    hf_kit kit;
    family f;
    hf_kit_open(&kit);
    make_family(&kit, &f);
    hf_log *log = open_log(&kit, 2);
    const hf_kit_entry *all[] = {&f.d, &f.c, &f.b};
    for (size_t i = 0; i < 3; i++) CHECK_ERR(hf_kit_join(log, all[i]->block, NULL), HF_MISSING);
    CHECK_U64(hf_log_give_up(log, f.c.digest), 0); /* nobody waits for c */
    CHECK_U64(hf_log_give_up(log, kit.identities[2].digest), 1);
    CHECK(!hf_log_waiting(log, f.c.digest));
    CHECK_U64(hf_log_give_up(log, f.a.digest), 2);
    CHECK_U64(hf_log_n_pending(log), 0);
    hf_log_want w[8];
    CHECK_U64(hf_log_wanted(log, w, 8), 0);
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* An ancestor that is refused takes those that wait for it: by signature, by form, by clock, and by an identity that may not write. */
HF_TEST(log_refused_ancestor_takes_descendants) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_kit_entry root = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0), stranger = hf_kit_make(&kit, 3, 0, NULL, 0, NULL, 0);
    uint8_t *bent = (uint8_t *)hf_arena_copy(hf_test_arena(), root.block).ptr;
    bent[root.block.len - 100] ^= 1; /* within the payload or clock: the signature does not fit */
    hf_kit_entry bad_sig = {.block = HF_BYTES(bent, root.block.len)}, junk = {.block = HF_TEXT("\xa0")};
    hf_kit_entry leap = hf_kit_make(&kit, 0, HF_CLOCK_LEAP_MAX + 9, NULL, 0, NULL, 0);
    hf_sha256_of(bad_sig.block, bad_sig.digest);
    hf_sha256_of(junk.block, junk.digest);
    const struct {
        const hf_kit_entry *ancestor;
        hf_err err;
    } rows[] = {{&bad_sig, HF_DENIED}, {&junk, HF_MALFORMED}, {&leap, HF_DENIED}, {&stranger, HF_DENIED}};
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_log *log = open_log(&kit, 3);
        CHECK_ERR(hf_log_identity(log, &kit.identities[3]), HF_OK);
        const hf_kit_entry *on[] = {rows[i].ancestor}, *on_child[1];
        hf_kit_entry child = hf_kit_make(&kit, 1, 0, on, 1, NULL, 0);
        on_child[0] = &child;
        hf_kit_entry grandchild = hf_kit_make(&kit, 2, 0, on_child, 1, NULL, 0);
        CHECK_ERR(hf_kit_join(log, grandchild.block, NULL), HF_MISSING);
        CHECK_ERR(hf_kit_join(log, child.block, NULL), HF_MISSING);
        CHECK_ERR(hf_kit_join(log, rows[i].ancestor->block, NULL), rows[i].err);
        CHECK_U64(hf_log_n_pending(log), 0);
        CHECK_U64(hf_log_n(log), 0);
        CHECK_U64(hf_log_counts(log)->refused_malformed, rows[i].err == HF_MALFORMED ? 3 : 0);
        CHECK_U64(hf_log_counts(log)->refused_denied, rows[i].err == HF_DENIED ? 3 : 0);
        hf_log_free(log);
    }
    hf_kit_close(&kit);
}

/* Judged only when its writer is known: refused then, with its descendants, and others are not held up. */
HF_TEST(log_refused_when_its_turn_comes) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, 1);
    hf_kit_entry root = hf_kit_make(&kit, 1, 0, NULL, 0, NULL, 0);
    uint8_t *bent = (uint8_t *)hf_arena_copy(hf_test_arena(), root.block).ptr;
    bent[100] = bent[100] == 'a' ? 'b' : 'a';
    uint8_t *sig = NULL; /* a hex digit of the signature */
    for (size_t i = 0; i + 4 < root.block.len && !sig; i++)
        if (memcmp(bent + i, "csig", 4) == 0) sig = bent + i + 40;
    CHECK(sig != NULL);
    memcpy(bent, root.block.ptr, root.block.len);
    *sig = *sig == '1' ? '2' : '1';
    hf_kit_entry bad = {.block = HF_BYTES(bent, root.block.len)};
    hf_sha256_of(bad.block, bad.digest);
    const hf_kit_entry *on_bad[] = {&bad}, *on_root[] = {&root};
    hf_kit_entry child = hf_kit_make(&kit, 0, 2, on_bad, 1, NULL, 0), other = hf_kit_make(&kit, 0, 0, on_root, 1, NULL, 0);
    CHECK_ERR(hf_kit_join(log, bad.block, NULL), HF_MISSING); /* bob's identity is not known */
    CHECK_ERR(hf_kit_join(log, child.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, root.block, NULL), HF_MISSING);
    CHECK_ERR(hf_kit_join(log, other.block, NULL), HF_MISSING);
    CHECK_ERR(hf_log_identity(log, &kit.identities[1]), HF_OK);
    CHECK_U64(hf_kit_drain(log), 2);
    CHECK_U64(hf_log_n(log), 2);
    CHECK_U64(hf_log_n_pending(log), 0);
    CHECK_U64(hf_log_counts(log)->refused_denied, 2);
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_stranger_takes_what_waits_for_it) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, 3);
    hf_kit_entry entry = hf_kit_make(&kit, 3, 0, NULL, 0, NULL, 0);
    CHECK_ERR(hf_kit_join(log, entry.block, NULL), HF_MISSING);
    CHECK_ERR(hf_log_identity(log, &kit.identities[3]), HF_OK); /* dave may not write here */
    CHECK_U64(hf_log_n_pending(log), 0);
    CHECK_U64(hf_log_counts(log)->refused_denied, 1);
    CHECK_ERR(hf_kit_join(log, entry.block, NULL), HF_DENIED);
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* Strangers' identities are remembered up to a number, then judged and forgotten. */
HF_TEST(log_remembers_few_strangers) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = open_log(&kit, 0);
    hf_identity identity = kit.identities[3];
    size_t n = 0;
    for (; n < 5000; n++) {
        memcpy(identity.digest, &n, sizeof n);
        if (hf_log_identity(log, &identity)) break;
    }
    CHECK_U64(n, 1024);
    CHECK(!hf_log_knows_identity(log, identity.digest));
    CHECK_ERR(hf_log_identity(log, &kit.identities[0]), HF_OK); /* those who may write are not strangers */
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* ---- limits, on the pool itself: no signatures needed ---- */

typedef struct flood {
    hf_pool pool;
    size_t n_evicted;
} flood;

static void number_digest(uint64_t n, uint8_t ret[32]) {
    memset(ret, 0, 32);
    memcpy(ret, &n, sizeof n);
    ret[31] = 1;
}

/* Entry `n` waits for entry `n - 1`, or for `missing` when that is not 0. */
static hf_err add(flood *f, uint64_t n, uint64_t missing, uint64_t time, size_t block_len) {
    static const uint8_t zeros[HF_ENTRY_BYTES_MAX];
    uint8_t digest[32];
    const uint8_t *list[] = {digest};
    hf_pool_new what = {.time = time, .block = HF_BYTES(zeros, block_len), .missing = list, .n_missing = 1};
    number_digest(missing ? missing : n - 1, digest);
    number_digest(n, what.digest);
    size_t n_evicted;
    hf_err err = hf_pool_add(&f->pool, &what, &n_evicted);
    f->n_evicted += n_evicted;
    return err;
}

static bool there(const flood *f, uint64_t n) {
    uint8_t digest[32];
    number_digest(n, digest);
    return hf_pool_find(&f->pool, digest) != NULL;
}

HF_TEST(pool_is_bounded_by_count) {
    flood f = {.n_evicted = 0};
    hf_pool_init(&f.pool, hf_test_mem(), 3);
    for (uint64_t i = 0; i < HF_LOG_PENDING_MAX; i++) CHECK_ERR(add(&f, 10 + i, 5, 1000 + i, 10), HF_OK);
    CHECK_ERR(add(&f, 1, 5, 1000 + HF_LOG_PENDING_MAX, 10), HF_LIMIT); /* the newest of all is the one that goes */
    CHECK_ERR(add(&f, 2, 5, 999 + HF_LOG_PENDING_MAX, 10), HF_LIMIT);
    CHECK_U64(f.n_evicted, 0);
    CHECK_ERR(add(&f, 3, 5, 500, 10), HF_OK);
    CHECK_U64(f.n_evicted, 1);
    CHECK(there(&f, 3) && !there(&f, 9 + HF_LOG_PENDING_MAX) && there(&f, 8 + HF_LOG_PENDING_MAX));
    CHECK_U64(f.pool.entries.n, HF_LOG_PENDING_MAX);
    hf_pool_deinit(&f.pool);
}

HF_TEST(pool_is_bounded_by_bytes) {
    flood f = {.n_evicted = 0};
    hf_pool_init(&f.pool, hf_test_mem(), 3);
    const uint64_t n = HF_LOG_PENDING_BYTES_MAX / HF_ENTRY_BYTES_MAX;
    for (uint64_t i = 0; i < n; i++) CHECK_ERR(add(&f, 10 + i, 5, 1000 + i, HF_ENTRY_BYTES_MAX), HF_OK);
    CHECK_ERR(add(&f, 1, 5, 5000, 1), HF_LIMIT);
    CHECK_ERR(add(&f, 2, 5, 1, 1), HF_OK);
    CHECK_U64(f.n_evicted, 1);
    CHECK(f.pool.block_bytes <= HF_LOG_PENDING_BYTES_MAX);
    hf_pool_deinit(&f.pool);
}

/* What waits for the evicted one goes with it, and is counted. */
HF_TEST(pool_evicts_descendants_too) {
    flood f = {.n_evicted = 0};
    hf_pool_init(&f.pool, hf_test_mem(), 3);
    for (uint64_t i = 0; i < HF_LOG_PENDING_MAX - 100; i++) CHECK_ERR(add(&f, 1000 + i, 5, 10, 1), HF_OK);
    CHECK_ERR(add(&f, 500, 6, 99, 1), HF_OK);
    for (uint64_t i = 1; i < 100; i++) CHECK_ERR(add(&f, 500 + i, 0, 50, 1), HF_OK); /* a chain on 500, with clocks that lie */
    CHECK_ERR(add(&f, 1, 5, 7, 1), HF_OK);
    CHECK_U64(f.n_evicted, 100);
    CHECK_U64(f.pool.entries.n, HF_LOG_PENDING_MAX - 99);
    CHECK_U64(f.pool.wants[0].n, 1);
    hf_pool_deinit(&f.pool);
}

/* Against a dumb model: random adds, arrivals and losses; afterwards heap, wants and queue agree with what a plain table says. */
enum { MODEL = 60 };
typedef struct model {
    bool waits[MODEL + 1], here[MODEL + 1];
    uint64_t parent[MODEL + 1];
} model;

static size_t model_fall(model *m, uint64_t n) {
    size_t count = 0;
    for (uint64_t i = 1; i <= MODEL; i++)
        if (m->waits[i] && m->parent[i] == n) {
            m->waits[i] = false;
            count += 1 + model_fall(m, i);
        }
    return count;
}

static size_t model_ready(const model *m) {
    size_t n = 0;
    for (uint64_t i = 1; i <= MODEL; i++) n += m->waits[i] && m->here[m->parent[i]];
    return n;
}

static void step(flood *f, model *m, uint64_t *random) {
    uint64_t n = 1 + hf_test_random(random) % MODEL, parent = hf_test_random(random) % n;
    uint8_t digest[32];
    number_digest(n, digest);
    if (hf_test_random(random) % 3 && !m->waits[n] && !m->here[n] && !m->here[parent] && parent) {
        CHECK_ERR(add(f, n, parent, n, 3), HF_OK);
        m->waits[n] = true;
        m->parent[n] = parent;
    } else if (hf_test_random(random) % 2 && !m->waits[n]) {
        hf_pool_met(&f->pool, digest, HF_POOL_ENTRY);
        m->here[n] = true;
    } else if (!m->here[n] && !m->waits[n]) CHECK_U64(hf_pool_fell(&f->pool, digest, HF_POOL_ENTRY), model_fall(m, n));
    for (hf_pool_entry *e; (e = hf_pool_ready(&f->pool));) {
        uint64_t k;
        memcpy(&k, e->digest, sizeof k);
        CHECK(m->waits[k] && m->here[m->parent[k]]);
        m->waits[k] = false;
        m->here[k] = true;
        memcpy(digest, e->digest, 32);
        hf_pool_take_ready(&f->pool);
        hf_pool_met(&f->pool, digest, HF_POOL_ENTRY);
    }
    CHECK_U64(model_ready(m), 0);
}

HF_TEST(pool_does_what_a_dumb_model_does) {
    uint64_t random = 11;
    for (size_t round = 0; round < 100; round++) {
        flood f = {.n_evicted = 0};
        model m;
        memset(&m, 0, sizeof m);
        hf_pool_init(&f.pool, hf_test_mem(), round);
        for (size_t i = 0; i < 200; i++) step(&f, &m, &random);
        size_t n = 0;
        for (uint64_t i = 1; i <= MODEL; i++) {
            n += m.waits[i];
            CHECK(there(&f, i) == m.waits[i]);
        }
        CHECK_U64(f.pool.entries.n, n);
        CHECK_U64(f.pool.n_heap, n);
        for (size_t i = 1; i < f.pool.n_heap; i++) CHECK(f.pool.heap[i]->time <= f.pool.heap[(i - 1) / 2]->time);
        hf_pool_deinit(&f.pool);
    }
}

/* One state whatever the order of arrival, and js's order of traversal.
 *
 * Worlds are small and random: several writers, forks, merges, refs, and (in every second world) one writer in two places at once. */
#include "log_kit.h"

#include <string.h>

enum { WORLD_MAX = 10 };

typedef struct world {
    hf_kit_entry entries[WORLD_MAX];
    size_t n;
} world;

static size_t below(uint64_t *random, size_t n) { return (size_t)(hf_test_random(random) % n); }

/* By hand: any earlier entries as parents and refs, any writer. */
static void make_wild(const hf_kit *kit, uint64_t *random, world *w) {
    w->n = 3 + below(random, WORLD_MAX - 4);
    for (size_t i = 0; i < w->n; i++) {
        const hf_kit_entry *next[4], *refs[4];
        size_t n_next = i ? below(random, 4) : 0, n_refs = i ? below(random, 3) : 0;
        for (size_t k = 0; k < n_next; k++) next[k] = &w->entries[below(random, i)];
        for (size_t k = 0; k < n_refs; k++) refs[k] = &w->entries[below(random, i)];
        w->entries[i] = hf_kit_make(kit, below(random, 3), 0, next, n_next, refs, n_refs);
    }
}

static void append(const hf_kit *kit, hf_log *log, size_t writer, world *w) {
    hf_buf block;
    uint32_t index;
    hf_kit_entry *e = &w->entries[w->n++];
    hf_buf_init(&block, hf_test_mem());
    CHECK_ERR(hf_log_append(log, &kit->writers[writer], hf_kit_payload(w->n), &block, &index), HF_OK);
    e->block = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&block));
    e->time = hf_log_item_at(log, index)->time;
    memcpy(e->digest, hf_log_item_at(log, index)->digest, 32);
    hf_buf_deinit(&block);
}

/* By three honest writers who hear of each other now and then. */
static void make_honest(const hf_kit *kit, uint64_t *random, world *w) {
    hf_log *logs[3];
    for (size_t i = 0; i < 3; i++) logs[i] = hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
    size_t n = 3 + below(random, WORLD_MAX - 3);
    for (w->n = 0; w->n < n;) {
        size_t who = below(random, 3);
        for (size_t i = 0; i < w->n && below(random, 3) == 0; i++) hf_kit_join(logs[who], w->entries[i].block, NULL);
        append(kit, logs[who], who, w);
    }
    for (size_t i = 0; i < 3; i++) hf_log_free(logs[i]);
}

/* ---- what must be equal ---- */

typedef struct state {
    uint8_t version[32], order[WORLD_MAX][32], heads[WORLD_MAX][32];
    size_t n, n_heads;
    uint64_t equivocations;
} state;

typedef struct collected {
    const hf_log *log;
    state *state;
} collected;

static bool collect(void *ctx, uint32_t index) {
    collected *c = ctx;
    CHECK(c->state->n < WORLD_MAX);
    memcpy(c->state->order[c->state->n++], hf_log_item_at(c->log, index)->digest, 32);
    return true;
}

static state state_of(const hf_log *log) {
    state s;
    memset(&s, 0, sizeof s);
    collected c = {log, &s};
    uint32_t heads[WORLD_MAX];
    hf_log_version(log, s.version);
    CHECK_ERR(hf_log_traverse(log, collect, &c), HF_OK);
    s.n_heads = hf_log_heads(log, heads, WORLD_MAX);
    for (size_t i = 0; i < s.n_heads; i++) memcpy(s.heads[i], hf_log_item_at(log, heads[i])->digest, 32);
    s.equivocations = hf_log_counts(log)->equivocations;
    return s;
}

/* ---- joining in some order ---- */

static void shuffle(uint64_t *random, size_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t k = below(random, i), t = order[i - 1];
        order[i - 1] = order[k];
        order[k] = t;
    }
}

/* What may happen between two arrivals: a writer becomes known, what is ready joins, somebody asks what is missing and cannot get it. */
static void something_else(const hf_kit *kit, uint64_t *random, hf_log *log) {
    hf_log_want want;
    switch (below(random, 6)) {
    case 0: CHECK_ERR(hf_log_identity(log, &kit->identities[below(random, 3)]), HF_OK); break;
    case 1: hf_kit_drain(log); break;
    case 2: hf_log_rewant(log); break;
    case 3:
        if (hf_log_wanted(log, &want, 1) && below(random, 4) == 0) hf_log_give_up(log, want.digest);
        break;
    default: break;
    }
}

/* One pass over all entries in a random order, some left out, some twice. */
static void one_pass(const hf_kit *kit, uint64_t *random, const world *w, hf_log *log, bool all) {
    size_t order[WORLD_MAX];
    shuffle(random, order, w->n);
    for (size_t i = 0; i < w->n; i++) {
        something_else(kit, random, log);
        if (!all && below(random, 8) == 0) continue;
        hf_err err = hf_kit_join_only(log, w->entries[order[i]].block);
        CHECK(err == HF_OK || err == HF_EXISTS || err == HF_MISSING);
        if (below(random, 3) == 0) hf_kit_drain(log);
    }
    hf_kit_drain(log);
}

static state join_somehow(const hf_kit *kit, uint64_t *random, const world *w) {
    hf_log *log = hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, below(random, 4));
    one_pass(kit, random, w, log, below(random, 2) == 0);
    for (size_t i = 0; i < 3; i++) CHECK_ERR(hf_log_identity(log, &kit->identities[i]), HF_OK);
    for (size_t pass = 0; hf_log_n(log) < w->n; pass++) {
        CHECK_MSG(pass < WORLD_MAX, "does not come together");
        one_pass(kit, random, w, log, true);
    }
    CHECK_U64(hf_log_n_pending(log), 0);
    const hf_log_counters *c = hf_log_counts(log);
    CHECK_U64(c->refused_denied + c->refused_malformed + c->refused_limit, 0);
    state s = state_of(log);
    hf_log_free(log);
    return s;
}

HF_TEST(log_ten_thousand_join_orders) {
    enum { WORLDS = 250, ORDERS = 40 };
    hf_kit kit;
    uint64_t random = 42;
    size_t n_joins = 0, n_forked = 0, n_equivocal = 0;
    hf_kit_open(&kit);
    for (size_t i = 0; i < WORLDS; i++) {
        world w;
        if (i % 2) make_wild(&kit, &random, &w);
        else make_honest(&kit, &random, &w);
        state first = join_somehow(&kit, &random, &w);
        CHECK_U64(first.n, w.n);
        for (size_t k = 1; k < ORDERS; k++) {
            state other = join_somehow(&kit, &random, &w);
            CHECK_MSG(memcmp(&first, &other, sizeof first) == 0, "world %zu, order %zu differs", i, k);
        }
        n_joins += ORDERS;
        n_forked += first.n_heads > 1;
        n_equivocal += first.equivocations > 0;
    }
    CHECK_U64(n_joins, 10000);
    CHECK_MSG(n_forked >= 100 && n_equivocal >= 30, "%zu forked, %zu equivocal", n_forked, n_equivocal);
    hf_kit_close(&kit);
}

/* Small worlds, all of them: every order in which five entries can arrive. */
static void every_order(const hf_kit *kit, const world *w, size_t *order, size_t k, const state *want, size_t *n_orders) {
    for (size_t i = k; i < w->n; i++) {
        size_t t = order[k];
        order[k] = order[i];
        order[i] = t;
        every_order(kit, w, order, k + 1, want, n_orders);
        order[i] = order[k];
        order[k] = t;
    }
    if (k < w->n) return;
    hf_log *log = hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
    for (size_t i = 0; i < w->n; i++) hf_kit_join(log, w->entries[order[i]].block, NULL);
    state got = state_of(log);
    CHECK(memcmp(&got, want, sizeof got) == 0);
    hf_log_free(log);
    ++*n_orders;
}

HF_TEST(log_every_join_order_of_five) {
    hf_kit kit;
    uint64_t random = 7;
    hf_kit_open(&kit);
    for (size_t i = 0; i < 4; i++) {
        world w;
        do make_wild(&kit, &random, &w);
        while (w.n < 5);
        w.n = 5;
        size_t order[WORLD_MAX] = {0, 1, 2, 3, 4}, n_orders = 0;
        state want = join_somehow(&kit, &random, &w);
        every_order(&kit, &w, order, 0, &want, &n_orders);
        CHECK_U64(n_orders, 120);
    }
    hf_kit_close(&kit);
}

/* ---- js's traversal, written down literally (section 7) ---- */

enum { LITERAL_MAX = 64 };

typedef struct set {
    bool has[LITERAL_MAX];
} set;

typedef struct list {
    uint32_t at[LITERAL_MAX * LITERAL_MAX];
    size_t n;
} list;

/* "stable-sort the stack ascending" */
static void stable_sort(const hf_log *log, list *l) {
    for (size_t i = 1; i < l->n; i++)
        for (size_t k = i; k && hf_log_compare(log, l->at[k - 1], l->at[k]) > 0; k--) {
            uint32_t t = l->at[k];
            l->at[k] = l->at[k - 1];
            l->at[k - 1] = t;
        }
}

typedef struct literal {
    set visited, requested;
    list stack, pending, out;
} literal;

/* next lists come from the blocks, as js has them. */
static void add_next(literal *t, const hf_log *log, const world *w, uint32_t item, list *to, bool unique) {
    hf_entry e;
    for (size_t i = 0; i < w->n; i++) {
        if (memcmp(w->entries[i].digest, hf_log_item_at(log, item)->digest, 32) != 0) continue;
        CHECK_ERR(hf_entry_read(w->entries[i].block, hf_test_arena(), &e, NULL), HF_OK);
        for (size_t k = 0; k < e.n_next; k++) {
            uint32_t next = hf_log_find(log, e.next[k]);
            bool there = t->visited.has[next] || t->requested.has[next];
            for (size_t m = 0; m < to->n && unique && !there; m++) there = to->at[m] == next;
            if (!there) to->at[to->n++] = next;
        }
    }
}

static void literal_step(literal *t, const hf_log *log, const world *w) {
    stable_sort(log, &t->stack);
    uint32_t item = t->stack.at[--t->stack.n];
    if (t->visited.has[item]) return;
    t->out.at[t->out.n++] = item;
    t->visited.has[item] = t->requested.has[item] = true;
    add_next(t, log, w, item, &t->pending, false);
    list loaded = {.n = 0}, pending = {.n = 0};
    for (size_t i = 0; i < t->pending.n; i++) {
        if (t->requested.has[t->pending.at[i]]) continue;
        t->requested.has[t->pending.at[i]] = true;
        loaded.at[loaded.n++] = t->pending.at[i];
    }
    for (size_t i = 0; i < loaded.n; i++) add_next(t, log, w, loaded.at[i], &pending, true);
    t->pending = pending;
    for (size_t i = 0; i < t->stack.n; i++) loaded.at[loaded.n++] = t->stack.at[i];
    t->stack = loaded;
}

HF_TEST(log_traverses_as_js_does) {
    hf_kit kit;
    uint64_t random = 99;
    hf_kit_open(&kit);
    for (size_t round = 0; round < 60; round++) {
        world w;
        literal t;
        size_t n;
        if (round % 2) make_wild(&kit, &random, &w);
        else make_honest(&kit, &random, &w);
        hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
        for (size_t i = 0; i < w.n; i++) CHECK_ERR(hf_kit_join(log, w.entries[i].block, NULL), HF_OK);
        memset(&t, 0, sizeof t);
        t.stack.n = hf_log_heads(log, t.stack.at, LITERAL_MAX);
        while (t.stack.n) literal_step(&t, log, &w);
        const uint32_t *order = hf_kit_order(log, &n);
        CHECK_U64(n, w.n);
        CHECK_BYTES(HF_BYTES(order, n * sizeof *order), HF_BYTES(t.out.at, t.out.n * sizeof *order));
        hf_log_free(log);
    }
    hf_kit_close(&kit);
}

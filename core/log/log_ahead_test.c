/* Entries looked at ahead are judged as those that were not: good, tampered, of another log, of writers that nobody knows. */
#include "log_kit.h"

#include <string.h>

enum { N = 60 };

typedef struct counter { size_t n_runs, n_each; } counter;

/* Backwards, for the order must not matter. */
static void run_backwards(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg) {
    counter *c = ctx;
    c->n_runs++;
    c->n_each += n;
    while (n > 0) each(arg, --n);
}

static void run_nothing(void *ctx, size_t n, void (*each)(void *arg, size_t i), void *arg) { (void)ctx, (void)n, (void)each, (void)arg; }

typedef struct world {
    hf_kit kit;
    hf_bytes blocks[N];
} world;

static size_t below(uint64_t *rng, size_t n) { return (size_t)(hf_test_random(rng) % n); }

static void tamper(hf_bytes *block, uint64_t *rng) {
    hf_bytes copy = hf_arena_copy(hf_test_arena(), *block);
    ((uint8_t *)(uintptr_t)copy.ptr)[below(rng, copy.len)] ^= (uint8_t)(1 + below(rng, 255));
    *block = copy;
}

static void make(world *w, uint64_t *rng) {
    hf_kit_entry entries[N];
    hf_kit_open(&w->kit);
    for (size_t i = 0; i < N; i++) {
        const hf_kit_entry *next = i ? &entries[i - 1 - below(rng, i < 3 ? i : 3)] : NULL;
        size_t writer = below(rng, HF_KIT_WRITERS);
        entries[i] = hf_kit_make(&w->kit, writer, 0, &next, next != NULL, NULL, 0);
        w->blocks[i] = entries[i].block;
        if (below(rng, 4) == 0) tamper(&w->blocks[i], rng);
    }
}

/* Three writers are known, two of them may write. */
static void check_same(const world *w, const hf_spread *spread) {
    hf_log *plain = hf_kit_log(&w->kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 2, 3);
    hf_log *ahead = hf_kit_log(&w->kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 2, 3);
    CHECK(plain && ahead);
    hf_log_look_ahead(ahead, spread, w->blocks, N);
    for (size_t i = 0; i < N; i++) {
        size_t n_plain, n_ahead;
        hf_err want = hf_kit_join(plain, w->blocks[i], &n_plain);
        CHECK_ERR(hf_kit_join(ahead, w->blocks[i], &n_ahead), want);
        CHECK_U64(n_ahead, n_plain);
    }
    CHECK_U64(hf_log_n(ahead), hf_log_n(plain));
    CHECK(!memcmp(hf_log_counts(ahead), hf_log_counts(plain), sizeof *hf_log_counts(plain)));
    hf_log_free(plain);
    hf_log_free(ahead);
}

HF_TEST(log_looked_at_ahead_is_judged_the_same) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        world w;
        counter c = {0, 0};
        uint64_t rng = seed;
        make(&w, &rng);
        check_same(&w, &(hf_spread){run_backwards, &c});
        CHECK(c.n_runs == 1 && c.n_each > 0);
        check_same(&w, &(hf_spread){run_nothing, NULL});
        hf_kit_close(&w.kit);
    }
}

HF_TEST(log_looks_ahead_at_what_it_does_not_have) {
    world w;
    counter c = {0, 0};
    hf_spread spread = {run_backwards, &c};
    hf_kit_open(&w.kit);
    for (size_t i = 0; i < N; i++) w.blocks[i] = hf_kit_make(&w.kit, 0, i + 1, NULL, 0, NULL, 0).block;
    hf_log *log = hf_kit_log(&w.kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 1, 1);
    hf_log_look_ahead(log, &spread, w.blocks, N);
    CHECK_U64(c.n_each, N);
    for (size_t i = 0; i < N; i += 2) CHECK_ERR(hf_kit_join(log, w.blocks[i], NULL), HF_OK);
    hf_log_look_ahead(log, &spread, w.blocks, N);
    CHECK_U64(c.n_each, N + N / 2);
    hf_log_free(log);
    hf_kit_close(&w.kit);
}

static hf_bytes with_bad_signature(hf_bytes block) {
    hf_entry e;
    hf_bytes copy = hf_arena_copy(hf_test_arena(), block);
    CHECK_ERR(hf_entry_read(copy, hf_test_arena(), &e, NULL), HF_OK);
    uint8_t *digit = (uint8_t *)(uintptr_t)copy.ptr + (e.sig.ptr - copy.ptr) + e.sig.len - 1;
    *digit = *digit == '0' ? '1' : '0';
    return copy;
}

/* What somebody else has checked is not checked again: it comes in although its signature would not hold. Another one is judged as ever. */
HF_TEST(log_takes_the_word_for_what_was_checked) {
    hf_kit kit;
    uint8_t digest[32];
    hf_kit_open(&kit);
    hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 1, 1);
    hf_bytes bad = with_bad_signature(hf_kit_make(&kit, 0, 1, NULL, 0, NULL, 0).block), worse = with_bad_signature(hf_kit_make(&kit, 0, 2, NULL, 0, NULL, 0).block);
    hf_sha256_of(bad, digest);
    hf_log_holds(log, digest);
    CHECK_ERR(hf_kit_join(log, bad, NULL), HF_OK);
    CHECK_ERR(hf_kit_join(log, worse, NULL), HF_DENIED);
    hf_log_free(log);
    hf_kit_close(&kit);
}

HF_TEST(log_looks_ahead_without_memory) {
    for (size_t at = 1; at < 40; at++) {
        hf_kit kit;
        counter c = {0, 0};
        hf_kit_open(&kit);
        hf_kit_entry a = hf_kit_make(&kit, 0, 0, NULL, 0, NULL, 0);
        hf_log *log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 1, 1);
        hf_test_mem_fail_at(at);
        hf_log_look_ahead(log, &(hf_spread){run_backwards, &c}, &a.block, 1);
        hf_test_mem_fail_at(0);
        CHECK_ERR(hf_kit_join(log, a.block, NULL), HF_OK);
        hf_log_free(log);
        hf_kit_close(&kit);
    }
}

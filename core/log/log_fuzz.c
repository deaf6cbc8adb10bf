/* The pool and the index under any sequence of arrivals. Random bytes are never signed, so what arrives here are twelve good
 * entries and bent ones, in the order that the input says, with identities, giving up, draining and appending in between. At the end all good ones come once more, and
 * the log must hold exactly its good entries and its own, traversed once each, newest first. */
#include "log.h"

#include "../../tests/kit/fuzz.h"

#include <string.h>

enum { GOOD = 12, OPS_MAX = 64 };
#define ADDRESS "/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3"

static hf_mem mem = {hf_fuzz_resize, NULL};

typedef struct world {
    bool made;
    hf_writer writers[3];
    hf_identity identities[3];
    hf_buf blocks[GOOD];
    uint8_t digests[GOOD][32];
} world;

/* Each entry on one or two of those before it, by turns of three writers. Made once: signing is slow. */
static void make(world *w) {
    uint8_t seed[32] = {1}, time[GOOD] = {0};
    hf_arena arena;
    hf_secp *secp = hf_secp_new(&mem, seed);
    hf_arena_init(&arena, &mem);
    for (uint8_t i = 0; i < 3; i++) {
        uint8_t root[32] = {1, i}, signing[32] = {2, i};
        HF_ASSERT(!hf_writer_init(&w->writers[i], &mem, secp, root, signing));
        HF_ASSERT(!hf_identity_read(hf_buf_bytes(&w->writers[i].block), &arena, &w->identities[i], NULL));
    }
    for (int i = 0; i < GOOD; i++) {
        uint8_t next[2][32];
        size_t n_next = i ? 1 + (i % 3 == 0) : 0, from[2] = {i ? i - 1u - (i > 4 && i % 4 == 0) : 0, i / 2u};
        time[i] = 1;
        for (size_t k = 0; k < n_next; k++) {
            memcpy(next[k], w->digests[from[k]], 32);
            if (time[from[k]] >= time[i]) time[i] = (uint8_t)(time[from[k]] + 1);
        }
        hf_buf_init(&w->blocks[i], &mem);
        HF_ASSERT(!hf_entry_create(&w->writers[i % 3], HF_TEXT(ADDRESS), (const uint8_t(*)[32])next, n_next, NULL, 0, time[i],
                                   HF_TEXT("\xf6"), &w->blocks[i], w->digests[i]));
    }
    hf_arena_deinit(&arena);
    w->made = true;
}

typedef struct seen {
    const hf_log *log;
    uint32_t last;
    size_t n;
} seen;

static bool visit(void *ctx, uint32_t index) {
    seen *s = ctx;
    HF_ASSERT(!s->n || hf_log_compare(s->log, index, s->last) < 0);
    s->last = index;
    s->n++;
    return true;
}

static void join(hf_log *log, hf_bytes block) {
    hf_arena arena;
    hf_entry entry;
    uint32_t index;
    hf_arena_init(&arena, &mem);
    hf_err err = hf_log_join(log, block, &arena, &entry, &index, NULL);
    HF_ASSERT(err != HF_NOMEM && err != HF_STATE);
    hf_arena_deinit(&arena);
}

static void ready(hf_log *log) {
    hf_arena arena;
    hf_entry entry;
    uint32_t index;
    hf_arena_init(&arena, &mem);
    while (hf_log_ready(log, &arena, &entry, &index, NULL) != HF_NOT_FOUND) continue;
    hf_arena_deinit(&arena);
}

static void bend_and_join(hf_log *log, hf_bytes block, size_t at, uint8_t by) {
    uint8_t bent[2048];
    HF_ASSERT(block.len <= sizeof bent);
    memcpy(bent, block.ptr, block.len);
    bent[at % block.len] ^= by;
    join(log, HF_BYTES(bent, block.len));
}

static size_t n_appended;

static void operate(const world *w, hf_log *log, uint8_t op, uint8_t a, uint8_t b) {
    hf_log_want want;
    hf_buf block;
    uint32_t index;
    switch (op % 8) {
    case 0: case 1: case 2: join(log, hf_buf_bytes(&w->blocks[a % GOOD])); break;
    case 3: HF_ASSERT(!hf_log_identity(log, &w->identities[a % 3])); break;
    case 4: bend_and_join(log, hf_buf_bytes(&w->blocks[a % GOOD]), b * 3u + op / 8u, (uint8_t)(1u << (op / 8 % 8))); break;
    case 5: ready(log); break;
    case 6:
        if (hf_log_wanted(log, &want, 1) && b % 2) hf_log_give_up(log, want.digest);
        break;
    default:
        if (b % 4) hf_log_rewant(log);
        else {
            hf_buf_init(&block, &mem);
            HF_ASSERT(!hf_log_append(log, &w->writers[a % 3], HF_TEXT("\xf5"), &block, &index)); /* never one of the good */
            n_appended += index == hf_log_n(log) - 1;
            hf_buf_deinit(&block);
        }
    }
}

/* Bent entries may still wait for things that will never be: these are given up. */
static void settle(const world *w, hf_log *log) {
    hf_log_want want;
    for (size_t i = 0; i < 3; i++) HF_ASSERT(!hf_log_identity(log, &w->identities[i]));
    ready(log);
    for (size_t i = 0; i < GOOD; i++) join(log, hf_buf_bytes(&w->blocks[i]));
    ready(log);
    hf_log_rewant(log);
    while (hf_log_wanted(log, &want, 1)) hf_log_give_up(log, want.digest);
    HF_ASSERT(hf_log_n_pending(log) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static world w;
    if (!w.made) make(&w);
    hf_bytes anyone[] = {HF_TEXT("*")};
    hf_log_config config = {HF_TEXT(ADDRESS), anyone, 1, len, NULL, NULL};
    hf_log *log = hf_log_new(&mem, &config);
    n_appended = 0;
    for (size_t i = 0; i + 3 <= len && i < 3 * OPS_MAX; i += 3) operate(&w, log, data[i], data[i + 1], data[i + 2]);
    settle(&w, log);
    seen s = {log, 0, 0};
    for (size_t i = 0; i < GOOD; i++) HF_ASSERT(hf_log_find(log, w.digests[i]) != UINT32_MAX);
    HF_ASSERT(hf_log_n(log) == GOOD + n_appended);
    HF_ASSERT(!hf_log_traverse(log, visit, &s) && s.n == hf_log_n(log));
    hf_log_free(log);
    return 0;
}

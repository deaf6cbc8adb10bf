/* A database added at run time that was restored from a snapshot is the one whose every entry was read: shows alike, saves alike, goes on alike. */
#include "../tests/kit/check.h"
#include "core.h"

#include <string.h>

enum { BLOCKS_MAX = 512, TYPES = 3, STEPS = 70 };

typedef struct block { uint32_t database; hf_bytes bytes; } block;
typedef struct peer {
    hf_core *core;
    hf_secrets secrets;
    uint64_t random;
    block blocks[BLOCKS_MAX];
    size_t n_blocks, n_loaded;   /* loaded: of a database added at run time */
    const hf_buf *saved;         /* by number; NULL: none */
    size_t saved_at;             /* what of `blocks` they hold */
    uint32_t db[TYPES + 1];      /* the last is guarded */
} peer;

static const char *const types[TYPES + 1] = {"events", "keyvalue", "documents", "keyvalue"};

static hf_err find_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const peer *p = ctx;
    uint8_t own[HF_CID_LEN];
    for (size_t i = 0; i < p->n_blocks; i++) {
        hf_cid_of(p->blocks[i].bytes, own);
        if (hf_eq(cid, HF_BYTES(own, sizeof own))) return *ret = p->blocks[i].bytes, HF_OK;
    }
    return HF_NOT_FOUND;
}

static void start(peer *p, const char *agent) {
    hf_bytes problem;
    if (!p->random) p->random = 7, hf_secrets_make(hf_test_random_fill, &p->random, &p->secrets);
    hf_core_config config = {.secrets = &p->secrets, .agent = hf_str(agent), .random = hf_test_random_fill, .random_ctx = &p->random, .blocks = {find_block, p}};
    CHECK((p->core = hf_core_new(hf_test_mem(), &config, hf_test_arena(), &problem)));
}

/* As a shell hands in what it has: the snapshot, then what came later. */
static void load_database(peer *p, uint32_t db, hf_err want) {
    hf_fault fault = {"", 0};
    hf_err err = p->saved ? hf_core_restore(p->core, db, hf_buf_bytes(&p->saved[db]), &fault) : HF_MALFORMED;
    if (p->saved) CHECK_ERR(err, want);
    for (size_t i = err ? 0 : p->saved_at; i < p->n_blocks; i++)
        if (p->blocks[i].database == db) CHECK_ERR(hf_core_load(p->core, db, p->blocks[i].bytes, &fault), HF_OK), p->n_loaded++;
}

static void drain(peer *p) {
    hf_out out;
    hf_core_db_about about;
    while (hf_core_next(p->core, 1, &out)) {
        if (out.kind == HF_OUT_DATABASE && !hf_core_db_info(p->core, out.database, &about) && about.phase == HF_CORE_LOADING) {
            load_database(p, out.database, HF_OK);
            CHECK_ERR(hf_core_db_loaded(p->core, 1, out.database), HF_OK);
        }
        if (out.kind != HF_OUT_STORE) continue;
        CHECK(p->n_blocks < BLOCKS_MAX);
        p->blocks[p->n_blocks++] = (block){out.database, hf_arena_copy(hf_test_arena(), out.bytes)};
    }
    hf_core_stored(p->core, 1, hf_core_seq(p->core));
}

static void create_all(peer *p) {
    for (size_t i = 0; i <= TYPES; i++) {
        hf_core_db_access access = {.guarded = i == TYPES};
        CHECK_ERR(hf_core_db_create(p->core, 1, i == TYPES ? HF_TEXT("guarded") : HF_TEXT("mine"), hf_str(types[i]), &access, &p->db[i]), HF_OK);
        drain(p);
    }
}

static void write_one(peer *p, size_t i, uint64_t *seed) {
    uint64_t seq, n = hf_test_random(seed) % 9;
    char text[] = "k0";
    text[1] = (char)('0' + n);
    hf_value value = hf_value_u64(hf_test_random(seed) % 1000), key = hf_value_text(hf_str(text));
    hf_pair pairs[] = {{HF_TEXT("_id"), key}, {HF_TEXT("n"), value}};
    hf_value doc = {.kind = HF_MAP};
    doc.as.map.pairs = pairs, doc.as.map.n = doc.as.map.n_room = 2;
    hf_err err;
    if (i == 0) err = hf_core_db_append(p->core, 1, p->db[i], HF_ORBIT_ADD, NULL, &value, NULL, &seq, NULL);
    else if (n > 6) err = hf_core_db_append(p->core, 1, p->db[i], HF_ORBIT_DEL, &key, NULL, NULL, &seq, NULL);
    else err = hf_core_db_append(p->core, 1, p->db[i], HF_ORBIT_PUT, i == 2 ? NULL : &key, i == 2 ? &doc : &value, NULL, &seq, NULL);
    CHECK(err == HF_OK || (i == 2 && n > 6 && err == HF_NOT_FOUND)); /* documents: only what is there is deleted */
    drain(p);
}

typedef struct shown { uint8_t digests[BLOCKS_MAX][32]; size_t n; } shown;
static bool keep_row(void *ctx, const hf_core_row *row) {
    shown *s = ctx;
    memcpy(s->digests[s->n++], row->digest, 32);
    return true;
}

static void check_same(const peer *a, const peer *b) {
    static shown x, y;
    for (size_t i = 0; i <= TYPES; i++) {
        hf_buf s, t;
        hf_buf_init(&s, hf_test_mem());
        hf_buf_init(&t, hf_test_mem());
        x.n = y.n = 0;
        CHECK_ERR(hf_core_db_each(a->core, a->db[i], NULL, keep_row, &x), HF_OK);
        CHECK_ERR(hf_core_db_each(b->core, b->db[i], NULL, keep_row, &y), HF_OK);
        CHECK_BYTES(HF_BYTES(y.digests, y.n * 32), HF_BYTES(x.digests, x.n * 32));
        CHECK_ERR(hf_core_snapshot(a->core, a->db[i], &s), HF_OK);
        CHECK_ERR(hf_core_snapshot(b->core, b->db[i], &t), HF_OK);
        CHECK_BYTES(hf_buf_bytes(&t), hf_buf_bytes(&s));
        hf_buf_deinit(&s);
        hf_buf_deinit(&t);
    }
}

static void copy_store(const peer *from, peer *to) {
    memset(to, 0, sizeof *to);
    to->secrets = from->secrets;
    to->random = 99;
    memcpy(to->blocks, from->blocks, sizeof to->blocks);
    memcpy(to->db, from->db, sizeof to->db);
    to->n_blocks = from->n_blocks;
}

/* A start: the list first, then what it names. */
static void start_again(peer *p, const char *agent, hf_err want) {
    hf_fault fault = {"", 0};
    start(p, agent);
    for (size_t i = 0; i < p->n_blocks; i++)
        if (!p->blocks[i].database) CHECK_ERR(hf_core_load(p->core, 0, p->blocks[i].bytes, &fault), HF_OK);
    for (uint32_t db = 1; db <= hf_core_n_databases(p->core); db++) load_database(p, db, want);
    CHECK_ERR(hf_core_start(p->core, 1), HF_OK);
    drain(p);
}

static peer first, second;

static void save_all(hf_buf saved[8]) {
    for (uint32_t db = 1; db <= hf_core_n_databases(first.core); db++) {
        hf_buf_init(&saved[db], hf_test_mem());
        CHECK_ERR(hf_core_snapshot(first.core, db, &saved[db]), HF_OK);
    }
}

static void open_first(uint64_t *seed, hf_buf saved[8]) {
    memset(&first, 0, sizeof first);
    start(&first, "test");
    CHECK_ERR(hf_core_start(first.core, 1), HF_OK);
    create_all(&first);
    uint64_t seq;
    CHECK_ERR(hf_core_db_grant(first.core, 1, first.db[TYPES], HF_TEXT("write"), HF_TEXT("somebody"), &seq), HF_OK);
    drain(&first);
    for (size_t i = 0; i < STEPS; i++) write_one(&first, i % (TYPES + 1), seed);
    save_all(saved);
}

static void close_first(hf_buf saved[8]) {
    for (uint32_t db = 1; db <= hf_core_n_databases(first.core); db++) hf_buf_deinit(&saved[db]);
    hf_core_free(first.core);
}

HF_TEST(core_restores_databases_added_at_run_time) {
    for (uint64_t seed = 1; seed < 6; seed++) {
        uint64_t at = seed;
        hf_buf saved[8];
        open_first(&at, saved);
        size_t saved_at = first.n_blocks;
        for (size_t i = 0; i < 8; i++) write_one(&first, i % (TYPES + 1), &at);
        copy_store(&first, &second);
        second.saved = saved, second.saved_at = saved_at;
        start_again(&second, "test", HF_OK);
        CHECK(second.n_loaded <= 8);
        check_same(&first, &second);
        size_t n;
        CHECK(hf_core_db_capability(second.core, second.db[TYPES], HF_TEXT("write"), &n) && n == 1);
        uint64_t x = seed, y = seed;
        for (size_t i = 0; i < 12; i++) write_one(&first, i % (TYPES + 1), &x), write_one(&second, i % (TYPES + 1), &y);
        check_same(&first, &second);
        hf_core_free(second.core);
        close_first(saved);
    }
}

HF_TEST(core_restores_a_database_that_is_opened_again) {
    uint64_t seed = 9;
    uint32_t db;
    hf_buf saved[8];
    open_first(&seed, saved);
    hf_bytes address = hf_arena_copy(hf_test_arena(), hf_core_address(first.core, first.db[1]));
    first.saved = saved, first.saved_at = first.n_blocks;
    CHECK_ERR(hf_core_db_close(first.core, 1, first.db[1]), HF_OK);
    drain(&first);
    size_t n = first.n_loaded;
    CHECK_ERR(hf_core_db_open(first.core, 1, address, &db), HF_OK);
    hf_buf moved = saved[first.db[1]];
    CHECK_U64(db, first.db[1]);
    drain(&first);
    CHECK_U64(first.n_loaded, n);
    hf_buf again;
    hf_buf_init(&again, hf_test_mem());
    CHECK_ERR(hf_core_snapshot(first.core, db, &again), HF_OK);
    CHECK_BYTES(hf_buf_bytes(&again), hf_buf_bytes(&moved));
    CHECK_ERR(hf_core_restore(first.core, db, hf_buf_bytes(&moved), NULL), HF_STATE);
    hf_buf_deinit(&again);
    close_first(saved);
}

/* Then every entry is read, and nothing of the snapshot is left. */
HF_TEST(core_refuses_foreign_and_damaged_snapshots_of_databases) {
    uint64_t seed = 3;
    hf_buf saved[8];
    open_first(&seed, saved);
    copy_store(&first, &second);
    second.saved = saved, second.saved_at = first.n_blocks;
    start_again(&second, "a later test", HF_MALFORMED);
    CHECK(second.n_loaded > STEPS / 2);
    hf_core_free(second.core);
    for (size_t damage = 0; damage < saved[first.db[1]].len; damage += 3) {
        hf_buf *s = &saved[first.db[1]];
        uint8_t was = s->ptr[damage], sum[32];
        s->ptr[damage] ^= 1u << damage % 8;
        if (damage % 2 && damage < s->len - 32) hf_sha256_of(hf_sub(hf_buf_bytes(s), 0, s->len - 32), sum), memcpy(s->ptr + s->len - 32, sum, 32);
        copy_store(&first, &second);
        start(&second, "test");
        hf_fault fault = {NULL, 0};
        for (size_t i = 0; i < second.n_blocks; i++)
            if (!second.blocks[i].database) CHECK_ERR(hf_core_load(second.core, 0, second.blocks[i].bytes, &fault), HF_OK);
        hf_err err = hf_core_restore(second.core, first.db[1], hf_buf_bytes(s), &fault);
        CHECK(!err || (err == HF_MALFORMED && fault.what && !hf_core_n_entries(second.core, first.db[1])));
        hf_core_free(second.core);
        s->ptr[damage] = was;
        if (damage % 2 && damage < s->len - 32) hf_sha256_of(hf_sub(hf_buf_bytes(s), 0, s->len - 32), sum), memcpy(s->ptr + s->len - 32, sum, 32);
    }
    close_first(saved);
}

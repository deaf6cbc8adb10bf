/* archive: a whole database is taken in any order; everything that is not what it says is refused with a reason, before anything is taken. */
#include "archive.h"

#include "../../tests/kit/check.h"
#include "../log/entry.h"

#include <string.h>

enum { BLOCKS_MAX = 64, WRITERS = 2 };

typedef struct block { uint8_t cid[HF_CID_LEN]; hf_bytes bytes; } block;
typedef struct world {
    hf_secp *secp;
    hf_writer writers[WRITERS];      /* the first may write */
    block blocks[BLOCKS_MAX];
    size_t n;
    char address[HF_ADDRESS_LEN], guard[HF_ADDRESS_LEN];
    uint8_t manifest[32];
} world;

static const uint8_t *add(world *w, hf_bytes bytes) {
    block *b = &w->blocks[w->n++];
    CHECK(w->n <= BLOCKS_MAX);
    b->bytes = hf_arena_copy(hf_test_arena(), bytes);
    hf_cid_of(b->bytes, b->cid);
    return b->cid;
}

/* Until the end of the test. */
static const uint8_t *add_buf(world *w, hf_buf *buf) {
    const uint8_t *cid = add(w, hf_buf_bytes(buf));
    hf_buf_deinit(buf);
    return cid;
}

static void add_database(world *w, const char *name, const uint8_t *guard_cid, char ret_address[HF_ADDRESS_LEN], const uint8_t **ret_cid) {
    hf_buf access, manifest;
    hf_buf_init(&access, hf_test_mem());
    hf_buf_init(&manifest, hf_test_mem());
    hf_bytes write = HF_BYTES(w->writers[0].id, HF_PUBLIC_KEY_HEX_LEN);
    if (guard_cid) hf_manifest_add_guarded_block(&manifest, hf_str(name), HF_TEXT("keyvalue"), guard_cid);
    else {
        hf_access_add_block(&access, &write, 1);
        hf_manifest_add_block(&manifest, hf_str(name), HF_TEXT("keyvalue"), add(w, hf_buf_bytes(&access)));
    }
    hf_buf_deinit(&access);
    *ret_cid = add_buf(w, &manifest);
    hf_manifest_address(*ret_cid, ret_address);
}

static const uint8_t *add_entry(world *w, size_t writer, const char *address, const uint8_t *next, uint64_t time) {
    hf_buf buf;
    uint8_t digest[32];
    hf_buf_init(&buf, hf_test_mem());
    CHECK_ERR(hf_entry_create(&w->writers[writer], HF_BYTES(address, HF_ADDRESS_LEN), (const uint8_t(*)[32])(next ? next + 4 : NULL), next != NULL, NULL, 0, time,
                              HF_TEXT("\xa1\x62op\x63" "ADD"), &buf, digest), HF_OK);
    return add_buf(w, &buf);
}

static void open_world(world *w) {
    uint8_t seed[32] = {5};
    memset(w, 0, sizeof *w);
    w->secp = hf_secp_new(hf_test_mem(), seed);
    for (size_t i = 0; i < WRITERS; i++) {
        uint8_t root[32] = {1, (uint8_t)i}, signing[32] = {2, (uint8_t)i};
        CHECK_ERR(hf_writer_init(&w->writers[i], hf_test_mem(), w->secp, root, signing), HF_OK);
    }
}

static void close_world(world *w) {
    for (size_t i = 0; i < WRITERS; i++) hf_writer_deinit(&w->writers[i]);
    hf_secp_free(w->secp);
}

/* Manifest, access list, identity, then six entries in a line. */
static void make_whole(world *w) {
    const uint8_t *cid, *last = NULL;
    add_database(w, "whole", NULL, w->address, &cid);
    memcpy(w->manifest, cid + 4, 32);
    add(w, hf_buf_bytes(&w->writers[0].block));
    for (uint64_t time = 1; time <= 6; time++) last = add_entry(w, 0, w->address, last, time);
}

static hf_err find_here(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const world *w = ctx;
    for (size_t i = 0; i < w->n; i++)
        if (hf_eq(cid, HF_BYTES(w->blocks[i].cid, HF_CID_LEN))) return *ret = w->blocks[i].bytes, HF_OK;
    return HF_NOT_FOUND;
}

/* All but the one left out (BLOCKS_MAX: none), in the order of a seed. */
static hf_err judge(const world *w, size_t without, uint64_t seed, const world *here, hf_fault *fault, size_t *ret_n) {
    size_t order[BLOCKS_MAX] = {0};
    hf_archive *a = hf_archive_new(hf_test_mem(), seed, here ? (hf_block_source){find_here, (void *)here} : (hf_block_source){NULL, NULL});
    const hf_archive_entry *about;
    if (!a) return HF_NOMEM;
    for (size_t i = 0; i < w->n; i++) {
        size_t j = seed ? hf_test_random(&seed) % (i + 1) : i;
        order[i] = order[j];
        order[j] = i;
    }
    hf_err err = w->n && without != 0 ? hf_archive_root(a, HF_BYTES(w->blocks[0].cid, HF_CID_LEN)) : HF_OK;
    for (size_t i = 0; i < w->n && !err; i++)
        if (order[i] != without) err = hf_archive_block(a, HF_BYTES(w->blocks[order[i]].cid, HF_CID_LEN), w->blocks[order[i]].bytes, order[i], fault);
    if (!err) err = hf_archive_end(a, fault, &about);
    for (size_t i = 0; !err && i < hf_archive_n_entries(a); i++) err = hf_archive_check(a, i, w->blocks[hf_archive_entry_at(a, i)->place].bytes, fault);
    if (ret_n) *ret_n = err ? 0 : hf_archive_n_entries(a);
    for (size_t i = 1; !err && i < hf_archive_n_entries(a); i++) {
        const hf_archive_entry *x = hf_archive_entry_at(a, i - 1), *y = hf_archive_entry_at(a, i);
        CHECK(x->database != y->database || x->time <= y->time);
    }
    hf_archive_free(a);
    return err;
}

static void check_refused(const world *w, size_t without, const char *why) {
    for (uint64_t seed = 0; seed < 4; seed++) {
        hf_fault fault = {"", 0};
        hf_err err = judge(w, without, seed, NULL, &fault, NULL);
        CHECK_MSG(err && err != HF_NOMEM && strstr(fault.what, why), "%s instead of %s", fault.what, why);
    }
}

static world w, empty;

HF_TEST(archive_takes_a_whole_database_in_any_order) {
    open_world(&w);
    make_whole(&w);
    w.blocks[w.n] = w.blocks[w.n - 1], w.n++; /* one twice */
    for (uint64_t seed = 0; seed < 30; seed++) {
        size_t n;
        hf_fault fault = {"", 0};
        hf_err err = judge(&w, BLOCKS_MAX, seed, NULL, &fault, &n);
        CHECK_MSG(!err && n == 6, "%s", fault.what);
    }
    close_world(&w);
}

HF_TEST(archive_refuses_what_lacks_something) {
    static const char *const why[] = {"access list", "a root is not", "identity is not", "stands on is not", "stands on is not"};
    open_world(&w);
    make_whole(&w);
    check_refused(&w, 0, why[0]);
    check_refused(&w, 1, "manifest of its database is not");
    for (size_t i = 2; i < 5; i++) check_refused(&w, i, why[i]);
    for (size_t i = 0; i < 8; i++) CHECK_ERR(judge(&w, i, 3, &w, NULL, NULL), HF_OK); /* unless it is here already */
    check_refused(&empty, BLOCKS_MAX, "no database");
    close_world(&w);
}

HF_TEST(archive_refuses_hostile_blocks) {
    const uint8_t *cid;
    open_world(&w);
    make_whole(&w);
    size_t whole = w.n;
    const uint8_t *last = w.blocks[whole - 1].cid;
    add(&w, hf_buf_bytes(&w.writers[1].block));
    size_t stranger = w.n;
    add_entry(&w, 1, w.address, last, 7);
    check_refused(&w, BLOCKS_MAX, "may not write");
    w.n = stranger;
    add_entry(&w, 0, w.address, last, 6);
    check_refused(&w, BLOCKS_MAX, "not above a parent");
    w.n = stranger;
    uint8_t *forged = hf_arena_alloc(hf_test_arena(), 4096);
    hf_bytes entry = w.blocks[whole - 1].bytes;
    memcpy(forged, entry.ptr, entry.len);
    for (size_t i = 0; i + 3 < entry.len; i++)
        if (!memcmp(forged + i, "ADD", 3)) forged[i] = 'B';
    add(&w, HF_BYTES(forged, entry.len));
    check_refused(&w, BLOCKS_MAX, "signature");
    w.n = stranger;
    char other[HF_ADDRESS_LEN];
    add_database(&w, "other", NULL, other, &cid);
    add_entry(&w, 0, other, last, 9);
    check_refused(&w, BLOCKS_MAX, "of another database");
    w.n = stranger;
    add(&w, HF_TEXT("\xa1\x61x\x01"));
    check_refused(&w, BLOCKS_MAX, "neither an entry");
    w.n = stranger;
    add(&w, HF_TEXT("\x01"));
    check_refused(&w, BLOCKS_MAX, "neither an entry");
    w.n = stranger;
    memcpy(w.blocks[w.n].cid, w.blocks[0].cid, HF_CID_LEN);
    w.blocks[w.n].cid[1] = 0x55, w.blocks[w.n++].bytes = HF_TEXT("raw");
    check_refused(&w, BLOCKS_MAX, "not dag-cbor");
    close_world(&w);
}

HF_TEST(archive_takes_what_guards_it_first) {
    const uint8_t *guard, *guarded, *deeper;
    char address[HF_ADDRESS_LEN];
    open_world(&w);
    add_database(&w, "rights", NULL, w.guard, &guard);
    add_database(&w, "guarded", guard, w.address, &guarded);
    for (size_t i = 0; i < WRITERS; i++) add(&w, hf_buf_bytes(&w.writers[i].block));
    add_entry(&w, 1, w.address, NULL, 1); /* whether it may is asked when it is joined */
    add_entry(&w, 0, w.guard, NULL, 40);
    for (uint64_t seed = 0; seed < 8; seed++) {
        size_t n;
        CHECK_ERR(judge(&w, BLOCKS_MAX, seed, NULL, NULL, &n), HF_OK);
        CHECK_U64(n, 2);
    }
    size_t n = w.n;
    add_entry(&w, 1, w.guard, NULL, 2); /* there the list is fixed */
    check_refused(&w, BLOCKS_MAX, "may not write");
    w.n = n;
    add_database(&w, "deeper", guarded, address, &deeper);
    check_refused(&w, BLOCKS_MAX, "itself guarded");
    close_world(&w);
}

HF_TEST(archive_survives_want_of_memory) {
    open_world(&w);
    make_whole(&w);
    hf_err err = HF_NOMEM;
    for (size_t n = 1; err == HF_NOMEM; n++) {
        hf_test_mem_fail_at(n);
        err = judge(&w, BLOCKS_MAX, 1, NULL, NULL, NULL);
        hf_test_mem_fail_at(0);
        CHECK(n < 500);
    }
    CHECK_ERR(err, HF_OK);
    close_world(&w);
}

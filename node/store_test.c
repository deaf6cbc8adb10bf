#include "store_carve.h"
#include "store_private.h"

#include "../core/log/manifest.h"
#include "../tests/kit/check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char ADDRESS[] = "/orbitdb/zdpuAqEDJtUf3Kxg6qEgf1ZZPaWmLhtpVRfLhhWkrpjCaXWRA";
enum { N = 30, LONG_AT = 7, LONG_LEN = 30000 };

typedef struct place {
    uv_loop_t loop;
    char dir[64];
    hf_store *store;
    uint64_t stored;
} place;

static void on_stored(void *ctx, uint64_t seq) { ((place *)ctx)->stored = seq; }
static void on_failed(void *ctx, const char *why) {
    (void)ctx;
    CHECK_MSG(false, "%s", why ? why : "");
}

static void open_store(place *p) {
    const char *why = "";
    p->store = hf_store_open(&p->loop, p->dir, on_stored, on_failed, p, &why);
    CHECK_MSG(p->store != NULL, "%s", why);
}

static void close_store(place *p) {
    hf_store_close(p->store);
    p->store = NULL;
    uv_run(&p->loop, UV_RUN_DEFAULT);
}

static void begin(place *p) {
    *p = (place){.stored = 0};
    snprintf(p->dir, sizeof p->dir, "/tmp/holdfast-store-XXXXXX");
    CHECK(mkdtemp(p->dir) != NULL);
    CHECK(uv_loop_init(&p->loop) == 0);
    open_store(p);
}

static const char *path_of(const place *p, const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", p->dir, name);
    return path;
}

static void end(place *p) {
    static const char *const names[] = {"holdfast.db", "holdfast.db-wal", "holdfast.db-shm", "holdfast.db.new", "holdfast.db.damaged-1", "holdfast.db.damaged-1-wal",
                                        "holdfast.db.damaged-2", "repair"};
    if (p->store) close_store(p);
    CHECK(uv_loop_close(&p->loop) == 0);
    for (size_t i = 0; i < HF_COUNT(names); i++) unlink(path_of(p, names[i]));
    CHECK(rmdir(p->dir) == 0);
}

/* The i-th block: an entry holds its database's address; one is longer than a page. */
static hf_bytes block_of(size_t i, uint8_t cid[HF_CID_LEN]) {
    static char block[LONG_LEN + 256];
    int len = snprintf(block, sizeof block, "entry %zu of %s ", i, ADDRESS);
    if (i == LONG_AT) {
        memset(block + len, 'x', LONG_LEN);
        len += LONG_LEN;
    }
    hf_cid_of(HF_BYTES(block, len), cid);
    return HF_BYTES(block, len);
}

static void put(place *p, size_t i) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block = block_of(i, cid);
    CHECK_ERR(hf_store_put(p->store, i + 1, HF_BYTES(ADDRESS, HF_ADDRESS_LEN), HF_BYTES(cid, sizeof cid), block), HF_OK);
    hf_store_commit(p->store);
    while (p->stored < i + 1) uv_run(&p->loop, UV_RUN_NOWAIT);
}

static bool has(place *p, size_t i) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes want = block_of(i, cid), got;
    return !hf_store_get(p->store, HF_BYTES(cid, sizeof cid), &got) && hf_eq(got, want);
}

static void change(const place *p, const char *name, long at, const void *bytes, size_t len) {
    int fd = open(path_of(p, name), O_RDWR);
    CHECK(fd >= 0 && pwrite(fd, bytes, len, at) == (ssize_t)len);
    close(fd);
}

static hf_bytes read_file(const place *p, const char *name) {
    struct stat about;
    int fd = open(path_of(p, name), O_RDONLY);
    CHECK(fd >= 0 && !fstat(fd, &about));
    uint8_t *bytes = hf_arena_alloc(hf_test_arena(), (size_t)about.st_size + 1);
    CHECK(read(fd, bytes, (size_t)about.st_size) == about.st_size);
    close(fd);
    return HF_BYTES(bytes, (size_t)about.st_size);
}

static long find(hf_bytes all, const char *text) {
    const uint8_t *at = memmem(all.ptr, all.len, text, strlen(text));
    return at ? at - all.ptr : -1;
}

static hf_store_repair_report repair(const place *p) {
    const char *why = "";
    hf_store_repair_report report;
    CHECK_MSG(hf_store_repair(p->dir, &report, &why), "%s", why);
    return report;
}

HF_TEST(store_lets_go_of_what_was_read) {
    place p;
    begin(&p);
    for (size_t i = 0; i < 3; i++) put(&p, i);
    CHECK(has(&p, 1));
    /* As long as a row is looked at, the WAL cannot be emptied. */
    CHECK(sqlite3_wal_checkpoint_v2(p.store->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK);
    end(&p);
}

static bool pass(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    (void)ctx, (void)at, (void)address, (void)block;
    return true;
}

/* Up and down, some left out and some out of order; what is damaged is found, and what stands behind it. */
HF_TEST(store_reads_many_in_one_run) {
    enum { BAD = 20 };
    place p;
    begin(&p);
    for (size_t i = 0; i < N; i++) put(&p, i);
    close_store(&p);
    change(&p, "holdfast.db", find(read_file(&p, "holdfast.db"), "entry 20 of"), "E", 1);
    open_store(&p);
    for (size_t down = 0; down < 2; down++) {
        hf_store_run(p.store, true);
        for (size_t i = 0; i < N; i++) {
            size_t at = down ? N - 1 - i : i;
            CHECK(at % 11 == 3 || has(&p, at) == (at != BAD));
        }
        CHECK(!has(&p, N) && has(&p, 5) && has(&p, 5) && has(&p, 29) && has(&p, 0) && has(&p, 1) && has(&p, 2) && !has(&p, BAD));
        CHECK(hf_store_is_damaged(p.store) && !sqlite3_get_autocommit(p.store->reader));
        hf_store_run(p.store, false);
        CHECK(sqlite3_get_autocommit(p.store->reader));
    }
    p.stored = N;
    put(&p, N);
    CHECK(has(&p, N));
    CHECK(sqlite3_wal_checkpoint_v2(p.store->writer, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL) == SQLITE_OK);
    end(&p);
}

HF_TEST(store_finds_a_block_that_is_damaged) {
    place p;
    const char *why;
    begin(&p);
    for (size_t i = 0; i < N; i++) put(&p, i);
    close_store(&p);
    hf_bytes db = read_file(&p, "holdfast.db");
    change(&p, "holdfast.db", find(db, "entry 3 of"), "E", 1);
    open_store(&p);
    CHECK(has(&p, 2) && !hf_store_is_damaged(p.store));
    CHECK(!has(&p, 3) && hf_store_is_damaged(p.store));
    CHECK_ERR(hf_store_each(p.store, HF_STORE_ENTRIES, 0, pass, NULL, &why), HF_MALFORMED);
    end(&p);
}

static bool count(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    size_t *n = ctx;
    CHECK_U64(at, *n + 1);
    CHECK(address.len == HF_ADDRESS_LEN && block.len);
    return ++*n, true;
}

HF_TEST(store_is_repaired_without_its_first_page) {
    static const uint8_t ZEROS[HF_CARVE_PAGE];
    place p;
    const char *why;
    hf_secrets secrets, kept;
    size_t n = 0;
    begin(&p);
    memset(&secrets, 7, sizeof secrets);
    CHECK(hf_store_secrets_set(p.store, &secrets));
    for (size_t i = 0; i < N; i++) put(&p, i);
    close_store(&p);
    CHECK(!repair(&p).repaired);
    change(&p, "holdfast.db", 0, ZEROS, sizeof ZEROS);
    hf_store_repair_report report = repair(&p);
    CHECK(report.repaired && report.keys && !strcmp(report.aside, "holdfast.db.damaged-1"));
    CHECK_U64(report.n_blocks, N);
    CHECK(!repair(&p).repaired);
    open_store(&p);
    for (size_t i = 0; i < N; i++) CHECK_MSG(has(&p, i), "block %zu", i);
    CHECK_ERR(hf_store_each(p.store, HF_STORE_ENTRIES, 0, count, &n, &why), HF_OK); /* in their order */
    CHECK_U64(n, N);
    CHECK(!hf_store_secrets_get(p.store, &kept) && !memcmp(&kept, &secrets, sizeof kept));
    end(&p);
}

HF_TEST(store_without_whole_keys_says_so) {
    place p;
    hf_secrets secrets;
    begin(&p);
    memset(&secrets, 7, sizeof secrets);
    CHECK(hf_store_secrets_set(p.store, &secrets));
    put(&p, 0);
    close_store(&p);
    hf_bytes db = read_file(&p, "holdfast.db");
    change(&p, "holdfast.db", find(db, "secrets\7") + 20, "\6", 1);
    open_store(&p);
    CHECK_ERR(hf_store_secrets_get(p.store, &secrets), HF_MALFORMED);
    close_store(&p); /* leaves the wish to be repaired */
    hf_store_repair_report report = repair(&p);
    CHECK(report.repaired && !report.keys && report.n_blocks == 1);
    end(&p);
}

HF_TEST(store_takes_keys_from_before_there_were_checksums) {
    place p;
    hf_secrets secrets, kept;
    begin(&p);
    memset(&secrets, 9, sizeof secrets);
    CHECK(hf_store_meta_set(p.store, "secrets", HF_BYTES(&secrets, sizeof secrets)));
    CHECK(!hf_store_secrets_get(p.store, &kept) && !memcmp(&kept, &secrets, sizeof kept));
    end(&p);
}

/* A copy of the WAL as a kill would leave it. */
HF_TEST(store_tells_a_damaged_wal_from_one_that_was_cut_off) {
    place p;
    begin(&p);
    size_t ends[4];
    for (size_t i = 0; i < 4; i++) {
        put(&p, i);
        ends[i] = (size_t)p.store->wal_used / HF_CARVE_FRAME;
    }
    hf_bytes wal = read_file(&p, "holdfast.db-wal");
    uint8_t *bytes = (uint8_t *)(uintptr_t)wal.ptr;
    CHECK(!hf_carve_wal_is_damaged(wal));
    for (size_t frame = 0; frame < ends[3]; frame++) {
        size_t at = HF_CARVE_WAL_HEAD + frame * HF_CARVE_FRAME + 24 + 100;
        bytes[at] ^= 1;
        bool last = frame >= ends[2]; /* of the last transaction: as if the crash had cut it off */
        CHECK_MSG(hf_carve_wal_is_damaged(wal) == !last, "frame %zu of %zu", frame, ends[3]);
        bytes[at] ^= 1;
    }
    bytes[20] ^= 1; /* its head */
    CHECK(hf_carve_wal_is_damaged(wal));
    bytes[20] ^= 1;
    for (size_t len = 0; len < HF_CARVE_WAL_HEAD + ends[3] * HF_CARVE_FRAME; len += 1000) CHECK(!hf_carve_wal_is_damaged(hf_sub(wal, 0, len)));
    end(&p);
}

HF_TEST(store_goes_on_with_a_repair_that_was_cut_off) {
    static const uint8_t ZEROS[HF_CARVE_PAGE];
    place p;
    begin(&p);
    for (size_t i = 0; i < 3; i++) put(&p, i);
    close_store(&p);
    change(&p, "holdfast.db", 0, ZEROS, sizeof ZEROS);
    char aside[256];
    CHECK(repair(&p).repaired);
    /* As it is when the new file is made and the old one was set aside. */
    snprintf(aside, sizeof aside, "%s", path_of(&p, "holdfast.db.new"));
    CHECK(!rename(path_of(&p, "holdfast.db"), aside));
    change(&p, "holdfast.db.damaged-1", 0, ZEROS, 1);
    hf_store_want_repair(p.dir);
    close(open(path_of(&p, "holdfast.db-wal"), O_CREAT | O_WRONLY, 0600)); /* the damaged one's */
    CHECK(!repair(&p).repaired);
    CHECK(access(path_of(&p, "holdfast.db-wal"), F_OK) && !access(path_of(&p, "holdfast.db.damaged-1-wal"), F_OK) && access(path_of(&p, "repair"), F_OK));
    open_store(&p);
    for (size_t i = 0; i < 3; i++) CHECK(has(&p, i));
    end(&p);
}

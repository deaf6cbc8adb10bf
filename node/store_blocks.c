/* store_blocks: see store_blocks.h. */
#include "store_blocks.h"

#include "../core/files/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

static const char SCHEMA[] =
    "PRAGMA page_size=16384;"
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA wal_autocheckpoint=2000;"
    "CREATE TABLE IF NOT EXISTS blocks (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, block BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS pins (seq INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, name TEXT NOT NULL);"
    "CREATE TEMP TABLE live (hash BLOB PRIMARY KEY) WITHOUT ROWID;";

enum { BEGIN, COMMIT, ROLLBACK, INSERT, GET, HAS, TOTAL, PIN, UNPIN, PINS, LIVE, DROP, CLEAR, VERSION, N_STATEMENTS };
static const char *const SQL[N_STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [INSERT] = "INSERT OR IGNORE INTO blocks (hash, size, block) VALUES (?1, length(?2), ?2)",
    [GET] = "SELECT block FROM blocks WHERE hash = ?1",
    [HAS] = "SELECT 1 FROM blocks WHERE hash = ?1",
    [TOTAL] = "SELECT coalesce(sum(size), 0) FROM blocks",
    [PIN] = "INSERT OR IGNORE INTO pins (cid, name) VALUES (?1, ?2)",
    [UNPIN] = "DELETE FROM pins WHERE cid = ?1",
    [PINS] = "SELECT cid, name FROM pins ORDER BY seq",
    [LIVE] = "INSERT OR IGNORE INTO live (hash) VALUES (?1)",
    [DROP] = "DELETE FROM blocks WHERE hash NOT IN (SELECT hash FROM live)",
    [CLEAR] = "DELETE FROM live",
    [VERSION] = "PRAGMA data_version",
};

struct hf_blocks {
    sqlite3 *db;
    sqlite3_stmt *statements[N_STATEMENTS];
    uint64_t bytes, bytes_max, bytes_committed;
    int64_t version; /* changes with what other connections commit */
    bool counted;    /* bytes: by the first that needs it, since it takes a look at every block */
    bool open;       /* a transaction */
    char why[256];
};

static hf_err fail(hf_blocks *b) {
    snprintf(b->why, sizeof b->why, "%s", b->db ? sqlite3_errmsg(b->db) : "no memory");
    return HF_DENIED;
}

static sqlite3_stmt *ready(hf_blocks *b, int which) {
    sqlite3_reset(b->statements[which]);
    return b->statements[which];
}

static bool done(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

static void bind(sqlite3_stmt *statement, int at, hf_bytes bytes) {
    sqlite3_bind_blob64(statement, at, bytes.len ? (const void *)bytes.ptr : "", bytes.len, SQLITE_STATIC);
}

static hf_bytes column(sqlite3_stmt *statement, int at) {
    return HF_BYTES(sqlite3_column_blob(statement, at), (size_t)sqlite3_column_bytes(statement, at));
}

static bool read_total(hf_blocks *b) {
    sqlite3_stmt *total = ready(b, TOTAL);
    bool ok = sqlite3_step(total) == SQLITE_ROW;
    if (ok) b->bytes = (uint64_t)sqlite3_column_int64(total, 0);
    b->counted |= ok;
    sqlite3_reset(total);
    return ok;
}

static bool open_db(hf_blocks *b, const char *path) {
    if (sqlite3_open_v2(path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return false;
    sqlite3_busy_timeout(b->db, 5000);
    if (sqlite3_exec(b->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK) return false;
    for (int i = 0; i < N_STATEMENTS; i++)
        if (sqlite3_prepare_v3(b->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &b->statements[i], NULL) != SQLITE_OK) return false;
    hf_blocks_changed(b);
    return true;
}

hf_blocks *hf_blocks_open(const char *dir, uint64_t bytes_max, const char **ret_why) {
    static char why[512];
    char path[4096];
    hf_blocks *b = calloc(1, sizeof *b);
    if (!b) return *ret_why = "no memory", NULL;
    b->bytes_max = bytes_max ? bytes_max : (uint64_t)64 << 30;
    if (snprintf(path, sizeof path, "%s/blocks.db", dir) < (int)sizeof path && open_db(b, path)) return b;
    fail(b);
    snprintf(why, sizeof why, "%.200s/blocks.db: %s", dir, b->why);
    *ret_why = why;
    hf_blocks_close(b);
    return NULL;
}

int hf_blocks_lock(const char *dir) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/blocks.lock", dir) >= (int)sizeof path) return errno = ENAMETOOLONG, -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), why;
    if (fd < 0) return -1;
    do why = flock(fd, LOCK_EX) ? errno : 0;
    while (why == EINTR);
    if (!why) return fd;
    close(fd);
    return errno = why, -1;
}

void hf_blocks_close(hf_blocks *b) {
    if (!b) return;
    (void)!hf_blocks_commit(b);
    for (int i = 0; i < N_STATEMENTS; i++) sqlite3_finalize(b->statements[i]);
    sqlite3_close(b->db);
    free(b);
}

const char *hf_blocks_why(const hf_blocks *b) { return b->why; }

static uint64_t pragma(sqlite3 *db, const char *sql) {
    sqlite3_stmt *statement = NULL;
    bool ok = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW;
    uint64_t value = ok ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return value;
}

uint64_t hf_sqlite_used(sqlite3 *db) {
    uint64_t n = pragma(db, "PRAGMA page_count"), n_free = pragma(db, "PRAGMA freelist_count");
    return n > n_free ? (n - n_free) * pragma(db, "PRAGMA page_size") : 0;
}

uint64_t hf_blocks_disk_bytes(hf_blocks *b) { return hf_sqlite_used(b->db); }

uint64_t hf_blocks_bytes(hf_blocks *b) {
    if (!b->counted) read_total(b);
    return b->bytes;
}

bool hf_blocks_changed(hf_blocks *b) {
    sqlite3_stmt *version = ready(b, VERSION);
    int64_t before = b->version;
    if (sqlite3_step(version) == SQLITE_ROW) b->version = sqlite3_column_int64(version, 0);
    sqlite3_reset(version);
    return b->version != before;
}

/* ---- transactions ---- */

static hf_err begin(hf_blocks *b) {
    if (b->open) return HF_OK;
    hf_blocks_rest(b); /* a row that is looked at would keep its older state in sight */
    if (!done(ready(b, BEGIN))) return fail(b);
    if (!b->counted && !read_total(b)) {
        fail(b);
        done(ready(b, ROLLBACK));
        return HF_DENIED;
    }
    b->bytes_committed = b->bytes;
    b->open = true;
    return HF_OK;
}

static hf_err roll_back(hf_blocks *b, hf_err err) {
    done(ready(b, ROLLBACK));
    b->open = false;
    b->bytes = b->bytes_committed;
    return err;
}

hf_err hf_blocks_commit(hf_blocks *b) {
    if (!b->open) return HF_OK;
    hf_blocks_rest(b); /* a row that is looked at would hold the commit back */
    if (!done(ready(b, COMMIT))) return roll_back(b, fail(b));
    b->open = false;
    b->bytes_committed = b->bytes;
    return HF_OK;
}

/* ---- blocks ---- */

hf_err hf_blocks_get(void *blocks, hf_bytes cid, hf_bytes *ret) {
    hf_blocks *b = blocks;
    sqlite3_stmt *get = ready(b, GET);
    bind(get, 1, hf_cid_multihash(cid));
    int code = sqlite3_step(get);
    if (code == SQLITE_ROW) return *ret = column(get, 0), HF_OK;
    sqlite3_reset(get);
    return code == SQLITE_DONE ? HF_NOT_FOUND : fail(b);
}

void hf_blocks_rest(hf_blocks *b) { sqlite3_reset(b->statements[GET]); }

bool hf_blocks_has(void *blocks, hf_bytes cid) {
    hf_blocks *b = blocks;
    sqlite3_stmt *has = ready(b, HAS);
    bind(has, 1, hf_cid_multihash(cid));
    bool there = sqlite3_step(has) == SQLITE_ROW;
    sqlite3_reset(has);
    return there;
}

hf_err hf_blocks_put(void *blocks, hf_bytes cid, hf_bytes block) {
    hf_blocks *b = blocks;
    hf_bytes hash = hf_cid_multihash(cid);
    if (!hash.len || block.len > HF_BLOCK_MAX) return HF_MALFORMED;
    hf_err err = begin(b);
    if (err) return err;
    if (b->bytes + block.len > b->bytes_max) return HF_LIMIT;
    sqlite3_stmt *insert = ready(b, INSERT);
    bind(insert, 1, hash);
    bind(insert, 2, block);
    if (!done(insert)) return roll_back(b, fail(b));
    if (sqlite3_changes(b->db)) b->bytes += block.len;
    return HF_OK;
}

/* ---- pins ---- */

hf_err hf_blocks_pin(hf_blocks *b, hf_bytes cid, hf_bytes name) {
    hf_err err = hf_cid_valid(cid) ? begin(b) : HF_MALFORMED;
    if (err) return err;
    sqlite3_stmt *pin = ready(b, PIN);
    bind(pin, 1, cid);
    sqlite3_bind_text(pin, 2, name.len ? (const char *)name.ptr : "", (int)name.len, SQLITE_STATIC);
    return done(pin) ? HF_OK : roll_back(b, fail(b));
}

hf_err hf_blocks_unpin(hf_blocks *b, hf_bytes cid) {
    hf_err err = begin(b);
    if (err) return err;
    sqlite3_stmt *unpin = ready(b, UNPIN);
    bind(unpin, 1, cid);
    if (!done(unpin)) return roll_back(b, fail(b));
    return sqlite3_changes(b->db) ? HF_OK : HF_NOT_FOUND;
}

hf_err hf_blocks_each_pin(hf_blocks *b, bool (*each)(void *, hf_bytes, hf_bytes), void *ctx) {
    sqlite3_stmt *pins = ready(b, PINS);
    int code;
    while ((code = sqlite3_step(pins)) == SQLITE_ROW)
        if (!each(ctx, column(pins, 0), column(pins, 1))) break;
    sqlite3_reset(pins);
    return code == SQLITE_DONE || code == SQLITE_ROW ? HF_OK : fail(b);
}

typedef struct marking { hf_blocks *blocks; hf_mem *mem; hf_err err; } marking;

static hf_err mark(hf_blocks *b, hf_bytes cid) {
    sqlite3_stmt *live = ready(b, LIVE);
    bind(live, 1, hf_cid_multihash(cid));
    return done(live) ? HF_OK : fail(b);
}

static bool mark_pin(void *ctx, hf_bytes cid, hf_bytes name) {
    (void)name;
    marking *m = ctx;
    hf_walk *w = hf_walk_new(m->mem, cid, HF_LINKS_ALL, (hf_block_source){hf_blocks_get, m->blocks});
    m->err = w ? HF_OK : HF_NOMEM;
    if (w) hf_walk_leaves_by(w, hf_blocks_has);
    for (hf_walk_out out; !m->err && hf_walk_next(w, &out);) {
        if (out.kind == HF_WALK_NEED) hf_walk_skip(w);
        else if (out.kind == HF_WALK_BLOCK) m->err = mark(m->blocks, out.cid);
        else {
            m->err = HF_MALFORMED;
            snprintf(m->blocks->why, sizeof m->blocks->why, "a pinned DAG cannot be read: %s", out.reason);
        }
    }
    hf_walk_free(w);
    return !m->err;
}

hf_err hf_blocks_collect(hf_blocks *b, hf_mem *mem, uint64_t *ret_freed) {
    marking m = {b, mem, hf_blocks_commit(b)};
    if (!m.err) m.err = begin(b);
    if (m.err) return m.err;
    uint64_t before = b->bytes;
    hf_err err = hf_blocks_each_pin(b, mark_pin, &m);
    if (!err) err = m.err;
    sqlite3_reset(b->statements[GET]);
    if (!err && (!done(ready(b, DROP)) || !done(ready(b, CLEAR)) || !read_total(b))) err = fail(b);
    if (err) return roll_back(b, err);
    *ret_freed = before - b->bytes;
    return hf_blocks_commit(b);
}

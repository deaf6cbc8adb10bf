/* store: see store.h. */
#include "store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char SCHEMA[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS blocks (seq INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, address TEXT NOT NULL, block BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS others ON blocks (seq) WHERE address = '';"
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

/* A commit on a thread of the pool costs two hand-offs, as much as a quick disk takes for it; so a few blocks are committed on the loop's own thread
 * while commits take less than HERE_NS, smoothed over the last MEAN_OF. */
enum { HERE_BLOCKS_MAX = 4, HERE_NS = 1000 * 1000, MEAN_OF = 8 };

/* The WAL starts anew after a checkpoint, over its old bytes. Until it has its full length, a commit that makes it longer has the disk write that down
 * too, nearly twice the work: so zeros go ahead of it, a piece at a time. SQLite reads no further than the last frame whose checksums hold. */
enum { WAL_FRAMES = 4000, WAL_FRAME_BYTES = 4096 + 24, WAL_BYTES = (WAL_FRAMES + 256) * WAL_FRAME_BYTES, WAL_PIECE_BYTES = 1 << 20, HERE_FRAMES = 64 };

/* A block that waits for its commit. */
typedef struct item {
    struct item *next;
    uint64_t seq;
    uint16_t address_len, cid_len;
    size_t block_len;
    uint8_t bytes[]; /* address, cid, block */
} item;

struct hf_store {
    uv_loop_t *loop;
    uv_work_t work;
    uv_prepare_t before_wait;
    uv_check_t behind_wait;
    unsigned n_handles; /* that are not closed yet */
    sqlite3 *writer, *reader;
    sqlite3_stmt *begin, *commit, *rollback, *insert, *get;
    void (*stored)(void *ctx, uint64_t seq);
    void (*failed)(void *ctx, const char *why);
    void *ctx;
    item *waiting, **waiting_last; /* handed over */
    size_t n_waiting;
    item *batch;                   /* being committed */
    int64_t commit_ns;             /* what the last ones took */
    bool running, broken;
    int wal; /* its file; -1: not known */
    int64_t wal_used, wal_len;
    char why[256];
};

static const char *fail(hf_store *s, sqlite3 *db, const char *what) {
    snprintf(s->why, sizeof s->why, "%s: %s", what, db ? sqlite3_errmsg(db) : "no memory");
    return s->why;
}

static bool open_db(const char *path, int flags, sqlite3 **ret) {
    if (sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return false;
    sqlite3_busy_timeout(*ret, 5000);
    return true;
}

static bool prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret) {
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static bool prepare_all(hf_store *s) {
    return prepare(s->writer, "BEGIN IMMEDIATE", &s->begin) && prepare(s->writer, "COMMIT", &s->commit) &&
           prepare(s->writer, "ROLLBACK", &s->rollback) &&
           prepare(s->writer, "INSERT OR IGNORE INTO blocks (cid, address, block) VALUES (?1, ?2, ?3)", &s->insert) &&
           prepare(s->reader, "SELECT block FROM blocks WHERE cid = ?1", &s->get);
}

/* Within a transaction, so that no other process writes to the WAL. Nothing is wrong when it does not work: commits are slower. */
static void write_ahead(hf_store *s) {
    static const uint8_t ZEROS[WAL_PIECE_BYTES];
    struct stat about;
    if (s->wal < 0 || s->wal_used + WAL_PIECE_BYTES / 4 < s->wal_len || s->wal_len >= WAL_BYTES || fstat(s->wal, &about)) return;
    ssize_t n = about.st_size < WAL_BYTES && about.st_nlink ? pwrite(s->wal, ZEROS, sizeof ZEROS, about.st_size) : 0;
    s->wal_len = n > 0 ? about.st_size + n : WAL_BYTES;
}

/* After each commit, on its thread. */
static int on_wal(void *ctx, sqlite3 *db, const char *name, int n_frames) {
    hf_store *s = ctx;
    s->wal_used = (int64_t)n_frames * WAL_FRAME_BYTES;
    if (n_frames >= WAL_FRAMES) sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return SQLITE_OK;
}

static void close_db(hf_store *s) {
    sqlite3_stmt *all[] = {s->begin, s->commit, s->rollback, s->insert, s->get};
    for (size_t i = 0; i < HF_COUNT(all); i++) sqlite3_finalize(all[i]);
    sqlite3_close(s->reader);
    sqlite3_close(s->writer);
    if (s->wal >= 0) close(s->wal);
}

static void watch_turns(hf_store *s) {
    if (!s->loop) return;
    uv_prepare_init(s->loop, &s->before_wait);
    uv_check_init(s->loop, &s->behind_wait);
    s->n_handles = 2;
}

hf_store *hf_store_open(uv_loop_t *loop, const char *dir, void (*stored)(void *, uint64_t), void (*failed)(void *, const char *), void *ctx,
                        const char **ret_why) {
    static char why[256];
    char path[4096];
    hf_store *s = calloc(1, sizeof *s);
    if (!s) return *ret_why = "no memory", NULL;
    *s = (hf_store){.loop = loop, .stored = stored, .failed = failed, .ctx = ctx, .wal = -1};
    s->waiting_last = &s->waiting;
    s->work.data = s->before_wait.data = s->behind_wait.data = s;
    snprintf(path, sizeof path, "%s/holdfast.db", dir);
    char *message = NULL;
    if (!open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->writer)) fail(s, s->writer, path);
    else if (sqlite3_exec(s->writer, SCHEMA, NULL, NULL, &message) != SQLITE_OK) fail(s, s->writer, path);
    else if (!open_db(path, SQLITE_OPEN_READONLY, &s->reader) || !prepare_all(s)) fail(s, s->reader, path);
    else {
        watch_turns(s);
        snprintf(path, sizeof path, "%s/holdfast.db-wal", dir);
        s->wal = open(path, O_WRONLY | O_CLOEXEC);
        sqlite3_wal_hook(s->writer, on_wal, s);
        return s;
    }
    sqlite3_free(message);
    memcpy(why, s->why, sizeof why);
    *ret_why = why;
    close_db(s);
    free(s);
    return NULL;
}

hf_err hf_store_each(hf_store *s, hf_store_part part, uint64_t after, hf_store_visit *each, void *ctx, const char **ret_why) {
    static const char *const selects[] = {
        [HF_STORE_ENTRIES] = "SELECT seq, address, block FROM blocks WHERE seq > ?1 AND address != '' ORDER BY seq",
        [HF_STORE_OTHERS] = "SELECT seq, address, block FROM blocks INDEXED BY others WHERE seq > ?1 AND address = '' ORDER BY seq",
    };
    sqlite3_stmt *select;
    if (!prepare(s->reader, selects[part], &select)) return *ret_why = fail(s, s->reader, "reading"), HF_MALFORMED;
    sqlite3_bind_int64(select, 1, (sqlite3_int64)after);
    int code;
    while ((code = sqlite3_step(select)) == SQLITE_ROW) {
        hf_bytes address = HF_BYTES(sqlite3_column_text(select, 1), (size_t)sqlite3_column_bytes(select, 1));
        hf_bytes block = HF_BYTES(sqlite3_column_blob(select, 2), (size_t)sqlite3_column_bytes(select, 2));
        if (!each(ctx, (uint64_t)sqlite3_column_int64(select, 0), address, block)) break;
    }
    bool damaged = code != SQLITE_DONE && code != SQLITE_ROW;
    if (damaged) *ret_why = fail(s, s->reader, "reading");
    sqlite3_finalize(select);
    return damaged ? HF_MALFORMED : HF_OK;
}

/* The last block up to `at`. */
static bool find_mark(hf_store *s, uint64_t at, hf_store_mark *ret) {
    sqlite3_stmt *q;
    sqlite3_reset(s->get); /* as long as it stands on a row, the reader sees the store of that moment */
    if (!prepare(s->reader, "SELECT seq, cid FROM blocks WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1", &q)) return false;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)at);
    bool there = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 1) == HF_CID_LEN;
    if (there) {
        ret->at = (uint64_t)sqlite3_column_int64(q, 0);
        memcpy(ret->cid, sqlite3_column_blob(q, 1), HF_CID_LEN);
    }
    sqlite3_finalize(q);
    /* The index that UNIQUE makes holds no blocks: counting there reads a twentieth of the file. */
    if (!there || !prepare(s->reader, "SELECT count(*) FROM blocks INDEXED BY sqlite_autoindex_blocks_1 WHERE seq <= ?1", &q)) return false;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)ret->at);
    there = sqlite3_step(q) == SQLITE_ROW;
    if (there) ret->n = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return there;
}

bool hf_store_mark_now(hf_store *s, hf_store_mark *ret) { return find_mark(s, INT64_MAX, ret); }

bool hf_store_holds(hf_store *s, const hf_store_mark *mark) {
    hf_store_mark now;
    return mark->at <= INT64_MAX && find_mark(s, mark->at, &now) && now.at == mark->at && now.n == mark->n && !memcmp(now.cid, mark->cid, HF_CID_LEN);
}

hf_err hf_store_get(void *store, hf_bytes cid, hf_bytes *ret) {
    hf_store *s = store;
    sqlite3_reset(s->get);
    sqlite3_bind_blob(s->get, 1, cid.ptr, (int)cid.len, SQLITE_STATIC);
    if (sqlite3_step(s->get) != SQLITE_ROW) return sqlite3_reset(s->get), HF_NOT_FOUND;
    *ret = HF_BYTES(sqlite3_column_blob(s->get, 0), (size_t)sqlite3_column_bytes(s->get, 0));
    return HF_OK;
}

hf_err hf_store_put(hf_store *s, uint64_t seq, hf_bytes address, hf_bytes cid, hf_bytes block) {
    item *i = malloc(sizeof *i + address.len + cid.len + block.len);
    if (!i) return HF_NOMEM;
    *i = (item){NULL, seq, (uint16_t)address.len, (uint16_t)cid.len, block.len};
    if (address.len) memcpy(i->bytes, address.ptr, address.len);
    memcpy(i->bytes + address.len, cid.ptr, cid.len);
    memcpy(i->bytes + address.len + cid.len, block.ptr, block.len);
    *s->waiting_last = i;
    s->waiting_last = &i->next;
    s->n_waiting++;
    return HF_OK;
}

static bool step(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

static bool insert(hf_store *s, const item *i) {
    const uint8_t *cid = i->bytes + i->address_len;
    sqlite3_bind_blob(s->insert, 1, cid, i->cid_len, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 2, (const char *)i->bytes, i->address_len, SQLITE_STATIC);
    sqlite3_bind_blob64(s->insert, 3, cid + i->cid_len, i->block_len, SQLITE_STATIC);
    return step(s->insert);
}

/* On a pool thread: the writer connection is used by one commit at a time. */
static void run_commit(uv_work_t *work) {
    hf_store *s = work->data;
    uint64_t began = uv_hrtime();
    bool ok = step(s->begin);
    for (const item *i = s->batch; ok && i; i = i->next) ok = insert(s, i);
    if (ok) write_ahead(s);
    if (ok) ok = step(s->commit);
    s->commit_ns += ((int64_t)(uv_hrtime() - began) - s->commit_ns) / MEAN_OF;
    if (ok) return;
    fail(s, s->writer, "the store cannot write");
    step(s->rollback);
    s->broken = true;
}

static uint64_t drop_batch(hf_store *s) {
    uint64_t seq = 0;
    while (s->batch) {
        item *i = s->batch;
        s->batch = i->next;
        seq = i->seq;
        free(i);
    }
    return seq;
}

static void committed(uv_work_t *work, int status) {
    (void)status;
    hf_store *s = work->data;
    s->running = false;
    uint64_t seq = drop_batch(s);
    if (s->broken) return s->failed(s->ctx, s->why);
    s->stored(s->ctx, seq);
    hf_store_commit(s);
}

static bool take_batch(hf_store *s) {
    if (s->running || s->broken || !s->waiting) return false;
    s->batch = s->waiting;
    s->waiting = NULL;
    s->waiting_last = &s->waiting;
    s->n_waiting = 0;
    return true;
}

/* The commit that fills the WAL also empties it: not on the loop's time. */
static bool fits_here(const hf_store *s, size_t n) {
    return n <= HERE_BLOCKS_MAX && s->commit_ns < HERE_NS && s->wal_used < (int64_t)(WAL_FRAMES - HERE_FRAMES) * WAL_FRAME_BYTES;
}

static void commit(hf_store *s) {
    uv_prepare_stop(&s->before_wait);
    uv_check_stop(&s->behind_wait);
    size_t n = s->n_waiting;
    if (!take_batch(s)) return;
    s->running = true;
    if (!fits_here(s, n)) {
        uv_queue_work(s->loop, &s->work, run_commit, committed);
        return;
    }
    run_commit(&s->work);
    committed(&s->work, 0);
}

static void on_prepare(uv_prepare_t *prepare) { commit(prepare->data); }
static void on_check(uv_check_t *check) { commit(check->data); }

void hf_store_commit(hf_store *s) {
    if (s->running || s->broken || !s->waiting) return;
    uv_prepare_start(&s->before_wait, on_prepare);
    uv_check_start(&s->behind_wait, on_check);
}

static void on_closed(uv_handle_t *handle) {
    hf_store *s = handle->data;
    if (--s->n_handles == 0) free(s);
}

void hf_store_close(hf_store *s) {
    if (!s) return;
    while (s->running) uv_run(s->loop, UV_RUN_ONCE);
    if (take_batch(s)) {
        run_commit(&s->work);
        drop_batch(s);
    }
    s->batch = s->waiting;
    drop_batch(s);
    close_db(s);
    if (!s->n_handles) return free(s);
    uv_close((uv_handle_t *)&s->before_wait, on_closed);
    uv_close((uv_handle_t *)&s->behind_wait, on_closed);
}

bool hf_store_idle(const hf_store *s) { return !s->running && !s->broken; }

bool hf_store_meta_get(hf_store *s, const char *key, hf_buf *ret) {
    sqlite3_stmt *q;
    if (!prepare(s->reader, "SELECT value FROM meta WHERE key = ?1", &q)) return false;
    sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    bool there = sqlite3_step(q) == SQLITE_ROW;
    if (there) hf_buf_add(ret, HF_BYTES(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)));
    sqlite3_finalize(q);
    return there && !ret->err;
}

bool hf_store_meta_set(hf_store *s, const char *key, hf_bytes value) {
    sqlite3_stmt *q;
    if (s->running || !prepare(s->writer, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", &q)) return false;
    sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(q, 2, value.ptr, value.len, SQLITE_STATIC);
    bool done = sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return done;
}

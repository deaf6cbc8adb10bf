/* store: see store.h. Opening, and committing what is handed over. */
#include "store_blocks.h"
#include "store_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

const char HF_STORE_SCHEMA[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "CREATE TABLE IF NOT EXISTS blocks (seq INTEGER PRIMARY KEY, cid BLOB NOT NULL UNIQUE, address TEXT NOT NULL, block BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS others ON blocks (seq) WHERE address = '';"
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;";

/* A commit on a thread of the pool costs two hand-offs, as much as a quick disk takes for it; so a few blocks are committed on the loop's own thread
 * while commits take less than HERE_NS, smoothed over the last MEAN_OF. */
enum { HERE_BLOCKS_MAX = 4, HERE_NS = 1000 * 1000, MEAN_OF = 8 };

/* A disk is left before it is full: what follows (a restart, a log) needs some of it. It is asked once a second. A commit that failed is tried again. */
enum { ROOM_BYTES = 16 << 20, ROOM_LOOK_NS = 1000 * 1000 * 1000, RETRY_MS = 500, ROW_BYTES = 64 };

/* The WAL starts anew after a checkpoint, over its old bytes. Until it has its full length, a commit that makes it longer has the disk write that down
 * too, nearly twice the work: so zeros go ahead of it, a piece at a time. SQLite reads no further than the last frame whose checksums hold. */
enum { WAL_FRAMES = 4000, WAL_FRAME_BYTES = 4096 + 24, WAL_BYTES = (WAL_FRAMES + 256) * WAL_FRAME_BYTES, WAL_PIECE_BYTES = 1 << 20, HERE_FRAMES = 64 };

const char *hf_store_fail(hf_store *s, sqlite3 *db, const char *what) {
    snprintf(s->why, sizeof s->why, "%s: %s", what, db ? sqlite3_errmsg(db) : "no memory");
    return s->why;
}

static bool open_db(const char *path, int flags, sqlite3 **ret) {
    if (sqlite3_open_v2(path, ret, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) return false;
    sqlite3_busy_timeout(*ret, 5000);
    return true;
}

bool hf_store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret) {
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL) == SQLITE_OK;
}

static bool prepare_all(hf_store *s) {
    return hf_store_prepare(s->writer, "BEGIN IMMEDIATE", &s->begin) && hf_store_prepare(s->writer, "COMMIT", &s->commit) &&
           hf_store_prepare(s->writer, "ROLLBACK", &s->rollback) &&
           hf_store_prepare(s->writer, "INSERT OR IGNORE INTO blocks (cid, address, block) VALUES (?1, ?2, ?3)", &s->insert) &&
           hf_store_prepare(s->reader, "SELECT seq, cid, address, block FROM blocks WHERE cid = ?1", &s->get) && hf_store_prepare(s->reader, "BEGIN", &s->run_begin) &&
           hf_store_prepare(s->reader, "COMMIT", &s->run_commit) &&
           hf_store_prepare(s->reader, "SELECT seq, cid, address, block FROM blocks WHERE seq > ?1 ORDER BY seq", &s->up) &&
           hf_store_prepare(s->reader, "SELECT seq, cid, address, block FROM blocks WHERE seq < ?1 ORDER BY seq DESC", &s->down);
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
    sqlite3_stmt *all[] = {s->begin, s->commit, s->rollback, s->insert, s->get, s->run_begin, s->run_commit, s->up, s->down};
    for (size_t i = 0; i < HF_COUNT(all); i++) sqlite3_finalize(all[i]);
    sqlite3_close(s->reader);
    sqlite3_close(s->writer);
    if (s->wal >= 0) close(s->wal);
}

static void watch_turns(hf_store *s) {
    if (!s->loop) return;
    uv_prepare_init(s->loop, &s->before_wait);
    uv_check_init(s->loop, &s->behind_wait);
    uv_timer_init(s->loop, &s->retry);
    uv_idle_init(s->loop, &s->no_wait);
    s->n_handles = 4;
}

hf_store *hf_store_open(uv_loop_t *loop, const char *dir, void (*stored)(void *, uint64_t), void (*failed)(void *, const char *), void *ctx,
                        const char **ret_why) {
    static char why[256];
    char path[4096];
    hf_store *s = calloc(1, sizeof *s);
    if (!s) return *ret_why = "no memory", NULL;
    *s = (hf_store){.loop = loop, .stored = stored, .failed = failed, .ctx = ctx, .wal = -1};
    s->waiting_last = &s->waiting;
    s->work.data = s->before_wait.data = s->behind_wait.data = s->no_wait.data = s->retry.data = s;
    snprintf(s->dir, sizeof s->dir, "%s", dir);
    snprintf(path, sizeof path, "%s/holdfast.db", dir);
    char *message = NULL;
    if (!open_db(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &s->writer)) hf_store_fail(s, s->writer, path);
    else if (sqlite3_exec(s->writer, HF_STORE_SCHEMA, NULL, NULL, &message) != SQLITE_OK) hf_store_fail(s, s->writer, path);
    else if (!open_db(path, SQLITE_OPEN_READONLY, &s->reader) || !prepare_all(s)) hf_store_fail(s, s->reader, path);
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

hf_err hf_store_put(hf_store *s, uint64_t seq, hf_bytes address, hf_bytes cid, hf_bytes block) {
    hf_store_item *i = malloc(sizeof *i + address.len + cid.len + block.len);
    if (!i) return s->dead = true, HF_NOMEM; /* what comes behind it must not be taken for all */
    *i = (hf_store_item){NULL, seq, (uint16_t)address.len, (uint16_t)cid.len, block.len};
    if (address.len) memcpy(i->bytes, address.ptr, address.len);
    memcpy(i->bytes + address.len, cid.ptr, cid.len);
    memcpy(i->bytes + address.len + cid.len, block.ptr, block.len);
    *s->waiting_last = i;
    s->waiting_last = &i->next;
    s->n_waiting++;
    s->bytes_put += address.len + 2 * cid.len + block.len + ROW_BYTES;
    return HF_OK;
}

static bool step(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

static bool insert(hf_store *s, const hf_store_item *i) {
    const uint8_t *cid = i->bytes + i->address_len;
    sqlite3_bind_blob(s->insert, 1, cid, i->cid_len, SQLITE_STATIC);
    sqlite3_bind_text(s->insert, 2, (const char *)i->bytes, i->address_len, SQLITE_STATIC);
    sqlite3_bind_blob64(s->insert, 3, cid + i->cid_len, i->block_len, SQLITE_STATIC);
    return step(s->insert);
}

/* Asked before the write, while there is still room for it. */
static bool has_room(hf_store *s) {
    struct statvfs disk;
    uint64_t now = uv_hrtime();
    if (s->at_bound) snprintf(s->why, sizeof s->why, "the store takes as much of the disk as it may (--max-store)");
    if (s->at_bound) return false;
    if (!s->failing && s->room_looked_ns && now - s->room_looked_ns < ROOM_LOOK_NS) return true;
    s->room_looked_ns = now;
    if (statvfs(s->dir, &disk) || (uint64_t)disk.f_bavail * disk.f_frsize >= ROOM_BYTES) return true;
    snprintf(s->why, sizeof s->why, "less than %d MiB are free on the disk", ROOM_BYTES >> 20);
    return false;
}

static bool commit_batch(hf_store *s) {
    bool ok = step(s->begin);
    for (const hf_store_item *i = s->batch; ok && i; i = i->next) ok = insert(s, i);
    if (ok) write_ahead(s);
    if (ok && step(s->commit)) return true;
    hf_store_fail(s, s->writer, "the store cannot write");
    s->commit_damage = hf_store_is_damage(sqlite3_errcode(s->writer));
    step(s->rollback);
    return false;
}

/* On a pool thread: the writer connection is used by one commit at a time. */
static void run_commit(uv_work_t *work) {
    hf_store *s = work->data;
    uint64_t began = uv_hrtime();
    s->failing = !has_room(s) || !commit_batch(s);
    s->commit_ns += ((int64_t)(uv_hrtime() - began) - s->commit_ns) / MEAN_OF;
}

static uint64_t drop_batch(hf_store *s) {
    uint64_t seq = 0;
    while (s->batch) {
        hf_store_item *i = s->batch;
        s->batch = i->next;
        seq = i->seq;
        free(i);
    }
    return seq;
}

/* What could not be committed goes first the next time. */
static void take_back(hf_store *s) {
    hf_store_item **last = &s->batch;
    for (; *last; last = &(*last)->next) s->n_waiting++;
    *last = s->waiting;
    if (!s->waiting) s->waiting_last = last;
    s->waiting = s->batch;
    s->batch = NULL;
}

static void on_retry(uv_timer_t *retry);

static void committed(uv_work_t *work, int status) {
    (void)status;
    hf_store *s = work->data;
    s->running = false;
    s->damaged |= s->commit_damage;
    if (s->failing) {
        take_back(s);
        uv_timer_start(&s->retry, on_retry, RETRY_MS, 0);
        bool news = !s->refuses;
        s->refuses = true;
        if (news) s->failed(s->ctx, s->why);
        return;
    }
    uint64_t seq = drop_batch(s);
    bool news = s->refuses;
    s->refuses = false;
    if (news) s->failed(s->ctx, NULL);
    s->stored(s->ctx, seq);
    hf_store_commit(s);
}

static bool take_batch(hf_store *s) {
    if (s->running || s->dead || !s->waiting) return false;
    s->batch = s->waiting;
    s->waiting = NULL;
    s->waiting_last = &s->waiting;
    s->n_waiting = 0;
    s->at_bound = s->bytes_max && hf_store_bytes(s) >= s->bytes_max;
    return true;
}

/* The commit that fills the WAL also empties it: not on the loop's time. */
static bool fits_here(const hf_store *s, size_t n) {
    return !s->failing && n <= HERE_BLOCKS_MAX && s->commit_ns < HERE_NS && s->wal_used < (int64_t)(WAL_FRAMES - HERE_FRAMES) * WAL_FRAME_BYTES;
}

static void commit(hf_store *s) {
    uv_prepare_stop(&s->before_wait);
    uv_check_stop(&s->behind_wait);
    uv_idle_stop(&s->no_wait);
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

static void on_retry(uv_timer_t *retry) { commit(retry->data); }
static void on_prepare(uv_prepare_t *prepare) { commit(prepare->data); }
static void on_check(uv_check_t *check) { commit(check->data); }
static void on_no_wait(uv_idle_t *idle) { (void)idle; }

void hf_store_commit(hf_store *s) {
    if (s->running || s->refuses || s->dead || !s->waiting) return;
    uv_prepare_start(&s->before_wait, on_prepare);
    uv_check_start(&s->behind_wait, on_check);
    uv_idle_start(&s->no_wait, on_no_wait);
}

static void on_closed(uv_handle_t *handle) {
    hf_store *s = handle->data;
    if (--s->n_handles == 0) free(s);
}

void hf_store_close(hf_store *s) {
    if (!s) return;
    while (s->running) uv_run(s->loop, UV_RUN_ONCE);
    hf_store_scrub_end(s);
    if (take_batch(s)) {
        run_commit(&s->work);
        drop_batch(s);
    }
    s->batch = s->waiting;
    drop_batch(s);
    if (s->damaged) hf_store_want_repair(s->dir);
    close_db(s);
    free(s->got);
    if (!s->n_handles) return free(s);
    uv_close((uv_handle_t *)&s->before_wait, on_closed);
    uv_close((uv_handle_t *)&s->behind_wait, on_closed);
    uv_close((uv_handle_t *)&s->no_wait, on_closed);
    uv_close((uv_handle_t *)&s->retry, on_closed);
}

/* ---- how much it takes ---- */

void hf_store_bound(hf_store *s, uint64_t bytes_max, uint64_t bytes_beside) {
    s->bytes_max = bytes_max;
    s->bytes_beside = bytes_beside;
    if (!bytes_max) return;
    s->bytes_looked = hf_sqlite_used(s->reader);
    s->bytes_put = 0;
    for (const hf_store_item *i = s->waiting; i; i = i->next) s->bytes_put += i->address_len + 2u * i->cid_len + i->block_len + ROW_BYTES;
}

uint64_t hf_store_bytes(const hf_store *s) { return s->bytes_looked + s->bytes_put + s->bytes_beside; }
bool hf_store_is_at_bound(const hf_store *s) { return s->at_bound; }

bool hf_store_idle(const hf_store *s) { return !s->running && !s->refuses && !s->dead; }
bool hf_store_is_damaged(const hf_store *s) { return s->damaged; }

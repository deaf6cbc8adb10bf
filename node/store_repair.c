/* store_repair: see hf_store_repair. The new file is made whole beside the damaged one before anything is renamed. */
#include "store_carve.h"
#include "store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ASIDE_MAX = 8, MADE_PAGES = 5 /* of an empty store */ };

typedef struct paths { const char *dir; char db[4096], wal[4096], shm[4096], fresh[4096], wish[4096]; } paths;

static void name_paths(const char *dir, paths *p) {
    p->dir = dir;
    snprintf(p->db, sizeof p->db, "%s/holdfast.db", dir);
    snprintf(p->wal, sizeof p->wal, "%s/holdfast.db-wal", dir);
    snprintf(p->shm, sizeof p->shm, "%s/holdfast.db-shm", dir);
    snprintf(p->fresh, sizeof p->fresh, "%s/holdfast.db.new", dir);
    snprintf(p->wish, sizeof p->wish, "%s/repair", dir);
}

static bool exists(const char *path) { return !access(path, F_OK); }

void hf_store_want_repair(const char *dir) {
    paths p;
    name_paths(dir, &p);
    int fd = open(p.wish, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
}

static void sync_dir(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    (void)!fsync(fd);
    close(fd);
}

/* ---- is it damaged? ---- */

/* A file's bytes, mapped; one that is not there is empty. */
static bool map_file(const char *path, hf_bytes *ret) {
    struct stat about;
    *ret = HF_BYTES(NULL, 0);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT;
    bool ok = !fstat(fd, &about);
    void *map = ok && about.st_size ? mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    if (!ok || map == MAP_FAILED) return false;
    if (map) *ret = HF_BYTES(map, (size_t)about.st_size);
    return true;
}

static void unmap(hf_bytes bytes) {
    if (bytes.len) munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
}

static bool wal_is_damaged(const paths *p) {
    hf_bytes wal;
    bool damaged = map_file(p->wal, &wal) && hf_carve_wal_is_damaged(wal);
    unmap(wal);
    return damaged;
}

/* What a start asks for first. A schema that has changed its words is damage, too; `made`: that is not because its making was cut off. */
static bool query_is_damaged(sqlite3 *db, const char *sql, bool made) {
    sqlite3_stmt *q;
    if (!hf_store_prepare(db, sql, &q)) return hf_store_is_damage(sqlite3_errcode(db)) || (made && sqlite3_errcode(db) == SQLITE_ERROR);
    int code = sqlite3_step(q);
    sqlite3_finalize(q);
    return hf_store_is_damage(code);
}

static bool db_is_damaged(const paths *p) {
    struct stat about;
    sqlite3 *db;
    if (stat(p->db, &about) || !about.st_size) return false;
    bool made = about.st_size >= MADE_PAGES * HF_CARVE_PAGE;
    bool damaged = sqlite3_open_v2(p->db, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
                   (query_is_damaged(db, "SELECT seq, cid, address, block FROM blocks ORDER BY seq DESC LIMIT 1", made) ||
                    query_is_damaged(db, "SELECT key, value FROM meta WHERE key = 'secrets'", made));
    sqlite3_close(db);
    return damaged;
}

/* ---- the new file ---- */

typedef struct rescue { sqlite3 *db; sqlite3_stmt *insert; size_t n; bool failed; } rescue;

static bool run(sqlite3_stmt *statement) {
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE;
}

static void keep_block(void *ctx, int64_t seq, hf_bytes cid, hf_bytes address, hf_bytes block) {
    rescue *r = ctx;
    if (seq) sqlite3_bind_int64(r->insert, 1, seq);
    else sqlite3_bind_null(r->insert, 1);
    sqlite3_bind_blob(r->insert, 2, cid.ptr, (int)cid.len, SQLITE_STATIC);
    sqlite3_bind_text(r->insert, 3, (const char *)address.ptr, (int)address.len, SQLITE_STATIC);
    sqlite3_bind_blob64(r->insert, 4, block.ptr, block.len, SQLITE_STATIC);
    r->failed |= !run(r->insert);
    r->n += (size_t)sqlite3_changes(r->db);
}

static bool keep_keys(sqlite3 *db, const hf_secrets *secrets) {
    hf_store shell = {.writer = db};
    return hf_store_secrets_set(&shell, secrets);
}

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static bool fill(rescue *r, hf_bytes db, hf_bytes wal, hf_store_repair_report *ret) {
    hf_mem mem = {resize, NULL};
    hf_secrets secrets;
    hf_buf room;
    hf_buf_init(&room, &mem);
    hf_carve_blocks(db, wal, &room, keep_block, r);
    bool ok = !r->failed && !room.err;
    hf_buf_deinit(&room);
    ret->n_blocks = r->n;
    ret->keys = hf_carve_secrets(db, wal, &secrets);
    if (ret->keys) ok = keep_keys(r->db, &secrets) && ok;
    memset(&secrets, 0, sizeof secrets);
    return ok;
}

static void remove_new(const paths *p) {
    char journal[4200];
    snprintf(journal, sizeof journal, "%s-journal", p->fresh);
    unlink(p->fresh);
    unlink(journal);
}

/* All of it in one transaction and one file, which is durable when it is closed. */
static bool make_new(const paths *p, hf_bytes db, hf_bytes wal, hf_store_repair_report *ret) {
    rescue r = {0};
    remove_new(p);
    bool ok = sqlite3_open_v2(p->fresh, &r.db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL) == SQLITE_OK &&
              sqlite3_exec(r.db, HF_STORE_SCHEMA, NULL, NULL, NULL) == SQLITE_OK && sqlite3_exec(r.db, "PRAGMA journal_mode=DELETE; BEGIN", NULL, NULL, NULL) == SQLITE_OK &&
              hf_store_prepare(r.db, "INSERT OR IGNORE INTO blocks (seq, cid, address, block) VALUES (?1, ?2, ?3, ?4)", &r.insert) &&
              fill(&r, db, wal, ret);
    sqlite3_finalize(r.insert);
    ok = ok && sqlite3_exec(r.db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    ok = sqlite3_close(r.db) == SQLITE_OK && ok;
    if (!ok) remove_new(p);
    return ok;
}

/* ---- in its place ---- */

/* "holdfast.db.damaged-N", the first that is free. False: there are too many, a disk that damages again and again. */
static bool name_aside(const paths *p, char ret_name[64], char ret_path[4096]) {
    for (int n = 1; n <= ASIDE_MAX; n++) {
        snprintf(ret_name, 64, "holdfast.db.damaged-%d", n);
        snprintf(ret_path, 4096, "%.4000s/%s", p->dir, ret_name);
        if (!exists(ret_path)) return true;
    }
    return false;
}

/* The WAL of what was set aside last goes with it; beside the new file it would be taken for that one's. */
static bool wal_aside(const paths *p) {
    char aside[4096], wal[4200] = "";
    for (int n = 1; n <= ASIDE_MAX; n++) {
        snprintf(aside, sizeof aside, "%.4000s/holdfast.db.damaged-%d", p->dir, n);
        if (exists(aside)) snprintf(wal, sizeof wal, "%s-wal", aside);
    }
    return !exists(p->wal) || (wal[0] && !rename(p->wal, wal));
}

static bool put_in_place(const paths *p) {
    if (!wal_aside(p)) return false;
    sync_dir(p->dir);
    unlink(p->shm);
    if (rename(p->fresh, p->db)) return false;
    sync_dir(p->dir);
    unlink(p->wish);
    return true;
}

/* As long as there is no database, the new file beside its place is the one: so a crash at any step is gone on from. */
static bool set_aside(const paths *p, const char *aside) {
    if (rename(p->db, aside)) return false;
    sync_dir(p->dir);
    return true;
}

static bool repair(const paths *p, hf_store_repair_report *ret, const char **ret_why) {
    char aside[4096];
    hf_bytes db, wal = HF_BYTES(NULL, 0);
    if (!name_aside(p, ret->aside, aside)) return *ret_why = "the store is damaged again and again: look at the disk, then remove the files holdfast.db.damaged-*", false;
    bool ok = map_file(p->db, &db) && map_file(p->wal, &wal) && make_new(p, db, wal, ret);
    unmap(db);
    unmap(wal);
    if (!ok || !set_aside(p, aside) || !put_in_place(p)) return *ret_why = "the store is damaged, and there is no memory or no place on the disk to repair it", false;
    return ret->repaired = true;
}

bool hf_store_repair(const char *dir, hf_store_repair_report *ret, const char **ret_why) {
    paths p;
    name_paths(dir, &p);
    *ret = (hf_store_repair_report){0};
    if (!exists(p.db) && exists(p.fresh)) return put_in_place(&p) || (*ret_why = "a repaired store cannot be put in its place", false);
    remove_new(&p);
    if (!exists(p.db)) return true;
    bool damaged = exists(p.wish) || wal_is_damaged(&p) || db_is_damaged(&p);
    return !damaged || repair(&p, ret, ret_why);
}

/* store_scrub: see hf_store_scrub. Damage where nobody looks stays unknown until the other copies are gone, too. */
#include "store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct hf_store_scrub {
    hf_store *store;
    uv_work_t work;
    sqlite3 *db;
    bool damaged;
} hf_store_scrub_job;

static hf_bytes column(sqlite3_stmt *statement, int at) {
    return HF_BYTES(sqlite3_column_blob(statement, at), (size_t)sqlite3_column_bytes(statement, at));
}

static bool structures_are_whole(sqlite3 *db) {
    sqlite3_stmt *check;
    if (!hf_store_prepare(db, "PRAGMA integrity_check(1)", &check)) return !hf_store_is_damage(sqlite3_errcode(db));
    int code = sqlite3_step(check);
    bool whole = code == SQLITE_ROW ? hf_eq(column(check, 0), HF_TEXT("ok")) : !hf_store_is_damage(code);
    bool stopped = sqlite3_step(check) == SQLITE_INTERRUPT;
    sqlite3_finalize(check);
    return whole || stopped;
}

static bool blocks_are_whole(sqlite3 *db) {
    sqlite3_stmt *all;
    if (!hf_store_prepare(db, "SELECT cid, address, block FROM blocks", &all)) return !hf_store_is_damage(sqlite3_errcode(db));
    bool fits = true;
    int code;
    while (fits && (code = sqlite3_step(all)) == SQLITE_ROW) fits = hf_store_block_fits(column(all, 0), column(all, 1), column(all, 2));
    sqlite3_finalize(all);
    return fits && !hf_store_is_damage(code);
}

static void look(uv_work_t *work) {
    hf_store_scrub_job *job = work->data;
    job->damaged = !structures_are_whole(job->db) || !blocks_are_whole(job->db);
}

static void looked(uv_work_t *work, int status) {
    (void)status;
    hf_store_scrub_job *job = work->data;
    job->store->damaged |= job->damaged;
    job->store->scrub = NULL;
    sqlite3_close(job->db);
    free(job);
}

void hf_store_scrub(hf_store *s) {
    char path[4096];
    hf_store_scrub_job *job = s->scrub ? NULL : calloc(1, sizeof *job);
    if (!job) return;
    job->store = s;
    job->work.data = job;
    snprintf(path, sizeof path, "%s/holdfast.db", s->dir);
    if (sqlite3_open_v2(path, &job->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX, NULL) != SQLITE_OK || uv_queue_work(s->loop, &job->work, look, looked)) {
        sqlite3_close(job->db);
        free(job);
        return;
    }
    s->scrub = job;
}

void hf_store_scrub_end(hf_store *s) {
    while (s->scrub) {
        sqlite3_interrupt(s->scrub->db);
        uv_run(s->loop, UV_RUN_ONCE);
    }
}

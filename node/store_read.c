/* store_read: see store.h. What was stored, looked at before it is believed. */
#include "store_private.h"

#include "../core/crypto/crypto.h"

#include <stdlib.h>
#include <string.h>

enum { GOT_KEPT_MAX = 64 << 10, CHECKSUM_LEN = 32 };

bool hf_store_is_damage(int code) { return (code & 255) == SQLITE_CORRUPT || (code & 255) == SQLITE_NOTADB; }

static hf_bytes column(sqlite3_stmt *statement, int at) {
    return HF_BYTES(sqlite3_column_blob(statement, at), (size_t)sqlite3_column_bytes(statement, at));
}

/* After a failed call on the reader. */
static hf_err read_failed(hf_store *s, const char **ret_why) {
    int code = sqlite3_errcode(s->reader);
    *ret_why = hf_store_fail(s, s->reader, "reading");
    s->damaged |= hf_store_is_damage(code);
    return hf_store_is_damage(code) ? HF_MALFORMED : (code & 255) == SQLITE_NOMEM ? HF_NOMEM : HF_DENIED;
}

/* A block names itself: its CID has its hash, and an entry holds the address of its database. */
bool hf_store_block_fits(hf_bytes cid, hf_bytes address, hf_bytes block) {
    uint8_t digest[32];
    if (cid.len != HF_CID_LEN || cid.ptr[0] != 1 || cid.ptr[2] != 0x12 || cid.ptr[3] != sizeof digest) return false;
    hf_sha256_of(block, digest);
    if (memcmp(digest, cid.ptr + HF_CID_LEN - sizeof digest, sizeof digest)) return false;
    return !address.len || memmem(block.ptr, block.len, address.ptr, address.len);
}

hf_err hf_store_each(hf_store *s, hf_store_part part, uint64_t after, hf_store_visit *each, void *ctx, const char **ret_why) {
    static const char *const selects[] = {
        [HF_STORE_ENTRIES] = "SELECT seq, cid, address, block FROM blocks WHERE seq > ?1 AND address != '' ORDER BY seq",
        [HF_STORE_OTHERS] = "SELECT seq, cid, address, block FROM blocks INDEXED BY others WHERE seq > ?1 AND address = '' ORDER BY seq",
    };
    sqlite3_stmt *select;
    if (!hf_store_prepare(s->reader, selects[part], &select)) return read_failed(s, ret_why);
    sqlite3_bind_int64(select, 1, (sqlite3_int64)after);
    int code;
    bool fits = true;
    while ((code = sqlite3_step(select)) == SQLITE_ROW) {
        hf_bytes address = column(select, 2), block = column(select, 3);
        fits = hf_store_block_fits(column(select, 1), address, block);
        if (!fits || !each(ctx, (uint64_t)sqlite3_column_int64(select, 0), address, block)) break;
    }
    hf_err err = code == SQLITE_DONE || code == SQLITE_ROW ? HF_OK : read_failed(s, ret_why);
    sqlite3_finalize(select);
    if (fits) return err;
    s->damaged = true;
    return *ret_why = "a block is not what was stored", HF_MALFORMED;
}

/* The last block up to `at`. */
static bool find_mark(hf_store *s, uint64_t at, hf_store_mark *ret) {
    sqlite3_stmt *q;
    if (!hf_store_prepare(s->reader, "SELECT seq, cid FROM blocks WHERE seq <= ?1 ORDER BY seq DESC LIMIT 1", &q)) return false;
    sqlite3_bind_int64(q, 1, (sqlite3_int64)at);
    bool there = sqlite3_step(q) == SQLITE_ROW && sqlite3_column_bytes(q, 1) == HF_CID_LEN;
    if (there) {
        ret->at = (uint64_t)sqlite3_column_int64(q, 0);
        memcpy(ret->cid, sqlite3_column_blob(q, 1), HF_CID_LEN);
    }
    sqlite3_finalize(q);
    /* The index that UNIQUE makes holds no blocks: counting there reads a twentieth of the file. */
    if (!there || !hf_store_prepare(s->reader, "SELECT count(*) FROM blocks INDEXED BY sqlite_autoindex_blocks_1 WHERE seq <= ?1", &q)) return false;
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

/* As long as a statement stands on a row, the reader sees the store of that moment, and the WAL cannot be emptied: so the block is copied out. */
static hf_err copy_out(hf_store *s, hf_bytes block) {
    if (block.len > s->got_cap || s->got_cap > GOT_KEPT_MAX) {
        uint8_t *got = realloc(s->got, block.len ? block.len : 1);
        if (!got) return HF_NOMEM;
        s->got = got;
        s->got_cap = block.len;
    }
    if (block.len) memcpy(s->got, block.ptr, block.len);
    return HF_OK;
}

enum { SEQ, CID, ADDRESS, BLOCK, NEAR = 4 /* blocks: what another database stored in between is stepped over */ };

/* A row that was found: is it what was stored? */
static hf_err take_row(hf_store *s, sqlite3_stmt *row, hf_bytes cid, hf_bytes *ret) {
    hf_bytes block = column(row, BLOCK);
    if (!hf_store_block_fits(cid, column(row, ADDRESS), block)) return s->damaged = true, HF_NOT_FOUND;
    hf_err err = copy_out(s, block);
    if (!err) *ret = HF_BYTES(s->got, block.len);
    return err;
}

static void leave_row(hf_store *s) {
    if (s->along) sqlite3_reset(s->along);
    s->along = NULL;
}

/* Is it one of the next, the way that the last ones went? That saves the way down both trees. */
static bool find_along(hf_store *s, hf_bytes cid) {
    for (size_t i = 0; s->along && i < NEAR; i++) {
        int code = sqlite3_step(s->along);
        if (code == SQLITE_ROW && hf_eq(column(s->along, CID), cid)) return s->last_at = sqlite3_column_int64(s->along, SEQ), true;
        s->damaged |= hf_store_is_damage(code);
        if (code != SQLITE_ROW) break;
    }
    leave_row(s);
    return false;
}

/* Two that were asked for one after the other stand side by side: so may those that follow. */
static void go_along(hf_store *s, int64_t at) {
    int64_t steps = at - s->last_at;
    if (s->in_run && s->last_at && steps && steps <= NEAR && steps >= -NEAR) {
        s->along = steps > 0 ? s->up : s->down;
        sqlite3_bind_int64(s->along, 1, at);
    }
    s->last_at = at;
}

hf_err hf_store_get(void *store, hf_bytes cid, hf_bytes *ret) {
    hf_store *s = store;
    if (find_along(s, cid)) return take_row(s, s->along, cid, ret);
    sqlite3_bind_blob(s->get, 1, cid.ptr, (int)cid.len, SQLITE_STATIC);
    int code = sqlite3_step(s->get);
    hf_err err = code == SQLITE_NOMEM ? HF_NOMEM : HF_NOT_FOUND;
    if (code == SQLITE_ROW) {
        err = take_row(s, s->get, cid, ret);
        go_along(s, sqlite3_column_int64(s->get, SEQ));
    } else s->damaged |= hf_store_is_damage(code);
    sqlite3_reset(s->get);
    return err;
}

/* Without the transaction each block is read in one of its own, as it is outside of a run. */
void hf_store_run(hf_store *s, bool begins) {
    sqlite3_stmt *bracket = begins ? s->run_begin : s->run_commit;
    leave_row(s);
    s->in_run = begins;
    s->last_at = 0;
    if (!begins && sqlite3_get_autocommit(s->reader)) return;
    sqlite3_step(bracket);
    sqlite3_reset(bracket);
}

/* ---- small named values ---- */

bool hf_store_meta_get(hf_store *s, const char *key, hf_buf *ret) {
    sqlite3_stmt *q;
    if (!hf_store_prepare(s->reader, "SELECT value FROM meta WHERE key = ?1", &q)) return false;
    sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    bool there = sqlite3_step(q) == SQLITE_ROW;
    if (there) hf_buf_add(ret, HF_BYTES(sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0)));
    sqlite3_finalize(q);
    return there && !ret->err;
}

bool hf_store_meta_set(hf_store *s, const char *key, hf_bytes value) {
    sqlite3_stmt *q;
    if (s->running || !hf_store_prepare(s->writer, "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)", &q)) return false;
    sqlite3_bind_text(q, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(q, 2, value.ptr, value.len, SQLITE_STATIC);
    bool done = sqlite3_step(q) == SQLITE_DONE;
    sqlite3_finalize(q);
    return done;
}

/* ---- the node's keys: with a checksum, since keys that were damaged would be another node's ---- */

static void checksum_of(const hf_secrets *secrets, uint8_t ret[CHECKSUM_LEN]) { hf_sha256_of(HF_BYTES(secrets, sizeof *secrets), ret); }

bool hf_store_secrets_read(hf_bytes kept, hf_secrets *ret) {
    uint8_t checksum[CHECKSUM_LEN];
    if (kept.len != HF_STORE_SECRETS_LEN) return false;
    memcpy(ret, kept.ptr, sizeof *ret);
    checksum_of(ret, checksum);
    return !memcmp(checksum, kept.ptr + sizeof *ret, sizeof checksum);
}

hf_err hf_store_secrets_get(hf_store *s, hf_secrets *ret) {
    sqlite3_stmt *q;
    const char *why;
    if (!hf_store_prepare(s->reader, "SELECT value FROM meta WHERE key = 'secrets'", &q)) return read_failed(s, &why);
    int code = sqlite3_step(q);
    hf_err err = code == SQLITE_DONE ? HF_NOT_FOUND : HF_OK;
    if (code == SQLITE_ROW) {
        hf_bytes kept = column(q, 0);
        bool old = kept.len == sizeof *ret; /* written before there were checksums */
        if (old) memcpy(ret, kept.ptr, sizeof *ret);
        else if (!hf_store_secrets_read(kept, ret)) err = HF_MALFORMED;
    } else if (err == HF_OK) err = read_failed(s, &why);
    s->damaged |= err == HF_MALFORMED;
    sqlite3_finalize(q);
    return err;
}

bool hf_store_secrets_set(hf_store *s, const hf_secrets *secrets) {
    uint8_t kept[HF_STORE_SECRETS_LEN];
    memcpy(kept, secrets, sizeof *secrets);
    checksum_of(secrets, kept + sizeof *secrets);
    bool done = hf_store_meta_set(s, "secrets", HF_BYTES(kept, sizeof kept));
    memset(kept, 0, sizeof kept);
    return done;
}

/* warm: see warm.h. A file: "HFN1"; the store's mark: place and count as varints, CID; SHA-256 of everything before; for each database its address and its
 * snapshot, each behind its length; a snapshot has a checksum of its own. */
#include "warm.h"

#include "../core/codec/varint.h"
#include "../core/log/manifest.h"
#include "say.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char MAGIC[] = "HFN1";
enum { MAGIC_LEN = 4, CHECKSUM_LEN = 32, NEW_MIN = 1000, NEW_PART = 10, NEW_AT_END = 100, PAUSE_MS = 60000, BYTES_MAX = 1 << 30 };

/* A file, and what the last one that was read or written has. */
typedef struct kept {
    char address[HF_ADDRESS_LEN]; /* of the database added at run time; of the app's: empty */
    uint64_t after;      /* what was restored holds the store up to here; 0: nothing was */
    size_t n_saved;      /* entries */
    uint64_t saved_ms;
} kept;

struct hf_warm {
    hf_node *node;
    bool *has;           /* one a collection */
    size_t n_collections;
    kept *files;         /* the app's first */
    size_t n_files, cap_files;
    bool intact, running;
    uv_work_t work;
    hf_buf bytes;        /* being written */
    int problem;         /* errno */
    char path[4096], path_new[4096];
};

static bool name_file(hf_warm *w, const kept *file) {
    const char *cid = file->address + HF_ADDRESS_LEN - HF_CID_TEXT_LEN;
    int len = !file->address[0] ? snprintf(w->path, sizeof w->path, "%s/snapshot", w->node->options->dir)
                                : snprintf(w->path, sizeof w->path, "%s/snapshot-%.*s", w->node->options->dir, HF_CID_TEXT_LEN, cid);
    return len < (int)sizeof w->path && snprintf(w->path_new, sizeof w->path_new, "%s.new", w->path) < (int)sizeof w->path_new;
}

/* Of this database, made when it is new. NULL: no memory. */
static kept *file_of(hf_warm *w, uint32_t database) {
    hf_bytes address = hf_core_address(w->node->core, database);
    for (size_t i = 1; i < w->n_files; i++)
        if (hf_eq(HF_BYTES(w->files[i].address, HF_ADDRESS_LEN), address)) return &w->files[i];
    if (hf_grow(&w->node->mem, (void **)&w->files, &w->cap_files, sizeof *w->files, w->n_files + 1)) return NULL;
    kept *file = &w->files[w->n_files++];
    *file = (kept){.after = 0};
    memcpy(file->address, address.ptr, HF_ADDRESS_LEN);
    return file;
}

/* ---- reading ---- */

static bool read_all(const char *path, hf_buf *ret) {
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool ok = !fstat(fd, &about) && about.st_size > 0 && about.st_size <= BYTES_MAX && hf_buf_extend(ret, (size_t)about.st_size);
    for (size_t at = 0; ok && at < ret->len;) {
        ssize_t n = read(fd, ret->ptr + at, ret->len - at);
        if (n > 0) at += (size_t)n;
        else ok = n < 0 && errno == EINTR;
    }
    close(fd);
    return ok;
}

static bool take_number(hf_bytes *rest, uint64_t *ret) {
    size_t len = 0;
    if (hf_varint_read(*rest, ret, &len)) return false;
    *rest = hf_sub(*rest, len, rest->len);
    return true;
}

static bool take_piece(hf_bytes *rest, hf_bytes *ret) {
    uint64_t len;
    if (!take_number(rest, &len) || len > rest->len) return false;
    *ret = hf_sub(*rest, 0, (size_t)len);
    *rest = hf_sub(*rest, (size_t)len, rest->len);
    return true;
}

static bool take_mark(hf_bytes *rest, hf_store_mark *ret) {
    hf_bytes all = *rest;
    if (!hf_starts(all, hf_str(MAGIC))) return false;
    *rest = hf_sub(all, MAGIC_LEN, all.len);
    if (!take_number(rest, &ret->at) || !take_number(rest, &ret->n) || rest->len < HF_CID_LEN + CHECKSUM_LEN) return false;
    memcpy(ret->cid, rest->ptr, HF_CID_LEN);
    uint8_t checksum[CHECKSUM_LEN];
    hf_sha256_of(hf_sub(all, 0, all.len - rest->len + HF_CID_LEN), checksum);
    bool whole = hf_eq(hf_sub(*rest, HF_CID_LEN, CHECKSUM_LEN), HF_BYTES(checksum, CHECKSUM_LEN));
    *rest = hf_sub(*rest, HF_CID_LEN + CHECKSUM_LEN, rest->len);
    return whole;
}

static void not_used(const char *why) { hf_say(HF_LEVEL_INFO, "the snapshot is not used; all entries are read", "why", why, NULL); }

/* Of the app's databases; or this one alone. */
static uint32_t number_of(const hf_warm *w, hf_bytes address, uint32_t only) {
    for (uint32_t i = only ? only : 1; i <= (only ? only : w->n_collections); i++)
        if (hf_eq(address, hf_core_address(w->node->core, i))) return i;
    return 0;
}

/* One database's. False: no memory. */
static bool restore_one(hf_warm *w, uint32_t number, hf_bytes saved, bool *ret_done) {
    hf_fault fault = {"", 0};
    *ret_done = false;
    if (!number) return true;
    hf_err err = hf_core_restore(w->node->core, number, saved, &fault);
    if (err == HF_NOMEM) return false;
    if (err) not_used(fault.what);
    *ret_done = !err;
    return true;
}

static bool restore(hf_warm *w, kept *file, uint32_t only, hf_bytes rest) {
    hf_store_mark mark;
    hf_bytes address, saved;
    bool done;
    if (!take_mark(&rest, &mark)) return not_used("it is damaged"), true;
    if (!hf_store_holds(w->node->store, &mark)) return not_used("it is of another state of the store"), true;
    while (take_piece(&rest, &address) && take_piece(&rest, &saved)) {
        uint32_t number = number_of(w, address, only);
        if (!restore_one(w, number, saved, &done)) return false;
        if (!done) continue;
        if (!only) w->has[number - 1] = true;
        file->after = mark.at;
        file->n_saved += hf_core_n_entries(w->node->core, number);
    }
    return true;
}

static bool read_file(hf_warm *w, kept *file, uint32_t only) {
    bool ok = true;
    hf_buf bytes;
    hf_buf_init(&bytes, &w->node->mem);
    if (name_file(w, file) && read_all(w->path, &bytes)) ok = restore(w, file, only, hf_buf_bytes(&bytes));
    hf_buf_deinit(&bytes);
    return ok;
}

hf_warm *hf_warm_open(hf_node *node) {
    hf_warm *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->node = node;
    w->n_collections = hf_core_n_collections(node->core);
    w->has = calloc(w->n_collections + 1, sizeof *w->has);
    hf_buf_init(&w->bytes, &node->mem);
    bool ok = w->has && !hf_grow(&node->mem, (void **)&w->files, &w->cap_files, sizeof *w->files, 1);
    if (ok) w->files[w->n_files++] = (kept){.after = 0};
    if (ok && w->n_collections) ok = read_file(w, &w->files[0], 0);
    if (ok) return w;
    hf_release(&node->mem, w->files, w->cap_files * sizeof *w->files);
    free(w->has);
    free(w);
    return NULL;
}

bool hf_warm_take(hf_warm *w, uint32_t database, uint64_t *ret_after) {
    kept *file = file_of(w, database);
    if (!file) return false;
    file->after = file->n_saved = 0;
    bool ok = read_file(w, file, database);
    *ret_after = file->after;
    return ok;
}

static uint64_t after_of(const hf_warm *w, uint32_t database) {
    if (database <= w->n_collections) return w->has[database - 1] ? w->files[0].after : 0;
    hf_bytes address = hf_core_address(w->node->core, database);
    for (size_t i = 1; i < w->n_files; i++)
        if (hf_eq(HF_BYTES(w->files[i].address, HF_ADDRESS_LEN), address)) return w->files[i].after;
    return 0;
}

uint64_t hf_warm_after(const hf_warm *w) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 1; i <= hf_core_n_databases(w->node->core); i++) {
        uint64_t after = hf_core_address(w->node->core, i).len ? after_of(w, i) : UINT64_MAX;
        if (after < least) least = after;
    }
    return least == UINT64_MAX ? 0 : least;
}

bool hf_warm_has(const hf_warm *w, uint32_t database, uint64_t at) { return database && at <= after_of(w, database); }
void hf_warm_loaded(hf_warm *w, bool intact) { w->intact = intact; }

/* ---- writing ---- */

/* Its databases: [first, end). False: it is not open. */
static bool range_of(const hf_warm *w, const kept *file, uint32_t *ret_first, uint32_t *ret_end) {
    if (!file->address[0]) return *ret_first = 1, *ret_end = (uint32_t)w->n_collections + 1, w->n_collections > 0;
    for (uint32_t i = (uint32_t)w->n_collections + 1; i <= hf_core_n_databases(w->node->core); i++) {
        hf_core_db_about about;
        if (hf_core_db_info(w->node->core, i, &about) || !hf_eq(about.address, HF_BYTES(file->address, HF_ADDRESS_LEN))) continue;
        return *ret_first = i, *ret_end = i + 1, about.phase == HF_CORE_OPEN;
    }
    return false;
}

static size_t count_entries(const hf_warm *w, uint32_t first, uint32_t end) {
    size_t n = 0;
    for (uint32_t i = first; i < end; i++) n += hf_core_n_entries(w->node->core, i);
    return n;
}

static hf_err add_database(const hf_core *core, uint32_t number, hf_buf *snapshot, hf_buf *buf) {
    hf_bytes address = hf_core_address(core, number);
    hf_buf_clear(snapshot);
    hf_err err = hf_core_snapshot(core, number, snapshot);
    if (err) return err;
    hf_varint_add(buf, address.len);
    hf_buf_add(buf, address);
    hf_varint_add(buf, snapshot->len);
    hf_buf_add(buf, hf_buf_bytes(snapshot));
    return buf->err;
}

/* Everything that the core has is in the store, and everything of these databases that the store has is in the core. */
static bool build(hf_warm *w, uint32_t first, uint32_t end) {
    const hf_core *core = w->node->core;
    hf_store_mark mark;
    hf_buf snapshot;
    if (hf_core_seq(core) != hf_core_seq_stored(core) || !hf_store_mark_now(w->node->store, &mark)) return false;
    hf_buf_clear(&w->bytes);
    hf_buf_add_str(&w->bytes, MAGIC);
    hf_varint_add(&w->bytes, mark.at);
    hf_varint_add(&w->bytes, mark.n);
    hf_buf_add(&w->bytes, HF_BYTES(mark.cid, HF_CID_LEN));
    if (w->bytes.err) return false;
    uint8_t checksum[CHECKSUM_LEN];
    hf_sha256_of(hf_buf_bytes(&w->bytes), checksum);
    hf_buf_add(&w->bytes, HF_BYTES(checksum, sizeof checksum));
    hf_buf_init(&snapshot, &w->node->mem);
    hf_err err = HF_OK;
    for (uint32_t i = first; i < end && !err; i++) err = add_database(core, i, &snapshot, &w->bytes);
    hf_buf_deinit(&snapshot);
    if (!err) return true;
    hf_buf_deinit(&w->bytes);
    return false;
}

static bool write_all(int fd, hf_bytes bytes) {
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = write(fd, bytes.ptr + at, bytes.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += (size_t)n;
    }
    return true;
}

/* On a pool thread. A crash in between leaves the old one, or none. */
static void write_file(uv_work_t *work) {
    hf_warm *w = work->data;
    int fd = open(w->path_new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_all(fd, hf_buf_bytes(&w->bytes)) && !fsync(fd) && !rename(w->path_new, w->path);
    w->problem = ok ? 0 : errno;
    if (fd >= 0) close(fd);
    if (!ok) unlink(w->path_new);
}

static void written(uv_work_t *work, int status) {
    (void)status;
    hf_warm *w = work->data;
    w->running = false;
    hf_buf_deinit(&w->bytes);
    if (w->problem) hf_say(HF_LEVEL_WARN, "no snapshot was written; the next start reads all entries", "why", strerror(w->problem), NULL);
}

/* The new entries are counted from what is tried, so that a disk that is full is not tried again and again. */
static bool prepare(hf_warm *w, kept *file, size_t n_new_min) {
    uint32_t first, end;
    if (!w->intact || w->running || !range_of(w, file, &first, &end)) return false;
    size_t n = count_entries(w, first, end);
    if (n < file->n_saved + n_new_min || !name_file(w, file) || !build(w, first, end)) return false;
    file->n_saved = n;
    file->saved_ms = hf_node_now(w->node);
    w->work.data = w;
    return true;
}

static bool is_due(hf_warm *w, kept *file) {
    if (file->saved_ms && hf_node_now(w->node) - file->saved_ms < PAUSE_MS) return false;
    size_t part = file->n_saved / NEW_PART;
    return prepare(w, file, part > NEW_MIN ? part : NEW_MIN);
}

void hf_warm_turn(hf_warm *w) {
    if (!w || w->running) return;
    for (size_t i = 0; i < w->n_files; i++) {
        if (!is_due(w, &w->files[i])) continue;
        w->running = true;
        uv_queue_work(w->node->loop, &w->work, write_file, written);
        return;
    }
}

void hf_warm_close(hf_warm *w) {
    if (!w) return;
    while (w->running) uv_run(w->node->loop, UV_RUN_ONCE);
    for (size_t i = 0; i < w->n_files; i++) {
        if (!prepare(w, &w->files[i], NEW_AT_END)) continue;
        write_file(&w->work);
        written(&w->work, 0);
    }
    hf_buf_deinit(&w->bytes);
    hf_release(&w->node->mem, w->files, w->cap_files * sizeof *w->files);
    free(w->has);
    free(w);
}

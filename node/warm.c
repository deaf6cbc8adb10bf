/* warm: see warm.h. The file: "HFN1"; the store's mark: place and count as varints, CID; for each database its address and its snapshot, each behind its
 * length; last SHA-256 of everything before the first database, since each snapshot has its own. */
#include "warm.h"

#include "../core/codec/varint.h"
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

struct hf_warm {
    hf_node *node;
    uint64_t after;      /* what was restored holds the store up to here; 0: nothing was */
    bool *has;           /* one a collection */
    size_t n_collections, n_restored;
    size_t n_saved;      /* entries in the last snapshot */
    uint64_t saved_ms;
    bool intact, running;
    uv_work_t work;
    hf_buf bytes;        /* being written */
    int problem;         /* errno */
    char path[4096], path_new[4096];
};

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

static uint32_t number_of(const hf_warm *w, hf_bytes address) {
    for (uint32_t i = 1; i <= w->n_collections; i++)
        if (hf_eq(address, hf_core_address(w->node->core, i))) return i;
    return 0;
}

static void not_used(const char *why) { hf_say(HF_LEVEL_INFO, "the snapshot is not used; all entries are read", "why", why, NULL); }

/* One database's. False: no memory. */
static bool restore_one(hf_warm *w, hf_bytes address, hf_bytes saved) {
    hf_fault fault = {"", 0};
    uint32_t number = number_of(w, address);
    if (!number) return true;
    hf_err err = hf_core_restore(w->node->core, number, saved, &fault);
    if (err == HF_NOMEM) return false;
    if (err) return not_used(fault.what), true;
    w->has[number - 1] = true;
    w->n_restored++;
    w->n_saved += hf_core_n_entries(w->node->core, number);
    return true;
}

static bool restore(hf_warm *w, hf_bytes rest) {
    hf_store_mark mark;
    hf_bytes address, saved;
    if (!take_mark(&rest, &mark)) return not_used("it is damaged"), true;
    if (!hf_store_holds(w->node->store, &mark)) return not_used("it is of another state of the store"), true;
    while (take_piece(&rest, &address) && take_piece(&rest, &saved))
        if (!restore_one(w, address, saved)) return false;
    w->after = mark.at;
    return true;
}

hf_warm *hf_warm_open(hf_node *node) {
    hf_warm *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->node = node;
    w->n_collections = hf_core_n_collections(node->core);
    w->has = calloc(w->n_collections + 1, sizeof *w->has);
    hf_buf_init(&w->bytes, &node->mem);
    snprintf(w->path, sizeof w->path, "%s/snapshot", node->options->dir);
    snprintf(w->path_new, sizeof w->path_new, "%s/snapshot.new", node->options->dir);
    bool ok = w->has != NULL;
    if (ok && w->n_collections && read_all(w->path, &w->bytes)) ok = restore(w, hf_buf_bytes(&w->bytes));
    hf_buf_deinit(&w->bytes);
    if (ok) return w;
    free(w->has);
    free(w);
    return NULL;
}

bool hf_warm_restored(const hf_warm *w) { return w->n_restored > 0; }
uint64_t hf_warm_after(const hf_warm *w) {
    bool more = w->n_restored < w->n_collections || hf_core_n_databases(w->node->core) > w->n_collections;
    return more ? 0 : w->after;
}
bool hf_warm_has(const hf_warm *w, uint32_t database, uint64_t at) {
    return database && database <= w->n_collections && w->has[database - 1] && at <= w->after;
}
void hf_warm_loaded(hf_warm *w, bool intact) { w->intact = intact; }

/* ---- writing ---- */

static size_t count_entries(const hf_warm *w) {
    size_t n = 0;
    for (uint32_t i = 1; i <= w->n_collections; i++) n += hf_core_n_entries(w->node->core, i);
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

/* Everything that the core has is in the store, and everything of the app's that the store has is in the core. */
static bool build(hf_warm *w) {
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
    for (uint32_t i = 1; i <= w->n_collections && !err; i++) err = add_database(core, i, &snapshot, &w->bytes);
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
static bool prepare(hf_warm *w, size_t n_new_min) {
    size_t n = count_entries(w);
    if (!w->intact || w->running || n < w->n_saved + n_new_min || !build(w)) return false;
    w->n_saved = n;
    w->saved_ms = hf_node_now(w->node);
    w->work.data = w;
    return true;
}

void hf_warm_turn(hf_warm *w) {
    if (!w) return;
    if (w->saved_ms && hf_node_now(w->node) - w->saved_ms < PAUSE_MS) return;
    size_t part = w->n_saved / NEW_PART;
    if (!prepare(w, part > NEW_MIN ? part : NEW_MIN)) return;
    w->running = true;
    uv_queue_work(w->node->loop, &w->work, write_file, written);
}

void hf_warm_close(hf_warm *w) {
    if (!w) return;
    while (w->running) uv_run(w->node->loop, UV_RUN_ONCE);
    if (prepare(w, NEW_AT_END)) {
        write_file(&w->work);
        written(&w->work, 0);
    }
    hf_buf_deinit(&w->bytes);
    free(w->has);
    free(w);
}

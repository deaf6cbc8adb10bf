/* db_import: `holdfast db import FILE`: a CAR of whole databases, or lines of JSON, into the node. What comes is put down in a file without a name in the
 * data folder, judged whole, and only then taken; so a file that is refused changes nothing. A CAR's entries are joined as those of peers are, in steps,
 * so that a running node goes on serving. */
#include "db_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STEP_BLOCKS = 64, UNSTORED_MAX = 4096, OPEN_MS = 60 * 1000 };

/* ---- the file without a name ---- */

static int open_spool(const hf_ask *ask) {
    char path[4096];
    if (snprintf(path, sizeof path, "%s/import.XXXXXX", ask->node->options->dir) >= (int)sizeof path) return -1;
    int fd = mkstemp(path);
    if (fd >= 0) unlink(path);
    return fd;
}

bool hf_import_write(hf_ask *ask, int fd, hf_bytes bytes) {
    for (size_t at = 0; at < bytes.len;) {
        ssize_t n = write(fd, bytes.ptr + at, bytes.len - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return hf_ask_fail(ask, 1, "no room for it: %s", strerror(errno)), false;
        at += (size_t)n;
    }
    return true;
}

bool hf_import_read(hf_ask *ask, int fd, uint64_t at, size_t len, uint8_t *ret) {
    while (len) {
        ssize_t n = pread(fd, ret, len, (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return hf_ask_fail(ask, 1, "what was put down of it cannot be read again: %s", n ? strerror(errno) : "it is shorter"), false;
        ret += n, at += (uint64_t)n, len -= (size_t)n;
    }
    return true;
}

/* ---- a CAR ---- */

typedef struct target { uint32_t db; size_t first, n_new, n_there, n_waiting; } target; /* first: of its entries */

typedef struct car_state {
    int fd;
    hf_car *car;
    hf_archive *archive;
    uint64_t place;          /* bytes taken */
    uint32_t n_blocks;
    size_t at;               /* of the entries */
    target targets[HF_ARCHIVE_DATABASES_MAX];
    uint8_t block[HF_ENTRY_BYTES_MAX];
} car_state;

static void drop_car(hf_ask *ask) {
    car_state *s = ask->state;
    hf_car_free(s->car);
    hf_archive_free(s->archive);
    if (s->fd >= 0) close(s->fd);
}

static void refuse(hf_ask *ask, uint32_t number, uint64_t place, const char *why) {
    hf_ask_fail(ask, 1, "%s: block %u at byte %llu: %s; nothing was taken", ask->words[2], (unsigned)number, (unsigned long long)place, why);
}

static void refuse_entry(hf_ask *ask, const hf_archive_entry *e, const char *why) {
    if (e) refuse(ask, e->number, e->place, why);
    else hf_ask_fail(ask, 1, "%s: %s; nothing was taken", ask->words[2], why);
}

static const char *reason(hf_err err, const hf_fault *fault) { return fault->what && *fault->what ? fault->what : hf_err_name(err); }

static hf_archive_entry entry_at(const car_state *s, size_t i) { return *hf_archive_entry_at(s->archive, i); }

/* What came together from all of them. */
static void report(hf_ask *ask) {
    const car_state *s = ask->state;
    hf_buf *out = &ask->out;
    if (ask->json) hf_buf_add_byte(out, '[');
    for (size_t i = 0; i < hf_archive_n_databases(s->archive); i++) {
        const hf_archive_database *d = hf_archive_database_at(s->archive, i);
        const target *t = &s->targets[i];
        size_t numbers[] = {t->n_new, t->n_there, t->n_waiting};
        static const char *const names[] = {"\",\"new\":", ",\"there\":", ",\"waiting\":"}, *const words[] = {"new ", "there ", "waiting "};
        hf_buf_add_str(out, !ask->json ? "" : i ? ",{\"address\":\"" : "{\"address\":\"");
        hf_buf_add(out, HF_BYTES(d->address, HF_ADDRESS_LEN));
        for (size_t k = 0; k < HF_COUNT(numbers); k++) {
            if (!ask->json) hf_buf_add_byte(out, '\t');
            hf_buf_add_str(out, ask->json ? names[k] : words[k]);
            hf_buf_add_u64(out, numbers[k]);
        }
        hf_buf_add_byte(out, ask->json ? '}' : '\n');
    }
    if (ask->json) hf_buf_add_str(out, "]\n");
    hf_ask_end_stored(ask, hf_core_seq(ask->node->core));
}

static bool join_one(hf_ask *ask, size_t i) {
    car_state *s = ask->state;
    hf_archive_entry e = entry_at(s, i);
    hf_fault fault = {NULL, 0};
    target *t = &s->targets[e.database];
    if (!hf_import_read(ask, s->fd, e.place, e.len, s->block)) return false;
    size_t before = hf_core_n_entries(ask->node->core, t->db);
    hf_err err = hf_core_db_join(ask->node->core, hf_node_now(ask->node), t->db, HF_BYTES(s->block, e.len), e.digest, &fault);
    t->n_new += hf_core_n_entries(ask->node->core, t->db) - before;
    t->n_there += err == HF_EXISTS;
    if (!err || err == HF_EXISTS || err == HF_MISSING) return true;
    hf_ask_fail(ask, 1, "%s: block %u at byte %llu: %s; the entries before it were taken", ask->words[2], (unsigned)e.number, (unsigned long long)e.place, reason(err, &fault));
    return false;
}

/* Where rights changed in the course of time a former writer's entries are taken because others stand on them: from the newest on, as peers ask for them. */
static size_t turned(const car_state *s, size_t at) {
    hf_archive_entry e = entry_at(s, at);
    const hf_archive_database *d = hf_archive_database_at(s->archive, e.database);
    size_t first = s->targets[e.database].first;
    return d->guarded ? first + d->n_entries - 1 - (at - first) : at;
}

static void take(hf_ask *ask) {
    car_state *s = ask->state;
    const hf_core *core = ask->node->core;
    size_t n = hf_archive_n_entries(s->archive);
    if (hf_core_seq(core) - hf_core_seq_stored(core) > UNSTORED_MAX) return; /* the store tells when it has them */
    for (size_t i = 0; i < STEP_BLOCKS && s->at < n; i++)
        if (!join_one(ask, turned(s, s->at++))) return;
    ask->hurry = true;
    if (s->at < n) return;
    for (size_t i = 0; i < hf_archive_n_databases(s->archive); i++) {
        target *t = &s->targets[i];
        size_t known = t->n_new + t->n_there, all = hf_archive_database_at(s->archive, i)->n_entries;
        t->n_waiting = all > known ? all - known : 0;
    }
    report(ask);
}

static uint32_t number_of(const hf_core *core, const char address[HF_ADDRESS_LEN]) {
    for (uint32_t i = 1; i <= hf_core_n_databases(core); i++)
        if (hf_eq(hf_core_address(core, i), HF_BYTES(address, HF_ADDRESS_LEN))) return i;
    return 0;
}

static void wait_until_open(hf_ask *ask) {
    car_state *s = ask->state;
    hf_core *core = ask->node->core;
    for (size_t i = 0; i < hf_archive_n_databases(s->archive); i++) {
        hf_core_db_about about;
        s->targets[i].db = number_of(core, hf_archive_database_at(s->archive, i)->address);
        if (hf_core_collection(core, s->targets[i].db)) continue;
        if (!s->targets[i].db || hf_core_db_info(core, s->targets[i].db, &about)) return hf_ask_fail(ask, 1, "a database was closed meanwhile");
        if (about.phase == HF_CORE_BROKEN) return hf_ask_fail(ask, 1, "%.*s: %s", HF_ADDRESS_LEN, (const char *)about.address.ptr, about.problem ? about.problem : "no database");
        if (about.phase != HF_CORE_OPEN) return;
    }
    hf_ask_wait(ask, take, UINT64_MAX);
    ask->hurry = true;
}

/* Those that guard others open with them. */
static void open_all(hf_ask *ask) {
    car_state *s = ask->state;
    hf_core *core = ask->node->core;
    hf_fault fault = {NULL, 0};
    hf_err err = HF_OK;
    for (size_t i = 0; i < hf_archive_n_others(s->archive) && !err; i++) err = hf_core_keep(core, hf_archive_other_at(s->archive, i), &fault);
    for (size_t i = 0; i < hf_archive_n_databases(s->archive) && !err; i++) {
        const hf_archive_database *d = hf_archive_database_at(s->archive, i);
        uint32_t db = number_of(core, d->address);
        if (!d->guards && !hf_core_collection(core, db)) err = hf_core_db_open(core, hf_node_now(ask->node), HF_BYTES(d->address, HF_ADDRESS_LEN), &db);
    }
    if (err == HF_LIMIT) return hf_ask_fail(ask, 1, "%s: too many databases are open", ask->words[2]);
    if (err) return hf_ask_fail(ask, 1, "%s: %s", ask->words[2], reason(err, &fault));
    hf_ask_wait(ask, wait_until_open, OPEN_MS);
    ask->hurry = true;
}

static void judge(hf_ask *ask) {
    car_state *s = ask->state;
    size_t n = hf_archive_n_entries(s->archive);
    for (size_t i = 0; i < STEP_BLOCKS && s->at < n; i++, s->at++) {
        hf_archive_entry e = entry_at(s, s->at);
        hf_fault fault = {NULL, 0};
        if (!hf_import_read(ask, s->fd, e.place, e.len, s->block)) return;
        hf_err err = hf_archive_check(s->archive, s->at, HF_BYTES(s->block, e.len), &fault);
        if (err) return refuse_entry(ask, &e, reason(err, &fault));
    }
    ask->hurry = true;
    if (s->at < n) return;
    while (s->at--) s->targets[entry_at(s, s->at).database].first = s->at;
    s->at = 0;
    hf_ask_wait(ask, open_all, UINT64_MAX);
}

static void end_car(hf_ask *ask) {
    car_state *s = ask->state;
    hf_fault fault = {NULL, 0};
    const hf_archive_entry *e;
    if (hf_car_end(s->car)) return hf_ask_fail(ask, 1, "%s: the archive ends at byte %llu, within a block; nothing was taken", ask->words[2], (unsigned long long)s->place);
    hf_err err = hf_archive_end(s->archive, &fault, &e);
    if (err) return refuse_entry(ask, e, reason(err, &fault));
    hf_ask_wait(ask, judge, UINT64_MAX);
    ask->hurry = true;
}

static bool take_out(hf_ask *ask, const hf_car_out *out) {
    car_state *s = ask->state;
    hf_fault fault = {NULL, 0};
    hf_err err = HF_OK;
    uint64_t place = s->place - out->block.len;
    if (out->kind == HF_CAR_FAILED) return refuse(ask, s->n_blocks + 1, s->place, out->reason), false;
    if (out->kind == HF_CAR_ROOT && hf_archive_root(s->archive, out->cid)) return hf_ask_fail(ask, 1, "%s: a root that is no block of a database; nothing was taken", ask->words[2]), false;
    if (out->kind == HF_CAR_BLOCK) err = hf_archive_block(s->archive, out->cid, out->block, place, &fault);
    s->n_blocks += out->kind == HF_CAR_BLOCK;
    return err ? refuse(ask, s->n_blocks, place, reason(err, &fault)), false : true;
}

static void receive_car(hf_ask *ask) {
    car_state *s = ask->state;
    hf_bytes all = hf_buf_bytes(&ask->in), rest = all;
    if (!hf_import_write(ask, s->fd, all)) return;
    uint64_t before = s->place;
    for (hf_car_out out; hf_car_recv(s->car, &rest, &out);) {
        s->place = before + all.len - rest.len;
        if (!take_out(ask, &out)) return;
    }
    s->place = before + all.len;
    hf_buf_consume(&ask->in, all.len);
    if (ask->in_over) end_car(ask);
}

static hf_err get_block(void *ctx, hf_bytes cid, hf_bytes *ret) { return hf_core_block(ctx, cid, ret); }

static void begin_car(hf_ask *ask) {
    car_state *s = hf_arena_alloc(&ask->arena, sizeof *s);
    if (!s) return hf_ask_fail(ask, 1, "out of memory");
    if (ask->n_words > 3) return hf_ask_fail(ask, 2, "%s: an archive names its databases; --into belongs to lines of JSON", ask->words[2]);
    s->fd = open_spool(ask);
    s->car = hf_car_new(&ask->node->mem);
    s->archive = hf_archive_new(&ask->node->mem, hf_node_wall(), (hf_block_source){get_block, ask->node->core});
    ask->state = s;
    ask->drop = drop_car;
    if (s->fd < 0) return hf_ask_fail(ask, 1, "no room for it: %s", strerror(errno));
    if (!s->car || !s->archive) return hf_ask_fail(ask, 1, "out of memory");
    hf_ask_wait(ask, receive_car, UINT64_MAX);
    receive_car(ask);
}

/* ---- which of the two ---- */

/* Behind its length a CAR has a CBOR map, whose head is no character of JSON. */
static void look(hf_ask *ask) {
    const hf_buf *in = &ask->in;
    if (in->len < 2 && !ask->in_over) return;
    if (!in->len) return hf_ask_fail(ask, 1, "%s: there is nothing in it", ask->words[2]);
    bool car = in->ptr[0] >= 0x80 || (in->len > 1 && in->ptr[1] >= 0x80);
    if (car) begin_car(ask);
    else hf_db_import_lines(ask, open_spool(ask));
}

void hf_db_import(hf_ask *ask) {
    ask->wants_in = true;
    hf_ask_wait(ask, look, UINT64_MAX);
}

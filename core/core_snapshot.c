/* core_snapshot: a database as one piece of bytes: the index of its log, and what shows of it. See core.h.
 *
 * Layout: "HFC2"; what it is of, see hf_core_app_id (32 bytes); how many operations were ignored; the length of what shows and that; the log's index as
 * in log/snapshot.h, which has the address; last SHA-256 of everything before. Numbers are varints.
 * What shows: of a collection of the app for each entry of the log the length of its canonical payload and the payload, or 0 when nothing of it is
 * kept. Of a database added at run time what decides each key, see hf_orbit_state_save; it ignores nothing, and is of the program alone. */
#include "codec/dag_cbor.h"
#include "codec/varint.h"
#include "core_private.h"
#include "log/snapshot.h"

#include <string.h>

static const char MAGIC[] = "HFC2"; /* to be counted up when the same entries come to show something else */
enum { MAGIC_LEN = 4, ID_LEN = 32, CHECKSUM_LEN = 32 };

static void hash_piece(hf_sha256 *hash, hf_bytes piece) {
    uint64_t len = piece.len;
    uint8_t text[8];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (uint8_t)(len >> 8 * i);
    hf_sha256_add(hash, HF_BYTES(text, sizeof text));
    hf_sha256_add(hash, piece);
}

void hf_core_app_id(const hf_core_config *config, uint8_t ret[32]) {
    hf_sha256 hash;
    hf_sha256_init(&hash);
    hash_piece(&hash, config->agent);
    for (size_t i = 0; i < config->n_files; i++)
        if (hf_eq(config->files[i].path, HF_TEXT("app.json"))) hash_piece(&hash, config->files[i].bytes);
    hf_sha256_end(&hash, ret);
}

static const uint8_t *id_of(const hf_core *core, const hf_core_db *d) { return d->collection ? core->app_id : core->program_id; }

/* ---- writing ---- */

typedef struct kept { size_t from, len; } kept; /* a payload; len 0: none */

/* The collection has its operations in no order: they are put into that of the log. */
typedef struct saving {
    const hf_log *log;
    hf_buf payloads;
    kept *by_item;
    size_t n_items, operations_len;
} saving;

static size_t varint_len(uint64_t n) {
    size_t len = 1;
    while (n >>= 7) len++;
    return len;
}

static hf_err keep_one(void *ctx, const hf_order *order, hf_bytes payload) {
    saving *s = ctx;
    uint32_t item = hf_log_find(s->log, order->digest);
    if (item >= s->n_items) return HF_STATE;
    s->by_item[item] = (kept){s->payloads.len, payload.len};
    hf_buf_add(&s->payloads, payload);
    return s->payloads.err;
}

static void add_head(const hf_core *core, const hf_core_db *d, size_t len, hf_buf *buf) {
    hf_buf_add_str(buf, MAGIC);
    hf_buf_add(buf, HF_BYTES(id_of(core, d), ID_LEN));
    hf_varint_add(buf, d->collection ? hf_collection_ignored(d->collection) : 0);
    hf_varint_add(buf, len);
}

static void add_operations(const hf_core *core, const hf_core_db *d, const saving *s, hf_buf *buf) {
    size_t len = 0;
    for (size_t i = 0; i < s->n_items; i++) len += varint_len(s->by_item[i].len) + s->by_item[i].len;
    add_head(core, d, len, buf);
    for (size_t i = 0; i < s->n_items; i++) {
        hf_varint_add(buf, s->by_item[i].len);
        if (s->by_item[i].len) hf_buf_add(buf, HF_BYTES(s->payloads.ptr + s->by_item[i].from, s->by_item[i].len));
    }
}

static hf_err add_collection(const hf_core *core, const hf_core_db *d, hf_buf *buf) {
    saving s = {.log = d->log, .n_items = hf_log_n(d->log)};
    hf_buf_init(&s.payloads, core->mem);
    s.by_item = hf_alloc(core->mem, (s.n_items + 1) * sizeof *s.by_item);
    hf_err err = s.by_item ? hf_collection_each(d->collection, keep_one, &s) : HF_NOMEM;
    if (!err) add_operations(core, d, &s, buf);
    hf_release(core->mem, s.by_item, s.by_item ? (s.n_items + 1) * sizeof *s.by_item : 0);
    hf_buf_deinit(&s.payloads);
    return err ? err : buf->err;
}

static hf_err add_state(const hf_core *core, const hf_core_db *d, hf_buf *buf) {
    hf_buf state;
    hf_buf_init(&state, core->mem);
    hf_err err = hf_orbit_state_save(d->state, &state);
    if (!err) add_head(core, d, state.len, buf);
    if (!err) hf_buf_add(buf, hf_buf_bytes(&state));
    hf_buf_deinit(&state);
    return err ? err : buf->err;
}

hf_err hf_core_snapshot(const hf_core *core, uint32_t number, hf_buf *buf) {
    const hf_core_db *d = hf_core_db_at(core, number);
    size_t from = buf->len;
    if (!d) return HF_NOT_FOUND;
    if (d->phase != HF_CORE_OPEN || d->n_durable != hf_log_n(d->log) || d->n_records || d->incomplete) return HF_STATE;
    hf_err err = d->collection ? add_collection(core, d, buf) : add_state(core, d, buf);
    if (!err) hf_log_save(d->log, hf_log_n(d->log), buf);
    if (err || buf->err) return err ? err : buf->err;
    uint8_t checksum[CHECKSUM_LEN];
    hf_sha256_of(hf_sub(hf_buf_bytes(buf), from, buf->len), checksum);
    hf_buf_add(buf, HF_BYTES(checksum, sizeof checksum));
    return buf->err;
}

/* ---- reading ---- */

typedef struct parts {
    uint64_t n_ignored;
    hf_bytes operations, log;
} parts;

static bool take_number(hf_bytes *rest, uint64_t *ret) {
    size_t len = 0;
    if (hf_varint_read(*rest, ret, &len)) return false;
    *rest = hf_sub(*rest, len, rest->len);
    return true;
}

static hf_err take_apart(const uint8_t id[ID_LEN], hf_bytes saved, parts *ret, hf_fault *fault) {
    enum { FIXED = MAGIC_LEN + ID_LEN };
    if (saved.len < FIXED + CHECKSUM_LEN || !hf_starts(saved, hf_str(MAGIC))) return hf_fail(fault, HF_MALFORMED, "snapshot: another version", 0);
    uint8_t checksum[CHECKSUM_LEN];
    hf_bytes rest = hf_sub(saved, 0, saved.len - CHECKSUM_LEN);
    hf_sha256_of(rest, checksum);
    if (!hf_eq(hf_sub(saved, rest.len, CHECKSUM_LEN), HF_BYTES(checksum, CHECKSUM_LEN)))
        return hf_fail(fault, HF_MALFORMED, "snapshot: damaged", rest.len);
    if (!hf_eq(hf_sub(rest, MAGIC_LEN, ID_LEN), HF_BYTES(id, ID_LEN)))
        return hf_fail(fault, HF_MALFORMED, "snapshot: of another app or program", MAGIC_LEN);
    rest = hf_sub(rest, FIXED, rest.len);
    uint64_t len = 0;
    if (!take_number(&rest, &ret->n_ignored) || !take_number(&rest, &len) || len > rest.len)
        return hf_fail(fault, HF_MALFORMED, "snapshot: its parts do not fit", FIXED);
    ret->operations = hf_sub(rest, 0, (size_t)len);
    ret->log = hf_sub(rest, (size_t)len, rest.len);
    return HF_OK;
}

/* What it says must be what a collection says of itself: nothing of it is ignored. */
static hf_err apply_one(hf_core *core, const hf_log *log, uint32_t index, hf_bytes payload, hf_collection *collection) {
    const hf_log_item *item = hf_log_item_at(log, index);
    hf_order order = {.time = item->time, .writer = hf_log_writer_key(log, item->writer)};
    memcpy(order.digest, item->digest, sizeof order.digest);
    hf_value value;
    bool changed;
    hf_arena_clear(&core->scratch);
    hf_err err = hf_cbor_decode(&core->scratch, payload, &value, NULL);
    if (!err) err = hf_collection_apply(collection, &order, &value, &changed);
    if (err) return err == HF_NOMEM ? err : HF_MALFORMED;
    return hf_collection_ignored(collection) ? HF_MALFORMED : HF_OK;
}

static hf_err apply_all(hf_core *core, const hf_log *log, hf_bytes rest, hf_collection *collection) {
    for (uint32_t i = 0; i < hf_log_n(log); i++) {
        uint64_t len;
        if (!take_number(&rest, &len) || len > rest.len) return HF_MALFORMED;
        hf_err err = len ? apply_one(core, log, i, hf_sub(rest, 0, (size_t)len), collection) : HF_OK;
        if (err) return err;
        rest = hf_sub(rest, (size_t)len, rest.len);
    }
    return rest.len ? HF_MALFORMED : HF_OK;
}

/* The log is restored. */
static hf_err restore_collection(hf_core *core, hf_core_db *d, const parts *p) {
    uint64_t seed;
    hf_err err = hf_core_db_seed(core, &seed);
    if (err) return err;
    hf_collection *collection = hf_collection_new(core->mem, hf_collection_schema(d->collection), seed);
    if (!collection) return HF_NOMEM;
    err = apply_all(core, d->log, p->operations, collection);
    if (err) return hf_collection_free(collection), err;
    hf_collection_set_ignored(collection, p->n_ignored);
    hf_collection_free(d->collection);
    d->collection = core->collections[d->number - 1] = collection;
    return HF_OK;
}

/* Its log says how many keys there may be. One that guards others takes its rights from the entries: they are few. */
static hf_err restore_state(hf_core *core, hf_core_db *d, const parts *p) {
    uint64_t seed;
    hf_err err = hf_core_db_seed(core, &seed);
    if (err) return err;
    hf_orbit_state *state = hf_orbit_state_new(core->mem, d->log, d->type, seed);
    if (!state) return HF_NOMEM;
    err = p->n_ignored ? HF_MALFORMED : hf_orbit_state_restore(state, p->operations);
    if (err) return hf_orbit_state_free(state), err;
    hf_orbit_state_free(d->state);
    d->state = state;
    return d->rights ? hf_core_db_make_rights(core, d) : HF_OK;
}

static bool may_restore(const hf_core *core, const hf_core_db *d) {
    return d->log && !hf_log_n(d->log) && (d->collection ? !core->started : d->phase == HF_CORE_LOADING);
}

hf_err hf_core_restore(hf_core *core, uint32_t number, hf_bytes saved, hf_fault *fault) {
    hf_core_db *d = hf_core_db_at(core, number);
    if (!d) return hf_fail(fault, HF_STATE, "a database that is not here", 0);
    if (!may_restore(core, d)) return hf_fail(fault, HF_STATE, "entries of this database are here already", 0);
    parts p;
    hf_err err = take_apart(id_of(core, d), saved, &p, fault);
    if (!err) err = hf_log_restore(d->log, p.log, fault);
    if (err) return err;
    err = d->collection ? restore_collection(core, d, &p) : restore_state(core, d, &p);
    if (err) {
        hf_err again = hf_log_unrestore(d->log);
        return again ? again : hf_fail(fault, err, "snapshot: an operation that is none", 0);
    }
    d->n_durable = hf_log_n(d->log);
    if (d->collection) hf_log_version(d->log, core->versions[number - 1]);
    return HF_OK;
}

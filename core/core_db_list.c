/* core_db_list: databases added at run time: which are open, by whose wish, and how that is remembered. The list of those is a block like any other: the
 * store knows no other way to remember, and the last list counts. How one comes to be whole: core_db.c. */
#include "core_private.h"

#include "codec/dag_cbor.h"

#include <string.h>

/* ---- the list ---- */

static hf_err store_list(hf_core *core) {
    size_t n = 0, cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) n += d->listed;
    hf_buf buf;
    hf_buf_init(&buf, core->mem);
    hf_cbor_add_head(&buf, 5, 3);
    hf_cbor_add_text(&buf, HF_TEXT("open"));
    hf_cbor_add_head(&buf, 4, n);
    cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        if (d->listed) hf_cbor_add_text(&buf, HF_BYTES(d->address, HF_ADDRESS_LEN));
    hf_cbor_add_text(&buf, HF_TEXT("version"));
    hf_cbor_add_u64(&buf, ++core->list_version);
    hf_cbor_add_text(&buf, HF_TEXT("holdfast"));
    hf_cbor_add_text(&buf, HF_TEXT("databases"));
    uint8_t cid[HF_CID_LEN];
    hf_err err = buf.err;
    if (!err) {
        hf_cid_of(hf_buf_bytes(&buf), cid);
        err = hf_core_store(core, 0, cid, hf_buf_bytes(&buf));
    }
    hf_buf_deinit(&buf);
    return err;
}

/* ---- the shell's calls ---- */

static hf_err list_db(hf_core *core, uint64_t now_ms, hf_core_db *d, uint32_t *ret_db) {
    bool was_listed = d->listed;
    d->listed = true;
    *ret_db = d->number;
    hf_err err = was_listed ? HF_OK : store_list(core);
    if (!err) hf_core_db_advance(core, now_ms, d->phase == HF_CORE_SEEKING ? d : NULL);
    return err;
}

hf_err hf_core_db_open(hf_core *core, uint64_t now_ms, hf_bytes address, uint32_t *ret_db) {
    uint8_t digest[32];
    hf_err err = hf_address_parse(address, digest);
    if (err) return err;
    hf_core_db *d = hf_core_db_find_or_make(core, digest);
    return d ? list_db(core, now_ms, d, ret_db) : HF_LIMIT;
}

/* The blocks of a new database, as js makes them. */
static hf_err make_blocks(hf_core *core, hf_bytes name, hf_orbit_type type, const hf_core_db_access *access, hf_buf blocks[3]) {
    hf_bytes self = hf_core_identity(core);
    uint8_t cid[HF_CID_LEN];
    hf_access_add_block(&blocks[0], access->write ? access->write : &self, access->write ? access->n_write : 1);
    if (blocks[0].err) return HF_NOMEM;
    hf_cid_of(hf_buf_bytes(&blocks[0]), cid);
    if (!access->guarded) hf_manifest_add_block(&blocks[1], name, hf_orbit_type_name(type), cid);
    else {
        hf_manifest_add_block(&blocks[2], name, HF_TEXT("keyvalue"), cid);
        if (blocks[2].err) return HF_NOMEM;
        hf_cid_of(hf_buf_bytes(&blocks[2]), cid);
        hf_manifest_add_guarded_block(&blocks[1], name, hf_orbit_type_name(type), cid);
    }
    return blocks[1].err;
}

hf_err hf_core_db_create(hf_core *core, uint64_t now_ms, hf_bytes name, hf_bytes type_name, const hf_core_db_access *access, uint32_t *ret_db) {
    hf_orbit_type type = hf_orbit_type_of(type_name);
    if (!name.len || name.len > HF_CORE_NAME_BYTES_MAX || type == HF_ORBIT_OTHER || !hf_utf8_valid(name)) return HF_MALFORMED;
    hf_buf blocks[3];
    for (size_t i = 0; i < HF_COUNT(blocks); i++) hf_buf_init(&blocks[i], core->mem);
    hf_err err = make_blocks(core, name, type, access, blocks);
    for (size_t i = 0; i < HF_COUNT(blocks) && !err; i++) err = hf_core_db_store_block(core, &blocks[i]);
    uint8_t digest[32];
    hf_sha256_of(hf_buf_bytes(&blocks[1]), digest);
    hf_core_db *d = err ? NULL : hf_core_db_find_or_make(core, digest);
    if (!err) err = d ? list_db(core, now_ms, d, ret_db) : HF_LIMIT; /* it finds its blocks on their way to the store */
    for (size_t i = 0; i < HF_COUNT(blocks); i++) hf_buf_deinit(&blocks[i]);
    return err;
}

hf_err hf_core_db_loaded(hf_core *core, uint64_t now_ms, uint32_t number) {
    hf_core_db *d = hf_core_db_at(core, number);
    if (!d || d->collection || d->phase != HF_CORE_LOADING) return HF_STATE;
    hf_err err = hf_core_db_open_sync(core, now_ms, d);
    if (err == HF_LIMIT) hf_core_db_set_phase(d, HF_CORE_BROKEN, "too many databases");
    hf_core_db_advance(core, now_ms, NULL);
    return err;
}

/* ---- closing ---- */

static void leave(hf_core *core, uint64_t now_ms, hf_core_db *d) {
    if (d->phase == HF_CORE_OPEN) hf_sync_remove(core->sync, now_ms, d->log);
    if (d->phase == HF_CORE_OPEN) d->phase = HF_CORE_LOADING; /* if it is opened again before it is gone */
    d->closed = true;
    d->changed = d->telling = false;
    d->n_unconfirmed = 0;
}

/* The place is free when nothing on its way to the store names it any more. */
static void free_when_idle(hf_core *core, hf_core_db *d) {
    if (!d->closed || d->n_records || d->n_guarded) return;
    hf_core_db *guard = d->guard;
    hf_core_db_free(core, d);
    if (guard) guard->n_guarded--;
}

static bool is_needed(const hf_core *core, const hf_core_db *d) {
    size_t cursor = 0;
    bool needed = d->listed;
    for (const hf_core_db *other; !needed && (other = hf_core_db_next(core, &cursor));) needed = other->guard == d;
    return needed;
}

/* Those that nobody asked for and that guard nothing. One that goes may leave its guard without a purpose. */
static void drop_unneeded(hf_core *core, uint64_t now_ms) {
    for (bool moved = true; moved;) {
        moved = false;
        size_t cursor = 0;
        for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
            if (is_needed(core, d)) continue;
            leave(core, now_ms, d);
            free_when_idle(core, d);
            moved = true;
        }
    }
}

hf_err hf_core_db_close(hf_core *core, uint64_t now_ms, uint32_t number) {
    hf_core_db *d = hf_core_db_at(core, number);
    if (!d || d->collection || !d->listed) return HF_NOT_FOUND;
    d->listed = false;
    hf_err err = store_list(core);
    if (err) {
        d->listed = true;
        return err;
    }
    drop_unneeded(core, now_ms);
    return HF_OK;
}

void hf_core_db_stored(hf_core *core, hf_core_db *d) {
    if (!d->closed) return;
    hf_core_db *guard = d->guard;
    free_when_idle(core, d);
    if (guard) free_when_idle(core, guard);
}

/* ---- starting again ---- */

static bool is_in(const hf_value *open, const hf_core_db *d) {
    for (uint32_t i = 0; i < open->as.list.n; i++)
        if (hf_eq(hf_value_as_text(&open->as.list.items[i]), HF_BYTES(d->address, HF_ADDRESS_LEN))) return true;
    return false;
}

hf_err hf_core_db_load_list(hf_core *core, const hf_value *list) {
    const hf_value *open = hf_value_get(list, "open");
    int64_t version = hf_value_as_i64(hf_value_get(list, "version"), 0);
    if (!open || open->kind != HF_LIST || version <= 0) return HF_MALFORMED;
    if ((uint64_t)version < core->list_version) return HF_OK;
    core->list_version = (uint64_t)version;
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) d->listed = is_in(open, d);
    uint8_t digests[HF_CORE_DATABASES_MAX][32];
    size_t n = 0;
    for (uint32_t i = 0; i < open->as.list.n && n < HF_CORE_DATABASES_MAX; i++)
        n += !hf_address_parse(hf_value_as_text(&open->as.list.items[i]), digests[n]);
    for (size_t i = 0; i < n; i++) { /* `list` is in the scratch arena, which goes now */
        hf_core_db *d = hf_core_db_find_or_make(core, digests[i]);
        if (!d) return HF_NOMEM;
        d->listed = true;
        if (d->phase == HF_CORE_SEEKING) hf_core_db_advance(core, 0, d);
    }
    return HF_OK;
}

hf_err hf_core_db_start_all(hf_core *core, uint64_t now_ms) {
    drop_unneeded(core, now_ms); /* those of earlier lists that the last one does not hold */
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
        d->changed = false;
        hf_err err = d->phase == HF_CORE_LOADING ? hf_core_db_open_sync(core, now_ms, d) : HF_OK;
        if (err == HF_LIMIT) hf_core_db_set_phase(d, HF_CORE_BROKEN, "too many databases");
        else if (err) return err;
    }
    cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        if (d->phase == HF_CORE_SEEKING) hf_core_db_ask(core, now_ms, d);
    return HF_OK;
}

/* core_blocks: blocks to the store, back from it, and what they mean to the logs and what these show. */
#include "core_private.h"

#include "codec/dag_cbor.h"

#include <string.h>

/* ---- looking up: our own fixed ones, those on their way, then the store's ---- */

hf_err hf_core_block_get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    hf_core *core = ctx;
    hf_core_record *r = hf_map_get(&core->in_flight, cid);
    if (r) return *ret = HF_BYTES(r->bytes, r->len), HF_OK;
    if (hf_eq(cid, HF_BYTES(core->writer.cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&core->writer.block), HF_OK;
    for (size_t i = 0; i < core->n_databases; i++) {
        const hf_core_db *d = core->databases[i];
        if (d && d->manifest_block.len && hf_eq(cid, HF_BYTES(d->manifest_cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&d->manifest_block), HF_OK;
        if (d && d->access_block.len && hf_eq(cid, HF_BYTES(d->access_cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&d->access_block), HF_OK;
    }
    return core->config.blocks.get ? core->config.blocks.get(core->config.blocks.ctx, cid, ret) : HF_NOT_FOUND;
}

void hf_core_blocks_came(hf_core *core, uint64_t now_ms) { hf_bitswap_have(core->bitswap, now_ms, HF_BYTES(NULL, 0)); }

/* ---- to the store ---- */

void hf_core_record_free(hf_core *core, hf_core_record *r) { hf_release(core->mem, r, sizeof *r + r->len); }


hf_err hf_core_store(hf_core *core, uint32_t database, const uint8_t cid[HF_CID_LEN], hf_bytes block) {
    if (hf_map_get(&core->in_flight, HF_BYTES(cid, HF_CID_LEN))) return HF_OK;
    hf_core_record *r = hf_alloc(core->mem, sizeof *r + block.len);
    if (!r) return HF_NOMEM;
    *r = (hf_core_record){.seq = core->seq + 1, .database = database, .len = block.len};
    memcpy(r->cid, cid, HF_CID_LEN);
    memcpy(r->bytes, block.ptr, block.len);
    if (hf_map_put(&core->in_flight, HF_BYTES(r->cid, HF_CID_LEN), r)) {
        hf_core_record_free(core, r);
        return HF_NOMEM;
    }
    core->seq = r->seq;
    *core->last = r;
    core->last = &r->next;
    if (!core->unsent) core->unsent = r;
    if (database) core->databases[database - 1]->n_records++;
    return HF_OK;
}

/* ---- what an entry means ---- */

static hf_err apply_to_collection(hf_core *core, hf_core_db *d, const hf_log_item *item, const hf_value *payload) {
    hf_order order = {.time = item->time, .writer = hf_log_writer_key(d->log, item->writer)};
    memcpy(order.digest, item->digest, sizeof order.digest);
    bool changed = false;
    hf_err err = hf_collection_apply(d->collection, &order, payload, &changed);
    if (changed) d->changed = true;
    if (err) d->incomplete = true;
    hf_log_version(d->log, core->versions[d->number - 1]);
    return err;
}

static hf_err apply(hf_core *core, uint64_t now_ms, hf_core_db *d, uint32_t index, const hf_value *payload) {
    if (d->collection) return apply_to_collection(core, d, hf_log_item_at(d->log, index), payload);
    bool decides, rights_changed = false;
    hf_err err = hf_orbit_state_apply(d->state, index, payload, &decides);
    if (!err && decides) d->changed = true;
    if (!err && d->rights) err = hf_orbit_rights_apply(d->rights, payload, decides, &rights_changed);
    if (rights_changed) hf_core_db_rights_changed(core, now_ms, d);
    return err;
}

hf_err hf_core_take_entry(hf_core *core, uint64_t now_ms, uint32_t number, const hf_entry *entry, uint32_t index) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(entry->digest, cid);
    hf_err err = hf_core_store(core, number, cid, entry->block);
    return err ? err : apply(core, now_ms, core->databases[number - 1], index, &entry->payload);
}

static void forget_unkept(hf_core *core) {
    core->unkept_db = 0;
    hf_buf_deinit(&core->unkept);
    hf_buf_init(&core->unkept, core->mem);
}

/* An entry that were stored without the one it stands on could not be read again. */
static hf_err keep_unkept(hf_core *core, uint64_t now_ms) {
    if (!core->unkept_db) return HF_OK;
    hf_core_db *d = hf_core_db_at(core, core->unkept_db);
    if (!d) return forget_unkept(core), HF_OK;
    hf_entry entry;
    hf_err err = hf_entry_read(hf_buf_bytes(&core->unkept), &core->scratch, &entry, NULL);
    if (!err) err = hf_core_take_entry(core, now_ms, d->number, &entry, core->unkept_index);
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(hf_buf_bytes(&core->unkept), cid);
    if (hf_map_get(&core->in_flight, HF_BYTES(cid, sizeof cid))) forget_unkept(core); /* on its way, whatever became of it otherwise */
    return err;
}

hf_err hf_core_append(hf_core *core, uint64_t now_ms, hf_core_db *d, hf_bytes payload_cbor, uint32_t *ret_index) {
    hf_value payload;
    hf_fault fault;
    hf_err err = hf_cbor_decode(&core->scratch, payload_cbor, &payload, &fault);
    if (!err) err = keep_unkept(core, now_ms);
    if (err) return err;
    hf_buf block;
    hf_buf_init(&block, core->mem);
    err = hf_log_append(d->log, &core->writer, payload_cbor, &block, ret_index);
    if (!err) {
        uint8_t cid[HF_CID_LEN];
        hf_cid_from_digest(hf_log_item_at(d->log, *ret_index)->digest, cid);
        err = hf_core_store(core, d->number, cid, hf_buf_bytes(&block));
        if (err) {
            core->unkept = block;
            core->unkept_db = d->number;
            core->unkept_index = *ret_index;
            hf_buf_init(&block, core->mem);
        } else err = apply(core, now_ms, d, *ret_index, &payload);
        d->n_unconfirmed++;
    }
    hf_buf_deinit(&block);
    return err;
}

/* ---- identities ---- */

hf_err hf_core_learn_identity(hf_core *core, hf_bytes block, bool keep, hf_fault *fault) {
    hf_identity identity;
    hf_err err = hf_identity_read(block, &core->scratch, &identity, fault);
    if (err) return err;
    bool known = true;
    for (size_t i = 0; i < core->n_collections && !err; i++) {
        known &= hf_log_knows_identity(core->databases[i]->log, identity.digest);
        err = hf_log_identity(core->databases[i]->log, &identity);
    }
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(identity.digest, cid);
    if (!err && keep && !known) err = hf_core_store(core, 0, cid, block);
    return err ? err : known ? HF_EXISTS : HF_OK;
}

/* A database that was added at run time knows no identity beforehand; the store has those of all entries that it has. */
static hf_err look_up_identity(hf_core *core, hf_log *log, const uint8_t digest[32], hf_fault *fault) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_identity identity;
    hf_cid_from_digest(digest, cid);
    hf_err err = hf_core_block_get(core, HF_BYTES(cid, sizeof cid), &block);
    if (err) return HF_MISSING;
    err = hf_identity_read(block, &core->scratch, &identity, fault);
    return err ? err : hf_log_identity(log, &identity);
}

/* ---- from an archive ---- */

hf_err hf_core_block(const hf_core *core, hf_bytes cid, hf_bytes *ret) { return hf_core_block_get((hf_core *)core, cid, ret); }

hf_err hf_core_keep(hf_core *core, hf_bytes block, hf_fault *fault) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes there;
    hf_value value;
    hf_arena_clear(&core->scratch);
    if (block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a block longer than an entry may be", 0);
    hf_err err = hf_cbor_decode(&core->scratch, block, &value, fault);
    if (err) return err;
    hf_cid_of(block, cid);
    if (hf_value_get(&value, "signatures")) err = hf_core_learn_identity(core, block, false, fault);
    if (err && err != HF_EXISTS) return err;
    return hf_core_block_get(core, HF_BYTES(cid, sizeof cid), &there) ? hf_core_store(core, 0, cid, block) : HF_OK;
}

hf_err hf_core_db_join(hf_core *core, uint64_t now_ms, uint32_t number, hf_bytes block, const uint8_t *checked, hf_fault *fault) {
    hf_core_db *d = hf_core_db_at(core, number);
    if (!d || d->phase != HF_CORE_OPEN) return hf_fail(fault, HF_STATE, "a database that is not open", 0);
    hf_entry entry;
    uint32_t index;
    hf_arena_clear(&core->scratch);
    hf_err err = hf_entry_read(block, &core->scratch, &entry, fault);
    if (err) return err;
    if (!hf_log_knows_identity(d->log, entry.identity_digest)) err = look_up_identity(core, d->log, entry.identity_digest, fault);
    if (err && err != HF_MISSING) return err;
    if (checked && !memcmp(checked, entry.digest, 32)) hf_log_holds(d->log, checked);
    hf_arena_clear(&core->scratch);
    err = hf_log_join(d->log, block, &core->scratch, &entry, &index, fault);
    if (!err) err = hf_core_take_entry(core, now_ms, number, &entry, index);
    return err ? err : hf_core_join_ready(core, now_ms, d);
}

/* ---- loading ---- */

/* A block that is not an entry: an identity, a list of databases, or what these consist of, which is looked up when it is needed. */
static hf_err load_other(hf_core *core, hf_bytes block, hf_fault *fault) {
    hf_value value;
    hf_err err = hf_cbor_decode(&core->scratch, block, &value, fault);
    if (err) return err;
    if (hf_eq(hf_value_as_text(hf_value_get(&value, "holdfast")), HF_TEXT("databases"))) return hf_core_db_load_list(core, &value);
    if (!hf_value_get(&value, "signatures")) return HF_OK;
    err = hf_core_learn_identity(core, block, false, fault);
    return err == HF_EXISTS ? HF_OK : err;
}

hf_err hf_core_load(hf_core *core, uint32_t number, hf_bytes block, hf_fault *fault) {
    hf_arena_clear(&core->scratch);
    if (number == 0) return load_other(core, block, fault);
    hf_core_db *d = hf_core_db_at(core, number);
    if (!d) return hf_fail(fault, HF_NOT_FOUND, "a database that is not here", 0);
    if (!d->log || (!d->collection && d->phase != HF_CORE_LOADING)) return hf_fail(fault, HF_STATE, "a database that is not being loaded", 0);
    hf_entry entry;
    hf_err err = hf_log_load(d->log, block, &entry, &core->scratch, fault);
    if (err == HF_MISSING && !d->collection && !hf_log_knows_identity(d->log, entry.identity_digest)) {
        err = look_up_identity(core, d->log, entry.identity_digest, fault);
        if (!err) err = hf_log_load(d->log, block, &entry, &core->scratch, fault);
    }
    if (err == HF_EXISTS) return HF_OK;
    if (err) return err;
    d->n_durable = hf_log_n(d->log);
    return apply(core, 0, d, (uint32_t)d->n_durable - 1, &entry.payload);
}

/* ---- stored ---- */

static void record_stored(hf_core *core, hf_core_record *r) {
    hf_core_db *d = r->database ? core->databases[r->database - 1] : NULL;
    core->seq_stored = r->seq;
    hf_map_remove(&core->in_flight, HF_BYTES(r->cid, HF_CID_LEN));
    hf_core_record_free(core, r);
    if (!d) return;
    d->n_durable++;
    d->n_records--;
    hf_core_db_stored(core, d);
}

void hf_core_stored(hf_core *core, uint64_t now_ms, uint64_t seq) {
    while (core->first && core->first != core->unsent && core->first->seq <= seq) {
        hf_core_record *r = core->first;
        core->first = r->next;
        if (!core->first) core->last = &core->first;
        record_stored(core, r);
    }
    for (size_t i = 0; i < core->n_databases; i++) {
        hf_core_db *d = core->databases[i];
        if (d && !d->closed && d->phase == HF_CORE_OPEN) hf_sync_durable(core->sync, now_ms, d->log, d->n_durable);
    }
}

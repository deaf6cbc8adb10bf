/* core_db_data: writing to databases added at run time, and reading what they show. */
#include "core_private.h"

#include "codec/dag_cbor.h"
#include "log/entry_read.h"
#include "log/link_text.h"

#include <string.h>

static hf_core_db *open_db(const hf_core *core, uint32_t number) {
    hf_core_db *d = hf_core_db_at(core, number);
    return d && !d->collection && d->phase == HF_CORE_OPEN ? d : NULL;
}

/* ---- writing ---- */

static hf_err append(hf_core *core, uint64_t now_ms, hf_core_db *d, hf_bytes payload, uint8_t ret_digest[32], uint64_t *ret_seq) {
    uint32_t index;
    hf_arena_clear(&core->scratch);
    hf_err err = hf_core_append(core, now_ms, d, payload, &index);
    if (err) return err;
    if (ret_digest) memcpy(ret_digest, hf_log_item_at(d->log, index)->digest, 32);
    *ret_seq = core->seq;
    return HF_OK;
}

hf_err hf_core_db_append(hf_core *core, uint64_t now_ms, uint32_t number, hf_orbit_op op, const hf_value *key, const hf_value *value,
                         uint8_t ret_digest[32], uint64_t *ret_seq, hf_fault *fault) {
    hf_core_db *d = open_db(core, number);
    if (!d) return hf_fail(fault, HF_STATE, "not open", 0);
    hf_buf payload;
    hf_buf_init(&payload, core->mem);
    hf_err err = hf_orbit_operation(d->state, d->type, op, key, value, &payload, fault);
    if (!err) {
        err = append(core, now_ms, d, hf_buf_bytes(&payload), ret_digest, ret_seq);
        if (err == HF_DENIED) hf_fail(fault, err, "this peer may not write here", 0);
        else if (err) hf_fail(fault, err, "the entry cannot be written", 0);
    }
    hf_buf_deinit(&payload);
    return err;
}

typedef hf_err (*change)(const hf_orbit_rights *rights, hf_bytes capability, hf_bytes id, hf_buf *payload);

static hf_err change_rights(hf_core *core, uint64_t now_ms, uint32_t number, hf_bytes capability, hf_bytes id, change make, uint64_t *ret_seq) {
    hf_core_db *d = open_db(core, number);
    if (!d || !d->guard || d->guard->phase != HF_CORE_OPEN) return HF_STATE;
    hf_buf payload;
    hf_buf_init(&payload, core->mem);
    hf_err err = make(d->guard->rights, capability, id, &payload);
    if (!err) err = append(core, now_ms, d->guard, hf_buf_bytes(&payload), NULL, ret_seq);
    hf_buf_deinit(&payload);
    return err;
}

hf_err hf_core_db_grant(hf_core *core, uint64_t now_ms, uint32_t number, hf_bytes capability, hf_bytes id, uint64_t *ret_seq) {
    return change_rights(core, now_ms, number, capability, id, hf_orbit_rights_grant, ret_seq);
}

hf_err hf_core_db_revoke(hf_core *core, uint64_t now_ms, uint32_t number, hf_bytes capability, hf_bytes id, uint64_t *ret_seq) {
    return change_rights(core, now_ms, number, capability, id, hf_orbit_rights_revoke, ret_seq);
}

const hf_bytes *hf_core_db_capability(hf_core *core, uint32_t number, hf_bytes capability, size_t *ret_n) {
    const hf_core_db *d = open_db(core, number);
    *ret_n = 0;
    return d && d->guard && d->guard->rights ? hf_orbit_rights_list(d->guard->rights, capability, ret_n) : NULL;
}

bool hf_core_db_allows(const hf_core *core, uint32_t number, hf_bytes id) {
    const hf_core_db *d = open_db(core, number);
    return d && hf_log_allows(d->log, id);
}

/* ---- reading ---- */

/* Everything is in the arena `rows`, which is cleared for the next one. */
static hf_err read_row(hf_core *core, const hf_core_db *d, uint32_t index, hf_core_row *ret) {
    const hf_log_item *item = hf_log_item_at(d->log, index);
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_cid_from_digest(item->digest, cid);
    if (hf_core_block_get(core, HF_BYTES(cid, sizeof cid), &block)) return HF_MISSING;
    hf_arena_clear(&core->rows);
    block = hf_arena_copy(&core->rows, block);
    hf_value *payload = hf_arena_alloc(&core->rows, sizeof *payload);
    if (!block.ptr || !payload) return HF_NOMEM;
    hf_err err = hf_entry_payload(block, item->digest, &core->rows, payload);
    if (err) return err == HF_NOMEM ? err : HF_MISSING;
    bool map = payload->kind == HF_MAP;
    *ret = (hf_core_row){.time = item->time, .writer = hf_log_writer_key(d->log, item->writer)};
    memcpy(ret->digest, item->digest, 32);
    ret->key = map && d->type != HF_ORBIT_EVENTS ? hf_value_get(payload, "key") : NULL;
    ret->value = map ? hf_value_get(payload, "value") : NULL;
    return HF_OK;
}

static hf_err find_item(const hf_log *log, const uint8_t *digest, uint32_t *ret) {
    *ret = digest ? hf_log_find(log, digest) : UINT32_MAX;
    return digest && *ret == UINT32_MAX ? HF_NOT_FOUND : HF_OK;
}

/* ---- what is shown, piece by piece ---- */

struct hf_core_rows {
    hf_core *core;
    uint32_t number;
    uint64_t serial;
    uint32_t *items;      /* newest first. A copy, because a visitor may write */
    size_t n, cap, at;
    bool oldest_first;
};

/* Of events: those in the range. */
static hf_err collect_events(const hf_core_db *d, const hf_core_query *q, hf_core_rows *rows) {
    hf_orbit_range range = HF_ORBIT_ALL;
    range.amount = q->amount;
    hf_err err = find_item(d->log, q->lt, &range.lt);
    if (!err) err = find_item(d->log, q->lte, &range.lte);
    if (!err) err = find_item(d->log, q->gt, &range.gt);
    if (!err) err = find_item(d->log, q->gte, &range.gte);
    return err ? err : hf_orbit_range_items(d->log, &range, rows->core->mem, &rows->items, &rows->n, &rows->cap);
}

static hf_err collect(const hf_core_db *d, const hf_core_query *q, hf_core_rows *rows) {
    if (d->type == HF_ORBIT_EVENTS || d->type == HF_ORBIT_OTHER) return collect_events(d, q, rows);
    const uint32_t *items;
    size_t n;
    hf_err err = hf_orbit_state_rows(d->state, &items, &n);
    if (n > q->amount) n = q->amount;
    if (!err) err = hf_grow(rows->core->mem, (void **)&rows->items, &rows->cap, sizeof *rows->items, n);
    if (err || !n) return err;
    memcpy(rows->items, items, n * sizeof *items);
    rows->n = n;
    return HF_OK;
}

hf_err hf_core_rows_new(hf_core *core, uint32_t number, const hf_core_query *query, hf_core_rows **ret) {
    static const hf_core_query all = {.amount = SIZE_MAX};
    const hf_core_query *q = query ? query : &all;
    const hf_core_db *d = open_db(core, number);
    if (!d) return HF_STATE;
    hf_core_rows *rows = hf_alloc(core->mem, sizeof *rows);
    if (!rows) return HF_NOMEM;
    *rows = (hf_core_rows){.core = core, .number = number, .serial = d->serial, .oldest_first = q->oldest_first};
    hf_err err = collect(d, q, rows);
    if (err) return hf_core_rows_free(rows), err;
    *ret = rows;
    return HF_OK;
}

void hf_core_rows_free(hf_core_rows *rows) {
    if (!rows) return;
    hf_release(rows->core->mem, rows->items, rows->cap * sizeof *rows->items);
    hf_release(rows->core->mem, rows, sizeof *rows);
}

/* A visitor may read, too: only the outermost run is one for the store. */
static void begin_run(hf_core *core) {
    if (!core->n_runs++ && core->config.blocks_run) core->config.blocks_run(core->config.blocks.ctx, true);
}

static void end_run(hf_core *core) {
    if (!--core->n_runs && core->config.blocks_run) core->config.blocks_run(core->config.blocks.ctx, false);
}

hf_err hf_core_rows_visit(hf_core_rows *rows, bool (*visit)(void *ctx, const hf_core_row *row), void *ctx, bool *ret_more) {
    hf_core *core = rows->core;
    hf_err err = HF_OK;
    begin_run(core);
    for (bool more = true; more && rows->at < rows->n && !err;) {
        const hf_core_db *d = open_db(core, rows->number); /* a visitor may close it */
        hf_core_row row;
        if (!d || d->serial != rows->serial) err = HF_STATE;
        if (!err) err = read_row(core, d, rows->items[rows->oldest_first ? rows->n - 1 - rows->at : rows->at], &row);
        if (!err) rows->at++;
        if (!err) more = visit(ctx, &row);
    }
    end_run(core);
    *ret_more = rows->at < rows->n;
    return err;
}

hf_err hf_core_db_each(hf_core *core, uint32_t number, const hf_core_query *query, bool (*visit)(void *ctx, const hf_core_row *row), void *ctx) {
    hf_core_rows *rows;
    bool more;
    hf_err err = hf_core_rows_new(core, number, query, &rows);
    if (err) return err;
    err = hf_core_rows_visit(rows, visit, ctx, &more);
    hf_core_rows_free(rows);
    return err;
}

hf_err hf_core_db_get(hf_core *core, uint32_t number, const hf_value *key, hf_core_row *ret) {
    const hf_core_db *d = open_db(core, number);
    if (!d) return HF_STATE;
    uint32_t index = UINT32_MAX;
    uint8_t digest[32];
    if (d->type == HF_ORBIT_KEYVALUE || d->type == HF_ORBIT_DOCUMENTS) index = hf_orbit_state_find(d->state, key);
    else if (!hf_link_text_read(hf_value_as_text(key), digest)) index = hf_log_find(d->log, digest);
    return index == UINT32_MAX ? HF_NOT_FOUND : read_row(core, d, index, ret);
}

size_t hf_core_db_heads(const hf_core *core, uint32_t number, uint8_t (*ret)[32], size_t n_max) {
    const hf_core_db *d = hf_core_db_at(core, number);
    size_t n = d && d->log ? hf_log_heads(d->log, NULL, 0) : 0;
    uint32_t *items = n && n_max ? hf_alloc(core->mem, n * sizeof *items) : NULL;
    if (items) hf_log_heads(d->log, items, n);
    for (size_t i = 0; items && i < n && i < n_max; i++) memcpy(ret[i], hf_log_item_at(d->log, items[i])->digest, 32);
    hf_release(core->mem, items, items ? n * sizeof *items : 0);
    return items || !n_max ? n : 0;
}

void hf_core_entry_digest(const hf_core *core, uint32_t number, size_t i, uint8_t ret[32]) {
    const hf_core_db *d = hf_core_db_at(core, number);
    memcpy(ret, hf_log_item_at(d->log, (uint32_t)i)->digest, 32);
}

hf_bytes hf_core_identity(const hf_core *core) { return HF_BYTES(core->self.id, sizeof core->self.id); }

void hf_core_identity_cid(const hf_core *core, uint8_t ret_cid[HF_CID_LEN]) { memcpy(ret_cid, core->writer.cid, HF_CID_LEN); }

hf_err hf_core_db_info(const hf_core *core, uint32_t number, hf_core_db_about *ret) {
    const hf_core_db *d = hf_core_db_at(core, number);
    if (!d || d->collection) return HF_NOT_FOUND;
    *ret = (hf_core_db_about){
        .address = HF_BYTES(d->address, HF_ADDRESS_LEN), .name = hf_buf_bytes(&d->name), .phase = d->phase, .listed = d->listed, .problem = d->problem,
        .guard = d->guard ? d->guard->number : 0,
    };
    if (d->manifest_block.len) ret->type = hf_orbit_type_name(d->type);
    if (!d->log) return HF_OK;
    ret->may_write = hf_log_allows(d->log, hf_core_identity(core));
    ret->n_entries = hf_log_n(d->log);
    ret->n_waiting = hf_log_n_pending(d->log);
    ret->counters = *hf_log_counts(d->log);
    return HF_OK;
}

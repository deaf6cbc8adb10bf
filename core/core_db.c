/* core_db: databases added at run time: how they come to be open. Which ones are to be, and how that is remembered: core_db_list.c. Spec: interop notes
 * section 5.
 *
 *   SEEKING -> (WAITING for its guard) -> LOADING -> OPEN
 *
 * What it takes to open one is looked for in the store first, then asked of every connected peer that has bitswap, again when one comes, and
 * every few seconds. */
#include "core_private.h"

#include <string.h>

enum { RETRY_MS = 5000 };

/* ---- places ---- */

hf_core_db *hf_core_db_at(const hf_core *core, uint32_t number) {
    hf_core_db *d = number && number <= core->n_databases ? core->databases[number - 1] : NULL;
    return d && !d->closed ? d : NULL;
}

hf_err hf_core_db_seed(hf_core *core, uint64_t *ret) {
    core->config.random(core->config.random_ctx, (uint8_t *)ret, sizeof *ret);
    return HF_OK;
}

hf_core_db *hf_core_db_new(hf_core *core) {
    size_t at = core->n_collections;
    while (at < core->n_databases && core->databases[at]) at++;
    if (at >= HF_CORE_DATABASES_MAX + core->n_collections) return NULL;
    if (hf_grow(core->mem, (void **)&core->databases, &core->databases_cap, sizeof(hf_core_db *), at + 1)) return NULL;
    hf_core_db *d = hf_alloc(core->mem, sizeof *d);
    if (!d) return NULL;
    hf_buf_init(&d->access_block, core->mem);
    hf_buf_init(&d->manifest_block, core->mem);
    hf_buf_init(&d->name, core->mem);
    d->number = (uint32_t)at + 1;
    d->serial = ++core->n_made;
    core->databases[at] = d;
    if (at == core->n_databases) core->n_databases++;
    return d;
}

void hf_core_db_free(hf_core *core, hf_core_db *d) {
    core->databases[d->number - 1] = NULL;
    hf_collection_free(d->collection);
    hf_orbit_state_free(d->state);
    hf_orbit_rights_free(d->rights);
    hf_log_free(d->log);
    hf_buf_deinit(&d->access_block);
    hf_buf_deinit(&d->manifest_block);
    hf_buf_deinit(&d->name);
    hf_release(core->mem, d, sizeof *d);
}

/* Those added at run time and not closed. */
hf_core_db *hf_core_db_next(const hf_core *core, size_t *cursor) {
    if (*cursor < core->n_collections) *cursor = core->n_collections;
    while (*cursor < core->n_databases) {
        hf_core_db *d = core->databases[(*cursor)++];
        if (d && !d->closed) return d;
    }
    return NULL;
}

void hf_core_db_set_phase(hf_core_db *d, hf_core_phase phase, const char *problem) {
    d->phase = phase;
    d->problem = problem;
    d->telling = true;
}

hf_err hf_core_db_store_block(hf_core *core, const hf_buf *block) {
    if (!block->len) return HF_OK;
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(hf_buf_bytes(block), cid);
    return hf_core_store(core, 0, cid, hf_buf_bytes(block));
}

/* ---- becoming whole ---- */

static hf_log_access rights_of_guard(void *ctx, hf_bytes id) {
    const hf_core_db *d = ctx;
    return hf_orbit_rights_of(d->guard->rights, id);
}

static hf_err replay_rights(hf_core *core, hf_core_db *d, uint32_t index) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_entry entry;
    bool changed;
    hf_cid_from_digest(hf_log_item_at(d->log, index)->digest, cid);
    hf_err err = hf_core_block_get(core, HF_BYTES(cid, sizeof cid), &block);
    if (err) return HF_OK; /* the store lost it */
    hf_arena_clear(&core->scratch);
    err = hf_entry_read(block, &core->scratch, &entry, NULL);
    if (err) return err == HF_NOMEM ? err : HF_OK;
    const hf_value *key = entry.payload.kind == HF_MAP ? hf_value_get(&entry.payload, "key") : NULL;
    bool decides = key && hf_orbit_state_find(d->state, key) == index;
    return hf_orbit_rights_apply(d->rights, &entry.payload, decides, &changed);
}

/* This database guards another: its (ipfs) access list says who may grant, its entries who may write. It may have been open before. */
hf_err hf_core_db_make_rights(hf_core *core, hf_core_db *d) {
    hf_bytes *write;
    size_t n;
    uint64_t seed;
    hf_fault fault;
    hf_orbit_rights_free(d->rights);
    d->rights = NULL;
    hf_arena_clear(&core->scratch);
    hf_err err = hf_access_read(hf_buf_bytes(&d->access_block), &core->scratch, &write, &n, &fault);
    if (!err) err = hf_core_db_seed(core, &seed);
    if (err) return err;
    d->rights = hf_orbit_rights_new(core->mem, write, n, seed);
    err = d->rights ? HF_OK : HF_NOMEM;
    for (uint32_t i = 0; i < hf_log_n(d->log) && !err; i++) err = replay_rights(core, d, i);
    if (!err) return HF_OK;
    hf_orbit_rights_free(d->rights);
    d->rights = NULL;
    return err;
}

static hf_err make_log(hf_core *core, hf_core_db *d, hf_fault *fault) {
    hf_log_config config = {.address = HF_BYTES(d->address, HF_ADDRESS_LEN)};
    hf_bytes *write = NULL;
    hf_err err = d->guarded ? HF_OK : hf_access_read(hf_buf_bytes(&d->access_block), &core->scratch, &write, &config.n_write, fault);
    if (!err) err = hf_core_db_seed(core, &config.seed);
    if (err) return err;
    config.write = write;
    if (d->guarded) {
        config.access = rights_of_guard;
        config.access_ctx = d;
    }
    d->log = hf_log_new(core->mem, &config);
    d->state = d->log ? hf_orbit_state_new(core->mem, d->log, d->type, config.seed) : NULL;
    if (!d->state) return HF_NOMEM;
    if (d->n_guarded && (err = hf_core_db_make_rights(core, d))) return err;
    return hf_log_identity(d->log, &core->self);
}

static void unmake_log(hf_core_db *d) {
    hf_orbit_state_free(d->state);
    hf_orbit_rights_free(d->rights);
    hf_log_free(d->log);
    d->state = NULL, d->rights = NULL, d->log = NULL;
}

static hf_core_db *find(const hf_core *core, const uint8_t manifest_cid[HF_CID_LEN]) {
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        if (!memcmp(d->manifest_cid, manifest_cid, HF_CID_LEN)) return d;
    return NULL;
}

/* It was closed and is not gone yet: it goes on where it was, and so does its guard. */
static hf_core_db *reopen(hf_core_db *d) {
    for (hf_core_db *each = d; each; each = each->guard) {
        each->telling = each->closed || each->telling;
        each->closed = false;
    }
    return d;
}

hf_core_db *hf_core_db_find_or_make(hf_core *core, const uint8_t digest[32]) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    hf_core_db *d = find(core, cid);
    for (size_t i = core->n_collections; i < core->n_databases && !d; i++) {
        hf_core_db *c = core->databases[i];
        if (c && !memcmp(c->manifest_cid, cid, HF_CID_LEN)) d = reopen(c);
    }
    if (d || !(d = hf_core_db_new(core))) return d;
    memcpy(d->manifest_cid, cid, HF_CID_LEN);
    hf_manifest_address(cid, d->address);
    d->phase = HF_CORE_SEEKING;
    return d;
}

static hf_err read_manifest(hf_core *core, hf_core_db *d, hf_fault *fault) {
    hf_manifest m;
    hf_err err = hf_manifest_read(hf_buf_bytes(&d->manifest_block), &core->scratch, &m, fault);
    if (err) return err;
    if (m.name.len > HF_CORE_NAME_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "manifest: name too long", 0);
    hf_buf_add(&d->name, m.name);
    if (d->name.err) return HF_NOMEM;
    d->type = hf_orbit_type_of(m.type);
    d->guarded = m.guarded;
    hf_cid_from_digest(m.access_digest, d->access_cid);
    if (!m.guarded) return HF_OK;
    if (!memcmp(d->access_cid, d->manifest_cid, HF_CID_LEN)) return hf_fail(fault, HF_MALFORMED, "manifest: guards itself", 0);
    if (d->n_guarded) return hf_fail(fault, HF_DENIED, "the database that says who may write is itself guarded by another", 0);
    d->guard = hf_core_db_find_or_make(core, m.access_digest);
    if (!d->guard) return HF_LIMIT;
    d->guard->n_guarded++;
    d->guard->retry_ms = 0;
    return HF_OK;
}

static void broken(hf_core_db *d, hf_err err, const hf_fault *fault) {
    hf_core_db_set_phase(d, HF_CORE_BROKEN, err == HF_NOMEM ? "no memory" : err == HF_LIMIT && !fault->what ? "too many databases" : fault->what);
}

/* Which block it needs next; NULL: none. */
static const uint8_t *needs(const hf_core_db *d) {
    if (d->phase != HF_CORE_SEEKING) return NULL;
    return d->manifest_block.len ? d->access_cid : d->manifest_cid;
}

static hf_err take_block(hf_core *core, hf_core_db *d, hf_bytes block, hf_fault *fault) {
    hf_buf *buf = d->manifest_block.len ? &d->access_block : &d->manifest_block;
    if (!block.len || block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a manifest or access list that is too long", 0);
    hf_buf_add(buf, block);
    if (buf->err) return hf_buf_clear(buf), HF_NOMEM;
    hf_arena_clear(&core->scratch);
    return buf == &d->manifest_block ? read_manifest(core, d, fault) : HF_OK;
}

/* All blocks are there, and the guard's state, if it has one. */
static hf_err load(hf_core *core, hf_core_db *d, hf_fault *fault) {
    hf_arena_clear(&core->scratch);
    hf_err err = make_log(core, d, fault);
    if (!err && core->started) err = hf_core_db_store_block(core, &d->manifest_block);
    if (!err && core->started) err = hf_core_db_store_block(core, &d->access_block);
    if (err) return unmake_log(d), err;
    hf_core_db_set_phase(d, HF_CORE_LOADING, NULL);
    return HF_OK;
}

void hf_core_db_ask(hf_core *core, uint64_t now_ms, hf_core_db *d) {
    size_t n = 0;
    const hf_peer_id *peer;
    d->retry_ms = now_ms + RETRY_MS;
    for (size_t i = 0; (peer = hf_swarm_peer(core->swarm, i)); i++)
        n += hf_swarm_peer_speaks(core->swarm, peer, HF_TEXT(HF_BITSWAP_PROTOCOL)) &&
             !hf_bitswap_want(core->bitswap, now_ms, peer, HF_BYTES(needs(d), HF_CID_LEN), 0);
    if (n) hf_bitswap_flush(core->bitswap, now_ms);
}

/* Takes what is here of the blocks it needs. False: something is not. */
static bool take_what_is_here(hf_core *core, hf_core_db *d) {
    while (d->phase == HF_CORE_SEEKING) {
        hf_bytes block;
        hf_fault fault = {NULL, 0};
        if (d->manifest_block.len && (d->guarded || d->access_block.len)) {
            hf_core_db_set_phase(d, HF_CORE_WAITING, NULL);
            return true;
        }
        if (hf_core_block_get(core, HF_BYTES(needs(d), HF_CID_LEN), &block)) return false;
        hf_err err = take_block(core, d, block, &fault);
        if (err) broken(d, err, &fault);
    }
    return true;
}

static void advance(hf_core *core, uint64_t now_ms, hf_core_db *d) {
    if (!take_what_is_here(core, d)) {
        if (core->started) hf_core_db_ask(core, now_ms, d);
        return;
    }
    if (d->phase != HF_CORE_WAITING) return;
    hf_core_db *guard = d->guard;
    if (guard) {
        if (guard->phase == HF_CORE_BROKEN) return hf_core_db_set_phase(d, HF_CORE_BROKEN, "the database that says who may write cannot be opened");
        if (guard->phase > HF_CORE_WAITING && (guard->guarded || guard->type != HF_ORBIT_KEYVALUE))
            return hf_core_db_set_phase(d, HF_CORE_BROKEN, "what says who may write is no such database");
        if (guard->phase != HF_CORE_OPEN && !(guard->phase == HF_CORE_LOADING && !core->started)) return;
    }
    hf_fault fault = {NULL, 0};
    hf_err err = guard && !guard->rights ? hf_core_db_make_rights(core, guard) : HF_OK;
    if (!err) err = load(core, d, &fault);
    if (err) broken(d, err, &fault);
}

/* One moves, others may follow: a guard, and those it guards. Each pass moves at least one on, and none moves back. */
void hf_core_db_advance(hf_core *core, uint64_t now_ms, hf_core_db *first) {
    if (first) advance(core, now_ms, first);
    for (bool moved = true; moved;) {
        moved = false;
        size_t cursor = 0;
        for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
            hf_core_phase before = d->phase;
            bool fresh = before == HF_CORE_SEEKING && !d->manifest_block.len && !d->retry_ms;
            if (before == HF_CORE_WAITING || fresh) advance(core, now_ms, d);
            moved |= d->phase != before;
        }
    }
}

hf_err hf_core_db_open_sync(hf_core *core, uint64_t now_ms, hf_core_db *d) {
    hf_err err = hf_sync_add(core->sync, now_ms, d->log, d->number);
    if (err) return err;
    hf_sync_durable(core->sync, now_ms, d->log, d->n_durable);
    hf_core_db_set_phase(d, HF_CORE_OPEN, NULL);
    return HF_OK;
}

/* ---- what happens ---- */

void hf_core_db_bitswap(hf_core *core, uint64_t now_ms, const hf_bitswap_out *out) {
    size_t cursor = 0;
    if (out->kind != HF_BITSWAP_BLOCK) return; /* asked again when its time has come */
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
        hf_fault fault = {NULL, 0};
        if (!needs(d) || !hf_eq(out->cid, HF_BYTES(needs(d), HF_CID_LEN))) continue;
        hf_err err = take_block(core, d, out->block, &fault);
        if (err == HF_NOMEM) continue;
        if (err) broken(d, err, &fault);
        hf_core_db_advance(core, now_ms, d->phase == HF_CORE_SEEKING ? d : NULL);
    }
}

void hf_core_db_peer(hf_core *core, uint64_t now_ms, const hf_peer_id *peer) {
    size_t cursor = 0, n = 0;
    if (!hf_swarm_peer_speaks(core->swarm, peer, HF_TEXT(HF_BITSWAP_PROTOCOL))) return;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        n += needs(d) && !hf_bitswap_want(core->bitswap, now_ms, peer, HF_BYTES(needs(d), HF_CID_LEN), 0);
    if (n) hf_bitswap_flush(core->bitswap, now_ms);
}

void hf_core_db_tick(hf_core *core, uint64_t now_ms) {
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        if (needs(d) && d->retry_ms <= now_ms) hf_core_db_ask(core, now_ms, d);
}

uint64_t hf_core_db_deadline(const hf_core *core) {
    uint64_t at = UINT64_MAX;
    size_t cursor = 0;
    for (const hf_core_db *d; (d = hf_core_db_next(core, &cursor));)
        if (needs(d) && d->retry_ms < at) at = d->retry_ms;
    return at;
}

bool hf_core_db_show(hf_core *core, hf_out *out) {
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
        if (!d->telling) continue;
        d->telling = false;
        out->database = d->number;
        out->reason = d->problem;
        return true;
    }
    return false;
}

void hf_core_db_rights_changed(hf_core *core, uint64_t now_ms, const hf_core_db *guard) {
    size_t cursor = 0;
    for (hf_core_db *d; (d = hf_core_db_next(core, &cursor));) {
        if (d->guard != guard || !d->log) continue;
        hf_log_access_changed(d->log);
        if (d->phase == HF_CORE_OPEN) hf_sync_retry(core->sync, now_ms, d->log);
    }
}

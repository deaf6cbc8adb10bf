/* log: see log.h. What comes in and why: reading, judging, joining, waiting. Where it is kept is log_index.c, who waits is log_pool.c, what
 * is written here is log_append.c; signatures are checked ahead in log_ahead.c. */
#include "log_state.h"

#include "entry_read.h"

#include <string.h>

enum {
    STRANGERS_MAX = 1024, /* identities known only to be refused; beyond that they are judged and forgotten */
};

/* ---- life ---- */

static hf_err copy_access(hf_log *log, const hf_log_config *config) {
    log->write = hf_arena_alloc(&log->arena, (config->n_write ? config->n_write : 1) * sizeof *log->write);
    if (!log->write) return HF_NOMEM;
    for (; log->n_write < config->n_write; log->n_write++) {
        log->write[log->n_write] = hf_arena_copy(&log->arena, config->write[log->n_write]);
        if (!log->write[log->n_write].ptr) return HF_NOMEM;
    }
    return HF_OK;
}

static hf_err init(hf_log *log, const hf_log_config *config) {
    hf_err err = hf_index_init(&log->index, log->mem, config->seed);
    if (!err) err = copy_access(log, config);
    if (err) return err;
    log->access = config->access;
    log->access_ctx = config->access_ctx;
    log->address = hf_arena_copy(&log->arena, config->address);
    return log->address.ptr ? HF_OK : HF_NOMEM;
}

hf_log *hf_log_new(hf_mem *mem, const hf_log_config *config) {
    hf_log *log = hf_alloc(mem, sizeof *log);
    if (!log) return NULL;
    log->mem = mem;
    hf_arena_init(&log->arena, mem);
    hf_arena_init(&log->scratch, mem);
    hf_arena_init(&log->ahead, mem);
    hf_map_init(&log->identities, mem, config->seed);
    hf_pool_init(&log->pool, mem, config->seed);
    if (init(log, config)) {
        hf_log_free(log);
        return NULL;
    }
    return log;
}

void hf_log_free(hf_log *log) {
    if (!log) return;
    hf_mem *mem = log->mem;
    hf_pool_deinit(&log->pool);
    hf_index_deinit(&log->index);
    hf_map_deinit(&log->identities);
    hf_release(mem, log->parents.at, log->parents.cap * sizeof *log->parents.at);
    hf_release(mem, log->missing, log->cap_missing * sizeof *log->missing);
    hf_arena_deinit(&log->scratch);
    hf_arena_deinit(&log->ahead);
    hf_release(mem, log->checked, log->checked ? HF_LOG_CHECKED * sizeof *log->checked : 0);
    hf_arena_deinit(&log->arena);
    hf_release(mem, log, sizeof *log);
}

hf_bytes hf_log_address(const hf_log *log) { return log->address; }

/* ---- identities and access ---- */

static hf_log_access access_of(const hf_log *log, hf_bytes id) {
    if (log->access) return log->access(log->access_ctx, id);
    for (size_t i = 0; i < log->n_write; i++)
        if (hf_eq(log->write[i], HF_TEXT("*")) || hf_eq(log->write[i], id)) return HF_LOG_MAY;
    return HF_LOG_STRANGER;
}

bool hf_log_allows(const hf_log *log, hf_bytes id) { return access_of(log, id) == HF_LOG_MAY; }

static hf_bytes id_of(const hf_identity *identity) { return HF_BYTES(identity->id, sizeof identity->id); }

hf_log_identity_known *hf_log_known(const hf_log *log, const uint8_t digest[32]) {
    return hf_map_get(&log->identities, HF_BYTES(digest, 32));
}

bool hf_log_knows_identity(const hf_log *log, const uint8_t digest[32]) { return hf_log_known(log, digest) != NULL; }

static hf_err remember(hf_log *log, const hf_identity *identity, bool refused, bool stranger) {
    hf_log_identity_known *k = hf_arena_alloc(&log->arena, sizeof *k);
    if (!k) return HF_NOMEM;
    k->identity = *identity;
    k->refused = refused;
    hf_err err = hf_map_put(&log->identities, HF_BYTES(k->identity.digest, 32), k);
    if (!err && stranger) log->n_strangers++;
    return err;
}

/* Entries that came before their writer's identity: those that this identity really signed vouch for what they stand on. */
static void vouch_with(hf_log *log, const hf_identity *identity) {
    hf_pool_edge *next, *edge = hf_pool_waiters(&log->pool, identity->digest, HF_POOL_IDENTITY);
    for (; edge; edge = next) {
        hf_entry entry;
        hf_pool_entry *w = edge->owner;
        next = edge->next;
        hf_arena_clear(&log->scratch);
        if (hf_entry_read_as(w->block, w->digest, &log->scratch, &entry, NULL)) continue;
        if (hf_entry_verify(&entry, identity, &log->scratch, NULL)) continue; /* it is refused when its turn comes */
        w->verified = true;
        hf_pool_vouch(&log->pool, w);
    }
}

hf_err hf_log_identity(hf_log *log, const hf_identity *identity) {
    if (hf_log_known(log, identity->digest)) return HF_OK;
    hf_log_access access = access_of(log, id_of(identity));
    bool stranger = access == HF_LOG_STRANGER, refused = stranger && !log->access;
    hf_err err = stranger && log->n_strangers >= STRANGERS_MAX ? HF_LIMIT : remember(log, identity, refused, stranger);
    if (err == HF_NOMEM) return err;
    if (log->access && access == HF_LOG_MAY) vouch_with(log, identity);
    if (refused || err) log->counters.refused_denied += hf_pool_fell(&log->pool, identity->digest, HF_POOL_IDENTITY);
    else hf_pool_met(&log->pool, identity->digest, HF_POOL_IDENTITY);
    return err;
}

/* Where the access list changes: is this one to be taken now? vouched: somebody who may write stands on it. */
static bool is_granted(const hf_log *log, const hf_log_identity_known *k, bool vouched) {
    if (!log->access) return true;
    hf_log_access access = access_of(log, id_of(&k->identity));
    return access == HF_LOG_MAY || (access == HF_LOG_FORMER && vouched);
}

void hf_log_access_changed(hf_log *log) {
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&log->pool.entries, &cursor));) {
        hf_pool_entry *w = s->value;
        const hf_log_identity_known *k = w->verified ? hf_log_known(log, w->identity) : NULL;
        if (!k) continue;
        if (hf_log_allows(log, id_of(&k->identity))) hf_pool_vouch(&log->pool, w);
        if (w->held && is_granted(log, k, w->vouched)) hf_pool_met(&log->pool, w->identity, HF_POOL_GRANT);
    }
}

/* ---- refusing ---- */

static void count(hf_log *log, hf_err err, uint64_t n) {
    if (err == HF_MALFORMED) log->counters.refused_malformed += n;
    if (err == HF_DENIED) log->counters.refused_denied += n;
    if (err == HF_LIMIT) log->counters.refused_limit += n;
}

/* "One bad or unobtainable ancestor makes the whole join fail": what waits for it goes too. */
static hf_err refuse(hf_log *log, const uint8_t digest[32], hf_err err) {
    if (err == HF_MALFORMED || err == HF_DENIED || err == HF_LIMIT) count(log, err, 1 + hf_pool_fell(&log->pool, digest, HF_POOL_ENTRY));
    return err;
}

/* ---- judging ---- */

/* Section 8 (2) and (4), when the writer's identity is known: may it write at all, and did it write this? */
static hf_err judge_writer(hf_log *log, const hf_entry *entry, const hf_log_identity_known *k, bool verified, hf_fault *fault) {
    if (k->refused) return hf_fail(fault, HF_DENIED, "log: this identity may not write here", 0);
    if (verified) return HF_OK;
    hf_arena_clear(&log->scratch);
    return hf_entry_verify(entry, &k->identity, &log->scratch, fault);
}

static void add_parent(hf_log *log, const uint8_t digest[32], size_t *n_missing) {
    uint32_t parent = hf_index_find(&log->index, digest);
    if (parent == HF_INDEX_NONE) log->missing[(*n_missing)++] = digest;
    else log->parents.at[log->parents.n++] = parent;
}

/* Looks up next, then refs: the numbers of those that are there go to log->parents in order, the digests of the others to log->missing. */
static hf_err find_parents(hf_log *log, const hf_entry *entry, size_t *ret_n_missing) {
    size_t n = entry->n_next + entry->n_refs;
    log->parents.n = 0;
    *ret_n_missing = 0;
    hf_err err = hf_grow(log->mem, (void **)&log->parents.at, &log->parents.cap, sizeof *log->parents.at, n);
    if (!err) err = hf_grow(log->mem, (void **)&log->missing, &log->cap_missing, sizeof *log->missing, n);
    for (size_t i = 0; !err && i < entry->n_next; i++) add_parent(log, entry->next[i], ret_n_missing);
    for (size_t i = 0; !err && i < entry->n_refs; i++) add_parent(log, entry->refs[i], ret_n_missing);
    return err;
}

/* The clock's rules need all parents: above each of them, and no leap. A leap would let one writer push everyone's clock to its end. */
static hf_err judge_clock(const hf_log *log, const hf_entry *entry, hf_fault *fault) {
    for (size_t i = 0; i < log->parents.n; i++)
        if (log->index.items[log->parents.at[i]].time >= entry->time)
            return hf_fail(fault, HF_DENIED, "log: clock.time is not above a parent's", i);
    if (entry->time > hf_index_time(&log->index) + HF_CLOCK_LEAP_MAX)
        return hf_fail(fault, HF_DENIED, "log: clock.time leaps ahead", 0);
    return HF_OK;
}

/* All parents are in log->parents; the writer is judged. */
static hf_err settle(hf_log *log, const hf_entry *entry, hf_log_identity_known *k, uint32_t *ret_index, hf_fault *fault) {
    hf_err err = judge_clock(log, entry, fault);
    if (err) return err;
    if (!k->writer) k->writer = hf_index_writer_of(&log->index, entry->key);
    if (!k->writer) return HF_NOMEM;
    err = hf_index_reserve(&log->index, entry->n_next);
    if (err) return err == HF_LIMIT ? hf_fail(fault, err, "log: full", 0) : err;
    *ret_index = hf_index_add(&log->index, entry->digest, k->writer, entry->time, log->parents.at, entry->n_next);
    k->writer->bytes += entry->block.len;
    log->counters.joined++;
    log->counters.equivocations = log->index.n_equivocations;
    return HF_OK;
}

/* ---- loading ---- */

hf_err hf_log_load(hf_log *log, hf_bytes block, hf_entry *ret_entry, hf_arena *arena, hf_fault *fault) {
    hf_err err = hf_entry_read(block, arena, ret_entry, fault);
    if (err) return err;
    if (hf_index_find(&log->index, ret_entry->digest) != HF_INDEX_NONE) return HF_EXISTS;
    if (!hf_eq(ret_entry->id, log->address)) return hf_fail(fault, HF_DENIED, "log: entry of another log", 0);
    hf_log_identity_known *k = hf_log_known(log, ret_entry->identity_digest);
    if (!k) return hf_fail(fault, HF_MISSING, "log: identity is not there", 0);
    if (!hf_eq(ret_entry->key, HF_BYTES(k->identity.public_key, HF_PUBLIC_KEY_HEX_LEN)))
        return hf_fail(fault, HF_DENIED, "log: key is not the identity's", 0);
    size_t n_missing;
    err = find_parents(log, ret_entry, &n_missing);
    if (err) return err;
    if (n_missing) return hf_fail(fault, HF_MISSING, "log: an ancestor is not there", 0);
    uint32_t index;
    err = settle(log, ret_entry, k, &index, fault);
    if (!err) hf_pool_met(&log->pool, ret_entry->digest, HF_POOL_ENTRY);
    return err;
}

/* ---- joining ---- */

static const char WAITS_FOR_GRANT[] = "log: this identity may not write here yet; the entry waits for a grant";

static hf_err wait(hf_log *log, const hf_entry *entry, size_t n_missing, const hf_log_identity_known *k, hf_fault *fault) {
    hf_pool_new what = {.time = entry->time, .block = entry->block, .missing = log->missing, .n_missing = n_missing};
    memcpy(what.digest, entry->digest, 32);
    what.identity = entry->identity_digest;
    what.identity_missing = !k;
    what.verified = k != NULL;
    what.needed = hf_pool_needed(&log->pool, entry->digest, entry->identity_digest);
    what.vouched = k && log->access && hf_log_allows(log, id_of(&k->identity));
    what.grant_missing = k && !n_missing;
    size_t n_evicted;
    hf_err err = hf_pool_add(&log->pool, &what, &n_evicted);
    log->counters.refused_limit += n_evicted + (err == HF_LIMIT);
    if (err == HF_LIMIT) return hf_fail(fault, err, "log: too much is waiting", 0);
    if (!err && what.grant_missing) log->counters.held++;
    return err ? err : hf_fail(fault, HF_MISSING, what.grant_missing ? WAITS_FOR_GRANT : "log: waits for what it refers to", n_missing);
}

void hf_log_door(hf_log *log, const char *(*closed)(void *ctx, uint32_t writer, bool needed), void *ctx) {
    log->closed = closed;
    log->door_ctx = ctx;
}

static hf_err turn_away(hf_log *log, const hf_entry *entry, const hf_log_identity_known *k, hf_fault *fault) {
    bool needed = log->closed && hf_pool_needed(&log->pool, entry->digest, entry->identity_digest);
    const char *why = log->closed ? log->closed(log->door_ctx, k && k->writer ? k->writer->number : UINT32_MAX, needed) : NULL;
    if (!why) return HF_OK;
    log->counters.turned_away += 1 + hf_pool_fell(&log->pool, entry->digest, HF_POOL_ENTRY);
    return hf_fail(fault, HF_LIMIT, why, 0);
}

/* The entry is decoded and new here. */
static hf_err join_new(hf_log *log, const hf_entry *entry, uint32_t *ret_index, hf_fault *fault) {
    if (!hf_eq(entry->id, log->address))
        return refuse(log, entry->digest, hf_fail(fault, HF_DENIED, "log: entry of another log", 0));
    hf_log_identity_known *k = hf_log_known(log, entry->identity_digest);
    hf_err err = turn_away(log, entry, k, fault);
    if (err) return err;
    err = k ? judge_writer(log, entry, k, hf_log_was_checked(log, entry->digest), fault) : HF_OK;
    if (err) return refuse(log, entry->digest, err);
    size_t n_missing;
    err = find_parents(log, entry, &n_missing);
    if (err) return err;
    if (n_missing || !k || !is_granted(log, k, hf_pool_sought(&log->pool, entry->digest))) return wait(log, entry, n_missing, k, fault);
    err = settle(log, entry, k, ret_index, fault);
    if (err) return refuse(log, entry->digest, err);
    hf_pool_met(&log->pool, entry->digest, HF_POOL_ENTRY);
    return HF_OK;
}

hf_err hf_log_join(hf_log *log, hf_bytes block, hf_arena *arena, hf_entry *ret_entry, uint32_t *ret_index, hf_fault *fault) {
    if (block.len > HF_ENTRY_BYTES_MAX) {
        count(log, HF_LIMIT, 1);
        return hf_fail(fault, HF_LIMIT, "entry: block too big", HF_ENTRY_BYTES_MAX);
    }
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    hf_err err = hf_entry_read_as(block, digest, arena, ret_entry, fault);
    if (err) return refuse(log, digest, err);
    uint32_t index = hf_index_find(&log->index, digest);
    if (index != HF_INDEX_NONE) {
        *ret_index = index;
        return HF_EXISTS;
    }
    if (hf_pool_find(&log->pool, digest)) return hf_fail(fault, HF_MISSING, "log: waits already", 0);
    return join_new(log, ret_entry, ret_index, fault);
}

/* ---- what waited ---- */

/* The block moves from the pool to the caller's arena. Nothing has changed in the log when this fails. */
static hf_err read_waiting(const hf_pool_entry *w, hf_arena *arena, hf_entry *ret, hf_fault *fault) {
    hf_bytes block = hf_arena_copy(arena, w->block);
    if (!block.ptr) return HF_NOMEM;
    return hf_entry_read_as(block, w->digest, arena, ret, fault);
}

static hf_err join_waiting(hf_log *log, const hf_pool_entry *w, const hf_entry *entry, uint32_t *ret_index, hf_fault *fault) {
    hf_log_identity_known *k = hf_log_known(log, entry->identity_digest);
    size_t n_missing;
    hf_err err = find_parents(log, entry, &n_missing);
    if (err) return err;
    HF_ASSERT(k && n_missing == 0);
    err = judge_writer(log, entry, k, w->verified, fault);
    if (!err && !is_granted(log, k, w->vouched)) return hf_fail(fault, HF_MISSING, WAITS_FOR_GRANT, 0);
    return err ? err : settle(log, entry, k, ret_index, fault);
}

/* HF_EXISTS: it came in by another way (load) meanwhile. */
static hf_err try_ready(hf_log *log, const hf_pool_entry *w, hf_arena *arena, hf_entry *ret_entry, uint32_t *ret_index, hf_fault *fault) {
    if (hf_index_find(&log->index, w->digest) != HF_INDEX_NONE) return HF_EXISTS;
    hf_err err = read_waiting(w, arena, ret_entry, fault);
    return err ? err : join_waiting(log, w, ret_entry, ret_index, fault);
}

hf_err hf_log_ready(hf_log *log, hf_arena *arena, hf_entry *ret_entry, uint32_t *ret_index, hf_fault *fault) {
    for (hf_pool_entry *w; (w = hf_pool_ready(&log->pool));) {
        hf_err err = try_ready(log, w, arena, ret_entry, ret_index, fault);
        if (err == HF_MISSING) {
            w->verified = true;
            err = hf_pool_hold_ready(&log->pool);
            if (!err) return log->counters.held++, HF_MISSING;
            if (err == HF_LIMIT) hf_fail(fault, err, "log: too many entries wait for a grant", 0);
        }
        if (err == HF_NOMEM) return err;
        uint8_t digest[32];
        memcpy(digest, w->digest, 32);
        hf_pool_take_ready(&log->pool);
        if (err == HF_OK || err == HF_EXISTS) hf_pool_met(&log->pool, digest, HF_POOL_ENTRY);
        if (err != HF_EXISTS) return refuse(log, digest, err);
    }
    return HF_NOT_FOUND;
}

size_t hf_log_wanted(hf_log *log, hf_log_want *ret, size_t n_max) { return hf_pool_wanted(&log->pool, ret, n_max); }

void hf_log_rewant(hf_log *log) { hf_pool_rewant(&log->pool); }

size_t hf_log_give_up(hf_log *log, const uint8_t digest[32]) {
    return hf_pool_fell(&log->pool, digest, HF_POOL_ENTRY) + hf_pool_fell(&log->pool, digest, HF_POOL_IDENTITY);
}

size_t hf_log_n_pending(const hf_log *log) { return log->pool.entries.n; }

bool hf_log_waiting(const hf_log *log, const uint8_t digest[32]) { return hf_pool_find(&log->pool, digest) != NULL; }

const hf_log_counters *hf_log_counts(const hf_log *log) { return &log->counters; }

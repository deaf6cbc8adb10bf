/* log_pool: see log_pool.h. */
#include "log_pool.h"

#include <string.h>

struct hf_pool_want {
    uint8_t digest[32];
    hf_pool_kind kind;
    hf_pool_wants *list;                /* the list it stands in; NULL: the entry itself waits here, or it is a grant */
    hf_pool_want *prev, *next;
    hf_pool_edge *waiters;
};

static hf_bytes key_of(const uint8_t digest[32]) { return HF_BYTES(digest, 32); }

void hf_pool_init(hf_pool *pool, hf_mem *mem, uint64_t seed) {
    *pool = (hf_pool){.mem = mem};
    hf_map_init(&pool->entries, mem, seed);
    for (size_t i = 0; i < HF_COUNT(pool->wants); i++) hf_map_init(&pool->wants[i], mem, seed);
}

static void free_entry(hf_pool *pool, hf_pool_entry *e) {
    hf_release(pool->mem, e, sizeof *e + e->n_edges * sizeof *e->edges + e->block.len);
}

void hf_pool_deinit(hf_pool *pool) {
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&pool->entries, &cursor));) free_entry(pool, s->value);
    hf_map_deinit(&pool->entries);
    for (size_t i = 0; i < HF_COUNT(pool->wants); i++) {
        cursor = 0;
        for (hf_map_slot *s; (s = hf_map_next(&pool->wants[i], &cursor));) hf_release(pool->mem, s->value, sizeof(hf_pool_want));
        hf_map_deinit(&pool->wants[i]);
    }
    hf_release(pool->mem, pool->heap, pool->cap_heap * sizeof *pool->heap);
    *pool = (hf_pool){.mem = pool->mem};
}

hf_pool_entry *hf_pool_find(const hf_pool *pool, const uint8_t digest[32]) { return hf_map_get(&pool->entries, key_of(digest)); }

/* ---- wants ---- */

static void leave_list(hf_pool_want *w) {
    if (!w->list) return;
    if (w->prev) w->prev->next = w->next;
    else w->list->first = w->next;
    if (w->next) w->next->prev = w->prev;
    else w->list->last = w->prev;
    w->list = NULL;
    w->prev = w->next = NULL;
}

static void join_list(hf_pool_want *w, hf_pool_wants *list) {
    leave_list(w);
    w->list = list;
    w->prev = list->last;
    if (list->last) list->last->next = w;
    else list->first = w;
    list->last = w;
}

static hf_pool_want *find_want(const hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind) {
    return hf_map_get(&pool->wants[kind], key_of(digest));
}

/* The want of this digest, made when there is none; NULL on no memory. */
static hf_pool_want *want_of(hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind) {
    hf_pool_want *w = find_want(pool, digest, kind);
    if (w) return w;
    w = hf_alloc(pool->mem, sizeof *w);
    if (!w) return NULL;
    memcpy(w->digest, digest, 32);
    w->kind = kind;
    if (hf_map_put(&pool->wants[kind], key_of(w->digest), w)) {
        hf_release(pool->mem, w, sizeof *w);
        return NULL;
    }
    if (kind == HF_POOL_IDENTITY || (kind == HF_POOL_ENTRY && !hf_pool_find(pool, digest))) join_list(w, &pool->fresh);
    return w;
}

static void free_want(hf_pool *pool, hf_pool_want *w) {
    leave_list(w);
    hf_map_remove(&pool->wants[w->kind], key_of(w->digest));
    hf_release(pool->mem, w, sizeof *w);
}

static void tie(hf_pool_edge *edge, hf_pool_want *w) {
    edge->want = w;
    edge->prev = NULL;
    edge->next = w->waiters;
    if (w->waiters) w->waiters->prev = edge;
    w->waiters = edge;
}

/* A want that nobody waits for any more is gone with its last edge. */
static void untie(hf_pool *pool, hf_pool_edge *edge) {
    hf_pool_want *w = edge->want;
    if (!w) return;
    if (edge->prev) edge->prev->next = edge->next;
    else w->waiters = edge->next;
    if (edge->next) edge->next->prev = edge->prev;
    edge->want = NULL;
    if (!w->waiters) free_want(pool, w);
}

static void untie_all(hf_pool *pool, hf_pool_entry *e) {
    for (size_t i = 0; i < e->n_edges; i++) untie(pool, &e->edges[i]);
}

size_t hf_pool_missing(const hf_pool_entry *e, hf_log_want *ret, size_t n_max) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_edges; i++) {
        const hf_pool_want *w = e->edges[i].want;
        if (!w || w->kind == HF_POOL_GRANT) continue;
        if (n < n_max) {
            memcpy(ret[n].digest, w->digest, sizeof ret[n].digest);
            ret[n].identity = w->kind == HF_POOL_IDENTITY;
        }
        n++;
    }
    return n;
}

/* ---- the heap of those that could be dropped for room ---- */

static bool newer(const hf_pool_entry *a, const hf_pool_entry *b) {
    return a->time != b->time ? a->time > b->time : a->arrival > b->arrival;
}

static void put(hf_pool *pool, size_t at, hf_pool_entry *e) {
    pool->heap[at] = e;
    e->heap_at = at;
}

static void sift_up(hf_pool *pool, size_t at, hf_pool_entry *e) {
    for (; at && newer(e, pool->heap[(at - 1) / 2]); at = (at - 1) / 2) put(pool, at, pool->heap[(at - 1) / 2]);
    put(pool, at, e);
}

static void sift_down(hf_pool *pool, size_t at, hf_pool_entry *e) {
    for (size_t child; (child = 2 * at + 1) < pool->n_heap; at = child) {
        if (child + 1 < pool->n_heap && newer(pool->heap[child + 1], pool->heap[child])) child++;
        if (!newer(pool->heap[child], e)) break;
        put(pool, at, pool->heap[child]);
    }
    put(pool, at, e);
}

static void leave_heap(hf_pool *pool, hf_pool_entry *e) {
    size_t at = e->heap_at;
    hf_pool_entry *last = pool->heap[--pool->n_heap];
    if (last == e) return;
    if (at && newer(last, pool->heap[(at - 1) / 2])) sift_up(pool, at, last);
    else sift_down(pool, at, last);
}

/* ---- falling ---- */

static void forget(hf_pool *pool, hf_pool_entry *e) {
    hf_map_remove(&pool->entries, key_of(e->digest));
    pool->block_bytes -= e->block.len;
    pool->n_held -= e->held;
    free_entry(pool, e);
}

/* Everyone who waits for `w` onto the list, each once. */
static hf_pool_entry *add_waiters(hf_pool_want *w, hf_pool_entry *list) {
    for (hf_pool_edge *edge = w ? w->waiters : NULL; edge; edge = edge->next) {
        hf_pool_entry *e = edge->owner;
        if (e->falling) continue;
        e->falling = true;
        e->next = list;
        list = e;
    }
    return list;
}

/* Those on the list wait for something (so they are in the heap, not in the ready queue). */
static size_t fall(hf_pool *pool, hf_pool_entry *list) {
    size_t n = 0;
    for (hf_pool_entry *e; (e = list); n++) {
        list = add_waiters(find_want(pool, e->digest, HF_POOL_ENTRY), e->next);
        untie_all(pool, e);
        leave_heap(pool, e);
        forget(pool, e);
    }
    return n;
}

size_t hf_pool_fell(hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind) {
    return fall(pool, add_waiters(find_want(pool, digest, kind), NULL));
}

/* ---- adding ---- */

static bool full(const hf_pool *pool, const hf_pool_new *what) {
    return pool->entries.n >= HF_LOG_PENDING_MAX || pool->block_bytes + what->block.len > HF_LOG_PENDING_BYTES_MAX ||
           pool->wants[0].n + pool->wants[1].n + what->n_missing + 1 > HF_POOL_WANTS_MAX;
}

static hf_err make_room(hf_pool *pool, const hf_pool_new *what, size_t *n_evicted) {
    while (full(pool, what)) {
        hf_pool_entry *newest = pool->n_heap ? pool->heap[0] : NULL;
        if (!newest || newest->time <= what->time) return HF_LIMIT;
        newest->falling = true;
        newest->next = NULL;
        *n_evicted += fall(pool, newest);
    }
    return HF_OK;
}

static hf_pool_entry *new_entry(hf_pool *pool, const hf_pool_new *what) {
    size_t n_edges = what->n_missing + what->identity_missing + what->grant_missing;
    hf_pool_entry *e = hf_alloc(pool->mem, sizeof *e + n_edges * sizeof *e->edges + what->block.len);
    if (!e) return NULL;
    memcpy(e->digest, what->digest, 32);
    e->time = what->time;
    e->arrival = pool->n_arrivals++;
    if (what->identity) memcpy(e->identity, what->identity, 32);
    e->verified = what->verified;
    e->needed = what->needed;
    e->held = what->grant_missing;
    e->n_edges = e->n_missing = n_edges;
    uint8_t *block = (uint8_t *)(e->edges + n_edges);
    memcpy(block, what->block.ptr, what->block.len);
    e->block = HF_BYTES(block, what->block.len);
    return e;
}

static hf_err tie_all(hf_pool *pool, hf_pool_entry *e, const hf_pool_new *what) {
    for (size_t i = 0; i < e->n_edges; i++) {
        bool entry = i < what->n_missing;
        hf_pool_kind kind = entry ? HF_POOL_ENTRY : what->grant_missing ? HF_POOL_GRANT : HF_POOL_IDENTITY;
        hf_pool_want *w = want_of(pool, entry ? what->missing[i] : what->identity, kind);
        if (!w) return HF_NOMEM;
        e->edges[i].owner = e;
        tie(&e->edges[i], w);
    }
    return HF_OK;
}

static hf_err enter(hf_pool *pool, hf_pool_entry *e, const hf_pool_new *what) {
    hf_err err = hf_grow(pool->mem, (void **)&pool->heap, &pool->cap_heap, sizeof *pool->heap, pool->n_heap + 1);
    if (!err) err = tie_all(pool, e, what);
    if (!err) err = hf_map_put(&pool->entries, key_of(e->digest), e);
    if (err) untie_all(pool, e);
    return err;
}

hf_err hf_pool_add(hf_pool *pool, const hf_pool_new *what, size_t *ret_n_evicted) {
    *ret_n_evicted = 0;
    HF_ASSERT(what->grant_missing ? !what->n_missing && !what->identity_missing : what->n_missing || what->identity_missing);
    if (what->grant_missing && pool->n_held >= HF_LOG_HELD_MAX) return HF_LIMIT;
    hf_err err = make_room(pool, what, ret_n_evicted);
    if (err) return err;
    hf_pool_entry *e = new_entry(pool, what);
    if (!e) return HF_NOMEM;
    err = enter(pool, e, what);
    if (err) {
        free_entry(pool, e);
        return err;
    }
    pool->block_bytes += e->block.len;
    pool->n_held += e->held;
    sift_up(pool, pool->n_heap++, e);
    hf_pool_want *own = find_want(pool, e->digest, HF_POOL_ENTRY);
    if (own) leave_list(own); /* it arrived, though it is not joined yet: nobody need fetch it */
    if (what->vouched || hf_pool_sought(pool, e->digest)) hf_pool_vouch(pool, e);
    return HF_OK;
}

/* ---- becoming ready ---- */

static void make_ready(hf_pool *pool, hf_pool_entry *e) {
    leave_heap(pool, e);
    e->next = NULL;
    if (pool->ready_last) pool->ready_last->next = e;
    else pool->ready = e;
    pool->ready_last = e;
}

static void unhold(hf_pool *pool, hf_pool_entry *e) {
    pool->n_held -= e->held;
    e->held = false;
}

void hf_pool_met(hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind) {
    hf_pool_want *w = find_want(pool, digest, kind);
    if (!w) return;
    for (hf_pool_edge *edge = w->waiters, *next; edge; edge = next) {
        next = edge->next;
        edge->want = NULL;
        if (kind == HF_POOL_GRANT) unhold(pool, edge->owner);
        if (--edge->owner->n_missing == 0) make_ready(pool, edge->owner);
    }
    free_want(pool, w);
}

hf_pool_edge *hf_pool_waiters(const hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind) {
    const hf_pool_want *w = find_want(pool, digest, kind);
    return w ? w->waiters : NULL;
}

hf_pool_entry *hf_pool_ready(const hf_pool *pool) { return pool->ready; }

static hf_pool_entry *pop_ready(hf_pool *pool) {
    hf_pool_entry *e = pool->ready;
    HF_ASSERT(e);
    pool->ready = e->next;
    if (!pool->ready) pool->ready_last = NULL;
    e->next = NULL;
    return e;
}

void hf_pool_take_ready(hf_pool *pool) { forget(pool, pop_ready(pool)); }

/* ---- grants ---- */

hf_err hf_pool_hold_ready(hf_pool *pool) {
    if (pool->n_held >= HF_LOG_HELD_MAX) return HF_LIMIT;
    hf_pool_entry *e = pool->ready; /* it waited before, so it has an edge */
    if (hf_grow(pool->mem, (void **)&pool->heap, &pool->cap_heap, sizeof *pool->heap, pool->n_heap + 1)) return HF_NOMEM;
    hf_pool_want *w = want_of(pool, e->identity, HF_POOL_GRANT);
    if (!w) return HF_NOMEM;
    pop_ready(pool);
    e->edges[0].owner = e;
    tie(&e->edges[0], w);
    e->n_missing = 1;
    e->held = true;
    pool->n_held++;
    sift_up(pool, pool->n_heap++, e);
    return HF_OK;
}

bool hf_pool_sought(const hf_pool *pool, const uint8_t digest[32]) {
    for (const hf_pool_edge *edge = hf_pool_waiters(pool, digest, HF_POOL_ENTRY); edge; edge = edge->next)
        if (edge->owner->vouched) return true;
    return false;
}

bool hf_pool_needed(const hf_pool *pool, const uint8_t digest[32], const uint8_t identity[32]) {
    for (const hf_pool_edge *edge = hf_pool_waiters(pool, digest, HF_POOL_ENTRY); edge; edge = edge->next)
        if (edge->owner->needed || memcmp(edge->owner->identity, identity, 32)) return true;
    return false;
}

/* Onto the list of those whose ancestors are to be told. One that was held waits for nothing else, so it has no more to tell. */
static hf_pool_entry *vouch_for(hf_pool *pool, hf_pool_entry *e, hf_pool_entry *list) {
    e->vouched = true;
    if (e->held) {
        untie_all(pool, e);
        unhold(pool, e);
        e->n_missing = 0;
        make_ready(pool, e);
        return list;
    }
    if (!e->n_missing) return list;
    e->next = list;
    return e;
}

void hf_pool_vouch(hf_pool *pool, hf_pool_entry *entry) {
    if (entry->vouched) return;
    hf_pool_entry *list = vouch_for(pool, entry, NULL);
    for (hf_pool_entry *e; (e = list);) {
        list = e->next;
        e->next = NULL;
        for (size_t i = 0; i < e->n_edges; i++) {
            const hf_pool_want *w = e->edges[i].want;
            hf_pool_entry *parent = w && w->kind == HF_POOL_ENTRY ? hf_pool_find(pool, w->digest) : NULL;
            if (parent && !parent->vouched) list = vouch_for(pool, parent, list);
        }
    }
}

/* ---- wanted ---- */

size_t hf_pool_wanted(hf_pool *pool, hf_log_want *ret, size_t n_max) {
    size_t n = 0;
    for (hf_pool_want *w; n < n_max && (w = pool->fresh.first); n++) {
        memcpy(ret[n].digest, w->digest, 32);
        ret[n].identity = w->kind == HF_POOL_IDENTITY;
        join_list(w, &pool->reported);
    }
    return n;
}

void hf_pool_rewant(hf_pool *pool) {
    while (pool->reported.first) join_list(pool->reported.first, &pool->fresh);
}

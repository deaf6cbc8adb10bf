/* fetch: see fetch.h. A walk over the store says what is missing next; that and what comes behind it is asked for. */
#include "fetch.h"

#include "walk.h"

#include <string.h>

enum {
    WINDOW_BYTES = 64 << 20,
    WINDOW_MIN = 8,              /* blocks */
    BLOCK_BYTES_GUESS = 1 << 20, /* until some have come */
    STEPS_MAX = 4096,            /* of the walk in one go */
    SLOW_MS = 3000,              /* a block is asked of a second peer that has nothing to do */
    IDLE_MS = 20,                /* between looks whether a round is over */
    NOBODY = HF_FETCH_PEERS_MAX,
};

/* A block ahead of the walk. */
typedef struct ahead {
    uint8_t cid[HF_CID_BYTES_MAX];
    uint8_t cid_len;
    bool here;                   /* in the store; the walk has not come by */
    uint32_t asked, refused;     /* peers, by bit */
    uint64_t asked_ms;
} ahead;

typedef struct peer {
    hf_peer_id id;
    bool gone, filling;
    size_t n_asked, window;
} peer;

struct hf_fetch {
    hf_mem *mem;
    hf_bitswap *bitswap;
    hf_fetch_config config;
    hf_walk *walk;
    hf_map aheads;
    peer peers[HF_FETCH_PEERS_MAX];
    size_t n_peers, n_asked;
    hf_fetch_count count;
    hf_walk_out at;              /* where the walk stands */
    const char *failed;
    bool done, stuck, told;
    uint64_t due_ms;
};

hf_fetch *hf_fetch_new(hf_mem *mem, hf_bitswap *bitswap, hf_bytes root, const hf_fetch_config *config) {
    hf_fetch *f = hf_alloc(mem, sizeof *f);
    if (!f) return NULL;
    *f = (hf_fetch){.mem = mem, .bitswap = bitswap, .config = *config, .due_ms = UINT64_MAX};
    if (!f->config.window_bytes) f->config.window_bytes = WINDOW_BYTES;
    hf_map_init(&f->aheads, mem, 0);
    f->walk = hf_walk_new(mem, root, config->scope, config->source);
    if (!f->walk) {
        hf_release(mem, f, sizeof *f);
        return NULL;
    }
    if (config->has) hf_walk_leaves_by(f->walk, config->has);
    return f;
}

static hf_bytes cid_of(const ahead *a) { return HF_BYTES(a->cid, a->cid_len); }

void hf_fetch_free(hf_fetch *f, uint64_t now_ms) {
    if (!f) return;
    size_t at = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&f->aheads, &at));) {
        ahead *a = slot->value;
        if (a->asked) hf_bitswap_cancel(f->bitswap, now_ms, cid_of(a));
        hf_release(f->mem, a, sizeof *a);
    }
    hf_map_deinit(&f->aheads);
    hf_walk_free(f->walk);
    hf_release(f->mem, f, sizeof *f);
}

hf_fetch_count hf_fetch_counted(const hf_fetch *f) {
    hf_fetch_count count = f->count;
    count.n_asked = f->n_asked;
    return count;
}

/* ---- peers ---- */

static size_t find_peer(const hf_fetch *f, const hf_peer_id *id) {
    size_t i = 0;
    while (i < f->n_peers && !hf_peer_id_eq(&f->peers[i].id, id)) i++;
    return i;
}

hf_err hf_fetch_peer(hf_fetch *f, uint64_t now_ms, const hf_peer_id *id) {
    size_t i = find_peer(f, id), at = 0;
    if (i == HF_FETCH_PEERS_MAX) return HF_LIMIT;
    if (i == f->n_peers) f->n_peers++;
    f->peers[i] = (peer){.id = *id, .n_asked = f->peers[i].n_asked, .window = WINDOW_MIN};
    for (hf_map_slot *slot; (slot = hf_map_next(&f->aheads, &at));) ((ahead *)slot->value)->refused &= ~(1u << i);
    f->stuck = f->told = false;
    f->due_ms = now_ms;
    return HF_OK;
}

void hf_fetch_peer_gone(hf_fetch *f, const hf_peer_id *id) {
    size_t i = find_peer(f, id);
    if (i < f->n_peers) f->peers[i].gone = true;
}

static size_t window_max(const hf_fetch *f) {
    uint64_t each = f->count.n_blocks ? f->count.n_bytes / f->count.n_blocks : BLOCK_BYTES_GUESS;
    uint64_t n = f->config.window_bytes / (each < 1024 ? 1024 : each);
    return n < WINDOW_MIN ? WINDOW_MIN : n > HF_FETCH_BLOCKS_MAX ? HF_FETCH_BLOCKS_MAX : (size_t)n;
}

/* May this peer be asked for one more? A window is filled up when half of it is empty, or all of it and the line is quiet. */
static bool may_ask(hf_fetch *f, uint64_t now_ms, peer *p) {
    if (p->gone || f->n_asked >= HF_FETCH_BLOCKS_MAX) return false;
    if (!p->filling) {
        bool rounds = hf_bitswap_n_twice(f->bitswap, &p->id) > 0;
        p->filling = rounds ? !p->n_asked && hf_bitswap_idle(f->bitswap, &p->id) : p->n_asked <= p->window / 2;
        if (!p->filling && !p->n_asked && f->due_ms > now_ms + IDLE_MS) f->due_ms = now_ms + IDLE_MS;
        if (p->filling && f->count.n_blocks) p->window *= 2;
        if (p->window > window_max(f)) p->window = window_max(f);
    }
    if (p->n_asked < p->window) return p->filling;
    return p->filling = false;
}

/* The peer with the least to do that may have it. */
static size_t choose(hf_fetch *f, uint64_t now_ms, const ahead *a) {
    size_t best = NOBODY;
    for (size_t i = 0; i < f->n_peers; i++) {
        if ((a->refused | a->asked) >> i & 1 || !may_ask(f, now_ms, &f->peers[i])) continue;
        if (best == NOBODY || f->peers[i].n_asked < f->peers[best].n_asked) best = i;
    }
    return best;
}

/* False: nobody can be asked now. */
static bool ask(hf_fetch *f, uint64_t now_ms, ahead *a) {
    size_t i = choose(f, now_ms, a);
    if (i == NOBODY) return false;
    hf_err err = hf_bitswap_want(f->bitswap, now_ms, &f->peers[i].id, cid_of(a), HF_FETCH_CONTEXT);
    if (err) {
        if (err == HF_NOMEM) f->failed = "no memory";
        return false;
    }
    f->n_asked += !a->asked;
    f->peers[i].n_asked++;
    a->asked |= 1u << i;
    a->asked_ms = now_ms;
    return true;
}

static void not_asked(hf_fetch *f, ahead *a) {
    for (size_t i = 0; i < f->n_peers; i++)
        if (a->asked >> i & 1) f->peers[i].n_asked--;
    f->n_asked -= a->asked != 0;
    a->asked = 0;
}

/* ---- the walk ---- */

static void forget(hf_fetch *f, hf_bytes cid) {
    ahead *a = hf_map_remove(&f->aheads, cid);
    if (!a) return;
    not_asked(f, a);
    hf_release(f->mem, a, sizeof *a);
}

/* True: it stands before a block that is not here, or at the end. */
static bool go_on(hf_fetch *f) {
    if (f->done || f->failed) return true;
    for (int i = 0; i < STEPS_MAX; i++) {
        switch (hf_walk_next(f->walk, &f->at)) {
        case HF_WALK_BLOCK: forget(f, f->at.cid); break;
        case HF_WALK_NEED: return true;
        case HF_WALK_FAILED: f->failed = f->at.reason; return true;
        default: f->done = true; return true;
        }
    }
    return false;
}

static bool is_here(const hf_fetch *f, hf_bytes cid) {
    hf_bytes block;
    if (f->config.has) return f->config.has(f->config.source.ctx, cid);
    return !hf_block_find(&f->config.source, cid, &block);
}

static ahead *ahead_of(hf_fetch *f, hf_bytes cid, bool needed) {
    ahead *a = hf_map_get(&f->aheads, cid);
    if (a) return a;
    a = hf_alloc(f->mem, sizeof *a);
    if (a) {
        a->cid_len = (uint8_t)cid.len;
        memcpy(a->cid, cid.ptr, cid.len);
        a->here = !needed && is_here(f, cid);
    }
    if (a && !hf_map_put(&f->aheads, cid_of(a), a)) return a;
    hf_release(f->mem, a, a ? sizeof *a : 0);
    f->failed = "no memory";
    return NULL;
}

static bool all_refused(const hf_fetch *f, const ahead *a) {
    for (size_t i = 0; i < f->n_peers; i++)
        if (!f->peers[i].gone && !(a->refused >> i & 1)) return false;
    return true;
}

/* Asks for what the walk needs, and for what it will need soon. */
static void fill(hf_fetch *f, uint64_t now_ms) {
    hf_bytes next[HF_FETCH_BLOCKS_MAX];
    size_t n = 1 + hf_walk_ahead(f->walk, next + 1, HF_FETCH_BLOCKS_MAX - 1);
    bool asked = false, busy = false;
    next[0] = f->at.cid;
    for (size_t i = 0; i < n && !f->failed && !busy; i++) {
        ahead *a = ahead_of(f, next[i], i == 0);
        if (a && i == 0 && a->here) f->failed = "the store does not give back what it took";
        if (!a || a->here) continue;
        bool slow = a->asked && a->asked_ms + SLOW_MS <= now_ms;
        if (a->asked && !slow) continue;
        if (i == 0 && !a->asked && all_refused(f, a)) f->stuck = true;
        if (ask(f, now_ms, a)) asked = true;
        else busy = !a->refused && !a->asked; /* nobody has room */
    }
    if (asked) hf_bitswap_flush(f->bitswap, now_ms);
    if (f->n_asked && f->due_ms > now_ms + SLOW_MS) f->due_ms = now_ms + SLOW_MS;
}

void hf_fetch_bitswap(hf_fetch *f, uint64_t now_ms, const hf_bitswap_out *out) {
    if (out->kind != HF_BITSWAP_BLOCK && out->kind != HF_BITSWAP_FAILED) return;
    ahead *a = hf_map_get(&f->aheads, out->cid);
    (void)now_ms;
    if (!a || !a->asked) return;
    uint32_t asked = a->asked;
    not_asked(f, a);
    if (out->kind == HF_BITSWAP_FAILED) {
        a->refused |= asked;
        return;
    }
    if (f->config.sink.put(f->config.sink.ctx, out->cid, out->block)) {
        f->failed = "the store does not take it";
        return;
    }
    a->here = true;
    f->count.n_blocks++;
    f->count.n_bytes += out->block.len;
}

hf_fetch_kind hf_fetch_next(hf_fetch *f, uint64_t now_ms, hf_fetch_out *ret) {
    *ret = (hf_fetch_out){.kind = HF_FETCH_NONE};
    if (f->told) return HF_FETCH_NONE;
    if (!go_on(f)) f->due_ms = now_ms;
    else if (!f->done && !f->failed) fill(f, now_ms);
    if (f->failed) *ret = (hf_fetch_out){HF_FETCH_FAILED, f->at.cid, f->failed};
    else if (f->done) ret->kind = HF_FETCH_DONE;
    else if (f->stuck) *ret = (hf_fetch_out){HF_FETCH_STUCK, f->at.cid, "no peer has it"};
    f->told = ret->kind != HF_FETCH_NONE;
    return ret->kind;
}

uint64_t hf_fetch_deadline(const hf_fetch *f) { return f->told ? UINT64_MAX : f->due_ms; }

/* What is due is done by hf_fetch_next. */
void hf_fetch_tick(hf_fetch *f, uint64_t now_ms) {
    if (f->due_ms <= now_ms) f->due_ms = UINT64_MAX;
}

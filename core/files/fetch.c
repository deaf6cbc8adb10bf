/* fetch: see fetch.h. A walk over the store says what is missing; that is asked for and left out, and put back in front of the walk when it
 * has come. */
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

/* A block that the walk has left out: asked for, or nobody could be asked so far. */
typedef struct missing {
    uint8_t cid[HF_CID_BYTES_MAX];
    uint8_t cid_len;
    uint32_t asked, refused;     /* peers, by bit */
    uint64_t asked_ms;
} missing;

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
    hf_map missing;
    peer peers[HF_FETCH_PEERS_MAX];
    size_t n_peers, n_asked;
    hf_fetch_count count;
    const char *failed;
    const missing *stuck;
    bool again, done, told;      /* again: some that are missing may be asked of others */
    uint64_t due_ms;
};

hf_fetch *hf_fetch_new(hf_mem *mem, hf_bitswap *bitswap, hf_bytes root, const hf_fetch_config *config) {
    hf_fetch *f = hf_alloc(mem, sizeof *f);
    if (!f) return NULL;
    *f = (hf_fetch){.mem = mem, .bitswap = bitswap, .config = *config, .due_ms = UINT64_MAX};
    if (!f->config.window_bytes) f->config.window_bytes = WINDOW_BYTES;
    hf_map_init(&f->missing, mem, 0);
    f->walk = hf_walk_new(mem, root, config->scope, config->source);
    if (!f->walk) {
        hf_release(mem, f, sizeof *f);
        return NULL;
    }
    if (config->has) hf_walk_leaves_by(f->walk, config->has);
    return f;
}

static hf_bytes cid_of(const missing *m) { return HF_BYTES(m->cid, m->cid_len); }

void hf_fetch_free(hf_fetch *f, uint64_t now_ms) {
    if (!f) return;
    size_t at = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&f->missing, &at));) {
        missing *m = slot->value;
        if (m->asked) hf_bitswap_cancel(f->bitswap, now_ms, cid_of(m));
        hf_release(f->mem, m, sizeof *m);
    }
    hf_map_deinit(&f->missing);
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
    for (hf_map_slot *slot; (slot = hf_map_next(&f->missing, &at));) ((missing *)slot->value)->refused &= ~(1u << i);
    f->told = false;
    f->again = true;
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
static size_t choose(hf_fetch *f, uint64_t now_ms, const missing *m) {
    size_t best = NOBODY;
    for (size_t i = 0; i < f->n_peers; i++) {
        if ((m->refused | m->asked) >> i & 1 || !may_ask(f, now_ms, &f->peers[i])) continue;
        if (best == NOBODY || f->peers[i].n_asked < f->peers[best].n_asked) best = i;
    }
    return best;
}

/* False: nobody can be asked now. */
static bool ask(hf_fetch *f, uint64_t now_ms, missing *m) {
    size_t i = choose(f, now_ms, m);
    if (i == NOBODY) return false;
    hf_err err = hf_bitswap_want(f->bitswap, now_ms, &f->peers[i].id, cid_of(m), HF_FETCH_CONTEXT);
    if (err) {
        if (err == HF_NOMEM) f->failed = "no memory";
        return false;
    }
    f->n_asked += !m->asked;
    f->peers[i].n_asked++;
    m->asked |= 1u << i;
    m->asked_ms = now_ms;
    return true;
}

static void not_asked(hf_fetch *f, missing *m) {
    for (size_t i = 0; i < f->n_peers; i++)
        if (m->asked >> i & 1) f->peers[i].n_asked--;
    f->n_asked -= m->asked != 0;
    m->asked = 0;
}

/* ---- the walk ---- */

/* The walk needs it: true, it was asked for and can be left out. */
static bool leave_out(hf_fetch *f, uint64_t now_ms, hf_bytes cid) {
    if (hf_map_get(&f->missing, cid)) return true; /* it stands in the DAG twice */
    if (f->missing.n >= HF_FETCH_BLOCKS_MAX) return false;
    missing *m = hf_alloc(f->mem, sizeof *m);
    if (m) {
        m->cid_len = (uint8_t)cid.len;
        memcpy(m->cid, cid.ptr, cid.len);
        if (!hf_map_put(&f->missing, cid_of(m), m)) {
            if (ask(f, now_ms, m)) return true;
            hf_map_remove(&f->missing, cid_of(m));
        } else f->failed = "no memory";
    } else f->failed = "no memory";
    hf_release(f->mem, m, sizeof *m);
    return false;
}

/* Goes through what is here and asks for what is not, as far as peers have room. */
static void go_on(hf_fetch *f, uint64_t now_ms) {
    hf_walk_out at;
    for (int i = 0; i < STEPS_MAX && !f->failed; i++) {
        switch (hf_walk_next(f->walk, &at)) {
        case HF_WALK_BLOCK: break;
        case HF_WALK_NEED:
            if (!leave_out(f, now_ms, at.cid)) return;
            hf_walk_skip(f->walk);
            break;
        case HF_WALK_FAILED: f->failed = at.reason; return;
        default: f->done = !f->missing.n; return;
        }
    }
    f->due_ms = now_ms; /* more to do */
}

static bool all_refused(const hf_fetch *f, const missing *m) {
    for (size_t i = 0; i < f->n_peers; i++)
        if (!f->peers[i].gone && !(m->refused >> i & 1)) return false;
    return true;
}

/* What was refused is asked of others, and what is slow of one more. */
static void ask_again(hf_fetch *f, uint64_t now_ms) {
    size_t at = 0;
    f->again = false;
    for (hf_map_slot *slot; (slot = hf_map_next(&f->missing, &at)) && !f->failed;) {
        missing *m = slot->value;
        bool slow = m->asked && m->asked_ms + SLOW_MS <= now_ms;
        if (m->asked && !slow) continue;
        if (!ask(f, now_ms, m) && !m->asked && all_refused(f, m)) f->stuck = m;
        f->again = f->again || !m->asked;
    }
}

static bool all_gone(const hf_fetch *f) {
    size_t i = 0;
    while (i < f->n_peers && f->peers[i].gone) i++;
    return f->n_peers && i == f->n_peers;
}

void hf_fetch_bitswap(hf_fetch *f, uint64_t now_ms, const hf_bitswap_out *out) {
    if (out->kind != HF_BITSWAP_BLOCK && out->kind != HF_BITSWAP_FAILED) return;
    missing *m = hf_map_get(&f->missing, out->cid);
    (void)now_ms;
    if (!m || !m->asked) return;
    uint32_t asked = m->asked;
    not_asked(f, m);
    if (out->kind == HF_BITSWAP_FAILED) {
        m->refused |= asked;
        f->again = true;
        return;
    }
    hf_err err = f->config.sink.put(f->config.sink.ctx, out->cid, out->block);
    if (err) f->failed = "the store does not take it";
    else if (hf_walk_push(f->walk, out->cid)) f->failed = "no memory, or a DAG that is too wide";
    f->count.n_blocks++;
    f->count.n_bytes += out->block.len;
    hf_map_remove(&f->missing, cid_of(m));
    hf_release(f->mem, m, sizeof *m);
}

hf_fetch_kind hf_fetch_next(hf_fetch *f, uint64_t now_ms, hf_fetch_out *ret) {
    *ret = (hf_fetch_out){.kind = HF_FETCH_NONE};
    if (f->told) return HF_FETCH_NONE;
    f->stuck = NULL;
    bool look = f->again || (f->n_asked && f->due_ms <= now_ms);
    f->due_ms = UINT64_MAX;
    if (look) ask_again(f, now_ms);
    if (!f->failed) go_on(f, now_ms);
    hf_bitswap_flush(f->bitswap, now_ms);
    if (f->n_asked && f->due_ms > now_ms + SLOW_MS) f->due_ms = now_ms + SLOW_MS;
    if (f->failed) *ret = (hf_fetch_out){HF_FETCH_FAILED, {NULL, 0}, f->failed};
    else if (f->done) ret->kind = HF_FETCH_DONE;
    else if (f->stuck && !f->n_asked) *ret = (hf_fetch_out){HF_FETCH_STUCK, cid_of(f->stuck), "no peer has it"};
    else if (!f->n_asked && all_gone(f)) *ret = (hf_fetch_out){HF_FETCH_STUCK, {NULL, 0}, "all peers have gone"};
    f->told = ret->kind != HF_FETCH_NONE;
    return ret->kind;
}

uint64_t hf_fetch_deadline(const hf_fetch *f) { return f->told ? UINT64_MAX : f->due_ms; }

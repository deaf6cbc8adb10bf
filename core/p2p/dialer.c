/* dialer: see dialer.h. */
#include "dialer.h"

#include "../codec/multiaddr.h"

#include <string.h>

typedef enum state { WAITING, TRYING, CALLED_OFF, OVER } state; /* CALLED_OFF: the shell is to be told */

typedef struct attempt {
    uint8_t bytes[HF_BOOK_ADDRESS_BYTES_MAX];
    uint16_t len;
    uint8_t state;
    bool relayed, v6;
    uint64_t dial, conn, deadline_ms;
} attempt;

typedef struct task {
    struct task *next;
    hf_peer_id peer;
    attempt *attempts; /* HF_DIAL_ADDRESSES_MAX of them */
    size_t n_attempts, n_trying, n_wishes;
    uint64_t wishes[HF_DIAL_WISHES_MAX];
    uint64_t next_ms, deadline_ms;
    bool last_v6, done;
    const char *reason; /* of the last failure; when done: NULL on success */
} task;

struct hf_dialer {
    hf_mem *mem;
    hf_book *book;
    bool (*can)(void *ctx, hf_bytes address);
    void *ctx;
    task *first;
    size_t n_tasks, n_trying;
    uint64_t next_dial;
    uint64_t due_ms;
    bool dirty;
};

hf_dialer *hf_dialer_new(hf_mem *mem, hf_book *book, bool (*can)(void *ctx, hf_bytes address), void *ctx) {
    hf_dialer *d = hf_alloc(mem, sizeof *d);
    if (d) *d = (hf_dialer){.mem = mem, .book = book, .can = can, .ctx = ctx, .due_ms = UINT64_MAX};
    return d;
}

static void free_task(hf_dialer *d, task *t) {
    task **at = &d->first;
    while (*at != t) at = &(*at)->next;
    *at = t->next;
    d->n_tasks--;
    d->n_trying -= t->n_trying;
    hf_release(d->mem, t->attempts, HF_DIAL_ADDRESSES_MAX * sizeof *t->attempts);
    hf_release(d->mem, t, sizeof *t);
}

void hf_dialer_free(hf_dialer *d) {
    if (!d) return;
    while (d->first) free_task(d, d->first);
    hf_release(d->mem, d, sizeof *d);
}

static hf_bytes address_of(const attempt *a) { return HF_BYTES(a->bytes, a->len); }

static void due(hf_dialer *d, uint64_t at_ms) {
    if (at_ms < d->due_ms) d->due_ms = at_ms;
}

/* ---- wishes ---- */

/* Without the /p2p/PEER of the one we dial; false: the address is another peer's, or does not read. */
static bool read_address(const hf_peer_id *peer, hf_bytes *address, attempt *ret) {
    hf_multiaddr parts;
    if (hf_multiaddr_read(*address, &parts, NULL) || parts.n == 0) return false;
    const hf_multiaddr_part *last = &parts.parts[parts.n - 1];
    if (peer->len && last->code == HF_MA_P2P) {
        if (!hf_eq(last->value, hf_peer_id_bytes(peer))) return false;
        address->len = (size_t)(last->value.ptr - address->ptr) - 3; /* two bytes of code, one of length */
    }
    if (address->len == 0 || address->len > sizeof ret->bytes) return false;
    *ret = (attempt){.len = (uint16_t)address->len, .v6 = parts.parts[0].code == HF_MA_IP6 || parts.parts[0].code == HF_MA_DNS6};
    ret->relayed = hf_multiaddr_find(&parts, HF_MA_P2P_CIRCUIT) != NULL;
    memcpy(ret->bytes, address->ptr, address->len);
    return true;
}

static void add_address(hf_dialer *d, task *t, hf_bytes address) {
    attempt fresh;
    if (t->n_attempts == HF_DIAL_ADDRESSES_MAX || !read_address(&t->peer, &address, &fresh) || !d->can(d->ctx, address)) return;
    for (size_t i = 0; i < t->n_attempts; i++)
        if (hf_eq(address_of(&t->attempts[i]), address)) return;
    t->attempts[t->n_attempts++] = fresh;
}

static void add_known(hf_dialer *d, task *t, uint64_t now_ms) {
    hf_bytes address;
    for (size_t i = 0; t->peer.len && hf_book_address(d->book, now_ms, &t->peer, i, &address); i++)
        if (hf_book_rests_until(d->book, &t->peer, address) <= now_ms) add_address(d, t, address);
}

static task *task_of(const hf_dialer *d, const hf_peer_id *peer) {
    task *t = d->first;
    while (t && (t->done || !peer->len || !hf_peer_id_eq(&t->peer, peer))) t = t->next;
    return t;
}

static task *new_task(hf_dialer *d, const hf_peer_id *peer, uint64_t now_ms) {
    task *t = hf_alloc(d->mem, sizeof *t);
    if (!t) return NULL;
    t->attempts = hf_alloc(d->mem, HF_DIAL_ADDRESSES_MAX * sizeof *t->attempts);
    if (!t->attempts) {
        hf_release(d->mem, t, sizeof *t);
        return NULL;
    }
    t->peer = *peer;
    t->next_ms = t->deadline_ms = now_ms;
    t->reason = "no address of the peer is known that can be dialled";
    task **at = &d->first;
    while (*at) at = &(*at)->next; /* first come, first dialled */
    *at = t;
    d->n_tasks++;
    return t;
}

hf_err hf_dialer_wish(hf_dialer *d, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                      uint64_t context) {
    static const hf_peer_id nobody = {.len = 0};
    if (!peer) peer = &nobody;
    task *t = task_of(d, peer);
    if (t ? t->n_wishes == HF_DIAL_WISHES_MAX : d->n_tasks == HF_DIAL_TASKS_MAX) return HF_LIMIT;
    if (!t) t = new_task(d, peer, now_ms);
    if (!t) return HF_NOMEM;
    for (size_t i = 0; i < n_addrs; i++) add_address(d, t, addrs[i]);
    add_known(d, t, now_ms);
    t->wishes[t->n_wishes++] = context;
    uint64_t deadline = now_ms + (timeout_ms ? timeout_ms : HF_DIAL_TASK_MS);
    if (deadline > t->deadline_ms) t->deadline_ms = deadline;
    due(d, t->deadline_ms);
    d->dirty = true;
    return HF_OK;
}

/* ---- attempts ---- */

static void call_off(hf_dialer *d, task *t) {
    for (size_t i = 0; i < t->n_attempts; i++) {
        attempt *a = &t->attempts[i];
        if (a->state == TRYING) {
            a->state = CALLED_OFF;
            t->n_trying--;
            d->n_trying--;
        } else if (a->state == WAITING) a->state = OVER;
    }
    d->dirty = true;
}

static void finish(hf_dialer *d, task *t, const char *reason) {
    t->done = true;
    t->reason = reason;
    call_off(d, t);
}

void hf_dialer_forget(hf_dialer *d, uint64_t context) {
    for (task *t = d->first; t; t = t->next) {
        size_t n = 0;
        for (size_t i = 0; i < t->n_wishes; i++)
            if (t->wishes[i] != context) t->wishes[n++] = t->wishes[i];
        if (n == t->n_wishes) continue;
        t->n_wishes = n;
        if (n == 0 && !t->done) finish(d, t, "nobody wants it any more");
    }
}

static attempt *find_attempt(const hf_dialer *d, uint64_t dial, uint64_t conn, task **ret_task) {
    for (task *t = d->first; t; t = t->next)
        for (size_t i = 0; i < t->n_attempts; i++) {
            attempt *a = &t->attempts[i];
            if (a->state != TRYING || (dial && a->dial != dial) || (conn && a->conn != conn)) continue;
            *ret_task = t;
            return a;
        }
    return NULL;
}

static void over(hf_dialer *d, task *t, attempt *a) {
    a->state = OVER;
    t->n_trying--;
    d->n_trying--;
}

static void fail(hf_dialer *d, uint64_t now_ms, task *t, attempt *a, const char *reason) {
    over(d, t, a);
    t->reason = reason;
    t->next_ms = now_ms; /* the next one at once */
    if (t->peer.len) hf_book_dialled(d->book, now_ms, &t->peer, address_of(a), false);
    d->dirty = true;
}

bool hf_dialer_opened(hf_dialer *d, uint64_t dial, uint64_t conn, hf_peer_id *ret_expected) {
    task *t;
    attempt *a = dial ? find_attempt(d, dial, 0, &t) : NULL;
    if (!a || a->conn) return false;
    a->conn = conn;
    *ret_expected = t->peer;
    return true;
}

void hf_dialer_failed(hf_dialer *d, uint64_t now_ms, uint64_t dial, const char *reason) {
    task *t;
    attempt *a = dial ? find_attempt(d, dial, 0, &t) : NULL;
    if (a) fail(d, now_ms, t, a, reason);
}

void hf_dialer_conn_failed(hf_dialer *d, uint64_t now_ms, uint64_t conn, const char *reason) {
    task *t;
    attempt *a = conn ? find_attempt(d, 0, conn, &t) : NULL;
    if (a) fail(d, now_ms, t, a, reason);
}

void hf_dialer_up(hf_dialer *d, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer) {
    task *t;
    attempt *a = conn ? find_attempt(d, 0, conn, &t) : NULL;
    if (a) {
        over(d, t, a);
        hf_book_dialled(d->book, now_ms, peer, address_of(a), true);
        t->peer = *peer;
        finish(d, t, NULL);
    }
    t = task_of(d, peer);
    if (t) finish(d, t, NULL);
}

/* ---- what comes out ---- */

static attempt *choose(task *t) {
    attempt *best = NULL;
    for (size_t i = 0; i < t->n_attempts; i++) {
        attempt *a = &t->attempts[i];
        if (a->state != WAITING) continue;
        bool better = !best || (best->relayed && !a->relayed) || (best->relayed == a->relayed && best->v6 == t->last_v6 && a->v6 != t->last_v6);
        if (better) best = a;
    }
    return best;
}

static bool may_start(const hf_dialer *d, const task *t, uint64_t now_ms) {
    if (t->done || d->n_trying == HF_DIAL_AT_ONCE_MAX || t->n_trying == HF_DIAL_AT_ONCE_PEER_MAX) return false;
    return t->n_trying == 0 || t->next_ms <= now_ms;
}

static bool start(hf_dialer *d, task *t, uint64_t now_ms, hf_dialer_out *out) {
    attempt *a = may_start(d, t, now_ms) ? choose(t) : NULL;
    if (!a) return false;
    a->state = TRYING;
    a->dial = ++d->next_dial;
    a->deadline_ms = now_ms + HF_DIAL_ATTEMPT_MS;
    t->next_ms = now_ms + HF_DIAL_STAGGER_MS;
    t->last_v6 = a->v6;
    t->n_trying++;
    d->n_trying++;
    due(d, t->next_ms);
    *out = (hf_dialer_out){.kind = HF_DIALER_DIAL, .dial = a->dial, .peer = t->peer, .address = address_of(a)};
    return true;
}

static bool cancel(task *t, hf_dialer_out *out) {
    for (size_t i = 0; i < t->n_attempts; i++) {
        attempt *a = &t->attempts[i];
        if (a->state != CALLED_OFF) continue;
        a->state = OVER;
        *out = (hf_dialer_out){.kind = HF_DIALER_CANCEL, .dial = a->dial, .conn = a->conn, .peer = t->peer};
        return true;
    }
    return false;
}

static bool say_done(task *t, hf_dialer_out *out) {
    if (!t->done || !t->n_wishes) return false;
    *out = (hf_dialer_out){.kind = HF_DIALER_DONE, .peer = t->peer, .reason = t->reason, .context = t->wishes[0]};
    t->n_wishes--;
    memmove(t->wishes, t->wishes + 1, t->n_wishes * sizeof *t->wishes);
    return true;
}

static bool step(hf_dialer *d, task *t, uint64_t now_ms, hf_dialer_out *out) {
    if (cancel(t, out) || start(d, t, now_ms, out)) return true;
    if (!t->done && !t->n_trying && !choose(t)) finish(d, t, t->reason);
    return say_done(t, out);
}

hf_dialer_kind hf_dialer_next(hf_dialer *d, uint64_t now_ms, hf_dialer_out *ret_out) {
    for (task *t = d->dirty ? d->first : NULL, *next; t; t = next) {
        next = t->next;
        if (step(d, t, now_ms, ret_out)) return ret_out->kind;
        if (t->done) free_task(d, t);
    }
    d->dirty = false;
    if (!d->n_tasks) d->due_ms = UINT64_MAX;
    *ret_out = (hf_dialer_out){.kind = HF_DIALER_NONE};
    return HF_DIALER_NONE;
}

/* ---- time ---- */

uint64_t hf_dialer_deadline(const hf_dialer *d) { return d->due_ms; }

static void tick_task(hf_dialer *d, task *t, uint64_t now_ms) {
    if (t->done) return;
    for (size_t i = 0; i < t->n_attempts; i++) {
        attempt *a = &t->attempts[i];
        if (a->state == TRYING && a->deadline_ms <= now_ms) {
            fail(d, now_ms, t, a, "the address did not answer in time");
            a->state = CALLED_OFF;
        }
        if (a->state == TRYING) due(d, a->deadline_ms);
    }
    if (t->deadline_ms <= now_ms) return finish(d, t, "connecting took too long");
    due(d, t->deadline_ms);
    if (t->next_ms > now_ms) due(d, t->next_ms);
    d->dirty = true;
}

void hf_dialer_tick(hf_dialer *d, uint64_t now_ms) {
    if (now_ms < d->due_ms) return;
    d->due_ms = UINT64_MAX;
    for (task *t = d->first; t; t = t->next) tick_task(d, t, now_ms);
}

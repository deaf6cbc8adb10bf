/* bitswap_fetch: what we want. A want is open while some peer that was asked may still answer; it is decided by a block
 * that fits its CID, by the last such peer saying no or going away, or by time. */
#include "bitswap_private.h"

#include <string.h>

static hf_bytes cid_of(const hf_bitswap_want_t *w) { return HF_BYTES(w->cid, w->cid_len); }

/* ---- the list of open wants, ordered by the time of the last asking ---- */

static void leave_list(hf_bitswap *b, hf_bitswap_want_t *w) {
    if (w->prev) w->prev->next = w->next;
    else b->first = w->next;
    if (w->next) w->next->prev = w->prev;
    else b->last = w->prev;
    w->next = w->prev = NULL;
}

static void join_list(hf_bitswap *b, hf_bitswap_want_t *w) {
    w->prev = b->last;
    if (b->last) b->last->next = w;
    else b->first = w;
    b->last = w;
}

static void ask_free(hf_bitswap *b, hf_bitswap_ask *ask) {
    hf_bitswap_ask **at = &ask->want->asks;
    while (*at != ask) at = &(*at)->next_of_want;
    *at = ask->next_of_want;
    if (ask->prev) ask->prev->next = ask->next;
    else ask->peer->asks = ask->next;
    if (ask->next) ask->next->prev = ask->prev;
    hf_release(b->mem, ask, sizeof *ask);
}

/* Nobody waits for it any more; peers that were asked may still send it once. */
static void close_want(hf_bitswap *b, hf_bitswap_want_t *w) {
    while (w->asks) {
        w->asks->peer->n_stale += w->asks->sent;
        ask_free(b, w->asks);
    }
    leave_list(b, w);
    hf_map_remove(&b->wants, cid_of(w));
}

static void decide(hf_bitswap *b, hf_bitswap_want_t *w) {
    close_want(b, w);
    if (b->out_last) b->out_last->next = w;
    else b->out = w;
    b->out_last = w;
}

void hf_bitswap_want_free(hf_bitswap *b, hf_bitswap_want_t *w) {
    hf_release(b->mem, w->block, w->block_cap);
    hf_release(b->mem, w, sizeof *w);
}

/* ---- asking ---- */

static hf_bitswap_ask *ask_find(const hf_bitswap_want_t *w, const hf_bitswap_peer *peer) {
    for (hf_bitswap_ask *a = w ? w->asks : NULL; a; a = a->next_of_want)
        if (a->peer == peer) return a;
    return NULL;
}

static hf_bitswap_want_t *want_new(hf_bitswap *b, hf_bytes cid, uint64_t context) {
    hf_bitswap_want_t *w = hf_alloc(b->mem, sizeof *w);
    if (!w) return NULL;
    memcpy(w->cid, cid.ptr, cid.len);
    w->cid_len = cid.len;
    w->context = context;
    if (hf_map_put(&b->wants, cid_of(w), w)) {
        hf_release(b->mem, w, sizeof *w);
        return NULL;
    }
    join_list(b, w);
    return w;
}

hf_err hf_bitswap_want(hf_bitswap *b, uint64_t now_ms, const hf_peer_id *id, hf_bytes cid, uint64_t context) {
    if (!cid.len || cid.len > HF_CID_BYTES_MAX) return HF_MALFORMED;
    hf_bitswap_want_t *w = hf_map_get(&b->wants, cid);
    hf_bitswap_peer *peer = hf_bitswap_peer_of(b, id, true);
    if (!peer) return HF_NOMEM;
    if (ask_find(w, peer)) return HF_OK;
    if (!w && b->wants.n >= HF_BITSWAP_WANTS_MAX) return HF_LIMIT;
    hf_bitswap_ask *ask = hf_alloc(b->mem, sizeof *ask);
    if (ask && !w) w = want_new(b, cid, context);
    if (!ask || !w) {
        hf_release(b->mem, ask, sizeof *ask);
        return HF_NOMEM;
    }
    *ask = (hf_bitswap_ask){.want = w, .peer = peer, .next_of_want = w->asks, .next = peer->asks};
    if (peer->asks) peer->asks->prev = ask;
    w->asks = peer->asks = ask;
    peer->unsent = true;
    leave_list(b, w);
    join_list(b, w);
    w->asked_ms = w->first_ms = now_ms;
    hf_bitswap_due(b, now_ms + HF_BITSWAP_WANT_MS);
    return HF_OK;
}

/* One message with what this peer was not asked yet. The oldest wants first: they were put in front of the list last.
 * */
static hf_err send_asks(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer, bool *ret_more) {
    hf_bitswap_ask *last = peer->asks, *batch[HF_BITSWAP_WANTS_A_MESSAGE];
    while (last && last->next) last = last->next;
    size_t n = 0;
    *ret_more = false;
    for (hf_bitswap_ask *a = last; a; a = a->prev) {
        if (a->sent) continue;
        if ((*ret_more = n == HF_COUNT(batch))) break;
        hf_bitswap_write_want(&b->writer, cid_of(a->want), false);
        batch[n++] = a;
    }
    if (!n) return HF_OK;
    hf_err err = hf_bitswap_send(b, now_ms, peer, false);
    for (size_t i = 0; i < n && !err; i++) batch[i]->sent = true;
    return err;
}

static void flush_peer(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer) {
    bool more = true;
    hf_err err = HF_OK;
    while (more && !err) err = send_asks(b, now_ms, peer, &more);
    peer->unsent = err == HF_LIMIT || err == HF_NOMEM;
    peer->retry_ms = peer->unsent ? now_ms + HF_BITSWAP_RETRY_MS : 0;
    if (peer->unsent) hf_bitswap_due(b, peer->retry_ms);
    else if (err) hf_bitswap_peer_free(b, peer); /* not connected */
}

void hf_bitswap_flush(hf_bitswap *b, uint64_t now_ms) {
    for (hf_bitswap_peer *p = b->peers, *next; p; p = next) {
        next = p->next;
        if (p->unsent && p->retry_ms <= now_ms) flush_peer(b, now_ms, p);
    }
}

void hf_bitswap_cancel(hf_bitswap *b, uint64_t now_ms, hf_bytes cid) {
    hf_bitswap_want_t *w = hf_map_get(&b->wants, cid);
    if (!w) return;
    for (hf_bitswap_ask *a = w->asks; a; a = a->next_of_want) {
        if (!a->sent) continue;
        hf_bitswap_write_want(&b->writer, cid, true);
        (void)!hf_bitswap_send(b, now_ms, a->peer,
                               false); /* a courtesy: when it cannot be sent, the block comes and is dropped */
    }
    close_want(b, w);
    hf_bitswap_want_free(b, w);
}

/* ---- answers ---- */

void hf_bitswap_fetch_block(hf_bitswap *b, hf_bitswap_peer *peer, hf_bytes cid, hf_bytes block) {
    hf_bitswap_want_t *w = hf_map_get(&b->wants, cid);
    if (!w) {
        b->n_unasked++;
        if (peer->n_again) peer->n_again--, peer->n_twice++;
        else if (peer->n_stale) peer->n_stale--;
        else if (b->n_stale) b->n_stale--;
        else hf_bitswap_strike(b, peer, "bitswap: a block that nobody asked for");
        return;
    }
    hf_bitswap_ask *ask = ask_find(w, peer);
    w->block_cap = block.len ? block.len : 1;
    w->block = hf_alloc(b->mem, w->block_cap);
    if (!w->block) return; /* it will be asked for again when its time is over */
    memcpy(w->block, block.ptr, block.len);
    w->block_len = block.len;
    w->from = peer->id;
    if (ask) {
        if (ask->sent && peer->n_again < HF_BITSWAP_WANTS_MAX) peer->n_again++;
        if (peer->answered_ms < w->first_ms) peer->answered_ms = w->first_ms;
        ask_free(b, ask);
    }
    decide(b, w);
}

static void no_longer(hf_bitswap *b, hf_bitswap_ask *ask) {
    hf_bitswap_want_t *w = ask->want;
    if (!w->asks->next_of_want) w->from = ask->peer->id;
    ask_free(b, ask);
    if (!w->asks) decide(b, w);
}

/* It may get the block later and push it. */
void hf_bitswap_fetch_denied(hf_bitswap *b, hf_bitswap_peer *peer, hf_bytes cid) {
    hf_bitswap_ask *ask = ask_find(hf_map_get(&b->wants, cid), peer);
    if (!ask) return;
    peer->n_stale += ask->sent;
    no_longer(b, ask);
}

/* It may be back before it has noticed that it was gone, and then answer what was asked before. */
void hf_bitswap_fetch_peer_gone(hf_bitswap *b, hf_bitswap_peer *peer) {
    b->n_stale += peer->n_stale;
    peer->n_stale = 0;
    while (peer->asks) {
        b->n_stale += peer->asks->sent;
        no_longer(b, peer->asks);
    }
    if (b->n_stale > HF_BITSWAP_WANTS_MAX) b->n_stale = HF_BITSWAP_WANTS_MAX;
    peer->unsent = false;
}

/* Some peer that was asked is still sending what it was asked before. */
static bool in_turn(const hf_bitswap_want_t *w, uint64_t now_ms) {
    if (w->first_ms + HF_BITSWAP_WANT_MS_MAX <= now_ms) return false;
    for (const hf_bitswap_ask *a = w->asks; a; a = a->next_of_want)
        if (a->peer->progress_ms + HF_BITSWAP_WANT_MS > now_ms && a->peer->answered_ms <= w->first_ms) return true;
    return false;
}

void hf_bitswap_fetch_tick(hf_bitswap *b, uint64_t now_ms) {
    while (b->first && b->first->asked_ms + HF_BITSWAP_WANT_MS <= now_ms) {
        hf_bitswap_want_t *w = b->first;
        if (in_turn(w, now_ms)) {
            w->asked_ms = now_ms;
            leave_list(b, w);
            join_list(b, w);
            continue;
        }
        if (w->asks) w->from = w->asks->peer->id;
        decide(b, w);
    }
    if (b->first) hf_bitswap_due(b, b->first->asked_ms + HF_BITSWAP_WANT_MS);
    for (hf_bitswap_peer *p = b->peers; p; p = p->next)
        if (p->retry_ms && p->unsent) hf_bitswap_due(b, p->retry_ms);
    hf_bitswap_flush(b, now_ms);
}

/* bitswap_serve: what others want. A peer's wantlist is bounded, and so is what is on its way to it: a block is looked
 * up only when earlier answers have left our buffer, so that asking for much costs the asker's time and not our memory. */
#include "bitswap_private.h"

#include <string.h>

enum { SMALL_BLOCK = 1024 }; /* js answers the question whether we have a small block with the block */

void hf_bitswap_serve_clear(hf_bitswap *b, hf_bitswap_peer *peer) {
    hf_release(b->mem, peer->served, peer->served_cap * sizeof *peer->served);
    peer->served = NULL;
    peer->n_served = peer->served_cap = peer->n_waiting = peer->n_ready = 0;
}

static void remove_at(hf_bitswap_peer *peer, size_t i) {
    if (peer->served[i].waiting) peer->n_waiting--;
    else peer->n_ready--;
    peer->n_served--;
    memmove(peer->served + i, peer->served + i + 1, (peer->n_served - i) * sizeof *peer->served);
}

static size_t find(const hf_bitswap_peer *peer, hf_bytes cid) {
    size_t i = 0;
    while (i < peer->n_served && !hf_eq(HF_BYTES(peer->served[i].cid, peer->served[i].cid_len), cid)) i++;
    return i;
}

/* Room for one more: when the list is full, the oldest want that could not be answered goes. */
static bool make_room(hf_bitswap *b, hf_bitswap_peer *peer) {
    if (peer->n_served < HF_BITSWAP_WANTLIST_MAX) return true;
    for (size_t i = 0; i < peer->n_served && peer->n_waiting; i++)
        if (peer->served[i].waiting) {
            remove_at(peer, i);
            return true;
        }
    b->n_unserved++;
    return false;
}

void hf_bitswap_serve_item(hf_bitswap *b, hf_bitswap_peer *peer, const hf_bitswap_item *want) {
    size_t i = find(peer, want->cid);
    if (i < peer->n_served) remove_at(peer, i);
    if (want->cancel || !make_room(b, peer)) return;
    if (hf_grow(b->mem, (void **)&peer->served, &peer->served_cap, sizeof *peer->served, peer->n_served + 1)) return;
    hf_bitswap_served *s = &peer->served[peer->n_served++];
    *s = (hf_bitswap_served){
        .cid_len = (uint8_t)want->cid.len, .have_only = want->have_only, .dont_have = want->dont_have};
    memcpy(s->cid, want->cid.ptr, want->cid.len);
    peer->n_ready++;
}

/* Writes the answer to one want. */
static void answer(hf_bitswap *b, hf_bitswap_served *s) {
    hf_bytes cid = HF_BYTES(s->cid, s->cid_len), block;
    hf_cid parsed;
    bool here =
        !hf_cid_read(cid, &parsed) && !b->source.get(b->source.ctx, cid, &block) && block.len <= HF_BITSWAP_BLOCK_MAX;
    if (!here && s->dont_have) hf_bitswap_write_presence(&b->writer, cid, false);
    else if (here && s->have_only && block.len > SMALL_BLOCK) hf_bitswap_write_presence(&b->writer, cid, true);
    else if (here) hf_bitswap_write_block(&b->writer, &parsed, block);
    s->said = here ? HF_BITSWAP_SAID_ALL : HF_BITSWAP_SAID_NO;
}

/* One message with answers to what is ready. */
static void write_answers(hf_bitswap *b, hf_bitswap_peer *peer) {
    for (size_t i = 0; i < peer->n_served && b->writer.rest.len < HF_BITSWAP_SERVE_BYTES && !b->writer.rest.err; i++)
        if (!peer->served[i].waiting) answer(b, &peer->served[i]);
}

/* The message is on its way: what was answered for good leaves the list, what is not here waits. */
static void settle(hf_bitswap_peer *peer) {
    size_t n_kept = 0;
    for (size_t i = 0; i < peer->n_served; i++) {
        hf_bitswap_served s = peer->served[i];
        peer->n_ready -= s.said != HF_BITSWAP_SAID_NOTHING;
        if (s.said == HF_BITSWAP_SAID_ALL) continue;
        if (s.said == HF_BITSWAP_SAID_NO) {
            s.waiting = true;
            s.dont_have = false; /* told once */
            peer->n_waiting++;
        }
        s.said = HF_BITSWAP_SAID_NOTHING;
        peer->served[n_kept++] = s;
    }
    peer->n_served = n_kept;
}

static void look_again_later(hf_bitswap *b, uint64_t at_ms) {
    b->rescan = true;
    if (b->rescan_ms < at_ms) b->rescan_ms = at_ms;
    hf_bitswap_due(b, b->rescan_ms);
}

/* There was no memory, or no room for a stream: the peer counts on an answer, so it is tried again. */
static void unsay(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer) {
    for (size_t i = 0; i < peer->n_served; i++) peer->served[i].said = HF_BITSWAP_SAID_NOTHING;
    look_again_later(b, now_ms + HF_BITSWAP_RETRY_MS);
}

void hf_bitswap_serve(hf_bitswap *b, uint64_t now_ms, hf_bitswap_peer *peer) {
    while (!peer->abuse && peer->n_ready && !hf_bitswap_answers_wait(peer)) {
        write_answers(b, peer);
        bool silent = !b->writer.rest.len && !b->writer.rest.err; /* nothing is here, and no word was asked for */
        hf_err err = silent ? HF_OK : hf_bitswap_send(b, now_ms, peer, true);
        if (err == HF_NOMEM || err == HF_LIMIT) return unsay(b, now_ms, peer);
        settle(peer);
        if (err) return; /* not connected any more */
    }
    if (!peer->n_ready && !hf_bitswap_answers_wait(peer)) hf_bitswap_answers_end(b, now_ms, peer);
}

/* Looking all waiting wants up again is cheaper than an index over them: it is rare, and at most once a second. */
void hf_bitswap_have(hf_bitswap *b, uint64_t now_ms, hf_bytes cid) {
    (void)cid;
    bool waited_for = false;
    for (hf_bitswap_peer *p = b->peers; p && !waited_for; p = p->next) waited_for = p->n_waiting > 0;
    if (!waited_for || b->rescan) return;
    look_again_later(b, now_ms);
}

void hf_bitswap_serve_tick(hf_bitswap *b, uint64_t now_ms) {
    if (!b->rescan) return;
    if (b->rescan_ms > now_ms) return hf_bitswap_due(b, b->rescan_ms);
    b->rescan = false;
    b->rescan_ms = now_ms + HF_BITSWAP_RETRY_MS;
    for (hf_bitswap_peer *p = b->peers; p; p = p->next) {
        for (size_t i = 0; i < p->n_served; i++) p->served[i].waiting = false;
        p->n_ready = p->n_served;
        p->n_waiting = 0;
        hf_bitswap_serve(b, now_ms, p);
    }
}

/* bitswap: see bitswap.h. The face: life, events, what comes out, time. */
#include "bitswap_private.h"

static uint64_t peer_seed(const hf_swarm *swarm) {
    uint64_t seed = 0;
    hf_bytes id = hf_peer_id_bytes(hf_swarm_self(swarm));
    for (size_t i = 0; i < id.len; i++) seed = seed * 0x100000001b3u + id.ptr[i];
    return seed;
}

/* The seed of the map of wants need not be secret: its keys are digests that we chose to ask for, at most 4,096. */
hf_bitswap *hf_bitswap_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, hf_block_source source) {
    hf_bitswap *b = hf_alloc(mem, sizeof *b);
    if (!b) return NULL;
    *b = (hf_bitswap){.mem = mem, .swarm = swarm, .tag = tag, .source = source, .due_ms = UINT64_MAX};
    hf_map_init(&b->wants, mem, peer_seed(swarm));
    hf_map_init(&b->streams, mem, peer_seed(swarm));
    hf_bitswap_writer_init(&b->writer, mem);
    if (!hf_swarm_protocol(swarm, HF_TEXT(HF_BITSWAP_PROTOCOL), tag)) return b;
    hf_release(mem, b, sizeof *b);
    return NULL;
}

static void free_outputs(hf_bitswap *b) {
    while (b->out) {
        hf_bitswap_want_t *w = b->out;
        b->out = w->next;
        hf_bitswap_want_free(b, w);
    }
    b->out_last = NULL;
}

void hf_bitswap_peer_free(hf_bitswap *b, hf_bitswap_peer *peer) {
    hf_bitswap_fetch_peer_gone(b, peer);
    hf_bitswap_serve_clear(b, peer);
    for (hf_bitswap_stream *s = b->first_stream, *next; s; s = next) {
        next = s->next;
        if (s->peer == peer) hf_bitswap_stream_free(b, s);
    }
    hf_bitswap_peer **at = &b->peers;
    while (*at != peer) at = &(*at)->next;
    *at = peer->next;
    hf_release(b->mem, peer, sizeof *peer);
}

void hf_bitswap_free(hf_bitswap *b) {
    if (!b) return;
    while (b->peers) hf_bitswap_peer_free(b, b->peers);
    free_outputs(b);
    if (b->shown) hf_bitswap_want_free(b, b->shown);
    hf_map_deinit(&b->wants);
    hf_map_deinit(&b->streams);
    hf_bitswap_writer_deinit(&b->writer);
    hf_release(b->mem, b, sizeof *b);
}

hf_bitswap_peer *hf_bitswap_peer_of(hf_bitswap *b, const hf_peer_id *id, bool make) {
    hf_bitswap_peer **at = &b->peers;
    while (*at && !hf_peer_id_eq(&(*at)->id, id)) at = &(*at)->next;
    if (*at || !make) return *at;
    hf_bitswap_peer *peer = hf_alloc(b->mem, sizeof *peer);
    if (!peer) return NULL;
    peer->id = *id;
    return *at = peer;
}

void hf_bitswap_due(hf_bitswap *b, uint64_t at_ms) {
    if (at_ms < b->due_ms) b->due_ms = at_ms;
}

void hf_bitswap_strike(hf_bitswap *b, hf_bitswap_peer *peer, const char *reason) {
    if (peer->abuse || ++peer->strikes < HF_BITSWAP_STRIKES_MAX) return;
    peer->abuse = reason;
    peer->abuse_due = true;
    hf_bitswap_fetch_peer_gone(b, peer);
    hf_bitswap_serve_clear(b, peer);
}

void hf_bitswap_event(hf_bitswap *b, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind != HF_SWARM_CONN_DOWN) return hf_bitswap_stream_event(b, now_ms, e);
    hf_bitswap_peer *peer = e->last ? hf_bitswap_peer_of(b, &e->peer, false) : NULL;
    if (peer) hf_bitswap_peer_free(b, peer);
}

static hf_bitswap_kind show_abuse(hf_bitswap *b, hf_bitswap_out *out) {
    for (hf_bitswap_peer *p = b->peers; p; p = p->next) {
        if (!p->abuse_due) continue;
        p->abuse_due = false;
        out->peer = p->id;
        out->reason = p->abuse;
        return out->kind = HF_BITSWAP_ABUSE;
    }
    return HF_BITSWAP_NONE;
}

static hf_bitswap_kind show_want(hf_bitswap *b, hf_bitswap_out *out) {
    hf_bitswap_want_t *w = b->shown = b->out;
    if (!w) return HF_BITSWAP_NONE;
    b->out = w->next;
    if (!b->out) b->out_last = NULL;
    out->peer = w->from;
    out->cid = HF_BYTES(w->cid, w->cid_len);
    out->block = HF_BYTES(w->block, w->block_len);
    out->context = w->context;
    return out->kind = w->block ? HF_BITSWAP_BLOCK : HF_BITSWAP_FAILED;
}

hf_bitswap_kind hf_bitswap_next(hf_bitswap *b, hf_bitswap_out *ret_out) {
    if (b->shown) hf_bitswap_want_free(b, b->shown);
    b->shown = NULL;
    *ret_out = (hf_bitswap_out){.kind = HF_BITSWAP_NONE};
    return show_abuse(b, ret_out) ? ret_out->kind : show_want(b, ret_out);
}

static const hf_bitswap_peer *look_up(const hf_bitswap *b, const hf_peer_id *id) {
    const hf_bitswap_peer *p = b->peers;
    while (p && !hf_peer_id_eq(&p->id, id)) p = p->next;
    return p;
}

size_t hf_bitswap_n_twice(const hf_bitswap *b, const hf_peer_id *id) {
    const hf_bitswap_peer *p = look_up(b, id);
    return p ? p->n_twice : 0;
}

bool hf_bitswap_idle(const hf_bitswap *b, const hf_peer_id *id) {
    const hf_bitswap_peer *p = look_up(b, id);
    return !p || (!p->asks && !p->n_reading);
}

uint64_t hf_bitswap_deadline(const hf_bitswap *b) { return b->due_ms; }

void hf_bitswap_tick(hf_bitswap *b, uint64_t now_ms) {
    if (now_ms < b->due_ms) return;
    b->due_ms = UINT64_MAX;
    hf_bitswap_streams_tick(b, now_ms);
    hf_bitswap_fetch_tick(b, now_ms);
    hf_bitswap_serve_tick(b, now_ms);
}

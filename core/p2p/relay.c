/* relay: see relay.h. The face: life, events, what comes out, time. */
#include "relay_private.h"

static uint64_t peer_seed(const hf_swarm *swarm) {
    uint64_t seed = 0;
    hf_bytes id = hf_peer_id_bytes(hf_swarm_self(swarm));
    for (size_t i = 0; i < id.len; i++) seed = seed * 0x100000001b3u + id.ptr[i];
    return seed;
}

static void take_config(hf_relay *r, const hf_relay_config *config) {
    hf_relay_config *c = &r->config;
    *c = *config;
    if (!c->reservations_max) c->reservations_max = 128;
    if (!c->reservations_per_ip_max) c->reservations_per_ip_max = 8;
    if (!c->reservation_s) c->reservation_s = 3600;
    if (!c->circuits_max) c->circuits_max = 256;
    if (!c->circuits_per_peer_max) c->circuits_per_peer_max = 16;
    if (!c->duration_s) c->duration_s = 120;
    if (!c->bytes_max) c->bytes_max = 128 << 10;
    if (!c->held_bytes_max) c->held_bytes_max = 32 << 20;
}

/* The maps' keys are numbers that we or the swarm count: their seed need not be secret. */
hf_relay *hf_relay_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_relay_config *config) {
    hf_relay *r = hf_alloc(mem, sizeof *r);
    if (!r) return NULL;
    r->mem = mem;
    r->swarm = swarm;
    r->tag = tag;
    r->due_ms = UINT64_MAX;
    r->jitter = peer_seed(swarm);
    take_config(r, config);
    hf_map_init(&r->streams, mem, r->jitter);
    hf_map_init(&r->channels, mem, r->jitter);
    hf_err err = hf_swarm_protocol(swarm, HF_TEXT(HF_RELAY_STOP_PROTOCOL), tag + 1);
    if (!err && config->serve) err = hf_swarm_protocol(swarm, HF_TEXT(HF_RELAY_HOP_PROTOCOL), tag);
    if (!err) return r;
    hf_release(mem, r, sizeof *r);
    return NULL;
}

void hf_relay_free(hf_relay *r) {
    if (!r) return;
    while (r->first) {
        if (r->first->role == HF_RELAY_CHANNEL && r->first->conn) hf_swarm_conn_lost(r->swarm, 0, r->first->conn);
        hf_relay_stream_free(r, r->first);
    }
    for (size_t i = 0; i < HF_RELAY_HOLDS_MAX; i++) hf_buf_deinit(&r->holds[i].addrs);
    hf_relay_guests_free(r);
    hf_map_deinit(&r->streams);
    hf_map_deinit(&r->channels);
    hf_release(r->mem, r, sizeof *r);
}

void hf_relay_due(hf_relay *r, uint64_t at_ms) {
    if (at_ms < r->due_ms) r->due_ms = at_ms;
}

/* ---- events ---- */

static size_t count_inbound(const hf_relay *r, const hf_peer_id *peer) {
    size_t n = 0;
    for (const hf_relay_stream *s = r->first; s; s = s->next)
        if (s->inbound && s->role != HF_RELAY_CIRCUIT && s->role != HF_RELAY_CHANNEL && hf_peer_id_eq(&s->peer, peer)) n++;
    return n;
}

static void stream_in(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    bool stop = e->tag == r->tag + 1;
    bool room = count_inbound(r, &e->peer) < HF_RELAY_STREAMS_PER_PEER_MAX;
    hf_relay_stream *s = NULL;
    if (room) s = hf_relay_stream_new(r, e->stream, e->conn, &e->peer, stop ? HF_RELAY_CALLED : HF_RELAY_ASKED);
    if (!s) {
        hf_swarm_stream_reset(r->swarm, now_ms, e->stream);
        return;
    }
    s->inbound = true;
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_MESSAGE_MS);
    if (e->relayed) hf_relay_answer(r, now_ms, s, stop, HF_RELAY_FORBIDDEN); /* no hops over hops */
}

static void stream_event(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) {
        stream_in(r, now_ms, e);
        return;
    }
    hf_relay_stream *s = hf_map_get(&r->streams, hf_relay_key(&e->stream));
    if (!s) return;
    switch (e->kind) {
    case HF_SWARM_STREAM_DATA: hf_relay_stream_data(r, now_ms, s, e->bytes); break;
    case HF_SWARM_STREAM_FIN: hf_relay_stream_fin(r, now_ms, s); break;
    case HF_SWARM_STREAM_DRAINED: hf_relay_drained(r, now_ms, s); break;
    case HF_SWARM_STREAM_GONE: hf_relay_stream_gone(r, now_ms, s, e->reset, e->reason); break;
    default: break;
    }
}

static void conn_down(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    uint64_t conn;
    if (e->relayed || !hf_swarm_direct(r->swarm, &e->peer, &conn)) return;
    hf_relay_guests_leave(r, &e->peer);
    hf_relay_hold_conn(r, now_ms, e);
}

bool hf_relay_event(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_SEND:
    case HF_SWARM_CONN_CLOSE:
        if (!hf_relay_is_conn(e->conn)) return false;
        hf_relay_channel_out(r, now_ms, e);
        return true;
    case HF_SWARM_IDENTIFIED:
        if (!e->relayed) hf_relay_hold_conn(r, now_ms, e);
        return false;
    case HF_SWARM_CONN_DOWN: conn_down(r, now_ms, e); return false;
    case HF_SWARM_CONN_UP: return false;
    default: break;
    }
    if (e->tag != r->tag && e->tag != r->tag + 1) return false;
    stream_event(r, now_ms, e);
    return true;
}

/* ---- what comes out ---- */

hf_relay_kind hf_relay_next(hf_relay *r, hf_relay_out *ret_out) {
    *ret_out = (hf_relay_out){.kind = HF_RELAY_NONE};
    if (hf_relay_hold_news(r, ret_out)) return ret_out->kind;
    hf_relay_stream *s = r->news_first;
    if (!s) return HF_RELAY_NONE;
    r->news_first = s->next_news;
    if (!r->news_first) r->news_last = NULL;
    s->told = false;
    ret_out->kind = s->news;
    ret_out->via = s->peer;
    ret_out->peer = s->target;
    ret_out->conn = s->conn;
    ret_out->context = s->context;
    ret_out->inbound = s->inbound;
    ret_out->limit = s->limit;
    ret_out->status = s->status;
    ret_out->reason = s->reason;
    if (s->gone) hf_relay_stream_free(r, s);
    return ret_out->kind;
}

/* ---- time ---- */

uint64_t hf_relay_deadline(const hf_relay *r) { return r->due_ms; }

static void tick_streams(hf_relay *r, uint64_t now_ms) {
    for (hf_relay_stream *s = r->first; s; s = r->cursor) {
        r->cursor = s->next; /* moves on when that one is freed meanwhile */
        if (s->deadline_ms > now_ms) {
            hf_relay_due(r, s->deadline_ms);
            continue;
        }
        s->deadline_ms = UINT64_MAX;
        hf_relay_stream_late(r, now_ms, s);
    }
}

void hf_relay_tick(hf_relay *r, uint64_t now_ms) {
    if (now_ms < r->due_ms) return;
    r->due_ms = UINT64_MAX;
    tick_streams(r, now_ms);
    hf_relay_guests_tick(r, now_ms);
    hf_relay_holds_tick(r, now_ms);
}

/* ---- looking in ---- */

hf_relay_stats hf_relay_look(const hf_relay *r) {
    return (hf_relay_stats){r->n_guests, r->n_circuits, r->channels.n, r->n_relayed, r->n_held};
}

/* core_out: what comes out of the core, and time. */
#include "core_private.h"
#include "core_tags.h"

#include <string.h>

static void close_peer(hf_core *core, uint64_t now_ms, const hf_peer_id *peer, const char *reason) {
    for (size_t i = 0; i < core->n_conns; i++)
        if (hf_peer_id_eq(&core->conns[i].peer, peer)) hf_swarm_conn_close(core->swarm, now_ms, core->conns[i].conn, reason);
}

/* ---- what comes out ---- */

static hf_out_kind conn_up(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    if (hf_grow(core->mem, (void **)&core->conns, &core->conns_cap, sizeof *core->conns, core->n_conns + 1)) {
        hf_swarm_conn_close(core->swarm, now_ms, e->conn, "no memory for a connection");
        return HF_OUT_NONE;
    }
    core->conns[core->n_conns++] = (hf_core_conn){e->conn, e->peer};
    return HF_OUT_PEER_UP;
}

/* A peer with limited connections left is gone for all that does not run on those. */
static bool conn_down(hf_core *core, uint64_t now_ms, const hf_swarm_out *event) {
    hf_swarm_out e = *event;
    size_t n = 0;
    for (size_t i = core->n_conns; i-- > 0;) {
        if (core->conns[i].conn == e.conn) core->conns[i] = core->conns[--core->n_conns];
        else n += hf_peer_id_eq(&core->conns[i].peer, &e.peer);
    }
    e.last = n == 0;
    if (e.last) hf_bitswap_event(core->bitswap, now_ms, &e);
    hf_gossip_event(core->gossip, now_ms, &e);
    hf_sync_event(core->sync, now_ms, &e);
    return e.last;
}

static uint64_t conn_of(const hf_core *core, const hf_peer_id *peer) {
    for (size_t i = 0; i < core->n_conns; i++)
        if (hf_peer_id_eq(&core->conns[i].peer, peer)) return core->conns[i].conn;
    return 0;
}

static hf_out_kind from_gossip(hf_core *core, uint64_t now_ms, const hf_gossip_out *g, hf_out *out) {
    out->peer = g->other;
    out->bytes = g->record;
    out->conn = conn_of(core, &g->peer);
    if (g->kind == HF_GOSSIP_PEER) return core->config.dialling ? HF_OUT_NAMED : HF_OUT_NONE;
    if (g->kind == HF_GOSSIP_ABUSE) close_peer(core, now_ms, &g->peer, g->reason);
    else hf_sync_gossip_event(core->sync, now_ms, g);
    return HF_OUT_NONE;
}

static void dispatch(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->tag == TAG_BITSWAP) hf_bitswap_event(core->bitswap, now_ms, e);
    else if (e->tag == TAG_SIGNAL) hf_signal_event(core->signal, now_ms, e);
    else if (e->tag >= TAG_GOSSIP && e->tag < TAG_GOSSIP + HF_GOSSIP_TAGS) hf_gossip_event(core->gossip, now_ms, e);
    else if (hf_sync_owns_tag(core->sync, e->tag)) hf_sync_event(core->sync, now_ms, e);
}

/* One of the swarm's events: the shell's business is returned, the rest goes to whom it concerns. */
static hf_out_kind from_swarm(hf_core *core, uint64_t now_ms, const hf_swarm_out *e, hf_out *out) {
    out->last = e->last;
    out->reason = e->reason;
    out->identify = e->identify;
    bool of_conn = e->kind == HF_SWARM_CONN_UP || e->kind == HF_SWARM_IDENTIFIED || e->kind == HF_SWARM_CONN_DOWN;
    if (of_conn && e->limited) return HF_OUT_NONE; /* nothing of the core's runs there */
    switch (e->kind) {
    case HF_SWARM_CONN_UP: hf_gossip_event(core->gossip, now_ms, e); return conn_up(core, now_ms, e);
    case HF_SWARM_IDENTIFIED:
        hf_core_db_peer(core, now_ms, &e->peer);
        hf_gossip_event(core->gossip, now_ms, e);
        hf_signal_event(core->signal, now_ms, e);
        hf_sync_event(core->sync, now_ms, e);
        return HF_OUT_PEER_KNOWN;
    case HF_SWARM_CONN_DOWN: out->last = conn_down(core, now_ms, e); return HF_OUT_PEER_DOWN;
    default: dispatch(core, now_ms, e); return HF_OUT_NONE;
    }
}

static hf_out_kind from_host(hf_core *core, uint64_t now_ms, const hf_host_out *h, hf_out *out) {
    out->conn = h->conn;
    out->peer = h->peer;
    out->bytes = h->bytes;
    out->reason = h->reason;
    out->dial = h->dial;
    out->port = h->port;
    out->at_ms = h->at_ms;
    out->context = h->context;
    out->part = h->part;
    out->said = h->said;
    switch (h->kind) {
    case HF_HOST_SEND: return HF_OUT_SEND;
    case HF_HOST_CLOSE: return HF_OUT_CONN_CLOSE;
    case HF_HOST_DIAL: return HF_OUT_DIAL;
    case HF_HOST_DIAL_OFF: return HF_OUT_DIAL_OFF;
    case HF_HOST_CONNECTED: return HF_OUT_CONNECTED;
    case HF_HOST_EVENT: return from_swarm(core, now_ms, h->event, out);
    case HF_HOST_SAID: return HF_OUT_SAID;
    case HF_HOST_NONE: break;
    }
    return HF_OUT_NONE;
}

static hf_out_kind from_sync(hf_core *core, uint64_t now_ms, const hf_sync_out *s, hf_out *out) {
    hf_err err = HF_OK;
    out->peer = s->peer;
    out->database = (uint32_t)s->context;
    out->reason = s->reason;
    switch (s->kind) {
    case HF_SYNC_IDENTITY: {
        /* Known to one log now; the others may need it too, and it must outlive us. */
        uint8_t cid[HF_CID_LEN];
        hf_cid_from_digest(s->digest, cid);
        hf_arena_clear(&core->scratch);
        err = hf_core_store(core, 0, cid, s->block);
        break;
    }
    case HF_SYNC_ENTRY: err = hf_core_take_entry(core, now_ms, (uint32_t)s->context, s->entry, s->index); break;
    case HF_SYNC_REFUSED:
        hf_cid_from_digest(s->digest, out->cid);
        out->waits = s->err == HF_MISSING;
        return HF_OUT_REFUSED;
    case HF_SYNC_ABUSE: close_peer(core, now_ms, &s->peer, s->reason); break;
    case HF_SYNC_LEVEL: core->databases[s->context - 1]->n_unconfirmed = 0; return HF_OUT_LEVEL;
    case HF_SYNC_WORKED:
    case HF_SYNC_NONE: break;
    }
    /* Without memory for the store's copy the index is ahead of the store; the peer will be asked again after a restart. */
    if (err) close_peer(core, now_ms, &s->peer, "no memory for an entry");
    return HF_OUT_NONE;
}

static hf_out_kind from_signal(hf_core *core, uint64_t now_ms, const hf_signal_out *s, hf_out *out) {
    out->peer = s->peer;
    out->peers = s->peers;
    out->n_peers = s->n_peers;
    out->bytes = s->data;
    if (s->kind == HF_SIGNAL_PEERS) return HF_OUT_INTRODUCED;
    if (s->kind == HF_SIGNAL_RECEIVED) return HF_OUT_SIGNAL;
    close_peer(core, now_ms, &s->peer, s->reason);
    return HF_OUT_NONE;
}

static bool show_record(hf_core *core, hf_out *out) {
    hf_core_record *r = core->unsent;
    if (!r) return false;
    core->unsent = r->next;
    out->seq = r->seq;
    out->database = r->database;
    out->bytes = HF_BYTES(r->bytes, r->len);
    memcpy(out->cid, r->cid, HF_CID_LEN);
    return true;
}

static bool show_change(hf_core *core, hf_out *out) {
    for (size_t i = 0; i < core->n_databases; i++)
        if (core->databases[i] && !core->databases[i]->closed && core->databases[i]->changed) {
            core->databases[i]->changed = false;
            out->database = (uint32_t)i + 1;
            out->seq = core->seq;
            return true;
        }
    return false;
}

hf_out_kind hf_core_next(hf_core *core, uint64_t now_ms, hf_out *out) {
    for (;;) {
        hf_host_out host;
        hf_bitswap_out bitswap;
        hf_gossip_out gossip;
        hf_sync_out sync;
        hf_signal_out signal;
        memset(out, 0, sizeof *out);
        if (show_record(core, out)) return out->kind = HF_OUT_STORE;
        if (hf_host_next(core->host, now_ms, &host)) out->kind = from_host(core, now_ms, &host, out);
        else if (hf_bitswap_next(core->bitswap, &bitswap)) {
            if (bitswap.kind == HF_BITSWAP_ABUSE) close_peer(core, now_ms, &bitswap.peer, bitswap.reason);
            else { /* by CID: several may have asked for the same block, and bitswap keeps one context */
                hf_core_db_bitswap(core, now_ms, &bitswap);
                hf_sync_bitswap(core->sync, now_ms, &bitswap);
            }
        } else if (hf_gossip_next(core->gossip, &gossip)) out->kind = from_gossip(core, now_ms, &gossip, out);
        else if (hf_sync_next(core->sync, now_ms, &sync)) out->kind = from_sync(core, now_ms, &sync, out);
        else if (hf_signal_next(core->signal, &signal)) out->kind = from_signal(core, now_ms, &signal, out);
        else if (hf_core_relay_next(core, now_ms, out)) {
            if (!out->kind) continue;
        } else if (hf_core_db_show(core, out)) out->kind = HF_OUT_DATABASE;
        else if (show_change(core, out)) out->kind = HF_OUT_CHANGED;
        else return HF_OUT_NONE;
        if (out->kind) return out->kind;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t hf_core_deadline(const hf_core *core) {
    uint64_t at = earlier(earlier(hf_host_deadline(core->host), hf_core_relay_deadline(core)), earlier(hf_bitswap_deadline(core->bitswap), hf_gossip_deadline(core->gossip)));
    at = earlier(at, hf_signal_deadline(core->signal));
    return earlier(at, earlier(hf_sync_deadline(core->sync), hf_core_db_deadline(core)));
}

void hf_core_tick(hf_core *core, uint64_t now_ms) {
    hf_host_tick(core->host, now_ms);
    hf_bitswap_tick(core->bitswap, now_ms);
    hf_gossip_tick(core->gossip, now_ms);
    hf_sync_tick(core->sync, now_ms);
    hf_signal_tick(core->signal, now_ms);
    hf_core_db_tick(core, now_ms);
    hf_core_relay_tick(core, now_ms);
}


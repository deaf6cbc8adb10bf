/* gossip_peer: peers and their streams. */
#include "gossip_private.h"

#include "../codec/varint.h"

static const char *const protocols[] = {NULL, HF_GOSSIP_PROTOCOL_FLOOD, HF_GOSSIP_PROTOCOL_10, HF_GOSSIP_PROTOCOL_11, HF_GOSSIP_PROTOCOL_12};

/* ---- who is there ---- */

hf_gossip_peer *hf_gossip_peer_of(const hf_gossip *g, const hf_peer_id *id) { return hf_map_get(&g->peers, hf_peer_id_bytes(id)); }

static hf_bytes number_key(const hf_gossip_peer *peer) { return HF_BYTES(&peer->number, sizeof peer->number); }

hf_gossip_peer *hf_gossip_peer_numbered(const hf_gossip *g, uint64_t number) {
    return hf_map_get(&g->numbers, HF_BYTES(&number, sizeof number));
}

static void init_buffers(hf_gossip *g, hf_gossip_peer *peer) {
    hf_buf *bufs[] = {&peer->in, &peer->must_subscriptions, &peer->must_control, &peer->may, &peer->record};
    for (size_t i = 0; i < HF_COUNT(bufs); i++) hf_buf_init(bufs[i], g->mem);
    hf_map_init(&peer->members, g->mem, g->map_seed);
}

static hf_gossip_peer *peer_new(hf_gossip *g, const hf_peer_id *id) {
    hf_gossip_peer *peer = hf_alloc(g->mem, sizeof *peer);
    if (!peer) return NULL;
    peer->id = *id;
    peer->number = ++g->next_number;
    peer->credit = (double)g->config.messages_a_second * HF_GOSSIP_BURST_S;
    init_buffers(g, peer);
    if (hf_map_put(&g->peers, hf_peer_id_bytes(&peer->id), peer) || hf_map_put(&g->numbers, number_key(peer), peer)) {
        hf_map_remove(&g->peers, hf_peer_id_bytes(&peer->id));
        hf_release(g->mem, peer, sizeof *peer);
        return NULL;
    }
    peer->next = g->first_peer;
    if (peer->next) peer->next->prev = peer;
    g->first_peer = peer;
    g->n_retained++; /* until it is connected */
    return peer;
}

static hf_gossip_peer *peer_connected(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *e, bool outbound) {
    hf_gossip_peer *peer = hf_gossip_peer_of(g, &e->peer);
    if (!peer) peer = peer_new(g, &e->peer);
    if (!peer || peer->connected) return peer;
    peer->connected = true;
    peer->outbound = outbound;
    peer->abuse = NULL;
    peer->abuse_due = false;
    g->n_retained--;
    g->n_peers++;
    hf_gossip_ip_enter(g, peer, hf_swarm_conn_remote(g->swarm, e->conn));
    hf_gossip_wake(g, now_ms);
    return peer;
}

/* ---- what waits to be sent ---- */

static size_t send_len(const hf_gossip_send *s) { return (s->kept ? s->kept->frame_len : s->bytes.len) + sizeof *s; }

static void send_free(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_send *s) {
    peer->queue_bytes -= send_len(s);
    peer->worth_bytes[s->worth] -= send_len(s);
    if (s->kept) hf_gossip_kept_release(g, s->kept);
    hf_buf_deinit(&s->bytes);
    hf_release(g->mem, s, sizeof *s);
}

static void clear_queue(hf_gossip *g, hf_gossip_peer *peer) {
    for (hf_gossip_send *s; (s = peer->first);) {
        peer->first = s->next;
        send_free(g, peer, s);
    }
    peer->last = NULL;
    peer->sent = 0;
}

/* Drops what is of this worth, oldest first, until `len` more fit. What is half sent stays. */
static void evict(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_worth worth, size_t len) {
    if (!peer->worth_bytes[worth]) return;
    hf_gossip_send *before = NULL;
    for (hf_gossip_send *s = peer->first, *next; s && peer->queue_bytes + len > g->config.queue_bytes_max; s = next) {
        next = s->next;
        if (s->worth != worth || (s == peer->first && peer->sent)) {
            before = s;
            continue;
        }
        if (before) before->next = next;
        else peer->first = next;
        if (!next) peer->last = before;
        if (worth != HF_GOSSIP_MAY) peer->n_dropped++;
        g->stats.n_dropped++;
        send_free(g, peer, s);
    }
}

static bool fits(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_worth worth, size_t len) {
    size_t max = worth == HF_GOSSIP_MAY ? g->config.queue_bytes_max / 2 : g->config.queue_bytes_max;
    for (int less = HF_GOSSIP_MAY; less > (int)worth && peer->queue_bytes + len > max; less--)
        evict(g, peer, (hf_gossip_worth)less, len);
    return peer->queue_bytes + len <= max;
}

static void append(hf_gossip_peer *peer, hf_gossip_send *s) {
    peer->queue_bytes += send_len(s);
    peer->worth_bytes[s->worth] += send_len(s);
    if (peer->last) peer->last->next = s;
    else peer->first = s;
    peer->last = s;
}

bool hf_gossip_send_kept(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_kept *kept, hf_gossip_worth worth) {
    if (!hf_gossip_sendable(peer)) return false;
    bool room = fits(g, peer, worth, kept->frame_len + sizeof(hf_gossip_send));
    hf_gossip_send *s = room ? hf_alloc(g->mem, sizeof *s) : NULL;
    if (!s) {
        peer->n_dropped++;
        g->stats.n_dropped++;
        return false;
    }
    *s = (hf_gossip_send){.worth = worth, .kept = kept};
    kept->refs++;
    append(peer, s);
    hf_gossip_dirty(g, peer);
    return true;
}

void hf_gossip_dirty(hf_gossip *g, hf_gossip_peer *peer) {
    if (peer->dirty) return;
    peer->dirty = true;
    peer->next_dirty = g->dirty;
    g->dirty = peer;
}

/* ---- our stream ---- */

static void stream_lost(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    bool lasted = peer->out_ready && now_ms - peer->opened_ms > HF_GOSSIP_REOPEN_MS_MAX;
    uint32_t wait = peer->reopen_wait_ms && !lasted ? peer->reopen_wait_ms * 2 : HF_GOSSIP_REOPEN_MS;
    peer->reopen_wait_ms = wait < HF_GOSSIP_REOPEN_MS_MAX ? wait : HF_GOSSIP_REOPEN_MS_MAX;
    peer->reopen_ms = now_ms + peer->reopen_wait_ms;
    peer->out_stream = 0;
    peer->out_ready = false;
    peer->version = 0;
    clear_queue(g, peer);
    for (hf_gossip_member *m = peer->first_member; m; m = m->next_of_peer) hf_gossip_member_leave(m);
}

static void reset_stream(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    uint64_t stream = peer->out_stream;
    stream_lost(g, now_ms, peer);
    if (stream) hf_swarm_stream_reset(g->swarm, now_ms, stream);
}

static uint8_t best_version(const hf_gossip *g, const hf_gossip_peer *peer) {
    for (uint8_t v = g->config.flood_only ? HF_GOSSIP_FLOOD : HF_GOSSIP_V12; v >= HF_GOSSIP_FLOOD; v--)
        if (hf_swarm_peer_speaks(g->swarm, &peer->id, hf_str(protocols[v]))) return v;
    return peer->heard_version;
}

static void flush_peer(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer);

/* In several RPCs when there are many. */
static void tell_subscriptions(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    for (const hf_gossip_topic *t = g->first_topic; t && peer->out_stream; t = t->next) {
        if (!t->subscribed) continue;
        hf_gossip_add_subscription(&peer->must_subscriptions, hf_gossip_topic_name(t), true);
        if (peer->must_subscriptions.len > HF_GOSSIP_PART_MAX) flush_peer(g, now_ms, peer);
    }
}

static void open_stream(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    uint8_t version = best_version(g, peer);
    if (peer->out_stream || !version) return;
    uint64_t stream;
    if (hf_swarm_stream_open(g->swarm, now_ms, &peer->id, hf_str(protocols[version]), g->tag + version - 1u, &stream))
        return stream_lost(g, now_ms, peer);
    peer->out_stream = stream;
    peer->version = version;
    peer->opened_ms = now_ms;
    peer->reopen_ms = 0;
    hf_gossip_dirty(g, peer);
    tell_subscriptions(g, now_ms, peer);
}

void hf_gossip_streams_tick(hf_gossip *g, uint64_t now_ms) {
    for (hf_gossip_peer *peer = g->first_peer; peer; peer = peer->next)
        if (peer->connected && peer->reopen_ms && peer->reopen_ms <= now_ms) open_stream(g, now_ms, peer);
}

/* HF_OK: it is queued or, if it may, dropped. */
static hf_err queue_rpc(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_worth worth, hf_bytes subscriptions, hf_bytes control) {
    hf_gossip_send *s = hf_alloc(g->mem, sizeof *s);
    if (!s) return HF_NOMEM;
    *s = (hf_gossip_send){.worth = worth};
    hf_buf_init(&s->bytes, g->mem);
    hf_buf_clear(&g->scratch);
    hf_buf_add(&g->scratch, subscriptions);
    if (control.len) hf_gossip_add_control(&g->scratch, control);
    hf_varint_add(&s->bytes, g->scratch.len);
    hf_buf_add(&s->bytes, hf_buf_bytes(&g->scratch));
    hf_err err = g->scratch.err || s->bytes.err ? HF_NOMEM : HF_OK;
    if (!err && fits(g, peer, worth, send_len(s))) {
        append(peer, s);
        return HF_OK;
    }
    hf_buf_deinit(&s->bytes);
    hf_release(g->mem, s, sizeof *s);
    return err ? err : worth == HF_GOSSIP_MUST ? HF_LIMIT : HF_OK;
}

/* What gathered becomes an RPC of what must arrive and one of gossip. */
static hf_err gather(hf_gossip *g, hf_gossip_peer *peer) {
    hf_buf *subscriptions = &peer->must_subscriptions, *control = &peer->must_control, *may = &peer->may;
    hf_err err = subscriptions->err ? subscriptions->err : control->err;
    if (!err && (subscriptions->len || control->len))
        err = queue_rpc(g, peer, HF_GOSSIP_MUST, hf_buf_bytes(subscriptions), hf_buf_bytes(control));
    if (!err && !may->err && may->len) (void)!queue_rpc(g, peer, HF_GOSSIP_MAY, (hf_bytes){0}, hf_buf_bytes(may));
    return err;
}

static hf_err write_queue(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    for (hf_gossip_send *s; (s = peer->first);) {
        hf_bytes frame = s->kept ? HF_BYTES(s->kept->frame, s->kept->frame_len) : hf_buf_bytes(&s->bytes);
        hf_bytes chunk = hf_sub(frame, peer->sent, HF_GOSSIP_CHUNK);
        hf_err err = hf_swarm_stream_write(g->swarm, now_ms, peer->out_stream, chunk);
        if (err == HF_LIMIT) return HF_OK;
        if (err) return err;
        peer->sent += chunk.len;
        if (peer->sent < frame.len) continue;
        peer->sent = 0;
        peer->first = s->next;
        if (!peer->first) peer->last = NULL;
        send_free(g, peer, s);
    }
    return HF_OK;
}

static void flush_peer(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    hf_buf *bufs[] = {&peer->must_subscriptions, &peer->must_control, &peer->may};
    hf_err err = hf_gossip_sendable(peer) ? gather(g, peer) : HF_OK;
    for (size_t i = 0; i < HF_COUNT(bufs); i++) {
        if (bufs[i]->cap > 4096) hf_buf_deinit(bufs[i]), hf_buf_init(bufs[i], g->mem);
        hf_buf_clear(bufs[i]);
    }
    if (!err && hf_gossip_sendable(peer)) err = write_queue(g, now_ms, peer);
    if (err) reset_stream(g, now_ms, peer); /* what it must know is lost: it will be told anew */
}

void hf_gossip_flush(hf_gossip *g, uint64_t now_ms) {
    for (hf_gossip_peer *peer; (peer = g->dirty);) {
        g->dirty = peer->next_dirty;
        peer->dirty = false;
        flush_peer(g, now_ms, peer);
    }
}

/* ---- the peer's stream ---- */

static void refuse(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const char *reason) {
    hf_swarm_stream_reset(g->swarm, now_ms, peer->in_stream);
    peer->in_stream = 0;
    hf_gossip_penalty(g, peer, 1);
    hf_gossip_abuse(g, peer, reason);
}

/* Takes the whole RPCs off the front; *ret_at: how far. HF_TRUNCATED: one is not whole yet. */
static hf_err take_rpcs(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes bytes, size_t *ret_at) {
    size_t at = 0, head;
    hf_err err = HF_OK;
    for (uint64_t len; at < bytes.len && peer->in_stream; at += head + (size_t)len) {
        hf_bytes rest = hf_sub(bytes, at, bytes.len);
        err = hf_varint_read(rest, &len, &head);
        if (!err && len > g->config.rpc_bytes_max) err = HF_LIMIT;
        if (!err && rest.len - head < len) err = HF_TRUNCATED;
        if (!err && (err = hf_gossip_check(hf_sub(rest, head, (size_t)len)))) err = HF_MALFORMED;
        if (err) break;
        hf_gossip_rpc(g, now_ms, peer, hf_sub(rest, head, (size_t)len));
    }
    *ret_at = at;
    return err;
}

/* What came is looked at where it lies, unless something waits for its rest. */
static void take_bytes(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes bytes) {
    bool waits = peer->in.len > 0;
    size_t at = 0;
    if (waits) hf_buf_add(&peer->in, bytes);
    hf_err err = peer->in.err;
    if (waits) bytes = hf_buf_bytes(&peer->in);
    if (!err) hf_gossip_look_ahead(g, peer, bytes);
    if (!err) err = take_rpcs(g, now_ms, peer, bytes, &at);
    if (!err || err == HF_TRUNCATED) {
        if (waits) hf_buf_consume(&peer->in, at);
        else hf_buf_add(&peer->in, hf_sub(bytes, at, bytes.len));
        if (peer->in.err) err = HF_NOMEM;
    }
    if (err && err != HF_TRUNCATED && peer->in_stream) {
        if (err == HF_NOMEM) hf_swarm_stream_reset(g->swarm, now_ms, peer->in_stream), peer->in_stream = 0;
        else refuse(g, now_ms, peer, err == HF_LIMIT ? "gossip: an RPC that is too long" : "gossip: not an RPC");
    }
    if (!peer->in.len || !peer->in_stream) {
        hf_buf_deinit(&peer->in);
        hf_buf_init(&peer->in, g->mem);
    }
}

/* The newest is the one that counts, as in js. */
static void stream_in(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *e) {
    hf_gossip_peer *peer = peer_connected(g, now_ms, e, false);
    if (!peer) return hf_swarm_stream_reset(g->swarm, now_ms, e->stream);
    uint64_t old = peer->in_stream;
    peer->in_stream = e->stream;
    peer->heard_version = (uint8_t)(e->tag - g->tag + 1);
    hf_buf_deinit(&peer->in);
    hf_buf_init(&peer->in, g->mem);
    if (old) hf_swarm_stream_reset(g->swarm, now_ms, old);
    if (!peer->reopen_ms) open_stream(g, now_ms, peer);
}

static void inbound_event(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(g->swarm, now_ms, e->stream);
    if (e->stream != peer->in_stream) return;
    if (e->kind == HF_SWARM_STREAM_DATA) take_bytes(g, now_ms, peer, e->bytes);
    if (e->kind != HF_SWARM_STREAM_FIN && e->kind != HF_SWARM_STREAM_GONE) return;
    peer->in_stream = 0;
    hf_buf_deinit(&peer->in);
    hf_buf_init(&peer->in, g->mem);
}

static void outbound_event(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_swarm_out *e) {
    if (e->stream != peer->out_stream) return;
    if (e->kind == HF_SWARM_STREAM_OPEN) peer->out_ready = true;
    if (e->kind == HF_SWARM_STREAM_DRAINED) hf_gossip_dirty(g, peer);
    if (e->kind == HF_SWARM_STREAM_GONE) stream_lost(g, now_ms, peer);
}

static void stream_event(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->tag < g->tag || e->tag >= g->tag + HF_GOSSIP_TAGS) return;
    if (e->kind == HF_SWARM_STREAM_OPEN && e->inbound) return stream_in(g, now_ms, e);
    hf_gossip_peer *peer = hf_gossip_peer_of(g, &e->peer);
    if (!peer) return;
    if (e->inbound) inbound_event(g, now_ms, peer, e);
    else outbound_event(g, now_ms, peer, e);
}

/* ---- its end ---- */

void hf_gossip_peer_free(hf_gossip *g, hf_gossip_peer *peer) {
    clear_queue(g, peer);
    hf_gossip_ip_leave(g, peer);
    for (hf_gossip_member *m; (m = peer->first_member);) {
        hf_gossip_topic *topic = m->topic;
        hf_gossip_member_free(g, m);
        hf_gossip_topic_settle(g, topic);
    }
    hf_gossip_peer **dirty = &g->dirty;
    while (peer->dirty && *dirty != peer) dirty = &(*dirty)->next_dirty;
    if (peer->dirty) *dirty = peer->next_dirty;
    if (peer->prev) peer->prev->next = peer->next;
    else g->first_peer = peer->next;
    if (peer->next) peer->next->prev = peer->prev;
    if (peer->connected) g->n_peers--;
    else g->n_retained--;
    hf_map_remove(&g->peers, hf_peer_id_bytes(&peer->id));
    hf_map_remove(&g->numbers, number_key(peer));
    hf_buf *bufs[] = {&peer->in, &peer->must_subscriptions, &peer->must_control, &peer->may, &peer->record};
    for (size_t i = 0; i < HF_COUNT(bufs); i++) hf_buf_deinit(bufs[i]);
    hf_map_deinit(&peer->members);
    hf_release(g->mem, peer->promises, HF_GOSSIP_PROMISES_MAX * sizeof *peer->promises);
    hf_release(g->mem, peer->unwanted, HF_GOSSIP_IDONTWANT_SLOTS * sizeof *peer->unwanted);
    hf_release(g->mem, peer, sizeof *peer);
}

static void retain(hf_gossip *g, hf_gossip_peer *peer, uint64_t until_ms) {
    peer->forget_ms = until_ms;
    peer->connected = false;
    g->n_peers--;
    g->n_retained++;
    if (g->n_retained <= g->config.retained_max) return;
    hf_gossip_peer *soonest = peer;
    for (hf_gossip_peer *p = g->first_peer; p; p = p->next)
        if (!p->connected && p->forget_ms < soonest->forget_ms) soonest = p;
    hf_gossip_peer_free(g, soonest);
}

/* A bad score and what we must not forget (backoffs) stay for a while; a good one goes. */
static void peer_gone(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    clear_queue(g, peer);
    hf_gossip_ip_leave(g, peer);
    peer->app = 0;
    uint64_t until = 0;
    for (hf_gossip_member *m = peer->first_member, *next; m; m = next) {
        next = m->next_of_peer;
        hf_gossip_score_pruned(g, m);
        hf_gossip_member_leave(m);
        if (m->wants) m->topic->n_wants--;
        m->wants = m->fanout = false;
        m->first = m->deliveries = 0;
        if (m->backoff_ms > until) until = m->backoff_ms;
        hf_gossip_member_settle(g, now_ms, m);
    }
    peer->score_old = true;
    if (hf_gossip_score_of(g, peer) < 0) until = now_ms + g->config.score.retain_ms;
    if (until <= now_ms) return hf_gossip_peer_free(g, peer);
    peer->in_stream = peer->out_stream = peer->reopen_ms = 0;
    peer->version = peer->heard_version = 0;
    peer->out_ready = false;
    peer->reopen_wait_ms = 0;
    peer->n_promises = 0;
    hf_buf_clear(&peer->record);
    hf_buf_deinit(&peer->in);
    hf_buf_init(&peer->in, g->mem);
    retain(g, peer, until);
}

/* Its own record, to give away when we prune; without memory there is none. */
static void remember(hf_gossip_peer *peer, hf_bytes record) {
    hf_buf_clear(&peer->record);
    hf_buf_add(&peer->record, record);
    if (peer->record.err) hf_buf_clear(&peer->record);
}

void hf_gossip_peer_event(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *e) {
    hf_gossip_peer *peer;
    switch (e->kind) {
    case HF_SWARM_CONN_UP: (void)peer_connected(g, now_ms, e, !e->inbound); break;
    case HF_SWARM_IDENTIFIED:
        peer = peer_connected(g, now_ms, e, !e->inbound);
        if (peer && g->config.px) remember(peer, e->identify->record);
        if (peer && !peer->reopen_ms) open_stream(g, now_ms, peer);
        break;
    case HF_SWARM_CONN_DOWN:
        peer = hf_gossip_peer_of(g, &e->peer);
        if (e->last && peer && peer->connected) peer_gone(g, now_ms, peer);
        break;
    default: stream_event(g, now_ms, e);
    }
}

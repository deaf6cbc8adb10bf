/* swarm_link: one connection of the swarm: upgrade, muxer, keep-alive, its end. See swarm_private.h. */
#include "swarm_private.h"

#include "../crypto/crypto.h"

#include <string.h>

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* ---- life ---- */

static hf_bytes number_key(const hf_link *link) { return HF_BYTES(&link->number, sizeof link->number); }

hf_link *hf_link_find(const hf_swarm *swarm, uint64_t number) { return hf_map_get(&swarm->links, HF_BYTES(&number, sizeof number)); }

static void enlist(hf_link *link) {
    hf_swarm *swarm = link->swarm;
    link->prev = swarm->last;
    if (swarm->last)
        swarm->last->next = link;
    else
        swarm->first = link;
    swarm->last = link;
}

/* What runs below: a byte channel, or data channels, which are a muxer from the beginning. */
static hf_err start_conn(hf_link *link, uint64_t now_ms, bool dialer, const hf_peer_id *expected, const hf_channels_open *channels) {
    hf_swarm *swarm = link->swarm;
    uint8_t ephemeral[32];
    swarm->config.random(swarm->config.random_ctx, ephemeral, sizeof ephemeral);
    if (channels) return hf_link_start_channels(link, now_ms, channels, ephemeral);
    return hf_conn_init(&link->conn, swarm->mem, &swarm->keys, dialer, expected, ephemeral);
}

hf_err hf_link_new(hf_swarm *swarm, uint64_t now_ms, uint64_t number, bool dialer, const hf_peer_id *expected, hf_bytes remote,
                   const hf_channels_open *channels, hf_link **ret) {
    hf_link *link = hf_alloc(swarm->mem, sizeof *link);
    if (!link) return HF_NOMEM;
    link->swarm = swarm;
    link->number = number;
    link->recv_ms = now_ms;
    link->handshake_deadline_ms = now_ms + swarm->config.handshake_ms;
    link->stream_deadline_ms = UINT64_MAX;
    link->ping_rtt_ms = UINT32_MAX;
    hf_arena_init(&link->identify_arena, swarm->mem);
    if (remote.len <= sizeof link->remote) { /* a longer one is not told back */
        if (remote.len) memcpy(link->remote, remote.ptr, remote.len);
        link->remote_len = (uint16_t)remote.len;
    }
    enlist(link);
    hf_err err = start_conn(link, now_ms, dialer, expected, channels);
    if (!err) err = hf_map_put(&swarm->links, number_key(link), link);
    if (err)
        hf_link_free(link);
    else
        *ret = link;
    return err;
}

static void unlist(hf_link *link) {
    hf_swarm *swarm = link->swarm;
    if (hf_map_get(&swarm->links, number_key(link)) == link) hf_map_remove(&swarm->links, number_key(link));
    if (link->prev)
        link->prev->next = link->next;
    else
        swarm->first = link->next;
    if (link->next)
        link->next->prev = link->prev;
    else
        swarm->last = link->prev;
}

void hf_link_free(hf_link *link) {
    unlist(link);
    while (link->first) {
        hf_stream *s = link->first;
        s->role = HF_ROLE_UNKNOWN; /* nobody is told any more */
        hf_stream_gone(s, true, NULL);
    }
    if (link->mux.self) link->mux.table->free(link->mux.self);
    hf_conn_deinit(&link->conn);
    hf_arena_deinit(&link->identify_arena);
    hf_release(link->swarm->mem, link, sizeof *link);
}

/* ---- peers ---- */

static hf_peer *new_peer(hf_swarm *swarm, const hf_peer_id *id) {
    hf_peer *peer = hf_alloc(swarm->mem, sizeof *peer);
    if (!peer) return NULL;
    peer->id = *id;
    if (hf_map_put(&swarm->peers, hf_peer_id_bytes(&peer->id), peer)) {
        hf_release(swarm->mem, peer, sizeof *peer);
        return NULL;
    }
    peer->prev = swarm->last_peer;
    if (swarm->last_peer)
        swarm->last_peer->next = peer;
    else
        swarm->first_peer = peer;
    swarm->last_peer = peer;
    return peer;
}

static void free_peer(hf_swarm *swarm, hf_peer *peer) {
    hf_map_remove(&swarm->peers, hf_peer_id_bytes(&peer->id));
    if (peer->prev)
        peer->prev->next = peer->next;
    else
        swarm->first_peer = peer->next;
    if (peer->next)
        peer->next->prev = peer->prev;
    else
        swarm->last_peer = peer->prev;
    hf_release(swarm->mem, peer, sizeof *peer);
}

static size_t count_links(const hf_peer *peer) {
    size_t n = 0;
    for (const hf_link *i = peer->links; i; i = i->next_of_peer) n++;
    return n;
}

/* True: there is a place among the peer's connections. A relayed one makes room for a direct one (and with it the
 * peer may be freed). */
static bool has_room(const hf_link *link, const hf_peer *peer) {
    if (!peer || count_links(peer) < link->swarm->config.conns_per_peer_max) return true;
    for (hf_link *i = link->relayed ? NULL : peer->links; i; i = i->next_of_peer) {
        if (!i->relayed) continue;
        hf_link_fail(i, "a direct connection takes its place", HF_YAMUX_NORMAL);
        return true;
    }
    return false;
}

static void leave_peer(hf_link *link) {
    hf_peer *peer = link->peer;
    hf_link **at = &peer->links;
    while (*at != link) at = &(*at)->next_of_peer;
    *at = link->next_of_peer;
    link->peer = NULL;
    link->last_of_peer = peer->links == NULL;
    if (link->last_of_peer) free_peer(link->swarm, peer);
}

static void join_peer(hf_link *link, hf_peer *peer) {
    hf_link **at = &peer->links;
    while (*at) at = &(*at)->next_of_peer; /* oldest first */
    *at = link;
    link->peer = peer;
}

/* ---- up ---- */

static hf_err open_muxer(hf_link *link, uint64_t now_ms) {
    const hf_swarm_config *c = &link->swarm->config;
    hf_yamux_config config = {link->conn.dialer, c->streams_in_max, HF_LINK_STREAMS_OUT_MAX, c->send_buffer_bytes_max,
                              link->swarm->map_seed};
    if (link->channels)
        hf_channels_release(link->channels);
    else
        link->mux = hf_yamux_mux(hf_yamux_new(link->swarm->mem, &config, now_ms));
    if (!link->mux.self) return HF_NOMEM;
    if (link->busy) link->mux.table->block(link->mux.self, now_ms, true);
    return HF_OK;
}

/* The channel is authenticated and has a muxer. The ping tells the width of the path, identify what the peer speaks. */
static hf_err come_up(hf_link *link, uint64_t now_ms) {
    hf_swarm *swarm = link->swarm;
    if (hf_peer_id_eq(&link->conn.peer, &swarm->self)) {
        hf_link_fail(link, "connected to ourselves", HF_YAMUX_NORMAL);
        return HF_OK;
    }
    if (open_muxer(link, now_ms)) return HF_NOMEM;
    if (!has_room(link, hf_map_get(&swarm->peers, hf_peer_id_bytes(&link->conn.peer)))) {
        hf_link_fail(link, "too many connections to this peer", HF_YAMUX_NORMAL);
        return HF_OK;
    }
    hf_peer *peer = hf_map_get(&swarm->peers, hf_peer_id_bytes(&link->conn.peer));
    if (!peer) peer = new_peer(swarm, &link->conn.peer);
    if (!peer) return HF_NOMEM;
    join_peer(link, peer);
    link->up = true;
    link->ping_due_ms = now_ms + swarm->config.ping_ms;
    swarm->deadline_ms = min_u64(swarm->deadline_ms, link->ping_due_ms);
    hf_event_push(swarm, &link->up_event, HF_SWARM_CONN_UP, link, NULL);
    link->mux.table->ping(link->mux.self, now_ms);
    hf_service_start(link, now_ms);
    return HF_OK;
}

/* ---- what came in ---- */

/* A view into a channel's message does not last as long as our events: it is copied to where decrypted bytes are. */
static hf_err take_data(hf_link *link, uint64_t now_ms, hf_stream *stream, hf_bytes bytes) {
    hf_buf *plain = &link->conn.plain;
    if (!link->channels) return hf_stream_data(stream, now_ms, bytes);
    hf_buf_add(plain, bytes);
    if (plain->err) return plain->err;
    return hf_stream_data(stream, now_ms, hf_sub(hf_buf_bytes(plain), plain->len - bytes.len, bytes.len));
}

static hf_err take_event(hf_link *link, uint64_t now_ms, const hf_mux_event *event) {
    hf_stream *stream = event->stream ? link->mux.table->owner(event->stream) : NULL;
    switch (event->kind) {
        case HF_MUX_OPENED: return hf_stream_opened(link, now_ms, event->stream);
        case HF_MUX_DATA: return take_data(link, now_ms, stream, event->bytes);
        case HF_MUX_FIN: hf_stream_fin(stream, now_ms); break;
        case HF_MUX_RESET: hf_stream_gone(stream, true, event->reason ? event->reason : "reset by the peer"); break;
        case HF_MUX_BROKEN: hf_link_fail(link, event->reason, HF_YAMUX_PROTOCOL_ERROR); break;
        case HF_MUX_NONE: break;
    }
    return HF_OK;
}

static hf_err read_muxer(hf_link *link, uint64_t now_ms) {
    hf_buf *plain = &link->conn.plain;
    hf_bytes in = hf_sub(hf_buf_bytes(plain), link->conn.plain_at, plain->len);
    hf_mux_event event = {.kind = HF_MUX_OPENED};
    hf_err err = HF_OK;
    while (!err && !link->closing && event.kind != HF_MUX_NONE) {
        err = link->mux.table->next(link->mux.self, now_ms, &in, &event);
        if (!err) err = take_event(link, now_ms, &event);
    }
    link->conn.plain_at = plain->len;
    hf_link_notices(link);
    return err;
}

hf_err hf_link_advance(hf_link *link, uint64_t now_ms) {
    if (link->conn.phase == HF_CONN_OPEN && !link->up && !link->closing) {
        hf_err err = come_up(link, now_ms);
        if (err) return err;
    }
    return link->up && !link->closing ? read_muxer(link, now_ms) : HF_OK;
}

void hf_link_taken(hf_link *link) {
    if (!link->sent) return;
    link->sent = false;
    hf_buf_clear(&link->conn.out);
}

void hf_link_make_room(hf_link *link) {
    hf_link_taken(link);
    if (link->n_data_events) return;
    hf_buf_clear(&link->conn.plain);
    link->conn.plain_at = 0;
}

hf_err hf_link_recv(hf_link *link, uint64_t now_ms, hf_bytes bytes) {
    if (link->closing) return HF_OK;
    hf_link_make_room(link);
    link->recv_ms = now_ms;
    hf_err broken = hf_conn_recv(&link->conn, bytes);
    hf_err err = hf_link_advance(link, now_ms); /* what came before the bad bytes is good */
    if (err)
        hf_link_fail(link, "out of memory", HF_YAMUX_INTERNAL_ERROR);
    else if (broken)
        hf_link_fail(link, link->conn.reason, HF_YAMUX_PROTOCOL_ERROR);
    hf_link_dirty(link);
    return err ? err : broken == HF_NOMEM ? broken : HF_OK;
}

void hf_link_notices(hf_link *link) {
    bool drained = false;
    const hf_mux *m = &link->mux;
    void *mux;
    while (m->self && (mux = m->table->notice(m->self, &drained))) {
        hf_stream *stream = m->table->owner(mux);
        if (drained && stream->role == HF_ROLE_APP && !hf_mux_over(*m, mux))
            hf_event_push(link->swarm, &stream->drained_event, HF_SWARM_STREAM_DRAINED, link, stream);
        if (hf_mux_over(*m, mux)) hf_stream_gone(stream, false, "finished");
    }
}

/* ---- the end ---- */

void hf_link_fail(hf_link *link, const char *reason, hf_yamux_code code) {
    if (link->closing) return;
    link->closing = true;
    link->reason = reason;
    if (link->mux.self) link->mux.table->close(link->mux.self, (int)code);
    hf_stream *next;
    for (hf_stream *s = link->first; s; s = next) {
        next = s->next;
        hf_stream_gone(s, true, reason);
    }
    if (link->peer) {
        leave_peer(link);
        hf_event_push(link->swarm, &link->down_event, HF_SWARM_CONN_DOWN, link, NULL);
    }
    hf_link_dirty(link);
}

/* ---- time ---- */

static void tick_streams(hf_link *link, uint64_t now_ms) {
    uint64_t deadline = UINT64_MAX;
    hf_stream *next;
    for (hf_stream *s = link->first; s; s = next) {
        next = s->next;
        if (s->deadline_ms <= now_ms)
            hf_stream_gone(s, true, "took too long");
        else
            deadline = min_u64(deadline, s->deadline_ms);
    }
    link->stream_deadline_ms = deadline;
}

static void keep_alive(hf_link *link, uint64_t now_ms) {
    link->ping_due_ms = now_ms + link->swarm->config.ping_ms;
    /* data channels have no ping of their own, and tell by themselves when the path is dead */
    bool asked = !link->channels || hf_link_speaks(link, HF_TEXT(HF_PING_PROTOCOL));
    if (asked && now_ms - link->recv_ms >= 2 * (uint64_t)link->swarm->config.ping_ms) {
        hf_link_fail(link, "the peer is silent", HF_YAMUX_NORMAL);
        return;
    }
    const hf_mux *mux = &link->mux;
    void *stalled;
    while ((stalled = mux->table->stalled(mux->self, now_ms)))
        hf_stream_gone(mux->table->owner(stalled), true, "the peer takes no data");
    link->mux.table->rest(link->mux.self); /* before the ping, which stands in the output */
    link->mux.table->ping(link->mux.self, now_ms);
    if (link->identified) hf_service_ping(link, now_ms);
    else hf_service_start(link, now_ms); /* the answer took too long: without it the connection is of no use */
    if (!link->n_data_events && !link->sent) {
        hf_buf_clear(&link->conn.plain);
        link->conn.plain_at = 0;
        hf_conn_rest(&link->conn);
    }
}

void hf_link_tick(hf_link *link, uint64_t now_ms) {
    if (link->closing || hf_link_deadline(link) > now_ms) return;
    if (!link->up) {
        hf_link_fail(link, "the handshake took too long", HF_YAMUX_NORMAL);
        return;
    }
    link->mux.table->tick(link->mux.self, now_ms);
    if (link->stream_deadline_ms <= now_ms) tick_streams(link, now_ms);
    if (link->ping_due_ms <= now_ms) keep_alive(link, now_ms);
    hf_link_dirty(link);
}

uint64_t hf_link_deadline(const hf_link *link) {
    if (link->closing) return UINT64_MAX;
    if (!link->up) return link->handshake_deadline_ms;
    return min_u64(min_u64(link->ping_due_ms, link->stream_deadline_ms), link->mux.table->deadline(link->mux.self));
}

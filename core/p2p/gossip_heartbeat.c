/* gossip_heartbeat: once a second: meshes mended, gossip told, old things forgotten (gossipsub-v1.0 "Heartbeat", -v1.1 "Heartbeat Maintenance"). */
#include "gossip_private.h"

/* ---- peers ---- */

/* Counters of the heartbeat that is over. */
static void start_counting(hf_gossip_peer *peer) {
    peer->n_slow = peer->n_dropped ? peer->n_slow + 1 : 0;
    peer->n_ihave = peer->n_asked = peer->n_served = peer->n_idontwant = peer->n_subscriptions = peer->n_px = peer->n_dropped = 0;
}

static void forget_members(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    for (hf_gossip_member *m = peer->first_member, *next; m; m = next) {
        next = m->next_of_peer;
        if (m->backoff_ms + HF_GOSSIP_BACKOFF_SLACK_MS <= now_ms) m->backoff_ms = 0;
        hf_gossip_member_settle(g, now_ms, m);
    }
}

static void tend_peers(hf_gossip *g, uint64_t now_ms) {
    for (hf_gossip_peer *peer = g->first_peer, *next; peer; peer = next) {
        next = peer->next;
        if (!peer->connected && peer->forget_ms <= now_ms) {
            hf_gossip_peer_free(g, peer);
            continue;
        }
        start_counting(peer);
        if (peer->connected) hf_gossip_promises_tick(g, now_ms, peer);
        forget_members(g, now_ms, peer);
    }
}

/* ---- the mesh ---- */

static void prune_bad(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    for (hf_gossip_member *m = topic->first_member; m; m = m->next) {
        if (!m->mesh) continue;
        if (!hf_gossip_meshable(m->peer)) hf_gossip_member_leave(m);
        else if (hf_gossip_score_of(g, m->peer) < 0 || m->peer->n_slow >= HF_GOSSIP_SLOW_BEATS)
            hf_gossip_prune(g, now_ms, m, g->config.prune_backoff_ms, false);
    }
}

static bool in_mesh(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    (void)g, (void)now_ms;
    return m->mesh;
}

static bool outbound_for_mesh(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    return m->peer->outbound && hf_gossip_fits_mesh(g, now_ms, m);
}

static void graft_some(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic, hf_gossip_fits *fits, size_t n) {
    n = hf_gossip_pick(g, now_ms, topic, fits, n);
    for (size_t i = 0; i < n; i++) hf_gossip_graft(g, now_ms, g->picks[i]);
}

static void swap(hf_gossip *g, size_t a, size_t b) {
    hf_gossip_member *m = g->picks[a];
    g->picks[a] = g->picks[b];
    g->picks[b] = m;
}

/* The best `n_best` of g->picks to its front. */
static void best_first(hf_gossip *g, size_t n, size_t n_best) {
    for (size_t i = 0; i < n_best && i < n; i++) {
        size_t best = i;
        for (size_t k = i + 1; k < n; k++)
            if (hf_gossip_score_of(g, g->picks[k]->peer) > hf_gossip_score_of(g, g->picks[best]->peer)) best = k;
        swap(g, i, best);
    }
}

/* d stay: the best d_score, the others by chance, but at least d_out that we dialled. */
static void prune_surplus(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    const hf_gossip_config *c = &g->config;
    size_t n = hf_gossip_pick(g, now_ms, topic, in_mesh, SIZE_MAX), out = 0;
    if (n <= c->d) return; /* no memory for choosing */
    best_first(g, n, c->d_score);
    for (size_t i = 0; i < c->d; i++) out += g->picks[i]->peer->outbound;
    for (size_t i = c->d, last = c->d; i < n && out < c->d_out; i++) {
        if (!g->picks[i]->peer->outbound) continue;
        while (last > 0 && g->picks[last - 1]->peer->outbound) last--;
        if (last == 0) break;
        swap(g, i, --last);
        out++;
    }
    for (size_t i = c->d; i < n; i++) hf_gossip_prune(g, now_ms, g->picks[i], c->prune_backoff_ms, true);
}

static size_t count_outbound(const hf_gossip_topic *topic) {
    size_t n = 0;
    for (const hf_gossip_member *m = topic->first_member; m; m = m->next) n += m->mesh && m->peer->outbound;
    return n;
}

static double mesh_median(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    size_t n = hf_gossip_pick(g, now_ms, topic, in_mesh, SIZE_MAX);
    if (!n) return 0;
    best_first(g, n, n / 2 + 1);
    return hf_gossip_score_of(g, g->picks[n / 2]->peer);
}

/* gossipsub-v1.1 "Opportunistic Grafting": two that are better than the median. */
static void graft_better(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    enum { AT_ONCE = 2 };
    if (topic->n_mesh < 2 || g->beat % g->config.opportunistic_beats) return;
    double median = mesh_median(g, now_ms, topic);
    if (median >= g->config.score.graft_threshold) return;
    size_t n = hf_gossip_pick(g, now_ms, topic, hf_gossip_fits_mesh, SIZE_MAX), grafted = 0;
    for (size_t i = 0; i < n && grafted < AT_ONCE; i++) {
        if (hf_gossip_score_of(g, g->picks[i]->peer) <= median) continue;
        hf_gossip_graft(g, now_ms, g->picks[i]);
        grafted++;
    }
}

static void mend_mesh(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    const hf_gossip_config *c = &g->config;
    prune_bad(g, now_ms, topic);
    if (topic->n_mesh < c->d_lo) graft_some(g, now_ms, topic, hf_gossip_fits_mesh, c->d - topic->n_mesh);
    if (topic->n_mesh > c->d_hi) prune_surplus(g, now_ms, topic);
    size_t out = topic->n_mesh >= c->d_lo ? count_outbound(topic) : c->d_out;
    if (out < c->d_out) graft_some(g, now_ms, topic, outbound_for_mesh, c->d_out - out);
    graft_better(g, now_ms, topic);
}

/* ---- the fanout ---- */

static void mend_fanout(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    bool over = now_ms - topic->fanout_ms >= g->config.fanout_ms;
    size_t n = 0;
    if (over) topic->fanout_ms = 0;
    for (hf_gossip_member *m = topic->first_member; m; m = m->next) {
        if (over || hf_gossip_score_of(g, m->peer) < g->config.score.publish_threshold) m->fanout = false;
        n += m->fanout;
    }
    if (over || n >= g->config.d) return;
    n = hf_gossip_pick(g, now_ms, topic, hf_gossip_fits_fanout, g->config.d - n);
    for (size_t i = 0; i < n; i++) g->picks[i]->fanout = true;
}

/* ---- gossip ---- */

/* Also who came into the mesh a moment ago: what we got before that was never sent to it. */
static bool fits_gossip(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    bool fresh = now_ms - m->graft_ms < (uint64_t)g->config.heartbeat_ms * g->config.history_gossip;
    return m->wants && (!m->mesh || fresh) && !m->fanout && hf_gossip_meshable(m->peer) && hf_gossip_has_room(g, m->peer) &&
           hf_gossip_score_of(g, m->peer) >= g->config.score.gossip_threshold;
}

/* Ids of the latest messages, into g->ids. */
static size_t recent_ids(hf_gossip *g, const hf_gossip_topic *topic) {
    size_t n = 0;
    for (const hf_gossip_kept *k = topic->first_kept; k; k = k->next_of_topic) {
        if (g->beat - k->beat >= g->config.history_gossip) continue;
        if (hf_grow(g->mem, (void **)&g->ids, &g->ids_cap, sizeof *g->ids, n + 1)) break;
        g->ids[n++] = HF_BYTES(k->id.bytes, k->id.len);
    }
    return n;
}

static void tell_ids(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_topic *topic, size_t n_ids) {
    size_t n = n_ids < g->config.ids_max ? n_ids : g->config.ids_max, from = hf_gossip_random_below(g, n_ids - n + 1);
    hf_gossip_add_ids(&peer->may, HF_GOSSIP_ITEM_IHAVE, hf_gossip_topic_name(topic), g->ids + from, n);
    hf_gossip_dirty(g, peer);
    if (peer->may.len > HF_GOSSIP_PART_MAX) hf_gossip_flush(g, now_ms);
}

static void emit_gossip(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    size_t n_ids = topic->first_kept ? recent_ids(g, topic) : 0;
    if (!n_ids) return;
    size_t fit = hf_gossip_pick(g, now_ms, topic, fits_gossip, SIZE_MAX), n = fit * g->config.gossip_percent / 100;
    if (n < g->config.d_lazy) n = g->config.d_lazy;
    for (size_t i = 0; i < n && i < fit; i++) tell_ids(g, now_ms, g->picks[i]->peer, topic, n_ids);
}

void hf_gossip_heartbeat(hf_gossip *g, uint64_t now_ms) {
    hf_gossip_score_tick(g, now_ms);
    tend_peers(g, now_ms);
    hf_gossip_streams_tick(g, now_ms);
    for (hf_gossip_topic *topic = g->first_topic, *next; topic; topic = next) {
        next = topic->next;
        if (topic->subscribed) mend_mesh(g, now_ms, topic);
        else if (topic->fanout_ms) mend_fanout(g, now_ms, topic);
        emit_gossip(g, now_ms, topic);
        hf_gossip_topic_settle(g, topic);
    }
    g->beat++;
    hf_gossip_history_tick(g);
    hf_gossip_seen_tick(g, now_ms);
    hf_gossip_ahead_tick(g);
    hf_gossip_flush(g, now_ms);
}

/* gossip_score: what a peer is worth (gossipsub-v1.1, "Peer Scoring"). Counters live with the members; the sum is made again when one changed. */
#include "../codec/multiaddr.h"
#include "gossip_private.h"

const hf_gossip_topic_score hf_gossip_topic_score_default = {
    .topic_weight = 1,
    .time_weight = 1.0 / 3600,
    .time_quantum_ms = 1000,
    .time_cap = 3600,
    .first_weight = 0.5,
    .first_decay = 0.99,
    .first_cap = 20,
    .delivery_decay = 0.9,
    .failure_decay = 0.9,
    .invalid_weight = -10,
    .invalid_decay = 0.9,
};

static double at_most(double value, double cap) { return value > cap ? cap : value; }

static double deficit(const hf_gossip_topic_score *p, const hf_gossip_member *m) {
    bool lacks = m->mesh && m->active && p->delivery_weight < 0 && m->deliveries < p->delivery_threshold;
    return lacks ? p->delivery_threshold - m->deliveries : 0;
}

static double topic_part(const hf_gossip_member *m) {
    const hf_gossip_topic_score *p = &m->topic->score;
    double sum = at_most(m->first, p->first_cap) * p->first_weight, lacking = deficit(p, m);
    if (m->mesh && p->time_quantum_ms > 0) sum += at_most((double)m->mesh_ms / p->time_quantum_ms, p->time_cap) * p->time_weight;
    sum += lacking * lacking * p->delivery_weight;
    sum += m->failure * p->failure_weight;
    sum += m->invalid * m->invalid * p->invalid_weight;
    return sum * p->topic_weight;
}

static double sum_up(const hf_gossip *g, const hf_gossip_peer *peer) {
    const hf_gossip_score_params *p = &g->config.score;
    double sum = 0;
    for (const hf_gossip_member *m = peer->first_member; m; m = m->next_of_peer) sum += topic_part(m);
    sum = at_most(sum, p->topic_cap) + peer->app * p->app_weight;
    if (peer->ip && peer->ip->n > p->ip_threshold) {
        double surplus = (double)(peer->ip->n - p->ip_threshold);
        sum += surplus * surplus * p->ip_weight;
    }
    return sum + peer->behaviour * peer->behaviour * p->behaviour_weight;
}

double hf_gossip_score_of(const hf_gossip *g, hf_gossip_peer *peer) {
    if (peer->score_old) peer->score = sum_up(g, peer);
    peer->score_old = false;
    return peer->score;
}

/* After something that can only make it worse. */
static void look_at(hf_gossip *g, hf_gossip_peer *peer) {
    peer->score_old = true;
    if (peer->connected && hf_gossip_score_of(g, peer) < g->config.score.graylist_threshold)
        hf_gossip_abuse(g, peer, "gossip: its score fell below the graylist threshold");
}

void hf_gossip_penalty(hf_gossip *g, hf_gossip_peer *peer, double amount) {
    peer->behaviour += amount;
    look_at(g, peer);
}

void hf_gossip_score_delivered(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_gossip_topic *topic, bool first) {
    if (!topic->subscribed) return;
    hf_gossip_member *m = first ? hf_gossip_member_make(g, peer, topic) : hf_gossip_member_of(peer, topic);
    if (!m) return;
    if (first) m->first = at_most(m->first + 1, topic->score.first_cap);
    if (m->mesh) m->deliveries = at_most(m->deliveries + 1, topic->score.delivery_cap);
    peer->score_old = true;
    hf_gossip_member_settle(g, now_ms, m);
}

void hf_gossip_score_invalid(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_topic *topic) {
    hf_gossip_member *m = hf_gossip_member_make(g, peer, topic);
    if (!m) return;
    m->invalid += 1;
    look_at(g, peer);
}

void hf_gossip_score_pruned(const hf_gossip *g, hf_gossip_member *m) {
    (void)g;
    double lacking = deficit(&m->topic->score, m);
    m->failure += lacking * lacking;
    m->peer->score_old = true;
}

/* ---- decay ---- */

/* `n` seconds of it. */
static double decayed(double value, double factor, uint64_t n, double zero) {
    for (uint64_t i = 0; i < n && value != 0; i++) {
        value *= factor;
        if (value < zero) value = 0;
    }
    return value;
}

static void decay_member(const hf_gossip *g, uint64_t now_ms, hf_gossip_member *m, uint64_t n) {
    const hf_gossip_topic_score *p = &m->topic->score;
    double zero = g->config.score.decay_to_zero;
    m->first = decayed(m->first, p->first_decay, n, zero);
    m->deliveries = decayed(m->deliveries, p->delivery_decay, n, zero);
    m->failure = decayed(m->failure, p->failure_decay, n, zero);
    m->invalid = decayed(m->invalid, p->invalid_decay, n, zero);
    m->mesh_ms = m->mesh ? now_ms - m->graft_ms : 0;
    m->active = m->mesh && m->mesh_ms > p->delivery_activation_ms;
}

/* Nothing decays for those that have gone: leaving must not pay. */
void hf_gossip_score_tick(hf_gossip *g, uint64_t now_ms) {
    enum { SECONDS_MAX = 600 };
    uint64_t n = (now_ms - g->decayed_ms) / 1000;
    g->decayed_ms += n * 1000;
    if (n > SECONDS_MAX) n = SECONDS_MAX;
    for (hf_gossip_peer *peer = g->first_peer; peer; peer = peer->next) {
        if (!peer->connected) continue;
        for (hf_gossip_member *m = peer->first_member; m; m = m->next_of_peer) decay_member(g, now_ms, m, n);
        peer->behaviour = decayed(peer->behaviour, g->config.score.behaviour_decay, n, g->config.score.decay_to_zero);
        peer->score_old = true;
    }
}

/* ---- P6 ---- */

static bool is_loopback(hf_bytes ip) {
    static const uint8_t one[16] = {[15] = 1};
    return ip.len == 4 ? ip.ptr[0] == 127 : memcmp(ip.ptr, one, sizeof one) == 0;
}

/* The address that counts: none behind a relay, whose address says nothing about the peer. */
static hf_bytes counted_ip(const hf_gossip *g, hf_bytes remote) {
    hf_multiaddr addr;
    if (!remote.len || hf_multiaddr_read(remote, &addr, NULL) || hf_multiaddr_find(&addr, HF_MA_P2P_CIRCUIT)) return (hf_bytes){0};
    const hf_multiaddr_part *part = hf_multiaddr_find(&addr, HF_MA_IP4);
    if (!part) part = hf_multiaddr_find(&addr, HF_MA_IP6);
    if (!part || (is_loopback(part->value) && !g->config.count_loopback)) return (hf_bytes){0};
    return hf_sub(part->value, 0, 8);
}

static void ip_changed(hf_gossip *g, const hf_gossip_ip *ip) {
    for (hf_gossip_peer *peer = g->first_peer; peer; peer = peer->next)
        if (peer->ip == ip) look_at(g, peer);
}

void hf_gossip_ip_enter(hf_gossip *g, hf_gossip_peer *peer, hf_bytes remote) {
    hf_bytes key = counted_ip(g, remote);
    if (!key.len || peer->ip) return;
    hf_gossip_ip *ip = hf_map_get(&g->ips, key);
    if (!ip) {
        ip = hf_alloc(g->mem, sizeof *ip);
        if (!ip) return;
        memcpy(ip->bytes, key.ptr, key.len);
        ip->len = (uint8_t)key.len;
        if (hf_map_put(&g->ips, HF_BYTES(ip->bytes, ip->len), ip)) return hf_release(g->mem, ip, sizeof *ip);
    }
    ip->n++;
    peer->ip = ip;
    ip_changed(g, ip);
}

void hf_gossip_ip_leave(hf_gossip *g, hf_gossip_peer *peer) {
    hf_gossip_ip *ip = peer->ip;
    if (!ip) return;
    peer->ip = NULL;
    if (--ip->n) return ip_changed(g, ip);
    hf_map_remove(&g->ips, HF_BYTES(ip->bytes, ip->len));
    hf_release(g->mem, ip, sizeof *ip);
}

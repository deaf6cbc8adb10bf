/* gossip_topic: topics, who wants them, who is in our mesh. */
#include "gossip_private.h"

/* ---- topics ---- */

hf_gossip_topic *hf_gossip_topic_of(const hf_gossip *g, hf_bytes name) { return hf_map_get(&g->topics, name); }

hf_gossip_topic *hf_gossip_topic_make(hf_gossip *g, hf_bytes name) {
    hf_gossip_topic *topic = hf_gossip_topic_of(g, name);
    if (topic || g->topics.n >= g->config.topics_max) return topic;
    topic = hf_alloc(g->mem, sizeof *topic);
    uint8_t *copy = topic ? hf_alloc(g->mem, name.len) : NULL;
    if (copy) memcpy(copy, name.ptr, name.len);
    if (!copy || hf_map_put(&g->topics, HF_BYTES(copy, name.len), topic)) {
        hf_release(g->mem, copy, name.len);
        hf_release(g->mem, topic, sizeof *topic);
        return NULL;
    }
    *topic = (hf_gossip_topic){.next = g->first_topic, .name = copy, .name_len = name.len, .number = ++g->next_number};
    topic->score = hf_gossip_topic_score_default;
    if (topic->next) topic->next->prev = topic;
    return g->first_topic = topic;
}

void hf_gossip_topic_settle(hf_gossip *g, hf_gossip_topic *topic) {
    if (topic->subscribed || topic->n_members || topic->n_kept || topic->fanout_ms) return;
    if (topic->prev) topic->prev->next = topic->next;
    else g->first_topic = topic->next;
    if (topic->next) topic->next->prev = topic->prev;
    hf_map_remove(&g->topics, hf_gossip_topic_name(topic));
    hf_release(g->mem, topic->name, topic->name_len);
    hf_release(g->mem, topic, sizeof *topic);
}

/* ---- members ---- */

static hf_bytes key_of(const hf_gossip_topic *topic) { return HF_BYTES(&topic->number, sizeof topic->number); }

hf_gossip_member *hf_gossip_member_of(const hf_gossip_peer *peer, const hf_gossip_topic *topic) {
    return hf_map_get(&peer->members, key_of(topic));
}

hf_gossip_member *hf_gossip_member_make(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_topic *topic) {
    hf_gossip_member *m = hf_gossip_member_of(peer, topic);
    if (m) return m;
    m = hf_alloc(g->mem, sizeof *m);
    if (!m || hf_map_put(&peer->members, key_of(topic), m)) {
        hf_release(g->mem, m, sizeof *m);
        return NULL;
    }
    *m = (hf_gossip_member){.peer = peer, .topic = topic, .next_of_peer = peer->first_member, .next = topic->first_member};
    if (m->next_of_peer) m->next_of_peer->prev_of_peer = m;
    if (m->next) m->next->prev = m;
    topic->n_members++;
    return peer->first_member = topic->first_member = m;
}

void hf_gossip_member_free(hf_gossip *g, hf_gossip_member *m) {
    hf_gossip_member_leave(m);
    if (m->wants) m->topic->n_wants--;
    m->topic->n_members--;
    if (m->prev) m->prev->next = m->next;
    else m->topic->first_member = m->next;
    if (m->next) m->next->prev = m->prev;
    if (m->prev_of_peer) m->prev_of_peer->next_of_peer = m->next_of_peer;
    else m->peer->first_member = m->next_of_peer;
    if (m->next_of_peer) m->next_of_peer->prev_of_peer = m->prev_of_peer;
    hf_map_remove(&m->peer->members, key_of(m->topic));
    hf_release(g->mem, m, sizeof *m);
}

void hf_gossip_member_settle(hf_gossip *g, uint64_t now_ms, hf_gossip_member *m) {
    bool past = m->first > 0 || m->deliveries > 0 || m->failure > 0 || m->invalid > 0;
    if (m->wants || m->mesh || m->fanout || m->backoff_ms > now_ms || past) return;
    hf_gossip_topic *topic = m->topic;
    hf_gossip_member_free(g, m);
    hf_gossip_topic_settle(g, topic);
}

static bool may_want(const hf_gossip *g, const hf_gossip_peer *peer, hf_bytes name) {
    return name.len > 0 && name.len <= HF_GOSSIP_TOPIC_MAX && peer->members.n < g->config.topics_per_peer_max;
}

void hf_gossip_wants(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes name, bool wants) {
    hf_gossip_topic *topic = wants && may_want(g, peer, name) ? hf_gossip_topic_make(g, name) : hf_gossip_topic_of(g, name);
    if (!topic) return;
    hf_gossip_member *m = wants && may_want(g, peer, name) ? hf_gossip_member_make(g, peer, topic) : hf_gossip_member_of(peer, topic);
    if (!m) return hf_gossip_topic_settle(g, topic);
    if (m->wants == wants) return;
    m->wants = wants;
    topic->n_wants += wants ? 1 : (size_t)-1;
    (void)!hf_gossip_tell(g, wants ? HF_GOSSIP_SUBSCRIBED : HF_GOSSIP_UNSUBSCRIBED, &peer->id, name, NULL, (hf_bytes){0});
    if (wants) return;
    hf_gossip_member_leave(m);
    m->fanout = false;
    hf_gossip_member_settle(g, now_ms, m);
}

/* ---- the mesh ---- */

void hf_gossip_member_leave(hf_gossip_member *m) {
    if (m->mesh) m->topic->n_mesh--;
    m->mesh = m->active = false;
    m->mesh_ms = 0;
    m->peer->score_old = true;
}

void hf_gossip_member_join(uint64_t now_ms, hf_gossip_member *m) {
    if (m->mesh) return;
    m->mesh = true;
    m->fanout = m->active = false;
    m->graft_ms = now_ms;
    m->deliveries = 0;
    m->topic->n_mesh++;
    m->peer->score_old = true;
}

void hf_gossip_graft(hf_gossip *g, uint64_t now_ms, hf_gossip_member *m) {
    hf_gossip_member_join(now_ms, m);
    hf_gossip_add_graft(&m->peer->must_control, hf_gossip_topic_name(m->topic));
    hf_gossip_dirty(g, m->peer);
}

void hf_gossip_backoff(hf_gossip_member *m, uint64_t until_ms) {
    if (m->backoff_ms < until_ms) m->backoff_ms = until_ms;
}

/* Peers worth naming, at random (one pass, each with the same chance). */
static size_t choose_px(hf_gossip *g, const hf_gossip_member *pruned, hf_gossip_px px[HF_GOSSIP_PX_MAX]) {
    size_t n = 0, seen = 0;
    for (hf_gossip_member *m = pruned->topic->first_member; m; m = m->next) {
        if (m == pruned || !m->wants || !m->peer->connected || hf_gossip_score_of(g, m->peer) < 0) continue;
        size_t at = n < HF_GOSSIP_PX_MAX ? n++ : hf_gossip_random_below(g, seen + 1);
        seen++;
        if (at < HF_GOSSIP_PX_MAX) px[at] = (hf_gossip_px){hf_peer_id_bytes(&m->peer->id), hf_buf_bytes(&m->peer->record)};
    }
    return n;
}

void hf_gossip_prune(hf_gossip *g, uint64_t now_ms, hf_gossip_member *m, uint32_t backoff_ms, bool with_px) {
    hf_gossip_px px[HF_GOSSIP_PX_MAX];
    bool v11 = m->peer->version != HF_GOSSIP_V10;
    size_t n = with_px && v11 && g->config.px ? choose_px(g, m, px) : 0;
    hf_gossip_score_pruned(g, m);
    hf_gossip_member_leave(m);
    hf_gossip_backoff(m, now_ms + backoff_ms);
    hf_gossip_add_prune(&m->peer->must_control, hf_gossip_topic_name(m->topic), px, n, v11 ? (backoff_ms + 999) / 1000 : 0);
    hf_gossip_dirty(g, m->peer);
}

/* ---- choosing ---- */

bool hf_gossip_fits_mesh(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    bool waits = m->backoff_ms && now_ms < m->backoff_ms + HF_GOSSIP_BACKOFF_SLACK_MS;
    return m->wants && !m->mesh && !waits && hf_gossip_meshable(m->peer) && hf_gossip_score_of(g, m->peer) >= 0;
}

bool hf_gossip_fits_fanout(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    (void)now_ms;
    return m->wants && !m->fanout && hf_gossip_meshable(m->peer) &&
           hf_gossip_score_of(g, m->peer) >= g->config.score.publish_threshold;
}

size_t hf_gossip_pick(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic, hf_gossip_fits *fits, size_t n) {
    if (hf_grow(g->mem, (void **)&g->picks, &g->picks_cap, sizeof *g->picks, topic->n_members)) return 0;
    size_t found = 0;
    for (hf_gossip_member *m = topic->first_member; m; m = m->next)
        if (fits(g, now_ms, m)) g->picks[found++] = m;
    if (n > found) n = found;
    for (size_t i = 0; i < n; i++) {
        size_t other = i + hf_gossip_random_below(g, found - i);
        hf_gossip_member *m = g->picks[i];
        g->picks[i] = g->picks[other];
        g->picks[other] = m;
    }
    return n;
}

/* ---- our own wishes ---- */

static void announce(hf_gossip *g, hf_bytes topic, bool subscribe) {
    for (hf_gossip_peer *peer = g->first_peer; peer; peer = peer->next) {
        if (!hf_gossip_sendable(peer)) continue;
        hf_gossip_add_subscription(&peer->must_subscriptions, topic, subscribe);
        hf_gossip_dirty(g, peer);
    }
}

/* gossipsub-v1.0 "JOIN(topic)": those of the fanout first. */
static void join(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    for (hf_gossip_member *m = topic->first_member; m; m = m->next) {
        if (m->fanout && topic->n_mesh < g->config.d && hf_gossip_fits_mesh(g, now_ms, m)) hf_gossip_graft(g, now_ms, m);
        m->fanout = false;
    }
    topic->fanout_ms = 0;
    if (topic->n_mesh >= g->config.d) return;
    size_t n = hf_gossip_pick(g, now_ms, topic, hf_gossip_fits_mesh, g->config.d - topic->n_mesh);
    for (size_t i = 0; i < n; i++) hf_gossip_graft(g, now_ms, g->picks[i]);
}

hf_err hf_gossip_subscribe(hf_gossip *g, uint64_t now_ms, hf_bytes name, const hf_gossip_subscription *options) {
    if (!name.len || name.len > HF_GOSSIP_TOPIC_MAX) return HF_LIMIT;
    hf_gossip_topic *topic = hf_gossip_topic_make(g, name);
    if (!topic) return g->topics.n >= g->config.topics_max ? HF_LIMIT : HF_NOMEM;
    topic->auto_accept = options && options->auto_accept;
    topic->score = options && options->score ? *options->score : hf_gossip_topic_score_default;
    hf_gossip_wake(g, now_ms);
    if (topic->subscribed) return HF_OK;
    topic->subscribed = true;
    announce(g, name, true);
    join(g, now_ms, topic);
    hf_gossip_flush(g, now_ms);
    return HF_OK;
}

void hf_gossip_unsubscribe(hf_gossip *g, uint64_t now_ms, hf_bytes name) {
    hf_gossip_topic *topic = hf_gossip_topic_of(g, name);
    if (!topic || !topic->subscribed) return;
    topic->subscribed = false;
    announce(g, name, false);
    for (hf_gossip_member *m = topic->first_member; m; m = m->next)
        if (m->mesh) hf_gossip_prune(g, now_ms, m, g->config.unsubscribe_backoff_ms, false);
    hf_gossip_flush(g, now_ms);
    hf_gossip_topic_settle(g, topic);
}

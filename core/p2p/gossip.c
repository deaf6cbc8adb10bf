/* gossip: see gossip.h. The face: life, events, what comes out, looking in. */
#include "gossip_private.h"

#include "../crypto/crypto.h"

/* ---- life ---- */

static void default_u32(uint32_t *value, uint32_t instead) {
    if (!*value) *value = instead;
}

static void default_double(double *value, double instead) {
    if (*value == 0) *value = instead;
}

static void fill_score(hf_gossip_score_params *p) {
    default_double(&p->topic_cap, 10);
    default_double(&p->app_weight, 10);
    default_double(&p->ip_weight, -5);
    default_u32(&p->ip_threshold, 10);
    default_double(&p->behaviour_weight, -10);
    default_double(&p->behaviour_decay, 0.8);
    default_double(&p->decay_to_zero, 0.01);
    default_u32(&p->retain_ms, 3600000);
    default_double(&p->gossip_threshold, -10);
    default_double(&p->publish_threshold, -50);
    default_double(&p->graylist_threshold, -80);
    default_double(&p->graft_threshold, 1);
}

/* UINT32_MAX: none at all. */
static void default_degree(uint32_t *value, uint32_t instead) {
    default_u32(value, instead);
    if (*value == UINT32_MAX) *value = 0;
}

static void fill_mesh(hf_gossip_config *c) {
    default_degree(&c->d, 6);
    default_degree(&c->d_lo, 4);
    default_degree(&c->d_hi, 12);
    default_degree(&c->d_score, 4);
    default_degree(&c->d_out, 2);
    default_degree(&c->d_lazy, 6);
    default_u32(&c->gossip_percent, 25);
    default_u32(&c->heartbeat_ms, 1000);
    default_u32(&c->history, 5);
    default_u32(&c->history_gossip, 3);
    default_u32(&c->seen_ms, 120000);
    default_u32(&c->fanout_ms, 60000);
    default_u32(&c->prune_backoff_ms, 60000);
    default_u32(&c->unsubscribe_backoff_ms, 10000);
    default_u32(&c->promise_ms, 3000);
    default_u32(&c->opportunistic_beats, 60);
    default_u32(&c->idontwant_bytes_min, 512);
}

static void fill_limits(hf_gossip_config *c) {
    default_u32(&c->rpc_bytes_max, 1 << 20);
    default_u32(&c->message_bytes_max, 512 << 10);
    default_u32(&c->queue_bytes_max, 1 << 20);
    default_u32(&c->history_bytes_max, 8 << 20);
    default_u32(&c->pending_max, 512);
    default_u32(&c->pending_bytes_max, 4 << 20);
    default_u32(&c->messages_a_second, 5000);
    default_u32(&c->seen_max, 32768);
    default_u32(&c->topics_max, 4096);
    default_u32(&c->topics_per_peer_max, 256);
    default_u32(&c->subscriptions_max, 1024);
    default_u32(&c->ihave_max, 10);
    default_u32(&c->ids_max, 5000);
    default_u32(&c->retained_max, 1024);
}

static uint64_t draw(const hf_gossip_config *config) {
    uint64_t value = 0;
    config->random(config->random_ctx, (uint8_t *)&value, sizeof value);
    return value;
}

static void fill(hf_gossip *g, const hf_gossip_config *config) {
    g->config = *config;
    memcpy(g->seed, config->ed25519_seed, sizeof g->seed);
    g->config.ed25519_seed = NULL;
    hf_ed25519_public(g->seed, g->public_key);
    hf_public_key_add(&g->key, g->public_key);
    fill_score(&g->config.score);
    fill_mesh(&g->config);
    fill_limits(&g->config);
    g->random = draw(config);
    g->map_seed = draw(config);
    g->next_seqno = draw(config) >> 2; /* room to count; never twice, also after a restart */
    g->due_ms = UINT64_MAX;
    hf_map *maps[] = {&g->peers, &g->numbers, &g->topics, &g->ips, &g->seen_map};
    for (size_t i = 0; i < HF_COUNT(maps); i++) hf_map_init(maps[i], g->mem, g->map_seed);
}

hf_gossip *hf_gossip_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_gossip_config *config) {
    static const char *const names[] = {HF_GOSSIP_PROTOCOL_FLOOD, HF_GOSSIP_PROTOCOL_10, HF_GOSSIP_PROTOCOL_11, HF_GOSSIP_PROTOCOL_12};
    hf_gossip *g = hf_alloc(mem, sizeof *g);
    if (!g) return NULL;
    *g = (hf_gossip){.mem = mem, .swarm = swarm, .tag = tag};
    hf_buf_init(&g->key, mem);
    hf_buf_init(&g->scratch, mem);
    fill(g, config);
    g->self = *hf_swarm_self(swarm);
    hf_err err = g->key.err;
    if (config->spread && !(g->ahead = hf_gossip_ahead_new(mem))) err = HF_NOMEM;
    for (size_t i = config->flood_only ? 1 : HF_COUNT(names); i-- > 0 && !err;) err = hf_swarm_protocol(swarm, hf_str(names[i]), tag + (uint32_t)i);
    if (!err) return g;
    hf_gossip_free(g);
    return NULL;
}

static void event_free(hf_gossip *g, hf_gossip_event_t *e) {
    if (!e) return;
    if (e->kept) hf_gossip_kept_release(g, e->kept);
    hf_release(g->mem, e->bytes, e->len);
    hf_release(g->mem, e, sizeof *e);
}

static void free_messages(hf_gossip *g) {
    g->config.seen_max = 0;
    hf_gossip_seen_tick(g, 0);
    g->beat += g->config.history;
    hf_gossip_history_tick(g);
}

void hf_gossip_free(hf_gossip *g) {
    if (!g) return;
    event_free(g, g->shown);
    for (hf_gossip_event_t *e; (e = g->first_event); event_free(g, e)) g->first_event = e->next;
    while (g->first_peer) hf_gossip_peer_free(g, g->first_peer);
    free_messages(g);
    for (hf_gossip_topic *t = g->first_topic, *next; t; t = next) {
        next = t->next;
        t->subscribed = false;
        t->fanout_ms = 0;
        hf_gossip_topic_settle(g, t);
    }
    hf_map *maps[] = {&g->peers, &g->numbers, &g->topics, &g->ips, &g->seen_map};
    for (size_t i = 0; i < HF_COUNT(maps); i++) hf_map_deinit(maps[i]);
    hf_gossip_ahead_free(g);
    hf_buf_deinit(&g->key);
    hf_buf_deinit(&g->scratch);
    hf_release(g->mem, g->picks, g->picks_cap * sizeof *g->picks);
    hf_release(g->mem, g->ids, g->ids_cap * sizeof *g->ids);
    hf_wipe(g->seed, sizeof g->seed);
    hf_release(g->mem, g, sizeof *g);
}

/* splitmix64 from a seed that nobody knows */
uint64_t hf_gossip_random(hf_gossip *g) {
    uint64_t z = g->random += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t hf_gossip_random_below(hf_gossip *g, size_t n) { return (size_t)(hf_gossip_random(g) % n); }

void hf_gossip_event(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *event) {
    hf_gossip_peer_event(g, now_ms, event);
    hf_gossip_flush(g, now_ms);
}

hf_err hf_gossip_app_score(hf_gossip *g, const hf_peer_id *id, double value) {
    hf_gossip_peer *peer = hf_gossip_peer_of(g, id);
    if (!peer || !peer->connected) return HF_NOT_FOUND;
    peer->app = value;
    hf_gossip_penalty(g, peer, 0);
    return HF_OK;
}

/* ---- what comes out ---- */

void hf_gossip_abuse(hf_gossip *g, hf_gossip_peer *peer, const char *reason) {
    if (peer->abuse) return;
    peer->abuse = reason;
    peer->abuse_due = g->abuse_due = true;
}

static void push(hf_gossip *g, hf_gossip_event_t *e) {
    if (g->last_event) g->last_event->next = e;
    else g->first_event = e;
    g->last_event = e;
    g->n_events++;
}

hf_err hf_gossip_tell(hf_gossip *g, hf_gossip_kind kind, const hf_peer_id *peer, hf_bytes topic, const hf_peer_id *other, hf_bytes record) {
    if (g->n_events >= HF_GOSSIP_OUTS_MAX) return HF_LIMIT;
    hf_gossip_event_t *e = hf_alloc(g->mem, sizeof *e);
    uint8_t *bytes = e ? hf_alloc(g->mem, topic.len + record.len) : NULL;
    if (!bytes) {
        hf_release(g->mem, e, sizeof *e);
        return HF_NOMEM;
    }
    memcpy(bytes, topic.ptr, topic.len);
    if (record.len) memcpy(bytes + topic.len, record.ptr, record.len);
    *e = (hf_gossip_event_t){.kind = kind, .peer = *peer, .bytes = bytes, .topic_len = topic.len, .len = topic.len + record.len};
    if (other) e->other = *other;
    push(g, e);
    return HF_OK;
}

hf_err hf_gossip_tell_message(hf_gossip *g, const hf_peer_id *source, hf_gossip_kept *kept, bool needs_verdict) {
    if (g->n_events >= HF_GOSSIP_OUTS_MAX) return HF_LIMIT;
    hf_gossip_event_t *e = hf_alloc(g->mem, sizeof *e);
    if (!e) return HF_NOMEM;
    *e = (hf_gossip_event_t){.kind = HF_GOSSIP_MESSAGE, .peer = *source, .kept = kept, .needs_verdict = needs_verdict};
    kept->refs++;
    push(g, e);
    return HF_OK;
}

static bool show_abuse(hf_gossip *g, hf_gossip_out *out) {
    for (hf_gossip_peer *peer = g->abuse_due ? g->first_peer : NULL; peer; peer = peer->next) {
        if (!peer->abuse_due) continue;
        peer->abuse_due = false;
        *out = (hf_gossip_out){.kind = HF_GOSSIP_ABUSE, .peer = peer->id, .reason = peer->abuse};
        return true;
    }
    return g->abuse_due = false;
}

static void show(const hf_gossip_event_t *e, hf_gossip_out *out) {
    *out = (hf_gossip_out){.kind = e->kind, .peer = e->peer, .other = e->other, .needs_verdict = e->needs_verdict};
    if (!e->kept) {
        out->topic = HF_BYTES(e->bytes, e->topic_len);
        out->record = HF_BYTES(e->bytes + e->topic_len, e->len - e->topic_len);
        return;
    }
    out->topic = hf_gossip_topic_name(e->kept->topic);
    out->from = e->kept->from;
    out->data = hf_gossip_kept_data(e->kept);
    out->id = HF_BYTES(e->kept->id.bytes, e->kept->id.len);
}

hf_gossip_kind hf_gossip_next(hf_gossip *g, hf_gossip_out *ret_out) {
    event_free(g, g->shown);
    hf_gossip_event_t *e = g->shown = g->first_event;
    *ret_out = (hf_gossip_out){.kind = HF_GOSSIP_NONE};
    if (!e) {
        (void)show_abuse(g, ret_out);
        return ret_out->kind;
    }
    g->first_event = e->next;
    if (!e->next) g->last_event = NULL;
    g->n_events--;
    show(e, ret_out);
    return ret_out->kind;
}

/* ---- time ---- */

void hf_gossip_wake(hf_gossip *g, uint64_t now_ms) {
    if (g->due_ms != UINT64_MAX) return;
    g->due_ms = now_ms + g->config.heartbeat_ms;
    g->decayed_ms = now_ms;
}

uint64_t hf_gossip_deadline(const hf_gossip *g) { return g->due_ms; }

void hf_gossip_tick(hf_gossip *g, uint64_t now_ms) {
    if (now_ms < g->due_ms) return;
    hf_gossip_heartbeat(g, now_ms);
    bool idle = !g->n_peers && !g->n_retained && !g->seen_map.n && !g->n_history;
    g->due_ms = idle ? UINT64_MAX : now_ms + g->config.heartbeat_ms;
}

/* ---- looking in ---- */

double hf_gossip_score(const hf_gossip *g, const hf_peer_id *id) {
    hf_gossip_peer *peer = hf_gossip_peer_of(g, id);
    return peer ? hf_gossip_score_of(g, peer) : 0;
}

size_t hf_gossip_n_mesh(const hf_gossip *g, hf_bytes name) {
    const hf_gossip_topic *topic = hf_gossip_topic_of(g, name);
    return topic ? topic->n_mesh : 0;
}

bool hf_gossip_in_mesh(const hf_gossip *g, hf_bytes name, const hf_peer_id *id) {
    const hf_gossip_topic *topic = hf_gossip_topic_of(g, name);
    const hf_gossip_peer *peer = hf_gossip_peer_of(g, id);
    const hf_gossip_member *m = topic && peer ? hf_gossip_member_of(peer, topic) : NULL;
    return m && m->mesh;
}

size_t hf_gossip_n_subscribers(const hf_gossip *g, hf_bytes name) {
    const hf_gossip_topic *topic = hf_gossip_topic_of(g, name);
    return topic ? topic->n_wants : 0;
}

void hf_gossip_stats_of(const hf_gossip *g, hf_gossip_stats *ret) {
    *ret = g->stats;
    ret->n_peers = g->n_peers;
    ret->n_retained = g->n_retained;
    ret->n_topics = g->topics.n;
    ret->n_seen = g->seen_map.n;
    ret->n_history = g->n_history;
    ret->history_bytes = g->history_bytes;
    ret->n_pending = g->n_pending;
    ret->pending_bytes = g->pending_bytes;
    for (const hf_gossip_peer *p = g->first_peer; p; p = p->next) ret->queue_bytes += p->queue_bytes;
}

/* gossip_control: what a peer's RPC says, one part after another, and how much of it counts. */
#include "gossip_private.h"

/* ---- what a peer does not want to get again ---- */

static uint64_t hash_of(const hf_gossip *g, hf_bytes id) {
    uint64_t h = g->map_seed ^ id.len;
    for (size_t i = 0; i < id.len; i++) {
        h = (h ^ id.ptr[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h | 1;
}

bool hf_gossip_is_unwanted(const hf_gossip *g, const hf_gossip_peer *peer, hf_bytes id) {
    if (!peer->unwanted) return false;
    uint64_t hash = hash_of(g, id);
    const hf_gossip_unwanted *slot = &peer->unwanted[hash / 2 % HF_GOSSIP_IDONTWANT_SLOTS];
    return slot->hash == hash && g->beat - slot->beat < g->config.history;
}

static void take_idontwant(hf_gossip *g, hf_gossip_peer *peer, const hf_gossip_item *item) {
    if (!peer->unwanted) peer->unwanted = hf_alloc(g->mem, HF_GOSSIP_IDONTWANT_SLOTS * sizeof *peer->unwanted);
    hf_pb_reader body = hf_pb_read(item->body);
    for (hf_bytes id; peer->unwanted && peer->n_idontwant < HF_GOSSIP_IDONTWANT_MAX && hf_gossip_next_id(&body, item->kind, &id);) {
        uint64_t hash = hash_of(g, id);
        peer->unwanted[hash / 2 % HF_GOSSIP_IDONTWANT_SLOTS] = (hf_gossip_unwanted){hash, g->beat};
        peer->n_idontwant++;
    }
}

/* ---- promises: what was advertised must come ---- */

static void promise(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes id) {
    if (!peer->promises) peer->promises = hf_alloc(g->mem, HF_GOSSIP_PROMISES_MAX * sizeof *peer->promises);
    if (!peer->promises || peer->n_promises == HF_GOSSIP_PROMISES_MAX) return;
    hf_gossip_promise *p = &peer->promises[peer->n_promises++];
    p->until_ms = now_ms + g->config.promise_ms;
    p->id.len = (uint8_t)id.len;
    memcpy(p->id.bytes, id.ptr, id.len);
}

static bool is_promise(const hf_gossip_promise *p, hf_bytes id) { return hf_eq(HF_BYTES(p->id.bytes, p->id.len), id); }

void hf_gossip_promise_release(hf_gossip_peer *peer, hf_bytes id) {
    for (size_t i = 0; i < peer->n_promises; i++)
        if (is_promise(&peer->promises[i], id)) peer->promises[i--] = peer->promises[--peer->n_promises];
}

/* Whoever brought it: what was seen meanwhile is no broken promise. */
void hf_gossip_promises_tick(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    double broken = 0;
    for (size_t i = 0; i < peer->n_promises; i++) {
        hf_gossip_promise *p = &peer->promises[i];
        bool came = hf_gossip_seen_of(g, HF_BYTES(p->id.bytes, p->id.len)) != NULL;
        if (!came && now_ms < p->until_ms) continue;
        broken += !came;
        *p = peer->promises[--peer->n_promises];
        i--;
    }
    if (broken > 0) hf_gossip_penalty(g, peer, broken);
}

/* ---- gossip ---- */

static bool gossip_counts(hf_gossip *g, hf_gossip_peer *peer) {
    return hf_gossip_score_of(g, peer) >= g->config.score.gossip_threshold;
}

/* The ids that we have not seen, into g->ids. */
static size_t unseen(hf_gossip *g, const hf_gossip_item *item) {
    hf_pb_reader body = hf_pb_read(item->body);
    size_t n = 0;
    for (hf_bytes id; hf_gossip_next_id(&body, item->kind, &id);) {
        if (!id.len || id.len > HF_GOSSIP_ID_MAX || hf_gossip_seen_of(g, id)) continue;
        if (hf_grow(g->mem, (void **)&g->ids, &g->ids_cap, sizeof *g->ids, n + 1)) break;
        g->ids[n++] = id;
    }
    return n;
}

static void take_ihave(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_item *item) {
    const hf_gossip_topic *topic = hf_gossip_topic_of(g, item->topic);
    if (!topic || !topic->subscribed || peer->n_ihave > g->config.ihave_max || !hf_gossip_has_room(g, peer)) return;
    uint32_t left = g->config.ids_max - peer->n_asked;
    if (!left || !gossip_counts(g, peer)) return;
    size_t n = unseen(g, item), ask = n < left ? n : left;
    if (!ask) return;
    for (size_t i = 0; i < ask; i++) { /* any of them, in any order */
        size_t other = i + hf_gossip_random_below(g, n - i);
        hf_bytes id = g->ids[i];
        g->ids[i] = g->ids[other];
        g->ids[other] = id;
    }
    peer->n_asked += (uint32_t)ask;
    g->stats.n_iwant_sent += ask;
    hf_gossip_add_ids(&peer->may, HF_GOSSIP_ITEM_IWANT, (hf_bytes){0}, g->ids, ask);
    hf_gossip_dirty(g, peer);
    promise(g, now_ms, peer, g->ids[0]);
}

static void take_iwant(hf_gossip *g, hf_gossip_peer *peer, const hf_gossip_item *item) {
    if (!gossip_counts(g, peer)) return;
    hf_pb_reader body = hf_pb_read(item->body);
    for (hf_bytes id; peer->n_served < g->config.ids_max && hf_gossip_next_id(&body, item->kind, &id);) {
        peer->n_served++;
        const hf_gossip_seen *seen = hf_gossip_seen_of(g, id);
        hf_gossip_kept *kept = seen && seen->kept && seen->kept->in_history ? seen->kept : NULL;
        if (!kept || hf_gossip_serve_count(g, kept, peer) > HF_GOSSIP_SERVED_MAX) continue;
        if (hf_gossip_send_kept(g, peer, kept, HF_GOSSIP_ONWARD)) g->stats.n_iwant_served++;
    }
}

/* ---- the mesh ---- */

/* A graft before its time. HF_GOSSIP_GRAFT_FLOOD_MS after the prune it is not even an accident. */
static void penalize_graft(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *m) {
    bool flood = now_ms + g->config.prune_backoff_ms < m->backoff_ms + HF_GOSSIP_GRAFT_FLOOD_MS;
    hf_gossip_penalty(g, m->peer, flood ? 2 : 1);
}

static void take_graft(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_item *item) {
    hf_gossip_topic *topic = hf_gossip_topic_of(g, item->topic);
    if (!topic || !topic->subscribed || !hf_gossip_meshable(peer)) return;
    hf_gossip_member *m = hf_gossip_member_make(g, peer, topic);
    if (!m || m->mesh) return;
    bool early = now_ms < m->backoff_ms, bad = hf_gossip_score_of(g, peer) < 0;
    bool full = topic->n_mesh >= g->config.d_hi && !peer->outbound;
    if (early) penalize_graft(g, now_ms, m);
    if (early || bad || full || !m->wants) hf_gossip_prune(g, now_ms, m, g->config.prune_backoff_ms, full && !early && !bad);
    else hf_gossip_member_join(now_ms, m);
}

static void take_px(hf_gossip *g, const hf_gossip_peer *from, hf_bytes topic, hf_bytes id, hf_bytes record) {
    hf_peer_id other;
    hf_peer_record opened;
    hf_arena arena;
    if (hf_peer_id_read(id, &other) || hf_peer_id_eq(&other, &g->self) || hf_swarm_connected(g->swarm, &other)) return;
    hf_arena_init(&arena, g->mem);
    bool sound = !hf_peer_record_open(&arena, record, &opened) && hf_peer_id_eq(&opened.peer, &other);
    hf_arena_deinit(&arena);
    if (sound) (void)!hf_gossip_tell(g, HF_GOSSIP_PEER, &from->id, topic, &other, record);
}

static void take_prune(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_item *item) {
    hf_gossip_topic *topic = hf_gossip_topic_of(g, item->topic);
    hf_gossip_member *m = topic && topic->subscribed ? hf_gossip_member_make(g, peer, topic) : NULL;
    if (!m) return;
    uint64_t seconds = item->backoff_s < HF_GOSSIP_BACKOFF_S_MAX ? item->backoff_s : HF_GOSSIP_BACKOFF_S_MAX;
    hf_gossip_score_pruned(g, m);
    hf_gossip_member_leave(m);
    hf_gossip_backoff(m, now_ms + (seconds ? seconds * 1000 : g->config.prune_backoff_ms));
    if (hf_gossip_score_of(g, peer) < g->config.score.px_threshold) return;
    hf_pb_reader body = hf_pb_read(item->body);
    for (hf_bytes id, record; peer->n_px < HF_GOSSIP_PX_MAX && hf_gossip_next_peer(&body, &id, &record); peer->n_px++)
        take_px(g, peer, hf_gossip_topic_name(topic), id, record);
}

static void take_subscription(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_item *item) {
    if (++peer->n_subscriptions > g->config.subscriptions_max) {
        if (peer->n_subscriptions == g->config.subscriptions_max + 1) hf_gossip_penalty(g, peer, 1);
        return;
    }
    hf_gossip_wants(g, now_ms, peer, item->topic, item->subscribe);
}

static void take_item(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_item *item) {
    switch (item->kind) {
    case HF_GOSSIP_ITEM_SUBSCRIPTION: take_subscription(g, now_ms, peer, item); break;
    case HF_GOSSIP_ITEM_PUBLISH: hf_gossip_message_in(g, now_ms, peer, &item->message); break;
    case HF_GOSSIP_ITEM_IHAVE: take_ihave(g, now_ms, peer, item); break;
    case HF_GOSSIP_ITEM_IWANT: take_iwant(g, peer, item); break;
    case HF_GOSSIP_ITEM_GRAFT: take_graft(g, now_ms, peer, item); break;
    case HF_GOSSIP_ITEM_PRUNE: take_prune(g, now_ms, peer, item); break;
    case HF_GOSSIP_ITEM_IDONTWANT: take_idontwant(g, peer, item); break;
    default: break;
    }
}

void hf_gossip_rpc(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes rpc) {
    hf_gossip_reader reader = hf_gossip_read(rpc);
    bool advertised = false;
    for (hf_gossip_item item; hf_gossip_read_next(&reader, &item);) {
        if (hf_gossip_score_of(g, peer) < g->config.score.graylist_threshold) return;
        if (item.kind == HF_GOSSIP_ITEM_IHAVE && !advertised) {
            advertised = true;
            peer->n_ihave++;
        }
        take_item(g, now_ms, peer, &item);
    }
}

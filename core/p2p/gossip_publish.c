/* gossip_publish: messages: made, taken in, judged, passed on. */
#include "gossip_private.h"

#include "../crypto/crypto.h"

/* ---- onward ---- */

static bool heard_from(const hf_gossip_kept *kept, const hf_gossip_peer *peer) {
    if (kept->source == peer->number) return true;
    for (size_t i = 0; i < kept->n_heard; i++)
        if (kept->heard[i] == peer->number) return true;
    return false;
}

static bool would_take(const hf_gossip *g, const hf_gossip_peer *peer, const hf_gossip_kept *kept) {
    return !heard_from(kept, peer) && !hf_peer_id_eq(&peer->id, &kept->from) &&
           !hf_gossip_is_unwanted(g, peer, HF_BYTES(kept->id.bytes, kept->id.len));
}

/* To the mesh, and to floodsub peers, which have none. */
static void pass_on(hf_gossip *g, hf_gossip_kept *kept) {
    for (hf_gossip_member *m = kept->topic->first_member; m; m = m->next) {
        hf_gossip_peer *peer = m->peer;
        bool flood = m->wants && peer->version == HF_GOSSIP_FLOOD && hf_gossip_score_of(g, peer) >= g->config.score.publish_threshold;
        if ((m->mesh || flood) && would_take(g, peer, kept) && hf_gossip_send_kept(g, peer, kept, HF_GOSSIP_ONWARD))
            g->stats.n_forwarded++;
    }
}

/* The mesh need not send us what we have: worth saying for long messages. */
static void tell_unwanted(hf_gossip *g, const hf_gossip_kept *kept) {
    hf_bytes id = HF_BYTES(kept->id.bytes, kept->id.len);
    if (kept->data_len < g->config.idontwant_bytes_min) return;
    for (hf_gossip_member *m = kept->topic->first_member; m; m = m->next) {
        if (!m->mesh || m->peer->version < HF_GOSSIP_V12 || kept->source == m->peer->number || !hf_gossip_has_room(g, m->peer)) continue;
        hf_gossip_add_ids(&m->peer->may, HF_GOSSIP_ITEM_IDONTWANT, (hf_bytes){0}, &id, 1);
        hf_gossip_dirty(g, m->peer);
    }
}

/* ---- ours ---- */

/* gossipsub-v1.0 "Fanout": a few that want it are remembered for the next messages. */
static void fill_fanout(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic) {
    size_t n = 0;
    topic->fanout_ms = now_ms;
    for (const hf_gossip_member *m = topic->first_member; m; m = m->next) n += m->fanout;
    if (n >= g->config.d) return;
    size_t more = hf_gossip_pick(g, now_ms, topic, hf_gossip_fits_fanout, g->config.d - n);
    for (size_t i = 0; i < more; i++) g->picks[i]->fanout = true;
}

static size_t send_own(hf_gossip *g, uint64_t now_ms, hf_gossip_kept *kept) {
    hf_gossip_topic *topic = kept->topic;
    bool flood = !g->config.no_flood_publish;
    size_t n = 0;
    if (!flood && !topic->subscribed) fill_fanout(g, now_ms, topic);
    for (hf_gossip_member *m = topic->first_member; m; m = m->next) {
        bool everybody = m->wants && (flood || m->peer->version == HF_GOSSIP_FLOOD);
        if (!everybody && !m->mesh && !m->fanout) continue;
        if (!m->mesh && hf_gossip_score_of(g, m->peer) < g->config.score.publish_threshold) continue;
        n += hf_gossip_send_kept(g, m->peer, kept, HF_GOSSIP_OWN);
    }
    return n;
}

/* *kept gets the message, signed. */
static hf_err make_message(hf_gossip *g, hf_gossip_topic *topic, hf_bytes data, hf_gossip_kept **ret_kept) {
    uint8_t seqno[HF_GOSSIP_SEQNO_LEN], signature[64];
    uint64_t number = g->next_seqno++;
    for (size_t i = 0; i < sizeof seqno; i++) seqno[i] = (uint8_t)(number >> (56 - 8 * i));
    hf_gossip_message m = {.from = hf_peer_id_bytes(&g->self), .data = data, .topic = hf_gossip_topic_name(topic)};
    if (!m.data.ptr) m.data.ptr = seqno; /* empty data are written as such */
    m.seqno = HF_BYTES(seqno, sizeof seqno);
    hf_buf_clear(&g->scratch);
    hf_gossip_add_signed(&g->scratch, &m);
    if (g->scratch.err) return HF_NOMEM;
    hf_ed25519_sign(g->seed, g->public_key, hf_buf_bytes(&g->scratch), signature);
    m.signature = HF_BYTES(signature, sizeof signature);
    m.key = hf_buf_bytes(&g->key);
    hf_gossip_kept *kept = hf_gossip_keep(g, topic, &m);
    if (!kept) return HF_NOMEM;
    hf_gossip_verified author = {.from = g->self, .key_len = (uint8_t)g->key.len};
    memcpy(author.key, g->key.ptr, g->key.len);
    kept->id.len = (uint8_t)hf_gossip_id_of(&author, m.seqno, g->config.ids_by_specification, kept->id.bytes);
    kept->from = g->self;
    *ret_kept = kept;
    return HF_OK;
}

hf_err hf_gossip_publish(hf_gossip *g, uint64_t now_ms, hf_bytes name, hf_bytes data, hf_gossip_id *ret_id, size_t *ret_n_peers) {
    if (!name.len || name.len > HF_GOSSIP_TOPIC_MAX || data.len > g->config.message_bytes_max) return HF_LIMIT;
    hf_gossip_topic *topic = hf_gossip_topic_make(g, name);
    if (!topic) return g->topics.n >= g->config.topics_max ? HF_LIMIT : HF_NOMEM;
    hf_gossip_kept *kept;
    hf_err err = make_message(g, topic, data, &kept);
    if (err) {
        hf_gossip_topic_settle(g, topic);
        return err;
    }
    err = hf_gossip_see(g, now_ms, &kept->id, 0, kept);
    if (!err) {
        kept->seen->state = HF_GOSSIP_ACCEPTED;
        kept->seen->validated_ms = now_ms;
        hf_gossip_history_add(g, kept);
        size_t n = send_own(g, now_ms, kept);
        if (ret_n_peers) *ret_n_peers = n;
        if (ret_id) *ret_id = kept->id;
        g->stats.n_published++;
        hf_gossip_wake(g, now_ms);
    }
    hf_gossip_kept_release(g, kept);
    hf_gossip_flush(g, now_ms);
    return err;
}

/* ---- a verdict ---- */

static void settle_scores(hf_gossip *g, uint64_t now_ms, const hf_gossip_kept *kept, bool valid) {
    for (size_t i = 0; i <= kept->n_heard; i++) {
        hf_gossip_peer *peer = hf_gossip_peer_numbered(g, i == 0 ? kept->source : kept->heard[i - 1]);
        if (!peer || !peer->connected) continue;
        if (valid) hf_gossip_score_delivered(g, now_ms, peer, kept->topic, i == 0);
        else hf_gossip_score_invalid(g, peer, kept->topic);
    }
}

/* Takes over the caller's reference: the message that was pending is not any more. */
void hf_gossip_settle_pending(hf_gossip *g, uint64_t now_ms, hf_gossip_kept *kept, hf_gossip_verdict verdict) {
    static const hf_gossip_state states[] = {HF_GOSSIP_ACCEPTED, HF_GOSSIP_REJECTED, HF_GOSSIP_IGNORED};
    kept->pending = false;
    g->n_pending--;
    g->pending_bytes -= kept->frame_len;
    if (kept->seen) {
        kept->seen->state = states[verdict];
        kept->seen->validated_ms = now_ms;
    }
    if (verdict == HF_GOSSIP_ACCEPT) {
        hf_gossip_history_add(g, kept);
        pass_on(g, kept);
    }
    if (verdict != HF_GOSSIP_IGNORE) settle_scores(g, now_ms, kept, verdict == HF_GOSSIP_ACCEPT);
    hf_gossip_kept_release(g, kept);
}

void hf_gossip_validated(hf_gossip *g, uint64_t now_ms, hf_bytes id, hf_gossip_verdict verdict) {
    hf_gossip_seen *seen = hf_gossip_seen_of(g, id);
    if (!seen || !seen->kept || !seen->kept->pending) return;
    hf_gossip_settle_pending(g, now_ms, seen->kept, verdict);
    hf_gossip_flush(g, now_ms);
}

/* ---- others' ---- */

static void duplicate(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_gossip_topic *topic, hf_gossip_seen *seen) {
    g->stats.n_duplicates++;
    if (seen->source == peer->number) return;
    hf_gossip_kept *kept = seen->kept;
    if (kept && heard_from(kept, peer)) return;
    if (kept && kept->n_heard < HF_GOSSIP_HEARD_MAX) kept->heard[kept->n_heard++] = peer->number;
    bool soon = now_ms - seen->validated_ms <= topic->score.delivery_window_ms;
    if (seen->state == HF_GOSSIP_REJECTED) hf_gossip_score_invalid(g, peer, topic);
    if (seen->state == HF_GOSSIP_ACCEPTED && soon) hf_gossip_score_delivered(g, now_ms, peer, topic, false);
}

static void invalid(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_topic *topic) {
    g->stats.n_invalid++;
    hf_gossip_score_invalid(g, peer, topic);
}

static bool has_room(const hf_gossip *g, const hf_gossip_message *m) {
    return g->n_pending < g->config.pending_max && g->pending_bytes + m->data.len < g->config.pending_bytes_max;
}

/* Before anything that costs much. One that brings a little too much loses that; one that goes on so is not read for long. */
static bool is_over_budget(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer) {
    double rate = g->config.messages_a_second, most = rate * HF_GOSSIP_BURST_S;
    if (now_ms > peer->credit_ms) peer->credit += (double)(now_ms - peer->credit_ms) * rate / 1000;
    if (peer->credit > most) peer->credit = most;
    peer->credit_ms = now_ms;
    if (peer->credit >= 1) return peer->credit -= 1, false;
    g->stats.n_over++;
    if (++peer->n_over * HF_GOSSIP_OVER_PARTS < g->config.messages_a_second) return true;
    peer->n_over = 0;
    hf_gossip_penalty(g, peer, 1);
    return true;
}

static hf_err verify(hf_gossip *g, const hf_gossip_message *m, const hf_gossip_verified *author) {
    hf_buf_clear(&g->scratch);
    hf_gossip_add_signed(&g->scratch, m);
    if (g->scratch.err) return HF_NOMEM;
    hf_err err;
    if (hf_gossip_was_checked(g, author, hf_buf_bytes(&g->scratch), m->signature, &err)) return err;
    return hf_public_key_verify(HF_BYTES(author->key, author->key_len), hf_buf_bytes(&g->scratch), m->signature);
}

/* A sound message that nobody saw before. HF_NOMEM: as if it had not come. */
static hf_err take(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_gossip_topic *topic, const hf_gossip_message *m,
                   const hf_peer_id *from, const hf_gossip_id *id) {
    hf_gossip_kept *kept = hf_gossip_keep(g, topic, m);
    if (!kept) return HF_NOMEM;
    kept->id = *id;
    kept->from = *from;
    kept->source = peer->number;
    hf_err err = hf_gossip_see(g, now_ms, id, peer->number, kept);
    if (!err && (err = hf_gossip_tell_message(g, &peer->id, kept, !topic->auto_accept))) hf_gossip_unsee(g, kept->seen);
    if (err) {
        hf_gossip_kept_release(g, kept);
        return err;
    }
    kept->pending = true;
    g->n_pending++;
    g->pending_bytes += kept->frame_len;
    g->stats.n_delivered++;
    hf_gossip_wake(g, now_ms);
    tell_unwanted(g, kept);
    if (topic->auto_accept) hf_gossip_settle_pending(g, now_ms, kept, HF_GOSSIP_ACCEPT);
    return HF_OK;
}

void hf_gossip_message_in(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_message *m) {
    hf_gossip_topic *topic = hf_gossip_topic_of(g, m->topic);
    if (!topic || !topic->subscribed) return; /* a late one, or nonsense: neither costs anything */
    hf_gossip_verified author;
    hf_gossip_id id;
    const char *reason;
    if (m->data.len > g->config.message_bytes_max || hf_gossip_author(m, &author, &reason)) return invalid(g, peer, topic);
    id.len = (uint8_t)hf_gossip_id_of(&author, m->seqno, g->config.ids_by_specification, id.bytes);
    hf_bytes key = HF_BYTES(id.bytes, id.len);
    hf_gossip_seen *seen = hf_gossip_seen_of(g, key);
    if (seen) return duplicate(g, now_ms, peer, topic, seen);
    /* Our own from an earlier life, perhaps: nobody is to blame. */
    if (hf_peer_id_eq(&author.from, &g->self)) return hf_gossip_promise_release(peer, key);
    if (is_over_budget(g, now_ms, peer)) return hf_gossip_promise_release(peer, key);
    if (!has_room(g, m)) {
        g->stats.n_throttled++;
        return hf_gossip_promise_release(peer, key);
    }
    hf_err err = verify(g, m, &author);
    if (!err) err = take(g, now_ms, peer, topic, m, &author.from, &id);
    if (err == HF_NOMEM || err == HF_LIMIT) return hf_gossip_promise_release(peer, key);
    if (err) invalid(g, peer, topic);
}

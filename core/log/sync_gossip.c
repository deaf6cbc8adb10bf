/* sync_gossip: the pubsub half of OrbitDB's way: a database's address is a topic, a message is the bytes of one entry. Interop notes section 11.
 *
 * js publishes what it writes, once. Here a head that becomes durable is published whoever wrote it, unless it came by gossip: what reached us by
 * another way is then told to those who only listen (orbitdb/orbitdb#1255). Peers that speak Holdfast's own sync have it from there, so where all
 * subscribers do, nothing is published. At most HF_SYNC_PUBLISH_A_SECOND a database: what is left out the comparing of heads finds.
 *
 * Verdicts: an entry that joins, is a head here or waits for something travels on, once; bytes that are no entry cost their bearer its score; what we
 * refuse for other reasons goes no further here, and nobody is blamed: js passes messages on before it looks into them. But finding that out costs us a
 * signature, so of a bearer who brings much of it no more is looked at: HF_SYNC_GOSSIP_REFUSED in a row, then one a second. */
#include "sync_private.h"

#include <string.h>

void hf_sync_gossip(hf_sync *s, hf_gossip *gossip) {
    s->gossip = gossip;
    s->heads_every_ms = HF_SYNC_COMPARE_MS;
}

hf_err hf_sync_gossip_join(hf_sync *s, uint64_t now_ms, const hf_sync_db *db) {
    return s->gossip ? hf_gossip_subscribe(s->gossip, now_ms, hf_log_address(db->log), NULL) : HF_OK;
}

void hf_sync_gossip_leave(hf_sync *s, uint64_t now_ms, const hf_sync_db *db) {
    if (s->gossip) hf_gossip_unsubscribe(s->gossip, now_ms, hf_log_address(db->log));
}

/* ---- saying ---- */

static bool came_by_gossip(const hf_sync_db *db, const uint8_t digest[32]) {
    for (size_t i = 0; i < HF_SYNC_GOSSIPED; i++)
        if (!memcmp(db->gossiped[i], digest, 32)) return true;
    return false;
}

/* Does somebody listen who has no better way? */
static bool has_listeners(hf_sync *s, hf_sync_db *db) {
    size_t n = hf_gossip_n_subscribers(s->gossip, hf_log_address(db->log));
    for (hf_sync_peer *p = s->peers; p && n; p = p->next) {
        const hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        n -= link && link->speaks_sync;
    }
    return n > 0;
}

static bool may_publish(uint64_t now_ms, hf_sync_db *db) {
    if (now_ms >= db->publish_ms + 1000) {
        db->publish_ms = now_ms;
        db->n_published = 0;
    }
    return db->n_published++ < HF_SYNC_PUBLISH_A_SECOND;
}

void hf_sync_gossip_durable(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_log_item *item) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    if (!s->gossip || !item->head || came_by_gossip(db, item->digest) || !has_listeners(s, db) || !may_publish(now_ms, db)) return;
    hf_cid_from_digest(item->digest, cid);
    if (s->blocks.get(s->blocks.ctx, HF_BYTES(cid, sizeof cid), &block) || block.len > HF_SYNC_HEAD_FRAME_MAX) return;
    (void)!hf_gossip_publish(s->gossip, now_ms, hf_log_address(db->log), block, NULL, NULL); /* without memory: heads are compared */
}

/* ---- hearing ---- */

static hf_sync_db *db_of_topic(const hf_sync *s, hf_bytes topic) {
    for (size_t i = 0; i < s->n_dbs; i++)
        if (s->dbs[i] && hf_eq(hf_log_address(s->dbs[i]->log), topic)) return s->dbs[i];
    return NULL;
}

/* Credit comes back with time. */
static bool has_credit(uint64_t now_ms, hf_sync_peer *peer) {
    if (!peer) return true;
    uint64_t n_back = (now_ms - peer->gossip_ms) / 1000;
    if (n_back) peer->gossip_ms = now_ms;
    peer->n_gossip_refused = n_back < peer->n_gossip_refused ? peer->n_gossip_refused - (unsigned)n_back : 0;
    return peer->n_gossip_refused < HF_SYNC_GOSSIP_REFUSED;
}

static void heard(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_gossip_out *out) {
    bool fits = has_credit(now_ms, hf_sync_peer_of(s, &out->peer, false)) && out->data.len <= HF_ENTRY_BYTES_MAX && s->n_messages < HF_SYNC_MESSAGES_MAX && out->id.len <= HF_GOSSIP_ID_MAX;
    hf_sync_job *job = fits ? hf_alloc(s->mem, sizeof *job + out->data.len) : NULL;
    if (!job) return hf_gossip_validated(s->gossip, now_ms, out->id, HF_GOSSIP_IGNORE);
    *job = (hf_sync_job){.peer = out->peer, .db = db, .id_len = (uint8_t)out->id.len, .len = out->data.len};
    memcpy(job->id, out->id.ptr, out->id.len);
    memcpy(job->block, out->data.ptr, out->data.len);
    s->n_messages++;
    hf_sync_job_add(s, job);
}

/* Whoever comes to listen may have missed what was said before. */
static void exchange_heads(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_peer_id *id) {
    hf_sync_link *link = hf_sync_link_of(s, hf_sync_peer_of(s, id, false), db, false);
    if (!link || link->speaks_sync || !link->speaks_heads) return;
    uint64_t allowed_ms = link->heads_last_ms + HF_SYNC_HEADS_GAP_MS;
    link->heads_ms = now_ms < allowed_ms ? allowed_ms : now_ms;
    hf_sync_due(s, link->heads_ms);
    hf_sync_wake(s, link);
}

void hf_sync_gossip_event(hf_sync *s, uint64_t now_ms, const hf_gossip_out *out) {
    hf_sync_db *db = db_of_topic(s, out->topic);
    if (out->kind == HF_GOSSIP_MESSAGE && db) heard(s, now_ms, db, out);
    else if (out->kind == HF_GOSSIP_MESSAGE) hf_gossip_validated(s->gossip, now_ms, out->id, HF_GOSSIP_IGNORE);
    else if (out->kind == HF_GOSSIP_SUBSCRIBED && db) exchange_heads(s, now_ms, db, &out->peer);
}

/* Was it passed on, or has something been written on it since? Then whoever listens has it, or finds it by comparing heads; a message around it may be
 * new, and signed by anybody. Else it is noted as one that came by gossip. */
static bool is_stale(hf_sync_db *db, hf_bytes block) {
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    if (came_by_gossip(db, digest)) return true;
    uint32_t index = hf_log_find(db->log, digest);
    if (index != UINT32_MAX && !hf_log_item_at(db->log, index)->head) return true;
    memcpy(db->gossiped[db->n_gossiped++ % HF_SYNC_GOSSIPED], digest, 32);
    return false;
}

hf_sync_kind hf_sync_gossip_work(hf_sync *s, uint64_t now_ms, hf_sync_job *job, hf_sync_out *out) {
    uint32_t index;
    hf_bytes block = HF_BYTES(job->block, job->len);
    bool stale = is_stale(job->db, block);
    s->n_messages--;
    s->blameless = true;
    hf_sync_kind kind = hf_sync_join(s, job->db, &job->peer, block, &index, out);
    s->blameless = false;
    hf_gossip_verdict verdict = stale || s->turned_away ? HF_GOSSIP_IGNORE : HF_GOSSIP_ACCEPT;
    if (kind == HF_SYNC_REFUSED && out->err != HF_MISSING && !s->turned_away) {
        hf_sync_peer *peer = hf_sync_peer_of(s, &job->peer, false);
        if (peer) peer->n_gossip_refused++;
        verdict = out->err == HF_MALFORMED ? HF_GOSSIP_REJECT : HF_GOSSIP_IGNORE;
    }
    hf_gossip_validated(s->gossip, now_ms, HF_BYTES(job->id, job->id_len), verdict);
    return kind;
}

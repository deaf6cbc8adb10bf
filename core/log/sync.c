/* sync: see sync.h. Life, events, time. Whose turn it is: sync_work.c. */
#include "sync_private.h"

#include <string.h>

/* ---- life ---- */

hf_sync *hf_sync_new(hf_mem *mem, hf_swarm *swarm, hf_bitswap *bitswap, hf_block_source blocks, uint32_t tag_first) {
    hf_sync *s = hf_alloc(mem, sizeof *s);
    if (!s) return NULL;
    *s = (hf_sync){
        .mem = mem, .swarm = swarm, .bitswap = bitswap, .blocks = blocks, .tag_first = tag_first, .due_ms = UINT64_MAX,
        .heads_every_ms = HF_SYNC_HEADS_MS};
    hf_arena_init(&s->arena, mem);
    hf_buf_init(&s->frame, mem);
    hf_buf_init(&s->have, mem);
    return s;
}

void hf_sync_spread(hf_sync *s, const hf_spread *spread) { s->spread = spread; }

void hf_sync_heads_only(hf_sync *s) { s->heads_only = true; }

static void asleep(hf_sync *s, hf_sync_link *link) {
    hf_sync_link **at = &s->awake;
    s->awake_last = NULL;
    while (*at) {
        if (*at == link) *at = link->next_awake;
        else {
            s->awake_last = *at;
            at = &(*at)->next_awake;
        }
    }
}

static void link_free(hf_sync *s, hf_sync_link *link) {
    if (link->awake) asleep(s, link);
    hf_sync_heads_free(s, link);
    hf_sync_link_deinit(s, link);
    hf_release(s->mem, link, sizeof *link);
}

static void peer_free(hf_sync *s, hf_sync_peer *peer) {
    for (size_t i = 0; i < peer->links_cap; i++) {
        if (peer->links[i]) link_free(s, peer->links[i]);
    }
    hf_release(s->mem, peer->links, peer->links_cap * sizeof(hf_sync_link *));
    hf_sync_peer **at = &s->peers;
    while (*at != peer) at = &(*at)->next;
    *at = peer->next;
    hf_release(s->mem, peer, sizeof *peer);
}

static void db_free(hf_sync *s, hf_sync_db *db) {
    if (db->sync) hf_log_door(db->log, NULL, NULL);
    hf_buf_deinit(&db->sync_name);
    hf_buf_deinit(&db->heads_name);
    hf_release(s->mem, db->writers, db->writers_cap * sizeof *db->writers);
    hf_release(s->mem, db->wants, db->wants_cap * sizeof *db->wants);
    hf_release(s->mem, db, sizeof *db);
}

void hf_sync_job_free(hf_sync *s, hf_sync_job *job) {
    if (job) hf_release(s->mem, job, sizeof *job + job->len);
}

void hf_sync_free(hf_sync *s) {
    if (!s) return;
    while (s->peers) peer_free(s, s->peers);
    for (hf_sync_job *next; s->jobs; s->jobs = next) {
        next = s->jobs->next;
        hf_sync_job_free(s, s->jobs);
    }
    hf_sync_job_free(s, s->shown);
    for (size_t i = 0; i < s->n_dbs; i++)
        if (s->dbs[i]) db_free(s, s->dbs[i]);
    hf_release(s->mem, s->dbs, s->dbs_cap * sizeof *s->dbs);
    hf_arena_deinit(&s->arena);
    hf_buf_deinit(&s->frame);
    hf_buf_deinit(&s->have);
    hf_release(s->mem, s, sizeof *s);
}

/* ---- peers and links ---- */

hf_sync_peer *hf_sync_peer_of(hf_sync *s, const hf_peer_id *id, bool make) {
    hf_sync_peer **at = &s->peers;
    while (*at && !hf_peer_id_eq(&(*at)->id, id)) at = &(*at)->next;
    if (*at || !make) return *at;
    hf_sync_peer *peer = hf_alloc(s->mem, sizeof *peer);
    if (!peer) return NULL;
    peer->id = *id;
    return *at = peer;
}

static hf_err grow_links(hf_sync *s, hf_sync_peer *peer, size_t n) {
    size_t before = peer->links_cap;
    hf_err err = hf_grow(s->mem, (void **)&peer->links, &peer->links_cap, sizeof(hf_sync_link *), n);
    for (size_t i = before; i < peer->links_cap; i++) peer->links[i] = NULL;
    return err;
}

hf_sync_link *hf_sync_link_of(hf_sync *s, hf_sync_peer *peer, hf_sync_db *db, bool make) {
    if (!peer || (!make && db->number >= peer->links_cap) || grow_links(s, peer, db->number + 1)) return NULL;
    hf_sync_link *link = peer->links[db->number];
    if (link || !make) return link;
    link = hf_alloc(s->mem, sizeof *link);
    if (!link) return NULL;
    link->peer = peer;
    link->db = db;
    link->level_n = SIZE_MAX;
    hf_buf_init(&link->in, s->mem);
    hf_buf_init(&link->blocked, s->mem);
    for (size_t i = 0; i < HF_SYNC_CANDIDATES; i++) hf_buf_init(&link->candidates[i], s->mem);
    return peer->links[db->number] = link;
}

void hf_sync_wake(hf_sync *s, hf_sync_link *link) {
    if (link->awake) return;
    link->awake = true;
    link->next_awake = NULL;
    if (s->awake_last) s->awake_last->next_awake = link;
    else s->awake = link;
    s->awake_last = link;
}

void hf_sync_due(hf_sync *s, uint64_t at_ms) {
    if (at_ms && at_ms < s->due_ms) s->due_ms = at_ms;
}

void hf_sync_abuse(hf_sync *s, hf_sync_peer *peer, const char *reason) {
    if (peer->abuse) return;
    peer->abuse = reason;
    peer->abuse_due = true;
    for (size_t i = 0; i < s->n_dbs; i++) {
        hf_sync_link *link = s->dbs[i] ? hf_sync_link_of(s, peer, s->dbs[i], false) : NULL;
        if (link) hf_sync_wake(s, link);
    }
}

/* No memory now: all peers are looked through again in a while. */
static void meet_later(hf_sync *s, uint64_t now_ms) {
    s->meet_ms = now_ms + HF_SYNC_REOPEN_MS;
    hf_sync_due(s, s->meet_ms);
}

/* Decides which way to go with this peer. Whoever dialled opens Holdfast's stream; the other side only if none has come
 * after a while. */
static void meet(hf_sync *s, uint64_t now_ms, hf_sync_peer *peer, hf_sync_db *db) {
    hf_sync_link *link = hf_sync_link_of(s, peer, db, true);
    if (!link) return meet_later(s, now_ms);
    link->speaks_sync = !s->heads_only && hf_swarm_peer_speaks(s->swarm, &peer->id, hf_buf_bytes(&db->sync_name));
    link->speaks_heads = hf_swarm_peer_speaks(s->swarm, &peer->id, hf_buf_bytes(&db->heads_name));
    if (link->speaks_sync && !link->has_stream && !link->open_ms)
        link->open_ms = now_ms + (peer->dialed ? 0 : HF_SYNC_COMPARE_MS);
    if (!link->speaks_sync && link->speaks_heads && !link->heads_ms) link->heads_ms = now_ms;
    hf_sync_due(s, link->open_ms);
    hf_sync_wake(s, link);
}

static hf_err add_db(hf_sync *s, hf_sync_db *db) {
    hf_buf_add_str(&db->sync_name, HF_SYNC_PROTOCOL);
    hf_buf_add(&db->sync_name, hf_log_address(db->log));
    hf_buf_add_str(&db->heads_name, HF_HEADS_PROTOCOL);
    hf_buf_add(&db->heads_name, hf_log_address(db->log));
    uint32_t tag = s->tag_first + 2 * db->number;
    hf_err err = db->sync_name.err ? db->sync_name.err : db->heads_name.err;
    if (!err) err = hf_grow(s->mem, (void **)&s->dbs, &s->dbs_cap, sizeof *s->dbs, s->n_dbs + 1);
    if (!err && !s->heads_only) err = hf_swarm_protocol(s->swarm, hf_buf_bytes(&db->sync_name), tag);
    if (!err && (err = hf_swarm_protocol(s->swarm, hf_buf_bytes(&db->heads_name), tag + 1)))
        hf_swarm_protocol_drop(s->swarm, hf_buf_bytes(&db->sync_name));
    if (err) return err;
    s->dbs[db->number] = db;
    if (db->number == s->n_dbs) s->n_dbs++;
    return HF_OK;
}

hf_err hf_sync_add(hf_sync *s, uint64_t now_ms, hf_log *log, uint64_t context) {
    hf_sync_db *db = hf_alloc(s->mem, sizeof *db);
    if (!db) return HF_NOMEM;
    db->log = log;
    db->context = context;
    while (db->number < s->n_dbs && s->dbs[db->number]) db->number++;
    hf_buf_init(&db->sync_name, s->mem);
    hf_buf_init(&db->heads_name, s->mem);
    hf_err err = add_db(s, db);
    if (!err && (err = hf_sync_gossip_join(s, now_ms, db))) return hf_sync_remove(s, now_ms, log), err;
    if (err) {
        db_free(s, db);
        return err;
    }
    db->sync = s;
    hf_sync_quota_open(s, now_ms, db);
    for (hf_sync_peer *p = s->peers; p; p = p->next) meet(s, now_ms, p, db);
    return HF_OK;
}

static hf_sync_db *db_of(hf_sync *s, const hf_log *log) {
    for (size_t i = 0; i < s->n_dbs; i++)
        if (s->dbs[i] && s->dbs[i]->log == log) return s->dbs[i];
    return NULL;
}

static void drop_jobs(hf_sync *s, const hf_sync_db *db) {
    s->jobs_last = NULL;
    for (hf_sync_job **at = &s->jobs; *at;) {
        hf_sync_job *job = *at;
        if (job->db == db) {
            *at = job->next;
            s->n_messages -= job->id_len > 0;
            hf_sync_job_free(s, job);
        } else {
            s->jobs_last = job;
            at = &job->next;
        }
    }
}

static void leave_link(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    if (link->has_stream) hf_swarm_stream_finish(s->swarm, now_ms, link->stream);
    link->peer->links[link->db->number] = NULL;
    link_free(s, link);
}

void hf_sync_remove(hf_sync *s, uint64_t now_ms, const hf_log *log) {
    hf_sync_db *db = db_of(s, log);
    if (!db) return;
    for (hf_sync_peer *p = s->peers; p; p = p->next) {
        hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        if (link) leave_link(s, now_ms, link);
    }
    drop_jobs(s, db);
    hf_sync_gossip_leave(s, now_ms, db);
    hf_swarm_protocol_drop(s->swarm, hf_buf_bytes(&db->sync_name));
    hf_swarm_protocol_drop(s->swarm, hf_buf_bytes(&db->heads_name));
    s->dbs[db->number] = NULL;
    db_free(s, db);
}

void hf_sync_retry(hf_sync *s, uint64_t now_ms, const hf_log *log) {
    hf_sync_db *db = db_of(s, log);
    if (!db) return;
    db->ready = db->wanting = true;
    for (hf_sync_peer *p = s->peers; p; p = p->next) {
        hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        if (!link) continue;
        link->n_refused = 0;
        link->ask_ms = link->knows_peer_heads ? now_ms : 0; /* the heads that were refused are unknown again */
        link->ask_gap_ms = 0;
        if (link->speaks_heads && !link->speaks_sync) hf_sync_due(s, link->heads_ms = now_ms);
        hf_sync_wake(s, link);
    }
}

bool hf_sync_owns_tag(const hf_sync *s, uint32_t tag) {
    return tag >= s->tag_first && tag - s->tag_first < 2 * s->n_dbs;
}

/* ---- events ---- */

static void identified(hf_sync *s, uint64_t now_ms, const hf_swarm_out *e) {
    hf_sync_peer *peer = hf_sync_peer_of(s, &e->peer, true);
    if (!peer) return meet_later(s, now_ms);
    peer->dialed = !e->inbound;
    for (size_t i = 0; i < s->n_dbs; i++)
        if (s->dbs[i]) meet(s, now_ms, peer, s->dbs[i]);
}

static void conn_down(hf_sync *s, uint64_t now_ms, const hf_swarm_out *e) {
    hf_sync_peer *peer = e->last ? hf_sync_peer_of(s, &e->peer, false) : NULL;
    if (!peer) return;
    for (size_t i = 0; i < s->n_dbs; i++) {
        hf_sync_link *link = s->dbs[i] ? hf_sync_link_of(s, peer, s->dbs[i], false) : NULL;
        if (link) hf_sync_wants_of_stream_failed(s, now_ms, link);
    }
    peer_free(s, peer);
}

static void stream_event(hf_sync *s, uint64_t now_ms, const hf_swarm_out *e) {
    hf_sync_db *db = s->dbs[(e->tag - s->tag_first) / 2];
    bool heads = (e->tag - s->tag_first) % 2;
    bool arrives = e->kind == HF_SWARM_STREAM_OPEN && e->inbound;
    hf_sync_link *link = db ? hf_sync_link_of(s, hf_sync_peer_of(s, &e->peer, arrives), db, arrives) : NULL;
    if (link && !link->peer->abuse) {
        if (heads) hf_sync_heads_event(s, now_ms, link, e);
        else hf_sync_stream_event(s, now_ms, link, e);
        hf_sync_wake(s, link);
    } else if (arrives) hf_swarm_stream_finish(s->swarm, now_ms, e->stream);
}

void hf_sync_event(hf_sync *s, uint64_t now_ms, const hf_swarm_out *e) {
    switch (e->kind) {
    case HF_SWARM_IDENTIFIED: identified(s, now_ms, e); break;
    case HF_SWARM_CONN_DOWN: conn_down(s, now_ms, e); break;
    case HF_SWARM_STREAM_OPEN:
    case HF_SWARM_STREAM_DATA:
    case HF_SWARM_STREAM_FIN:
    case HF_SWARM_STREAM_DRAINED:
    case HF_SWARM_STREAM_GONE:
        if (hf_sync_owns_tag(s, e->tag)) stream_event(s, now_ms, e);
        break;
    default: break;
    }
}

void hf_sync_job_add(hf_sync *s, hf_sync_job *job) {
    if (s->jobs_last) s->jobs_last->next = job;
    else s->jobs = job;
    s->jobs_last = job;
}

static hf_err add_job(hf_sync *s, hf_sync_db *db, const hf_bitswap_out *out, bool identity) {
    hf_sync_job *job = hf_alloc(s->mem, sizeof *job + out->block.len);
    if (!job) return HF_NOMEM;
    *job = (hf_sync_job){.peer = out->peer, .db = db, .identity = identity, .len = out->block.len};
    memcpy(job->block, out->block.ptr, out->block.len);
    hf_sync_job_add(s, job);
    return HF_OK;
}

static void brought(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_bitswap_out *out) {
    hf_sync_want *want = hf_sync_want_find(db, out->cid.ptr + HF_CID_LEN - 32);
    if (!want) return;
    size_t len_max = want->identity ? HF_SYNC_IDENTITY_BYTES_MAX : HF_ENTRY_BYTES_MAX;
    if (out->kind != HF_BITSWAP_BLOCK || out->block.len > len_max) return hf_sync_want_failed(s, now_ms, db, want);
    if (!add_job(s, db, out, want->identity)) return;
    /* Forgotten here; the log reports it anew when there may be memory again. */
    hf_sync_want_met(db, want->digest);
    hf_sync_rewant(s, now_ms, db);
}

/* Bitswap keeps one want a CID; several logs may have asked for the same identity. */
void hf_sync_bitswap(hf_sync *s, uint64_t now_ms, const hf_bitswap_out *out) {
    if (out->cid.len != HF_CID_LEN) return;
    for (size_t i = 0; i < s->n_dbs; i++)
        if (s->dbs[i]) brought(s, now_ms, s->dbs[i], out);
}

static void wake_all(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    for (hf_sync_peer *p = s->peers; p; p = p->next) {
        hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        if (!link) continue;
        uint64_t allowed_ms = link->heads_last_ms + HF_SYNC_HEADS_GAP_MS;
        if (!link->speaks_sync && link->speaks_heads) link->heads_ms = now_ms < allowed_ms ? allowed_ms : now_ms;
        hf_sync_due(s, link->heads_ms);
        hf_sync_check_level(s, link);
        hf_sync_wake(s, link);
    }
}

static void note_durable(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_log_item *item) {
    hf_sync_writer *w = &db->writers[item->writer];
    if (w->durable_time < item->time) w->durable_time = item->time;
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(item->digest, cid);
    hf_bitswap_have(s->bitswap, now_ms, HF_BYTES(cid, sizeof cid));
    hf_sync_gossip_durable(s, now_ms, db, item);
}

void hf_sync_durable(hf_sync *s, uint64_t now_ms, const hf_log *log, size_t n_entries) {
    hf_sync_db *db = db_of(s, log);
    HF_ASSERT(db && n_entries <= hf_log_n(log));
    if (db->n_told_durable < n_entries) db->n_told_durable = n_entries;
    if (db->n_durable >= db->n_told_durable) return;
    if (hf_sync_writers_reserve(s, db)) return hf_sync_rewant(s, now_ms, db); /* tried again then */
    while (db->n_durable < db->n_told_durable) note_durable(s, now_ms, db, hf_log_item_at(log, (uint32_t)db->n_durable++));
    wake_all(s, now_ms, db);
}

/* ---- time ---- */

uint64_t hf_sync_deadline(const hf_sync *s) { return s->due_ms; }

static void link_tick(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    uint64_t dues[] = {link->open_ms, link->compare_ms, link->ask_ms, link->heads_ms};
    for (size_t i = 0; i < HF_COUNT(dues); i++) {
        if (dues[i] && dues[i] <= now_ms) hf_sync_wake(s, link);
        else hf_sync_due(s, dues[i]);
    }
    hf_sync_heads_tick(s, now_ms, link);
}

static void meet_again(hf_sync *s, uint64_t now_ms) {
    if (!s->meet_ms) return;
    if (s->meet_ms > now_ms) return hf_sync_due(s, s->meet_ms);
    s->meet_ms = 0;
    const hf_peer_id *id;
    for (size_t i = 0; (id = hf_swarm_peer(s->swarm, i)); i++) {
        hf_sync_peer *peer = hf_sync_peer_of(s, id, true);
        if (!peer) return meet_later(s, now_ms);
        for (size_t k = 0; k < s->n_dbs; k++)
            if (s->dbs[k]) meet(s, now_ms, peer, s->dbs[k]);
    }
}

void hf_sync_tick(hf_sync *s, uint64_t now_ms) {
    if (now_ms < s->due_ms) return;
    s->due_ms = UINT64_MAX;
    meet_again(s, now_ms);
    for (size_t i = 0; i < s->n_dbs; i++) {
        if (!s->dbs[i]) continue;
        hf_sync_fetch_tick(s, now_ms, s->dbs[i]);
        hf_sync_quota_tick(s, now_ms, s->dbs[i]);
        for (hf_sync_peer *p = s->peers; p; p = p->next) {
            hf_sync_link *link = hf_sync_link_of(s, p, s->dbs[i], false);
            if (link) link_tick(s, now_ms, link);
        }
    }
}

/* ---- looking in ---- */

static size_t link_behind(hf_sync_link *link) {
    size_t n = 0;
    const hf_log *log = link->db->log;
    for (size_t i = link->n_confirmed; i < hf_log_n(log); i++) {
        const hf_log_item *item = hf_log_item_at(log, (uint32_t)i);
        if (item->writer >= link->n_times || link->times[item->writer].confirmed < item->time) n++;
        else if (!n) link->n_confirmed = i + 1;
    }
    return n;
}

size_t hf_sync_behind(const hf_sync *s, const hf_peer_id *peer) {
    const hf_sync_peer *p = s->peers;
    while (p && !hf_peer_id_eq(&p->id, peer)) p = p->next;
    size_t n = 0;
    bool any = false;
    for (size_t i = 0; p && i < s->n_dbs; i++) {
        if (!s->dbs[i]) continue;
        hf_sync_link *link = i < p->links_cap ? p->links[i] : NULL;
        bool heard = link && link->heard;
        any = any || heard;
        n += heard ? link_behind(link) : hf_log_n(s->dbs[i]->log);
    }
    return any ? n : SIZE_MAX;
}

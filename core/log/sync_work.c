/* sync_work: whose turn it is, and what comes out of it: a piece of work at a time, so that no peer holds up another. */
#include "sync_private.h"

static hf_sync_kind show_abuse(hf_sync_peer *peer, hf_sync_out *out) {
    if (!peer->abuse_due) return HF_SYNC_NONE;
    peer->abuse_due = false;
    out->peer = peer->id;
    out->reason = peer->abuse;
    return HF_SYNC_ABUSE;
}

static hf_sync_kind show_level(hf_sync_link *link, hf_sync_out *out) {
    if (!link->level_due) return HF_SYNC_NONE;
    link->level_due = false;
    out->peer = link->peer->id;
    out->context = link->db->context;
    return HF_SYNC_LEVEL;
}

/* One thing for one link: what is to be told, then sending, then hearing. */
static hf_sync_kind link_work(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_sync_out *out) {
    hf_sync_kind kind = show_abuse(link->peer, out);
    if (kind || link->peer->abuse) return kind;
    if ((kind = show_level(link, out))) return kind;
    if (hf_sync_stream_work(s, now_ms, link) || hf_sync_heads_open(s, now_ms, link)) return HF_SYNC_WORKED;
    if ((kind = hf_sync_input_work(s, now_ms, link, out))) return kind;
    return hf_sync_heads_work(s, link, out);
}

static hf_sync_link *pop_awake(hf_sync *s) {
    hf_sync_link *link = s->awake;
    s->awake = link->next_awake;
    if (!s->awake) s->awake_last = NULL;
    link->awake = false;
    return link;
}

/* Links in turn; one that had nothing to do sleeps until something wakes it. */
static hf_sync_kind links_work(hf_sync *s, uint64_t now_ms, hf_sync_out *out) {
    while (s->awake) {
        hf_sync_link *link = pop_awake(s);
        hf_sync_kind kind = link_work(s, now_ms, link, out);
        if (!kind) continue;
        hf_sync_wake(s, link);
        return kind;
    }
    return HF_SYNC_NONE;
}

/* The entries among the jobs that come next, as far as they are of one log. */
static void look_ahead(hf_sync *s) {
    hf_bytes blocks[HF_LOG_AHEAD_MAX];
    size_t n = 0;
    if (!s->spread || s->n_jobs_ahead-- > 0) return;
    s->n_jobs_ahead = 0;
    for (const hf_sync_job *job = s->jobs; job && job->db == s->jobs->db && n < HF_LOG_AHEAD_MAX; job = job->next, s->n_jobs_ahead++)
        if (!job->identity) blocks[n++] = HF_BYTES(job->block, job->len);
    if (n > 1) hf_log_look_ahead(s->jobs->db->log, s->spread, blocks, n);
    s->n_jobs_ahead--; /* the first one is dealt with now */
}

static hf_sync_kind job_work(hf_sync *s, uint64_t now_ms, hf_sync_out *out) {
    if (s->jobs) look_ahead(s);
    hf_sync_job *job = s->shown = s->jobs;
    if (!job) return HF_SYNC_NONE;
    s->jobs = job->next;
    if (!s->jobs) s->jobs_last = NULL;
    hf_bytes block = HF_BYTES(job->block, job->len);
    uint32_t index;
    if (job->id_len) return hf_sync_gossip_work(s, now_ms, job, out);
    if (job->identity) return hf_sync_join_identity(s, now_ms, job->db, &job->peer, block, out);
    return hf_sync_join(s, job->db, &job->peer, block, &index, out);
}

/* What joined may have let others join, or made the log want something: that goes before new input. */
static hf_sync_kind dbs_work(hf_sync *s, uint64_t now_ms, hf_sync_out *out) {
    for (size_t i = 0; i < s->n_dbs; i++) {
        hf_sync_db *db = s->dbs[i];
        if (!db) continue;
        hf_sync_kind kind = db->ready ? hf_sync_join_ready(s, now_ms, db, out) : HF_SYNC_NONE;
        if (!kind && (db->wanting || db->failed)) kind = hf_sync_fetch_work(s, now_ms, db, out);
        if (kind) return kind;
    }
    return HF_SYNC_NONE;
}

static bool flush(hf_sync *s, uint64_t now_ms) {
    if (!s->flush) return false;
    s->flush = false;
    hf_bitswap_flush(s->bitswap, now_ms);
    return true;
}

hf_sync_kind hf_sync_next(hf_sync *s, uint64_t now_ms, hf_sync_out *ret_out) {
    *ret_out = (hf_sync_out){.kind = HF_SYNC_NONE};
    s->now_ms = now_ms;
    hf_sync_job_free(s, s->shown);
    s->shown = NULL;
    if (s->arena.used_bytes) hf_arena_clear(&s->arena);
    hf_sync_kind kind = dbs_work(s, now_ms, ret_out);
    if (!kind) kind = job_work(s, now_ms, ret_out);
    if (!kind && flush(s, now_ms)) kind = HF_SYNC_WORKED;
    if (!kind) kind = links_work(s, now_ms, ret_out);
    return ret_out->kind = kind;
}

/* sync_quota: the door of this replica: what of others' entries it has room for. Never what is valid: an entry that is turned away here may be let in
 * later, by other replicas at once, and nothing that is in a log is shown otherwise for it.
 *
 * What a writer added lately is a bucket that leaks as much a day as it holds. A writer whose bucket runs over is turned away until it is half empty:
 * then the streams on which somebody was turned away begin anew, the clocks are exchanged, and what is missing comes in one go. Whatever an entry of
 * somebody else stands on comes in nevertheless, so that nobody is cut off by what another wrote. */
#include "sync_private.h"

#include <string.h>

enum { DAY_MS = 24 * 60 * 60 * 1000 };

static const char OVER_TOTAL[] = "sync: this writer has as much here as one may have", OVER_DAY[] = "sync: this writer wrote more than one may in a day";

/* What it added since it was last looked at, less what leaked. */
static void look_at(hf_sync *s, const hf_sync_db *db, uint32_t writer) {
    hf_sync_writer *w = &db->writers[writer];
    uint64_t bytes = hf_log_writer_bytes(db->log, writer), elapsed_ms = s->now_ms > w->looked_ms ? s->now_ms - w->looked_ms : 0;
    uint64_t leaked = (uint64_t)((double)s->quota.day_bytes * (double)elapsed_ms / DAY_MS);
    if (elapsed_ms > DAY_MS || leaked > w->lately) leaked = w->lately;
    if (leaked == w->lately) w->looked_ms = s->now_ms;
    else w->looked_ms += (uint64_t)((double)leaked * DAY_MS / (double)s->quota.day_bytes); /* what is less than a byte leaks the next time */
    w->lately += bytes - w->bytes_seen - leaked;
    w->bytes_seen = bytes;
    if (w->lately >= s->quota.day_bytes) w->shut = true;
    else if (w->lately <= s->quota.day_bytes / 2) w->shut = false;
}

static const char *closed_to(void *ctx, uint32_t writer, bool needed) {
    hf_sync_db *db = ctx;
    hf_sync *s = db->sync;
    if (s->full) return s->full;
    if (writer == UINT32_MAX || needed || hf_eq(hf_log_writer_key(db->log, writer), s->quota.exempt)) return NULL;
    if (s->quota.total_bytes && hf_log_writer_bytes(db->log, writer) >= s->quota.total_bytes) return OVER_TOTAL;
    if (!s->quota.day_bytes || hf_sync_writers_reserve(s, db)) return NULL;
    look_at(s, db, writer);
    if (db->writers[writer].shut && (!db->door_ms || db->door_ms > s->now_ms + HF_SYNC_DOOR_MS)) hf_sync_due(s, db->door_ms = s->now_ms + HF_SYNC_DOOR_MS);
    return db->writers[writer].shut ? OVER_DAY : NULL;
}

void hf_sync_quota_open(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    s->now_ms = now_ms;
    if (!hf_sync_writers_reserve(s, db)) /* what was here before is of no day */
        for (uint32_t i = 0; i < hf_log_n_writers(db->log); i++) db->writers[i].bytes_seen = hf_log_writer_bytes(db->log, i);
    hf_log_door(db->log, closed_to, db);
}

/* What was turned away on them comes again. */
static void begin_anew(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    for (hf_sync_peer *p = s->peers; p; p = p->next) {
        hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        if (!link || !link->turned_away) continue;
        link->turned_away = false;
        if (link->has_stream) hf_swarm_stream_reset(s->swarm, now_ms, link->stream);
        if (link->speaks_heads && !link->speaks_sync) hf_sync_due(s, link->heads_ms = now_ms);
        hf_sync_wake(s, link);
    }
}

void hf_sync_quota_tick(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    if (!db->door_ms) return;
    if (db->door_ms > now_ms) return hf_sync_due(s, db->door_ms);
    size_t n_shut = 0, n_opened = 0, n = hf_log_n_writers(db->log);
    db->door_ms = 0;
    s->now_ms = now_ms;
    for (uint32_t i = 0; i < n && i < db->writers_cap; i++) {
        if (!db->writers[i].shut) continue;
        look_at(s, db, i);
        if (db->writers[i].shut) n_shut++;
        else n_opened++;
    }
    if (n_shut) hf_sync_due(s, db->door_ms = now_ms + HF_SYNC_DOOR_MS);
    if (n_opened && !s->full) begin_anew(s, now_ms, db);
}

void hf_sync_quota(hf_sync *s, const hf_sync_limits *limits) { s->quota = *limits; }

void hf_sync_full(hf_sync *s, uint64_t now_ms, const char *why) {
    bool opens = s->full && !why;
    s->full = why;
    for (size_t i = 0; opens && i < s->n_dbs; i++)
        if (s->dbs[i]) begin_anew(s, now_ms, s->dbs[i]);
}

/* Told once a stream, and not held against the peer: it may have all the room in the world. */
hf_sync_kind hf_sync_turn_away(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, const uint8_t digest[32], const char *reason, hf_sync_out *out) {
    hf_sync_link *link = hf_sync_link_of(s, hf_sync_peer_of(s, from, false), db, false);
    bool told = link && link->turned_away;
    hf_sync_want_met(db, digest);
    s->turned_away = true;
    if (link) link->turned_away = true;
    if (told) return HF_SYNC_WORKED;
    out->context = db->context;
    out->peer = *from;
    out->err = HF_LIMIT;
    out->reason = reason;
    memcpy(out->digest, digest, 32);
    return HF_SYNC_REFUSED;
}

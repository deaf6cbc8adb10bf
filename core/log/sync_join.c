/* sync_join: judging what came, by whichever way. The log judges; here its verdict becomes an output, a want, or a mark
 * against the peer. */
#include "sync_private.h"

#include <string.h>

/* ---- refusals ---- */

static size_t find_refused(const hf_sync_link *link, const uint8_t digest[32]) {
    size_t n = link->n_refused < HF_SYNC_REFUSED_MAX ? link->n_refused : HF_SYNC_REFUSED_MAX, i = 0;
    while (i < n && memcmp(link->refused[i], digest, 32)) i++;
    return i < n ? i : SIZE_MAX;
}

bool hf_sync_was_refused(const hf_sync_link *link, const uint8_t digest[32]) { return find_refused(link, digest) != SIZE_MAX; }

/* Returns whether it is the peer's fault. What a store has lost is lacking anew each time that heads are compared, however honest the peer. */
static bool remember_refused(hf_sync_link *link, uint64_t now_ms, const uint8_t digest[32], hf_err err) {
    size_t at = find_refused(link, digest);
    bool known = at != SIZE_MAX;
    if (!known) at = link->n_refused++ % HF_SYNC_REFUSED_MAX;
    bool blame = !known || err != HF_NOT_FOUND || now_ms - link->refused_ms[at] < HF_SYNC_BLAME_GAP_MS;
    memcpy(link->refused[at], digest, 32);
    link->refused_ms[at] = now_ms;
    return blame;
}

hf_sync_kind hf_sync_refuse(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, const uint8_t digest[32], hf_err err,
                            const char *reason, hf_sync_out *out) {
    hf_sync_peer *peer = hf_sync_peer_of(s, from, false);
    hf_sync_link *link = hf_sync_link_of(s, peer, db, false);
    bool blame = !link || remember_refused(link, s->now_ms, digest, err);
    if (peer && blame && !s->blameless && ++peer->n_refused >= HF_SYNC_REFUSED_MAX)
        hf_sync_abuse(s, peer, "sync: too many entries that had to be refused");
    out->context = db->context;
    out->peer = *from;
    out->err = err;
    out->reason = reason;
    memcpy(out->digest, digest, 32);
    return HF_SYNC_REFUSED;
}

/* ---- entries ---- */

/* Who gave us an entry has it. */
static void note_time(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, uint32_t index) {
    hf_sync_link *link = hf_sync_link_of(s, hf_sync_peer_of(s, from, false), db, false);
    if (!link || !link->has_stream || hf_sync_times_reserve(s, link)) return;
    const hf_log_item *item = hf_log_item_at(db->log, index);
    hf_sync_times *t = &link->times[item->writer];
    if (t->sent < item->time) t->sent = item->time;
    if (t->confirmed < item->time) t->confirmed = item->time;
}

static hf_sync_kind show_entry(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, uint32_t index, hf_sync_out *out) {
    note_time(s, db, from, index);
    db->ready = true; /* others may have waited for it */
    db->source = *from;
    out->context = db->context;
    out->peer = *from;
    out->entry = &s->entry;
    out->index = index;
    out->block = s->entry.block;
    memcpy(out->digest, s->entry.digest, 32);
    return HF_SYNC_ENTRY;
}

static hf_sync_kind refuse_block(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, hf_bytes block, hf_err err,
                                 const char *reason, hf_sync_out *out) {
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    hf_sync_want_met(db, digest);
    return hf_sync_refuse(s, db, from, digest, err, reason, out);
}

/* Told, and not held against the peer: it may have the grant already. */
static hf_sync_kind held(const hf_sync_db *db, const hf_peer_id *from, const uint8_t digest[32], const char *reason, hf_sync_out *out) {
    out->context = db->context;
    out->peer = *from;
    out->err = HF_MISSING;
    out->reason = reason;
    memcpy(out->digest, digest, 32);
    return HF_SYNC_REFUSED;
}

hf_sync_kind hf_sync_join(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, hf_bytes block, uint32_t *ret_index,
                          hf_sync_out *out) {
    hf_fault fault = {"refused", 0};
    uint64_t n_held = hf_log_counts(db->log)->held, n_away = hf_log_counts(db->log)->turned_away;
    s->turned_away = false;
    hf_err err = hf_log_join(db->log, block, &s->arena, &s->entry, ret_index, &fault);
    if (hf_log_counts(db->log)->turned_away > n_away) return hf_sync_turn_away(s, db, from, s->entry.digest, fault.what, out);
    switch (err) {
    case HF_OK:
        hf_sync_want_met(db, s->entry.digest);
        return show_entry(s, db, from, *ret_index, out);
    case HF_EXISTS:
        hf_sync_want_met(db, hf_log_item_at(db->log, *ret_index)->digest);
        note_time(s, db, from, *ret_index);
        return HF_SYNC_WORKED;
    case HF_MISSING:
        hf_sync_want_met(db, s->entry.digest);
        db->wanting = db->ready = true; /* ready: it may vouch for what was held */
        db->source = *from;
        return hf_log_counts(db->log)->held > n_held ? held(db, from, s->entry.digest, fault.what, out) : HF_SYNC_WORKED;
    case HF_NOMEM: return HF_SYNC_WORKED; /* lost: what comes after it will want it */
    default: return refuse_block(s, db, from, block, err, fault.what, out);
    }
}

hf_sync_kind hf_sync_join_ready(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_out *out) {
    hf_fault fault = {"refused", 0};
    uint32_t index;
    hf_err err = hf_log_ready(db->log, &s->arena, &s->entry, &index, &fault);
    if (err == HF_OK) return show_entry(s, db, &db->source, index, out);
    if (err == HF_MISSING) return held(db, &db->source, s->entry.digest, fault.what, out);
    if (err == HF_NOMEM) hf_sync_rewant(s, now_ms, db);
    if (err != HF_NOT_FOUND && err != HF_NOMEM)
        return hf_sync_refuse(s, db, &db->source, s->entry.digest, err, fault.what, out);
    db->ready = false;
    return HF_SYNC_NONE;
}

/* ---- identities ---- */

/* Only the canonical form is taken: entries name an identity by the CID of that, so another form could never be served.
 * */
static hf_err read_identity(hf_sync *s, hf_bytes block, const uint8_t digest[32], hf_identity *ret, hf_fault *fault) {
    hf_err err = hf_identity_read(block, &s->arena, ret, fault);
    if (!err && memcmp(ret->digest, digest, 32))
        err = hf_fail(fault, HF_MALFORMED, "identity: not in canonical form", 0);
    return err;
}

hf_sync_kind hf_sync_join_identity(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_peer_id *from, hf_bytes block,
                                   hf_sync_out *out) {
    hf_fault fault = {"refused", 0};
    hf_identity identity;
    uint8_t digest[32];
    hf_sha256_of(block, digest);
    uint64_t n_denied = hf_log_counts(db->log)->refused_denied;
    hf_err err = read_identity(s, block, digest, &identity, &fault);
    if (!err) err = hf_log_identity(db->log, &identity);
    hf_sync_want_met(db, digest);
    if (err == HF_NOMEM) {
        hf_sync_rewant(s, now_ms, db);
        return HF_SYNC_WORKED;
    }
    if (!err && hf_log_counts(db->log)->refused_denied > n_denied)
        err = hf_fail(&fault, HF_DENIED, "log: this identity may not write here", 0);
    if (err) {
        hf_log_give_up(db->log, digest);
        return hf_sync_refuse(s, db, from, digest, err, fault.what, out);
    }
    db->ready = true;
    db->source = *from;
    out->context = db->context;
    out->peer = *from;
    out->block = block;
    memcpy(out->digest, digest, 32);
    return HF_SYNC_IDENTITY;
}

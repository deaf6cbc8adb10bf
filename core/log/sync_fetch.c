/* sync_fetch: what the log wants. First the peer whose entry needs it is asked, on our stream or by bitswap; then all
 * who share this log; then what waits for it is given up. Identity blocks may be here already: just come before their
 * entry, or in the store for another log. */
#include "sync_private.h"

#include <string.h>

hf_sync_want *hf_sync_want_find(hf_sync_db *db, const uint8_t digest[32]) {
    for (size_t i = 0; i < db->n_wants; i++)
        if (!memcmp(db->wants[i].digest, digest, 32)) return &db->wants[i];
    return NULL;
}

static void forget(hf_sync_db *db, hf_sync_want *want) {
    if (db->n_wants == HF_SYNC_WANTS_MAX) db->wanting = true; /* there is room again */
    *want = db->wants[--db->n_wants];
}

void hf_sync_want_met(hf_sync_db *db, const uint8_t digest[32]) {
    hf_sync_want *want = hf_sync_want_find(db, digest);
    if (want) forget(db, want);
}

void hf_sync_rewant(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    db->rewant_ms = now_ms + HF_SYNC_REOPEN_MS;
    hf_sync_due(s, db->rewant_ms);
}

/* ---- asking ---- */

static hf_err ask_by_bitswap(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_peer_id *peer,
                             const uint8_t digest[32]) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(digest, cid);
    hf_err err = hf_bitswap_want(s->bitswap, now_ms, peer, HF_BYTES(cid, sizeof cid), HF_SYNC_CONTEXT | db->number);
    if (!err) s->flush = true;
    return err;
}

static bool ask_on_stream(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_want *want) {
    hf_sync_link *link = hf_sync_link_of(s, hf_sync_peer_of(s, &want->source, false), db, false);
    if (!link || !link->has_stream || link->n_asks >= HF_SYNC_WANTS_MAX) return false;
    if (hf_grow(s->mem, (void **)&link->asks, &link->asks_cap, sizeof *link->asks, link->n_asks + 1)) return false;
    memcpy(link->asks[link->n_asks++], want->digest, 32);
    want->step = HF_SYNC_ON_STREAM;
    want->deadline_ms = now_ms + HF_SYNC_WANT_MS;
    hf_sync_due(s, want->deadline_ms);
    hf_sync_wake(s, link);
    return true;
}

static void ask(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_log_want *wanted) {
    if (hf_sync_want_find(db, wanted->digest)) return;
    if (hf_grow(s->mem, (void **)&db->wants, &db->wants_cap, sizeof *db->wants, db->n_wants + 1)) return hf_sync_rewant(s, now_ms, db);
    hf_sync_want *want = &db->wants[db->n_wants++];
    *want = (hf_sync_want){.identity = wanted->identity, .step = HF_SYNC_FROM_SOURCE, .source = db->source};
    memcpy(want->digest, wanted->digest, 32);
    if (ask_on_stream(s, now_ms, db, want) || !ask_by_bitswap(s, now_ms, db, &want->source, want->digest)) return;
    forget(db, want);
    hf_sync_rewant(s, now_ms, db);
}

/* Asks everybody but the source, who was asked. Returns how many. */
static size_t ask_all(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_sync_want *want) {
    size_t n = 0;
    for (hf_sync_peer *p = s->peers; p; p = p->next) {
        hf_sync_link *link = hf_sync_link_of(s, p, db, false);
        bool shares = link && !p->abuse && (link->speaks_sync || link->speaks_heads);
        if (shares && !hf_peer_id_eq(&p->id, &want->source) && !ask_by_bitswap(s, now_ms, db, &p->id, want->digest))
            n++;
    }
    return n;
}

void hf_sync_want_failed(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_want *want) {
    if (want->step < HF_SYNC_FROM_ALL && ask_all(s, now_ms, db, want)) want->step = HF_SYNC_FROM_ALL;
    else {
        want->step = HF_SYNC_FAILED;
        db->failed = true;
    }
}

void hf_sync_wants_of_stream_failed(hf_sync *s, uint64_t now_ms, hf_sync_link *link) {
    hf_sync_db *db = link->db;
    for (size_t i = 0; i < db->n_wants; i++) {
        hf_sync_want *want = &db->wants[i];
        if (want->step == HF_SYNC_ON_STREAM && hf_peer_id_eq(&want->source, &link->peer->id))
            hf_sync_want_failed(s, now_ms, db, want);
    }
}

/* ---- identities that are here ---- */

static hf_sync_kind from_store(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const uint8_t digest[32],
                               hf_sync_out *out) {
    uint8_t cid[HF_CID_LEN];
    hf_bytes block;
    hf_cid_from_digest(digest, cid);
    if (s->blocks.get(s->blocks.ctx, HF_BYTES(cid, sizeof cid), &block)) return HF_SYNC_NONE;
    hf_sync_kind kind = hf_sync_join_identity(s, now_ms, db, &db->source, block, out);
    return kind == HF_SYNC_IDENTITY ? HF_SYNC_WORKED : kind; /* it need not be stored again */
}

static hf_sync_kind from_candidates(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const uint8_t digest[32],
                                    hf_sync_out *out) {
    hf_sync_link *link = hf_sync_link_of(s, hf_sync_peer_of(s, &db->source, false), db, false);
    for (size_t i = 0; link && i < HF_SYNC_CANDIDATES; i++) {
        hf_bytes block = hf_buf_bytes(&link->candidates[i]);
        uint8_t has[32];
        hf_sha256_of(block, has);
        if (block.len && !memcmp(has, digest, 32)) return hf_sync_join_identity(s, now_ms, db, &db->source, block, out);
    }
    return HF_SYNC_NONE;
}

/* ---- one small thing a call ---- */

static hf_sync_kind give_up(hf_sync *s, hf_sync_db *db, hf_sync_out *out) {
    for (size_t i = 0; i < db->n_wants; i++) {
        hf_sync_want want = db->wants[i];
        if (want.step != HF_SYNC_FAILED) continue;
        forget(db, &db->wants[i]);
        size_t n_dropped = hf_log_give_up(db->log, want.digest);
        if (!n_dropped || !hf_sync_peer_of(s, &want.source, false))
            return HF_SYNC_WORKED; /* who has left is not to blame; it comes again */
        return hf_sync_refuse(s, db, &want.source, want.digest, HF_NOT_FOUND, "sync: nobody has what it refers to",
                              out);
    }
    db->failed = false;
    return HF_SYNC_NONE;
}

hf_sync_kind hf_sync_fetch_work(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_out *out) {
    hf_sync_kind kind = db->failed ? give_up(s, db, out) : HF_SYNC_NONE;
    if (kind || !db->wanting) return kind;
    hf_log_want wanted;
    db->wanting = db->n_wants < HF_SYNC_WANTS_MAX && hf_log_wanted(db->log, &wanted, 1);
    if (!db->wanting) return HF_SYNC_NONE;
    if (wanted.identity) kind = from_candidates(s, now_ms, db, wanted.digest, out);
    if (wanted.identity && !kind) kind = from_store(s, now_ms, db, wanted.digest, out);
    if (!kind) ask(s, now_ms, db, &wanted);
    return kind ? kind : HF_SYNC_WORKED;
}

void hf_sync_fetch_tick(hf_sync *s, uint64_t now_ms, hf_sync_db *db) {
    for (size_t i = 0; i < db->n_wants; i++) {
        hf_sync_want *want = &db->wants[i];
        if (want->step != HF_SYNC_ON_STREAM) continue;
        if (want->deadline_ms <= now_ms) hf_sync_want_failed(s, now_ms, db, want);
        else hf_sync_due(s, want->deadline_ms);
    }
    if (!db->rewant_ms) return;
    if (db->rewant_ms > now_ms) return hf_sync_due(s, db->rewant_ms);
    db->rewant_ms = 0;
    db->ready = db->wanting = true;
    hf_log_rewant(db->log);
    hf_sync_durable(s, now_ms, db->log, db->n_told_durable);
}

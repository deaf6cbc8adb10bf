/* relay_client: our reservations, connecting through relays, being called through them. See relay_private.h. */
#include "relay_private.h"

#include "../codec/multiaddr.h"
#include "../codec/varint.h"

#include <string.h>

enum { HOUR_MS = 3600000 };
#define DAY_MS ((uint64_t)24 * HOUR_MS)

/* A number below n, for pauses that differ from peer to peer. */
static uint64_t jitter(hf_relay *r, uint64_t n) {
    r->jitter = r->jitter * 6364136223846793005u + 1442695040888963407u;
    return n ? (r->jitter >> 33) % n : 0;
}

static hf_relay_hold *hold_at(hf_relay *r, const hf_peer_id *at) {
    for (size_t i = 0; i < HF_RELAY_HOLDS_MAX; i++)
        if (r->holds[i].used && hf_peer_id_eq(&r->holds[i].at, at)) return &r->holds[i];
    return NULL;
}

/* ---- reserving ---- */

static void put_off(hf_relay *r, uint64_t now_ms, hf_relay_hold *h) {
    unsigned n = h->n_failures < 8 ? h->n_failures : 8;
    uint64_t pause = (uint64_t)HF_RELAY_RETRY_MS << n;
    if (pause > HF_RELAY_RETRY_MAX_MS) pause = HF_RELAY_RETRY_MAX_MS;
    h->n_failures++;
    h->due_ms = now_ms + pause - pause / 4 + jitter(r, pause / 2);
    hf_relay_due(r, h->due_ms);
}

static void ask(hf_relay *r, uint64_t now_ms, hf_relay_hold *h) {
    hf_relay_message m = {.type = HF_RELAY_RESERVE};
    hf_relay_stream *s = NULL;
    uint64_t conn;
    put_off(r, now_ms, h); /* unless it is answered */
    h->dialling = hf_swarm_direct(r->swarm, &h->at, &conn) != HF_OK;
    if (h->dialling) {
        h->dial_due = true;
        return;
    }
    if (hf_relay_stream_open(r, now_ms, conn, &h->at, false, &m, &s) || !s) return;
    h->stream = s;
    s->role = HF_RELAY_RESERVING;
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_MESSAGE_MS);
}

hf_err hf_relay_reserve(hf_relay *r, uint64_t now_ms, const hf_peer_id *at) {
    if (hold_at(r, at)) return HF_EXISTS;
    for (size_t i = 0; i < HF_RELAY_HOLDS_MAX; i++) {
        hf_relay_hold *h = &r->holds[i];
        if (h->used) continue;
        hf_buf_deinit(&h->addrs);
        *h = (hf_relay_hold){.at = *at, .used = true};
        hf_buf_init(&h->addrs, r->mem);
        ask(r, now_ms, h);
        return HF_OK;
    }
    return HF_LIMIT;
}

void hf_relay_unreserve(hf_relay *r, const hf_peer_id *at) {
    hf_relay_hold *h = hold_at(r, at);
    if (!h) return;
    if (h->stream) h->stream->role = HF_RELAY_ANSWERED; /* its deadline ends it */
    hf_buf_deinit(&h->addrs);
    *h = (hf_relay_hold){.used = false};
}

static void lose(hf_relay_hold *h, uint32_t status, const char *reason) {
    h->reserved = h->reserved_due = false;
    h->lost_due = true;
    h->status = status;
    h->reason = reason;
}

/* One refused refresh does not end a reservation: it stands until it runs out. */
static void not_reserved(hf_relay *r, hf_relay_stream *s, uint32_t status, const char *reason) {
    hf_relay_hold *h = hold_at(r, &s->peer);
    if (!h || h->stream != s) return;
    h->stream = NULL;
    if (!h->reserved) lose(h, status, reason);
}

void hf_relay_reserve_failed(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const char *reason) {
    (void)now_ms;
    not_reserved(r, s, 0, reason);
}

/* ---- the addresses that a reservation gives us ---- */

static void add_p2p(hf_buf *buf, const hf_peer_id *id) {
    hf_varint_add(buf, HF_MA_P2P);
    hf_varint_add(buf, id->len);
    hf_buf_add(buf, hf_peer_id_bytes(id));
}

/* An address of the relay's: one that is whole, not relayed itself, and nobody else's. */
static bool is_of(hf_bytes addr, const hf_peer_id *relay, bool *ret_named) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(addr, &ma, NULL) || !ma.n || hf_multiaddr_find(&ma, HF_MA_P2P_CIRCUIT)) return false;
    const hf_multiaddr_part *named = hf_multiaddr_find(&ma, HF_MA_P2P);
    *ret_named = named != NULL;
    return !named || (named == &ma.parts[ma.n - 1] && hf_eq(named->value, hf_peer_id_bytes(relay)));
}

static void take_addrs(hf_relay *r, hf_relay_hold *h, const hf_relay_message *m) {
    hf_buf_clear(&h->addrs);
    h->n_addrs = 0;
    for (size_t i = 0; i < m->n_addrs; i++) {
        bool named;
        if (m->addrs[i].len > HF_MULTIADDR_BYTES_MAX / 2 || !is_of(m->addrs[i], &h->at, &named)) continue;
        hf_buf_add(&h->addrs, m->addrs[i]);
        if (!named) add_p2p(&h->addrs, &h->at);
        hf_varint_add(&h->addrs, HF_MA_P2P_CIRCUIT);
        add_p2p(&h->addrs, hf_swarm_self(r->swarm));
        if (h->addrs.err) return; /* those before are whole */
        h->ends[h->n_addrs++] = h->addrs.len;
    }
}

/* How long it lasts. Clocks differ: an end that by ours is past, or more than a day ahead, is read as the usual hour. */
static uint64_t lifetime_ms(const hf_relay *r, uint64_t now_ms, uint64_t expires_s) {
    uint64_t utc_ms = now_ms + (uint64_t)r->config.unix_offset_ms;
    uint64_t expires_ms = expires_s < UINT64_MAX / 1000 ? expires_s * 1000 : UINT64_MAX;
    if (expires_ms <= utc_ms || expires_ms - utc_ms > DAY_MS) return HOUR_MS;
    return expires_ms - utc_ms;
}

/* A voucher need not be there, and one by a key that we do not read says nothing; a false one shows a false relay. */
static bool is_false(hf_relay *r, const hf_relay_stream *s, hf_bytes voucher) {
    hf_relay_voucher v;
    if (!voucher.len) return false;
    hf_err err = hf_relay_voucher_open(r->mem, voucher, &v);
    if (err) return err == HF_DENIED;
    return !hf_peer_id_eq(&v.relay, &s->peer) || !hf_peer_id_eq(&v.peer, hf_swarm_self(r->swarm));
}

static void reserved(hf_relay *r, uint64_t now_ms, hf_relay_hold *h, const hf_relay_message *m) {
    uint64_t lifetime = lifetime_ms(r, now_ms, m->expires_s);
    h->stream = NULL;
    h->reserved = h->reserved_due = true;
    h->lost_due = false;
    h->n_failures = 0;
    h->limit = m->limit;
    h->expires_ms = now_ms + lifetime;
    h->due_ms = now_ms + lifetime / 4 * 3 - jitter(r, lifetime / 16);
    hf_relay_due(r, h->due_ms);
    take_addrs(r, h, m);
}

void hf_relay_reserve_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    hf_relay_hold *h = hold_at(r, &s->peer);
    bool status = m->type == HF_RELAY_STATUS;
    bool ok = status && m->status == HF_RELAY_OK && m->has_reservation;
    if (ok && is_false(r, s, m->voucher)) not_reserved(r, s, HF_RELAY_OK, "relay: its voucher is false");
    else if (ok && h && h->stream == s) reserved(r, now_ms, h, m);
    else not_reserved(r, s, m->status, status ? hf_relay_status_text(m->status) : "relay: not an answer");
    s->role = HF_RELAY_ANSWERED;
    hf_relay_finish(r, now_ms, s);
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_LINGER_MS);
}

/* ---- relays come and go ---- */

void hf_relay_hold_conn(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    hf_relay_hold *h = hold_at(r, &e->peer);
    if (!h) return;
    if (e->kind == HF_SWARM_IDENTIFIED) {
        if (!h->dialling || h->stream) return;
        h->n_failures = 0;
        ask(r, now_ms, h);
        return;
    }
    if (h->reserved) lose(h, 0, "relay: the connection to it is lost");
    if (h->stream) return; /* its end comes too */
    h->due_ms = now_ms + jitter(r, 1000);
    hf_relay_due(r, h->due_ms);
}

void hf_relay_holds_tick(hf_relay *r, uint64_t now_ms) {
    for (size_t i = 0; i < HF_RELAY_HOLDS_MAX; i++) {
        hf_relay_hold *h = &r->holds[i];
        if (!h->used) continue;
        if (h->reserved && h->expires_ms <= now_ms) lose(h, 0, "relay: the reservation ran out");
        if (h->due_ms <= now_ms && h->stream) put_off(r, now_ms, h);
        else if (h->due_ms <= now_ms) ask(r, now_ms, h);
        hf_relay_due(r, h->due_ms);
        if (h->reserved) hf_relay_due(r, h->expires_ms);
    }
}

static void show_reserved(hf_relay_hold *h, hf_relay_out *out) {
    size_t at = 0;
    for (size_t i = 0; i < h->n_addrs; i++) {
        h->views[i] = HF_BYTES(h->addrs.ptr + at, h->ends[i] - at);
        at = h->ends[i];
    }
    out->addrs = h->views;
    out->n_addrs = h->n_addrs;
    out->limit = h->limit;
    out->expires_ms = h->expires_ms;
    out->kind = HF_RELAY_RESERVED;
}

bool hf_relay_hold_news(hf_relay *r, hf_relay_out *out) {
    for (size_t i = 0; i < HF_RELAY_HOLDS_MAX; i++) {
        hf_relay_hold *h = &r->holds[i];
        bool *due = h->lost_due ? &h->lost_due : h->reserved_due ? &h->reserved_due : &h->dial_due;
        if (!h->used || !*due) continue;
        *due = false;
        out->via = h->at;
        if (due == &h->reserved_due) show_reserved(h, out);
        else out->kind = due == &h->lost_due ? HF_RELAY_LOST : HF_RELAY_DIAL;
        if (out->kind == HF_RELAY_LOST) {
            out->status = h->status;
            out->reason = h->reason;
        }
        return true;
    }
    return false;
}

/* ---- connecting ---- */

static size_t count_dialling(const hf_relay *r) {
    size_t n = 0;
    for (const hf_relay_stream *s = r->first; s; s = s->next) n += s->role == HF_RELAY_DIALLING;
    return n;
}

hf_err hf_relay_connect(hf_relay *r, uint64_t now_ms, const hf_peer_id *via, const hf_peer_id *target, uint64_t context) {
    hf_relay_message m = {.type = HF_RELAY_CONNECT, .peer = *target};
    hf_relay_stream *s = NULL;
    uint64_t conn;
    if (hf_swarm_direct(r->swarm, via, &conn)) return HF_NOT_FOUND;
    if (r->channels.n + count_dialling(r) >= HF_RELAY_CHANNELS_MAX) return HF_LIMIT;
    hf_err err = hf_relay_stream_open(r, now_ms, conn, via, false, &m, &s);
    if (err) return err;
    s->role = HF_RELAY_DIALLING;
    s->target = *target;
    s->context = context;
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_DIAL_MS);
    return HF_OK;
}

void hf_relay_connect_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    bool status = m->type == HF_RELAY_STATUS;
    s->limit = m->limit;
    if (status && m->status == HF_RELAY_OK && !hf_relay_channel_open(r, now_ms, s)) return;
    const char *reason = !status                     ? "relay: not an answer"
                         : m->status == HF_RELAY_OK ? "too many connections"
                                                    : hf_relay_status_text(m->status);
    hf_relay_tell(r, s, HF_RELAY_FAILED, m->status, reason);
    hf_relay_drop(r, now_ms, s);
}

/* ---- being called: only through relays that we asked for it ---- */

void hf_relay_called(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    hf_relay_message yes = {.type = HF_RELAY_STATUS, .status = HF_RELAY_OK};
    const hf_relay_hold *h = hold_at(r, &s->peer);
    if (m->type != HF_RELAY_CONNECT) {
        hf_relay_answer(r, now_ms, s, true, HF_RELAY_UNEXPECTED);
        return;
    }
    if (!r->config.called_by_any && (!h || !h->reserved)) {
        hf_relay_answer(r, now_ms, s, true, HF_RELAY_FORBIDDEN);
        return;
    }
    s->target = m->peer;
    s->limit = m->limit;
    if (hf_relay_say(r, now_ms, s, true, &yes)) {
        hf_relay_drop(r, now_ms, s);
        return;
    }
    if (hf_relay_channel_open(r, now_ms, s)) hf_relay_drop(r, now_ms, s);
}

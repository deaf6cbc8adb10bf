/* relay_server: reservations of others, and the circuits between them. See relay_private.h.
 *
 * A circuit is two streams that point at each other: the asking peer's hop stream (WAITING, then CIRCUIT) and our stop stream to the
 * other peer (STOPPING, then CIRCUIT). The hop stream's deadline is the circuit's duration, the stop stream's is the end of a rest. */
#include "relay_private.h"

#include "../codec/multiaddr.h"
#include "../codec/varint.h"

#include <string.h>

/* ---- reservations ---- */

static hf_relay_guest *guest_of(const hf_relay *r, const hf_peer_id *peer) {
    for (hf_relay_guest *g = r->guests; g; g = g->next)
        if (hf_peer_id_eq(&g->peer, peer)) return g;
    return NULL;
}

static void free_guest(hf_relay *r, hf_relay_guest **at) {
    hf_relay_guest *g = *at;
    *at = g->next;
    r->n_guests--;
    hf_release(r->mem, g, sizeof *g);
}

void hf_relay_guests_leave(hf_relay *r, const hf_peer_id *peer) {
    for (hf_relay_guest **at = &r->guests; *at; at = &(*at)->next) {
        if (!hf_peer_id_eq(&(*at)->peer, peer)) continue;
        free_guest(r, at);
        return;
    }
}

void hf_relay_guests_tick(hf_relay *r, uint64_t now_ms) {
    hf_relay_guest **at = &r->guests;
    while (*at) {
        if ((*at)->expires_ms <= now_ms) {
            free_guest(r, at);
            continue;
        }
        hf_relay_due(r, (*at)->expires_ms);
        at = &(*at)->next;
    }
}

void hf_relay_guests_free(hf_relay *r) {
    while (r->guests) free_guest(r, &r->guests);
}

static void read_ip(hf_bytes addr, hf_relay_guest *g) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(addr, &ma, NULL)) return;
    const hf_multiaddr_part *ip = hf_multiaddr_find(&ma, HF_MA_IP4);
    if (!ip) ip = hf_multiaddr_find(&ma, HF_MA_IP6);
    if (!ip || ip->value.len > sizeof g->ip) return;
    g->ip_len = (uint8_t)ip->value.len;
    memcpy(g->ip, ip->value.ptr, ip->value.len);
}

/* Peers whose address is not known are not bounded by it. An IPv6 network counts as one address. */
static bool ip_is_full(const hf_relay *r, const hf_relay_guest *fresh) {
    size_t n = 0, len = fresh->ip_len == 16 ? 8 : fresh->ip_len;
    if (!len) return false;
    for (const hf_relay_guest *g = r->guests; g; g = g->next)
        n += g->ip_len == fresh->ip_len && !memcmp(g->ip, fresh->ip, len);
    return n >= r->config.reservations_per_ip_max;
}

static hf_relay_status admit(hf_relay *r, uint64_t now_ms, const hf_relay_stream *s, hf_relay_guest **ret) {
    hf_relay_guest fresh = {.peer = s->peer}, *g = guest_of(r, &s->peer);
    if (!g) {
        read_ip(hf_swarm_conn_remote(r->swarm, s->carrier), &fresh);
        if (r->n_guests >= r->config.reservations_max || ip_is_full(r, &fresh)) return HF_RELAY_REFUSED;
        g = hf_alloc(r->mem, sizeof *g);
        if (!g) return HF_RELAY_REFUSED;
        *g = fresh;
        g->next = r->guests;
        r->guests = g;
        r->n_guests++;
    }
    g->expires_ms = now_ms + (uint64_t)r->config.reservation_s * 1000;
    hf_relay_due(r, g->expires_ms);
    *ret = g;
    return HF_RELAY_OK;
}

static hf_relay_verdict verdict(const hf_relay *r, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    return r->config.allow ? r->config.allow(r->config.allow_ctx, ask, peer, target) : HF_RELAY_LIMITED;
}

static hf_relay_limit limit_of(const hf_relay *r, hf_relay_verdict v) {
    if (v == HF_RELAY_UNLIMITED) return (hf_relay_limit){0, 0};
    return (hf_relay_limit){r->config.duration_s, r->config.bytes_max};
}

/* Our addresses as the reservation tells them: with our ID at the end. */
static void list_addrs(hf_relay *r, hf_buf *buf, hf_relay_message *m) {
    const hf_peer_id *self = hf_swarm_self(r->swarm);
    size_t ends[HF_RELAY_ADDRS_MAX];
    hf_bytes addr;
    for (size_t i = 0; m->n_addrs < HF_RELAY_ADDRS_MAX && (addr = hf_swarm_address(r->swarm, i)).len; i++) {
        hf_multiaddr ma;
        if (hf_multiaddr_read(addr, &ma, NULL) || hf_multiaddr_find(&ma, HF_MA_P2P_CIRCUIT)) continue;
        hf_buf_add(buf, addr);
        if (!hf_multiaddr_find(&ma, HF_MA_P2P)) {
            hf_varint_add(buf, HF_MA_P2P);
            hf_varint_add(buf, self->len);
            hf_buf_add(buf, hf_peer_id_bytes(self));
        }
        ends[m->n_addrs++] = buf->len;
    }
    for (size_t i = 0, at = 0; i < m->n_addrs && !buf->err; at = ends[i++])
        m->addrs[i] = HF_BYTES(buf->ptr + at, ends[i] - at);
}

static hf_err confirm(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_relay_verdict v, const hf_relay_guest *g) {
    hf_buf addrs, payload, envelope;
    hf_buf_init(&addrs, r->mem);
    hf_buf_init(&payload, r->mem);
    hf_buf_init(&envelope, r->mem);
    uint64_t expires_s = (g->expires_ms + (uint64_t)r->config.unix_offset_ms) / 1000;
    hf_relay_voucher voucher = {*hf_swarm_self(r->swarm), g->peer, expires_s};
    hf_relay_message m = {.type = HF_RELAY_STATUS, .status = HF_RELAY_OK, .has_reservation = true};
    m.expires_s = expires_s;
    m.limit = limit_of(r, v);
    list_addrs(r, &addrs, &m);
    hf_relay_voucher_add(&payload, &voucher);
    hf_swarm_seal(r->swarm, HF_TEXT(HF_RELAY_VOUCHER_DOMAIN), HF_TEXT(HF_RELAY_VOUCHER_TYPE), hf_buf_bytes(&payload),
                  &envelope);
    m.voucher = hf_buf_bytes(&envelope);
    hf_err err = addrs.err ? addrs.err : payload.err ? payload.err : envelope.err;
    if (!err) err = hf_relay_say(r, now_ms, s, false, &m);
    hf_buf_deinit(&addrs);
    hf_buf_deinit(&payload);
    hf_buf_deinit(&envelope);
    return err;
}

static void reserve(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    hf_relay_guest *guest = NULL;
    hf_relay_verdict v = verdict(r, HF_RELAY_ASK_RESERVE, &s->peer, NULL);
    hf_relay_status status = v == HF_RELAY_DENY ? HF_RELAY_FORBIDDEN : admit(r, now_ms, s, &guest);
    if (status != HF_RELAY_OK) {
        hf_relay_answer(r, now_ms, s, false, status);
        return;
    }
    if (confirm(r, now_ms, s, v, guest)) {
        hf_relay_drop(r, now_ms, s);
        return;
    }
    s->role = HF_RELAY_ANSWERED;
    hf_relay_finish(r, now_ms, s);
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_LINGER_MS);
}

/* ---- making a circuit ---- */

static size_t count_ends(const hf_relay *r, const hf_peer_id *peer) {
    size_t n = 0;
    for (const hf_relay_stream *s = r->first; s; s = s->next) n += s->other && hf_peer_id_eq(&s->peer, peer);
    return n;
}

static hf_relay_status may_connect(const hf_relay *r, uint64_t now_ms, const hf_peer_id *from, const hf_peer_id *to,
                                   hf_relay_verdict v) {
    const hf_relay_guest *g = guest_of(r, to);
    if (v == HF_RELAY_DENY || hf_peer_id_eq(from, to)) return HF_RELAY_FORBIDDEN;
    if (!g || g->expires_ms <= now_ms) return HF_RELAY_NO_RESERVATION;
    bool full = r->n_circuits >= r->config.circuits_max || count_ends(r, from) >= r->config.circuits_per_peer_max ||
                count_ends(r, to) >= r->config.circuits_per_peer_max;
    return full ? HF_RELAY_NO_ROOM : HF_RELAY_OK;
}

static hf_relay_status call(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_peer_id *target, hf_relay_limit limit) {
    hf_relay_message m = {.type = HF_RELAY_CONNECT, .peer = s->peer, .limit = limit};
    hf_relay_stream *stop = NULL;
    uint64_t conn;
    if (hf_swarm_direct(r->swarm, target, &conn)) return HF_RELAY_NO_RESERVATION;
    if (hf_relay_stream_open(r, now_ms, conn, target, true, &m, &stop)) return HF_RELAY_UNREACHED;
    s->role = HF_RELAY_WAITING;
    s->limit = stop->limit = limit;
    s->other = stop;
    stop->other = s;
    stop->role = HF_RELAY_STOPPING;
    s->deadline_ms = UINT64_MAX;
    hf_relay_set_deadline(r, stop, now_ms + HF_RELAY_STOP_MS);
    r->n_circuits++;
    return HF_RELAY_OK;
}

static void connect(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    hf_relay_verdict v = verdict(r, HF_RELAY_ASK_CONNECT, &s->peer, &m->peer);
    hf_relay_status status = may_connect(r, now_ms, &s->peer, &m->peer, v);
    if (status == HF_RELAY_OK) status = call(r, now_ms, s, &m->peer, limit_of(r, v));
    if (status != HF_RELAY_OK) hf_relay_answer(r, now_ms, s, false, status);
}

void hf_relay_asked(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m) {
    switch (m->type) {
    case HF_RELAY_RESERVE: reserve(r, now_ms, s); break;
    case HF_RELAY_CONNECT: connect(r, now_ms, s, m); break;
    default: hf_relay_answer(r, now_ms, s, false, HF_RELAY_UNEXPECTED); break;
    }
}

/* Bytes that came before the circuit stood. False: it is over. */
static bool flush_early(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    hf_relay_stream *other = s->other;
    hf_buf early = s->in;
    hf_buf_init(&s->in, r->mem);
    if (early.len) hf_relay_circuit_data(r, now_ms, s, hf_buf_bytes(&early));
    hf_buf_deinit(&early);
    return other->other == s;
}

void hf_relay_stop_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *stop, const hf_relay_message *m) {
    hf_relay_stream *s = stop->other;
    hf_relay_message yes = {.type = HF_RELAY_STATUS, .status = HF_RELAY_OK, .limit = s->limit};
    if (m->type != HF_RELAY_STATUS || m->status != HF_RELAY_OK) {
        hf_relay_circuit_end(r, now_ms, stop, HF_RELAY_UNREACHED);
        return;
    }
    s->role = stop->role = HF_RELAY_CIRCUIT;
    stop->deadline_ms = UINT64_MAX;
    stop->filled_ms = now_ms;
    stop->tokens = (int64_t)r->config.bytes_per_s;
    if (s->limit.duration_s) hf_relay_set_deadline(r, s, now_ms + s->limit.duration_s * 1000);
    if (hf_relay_say(r, now_ms, s, false, &yes)) {
        hf_relay_circuit_end(r, now_ms, s, HF_RELAY_UNREACHED);
        return;
    }
    if (flush_early(r, now_ms, s)) (void)flush_early(r, now_ms, stop);
}

/* ---- bytes ---- */

static hf_relay_stream *stop_of(hf_relay_stream *s) { return s->inbound ? s->other : s; }

/* Takes from what may pass now; below zero both halves rest until it is made up for. */
static void spend(hf_relay *r, uint64_t now_ms, hf_relay_stream *stop, size_t n) {
    uint64_t rate = r->config.bytes_per_s;
    if (!rate) return;
    uint64_t passed_ms = now_ms - stop->filled_ms < 1000 ? now_ms - stop->filled_ms : 1000;
    stop->filled_ms = now_ms;
    stop->tokens += (int64_t)(rate * passed_ms / 1000);
    if (stop->tokens > (int64_t)rate) stop->tokens = (int64_t)rate;
    stop->tokens -= (int64_t)n;
    stop->resting = stop->tokens < 0;
    if (stop->resting) hf_relay_set_deadline(r, stop, now_ms + 1 + (uint64_t)-stop->tokens * 1000 / rate);
}

void hf_relay_circuit_rest(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    bool rest = stop_of(s)->resting || hf_relay_is_full(r, s->other);
    if (rest == s->paused) return;
    s->paused = rest;
    hf_swarm_stream_reading(r->swarm, now_ms, s->id, !rest);
}

void hf_relay_circuit_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    hf_relay_stream *other = s->other;
    s->n_bytes += bytes.len;
    if (s->limit.bytes && s->n_bytes > s->limit.bytes) {
        hf_relay_circuit_end(r, now_ms, s, HF_RELAY_NO_ROOM);
        return;
    }
    if (hf_relay_pass(r, now_ms, other, bytes)) {
        hf_relay_circuit_end(r, now_ms, s, HF_RELAY_NO_ROOM);
        return;
    }
    r->n_relayed += bytes.len;
    spend(r, now_ms, stop_of(s), bytes.len);
    hf_relay_circuit_rest(r, now_ms, s);
    if (stop_of(s)->resting) hf_relay_circuit_rest(r, now_ms, other);
}

void hf_relay_circuit_fin(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) { hf_relay_finish(r, now_ms, s->other); }

/* ---- the end ---- */

static void unpair(hf_relay *r, hf_relay_stream *s) {
    s->other->other = NULL;
    s->other = NULL;
    r->n_circuits--;
}

void hf_relay_circuit_end(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_relay_status status) {
    hf_relay_stream *halves[] = {s, s->other};
    unpair(r, s);
    for (size_t i = 0; i < 2; i++) {
        if (halves[i]->role == HF_RELAY_WAITING) hf_relay_answer(r, now_ms, halves[i], false, status);
        else hf_relay_drop(r, now_ms, halves[i]);
    }
}

/* A half that came to its end in good order has finished both ways: the other half's finish waits at most behind what is held. */
void hf_relay_circuit_gone(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool reset) {
    hf_relay_stream *other = s->other;
    unpair(r, s);
    if (other->role == HF_RELAY_WAITING) hf_relay_answer(r, now_ms, other, false, HF_RELAY_UNREACHED);
    else if (reset || s->role != HF_RELAY_CIRCUIT) hf_relay_drop(r, now_ms, other);
    else other->role = HF_RELAY_ANSWERED; /* a peer that takes nothing is reset by the swarm */
}

void hf_relay_circuit_late(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    if (s->inbound) {
        hf_relay_circuit_end(r, now_ms, s, HF_RELAY_NO_ROOM); /* its time is over */
        return;
    }
    spend(r, now_ms, s, 0);
    hf_relay_circuit_rest(r, now_ms, s);
    hf_relay_circuit_rest(r, now_ms, s->other);
}

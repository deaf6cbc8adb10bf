/* peer: see peer.h. Starting and stopping are in peer_life.c, dialling in peer_dial.c. */
#include "hostile.h"
#include "world.h"

#include <string.h>

bool hf_peer_honest(const hf_sim_peer *p) { return p->role == HF_ROLE_NODE || p->role == HF_ROLE_BROWSER; }

/* ---- clocks ---- */

uint64_t hf_peer_clock(const hf_world *w, const hf_sim_peer *p) {
    return p->clock_base + (w->now_ms - p->clock_from) * (uint64_t)(1000000 + p->ppm) / 1000000;
}

uint64_t hf_peer_wall(const hf_world *w, const hf_sim_peer *p) { return 1700000000000u + w->now_ms + (uint64_t)p->wall_ms; }

/* ---- what comes out of the core ---- */

/* Those who are named are remembered, of too many some by chance. */
static void introduced(hf_world *w, hf_sim_peer *p, const hf_out *out) {
    for (size_t i = 0; i < out->n_peers; i++) {
        const hf_sim_peer *other = hf_map_get(&w->by_id, HF_BYTES(out->peers[i].bytes, out->peers[i].len));
        size_t k = 0;
        while (other && k < p->n_introduced && p->introduced[k] != other->index) k++;
        if (!other || k < p->n_introduced) continue;
        if (p->n_introduced < HF_INTRODUCED_MAX) p->n_introduced++;
        else k = hf_world_draw(w, HF_INTRODUCED_MAX);
        p->introduced[k] = other->index;
    }
    if (p->n_introduced) hf_peer_dial_again(w, p, false);
}

/* "o": may I dial you? "a": yes. The answer's way back opens the way. */
static void signalled(hf_world *w, hf_sim_peer *p, const hf_out *out) {
    const hf_sim_peer *from = hf_map_get(&w->by_id, HF_BYTES(out->peer.bytes, out->peer.len));
    if (!from || out->bytes.len != 1 || p->n_replies == HF_INTRODUCED_MAX) return;
    p->replies[p->n_replies].peer = from->index;
    p->replies[p->n_replies++].what = (char)out->bytes.ptr[0];
}

static void take(hf_world *w, hf_sim_peer *p, const hf_out *out) {
    switch (out->kind) {
    case HF_OUT_STORE:
        hf_disk_put(w, p->index, out->seq, out->database, out->cid, out->bytes);
        hf_check_stored(w, p, out);
        break;
    case HF_OUT_SEND: hf_sim_link_send(w, p->index, out->conn, out->bytes); break;
    case HF_OUT_CONN_CLOSE: hf_sim_link_close(w, p->index, out->conn); break;
    case HF_OUT_INTRODUCED: introduced(w, p, out); break;
    case HF_OUT_SIGNAL: signalled(w, p, out); break;
    case HF_OUT_REFUSED: w->result->n_refused++; break;
    default: break;
    }
}

static void reply(hf_world *w, hf_sim_peer *p) {
    while (p->n_replies) {
        p->n_replies--;
        uint32_t to = p->replies[p->n_replies].peer;
        if (p->replies[p->n_replies].what == 'o') {
            hf_err err = hf_core_signal(p->core, hf_peer_clock(w, p), &w->peers[to].id, HF_TEXT("a"));
            (void)err; /* nobody carries it: the other asks again */
        } else hf_sim_link_dial(w, p->index, to, true);
    }
}

static void plan_tick(hf_world *w, hf_sim_peer *p) {
    uint64_t deadline = hf_core_deadline(p->core), clock = hf_peer_clock(w, p);
    if (deadline == UINT64_MAX) return;
    uint64_t at = w->now_ms + 1 + (deadline > clock ? (deadline - clock) * 1000000 / (uint64_t)(1000000 + p->ppm) : 0);
    if (p->tick_ms > w->now_ms && p->tick_ms <= at) return;
    p->tick_ms = at;
    hf_world_push(w, at, HF_EVENT_TICK, p->index, ++p->n_tick);
}

static bool drain(hf_world *w, hf_sim_peer *p) {
    hf_out out;
    while (!p->meter.failed && hf_core_next(p->core, hf_peer_clock(w, p), &out)) {
        if (p->crash_in && --p->crash_in == 0) return false;
        take(w, p, &out);
    }
    return !p->meter.failed;
}

void hf_peer_pump(hf_world *w, hf_sim_peer *p) {
    if (p->host) return hf_sim_host_pump(w, p);
    if (!p->core) return;
    bool more = true;
    while (more) {
        if (!drain(w, p)) {
            hf_world_count(w, p->meter.failed ? HF_HARM_MEMORY : HF_HARM_CRASH);
            hf_peer_stop(w, p, w->now_ms + 200 + hf_world_draw(w, 10000), hf_world_chance(w, 300));
            return;
        }
        more = p->n_replies > 0;
        reply(w, p);
    }
    hf_sim_link_flush(w, p->index);
    hf_disk_sync(w, p->index);
    plan_tick(w, p);
}

/* ---- what comes in ---- */

void hf_peer_tick(hf_world *w, hf_sim_peer *p, uint64_t n_tick) {
    if (p->host && n_tick == p->n_tick) return hf_sim_host_tick(w, p);
    if (!p->core || n_tick != p->n_tick) return;
    if (p->asleep_until_ms > w->now_ms) return hf_world_push(w, p->asleep_until_ms, HF_EVENT_TICK, p->index, n_tick);
    p->tick_ms = 0;
    hf_core_tick(p->core, hf_peer_clock(w, p));
    hf_peer_pump(w, p);
}

static void answer(hf_world *w, hf_sim_peer *p, uint64_t seq) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_waiting; i++)
        if (p->waiting[i].seq <= seq) hf_load_answered(w, p, p->waiting[i].op);
        else p->waiting[n++] = p->waiting[i];
    p->n_waiting = n;
}

static void take_snapshot(hf_world *w, hf_sim_peer *p) {
    hf_disk *d = &p->disk;
    if (p->role != HF_ROLE_NODE || d->n_synced != d->n || d->n_safe != d->n || !hf_world_chance(w, 50)) return;
    d->snapshot_n = d->n;
    for (uint32_t i = 0; i < HF_COUNT(d->snapshot); i++) {
        hf_buf_clear(&d->snapshot[i]);
        if (hf_core_snapshot(p->core, i + 1, &d->snapshot[i])) d->snapshot_n = 0;
    }
}

void hf_peer_synced(hf_world *w, hf_sim_peer *p, uint64_t life) {
    uint64_t seq;
    if (!p->core || p->life != life) return;
    if (p->asleep_until_ms > w->now_ms) return hf_world_push(w, p->asleep_until_ms, HF_EVENT_SYNCED, p->index, life);
    if (!hf_disk_synced(w, p->index, &seq)) {
        hf_world_count(w, HF_HARM_FULL_DISK);
        hf_peer_stop(w, p, w->now_ms + 2000 + hf_world_draw(w, 10000), false);
        return;
    }
    hf_world_note(w, 'd', p->index, seq);
    hf_core_stored(p->core, hf_peer_clock(w, p), seq);
    answer(w, p, seq);
    take_snapshot(w, p);
    hf_peer_pump(w, p);
}

void hf_peer_opened(hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialer) {
    if (p->host) return hf_sim_host_opened(w, p, conn, dialer);
    if (!p->core) return hf_hostile_opened(w, p, conn, dialer);
    if (hf_core_conn_open(p->core, hf_peer_clock(w, p), conn, dialer, NULL, HF_BYTES(NULL, 0))) hf_sim_link_close(w, p->index, conn);
    if (dialer) p->backoff_ms = 0, hf_peer_dial_again(w, p, false);
    hf_peer_pump(w, p);
}

void hf_peer_received(hf_world *w, hf_sim_peer *p, uint64_t conn, hf_bytes bytes) {
    if (p->host) return hf_sim_host_received(w, p, conn, bytes);
    if (!p->core) return hf_hostile_received(w, p, conn, bytes);
    hf_err err = hf_core_conn_recv(p->core, hf_peer_clock(w, p), conn, bytes);
    (void)err; /* not there: closed a moment ago */
    hf_peer_pump(w, p);
}

void hf_peer_busy(hf_world *w, hf_sim_peer *p, uint64_t conn, bool busy) {
    if (p->host) hf_host_conn_busy(p->host->host, hf_peer_clock(w, p), conn, busy);
    if (p->core) hf_core_conn_busy(p->core, hf_peer_clock(w, p), conn, busy);
}

void hf_peer_link_gone(hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialled, bool tell) {
    for (size_t i = 0; i < p->n_links; i++)
        if (p->links[i] == conn) {
            p->links[i] = p->links[--p->n_links];
            break;
        }
    if (dialled && p->n_dialled) p->n_dialled--;
    if (!p->up) return;
    if (p->host) {
        if (tell) hf_sim_host_lost(w, p, conn);
        return;
    }
    if (tell && p->core) {
        hf_core_conn_lost(p->core, hf_peer_clock(w, p), conn);
        hf_peer_pump(w, p);
    } else if (!p->core) hf_hostile_lost(w, p, conn);
    if (p->up) hf_peer_dial_again(w, p, true);
}

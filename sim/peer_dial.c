/* peer_dial: whom a peer connects to, and when it tries again. See peer.h. */
#include "world.h"

enum { SOON_MS = 250, BACKOFF_MIN_MS = 1000, BACKOFF_MAX_MS = 8000 }; /* the shells' way; a page that is looked at waits 3 s at most, others minutes */

/* Everybody has a node that it stays connected to, as with --join: else a network that was parted could stay so, each side content with itself. */
static bool misses_joined(const hf_world *w, const hf_sim_peer *p) { return p->index && !hf_sim_link_between(w, p->index, p->join); }
static bool content(const hf_world *w, const hf_sim_peer *p) {
    bool alone = w->n_nodes == 1 && p->index == 0; /* nobody is there to be dialled */
    return alone || (p->n_dialled >= (w->config.degree + 1) / 2 && !misses_joined(w, p));
}

static void pay(hf_world *w, hf_sim_peer *p, bool asks) {
    if (hf_peer_honest(p)) hf_check_dial(w, p);
    hf_wave_dialled(w, p, asks);
}

/* A browser asks those it was introduced to once it has two connections, or no node is to be had. */
static bool ask_introduced(hf_world *w, hf_sim_peer *p) {
    if (p->role != HF_ROLE_BROWSER || !p->n_introduced || (p->n_dialled < 2 && w->n_nodes > 1 && hf_world_chance(w, 700))) return false;
    while (p->n_introduced) {
        size_t at = hf_world_draw(w, p->n_introduced);
        uint32_t to = p->introduced[at];
        if (!hf_sim_link_between(w, p->index, to) && hf_core_signal(p->core, hf_peer_clock(w, p), &w->peers[to].id, HF_TEXT("o")) == HF_OK) {
            pay(w, p, true);
            return true;
        }
        p->introduced[at] = p->introduced[--p->n_introduced]; /* it is here, or nobody carries to it any more */
    }
    return false;
}

void hf_peer_dial_again(hf_world *w, hf_sim_peer *p, bool failed) {
    if (!p->core || p->dial_planned || content(w, p)) return;
    if (failed) p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_MIN_MS;
    if (p->backoff_ms > BACKOFF_MAX_MS) p->backoff_ms = BACKOFF_MAX_MS;
    uint64_t wait_ms = p->backoff_ms ? p->backoff_ms : SOON_MS;
    p->dial_planned = true;
    hf_world_push(w, w->now_ms + wait_ms / 2 + hf_world_draw(w, wait_ms / 2), HF_EVENT_DIAL, p->index, p->life);
}

void hf_peer_dial_failed(hf_world *w, hf_sim_peer *p, uint64_t dial) {
    if (p->host) hf_sim_host_dial_failed(w, p, dial, "refused");
    else hf_peer_dial_again(w, p, true);
}

void hf_peer_dial(hf_world *w, hf_sim_peer *p, uint64_t life) {
    if (!p->core || p->life != life) return;
    p->dial_planned = false;
    if (content(w, p)) return;
    if (p->asleep_until_ms > w->now_ms) {
        p->dial_planned = true;
        return hf_world_push(w, p->asleep_until_ms, HF_EVENT_DIAL, p->index, life);
    }
    bool home = misses_joined(w, p) && hf_world_chance(w, 700);
    if (!home && ask_introduced(w, p)) {
        hf_peer_dial_again(w, p, true); /* the answer may not come */
        hf_peer_pump(w, p);
        return;
    }
    uint32_t to = home ? p->join : (uint32_t)hf_world_draw(w, w->n_nodes);
    if (to == p->index || hf_sim_link_between(w, p->index, to)) return hf_peer_dial_again(w, p, true);
    pay(w, p, false);
    if (!hf_sim_link_dial(w, p->index, to, false)) hf_peer_dial_again(w, p, true);
}

/* peer_dial: whom a peer connects to, and when it tries again. See peer.h. */
#include "world.h"

enum { BACKOFF_MIN_MS = 250, BACKOFF_MAX_MS = 8000 };

/* Everybody has a node that it stays connected to, as with --join: else a network that was parted could stay so, each side content with itself. */
static bool misses_joined(const hf_world *w, const hf_sim_peer *p) { return p->index && !hf_sim_link_between(w, p->index, p->join); }
static bool content(const hf_world *w, const hf_sim_peer *p) { return p->n_dialled >= (w->config.degree + 1) / 2 && !misses_joined(w, p); }

/* A browser asks those it was introduced to once it has two connections, or no node is to be had. */
static bool ask_introduced(hf_world *w, hf_sim_peer *p) {
    if (p->role != HF_ROLE_BROWSER || !p->n_introduced || (p->n_dialled < 2 && hf_world_chance(w, 700))) return false;
    uint32_t to = p->introduced[hf_world_draw(w, p->n_introduced)];
    if (hf_sim_link_between(w, p->index, to)) return false;
    return hf_core_signal(p->core, hf_peer_clock(w, p), &w->peers[to].id, HF_TEXT("o")) == HF_OK;
}

void hf_peer_dial_again(hf_world *w, hf_sim_peer *p, bool failed) {
    if (!p->core || p->dial_planned || content(w, p)) return;
    if (failed) p->backoff_ms = p->backoff_ms ? p->backoff_ms * 2 : BACKOFF_MIN_MS;
    if (p->backoff_ms > BACKOFF_MAX_MS) p->backoff_ms = BACKOFF_MAX_MS;
    uint64_t wait_ms = p->backoff_ms ? p->backoff_ms : BACKOFF_MIN_MS;
    p->dial_planned = true;
    hf_world_push(w, w->now_ms + wait_ms / 2 + hf_world_draw(w, wait_ms), HF_EVENT_DIAL, p->index, p->life);
}

void hf_peer_dial(hf_world *w, hf_sim_peer *p, uint64_t life) {
    if (!p->core || p->life != life) return;
    p->dial_planned = false;
    if (content(w, p)) return;
    if (p->asleep_until_ms > w->now_ms) {
        p->dial_planned = true;
        return hf_world_push(w, p->asleep_until_ms, HF_EVENT_DIAL, p->index, life);
    }
    uint32_t to = misses_joined(w, p) && hf_world_chance(w, 700) ? p->join : (uint32_t)hf_world_draw(w, w->n_nodes);
    if (to != p->join && ask_introduced(w, p)) {
        hf_peer_dial_again(w, p, true); /* the answer may not come */
        hf_peer_pump(w, p);
    } else if (!hf_sim_link_dial(w, p->index, to, false)) hf_peer_dial_again(w, p, true);
}

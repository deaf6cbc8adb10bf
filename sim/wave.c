/* wave: see wave.h. */
#include "world.h"

enum { LOOK_MS = 100, NODE = 0, REACHED_MS = 10000, LEVEL_MS = 20000 };

void hf_wave_begin(hf_world *w) {
    hf_sim_wave *r = &w->result->wave;
    if (!w->config.wave) return;
    r->reach_ms[0] = r->reach_ms[1] = r->connected_ms[0] = r->connected_ms[1] = r->level_ms = UINT64_MAX;
    w->wave.died_ms = w->end_ms / 3;
    w->wave.back_ms = w->end_ms * 2 / 3;
    hf_world_push(w, w->wave.died_ms, HF_EVENT_WAVE, 0, 0);
}

void hf_wave_dialled(hf_world *w, hf_sim_peer *p, bool asked) {
    hf_sim_wave *r = &w->result->wave;
    if (!w->config.wave || p->index == NODE) return;
    if (w->wave.phase == HF_WAVE_ALONE) {
        if (asked) r->n_asks++;
        else r->n_dials++;
        if (++p->n_wave_dials > r->n_most) r->n_most = p->n_wave_dials;
    } else if (w->wave.phase == HF_WAVE_BACK && r->connected_ms[1] == UINT64_MAX) r->n_back_dials++;
}

static void look(hf_world *w) {
    hf_sim_wave *r = &w->result->wave;
    uint64_t since_ms = w->now_ms - w->wave.back_ms;
    size_t n = w->peers[NODE].n_links, n_browsers = w->n_honest - 1;
    if (n * 2 >= n_browsers && r->connected_ms[0] == UINT64_MAX) r->connected_ms[0] = since_ms;
    if (n >= n_browsers && r->connected_ms[1] == UINT64_MAX) r->connected_ms[1] = since_ms;
    if (r->level_ms == UINT64_MAX && hf_check_has_all(w, NODE, w->wave.back_ms)) r->level_ms = since_ms;
    if (r->connected_ms[1] == UINT64_MAX || r->level_ms == UINT64_MAX) hf_world_push(w, w->now_ms + LOOK_MS, HF_EVENT_WAVE, 0, 0);
}

void hf_wave_step(hf_world *w) {
    switch (w->wave.phase) {
    case HF_WAVE_BEFORE:
        w->wave.phase = HF_WAVE_ALONE;
        w->result->wave.n_links_before = w->peers[NODE].n_links;
        hf_peer_stop(w, &w->peers[NODE], w->wave.back_ms, false);
        hf_world_push(w, w->wave.back_ms, HF_EVENT_WAVE, 0, 0);
        break;
    case HF_WAVE_ALONE: w->wave.phase = HF_WAVE_BACK; look(w); break;
    case HF_WAVE_BACK: look(w); break;
    }
}

void hf_wave_figures(hf_world *w) {
    if (w->config.wave) hf_check_reached(w, w->wave.died_ms, w->wave.back_ms, &w->result->wave);
}

void hf_wave_check(hf_world *w) {
    const hf_sim_wave *r = &w->result->wave;
    if (!w->config.wave || w->failed) return;
    if (r->reach_ms[1] > REACHED_MS) hf_world_fail(w, "browsers go on among themselves", "nothing was at 99 %% of them %u s after the node's death", REACHED_MS / 1000);
    if (r->level_ms > LEVEL_MS) hf_world_fail(w, "who returns catches up", "the node was not level %u s after its return", LEVEL_MS / 1000);
}

/* sim: one run. See sim.h. */
#include "world.h"

#include "hostile.h"
#include "report.h"

#include <stdlib.h>
#include <string.h>

enum { SAMPLE_MS = 1000, SETTLE_SAMPLE_MS = 250, SETTLE_MS = 120000 };

static void *plain_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len == 0) return free(ptr), NULL;
    return realloc(ptr, new_len);
}

static void sample(hf_world *w) {
    hf_check_sample(w);
    uint64_t next = w->now_ms + (w->mended ? SETTLE_SAMPLE_MS : SAMPLE_MS);
    if (w->mended && w->check.level) w->result->converge_ms = w->now_ms - w->end_ms;
    if (!w->mended && next >= w->end_ms) {
        next = w->end_ms;
        if (w->now_ms == w->end_ms) {
            hf_world_mend(w);
            next = w->now_ms + SETTLE_SAMPLE_MS;
        }
    }
    hf_world_push(w, next, HF_EVENT_SAMPLE, 0, 0);
}

static void run_event(hf_world *w, const hf_sim_event *e) {
    switch (e->kind) {
    case HF_EVENT_PACKET: hf_sim_link_arrive(w, e->a, e->b); break;
    case HF_EVENT_LOST: hf_sim_link_lost(w, e->a, e->b); break;
    case HF_EVENT_UP: hf_sim_link_up(w, e->a); break;
    case HF_EVENT_TICK: hf_peer_tick(w, &w->peers[e->a], e->b); break;
    case HF_EVENT_SYNCED: hf_peer_synced(w, &w->peers[e->a], e->b); break;
    case HF_EVENT_DIAL: hf_peer_dial(w, &w->peers[e->a], e->b); break;
    case HF_EVENT_START: hf_peer_start(w, &w->peers[e->a]); break;
    case HF_EVENT_USER: hf_load_send(w, (uint32_t)e->a); break;
    case HF_EVENT_HARM: hf_world_harm(w); break;
    case HF_EVENT_ATTACK:
        if (w->peers[e->a].life == e->b) hf_hostile_attack(w, &w->peers[e->a]);
        break;
    case HF_EVENT_CHURN: hf_world_churn(w); break;
    case HF_EVENT_JOIN: hf_sim_host_join(w, &w->peers[e->a]); break;
    case HF_EVENT_SCENE: hf_scene_step(w, e->a, e->b); break;
    case HF_EVENT_WAVE: hf_wave_step(w); break;
    case HF_EVENT_SAMPLE: sample(w); break;
    }
}

static void run(hf_world *w) {
    uint64_t last_ms = w->end_ms + (w->config.settle_ms ? w->config.settle_ms : SETTLE_MS);
    hf_sim_event e;
    while (!w->failed && !w->check.level && hf_world_pop(w, &e) && e.at_ms <= last_ms) {
        w->now_ms = e.at_ms;
        w->result->n_events++;
        run_event(w, &e);
    }
    if (w->config.scene) hf_scene_end(w);
    else if (!w->failed) hf_check_end(w);
}

static void begin(hf_world *w) {
    w->random = w->config.seed;
    w->now_ms = 0;
    w->end_ms = (uint64_t)w->config.minutes * 60000;
    hf_sha256_init(&w->history);
    hf_map_init(&w->by_id, &w->mem, 1);
    hf_map_init(&w->blocks.map, &w->mem, 1);
    hf_check_init(w);
    if (w->config.scene) hf_scene_prepare(w);
    hf_peers_make(w);
    if (w->config.scene) return hf_scene_begin(w);
    hf_load_make(w);
    hf_world_push(w, 1000, HF_EVENT_SAMPLE, 0, 0);
    hf_world_push(w, 3000, HF_EVENT_HARM, 0, 0);
    w->churn_us = 3000000;
    if (w->config.churn) hf_world_push(w, 3000, HF_EVENT_CHURN, 0, 0);
    hf_wave_begin(w);
}

static void end(hf_world *w) {
    hf_peers_free(w);
    hf_sim_links_free(w);
    hf_load_free(w);
    hf_scene_free(w);
    hf_check_deinit(w);
    hf_map_deinit(&w->blocks.map);
    hf_release(&w->mem, w->heap, w->heap_cap * sizeof *w->heap);
}

void hf_sim_run(const hf_sim_config *config, hf_sim_result *ret, hf_buf *picture) {
    hf_world w = {.config = *config, .result = ret, .mem = {plain_resize, NULL}};
    memset(ret, 0, sizeof *ret);
    begin(&w);
    run(&w);
    ret->virtual_ms = w.now_ms;
    if (!config->scene) hf_check_figures(&w);
    hf_wave_check(&w);
    if (picture && !config->scene) hf_report_picture(picture, &w);
    ret->ok = !w.failed;
    hf_world_note(&w, 'z', ret->n_events, ret->ok);
    hf_sha256_end(&w.history, ret->digest);
    w.mended = true; /* taking it down is no fault */
    end(&w);
}

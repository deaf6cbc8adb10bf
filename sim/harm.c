/* harm: faults that come from outside. See world.h. */
#include "world.h"

static void harm_peer(hf_world *w, hf_harm harm, hf_sim_peer *p) {
    switch (harm) {
    case HF_HARM_CUT:
        if (p->n_links) hf_sim_link_cut_of(w, p->index, p->links[hf_world_draw(w, p->n_links)]);
        break;
    case HF_HARM_CRASH: p->crash_in = 1 + hf_world_draw(w, 40); return; /* counted when it happens */
    case HF_HARM_MEMORY: p->meter.fail_in = 1 + hf_world_draw(w, 3000); return;
    case HF_HARM_SLOW_DISK: p->disk.slow_until_ms = w->now_ms + hf_world_draw(w, 15000); break;
    case HF_HARM_FULL_DISK: p->disk.full = true; return;
    case HF_HARM_SLEEP: p->asleep_until_ms = w->now_ms + 500 + hf_world_draw(w, 50000); break;
    case HF_HARM_CLOCK:
        p->wall_ms += (int64_t)hf_world_draw(w, 7200000) - 3600000;
        p->clock_base = hf_peer_clock(w, p);
        p->clock_from = w->now_ms;
        p->ppm = (int64_t)hf_world_draw(w, 100000) - 50000;
        break;
    case HF_HARM_EVICT:
        hf_peer_stop(w, p, w->now_ms + 500 + hf_world_draw(w, 5000), false);
        hf_peer_wipe(w, p);
        break;
    default: return;
    }
    hf_world_count(w, harm);
}

void hf_world_harm(hf_world *w) {
    static const hf_harm kinds[] = {HF_HARM_CUT, HF_HARM_PARTITION, HF_HARM_CRASH, HF_HARM_SLOW_DISK, HF_HARM_FULL_DISK,
                                    HF_HARM_EVICT, HF_HARM_SLEEP, HF_HARM_CLOCK, HF_HARM_MEMORY};
    if (w->mended) return;
    hf_harm harm = kinds[hf_world_draw(w, HF_COUNT(kinds))];
    hf_sim_peer *p = &w->peers[hf_world_draw(w, w->n_honest)];
    uint64_t every_ms = 8000 / w->config.n_peers + 1;
    hf_world_push(w, w->now_ms + 1 + hf_world_draw(w, 2 * every_ms), HF_EVENT_HARM, 0, 0);
    if (!hf_world_harms(w, harm) || !p->core) return;
    if (harm == HF_HARM_EVICT && p->role != HF_ROLE_BROWSER) return;
    hf_world_note(w, 'H', harm, p->index);
    if (harm == HF_HARM_PARTITION) hf_part_begin(w);
    else harm_peer(w, harm, p);
}

static uint64_t churn_every_us(const hf_world *w) { return 60000000ull * 100 / ((uint64_t)w->config.churn * w->n_honest); }

void hf_world_churn(hf_world *w) {
    if (w->mended || !w->config.churn) return;
    w->churn_us += 1 + hf_world_draw(w, 2 * churn_every_us(w));
    hf_world_push(w, w->churn_us / 1000, HF_EVENT_CHURN, 0, 0);
    hf_sim_peer *p = &w->peers[hf_world_draw(w, w->n_honest)];
    bool silent = hf_world_chance(w, 300);
    if (!p->core) return;
    w->result->n_churned++;
    hf_peer_stop(w, p, w->now_ms + 1000 + hf_world_draw(w, 20000), silent);
}

void hf_world_mend(hf_world *w) {
    w->mended = true;
    w->parting.until_ms = 0;
    for (uint32_t i = 0; i < w->config.n_peers; i++) {
        hf_sim_peer *p = &w->peers[i];
        if (!hf_peer_honest(p)) {
            if (p->role != HF_ROLE_LOOSE) hf_peer_stop(w, p, UINT64_MAX, false);
            continue;
        }
        if (p->asleep_until_ms > w->now_ms) hf_world_push(w, w->now_ms, HF_EVENT_TICK, p->index, p->n_tick); /* it wakes now */
        p->clock_base = hf_peer_clock(w, p);
        p->clock_from = w->now_ms;
        p->ppm = 0, p->wall_ms = 0;
        p->crash_in = 0, p->asleep_until_ms = 0, p->meter.fail_in = 0;
        p->disk.full = false, p->disk.slow_until_ms = 0;
        p->natted = false;
        hf_peer_start(w, p);
    }
}

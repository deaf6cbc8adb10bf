/* check_reach: nobody dials more than its budget, and nobody stays alone. See check.h. */
#include "world.h"

/* A token bucket, told as a time: each dial is paid for with HF_DIAL_EVERY_MS, and HF_DIALS_BURST of them may be owed. */
void hf_check_dial(hf_world *w, hf_sim_peer *p) {
    if (p->dials_ms < w->now_ms) p->dials_ms = w->now_ms;
    p->dials_ms += HF_DIAL_EVERY_MS;
    p->n_dials++;
    uint64_t n_owed = (p->dials_ms - w->now_ms + HF_DIAL_EVERY_MS - 1) / HF_DIAL_EVERY_MS;
    if (n_owed > w->result->dials_most) w->result->dials_most = n_owed;
    if (n_owed > HF_DIALS_BURST)
        hf_world_fail(w, "dials stay within their budget", "peer %u dials %u times more than one in %u ms", (unsigned)p->index, (unsigned)n_owed, HF_DIAL_EVERY_MS);
}

static bool is_alone(hf_world *w, const hf_sim_peer *p) {
    const hf_sim_peer *join = &w->peers[p->join];
    if (!p->core || p->asleep_until_ms > w->now_ms || p == join) return false;
    if (!join->core || join->asleep_until_ms > w->now_ms || join->natted || hf_part_apart(w, p->index, p->join)) return false;
    return !hf_sim_link_has_whole(w, p);
}

void hf_check_alone(hf_world *w) {
    for (uint32_t i = 0; i < w->n_honest; i++) {
        hf_sim_peer *p = &w->peers[i];
        if (!is_alone(w, p)) p->alone_ms = 0;
        else if (!p->alone_ms) p->alone_ms = w->now_ms;
        else if (w->now_ms - p->alone_ms > HF_ALONE_MS)
            hf_world_fail(w, "who can be reached is not alone for ever", "peer %u, since %u s", (unsigned)i, (unsigned)((w->now_ms - p->alone_ms) / 1000));
    }
}

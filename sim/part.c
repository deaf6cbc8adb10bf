/* part: see part.h. */
#include "world.h"

enum { STEP = 1000003, TURN_MIN_MS = 500, TURN_MS = 3500 }; /* STEP: a prime above the number of peers, so that places are spread and no two the same */

const char *hf_part_name(hf_part part) {
    static const char *const names[HF_PARTS] = {"split", "halves", "ring", "bridge", "one-way", "flap"};
    return part < HF_PARTS ? names[part] : "";
}

void hf_part_begin(hf_world *w) {
    hf_parting *p = &w->parting;
    if (p->until_ms > w->now_ms) return;
    p->salt = hf_world_draw(w, UINT32_MAX);
    p->shape = (hf_part)hf_world_draw(w, HF_PARTS);
    p->from_ms = w->now_ms;
    p->until_ms = w->now_ms + 1000 + hf_world_draw(w, 50000);
    w->result->n_parts[p->shape]++;
    hf_world_count(w, HF_HARM_PARTITION);
}

static uint32_t place_of(const hf_world *w, uint32_t peer) { return (uint32_t)(((uint64_t)peer * STEP + w->parting.salt) % w->config.n_peers); }

static bool ring_stops(uint32_t n, uint32_t a, uint32_t b) {
    uint32_t far = a > b ? a - b : b - a;
    if (far > n - far) far = n - far;
    return far > n / 4 + 1;
}

static bool stops(const hf_world *w, uint32_t a, uint32_t b) {
    uint32_t n = w->config.n_peers, half = n / 2, split = (uint32_t)(n * (100 + w->parting.salt % 500) / 1000);
    switch (w->parting.shape) {
    case HF_PART_SPLIT: return (a < split) != (b < split);
    case HF_PART_RING: return ring_stops(n, a, b);
    case HF_PART_BRIDGE: return a && b && (a < half) != (b < half);
    case HF_PART_ONE_WAY: return a < half && b >= half;
    default: return (a < half) != (b < half);
    }
}

uint64_t hf_part_stops(const hf_world *w, uint32_t from, uint32_t to) {
    const hf_parting *p = &w->parting;
    if (w->now_ms >= p->until_ms || !stops(w, place_of(w, from), place_of(w, to))) return 0;
    if (p->shape != HF_PART_FLAP) return p->until_ms;
    uint64_t turn_ms = TURN_MIN_MS + p->salt % TURN_MS, turn = (w->now_ms - p->from_ms) / turn_ms;
    if (turn % 2) return 0;
    uint64_t next_ms = p->from_ms + (turn + 1) * turn_ms;
    return next_ms < p->until_ms ? next_ms : p->until_ms;
}

bool hf_part_apart(const hf_world *w, uint32_t a, uint32_t b) { return hf_part_stops(w, a, b) || hf_part_stops(w, b, a); }

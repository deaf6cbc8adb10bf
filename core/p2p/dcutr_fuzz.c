/* Fuzz: dcutr over a connection that a relay limits, and a stranger at its other end who says anything. Steps: stranger_fuzz.h. What is to be dialled is his,
 * and can be dialled. */
#include "dcutr.h"

#include "reach.h"
#include "stranger_fuzz.h"

static void *make(hf_stranger *s) { return hf_dcutr_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, false); }

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    if (hf_stranger_concerns(o, 1)) hf_dcutr_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_dcutr_out out;
    if (!hf_dcutr_next(s->self, &out)) return false;
    HF_ASSERT(hf_peer_id_eq(&out.peer, hf_stranger_id(s, 0)));
    if (out.kind == HF_DCUTR_FAILED) HF_ASSERT(out.reason != NULL);
    for (size_t i = 0; out.kind == HF_DCUTR_DIAL && i < out.n_addrs; i++) HF_ASSERT(hf_reach_is_dialable(out.addrs[i], hf_peer_id_bytes(&out.peer), false));
    return true;
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) { (void)s, (void)what, (void)bytes; }
static void tick(hf_stranger *s) { hf_dcutr_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_dcutr_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_DCUTR_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, true, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

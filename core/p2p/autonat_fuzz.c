/* Fuzz: AutoNAT v1, both sides, and a stranger who asks and answers anything. Steps: stranger_fuzz.h; from 8 on: a dial back worked, or did not. */
#include "autonat.h"

#include "stranger_fuzz.h"

static uint64_t dial; /* the last that was asked for */
static hf_bytes first;
static uint8_t kept[256];

static void *make(hf_stranger *s) {
    hf_autonat_config config = {.serve = true, .confidence = 1};
    dial = first.len = 0;
    return hf_autonat_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, &config);
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    if (hf_stranger_concerns(o, 1)) hf_autonat_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_autonat_out out;
    if (!hf_autonat_next(s->self, &out)) return false;
    if (out.kind == HF_AUTONAT_REACHABILITY) HF_ASSERT(out.reach == hf_autonat_look(s->self));
    if (out.kind != HF_AUTONAT_DIAL_BACK) return true;
    HF_ASSERT(out.n_addrs > 0 && hf_peer_id_eq(&out.peer, hf_stranger_id(s, 0)));
    dial = out.dial;
    first = HF_BYTES(kept, out.addrs[0].len < sizeof kept ? out.addrs[0].len : sizeof kept);
    for (size_t i = 0; i < first.len; i++) kept[i] = out.addrs[0].ptr[i];
    return true;
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    (void)bytes;
    hf_autonat_dialled(s->self, s->now_ms, dial, what % 2 && first.len ? &first : NULL);
    (void)hf_autonat_leans_private(s->self, s->now_ms);
}

static void tick(hf_stranger *s) { hf_autonat_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_autonat_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_AUTONAT_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

/* Fuzz: AutoNAT v2, both sides, and a stranger who asks, pays and answers anything. Steps: stranger_fuzz.h; from 8 on: a dial back worked, or did not. */
#include "autonat2.h"

#include "../codec/multiaddr.h"
#include "stranger_fuzz.h"

static uint64_t dial; /* the last that was asked for */

static void *make(hf_stranger *s) {
    hf_autonat2_config config = {.serve = true, .any_address = true, .confidence = 1, .data_bytes = 300, .random = hf_fuzz_fill, .random_ctx = &s->random};
    dial = 0;
    return hf_autonat2_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, &config);
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    if (hf_stranger_concerns(o, HF_AUTONAT2_TAGS)) hf_autonat2_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_autonat2_out out;
    hf_multiaddr address;
    if (!hf_autonat2_next(s->self, &out)) return false;
    HF_ASSERT(!hf_multiaddr_read(out.addr, &address, NULL));
    if (out.kind == HF_AUTONAT2_DIAL_BACK) dial = out.dial;
    return true;
}

/* The connection that is said to be new is the one there is. */
static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    (void)bytes;
    bool reached = what % 2 && s->conns[0];
    (void)hf_autonat2_dialled(s->self, s->now_ms, dial, reached, reached ? s->conns[0] : 0);
}

static void tick(hf_stranger *s) { hf_autonat2_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_autonat2_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_AUTONAT2_PROTOCOL, HF_AUTONAT2_BACK_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

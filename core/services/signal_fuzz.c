/* Fuzz: introductions between two strangers, who announce, list and send anything. Steps: core/p2p/stranger_fuzz.h; from 8 on: send. */
#include "signal.h"

#include "../p2p/stranger_fuzz.h"

static void *make(hf_stranger *s) { return hf_signal_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, true, 7); }

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    bool stream = o->kind >= HF_SWARM_STREAM_OPEN && o->tag == HF_STRANGER_TAG_OURS;
    if (stream || o->kind == HF_SWARM_IDENTIFIED) hf_signal_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_signal_out out;
    if (!hf_signal_next(s->self, &out)) return false;
    HF_ASSERT(out.peer.len && out.n_peers <= HF_SIGNAL_PEERS_MAX && out.data.len <= HF_SIGNAL_DATA_MAX);
    if (out.kind == HF_SIGNAL_ABUSE) HF_ASSERT(out.reason != NULL);
    return true;
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    (void)what;
    hf_peer_id to = *hf_stranger_id(s, hf_stranger_arg(bytes));
    if (bytes.len > 1) (void)!hf_peer_id_read(bytes, &to);
    hf_err err = hf_signal_send(s->self, s->now_ms, &to, bytes);
    HF_ASSERT(err != HF_NOMEM);
}

static void tick(hf_stranger *s) { (void)s; }
static void end(hf_stranger *s) { hf_signal_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_SIGNAL_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 2, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

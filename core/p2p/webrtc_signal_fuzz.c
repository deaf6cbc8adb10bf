/* Fuzz: WebRTC signalling over a connection that a relay limits, and a stranger who calls and answers anything. Steps: stranger_fuzz.h; from 8 on: call, say,
 * end. What is heard is of a session that was told of. */
#include "webrtc_signal.h"

#include "stranger_fuzz.h"

static uint32_t session; /* the last that was told of */

static void *make(hf_stranger *s) {
    session = 0;
    return hf_webrtc_signal_new(&s->mem, s->us, HF_STRANGER_TAG_OURS);
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    if (o->kind >= HF_SWARM_STREAM_OPEN && o->tag == HF_STRANGER_TAG_OURS) hf_webrtc_signal_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_webrtc_signal_out out;
    if (!hf_webrtc_signal_next(s->self, &out)) return false;
    HF_ASSERT(out.session && hf_peer_id_eq(&out.peer, hf_stranger_id(s, 0)));
    if (out.kind == HF_WEBRTC_SIGNAL_HEARD) HF_ASSERT(out.type <= HF_WEBRTC_CANDIDATE);
    if (out.kind == HF_WEBRTC_SIGNAL_ENDED) HF_ASSERT(out.reason != NULL);
    session = out.session;
    return true;
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    uint8_t arg = hf_stranger_arg(bytes);
    hf_peer_id peer;
    bool caller;
    hf_err err = HF_OK;
    switch (what % 4) {
    case 0:
        if (s->conns[0]) err = hf_webrtc_signal_call(s->self, s->now_ms, s->conns[0], hf_stranger_id(s, 0), &session);
        break;
    case 1: err = hf_webrtc_signal_say(s->self, s->now_ms, session, (hf_webrtc_signal_type)(arg % 3), bytes); break;
    case 2: hf_webrtc_signal_end(s->self, s->now_ms, session, arg % 2); break;
    default:
        if (!hf_webrtc_signal_with(s->self, session, &peer, &caller)) HF_ASSERT(hf_peer_id_eq(&peer, hf_stranger_id(s, 0)));
    }
    HF_ASSERT(err != HF_NOMEM);
}

static void tick(hf_stranger *s) { hf_webrtc_signal_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_webrtc_signal_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_WEBRTC_SIGNAL_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, true, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

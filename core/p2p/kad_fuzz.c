/* Fuzz: a kad server that also asks, and a stranger who serves too and answers anything. Steps: stranger_fuzz.h; from 8 on: what a user asks for, and dials
 * that come to nothing. What is found is what was asked for, and operations end. */
#include "kad.h"

#include "stranger_fuzz.h"

static hf_err validate(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value) {
    (void)ctx, (void)unix_ms, (void)key;
    return value.len && value.ptr[0] == 'v' ? HF_OK : HF_DENIED;
}

static bool better(void *ctx, hf_bytes key, hf_bytes a, hf_bytes b) {
    (void)ctx, (void)key;
    return a.len > b.len;
}

static void *make(hf_stranger *s) {
    static const hf_kad_validator validators[] = {{"v", validate, better, NULL}};
    hf_kad_config config = {.server = true, .random = hf_fuzz_fill, .random_ctx = &s->random, .validators = validators, .n_validators = 1, .k = 4, .alpha = 2,
                            .values_max = 4, .value_bytes_max = 4096, .providers_max = 8, .providers_per_key_max = 4, .own_max = 4, .request_ms = 1000};
    hf_kad *kad = hf_kad_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, &config);
    if (kad) hf_kad_clock(kad, s->now_ms, 1700000000000);
    return kad;
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    if (hf_stranger_concerns(o, 1)) hf_kad_event(s->self, s->now_ms, o);
    return false;
}

static bool next(hf_stranger *s) {
    hf_kad_out out;
    if (!hf_kad_next(s->self, &out)) return false;
    if (out.kind == HF_KAD_DIAL) HF_ASSERT(out.n_addresses > 0);
    if (out.kind == HF_KAD_VALUE) HF_ASSERT(out.value.len && out.value.ptr[0] == 'v');
    if (out.kind == HF_KAD_DIAL && s->now_ms % 2) hf_kad_dial_failed(s->self, s->now_ms, &out.peer);
    HF_ASSERT(hf_kad_n_values(s->self) <= 4 && hf_kad_n_providers(s->self) <= 8);
    return true;
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    static const uint8_t multihash[34] = {0x12, 0x20, 7};
    hf_kad *kad = s->self;
    uint64_t op;
    hf_err err = HF_OK;
    hf_peer_id peer = *hf_stranger_id(s, 0);
    if (bytes.len > 1 && !hf_peer_id_read(bytes, &peer) && hf_peer_id_eq(&peer, hf_swarm_self(s->us))) return;
    switch (what) {
    case 8: err = hf_kad_find_peer(kad, s->now_ms, &peer, &op); break;
    case 9: err = hf_kad_closest_peers(kad, s->now_ms, hf_sub(bytes, 0, 64), &op); break;
    case 10: err = hf_kad_provide(kad, s->now_ms, HF_BYTES(multihash, sizeof multihash), &op); break;
    case 11: err = hf_kad_find_providers(kad, s->now_ms, HF_BYTES(multihash, sizeof multihash), hf_stranger_arg(bytes), &op); break;
    case 12: err = hf_kad_put_value(kad, s->now_ms, HF_TEXT("/v/a"), bytes, &op); break;
    case 13: err = hf_kad_get_value(kad, s->now_ms, HF_TEXT("/v/a"), hf_stranger_arg(bytes) % 4, &op); break;
    case 14: hf_kad_cancel(kad, s->now_ms, hf_stranger_arg(bytes)); break;
    default: hf_kad_dial_failed(kad, s->now_ms, &peer);
    }
    HF_ASSERT(err != HF_NOMEM);
}

static void tick(hf_stranger *s) { hf_kad_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_kad_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_KAD_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 1, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

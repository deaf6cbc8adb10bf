/* Fuzz: a peer that is a relay and uses relays, between two strangers who may be guests, relays and callers at once. Steps: stranger_fuzz.h; from 8 on:
 * reserve, unreserve, connect, and a stranger who asks to be
 * connected to the other. What is reserved and connected is named; nothing but relayed connections has their numbers. */
#include "relay.h"

#include "stranger_fuzz.h"

static hf_relay_verdict allow(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)target;
    return ask == HF_RELAY_ASK_CONNECT && peer->bytes[peer->len - 1] % 2 ? HF_RELAY_UNLIMITED : HF_RELAY_LIMITED;
}

static void *make(hf_stranger *s) {
    hf_relay_config config = {.unix_offset_ms = 1700000000000, .serve = true, .called_by_any = true, .allow = allow, .reservations_max = 4, .circuits_max = 8,
                              .circuits_per_peer_max = 4, .bytes_max = 4096, .held_bytes_max = 1 << 20};
    return hf_relay_new(&s->mem, s->us, HF_STRANGER_TAG_OURS, &config);
}

static bool event(hf_stranger *s, const hf_swarm_out *o) {
    bool taken = hf_relay_event(s->self, s->now_ms, o);
    HF_ASSERT(taken || (o->kind != HF_SWARM_SEND && o->kind != HF_SWARM_CONN_CLOSE) || !hf_relay_is_conn(o->conn));
    return taken;
}

static bool next(hf_stranger *s) {
    hf_relay_out out;
    if (!hf_relay_next(s->self, &out)) return false;
    if (out.kind == HF_RELAY_RESERVED) HF_ASSERT(out.via.len && out.n_addrs > 0);
    if (out.kind == HF_RELAY_CONNECTED) HF_ASSERT(out.via.len && out.peer.len && hf_relay_is_conn(out.conn));
    if (out.kind == HF_RELAY_LOST || out.kind == HF_RELAY_FAILED) HF_ASSERT(out.reason != NULL);
    return true;
}

static void ask_for(hf_stranger *s, const hf_peer_id *target) {
    hf_relay_message m = {.type = HF_RELAY_CONNECT, .peer = *target};
    hf_buf message;
    hf_buf_init(&message, &s->mem);
    hf_relay_message_add(&message, &m, false);
    hf_stranger_say(s, hf_buf_bytes(&message), true);
    hf_buf_deinit(&message);
}

static void own(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    uint8_t arg = hf_stranger_arg(bytes);
    const hf_peer_id *via = hf_stranger_id(s, arg), *target = hf_stranger_id(s, arg / 2u);
    hf_err err = HF_OK;
    if (what % 4 == 3) ask_for(s, target);
    else if (what % 4 == 0) err = hf_relay_reserve(s->self, s->now_ms, via);
    else if (what % 4 == 1) hf_relay_unreserve(s->self, via);
    else if (!hf_peer_id_eq(via, target)) err = hf_relay_connect(s->self, s->now_ms, via, target, arg);
    HF_ASSERT(err != HF_NOMEM && err != HF_STATE);
}

static void tick(hf_stranger *s) { hf_relay_tick(s->self, s->now_ms); }
static void end(hf_stranger *s) { hf_relay_free(s->self); }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const char *const protocols[] = {HF_RELAY_HOP_PROTOCOL, HF_RELAY_STOP_PROTOCOL, NULL};
    static const hf_stranger_part part = {protocols, 2, false, make, event, next, own, tick, end};
    hf_stranger_play(&part, HF_BYTES(data, len));
    return 0;
}

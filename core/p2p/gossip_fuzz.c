/* Fuzz: a gossip and a stranger who says anything, at any time, in any cut. Input: steps of one byte what, two bytes length, that many bytes. */
#include "gossip.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/varint.h"

enum { TAG = 10, STRANGER_TAG = 90, STEPS_MAX = 60 };
#define TOPIC HF_TEXT("t")

typedef struct world {
    hf_mem mem;
    uint64_t random, now_ms, stream;
    hf_swarm *us, *stranger;
    hf_gossip *gossip;
    hf_gossip_id last;
} world;

static void take_news(world *w) {
    for (hf_gossip_out o; hf_gossip_next(w->gossip, &o);) {
        if (o.kind != HF_GOSSIP_MESSAGE) continue;
        HF_ASSERT(o.id.len <= HF_GOSSIP_ID_MAX);
        w->last.len = (uint8_t)o.id.len;
        for (size_t i = 0; i < o.id.len; i++) w->last.bytes[i] = o.id.ptr[i];
    }
}

/* What one swarm says goes to the other at once. */
static void run(world *w) {
    for (bool any = true; any;) {
        any = false;
        for (hf_swarm_out o; hf_swarm_next(w->us, &o); any = true) {
            if (o.kind == HF_SWARM_SEND) (void)!hf_swarm_conn_recv(w->stranger, w->now_ms, 1, o.bytes);
            else if (o.kind == HF_SWARM_CONN_CLOSE) hf_swarm_conn_lost(w->stranger, w->now_ms, 1);
            else hf_gossip_event(w->gossip, w->now_ms, &o);
        }
        take_news(w);
        for (hf_swarm_out o; hf_swarm_next(w->stranger, &o); any = true) {
            if (o.kind == HF_SWARM_SEND) (void)!hf_swarm_conn_recv(w->us, w->now_ms, 1, o.bytes);
            if (o.kind == HF_SWARM_CONN_CLOSE) hf_swarm_conn_lost(w->us, w->now_ms, 1);
        }
    }
}

static void say(world *w, hf_bytes bytes, bool framed) {
    uint8_t head[HF_VARINT_MAX];
    if (framed) (void)!hf_swarm_stream_write(w->stranger, w->now_ms, w->stream, HF_BYTES(head, hf_varint_write(bytes.len, head)));
    if (bytes.len) (void)!hf_swarm_stream_write(w->stranger, w->now_ms, w->stream, bytes);
}

static void open_stream(world *w, uint8_t which) {
    static const char *const names[] = {HF_GOSSIP_PROTOCOL_FLOOD, HF_GOSSIP_PROTOCOL_10, HF_GOSSIP_PROTOCOL_11, HF_GOSSIP_PROTOCOL_12};
    (void)!hf_swarm_stream_open(w->stranger, w->now_ms, hf_swarm_self(w->us), hf_str(names[which % 4]), STRANGER_TAG, &w->stream);
}

static void wait_a_little(world *w, uint64_t ms) {
    w->now_ms += ms;
    hf_swarm_tick(w->us, w->now_ms);
    hf_gossip_tick(w->gossip, w->now_ms);
}

static void step(world *w, uint8_t what, hf_bytes bytes) {
    hf_bytes id = HF_BYTES(w->last.bytes, w->last.len);
    switch (what % 10) {
    case 0: wait_a_little(w, bytes.len * 16); break;
    case 1: say(w, bytes, false); break;
    case 2: open_stream(w, (uint8_t)bytes.len); break;
    case 3: (void)!hf_gossip_publish(w->gossip, w->now_ms, TOPIC, bytes, &w->last, NULL); break;
    case 4: hf_gossip_validated(w->gossip, w->now_ms, id, (hf_gossip_verdict)(bytes.len % 3)); break;
    case 5: hf_gossip_unsubscribe(w->gossip, w->now_ms, TOPIC); break;
    case 6: (void)!hf_gossip_subscribe(w->gossip, w->now_ms, TOPIC, NULL); break;
    default: say(w, bytes, true);
    }
    run(w);
}

static void start(world *w) {
    static const uint8_t ours[32] = {1}, theirs[32] = {2};
    hf_swarm_config config = {.ed25519_seed = ours, .agent = HF_TEXT("f"), .random = hf_fuzz_fill, .random_ctx = &w->random};
    w->us = hf_swarm_new(&w->mem, &config);
    config.ed25519_seed = theirs;
    w->stranger = hf_swarm_new(&w->mem, &config);
    hf_gossip_config gossip = {.ed25519_seed = ours, .random = hf_fuzz_fill, .random_ctx = &w->random, .rpc_bytes_max = 4000, .ids_max = 50,
                               .topics_per_peer_max = 8, .pending_max = 4, .seen_max = 16, .px = true};
    w->gossip = hf_gossip_new(&w->mem, w->us, TAG, &gossip);
    HF_ASSERT(!hf_swarm_protocol(w->stranger, HF_TEXT(HF_GOSSIP_PROTOCOL_12), STRANGER_TAG));
    HF_ASSERT(!hf_gossip_subscribe(w->gossip, 0, TOPIC, NULL));
    HF_ASSERT(!hf_swarm_conn_open(w->us, w->now_ms, 1, false, NULL, HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa1", 8)));
    HF_ASSERT(!hf_swarm_conn_open(w->stranger, w->now_ms, 1, true, NULL, HF_BYTES("", 0)));
    run(w);
    open_stream(w, 3);
    run(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    world w = {.mem = {hf_fuzz_resize, NULL}, .random = 1, .now_ms = 1000};
    hf_bytes in = HF_BYTES(data, len), bytes;
    const uint8_t *head;
    start(&w);
    for (size_t n = 0; n < STEPS_MAX && hf_fuzz_step(&in, 2, &head, &bytes); n++) step(&w, head[0], bytes);
    hf_gossip_free(w.gossip);
    hf_swarm_free(w.us);
    hf_swarm_free(w.stranger);
    return 0;
}

/* How fast gossip is here: two peers in memory, 1 KiB messages, signed by one and verified by the other, over the whole stack (Noise, yamux). `make bench`
 * runs this natively and in WebAssembly. */
#define _POSIX_C_SOURCE 199309L
#include "gossip.h"

#include "../crypto/crypto.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TAG = 10, BATCH = 16, ROUND_NS = 1000000000 };
#define TOPIC HF_TEXT("/orbitdb/bench")

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static void fill(void *ctx, uint8_t *out, size_t len) {
    uint64_t *state = ctx;
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)((*state = *state * 6364136223846793005u + 1442695040888963407u) >> 56);
}

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

typedef struct end {
    hf_swarm *swarm;
    hf_gossip *gossip;
    uint64_t random, n_got;
} end;

static hf_mem mem = {resize, NULL};
static end ends[2];
static uint64_t now_ms = 1000;

static void end_start(size_t i) {
    end *e = &ends[i];
    uint8_t seed[32] = {(uint8_t)(i + 1)};
    e->random = i;
    hf_swarm_config swarm = {.ed25519_seed = seed, .agent = HF_TEXT("bench"), .random = fill, .random_ctx = &e->random};
    hf_gossip_config gossip = {.ed25519_seed = seed, .random = fill, .random_ctx = &e->random};
    hf_gossip_subscription options = {.auto_accept = true};
    e->swarm = hf_swarm_new(&mem, &swarm);
    e->gossip = e->swarm ? hf_gossip_new(&mem, e->swarm, TAG, &gossip) : NULL;
    if (!e->gossip || hf_gossip_subscribe(e->gossip, now_ms, TOPIC, &options) ||
        hf_swarm_conn_open(e->swarm, now_ms, 1, i == 0, NULL, HF_BYTES("", 0)))
        abort();
}

static bool drain(end *e, end *other) {
    bool any = false;
    for (hf_swarm_out o; hf_swarm_next(e->swarm, &o); any = true) {
        if (o.kind == HF_SWARM_SEND) (void)!hf_swarm_conn_recv(other->swarm, now_ms, 1, o.bytes);
        else hf_gossip_event(e->gossip, now_ms, &o);
    }
    for (hf_gossip_out o; hf_gossip_next(e->gossip, &o);) e->n_got += o.kind == HF_GOSSIP_MESSAGE;
    return any;
}

static void run(void) {
    for (bool any = true; any;) {
        any = drain(&ends[0], &ends[1]);
        any |= drain(&ends[1], &ends[0]);
    }
}

static void beat(uint64_t ms) {
    now_ms += ms;
    for (size_t i = 0; i < 2; i++) {
        hf_swarm_tick(ends[i].swarm, now_ms);
        hf_gossip_tick(ends[i].gossip, now_ms);
    }
    run();
}

/* What the two signatures alone would cost. */
static double signatures_per_second(const uint8_t *data) {
    uint8_t seed[32] = {1}, public_key[32], signature[64];
    hf_ed25519_public(seed, public_key);
    uint64_t start = now_ns(), n = 0;
    for (; now_ns() - start < ROUND_NS / 4; n++) {
        hf_ed25519_sign(seed, public_key, HF_BYTES(data, 1200), signature);
        if (hf_ed25519_verify(public_key, HF_BYTES(data, 1200), HF_BYTES(signature, 64))) abort();
    }
    return (double)n * 1e9 / (double)(now_ns() - start);
}

int main(void) {
    static uint8_t data[1200];
    for (size_t i = 0; i < 2; i++) end_start(i);
    run();
    for (int i = 0; i < 3; i++) beat(1000);
    uint64_t start = now_ns(), n = 0;
    while (now_ns() - start < ROUND_NS) {
        for (size_t i = 0; i < BATCH; i++, n++)
            if (hf_gossip_publish(ends[0].gossip, now_ms, TOPIC, HF_BYTES(data, 1024), NULL, NULL)) abort();
        run();
        beat(2);
    }
    double per_second = (double)n * 1e9 / (double)(now_ns() - start);
    if (ends[1].n_got != n) abort();
    printf("gossip, 1 KiB signed, verified, delivered   %8.0f messages/s\n", per_second);
    printf("signing and verifying alone                 %8.0f messages/s\n", signatures_per_second(data));
    for (size_t i = 0; i < 2; i++) {
        hf_gossip_free(ends[i].gossip);
        hf_swarm_free(ends[i].swarm);
    }
    return 0;
}

/* kad_refresh: what is done again from time to time: looking for ourselves, and into every bucket up to the deepest, one lookup after the other; sweeping
 * the store; saying again what we put and provide. */
#include "kad_private.h"

#include "../crypto/crypto.h"

/* A key that falls into this bucket, by guessing; shaped like a peer ID, which is what FIND_NODE asks for. */
static void guess_key(hf_kad *kad, unsigned bucket, uint8_t ret[34]) {
    uint8_t hash[HF_KAD_KEY];
    ret[0] = 0x12;
    ret[1] = 32;
    kad->config.random(kad->config.random_ctx, ret + 2, 32);
    for (uint32_t i = 0; i < 64u << bucket; i++) {
        for (size_t b = 0; b < 4; b++) ret[2 + b] = (uint8_t)(i >> 8 * b);
        hf_sha256_of(HF_BYTES(ret, 34), hash);
        if (hf_kad_shared(hash, kad->table.self) == bucket) return;
    }
}

static int deepest(const hf_kad *kad) {
    int i = HF_KAD_REFRESH_PREFIX_MAX;
    while (i >= 0 && !(kad->table.buckets[i] && kad->table.buckets[i]->n)) i--;
    return i;
}

static bool is_fresh(const hf_kad *kad, uint64_t now_ms, int bucket) {
    const hf_kad_bucket *b = kad->table.buckets[bucket];
    return b && b->looked_ms && now_ms - b->looked_ms < kad->config.refresh_ms / 2;
}

static void look(hf_kad *kad, uint64_t now_ms, hf_bytes key) {
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_CLOSEST, key, true);
    kad->refresh_op = op;
    if (op)
        hf_kad_op_run(kad, now_ms, op);
    else
        kad->refresh_ms = now_ms + HF_KAD_START_MS; /* no memory: later */
}

void hf_kad_refresh_joined(hf_kad *kad, uint64_t now_ms) {
    kad->n_refreshes = 0;
    if (kad->refreshing != HF_KAD_BUCKETS) return;
    kad->refresh_ms = now_ms + HF_KAD_START_MS;
    hf_kad_due(kad, kad->refresh_ms);
}

/* The next part begins with the next tick. */
void hf_kad_refresh_done(hf_kad *kad, uint64_t now_ms) {
    kad->refresh_op = NULL;
    kad->refresh_ms = now_ms;
    hf_kad_due(kad, now_ms);
}

/* A network that comes up changes fast. */
static uint64_t pause_ms(const hf_kad *kad) {
    uint64_t ms = kad->n_refreshes < 16 ? (uint64_t)HF_KAD_EARLY_MS << 2 * kad->n_refreshes : UINT64_MAX;
    return ms < kad->config.refresh_ms ? ms : kad->config.refresh_ms;
}

static void refresh(hf_kad *kad, uint64_t now_ms) {
    if (kad->refreshing == HF_KAD_BUCKETS) {
        kad->refreshing = -1;
        return look(kad, now_ms, hf_peer_id_bytes(hf_swarm_self(kad->swarm)));
    }
    int last = deepest(kad);
    do kad->refreshing++;
    while (kad->refreshing <= last && is_fresh(kad, now_ms, kad->refreshing));
    if (kad->refreshing > last) {
        kad->refreshing = HF_KAD_BUCKETS;
        kad->refresh_ms = now_ms + pause_ms(kad);
        kad->n_refreshes++;
        return;
    }
    uint8_t key[34];
    guess_key(kad, (unsigned)kad->refreshing, key);
    look(kad, now_ms, HF_BYTES(key, sizeof key));
}

void hf_kad_refresh_tick(hf_kad *kad, uint64_t now_ms) {
    if (kad->refresh_ms <= now_ms && !kad->refresh_op) refresh(kad, now_ms);
    if (kad->sweep_ms <= now_ms) {
        hf_kad_store_sweep(&kad->store, now_ms);
        kad->sweep_ms = now_ms + HF_KAD_SWEEP_MS;
    }
    if (kad->republish_ms <= now_ms) {
        hf_kad_republish(kad, now_ms);
        kad->republish_ms = now_ms + HF_KAD_REPUBLISH_CHECK_MS;
    }
    if (!kad->refresh_op) hf_kad_due(kad, kad->refresh_ms);
    if (kad->store.first_value || kad->store.first_provider) hf_kad_due(kad, kad->sweep_ms);
    if (kad->n_own_values || kad->n_own_providers) hf_kad_due(kad, kad->republish_ms);
}

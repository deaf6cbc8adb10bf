/* kad_test: a network of peers with a swarm and a DHT each, for the tests of the DHT, in virtual time: who is dialled is found by its
 * address, bytes arrive at once, the same seed gives the same run. A peer can be dead (nobody listens), a hole (dialling it never ends), or raw: it
 * has a swarm only, and the test answers for it. */
#ifndef HF_KAD_TEST_H
#define HF_KAD_TEST_H
#include "kad_private.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

#include <string.h>

enum { KAD_TAG = 3, KAD_PEERS_MAX = 320, KAD_FOUND_MAX = 128 };

typedef struct kad_channel {
    size_t ends[2]; /* 0 dialled */
    bool known[2], queued, up;
    hf_buf inbox[2];
    hf_peer_id expected;
} kad_channel;

/* What came of the last operation. */
typedef struct kad_result {
    hf_peer_id found[KAD_FOUND_MAX];
    size_t n_addresses[KAD_FOUND_MAX], n_found, n_values, n_done;
    hf_bytes value, address;
    hf_kad_out done;
} kad_result;

typedef struct kad_node {
    hf_swarm *swarm;
    hf_kad *kad;
    uint64_t random;
    uint8_t key[32], address[8];
    bool dead, hole, raw;
    kad_result result;
} kad_node;

typedef struct kad_net kad_net;
struct kad_net {
    uint64_t now_ms, random, unix_ms;
    size_t n, n_channels, cap_channels, n_pending, cap_pending;
    kad_channel **channels;
    size_t *pending;
    hf_kad_config config;
    hf_mem *world_mem; /* of everything but the DHTs */
    size_t n_dials, n_dead_dials;
    void (*raw_event)(kad_net *net, size_t node, const hf_swarm_out *event);
    void *raw_ctx;
    uint32_t ping_ms;
    kad_node nodes[KAD_PEERS_MAX];
};

/* "/test/…": anything that does not begin with '!', the bytewise greater is better. "/until/…": 8 bytes big-endian of Unix ms until when it is valid. */
static inline hf_err kad_validate_test(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value) {
    (void)ctx, (void)unix_ms, (void)key;
    return value.len && value.ptr[0] != '!' ? HF_OK : HF_DENIED;
}

static inline bool kad_better_test(void *ctx, hf_bytes key, hf_bytes a, hf_bytes b) {
    (void)ctx, (void)key;
    return hf_cmp(a, b) > 0;
}

static inline hf_err kad_validate_until(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value) {
    (void)ctx, (void)key;
    uint64_t until = 0;
    for (size_t i = 0; i < value.len; i++) until = until << 8 | value.ptr[i];
    return value.len == 8 && unix_ms < until ? HF_OK : HF_DENIED;
}

static const hf_kad_validator kad_rules[] = {{"test", kad_validate_test, kad_better_test, NULL},
                                             {"until", kad_validate_until, kad_better_test, NULL}};

/* ---- life ---- */

static inline void kad_node_start(kad_net *net, size_t i, bool server) {
    kad_node *node = &net->nodes[i];
    uint8_t seed[32] = {(uint8_t)(i + 1), (uint8_t)((i + 1) >> 8), 0x77};
    hf_swarm_config config = {.ed25519_seed = seed,
                              .agent = HF_TEXT("holdfast/test"),
                              .random = hf_test_random_fill,
                              .random_ctx = &node->random,
                              .conns_max = 1000,
                              .ping_ms = net->ping_ms};
    *node = (kad_node){.random = net->random + i,
                       .address = {4, (uint8_t)(1 + i / 250), (uint8_t)(i % 250), 3, 4, 6, 0x0f, 0xa1}};
    hf_bytes address = HF_BYTES(node->address, sizeof node->address);
    node->swarm = hf_swarm_new(net->world_mem, &config);
    CHECK(node->swarm && !hf_swarm_addresses(node->swarm, &address, 1));
    hf_sha256_of(hf_peer_id_bytes(hf_swarm_self(node->swarm)), node->key);
    hf_kad_config kad = net->config;
    kad.server = server;
    kad.random = hf_test_random_fill;
    kad.random_ctx = &node->random;
    if (!kad.validators) kad.validators = kad_rules;
    if (!kad.n_validators) kad.n_validators = HF_COUNT(kad_rules);
    node->kad = hf_kad_new(hf_test_mem(), node->swarm, KAD_TAG, &kad);
    if (node->kad) hf_kad_clock(node->kad, net->now_ms, net->unix_ms + net->now_ms);
}

/* world_mem: of everything but the DHTs. */
static inline kad_net *kad_net_new_in(hf_mem *world_mem, size_t n, const hf_kad_config *config, uint64_t seed) {
    kad_net *net = hf_alloc(hf_test_mem(), sizeof *net);
    CHECK(net != NULL);
    net->n = n;
    net->now_ms = 1000;
    net->unix_ms = 1700000000000;
    net->random = seed * 1000003;
    net->world_mem = world_mem;
    net->config = *config;
    net->ping_ms = 3600000;
    for (size_t i = 0; i < n; i++) kad_node_start(net, i, true);
    return net;
}

static inline kad_net *kad_net_new(size_t n, const hf_kad_config *config, uint64_t seed) {
    return kad_net_new_in(hf_test_mem(), n, config, seed);
}

static inline void kad_net_free(kad_net *net) {
    for (size_t i = 0; i < net->n; i++) hf_kad_free(net->nodes[i].kad);
    for (size_t i = 0; i < net->n; i++) hf_swarm_free(net->nodes[i].swarm);
    for (size_t i = 0; i < net->n_channels; i++) {
        hf_buf_deinit(&net->channels[i]->inbox[0]);
        hf_buf_deinit(&net->channels[i]->inbox[1]);
        hf_release(net->world_mem, net->channels[i], sizeof *net->channels[i]);
    }
    hf_release(net->world_mem, net->channels, net->cap_channels * sizeof *net->channels);
    hf_release(net->world_mem, net->pending, net->cap_pending * sizeof *net->pending);
    hf_release(hf_test_mem(), net, sizeof *net);
}

static inline const hf_peer_id *kad_id(const kad_net *net, size_t i) {
    return hf_swarm_self(net->nodes[i].swarm);
}

static inline size_t kad_find_node(const kad_net *net, const hf_peer_id *id) {
    size_t i = 0;
    while (i < net->n && !hf_peer_id_eq(kad_id(net, i), id)) i++;
    return i;
}

/* ---- channels ---- */

static inline void kad_touch(kad_net *net, size_t c) {
    if (net->channels[c]->queued) return;
    CHECK(
        !hf_grow(net->world_mem, (void **)&net->pending, &net->cap_pending, sizeof *net->pending, net->n_pending + 1));
    net->pending[net->n_pending++] = c;
    net->channels[c]->queued = true;
}

static inline void kad_drain(kad_net *net, size_t i);

static inline void kad_connect(kad_net *net, size_t from, size_t to, const hf_peer_id *expected) {
    CHECK(!hf_grow(net->world_mem, (void **)&net->channels, &net->cap_channels, sizeof *net->channels,
                   net->n_channels + 1));
    kad_channel *c = hf_alloc(net->world_mem, sizeof *c);
    CHECK(c != NULL);
    size_t number = net->n_channels++;
    net->channels[number] = c;
    *c = (kad_channel){.ends = {from, to}};
    if (expected) c->expected = *expected;
    for (size_t e = 0; e < 2; e++) {
        const kad_node *other = &net->nodes[c->ends[!e]];
        hf_buf_init(&c->inbox[e], net->world_mem);
        c->known[e] = !hf_swarm_conn_open(net->nodes[c->ends[e]].swarm, net->now_ms, number, e == 0,
                                          e == 0 ? expected : NULL, HF_BYTES(other->address, sizeof other->address));
    }
    kad_drain(net, from);
    kad_drain(net, to);
}

static inline void kad_lost(kad_net *net, size_t number, size_t end) {
    kad_channel *c = net->channels[number];
    size_t i = c->ends[end];
    if (end == 0 && !c->up && c->expected.len && net->nodes[i].kad)
        hf_kad_dial_failed(net->nodes[i].kad, net->now_ms, &c->expected);
    if (!c->known[end]) return;
    c->known[end] = false;
    hf_swarm_conn_lost(net->nodes[i].swarm, net->now_ms, number);
    kad_drain(net, i);
}

/* Nobody is there any more. */
static inline void kad_kill(kad_net *net, size_t i) {
    net->nodes[i].dead = true;
    if (!net->channels) return;
    for (size_t c = 0; c < net->n_channels; c++)
        if (net->channels[c]->ends[0] == i || net->channels[c]->ends[1] == i)
            for (size_t e = 0; e < 2; e++)
                if (net->channels[c]->known[e]) kad_lost(net, c, e);
}

static inline void kad_disconnect_all(kad_net *net) {
    if (!net->channels) return;
    for (size_t c = 0; c < net->n_channels; c++)
        for (size_t e = 0; e < 2; e++)
            if (net->channels[c]->known[e]) kad_lost(net, c, e);
}

static inline void kad_deliver(kad_net *net, size_t number) {
    kad_channel *c = net->channels[number];
    c->queued = false;
    for (size_t e = 0; e < 2; e++) {
        hf_buf bytes = c->inbox[e];
        hf_buf_init(&c->inbox[e], net->world_mem);
        if (bytes.len && c->known[e]) {
            (void)!hf_swarm_conn_recv(net->nodes[c->ends[e]].swarm, net->now_ms, number, hf_buf_bytes(&bytes));
            kad_drain(net, c->ends[e]);
        }
        hf_buf_deinit(&bytes);
    }
    if (c->known[0] != c->known[1] && !c->inbox[0].len && !c->inbox[1].len) kad_lost(net, number, c->known[0] ? 0 : 1);
}

/* ---- outputs ---- */

static inline void kad_on_swarm(kad_net *net, size_t i, const hf_swarm_out *o) {
    kad_node *node = &net->nodes[i];
    kad_channel *c = o->kind == HF_SWARM_SEND || o->kind == HF_SWARM_CONN_CLOSE || o->kind == HF_SWARM_CONN_UP
                         ? net->channels[o->conn]
                         : NULL;
    size_t end = c && c->ends[0] == i ? 0 : 1;
    if (o->kind == HF_SWARM_SEND) {
        hf_buf_add(&c->inbox[!end], o->bytes);
        kad_touch(net, (size_t)o->conn);
        return;
    }
    if (o->kind == HF_SWARM_CONN_UP && end == 0) c->up = true;
    if (o->kind == HF_SWARM_CONN_CLOSE) {
        c->known[end] = false;
        kad_touch(net, (size_t)o->conn);
        if (end == 0 && !c->up && c->expected.len && node->kad)
            hf_kad_dial_failed(node->kad, net->now_ms, &c->expected);
    }
    if (node->raw && net->raw_event)
        net->raw_event(net, i, o);
    else if (node->kad)
        hf_kad_event(node->kad, net->now_ms, o);
}

static inline void kad_dial(kad_net *net, size_t i, const hf_kad_out *o) {
    net->n_dials++;
    for (size_t k = 0; k < o->n_addresses; k++)
        for (size_t j = 0; j < net->n; j++) {
            if (!hf_eq(o->addresses[k], HF_BYTES(net->nodes[j].address, sizeof net->nodes[j].address)) ||
                net->nodes[j].dead)
                continue;
            if (!net->nodes[j].hole) kad_connect(net, i, j, &o->peer);
            return;
        }
    net->n_dead_dials++;
    hf_kad_dial_failed(net->nodes[i].kad, net->now_ms, &o->peer);
}

static inline void kad_on_out(kad_net *net, size_t i, const hf_kad_out *o) {
    kad_result *r = &net->nodes[i].result;
    switch (o->kind) {
    case HF_KAD_DIAL:
        kad_dial(net, i, o);
        break;
    case HF_KAD_PEER:
    case HF_KAD_PROVIDER:
        if (r->n_found == KAD_FOUND_MAX) break;
        r->n_addresses[r->n_found] = o->n_addresses;
        if (o->n_addresses) r->address = hf_arena_copy(hf_test_arena(), o->addresses[0]);
        r->found[r->n_found++] = o->peer;
        break;
    case HF_KAD_VALUE:
        r->value = hf_arena_copy(hf_test_arena(), o->value);
        r->n_values++;
        break;
    case HF_KAD_DONE:
        r->done = *o;
        r->n_done++;
        break;
    default:
        break;
    }
}

static inline void kad_drain(kad_net *net, size_t i) {
    kad_node *node = &net->nodes[i];
    hf_swarm_out s;
    hf_kad_out k;
    bool more = true;
    while (more) {
        more = false;
        while (hf_swarm_next(node->swarm, &s)) kad_on_swarm(net, i, &s), more = true;
        while (node->kad && hf_kad_next(node->kad, &k)) kad_on_out(net, i, &k), more = true;
    }
}

/* ---- time ---- */

static inline void kad_settle(kad_net *net) {
    while (net->n_pending) kad_deliver(net, net->pending[--net->n_pending]);
}

static inline uint64_t kad_deadline(const kad_node *node) {
    uint64_t a = hf_swarm_deadline(node->swarm), b = node->kad ? hf_kad_deadline(node->kad) : UINT64_MAX;
    return a < b ? a : b;
}

static inline void kad_tick(kad_net *net, size_t i) {
    hf_swarm_tick(net->nodes[i].swarm, net->now_ms);
    if (net->nodes[i].kad) hf_kad_tick(net->nodes[i].kad, net->now_ms);
    kad_drain(net, i);
    kad_settle(net);
}

/* Until `done` (NULL: never) has an end, or the time is over. */
static inline void kad_run_until(kad_net *net, uint64_t ms, const kad_node *done) {
    uint64_t until = net->now_ms + ms;
    for (size_t i = 0; i < net->n; i++) kad_drain(net, i);
    kad_settle(net);
    while (!done || !done->result.n_done) {
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < net->n; i++) {
            uint64_t d = net->nodes[i].dead ? UINT64_MAX : kad_deadline(&net->nodes[i]);
            if (d < next) next = d;
        }
        if (next > until) break;
        if (next > net->now_ms) net->now_ms = next;
        for (size_t i = 0; i < net->n; i++)
            if (!net->nodes[i].dead && kad_deadline(&net->nodes[i]) <= net->now_ms) kad_tick(net, i);
    }
    if (!done || !done->result.n_done) net->now_ms = until;
}

static inline void kad_run(kad_net *net, uint64_t ms) {
    kad_run_until(net, ms, NULL);
}

/* ---- operations, to their end ---- */

static inline const kad_result *kad_await(kad_net *net, size_t i, hf_err started) {
    CHECK_ERR(started, HF_OK);
    kad_run_until(net, 300000, &net->nodes[i]);
    CHECK_U64(net->nodes[i].result.n_done, 1);
    return &net->nodes[i].result;
}

static inline uint64_t *kad_fresh(kad_net *net, size_t i) {
    static uint64_t op;
    net->nodes[i].result = (kad_result){.n_found = 0};
    return &op;
}

#define KAD_DO(net, i, call, ...)                                                                                      \
    kad_await((net), (i), call((net)->nodes[i].kad, (net)->now_ms, __VA_ARGS__, kad_fresh((net), (i))))

/* Everybody meets the first; then the network finds itself. */
static inline kad_net *kad_net_up(size_t n, const hf_kad_config *config, uint64_t seed) {
    kad_net *net = kad_net_new(n, config, seed);
    for (size_t i = 1; i < n; i++) {
        kad_connect(net, i, hf_test_random(&net->random) % (i < 5 ? i : 5), NULL);
        kad_run(net, 50);
    }
    kad_run(net, 60000);
    return net;
}

/* ---- the truth ---- */

static inline bool kad_is_closer(const kad_net *net, const uint8_t target[32], size_t a, size_t b) {
    uint8_t da[32], db[32];
    hf_kad_distance(net->nodes[a].key, target, da);
    hf_kad_distance(net->nodes[b].key, target, db);
    return memcmp(da, db, 32) < 0;
}

/* The k living servers that are closest to the target, without `self`. */
static inline size_t kad_truth(const kad_net *net, const uint8_t target[32], size_t self, size_t k, size_t *ret) {
    size_t n = 0;
    for (size_t i = 0; i < net->n; i++) {
        if (i == self || net->nodes[i].dead || net->nodes[i].hole || net->nodes[i].raw || !net->nodes[i].kad ||
            !net->nodes[i].kad->server)
            continue;
        size_t at = n < k ? n : k;
        while (at > 0 && kad_is_closer(net, target, i, ret[at - 1])) at--;
        if (at == k) continue;
        if (n < k) n++;
        memmove(ret + at + 1, ret + at, (n - at - 1) * sizeof *ret);
        ret[at] = i;
    }
    return n;
}
#endif

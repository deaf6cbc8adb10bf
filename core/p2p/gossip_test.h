/* gossip_test: a small world for the tests of gossip: swarms joined by channels in memory, each with a gossip on top or, raw, with streams that the
 * test itself writes to. Time is turned by hand. Same seed, same run. */
#ifndef HF_GOSSIP_TEST_H
#define HF_GOSSIP_TEST_H
#include "gossip.h"

#include "../../tests/kit/check.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"

#include <string.h>

enum { NODES_MAX = 100, LINKS_MAX = 1200, TAG = 10, GOTS_MAX = 512, RAW_STREAM_TAG = 90 };
#define TOPIC HF_TEXT("/orbitdb/zdpuTopic")

typedef struct gnode {
    hf_swarm *swarm;
    hf_gossip *gossip; /* NULL: raw */
    uint64_t random;
    uint8_t seed[32];
    hf_peer_id id;
    bool hold;                    /* messages are kept for the test to judge */
    hf_gossip_verdict verdict;    /* else */
    size_t n_got, n_twice, n_subscribed, n_unsubscribed, n_abuse, n_px, n_records;
    uint32_t got[GOTS_MAX];       /* how often each numbered message came: the first 4 bytes of its data */
    hf_gossip_out last;
    hf_gossip_id last_id;
    hf_peer_id px;
    const char *reason;
    /* raw */
    uint64_t stream;
    hf_buf in;                    /* all that came */
} gnode;

typedef struct glink { size_t node[2]; hf_buf inbox[2]; bool open, held[2]; } glink; /* held: what is for this end waits */

typedef struct gnet {
    gnode nodes[NODES_MAX];
    glink links[LINKS_MAX];
    size_t n_nodes, n_links;
    uint64_t now_ms, random;
    hf_mem *mem; /* of the gossips alone */
    uint32_t send_buffer_bytes_max; /* of the swarms */
} gnet;

static inline void got_message(gnet *net, gnode *n, const hf_gossip_out *o) {
    uint32_t number = 0;
    n->n_got++;
    if (o->data.len >= 4) memcpy(&number, o->data.ptr, 4);
    if (number < GOTS_MAX && ++n->got[number] > 1) n->n_twice++;
    n->last_id.len = (uint8_t)o->id.len;
    memcpy(n->last_id.bytes, o->id.ptr, o->id.len);
    hf_gossip_id id = n->last_id;
    if (o->needs_verdict && !n->hold) hf_gossip_validated(n->gossip, net->now_ms, HF_BYTES(id.bytes, id.len), n->verdict);
}

static inline bool drain_gossip(gnet *net, gnode *n) {
    hf_gossip_out o;
    bool any = false;
    while (n->gossip && hf_gossip_next(n->gossip, &o)) {
        any = true;
        n->last = o;
        if (o.kind == HF_GOSSIP_MESSAGE) got_message(net, n, &o);
        n->n_subscribed += o.kind == HF_GOSSIP_SUBSCRIBED;
        n->n_unsubscribed += o.kind == HF_GOSSIP_UNSUBSCRIBED;
        if (o.kind == HF_GOSSIP_ABUSE) n->n_abuse++, n->reason = o.reason;
        if (o.kind == HF_GOSSIP_PEER) n->n_px++, n->n_records += o.record.len > 0, n->px = o.other;
    }
    return any;
}

static inline void raw_event(gnode *n, const hf_swarm_out *o) {
    if (o->kind == HF_SWARM_STREAM_DATA && o->inbound) hf_buf_add(&n->in, o->bytes);
    if (o->kind == HF_SWARM_STREAM_GONE && o->stream == n->stream) n->stream = 0;
}

static inline bool drain_node(gnet *net, size_t i) {
    gnode *n = &net->nodes[i];
    hf_swarm_out o;
    bool any = false;
    do
        while (hf_swarm_next(n->swarm, &o)) {
            any = true;
            glink *l = &net->links[o.conn ? o.conn - 1 : 0];
            if (o.kind == HF_SWARM_SEND) hf_buf_add(&l->inbox[l->node[0] == i ? 1 : 0], o.bytes);
            else if (o.kind == HF_SWARM_CONN_CLOSE && l->open) {
                size_t other = l->node[0] == i ? l->node[1] : l->node[0];
                l->open = false;
                hf_swarm_conn_lost(net->nodes[other].swarm, net->now_ms, o.conn);
            } else if (n->gossip) hf_gossip_event(n->gossip, net->now_ms, &o);
            else raw_event(n, &o);
        }
    while (drain_gossip(net, n));
    return any;
}

static inline bool deliver(gnet *net, size_t l, size_t end) {
    glink *link = &net->links[l];
    if (!link->inbox[end].len || link->held[end]) return false;
    hf_buf bytes = link->inbox[end];
    hf_buf_init(&link->inbox[end], hf_test_mem());
    if (link->open) (void)!hf_swarm_conn_recv(net->nodes[link->node[end]].swarm, net->now_ms, l + 1, hf_buf_bytes(&bytes));
    hf_buf_deinit(&bytes);
    return true;
}

static inline void net_run(gnet *net) {
    for (bool moved = true; moved;) {
        moved = false;
        for (size_t i = 0; i < net->n_nodes; i++) moved |= drain_node(net, i);
        for (size_t l = 0; l < net->n_links; l++)
            for (size_t end = 0; end < 2; end++) moved |= deliver(net, l, end);
    }
}

static inline void tick_node(gnet *net, gnode *n) {
    if (hf_swarm_deadline(n->swarm) <= net->now_ms) hf_swarm_tick(n->swarm, net->now_ms);
    if (n->gossip && hf_gossip_deadline(n->gossip) <= net->now_ms) hf_gossip_tick(n->gossip, net->now_ms);
}

/* In steps: heartbeats of all come close together, as they would. */
static inline void net_wait(gnet *net, uint64_t ms) {
    enum { STEP = 100 };
    for (uint64_t until = net->now_ms + ms; net->now_ms < until;) {
        net->now_ms += STEP;
        for (size_t i = 0; i < net->n_nodes; i++) tick_node(net, &net->nodes[i]);
        net_run(net);
    }
}

static inline gnet *net_new(uint64_t seed) {
    gnet *net = hf_alloc(hf_test_mem(), sizeof *net);
    net->now_ms = 1000;
    net->random = seed;
    net->mem = hf_test_mem();
    return net;
}

/* config NULL: a raw node. Returns its index. */
static inline size_t net_add(gnet *net, const hf_gossip_config *config) {
    size_t i = net->n_nodes++;
    gnode *n = &net->nodes[i];
    n->seed[0] = (uint8_t)(i + 1);
    n->seed[1] = (uint8_t)((i + 1) >> 8);
    n->random = 1000 + i;
    hf_swarm_config swarm = {.ed25519_seed = n->seed, .agent = HF_TEXT("holdfast/test"), .random = hf_test_random_fill, .random_ctx = &n->random};
    swarm.send_buffer_bytes_max = net->send_buffer_bytes_max;
    swarm.unix_offset_ms = 1700000000000;
    n->swarm = hf_swarm_new(hf_test_mem(), &swarm);
    n->id = *hf_swarm_self(n->swarm);
    hf_buf_init(&n->in, hf_test_mem());
    if (!config) {
        CHECK_ERR(hf_swarm_protocol(n->swarm, HF_TEXT(HF_GOSSIP_PROTOCOL_11), RAW_STREAM_TAG), HF_OK);
        return i;
    }
    hf_gossip_config c = *config;
    c.ed25519_seed = n->seed;
    c.random = hf_test_random_fill;
    c.random_ctx = &n->random;
    n->gossip = hf_gossip_new(net->mem, n->swarm, TAG, &c);
    CHECK(n->gossip != NULL);
    return i;
}

/* `ip`: the last byte of the dialler's address, as the listener sees it. */
static inline size_t net_connect_from(gnet *net, size_t dialer, size_t listener, uint8_t ip) {
    size_t l = net->n_links++;
    uint8_t remote[8] = {4, 10, 0, 0, ip, 6, 0x0f, 0xa1};
    net->links[l] = (glink){.node = {dialer, listener}, .open = true};
    for (size_t end = 0; end < 2; end++) hf_buf_init(&net->links[l].inbox[end], hf_test_mem());
    CHECK_ERR(hf_swarm_conn_open(net->nodes[dialer].swarm, net->now_ms, l + 1, true, NULL, HF_BYTES("", 0)), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(net->nodes[listener].swarm, net->now_ms, l + 1, false, NULL, HF_BYTES(remote, sizeof remote)), HF_OK);
    return l;
}

static inline size_t net_connect(gnet *net, size_t dialer, size_t listener) {
    return net_connect_from(net, dialer, listener, (uint8_t)(dialer + 1));
}

static inline void net_disconnect(gnet *net, size_t l) {
    if (!net->links[l].open) return;
    net->links[l].open = false;
    for (size_t end = 0; end < 2; end++) hf_swarm_conn_lost(net->nodes[net->links[l].node[end]].swarm, net->now_ms, l + 1);
    net_run(net);
}

/* A ring, so that all are joined, and `more` chance connections of each. */
static inline void net_weave(gnet *net, size_t more) {
    for (size_t i = 0; i < net->n_nodes; i++) {
        net_connect(net, i, (i + 1) % net->n_nodes);
        for (size_t k = 0; k < more; k++) {
            size_t other = hf_test_random(&net->random) % net->n_nodes;
            if (other != i) net_connect(net, i, other);
        }
    }
    net_run(net);
}

static inline void net_subscribe(gnet *net, size_t i) {
    CHECK_ERR(hf_gossip_subscribe(net->nodes[i].gossip, net->now_ms, TOPIC, NULL), HF_OK);
}

static inline void net_publish(gnet *net, size_t i, uint32_t number, size_t len) {
    uint8_t data[4096] = {0};
    memcpy(data, &number, 4);
    CHECK_ERR(hf_gossip_publish(net->nodes[i].gossip, net->now_ms, TOPIC, HF_BYTES(data, len), NULL, NULL), HF_OK);
    net->nodes[i].got[number]++;
}

static inline double score_at(gnet *net, size_t at, size_t of) { return hf_gossip_score(net->nodes[at].gossip, &net->nodes[of].id); }

static inline hf_gossip_stats stats_at(gnet *net, size_t at) {
    hf_gossip_stats stats;
    hf_gossip_stats_of(net->nodes[at].gossip, &stats);
    return stats;
}

static inline void net_free(gnet *net) {
    for (size_t i = 0; i < net->n_nodes; i++) {
        hf_gossip_free(net->nodes[i].gossip);
        hf_swarm_free(net->nodes[i].swarm);
        hf_buf_deinit(&net->nodes[i].in);
    }
    for (size_t l = 0; l < net->n_links; l++)
        for (size_t end = 0; end < 2; end++) hf_buf_deinit(&net->links[l].inbox[end]);
    hf_release(hf_test_mem(), net, sizeof *net);
}

/* ---- a raw peer's own words ---- */

/* The raw node opens its stream to node `to`, and wants TOPIC. */
static inline void raw_open(gnet *net, size_t raw, size_t to, const char *protocol) {
    gnode *n = &net->nodes[raw];
    CHECK_ERR(hf_swarm_stream_open(n->swarm, net->now_ms, &net->nodes[to].id, hf_str(protocol), RAW_STREAM_TAG, &n->stream), HF_OK);
    net_run(net);
}

/* Writes an RPC; false: the stream is gone. */
static inline bool raw_say(gnet *net, size_t raw, hf_bytes rpc) {
    gnode *n = &net->nodes[raw];
    hf_buf framed;
    hf_buf_init(&framed, hf_test_mem());
    hf_varint_add(&framed, rpc.len);
    hf_buf_add(&framed, rpc);
    hf_err err = n->stream ? HF_OK : HF_STATE;
    for (size_t at = 0; at < framed.len && !err; at += 60000) {
        err = hf_swarm_stream_write(n->swarm, net->now_ms, n->stream, hf_sub(hf_buf_bytes(&framed), at, 60000));
        net_run(net);
    }
    hf_buf_deinit(&framed);
    return !err;
}

/* An RPC with one message by the author with this seed byte; `spoil` says which part is wrong. */
enum { SOUND, NO_SIGNATURE, WRONG_SIGNATURE, NO_SEQNO, OTHER_KEY, NO_AUTHOR };
static inline void add_message(hf_buf *rpc, uint8_t author, uint64_t number, int spoil, size_t len, hf_gossip_id *ret_id) {
    uint8_t seed[32] = {author}, other[32] = {99}, public_key[32], other_key[32], signature[64], *data = hf_alloc(hf_test_mem(), len + 4);
    uint32_t small = (uint32_t)number;
    memcpy(data, &small, 4);
    hf_ed25519_public(seed, public_key);
    hf_ed25519_public(other, other_key);
    hf_buf key, input;
    hf_buf_init(&key, hf_test_mem());
    hf_buf_init(&input, hf_test_mem());
    hf_public_key_add(&key, public_key);
    hf_gossip_verified v = {.key_len = 36};
    memcpy(v.key, key.ptr, 36);
    CHECK_ERR(hf_peer_id_of_key(hf_buf_bytes(&key), &v.from), HF_OK);
    hf_gossip_message m = {.from = hf_peer_id_bytes(&v.from), .data = HF_BYTES(data, len + 4), .seqno = HF_BYTES(&number, 8), .topic = TOPIC};
    hf_gossip_add_signed(&input, &m);
    hf_ed25519_sign(seed, public_key, hf_buf_bytes(&input), signature);
    signature[5] ^= spoil == WRONG_SIGNATURE;
    if (spoil != NO_SIGNATURE) m.signature = HF_BYTES(signature, 64);
    if (spoil == NO_SEQNO) m.seqno = (hf_bytes){0};
    if (spoil == NO_AUTHOR) m.from = (hf_bytes){0};
    if (spoil == OTHER_KEY) {
        hf_buf_clear(&key);
        hf_public_key_add(&key, other_key);
        m.key = hf_buf_bytes(&key);
    }
    hf_gossip_add_publish(rpc, &m);
    if (ret_id) ret_id->len = (uint8_t)hf_gossip_id_of(&v, HF_BYTES(&number, 8), false, ret_id->bytes);
    hf_buf_deinit(&key);
    hf_buf_deinit(&input);
    hf_release(hf_test_mem(), data, len + 4);
}

static inline void raw_subscribe(gnet *net, size_t raw) {
    hf_buf rpc;
    hf_buf_init(&rpc, hf_test_mem());
    hf_gossip_add_subscription(&rpc, TOPIC, true);
    raw_say(net, raw, hf_buf_bytes(&rpc));
    hf_buf_deinit(&rpc);
}

/* How many items of this kind came to the raw node so far. */
static inline size_t raw_count(const gnode *n, hf_gossip_item_kind kind) {
    size_t at = 0, head, count = 0;
    for (uint64_t len; at < n->in.len && !hf_varint_read(hf_sub(hf_buf_bytes(&n->in), at, n->in.len), &len, &head); at += head + (size_t)len) {
        if (at + head + len > n->in.len) break;
        hf_gossip_reader r = hf_gossip_read(hf_sub(hf_buf_bytes(&n->in), at + head, (size_t)len));
        for (hf_gossip_item item; hf_gossip_read_next(&r, &item);) count += item.kind == kind;
    }
    return count;
}
#endif

/* net: see net.h. */
#include "net.h"

#include "../../core/codec/dag_cbor.h"

#include <string.h>

#define ADDRESS "/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ" /* and one more character for each log */
enum { TAG_BITSWAP = 1, TAG_SYNC = 16, TAG_GOSSIP = 400 };

typedef struct packet {
    struct packet *next;
    uint64_t due_ms;
    size_t len;
    uint8_t bytes[];
} packet;

typedef struct channel {
    struct channel *next;
    uint64_t number;
    size_t ends[2];                      /* 0 dialled */
    bool known[2];                       /* the end's swarm still has it */
    packet *first[2], *last[2];          /* on their way to that end */
    uint64_t last_due_ms[2];
    uint64_t close_ms;                   /* UINT64_MAX: open */
} channel;

typedef struct stored {
    size_t len;
    uint8_t cid[HF_CID_LEN];
    uint8_t bytes[];
} stored;

struct hf_net {
    hf_net_config config;
    hf_mem *mem;
    hf_secp *secp;
    uint64_t now_ms, random, n_appended, next_conn;
    bool one_writer_twice;
    channel *channels;
    hf_net_peer peers[HF_NET_PEERS_MAX];
};

hf_net_peer *hf_net_at(hf_net *net, size_t peer) { return &net->peers[peer]; }
uint64_t hf_net_now(const hf_net *net) { return net->now_ms; }

static uint64_t draw(hf_net *net, uint64_t below) { return below ? hf_test_random(&net->random) % below : 0; }

static void secret_of(hf_net *net, size_t peer, uint8_t what, uint8_t ret[32]) {
    uint8_t label[] = {'n', 'e', 't', (uint8_t)peer, what, (uint8_t)net->config.seed};
    hf_sha256_of(HF_BYTES(label, sizeof label), ret);
}

static void *alloc(hf_mem *mem, size_t len) {
    void *p = hf_alloc(mem, len);
    HF_ASSERT(p); /* the world's memory does not fail */
    return p;
}

/* ---- the store ---- */

static hf_err store_get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const hf_net_peer *p = ctx;
    const stored *s = hf_map_get(&p->store, cid);
    if (!s) return HF_NOT_FOUND;
    *ret = HF_BYTES(s->bytes, s->len);
    return HF_OK;
}

void hf_net_put(hf_net *net, size_t peer, hf_bytes block, uint8_t ret_cid[HF_CID_LEN]) {
    hf_cid_of(block, ret_cid);
    hf_net_put_as(net, peer, HF_BYTES(ret_cid, HF_CID_LEN), block);
}

void hf_net_put_as(hf_net *net, size_t peer, hf_bytes cid, hf_bytes block) {
    hf_net_peer *p = &net->peers[peer];
    HF_ASSERT(cid.len == HF_CID_LEN);
    if (hf_map_get(&p->store, cid)) return;
    stored *s = alloc(net->mem, sizeof *s + block.len);
    s->len = block.len;
    p->n_bytes_stored += block.len;
    memcpy(s->cid, cid.ptr, HF_CID_LEN);
    if (block.len) memcpy(s->bytes, block.ptr, block.len);
    CHECK(!hf_map_put(&p->store, HF_BYTES(s->cid, HF_CID_LEN), s));
}

void hf_net_copy_store(hf_net *net, size_t from, size_t to) {
    size_t cursor = 0;
    uint8_t cid[HF_CID_LEN];
    for (hf_map_slot *slot; (slot = hf_map_next(&net->peers[from].store, &cursor));) {
        const stored *s = slot->value;
        hf_net_put(net, to, HF_BYTES(s->bytes, s->len), cid);
    }
}

hf_bytes hf_net_get(hf_net *net, size_t peer, size_t log, uint32_t index) {
    hf_net_peer *p = &net->peers[peer];
    uint8_t cid[HF_CID_LEN];
    hf_bytes block = {0};
    hf_cid_from_digest(hf_log_item_at(p->logs[log], index)->digest, cid);
    CHECK_ERR(store_get(p, HF_BYTES(cid, sizeof cid), &block), HF_OK);
    return block;
}

void hf_net_lose(hf_net *net, size_t peer, size_t log, uint32_t index) {
    hf_net_peer *p = &net->peers[peer];
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(hf_log_item_at(p->logs[log], index)->digest, cid);
    stored *s = hf_map_remove(&p->store, HF_BYTES(cid, sizeof cid));
    CHECK(s != NULL);
    if (s) hf_release(net->mem, s, sizeof *s + s->len);
}

/* ---- life ---- */

static void start_log(hf_net *net, hf_net_peer *p, size_t number) {
    char address[HF_CID_TEXT_LEN + 9] = ADDRESS;
    address[sizeof address - 1] = (char)('3' + number);
    hf_bytes write[HF_NET_PEERS_MAX] = {HF_TEXT("*")};
    for (size_t i = 0; i < net->config.n_writers_allowed; i++)
        write[i] = HF_BYTES(net->peers[i].writer.id, HF_PUBLIC_KEY_HEX_LEN);
    size_t n = net->config.n_writers_allowed ? net->config.n_writers_allowed : 1;
    hf_log_config config = {
        .address = HF_BYTES(address, sizeof address), .write = write, .n_write = n, .seed = net->config.seed};
    p->logs[number] = hf_log_new(net->mem, &config);
    CHECK(p->logs[number] && !hf_log_identity(p->logs[number], &p->identity));
    CHECK(!hf_sync_add(p->sync, 0, p->logs[number], number + 1));
}

static void start_gossip(hf_net *net, hf_net_peer *p, const uint8_t seed[32]) {
    hf_gossip_config config = {.ed25519_seed = seed, .random = hf_test_random_fill, .random_ctx = &net->random};
    p->gossip = hf_gossip_new(net->mem, p->swarm, TAG_GOSSIP, &config);
    CHECK(p->gossip != NULL);
    hf_gossip_subscription options = {.auto_accept = true};
    if (p->raw) CHECK_ERR(hf_gossip_subscribe(p->gossip, net->now_ms, HF_TEXT(ADDRESS "3"), &options), HF_OK);
}

static void start_peer(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    uint8_t seed[32];
    secret_of(net, i, 2, seed);
    hf_swarm_config config = {.ed25519_seed = seed,
                              .agent = HF_TEXT("holdfast/test"),
                              .random = hf_test_random_fill,
                              .random_ctx = &net->random,
                              .send_buffer_bytes_max = net->config.send_buffer_bytes_max};
    p->swarm = hf_swarm_new(net->mem, &config);
    CHECK(p->swarm != NULL);
    p->raw = net->config.raw[i];
    if (net->config.gossip) start_gossip(net, p, seed);
    if (p->raw) return;
    hf_block_source source = {store_get, p};
    p->bitswap = hf_bitswap_new(hf_test_mem(), p->swarm, TAG_BITSWAP, source);
    CHECK(p->bitswap != NULL);
    p->sync = hf_sync_new(hf_test_mem(), p->swarm, p->bitswap, source, TAG_SYNC);
    CHECK(p->sync != NULL);
    if (net->config.heads_only[i]) hf_sync_heads_only(p->sync);
    if (p->gossip) hf_sync_gossip(p->sync, p->gossip);
    for (size_t k = 0; k < net->config.n_logs; k++) start_log(net, p, k);
}

static void make_writer(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    size_t same_as = net->config.writer_of[i] ? net->config.writer_of[i] - 1 : i;
    if (same_as != i) net->one_writer_twice = true;
    uint8_t root[32], signing[32], cid[HF_CID_LEN];
    secret_of(net, same_as, 0, root);
    secret_of(net, same_as, 1, signing);
    CHECK_ERR(hf_writer_init(&p->writer, net->mem, net->secp, root, signing), HF_OK);
    CHECK_ERR(hf_identity_read(hf_buf_bytes(&p->writer.block), hf_test_arena(), &p->identity, NULL), HF_OK);
    hf_map_init(&p->store, net->mem, net->config.seed);
    hf_net_put(net, i, hf_buf_bytes(&p->writer.block), cid);
    p->durable_ms = UINT64_MAX;
}

hf_net *hf_net_new(const hf_net_config *config) {
    hf_mem *mem = config->world_mem ? config->world_mem : hf_test_mem();
    hf_net *net = alloc(mem, sizeof *net);
    net->config = *config;
    if (!net->config.n_logs) net->config.n_logs = 1;
    net->mem = mem;
    net->random = config->seed;
    net->now_ms = 1000;
    net->next_conn = 1;
    uint8_t seed[32] = {1};
    net->secp = hf_secp_new(net->mem, seed);
    for (size_t i = 0; i < config->n_peers; i++) make_writer(net, i);
    for (size_t i = 0; i < config->n_peers; i++) start_peer(net, i);
    return net;
}

static void peer_free(hf_net *net, hf_net_peer *p) {
    hf_sync_free(p->sync);
    hf_gossip_free(p->gossip);
    hf_bitswap_free(p->bitswap);
    hf_swarm_free(p->swarm);
    for (size_t k = 0; k < HF_NET_LOGS_MAX; k++) hf_log_free(p->logs[k]);
    hf_writer_deinit(&p->writer);
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&p->store, &cursor));)
        hf_release(net->mem, s->value, sizeof(stored) + ((stored *)s->value)->len);
    hf_map_deinit(&p->store);
}

static void drop_packets(hf_net *net, channel *c, size_t end) {
    for (packet *p; (p = c->first[end]);) {
        c->first[end] = p->next;
        hf_release(net->mem, p, sizeof *p + p->len);
    }
    c->last[end] = NULL;
}

static void channel_free(hf_net *net, channel *c) {
    drop_packets(net, c, 0);
    drop_packets(net, c, 1);
    channel **at = &net->channels;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    hf_release(net->mem, c, sizeof *c);
}

void hf_net_free(hf_net *net) {
    while (net->channels) channel_free(net, net->channels);
    for (size_t i = 0; i < net->config.n_peers; i++) peer_free(net, &net->peers[i]);
    hf_secp_free(net->secp);
    hf_release(net->mem, net, sizeof *net);
}

/* ---- channels ---- */

static channel *channel_of(hf_net *net, uint64_t number) {
    channel *c = net->channels;
    while (c && c->number != number) c = c->next;
    return c;
}

static void on_wire(hf_net *net, size_t from, uint64_t number, hf_bytes bytes) {
    channel *c = channel_of(net, number);
    net->peers[from].n_bytes_sent += bytes.len;
    if (!c) return;
    size_t to = c->ends[0] == from ? 1 : 0;
    if (!c->known[to]) return;
    packet *p = alloc(net->mem, sizeof *p + bytes.len);
    memcpy(p->bytes, bytes.ptr, bytes.len);
    p->len = bytes.len;
    p->due_ms = net->now_ms + draw(net, net->config.delay_ms_max + 1);
    if (p->due_ms < c->last_due_ms[to]) p->due_ms = c->last_due_ms[to];
    c->last_due_ms[to] = p->due_ms;
    if (c->last[to]) c->last[to]->next = p;
    else c->first[to] = p;
    c->last[to] = p;
}

/* This end has closed: what it sent still arrives, then the other end loses the channel. */
static void on_close(hf_net *net, size_t from, uint64_t number) {
    channel *c = channel_of(net, number);
    if (!c) return;
    size_t end = c->ends[0] == from ? 0 : 1;
    c->known[end] = false;
    drop_packets(net, c, end);
    c->close_ms = c->last_due_ms[!end] > net->now_ms ? c->last_due_ms[!end] : net->now_ms;
}

bool hf_net_connected(const hf_net *net, size_t a, size_t b) {
    for (channel *c = net->channels; c; c = c->next)
        if (c->close_ms == UINT64_MAX && ((c->ends[0] == a && c->ends[1] == b) || (c->ends[0] == b && c->ends[1] == a)))
            return true;
    return false;
}

void hf_net_connect(hf_net *net, size_t a, size_t b) {
    channel *c = alloc(net->mem, sizeof *c);
    *c = (channel){.next = net->channels,
                   .number = net->next_conn++,
                   .ends = {a, b},
                   .known = {true, true},
                   .close_ms = UINT64_MAX};
    net->channels = c;
    CHECK_ERR(hf_swarm_conn_open(net->peers[b].swarm, net->now_ms, c->number, false, NULL, HF_BYTES("", 0)), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(net->peers[a].swarm, net->now_ms, c->number, true, NULL, HF_BYTES("", 0)), HF_OK);
    hf_net_drain(net, b);
    hf_net_drain(net, a);
}

static void lose(hf_net *net, channel *c) {
    size_t ends[2] = {c->ends[0], c->ends[1]};
    bool known[2] = {c->known[0], c->known[1]};
    uint64_t number = c->number;
    channel_free(net, c);
    for (size_t i = 0; i < 2; i++)
        if (known[i]) {
            hf_swarm_conn_lost(net->peers[ends[i]].swarm, net->now_ms, number);
            hf_net_drain(net, ends[i]);
        }
}

void hf_net_disconnect(hf_net *net, size_t a, size_t b) {
    for (channel *c = net->channels, *next; c; c = next) {
        next = c->next;
        if ((c->ends[0] == a && c->ends[1] == b) || (c->ends[0] == b && c->ends[1] == a)) {
            lose(net, c);
            next = net->channels; /* draining may have changed the list */
        }
    }
}

/* ---- one peer's outputs ---- */

static void close_peer(hf_net *net, size_t i, const hf_peer_id *peer) {
    for (channel *c = net->channels; c; c = c->next) {
        size_t end = c->ends[0] == i ? 0 : 1;
        if (c->ends[end] != i || !c->known[end] || !hf_peer_id_eq(hf_swarm_self(net->peers[c->ends[!end]].swarm), peer))
            continue;
        hf_swarm_conn_close(net->peers[i].swarm, net->now_ms, c->number, "abuse");
    }
}

static void grown(hf_net *net, hf_net_peer *p) {
    if (p->durable_ms == UINT64_MAX) p->durable_ms = net->now_ms + draw(net, net->config.durable_ms_max + 1);
}

/* Who wrote an entry must not have shown it before it was durable there. */
static void check_durable(hf_net *net, size_t log, const hf_entry *entry) {
    for (size_t i = 0; i < net->config.n_peers; i++) {
        const hf_net_peer *p = &net->peers[i];
        bool wrote = !p->raw && hf_eq(entry->key, HF_BYTES(p->writer.public_key, HF_PUBLIC_KEY_HEX_LEN));
        if (!wrote || net->one_writer_twice) continue;
        uint32_t index = hf_log_find(p->logs[log], entry->digest);
        CHECK_MSG(index < p->n_durable[log], "peer %zu shows entry %u of %zu", i, (unsigned)index, p->n_durable[log]);
    }
}

static void from_sync(hf_net *net, size_t i, const hf_sync_out *o) {
    hf_net_peer *p = &net->peers[i];
    uint8_t cid[HF_CID_LEN];
    switch (o->kind) {
    case HF_SYNC_ENTRY:
        CHECK_U64(o->index, p->n_applied[o->context - 1]);
        check_durable(net, o->context - 1, o->entry);
        p->n_applied[o->context - 1]++;
        p->n_joined++;
        hf_net_put(net, i, o->entry->block, cid);
        CHECK(!memcmp(cid + HF_CID_LEN - 32, o->entry->digest, 32));
        grown(net, p);
        break;
    case HF_SYNC_IDENTITY:
        p->n_identities++;
        hf_net_put(net, i, o->block, cid);
        CHECK(!memcmp(cid + HF_CID_LEN - 32, o->digest, 32));
        break;
    case HF_SYNC_REFUSED: p->n_refused++, p->reason = o->reason; break;
    case HF_SYNC_ABUSE: p->n_abuse++, p->reason = o->reason, close_peer(net, i, &o->peer); break;
    case HF_SYNC_LEVEL: p->n_level++; break;
    default: break;
    }
}

static void from_swarm(hf_net *net, size_t i, const hf_swarm_out *e) {
    hf_net_peer *p = &net->peers[i];
    if (e->kind == HF_SWARM_SEND) return on_wire(net, i, e->conn, e->bytes);
    if (e->kind == HF_SWARM_CONN_CLOSE) return on_close(net, i, e->conn);
    if (p->gossip) hf_gossip_event(p->gossip, net->now_ms, e);
    if (p->raw) {
        if (net->config.raw_event) net->config.raw_event(net->config.raw_ctx, net, i, e);
        return;
    }
    if (e->tag == TAG_BITSWAP || e->kind == HF_SWARM_CONN_DOWN) hf_bitswap_event(p->bitswap, net->now_ms, e);
    if (e->tag != TAG_BITSWAP) hf_sync_event(p->sync, net->now_ms, e);
}

static bool from_bitswap(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    hf_bitswap_out out;
    if (p->raw || !hf_bitswap_next(p->bitswap, &out)) return false;
    if (out.kind == HF_BITSWAP_ABUSE) p->n_abuse++, p->reason = out.reason, close_peer(net, i, &out.peer);
    else if (p->on_bitswap) p->on_bitswap(p->on_bitswap_ctx, net, i, &out);
    else if (out.context & HF_SYNC_CONTEXT) hf_sync_bitswap(p->sync, net->now_ms, &out);
    else if (out.kind == HF_BITSWAP_BLOCK) p->n_blocks++;
    else p->n_failed++;
    return true;
}

static bool from_gossip(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    hf_gossip_out out;
    if (!p->gossip || !hf_gossip_next(p->gossip, &out)) return false;
    p->n_gossiped += out.kind == HF_GOSSIP_MESSAGE;
    if (out.kind == HF_GOSSIP_ABUSE) p->n_abuse++, p->reason = out.reason, close_peer(net, i, &out.peer);
    else if (!p->raw) hf_sync_gossip_event(p->sync, net->now_ms, &out);
    return true;
}

void hf_net_drain(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    size_t n_done = 0;
    p->busy = false;
    for (;;) {
        hf_swarm_out swarm;
        hf_sync_out sync;
        if (hf_swarm_next(p->swarm, &swarm)) from_swarm(net, i, &swarm);
        else if (from_bitswap(net, i) || from_gossip(net, i)) continue;
        else if (net->config.work_max[i] && n_done++ == net->config.work_max[i]) {
            p->busy = true;
            return;
        } else if (p->raw || !hf_sync_next(p->sync, net->now_ms, &sync)) return;
        else from_sync(net, i, &sync);
    }
}

/* ---- writing ---- */

static void append(hf_net *net, size_t i, size_t log, hf_bytes payload) {
    hf_net_peer *p = &net->peers[i];
    hf_buf block;
    uint32_t index;
    uint8_t cid[HF_CID_LEN];
    hf_buf_init(&block, net->mem);
    CHECK_ERR(hf_log_append(p->logs[log], &p->writer, payload, &block, &index), HF_OK);
    CHECK_U64(index, p->n_applied[log]);
    p->n_applied[log]++;
    hf_net_put(net, i, hf_buf_bytes(&block), cid);
    hf_buf_deinit(&block);
    grown(net, p);
}

void hf_net_append_big(hf_net *net, size_t peer, size_t log, size_t payload_len) {
    hf_buf b;
    hf_buf_init(&b, net->mem);
    hf_buf_add(&b, HF_TEXT("\xa3\x62op\x63" "ADD\x63key\x1a"));
    for (unsigned shift = 32; shift; shift -= 8)
        hf_buf_add_byte(&b, (uint8_t)((net->n_appended | 1u << 24) >> (shift - 8)));
    net->n_appended++;
    hf_buf_add(&b, HF_TEXT("\x65value"));
    hf_cbor_add_head(&b, 2, payload_len);
    uint8_t *fill = hf_buf_extend(&b, payload_len);
    if (payload_len) memset(fill, 'x', payload_len);
    append(net, peer, log, hf_buf_bytes(&b));
    hf_buf_deinit(&b);
}

void hf_net_append(hf_net *net, size_t peer, size_t log) { hf_net_append_big(net, peer, log, 16); }

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t peer_due(const hf_net_peer *p) {
    uint64_t due = earlier(hf_swarm_deadline(p->swarm), p->gossip ? hf_gossip_deadline(p->gossip) : UINT64_MAX);
    if (p->raw) return due;
    return earlier(earlier(due, hf_bitswap_deadline(p->bitswap)),
                   earlier(hf_sync_deadline(p->sync), p->durable_ms));
}

static uint64_t next_due(const hf_net *net) {
    uint64_t due = UINT64_MAX;
    for (size_t i = 0; i < net->config.n_peers; i++) {
        due = earlier(due, peer_due(&net->peers[i]));
        if (net->peers[i].busy) due = earlier(due, net->now_ms + 1);
    }
    for (channel *c = net->channels; c; c = c->next) {
        due = earlier(due, c->close_ms);
        for (size_t end = 0; end < 2; end++)
            if (c->first[end]) due = earlier(due, c->first[end]->due_ms);
    }
    return due;
}

static void tick(hf_net *net, size_t i) {
    hf_net_peer *p = &net->peers[i];
    hf_swarm_tick(p->swarm, net->now_ms);
    if (p->gossip) hf_gossip_tick(p->gossip, net->now_ms);
    if (!p->raw) {
        hf_bitswap_tick(p->bitswap, net->now_ms);
        hf_sync_tick(p->sync, net->now_ms);
    }
    hf_net_drain(net, i);
    if (p->durable_ms > net->now_ms) return;
    p->durable_ms = UINT64_MAX;
    for (size_t k = 0; k < net->config.n_logs; k++) {
        p->n_durable[k] = hf_log_n(p->logs[k]);
        hf_sync_durable(p->sync, net->now_ms, p->logs[k], p->n_durable[k]);
    }
    hf_net_drain(net, i);
}

/* In any cut; the channel may vanish between two pieces. */
static void hand_over(hf_net *net, size_t to, uint64_t number, hf_bytes bytes) {
    for (size_t at = 0; at < bytes.len;) {
        size_t n = net->config.cut_max ? 1 + draw(net, net->config.cut_max) : bytes.len;
        hf_bytes piece = hf_sub(bytes, at, n);
        at += piece.len;
        if (hf_swarm_conn_recv(net->peers[to].swarm, net->now_ms, number, piece)) return;
        hf_net_drain(net, to);
    }
}

/* Delivers one packet that is due; false: none is. */
static bool deliver(hf_net *net) {
    for (channel *c = net->channels; c; c = c->next) {
        for (size_t end = 0; end < 2; end++) {
            packet *p = c->first[end];
            if (!p || p->due_ms > net->now_ms || !c->known[end]) continue;
            c->first[end] = p->next;
            if (!p->next) c->last[end] = NULL;
            hand_over(net, c->ends[end], c->number, HF_BYTES(p->bytes, p->len));
            hf_release(net->mem, p, sizeof *p + p->len);
            return true;
        }
        if (c->close_ms > net->now_ms) continue;
        lose(net, c);
        return true;
    }
    return false;
}

static void step(hf_net *net, uint64_t until_ms) {
    uint64_t due = next_due(net);
    if (due > net->now_ms) net->now_ms = earlier(due, until_ms);
    while (deliver(net)) {}
    for (size_t i = 0; i < net->config.n_peers; i++)
        if (net->peers[i].busy || peer_due(&net->peers[i]) <= net->now_ms) tick(net, i);
}

void hf_net_run(hf_net *net, uint64_t ms) {
    uint64_t until_ms = net->now_ms + ms;
    while (net->now_ms < until_ms || next_due(net) <= until_ms) step(net, until_ms);
}

bool hf_net_level(hf_net *net) {
    for (size_t k = 0; k < net->config.n_logs; k++) {
        uint8_t first[32], other[32];
        bool any = false;
        for (size_t i = 0; i < net->config.n_peers; i++) {
            const hf_net_peer *p = &net->peers[i];
            if (p->raw) continue;
            hf_log_version(p->logs[k], any ? other : first);
            if (hf_log_n_pending(p->logs[k]) || (any && memcmp(first, other, 32))) return false;
            any = true;
        }
    }
    return true;
}

bool hf_net_settle(hf_net *net, uint64_t ms) {
    uint64_t until_ms = net->now_ms + ms;
    while (!hf_net_level(net) && net->now_ms < until_ms) step(net, until_ms);
    return hf_net_level(net);
}

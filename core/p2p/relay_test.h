/* relay_test: a world of peers with a swarm and a relay each, joined by links that deliver in order, in virtual time. For the tests of
 * everything that runs through relays. A link is a connection of the same number at both ends. */
#ifndef HF_RELAY_TEST_H
#define HF_RELAY_TEST_H
#include "relay.h"

#include "../../tests/kit/check.h"

#include <stdio.h>
#include <string.h>

enum { MESH_TAG_RELAY = 10, MESH_TAG_APP = 20, MESH_TAG_SIGNAL = 21, MESH_LOG_MAX = 64, MESH_STREAMS_MAX = 8 };
#define MESH_APP "/test/app/1"
#define MESH_SIGNAL "/test/signal/1" /* runs on limited connections */
#define MESH_UTC_MS 1700000000000

typedef struct mesh mesh;

/* A stream of the app: what came, and what is still to be written (of a pattern). */
typedef struct mesh_stream {
    uint64_t id;
    hf_peer_id peer;
    bool inbound, open, fin, gone, reset, relayed, wrong, denied;
    size_t got, to_write, written;
    bool finish;
    uint8_t head[64]; /* the first bytes that came */
} mesh_stream;

typedef struct mesh_node {
    hf_swarm *swarm;
    hf_relay *relay;
    uint64_t random;
    mesh_stream streams[MESH_STREAMS_MAX];
    size_t n_streams;
    hf_swarm_out conns[MESH_LOG_MAX]; /* CONN_UP, CONN_DOWN */
    size_t n_conns;
    hf_relay_out news[MESH_LOG_MAX];
    hf_bytes addr[MESH_LOG_MAX]; /* the first of a RESERVED */
    size_t n_news;
    bool pause_reading; /* of inbound app streams */
    bool no_relay, no_app;
    size_t most_held;
    hf_swarm_config swarm_config;
    hf_relay_config config;
} mesh_node;

typedef struct mesh_link {
    size_t end[2]; /* 0 dialled */
    hf_buf to[2];
    size_t at[2];
    bool open, closing[2];
} mesh_link;

struct mesh {
    mesh_node *nodes;
    mesh_link *links;
    size_t n_nodes, n_links;
    uint64_t now_ms;
    size_t cut;
    /* more modules in a node: after each event of the swarm; draining (true: something came out); time */
    void (*event)(mesh *m, size_t node, const hf_swarm_out *out);
    bool (*drain)(mesh *m, size_t node);
    uint64_t (*deadline)(mesh *m, size_t node);
    void (*tick)(mesh *m, size_t node);
    void *ctx;
};

static inline uint8_t mesh_pattern(size_t at) { return (uint8_t)(at * 7 + at / 251); }

/* Nodes know nothing but their places; the test fills in `config`s, then starts each. */
static inline void mesh_make(mesh *m, size_t n_nodes, size_t n_links) {
    *m = (mesh){.n_nodes = n_nodes, .now_ms = 1000, .cut = 1 << 20};
    m->nodes = hf_arena_alloc(hf_test_arena(), n_nodes * sizeof *m->nodes);
    m->links = hf_arena_alloc(hf_test_arena(), n_links * sizeof *m->links);
}

static inline hf_err mesh_start(mesh *m, size_t i) {
    mesh_node *n = &m->nodes[i];
    uint8_t seed[32] = {(uint8_t)(i + 1), (uint8_t)((i + 1) >> 8)};
    n->random = i + 1;
    n->swarm_config.ed25519_seed = seed;
    n->swarm_config.agent = HF_TEXT("holdfast/test");
    n->swarm_config.random = hf_test_random_fill;
    n->swarm_config.random_ctx = &n->random;
    n->config.unix_offset_ms = MESH_UTC_MS;
    n->swarm = hf_swarm_new(hf_test_mem(), &n->swarm_config);
    if (!n->swarm) return HF_NOMEM;
    hf_err err = n->no_app ? HF_OK : hf_swarm_protocol(n->swarm, HF_TEXT(MESH_APP), MESH_TAG_APP);
    if (!err) err = hf_swarm_protocol(n->swarm, HF_TEXT(MESH_SIGNAL), MESH_TAG_SIGNAL);
    if (!err) err = hf_swarm_allow_limited(n->swarm, HF_TEXT(MESH_SIGNAL));
    uint8_t addr[8] = {4, 10, (uint8_t)(i >> 8), (uint8_t)i, 1, 6, 0x0f, 0xa1};
    hf_bytes view = HF_BYTES(addr, sizeof addr);
    if (!err) err = hf_swarm_addresses(n->swarm, &view, 1);
    if (err || n->no_relay) return err;
    n->relay = hf_relay_new(hf_test_mem(), n->swarm, MESH_TAG_RELAY, &n->config);
    return n->relay ? HF_OK : HF_NOMEM;
}

static inline void mesh_stop(mesh *m) {
    for (size_t i = 0; i < m->n_nodes; i++) {
        hf_relay_free(m->nodes[i].relay);
        hf_swarm_free(m->nodes[i].swarm);
    }
    for (size_t i = 0; i < m->n_links; i++) {
        hf_buf_deinit(&m->links[i].to[0]);
        hf_buf_deinit(&m->links[i].to[1]);
    }
}

static inline const hf_peer_id *mesh_id(const mesh *m, size_t i) { return hf_swarm_self(m->nodes[i].swarm); }

/* A link between two; its number is that of both ends' connection. */
static inline size_t mesh_link_up(mesh *m, size_t dialer, size_t listener) {
    size_t n = m->n_links++;
    mesh_link *l = &m->links[n];
    *l = (mesh_link){.end = {dialer, listener}, .open = true};
    for (int i = 0; i < 2; i++) {
        size_t self = l->end[i], other = l->end[!i];
        uint8_t remote[8] = {4, 10, (uint8_t)(other >> 8), (uint8_t)other, 1, 6, 0x0f, 0xa1};
        hf_buf_init(&l->to[i], hf_test_mem());
        hf_err err = hf_swarm_conn_open(m->nodes[self].swarm, m->now_ms, n, i == 0, NULL, HF_BYTES(remote, 8));
        if (err) l->open = false;
    }
    return n;
}

static inline void mesh_link_down(mesh *m, size_t link) {
    mesh_link *l = &m->links[link];
    if (!l->open) return;
    l->open = false;
    for (int i = 0; i < 2; i++)
        if (!l->closing[i]) hf_swarm_conn_lost(m->nodes[l->end[i]].swarm, m->now_ms, link);
}

/* ---- the app ---- */

static inline mesh_stream *mesh_stream_of(mesh_node *n, uint64_t id) {
    for (size_t i = n->n_streams; i-- > 0;)
        if (n->streams[i].id == id) return &n->streams[i];
    return NULL;
}

static inline void mesh_write(mesh *m, mesh_node *n, mesh_stream *s) {
    static uint8_t block[20000];
    while (s->written < s->to_write) {
        size_t len = s->to_write - s->written < sizeof block ? s->to_write - s->written : sizeof block;
        for (size_t i = 0; i < len; i++) block[i] = mesh_pattern(s->written + i);
        if (hf_swarm_stream_write(n->swarm, m->now_ms, s->id, HF_BYTES(block, len))) return;
        s->written += len;
    }
    if (s->finish) hf_swarm_stream_finish(n->swarm, m->now_ms, s->id);
}

static inline mesh_stream *mesh_add_stream(mesh_node *n, uint64_t id, const hf_peer_id *peer, bool inbound) {
    if (n->n_streams == MESH_STREAMS_MAX) return NULL;
    mesh_stream *s = &n->streams[n->n_streams++];
    *s = (mesh_stream){.id = id, .peer = *peer, .inbound = inbound};
    return s;
}

/* Opens a stream, writes `len` bytes and finishes when `finish`. NULL: refused. */
static inline mesh_stream *mesh_open(mesh *m, size_t node, const hf_peer_id *peer, hf_bytes protocol, size_t len, bool finish) {
    mesh_node *n = &m->nodes[node];
    uint64_t id;
    uint32_t tag = hf_eq(protocol, HF_TEXT(MESH_APP)) ? MESH_TAG_APP : MESH_TAG_SIGNAL;
    if (hf_swarm_stream_open(n->swarm, m->now_ms, peer, protocol, tag, &id)) return NULL;
    mesh_stream *s = mesh_add_stream(n, id, peer, false);
    s->to_write = len;
    s->finish = finish;
    mesh_write(m, n, s);
    return s;
}

static inline void mesh_app(mesh *m, mesh_node *n, const hf_swarm_out *o) {
    mesh_stream *s = mesh_stream_of(n, o->stream);
    if (o->kind == HF_SWARM_STREAM_OPEN && o->inbound) {
        s = mesh_add_stream(n, o->stream, &o->peer, true);
        if (s && n->pause_reading) hf_swarm_stream_reading(n->swarm, m->now_ms, o->stream, false);
    }
    if (!s) return;
    s->relayed = o->relayed;
    switch (o->kind) {
    case HF_SWARM_STREAM_OPEN: s->open = true; break;
    case HF_SWARM_STREAM_DATA:
        for (size_t i = 0; i < o->bytes.len && s->got + i < sizeof s->head; i++) s->head[s->got + i] = o->bytes.ptr[i];
        for (size_t i = 0; i < o->bytes.len; i++) s->wrong |= o->bytes.ptr[i] != mesh_pattern(s->got + i);
        s->got += o->bytes.len;
        break;
    case HF_SWARM_STREAM_DRAINED: mesh_write(m, n, s); break;
    case HF_SWARM_STREAM_FIN: s->fin = true; break;
    case HF_SWARM_STREAM_GONE:
        s->gone = true;
        s->reset = o->reset;
        break;
    default: break;
    }
}

/* ---- moving ---- */

static inline void mesh_out(mesh *m, size_t node, const hf_swarm_out *o) {
    mesh_node *n = &m->nodes[node];
    bool is_conn = o->kind == HF_SWARM_CONN_UP || o->kind == HF_SWARM_CONN_DOWN;
    if (is_conn && n->n_conns < MESH_LOG_MAX) n->conns[n->n_conns++] = *o;
    if (n->relay && hf_relay_event(n->relay, m->now_ms, o)) return;
    if (m->event) m->event(m, node, o);
    if (o->tag == MESH_TAG_APP || o->tag == MESH_TAG_SIGNAL) mesh_app(m, n, o);
    if (o->kind != HF_SWARM_SEND && o->kind != HF_SWARM_CONN_CLOSE) return;
    mesh_link *l = &m->links[o->conn];
    bool me = l->end[1] == node;
    if (o->kind == HF_SWARM_SEND && l->open) hf_buf_add(&l->to[!me], o->bytes);
    if (o->kind == HF_SWARM_CONN_CLOSE) l->closing[me] = true;
}

static inline bool mesh_news(mesh_node *n) {
    hf_relay_out out;
    if (!n->relay || !hf_relay_next(n->relay, &out)) return false;
    if (n->n_news == MESH_LOG_MAX) return true;
    if (out.n_addrs) n->addr[n->n_news] = hf_arena_copy(hf_test_arena(), out.addrs[0]);
    out.addrs = NULL;
    n->news[n->n_news++] = out;
    return true;
}

static inline void mesh_drain(mesh *m, size_t node) {
    mesh_node *n = &m->nodes[node];
    hf_swarm_out out;
    bool more = n->swarm != NULL;
    while (more) {
        more = false;
        while (hf_swarm_next(n->swarm, &out)) mesh_out(m, node, &out);
        while (mesh_news(n)) more = true;
        while (m->drain && m->drain(m, node)) more = true;
    }
    if (n->relay && hf_relay_look(n->relay).n_bytes_held > n->most_held) n->most_held = hf_relay_look(n->relay).n_bytes_held;
}

static inline bool mesh_deliver(mesh *m, size_t link, int end) {
    mesh_link *l = &m->links[link];
    size_t left = l->to[end].len - l->at[end], len = left < m->cut ? left : m->cut;
    if (l->open && len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&l->to[end]), l->at[end], len);
        l->at[end] += len;
        if (!l->closing[end]) (void)!hf_swarm_conn_recv(m->nodes[l->end[end]].swarm, m->now_ms, link, part);
    }
    if (l->at[end] == l->to[end].len || !l->open) {
        hf_buf_clear(&l->to[end]);
        l->at[end] = 0;
    }
    return l->open && len;
}

static inline bool mesh_move_link(mesh *m, size_t i) {
    mesh_link *l = &m->links[i];
    if (!l->open) return false;
    bool moved = false;
    for (int end = 0; end < 2; end++) {
        if (mesh_deliver(m, i, end)) {
            moved = true;
            mesh_drain(m, l->end[end]);
        }
    }
    if (moved || (!l->closing[0] && !l->closing[1])) return moved;
    mesh_link_down(m, i);
    mesh_drain(m, l->end[0]);
    mesh_drain(m, l->end[1]);
    return true;
}

/* Until nothing moves. */
static inline void mesh_run(mesh *m) {
    bool moved = true;
    for (size_t i = 0; i < m->n_nodes; i++) mesh_drain(m, i);
    while (moved) {
        moved = false;
        for (size_t i = 0; i < m->n_links; i++)
            if (mesh_move_link(m, i)) moved = true;
    }
}

static inline uint64_t mesh_min(uint64_t a, uint64_t b) { return a < b ? a : b; }

static inline uint64_t mesh_deadline(mesh *m) {
    uint64_t at = UINT64_MAX;
    for (size_t i = 0; i < m->n_nodes; i++) {
        at = mesh_min(at, hf_swarm_deadline(m->nodes[i].swarm));
        if (m->nodes[i].relay) at = mesh_min(at, hf_relay_deadline(m->nodes[i].relay));
        if (m->deadline) at = mesh_min(at, m->deadline(m, i));
    }
    return at;
}

static inline void mesh_wait(mesh *m, uint64_t ms) {
    uint64_t until = m->now_ms + ms, at;
    while ((at = mesh_deadline(m)) <= until) {
        if (at > m->now_ms) m->now_ms = at;
        for (size_t i = 0; i < m->n_nodes; i++) {
            hf_swarm_tick(m->nodes[i].swarm, m->now_ms);
            if (m->nodes[i].relay) hf_relay_tick(m->nodes[i].relay, m->now_ms);
            if (m->tick) m->tick(m, i);
        }
        mesh_run(m);
    }
    m->now_ms = until;
}

/* ---- looking ---- */

static inline const hf_relay_out *mesh_find_news(const mesh *m, size_t node, hf_relay_kind kind, size_t nth) {
    for (size_t i = 0; i < m->nodes[node].n_news; i++)
        if (m->nodes[node].news[i].kind == kind && nth-- == 0) return &m->nodes[node].news[i];
    return NULL;
}

static inline const hf_swarm_out *mesh_find_conn(const mesh *m, size_t node, hf_swarm_kind kind, const hf_peer_id *peer) {
    for (size_t i = m->nodes[node].n_conns; i-- > 0;) {
        const hf_swarm_out *o = &m->nodes[node].conns[i];
        if (o->kind == kind && hf_peer_id_eq(&o->peer, peer)) return o;
    }
    return NULL;
}

/* The last inbound stream of the app. */
static inline mesh_stream *mesh_inbound(mesh *m, size_t node) {
    for (size_t i = m->nodes[node].n_streams; i-- > 0;)
        if (m->nodes[node].streams[i].inbound) return &m->nodes[node].streams[i];
    return NULL;
}

/* ---- the usual: node 0 relays, all others are connected to it, node 1 has a reservation ---- */

static inline hf_err mesh_star(mesh *m, size_t n_nodes, const hf_relay_config *relay) {
    mesh_make(m, n_nodes, 4 * n_nodes);
    if (relay) m->nodes[0].config = *relay;
    m->nodes[0].config.serve = true;
    hf_err err = HF_OK;
    for (size_t i = 0; i < n_nodes && !err; i++) err = mesh_start(m, i);
    for (size_t i = 1; i < n_nodes && !err; i++) mesh_link_up(m, i, 0);
    if (err) return err;
    mesh_run(m);
    err = hf_relay_reserve(m->nodes[1].relay, m->now_ms, mesh_id(m, 0));
    mesh_run(m);
    return err;
}

static inline hf_relay_verdict mesh_unlimited(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)ask, (void)peer, (void)target;
    return HF_RELAY_UNLIMITED;
}
#endif

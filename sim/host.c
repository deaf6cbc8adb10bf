/* host: see host.h. */
#include "world.h"

#include "../core/p2p/host_gossip.h"
#include "../core/p2p/host_kad.h"
#include "../core/p2p/host_relay.h"

#include <string.h>

enum { TAG_RELAY = 0x100, TAG_GOSSIP = 0x200, TAG_KAD = 0x300, TAG_SYBIL = HF_HOST_TAG_USER + 1, PORT = 6, PORT_FIRST = 1024, CONNS_MIN = 4, CONNS_MAX = 16, SAVED_MAX = 128, REDIALLED_MAX = 8 /* as in node/p2p.c */, AWAY_MS = 1000, LOOK_MS = 10000, MINUTE_MS = 60000 };

/* ---- addresses: /ip4/11.B.C.1/tcp/PORT; sybils at 66.66.n.1 ---- */

void hf_sim_address(const hf_world *w, uint32_t peer, uint8_t ret[HF_SIM_ADDRESS_LEN]) {
    bool sybil = peer >= w->n_honest;
    uint32_t port = PORT_FIRST + peer;
    uint8_t bytes[HF_SIM_ADDRESS_LEN] = {4, sybil ? 66 : 11, sybil ? 66 : (uint8_t)(peer >> 8), sybil ? (uint8_t)(peer % w->stage.n_networks) : (uint8_t)peer, 1, PORT,
                                         (uint8_t)(port >> 8), (uint8_t)port};
    memcpy(ret, bytes, sizeof bytes);
}

static bool can_dial(void *ctx, hf_bytes address) {
    (void)ctx;
    return address.len == HF_SIM_ADDRESS_LEN && address.ptr[5] == PORT;
}

/* ---- life ---- */

static void add_parts(hf_world *w, hf_sim_peer *p) {
    hf_sim_host *h = p->host;
    bool sybil_of_kad = h->sybil && hf_scene_is_kad(w->config.scene);
    hf_kad_config kad = {.server = !p->natted, .random = hf_random_fill, .random_ctx = &p->random};
    hf_gossip_config gossip = {.ed25519_seed = p->secrets.peer, .random = hf_random_fill, .random_ctx = &p->random};
    hf_relay_config relay = {.unix_offset_ms = 1700000000000, .serve = h->relays};
    hf_err err = hf_host_add_relay(h->host, &p->mem, TAG_RELAY, &relay, &h->relay);
    if (!err) err = hf_host_add_gossip(h->host, &p->mem, TAG_GOSSIP, &gossip, &h->gossip);
    if (!err && !sybil_of_kad && hf_scene_is_kad(w->config.scene)) err = hf_host_add_kad(h->host, &p->mem, TAG_KAD, &kad, &h->kad);
    if (!err && sybil_of_kad) err = hf_swarm_protocol(hf_host_swarm(h->host), HF_TEXT(HF_KAD_PROTOCOL), TAG_SYBIL);
    if (!err) err = hf_scene_dress(w, p);
    HF_ASSERT(!err);
    if (h->kad) hf_kad_clock(h->kad, hf_peer_clock(w, p), hf_peer_wall(w, p));
}

typedef struct redial { hf_world *w; hf_sim_peer *p; size_t n; } redial;

static void dial_known(void *ctx, const hf_peer_id *peer) {
    redial *r = ctx;
    hf_err err = r->n++ < REDIALLED_MAX ? hf_host_connect(r->p->host->host, hf_peer_clock(r->w, r->p), peer, NULL, 0, 0, 1) : HF_OK;
    (void)err;
}

/* What it saved is all that it knows. */
static void restore(hf_world *w, hf_sim_peer *p) {
    redial r = {w, p, 0};
    hf_err err = hf_book_restore(hf_host_book(p->host->host), hf_peer_clock(w, p), hf_buf_bytes(&p->host->book), HF_BOOK_KNOWN_MS, dial_known, &r);
    HF_ASSERT(!err);
    hf_sim_host_pump(w, p);
}

void hf_sim_host_restart(hf_world *w, hf_sim_peer *p) {
    p->host->restarted = true;
    hf_book_save(hf_host_book(p->host->host), SAVED_MAX, &p->host->book);
    HF_ASSERT(!p->host->book.err);
    hf_peer_stop(w, p, w->now_ms + AWAY_MS, false);
}

void hf_sim_host_start(hf_world *w, hf_sim_peer *p) {
    hf_sim_host *h = p->host;
    hf_host_config config = {.swarm = {.ed25519_seed = p->secrets.peer, .agent = HF_TEXT("holdfast/sim"), .random = hf_random_fill, .random_ctx = &p->random},
                             .can_dial = can_dial, .dialling = &hf_host_dialling};
    p->meter = (hf_meter){.peak = 0};
    h->host = hf_host_new(&p->mem, &config);
    HF_ASSERT(h->host);
    p->id = *hf_host_self(h->host);
    hf_err err = hf_map_put(&w->by_id, HF_BYTES(p->id.bytes, p->id.len), p);
    HF_ASSERT(!err);
    hf_bytes address = HF_BYTES(h->address, sizeof h->address);
    if (!p->natted) err = hf_swarm_addresses(hf_host_swarm(h->host), &address, 1);
    HF_ASSERT(!err);
    add_parts(w, p);
    hf_sim_host_join(w, p);
    if (h->restarted) restore(w, p);
}

void hf_sim_host_stop(hf_world *w, hf_sim_peer *p) {
    if (!p->host) return;
    hf_host_free(p->host->host);
    p->host->host = NULL;
    hf_map_remove(&w->by_id, HF_BYTES(p->id.bytes, p->id.len));
}

/* ---- dialling ---- */

/* Nobody dials the same one over and over. */
static void check_dial(hf_world *w, hf_sim_peer *p, uint32_t to) {
    hf_sim_host *h = p->host;
    if (h->sybil) return;
    if (w->now_ms >= h->dials_ms + MINUTE_MS) {
        memset(h->dials, 0, w->config.n_peers);
        h->dials_ms = w->now_ms;
    }
    if (h->dials[to] < UINT8_MAX) h->dials[to]++;
    if (h->dials[to] > w->result->scene.same_dials_most) w->result->scene.same_dials_most = h->dials[to];
    if (h->dials[to] > HF_SAME_DIALS_MAX)
        hf_world_fail(w, "dials stay within their budget", "host %u dials %u %u times in a minute", (unsigned)p->index, (unsigned)to, (unsigned)h->dials[to]);
}

void hf_sim_host_dial_failed(hf_world *w, hf_sim_peer *p, uint64_t dial, const char *reason) {
    hf_host_dial_failed(p->host->host, hf_peer_clock(w, p), dial, reason);
    hf_sim_host_pump(w, p);
}

static void dial(hf_world *w, hf_sim_peer *p, const hf_host_out *out) {
    uint32_t to = (uint32_t)(out->bytes.ptr[6] << 8 | out->bytes.ptr[7]) - PORT_FIRST;
    if (to < w->config.n_peers) check_dial(w, p, to);
    if (to < w->config.n_peers && w->peers[to].natted) return; /* nobody answers: the dialer gives it up by itself */
    if (to >= w->config.n_peers || !hf_sim_link_dial_as(w, p->index, to, out->dial)) hf_host_dial_failed(p->host->host, hf_peer_clock(w, p), out->dial, "refused");
}

void hf_sim_host_connect(hf_world *w, hf_sim_peer *p, uint32_t to, hf_bytes address, uint64_t context) {
    hf_err err = hf_host_connect(p->host->host, hf_peer_clock(w, p), &w->peers[to].id, &address, 1, 30000, context ? context : 1);
    if (err && context > 1) hf_scene_connected(w, p, context, "it could not be tried");
}

/* As a shell's connection manager does: of too many some are closed. */
static void prune(hf_world *w, hf_sim_peer *p) {
    hf_sim_host *h = p->host;
    hf_swarm *swarm = hf_host_swarm(h->host);
    for (size_t n = hf_swarm_n_peers(swarm); n > CONNS_MAX && hf_scene_is_kad(w->config.scene) && !h->sybil; n--) {
        hf_peer_id peer = *hf_swarm_peer(swarm, hf_world_draw(w, n));
        hf_host_disconnect(h->host, hf_peer_clock(w, p), &peer);
    }
}

/* Those of a host that looks for others: some that were there before it, as from a list of bootstrap peers. */
void hf_sim_host_join(hf_world *w, hf_sim_peer *p) {
    hf_sim_host *h = p->host;
    if (!p->up) return;
    hf_world_push(w, w->now_ms + LOOK_MS, HF_EVENT_JOIN, p->index, 0);
    size_t wanted = h->sybil ? w->stage.sybil_conns : CONNS_MIN, n = h->n_joined < wanted ? h->n_joined : hf_swarm_n_peers(hf_host_swarm(h->host));
    for (size_t i = n; i < wanted && !h->restarted; i++) {
        uint32_t to = (uint32_t)hf_world_draw(w, p->index < w->n_honest && p->index > 8 ? p->index : w->n_honest);
        if (to == p->index || w->peers[to].natted || !w->peers[to].up) continue;
        hf_sim_host_connect(w, p, to, HF_BYTES(w->peers[to].host->address, HF_SIM_ADDRESS_LEN), 0);
        h->n_joined++;
    }
    prune(w, p);
    hf_sim_host_pump(w, p);
}

/* ---- what comes out ---- */

static void take(hf_world *w, hf_sim_peer *p, const hf_host_out *out) {
    switch (out->kind) {
    case HF_HOST_SEND: hf_sim_link_send(w, p->index, out->conn, out->bytes); break;
    case HF_HOST_CLOSE: hf_sim_link_close(w, p->index, out->conn); break;
    case HF_HOST_DIAL: dial(w, p, out); break;
    case HF_HOST_CONNECTED:
        if (out->context > 1) hf_scene_connected(w, p, out->context, out->reason);
        break;
    case HF_HOST_SAID: hf_scene_said(w, p, out); break;
    case HF_HOST_EVENT:
        if (p->host->sybil) hf_sybil_event(w, p, out->event);
        break;
    default: break;
    }
}

static void plan_tick(hf_world *w, hf_sim_peer *p) {
    uint64_t deadline = hf_host_deadline(p->host->host), clock = hf_peer_clock(w, p);
    if (deadline == UINT64_MAX) return;
    uint64_t at = w->now_ms + (deadline > clock ? deadline - clock : 1);
    if (p->tick_ms > w->now_ms && p->tick_ms <= at) return;
    p->tick_ms = at;
    hf_world_push(w, at, HF_EVENT_TICK, p->index, ++p->n_tick);
}

void hf_sim_host_pump(hf_world *w, hf_sim_peer *p) {
    hf_host_out out;
    if (!p->host->host) return;
    while (hf_host_next(p->host->host, hf_peer_clock(w, p), &out)) take(w, p, &out);
    hf_sim_link_flush(w, p->index);
    plan_tick(w, p);
}

/* ---- what comes in ---- */

void hf_sim_host_tick(hf_world *w, hf_sim_peer *p) {
    if (!p->host->host) return;
    p->tick_ms = 0;
    hf_host_tick(p->host->host, hf_peer_clock(w, p));
    hf_sim_host_pump(w, p);
}

void hf_sim_host_opened(hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialer) {
    const hf_sim_host *other = w->peers[hf_sim_link_other(w, conn, p->index)].host;
    uint64_t number = dialer ? hf_sim_link_dial_of(w, conn) : 0;
    if (hf_host_conn_open(p->host->host, hf_peer_clock(w, p), conn, number, HF_BYTES(other->address, sizeof other->address))) hf_sim_link_close(w, p->index, conn);
    hf_sim_host_pump(w, p);
}

void hf_sim_host_received(hf_world *w, hf_sim_peer *p, uint64_t conn, hf_bytes bytes) {
    hf_err err = hf_host_conn_recv(p->host->host, hf_peer_clock(w, p), conn, bytes);
    (void)err; /* not there: closed a moment ago */
    hf_sim_host_pump(w, p);
}

void hf_sim_host_lost(hf_world *w, hf_sim_peer *p, uint64_t conn) {
    hf_host_conn_lost(p->host->host, hf_peer_clock(w, p), conn);
    hf_sim_host_pump(w, p);
}

/* ---- everybody ---- */

void hf_sim_hosts_make(hf_world *w) {
    uint32_t n = w->config.n_peers;
    w->n_nodes = w->n_honest = w->stage.n_honest;
    w->peers = hf_world_alloc(w, n * sizeof *w->peers);
    for (uint32_t i = 0; i < n; i++) {
        hf_sim_peer *p = &w->peers[i];
        p->index = i;
        p->role = HF_ROLE_HOST;
        p->random = w->config.seed * 0x9e3779b97f4a7c15u ^ ((uint64_t)i << 32);
        p->mem = (hf_mem){hf_meter_resize, &p->meter};
        p->source = UINT32_MAX;
        hf_secrets_make(hf_random_fill, &p->random, &p->secrets);
        hf_disk_init(w, i);
        p->host = hf_world_alloc(w, sizeof *p->host);
        p->host->dials = hf_world_alloc(w, n);
        hf_buf_init(&p->host->book, &w->mem);
        p->host->sybil = i >= w->n_honest;
        hf_sim_address(w, i, p->host->address);
        hf_scene_cast(w, p);
        hf_world_push(w, i < 8 ? i : hf_world_draw(w, 15000), HF_EVENT_START, i, 0);
    }
}

/* scene: see scene.h. What the sybils do is in sybil.c. */
#include "world.h"

#include "../core/p2p/host_gossip.h"
#include "../core/p2p/host_kad.h"
#include "../core/p2p/host_relay.h"
#include "../core/p2p/kad_private.h"

#include <string.h>

enum { PROVIDE, LOOK_UP, PUBLISH, RESERVE, REACH, SILENCE, RESTART, BACK, OVER };
enum { FIRST_MS = 60000, SECOND_MS = 90000, OVER_MS = 160000, RESTART_MS = 130000, BACK_MS = 1000, RELINK_MS = 10000, GLANCE_MS = 20, APART_MS = 150, N_MESSAGES = 500, SPOKEN = 12 /* the context of the first try */ };
#define TOPIC HF_TEXT("/sim/topic")

static const struct cast { const char *name; uint32_t n_honest, sybils_percent, n_sybils, sybil_bits, sybil_conns, n_networks; } casts[HF_SCENES] = {
    {"", 0, 0, 0, 0, 0, 1},
    {"kad", 100, 0, 0, 0, 0, 1},
    {"gossip", 50, 0, 0, 0, 0, 1},
    {"relay", 60, 0, 0, 0, 0, 1},
    {"eclipse", 20, 2500, 0, 6, 6, 2},
    {"censor", 100, 0, 45, 10, 12, 45},
    {"lies", 50, 100, 0, 0, 8, 200},
    {"takeover", 20, 200, 0, 0, 10, 200},
};

const char *hf_scene_name(hf_scene scene) { return scene < HF_SCENES ? casts[scene].name : ""; }

/* ---- who is there ---- */

/* --peers counts all; the sybils are some of them. */
static void count(hf_world *w) {
    const struct cast *c = &casts[w->config.scene];
    uint32_t n = w->config.n_peers, n_sybils = c->n_sybils ? c->n_sybils : (uint32_t)((uint64_t)n * c->sybils_percent / (100 + c->sybils_percent));
    w->stage.n_honest = n > n_sybils + 2 ? n - n_sybils : n;
    w->stage.n_networks = c->n_networks;
    w->stage.sybil_conns = c->sybil_conns;
    w->result->scene.n_sybils = n - w->stage.n_honest;
}

uint32_t hf_scene_peers(hf_scene scene) {
    const struct cast *c = &casts[scene];
    return c->n_honest + c->n_sybils + c->n_honest * c->sybils_percent / 100;
}

void hf_scene_cast(hf_world *w, hf_sim_peer *p) {
    hf_scene scene = w->config.scene;
    p->host->relays = scene == HF_SCENE_RELAY && p->index < w->n_honest / 10 + 1;
    p->natted = scene == HF_SCENE_RELAY && p->index >= w->n_honest / 2;
    if (p->host->sybil && casts[scene].sybil_bits) hf_sybil_make(w, p, casts[scene].sybil_bits);
}

hf_err hf_scene_dress(hf_world *w, hf_sim_peer *p) {
    bool wants = w->config.scene == HF_SCENE_GOSSIP || w->config.scene == HF_SCENE_TAKEOVER;
    return wants ? hf_gossip_subscribe(p->host->gossip, hf_peer_clock(w, p), TOPIC, NULL) : HF_OK;
}

static hf_sim_peer *somebody(hf_world *w, const hf_sim_peer *but) {
    for (;;) {
        hf_sim_peer *p = &w->peers[hf_world_draw(w, w->n_honest)];
        if (p != but) return p;
    }
}

static void key_of(hf_bytes thing, uint8_t ret[32]) { hf_sha256_of(thing, ret); }

/* ---- the plan ---- */

bool hf_scene_is_kad(hf_scene s) { return s == HF_SCENE_KAD || s == HF_SCENE_ECLIPSE || s == HF_SCENE_CENSOR || s == HF_SCENE_LIES; }
static bool is_gossip(hf_scene s) { return s == HF_SCENE_GOSSIP || s == HF_SCENE_TAKEOVER; }

static void plan_kad(hf_world *w) {
    hf_stage *s = &w->stage;
    s->n_tries = 200;
    for (uint32_t i = 0; i < s->n_things && w->config.scene != HF_SCENE_ECLIPSE; i++) hf_world_push(w, FIRST_MS + i * 100, HF_EVENT_SCENE, PROVIDE, i);
    for (uint32_t i = 0; i < s->n_tries; i++) hf_world_push(w, SECOND_MS + i * APART_MS, HF_EVENT_SCENE, LOOK_UP, i);
    if (w->config.scene == HF_SCENE_ECLIPSE) hf_world_push(w, RESTART_MS, HF_EVENT_SCENE, RESTART, 0);
}

static void plan_gossip(hf_world *w) {
    for (uint32_t i = 0; i < N_MESSAGES; i++) hf_world_push(w, FIRST_MS + (uint64_t)i * (OVER_MS - 20000 - FIRST_MS) / N_MESSAGES, HF_EVENT_SCENE, PUBLISH, i);
    if (w->config.scene == HF_SCENE_TAKEOVER) hf_world_push(w, SECOND_MS + 30000, HF_EVENT_SCENE, SILENCE, 0);
}

static void plan_relay(hf_world *w) {
    w->stage.n_tries = 200;
    for (uint32_t i = w->n_honest / 2; i < w->n_honest; i++) hf_world_push(w, 20000 + i, HF_EVENT_SCENE, RESERVE, i);
    for (uint32_t i = 0; i < w->stage.n_tries; i++) hf_world_push(w, FIRST_MS + i * APART_MS, HF_EVENT_SCENE, REACH, i);
}

void hf_scene_prepare(hf_world *w) {
    hf_stage *s = &w->stage;
    count(w);
    s->n_things = w->config.scene == HF_SCENE_CENSOR ? 1 : 100;
    s->tries = hf_world_alloc(w, HF_STAGE_TRIES_MAX * sizeof *s->tries);
    s->things = hf_world_alloc(w, s->n_things * sizeof *s->things);
    for (uint32_t i = 0; i < s->n_things; i++) {
        s->things[i][0] = 0x12, s->things[i][1] = 32;
        hf_random_fill(&w->random, s->things[i] + 2, 32);
    }
    key_of(HF_BYTES(s->things[0], 34), s->target);
    s->said_ms = hf_world_alloc(w, N_MESSAGES * sizeof *s->said_ms);
    s->heard = hf_world_alloc(w, (size_t)N_MESSAGES * w->config.n_peers);
    s->delays = hf_world_alloc(w, HF_STAGE_SAMPLES_MAX * sizeof *s->delays);
}

void hf_scene_begin(hf_world *w) {
    if (hf_scene_is_kad(w->config.scene)) plan_kad(w);
    else if (is_gossip(w->config.scene)) plan_gossip(w);
    else plan_relay(w);
    hf_world_push(w, OVER_MS, HF_EVENT_SCENE, OVER, 0);
}

void hf_scene_free(hf_world *w) {
    hf_stage *s = &w->stage;
    if (!w->config.scene) return;
    hf_release(&w->mem, s->tries, HF_STAGE_TRIES_MAX * sizeof *s->tries);
    hf_release(&w->mem, s->things, s->n_things * sizeof *s->things);
    hf_release(&w->mem, s->said_ms, N_MESSAGES * sizeof *s->said_ms);
    hf_release(&w->mem, s->heard, (size_t)N_MESSAGES * w->config.n_peers);
    hf_release(&w->mem, s->delays, HF_STAGE_SAMPLES_MAX * sizeof *s->delays);
}

/* ---- what is done ---- */

/* Thing i is provided by peer i * 7, so that nothing need be remembered. */
static uint32_t provider_of(const hf_world *w, uint32_t thing) { return thing * 7 % w->n_honest; }

static void provide(hf_world *w, uint32_t thing) {
    hf_sim_peer *p = &w->peers[provider_of(w, thing)];
    uint64_t op;
    hf_err err = hf_kad_provide(p->host->kad, hf_peer_clock(w, p), HF_BYTES(w->stage.things[thing], 34), &op);
    hf_world_note(w, 'P', thing, err);
    hf_sim_host_pump(w, p);
}

/* What is provided, and every other time a peer; in an eclipse the one whom the sybils surround. */
static void look_up(hf_world *w, uint32_t number) {
    hf_try *t = &w->stage.tries[number];
    hf_scene scene = w->config.scene;
    bool peer = scene == HF_SCENE_ECLIPSE || (scene != HF_SCENE_CENSOR && number % 2);
    uint32_t thing = number % w->stage.n_things;
    t->whom = scene == HF_SCENE_ECLIPSE ? 0 : peer ? (uint32_t)hf_world_draw(w, w->n_honest) : provider_of(w, thing);
    hf_sim_peer *p = somebody(w, &w->peers[t->whom]);
    t->by = p->index;
    t->from_ms = w->now_ms;
    hf_kad *kad = p->host->kad;
    hf_err err = peer ? hf_kad_find_peer(kad, hf_peer_clock(w, p), &w->peers[t->whom].id, &t->op)
                      : hf_kad_find_providers(kad, hf_peer_clock(w, p), HF_BYTES(w->stage.things[thing], 34), 1, &t->op);
    if (err) t->over = t->none = true;
    hf_sim_host_pump(w, p);
}

static void publish(hf_world *w, uint32_t number) {
    hf_sim_peer *p = somebody(w, NULL);
    uint8_t data[300] = {(uint8_t)number, (uint8_t)(number >> 8)};
    w->stage.said_ms[number] = w->now_ms;
    hf_err err = hf_gossip_publish(p->host->gossip, hf_peer_clock(w, p), TOPIC, HF_BYTES(data, sizeof data), NULL, NULL);
    HF_ASSERT(!err);
    w->stage.heard[(size_t)number * w->config.n_peers + p->index] = 1;
    w->result->scene.n_messages++;
    w->result->scene.n_wanted += w->n_honest - 1;
    hf_sim_host_pump(w, p);
}

static uint32_t relay_of(const hf_world *w, uint32_t peer) { return peer % (w->n_honest / 10 + 1); }

static void reserve(hf_world *w, hf_sim_peer *p) {
    uint32_t at = relay_of(w, p->index);
    hf_sim_host_connect(w, p, at, HF_BYTES(w->peers[at].host->address, HF_SIM_ADDRESS_LEN), 0);
    hf_err err = hf_relay_reserve(p->host->relay, hf_peer_clock(w, p), &w->peers[at].id);
    HF_ASSERT(!err);
    hf_sim_host_pump(w, p);
}

static void reach(hf_world *w, uint32_t number) {
    hf_try *t = &w->stage.tries[number];
    t->whom = w->n_honest / 2 + (uint32_t)hf_world_draw(w, w->n_honest - w->n_honest / 2);
    hf_sim_peer *p = somebody(w, &w->peers[t->whom]), *via = &w->peers[relay_of(w, t->whom)];
    t->by = p->index;
    t->from_ms = w->now_ms;
    if (hf_swarm_connected(hf_host_swarm(p->host->host), &w->peers[t->whom].id)) {
        t->none = true;
        return;
    }
    hf_buf address;
    hf_buf_init(&address, &w->mem);
    hf_buf_add(&address, HF_BYTES(via->host->address, HF_SIM_ADDRESS_LEN));
    hf_buf_add(&address, HF_BYTES("\xa5\x03\x26", 3)); /* /p2p */
    hf_buf_add(&address, HF_BYTES(via->id.bytes, via->id.len));
    hf_buf_add(&address, HF_BYTES("\xa2\x02", 2)); /* /p2p-circuit */
    hf_sim_host_connect(w, p, t->whom, hf_buf_bytes(&address), SPOKEN + number);
    hf_buf_deinit(&address);
    hf_sim_host_pump(w, p);
}

/* ---- the one whom the sybils surround comes back ---- */

static void restart(hf_world *w) {
    hf_sim_host_restart(w, &w->peers[0]);
    w->stage.restarted_ms = w->now_ms + BACK_MS;
    w->result->scene.restarts++;
    w->result->scene.relinked_ms = UINT64_MAX;
    hf_world_push(w, w->stage.restarted_ms, HF_EVENT_SCENE, BACK, 0);
}

/* Has it a link with an honest one? */
static void glance(hf_world *w) {
    const hf_sim_peer *p = &w->peers[0];
    for (uint32_t i = 1; p->host->host && i < w->n_honest; i++) {
        if (!hf_swarm_connected(hf_host_swarm(p->host->host), &w->peers[i].id)) continue;
        w->result->scene.relinked_ms = w->now_ms - w->stage.restarted_ms;
        return;
    }
    hf_world_push(w, w->now_ms + GLANCE_MS, HF_EVENT_SCENE, BACK, 0);
}

void hf_scene_step(hf_world *w, uint64_t what, uint64_t number) {
    switch (what) {
    case PROVIDE: provide(w, (uint32_t)number); break;
    case LOOK_UP: look_up(w, (uint32_t)number); break;
    case PUBLISH: publish(w, (uint32_t)number); break;
    case RESERVE: reserve(w, &w->peers[number]); break;
    case REACH: reach(w, (uint32_t)number); break;
    case RESTART: restart(w); break;
    case BACK: glance(w); break;
    case SILENCE: w->stage.silent = true; break;
    default: w->check.level = true; break;
    }
}

/* ---- what comes of it ---- */

static hf_try *try_of(hf_world *w, const hf_sim_peer *p, uint64_t op) {
    for (uint32_t i = 0; i < w->stage.n_tries; i++)
        if (w->stage.tries[i].by == p->index && w->stage.tries[i].op == op && w->stage.tries[i].from_ms) return &w->stage.tries[i];
    return NULL;
}

static void said_kad(hf_world *w, hf_sim_peer *p, const hf_kad_out *out) {
    hf_try *t = try_of(w, p, out->op);
    if (!t || t->over) return;
    if ((out->kind == HF_KAD_PEER || out->kind == HF_KAD_PROVIDER) && !t->worked && hf_peer_id_eq(&out->peer, &w->peers[t->whom].id)) {
        t->worked = true;
        t->took_ms = w->now_ms - t->from_ms;
    }
    if (out->kind != HF_KAD_DONE) return;
    t->over = true;
    t->n_asked = out->n_asked;
    t->n_hops = out->n_hops;
}

static void said_gossip(hf_world *w, hf_sim_peer *p, const hf_gossip_out *out) {
    if (out->kind != HF_GOSSIP_MESSAGE || out->data.len < 2) return;
    uint32_t number = out->data.ptr[0] | (uint32_t)out->data.ptr[1] << 8;
    hf_gossip_id id = {.len = (uint8_t)out->id.len};
    memcpy(id.bytes, out->id.ptr, out->id.len);
    if (!p->host->sybil || !w->stage.silent) hf_gossip_validated(p->host->gossip, hf_peer_clock(w, p), HF_BYTES(id.bytes, id.len), HF_GOSSIP_ACCEPT);
    if (p->host->sybil || number >= N_MESSAGES) return;
    uint8_t *heard = &w->stage.heard[(size_t)number * w->config.n_peers + p->index];
    if (*heard) w->result->scene.n_twice++;
    if (*heard || w->stage.n_delays == HF_STAGE_SAMPLES_MAX) return;
    *heard = 1;
    w->stage.delays[w->stage.n_delays++] = (uint32_t)(w->now_ms - w->stage.said_ms[number]);
    w->result->scene.n_delivered++;
}

void hf_scene_said(hf_world *w, hf_sim_peer *p, const hf_host_out *out) {
    if (!strcmp(out->part, HF_HOST_KAD)) said_kad(w, p, out->said);
    else if (!strcmp(out->part, HF_HOST_GOSSIP)) said_gossip(w, p, out->said);
}

void hf_scene_connected(hf_world *w, hf_sim_peer *p, uint64_t context, const char *reason) {
    if (context < SPOKEN || context - SPOKEN >= w->stage.n_tries) return;
    hf_try *t = &w->stage.tries[context - SPOKEN];
    if (t->by != p->index || t->over) return;
    t->over = true;
    t->worked = !reason;
    t->took_ms = w->now_ms - t->from_ms;
}

/* ---- figures, and the marks ---- */

static void middle_and_most(uint32_t *values, size_t n, uint64_t ret[2]) {
    for (size_t gap = n / 2; gap; gap /= 2)
        for (size_t i = gap; i < n; i++)
            for (size_t k = i; k >= gap && values[k] < values[k - gap]; k -= gap) {
                uint32_t v = values[k];
                values[k] = values[k - gap];
                values[k - gap] = v;
            }
    ret[0] = n ? values[n / 2] : 0;
    ret[1] = n ? values[(n * 99 + 99) / 100 - 1] : 0;
}

static void figures_of_tries(hf_world *w) {
    hf_sim_scene *r = &w->result->scene;
    hf_stage *s = &w->stage;
    uint64_t hops = 0, asked = 0, n = 0, n_worked = 0, n_over = 0;
    for (uint32_t i = 0; i < s->n_tries; i++) {
        const hf_try *t = &s->tries[i];
        if (t->none && !hf_scene_is_kad(w->config.scene)) continue;
        n++;
        n_over += t->over;
        if (t->worked) s->delays[n_worked++] = (uint32_t)t->took_ms;
        hops += t->n_hops;
        asked += t->n_asked;
        if (t->n_hops > r->hops_max) r->hops_max = t->n_hops;
    }
    bool relayed = w->config.scene == HF_SCENE_RELAY;
    if (relayed) r->n_relayed = n, r->n_reached = n_worked;
    else r->n_lookups = n, r->n_found = n_worked, r->n_no_answer = n - n_over;
    middle_and_most(s->delays, n_worked, relayed ? r->relay_ms : r->lookup_ms);
    r->hops_mean_milli = n ? hops * 1000 / n : 0;
    r->asked_mean_milli = n ? asked * 1000 / n : 0;
}

/* How many sybils stand in the routing tables of honest ones. */
static void figures_of_tables(hf_world *w) {
    hf_sim_scene *r = &w->result->scene;
    uint64_t n_all = 0;
    for (uint32_t i = 0; i < w->n_honest; i++) {
        if (!w->peers[i].host->kad) continue;
        const hf_kad_table *table = &w->peers[i].host->kad->table;
        for (size_t b = 0; b < HF_KAD_BUCKETS; b++) {
            uint64_t n = 0;
            for (size_t k = 0; table->buckets[b] && k < table->buckets[b]->n; k++) {
                const hf_sim_peer *p = hf_map_get(&w->by_id, HF_BYTES(table->buckets[b]->items[k]->id.bytes, table->buckets[b]->items[k]->id.len));
                n += p && p->host->sybil;
            }
            if (n > r->in_bucket_most) r->in_bucket_most = n;
            n_all += n;
        }
    }
    r->in_tables_mean_milli = w->n_honest ? n_all * 1000 / w->n_honest : 0;
}

static void marks(hf_world *w) {
    const hf_sim_scene *r = &w->result->scene;
    hf_scene scene = w->config.scene;
    uint64_t least = scene == HF_SCENE_KAD || scene == HF_SCENE_ECLIPSE ? 99 : 95, p99_ms = scene == HF_SCENE_TAKEOVER ? 6000 : 2000;
    if (hf_scene_is_kad(scene) && (!r->n_lookups || r->n_found * 100 < r->n_lookups * least))
        hf_world_fail(w, "lookups find what is there", "%llu of %llu", (unsigned long long)r->n_found, (unsigned long long)r->n_lookups);
    if (scene == HF_SCENE_ECLIPSE && r->in_bucket_most > 2) hf_world_fail(w, "sybils stay few in a bucket", "%llu", (unsigned long long)r->in_bucket_most);
    if (scene == HF_SCENE_ECLIPSE && (!r->restarts || r->relinked_ms > RELINK_MS))
        hf_world_fail(w, "who is surrounded meets honest ones again after a restart", "not within %u ms", (unsigned)RELINK_MS);
    if (is_gossip(scene) && (r->n_delivered < r->n_wanted || !r->n_wanted || r->n_twice))
        hf_world_fail(w, "gossip reaches all, once", "%llu of %llu, %llu twice", (unsigned long long)r->n_delivered, (unsigned long long)r->n_wanted, (unsigned long long)r->n_twice);
    if (is_gossip(scene) && r->delay_ms[1] > p99_ms) hf_world_fail(w, "gossip is quick", "99 of 100 after %llu ms", (unsigned long long)r->delay_ms[1]);
    if (scene == HF_SCENE_RELAY && (!r->n_relayed || r->n_reached * 100 < r->n_relayed * 95))
        hf_world_fail(w, "who is behind a NAT is reached", "%llu of %llu", (unsigned long long)r->n_reached, (unsigned long long)r->n_relayed);
}

void hf_scene_end(hf_world *w) {
    hf_sim_result *r = w->result;
    uint64_t sum = 0;
    if (is_gossip(w->config.scene)) middle_and_most(w->stage.delays, w->stage.n_delays, r->scene.delay_ms);
    else figures_of_tries(w);
    figures_of_tables(w);
    for (uint32_t i = 0; i < w->n_honest; i++) sum += w->peers[i].meter.now;
    r->memory_mean = w->n_honest ? sum / w->n_honest : 0;
    marks(w);
}

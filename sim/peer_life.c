/* peer_life: how peers are made, start from their disks and stop. See peer.h. */
#include "app.h"
#include "hostile.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

void *hf_meter_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    hf_meter *m = ctx;
    if (new_len == 0) {
        m->now -= old_len;
        free(ptr);
        return NULL;
    }
    if (m->fail_in && --m->fail_in == 0) return m->failed = true, NULL;
    void *p = realloc(ptr, new_len);
    if (!p) abort(); /* the machine's memory, not the peer's */
    m->now += new_len - old_len;
    if (m->now > m->peak) m->peak = m->now;
    return p;
}

/* ---- starting ---- */

static void new_secrets(hf_sim_peer *p) { hf_secrets_make(hf_random_fill, &p->random, &p->secrets); }

static hf_core *core_new(hf_world *w, hf_sim_peer *p) {
    hf_file files[HF_SIM_FILES];
    hf_sim_app_files(hf_buf_bytes(p->role == HF_ROLE_LOOSE ? &w->loose_json : &w->app_json), files);
    hf_core_config config = {
        .files = files, .n_files = HF_SIM_FILES, .release = HF_TEXT("r1"), .secrets = &p->secrets, .agent = HF_TEXT("holdfast/sim"),
        .conns_max = w->config.wave && p->role == HF_ROLE_NODE ? w->n_honest : 0, .by_session = p->role == HF_ROLE_NODE, .wants_introductions = p->role == HF_ROLE_BROWSER,
        .random = hf_random_fill, .random_ctx = &p->random, .blocks = {hf_disk_get, &p->disk},
    };
    hf_arena arena;
    hf_bytes problem;
    hf_arena_init(&arena, &w->mem);
    hf_core *core = hf_core_new(&p->mem, &config, &arena, &problem);
    if (!core) hf_world_fail(w, "starts", "peer %u: %.*s", (unsigned)p->index, (int)problem.len, (const char *)problem.ptr);
    hf_arena_deinit(&arena);
    return core;
}

static void load_one(hf_world *w, hf_sim_peer *p, size_t i) {
    const hf_disk_record *r = &p->disk.records[i];
    hf_fault fault = {"", 0};
    if (hf_core_load(p->core, r->database, HF_BYTES(r->block->bytes, r->block->len), &fault))
        hf_world_fail(w, "what was stored loads", "peer %u, block %zu of %zu: %s", (unsigned)p->index, i, p->disk.n, fault.what);
}

static void load(hf_world *w, hf_sim_peer *p) {
    hf_disk *d = &p->disk;
    size_t from = d->snapshot_n && hf_world_chance(w, 700) ? d->snapshot_n : 0;
    for (uint32_t i = 0; from && i < HF_COUNT(d->snapshot); i++) {
        hf_fault fault = {"", 0};
        if (hf_core_restore(p->core, i + 1, hf_buf_bytes(&d->snapshot[i]), &fault))
            hf_world_fail(w, "a snapshot is read", "peer %u, database %u: %s", (unsigned)p->index, (unsigned)i + 1, fault.what);
    }
    if (from) w->result->n_restored++;
    for (size_t i = 0; i < d->n; i++)
        if (i >= from || d->records[i].database == 0) load_one(w, p, i);
}

void hf_peer_start(hf_world *w, hf_sim_peer *p) {
    if (p->up) return;
    p->up = true;
    p->life++;
    p->up_ms = w->now_ms;
    p->clock_base = 1000 + hf_world_draw(w, 1000000);
    p->clock_from = w->now_ms;
    p->backoff_ms = 0, p->tick_ms = 0;
    w->result->n_starts++;
    hf_world_note(w, 'b', p->index, p->life);
    if (p->role == HF_ROLE_HOST) return hf_sim_host_start(w, p);
    if (!hf_peer_honest(p)) hf_hostile_start(w, p);
    if (!hf_peer_honest(p) && p->role != HF_ROLE_LOOSE) return;
    p->meter = (hf_meter){.peak = 0};
    p->core = core_new(w, p);
    if (!p->core) return;
    load(w, p);
    if (hf_core_start(p->core, hf_peer_clock(w, p))) return hf_world_fail(w, "starts", "peer %u", (unsigned)p->index);
    p->id = *hf_core_self(p->core);
    hf_err err = hf_map_put(&w->by_id, HF_BYTES(p->id.bytes, p->id.len), p);
    HF_ASSERT(!err);
    hf_check_loaded(w, p);
    hf_world_push(w, w->now_ms + hf_world_draw(w, 500), HF_EVENT_DIAL, p->index, p->life);
    p->dial_planned = true;
    hf_peer_pump(w, p);
}

void hf_peer_stop(hf_world *w, hf_sim_peer *p, uint64_t again_ms, bool silent) {
    if (!p->up) return;
    hf_world_note(w, 'x', p->index, silent);
    p->up = false;
    if (!silent) hf_sim_link_flush(w, p->index);
    hf_core_free(p->core);
    p->core = NULL;
    hf_sim_host_stop(w, p);
    hf_hostile_stop(p);
    if (p->meter.now) hf_world_fail(w, "gives its memory back", "peer %u: %zu bytes are left", (unsigned)p->index, p->meter.now);
    hf_sim_link_drop_all(w, p->index, silent);
    hf_disk_crash(w, p->index);
    p->n_dialled = 0, p->n_waiting = 0, p->n_introduced = 0, p->n_replies = 0;
    p->crash_in = 0, p->asleep_until_ms = 0;
    p->dial_planned = false;
    if (again_ms != UINT64_MAX) hf_world_push(w, again_ms, HF_EVENT_START, p->index, 0);
}

/* ---- everybody ---- */

static void make_app(hf_world *w) {
    uint8_t seed[32] = {1}, key[33];
    hf_secp *secp = hf_secp_new(&w->mem, seed);
    HF_ASSERT(secp);
    hf_err err = hf_secp_public(secp, w->peers[0].secrets.root, key);
    HF_ASSERT(!err);
    hf_secp_free(secp);
    hf_buf owner;
    hf_buf_init(&owner, &w->mem);
    hf_buf_add_hex(&owner, HF_BYTES(key, sizeof key));
    for (int loose = 0; loose < 2; loose++) {
        hf_buf *json = loose ? &w->loose_json : &w->app_json;
        hf_buf_init(json, &w->mem);
        hf_sim_app_json(json, hf_buf_bytes(&owner), loose);
        HF_ASSERT(!json->err);
    }
    hf_buf_deinit(&owner);
}

static hf_sim_role role_of(const hf_world *w, uint32_t i) {
    if (i < w->n_nodes) return HF_ROLE_NODE;
    return i < w->n_honest ? HF_ROLE_BROWSER : (hf_sim_role)(HF_ROLE_LOOSE + (i - w->n_honest) % 4);
}

void hf_peers_make(hf_world *w) {
    uint32_t n = w->config.n_peers;
    if (w->config.scene) return hf_sim_hosts_make(w);
    bool hostile = hf_world_harms(w, HF_HARM_HOSTILE) && n >= 6;
    w->n_honest = hostile ? n - (n / 10 > 4 ? n / 10 : n >= 10 ? 4 : 1) : n;
    w->n_nodes = w->config.wave ? 1 : (w->n_honest + 2) / 3;
    w->peers = hf_world_alloc(w, n * sizeof *w->peers);
    for (uint32_t i = 0; i < n; i++) {
        hf_sim_peer *p = &w->peers[i];
        p->index = i;
        p->role = role_of(w, i);
        p->random = w->config.seed * 0x9e3779b97f4a7c15u ^ ((uint64_t)i << 32);
        p->mem = (hf_mem){hf_meter_resize, &p->meter};
        p->source = UINT32_MAX;
        new_secrets(p);
        hf_disk_init(w, i);
        if (p->role == HF_ROLE_NODE && i > 0 && hf_world_harms(w, HF_HARM_NAT) && hf_world_chance(w, 250)) {
            p->natted = true;
            hf_world_count(w, HF_HARM_NAT);
        }
        do p->join = (uint32_t)hf_world_draw(w, i < w->n_nodes ? (i ? i : 1) : w->n_nodes);
        while (w->peers[p->join].natted);
        hf_world_push(w, hf_world_draw(w, 1500), HF_EVENT_START, i, 0);
    }
    make_app(w);
}

void hf_peer_wipe(hf_world *w, hf_sim_peer *p) {
    hf_disk_wipe(w, p->index);
    hf_map_remove(&w->by_id, HF_BYTES(p->id.bytes, p->id.len));
    new_secrets(p);
}

void hf_peers_free(hf_world *w) {
    for (uint32_t i = 0; i < w->config.n_peers; i++) {
        hf_peer_stop(w, &w->peers[i], UINT64_MAX, true);
        hf_disk_deinit(w, i);
        if (w->peers[i].host) {
            hf_release(&w->mem, w->peers[i].host->dials, w->config.n_peers);
            hf_buf_deinit(&w->peers[i].host->book);
        }
        hf_release(&w->mem, w->peers[i].host, sizeof(hf_sim_host));
        hf_release(&w->mem, w->peers[i].spoils, sizeof(hf_spoils));
        hf_release(&w->mem, w->peers[i].links, w->peers[i].links_cap * sizeof(uint64_t));
        hf_release(&w->mem, w->peers[i].written, w->peers[i].written_cap * sizeof(uint64_t));
    }
    hf_release(&w->mem, w->peers, w->config.n_peers * sizeof *w->peers);
    hf_map_deinit(&w->by_id);
    hf_buf_deinit(&w->app_json);
    hf_buf_deinit(&w->loose_json);
}

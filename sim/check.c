/* check: see check.h. What is checked at the end is in check_end.c. */
#include "app.h"
#include "hostile.h"
#include "world.h"

#include <string.h>

enum { CORE_BYTES = 24 << 20, CONN_BYTES = 1 << 20, ENTRY_BYTES = 16 << 10, LOOKED_AT_MAX = 200 };

struct hf_track {
    uint8_t digest[32];
    uint64_t at_ms, half_ms, most_ms, all_ms;
    uint32_t n_have, first, generation; /* who wrote it, on which disk; UINT32_MAX: not an honest one */
    uint8_t hops[];             /* per peer: 1 + how many connections it came through; 0: not there. Only when hops are counted */
};
struct hf_page_seen { uint8_t versions[96], digest[32]; uint32_t peer; };

void hf_check_init(hf_world *w) {
    hf_map_init(&w->check.tracks, &w->mem, 1);
    hf_map_init(&w->check.pages, &w->mem, 1);
}

static size_t track_len(const hf_world *w) { return sizeof(hf_track) + (w->config.hops ? w->config.n_peers : 0); }

void hf_check_deinit(hf_world *w) {
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&w->check.tracks, &cursor));) hf_release(&w->mem, s->value, track_len(w));
    cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&w->check.pages, &cursor));) hf_release(&w->mem, s->value, sizeof(hf_page_seen));
    hf_map_deinit(&w->check.tracks);
    hf_map_deinit(&w->check.pages);
}

/* ---- entries on their way ---- */

static hf_track *track_of(hf_world *w, const uint8_t digest[32]) {
    hf_track *t = hf_map_get(&w->check.tracks, HF_BYTES(digest, 32));
    if (t) return t;
    t = hf_world_alloc(w, track_len(w));
    memcpy(t->digest, digest, 32);
    t->at_ms = w->now_ms;
    t->first = UINT32_MAX;
    hf_err err = hf_map_put(&w->check.tracks, HF_BYTES(t->digest, 32), t);
    HF_ASSERT(!err);
    w->result->n_entries++;
    return t;
}

/* Others hear of an entry only after it is durable where it was written: else a crash would take it back, and its clock be written twice. */
static void check_durable(hf_world *w, const hf_sim_peer *p, const hf_track *t, const hf_out *out) {
    if (t->first == UINT32_MAX || t->first == p->index) return;
    const hf_sim_peer *writer = &w->peers[t->first];
    hf_bytes block;
    bool there = hf_disk_get((void *)&writer->disk, HF_BYTES(out->cid, sizeof out->cid), &block) == HF_OK;
    if (!there && writer->disk.generation == t->generation && !(w->config.harms >> HF_HARM_LIE & 1))
        hf_world_fail(w, "others see only what is durable", "peer %u has what is not on the disk of peer %u", (unsigned)p->index, (unsigned)t->first);
}

static void count_hops(hf_world *w, const hf_sim_peer *p, hf_track *t) {
    unsigned from = p->source == UINT32_MAX ? 0 : t->hops[p->source], hops = from < 254 ? from + 1 : 255;
    t->hops[p->index] = (uint8_t)hops;
    w->check.n_hops++;
    w->check.sum_hops += hops - 1;
    if (hops - 1 > w->result->hops_max) w->result->hops_max = hops - 1;
}

void hf_check_stored(hf_world *w, hf_sim_peer *p, const hf_out *out) {
    hf_world_note(w, 'e', p->index, hf_world_hash(HF_BYTES(out->cid, sizeof out->cid)));
    if (!out->database || !hf_peer_honest(p) || !w->config.hops) return;
    hf_track *t = track_of(w, out->cid + HF_CID_LEN - 32);
    if (!t->n_have && p->writing) t->first = p->index, t->generation = p->disk.generation;
    check_durable(w, p, t, out);
    if (t->hops[p->index]) return;
    count_hops(w, p, t);
    t->n_have++;
    if (t->n_have == (w->n_honest + 1) / 2) t->half_ms = w->now_ms - t->at_ms;
    if (t->n_have == (w->n_honest * 99 + 99) / 100) t->most_ms = w->now_ms - t->at_ms;
    if (t->n_have == w->n_honest) t->all_ms = w->now_ms - t->at_ms;
}

bool hf_check_has_all(hf_world *w, uint32_t peer, uint64_t before_ms) {
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&w->check.tracks, &cursor));) {
        const hf_track *t = s->value;
        if (t->at_ms < before_ms && !t->hops[peer]) return false;
    }
    return true;
}

static void least(uint64_t *value, uint64_t other) {
    if (other < *value) *value = other;
}

void hf_check_reached(hf_world *w, uint64_t from_ms, uint64_t to_ms, hf_sim_wave *ret) {
    size_t cursor = 0;
    for (hf_map_slot *s; (s = hf_map_next(&w->check.tracks, &cursor));) {
        const hf_track *t = s->value;
        if (t->at_ms < from_ms || t->at_ms >= to_ms) continue;
        ret->n_written++;
        if (t->half_ms && t->at_ms + t->half_ms < to_ms) least(&ret->reach_ms[0], t->at_ms + t->half_ms - from_ms);
        if (!t->most_ms || t->at_ms + t->most_ms >= to_ms) continue;
        least(&ret->reach_ms[1], t->at_ms + t->most_ms - from_ms);
        ret->n_reached++;
    }
}

/* ---- acknowledged means durable ---- */

void hf_check_loaded(hf_world *w, hf_sim_peer *p) {
    if (!hf_peer_honest(p)) return;
    for (uint32_t i = 0; i < w->load.n; i++) {
        const hf_sim_op *op = &w->load.ops[i];
        for (uint32_t k = 0; k < op->n_acks; k++) {
            if (op->acks[k].peer != p->index || op->acks[k].generation != p->disk.generation) continue;
            hf_collection *c = hf_core_collection(p->core, hf_load_database(op));
            w->result->n_checks++;
            if (!hf_collection_knows_op(c, hf_load_document(w, op), HF_BYTES(op->opid, HF_OPID_LEN)))
                hf_world_fail(w, "what was acknowledged is there after a start", "peer %u lost operation %u (%s)", (unsigned)p->index, (unsigned)i, op->opid);
        }
    }
}

/* ---- equal entries, equal pages ---- */

hf_bytes hf_check_page(hf_world *w, hf_sim_peer *p, const char *path) {
    hf_request request = {.method = HF_TEXT("GET"), .path = hf_str(path), .origin = HF_TEXT("http://localhost"), .now_ms = 1700000000000u,
                          .session = HF_TEXT("aaaaaaaaaaaaaaaaaaaaaaaaaa")};
    memset(request.nonce, 7, sizeof request.nonce);
    memset(request.new_session, 7, sizeof request.new_session);
    hf_response response = {0};
    uint64_t seq;
    hf_err err = hf_core_handle(p->core, hf_peer_clock(w, p), &request, &response, &seq);
    if (err || response.status != 200) return HF_BYTES(NULL, 0);
    return response.body;
}

static bool has(hf_bytes text, hf_bytes part) {
    for (size_t at = 0; (at = hf_find(text, part.ptr[0], at)) + part.len <= text.len; at++)
        if (hf_eq(hf_sub(text, at, part.len), part)) return true;
    return false;
}

static void check_page(hf_world *w, hf_sim_peer *p) {
    hf_page_seen now = {.peer = p->index};
    for (uint32_t i = 0; i < HF_SIM_COLLECTIONS; i++) hf_core_version(p->core, i + 1, now.versions + (size_t)32 * i);
    hf_bytes page = hf_check_page(w, p, "/");
    if (p->meter.failed) return; /* its end comes with the next pump */
    if (!page.len) return hf_world_fail(w, "pages are answered", "peer %u", (unsigned)p->index);
    if (has(page, HF_TEXT(HF_FORBIDDEN))) hf_world_fail(w, "nothing against the rules shows", "peer %u", (unsigned)p->index);
    hf_sha256_of(page, now.digest);
    hf_page_seen *seen = hf_map_get(&w->check.pages, HF_BYTES(now.versions, sizeof now.versions));
    if (seen && memcmp(seen->digest, now.digest, 32))
        hf_world_fail(w, "equal entries, equal pages", "peers %u and %u", (unsigned)seen->peer, (unsigned)p->index);
    if (seen) return;
    seen = hf_world_alloc(w, sizeof *seen);
    *seen = now;
    hf_err err = hf_map_put(&w->check.pages, HF_BYTES(seen->versions, sizeof seen->versions), seen);
    HF_ASSERT(!err);
}

void hf_check_peer(hf_world *w, hf_sim_peer *p) {
    if (!p->core) return;
    size_t n_entries = 0;
    for (uint32_t i = 1; i <= HF_SIM_COLLECTIONS; i++) n_entries += hf_core_n_entries(p->core, i);
    size_t bound = CORE_BYTES + CONN_BYTES * p->n_links + ENTRY_BYTES * n_entries;
    if (p->meter.peak > w->result->memory_max) w->result->memory_max = p->meter.peak;
    if (p->meter.peak > bound)
        hf_world_fail(w, "bounded memory", "peer %u: %zu bytes, %zu entries, %zu connections", (unsigned)p->index, p->meter.peak, n_entries, p->n_links);
    check_page(w, p);
    w->result->n_checks++;
    hf_peer_pump(w, p);
}

/* ---- looking at everybody ---- */

static void state_of(const hf_sim_peer *p, uint8_t ret[96]) {
    for (uint32_t i = 0; i < HF_SIM_COLLECTIONS; i++) hf_core_version(p->core, i + 1, ret + (size_t)32 * i);
}

bool hf_check_level(hf_world *w, uint32_t *ret_n_states) {
    uint8_t seen[8][96], state[96];
    uint32_t n_seen = 0;
    bool all_up = true;
    for (uint32_t i = 0; i < w->n_honest; i++) {
        if (!w->peers[i].core) {
            all_up = false;
            continue;
        }
        state_of(&w->peers[i], state);
        uint32_t k = 0;
        while (k < n_seen && memcmp(seen[k], state, sizeof state)) k++;
        if (k == n_seen && n_seen < HF_COUNT(seen)) memcpy(seen[n_seen++], state, sizeof state);
    }
    *ret_n_states = n_seen;
    return all_up && n_seen <= 1;
}

static void note_sample(hf_world *w, uint32_t n_states) {
    hf_sim_result *r = w->result;
    uint64_t held = 0, most = 0, n_up = 0;
    for (uint32_t i = 0; i < w->n_honest; i++) {
        if (!w->peers[i].core) continue;
        size_t n = 0;
        for (uint32_t k = 1; k <= HF_SIM_COLLECTIONS; k++) n += hf_core_n_entries(w->peers[i].core, k);
        held += n;
        if (n > most) most = n;
        n_up++;
    }
    uint32_t permille = most && n_up ? (uint32_t)(held * 1000 / (most * n_up)) : 1000;
    if (r->n_samples < HF_SIM_SAMPLES_MAX)
        r->samples[r->n_samples++] = (hf_sim_sample){w->now_ms, permille, n_states, (uint32_t)n_up, (uint32_t)w->links.n_open};
}

void hf_check_sample(hf_world *w) {
    uint32_t n_states, n = w->n_honest < LOOKED_AT_MAX ? w->n_honest : LOOKED_AT_MAX;
    for (uint32_t i = 0; i < n; i++) hf_check_peer(w, &w->peers[n == w->n_honest ? i : hf_world_draw(w, w->n_honest)]);
    hf_check_alone(w);
    bool level = hf_check_level(w, &n_states);
    if (w->mended || w->now_ms / 1000 % (w->config.minutes > 6 ? w->config.minutes / 6 : 1) == 0) note_sample(w, n_states);
    if (w->mended && level && !w->failed) w->check.level = true;
}

/* ---- figures ---- */

static void middle(hf_world *w, uint64_t *values, size_t n, uint64_t *ret) {
    for (size_t gap = n / 2; gap; gap /= 2)
        for (size_t i = gap; i < n; i++)
            for (size_t k = i; k >= gap && values[k] < values[k - gap]; k -= gap) {
                uint64_t v = values[k];
                values[k] = values[k - gap];
                values[k - gap] = v;
            }
    (void)w;
    *ret = n ? values[n / 2] : 0;
}

void hf_check_figures(hf_world *w) {
    size_t n_max = w->check.tracks.n + 1;
    uint64_t *values = hf_world_alloc(w, n_max * sizeof *values);
    for (int which = 0; which < 3; which++) {
        size_t cursor = 0, n = 0;
        for (hf_map_slot *s; (s = hf_map_next(&w->check.tracks, &cursor));) {
            const hf_track *t = s->value;
            uint32_t least = which == 0 ? (w->n_honest + 1) / 2 : which == 1 ? (w->n_honest * 99 + 99) / 100 : w->n_honest;
            if (t->n_have >= least) values[n++] = which == 0 ? t->half_ms : which == 1 ? t->most_ms : t->all_ms;
        }
        middle(w, values, n, &w->result->spread_ms[which]);
    }
    hf_release(&w->mem, values, n_max * sizeof *values);
    if (w->check.n_hops) w->result->hops_mean_milli = w->check.sum_hops * 1000 / w->check.n_hops;
    uint64_t sum = 0, n_up = 0;
    hf_wave_figures(w);
    for (uint32_t i = 0; i < w->n_honest; i++)
        if (w->peers[i].core) sum += w->peers[i].meter.now, n_up++;
    w->result->memory_mean = n_up ? sum / n_up : 0;
    w->result->queue_max = w->links.busiest;
}

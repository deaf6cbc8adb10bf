/* world: see world.h. The faults that come from outside are in harm.c. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers ---- */

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void hf_random_fill(void *state, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len;) {
        uint64_t z = splitmix(state);
        for (size_t k = 0; k < 8 && i < len; k++, z >>= 8) out[i++] = (uint8_t)z;
    }
}

uint64_t hf_world_draw(hf_world *w, uint64_t below) { return below ? splitmix(&w->random) % below : 0; }
bool hf_world_chance(hf_world *w, unsigned in_thousand) { return hf_world_draw(w, 1000) < in_thousand; }

/* ---- memory of the world ---- */

void *hf_world_alloc(hf_world *w, size_t len) {
    void *p = hf_alloc(&w->mem, len);
    HF_ASSERT(p);
    return p;
}

void hf_world_grow(hf_world *w, void **items, size_t *cap, size_t item_len, size_t n) {
    hf_err err = hf_grow(&w->mem, items, cap, item_len, n);
    HF_ASSERT(!err);
}

/* ---- the queue: a heap by moment, then by number ---- */

static bool before(const hf_sim_event *a, const hf_sim_event *b) { return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number; }

void hf_world_push(hf_world *w, uint64_t at_ms, hf_sim_event_kind kind, uint64_t a, uint64_t b) {
    hf_world_grow(w, (void **)&w->heap, &w->heap_cap, sizeof *w->heap, w->n_heap + 1);
    hf_sim_event e = {at_ms < w->now_ms ? w->now_ms : at_ms, w->n_events++, a, b, kind};
    size_t i = w->n_heap++;
    for (; i && before(&e, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

bool hf_world_pop(hf_world *w, hf_sim_event *ret) {
    if (!w->n_heap) return false;
    *ret = w->heap[0];
    hf_sim_event last = w->heap[--w->n_heap];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->n_heap; i = child) {
        if (child + 1 < w->n_heap && before(&w->heap[child + 1], &w->heap[child])) child++;
        if (!before(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
    }
    if (w->n_heap) w->heap[i] = last;
    return true;
}

/* ---- history ---- */

void hf_world_note(hf_world *w, uint64_t what, uint64_t a, uint64_t b) {
    uint64_t words[4] = {w->now_ms, what, a, b};
    uint8_t bytes[32];
    for (size_t i = 0; i < 32; i++) bytes[i] = (uint8_t)(words[i / 8] >> (i % 8 * 8));
    hf_sha256_add(&w->history, HF_BYTES(bytes, sizeof bytes));
}

uint64_t hf_world_hash(hf_bytes bytes) {
    uint64_t h = 0xcbf29ce484222325u ^ bytes.len;
    size_t i = 0;
    for (; i + 8 <= bytes.len; i += 8) {
        uint64_t word = 0;
        for (size_t k = 0; k < 8; k++) word |= (uint64_t)bytes.ptr[i + k] << (8 * k);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
    }
    for (; i < bytes.len; i++) h = (h ^ bytes.ptr[i]) * 0x100000001b3u;
    return h;
}

void hf_world_fail(hf_world *w, const char *property, const char *format, ...) {
    if (w->failed) return;
    w->failed = true;
    snprintf(w->result->property, sizeof w->result->property, "%s", property);
    va_list args;
    va_start(args, format);
    vsnprintf(w->result->detail, sizeof w->result->detail, format, args);
    va_end(args);
}

/* ---- faults: names and counts ---- */

const char *hf_harm_name(hf_harm harm) {
    static const char *const names[HF_HARMS] = {"delay", "cut",   "partition", "nat",    "crash",   "torn",  "slow-disk", "full-disk",
                                                "evict", "sleep", "clock",     "memory", "hostile", "twice", "lie"};
    return harm < HF_HARMS ? names[harm] : "";
}

bool hf_world_harms(const hf_world *w, hf_harm harm) { return !w->mended && (w->config.harms >> harm & 1); }
void hf_world_count(hf_world *w, hf_harm harm) { w->result->n_harms[harm]++; }

/* map: open addressing, linear probing, backward-shift removal; seeded so that a stranger who picks keys
 * cannot pick collisions. */
#include "base.h"

#include <string.h>

static uint64_t load64(const uint8_t *p, size_t n) {
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 29;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

static uint32_t hash_of(const hf_map *map, hf_bytes key) {
    uint64_t h = map->seed ^ (key.len * 0x9e3779b97f4a7c15u);
    for (size_t i = 0; i < key.len; i += 8) h = mix(h ^ load64(key.ptr + i, key.len - i < 8 ? key.len - i : 8));
    return (uint32_t)mix(h);
}

void hf_map_init(hf_map *map, hf_mem *mem, uint64_t seed) { *map = (hf_map){.mem = mem, .seed = seed}; }

void hf_map_deinit(hf_map *map) {
    if (map->slots) hf_release(map->mem, map->slots, map->n_slots * sizeof *map->slots);
    *map = (hf_map){.mem = map->mem, .seed = map->seed};
}

/* The slot that holds the key, or the empty one where it would go. n_slots > n always holds. */
static size_t slot_of(const hf_map *map, hf_bytes key, uint32_t hash) {
    size_t mask = map->n_slots - 1, i = hash & mask;
    while (map->slots[i].value && !(map->slots[i].hash == hash && hf_eq(map->slots[i].key, key))) i = (i + 1) & mask;
    return i;
}

void *hf_map_get(const hf_map *map, hf_bytes key) {
    return map->n ? map->slots[slot_of(map, key, hash_of(map, key))].value : NULL;
}

static hf_err rehash(hf_map *map) {
    hf_map bigger = {.mem = map->mem, .seed = map->seed, .n = map->n, .n_slots = map->n_slots ? map->n_slots * 2 : 16};
    bigger.slots = hf_alloc(map->mem, bigger.n_slots * sizeof *bigger.slots);
    if (!bigger.slots) return HF_NOMEM;
    for (size_t i = 0; i < map->n_slots; i++) {
        hf_map_slot *s = &map->slots[i];
        if (s->value) bigger.slots[slot_of(&bigger, s->key, s->hash)] = *s;
    }
    hf_map_deinit(map);
    *map = bigger;
    return HF_OK;
}

hf_err hf_map_put(hf_map *map, hf_bytes key, void *value) {
    HF_ASSERT(value);
    if (map->n * 4 >= map->n_slots * 3 && rehash(map)) return HF_NOMEM;
    uint32_t hash = hash_of(map, key);
    hf_map_slot *s = &map->slots[slot_of(map, key, hash)];
    if (!s->value) map->n++;
    *s = (hf_map_slot){key, value, hash};
    return HF_OK;
}

void *hf_map_remove(hf_map *map, hf_bytes key) {
    if (!map->n) return NULL;
    size_t mask = map->n_slots - 1, hole = slot_of(map, key, hash_of(map, key));
    void *value = map->slots[hole].value;
    if (!value) return NULL;
    for (size_t i = (hole + 1) & mask; map->slots[i].value; i = (i + 1) & mask) {
        /* Shift back only what may live at `hole`: its home is not cyclically within (hole, i]. */
        size_t home = map->slots[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            map->slots[hole] = map->slots[i];
            hole = i;
        }
    }
    map->slots[hole] = (hf_map_slot){{NULL, 0}, NULL, 0};
    map->n--;
    return value;
}

hf_map_slot *hf_map_next(const hf_map *map, size_t *cursor) {
    while (*cursor < map->n_slots) {
        hf_map_slot *s = &map->slots[(*cursor)++];
        if (s->value) return s;
    }
    return NULL;
}

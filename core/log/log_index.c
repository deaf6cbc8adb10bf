/* log_index: see log_index.h. Heads are kept sorted at all times (newest first, and again by digest): there are few in peace, and in war a
 * binary search is what keeps a flood of roots from costing a sort an entry. */
#include "log_index.h"

#include <string.h>

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 29;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

hf_err hf_index_init(hf_index *index, hf_mem *mem, uint64_t seed) {
    *index = (hf_index){.mem = mem, .seed = seed};
    hf_map_init(&index->writer_map, mem, seed);
    hf_arena_init(&index->arena, mem);
    index->walk = hf_alloc(mem, sizeof *index->walk);
    return index->walk ? HF_OK : HF_NOMEM;
}

static void free_list(hf_mem *mem, hf_index_list *list) { hf_release(mem, list->at, list->cap * sizeof *list->at); }

static void free_table(hf_mem *mem, hf_index_table *table) { hf_release(mem, table->slots, table->n_slots * sizeof *table->slots); }

void hf_index_deinit(hf_index *index) {
    hf_mem *mem = index->mem;
    if (index->walk) {
        hf_release(mem, index->walk->marks, index->walk->cap_marks * sizeof *index->walk->marks);
        free_list(mem, &index->walk->frontier);
        hf_release(mem, index->walk, sizeof *index->walk);
    }
    hf_release(mem, index->items, index->cap_items * sizeof *index->items);
    hf_release(mem, index->writers, index->cap_writers * sizeof *index->writers);
    free_list(mem, &index->links);
    free_list(mem, &index->heads);
    free_list(mem, &index->heads_by_digest);
    free_table(mem, &index->by_digest);
    free_table(mem, &index->by_time);
    hf_map_deinit(&index->writer_map);
    hf_arena_deinit(&index->arena);
    *index = (hf_index){.mem = mem};
}

/* ---- the two tables: linear probing, seeded, never emptied ---- */

static uint64_t digest_hash(const hf_index *index, const uint8_t digest[32]) {
    uint64_t word;
    memcpy(&word, digest, sizeof word);
    return mix(word ^ index->seed);
}

static uint64_t time_hash(const hf_index *index, uint32_t writer, uint64_t time) {
    return mix(mix(time ^ index->seed) + writer);
}

static size_t digest_slot(const hf_index *index, const uint8_t digest[32]) {
    const hf_index_table *t = &index->by_digest;
    size_t mask = t->n_slots - 1, i = digest_hash(index, digest) & mask;
    while (t->slots[i] && memcmp(index->items[t->slots[i] - 1].digest, digest, 32) != 0) i = (i + 1) & mask;
    return i;
}

static size_t time_slot(const hf_index *index, uint32_t writer, uint64_t time) {
    const hf_index_table *t = &index->by_time;
    size_t mask = t->n_slots - 1, i = time_hash(index, writer, time) & mask;
    for (; t->slots[i]; i = (i + 1) & mask) {
        const hf_log_item *item = &index->items[t->slots[i] - 1];
        if (item->writer == writer && item->time == time) break;
    }
    return i;
}

uint32_t hf_index_find(const hf_index *index, const uint8_t digest[32]) {
    if (!index->by_digest.n_slots) return HF_INDEX_NONE;
    uint32_t slot = index->by_digest.slots[digest_slot(index, digest)];
    return slot ? slot - 1 : HF_INDEX_NONE;
}

/* Both tables hold at most n_items + 1 of n_slots, three quarters full. */
static hf_err grow_tables(hf_index *index) {
    size_t old = index->by_digest.n_slots, n = old ? old * 2 : 64;
    if ((index->n_items + 1) * 4 <= old * 3) return HF_OK;
    uint32_t *digests = hf_alloc(index->mem, n * sizeof *digests), *times = hf_alloc(index->mem, n * sizeof *times);
    if (!digests || !times) {
        hf_release(index->mem, digests, n * sizeof *digests);
        hf_release(index->mem, times, n * sizeof *times);
        return HF_NOMEM;
    }
    free_table(index->mem, &index->by_digest);
    free_table(index->mem, &index->by_time);
    index->by_digest = (hf_index_table){digests, n};
    index->by_time = (hf_index_table){times, n};
    for (uint32_t i = 0; i < index->n_items; i++) {
        const hf_log_item *item = &index->items[i];
        digests[digest_slot(index, item->digest)] = i + 1;
        size_t slot = time_slot(index, item->writer, item->time);
        if (!times[slot]) times[slot] = i + 1;
    }
    return HF_OK;
}

/* ---- writers ---- */

hf_index_writer *hf_index_writer_of(hf_index *index, hf_bytes key) {
    HF_ASSERT(key.len == HF_PUBLIC_KEY_HEX_LEN);
    hf_index_writer *w = hf_map_get(&index->writer_map, key);
    if (w) return w;
    if (hf_grow(index->mem, (void **)&index->writers, &index->cap_writers, sizeof *index->writers, index->n_writers + 1)) return NULL;
    w = hf_arena_alloc(&index->arena, sizeof *w);
    if (!w) return NULL;
    memcpy(w->key, key.ptr, key.len);
    w->number = (uint32_t)index->n_writers;
    if (hf_map_put(&index->writer_map, HF_BYTES(w->key, sizeof w->key), w)) return NULL;
    index->writers[index->n_writers++] = w;
    return w;
}

/* ---- order ---- */

/* Section 7: "Compare clock.time numerically; if equal, compare clock.id as text, lower first." Where js has no answer: the digest. */
int hf_index_compare(const hf_index *index, uint32_t a, uint32_t b) {
    const hf_log_item *x = &index->items[a], *y = &index->items[b];
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->writer != y->writer) return memcmp(index->writers[x->writer]->key, index->writers[y->writer]->key, HF_PUBLIC_KEY_HEX_LEN);
    return memcmp(x->digest, y->digest, 32);
}

static int newest_first(const hf_index *index, uint32_t a, uint32_t b) { return hf_index_compare(index, b, a); }

static int digest_order(const hf_index *index, uint32_t a, uint32_t b) {
    return memcmp(index->items[a].digest, index->items[b].digest, 32);
}

typedef int (*order)(const hf_index *index, uint32_t a, uint32_t b);

/* Where `item` stands in the sorted list, or would stand. */
static size_t place(const hf_index *index, const hf_index_list *list, uint32_t item, order compare) {
    size_t low = 0, high = list->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(index, list->at[middle], item) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void insert(const hf_index *index, hf_index_list *list, uint32_t item, order compare) {
    size_t at = place(index, list, item, compare);
    memmove(list->at + at + 1, list->at + at, (list->n - at) * sizeof *list->at);
    list->at[at] = item;
    list->n++;
}

static void erase(const hf_index *index, hf_index_list *list, uint32_t item, order compare) {
    size_t at = place(index, list, item, compare);
    HF_ASSERT(at < list->n && list->at[at] == item);
    list->n--;
    memmove(list->at + at, list->at + at + 1, (list->n - at) * sizeof *list->at);
}

uint64_t hf_index_time(const hf_index *index) { return index->heads.n ? index->items[index->heads.at[0]].time : 0; }

/* ---- adding ---- */

static hf_err grow_list(hf_index *index, hf_index_list *list, size_t n_more) {
    return hf_grow(index->mem, (void **)&list->at, &list->cap, sizeof *list->at, list->n + n_more);
}

/* New room for marks is garbage; zero is never an epoch. */
static hf_err grow_marks(hf_index *index) {
    hf_index_walk *walk = index->walk;
    size_t before = walk->cap_marks;
    hf_err err = hf_grow(index->mem, (void **)&walk->marks, &walk->cap_marks, sizeof *walk->marks, index->n_items + 1);
    if (!err && walk->cap_marks > before) memset(walk->marks + before, 0, (walk->cap_marks - before) * sizeof *walk->marks);
    return err;
}

hf_err hf_index_reserve(hf_index *index, size_t n_next) {
    if (index->n_items >= HF_INDEX_NONE - 1 || index->links.n + n_next > HF_INDEX_NONE - 1) return HF_LIMIT;
    hf_err err = hf_grow(index->mem, (void **)&index->items, &index->cap_items, sizeof *index->items, index->n_items + 1);
    if (!err) err = grow_marks(index);
    if (!err) err = grow_list(index, &index->links, n_next);
    if (!err) err = grow_list(index, &index->heads, 1);
    if (!err) err = grow_list(index, &index->heads_by_digest, 1);
    if (!err) err = grow_tables(index);
    return err;
}

/* js covers a head when a new entry's `next` holds it. A ref alone does not cover here (in js it does, sometimes): an entry that is only
 * referred to would be lost to the traversal, which follows `next`. */
static void cover(hf_index *index, const uint32_t *next, size_t n_next) {
    for (size_t i = 0; i < n_next; i++) {
        hf_log_item *item = &index->items[next[i]];
        if (!item->head) continue;
        item->head = false;
        erase(index, &index->heads, next[i], newest_first);
        erase(index, &index->heads_by_digest, next[i], digest_order);
    }
}

/* One writer, one time, two entries: it wrote in two places at once. */
static void note_writer(hf_index *index, hf_index_writer *writer, uint32_t number, uint64_t time) {
    size_t slot = time_slot(index, writer->number, time);
    if (index->by_time.slots[slot]) index->n_equivocations++;
    else index->by_time.slots[slot] = number + 1;
    if (time > writer->time) writer->time = time;
}

uint32_t hf_index_add(hf_index *index, const uint8_t digest[32], hf_index_writer *writer, uint64_t time, const uint32_t *next,
                      size_t n_next) {
    uint32_t number = (uint32_t)index->n_items;
    size_t slot = digest_slot(index, digest);
    note_writer(index, writer, number, time);
    hf_log_item *item = &index->items[index->n_items++];
    *item = (hf_log_item){.time = time, .writer = writer->number, .n_next = (uint32_t)n_next, .first_next = (uint32_t)index->links.n};
    memcpy(item->digest, digest, 32);
    if (n_next) memcpy(index->links.at + index->links.n, next, n_next * sizeof *next);
    index->links.n += n_next;
    index->by_digest.slots[slot] = number + 1;
    cover(index, next, n_next);
    item->head = true;
    insert(index, &index->heads, number, newest_first);
    insert(index, &index->heads_by_digest, number, digest_order);
    return number;
}

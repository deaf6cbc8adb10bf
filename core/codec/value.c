/* value: see value.h. Making, comparing and copying trees; sorting keys for the codecs. */
#include "value.h"

#include <string.h>

hf_value hf_value_null(void) { return (hf_value){.kind = HF_NULL}; }

hf_value hf_value_bool(bool b) { return (hf_value){.kind = HF_BOOL, .as.b = b}; }

hf_value hf_value_u64(uint64_t u) { return (hf_value){.kind = HF_INT, .as.u = u}; }

hf_value hf_value_i64(int64_t i) {
    return (hf_value){.kind = HF_INT, .negative = i < 0, .as.u = i < 0 ? ~(uint64_t)i : (uint64_t)i};
}

hf_value hf_value_float(double f) { return (hf_value){.kind = HF_FLOAT, .as.f = f}; }

hf_value hf_value_text(hf_bytes s) { return (hf_value){.kind = HF_TEXT_VALUE, .as.s = s}; }

hf_value hf_value_bytes(hf_bytes s) { return (hf_value){.kind = HF_BYTES_VALUE, .as.s = s}; }

/* ---- containers ---- */

/* No container of ours has this much room, so it marks the one that found no memory. */
static const uint32_t SPOILED = UINT32_MAX;

hf_value hf_value_list(hf_arena *arena, size_t n_room) {
    hf_value list = {.kind = HF_LIST};
    if (n_room < SPOILED / sizeof(hf_value)) list.as.list.items = hf_arena_alloc(arena, n_room * sizeof(hf_value));
    list.as.list.n_room = list.as.list.items ? (uint32_t)n_room : SPOILED;
    return list;
}

hf_value hf_value_map(hf_arena *arena, size_t n_room) {
    hf_value map = {.kind = HF_MAP};
    if (n_room < SPOILED / sizeof(hf_pair)) map.as.map.pairs = hf_arena_alloc(arena, n_room * sizeof(hf_pair));
    map.as.map.n_room = map.as.map.pairs ? (uint32_t)n_room : SPOILED;
    return map;
}

bool hf_value_spoiled(const hf_value *v) {
    return (v->kind == HF_LIST && v->as.list.n_room == SPOILED) || (v->kind == HF_MAP && v->as.map.n_room == SPOILED);
}

void hf_list_add(hf_value *list, hf_value item) {
    HF_ASSERT(list->kind == HF_LIST);
    if (hf_value_spoiled(&item)) list->as.list.n_room = SPOILED;
    if (hf_value_spoiled(list)) return;
    HF_ASSERT(list->as.list.n < list->as.list.n_room);
    list->as.list.items[list->as.list.n++] = item;
}

void hf_map_add_bytes(hf_value *map, hf_bytes key, hf_value v) {
    HF_ASSERT(map->kind == HF_MAP);
    if (hf_value_spoiled(&v)) map->as.map.n_room = SPOILED;
    if (hf_value_spoiled(map)) return;
    HF_ASSERT(map->as.map.n < map->as.map.n_room);
    map->as.map.pairs[map->as.map.n++] = (hf_pair){key, v};
}

void hf_map_add(hf_value *map, const char *key, hf_value v) { hf_map_add_bytes(map, hf_str(key), v); }

/* ---- copying ---- */

static hf_err copy(hf_arena *arena, const hf_value *from, hf_value *ret, int depth);

static hf_err copy_bytes(hf_arena *arena, hf_bytes from, hf_bytes *ret) {
    *ret = hf_arena_copy(arena, from);
    return ret->ptr ? HF_OK : HF_NOMEM;
}

static hf_err copy_list(hf_arena *arena, const hf_value *from, hf_value *ret, int depth) {
    *ret = hf_value_list(arena, from->as.list.n);
    if (hf_value_spoiled(ret) || hf_value_spoiled(from)) return HF_NOMEM;
    for (uint32_t i = 0; i < from->as.list.n; i++) {
        hf_err err = copy(arena, &from->as.list.items[i], &ret->as.list.items[i], depth + 1);
        if (err) return err;
    }
    ret->as.list.n = from->as.list.n;
    return HF_OK;
}

static hf_err copy_map(hf_arena *arena, const hf_value *from, hf_value *ret, int depth) {
    *ret = hf_value_map(arena, from->as.map.n);
    if (hf_value_spoiled(ret) || hf_value_spoiled(from)) return HF_NOMEM;
    for (uint32_t i = 0; i < from->as.map.n; i++) {
        const hf_pair *pair = &from->as.map.pairs[i];
        hf_err err = copy_bytes(arena, pair->key, &ret->as.map.pairs[i].key);
        if (!err) err = copy(arena, &pair->value, &ret->as.map.pairs[i].value, depth + 1);
        if (err) return err;
    }
    ret->as.map.n = from->as.map.n;
    return HF_OK;
}

static hf_err copy(hf_arena *arena, const hf_value *from, hf_value *ret, int depth) {
    if (depth > HF_VALUE_DEPTH_MAX) return HF_LIMIT;
    switch (from->kind) {
    case HF_LIST: return copy_list(arena, from, ret, depth);
    case HF_MAP: return copy_map(arena, from, ret, depth);
    case HF_BYTES_VALUE:
    case HF_TEXT_VALUE:
    case HF_LINK: *ret = *from; return copy_bytes(arena, from->as.s, &ret->as.s);
    default: *ret = *from; return HF_OK;
    }
}

hf_err hf_value_copy(hf_arena *arena, const hf_value *from, hf_value *ret) {
    hf_value made;
    hf_err err = copy(arena, from, &made, 0);
    if (!err) *ret = made;
    return err;
}

/* ---- comparing ---- */

/* Is the integer exactly the float? Compared as integers, so that no rounding makes neighbours equal. */
static bool int_is_float(const hf_value *i, double f) {
    if (i->negative) {
        if (!(f < 0 && f >= -18446744073709551616.0)) return false;
        return f == -18446744073709551616.0 ? i->as.u == UINT64_MAX
                                            : (double)(uint64_t)-f == -f && (uint64_t)-f - 1 == i->as.u;
    }
    return f >= 0 && f < 18446744073709551616.0 && (double)(uint64_t)f == f && (uint64_t)f == i->as.u;
}

static bool eq(const hf_value *a, const hf_value *b, int depth);

static bool list_eq(const hf_value *a, const hf_value *b, int depth) {
    if (a->as.list.n != b->as.list.n) return false;
    for (uint32_t i = 0; i < a->as.list.n; i++)
        if (!eq(&a->as.list.items[i], &b->as.list.items[i], depth + 1)) return false;
    return true;
}

/* Keys are unique, so equal counts and each key of a found in b is enough. The search goes on where the last one
 * ended: maps in the same order, or nearly, are compared in one pass. */
static bool map_eq(const hf_value *a, const hf_value *b, int depth) {
    uint32_t n = a->as.map.n, at = 0;
    if (n != b->as.map.n) return false;
    for (uint32_t i = 0; i < n; i++) {
        const hf_pair *pair = &a->as.map.pairs[i];
        uint32_t tries = 0;
        while (tries < n && !hf_eq(b->as.map.pairs[at].key, pair->key)) {
            at = at + 1 < n ? at + 1 : 0;
            tries++;
        }
        if (tries == n || !eq(&pair->value, &b->as.map.pairs[at].value, depth + 1)) return false;
        at = at + 1 < n ? at + 1 : 0;
    }
    return true;
}

static bool eq(const hf_value *a, const hf_value *b, int depth) {
    if (a->kind == HF_INT && b->kind == HF_FLOAT) return int_is_float(a, b->as.f);
    if (a->kind == HF_FLOAT && b->kind == HF_INT) return int_is_float(b, a->as.f);
    if (a->kind != b->kind || depth > 2 * HF_VALUE_DEPTH_MAX) return false;
    switch (a->kind) {
    case HF_NULL: return true;
    case HF_BOOL: return a->as.b == b->as.b;
    case HF_INT: return a->negative == b->negative && a->as.u == b->as.u;
    case HF_FLOAT: return a->as.f == b->as.f;
    case HF_LIST: return list_eq(a, b, depth);
    case HF_MAP: return map_eq(a, b, depth);
    default: return hf_eq(a->as.s, b->as.s);
    }
}

bool hf_value_eq(const hf_value *a, const hf_value *b) { return eq(a, b, 0); }

/* ---- getters ---- */

const hf_value *hf_value_get_bytes(const hf_value *map, hf_bytes key) {
    if (!map || map->kind != HF_MAP) return NULL;
    for (uint32_t i = 0; i < map->as.map.n; i++)
        if (hf_eq(map->as.map.pairs[i].key, key)) return &map->as.map.pairs[i].value;
    return NULL;
}

const hf_value *hf_value_get(const hf_value *map, const char *key) { return hf_value_get_bytes(map, hf_str(key)); }

hf_bytes hf_value_as_text(const hf_value *v) { return v && v->kind == HF_TEXT_VALUE ? v->as.s : HF_BYTES("", 0); }

bool hf_value_as_bool(const hf_value *v, bool fallback) { return v && v->kind == HF_BOOL ? v->as.b : fallback; }

int64_t hf_value_as_i64(const hf_value *v, int64_t fallback) {
    if (!v) return fallback;
    if (v->kind == HF_INT && v->as.u <= INT64_MAX) return v->negative ? -1 - (int64_t)v->as.u : (int64_t)v->as.u;
    if (v->kind != HF_FLOAT || !(v->as.f >= -9007199254740992.0 && v->as.f <= 9007199254740992.0)) return fallback;
    int64_t i = (int64_t)v->as.f;
    return (double)i == v->as.f ? i : fallback;
}

/* ---- keys ---- */

int hf_key_cmp(hf_bytes a, hf_bytes b) {
    if (a.len != b.len) return a.len < b.len ? -1 : 1;
    return a.len ? memcmp(a.ptr, b.ptr, a.len) : 0;
}

static bool less(const hf_pair *a, const hf_pair *b) { return hf_key_cmp(a->key, b->key) < 0; }

static void insertion_sort(const hf_pair **pairs, size_t n) {
    for (size_t i = 1; i < n; i++) {
        const hf_pair *moving = pairs[i];
        size_t k = i;
        for (; k > 0 && less(moving, pairs[k - 1]); k--) pairs[k] = pairs[k - 1];
        pairs[k] = moving;
    }
}

static void sift_down(const hf_pair **heap, size_t at, size_t n) {
    const hf_pair *moving = heap[at];
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && less(heap[child], heap[child + 1])) child++;
        if (!less(moving, heap[child])) break;
        heap[at] = heap[child];
    }
    heap[at] = moving;
}

/* Heapsort above a few: no stranger's order of keys makes it quadratic, and it needs no memory. */
void hf_pairs_sort(const hf_pair **pairs, size_t n) {
    if (n <= 24) {
        insertion_sort(pairs, n);
        return;
    }
    for (size_t i = n / 2; i-- > 0;) sift_down(pairs, i, n);
    for (size_t end = n - 1; end > 0; end--) {
        const hf_pair *largest = pairs[0];
        pairs[0] = pairs[end];
        pairs[end] = largest;
        sift_down(pairs, 0, end);
    }
}

static hf_err check_sorted_unique(const hf_pair **sorted, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (hf_key_cmp(sorted[i - 1]->key, sorted[i]->key) == 0) return HF_MALFORMED;
    return HF_OK;
}

hf_err hf_pairs_check_unique(hf_mem *mem, const hf_pair *pairs, size_t n) {
    size_t i = 1;
    while (i < n && hf_key_cmp(pairs[i - 1].key, pairs[i].key) < 0) i++;
    if (i >= n) return HF_OK;
    const hf_pair *few[24], **sorted = few;
    if (n > HF_COUNT(few) && !(sorted = hf_alloc(mem, n * sizeof *sorted))) return HF_NOMEM;
    for (i = 0; i < n; i++) sorted[i] = &pairs[i];
    hf_pairs_sort(sorted, n);
    hf_err err = check_sorted_unique(sorted, n);
    if (sorted != few) hf_release(mem, sorted, n * sizeof *sorted);
    return err;
}

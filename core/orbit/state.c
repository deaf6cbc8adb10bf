/* state: see state.h. */
#include "state.h"

#include "../codec/varint.h"
#include "key.h"

#include <string.h>

/* What decides one key; the key's bytes stand behind it. */
typedef struct cell {
    uint32_t item;
    bool deleted, hidden;
    uint8_t key[];
} cell;

struct hf_orbit_state {
    hf_mem *mem;
    const hf_log *log;
    hf_orbit_type type;
    hf_arena arena;          /* cells */
    hf_map exact, names;     /* by `===`, by String(key) */
    hf_buf scratch;
    uint32_t *rows;
    size_t n_rows, cap_rows;
    bool sorted;
};

hf_orbit_type hf_orbit_type_of(hf_bytes name) {
    if (hf_eq(name, HF_TEXT("events"))) return HF_ORBIT_EVENTS;
    if (hf_eq(name, HF_TEXT("keyvalue")) || hf_eq(name, HF_TEXT("keyvalue-indexed"))) return HF_ORBIT_KEYVALUE;
    return hf_eq(name, HF_TEXT("documents")) ? HF_ORBIT_DOCUMENTS : HF_ORBIT_OTHER;
}

hf_bytes hf_orbit_type_name(hf_orbit_type type) {
    static const char *const names[] = {"events", "keyvalue", "documents", ""};
    return hf_str(names[type]);
}

hf_orbit_state *hf_orbit_state_new(hf_mem *mem, const hf_log *log, hf_orbit_type type, uint64_t seed) {
    hf_orbit_state *s = hf_alloc(mem, sizeof *s);
    if (!s) return NULL;
    *s = (hf_orbit_state){.mem = mem, .log = log, .type = type};
    hf_arena_init(&s->arena, mem);
    hf_map_init(&s->exact, mem, seed);
    hf_map_init(&s->names, mem, seed);
    hf_buf_init(&s->scratch, mem);
    return s;
}

void hf_orbit_state_free(hf_orbit_state *s) {
    if (!s) return;
    hf_map_deinit(&s->exact);
    hf_map_deinit(&s->names);
    hf_buf_deinit(&s->scratch);
    hf_release(s->mem, s->rows, s->cap_rows * sizeof *s->rows);
    hf_arena_deinit(&s->arena);
    hf_release(s->mem, s, sizeof *s);
}

/* ---- applying ---- */

/* Takes the decision when it is newer than the one that stands; *decides then. */
static hf_err decide(hf_orbit_state *s, hf_map *map, hf_bytes key, uint32_t item, bool deleted, bool *decides) {
    cell *c = hf_map_get(map, key);
    *decides = !c || c->item == item || hf_log_compare(s->log, c->item, item) < 0;
    if (!*decides) return HF_OK;
    if (!c) {
        c = hf_arena_alloc(&s->arena, sizeof *c + key.len);
        if (!c) return HF_NOMEM;
        if (key.len) memcpy(c->key, key.ptr, key.len);
        if (hf_map_put(map, HF_BYTES(c->key, key.len), c)) return HF_NOMEM;
        c->hidden = hf_orbit_key_is_hidden(key);
    }
    c->item = item;
    c->deleted = deleted;
    return HF_OK;
}

static hf_err decide_exact(hf_orbit_state *s, const hf_value *key, uint32_t item, bool deleted, bool *decides) {
    hf_buf_clear(&s->scratch);
    if (!hf_orbit_key_add_exact(&s->scratch, key)) return s->scratch.err;
    return decide(s, &s->exact, hf_buf_bytes(&s->scratch), item, deleted, decides);
}

static hf_err decide_name(hf_orbit_state *s, const hf_value *key, uint32_t item, bool deleted, bool *decides) {
    hf_buf_clear(&s->scratch);
    hf_orbit_key_add_name(&s->scratch, key);
    return s->scratch.err ? s->scratch.err : decide(s, &s->names, hf_buf_bytes(&s->scratch), item, deleted, decides);
}

hf_err hf_orbit_state_apply(hf_orbit_state *s, uint32_t item, const hf_value *payload, bool *ret_decides) {
    *ret_decides = s->type == HF_ORBIT_EVENTS || s->type == HF_ORBIT_OTHER;
    if (*ret_decides || payload->kind != HF_MAP) return HF_OK;
    hf_bytes op = hf_value_as_text(hf_value_get(payload, "op"));
    bool deleted = hf_eq(op, HF_TEXT("DEL")), exact = false, name = false;
    if (!deleted && !hf_eq(op, HF_TEXT("PUT"))) return HF_OK;
    const hf_value *key = hf_value_get(payload, "key");
    hf_err err = decide_exact(s, key, item, deleted, &exact);
    if (!err) err = decide_name(s, key, item, deleted, &name);
    if (name) s->sorted = false;
    *ret_decides = exact || name;
    return err;
}

/* ---- keeping: for each item what of the keys it decides: 0 nothing, else bits and the keys behind them ---- */

enum { EXACT = 1, NAME = 2, DELETED = 4 };

static void put_in_order(const hf_map *map, const cell **by_item, size_t n, hf_bytes *keys) {
    size_t cursor = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(map, &cursor));) {
        const cell *c = slot->value;
        if (c->item >= n) continue;
        by_item[c->item] = c;
        keys[c->item] = slot->key;
    }
}

static void add_key(hf_buf *buf, const cell *c, hf_bytes key) {
    if (!c) return;
    hf_varint_add(buf, key.len);
    hf_buf_add(buf, key);
}

hf_err hf_orbit_state_save(const hf_orbit_state *s, hf_buf *buf) {
    size_t n = hf_log_n(s->log), len = 2 * n * (sizeof(cell *) + sizeof(hf_bytes));
    if (!n) return HF_OK;
    const cell **cells = hf_alloc(s->mem, len);
    if (!cells) return HF_NOMEM;
    hf_bytes *keys = (hf_bytes *)(cells + 2 * n);
    put_in_order(&s->exact, cells, n, keys);
    put_in_order(&s->names, cells + n, n, keys + n);
    for (size_t i = 0; i < n; i++) {
        const cell *exact = cells[i], *name = cells[n + i];
        bool deleted = exact ? exact->deleted : name && name->deleted;
        hf_varint_add(buf, (exact ? EXACT : 0u) | (name ? NAME : 0u) | (deleted ? DELETED : 0u));
        add_key(buf, exact, keys[i]);
        add_key(buf, name, keys[n + i]);
    }
    hf_release(s->mem, cells, len);
    return buf->err;
}

static bool take_number(hf_bytes *rest, uint64_t *ret) {
    size_t len = 0;
    if (hf_varint_read(*rest, ret, &len)) return false;
    *rest = hf_sub(*rest, len, rest->len);
    return true;
}

static hf_err take_key(hf_orbit_state *s, hf_map *map, uint32_t item, bool deleted, hf_bytes *rest) {
    uint64_t len;
    bool decides;
    if (!take_number(rest, &len) || len > rest->len) return HF_MALFORMED;
    hf_bytes key = hf_sub(*rest, 0, (size_t)len);
    *rest = hf_sub(*rest, (size_t)len, rest->len);
    if (hf_map_get(map, key)) return HF_MALFORMED;
    return decide(s, map, key, item, deleted, &decides);
}

hf_err hf_orbit_state_restore(hf_orbit_state *s, hf_bytes saved) {
    hf_err err = HF_OK;
    if (s->exact.n || s->names.n) return HF_STATE;
    for (uint32_t i = 0; i < hf_log_n(s->log) && !err; i++) {
        uint64_t bits;
        if (!take_number(&saved, &bits) || bits > (EXACT | NAME | DELETED)) return HF_MALFORMED;
        if (bits & EXACT) err = take_key(s, &s->exact, i, bits & DELETED, &saved);
        if (bits & NAME && !err) err = take_key(s, &s->names, i, bits & DELETED, &saved);
    }
    return err ? err : saved.len ? HF_MALFORMED : HF_OK;
}

/* ---- looking ---- */

static uint32_t live(const cell *c) { return c && !c->deleted ? c->item : UINT32_MAX; }

uint32_t hf_orbit_state_find(const hf_orbit_state *s, const hf_value *key) {
    hf_buf text;
    hf_buf_init(&text, s->mem);
    const cell *exact = hf_orbit_key_add_exact(&text, key) ? hf_map_get(&s->exact, hf_buf_bytes(&text)) : NULL;
    uint32_t item = live(exact);
    if (s->type == HF_ORBIT_DOCUMENTS && item != UINT32_MAX) { /* js looks through what iterator() shows */
        hf_buf_clear(&text);
        hf_orbit_key_add_name(&text, key);
        const cell *name = hf_map_get(&s->names, hf_buf_bytes(&text));
        if (!name || name->item != item || name->hidden) item = UINT32_MAX;
    }
    if (text.err) item = UINT32_MAX;
    hf_buf_deinit(&text);
    return item;
}

/* Heapsort, newest first: the order of keys in a map must not make this slow. */
static void sift_down(const hf_log *log, uint32_t *a, size_t at, size_t n) {
    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && hf_log_compare(log, a[child], a[child + 1]) > 0) child++;
        if (hf_log_compare(log, a[at], a[child]) <= 0) return;
        uint32_t t = a[at];
        a[at] = a[child];
        a[child] = t;
    }
}

static void sort(const hf_log *log, uint32_t *a, size_t n) {
    for (size_t i = n / 2; i-- > 0;) sift_down(log, a, i, n);
    while (n-- > 1) {
        uint32_t t = a[0];
        a[0] = a[n];
        a[n] = t;
        sift_down(log, a, 0, n);
    }
}

hf_err hf_orbit_state_rows(hf_orbit_state *s, const uint32_t **ret_items, size_t *ret_n) {
    if (!s->sorted) {
        hf_err err = hf_grow(s->mem, (void **)&s->rows, &s->cap_rows, sizeof *s->rows, s->names.n);
        if (err) return err;
        size_t cursor = 0;
        s->n_rows = 0;
        for (hf_map_slot *slot; (slot = hf_map_next(&s->names, &cursor));) {
            const cell *c = slot->value;
            if (!c->deleted && !c->hidden) s->rows[s->n_rows++] = c->item;
        }
        sort(s->log, s->rows, s->n_rows);
        s->sorted = true;
    }
    *ret_items = s->rows;
    *ret_n = s->n_rows;
    return HF_OK;
}

/* ---- events ---- */

typedef struct walk {
    const hf_orbit_range *range;
    hf_mem *mem;
    uint32_t **list;
    size_t *n, *cap, first, most;
    hf_err err;
} walk;

static bool visit(void *ctx, uint32_t item) {
    walk *w = ctx;
    uint32_t end = w->range->gt != UINT32_MAX ? w->range->gt : w->range->gte;
    if (item == end && w->range->gt != UINT32_MAX) return false;
    w->err = hf_grow(w->mem, (void **)w->list, w->cap, sizeof **w->list, *w->n + 1);
    if (w->err) return false;
    (*w->list)[(*w->n)++] = item;
    return item != end && *w->n - w->first < w->most;
}

hf_err hf_orbit_range_items(const hf_log *log, const hf_orbit_range *range, hf_mem *mem, uint32_t **list, size_t *n, size_t *cap) {
    if (range->amount == 0) return HF_OK;
    bool starts = range->lt != UINT32_MAX || range->lte != UINT32_MAX, ends = range->gt != UINT32_MAX || range->gte != UINT32_MAX;
    walk w = {.range = range, .mem = mem, .list = list, .n = n, .cap = cap, .first = *n, .most = ends ? SIZE_MAX : range->amount};
    hf_err err;
    if (range->lt != UINT32_MAX) err = hf_log_traverse_from(log, hf_log_next(log, range->lt), hf_log_item_at(log, range->lt)->n_next, visit, &w);
    else if (starts) err = hf_log_traverse_from(log, &range->lte, 1, visit, &w);
    else err = hf_log_traverse(log, visit, &w);
    if (err || w.err) return err ? err : w.err;
    size_t n_found = *n - w.first;
    if (ends && !starts && n_found > range->amount) { /* those nearest the end */
        memmove(*list + w.first, *list + *n - range->amount, range->amount * sizeof **list);
        *n = w.first + range->amount;
    }
    return HF_OK;
}

/* kad_store: see kad_store.h. */
#include "kad_store.h"

#include "../crypto/crypto.h"

#include <string.h>

void hf_kad_store_init(hf_kad_store *store, hf_mem *mem, const hf_kad_limits *limits, const uint8_t self[32],
                       uint64_t seed) {
    *store = (hf_kad_store){.mem = mem, .limits = *limits};
    memcpy(store->self, self, sizeof store->self);
    hf_map_init(&store->values, mem, seed);
    hf_map_init(&store->shelves, mem, seed);
}

void hf_kad_store_deinit(hf_kad_store *store) {
    while (store->first_value) hf_kad_store_drop_value(store, store->first_value);
    while (store->first_provider) hf_kad_store_drop_provider(store, store->first_provider);
    hf_map_deinit(&store->values);
    hf_map_deinit(&store->shelves);
}

/* Is a farther from us than b? */
static bool is_farther(const hf_kad_store *s, const uint8_t a[32], const uint8_t b[32]) {
    size_t i = 0;
    while (i < 31 && a[i] == b[i]) i++;
    return (a[i] ^ s->self[i]) > (b[i] ^ s->self[i]);
}

static bool is_over(uint64_t now_ms, uint64_t from_ms, uint64_t lasts_ms) {
    return now_ms - from_ms >= lasts_ms;
}

/* ---- values ---- */

static hf_bytes value_key(const hf_kad_value *v) {
    return HF_BYTES(v->key, v->key_len);
}

void hf_kad_store_drop_value(hf_kad_store *store, hf_kad_value *v) {
    hf_map_remove(&store->values, value_key(v));
    if (v->prev)
        v->prev->next = v->next;
    else
        store->first_value = v->next;
    if (v->next) v->next->prev = v->prev;
    if (v->from.len) {
        store->n_values--;
        store->value_bytes -= v->key_len + v->value_len;
    }
    hf_release(store->mem, v->key, v->key_len);
    hf_release(store->mem, v->value, v->value_len);
    hf_release(store->mem, v, sizeof *v);
}

static bool value_is_over(const hf_kad_store *s, uint64_t now_ms, const hf_kad_value *v) {
    return v->from.len && is_over(now_ms, v->received_ms, s->limits.value_ms);
}

hf_kad_value *hf_kad_store_value(hf_kad_store *store, uint64_t now_ms, hf_bytes key) {
    hf_kad_value *v = hf_map_get(&store->values, key);
    if (!v || !value_is_over(store, now_ms, v)) return v;
    hf_kad_store_drop_value(store, v);
    return NULL;
}

/* Makes room for a value of this length from this peer; false: there is none. */
static bool make_room(hf_kad_store *s, const uint8_t hash[32], const hf_peer_id *from, size_t len) {
    size_t n_of_peer = 0;
    for (const hf_kad_value *v = s->first_value; v; v = v->next) n_of_peer += hf_peer_id_eq(&v->from, from);
    if (n_of_peer >= s->limits.per_peer_values_max || len > s->limits.value_bytes_max) return false;
    while (s->n_values >= s->limits.values_max || s->value_bytes + len > s->limits.value_bytes_max) {
        hf_kad_value *far = NULL;
        for (hf_kad_value *v = s->first_value; v; v = v->next)
            if (v->from.len && (!far || is_farther(s, v->hash, far->hash))) far = v;
        if (!far || !is_farther(s, far->hash, hash)) return false;
        hf_kad_store_drop_value(s, far);
    }
    return true;
}

static hf_kad_value *value_new(hf_kad_store *s, hf_bytes key, hf_bytes value) {
    hf_kad_value *v = hf_alloc(s->mem, sizeof *v);
    if (!v) return NULL;
    *v = (hf_kad_value){.key_len = key.len, .value_len = value.len};
    v->key = hf_alloc(s->mem, key.len);
    v->value = value.len ? hf_alloc(s->mem, value.len) : NULL;
    if (v->key) memcpy(v->key, key.ptr, key.len);
    if (v->value) memcpy(v->value, value.ptr, value.len);
    if (v->key && (v->value || !value.len) && !hf_map_put(&s->values, value_key(v), v)) return v;
    hf_release(s->mem, v->key, key.len);
    hf_release(s->mem, v->value, value.len);
    hf_release(s->mem, v, sizeof *v);
    return NULL;
}

static void value_join(hf_kad_store *s, hf_kad_value *v) {
    v->next = s->first_value;
    if (v->next) v->next->prev = v;
    s->first_value = v;
    if (!v->from.len) return;
    s->n_values++;
    s->value_bytes += v->key_len + v->value_len;
}

hf_err hf_kad_store_put(hf_kad_store *store, uint64_t now_ms, uint64_t unix_ms, const hf_peer_id *from, hf_bytes key,
                        hf_bytes value) {
    hf_kad_value *old = hf_kad_store_value(store, now_ms, key);
    if (old && from && hf_eq(HF_BYTES(old->value, old->value_len), value)) {
        old->received_ms = now_ms;
        old->received_unix_ms = unix_ms;
        return HF_OK;
    }
    bool ours = !from || (old && !old->from.len);
    uint64_t republish_ms = old ? old->republish_ms : 0;
    uint8_t hash[32];
    hf_sha256_of(key, hash);
    if (!ours && !make_room(store, hash, from, key.len + value.len)) return HF_LIMIT;
    old = hf_map_get(&store->values, key); /* it may have made the room */
    if (old) hf_kad_store_drop_value(store, old);
    hf_kad_value *v = value_new(store, key, value);
    if (!v) return HF_NOMEM;
    memcpy(v->hash, hash, sizeof hash);
    if (!ours) v->from = *from;
    v->received_ms = now_ms;
    v->received_unix_ms = unix_ms;
    v->republish_ms = republish_ms;
    value_join(store, v);
    return HF_OK;
}

/* ---- providers ---- */

hf_kad_shelf *hf_kad_store_shelf(hf_kad_store *store, hf_bytes key) {
    return hf_map_get(&store->shelves, key);
}

bool hf_kad_provider_counts(const hf_kad_store *s, uint64_t now_ms, const hf_kad_provider *p) {
    return p->republish_ms || !is_over(now_ms, p->received_ms, s->limits.provider_ms);
}

bool hf_kad_provider_address_counts(const hf_kad_store *s, uint64_t now_ms, const hf_kad_provider *p) {
    return !is_over(now_ms, p->received_ms, s->limits.provider_address_ms);
}

static hf_bytes shelf_key(const hf_kad_shelf *shelf) {
    return HF_BYTES(shelf->key, shelf->key_len);
}

static void shelf_free_empty(hf_kad_store *s, hf_kad_shelf *shelf) {
    if (shelf->n) return;
    hf_map_remove(&s->shelves, shelf_key(shelf));
    hf_release(s->mem, shelf, sizeof *shelf + shelf->key_len);
}

void hf_kad_store_drop_provider(hf_kad_store *store, hf_kad_provider *p) {
    hf_kad_provider **at = &p->shelf->first;
    while (*at != p) at = &(*at)->next_of_key;
    *at = p->next_of_key;
    p->shelf->n--;
    shelf_free_empty(store, p->shelf);
    if (p->prev)
        p->prev->next = p->next;
    else
        store->first_provider = p->next;
    if (p->next) p->next->prev = p->prev;
    store->n_providers -= p->republish_ms == 0;
    hf_kad_addresses_clear(store->mem, &p->addresses);
    hf_release(store->mem, p, sizeof *p);
}

static hf_kad_shelf *shelf_of(hf_kad_store *s, hf_bytes key) {
    hf_kad_shelf *shelf = hf_kad_store_shelf(s, key);
    if (shelf || !(shelf = hf_alloc(s->mem, sizeof *shelf + key.len))) return shelf;
    shelf->key_len = key.len;
    memcpy(shelf->key, key.ptr, key.len);
    hf_sha256_of(key, shelf->hash);
    if (!hf_map_put(&s->shelves, shelf_key(shelf), shelf)) return shelf;
    hf_release(s->mem, shelf, sizeof *shelf + key.len);
    return NULL;
}

static hf_kad_provider *find(const hf_kad_shelf *shelf, const hf_peer_id *id) {
    hf_kad_provider *p = shelf ? shelf->first : NULL;
    while (p && !hf_peer_id_eq(&p->id, id)) p = p->next_of_key;
    return p;
}

/* The oldest of a full shelf whose time is over makes room on it; the farthest key's provider does in a full store. */
static bool make_provider_room(hf_kad_store *s, uint64_t now_ms, hf_bytes key, const hf_peer_id *id) {
    size_t n_of_peer = 0;
    hf_kad_provider *far = NULL, *old = NULL;
    const hf_kad_shelf *shelf = hf_kad_store_shelf(s, key);
    for (hf_kad_provider *p = s->first_provider; p; p = p->next) {
        n_of_peer += hf_peer_id_eq(&p->id, id);
        if (p->shelf == shelf && !hf_kad_provider_counts(s, now_ms, p)) old = p;
        if (!p->republish_ms && (!far || is_farther(s, p->shelf->hash, far->shelf->hash))) far = p;
    }
    if (n_of_peer >= s->limits.per_peer_providers_max) return false;
    if (old) {
        hf_kad_store_drop_provider(s, old);
        return true;
    }
    if (shelf && shelf->n >= s->limits.providers_per_key_max) return false;
    if (s->n_providers < s->limits.providers_max) return true;
    uint8_t hash[32];
    hf_sha256_of(key, hash);
    if (!far || !is_farther(s, far->shelf->hash, hash)) return false;
    hf_kad_store_drop_provider(s, far);
    return true;
}

static hf_kad_provider *provider_new(hf_kad_store *s, hf_bytes key, const hf_peer_id *id) {
    hf_kad_shelf *shelf = shelf_of(s, key);
    hf_kad_provider *p = shelf ? hf_alloc(s->mem, sizeof *p) : NULL;
    if (!p) {
        if (shelf) shelf_free_empty(s, shelf);
        return NULL;
    }
    *p = (hf_kad_provider){.shelf = shelf, .id = *id, .next_of_key = shelf->first, .next = s->first_provider};
    if (p->next) p->next->prev = p;
    shelf->first = s->first_provider = p;
    shelf->n++;
    s->n_providers++;
    return p;
}

hf_err hf_kad_store_provide(hf_kad_store *store, uint64_t now_ms, hf_bytes key, const hf_peer_id *id,
                            const hf_kad_addresses *addresses, bool own, hf_kad_provider **ret) {
    hf_kad_provider *p = find(hf_kad_store_shelf(store, key), id);
    if (!p && !own && !make_provider_room(store, now_ms, key, id)) return HF_LIMIT;
    if (!p && !(p = provider_new(store, key, id))) return HF_NOMEM;
    if (own && !p->republish_ms) {
        p->republish_ms = UINT64_MAX;
        store->n_providers--;
    }
    p->received_ms = now_ms;
    *ret = p;
    return hf_kad_addresses_copy(store->mem, &p->addresses, addresses);
}

/* ---- time ---- */

void hf_kad_store_sweep(hf_kad_store *store, uint64_t now_ms) {
    for (hf_kad_value *v = store->first_value, *next; v; v = next) {
        next = v->next;
        if (value_is_over(store, now_ms, v)) hf_kad_store_drop_value(store, v);
    }
    for (hf_kad_provider *p = store->first_provider, *next; p; p = next) {
        next = p->next;
        if (!hf_kad_provider_counts(store, now_ms, p)) hf_kad_store_drop_provider(store, p);
    }
}

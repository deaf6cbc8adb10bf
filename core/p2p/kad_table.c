/* kad_table: see kad_table.h. */
#include "kad_table.h"

#include <string.h>

void hf_kad_table_init(hf_kad_table *table, hf_mem *mem, size_t k, const uint8_t self[HF_KAD_KEY]) {
    *table = (hf_kad_table){.mem = mem, .k = k, .per_group_max = SIZE_MAX};
    memcpy(table->self, self, HF_KAD_KEY);
}

static size_t bucket_len(const hf_kad_table *table) {
    return sizeof(hf_kad_bucket) + table->k * sizeof(hf_kad_contact *);
}

void hf_kad_table_deinit(hf_kad_table *table) {
    for (size_t i = 0; i < HF_KAD_BUCKETS; i++) hf_release(table->mem, table->buckets[i], bucket_len(table));
    *table = (hf_kad_table){.mem = table->mem};
}

unsigned hf_kad_shared(const uint8_t a[HF_KAD_KEY], const uint8_t b[HF_KAD_KEY]) {
    for (unsigned i = 0; i < HF_KAD_KEY; i++) {
        uint8_t differ = a[i] ^ b[i];
        unsigned bit = 0;
        while (differ && !(differ & 0x80 >> bit)) bit++;
        if (differ) return i * 8 + bit;
    }
    return HF_KAD_KEY * 8;
}

void hf_kad_distance(const uint8_t a[HF_KAD_KEY], const uint8_t b[HF_KAD_KEY], uint8_t ret[HF_KAD_KEY]) {
    for (size_t i = 0; i < HF_KAD_KEY; i++) ret[i] = a[i] ^ b[i];
}

static hf_kad_bucket **bucket_of(hf_kad_table *table, const hf_kad_contact *contact) {
    unsigned shared = hf_kad_shared(table->self, contact->key);
    return shared < HF_KAD_BUCKETS ? &table->buckets[shared] : NULL;
}

/* ---- networks ---- */

static size_t count_group(const hf_kad_bucket *b, const hf_kad_group *group) {
    size_t n = 0;
    for (size_t i = 0; b && i < b->n; i++) n += hf_kad_group_eq(&b->items[i]->group, group);
    return n;
}

static bool has_address(const hf_kad_bucket *b, const hf_kad_group *group) {
    size_t i = 0;
    while (i < b->n && !hf_kad_group_same_address(&b->items[i]->group, group)) i++;
    return i < b->n;
}

static bool crowds(const hf_kad_table *table, const hf_kad_bucket *b, const hf_kad_group *group) {
    if (table->per_group_max == SIZE_MAX || (table->loopback_is_free && group->scope < HF_KAD_PUBLIC)) return false;
    if (has_address(b, group) || count_group(b, group) >= table->per_group_max) return true;
    size_t n = 0;
    for (size_t i = 0; i < HF_KAD_BUCKETS; i++) n += count_group(table->buckets[i], group);
    return n >= table->per_group_max * HF_KAD_TABLE_GROUPS;
}

/* ---- in and out ---- */

static size_t find(hf_kad_contact *const *items, size_t n, const hf_kad_contact *contact) {
    size_t i = 0;
    while (i < n && items[i] != contact) i++;
    return i;
}

static void take_out(hf_kad_contact **items, size_t *n, size_t i) {
    items[i]->place = HF_KAD_OUTSIDE;
    memmove(items + i, items + i + 1, (--*n - i) * sizeof *items);
}

static void put_in(hf_kad_table *table, hf_kad_bucket *b, hf_kad_contact *contact) {
    b->items[b->n++] = contact;
    contact->place = HF_KAD_IN;
    table->n++;
}

static void keep_spare(hf_kad_bucket *b, hf_kad_contact *contact) {
    if (contact->place == HF_KAD_SPARE) take_out(b->spares, &b->n_spares, find(b->spares, b->n_spares, contact));
    if (b->n_spares == HF_KAD_SPARES) take_out(b->spares, &b->n_spares, 0);
    b->spares[b->n_spares++] = contact;
    contact->place = HF_KAD_SPARE;
}

hf_err hf_kad_table_add(hf_kad_table *table, uint64_t now_ms, hf_kad_contact *contact, hf_kad_contact **ret_oldest) {
    hf_kad_bucket **at = bucket_of(table, contact);
    if (!at) return HF_DENIED;
    if (!*at && !(*at = hf_alloc(table->mem, bucket_len(table)))) return HF_NOMEM;
    hf_kad_bucket *b = *at;
    contact->seen_ms = now_ms;
    if (contact->place == HF_KAD_IN) {
        take_out(b->items, &b->n, find(b->items, b->n, contact));
        table->n--;
    }
    bool crowd = crowds(table, b, &contact->group);
    if (crowd && contact->place == HF_KAD_SPARE)
        take_out(b->spares, &b->n_spares, find(b->spares, b->n_spares, contact));
    if (crowd) return HF_DENIED;
    if (b->n == table->k) {
        keep_spare(b, contact);
        *ret_oldest = b->items[0];
        return HF_LIMIT;
    }
    if (contact->place == HF_KAD_SPARE) take_out(b->spares, &b->n_spares, find(b->spares, b->n_spares, contact));
    put_in(table, b, contact);
    return HF_OK;
}

hf_kad_contact *hf_kad_table_remove(hf_kad_table *table, hf_kad_contact *contact) {
    hf_kad_bucket *b = contact->place ? *bucket_of(table, contact) : NULL;
    if (!b) return NULL;
    if (contact->place == HF_KAD_SPARE) {
        take_out(b->spares, &b->n_spares, find(b->spares, b->n_spares, contact));
        return NULL;
    }
    take_out(b->items, &b->n, find(b->items, b->n, contact));
    table->n--;
    for (size_t i = b->n_spares; i-- > 0;) {
        hf_kad_contact *spare = b->spares[i];
        if (crowds(table, b, &spare->group)) continue;
        take_out(b->spares, &b->n_spares, i);
        put_in(table, b, spare);
        return spare;
    }
    return NULL;
}

/* ---- looking ---- */

static bool is_closer(const uint8_t key[HF_KAD_KEY], const hf_kad_contact *a, const hf_kad_contact *b) {
    size_t i = 0;
    while (i < HF_KAD_KEY - 1 && a->key[i] == b->key[i]) i++;
    return (a->key[i] ^ key[i]) < (b->key[i] ^ key[i]);
}

static size_t insert(const uint8_t key[HF_KAD_KEY], hf_kad_contact **best, size_t n_best, size_t n_max,
                     hf_kad_contact *c) {
    size_t at = n_best;
    while (at > 0 && is_closer(key, c, best[at - 1])) at--;
    if (at == n_max) return n_best;
    if (n_best < n_max) n_best++;
    memmove(best + at + 1, best + at, (n_best - at - 1) * sizeof *best);
    best[at] = c;
    return n_best;
}

size_t hf_kad_table_closest(const hf_kad_table *table, const uint8_t key[HF_KAD_KEY], const hf_peer_id *skip,
                            hf_kad_contact **ret, size_t n) {
    size_t n_best = 0;
    for (size_t i = 0; i < HF_KAD_BUCKETS; i++) {
        const hf_kad_bucket *b = table->buckets[i];
        for (size_t j = 0; b && j < b->n; j++) {
            hf_kad_contact *c = b->items[j];
            if (c->addresses.n && !(skip && hf_peer_id_eq(&c->id, skip))) n_best = insert(key, ret, n_best, n, c);
        }
    }
    return n_best;
}

/* kad_contact: the peers that we are connected to or keep in the table. One that is neither is forgotten. */
#include "kad_private.h"

#include "../crypto/crypto.h"

#include <string.h>

enum { FAILURES_MAX = 3 };

hf_kad_contact *hf_kad_contact_of(hf_kad *kad, const hf_peer_id *id) {
    return hf_map_get(&kad->contacts, hf_peer_id_bytes(id));
}

static hf_kad_contact *contact_new(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id) {
    hf_kad_contact *c = hf_alloc(kad->mem, sizeof *c);
    if (!c) return NULL;
    *c = (hf_kad_contact){.id = *id, .asks = HF_KAD_ASKS_BURST, .writes = HF_KAD_WRITES_BURST, .filled_ms = now_ms};
    hf_sha256_of(hf_peer_id_bytes(id), c->key);
    if (!hf_map_put(&kad->contacts, hf_peer_id_bytes(&c->id), c)) return c;
    hf_release(kad->mem, c, sizeof *c);
    return NULL;
}

static void contact_free(hf_kad *kad, hf_kad_contact *c) {
    hf_map_remove(&kad->contacts, hf_peer_id_bytes(&c->id));
    hf_kad_addresses_clear(kad->mem, &c->addresses);
    hf_release(kad->mem, c, sizeof *c);
}

static void forget_if_idle(hf_kad *kad, hf_kad_contact *c) {
    if (!c->connected && c->place == HF_KAD_OUTSIDE) contact_free(kad, c);
}

void hf_kad_contacts_free(hf_kad *kad) {
    size_t cursor = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&kad->contacts, &cursor));) {
        hf_kad_contact *c = slot->value;
        hf_kad_addresses_clear(kad->mem, &c->addresses);
        hf_release(kad->mem, c, sizeof *c);
    }
}

void hf_kad_contact_up(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id) {
    hf_kad_contact *c = hf_kad_contact_of(kad, id);
    if (!c) c = contact_new(kad, now_ms, id);
    if (c) c->connected = true; /* without memory it is nobody until it connects again */
}

/* A spare that is pushed out for a newer one is nothing any more. */
static void forget_spares(hf_kad *kad, hf_kad_contact *const *spares, size_t n, const hf_kad_contact *but) {
    for (size_t i = 0; i < n; i++)
        if (spares[i] != but) forget_if_idle(kad, spares[i]);
}

/* Is the one that was least recently seen still there? A short question tells. */
static void check(hf_kad *kad, uint64_t now_ms, hf_kad_contact *oldest) {
    if (oldest->checking || now_ms - oldest->seen_ms < HF_KAD_FRESH_MS) return;
    hf_buf message;
    hf_buf_init(&message, kad->mem);
    hf_kad_add_head(&message, HF_KAD_FIND_NODE, hf_peer_id_bytes(hf_swarm_self(kad->swarm)), NULL);
    oldest->checking = true;
    if (hf_kad_ask(kad, now_ms, NULL, &oldest->id, &oldest->addresses, HF_KAD_FIND_NODE, &message))
        oldest->checking = false;
}

static void put_into_table(hf_kad *kad, uint64_t now_ms, hf_kad_contact *c) {
    hf_kad_contact *oldest = NULL, *spares[HF_KAD_SPARES];
    unsigned shared = hf_kad_shared(kad->table.self, c->key);
    const hf_kad_bucket *b = shared < HF_KAD_BUCKETS ? kad->table.buckets[shared] : NULL;
    size_t n_spares = b ? b->n_spares : 0;
    for (size_t i = 0; i < n_spares; i++) spares[i] = b->spares[i];
    size_t n_before = kad->table.n;
    hf_err err = hf_kad_table_add(&kad->table, now_ms, c, &oldest);
    forget_spares(kad, spares, n_spares, c);
    if (err == HF_DENIED) forget_if_idle(kad, c);
    if (err == HF_LIMIT) check(kad, now_ms, oldest);
    if (!n_before && kad->table.n) hf_kad_refresh_joined(kad, now_ms);
}

static void take_out_of_table(hf_kad *kad, hf_kad_contact *c) {
    (void)hf_kad_table_remove(&kad->table, c);
    forget_if_idle(kad, c);
}

static bool serves(const hf_kad *kad, const hf_identify *said) {
    for (size_t i = 0; i < said->n_protocols; i++)
        if (hf_eq(said->protocols[i], hf_buf_bytes(&kad->protocol))) return true;
    return false;
}

static void learn_addresses(hf_kad *kad, hf_kad_contact *c, const hf_swarm_out *e) {
    hf_kad_addresses_clear(kad->mem, &c->addresses);
    for (size_t i = 0; i < e->identify->n_addresses; i++)
        if (hf_kad_addresses_add(kad->mem, &c->addresses, kad->takes, &c->id, e->identify->addresses[i])) return;
}

/* Where the connection comes from cannot be made up as easily as what identify says. */
static void learn_group(hf_kad *kad, hf_kad_contact *c, const hf_swarm_out *e) {
    c->group = hf_kad_group_of(hf_swarm_conn_remote(kad->swarm, e->conn));
    hf_bytes said[HF_KAD_ADDRESSES_MAX];
    size_t n = hf_kad_addresses_views(&c->addresses, said);
    for (size_t i = 0; i < n && !c->group.len; i++) c->group = hf_kad_group_of(said[i]);
}

void hf_kad_contact_identified(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *e) {
    hf_kad_contact_up(kad, now_ms, &e->peer);
    hf_kad_contact *c = hf_kad_contact_of(kad, &e->peer);
    if (!c) return;
    learn_addresses(kad, c, e);
    learn_group(kad, c, e);
    if (serves(kad, e->identify) && c->addresses.n)
        put_into_table(kad, now_ms, c);
    else if (c->place)
        take_out_of_table(kad, c);
}

void hf_kad_contact_down(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id) {
    (void)now_ms;
    hf_kad_contact *c = hf_kad_contact_of(kad, id);
    if (!c) return;
    for (hf_kad_served *s = kad->first_served, *next; s; s = next) {
        next = s->next;
        if (s->contact == c) hf_kad_served_drop(kad, s);
    }
    c->connected = false;
    forget_if_idle(kad, c);
}

void hf_kad_contact_seen(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id) {
    hf_kad_contact *c = hf_kad_contact_of(kad, id);
    if (!c) return;
    c->checking = false;
    c->failures = 0;
    if (c->place == HF_KAD_IN) put_into_table(kad, now_ms, c);
}

void hf_kad_contact_failed(hf_kad *kad, const hf_peer_id *id) {
    hf_kad_contact *c = hf_kad_contact_of(kad, id);
    if (!c) return;
    c->checking = false;
    if (!c->connected || ++c->failures >= FAILURES_MAX) take_out_of_table(kad, c);
}

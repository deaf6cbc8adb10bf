/* kad_query: a lookup. Its candidates stand in the order of their distance to the target. Of those that did not fail, the k closest are asked, alpha
 * at a time (of providers more of them, when a crowd sits at the key); the lookup is over when all of them have answered. With disjoint paths each peer belongs to the path that heard of it first, and
 * each path is over by itself: one liar leads only its own path astray (S/Kademlia). */
#include "kad_private.h"

#include "../crypto/crypto.h"

#include <string.h>

enum { SEEDS_PER_K = 4, CROWD_BITS = 3, AROUND_BITS = 2 };

hf_kad_candidate *hf_kad_query_find(hf_kad_op *op, const hf_peer_id *id) {
    size_t i = 0;
    while (i < op->n && !hf_peer_id_eq(&op->candidates[i].id, id)) i++;
    return i < op->n ? &op->candidates[i] : NULL;
}

/* ---- candidates ---- */

/* Room for one more: in a full list the farthest gives way, when nobody has asked it. */
static hf_err make_room(hf_kad *kad, hf_kad_op *op, const uint8_t distance[HF_KAD_KEY]) {
    if (op->n < HF_KAD_CANDIDATES_MAX)
        return hf_grow(kad->mem, (void **)&op->candidates, &op->cap, sizeof *op->candidates, op->n + 1);
    hf_kad_candidate *last = &op->candidates[op->n - 1];
    if (last->state != HF_KAD_NEW || memcmp(last->distance, distance, HF_KAD_KEY) <= 0) return HF_LIMIT;
    hf_kad_addresses_clear(kad->mem, &last->addresses);
    op->n--;
    return HF_OK;
}

/* Takes the candidate with its addresses, or frees them. */
static void insert(hf_kad *kad, hf_kad_op *op, hf_kad_candidate *c) {
    uint8_t key[HF_KAD_KEY];
    hf_sha256_of(hf_peer_id_bytes(&c->id), key);
    hf_kad_distance(key, op->target, c->distance);
    hf_err err = make_room(kad, op, c->distance);
    if (err) hf_kad_addresses_clear(kad->mem, &c->addresses);
    if (err == HF_NOMEM) op->err = err;
    if (err) return;
    size_t at = op->n++;
    while (at > 0 && memcmp(c->distance, op->candidates[at - 1].distance, HF_KAD_KEY) < 0) at--;
    memmove(op->candidates + at + 1, op->candidates + at, (op->n - 1 - at) * sizeof *c);
    op->candidates[at] = *c;
}

/* Where the k closest to any key should end, as the k closest to ourselves do: keys lie evenly, unless somebody drew his near that key to be all of its
 * k closest: they stand within a small part of that distance then. So all within four times that distance are told besides, and who looks asks everybody
 * that it heard of, until one knows. */
static void set_region(const hf_kad *kad, hf_kad_op *op) {
    hf_kad_contact *closest[HF_KAD_K_MAX];
    op->wide = op->kind == HF_KAD_OP_PROVIDE || op->kind == HF_KAD_OP_FIND_PROVIDERS;
    size_t n = hf_kad_table_closest(&kad->table, kad->table.self, NULL, closest, kad->config.k);
    memset(op->region, 0xff, sizeof op->region);
    if (n == kad->config.k) hf_kad_distance(closest[n - 1]->key, kad->table.self, op->region);
}

/* distance * 2^bits compared with the region: at most 8 bits */
static bool is_within(const hf_kad_op *op, const uint8_t distance[HF_KAD_KEY], unsigned bits) {
    if (distance[0] >> (8 - bits)) return false;
    for (size_t i = 0; i < HF_KAD_KEY; i++) {
        unsigned next = i + 1 < HF_KAD_KEY ? distance[i + 1] : 0, byte = (distance[i] << bits | next >> (8 - bits)) & 0xff;
        if (byte != op->region[i]) return byte < op->region[i];
    }
    return true;
}

static bool is_around(const hf_kad_op *op, const uint8_t distance[HF_KAD_KEY]) {
    uint8_t part[HF_KAD_KEY];
    for (size_t i = 0; i < HF_KAD_KEY; i++) part[i] = (uint8_t)(distance[i] >> AROUND_BITS | (i ? distance[i - 1] << (8 - AROUND_BITS) : 0));
    return is_within(op, part, 0);
}

bool hf_kad_query_beyond(const hf_kad_op *op, const hf_kad_candidate *kth, const hf_kad_candidate *c) {
    if (!kth) return false;
    bool crowd = op->wide && is_within(op, kth->distance, CROWD_BITS);
    return !crowd || (op->kind == HF_KAD_OP_PROVIDE && !is_around(op, c->distance));
}

/* More than k of them: they are asked only when others fail. */
hf_err hf_kad_query_start(hf_kad *kad, hf_kad_op *op) {
    hf_kad_contact *closest[HF_KAD_K_MAX * SEEDS_PER_K];
    set_region(kad, op);
    size_t n = hf_kad_table_closest(&kad->table, op->target, NULL, closest, kad->config.k * SEEDS_PER_K);
    for (size_t i = 0; i < n; i++) {
        hf_kad_candidate c = {.id = closest[i]->id, .path = (uint8_t)(i % kad->config.paths), .hops = 1};
        if ((op->err = hf_kad_addresses_copy(kad->mem, &c.addresses, &closest[i]->addresses))) return op->err;
        insert(kad, op, &c);
    }
    return n ? op->err : HF_MISSING;
}

/* What we know of a peer by its own word counts more than what another says of it. */
static void heard_of(hf_kad *kad, hf_kad_op *op, const hf_kad_peer *peer, uint8_t path, uint16_t hops) {
    if (hf_peer_id_eq(&peer->id, hf_swarm_self(kad->swarm)) || hf_kad_query_find(op, &peer->id)) return;
    hf_kad_candidate c = {.id = peer->id, .path = path, .hops = hops};
    const hf_kad_contact *known = hf_kad_contact_of(kad, &peer->id);
    hf_err err = known ? hf_kad_addresses_copy(kad->mem, &c.addresses, &known->addresses) : HF_OK;
    hf_pb_reader said = hf_kad_peer_addresses(peer);
    for (hf_bytes address; !err && (!known || !known->addresses.n) && hf_kad_address_next(&said, &address);)
        err = hf_kad_addresses_add(kad->mem, &c.addresses, kad->takes, &c.id, address);
    if (err) op->err = err;
    if (!err && (c.addresses.n || hf_swarm_connected(kad->swarm, &c.id))) return insert(kad, op, &c);
    hf_kad_addresses_clear(kad->mem, &c.addresses);
}

void hf_kad_query_learn(hf_kad *kad, hf_kad_op *op, const hf_kad_candidate *from, const hf_kad_message *answer) {
    uint8_t path = from->path; /* `from` moves when the list grows */
    uint16_t hops = (uint16_t)(from->hops + 1);
    hf_kad_peers peers = hf_kad_closer(answer);
    hf_kad_peer peer;
    for (size_t i = 0; i <= kad->config.k && hf_kad_peers_next(&peers, &peer); i++)
        heard_of(kad, op, &peer, path, hops);
}

/* ---- asking ---- */

static hf_kad_type question_of(hf_kad_op_kind kind) {
    return kind == HF_KAD_OP_GET              ? HF_KAD_GET_VALUE
           : kind == HF_KAD_OP_FIND_PROVIDERS ? HF_KAD_GET_PROVIDERS
                                              : HF_KAD_FIND_NODE;
}

static void ask(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_kad_candidate *c) {
    hf_buf message;
    hf_buf_init(&message, kad->mem);
    hf_kad_add_head(&message, question_of(op->kind), HF_BYTES(op->key, op->key_len), NULL);
    op->n_asked++;
    c->state = HF_KAD_ASKED;
    hf_err err = hf_kad_ask(kad, now_ms, op, &c->id, &c->addresses, question_of(op->kind), &message);
    if (err == HF_NOMEM) op->err = err;
    if (err) {
        c->state = HF_KAD_FAILED;
        return;
    }
    op->in_flight++;
    op->in_flight_of[c->path]++;
}

static bool may_ask(const hf_kad *kad, const hf_kad_op *op, size_t path) {
    return op->n_asked < HF_KAD_ASKED_MAX && op->in_flight < kad->config.alpha &&
           op->in_flight_of[path] < kad->config.alpha / kad->config.paths;
}

/* Of one path; true: it is over. */
static bool advance_path(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, size_t path) {
    size_t n_good = 0;
    const hf_kad_candidate *kth = NULL;
    bool over = true;
    for (size_t i = 0; i < op->n && !hf_kad_query_beyond(op, kth, &op->candidates[i]); i++) {
        hf_kad_candidate *c = &op->candidates[i];
        if (c->path != path || c->state == HF_KAD_FAILED) continue;
        if (c->state == HF_KAD_NEW && may_ask(kad, op, path)) ask(kad, now_ms, op, c);
        if (c->state == HF_KAD_FAILED) continue;
        if (++n_good == kad->config.k) kth = c;
        if (c->state == HF_KAD_ASKED || (c->state == HF_KAD_NEW && op->n_asked < HF_KAD_ASKED_MAX)) over = false;
    }
    return over;
}

bool hf_kad_query_advance(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    bool over = true;
    for (size_t path = 0; path < kad->config.paths; path++)
        if (!advance_path(kad, now_ms, op, path)) over = false;
    return over;
}

size_t hf_kad_query_closest(const hf_kad *kad, hf_kad_op *op, hf_kad_candidate **ret) {
    size_t n = 0;
    for (size_t i = 0; i < op->n && n < kad->config.k; i++)
        if (op->candidates[i].state == HF_KAD_ANSWERED) ret[n++] = &op->candidates[i];
    return n;
}

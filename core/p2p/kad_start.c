/* kad_start: the calls that start operations, and what of ours is said again. */
#include "kad_private.h"

#include "../codec/cid.h"
#include "../codec/varint.h"

static bool is_full(const hf_kad *kad) {
    return kad->n_ops >= HF_KAD_OPS_MAX;
}

/* A CIDv0 is a multihash as it stands; a CIDv1 begins with 01 and its codec. */
hf_err hf_kad_multihash(hf_bytes cid, hf_bytes *ret) {
    uint64_t codec;
    size_t len;
    hf_bytes bare = cid;
    if (cid.len > 1 && cid.ptr[0] == 1 && hf_cid_valid(cid) && !hf_varint_read(hf_sub(cid, 1, cid.len), &codec, &len))
        bare = hf_sub(cid, 1 + len, cid.len);
    if (bare.len > HF_KAD_KEY_MAX || !hf_multihash_valid(bare)) return HF_MALFORMED;
    *ret = bare;
    return HF_OK;
}

/* ---- peers ---- */

hf_err hf_kad_find_peer(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer, uint64_t *ret_op) {
    hf_kad_op *op =
        is_full(kad) ? NULL : hf_kad_op_new(kad, now_ms, HF_KAD_OP_FIND_PEER, hf_peer_id_bytes(peer), false);
    if (!op) return is_full(kad) ? HF_LIMIT : HF_NOMEM;
    *ret_op = op->id;
    const hf_kad_contact *known = hf_kad_contact_of(kad, peer);
    if (known && known->addresses.n) {
        hf_err err = hf_kad_emit(kad, HF_KAD_PEER, op->id, peer, &known->addresses);
        op->n_done = 1;
        hf_kad_op_end(kad, now_ms, op, err);
    } else
        hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

hf_err hf_kad_closest_peers(hf_kad *kad, uint64_t now_ms, hf_bytes key, uint64_t *ret_op) {
    if (!key.len || key.len > HF_KAD_KEY_MAX || is_full(kad)) return HF_LIMIT;
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_CLOSEST, key, false);
    if (!op) return HF_NOMEM;
    *ret_op = op->id;
    hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

/* ---- providers ---- */

static hf_err keep_provided(hf_kad *kad, uint64_t now_ms, hf_bytes key) {
    hf_kad_addresses ours = {NULL, 0, 0};
    hf_kad_own_addresses(kad, &ours);
    hf_kad_provider *p;
    hf_err err =
        ours.n ? hf_kad_store_provide(&kad->store, now_ms, key, hf_swarm_self(kad->swarm), &ours, true, &p) : HF_STATE;
    hf_kad_addresses_clear(kad->mem, &ours);
    if (err) return err;
    if (p->republish_ms == UINT64_MAX) kad->n_own_providers++;
    p->republish_ms = now_ms + kad->config.republish_ms;
    hf_kad_due(kad, kad->republish_ms);
    return HF_OK;
}

static hf_kad_provider *provided(hf_kad *kad, hf_bytes key) {
    hf_kad_shelf *shelf = hf_kad_store_shelf(&kad->store, key);
    hf_kad_provider *p = shelf ? shelf->first : NULL;
    while (p && !p->republish_ms) p = p->next_of_key;
    return p;
}

hf_err hf_kad_provide(hf_kad *kad, uint64_t now_ms, hf_bytes cid, uint64_t *ret_op) {
    hf_bytes key;
    hf_err err = hf_kad_multihash(cid, &key);
    if (err) return err;
    if (is_full(kad) || (!provided(kad, key) && kad->n_own_providers >= kad->config.own_max)) return HF_LIMIT;
    if ((err = keep_provided(kad, now_ms, key))) return err;
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_PROVIDE, key, false);
    if (!op) return HF_NOMEM;
    *ret_op = op->id;
    hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

void hf_kad_unprovide(hf_kad *kad, hf_bytes cid) {
    hf_bytes key;
    hf_kad_provider *p = hf_kad_multihash(cid, &key) ? NULL : provided(kad, key);
    if (!p) return;
    hf_kad_store_drop_provider(&kad->store, p);
    kad->n_own_providers--;
}

/* What is here comes first. */
static void tell_own_shelf(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    const hf_kad_shelf *shelf = hf_kad_store_shelf(&kad->store, HF_BYTES(op->key, op->key_len));
    static const hf_kad_addresses none = {NULL, 0, 0};
    for (const hf_kad_provider *p = shelf ? shelf->first : NULL; p; p = p->next_of_key)
        if (hf_kad_provider_counts(&kad->store, now_ms, p))
            hf_kad_op_provider(kad, op, &p->id,
                               hf_kad_provider_address_counts(&kad->store, now_ms, p) ? &p->addresses : &none);
}

hf_err hf_kad_find_providers(hf_kad *kad, uint64_t now_ms, hf_bytes cid, size_t n, uint64_t *ret_op) {
    hf_bytes key;
    hf_err err = hf_kad_multihash(cid, &key);
    if (err || is_full(kad)) return err ? err : HF_LIMIT;
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_FIND_PROVIDERS, key, false);
    if (!op) return HF_NOMEM;
    *ret_op = op->id;
    op->wanted = n ? n : kad->config.k;
    if (op->wanted > HF_KAD_PROVIDERS_A_LOOKUP) op->wanted = HF_KAD_PROVIDERS_A_LOOKUP;
    tell_own_shelf(kad, now_ms, op);
    if (op->n_found == op->wanted)
        hf_kad_op_end(kad, now_ms, op, HF_OK);
    else
        hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

/* ---- values ---- */

static hf_err may_put(hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value) {
    if (!key.len || key.len > HF_KAD_KEY_MAX || value.len > HF_KAD_VALUE_MAX || is_full(kad)) return HF_LIMIT;
    if (hf_kad_validate(kad, now_ms, key, value)) return HF_DENIED;
    const hf_kad_value *old = hf_kad_store_value(&kad->store, now_ms, key);
    if (old && hf_kad_better(kad, key, HF_BYTES(old->value, old->value_len), value)) return HF_DENIED;
    return !(old && old->republish_ms) && kad->n_own_values >= kad->config.own_max ? HF_LIMIT : HF_OK;
}

static hf_err run_put(hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value, bool internal, uint64_t *ret_op) {
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_PUT, key, internal);
    if (!op) return HF_NOMEM;
    *ret_op = op->id;
    if (hf_kad_op_take_value(kad, op, value))
        hf_kad_op_end(kad, now_ms, op, HF_NOMEM);
    else
        hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

hf_err hf_kad_put_value(hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value, uint64_t *ret_op) {
    hf_err err = may_put(kad, now_ms, key, value);
    if (!err) err = hf_kad_store_put(&kad->store, now_ms, hf_kad_unix(kad, now_ms), NULL, key, value);
    if (err) return err;
    hf_kad_value *v = hf_kad_store_value(&kad->store, now_ms, key);
    if (!v->republish_ms) kad->n_own_values++;
    v->republish_ms = now_ms + kad->config.republish_ms;
    hf_kad_due(kad, kad->republish_ms);
    return run_put(kad, now_ms, key, value, false, ret_op);
}

void hf_kad_forget(hf_kad *kad, hf_bytes key) {
    hf_kad_value *v = hf_map_get(&kad->store.values, key);
    if (!v || !v->republish_ms) return;
    hf_kad_store_drop_value(&kad->store, v);
    kad->n_own_values--;
}

hf_err hf_kad_get_value(hf_kad *kad, uint64_t now_ms, hf_bytes key, size_t quorum, uint64_t *ret_op) {
    if (!key.len || key.len > HF_KAD_KEY_MAX || is_full(kad)) return HF_LIMIT;
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_GET, key, false);
    if (!op) return HF_NOMEM;
    *ret_op = op->id;
    op->wanted = quorum;
    const hf_kad_value *here = hf_kad_store_value(&kad->store, now_ms, key);
    hf_bytes value = here ? HF_BYTES(here->value, here->value_len) : HF_BYTES(NULL, 0);
    if (here && !hf_kad_validate(kad, now_ms, key, value) && !hf_kad_op_take_value(kad, op, value)) op->n_done = 1;
    hf_kad_op_run(kad, now_ms, op);
    return HF_OK;
}

/* ---- again ---- */

static uint64_t again(hf_kad *kad, uint64_t now_ms) {
    return now_ms + kad->config.republish_ms;
}

static void republish_value(hf_kad *kad, uint64_t now_ms, hf_kad_value *v) {
    uint64_t op;
    if (run_put(kad, now_ms, HF_BYTES(v->key, v->key_len), HF_BYTES(v->value, v->value_len), true, &op)) return;
    v->republish_ms = again(kad, now_ms);
}

static void republish_provider(hf_kad *kad, uint64_t now_ms, hf_kad_provider *p) {
    hf_kad_op *op = hf_kad_op_new(kad, now_ms, HF_KAD_OP_PROVIDE, HF_BYTES(p->shelf->key, p->shelf->key_len), true);
    if (!op) return;
    p->republish_ms = again(kad, now_ms);
    p->received_ms = now_ms;
    hf_kad_own_addresses(kad, &p->addresses);
    hf_kad_op_run(kad, now_ms, op);
}

/* A few at a time: the host's own operations keep room. */
void hf_kad_republish(hf_kad *kad, uint64_t now_ms) {
    for (hf_kad_value *v = kad->store.first_value; v && kad->n_ops < HF_KAD_OPS_MAX / 4; v = v->next)
        if (v->republish_ms && v->republish_ms <= now_ms) republish_value(kad, now_ms, v);
    for (hf_kad_provider *p = kad->store.first_provider; p && kad->n_ops < HF_KAD_OPS_MAX / 4; p = p->next)
        if (p->republish_ms && p->republish_ms <= now_ms) republish_provider(kad, now_ms, p);
}

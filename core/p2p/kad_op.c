/* kad_op: operations: what a lookup is for, and what follows it. */
#include "kad_private.h"

#include "../crypto/crypto.h"

#include <string.h>

/* ---- life ---- */

static void join(hf_kad *kad, hf_kad_op *op) {
    op->next = kad->first_op;
    if (op->next) op->next->prev = op;
    kad->first_op = op;
    kad->n_ops++;
}

static void leave(hf_kad *kad, hf_kad_op *op) {
    if (op->prev)
        op->prev->next = op->next;
    else
        kad->first_op = op->next;
    if (op->next) op->next->prev = op->prev;
    op->next = op->prev = NULL;
    kad->n_ops--;
}

hf_kad_op *hf_kad_op_new(hf_kad *kad, uint64_t now_ms, hf_kad_op_kind kind, hf_bytes key, bool internal) {
    hf_kad_op *op = hf_alloc(kad->mem, sizeof *op);
    uint8_t *copy = op ? hf_alloc(kad->mem, key.len + 1) : NULL;
    if (!copy) {
        hf_release(kad->mem, op, sizeof *op);
        return NULL;
    }
    if (key.len) memcpy(copy, key.ptr, key.len);
    *op = (hf_kad_op){.kind = kind, .key = copy, .key_len = key.len};
    op->id = internal ? 0 : kad->next_op++;
    op->deadline_ms = now_ms + kad->config.lookup_ms;
    op->done.embedded = true;
    hf_sha256_of(key, op->target);
    hf_kad_due(kad, op->deadline_ms);
    join(kad, op);
    return op;
}

static void release(hf_kad *kad, hf_kad_op *op) {
    for (size_t i = 0; i < op->n; i++) hf_kad_addresses_clear(kad->mem, &op->candidates[i].addresses);
    hf_release(kad->mem, op->candidates, op->cap * sizeof *op->candidates);
    hf_release(kad->mem, op->value, op->value_cap);
    hf_release(kad->mem, op->found, op->found_cap * sizeof *op->found);
    op->candidates = NULL;
    op->value = NULL;
    op->found = NULL;
    op->n = op->cap = op->value_cap = op->found_cap = 0;
}

void hf_kad_op_free(hf_kad *kad, hf_kad_op *op) {
    release(kad, op);
    hf_release(kad->mem, op->key, op->key_len + 1);
    hf_release(kad->mem, op, sizeof *op);
}

/* The operation stays in memory until its end has been handed out. */
void hf_kad_op_end(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_err err) {
    op->over = true;
    hf_kad_requests_drop(kad, now_ms, op);
    leave(kad, op);
    release(kad, op);
    op->done.kind = HF_KAD_DONE;
    op->done.op = op->id;
    op->done.err = op->err ? op->err : err;
    op->done.n = op->n_done;
    op->done.n_asked = op->n_asked;
    op->done.n_hops = op->n_hops;
    hf_kad_emit_item(kad, &op->done);
    if (kad->refresh_op == op) hf_kad_refresh_done(kad, now_ms);
}

/* ---- results ---- */

hf_err hf_kad_op_take_value(hf_kad *kad, hf_kad_op *op, hf_bytes value) {
    uint8_t *copy = hf_alloc(kad->mem, value.len + 1);
    if (!copy) return HF_NOMEM;
    if (value.len) memcpy(copy, value.ptr, value.len);
    hf_release(kad->mem, op->value, op->value_cap);
    op->value = copy;
    op->value_len = value.len;
    op->value_cap = value.len + 1;
    return HF_OK;
}

static hf_err emit_peer(hf_kad *kad, const hf_kad_op *op, hf_kad_kind kind, const hf_peer_id *id,
                        const hf_kad_addresses *addresses) {
    return op->id ? hf_kad_emit(kad, kind, op->id, id, addresses) : HF_OK;
}

void hf_kad_op_provider(hf_kad *kad, hf_kad_op *op, const hf_peer_id *id, const hf_kad_addresses *addresses) {
    for (size_t i = 0; i < op->n_found; i++)
        if (hf_peer_id_eq(&op->found[i], id)) return;
    if (op->n_found == op->wanted) return;
    hf_err err = hf_grow(kad->mem, (void **)&op->found, &op->found_cap, sizeof *op->found, op->n_found + 1);
    if (!err) err = emit_peer(kad, op, HF_KAD_PROVIDER, id, addresses);
    if (err) {
        op->err = err;
        return;
    }
    op->found[op->n_found++] = *id;
    op->n_done = op->n_found;
}

static hf_err emit_value(hf_kad *kad, hf_kad_op *op) {
    hf_kad_item *item = hf_alloc(kad->mem, sizeof *item);
    uint8_t *copy = item && op->value_len ? hf_alloc(kad->mem, op->value_len) : NULL;
    if (!item || (op->value_len && !copy)) {
        hf_release(kad->mem, item, sizeof *item);
        return HF_NOMEM;
    }
    if (copy) memcpy(copy, op->value, op->value_len);
    *item = (hf_kad_item){.kind = HF_KAD_VALUE, .op = op->id, .value = copy, .value_len = op->value_len};
    hf_kad_emit_item(kad, item);
    return HF_OK;
}

/* ---- what follows a lookup ---- */

static void write_put(hf_kad *kad, uint64_t now_ms, const hf_kad_op *op, hf_buf *message) {
    hf_buf record;
    hf_buf_init(&record, kad->mem);
    hf_bytes key = HF_BYTES(op->key, op->key_len);
    hf_kad_record_add(&record, key, HF_BYTES(op->value, op->value_len), hf_kad_unix(kad, now_ms));
    hf_bytes bytes = hf_buf_bytes(&record);
    hf_kad_add_head(message, HF_KAD_PUT_VALUE, key, &bytes);
    if (record.err) message->err = record.err;
    hf_buf_deinit(&record);
}

static void write_provide(hf_kad *kad, const hf_kad_op *op, hf_buf *message) {
    hf_kad_addresses ours = {NULL, 0, 0};
    hf_kad_own_addresses(kad, &ours);
    hf_kad_add_head(message, HF_KAD_ADD_PROVIDER, HF_BYTES(op->key, op->key_len), NULL);
    hf_kad_add_provider(message, hf_swarm_self(kad->swarm), hf_kad_addresses_packed(&ours));
    hf_kad_addresses_clear(kad->mem, &ours);
}

static void tell_one(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_kad_candidate *c) {
    hf_buf message;
    hf_buf_init(&message, kad->mem);
    bool puts = op->kind == HF_KAD_OP_PUT;
    if (puts)
        write_put(kad, now_ms, op, &message);
    else
        write_provide(kad, op, &message);
    c->told = true;
    hf_err err =
        hf_kad_ask(kad, now_ms, op, &c->id, &c->addresses, puts ? HF_KAD_PUT_VALUE : HF_KAD_ADD_PROVIDER, &message);
    if (!err)
        op->in_flight++;
    else if (err == HF_NOMEM)
        op->err = err;
}

/* Puts the value or says that we provide, to the closest that answered; of providers to more, see hf_kad_query_beyond. */
static void tell(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    size_t n = 0;
    const hf_kad_candidate *kth = NULL;
    for (size_t i = 0; i < op->n && op->in_flight < kad->config.alpha; i++) {
        hf_kad_candidate *c = &op->candidates[i];
        if (c->state != HF_KAD_ANSWERED) continue;
        if (hf_kad_query_beyond(op, kth, c)) break;
        if (++n == kad->config.k) kth = c;
        if (!c->told) tell_one(kad, now_ms, op, c);
    }
    if (!op->in_flight) hf_kad_op_end(kad, now_ms, op, op->n_done ? HF_OK : HF_NOT_FOUND);
}

static void start_telling(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    hf_kad_requests_drop(kad, now_ms, op);
    op->telling = true;
    op->in_flight = 0;
    op->deadline_ms = now_ms + kad->config.lookup_ms;
    hf_kad_due(kad, op->deadline_ms);
    tell(kad, now_ms, op);
}

/* Whoever had a worse value, and the closest who had none, get the best. They are connected; nobody waits for it. */
static void correct(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    size_t n_closest = 0;
    for (size_t i = 0; i < op->n; i++) {
        hf_kad_candidate *c = &op->candidates[i];
        if (c->state != HF_KAD_ANSWERED) continue;
        bool close = n_closest++ < kad->config.k;
        if (c->had == HF_KAD_HAD_BEST || (c->had == HF_KAD_HAD_NOTHING && !close)) continue;
        hf_buf message;
        hf_buf_init(&message, kad->mem);
        write_put(kad, now_ms, op, &message);
        if (hf_swarm_connected(kad->swarm, &c->id))
            (void)!hf_kad_ask(kad, now_ms, NULL, &c->id, NULL, HF_KAD_PUT_VALUE, &message);
        else
            hf_buf_deinit(&message);
    }
}

/* What we hold ourselves is corrected, too. */
static void correct_ours(hf_kad *kad, uint64_t now_ms, const hf_kad_op *op) {
    hf_bytes key = HF_BYTES(op->key, op->key_len), best = HF_BYTES(op->value, op->value_len);
    const hf_kad_value *ours = hf_kad_store_value(&kad->store, now_ms, key);
    if (!ours || !hf_kad_better(kad, key, best, HF_BYTES(ours->value, ours->value_len))) return;
    hf_peer_id from = ours->from;
    (void)!hf_kad_store_put(&kad->store, now_ms, hf_kad_unix(kad, now_ms), from.len ? &from : NULL, key, best);
}

static void finish_get(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_err why_no_more) {
    if (!op->value_cap) return hf_kad_op_end(kad, now_ms, op, why_no_more == HF_OK ? HF_NOT_FOUND : why_no_more);
    hf_err err = emit_value(kad, op);
    correct_ours(kad, now_ms, op);
    correct(kad, now_ms, op);
    hf_kad_op_end(kad, now_ms, op, err);
}

static void finish_closest(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_err why) {
    hf_kad_candidate *closest[HF_KAD_K_MAX];
    size_t n = hf_kad_query_closest(kad, op, closest);
    for (size_t i = 0; i < n && !op->err; i++)
        op->err = emit_peer(kad, op, HF_KAD_PEER, &closest[i]->id, &closest[i]->addresses);
    op->n_done = n;
    hf_kad_op_end(kad, now_ms, op, why ? why : n ? HF_OK : HF_NOT_FOUND);
}

/* The lookup is over; `why` HF_OK: it came to its end, else why it was broken off. */
static void lookup_over(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_err why) {
    if (!why && op->n_asked >= HF_KAD_ASKED_MAX) why = HF_LIMIT;
    switch (op->kind) {
    case HF_KAD_OP_CLOSEST:
        return finish_closest(kad, now_ms, op, why);
    case HF_KAD_OP_GET:
        return finish_get(kad, now_ms, op, why);
    case HF_KAD_OP_PROVIDE:
    case HF_KAD_OP_PUT:
        if (why != HF_MISSING) return start_telling(kad, now_ms, op);
        return hf_kad_op_end(kad, now_ms, op, why);
    case HF_KAD_OP_FIND_PROVIDERS:
        return hf_kad_op_end(kad, now_ms, op, op->n_found ? HF_OK : why ? why : HF_NOT_FOUND);
    case HF_KAD_OP_FIND_PEER:
        return hf_kad_op_end(kad, now_ms, op, why ? why : HF_NOT_FOUND);
    }
}

static void step(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    if (op->telling)
        tell(kad, now_ms, op);
    else if (hf_kad_query_advance(kad, now_ms, op))
        lookup_over(kad, now_ms, op, HF_OK);
}

void hf_kad_op_run(hf_kad *kad, uint64_t now_ms, hf_kad_op *op) {
    unsigned shared = hf_kad_shared(kad->table.self, op->target);
    if (shared < HF_KAD_BUCKETS && kad->table.buckets[shared]) kad->table.buckets[shared]->looked_ms = now_ms;
    if (op->kind == HF_KAD_OP_GET && op->wanted && op->n_done >= op->wanted) return finish_get(kad, now_ms, op, HF_OK);
    hf_err err = hf_kad_query_start(kad, op);
    if (err)
        lookup_over(kad, now_ms, op, err);
    else
        step(kad, now_ms, op);
}

/* ---- answers ---- */

/* True: the operation is over. */
static bool take_peer(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_kad_message *answer) {
    hf_kad_peers peers = hf_kad_closer(answer);
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer);) {
        if (!hf_eq(hf_peer_id_bytes(&peer.id), HF_BYTES(op->key, op->key_len))) continue;
        hf_kad_addresses addresses = {NULL, 0, 0};
        hf_pb_reader said = hf_kad_peer_addresses(&peer);
        for (hf_bytes address; !op->err && hf_kad_address_next(&said, &address);)
            op->err = hf_kad_addresses_add(kad->mem, &addresses, kad->takes, &peer.id, address);
        bool found = addresses.n > 0;
        if (found && !op->err) op->err = emit_peer(kad, op, HF_KAD_PEER, &peer.id, &addresses);
        hf_kad_addresses_clear(kad->mem, &addresses);
        op->n_done += found;
        if (found) hf_kad_op_end(kad, now_ms, op, HF_OK);
        if (found) return true;
    }
    return false;
}

static bool take_providers(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_kad_message *answer) {
    hf_kad_peers peers = hf_kad_providers(answer);
    for (hf_kad_peer peer; hf_kad_peers_next(&peers, &peer);) {
        hf_kad_addresses addresses = {NULL, 0, 0};
        hf_pb_reader said = hf_kad_peer_addresses(&peer);
        for (hf_bytes address; !op->err && hf_kad_address_next(&said, &address);)
            op->err = hf_kad_addresses_add(kad->mem, &addresses, kad->takes, &peer.id, address);
        hf_kad_op_provider(kad, op, &peer.id, &addresses);
        hf_kad_addresses_clear(kad->mem, &addresses);
    }
    if (op->n_found < op->wanted) return false;
    hf_kad_op_end(kad, now_ms, op, HF_OK);
    return true;
}

static void compare_value(hf_kad *kad, hf_kad_op *op, hf_kad_candidate *from, hf_bytes value) {
    hf_bytes key = HF_BYTES(op->key, op->key_len), best = HF_BYTES(op->value, op->value_len);
    bool better = !op->value_cap || hf_kad_better(kad, key, value, best);
    from->had = better || hf_eq(value, best) ? HF_KAD_HAD_BEST : HF_KAD_HAD_WORSE;
    if (!better) return;
    for (size_t i = 0; i < op->n && op->value_cap; i++)
        if (&op->candidates[i] != from && op->candidates[i].had == HF_KAD_HAD_BEST && !hf_eq(value, best))
            op->candidates[i].had = HF_KAD_HAD_WORSE;
    hf_err err = hf_kad_op_take_value(kad, op, value);
    if (err) op->err = err;
}

static bool take_record(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_kad_candidate *from,
                        const hf_kad_message *answer) {
    hf_kad_record record;
    hf_bytes key = HF_BYTES(op->key, op->key_len);
    if (!answer->has_record || hf_kad_record_read(answer->record, &record, NULL) || !hf_eq(record.key, key))
        return false;
    if (hf_kad_validate(kad, now_ms, key, record.value)) return false;
    compare_value(kad, op, from, record.value);
    op->n_done++;
    if (!op->wanted || op->n_done < op->wanted) return false;
    finish_get(kad, now_ms, op, HF_OK);
    return true;
}

static bool put_was_taken(const hf_kad_op *op, const hf_kad_message *answer) {
    hf_kad_record record;
    return answer->has_record && !hf_kad_record_read(answer->record, &record, NULL) &&
           hf_eq(record.value, HF_BYTES(op->value, op->value_len));
}

/* True: the operation is over. */
static bool take_answer(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_kad_candidate *c,
                        const hf_kad_message *answer) {
    c->state = HF_KAD_ANSWERED;
    op->in_flight--;
    op->in_flight_of[c->path]--;
    if (c->hops > op->n_hops) op->n_hops = c->hops;
    switch (op->kind) {
    case HF_KAD_OP_FIND_PEER:
        if (take_peer(kad, now_ms, op, answer)) return true;
        break;
    case HF_KAD_OP_FIND_PROVIDERS:
        if (take_providers(kad, now_ms, op, answer)) return true;
        break;
    case HF_KAD_OP_GET:
        if (take_record(kad, now_ms, op, c, answer)) return true;
        break;
    default:
        break;
    }
    hf_kad_query_learn(kad, op, c, answer);
    return false;
}

void hf_kad_op_answer(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer, hf_kad_type type,
                      const hf_kad_message *answer) {
    hf_kad_candidate *c = hf_kad_query_find(op, peer);
    if (!c || op->over) return;
    if (op->telling) {
        op->in_flight--;
        op->n_done += type == HF_KAD_ADD_PROVIDER || put_was_taken(op, answer);
    } else if (c->state != HF_KAD_ASKED || take_answer(kad, now_ms, op, c, answer))
        return;
    step(kad, now_ms, op);
}

void hf_kad_op_failure(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer, hf_kad_type type) {
    (void)type;
    hf_kad_candidate *c = hf_kad_query_find(op, peer);
    if (!c || op->over) return;
    op->in_flight--;
    if (!op->telling) {
        c->state = HF_KAD_FAILED;
        op->in_flight_of[c->path]--;
    }
    step(kad, now_ms, op);
}

/* ---- time ---- */

static hf_kad_op *expired(hf_kad *kad, uint64_t now_ms) {
    hf_kad_op *op = kad->first_op;
    while (op && op->deadline_ms > now_ms) op = op->next;
    return op;
}

void hf_kad_ops_tick(hf_kad *kad, uint64_t now_ms) {
    for (hf_kad_op *op; (op = expired(kad, now_ms));) {
        if (op->telling)
            hf_kad_op_end(kad, now_ms, op, op->n_done ? HF_OK : HF_LIMIT);
        else
            lookup_over(kad, now_ms, op, HF_LIMIT);
    }
    for (hf_kad_op *op = kad->first_op; op; op = op->next) hf_kad_due(kad, op->deadline_ms);
}

/* kad: see kad.h. The face: life, events, what comes out, time. */
#include "kad_private.h"

#include "../crypto/crypto.h"

#include <string.h>

enum { HOUR_MS = 3600 * 1000 };

/* ---- life ---- */

static void or_default(uint32_t *value, uint32_t fallback) {
    if (!*value) *value = fallback;
}

static void take_config(hf_kad *kad, const hf_kad_config *config) {
    hf_kad_config *c = &kad->config;
    *c = *config;
    or_default(&c->k, 20);
    or_default(&c->alpha, 10);
    or_default(&c->paths, 1);
    or_default(&c->per_group_max, 2);
    or_default(&c->request_ms, 10000);
    or_default(&c->lookup_ms, 60000);
    or_default(&c->refresh_ms, 600000);
    or_default(&c->values_max, 1024);
    or_default(&c->value_bytes_max, 8 << 20);
    or_default(&c->values_per_peer_max, 128);
    or_default(&c->providers_max, 8192);
    or_default(&c->providers_per_key_max, 64);
    or_default(&c->providers_per_peer_max, 1024);
    or_default(&c->own_max, 1024);
    or_default(&c->value_ms, 36 * HOUR_MS);
    or_default(&c->provider_ms, 48 * HOUR_MS);
    or_default(&c->provider_address_ms, 24 * HOUR_MS);
    or_default(&c->republish_ms, 22 * HOUR_MS);
    if (c->k > HF_KAD_K_MAX) c->k = HF_KAD_K_MAX;
    if (c->paths > HF_KAD_PATHS_MAX) c->paths = HF_KAD_PATHS_MAX;
    if (c->paths > c->alpha) c->paths = c->alpha;
    kad->takes = config->network == HF_KAD_WAN   ? HF_KAD_TAKES_PUBLIC
                 : config->network == HF_KAD_LAN ? HF_KAD_TAKES_PRIVATE | HF_KAD_TAKES_LOOPBACK
                                                 : HF_KAD_TAKES_PUBLIC | HF_KAD_TAKES_PRIVATE | HF_KAD_TAKES_LOOPBACK;
}

/* "/pk/<peer ID>" holds the public key of that peer. */
static hf_err validate_pk(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value) {
    (void)ctx, (void)unix_ms;
    hf_peer_id id;
    if (hf_peer_id_of_key(value, &id)) return HF_MALFORMED;
    return hf_eq(hf_sub(key, 4, key.len), hf_peer_id_bytes(&id)) ? HF_OK : HF_DENIED;
}

static bool add_rule(hf_kad *kad, const hf_kad_validator *v) {
    size_t len = strlen(v->ns);
    if (kad->n_rules == HF_KAD_VALIDATORS_MAX || len == 0 || len >= sizeof kad->rules->ns) return false;
    hf_kad_rule *r = &kad->rules[kad->n_rules++];
    memcpy(r->ns, v->ns, len + 1);
    r->validator = *v;
    r->validator.ns = r->ns;
    return true;
}

static bool add_rules(hf_kad *kad, const hf_kad_config *config) {
    bool ok = add_rule(kad, &(hf_kad_validator){.ns = "pk", .validate = validate_pk});
    for (size_t i = 0; i < config->n_validators && ok; i++) ok = add_rule(kad, &config->validators[i]);
    return ok;
}

static hf_kad_limits limits_of(const hf_kad_config *c) {
    return (hf_kad_limits){.values_max = c->values_max,
                           .value_bytes_max = c->value_bytes_max,
                           .providers_max = c->providers_max,
                           .providers_per_key_max = c->providers_per_key_max,
                           .per_peer_values_max = c->values_per_peer_max,
                           .per_peer_providers_max = c->providers_per_peer_max,
                           .value_ms = c->value_ms,
                           .provider_ms = c->provider_ms,
                           .provider_address_ms = c->provider_address_ms};
}

hf_kad *hf_kad_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_kad_config *config) {
    hf_kad *kad = hf_alloc(mem, sizeof *kad);
    if (!kad) return NULL;
    *kad =
        (hf_kad){.mem = mem, .swarm = swarm, .tag = tag, .next_op = 1, .due_ms = UINT64_MAX, .refresh_ms = UINT64_MAX};
    kad->refreshing = HF_KAD_BUCKETS;
    take_config(kad, config);
    uint8_t self[HF_KAD_KEY];
    hf_sha256_of(hf_peer_id_bytes(hf_swarm_self(swarm)), self);
    config->random(config->random_ctx, (uint8_t *)&kad->seed, sizeof kad->seed);
    hf_kad_limits limits = limits_of(&kad->config);
    hf_kad_store_init(&kad->store, mem, &limits, self, kad->seed);
    hf_kad_table_init(&kad->table, mem, kad->config.k, self);
    if (config->network != HF_KAD_LAN && config->per_group_max != UINT32_MAX)
        kad->table.per_group_max = kad->config.per_group_max;
    kad->table.loopback_is_free = true;
    hf_map_init(&kad->contacts, mem, kad->seed);
    hf_map_init(&kad->asked, mem, kad->seed);
    hf_map_init(&kad->served, mem, kad->seed);
    hf_buf_init(&kad->protocol, mem);
    hf_buf_add(&kad->protocol, config->protocol.len ? config->protocol : HF_TEXT(HF_KAD_PROTOCOL));
    if (!kad->protocol.err && add_rules(kad, config) && !(config->server && hf_kad_serve(kad))) return kad;
    hf_kad_free(kad);
    return NULL;
}

hf_err hf_kad_serve(hf_kad *kad) {
    if (kad->server) return HF_OK;
    hf_err err = hf_swarm_protocol(kad->swarm, hf_buf_bytes(&kad->protocol), kad->tag);
    kad->server = !err;
    return err;
}

static void drop_served(hf_kad *kad, uint64_t now_ms) {
    while (kad->first_served) {
        hf_swarm_stream_reset(kad->swarm, now_ms, kad->first_served->stream);
        hf_kad_served_drop(kad, kad->first_served);
    }
}

void hf_kad_serve_no_more(hf_kad *kad, uint64_t now_ms) {
    if (!kad->server) return;
    kad->server = false;
    hf_swarm_protocol_drop(kad->swarm, hf_buf_bytes(&kad->protocol));
    drop_served(kad, now_ms);
}

static void item_free(hf_kad *kad, hf_kad_item *item) {
    hf_kad_addresses_clear(kad->mem, &item->addresses);
    hf_release(kad->mem, item->value, item->value_len);
    if (item->embedded)
        hf_kad_op_free(kad, (hf_kad_op *)((uint8_t *)item - offsetof(hf_kad_op, done)));
    else
        hf_release(kad->mem, item, sizeof *item);
}

static void free_outputs(hf_kad *kad) {
    if (kad->shown) item_free(kad, kad->shown);
    kad->shown = NULL;
    while (kad->out) {
        hf_kad_item *item = kad->out;
        kad->out = item->next;
        item_free(kad, item);
    }
    kad->out_last = NULL;
}

void hf_kad_free(hf_kad *kad) {
    if (!kad) return;
    hf_kad_requests_drop(kad, kad->now_ms, NULL);
    drop_served(kad, kad->now_ms);
    while (kad->first_op) {
        hf_kad_op *op = kad->first_op;
        kad->first_op = op->next;
        hf_kad_op_free(kad, op);
    }
    free_outputs(kad);
    hf_kad_contacts_free(kad);
    hf_kad_table_deinit(&kad->table);
    hf_kad_store_deinit(&kad->store);
    hf_map_deinit(&kad->contacts);
    hf_map_deinit(&kad->asked);
    hf_map_deinit(&kad->served);
    hf_buf_deinit(&kad->protocol);
    hf_release(kad->mem, kad, sizeof *kad);
}

/* ---- what others of our files ask ---- */

void hf_kad_clock(hf_kad *kad, uint64_t now_ms, uint64_t unix_ms) {
    kad->unix_offset_ms = unix_ms - now_ms;
}

uint64_t hf_kad_unix(const hf_kad *kad, uint64_t now_ms) {
    return now_ms + kad->unix_offset_ms;
}

void hf_kad_due(hf_kad *kad, uint64_t at_ms) {
    if (at_ms < kad->due_ms) kad->due_ms = at_ms;
}

void hf_kad_own_addresses(hf_kad *kad, hf_kad_addresses *ret) {
    hf_kad_addresses_clear(kad->mem, ret);
    hf_bytes address;
    for (size_t i = 0; (address = hf_swarm_address(kad->swarm, i)).len; i++)
        if (hf_kad_addresses_add(kad->mem, ret, kad->takes, hf_swarm_self(kad->swarm), address)) return;
}

/* The rule for "/<namespace>/…". */
static const hf_kad_validator *rule_of(const hf_kad *kad, hf_bytes key) {
    size_t end = hf_find(key, '/', 1);
    if (key.len < 3 || key.ptr[0] != '/' || end + 1 >= key.len) return NULL;
    hf_bytes ns = hf_sub(key, 1, end - 1);
    for (size_t i = 0; i < kad->n_rules; i++)
        if (hf_eq(ns, hf_str(kad->rules[i].ns))) return &kad->rules[i].validator;
    return NULL;
}

hf_err hf_kad_validate(const hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value) {
    const hf_kad_validator *v = rule_of(kad, key);
    return v ? v->validate(v->ctx, hf_kad_unix(kad, now_ms), key, value) : HF_DENIED;
}

bool hf_kad_better(const hf_kad *kad, hf_bytes key, hf_bytes a, hf_bytes b) {
    const hf_kad_validator *v = rule_of(kad, key);
    return v && v->better && v->better(v->ctx, key, a, b);
}

/* ---- events ---- */

static void stream_event(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *e) {
    hf_kad_request *r = hf_map_get(&kad->asked, HF_BYTES(&e->stream, sizeof e->stream));
    if (r)
        hf_kad_request_event(kad, now_ms, r, e);
    else
        hf_kad_served_event(kad, now_ms, e);
}

void hf_kad_event(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *e) {
    kad->now_ms = now_ms;
    switch (e->kind) {
    case HF_SWARM_CONN_UP:
        hf_kad_contact_up(kad, now_ms, &e->peer);
        hf_kad_requests_up(kad, now_ms, &e->peer);
        break;
    case HF_SWARM_IDENTIFIED:
        hf_kad_contact_identified(kad, now_ms, e);
        break;
    case HF_SWARM_CONN_DOWN:
        if (e->last) hf_kad_contact_down(kad, now_ms, &e->peer);
        break;
    case HF_SWARM_STREAM_OPEN:
    case HF_SWARM_STREAM_DATA:
    case HF_SWARM_STREAM_FIN:
    case HF_SWARM_STREAM_DRAINED:
    case HF_SWARM_STREAM_GONE:
        stream_event(kad, now_ms, e);
        break;
    default:
        break;
    }
}

void hf_kad_dial_failed(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer) {
    hf_kad_requests_unreachable(kad, now_ms, peer);
}

/* ---- what comes out ---- */

void hf_kad_emit_item(hf_kad *kad, hf_kad_item *item) {
    item->next = NULL;
    if (kad->out_last)
        kad->out_last->next = item;
    else
        kad->out = item;
    kad->out_last = item;
}

hf_err hf_kad_emit(hf_kad *kad, hf_kad_kind kind, uint64_t op, const hf_peer_id *peer,
                   const hf_kad_addresses *addresses) {
    hf_kad_item *item = hf_alloc(kad->mem, sizeof *item);
    if (!item) return HF_NOMEM;
    *item = (hf_kad_item){.kind = kind, .op = op, .peer = *peer};
    if (hf_kad_addresses_copy(kad->mem, &item->addresses, addresses)) {
        hf_release(kad->mem, item, sizeof *item);
        return HF_NOMEM;
    }
    hf_kad_emit_item(kad, item);
    return HF_OK;
}

static hf_kad_item *take_item(hf_kad *kad) {
    hf_kad_item *item = kad->out;
    if (!item) return NULL;
    kad->out = item->next;
    if (!kad->out) kad->out_last = NULL;
    return item;
}

/* The end of our own housekeeping is nobody's business. */
hf_kad_kind hf_kad_next(hf_kad *kad, hf_kad_out *ret_out) {
    if (kad->shown) item_free(kad, kad->shown);
    while ((kad->shown = take_item(kad)) && kad->shown->kind == HF_KAD_DONE && !kad->shown->op)
        item_free(kad, kad->shown);
    *ret_out = (hf_kad_out){.kind = HF_KAD_NONE};
    hf_kad_item *item = kad->shown;
    if (!item) return HF_KAD_NONE;
    *ret_out = (hf_kad_out){.kind = item->kind,
                            .op = item->op,
                            .peer = item->peer,
                            .addresses = kad->shown_addresses,
                            .n_addresses = hf_kad_addresses_views(&item->addresses, kad->shown_addresses),
                            .value = HF_BYTES(item->value, item->value_len),
                            .err = item->err,
                            .n = item->n,
                            .n_asked = item->n_asked,
                            .n_hops = item->n_hops};
    return item->kind;
}

static void drop_outputs_of(hf_kad *kad, uint64_t op) {
    hf_kad_item *item = kad->out;
    kad->out = kad->out_last = NULL;
    for (hf_kad_item *next; item; item = next) {
        next = item->next;
        if (item->op == op && item->kind != HF_KAD_DIAL)
            item_free(kad, item);
        else
            hf_kad_emit_item(kad, item);
    }
}

void hf_kad_cancel(hf_kad *kad, uint64_t now_ms, uint64_t id) {
    hf_kad_op *op = kad->first_op;
    while (op && op->id != id) op = op->next;
    if (!id) return;
    if (op) hf_kad_op_end(kad, now_ms, op, HF_STATE);
    drop_outputs_of(kad, id);
}

/* ---- time ---- */

uint64_t hf_kad_deadline(const hf_kad *kad) {
    return kad->due_ms;
}

void hf_kad_tick(hf_kad *kad, uint64_t now_ms) {
    if (now_ms < kad->due_ms) return;
    kad->due_ms = UINT64_MAX;
    hf_kad_requests_tick(kad, now_ms);
    hf_kad_ops_tick(kad, now_ms);
    hf_kad_serve_tick(kad, now_ms);
    hf_kad_refresh_tick(kad, now_ms);
}

/* ---- looking in ---- */

size_t hf_kad_table_size(const hf_kad *kad) {
    return kad->table.n;
}
size_t hf_kad_n_values(const hf_kad *kad) {
    return kad->store.n_values;
}
size_t hf_kad_n_providers(const hf_kad *kad) {
    return kad->store.n_providers;
}

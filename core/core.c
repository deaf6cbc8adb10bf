/* core: see core.h. Ties app, collections, logs and the peer together; owns no protocol and no rule of its own.
 *
 *   handle -> app -> operations -> log.append -> collection.apply -> STORE
 *   recv   -> host -> swarm -> bitswap | sync | signal;  sync -> log.join -> collection.apply -> STORE
 *   stored -> sync.durable: only now do others see what we wrote
 */
#include "core_private.h"

#include "codec/dag_cbor.h"
#include "codec/json.h"
#include "codec/varint.h"
#include "core_tags.h"

#include <string.h>

enum { CONNS_MAX = 1200 };

void hf_secrets_make(void (*random)(void *ctx, uint8_t *out, size_t len), void *ctx, hf_secrets *ret) {
    /* A secp256k1 secret is invalid with probability 2^-128; zero is the case worth excluding, the top bit cleared excludes the other. */
    random(ctx, (uint8_t *)ret, sizeof *ret);
    ret->root[0] &= 0x7f, ret->signing[0] &= 0x7f;
    ret->root[31] |= 1, ret->signing[31] |= 1;
}

/* ---- life ---- */

static hf_err database_init(hf_core *core, hf_core_db *d, const hf_schema *schema) {
    hf_access_add_block(&d->access_block, schema->write, schema->n_write);
    if (d->access_block.err) return HF_NOMEM;
    hf_cid_of(hf_buf_bytes(&d->access_block), d->access_cid);

    /* The name is "app/collection", so that every node and browser that runs the app computes the same address. */
    hf_buf name;
    hf_buf_init(&name, core->mem);
    hf_buf_add(&name, hf_app_name(core->app));
    hf_buf_add_byte(&name, '/');
    hf_buf_add(&name, schema->name);
    hf_manifest_add_block(&d->manifest_block, hf_buf_bytes(&name), HF_TEXT("collection"), d->access_cid);
    hf_err err = name.err ? name.err : d->manifest_block.err;
    hf_buf_deinit(&name);
    if (err) return err;
    hf_cid_of(hf_buf_bytes(&d->manifest_block), d->manifest_cid);
    hf_manifest_address(d->manifest_cid, d->address);

    uint64_t seeds[2];
    core->config.random(core->config.random_ctx, (uint8_t *)seeds, sizeof seeds);
    hf_log_config log = {HF_BYTES(d->address, HF_ADDRESS_LEN), schema->write, schema->n_write, seeds[0], NULL, NULL};
    d->log = hf_log_new(core->mem, &log);
    d->collection = hf_collection_new(core->mem, schema, seeds[1]);
    if (!d->log || !d->collection) return HF_NOMEM;
    return hf_log_identity(d->log, &core->self);
}

static hf_err identity_init(hf_core *core) {
    uint8_t seed[32];
    core->config.random(core->config.random_ctx, seed, sizeof seed);
    core->secp = hf_secp_new(core->mem, seed);
    if (!core->secp) return HF_NOMEM;
    const hf_secrets *secrets = core->config.secrets;
    hf_err err = hf_writer_init(&core->writer, core->mem, core->secp, secrets->root, secrets->signing);
    if (err) return err;
    hf_fault fault;
    err = hf_identity_read(hf_buf_bytes(&core->writer.block), &core->scratch, &core->self, &fault);
    hf_arena_clear(&core->scratch);
    return err;
}

static hf_err app_init(hf_core *core, hf_arena *arena, hf_bytes *ret_problem) {
    if (!core->config.n_files) return HF_OK;
    uint64_t seed;
    core->config.random(core->config.random_ctx, (uint8_t *)&seed, sizeof seed);
    core->app = hf_app_new(core->mem, core->config.files, core->config.n_files, seed, arena, ret_problem);
    if (!core->app) return HF_MALFORMED;
    hf_core_app_id(&core->config, core->app_id);
    hf_app_release(core->app, core->config.release, core->config.script_url);
    size_t n = hf_app_n_schemas(core->app);
    core->collections = hf_alloc(core->mem, n * sizeof(hf_collection *));
    core->versions = hf_alloc(core->mem, n * sizeof *core->versions);
    if (n && (!core->collections || !core->versions)) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        hf_core_db *d = hf_core_db_new(core);
        hf_err err = d ? database_init(core, d, hf_app_schema(core->app, i)) : HF_NOMEM;
        if (err) return err;
        d->phase = HF_CORE_OPEN;
        core->collections[core->n_collections++] = d->collection;
        hf_log_version(d->log, core->versions[i]);
    }
    return HF_OK;
}

static hf_err peer_init(hf_core *core) {
    hf_swarm_config config = {
        .ed25519_seed = core->config.secrets->peer,
        .agent = core->config.agent,
        .random = core->config.random,
        .random_ctx = core->config.random_ctx,
        .conns_max = core->config.conns_max ? core->config.conns_max : CONNS_MAX,
        .unix_offset_ms = core->config.unix_offset_ms,
    };
    hf_host_config host = {.swarm = config, .can_dial = core->config.can_dial, .ctx = core->config.dial_ctx,
                             .dialling = core->config.dialling};
    hf_block_source blocks = {hf_core_block_get, core};
    core->host = hf_host_new(core->mem, &host);
    if (!core->host) return HF_NOMEM;
    core->swarm = hf_host_swarm(core->host);
    core->bitswap = hf_bitswap_new(core->mem, core->swarm, TAG_BITSWAP, blocks);
    if (!core->bitswap) return HF_NOMEM;
    hf_gossip_config gossip = {.ed25519_seed = config.ed25519_seed, .random = config.random, .random_ctx = config.random_ctx,
                               .spread = core->config.spread, .px = core->config.names_peers};
    core->gossip = hf_gossip_new(core->mem, core->swarm, TAG_GOSSIP, &gossip);
    if (!core->gossip) return HF_NOMEM;
    core->sync = hf_sync_new(core->mem, core->swarm, core->bitswap, blocks, TAG_SYNC);
    if (!core->sync) return HF_NOMEM;
    hf_sync_gossip(core->sync, core->gossip);
    hf_sync_spread(core->sync, core->config.spread);
    hf_sync_limits limits = {core->config.writer_bytes, core->config.writer_day_bytes, HF_BYTES(core->writer.public_key, HF_PUBLIC_KEY_HEX_LEN)};
    hf_sync_quota(core->sync, &limits);
    uint64_t seed;
    core->config.random(core->config.random_ctx, (uint8_t *)&seed, sizeof seed);
    core->signal = hf_signal_new(core->mem, core->swarm, TAG_SIGNAL, core->config.wants_introductions, seed);
    if (!core->signal) return HF_NOMEM;
    return core->config.relayed ? hf_core_relay_init(core) : HF_OK;
}

hf_core *hf_core_new(hf_mem *mem, const hf_core_config *config, hf_arena *arena, hf_bytes *ret_problem) {
    *ret_problem = HF_TEXT("out of memory");
    hf_core *core = hf_alloc(mem, sizeof *core);
    if (!core) return NULL;
    core->mem = mem;
    core->config = *config;
    core->last = &core->first;
    uint64_t seed;
    config->random(config->random_ctx, (uint8_t *)&seed, sizeof seed);
    hf_map_init(&core->in_flight, mem, seed);
    hf_buf_init(&core->unkept, mem);
    hf_arena_init(&core->request_arena, mem);
    hf_arena_init(&core->scratch, mem);
    hf_arena_init(&core->rows, mem);
    hf_core_app_id(&(hf_core_config){.agent = config->agent}, core->program_id);
    hf_err err = identity_init(core);
    if (!err) err = app_init(core, arena, ret_problem);
    if (!err) err = peer_init(core);
    core->config.secrets = NULL; /* borrowed for the call only */
    if (!err) return core;
    hf_core_free(core);
    return NULL;
}

void hf_core_free(hf_core *core) {
    if (!core) return;
    hf_mem *mem = core->mem;
    hf_core_relay_free(core);
    hf_signal_free(core->signal);
    hf_sync_free(core->sync);
    hf_gossip_free(core->gossip);
    hf_bitswap_free(core->bitswap);
    hf_host_free(core->host);
    for (size_t i = 0; i < core->n_databases; i++)
        if (core->databases[i]) hf_core_db_free(core, core->databases[i]);
    size_t n = core->app ? hf_app_n_schemas(core->app) : 0;
    hf_release(mem, core->databases, core->databases_cap * sizeof(hf_core_db *));
    hf_release(mem, core->collections, n * sizeof(hf_collection *));
    hf_release(mem, core->versions, n * sizeof *core->versions);
    hf_app_free(core->app);
    if (core->writer.block.mem) hf_writer_deinit(&core->writer);
    hf_secp_free(core->secp);
    while (core->first) {
        hf_core_record *r = core->first;
        core->first = r->next;
        hf_core_record_free(core, r);
    }
    hf_map_deinit(&core->in_flight);
    hf_buf_deinit(&core->unkept);
    hf_release(mem, core->conns, core->conns_cap * sizeof *core->conns);
    hf_arena_deinit(&core->request_arena);
    hf_arena_deinit(&core->scratch);
    hf_arena_deinit(&core->rows);
    hf_release(mem, core, sizeof *core);
}

hf_err hf_core_start(hf_core *core, uint64_t now_ms) {
    for (size_t i = 0; i < core->n_collections; i++) {
        hf_core_db *d = core->databases[i];
        d->changed = false;
        hf_err err = hf_sync_add(core->sync, now_ms, d->log, i + 1);
        if (err) return err;
        hf_sync_durable(core->sync, now_ms, d->log, d->n_durable);
    }
    core->started = true;
    return hf_core_db_start_all(core, now_ms);
}

/* ---- the app ---- */

static void answer_failure(hf_response *ret, unsigned status, const char *text) {
    *ret = (hf_response){.status = status, .n_headers = 2, .body = hf_str(text)};
    ret->headers[0] = (hf_header){HF_TEXT("content-type"), HF_TEXT("text/plain; charset=utf-8")};
    ret->headers[1] = (hf_header){HF_TEXT("cache-control"), HF_TEXT("no-store")};
}

static bool all_zero(const uint8_t *bytes, size_t len) {
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) any |= bytes[i];
    return !any;
}

hf_err hf_core_handle(hf_core *core, uint64_t now_ms, const hf_request *given, hf_response *ret, uint64_t *ret_seq) {
    *ret_seq = 0;
    if (!core->app) return answer_failure(ret, 404, "This peer serves no app.\n"), HF_OK;
    hf_arena_clear(&core->request_arena);
    hf_arena_clear(&core->scratch);
    hf_request request = *given;
    request.by_session = core->config.by_session;
    if (all_zero(request.nonce, sizeof request.nonce)) core->config.random(core->config.random_ctx, request.nonce, sizeof request.nonce);
    if (all_zero(request.new_session, sizeof request.new_session))
        core->config.random(core->config.random_ctx, request.new_session, sizeof request.new_session);
    hf_app_state state = {core->collections, core->versions};
    hf_err err = hf_app_handle(core->app, &state, &request, &core->request_arena, ret);
    uint32_t index;
    for (size_t i = 0; i < ret->n_operations && !err; i++)
        err = hf_core_append(core, now_ms, core->databases[ret->operations[i].collection], ret->operations[i].payload, &index);
    if (err == HF_DENIED) return answer_failure(ret, 403, "This node may not write here.\n"), HF_OK;
    if (err) return err;
    /* An action that was applied before is answered again only when that first time is durable. */
    if (!hf_eq(request.method, HF_TEXT("GET")) && !hf_eq(request.method, HF_TEXT("HEAD")) && core->seq > core->seq_stored) *ret_seq = core->seq;
    return HF_OK;
}

hf_err hf_core_join_ready(hf_core *core, uint64_t now_ms, hf_core_db *d) {
    for (;;) {
        hf_entry entry;
        uint32_t index;
        hf_fault fault;
        hf_arena_clear(&core->scratch);
        hf_err err = hf_log_ready(d->log, &core->scratch, &entry, &index, &fault);
        if (err == HF_NOT_FOUND) return HF_OK;
        if (err == HF_OK) err = hf_core_take_entry(core, now_ms, d->number, &entry, index);
        if (err == HF_NOMEM) return err;
    }
}

hf_err hf_core_offer(hf_core *core, uint64_t now_ms, hf_bytes block, hf_fault *fault) {
    hf_arena_clear(&core->scratch);
    hf_value value;
    if (block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a block longer than an entry may be", 0);
    hf_err err = hf_cbor_decode(&core->scratch, block, &value, fault);
    if (err) return err;
    if (hf_value_get(&value, "signatures")) return hf_core_learn_identity(core, block, true, fault);
    hf_bytes id = hf_value_as_text(hf_value_get(&value, "id"));
    for (size_t i = 0; i < core->n_collections; i++) {
        hf_core_db *d = core->databases[i];
        if (!hf_eq(id, hf_log_address(d->log))) continue;
        hf_entry entry;
        uint32_t index;
        err = hf_log_join(d->log, block, &core->scratch, &entry, &index, fault);
        if (!err) err = hf_core_take_entry(core, now_ms, d->number, &entry, index);
        return err ? err : hf_core_join_ready(core, now_ms, d);
    }
    return hf_fail(fault, HF_NOT_FOUND, "not a block of this app's databases", 0);
}

hf_err hf_core_written(hf_core *core, uint64_t seq, hf_buf *buf) {
    for (const hf_core_record *r = core->first; r; r = r->next) {
        if (r->seq != seq || r->database == 0) continue;
        hf_varint_add(buf, core->writer.block.len);
        hf_buf_add(buf, hf_buf_bytes(&core->writer.block));
        hf_varint_add(buf, r->len);
        hf_buf_add(buf, HF_BYTES(r->bytes, r->len));
        return buf->err;
    }
    return HF_NOT_FOUND;
}

/* ---- the peer ---- */

hf_err hf_core_conn_open(hf_core *core, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote) {
    return hf_host_conn_open_own(core->host, now_ms, conn, dialer, expected, remote);
}

hf_err hf_core_conn_recv(hf_core *core, uint64_t now_ms, uint64_t conn, hf_bytes bytes) {
    return hf_host_conn_recv(core->host, now_ms, conn, bytes);
}

hf_err hf_core_conn_open_channels(hf_core *core, uint64_t now_ms, uint64_t conn, const hf_channels_open *open) {
    return hf_swarm_conn_open_channels(core->swarm, now_ms, conn, open);
}

hf_err hf_core_channel_opened(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel) {
    return hf_swarm_channel_opened(core->swarm, now_ms, conn, channel);
}

hf_err hf_core_channel_recv(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message) {
    return hf_swarm_channel_recv(core->swarm, now_ms, conn, channel, message);
}

void hf_core_channel_closed(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel) { hf_swarm_channel_closed(core->swarm, now_ms, conn, channel); }

void hf_core_channel_busy(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy) {
    hf_swarm_channel_busy(core->swarm, now_ms, conn, channel, busy);
}

size_t hf_core_channels_held(const hf_core *core, uint64_t conn) { return hf_swarm_channels_held(core->swarm, conn); }

void hf_core_conn_lost(hf_core *core, uint64_t now_ms, uint64_t conn) { hf_host_conn_lost(core->host, now_ms, conn); }

void hf_core_conn_close(hf_core *core, uint64_t now_ms, uint64_t conn, const char *reason) {
    hf_swarm_conn_close(core->swarm, now_ms, conn, reason);
}

void hf_core_conn_busy(hf_core *core, uint64_t now_ms, uint64_t conn, bool busy) { hf_host_conn_busy(core->host, now_ms, conn, busy); }

hf_err hf_core_addresses(hf_core *core, const hf_bytes *addrs, size_t n_addrs) { return hf_swarm_addresses(core->swarm, addrs, n_addrs); }

void hf_core_full(hf_core *core, uint64_t now_ms, const char *why) { hf_sync_full(core->sync, now_ms, why); }

hf_host *hf_core_host(const hf_core *core) { return core->host; }

hf_err hf_core_signal(hf_core *core, uint64_t now_ms, const hf_peer_id *to, hf_bytes data) {
    return hf_signal_send(core->signal, now_ms, to, data);
}

/* ---- looking in ---- */

const hf_peer_id *hf_core_self(const hf_core *core) { return hf_swarm_self(core->swarm); }
hf_app *hf_core_app(hf_core *core) { return core->app; }
size_t hf_core_n_databases(const hf_core *core) { return core->n_databases; }
size_t hf_core_n_collections(const hf_core *core) { return core->n_collections; }
hf_bytes hf_core_address(const hf_core *core, uint32_t number) {
    const hf_core_db *d = number && number <= core->n_databases ? core->databases[number - 1] : NULL;
    return d ? HF_BYTES(d->address, HF_ADDRESS_LEN) : HF_BYTES(NULL, 0);
}
hf_collection *hf_core_collection(hf_core *core, uint32_t number) {
    const hf_core_db *d = hf_core_db_at(core, number);
    return d ? d->collection : NULL;
}
size_t hf_core_n_entries(const hf_core *core, uint32_t number) {
    const hf_core_db *d = hf_core_db_at(core, number);
    return d && d->log ? hf_log_n(d->log) : 0;
}
size_t hf_core_n_equivocations(const hf_core *core, uint32_t number) {
    const hf_core_db *d = hf_core_db_at(core, number);
    return d && d->log ? (size_t)hf_log_counts(d->log)->equivocations : 0;
}
void hf_core_version(const hf_core *core, uint32_t number, uint8_t ret[32]) {
    const hf_core_db *d = hf_core_db_at(core, number);
    if (d && d->collection) memcpy(ret, core->versions[number - 1], 32);
    else if (d && d->log) hf_log_version(d->log, ret);
    else memset(ret, 0, 32);
}
uint64_t hf_core_seq(const hf_core *core) { return core->seq; }
uint64_t hf_core_seq_stored(const hf_core *core) { return core->seq_stored; }
size_t hf_core_n_peers(const hf_core *core) { return hf_swarm_n_peers(core->swarm); }
bool hf_core_connected(const hf_core *core, const hf_peer_id *peer) { return hf_swarm_connected(core->swarm, peer); }

size_t hf_core_pending(const hf_core *core) {
    size_t n = 0;
    for (size_t i = 0; i < core->n_databases; i++) n += core->databases[i] ? core->databases[i]->n_unconfirmed : 0;
    for (size_t i = 0; n && i < hf_swarm_n_peers(core->swarm); i++) {
        size_t behind = hf_sync_behind(core->sync, hf_swarm_peer(core->swarm, i));
        if (behind < n) n = behind;
    }
    return n;
}

void hf_core_describe(const hf_core *core, hf_buf *buf) {
    hf_buf_add_str(buf, "\"peerId\":\"");
    hf_peer_id_add_text(buf, hf_core_self(core));
    hf_buf_add_str(buf, "\",\"release\":");
    hf_json_add_text(buf, core->config.release);
    hf_buf_add_str(buf, ",\"databases\":{");
    for (size_t i = 0; i < core->n_collections; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, hf_collection_schema(core->databases[i]->collection)->name);
        hf_buf_add_byte(buf, ':');
        hf_json_add_text(buf, hf_core_address(core, (uint32_t)i + 1));
    }
    hf_buf_add_byte(buf, '}');
}

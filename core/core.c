/* core: see core.h. Ties app, collections, logs and the peer together; owns no protocol and no rule of its own.
 *
 *   handle -> app -> operations -> log.append -> collection.apply -> STORE
 *   recv   -> swarm -> bitswap | sync | signal;  sync -> log.join -> collection.apply -> STORE
 *   stored -> sync.durable: only now do others see what we wrote
 */
#include "core.h"

#include "codec/dag_cbor.h"
#include "codec/json.h"
#include "codec/varint.h"
#include "log/log.h"
#include "log/manifest.h"
#include "log/sync.h"
#include "services/signal.h"

#include <string.h>

enum { TAG_BITSWAP = 1, TAG_SIGNAL = 2, TAG_SYNC = 16 };
enum { CONNS_MAX = 1200 };

/* A block on its way to the store. */
typedef struct record {
    struct record *next;
    uint64_t seq;
    uint32_t database;
    uint8_t cid[HF_CID_LEN];
    size_t len;
    uint8_t bytes[];
} record;

/* One collection: its address, log and state. */
typedef struct database {
    hf_buf access_block, manifest_block;
    uint8_t access_cid[HF_CID_LEN], manifest_cid[HF_CID_LEN];
    char address[HF_ADDRESS_LEN];
    hf_log *log;
    hf_collection *collection;
    size_t n_durable;            /* entries of the log's index that are stored */
    size_t n_unconfirmed;        /* own entries written since some peer last had everything */
    bool changed;                /* shows something new that CHANGED has not told yet */
} database;

typedef struct conn_peer { uint64_t conn; hf_peer_id peer; } conn_peer;

struct hf_core {
    hf_mem *mem;
    hf_core_config config;
    hf_secp *secp;
    hf_writer writer;
    hf_identity self;            /* our own identity, as others read it */
    hf_app *app;
    database *databases;
    hf_collection **collections; /* the same order, for hf_app_state */
    uint8_t (*versions)[32];
    size_t n_databases;
    hf_swarm *swarm;
    hf_bitswap *bitswap;
    hf_sync *sync;
    hf_signal *signal;
    record *first, **last, *unsent; /* oldest first; unsent: first that STORE has not shown */
    hf_map in_flight;            /* cid -> record */
    uint64_t seq, seq_stored;
    conn_peer *conns;
    size_t n_conns, conns_cap;
    hf_arena request_arena, scratch;
};

void hf_secrets_make(void (*random)(void *ctx, uint8_t *out, size_t len), void *ctx, hf_secrets *ret) {
    /* A secp256k1 secret is invalid with probability 2^-128; zero is the case worth excluding, the top bit cleared excludes the other. */
    random(ctx, (uint8_t *)ret, sizeof *ret);
    ret->root[0] &= 0x7f, ret->signing[0] &= 0x7f;
    ret->root[31] |= 1, ret->signing[31] |= 1;
}

/* ---- blocks: our own fixed ones, those on their way, then the store's ---- */

static hf_err block_get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    hf_core *core = ctx;
    record *r = hf_map_get(&core->in_flight, cid);
    if (r) return *ret = HF_BYTES(r->bytes, r->len), HF_OK;
    if (hf_eq(cid, HF_BYTES(core->writer.cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&core->writer.block), HF_OK;
    for (size_t i = 0; i < core->n_databases; i++) {
        const database *d = &core->databases[i];
        if (hf_eq(cid, HF_BYTES(d->manifest_cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&d->manifest_block), HF_OK;
        if (hf_eq(cid, HF_BYTES(d->access_cid, HF_CID_LEN))) return *ret = hf_buf_bytes(&d->access_block), HF_OK;
    }
    return core->config.blocks.get ? core->config.blocks.get(core->config.blocks.ctx, cid, ret) : HF_NOT_FOUND;
}

/* ---- life ---- */

static hf_err database_init(hf_core *core, database *d, const hf_schema *schema) {
    hf_buf_init(&d->access_block, core->mem);
    hf_buf_init(&d->manifest_block, core->mem);
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
    hf_app_release(core->app, core->config.release, core->config.script_url);
    size_t n = hf_app_n_schemas(core->app);
    core->databases = hf_alloc(core->mem, n * sizeof *core->databases);
    core->collections = hf_alloc(core->mem, n * sizeof *core->collections);
    core->versions = hf_alloc(core->mem, n * sizeof *core->versions);
    if (n && (!core->databases || !core->collections || !core->versions)) return HF_NOMEM;
    for (size_t i = 0; i < n; i++) {
        core->n_databases = i + 1;
        hf_err err = database_init(core, &core->databases[i], hf_app_schema(core->app, i));
        if (err) return err;
        core->collections[i] = core->databases[i].collection;
        hf_log_version(core->databases[i].log, core->versions[i]);
    }
    return HF_OK;
}

static hf_err peer_init(hf_core *core) {
    hf_swarm_config config = {
        .ed25519_seed = core->config.secrets->peer,
        .agent = core->config.agent,
        .random = core->config.random,
        .random_ctx = core->config.random_ctx,
        .conns_max = CONNS_MAX,
    };
    hf_block_source blocks = {block_get, core};
    core->swarm = hf_swarm_new(core->mem, &config);
    if (!core->swarm) return HF_NOMEM;
    core->bitswap = hf_bitswap_new(core->mem, core->swarm, TAG_BITSWAP, blocks);
    if (!core->bitswap) return HF_NOMEM;
    core->sync = hf_sync_new(core->mem, core->swarm, core->bitswap, blocks, TAG_SYNC);
    if (!core->sync) return HF_NOMEM;
    core->signal = hf_signal_new(core->mem, core->swarm, TAG_SIGNAL, core->config.wants_introductions);
    return core->signal ? HF_OK : HF_NOMEM;
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
    hf_arena_init(&core->request_arena, mem);
    hf_arena_init(&core->scratch, mem);
    hf_err err = identity_init(core);
    if (!err) err = app_init(core, arena, ret_problem);
    if (!err) err = peer_init(core);
    core->config.secrets = NULL; /* borrowed for the call only */
    if (!err) return core;
    hf_core_free(core);
    return NULL;
}

static void database_deinit(database *d) {
    hf_collection_free(d->collection);
    hf_log_free(d->log);
    hf_buf_deinit(&d->access_block);
    hf_buf_deinit(&d->manifest_block);
}

static void record_free(hf_core *core, record *r) { hf_release(core->mem, r, sizeof *r + r->len); }

void hf_core_free(hf_core *core) {
    if (!core) return;
    hf_mem *mem = core->mem;
    hf_signal_free(core->signal);
    hf_sync_free(core->sync);
    hf_bitswap_free(core->bitswap);
    hf_swarm_free(core->swarm);
    for (size_t i = 0; i < core->n_databases; i++)
        if (core->databases[i].access_block.mem) database_deinit(&core->databases[i]);
    size_t n = core->app ? hf_app_n_schemas(core->app) : 0;
    hf_release(mem, core->databases, n * sizeof *core->databases);
    hf_release(mem, core->collections, n * sizeof *core->collections);
    hf_release(mem, core->versions, n * sizeof *core->versions);
    hf_app_free(core->app);
    if (core->writer.block.mem) hf_writer_deinit(&core->writer);
    hf_secp_free(core->secp);
    while (core->first) {
        record *r = core->first;
        core->first = r->next;
        record_free(core, r);
    }
    hf_map_deinit(&core->in_flight);
    hf_release(mem, core->conns, core->conns_cap * sizeof *core->conns);
    hf_arena_deinit(&core->request_arena);
    hf_arena_deinit(&core->scratch);
    hf_release(mem, core, sizeof *core);
}

/* ---- what was written: to the store, to the state ---- */

static hf_err store(hf_core *core, uint32_t database, const uint8_t cid[HF_CID_LEN], hf_bytes block) {
    if (hf_map_get(&core->in_flight, HF_BYTES(cid, HF_CID_LEN))) return HF_OK;
    record *r = hf_alloc(core->mem, sizeof *r + block.len);
    if (!r) return HF_NOMEM;
    *r = (record){.seq = core->seq + 1, .database = database, .len = block.len};
    memcpy(r->cid, cid, HF_CID_LEN);
    memcpy(r->bytes, block.ptr, block.len);
    if (hf_map_put(&core->in_flight, HF_BYTES(r->cid, HF_CID_LEN), r)) {
        record_free(core, r);
        return HF_NOMEM;
    }
    core->seq = r->seq;
    *core->last = r;
    core->last = &r->next;
    if (!core->unsent) core->unsent = r;
    return HF_OK;
}

static hf_err apply(hf_core *core, uint32_t number, uint32_t index, const hf_value *payload) {
    database *d = &core->databases[number - 1];
    const hf_log_item *item = hf_log_item_at(d->log, index);
    hf_order order = {.time = item->time, .writer = hf_log_writer_key(d->log, item->writer)};
    memcpy(order.digest, item->digest, sizeof order.digest);
    bool changed = false;
    hf_err err = hf_collection_apply(d->collection, &order, payload, &changed);
    if (changed) d->changed = true;
    hf_log_version(d->log, core->versions[number - 1]);
    return err;
}

/* An entry that the log took: remember it for the store and show it. */
static hf_err take_entry(hf_core *core, uint32_t number, const hf_entry *entry, uint32_t index) {
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(entry->digest, cid);
    hf_err err = store(core, number, cid, entry->block);
    return err ? err : apply(core, number, index, &entry->payload);
}

static hf_err learn_identity(hf_core *core, hf_bytes block, bool keep, hf_fault *fault) {
    hf_identity identity;
    hf_err err = hf_identity_read(block, &core->scratch, &identity, fault);
    if (err) return err;
    bool known = true;
    for (size_t i = 0; i < core->n_databases && !err; i++) {
        known &= hf_log_knows_identity(core->databases[i].log, identity.digest);
        err = hf_log_identity(core->databases[i].log, &identity);
    }
    uint8_t cid[HF_CID_LEN];
    hf_cid_from_digest(identity.digest, cid);
    if (!err && keep && !known) err = store(core, 0, cid, block);
    return err ? err : known ? HF_EXISTS : HF_OK;
}

/* ---- loading ---- */

hf_err hf_core_load(hf_core *core, uint32_t number, hf_bytes block, hf_fault *fault) {
    hf_err err;
    hf_arena_clear(&core->scratch);
    if (number == 0) {
        err = learn_identity(core, block, false, fault);
        return err == HF_EXISTS ? HF_OK : err;
    }
    if (number > core->n_databases) return hf_fail(fault, HF_NOT_FOUND, "a database that this app does not have", 0);
    database *d = &core->databases[number - 1];
    hf_entry entry;
    err = hf_log_load(d->log, block, &entry, &core->scratch, fault);
    if (err) return err;
    d->n_durable = hf_log_n(d->log);
    return apply(core, number, (uint32_t)d->n_durable - 1, &entry.payload);
}

hf_err hf_core_start(hf_core *core, uint64_t now_ms) {
    for (size_t i = 0; i < core->n_databases; i++) {
        database *d = &core->databases[i];
        d->changed = false;
        hf_err err = hf_sync_add(core->sync, now_ms, d->log, i + 1);
        if (err) return err;
        hf_sync_durable(core->sync, now_ms, d->log, d->n_durable);
    }
    return HF_OK;
}

/* ---- the app ---- */

static hf_err append(hf_core *core, const hf_operation *operation) {
    uint32_t number = (uint32_t)operation->collection + 1, index;
    database *d = &core->databases[operation->collection];
    hf_value payload;
    hf_fault fault;
    hf_err err = hf_cbor_decode(&core->scratch, operation->payload, &payload, &fault);
    if (err) return err;
    hf_buf block;
    hf_buf_init(&block, core->mem);
    err = hf_log_append(d->log, &core->writer, operation->payload, &block, &index);
    if (!err) {
        uint8_t cid[HF_CID_LEN];
        hf_cid_from_digest(hf_log_item_at(d->log, index)->digest, cid);
        err = store(core, number, cid, hf_buf_bytes(&block));
        if (!err) err = apply(core, number, index, &payload);
        d->n_unconfirmed++;
    }
    hf_buf_deinit(&block);
    return err;
}

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
    (void)now_ms;
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
    for (size_t i = 0; i < ret->n_operations && !err; i++) err = append(core, &ret->operations[i]);
    if (err == HF_DENIED) return answer_failure(ret, 403, "This node may not write here.\n"), HF_OK;
    if (err) return err;
    /* An action that was applied before is answered again only when that first time is durable. */
    if (!hf_eq(request.method, HF_TEXT("GET")) && !hf_eq(request.method, HF_TEXT("HEAD")) && core->seq > core->seq_stored) *ret_seq = core->seq;
    return HF_OK;
}

/* Joins what waited for the entry that has just come. */
static hf_err join_ready(hf_core *core, uint32_t number) {
    database *d = &core->databases[number - 1];
    for (;;) {
        hf_entry entry;
        uint32_t index;
        hf_fault fault;
        hf_arena_clear(&core->scratch);
        hf_err err = hf_log_ready(d->log, &core->scratch, &entry, &index, &fault);
        if (err == HF_NOT_FOUND) return HF_OK;
        if (err == HF_OK) err = take_entry(core, number, &entry, index);
        if (err == HF_NOMEM) return err;
    }
}

hf_err hf_core_offer(hf_core *core, uint64_t now_ms, hf_bytes block, hf_fault *fault) {
    (void)now_ms;
    hf_arena_clear(&core->scratch);
    hf_value value;
    if (block.len > HF_ENTRY_BYTES_MAX) return hf_fail(fault, HF_LIMIT, "a block longer than an entry may be", 0);
    hf_err err = hf_cbor_decode(&core->scratch, block, &value, fault);
    if (err) return err;
    if (hf_value_get(&value, "signatures")) return learn_identity(core, block, true, fault);
    hf_bytes id = hf_value_as_text(hf_value_get(&value, "id"));
    for (size_t i = 0; i < core->n_databases; i++) {
        if (!hf_eq(id, hf_log_address(core->databases[i].log))) continue;
        hf_entry entry;
        uint32_t index, number = (uint32_t)i + 1;
        err = hf_log_join(core->databases[i].log, block, &core->scratch, &entry, &index, fault);
        if (!err) err = take_entry(core, number, &entry, index);
        return err ? err : join_ready(core, number);
    }
    return hf_fail(fault, HF_NOT_FOUND, "not a block of this app's databases", 0);
}

hf_err hf_core_written(hf_core *core, uint64_t seq, hf_buf *buf) {
    for (const record *r = core->first; r; r = r->next) {
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
    return hf_swarm_conn_open(core->swarm, now_ms, conn, dialer, expected, remote);
}

hf_err hf_core_conn_recv(hf_core *core, uint64_t now_ms, uint64_t conn, hf_bytes bytes) {
    return hf_swarm_conn_recv(core->swarm, now_ms, conn, bytes);
}

void hf_core_conn_lost(hf_core *core, uint64_t now_ms, uint64_t conn) { hf_swarm_conn_lost(core->swarm, now_ms, conn); }

void hf_core_conn_close(hf_core *core, uint64_t now_ms, uint64_t conn, const char *reason) {
    hf_swarm_conn_close(core->swarm, now_ms, conn, reason);
}

void hf_core_conn_busy(hf_core *core, uint64_t now_ms, uint64_t conn, bool busy) { hf_swarm_conn_busy(core->swarm, now_ms, conn, busy); }

hf_err hf_core_addresses(hf_core *core, const hf_bytes *addrs, size_t n_addrs) { return hf_swarm_addresses(core->swarm, addrs, n_addrs); }

hf_err hf_core_signal(hf_core *core, uint64_t now_ms, const hf_peer_id *to, hf_bytes data) {
    return hf_signal_send(core->signal, now_ms, to, data);
}

void hf_core_stored(hf_core *core, uint64_t now_ms, uint64_t seq) {
    while (core->first && core->first != core->unsent && core->first->seq <= seq) {
        record *r = core->first;
        core->first = r->next;
        if (!core->first) core->last = &core->first;
        core->seq_stored = r->seq;
        if (r->database) core->databases[r->database - 1].n_durable++;
        hf_map_remove(&core->in_flight, HF_BYTES(r->cid, HF_CID_LEN));
        record_free(core, r);
    }
    for (size_t i = 0; i < core->n_databases; i++) hf_sync_durable(core->sync, now_ms, core->databases[i].log, core->databases[i].n_durable);
}

static void close_peer(hf_core *core, uint64_t now_ms, const hf_peer_id *peer, const char *reason) {
    for (size_t i = 0; i < core->n_conns; i++)
        if (hf_peer_id_eq(&core->conns[i].peer, peer)) hf_swarm_conn_close(core->swarm, now_ms, core->conns[i].conn, reason);
}

/* ---- what comes out ---- */

static hf_out_kind conn_up(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    if (hf_grow(core->mem, (void **)&core->conns, &core->conns_cap, sizeof *core->conns, core->n_conns + 1)) {
        hf_swarm_conn_close(core->swarm, now_ms, e->conn, "no memory for a connection");
        return HF_OUT_NONE;
    }
    core->conns[core->n_conns++] = (conn_peer){e->conn, e->peer};
    return HF_OUT_PEER_UP;
}

static void conn_down(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    for (size_t i = 0; i < core->n_conns; i++)
        if (core->conns[i].conn == e->conn) {
            core->conns[i] = core->conns[--core->n_conns];
            break;
        }
    if (e->last) hf_bitswap_event(core->bitswap, now_ms, e);
    hf_sync_event(core->sync, now_ms, e);
}

static void dispatch(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->tag == TAG_BITSWAP) hf_bitswap_event(core->bitswap, now_ms, e);
    else if (e->tag == TAG_SIGNAL) hf_signal_event(core->signal, now_ms, e);
    else if (hf_sync_owns_tag(core->sync, e->tag)) hf_sync_event(core->sync, now_ms, e);
}

/* One of the swarm's outputs: the shell's business is returned, the rest goes to whom it concerns. */
static hf_out_kind from_swarm(hf_core *core, uint64_t now_ms, const hf_swarm_out *e, hf_out *out) {
    out->conn = e->conn;
    out->peer = e->peer;
    out->last = e->last;
    out->bytes = e->bytes;
    out->reason = e->reason;
    out->identify = e->identify;
    switch (e->kind) {
    case HF_SWARM_SEND: return HF_OUT_SEND;
    case HF_SWARM_CONN_CLOSE: return HF_OUT_CONN_CLOSE;
    case HF_SWARM_CONN_UP: return conn_up(core, now_ms, e);
    case HF_SWARM_IDENTIFIED:
        hf_signal_event(core->signal, now_ms, e);
        hf_sync_event(core->sync, now_ms, e);
        return HF_OUT_PEER_KNOWN;
    case HF_SWARM_CONN_DOWN: conn_down(core, now_ms, e); return HF_OUT_PEER_DOWN;
    default: dispatch(core, now_ms, e); return HF_OUT_NONE;
    }
}

static hf_out_kind from_sync(hf_core *core, uint64_t now_ms, const hf_sync_out *s, hf_out *out) {
    hf_err err = HF_OK;
    out->peer = s->peer;
    out->database = (uint32_t)s->context;
    out->reason = s->reason;
    switch (s->kind) {
    case HF_SYNC_IDENTITY: {
        /* Known to one log now; the others may need it too, and it must outlive us. */
        uint8_t cid[HF_CID_LEN];
        hf_cid_from_digest(s->digest, cid);
        hf_arena_clear(&core->scratch);
        err = store(core, 0, cid, s->block);
        break;
    }
    case HF_SYNC_ENTRY: err = take_entry(core, (uint32_t)s->context, s->entry, s->index); break;
    case HF_SYNC_REFUSED: return HF_OUT_REFUSED;
    case HF_SYNC_ABUSE: close_peer(core, now_ms, &s->peer, s->reason); break;
    case HF_SYNC_LEVEL: core->databases[s->context - 1].n_unconfirmed = 0; return HF_OUT_LEVEL;
    case HF_SYNC_WORKED:
    case HF_SYNC_NONE: break;
    }
    /* Without memory for the store's copy the index is ahead of the store; the peer will be asked again after a restart. */
    if (err) close_peer(core, now_ms, &s->peer, "no memory for an entry");
    return HF_OUT_NONE;
}

static hf_out_kind from_signal(hf_core *core, uint64_t now_ms, const hf_signal_out *s, hf_out *out) {
    out->peer = s->peer;
    out->peers = s->peers;
    out->n_peers = s->n_peers;
    out->bytes = s->data;
    if (s->kind == HF_SIGNAL_PEERS) return HF_OUT_INTRODUCED;
    if (s->kind == HF_SIGNAL_RECEIVED) return HF_OUT_SIGNAL;
    close_peer(core, now_ms, &s->peer, s->reason);
    return HF_OUT_NONE;
}

static bool show_record(hf_core *core, hf_out *out) {
    record *r = core->unsent;
    if (!r) return false;
    core->unsent = r->next;
    out->seq = r->seq;
    out->database = r->database;
    out->bytes = HF_BYTES(r->bytes, r->len);
    memcpy(out->cid, r->cid, HF_CID_LEN);
    return true;
}

static bool show_change(hf_core *core, hf_out *out) {
    for (size_t i = 0; i < core->n_databases; i++)
        if (core->databases[i].changed) {
            core->databases[i].changed = false;
            out->database = (uint32_t)i + 1;
            out->seq = core->seq;
            return true;
        }
    return false;
}

hf_out_kind hf_core_next(hf_core *core, uint64_t now_ms, hf_out *out) {
    for (;;) {
        hf_swarm_out swarm;
        hf_bitswap_out bitswap;
        hf_sync_out sync;
        hf_signal_out signal;
        memset(out, 0, sizeof *out);
        if (show_record(core, out)) return out->kind = HF_OUT_STORE;
        if (hf_swarm_next(core->swarm, &swarm)) out->kind = from_swarm(core, now_ms, &swarm, out);
        else if (hf_bitswap_next(core->bitswap, &bitswap)) {
            if (bitswap.kind == HF_BITSWAP_ABUSE) close_peer(core, now_ms, &bitswap.peer, bitswap.reason);
            else if (bitswap.context & HF_SYNC_CONTEXT) hf_sync_bitswap(core->sync, now_ms, &bitswap);
        } else if (hf_sync_next(core->sync, now_ms, &sync)) out->kind = from_sync(core, now_ms, &sync, out);
        else if (hf_signal_next(core->signal, &signal)) out->kind = from_signal(core, now_ms, &signal, out);
        else if (show_change(core, out)) out->kind = HF_OUT_CHANGED;
        else return HF_OUT_NONE;
        if (out->kind) return out->kind;
    }
}

static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t hf_core_deadline(const hf_core *core) {
    return earlier(hf_swarm_deadline(core->swarm), earlier(hf_bitswap_deadline(core->bitswap), hf_sync_deadline(core->sync)));
}

void hf_core_tick(hf_core *core, uint64_t now_ms) {
    hf_swarm_tick(core->swarm, now_ms);
    hf_bitswap_tick(core->bitswap, now_ms);
    hf_sync_tick(core->sync, now_ms);
}

/* ---- looking in ---- */

const hf_peer_id *hf_core_self(const hf_core *core) { return hf_swarm_self(core->swarm); }
hf_app *hf_core_app(hf_core *core) { return core->app; }
size_t hf_core_n_databases(const hf_core *core) { return core->n_databases; }
hf_bytes hf_core_address(const hf_core *core, uint32_t number) { return hf_log_address(core->databases[number - 1].log); }
hf_collection *hf_core_collection(hf_core *core, uint32_t number) { return core->databases[number - 1].collection; }
size_t hf_core_n_entries(const hf_core *core, uint32_t number) { return hf_log_n(core->databases[number - 1].log); }
void hf_core_version(const hf_core *core, uint32_t number, uint8_t ret[32]) { memcpy(ret, core->versions[number - 1], 32); }
uint64_t hf_core_seq(const hf_core *core) { return core->seq; }
uint64_t hf_core_seq_stored(const hf_core *core) { return core->seq_stored; }
size_t hf_core_n_peers(const hf_core *core) { return hf_swarm_n_peers(core->swarm); }
bool hf_core_connected(const hf_core *core, const hf_peer_id *peer) { return hf_swarm_connected(core->swarm, peer); }

size_t hf_core_pending(const hf_core *core) {
    size_t n = 0;
    for (size_t i = 0; i < core->n_databases; i++) n += core->databases[i].n_unconfirmed;
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
    for (size_t i = 0; i < core->n_databases; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, hf_collection_schema(core->databases[i].collection)->name);
        hf_buf_add_byte(buf, ':');
        hf_json_add_text(buf, hf_core_address(core, (uint32_t)i + 1));
    }
    hf_buf_add_byte(buf, '}');
}

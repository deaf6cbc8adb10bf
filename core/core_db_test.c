/* core_db: databases added at run time between whole peers in memory: created, opened by address, guarded, granted and revoked, remembered, closed. */
#include "core.h"

#include "../tests/kit/check.h"
#include "codec/dag_cbor.h"
#include "codec/json.h"
#include "log/manifest.h"

#include <string.h>

enum { PEERS_MAX = 5, RECORDS_MAX = 400 };

typedef struct peer {
    hf_core *core;
    uint64_t random;
    hf_secrets secrets;
    struct { char address[64]; size_t address_len; uint8_t cid[HF_CID_LEN]; hf_bytes block; } records[RECORDS_MAX];
    size_t n_records;
    uint64_t seq_seen;
    bool in_run; /* of blocks */
    size_t n_runs;
    size_t n_refused, n_waits, n_changed, n_closes;
} peer;

typedef struct world {
    peer peers[PEERS_MAX];
    size_t n;
    uint64_t now;
    struct { size_t from, to; hf_buf bytes; bool open; } pipes[32];
    size_t n_pipes;
} world;

static hf_err find_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    peer *p = ctx;
    for (size_t i = 0; i < p->n_records; i++)
        if (hf_eq(cid, HF_BYTES(p->records[i].cid, HF_CID_LEN))) return *ret = p->records[i].block, HF_OK;
    return HF_NOT_FOUND;
}

static void run_blocks(void *ctx, bool begins) {
    peer *p = ctx;
    CHECK(begins != p->in_run);
    p->in_run = begins;
    p->n_runs += begins;
}

static hf_core *core_new(peer *p) {
    hf_core_config config = {.secrets = &p->secrets, .agent = HF_TEXT("test"), .random = hf_test_random_fill, .random_ctx = &p->random, .blocks = {find_block, p},
                             .blocks_run = run_blocks};
    hf_bytes problem;
    hf_core *core = hf_core_new(hf_test_mem(), &config, hf_test_arena(), &problem);
    CHECK(core != NULL);
    return core;
}

static peer *add_peer(world *w) {
    peer *p = &w->peers[w->n++];
    *p = (peer){.random = 1000 + w->n};
    hf_secrets_make(hf_test_random_fill, &p->random, &p->secrets);
    p->core = core_new(p);
    CHECK_ERR(hf_core_start(p->core, w->now), HF_OK);
    return p;
}

static void connect_peers(world *w, peer *dialer, peer *listener) {
    uint64_t conn = 1 + w->n_pipes / 2;
    for (int back = 0; back < 2; back++) {
        size_t i = w->n_pipes++;
        w->pipes[i].from = (size_t)((back ? listener : dialer) - w->peers);
        w->pipes[i].to = (size_t)((back ? dialer : listener) - w->peers);
        w->pipes[i].open = true;
        hf_buf_init(&w->pipes[i].bytes, hf_test_mem());
    }
    CHECK_ERR(hf_core_conn_open(dialer->core, w->now, conn, true, NULL, HF_BYTES(NULL, 0)), HF_OK);
    CHECK_ERR(hf_core_conn_open(listener->core, w->now, conn, false, NULL, HF_BYTES(NULL, 0)), HF_OK);
}

static void keep(peer *p, const hf_out *out) {
    CHECK(p->n_records < RECORDS_MAX && out->seq == p->seq_seen + 1);
    p->seq_seen = out->seq;
    hf_bytes known, address = out->database ? hf_core_address(p->core, out->database) : HF_BYTES(NULL, 0);
    if (!find_block(p, HF_BYTES(out->cid, HF_CID_LEN), &known)) return; /* as INSERT OR IGNORE */
    p->records[p->n_records].address_len = address.len;
    if (address.len) memcpy(p->records[p->n_records].address, address.ptr, address.len);
    memcpy(p->records[p->n_records].cid, out->cid, HF_CID_LEN);
    p->records[p->n_records++].block = hf_arena_copy(hf_test_arena(), out->bytes);
}

/* What a shell does when a database is to be loaded. */
static void replay(world *w, peer *p, uint32_t number) {
    hf_core_db_about about;
    hf_fault fault;
    CHECK_ERR(hf_core_db_info(p->core, number, &about), HF_OK);
    if (about.phase != HF_CORE_LOADING) return;
    for (size_t i = 0; i < p->n_records; i++)
        if (hf_eq(HF_BYTES(p->records[i].address, p->records[i].address_len), about.address))
            CHECK_ERR(hf_core_load(p->core, number, p->records[i].block, &fault), HF_OK);
    CHECK_ERR(hf_core_db_loaded(p->core, w->now, number), HF_OK);
}

static void drain(world *w, peer *p) {
    hf_out out;
    while (hf_core_next(p->core, w->now, &out)) {
        if (out.kind == HF_OUT_STORE) keep(p, &out);
        for (size_t i = (out.conn - 1) * 2; out.kind == HF_OUT_SEND && i < out.conn * 2; i++)
            if (&w->peers[w->pipes[i].from] == p && w->pipes[i].open) hf_buf_add(&w->pipes[i].bytes, out.bytes);
        if (out.kind == HF_OUT_CHANGED) p->n_changed++;
        if (out.kind == HF_OUT_REFUSED) *(out.waits ? &p->n_waits : &p->n_refused) += 1;
        if (out.kind == HF_OUT_CONN_CLOSE) p->n_closes++;
        if (out.kind == HF_OUT_DATABASE) replay(w, p, out.database);
    }
    if (p->seq_seen > hf_core_seq_stored(p->core)) {
        hf_core_stored(p->core, w->now, p->seq_seen);
        drain(w, p);
    }
}

static bool move(world *w, size_t i) {
    if (!w->pipes[i].bytes.len) return false;
    hf_buf taken = w->pipes[i].bytes;
    hf_buf_init(&w->pipes[i].bytes, hf_test_mem());
    peer *to = &w->peers[w->pipes[i].to];
    if (w->pipes[i].open) CHECK_ERR(hf_core_conn_recv(to->core, w->now, 1 + i / 2, hf_buf_bytes(&taken)), HF_OK);
    drain(w, to);
    hf_buf_deinit(&taken);
    return true;
}

static void settle(world *w, uint64_t ms) {
    for (uint64_t end = w->now + ms; w->now < end; w->now += 50) {
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t i = 0; i < w->n; i++) drain(w, &w->peers[i]);
            for (size_t i = 0; i < w->n_pipes; i++) moved |= move(w, i);
        }
        for (size_t i = 0; i < w->n; i++)
            if (hf_core_deadline(w->peers[i].core) <= w->now) hf_core_tick(w->peers[i].core, w->now);
    }
}

static void part(world *w, size_t conn) {
    for (size_t i = (conn - 1) * 2; i < conn * 2; i++) w->pipes[i].open = false;
    hf_core_conn_lost(w->peers[w->pipes[(conn - 1) * 2].from].core, w->now, conn);
    hf_core_conn_lost(w->peers[w->pipes[(conn - 1) * 2].to].core, w->now, conn);
}

static void end(world *w) {
    for (size_t i = 0; i < w->n_pipes; i++) hf_buf_deinit(&w->pipes[i].bytes);
    for (size_t i = 0; i < w->n; i++) hf_core_free(w->peers[i].core);
}

static uint32_t create(world *w, peer *p, const char *name, const char *type, bool guarded) {
    uint32_t db;
    hf_core_db_access access = {.guarded = guarded};
    CHECK_ERR(hf_core_db_create(p->core, w->now, hf_str(name), hf_str(type), &access, &db), HF_OK);
    drain(w, p);
    return db;
}

static hf_core_db_about about(const peer *p, uint32_t db) {
    hf_core_db_about a;
    CHECK_ERR(hf_core_db_info(p->core, db, &a), HF_OK);
    return a;
}

static uint32_t open_from(world *w, peer *p, const peer *other, uint32_t other_db) {
    uint32_t db;
    hf_bytes address = hf_arena_copy(hf_test_arena(), hf_core_address(other->core, other_db));
    CHECK_ERR(hf_core_db_open(p->core, w->now, address, &db), HF_OK);
    drain(w, p);
    return db;
}

static hf_err put(world *w, peer *p, uint32_t db, const char *key, uint64_t n) {
    hf_value k = hf_value_text(hf_str(key)), v = hf_value_u64(n);
    uint64_t seq;
    hf_fault fault;
    hf_err err = hf_core_db_append(p->core, w->now, db, HF_ORBIT_PUT, &k, &v, NULL, &seq, &fault);
    drain(w, p);
    return err;
}

static uint64_t get(const peer *p, uint32_t db, const char *key) {
    hf_value k = hf_value_text(hf_str(key));
    hf_core_row row;
    return hf_core_db_get(p->core, db, &k, &row) ? UINT64_MAX : row.value->as.u;
}

static bool count(void *ctx, const hf_core_row *row) {
    (void)row;
    ++*(size_t *)ctx;
    return true;
}

static size_t n_rows(const peer *p, uint32_t db) {
    size_t n = 0;
    CHECK_ERR(hf_core_db_each(p->core, db, NULL, count, &n), HF_OK);
    return n;
}

static void check_level(const peer *a, uint32_t x, const peer *b, uint32_t y) {
    uint8_t va[32], vb[32];
    hf_core_version(a->core, x, va);
    hf_core_version(b->core, y, vb);
    CHECK_BYTES(HF_BYTES(va, 32), HF_BYTES(vb, 32));
    CHECK_U64(hf_core_n_entries(a->core, x), hf_core_n_entries(b->core, y));
}

HF_TEST(core_db_is_opened_by_its_address) {
    world w = {.now = 1000};
    peer *a = add_peer(&w), *b = add_peer(&w);
    uint32_t x = create(&w, a, "kv", "keyvalue", false);
    CHECK_U64(about(a, x).phase, HF_CORE_OPEN);
    CHECK_ERR(put(&w, a, x, "k", 1), HF_OK);
    uint32_t y = open_from(&w, b, a, x); /* nobody is there who has it */
    settle(&w, 12000);
    CHECK_U64(about(b, y).phase, HF_CORE_SEEKING);
    CHECK_ERR(put(&w, b, y, "k", 2), HF_STATE);
    connect_peers(&w, b, a);
    settle(&w, 2000);
    CHECK_U64(about(b, y).phase, HF_CORE_OPEN);
    CHECK_BYTES(about(b, y).name, HF_TEXT("kv"));
    CHECK_U64(get(b, y, "k"), 1);
    CHECK(about(a, x).may_write && !about(b, y).may_write);
    CHECK_ERR(put(&w, b, y, "k", 2), HF_DENIED);
    CHECK_ERR(put(&w, a, x, "k", 3), HF_OK);
    settle(&w, 1000);
    CHECK_U64(get(b, y, "k"), 3);
    CHECK(b->n_changed >= 2);
    check_level(a, x, b, y);
    CHECK_U64(create(&w, a, "kv", "keyvalue", false), x); /* the same name, type and access: the same database */
    end(&w);
}

HF_TEST(core_db_refuses_what_is_no_database) {
    world w = {.now = 1000};
    peer *a = add_peer(&w);
    uint32_t db = 9;
    hf_core_db_access access = {.guarded = false};
    CHECK_ERR(hf_core_db_open(a->core, w.now, HF_TEXT("/orbitdb/zdpu"), &db), HF_MALFORMED);
    CHECK_ERR(hf_core_db_create(a->core, w.now, HF_TEXT("n"), HF_TEXT("queue"), &access, &db), HF_MALFORMED);
    CHECK_ERR(hf_core_db_create(a->core, w.now, HF_TEXT(""), HF_TEXT("events"), &access, &db), HF_MALFORMED);
    CHECK_ERR(hf_core_db_close(a->core, w.now, 7), HF_NOT_FOUND);
    /* What stands under this address is an identity. */
    peer *b = add_peer(&w);
    uint32_t x = create(&w, b, "kv", "keyvalue", false);
    char address[HF_ADDRESS_LEN];
    uint8_t cid[HF_CID_LEN];
    hf_buf block;
    hf_buf_init(&block, hf_test_mem());
    hf_bytes any = HF_TEXT("*");
    hf_access_add_block(&block, &any, 1);
    hf_cid_of(hf_buf_bytes(&block), cid);
    hf_manifest_address(cid, address);
    hf_core_db_access open_access = {&any, 1, false};
    CHECK_ERR(hf_core_db_create(b->core, w.now, HF_TEXT("open"), HF_TEXT("events"), &open_access, &x), HF_OK);
    CHECK_ERR(hf_core_db_open(a->core, w.now, HF_BYTES(address, sizeof address), &db), HF_OK);
    connect_peers(&w, a, b);
    settle(&w, 1000);
    CHECK_U64(about(a, db).phase, HF_CORE_BROKEN);
    CHECK(about(a, db).problem != NULL);
    hf_buf_deinit(&block);
    end(&w);
}

typedef struct piece { const peer *p; uint32_t db; uint64_t seen; } piece;

static bool take_two(void *ctx, const hf_core_row *row) {
    piece *x = ctx;
    CHECK_U64(row->value->as.u, x->seen);
    CHECK(x->p->in_run && n_rows(x->p, x->db) >= 5); /* a run in the run */
    CHECK(x->p->in_run);
    return ++x->seen % 2 != 0;
}

HF_TEST(core_db_rows_are_visited_in_pieces) {
    world w = {.now = 1000};
    peer *a = add_peer(&w);
    uint32_t db = create(&w, a, "log", "events", false);
    hf_value v = hf_value_u64(0);
    uint64_t seq;
    hf_fault fault;
    for (; v.as.u < 5; v.as.u++) CHECK_ERR(hf_core_db_append(a->core, 0, db, HF_ORBIT_ADD, NULL, &v, NULL, &seq, &fault), HF_OK);
    drain(&w, a);
    hf_core_query q = {.amount = SIZE_MAX, .oldest_first = true};
    hf_core_rows *rows;
    piece x = {a, db, 0};
    bool more = false;
    CHECK_ERR(hf_core_rows_new(a->core, db, &q, &rows), HF_OK);
    CHECK_ERR(hf_core_rows_visit(rows, take_two, &x, &more), HF_OK);
    CHECK(x.seen == 2 && more && !a->in_run && a->n_runs == 1);
    CHECK_ERR(hf_core_db_append(a->core, 0, db, HF_ORBIT_ADD, NULL, &v, NULL, &seq, &fault), HF_OK);
    drain(&w, a);
    CHECK_ERR(hf_core_rows_visit(rows, take_two, &x, &more), HF_OK);
    CHECK(x.seen == 4 && more);
    CHECK_ERR(hf_core_rows_visit(rows, take_two, &x, &more), HF_OK);
    CHECK(x.seen == 5 && !more); /* what came meanwhile is not in it */
    hf_core_rows_free(rows);
    CHECK_ERR(hf_core_rows_new(a->core, db, &q, &rows), HF_OK);
    CHECK_ERR(hf_core_db_close(a->core, w.now, db), HF_OK);
    drain(&w, a);
    CHECK_ERR(hf_core_rows_visit(rows, take_two, &x, &more), HF_STATE);
    CHECK_U64(create(&w, a, "other", "events", false), db); /* in its place */
    CHECK_ERR(hf_core_rows_visit(rows, take_two, &x, &more), HF_STATE);
    CHECK(!a->in_run);
    hf_core_rows_free(rows);
    end(&w);
}

HF_TEST(core_db_events_documents_and_rules) {
    world w = {.now = 1000};
    peer *a = add_peer(&w);
    uint32_t log = create(&w, a, "log", "events", false), docs = create(&w, a, "docs", "documents", false);
    hf_value doc, empty, text = hf_value_text(HF_TEXT("one")), field = hf_value_text(HF_TEXT("n"));
    uint64_t seq;
    uint8_t first[32], third[32];
    hf_fault fault;
    CHECK_ERR(hf_json_decode(hf_test_arena(), HF_TEXT("{\"_id\":\"d1\",\"n\":5}"), &doc, &fault), HF_OK);
    CHECK_ERR(hf_json_decode(hf_test_arena(), HF_TEXT("{\"_id\":\"\",\"n\":0}"), &empty, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, log, HF_ORBIT_ADD, NULL, &text, first, &seq, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, log, HF_ORBIT_ADD, NULL, NULL, NULL, &seq, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, log, HF_ORBIT_ADD, NULL, &doc, third, &seq, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, log, HF_ORBIT_PUT, &text, &doc, NULL, &seq, &fault), HF_STATE);
    CHECK_U64(n_rows(a, log), 3);
    size_t n = 0;
    hf_core_query after = {.gt = first, .amount = SIZE_MAX};
    CHECK_ERR(hf_core_db_each(a->core, log, &after, count, &n), HF_OK);
    CHECK_U64(n, 2);
    after.gt = a->secrets.root;
    CHECK_ERR(hf_core_db_each(a->core, log, &after, count, &n), HF_NOT_FOUND);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_ADD, NULL, &doc, NULL, &seq, &fault), HF_STATE);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_PUT, NULL, &empty, NULL, &seq, &fault), HF_MALFORMED);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_PUT, &field, &empty, NULL, &seq, &fault), HF_MALFORMED);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_PUT, NULL, &doc, NULL, &seq, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_PUT, &field, &doc, NULL, &seq, &fault), HF_OK);
    CHECK_U64(n_rows(a, docs), 2); /* under "d1" and under 5 */
    hf_value key = hf_value_text(HF_TEXT("d1")), five = hf_value_u64(5);
    hf_core_row row;
    CHECK_ERR(hf_core_db_get(a->core, docs, &five, &row), HF_OK);
    CHECK(hf_value_eq(row.value, &doc));
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_DEL, &key, NULL, NULL, &seq, &fault), HF_OK);
    CHECK_ERR(hf_core_db_append(a->core, 0, docs, HF_ORBIT_DEL, &key, NULL, NULL, &seq, &fault), HF_NOT_FOUND);
    CHECK_U64(n_rows(a, docs), 1);
    drain(&w, a);
    uint8_t heads[2][32];
    CHECK_U64(hf_core_db_heads(a->core, log, heads, 2), 1);
    CHECK_BYTES(HF_BYTES(heads[0], 32), HF_BYTES(third, 32));
    end(&w);
}

/* b and c write before, while and after they may; a late comer gets the history that the others have. */
HF_TEST(core_db_access_is_granted_and_revoked) {
    world w = {.now = 1000};
    peer *a = add_peer(&w), *b = add_peer(&w), *c = add_peer(&w);
    uint32_t x = create(&w, a, "shared", "keyvalue", true);
    CHECK(about(a, x).guard && !about(a, about(a, x).guard).listed);
    uint32_t y = open_from(&w, b, a, x), z = open_from(&w, c, a, x);
    connect_peers(&w, b, a);
    connect_peers(&w, c, a);
    settle(&w, 3000);
    CHECK_U64(about(b, y).phase, HF_CORE_OPEN);
    CHECK_ERR(put(&w, b, y, "b", 1), HF_DENIED);
    uint64_t seq;
    hf_bytes id = hf_core_identity(b->core);
    CHECK_ERR(hf_core_db_grant(b->core, w.now, y, HF_TEXT("write"), id, &seq), HF_DENIED);
    CHECK_ERR(hf_core_db_grant(a->core, w.now, x, HF_TEXT("write"), id, &seq), HF_OK);
    CHECK_ERR(hf_core_db_grant(a->core, w.now, x, HF_TEXT("write"), id, &seq), HF_EXISTS);
    settle(&w, 2000);
    CHECK_ERR(put(&w, b, y, "b", 2), HF_OK);
    settle(&w, 2000);
    CHECK_U64(get(a, x, "b"), 2);
    CHECK_U64(get(c, z, "b"), 2);
    size_t n;
    const hf_bytes *ids = hf_core_db_capability(c->core, z, HF_TEXT("write"), &n);
    CHECK(n == 1 && hf_eq(ids[0], id));

    /* b does not hear of the revocation, and goes on. */
    part(&w, 1);
    CHECK_ERR(hf_core_db_revoke(a->core, w.now, x, HF_TEXT("write"), id, &seq), HF_OK);
    CHECK_ERR(put(&w, a, x, "a", 1), HF_OK); /* on top of what b wrote */
    CHECK_ERR(put(&w, b, y, "b", 3), HF_OK);
    settle(&w, 1000);
    connect_peers(&w, b, c);
    settle(&w, 7000);
    CHECK_U64(get(c, z, "b"), 2);
    CHECK(c->n_waits > 0);
    CHECK_ERR(put(&w, b, y, "b", 4), HF_DENIED);

    /* One who comes now: what a's entry stands on is there, what b wrote later is not. */
    peer *d = add_peer(&w);
    uint32_t u = open_from(&w, d, a, x);
    connect_peers(&w, d, c);
    settle(&w, 7000);
    CHECK_U64(get(d, u, "a"), 1);
    CHECK_U64(get(d, u, "b"), 2);
    check_level(c, z, d, u);

    /* Granted anew: what waited comes in. */
    CHECK_ERR(hf_core_db_grant(a->core, w.now, x, HF_TEXT("write"), id, &seq), HF_OK);
    settle(&w, 12000);
    CHECK_U64(get(d, u, "b"), 3);
    check_level(a, x, d, u);
    check_level(b, y, d, u);
    for (size_t i = 0; i < w.n; i++) CHECK_U64(w.peers[i].n_closes, 0);
    end(&w);
}

/* A grant that comes after the entries that need it. */
HF_TEST(core_db_entries_that_come_before_their_grant_wait) {
    world w = {.now = 1000};
    peer *a = add_peer(&w), *b = add_peer(&w), *c = add_peer(&w);
    uint32_t x = create(&w, a, "shared", "keyvalue", true), y = open_from(&w, b, a, x), z = open_from(&w, c, a, x);
    connect_peers(&w, b, a);
    connect_peers(&w, c, a);
    settle(&w, 3000);
    part(&w, 2); /* c from a */
    uint64_t seq;
    CHECK_ERR(hf_core_db_grant(a->core, w.now, x, HF_TEXT("write"), hf_core_identity(b->core), &seq), HF_OK);
    settle(&w, 1000);
    for (uint64_t i = 0; i < 20; i++) CHECK_ERR(put(&w, b, y, "b", i), HF_OK);
    uint32_t guard = about(b, y).guard;
    CHECK_U64(hf_core_n_entries(b->core, guard), 1);
    connect_peers(&w, c, b); /* both databases come, in whatever order */
    settle(&w, 3000);
    CHECK_U64(get(c, z, "b"), 19);
    CHECK_U64(about(c, z).n_waiting, 0);
    check_level(b, y, c, z);
    end(&w);
}

static void restart(world *w, peer *p) {
    hf_core_free(p->core);
    p->seq_seen = 0;
    p->core = core_new(p);
    for (size_t i = 0; i < p->n_records; i++) {
        uint32_t number = 0;
        hf_fault fault = {"", 0};
        hf_bytes address = HF_BYTES(p->records[i].address, p->records[i].address_len);
        for (uint32_t k = 1; address.len && k <= hf_core_n_databases(p->core); k++)
            if (hf_eq(address, hf_core_address(p->core, k))) number = k;
        if (address.len && !number) continue;
        CHECK_MSG(!hf_core_load(p->core, number, p->records[i].block, &fault), "record %zu: %s", i, fault.what);
    }
    CHECK_ERR(hf_core_start(p->core, w->now), HF_OK);
    drain(w, p);
}

static uint32_t number_of(const peer *p, hf_bytes address) {
    for (uint32_t k = 1; k <= hf_core_n_databases(p->core); k++)
        if (hf_eq(address, hf_core_address(p->core, k))) return k;
    return 0;
}

HF_TEST(core_db_is_open_again_after_a_restart) {
    world w = {.now = 1000};
    peer *a = add_peer(&w), *b = add_peer(&w);
    uint32_t x = create(&w, a, "shared", "keyvalue", true), gone = create(&w, a, "gone", "events", false);
    uint32_t y = open_from(&w, b, a, x);
    connect_peers(&w, b, a);
    settle(&w, 3000);
    uint64_t seq;
    CHECK_ERR(hf_core_db_grant(a->core, w.now, x, HF_TEXT("write"), hf_core_identity(b->core), &seq), HF_OK);
    settle(&w, 1000);
    CHECK_ERR(put(&w, b, y, "b", 7), HF_OK);
    CHECK_ERR(put(&w, a, x, "a", 8), HF_OK);
    settle(&w, 1000);
    CHECK_ERR(hf_core_db_close(a->core, w.now, gone), HF_OK);
    drain(&w, a);
    CHECK_U64(hf_core_address(a->core, gone).len, 0);
    hf_bytes address = hf_arena_copy(hf_test_arena(), hf_core_address(a->core, x));
    uint8_t before[32], after[32];
    hf_core_version(a->core, x, before);
    part(&w, 1);
    restart(&w, a);
    x = number_of(a, address);
    CHECK(x != 0);
    CHECK_U64(about(a, x).phase, HF_CORE_OPEN);
    CHECK(about(a, x).listed && about(a, x).guard && !about(a, about(a, x).guard).listed);
    hf_core_version(a->core, x, after);
    CHECK_BYTES(HF_BYTES(after, 32), HF_BYTES(before, 32));
    CHECK_U64(get(a, x, "b"), 7);
    /* The grant is remembered, and new entries come and go. */
    CHECK_ERR(put(&w, b, y, "b", 9), HF_OK);
    connect_peers(&w, a, b);
    settle(&w, 2000);
    CHECK_U64(get(a, x, "b"), 9);
    /* Closed and opened again: the store has it. */
    CHECK_ERR(hf_core_db_close(a->core, w.now, x), HF_OK);
    drain(&w, a);
    CHECK_U64(number_of(a, address), 0);
    part(&w, 2);
    CHECK_ERR(hf_core_db_open(a->core, w.now, address, &x), HF_OK);
    drain(&w, a);
    CHECK_U64(get(a, x, "b"), 9);
    check_level(a, x, b, y);
    end(&w);
}

/* Closed while its blocks are on their way to the store, and opened again before and after these are there. */
HF_TEST(core_db_closed_in_the_middle_of_writing) {
    world w = {.now = 1000};
    peer *a = add_peer(&w);
    uint32_t x = create(&w, a, "kv", "keyvalue", false), again;
    hf_bytes address = hf_arena_copy(hf_test_arena(), hf_core_address(a->core, x));
    for (int late = 0; late < 2; late++) {
        hf_value k = hf_value_text(HF_TEXT("k")), v = hf_value_u64(40 + (uint64_t)late);
        uint64_t seq;
        hf_fault fault;
        CHECK_ERR(hf_core_db_append(a->core, w.now, x, HF_ORBIT_PUT, &k, &v, NULL, &seq, &fault), HF_OK);
        CHECK_ERR(hf_core_db_close(a->core, w.now, x), HF_OK);
        CHECK_ERR(hf_core_db_close(a->core, w.now, x), HF_NOT_FOUND);
        if (late) drain(&w, a);
        CHECK_ERR(hf_core_db_open(a->core, w.now, address, &again), HF_OK);
        x = again;
        drain(&w, a);
        CHECK_U64(get(a, x, "k"), 40 + (uint64_t)late);
        CHECK_U64(about(a, x).n_entries, 1 + (uint64_t)late);
    }
    end(&w);
}

/* As an import does it: a signature that was checked is not checked again, of that very block. */
HF_TEST(core_db_joins_what_was_checked) {
    world w = {.now = 1000};
    peer *a = add_peer(&w);
    uint32_t x = create(&w, a, "kv", "keyvalue", true);
    uint8_t cid[HF_CID_LEN], digest[32] = {0};
    hf_bytes block;
    hf_entry entry;
    hf_fault fault;
    CHECK_ERR(put(&w, a, x, "k", 1), HF_OK);
    hf_core_entry_digest(a->core, x, 0, digest);
    hf_cid_from_digest(digest, cid);
    CHECK_ERR(hf_core_block(a->core, HF_BYTES(cid, sizeof cid), &block), HF_OK);
    block = hf_arena_copy(hf_test_arena(), block);
    CHECK_ERR(hf_entry_read(block, hf_test_arena(), &entry, NULL), HF_OK);
    uint8_t *digit = (uint8_t *)(uintptr_t)entry.sig.ptr + entry.sig.len - 1;
    CHECK(digit > block.ptr && digit < block.ptr + block.len);
    *digit = *digit == '0' ? '1' : '0';
    CHECK_ERR(hf_core_db_join(a->core, w.now, x, block, NULL, &fault), HF_DENIED);
    CHECK_ERR(hf_core_db_join(a->core, w.now, x, block, digest, &fault), HF_DENIED);
    hf_sha256_of(block, digest);
    CHECK_ERR(hf_core_db_join(a->core, w.now, x, block, digest, &fault), HF_OK);
    CHECK_U64(hf_core_n_entries(a->core, x), 2);
    drain(&w, a);
    end(&w);
}

/* The n-th allocation of making a guarded database fails, for every n: nothing leaks, and trying again works. */
HF_TEST(core_db_without_memory) {
    bool failed = true;
    for (size_t n = 1; failed; n++) {
        world w = {.now = 1000};
        peer *a = add_peer(&w);
        uint32_t x;
        hf_core_db_access access = {.guarded = true};
        hf_test_mem_fail_at(n);
        (void)!hf_core_db_create(a->core, w.now, HF_TEXT("n"), HF_TEXT("keyvalue"), &access, &x);
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        drain(&w, a);
        CHECK_ERR(hf_core_db_create(a->core, w.now, HF_TEXT("n"), HF_TEXT("keyvalue"), &access, &x), HF_OK);
        drain(&w, a);
        if (about(a, x).phase == HF_CORE_OPEN) CHECK_ERR(put(&w, a, x, "k", 1), HF_OK);
        else CHECK_U64(about(a, x).phase, HF_CORE_BROKEN); /* said so; closing and opening it again is the way out */
        end(&w);
    }
}

/* A core restored from a snapshot is the core that read every entry: it answers alike, and writes alike, to the byte. */
#include "../tests/kit/check.h"
#include "app/test_tools.h"
#include "codec/varint.h"
#include "core.h"

#include <stdio.h>

enum { WRITERS = 3, BLOCKS_MAX = 1024, IDS_MAX = 64, STEPS = 60 };

typedef struct block { uint32_t database; hf_bytes bytes; } block;

typedef struct replica {
    hf_core *core;
    hf_secrets secrets;
    uint64_t random;
    block stored[BLOCKS_MAX];      /* as the store has them */
    size_t n_stored;
    hf_bytes told[BLOCKS_MAX];     /* what it wrote itself, for others */
    size_t n_told;
    size_t heard[WRITERS];         /* of what each other told */
    const struct replica *source;  /* whose stored blocks it has too; NULL: none */
} replica;

typedef struct world {
    replica replicas[WRITERS];
    uint64_t seed, now;
    char ids[IDS_MAX][64];
    size_t n_ids;
} world;

static uint64_t pick(world *w, uint64_t n) { return hf_test_random(&w->seed) % n; }

static hf_err find_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    uint8_t digest[HF_CID_LEN];
    for (const replica *r = ctx; r; r = r->source)
        for (size_t i = 0; i < r->n_stored; i++) {
            hf_cid_of(r->stored[i].bytes, digest);
            if (hf_eq(cid, HF_BYTES(digest, sizeof digest))) return *ret = r->stored[i].bytes, HF_OK;
        }
    return HF_NOT_FOUND;
}

static hf_core *new_core(replica *r, hf_mem *mem, const char *agent, const char *manifest) {
    size_t n;
    hf_bytes problem;
    hf_file *files = sample_file_list(hf_test_arena(), &n);
    if (manifest) files[0].bytes = hf_str(manifest);
    hf_core_config config = {.files = files, .n_files = n, .release = HF_TEXT("r1"), .secrets = &r->secrets, .agent = hf_str(agent),
                             .by_session = true, .random = hf_test_random_fill, .random_ctx = &r->random, .blocks = {find_block, r}};
    return hf_core_new(mem, &config, hf_test_arena(), &problem);
}

static void drain(replica *r, bool store) {
    hf_out out;
    hf_core_db_about about;
    while (hf_core_next(r->core, 1, &out)) {
        bool loading = out.kind == HF_OUT_DATABASE && !hf_core_db_info(r->core, out.database, &about) && about.phase == HF_CORE_LOADING;
        if (loading) CHECK_ERR(hf_core_db_loaded(r->core, 1, out.database), HF_OK);
        if (out.kind != HF_OUT_STORE) continue;
        CHECK(r->n_stored < BLOCKS_MAX);
        r->stored[r->n_stored++] = (block){out.database, hf_arena_copy(hf_test_arena(), out.bytes)};
    }
    if (store) hf_core_stored(r->core, 1, hf_core_seq(r->core));
}

static hf_response ask(world *w, replica *r, const char *method, const char *target, const char *type, const char *body, uint64_t *ret_seq) {
    hf_response response = {0};
    hf_bytes t = hf_str(target);
    size_t question = hf_find(t, '?', 0);
    hf_request request = {.method = hf_str(method), .path = hf_sub(t, 0, question), .query = hf_sub(t, question + 1, t.len), .origin = HF_TEXT(SAMPLE_ORIGIN),
                          .header_origin = HF_TEXT(SAMPLE_ORIGIN), .content_type = hf_str(type), .body = hf_str(body), .now_ms = 1700000000000 + w->now};
    memset(request.nonce, (int)(1 + w->now % 200), sizeof request.nonce);
    memset(request.new_session, 0x5a, sizeof request.new_session);
    CHECK_ERR(hf_core_handle(r->core, 1, &request, &response, ret_seq), HF_OK);
    return response;
}

/* What it wrote last, for the others: its identity and the entry. */
static void tell(replica *r, uint64_t seq) {
    hf_buf written;
    hf_buf_init(&written, hf_test_mem());
    if (!seq || hf_core_written(r->core, seq, &written)) return hf_buf_deinit(&written);
    for (size_t at = 0; at < written.len;) {
        uint64_t len;
        size_t head;
        CHECK_ERR(hf_varint_read(hf_sub(hf_buf_bytes(&written), at, written.len), &len, &head), HF_OK);
        CHECK(r->n_told < BLOCKS_MAX);
        r->told[r->n_told++] = hf_arena_copy(hf_test_arena(), hf_sub(hf_buf_bytes(&written), at + head, (size_t)len));
        at += head + len;
    }
    hf_buf_deinit(&written);
}

static void post(world *w, replica *r, const char *target, const char *type, const char *body) {
    uint64_t seq;
    hf_response answer = ask(w, r, "POST", target, type, body, &seq);
    CHECK_MSG(answer.status < 500, "%s %s: %u", target, body, answer.status);
    for (size_t i = 0; i < answer.n_headers; i++) {
        hf_bytes value = answer.headers[i].value, notes = HF_TEXT("/notes/");
        if (!hf_eq(answer.headers[i].name, HF_TEXT("location")) || !hf_starts(value, notes) || value.len - notes.len >= 64 || w->n_ids == IDS_MAX) continue;
        memcpy(w->ids[w->n_ids], value.ptr + notes.len, value.len - notes.len);
        w->ids[w->n_ids++][value.len - notes.len] = 0;
    }
    tell(r, seq);
    drain(r, true);
}

/* Some form. The same one is sent to two replicas now and then, as when a node dies before it answers. */
static void random_form(world *w, char target[128], char body[160]) {
    static const char *const kinds[] = {"create", "update", "toggle", "vote", "delete", "vote", "update"};
    const char *kind = w->n_ids ? kinds[pick(w, HF_COUNT(kinds))] : "create", *id = w->n_ids ? w->ids[pick(w, w->n_ids)] : "";
    bool update = !strcmp(kind, "update");
    if (!strcmp(kind, "create")) snprintf(target, 128, "/notes");
    else snprintf(target, 128, update ? "/notes/%s" : "/notes/%s/%s", id, kind);
    snprintf(body, 160, "op=%08d&title=t%d&kind=%s&rank=%d", (int)pick(w, 1000), (int)pick(w, 9), pick(w, 2) ? "red" : "green", (int)(1 + pick(w, 5)));
}

static void hear(world *w, size_t to, size_t from) {
    replica *r = &w->replicas[to];
    for (; r->heard[from] < w->replicas[from].n_told; r->heard[from]++) {
        hf_fault fault = {"", 0};
        hf_err err = hf_core_offer(r->core, 1, w->replicas[from].told[r->heard[from]], &fault);
        CHECK_MSG(!err || err == HF_EXISTS || err == HF_MISSING, "%s", fault.what);
        drain(r, true);
    }
}

static void step(world *w) {
    char target[128], body[160];
    size_t a = pick(w, WRITERS), b = pick(w, WRITERS);
    w->now++;
    random_form(w, target, body);
    post(w, &w->replicas[a], target, "application/x-www-form-urlencoded", body);
    if (a != b && pick(w, 4) == 0) post(w, &w->replicas[b], target, "application/x-www-form-urlencoded", body);
    if (pick(w, 6) == 0) post(w, &w->replicas[b], "/api/v1/tags", "application/json", "{\"word\":\"w\"}");
    if (a != b && pick(w, 3) == 0) hear(w, a, b);
}

/* An entry that means nothing: it is counted as ignored. */
static void vandalize(world *w) {
    uint8_t root[32] = {1}, signing[32] = {2}, seed[32] = {3};
    hf_writer writer;
    hf_buf entry;
    uint8_t digest[32];
    hf_secp *secp = hf_secp_new(hf_test_mem(), seed);
    replica *r = &w->replicas[1];
    CHECK_ERR(hf_writer_init(&writer, hf_test_mem(), secp, root, signing), HF_OK);
    hf_buf_init(&entry, hf_test_mem());
    CHECK_ERR(hf_entry_create(&writer, hf_core_address(r->core, 1), NULL, 0, NULL, 0, 1, HF_TEXT("\xf5"), &entry, digest), HF_OK);
    r->told[r->n_told++] = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&writer.block));
    r->told[r->n_told++] = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&entry));
    hear(w, 0, 1);
    hf_buf_deinit(&entry);
    hf_writer_deinit(&writer);
    hf_secp_free(secp);
}

/* A database added at run time: no snapshot holds it. */
static void put_price(replica *r, uint32_t *db, uint64_t price) {
    uint64_t seq;
    hf_value key = hf_value_text(HF_TEXT("tea")), value = hf_value_u64(price);
    if (!*db) CHECK_ERR(hf_core_db_create(r->core, 1, HF_TEXT("prices"), HF_TEXT("keyvalue"), &(hf_core_db_access){0}, db), HF_OK);
    drain(r, true);
    CHECK_ERR(hf_core_db_append(r->core, 1, *db, HF_ORBIT_PUT, &key, &value, NULL, &seq, NULL), HF_OK);
    drain(r, true);
}

static void check_price(replica *r, uint32_t db, uint64_t price) {
    hf_core_row row;
    hf_value key = hf_value_text(HF_TEXT("tea"));
    CHECK_ERR(hf_core_db_get(r->core, db, &key, &row), HF_OK);
    CHECK_U64(hf_value_as_i64(row.value, 0), price);
}

static void open_world(world *w, uint64_t seed) {
    memset(w, 0, sizeof *w);
    w->seed = seed;
    for (size_t i = 0; i < WRITERS; i++) {
        replica *r = &w->replicas[i];
        r->random = seed * WRITERS + i;
        hf_secrets_make(hf_test_random_fill, &r->random, &r->secrets);
        CHECK((r->core = new_core(r, hf_test_mem(), "test", NULL)));
        CHECK_ERR(hf_core_start(r->core, 1), HF_OK);
    }
}

static void close_world(world *w) {
    for (size_t i = 0; i < WRITERS; i++) hf_core_free(w->replicas[i].core);
}

/* Of both databases, at this many stored blocks. */
typedef struct saved { hf_buf of[2]; size_t n_stored; } saved;

static void save(const replica *r, saved *ret) {
    ret->n_stored = r->n_stored;
    for (uint32_t i = 0; i < 2; i++) {
        hf_buf_init(&ret->of[i], hf_test_mem());
        CHECK_ERR(hf_core_snapshot(r->core, i + 1, &ret->of[i]), HF_OK);
    }
}

static void forget(saved *s) {
    for (size_t i = 0; i < 2; i++) hf_buf_deinit(&s->of[i]);
}

static void load_all(const replica *from, const saved *s, bool entries, bool others, hf_core *core) {
    for (size_t i = 0; i < from->n_stored; i++) {
        hf_fault fault = {"", 0};
        const block *b = &from->stored[i];
        bool restored = s && b->database && b->database <= 2 && i < s->n_stored;
        if (restored || (b->database ? !entries : !others)) continue;
        CHECK_MSG(!hf_core_load(core, b->database, b->bytes, &fault), "%s", fault.what);
    }
}

/* As a shell starts, with a snapshot (then what is no entry comes first) or without. */
static void start_again(const replica *from, const saved *s, replica *ret) {
    memset(ret, 0, sizeof *ret);
    ret->secrets = from->secrets;
    ret->random = s ? 11 : 12;
    ret->source = from;
    hf_fault fault = {"", 0};
    CHECK((ret->core = new_core(ret, hf_test_mem(), "test", NULL)));
    for (uint32_t i = 0; s && i < 2; i++) CHECK_MSG(!hf_core_restore(ret->core, i + 1, hf_buf_bytes(&s->of[i]), &fault), "%s", fault.what);
    if (s) load_all(from, s, false, true, ret->core);
    load_all(from, s, true, !s, ret->core);
    CHECK_ERR(hf_core_start(ret->core, 1), HF_OK);
    drain(ret, true);
    memcpy(ret->heard, from->heard, sizeof ret->heard);
}

static void check_answer(world *w, replica *a, replica *b, const char *method, const char *target, const char *body) {
    uint64_t seq;
    const char *type = "application/x-www-form-urlencoded";
    hf_response x = ask(w, a, method, target, type, body, &seq), y = ask(w, b, method, target, type, body, &seq);
    CHECK_MSG(x.status == y.status && x.n_headers == y.n_headers && hf_eq(x.body, y.body), "%s", target);
    for (size_t i = 0; i < x.n_headers; i++) CHECK_BYTES(y.headers[i].value, x.headers[i].value);
}

static void check_stored(const replica *a, const replica *b) {
    CHECK_U64(b->n_stored, a->n_stored);
    for (size_t i = 0; i < a->n_stored; i++) CHECK_BYTES(b->stored[i].bytes, a->stored[i].bytes);
}

static void check_same(world *w, replica *a, replica *b) {
    static const char *const targets[] = {"/", "/?q=t1", "/?state=pinned", "/?kind=red", "/?page=2", "/api/v1/notes?limit=1000", "/api/v1/tags", "/api/v1/notes?sort=-votes", "/sitemap.xml"};
    char target[128];
    for (size_t i = 0; i < HF_COUNT(targets); i++) check_answer(w, a, b, "GET", targets[i], "");
    for (size_t i = 0; i < w->n_ids; i++) {
        snprintf(target, sizeof target, "/notes/%s", w->ids[i]);
        check_answer(w, a, b, "GET", target, "");
        snprintf(target, sizeof target, "/api/v1/notes/%s", w->ids[i]);
        check_answer(w, a, b, "GET", target, "");
    }
    saved x, y;
    save(a, &x);
    save(b, &y);
    for (size_t i = 0; i < 2; i++) CHECK_BYTES(hf_buf_bytes(&y.of[i]), hf_buf_bytes(&x.of[i]));
    forget(&x);
    forget(&y);
}

/* Both hear the same, and are asked the same. */
static void go_on(world *w, replica *a, replica *b) {
    char target[128], body[160];
    for (size_t i = 0; i < STEPS / 3; i++) {
        w->now++;
        step(w);
        random_form(w, target, body);
        check_answer(w, a, b, "POST", target, body);
        drain(a, true), drain(b, true);
        for (size_t from = 1; from < WRITERS; from++)
            for (; a->heard[from] < w->replicas[from].n_told; a->heard[from]++, b->heard[from]++) {
                hf_fault fault;
                hf_bytes told = w->replicas[from].told[a->heard[from]];
                CHECK(hf_core_offer(a->core, 1, told, &fault) == hf_core_offer(b->core, 1, told, &fault));
                drain(a, true), drain(b, true);
            }
    }
    check_stored(a, b);
}

static world w;
static replica read_all, restored;

HF_TEST(core_restored_is_the_core_that_read_everything) {
    for (uint64_t seed = 1; seed <= 12; seed++) {
        saved s;
        uint32_t db = 0;
        open_world(&w, seed);
        vandalize(&w);
        put_price(&w.replicas[0], &db, 1);
        for (size_t i = 0; i < STEPS; i++) step(&w);
        save(&w.replicas[0], &s);
        for (size_t i = 0; i < (seed % 3) * STEPS / 2; i++) step(&w);
        for (size_t i = 1; i < WRITERS && seed % 2; i++) hear(&w, 0, i);
        put_price(&w.replicas[0], &db, seed + 1);
        start_again(&w.replicas[0], NULL, &read_all);
        start_again(&w.replicas[0], &s, &restored);
        CHECK(hf_core_n_entries(restored.core, 1) > STEPS / WRITERS && hf_collection_n(hf_core_collection(restored.core, 1)) > 0);
        CHECK(hf_collection_ignored(hf_core_collection(restored.core, 1)) > 0);
        check_price(&restored, db, seed + 1);
        check_same(&w, &read_all, &restored);
        check_same(&w, &w.replicas[0], &restored);
        go_on(&w, &read_all, &restored);
        check_same(&w, &read_all, &restored);
        hf_core_free(read_all.core);
        hf_core_free(restored.core);
        forget(&s);
        close_world(&w);
    }
}

HF_TEST(core_makes_a_snapshot_only_of_what_is_stored) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    open_world(&w, 5);
    replica *r = &w.replicas[0];
    uint64_t seq;
    CHECK_ERR(hf_core_snapshot(r->core, 1, &buf), HF_OK);
    CHECK_ERR(hf_core_snapshot(r->core, 3, &buf), HF_NOT_FOUND);
    ask(&w, r, "POST", "/notes", "application/x-www-form-urlencoded", "op=00000001&title=a", &seq);
    CHECK_ERR(hf_core_snapshot(r->core, 1, &buf), HF_STATE);
    drain(r, false);
    CHECK_ERR(hf_core_snapshot(r->core, 1, &buf), HF_STATE);
    CHECK_ERR(hf_core_snapshot(r->core, 2, &buf), HF_OK);
    hf_core_stored(r->core, 1, hf_core_seq(r->core));
    CHECK_ERR(hf_core_snapshot(r->core, 1, &buf), HF_OK);
    hf_buf_deinit(&buf);
    close_world(&w);
}

static void check_refused(hf_core *core, hf_bytes bytes, const char *why) {
    hf_fault fault = {NULL, 0};
    CHECK_ERR(hf_core_restore(core, 1, bytes, &fault), HF_MALFORMED);
    CHECK(fault.what && hf_core_n_entries(core, 1) == 0 && hf_collection_n(hf_core_collection(core, 1)) == 0);
    if (why) CHECK_MSG(!strcmp(fault.what, why), "%s", fault.what);
}

/* With a checksum that fits: what the checks behind it see. */
static void seal(hf_buf *bytes) {
    uint8_t checksum[32];
    hf_sha256_of(hf_sub(hf_buf_bytes(bytes), 0, bytes->len - 32), checksum);
    memcpy(bytes->ptr + bytes->len - 32, checksum, 32);
}

HF_TEST(core_refuses_a_snapshot_that_is_damaged_or_foreign) {
    saved s;
    replica *r = &restored;
    open_world(&w, 6);
    for (size_t i = 0; i < 12; i++) step(&w);
    save(&w.replicas[0], &s);
    hf_buf *bytes = &s.of[0];
    memset(r, 0, sizeof *r);
    r->secrets = w.replicas[0].secrets;
    CHECK((r->core = new_core(r, hf_test_mem(), "test", NULL)));
    for (size_t i = 0; i < bytes->len; i++) {
        bytes->ptr[i] ^= 1u << (i % 8);
        check_refused(r->core, hf_buf_bytes(bytes), NULL);
        bytes->ptr[i] ^= 1u << (i % 8);
        check_refused(r->core, hf_sub(hf_buf_bytes(bytes), 0, i), NULL);
    }
    for (size_t i = 36; i + 32 < bytes->len; i++) { /* and whoever damaged it made it look whole: at worst it is another text */
        hf_fault fault = {NULL, 0};
        hf_core *core = new_core(r, hf_test_mem(), "test", NULL);
        bytes->ptr[i] ^= 1u << (i % 8);
        seal(bytes);
        hf_err err = hf_core_restore(core, 1, hf_buf_bytes(bytes), &fault);
        CHECK(err == HF_OK || (err == HF_MALFORMED && fault.what && hf_core_n_entries(core, 1) == 0));
        bytes->ptr[i] ^= 1u << (i % 8);
        hf_core_free(core);
    }
    seal(bytes);
    check_refused(r->core, hf_buf_bytes(&s.of[1]), NULL); /* of the other database */
    CHECK_ERR(hf_core_restore(r->core, 1, hf_buf_bytes(bytes), NULL), HF_OK);
    CHECK_ERR(hf_core_restore(r->core, 1, hf_buf_bytes(bytes), NULL), HF_STATE);
    CHECK_ERR(hf_core_restore(r->core, 9, hf_buf_bytes(bytes), NULL), HF_STATE);
    hf_core_free(r->core);
    CHECK((r->core = new_core(r, hf_test_mem(), "a later test", NULL)));
    check_refused(r->core, hf_buf_bytes(bytes), "snapshot: of another app or program");
    hf_core_free(r->core);
    char manifest[sizeof sample_manifest + 1];
    snprintf(manifest, sizeof manifest, "%s ", sample_manifest);
    CHECK((r->core = new_core(r, hf_test_mem(), "test", manifest)));
    check_refused(r->core, hf_buf_bytes(bytes), "snapshot: of another app or program");
    hf_core_free(r->core);
    forget(&s);
    close_world(&w);
}

HF_TEST(core_snapshot_survives_want_of_memory) {
    saved s;
    open_world(&w, 7);
    for (size_t i = 0; i < 20; i++) step(&w);
    save(&w.replicas[0], &s);
    hf_err err = HF_NOMEM;
    for (size_t n = 1; err == HF_NOMEM; n++) {
        hf_buf again;
        hf_buf_init(&again, hf_test_mem());
        hf_test_mem_fail_at(n);
        err = hf_core_snapshot(w.replicas[0].core, 1, &again);
        hf_test_mem_fail_at(0);
        if (!err) CHECK_BYTES(hf_buf_bytes(&again), hf_buf_bytes(&s.of[0]));
        hf_buf_deinit(&again);
        CHECK(n < 1000);
    }
    CHECK_ERR(err, HF_OK);
    err = HF_NOMEM;
    for (size_t n = 1; err == HF_NOMEM; n++) {
        hf_buf again;
        hf_buf_init(&again, hf_test_mem());
        restored.secrets = w.replicas[0].secrets;
        hf_core *core = new_core(&restored, hf_test_mem(), "test", NULL);
        hf_test_mem_fail_at(n);
        err = hf_core_restore(core, 1, hf_buf_bytes(&s.of[0]), NULL);
        hf_test_mem_fail_at(0);
        if (!err) {
            CHECK_ERR(hf_core_snapshot(core, 1, &again), HF_OK);
            CHECK_BYTES(hf_buf_bytes(&again), hf_buf_bytes(&s.of[0]));
        }
        hf_buf_deinit(&again);
        hf_core_free(core);
        CHECK(n < 2000);
    }
    CHECK_ERR(err, HF_OK);
    forget(&s);
    close_world(&w);
}

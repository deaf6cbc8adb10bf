/* core: whole peers in memory: an app served, replicated, persisted and introduced, without a shell. */
#include "core.h"

#include "../tests/kit/check.h"
#include "codec/varint.h"

#include <string.h>

static const char APP[] =
    "{\"name\":\"t\",\"title\":\"T\",\"description\":\"d\",\"lang\":\"en\","
    "\"collections\":{\"notes\":{\"write\":[\"*\"],\"fields\":{\"text\":{\"type\":\"text\",\"required\":true,\"max\":50},"
    "\"done\":{\"type\":\"bool\",\"default\":false}}}},"
    "\"routes\":[{\"path\":\"/\",\"template\":\"index\",\"title\":\"T\",\"description\":\"d\",\"lists\":{\"notes\":{\"from\":\"notes\"}}}],"
    "\"actions\":[{\"path\":\"/notes\",\"do\":\"create\",\"in\":\"notes\",\"fields\":[\"text\"],\"then\":\"/\",\"failed\":\"/\"},"
    "{\"path\":\"/notes/:id/toggle\",\"do\":\"toggle\",\"in\":\"notes\",\"field\":\"done\",\"then\":\"/\"}]}";

enum { PEERS_MAX = 4, RECORDS_MAX = 512, PIPE_MAX = 1 << 20 };

/* What a shell keeps of its core. */
typedef struct peer {
    hf_core *core;
    uint64_t random;
    hf_secrets secrets;
    struct { uint32_t database; uint8_t cid[HF_CID_LEN]; hf_bytes block; } records[RECORDS_MAX];
    size_t n_records;
    uint64_t seq_seen;
    bool lazy;                       /* does not report stored by itself */
    hf_peer_id introduced[8];
    size_t n_introduced;
    char signal[64];
    hf_peer_id signal_from;
    size_t n_changed;
} peer;

typedef struct world {
    peer peers[PEERS_MAX];
    size_t n;
    uint64_t now;
    struct { size_t from, to; hf_buf bytes; bool open; } pipes[16]; /* conn number 1 + i/2 ; 2i: dialer to listener, 2i+1: back */
    size_t n_pipes;
} world;

static hf_err no_blocks(void *ctx, hf_bytes cid, hf_bytes *ret) {
    peer *p = ctx;
    for (size_t i = 0; i < p->n_records; i++)
        if (hf_eq(cid, HF_BYTES(p->records[i].cid, HF_CID_LEN))) return *ret = p->records[i].block, HF_OK;
    return HF_NOT_FOUND;
}

static hf_core *core_new(peer *p, bool browser) {
    static const hf_file files[] = {
        {HF_TEXT("app.json"), {(const uint8_t *)APP, sizeof APP - 1}},
        {HF_TEXT("templates/layout.mustache"), HF_TEXT("<html>{{{content}}}</html>")},
        {HF_TEXT("templates/index.mustache"), HF_TEXT("<form><input name=op value={{op}}></form>{{#notes.items}}[{{text}}{{#done}} done{{/done}}]{{/notes.items}}")},
    };
    hf_core_config config = {
        .files = files, .n_files = HF_COUNT(files), .release = HF_TEXT("r1"), .secrets = &p->secrets, .agent = HF_TEXT("test"), .by_session = !browser,
        .wants_introductions = browser, .random = hf_test_random_fill, .random_ctx = &p->random, .blocks = {no_blocks, p},
    };
    hf_bytes problem;
    hf_core *core = hf_core_new(hf_test_mem(), &config, hf_test_arena(), &problem);
    CHECK_MSG(core != NULL, "%.*s", (int)problem.len, (const char *)problem.ptr);
    return core;
}

static peer *add_peer(world *w, bool browser) {
    peer *p = &w->peers[w->n++];
    *p = (peer){.random = 1000 + w->n};
    hf_secrets_make(hf_test_random_fill, &p->random, &p->secrets);
    p->core = core_new(p, browser);
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
    CHECK(p->n_records < RECORDS_MAX);
    CHECK_MSG(out->seq == p->seq_seen + 1, "sequence numbers are consecutive");
    p->seq_seen = out->seq;
    p->records[p->n_records].database = out->database;
    memcpy(p->records[p->n_records].cid, out->cid, HF_CID_LEN);
    p->records[p->n_records++].block = hf_arena_copy(hf_test_arena(), out->bytes);
}

static void send(world *w, peer *p, const hf_out *out) {
    for (size_t i = (out->conn - 1) * 2; i < out->conn * 2; i++)
        if (&w->peers[w->pipes[i].from] == p && w->pipes[i].open) hf_buf_add(&w->pipes[i].bytes, out->bytes);
}

static void drain(world *w, peer *p) {
    hf_out out;
    while (hf_core_next(p->core, w->now, &out)) {
        if (out.kind == HF_OUT_STORE) keep(p, &out);
        if (out.kind == HF_OUT_SEND) send(w, p, &out);
        if (out.kind == HF_OUT_CHANGED) p->n_changed++;
        if (out.kind == HF_OUT_INTRODUCED) {
            CHECK(out.n_peers <= HF_COUNT(p->introduced));
            memcpy(p->introduced, out.peers, out.n_peers * sizeof *out.peers);
            p->n_introduced = out.n_peers;
        }
        if (out.kind == HF_OUT_SIGNAL) {
            CHECK(out.bytes.len < sizeof p->signal);
            memcpy(p->signal, out.bytes.ptr, out.bytes.len);
            p->signal_from = out.peer;
        }
        CHECK(out.kind != HF_OUT_CONN_CLOSE && out.kind != HF_OUT_REFUSED);
    }
    if (!p->lazy && p->seq_seen > hf_core_seq_stored(p->core)) {
        hf_core_stored(p->core, w->now, p->seq_seen);
        drain(w, p);
    }
}

/* Moves bytes and time until nothing moves for a while. */
static void settle(world *w, uint64_t ms) {
    for (uint64_t end = w->now + ms; w->now < end; w->now += 10) {
        bool moved = true;
        while (moved) {
            moved = false;
            for (size_t i = 0; i < w->n; i++) drain(w, &w->peers[i]);
            for (size_t i = 0; i < w->n_pipes; i++) {
                if (!w->pipes[i].bytes.len) continue;
                hf_buf taken = w->pipes[i].bytes;
                hf_buf_init(&w->pipes[i].bytes, hf_test_mem());
                CHECK_ERR(hf_core_conn_recv(w->peers[w->pipes[i].to].core, w->now, 1 + i / 2, hf_buf_bytes(&taken)), HF_OK);
                drain(w, &w->peers[w->pipes[i].to]);
                hf_buf_deinit(&taken);
                moved = true;
            }
        }
        for (size_t i = 0; i < w->n; i++)
            if (hf_core_deadline(w->peers[i].core) <= w->now) hf_core_tick(w->peers[i].core, w->now);
    }
}

static void end(world *w) {
    for (size_t i = 0; i < w->n_pipes; i++) hf_buf_deinit(&w->pipes[i].bytes);
    for (size_t i = 0; i < w->n; i++) hf_core_free(w->peers[i].core);
}

static hf_response ask(world *w, peer *p, const char *method, const char *path, const char *body, uint64_t *ret_seq) {
    hf_request r = {.method = hf_str(method), .path = hf_str(path), .origin = HF_TEXT("http://localhost"), .now_ms = 1700000000000u + w->now};
    if (body) {
        r.content_type = HF_TEXT("application/x-www-form-urlencoded");
        r.body = hf_str(body);
    }
    memset(r.nonce, 7, sizeof r.nonce);
    hf_response response = {0};
    uint64_t seq;
    CHECK_ERR(hf_core_handle(p->core, w->now, &r, &response, &seq), HF_OK);
    if (ret_seq) *ret_seq = seq;
    return response;
}

static bool page_has(world *w, peer *p, const char *text) {
    hf_bytes body = ask(w, p, "GET", "/", NULL, NULL).body, wanted = hf_str(text);
    for (size_t i = 0; i + wanted.len <= body.len; i++)
        if (hf_eq(hf_sub(body, i, wanted.len), wanted)) return true;
    return false;
}

static bool same_state(peer *a, peer *b) {
    uint8_t x[32], y[32];
    hf_core_version(a->core, 1, x);
    hf_core_version(b->core, 1, y);
    return !memcmp(x, y, 32);
}

HF_TEST(core_serves_and_replicates) {
    world w = {.now = 1000};
    peer *a = add_peer(&w, false), *b = add_peer(&w, false);
    CHECK_U64(ask(&w, a, "POST", "/notes", "text=before", NULL).status, 303);
    connect_peers(&w, b, a);
    settle(&w, 1000);
    CHECK(page_has(&w, b, "[before]"));
    CHECK_U64(ask(&w, b, "POST", "/notes", "text=after", NULL).status, 303);
    settle(&w, 200);
    CHECK(page_has(&w, a, "[after]"));
    CHECK(same_state(a, b));
    CHECK(a->n_changed > 0 && b->n_changed > 0);
    end(&w);
}

/* Acknowledged means durable, and others see nothing that a crash could take back: the same clock must never be written twice. */
HF_TEST(core_shows_others_only_what_is_durable) {
    world w = {.now = 1000};
    peer *a = add_peer(&w, false), *b = add_peer(&w, false);
    connect_peers(&w, a, b);
    settle(&w, 1000);
    a->lazy = true;
    uint64_t seq;
    ask(&w, a, "POST", "/notes", "text=pending", &seq);
    CHECK_U64(seq, 1);
    settle(&w, 20000);
    CHECK(page_has(&w, a, "[pending]"));
    CHECK(!page_has(&w, b, "[pending]"));
    /* Replaying it is answered, again, only when the first is durable. */
    ask(&w, a, "POST", "/notes", "text=pending&op=x", &seq);
    CHECK(seq > 0);
    hf_core_stored(a->core, w.now, seq);
    settle(&w, 500);
    CHECK(page_has(&w, b, "[pending]"));
    end(&w);
}

HF_TEST(core_applies_an_action_once_wherever_it_is_replayed) {
    world w = {.now = 1000};
    peer *a = add_peer(&w, false), *b = add_peer(&w, true);
    const char *form = "op=aaaabbbb&text=once";
    ask(&w, a, "POST", "/notes", form, NULL);
    ask(&w, a, "POST", "/notes", form, NULL);
    ask(&w, b, "POST", "/notes", form, NULL); /* the node died before it answered: the browser did it too */
    CHECK_U64(hf_collection_n(hf_core_collection(a->core, 1)), 1);
    connect_peers(&w, b, a);
    settle(&w, 1000);
    CHECK(same_state(a, b));
    CHECK_U64(hf_core_n_entries(a->core, 1), 2);
    CHECK_U64(hf_collection_n(hf_core_collection(a->core, 1)), 1);
    CHECK_U64(hf_collection_n(hf_core_collection(b->core, 1)), 1);
    end(&w);
}

HF_TEST(core_loads_what_it_stored) {
    world w = {.now = 1000};
    peer *a = add_peer(&w, false), *b = add_peer(&w, false);
    connect_peers(&w, a, b);
    settle(&w, 500);
    for (int i = 0; i < 20; i++) {
        ask(&w, i % 2 ? a : b, "POST", "/notes", i % 3 ? "text=one" : "text=two", NULL);
        if (i % 4 == 0) settle(&w, 100);
    }
    settle(&w, 1000);
    CHECK(same_state(a, b));
    peer *c = &w.peers[w.n++];
    *c = *a;
    c->random = 77;
    c->core = core_new(c, false);
    for (size_t i = 0; i < a->n_records; i++) {
        hf_fault fault = {"", 0};
        hf_err err = hf_core_load(c->core, a->records[i].database, a->records[i].block, &fault);
        CHECK_MSG(!err, "record %zu: %s", i, fault.what);
    }
    CHECK_ERR(hf_core_start(c->core, w.now), HF_OK);
    CHECK(same_state(a, c));
    hf_bytes before = hf_arena_copy(hf_test_arena(), ask(&w, a, "GET", "/", NULL, NULL).body);
    CHECK_BYTES(ask(&w, c, "GET", "/", NULL, NULL).body, before);
    end(&w);
}

/* A form that carries the browser's own signed entry leaves one entry, signed by the browser. */
HF_TEST(core_takes_an_entry_that_came_with_a_form) {
    world w = {.now = 1000};
    peer *node = add_peer(&w, false), *browser = add_peer(&w, true);
    const char *form = "op=ccccdddd&text=mine";
    uint64_t seq;
    ask(&w, browser, "POST", "/notes", form, &seq);
    hf_buf written;
    hf_buf_init(&written, hf_test_mem());
    CHECK_ERR(hf_core_written(browser->core, seq, &written), HF_OK);
    CHECK_ERR(hf_core_written(browser->core, seq + 1, &written), HF_NOT_FOUND);
    size_t at = 0, n = 0;
    while (at < written.len) {
        uint64_t len;
        size_t head;
        hf_fault fault;
        CHECK_ERR(hf_varint_read(hf_sub(hf_buf_bytes(&written), at, written.len), &len, &head), HF_OK);
        CHECK_ERR(hf_core_offer(node->core, w.now, hf_sub(hf_buf_bytes(&written), at + head, len), &fault), HF_OK);
        at += head + len;
        n++;
    }
    CHECK_U64(n, 2);
    CHECK_U64(ask(&w, node, "POST", "/notes", form, &seq).status, 303);
    CHECK_U64(hf_core_n_entries(node->core, 1), 1);
    CHECK(same_state(node, browser));
    hf_buf_deinit(&written);

    hf_fault fault;
    CHECK_ERR(hf_core_offer(node->core, w.now, HF_TEXT("\xff"), &fault), HF_MALFORMED);
    CHECK_ERR(hf_core_offer(node->core, w.now, HF_TEXT("\xa1\x62id\x61x"), &fault), HF_NOT_FOUND);
    end(&w);
}

HF_TEST(core_introduces_browsers_to_each_other) {
    world w = {.now = 1000};
    peer *node = add_peer(&w, false), *one = add_peer(&w, true), *two = add_peer(&w, true);
    CHECK_ERR(hf_core_signal(one->core, w.now, hf_core_self(two->core), HF_TEXT("x")), HF_NOT_FOUND);
    connect_peers(&w, one, node);
    connect_peers(&w, two, node);
    settle(&w, 1000);
    CHECK_U64(one->n_introduced, 1);
    CHECK_U64(node->n_introduced, 0);
    CHECK(hf_peer_id_eq(&one->introduced[0], hf_core_self(two->core)));
    CHECK_ERR(hf_core_signal(one->core, w.now, hf_core_self(two->core), HF_TEXT("offer")), HF_OK);
    settle(&w, 100);
    CHECK(!strcmp(two->signal, "offer"));
    CHECK(hf_peer_id_eq(&two->signal_from, hf_core_self(one->core)));
    CHECK_U64(hf_core_pending(one->core), 0);
    end(&w);
}

HF_TEST(core_counts_what_nobody_else_has) {
    world w = {.now = 1000};
    peer *a = add_peer(&w, true), *b = add_peer(&w, false);
    ask(&w, a, "POST", "/notes", "text=1", NULL);
    ask(&w, a, "POST", "/notes", "text=2", NULL);
    CHECK_U64(hf_core_pending(a->core), 2);
    connect_peers(&w, a, b);
    settle(&w, 8000);
    CHECK_U64(hf_core_pending(a->core), 0);
    end(&w);
}

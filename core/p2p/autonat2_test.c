/* AutoNAT v2 in a world: node 0 asks, the others serve; the world decides who can be dialled. A dial is a new link; a hostile node speaks by hand. */
#include "autonat2.h"
#include "autonat2_message.h"
#include "frame.h"
#include "relay_test.h"

#include "../codec/multiaddr.h"

enum { TAG_AUTONAT = 40, NODES = 8 };

typedef struct world {
    hf_autonat2 *autonat[NODES];
    bool reachable;           /* node 0 */
    bool silent;              /* nobody answers a DIAL_BACK */
    bool by_hand;             /* node 0 has no AutoNAT */
    bool public_only;
    size_t n_dials;
    uint64_t dial_ms;         /* of the last */
    hf_bytes dialled;
    size_t n_told;
    hf_autonat_reach told;
    struct { size_t node; uint64_t dial, conn; } pending[4];
} world;

static void on_event(mesh *m, size_t node, const hf_swarm_out *o) {
    world *w = m->ctx;
    for (size_t i = 0; i < HF_COUNT(w->pending); i++) {
        if (o->kind != HF_SWARM_CONN_UP || w->pending[i].node != node || w->pending[i].conn != o->conn || !w->pending[i].dial) continue;
        CHECK(hf_autonat2_dialled(w->autonat[node], m->now_ms, w->pending[i].dial, true, o->conn));
        w->pending[i].dial = 0;
    }
    if (w->autonat[node]) hf_autonat2_event(w->autonat[node], m->now_ms, o);
}

static void dial_back(mesh *m, size_t node, const hf_autonat2_out *out) {
    world *w = m->ctx;
    w->n_dials++;
    w->dial_ms = m->now_ms;
    w->dialled = hf_arena_copy(hf_test_arena(), out->addr);
    if (w->silent) return;
    if (!w->reachable) {
        CHECK(hf_autonat2_dialled(w->autonat[node], m->now_ms, out->dial, false, 0));
        return;
    }
    size_t i = 0;
    while (w->pending[i].dial) i++;
    CHECK(i < HF_COUNT(w->pending));
    w->pending[i].node = node;
    w->pending[i].dial = out->dial;
    w->pending[i].conn = mesh_link_up(m, node, 0);
}

static bool on_drain(mesh *m, size_t node) {
    world *w = m->ctx;
    hf_autonat2_out out;
    if (!w->autonat[node] || !hf_autonat2_next(w->autonat[node], &out)) return false;
    if (out.kind == HF_AUTONAT2_DIAL_BACK) dial_back(m, node, &out);
    else {
        w->told = out.reach;
        w->n_told++;
    }
    return true;
}

static uint64_t on_deadline(mesh *m, size_t node) {
    world *w = m->ctx;
    return w->autonat[node] ? hf_autonat2_deadline(w->autonat[node]) : UINT64_MAX;
}

static void on_tick(mesh *m, size_t node) {
    world *w = m->ctx;
    if (w->autonat[node]) hf_autonat2_tick(w->autonat[node], m->now_ms);
}

static hf_err start(mesh *m, world *w, size_t n_servers) {
    mesh_make(m, n_servers + 1, 200);
    m->event = on_event;
    m->drain = on_drain;
    m->deadline = on_deadline;
    m->tick = on_tick;
    m->ctx = w;
    for (size_t i = 0; i <= n_servers; i++) {
        m->nodes[i].no_relay = true;
        hf_err err = mesh_start(m, i);
        hf_autonat2_config config = {.serve = i > 0, .any_address = !w->public_only, .random = hf_test_random_fill, .random_ctx = &m->nodes[i].random};
        if (!err && (i || !w->by_hand)) {
            w->autonat[i] = hf_autonat2_new(hf_test_mem(), m->nodes[i].swarm, TAG_AUTONAT, &config);
            if (!w->autonat[i]) err = HF_NOMEM;
        }
        if (err) return err;
    }
    for (size_t i = 1; i <= n_servers; i++) mesh_link_up(m, i, 0);
    mesh_run(m);
    return HF_OK;
}

static void stop(mesh *m, world *w) {
    for (size_t i = 0; i < NODES; i++) hf_autonat2_free(w->autonat[i]);
    mesh_stop(m);
}

HF_TEST(autonat2_believes_four) {
    for (int reachable = 0; reachable < 2; reachable++) {
        mesh m;
        world w = {.reachable = reachable};
        CHECK_ERR(start(&m, &w, 4), HF_OK);
        mesh_wait(&m, 14000);
        CHECK_U64(w.n_dials, 3);
        CHECK_U64(w.n_told, 0);
        mesh_wait(&m, 10000);
        CHECK_U64(w.n_dials, 4);
        CHECK_U64(w.n_told, 1);
        CHECK_U64(w.told, reachable ? HF_AUTONAT_PUBLIC : HF_AUTONAT_PRIVATE);
        hf_autonat_reach reach;
        size_t n_yes, n_no;
        CHECK(hf_autonat2_address(w.autonat[0], m.now_ms, 0, &reach, &n_yes, &n_no).len == 8);
        CHECK_U64(reach, w.told);
        CHECK_U64(n_yes, reachable ? 4 : 0);
        CHECK_U64(n_no, reachable ? 0 : 4);
        w.reachable = !reachable; /* it is asked again, and the change is seen */
        mesh_wait(&m, (uint64_t)4 * 3600000);
        CHECK_U64(w.told, reachable ? HF_AUTONAT_PRIVATE : HF_AUTONAT_PUBLIC);
        CHECK_MSG(w.n_dials < 100, "%zu", w.n_dials);
        for (size_t i = 4; i < m.n_links; i++) CHECK(!m.links[i].open); /* the connections that were tried are closed */
        stop(&m, &w);
    }
}

HF_TEST(autonat2_does_not_wait_for_its_shell) {
    mesh m;
    world w = {.silent = true};
    CHECK_ERR(start(&m, &w, 4), HF_OK);
    mesh_wait(&m, 200000);
    CHECK_U64(w.told, HF_AUTONAT_PRIVATE);
    stop(&m, &w);
}

/* ---- by hand ---- */

static hf_bytes addr(const char *text) {
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &out, NULL), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return copy;
}

static hf_bytes framed(const hf_autonat2_message *m) {
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_autonat2_message_add(&out, m);
    hf_frame_close(&out, 0);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return copy;
}

static mesh_stream *open_request(mesh *m, size_t server) {
    uint64_t id;
    if (m->nodes[0].n_streams == MESH_STREAMS_MAX) m->nodes[0].n_streams = 0;
    CHECK_ERR(hf_swarm_stream_open(m->nodes[0].swarm, m->now_ms, mesh_id(m, server), HF_TEXT(HF_AUTONAT2_PROTOCOL), MESH_TAG_APP, &id), HF_OK);
    return mesh_add_stream(&m->nodes[0], id, mesh_id(m, server), false);
}

static void say(mesh *m, const mesh_stream *s, hf_bytes bytes) {
    (void)!hf_swarm_stream_write(m->nodes[0].swarm, m->now_ms, s->id, bytes);
    mesh_run(m);
}

static void send_request(mesh *m, const mesh_stream *s, hf_bytes a, hf_bytes b) {
    hf_autonat2_message request = {.type = HF_AUTONAT2_DIAL_REQUEST, .n_addrs = b.len ? 2 : 1, .nonce = 7, .addrs = {a, b}};
    say(m, s, framed(&request));
}

/* What came last; type 0: nothing whole. */
static hf_autonat2_message answer_at(const mesh_stream *s, size_t skip) {
    hf_autonat2_message answer = {.n_addrs = 0};
    hf_bytes in = HF_BYTES(s->head, s->got < sizeof s->head ? s->got : sizeof s->head), message;
    size_t len;
    for (;; skip--) {
        if (hf_frame_read(in, HF_AUTONAT2_MESSAGE_MAX, &message, &len)) return (hf_autonat2_message){.n_addrs = 0};
        CHECK_ERR(hf_autonat2_message_read(message, &answer), HF_OK);
        if (!skip) return answer;
        in = hf_sub(in, len, in.len);
    }
}

static uint32_t status_of(mesh *m, size_t server, hf_bytes a, hf_bytes b) {
    mesh_stream *s = open_request(m, server);
    send_request(m, s, a, b);
    hf_autonat2_message answer = answer_at(s, 0);
    CHECK_U64(answer.type, HF_AUTONAT2_DIAL_RESPONSE);
    return answer.status;
}

static const hf_bytes NO_ADDR = {NULL, 0};

HF_TEST(autonat2_never_dials_private_addresses_for_strangers) {
    static const char *const refused[] = {"/ip4/10.0.0.1/tcp/4001", "/ip4/192.168.1.1/tcp/80", "/ip4/127.0.0.1/tcp/22", "/ip4/169.254.1.1/tcp/80",
                                          "/ip4/100.64.0.1/tcp/80", "/ip6/::1/tcp/22", "/ip6/fd00::1/tcp/80", "/ip6/::ffff:8.8.8.8/tcp/80",
                                          "/dns4/example.org/tcp/80", "/ip4/8.8.8.8/udp/53", "/ip4/8.8.8.8/tcp/0", "/ip4/8.8.8.8/tcp/80/p2p-circuit"};
    mesh m;
    world w = {.reachable = true, .by_hand = true, .public_only = true};
    CHECK_ERR(start(&m, &w, 1), HF_OK);
    for (size_t i = 0; i < HF_COUNT(refused); i++) {
        uint32_t status = status_of(&m, 1, addr(refused[i]), addr("/ip4/10.0.0.1/tcp/4001"));
        CHECK_MSG(status == HF_AUTONAT2_REFUSED && w.n_dials == 0, "%s", refused[i]);
    }
    /* the first that may be dialled is chosen: it costs data, for it is not where we are */
    mesh_stream *s = open_request(&m, 1);
    send_request(&m, s, addr("/ip4/10.0.0.1/tcp/4001"), addr("/ip4/8.8.8.8/tcp/53"));
    hf_autonat2_message answer = answer_at(s, 0);
    CHECK_U64(answer.type, HF_AUTONAT2_DATA_REQUEST);
    CHECK_U64(answer.index, 1);
    CHECK(answer.n_bytes >= 30000 && answer.n_bytes <= 100000);
    CHECK_U64(w.n_dials, 0);
    stop(&m, &w);
}

static void pay(mesh *m, const mesh_stream *s, size_t piece, size_t total) {
    static const uint8_t zeros[5000];
    hf_autonat2_message data = {.type = HF_AUTONAT2_DATA_RESPONSE, .data = HF_BYTES(zeros, piece)};
    hf_bytes one = framed(&data);
    for (size_t sent = 0; sent < total; sent += piece) (void)!hf_swarm_stream_write(m->nodes[0].swarm, m->now_ms, s->id, one);
    mesh_run(m);
}

HF_TEST(autonat2_another_address_costs_data) {
    mesh m;
    world w = {.reachable = true, .by_hand = true};
    CHECK_ERR(start(&m, &w, 1), HF_OK);
    hf_bytes victim = addr("/ip4/8.8.8.8/tcp/4001");

    mesh_stream *s = open_request(&m, 1);
    send_request(&m, s, victim, NO_ADDR);
    CHECK_U64(answer_at(s, 0).type, HF_AUTONAT2_DATA_REQUEST);
    pay(&m, s, 4000, 36000);
    mesh_wait(&m, 59000);
    CHECK_U64(w.n_dials, 0); /* not all of it came */
    mesh_wait(&m, 3000);
    CHECK(s->gone && w.n_dials == 0);

    s = open_request(&m, 1); /* pieces that cost us more than them */
    send_request(&m, s, victim, NO_ADDR);
    pay(&m, s, 50, 50000);
    mesh_wait(&m, 5000);
    CHECK(s->gone && s->reset && w.n_dials == 0);

    s = open_request(&m, 1); /* pieces that are larger than they may be */
    send_request(&m, s, victim, NO_ADDR);
    pay(&m, s, 5000, 50000);
    mesh_wait(&m, 5000);
    CHECK(s->gone && s->reset && w.n_dials == 0);

    s = open_request(&m, 1); /* something else instead */
    send_request(&m, s, victim, NO_ADDR);
    send_request(&m, s, victim, NO_ADDR);
    mesh_wait(&m, 5000);
    CHECK(s->gone && s->reset && w.n_dials == 0);

    mesh_wait(&m, 60000);
    s = open_request(&m, 1);
    send_request(&m, s, victim, NO_ADDR);
    pay(&m, s, 4096, 40000);
    mesh_wait(&m, 10000);
    CHECK_U64(w.n_dials, 1); /* and once it is paid, it is dialled */
    CHECK_BYTES(w.dialled, victim);
    CHECK_U64(answer_at(s, 1).type, HF_AUTONAT2_DIAL_RESPONSE);
    CHECK_U64(answer_at(s, 1).dial_status, HF_AUTONAT2_BACK_ERROR); /* node 0 does not speak dial-back */
    stop(&m, &w);
}

HF_TEST(autonat2_dials_after_data_at_moments_of_its_own) {
    mesh m;
    world w = {.by_hand = true};
    CHECK_ERR(start(&m, &w, 1), HF_OK);
    uint64_t first = 0;
    bool differs = false;
    for (size_t i = 0; i < 5; i++) {
        mesh_wait(&m, 61000);
        mesh_stream *s = open_request(&m, 1);
        send_request(&m, s, addr("/ip4/8.8.8.8/tcp/4001"), NO_ADDR);
        uint64_t paid = m.now_ms;
        pay(&m, s, 4000, 40000);
        mesh_wait(&m, 5000);
        CHECK_U64(w.n_dials, i + 1);
        CHECK(w.dial_ms - paid <= 3100);
        if (i) differs |= w.dial_ms - paid != first;
        else first = w.dial_ms - paid;
    }
    CHECK(differs);
    stop(&m, &w);
}

HF_TEST(autonat2_server_has_a_budget) {
    mesh m;
    world w = {.by_hand = true};
    CHECK_ERR(start(&m, &w, 1), HF_OK);
    size_t n_rejected = 0;
    for (size_t i = 0; i < 10; i++) n_rejected += status_of(&m, 1, addr("/ip4/10.0.0.1/tcp/4001"), NO_ADDR) == HF_AUTONAT2_REJECTED;
    CHECK_U64(w.n_dials, 6);
    CHECK_U64(n_rejected, 4);
    mesh_wait(&m, 61000);
    CHECK_U64(status_of(&m, 1, addr("/ip4/10.0.0.1/tcp/4001"), NO_ADDR), HF_AUTONAT2_OK);
    CHECK_U64(w.n_dials, 7);
    w.silent = true; /* two at once */
    mesh_wait(&m, 61000);
    for (size_t i = 0; i < 2; i++) send_request(&m, open_request(&m, 1), addr("/ip4/10.0.0.1/tcp/4001"), NO_ADDR);
    CHECK_U64(w.n_dials, 9);
    CHECK_U64(status_of(&m, 1, addr("/ip4/10.0.0.1/tcp/4001"), NO_ADDR), HF_AUTONAT2_REJECTED);
    stop(&m, &w);
}

HF_TEST(autonat2_resets_what_is_no_request) {
    static const char *const bad[] = {"00", "020a80", "04120202010a", "0212000a00", "ff7f", "0322020a00"};
    mesh m;
    world w = {.by_hand = true};
    CHECK_ERR(start(&m, &w, 1), HF_OK);
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        mesh_stream *s = open_request(&m, 1);
        say(&m, s, hf_test_hex(hf_str(bad[i])));
        mesh_wait(&m, 11000);
        CHECK_MSG(s->gone && w.n_dials == 0, "%s", bad[i]);
    }
    stop(&m, &w);
}

/* A server that says that it reached us without having done so, or over a connection that we made, is not believed. */
HF_TEST(autonat2_client_wants_proof) {
    for (int with_number = 0; with_number < 2; with_number++) {
        mesh m;
        world w = {.by_hand = true};
        CHECK_ERR(start(&m, &w, 1), HF_OK);
        hf_autonat2_config config = {.any_address = true, .confidence = 1, .random = hf_test_random_fill, .random_ctx = &m.nodes[1].random};
        hf_autonat2_free(w.autonat[1]); /* now node 1 asks, and node 0 answers by hand */
        w.autonat[1] = NULL;
        hf_swarm_protocol_drop(m.nodes[1].swarm, HF_TEXT(HF_AUTONAT2_PROTOCOL));
        hf_swarm_protocol_drop(m.nodes[1].swarm, HF_TEXT(HF_AUTONAT2_BACK_PROTOCOL));
        CHECK_ERR(hf_swarm_protocol(m.nodes[0].swarm, HF_TEXT(HF_AUTONAT2_PROTOCOL), MESH_TAG_APP), HF_OK);
        mesh_wait(&m, 1000);
        w.autonat[1] = hf_autonat2_new(hf_test_mem(), m.nodes[1].swarm, TAG_AUTONAT, &config);
        CHECK(w.autonat[1]);
        mesh_link_up(&m, 1, 0); /* it dials us once more: that connection shows nothing of it */
        mesh_wait(&m, 3000);
        CHECK_U64(m.nodes[0].n_streams, 1);
        mesh_stream *s = &m.nodes[0].streams[0];
        hf_autonat2_message request;
        hf_bytes message;
        size_t len;
        CHECK_ERR(hf_frame_read(HF_BYTES(s->head, s->got), HF_AUTONAT2_MESSAGE_MAX, &message, &len), HF_OK);
        CHECK_ERR(hf_autonat2_message_read(message, &request), HF_OK);
        CHECK_U64(request.n_addrs, 1);
        if (with_number) {
            for (uint64_t i = 0, conn; hf_swarm_peer_conn(m.nodes[0].swarm, mesh_id(&m, 1), i, &conn); i++) {
                uint64_t back;
                hf_buf out;
                CHECK_ERR(hf_swarm_stream_open_on(m.nodes[0].swarm, m.now_ms, conn, HF_TEXT(HF_AUTONAT2_BACK_PROTOCOL), MESH_TAG_APP, &back), HF_OK);
                hf_buf_init(&out, hf_test_mem());
                hf_autonat2_back_add(&out, request.nonce);
                hf_frame_close(&out, 0);
                CHECK_ERR(hf_swarm_stream_write(m.nodes[0].swarm, m.now_ms, back, hf_buf_bytes(&out)), HF_OK);
                hf_buf_deinit(&out);
            }
            mesh_run(&m);
        }
        hf_autonat2_message yes = {.type = HF_AUTONAT2_DIAL_RESPONSE, .status = HF_AUTONAT2_OK, .dial_status = HF_AUTONAT2_REACHED};
        say(&m, s, framed(&yes));
        mesh_wait(&m, 20000);
        CHECK_U64(w.n_told, 0);
        stop(&m, &w);
    }
}

HF_TEST(autonat2_survives_without_memory) {
    uint64_t random = 9;
    for (size_t n = 1, step = 1;; n += step) {
        mesh m;
        world w = {.reachable = false};
        hf_test_mem_fail_at(n);
        if (!start(&m, &w, 2)) mesh_wait(&m, 30000);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        stop(&m, &w);
        if (!failed) break;
        step = 1 + hf_test_random(&random) % 4;
        CHECK(n < 20000);
    }
    CHECK_U64(hf_test_mem_out(), 0);
}

HF_TEST(autonat2_message_reads_what_js_writes) {
    /* {dialRequest {addrs [/ip4/1.2.3.4/tcp/4001], nonce 258}}, {dialResponse {OK, 0, OK}}, {dialDataRequest {1, 30000}} */
    hf_autonat2_message m = {.type = HF_AUTONAT2_DIAL_REQUEST, .n_addrs = 1, .nonce = 258};
    hf_buf out;
    m.addrs[0] = addr("/ip4/1.2.3.4/tcp/4001");
    hf_buf_init(&out, hf_test_mem());
    hf_autonat2_message_add(&out, &m);
    CHECK_BYTES(hf_buf_bytes(&out), hf_test_hex(HF_TEXT("0a130a080401020304060fa1110201000000000000")));
    hf_buf_deinit(&out);
    CHECK_ERR(hf_autonat2_message_read(hf_test_hex(HF_TEXT("120608c80118c801")), &m), HF_OK);
    CHECK(m.type == HF_AUTONAT2_DIAL_RESPONSE && m.status == HF_AUTONAT2_OK && m.index == 0 && m.dial_status == HF_AUTONAT2_REACHED);
    CHECK_ERR(hf_autonat2_message_read(hf_test_hex(HF_TEXT("1a06080110b0ea01")), &m), HF_OK);
    CHECK(m.type == HF_AUTONAT2_DATA_REQUEST && m.index == 1 && m.n_bytes == 30000);
    bool taken;
    uint64_t nonce;
    CHECK_ERR(hf_autonat2_taken_read(NO_ADDR, &taken), HF_OK);
    CHECK(taken);
    CHECK_ERR(hf_autonat2_back_read(hf_test_hex(HF_TEXT("090201000000000000")), &nonce), HF_OK);
    CHECK_U64(nonce, 258);
}

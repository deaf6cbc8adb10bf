/* The relay against peers that speak the protocols wrongly, by hand over a bare swarm; and without memory. Node 0 relays, node 1 has a
 * reservation, node 2 is the stranger: it has no relay of its own, its hop streams are the app's. */
#include "relay_test.h"

#include "frame.h"

static void start(mesh *m, const hf_relay_config *config) {
    mesh_make(m, 3, 12);
    if (config) m->nodes[0].config = *config;
    m->nodes[0].config.serve = true;
    m->nodes[2].no_relay = true;
    for (size_t i = 0; i < 3; i++) CHECK_ERR(mesh_start(m, i), HF_OK);
    CHECK_ERR(hf_swarm_protocol(m->nodes[2].swarm, HF_TEXT(HF_RELAY_STOP_PROTOCOL), MESH_TAG_APP), HF_OK);
    for (size_t i = 1; i < 3; i++) mesh_link_up(m, i, 0);
    mesh_run(m);
    CHECK_ERR(hf_relay_reserve(m->nodes[1].relay, m->now_ms, mesh_id(m, 0)), HF_OK);
    mesh_run(m);
}

/* The stranger opens a hop stream to the relay and says these bytes. */
static mesh_stream *say(mesh *m, size_t to, hf_bytes protocol, hf_bytes bytes) {
    uint64_t id;
    mesh_node *n = &m->nodes[2];
    if (n->n_streams == MESH_STREAMS_MAX) n->n_streams = 0;
    CHECK_ERR(hf_swarm_stream_open(n->swarm, m->now_ms, mesh_id(m, to), protocol, MESH_TAG_APP, &id), HF_OK);
    mesh_stream *s = mesh_add_stream(n, id, mesh_id(m, to), false);
    CHECK_ERR(hf_swarm_stream_write(n->swarm, m->now_ms, id, bytes), HF_OK);
    mesh_run(m);
    return s;
}

static hf_bytes connect_message(const mesh *m, size_t target, hf_bytes more) {
    hf_relay_message message = {.type = HF_RELAY_CONNECT, .peer = *mesh_id(m, target)};
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_relay_message_add(&out, &message, false);
    hf_frame_close(&out, 0);
    hf_buf_add(&out, more);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return copy;
}

HF_TEST(relay_answers_malformed_messages) {
    static const struct {
        const char *hex;
        uint64_t got; /* bytes of the answer, with its length */
    } cases[] = {
        {"020803", 6},       /* no such type */
        {"0408021064", 6},   /* a status */
        {"0401020304", 6},   {"8120", 6}, /* too long */
        {"ffffffffffffffffffff", 6}, {"0508011201ff", 6},
        {"00", 6},
    };
    mesh m;
    start(&m, NULL);
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        mesh_stream *s = say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), hf_test_hex(hf_str(cases[i].hex)));
        CHECK_MSG(s->got == cases[i].got && s->fin, "%s: %zu bytes", cases[i].hex, s->got);
    }
    CHECK(hf_swarm_connected(m.nodes[0].swarm, mesh_id(&m, 2)));
    mesh_wait(&m, 20000);
    for (size_t i = 0; i < m.nodes[2].n_streams; i++) CHECK(m.nodes[2].streams[i].gone);
    mesh_stop(&m);
}

HF_TEST(relay_does_not_wait_for_ever) {
    mesh m;
    start(&m, NULL);
    mesh_stream *silent = say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), HF_TEXT("\x05"));
    mesh_wait(&m, 9000);
    CHECK(!silent->gone);
    mesh_wait(&m, 2000);
    CHECK(silent->gone && silent->reset);
    mesh_stop(&m);
}

HF_TEST(relay_bounds_the_streams_of_one_peer) {
    mesh m;
    start(&m, NULL);
    for (size_t i = 0; i < 100; i++) say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), HF_TEXT("\x05"));
    CHECK(m.nodes[2].streams[0].gone); /* the last ones were reset at once */
    mesh_wait(&m, 12000);
    mesh_stop(&m);
}

/* The far peer never answers the relay's stop, or answers nonsense. */
HF_TEST(relay_gives_up_on_the_far_peer) {
    mesh m;
    start(&m, NULL);
    mesh_stream *s = say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), HF_TEXT("\x02\x08\x00"));
    CHECK(s->got > 100); /* the stranger has a reservation now */
    CHECK_ERR(hf_relay_connect(m.nodes[1].relay, m.now_ms, mesh_id(&m, 0), mesh_id(&m, 2), 1), HF_OK);
    mesh_run(&m);
    CHECK(mesh_inbound(&m, 2) && mesh_inbound(&m, 2)->got > 30);
    mesh_wait(&m, 16000);
    CHECK_U64(mesh_find_news(&m, 1, HF_RELAY_FAILED, 0)->status, HF_RELAY_UNREACHED);
    static const char *const nonsense[] = {"020802", "050802201", "04080120c8", "8120", "0408000000"};
    for (size_t i = 0; i < 3; i++) {
        m.nodes[2].n_streams = 0;
        CHECK_ERR(hf_relay_connect(m.nodes[1].relay, m.now_ms, mesh_id(&m, 0), mesh_id(&m, 2), 1), HF_OK);
        mesh_run(&m);
        hf_bytes hex = hf_str(nonsense[i == 1 ? 3 : i]);
        CHECK_ERR(hf_swarm_stream_write(m.nodes[2].swarm, m.now_ms, mesh_inbound(&m, 2)->id, hf_test_hex(hex)), HF_OK);
        mesh_run(&m);
        CHECK(mesh_find_news(&m, 1, HF_RELAY_FAILED, i + 1) != NULL);
    }
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    mesh_stop(&m);
}

/* Bytes behind a CONNECT before it is answered are kept, within bounds. */
HF_TEST(relay_bounds_early_bytes) {
    static uint8_t much[70000];
    mesh m;
    start(&m, &(hf_relay_config){.allow = mesh_unlimited});
    mesh_stream *s = say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), connect_message(&m, 1, HF_TEXT("\x13/multistream/1.0.0\n")));
    CHECK(s->got > 6 && !s->gone); /* the status, and node 1's own multistream header */
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 1);
    s = say(&m, 0, HF_TEXT(HF_RELAY_HOP_PROTOCOL), connect_message(&m, 1, HF_BYTES(much, sizeof much)));
    mesh_wait(&m, 30000);
    CHECK(s->gone);
    mesh_wait(&m, 30000); /* the first one never finished its handshake */
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    CHECK_U64(hf_relay_look(m.nodes[1].relay).n_channels, 0);
    mesh_stop(&m);
}

/* A relay that was not asked calls; a relay that we asked calls with nonsense. */
HF_TEST(relay_refuses_strange_calls) {
    mesh m;
    start(&m, NULL);
    mesh_link_up(&m, 2, 1);
    mesh_run(&m);
    hf_relay_message message = {.type = HF_RELAY_CONNECT, .peer = *mesh_id(&m, 0)};
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    hf_relay_message_add(&out, &message, true);
    hf_frame_close(&out, 0);
    mesh_stream *s = say(&m, 1, HF_TEXT(HF_RELAY_STOP_PROTOCOL), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    CHECK_U64(s->got, 6);
    CHECK_U64(hf_relay_look(m.nodes[1].relay).n_channels, 0);
    s = say(&m, 1, HF_TEXT(HF_RELAY_STOP_PROTOCOL), HF_TEXT("\x02\x08\x00"));
    CHECK_U64(s->got, 6);
    mesh_stop(&m);
}

/* ---- without memory: each allocation fails once; nothing leaks, nothing is used after it is gone ---- */

static void whole_life(mesh *m) {
    if (mesh_star(m, 3, &(hf_relay_config){.allow = mesh_unlimited})) return;
    if (hf_relay_connect(m->nodes[2].relay, m->now_ms, mesh_id(m, 0), mesh_id(m, 1), 0)) return;
    mesh_run(m);
    (void)mesh_open(m, 2, mesh_id(m, 1), HF_TEXT(MESH_APP), 600000, true);
    mesh_run(m);
    mesh_link_down(m, 0);
    mesh_run(m);
    mesh_wait(m, 20000);
}

HF_TEST(relay_survives_without_memory) {
    uint64_t random = 5;
    size_t step = 1;
    for (size_t n = 1;; n += step) {
        mesh m;
        hf_test_mem_fail_at(n);
        whole_life(&m);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        mesh_stop(&m);
        if (!failed) break;
        step = 1 + hf_test_random(&random) % 4;
        CHECK(n < 20000);
    }
    CHECK_U64(hf_test_mem_out(), 0);
}

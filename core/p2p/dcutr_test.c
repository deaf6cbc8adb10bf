/* DCUtR in a world of three: node 0 relays, node 1 (B) was called by node 2 (A). The world decides which dials reach. */
#include "dcutr.h"
#include "dcutr_message.h"
#include "frame.h"
#include "relay_test.h"

enum { TAG_DCUTR = 30, NODES = 3 };

typedef struct punch {
    hf_dcutr *dcutr[NODES];
    bool reachable[NODES];  /* by whoever dials alone */
    bool meet;              /* dials at the same time from both sides find each other */
    bool stranger;          /* node 2 speaks the protocol by hand */
    hf_dcutr_out log[NODES][16];
    size_t n_log[NODES];
    size_t delay_ms;        /* of the first message at node 2 */
} punch;

static void on_event(mesh *m, size_t node, const hf_swarm_out *o) {
    punch *p = m->ctx;
    if (node == 2 && o->kind == HF_SWARM_STREAM_DATA && o->tag == TAG_DCUTR) {
        m->now_ms += p->delay_ms;
        p->delay_ms = 0;
    }
    if (p->dcutr[node]) hf_dcutr_event(p->dcutr[node], m->now_ms, o);
}

static void dial(mesh *m, size_t node, const hf_dcutr_out *o) {
    punch *p = m->ctx;
    size_t target = o->addrs[0].ptr[3];
    CHECK(target < NODES && hf_peer_id_eq(&o->peer, mesh_id(m, target)));
    if (p->reachable[target] && o->dialer) mesh_link_up(m, node, target);
    if (p->meet && !o->dialer) mesh_link_up(m, target, node); /* the caller is the dialer */
}

static bool on_drain(mesh *m, size_t node) {
    punch *p = m->ctx;
    hf_dcutr_out out;
    if (!p->dcutr[node] || !hf_dcutr_next(p->dcutr[node], &out)) return false;
    if (p->n_log[node] < 16) p->log[node][p->n_log[node]++] = out;
    if (out.kind == HF_DCUTR_DIAL) dial(m, node, &out);
    return true;
}

static uint64_t on_deadline(mesh *m, size_t node) {
    punch *p = m->ctx;
    return p->dcutr[node] ? hf_dcutr_deadline(p->dcutr[node]) : UINT64_MAX;
}

static void on_tick(mesh *m, size_t node) {
    punch *p = m->ctx;
    if (p->dcutr[node]) hf_dcutr_tick(p->dcutr[node], m->now_ms);
}

static hf_err start(mesh *m, punch *p) {
    mesh_make(m, NODES, 40);
    m->event = on_event;
    m->drain = on_drain;
    m->deadline = on_deadline;
    m->tick = on_tick;
    m->ctx = p;
    m->nodes[0].config.serve = true;
    for (size_t i = 0; i < NODES; i++) {
        hf_err err = mesh_start(m, i);
        if (err) return err;
        if (i == 0) continue;
        if (i == 2 && p->stranger) {
            err = hf_swarm_protocol(m->nodes[i].swarm, HF_TEXT(HF_DCUTR_PROTOCOL), MESH_TAG_APP);
            if (!err) err = hf_swarm_allow_limited(m->nodes[i].swarm, HF_TEXT(HF_DCUTR_PROTOCOL));
        } else {
            p->dcutr[i] = hf_dcutr_new(hf_test_mem(), m->nodes[i].swarm, TAG_DCUTR, true);
            if (!p->dcutr[i]) err = HF_NOMEM;
        }
        if (err) return err;
    }
    mesh_link_up(m, 1, 0);
    mesh_link_up(m, 2, 0);
    mesh_run(m);
    hf_err err = hf_relay_reserve(m->nodes[1].relay, m->now_ms, mesh_id(m, 0));
    mesh_run(m);
    if (!err) err = hf_relay_connect(m->nodes[2].relay, m->now_ms, mesh_id(m, 0), mesh_id(m, 1), 0);
    mesh_run(m);
    return err;
}

static void stop(mesh *m, punch *p) {
    for (size_t i = 0; i < NODES; i++) hf_dcutr_free(p->dcutr[i]);
    mesh_stop(m);
}

static size_t count(const punch *p, size_t node, hf_dcutr_kind kind) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_log[node]; i++) n += p->log[node][i].kind == kind;
    return n;
}

static bool is_direct(const mesh *m) {
    uint64_t conn;
    return !hf_swarm_direct(m->nodes[1].swarm, mesh_id(m, 2), &conn);
}

HF_TEST(dcutr_dials_a_caller_that_can_be_reached) {
    mesh m;
    punch p = {.reachable = {false, false, true}};
    CHECK_ERR(start(&m, &p), HF_OK);
    CHECK_U64(p.log[1][0].kind, HF_DCUTR_DIAL);
    CHECK(p.log[1][0].dialer && p.log[1][0].at_ms == m.now_ms);
    CHECK(is_direct(&m));
    CHECK_U64(count(&p, 1, HF_DCUTR_UPGRADED), 1);
    CHECK_U64(count(&p, 2, HF_DCUTR_UPGRADED), 1);
    mesh_stream *s = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 1000, true);
    mesh_run(&m);
    CHECK(s && s->open && !s->relayed);
    CHECK(!hf_relay_is_conn(m.nodes[1].conns[m.nodes[1].n_conns - 1].conn)); /* the relayed one still stands */
    mesh_wait(&m, 11000);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2))->relayed);
    CHECK(hf_swarm_connected(m.nodes[1].swarm, mesh_id(&m, 2)));
    mesh_wait(&m, 30000);
    CHECK_U64(count(&p, 1, HF_DCUTR_DIAL), 1);
    stop(&m, &p);
}

HF_TEST(dcutr_makes_both_dial_at_once) {
    mesh m;
    punch p = {.meet = true, .delay_ms = 40};
    CHECK_ERR(start(&m, &p), HF_OK);
    CHECK(!is_direct(&m));
    mesh_wait(&m, 6000); /* dialling alone did not help */
    CHECK(is_direct(&m));
    const hf_dcutr_out *b = &p.log[1][1], *a = &p.log[2][0];
    CHECK_U64(b->kind, HF_DCUTR_DIAL);
    CHECK_U64(a->kind, HF_DCUTR_DIAL);
    CHECK(a->dialer && !b->dialer);
    CHECK_U64(b->at_ms - a->at_ms, 20); /* half the round trip */
    CHECK(!mesh_find_conn(&m, 1, HF_SWARM_CONN_UP, mesh_id(&m, 2))->relayed);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_UP, mesh_id(&m, 2))->inbound);
    mesh_wait(&m, 30000);
    CHECK_U64(count(&p, 1, HF_DCUTR_DIAL), 2);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    stop(&m, &p);
}

HF_TEST(dcutr_rests_after_three_tries) {
    mesh m;
    punch p = {.meet = false};
    CHECK_ERR(start(&m, &p), HF_OK);
    mesh_wait(&m, 45000);
    CHECK_U64(count(&p, 1, HF_DCUTR_DIAL), 4);
    CHECK_U64(count(&p, 2, HF_DCUTR_DIAL), 3);
    CHECK_U64(count(&p, 1, HF_DCUTR_FAILED), 1);
    CHECK(hf_swarm_connected(m.nodes[1].swarm, mesh_id(&m, 2))); /* relayed as before */
    mesh_wait(&m, 23000);
    CHECK_U64(count(&p, 1, HF_DCUTR_DIAL), 7);
    CHECK_U64(count(&p, 1, HF_DCUTR_FAILED), 1);
    stop(&m, &p);
}

HF_TEST(dcutr_gets_through_when_what_stood_in_the_way_has_gone) {
    mesh m;
    punch p = {.meet = false};
    CHECK_ERR(start(&m, &p), HF_OK);
    mesh_wait(&m, 45000);
    CHECK(!is_direct(&m));
    p.meet = true;
    mesh_wait(&m, 10000);
    CHECK(is_direct(&m));
    stop(&m, &p);
}

HF_TEST(dcutr_keeps_the_relayed_one_when_the_direct_one_goes) {
    mesh m;
    punch p = {.reachable = {false, false, true}};
    CHECK_ERR(start(&m, &p), HF_OK);
    CHECK(is_direct(&m));
    mesh_link_down(&m, m.n_links - 1);
    mesh_wait(&m, 15000);
    CHECK(!is_direct(&m) && hf_swarm_connected(m.nodes[1].swarm, mesh_id(&m, 2)));
    stop(&m, &p);
}

/* ---- a stranger as the caller, by hand ---- */

static void answer(mesh *m, mesh_stream *s, const char *hex) {
    CHECK_ERR(hf_swarm_stream_write(m->nodes[2].swarm, m->now_ms, s->id, hf_test_hex(hf_str(hex))), HF_OK);
    mesh_run(m);
}

HF_TEST(dcutr_bears_malformed_answers) {
    static const char *const bad[] = {"0101", "8140", "0308ac02", "02080a"};
    for (size_t i = 0; i < HF_COUNT(bad); i++) {
        mesh m;
        punch p = {.stranger = true};
        CHECK_ERR(start(&m, &p), HF_OK);
        mesh_wait(&m, 6000);
        mesh_stream *s = mesh_inbound(&m, 2);
        CHECK(s && s->got > 10);
        answer(&m, s, bad[i]);
        CHECK(s->gone && s->reset);
        mesh_wait(&m, 30000);
        CHECK_U64(count(&p, 1, HF_DCUTR_FAILED), 1);
        CHECK_U64(count(&p, 1, HF_DCUTR_DIAL), 1); /* alone, at the start */
        stop(&m, &p);
    }
}

/* Nobody makes us dial but the peer that we called, over the connection that we called it by. */
HF_TEST(dcutr_is_not_everybodys_dialler) {
    mesh m;
    punch p = {.stranger = true};
    CHECK_ERR(start(&m, &p), HF_OK);
    mesh_wait(&m, 40000);
    uint64_t id;
    hf_swarm *swarm = m.nodes[2].swarm;
    CHECK_ERR(hf_swarm_stream_open(swarm, m.now_ms, mesh_id(&m, 1), HF_TEXT(HF_DCUTR_PROTOCOL), MESH_TAG_APP, &id), HF_OK);
    m.nodes[2].n_streams = 0;
    mesh_stream *s = mesh_add_stream(&m.nodes[2], id, mesh_id(&m, 1), false);
    mesh_run(&m);
    CHECK(s->gone && s->reset);
    stop(&m, &p);
}

static void whole_life(mesh *m, punch *p) {
    if (!start(m, p)) mesh_wait(m, 30000);
}

HF_TEST(dcutr_survives_without_memory) {
    uint64_t random = 9;
    for (size_t n = 1, step = 1;; n += step) {
        mesh m;
        punch p = {.meet = true};
        hf_test_mem_fail_at(n);
        whole_life(&m, &p);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        stop(&m, &p);
        if (!failed) break;
        step = 1 + hf_test_random(&random) % 8;
        CHECK(n < 20000);
    }
    CHECK_U64(hf_test_mem_out(), 0);
}

HF_TEST(dcutr_message_reads_what_it_writes) {
    hf_dcutr_message m = {.type = HF_DCUTR_CONNECT, .n_addrs = 1}, again;
    hf_buf out;
    m.addrs[0] = HF_TEXT("\x04\x7f\0\0\1\x06\x0f\xa1");
    hf_buf_init(&out, hf_test_mem());
    hf_dcutr_message_add(&out, &m);
    CHECK_BYTES(hf_buf_bytes(&out), hf_test_hex(HF_TEXT("08641208047f000001060fa1"))); /* as js writes it */
    CHECK_ERR(hf_dcutr_message_read(hf_buf_bytes(&out), &again), HF_OK);
    CHECK(again.type == HF_DCUTR_CONNECT && again.n_addrs == 1 && hf_eq(again.addrs[0], m.addrs[0]));
    CHECK_ERR(hf_dcutr_message_read(hf_test_hex(HF_TEXT("08ac02")), &again), HF_OK);
    CHECK_U64(again.type, HF_DCUTR_SYNC);
    CHECK_ERR(hf_dcutr_message_read(hf_test_hex(HF_TEXT("0801")), &again), HF_MALFORMED);
    CHECK_ERR(hf_dcutr_message_read(HF_TEXT(""), &again), HF_MALFORMED);
    hf_buf_deinit(&out);
}

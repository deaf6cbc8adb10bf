/* AutoNAT in a world: node 0 asks, the others serve; the world decides who can be dialled. */
#include "autonat.h"
#include "autonat_message.h"
#include "frame.h"
#include "reach.h"
#include "relay_test.h"

#include "../codec/multiaddr.h"

enum { TAG_AUTONAT = 40, NODES = 8 };

typedef struct nat {
    hf_autonat *autonat[NODES];
    bool reachable, silent;  /* node 0; nobody answers a DIAL_BACK */
    bool stranger;           /* node 0 asks by hand */
    size_t n_dials;
    hf_autonat_reach told;
    size_t n_told, n_addrs;
} nat;

static void on_event(mesh *m, size_t node, const hf_swarm_out *o) {
    nat *t = m->ctx;
    if (t->autonat[node]) hf_autonat_event(t->autonat[node], m->now_ms, o);
}

static bool on_drain(mesh *m, size_t node) {
    nat *t = m->ctx;
    hf_autonat_out out;
    if (!t->autonat[node] || !hf_autonat_next(t->autonat[node], &out)) return false;
    if (out.kind == HF_AUTONAT_DIAL_BACK) {
        t->n_dials++;
        if (!t->silent) hf_autonat_dialled(t->autonat[node], m->now_ms, out.dial, t->reachable ? &out.addrs[0] : NULL);
    } else {
        t->told = out.reach;
        t->n_told++;
        t->n_addrs = out.n_addrs;
    }
    return true;
}

static uint64_t on_deadline(mesh *m, size_t node) {
    nat *t = m->ctx;
    return t->autonat[node] ? hf_autonat_deadline(t->autonat[node]) : UINT64_MAX;
}

static void on_tick(mesh *m, size_t node) {
    nat *t = m->ctx;
    if (t->autonat[node]) hf_autonat_tick(t->autonat[node], m->now_ms);
}

static hf_err start(mesh *m, nat *t, size_t n_servers) {
    mesh_make(m, n_servers + 1, 20);
    m->event = on_event;
    m->drain = on_drain;
    m->deadline = on_deadline;
    m->tick = on_tick;
    m->ctx = t;
    for (size_t i = 0; i <= n_servers; i++) {
        m->nodes[i].no_relay = true;
        hf_err err = mesh_start(m, i);
        hf_autonat_config config = {.serve = i > 0, .any_address = true};
        if (!err && (i || !t->stranger)) {
            t->autonat[i] = hf_autonat_new(hf_test_mem(), m->nodes[i].swarm, TAG_AUTONAT, &config);
            if (!t->autonat[i]) err = HF_NOMEM;
        }
        if (err) return err;
    }
    for (size_t i = 1; i <= n_servers; i++) mesh_link_up(m, i, 0);
    mesh_run(m);
    return HF_OK;
}

static void stop(mesh *m, nat *t) {
    for (size_t i = 0; i < NODES; i++) hf_autonat_free(t->autonat[i]);
    mesh_stop(m);
}

HF_TEST(autonat_believes_four) {
    for (int reachable = 0; reachable < 2; reachable++) {
        mesh m;
        nat t = {.reachable = reachable};
        CHECK_ERR(start(&m, &t, 4), HF_OK);
        mesh_wait(&m, 40000);
        CHECK_U64(t.n_dials, 3);
        CHECK_U64(t.n_told, 0);
        mesh_wait(&m, 20000);
        CHECK_U64(t.n_dials, 4);
        CHECK_U64(t.n_told, 1);
        CHECK_U64(t.told, reachable ? HF_AUTONAT_PUBLIC : HF_AUTONAT_PRIVATE);
        CHECK_U64(hf_autonat_look(t.autonat[0]), t.told);
        CHECK_U64(t.n_addrs, reachable);
        t.reachable = !reachable; /* it is asked again, and the change is seen */
        mesh_wait(&m, (uint64_t)4 * 3600000);
        CHECK_U64(t.told, reachable ? HF_AUTONAT_PRIVATE : HF_AUTONAT_PUBLIC);
        CHECK(t.n_dials < 40);
        stop(&m, &t);
    }
}

HF_TEST(autonat_is_not_sure_by_three_peers) {
    mesh m;
    nat t = {.reachable = true};
    CHECK_ERR(start(&m, &t, 3), HF_OK);
    mesh_wait(&m, 600000);
    CHECK_U64(t.n_told, 0);
    stop(&m, &t);
}

HF_TEST(autonat_server_does_not_wait_for_its_shell) {
    mesh m;
    nat t = {.silent = true};
    CHECK_ERR(start(&m, &t, 4), HF_OK);
    mesh_wait(&m, 200000);
    CHECK_U64(t.told, HF_AUTONAT_PRIVATE);
    stop(&m, &t);
}

/* ---- by hand ---- */

static hf_autonat_status ask(mesh *m, size_t server, hf_bytes framed) {
    uint64_t id;
    hf_swarm *swarm = m->nodes[0].swarm;
    if (m->nodes[0].n_streams == MESH_STREAMS_MAX) m->nodes[0].n_streams = 0;
    CHECK_ERR(hf_swarm_stream_open(swarm, m->now_ms, mesh_id(m, server), HF_TEXT(HF_AUTONAT_PROTOCOL), MESH_TAG_APP, &id), HF_OK);
    mesh_stream *s = mesh_add_stream(&m->nodes[0], id, mesh_id(m, server), false);
    CHECK_ERR(hf_swarm_stream_write(swarm, m->now_ms, id, framed), HF_OK);
    mesh_run(m);
    hf_autonat_message answer;
    hf_bytes message;
    size_t len;
    if (hf_frame_read(HF_BYTES(s->head, s->got < sizeof s->head ? s->got : sizeof s->head), HF_AUTONAT_MESSAGE_MAX, &message, &len) ||
        hf_autonat_message_read(message, &answer) || !answer.response)
        return HF_AUTONAT_INTERNAL_ERROR;
    return (hf_autonat_status)answer.status;
}

static hf_bytes request(const hf_peer_id *peer, hf_bytes addr) {
    hf_autonat_message m = {.peer = *peer, .n_addrs = 1};
    hf_buf out;
    m.addrs[0] = addr;
    hf_buf_init(&out, hf_test_mem());
    hf_autonat_message_add(&out, &m);
    hf_frame_close(&out, 0);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return copy;
}

static hf_bytes addr(const char *text) {
    hf_buf out;
    hf_buf_init(&out, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &out, NULL), HF_OK);
    hf_bytes copy = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return copy;
}

HF_TEST(autonat_dials_the_asking_address_only) {
    static const char *const refused[] = {"/ip4/10.0.1.1/tcp/4001", "/ip4/8.8.8.8/tcp/53", "/dns4/example.org/tcp/80", "/ip4/10.0.0.1/udp/4001",
                                          "/ip4/10.0.0.1/tcp/0", "/ip4/10.0.0.1/tcp/4001/p2p-circuit", "/ip6/::1/tcp/4001"};
    mesh m;
    nat t = {.reachable = true, .stranger = true};
    CHECK_ERR(start(&m, &t, 2), HF_OK);
    for (size_t i = 0; i < HF_COUNT(refused); i++) {
        hf_autonat_status status = ask(&m, 1, request(mesh_id(&m, 0), addr(refused[i])));
        CHECK_MSG(status == HF_AUTONAT_DIAL_REFUSED && t.n_dials == 0, "%s", refused[i]);
    }
    CHECK_U64(ask(&m, 1, request(mesh_id(&m, 0), addr("/ip4/10.0.0.1/tcp/4001"))), HF_AUTONAT_OK);
    CHECK_U64(t.n_dials, 1);
    /* somebody else's name */
    CHECK_U64(ask(&m, 1, request(mesh_id(&m, 2), addr("/ip4/10.0.0.1/tcp/4001"))), HF_AUTONAT_BAD_REQUEST);
    CHECK_U64(t.n_dials, 1);
    stop(&m, &t);
}

HF_TEST(autonat_server_has_a_budget) {
    mesh m;
    nat t = {.reachable = true, .stranger = true};
    CHECK_ERR(start(&m, &t, 1), HF_OK);
    for (size_t i = 0; i < 10; i++) (void)ask(&m, 1, request(mesh_id(&m, 0), addr("/ip4/10.0.0.1/tcp/4001")));
    CHECK_U64(t.n_dials, 3);
    mesh_wait(&m, 61000);
    (void)ask(&m, 1, request(mesh_id(&m, 0), addr("/ip4/10.0.0.1/tcp/4001")));
    CHECK_U64(t.n_dials, 4);
    stop(&m, &t);
}

HF_TEST(autonat_answers_malformed_requests) {
    static const char *const bad[] = {"00", "020801", "0408011a00", "028001", "020802", "ff7f"};
    mesh m;
    nat t = {.stranger = true};
    CHECK_ERR(start(&m, &t, 1), HF_OK);
    for (size_t i = 0; i < HF_COUNT(bad); i++)
        CHECK_MSG(ask(&m, 1, hf_test_hex(hf_str(bad[i]))) == HF_AUTONAT_BAD_REQUEST, "%s", bad[i]);
    (void)ask(&m, 1, HF_TEXT("\x05")); /* and never the rest */
    mesh_wait(&m, 20000);
    for (size_t i = 0; i < m.nodes[0].n_streams; i++) CHECK(m.nodes[0].streams[i].gone);
    CHECK_U64(t.n_dials, 0);
    stop(&m, &t);
}

HF_TEST(autonat_survives_without_memory) {
    uint64_t random = 9;
    for (size_t n = 1, step = 1;; n += step) {
        mesh m;
        nat t = {.reachable = true};
        hf_test_mem_fail_at(n);
        if (!start(&m, &t, 2)) mesh_wait(&m, 30000);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        stop(&m, &t);
        if (!failed) break;
        step = 1 + hf_test_random(&random) % 4;
        CHECK(n < 20000);
    }
    CHECK_U64(hf_test_mem_out(), 0);
}

HF_TEST(autonat_message_reads_what_js_writes) {
    /* DIAL {peer {id, addrs [/ip4/1.2.3.4/tcp/4001]}} and DIAL_RESPONSE {E_DIAL_REFUSED, "no dialable addresses"} */
    hf_autonat_message m;
    hf_buf out;
    hf_bytes peer = hf_test_hex(HF_TEXT("0024080112200f9cf2b80cbfde6c13e8bb7a8603bf4ef82df2521406da4c9933d8c3fc030469"));
    hf_buf_init(&out, hf_test_mem());
    m = (hf_autonat_message){.n_addrs = 1};
    CHECK_ERR(hf_peer_id_read(peer, &m.peer), HF_OK);
    m.addrs[0] = addr("/ip4/1.2.3.4/tcp/4001");
    hf_autonat_message_add(&out, &m);
    CHECK_BYTES(hf_buf_bytes(&out), hf_test_hex(HF_TEXT("080012340a320a260024080112200f9cf2b80cbfde6c13e8bb7a8603bf4ef82df2521406da4c9933d8c3"
                                                        "fc030469120804010203040"
                                                        "60fa1")));
    CHECK_ERR(hf_autonat_message_read(hf_buf_bytes(&out), &m), HF_OK);
    CHECK(m.n_addrs == 1 && !m.response);
    CHECK_ERR(hf_autonat_message_read(hf_test_hex(HF_TEXT("08011a19086512156e6f206469616c61626c6520616464726573736573")), &m), HF_OK);
    CHECK(m.response && m.status == HF_AUTONAT_DIAL_REFUSED && hf_eq(m.text, HF_TEXT("no dialable addresses")));
    hf_buf_deinit(&out);
}

HF_TEST(reach_tells_public_addresses) {
    static const struct {
        const char *text;
        bool is_public;
    } cases[] = {
        {"/ip4/8.8.8.8/tcp/1", true},        {"/ip4/10.1.2.3/tcp/1", false},   {"/ip4/172.15.0.1/tcp/1", true},    {"/ip4/172.16.0.1/tcp/1", false},
        {"/ip4/172.31.255.1/tcp/1", false},  {"/ip4/172.32.0.1/tcp/1", true},  {"/ip4/192.168.0.1/tcp/1", false},  {"/ip4/127.0.0.1/tcp/1", false},
        {"/ip4/169.254.1.1/tcp/1", false},   {"/ip4/100.64.0.1/tcp/1", false}, {"/ip4/100.128.0.1/tcp/1", true},   {"/ip4/224.0.0.1/tcp/1", false},
        {"/ip4/255.255.255.255/tcp/1", false}, {"/ip4/0.0.0.0/tcp/1", false},  {"/ip4/198.51.100.7/tcp/1", false}, {"/ip4/223.1.1.1/tcp/1", true},
        {"/ip6/2606:4700::1111/tcp/1", true}, {"/ip6/::1/tcp/1", false},       {"/ip6/fe80::1/tcp/1", false},      {"/ip6/fd00::1/tcp/1", false},
        {"/ip6/2001:db8::1/tcp/1", false},   {"/ip6/2002::1/tcp/1", false},    {"/ip6/::ffff:8.8.8.8/tcp/1", false}, {"/dns4/example.org/tcp/1", false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes a = addr(cases[i].text);
        CHECK_MSG(hf_reach_is_dialable(a, HF_BYTES(NULL, 0), false) == cases[i].is_public, "%s", cases[i].text);
        CHECK_MSG(hf_reach_is_public_ip(hf_reach_ip(a)) == cases[i].is_public, "%s", cases[i].text);
    }
}

HF_TEST(reach_believes_nobody_about_other_peoples_networks) {
    static const char PUBLIC[] = "/ip4/8.8.8.8/tcp/4001", LINK[] = "/ip4/169.254.3.4/tcp/4001", LAN[] = "/ip4/192.168.7.9/tcp/4001", HERE[] = "/ip4/127.0.0.1/tcp/4001";
    static const struct {
        const char *address;
        bool far, lan, here; /* on the word of the Internet, of our network, of this machine */
    } cases[] = {
        {"/ip4/9.9.9.9/tcp/4001", true, true, true},         {"/ip4/9.9.9.9/tcp/443", true, true, true},
        {"/ip4/9.9.9.9/tcp/22", false, true, true},          {"/ip4/9.9.9.9/udp/53/quic-v1", false, true, true},
        {"/ip4/10.0.0.1/tcp/6379", false, true, true},       {"/ip4/127.0.0.1/tcp/4001", false, false, true},
        {"/ip4/127.0.0.1/tcp/22", false, false, true},       {"/ip4/169.254.169.254/tcp/80", false, false, true},
        {"/ip4/0.0.0.0/tcp/4001", false, false, true},       {"/ip6/::1/tcp/4001", false, false, true},
        {"/ip6/::ffff:127.0.0.1/tcp/4001", false, false, true}, {"/ip6/::ffff:10.0.0.1/tcp/4001", false, true, true},
        {"/ip6/64:ff9b::7f00:1/tcp/4001", false, false, true},  {"/ip6/2002:7f00:1::/tcp/4001", false, false, true},
        {"/ip6/fe80::1/tcp/4001", false, false, true},       {"/dns4/localhost/tcp/4001", false, false, true},
        {"/dns/example.org/tcp/4001", true, true, true},     {"/ip4/224.0.0.1/tcp/4001", false, false, true},
    };
    CHECK(hf_reach_is_believed(addr("/ip4/169.254.9.9/tcp/4001"), addr(LINK)) && hf_reach_is_believed(addr("/ip4/9.9.9.9/tcp/4001"), addr(LINK)));
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_bytes address = addr(cases[i].address), nobody = HF_BYTES(NULL, 0);
        CHECK_MSG(hf_reach_is_believed(address, addr(PUBLIC)) == cases[i].far, "%s from afar", cases[i].address);
        CHECK_MSG(hf_reach_is_believed(address, nobody) == cases[i].far, "%s from somewhere", cases[i].address);
        CHECK_MSG(hf_reach_is_believed(address, addr(LAN)) == cases[i].lan, "%s from the network", cases[i].address);
        CHECK_MSG(hf_reach_is_believed(address, addr(HERE)) == cases[i].here, "%s from here", cases[i].address);
    }
}

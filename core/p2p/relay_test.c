/* Relaying in a world of three and more: reserving, connecting, data both ways, limits, ends. The messages: relay_message_test.c;
 * hostile peers: relay_hostile_test.c. */
#include "relay_test.h"

#include "../codec/multiaddr.h"

enum { MB = 1 << 20 };

/* Node 2 connects to node 1 through node 0. */
static hf_err connect_through(mesh *m) {
    hf_err err = hf_relay_connect(m->nodes[2].relay, m->now_ms, mesh_id(m, 0), mesh_id(m, 1), 42);
    if (!err) mesh_run(m);
    return err;
}

static void start_connected(mesh *m, const hf_relay_config *config) {
    CHECK_ERR(mesh_star(m, 3, config), HF_OK);
    CHECK_ERR(connect_through(m), HF_OK);
    CHECK(mesh_find_conn(m, 2, HF_SWARM_CONN_UP, mesh_id(m, 1)) != NULL);
    CHECK(mesh_find_conn(m, 1, HF_SWARM_CONN_UP, mesh_id(m, 2)) != NULL);
}

static const hf_relay_config unlimited = {.allow = mesh_unlimited};

HF_TEST(relay_reserves_and_tells_addresses) {
    mesh m;
    CHECK_ERR(mesh_star(&m, 2, NULL), HF_OK);
    const hf_relay_out *news = mesh_find_news(&m, 1, HF_RELAY_RESERVED, 0);
    CHECK(news && hf_peer_id_eq(&news->via, mesh_id(&m, 0)));
    CHECK_U64(news->n_addrs, 1);
    CHECK_U64(news->limit.duration_s, 120);
    CHECK_U64(news->limit.bytes, 128 << 10);
    CHECK(news->expires_ms > m.now_ms + 3590000 && news->expires_ms <= m.now_ms + 3600000);
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    CHECK_ERR(hf_multiaddr_text(m.nodes[1].addr[0], &text), HF_OK);
    CHECK(hf_starts(hf_buf_bytes(&text), HF_TEXT("/ip4/10.0.0.1/tcp/4001/p2p/12D3KooW")));
    CHECK(hf_find(hf_buf_bytes(&text), 'c', 0) < text.len);
    hf_buf_deinit(&text);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_reservations, 1);
    CHECK_ERR(hf_relay_reserve(m.nodes[1].relay, m.now_ms, mesh_id(&m, 0)), HF_EXISTS);
    mesh_stop(&m);
}

HF_TEST(relay_connects_and_carries_both_ways) {
    mesh m;
    start_connected(&m, &unlimited);
    const hf_relay_out *out = mesh_find_news(&m, 2, HF_RELAY_CONNECTED, 0), *in = mesh_find_news(&m, 1, HF_RELAY_CONNECTED, 0);
    CHECK(out && !out->inbound && out->context == 42 && hf_relay_is_conn(out->conn));
    CHECK(hf_peer_id_eq(&out->peer, mesh_id(&m, 1)) && hf_peer_id_eq(&out->via, mesh_id(&m, 0)));
    CHECK(in && in->inbound && hf_peer_id_eq(&in->peer, mesh_id(&m, 2)));
    const hf_swarm_out *up = mesh_find_conn(&m, 2, HF_SWARM_CONN_UP, mesh_id(&m, 1));
    CHECK(up->relayed && !up->limited && !up->inbound);
    mesh_stream *there = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 10 * MB, true);
    mesh_stream *back = mesh_open(&m, 1, mesh_id(&m, 2), HF_TEXT(MESH_APP), 10 * MB, true);
    CHECK(there && back);
    mesh_run(&m);
    CHECK_U64(mesh_inbound(&m, 1)->got, 10 * MB);
    CHECK_U64(mesh_inbound(&m, 2)->got, 10 * MB);
    CHECK(!mesh_inbound(&m, 1)->wrong && !mesh_inbound(&m, 2)->wrong);
    CHECK(mesh_inbound(&m, 1)->fin && mesh_inbound(&m, 2)->fin && mesh_inbound(&m, 1)->relayed);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 1);
    CHECK(hf_relay_look(m.nodes[0].relay).n_bytes_relayed > 20 * MB);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_bytes_held, 0);
    mesh_wait(&m, 600000); /* no limit: it stays, and pings go through it */
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_DOWN, mesh_id(&m, 1)) == NULL);
    mesh_stop(&m);
}

HF_TEST(relay_carries_in_any_cut) {
    static const size_t cuts[] = {1, 7, 1000};
    for (size_t i = 0; i < HF_COUNT(cuts); i++) {
        mesh m;
        CHECK_ERR(mesh_star(&m, 3, &unlimited), HF_OK);
        m.cut = cuts[i];
        CHECK_ERR(connect_through(&m), HF_OK);
        CHECK(mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 20000, true) != NULL);
        mesh_run(&m);
        CHECK_U64(mesh_inbound(&m, 1)->got, 20000);
        mesh_stop(&m);
    }
}

/* The connection inside has windows of its own, so a reader that pauses stops the writer there; nothing gathers on the way. */
HF_TEST(relay_waits_for_a_slow_reader) {
    mesh m;
    start_connected(&m, &unlimited);
    m.nodes[1].pause_reading = true;
    mesh_stream *s = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 10 * MB, true);
    mesh_run(&m);
    mesh_stream *in = mesh_inbound(&m, 1);
    CHECK_MSG(in->got <= 512 << 10 && s->written < 3 * MB, "%zu came, %zu written", in->got, s->written);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_bytes_held, 0);
    hf_swarm_stream_reading(m.nodes[1].swarm, m.now_ms, in->id, true);
    mesh_run(&m);
    CHECK_U64(in->got, 10 * MB);
    CHECK(in->fin && !in->wrong);
    mesh_stop(&m);
}

/* The link from the relay to the reader stands still: the relay holds a bounded amount and stops reading. */
HF_TEST(relay_memory_is_bounded_behind_a_stuck_link) {
    mesh m;
    start_connected(&m, &unlimited);
    size_t before = hf_test_mem_out();
    hf_swarm_conn_busy(m.nodes[0].swarm, m.now_ms, 0, true); /* link 0: node 1 to the relay */
    for (size_t i = 0; i < 4; i++)
        CHECK(mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 10 * MB, true) != NULL);
    mesh_run(&m);
    CHECK(hf_relay_look(m.nodes[0].relay).n_bytes_relayed < 2 * MB);
    CHECK(m.nodes[0].most_held < 1 * MB);
    CHECK(hf_test_mem_out() - before < 12 * MB); /* most of it is what the writer's own streams buffer */
    hf_swarm_conn_busy(m.nodes[0].swarm, m.now_ms, 0, false);
    mesh_run(&m);
    for (size_t i = 0; i < 4; i++) CHECK_U64(m.nodes[1].streams[i].got, 10 * MB);
    mesh_stop(&m);
}

HF_TEST(relay_refuses_protocols_on_limited_connections) {
    mesh m;
    start_connected(&m, NULL);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_UP, mesh_id(&m, 1))->limited);
    uint64_t stream, conn = mesh_find_news(&m, 2, HF_RELAY_CONNECTED, 0)->conn;
    hf_swarm *swarm = m.nodes[2].swarm;
    CHECK_ERR(hf_swarm_stream_open(swarm, m.now_ms, mesh_id(&m, 1), HF_TEXT(MESH_APP), MESH_TAG_APP, &stream), HF_DENIED);
    CHECK_ERR(hf_swarm_stream_open_on(swarm, m.now_ms, conn, HF_TEXT(MESH_APP), MESH_TAG_APP, &stream), HF_DENIED);
    CHECK(mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_SIGNAL), 1000, true) != NULL);
    mesh_run(&m);
    CHECK_U64(mesh_inbound(&m, 1)->got, 1000);
    /* a peer that thinks otherwise is refused by the other end */
    CHECK_ERR(hf_swarm_allow_limited(swarm, HF_TEXT(MESH_APP)), HF_OK);
    mesh_stream *s = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 1000, true);
    mesh_run(&m);
    CHECK(s->gone && s->reset && !s->open);
    /* identify went over it */
    CHECK(hf_swarm_peer_speaks(swarm, mesh_id(&m, 1), HF_TEXT(MESH_SIGNAL)));
    /* a direct connection takes over */
    mesh_link_up(&m, 1, 2);
    mesh_run(&m);
    s = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 1000, true);
    mesh_run(&m);
    CHECK(s && s->open && !s->relayed);
    CHECK_ERR(hf_swarm_direct(swarm, mesh_id(&m, 1), &conn), HF_OK);
    CHECK(!hf_relay_is_conn(conn));
    mesh_stop(&m);
}

HF_TEST(relay_makes_room_for_direct_connections) {
    mesh m;
    mesh_make(&m, 3, 12);
    m.nodes[0].config = unlimited;
    m.nodes[0].config.serve = true;
    m.nodes[1].swarm_config.conns_per_peer_max = m.nodes[2].swarm_config.conns_per_peer_max = 1;
    for (size_t i = 0; i < 3; i++) CHECK_ERR(mesh_start(&m, i), HF_OK);
    mesh_link_up(&m, 1, 0);
    mesh_link_up(&m, 2, 0);
    mesh_run(&m);
    CHECK_ERR(hf_relay_reserve(m.nodes[1].relay, m.now_ms, mesh_id(&m, 0)), HF_OK);
    mesh_run(&m);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_UP, mesh_id(&m, 1))->relayed);
    mesh_link_up(&m, 2, 1);
    mesh_run(&m);
    CHECK(!mesh_find_conn(&m, 2, HF_SWARM_CONN_UP, mesh_id(&m, 1))->relayed);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_DOWN, mesh_id(&m, 1))->relayed);
    CHECK(hf_swarm_connected(m.nodes[1].swarm, mesh_id(&m, 2)));
    mesh_wait(&m, 20000);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    mesh_stop(&m);
}

/* ---- limits ---- */

HF_TEST(relay_resets_what_exceeds_its_bytes) {
    mesh m;
    start_connected(&m, &(hf_relay_config){.bytes_max = 20000});
    mesh_stream *s = mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_SIGNAL), 10000, false);
    mesh_run(&m);
    CHECK_U64(mesh_inbound(&m, 1)->got, 10000);
    s->to_write += 20000;
    mesh_write(&m, &m.nodes[2], s);
    mesh_run(&m);
    CHECK(s->gone && s->reset && mesh_inbound(&m, 1)->reset);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2)) != NULL);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_DOWN, mesh_id(&m, 1)) != NULL);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    CHECK(hf_relay_look(m.nodes[0].relay).n_bytes_relayed <= 40000);
    CHECK_ERR(connect_through(&m), HF_OK); /* the reservation stands */
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 1);
    mesh_stop(&m);
}

HF_TEST(relay_resets_what_lasts_too_long) {
    mesh m;
    start_connected(&m, &(hf_relay_config){.duration_s = 60});
    mesh_wait(&m, 59000);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2)) == NULL);
    mesh_wait(&m, 2000);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2)) != NULL);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_DOWN, mesh_id(&m, 1)) != NULL);
    mesh_stop(&m);
}

HF_TEST(relay_keeps_to_its_speed) {
    mesh m;
    start_connected(&m, &(hf_relay_config){.allow = mesh_unlimited, .bytes_per_s = 1 * MB});
    CHECK(mesh_open(&m, 2, mesh_id(&m, 1), HF_TEXT(MESH_APP), 10 * MB, true) != NULL);
    mesh_run(&m);
    mesh_wait(&m, 4000);
    size_t got = mesh_inbound(&m, 1)->got;
    CHECK_MSG(got > 3 * MB && got < 7 * MB, "%zu bytes in 4 s", got);
    mesh_wait(&m, 8000);
    CHECK_U64(mesh_inbound(&m, 1)->got, 10 * MB);
    mesh_stop(&m);
}

HF_TEST(relay_limits_circuits) {
    mesh m;
    CHECK_ERR(mesh_star(&m, 3, &(hf_relay_config){.circuits_per_peer_max = 2}), HF_OK);
    for (size_t i = 0; i < 3; i++) CHECK_ERR(connect_through(&m), HF_OK);
    const hf_relay_out *failed = mesh_find_news(&m, 2, HF_RELAY_FAILED, 0);
    CHECK(failed && failed->context == 42);
    CHECK_U64(failed->status, HF_RELAY_NO_ROOM);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 2);
    mesh_stop(&m);
}

HF_TEST(relay_limits_reservations_by_address) {
    mesh m;
    mesh_make(&m, 12, 40);
    m.nodes[0].config = (hf_relay_config){.serve = true, .reservations_max = 6, .reservations_per_ip_max = 3};
    for (size_t i = 0; i < 12; i++) CHECK_ERR(mesh_start(&m, i), HF_OK);
    uint8_t same[8] = {4, 10, 9, 9, 9, 6, 0x0f, 0xa1};
    for (size_t i = 1; i < 12; i++) { /* 1 to 6 come from one address */
        size_t n = mesh_link_up(&m, i, 0);
        if (i > 6) continue;
        hf_swarm_conn_lost(m.nodes[0].swarm, m.now_ms, n);
        CHECK_ERR(hf_swarm_conn_open(m.nodes[0].swarm, m.now_ms, n, false, NULL, HF_BYTES(same, 8)), HF_OK);
    }
    mesh_run(&m);
    for (size_t i = 1; i < 12; i++) {
        CHECK_ERR(hf_relay_reserve(m.nodes[i].relay, m.now_ms, mesh_id(&m, 0)), HF_OK);
        mesh_run(&m);
        bool expected = i <= 3 || (i > 6 && i <= 9);
        CHECK_MSG((mesh_find_news(&m, i, HF_RELAY_RESERVED, 0) != NULL) == expected, "peer %zu", i);
        if (!expected) CHECK_U64(mesh_find_news(&m, i, HF_RELAY_LOST, 0)->status, HF_RELAY_REFUSED);
    }
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_reservations, 6);
    mesh_stop(&m);
}

HF_TEST(relay_bounds_a_thousand_reservations) {
    enum { PEERS = 1000, MOST = 128 };
    mesh m;
    mesh_make(&m, PEERS + 1, PEERS);
    m.nodes[0].config.serve = true;
    for (size_t i = 0; i <= PEERS; i++) CHECK_ERR(mesh_start(&m, i), HF_OK);
    for (size_t i = 1; i <= PEERS; i++) mesh_link_up(&m, i, 0);
    mesh_run(&m);
    size_t before = hf_test_mem_out();
    for (size_t i = 1; i <= PEERS; i++) CHECK_ERR(hf_relay_reserve(m.nodes[i].relay, m.now_ms, mesh_id(&m, 0)), HF_OK);
    mesh_run(&m);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_reservations, MOST);
    size_t n = 0;
    for (size_t i = 1; i <= PEERS; i++) n += mesh_find_news(&m, i, HF_RELAY_RESERVED, 0) != NULL;
    CHECK_U64(n, MOST);
    CHECK(hf_test_mem_out() - before < (size_t)4 * MB);
    mesh_stop(&m);
}

/* ---- ends ---- */

HF_TEST(relay_ends_both_ways) {
    mesh m;
    start_connected(&m, &unlimited);
    hf_swarm_conn_close(m.nodes[2].swarm, m.now_ms, mesh_find_news(&m, 2, HF_RELAY_CONNECTED, 0)->conn, "enough");
    mesh_run(&m);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2)) != NULL);
    mesh_wait(&m, 20000);
    for (size_t i = 0; i < 3; i++) {
        CHECK_U64(hf_relay_look(m.nodes[i].relay).n_circuits, 0);
        CHECK_U64(hf_relay_look(m.nodes[i].relay).n_channels, 0);
    }
    CHECK(hf_swarm_connected(m.nodes[2].swarm, mesh_id(&m, 0)));
    mesh_stop(&m);
}

HF_TEST(relay_that_dies_takes_its_connections_along) {
    mesh m;
    start_connected(&m, &unlimited);
    mesh_link_down(&m, 0); /* node 1 and the relay */
    mesh_run(&m);
    CHECK(mesh_find_conn(&m, 1, HF_SWARM_CONN_DOWN, mesh_id(&m, 2)) != NULL);
    CHECK(mesh_find_conn(&m, 2, HF_SWARM_CONN_DOWN, mesh_id(&m, 1)) != NULL);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_LOST, 0) != NULL);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_reservations, 0);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK_U64(mesh_find_news(&m, 2, HF_RELAY_FAILED, 0)->status, HF_RELAY_NO_RESERVATION);
    mesh_wait(&m, 2000);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_DIAL, 0) != NULL);
    mesh_link_up(&m, 1, 0); /* the shell does as it was asked */
    mesh_run(&m);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_RESERVED, 1) != NULL);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK(hf_swarm_connected(m.nodes[1].swarm, mesh_id(&m, 2)));
    mesh_stop(&m);
}

HF_TEST(relay_asks_to_be_connected_with_growing_pauses) {
    mesh m;
    mesh_make(&m, 2, 4);
    for (size_t i = 0; i < 2; i++) CHECK_ERR(mesh_start(&m, i), HF_OK);
    CHECK_ERR(hf_relay_reserve(m.nodes[0].relay, m.now_ms, mesh_id(&m, 1)), HF_OK);
    mesh_wait(&m, 3600000);
    size_t n = 0;
    while (mesh_find_news(&m, 0, HF_RELAY_DIAL, n)) n++;
    CHECK_MSG(n >= 10 && n <= 20, "%zu times in an hour", n);
    mesh_link_up(&m, 0, 1); /* that one is no relay */
    mesh_run(&m);
    CHECK(mesh_find_news(&m, 0, HF_RELAY_LOST, 0) != NULL);
    hf_relay_unreserve(m.nodes[0].relay, mesh_id(&m, 1));
    m.nodes[0].n_news = 0;
    mesh_wait(&m, 3600000);
    CHECK_U64(m.nodes[0].n_news, 0);
    mesh_stop(&m);
}

HF_TEST(relay_refreshes_reservations) {
    mesh m;
    CHECK_ERR(mesh_star(&m, 3, NULL), HF_OK);
    mesh_wait(&m, (uint64_t)5 * 3600000);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_LOST, 0) == NULL);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_RESERVED, 5) != NULL);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_RESERVED, 12) == NULL);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK(hf_swarm_connected(m.nodes[2].swarm, mesh_id(&m, 1)));
    hf_relay_unreserve(m.nodes[1].relay, mesh_id(&m, 0));
    mesh_wait(&m, 3700000);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_reservations, 0);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK_U64(mesh_find_news(&m, 2, HF_RELAY_FAILED, 0)->status, HF_RELAY_NO_RESERVATION);
    mesh_stop(&m);
}

/* ---- refusals ---- */

static hf_relay_verdict only_reserve(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)peer;
    return ask == HF_RELAY_ASK_RESERVE && !target ? HF_RELAY_LIMITED : HF_RELAY_DENY;
}

static hf_relay_verdict nobody(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)ask, (void)peer, (void)target;
    return HF_RELAY_DENY;
}

HF_TEST(relay_asks_who_may) {
    mesh m;
    CHECK_ERR(mesh_star(&m, 3, &(hf_relay_config){.allow = only_reserve}), HF_OK);
    CHECK(mesh_find_news(&m, 1, HF_RELAY_RESERVED, 0) != NULL);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK_U64(mesh_find_news(&m, 2, HF_RELAY_FAILED, 0)->status, HF_RELAY_FORBIDDEN);
    mesh_stop(&m);
    CHECK_ERR(mesh_star(&m, 2, &(hf_relay_config){.allow = nobody}), HF_OK);
    CHECK_U64(mesh_find_news(&m, 1, HF_RELAY_LOST, 0)->status, HF_RELAY_FORBIDDEN);
    mesh_stop(&m);
}

HF_TEST(relay_refuses_calls_that_nobody_waits_for) {
    mesh m;
    CHECK_ERR(mesh_star(&m, 3, NULL), HF_OK);
    hf_relay_unreserve(m.nodes[1].relay, mesh_id(&m, 0)); /* the relay does not know that */
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK_U64(mesh_find_news(&m, 2, HF_RELAY_FAILED, 0)->status, HF_RELAY_UNREACHED);
    CHECK_U64(hf_relay_look(m.nodes[0].relay).n_circuits, 0);
    CHECK_ERR(hf_relay_connect(m.nodes[2].relay, m.now_ms, mesh_id(&m, 1), mesh_id(&m, 0), 0), HF_NOT_FOUND);
    mesh_stop(&m);
}

/* What a relayed connection carries may not be relayed once more. */
HF_TEST(relay_refuses_hops_over_hops) {
    mesh m;
    mesh_make(&m, 3, 12);
    for (size_t i = 0; i < 3; i++) {
        m.nodes[i].config = unlimited;
        m.nodes[i].config.serve = true;
        CHECK_ERR(mesh_start(&m, i), HF_OK);
    }
    mesh_link_up(&m, 1, 0);
    mesh_link_up(&m, 2, 0);
    mesh_run(&m);
    CHECK_ERR(hf_relay_reserve(m.nodes[1].relay, m.now_ms, mesh_id(&m, 0)), HF_OK);
    mesh_run(&m);
    CHECK_ERR(connect_through(&m), HF_OK);
    CHECK(hf_swarm_connected(m.nodes[2].swarm, mesh_id(&m, 1)));
    CHECK_ERR(hf_relay_connect(m.nodes[2].relay, m.now_ms, mesh_id(&m, 1), mesh_id(&m, 0), 0), HF_NOT_FOUND);
    CHECK_ERR(hf_relay_reserve(m.nodes[2].relay, m.now_ms, mesh_id(&m, 1)), HF_OK);
    mesh_run(&m);
    CHECK(mesh_find_news(&m, 2, HF_RELAY_DIAL, 0) != NULL); /* it wants a direct connection */
    uint64_t stream; /* by hand, past our own rule */
    CHECK_ERR(hf_swarm_stream_open(m.nodes[2].swarm, m.now_ms, mesh_id(&m, 1), HF_TEXT(HF_RELAY_HOP_PROTOCOL), MESH_TAG_APP, &stream), HF_OK);
    mesh_stream *s = mesh_add_stream(&m.nodes[2], stream, mesh_id(&m, 1), false);
    CHECK_ERR(hf_swarm_stream_write(m.nodes[2].swarm, m.now_ms, stream, HF_BYTES("\x02\x08\x00", 3)), HF_OK);
    mesh_run(&m);
    CHECK_U64(s->got, 6); /* PERMISSION_DENIED */
    CHECK_U64(hf_relay_look(m.nodes[1].relay).n_reservations, 0);
    mesh_stop(&m);
}

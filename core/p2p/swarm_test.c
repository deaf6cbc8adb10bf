/* Two swarms back to back: everything they do with each other, at any cut of the bytes, and against a simple model. */
#include "swarm_test.h"

#include "identify.h"

static world w;

HF_TEST(swarm_connects_and_identifies_at_any_cut) {
    static const size_t cuts[] = {1, 2, 3, 7, 16, 100, 1000, 1000000};
    for (size_t i = 0; i < HF_COUNT(cuts); i++) {
        world_start(&w, cuts[i]);
        const hf_swarm_out *up = find_event(&w.a, HF_SWARM_CONN_UP, 0),
                           *seen = find_event(&w.a, HF_SWARM_IDENTIFIED, 0);
        CHECK(up && find_event(&w.b, HF_SWARM_CONN_UP, 0) && seen && find_event(&w.b, HF_SWARM_IDENTIFIED, 0));
        CHECK(hf_peer_id_eq(&up->peer, hf_swarm_self(w.b.swarm)));
        CHECK(hf_swarm_connected(w.b.swarm, hf_swarm_self(w.a.swarm)));
        CHECK(hf_swarm_peer_speaks(w.a.swarm, &up->peer, HF_TEXT(ECHO)));
        CHECK(hf_swarm_peer_speaks(w.a.swarm, &up->peer, HF_TEXT("/ipfs/ping/1.0.0")));
        CHECK(!hf_swarm_peer_speaks(w.a.swarm, &up->peer, HF_TEXT("/other")));
        CHECK_BYTES(seen->identify->agent, HF_TEXT("holdfast/test"));
        CHECK_U64(seen->identify->n_protocols, 5);
        CHECK_U64(hf_swarm_conn_rtt_ms(w.a.swarm, CONN), 0);
        CHECK_U64(hf_swarm_n_peers(w.a.swarm), 1);
        CHECK(hf_peer_id_eq(hf_swarm_peer(w.a.swarm, 0), &up->peer) && !hf_swarm_peer(w.a.swarm, 1));
        CHECK_U64(hf_swarm_deadline(w.a.swarm) > w.now_ms, 1);
        world_stop(&w);
    }
}

HF_TEST(swarm_tells_what_address_it_sees) {
    world_start(&w, 1000);
    const hf_swarm_out *seen = find_event(&w.b, HF_SWARM_IDENTIFIED, 0);
    CHECK_BYTES(seen->identify->observed, HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1", 8));
    world_stop(&w);
}

HF_TEST(swarm_one_send_for_all_that_gathered) {
    world_start(&w, 1000000);
    uint64_t s;
    size_t before = w.a.n_sends;
    CHECK_ERR(hf_swarm_stream_open(w.a.swarm, w.now_ms, hf_swarm_self(w.b.swarm), HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    for (int i = 0; i < 10; i++) CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_TEXT("hello")), HF_OK);
    hf_swarm_stream_finish(w.a.swarm, w.now_ms, s);
    end_drain(&w.a, w.now_ms, &w.b.inbox);
    CHECK_U64(w.a.n_sends, before + 1);
    world_run(&w);
    const hf_swarm_out *open = find_event(&w.b, HF_SWARM_STREAM_OPEN, 0);
    CHECK(open && open->inbound && open->tag == TAG_SINK && hf_peer_id_eq(&open->peer, hf_swarm_self(w.a.swarm)));
    CHECK_U64(received(&w.b, open->stream).len, 50);
    CHECK_U64(count_events(&w.b, HF_SWARM_STREAM_DATA), 10); /* one write, one frame */
    CHECK(find_event(&w.b, HF_SWARM_STREAM_FIN, 0) && !find_event(&w.b, HF_SWARM_STREAM_GONE, 0));
    hf_swarm_stream_finish(w.b.swarm, w.now_ms, open->stream);
    world_run(&w);
    CHECK(!find_event(&w.b, HF_SWARM_STREAM_GONE, 0)->reset && !find_event(&w.a, HF_SWARM_STREAM_GONE, 0)->reset);
    CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_TEXT("x")), HF_STATE);
    world_stop(&w);
}

HF_TEST(swarm_echoes_at_any_cut) {
    static const size_t cuts[] = {1, 13, 4096, 1000000};
    for (size_t i = 0; i < HF_COUNT(cuts); i++) {
        world_start(&w, cuts[i]);
        uint64_t s;
        uint8_t text[3000];
        for (size_t k = 0; k < sizeof text; k++) text[k] = (uint8_t)(k * 7);
        w.b.echo = true;
        CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(ECHO), TAG_ECHO, &s), HF_OK);
        CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_BYTES(text, sizeof text)), HF_OK);
        hf_swarm_stream_finish(w.a.swarm, w.now_ms, s);
        world_run(&w);
        CHECK_BYTES(received(&w.a, s), HF_BYTES(text, sizeof text));
        CHECK(find_event(&w.a, HF_SWARM_STREAM_OPEN, 0) && find_event(&w.a, HF_SWARM_STREAM_FIN, 0));
        CHECK(find_event(&w.a, HF_SWARM_STREAM_GONE, 0) && find_event(&w.b, HF_SWARM_STREAM_GONE, 0));
        world_stop(&w);
    }
}

HF_TEST(swarm_refuses_unknown_protocols_with_na) {
    world_start(&w, 1000);
    uint64_t s;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT("/unknown"), 5, &s), HF_OK);
    CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_TEXT("early")), HF_OK);
    world_run(&w);
    const hf_swarm_out *gone = find_event(&w.a, HF_SWARM_STREAM_GONE, 0);
    CHECK(gone && gone->reset && gone->stream == s && gone->tag == 5 && !find_event(&w.b, HF_SWARM_STREAM_OPEN, 0));
    CHECK(!w.a.closed && !w.b.closed);
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT("a\nb"), 5, &s), HF_MALFORMED);
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN + 1, HF_TEXT(ECHO), 5, &s), HF_NOT_FOUND);
    CHECK_ERR(hf_swarm_stream_open(w.a.swarm, w.now_ms, hf_swarm_self(w.a.swarm), HF_TEXT(ECHO), 5, &s), HF_NOT_FOUND);
    world_stop(&w);
}

HF_TEST(swarm_resets) {
    world_start(&w, 1000);
    uint64_t s;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    world_run(&w);
    hf_swarm_stream_reset(w.a.swarm, w.now_ms, s);
    world_run(&w);
    CHECK(find_event(&w.a, HF_SWARM_STREAM_GONE, 0)->reset && find_event(&w.b, HF_SWARM_STREAM_GONE, 0)->reset);
    world_stop(&w);
}

HF_TEST(swarm_back_pressure_both_ways) {
    hf_swarm_config small = {.send_buffer_bytes_max = 300000};
    world_start_with(&w, 100000, &small, NULL);
    CHECK_ERR(world_connect(&w, NULL), HF_OK);
    static uint8_t block[60000];
    uint64_t s;
    hf_err err = HF_OK;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    world_run(&w);
    uint64_t sink = find_event(&w.b, HF_SWARM_STREAM_OPEN, 0)->stream;
    hf_swarm_stream_reading(w.b.swarm, w.now_ms, sink, false);
    size_t written = 0;
    for (int i = 0; i < 100 && !err; i++) {
        err = hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_BYTES(block, sizeof block));
        if (!err) written += sizeof block;
        world_run(&w);
    }
    CHECK_ERR(err, HF_LIMIT);
    CHECK(written >= 300000 && written <= 262144 + 300000);
    CHECK(received(&w.b, sink).len <= 262144);
    CHECK(hf_swarm_stream_buffered(w.a.swarm, s) == written - received(&w.b, sink).len);
    CHECK(!find_event(&w.a, HF_SWARM_STREAM_DRAINED, 0));
    hf_swarm_stream_reading(w.b.swarm, w.now_ms, sink, true);
    world_run(&w);
    CHECK_U64(received(&w.b, sink).len, written);
    CHECK_U64(count_events(&w.a, HF_SWARM_STREAM_DRAINED), 1);
    CHECK_U64(hf_swarm_stream_buffered(w.a.swarm, s), 0);
    world_stop(&w);
}

HF_TEST(swarm_sends_no_data_while_the_channel_is_busy) {
    world_start(&w, 100000);
    uint64_t s;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    world_run(&w);
    hf_swarm_conn_busy(w.a.swarm, w.now_ms, CONN, true);
    CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_TEXT("hello")), HF_OK);
    hf_swarm_stream_finish(w.a.swarm, w.now_ms, s);
    size_t before = w.a.n_sends;
    world_run(&w);
    CHECK_U64(w.a.n_sends, before);
    hf_swarm_conn_busy(w.a.swarm, w.now_ms, CONN, false);
    world_run(&w);
    CHECK_U64(count_events(&w.b, HF_SWARM_STREAM_DATA), 1);
    CHECK_U64(count_events(&w.b, HF_SWARM_STREAM_FIN), 1);
    world_stop(&w);
}

HF_TEST(swarm_pushes_new_protocols) {
    world_start(&w, 1000);
    CHECK_ERR(hf_swarm_protocol(w.a.swarm, HF_TEXT("/late"), 9), HF_OK);
    CHECK_ERR(hf_swarm_protocol(w.a.swarm, HF_TEXT("/late"), 9), HF_EXISTS);
    CHECK_ERR(hf_swarm_protocol(w.a.swarm, HF_TEXT("/ipfs/id/1.0.0"), 9), HF_EXISTS);
    CHECK_ERR(hf_swarm_protocol(w.a.swarm, HF_TEXT(""), 9), HF_MALFORMED);
    hf_bytes address = HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1", 8);
    CHECK_ERR(hf_swarm_addresses(w.a.swarm, &address, 1), HF_OK);
    CHECK_U64(hf_swarm_deadline(w.a.swarm), 0);
    world_wait(&w, 10);
    CHECK(hf_swarm_peer_speaks(w.b.swarm, hf_swarm_self(w.a.swarm), HF_TEXT("/late")));
    const hf_swarm_out *again = find_event(&w.b, HF_SWARM_IDENTIFIED, 1);
    CHECK(again && again->identify->n_addresses == 1);
    CHECK_BYTES(again->identify->addresses[0], address);
    world_stop(&w);
}

/* The path stood still until asking who it is had timed out: it is asked again, or the connection would be up and of no use. */
HF_TEST(swarm_asks_again_who_it_is) {
    world w = {.cut = 1 << 16};
    world_start_with(&w, w.cut, NULL, NULL);
    CHECK_ERR(hf_swarm_conn_open(w.a.swarm, w.now_ms, CONN, true, NULL, HF_BYTES("", 0)), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(w.b.swarm, w.now_ms, CONN, false, NULL, HF_BYTES("", 0)), HF_OK);
    while (!find_event(&w.a, HF_SWARM_CONN_UP, 0) || !find_event(&w.b, HF_SWARM_CONN_UP, 0)) {
        end_drain(&w.a, w.now_ms, &w.b.inbox);
        end_drain(&w.b, w.now_ms, &w.a.inbox);
        if (!end_deliver(&w, &w.a)) end_deliver(&w, &w.b);
    }
    CHECK(!find_event(&w.a, HF_SWARM_IDENTIFIED, 0) && !find_event(&w.b, HF_SWARM_IDENTIFIED, 0));
    w.now_ms += 12000;
    hf_swarm_tick(w.a.swarm, w.now_ms);
    hf_swarm_tick(w.b.swarm, w.now_ms);
    world_run(&w);
    CHECK(!find_event(&w.a, HF_SWARM_IDENTIFIED, 0) || !find_event(&w.b, HF_SWARM_IDENTIFIED, 0));
    world_wait(&w, 20000);
    CHECK(find_event(&w.a, HF_SWARM_IDENTIFIED, 0) && find_event(&w.b, HF_SWARM_IDENTIFIED, 0));
    CHECK(!w.a.closed && !w.b.closed);
    world_stop(&w);
}

HF_TEST(swarm_takes_no_more_protocols_than_identify_carries) {
    world_start(&w, 100000);
    char name[80];
    hf_err err = HF_OK;
    size_t n = 0;
    for (; !err; n++) {
        snprintf(name, sizeof name, "/orbitdb/heads/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTd%06zu", n);
        err = hf_swarm_protocol(w.a.swarm, hf_str(name), 3);
    }
    CHECK_ERR(err, HF_LIMIT);
    CHECK(n > 70);
    world_wait(&w, 10);
    snprintf(name, sizeof name, "/orbitdb/heads/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTd%06zu", n - 2);
    CHECK(hf_swarm_peer_speaks(w.b.swarm, hf_swarm_self(w.a.swarm), hf_str(name)));
    world_stop(&w);
}

HF_TEST(swarm_keeps_an_idle_connection_alive) {
    world_start(&w, 1000);
    world_wait(&w, 3600 * 1000);
    CHECK(!w.a.closed && !w.b.closed);
    CHECK_U64(count_events(&w.a, HF_SWARM_STREAM_OPEN) + count_events(&w.b, HF_SWARM_STREAM_OPEN),
              0); /* pings are the swarm's own */
    world_stop(&w);
}

HF_TEST(swarm_gives_memory_back_when_nothing_goes_by) {
    world_start(&w, 100000);
    w.b.keep = false;
    uint64_t s;
    static const uint8_t block[60000];
    size_t before = hf_test_mem_out() - w.a.inbox.cap - w.b.inbox.cap;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    for (int i = 0; i < 4; i++) CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_BYTES(block, sizeof block)), HF_OK);
    world_run(&w);
    world_wait(&w, 60 * 1000);
    size_t after = hf_test_mem_out() - w.a.inbox.cap - w.b.inbox.cap;
    CHECK(after < before + 4096);
    world_stop(&w);
}

HF_TEST(swarm_drops_a_silent_peer_within_45_s) {
    world_start(&w, 1000);
    uint64_t s;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    world_run(&w);
    hf_buf nowhere;
    hf_buf_init(&nowhere, hf_test_mem());
    for (uint64_t end_ms = w.now_ms + 45000; w.now_ms <= end_ms; w.now_ms += 100) {
        hf_swarm_tick(w.a.swarm, w.now_ms);
        end_drain(&w.a, w.now_ms, &nowhere);
    }
    CHECK(w.a.closed);
    CHECK(find_event(&w.a, HF_SWARM_STREAM_GONE, 0)->reset && find_event(&w.a, HF_SWARM_CONN_DOWN, 0)->last);
    CHECK(!hf_swarm_connected(w.a.swarm, hf_swarm_self(w.b.swarm)));
    CHECK_U64(hf_swarm_deadline(w.a.swarm), UINT64_MAX);
    hf_buf_deinit(&nowhere);
    world_stop(&w);
}

HF_TEST(swarm_closes_in_order) {
    world_start(&w, 1000);
    uint64_t s;
    CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK, &s), HF_OK);
    world_run(&w);
    w.a.n_log = w.b.n_log = 0;
    hf_swarm_conn_close(w.a.swarm, w.now_ms, CONN, "enough");
    world_run(&w);
    static const hf_swarm_kind order[] = {HF_SWARM_STREAM_GONE, HF_SWARM_CONN_DOWN, HF_SWARM_CONN_CLOSE};
    CHECK_U64(w.a.n_log, 3);
    for (size_t i = 0; i < 3; i++) CHECK_U64(w.a.log[i].kind, order[i]);
    CHECK(strcmp(w.a.log[2].reason, "enough") == 0);
    CHECK(strcmp(find_event(&w.b, HF_SWARM_CONN_DOWN, 0)->reason, "yamux: the peer goes away") == 0);
    CHECK_ERR(hf_swarm_conn_recv(w.a.swarm, w.now_ms, CONN, HF_TEXT("x")), HF_NOT_FOUND);
    CHECK_ERR(hf_swarm_conn_open(w.a.swarm, w.now_ms, CONN, true, NULL, HF_TEXT("")), HF_OK);
    world_stop(&w);
}

HF_TEST(swarm_loses_a_connection) {
    world_start(&w, 1000);
    hf_swarm_conn_lost(w.a.swarm, w.now_ms, CONN);
    CHECK_ERR(hf_swarm_conn_open(w.a.swarm, w.now_ms, CONN, true, NULL, HF_TEXT("")),
              HF_OK); /* the number is free at once */
    w.a.n_log = 0;
    hf_buf nowhere;
    hf_buf_init(&nowhere, hf_test_mem());
    end_drain(&w.a, w.now_ms, &nowhere);
    CHECK(find_event(&w.a, HF_SWARM_CONN_DOWN, 0) && !find_event(&w.a, HF_SWARM_CONN_CLOSE, 0));
    hf_buf_deinit(&nowhere);
    world_stop(&w);
}

HF_TEST(swarm_wants_the_peer_it_dialled) {
    world_start_with(&w, 1000, NULL, NULL);
    CHECK_ERR(world_connect(&w, hf_swarm_self(w.a.swarm)), HF_OK); /* b is not a */
    CHECK(w.a.closed && w.b.closed && !find_event(&w.a, HF_SWARM_CONN_UP, 0));
    CHECK(strcmp(find_event(&w.a, HF_SWARM_CONN_CLOSE, 0)->reason, "noise: not the peer we dialled") == 0);
    world_stop(&w);
    world_start_with(&w, 1000, NULL, NULL);
    CHECK_ERR(world_connect(&w, hf_swarm_self(w.b.swarm)), HF_OK);
    CHECK(find_event(&w.a, HF_SWARM_CONN_UP, 0) && !w.a.closed);
    world_stop(&w);
}

HF_TEST(swarm_does_not_talk_to_itself) {
    world_start_with(&w, 1000, NULL, NULL);
    end_stop(&w.b);
    end_start(&w.b, 1, NULL);
    CHECK_ERR(world_connect(&w, NULL), HF_OK);
    CHECK(w.a.closed && w.b.closed && !find_event(&w.a, HF_SWARM_CONN_UP, 0) && !find_event(&w.b, HF_SWARM_CONN_UP, 0));
    world_stop(&w);
}

HF_TEST(swarm_bounds_its_connections) {
    hf_swarm_config few = {.conns_max = 3};
    static end e;
    end_start(&e, 1, &few);
    for (uint64_t i = 0; i < 3; i++) CHECK_ERR(hf_swarm_conn_open(e.swarm, 0, i, false, NULL, HF_TEXT("")), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(e.swarm, 0, 2, false, NULL, HF_TEXT("")), HF_EXISTS);
    CHECK_ERR(hf_swarm_conn_open(e.swarm, 0, 9, false, NULL, HF_TEXT("")), HF_LIMIT);
    hf_swarm_tick(e.swarm, 9999);
    end_drain(&e, 9999, &e.inbox);
    CHECK_U64(count_events(&e, HF_SWARM_CONN_CLOSE), 0);
    CHECK_U64(hf_swarm_deadline(e.swarm), 10000);
    hf_swarm_tick(e.swarm, 10000); /* a handshake that never ends */
    end_drain(&e, 10000, &e.inbox);
    CHECK_U64(count_events(&e, HF_SWARM_CONN_CLOSE), 3);
    CHECK_ERR(hf_swarm_conn_open(e.swarm, 10000, 9, false, NULL, HF_TEXT("")), HF_OK);
    end_stop(&e);
}

/* ---- random operations against a model: per stream, what one side wrote is what the other reads, in order ---- */

enum { STREAMS = 12 };
typedef struct pipe {
    uint64_t id[2];             /* the stream at a (0) and b (1); 0: none */
    size_t written[2], read[2]; /* by each side */
    bool finished[2], over;
} pipe;

static uint8_t byte_at(size_t pipe_index, int side, size_t at) {
    return (uint8_t)(pipe_index * 31 + (size_t)side * 101 + at * 7 + at / 251);
}

typedef struct model {
    pipe pipes[STREAMS];
    size_t n_opened_by_a; /* in order: b sees them in the same order */
    size_t n_seen_by_b, n_ends, bytes;
} model;

static pipe *pipe_of(model *m, int side, uint64_t id) {
    for (size_t i = 0; i < STREAMS; i++)
        if (m->pipes[i].id[side] == id) return &m->pipes[i];
    return NULL;
}

static void check_log(model *m, int side, end *e) {
    for (size_t i = 0; i < e->n_log; i++) {
        const hf_swarm_out *o = &e->log[i];
        if (o->kind == HF_SWARM_STREAM_OPEN && side == 1) {
            CHECK(m->n_seen_by_b < STREAMS);
            m->pipes[m->n_seen_by_b++].id[1] = o->stream;
        }
        pipe *p = pipe_of(m, side, o->stream);
        if (o->kind == HF_SWARM_STREAM_DATA) {
            CHECK(p != NULL);
            for (size_t k = 0; k < o->bytes.len; k++)
                if (o->bytes.ptr[k] != byte_at((size_t)(p - m->pipes), !side, p->read[side]++))
                    CHECK_MSG(false, "wrong byte");
            m->bytes += o->bytes.len;
        }
        if (o->kind == HF_SWARM_STREAM_FIN) CHECK(p->finished[!side] && p->read[side] == p->written[!side]);
        if (o->kind == HF_SWARM_STREAM_GONE && !o->reset) {
            CHECK(p->finished[0] && p->finished[1]);
            m->n_ends++;
        }
        CHECK(o->kind != HF_SWARM_CONN_CLOSE);
    }
    e->n_log = 0;
}

static void write_some(model *m, uint64_t *random, int side, pipe *p) {
    static uint8_t bytes[90000];
    end *e = side ? &w.b : &w.a;
    size_t len = hf_test_random(random) % (hf_test_random(random) % 4 ? 300 : sizeof bytes);
    for (size_t i = 0; i < len; i++) bytes[i] = byte_at((size_t)(p - m->pipes), side, p->written[side] + i);
    hf_err err = hf_swarm_stream_write(e->swarm, w.now_ms, p->id[side], HF_BYTES(bytes, len));
    if (p->finished[side])
        CHECK(err == HF_STATE || len == 0);
    else
        CHECK(err == HF_OK || err == HF_LIMIT);
    if (!err) p->written[side] += len;
}

static void one_operation(model *m, uint64_t *random) {
    int side = (int)(hf_test_random(random) % 2);
    end *e = side ? &w.b : &w.a;
    pipe *p = &m->pipes[hf_test_random(random) % STREAMS];
    switch (hf_test_random(random) % 12) {
        case 0:
            if (m->n_opened_by_a == STREAMS) break;
            CHECK_ERR(hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(SINK), TAG_SINK,
                                              &m->pipes[m->n_opened_by_a++].id[0]),
                      HF_OK);
            break;
        case 1:
            if (!p->id[side] || hf_test_random(random) % 8) break;
            p->finished[side] = true;
            hf_swarm_stream_finish(e->swarm, w.now_ms, p->id[side]);
            break;
        case 2: hf_swarm_stream_reading(e->swarm, w.now_ms, p->id[side], hf_test_random(random) % 2); break;
        case 3: hf_swarm_conn_busy(e->swarm, w.now_ms, CONN, hf_test_random(random) % 2); break;
        case 4: w.now_ms += hf_test_random(random) % 50; break;
        case 5:
            if (hf_test_random(random) % 2)
                end_drain(&w.a, w.now_ms, &w.b.inbox), end_deliver(&w, &w.b);
            else
                end_drain(&w.b, w.now_ms, &w.a.inbox), end_deliver(&w, &w.a);
            break;
        default:
            if (p->id[side]) write_some(m, random, side, p);
    }
}

static void finish_all(model *m) {
    hf_swarm_conn_busy(w.a.swarm, w.now_ms, CONN, false);
    hf_swarm_conn_busy(w.b.swarm, w.now_ms, CONN, false);
    world_run(&w);
    check_log(m, 0, &w.a);
    check_log(m, 1, &w.b);
    for (size_t i = 0; i < m->n_opened_by_a; i++)
        for (int side = 0; side < 2; side++) {
            end *e = side ? &w.b : &w.a;
            m->pipes[i].finished[side] = true;
            hf_swarm_stream_reading(e->swarm, w.now_ms, m->pipes[i].id[side], true);
            hf_swarm_stream_finish(e->swarm, w.now_ms, m->pipes[i].id[side]);
        }
    world_run(&w);
    check_log(m, 0, &w.a);
    check_log(m, 1, &w.b);
}

HF_TEST(swarm_random_operations_match_the_model) {
    size_t total = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        uint64_t random = seed;
        static model m;
        memset(&m, 0, sizeof m);
        world_start(&w, 1 + hf_test_random(&random) % 70000);
        w.random = seed;
        w.a.n_log = w.b.n_log = 0;
        for (int i = 0; i < 600; i++) {
            one_operation(&m, &random);
            check_log(&m, 0, &w.a);
            check_log(&m, 1, &w.b);
        }
        finish_all(&m);
        CHECK_U64(m.n_ends, 2 * m.n_opened_by_a);
        for (size_t i = 0; i < m.n_opened_by_a; i++)
            for (int side = 0; side < 2; side++) CHECK_U64(m.pipes[i].read[side], m.pipes[i].written[!side]);
        total += m.bytes;
        world_stop(&w);
    }
    CHECK(total > 10 * 1000 * 1000);
}

/* ---- no memory, at each allocation of a whole life in turn ---- */

static void whole_life(void) {
    uint64_t s;
    static uint8_t block[70000];
    if (world_connect(&w, NULL)) return;
    w.b.echo = true;
    if (hf_swarm_stream_open_on(w.a.swarm, w.now_ms, CONN, HF_TEXT(ECHO), TAG_ECHO, &s)) return;
    for (int i = 0; i < 6; i++) (void)!hf_swarm_stream_write(w.a.swarm, w.now_ms, s, HF_BYTES(block, sizeof block));
    hf_swarm_stream_finish(w.a.swarm, w.now_ms, s);
    (void)!hf_swarm_protocol(w.a.swarm, HF_TEXT("/late"), 3);
    world_run(&w);
    world_wait(&w, 20000);
}

HF_TEST(swarm_without_memory) {
    bool failed = true;
    size_t n = 1;
    for (; failed; n++) {
        hf_test_mem_fail_at(n);
        world_start_with(&w, 5000, NULL, NULL);
        w.a.keep = w.b.keep = false;
        whole_life();
        failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed || find_event(&w.a, HF_SWARM_STREAM_FIN, 0));
        world_stop(&w);
    }
    CHECK(n > 100);
}

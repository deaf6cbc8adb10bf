/* A stranger at the other end: what it sends costs bounded memory, never joins, and is reported. Peer 0 is the victim,
 * peer 1 raw, peer 2 a bystander who must not suffer. */
#include "sync_message.h"

#include "../../tests/kit/net.h"
#include "../codec/varint.h"
#include "../p2p/bitswap_message.h"

#include <string.h>

typedef struct stranger {
    hf_net *net;
    hf_net_config config;
    char sync_name[128], heads_name[128];
    size_t n_received, n_gone, n_blocks, n_dont_have;
    struct { uint64_t stream; hf_buf bytes; } in[8]; /* bitswap streams to us */
} stranger;

static void read_bitswap(stranger *s, uint64_t stream, hf_bytes bytes) {
    size_t i = 0;
    while (i < HF_COUNT(s->in) && s->in[i].stream != stream) i++;
    for (size_t k = 0; i == HF_COUNT(s->in) && k < HF_COUNT(s->in); k++)
        if (!s->in[k].stream) i = k;
    CHECK(i < HF_COUNT(s->in)); /* so many answers at once are not sent */
    s->in[i].stream = stream;
    hf_buf_add(&s->in[i].bytes, bytes);
    uint64_t len;
    size_t head;
    while (!hf_varint_read(hf_buf_bytes(&s->in[i].bytes), &len, &head) && s->in[i].bytes.len >= head + len) {
        hf_bitswap_reader r = hf_bitswap_read(hf_sub(hf_buf_bytes(&s->in[i].bytes), head, (size_t)len));
        for (hf_bitswap_item item; hf_bitswap_read_next(&r, &item);) {
            s->n_blocks += item.kind == HF_BITSWAP_ITEM_BLOCK;
            s->n_dont_have += item.kind == HF_BITSWAP_ITEM_DONT_HAVE;
        }
        hf_buf_consume(&s->in[i].bytes, head + (size_t)len);
    }
    if (!s->in[i].bytes.len) s->in[i].stream = 0;
}

static void on_event(void *ctx, hf_net *net, size_t peer, const hf_swarm_out *e) {
    stranger *s = ctx;
    if (e->kind == HF_SWARM_STREAM_DATA) s->n_received += e->bytes.len;
    if (e->kind == HF_SWARM_STREAM_DATA && e->inbound) read_bitswap(s, e->stream, e->bytes);
    if (e->kind == HF_SWARM_STREAM_FIN && e->inbound)
        hf_swarm_stream_finish(hf_net_at(net, peer)->swarm, hf_net_now(net), e->stream);
    if (e->kind == HF_SWARM_STREAM_GONE) s->n_gone++;
}

static void set_name(char *ret, const char *prefix, hf_bytes address) {
    size_t n = strlen(prefix);
    memcpy(ret, prefix, n);
    memcpy(ret + n, address.ptr, address.len);
    ret[n + address.len] = 0;
}

static void start(stranger *s) {
    *s = (stranger){.config = {.seed = 11, .n_peers = 3, .raw = {false, true}, .raw_event = on_event, .raw_ctx = s}};
    for (size_t i = 0; i < HF_COUNT(s->in); i++) hf_buf_init(&s->in[i].bytes, hf_test_arena()->mem);
    s->net = hf_net_new(&s->config);
    hf_bytes address = hf_log_address(hf_net_at(s->net, 0)->logs[0]);
    set_name(s->sync_name, HF_SYNC_PROTOCOL, address);
    set_name(s->heads_name, HF_HEADS_PROTOCOL, address);
    CHECK_ERR(hf_swarm_protocol(hf_net_at(s->net, 1)->swarm, HF_TEXT(HF_BITSWAP_PROTOCOL), HF_NET_TAG_RAW), HF_OK);
    hf_net_append(s->net, 0, 0);
    hf_net_connect(s->net, 1, 0);
    hf_net_connect(s->net, 2, 0);
    CHECK(hf_net_settle(s->net, 1000));
}

/* The bystander still gets what is new. */
static void stop(stranger *s) {
    hf_net_append(s->net, 0, 0);
    CHECK(hf_net_settle(s->net, 2000));
    for (size_t i = 0; i < HF_COUNT(s->in); i++) hf_buf_deinit(&s->in[i].bytes);
    hf_net_free(s->net);
}

static uint64_t open_stream(stranger *s, const char *name) {
    uint64_t id = 0;
    hf_swarm *swarm = hf_net_at(s->net, 1)->swarm;
    hf_err err = hf_swarm_stream_open(swarm, hf_net_now(s->net), hf_swarm_self(hf_net_at(s->net, 0)->swarm),
                                      hf_str(name), HF_NET_TAG_RAW, &id);
    CHECK(!err || err == HF_NOT_FOUND); /* thrown out already */
    return id;
}

static void say(stranger *s, uint64_t stream, hf_bytes bytes) {
    (void)!hf_swarm_stream_write(hf_net_at(s->net, 1)->swarm, hf_net_now(s->net), stream, bytes);
    hf_net_drain(s->net, 1);
    hf_net_run(s->net, 1);
}

static void say_once(stranger *s, const char *name, hf_bytes bytes) {
    uint64_t id = open_stream(s, name);
    (void)!hf_swarm_stream_write(hf_net_at(s->net, 1)->swarm, hf_net_now(s->net), id, bytes);
    hf_swarm_stream_finish(hf_net_at(s->net, 1)->swarm, hf_net_now(s->net), id);
    hf_net_drain(s->net, 1);
    hf_net_run(s->net, 1);
}

static void check_thrown_out(stranger *s) {
    CHECK_MSG(hf_net_at(s->net, 0)->n_abuse == 1, "%zu abuses", hf_net_at(s->net, 0)->n_abuse);
    hf_net_run(s->net, 100);
    CHECK(!hf_net_connected(s->net, 0, 1));
    CHECK_U64(hf_net_at(s->net, 0)->n_joined, 0);
}

HF_TEST(sync_hostile_frames) {
    static const char *const junk[] = {"ffffffffffffffffffff",
                                       "81808001",
                                       "8000",
                                       "021a05",
                                       "0b2209aaaaaaaaaaaaaaaaaa",
                                       "040a020800",
                                       "0d0a0b12200000000000000000000000"};
    for (size_t i = 0; i < HF_COUNT(junk); i++) {
        stranger s;
        start(&s);
        say(&s, open_stream(&s, s.sync_name), hf_test_hex(hf_str(junk[i])));
        check_thrown_out(&s);
        stop(&s);
    }
}

HF_TEST(sync_hostile_heads) {
    stranger s;
    start(&s);
    for (int i = 0; i < 15; i++) say_once(&s, s.heads_name, i % 2 ? HF_TEXT("\xa1\x61") : HF_TEXT("\xff junk"));
    CHECK_U64(hf_net_at(s.net, 0)->n_abuse, 0);
    CHECK_U64(hf_net_at(s.net, 0)->n_refused, 15);
    say_once(&s, s.heads_name, HF_TEXT("\x83\x01\x02\x03"));
    check_thrown_out(&s);
    stop(&s);
}

/* A head that never ends, and streams that never finish. */
HF_TEST(sync_hostile_heads_without_end) {
    stranger s;
    start(&s);
    static uint8_t text[60000];
    memset(text, 'x', sizeof text);
    size_t before = hf_test_mem_out();
    for (int i = 0; i < 10; i++) {
        uint64_t id = open_stream(&s, s.heads_name);
        for (int k = 0; k < 40; k++) say(&s, id, HF_BYTES(text, sizeof text));
    }
    CHECK_MSG(hf_test_mem_out() - before < 10u << 20, "%zu bytes", hf_test_mem_out() - before);
    hf_net_run(s.net, 40000);
    CHECK_U64(hf_net_at(s.net, 0)->n_refused, 16); /* the x's are CBOR texts of 120 x's, one after the other */
    check_thrown_out(&s);
    stop(&s);
}

typedef enum forgery { BROKEN_SIGNATURE, UNKNOWN_IDENTITY, NO_PARENT } forgery;

/* n entries that cannot be joined, by way of the sync stream. */
static void forge(stranger *s, int n, forgery what) {
    hf_net_peer *raw = hf_net_at(s->net, 1);
    if (what != UNKNOWN_IDENTITY) CHECK_ERR(hf_log_identity(hf_net_at(s->net, 0)->logs[0], &raw->identity), HF_OK);
    uint64_t stream = open_stream(s, s->sync_name);
    hf_buf frame, block;
    hf_buf_init(&frame, hf_test_mem());
    hf_buf_init(&block, hf_test_mem());
    for (int i = 0; i < n; i++) {
        uint8_t parent[1][32] = {{(uint8_t)i, (uint8_t)(i >> 8), 1}}, digest[32];
        hf_buf_clear(&block);
        CHECK_ERR(hf_entry_create(&raw->writer, hf_log_address(hf_net_at(s->net, 0)->logs[0]),
                                  (const uint8_t(*)[32])parent, what == BROKEN_SIGNATURE ? 0 : 1, NULL, 0,
                                  (uint64_t)i + 2, HF_TEXT("\x01"), &block, digest),
                  HF_OK);
        if (what == BROKEN_SIGNATURE) block.ptr[block.len - 160] ^= 1;
        hf_sync_begin(&frame);
        hf_sync_add_part(&frame, HF_SYNC_PART_ENTRY, hf_buf_bytes(&block));
        say(s, stream, hf_sync_end(&frame));
    }
    hf_buf_deinit(&frame);
    hf_buf_deinit(&block);
}

HF_TEST(sync_hostile_signatures) {
    stranger s;
    start(&s);
    forge(&s, 20, BROKEN_SIGNATURE);
    check_thrown_out(&s);
    CHECK_U64(hf_net_at(s.net, 0)->n_refused, 16);
    stop(&s);
}

/* All of them wait for one identity, and fall with it. */
HF_TEST(sync_hostile_strangers) {
    stranger s;
    start(&s);
    forge(&s, 2000, UNKNOWN_IDENTITY);
    hf_log *log = hf_net_at(s.net, 0)->logs[0];
    CHECK_U64(hf_log_n_pending(log), 2000);
    hf_net_run(s.net, 70000);
    CHECK_U64(hf_log_n_pending(log), 0);
    CHECK_U64(hf_net_at(s.net, 0)->n_joined, 0);
    stop(&s);
}

HF_TEST(sync_hostile_orphans) {
    stranger s;
    start(&s);
    forge(&s, 10000, NO_PARENT);
    hf_log *log = hf_net_at(s.net, 0)->logs[0];
    CHECK_MSG(hf_log_n_pending(log) == 10000, "%zu", hf_log_n_pending(log));
    hf_net_run(s.net, 70000);
    check_thrown_out(&s);
    for (int i = 0; i < 60 && hf_log_n_pending(log); i++) hf_net_run(s.net, 60000);
    CHECK_U64(hf_log_n_pending(log), 0); /* nobody has what they stand on */
    stop(&s);
}

/* One who may write sends 20,000 entries as fast as the line carries. What another writes meanwhile is seen before the flood is over. */
HF_TEST(sync_flood_of_a_writer_delays_nobody) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 31, .n_peers = 3, .delay_ms_max = 5, .work_max = {50}});
    hf_net_peer *victim = hf_net_at(net, 0);
    uint8_t wanted[32];
    hf_net_append(net, 2, 0);
    hf_net_connect(net, 2, 0);
    hf_net_run(net, 1000);
    for (int i = 0; i < 20000; i++) hf_net_append(net, 1, 0);
    hf_net_connect(net, 1, 0);
    for (int i = 0; i < 5000 && victim->n_joined < 1000; i++) hf_net_run(net, 1);
    CHECK_MSG(victim->n_joined < 10000, "%zu joined", victim->n_joined);
    hf_net_append(net, 2, 0);
    memcpy(wanted, hf_log_item_at(hf_net_at(net, 2)->logs[0], (uint32_t)hf_log_n(hf_net_at(net, 2)->logs[0]) - 1)->digest, 32);
    uint64_t began = hf_net_now(net);
    while (hf_log_find(victim->logs[0], wanted) == UINT32_MAX && hf_net_now(net) < began + 10000) hf_net_run(net, 1);
    CHECK_MSG(hf_net_now(net) - began < 2000, "%u ms", (unsigned)(hf_net_now(net) - began));
    CHECK_MSG(victim->n_joined < 20000, "%zu joined: it was over before", victim->n_joined);
    hf_net_free(net);
}

HF_TEST(sync_hostile_wants) {
    stranger s;
    start(&s);
    uint64_t stream = open_stream(&s, s.sync_name);
    hf_buf have;
    hf_buf_init(&have, hf_test_mem());
    size_t most = 0, before = hf_test_mem_out();
    for (int i = 0; i < 400; i++) {
        uint8_t digest[32] = {1, (uint8_t)i};
        hf_sync_begin(&have);
        for (int k = 0; k < 1500; k++, digest[2]++) hf_sync_add_part(&have, HF_SYNC_PART_WANT, HF_BYTES(digest, 32));
        say(&s, stream, hf_sync_end(&have));
        if (hf_test_mem_out() > before + most) most = hf_test_mem_out() - before;
    }
    hf_buf_deinit(&have);
    CHECK_MSG(most < 8u << 20, "%zu bytes", most);
    CHECK(s.n_received > 10000);
    stop(&s);
}

/* It asks for everything and reads nothing. */
HF_TEST(sync_hostile_reader) {
    stranger s;
    start(&s);
    for (int i = 0; i < 100; i++) hf_net_append_big(s.net, 0, 0, 100000);
    uint64_t stream = open_stream(&s, s.sync_name);
    hf_swarm_stream_reading(hf_net_at(s.net, 1)->swarm, hf_net_now(s.net), stream, false);
    size_t before = hf_test_mem_out();
    say(&s, stream, HF_TEXT("\x04\x0a\x02\x18\x00")); /* has nothing */
    CHECK(hf_net_settle(s.net, 2000));
    hf_net_run(s.net, 60000);
    size_t stored = 101 * 101000; /* the bystander's */
    CHECK_MSG(hf_test_mem_out() < before + stored + (4u << 20), "%zu bytes more", hf_test_mem_out() - before);
    stop(&s);
}

HF_TEST(sync_hostile_claims) {
    stranger s;
    start(&s);
    uint64_t stream = open_stream(&s, s.sync_name);
    hf_buf have, frame;
    hf_buf_init(&have, hf_test_mem());
    hf_buf_init(&frame, hf_test_mem());
    size_t before = hf_test_mem_out();
    for (unsigned i = 0; i < 20; i++) {
        hf_buf_clear(&have);
        for (unsigned k = 0; k < HF_SYNC_CLOCKS_MAX; k++)
            hf_sync_add_clock(
                &have, &(hf_sync_clock){.key = {2, (uint8_t)i, (uint8_t)k, (uint8_t)(k >> 8)}, .time = UINT64_MAX});
        hf_sync_add_more(&have);
        hf_sync_begin(&frame);
        hf_sync_add_part(&frame, HF_SYNC_PART_HAVE, hf_buf_bytes(&have));
        say(&s, stream, hf_sync_end(&frame));
    }
    CHECK(hf_test_mem_out() - before < 6u << 20);
    hf_buf_deinit(&have);
    hf_buf_deinit(&frame);
    stop(&s);
}

/* ---- bitswap ---- */

static void say_bitswap(stranger *s, hf_bitswap_writer *w) {
    hf_buf message;
    hf_buf_init(&message, hf_test_mem());
    CHECK_ERR(hf_bitswap_write_end(w, false, &message), HF_OK);
    say_once(s, HF_BITSWAP_PROTOCOL, hf_buf_bytes(&message));
    hf_buf_deinit(&message);
}

HF_TEST(bitswap_hostile_blocks) {
    stranger s;
    start(&s);
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    for (int i = 0; i < 3; i++) {
        CHECK_U64(hf_net_at(s.net, 0)->n_abuse, 0);
        uint8_t bytes[HF_CID_LEN];
        hf_cid cid;
        hf_cid_of(HF_TEXT("wrong"), bytes);
        CHECK_ERR(hf_cid_read(HF_BYTES(bytes, sizeof bytes), &cid), HF_OK);
        hf_bitswap_write_block(&w, &cid, HF_TEXT("not that"));
        say_bitswap(&s, &w);
    }
    check_thrown_out(&s);
    hf_bitswap_writer_deinit(&w);
    stop(&s);
}

/* js sends again what is still on its way when it is asked for more: once more is no offence, again and again is. */
HF_TEST(bitswap_forgives_a_block_that_comes_twice) {
    stranger s;
    start(&s);
    hf_bitswap *b = hf_net_at(s.net, 0)->bitswap;
    const hf_peer_id *id = hf_swarm_self(hf_net_at(s.net, 1)->swarm);
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    uint8_t cids[8][HF_CID_LEN];
    for (uint8_t i = 0; i < 8; i++) {
        hf_cid_of(HF_BYTES(&i, 1), cids[i]);
        CHECK_ERR(hf_bitswap_want(b, hf_net_now(s.net), id, HF_BYTES(cids[i], HF_CID_LEN), 0), HF_OK);
    }
    hf_bitswap_flush(b, hf_net_now(s.net));
    hf_net_drain(s.net, 0);
    for (int round = 0; round < 3; round++) {
        CHECK_U64(hf_net_at(s.net, 0)->n_abuse, 0);
        for (uint8_t i = 0; i < 8; i++) {
            hf_cid cid;
            CHECK_ERR(hf_cid_read(HF_BYTES(cids[i], HF_CID_LEN), &cid), HF_OK);
            hf_bitswap_write_block(&w, &cid, HF_BYTES(&i, 1));
        }
        say_bitswap(&s, &w);
        hf_net_run(s.net, 50);
        CHECK_U64(hf_net_at(s.net, 0)->n_blocks, 8);
        if (round == 1) CHECK_U64(hf_bitswap_n_twice(b, id), 8);
    }
    check_thrown_out(&s);
    hf_bitswap_writer_deinit(&w);
    stop(&s);
}

HF_TEST(bitswap_hostile_messages) {
    static const char *const junk[] = {"ff", "0aff", "81808002", "020a05", "8000"};
    for (size_t i = 0; i < HF_COUNT(junk); i++) {
        stranger s;
        start(&s);
        for (int k = 0; k < 3; k++) say_once(&s, HF_BITSWAP_PROTOCOL, hf_test_hex(hf_str(junk[i])));
        check_thrown_out(&s);
        stop(&s);
    }
}

/* A message that stands still is given up after 5 s, many at once are too many. */
HF_TEST(bitswap_hostile_unfinished) {
    stranger s;
    start(&s);
    uint64_t id = open_stream(&s, HF_BITSWAP_PROTOCOL);
    say(&s, id, HF_TEXT("\xff\x7f half"));
    hf_net_run(s.net, 4000);
    CHECK_U64(s.n_gone, 0);
    hf_net_run(s.net, 2000);
    CHECK_U64(s.n_gone, 1);
    static uint8_t big[250000] = {0x80, 0x80, 0x80, 0x01};
    size_t before = hf_test_mem_out(), most = 0;
    for (int i = 0; i < 200; i++) {
        say(&s, open_stream(&s, HF_BITSWAP_PROTOCOL), HF_BYTES(big, sizeof big));
        if (hf_test_mem_out() > before + most) most = hf_test_mem_out() - before;
    }
    CHECK_MSG(most < 32u << 20, "%zu bytes", most);
    check_thrown_out(&s);
    stop(&s);
}

HF_TEST(bitswap_serves_within_bounds) {
    stranger s;
    start(&s);
    uint8_t cids[40][HF_CID_LEN];
    static uint8_t block[300000];
    for (size_t i = 0; i < HF_COUNT(cids); i++) {
        block[0] = (uint8_t)i;
        hf_net_put(s.net, 0, HF_BYTES(block, sizeof block), cids[i]);
    }
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(cids); i++) hf_bitswap_write_want(&w, HF_BYTES(cids[i], HF_CID_LEN), false);
    size_t before = hf_test_mem_out(), most = 0;
    say_bitswap(&s, &w);
    for (int i = 0; i < 100 && s.n_blocks < HF_COUNT(cids); i++) {
        if (hf_test_mem_out() > before + most) most = hf_test_mem_out() - before;
        hf_net_run(s.net, 10);
    }
    CHECK_U64(s.n_blocks, HF_COUNT(cids));
    CHECK_MSG(most < 5u << 20, "%zu bytes", most);

    /* What is not here is denied at once, each time; the list of what is waited for stays short. */
    before = hf_test_mem_out();
    for (unsigned i = 0; i < 60; i++) {
        for (unsigned k = 0; k < 100; k++) {
            uint8_t digest[32] = {(uint8_t)i, (uint8_t)k}, cid[HF_CID_LEN];
            hf_cid_from_digest(digest, cid);
            hf_bitswap_write_want(&w, HF_BYTES(cid, sizeof cid), false);
        }
        say_bitswap(&s, &w);
    }
    hf_net_run(s.net, 100);
    CHECK_U64(s.n_dont_have, 6000);
    CHECK_U64(hf_net_at(s.net, 0)->n_abuse, 0);
    hf_bitswap_writer_deinit(&w);
    CHECK_MSG(hf_test_mem_out() - before < 300u << 10, "%zu bytes", hf_test_mem_out() - before);
    stop(&s);
}

/* "a block that turns up later at a peer is pushed then" */
HF_TEST(bitswap_pushes_what_turns_up) {
    stranger s;
    start(&s);
    hf_bitswap_writer w;
    hf_bitswap_writer_init(&w, hf_test_mem());
    uint8_t cid[HF_CID_LEN];
    hf_cid_of(HF_TEXT("later"), cid);
    hf_bitswap_write_want(&w, HF_BYTES(cid, sizeof cid), false);
    say_bitswap(&s, &w);
    hf_net_run(s.net, 2000);
    CHECK(s.n_dont_have == 1 && s.n_blocks == 0);
    hf_net_put(s.net, 0, HF_TEXT("later"), cid);
    hf_bitswap_have(hf_net_at(s.net, 0)->bitswap, hf_net_now(s.net), HF_BYTES(cid, sizeof cid));
    hf_net_run(s.net, 1100);
    CHECK_U64(s.n_blocks, 1);
    hf_bitswap_writer_deinit(&w);
    stop(&s);
}

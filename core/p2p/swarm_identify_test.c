/* Signed peer records in identify: sent with each set of addresses, believed when they are sound, and worth nothing else. */
#include "swarm_test.h"

#include "../codec/varint.h"
#include "identify.h"
#include "peer_record.h"

static world w;
static const hf_swarm_config dated = {.unix_offset_ms = 1700000000000};
static const hf_bytes one = {(const uint8_t *)"\x04\x0a\0\0\1\x06\x0f\xa1", 8}, two = {(const uint8_t *)"\x04\x0a\0\0\2\x06\x0f\xa1", 8};

static void start(void) {
    world_start_with(&w, 100000, &dated, NULL);
    CHECK_ERR(hf_swarm_addresses(w.a.swarm, &one, 1), HF_OK);
    CHECK_ERR(world_connect(&w, NULL), HF_OK);
}

/* What an event said of its peer is gone when the next one comes. */
static const hf_identify *said_last(void) {
    size_t n = count_events(&w.b, HF_SWARM_IDENTIFIED);
    return n ? find_event(&w.b, HF_SWARM_IDENTIFIED, n - 1)->identify : NULL;
}

static uint64_t check_record(const hf_identify *said, const hf_bytes *addresses, size_t n) {
    hf_peer_record record;
    CHECK_ERR(hf_peer_record_open(hf_test_arena(), said->record, &record), HF_OK);
    CHECK(hf_peer_id_eq(&record.peer, hf_swarm_self(w.a.swarm)));
    CHECK_U64(record.seq, said->record_seq);
    CHECK_U64(record.n_addresses, n);
    CHECK_U64(said->n_addresses, n);
    for (size_t i = 0; i < n; i++) CHECK_BYTES(said->addresses[i], addresses[i]);
    return record.seq;
}

HF_TEST(swarm_signs_where_it_is) {
    start();
    uint64_t first = check_record(said_last(), &one, 1);
    CHECK(first >= 1700000000000);
    CHECK_ERR(hf_swarm_addresses(w.a.swarm, &two, 1), HF_OK);
    world_wait(&w, 10);
    uint64_t second = check_record(said_last(), &two, 1);
    CHECK(second > first);
    CHECK_ERR(hf_swarm_protocol(w.a.swarm, HF_TEXT("/late"), 9), HF_OK);
    world_wait(&w, 10);
    CHECK_U64(check_record(said_last(), &two, 1), second); /* the same addresses, the same record */
    CHECK_ERR(hf_swarm_addresses(w.a.swarm, NULL, 0), HF_OK);
    world_wait(&w, 10);
    CHECK(check_record(said_last(), NULL, 0) > second);
    world_stop(&w);
}

HF_TEST(swarm_signs_nothing_without_a_date) {
    world_start(&w, 100000);
    CHECK_U64(said_last()->record.len, 0);
    world_stop(&w);
}

/* Everything still fits when addresses and protocols leave no room for a record. */
HF_TEST(swarm_leaves_a_record_out_that_has_no_room) {
    char name[80];
    hf_err err = HF_OK;
    start();
    for (size_t n = 0; !err; n++) {
        snprintf(name, sizeof name, "/orbitdb/heads/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTd%06zu", n);
        err = hf_swarm_protocol(w.a.swarm, hf_str(name), 3);
    }
    static const uint8_t text[1000] = {4};
    hf_bytes address = HF_BYTES(text, sizeof text);
    CHECK_ERR(hf_swarm_addresses(w.a.swarm, &address, 1), HF_OK);
    world_wait(&w, 10);
    CHECK_BYTES(said_last()->addresses[0], address);
    CHECK_U64(said_last()->record.len, 0);
    world_stop(&w);
}

/* a pushes a message of its own making to b. */
static void push(hf_bytes record) {
    hf_identify_message m = {.said = {.addresses = &two, .n_addresses = 1, .record = record}};
    hf_buf message, framed;
    uint64_t s;
    hf_buf_init(&message, hf_test_mem());
    hf_buf_init(&framed, hf_test_mem());
    hf_identify_add(&message, &m);
    hf_varint_add(&framed, message.len);
    hf_buf_add(&framed, hf_buf_bytes(&message));
    CHECK_ERR(hf_swarm_stream_open(w.a.swarm, w.now_ms, hf_swarm_self(w.b.swarm), HF_TEXT(HF_IDENTIFY_PUSH_PROTOCOL), TAG_SINK, &s), HF_OK);
    CHECK_ERR(hf_swarm_stream_write(w.a.swarm, w.now_ms, s, hf_buf_bytes(&framed)), HF_OK);
    hf_swarm_stream_finish(w.a.swarm, w.now_ms, s);
    world_run(&w);
    hf_buf_deinit(&message);
    hf_buf_deinit(&framed);
}

/* The record counts, not what stands beside it; one that is spoiled, or another's, does not. */
HF_TEST(swarm_believes_sound_records_only) {
    static const uint8_t own[32] = {1}, others[32] = {9};
    for (int how = 0; how < 3; how++) {
        start();
        hf_buf envelope;
        hf_buf_init(&envelope, hf_test_mem());
        CHECK_ERR(hf_peer_record_seal(hf_test_mem(), how == 1 ? others : own, 1900000000000, &one, 1, &envelope), HF_OK);
        if (how == 2) envelope.ptr[envelope.len - 1] ^= 1;
        push(hf_buf_bytes(&envelope));
        const hf_identify *said = said_last();
        CHECK_U64(said->n_addresses, 1);
        CHECK_BYTES(said->addresses[0], how ? two : one);
        CHECK_U64(said->record.len, how ? 0 : envelope.len);
        CHECK(hf_swarm_connected(w.b.swarm, hf_swarm_self(w.a.swarm)));
        hf_buf_deinit(&envelope);
        world_stop(&w);
    }
}

/* What a peer has, by writer: claims in any order, of writers known and not yet known, against a plain list. */
#include "log_kit.h"
#include "sync_private.h"

#include <string.h>

static hf_sync sync_engine;
static hf_sync_db db;
static hf_sync_link link;

static void have_of(const hf_sync_clock *clocks, size_t n) {
    hf_buf have;
    hf_buf_init(&have, hf_test_mem());
    for (size_t i = 0; i < n; i++) hf_sync_add_clock(&have, &clocks[i]);
    hf_sync_take_clocks(&sync_engine, &link, hf_buf_bytes(&have));
    hf_buf_deinit(&have);
}

/* The highest claim of this key among all that were made. */
static uint64_t highest(const hf_sync_clock *clocks, size_t n, const uint8_t key[HF_SYNC_KEY_LEN]) {
    uint64_t time = 0;
    for (size_t i = 0; i < n; i++)
        if (!memcmp(clocks[i].key, key, HF_SYNC_KEY_LEN) && clocks[i].time > time) time = clocks[i].time;
    return time;
}

static void check_times(const hf_sync_clock *clocks, size_t n) {
    CHECK_ERR(hf_sync_times_reserve(&sync_engine, &link), HF_OK);
    CHECK_U64(link.n_times, hf_log_n_writers(db.log));
    for (size_t w = 0; w < link.n_times; w++) {
        uint8_t key[HF_SYNC_KEY_LEN];
        hf_sync_key(hf_log_writer_key(db.log, (uint32_t)w), key);
        CHECK_U64(link.times[w].sent, highest(clocks, n, key));
        CHECK_U64(link.times[w].confirmed, highest(clocks, n, key));
    }
    for (size_t i = 1; i < link.n_claims; i++)
        CHECK(memcmp(link.claims[i - 1].key, link.claims[i].key, HF_SYNC_KEY_LEN) < 0);
}

static void write_one(const hf_kit *kit, size_t writer) {
    hf_buf block;
    uint32_t index;
    hf_buf_init(&block, hf_test_mem());
    CHECK_ERR(hf_log_append(db.log, &kit->writers[writer], hf_kit_payload(1), &block, &index), HF_OK);
    hf_buf_deinit(&block);
}

HF_TEST(sync_clock_against_a_plain_list) {
    static hf_sync_clock made[2000];
    hf_kit kit;
    hf_kit_open(&kit);
    for (uint64_t seed = 1; seed < 20; seed++) {
        uint64_t r = seed;
        size_t n = 0;
        sync_engine = (hf_sync){.mem = hf_test_mem()};
        db = (hf_sync_db){.log = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), HF_KIT_WRITERS, HF_KIT_WRITERS)};
        link = (hf_sync_link){.db = &db};
        hf_buf_init(&link.in, hf_test_mem());
        hf_buf_init(&link.blocked, hf_test_mem());
        for (int round = 0; round < 12; round++) {
            size_t from = n;
            for (size_t k = hf_test_random(&r) % 80; k; k--, n++) {
                made[n] = (hf_sync_clock){.key = {2, (uint8_t)(hf_test_random(&r) % 50)}, .time = hf_test_random(&r) % 9};
                size_t writer = hf_test_random(&r) % 10;
                if (writer < 4) hf_sync_key(HF_BYTES(kit.writers[writer].public_key, HF_PUBLIC_KEY_HEX_LEN), made[n].key);
            }
            have_of(made + from, n - from);
            check_times(made, n);
            if (hf_test_random(&r) % 3 == 0) write_one(&kit, hf_test_random(&r) % 4);
            check_times(made, n);
        }
        hf_sync_stream_drop(&sync_engine, &link);
        hf_log_free(db.log);
    }
    hf_kit_close(&kit);
}

/* A restored log is the log that was saved: same index, same heads, and what it writes next is the same to the byte. */
#include "snapshot.h"

#include "log_kit.h"

#include <string.h>

enum { N = 60 };

/* A history with forks: entry i by a random writer, on random earlier entries. */
static hf_log *make_log(const hf_kit *kit, uint64_t seed) {
    static hf_kit_entry entries[N];
    hf_log *log = hf_kit_log(kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
    for (size_t i = 0; i < N; i++) {
        const hf_kit_entry *next[3];
        size_t n_next = i ? hf_test_random(&seed) % 4 : 0;
        for (size_t k = 0; k < n_next; k++) next[k] = &entries[hf_test_random(&seed) % i];
        entries[i] = hf_kit_make(kit, hf_test_random(&seed) % 3, 0, next, n_next, NULL, 0);
        CHECK_ERR(hf_kit_join(log, entries[i].block, NULL), HF_OK);
    }
    return log;
}

static void check_same(const hf_log *a, const hf_log *b) {
    uint32_t heads[2][N];
    uint8_t versions[2][32];
    size_t n = hf_log_n(a), n_heads = hf_log_heads(a, heads[0], N);
    CHECK_U64(hf_log_n(b), n);
    CHECK_U64(hf_log_heads(b, heads[1], N), n_heads);
    CHECK_BYTES(HF_BYTES(heads[1], n_heads * sizeof **heads), HF_BYTES(heads[0], n_heads * sizeof **heads));
    hf_log_version(a, versions[0]);
    hf_log_version(b, versions[1]);
    CHECK_BYTES(HF_BYTES(versions[1], 32), HF_BYTES(versions[0], 32));
    for (uint32_t i = 0; i < n; i++) {
        const hf_log_item *x = hf_log_item_at(a, i), *y = hf_log_item_at(b, i);
        CHECK(x->time == y->time && x->writer == y->writer && x->n_next == y->n_next && x->first_next == y->first_next && x->head == y->head);
        CHECK_U64(hf_log_find(b, x->digest), i);
    }
    CHECK_U64(hf_log_n_writers(b), hf_log_n_writers(a));
    for (uint32_t i = 0; i < hf_log_n_writers(a); i++) CHECK_U64(hf_log_writer_time(b, i), hf_log_writer_time(a, i));
}

static void check_next_entry(const hf_kit *kit, hf_log *a, hf_log *b) {
    hf_buf blocks[2];
    uint32_t index;
    hf_log *logs[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        hf_buf_init(&blocks[i], hf_test_mem());
        CHECK_ERR(hf_log_append(logs[i], &kit->writers[1], hf_kit_payload(7), &blocks[i], &index), HF_OK);
        CHECK_U64(index, N);
    }
    CHECK_BYTES(hf_buf_bytes(&blocks[1]), hf_buf_bytes(&blocks[0]));
    for (size_t i = 0; i < 2; i++) hf_buf_deinit(&blocks[i]);
}

HF_TEST(snapshot_restores_the_log_that_was_saved) {
    hf_kit kit;
    hf_kit_open(&kit);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        hf_fault fault = {"", 0};
        hf_buf saved;
        hf_buf_init(&saved, hf_test_mem());
        hf_log *log = make_log(&kit, seed), *restored = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
        hf_log_save(log, N, &saved);
        hf_err err = hf_log_restore(restored, hf_buf_bytes(&saved), &fault);
        CHECK_MSG(!err, "%s", fault.what);
        check_same(log, restored);
        check_next_entry(&kit, log, restored);
        CHECK_ERR(hf_log_restore(restored, hf_buf_bytes(&saved), &fault), HF_STATE);
        hf_buf_deinit(&saved);
        hf_log_free(log);
        hf_log_free(restored);
    }
    hf_kit_close(&kit);
}

HF_TEST(snapshot_of_the_first_entries_is_that_of_the_shorter_log) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = make_log(&kit, 3);
    for (size_t n = 0; n <= N; n += 20) {
        hf_buf saved;
        hf_buf_init(&saved, hf_test_mem());
        hf_log *restored = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
        hf_log_save(log, n, &saved);
        CHECK_ERR(hf_log_restore(restored, hf_buf_bytes(&saved), NULL), HF_OK);
        CHECK_U64(hf_log_n(restored), n);
        hf_buf_deinit(&saved);
        hf_log_free(restored);
    }
    hf_log_free(log);
    hf_kit_close(&kit);
}

/* Any bit, any cut: refused, and the log can still be filled. */
HF_TEST(snapshot_that_is_damaged_is_refused_whole) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = make_log(&kit, 5), *other = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3),
           *foreign = hf_kit_log(&kit, hf_test_mem(), HF_TEXT("/orbitdb/zdpuAs"), 3, 3);
    hf_buf saved;
    hf_buf_init(&saved, hf_test_mem());
    hf_log_save(log, N, &saved);
    CHECK_ERR(hf_log_restore(foreign, hf_buf_bytes(&saved), NULL), HF_MALFORMED);
    for (size_t i = 0; i < saved.len; i++) {
        saved.ptr[i] ^= 1u << (i % 8);
        CHECK_ERR(hf_log_restore(other, hf_buf_bytes(&saved), NULL), HF_MALFORMED);
        saved.ptr[i] ^= 1u << (i % 8);
        CHECK_ERR(hf_log_restore(other, hf_sub(hf_buf_bytes(&saved), 0, i), NULL), HF_MALFORMED);
    }
    CHECK_ERR(hf_log_restore(other, hf_buf_bytes(&saved), NULL), HF_OK);
    check_same(log, other);
    hf_buf_deinit(&saved);
    hf_log_free(log);
    hf_log_free(other);
    hf_log_free(foreign);
    hf_kit_close(&kit);
}

HF_TEST(snapshot_survives_want_of_memory) {
    hf_kit kit;
    hf_kit_open(&kit);
    hf_log *log = make_log(&kit, 9);
    hf_buf saved;
    hf_buf_init(&saved, hf_test_mem());
    hf_log_save(log, N, &saved);
    hf_err err = HF_NOMEM;
    for (size_t n = 1; err == HF_NOMEM; n++) {
        hf_log *restored = hf_kit_log(&kit, hf_test_mem(), HF_TEXT(HF_KIT_ADDRESS), 3, 3);
        hf_test_mem_fail_at(n);
        err = hf_log_restore(restored, hf_buf_bytes(&saved), NULL);
        hf_test_mem_fail_at(0);
        if (!err) check_same(log, restored);
        hf_log_free(restored);
        CHECK(n < 1000);
    }
    CHECK_ERR(err, HF_OK);
    hf_buf_deinit(&saved);
    hf_log_free(log);
    hf_kit_close(&kit);
}

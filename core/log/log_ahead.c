/* log_ahead: signatures of entries that are about to be joined, many at a time. A signature holds or it does not, whatever else is known by then: so
 * what was found out stays true until the entry comes. */
#include "entry_read.h"
#include "log_state.h"

#include <string.h>

typedef struct looked { uint8_t digest[32]; hf_entry_check check; } looked;

bool hf_log_was_checked(const hf_log *log, const uint8_t digest[32]) {
    size_t n = log->n_checked < HF_LOG_CHECKED ? log->n_checked : HF_LOG_CHECKED;
    for (size_t i = 0; i < n; i++)
        if (!memcmp(log->checked[i], digest, 32)) return true;
    return false;
}

static bool can_remember(hf_log *log) {
    if (!log->checked) log->checked = hf_alloc(log->mem, HF_LOG_CHECKED * sizeof *log->checked);
    return log->checked != NULL;
}

static void remember(hf_log *log, const uint8_t digest[32]) { memcpy(log->checked[log->n_checked++ % HF_LOG_CHECKED], digest, 32); }

void hf_log_holds(hf_log *log, const uint8_t digest[32]) {
    if (can_remember(log)) remember(log, digest);
}

/* False: it is here, or its writer is not known, or it does not even read. */
static bool look(hf_log *log, hf_bytes block, looked *ret) {
    hf_entry entry;
    if (block.len > HF_ENTRY_BYTES_MAX) return false;
    hf_sha256_of(block, ret->digest);
    if (hf_index_find(&log->index, ret->digest) != HF_INDEX_NONE || hf_pool_find(&log->pool, ret->digest)) return false;
    if (hf_entry_read_as(block, ret->digest, &log->ahead, &entry, NULL) || !hf_eq(entry.id, log->address)) return false;
    const hf_log_identity_known *k = hf_log_known(log, entry.identity_digest);
    return k && !k->refused && !hf_entry_check_of(&entry, &k->identity, &log->ahead, &ret->check, NULL);
}

static void run_one(void *arg, size_t i) { hf_entry_check_run(&((looked *)arg)[i].check); }

void hf_log_look_ahead(hf_log *log, const hf_spread *spread, const hf_bytes *blocks, size_t n_blocks) {
    looked *found = can_remember(log) ? hf_arena_alloc(&log->ahead, HF_LOG_AHEAD_MAX * sizeof *found) : NULL;
    size_t n = 0;
    for (size_t i = 0; found && i < n_blocks && n < HF_LOG_AHEAD_MAX; i++) n += look(log, blocks[i], &found[n]);
    if (n) spread->run(spread->ctx, n, run_one, found);
    for (size_t i = 0; i < n; i++)
        if (found[i].check.holds) remember(log, found[i].digest);
    hf_arena_clear(&log->ahead);
}

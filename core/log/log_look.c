/* log_look: looking into a log. */
#include "log_state.h"

size_t hf_log_n(const hf_log *log) { return log->index.n_items; }

const hf_log_item *hf_log_item_at(const hf_log *log, uint32_t index) {
    HF_ASSERT(index < log->index.n_items);
    return &log->index.items[index];
}

uint32_t hf_log_find(const hf_log *log, const uint8_t digest[32]) { return hf_index_find(&log->index, digest); }

size_t hf_log_heads(const hf_log *log, uint32_t *ret_indexes, size_t n_max) {
    const hf_index_list *heads = &log->index.heads;
    for (size_t i = 0; i < heads->n && i < n_max; i++) ret_indexes[i] = heads->at[i];
    return heads->n;
}

hf_bytes hf_log_writer_key(const hf_log *log, uint32_t writer) {
    HF_ASSERT(writer < log->index.n_writers);
    return HF_BYTES(log->index.writers[writer]->key, HF_PUBLIC_KEY_HEX_LEN);
}

size_t hf_log_n_writers(const hf_log *log) { return log->index.n_writers; }

uint64_t hf_log_writer_bytes(const hf_log *log, uint32_t writer) {
    HF_ASSERT(writer < log->index.n_writers);
    return log->index.writers[writer]->bytes;
}

uint64_t hf_log_writer_time(const hf_log *log, uint32_t writer) {
    HF_ASSERT(writer < log->index.n_writers);
    return log->index.writers[writer]->time;
}

int hf_log_compare(const hf_log *log, uint32_t a, uint32_t b) { return hf_index_compare(&log->index, a, b); }

hf_err hf_log_traverse(const hf_log *log, bool (*visit)(void *ctx, uint32_t index), void *ctx) {
    return hf_log_traverse_from(log, log->index.heads.at, log->index.heads.n, visit, ctx);
}

hf_err hf_log_traverse_from(const hf_log *log, const uint32_t *roots, size_t n_roots, bool (*visit)(void *ctx, uint32_t index), void *ctx) {
    return hf_index_traverse(&log->index, roots, n_roots, visit, ctx);
}

const uint32_t *hf_log_next(const hf_log *log, uint32_t index) { return log->index.links.at + hf_log_item_at(log, index)->first_next; }

void hf_log_version(const hf_log *log, uint8_t ret_version[32]) {
    const hf_index_list *heads = &log->index.heads_by_digest;
    hf_sha256 state;
    hf_sha256_init(&state);
    for (size_t i = 0; i < heads->n; i++) hf_sha256_add(&state, HF_BYTES(log->index.items[heads->at[i]].digest, 32));
    hf_sha256_end(&state, ret_version);
}

size_t hf_log_waits_for(const hf_log *log, const uint8_t digest[32], hf_log_want *ret, size_t n_max, bool *ret_grant) {
    const hf_pool_entry *e = hf_pool_find(&log->pool, digest);
    *ret_grant = e && e->held;
    return e ? hf_pool_missing(e, ret, n_max) : 0;
}

/* operation_index: open addressing over the kept operations themselves, 8 bytes a slot; nothing is ever taken out. See
 * operation.h. */
#include "operation.h"

#include <string.h>

void hf_op_index_init(hf_op_index *index, hf_mem *mem, uint64_t seed) {
    *index = (hf_op_index){.mem = mem, .seed = seed};
}

void hf_op_index_deinit(hf_op_index *index) {
    hf_release(index->mem, index->slots, index->n_slots * sizeof *index->slots);
    *index = (hf_op_index){.mem = index->mem, .seed = index->seed};
}

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= 0xd6e8feb86659fd93u;
    h ^= h >> 29;
    h *= 0xd6e8feb86659fd93u;
    return h ^ (h >> 32);
}

static uint64_t hash_bytes(uint64_t h, hf_bytes bytes) {
    h ^= bytes.len * 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < bytes.len; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes.ptr + i, bytes.len - i < 8 ? bytes.len - i : 8);
        h = mix(h ^ word);
    }
    return mix(h);
}

uint32_t hf_op_index_hash(const hf_op_index *index, hf_bytes key, hf_bytes opid) {
    return (uint32_t)hash_bytes(hash_bytes(index->seed, key), opid);
}

/* The slot that holds it, or the empty one where it would go. n_slots > n always holds. */
static size_t slot_of(const hf_op_index *index, uint32_t hash, const hf_doc *doc, hf_bytes opid) {
    size_t mask = index->n_slots - 1, i = hash & mask;
    for (;; i = (i + 1) & mask) {
        const hf_op *op = index->slots[i];
        if (!op || (op->hash == hash && op->doc == doc && hf_eq(hf_op_id(op), opid))) return i;
    }
}

hf_op *hf_op_index_find(const hf_op_index *index, uint32_t hash, const hf_doc *doc, hf_bytes opid) {
    return index->n ? index->slots[slot_of(index, hash, doc, opid)] : NULL;
}

hf_err hf_op_index_reserve(hf_op_index *index) {
    if ((index->n + 1) * 4 <= index->n_slots * 3) return HF_OK;
    size_t n_slots = index->n_slots ? index->n_slots * 2 : 16, mask = n_slots - 1;
    hf_op **slots = hf_alloc(index->mem, n_slots * sizeof *slots);
    if (!slots) return HF_NOMEM;
    for (size_t i = 0; i < index->n_slots; i++) {
        if (!index->slots[i]) continue;
        size_t k = index->slots[i]->hash & mask;
        while (slots[k]) k = (k + 1) & mask;
        slots[k] = index->slots[i];
    }
    hf_release(index->mem, index->slots, index->n_slots * sizeof *slots);
    index->slots = slots;
    index->n_slots = n_slots;
    return HF_OK;
}

void hf_op_index_put(hf_op_index *index, hf_op *op) {
    hf_op **slot = &index->slots[slot_of(index, op->hash, op->doc, hf_op_id(op))];
    if (!*slot) index->n++;
    *slot = op;
}

/* check_end: what must be true when all is over. Counters are counted anew from the stored entries, by a model that knows nothing of collections. */
#include "app.h"
#include "hostile.h"
#include "world.h"

#include <string.h>

typedef struct counted { hf_map counts, done; hf_arena arena; } counted; /* tally -> uint64_t; tally and opid -> anything */

static void count_one(counted *c, const hf_sim_block *block) {
    hf_entry entry;
    hf_fault fault;
    if (hf_entry_read(HF_BYTES(block->bytes, block->len), &c->arena, &entry, &fault)) return;
    if (!hf_eq(hf_value_as_text(hf_value_get(&entry.payload, "op")), HF_TEXT("INC"))) return;
    hf_bytes key = hf_value_as_text(hf_value_get(&entry.payload, "key")), opid = hf_value_as_text(hf_value_get(&entry.payload, "opid"));
    hf_buf both;
    hf_buf_init(&both, c->arena.mem);
    hf_buf_add(&both, key);
    hf_buf_add_byte(&both, '/');
    hf_buf_add(&both, opid);
    hf_bytes name = hf_arena_copy(&c->arena, hf_buf_bytes(&both));
    hf_buf_deinit(&both);
    if (hf_map_get(&c->done, name)) return;
    uint64_t *n = hf_map_get(&c->counts, key);
    hf_err err = hf_map_put(&c->done, name, c);
    if (!n) {
        n = hf_arena_alloc(&c->arena, sizeof *n);
        HF_ASSERT(n);
        err = err ? err : hf_map_put(&c->counts, hf_arena_copy(&c->arena, key), n);
    }
    HF_ASSERT(!err);
    ++*n;
}

static void check_counters(hf_world *w, hf_sim_peer *p) {
    counted c = {.arena = {0}};
    hf_arena_init(&c.arena, &w->mem);
    hf_map_init(&c.counts, &w->mem, 1);
    hf_map_init(&c.done, &w->mem, 1);
    for (size_t i = 0; i < p->disk.n_synced; i++)
        if (p->disk.records[i].database == HF_SIM_TALLIES) count_one(&c, p->disk.records[i].block);
    for (uint32_t i = 0; i < w->load.n; i++) {
        const hf_sim_op *op = &w->load.ops[i];
        const hf_doc *doc = op->what == HF_OP_TALLY ? hf_collection_get(hf_core_collection(p->core, HF_SIM_TALLIES), HF_BYTES(op->opid, HF_OPID_LEN)) : NULL;
        if (!doc) continue;
        const uint64_t *n = hf_map_get(&c.counts, HF_BYTES(op->opid, HF_OPID_LEN));
        int64_t shown = hf_value_as_i64(hf_doc_field(doc, 1), -1);
        w->result->n_checks++;
        if (shown != (int64_t)(n ? *n : 0))
            hf_world_fail(w, "no operation counts twice", "tally %s shows %lld, %llu operations", op->opid, (long long)shown, (unsigned long long)(n ? *n : 0));
    }
    hf_map_deinit(&c.counts);
    hf_map_deinit(&c.done);
    hf_arena_deinit(&c.arena);
}

/* Does one of those who acknowledged it still have the disk on which it is? */
static bool promised(const hf_world *w, const hf_sim_op *op) {
    for (uint32_t k = 0; k < op->n_acks; k++)
        if (w->peers[op->acks[k].peer].disk.generation == op->acks[k].generation) return true;
    return false;
}

static bool was_deleted(const hf_world *w, uint32_t note) {
    for (uint32_t i = note; i < w->load.n; i++)
        if (w->load.ops[i].about == note && w->load.ops[i].what == HF_OP_DELETE && w->load.ops[i].n_tries) return true;
    return false;
}

static void check_op(hf_world *w, hf_sim_peer *p, uint32_t number) {
    const hf_sim_op *op = &w->load.ops[number];
    hf_collection *c = hf_core_collection(p->core, hf_load_database(op));
    w->result->n_checks++;
    if (!promised(w, op)) return;
    if (!hf_collection_knows_op(c, hf_load_document(w, op), HF_BYTES(op->opid, HF_OPID_LEN)))
        hf_world_fail(w, "no acknowledged write is lost", "operation %u (%s) is not at peer %u", (unsigned)number, op->opid, (unsigned)p->index);
    if (op->about != UINT32_MAX || was_deleted(w, number)) return;
    if (!hf_collection_get(c, hf_load_document(w, op)))
        hf_world_fail(w, "what was made shows", "operation %u (%s) at peer %u", (unsigned)number, op->opid, (unsigned)p->index);
}

/* Nothing shows that nobody made. */
static void check_made(hf_world *w, hf_sim_peer *p) {
    size_t n_shown = 0, n_known = 0;
    for (uint32_t i = 1; i <= HF_SIM_COLLECTIONS; i++) n_shown += hf_collection_n(hf_core_collection(p->core, i));
    for (uint32_t i = 0; i < w->load.n; i++) {
        const hf_sim_op *op = &w->load.ops[i];
        if (op->about == UINT32_MAX && hf_collection_get(hf_core_collection(p->core, hf_load_database(op)), HF_BYTES(op->opid, HF_OPID_LEN))) n_known++;
    }
    if (n_shown != n_known)
        hf_world_fail(w, "nothing against the rules shows", "peer %u shows %zu documents, of which people made %zu", (unsigned)p->index, n_shown, n_known);
}

void hf_check_end(hf_world *w) {
    uint32_t n_states;
    if (!hf_check_level(w, &n_states)) {
        uint32_t n_down = 0;
        for (uint32_t i = 0; i < w->n_honest; i++) n_down += !w->peers[i].core;
        return hf_world_fail(w, "all converge", "%u states or more, %u of %u down, %u s after the last fault", (unsigned)n_states, (unsigned)n_down,
                             (unsigned)w->n_honest, (unsigned)((w->now_ms - w->end_ms) / 1000));
    }
    for (uint32_t i = 0; i < w->n_honest && !w->failed; i++) hf_check_peer(w, &w->peers[i]);
    hf_sim_peer *p = &w->peers[0];
    if (!p->core) return hf_world_fail(w, "stays up", "peer 0 is down at the end");
    for (uint32_t i = 0; i < w->load.n; i++) check_op(w, p, i);
    check_counters(w, p);
    check_made(w, p);
}

/* log_walk: the traversal of section 7, newest first from the heads.
 *
 * js keeps a stack that it sorts before each step, and reads one generation ahead. Its result, step by step: the newest entry of those whose
 * children were all passed. Because no entry is indexed whose clock is not above all its parents', the newest of what is left is always
 * among the heads and the parents of what was passed: so a heap of just these gives js's order literally (log_test runs js's own
 * algorithm beside it), touches h + k entries for k steps, and needs no sort. Where two clocks are equal in time and id js goes by the order
 * of insertion; here the digest decides, so that every replica shows the same. */
#include "log_index.h"

#include <string.h>

static hf_err push(const hf_index *index, uint32_t item) {
    hf_index_list *heap = &index->walk->frontier;
    if (hf_grow(index->mem, (void **)&heap->at, &heap->cap, sizeof *heap->at, heap->n + 1)) return HF_NOMEM;
    size_t i = heap->n++;
    while (i && hf_index_compare(index, heap->at[(i - 1) / 2], item) < 0) {
        heap->at[i] = heap->at[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap->at[i] = item;
    return HF_OK;
}

static uint32_t pop(const hf_index *index) {
    hf_index_list *heap = &index->walk->frontier;
    uint32_t top = heap->at[0], last = heap->at[--heap->n];
    size_t i = 0;
    for (size_t child = 1; child < heap->n; child = 2 * i + 1) {
        if (child + 1 < heap->n && hf_index_compare(index, heap->at[child], heap->at[child + 1]) < 0) child++;
        if (hf_index_compare(index, last, heap->at[child]) >= 0) break;
        heap->at[i] = heap->at[child];
        i = child;
    }
    heap->at[i] = last;
    return top;
}

/* Each item enters the frontier once, at the first sight. */
static hf_err push_unseen(const hf_index *index, const uint32_t *items, size_t n) {
    hf_index_walk *walk = index->walk;
    hf_err err = HF_OK;
    for (size_t i = 0; i < n && !err; i++) {
        if (walk->marks[items[i]] == walk->epoch) continue;
        walk->marks[items[i]] = walk->epoch;
        err = push(index, items[i]);
    }
    return err;
}

static void begin(hf_index_walk *walk) {
    walk->busy = true;
    walk->frontier.n = 0;
    if (++walk->epoch == 0) {
        memset(walk->marks, 0, walk->cap_marks * sizeof *walk->marks);
        walk->epoch = 1;
    }
}

hf_err hf_index_traverse(const hf_index *index, const uint32_t *roots, size_t n_roots, bool (*visit)(void *ctx, uint32_t item), void *ctx) {
    hf_index_walk *walk = index->walk;
    if (walk->busy) return HF_STATE;
    begin(walk);
    hf_err err = push_unseen(index, roots, n_roots);
    while (!err && walk->frontier.n) {
        uint32_t item = pop(index);
        if (!visit(ctx, item)) break;
        const hf_log_item *it = &index->items[item];
        if (it->n_next) err = push_unseen(index, index->links.at + it->first_next, it->n_next);
    }
    walk->busy = false;
    return err;
}

/* document: the kept operations of one document, and what they add up to. Private to collections.
 *
 * Each new operation is merged into the state, in whatever order it comes: newest wins, sums add up, so order does not
 * matter. Two kinds of news take something back and cannot be merged: a DEL that is older than something which shows,
 * and an older twin of a kept operation. They make the document stale; it is added up again from its operations when
 * somebody reads it, so that a stranger who sends ten thousand of them causes one rebuild, not ten thousand. */
#ifndef HF_DOCUMENT_H
#define HF_DOCUMENT_H
#include "operation.h"

/* A plain field: the operation that won it and its value there. */
typedef struct hf_cell {
    const hf_op *winner;             /* NULL: unset */
    const hf_value *value;
} hf_cell;

/* A computed field. The sum is high * 2^32 + low: wider than 64 bits, so that no order of adding overflows it. */
typedef struct hf_computed {
    int64_t high, low;
    hf_value value;                  /* room for what hf_doc_field hands out */
} hf_computed;

struct hf_doc {
    const hf_shape *shape;
    hf_bytes id;
    hf_op **ops;                     /* in order when `sorted` */
    size_t n_ops, n_cap;
    /* Of the operations newer than the newest DEL: the oldest NEW (NULL: not showing) and the newest one. */
    const hf_op *deleted, *created, *updated;
    hf_doc *next_stale;
    bool sorted, stale, ever_new;
    bool counted;                    /* the collection counts it as showing */
    hf_cell *cells;                  /* of the plain fields */
    hf_computed computed[];          /* then: cells, id */
};

/* NULL on NOMEM; no operation yet. */
hf_doc *hf_doc_new(hf_arena *arena, const hf_shape *shape, hf_bytes id);
void hf_doc_free(hf_doc *doc, hf_mem *mem);                      /* what does not live in the arena */
HF_MUST_USE hf_err hf_doc_reserve(hf_doc *doc, hf_mem *mem);     /* room for one more operation */
void hf_doc_add(hf_doc *doc, hf_op *op);                         /* room must be there */
void hf_doc_replace(hf_doc *doc, const hf_op *twin, hf_op *op);  /* op is older than its twin */
void hf_doc_settle(hf_doc *doc);                                 /* adds up again when stale */

/* The showing documents, in no particular order; start with *cursor = 0. The caller has settled them
 * (hf_collection_n). */
const hf_doc *hf_collection_next(const hf_collection *collection, size_t *cursor);

/* The least k of the items come first, in order (k >= n: all). In place, n log k at worst, no memory: the items are a
 * stranger's choice. */
void hf_sort_pointers(void **items, size_t n, size_t k, int (*compare)(const void *a, const void *b, const void *ctx),
                      const void *ctx);
#endif

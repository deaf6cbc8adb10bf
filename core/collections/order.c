/* order: the log's total order (interop notes section 7), and sorting without memory. */
#include "document.h"

#include <string.h>

int hf_order_compare(const hf_order *a, const hf_order *b) {
    if (a->time != b->time) return a->time < b->time ? -1 : 1;
    int c = hf_cmp(a->writer, b->writer);
    return c ? c : memcmp(a->digest, b->digest, sizeof a->digest);
}

typedef struct heap {
    void **items;
    int (*compare)(const void *a, const void *b, const void *ctx);
    const void *ctx;
} heap;

static void sink(const heap *h, size_t i, size_t n) {
    void *item = h->items[i];
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && h->compare(h->items[child], h->items[child + 1], h->ctx) < 0) child++;
        if (h->compare(item, h->items[child], h->ctx) >= 0) break;
        h->items[i] = h->items[child];
    }
    h->items[i] = item;
}

static void swap(void **a, void **b) {
    void *t = *a;
    *a = *b;
    *b = t;
}

/* Heapsort: qsort takes memory behind our back in some C libraries and is quadratic in others. The heap holds the
 * least k so far, the greatest of them on top, so that a page of a long list costs little more than one look at each
 * item. */
void hf_sort_pointers(void **items, size_t n, size_t k, int (*compare)(const void *a, const void *b, const void *ctx),
                      const void *ctx) {
    heap h = {items, compare, ctx};
    if (k > n) k = n;
    for (size_t i = k / 2; i-- > 0;) sink(&h, i, k);
    for (size_t i = k; k && i < n; i++) {
        if (compare(items[i], items[0], ctx) >= 0) continue;
        swap(&items[i], &items[0]);
        sink(&h, 0, k);
    }
    for (size_t end = k; end-- > 1;) {
        swap(&items[0], &items[end]);
        sink(&h, 0, end);
    }
}

/* cache: rendered pages. A page is good as long as the collections it read have the versions they had; a stale one
 * is dropped when it is asked for. Bounded by bytes, the one not used for longest goes first. A page that cannot be
 * kept (no memory, too large) is simply not kept.
 */
#ifndef HF_CACHE_H
#define HF_CACHE_H
#include "../base/base.h"

enum { HF_CACHE_SHARE = 4 }; /* no page may take more than a quarter */

typedef struct hf_cached {
    struct hf_cached *newer, *older;
    hf_bytes key, versions, body;
    const size_t *marks; /* where the operation ID stands in the body */
    size_t n_marks, len; /* len: of this whole block */
} hf_cached;

typedef struct hf_cache {
    hf_mem *mem;
    hf_map map;
    hf_cached *newest, *oldest;
    size_t bytes, bytes_max;
} hf_cache;

/* `seed`: keys are strangers' queries. */
void hf_cache_init(hf_cache *cache, hf_mem *mem, size_t bytes_max, uint64_t seed);
void hf_cache_deinit(hf_cache *cache); /* zeroed cache allowed */
/* NULL: not there, or stale. Valid until the next call on the cache. */
const hf_cached *hf_cache_get(hf_cache *cache, hf_bytes key, hf_bytes versions);
/* Everything is copied. */
void hf_cache_put(hf_cache *cache, hf_bytes key, hf_bytes versions, hf_bytes body, const size_t *marks, size_t n_marks);
#endif

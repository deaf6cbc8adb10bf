/* cache: see cache.h. One block per page: the struct, then marks, key, versions, body. */
#include "cache.h"

#include <string.h>

void hf_cache_init(hf_cache *cache, hf_mem *mem, size_t bytes_max, uint64_t seed) {
    *cache = (hf_cache){.mem = mem, .bytes_max = bytes_max};
    hf_map_init(&cache->map, mem, seed);
}

static void unlink_page(hf_cache *cache, hf_cached *page) {
    *(page->newer ? &page->newer->older : &cache->newest) = page->older;
    *(page->older ? &page->older->newer : &cache->oldest) = page->newer;
}

static void link_newest(hf_cache *cache, hf_cached *page) {
    page->newer = NULL;
    page->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = page;
    cache->newest = page;
}

static void drop(hf_cache *cache, hf_cached *page) {
    unlink_page(cache, page);
    hf_map_remove(&cache->map, page->key);
    cache->bytes -= page->len;
    hf_release(cache->mem, page, page->len);
}

void hf_cache_deinit(hf_cache *cache) {
    while (cache->oldest) drop(cache, cache->oldest);
    if (cache->mem) hf_map_deinit(&cache->map);
    *cache = (hf_cache){.mem = cache->mem, .bytes_max = cache->bytes_max};
}

const hf_cached *hf_cache_get(hf_cache *cache, hf_bytes key, hf_bytes versions) {
    hf_cached *page = hf_map_get(&cache->map, key);
    if (!page) return NULL;
    if (!hf_eq(page->versions, versions)) {
        drop(cache, page);
        return NULL;
    }
    unlink_page(cache, page);
    link_newest(cache, page);
    return page;
}

static hf_bytes place(uint8_t **at, const void *from, size_t len) {
    hf_bytes placed = HF_BYTES(*at, len);
    if (len) memcpy(*at, from, len);
    *at += len;
    return placed;
}

static hf_cached *make(hf_cache *cache, size_t len, hf_bytes key, hf_bytes versions, hf_bytes body, const size_t *marks,
                       size_t n_marks) {
    hf_cached *page = cache->mem->resize(cache->mem->ctx, NULL, 0, len);
    if (!page) return NULL;
    uint8_t *at = (uint8_t *)(page + 1);
    *page = (hf_cached){.n_marks = n_marks, .len = len};
    page->marks = (const size_t *)(const void *)place(&at, marks, n_marks * sizeof *marks).ptr;
    page->key = place(&at, key.ptr, key.len);
    page->versions = place(&at, versions.ptr, versions.len);
    page->body = place(&at, body.ptr, body.len);
    return page;
}

void hf_cache_put(hf_cache *cache, hf_bytes key, hf_bytes versions, hf_bytes body, const size_t *marks,
                  size_t n_marks) {
    size_t len = sizeof(hf_cached) + n_marks * sizeof *marks + key.len + versions.len + body.len;
    hf_cached *old = hf_map_get(&cache->map, key);
    if (old) drop(cache, old);
    if (len > cache->bytes_max / HF_CACHE_SHARE) return;
    while (cache->bytes + len > cache->bytes_max) drop(cache, cache->oldest);
    hf_cached *page = make(cache, len, key, versions, body, marks, n_marks);
    if (!page) return;
    if (hf_map_put(&cache->map, page->key, page)) {
        hf_release(cache->mem, page, len);
        return;
    }
    link_newest(cache, page);
    cache->bytes += len;
}

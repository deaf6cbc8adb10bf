/* arena: chunks of growing size; freed together. */
#include "base.h"

#include <string.h>

struct hf_arena_chunk {
    struct hf_arena_chunk *older;
    size_t len, used; /* of data[] */
    _Alignas(16) uint8_t data[];
};

enum { CHUNK_MIN = 4096, CHUNK_MAX = 1 << 20 };

void hf_arena_init(hf_arena *arena, hf_mem *mem) { *arena = (hf_arena){.mem = mem}; }

static void drop(hf_arena *arena, struct hf_arena_chunk *chunk) {
    while (chunk) {
        struct hf_arena_chunk *older = chunk->older;
        hf_release(arena->mem, chunk, sizeof *chunk + chunk->len);
        chunk = older;
    }
}

void hf_arena_deinit(hf_arena *arena) {
    drop(arena, arena->chunk);
    *arena = (hf_arena){.mem = arena->mem};
}

void hf_arena_clear(hf_arena *arena) {
    if (arena->chunk) {
        drop(arena, arena->chunk->older);
        arena->chunk->older = NULL;
        arena->chunk->used = 0;
    }
    arena->used_bytes = 0;
}

void *hf_arena_alloc(hf_arena *arena, size_t len) {
    if (len > SIZE_MAX / 2) return NULL;
    size_t need = (len + 15) & ~(size_t)15;
    struct hf_arena_chunk *chunk = arena->chunk;
    if (!chunk || chunk->len - chunk->used < need) {
        size_t size = chunk ? chunk->len * 2 : CHUNK_MIN;
        if (size > CHUNK_MAX) size = CHUNK_MAX;
        if (size < need) size = need;
        chunk = arena->mem->resize(arena->mem->ctx, NULL, 0, sizeof *chunk + size);
        if (!chunk) return NULL;
        chunk->older = arena->chunk;
        chunk->len = size;
        chunk->used = 0;
        arena->chunk = chunk;
    }
    void *p = chunk->data + chunk->used;
    chunk->used += need;
    arena->used_bytes += need;
    return memset(p, 0, need);
}

hf_bytes hf_arena_copy(hf_arena *arena, hf_bytes bytes) {
    uint8_t *p = hf_arena_alloc(arena, bytes.len ? bytes.len : 1);
    if (p && bytes.len) memcpy(p, bytes.ptr, bytes.len);
    return HF_BYTES(p, p ? bytes.len : 0);
}

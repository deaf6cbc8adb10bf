/* blocks: see blocks.h. */
#include "blocks.h"

#include <string.h>

typedef struct stored { size_t key_len, len; uint8_t bytes[]; } stored;

void hf_test_blocks_init(hf_test_blocks *b, hf_mem *mem) {
    *b = (hf_test_blocks){.mem = mem};
    hf_map_init(&b->map, mem, 1);
}

static void drop(hf_test_blocks *b, stored *s) { hf_release(b->mem, s, sizeof *s + s->key_len + s->len); }

void hf_test_blocks_deinit(hf_test_blocks *b) {
    size_t at = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&b->map, &at));) drop(b, slot->value);
    hf_map_deinit(&b->map);
}

hf_err hf_test_blocks_put(void *blocks, hf_bytes cid, hf_bytes block) {
    hf_test_blocks *b = blocks;
    hf_bytes key = hf_cid_multihash(cid);
    hf_cid parsed;
    CHECK_ERR(hf_cid_read(cid, &parsed), HF_OK);
    CHECK_ERR(hf_cid_check(&parsed, block), HF_OK);
    b->n_puts++;
    if (b->refuse) return b->refuse;
    if (hf_map_get(&b->map, key)) return HF_OK;
    stored *s = hf_alloc(b->mem, sizeof *s + key.len + block.len);
    if (!s) return HF_NOMEM;
    *s = (stored){key.len, block.len};
    memcpy(s->bytes, key.ptr, key.len);
    if (block.len) memcpy(s->bytes + key.len, block.ptr, block.len);
    if (hf_map_put(&b->map, HF_BYTES(s->bytes, key.len), s)) {
        drop(b, s);
        return HF_NOMEM;
    }
    b->n++;
    return HF_OK;
}

hf_err hf_test_blocks_get(void *blocks, hf_bytes cid, hf_bytes *ret) {
    hf_test_blocks *b = blocks;
    stored *s = hf_map_get(&b->map, hf_cid_multihash(cid));
    b->n_gets++;
    if (!s) return HF_NOT_FOUND;
    *ret = HF_BYTES(s->bytes + s->key_len, s->len);
    return HF_OK;
}

void hf_test_blocks_remove(hf_test_blocks *b, hf_bytes cid) {
    stored *s = hf_map_remove(&b->map, hf_cid_multihash(cid));
    CHECK(s != NULL);
    drop(b, s);
    b->n--;
}

hf_block_sink hf_test_blocks_sink(hf_test_blocks *b) { return (hf_block_sink){hf_test_blocks_put, b}; }
hf_block_source hf_test_blocks_source(hf_test_blocks *b) { return (hf_block_source){hf_test_blocks_get, b}; }

uint32_t hf_test_content_start(uint32_t seed) {
    uint32_t x = seed * 2654435761u;
    return x ? x : 1;
}

void hf_test_content_more(uint32_t *state, uint8_t *out, size_t len) {
    uint32_t x = *state;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out[i] = (uint8_t)x;
    }
    *state = x;
}

void hf_test_content(uint32_t seed, uint8_t *out, size_t len) {
    uint32_t state = hf_test_content_start(seed);
    hf_test_content_more(&state, out, len);
}

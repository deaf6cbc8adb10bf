/* blocks: for tests of files: a block store in memory, and bytes from a seed, the same as tests/interop/content.mjs makes. */
#ifndef HF_TEST_BLOCKS_H
#define HF_TEST_BLOCKS_H
#include "../../core/codec/block.h"
#include "check.h"

typedef struct hf_test_blocks {
    hf_mem *mem;
    hf_map map;          /* multihash -> block */
    size_t n, n_puts, n_gets;
    hf_err refuse;       /* what put answers, when not HF_OK */
} hf_test_blocks;

void hf_test_blocks_init(hf_test_blocks *blocks, hf_mem *mem);
void hf_test_blocks_deinit(hf_test_blocks *blocks);
/* Checks that the block fits its CID. */
hf_err hf_test_blocks_put(void *blocks, hf_bytes cid, hf_bytes block);
hf_err hf_test_blocks_get(void *blocks, hf_bytes cid, hf_bytes *ret_block);
void hf_test_blocks_remove(hf_test_blocks *blocks, hf_bytes cid);
hf_block_sink hf_test_blocks_sink(hf_test_blocks *blocks);
hf_block_source hf_test_blocks_source(hf_test_blocks *blocks);

/* Fills `out` with the seed's bytes from the start. */
void hf_test_content(uint32_t seed, uint8_t *out, size_t len);
/* Goes on with a stream of them: *state from hf_test_content_start. */
uint32_t hf_test_content_start(uint32_t seed);
void hf_test_content_more(uint32_t *state, uint8_t *out, size_t len);
#endif

/* Any bytes as a damaged database, and as the WAL beside it. What is found names itself rightly. */
#include "store_carve.h"

#include "../tests/kit/fuzz.h"
#include "store_private.h"

#include <string.h>

static void found(void *ctx, int64_t seq, hf_bytes cid, hf_bytes address, hf_bytes block) {
    (void)ctx;
    HF_ASSERT(seq >= 0 && hf_store_block_fits(cid, address, block));
}

/* In whole pages, as both files. */
static void carve(hf_bytes padded, hf_mem *mem) {
    hf_secrets secrets;
    hf_buf room;
    hf_buf_init(&room, mem);
    hf_bytes db = hf_sub(padded, 0, padded.len - HF_CARVE_FRAME);
    hf_carve_blocks(db, padded, &room, found, NULL);
    (void)hf_carve_secrets(db, padded, &secrets);
    (void)hf_carve_wal_is_damaged(padded);
    hf_buf_deinit(&room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf padded;
    hf_buf_init(&padded, &mem);
    hf_buf_add(&padded, HF_BYTES(data, len));
    size_t rest = HF_CARVE_PAGE - len % HF_CARVE_PAGE + HF_CARVE_FRAME;
    uint8_t *zeros = hf_buf_extend(&padded, rest);
    HF_ASSERT(zeros);
    memset(zeros, 0, rest);
    carve(hf_buf_bytes(&padded), &mem);
    hf_buf_deinit(&padded);
    return 0;
}

/* Any bytes as a damaged database and the WAL beside it: the first byte says where one ends. What is found names itself rightly. */
#include "store_carve.h"
#include "store_private.h"

#include <stdlib.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static void found(void *ctx, int64_t seq, hf_bytes cid, hf_bytes address, hf_bytes block) {
    (void)ctx;
    HF_ASSERT(seq >= 0 && hf_store_block_fits(cid, address, block));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    hf_mem mem = {resize, NULL};
    hf_bytes all = HF_BYTES(data + 1, len - 1), db = hf_sub(all, 0, (size_t)data[0] * HF_CARVE_PAGE), wal = hf_sub(all, db.len, all.len);
    hf_secrets secrets;
    hf_buf room;
    hf_buf_init(&room, &mem);
    hf_carve_blocks(db, wal, &room, found, NULL);
    (void)hf_carve_secrets(db, wal, &secrets);
    (void)hf_carve_wal_is_damaged(wal);
    hf_buf_deinit(&room);
    return 0;
}

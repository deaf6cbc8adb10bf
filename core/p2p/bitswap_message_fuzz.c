/* Fuzz: a message; when it reads, its items written again read the same. */
#include "bitswap_message.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/varint.h"

/* False: a block whose kind we do not have; it cannot be written. */
static bool write_item(hf_bitswap_writer *w, const hf_bitswap_item *item) {
    uint8_t bytes[HF_CID_BYTES_MAX];
    size_t len;
    hf_cid cid;
    if (item->kind == HF_BITSWAP_ITEM_WANT) hf_bitswap_write_want(w, item->cid, item->cancel);
    else if (item->kind != HF_BITSWAP_ITEM_BLOCK)
        hf_bitswap_write_presence(w, item->cid, item->kind == HF_BITSWAP_ITEM_HAVE);
    else if (hf_bitswap_block_cid(item->prefix, item->block, bytes, &len) || hf_cid_read(HF_BYTES(bytes, len), &cid))
        return false;
    else hf_bitswap_write_block(w, &cid, item->block);
    return true;
}

static void check_one(hf_mem *mem, const hf_bitswap_item *item) {
    hf_bitswap_writer w;
    hf_buf out;
    hf_bitswap_writer_init(&w, mem);
    hf_buf_init(&out, mem);
    if (write_item(&w, item)) {
        uint64_t len;
        size_t head;
        hf_bitswap_item again;
        HF_ASSERT(!hf_bitswap_write_end(&w, false, &out) && !hf_varint_read(hf_buf_bytes(&out), &len, &head) &&
                  head + len == out.len);
        hf_bitswap_reader r = hf_bitswap_read(hf_sub(hf_buf_bytes(&out), head, (size_t)len));
        HF_ASSERT(hf_bitswap_read_next(&r, &again) == item->kind);
        HF_ASSERT(hf_eq(again.cid, item->cid) && hf_eq(again.block, item->block) && again.cancel == item->cancel);
        HF_ASSERT(hf_bitswap_read_next(&r, &again) == HF_BITSWAP_ITEM_END && !r.err);
    }
    hf_bitswap_writer_deinit(&w);
    hf_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_bytes message = HF_BYTES(data, len);
    if (hf_bitswap_check(message)) return 0;
    hf_bitswap_reader r = hf_bitswap_read(message);
    for (hf_bitswap_item item; hf_bitswap_read_next(&r, &item);)
        if (item.kind != HF_BITSWAP_ITEM_FULL) check_one(&mem, &item);
    return 0;
}

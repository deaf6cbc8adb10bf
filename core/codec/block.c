/* block: see block.h. */
#include "block.h"

#include "varint.h"

hf_err hf_block_find(const hf_block_source *source, hf_bytes cid, hf_bytes *ret) {
    hf_bytes hash = hf_cid_multihash(cid);
    uint64_t len;
    size_t head;
    if (hash.len && hash.ptr[0] == HF_HASH_IDENTITY && !hf_varint_read(hf_sub(hash, 1, hash.len), &len, &head))
        return *ret = hf_sub(hash, 1 + head, hash.len), HF_OK;
    return source->get(source->ctx, cid, ret);
}

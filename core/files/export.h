/* export: the bytes of a file, or of a part of it, in order, block by block, out of a source. Blocks that are not in the source are asked
 * for; which ones come after them is told, so that many can be fetched at once.
 *
 *     hf_export_new(mem, root, from, to, source); for (hf_export_out out; hf_export_next(x, &out);) ...
 * Every part must be as long as its parent says; a file is at most 64 levels deep.
 * Memory: the links that are still to be followed, at most 262,144 (24 MB); usually those of one node a level.
 */
#ifndef HF_EXPORT_H
#define HF_EXPORT_H
#include "node.h"

typedef struct hf_export hf_export;
typedef enum hf_export_kind {
    HF_EXPORT_END = 0,
    HF_EXPORT_BLOCK,  /* cid, block, bytes (may be empty), at: views until the next call */
    HF_EXPORT_NEED,   /* cid: not in the source; put it there and call again */
    HF_EXPORT_FAILED, /* cid, reason: the same again for ever */
} hf_export_kind;
typedef struct hf_export_out {
    hf_export_kind kind;
    hf_bytes cid, block, bytes; /* bytes: those of the file that stand in this block and in the range */
    uint64_t at;                /* of `bytes` in the file */
    const char *reason;
} hf_export_out;

/* Bytes [from, to) of the file; `to` beyond the end means the end. Visits only blocks that lie in the range (and the root). NULL: no
 * memory, or not a CID. */
hf_export *hf_export_new(hf_mem *mem, hf_bytes root, uint64_t from, uint64_t to, hf_block_source source);
void hf_export_free(hf_export *x); /* NULL allowed */
hf_export_kind hf_export_next(hf_export *x, hf_export_out *ret);
/* As hf_walk_ahead: the blocks after the one that is needed, in order. */
size_t hf_export_ahead(const hf_export *x, hf_bytes *ret_cids, size_t n);
#endif

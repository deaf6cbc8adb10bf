/* block: where blocks come from and go to. Keys are binary CIDs of any kind. */
#ifndef HF_BLOCK_H
#define HF_BLOCK_H
#include "cid.h"

enum { HF_BLOCK_MAX = 2 << 20 }; /* bytes; what bitswap carries and every store takes */

/* Where blocks are looked up. HF_NOT_FOUND: not here. Bytes are borrowed until the next call. */
typedef struct hf_block_source {
    hf_err (*get)(void *ctx, hf_bytes cid, hf_bytes *ret_block);
    void *ctx;
} hf_block_source;

/* The block from the source, or from the CID itself when its hash is the identity. */
HF_MUST_USE hf_err hf_block_find(const hf_block_source *source, hf_bytes cid, hf_bytes *ret_block);

/* Where blocks are put; the block fits its CID, and is borrowed for the call. Any error ends what was going on, with that error. */
typedef struct hf_block_sink {
    hf_err (*put)(void *ctx, hf_bytes cid, hf_bytes block);
    void *ctx;
} hf_block_sink;
#endif

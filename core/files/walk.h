/* walk: all blocks of a DAG, depth first, each once, the root first: for CARs, for collecting what is pinned, for fetching. Follows
 * dag-pb and dag-cbor links; other codecs are leaves.
 *
 *     for (hf_walk_out out; hf_walk_next(walk, &out);) ...
 * Memory: what is still to be visited (16 MiB at most) and what was (262,144 blocks: beyond these leaves may come twice, nodes fail).
 */
#ifndef HF_WALK_H
#define HF_WALK_H
#include "node.h"

enum { HF_WALK_PENDING_MAX = 16 << 20, HF_WALK_SEEN_MAX = 262144 };

typedef struct hf_walk hf_walk;
typedef enum hf_walk_kind {
    HF_WALK_END = 0,
    HF_WALK_BLOCK,  /* cid, block: views until the next call */
    HF_WALK_NEED,   /* cid: not in the source. Put it there and go on, or hf_walk_skip */
    HF_WALK_FAILED, /* cid, reason: the same again for ever */
} hf_walk_kind;
typedef struct hf_walk_out { hf_walk_kind kind; hf_bytes cid, block; const char *reason; } hf_walk_out;

/* NULL: no memory, or not a CID. */
hf_walk *hf_walk_new(hf_mem *mem, hf_bytes root, hf_links_scope scope, hf_block_source source);
/* Leaves (raw blocks) are not read from then on: only whether they are there is asked, with the source's ctx, and they come out empty. */
void hf_walk_leaves_by(hf_walk *walk, bool (*has)(void *ctx, hf_bytes cid));
void hf_walk_free(hf_walk *walk); /* NULL allowed */
hf_walk_kind hf_walk_next(hf_walk *walk, hf_walk_out *ret);
/* Leaves out the block of the last NEED, and what is below it. */
void hf_walk_skip(hf_walk *walk);
/* Puts a CID in front of all that is still to be visited, such as one that was skipped and has come. HF_LIMIT, HF_NOMEM. */
HF_MUST_USE hf_err hf_walk_push(hf_walk *walk, hf_bytes cid);
/* CIDs that will be visited soon, in order, without the one that is needed; some may be here already. Views until the next call.
 * Returns how many, at most n. */
size_t hf_walk_ahead(const hf_walk *walk, hf_bytes *ret_cids, size_t n);
#endif

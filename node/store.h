/* store: blocks in one SQLite file, durable before they are acknowledged. WAL with synchronous=FULL; everything that was handed over in one turn of the
 * loop, or while a commit ran, goes into the next (group commit). It runs on a thread of the loop's pool, so that the loop does not wait for the disk;
 * a few blocks on a disk that answers within a millisecond are committed at once.
 * Reading is done at once on the loop's thread, through a connection of its own. */
#ifndef HF_NODE_STORE_H
#define HF_NODE_STORE_H
#include "../core/core.h"

#include <uv.h>

typedef struct hf_store hf_store;

/* Opens DIR/holdfast.db. `stored(ctx, seq)` is called on the loop when everything up to seq is durable; `failed(ctx, why)` when the disk
 * refused: nothing is acknowledged from then on. On failure NULL and *ret_why (static or until the next call). */
hf_store *hf_store_open(uv_loop_t *loop, const char *dir, void (*stored)(void *ctx, uint64_t seq), void (*failed)(void *ctx, const char *why), void *ctx,
                        const char **ret_why);
/* Waits for the commit under way, commits the rest, closes. */
void hf_store_close(hf_store *store);

typedef enum hf_store_part { HF_STORE_ENTRIES, HF_STORE_OTHERS } hf_store_part;
typedef bool hf_store_visit(void *ctx, uint64_t at, hf_bytes address, hf_bytes block);
/* Every block of that part behind place `after`, in stored order; `at` is its place, address is empty for a block that is not an entry. each() returns
 * false to stop. Others are found without a look at entries. HF_MALFORMED: the file is damaged (*ret_why). */
HF_MUST_USE hf_err hf_store_each(hf_store *store, hf_store_part part, uint64_t after, hf_store_visit *each, void *ctx, const char **ret_why);

/* What stands in the store up to the last block that is durable: what is derived from it can tell later whether it is still so. */
typedef struct hf_store_mark {
    uint64_t at, n;             /* place of that block; how many there are up to it */
    uint8_t cid[HF_CID_LEN];    /* of that block */
} hf_store_mark;
/* False: the store is empty, or cannot be read. Counts as a call of hf_store_get: the block that it returned is not valid any more. */
bool hf_store_mark_now(hf_store *store, hf_store_mark *ret);
/* Are all those blocks there? */
bool hf_store_holds(hf_store *store, const hf_store_mark *mark);
/* hf_block_source.get: a stored block by CID; valid until the next call. */
hf_err hf_store_get(void *store, hf_bytes cid, hf_bytes *ret_block);
/* Hands a block over (copied). Committed by the next hf_store_commit. */
HF_MUST_USE hf_err hf_store_put(hf_store *store, uint64_t seq, hf_bytes address, hf_bytes cid, hf_bytes block);
/* Asks for a commit of what was handed over, before the loop waits again; while one runs, when that one is done. */
void hf_store_commit(hf_store *store);
/* No commit runs now. */
bool hf_store_idle(const hf_store *store);
/* A small named value, written at once and durably; NULL text reads. Writing needs an idle
 * store. False: it is not there, or could not be written. */
bool hf_store_meta_get(hf_store *store, const char *key, hf_buf *ret);
bool hf_store_meta_set(hf_store *store, const char *key, hf_bytes value);
#endif

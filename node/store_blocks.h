/* store_blocks: blocks of files, in DIR/blocks.db beside the logs' store: kept by multihash, so that every CID of the same bytes finds them.
 * What is pinned (a CID and all below it) stays; the rest goes when space is collected.
 *
 * A running node reads while the command line writes: what it commits is there for the node at once (SQLite's WAL). Of those who write only one at a
 * time may be at work: hf_blocks_lock. One thread at a time for each hf_blocks; every call but get and has may wait for the disk.
 */
#ifndef HF_NODE_STORE_BLOCKS_H
#define HF_NODE_STORE_BLOCKS_H
#include "../core/codec/block.h"

typedef struct hf_blocks hf_blocks;
struct sqlite3;

/* Opens or makes DIR/blocks.db. `bytes_max`: of all blocks together; 0: 64 GiB. On failure NULL and *ret_why (static or until the next call). */
hf_blocks *hf_blocks_open(const char *dir, uint64_t bytes_max, const char **ret_why);
void hf_blocks_close(hf_blocks *blocks); /* commits; NULL allowed */
/* DIR/blocks.lock, for as long as the file descriptor is open: to be held before anything is put, pinned, or dropped. Waits for who has it. -1: errno. */
int hf_blocks_lock(const char *dir);

/* For hf_block_source and hf_block_sink. A block is there for get at once, and durable after the next commit. get: valid until the next call.
 * put: HF_LIMIT: the store is full; HF_DENIED: the disk refuses (hf_blocks_why). */
hf_err hf_blocks_get(void *blocks, hf_bytes cid, hf_bytes *ret_block);
bool hf_blocks_has(void *blocks, hf_bytes cid);
/* What get gave is not looked at any more. Until then the disk's log beside the database cannot be shortened: to be called when one rests. */
void hf_blocks_rest(hf_blocks *blocks);
/* Somebody else has committed since this was last asked (or since it was opened). */
bool hf_blocks_changed(hf_blocks *blocks);
hf_err hf_blocks_put(void *blocks, hf_bytes cid, hf_bytes block);
/* Everything so far is durable. HF_DENIED: the disk refuses; what was put since the last commit is gone. */
HF_MUST_USE hf_err hf_blocks_commit(hf_blocks *blocks);
const char *hf_blocks_why(const hf_blocks *blocks);
uint64_t hf_blocks_bytes(hf_blocks *blocks);
/* What they take of the disk, without what was collected and can be used again. */
uint64_t hf_blocks_disk_bytes(hf_blocks *blocks);
uint64_t hf_sqlite_used(struct sqlite3 *db); /* the same of any database */

/* Pins are part of the next commit. `name`: for people, may be empty. */
HF_MUST_USE hf_err hf_blocks_pin(hf_blocks *blocks, hf_bytes cid, hf_bytes name);
HF_MUST_USE hf_err hf_blocks_unpin(hf_blocks *blocks, hf_bytes cid); /* HF_NOT_FOUND */
/* In the order they were made; each() returns false to stop. */
HF_MUST_USE hf_err hf_blocks_each_pin(hf_blocks *blocks, bool (*each)(void *ctx, hf_bytes cid, hf_bytes name), void *ctx);
/* Drops every block that no pin reaches, and commits. Not while something is being put that is not pinned yet. A pinned DAG that is not here
 * whole keeps what there is; one that cannot be read stops it: HF_MALFORMED, nothing is dropped. */
HF_MUST_USE hf_err hf_blocks_collect(hf_blocks *blocks, hf_mem *mem, uint64_t *ret_bytes_freed);
#endif

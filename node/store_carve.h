/* store_carve: blocks and keys out of a damaged database: found by what they look like, wherever they stand in the file or in the WAL beside it, and
 * believed for what they say of themselves: a block's CID has its hash, the keys have a checksum. Nothing that SQLite built around them is needed. */
#ifndef HF_NODE_STORE_CARVE_H
#define HF_NODE_STORE_CARVE_H
#include "../core/core.h"

enum { HF_CARVE_PAGE = 4096, HF_CARVE_FRAME = 24 + HF_CARVE_PAGE, HF_CARVE_WAL_HEAD = 32 };

/* What was found. `seq`: its place in the damaged store; 0: not known. */
typedef void hf_carve_visit(void *ctx, int64_t seq, hf_bytes cid, hf_bytes address, hf_bytes block);

/* Every block that is whole in the bytes of a database and of its WAL (may be empty), some of them twice. `room`: for putting together what is spread over
 * pages; its error is left to the caller. */
void hf_carve_blocks(hf_bytes db, hf_bytes wal, hf_buf *room, hf_carve_visit *visit, void *ctx);
/* The newest keys that are whole; false: none are. */
bool hf_carve_secrets(hf_bytes db, hf_bytes wal, hf_secrets *ret);
/* Does this WAL end in the middle of what was once durable? SQLite takes the frames up to the first one that is damaged and is silent about the rest. What
 * a crash cut off is the end of one transaction; so what stands behind a transaction's end, and is of the same WAL, was damaged. */
bool hf_carve_wal_is_damaged(hf_bytes wal);
#endif

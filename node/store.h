/* store: blocks in one SQLite file, durable before they are acknowledged. WAL with synchronous=FULL; everything that was handed over in one turn of the
 * loop, or while a commit ran, goes into the next (group commit). It runs on a thread of the loop's pool, so that the loop does not wait for the disk;
 * a few blocks on a disk that answers within a millisecond are committed at once.
 * Reading is done at once on the loop's thread, through a connection of its own. */
#ifndef HF_NODE_STORE_H
#define HF_NODE_STORE_H
#include "../core/core.h"

#include <uv.h>

typedef struct hf_store hf_store;

/* Opens DIR/holdfast.db. `stored(ctx, seq)` is called on the loop when everything up to seq is durable; `failed(ctx, why)` when the disk refused, or has
 * less than 16 MiB left: nothing is acknowledged while that lasts; what was handed over is kept and tried again twice a second. When it works again:
 * failed(ctx, NULL), then stored. On failure NULL and *ret_why (static or until the next call). */
hf_store *hf_store_open(uv_loop_t *loop, const char *dir, void (*stored)(void *ctx, uint64_t seq), void (*failed)(void *ctx, const char *why), void *ctx,
                        const char **ret_why);
/* Waits for the commit under way, tries to commit the rest, closes. */
void hf_store_close(hf_store *store);

/* What it may take of the disk, and what is taken beside it by what shares that bound (bytes; max 0: no bound, the default). Looks how much it takes now: to be
 * called from time to time. At the bound nothing is committed, as on a full disk, until there is room. */
void hf_store_bound(hf_store *store, uint64_t bytes_max, uint64_t bytes_beside);
/* What it takes, with what was handed over since it was looked at, and what is beside it. */
uint64_t hf_store_bytes(const hf_store *store);
/* It is the bound, and not the disk, that keeps it from writing. */
bool hf_store_is_at_bound(const hf_store *store);

/* Something that was read is not what was written: repair it by closing the store, then hf_store_repair. */
bool hf_store_is_damaged(const hf_store *store);

/* Begins to look at all that is stored, on a thread of the loop's pool and through a connection of its own: at SQLite's structures, and whether each block
 * fits its CID. What it finds, hf_store_is_damaged says. While it looks, the WAL grows. No memory for it: it is left out. */
void hf_store_scrub(hf_store *store);

/* What was done about damage. */
typedef struct hf_store_repair_report {
    bool repaired;
    char aside[64];             /* the damaged file's new name, in DIR */
    size_t n_blocks;            /* that were still whole, and are in the new file */
    bool keys;                  /* so were the node's keys */
} hf_store_repair_report;
/* Before hf_store_open, with the folder locked: looks whether holdfast.db is damaged: at its first pages, at the WAL beside it, and for the wish that a
 * store which found damage left behind (DIR/repair). If so, every block and the keys that are whole, wherever they stand in the damaged files, are put
 * into a new file, and the damaged ones are set aside. False: it cannot be done (*ret_why). A crash in the middle leaves it to the next call. */
bool hf_store_repair(const char *dir, hf_store_repair_report *ret, const char **ret_why);
/* The next hf_store_repair is wanted whatever it sees itself. */
void hf_store_want_repair(const char *dir);

typedef enum hf_store_part { HF_STORE_ENTRIES, HF_STORE_OTHERS } hf_store_part;
typedef bool hf_store_visit(void *ctx, uint64_t at, hf_bytes address, hf_bytes block);
/* Every block of that part behind place `after`, in stored order; `at` is its place, address is empty for a block that is not an entry. each() returns
 * false to stop. Others are found without a look at entries. HF_MALFORMED: the file is damaged (*ret_why); HF_NOMEM; HF_DENIED: it cannot be read. */
HF_MUST_USE hf_err hf_store_each(hf_store *store, hf_store_part part, uint64_t after, hf_store_visit *each, void *ctx, const char **ret_why);

/* What stands in the store up to the last block that is durable: what is derived from it can tell later whether it is still so. */
typedef struct hf_store_mark {
    uint64_t at, n;             /* place of that block; how many there are up to it */
    uint8_t cid[HF_CID_LEN];    /* of that block */
} hf_store_mark;
/* False: the store is empty, or cannot be read. */
bool hf_store_mark_now(hf_store *store, hf_store_mark *ret);
/* Are all those blocks there? */
bool hf_store_holds(hf_store *store, const hf_store_mark *mark);
/* hf_block_source.get: a stored block by CID; valid until the next call. One that does not fit its CID is not found. */
hf_err hf_store_get(void *store, hf_bytes cid, hf_bytes *ret_block);
/* hf_core_config.blocks_run: until it ends, all that hf_store_get finds comes out of one transaction, and what was stored side by side is read so. It must
 * end before the loop waits: meanwhile the WAL cannot be emptied. */
void hf_store_run(hf_store *store, bool begins);
/* Hands a block over (copied). Committed by the next hf_store_commit. HF_NOMEM: nothing is committed any more. */
HF_MUST_USE hf_err hf_store_put(hf_store *store, uint64_t seq, hf_bytes address, hf_bytes cid, hf_bytes block);
/* Asks for a commit of what was handed over, before the loop waits again; while one runs, when that one is done. */
void hf_store_commit(hf_store *store);
/* No commit runs now, and the last one worked. */
bool hf_store_idle(const hf_store *store);
/* A small named value, written at once and durably; NULL text reads. Writing needs an idle
 * store. False: it is not there, or could not be written. */
bool hf_store_meta_get(hf_store *store, const char *key, hf_buf *ret);
bool hf_store_meta_set(hf_store *store, const char *key, hf_bytes value);
/* The node's keys, with a checksum. HF_NOT_FOUND: there are none yet; HF_MALFORMED: damaged; HF_NOMEM, HF_DENIED: cannot be read. */
hf_err hf_store_secrets_get(hf_store *store, hf_secrets *ret);
bool hf_store_secrets_set(hf_store *store, const hf_secrets *secrets);
#endif

/* log: the replicated log of one database: an index of entries, the heads, joining and the total order.
 * Spec: interop notes section 7 (append, heads, join, traversal) and 8 (what is acceptable).
 *
 * An entry is indexed only when all its ancestors (next and refs) are, so the index is always closed under ancestry and joining costs one
 * look-up a link. Entries whose ancestors have not come yet wait in a bounded pool (js fetches them inside join; here the sync engine does).
 * Blocks are the host's: the index keeps 32-byte digests, clocks and links, never payloads.
 *
 * Total order (the newest last): clock.time, then clock.id as text, then (where js is undefined: one identity writing in two places) entry hash.
 */
#ifndef HF_LOG_H
#define HF_LOG_H
#include "entry.h"

typedef struct hf_log hf_log;

enum { HF_LOG_REFS = 16, HF_LOG_PENDING_MAX = 65536, HF_LOG_PENDING_BYTES_MAX = 64 << 20, HF_LOG_HELD_MAX = 1024 };

/* One indexed entry. */
typedef struct hf_log_item {
    uint8_t digest[32];
    uint64_t time;
    uint32_t writer;        /* see hf_log_writer_key */
    uint32_t n_next;
    uint32_t first_next;    /* position of its links in the log's link array: indexes of items */
    bool head;
} hf_log_item;

/* What an identity may do in a log whose access list changes. It is asked when an entry is joined (as in js), with these results:
 * MAY: its entries are taken. STRANGER: they wait, at most HF_LOG_HELD_MAX, for a grant that may be on its way. FORMER, it was allowed once:
 * they wait likewise, but those that an entry of somebody who may write stands on are taken, for whoever wrote that one had taken them: so
 * one who comes after a revocation still gets the history. What was taken before a revocation stays. */
typedef enum hf_log_access { HF_LOG_STRANGER, HF_LOG_FORMER, HF_LOG_MAY } hf_log_access;

typedef struct hf_log_config {
    hf_bytes address;                  /* "/orbitdb/zdpu…", copied: the id in every entry */
    const hf_bytes *write;             /* access list that never changes: ids or "*", copied; all others are refused */
    size_t n_write;
    uint64_t seed;                     /* for the hash maps */
    hf_log_access (*access)(void *ctx, hf_bytes id); /* or (not NULL): asked instead; call hf_log_access_changed when answers change */
    void *access_ctx;
} hf_log_config;

hf_log *hf_log_new(hf_mem *mem, const hf_log_config *config);
void hf_log_free(hf_log *log);         /* NULL allowed */
hf_bytes hf_log_address(const hf_log *log);

/* A known, verified identity (idempotent). Entries are judged only when theirs is known. */
HF_MUST_USE hf_err hf_log_identity(hf_log *log, const hf_identity *identity);
bool hf_log_knows_identity(const hf_log *log, const uint8_t digest[32]);
/* The access list changed: what waited for a grant may be ready now (call hf_log_ready). */
void hf_log_access_changed(hf_log *log);
/* May this identity write now? */
bool hf_log_allows(const hf_log *log, hf_bytes id);

/* What this replica has room for is no matter of what is valid: a door that may be closed for a while. It is asked about each sound entry that comes to
 * hf_log_join and is new: NULL, it comes in; a static text, it is turned away (HF_LIMIT, counters.turned_away), and so is what waits for it; it may come
 * again. `writer`: UINT32_MAX, nothing of it is here. `needed`: an entry of somebody else that was let in stands on it. It is not asked about what is
 * loaded, restored, appended, or has waited inside. closed NULL: no door. */
void hf_log_door(hf_log *log, const char *(*closed)(void *ctx, uint32_t writer, bool needed), void *ctx);

/* From our own store, in the order in which they were indexed: no signature check. HF_MISSING: an ancestor or identity is not there (a damaged store). */
HF_MUST_USE hf_err hf_log_load(hf_log *log, hf_bytes block, hf_entry *ret_entry, hf_arena *arena, hf_fault *fault);

/* From anybody. HF_OK: indexed (*ret_entry decoded; *ret_index). HF_EXISTS: was there. HF_MISSING: waits in the pool (call hf_log_wanted);
 * when it waits for a grant, counters.held has risen.
 * HF_DENIED / HF_MALFORMED / HF_LIMIT with a reason: refused and counted. After HF_OK call hf_log_ready until HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_log_join(hf_log *log, hf_bytes block, hf_arena *arena, hf_entry *ret_entry, uint32_t *ret_index, hf_fault *fault);
/* Blocks that will come to hf_log_join soon, HF_LOG_AHEAD_MAX at most (others are left out): their signatures are checked now, several at a time, and
 * need not be when they come. Nothing else changes; a block that does not hold, or cannot be judged yet, is judged as ever. */
enum { HF_LOG_AHEAD_MAX = 128 };
void hf_log_look_ahead(hf_log *log, const hf_spread *spread, const hf_bytes *blocks, size_t n_blocks);
/* Somebody checked the signature of the entry with this digest, with its identity, and it holds: hf_log_join, if it comes soon, need not. */
void hf_log_holds(hf_log *log, const uint8_t digest[32]);
/* A waiting entry whose ancestors are all there now: joins it as above (its block is valid until the arena is cleared). HF_NOT_FOUND: none is ready.
 * HF_MISSING: this one waits on, for a grant; call again. An entry refused here takes its waiting descendants with it. */
HF_MUST_USE hf_err hf_log_ready(hf_log *log, hf_arena *arena, hf_entry *ret_entry, uint32_t *ret_index, hf_fault *fault);
/* Digests that waiting entries need and that are neither indexed nor waiting, each reported once until hf_log_forget_wanted or it arrives.
 * `identity`: it is an identity block. Returns how many were written (at most n_max). */
typedef struct hf_log_want { uint8_t digest[32]; bool identity; } hf_log_want;
size_t hf_log_wanted(hf_log *log, hf_log_want *ret, size_t n_max);
void hf_log_rewant(hf_log *log);       /* report all of them anew (the peer that was asked is gone) */
/* Could not be had: drops the entries that wait for it (and theirs). Returns how many. */
size_t hf_log_give_up(hf_log *log, const uint8_t digest[32]);
size_t hf_log_n_pending(const hf_log *log);

/* Writes an entry on the current heads (next = heads newest first, refs = positions h..h+15 of the traversal, time = 1 + highest).
 * The block is appended to `block` (empty before) and indexed. The host must make it durable before anyone else sees it. */
HF_MUST_USE hf_err hf_log_append(hf_log *log, const hf_writer *writer, hf_bytes payload_cbor, hf_buf *block, uint32_t *ret_index);

/* ---- looking in ---- */
size_t hf_log_n(const hf_log *log);
const hf_log_item *hf_log_item_at(const hf_log *log, uint32_t index);   /* in the order indexed: ancestors first */
/* Index of an entry, or UINT32_MAX. */
uint32_t hf_log_find(const hf_log *log, const uint8_t digest[32]);
bool hf_log_waiting(const hf_log *log, const uint8_t digest[32]);
/* What a waiting entry waits for, at most n_max; returns how many there are. *ret_grant: for a grant, which may come. Not waiting: 0 and false. */
size_t hf_log_waits_for(const hf_log *log, const uint8_t digest[32], hf_log_want *ret, size_t n_max, bool *ret_grant);
size_t hf_log_heads(const hf_log *log, uint32_t *ret_indexes, size_t n_max); /* newest first; returns how many there are */
hf_bytes hf_log_writer_key(const hf_log *log, uint32_t writer);         /* clock.id text */
size_t hf_log_n_writers(const hf_log *log);
uint64_t hf_log_writer_time(const hf_log *log, uint32_t writer);        /* the highest clock time seen of this writer */
uint64_t hf_log_writer_bytes(const hf_log *log, uint32_t writer);       /* of the blocks of its entries */
int hf_log_compare(const hf_log *log, uint32_t a, uint32_t b);          /* total order: <0 a older */
/* Newest first over all entries reachable from the heads, as js traverses; visit returns false to stop. */
HF_MUST_USE hf_err hf_log_traverse(const hf_log *log, bool (*visit)(void *ctx, uint32_t index), void *ctx);
/* As above from these entries instead of the heads. */
HF_MUST_USE hf_err hf_log_traverse_from(const hf_log *log, const uint32_t *roots, size_t n_roots, bool (*visit)(void *ctx, uint32_t index), void *ctx);
/* The entries that this one names in `next`, as indexes: hf_log_item.n_next of them. */
const uint32_t *hf_log_next(const hf_log *log, uint32_t index);
/* A digest of the set of entries: sha256 over the sorted head digests; the same on every replica with the same entries. */
void hf_log_version(const hf_log *log, uint8_t ret_version[32]);
typedef struct hf_log_counters { uint64_t joined, refused_malformed, refused_denied, refused_limit, equivocations, held, turned_away; } hf_log_counters;
const hf_log_counters *hf_log_counts(const hf_log *log);
#endif

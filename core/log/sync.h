/* sync: brings replicas of the same databases together after any gap, and keeps them so. Sits on swarm, bitswap and logs.
 *
 * Two ways, one result (the same hf_log_join):
 * - To peers that speak it, `/holdfast/sync/1.0.0` + address: one long stream a peer and database. Each side says what it has (the highest
 *   clock time of every writer, and its heads), streams what the other lacks in index order (ancestors first, so every entry joins on
 *   arrival and a broken transfer loses nothing), then goes on with new entries as they become durable. One round trip after any gap.
 *   Heads are told again when something changed, at most every HF_SYNC_COMPARE_MS. One that is still unknown then is asked for by digest (one
 *   writer in two places, a block that nobody had): at once, after HF_SYNC_COMPARE_MS, then after twice as long each time, at most 5 min.
 * - To all others OrbitDB's own: `/orbitdb/heads` + address (each frame one entry, FIN when done; read until FIN, CBOR delimits itself), then
 *   missing ancestors, identities and the head's own block by bitswap. Interop notes sections 1 and 11. We open it when a peer that speaks it
 *   is identified or subscribes, when our heads changed (at most once a second), and every HF_SYNC_HEADS_MS (with gossip: every
 *   HF_SYNC_COMPARE_MS), so that a lost message is repaired.
 *   With gossip, new heads are also published under the address, and what others publish is joined.
 *
 * Nothing that is not durable here is shown to others: see hf_sync_durable.
 * Limits: 64 heads a message, 64 KiB batches, one message 1 MiB, hf_log's pool; a peer whose entries are refused 16 times is reported (ABUSE).
 */
#ifndef HF_SYNC_H
#define HF_SYNC_H
#include "../p2p/bitswap.h"
#include "../p2p/gossip.h"
#include "../p2p/swarm.h"
#include "log.h"

#define HF_SYNC_PROTOCOL "/holdfast/sync/1.0.0"
#define HF_HEADS_PROTOCOL "/orbitdb/heads"
enum { HF_SYNC_COMPARE_MS = 5000, HF_SYNC_HEADS_MS = 30000, HF_SYNC_HEADS_MAX = 64 };

typedef struct hf_sync hf_sync;

/* The tags are the caller's numbers for swarm events that belong to sync: all of [tag, tag + 2 * databases). */
hf_sync *hf_sync_new(hf_mem *mem, hf_swarm *swarm, hf_bitswap *bitswap, hf_block_source blocks, uint32_t tag_first);
void hf_sync_free(hf_sync *sync);
/* Before the first hf_sync_add: leaves Holdfast's own way out, as a peer that knows only OrbitDB would. */
void hf_sync_heads_only(hf_sync *sync);
/* Signatures of what waits to be joined are checked by it, many at a time (borrowed; must outlive sync). */
void hf_sync_spread(hf_sync *sync, const hf_spread *spread);
/* Before the first hf_sync_add: each log's address becomes a topic (borrowed; must outlive sync). Then every output of it goes to hf_sync_gossip_event. */
void hf_sync_gossip(hf_sync *sync, hf_gossip *gossip);
void hf_sync_gossip_event(hf_sync *sync, uint64_t now_ms, const hf_gossip_out *out);
/* Takes part for this log (borrowed; must outlive sync): registers both protocols. `context` comes back with its entries. */
HF_MUST_USE hf_err hf_sync_add(hf_sync *sync, uint64_t now_ms, hf_log *log, uint64_t context);
/* Takes part no longer: its streams are finished, its wants forgotten, both protocols dropped; nothing of it comes out any more. The log is not
 * touched after this. */
void hf_sync_remove(hf_sync *sync, uint64_t now_ms, const hf_log *log);
/* The log may take now what it did not before (hf_log_access_changed): tries what waits, and asks peers anew for what was refused. */
void hf_sync_retry(hf_sync *sync, uint64_t now_ms, const hf_log *log);
bool hf_sync_owns_tag(const hf_sync *sync, uint32_t tag);

/* How much of others' entries this replica takes: a matter of room here, never of what is valid. Bytes of blocks, in each database; 0: no bound. What an
 * entry of another writer stands on is taken beyond it. The day's bound counts from the start of this sync on. */
typedef struct hf_sync_limits {
    uint64_t total_bytes;    /* of one writer */
    uint64_t day_bytes;      /* that one writer adds: so much at once, as much again in a day */
    hf_bytes exempt;         /* key of a writer that has no bounds: our own (borrowed; must outlive sync) */
} hf_sync_limits;
/* Before the first hf_sync_add. */
void hf_sync_quota(hf_sync *sync, const hf_sync_limits *limits);
/* There is no room for anybody's entries now, and why (static); NULL: there is again. What was turned away is asked for anew then. */
void hf_sync_full(hf_sync *sync, uint64_t now_ms, const char *why);

/* Every swarm event with a tag of ours, and every IDENTIFIED and CONN_DOWN. */
void hf_sync_event(hf_sync *sync, uint64_t now_ms, const hf_swarm_out *event);
/* Every bitswap output whose context has HF_SYNC_CONTEXT set. */
enum { HF_SYNC_CONTEXT = 1u << 31 };
void hf_sync_bitswap(hf_sync *sync, uint64_t now_ms, const hf_bitswap_out *out);
/* The first `n_entries` of the log's index are durable now: they may be shown to others. */
void hf_sync_durable(hf_sync *sync, uint64_t now_ms, const hf_log *log, size_t n_entries);

typedef enum hf_sync_kind {
    HF_SYNC_NONE = 0,
    HF_SYNC_IDENTITY,   /* context, block, digest: a verified identity block, known to the log now: store it */
    HF_SYNC_ENTRY,      /* context, entry, index, peer: joined: store and apply it; comes in index order */
    HF_SYNC_REFUSED,    /* context, digest, peer, err, reason; err HF_MISSING: not refused, it waits for its writer to be granted access;
                           HF_LIMIT also: there is no room for it now, told once a stream */
    HF_SYNC_ABUSE,      /* peer, reason: the shell should close it */
    HF_SYNC_LEVEL,      /* context, peer: we and this peer have the same heads now (once a change) */
    HF_SYNC_WORKED,     /* nothing to show, but swarm and bitswap may have something now: drain them, then call again */
} hf_sync_kind;

typedef struct hf_sync_out {
    hf_sync_kind kind;
    uint64_t context;
    hf_peer_id peer;
    const hf_entry *entry;   /* valid until the next call */
    uint32_t index;
    uint8_t digest[32];
    hf_bytes block;
    hf_err err;
    const char *reason;
} hf_sync_out;

/* All work is done here, at most one join or one batch a call, so that a shell can interleave; NONE when nothing is left to do now. */
hf_sync_kind hf_sync_next(hf_sync *sync, uint64_t now_ms, hf_sync_out *ret_out);
uint64_t hf_sync_deadline(const hf_sync *sync);
void hf_sync_tick(hf_sync *sync, uint64_t now_ms);

/* Entries of ours that this peer has not confirmed yet, over all databases; SIZE_MAX when the peer is not syncing. */
size_t hf_sync_behind(const hf_sync *sync, const hf_peer_id *peer);
#endif

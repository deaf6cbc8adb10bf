/* fetch: a whole DAG from other peers, by bitswap, into a store. Many blocks are asked for at once, each of one peer; a peer that does not
 * have one, goes away or takes too long is replaced by another. A fetch that was broken off goes on where the store ends.
 *
 *     new -> peer* -> bitswap* -> free; after each, after bitswap got swarm events and at the deadline call hf_fetch_next.
 * Order:  depth first as far as what is here tells, so a file comes about in its order.
 * Limits: per peer a window of blocks: 8 at first, doubled while the peer answers, up to window_bytes by the size of the blocks so far. A
 *         peer that sends blocks twice when asked for more (js does) is asked in whole rounds instead.
 * Memory: what is asked for, the DAG still to be visited (hf_walk's limits). Blocks go to the sink as they come.
 */
#ifndef HF_FETCH_H
#define HF_FETCH_H
#include "../p2p/bitswap.h"
#include "node.h"

enum { HF_FETCH_PEERS_MAX = 32, HF_FETCH_BLOCKS_MAX = 512 }; /* peers of one fetch; blocks asked for at once, all peers together */
/* Context of our wants at bitswap, so that a shell can tell whose an output is. Give us all of them all the same: a want of two has one. */
#define HF_FETCH_CONTEXT ((uint64_t)1 << 61)

typedef struct hf_fetch_config {
    hf_block_source source;                    /* what is here already, and what the sink has stored */
    bool (*has)(void *ctx, hf_bytes cid);      /* NULL, or: is it there, without reading it; ctx of the source */
    hf_block_sink sink;
    hf_links_scope scope;
    uint32_t window_bytes;                     /* 0: 64 MiB */
} hf_fetch_config;

typedef struct hf_fetch hf_fetch;
/* NULL: no memory, or not a CID. */
hf_fetch *hf_fetch_new(hf_mem *mem, hf_bitswap *bitswap, hf_bytes root, const hf_fetch_config *config);
void hf_fetch_free(hf_fetch *f, uint64_t now_ms); /* takes back what is asked for; NULL allowed */
/* This peer may be asked. HF_LIMIT: too many. Again for one that had gone, or was given up: it is asked anew. */
HF_MUST_USE hf_err hf_fetch_peer(hf_fetch *f, uint64_t now_ms, const hf_peer_id *peer);
void hf_fetch_peer_gone(hf_fetch *f, const hf_peer_id *peer);
/* Every output of bitswap; those that are not ours are passed over. */
void hf_fetch_bitswap(hf_fetch *f, uint64_t now_ms, const hf_bitswap_out *out);

typedef enum hf_fetch_kind {
    HF_FETCH_NONE = 0,
    HF_FETCH_DONE,    /* all of it is in the store */
    HF_FETCH_STUCK,   /* reason; cid: no peer that was told has it (empty: all have gone). Once; a further peer makes it go on */
    HF_FETCH_FAILED,  /* reason */
} hf_fetch_kind;
typedef struct hf_fetch_out { hf_fetch_kind kind; hf_bytes cid; const char *reason; } hf_fetch_out;
hf_fetch_kind hf_fetch_next(hf_fetch *f, uint64_t now_ms, hf_fetch_out *ret);
uint64_t hf_fetch_deadline(const hf_fetch *f); /* hf_fetch_next is to be called then at the latest */

typedef struct hf_fetch_count { uint64_t n_blocks, n_bytes, n_asked; } hf_fetch_count; /* that came; asked for now */
hf_fetch_count hf_fetch_counted(const hf_fetch *f);
#endif

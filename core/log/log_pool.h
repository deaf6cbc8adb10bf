/* log_pool: entries that wait for their ancestors, for the identity of their writer, or for a grant to it. Knows digests and clocks, never
 * looks into blocks.
 *
 * An entry that waits holds one edge to each want it waits for; a want is a digest that somebody waits for. When the want is met the edges
 * go away, and an entry without edges is ready. No recursion anywhere: what falls with an entry goes through a list.
 *
 * Limits: HF_LOG_PENDING_MAX entries, HF_LOG_PENDING_BYTES_MAX bytes of blocks, HF_POOL_WANTS_MAX wants. Bookkeeping is at most about twice
 * the blocks: an edge costs 32 bytes, and every link takes 51 bytes of its block. When full, the waiting entry with the newest clock goes,
 * and those that wait for it: it is the furthest from being joined. When the new one is the newest, it is the one refused.
 * Of entries that wait for a grant there are at most HF_LOG_HELD_MAX.
 *
 * An entry is vouched for when somebody who may write signed it, or one that stands on it: that goes down the edges as it becomes known. */
#ifndef HF_LOG_POOL_H
#define HF_LOG_POOL_H
#include "log.h"

enum { HF_POOL_WANTS_MAX = 2 * HF_LOG_PENDING_MAX };
typedef enum hf_pool_kind { HF_POOL_ENTRY, HF_POOL_IDENTITY, HF_POOL_GRANT, HF_POOL_KINDS } hf_pool_kind; /* GRANT: by identity digest */

typedef struct hf_pool_entry hf_pool_entry;
typedef struct hf_pool_want hf_pool_want;

typedef struct hf_pool_edge {
    hf_pool_entry *owner;
    hf_pool_want *want;                 /* NULL: met */
    struct hf_pool_edge *prev, *next;   /* of the same want */
} hf_pool_edge;

struct hf_pool_entry {
    uint8_t digest[32];
    uint8_t identity[32];               /* of its writer */
    uint64_t time;
    uint64_t arrival;                   /* breaks ties of time */
    hf_bytes block;                     /* behind the edges, in the same allocation */
    size_t n_missing, n_edges;
    size_t heap_at;
    hf_pool_entry *next;                /* in the ready queue, or in a list of what falls */
    bool verified, vouched, held, falling; /* held: nothing but a grant is missing */
    bool needed;                        /* an entry of somebody else stands on it, or on what stands on it */
    hf_pool_edge edges[];
};

typedef struct hf_pool_wants { hf_pool_want *first, *last; } hf_pool_wants;

typedef struct hf_pool {
    hf_mem *mem;
    hf_map entries;                     /* digest -> hf_pool_entry */
    hf_map wants[HF_POOL_KINDS];        /* digest -> hf_pool_want */
    hf_pool_wants fresh, reported;      /* to be fetched: not yet told to anyone, and told; wants that wait themselves are in neither */
    hf_pool_entry **heap;               /* those not ready, the newest clock on top */
    size_t n_heap, cap_heap;
    hf_pool_entry *ready, *ready_last;
    size_t block_bytes, n_held;
    uint64_t n_arrivals;
} hf_pool;

/* What is to wait. missing: digests of entries, may repeat. */
typedef struct hf_pool_new {
    uint8_t digest[32];
    uint64_t time;
    hf_bytes block;                     /* copied */
    const uint8_t *const *missing;
    size_t n_missing;
    const uint8_t *identity;            /* NULL allowed where grants do not matter */
    bool identity_missing, grant_missing; /* a grant is waited for only when nothing else is missing */
    bool verified, vouched, needed;
} hf_pool_new;

void hf_pool_init(hf_pool *pool, hf_mem *mem, uint64_t seed);
void hf_pool_deinit(hf_pool *pool);
hf_pool_entry *hf_pool_find(const hf_pool *pool, const uint8_t digest[32]);
/* HF_LIMIT: no room for it. *ret_n_evicted (always written): how many went to make room. */
HF_MUST_USE hf_err hf_pool_add(hf_pool *pool, const hf_pool_new *what, size_t *ret_n_evicted);
/* This entry, identity or grant is there now: what waited for nothing else becomes ready. */
void hf_pool_met(hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind);
/* It will never be: drops what waits for it, and what waits for that. Returns how many. */
size_t hf_pool_fell(hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind);
/* Who waits for it: a list by edge->next; NULL when nobody does. */
hf_pool_edge *hf_pool_waiters(const hf_pool *pool, const uint8_t digest[32], hf_pool_kind kind);
/* Does an entry stand on this one that is vouched for? */
bool hf_pool_sought(const hf_pool *pool, const uint8_t digest[32]);
/* Does one of another writer than this identity, or one that is needed itself? */
bool hf_pool_needed(const hf_pool *pool, const uint8_t digest[32], const uint8_t identity[32]);
/* This entry is vouched for, and so is all that it stands on; those of them that were held become ready. */
void hf_pool_vouch(hf_pool *pool, hf_pool_entry *entry);
/* The first one ready waits on, for a grant. HF_LIMIT, HF_NOMEM: it stays ready. */
HF_MUST_USE hf_err hf_pool_hold_ready(hf_pool *pool);
/* Why this one waits: what is missing, at most n_max; returns how many there are. A grant is not among them: see held. */
size_t hf_pool_missing(const hf_pool_entry *entry, hf_log_want *ret, size_t n_max);
hf_pool_entry *hf_pool_ready(const hf_pool *pool);   /* the first one ready, or NULL; stays there */
void hf_pool_take_ready(hf_pool *pool);              /* removes that one; its waiters go on waiting until met or fell */
size_t hf_pool_wanted(hf_pool *pool, hf_log_want *ret, size_t n_max);
void hf_pool_rewant(hf_pool *pool);
#endif

/* log_index: what a log remembers of its entries: digests, clocks, links, writers, heads, and the total order over them. Knows no blocks,
 * no signatures and no waiting; log.c decides what comes in.
 *
 * Adding is in two steps, so that nothing is half added: hf_index_reserve may fail and changes nothing visible, hf_index_add cannot fail.
 * Everything here is 32-bit item numbers into arrays that grow; an item never moves to another number. */
#ifndef HF_LOG_INDEX_H
#define HF_LOG_INDEX_H
#include "log.h"

#define HF_INDEX_NONE UINT32_MAX

typedef struct hf_index_list { uint32_t *at; size_t n, cap; } hf_index_list;
typedef struct hf_index_table { uint32_t *slots; size_t n_slots; } hf_index_table; /* item number + 1; 0: empty; a power of two */

typedef struct hf_index_writer {
    char key[HF_PUBLIC_KEY_HEX_LEN];
    uint32_t number;
    uint64_t time; /* the highest seen */
    uint64_t bytes; /* of its entries' blocks */
} hf_index_writer;

/* The state of one walk, kept between walks: an item is visited when its mark is the epoch of this walk, so starting costs nothing. */
typedef struct hf_index_walk {
    uint32_t *marks;      /* one an item */
    size_t cap_marks;
    uint32_t epoch;
    hf_index_list frontier; /* a heap, the newest on top */
    bool busy;
} hf_index_walk;

typedef struct hf_index {
    hf_mem *mem;
    uint64_t seed;
    hf_log_item *items;
    size_t n_items, cap_items;
    hf_index_list links;               /* the next lists of all items, one after the other */
    hf_index_table by_digest, by_time; /* by_time: the first item of a (writer, time) */
    hf_index_list heads;               /* newest first */
    hf_index_list heads_by_digest;
    hf_index_writer **writers;         /* each lives in the arena: its key stays where it is */
    size_t n_writers, cap_writers;
    hf_map writer_map;                 /* key -> writer */
    hf_arena arena;
    hf_index_walk *walk;               /* apart, because looking through a const log marks what was seen */
    uint64_t n_equivocations;
} hf_index;

HF_MUST_USE hf_err hf_index_init(hf_index *index, hf_mem *mem, uint64_t seed);
void hf_index_deinit(hf_index *index);
uint32_t hf_index_find(const hf_index *index, const uint8_t digest[32]);
/* The writer with this key (66 characters), made when it is new; NULL on no memory. */
hf_index_writer *hf_index_writer_of(hf_index *index, hf_bytes key);
/* Room for one more item with n_next links. HF_LIMIT: 2^32 items or links. */
HF_MUST_USE hf_err hf_index_reserve(hf_index *index, size_t n_next);
/* next: item numbers. Returns the new item's number. Not there yet; room reserved. */
uint32_t hf_index_add(hf_index *index, const uint8_t digest[32], hf_index_writer *writer, uint64_t time, const uint32_t *next, size_t n_next);
int hf_index_compare(const hf_index *index, uint32_t a, uint32_t b);
uint64_t hf_index_time(const hf_index *index); /* the highest there is; 0 when empty */

/* ---- log_walk.c ---- */
/* Newest first from these items until visit returns false. HF_STATE: called from within visit. */
HF_MUST_USE hf_err hf_index_traverse(const hf_index *index, const uint32_t *roots, size_t n_roots, bool (*visit)(void *ctx, uint32_t item), void *ctx);

#endif

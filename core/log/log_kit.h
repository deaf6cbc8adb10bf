/* log_kit: for the tests of this layer: the vectors' writers, and short ways to make logs and entries. */
#ifndef HF_LOG_KIT_H
#define HF_LOG_KIT_H
#include "../../tests/kit/check.h"
#include "entry_read.h"
#include "log.h"

enum { HF_KIT_WRITERS = 4 };
#define HF_KIT_ADDRESS "/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3"

/* alice, bob, carol, dave: as in identity.json. */
typedef struct hf_kit {
    hf_secp *secp;
    hf_writer writers[HF_KIT_WRITERS];
    hf_identity identities[HF_KIT_WRITERS];
} hf_kit;

void hf_kit_open(hf_kit *kit);
void hf_kit_close(hf_kit *kit);
/* A log that lets the first n_allowed write and knows the first n_known identities. NULL on no memory. */
hf_log *hf_kit_log(const hf_kit *kit, hf_mem *mem, hf_bytes address, size_t n_allowed, size_t n_known);
/* Canonical {op: "ADD", key: null, value: n}, until the end of the test. */
hf_bytes hf_kit_payload(uint64_t n);

/* One entry of a world that is written beforehand and then joined in many ways; lives until the end of the test. */
typedef struct hf_kit_entry {
    hf_bytes block;
    uint8_t digest[32];
    uint64_t time;
} hf_kit_entry;
/* An entry on these, made by hand: its clock is `time`, or (0) one above the highest of its parents. */
hf_kit_entry hf_kit_make(const hf_kit *kit, size_t writer, uint64_t time, const hf_kit_entry *const *next, size_t n_next,
                         const hf_kit_entry *const *refs, size_t n_refs);
/* The digest of a CID text; fails the test when it is none. */
void hf_kit_digest(hf_bytes text, uint8_t ret[32]);
/* Without draining. */
hf_err hf_kit_join_only(hf_log *log, hf_bytes block);
/* All that is ready; returns how many joined. */
size_t hf_kit_drain(hf_log *log);
/* Joins and drains what became ready; *ret_n_ready (NULL allowed): how many did. Returns what the join said. */
hf_err hf_kit_join(hf_log *log, hf_bytes block, size_t *ret_n_ready);
/* Blocks that can be fetched, by digest. */
typedef struct hf_kit_store {
    hf_map blocks;
} hf_kit_store;
void hf_kit_store_open(hf_kit_store *store);
void hf_kit_store_close(hf_kit_store *store);
void hf_kit_store_add(hf_kit_store *store, hf_bytes block);             /* must outlive the store */
void hf_kit_store_add_hex(hf_kit_store *store, const hf_value *blocks); /* a list of {bytes: hex}, or a map of hex */
/* Gets for the log what it wants until it wants nothing; gives up what the store has not. Returns how many that were. */
size_t hf_kit_fetch(hf_log *log, const hf_kit_store *store);

/* The log's entries newest first, as item numbers; lives until the end of the test. */
uint32_t *hf_kit_order(const hf_log *log, size_t *ret_n);
#endif

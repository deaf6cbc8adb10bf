/* state: what an OrbitDB database of js's types shows, as a function of its log's entries: the same on every replica, whatever the order of
 * arrival. Interop notes section 9. Kept up entry by entry: the newest PUT or DEL of a key, in the log's total order, decides it.
 *
 * Holds keys and item numbers; payloads stay in blocks, which the host has. Memory: about 100 bytes and twice the key a key. */
#ifndef HF_ORBIT_STATE_H
#define HF_ORBIT_STATE_H
#include "../log/log.h"

/* OTHER: a type that is not js's own: it is replicated, and its entries can be walked as events. */
typedef enum hf_orbit_type { HF_ORBIT_EVENTS, HF_ORBIT_KEYVALUE, HF_ORBIT_DOCUMENTS, HF_ORBIT_OTHER } hf_orbit_type;
/* As a manifest has it; "keyvalue-indexed" is keyvalue with another index, and writes "keyvalue" into the manifest. */
hf_orbit_type hf_orbit_type_of(hf_bytes name);
hf_bytes hf_orbit_type_name(hf_orbit_type type); /* for a manifest; empty for OTHER */

typedef struct hf_orbit_state hf_orbit_state;
/* The log is borrowed and must outlive the state. NULL: no memory. */
hf_orbit_state *hf_orbit_state_new(hf_mem *mem, const hf_log *log, hf_orbit_type type, uint64_t seed);
void hf_orbit_state_free(hf_orbit_state *state); /* NULL allowed */

/* The log has this entry now. *ret_decides: it is the newest of its key (or an event), so something new shows. HF_NOMEM: not taken; calling it
 * again later is allowed. */
HF_MUST_USE hf_err hf_orbit_state_apply(hf_orbit_state *state, uint32_t index, const hf_value *payload, bool *ret_decides);

/* What decides each key, as bytes that stand beside a snapshot of the log: appended to buf. HF_NOMEM. */
HF_MUST_USE hf_err hf_orbit_state_save(const hf_orbit_state *state, hf_buf *buf);
/* Into a state that nothing was applied to (HF_STATE), whose log is restored. HF_MALFORMED, HF_NOMEM: the state is of no use any more. */
HF_MUST_USE hf_err hf_orbit_state_restore(hf_orbit_state *state, hf_bytes saved);

/* The entry whose payload is what get(key) answers, or UINT32_MAX. keyvalue: by `===` over all entries; documents: by `===` among what
 * iterator() shows. Not for events, whose key is the entry's hash. */
uint32_t hf_orbit_state_find(const hf_orbit_state *state, const hf_value *key);
/* keyvalue, documents: the entries whose payloads iterator() shows, newest first; valid until the next apply. HF_NOMEM. */
HF_MUST_USE hf_err hf_orbit_state_rows(hf_orbit_state *state, const uint32_t **ret_items, size_t *ret_n);

/* events: js's log.iterator. Indexes of entries, UINT32_MAX: not given; lt wins over lte, gt over gte. */
typedef struct hf_orbit_range {
    uint32_t lt, lte;   /* start from that entry's parents / from that entry: only its ancestors follow */
    uint32_t gt, gte;   /* end before / with that entry */
    size_t amount;      /* SIZE_MAX: all. With gt or gte alone: those nearest that end; with lt or lte and gt or gte it is not looked at (as in js) */
} hf_orbit_range;
#define HF_ORBIT_ALL ((hf_orbit_range){UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, SIZE_MAX})
/* Newest first; appends item numbers to *list (grown from mem, n_list of cap_list). HF_NOMEM. */
HF_MUST_USE hf_err hf_orbit_range_items(const hf_log *log, const hf_orbit_range *range, hf_mem *mem, uint32_t **list, size_t *n_list, size_t *cap_list);
#endif

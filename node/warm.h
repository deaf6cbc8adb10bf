/* warm: the files DIR/snapshot, of the app's databases, and DIR/snapshot-zdpu…, one for each database added at run time. They spare a start, or the next
 * opening, the reading of entries: what the databases hold, as hf_core_snapshot has it, and up to which block of the store. They are a cache: derived
 * from the store alone, each replaced as a whole, refused when anything about it is not right; without one, or when it is of another app or program,
 * every entry is read, as at the first start. They may be deleted at any time. That of a database which is closed stays, for when it is opened again.
 *
 * Written on a thread of the loop's pool when much is new, and at the end. Files apart from the store, so that no commit waits for them. */
#ifndef HF_NODE_WARM_H
#define HF_NODE_WARM_H
#include "node.h"

typedef struct hf_warm hf_warm;

/* Restores what the app's file has into the core, before anything is loaded. NULL: no memory; the core is of no use then. */
hf_warm *hf_warm_open(hf_node *node);
/* Restores a database added at run time that is in phase LOADING: only its entries behind *ret_after are to be loaded; 0: all. False: no memory. */
bool hf_warm_take(hf_warm *warm, uint32_t database, uint64_t *ret_after);
uint64_t hf_warm_after(const hf_warm *warm);         /* no entry up to this place of the store needs to be loaded */
bool hf_warm_has(const hf_warm *warm, uint32_t database, uint64_t at); /* this entry is restored */
/* All is loaded. Not intact: blocks were damaged; no snapshot is made, so that the next start looks at them again. */
void hf_warm_loaded(hf_warm *warm, bool intact);
/* Something was stored: writes a new file if at least 1,000 of its entries and a tenth of all are new, and it was last written a minute ago. NULL
 * allowed: the node stops. */
void hf_warm_turn(hf_warm *warm);
/* Writes each of which a hundred entries are new. Before the store is closed. NULL allowed. */
void hf_warm_close(hf_warm *warm);
#endif

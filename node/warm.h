/* warm: the file DIR/snapshot, which spares a start the reading of entries: what the app's databases hold, as hf_core_snapshot has it, and up to which
 * block of the store. It is a cache: derived from the store alone, replaced as a whole, refused when anything about it is not right; without it, or
 * when it is of another app or program, every entry is read, as at the first start. It may be deleted at any time.
 *
 * Written on a thread of the loop's pool when much is new, and at the end. A file apart from the store, so that no commit waits for it. */
#ifndef HF_NODE_WARM_H
#define HF_NODE_WARM_H
#include "node.h"

typedef struct hf_warm hf_warm;

/* Restores what the file has into the core, before anything is loaded. NULL: no memory; the core is of no use then. */
hf_warm *hf_warm_open(hf_node *node);
bool hf_warm_restored(const hf_warm *warm);          /* anything? */
uint64_t hf_warm_after(const hf_warm *warm);         /* no entry up to this place of the store needs to be loaded, unless of a database added at run time */
bool hf_warm_has(const hf_warm *warm, uint32_t database, uint64_t at); /* this entry is restored */
/* All is loaded. Not intact: blocks were damaged; no snapshot is made, so that the next start looks at them again. */
void hf_warm_loaded(hf_warm *warm, bool intact);
/* Something was stored: writes a new snapshot if at least 1,000 entries and a tenth of all are new, and the last was a minute ago. NULL
 * allowed: the node stops. */
void hf_warm_turn(hf_warm *warm);
/* Writes one if a hundred entries are new. Before the store is closed. NULL allowed. */
void hf_warm_close(hf_warm *warm);
#endif

/* spread: a few threads that share work with the one that asks (hf_spread of core/base/base.h). They sleep while there is none. */
#ifndef HF_NODE_SPREAD_H
#define HF_NODE_SPREAD_H
#include "../core/base/base.h"

#include <uv.h>

typedef struct hf_threads hf_threads;

/* One for each processor but the asker's, at most three. NULL: there is only one processor, or no memory; then work is done one after another. */
hf_threads *hf_threads_open(void);
void hf_threads_close(hf_threads *threads); /* NULL allowed; not while it runs something */
/* Valid until they are closed; NULL for NULL. Used by one thread at a time. */
const hf_spread *hf_threads_spread(const hf_threads *threads);
/* libuv's own threads are begun when they are first needed, and it calls abort() when there is no memory for them; so they are begun at the start, where
 * having none ends the program with a message. */
void hf_threads_make_pool(uv_loop_t *loop);
#endif

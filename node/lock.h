/* lock: who holds a data folder. The file DIR/lock is locked (flock) as long as a node runs there, and says how to reach it. */
#ifndef HF_NODE_LOCK_H
#define HF_NODE_LOCK_H
#include "../core/base/base.h"

/* A descriptor that holds the lock until it is closed; -1: *ret_taken by another node, or not (errno). */
int hf_lock_take(const char *dir, bool *ret_taken);
/* What the holder wrote; false: nobody holds it (or there is no such folder: errno). */
bool hf_lock_read(const char *dir, hf_buf *ret);
bool hf_lock_write(int lock, hf_bytes text);
#endif

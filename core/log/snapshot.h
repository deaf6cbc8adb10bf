/* snapshot: a log's index as one piece of bytes, kept beside the entries, so that a replica opens without reading them: no block, no hash of one,
 * no signature. It is a cache of one's own store and says nothing to others; a damaged one is refused whole, and the entries are read instead.
 *
 * Layout: "HFL1", length and text of the address, n_writers, their keys (66 bytes each), n_items; then for each item its writer, its time, n_next and
 * for each link how many items before it; then all digests (32 bytes each); last SHA-256 of everything before. Numbers are varints.
 */
#ifndef HF_LOG_SNAPSHOT_H
#define HF_LOG_SNAPSHOT_H
#include "log.h"

/* Appends the first n_items of the index. */
void hf_log_save(const hf_log *log, size_t n_items, hf_buf *buf);
/* Into a log without entries. HF_MALFORMED with a reason: damaged, of another version or another log; the log is as before. HF_STATE: it has
 * entries. HF_NOMEM, HF_LIMIT: the log is of no use any more. */
HF_MUST_USE hf_err hf_log_restore(hf_log *log, hf_bytes saved, hf_fault *fault);
/* Takes a restore back, when what stands beside it turns out to be damaged: no entries again. Only before any other entry came. HF_NOMEM: the log is
 * of no use any more. */
HF_MUST_USE hf_err hf_log_unrestore(hf_log *log);
#endif

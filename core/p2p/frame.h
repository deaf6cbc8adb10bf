/* frame: messages on a stream, each behind its length as an unsigned varint: what most libp2p protocols do. */
#ifndef HF_FRAME_H
#define HF_FRAME_H
#include "../base/base.h"

/* The message at the front; *ret_len: bytes taken, with the length. HF_TRUNCATED: more must come. HF_LIMIT: it is longer than `max` bytes.
 * HF_MALFORMED: no length. */
HF_MUST_USE hf_err hf_frame_read(hf_bytes bytes, size_t max, hf_bytes *ret_message, size_t *ret_len);
/* Puts the length before what stands in the buffer from `from` on. A failure sticks in the buffer. */
void hf_frame_close(hf_buf *buf, size_t from);
#endif

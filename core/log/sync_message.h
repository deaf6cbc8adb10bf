/* sync_message: the bytes of `/holdfast/sync/1.0.0`, both ways; knows no peers, no logs, no time.
 *
 *   stream   = frame*
 *   frame    = varint length (at most 1 MiB), Message (protobuf)
 *
 *   Message  1 have      Have              what the sender has, durably
 *            2 identity  bytes, repeated   an identity block; stands before the first entry that names it
 *            3 entry     bytes, repeated   an entry block; ancestors before descendants
 *            4 want      32 bytes, rep.    digest of a block that the sender lacks; the answer is 2, 3 (and near
 *                                          ancestors) or 5
 *            5 missing   32 bytes, rep.    digest that was wanted and is not here
 *   Have     1 clock     Clock, repeated   writers whose time rose since the last Have; in the first one: all writers
 *            2 head      32 bytes, rep.    all heads, at most 64; only where `entries` is there
 *            3 entries   varint            number of entries. Left out: heads are not told this time
 *            4 more      varint            1: the list of clocks goes on in the next Have
 *   Clock    1 writer    33 bytes          the writer's signing key, compressed
 *            2 time      varint            the highest clock time of that writer
 *
 * Parts are dealt with in the order in which they stand. Unknown fields are skipped, so that later versions can say
 * more.
 */
#ifndef HF_SYNC_MESSAGE_H
#define HF_SYNC_MESSAGE_H
#include "../codec/protobuf.h"

enum {
    HF_SYNC_MESSAGE_MAX = 1 << 20,
    HF_SYNC_FRAME_HEAD_MAX = 4, /* bytes of a length up to 1 MiB, rounded up */
    HF_SYNC_KEY_LEN = 33,
    HF_SYNC_CLOCKS_MAX = 8192,  /* in one Have: half of a message */
};

/* ---- reading ---- */

/* The frame at the front: its message is in[*ret_at, *ret_at + *ret_len). HF_TRUNCATED: more bytes are needed.
 * HF_MALFORMED / HF_LIMIT. */
HF_MUST_USE hf_err hf_sync_frame(hf_bytes in, size_t *ret_at, size_t *ret_len);

typedef enum hf_sync_part {
    HF_SYNC_PART_HAVE = 1,
    HF_SYNC_PART_IDENTITY,
    HF_SYNC_PART_ENTRY,
    HF_SYNC_PART_WANT,
    HF_SYNC_PART_MISSING
} hf_sync_part;
/* The next known part at or after *at, which moves behind it. HF_NOT_FOUND: the message is over. HF_MALFORMED. Digests
 * are 32 bytes long. */
HF_MUST_USE hf_err hf_sync_part_next(hf_bytes message, size_t *at, hf_sync_part *ret_part, hf_bytes *ret_bytes);

typedef struct hf_sync_clock { uint8_t key[HF_SYNC_KEY_LEN]; uint64_t time; } hf_sync_clock;
typedef struct hf_sync_have { uint64_t n_entries; size_t n_clocks, n_heads; bool more, tells_heads; } hf_sync_have;
/* Reads through a whole Have and says what is in it. HF_MALFORMED / HF_LIMIT: more clocks or heads than allowed. */
HF_MUST_USE hf_err hf_sync_have_read(hf_bytes have, hf_sync_have *ret);
/* Its clocks and heads, each with its own reader over the same bytes; false at the end. */
bool hf_sync_clock_next(hf_pb_reader *reader, hf_sync_clock *ret);
bool hf_sync_head_next(hf_pb_reader *reader, hf_bytes *ret_digest);

/* ---- writing ---- */

/* begin, add parts, end; a Have is begun, filled and ended within. The frame stays in `buf` until it is cleared. */
void hf_sync_begin(hf_buf *buf);
void hf_sync_add_part(hf_buf *buf, hf_sync_part part, hf_bytes bytes);
void hf_sync_add_clock(hf_buf *have, const hf_sync_clock *clock);
void hf_sync_add_head(hf_buf *have, const uint8_t digest[32]);
void hf_sync_add_entries(hf_buf *have, uint64_t n_entries);
void hf_sync_add_more(hf_buf *have);
/* Puts the length before the message without moving it; the view is what goes on the wire. Empty when buf->err says no
 * memory. */
hf_bytes hf_sync_end(hf_buf *buf);
#endif

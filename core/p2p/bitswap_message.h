/* bitswap_message: bitswap's bytes, both ways; knows no peers and no time. Spec: ipfs/specs bitswap-protocol.md
 * (1.2.0); interop notes 11.
 *
 *   stream   = varint length, Message; usually one, then FIN
 *   Message  1 wantlist { 1 entry* { 1 block (binary CID)  2 priority  3 cancel  4 wantType (0 block, 1 have)
 *                                 5 sendDontHave }  2 full }
 *            3 block* { 1 prefix (the CID without its digest)  2 data }
 *            4 presence* { 1 cid  2 type (0 have, 1 don't have) }
 *            5 pendingBytes (ignored)      2 is bitswap 1.0's way of blocks, not read
 *
 * What is written equals what js writes, byte for byte: an empty wantlist is there, a zero type of a presence is left
 * out.
 */
#ifndef HF_BITSWAP_MESSAGE_H
#define HF_BITSWAP_MESSAGE_H
#include "../codec/cid.h"
#include "../codec/protobuf.h"

enum {
    HF_BITSWAP_MESSAGE_MAX = 4 << 20, /* js refuses more */
    HF_BITSWAP_BLOCK_MAX = 2 << 20,
};

typedef enum hf_bitswap_item_kind {
    HF_BITSWAP_ITEM_END = 0,
    HF_BITSWAP_ITEM_FULL,      /* what follows replaces the earlier list; comes before its wants */
    HF_BITSWAP_ITEM_WANT,      /* cid, cancel, have_only, dont_have */
    HF_BITSWAP_ITEM_BLOCK,     /* prefix, block */
    HF_BITSWAP_ITEM_HAVE,      /* cid */
    HF_BITSWAP_ITEM_DONT_HAVE, /* cid */
} hf_bitswap_item_kind;

typedef struct hf_bitswap_item {
    hf_bitswap_item_kind kind;
    hf_bytes cid, prefix, block; /* views into the message */
    bool cancel, have_only, dont_have;
} hf_bitswap_item;

typedef struct hf_bitswap_reader { hf_pb_reader message, wants; bool in_wants; hf_err err; } hf_bitswap_reader;
hf_bitswap_reader hf_bitswap_read(hf_bytes message);
/* END at the end or on failure (then reader->err is HF_MALFORMED or HF_LIMIT). */
hf_bitswap_item_kind hf_bitswap_read_next(hf_bitswap_reader *reader, hf_bitswap_item *ret);
/* Reads to the end: HF_OK when every part is sound. */
HF_MUST_USE hf_err hf_bitswap_check(hf_bytes message);

/* The CID that a block with this prefix has. HF_MALFORMED: not a prefix. HF_LIMIT: a hash function that we do not have.
 * */
HF_MUST_USE hf_err hf_bitswap_block_cid(hf_bytes prefix, hf_bytes block, uint8_t ret_cid[HF_CID_BYTES_MAX],
                                        size_t *ret_len);

typedef struct hf_bitswap_writer { hf_buf wants, rest; } hf_bitswap_writer;
void hf_bitswap_writer_init(hf_bitswap_writer *writer, hf_mem *mem);
void hf_bitswap_writer_deinit(hf_bitswap_writer *writer);
void hf_bitswap_write_want(hf_bitswap_writer *writer, hf_bytes cid, bool cancel);
void hf_bitswap_write_block(hf_bitswap_writer *writer, const hf_cid *cid, hf_bytes block);
void hf_bitswap_write_presence(hf_bitswap_writer *writer, hf_bytes cid, bool have);
/* Appends the message with its length and empties the writer. HF_NOMEM: nothing usable was appended. */
HF_MUST_USE hf_err hf_bitswap_write_end(hf_bitswap_writer *writer, bool full, hf_buf *ret);
#endif

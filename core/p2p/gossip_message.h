/* gossip_message: pubsub's bytes, both ways; knows no peers and no time. Specs: libp2p/specs pubsub/README.md, gossipsub-v1.0.md, -v1.1.md, -v1.2.md.
 *
 *   stream   = (varint length, RPC)*
 *   RPC      1 subscription* { 1 subscribe  2 topic }
 *            2 publish* = Message { 1 from  2 data  3 seqno  4 topic  5 signature  6 key }
 *            3 control { 1 ihave* { 1 topic  2 id* }  2 iwant* { 1 id* }  3 graft* { 1 topic }
 *                        4 prune* { 1 topic  2 peer* { 1 peer ID  2 signed peer record }  3 backoff, seconds }  5 idontwant* { 1 id* } }
 *
 * What is written equals what js writes, byte for byte. A message is signed over "libp2p-pubsub:" and its fields 1 to 4 as far as they are there, in
 * this order; so it is written again from its fields, and unknown ones do not travel on.
 */
#ifndef HF_GOSSIP_MESSAGE_H
#define HF_GOSSIP_MESSAGE_H
#include "../codec/protobuf.h"
#include "peer_id.h"

#define HF_GOSSIP_SIGN_PREFIX "libp2p-pubsub:"
enum { HF_GOSSIP_SEQNO_LEN = 8, HF_GOSSIP_ID_MAX = 64, HF_GOSSIP_TOPIC_MAX = 256 };

/* ptr NULL: the field is not there. */
typedef struct hf_gossip_message { hf_bytes from, data, seqno, topic, signature, key; } hf_gossip_message;

typedef enum hf_gossip_item_kind {
    HF_GOSSIP_ITEM_END = 0,
    HF_GOSSIP_ITEM_SUBSCRIPTION, /* topic, subscribe */
    HF_GOSSIP_ITEM_PUBLISH,      /* message */
    HF_GOSSIP_ITEM_IHAVE,        /* topic, body: ids in field 2 */
    HF_GOSSIP_ITEM_IWANT,        /* body: ids in field 1 */
    HF_GOSSIP_ITEM_GRAFT,        /* topic */
    HF_GOSSIP_ITEM_PRUNE,        /* topic, backoff_s, body: peers */
    HF_GOSSIP_ITEM_IDONTWANT,    /* body: ids in field 1 */
} hf_gossip_item_kind;

typedef struct hf_gossip_item {
    hf_gossip_item_kind kind;
    hf_bytes topic, body;        /* views into the RPC */
    bool subscribe;
    uint64_t backoff_s;          /* 0: not said */
    hf_gossip_message message;
} hf_gossip_item;

typedef struct hf_gossip_reader { hf_pb_reader rpc, control; bool in_control; hf_err err; } hf_gossip_reader;
hf_gossip_reader hf_gossip_read(hf_bytes rpc);
/* END at the end or on failure (then reader->err is HF_MALFORMED). Control items come where the control message stands. */
hf_gossip_item_kind hf_gossip_read_next(hf_gossip_reader *reader, hf_gossip_item *ret);
/* Reads to the end, ids and peers too: HF_OK when every part is sound, so that what follows need not look again. */
HF_MUST_USE hf_err hf_gossip_check(hf_bytes rpc);
/* What a body lists, one after another; start with hf_pb_read(item->body). False: no more. */
bool hf_gossip_next_id(hf_pb_reader *body, hf_gossip_item_kind kind, hf_bytes *ret_id);
bool hf_gossip_next_peer(hf_pb_reader *body, hf_bytes *ret_peer_id, hf_bytes *ret_record);

typedef struct hf_gossip_verified {
    hf_peer_id from;
    uint8_t key[HF_PEER_ID_BYTES_MAX]; /* the author's PublicKey message */
    uint8_t key_len;
} hf_gossip_verified;
/* StrictSign without the signature itself: seqno of 8 bytes, an author, his key (sent, or inlined in the peer ID) and not another's.
 * HF_MALFORMED or HF_DENIED with a reason. */
HF_MUST_USE hf_err hf_gossip_author(const hf_gossip_message *message, hf_gossip_verified *ret, const char **ret_reason);
/* What is signed: the prefix and fields 1 to 4. */
void hf_gossip_add_signed(hf_buf *buf, const hf_gossip_message *message);
/* Fields 1 to 6, without the prefix. */
void hf_gossip_add_message(hf_buf *buf, const hf_gossip_message *message);
/* PublicKey message || seqno as js has it, or from || seqno as the specification has it; at most HF_GOSSIP_ID_MAX bytes. */
size_t hf_gossip_id_of(const hf_gossip_verified *author, hf_bytes seqno, bool by_specification, uint8_t ret[HF_GOSSIP_ID_MAX]);

/* Parts of an RPC, appended. The control ones make up a control message's inside: hf_gossip_add_control wraps them. */
void hf_gossip_add_subscription(hf_buf *rpc, hf_bytes topic, bool subscribe);
void hf_gossip_add_publish(hf_buf *rpc, const hf_gossip_message *message);
void hf_gossip_add_control(hf_buf *rpc, hf_bytes control);
void hf_gossip_add_ids(hf_buf *control, hf_gossip_item_kind kind, hf_bytes topic, const hf_bytes *ids, size_t n_ids);
void hf_gossip_add_graft(hf_buf *control, hf_bytes topic);
typedef struct hf_gossip_px { hf_bytes peer_id, record; } hf_gossip_px; /* record may be empty */
/* backoff_s 0 is left out. */
void hf_gossip_add_prune(hf_buf *control, hf_bytes topic, const hf_gossip_px *peers, size_t n_peers, uint64_t backoff_s);
#endif

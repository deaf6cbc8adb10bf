/* signal_message: the bytes of signal.h's messages (the table is there). Pure. */
#ifndef HF_SIGNAL_MESSAGE_H
#define HF_SIGNAL_MESSAGE_H
#include "signal.h"

typedef enum hf_signal_message_kind { HF_SIGNAL_HELLO = 0, HF_SIGNAL_LIST = 1, HF_SIGNAL_CARRY = 2, HF_SIGNAL_DELIVER = 3 } hf_signal_message_kind;
enum { HF_SIGNAL_MESSAGE_MAX = HF_SIGNAL_DATA_MAX + 4096 }; /* data, an ID and a little room; a list of 64 IDs is smaller */

typedef struct hf_signal_message {
    uint64_t kind;
    size_t n_peers;                           /* LIST */
    hf_peer_id peers[HF_SIGNAL_PEERS_MAX];
    hf_peer_id peer;                          /* CARRY: to whom; DELIVER: from whom */
    bool wants;                               /* HELLO */
    hf_bytes data;                            /* a view into what was read */
} hf_signal_message;

/* One message without its length. HF_MALFORMED: not protobuf, an unknown kind, a bad or missing ID. HF_LIMIT: too many peers, too much data. */
HF_MUST_USE hf_err hf_signal_message_read(hf_bytes bytes, hf_signal_message *ret);
/* Appends varint length and message. */
void hf_signal_message_add(hf_buf *buf, const hf_signal_message *message);
#endif

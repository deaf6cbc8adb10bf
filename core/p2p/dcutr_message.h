/* dcutr_message: CONNECT and SYNC. Spec: libp2p/specs relay/DCUtR.md. Behind its length on the stream (frame.h). */
#ifndef HF_DCUTR_MESSAGE_H
#define HF_DCUTR_MESSAGE_H
#include "../base/base.h"

enum { HF_DCUTR_MESSAGE_MAX = 4096, HF_DCUTR_ADDRS_MAX = 32 };
typedef enum hf_dcutr_type { HF_DCUTR_CONNECT = 100, HF_DCUTR_SYNC = 300 } hf_dcutr_type;
typedef struct hf_dcutr_message {
    hf_dcutr_type type;
    hf_bytes addrs[HF_DCUTR_ADDRS_MAX]; /* those beyond are passed over */
    size_t n_addrs;
} hf_dcutr_message;

void hf_dcutr_message_add(hf_buf *buf, const hf_dcutr_message *message);
/* Views into the input. HF_MALFORMED: not a message, or no type that we know. */
HF_MUST_USE hf_err hf_dcutr_message_read(hf_bytes bytes, hf_dcutr_message *ret);
#endif

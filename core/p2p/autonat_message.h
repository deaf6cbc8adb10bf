/* autonat_message: the messages of AutoNAT v1. Spec: libp2p/specs autonat/autonat-v1.md. Behind their length on the stream (frame.h). */
#ifndef HF_AUTONAT_MESSAGE_H
#define HF_AUTONAT_MESSAGE_H
#include "peer_id.h"

enum { HF_AUTONAT_MESSAGE_MAX = 8192, HF_AUTONAT_ADDRS_MAX = 16 };
typedef enum hf_autonat_status {
    HF_AUTONAT_OK = 0,
    HF_AUTONAT_DIAL_ERROR = 100,
    HF_AUTONAT_DIAL_REFUSED = 101,
    HF_AUTONAT_BAD_REQUEST = 200,
    HF_AUTONAT_INTERNAL_ERROR = 300,
} hf_autonat_status;

typedef struct hf_autonat_message {
    bool response;
    hf_peer_id peer;                      /* DIAL: who asks; len 0: not said */
    hf_bytes addrs[HF_AUTONAT_ADDRS_MAX]; /* DIAL: those beyond are passed over */
    size_t n_addrs;
    uint32_t status;                      /* DIAL_RESPONSE */
    hf_bytes text, addr;
} hf_autonat_message;

void hf_autonat_message_add(hf_buf *buf, const hf_autonat_message *message);
/* Views into the input. HF_MALFORMED. */
HF_MUST_USE hf_err hf_autonat_message_read(hf_bytes bytes, hf_autonat_message *ret);
#endif

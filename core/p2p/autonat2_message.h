/* autonat2_message: the messages of AutoNAT v2. Spec: libp2p/specs autonat/autonat-v2.md "RPC Messages". Behind their length on the stream (frame.h). */
#ifndef HF_AUTONAT2_MESSAGE_H
#define HF_AUTONAT2_MESSAGE_H
#include "../base/base.h"

enum { HF_AUTONAT2_MESSAGE_MAX = 8192, HF_AUTONAT2_ADDRS_MAX = 16, HF_AUTONAT2_DATA_MAX = 4096 /* a DATA_RESPONSE */ };

typedef enum hf_autonat2_type {
    HF_AUTONAT2_DIAL_REQUEST = 1,  /* addrs, nonce */
    HF_AUTONAT2_DIAL_RESPONSE = 2, /* status, index, dial_status */
    HF_AUTONAT2_DATA_REQUEST = 3,  /* index, n_bytes */
    HF_AUTONAT2_DATA_RESPONSE = 4, /* data */
} hf_autonat2_type;

enum { HF_AUTONAT2_INTERNAL_ERROR = 0, HF_AUTONAT2_REJECTED = 100, HF_AUTONAT2_REFUSED = 101, HF_AUTONAT2_OK = 200 };         /* status */
enum { HF_AUTONAT2_UNUSED = 0, HF_AUTONAT2_DIAL_ERROR = 100, HF_AUTONAT2_BACK_ERROR = 101, HF_AUTONAT2_REACHED = 200 };       /* dial_status */

typedef struct hf_autonat2_message {
    hf_autonat2_type type;
    hf_bytes addrs[HF_AUTONAT2_ADDRS_MAX]; /* those beyond are passed over */
    size_t n_addrs;
    uint64_t nonce, n_bytes;
    uint32_t status, index, dial_status;   /* what is larger than 32 bits reads as UINT32_MAX */
    hf_bytes data;
} hf_autonat2_message;

/* On dial-request streams. A failure sticks in the buffer. */
void hf_autonat2_message_add(hf_buf *buf, const hf_autonat2_message *message);
/* Views into the input. HF_MALFORMED: also no message, or two. */
HF_MUST_USE hf_err hf_autonat2_message_read(hf_bytes bytes, hf_autonat2_message *ret);

/* On dial-back streams: the nonce one way, whether it was taken (status 0) the other. */
void hf_autonat2_back_add(hf_buf *buf, uint64_t nonce);
HF_MUST_USE hf_err hf_autonat2_back_read(hf_bytes bytes, uint64_t *ret_nonce);
void hf_autonat2_taken_add(hf_buf *buf);
HF_MUST_USE hf_err hf_autonat2_taken_read(hf_bytes bytes, bool *ret_taken);
#endif

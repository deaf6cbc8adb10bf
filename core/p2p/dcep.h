/* dcep: how a WebRTC data channel begins: the OPEN message on its stream, and the ACK that answers it.
 *
 * Spec: RFC 8832 section 5.
 */
#ifndef HF_DCEP_H
#define HF_DCEP_H
#include "../base/base.h"

/* Payload protocol identifiers of SCTP (RFC 8831 section 8). 52 and 54 are the deprecated ones for parts of a message. */
enum {
    HF_PPID_DCEP = 50, HF_PPID_STRING = 51, HF_PPID_BINARY_PART = 52, HF_PPID_BINARY = 53, HF_PPID_STRING_PART = 54, HF_PPID_STRING_EMPTY = 56,
    HF_PPID_BINARY_EMPTY = 57
};
enum { HF_DCEP_BYTES_MAX = 1024 };

typedef struct hf_dcep {
    bool open;                   /* else it is an ACK */
    bool reliable, ordered;      /* of OPEN: neither resent for a while only, nor mixed up */
    hf_bytes label, protocol;    /* of OPEN, views into the message */
} hf_dcep;

/* HF_MALFORMED; HF_LIMIT: more than HF_DCEP_BYTES_MAX bytes. */
HF_MUST_USE hf_err hf_dcep_read(hf_bytes message, hf_dcep *ret);
/* OPEN of a reliable, ordered channel without label or protocol. */
void hf_dcep_add_open(hf_buf *buf);
void hf_dcep_add_ack(hf_buf *buf);
#endif

/* webrtc_signal_message: what two peers tell each other to set up a WebRTC connection. Spec: libp2p/specs webrtc/webrtc.md, "Signaling
 * Protocol": protobuf { type 1: SDP_OFFER 0, SDP_ANSWER 1, ICE_CANDIDATE 2; data 2: text }, each behind its length (frame.h). Refuses: other types, text
 * that is not UTF-8, more than HF_WEBRTC_SIGNAL_MESSAGE_MAX bytes. */
#ifndef HF_WEBRTC_SIGNAL_MESSAGE_H
#define HF_WEBRTC_SIGNAL_MESSAGE_H
#include "../base/base.h"

enum { HF_WEBRTC_SIGNAL_MESSAGE_MAX = 16 * 1024 }; /* an offer has 500 bytes to 2 KiB */

typedef enum hf_webrtc_signal_type { HF_WEBRTC_OFFER = 0, HF_WEBRTC_ANSWER = 1, HF_WEBRTC_CANDIDATE = 2 } hf_webrtc_signal_type;

typedef struct hf_webrtc_signal_message {
    hf_webrtc_signal_type type;
    hf_bytes data; /* SDP; or the JSON of an RTCIceCandidate, "null" at the end of them. A view into the input */
} hf_webrtc_signal_message;

/* Adds the protobuf without its length; a failure sticks in the buffer. */
void hf_webrtc_signal_message_add(hf_buf *buf, const hf_webrtc_signal_message *message);
/* A type that is left out is an offer, as proto3 has it. HF_MALFORMED. */
HF_MUST_USE hf_err hf_webrtc_signal_message_read(hf_bytes bytes, hf_webrtc_signal_message *ret);
#endif

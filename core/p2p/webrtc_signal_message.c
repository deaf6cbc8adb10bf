/* webrtc_signal_message: see webrtc_signal_message.h. */
#include "webrtc_signal_message.h"

#include "../codec/protobuf.h"

enum { TYPE = 1, DATA = 2, WIRE_VARINT = 0, WIRE_BYTES = 2 };

void hf_webrtc_signal_message_add(hf_buf *buf, const hf_webrtc_signal_message *message) {
    hf_pb_add_u64(buf, TYPE, (uint64_t)message->type); /* an offer's 0 too: js writes it */
    hf_pb_add_bytes(buf, DATA, message->data);
}

hf_err hf_webrtc_signal_message_read(hf_bytes bytes, hf_webrtc_signal_message *ret) {
    uint64_t type = HF_WEBRTC_OFFER;
    hf_bytes data = {NULL, 0};
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == TYPE && f.wire == WIRE_VARINT) type = f.u;
        if (f.number == DATA && f.wire == WIRE_BYTES) data = f.bytes;
    }
    if (r.err) return r.err;
    if (bytes.len > HF_WEBRTC_SIGNAL_MESSAGE_MAX || type > HF_WEBRTC_CANDIDATE || !hf_utf8_valid(data)) return HF_MALFORMED;
    *ret = (hf_webrtc_signal_message){(hf_webrtc_signal_type)type, data};
    return HF_OK;
}

/* channels_message: the framing on a data channel. See channels.h. */
#include "channels.h"

#include "../codec/protobuf.h"
#include "frame.h"

enum { FLAG = 1, MESSAGE = 2, WIRE_VARINT = 0, WIRE_BYTES = 2 };

hf_err hf_channel_message_read(hf_bytes *bytes, hf_channel_message *ret) {
    hf_channel_message m = {.flag = HF_CHANNEL_NO_FLAG};
    hf_bytes framed;
    size_t len;
    if (hf_frame_read(*bytes, HF_CHANNELS_MESSAGE_BYTES_MAX, &framed, &len)) return HF_MALFORMED;
    hf_pb_reader r = hf_pb_read(framed);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == FLAG && f.wire == WIRE_VARINT) m.flag = f.u <= HF_CHANNEL_FIN_ACK ? (hf_channel_flag)f.u : HF_CHANNEL_NO_FLAG;
        if (f.number == MESSAGE && f.wire == WIRE_BYTES) m.payload = f.bytes;
    }
    if (r.err) return r.err;
    *bytes = hf_sub(*bytes, len, bytes->len);
    *ret = m;
    return HF_OK;
}

void hf_channel_message_add(hf_buf *buf, const hf_channel_message *message) {
    size_t from = buf->len;
    if (message->flag != HF_CHANNEL_NO_FLAG) hf_pb_add_u64(buf, FLAG, (uint64_t)message->flag);
    if (message->payload.len) hf_pb_add_bytes(buf, MESSAGE, message->payload);
    hf_frame_close(buf, from);
}

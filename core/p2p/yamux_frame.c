/* yamux_frame: see yamux_frame.h. */
#include "yamux_frame.h"

static uint32_t read_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void write_u32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

hf_err hf_yamux_frame_read(const uint8_t bytes[HF_YAMUX_HEADER_LEN], hf_yamux_frame *ret, hf_fault *fault) {
    hf_yamux_frame f = {bytes[1], (uint16_t)(bytes[2] << 8 | bytes[3]), read_u32(bytes + 4), read_u32(bytes + 8)};
    bool of_session = f.type == HF_YAMUX_TYPE_PING || f.type == HF_YAMUX_TYPE_AWAY;
    if (bytes[0] != 0) return hf_fail(fault, HF_MALFORMED, "yamux: version is not 0", 0);
    if (f.type > HF_YAMUX_TYPE_AWAY) return hf_fail(fault, HF_MALFORMED, "yamux: unknown frame type", 1);
    if (f.flags > 15) return hf_fail(fault, HF_MALFORMED, "yamux: unknown flags", 2);
    if (f.type == HF_YAMUX_TYPE_PING && f.flags != HF_YAMUX_SYN && f.flags != HF_YAMUX_ACK)
        return hf_fail(fault, HF_MALFORMED, "yamux: ping is neither question nor answer", 2);
    if (of_session != (f.stream == 0))
        return hf_fail(fault, HF_MALFORMED, "yamux: frame type does not fit the stream id", 4);
    *ret = f;
    return HF_OK;
}

void hf_yamux_frame_write(hf_yamux_frame frame, uint8_t ret[HF_YAMUX_HEADER_LEN]) {
    ret[0] = 0;
    ret[1] = frame.type;
    ret[2] = (uint8_t)(frame.flags >> 8);
    ret[3] = (uint8_t)frame.flags;
    write_u32(ret + 4, frame.stream);
    write_u32(ret + 8, frame.length);
}

/* dcep: see dcep.h. */
#include "dcep.h"

enum { ACK = 2, OPEN = 3, OPEN_HEADER = 12, UNORDERED = 0x80, KIND_MAX = 2 };

hf_err hf_dcep_read(hf_bytes message, hf_dcep *ret) {
    *ret = (hf_dcep){.open = false};
    if (message.len > HF_DCEP_BYTES_MAX) return HF_LIMIT;
    if (message.len == 1 && message.ptr[0] == ACK) return HF_OK;
    if (message.len < OPEN_HEADER || message.ptr[0] != OPEN) return HF_MALFORMED;
    const uint8_t *p = message.ptr;
    size_t label = (size_t)p[8] << 8 | p[9], protocol = (size_t)p[10] << 8 | p[11];
    if ((p[1] & ~UNORDERED) > KIND_MAX || message.len != OPEN_HEADER + label + protocol) return HF_MALFORMED;
    ret->open = true;
    ret->reliable = (p[1] & ~UNORDERED) == 0;
    ret->ordered = !(p[1] & UNORDERED);
    ret->label = hf_sub(message, OPEN_HEADER, label);
    ret->protocol = hf_sub(message, OPEN_HEADER + label, protocol);
    return HF_OK;
}

void hf_dcep_add_open(hf_buf *buf) {
    static const uint8_t bytes[OPEN_HEADER] = {OPEN};
    hf_buf_add(buf, HF_BYTES(bytes, sizeof bytes));
}

void hf_dcep_add_ack(hf_buf *buf) { hf_buf_add_byte(buf, ACK); }

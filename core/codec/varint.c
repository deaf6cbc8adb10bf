/* varint: see varint.h. Seven bits per byte, least significant first, the top bit says that more follow. */
#include "varint.h"

hf_err hf_varint_read(hf_bytes bytes, uint64_t *ret_value, size_t *ret_len) {
    uint64_t value = 0;
    for (size_t i = 0; i < HF_VARINT_MAX; i++) {
        if (i == bytes.len) return HF_TRUNCATED;
        uint8_t byte = bytes.ptr[i];
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte & 0x80) continue;
        if (byte == 0 && i > 0) return HF_MALFORMED; /* a shorter form would do */
        *ret_value = value;
        *ret_len = i + 1;
        return HF_OK;
    }
    return HF_MALFORMED;
}

size_t hf_varint_write(uint64_t value, uint8_t ret[HF_VARINT_MAX]) {
    HF_ASSERT(value >> 63 == 0);
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) ret[n++] = (uint8_t)(value | 0x80);
    ret[n++] = (uint8_t)value;
    return n;
}

void hf_varint_add(hf_buf *buf, uint64_t value) {
    uint8_t bytes[HF_VARINT_MAX];
    hf_buf_add(buf, HF_BYTES(bytes, hf_varint_write(value, bytes)));
}

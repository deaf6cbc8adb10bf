/* frame: see frame.h. */
#include "frame.h"

#include "../codec/varint.h"

#include <string.h>

hf_err hf_frame_read(hf_bytes bytes, size_t max, hf_bytes *ret_message, size_t *ret_len) {
    uint64_t len;
    size_t head;
    hf_err err = hf_varint_read(bytes, &len, &head);
    if (err) return err;
    if (len > max) return HF_LIMIT;
    if (len > bytes.len - head) return HF_TRUNCATED;
    *ret_message = hf_sub(bytes, head, (size_t)len);
    *ret_len = head + (size_t)len;
    return HF_OK;
}

void hf_frame_close(hf_buf *buf, size_t from) {
    uint8_t head[HF_VARINT_MAX];
    if (buf->err) return;
    size_t len = buf->len - from, n = hf_varint_write(len, head);
    if (!hf_buf_extend(buf, n)) return;
    memmove(buf->ptr + from + n, buf->ptr + from, len);
    memcpy(buf->ptr + from, head, n);
}

/* varint: unsigned LEB128 as multiformats/unsigned-varint has it: at most 9 bytes (63 bits), shortest form only.
 * protobuf's own varints (10 bytes, any form) are in protobuf.h. */
#ifndef HF_VARINT_H
#define HF_VARINT_H
#include "../base/base.h"

enum { HF_VARINT_MAX = 9 };
/* Reads one from the front. *ret_len: bytes taken. HF_TRUNCATED: more bytes needed. HF_MALFORMED: overlong or > 63
 * bits. */
HF_MUST_USE hf_err hf_varint_read(hf_bytes bytes, uint64_t *ret_value, size_t *ret_len);
/* Writes value (< 2^63) and returns the number of bytes, 1..9. */
size_t hf_varint_write(uint64_t value, uint8_t ret[HF_VARINT_MAX]);
void hf_varint_add(hf_buf *buf, uint64_t value);
#endif

/* protobuf: proto2/proto3 wire format, one reader and one writer. Messages are plain structs filled by a loop over
 * fields. Spec: protobuf.dev/programming-guides/encoding. Groups are refused; unknown fields are skipped by the
 * caller's default case. */
#ifndef HF_PROTOBUF_H
#define HF_PROTOBUF_H
#include "../base/base.h"

typedef struct hf_pb_field {
    uint32_t number;
    uint8_t wire;      /* 0 varint, 1 64-bit, 2 bytes, 5 32-bit */
    uint64_t u;        /* wire 0, 1, 5 */
    hf_bytes bytes;    /* wire 2: view into the input */
} hf_pb_field;

typedef struct hf_pb_reader { hf_bytes in; size_t at; hf_err err; } hf_pb_reader; /* first failure sticks */
hf_pb_reader hf_pb_read(hf_bytes message);
/* False at the end or on failure (then reader->err is HF_MALFORMED: a group, an unknown wire type, a field number of
 * 0 or above 2^29-1, a varint over 10 bytes or 64 bits, or the message ends within a field). */
bool hf_pb_next(hf_pb_reader *reader, hf_pb_field *ret_field);

void hf_pb_add_u64(hf_buf *buf, uint32_t number,
                   uint64_t value); /* written even when 0; skipping defaults is the caller's choice */
void hf_pb_add_bytes(hf_buf *buf, uint32_t number, hf_bytes bytes);
/* A bare varint of up to 64 bits, as in packed fields. */
void hf_pb_add_varint(hf_buf *buf, uint64_t value);
#endif

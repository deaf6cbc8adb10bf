/* protobuf: see protobuf.h. A message is a row of (tag varint: number << 3 | wire type, value). */
#include "protobuf.h"

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, VARINT_MAX = 10, NUMBER_MAX = (1 << 29) - 1 };

hf_pb_reader hf_pb_read(hf_bytes message) { return (hf_pb_reader){.in = message}; }

static bool fail(hf_pb_reader *r) {
    r->err = HF_MALFORMED;
    return false;
}

/* Any length of form is taken, as the spec has it; bits beyond the 64th are not. */
static bool read_varint(hf_pb_reader *r, uint64_t *ret) {
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_MAX && r->at < r->in.len; i++) {
        uint8_t byte = r->in.ptr[r->at++];
        if (i == VARINT_MAX - 1 && byte > 1) return fail(r);
        value |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (byte & 0x80) continue;
        *ret = value;
        return true;
    }
    return fail(r);
}

static bool read_fixed(hf_pb_reader *r, size_t len, uint64_t *ret) {
    if (r->in.len - r->at < len) return fail(r);
    *ret = 0;
    for (size_t i = len; i-- > 0;) *ret = *ret << 8 | r->in.ptr[r->at + i];
    r->at += len;
    return true;
}

static bool read_bytes(hf_pb_reader *r, hf_bytes *ret) {
    uint64_t len;
    if (!read_varint(r, &len)) return false;
    if (len > r->in.len - r->at) return fail(r);
    *ret = hf_sub(r->in, r->at, (size_t)len);
    r->at += (size_t)len;
    return true;
}

static bool read_value(hf_pb_reader *r, hf_pb_field *field) {
    switch (field->wire) {
    case WIRE_VARINT: return read_varint(r, &field->u);
    case WIRE_64: return read_fixed(r, 8, &field->u);
    case WIRE_32: return read_fixed(r, 4, &field->u);
    case WIRE_BYTES: return read_bytes(r, &field->bytes);
    default: return fail(r);
    }
}

bool hf_pb_next(hf_pb_reader *reader, hf_pb_field *ret_field) {
    uint64_t tag;
    if (reader->err || reader->at == reader->in.len || !read_varint(reader, &tag)) return false;
    if (tag >> 3 == 0 || tag >> 3 > NUMBER_MAX) return fail(reader);
    hf_pb_field field = {.number = (uint32_t)(tag >> 3), .wire = tag & 7};
    if (!read_value(reader, &field)) return false;
    *ret_field = field;
    return true;
}

void hf_pb_add_varint(hf_buf *buf, uint64_t value) {
    uint8_t bytes[VARINT_MAX];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    hf_buf_add(buf, HF_BYTES(bytes, n));
}

static void add_tag(hf_buf *buf, uint32_t number, unsigned wire) {
    HF_ASSERT(number > 0 && number <= NUMBER_MAX);
    hf_pb_add_varint(buf, (uint64_t)number << 3 | wire);
}

void hf_pb_add_u64(hf_buf *buf, uint32_t number, uint64_t value) {
    add_tag(buf, number, WIRE_VARINT);
    hf_pb_add_varint(buf, value);
}

void hf_pb_add_bytes(hf_buf *buf, uint32_t number, hf_bytes bytes) {
    add_tag(buf, number, WIRE_BYTES);
    hf_pb_add_varint(buf, bytes.len);
    hf_buf_add(buf, bytes);
}

/* autonat2_message: see autonat2_message.h. */
#include "autonat2_message.h"

#include "../codec/protobuf.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2 };
enum { REQUEST_ADDR = 1, REQUEST_NONCE = 2 };
enum { RESPONSE_STATUS = 1, RESPONSE_INDEX = 2, RESPONSE_DIAL_STATUS = 3 };
enum { DATA_INDEX = 1, DATA_N_BYTES = 2 };
enum { DATA = 1, BACK_NONCE = 1, TAKEN_STATUS = 1 };

/* ---- writing ---- */

static void add_fixed64(hf_buf *buf, uint32_t number, uint64_t value) {
    hf_buf_add_byte(buf, (uint8_t)(number << 3 | WIRE_FIXED64));
    for (unsigned i = 0; i < 64; i += 8) hf_buf_add_byte(buf, (uint8_t)(value >> i));
}

/* Zeros are what proto3 writers leave out. */
static void add_u64(hf_buf *buf, uint32_t number, uint64_t value) {
    if (value) hf_pb_add_u64(buf, number, value);
}

static void add_body(hf_buf *buf, const hf_autonat2_message *m) {
    switch (m->type) {
    case HF_AUTONAT2_DIAL_REQUEST:
        for (size_t i = 0; i < m->n_addrs; i++) hf_pb_add_bytes(buf, REQUEST_ADDR, m->addrs[i]);
        add_fixed64(buf, REQUEST_NONCE, m->nonce);
        break;
    case HF_AUTONAT2_DIAL_RESPONSE:
        add_u64(buf, RESPONSE_STATUS, m->status);
        add_u64(buf, RESPONSE_INDEX, m->index);
        add_u64(buf, RESPONSE_DIAL_STATUS, m->dial_status);
        break;
    case HF_AUTONAT2_DATA_REQUEST:
        add_u64(buf, DATA_INDEX, m->index);
        add_u64(buf, DATA_N_BYTES, m->n_bytes);
        break;
    case HF_AUTONAT2_DATA_RESPONSE: hf_pb_add_bytes(buf, DATA, m->data); break;
    }
}

void hf_autonat2_message_add(hf_buf *buf, const hf_autonat2_message *m) {
    hf_buf body;
    hf_buf_init(&body, buf->mem);
    add_body(&body, m);
    if (body.err && !buf->err) buf->err = body.err;
    if (!body.err) hf_pb_add_bytes(buf, m->type, hf_buf_bytes(&body));
    hf_buf_deinit(&body);
}

void hf_autonat2_back_add(hf_buf *buf, uint64_t nonce) { add_fixed64(buf, BACK_NONCE, nonce); }

void hf_autonat2_taken_add(hf_buf *buf) { hf_pb_add_u64(buf, TAKEN_STATUS, 0); }

/* ---- reading ---- */

static uint32_t to_u32(uint64_t value) { return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value; }

static void take_request(const hf_pb_field *f, hf_autonat2_message *m) {
    if (f->number == REQUEST_ADDR && f->wire == WIRE_BYTES && m->n_addrs < HF_AUTONAT2_ADDRS_MAX) m->addrs[m->n_addrs++] = f->bytes;
    if (f->number == REQUEST_NONCE && f->wire == WIRE_FIXED64) m->nonce = f->u;
}

static void take_response(const hf_pb_field *f, hf_autonat2_message *m) {
    if (f->wire != WIRE_VARINT) return;
    if (f->number == RESPONSE_STATUS) m->status = to_u32(f->u);
    if (f->number == RESPONSE_INDEX) m->index = to_u32(f->u);
    if (f->number == RESPONSE_DIAL_STATUS) m->dial_status = to_u32(f->u);
}

static void take_data_request(const hf_pb_field *f, hf_autonat2_message *m) {
    if (f->wire != WIRE_VARINT) return;
    if (f->number == DATA_INDEX) m->index = to_u32(f->u);
    if (f->number == DATA_N_BYTES) m->n_bytes = f->u;
}

static void take_data(const hf_pb_field *f, hf_autonat2_message *m) {
    if (f->number == DATA && f->wire == WIRE_BYTES) m->data = f->bytes;
}

static hf_err read_body(hf_bytes bytes, hf_autonat2_message *m) {
    static void (*const take[])(const hf_pb_field *f, hf_autonat2_message *m) = {NULL, take_request, take_response, take_data_request, take_data};
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) take[m->type](&f, m);
    return r.err;
}

hf_err hf_autonat2_message_read(hf_bytes bytes, hf_autonat2_message *ret) {
    hf_autonat2_message m = {.n_addrs = 0};
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.wire != WIRE_BYTES || f.number < HF_AUTONAT2_DIAL_REQUEST || f.number > HF_AUTONAT2_DATA_RESPONSE) continue;
        if (m.type) return HF_MALFORMED;
        m.type = (hf_autonat2_type)f.number;
        err = read_body(f.bytes, &m);
    }
    if (err || r.err) return err ? err : r.err;
    if (!m.type) return HF_MALFORMED;
    *ret = m;
    return HF_OK;
}

hf_err hf_autonat2_back_read(hf_bytes bytes, uint64_t *ret_nonce) {
    hf_pb_reader r = hf_pb_read(bytes);
    *ret_nonce = 0;
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (f.number == BACK_NONCE && f.wire == WIRE_FIXED64) *ret_nonce = f.u;
    return r.err;
}

hf_err hf_autonat2_taken_read(hf_bytes bytes, bool *ret_taken) {
    hf_pb_reader r = hf_pb_read(bytes);
    *ret_taken = true;
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (f.number == TAKEN_STATUS && f.wire == WIRE_VARINT) *ret_taken = f.u == 0;
    return r.err;
}

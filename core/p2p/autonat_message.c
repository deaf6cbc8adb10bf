/* autonat_message: see autonat_message.h. */
#include "autonat_message.h"

#include "../codec/protobuf.h"

enum { TYPE = 1, DIAL = 2, RESPONSE = 3 };
enum { DIAL_PEER = 1 };
enum { PEER_ID = 1, PEER_ADDR = 2 };
enum { RESPONSE_STATUS = 1, RESPONSE_TEXT = 2, RESPONSE_ADDR = 3 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static void add_nested(hf_buf *buf, uint32_t number, hf_buf *nested) {
    if (nested->err && !buf->err) buf->err = nested->err;
    if (!nested->err) hf_pb_add_bytes(buf, number, hf_buf_bytes(nested));
    hf_buf_deinit(nested);
}

static void add_dial(hf_buf *buf, const hf_autonat_message *m) {
    hf_buf peer, dial;
    hf_buf_init(&peer, buf->mem);
    hf_buf_init(&dial, buf->mem);
    if (m->peer.len) hf_pb_add_bytes(&peer, PEER_ID, hf_peer_id_bytes(&m->peer));
    for (size_t i = 0; i < m->n_addrs; i++) hf_pb_add_bytes(&peer, PEER_ADDR, m->addrs[i]);
    add_nested(&dial, DIAL_PEER, &peer);
    add_nested(buf, DIAL, &dial);
}

static void add_response(hf_buf *buf, const hf_autonat_message *m) {
    hf_buf response;
    hf_buf_init(&response, buf->mem);
    hf_pb_add_u64(&response, RESPONSE_STATUS, m->status);
    if (m->text.len) hf_pb_add_bytes(&response, RESPONSE_TEXT, m->text);
    if (m->addr.len) hf_pb_add_bytes(&response, RESPONSE_ADDR, m->addr);
    add_nested(buf, RESPONSE, &response);
}

void hf_autonat_message_add(hf_buf *buf, const hf_autonat_message *m) {
    hf_pb_add_u64(buf, TYPE, m->response);
    if (m->response) add_response(buf, m);
    else add_dial(buf, m);
}

static hf_err read_peer(hf_bytes bytes, hf_autonat_message *m) {
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == PEER_ID) err = hf_peer_id_read(f.bytes, &m->peer);
        if (f.number == PEER_ADDR && m->n_addrs < HF_AUTONAT_ADDRS_MAX) m->addrs[m->n_addrs++] = f.bytes;
    }
    return err ? err : r.err;
}

static hf_err read_dial(hf_bytes bytes, hf_autonat_message *m) {
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);)
        if (f.number == DIAL_PEER && f.wire == WIRE_BYTES) err = read_peer(f.bytes, m);
    return err ? err : r.err;
}

static hf_err read_response(hf_bytes bytes, hf_autonat_message *m) {
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == RESPONSE_STATUS && f.wire == WIRE_VARINT) m->status = f.u > UINT32_MAX ? UINT32_MAX : (uint32_t)f.u;
        if (f.number == RESPONSE_TEXT && f.wire == WIRE_BYTES) m->text = f.bytes;
        if (f.number == RESPONSE_ADDR && f.wire == WIRE_BYTES) m->addr = f.bytes;
    }
    return r.err;
}

hf_err hf_autonat_message_read(hf_bytes bytes, hf_autonat_message *ret) {
    hf_autonat_message m = {.response = false};
    bool has_response = false;
    uint64_t type = 0; /* proto3 writers leave out a DIAL's */
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.number == TYPE && f.wire == WIRE_VARINT) type = f.u;
        if (f.number == DIAL && f.wire == WIRE_BYTES) err = read_dial(f.bytes, &m);
        if (f.number != RESPONSE || f.wire != WIRE_BYTES) continue;
        has_response = true;
        err = read_response(f.bytes, &m);
    }
    if (err || r.err) return err ? err : r.err;
    m.response = type == 1;
    if (type > 1 || (m.response && !has_response)) return HF_MALFORMED;
    *ret = m;
    return HF_OK;
}

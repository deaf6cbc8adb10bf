/* relay_message: see relay_message.h. */
#include "relay_message.h"

#include "../codec/protobuf.h"
#include "envelope.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };
enum { HOP_TYPE = 1, HOP_PEER, HOP_RESERVATION, HOP_LIMIT, HOP_STATUS };
enum { STOP_TYPE = 1, STOP_PEER, STOP_LIMIT, STOP_STATUS };
enum { PEER_ID = 1, PEER_ADDR };
enum { RESERVATION_EXPIRE = 1, RESERVATION_ADDR, RESERVATION_VOUCHER };
enum { LIMIT_DURATION = 1, LIMIT_DATA };
enum { VOUCHER_RELAY = 1, VOUCHER_PEER, VOUCHER_EXPIRATION };

/* ---- writing: nested messages are short; each is made aside and added ---- */

static void add_nested(hf_buf *buf, uint32_t number, hf_buf *nested) {
    if (nested->err && !buf->err) buf->err = nested->err;
    if (!nested->err) hf_pb_add_bytes(buf, number, hf_buf_bytes(nested));
    hf_buf_deinit(nested);
}

static void add_peer(hf_buf *buf, uint32_t number, const hf_relay_message *m) {
    hf_buf peer;
    hf_buf_init(&peer, buf->mem);
    hf_pb_add_bytes(&peer, PEER_ID, hf_peer_id_bytes(&m->peer));
    for (size_t i = 0; i < m->n_addrs && !m->has_reservation; i++) hf_pb_add_bytes(&peer, PEER_ADDR, m->addrs[i]);
    add_nested(buf, number, &peer);
}

static void add_reservation(hf_buf *buf, uint32_t number, const hf_relay_message *m) {
    hf_buf reservation;
    hf_buf_init(&reservation, buf->mem);
    hf_pb_add_u64(&reservation, RESERVATION_EXPIRE, m->expires_s);
    for (size_t i = 0; i < m->n_addrs; i++) hf_pb_add_bytes(&reservation, RESERVATION_ADDR, m->addrs[i]);
    if (m->voucher.len) hf_pb_add_bytes(&reservation, RESERVATION_VOUCHER, m->voucher);
    add_nested(buf, number, &reservation);
}

static void add_limit(hf_buf *buf, uint32_t number, hf_relay_limit limit) {
    hf_buf nested;
    if (!limit.duration_s && !limit.bytes) return; /* left out: no limit */
    hf_buf_init(&nested, buf->mem);
    if (limit.duration_s) hf_pb_add_u64(&nested, LIMIT_DURATION, limit.duration_s);
    if (limit.bytes) hf_pb_add_u64(&nested, LIMIT_DATA, limit.bytes);
    add_nested(buf, number, &nested);
}

void hf_relay_message_add(hf_buf *buf, const hf_relay_message *m, bool stop) {
    hf_pb_add_u64(buf, HOP_TYPE, stop ? (uint64_t)m->type - 1 : (uint64_t)m->type);
    if (m->peer.len) add_peer(buf, HOP_PEER, m);
    if (m->has_reservation && !stop) add_reservation(buf, HOP_RESERVATION, m);
    add_limit(buf, stop ? STOP_LIMIT : HOP_LIMIT, m->limit);
    if (m->type == HF_RELAY_STATUS) hf_pb_add_u64(buf, stop ? STOP_STATUS : HOP_STATUS, m->status);
}

/* ---- reading ---- */

static void take_addr(hf_relay_message *m, hf_bytes addr) {
    if (m->n_addrs < HF_RELAY_ADDRS_MAX) m->addrs[m->n_addrs++] = addr;
}

static hf_err read_peer(hf_bytes bytes, hf_relay_message *m) {
    hf_bytes id = {NULL, 0};
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == PEER_ID) id = f.bytes;
        if (f.number == PEER_ADDR) take_addr(m, f.bytes);
    }
    return r.err ? r.err : hf_peer_id_read(id, &m->peer);
}

static hf_err read_reservation(hf_bytes bytes, hf_relay_message *m) {
    m->has_reservation = true;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.number == RESERVATION_EXPIRE && f.wire == WIRE_VARINT) m->expires_s = f.u;
        if (f.number == RESERVATION_ADDR && f.wire == WIRE_BYTES) take_addr(m, f.bytes);
        if (f.number == RESERVATION_VOUCHER && f.wire == WIRE_BYTES) m->voucher = f.bytes;
    }
    return r.err;
}

static hf_err read_limit(hf_bytes bytes, hf_relay_message *m) {
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == LIMIT_DURATION) m->limit.duration_s = f.u;
        if (f.number == LIMIT_DATA) m->limit.bytes = f.u;
    }
    return r.err;
}

static hf_err read_bytes(uint32_t number, hf_bytes bytes, bool stop, hf_relay_message *m) {
    if (number == HOP_PEER) return read_peer(bytes, m);
    if (number == HOP_RESERVATION && !stop) return read_reservation(bytes, m);
    if (number == (stop ? STOP_LIMIT : HOP_LIMIT)) return read_limit(bytes, m);
    return HF_OK;
}

hf_err hf_relay_message_read(hf_bytes bytes, bool stop, hf_relay_message *ret) {
    hf_relay_message m = {.type = HF_RELAY_RESERVE};
    uint64_t type = UINT64_MAX;
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.wire == WIRE_BYTES) err = read_bytes(f.number, f.bytes, stop, &m);
        if (f.wire != WIRE_VARINT) continue;
        if (f.number == HOP_TYPE) type = stop && f.u < 2 ? f.u + 1 : stop ? UINT64_MAX : f.u;
        if (f.number == (stop ? STOP_STATUS : HOP_STATUS)) m.status = f.u > UINT32_MAX ? UINT32_MAX : (uint32_t)f.u;
    }
    if (err || r.err) return err ? err : r.err;
    if (type > HF_RELAY_STATUS) return HF_MALFORMED;
    m.type = (hf_relay_type)type;
    if (m.type == HF_RELAY_CONNECT && !m.peer.len) return HF_MALFORMED;
    if (m.type == HF_RELAY_STATUS && !m.status) return HF_MALFORMED;
    *ret = m;
    return HF_OK;
}

const char *hf_relay_status_text(uint32_t status) {
    switch (status) {
    case HF_RELAY_OK: return "relay: done";
    case HF_RELAY_REFUSED: return "relay: refuses a reservation";
    case HF_RELAY_NO_ROOM: return "relay: its limits are reached";
    case HF_RELAY_FORBIDDEN: return "relay: does not allow it";
    case HF_RELAY_UNREACHED: return "relay: cannot reach the peer";
    case HF_RELAY_NO_RESERVATION: return "relay: the peer has no reservation there";
    case HF_RELAY_MALFORMED: return "relay: did not understand us";
    case HF_RELAY_UNEXPECTED: return "relay: did not expect that";
    default: return "relay: an unknown status";
    }
}

/* ---- vouchers ---- */

void hf_relay_voucher_add(hf_buf *buf, const hf_relay_voucher *v) {
    hf_pb_add_bytes(buf, VOUCHER_RELAY, hf_peer_id_bytes(&v->relay));
    hf_pb_add_bytes(buf, VOUCHER_PEER, hf_peer_id_bytes(&v->peer));
    hf_pb_add_u64(buf, VOUCHER_EXPIRATION, v->expires_s);
}

static hf_err read_voucher(hf_bytes payload, hf_relay_voucher *ret) {
    hf_err err = HF_OK;
    hf_pb_reader r = hf_pb_read(payload);
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.number == VOUCHER_RELAY && f.wire == WIRE_BYTES) err = hf_peer_id_read(f.bytes, &ret->relay);
        if (f.number == VOUCHER_PEER && f.wire == WIRE_BYTES) err = hf_peer_id_read(f.bytes, &ret->peer);
        if (f.number == VOUCHER_EXPIRATION && f.wire == WIRE_VARINT) ret->expires_s = f.u;
    }
    if (err || r.err) return err ? err : r.err;
    return ret->relay.len && ret->peer.len ? HF_OK : HF_MALFORMED;
}

hf_err hf_relay_voucher_open(hf_mem *mem, hf_bytes envelope, hf_relay_voucher *ret) {
    hf_envelope opened;
    hf_relay_voucher v = {.expires_s = 0};
    hf_err err = hf_envelope_open(mem, envelope, HF_TEXT(HF_RELAY_VOUCHER_DOMAIN), &opened);
    if (!err && !hf_eq(opened.payload_type, HF_TEXT(HF_RELAY_VOUCHER_TYPE))) err = HF_MALFORMED;
    if (!err) err = read_voucher(opened.payload, &v);
    if (!err && !hf_peer_id_eq(&opened.signer, &v.relay)) err = HF_DENIED;
    if (!err) *ret = v;
    return err;
}

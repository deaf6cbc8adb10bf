/* kad_message: see kad_message.h. */
#include "kad_message.h"

#include <string.h>

enum { MESSAGE_TYPE = 1, MESSAGE_KEY, MESSAGE_RECORD, MESSAGE_CLOSER = 8, MESSAGE_PROVIDER };
enum { PEER_ID = 1, PEER_ADDRESS };
enum { RECORD_KEY = 1, RECORD_VALUE, RECORD_TIME = 5 };
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* ---- reading ---- */

static bool is_bytes(const hf_pb_field *f, uint32_t number) {
    return f->number == number && f->wire == WIRE_BYTES;
}

static hf_err check_peer(hf_bytes peer) {
    hf_pb_reader r = hf_pb_read(peer);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {}
    return r.err;
}

static hf_err read_field(const hf_pb_field *f, uint64_t *type, hf_kad_message *ret) {
    if (f->number == MESSAGE_TYPE && f->wire == WIRE_VARINT)
        *type = f->u;
    else if (is_bytes(f, MESSAGE_KEY))
        ret->key = f->bytes;
    else if (is_bytes(f, MESSAGE_CLOSER) || is_bytes(f, MESSAGE_PROVIDER))
        return check_peer(f->bytes);
    else if (is_bytes(f, MESSAGE_RECORD)) {
        ret->record = f->bytes;
        ret->has_record = true;
    }
    return HF_OK;
}

hf_err hf_kad_read(hf_bytes bytes, hf_kad_message *ret, hf_fault *fault) {
    hf_kad_message m = {.bytes = bytes};
    hf_pb_reader r = hf_pb_read(bytes);
    uint64_t type = HF_KAD_PUT_VALUE;
    if (bytes.len > HF_KAD_MESSAGE_MAX) return hf_fail(fault, HF_LIMIT, "kad: a message over 256 KiB", 0);
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (read_field(&f, &type, &m)) return hf_fail(fault, HF_MALFORMED, "kad: a peer that is no protobuf", r.at);
    if (r.err) return hf_fail(fault, HF_MALFORMED, "kad: not protobuf", r.at);
    if (type > HF_KAD_PING) return hf_fail(fault, HF_MALFORMED, "kad: a message of unknown type", 0);
    if (m.key.len > HF_KAD_KEY_MAX) return hf_fail(fault, HF_LIMIT, "kad: a key over 256 bytes", 0);
    m.type = (hf_kad_type)type;
    *ret = m;
    return HF_OK;
}

static hf_kad_peers peers_of(const hf_kad_message *m, uint32_t field) {
    return (hf_kad_peers){.in = hf_pb_read(m->bytes), .field = field};
}

hf_kad_peers hf_kad_closer(const hf_kad_message *message) {
    return peers_of(message, MESSAGE_CLOSER);
}
hf_kad_peers hf_kad_providers(const hf_kad_message *message) {
    return peers_of(message, MESSAGE_PROVIDER);
}

static bool read_id(hf_bytes peer, hf_peer_id *ret) {
    hf_bytes id = {NULL, 0};
    hf_pb_reader r = hf_pb_read(peer);
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (is_bytes(&f, PEER_ID)) id = f.bytes;
    return !hf_peer_id_read(id, ret);
}

bool hf_kad_peers_next(hf_kad_peers *peers, hf_kad_peer *ret) {
    for (hf_pb_field f; peers->n < HF_KAD_PEERS_A_MESSAGE && hf_pb_next(&peers->in, &f);) {
        if (!is_bytes(&f, peers->field)) continue;
        peers->n++;
        ret->bytes = f.bytes;
        if (read_id(f.bytes, &ret->id)) return true;
    }
    return false;
}

hf_pb_reader hf_kad_peer_addresses(const hf_kad_peer *peer) {
    return hf_pb_read(peer->bytes);
}

bool hf_kad_address_next(hf_pb_reader *addresses, hf_bytes *ret) {
    for (hf_pb_field f; hf_pb_next(addresses, &f);)
        if (is_bytes(&f, PEER_ADDRESS)) {
            *ret = f.bytes;
            return true;
        }
    return false;
}

hf_err hf_kad_record_read(hf_bytes bytes, hf_kad_record *ret, hf_fault *fault) {
    hf_kad_record record = {.key = {NULL, 0}};
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (is_bytes(&f, RECORD_KEY))
            record.key = f.bytes;
        else if (is_bytes(&f, RECORD_VALUE))
            record.value = f.bytes;
    }
    if (r.err) return hf_fail(fault, HF_MALFORMED, "kad: a record that is no protobuf", r.at);
    if (record.key.len > HF_KAD_KEY_MAX) return hf_fail(fault, HF_LIMIT, "kad: a key over 256 bytes", 0);
    if (record.value.len > HF_KAD_VALUE_MAX) return hf_fail(fault, HF_LIMIT, "kad: a value over 64 KiB", 0);
    *ret = record;
    return HF_OK;
}

/* ---- writing ---- */

static void add_padded(hf_buf *buf, uint64_t value, unsigned n_digits) {
    uint8_t *p = hf_buf_extend(buf, n_digits);
    for (unsigned i = n_digits; p && i-- > 0; value /= 10) p[i] = (uint8_t)('0' + value % 10);
}

/* The civil date of a day number counted from 1970-01-01, in the proleptic Gregorian calendar. Eras of 400 years are
 * counted from 0000-03-01, so that a leap day ends a year. */
static void add_date(hf_buf *buf, uint64_t days) {
    uint64_t z = days + 719468, era = z / 146097, day = z % 146097;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;
    uint64_t of_month = of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;
    add_padded(buf, year + era * 400 + (month <= 2), 4);
    hf_buf_add_byte(buf, '-');
    add_padded(buf, month, 2);
    hf_buf_add_byte(buf, '-');
    add_padded(buf, of_month, 2);
}

void hf_kad_time_add(hf_buf *buf, uint64_t unix_ms) {
    uint64_t second = unix_ms / 1000;
    add_date(buf, second / 86400);
    hf_buf_add_byte(buf, 'T');
    add_padded(buf, second / 3600 % 24, 2);
    hf_buf_add_byte(buf, ':');
    add_padded(buf, second / 60 % 60, 2);
    hf_buf_add_byte(buf, ':');
    add_padded(buf, second % 60, 2);
    hf_buf_add_byte(buf, '.');
    add_padded(buf, unix_ms % 1000 * 1000000, 9);
    hf_buf_add_byte(buf, 'Z');
}

void hf_kad_record_add(hf_buf *buf, hf_bytes key, hf_bytes value, uint64_t unix_ms) {
    hf_buf time;
    hf_buf_init(&time, buf->mem);
    hf_kad_time_add(&time, unix_ms);
    if (key.len) hf_pb_add_bytes(buf, RECORD_KEY, key);
    if (value.len) hf_pb_add_bytes(buf, RECORD_VALUE, value);
    hf_pb_add_bytes(buf, RECORD_TIME, hf_buf_bytes(&time));
    if (time.err) buf->err = time.err;
    hf_buf_deinit(&time);
}

void hf_kad_add_head(hf_buf *buf, hf_kad_type type, hf_bytes key, const hf_bytes *record) {
    if (type) hf_pb_add_u64(buf, MESSAGE_TYPE, type);
    if (key.len) hf_pb_add_bytes(buf, MESSAGE_KEY, key);
    if (record) hf_pb_add_bytes(buf, MESSAGE_RECORD, *record);
}

static void add_peer(hf_buf *buf, uint32_t field, const hf_peer_id *id, hf_bytes packed) {
    hf_buf peer;
    hf_buf_init(&peer, buf->mem);
    hf_pb_add_bytes(&peer, PEER_ID, hf_peer_id_bytes(id));
    for (size_t at = 0; at + sizeof(uint16_t) <= packed.len;) {
        uint16_t len;
        memcpy(&len, packed.ptr + at, sizeof len);
        hf_pb_add_bytes(&peer, PEER_ADDRESS, hf_sub(packed, at + sizeof len, len));
        at += sizeof len + len;
    }
    hf_pb_add_bytes(buf, field, hf_buf_bytes(&peer));
    if (peer.err) buf->err = peer.err;
    hf_buf_deinit(&peer);
}

void hf_kad_add_closer(hf_buf *buf, const hf_peer_id *id, hf_bytes packed) {
    add_peer(buf, MESSAGE_CLOSER, id, packed);
}

void hf_kad_add_provider(hf_buf *buf, const hf_peer_id *id, hf_bytes packed) {
    add_peer(buf, MESSAGE_PROVIDER, id, packed);
}

/* peer_record: see peer_record.h. */
#include "peer_record.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"
#include "envelope.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

static hf_err read_address(hf_bytes in, hf_bytes *ret) {
    hf_pb_reader r = hf_pb_read(in);
    *ret = (hf_bytes){0};
    for (hf_pb_field f; hf_pb_next(&r, &f);)
        if (f.number == 1 && f.wire == WIRE_BYTES) *ret = f.bytes;
    return r.err;
}

static hf_err read_record(hf_arena *arena, hf_bytes payload, hf_peer_record *ret) {
    hf_bytes *list = hf_arena_alloc(arena, HF_PEER_RECORD_ADDRESSES_MAX * sizeof *list), id = {0};
    if (!list) return HF_NOMEM;
    hf_pb_reader r = hf_pb_read(payload);
    hf_err err = HF_OK;
    *ret = (hf_peer_record){.addresses = list};
    for (hf_pb_field f; !err && hf_pb_next(&r, &f);) {
        if (f.number == 1 && f.wire == WIRE_BYTES) id = f.bytes;
        else if (f.number == 2 && f.wire == WIRE_VARINT) ret->seq = f.u;
        else if (f.number == 3 && f.wire == WIRE_BYTES && ret->n_addresses < HF_PEER_RECORD_ADDRESSES_MAX)
            err = read_address(f.bytes, &list[ret->n_addresses++]);
    }
    if (r.err || err) return HF_MALFORMED;
    return hf_peer_id_read(id, &ret->peer);
}

hf_err hf_peer_record_open(hf_arena *arena, hf_bytes bytes, hf_peer_record *ret) {
    if (bytes.len > HF_PEER_RECORD_BYTES_MAX) return HF_LIMIT;
    hf_envelope e;
    hf_peer_record record;
    hf_err err = hf_envelope_open(arena->mem, bytes, HF_TEXT(HF_PEER_RECORD_DOMAIN), &e);
    if (!err && !hf_eq(e.payload_type, HF_TEXT(HF_PEER_RECORD_TYPE))) err = HF_MALFORMED;
    if (!err) err = read_record(arena, e.payload, &record);
    if (!err && !hf_peer_id_eq(&e.signer, &record.peer)) err = HF_DENIED;
    if (!err) *ret = record;
    return err;
}

void hf_peer_record_add(hf_buf *payload, const hf_peer_record *record) {
    hf_pb_add_bytes(payload, 1, hf_peer_id_bytes(&record->peer));
    hf_pb_add_u64(payload, 2, record->seq);
    for (size_t i = 0; i < record->n_addresses; i++) {
        uint8_t ignored[HF_VARINT_MAX];
        hf_bytes address = record->addresses[i];
        hf_buf_add_byte(payload, 3 << 3 | WIRE_BYTES);
        hf_varint_add(payload, 1 + hf_varint_write(address.len, ignored) + address.len);
        hf_pb_add_bytes(payload, 1, address);
    }
}

hf_err hf_peer_record_seal(hf_mem *mem, const uint8_t seed[32], uint64_t seq, const hf_bytes *addresses, size_t n_addresses, hf_buf *ret_envelope) {
    uint8_t public_key[32];
    hf_peer_record record = {.seq = seq, .addresses = addresses, .n_addresses = n_addresses};
    hf_ed25519_public(seed, public_key);
    hf_buf key, payload;
    hf_buf_init(&key, mem);
    hf_buf_init(&payload, mem);
    hf_public_key_add(&key, public_key);
    hf_err err = key.err ? key.err : hf_peer_id_of_key(hf_buf_bytes(&key), &record.peer);
    if (!err) hf_peer_record_add(&payload, &record);
    if (!err) err = payload.err;
    if (!err) hf_envelope_add(ret_envelope, seed, public_key, HF_TEXT(HF_PEER_RECORD_DOMAIN), HF_TEXT(HF_PEER_RECORD_TYPE), hf_buf_bytes(&payload));
    hf_buf_deinit(&key);
    hf_buf_deinit(&payload);
    return err ? err : ret_envelope->err;
}

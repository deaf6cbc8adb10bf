/* peer_record: see peer_record.h. */
#include "peer_record.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"

static const uint8_t payload_type[] = {0x03, 0x01};
enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

typedef struct envelope { hf_bytes key, type, payload, signature; } envelope;

static hf_err read_envelope(hf_bytes bytes, envelope *ret) {
    hf_pb_reader r = hf_pb_read(bytes);
    *ret = (envelope){0};
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.wire != WIRE_BYTES) continue;
        if (f.number == 1) ret->key = f.bytes;
        else if (f.number == 2) ret->type = f.bytes;
        else if (f.number == 3) ret->payload = f.bytes;
        else if (f.number == 5) ret->signature = f.bytes;
    }
    return r.err ? r.err : hf_eq(ret->type, HF_BYTES(payload_type, sizeof payload_type)) ? HF_OK : HF_MALFORMED;
}

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

static void add_counted(hf_buf *buf, hf_bytes bytes) {
    hf_varint_add(buf, bytes.len);
    hf_buf_add(buf, bytes);
}

static void add_signed(hf_buf *buf, hf_bytes payload) {
    add_counted(buf, HF_TEXT("libp2p-peer-record"));
    add_counted(buf, HF_BYTES(payload_type, sizeof payload_type));
    add_counted(buf, payload);
}

static hf_err verify(hf_mem *mem, const envelope *e) {
    hf_buf input;
    hf_buf_init(&input, mem);
    add_signed(&input, e->payload);
    hf_err err = input.err ? input.err : hf_public_key_verify(e->key, hf_buf_bytes(&input), e->signature);
    hf_buf_deinit(&input);
    return err;
}

hf_err hf_peer_record_open(hf_arena *arena, hf_bytes bytes, hf_peer_record *ret) {
    if (bytes.len > HF_PEER_RECORD_BYTES_MAX) return HF_LIMIT;
    envelope e;
    hf_peer_id signer;
    hf_peer_record record;
    hf_err err = read_envelope(bytes, &e);
    if (!err) err = hf_peer_id_of_key(e.key, &signer);
    if (!err) err = read_record(arena, e.payload, &record);
    if (!err && !hf_peer_id_eq(&signer, &record.peer)) err = HF_DENIED;
    if (!err) err = verify(arena->mem, &e);
    if (!err) *ret = record;
    return err;
}

static void add_record(hf_buf *buf, const hf_peer_id *self, uint64_t seq, const hf_bytes *addresses, size_t n) {
    hf_pb_add_bytes(buf, 1, hf_peer_id_bytes(self));
    hf_pb_add_u64(buf, 2, seq);
    for (size_t i = 0; i < n; i++) {
        uint8_t ignored[HF_VARINT_MAX];
        hf_buf_add_byte(buf, 3 << 3 | WIRE_BYTES);
        hf_varint_add(buf, 1 + hf_varint_write(addresses[i].len, ignored) + addresses[i].len);
        hf_pb_add_bytes(buf, 1, addresses[i]);
    }
}

hf_err hf_peer_record_seal(hf_mem *mem, const uint8_t seed[32], uint64_t seq, const hf_bytes *addresses, size_t n_addresses, hf_buf *ret_envelope) {
    uint8_t public_key[32], signature[64];
    hf_ed25519_public(seed, public_key);
    hf_buf key, payload, input;
    hf_buf_init(&key, mem);
    hf_buf_init(&payload, mem);
    hf_buf_init(&input, mem);
    hf_public_key_add(&key, public_key);
    hf_peer_id self;
    hf_err err = key.err ? key.err : hf_peer_id_of_key(hf_buf_bytes(&key), &self);
    if (!err) add_record(&payload, &self, seq, addresses, n_addresses);
    add_signed(&input, hf_buf_bytes(&payload));
    if (!err) err = payload.err ? payload.err : input.err;
    if (!err) {
        hf_ed25519_sign(seed, public_key, hf_buf_bytes(&input), signature);
        hf_pb_add_bytes(ret_envelope, 1, hf_buf_bytes(&key));
        hf_pb_add_bytes(ret_envelope, 2, HF_BYTES(payload_type, sizeof payload_type));
        hf_pb_add_bytes(ret_envelope, 3, hf_buf_bytes(&payload));
        hf_pb_add_bytes(ret_envelope, 5, HF_BYTES(signature, sizeof signature));
        err = ret_envelope->err;
    }
    hf_buf_deinit(&key);
    hf_buf_deinit(&payload);
    hf_buf_deinit(&input);
    return err;
}

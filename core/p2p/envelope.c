/* envelope: see envelope.h. */
#include "envelope.h"

#include "../codec/protobuf.h"
#include "../codec/varint.h"
#include "../crypto/crypto.h"

enum { PUBLIC_KEY = 1, PAYLOAD_TYPE = 2, PAYLOAD = 3, SIGNATURE = 5 };

static void add_part(hf_buf *buf, hf_bytes part) {
    hf_varint_add(buf, part.len);
    hf_buf_add(buf, part);
}

/* What is signed: each part behind its length. */
static void add_signed(hf_buf *buf, hf_bytes domain, hf_bytes payload_type, hf_bytes payload) {
    add_part(buf, domain);
    add_part(buf, payload_type);
    add_part(buf, payload);
}

void hf_envelope_add(hf_buf *buf, const uint8_t ed25519_seed[32], const uint8_t ed25519_public[32], hf_bytes domain,
                     hf_bytes payload_type, hf_bytes payload) {
    uint8_t signature[64];
    hf_buf scratch;
    hf_buf_init(&scratch, buf->mem);
    add_signed(&scratch, domain, payload_type, payload);
    if (!scratch.err) hf_ed25519_sign(ed25519_seed, ed25519_public, hf_buf_bytes(&scratch), signature);
    hf_err err = scratch.err;
    hf_buf_clear(&scratch);
    hf_public_key_add(&scratch, ed25519_public);
    if (!err) err = scratch.err;
    if (!err) {
        hf_pb_add_bytes(buf, PUBLIC_KEY, hf_buf_bytes(&scratch));
        hf_pb_add_bytes(buf, PAYLOAD_TYPE, payload_type);
        hf_pb_add_bytes(buf, PAYLOAD, payload);
        hf_pb_add_bytes(buf, SIGNATURE, HF_BYTES(signature, sizeof signature));
    }
    if (err && !buf->err) buf->err = err;
    hf_buf_deinit(&scratch);
}

static hf_err read_fields(hf_bytes bytes, hf_envelope *ret, hf_bytes *signature) {
    hf_pb_reader r = hf_pb_read(bytes);
    for (hf_pb_field f; hf_pb_next(&r, &f);) {
        if (f.wire != 2) continue;
        if (f.number == PUBLIC_KEY) ret->public_key = f.bytes;
        if (f.number == PAYLOAD_TYPE) ret->payload_type = f.bytes;
        if (f.number == PAYLOAD) ret->payload = f.bytes;
        if (f.number == SIGNATURE) *signature = f.bytes;
    }
    return r.err;
}

hf_err hf_envelope_open(hf_mem *mem, hf_bytes bytes, hf_bytes domain, hf_envelope *ret) {
    hf_envelope e = {.public_key = {NULL, 0}};
    hf_bytes signature = {NULL, 0};
    if (bytes.len > HF_ENVELOPE_BYTES_MAX) return HF_LIMIT;
    hf_err err = read_fields(bytes, &e, &signature);
    if (!err) err = hf_peer_id_of_key(e.public_key, &e.signer);
    if (err) return err;
    hf_buf scratch;
    hf_buf_init(&scratch, mem);
    add_signed(&scratch, domain, e.payload_type, e.payload);
    err = scratch.err;
    if (!err) err = hf_public_key_verify(e.public_key, hf_buf_bytes(&scratch), signature);
    hf_buf_deinit(&scratch);
    if (!err) *ret = e;
    return err;
}

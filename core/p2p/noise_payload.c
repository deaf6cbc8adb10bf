/* noise_payload: what libp2p puts into the Noise handshake: see noise.h. Spec: libp2p/specs noise/README.md, "libp2p
 * Data in Handshake Messages". */
#include "noise.h"

#include "../codec/protobuf.h"
#include "../crypto/crypto.h"

#include <string.h>

#define SIGNED_PREFIX "noise-libp2p-static-key:"
enum {
    SIGNED_LEN = sizeof SIGNED_PREFIX - 1 + 32,
    IDENTITY_KEY = 1,
    IDENTITY_SIG = 2,
    EXTENSIONS = 4,
    STREAM_MUXERS = 2
};
static const uint8_t yamux_extension[] = "\x12\x0c/yamux/1.0.0"; /* NoiseExtensions { stream_muxers 2 } */

/* "The data to be signed is the UTF-8 string `noise-libp2p-static-key:`, followed by the Noise static public key" */
static void signed_bytes(const uint8_t static_public[32], uint8_t ret[SIGNED_LEN]) {
    memcpy(ret, SIGNED_PREFIX, SIGNED_LEN - 32);
    memcpy(ret + SIGNED_LEN - 32, static_public, 32);
}

void hf_noise_payload_add_yamux(hf_buf *buf) { hf_pb_add_bytes(buf, EXTENSIONS, HF_BYTES(yamux_extension, sizeof yamux_extension - 1)); }

void hf_noise_payload_add(hf_buf *buf, const uint8_t seed[32], const uint8_t ed25519_public[32],
                          const uint8_t static_public[32], bool name_yamux) {
    uint8_t message[SIGNED_LEN], signature[64];
    signed_bytes(static_public, message);
    hf_ed25519_sign(seed, ed25519_public, HF_BYTES(message, SIGNED_LEN), signature);
    hf_buf_add(buf, HF_BYTES("\x0a\x24", 2)); /* identity_key: the PublicKey message is 36 bytes */
    hf_public_key_add(buf, ed25519_public);
    hf_pb_add_bytes(buf, IDENTITY_SIG, HF_BYTES(signature, 64));
    if (name_yamux) hf_noise_payload_add_yamux(buf);
}

hf_err hf_noise_payload_add_key(hf_buf *buf, const hf_peer_key *key, const uint8_t static_public[32], bool name_yamux) {
    uint8_t message[SIGNED_LEN];
    hf_buf signature;
    signed_bytes(static_public, message);
    hf_buf_init(&signature, buf->mem);
    hf_err err = key->sign(key->ctx, HF_BYTES(message, SIGNED_LEN), &signature);
    if (!err) err = signature.err;
    hf_pb_add_bytes(buf, IDENTITY_KEY, key->public_key_message);
    hf_pb_add_bytes(buf, IDENTITY_SIG, hf_buf_bytes(&signature));
    if (name_yamux) hf_noise_payload_add_yamux(buf);
    hf_buf_deinit(&signature);
    return err ? err : buf->err;
}

static hf_err read_extensions(hf_bytes bytes, hf_noise_payload *ret) {
    hf_pb_reader reader = hf_pb_read(bytes);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field)) {
        bool muxer = field.number == STREAM_MUXERS && field.wire == 2;
        if (muxer && hf_eq(field.bytes, HF_TEXT("/yamux/1.0.0"))) ret->yamux = true;
    }
    return reader.err;
}

hf_err hf_noise_payload_read(hf_bytes bytes, hf_noise_payload *ret) {
    hf_noise_payload payload = {.yamux = false};
    hf_pb_reader reader = hf_pb_read(bytes);
    hf_pb_field field;
    while (hf_pb_next(&reader, &field)) {
        if (field.wire != 2) continue;
        if (field.number == IDENTITY_KEY) payload.identity_key = field.bytes;
        if (field.number == IDENTITY_SIG) payload.identity_sig = field.bytes;
        if (field.number == EXTENSIONS && read_extensions(field.bytes, &payload)) return HF_MALFORMED;
    }
    if (reader.err) return reader.err;
    *ret = payload;
    return HF_OK;
}

hf_err hf_noise_payload_check_with(const hf_noise_payload *payload, const uint8_t static_public[32], const hf_key_check *check,
                                   hf_peer_id *ret_peer) {
    uint8_t message[SIGNED_LEN];
    hf_peer_id peer;
    hf_err err = hf_peer_id_of_key(payload->identity_key, &peer);
    if (err) return err;
    signed_bytes(static_public, message);
    hf_bytes said = HF_BYTES(message, SIGNED_LEN);
    err = hf_public_key_verify(payload->identity_key, said, payload->identity_sig);
    if (err == HF_MALFORMED && check && check->verify) err = check->verify(check->ctx, payload->identity_key, said, payload->identity_sig);
    if (!err) *ret_peer = peer;
    return err;
}

hf_err hf_noise_payload_check(const hf_noise_payload *payload, const uint8_t static_public[32], hf_peer_id *ret_peer) {
    return hf_noise_payload_check_with(payload, static_public, NULL, ret_peer);
}

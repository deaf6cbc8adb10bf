/* noise: the secure channel, Noise_XX_25519_ChaChaPoly_SHA256, and the payload by which libp2p ties it to a peer id.
 * Specs: noiseprotocol.org/noise.html revision 34, libp2p/specs noise/README.md.
 *
 *      -> e          <- e, ee, s, es          -> s, se            payloads in the second and third message
 *
 * On the wire each message has a 2-byte big-endian length before it. Refuses: other patterns and ciphers, low-order
 * points, payloads without a valid signature. Nonces end at 2^32 - 1 in each direction (js ends there too): then the
 * connection must be made anew. Secrets are wiped by split and deinit.
 */
#ifndef HF_NOISE_H
#define HF_NOISE_H
#include "peer_id.h"

enum {
    HF_NOISE_TAG_LEN = 16,
    HF_NOISE_MESSAGE_MAX = 65535,
    HF_NOISE_PLAIN_MAX = 65535 - 16,
    HF_NOISE_PAYLOAD_MAX = 4096
};

/* One direction of the channel. */
typedef struct hf_noise_cipher {
    uint8_t key[32];
    uint64_t nonce;
} hf_noise_cipher;

typedef struct hf_noise {
    bool initiator, keyed;
    uint8_t step; /* messages gone by, 0..3 */
    uint8_t h[32], ck[32];
    hf_noise_cipher cipher;
    uint8_t s[32], s_public[32], e[32], e_public[32];
    uint8_t rs[32], re[32]; /* the other side's public keys */
} hf_noise;

/* `prologue` is empty but for webrtc-direct. Keys are copied. */
void hf_noise_init(hf_noise *noise, bool initiator, hf_bytes prologue, const uint8_t static_secret[32],
                   const uint8_t static_public[32], const uint8_t ephemeral_secret[32]);
void hf_noise_deinit(hf_noise *noise); /* wipes; zeroed allowed */
bool hf_noise_my_turn(const hf_noise *noise);
bool hf_noise_done(const hf_noise *noise);
/* Appends our next handshake message with its length. HF_DENIED: the other side's key is of low order. */
HF_MUST_USE hf_err hf_noise_write(hf_noise *noise, hf_bytes payload, hf_buf *out);
/* Reads the other side's message (without its length). The payload goes to `ret`, which has room for message.len bytes.
 * HF_MALFORMED: too short. HF_DENIED: does not decrypt. After an error the handshake is dead. */
HF_MUST_USE hf_err hf_noise_read(hf_noise *noise, hf_bytes message, uint8_t *ret, size_t *ret_len);
/* After done: the two directions, seen from us; wipes the handshake. */
void hf_noise_split(hf_noise *noise, hf_noise_cipher *ret_tx, hf_noise_cipher *ret_rx);

/* Appends `bytes` as one or more messages with their lengths. HF_LIMIT: nonces are used up. */
HF_MUST_USE hf_err hf_noise_seal(hf_noise_cipher *cipher, hf_bytes bytes, hf_buf *out);
/* One message (without its length) -> message.len - 16 bytes at `ret`, which may be message.ptr. HF_DENIED, HF_LIMIT.
 */
HF_MUST_USE hf_err hf_noise_open(hf_noise_cipher *cipher, hf_bytes message, uint8_t *ret);

/* ---- the libp2p payload: NoiseHandshakePayload { identity_key 1, identity_sig 2, extensions 4 { stream_muxers 2 } }
 * ---- */
typedef struct hf_noise_payload {
    hf_bytes identity_key, identity_sig; /* views into the input */
    bool yamux;                          /* is /yamux/1.0.0 among the muxers it names? */
} hf_noise_payload;

/* Our payload, signed; the only muxer we name is yamux (js takes the first of the other side's list that it knows). */
void hf_noise_payload_add(hf_buf *buf, const uint8_t seed[32], const uint8_t ed25519_public[32],
                          const uint8_t static_public[32], bool name_yamux);
/* The same for a key of any kind. HF_NOMEM, or what the key's `sign` says. */
HF_MUST_USE hf_err hf_noise_payload_add_key(hf_buf *buf, const hf_peer_key *key, const uint8_t static_public[32], bool name_yamux);
/* Adds to a payload that names no muxer that it is yamux. */
void hf_noise_payload_add_yamux(hf_buf *buf);
HF_MUST_USE hf_err hf_noise_payload_read(hf_bytes bytes, hf_noise_payload *ret);
/* Who signed the static key? HF_MALFORMED: a key we do not know. HF_DENIED: the signature does not fit. */
HF_MUST_USE hf_err hf_noise_payload_check(const hf_noise_payload *payload, const uint8_t static_public[32],
                                          hf_peer_id *ret_peer);
/* `check` is asked for kinds that the core does not compute with; may be NULL. */
HF_MUST_USE hf_err hf_noise_payload_check_with(const hf_noise_payload *payload, const uint8_t static_public[32], const hf_key_check *check,
                                               hf_peer_id *ret_peer);
#endif

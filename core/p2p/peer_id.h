/* peer_id: who a libp2p peer is: the multihash of its protobuf-encoded public key. Spec: libp2p/specs peer-ids/peer-ids.md.
 * Ed25519 and secp256k1 keys are their own multihash (identity, 38 and 39 bytes, "12D3KooW…", "16Uiu2…"); RSA and ECDSA keys are named by their SHA-256
 * ("Qm…"). The core verifies the first two kinds; for the others it needs the host's help (hf_key_check). */
#ifndef HF_PEER_ID_H
#define HF_PEER_ID_H
#include "../base/base.h"

enum { HF_PEER_ID_BYTES_MAX = 42, HF_PEER_ID_TEXT_MAX = 64 };

typedef struct hf_peer_id {
    uint8_t bytes[HF_PEER_ID_BYTES_MAX];
    uint8_t len; /* 0: nobody */
} hf_peer_id;

hf_bytes hf_peer_id_bytes(const hf_peer_id *id);
bool hf_peer_id_eq(const hf_peer_id *a, const hf_peer_id *b);
HF_MUST_USE hf_err hf_peer_id_read(hf_bytes binary, hf_peer_id *ret);
/* "12D3KooW…", "Qm…" (base58btc), or a CID text with codec libp2p-key. */
HF_MUST_USE hf_err hf_peer_id_parse(hf_bytes text, hf_peer_id *ret);
void hf_peer_id_add_text(hf_buf *buf, const hf_peer_id *id); /* base58btc */

/* The protobuf PublicKey {Type 1, Data 2} of an Ed25519 key, and the id that follows from such a message. */
void hf_public_key_add(hf_buf *buf, const uint8_t ed25519_public[32]);
/* HF_MALFORMED: none of the four kinds, or not in the one deterministic form. */
HF_MUST_USE hf_err hf_peer_id_of_key(hf_bytes public_key_message, hf_peer_id *ret);
/* Does `signature` over `message` verify with this PublicKey message? HF_DENIED: no. HF_MALFORMED: unknown key type. */
HF_MUST_USE hf_err hf_public_key_verify(hf_bytes public_key_message, hf_bytes message, hf_bytes signature);

/* The host's help with kinds of keys that the core does not compute with. `verify` as hf_public_key_verify. */
typedef struct hf_key_check {
    hf_err (*verify)(void *ctx, hf_bytes public_key_message, hf_bytes message, hf_bytes signature);
    void *ctx;
} hf_key_check;

/* A peer's own key, of any kind: its PublicKey message, and what signs with it (appends the signature). */
typedef struct hf_peer_key {
    hf_bytes public_key_message;
    hf_err (*sign)(void *ctx, hf_bytes message, hf_buf *ret_signature);
    void *ctx;
} hf_peer_key;
#endif

/* peer_id: who a libp2p peer is: the multihash of its protobuf-encoded public key. Spec: libp2p/specs peer-ids/peer-ids.md.
 * Ours are Ed25519 (identity multihash, 38 bytes, "12D3KooW…"); secp256k1 peers are verified too, other key types are refused. */
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
HF_MUST_USE hf_err hf_peer_id_of_key(hf_bytes public_key_message, hf_peer_id *ret);
/* Does `signature` over `message` verify with this PublicKey message? HF_DENIED: no. HF_MALFORMED: unknown key type. */
HF_MUST_USE hf_err hf_public_key_verify(hf_bytes public_key_message, hf_bytes message, hf_bytes signature);
#endif

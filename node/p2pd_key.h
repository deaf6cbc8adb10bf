/* p2pd_key: a libp2p private key of any kind: Ed25519, secp256k1 (both by the core), RSA and ECDSA (by OpenSSL). Spec: libp2p/specs peer-ids/peer-ids.md. */
#ifndef HF_NODE_P2PD_KEY_H
#define HF_NODE_P2PD_KEY_H
#include "../core/p2p/peer_id.h"

typedef struct hf_p2pd_key {
    bool is_seed;       /* Ed25519: `seed` is all there is; else `key` */
    uint8_t seed[32];   /* Ed25519's, or secp256k1's secret */
    hf_peer_key key;
    hf_buf message;     /* its PublicKey message */
    void *evp, *secp;
} hf_p2pd_key;

/* Reads the file; NULL: a fresh Ed25519 key. NULL, or what is wrong (static text). */
const char *hf_p2pd_key_load(hf_p2pd_key *ret, hf_mem *mem, const char *path);
void hf_p2pd_key_drop(hf_p2pd_key *key); /* zeroed allowed */
/* For hf_key_check: RSA (PKCS #1 v1.5) and ECDSA, over SHA-256. */
hf_err hf_p2pd_key_verify(void *ctx, hf_bytes public_key_message, hf_bytes message, hf_bytes signature);
#endif

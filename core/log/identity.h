/* identity: who writes entries. OrbitDB's `publickey` provider: a root key names the identity, a signing key signs entries.
 * Spec: interop notes sections 3 and 4. Keys are secp256k1; hex text inside blocks is lower case.
 * One identity never writes in two places at once: a device or node has its own, a browser profile has one writer under a lock. */
#ifndef HF_IDENTITY_H
#define HF_IDENTITY_H
#include "../codec/cid.h"
#include "../codec/value.h"
#include "../crypto/crypto.h"

enum { HF_PUBLIC_KEY_HEX_LEN = 66 };

/* What writes: secrets and the finished block. The block's memory belongs to it. */
typedef struct hf_writer {
    const hf_secp *secp;                           /* borrowed */
    uint8_t signing_secret[32];
    char id[HF_PUBLIC_KEY_HEX_LEN];                /* hex of the root public key: what access lists hold */
    char public_key[HF_PUBLIC_KEY_HEX_LEN];        /* hex of the signing public key: `key` and `clock.id` of entries */
    char hash[HF_CID_TEXT_LEN];                    /* CID text of the identity block: `identity` of entries */
    uint8_t cid[HF_CID_LEN];
    hf_buf block;
} hf_writer;

/* Secrets are copied. HF_MALFORMED: not valid secp256k1 secrets. */
HF_MUST_USE hf_err hf_writer_init(hf_writer *writer, hf_mem *mem, const hf_secp *secp, const uint8_t root_secret[32], const uint8_t signing_secret[32]);
void hf_writer_deinit(hf_writer *writer);          /* wipes */

/* What others wrote: a decoded, verified identity. */
typedef struct hf_identity {
    uint8_t digest[32];                            /* of the block as received: what entries name. js computes it anew from the five
                                                      fields, which is the same for every block that an honest writer makes */
    char id[HF_PUBLIC_KEY_HEX_LEN];
    char public_key[HF_PUBLIC_KEY_HEX_LEN];
    hf_secp_key key;                               /* parsed public_key, so that each entry costs one verification and no parsing */
} hf_identity;

/* Decodes and verifies a block: both signatures, type publickey, all fields. HF_MALFORMED or HF_DENIED with a reason. */
HF_MUST_USE hf_err hf_identity_read(hf_bytes block, hf_arena *scratch, hf_identity *ret, hf_fault *fault);
#endif

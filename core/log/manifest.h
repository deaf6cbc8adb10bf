/* manifest: what a database address stands for. Blocks of the ipfs access controller {type, write} and of the manifest {name, type,
 * accessController}; address = "/orbitdb/" + CID text. Spec: interop notes section 5. Immutable. */
#ifndef HF_MANIFEST_H
#define HF_MANIFEST_H
#include "../codec/cid.h"

enum { HF_ADDRESS_LEN = 9 + HF_CID_TEXT_LEN }; /* "/orbitdb/zdpu…" */

typedef struct hf_manifest {
    hf_bytes name, type;               /* views into the block */
    bool guarded;                      /* by the orbitdb access controller: a second database says who may write */
    uint8_t access_digest[32];         /* of the ipfs access controller's block; guarded: of that database's manifest */
} hf_manifest;

/* Appends the canonical access-controller block / manifest block. write: identity ids or "*". */
void hf_access_add_block(hf_buf *buf, const hf_bytes *write, size_t n_write);
void hf_manifest_add_block(hf_buf *buf, hf_bytes name, hf_bytes type, const uint8_t access_cid[HF_CID_LEN]);
/* With the orbitdb access controller: the manifest of the database that says who may write. */
void hf_manifest_add_guarded_block(hf_buf *buf, hf_bytes name, hf_bytes type, const uint8_t access_manifest_cid[HF_CID_LEN]);
void hf_manifest_address(const uint8_t manifest_cid[HF_CID_LEN], char ret_address[HF_ADDRESS_LEN]);
/* HF_MALFORMED with a reason; HF_DENIED: an access controller type we do not have. */
HF_MUST_USE hf_err hf_manifest_read(hf_bytes block, hf_arena *scratch, hf_manifest *ret, hf_fault *fault);
/* The write list; items are views into the block. */
HF_MUST_USE hf_err hf_access_read(hf_bytes block, hf_arena *scratch, hf_bytes **ret_write, size_t *ret_n, hf_fault *fault);
/* Text "/orbitdb/<cid>" (any multibase, forward or back slashes, a trailing slash allowed) -> digest. */
HF_MUST_USE hf_err hf_address_parse(hf_bytes text, uint8_t ret_digest[32]);
#endif

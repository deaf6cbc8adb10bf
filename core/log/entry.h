/* entry: one signed, hash-linked operation. Spec: interop notes sections 6 and 8.
 * Stricter than js, as those notes recommend: key == identity.publicKey, clock.id == key, v == 2, clock.time an integer >= 1. */
#ifndef HF_ENTRY_H
#define HF_ENTRY_H
#include "identity.h"

enum {
    HF_ENTRY_BYTES_MAX = 256 * 1024,   /* a bigger block is refused unread */
    HF_ENTRY_LINKS_MAX = 1024,         /* next and refs, each: what a stranger can make us look up */
    HF_CLOCK_LEAP_MAX = 1 << 20,       /* a clock may be this far above the highest one known, no further (threats 8) */
};

/* A decoded entry; all views point into `block`, arrays into the arena. */
typedef struct hf_entry {
    hf_bytes block;
    uint8_t digest[32];                /* sha2-256 of block */
    hf_bytes id, key, sig, clock_id;
    uint64_t time;
    uint8_t identity_digest[32];
    const uint8_t (*next)[32];         /* digests */
    const uint8_t (*refs)[32];
    size_t n_next, n_refs;
    hf_value payload;
    hf_bytes payload_bytes;            /* canonical dag-cbor of payload (view into block when that is canonical) */
    hf_bytes signed_parts[2];          /* of a canonical block: what is signed, behind the byte a6; else empty: it is encoded anew */
} hf_entry;

/* Decodes and checks structure, not signature. HF_MALFORMED / HF_DENIED (the strict rules) / HF_LIMIT with a reason. */
HF_MUST_USE hf_err hf_entry_read(hf_bytes block, hf_arena *arena, hf_entry *ret, hf_fault *fault);
/* The signature over the canonical six fields, with the identity's key. HF_DENIED with a reason. */
HF_MUST_USE hf_err hf_entry_verify(const hf_entry *entry, const hf_identity *identity, hf_arena *scratch, hf_fault *fault);
/* The same in two steps, of which the second needs nothing but what the first made of it, so that many can be done at a time.
 * Views into entry, identity and arena. */
typedef struct hf_entry_check {
    const hf_secp_key *key;
    hf_bytes message;
    uint8_t der[HF_DER_MAX];
    size_t der_len;
    bool holds;
} hf_entry_check;
HF_MUST_USE hf_err hf_entry_check_of(const hf_entry *entry, const hf_identity *identity, hf_arena *arena, hf_entry_check *ret, hf_fault *fault);
void hf_entry_check_run(hf_entry_check *check);
/* Makes and signs an entry; appends its block to `block` (empty before, and after a failure). next/refs: digests in the order to be written.
 * HF_MALFORMED: payload_cbor is not one canonical item. HF_LIMIT: too many links, or the block would be too big. */
HF_MUST_USE hf_err hf_entry_create(const hf_writer *writer, hf_bytes log_id, const uint8_t (*next)[32], size_t n_next, const uint8_t (*refs)[32],
                                   size_t n_refs, uint64_t time, hf_bytes payload_cbor, hf_buf *block, uint8_t ret_digest[32]);
#endif

/* envelope: a payload signed by a peer, with its public key. Spec: libp2p/specs RFC/0002-signed-envelopes.md. Used for relay
 * reservation vouchers and peer records. We sign with Ed25519; what peer_id.h verifies is verified. Refuses: more than
 * HF_ENVELOPE_BYTES_MAX bytes. */
#ifndef HF_ENVELOPE_H
#define HF_ENVELOPE_H
#include "peer_id.h"

enum { HF_ENVELOPE_BYTES_MAX = 64 << 10 };

typedef struct hf_envelope {
    hf_bytes public_key;            /* PublicKey message */
    hf_bytes payload_type, payload; /* views into the input */
    hf_peer_id signer;
} hf_envelope;

/* Adds a signed envelope. `domain`: the purpose, e.g. "libp2p-relay-rsvp". A failure sticks in the buffer. */
void hf_envelope_add(hf_buf *buf, const uint8_t ed25519_seed[32], const uint8_t ed25519_public[32], hf_bytes domain,
                     hf_bytes payload_type, hf_bytes payload);
/* Reads and verifies. HF_MALFORMED, HF_LIMIT, HF_NOMEM; HF_DENIED: not signed by that key for this domain. */
HF_MUST_USE hf_err hf_envelope_open(hf_mem *mem, hf_bytes bytes, hf_bytes domain, hf_envelope *ret);
#endif

/* peer_record: where a peer can be reached, signed by itself, so that it may be passed on by others. Specs: libp2p/specs RFC/0002-signed-envelopes.md,
 * RFC/0003-routing-records.md.
 *
 *   Envelope    1 public key  2 payload type (03 01)  3 payload  5 signature over
 *               length "libp2p-peer-record", length type, length payload (each a varint, followed by the bytes)
 *   PeerRecord  1 peer ID  2 seq  3 address* { 1 multiaddr }
 */
#ifndef HF_PEER_RECORD_H
#define HF_PEER_RECORD_H
#include "peer_id.h"

#define HF_PEER_RECORD_DOMAIN "libp2p-peer-record"
#define HF_PEER_RECORD_TYPE "\x03\x01"
enum { HF_PEER_RECORD_BYTES_MAX = 16 << 10, HF_PEER_RECORD_ADDRESSES_MAX = 64 };

typedef struct hf_peer_record {
    hf_peer_id peer;
    uint64_t seq;                       /* a later record has a higher one */
    const hf_bytes *addresses;          /* binary multiaddrs; more than 64 are left out */
    size_t n_addresses;
} hf_peer_record;

/* Reads and verifies an envelope. The list lives in the arena, the bytes are views into the input. HF_MALFORMED, HF_DENIED (signature, or not signed
 * by the peer that it is about), HF_LIMIT (over 16 KiB), HF_NOMEM. */
HF_MUST_USE hf_err hf_peer_record_open(hf_arena *arena, hf_bytes envelope, hf_peer_record *ret);
/* A record's bytes, for an envelope of that domain and type. A failure sticks in the buffer. */
void hf_peer_record_add(hf_buf *payload, const hf_peer_record *record);
/* A record of our own. */
HF_MUST_USE hf_err hf_peer_record_seal(hf_mem *mem, const uint8_t ed25519_seed[32], uint64_t seq, const hf_bytes *addresses, size_t n_addresses,
                                       hf_buf *ret_envelope);
#endif

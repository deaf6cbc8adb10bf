/* identify: the message in which a peer says who it is, what it speaks and where it listens. Spec: libp2p/specs
 * identify/README.md. On the stream: unsigned varint length, protobuf. Refuses: messages over 8 KiB (js refuses them
 * too), more lists' items than fit below. A signed peer record (field 8, peer_record.h) is carried; whoever reads checks it.
 */
#ifndef HF_IDENTIFY_H
#define HF_IDENTIFY_H
#include "swarm.h"

#define HF_IDENTIFY_PROTOCOL "/ipfs/id/1.0.0"
#define HF_IDENTIFY_PUSH_PROTOCOL "/ipfs/id/push/1.0.0"
#define HF_IDENTIFY_VERSION "ipfs/0.1.0"
enum { HF_IDENTIFY_BYTES_MAX = 8192, HF_IDENTIFY_PROTOCOLS_MAX = 512, HF_IDENTIFY_ADDRESSES_MAX = 128 };

typedef struct hf_identify_message {
    hf_bytes public_key; /* PublicKey message; empty: not said */
    hf_identify said;    /* `record`: the envelope as it came, unchecked */
} hf_identify_message;

/* The protobuf, without the length. Empty fields are left out. */
void hf_identify_add(hf_buf *buf, const hf_identify_message *message);
/* Lists live in the arena, bytes are views into the input. HF_MALFORMED, HF_LIMIT, HF_NOMEM. */
HF_MUST_USE hf_err hf_identify_read(hf_arena *arena, hf_bytes bytes, hf_identify_message *ret, hf_fault *fault);
/* The message at the front of what came on the stream, with its length. HF_TRUNCATED: more must come; HF_LIMIT: it is
 * too long. */
HF_MUST_USE hf_err hf_identify_unframe(hf_bytes bytes, hf_bytes *ret_message);
/* What `now` does not say is taken from `before` (a push may be partial); everything is copied into the arena. */
HF_MUST_USE hf_err hf_identify_merge(hf_arena *arena, const hf_identify *before, const hf_identify *now,
                                     hf_identify *ret);
#endif

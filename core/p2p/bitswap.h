/* bitswap 1.2: fetching and serving blocks by CID. Spec: ipfs/specs bitswap-protocol.md; interop notes section 11 (what js does).
 * A message is a varint length and protobuf. Ours with wants have a stream each; answers to a peer share one, as long as there are any,
 * so that its window grows. Sits on the swarm: feed it the stream events of its tag.
 *
 * Serves every block the host's source has. Fetches with WANT-BLOCK from the peers named, sendDontHave; gives up on a peer by DONT-HAVE, loss or time.
 * A block is read from the source when the answers before it have left our buffer: a peer that asks for much and reads slowly costs one message.
 * Answers for which there was no memory or no stream are tried again within a second.
 * Limits: wantlist <= 1,024 entries a peer, 2 MiB a block, 4 MiB a message, 5 s between bytes of a message; unasked blocks are dropped and counted
 * (a block may come twice: js sends again what is still on its way when we ask for more);
 * a block that does not match its CID never comes out and the peer's strikes are counted (3: DENIED event, shell closes).
 */
#ifndef HF_BITSWAP_H
#define HF_BITSWAP_H
#include "swarm.h"
#include "../codec/block.h"

#define HF_BITSWAP_PROTOCOL "/ipfs/bitswap/1.2.0"

typedef struct hf_bitswap hf_bitswap;

hf_bitswap *hf_bitswap_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, hf_block_source source);
void hf_bitswap_free(hf_bitswap *bitswap);

/* Every swarm event with our tag, and CONN_DOWN with last set. */
void hf_bitswap_event(hf_bitswap *bitswap, uint64_t now_ms, const hf_swarm_out *event);
/* Wants a block (binary CID) from `peer`; wanting it again from another adds that one. Wants made before the next flush travel in one message a peer.
 * `context` comes back with the block. HF_LIMIT: too many wants (4,096). */
HF_MUST_USE hf_err hf_bitswap_want(hf_bitswap *bitswap, uint64_t now_ms, const hf_peer_id *peer, hf_bytes cid, uint64_t context);
void hf_bitswap_cancel(hf_bitswap *bitswap, uint64_t now_ms, hf_bytes cid);
void hf_bitswap_flush(hf_bitswap *bitswap, uint64_t now_ms);      /* sends the collected wants */
/* New blocks came into the source: push them to peers that wait for them. */
void hf_bitswap_have(hf_bitswap *bitswap, uint64_t now_ms, hf_bytes cid);

typedef enum hf_bitswap_kind { HF_BITSWAP_NONE = 0, HF_BITSWAP_BLOCK, HF_BITSWAP_FAILED, HF_BITSWAP_ABUSE } hf_bitswap_kind;
typedef struct hf_bitswap_out {
    hf_bitswap_kind kind;
    hf_peer_id peer;
    hf_bytes cid, block;      /* BLOCK: verified against its CID; FAILED: nobody asked has it, or 30 s passed (while the
                                 peer sends what it was asked before, the 30 s begin anew; 10 minutes at most) */
    uint64_t context;
    const char *reason;       /* ABUSE */
} hf_bitswap_out;
hf_bitswap_kind hf_bitswap_next(hf_bitswap *bitswap, hf_bitswap_out *ret_out);
/* How many blocks this peer sent us once more though we had them from it. */
size_t hf_bitswap_n_twice(const hf_bitswap *bitswap, const hf_peer_id *peer);
/* Nothing is asked of this peer, and no message of it is under way. */
bool hf_bitswap_idle(const hf_bitswap *bitswap, const hf_peer_id *peer);
uint64_t hf_bitswap_deadline(const hf_bitswap *bitswap);
void hf_bitswap_tick(hf_bitswap *bitswap, uint64_t now_ms);
#endif

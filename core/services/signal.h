/* signal: introductions. A peer that can be reached only by being told how (a browser) lets the peers it is connected to introduce it to the
 * others there, and to carry small messages (SDP, candidates, standing invitations) between them while a direct way is set up.
 *
 * Protocol `/holdfast/signal/1.0.0`, one long stream a connection, opened by the lower peer ID. Messages: varint length + protobuf
 *   kind 1: HELLO 0, PEERS 1, CARRY 2, DELIVER 3
 *   wants 2 (HELLO): introduce me
 *   peers 3 (PEERS, repeated bytes): everybody here who wants to be introduced, without the receiver; when they are more than 64, sixteen of them,
 *   others for each receiver
 *   peer 4, data 5: to whom (CARRY, to a carrier) or from whom (DELIVER). The carrier writes the sender's authenticated ID itself, so
 *   a message's origin is as sure as its carrier is honest; what is agreed on is proved by Noise on the way that comes of it.
 * One hop only: a carrier delivers to its own connections. Limits: one stream a peer (a newer one takes the place of the old), 64 KiB a message,
 * 100 messages a second a peer (burst 200), 64 peers a list, lists at most every 250 ms.
 */
#ifndef HF_SIGNAL_H
#define HF_SIGNAL_H
#include "../p2p/swarm.h"

#define HF_SIGNAL_PROTOCOL "/holdfast/signal/1.0.0"
enum { HF_SIGNAL_DATA_MAX = 64 * 1024, HF_SIGNAL_PEERS_MAX = 64 };

typedef struct hf_signal hf_signal;

/* `wants`: ask to be introduced. Carrying for others is always on. seed: random and kept to itself, so that nobody can choose whom others are told of. */
hf_signal *hf_signal_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, bool wants, uint64_t seed);
void hf_signal_free(hf_signal *signal);
/* UINT64_MAX: none. */
uint64_t hf_signal_deadline(const hf_signal *signal);
void hf_signal_tick(hf_signal *signal, uint64_t now_ms);
/* Swarm events of our tag, and every IDENTIFIED. */
void hf_signal_event(hf_signal *signal, uint64_t now_ms, const hf_swarm_out *event);
/* Sends `data` to `to`: directly when connected, else through every connected carrier that listed it. HF_NOT_FOUND: nobody can reach it. */
HF_MUST_USE hf_err hf_signal_send(hf_signal *signal, uint64_t now_ms, const hf_peer_id *to, hf_bytes data);

typedef enum hf_signal_kind { HF_SIGNAL_NONE = 0, HF_SIGNAL_PEERS, HF_SIGNAL_RECEIVED, HF_SIGNAL_ABUSE } hf_signal_kind;
typedef struct hf_signal_out {
    hf_signal_kind kind;
    hf_peer_id peer;              /* RECEIVED: who sent it; PEERS: who introduces; ABUSE: who */
    const hf_peer_id *peers;      /* PEERS: the whole list of that introducer; valid until the next call */
    size_t n_peers;
    hf_bytes data;                /* RECEIVED; valid until the next call */
    const char *reason;
} hf_signal_out;
hf_signal_kind hf_signal_next(hf_signal *signal, hf_signal_out *ret_out);
#endif

/* dcutr: from a relayed connection to a direct one. Spec: libp2p/specs relay/DCUtR.md. Sits on the swarm; the shell dials.
 *
 * The peer that was called through the relay (B) starts: first it dials the addresses of the caller (A) that identify told; when that does
 * not help, both tell each other their addresses on /libp2p/dcutr, B measures the round trip, and both dial at the same moment: A at once
 * when SYNC comes, B half a round trip after it sent SYNC. Whoever's SYN arrives where, A is the dialer and B the listener of all that runs
 * on that channel: DIAL says which (`dialer` is what hf_swarm_conn_open wants). Three tries of 5 s; three more after 30 s,
 * then after twice as long each time, at most 16 min. Once a direct connection stands,
 * the relayed ones to this peer are closed 10 s later.
 * Dialled are public IPs only (any_address: everything, for networks without NAT). Addresses that we tell: hf_swarm_addresses, and
 * those under which others see us.
 * Limits: messages 4 KiB; 64 relayed connections at once; 8 addresses a DIAL; 6 times in 30 s that a peer may make us dial, a connection.
 */
#ifndef HF_DCUTR_H
#define HF_DCUTR_H
#include "swarm.h"

#define HF_DCUTR_PROTOCOL "/libp2p/dcutr"

typedef struct hf_dcutr hf_dcutr;

/* Makes the protocol known, on limited connections too. NULL: no memory, or known already. */
hf_dcutr *hf_dcutr_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, bool any_address);
void hf_dcutr_free(hf_dcutr *dcutr);
/* Every swarm event with our tag, and CONN_UP, IDENTIFIED, CONN_DOWN. */
void hf_dcutr_event(hf_dcutr *dcutr, uint64_t now_ms, const hf_swarm_out *event);

typedef enum hf_dcutr_kind {
    HF_DCUTR_NONE = 0,
    HF_DCUTR_DIAL,     /* peer, addrs, at_ms, dialer: dial all of them at that time, from the port that we listen on where that is possible;
                          hand channels that come up to hf_swarm_conn_open with `dialer` and `peer` as the expected one; nothing on failure */
    HF_DCUTR_UPGRADED, /* peer: there is a direct connection now */
    HF_DCUTR_FAILED,   /* peer, reason: there is none; told once. After a pause it is tried again, as long as the relayed one stands */
} hf_dcutr_kind;
typedef struct hf_dcutr_out {
    hf_dcutr_kind kind;
    hf_peer_id peer;
    uint64_t at_ms;
    bool dialer;
    const hf_bytes *addrs; /* binary multiaddrs, valid until the next call */
    size_t n_addrs;
    const char *reason;    /* static text */
} hf_dcutr_out;
hf_dcutr_kind hf_dcutr_next(hf_dcutr *dcutr, hf_dcutr_out *ret_out);
uint64_t hf_dcutr_deadline(const hf_dcutr *dcutr);
void hf_dcutr_tick(hf_dcutr *dcutr, uint64_t now_ms);
#endif

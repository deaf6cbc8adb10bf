/* observed: under which addresses peers see us, and which addresses may therefore be ours. For AutoNAT, which has them tried. */
#ifndef HF_OBSERVED_H
#define HF_OBSERVED_H
#include "swarm.h"

enum { HF_OBSERVED_MAX = 8, HF_OBSERVED_ADDR_MAX = 128 };

typedef struct hf_observed_addr { uint8_t bytes[HF_OBSERVED_ADDR_MAX], len; } hf_observed_addr;
typedef struct hf_observed {
    struct { hf_peer_id by; bool inbound; hf_observed_addr addr; } seen[HF_OBSERVED_MAX]; /* by.len 0: free */
    size_t next;
} hf_observed;

/* An IDENTIFIED; relayed ones and addresses that nobody could dial (reach.h, `any` as there) are passed over. One a peer and direction; the oldest goes. */
void hf_observed_note(hf_observed *observed, const hf_peer_id *self, const hf_swarm_out *event, bool any);
/* What may be dialled of us, without doubles, the likeliest first: what the swarm announces; where peers dialled us; the IP that peers see at the port that
 * we listen on; what two peers that we dialled agree on (a NAT that shows everybody the same). Returns how many. */
size_t hf_observed_list(const hf_observed *observed, const hf_swarm *swarm, bool any, hf_observed_addr *ret, size_t n_max);
#endif

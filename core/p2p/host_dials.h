/* host_dials: channels that a part of a host wants in a way of its own: to a peer that may be connected already, as dialer or not, from a certain port, at
 * a certain time. What AutoNAT and DCUtR need; the part puts these into its table (host.h).
 */
#ifndef HF_HOST_DIALS_H
#define HF_HOST_DIALS_H
#include "host.h"

enum { HF_HOST_DIALS_MAX = 32, HF_HOST_DIALS_MS = 15000 /* from its time on, a dial is called off */ };

typedef struct hf_host_dial {
    uint64_t number, context, at_ms, deadline_ms, conn; /* number 0: free; conn 0: no channel yet */
    hf_peer_id peer;
    uint8_t addr[HF_BOOK_ADDRESS_BYTES_MAX];
    uint16_t addr_len;
    hf_host_port port;
    bool dialer, aside, due, off;
} hf_host_dial;

typedef struct hf_host_dials {
    hf_swarm *swarm;
    hf_host_dial dials[HF_HOST_DIALS_MAX];
    uint64_t n_numbers;
} hf_host_dials;

/* How it is to be made. aside: see hf_swarm_conn_aside. */
typedef struct hf_host_way { hf_host_port port; uint64_t at_ms; bool dialer, aside; } hf_host_way;

/* HF_LIMIT: 32 at once, or an address over 256 bytes. */
HF_MUST_USE hf_err hf_host_dials_add(hf_host_dials *dials, uint64_t now_ms, const hf_peer_id *peer, hf_bytes addr, const hf_host_way *way, uint64_t context);
/* For `next`: fills *out with one that is due. */
bool hf_host_dials_next(hf_host_dials *dials, hf_host_out *out);
uint64_t hf_host_dials_deadline(const hf_host_dials *dials);
/* One whose time is over; *ret its context. Call it again until it is false. */
bool hf_host_dials_late(hf_host_dials *dials, uint64_t now_ms, uint64_t *ret_context);
/* For `opened`. HF_STATE: called off. */
HF_MUST_USE hf_err hf_host_dials_opened(hf_host_dials *dials, uint64_t now_ms, uint64_t number, uint64_t conn, hf_bytes remote);
/* A CONN_UP: true: it was one of these; *ret its context. Then it is not one any more. */
bool hf_host_dials_up(hf_host_dials *dials, uint64_t conn, uint64_t *ret_context);
/* For `failed` (conn 0) and `ended` (number 0): likewise. */
bool hf_host_dials_over(hf_host_dials *dials, uint64_t number, uint64_t conn, uint64_t *ret_context);
#endif

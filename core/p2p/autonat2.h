/* autonat2: which of our addresses can others dial? AutoNAT v2, both sides. Spec: libp2p/specs autonat/autonat-v2.md. Sits on the swarm; the host dials.
 *
 * As a client: has one address after another (observed.h) tried by one peer after another, a request an address: every 5 s while something is not
 * sure, no peer twice within 5 minutes for one address, and each address again after 15 minutes. A peer that says it reached us is believed when
 * the number that we gave it came in on a new connection; that it did not reach us nobody can check. Once `confidence` peers from different networks
 * (IPv4 /16, IPv6 /32) have said the same of an address within an hour, ADDRESS says so. Sends at most 100,000 bytes to whoever asks for data.
 * As a server: dials the first address of a request that it may: TCP, public, not relayed; any_address: private ones too, for LANs and tests. When its IP
 * is not the one that the asking peer is seen at, that peer must first send data_bytes, more than a dial costs, in pieces that are worth
 * counting; and the dial comes up to 3 s later, at a moment that it cannot foresee.
 * Limits: 30 requests a minute in all, 6 a peer, 12 with data; 2 at once of a peer, 16 in all; messages 8 KiB; 10 s for a message, 60 s for the data, 20 s for
 * a dial, 10 s for the number to be taken.
 */
#ifndef HF_AUTONAT2_H
#define HF_AUTONAT2_H
#include "autonat.h"

#define HF_AUTONAT2_PROTOCOL "/libp2p/autonat/2/dial-request"
#define HF_AUTONAT2_BACK_PROTOCOL "/libp2p/autonat/2/dial-back"
enum { HF_AUTONAT2_TAGS = 2 }; /* tag: requests, tag + 1: dial-backs */

typedef struct hf_autonat2 hf_autonat2;

typedef struct hf_autonat2_config {
    bool serve, any_address;
    bool no_ip6;         /* we cannot dial IPv6 */
    uint32_t confidence; /* [4] */
    uint32_t data_bytes; /* [40,000] */
    void (*random)(void *ctx, uint8_t *out, size_t len);
    void *random_ctx;
} hf_autonat2_config;

/* NULL: no memory, or the protocols are known already. */
hf_autonat2 *hf_autonat2_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_autonat2_config *config);
void hf_autonat2_free(hf_autonat2 *autonat);
/* Every swarm event with our tags, and IDENTIFIED. */
void hf_autonat2_event(hf_autonat2 *autonat, uint64_t now_ms, const hf_swarm_out *event);
/* The outcome of a DIAL_BACK: a new connection to the peer is up (closed by us when it is not needed any more), or false: there is none. Within 20 s, else
 * it counts as none. False: it is not wanted any more, the caller closes the connection. */
bool hf_autonat2_dialled(hf_autonat2 *autonat, uint64_t now_ms, uint64_t dial, bool reached, uint64_t conn);

typedef enum hf_autonat2_kind {
    HF_AUTONAT2_NONE = 0,
    HF_AUTONAT2_DIAL_BACK, /* dial, peer, addr: make a new connection there, from another port than the one we listen on */
    HF_AUTONAT2_ADDRESS,   /* addr, reach: what is believed of this address has changed */
} hf_autonat2_kind;
typedef struct hf_autonat2_out {
    hf_autonat2_kind kind;
    uint64_t dial;
    hf_peer_id peer;
    hf_bytes addr; /* binary multiaddr, valid until the next call */
    hf_autonat_reach reach;
} hf_autonat2_out;
hf_autonat2_kind hf_autonat2_next(hf_autonat2 *autonat, hf_autonat2_out *ret_out);
uint64_t hf_autonat2_deadline(const hf_autonat2 *autonat);
void hf_autonat2_tick(hf_autonat2 *autonat, uint64_t now_ms);

/* ---- looking in ---- */
/* The i-th address that is tried, and what is believed of it; empty past the end. *ret_n_yes, *ret_n_no: networks that said so within the hour. */
hf_bytes hf_autonat2_address(const hf_autonat2 *autonat, uint64_t now_ms, size_t i, hf_autonat_reach *ret_reach, size_t *ret_n_yes, size_t *ret_n_no);
#endif

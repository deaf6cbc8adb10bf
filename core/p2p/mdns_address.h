/* mdns_address: which of the addresses that strangers announce on a LAN may be dialled. Anyone there can write any text, so only
 * /ip4|ip6/IP/tcp/PORT/p2p/ID is taken, and only where IP is private (RFC 1918, RFC 4193), link-local or loopback: otherwise one packet would
 * turn every node of a LAN against a host outside of it.
 * Refuses: names (they would be looked up outside), public and multicast addresses, port 0, anything behind /tcp but the peer. */
#ifndef HF_MDNS_ADDRESS_H
#define HF_MDNS_ADDRESS_H
#include "peer_id.h"

/* The more hosts it can be reached from, the earlier. */
typedef enum hf_mdns_reach { HF_MDNS_PRIVATE, HF_MDNS_LINK_LOCAL, HF_MDNS_LOOPBACK, HF_MDNS_NOWHERE } hf_mdns_reach;

typedef struct hf_mdns_address {
    hf_mdns_reach reach; /* never HF_MDNS_NOWHERE */
    bool v6;
    uint8_t ip[16];      /* 4 when !v6 */
    hf_peer_id peer;
} hf_mdns_address;

/* HF_MDNS_NOWHERE: public, multicast, unspecified. */
hf_mdns_reach hf_mdns_reach_ip4(const uint8_t ip[4]);
/* An IPv4 address inside an IPv6 one (::ffff:a.b.c.d) is nowhere: nobody who listens announces that. */
hf_mdns_reach hf_mdns_reach_ip6(const uint8_t ip[16]);
/* HF_DENIED: well-formed and not to be dialled. HF_MALFORMED, HF_LIMIT, HF_NOMEM. `mem` is used for the time of the call. */
HF_MUST_USE hf_err hf_mdns_address_read(hf_mem *mem, hf_bytes multiaddr, hf_mdns_address *ret);
#endif

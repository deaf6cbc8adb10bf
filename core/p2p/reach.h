/* reach: what an address says about who can reach it. For protocols that dial on somebody's word (DCUtR, AutoNAT) or advertise. */
#ifndef HF_REACH_H
#define HF_REACH_H
#include "../base/base.h"

/* The 4 or 16 bytes of the address's leading IP; empty: it does not start with one. A view into it. */
hf_bytes hf_reach_ip(hf_bytes multiaddr);
/* An IP that the Internet routes: not private, loopback, link-local, shared, documentation, multicast or reserved (IANA's special-purpose
 * registries; IPv6: 2000::/3 but documentation, 6to4 and Teredo). */
bool hf_reach_is_public_ip(hf_bytes ip);
/* Can it be dialled by TCP (also with WebSocket on it): /ip4|ip6/…/tcp/…, not relayed, port not 0, named peer (if any) `peer` as bytes.
 * `any`: private IPs and /dns… names too, for networks without NAT; else public IPs only. */
bool hf_reach_is_dialable(hf_bytes multiaddr, hf_bytes peer, bool any);
/* Does the address concern somebody who is connected from `remote` (binary multiaddr; empty: from somewhere)? On the Internet public addresses and
 * names do, in a private network private ones too, on this machine all. So does one that leads over a relay and names no place. */
bool hf_reach_concerns(hf_bytes multiaddr, hf_bytes remote);
/* May it be dialled on the word of somebody there? As above, link-local ones on that of one who comes from such or from this machine; and on the word of the Internet no port below 1024 but 80 and 443. */
bool hf_reach_is_believed(hf_bytes multiaddr, hf_bytes remote);
#endif

/* host_named: what comes into a host's book of peers that others name. On somebody's word nobody knocks at doors of this machine or of its network,
 * unless he is there himself: one rule for what a peer says of itself (identify) and of others (gossip's peer exchange). */
#ifndef HF_HOST_NAMED_H
#define HF_HOST_NAMED_H
#include "host.h"

/* Those addresses that are believed (hf_reach_is_believed) of somebody who is connected from `remote`; views. Returns how many. */
size_t hf_host_believed(const hf_bytes *addrs, size_t n_addrs, hf_bytes remote, hf_bytes ret[HF_BOOK_ADDRESSES_MAX]);
/* Notes what is believed of a signed record of `peer` (an envelope, peer_record.h) that came over connection `conn`; of one that is gone: as from the
 * Internet. False: it is not sound, or not of that peer. */
bool hf_host_named(hf_host *host, hf_mem *mem, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer, hf_bytes record);
#endif

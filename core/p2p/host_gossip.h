/* host_gossip: pubsub (gossip.h) as a part of a host. Peers that are named when we are pruned are dialled, at the addresses they signed. What comes out
 * as HF_HOST_SAID of part "gossip": hf_gossip_out, but for PEER. */
#ifndef HF_HOST_GOSSIP_H
#define HF_HOST_GOSSIP_H
#include "gossip.h"
#include "host.h"

#define HF_HOST_GOSSIP "gossip"
/* Tags `tag` .. `tag` + HF_GOSSIP_TAGS - 1. *ret_gossip is for calling; the host frees it. HF_NOMEM, HF_LIMIT. */
HF_MUST_USE hf_err hf_host_add_gossip(hf_host *host, hf_mem *mem, uint32_t tag, const hf_gossip_config *config, hf_gossip **ret_gossip);
#endif

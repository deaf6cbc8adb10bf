/* host_relay: circuit relay (relay.h) as a part of a host: peers at …/p2p/RELAY/p2p-circuit can be dialled, whether or not there is a connection to
 * the relay yet. What comes out as HF_HOST_SAID of part "relay": hf_relay_out RESERVED, LOST, and CONNECTED of connections that others made. */
#ifndef HF_HOST_RELAY_H
#define HF_HOST_RELAY_H
#include "host.h"
#include "relay.h"

#define HF_HOST_RELAY "relay"
/* Tags `tag` and `tag` + 1. *ret_relay is for calling; the host frees it. HF_NOMEM, HF_LIMIT. */
HF_MUST_USE hf_err hf_host_add_relay(hf_host *host, hf_mem *mem, uint32_t tag, const hf_relay_config *config, hf_relay **ret_relay);
#endif

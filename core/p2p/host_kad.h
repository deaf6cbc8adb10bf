/* host_kad: the DHT (kad.h) as a part of a host: whom a lookup wants to ask is dialled, who is found goes into the address book. What comes out as
 * HF_HOST_SAID of part "kad": hf_kad_out, but for DIAL. */
#ifndef HF_HOST_KAD_H
#define HF_HOST_KAD_H
#include "host.h"
#include "kad.h"

#define HF_HOST_KAD "kad"
/* *ret_kad is for calling; the host frees it. HF_NOMEM, HF_LIMIT. */
HF_MUST_USE hf_err hf_host_add_kad(hf_host *host, hf_mem *mem, uint32_t tag, const hf_kad_config *config, hf_kad **ret_kad);
#endif

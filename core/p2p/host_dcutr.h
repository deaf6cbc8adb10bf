/* host_dcutr: from relayed connections to direct ones (dcutr.h) as a part of a host: it dials from the port that the shell listens on, at the moment that was
 * agreed. What comes out as HF_HOST_SAID of part "dcutr": hf_dcutr_out UPGRADED and FAILED. */
#ifndef HF_HOST_DCUTR_H
#define HF_HOST_DCUTR_H
#include "dcutr.h"
#include "host.h"

#define HF_HOST_DCUTR "dcutr"
/* any_address: as in dcutr.h. The host frees it. HF_NOMEM, HF_LIMIT. */
HF_MUST_USE hf_err hf_host_add_dcutr(hf_host *host, hf_mem *mem, uint32_t tag, bool any_address);
#endif

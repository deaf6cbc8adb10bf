/* host_autonat: AutoNAT, both versions (autonat.h, autonat2.h), as a part of a host: it dials for others, has others dial us, and brings what both come to under
 * one head. Version 2 counts where it has come to something, for its yes is proved; else version 1. What comes out as HF_HOST_SAID of part "autonat":
 * hf_host_reach, whenever it has changed. Peers that close the connection they are asked over (js-libp2p's version 1) are not asked by version 1. */
#ifndef HF_HOST_AUTONAT_H
#define HF_HOST_AUTONAT_H
#include "autonat2.h"
#include "host.h"

#define HF_HOST_AUTONAT "autonat"
enum { HF_HOST_AUTONAT_TAGS = 1 + HF_AUTONAT2_TAGS, HF_HOST_REACH_ADDRS_MAX = 8 };

typedef struct hf_host_reach {
    hf_autonat_reach reach;
    bool leans_private;      /* not sure, but somebody tried and did not reach us, and nobody did: a reservation at a relay is worth its while */
    const hf_bytes *addrs;   /* binary multiaddrs at which others reach us (PUBLIC); valid until the next call */
    size_t n_addrs;
} hf_host_reach;

typedef struct hf_host_autonat hf_host_autonat;
/* Tags `tag` … + 2. *ret_autonat is for looking; the host frees it. HF_NOMEM, HF_LIMIT. */
HF_MUST_USE hf_err hf_host_add_autonat(hf_host *host, hf_mem *mem, uint32_t tag, const hf_autonat2_config *config, hf_host_autonat **ret_autonat);
void hf_host_autonat_look(hf_host_autonat *autonat, uint64_t now_ms, hf_host_reach *ret);
#endif

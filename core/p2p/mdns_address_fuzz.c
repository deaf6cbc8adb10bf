/* An address that somebody on the LAN announces: what may be dialled is near, and a TCP address of a peer. And what any address says about its reach. */
#include "mdns_address.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/multiaddr.h"
#include "reach.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(hf_bytes binary) {
    hf_mdns_address a;
    hf_err err = hf_mdns_address_read(&mem, binary, &a);
    hf_bytes ip = hf_reach_ip(binary);
    HF_ASSERT(ip.len == 0 || ip.len == 4 || ip.len == 16);
    if (hf_reach_is_dialable(binary, HF_BYTES(NULL, 0), false)) HF_ASSERT(hf_reach_is_public_ip(ip));
    if (err) return;
    HF_ASSERT(a.peer.len && a.reach < HF_MDNS_NOWHERE && !hf_reach_is_public_ip(HF_BYTES(a.ip, a.v6 ? 16 : 4)));
    HF_ASSERT(a.reach == (a.v6 ? hf_mdns_reach_ip6(a.ip) : hf_mdns_reach_ip4(a.ip)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes in = HF_BYTES(data, len);
    hf_multiaddr parsed;
    hf_buf binary;
    hf_mdns_address a;
    (void)!hf_mdns_address_read(&mem, in, &a);
    if (!hf_multiaddr_read(in, &parsed, NULL)) check(in);
    hf_buf_init(&binary, &mem);
    if (!hf_multiaddr_parse(in, &binary, NULL)) check(hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
    return 0;
}

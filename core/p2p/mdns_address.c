/* mdns_address: see mdns_address.h. */
#include "mdns_address.h"

#include "../codec/multiaddr.h"

#include <string.h>

hf_mdns_reach hf_mdns_reach_ip4(const uint8_t ip[4]) {
    if (ip[0] == 10 || (ip[0] == 172 && ip[1] >> 4 == 1) || (ip[0] == 192 && ip[1] == 168)) return HF_MDNS_PRIVATE;
    if (ip[0] == 169 && ip[1] == 254) return HF_MDNS_LINK_LOCAL;
    return ip[0] == 127 ? HF_MDNS_LOOPBACK : HF_MDNS_NOWHERE;
}

hf_mdns_reach hf_mdns_reach_ip6(const uint8_t ip[16]) {
    static const uint8_t loopback[16] = {[15] = 1};
    if (ip[0] >> 1 == 0xfc >> 1) return HF_MDNS_PRIVATE;
    if (ip[0] == 0xfe && ip[1] >> 6 == 0x80 >> 6) return HF_MDNS_LINK_LOCAL;
    return memcmp(ip, loopback, sizeof loopback) ? HF_MDNS_NOWHERE : HF_MDNS_LOOPBACK;
}

static hf_err judge(const hf_multiaddr *parts, hf_mdns_address *ret) {
    if (parts->n != 3 || parts->parts[1].code != HF_MA_TCP || parts->parts[2].code != HF_MA_P2P) return HF_DENIED;
    hf_bytes ip = parts->parts[0].value, port = parts->parts[1].value;
    hf_mdns_address address = {.v6 = parts->parts[0].code == HF_MA_IP6};
    if (!address.v6 && parts->parts[0].code != HF_MA_IP4) return HF_DENIED;
    address.reach = address.v6 ? hf_mdns_reach_ip6(ip.ptr) : hf_mdns_reach_ip4(ip.ptr);
    if (address.reach == HF_MDNS_NOWHERE || !(port.ptr[0] | port.ptr[1])) return HF_DENIED;
    memcpy(address.ip, ip.ptr, ip.len);
    hf_err err = hf_peer_id_read(parts->parts[2].value, &address.peer);
    if (!err) *ret = address;
    return err;
}

hf_err hf_mdns_address_read(hf_mem *mem, hf_bytes multiaddr, hf_mdns_address *ret) {
    hf_buf binary;
    hf_multiaddr parts;
    hf_buf_init(&binary, mem);
    hf_err err = hf_multiaddr_parse(multiaddr, &binary, NULL);
    if (!err) err = hf_multiaddr_read(hf_buf_bytes(&binary), &parts, NULL);
    if (!err) err = judge(&parts, ret);
    hf_buf_deinit(&binary);
    return err;
}

/* reach: see reach.h. */
#include "reach.h"

#include "../codec/multiaddr.h"
#include "kad_address.h"

#include <string.h>

hf_bytes hf_reach_ip(hf_bytes multiaddr) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(multiaddr, &ma, NULL) || !ma.n) return HF_BYTES(NULL, 0);
    bool is_ip = ma.parts[0].code == HF_MA_IP4 || ma.parts[0].code == HF_MA_IP6;
    return is_ip ? ma.parts[0].value : HF_BYTES(NULL, 0);
}

static bool is_in(const uint8_t *ip, const uint8_t *net, unsigned bits) {
    if (memcmp(ip, net, bits / 8)) return false;
    unsigned rest = bits % 8;
    return !rest || (ip[bits / 8] ^ net[bits / 8]) >> (8 - rest) == 0;
}

static const struct {
    uint8_t net[4], bits;
} special4[] = {
    {{0}, 8},           {{10}, 8},          {{100, 64}, 10},      {{127}, 8},          {{169, 254}, 16},
    {{172, 16}, 12},    {{192, 0, 0}, 24},  {{192, 0, 2}, 24},    {{192, 88, 99}, 24}, {{192, 168}, 16},
    {{198, 18}, 15},    {{198, 51, 100}, 24}, {{203, 0, 113}, 24}, {{224}, 3}, /* multicast and reserved */
};

static bool is_public4(const uint8_t *ip) {
    for (size_t i = 0; i < HF_COUNT(special4); i++)
        if (is_in(ip, special4[i].net, special4[i].bits)) return false;
    return true;
}

static bool is_public6(const uint8_t *ip) {
    static const uint8_t global[] = {0x20}, documentation[] = {0x20, 0x01, 0x0d, 0xb8}, special[] = {0x20, 0x01, 0x00};
    static const uint8_t six_to_four[] = {0x20, 0x02}, documentation2[] = {0x3f, 0xff, 0x00};
    return is_in(ip, global, 3) && !is_in(ip, documentation, 32) && !is_in(ip, special, 23) &&
           !is_in(ip, six_to_four, 16) && !is_in(ip, documentation2, 20);
}

bool hf_reach_is_public_ip(hf_bytes ip) {
    if (ip.len == 4) return is_public4(ip.ptr);
    return ip.len == 16 && is_public6(ip.ptr);
}

static bool has_place(const hf_multiaddr *ma, bool any) {
    uint32_t code = ma->parts[0].code;
    if (code == HF_MA_IP4 || code == HF_MA_IP6) return any || hf_reach_is_public_ip(ma->parts[0].value);
    return any && (code == HF_MA_DNS || code == HF_MA_DNS4 || code == HF_MA_DNS6);
}

bool hf_reach_is_dialable(hf_bytes multiaddr, hf_bytes peer, bool any) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(multiaddr, &ma, NULL) || ma.n < 2 || !has_place(&ma, any)) return false;
    hf_bytes port = ma.parts[1].value;
    if (ma.parts[1].code != HF_MA_TCP || port.len != 2 || !(port.ptr[0] | port.ptr[1])) return false;
    if (hf_multiaddr_find(&ma, HF_MA_P2P_CIRCUIT)) return false;
    const hf_multiaddr_part *named = hf_multiaddr_find(&ma, HF_MA_P2P);
    return !named || hf_eq(named->value, peer);
}

/* 0.0.0.0 and what is reserved is this machine's own business. */
static hf_kad_scope scope_of(hf_bytes multiaddr) {
    hf_kad_scope scope = hf_kad_scope_of(multiaddr);
    return scope == HF_KAD_NOWHERE ? HF_KAD_LOOPBACK : scope;
}

static bool is_placeless_relayed(hf_bytes multiaddr) {
    hf_multiaddr ma;
    return !hf_multiaddr_read(multiaddr, &ma, NULL) && ma.n && ma.parts[0].code == HF_MA_P2P && hf_multiaddr_find(&ma, HF_MA_P2P_CIRCUIT);
}

bool hf_reach_concerns(hf_bytes multiaddr, hf_bytes remote) {
    hf_kad_scope from = remote.len ? scope_of(remote) : HF_KAD_PUBLIC;
    return scope_of(multiaddr) >= from || is_placeless_relayed(multiaddr);
}

static bool is_usual_port(hf_bytes multiaddr) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(multiaddr, &ma, NULL)) return false;
    for (size_t i = 0; i < ma.n; i++) {
        hf_bytes port = ma.parts[i].value;
        if (ma.parts[i].code != HF_MA_TCP && ma.parts[i].code != HF_MA_UDP) continue;
        unsigned number = (unsigned)port.ptr[0] << 8 | port.ptr[1];
        if (number < 1024 && number != 80 && number != 443) return false;
    }
    return true;
}

/* One link's own addresses are another link's nobody, or its cloud's front desk. */
static bool is_link_local(hf_bytes multiaddr) {
    static const uint8_t link4[] = {169, 254}, link6[] = {0xfe, 0x80};
    hf_bytes ip = hf_reach_ip(multiaddr);
    return (ip.len == 4 && is_in(ip.ptr, link4, 16)) || (ip.len == 16 && is_in(ip.ptr, link6, 10));
}

bool hf_reach_is_believed(hf_bytes multiaddr, hf_bytes remote) {
    if (is_link_local(multiaddr) && !is_link_local(remote) && scope_of(remote) != HF_KAD_LOOPBACK) return false;
    bool far = !remote.len || scope_of(remote) == HF_KAD_PUBLIC;
    return hf_reach_concerns(multiaddr, remote) && (!far || is_usual_port(multiaddr));
}

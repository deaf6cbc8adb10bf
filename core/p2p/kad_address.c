/* kad_address: see kad_address.h. */
#include "kad_address.h"

#include "../codec/multiaddr.h"
#include "../crypto/crypto.h"

#include <string.h>

/* ---- where an address is ---- */

typedef struct net {
    uint8_t prefix[4], bits;
    hf_kad_scope scope;
} net;

/* IANA's special-purpose registry, as far as it tells what can be dialled from where. */
static const net nets4[] = {
    {{127, 0, 0, 0}, 8, HF_KAD_LOOPBACK},    {{10, 0, 0, 0}, 8, HF_KAD_PRIVATE},
    {{172, 16, 0, 0}, 12, HF_KAD_PRIVATE},   {{192, 168, 0, 0}, 16, HF_KAD_PRIVATE},
    {{100, 64, 0, 0}, 10, HF_KAD_PRIVATE},   {{169, 254, 0, 0}, 16, HF_KAD_PRIVATE},
    {{0, 0, 0, 0}, 8, HF_KAD_NOWHERE},       {{192, 0, 0, 0}, 24, HF_KAD_NOWHERE},
    {{192, 0, 2, 0}, 24, HF_KAD_NOWHERE},    {{198, 18, 0, 0}, 15, HF_KAD_NOWHERE},
    {{198, 51, 100, 0}, 24, HF_KAD_NOWHERE}, {{203, 0, 113, 0}, 24, HF_KAD_NOWHERE},
    {{224, 0, 0, 0}, 3, HF_KAD_NOWHERE},
};

static bool within(const uint8_t *ip, const uint8_t *prefix, unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    if (memcmp(ip, prefix, whole) != 0) return false;
    return !rest || !((ip[whole] ^ prefix[whole]) >> (8 - rest));
}

static hf_kad_scope scope4(const uint8_t *ip) {
    for (size_t i = 0; i < HF_COUNT(nets4); i++)
        if (within(ip, nets4[i].prefix, nets4[i].bits)) return nets4[i].scope;
    return HF_KAD_PUBLIC;
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static hf_kad_scope scope6(const uint8_t *ip) {
    static const uint8_t loopback[16] = {[15] = 1};
    if (memcmp(ip, loopback, sizeof loopback) == 0) return HF_KAD_LOOPBACK;
    if (within(ip, mapped, 96)) return scope4(ip + 12);
    if (within(ip, (const uint8_t[]){0xfe, 0x80}, 10) || within(ip, (const uint8_t[]){0xfc}, 7)) return HF_KAD_PRIVATE;
    if (within(ip, (const uint8_t[]){0x20, 0x01, 0x0d, 0xb8}, 32)) return HF_KAD_NOWHERE;
    if (within(ip, (const uint8_t[]){0, 0x64, 0xff, 0x9b}, 32)) return scope4(ip + 12); /* NAT64 leads to an IPv4 address, */
    if (within(ip, (const uint8_t[]){0x20, 0x02}, 16)) return scope4(ip + 2);           /* and so does 6to4 */
    return within(ip, (const uint8_t[]){0x20}, 3) ? HF_KAD_PUBLIC : HF_KAD_NOWHERE;
}

static bool ends(hf_bytes name, hf_bytes with) {
    return name.len >= with.len && hf_eq(hf_sub(name, name.len - with.len, with.len), with);
}

static hf_kad_scope scope_of_name(hf_bytes name) {
    if (hf_eq(name, HF_TEXT("localhost")) || ends(name, HF_TEXT(".localhost"))) return HF_KAD_LOOPBACK;
    return ends(name, HF_TEXT(".local")) ? HF_KAD_PRIVATE : HF_KAD_PUBLIC;
}

static hf_kad_scope scope_of_parts(const hf_multiaddr *a) {
    const hf_multiaddr_part *p = &a->parts[a->n && a->parts[0].code == HF_MA_IP6ZONE ? 1 : 0];
    if (p >= a->parts + a->n) return HF_KAD_NOWHERE;
    switch (p->code) {
    case HF_MA_IP4:
        return scope4(p->value.ptr);
    case HF_MA_IP6:
        return scope6(p->value.ptr);
    case HF_MA_DNS:
    case HF_MA_DNS4:
    case HF_MA_DNS6:
    case HF_MA_DNSADDR:
        return scope_of_name(p->value);
    default:
        return HF_KAD_NOWHERE;
    }
}

hf_kad_scope hf_kad_scope_of(hf_bytes address) {
    hf_multiaddr a;
    return hf_multiaddr_read(address, &a, NULL) ? HF_KAD_NOWHERE : scope_of_parts(&a);
}

/* ---- groups ---- */

static hf_kad_group group(uint8_t kind, const uint8_t *bytes, uint8_t len, uint8_t whole, hf_kad_scope scope) {
    hf_kad_group g = {.len = (uint8_t)(len + 1), .whole = (uint8_t)(whole + 1), .bytes = {kind}, .scope = scope};
    memcpy(g.bytes + 1, bytes, whole);
    return g;
}

hf_kad_group hf_kad_group_of(hf_bytes address) {
    hf_multiaddr a;
    hf_kad_scope scope = hf_multiaddr_read(address, &a, NULL) ? HF_KAD_NOWHERE : scope_of_parts(&a);
    if (scope == HF_KAD_NOWHERE) return (hf_kad_group){.len = 0};
    hf_bytes value = a.parts[a.parts[0].code == HF_MA_IP6ZONE].value;
    const hf_multiaddr_part *ip6 = hf_multiaddr_find(&a, HF_MA_IP6);
    if (a.parts[0].code == HF_MA_IP4) return group(4, value.ptr, 3, 4, scope);
    if (ip6 && ip6 <= &a.parts[1] && within(value.ptr, mapped, 96)) return group(4, value.ptr + 12, 3, 4, scope);
    if (ip6 && ip6 <= &a.parts[1]) return group(6, value.ptr, 6, 8, scope);
    uint8_t digest[32];
    hf_sha256_of(value, digest);
    return group(0, digest, 8, 8, scope);
}

bool hf_kad_group_eq(const hf_kad_group *a, const hf_kad_group *b) {
    return a->len && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

bool hf_kad_group_same_address(const hf_kad_group *a, const hf_kad_group *b) {
    return hf_kad_group_eq(a, b) && a->whole > a->len && memcmp(a->bytes, b->bytes, a->whole) == 0;
}

/* ---- lists ---- */

hf_bytes hf_kad_addresses_packed(const hf_kad_addresses *list) {
    return HF_BYTES(list->packed, list->len);
}

size_t hf_kad_addresses_views(const hf_kad_addresses *list, hf_bytes ret[HF_KAD_ADDRESSES_MAX]) {
    size_t at = 0;
    for (size_t i = 0; i < list->n; i++) {
        uint16_t len;
        memcpy(&len, list->packed + at, sizeof len);
        ret[i] = HF_BYTES(list->packed + at + sizeof len, len);
        at += sizeof len + len;
    }
    return list->n;
}

static bool is_for(const hf_peer_id *peer, hf_bytes address, unsigned takes) {
    hf_multiaddr a;
    if (hf_multiaddr_read(address, &a, NULL) || !(takes >> scope_of_parts(&a) & 1)) return false;
    const hf_multiaddr_part *last = &a.parts[a.n - 1];
    return last->code != HF_MA_P2P || hf_eq(last->value, hf_peer_id_bytes(peer));
}

static bool is_listed(const hf_kad_addresses *list, hf_bytes address) {
    hf_bytes views[HF_KAD_ADDRESSES_MAX];
    size_t n = hf_kad_addresses_views(list, views), i = 0;
    while (i < n && !hf_eq(views[i], address)) i++;
    return i < n;
}

hf_err hf_kad_addresses_add(hf_mem *mem, hf_kad_addresses *list, unsigned takes, const hf_peer_id *peer,
                            hf_bytes address) {
    size_t need = list->len + sizeof(uint16_t) + address.len;
    if (list->n == HF_KAD_ADDRESSES_MAX || !address.len || need > HF_KAD_ADDRESSES_BYTES_MAX) return HF_OK;
    if (!is_for(peer, address, takes & ~1u) || is_listed(list, address)) return HF_OK;
    uint8_t *p = mem->resize(mem->ctx, list->packed, list->len, need);
    if (!p) return HF_NOMEM;
    uint16_t len = (uint16_t)address.len;
    memcpy(p + list->len, &len, sizeof len);
    memcpy(p + list->len + sizeof len, address.ptr, len);
    *list = (hf_kad_addresses){p, (uint16_t)need, (uint16_t)(list->n + 1)};
    return HF_OK;
}

void hf_kad_addresses_clear(hf_mem *mem, hf_kad_addresses *list) {
    hf_release(mem, list->packed, list->len);
    *list = (hf_kad_addresses){NULL, 0, 0};
}

hf_err hf_kad_addresses_copy(hf_mem *mem, hf_kad_addresses *list, const hf_kad_addresses *from) {
    uint8_t *p = from->len ? hf_alloc(mem, from->len) : NULL;
    if (from->len && !p) return HF_NOMEM;
    if (p) memcpy(p, from->packed, from->len);
    hf_kad_addresses_clear(mem, list);
    *list = (hf_kad_addresses){p, from->len, from->n};
    return HF_OK;
}

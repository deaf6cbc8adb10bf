/* p2pd_address: see p2pd_address.h. */
#include "p2pd_address.h"

#include "../core/codec/ip.h"
#include "interfaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* ---- from an address ---- */

bool hf_p2pd_read_tcp(hf_bytes address, hf_multiaddr *ret, uint16_t *ret_port) {
    if (hf_multiaddr_read(address, ret, NULL) || ret->n < 2 || ret->n > 3 || ret->parts[1].code != HF_MA_TCP) return false;
    if (ret->n == 3 && ret->parts[2].code != HF_MA_WS) return false;
    *ret_port = (uint16_t)(ret->parts[1].value.ptr[0] << 8 | ret->parts[1].value.ptr[1]);
    uint32_t code = ret->parts[0].code;
    return code == HF_MA_IP4 || code == HF_MA_IP6 || code == HF_MA_DNS || code == HF_MA_DNS4 || code == HF_MA_DNS6;
}

bool hf_p2pd_read_rtc(hf_bytes address, hf_multiaddr *ret, uint16_t *ret_port) {
    if (hf_multiaddr_read(address, ret, NULL) || ret->n != 3 || ret->parts[1].code != HF_MA_UDP || ret->parts[2].code != HF_MA_WEBRTC_DIRECT) return false;
    *ret_port = (uint16_t)(ret->parts[1].value.ptr[0] << 8 | ret->parts[1].value.ptr[1]);
    return true;
}

bool hf_p2pd_sockaddr_of(const hf_multiaddr_part *host, uint16_t port, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    v4->sin_port = htons(port);
    ret->ss_family = host->code == HF_MA_IP6 ? AF_INET6 : AF_INET;
    if (host->code == HF_MA_IP4) memcpy(&v4->sin_addr, host->value.ptr, 4);
    if (host->code == HF_MA_IP6) memcpy(&v6->sin6_addr, host->value.ptr, 16);
    return host->code == HF_MA_IP4 || host->code == HF_MA_IP6;
}

/* ---- to an address ---- */

void hf_p2pd_add_place(hf_buf *ret, const struct sockaddr_storage *address, const char *protocol, hf_bytes rest) {
    char host[64], text[256];
    bool v6 = address->ss_family == AF_INET6;
    if (v6) uv_ip6_name((const struct sockaddr_in6 *)address, host, sizeof host);
    else uv_ip4_name((const struct sockaddr_in *)address, host, sizeof host);
    unsigned port = ntohs(((const struct sockaddr_in *)address)->sin_port); /* the same place in both families */
    snprintf(text, sizeof text, "/%s/%s/%s/%u%.*s", v6 ? "ip6" : "ip4", host, protocol, port, (int)rest.len, (const char *)rest.ptr);
    if (hf_multiaddr_parse(hf_str(text), ret, NULL)) hf_buf_clear(ret);
}

static size_t add_address(const hf_p2pd_telling *t, const struct sockaddr_storage *address, hf_bytes *ret) {
    hf_buf binary;
    hf_buf_init(&binary, t->mem);
    hf_p2pd_add_place(&binary, address, t->protocol, t->rest);
    *ret = hf_arena_copy(t->arena, hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
    return ret->len > 0;
}

static bool is_any(const struct sockaddr_storage *address) {
    static const uint8_t zero[16];
    if (address->ss_family == AF_INET) return ((const struct sockaddr_in *)address)->sin_addr.s_addr == 0;
    return !memcmp(&((const struct sockaddr_in6 *)address)->sin6_addr, zero, 16);
}

/* Listening everywhere means at the address of each interface; link-local ones (fe80::) say nothing to others. */
static size_t add_interfaces(const hf_p2pd_telling *t, const struct sockaddr_storage *any, hf_bytes *ret, size_t n_max) {
    uv_interface_address_t *found;
    int n_found;
    size_t n = 0;
    if (hf_interfaces(&found, &n_found)) return 0;
    for (int i = 0; i < n_found && n < n_max; i++) {
        struct sockaddr_storage address = {.ss_family = any->ss_family};
        if (found[i].address.address4.sin_family != any->ss_family) continue;
        if (any->ss_family == AF_INET) memcpy(&address, &found[i].address.address4, sizeof(struct sockaddr_in));
        else memcpy(&address, &found[i].address.address6, sizeof(struct sockaddr_in6));
        const uint8_t *v6 = (const uint8_t *)&((struct sockaddr_in6 *)&address)->sin6_addr;
        if (any->ss_family == AF_INET6 && v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80) continue;
        ((struct sockaddr_in *)&address)->sin_port = ((const struct sockaddr_in *)any)->sin_port;
        n += add_address(t, &address, &ret[n]);
    }
    free(found);
    return n;
}

size_t hf_p2pd_add_listener(const hf_p2pd_telling *t, const struct sockaddr_storage *address, hf_bytes *ret, size_t n_max) {
    if (!n_max) return 0;
    return is_any(address) ? add_interfaces(t, address, ret, n_max) : add_address(t, address, ret);
}

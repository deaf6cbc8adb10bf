/* describe: see describe.h. */
#include "describe.h"

#include "../core/codec/json.h"
#include "http.h"
#include "interfaces.h"
#include "lock.h"
#include "p2p.h"
#include "rtc.h"
#include "tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ADDRESSES_MAX = 16, ADDRESS_MAX = 256 };

typedef struct addresses { size_t n; char text[ADDRESSES_MAX][ADDRESS_MAX]; } addresses;

void hf_describe_self(hf_node *node) {
    hf_buf id;
    hf_buf_init(&id, &node->mem);
    hf_peer_id_add_text(&id, hf_core_self(node->core));
    snprintf(node->peer_id, sizeof node->peer_id, "%.*s", (int)id.len, (const char *)id.ptr);
    hf_buf_deinit(&id);
}

/* What follows an IP address in one of ours. */
typedef struct place { const char *listen; char rest[ADDRESS_MAX - 64]; } place;

static void add(const hf_node *node, const place *p, const char *host, addresses *ret) {
    if (ret->n == ADDRESSES_MAX) return;
    const char *family = strchr(host, ':') ? "ip6" : "ip4";
    int len = snprintf(ret->text[ret->n], ADDRESS_MAX, "/%s/%s%s/p2p/%s", family, host, p->rest, node->peer_id);
    ret->n += len > 0 && len < ADDRESS_MAX;
}

/* One that listens everywhere has the addresses of its interfaces. IPv6 ones that only mean something on one link are left out. */
static void add_interfaces(const hf_node *node, const place *p, bool v6, addresses *ret) {
    uv_interface_address_t *all;
    int n;
    if (hf_interfaces(&all, &n)) return;
    for (int i = 0; i < n; i++) {
        char host[64];
        const struct sockaddr_in6 *six = &all[i].address.address6;
        if (all[i].is_internal) continue;
        if (six->sin6_family == AF_INET && !uv_ip4_name(&all[i].address.address4, host, sizeof host)) add(node, p, host, ret);
        if (v6 && six->sin6_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(&six->sin6_addr) && !uv_ip6_name(six, host, sizeof host)) add(node, p, host, ret);
    }
    free(all);
}

static void add_place(const hf_node *node, const place *p, addresses *ret) {
    bool any6 = !strcmp(p->listen, "::");
    size_t before = ret->n;
    if (strcmp(p->listen, "0.0.0.0") && !any6) return add(node, p, p->listen, ret);
    add_interfaces(node, p, any6, ret);
    if (ret->n == before) add(node, p, "127.0.0.1", ret);
}

void hf_describe_rtc(const hf_node *node, char *ret, size_t cap) {
    hf_buf certhash;
    hf_buf_init(&certhash, (hf_mem *)(uintptr_t)&node->mem);
    hf_rtc_add_certhash(node->rtc, &certhash);
    snprintf(ret, cap, "/udp/%d%.*s", hf_rtc_port(node->rtc), (int)certhash.len, (const char *)certhash.ptr);
    hf_buf_deinit(&certhash);
}

static bool is_loopback(const char *host) { return !strncmp(host, "127.", 4) || !strcmp(host, "::1") || !strcmp(host, "localhost"); }

/* The HTTP port takes peers over WebSocket. With TLS it does so under the names of its certificate, which the operator knows (--announce); and what listens
 * on this machine alone stands behind a proxy, unless the node's other addresses are such, too. */
bool hf_describe_has_wsock(const hf_node *node) {
    const hf_options *o = node->options;
    bool ip = strchr(o->http_host, ':') || (o->http_host[0] >= '0' && o->http_host[0] <= '9');
    return node->http && !o->tls_cert && ip && (!is_loopback(o->http_host) || is_loopback(o->p2p_host));
}

static void collect(const hf_node *node, addresses *ret) {
    place tcp = {.listen = node->options->p2p_host}, rtc = {.listen = node->options->webrtc_host}, wsock = {.listen = node->options->http_host};
    ret->n = 0;
    snprintf(tcp.rest, sizeof tcp.rest, "/tcp/%d", hf_tcp_port(node->tcp));
    if (hf_tcp_port(node->tcp)) add_place(node, &tcp, ret);
    if (hf_rtc_port(node->rtc)) {
        hf_describe_rtc(node, rtc.rest, sizeof rtc.rest);
        add_place(node, &rtc, ret);
    }
    snprintf(wsock.rest, sizeof wsock.rest, "/tcp/%d/ws", node->http ? hf_http_port(node->http) : 0);
    if (ret->n && hf_describe_has_wsock(node)) add_place(node, &wsock, ret);
}

void hf_describe_first_address(const hf_node *node, hf_buf *buf) {
    addresses found;
    collect(node, &found);
    if (found.n) hf_buf_add_str(buf, found.text[0]);
}

void hf_describe_each_address(const hf_node *node, void (*each)(void *ctx, const char *text), void *ctx) {
    addresses found;
    collect(node, &found);
    for (size_t i = 0; i < found.n; i++) each(ctx, found.text[i]);
}

static void add_addresses(const hf_node *node, hf_buf *buf) {
    addresses found;
    collect(node, &found);
    hf_buf_add_str(buf, "\"addresses\":[");
    for (size_t i = 0; i < found.n; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, hf_str(found.text[i]));
    }
    hf_buf_add_byte(buf, ']');
}

void hf_describe_site(const hf_node *node, hf_buf *buf) {
    const hf_options *o = node->options;
    hf_buf_add_byte(buf, '{');
    hf_core_describe(node->core, buf);
    hf_buf_add_byte(buf, ',');
    add_addresses(node, buf);
    hf_buf_add_str(buf, ",\"siblings\":[");
    for (size_t i = 0; i < o->n_sibling; i++) {
        hf_buf_add_str(buf, i ? ",{\"url\":" : "{\"url\":");
        hf_json_add_text(buf, hf_str(o->sibling[i]));
        hf_buf_add_str(buf, ",\"peerId\":\"\"}");
    }
    hf_buf_add_str(buf, "],\"relays\":[");
    for (size_t i = 0; i < o->n_relay; i++) {
        if (i) hf_buf_add_byte(buf, ',');
        hf_json_add_text(buf, hf_str(o->relay[i]));
    }
    hf_buf_add_str(buf, "],\"p2p\":");
    hf_p2p_describe(node->p2p, buf);
    hf_buf_add_str(buf, "}\n");
}

bool hf_describe_to_lock(const hf_node *node) {
    hf_mem mem = node->mem;
    hf_buf text;
    hf_buf_init(&text, &mem);
    hf_buf_add_str(&text, "{\"peerId\":");
    hf_json_add_text(&text, hf_str(node->peer_id));
    hf_buf_add_byte(&text, ',');
    add_addresses(node, &text);
    hf_buf_add_str(&text, "}\n");
    bool done = !text.err && hf_lock_write(node->lock, hf_buf_bytes(&text));
    hf_buf_deinit(&text);
    return done;
}

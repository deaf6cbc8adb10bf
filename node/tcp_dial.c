/* tcp_dial: channels that the core asks for; from which port they leave. See tcp_private.h. */
#include "tcp_private.h"

#include "../core/codec/multiaddr.h"
#include "../core/p2p/reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the port ---- */

static bool is_public(const struct sockaddr *target) {
    if (target->sa_family == AF_INET) return hf_reach_is_public_ip(HF_BYTES(&((const struct sockaddr_in *)target)->sin_addr, 4));
    return target->sa_family == AF_INET6 && hf_reach_is_public_ip(HF_BYTES(&((const struct sockaddr_in6 *)target)->sin6_addr, 16));
}

/* A socket that is bound to where we listen; -1: that cannot be. */
static int own_socket(const hf_tcp *tcp, int family) {
    struct sockaddr_storage local;
    int len = sizeof local, on = 1;
    if (!tcp->listening || uv_tcp_getsockname(&tcp->listener, (struct sockaddr *)&local, &len) || local.ss_family != family) return -1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    bool bound = !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) && !setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) &&
                 !bind(fd, (struct sockaddr *)&local, (socklen_t)len);
    if (bound) return fd;
    close(fd);
    return -1;
}

int hf_wire_connect(wire *l, const struct sockaddr *target, hf_host_port from, uv_connect_cb done) {
    bool own = from == HF_HOST_PORT_OWN || (from == HF_HOST_PORT_ANY && is_public(target));
    int fd = own ? own_socket(l->tcp, target->sa_family) : -1;
    if (fd >= 0 && uv_tcp_open(&l->socket, fd)) close(fd);
    return uv_tcp_connect(&l->connect, &l->socket, target, done);
}

bool hf_wire_is_port_trouble(int status) { return status == UV_EADDRNOTAVAIL || status == UV_EADDRINUSE; }

/* ---- calls ---- */

static void free_if_done(call *c) {
    if (!c->closed || c->looking) return;
    call **at = &c->tcp->calls;
    while (*at != c) at = &(*at)->next;
    *at = c->next;
    free(c);
}

static void on_closed(uv_handle_t *handle) {
    call *c = handle->data;
    c->closed = true;
    free_if_done(c);
}

/* Nobody is told. */
static void end(call *c) {
    wire *l = c->wire;
    c->dial = 0;
    c->wire = NULL;
    if (l) l->call = NULL;
    if (!uv_is_closing((uv_handle_t *)&c->timer)) uv_close((uv_handle_t *)&c->timer, on_closed);
}

static void fail(call *c, const char *why) {
    hf_node *node = c->tcp->node;
    uint64_t dial = c->dial;
    end(c);
    if (dial && node->core) hf_host_dial_failed(hf_core_host(node->core), hf_node_now(node), dial, why);
}

void hf_call_failed(call *c, const char *why) {
    hf_node *node = c->tcp->node;
    fail(c, why);
    hf_node_pump(node);
}

static const char *reason_of(int status) {
    switch (status) {
    case UV_ECONNREFUSED: return "connection refused";
    case UV_ETIMEDOUT: return "the address did not answer in time";
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH: return "the address is out of reach";
    default: return "the connection could not be made";
    }
}

static void go(call *c, hf_host_port from);

static void on_connected(uv_connect_t *request, int status) {
    wire *l = request->data;
    call *c = l->call;
    if (l->closing || !c) return hf_wire_shut(l);
    bool again = hf_wire_is_port_trouble(status) && c->from == HF_HOST_PORT_ANY && !l->any_port;
    l->call = NULL;
    c->wire = NULL;
    if (status) {
        hf_wire_shut(l);
        if (again) go(c, HF_HOST_PORT_FRESH);
        else hf_call_failed(c, reason_of(status));
        return;
    }
    uint64_t dial = c->dial;
    end(c);
    hf_wire_begin(l, dial, true, NULL);
}

static void go(call *c, hf_host_port from) {
    wire *l = c->tcp->closing ? NULL : hf_wire_new(c->tcp);
    if (!l) return hf_call_failed(c, "out of memory");
    l->call = c;
    l->any_port = from == HF_HOST_PORT_FRESH;
    l->connect.data = l;
    c->wire = l;
    if (hf_wire_connect(l, (struct sockaddr *)&c->target, from, on_connected)) hf_wire_shut(l);
}

static void on_time(uv_timer_t *timer) {
    call *c = timer->data;
    if (c->dial && !c->wire) go(c, c->from);
}

/* A name that came from others leads out, not to this machine or into its network. */
static const struct addrinfo *first_allowed(const call *c, const struct addrinfo *found) {
    while (found && !c->tcp->node->options->private_network && !is_public(found->ai_addr)) found = found->ai_next;
    return found;
}

static void on_address(uv_getaddrinfo_t *lookup, int status, struct addrinfo *all) {
    call *c = lookup->data;
    const struct addrinfo *found = status ? NULL : first_allowed(c, all);
    c->looking = false;
    if (!c->dial) free_if_done(c);
    else if (status || !all) hf_call_failed(c, "the name of the address is not known");
    else if (!found) hf_call_failed(c, "the name of the address leads to no public place");
    else {
        memcpy(&c->target, found->ai_addr, found->ai_addrlen);
        ((struct sockaddr_in *)&c->target)->sin_port = htons(c->port); /* the same place in both families */
        go(c, c->from);
    }
    uv_freeaddrinfo(all);
}

/* /ip4|ip6|dns|dns4|dns6/HOST/tcp/PORT */
static bool read_tcp(hf_bytes address, hf_multiaddr *ret, uint16_t *ret_port) {
    if (hf_multiaddr_read(address, ret, NULL) || ret->n < 2 || ret->parts[1].code != HF_MA_TCP) return false;
    if (ret->n > 3 || (ret->n == 3 && ret->parts[2].code != HF_MA_P2P)) return false;
    *ret_port = (uint16_t)(ret->parts[1].value.ptr[0] << 8 | ret->parts[1].value.ptr[1]);
    uint32_t code = ret->parts[0].code;
    return *ret_port && (code == HF_MA_IP4 || code == HF_MA_IP6 || code == HF_MA_DNS || code == HF_MA_DNS4 || code == HF_MA_DNS6);
}

bool hf_tcp_can_dial(void *ctx, hf_bytes address) {
    hf_multiaddr parts;
    uint16_t port;
    (void)ctx;
    return read_tcp(address, &parts, &port);
}

static bool fill_sockaddr(const hf_multiaddr_part *host, uint16_t port, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    v4->sin_port = htons(port);
    ret->ss_family = host->code == HF_MA_IP6 ? AF_INET6 : AF_INET;
    if (host->code == HF_MA_IP4) memcpy(&v4->sin_addr, host->value.ptr, 4);
    if (host->code == HF_MA_IP6) memcpy(&v6->sin6_addr, host->value.ptr, 16);
    return host->code == HF_MA_IP4 || host->code == HF_MA_IP6;
}

static void look_up(call *c, const hf_multiaddr_part *host) {
    char name[256];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    snprintf(name, sizeof name, "%.*s", (int)host->value.len, (const char *)host->value.ptr);
    hints.ai_family = host->code == HF_MA_DNS4 ? AF_INET : host->code == HF_MA_DNS6 ? AF_INET6 : AF_UNSPEC;
    c->looking = !uv_getaddrinfo(c->tcp->node->loop, &c->lookup, on_address, name, NULL, &hints);
    if (!c->looking) fail(c, "the name of the address cannot be looked up");
}

/* While the core is drained: nothing here may drain it. */
void hf_tcp_dial(hf_node *node, const hf_out *out) {
    hf_multiaddr parts;
    uint16_t port = 0;
    hf_tcp *tcp = node->tcp;
    uint64_t now = hf_node_now(node);
    call *c = tcp && !tcp->closing && read_tcp(out->bytes, &parts, &port) ? calloc(1, sizeof *c) : NULL;
    if (!c) return hf_host_dial_failed(hf_core_host(node->core), now, out->dial, "the address cannot be dialled");
    *c = (call){.next = tcp->calls, .tcp = tcp, .dial = out->dial, .from = out->port, .port = port};
    tcp->calls = c;
    uv_timer_init(tcp->node->loop, &c->timer);
    c->timer.data = c->lookup.data = c;
    if (!fill_sockaddr(&parts.parts[0], port, &c->target)) look_up(c, &parts.parts[0]);
    else uv_timer_start(&c->timer, on_time, out->at_ms > now ? out->at_ms - now : 0, 0);
}

static void drop(call *c) {
    wire *l = c->wire;
    end(c);
    if (l) hf_wire_shut(l);
}

void hf_tcp_dial_off(hf_tcp *tcp, uint64_t dial) {
    call *c = tcp ? tcp->calls : NULL;
    while (c && c->dial != dial) c = c->next;
    if (c && dial) drop(c);
}

static bool same_place(const struct sockaddr_storage *a, const struct sockaddr_storage *b) {
    const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;
    if (a->ss_family != b->ss_family || a4->sin_port != b4->sin_port) return false;
    if (a->ss_family == AF_INET) return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
    return !memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr, &((const struct sockaddr_in6 *)b)->sin6_addr, 16);
}

uint64_t hf_call_take(hf_tcp *tcp, const struct sockaddr_storage *remote) {
    call *c = tcp->calls;
    while (c && !(c->dial && c->from == HF_HOST_PORT_OWN && same_place(&c->target, remote))) c = c->next;
    uint64_t dial = c ? c->dial : 0;
    if (c) drop(c);
    return dial;
}

void hf_calls_shut(hf_tcp *tcp) {
    for (call *c = tcp->calls; c; c = c->next) drop(c);
}

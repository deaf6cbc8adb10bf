/* p2pd_net: TCP to peers, and WebSockets over it: see p2pd_private.h. */
#include "p2pd_address.h"
#include "p2pd_private.h"
#include "webrtc.h"
#include "wsock.h"

#include "../core/codec/ip.h"
#include "../core/codec/multiaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads hold several whole Noise messages (64 KiB): only what lies cut at their ends is copied. */
enum { HIGH_WATER = 1 << 20, LOW_WATER = 1 << 18, LISTENERS_MAX = 8, BACKLOG = 1024, READ_BYTES = 512 * 1024, FRAME_BYTES = 64 * 1024 };

typedef struct wire {
    struct wire *next, *prev;
    hf_p2pd_net *net;
    uv_tcp_t socket;
    uv_connect_t connect;
    uv_getaddrinfo_t lookup;
    uint64_t conn, dial; /* 0: none (any more) */
    uint16_t port;
    size_t queued_bytes;
    hf_wsock *ws; /* NULL: plain TCP */
    bool busy, looking, closing, closed;
} wire;

typedef struct write_request { uv_write_t request; wire *wire; size_t len; uint8_t bytes[]; } write_request;

typedef struct listener { uv_tcp_t socket; hf_p2pd_net *net; bool ws; } listener;

struct hf_p2pd_net {
    hf_p2pd *d;
    listener listeners[LISTENERS_MAX];
    size_t n_listeners, n_closed;
    wire *wires;
    hf_map conns; /* number -> wire */
    uint64_t next_conn;
    hf_buf ws_in, ws_out; /* of the WebSocket at hand */
    uint8_t read_buffer[READ_BYTES];
};

/* ---- a wire ---- */

/* Freed when neither the loop nor a look-up comes back to it. */
static void free_if_done(wire *w) {
    if (!w->closed || w->looking) return;
    if (w->next) w->next->prev = w->prev;
    *(w->prev ? &w->prev->next : &w->net->wires) = w->next;
    hf_wsock_free(w->ws);
    free(w);
}

static void on_closed(uv_handle_t *handle) {
    wire *w = handle->data;
    w->closed = true;
    free_if_done(w);
}

static hf_bytes conn_key(const uint64_t *conn) { return HF_BYTES(conn, sizeof *conn); }

/* The host knows nothing of it any more. */
static void forget(wire *w) {
    if (w->conn) hf_map_remove(&w->net->conns, conn_key(&w->conn));
    w->conn = w->dial = 0;
}

/* The host has been told, or need not be. */
static void shut(wire *w) {
    if (w->closing) return;
    w->closing = true;
    forget(w);
    uv_close((uv_handle_t *)&w->socket, on_closed);
}

static void lose(wire *w, const char *why) {
    hf_p2pd *d = w->net->d;
    if (w->closing) return;
    uint64_t conn = w->conn, dial = w->dial;
    shut(w);
    if (conn) hf_host_conn_lost(d->host, hf_p2pd_now(d), conn);
    else if (dial) hf_host_dial_failed(d->host, hf_p2pd_now(d), dial, why);
    hf_p2pd_pump(d);
}

static wire *wire_new(hf_p2pd_net *net) {
    wire *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->net = net;
    uv_tcp_init(net->d->loop, &w->socket);
    w->socket.data = w->connect.data = w->lookup.data = w;
    w->next = net->wires;
    if (w->next) w->next->prev = w;
    net->wires = w;
    return w;
}

static wire *find_wire(const hf_p2pd_net *net, uint64_t conn) { return hf_map_get(&net->conns, conn_key(&conn)); }

/* ---- bytes ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    (void)suggested;
    wire *w = handle->data;
    *ret = uv_buf_init((char *)w->net->read_buffer, sizeof w->net->read_buffer);
}

static void write_bytes(wire *w, hf_bytes bytes);

/* False: the WebSocket is over. What came before its end still counts. */
static bool read_frames(wire *w, hf_bytes bytes, hf_bytes *ret) {
    hf_p2pd_net *net = w->net;
    hf_buf_clear(&net->ws_in);
    hf_buf_clear(&net->ws_out);
    bool goes_on = hf_wsock_recv(w->ws, bytes, &net->ws_in, &net->ws_out);
    if (net->ws_out.len && w->queued_bytes > 2 * HIGH_WATER) return *ret = HF_BYTES(NULL, 0), false; /* pings and does not read */
    write_bytes(w, hf_buf_bytes(&net->ws_out));
    *ret = hf_buf_bytes(&net->ws_in);
    return goes_on;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    wire *w = stream->data;
    hf_p2pd *d = w->net->d;
    if (n < 0) return lose(w, "the connection was lost");
    if (n == 0 || w->closing) return;
    hf_bytes bytes = HF_BYTES(buf->base, (size_t)n);
    bool goes_on = !w->ws || read_frames(w, bytes, &bytes);
    if (w->closing) return;
    if (bytes.len && hf_host_conn_recv(d->host, hf_p2pd_now(d), w->conn, bytes)) return lose(w, "out of memory");
    if (!goes_on) return lose(w, "the WebSocket was closed");
    hf_p2pd_pump(d);
}

static void on_written(uv_write_t *request, int status) {
    write_request *r = (write_request *)request;
    wire *w = r->wire;
    w->queued_bytes -= r->len;
    free(r);
    if (w->closing) return;
    if (status < 0) return lose(w, "the connection was lost");
    if (!w->busy || w->queued_bytes > LOW_WATER) return;
    w->busy = false;
    hf_host_conn_busy(w->net->d->host, hf_p2pd_now(w->net->d), w->conn, false);
    hf_p2pd_pump(w->net->d);
}

static void write_later(wire *w, hf_bytes bytes) {
    write_request *r = malloc(sizeof *r + bytes.len);
    if (!r) return lose(w, "out of memory");
    *r = (write_request){.wire = w, .len = bytes.len};
    memcpy(r->bytes, bytes.ptr, bytes.len);
    uv_buf_t buf = uv_buf_init((char *)r->bytes, (unsigned)bytes.len);
    w->queued_bytes += bytes.len;
    if (!uv_write(&r->request, (uv_stream_t *)&w->socket, &buf, 1, on_written)) return;
    w->queued_bytes -= bytes.len;
    free(r);
}

uint64_t hf_p2pd_net_number(hf_p2pd_net *net) { return ++net->next_conn; }

/* What the system takes at once needs no copy. */
static void write_bytes(wire *w, hf_bytes bytes) {
    if (!bytes.len || w->closing) return;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int n = w->queued_bytes ? 0 : uv_try_write((uv_stream_t *)&w->socket, &buf, 1);
    size_t sent = n > 0 ? (size_t)n : 0;
    if (sent < bytes.len) write_later(w, hf_sub(bytes, sent, bytes.len));
}

/* In pieces that stay in the processor's caches, and in memory that is there already. */
static bool write_frames(wire *w, hf_bytes bytes) {
    hf_buf *out = &w->net->ws_out;
    for (size_t at = 0; at < bytes.len; at += FRAME_BYTES) {
        hf_buf_clear(out);
        if (!hf_wsock_send(w->ws, hf_sub(bytes, at, FRAME_BYTES), out)) return false;
        write_bytes(w, hf_buf_bytes(out));
    }
    return true;
}

void hf_p2pd_net_send(hf_p2pd_net *net, uint64_t conn, hf_bytes bytes) {
    wire *w = find_wire(net, conn);
    if (!w) return hf_p2pd_rtc_send(net->d->rtc, conn, bytes);
    if (!w->ws) write_bytes(w, bytes);
    else if (!write_frames(w, bytes)) return lose(w, "out of memory");
    if (w->closing || w->busy || w->queued_bytes < HIGH_WATER) return;
    w->busy = true;
    hf_host_conn_busy(net->d->host, hf_p2pd_now(net->d), conn, true);
}

static void on_shutdown(uv_shutdown_t *request, int status) {
    (void)status;
    wire *w = request->handle->data;
    free(request);
    shut(w);
}

/* What was sent still goes out. */
void hf_p2pd_net_close(hf_p2pd_net *net, uint64_t conn) {
    wire *w = find_wire(net, conn);
    if (!w) return hf_p2pd_rtc_close_conn(net->d->rtc, conn);
    if (w->ws) {
        hf_buf_clear(&net->ws_out);
        hf_wsock_close(w->ws, &net->ws_out);
        write_bytes(w, hf_buf_bytes(&net->ws_out));
    }
    forget(w);
    uv_read_stop((uv_stream_t *)&w->socket);
    uv_shutdown_t *request = malloc(sizeof *request);
    if (request && !uv_shutdown(request, (uv_stream_t *)&w->socket, on_shutdown)) return;
    free(request);
    shut(w);
}

/* ---- up ---- */

static hf_bytes behind_port(bool ws) { return ws ? HF_TEXT("/ws") : HF_BYTES(NULL, 0); }

static const char *open_conn(wire *w, hf_bytes remote) {
    hf_p2pd_net *net = w->net;
    hf_p2pd *d = net->d;
    uint64_t dial = w->dial;
    w->dial = 0;
    w->conn = hf_p2pd_net_number(net);
    if (hf_map_put(&net->conns, conn_key(&w->conn), w)) return "out of memory";
    if (hf_host_conn_open(d->host, hf_p2pd_now(d), w->conn, dial, remote)) return shut(w), NULL;
    return uv_read_start((uv_stream_t *)&w->socket, on_alloc, on_read) ? "the socket cannot be read" : NULL;
}

/* The host's deadline for its handshake holds for the WebSocket's, too. */
static void begin(wire *w) {
    hf_p2pd_net *net = w->net;
    struct sockaddr_storage address;
    int len = sizeof address;
    hf_buf remote;
    hf_buf_init(&remote, &net->d->mem);
    if (!uv_tcp_getpeername(&w->socket, (struct sockaddr *)&address, &len)) hf_p2pd_add_place(&remote, &address, "tcp", behind_port(w->ws != NULL));
    uv_tcp_nodelay(&w->socket, 1);
    hf_buf_clear(&net->ws_out);
    if (w->ws) hf_wsock_begin(w->ws, &net->ws_out);
    if (w->ws) write_bytes(w, hf_buf_bytes(&net->ws_out));
    const char *bad = open_conn(w, hf_buf_bytes(&remote));
    hf_buf_deinit(&remote);
    if (bad) lose(w, bad);
    hf_p2pd_pump(net->d);
}

static void on_connection(uv_stream_t *stream, int status) {
    listener *l = stream->data;
    wire *w = status ? NULL : wire_new(l->net);
    if (!w) return;
    if (l->ws) w->ws = hf_wsock_new(&l->net->d->mem, NULL);
    if (uv_accept(stream, (uv_stream_t *)&w->socket) || (l->ws && !w->ws)) shut(w);
    else begin(w);
}

/* ---- dialling ---- */

static const char *why(int status) {
    switch (status) {
    case UV_ECONNREFUSED: return "connection refused";
    case UV_ETIMEDOUT: return "the address did not answer in time";
    case UV_EHOSTUNREACH:
    case UV_ENETUNREACH: return "the address is out of reach";
    case UV_ENOMEM: return "out of memory";
    default: return "the connection could not be made";
    }
}

static void on_connected(uv_connect_t *request, int status) {
    wire *w = request->data;
    if (w->closing) return;
    if (status) lose(w, why(status));
    else begin(w);
}

static void connect_to(wire *w, const struct sockaddr *address) {
    int err = uv_tcp_connect(&w->connect, &w->socket, address, on_connected);
    if (err) lose(w, why(err));
}

static void on_address(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found) {
    wire *w = lookup->data;
    w->looking = false;
    if (w->closing) free_if_done(w);
    else if (status || !found) lose(w, "the name of the address is not known");
    else {
        ((struct sockaddr_in *)found->ai_addr)->sin_port = htons(w->port); /* the same place in both families */
        connect_to(w, found->ai_addr);
    }
    uv_freeaddrinfo(found);
}

bool hf_p2pd_net_can_dial(void *ctx, hf_bytes address) {
    (void)ctx;
    hf_multiaddr parts;
    uint16_t port;
    struct sockaddr_storage place;
    uint8_t certificate[32];
    return (hf_p2pd_read_tcp(address, &parts, &port) && port != 0) || hf_webrtc_read_address(address, &place, certificate);
}

static void look_up(wire *w, const hf_multiaddr_part *host) {
    char name[256];
    snprintf(name, sizeof name, "%.*s", (int)host->value.len, (const char *)host->value.ptr);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    hints.ai_family = host->code == HF_MA_DNS4 ? AF_INET : host->code == HF_MA_DNS6 ? AF_INET6 : AF_UNSPEC;
    w->looking = !uv_getaddrinfo(w->net->d->loop, &w->lookup, on_address, name, NULL, &hints);
    if (!w->looking) lose(w, "the name of the address cannot be looked up");
}

/* False: no memory. */
static bool add_wsock(wire *w, const hf_multiaddr_part *host) {
    char name[288], text[64] = "";
    bool v6 = host->code == HF_MA_IP6;
    if (v6) inet_ntop(AF_INET6, host->value.ptr, text, sizeof text);
    if (host->code == HF_MA_IP4) inet_ntop(AF_INET, host->value.ptr, text, sizeof text);
    if (text[0]) snprintf(name, sizeof name, v6 ? "[%s]:%u" : "%s:%u", text, (unsigned)w->port);
    else snprintf(name, sizeof name, "%.*s:%u", (int)host->value.len, (const char *)host->value.ptr, (unsigned)w->port);
    return (w->ws = hf_wsock_new(&w->net->d->mem, name)) != NULL;
}

void hf_p2pd_net_dial(hf_p2pd_net *net, uint64_t dial, hf_bytes address) {
    hf_multiaddr parts;
    struct sockaddr_storage target;
    uint16_t port = 0;
    if (!hf_p2pd_read_tcp(address, &parts, &port)) return hf_p2pd_rtc_dial(net->d->rtc, dial, address);
    wire *w = wire_new(net);
    if (!w) return hf_host_dial_failed(net->d->host, hf_p2pd_now(net->d), dial, "out of memory");
    w->dial = dial;
    w->port = port;
    if (parts.n == 3 && !add_wsock(w, &parts.parts[0])) lose(w, "out of memory");
    else if (hf_p2pd_sockaddr_of(&parts.parts[0], port, &target)) connect_to(w, (struct sockaddr *)&target);
    else look_up(w, &parts.parts[0]);
}

void hf_p2pd_net_dial_off(hf_p2pd_net *net, uint64_t dial) {
    wire *w = net->wires;
    while (w && (w->closing || w->dial != dial)) w = w->next;
    if (w) shut(w);
    else hf_p2pd_rtc_dial_off(net->d->rtc, dial);
}

/* ---- listening ---- */

static const char *listen_tcp(hf_p2pd_net *net, const struct sockaddr_storage *address, bool ws) {
    if (net->n_listeners == LISTENERS_MAX) return "more than 8 addresses to listen on";
    listener *l = &net->listeners[net->n_listeners++];
    *l = (listener){.net = net, .ws = ws};
    uv_tcp_init(net->d->loop, &l->socket);
    l->socket.data = l;
    int err = uv_tcp_bind(&l->socket, (const struct sockaddr *)address, address->ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0);
    if (!err) err = uv_listen((uv_stream_t *)&l->socket, BACKLOG, on_connection);
    return err ? uv_strerror(err) : NULL;
}

static const char *listen_on(hf_p2pd_net *net, const char *text) {
    hf_buf binary;
    hf_multiaddr parts;
    struct sockaddr_storage address;
    uint16_t port;
    hf_buf_init(&binary, &net->d->mem);
    bool ok = !hf_multiaddr_parse(hf_str(text), &binary, NULL);
    bool tcp = ok && hf_p2pd_read_tcp(hf_buf_bytes(&binary), &parts, &port);
    ok = (tcp || (ok && hf_p2pd_read_rtc(hf_buf_bytes(&binary), &parts, &port))) && hf_p2pd_sockaddr_of(&parts.parts[0], port, &address);
    hf_buf_deinit(&binary);
    if (!ok) return "only /ip4|ip6/HOST/tcp/PORT, …/ws and /ip4|ip6/HOST/udp/PORT/webrtc-direct can be listened on";
    return tcp ? listen_tcp(net, &address, parts.n == 3) : hf_p2pd_rtc_listen(net->d->rtc, (const struct sockaddr *)&address);
}

hf_p2pd_net *hf_p2pd_net_open(hf_p2pd *d, const char **ret_problem) {
    static const char *const everywhere[] = {"/ip4/0.0.0.0/tcp/0", "/ip6/::/tcp/0"};
    static char problem[400];
    const hf_p2pd_flags *f = d->flags;
    hf_p2pd_net *net = calloc(1, sizeof *net);
    *ret_problem = problem;
    if (!net) return snprintf(problem, sizeof problem, "out of memory"), NULL;
    net->d = d;
    hf_map_init(&net->conns, &d->mem, 0); /* keys are numbers of our own */
    hf_buf_init(&net->ws_in, &d->mem);
    hf_buf_init(&net->ws_out, &d->mem);
    size_t n = f->no_listen ? 0 : f->host_addrs.n ? f->host_addrs.n : 2;
    for (size_t i = 0; i < n; i++) {
        const char *text = f->host_addrs.n ? f->host_addrs.items[i] : everywhere[i], *bad = listen_on(net, text);
        if (!bad || (!f->host_addrs.n && i == 1)) continue; /* a machine without IPv6 */
        snprintf(problem, sizeof problem, "%s: %s", text, bad);
        return hf_p2pd_net_shut(net), uv_run(d->loop, UV_RUN_DEFAULT), hf_p2pd_net_free(net), NULL;
    }
    return net;
}

size_t hf_p2pd_net_addresses(hf_p2pd_net *net, hf_arena *arena, hf_bytes *ret, size_t n_max) {
    size_t n = 0;
    struct sockaddr_storage address;
    hf_buf certhash;
    for (size_t i = 0; i < net->n_listeners; i++) {
        int len = sizeof address;
        hf_p2pd_telling t = {&net->d->mem, arena, "tcp", behind_port(net->listeners[i].ws)};
        if (!uv_tcp_getsockname(&net->listeners[i].socket, (struct sockaddr *)&address, &len)) n += hf_p2pd_add_listener(&t, &address, ret + n, n_max - n);
    }
    hf_buf_init(&certhash, &net->d->mem);
    for (size_t i = 0; hf_p2pd_rtc_address(net->d->rtc, i, &address, &certhash); i++) {
        hf_p2pd_telling t = {&net->d->mem, arena, "udp", hf_buf_bytes(&certhash)};
        n += hf_p2pd_add_listener(&t, &address, ret + n, n_max - n);
        hf_buf_clear(&certhash);
    }
    hf_buf_deinit(&certhash);
    return n;
}

/* ---- the end ---- */

void hf_p2pd_net_shut(hf_p2pd_net *net) {
    for (size_t i = 0; i < net->n_listeners; i++)
        if (!uv_is_closing((uv_handle_t *)&net->listeners[i].socket)) uv_close((uv_handle_t *)&net->listeners[i].socket, NULL);
    for (wire *w = net->wires; w; w = w->next) shut(w);
}

void hf_p2pd_net_free(hf_p2pd_net *net) {
    HF_ASSERT(!net->wires);
    hf_map_deinit(&net->conns);
    hf_buf_deinit(&net->ws_in);
    hf_buf_deinit(&net->ws_out);
    free(net);
}

/* tcp: see tcp.h. */
#include "tcp_private.h"

#include "../core/codec/multiaddr.h"
#include "say.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    JOINS_MAX = 256,                          /* peers to stay connected to */
    FOUND_FAILURES_MAX = 8,                   /* a found peer that was never reached is forgotten after so many attempts, about two minutes */
    REMEMBERED_MAX = 64,
    BACKOFF_BASE_MS = 1000, BACKOFF_MAX_MS = 300 * 1000, CONNECT_MS = 10000,
};

/* ---- a connection ---- */

static void again(join *j);
static void free_joins(hf_tcp *tcp);

static void on_closed(uv_handle_t *handle) {
    wire *l = handle->data;
    for (wire **at = &l->tcp->wires; *at; at = &(*at)->next)
        if (*at == l) {
            *at = l->next;
            break;
        }
    free(l);
}

void hf_wire_shut(wire *l) {
    if (l->closing) return;
    l->closing = true;
    if (l->told) hf_node_channel_down(l->tcp->node, &l->channel);
    if (l->call) hf_call_failed(l->call, "the connection could not be made");
    l->call = NULL;
    if (l->join) {
        l->join->wire = NULL;
        again(l->join);
    }
    uv_close((uv_handle_t *)&l->socket, on_closed);
}

static wire *wire_of(hf_channel *channel) { return (wire *)((char *)channel - offsetof(wire, channel)); }

static void on_written(uv_write_t *request, int status) {
    write_request *w = (write_request *)request;
    wire *l = w->wire;
    size_t len = w->len;
    free(w);
    if (l->closing) return;
    if (status < 0) return hf_wire_shut(l);
    hf_node_channel_sent(l->tcp->node, &l->channel, len);
}

static void tcp_send(hf_channel *channel, hf_bytes bytes) {
    wire *l = wire_of(channel);
    if (l->closing) return;
    /* What the system takes at once needs no copy. */
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int n = uv_stream_get_write_queue_size((uv_stream_t *)&l->socket) ? 0 : uv_try_write((uv_stream_t *)&l->socket, &buf, 1);
    size_t sent = n > 0 ? (size_t)n : 0;
    channel->queued_bytes -= sent;
    if (sent == bytes.len) return;
    hf_bytes rest = hf_sub(bytes, sent, bytes.len);
    write_request *w = malloc(sizeof *w + rest.len);
    if (!w) return; /* the stream is torn: Noise on the other side will end it */
    *w = (write_request){.wire = l, .len = rest.len};
    memcpy(w->bytes, rest.ptr, rest.len);
    buf = uv_buf_init((char *)w->bytes, (unsigned)rest.len);
    if (uv_write(&w->request, (uv_stream_t *)&l->socket, &buf, 1, on_written)) free(w);
}

/* The node forgot it already; what was given to the system still goes out. */
static void tcp_close(hf_channel *channel) {
    wire *l = wire_of(channel);
    l->told = false;
    hf_wire_shut(l);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    (void)suggested;
    wire *l = handle->data;
    *ret = uv_buf_init((char *)l->tcp->read_buffer, HF_TCP_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    wire *l = stream->data;
    if (n < 0) return hf_wire_shut(l);
    if (n > 0 && !l->closing) hf_node_channel_recv(l->tcp->node, &l->channel, HF_BYTES(buf->base, (size_t)n));
}

wire *hf_wire_new(hf_tcp *tcp) {
    wire *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->tcp = tcp;
    l->channel = (hf_channel){.via = "tcp", .send = tcp_send, .close = tcp_close};
    uv_tcp_init(tcp->node->loop, &l->socket);
    l->socket.data = l;
    l->next = tcp->wires;
    tcp->wires = l;
    return l;
}

static void remote_of(wire *l, hf_buf *ret) {
    struct sockaddr_storage address;
    int len = sizeof address;
    char host[64], text[96];
    hf_fault fault;
    if (uv_tcp_getpeername(&l->socket, (struct sockaddr *)&address, &len)) return;
    bool v6 = address.ss_family == AF_INET6;
    if (v6) uv_ip6_name((struct sockaddr_in6 *)&address, host, sizeof host);
    else uv_ip4_name((struct sockaddr_in *)&address, host, sizeof host);
    unsigned port = ntohs(v6 ? ((struct sockaddr_in6 *)&address)->sin6_port : ((struct sockaddr_in *)&address)->sin_port);
    snprintf(text, sizeof text, "/%s/%s/tcp/%u", v6 ? "ip6" : "ip4", host, port);
    if (hf_multiaddr_parse(hf_str(text), ret, &fault)) hf_buf_clear(ret);
}

void hf_wire_begin(wire *l, uint64_t dial, bool dialer, const hf_peer_id *expected) {
    hf_buf remote;
    hf_buf_init(&remote, &l->tcp->node->mem);
    remote_of(l, &remote);
    uv_tcp_nodelay(&l->socket, 1);
    l->told = true;
    hf_node *node = l->tcp->node;
    hf_bytes seen = hf_buf_bytes(&remote);
    if (dial ? hf_node_channel_dialled(node, &l->channel, dial, seen) : hf_node_channel_up(node, &l->channel, dialer, expected, seen)) {
        l->told = false;
        hf_wire_shut(l);
    } else if (!l->closing && uv_read_start((uv_stream_t *)&l->socket, on_alloc, on_read)) hf_wire_shut(l);
    hf_buf_deinit(&remote);
}

static void on_connection(uv_stream_t *listener, int status) {
    hf_tcp *tcp = listener->data;
    wire *l = status ? NULL : hf_wire_new(tcp);
    if (!l) return;
    struct sockaddr_storage remote;
    int len = sizeof remote;
    if (uv_accept(listener, (uv_stream_t *)&l->socket)) hf_wire_shut(l);
    else hf_wire_begin(l, uv_tcp_getpeername(&l->socket, (struct sockaddr *)&remote, &len) ? 0 : hf_call_take(tcp, &remote), false, NULL);
}

/* ---- staying connected ---- */

/* Joins whose timer is closed and that no look-up will come back to. */
static void free_joins(hf_tcp *tcp) {
    for (join **at = &tcp->joins; *at;) {
        join *j = *at;
        if (j->closed && !j->looking) {
            *at = j->next;
            free(j);
        } else at = &j->next;
    }
}

static void dial(join *j);

static void on_again(uv_timer_t *timer) { dial(timer->data); }

static void on_forgotten(uv_handle_t *handle) {
    join *j = handle->data;
    j->closed = true;
    free_joins(j->tcp);
}

static void forget(join *j) {
    if (j->leaving) return;
    j->leaving = true;
    j->tcp->n_joins--;
    uv_close((uv_handle_t *)&j->timer, on_forgotten);
}

/* min(1 s * 2^n, 5 min), half of it jitter, so that many nodes do not come back at once. */
static void again(join *j) {
    if (j->tcp->closing || j->leaving) return;
    if (!j->asked && !j->reached && j->failures == FOUND_FAILURES_MAX) return forget(j);
    uint64_t full = (uint64_t)BACKOFF_BASE_MS << (j->failures < 16 ? j->failures : 16);
    if (full > BACKOFF_MAX_MS) full = BACKOFF_MAX_MS;
    uint32_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0) random = 0;
    j->failures++;
    uv_timer_start(&j->timer, on_again, full / 2 + random % (full / 2 + 1), 0);
}

static void on_connected(uv_connect_t *request, int status) {
    wire *l = request->data;
    if (l->closing) return;
    if (status) {
        hf_say(HF_LEVEL_DEBUG, "cannot reach", "address", l->join->text, "why", uv_strerror(status), NULL);
        l->join->any_port |= hf_wire_is_port_trouble(status);
        return hf_wire_shut(l);
    }
    uv_timer_stop(&l->join->timer);
    hf_wire_begin(l, 0, true, l->join->peer.len ? &l->join->peer : NULL);
}

static void on_overdue(uv_timer_t *timer) {
    join *j = timer->data;
    if (j->wire) hf_wire_shut(j->wire);
}

static void on_address(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found) {
    join *j = lookup->data;
    j->looking = false;
    if (j->leaving) {
        uv_freeaddrinfo(found);
        return free_joins(j->tcp);
    }
    wire *l = status || j->tcp->closing ? NULL : hf_wire_new(j->tcp);
    if (l) {
        l->join = j;
        l->connect.data = l;
        j->wire = l;
        uv_timer_start(&j->timer, on_overdue, CONNECT_MS, 0);
        if (hf_wire_connect(l, found->ai_addr, j->any_port ? HF_HOST_PORT_FRESH : HF_HOST_PORT_ANY, on_connected)) hf_wire_shut(l);
    } else again(j);
    uv_freeaddrinfo(found);
}

/* The other end is who we wanted. */
static void reached(join *j) {
    j->failures = 0;
    j->reached = true;
    if (j->kept) return;
    j->kept = true;
    j->tcp->found_news |= !j->asked;
}

static void dial(join *j) {
    if (j->wire || j->looking || j->leaving || j->tcp->closing) return;
    if (j->peer.len && hf_core_connected(j->tcp->node->core, &j->peer)) return reached(j), again(j); /* it dialled us meanwhile */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    j->lookup.data = j;
    j->looking = !uv_getaddrinfo(j->tcp->node->loop, &j->lookup, on_address, j->host, j->port, &hints);
    if (!j->looking) again(j);
}

/* /ip4|ip6|dns…/HOST/tcp/PORT[/p2p/ID] */
static const char *parse_join(hf_tcp *tcp, const char *text, join *j) {
    hf_buf binary;
    hf_multiaddr address;
    hf_fault fault = {"malformed", 0};
    hf_buf_init(&binary, &tcp->node->mem);
    const char *bad = NULL;
    if (strlen(text) >= sizeof j->text || hf_multiaddr_parse(hf_str(text), &binary, &fault) || hf_multiaddr_read(hf_buf_bytes(&binary), &address, &fault)) bad = fault.what;
    else if (address.n < 2 || address.parts[1].code != HF_MA_TCP || (address.n > 2 && address.parts[2].code != HF_MA_P2P) || address.n > 3) bad = "only /ip4|ip6|dns/HOST/tcp/PORT[/p2p/ID] and /ip4|ip6/HOST/udp/PORT/webrtc-direct/certhash/HASH/p2p/ID can be dialled";
    else {
        hf_bytes host = address.parts[0].value, port = address.parts[1].value;
        memcpy(j->text, text, strlen(text) + 1);
        snprintf(j->port, sizeof j->port, "%u", (unsigned)port.ptr[0] << 8 | port.ptr[1]);
        if (address.parts[0].code == HF_MA_IP4) inet_ntop(AF_INET, host.ptr, j->host, sizeof j->host);
        else if (address.parts[0].code == HF_MA_IP6) inet_ntop(AF_INET6, host.ptr, j->host, sizeof j->host);
        else snprintf(j->host, sizeof j->host, "%.*s", (int)host.len, (const char *)host.ptr);
        if (address.n == 3 && hf_peer_id_read(address.parts[2].value, &j->peer)) bad = "the peer ID is malformed";
    }
    hf_buf_deinit(&binary);
    return bad;
}

void hf_tcp_reached(hf_channel *channel) {
    join *j = wire_of(channel)->join;
    if (j) reached(j);
}

/* Room for one more: whoever was found, never reached, and failed most often goes. */
static bool make_room(hf_tcp *tcp) {
    join *worst = NULL;
    if (tcp->n_joins < JOINS_MAX) return true;
    for (join *j = tcp->joins; j; j = j->next)
        if (!j->asked && !j->reached && !j->leaving && j->failures && (!worst || j->failures > worst->failures)) worst = j;
    if (worst) forget(worst);
    return worst != NULL;
}

/* A known peer was told of anew, perhaps at another address: no reason to wait any longer. */
static void found_again(join *known, const join *news) {
    if (known->wire || !uv_is_active((uv_handle_t *)&known->timer)) return;
    if (strcmp(known->text, news->text)) known->kept = false;
    memcpy(known->text, news->text, sizeof known->text);
    memcpy(known->host, news->host, sizeof known->host);
    memcpy(known->port, news->port, sizeof known->port);
    uv_timer_stop(&known->timer);
    dial(known);
}

static bool add_join(hf_tcp *tcp, const char *text, bool asked, bool remembered, const char **ret_problem) {
    join *j = calloc(1, sizeof *j);
    if (!j) return *ret_problem = "out of memory", false;
    const char *bad = parse_join(tcp, text, j);
    if (!bad && j->peer.len && hf_peer_id_eq(&j->peer, hf_core_self(tcp->node->core))) bad = "that is this node itself";
    if (!bad && !asked && !j->peer.len) bad = "it does not say who is there";
    for (join *other = tcp->joins; other && !bad; other = other->next) {
        bool same = !strcmp(other->text, j->text) || (j->peer.len && hf_peer_id_eq(&other->peer, &j->peer));
        if (same && !other->leaving) return found_again(other, j), free(j), true;
    }
    if (!bad && !make_room(tcp)) bad = "256 peers are joined already";
    if (bad) return free(j), *ret_problem = bad, false;
    j->tcp = tcp;
    j->asked = asked;
    j->reached = j->kept = remembered;
    uv_timer_init(tcp->node->loop, &j->timer);
    j->timer.data = j;
    j->next = tcp->joins;
    tcp->joins = j;
    tcp->n_joins++;
    dial(j);
    return true;
}

bool hf_tcp_join(hf_tcp *tcp, const char *multiaddr, const char **ret_problem) { return add_join(tcp, multiaddr, true, false, ret_problem); }

bool hf_tcp_found(hf_tcp *tcp, const char *multiaddr, const char **ret_problem) { return add_join(tcp, multiaddr, false, false, ret_problem); }

bool hf_tcp_standing_of(const hf_tcp *tcp, const hf_peer_id *peer, hf_tcp_standing *ret) {
    for (const join *j = tcp ? tcp->joins : NULL; j; j = j->next) {
        if (j->leaving || !j->peer.len || !hf_peer_id_eq(&j->peer, peer)) continue;
        *ret = (hf_tcp_standing){.address = j->text, .failures = j->failures, .dialling = j->wire || j->looking};
        if (!ret->dialling && uv_is_active((const uv_handle_t *)&j->timer)) ret->next_ms = uv_timer_get_due_in(&j->timer);
        return true;
    }
    return false;
}

/* ---- over restarts ---- */

void hf_tcp_remember(hf_tcp *tcp, hf_bytes lines) {
    char text[sizeof((join *)0)->text];
    const char *problem;
    for (size_t at = 0, n = 0; at < lines.len && n < REMEMBERED_MAX; n++) {
        size_t end = hf_find(lines, '\n', at);
        hf_bytes line = hf_sub(lines, at, end - at);
        at = end + 1;
        if (line.len >= sizeof text) continue;
        memcpy(text, line.ptr, line.len);
        text[line.len] = 0;
        if (!add_join(tcp, text, false, true, &problem)) hf_say(HF_LEVEL_DEBUG, "a remembered peer is left out", "address", text, "why", problem, NULL);
    }
}

/* The newest joins come first, so those are kept. */
bool hf_tcp_news(hf_tcp *tcp, hf_buf *ret_lines) {
    if (!tcp->found_news) return false;
    tcp->found_news = false;
    size_t n = 0;
    for (join *j = tcp->joins; j && n < REMEMBERED_MAX; j = j->next) {
        if (j->asked || !j->reached || j->leaving) continue;
        hf_buf_add_str(ret_lines, j->text);
        hf_buf_add_byte(ret_lines, '\n');
        n++;
    }
    return true;
}

/* ---- life ---- */

static const char *listen_at(hf_tcp *tcp, const char *host, int port) {
    struct sockaddr_storage address;
    bool v4 = !uv_ip4_addr(host, port, (struct sockaddr_in *)&address);
    if (!v4 && uv_ip6_addr(host, port, (struct sockaddr_in6 *)&address)) return "not an IP address";
    uv_tcp_init(tcp->node->loop, &tcp->listener);
    tcp->listener.data = tcp;
    tcp->listening = true;
    int err = uv_tcp_bind(&tcp->listener, (struct sockaddr *)&address, 0);
    /* Only now, so that a port in use is seen; from here on what we dial may leave from this port, too. */
    int fd = -1, on = 1;
    if (!err && !uv_fileno((uv_handle_t *)&tcp->listener, &fd)) (void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (!err) err = uv_listen((uv_stream_t *)&tcp->listener, 1024, on_connection);
    int len = sizeof address;
    if (!err) err = uv_tcp_getsockname(&tcp->listener, (struct sockaddr *)&address, &len);
    if (err) return uv_strerror(err);
    tcp->port = ntohs(((struct sockaddr_in *)&address)->sin_port); /* the same place in both families */
    return NULL;
}

hf_tcp *hf_tcp_open(hf_node *node, const char **ret_problem) {
    const hf_options *o = node->options;
    hf_tcp *tcp = calloc(1, sizeof *tcp);
    if (!tcp) return *ret_problem = "out of memory", NULL;
    tcp->node = node;
    const char *problem = o->p2p_port < 0 ? NULL : listen_at(tcp, o->p2p_host, o->p2p_port);
    if (!problem) return tcp;
    *ret_problem = problem;
    hf_tcp_close(tcp);
    return NULL;
}

int hf_tcp_port(const hf_tcp *tcp) { return tcp ? tcp->port : 0; }

static void on_listener_closed(uv_handle_t *handle) {
    hf_tcp *tcp = handle->data;
    tcp->listening = false;
}

void hf_tcp_close(hf_tcp *tcp) {
    if (!tcp) return;
    tcp->closing = true;
    if (tcp->listening) uv_close((uv_handle_t *)&tcp->listener, on_listener_closed);
    hf_calls_shut(tcp);
    for (wire *w = tcp->wires; w; w = w->next) hf_wire_shut(w);
    for (join *j = tcp->joins; j; j = j->next)
        if (!j->leaving) forget(j);
    while (tcp->wires || tcp->joins || tcp->calls || tcp->listening) uv_run(tcp->node->loop, UV_RUN_ONCE);
    free(tcp);
}

/* p2pd_sock: local sockets, and bytes between them and streams: see p2pd_private.h.
 *
 * Back-pressure: what a stream does not take waits in `in`, and the socket is not read; what a socket has not taken (1 MiB) stops the stream's
 * window. Each direction ends by itself. */
#include "p2pd_private.h"

#include "../core/codec/multiaddr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HIGH_WATER = 1 << 20, LOW_WATER = 1 << 18, BACKLOG = 256, CHUNK = 64 * 1024 };

typedef struct write_request { uv_write_t request; hf_p2pd_sock *sock; uint8_t bytes[]; } write_request;

/* ---- life ---- */

static hf_bytes stream_key(const hf_p2pd_sock *s) { return HF_BYTES(&s->stream, sizeof s->stream); }

static void free_sock(hf_p2pd_sock *s) {
    hf_p2pd_sock **at = &s->d->socks;
    while (*at != s) at = &(*at)->next;
    *at = s->next;
    hf_buf_deinit(&s->in);
    hf_buf_deinit(&s->asked);
    hf_buf_deinit(&s->topic);
    free(s);
}

static void on_closed(uv_handle_t *handle) { free_sock(handle->data); }

static hf_p2pd_sock *sock_new(hf_p2pd *d, hf_p2pd_mode mode, bool is_pipe) {
    hf_p2pd_sock *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->d = d;
    s->mode = mode;
    s->number = ++d->next_number;
    hf_buf_init(&s->in, &d->mem);
    hf_buf_init(&s->asked, &d->mem);
    hf_buf_init(&s->topic, &d->mem);
    s->next = d->socks;
    d->socks = s;
    if (mode == HF_P2PD_ECHOES) return s;
    if (is_pipe) uv_pipe_init(d->loop, &s->h.pipe, 0);
    else uv_tcp_init(d->loop, &s->h.tcp);
    s->h.handle.data = s->connect.data = s->shutdown.data = s;
    return s;
}

static void unbind(hf_p2pd_sock *s) {
    if (!s->stream) return;
    hf_map_remove(&s->d->streams, stream_key(s));
    s->stream = 0;
}

void hf_p2pd_sock_close(hf_p2pd_sock *s) {
    if (s->closing) return;
    s->closing = true;
    if (s->stream) hf_swarm_stream_reset(s->d->swarm, hf_p2pd_now(s->d), s->stream);
    unbind(s);
    hf_p2pd_control_ended(s);
    if (s->mode == HF_P2PD_ECHOES) free_sock(s);
    else uv_close(&s->h.handle, on_closed);
}

hf_p2pd_sock *hf_p2pd_sock_numbered(hf_p2pd *d, uint64_t number) {
    hf_p2pd_sock *s = d->socks;
    while (s && (s->closing || s->number != number)) s = s->next;
    return s;
}

/* ---- to the socket ---- */

static void on_written(uv_write_t *request, int status) {
    hf_p2pd_sock *s = ((write_request *)request)->sock;
    free(request);
    if (s->closing) return;
    if (status < 0) hf_p2pd_sock_close(s);
    else if (s->paused && s->h.stream.write_queue_size < LOW_WATER) {
        s->paused = false;
        hf_swarm_stream_reading(s->d->swarm, hf_p2pd_now(s->d), s->stream, true);
    } else return;
    hf_p2pd_pump(s->d);
}

void hf_p2pd_sock_send(hf_p2pd_sock *s, hf_bytes bytes) {
    if (s->closing || !bytes.len) return;
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes.ptr, (unsigned)bytes.len);
    int n = s->open && !s->h.stream.write_queue_size ? uv_try_write(&s->h.stream, &buf, 1) : 0;
    if (n > 0) bytes = hf_sub(bytes, (size_t)n, bytes.len);
    if (!bytes.len) return;
    write_request *r = malloc(sizeof *r + bytes.len);
    if (!r) return hf_p2pd_sock_close(s);
    r->sock = s;
    memcpy(r->bytes, bytes.ptr, bytes.len);
    buf = uv_buf_init((char *)r->bytes, (unsigned)bytes.len);
    if (!uv_write(&r->request, &s->h.stream, &buf, 1, on_written)) return;
    free(r);
    hf_p2pd_sock_close(s);
}

static void on_shutdown(uv_shutdown_t *request, int status) {
    hf_p2pd_sock *s = request->data;
    (void)status;
    if (!s->stream) hf_p2pd_sock_close(s);
}

void hf_p2pd_sock_end(hf_p2pd_sock *s) {
    if (s->closing) return;
    if (s->shut) {
        if (!uv_stream_get_write_queue_size(&s->h.stream) && !s->stream) hf_p2pd_sock_close(s);
        return;
    }
    s->ending = true;
    if (!s->open) return;
    s->shut = true;
    if (uv_shutdown(&s->shutdown, &s->h.stream, on_shutdown)) hf_p2pd_sock_close(s);
}

/* ---- from the socket ---- */

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf);

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    (void)suggested;
    hf_p2pd_sock *s = handle->data;
    *ret = uv_buf_init((char *)s->d->read_buffer, sizeof s->d->read_buffer);
}

/* What came so far, as much as the stream takes. */
void hf_p2pd_sock_feed(hf_p2pd_sock *s) {
    hf_p2pd *d = s->d;
    hf_err err = HF_OK;
    size_t at = 0;
    while (!err && at < s->in.len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&s->in), at, CHUNK);
        err = hf_swarm_stream_write(d->swarm, hf_p2pd_now(d), s->stream, part);
        if (!err) at += part.len;
    }
    hf_buf_consume(&s->in, at);
    if (err && err != HF_LIMIT) return; /* its end will be told */
    if (s->mode == HF_P2PD_PIPES && !s->eof) {
        if (s->in.len) uv_read_stop(&s->h.stream);
        else uv_read_start(&s->h.stream, on_alloc, on_read);
    }
    if (s->mode == HF_P2PD_ECHOES) hf_swarm_stream_reading(d->swarm, hf_p2pd_now(d), s->stream, !s->in.len);
    if (!s->eof || s->in.len || s->finished) return;
    s->finished = true;
    hf_swarm_stream_finish(d->swarm, hf_p2pd_now(d), s->stream);
}

static void on_end(hf_p2pd_sock *s, ssize_t n) {
    s->eof = true;
    uv_read_stop(&s->h.stream);
    if (s->mode != HF_P2PD_PIPES || n != UV_EOF) hf_p2pd_sock_close(s);
    else hf_p2pd_sock_feed(s);
    hf_p2pd_pump(s->d);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    hf_p2pd_sock *s = stream->data;
    hf_p2pd *d = s->d;
    if (s->closing || n == 0) return;
    if (n < 0) return on_end(s, n);
    hf_buf_add(&s->in, HF_BYTES(buf->base, (size_t)n));
    if (s->in.err) hf_p2pd_sock_close(s);
    else if (s->mode == HF_P2PD_PIPES) hf_p2pd_sock_feed(s);
    else if (s->in.len > HF_DAEMON_MESSAGE_MAX + CHUNK) hf_p2pd_sock_close(s);
    else hf_p2pd_control_read(s);
    hf_p2pd_pump(d);
}

/* ---- a socket and a stream ---- */

hf_err hf_p2pd_sock_bind(hf_p2pd_sock *s, uint64_t stream) {
    s->stream = stream;
    hf_err err = hf_map_put(&s->d->streams, stream_key(s), s);
    if (err) s->stream = 0;
    return err;
}

static void to_sock(hf_p2pd_sock *s, hf_bytes bytes) {
    hf_p2pd *d = s->d;
    if (s->mode == HF_P2PD_ECHOES) {
        hf_buf_add(&s->in, bytes);
        if (s->in.err) hf_p2pd_sock_close(s);
        else hf_p2pd_sock_feed(s);
        return;
    }
    hf_p2pd_sock_send(s, bytes);
    if (s->closing || s->paused || s->h.stream.write_queue_size < HIGH_WATER) return;
    s->paused = true;
    hf_swarm_stream_reading(d->swarm, hf_p2pd_now(d), s->stream, false);
}

/* The stream is over. A clean end: what was sent arrives first. */
static void gone(hf_p2pd_sock *s, bool reset) {
    unbind(s);
    if (s->mode == HF_P2PD_ECHOES || reset) hf_p2pd_sock_close(s);
    else hf_p2pd_sock_end(s);
}

void hf_p2pd_stream_event(hf_p2pd *d, const hf_swarm_out *e) {
    hf_p2pd_sock *s = hf_map_get(&d->streams, HF_BYTES(&e->stream, sizeof e->stream));
    if (!s) return;
    if (s->mode == HF_P2PD_WAITS) return hf_p2pd_control_stream(s, e);
    switch (e->kind) {
    case HF_SWARM_STREAM_DATA: to_sock(s, e->bytes); break;
    case HF_SWARM_STREAM_DRAINED: hf_p2pd_sock_feed(s); break;
    case HF_SWARM_STREAM_GONE: gone(s, e->reset); break;
    case HF_SWARM_STREAM_FIN:
        s->eof = s->eof || s->mode == HF_P2PD_ECHOES;
        if (s->mode == HF_P2PD_ECHOES) hf_p2pd_sock_feed(s);
        else hf_p2pd_sock_end(s);
        break;
    default: break;
    }
}

/* ---- calling a stream handler's program ---- */

static void on_handler(uv_connect_t *request, int status) {
    hf_p2pd_sock *s = request->data;
    if (s->closing) return;
    s->open = true;
    if (status || uv_read_start(&s->h.stream, on_alloc, on_read)) hf_p2pd_sock_close(s);
    else if (s->ending) hf_p2pd_sock_end(s);
    hf_p2pd_pump(s->d);
}

typedef union any_address { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; } any_address;

/* False: neither of the two. *ret_path: of a unix socket, else empty. */
static bool read_local(hf_bytes address, any_address *ret, char ret_path[108]) {
    hf_multiaddr parts;
    ret_path[0] = 0;
    memset(ret, 0, sizeof *ret);
    if (hf_multiaddr_read(address, &parts, NULL) || parts.n == 0) return false;
    hf_bytes host = parts.parts[0].value;
    if (parts.n == 1 && parts.parts[0].code == HF_MA_UNIX && host.len < 107) {
        const char *slash = host.len && host.ptr[0] == '/' ? "" : "/";
        return snprintf(ret_path, 108, "%s%.*s", slash, (int)host.len, (const char *)host.ptr) > 1;
    }
    bool v4 = parts.parts[0].code == HF_MA_IP4;
    if (parts.n != 2 || parts.parts[1].code != HF_MA_TCP || (!v4 && parts.parts[0].code != HF_MA_IP6)) return false;
    ret->any.sa_family = v4 ? AF_INET : AF_INET6;
    memcpy(&ret->v4.sin_port, parts.parts[1].value.ptr, 2); /* the same place in both families, network order */
    if (v4) memcpy(&ret->v4.sin_addr, host.ptr, 4);
    else memcpy(&ret->v6.sin6_addr, host.ptr, 16);
    return true;
}

static void call(hf_p2pd_sock *s, const any_address *address, const char *path) {
    if (*path) uv_pipe_connect(&s->connect, &s->h.pipe, path, on_handler);
    else if (uv_tcp_connect(&s->connect, &s->h.tcp, &address->any, on_handler)) hf_p2pd_sock_close(s);
}

static void introduce(hf_p2pd_sock *s, const hf_swarm_out *e, hf_bytes protocol) {
    hf_buf out;
    hf_buf_init(&out, &s->d->mem);
    hf_daemon_add_stream(&out, false, hf_peer_id_bytes(&e->peer), hf_swarm_conn_remote(s->d->swarm, e->conn), protocol);
    if (out.err) hf_p2pd_sock_close(s);
    else hf_p2pd_sock_send(s, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
}

void hf_p2pd_handle_stream(hf_p2pd *d, const hf_swarm_out *e) {
    const hf_p2pd_handler *h = &d->handlers[e->tag - HF_HOST_TAG_USER - 1];
    any_address address;
    char path[108] = "";
    bool echo = h->address.len == 0;
    bool ok = echo || read_local(hf_buf_bytes(&h->address), &address, path);
    hf_p2pd_sock *s = ok ? sock_new(d, echo ? HF_P2PD_ECHOES : HF_P2PD_PIPES, *path) : NULL;
    if (!s) return hf_swarm_stream_reset(d->swarm, hf_p2pd_now(d), e->stream);
    if (hf_p2pd_sock_bind(s, e->stream)) {
        hf_swarm_stream_reset(d->swarm, hf_p2pd_now(d), e->stream);
        return hf_p2pd_sock_close(s);
    }
    if (echo) return;
    call(s, &address, path);
    introduce(s, e, hf_buf_bytes(&h->protocol));
}

/* ---- programs that connect ---- */

static void on_program(uv_stream_t *listener, int status) {
    hf_p2pd *d = listener->data;
    hf_p2pd_sock *s = status ? NULL : sock_new(d, HF_P2PD_REQUESTS, listener->type == UV_NAMED_PIPE);
    if (!s) return;
    s->open = true;
    if (uv_accept(listener, &s->h.stream) || uv_read_start(&s->h.stream, on_alloc, on_read)) hf_p2pd_sock_close(s);
}

static int listen_tcp(hf_p2pd *d, const any_address *address) {
    any_address bound;
    int len = sizeof bound;
    uv_tcp_init(d->loop, &d->listener.tcp);
    int err = uv_tcp_bind(&d->listener.tcp, &address->any, 0);
    if (!err) err = uv_listen(&d->listener.stream, BACKLOG, on_program);
    if (!err) err = uv_tcp_getsockname(&d->listener.tcp, &bound.any, &len);
    if (err) return err;
    char host[64] = "";
    bool v4 = bound.any.sa_family == AF_INET;
    if (v4) uv_ip4_name(&bound.v4, host, sizeof host);
    else uv_ip6_name(&bound.v6, host, sizeof host);
    snprintf(d->listening, sizeof d->listening, "/%s/%s/tcp/%u", v4 ? "ip4" : "ip6", host, ntohs(bound.v4.sin_port));
    return 0;
}

static int listen_unix(hf_p2pd *d, const char *path) {
    uv_pipe_init(d->loop, &d->listener.pipe, 0);
    int err = uv_pipe_bind(&d->listener.pipe, path);
    if (!err) err = uv_listen(&d->listener.stream, BACKLOG, on_program);
    snprintf(d->listening, sizeof d->listening, "/unix%s", path);
    return err;
}

bool hf_p2pd_listen(hf_p2pd *d, const char *multiaddr, const char **ret_problem) {
    hf_buf binary;
    any_address address;
    char path[108];
    hf_buf_init(&binary, &d->mem);
    bool ok = !hf_multiaddr_parse(hf_str(multiaddr), &binary, NULL) && read_local(hf_buf_bytes(&binary), &address, path);
    hf_buf_deinit(&binary);
    *ret_problem = "expected /unix/PATH or /ip4|ip6/HOST/tcp/PORT";
    if (!ok) return false;
    int err = *path ? listen_unix(d, path) : listen_tcp(d, &address);
    d->listener.handle.data = d;
    *ret_problem = err ? uv_strerror(err) : "";
    return !err;
}

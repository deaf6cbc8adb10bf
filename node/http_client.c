/* http_client: one connection: bytes in, bytes out, and how long it may take. While an answer is under way nothing more is read, so what a client asks
 * for ahead waits in the system's buffers, not in ours. */
#include "http_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    HEAD_MS = 8000,            /* for a handshake and a request's headers, from the first byte on */
    IDLE_MS = 65000,           /* between requests */
    SEND_MS = 20000, SEND_BYTES_PER_MS = 4,
    LINGER_MS = 2000,
    READS_AT_ONCE = 16,
    CONSUME_FROM = 1 << 20,
    HELD_MAX = 256 << 20,      /* of all clients together, in and out */
};

static uint64_t now(const hf_client *c) { return hf_node_now(c->http->node); }

void hf_client_end_in(hf_client *c, uint64_t ms) { c->deadline_ms = ms == UINT64_MAX ? ms : now(c) + ms; }

/* Whoever goes beyond what all may hold is the one to go. */
static void count_held(hf_client *c) {
    size_t n = c->in.len + c->out.len + c->typed.len;
    c->http->n_held_bytes += n - c->n_held;
    c->broken |= n > c->n_held && c->http->n_held_bytes > HELD_MAX;
    c->n_held = n;
}

static void give_back(hf_client *c, hf_buf *buf) {
    hf_buf_deinit(buf);
    hf_buf_init(buf, &c->http->node->mem);
}

/* ---- the end ---- */

static void on_closed(uv_handle_t *handle) {
    hf_client *c = handle->data;
    c->http->n_clients--;
    hf_peer_free(c);
    free(c);
}

static void leave(hf_client *c) {
    if (c->previous) c->previous->next = c->next;
    else c->http->clients = c->next;
    if (c->next) c->next->previous = c->previous;
}

void hf_client_shut(hf_client *c) {
    hf_phase was = c->phase;
    if (was == HF_PHASE_GONE) return;
    c->phase = HF_PHASE_GONE;
    leave(c);
    if (was == HF_PHASE_WAITING) hf_exchange_forget(c);
    if (was == HF_PHASE_EVENTS) hf_events_forget(c);
    if (was == HF_PHASE_IPFS) hf_ipfs_forget(c);
    hf_buf_deinit(&c->in);
    hf_buf_deinit(&c->out);
    hf_refuse_forget(c);
    c->out_at = 0;
    count_held(c);
    hf_tls_link_close(c->tls);
    uv_close((uv_handle_t *)&c->poll, on_closed);
    close(c->fd);
    if (was == HF_PHASE_PEER) hf_peer_forget(c); /* last: it tells the core */
}

static void begin_linger(hf_client *c) {
    if (c->tls) hf_tls_end(c->tls);
    shutdown(c->fd, SHUT_WR);
    c->phase = HF_PHASE_LINGER;
    hf_client_end_in(c, LINGER_MS);
}

/* ---- what is polled for ---- */

static void on_poll(uv_poll_t *poll, int status, int events);

static bool is_reading(const hf_client *c) {
    if (c->phase == HF_PHASE_WAITING || c->phase == HF_PHASE_IPFS) return false;
    return c->phase >= HF_PHASE_EVENTS || c->out.len == c->out_at;
}

static void poll_again(hf_client *c) {
    if (c->phase == HF_PHASE_GONE) return;
    count_held(c);
    bool writing = c->broken || c->tls_wants_write || c->phase == HF_PHASE_IPFS || (c->out.len > c->out_at && c->phase != HF_PHASE_WAITING);
    int events = (is_reading(c) ? UV_READABLE : 0) | (writing ? UV_WRITABLE : 0);
    if (events == c->events || (!events && c->events == UV_READABLE)) return; /* mostly it reads again before anything comes */
    c->events = events;
    if (events) uv_poll_start(&c->poll, events, on_poll);
    else uv_poll_stop(&c->poll);
}

/* ---- out ---- */

static ssize_t give(hf_client *c, hf_bytes head, hf_bytes body) {
    bool wants_write;
    if (c->tls) return hf_tls_write(c->tls, head.len ? head.ptr : body.ptr, head.len ? head.len : body.len, &wants_write);
    struct iovec pieces[] = {{(void *)(uintptr_t)head.ptr, head.len}, {(void *)(uintptr_t)body.ptr, body.len}};
    return writev(c->fd, pieces, body.len ? 2 : 1);
}

/* How much of both the system took. */
static size_t give_all(hf_client *c, hf_bytes head, hf_bytes body) {
    size_t n_given = 0;
    while (head.len + body.len) {
        ssize_t n = give(c, head, body);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            c->broken |= n == 0 || errno != EAGAIN;
            break;
        }
        size_t of_head = (size_t)n < head.len ? (size_t)n : head.len;
        head = hf_sub(head, of_head, head.len);
        body = hf_sub(body, (size_t)n - of_head, body.len);
        n_given += (size_t)n;
    }
    return n_given;
}

static void keep_rest(hf_client *c, hf_bytes head, hf_bytes body, size_t n_given) {
    size_t before = c->out.len;
    hf_buf_add(&c->out, hf_sub(head, n_given, head.len));
    hf_buf_add(&c->out, hf_sub(body, n_given > head.len ? n_given - head.len : 0, body.len));
    c->broken |= c->out.err != 0;
    if (!before && c->out.len) hf_client_end_in(c, SEND_MS + c->out.len / SEND_BYTES_PER_MS);
}

void hf_client_send(hf_client *c, hf_bytes head, hf_bytes body) {
    if (c->phase == HF_PHASE_GONE || c->broken) return;
    bool queued = c->out.len > c->out_at;
    size_t n = queued ? 0 : give_all(c, head, body);
    if (c->phase == HF_PHASE_PEER) c->channel.queued_bytes -= n < c->channel.queued_bytes ? n : c->channel.queued_bytes;
    if (n < head.len + body.len) keep_rest(c, head, body, n);
    poll_again(c);
}

/* Nothing is left to be written: what comes next. */
static void on_empty(hf_client *c) {
    give_back(c, &c->out);
    c->out_at = 0;
    if (c->last && c->phase != HF_PHASE_LINGER && c->phase != HF_PHASE_IPFS) begin_linger(c);
    else if (c->phase >= HF_PHASE_EVENTS && c->phase != HF_PHASE_LINGER) hf_client_end_in(c, UINT64_MAX);
    else if (c->phase == HF_PHASE_HEAD) hf_client_end_in(c, c->in.len ? HEAD_MS : IDLE_MS);
}

void hf_client_flush(hf_client *c) {
    if (c->phase == HF_PHASE_GONE) return;
    hf_bytes rest = hf_sub(hf_buf_bytes(&c->out), c->out_at, c->out.len);
    size_t n = give_all(c, rest, HF_BYTES(NULL, 0));
    c->out_at += n;
    if (n && c->phase >= HF_PHASE_EVENTS) hf_client_end_in(c, SEND_MS);
    if (n == rest.len && !c->broken) on_empty(c);
    else if (c->out_at > CONSUME_FROM) {
        hf_buf_consume(&c->out, c->out_at);
        c->out_at = 0;
    }
    poll_again(c);
    if (c->phase == HF_PHASE_PEER) hf_peer_sent(c, n);
}

/* ---- in ---- */

/* -1: nothing more now; 0: they are gone. */
static ssize_t take(hf_client *c) {
    ssize_t n;
    do n = c->tls ? hf_tls_read(c->tls, c->http->read_buffer, HF_HTTP_READ_BYTES, &c->tls_wants_write) : read(c->fd, c->http->read_buffer, HF_HTTP_READ_BYTES);
    while (n < 0 && errno == EINTR);
    return n < 0 && errno != EAGAIN ? 0 : n;
}

static void keep_input(hf_client *c, hf_bytes bytes) {
    if (!c->in.len && c->phase == HF_PHASE_HEAD) hf_client_end_in(c, HEAD_MS);
    hf_buf_add(&c->in, bytes);
    c->broken |= c->in.err != 0;
}

static void use(hf_client *c, size_t len) {
    if (c->phase == HF_PHASE_PEER) return hf_peer_take(c, HF_BYTES(c->http->read_buffer, len));
    if (c->phase == HF_PHASE_LINGER || c->phase == HF_PHASE_EVENTS) return;
    keep_input(c, HF_BYTES(c->http->read_buffer, len));
    hf_client_go_on(c);
}

/* A request that came with others is answered when the one before it is. */
void hf_client_go_on(hf_client *c) {
    if (c->phase == HF_PHASE_GONE) return;
    bool taken = false;
    while (c->phase <= HF_PHASE_BODY && c->in.len && c->out.len == c->out_at && !c->last && !c->broken && hf_exchange_take(c)) taken = true;
    if (c->phase == HF_PHASE_GONE) return;
    if (taken && c->phase == HF_PHASE_HEAD && c->out.len == c->out_at) hf_client_end_in(c, c->in.len ? HEAD_MS : IDLE_MS);
    if (c->phase == HF_PHASE_PEER && c->in.len) {
        hf_buf rest = c->in;
        hf_buf_init(&c->in, rest.mem);
        hf_peer_take(c, hf_buf_bytes(&rest));
        hf_buf_deinit(&rest);
    }
    if (c->last && c->phase <= HF_PHASE_BODY && c->out.len == c->out_at) begin_linger(c);
    if (!c->in.len || c->phase == HF_PHASE_LINGER) give_back(c, &c->in);
    poll_again(c);
}

/* OpenSSL reads one record at a time, and a record fits into the buffer: so what is left is with the system, which tells of it again. */
static void read_some(hf_client *c) {
    for (int i = 0; i < READS_AT_ONCE && is_reading(c); i++) {
        ssize_t n = take(c);
        if (n == 0) return hf_client_shut(c);
        if (n < 0) return poll_again(c);
        use(c, (size_t)n);
        if (c->phase == HF_PHASE_GONE) return;
        if (!c->tls && n < HF_HTTP_READ_BYTES) return;
    }
}

void hf_client_resume(hf_client *c) {
    hf_client_flush(c);
    if (c->phase == HF_PHASE_IPFS) hf_ipfs_more(c);
    hf_client_go_on(c);
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    hf_client *c = poll->data;
    if (status < 0 || c->broken) return hf_client_shut(c);
    if (events & UV_WRITABLE) hf_client_resume(c);
    if (c->phase == HF_PHASE_GONE) return;
    if (c->events == UV_READABLE && !is_reading(c)) {
        c->events = 0;
        uv_poll_stop(poll);
    } else if (events & UV_READABLE || c->tls_wants_write) read_some(c);
}

/* ---- life ---- */

/* When all places are taken, the one that has been silent longest gives its place up. */
static bool make_room(hf_http *http) {
    hf_client *silent = NULL;
    for (hf_client *c = http->clients; c; c = c->next) {
        bool idle = c->phase == HF_PHASE_HEAD && !c->in.len && c->out.len == c->out_at;
        if (idle && (!silent || c->deadline_ms <= silent->deadline_ms)) silent = c;
    }
    if (silent) hf_client_shut(silent);
    return silent != NULL;
}

void hf_client_new(hf_http *http, int fd) {
    hf_client *c = http->n_clients < http->n_clients_max || make_room(http) ? calloc(1, sizeof *c) : NULL;
    if (c && http->tls) c->tls = hf_tls_link_open(http->tls, fd);
    if (!c || (http->tls && !c->tls) || uv_poll_init(http->node->loop, &c->poll, fd)) {
        if (c) hf_tls_link_close(c->tls);
        free(c);
        close(fd);
        return;
    }
    c->http = http;
    c->fd = fd;
    c->poll.data = c;
    hf_buf_init(&c->in, &http->node->mem);
    hf_buf_init(&c->out, &http->node->mem);
    hf_buf_init(&c->typed, &http->node->mem);
    c->next = http->clients;
    if (c->next) c->next->previous = c;
    http->clients = c;
    http->n_clients++;
    hf_client_end_in(c, HEAD_MS);
    read_some(c); /* mostly it is there already */
    poll_again(c);
}

void hf_client_tick(hf_client *c) {
    if (c->broken || c->deadline_ms <= now(c)) hf_client_shut(c);
}

bool hf_client_is_busy(const hf_client *c) {
    return c->phase == HF_PHASE_BODY || c->phase == HF_PHASE_WAITING || c->phase == HF_PHASE_IPFS || (c->phase == HF_PHASE_HEAD && c->out.len > c->out_at);
}

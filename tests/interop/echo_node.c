/* echo_node: the swarm on real TCP sockets, for tests against other libp2p programs. Not a product: one poll() loop, no
 * TLS, no stores.
 *
 *      echo_node SEED_BYTE      prints "listening PORT PEER_ID", then one line per event; reads commands:
 *      open PROTOCOL BYTES      opens a stream to the first peer, writes BYTES bytes, finishes, and tells when the
 * swarm said stop and what came back protocol NAME            makes another protocol known (identify push) dial PORT
 * [PEER_ID]      connects to 127.0.0.1:PORT, and wants that peer there rtt                      prints the round trip
 * of the first connection quit It speaks /test/echo/1 (gives back what comes) and /test/sink/1 (swallows it and says
 * how much).
 */
#include "../../core/p2p/swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNS = 64, HIGH_WATER = 1 << 20, TAG_ECHO = 1, TAG_SINK = 2, TAG_CLIENT = 3, STREAMS = 64 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_swarm *swarm;
static struct conn {
    int fd;
    bool open, closing, busy;
    hf_buf out;
    size_t out_at;
} conns[CONNS];

/* What an own stream still has to write, and what has come back. */
static struct job {
    uint64_t stream;
    size_t to_write, written, got;
    bool wrong, told_full;
} jobs[STREAMS];

/* An echo that the peer does not take fast enough waits here. */
static struct echo {
    uint64_t stream;
    hf_buf waiting;
    bool fin;
} echoes[STREAMS];

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void random_bytes(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    if (getrandom(out, len, 0) != (ssize_t)len) abort();
}

static uint8_t pattern(size_t at) { return (uint8_t)(at * 7 + at / 251); }

/* ---- streams ---- */

static void write_job(struct job *j) {
    static uint8_t block[32768];
    while (j->written < j->to_write) {
        size_t len = j->to_write - j->written < sizeof block ? j->to_write - j->written : sizeof block;
        for (size_t i = 0; i < len; i++) block[i] = pattern(j->written + i);
        hf_err err = hf_swarm_stream_write(swarm, now_ms(), j->stream, HF_BYTES(block, len));
        if (err == HF_LIMIT && !j->told_full) printf("full %zu\n", j->written), j->told_full = true;
        if (err) return;
        j->written += len;
    }
    hf_swarm_stream_finish(swarm, now_ms(), j->stream);
}

static struct job *job_of(uint64_t stream) {
    for (size_t i = 0; i < STREAMS; i++)
        if (jobs[i].stream == stream) return &jobs[i];
    return NULL;
}

static struct echo *echo_of(uint64_t stream) {
    for (size_t i = 0; i < STREAMS; i++)
        if (echoes[i].stream == stream) return &echoes[i];
    return NULL;
}

static void flush_echo(struct echo *e) {
    while (e->waiting.len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&e->waiting), 0, 65536);
        if (hf_swarm_stream_write(swarm, now_ms(), e->stream, part)) return;
        hf_buf_consume(&e->waiting, part.len);
    }
    hf_swarm_stream_reading(swarm, now_ms(), e->stream, true);
    if (e->fin) hf_swarm_stream_finish(swarm, now_ms(), e->stream);
}

static void on_echo(const hf_swarm_out *o) {
    struct echo *e = echo_of(o->kind == HF_SWARM_STREAM_OPEN ? 0 : o->stream);
    if (!e) return;
    switch (o->kind) {
        case HF_SWARM_STREAM_OPEN:
            e->stream = o->stream;
            e->fin = false;
            hf_buf_init(&e->waiting, &mem);
            break;
        case HF_SWARM_STREAM_DATA:
            if (!e->waiting.len && !hf_swarm_stream_write(swarm, now_ms(), o->stream, o->bytes)) break;
            hf_buf_add(&e->waiting, o->bytes);
            hf_swarm_stream_reading(swarm, now_ms(), o->stream, false);
            break;
        case HF_SWARM_STREAM_FIN:
            e->fin = true;
            if (!e->waiting.len) hf_swarm_stream_finish(swarm, now_ms(), o->stream);
            break;
        case HF_SWARM_STREAM_DRAINED: flush_echo(e); break;
        case HF_SWARM_STREAM_GONE:
            hf_buf_deinit(&e->waiting);
            e->stream = 0;
            break;
        default: break;
    }
}

static void on_client(const hf_swarm_out *o) {
    struct job *j = job_of(o->stream);
    if (!j) return;
    if (o->kind == HF_SWARM_STREAM_DATA) {
        for (size_t i = 0; i < o->bytes.len; i++) j->wrong |= o->bytes.ptr[i] != pattern(j->got + i);
        j->got += o->bytes.len;
    }
    if (o->kind == HF_SWARM_STREAM_DRAINED) write_job(j);
    if (o->kind != HF_SWARM_STREAM_GONE) return;
    printf("done sent %zu got %zu%s reset %d %s\n", j->written, j->got, j->wrong ? " WRONG" : "", o->reset,
           o->reason ? o->reason : "");
    j->stream = 0;
}

static void on_sink(const hf_swarm_out *o) {
    static size_t sunk;
    if (o->kind == HF_SWARM_STREAM_OPEN) sunk = 0;
    if (o->kind == HF_SWARM_STREAM_DATA) sunk += o->bytes.len;
    if (o->kind != HF_SWARM_STREAM_FIN) return;
    printf("sunk %zu\n", sunk);
    hf_swarm_stream_finish(swarm, now_ms(), o->stream);
}

/* ---- the swarm's outputs ---- */

static void print_peer(const char *what, const hf_peer_id *peer, const char *more) {
    hf_buf text;
    hf_buf_init(&text, &mem);
    hf_peer_id_add_text(&text, peer);
    printf("%s %.*s %s\n", what, (int)text.len, (const char *)text.ptr, more ? more : "");
    hf_buf_deinit(&text);
}

static void print_identify(const hf_swarm_out *o) {
    const hf_identify *id = o->identify;
    print_peer("identified", &o->peer, NULL);
    printf("agent %.*s protocols %zu addresses %zu observed %zu\n", (int)id->agent.len, (const char *)id->agent.ptr,
           id->n_protocols, id->n_addresses, id->observed.len);
}

static void on_out(const hf_swarm_out *o) {
    struct conn *c = &conns[o->conn % CONNS];
    switch (o->kind) {
        case HF_SWARM_SEND: hf_buf_add(&c->out, o->bytes); break;
        case HF_SWARM_CONN_CLOSE:
            c->closing = true;
            printf("close %s\n", o->reason);
            break;
        case HF_SWARM_CONN_UP: print_peer("up", &o->peer, NULL); break;
        case HF_SWARM_CONN_DOWN: print_peer("down", &o->peer, o->reason); break;
        case HF_SWARM_IDENTIFIED: print_identify(o); break;
        default:
            if (o->tag == TAG_ECHO) on_echo(o);
            if (o->tag == TAG_SINK) on_sink(o);
            if (o->tag == TAG_CLIENT) on_client(o);
    }
}

static void drain(void) {
    hf_swarm_out out;
    while (hf_swarm_next(swarm, &out)) {
        on_out(&out);
        struct conn *c = &conns[out.conn % CONNS];
        if (out.kind == HF_SWARM_SEND && !c->busy && c->out.len - c->out_at > HIGH_WATER)
            hf_swarm_conn_busy(swarm, now_ms(), out.conn, c->busy = true);
    }
    fflush(stdout);
}

/* ---- sockets ---- */

static void start_conn(int fd, bool dialer, const hf_peer_id *expected, const struct sockaddr_in *from) {
    uint64_t n = 0;
    while (n < CONNS && conns[n].open) n++;
    uint8_t remote[8] = {4, 0, 0, 0, 0, 6};
    memcpy(remote + 1, &from->sin_addr, 4);
    memcpy(remote + 6, &from->sin_port, 2);
    if (n == CONNS || hf_swarm_conn_open(swarm, now_ms(), n, dialer, expected, HF_BYTES(remote, sizeof remote))) {
        close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    conns[n] = (struct conn){.fd = fd, .open = true};
    hf_buf_init(&conns[n].out, &mem);
}

static void dial(uint16_t port, const char *peer) {
    hf_peer_id expected;
    bool expects = hf_peer_id_parse(hf_str(peer), &expected) == HF_OK;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to)) {
        printf("cannot dial %u\n", port);
        close(fd);
    } else
        start_conn(fd, true, expects ? &expected : NULL, &to);
}

static void end_conn(size_t n, bool lost) {
    struct conn *c = &conns[n];
    close(c->fd);
    hf_buf_deinit(&c->out);
    c->open = false;
    if (lost) hf_swarm_conn_lost(swarm, now_ms(), n);
}

static void write_conn(size_t n) {
    struct conn *c = &conns[n];
    while (c->out_at < c->out.len) {
        ssize_t sent = send(c->fd, c->out.ptr + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) break;
        if (sent < 0) {
            end_conn(n, !c->closing);
            return;
        }
        c->out_at += (size_t)sent;
    }
    if (c->out_at == c->out.len) {
        hf_buf_clear(&c->out);
        c->out_at = 0;
        if (c->busy) hf_swarm_conn_busy(swarm, now_ms(), n, c->busy = false);
        if (c->closing) end_conn(n, false);
    }
}

static void read_conn(size_t n) {
    static uint8_t bytes[65536];
    ssize_t got = recv(conns[n].fd, bytes, sizeof bytes, 0);
    if (got > 0)
        (void)!hf_swarm_conn_recv(swarm, now_ms(), n, HF_BYTES(bytes, (size_t)got));
    else if (got == 0 || errno != EAGAIN)
        end_conn(n, !conns[n].closing);
}

/* ---- commands ---- */

static void open_job(const char *protocol, size_t n_bytes) {
    const hf_peer_id *peer = hf_swarm_peer(swarm, 0);
    struct job *j = job_of(0);
    uint64_t stream = 0;
    hf_err err =
        peer ? hf_swarm_stream_open(swarm, now_ms(), peer, hf_str(protocol), TAG_CLIENT, &stream) : HF_NOT_FOUND;
    if (err || !j) {
        printf("cannot open: %s\n", hf_err_name(err));
        return;
    }
    *j = (struct job){.stream = stream, .to_write = n_bytes};
    write_job(j);
}

static bool command(char *line) {
    char name[256] = "";
    size_t n = 0;
    if (sscanf(line, "open %255s %zu", name, &n) == 2)
        open_job(name, n);
    else if (sscanf(line, "protocol %255s", name) == 1)
        (void)!hf_swarm_protocol(swarm, hf_str(name), TAG_SINK);
    else if (sscanf(line, "dial %zu %255s", &n, name) >= 1)
        dial((uint16_t)n, name);
    else if (strncmp(line, "rtt", 3) == 0)
        printf("rtt %u\n", hf_swarm_conn_rtt_ms(swarm, 0));
    else
        return strncmp(line, "quit", 4) != 0;
    return true;
}

static bool read_commands(void) {
    static char line[512];
    static size_t len;
    char c;
    while (read(0, &c, 1) == 1) {
        if (c != '\n' && len < sizeof line - 1) {
            line[len++] = c;
            continue;
        }
        line[len] = 0;
        len = 0;
        return command(line);
    }
    return false;
}

/* ---- the loop ---- */

static int listen_somewhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64) || getsockname(fd, (struct sockaddr *)&at, &len))
        abort();
    char port[16];
    snprintf(port, sizeof port, "listening %u", ntohs(at.sin_port));
    print_peer(port, hf_swarm_self(swarm), NULL);
    return fd;
}

static bool turn(int listener) {
    struct pollfd fds[CONNS + 2] = {{0, POLLIN, 0}, {listener, POLLIN, 0}};
    for (size_t i = 0; i < CONNS; i++) {
        bool pending = conns[i].open && (conns[i].out_at < conns[i].out.len || conns[i].closing);
        fds[i + 2] = (struct pollfd){conns[i].open ? conns[i].fd : -1, (short)(POLLIN | (pending ? POLLOUT : 0)), 0};
    }
    uint64_t now = now_ms(), deadline = hf_swarm_deadline(swarm);
    int wait = deadline <= now ? 0 : deadline - now > 1000 ? 1000 : (int)(deadline - now);
    poll(fds, CONNS + 2, wait);
    if ((fds[0].revents & (POLLIN | POLLHUP)) && !read_commands()) return false;
    struct sockaddr_in from = {.sin_family = AF_INET};
    socklen_t len = sizeof from;
    if (fds[1].revents & POLLIN) start_conn(accept(listener, (struct sockaddr *)&from, &len), false, NULL, &from);
    for (size_t i = 0; i < CONNS; i++) {
        if (fds[i + 2].fd >= 0 && conns[i].open && (fds[i + 2].revents & (POLLIN | POLLHUP | POLLERR))) read_conn(i);
        if (fds[i + 2].fd >= 0 && conns[i].open && (fds[i + 2].revents & POLLOUT)) write_conn(i);
    }
    if (hf_swarm_deadline(swarm) <= now_ms()) hf_swarm_tick(swarm, now_ms());
    drain();
    return true;
}

int main(int argc, char **argv) {
    uint8_t seed[32] = {argc > 1 ? (uint8_t)atoi(argv[1]) : 1};
    hf_swarm_config config = {
        .ed25519_seed = seed, .agent = HF_TEXT("holdfast/echo-node"), .random = random_bytes, .ping_ms = 2000};
    swarm = hf_swarm_new(&mem, &config);
    if (!swarm || hf_swarm_protocol(swarm, HF_TEXT("/test/echo/1"), TAG_ECHO) ||
        hf_swarm_protocol(swarm, HF_TEXT("/test/sink/1"), TAG_SINK))
        return 1;
    int listener = listen_somewhere();
    fflush(stdout);
    while (turn(listener)) continue;
    for (size_t i = 0; i < CONNS; i++)
        if (conns[i].open) end_conn(i, true);
    drain();
    hf_swarm_free(swarm);
    return 0;
}

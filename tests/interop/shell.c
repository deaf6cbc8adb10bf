/* shell: see shell.h. */
#include "shell.h"

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

enum { CONNS = 256, HIGH_WATER = 1 << 20 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

hf_mem shell_mem = {resize, NULL};
hf_swarm *shell_swarm;
static const shell_program *program;
static uint16_t own_port;
static struct conn {
    int fd;
    bool open, closing, busy;
    hf_buf out;
    size_t out_at;
} conns[CONNS];

uint64_t shell_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void shell_random(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    if (getrandom(out, len, 0) != (ssize_t)len) abort();
}

/* ---- the swarm's outputs ---- */

void shell_print_peer(const char *what, const hf_peer_id *peer, const char *more) {
    hf_buf text;
    hf_buf_init(&text, &shell_mem);
    hf_peer_id_add_text(&text, peer);
    printf("%s %.*s %s\n", what, (int)text.len, (const char *)text.ptr, more ? more : "");
    hf_buf_deinit(&text);
}

static void print_identify(const hf_swarm_out *o) {
    const hf_identify *id = o->identify;
    shell_print_peer("identified", &o->peer, NULL);
    printf("agent %.*s protocols %zu addresses %zu observed %zu\n", (int)id->agent.len, (const char *)id->agent.ptr,
           id->n_protocols, id->n_addresses, id->observed.len);
}

static void on_send(const hf_swarm_out *o) {
    struct conn *c = &conns[o->conn % CONNS];
    hf_buf_add(&c->out, o->bytes);
    if (!c->busy && c->out.len - c->out_at > HIGH_WATER)
        hf_swarm_conn_busy(shell_swarm, shell_now(), o->conn, c->busy = true);
}

static void on_out(const hf_swarm_out *o) {
    if (program->first && program->first(o)) return;
    switch (o->kind) {
    case HF_SWARM_SEND: return on_send(o);
    case HF_SWARM_CONN_CLOSE:
        conns[o->conn % CONNS].closing = true;
        printf("close %s\n", o->reason);
        break;
    case HF_SWARM_CONN_UP: shell_print_peer("up", &o->peer, NULL); break;
    case HF_SWARM_CONN_DOWN: shell_print_peer("down", &o->peer, o->reason); break;
    case HF_SWARM_IDENTIFIED: print_identify(o); break;
    default: break;
    }
    if (program->event) program->event(o);
}

static void drain(void) {
    hf_swarm_out out;
    do
        while (hf_swarm_next(shell_swarm, &out)) on_out(&out);
    while (program->drain && program->drain());
    fflush(stdout);
}

/* ---- sockets ---- */

uint16_t shell_port(void) { return own_port; }

static uint64_t start_conn(int fd, bool dialer, const hf_peer_id *expected, const struct sockaddr_in *from) {
    uint64_t n = 0;
    while (n < CONNS && conns[n].open) n++;
    uint8_t remote[8] = {4, 0, 0, 0, 0, 6};
    memcpy(remote + 1, &from->sin_addr, 4);
    memcpy(remote + 6, &from->sin_port, 2);
    hf_bytes address = HF_BYTES(remote, sizeof remote);
    if (n == CONNS || hf_swarm_conn_open(shell_swarm, shell_now(), n, dialer, expected, address)) {
        close(fd);
        return UINT64_MAX;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    conns[n] = (struct conn){.fd = fd, .open = true};
    hf_buf_init(&conns[n].out, &shell_mem);
    return n;
}

uint64_t shell_dial_as(uint16_t port, const hf_peer_id *expected, bool dialer) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (!connect(fd, (struct sockaddr *)&to, sizeof to)) return start_conn(fd, dialer, expected, &to);
    close(fd);
    return UINT64_MAX;
}

bool shell_dial(uint16_t port, const hf_peer_id *expected) {
    bool there = shell_dial_as(port, expected, true) != UINT64_MAX;
    if (!there) printf("cannot dial %u\n", port);
    return there;
}

static void end_conn(size_t n, bool lost) {
    struct conn *c = &conns[n];
    close(c->fd);
    hf_buf_deinit(&c->out);
    c->open = false;
    if (lost) hf_swarm_conn_lost(shell_swarm, shell_now(), n);
}

static void write_conn(size_t n) {
    struct conn *c = &conns[n];
    while (c->out_at < c->out.len) {
        ssize_t sent = send(c->fd, c->out.ptr + c->out_at, c->out.len - c->out_at, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0) return end_conn(n, !c->closing);
        c->out_at += (size_t)sent;
    }
    hf_buf_clear(&c->out);
    c->out_at = 0;
    if (c->busy) hf_swarm_conn_busy(shell_swarm, shell_now(), n, c->busy = false);
    if (c->closing) end_conn(n, false);
}

static void read_conn(size_t n) {
    static uint8_t bytes[65536];
    ssize_t got = recv(conns[n].fd, bytes, sizeof bytes, 0);
    if (got > 0) (void)!hf_swarm_conn_recv(shell_swarm, shell_now(), n, HF_BYTES(bytes, (size_t)got));
    else if (got == 0 || errno != EAGAIN) end_conn(n, !conns[n].closing);
}

/* ---- commands ---- */

static void hang_up(void) {
    for (size_t i = 0; i < CONNS; i++)
        if (conns[i].open) hf_swarm_conn_close(shell_swarm, shell_now(), i, "hangup");
}

static bool command(const char *line) {
    char peer[256] = "";
    unsigned port = 0;
    hf_peer_id expected;
    if (sscanf(line, "dial %u %255s", &port, peer) >= 1)
        shell_dial((uint16_t)port, hf_peer_id_parse(hf_str(peer), &expected) == HF_OK ? &expected : NULL);
    else if (strcmp(line, "rtt") == 0) printf("rtt %u\n", hf_swarm_conn_rtt_ms(shell_swarm, 0));
    else if (strcmp(line, "hangup") == 0) hang_up();
    else if (strcmp(line, "quit") == 0) return false;
    else if (!program->command || !program->command(line)) printf("what? %s\n", line);
    return true;
}

/* All the lines that are there; false: no more will come, or it is enough. */
static bool read_commands(void) {
    static char line[65536], in[4096];
    static size_t len;
    ssize_t got = read(0, in, sizeof in);
    for (ssize_t i = 0; i < got; i++) {
        if (in[i] != '\n') {
            if (len < sizeof line - 1) line[len++] = in[i];
            continue;
        }
        line[len] = 0;
        len = 0;
        if (!command(line)) return false;
    }
    return got > 0;
}

/* ---- the loop ---- */

static int listen_somewhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 64) || getsockname(fd, (struct sockaddr *)&at, &len))
        abort();
    char port[32];
    own_port = ntohs(at.sin_port);
    uint8_t own[8] = {4, 127, 0, 0, 1, 6, (uint8_t)(own_port >> 8), (uint8_t)own_port};
    hf_bytes address = HF_BYTES(own, sizeof own);
    if (!hf_swarm_address(shell_swarm, 0).len && hf_swarm_addresses(shell_swarm, &address, 1)) abort();
    snprintf(port, sizeof port, "listening %u", own_port);
    shell_print_peer(port, hf_swarm_self(shell_swarm), NULL);
    return fd;
}

static uint64_t deadline(void) {
    uint64_t swarm = hf_swarm_deadline(shell_swarm), own = program->deadline ? program->deadline() : UINT64_MAX;
    return swarm < own ? swarm : own;
}

static int wait_ms(void) {
    uint64_t now = shell_now(), until = deadline();
    return until <= now ? 0 : until - now > 1000 ? 1000 : (int)(until - now);
}

static void move_bytes(const struct pollfd *fds) {
    for (size_t i = 0; i < CONNS; i++) {
        if (fds[i].fd >= 0 && conns[i].open && (fds[i].revents & (POLLIN | POLLHUP | POLLERR))) read_conn(i);
        if (fds[i].fd >= 0 && conns[i].open && (fds[i].revents & POLLOUT)) write_conn(i);
    }
}

static bool turn(int listener) {
    struct pollfd fds[CONNS + 2] = {{0, POLLIN, 0}, {listener, POLLIN, 0}};
    for (size_t i = 0; i < CONNS; i++) {
        bool pending = conns[i].open && (conns[i].out_at < conns[i].out.len || conns[i].closing);
        fds[i + 2] = (struct pollfd){conns[i].open ? conns[i].fd : -1, (short)(POLLIN | (pending ? POLLOUT : 0)), 0};
    }
    poll(fds, CONNS + 2, wait_ms());
    if ((fds[0].revents & (POLLIN | POLLHUP)) && !read_commands()) return false;
    struct sockaddr_in from = {.sin_family = AF_INET};
    socklen_t len = sizeof from;
    move_bytes(fds + 2); /* before a new connection takes the number of one that ended */
    if (fds[1].revents & POLLIN) start_conn(accept(listener, (struct sockaddr *)&from, &len), false, NULL, &from);
    if (hf_swarm_deadline(shell_swarm) <= shell_now()) hf_swarm_tick(shell_swarm, shell_now());
    if (program->deadline && program->deadline() <= shell_now()) program->tick();
    drain();
    return true;
}

int shell_run(const hf_swarm_config *config, const shell_program *hooks) {
    hf_swarm_config full = *config;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    full.unix_offset_ms = (int64_t)now.tv_sec * 1000 - (int64_t)shell_now();
    if (!full.random) full.random = shell_random;
    program = hooks;
    shell_swarm = hf_swarm_new(&shell_mem, &full);
    if (!shell_swarm || (program->start && !program->start())) return 1;
    int listener = listen_somewhere();
    fflush(stdout);
    while (turn(listener)) continue;
    for (size_t i = 0; i < CONNS; i++)
        if (conns[i].open) end_conn(i, true);
    drain();
    if (program->stop) program->stop();
    hf_swarm_free(shell_swarm);
    return 0;
}

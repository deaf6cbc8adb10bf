/* p2p_crowd: N peers in one process, each a swarm with a key of its own and one TCP connection to the same peer, ours or another's.
 *      p2p_crowd PORT N      prints "connected SECONDS" when all are authenticated and identified; stays until its input ends */
#include "../core/p2p/swarm.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONN = 1, PEERS_MAX = 5000, AT_ONCE = 16 };

typedef struct peer {
    hf_swarm *swarm;
    hf_buf out;
    int fd;
} peer;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};
static peer *peers;
static size_t n_peers, n_up;

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "p2p_crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void random_fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    must(getrandom(out, len, 0) == (ssize_t)len, "random");
}

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void write_out(peer *p) {
    while (p->out.len) {
        ssize_t n = write(p->fd, p->out.ptr, p->out.len);
        if (n < 0 && errno == EAGAIN) return;
        must(n > 0, "write");
        hf_buf_consume(&p->out, (size_t)n);
    }
    hf_buf_deinit(&p->out);
}

static void drain(peer *p) {
    hf_swarm_out out;
    while (hf_swarm_next(p->swarm, &out)) {
        if (out.kind == HF_SWARM_SEND) hf_buf_add(&p->out, out.bytes);
        if (out.kind == HF_SWARM_IDENTIFIED) n_up++;
        if (out.kind == HF_SWARM_CONN_CLOSE || out.kind == HF_SWARM_CONN_DOWN) must(false, out.reason ? out.reason : "the peer closed");
    }
    write_out(p);
}

static void dial(peer *p, int port) {
    uint8_t seed[32];
    random_fill(NULL, seed, sizeof seed);
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast-crowd"), .random = random_fill};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    hf_buf_init(&p->out, &mem);
    p->swarm = hf_swarm_new(&mem, &config);
    p->fd = socket(AF_INET, SOCK_STREAM, 0);
    must(p->swarm && p->fd >= 0 && !connect(p->fd, (struct sockaddr *)&to, sizeof to), "connect");
    must(!fcntl(p->fd, F_SETFL, O_NONBLOCK), "fcntl");
    must(!hf_swarm_conn_open(p->swarm, now_ms(), CONN, true, NULL, HF_BYTES(NULL, 0)), "conn_open");
    drain(p);
}

static void read_in(peer *p) {
    static uint8_t bytes[65536];
    ssize_t n = read(p->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EAGAIN) return;
    must(n > 0, "the peer closed");
    must(!hf_swarm_conn_recv(p->swarm, now_ms(), CONN, HF_BYTES(bytes, (size_t)n)), "recv");
    drain(p);
}

/* Whatever is there to be read or overdue; false: the input has ended. */
static bool turn(void) {
    static struct pollfd fds[PEERS_MAX + 1];
    uint64_t now = now_ms();
    for (size_t i = 0; i < n_peers; i++) {
        if (hf_swarm_deadline(peers[i].swarm) <= now) hf_swarm_tick(peers[i].swarm, now), drain(&peers[i]);
        fds[i] = (struct pollfd){peers[i].fd, POLLIN | (peers[i].out.len ? POLLOUT : 0), 0};
    }
    fds[n_peers] = (struct pollfd){0, POLLIN, 0};
    must(poll(fds, n_peers + 1, 100) >= 0, "poll");
    for (size_t i = 0; i < n_peers; i++) {
        if (fds[i].revents & POLLOUT) write_out(&peers[i]);
        if (fds[i].revents & ~POLLOUT) read_in(&peers[i]);
    }
    return !fds[n_peers].revents;
}

int main(int argc, char **argv) {
    must(argc == 3, "p2p_crowd PORT N");
    size_t wanted = strtoul(argv[2], NULL, 10);
    struct rlimit limit;
    must(wanted <= PEERS_MAX && sodium_init() >= 0, "too many peers");
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    peers = calloc(wanted, sizeof *peers);
    must(peers != NULL, "memory");
    uint64_t from = now_ms();
    while (n_peers < wanted) {
        dial(&peers[n_peers], atoi(argv[1]));
        n_peers++;
        while (n_peers - n_up >= AT_ONCE) turn();
    }
    while (n_up < wanted) turn();
    printf("connected %.3f\n", (double)(now_ms() - from) / 1e3);
    fflush(stdout);
    while (turn()) {}
    return 0;
}

/* crowd: N clients of one node in one process, each a whole core with keys, a log and a TCP connection of its own, as a browser's replica is. Their
 * blocks stay in memory; nothing is written.
 *      crowd APP PORT N ENTRIES      connects N clients; prints "connected SECONDS" when each is authenticated and "level SECONDS" when each has
 *                                    ENTRIES entries of the first collection; then stays until its input ends */
#include "../core/core.h"
#include "../node/site.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONN = 1, CLIENTS_MAX = 5000, AT_ONCE = 32 };

typedef struct block { uint8_t cid[HF_CID_LEN]; size_t len; uint8_t bytes[]; } block;
typedef struct client {
    hf_core *core;
    hf_map blocks;
    hf_buf out;
    int fd;
    bool up;
} client;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};
static client *clients;
static size_t n_clients, n_up;

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
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

static hf_err get_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    block *b = hf_map_get(&((client *)ctx)->blocks, cid);
    if (!b) return HF_NOT_FOUND;
    *ret = HF_BYTES(b->bytes, b->len);
    return HF_OK;
}

static void put_block(client *c, const hf_out *out) {
    block *b = malloc(sizeof *b + out->bytes.len);
    must(b != NULL, "memory");
    memcpy(b->cid, out->cid, HF_CID_LEN);
    b->len = out->bytes.len;
    memcpy(b->bytes, out->bytes.ptr, b->len);
    must(!hf_map_put(&c->blocks, HF_BYTES(b->cid, HF_CID_LEN), b), "memory");
}

static void write_out(client *c) {
    while (c->out.len) {
        ssize_t n = write(c->fd, c->out.ptr, c->out.len);
        if (n < 0 && errno == EAGAIN) return;
        must(n > 0, "write");
        hf_buf_consume(&c->out, (size_t)n);
    }
}

static void drain(client *c) {
    hf_out out;
    uint64_t stored = 0;
    while (hf_core_next(c->core, now_ms(), &out)) {
        if (out.kind == HF_OUT_STORE) put_block(c, &out), stored = out.seq;
        if (out.kind == HF_OUT_SEND) hf_buf_add(&c->out, out.bytes);
        if (out.kind == HF_OUT_PEER_UP) c->up = true, n_up++;
        if (out.kind == HF_OUT_CONN_CLOSE || out.kind == HF_OUT_PEER_DOWN) must(false, out.reason ? out.reason : "the node closed");
    }
    write_out(c);
    if (!stored) return;
    hf_core_stored(c->core, now_ms(), stored);
    drain(c);
}

static void make_core(client *c, const hf_site *site) {
    hf_secrets secrets;
    hf_secrets_make(random_fill, NULL, &secrets);
    hf_arena arena;
    hf_bytes problem;
    hf_arena_init(&arena, &mem);
    hf_map_init(&c->blocks, &mem, 1);
    hf_buf_init(&c->out, &mem);
    hf_core_config config = {.release = hf_site_release(site), .script_url = HF_TEXT(""), .secrets = &secrets, .agent = HF_TEXT("holdfast-crowd"),
                             .random = random_fill, .blocks = {get_block, c}};
    config.files = hf_site_app_files(site, &config.n_files);
    c->core = hf_core_new(&mem, &config, &arena, &problem);
    must(c->core && !hf_core_start(c->core, now_ms()), "core");
    hf_arena_deinit(&arena);
}

static void dial(client *c, int port) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    must(c->fd >= 0 && !connect(c->fd, (struct sockaddr *)&to, sizeof to), "connect");
    must(!fcntl(c->fd, F_SETFL, O_NONBLOCK), "fcntl");
    must(!hf_core_conn_open(c->core, now_ms(), CONN, true, NULL, HF_BYTES(NULL, 0)), "conn_open");
    drain(c);
}

static void read_in(client *c) {
    static uint8_t bytes[65536];
    ssize_t n = read(c->fd, bytes, sizeof bytes);
    if (n < 0 && errno == EAGAIN) return;
    must(n > 0, "the node closed");
    must(!hf_core_conn_recv(c->core, now_ms(), CONN, HF_BYTES(bytes, (size_t)n)), "recv");
    drain(c);
}

/* Whatever is there to be read or overdue; false: the input has ended. */
static bool turn(void) {
    static struct pollfd fds[CLIENTS_MAX + 1];
    uint64_t now = now_ms();
    for (size_t i = 0; i < n_clients; i++) {
        if (hf_core_deadline(clients[i].core) <= now) hf_core_tick(clients[i].core, now), drain(&clients[i]);
        fds[i] = (struct pollfd){clients[i].fd, POLLIN | (clients[i].out.len ? POLLOUT : 0), 0};
    }
    fds[n_clients] = (struct pollfd){0, POLLIN, 0};
    must(poll(fds, n_clients + 1, 100) >= 0, "poll");
    for (size_t i = 0; i < n_clients; i++) {
        if (fds[i].revents & POLLOUT) write_out(&clients[i]);
        if (fds[i].revents & ~POLLOUT) read_in(&clients[i]);
    }
    return !fds[n_clients].revents;
}

static size_t n_level(size_t entries) {
    size_t n = 0;
    for (size_t i = 0; i < n_clients; i++) n += hf_core_n_entries(clients[i].core, 1) >= entries;
    return n;
}

int main(int argc, char **argv) {
    must(argc == 5, "crowd APP PORT N ENTRIES");
    size_t wanted = strtoul(argv[3], NULL, 10), entries = strtoul(argv[4], NULL, 10);
    must(wanted <= CLIENTS_MAX, "too many clients");
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const char *problem = "";
    hf_site *site = hf_site_open(&mem, argv[1], "", true, &problem);
    must(site != NULL, problem);
    clients = calloc(wanted, sizeof *clients);
    must(clients != NULL, "memory");
    for (size_t i = 0; i < wanted; i++) make_core(&clients[i], site);
    uint64_t from = now_ms();
    while (n_clients < wanted) {
        dial(&clients[n_clients], atoi(argv[2]));
        n_clients++;
        while (n_clients - n_up >= AT_ONCE) turn();
    }
    while (n_up < wanted) turn();
    printf("connected %.3f\n", (double)(now_ms() - from) / 1e3);
    fflush(stdout);
    while (n_level(entries) < wanted) turn();
    printf("level %.3f\n", (double)(now_ms() - from) / 1e3);
    fflush(stdout);
    while (turn()) {}
    return 0;
}

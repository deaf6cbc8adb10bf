/* listen: see listen.h. */
#include "listen.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 4096, TAKE_AT_ONCE = 64, PAUSE_MS = 200 };

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_over(uv_timer_t *timer) {
    hf_listener *l = timer->data;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

/* Whoever waits in the queue waits on, instead of us asking for the same error again and again. */
static void pause_taking(hf_listener *l) {
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause, on_pause_over, PAUSE_MS, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    hf_listener *l = poll->data;
    for (int i = 0, on = 1; i < TAKE_AT_ONCE && l->fd >= 0; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) return pause_taking(l);
        if (fd < 0 && errno != ECONNABORTED && errno != EINTR) return;
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        l->taken(l->ctx, fd);
    }
}

static bool read_address(const char *host, int port, struct sockaddr_storage *ret) {
    if (!strcmp(host, "localhost")) host = "127.0.0.1";
    return !uv_ip4_addr(host, port, (struct sockaddr_in *)ret) || !uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret);
}

static bool bind_and_listen(int fd, struct sockaddr_storage *address, int *ret_port) {
    int on = 1;
    socklen_t len = address->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) || bind(fd, (struct sockaddr *)address, len) || listen(fd, BACKLOG) ||
        getsockname(fd, (struct sockaddr *)address, &len))
        return false;
    *ret_port = ntohs(((struct sockaddr_in *)address)->sin_port); /* the same place in both families */
    return true;
}

bool hf_listen_open(hf_listener *l, uv_loop_t *loop, const char *host, int port, const char **ret_problem) {
    static char problem[300];
    struct sockaddr_storage address;
    *ret_problem = problem;
    if (!read_address(host, port, &address)) return snprintf(problem, sizeof problem, "%s is not an IP address", host), false;
    l->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0 || !bind_and_listen(l->fd, &address, &l->port)) {
        snprintf(problem, sizeof problem, "%s port %d: %s", host, port, strerror(errno));
        if (l->fd >= 0) close(l->fd);
        return false;
    }
    uv_poll_init(loop, &l->poll, l->fd);
    uv_timer_init(loop, &l->pause);
    l->poll.data = l->pause.data = l;
    uv_poll_start(&l->poll, UV_READABLE, on_readable);
    return true;
}

void hf_listen_close(hf_listener *l) {
    if (l->fd < 0) return;
    uv_close((uv_handle_t *)&l->poll, NULL);
    uv_close((uv_handle_t *)&l->pause, NULL);
    close(l->fd);
    l->fd = -1;
}

/* webrtc_socket: see webrtc_private.h. Each packet is told with the address of ours that it came to, and answers leave from there: a browser takes them from
 * nobody else, and a socket that listens everywhere would let the system choose. libuv's sockets cannot do that, its polling can. */
#include "webrtc_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { TAKE_AT_ONCE = 64, RECEIVE_BYTES = 1 << 20 };

static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff}; /* ::ffff:1.2.3.4: IPv4 on a socket for both */

typedef union control { char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))]; struct cmsghdr align; } control;

/* ---- places ---- */

/* IPv4 in IPv6 counts as IPv4. */
static void take_ip6(const struct in6_addr *from, uint8_t ret[16], bool *ret_v6) {
    memset(ret, 0, 16);
    *ret_v6 = memcmp(from, MAPPED, sizeof MAPPED) != 0;
    memcpy(ret, (const uint8_t *)from + (*ret_v6 ? 0 : sizeof MAPPED), *ret_v6 ? 16 : 4);
}

static void give_ip6(const uint8_t ip[16], bool v6, struct in6_addr *ret) {
    memcpy(ret, MAPPED, sizeof MAPPED);
    memcpy((uint8_t *)ret + (v6 ? 0 : sizeof MAPPED), ip, v6 ? 16 : 4);
}

static void read_here(struct msghdr *message, hf_webrtc_place *ret) {
    struct in_pktinfo four;
    struct in6_pktinfo six;
    bool v6;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&four, CMSG_DATA(c), sizeof four);
            memcpy(ret->here, &four.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&six, CMSG_DATA(c), sizeof six);
            take_ip6(&six.ipi6_addr, ret->here, &v6);
        }
    }
}

static void read_place(const struct sockaddr_storage *from, struct msghdr *message, hf_webrtc_place *ret) {
    bool v6 = false;
    *ret = (hf_webrtc_place){.v6 = 0};
    memcpy(ret->port, &((const struct sockaddr_in *)from)->sin_port, 2); /* the same place in both families */
    if (from->ss_family == AF_INET) memcpy(ret->ip, &((const struct sockaddr_in *)from)->sin_addr, 4);
    else take_ip6(&((const struct sockaddr_in6 *)from)->sin6_addr, ret->ip, &v6);
    ret->v6 = v6;
    read_here(message, ret);
}

static socklen_t write_place(const hf_webrtc *w, const hf_webrtc_place *place, struct sockaddr_storage *ret) {
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    memset(ret, 0, sizeof *ret);
    memcpy(&v4->sin_port, place->port, 2);
    ret->ss_family = w->six ? AF_INET6 : AF_INET;
    if (w->six) give_ip6(place->ip, place->v6, &((struct sockaddr_in6 *)ret)->sin6_addr);
    else memcpy(&v4->sin_addr, place->ip, 4);
    return w->six ? sizeof(struct sockaddr_in6) : sizeof *v4;
}

static void write_here(const hf_webrtc *w, const hf_webrtc_place *place, struct msghdr *message, control *room) {
    struct in_pktinfo four = {.ipi_ifindex = 0};
    struct in6_pktinfo six = {.ipi6_ifindex = 0};
    memset(room, 0, sizeof *room);
    memcpy(&four.ipi_spec_dst, place->here, 4);
    give_ip6(place->here, place->v6, &six.ipi6_addr);
    message->msg_control = room;
    message->msg_controllen = w->six ? CMSG_SPACE(sizeof six) : CMSG_SPACE(sizeof four);
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    c->cmsg_level = w->six ? IPPROTO_IPV6 : IPPROTO_IP;
    c->cmsg_type = w->six ? IPV6_PKTINFO : IP_PKTINFO;
    c->cmsg_len = w->six ? CMSG_LEN(sizeof six) : CMSG_LEN(sizeof four);
    if (w->six) memcpy(CMSG_DATA(c), &six, sizeof six);
    else memcpy(CMSG_DATA(c), &four, sizeof four);
}

/* ---- packets ---- */

/* A packet that the system does not take now is lost like any other. */
void hf_webrtc_packet_out(hf_webrtc *w, const hf_webrtc_place *to, hf_bytes packet) {
    struct sockaddr_storage address;
    control room;
    struct iovec bytes = {(void *)(uintptr_t)packet.ptr, packet.len};
    struct msghdr message = {.msg_name = &address, .msg_namelen = write_place(w, to, &address), .msg_iov = &bytes, .msg_iovlen = 1};
    if (w->fd < 0) return;
    write_here(w, to, &message, &room);
    while (sendmsg(w->fd, &message, 0) < 0 && errno == EINTR) continue;
}

/* Errors are those of packets sent before, such as a port that is closed: nothing to do with the next one. */
static bool take_one(hf_webrtc *w) {
    struct sockaddr_storage from;
    control room;
    hf_webrtc_place place;
    struct iovec bytes = {w->received, sizeof w->received};
    struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t n = recvmsg(w->fd, &message, 0);
    if (n < 0) return errno != EAGAIN && errno != EWOULDBLOCK;
    if (n == 0 || message.msg_flags & MSG_TRUNC || (from.ss_family != AF_INET && from.ss_family != AF_INET6)) return true;
    read_place(&from, &message, &place);
    hf_webrtc_packet_in(w, &place, HF_BYTES(w->received, (size_t)n));
    return true;
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    hf_webrtc *w = poll->data;
    (void)status, (void)events;
    for (int i = 0; i < TAKE_AT_ONCE && w->fd >= 0 && take_one(w); i++) continue;
}

/* ---- life ---- */

static bool set_up(hf_webrtc *w, const struct sockaddr *address) {
    int on = 1, bytes = RECEIVE_BYTES, only_six = w->v6_only;
    setsockopt(w->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes); /* as much as the system allows */
    if (!w->six) return !setsockopt(w->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) && !bind(w->fd, address, sizeof(struct sockaddr_in));
    return !setsockopt(w->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_six, sizeof only_six) && !setsockopt(w->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) &&
           !bind(w->fd, address, sizeof(struct sockaddr_in6));
}

const char *hf_webrtc_socket_open(hf_webrtc *w, const struct sockaddr *address) {
    w->six = address->sa_family == AF_INET6;
    w->fd = socket(address->sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (w->fd < 0 || !set_up(w, address)) return strerror(errno);
    int err = uv_poll_init(w->loop, &w->polling, w->fd);
    if (err) return uv_strerror(err);
    w->polling.data = w;
    w->n_handles++;
    err = uv_poll_start(&w->polling, UV_READABLE, on_readable);
    return err ? uv_strerror(err) : NULL;
}

void hf_webrtc_socket_close(hf_webrtc *w, uv_close_cb closed) {
    if (w->polling.data) uv_close((uv_handle_t *)&w->polling, closed);
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
}

int hf_webrtc_address(const hf_webrtc *w, struct sockaddr_storage *ret) {
    socklen_t len = sizeof *ret;
    return getsockname(w->fd, (struct sockaddr *)ret, &len) ? uv_translate_sys_error(errno) : 0;
}

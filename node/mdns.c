/* mdns: see mdns.h. One socket for all interfaces: it joins the group on each and names the outgoing one before each send.
 *
 * On each link only the address that we have there is announced: the others may not be reachable from it. Whoever is not on one of our links
 * is not listened to (RFC 6762 section 11), and what was announced is dialled only when it lies near: core/p2p/mdns_address.h. */
#include "mdns.h"

#include "../core/p2p/mdns_address.h"
#include "../core/p2p/mdns_message.h"
#include "describe.h"
#include "interfaces.h"
#include "rtc.h"
#include "say.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP "224.0.0.251"

enum {
    PORT = 5353,
    LOOK_MS = 2 * 1000,              /* how soon a new interface is noticed */
    ASK_MS = 10 * 1000,              /* as js-libp2p does */
    ANSWER_GAP_MS = 250,             /* whoever asks more often gets one answer for all of it */
    ANSWER_DELAY_MIN_MS = 20, ANSWER_DELAY_MAX_MS = 120, /* RFC 6762 section 6: so that not all answer in one moment */
    HOPS = 255,                      /* RFC 6762 section 11 */
    LINKS_MAX = 20,                  /* Linux lets a socket join no more groups (net.ipv4.igmp_max_memberships) */
    PEER_NAME_LEN = 40,
};

/* An IPv4 address of ours on an interface that is up. */
typedef struct place {
    struct in_addr ip, mask;
    char text[INET_ADDRSTRLEN];
    bool seen, joined;
} place;

struct hf_mdns {
    hf_node *node;
    void (*found)(hf_node *node, const char *multiaddr);
    hf_bytes service;
    int p2p_port;
    char peer_name[PEER_NAME_LEN];
    struct sockaddr_in group;
    place places[LINKS_MAX];
    size_t n_places;
    uint64_t asked_ms, answered_ms;
    uv_udp_t socket;
    uv_timer_t looking, answering;
    int n_handles;
    bool *gone;                      /* told when they are closed */
    hf_buf packet, address;          /* being written */
    uint8_t received[HF_MDNS_PACKET_MAX + 1];
};

static uint32_t random_number(void) {
    uint32_t n = 0;
    while (getrandom(&n, sizeof n, 0) < 0) {} /* interrupted */
    return n;
}

/* ---- interfaces ---- */

static place *place_of(hf_mdns *m, struct in_addr ip) {
    for (size_t i = 0; i < m->n_places; i++)
        if (m->places[i].ip.s_addr == ip.s_addr) return &m->places[i];
    return NULL;
}

static bool is_on_link(const hf_mdns *m, struct in_addr ip) {
    for (size_t i = 0; i < m->n_places; i++)
        if (!((m->places[i].ip.s_addr ^ ip.s_addr) & m->places[i].mask.s_addr)) return true;
    return false;
}

static void see(hf_mdns *m, const uv_interface_address_t *interface) {
    if (interface->is_internal || interface->address.address4.sin_family != AF_INET) return;
    struct in_addr ip = interface->address.address4.sin_addr;
    place *p = place_of(m, ip);
    if (!p && m->n_places == LINKS_MAX) return;
    if (!p) {
        p = &m->places[m->n_places++];
        *p = (place){.ip = ip};
        inet_ntop(AF_INET, &ip, p->text, sizeof p->text);
    }
    p->mask = interface->netmask.netmask4.sin_addr;
    p->seen = true;
}

/* Asked every time: an interface that went and came back under the same address has lost the membership. True: it is news that we are in. */
static bool join(hf_mdns *m, place *p) {
    int err = uv_udp_set_membership(&m->socket, GROUP, p->text, UV_JOIN_GROUP);
    bool before = p->joined;
    p->joined = !err || err == UV_EADDRINUSE; /* we are in it already, maybe by another address of that interface */
    if (p->joined != before) hf_say(HF_LEVEL_DEBUG, before ? "multicast ends" : "multicast begins", "address", p->text, NULL);
    return !err || (p->joined && !before);
}

/* A membership outlives its interface and counts against LINKS_MAX, so it is given back. */
static void leave(hf_mdns *m, place *p) {
    if (p->joined) hf_say(HF_LEVEL_DEBUG, "multicast ends", "address", p->text, NULL);
    uv_udp_set_membership(&m->socket, GROUP, p->text, UV_LEAVE_GROUP);
    *p = m->places[--m->n_places];
}

/* True: there is a link to ask on that was not there before. */
static bool look_around(hf_mdns *m) {
    uv_interface_address_t *interfaces;
    bool news = false;
    int n;
    if (hf_interfaces(&interfaces, &n)) return false; /* what we knew still holds */
    for (size_t i = 0; i < m->n_places; i++) m->places[i].seen = false;
    for (int i = 0; i < n; i++) see(m, &interfaces[i]);
    free(interfaces);
    for (size_t i = m->n_places; i--;)
        if (!m->places[i].seen) leave(m, &m->places[i]);
    for (size_t i = 0; i < m->n_places; i++) news |= join(m, &m->places[i]);
    return news;
}

/* ---- asking and answering ---- */

/* A datagram that the system does not take now is lost like any other; the next one comes. */
static void send_packet(hf_mdns *m, const place *p) {
    if (m->packet.err || uv_udp_set_multicast_interface(&m->socket, p->text)) return;
    uv_buf_t buf = uv_buf_init((char *)m->packet.ptr, (unsigned)m->packet.len);
    int n = uv_udp_try_send(&m->socket, &buf, 1, (const struct sockaddr *)&m->group);
    if (n < 0) hf_say(HF_LEVEL_DEBUG, "multicast does not go out", "address", p->text, "why", uv_strerror(n), NULL);
}

static void ask(hf_mdns *m) {
    m->asked_ms = hf_node_now(m->node);
    hf_buf_clear(&m->packet);
    if (hf_mdns_add_query(&m->packet, m->service)) return;
    for (size_t i = 0; i < m->n_places; i++)
        if (m->places[i].joined) send_packet(m, &m->places[i]);
}

static void on_look(uv_timer_t *timer) {
    hf_mdns *m = timer->data;
    if (look_around(m) || hf_node_now(m->node) >= m->asked_ms + ASK_MS) ask(m);
}

/* Are we listening there, and is it an address that others would dial? */
static bool is_offered(const char *host, const place *p) {
    if (strcmp(host, "0.0.0.0") && strcmp(host, "::") && strcmp(host, p->text)) return false;
    return hf_mdns_reach_ip4((const uint8_t *)&p->ip) != HF_MDNS_NOWHERE;
}

/* One text after another in m->address; views into it are taken when it does not move any more. */
static size_t add_address(hf_mdns *m, const char *host, const char *rest) {
    size_t from = m->address.len;
    hf_buf_add_str(&m->address, "/ip4/");
    hf_buf_add_str(&m->address, host);
    hf_buf_add_str(&m->address, rest);
    hf_buf_add_str(&m->address, "/p2p/");
    hf_peer_id_add_text(&m->address, hf_core_self(m->node->core));
    return m->address.len - from;
}

static void answer_on(hf_mdns *m, const place *p) {
    char rest[192];
    hf_buf_clear(&m->address);
    snprintf(rest, sizeof rest, "/tcp/%d", m->p2p_port);
    size_t tcp = is_offered(m->node->options->p2p_host, p) ? add_address(m, p->text, rest) : 0, rtc = 0;
    if (hf_rtc_port(m->node->rtc) && is_offered(m->node->options->webrtc_host, p)) {
        hf_describe_rtc(m->node, rest, sizeof rest);
        rtc = add_address(m, p->text, rest);
    }
    if (m->address.err || tcp + rtc == 0) return;
    hf_bytes all = hf_buf_bytes(&m->address), addresses[2];
    size_t n = 0;
    if (tcp) addresses[n++] = hf_sub(all, 0, tcp);
    if (rtc) addresses[n++] = hf_sub(all, tcp, rtc);
    hf_buf_clear(&m->packet);
    if (!hf_mdns_add_answer(&m->packet, m->service, HF_BYTES(m->peer_name, PEER_NAME_LEN), addresses, n)) send_packet(m, p);
}

static void on_answer(uv_timer_t *timer) {
    hf_mdns *m = timer->data;
    m->answered_ms = hf_node_now(m->node);
    for (size_t i = 0; i < m->n_places; i++)
        if (m->places[i].joined) answer_on(m, &m->places[i]);
}

static void answer_soon(hf_mdns *m) {
    if (uv_is_active((uv_handle_t *)&m->answering)) return;
    uint64_t now = hf_node_now(m->node), free_at = m->answered_ms + ANSWER_GAP_MS;
    uint64_t at = now + ANSWER_DELAY_MIN_MS + random_number() % (ANSWER_DELAY_MAX_MS - ANSWER_DELAY_MIN_MS + 1);
    uv_timer_start(&m->answering, on_answer, (at > free_at ? at : free_at) - now, 0);
}

/* ---- listening ---- */

enum { RANKS = 4, UNUSED = RANKS };

/* The node stays with the first address of a peer that it is told, so the likeliest comes first: the one it speaks from, one on our links, another
 * near one, and this very machine's if it speaks from here. A link-local IPv6 address needs an interface's name that a packet cannot know. */
static unsigned rank_of(hf_mdns *m, hf_bytes multiaddr, struct in_addr from) {
    hf_mdns_address address;
    struct in_addr ip;
    if (hf_mdns_address_read(&m->node->mem, multiaddr, &address)) return UNUSED;
    if (hf_peer_id_eq(&address.peer, hf_core_self(m->node->core))) return UNUSED;
    if (address.reach == HF_MDNS_LOOPBACK) return place_of(m, from) ? 3 : UNUSED;
    if (address.v6) return address.reach == HF_MDNS_PRIVATE ? 2 : UNUSED;
    memcpy(&ip, address.ip, sizeof ip);
    if (ip.s_addr == from.s_addr) return 0;
    return is_on_link(m, ip) ? 1 : 2;
}

static void tell(hf_mdns *m, hf_bytes multiaddr) {
    char text[HF_MDNS_TEXT_MAX + 1];
    snprintf(text, sizeof text, "%.*s", (int)multiaddr.len, (const char *)multiaddr.ptr);
    m->found(m->node, text);
}

static void hear(hf_mdns *m, const hf_mdns_message *message, struct in_addr from) {
    uint8_t ranks[HF_MDNS_ADDRESSES_MAX];
    for (size_t i = 0; i < message->n_found; i++) {
        bool own = hf_eq(message->found[i].peer_name, HF_BYTES(m->peer_name, PEER_NAME_LEN));
        ranks[i] = (uint8_t)(own ? UNUSED : rank_of(m, message->found[i].multiaddr, from));
    }
    for (unsigned rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < message->n_found; i++)
            if (ranks[i] == rank) tell(m, message->found[i].multiaddr);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    (void)suggested;
    hf_mdns *m = handle->data;
    *ret = uv_buf_init((char *)m->received, sizeof m->received);
}

static void on_packet(uv_udp_t *socket, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags) {
    hf_mdns *m = socket->data;
    hf_mdns_message message;
    if (n <= 0 || !from || from->sa_family != AF_INET || flags & UV_UDP_PARTIAL) return;
    struct in_addr ip = ((const struct sockaddr_in *)from)->sin_addr;
    if (!is_on_link(m, ip) || hf_mdns_read(HF_BYTES(buf->base, (size_t)n), m->service, &message, NULL)) return;
    if (message.asks) answer_soon(m); /* our own question too: so others learn of us without asking */
    hear(m, &message, ip);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle) {
    hf_mdns *m = handle->data;
    if (--m->n_handles) return;
    if (m->gone) *m->gone = true;
    hf_buf_deinit(&m->packet);
    hf_buf_deinit(&m->address);
    free(m);
}

/* Freed when the loop has let go of the handles. */
static void let_go(hf_mdns *m) {
    uv_close((uv_handle_t *)&m->looking, on_closed);
    uv_close((uv_handle_t *)&m->answering, on_closed);
    uv_close((uv_handle_t *)&m->socket, on_closed);
}

void hf_mdns_close(hf_mdns *m) {
    if (!m) return;
    uv_loop_t *loop = m->node->loop;
    bool gone = false;
    m->gone = &gone;
    let_go(m);
    while (!gone) uv_run(loop, UV_RUN_NOWAIT); /* again when a stop was asked for: such a run does nothing */
}

/* Other programs on this machine listen there as well, hence SO_REUSEPORT, which libuv leaves out on Linux. */
static int bind_shared(uv_udp_t *socket_handle) {
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return uv_translate_sys_error(errno);
    int err = setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) ? uv_translate_sys_error(errno) : 0;
    if (!err) err = uv_udp_open(socket_handle, fd);
    if (err) return close(fd), err;
    err = uv_udp_bind(socket_handle, (struct sockaddr *)&any, UV_UDP_REUSEADDR);
    return err ? err : uv_udp_set_multicast_ttl(socket_handle, HOPS);
}

static void make_peer_name(char ret[PEER_NAME_LEN]) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345"; /* 32, so that each is as likely */
    for (size_t i = 0; i < PEER_NAME_LEN; i++) ret[i] = letters[random_number() % 32];
}

hf_mdns *hf_mdns_open(hf_node *node, const char *service, int p2p_port, void (*found)(hf_node *node, const char *multiaddr), const char **ret_problem) {
    hf_mdns *m = calloc(1, sizeof *m);
    if (!m) return *ret_problem = "out of memory", NULL;
    m->node = node;
    m->found = found;
    m->service = hf_str(service);
    m->p2p_port = p2p_port;
    m->n_handles = 3;
    make_peer_name(m->peer_name);
    hf_buf_init(&m->packet, &node->mem);
    hf_buf_init(&m->address, &node->mem);
    uv_ip4_addr(GROUP, PORT, &m->group);
    uv_timer_init(node->loop, &m->looking);
    uv_timer_init(node->loop, &m->answering);
    uv_udp_init(node->loop, &m->socket);
    m->socket.data = m->looking.data = m->answering.data = m;
    int err = bind_shared(&m->socket);
    if (!err) err = uv_udp_recv_start(&m->socket, on_alloc, on_packet);
    *ret_problem = err ? uv_strerror(err) : "the service's name is not one of DNS";
    if (err || hf_mdns_add_query(&m->packet, m->service)) return let_go(m), NULL;
    uv_timer_start(&m->looking, on_look, 0, LOOK_MS);
    return m;
}

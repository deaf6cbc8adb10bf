/* tcp_private: what the files of the TCP carriage share.
 *
 *      tcp.c        channels, listening, peers to stay connected to
 *      tcp_dial.c   channels that the core asks for; from which port
 */
#ifndef HF_NODE_TCP_PRIVATE_H
#define HF_NODE_TCP_PRIVATE_H
#include "tcp.h"

#include <netinet/in.h>

enum { HF_TCP_READ_BYTES = 64 * 1024 };

/* A peer to stay connected to. */
typedef struct join {
    struct join *next;
    hf_tcp *tcp;
    char text[256];                           /* as it was given */
    char host[256], port[8];
    hf_peer_id peer;                          /* len 0: whoever answers */
    unsigned failures;
    bool asked, reached, kept;                /* asked for by the operator; connected once; remembered with this address */
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    bool any_port;                            /* not from the port that we listen on: it did not go */
    bool looking, leaving, closed;            /* looking: the look-up will come back; leaving: forgotten; closed: the timer will not */
    struct wire *wire;                        /* NULL: not connected now */
} join;

typedef struct wire {
    hf_channel channel;
    hf_tcp *tcp;
    join *join;                               /* NULL: it dialled us */
    uv_tcp_t socket;
    uv_connect_t connect;
    struct call *call;                        /* NULL: not one that the core asked for, or it is up */
    bool told, closing;                       /* told: the core knows it */
    bool any_port;                            /* not the port that we listen on */
    struct wire *next;
} wire;

/* A channel that the core asked for, until it is up. */
typedef struct call {
    struct call *next;
    hf_tcp *tcp;
    uint64_t dial;                            /* 0: called off, or answered */
    hf_host_port from;
    struct sockaddr_storage target;
    uint16_t port;
    wire *wire;                               /* NULL: not yet */
    uv_timer_t timer;
    uv_getaddrinfo_t lookup;
    bool looking, closed;                     /* looking: the look-up will come back; closed: the timer will not */
} call;

typedef struct write_request { uv_write_t request; wire *wire; size_t len; uint8_t bytes[]; } write_request;

struct hf_tcp {
    hf_node *node;
    uv_tcp_t listener;
    int port;
    bool listening;
    join *joins;
    size_t n_joins;
    wire *wires;
    call *calls;
    bool found_news;                          /* a found peer was reached that is not remembered yet */
    bool closing;
    uint8_t read_buffer[HF_TCP_READ_BYTES];
};

/* ---- tcp.c ---- */
wire *hf_wire_new(hf_tcp *tcp);                /* without a socket */
void hf_wire_shut(wire *l);
/* Up: by a dial of the core, by one of ours (expected: NULL: whoever answers), or by the other side. */
void hf_wire_begin(wire *l, uint64_t dial, bool dialer, const hf_peer_id *expected);

/* ---- tcp_dial.c ---- */
/* Begins to connect; the socket leaves from the port that we listen on where `from` says so or the target is public: a NAT then shows everybody the same face. */
int hf_wire_connect(wire *l, const struct sockaddr *target, hf_host_port from, uv_connect_cb done);
bool hf_wire_is_port_trouble(int status);      /* another port may do */
/* An incoming channel is one that we were about to make ourselves (both sides were told to dial): its dial, which is over then; 0: it is not. */
uint64_t hf_call_take(hf_tcp *tcp, const struct sockaddr_storage *remote);
void hf_call_failed(call *c, const char *why); /* its wire is gone */
void hf_calls_shut(hf_tcp *tcp);
#endif

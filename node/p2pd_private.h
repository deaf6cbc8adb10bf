/* p2pd_private: what the files of `holdfast p2pd` share.
 *
 *      p2pd.c          life, the host's outputs
 *      p2pd_flags.c    the command line
 *      p2pd_key.c      the key that we are, other kinds of keys
 *      p2pd_net.c      TCP to peers, plain or with a WebSocket (wsock.c): listening, dialling, bytes
 *      p2pd_address.c  their multiaddrs
 *      p2pd_rtc.c      WebRTC from browsers
 *      p2pd_sock.c     local sockets: of programs, and to their stream handlers; bytes between a socket and a stream
 *      p2pd_control.c  requests and answers
 *      p2pd_protocols.c   the host's parts
 *      p2pd_dht.c      requests to the DHT
 *      p2pd_pubsub.c   topics
 *      p2pd_manager.c  which connections are worth keeping
 */
#ifndef HF_NODE_P2PD_PRIVATE_H
#define HF_NODE_P2PD_PRIVATE_H
#include "../core/p2p/daemon_message.h"
#include "../core/p2p/host.h"
#include "../core/p2p/host_autonat.h"
#include "../core/p2p/host_gossip.h"
#include "../core/p2p/host_kad.h"
#include "../core/p2p/host_relay.h"
#include "p2pd_flags.h"
#include "p2pd_key.h"

#include <uv.h>

typedef struct hf_p2pd hf_p2pd;
typedef struct hf_p2pd_net hf_p2pd_net;
typedef struct hf_p2pd_rtc hf_p2pd_rtc;
typedef struct hf_p2pd_manager hf_p2pd_manager;

/* A program's stream handler; `address` empty: we echo ourselves. Its streams have the tag HF_HOST_TAG_USER + 1 + index. */
typedef struct hf_p2pd_handler { hf_buf protocol, address; } hf_p2pd_handler;
enum { HF_P2PD_HANDLERS_MAX = 256, HF_P2PD_TAG_OPENED = HF_HOST_TAG_USER, HF_P2PD_TAG_PROGRAM = HF_HOST_TAG_USER + 1 + HF_P2PD_HANDLERS_MAX };

/* A program that has this shell inside itself, besides those that connect to its socket: benchmarks and test programs. Each may be NULL. */
typedef struct hf_p2pd_program {
    void *ctx;
    void (*relay)(void *ctx, hf_relay_config *config);                 /* other limits as a relay */
    bool (*start)(void *ctx, hf_p2pd *d);                              /* it listens; false: give up */
    void (*event)(void *ctx, const hf_swarm_out *event);               /* CONN_UP, IDENTIFIED, CONN_DOWN, and streams tagged HF_P2PD_TAG_PROGRAM or above */
    void (*connected)(void *ctx, const hf_host_out *out);              /* of hf_host_connect with a context from ++d->next_number */
    void (*said)(void *ctx, const hf_host_out *out);
} hf_p2pd_program;
/* As hf_p2pd_run. */
int hf_p2pd_run_with(int argc, char **argv, const hf_p2pd_program *program);

typedef enum hf_p2pd_mode {
    HF_P2PD_REQUESTS,   /* of a program: reads requests */
    HF_P2PD_WAITS,      /* of a program: the answer to its request is not there yet */
    HF_P2PD_SUBSCRIBED, /* of a program: gets a topic's messages until it ends */
    HF_P2PD_PIPES,      /* bytes go between it and `stream` */
    HF_P2PD_ECHOES,     /* no socket: the stream's bytes go back */
} hf_p2pd_mode;

/* A local socket, and what happens on it. */
typedef struct hf_p2pd_sock {
    struct hf_p2pd_sock *next;
    hf_p2pd *d;
    union { uv_handle_t handle; uv_stream_t stream; uv_pipe_t pipe; uv_tcp_t tcp; } h;
    uv_connect_t connect;
    uv_shutdown_t shutdown;
    bool open, eof, ending, shut, finished, closing, reading, paused; /* ending: once it is open; paused: the stream is not read, the socket takes no more */
    hf_p2pd_mode mode;
    hf_buf in;          /* from the socket, not yet taken */
    uint64_t number;    /* context of its wish for a connection */
    hf_daemon_request request; /* STREAM_OPEN: while it waits; views into `asked` */
    hf_buf asked;
    size_t protocol;    /* STREAM_OPEN: which of the request's is tried */
    uint64_t stream, op; /* 0: none */
    hf_buf topic;
    uint32_t dht_kind;
    bool sequence;       /* DHT: a BEGIN was sent, an END is due */
} hf_p2pd_sock;

struct hf_p2pd {
    const hf_p2pd_flags *flags;
    const hf_p2pd_program *program; /* all NULL: none */
    uv_loop_t *loop;
    hf_mem mem;
    hf_p2pd_key key;
    hf_host *host;
    hf_swarm *swarm;     /* the host's */
    hf_p2pd_net *net;
    hf_p2pd_rtc *rtc;
    hf_p2pd_manager *manager;
    hf_relay *relay;     /* NULL, as the two below: not asked for */
    hf_gossip *gossip;
    hf_kad *kad;
    struct hf_threads *threads; /* spread.h; for messages' signatures */
    struct hf_p2pd_pubsub *pubsub;
    hf_p2pd_sock *socks;
    hf_map streams;      /* id -> sock */
    uint64_t next_number;
    hf_p2pd_handler handlers[HF_P2PD_HANDLERS_MAX];
    size_t n_handlers;
    uv_timer_t timer;
    uv_signal_t signals[2];
    union { uv_handle_t handle; uv_stream_t stream; uv_pipe_t pipe; uv_tcp_t tcp; } listener;
    char listening[256]; /* the control socket's multiaddr; its file is removed at the end */
    bool pumping, stopping;
    uint8_t read_buffer[64 * 1024];
};

/* ---- p2pd.c ---- */
uint64_t hf_p2pd_now(const hf_p2pd *d);
/* Drains the host; after every call on it. Nested calls do nothing. */
void hf_p2pd_pump(hf_p2pd *d);
/* Where we are reached has changed. */
void hf_p2pd_announce_again(hf_p2pd *d);
void hf_p2pd_random(void *ctx, uint8_t *out, size_t len);

/* ---- p2pd_net.c ---- */
/* NULL: *ret_problem. Listens where the flags say. */
hf_p2pd_net *hf_p2pd_net_open(hf_p2pd *d, const char **ret_problem);
bool hf_p2pd_net_can_dial(void *ctx, hf_bytes address);
void hf_p2pd_net_dial(hf_p2pd_net *net, uint64_t dial, hf_bytes address);
void hf_p2pd_net_dial_off(hf_p2pd_net *net, uint64_t dial);
uint64_t hf_p2pd_net_number(hf_p2pd_net *net);       /* for a new connection */
void hf_p2pd_net_send(hf_p2pd_net *net, uint64_t conn, hf_bytes bytes);
void hf_p2pd_net_close(hf_p2pd_net *net, uint64_t conn);
/* Appends to `list` what peers can dial, as binary multiaddrs in the arena. */
size_t hf_p2pd_net_addresses(hf_p2pd_net *net, hf_arena *arena, hf_bytes *ret, size_t n_max);
/* Closes everything; the loop must run until hf_p2pd_net_is_closed, then free it. */
void hf_p2pd_net_shut(hf_p2pd_net *net);
void hf_p2pd_net_free(hf_p2pd_net *net);

/* ---- p2pd_rtc.c ---- */
hf_p2pd_rtc *hf_p2pd_rtc_new(hf_p2pd *d);
const char *hf_p2pd_rtc_listen(hf_p2pd_rtc *rtc, const struct sockaddr *address); /* NULL, or what is wrong */
/* Of the i-th listener: where, and "/webrtc-direct/certhash/u…"; false: there is none. */
bool hf_p2pd_rtc_address(const hf_p2pd_rtc *rtc, size_t i, struct sockaddr_storage *ret, hf_buf *ret_certhash);
void hf_p2pd_rtc_dial(hf_p2pd_rtc *rtc, uint64_t dial, hf_bytes address);
void hf_p2pd_rtc_dial_off(hf_p2pd_rtc *rtc, uint64_t dial);
void hf_p2pd_rtc_send(hf_p2pd_rtc *rtc, uint64_t number, hf_bytes records);
void hf_p2pd_rtc_close_conn(hf_p2pd_rtc *rtc, uint64_t number);
void hf_p2pd_rtc_free(hf_p2pd_rtc *rtc);             /* runs the loop until all is closed; NULL allowed */

/* ---- p2pd_sock.c ---- */
/* "/unix/…" or "/ip4|ip6/…/tcp/…". False: *ret_problem. */
bool hf_p2pd_listen(hf_p2pd *d, const char *multiaddr, const char **ret_problem);
void hf_p2pd_sock_send(hf_p2pd_sock *s, hf_bytes bytes);
void hf_p2pd_sock_close(hf_p2pd_sock *s);           /* at once */
void hf_p2pd_sock_end(hf_p2pd_sock *s);             /* after what was sent */
/* From now on bytes go between it and the stream. */
HF_MUST_USE hf_err hf_p2pd_sock_bind(hf_p2pd_sock *s, uint64_t stream);
void hf_p2pd_sock_feed(hf_p2pd_sock *s);            /* to the stream, as much of s->in as it takes */
/* A stream for a handler came in: its program is called. */
void hf_p2pd_handle_stream(hf_p2pd *d, const hf_swarm_out *event);
void hf_p2pd_stream_event(hf_p2pd *d, const hf_swarm_out *event);
hf_p2pd_sock *hf_p2pd_sock_numbered(hf_p2pd *d, uint64_t number);

/* ---- p2pd_control.c ---- */
void hf_p2pd_control_read(hf_p2pd_sock *s);          /* takes what it can from s->in */
void hf_p2pd_control_connected(hf_p2pd *d, const hf_host_out *out);
/* The stream that a program asked for stands, or does not. */
void hf_p2pd_control_stream(hf_p2pd_sock *s, const hf_swarm_out *event);
void hf_p2pd_control_ended(hf_p2pd_sock *s);         /* the program is gone */
HF_MUST_USE hf_err hf_p2pd_add_echo(hf_p2pd *d);     /* /echo/1.0.0, until a program takes it */
/* Sends an answer made in `out` (released) and goes on to the next request. */
void hf_p2pd_answer(hf_p2pd_sock *s, hf_buf *out);
void hf_p2pd_refuse(hf_p2pd_sock *s, const char *why);

/* ---- p2pd_protocols.c ---- */
const char *hf_p2pd_add_protocols(hf_p2pd *d);       /* NULL, or what is wrong */
uint64_t hf_p2pd_unix_ms(void);
void hf_p2pd_said(hf_p2pd *d, const hf_host_out *out);

/* ---- p2pd_dht.c ---- */
void hf_p2pd_dht(hf_p2pd_sock *s, const hf_daemon_request *request);
void hf_p2pd_dht_said(hf_p2pd *d, const hf_kad_out *said);
void hf_p2pd_dht_ended(hf_p2pd_sock *s);

/* ---- p2pd_pubsub.c ---- */
bool hf_p2pd_pubsub_open(hf_p2pd *d);
void hf_p2pd_pubsub_free(hf_p2pd *d);
void hf_p2pd_pubsub(hf_p2pd_sock *s, const hf_daemon_request *request);
void hf_p2pd_pubsub_said(hf_p2pd *d, const hf_gossip_out *said);
void hf_p2pd_pubsub_ended(hf_p2pd_sock *s);
void hf_p2pd_pubsub_peer_gone(hf_p2pd *d, const hf_peer_id *peer);

/* ---- p2pd_manager.c ---- */
hf_p2pd_manager *hf_p2pd_manager_new(hf_p2pd *d);
void hf_p2pd_manager_free(hf_p2pd_manager *m);
void hf_p2pd_manager_event(hf_p2pd_manager *m, const hf_swarm_out *event);
/* HF_LIMIT: 16 tags a peer, 4,096 peers. */
HF_MUST_USE hf_err hf_p2pd_manager_tag(hf_p2pd_manager *m, const hf_peer_id *peer, hf_bytes tag, int64_t weight);
void hf_p2pd_manager_untag(hf_p2pd_manager *m, const hf_peer_id *peer, hf_bytes tag);
/* Closes the peers of the least weight, the youngest first among equals, until connLo are left. */
void hf_p2pd_manager_trim(hf_p2pd_manager *m);
#endif

/* http_private: what the parts of http share: http.c (life), http_client.c (a connection: bytes in, bytes out, deadlines), http_exchange.c (a request and
 * its answer), http_refuse.c (forms while the store cannot write), http_events.c
 * (server-sent events), http_ipfs.c (files by their CIDs), http_peer.c (WebSockets that carry a peer). */
#ifndef HF_NODE_HTTP_PRIVATE_H
#define HF_NODE_HTTP_PRIVATE_H
#include "../core/files/gateway.h"
#include "http.h"
#include "http_request.h"
#include "listen.h"
#include "site.h"
#include "tls.h"

#include <wslay/wslay.h>

enum { HF_HTTP_READ_BYTES = 64 * 1024, HF_WS_HEAD_MAX = 10 };

typedef enum hf_phase {
    HF_PHASE_HEAD,     /* a request is awaited, or coming in */
    HF_PHASE_BODY,     /* its head is there, its body is not */
    HF_PHASE_WAITING,  /* its answer is held until what it wrote is durable */
    HF_PHASE_IPFS,     /* its answer is made as the socket takes it */
    HF_PHASE_EVENTS, HF_PHASE_PEER,
    HF_PHASE_LINGER,   /* all is said; what they still send is thrown away, so that they can read it */
    HF_PHASE_GONE,     /* closed; its memory goes in a later turn of the loop */
} hf_phase;

/* A connection's WebSocket. */
typedef struct hf_ws {
    wslay_event_context_ptr frames;             /* NULL: none yet */
    hf_bytes in;                                /* read, not yet taken by it */
    uint8_t head[HF_WS_HEAD_MAX];               /* of the frame that is being sent; its payload comes next */
    size_t head_len;
    bool in_data;                               /* the frame that comes in carries the peer's bytes */
} hf_ws;

/* An answer that is made piece by piece. */
typedef struct hf_ipfs {
    hf_gateway *gateway;                        /* IPFS only */
    bool newest, head_only, chunked, begun;     /* chunked: of unknown length; begun: a chunk was sent */
} hf_ipfs;

typedef struct hf_client {
    hf_http *http;
    struct hf_client *next, *previous;          /* all clients */
    struct hf_client *next_waiting, *next_listener;
    uv_poll_t poll;
    int fd, events;                             /* events: polled for now */
    hf_tls_link *tls;                           /* NULL: plain */
    hf_phase phase;
    hf_buf in;                                  /* read, not yet used */
    size_t scanned, head_len, need;             /* of the request in `in`: see http_parse.h; need: head and body */
    hf_buf out;                                 /* WAITING: the answer held; else to be written, from out_at on */
    size_t out_at;
    size_t n_held;                              /* in `in` and `out`, when it was last counted */
    uint64_t deadline_ms, began_ms;             /* began: of the body */
    uint64_t seq;                               /* WAITING: for this to be stored */
    hf_buf typed;                               /* WAITING: the form: its path, NUL, body; for a page that gives it back */
    bool last;                                  /* nothing more after what is in `out` */
    bool broken;                                /* could not be written to; closed in the next turn */
    bool tls_wants_write;                       /* before it can read on */
    hf_channel channel;                         /* PEER */
    bool channel_up;                            /* the core knows it */
    hf_ws ws;
    hf_ipfs ipfs;
} hf_client;

struct hf_http {
    hf_node *node;
    hf_tls *tls;
    hf_listener listener;
    uv_timer_t tick;
    uv_idle_t awake;
    uint64_t awake_until_ns;
    unsigned n_handles;                         /* to be closed */
    hf_arena arena;                             /* of the request at hand */
    hf_buf scratch;                             /* of the answer at hand */
    hf_client *clients, *waiting, **waiting_last, *listeners;
    size_t n_clients, n_clients_max;            /* their memory included */
    size_t n_ticks, n_held_bytes;               /* held: of all clients */
    size_t n_ipfs;                              /* clients in this phase */
    uint64_t n_answers[6];                      /* by the first digit of their status */
    hf_http_place place;
    bool stopping;
    uint8_t read_buffer[HF_HTTP_READ_BYTES];
};

/* ---- connections ---- */
void hf_client_new(hf_http *http, int fd);
/* Writes at once what the system takes, keeps the rest. */
void hf_client_send(hf_client *c, hf_bytes head, hf_bytes body);
/* What is in `out` by now may go. */
void hf_client_flush(hf_client *c);
/* What was read may be used by now: the next request, if it is there. */
void hf_client_go_on(hf_client *c);
/* Both. */
void hf_client_resume(hf_client *c);
void hf_client_shut(hf_client *c);
/* Looks at deadlines. */
void hf_client_tick(hf_client *c);
bool hf_client_is_busy(const hf_client *c);
void hf_client_end_in(hf_client *c, uint64_t ms);

/* A form's answer is mostly followed by something within microseconds, and asking for it is quicker than being woken. */
void hf_http_stay_awake(hf_http *http);

/* ---- exchanges ---- */
/* Uses up one request from c->in, if all of it is there. False: not yet, or there is nothing more to be done here. */
bool hf_exchange_take(hf_client *c);
void hf_exchange_forget(hf_client *c);
void hf_exchange_count(hf_http *http, unsigned status);

/* ---- writes while the store cannot write ---- */
/* Keeps a form until it is answered. */
void hf_refuse_remember(hf_client *c, const hf_wire_request *wire);
void hf_refuse_forget(hf_client *c);
/* True: it is a write, and was refused. */
bool hf_refuse_write(hf_client *c, const hf_wire_request *wire);

/* ---- events ---- */
void hf_events_begin(hf_client *c, bool head);
void hf_events_forget(hf_client *c);
void hf_events_beat(hf_http *http);

/* ---- files by their CIDs ---- */
/* 0, or the status to refuse with. */
unsigned hf_ipfs_begin(hf_client *c, const hf_wire_request *wire);
/* What was made is sent: makes more, unless there is no more. */
void hf_ipfs_more(hf_client *c);
void hf_ipfs_forget(hf_client *c);

/* ---- WebSockets ---- */
bool hf_peer_is_asked_for(const hf_http_head *head);
/* 0, or the status to refuse with. */
unsigned hf_peer_begin(hf_client *c, const hf_http_head *head);
void hf_peer_take(hf_client *c, hf_bytes bytes);
void hf_peer_sent(hf_client *c, size_t len);
void hf_peer_forget(hf_client *c);
/* Last of all, when nothing of it can be running any more. */
void hf_peer_free(hf_client *c);
#endif

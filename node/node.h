/* node: the native shell around the core: one libuv loop, one store, HTTP with WebSockets, TCP peers. This file is what its parts share;
 * hf_node_run is what main calls. */
#ifndef HF_NODE_H
#define HF_NODE_H
#include "../core/core.h"
#include "options.h"
#include "store.h"
#include "store_blocks.h"

#include <uv.h>

typedef struct hf_node hf_node;

/* A byte channel to a peer, or WebRTC's bundle of channels, whatever carries it. The carriage owns it; the node only finds it by number. */
typedef struct hf_channel {
    uint64_t conn;
    const char *via;                                          /* "tcp", "ws", "webrtc" */
    void (*send)(struct hf_channel *channel, hf_bytes bytes); /* copies or sends at once */
    void (*close)(struct hf_channel *channel);                /* after what was sent; then it is the carriage's to free */
    size_t queued_bytes;                                      /* given to send and not yet taken by the system */
    bool busy, dialer;                                        /* busy: the core was told to wait */
    hf_peer_id peer;                                          /* len 0: has not proved yet who it is */
    struct hf_channel *next;
} hf_channel;

/* An entry that was not taken lately, for those who ask why. */
typedef struct hf_refused { uint8_t digest[32]; const char *reason; } hf_refused;
enum { HF_REFUSED_KEPT = 256 };

struct hf_node {
    const hf_options *options;
    uv_loop_t *loop;
    hf_mem mem;
    hf_core *core;
    hf_store *store;
    hf_blocks *blocks;         /* files; only read: the command line writes beside us */
    struct hf_warm *warm;      /* warm.h */
    struct hf_threads *threads; /* spread.h */
    struct hf_site *site;      /* app folder and browser files: site.h */
    struct hf_http *http;      /* http.h */
    struct hf_tcp *tcp;        /* tcp.h */
    struct hf_rtc *rtc;        /* rtc.h; NULL when off */
    struct hf_mdns *mdns;      /* mdns.h; NULL when off */
    struct hf_p2p *p2p;        /* p2p.h; NULL without network */
    struct hf_control *control; /* control.h */
    hf_channel *channels;
    uint64_t next_conn;
    uv_timer_t timer, drain, look; /* the core's deadline; looks whether a stop may end; whether files have come */
    uv_signal_t signals[3];
    uint64_t started_ms, stopping_ms;
    uint64_t n_refused;        /* entries of others */
    int lock;                  /* file descriptor */
    hf_refused refused[HF_REFUSED_KEPT]; /* a ring: n_refused is where the next one goes */
    bool ready, stopping, turning; /* turning: asks take their steps */
    bool looked;               /* once, at least */
    bool again, failed;        /* again: a reload; failed: what was written is lost */
    bool refuses;              /* the store cannot write now: forms are refused */
    bool parted;               /* and so are peers: it is the disk */
    bool full;                 /* others' entries are turned away */
    char peer_id[HF_PEER_ID_TEXT_MAX];
};

enum { HF_NODE_AGAIN = -1 };
/* Runs until SIGTERM or SIGINT. Exit status: 0 done, 1 failed; HF_NODE_AGAIN: SIGHUP, or a store to be repaired: the caller starts the program anew. */
int hf_node_run(const hf_options *options);

struct hf_ask_files;
/* One verb (ask.h) answered from DIR by a node without network, started for it. Exit status. */
int hf_node_run_once(const char *dir, bool json, size_t n_words, const char *const *words, const struct hf_ask_files *files);

/* ---- for the carriages ---- */
uint64_t hf_node_now(const hf_node *node);                    /* ms, monotonic */
uint64_t hf_node_wall(void);                                  /* ms since 1970 */
/* A channel is up: gets its number and is told to the core. HF_LIMIT: the carriage closes it. `remote`: binary multiaddr, may be empty. */
HF_MUST_USE hf_err hf_node_channel_up(hf_node *node, hf_channel *channel, bool dialer, const hf_peer_id *expected, hf_bytes remote);
/* The same for one that HF_OUT_DIAL asked for. HF_STATE: it is not wanted any more, likewise. */
HF_MUST_USE hf_err hf_node_channel_dialled(hf_node *node, hf_channel *channel, uint64_t dial, hf_bytes remote);
/* The same for WebRTC; what `send` gets are records (core/p2p/channels.h), and the carriage tells the core of its channels itself. */
HF_MUST_USE hf_err hf_node_channels_up(hf_node *node, hf_channel *channel, uint64_t dial, const hf_channels_open *open);
hf_channel *hf_node_channel_of(const hf_node *node, uint64_t conn); /* NULL: none of ours, as one over a relay */
void hf_node_channel_recv(hf_node *node, hf_channel *channel, hf_bytes bytes);
/* The system took `len` bytes of what was queued. */
void hf_node_channel_sent(hf_node *node, hf_channel *channel, size_t len);
void hf_node_channel_down(hf_node *node, hf_channel *channel);
/* Drains the core; called after every call on it. */
void hf_node_pump(hf_node *node);
#endif

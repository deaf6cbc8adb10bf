/* net: a small world for tests: complete peers (swarm, bitswap, sync, a log or two, a store) joined by channels that
 * deliver in order, with any delay and any cut, in virtual time. Same seed, same run. A raw peer has only a swarm; the
 * test speaks through it.
 *
 *     hf_net *net = hf_net_new(&(hf_net_config){.seed = 1, .n_peers = 2});
 *     hf_net_append(net, 0, 0); hf_net_connect(net, 0, 1); CHECK(hf_net_settle(net, 1000)); hf_net_free(net);
 *
 * Checks while running, at every peer: entries come out once each, in index order, and none before it is durable where it
 * was written. */
#ifndef HF_NET_H
#define HF_NET_H
#include "../../core/log/sync.h"
#include "check.h"

enum { HF_NET_PEERS_MAX = 8, HF_NET_LOGS_MAX = 2, HF_NET_TAG_RAW = 500 };

typedef struct hf_net hf_net;

typedef struct hf_net_config {
    uint64_t seed;
    size_t n_peers, n_logs;              /* n_logs 0: 1 */
    uint32_t delay_ms_max;               /* of a packet; 0: at once */
    uint32_t durable_ms_max;             /* until an entry is durable; 0: at once */
    size_t cut_max;                      /* bytes handed over at once, at most; 0: as they were sent */
    bool heads_only[HF_NET_PEERS_MAX], raw[HF_NET_PEERS_MAX];
    void (*raw_event)(void *ctx, hf_net *net, size_t peer, const hf_swarm_out *event);
    void *raw_ctx;
    uint32_t send_buffer_bytes_max;
    size_t work_max[HF_NET_PEERS_MAX];   /* 0, or how many outputs of sync a shell takes before it turns to other things for 1 ms */
    size_t writer_of[HF_NET_PEERS_MAX];  /* 0: its own; n: the same as peer n - 1 (one identity in two places) */
    size_t n_writers_allowed;            /* 0: everybody may write; else peers 0 .. n - 1 */
    bool gossip;                         /* all speak it: complete peers publish heads and join what they hear, raw ones listen to log 0 */
    hf_mem *world_mem; /* NULL: the kit's; else for all but bitswap and sync, so that only theirs fails */
} hf_net_config;

typedef struct hf_net_peer {
    hf_swarm *swarm;
    hf_bitswap *bitswap;
    hf_sync *sync;
    hf_gossip *gossip;                   /* NULL: none */
    size_t n_gossiped;                   /* messages that came by it */
    hf_log *logs[HF_NET_LOGS_MAX];
    hf_writer writer;
    hf_identity identity;
    hf_map store;                        /* cid -> block, see net.c */
    size_t n_applied[HF_NET_LOGS_MAX], n_durable[HF_NET_LOGS_MAX];
    uint64_t durable_ms;                 /* UINT64_MAX: all is */
    size_t n_joined, n_identities, n_refused, n_abuse, n_level, n_bytes_sent;
    const char *reason;                  /* of the last refusal or abuse */
    size_t n_bytes_stored;
    bool busy;                           /* sync has more to do, see work_max */
    size_t n_blocks, n_failed;           /* bitswap's answers to wants of the test itself (context 0) */
    bool raw;
    void (*on_bitswap)(void *ctx, hf_net *net, size_t peer, const hf_bitswap_out *out); /* the same answers, when the test is to see them */
    void *on_bitswap_ctx;
} hf_net_peer;

hf_net *hf_net_new(const hf_net_config *config);
void hf_net_free(hf_net *net);
hf_net_peer *hf_net_at(hf_net *net, size_t peer);
uint64_t hf_net_now(const hf_net *net);
void hf_net_connect(hf_net *net, size_t dialer, size_t listener);
void hf_net_disconnect(hf_net *net, size_t a, size_t b); /* all channels between them, and what is on its way */
bool hf_net_connected(const hf_net *net, size_t a, size_t b);
void hf_net_append(hf_net *net, size_t peer, size_t log);         /* {op: ADD, …} with a number of its own */
void hf_net_append_big(hf_net *net, size_t peer, size_t log, size_t payload_len);
/* A block into the store without the log knowing; *ret_cid its CID. */
void hf_net_put(hf_net *net, size_t peer, hf_bytes block, uint8_t ret_cid[HF_CID_LEN]);
/* The same under a CID of any kind of 36 bytes. */
void hf_net_put_as(hf_net *net, size_t peer, hf_bytes cid, hf_bytes block);
void hf_net_copy_store(hf_net *net, size_t from, size_t to);
/* The block of an item of the log, as the store has it. */
hf_bytes hf_net_get(hf_net *net, size_t peer, size_t log, uint32_t index);
/* The store loses the block of an item of the log. */
void hf_net_lose(hf_net *net, size_t peer, size_t log, uint32_t index);
/* After calling a peer's swarm by hand. */
void hf_net_drain(hf_net *net, size_t peer);
void hf_net_run(hf_net *net, uint64_t ms);
/* Until all complete peers hold the same entries and nothing waits, at most `ms`; false: not by then. */
bool hf_net_settle(hf_net *net, uint64_t ms);
bool hf_net_level(hf_net *net);
#endif

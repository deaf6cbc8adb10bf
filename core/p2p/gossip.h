/* gossip: gossipsub 1.2, 1.1 and 1.0, and floodsub: messages to everybody who wants a topic, over a mesh of few neighbours, healed by gossip about what
 * was sent, with a score for each neighbour. Specs: libp2p/specs pubsub/README.md, pubsub/gossipsub/gossipsub-v1.0.md, -v1.1.md, -v1.2.md; interop notes
 * section 12 (what js does). Sits on the swarm.
 *
 * Messages:  signed by their author (StrictSign: author, 8-byte sequence number, signature); everything else is refused. Each comes out once within the
 *            seen time (120 s). It travels on only after hf_gossip_validated(…, ACCEPT), or at once where the subscription says so.
 *            A message repeated after the seen time comes out again: js numbers its messages at random, so no order can be asked for.
 * Ids:       js's: the author's PublicKey message || seqno; `ids_by_specification`: from || seqno. Peers must agree, or gossip finds nothing.
 * Streams:   one of ours to each peer, opened once its protocols are known, opened again when it is lost (after 1 s, doubling to 60 s).
 * Limits:    see hf_gossip_config. A peer that does not take what we send loses gossip first, then messages; what it must know (subscriptions, graft,
 *            prune) it gets, or its stream starts anew. A peer that loses messages in three heartbeats in a row leaves our meshes.
 * Same calls, same outputs.
 */
#ifndef HF_GOSSIP_H
#define HF_GOSSIP_H
#include "gossip_message.h"
#include "peer_record.h"
#include "swarm.h"

#define HF_GOSSIP_PROTOCOL_12 "/meshsub/1.2.0"
#define HF_GOSSIP_PROTOCOL_11 "/meshsub/1.1.0"
#define HF_GOSSIP_PROTOCOL_10 "/meshsub/1.0.0"
#define HF_GOSSIP_PROTOCOL_FLOOD "/floodsub/1.0.0"
enum { HF_GOSSIP_TAGS = 4 };             /* the swarm's tags tag .. tag + 3 are ours */

typedef struct hf_gossip hf_gossip;

/* How a peer's doings in a topic weigh, gossipsub-v1.1 "Peer Scoring". Decay factors are per second. All zero: see hf_gossip_topic_score_default. */
typedef struct hf_gossip_topic_score {
    double topic_weight;
    double time_weight, time_quantum_ms, time_cap;                                     /* P1 */
    double first_weight, first_decay, first_cap;                                       /* P2 */
    double delivery_weight, delivery_decay, delivery_cap, delivery_threshold;          /* P3 */
    uint32_t delivery_activation_ms, delivery_window_ms;
    double failure_weight, failure_decay;                                              /* P3b */
    double invalid_weight, invalid_decay;                                              /* P4 */
} hf_gossip_topic_score;

/* P1 0 .. 1 within an hour, P2 0.5 each up to 10, no expected rate (P3: our topics are mostly silent), P4 -10 n², forgotten by a tenth a second. */
extern const hf_gossip_topic_score hf_gossip_topic_score_default;

/* 0 means the default in brackets. */
typedef struct hf_gossip_score_params {
    double topic_cap;                                /* [10] all topics together count at most this much */
    double app_weight;                               /* [10] P5, times hf_gossip_app_score */
    double ip_weight;                                /* [-5] P6 */
    uint32_t ip_threshold;                           /* [10] peers of one address (IPv6: one /64) before it counts; UINT32_MAX: never */
    double behaviour_weight, behaviour_decay;        /* [-10, 0.8 a second] P7 */
    double decay_to_zero;                            /* [0.01] */
    uint32_t retain_ms;                              /* [3,600,000] a bad score is kept after the peer has gone */
    double gossip_threshold;                         /* [-10] below: no gossip to or from it */
    double publish_threshold;                        /* [-50] below: nothing of ours is published to it */
    double graylist_threshold;                       /* [-80] below: nothing of it is read */
    double px_threshold;                             /* [0] below: whom it names is not passed on */
    double graft_threshold;                          /* [1] a mesh whose median is below this tries better peers once a minute */
} hf_gossip_score_params;

typedef struct hf_gossip_config {
    const uint8_t *ed25519_seed;                     /* 32 bytes, copied: of the swarm's peer ID */
    void (*random)(void *ctx, uint8_t *out, size_t len); /* used in hf_gossip_new only */
    void *random_ctx;
    const hf_spread *spread;                         /* for checking signatures of messages that came together; NULL: one after another. Borrowed */
    hf_gossip_score_params score;
    bool ids_by_specification;
    bool flood_only;                                 /* speak floodsub only */
    bool no_flood_publish;                           /* own messages go to the mesh (or the fanout) only, not to everybody */
    bool px;                                         /* name other peers when we prune, with their signed records (off in js and go, too) */
    bool count_loopback;                             /* 127.0.0.0/8 and ::1 count in P6; else not: whoever comes from there came through a proxy of ours */
    /* 0 means the default in brackets. */
    uint32_t d, d_lo, d_hi, d_score, d_out, d_lazy;  /* [6, 4, 12, 4, 2, 6] of a mesh; UINT32_MAX: 0 */
    uint32_t gossip_percent;                         /* [25] of the peers outside the mesh get gossip, at least d_lazy */
    uint32_t heartbeat_ms;                           /* [1,000] */
    uint32_t history, history_gossip;                /* [5, 3] heartbeats that a message can be fetched, is told about */
    uint32_t seen_ms;                                /* [120,000] */
    uint32_t fanout_ms;                              /* [60,000] */
    uint32_t prune_backoff_ms, unsubscribe_backoff_ms; /* [60,000, 10,000] */
    uint32_t promise_ms;                             /* [3,000] an advertised message must come by then */
    uint32_t opportunistic_beats;                    /* [60] */
    uint32_t idontwant_bytes_min;                    /* [512] shorter messages are not worth an IDONTWANT */
    uint32_t rpc_bytes_max;                          /* [1 MiB] longer ones end the stream */
    uint32_t message_bytes_max;                      /* [512 KiB] data of one message */
    uint32_t queue_bytes_max;                        /* [1 MiB] waiting for one peer, besides the swarm's send buffer */
    uint32_t history_bytes_max;                      /* [8 MiB] messages kept for fetching; the oldest go first */
    uint32_t pending_max, pending_bytes_max;         /* [512, 4 MiB] messages that wait for a verdict; more are dropped unseen */
    uint32_t messages_a_second;                      /* [5,000] that nobody saw before, from one peer, and four times as many at once; more are dropped
                                                      * unseen, and count against it */
    uint32_t seen_max;                               /* [32,768] */
    uint32_t topics_max, topics_per_peer_max;        /* [4,096, 256] topics that somebody wants; more are not noticed */
    uint32_t subscriptions_max;                      /* [1,024] changes a heartbeat from one peer; more are an offence */
    uint32_t ihave_max, ids_max;                     /* [10, 5,000] IHAVEs, ids asked for and ids served a heartbeat and peer */
    uint32_t retained_max;                           /* [1,024] peers that are gone but not forgotten */
} hf_gossip_config;

/* Makes the four protocols known to the swarm. NULL: no memory. */
hf_gossip *hf_gossip_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_gossip_config *config);
void hf_gossip_free(hf_gossip *gossip); /* NULL allowed */

/* Every swarm event with our tags, and CONN_UP, IDENTIFIED, CONN_DOWN; others are ignored. */
void hf_gossip_event(hf_gossip *gossip, uint64_t now_ms, const hf_swarm_out *event);

typedef struct hf_gossip_subscription {
    bool auto_accept;                    /* sound messages travel on without a verdict; they come out for reading */
    const hf_gossip_topic_score *score;  /* copied; NULL: the default */
} hf_gossip_subscription;
/* options NULL: each message wants a verdict. Again: the options change. HF_LIMIT: a name over 256 bytes or empty, or too many topics. HF_NOMEM. */
HF_MUST_USE hf_err hf_gossip_subscribe(hf_gossip *gossip, uint64_t now_ms, hf_bytes topic, const hf_gossip_subscription *options);
void hf_gossip_unsubscribe(hf_gossip *gossip, uint64_t now_ms, hf_bytes topic);

typedef struct hf_gossip_id { uint8_t bytes[HF_GOSSIP_ID_MAX], len; } hf_gossip_id;
/* Signs and sends; needs no subscription. *ret_id and *ret_n_peers (how many it is on its way to) may be NULL. HF_LIMIT: data too long, a bad name,
 * too many topics. HF_NOMEM. */
HF_MUST_USE hf_err hf_gossip_publish(hf_gossip *gossip, uint64_t now_ms, hf_bytes topic, hf_bytes data, hf_gossip_id *ret_id, size_t *ret_n_peers);

typedef enum hf_gossip_verdict {
    HF_GOSSIP_ACCEPT, /* passed on; whoever brought it first gains */
    HF_GOSSIP_REJECT, /* whoever brought it loses: only for what no honest peer could have passed on */
    HF_GOSSIP_IGNORE, /* goes no further, nobody is to blame */
} hf_gossip_verdict;
/* The verdict on a MESSAGE. Without one it is ignored once the seen time is over. Unknown ids are no error. */
void hf_gossip_validated(hf_gossip *gossip, uint64_t now_ms, hf_bytes id, hf_gossip_verdict verdict);

/* P5 of a connected peer. HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_gossip_app_score(hf_gossip *gossip, const hf_peer_id *peer, double value);

/* ---- what comes out ---- */
typedef enum hf_gossip_kind {
    HF_GOSSIP_NONE = 0,
    HF_GOSSIP_MESSAGE,      /* topic, from (author), data, id, peer (who brought it), needs_verdict */
    HF_GOSSIP_SUBSCRIBED,   /* peer, topic */
    HF_GOSSIP_UNSUBSCRIBED, /* peer, topic; not told for peers that have gone */
    HF_GOSSIP_PEER,         /* peer (who names it), topic, other: try it; record: where it says it is, signed by itself */
    HF_GOSSIP_ABUSE,        /* peer, reason: it broke the protocol or fell below the graylist threshold; once a connection. The shell may close it */
} hf_gossip_kind;

typedef struct hf_gossip_out {
    hf_gossip_kind kind;
    hf_peer_id peer, from, other;
    hf_bytes topic, data, id, record; /* valid until the next call */
    bool needs_verdict;
    const char *reason;
} hf_gossip_out;
hf_gossip_kind hf_gossip_next(hf_gossip *gossip, hf_gossip_out *ret_out);
uint64_t hf_gossip_deadline(const hf_gossip *gossip);
void hf_gossip_tick(hf_gossip *gossip, uint64_t now_ms);

/* ---- looking in ---- */
double hf_gossip_score(const hf_gossip *gossip, const hf_peer_id *peer); /* 0: unknown */
size_t hf_gossip_n_mesh(const hf_gossip *gossip, hf_bytes topic);
bool hf_gossip_in_mesh(const hf_gossip *gossip, hf_bytes topic, const hf_peer_id *peer);
size_t hf_gossip_n_subscribers(const hf_gossip *gossip, hf_bytes topic); /* connected peers that want it */

typedef struct hf_gossip_stats {
    uint64_t n_published, n_delivered, n_forwarded, n_duplicates, n_invalid, n_throttled, n_over, n_dropped, n_iwant_sent, n_iwant_served;
    size_t n_peers, n_retained, n_topics, n_seen, n_history, history_bytes, n_pending, pending_bytes, queue_bytes;
} hf_gossip_stats;
void hf_gossip_stats_of(const hf_gossip *gossip, hf_gossip_stats *ret);
#endif

/* gossip_private: what the files of gossip share.
 *
 *      gossip.c             the face: life, events, what comes out, looking in
 *      gossip_peer.c        peers: their streams, and what waits to be sent to them
 *      gossip_topic.c       topics, who wants them, who is in our mesh
 *      gossip_cache.c       messages: which were seen, which can be fetched
 *      gossip_publish.c     messages: into and out of the cache, verdicts, onward
 *      gossip_ahead.c       signatures of messages that came together, checked before their turn
 *      gossip_control.c     what a peer's RPC says
 *      gossip_heartbeat.c   once a second: meshes mended, gossip told, old things forgotten
 *      gossip_score.c       what a peer is worth
 */
#ifndef HF_GOSSIP_PRIVATE_H
#define HF_GOSSIP_PRIVATE_H
#include "gossip.h"

#include <string.h>

enum {
    HF_GOSSIP_FLOOD = 1, /* versions, in order of preference */
    HF_GOSSIP_V10,
    HF_GOSSIP_V11,
    HF_GOSSIP_V12,
    HF_GOSSIP_CHUNK = 64 << 10,
    HF_GOSSIP_PART_MAX = 128 << 10, /* control gathered into one RPC */
    HF_GOSSIP_PROMISES_MAX = 32,    /* of one peer */
    HF_GOSSIP_IDONTWANT_SLOTS = 1024,
    HF_GOSSIP_IDONTWANT_MAX = 512, /* a heartbeat and peer; as js */
    HF_GOSSIP_HEARD_MAX = 16,
    HF_GOSSIP_SERVED_MAX = 3, /* a message, to one peer by IWANT */
    HF_GOSSIP_PX_MAX = 16,
    HF_GOSSIP_BACKOFF_S_MAX = 3600,
    HF_GOSSIP_GRAFT_FLOOD_MS = 10000,
    HF_GOSSIP_BACKOFF_SLACK_MS = 1000,
    HF_GOSSIP_SLOW_BEATS = 3,
    HF_GOSSIP_BURST_S = 4, /* of messages_a_second */
    HF_GOSSIP_OVER_PARTS = 4, /* a second's messages, through this, too many: once against the score */
    HF_GOSSIP_REOPEN_MS = 1000,
    HF_GOSSIP_REOPEN_MS_MAX = 60000,
    HF_GOSSIP_OUTS_MAX = 4096, /* news of subscriptions and peers that nobody took */
};

typedef struct hf_gossip_peer hf_gossip_peer;
typedef struct hf_gossip_topic hf_gossip_topic;
typedef struct hf_gossip_member hf_gossip_member;
typedef struct hf_gossip_kept hf_gossip_kept;
typedef struct hf_gossip_seen hf_gossip_seen;
typedef struct hf_gossip_send hf_gossip_send;
typedef struct hf_gossip_event_t hf_gossip_event_t;
typedef struct hf_gossip_ahead hf_gossip_ahead;

/* Peers from one address. */
typedef struct hf_gossip_ip {
    uint8_t bytes[8];
    uint8_t len;
    size_t n;
} hf_gossip_ip;

typedef struct hf_gossip_promise {
    hf_gossip_id id;
    uint64_t until_ms;
} hf_gossip_promise;

/* A lossy set: newer ids push out older ones of the same place. */
typedef struct hf_gossip_unwanted { uint64_t hash, beat; } hf_gossip_unwanted;

struct hf_gossip_peer {
    hf_gossip_peer *next, *prev, *next_dirty;
    uint64_t number; /* never given again */
    const char *abuse;
    hf_gossip_ip *ip;
    uint64_t out_stream, in_stream;    /* 0: none */
    uint64_t opened_ms, reopen_ms;     /* reopen_ms: 0: not planned */
    uint64_t forget_ms;                /* gone peers */
    hf_buf in;                         /* an unfinished RPC */
    hf_gossip_send *first, *last;
    size_t queue_bytes, worth_bytes[4], sent; /* sent: of the first */
    hf_buf must_subscriptions, must_control, may, record;
    hf_gossip_promise *promises;
    size_t n_promises;
    hf_gossip_unwanted *unwanted;
    hf_map members; /* topic number -> member */
    hf_gossip_member *first_member;
    double behaviour, app, score;
    double credit;                     /* messages that it may still bring, at credit_ms */
    uint64_t credit_ms;
    uint32_t n_over;                   /* that it brought beyond that, since it was last counted against it */
    uint32_t reopen_wait_ms;
    uint32_t n_ihave, n_asked, n_served, n_idontwant, n_subscriptions, n_px, n_dropped, n_slow; /* in this heartbeat; n_slow: heartbeats */
    hf_peer_id id;
    uint8_t version;                   /* of our stream; 0: none is open */
    uint8_t heard_version;             /* of the peer's */
    bool connected, outbound, dirty, abuse_due, score_old;
    bool out_ready;                    /* negotiated */
};

/* A peer and a topic: it wants it, is in our mesh, must wait, or has a past in it. */
struct hf_gossip_member {
    hf_gossip_member *next_of_peer, *prev_of_peer, *next, *prev; /* next, prev: of the topic */
    hf_gossip_peer *peer;
    hf_gossip_topic *topic;
    bool wants, mesh, fanout, picked;
    uint64_t backoff_ms; /* no graft before; 0: none */
    uint64_t graft_ms, mesh_ms; /* since when in the mesh; how long, as of the last heartbeat */
    double first, deliveries, failure, invalid;
    bool active; /* long enough in the mesh for P3 */
};

struct hf_gossip_topic {
    hf_gossip_topic *next, *prev;
    uint8_t *name;
    size_t name_len;
    uint64_t number;
    bool subscribed, auto_accept;
    hf_gossip_topic_score score;
    hf_gossip_member *first_member;
    size_t n_members, n_wants, n_mesh;
    uint64_t fanout_ms; /* of the last publish without a subscription; 0: none */
    size_t n_kept;      /* messages that point here */
    hf_gossip_kept *first_kept, *last_kept;
};

typedef enum hf_gossip_state { HF_GOSSIP_PENDING, HF_GOSSIP_ACCEPTED, HF_GOSSIP_REJECTED, HF_GOSSIP_IGNORED } hf_gossip_state;

/* A message's bytes, as long as somebody waits for them: pending, in the history, in a queue. */
struct hf_gossip_kept {
    hf_gossip_kept *next, *prev, *next_of_topic; /* of the history */
    hf_gossip_seen *seen;                        /* NULL: forgotten */
    hf_gossip_topic *topic;
    size_t refs;
    hf_gossip_id id;
    hf_peer_id from;
    uint64_t source;                             /* peer number; 0: we */
    uint64_t beat;
    uint8_t *frame;                              /* length, RPC with this message alone */
    size_t frame_len, frame_cap, data_at, data_len;
    bool pending, in_history;
    uint64_t heard[HF_GOSSIP_HEARD_MAX]; /* who else brought it while it was pending */
    size_t n_heard;
    struct hf_gossip_serve { uint64_t peer; uint32_t n; } *served;
    size_t n_served, served_cap;
};

struct hf_gossip_seen {
    hf_gossip_seen *next, *prev;
    hf_gossip_id id;
    hf_gossip_state state;
    uint64_t seen_ms, validated_ms;
    uint64_t source;
    hf_gossip_kept *kept;
};

typedef enum hf_gossip_worth { HF_GOSSIP_MUST, HF_GOSSIP_OWN, HF_GOSSIP_ONWARD, HF_GOSSIP_MAY } hf_gossip_worth;

struct hf_gossip_send {
    hf_gossip_send *next;
    hf_gossip_worth worth;
    hf_gossip_kept *kept; /* or */
    hf_buf bytes;
};

struct hf_gossip_event_t {
    hf_gossip_event_t *next;
    hf_gossip_kind kind;
    hf_peer_id peer, other;
    hf_gossip_kept *kept;
    uint8_t *bytes; /* topic, record */
    size_t topic_len, len;
    bool needs_verdict;
};

struct hf_gossip {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_gossip_config config;
    uint8_t seed[32], public_key[32];
    hf_buf key; /* PublicKey message */
    hf_peer_id self;
    uint64_t random, map_seed, next_seqno, next_number, beat;
    uint64_t due_ms, decayed_ms;
    hf_map peers, numbers, topics, ips, seen_map;
    hf_gossip_peer *first_peer, *dirty;
    hf_gossip_topic *first_topic;
    size_t n_peers, n_retained;
    hf_gossip_seen *first_seen, *last_seen;
    hf_gossip_kept *first_kept, *last_kept; /* the history, oldest first */
    size_t n_history, history_bytes, n_pending, pending_bytes;
    hf_gossip_event_t *first_event, *last_event, *shown;
    size_t n_events;
    bool abuse_due; /* some peer's */
    hf_buf scratch;
    hf_gossip_member **picks; /* room for choosing among a topic's members */
    size_t picks_cap;
    hf_bytes *ids; /* room for IHAVE and IWANT */
    size_t ids_cap;
    hf_gossip_ahead *ahead; /* NULL: signatures are checked one after another */
    hf_gossip_stats stats;
};

/* ---- gossip.c ---- */
uint64_t hf_gossip_random(hf_gossip *g);
/* 0 .. n - 1; n > 0. */
size_t hf_gossip_random_below(hf_gossip *g, size_t n);
void hf_gossip_wake(hf_gossip *g, uint64_t now_ms); /* there is something to do at heartbeats */
void hf_gossip_abuse(hf_gossip *g, hf_gossip_peer *peer, const char *reason);
/* HF_NOMEM, or HF_LIMIT: nobody takes them. */
HF_MUST_USE hf_err hf_gossip_tell(hf_gossip *g, hf_gossip_kind kind, const hf_peer_id *peer, hf_bytes topic, const hf_peer_id *other,
                                  hf_bytes record);
HF_MUST_USE hf_err hf_gossip_tell_message(hf_gossip *g, const hf_peer_id *source, hf_gossip_kept *kept, bool needs_verdict);

/* ---- gossip_peer.c ---- */
static inline bool hf_gossip_sendable(const hf_gossip_peer *peer) { return peer->connected && peer->out_stream != 0; }
static inline bool hf_gossip_meshable(const hf_gossip_peer *peer) { return hf_gossip_sendable(peer) && peer->version >= HF_GOSSIP_V10; }
hf_gossip_peer *hf_gossip_peer_of(const hf_gossip *g, const hf_peer_id *id);
hf_gossip_peer *hf_gossip_peer_numbered(const hf_gossip *g, uint64_t number);
void hf_gossip_peer_free(hf_gossip *g, hf_gossip_peer *peer);
void hf_gossip_peer_event(hf_gossip *g, uint64_t now_ms, const hf_swarm_out *event);
void hf_gossip_streams_tick(hf_gossip *g, uint64_t now_ms);
/* Puts the message into the peer's queue, if it fits. */
bool hf_gossip_send_kept(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_kept *kept, hf_gossip_worth worth);
/* Gossip for the peer would be taken. */
static inline bool hf_gossip_has_room(const hf_gossip *g, const hf_gossip_peer *peer) {
    return hf_gossip_sendable(peer) && peer->queue_bytes < g->config.queue_bytes_max / 2;
}
/* The peer's buffers got something: it is looked at by the next flush. */
void hf_gossip_dirty(hf_gossip *g, hf_gossip_peer *peer);
/* At the end of each call: what gathered becomes RPCs, and goes as far as the swarm takes it. */
void hf_gossip_flush(hf_gossip *g, uint64_t now_ms);
/* ---- gossip_topic.c ---- */
static inline hf_bytes hf_gossip_topic_name(const hf_gossip_topic *topic) { return HF_BYTES(topic->name, topic->name_len); }
hf_gossip_topic *hf_gossip_topic_of(const hf_gossip *g, hf_bytes name);
/* NULL: too many, or no memory. */
hf_gossip_topic *hf_gossip_topic_make(hf_gossip *g, hf_bytes name);
void hf_gossip_topic_settle(hf_gossip *g, hf_gossip_topic *topic); /* freed when nothing needs it */
hf_gossip_member *hf_gossip_member_of(const hf_gossip_peer *peer, const hf_gossip_topic *topic);
hf_gossip_member *hf_gossip_member_make(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_topic *topic);
/* Freed when it says nothing any more. The topic may go with it. */
void hf_gossip_member_settle(hf_gossip *g, uint64_t now_ms, hf_gossip_member *member);
void hf_gossip_member_free(hf_gossip *g, hf_gossip_member *member);
void hf_gossip_wants(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes topic, bool wants);
void hf_gossip_member_leave(hf_gossip_member *member); /* the mesh, without a word */
void hf_gossip_member_join(uint64_t now_ms, hf_gossip_member *member);
void hf_gossip_graft(hf_gossip *g, uint64_t now_ms, hf_gossip_member *member);
/* Leaves the mesh and says so, with a backoff that holds here, too. */
void hf_gossip_prune(hf_gossip *g, uint64_t now_ms, hf_gossip_member *member, uint32_t backoff_ms, bool px);
void hf_gossip_backoff(hf_gossip_member *member, uint64_t until_ms);
/* Up to n members that `fits`, at random, into g->picks; returns how many. */
typedef bool hf_gossip_fits(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *member);
size_t hf_gossip_pick(hf_gossip *g, uint64_t now_ms, hf_gossip_topic *topic, hf_gossip_fits *fits, size_t n);
bool hf_gossip_fits_mesh(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *member); /* could be grafted */
bool hf_gossip_fits_fanout(hf_gossip *g, uint64_t now_ms, const hf_gossip_member *member);

/* ---- gossip_cache.c ---- */
hf_gossip_seen *hf_gossip_seen_of(const hf_gossip *g, hf_bytes id);
HF_MUST_USE hf_err hf_gossip_see(hf_gossip *g, uint64_t now_ms, const hf_gossip_id *id, uint64_t source, hf_gossip_kept *kept);
void hf_gossip_unsee(hf_gossip *g, hf_gossip_seen *seen);
void hf_gossip_seen_tick(hf_gossip *g, uint64_t now_ms);
hf_gossip_kept *hf_gossip_keep(hf_gossip *g, hf_gossip_topic *topic, const hf_gossip_message *message); /* one reference, the caller's */
void hf_gossip_kept_release(hf_gossip *g, hf_gossip_kept *kept);
static inline hf_bytes hf_gossip_kept_data(const hf_gossip_kept *kept) { return HF_BYTES(kept->frame + kept->data_at, kept->data_len); }
void hf_gossip_history_add(hf_gossip *g, hf_gossip_kept *kept);
void hf_gossip_history_tick(hf_gossip *g);
/* How often it was served to this peer, this time included; UINT32_MAX: no memory to know. */
uint32_t hf_gossip_serve_count(hf_gossip *g, hf_gossip_kept *kept, const hf_gossip_peer *peer);

/* ---- gossip_publish.c ---- */
void hf_gossip_message_in(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, const hf_gossip_message *message);
void hf_gossip_settle_pending(hf_gossip *g, uint64_t now_ms, hf_gossip_kept *kept, hf_gossip_verdict verdict);

/* ---- gossip_ahead.c ---- */
hf_gossip_ahead *hf_gossip_ahead_new(hf_mem *mem);
void hf_gossip_ahead_free(hf_gossip *g);
/* Once for each piece of the peer's stream, before it is dealt with: `bytes` are that and what waits before it. What does not fit is checked in its turn. */
void hf_gossip_look_ahead(hf_gossip *g, hf_gossip_peer *peer, hf_bytes bytes);
/* True: the signature was looked at; *ret_err as of hf_public_key_verify. */
bool hf_gossip_was_checked(hf_gossip *g, const hf_gossip_verified *author, hf_bytes is_signed, hf_bytes signature, hf_err *ret_err);
void hf_gossip_ahead_tick(hf_gossip *g); /* memory that nothing goes by is given back */

/* ---- gossip_control.c ---- */
void hf_gossip_rpc(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_bytes rpc);
void hf_gossip_promises_tick(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer);
void hf_gossip_promise_release(hf_gossip_peer *peer, hf_bytes id);
bool hf_gossip_is_unwanted(const hf_gossip *g, const hf_gossip_peer *peer, hf_bytes id);

/* ---- gossip_heartbeat.c ---- */
void hf_gossip_heartbeat(hf_gossip *g, uint64_t now_ms);

/* ---- gossip_score.c ---- */
double hf_gossip_score_of(const hf_gossip *g, hf_gossip_peer *peer);
void hf_gossip_penalty(hf_gossip *g, hf_gossip_peer *peer, double amount);
void hf_gossip_score_delivered(hf_gossip *g, uint64_t now_ms, hf_gossip_peer *peer, hf_gossip_topic *topic, bool first);
void hf_gossip_score_invalid(hf_gossip *g, hf_gossip_peer *peer, hf_gossip_topic *topic);
void hf_gossip_score_pruned(const hf_gossip *g, hf_gossip_member *member); /* P3b, before the member leaves the mesh */
void hf_gossip_score_tick(hf_gossip *g, uint64_t now_ms);
void hf_gossip_ip_enter(hf_gossip *g, hf_gossip_peer *peer, hf_bytes remote);
void hf_gossip_ip_leave(hf_gossip *g, hf_gossip_peer *peer);
#endif

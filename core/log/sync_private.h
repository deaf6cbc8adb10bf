/* sync_private: what the files of sync share.
 *
 *      sync.c           the face: life, events, whose turn it is, time
 *      sync_stream.c    Holdfast's way: what is said and sent on the one stream
 *      sync_clock.c     Holdfast's way: clocks of writers
 *      sync_input.c     Holdfast's way: what is heard
 *      heads.c          OrbitDB's way: exchanging heads
 *      sync_gossip.c    OrbitDB's way: heads that are published
 *      sync_join.c      judging what came, by whichever way
 *      sync_fetch.c     what the log wants: asking for it, giving it up
 *      sync_quota.c     what there is no room for
 *
 * Events only note what is to be done and wake the link; hf_sync_next does it, one small thing a call, link after link
 * in turn.
 */
#ifndef HF_SYNC_PRIVATE_H
#define HF_SYNC_PRIVATE_H
#include "sync.h"
#include "sync_message.h"

enum {
    HF_SYNC_BATCH_BYTES = 64 << 10,
    HF_SYNC_BATCH_SCAN = 8192,              /* items looked at for one batch */
    HF_SYNC_INPUT_MAX = 1 << 20,            /* bytes that wait to be joined: above, the peer is not read from */
    HF_SYNC_INPUT_LOW = 256 << 10,          /* below, it is again */
    HF_SYNC_CLAIMS_MAX = 16384,             /* writers that a peer names and we do not know */
    HF_SYNC_ANSWERS_MAX = 1024,             /* digests that a peer wants and that were not dealt with yet */
    HF_SYNC_ANCESTORS = 32,                 /* sent along with an entry that is wanted */
    HF_SYNC_WANTS_MAX = 256,                /* of one log, on their way */
    HF_SYNC_WANT_MS = 30000,
    HF_SYNC_REFUSED_MAX = 16,
    HF_SYNC_ASK_AGAIN_MS_MAX = 300000,      /* a head that is still unknown: after HF_SYNC_COMPARE_MS, then twice as long each time, at most this */
    HF_SYNC_BLAME_GAP_MS = 4000,            /* what is lacking again after that long is not held against the peer: it was compared, or asked for */
    HF_SYNC_CANDIDATES = 4,                 /* identity blocks that came before an entry that names them */
    HF_SYNC_IDENTITY_BYTES_MAX = 4096,
    HF_SYNC_REOPEN_MS = 1000,
    HF_SYNC_DOOR_MS = 60000,                /* how often it is looked whether a writer may write again */
    HF_SYNC_HEAD_FRAME_MAX = 65524,         /* js's own limit; a larger head is found by bitswap, as an ancestor */
    HF_SYNC_HEADS_SEND_MAX = 240 << 10,     /* all of a message fit into the 256 KiB window, so that no frame is cut */
    HF_SYNC_HEADS_RECV_MAX = 1 << 20,
    HF_SYNC_HEADS_STREAMS = 4,              /* of one peer and log, being read */
    HF_SYNC_HEADS_READ_MS = 30000,
    HF_SYNC_HEADS_GAP_MS = 1000,
    HF_SYNC_GOSSIPED = 64,                  /* entries that came by gossip, remembered so that they are not published again */
    HF_SYNC_PUBLISH_A_SECOND = 32,
    HF_SYNC_GOSSIP_REFUSED = 32,            /* messages of gossip from one peer that had to be refused, until no more are looked at; one a second is forgotten */
    HF_SYNC_MESSAGES_MAX = 256,             /* of gossip, waiting to be joined; more are ignored */
};

typedef struct hf_sync_db hf_sync_db;
typedef struct hf_sync_link hf_sync_link;
typedef struct hf_sync_peer hf_sync_peer;

/* How a wanted block is being sought; each step is taken when the one before it failed. */
typedef enum hf_sync_step { HF_SYNC_ON_STREAM, HF_SYNC_FROM_SOURCE, HF_SYNC_FROM_ALL, HF_SYNC_FAILED } hf_sync_step;

typedef struct hf_sync_want {
    uint8_t digest[32];
    bool identity;
    hf_sync_step step;
    hf_peer_id source;                      /* whose entry made us want it */
    uint64_t deadline_ms;                   /* ON_STREAM */
} hf_sync_want;

typedef struct hf_sync_writer {
    uint64_t durable_time;
    uint64_t stamp;                         /* the Have that told it last, while that is being written */
    bool identity_known;
    uint8_t identity[32];
    uint64_t bytes_seen, lately, looked_ms; /* see sync_quota.c */
    bool shut;
} hf_sync_writer;

struct hf_sync_db {
    hf_sync *sync;
    hf_log *log;
    uint64_t context;
    uint32_t number;
    hf_buf sync_name, heads_name;
    size_t n_durable, n_told_durable;       /* differ only when there was no memory to take notice */
    hf_sync_writer *writers;
    size_t writers_cap;
    uint64_t stamp;
    hf_sync_want *wants;                    /* at most HF_SYNC_WANTS_MAX */
    size_t n_wants, wants_cap;
    bool ready, wanting, failed;            /* ask hf_log_ready, hf_log_wanted; some want is at HF_SYNC_FAILED */
    hf_peer_id source;                      /* who caused what is ready or wanted */
    uint8_t gossiped[HF_SYNC_GOSSIPED][32];
    size_t n_gossiped;
    uint64_t publish_ms;                    /* when the second began in which n_published were */
    unsigned n_published;
    uint64_t rewant_ms;                     /* 0, or: there was no memory, try again then */
    uint64_t door_ms;                       /* 0, or: some writer is turned away; look at it then */
};

typedef struct hf_sync_heads {              /* one stream of OrbitDB's way */
    struct hf_sync_heads *next;
    uint64_t stream, deadline_ms;
    bool over;                              /* the peer said all: to be joined */
    hf_buf bytes;
    size_t at, n_same;                      /* joined so far; heads of ours among them */
    size_t n_heads;
} hf_sync_heads;

typedef struct hf_sync_times { uint64_t sent, confirmed; } hf_sync_times;

struct hf_sync_link {
    hf_sync_peer *peer;
    hf_sync_db *db;
    hf_sync_link *next_awake;
    bool awake, speaks_sync, speaks_heads;

    /* Holdfast's way */
    bool turned_away;                       /* an entry that came on it, since it began */
    bool has_stream, outbound, told, heard, reading_off, behind_told;
    uint64_t stream, open_ms, compare_ms;   /* 0: not meant to be opened */
    hf_buf in, blocked;                     /* blocked: a frame that the swarm had no room for */
    size_t in_at, message_end;              /* message_end 0: the next frame has not begun */
    size_t n_ahead;                         /* entries that come next and were looked at */
    hf_sync_times *times;                   /* by writer of our log: the highest time that the peer has */
    size_t n_times, times_cap;
    hf_sync_clock *claims;                  /* sorted by key: clocks of writers that our log has not met */
    size_t n_claims, claims_cap;
    size_t cursor;                          /* items below were sent or need not be */
    size_t told_items, told_writers;        /* Have: items below, and in the first one writers below, were told */
    size_t heads_told; /* durable entries when heads were told last, after all else; SIZE_MAX: never */
    size_t n_confirmed;                     /* items below are known to be there */
    uint8_t (*answers)[32];
    size_t n_answers, answers_cap;
    uint8_t (*asks)[32];
    size_t n_asks, asks_cap;
    uint8_t (*peer_heads)[32];
    size_t n_peer_heads, peer_heads_cap;
    bool knows_peer_heads, level_due;
    size_t level_n;                         /* entries when LEVEL was told last */
    hf_buf candidates[HF_SYNC_CANDIDATES];
    size_t next_candidate;
    uint64_t heads_asked;                   /* bit i: peer_heads[i] was asked for */
    uint64_t ask_ms;                        /* 0, or when those that are still unknown are asked for again */
    uint32_t ask_gap_ms;
    uint8_t refused[HF_SYNC_REFUSED_MAX][32]; /* not asked for again */
    uint64_t refused_ms[HF_SYNC_REFUSED_MAX];
    size_t n_refused;

    /* OrbitDB's way */
    hf_sync_heads *heads;
    bool heads_opened;                      /* one of ours is on its way */
    uint64_t heads_stream, heads_ms, heads_last_ms;
};

struct hf_sync_peer {
    hf_sync_peer *next;
    hf_peer_id id;
    unsigned n_refused;
    unsigned n_gossip_refused;              /* less what was forgotten, at gossip_ms */
    uint64_t gossip_ms;
    const char *abuse;
    bool abuse_due;
    bool dialed;                            /* we did */
    hf_sync_link **links;                   /* by database, made when needed */
    size_t links_cap;
};

/* A block that bitswap brought, or (id_len > 0) gossip. */
typedef struct hf_sync_job {
    struct hf_sync_job *next;
    hf_peer_id peer;
    hf_sync_db *db;
    bool identity;
    uint8_t id_len, id[HF_GOSSIP_ID_MAX];
    size_t len;
    uint8_t block[];
} hf_sync_job;

struct hf_sync {
    hf_mem *mem;
    hf_swarm *swarm;
    hf_bitswap *bitswap;
    hf_gossip *gossip;                      /* NULL: none */
    const hf_spread *spread;                /* NULL: one after another */
    size_t n_jobs_ahead;                    /* of the jobs that come next, looked at */
    hf_block_source blocks;
    uint32_t tag_first, heads_every_ms;     /* heads_every_ms: how often heads are compared, OrbitDB's way */
    bool heads_only;
    hf_sync_limits quota;
    const char *full;                       /* NULL: there is room */
    bool turned_away;                       /* what was joined last was */
    bool blameless;                         /* what is refused now is not held against who brought it */
    size_t n_messages;                      /* of gossip among the jobs */
    hf_sync_db **dbs;
    size_t n_dbs, dbs_cap;
    hf_sync_peer *peers;
    hf_sync_link *awake, *awake_last;
    hf_sync_job *jobs, *jobs_last;
    hf_sync_job *shown;                     /* its block is what the caller looks at */
    hf_arena arena;                         /* of the output that is being looked at */
    hf_entry entry;
    hf_buf frame, have;
    uint64_t now_ms;                        /* of the hf_sync_next that runs */
    uint64_t due_ms, meet_ms;               /* meet_ms: 0, or when to look for peers that there was no memory for */
    bool flush;                             /* bitswap holds wants of ours */
};

/* ---- sync.c ---- */
hf_sync_peer *hf_sync_peer_of(hf_sync *s, const hf_peer_id *id, bool make);
/* NULL: none (or no memory to make it). */
hf_sync_link *hf_sync_link_of(hf_sync *s, hf_sync_peer *peer, hf_sync_db *db, bool make);
void hf_sync_wake(hf_sync *s, hf_sync_link *link);
void hf_sync_due(hf_sync *s, uint64_t at_ms);
void hf_sync_abuse(hf_sync *s, hf_sync_peer *peer, const char *reason);

void hf_sync_job_add(hf_sync *s, hf_sync_job *job);
void hf_sync_job_free(hf_sync *s, hf_sync_job *job); /* NULL: nothing */

/* ---- sync_gossip.c ---- */
HF_MUST_USE hf_err hf_sync_gossip_join(hf_sync *s, uint64_t now_ms, const hf_sync_db *db);
void hf_sync_gossip_leave(hf_sync *s, uint64_t now_ms, const hf_sync_db *db);
void hf_sync_gossip_durable(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_log_item *item);
hf_sync_kind hf_sync_gossip_work(hf_sync *s, uint64_t now_ms, hf_sync_job *job, hf_sync_out *out);

/* ---- sync_stream.c ---- */
void hf_sync_stream_event(hf_sync *s, uint64_t now_ms, hf_sync_link *link, const hf_swarm_out *event);
void hf_sync_stream_drop(hf_sync *s, hf_sync_link *link);     /* forgets it and all that was said on it */
/* Opens the stream or says and sends what is due; true when it did something. */
bool hf_sync_stream_work(hf_sync *s, uint64_t now_ms, hf_sync_link *link);
void hf_sync_link_deinit(hf_sync *s, hf_sync_link *link);
void hf_sync_ask_for_heads(hf_sync *s, uint64_t now_ms, hf_sync_link *link); /* those that are unknown, when it is time */
void hf_sync_check_level(hf_sync *s, hf_sync_link *link);

/* ---- sync_clock.c ---- */
/* Room for the clocks of all writers of the log; those that the peer claimed are filled in. */
HF_MUST_USE hf_err hf_sync_times_reserve(hf_sync *s, hf_sync_link *link);
HF_MUST_USE hf_err hf_sync_writers_reserve(hf_sync *s, hf_sync_db *db);
void hf_sync_key(hf_bytes hex, uint8_t ret[HF_SYNC_KEY_LEN]);
void hf_sync_take_clocks(hf_sync *s, hf_sync_link *link, hf_bytes have); /* reads well */

/* ---- sync_input.c ---- */
void hf_sync_input(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_bytes bytes);
/* Deals with one part of what was heard. HF_SYNC_NONE: there is no whole message. */
hf_sync_kind hf_sync_input_work(hf_sync *s, uint64_t now_ms, hf_sync_link *link, hf_sync_out *out);

/* ---- heads.c ---- */
void hf_sync_heads_event(hf_sync *s, uint64_t now_ms, hf_sync_link *link, const hf_swarm_out *event);
bool hf_sync_heads_open(hf_sync *s, uint64_t now_ms, hf_sync_link *link);
hf_sync_kind hf_sync_heads_work(hf_sync *s, hf_sync_link *link, hf_sync_out *out);
void hf_sync_heads_tick(hf_sync *s, uint64_t now_ms, hf_sync_link *link);
void hf_sync_heads_free(hf_sync *s, hf_sync_link *link);

/* ---- sync_join.c ---- */
/* Judge one block from this peer; what comes out is in *out, or HF_SYNC_WORKED. *ret_index: its number when the log has
 * it now. */
hf_sync_kind hf_sync_join(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, hf_bytes block, uint32_t *ret_index,
                          hf_sync_out *out);
hf_sync_kind hf_sync_join_identity(hf_sync *s, uint64_t now_ms, hf_sync_db *db, const hf_peer_id *from, hf_bytes block,
                                   hf_sync_out *out);
hf_sync_kind hf_sync_join_ready(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_out *out);
/* Fills in REFUSED and counts it against the peer. */
hf_sync_kind hf_sync_refuse(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, const uint8_t digest[32], hf_err err,
                            const char *reason, hf_sync_out *out);
bool hf_sync_was_refused(const hf_sync_link *link, const uint8_t digest[32]);

/* ---- sync_quota.c ---- */
void hf_sync_quota_open(hf_sync *s, uint64_t now_ms, hf_sync_db *db);
void hf_sync_quota_tick(hf_sync *s, uint64_t now_ms, hf_sync_db *db);
hf_sync_kind hf_sync_turn_away(hf_sync *s, hf_sync_db *db, const hf_peer_id *from, const uint8_t digest[32], const char *reason, hf_sync_out *out);

/* ---- sync_fetch.c ---- */
hf_sync_want *hf_sync_want_find(hf_sync_db *db, const uint8_t digest[32]);
void hf_sync_want_met(hf_sync_db *db, const uint8_t digest[32]);
/* The peer does not have it, or its stream is gone: the next step. */
void hf_sync_want_failed(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_want *want);
void hf_sync_wants_of_stream_failed(hf_sync *s, uint64_t now_ms, hf_sync_link *link);
/* No memory: the log will report its wants anew in a while. */
void hf_sync_rewant(hf_sync *s, uint64_t now_ms, hf_sync_db *db);
hf_sync_kind hf_sync_fetch_work(hf_sync *s, uint64_t now_ms, hf_sync_db *db, hf_sync_out *out);
void hf_sync_fetch_tick(hf_sync *s, uint64_t now_ms, hf_sync_db *db);
#endif

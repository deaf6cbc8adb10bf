/* kad_private: what the files of the DHT share.
 *
 *      kad.c           the face: life, events, what comes out, time
 *      kad_contact.c   the peers that we are connected to or keep in the table
 *      kad_request.c   one question to one peer: dial, stream, answer
 *      kad_serve.c     others' questions
 *      kad_query.c     a lookup: candidates, who is asked next, when it is over
 *      kad_op.c        operations: what a lookup is for, and what follows it
 *      kad_start.c     the calls that start operations
 *      kad_refresh.c   what is done again from time to time
 */
#ifndef HF_KAD_PRIVATE_H
#define HF_KAD_PRIVATE_H
#include "kad.h"
#include "kad_message.h"
#include "kad_store.h"
#include "kad_table.h"

enum {
    HF_KAD_OPS_MAX = 64,
    HF_KAD_ASKED_MAX = 192,
    HF_KAD_CANDIDATES_MAX = 512,
    HF_KAD_PROVIDERS_A_LOOKUP = 1024,
    HF_KAD_PATHS_MAX = 16,
    HF_KAD_K_MAX = 64,
    HF_KAD_VALIDATORS_MAX = 8,
    HF_KAD_STREAMS_IN_MAX = 32, /* of a peer */
    HF_KAD_PARTIAL_MAX = 2 * HF_KAD_MESSAGE_MAX,
    HF_KAD_MESSAGE_MS = 10000,  /* between bytes of a message */
    HF_KAD_IDLE_MS = 60000,     /* between messages on a stream */
    HF_KAD_ASKS_BURST = 400,
    HF_KAD_ASKS_A_SECOND = 200,
    HF_KAD_WRITES_BURST = 256,
    HF_KAD_WRITES_A_SECOND = 16,
    HF_KAD_FRESH_MS = 600000,   /* seen within this: not checked for a newcomer */
    HF_KAD_START_MS = 1000,     /* from the first peer in the table to looking for ourselves */
    HF_KAD_EARLY_MS = 5000,     /* and again after this, then each time four times as late, up to refresh_ms */
    HF_KAD_SWEEP_MS = 600000,
    HF_KAD_REPUBLISH_CHECK_MS = 60000,
    HF_KAD_REFRESH_PREFIX_MAX = 12, /* a key of a deeper bucket takes too long to guess; looking for ourselves covers those */
};

typedef enum hf_kad_op_kind {
    HF_KAD_OP_FIND_PEER,
    HF_KAD_OP_CLOSEST,
    HF_KAD_OP_PROVIDE,
    HF_KAD_OP_FIND_PROVIDERS,
    HF_KAD_OP_PUT,
    HF_KAD_OP_GET,
} hf_kad_op_kind;

typedef enum hf_kad_candidate_state { HF_KAD_NEW = 0, HF_KAD_ASKED, HF_KAD_ANSWERED, HF_KAD_FAILED } hf_kad_candidate_state;
typedef enum hf_kad_had { HF_KAD_HAD_NOTHING = 0, HF_KAD_HAD_BEST, HF_KAD_HAD_WORSE } hf_kad_had;

typedef struct hf_kad_candidate {
    hf_peer_id id;
    uint8_t distance[HF_KAD_KEY];
    hf_kad_addresses addresses;
    hf_kad_candidate_state state;
    hf_kad_had had;
    uint8_t path;
    uint16_t hops;
    bool told; /* PUT_VALUE or ADD_PROVIDER was sent */
} hf_kad_candidate;

/* In the row of what comes out. */
typedef struct hf_kad_item {
    struct hf_kad_item *next;
    hf_kad_kind kind;
    uint64_t op;
    hf_peer_id peer;
    hf_kad_addresses addresses;
    uint8_t *value;
    size_t value_len;
    hf_err err;
    size_t n, n_asked, n_hops;
    bool embedded; /* within an operation, see below */
} hf_kad_item;

typedef struct hf_kad_op {
    struct hf_kad_op *next, *prev;
    uint64_t id;                           /* 0: our own housekeeping, nothing comes out */
    hf_kad_op_kind kind;
    uint8_t *key;
    size_t key_len;
    uint8_t target[HF_KAD_KEY];
    uint8_t region[HF_KAD_KEY];            /* of providers: where the k closest should end */
    bool wide;                             /* it counts */
    hf_kad_candidate *candidates;          /* closest first */
    size_t n, cap, n_asked, n_hops;
    size_t in_flight, in_flight_of[HF_KAD_PATHS_MAX];
    uint64_t deadline_ms;
    bool telling;                          /* the lookup is over; what follows it is under way */
    bool over;
    size_t wanted, n_done;                 /* providers, quorum; results so far */
    uint8_t *value;                        /* put: the value; get: the best so far; NULL with value_cap 0: none */
    size_t value_len, value_cap;
    hf_peer_id *found;                     /* providers that came out */
    size_t n_found, found_cap;
    hf_err err;
    hf_kad_item done;                      /* so that its end can be told without memory */
} hf_kad_op;

typedef struct hf_kad_request {
    struct hf_kad_request *next, *prev;
    hf_kad_op *op;                         /* NULL: a check or a correction */
    hf_peer_id peer;
    hf_kad_type type;
    bool open, sent, answered;
    uint64_t stream, deadline_ms;
    hf_buf bytes;                          /* the message until it is sent, then what came back */
} hf_kad_request;

typedef struct hf_kad_served {
    struct hf_kad_served *next, *prev;
    uint64_t stream, deadline_ms;
    hf_kad_contact *contact;
    hf_buf bytes;
} hf_kad_served;

typedef struct hf_kad_rule { char ns[32]; hf_kad_validator validator; } hf_kad_rule;

struct hf_kad {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_kad_config config;
    hf_buf protocol;
    bool server;
    unsigned takes;                        /* scopes of addresses */
    hf_kad_rule rules[HF_KAD_VALIDATORS_MAX];
    size_t n_rules;
    uint64_t unix_offset_ms, seed;
    hf_kad_table table;
    hf_kad_store store;
    hf_map contacts;                       /* peer id -> contact */
    hf_map asked, served;                  /* stream -> request, served */
    hf_kad_request *first_request;
    hf_kad_served *first_served;
    hf_kad_op *first_op;
    size_t n_ops;
    uint64_t next_op;
    hf_kad_item *out, *out_last, *shown;
    hf_bytes shown_addresses[HF_KAD_ADDRESSES_MAX];
    uint64_t due_ms, now_ms;               /* now_ms: of the last event */
    uint64_t refresh_ms, sweep_ms, republish_ms; /* when next */
    int refreshing;                        /* the bucket whose refresh runs; -1: ourselves; HF_KAD_BUCKETS: none */
    hf_kad_op *refresh_op;
    uint32_t n_refreshes;                  /* finished since the table was empty */
    size_t n_own_values, n_own_providers;
};

/* ---- kad.c ---- */
void hf_kad_due(hf_kad *kad, uint64_t at_ms);
uint64_t hf_kad_unix(const hf_kad *kad, uint64_t now_ms);
/* Puts something into the row of what comes out; addresses are copied. HF_NOMEM. */
HF_MUST_USE hf_err hf_kad_emit(hf_kad *kad, hf_kad_kind kind, uint64_t op, const hf_peer_id *peer, const hf_kad_addresses *addresses);
void hf_kad_emit_item(hf_kad *kad, hf_kad_item *item);
void hf_kad_own_addresses(hf_kad *kad, hf_kad_addresses *ret); /* cleared first; left empty without memory */
/* Is the value valid under the key? HF_DENIED: no such namespace; else what the validator says. */
HF_MUST_USE hf_err hf_kad_validate(const hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value);
bool hf_kad_better(const hf_kad *kad, hf_bytes key, hf_bytes a, hf_bytes b);

/* ---- kad_contact.c ---- */
hf_kad_contact *hf_kad_contact_of(hf_kad *kad, const hf_peer_id *id); /* NULL: unknown */
void hf_kad_contact_up(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id);
void hf_kad_contact_identified(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *event);
void hf_kad_contact_down(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id);
void hf_kad_contact_seen(hf_kad *kad, uint64_t now_ms, const hf_peer_id *id);   /* it answered */
void hf_kad_contact_failed(hf_kad *kad, const hf_peer_id *id); /* it did not */
void hf_kad_contacts_free(hf_kad *kad);

/* ---- kad_request.c ---- */
/* Asks: opens a stream, or has the peer dialled first (addresses may be NULL when it is connected). `message` is the request without
 * its length; it is taken over, and emptied also on failure. HF_NOT_FOUND: it cannot be reached. HF_NOMEM. */
HF_MUST_USE hf_err hf_kad_ask(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer, const hf_kad_addresses *addresses,
                              hf_kad_type type, hf_buf *message);
void hf_kad_request_event(hf_kad *kad, uint64_t now_ms, hf_kad_request *request, const hf_swarm_out *event);
void hf_kad_requests_up(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer);
void hf_kad_requests_unreachable(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer);
void hf_kad_requests_drop(hf_kad *kad, uint64_t now_ms, const hf_kad_op *op); /* of this operation; no one is told */
void hf_kad_requests_tick(hf_kad *kad, uint64_t now_ms);

/* ---- kad_serve.c ---- */
void hf_kad_served_event(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *event);
void hf_kad_served_drop(hf_kad *kad, hf_kad_served *served);
void hf_kad_serve_tick(hf_kad *kad, uint64_t now_ms);

/* ---- kad_query.c ---- */
/* Makes the contacts of the table that are closest to the target the first candidates. HF_MISSING: there are none. */
HF_MUST_USE hf_err hf_kad_query_start(hf_kad *kad, hf_kad_op *op);
/* Asks whom it may; true: nobody is left to ask and nobody may still answer. */
bool hf_kad_query_advance(hf_kad *kad, uint64_t now_ms, hf_kad_op *op);
void hf_kad_query_learn(hf_kad *kad, hf_kad_op *op, const hf_kad_candidate *from, const hf_kad_message *answer);
hf_kad_candidate *hf_kad_query_find(hf_kad_op *op, const hf_peer_id *id);
/* Is this one beyond those who are to be asked and told? kth: the k-th good candidate before it; NULL: there were not so many. */
bool hf_kad_query_beyond(const hf_kad_op *op, const hf_kad_candidate *kth, const hf_kad_candidate *candidate);
/* The candidates that answered, closest first, at most k; returns how many. Views into op. */
size_t hf_kad_query_closest(const hf_kad *kad, hf_kad_op *op, hf_kad_candidate **ret);

/* ---- kad_op.c ---- */
hf_kad_op *hf_kad_op_new(hf_kad *kad, uint64_t now_ms, hf_kad_op_kind kind, hf_bytes key, bool internal);
void hf_kad_op_free(hf_kad *kad, hf_kad_op *op);
/* Begins the lookup; also tells that it cannot. */
void hf_kad_op_run(hf_kad *kad, uint64_t now_ms, hf_kad_op *op);
void hf_kad_op_answer(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer, hf_kad_type type, const hf_kad_message *answer);
void hf_kad_op_failure(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, const hf_peer_id *peer, hf_kad_type type);
void hf_kad_op_end(hf_kad *kad, uint64_t now_ms, hf_kad_op *op, hf_err err);
void hf_kad_ops_tick(hf_kad *kad, uint64_t now_ms);
/* One provider; told once. */
void hf_kad_op_provider(hf_kad *kad, hf_kad_op *op, const hf_peer_id *id, const hf_kad_addresses *addresses);
HF_MUST_USE hf_err hf_kad_op_take_value(hf_kad *kad, hf_kad_op *op, hf_bytes value);

/* ---- kad_start.c ---- */
/* The multihash within a CID, or the multihash itself; HF_MALFORMED. */
HF_MUST_USE hf_err hf_kad_multihash(hf_bytes cid, hf_bytes *ret);
void hf_kad_republish(hf_kad *kad, uint64_t now_ms);

/* ---- kad_refresh.c ---- */
void hf_kad_refresh_joined(hf_kad *kad, uint64_t now_ms); /* the table has its first peer */
void hf_kad_refresh_done(hf_kad *kad, uint64_t now_ms);   /* the running one is over */
void hf_kad_refresh_tick(hf_kad *kad, uint64_t now_ms);
#endif

/* kad: the Kademlia DHT of libp2p: who is closest to a key, which value stands there, who provides a block. Sits on the swarm: feed it
 * the stream events of its tag, and CONN_UP, IDENTIFIED and CONN_DOWN. Spec: libp2p/specs kad-dht/README.md; where it is silent, as
 * js (@libp2p/kad-dht) and go (go-libp2p-kad-dht) do.
 *
 * Life:    new -> (event | an operation | tick)* -> free; after each call drain hf_kad_next() until HF_KAD_NONE, and the swarm's.
 * Modes:   a client asks; a server is announced in identify, answers, and is in others' tables.
 * Dialling: a lookup needs peers that are not connected. DIAL comes out with the peer's addresses; the host connects (CONN_UP
 *          tells us) or says hf_kad_dial_failed. DIAL for a peer comes once while it is wanted.
 * Limits:  64 operations at once; a lookup asks 192 peers at most, keeps 512 candidates and takes k from an answer; messages of 256 KiB, keys
 *          of 256 bytes, values of 64 KiB; a peer: 32 streams, 200 questions a second (bursts of 400), 16 writes a second
 *          (bursts of 256); what a server stores: config.
 * Trust:   an answer is hearsay: peers enter the routing table only when they are connected and identify says that they serve. Records are
 *          valid by their namespace's validator or dropped, under their own key only.
 */
#ifndef HF_KAD_H
#define HF_KAD_H
#include "swarm.h"

#define HF_KAD_PROTOCOL "/ipfs/kad/1.0.0"

typedef struct hf_kad hf_kad;

/* What makes a value under "/<namespace>/…" valid. Pure functions; `unix_ms` as hf_kad_clock told. */
typedef struct hf_kad_validator {
    const char *ns;                                                       /* "ipns"; at most 31 bytes, copied. "pk" is built in. */
    hf_err (*validate)(void *ctx, uint64_t unix_ms, hf_bytes key, hf_bytes value); /* HF_OK, or why not */
    bool (*better)(void *ctx, hf_bytes key, hf_bytes a, hf_bytes b);      /* is a to be preferred to b? both are valid. NULL: never */
    void *ctx;
} hf_kad_validator;

typedef enum hf_kad_network {
    HF_KAD_WAN = 0,       /* public addresses only; keeps and tells no others (js's default) */
    HF_KAD_LAN,           /* private and loopback addresses only */
    HF_KAD_ANY_NETWORK,
} hf_kad_network;

typedef struct hf_kad_config {
    hf_bytes protocol;                 /* [HF_KAD_PROTOCOL]; a name of its own makes a network of its own; copied */
    bool server;
    hf_kad_network network;
    void (*random)(void *ctx, uint8_t *out, size_t len);
    void *random_ctx;
    const hf_kad_validator *validators;
    size_t n_validators;               /* at most 7 */
    /* 0 means the default in brackets. */
    uint32_t k;                        /* [20] replication, bucket size; at most 64 */
    uint32_t alpha;                    /* [10] questions of a lookup in flight, on all its paths together */
    uint32_t paths;                    /* [1] disjoint paths of a lookup; at most alpha and 16 */
    uint32_t per_group_max;            /* [2] of one /24 or /48 in a bucket, three times as many in the table, and one of an address in a bucket (IPv6: a /64);
                                        * UINT32_MAX: no limit. LAN, private and loopback addresses: no limit */
    uint32_t request_ms;               /* [10,000] a dial; an answer */
    uint32_t lookup_ms;                /* [60,000] an operation */
    uint32_t refresh_ms;               /* [600,000] between looking for oneself and into each bucket */
    uint32_t values_max;               /* [1,024] of others */
    uint32_t value_bytes_max;          /* [8 MiB] their keys and values */
    uint32_t values_per_peer_max;      /* [128] */
    uint32_t providers_max;            /* [8,192] of others, all keys together */
    uint32_t providers_per_key_max;    /* [64] */
    uint32_t providers_per_peer_max;   /* [1,024] */
    uint32_t own_max;                  /* [1,024] values put, and as many keys provided, by us and said again */
    uint32_t value_ms;                 /* [36 h] */
    uint32_t provider_ms;              /* [48 h] */
    uint32_t provider_address_ms;      /* [24 h] how long a provider's addresses are told with it; at least 30 min is usual */
    uint32_t republish_ms;             /* [22 h] */
} hf_kad_config;

/* NULL: no memory, or the swarm has no room for the protocol. The swarm outlives it. */
hf_kad *hf_kad_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag, const hf_kad_config *config);
void hf_kad_free(hf_kad *kad);         /* NULL allowed; streams are reset */
/* The time of day at now_ms; records carry it. Say it at the start, and whenever the clock was set. Until then it is 1970. */
void hf_kad_clock(hf_kad *kad, uint64_t now_ms, uint64_t unix_ms);
/* A client becomes a server (we found out that others reach us). */
HF_MUST_USE hf_err hf_kad_serve(hf_kad *kad);
/* A server becomes a client (others do not reach us any more): it is not announced, and questions under way end. What it keeps for others it keeps until
 * it runs out, in case it serves again. */
void hf_kad_serve_no_more(hf_kad *kad, uint64_t now_ms);

/* Every swarm event with our tag, CONN_UP, IDENTIFIED, and CONN_DOWN. */
void hf_kad_event(hf_kad *kad, uint64_t now_ms, const hf_swarm_out *event);
void hf_kad_dial_failed(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer);

/* ---- operations. Each gives back a number that comes with its results; DONE is the last of them.
 * HF_LIMIT: too many at once, or an argument is too long. HF_NOMEM. ---- */

/* PEER once, with addresses, when somebody knows it. */
HF_MUST_USE hf_err hf_kad_find_peer(hf_kad *kad, uint64_t now_ms, const hf_peer_id *peer, uint64_t *ret_op);
/* PEER for each of the k closest that answered, closest first. `key`: any bytes. */
HF_MUST_USE hf_err hf_kad_closest_peers(hf_kad *kad, uint64_t now_ms, hf_bytes key, uint64_t *ret_op);
/* Tells the k closest that we provide this (a multihash, or a CID whose multihash counts), and says it again every republish_ms until
 * unprovide. HF_MALFORMED: neither. HF_STATE: the swarm has no address that may be told. HF_LIMIT: own_max. */
HF_MUST_USE hf_err hf_kad_provide(hf_kad *kad, uint64_t now_ms, hf_bytes cid, uint64_t *ret_op);
void hf_kad_unprovide(hf_kad *kad, hf_bytes cid);
/* PROVIDER for each, as they are found, at most n (0: k); without addresses when nobody tells them (find_peer may). */
HF_MUST_USE hf_err hf_kad_find_providers(hf_kad *kad, uint64_t now_ms, hf_bytes cid, size_t n, uint64_t *ret_op);
/* Stores at the k closest and here, and says it again every republish_ms until forget. HF_DENIED: not valid, or we hold a better one. */
HF_MUST_USE hf_err hf_kad_put_value(hf_kad *kad, uint64_t now_ms, hf_bytes key, hf_bytes value, uint64_t *ret_op);
void hf_kad_forget(hf_kad *kad, hf_bytes key);
/* VALUE once, the best of `quorum` peers that had a valid one (0: of all on the way; 1: what is here is enough). Who had a worse one, and the closest who had none, are
 * given the best. */
HF_MUST_USE hf_err hf_kad_get_value(hf_kad *kad, uint64_t now_ms, hf_bytes key, size_t quorum, uint64_t *ret_op);
/* Nothing more comes of it. */
void hf_kad_cancel(hf_kad *kad, uint64_t now_ms, uint64_t op);

/* ---- what comes out ---- */

typedef enum hf_kad_kind {
    HF_KAD_NONE = 0,
    HF_KAD_DIAL,          /* peer, addresses: connect */
    HF_KAD_PEER,          /* op, peer, addresses */
    HF_KAD_PROVIDER,      /* op, peer, addresses (may be none) */
    HF_KAD_VALUE,         /* op, value */
    HF_KAD_DONE,          /* op, err, n, n_asked, n_hops */
} hf_kad_kind;

typedef struct hf_kad_out {
    hf_kad_kind kind;
    uint64_t op;
    hf_peer_id peer;
    const hf_bytes *addresses; /* binary multiaddrs; views until the next call of hf_kad_next */
    size_t n_addresses;
    hf_bytes value;
    hf_err err;    /* DONE: HF_OK; HF_NOT_FOUND: nobody had it; HF_MISSING: we know nobody to ask; HF_LIMIT: time or the number of peers was up; HF_NOMEM */
    size_t n;      /* DONE: peers or providers told; peers that took the value or provider; peers that had the value */
    size_t n_asked, n_hops; /* DONE: peers asked in the lookup; the longest chain from us to an answer */
} hf_kad_out;

hf_kad_kind hf_kad_next(hf_kad *kad, hf_kad_out *ret_out);
uint64_t hf_kad_deadline(const hf_kad *kad);
void hf_kad_tick(hf_kad *kad, uint64_t now_ms);

/* ---- looking in ---- */
size_t hf_kad_table_size(const hf_kad *kad);
size_t hf_kad_n_values(const hf_kad *kad);    /* of others */
size_t hf_kad_n_providers(const hf_kad *kad); /* of others */
#endif

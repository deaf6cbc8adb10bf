/* kad_store: what a server of the DHT keeps for others, and what we put and provide ourselves. Everything is bounded: when all room is taken, what
 * lies farthest from our own key gives way to what lies nearer, so that a flood of far keys displaces nothing that is ours to keep.
 * Knows no peers' connections; time is handed in. Spec: libp2p/specs kad-dht/README.md.
 */
#ifndef HF_KAD_STORE_H
#define HF_KAD_STORE_H
#include "kad_address.h"

typedef struct hf_kad_limits {
    size_t values_max, value_bytes_max, providers_max, providers_per_key_max, per_peer_values_max, per_peer_providers_max;
    uint64_t value_ms, provider_ms, provider_address_ms;
} hf_kad_limits;

typedef struct hf_kad_value {
    struct hf_kad_value *next, *prev;
    uint8_t hash[32];
    hf_peer_id from;       /* who put it here; len 0: we */
    uint64_t received_ms;  /* monotonic */
    uint64_t received_unix_ms;
    uint64_t republish_ms; /* ours: when to put it again; 0: not ours */
    uint8_t *key, *value;
    size_t key_len, value_len;
} hf_kad_value;

typedef struct hf_kad_provider {
    struct hf_kad_provider *next, *prev, *next_of_key;
    struct hf_kad_shelf *shelf;
    hf_peer_id id;
    hf_kad_addresses addresses;
    uint64_t received_ms;
    uint64_t republish_ms; /* it is us: when to provide again; else 0 */
} hf_kad_provider;

/* All providers of one key. */
typedef struct hf_kad_shelf {
    uint8_t hash[32];
    hf_kad_provider *first;
    size_t n;
    size_t key_len;
    uint8_t key[];
} hf_kad_shelf;

typedef struct hf_kad_store {
    hf_mem *mem;
    hf_kad_limits limits;
    uint8_t self[32];      /* our key */
    hf_map values, shelves;
    hf_kad_value *first_value;
    hf_kad_provider *first_provider;
    size_t n_values, value_bytes, n_providers; /* of others */
} hf_kad_store;

void hf_kad_store_init(hf_kad_store *store, hf_mem *mem, const hf_kad_limits *limits, const uint8_t self[32], uint64_t seed);
void hf_kad_store_deinit(hf_kad_store *store);

/* NULL: none, or its time is over. */
hf_kad_value *hf_kad_store_value(hf_kad_store *store, uint64_t now_ms, hf_bytes key);
/* Puts or replaces. `from` NULL: our own, without limit of time or room. HF_LIMIT: no room for it. HF_NOMEM. */
HF_MUST_USE hf_err hf_kad_store_put(hf_kad_store *store, uint64_t now_ms, uint64_t unix_ms, const hf_peer_id *from, hf_bytes key, hf_bytes value);
void hf_kad_store_drop_value(hf_kad_store *store, hf_kad_value *value);

/* The providers of a key; NULL: none. Entries whose time is over are not taken out by looking. */
hf_kad_shelf *hf_kad_store_shelf(hf_kad_store *store, hf_bytes key);
bool hf_kad_provider_counts(const hf_kad_store *store, uint64_t now_ms, const hf_kad_provider *provider);
bool hf_kad_provider_address_counts(const hf_kad_store *store, uint64_t now_ms, const hf_kad_provider *provider);
/* Adds or renews; the addresses are copied. `own`: it is us. HF_LIMIT, HF_NOMEM. */
HF_MUST_USE hf_err hf_kad_store_provide(hf_kad_store *store, uint64_t now_ms, hf_bytes key, const hf_peer_id *id, const hf_kad_addresses *addresses, bool own, hf_kad_provider **ret);
void hf_kad_store_drop_provider(hf_kad_store *store, hf_kad_provider *provider);

/* Takes out what is too old. */
void hf_kad_store_sweep(hf_kad_store *store, uint64_t now_ms);
#endif

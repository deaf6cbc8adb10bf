/* kad_table: the routing table: up to k peers for every length of prefix that their keys share with ours. A key is the SHA-256 of
 * what it is the key of; distance is XOR. Spec: libp2p/specs kad-dht/README.md, "Kademlia routing table".
 *
 * In a bucket the least recently seen stands first. A full bucket takes no new peer while its first one is alive: the newest few
 * wait as spares. At most `per_group_max` of a bucket, and three times as many of the whole table, sit in one network
 * (/24, /48), and one of a bucket at one address, so that one who holds a few addresses cannot fill the neighbourhood of a key.
 */
#ifndef HF_KAD_TABLE_H
#define HF_KAD_TABLE_H
#include "kad_address.h"

enum { HF_KAD_BUCKETS = 256, HF_KAD_SPARES = 4, HF_KAD_KEY = 32, HF_KAD_TABLE_GROUPS = 3 };

typedef enum hf_kad_place { HF_KAD_OUTSIDE = 0, HF_KAD_SPARE, HF_KAD_IN } hf_kad_place;

/* A peer that we are connected to, or that is in the table. */
typedef struct hf_kad_contact {
    hf_peer_id id;
    uint8_t key[HF_KAD_KEY];
    hf_kad_addresses addresses;
    hf_kad_group group;
    hf_kad_place place;
    uint64_t seen_ms;
    bool connected, checking;
    uint32_t failures;                               /* in a row, while connected */
    /* what it may still ask, see kad_serve.c */
    uint32_t n_streams;
    size_t partial_bytes;
    uint64_t asks, writes, filled_ms;
} hf_kad_contact;

typedef struct hf_kad_bucket {
    size_t n, n_spares;
    uint64_t looked_ms;                              /* last lookup in it */
    hf_kad_contact *spares[HF_KAD_SPARES];           /* the newest last */
    hf_kad_contact *items[];                         /* k */
} hf_kad_bucket;

typedef struct hf_kad_table {
    hf_mem *mem;
    uint8_t self[HF_KAD_KEY];
    size_t k, n, per_group_max;                      /* per_group_max SIZE_MAX: no limit, by address neither */
    bool loopback_is_free;                           /* loopback and private networks count for no group */
    hf_kad_bucket *buckets[HF_KAD_BUCKETS];          /* NULL: empty since ever */
} hf_kad_table;

void hf_kad_table_init(hf_kad_table *table, hf_mem *mem, size_t k, const uint8_t self[HF_KAD_KEY]);
void hf_kad_table_deinit(hf_kad_table *table); /* contacts stay */

/* Bits that both keys begin with, 256 when they are equal. */
unsigned hf_kad_shared(const uint8_t a[HF_KAD_KEY], const uint8_t b[HF_KAD_KEY]);
void hf_kad_distance(const uint8_t a[HF_KAD_KEY], const uint8_t b[HF_KAD_KEY], uint8_t ret[HF_KAD_KEY]);

/* Puts a contact in, or makes it the last seen. HF_DENIED: too many of its network, or it is ourselves. HF_LIMIT: the bucket is full, it is a
 * spare now; *ret_oldest is whom to check. HF_NOMEM. */
HF_MUST_USE hf_err hf_kad_table_add(hf_kad_table *table, uint64_t now_ms, hf_kad_contact *contact, hf_kad_contact **ret_oldest);
/* Takes it out; the newest spare that may moves up. Returns it, or NULL. */
hf_kad_contact *hf_kad_table_remove(hf_kad_table *table, hf_kad_contact *contact);
/* The n contacts in the table that are closest to the key and have addresses, without `skip` (NULL allowed), closest first. */
size_t hf_kad_table_closest(const hf_kad_table *table, const uint8_t key[HF_KAD_KEY], const hf_peer_id *skip, hf_kad_contact **ret, size_t n);
#endif

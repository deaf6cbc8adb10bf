/* kad_address: which addresses the DHT keeps and tells, in bounded lists, and which network a peer sits in. */
#ifndef HF_KAD_ADDRESS_H
#define HF_KAD_ADDRESS_H
#include "peer_id.h"

enum { HF_KAD_ADDRESSES_MAX = 8, HF_KAD_ADDRESSES_BYTES_MAX = 1024 };

typedef enum hf_kad_scope {
    HF_KAD_NOWHERE = 0, /* nothing to dial: unspecified, multicast, documentation, or not read */
    HF_KAD_LOOPBACK,
    HF_KAD_PRIVATE,
    HF_KAD_PUBLIC,
} hf_kad_scope;

/* What may be kept and told: bits. */
enum { HF_KAD_TAKES_LOOPBACK = 1 << HF_KAD_LOOPBACK, HF_KAD_TAKES_PRIVATE = 1 << HF_KAD_PRIVATE, HF_KAD_TAKES_PUBLIC = 1 << HF_KAD_PUBLIC };

/* By the first part: an IP address, or a name ("localhost" and "*.local" are not public). */
hf_kad_scope hf_kad_scope_of(hf_bytes address);

/* An IPv4 address's /24, an IPv6 address's /48 (what one customer gets), a name; len 0: unknown. Behind it in `bytes`, up to `whole`, what tells one address
 * from another: an IPv4 address, an IPv6 /64 (what one machine gets); of a name nothing does. */
typedef struct hf_kad_group { uint8_t len, whole, bytes[9]; hf_kad_scope scope; } hf_kad_group;
hf_kad_group hf_kad_group_of(hf_bytes address);
bool hf_kad_group_eq(const hf_kad_group *a, const hf_kad_group *b); /* unknown equals nothing */
bool hf_kad_group_same_address(const hf_kad_group *a, const hf_kad_group *b); /* names: false */

/* A list in one piece of memory: each address after its length in 2 bytes (native order). */
typedef struct hf_kad_addresses { uint8_t *packed; uint16_t len, n; } hf_kad_addresses;
/* Appends what `takes` allows, once; what ends in another peer's /p2p and what does not fit is left out. HF_NOMEM only. */
HF_MUST_USE hf_err hf_kad_addresses_add(hf_mem *mem, hf_kad_addresses *list, unsigned takes, const hf_peer_id *peer, hf_bytes address);
HF_MUST_USE hf_err hf_kad_addresses_copy(hf_mem *mem, hf_kad_addresses *list, const hf_kad_addresses *from); /* replaces */
void hf_kad_addresses_clear(hf_mem *mem, hf_kad_addresses *list);
hf_bytes hf_kad_addresses_packed(const hf_kad_addresses *list);
/* Views into the list; returns how many. */
size_t hf_kad_addresses_views(const hf_kad_addresses *list, hf_bytes ret[HF_KAD_ADDRESSES_MAX]);
#endif

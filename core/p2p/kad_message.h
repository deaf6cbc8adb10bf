/* kad_message: the DHT's bytes, both ways; knows no peers and no time. Spec: libp2p/specs kad-dht/README.md, "RPC messages".
 *
 *   stream   = (varint length, Message)*, request and answer in turn
 *   Message  1 type (PUT_VALUE 0 and left out when 0)  2 key  3 record  8 closer*  9 provider*    10 clusterLevel, not read
 *   peer     1 id  2 address* (binary multiaddr)  3 connection, not read
 *   Record   1 key  2 value  5 timeReceived (RFC 3339)
 *
 * What is written equals what js writes, byte for byte.
 */
#ifndef HF_KAD_MESSAGE_H
#define HF_KAD_MESSAGE_H
#include "../codec/protobuf.h"
#include "peer_id.h"

enum {
    HF_KAD_MESSAGE_MAX = 256 << 10,
    HF_KAD_KEY_MAX = 256,
    HF_KAD_VALUE_MAX = 64 << 10,
    HF_KAD_PEERS_A_MESSAGE = 64, /* read of each kind; the rest is skipped */
};

typedef enum hf_kad_type {
    HF_KAD_PUT_VALUE = 0,
    HF_KAD_GET_VALUE,
    HF_KAD_ADD_PROVIDER,
    HF_KAD_GET_PROVIDERS,
    HF_KAD_FIND_NODE,
    HF_KAD_PING,
} hf_kad_type;

typedef struct hf_kad_message {
    hf_kad_type type;
    bool has_record;
    hf_bytes bytes, key, record; /* views; bytes: the whole message */
} hf_kad_message;

/* HF_MALFORMED: not a message, or of a type that nobody knows. HF_LIMIT: a key or record that is too long. Every peer's part is sound protobuf. */
HF_MUST_USE hf_err hf_kad_read(hf_bytes bytes, hf_kad_message *ret, hf_fault *fault);

typedef struct hf_kad_peer {
    hf_peer_id id;
    hf_bytes bytes; /* for hf_kad_peer_addresses */
} hf_kad_peer;
typedef struct hf_kad_peers { hf_pb_reader in; uint32_t field; size_t n; } hf_kad_peers;
hf_kad_peers hf_kad_closer(const hf_kad_message *message);
hf_kad_peers hf_kad_providers(const hf_kad_message *message);
/* False at the end. A peer whose ID is none is skipped. */
bool hf_kad_peers_next(hf_kad_peers *peers, hf_kad_peer *ret);
hf_pb_reader hf_kad_peer_addresses(const hf_kad_peer *peer);
bool hf_kad_address_next(hf_pb_reader *addresses, hf_bytes *ret);

typedef struct hf_kad_record { hf_bytes key, value; } hf_kad_record;
HF_MUST_USE hf_err hf_kad_record_read(hf_bytes bytes, hf_kad_record *ret, hf_fault *fault);
void hf_kad_record_add(hf_buf *buf, hf_bytes key, hf_bytes value, uint64_t unix_ms);
/* "2024-01-31T23:59:59.123000000Z" */
void hf_kad_time_add(hf_buf *buf, uint64_t unix_ms);

/* A message, without its length: its head (record NULL: none), then peers. `packed`: addresses, each after its length in 2 bytes (native order). */
void hf_kad_add_head(hf_buf *buf, hf_kad_type type, hf_bytes key, const hf_bytes *record);
void hf_kad_add_closer(hf_buf *buf, const hf_peer_id *id, hf_bytes packed);
void hf_kad_add_provider(hf_buf *buf, const hf_peer_id *id, hf_bytes packed);
#endif

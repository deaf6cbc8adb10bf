/* daemon_message: the messages by which a program drives a libp2p daemon over a local socket: protobuf, each with its varint length before it.
 * Spec: libp2p/go-libp2p-daemon specs/CONTROL.md, DHT.md, PUBSUB.md, CM.md; PEERSTORE as js-libp2p's daemon protocol has it.
 * Refuses: messages over 4 MiB (HF_DAEMON_MESSAGE_MAX), more than HF_DAEMON_ITEMS_MAX addresses or protocols in one. */
#ifndef HF_DAEMON_MESSAGE_H
#define HF_DAEMON_MESSAGE_H
#include "../base/base.h"

enum { HF_DAEMON_MESSAGE_MAX = 4 << 20, HF_DAEMON_ITEMS_MAX = 64 };

typedef enum hf_daemon_type {
    HF_DAEMON_IDENTIFY = 0,
    HF_DAEMON_CONNECT = 1,
    HF_DAEMON_STREAM_OPEN = 2,
    HF_DAEMON_STREAM_HANDLER = 3,
    HF_DAEMON_DHT = 4,
    HF_DAEMON_LIST_PEERS = 5,
    HF_DAEMON_CONNMANAGER = 6,
    HF_DAEMON_DISCONNECT = 7,
    HF_DAEMON_PUBSUB = 8,
    HF_DAEMON_PEERSTORE = 9,
} hf_daemon_type;

/* The `kind` of a request of type DHT, CONNMANAGER, PUBSUB, PEERSTORE. */
enum {
    HF_DAEMON_FIND_PEER = 0, HF_DAEMON_FIND_CONNECTED = 1, HF_DAEMON_FIND_PROVIDERS = 2, HF_DAEMON_CLOSEST_PEERS = 3, HF_DAEMON_PUBLIC_KEY = 4,
    HF_DAEMON_GET_VALUE = 5, HF_DAEMON_SEARCH_VALUE = 6, HF_DAEMON_PUT_VALUE = 7, HF_DAEMON_PROVIDE = 8,
    HF_DAEMON_TAG = 0, HF_DAEMON_UNTAG = 1, HF_DAEMON_TRIM = 2,
    HF_DAEMON_TOPICS = 0, HF_DAEMON_TOPIC_PEERS = 1, HF_DAEMON_PUBLISH = 2, HF_DAEMON_SUBSCRIBE = 3,
    HF_DAEMON_PROTOCOLS = 1, HF_DAEMON_PEER_INFO = 2,
};

/* What is not said is empty (ptr NULL) or 0. All views into the input. */
typedef struct hf_daemon_request {
    uint32_t type, kind;               /* `type`: hf_daemon_type, or one we do not know */
    bool there;                        /* the part that belongs to the type is there */
    hf_bytes peer, addr, cid, key, value, tag, topic, data;
    hf_bytes addrs[HF_DAEMON_ITEMS_MAX], protocols[HF_DAEMON_ITEMS_MAX];
    size_t n_addrs, n_protocols;
    int64_t timeout_s, weight, count;
} hf_daemon_request;

/* The message at the front. HF_TRUNCATED: more must come; HF_LIMIT, HF_MALFORMED. *ret_len: all its bytes, with the length. */
HF_MUST_USE hf_err hf_daemon_unframe(hf_bytes bytes, hf_bytes *ret_message, size_t *ret_len);
HF_MUST_USE hf_err hf_daemon_read(hf_bytes message, hf_daemon_request *ret, hf_fault *fault);

typedef struct hf_daemon_peer {
    hf_bytes id;
    const hf_bytes *addrs;
    size_t n_addrs;
} hf_daemon_peer;

/* Each appends one framed message. Failures stick in the buf. */
void hf_daemon_add_ok(hf_buf *out);
void hf_daemon_add_error(hf_buf *out, hf_bytes text);
void hf_daemon_add_identify(hf_buf *out, const hf_daemon_peer *self);
void hf_daemon_add_peers(hf_buf *out, const hf_daemon_peer *peers, size_t n_peers);
/* As an OK response (`response`), or bare, as a stream handler's socket gets it first. */
void hf_daemon_add_stream(hf_buf *out, bool response, hf_bytes peer, hf_bytes addr, hf_bytes protocol);
void hf_daemon_add_peerstore(hf_buf *out, const hf_daemon_peer *peer, const hf_bytes *protocols, size_t n_protocols); /* peer may be NULL */
void hf_daemon_add_topics(hf_buf *out, const hf_bytes *topics, size_t n_topics, const hf_bytes *peers, size_t n_peers);
/* DHT: as an OK response, or bare, as what follows a BEGIN. kind 0 BEGIN, 1 VALUE (peer or value, the other NULL), 2 END. */
void hf_daemon_add_dht(hf_buf *out, bool response, uint32_t kind, const hf_daemon_peer *peer, const hf_bytes *value);

typedef struct hf_daemon_news { hf_bytes from, data, seqno, topic, signature, key; } hf_daemon_news;
void hf_daemon_add_news(hf_buf *out, const hf_daemon_news *news); /* a message of a subscribed topic */
#endif

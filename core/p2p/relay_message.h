/* relay_message: what hop and stop say, and the voucher of a reservation. Spec: libp2p/specs relay/circuit-v2.md. On the stream each
 * message stands behind its length (frame.h). Refuses: more than HF_RELAY_MESSAGE_MAX bytes or HF_RELAY_ADDRS_MAX addresses (those
 * beyond are passed over), messages without what their type needs. */
#ifndef HF_RELAY_MESSAGE_H
#define HF_RELAY_MESSAGE_H
#include "peer_id.h"

enum { HF_RELAY_MESSAGE_MAX = 4096, HF_RELAY_ADDRS_MAX = 16 };

typedef enum hf_relay_type { HF_RELAY_RESERVE, HF_RELAY_CONNECT, HF_RELAY_STATUS } hf_relay_type;

typedef enum hf_relay_status {
    HF_RELAY_OK = 100,
    HF_RELAY_REFUSED = 200,
    HF_RELAY_NO_ROOM = 201, /* RESOURCE_LIMIT_EXCEEDED */
    HF_RELAY_FORBIDDEN = 202, /* PERMISSION_DENIED */
    HF_RELAY_UNREACHED = 203, /* CONNECTION_FAILED */
    HF_RELAY_NO_RESERVATION = 204,
    HF_RELAY_MALFORMED = 400,
    HF_RELAY_UNEXPECTED = 401,
} hf_relay_status;

/* What a relay allows one relayed connection. 0: no bound; both 0: it is an ordinary connection. */
typedef struct hf_relay_limit {
    uint64_t duration_s; /* as it came; js writes milliseconds here */
    uint64_t bytes;      /* in each direction */
} hf_relay_limit;

typedef struct hf_relay_message {
    hf_relay_type type;
    hf_peer_id peer;         /* CONNECT: hop: to whom, stop: from whom; len 0: not said */
    bool has_reservation;    /* STATUS to RESERVE */
    uint64_t expires_s;      /* UTC, seconds since 1970 */
    hf_bytes voucher;        /* an envelope; empty: none */
    hf_bytes addrs[HF_RELAY_ADDRS_MAX]; /* of the reservation, or of the peer: binary multiaddrs */
    size_t n_addrs;
    hf_relay_limit limit;
    uint32_t status;         /* STATUS; hf_relay_status or what came */
} hf_relay_message;

/* Adds the protobuf without its length. `stop`: as the stop protocol numbers it (it has no RESERVE). */
void hf_relay_message_add(hf_buf *buf, const hf_relay_message *message, bool stop);
/* Bytes are views into the input. HF_MALFORMED. */
HF_MUST_USE hf_err hf_relay_message_read(hf_bytes bytes, bool stop, hf_relay_message *ret);
/* A short English text for a status, static. */
const char *hf_relay_status_text(uint32_t status);

#define HF_RELAY_VOUCHER_DOMAIN "libp2p-relay-rsvp"
#define HF_RELAY_VOUCHER_TYPE "\x03\x02"
typedef struct hf_relay_voucher {
    hf_peer_id relay, peer;
    uint64_t expires_s;
} hf_relay_voucher;
/* The payload of the voucher's envelope. */
void hf_relay_voucher_add(hf_buf *buf, const hf_relay_voucher *voucher);
/* Opens and verifies an envelope with a voucher in it. HF_MALFORMED; HF_DENIED: not signed by the relay that it names. */
HF_MUST_USE hf_err hf_relay_voucher_open(hf_mem *mem, hf_bytes envelope, hf_relay_voucher *ret);
#endif

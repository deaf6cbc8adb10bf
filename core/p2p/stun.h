/* stun: the messages of STUN that ICE's connectivity checks are made of: binding requests, answers and errors, with MESSAGE-INTEGRITY and FINGERPRINT.
 * HMAC-SHA1 is handed in: nothing else in Holdfast needs SHA-1.
 *
 * Specs: RFC 5389 (RFC 8489) sections 6, 14, 15; RFC 8445 section 7.1.1 for ICE's attributes.
 *
 * Reading takes what a stranger sent: it never looks past the packet, and refuses what is longer than HF_STUN_BYTES_MAX, cut, or has a wrong
 * FINGERPRINT. Views point into the packet.
 */
#ifndef HF_STUN_H
#define HF_STUN_H
#include "../base/base.h"

enum { HF_STUN_BYTES_MAX = 1280, HF_STUN_USERNAME_MAX = 513 /* RFC 8489 section 14.3 */, HF_STUN_HEADER = 20, HF_STUN_UNKNOWN_MAX = 8 };

typedef enum hf_stun_class { HF_STUN_REQUEST = 0, HF_STUN_INDICATION = 1, HF_STUN_SUCCESS = 2, HF_STUN_ERROR = 3 } hf_stun_class;

/* HMAC-SHA1 of the bytes. */
typedef struct hf_stun_mac { void (*hmac)(void *ctx, hf_bytes key, hf_bytes bytes, uint8_t ret[20]); void *ctx; } hf_stun_mac;

typedef struct hf_stun_address {
    uint8_t ip[16];              /* 4 of them unless v6 */
    uint16_t port;
    bool v6;
} hf_stun_address;

typedef struct hf_stun_message {
    hf_stun_class kind;
    uint8_t transaction[12];
    hf_bytes username;           /* empty: none */
    bool has_mapped, has_priority, use_candidate, controlling, controlled, fingerprinted;
    hf_stun_address mapped;      /* XOR-MAPPED-ADDRESS, decoded */
    uint32_t priority;
    uint64_t tie_breaker;        /* of controlling or controlled */
    uint16_t error;              /* ERROR-CODE: 300 ... 699; 0: none */
    uint16_t unknown[HF_STUN_UNKNOWN_MAX];
    size_t n_unknown;            /* attributes that must be understood and are not; those beyond HF_STUN_UNKNOWN_MAX are only counted */
    size_t integrity_at;         /* where MESSAGE-INTEGRITY stands; 0: there is none. What comes behind it, but for FINGERPRINT, was ignored */
} hf_stun_message;

/* Could it be one? By its first bytes, so that STUN, DTLS and others can share a socket (RFC 7983). */
bool hf_stun_is(hf_bytes packet);
/* HF_MALFORMED, HF_LIMIT. A FINGERPRINT that does not fit is malformed; none at all is told by `fingerprinted`. Methods other than binding: HF_DENIED. */
HF_MUST_USE hf_err hf_stun_read(hf_bytes packet, hf_stun_message *ret, hf_fault *fault);
/* Was `packet`, which read as `message`, made with this password? HF_DENIED: not, or it carries no MESSAGE-INTEGRITY. */
HF_MUST_USE hf_err hf_stun_check(hf_bytes packet, const hf_stun_message *message, hf_bytes password, hf_stun_mac mac);
/* Appends the message with what is set in it, then MESSAGE-INTEGRITY made with the password, then FINGERPRINT. HF_LIMIT: the username is too long. */
HF_MUST_USE hf_err hf_stun_write(hf_buf *buf, const hf_stun_message *message, hf_bytes password, hf_stun_mac mac);
#endif

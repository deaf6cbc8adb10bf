/* webrtc_private: what the files of webrtc-direct share.
 *
 *      webrtc.c            whose packet is it; checks, limits, time, life
 *      webrtc_socket.c     the socket
 *      webrtc_dial.c       connections that we make
 *      webrtc_conn.c       a connection: DTLS, and what follows when it is up
 *      webrtc_dtls.c       OpenSSL: settings, cookies, packets in and out
 *      webrtc_cert.c       the certificate: made, kept, renewed
 *      webrtc_sctp.c       usrsctp: an association
 *      webrtc_channels.c   data channels on it
 */
#ifndef HF_NODE_WEBRTC_PRIVATE_H
#define HF_NODE_WEBRTC_PRIVATE_H
#include "../core/p2p/direct.h"
#include "../core/p2p/stun.h"
#include "webrtc.h"

#include <openssl/ssl.h>

enum {
    HF_WEBRTC_CONNS_MAX = 512,            /* in all, of one listener */
    HF_WEBRTC_CONNS_PER_ADDRESS_MAX = 64, /* of one IPv4 address, or one /64 of IPv6 */
    HF_WEBRTC_HANDSHAKES_MAX = 128,       /* not authenticated by DTLS and SCTP yet */
    HF_WEBRTC_HANDSHAKES_PER_ADDRESS_MAX = 32,
    HF_WEBRTC_DIALS_MAX = 32,             /* of ours, not up yet */
    HF_WEBRTC_HANDSHAKE_MS = 10 * 1000,   /* from the cookie to data channels; Noise has as long again, in the swarm */
    HF_WEBRTC_SILENCE_MS = 30 * 1000,     /* without a sign of life: RFC 7675 */
    HF_WEBRTC_CLOSE_MS = 2 * 1000,
    HF_WEBRTC_CHECK_MS = 30 * 1000,       /* how long a check is remembered */
    HF_WEBRTC_CHECKS = 2048,
    HF_WEBRTC_PLACES_MAX = 4,             /* addresses of one connection: a browser may try several of its own */
    HF_WEBRTC_COOKIE_S = 10,
    HF_WEBRTC_PACKET_MAX = 2048,
    HF_WEBRTC_FULL_MS = 10 * 1000,        /* that the browser waits for the owner; then what is not read breaks, and the rest goes on */
    HF_WEBRTC_MTU = 1200,                 /* of SCTP: with DTLS, UDP and IP it stays under 1,280 bytes */
    HF_WEBRTC_CHANNELS_MAX = 1024,        /* SCTP streams, one side's are the even ones */
    HF_WEBRTC_MESSAGE_MAX = 64 * 1024,    /* libp2p's end at 16 KiB; up to here only the stream breaks, beyond it the connection */
    HF_WEBRTC_WINDOW = 256 * 1024,        /* SCTP buffers, each way */
    HF_WEBRTC_QUEUE_MAX = 16 << 20,       /* what the swarm may have queued: it is told to pause long before */
    HF_WEBRTC_BUSY_ABOVE = 256 * 1024, HF_WEBRTC_BUSY_BELOW = 64 * 1024, /* queued for one channel */
};

/* Address and port of somebody, and the address of ours that they call; as they stand in tables: no padding that is not zero. */
typedef struct hf_webrtc_place { uint8_t ip[16], here[16], port[2], v6, zero; } hf_webrtc_place;
typedef struct hf_webrtc_tag { uint8_t bytes[16]; } hf_webrtc_tag; /* of a listener's ufrag, under a key of ours */

/* A check that was answered lately: the place belongs to whoever chose that ufrag. */
typedef struct hf_webrtc_check { hf_webrtc_place place; hf_webrtc_tag tag; uint64_t at_ms; } hf_webrtc_check;

/* Certificate and key. */
typedef struct hf_webrtc_cert { X509 *x509; EVP_PKEY *key; uint8_t digest[32]; } hf_webrtc_cert;

/* What a cookie said, while OpenSSL looks at a first ClientHello. */
typedef struct hf_webrtc_visit { hf_webrtc_place place, proven; hf_webrtc_tag tag; uint32_t now_s; const uint8_t *secret; } hf_webrtc_visit;

/* A packet in, packets out. */
typedef struct hf_webrtc_pipe { hf_bytes in; void (*out)(void *ctx, hf_bytes packet); void *ctx; } hf_webrtc_pipe;

typedef struct hf_webrtc_sctp hf_webrtc_sctp;
typedef struct hf_webrtc_channels hf_webrtc_channels;

typedef enum hf_webrtc_state { HF_WEBRTC_ICE, HF_WEBRTC_DTLS, HF_WEBRTC_SCTP, HF_WEBRTC_UP, HF_WEBRTC_CLOSING, HF_WEBRTC_DEAD } hf_webrtc_state;

struct hf_webrtc_conn {
    hf_webrtc_conn *next;
    hf_webrtc *webrtc;
    hf_webrtc_state state;
    bool told, pending;                   /* the owner knows it; its turn is to come */
    const char *broken;                   /* why it fails at its next turn; NULL: it does not */
    void *owner;
    hf_webrtc_tag tag;
    hf_webrtc_place places[HF_WEBRTC_PLACES_MAX], proven, remote; /* proven: whose cookie it was; remote: where packets go */
    size_t n_places, next_place;
    uint64_t heard_ms, deadline_ms, full_ms; /* full_ms: since when the owner takes no more; 0: it does */
    uint8_t listener_digest[32];          /* of the certificate that the listener shows, or must show */
    /* one that we make */
    bool outbound;
    uint64_t dial;                        /* the owner's number; 0: it called us, or was called off */
    uint8_t own_digest[32], transaction[12], ufrag[64];
    size_t ufrag_len;
    uint32_t n_checks;
    uint64_t check_ms, tie_breaker;       /* check_ms: when the next one is due */
    SSL *ssl;
    hf_webrtc_pipe pipe;
    hf_webrtc_sctp *sctp;
    hf_webrtc_channels *channels;
};

struct hf_webrtc {
    uv_loop_t *loop;
    hf_mem mem;
    hf_webrtc_events events;
    int fd;                               /* -1: closed */
    uv_poll_t polling;                    /* its data is NULL until it is there */
    uv_timer_t ticking, renewing;
    int n_handles;                        /* not closed yet */
    bool dials_only;
    bool six, v6_only, pending, turning;  /* six: an IPv6 socket, which may have IPv4 packets too; pending: a connection is; turning: it is somebody's turn */
    uint64_t hash_seed;
    hf_buf packet;                        /* being written */
    const char *cert_path;
    hf_webrtc_cert cert;
    SSL_CTX *dtls, *dtls_out;             /* dtls_out: for calling; NULL: made when needed */
    SSL *listening;                       /* looks at ClientHellos until one has a cookie; NULL: made when needed */
    hf_webrtc_pipe pipe;                  /* its */
    hf_webrtc_visit visit;
    uint8_t secret[32];                   /* for cookies and tags */
    hf_map by_place, by_tag;
    hf_webrtc_conn *conns;
    size_t n_conns;
    uint64_t packet_ms;                   /* when the last packet of a connection came */
    hf_webrtc_check *checks;              /* HF_WEBRTC_CHECKS; NULL: nobody calls us here */
    uint8_t received[64 * 1024];
};

/* ---- webrtc.c ---- */
uint64_t hf_webrtc_now(const hf_webrtc *w);
void hf_webrtc_packet_in(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet);
/* Attaches the connection to the place; the oldest but the one in use goes when there are too many. */
HF_MUST_USE bool hf_webrtc_attach(hf_webrtc_conn *conn, const hf_webrtc_place *place);
hf_webrtc_tag hf_webrtc_tag_of(const hf_webrtc *w, hf_bytes ufrag);
void hf_webrtc_hmac_sha1(void *ctx, hf_bytes key, hf_bytes bytes, uint8_t ret[20]);

/* ---- webrtc_socket.c ---- */
const char *hf_webrtc_socket_open(hf_webrtc *w, const struct sockaddr *address); /* NULL, or what is wrong */
void hf_webrtc_socket_close(hf_webrtc *w, uv_close_cb closed);                   /* also when it is not open; then `closed` is not called */
void hf_webrtc_packet_out(hf_webrtc *w, const hf_webrtc_place *to, hf_bytes packet);

/* ---- webrtc_dial.c ---- */
void hf_webrtc_answered(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet, const hf_stun_message *answer);
bool hf_webrtc_is_dialled(const hf_webrtc *w, hf_bytes ufrag); /* by us, with this ufrag */
void hf_webrtc_conn_check(hf_webrtc_conn *conn);               /* when one is due */

/* ---- webrtc_conn.c ---- */
hf_webrtc_conn *hf_webrtc_conn_call(hf_webrtc *w); /* one of ours, of which nothing is set yet. NULL: no memory */
/* Takes the SSL that has seen a good cookie. NULL: no memory; the SSL is freed. */
hf_webrtc_conn *hf_webrtc_conn_new(hf_webrtc *w, SSL *ssl);
void hf_webrtc_conn_soon(hf_webrtc_conn *conn);   /* its turn is to come when nothing else runs */
bool hf_webrtc_conn_up(hf_webrtc_conn *conn);     /* SCTP is up. False: the owner does not want it */
bool hf_webrtc_conn_waits(hf_webrtc_conn *conn);  /* nothing is to be read for it now */
void hf_webrtc_conn_feed(hf_webrtc_conn *conn, const hf_webrtc_place *from, hf_bytes packet);
void hf_webrtc_conn_turn(hf_webrtc_conn *conn);   /* timers, what waits to be sent */
/* It ends now; the owner is told when it knew it. Freed by hf_webrtc_conn_free, which the listener calls when nothing of it runs. */
void hf_webrtc_conn_fail(hf_webrtc_conn *conn, const char *reason);
void hf_webrtc_conn_free(hf_webrtc_conn *conn);

/* ---- webrtc_cert.c ---- */
/* From the file, or fresh (and into the file). False: *ret_problem. */
bool hf_webrtc_cert_open(hf_webrtc_cert *ret, const char *path, const char **ret_problem);
bool hf_webrtc_cert_is_old(const hf_webrtc_cert *cert);
void hf_webrtc_cert_drop(hf_webrtc_cert *cert);

/* ---- webrtc_dtls.c ---- */
SSL_CTX *hf_webrtc_dtls_open(const hf_webrtc_cert *cert, bool client);
SSL *hf_webrtc_dtls_call(SSL_CTX *dtls, hf_webrtc_pipe *pipe); /* a client's */
SSL *hf_webrtc_dtls_new(SSL_CTX *dtls, hf_webrtc_pipe *pipe, hf_webrtc_visit *visit);
void hf_webrtc_dtls_hand_over(SSL *ssl, hf_webrtc_pipe *pipe);    /* to a pipe of its own */
typedef enum hf_webrtc_greeting { HF_WEBRTC_GREETED, HF_WEBRTC_UNGREETED, HF_WEBRTC_SPOILT } hf_webrtc_greeting;
/* GREETED: a ClientHello with a good cookie; visit->proven says whose. UNGREETED: nothing, or a cookie was sent. SPOILT: free it. */
hf_webrtc_greeting hf_webrtc_dtls_greet(SSL *ssl);
bool hf_webrtc_dtls_peer_digest(SSL *ssl, uint8_t ret[32]);

/* ---- webrtc_sctp.c ---- */
/* The events of an association: to webrtc_channels.c. */
HF_MUST_USE bool hf_webrtc_sctp_open(hf_webrtc_conn *conn); /* false: no memory */
void hf_webrtc_sctp_free(hf_webrtc_sctp *sctp);   /* ABORT goes out. NULL allowed */
void hf_webrtc_sctp_input(hf_webrtc_sctp *sctp, hf_bytes packet);
/* Reads all that has come. False: the association is over, *ret_reason. */
bool hf_webrtc_sctp_read(hf_webrtc_sctp *sctp, const char **ret_reason);
typedef enum hf_webrtc_sending { HF_WEBRTC_SENT, HF_WEBRTC_FULL, HF_WEBRTC_BROKEN } hf_webrtc_sending;
hf_webrtc_sending hf_webrtc_sctp_send(hf_webrtc_sctp *sctp, uint16_t stream, uint32_t ppid, hf_bytes message);
/* Resets our side of the streams; returns how many of them, from the front. 0: not now (another reset is under way). */
size_t hf_webrtc_sctp_reset(hf_webrtc_sctp *sctp, const uint16_t *streams, size_t n);
bool hf_webrtc_sctp_is_dry(hf_webrtc_sctp *sctp); /* all that was sent has been acknowledged */
void hf_webrtc_sctp_time(uint64_t now_ms);        /* all associations */
void hf_webrtc_sctp_end(void);                    /* when there are none any more */

/* ---- webrtc_channels.c ---- */
hf_webrtc_channels *hf_webrtc_channels_new(hf_webrtc_conn *conn);
void hf_webrtc_channels_free(hf_webrtc_channels *channels);
/* From the association. False: the connection is to be closed, *ret_reason. */
bool hf_webrtc_channels_message(hf_webrtc_channels *c, uint16_t stream, uint32_t ppid, hf_bytes message, const char **ret_reason);
void hf_webrtc_channels_reset_in(hf_webrtc_channels *c, uint16_t stream);
void hf_webrtc_channels_reset_out(hf_webrtc_channels *c, uint16_t stream);
/* From the owner. False: malformed, or too much. */
bool hf_webrtc_channels_records(hf_webrtc_channels *c, hf_bytes records);
bool hf_webrtc_channels_flush(hf_webrtc_channels *c); /* false: the association is broken */
bool hf_webrtc_channels_is_empty(const hf_webrtc_channels *c);
#endif

/* webrtc: webrtc-direct: browsers reach us over UDP without a domain or a certificate authority, and so do we others. One socket; ICE-lite in our own words
 * (core/p2p/stun.h, direct.h), DTLS by OpenSSL, SCTP by usrsctp, data channels here. Who the browser is, is then asked by Noise on channel 0, in the core.
 *
 * Specs: libp2p/specs webrtc/webrtc-direct.md, both versions; RFC 8445 (ICE-lite), RFC 6347 (DTLS 1.2), RFC 8261 and RFC 9260 (SCTP), RFC 8831, RFC 8832.
 *
 * What a stranger costs: a check (STUN) is answered from what stands in it, and costs a place in a table of fixed size. Its key is public, so it proves
 * no address; a DTLS handshake therefore begins only behind a cookie (RFC 6347 section 4.2.1), which only an address that gets our packets can send back.
 * Nothing that comes before is answered with more bytes than it had. Connections, those of one address, and handshakes under way are bounded.
 */
#ifndef HF_NODE_WEBRTC_H
#define HF_NODE_WEBRTC_H
#include "../core/base/base.h"

#include <sys/socket.h>
#include <uv.h>

typedef struct hf_webrtc hf_webrtc;
typedef struct hf_webrtc_conn hf_webrtc_conn;

/* What the owner is told. It may send and close in any of these; a connection is not freed within them. */
typedef struct hf_webrtc_events {
    /* Data channels work; Noise is next, with this prologue, and the listener begins it (hf_webrtc_dial_of says which is which). `remote`: text of the browser's multiaddr. False: not wanted, it is closed and no more is
     * said of it. The owner sets its mark with hf_webrtc_set_owner. */
    bool (*up)(void *ctx, hf_webrtc_conn *conn, hf_bytes prologue, const char *remote);
    void (*channel_opened)(void *ctx, hf_webrtc_conn *conn, uint32_t channel);
    void (*received)(void *ctx, hf_webrtc_conn *conn, uint32_t channel, hf_bytes message);
    void (*channel_closed)(void *ctx, hf_webrtc_conn *conn, uint32_t channel);
    void (*channel_busy)(void *ctx, hf_webrtc_conn *conn, uint32_t channel, bool busy);
    bool (*full)(void *ctx, hf_webrtc_conn *conn);                /* asked: it has so much to do for this one that the browser should wait */
    void (*sent)(void *ctx, hf_webrtc_conn *conn, size_t len);    /* so many bytes of the records given to hf_webrtc_send are with SCTP */
    void (*lost)(void *ctx, hf_webrtc_conn *conn, const char *reason); /* after up, not after hf_webrtc_conn_close */
    void (*undialled)(void *ctx, uint64_t dial, const char *reason); /* what hf_webrtc_call began came to nothing; not after hf_webrtc_call_off */
    void (*renewed)(void *ctx);                                   /* there is a new certificate: the address is another */
    void *ctx;
} hf_webrtc_events;

typedef struct hf_webrtc_config {
    const struct sockaddr *address;
    bool v6_only;                /* an IPv6 address of all interfaces means IPv4 too, unless this says not */
    const char *certificate;     /* file for key and certificate, made when it is not there and renewed a month before it ends; NULL: a fresh one that is not
                                    kept. Borrowed until the end */
    bool dials_only;             /* nobody is answered but those that were called */
    hf_webrtc_events events;
} hf_webrtc_config;

/* NULL: *ret_problem, static or until the next call. */
hf_webrtc *hf_webrtc_open(uv_loop_t *loop, const hf_webrtc_config *config, const char **ret_problem);
/* The owner is told of no loss. Runs the loop until all is closed. NULL allowed. */
void hf_webrtc_close(hf_webrtc *webrtc);
int hf_webrtc_address(const hf_webrtc *webrtc, struct sockaddr_storage *ret); /* where it listens; 0, or libuv's error */
/* Appends "/webrtc-direct/certhash/u…". */
void hf_webrtc_add_certhash(const hf_webrtc *webrtc, hf_buf *buf);

/* ---- calling ---- */
/* /ip4|ip6/…/udp/PORT/webrtc-direct/certhash/…[/p2p/…], the hash a SHA-256. False: none that can be called. */
bool hf_webrtc_read_address(hf_bytes address, struct sockaddr_storage *ret, uint8_t ret_certificate[32]);
/* Sockets for calling, opened as they are needed; zeroed at first. */
enum { HF_WEBRTC_CALLERS_MAX = 4 };
typedef struct hf_webrtc_callers { hf_webrtc *at[2][HF_WEBRTC_CALLERS_MAX]; size_t next; } hf_webrtc_callers; /* for IPv4, for IPv6 */
/* Calls the listener: `up` or `undialled` follows, not at once. `dial`: the owner's number for it, not 0. NULL, or why it cannot be (static text): at most
 * 32 calls are under way from a socket, and one connection to a listener stands from each. */
const char *hf_webrtc_call(hf_webrtc_callers *callers, uv_loop_t *loop, const hf_webrtc_events *events, uint64_t dial, hf_bytes address);
void hf_webrtc_call_off(hf_webrtc_callers *callers, uint64_t dial);
void hf_webrtc_callers_close(hf_webrtc_callers *callers); /* as hf_webrtc_close */
uint64_t hf_webrtc_dial_of(const hf_webrtc_conn *conn);     /* 0: the other side called */

void hf_webrtc_set_owner(hf_webrtc_conn *conn, void *owner);
void *hf_webrtc_owner(const hf_webrtc_conn *conn);
/* The swarm's records, one after another: channel u32, op u8 (1 OPEN, 2 MESSAGE, 3 CLOSE), length u32, bytes; big endian. Copied or sent at once. A new
 * channel has a number of the sender's with the top bit set, and keeps it. */
void hf_webrtc_send(hf_webrtc_conn *conn, hf_bytes records);
/* After what was sent, or two seconds; then it is gone. */
void hf_webrtc_conn_close(hf_webrtc_conn *conn);
#endif

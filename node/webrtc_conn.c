/* webrtc_conn: see webrtc_private.h. DTLS, then SCTP within it, then the owner is told; each within its time. */
#include "webrtc_private.h"

#include "../core/crypto/crypto.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void packet_out(void *ctx, hf_bytes packet) {
    hf_webrtc_conn *conn = ctx;
    hf_webrtc_packet_out(conn->webrtc, &conn->remote, packet);
}

hf_webrtc_conn *hf_webrtc_conn_call(hf_webrtc *w) {
    hf_webrtc_conn *conn = calloc(1, sizeof *conn);
    if (!conn) return NULL;
    conn->webrtc = w;
    conn->outbound = true;
    conn->state = HF_WEBRTC_ICE;
    conn->pipe = (hf_webrtc_pipe){.out = packet_out, .ctx = conn};
    conn->heard_ms = hf_webrtc_now(w);
    conn->deadline_ms = conn->heard_ms + HF_WEBRTC_HANDSHAKE_MS;
    return conn;
}

hf_webrtc_conn *hf_webrtc_conn_new(hf_webrtc *w, SSL *ssl) {
    hf_webrtc_conn *conn = calloc(1, sizeof *conn);
    if (!conn) return SSL_free(ssl), NULL;
    conn->webrtc = w;
    conn->state = HF_WEBRTC_DTLS;
    conn->ssl = ssl;
    conn->pipe = (hf_webrtc_pipe){.out = packet_out, .ctx = conn};
    hf_webrtc_dtls_hand_over(ssl, &conn->pipe);
    conn->tag = w->visit.tag;
    conn->proven = w->visit.proven;
    conn->remote = w->visit.place;
    conn->heard_ms = hf_webrtc_now(w);
    conn->deadline_ms = conn->heard_ms + HF_WEBRTC_HANDSHAKE_MS;
    memcpy(conn->listener_digest, w->cert.digest, sizeof conn->listener_digest);
    return conn;
}

void hf_webrtc_conn_free(hf_webrtc_conn *conn) {
    hf_webrtc_sctp_free(conn->sctp);
    if (conn->ssl && SSL_is_init_finished(conn->ssl)) SSL_shutdown(conn->ssl);
    ERR_clear_error();
    SSL_free(conn->ssl);
    hf_webrtc_channels_free(conn->channels);
    free(conn);
}

void hf_webrtc_conn_fail(hf_webrtc_conn *conn, const char *reason) {
    hf_webrtc_state before = conn->state;
    if (before == HF_WEBRTC_DEAD) return;
    conn->state = HF_WEBRTC_DEAD;
    const hf_webrtc_events *events = &conn->webrtc->events;
    if (conn->told && before == HF_WEBRTC_UP) events->lost(events->ctx, conn, reason);
    if (conn->dial && before < HF_WEBRTC_UP) events->undialled(events->ctx, conn->dial, reason);
}

/* ---- coming up ---- */

static void remote_text(const hf_webrtc_place *place, char *ret, size_t cap) {
    char ip[INET6_ADDRSTRLEN];
    inet_ntop(place->v6 ? AF_INET6 : AF_INET, place->ip, ip, sizeof ip);
    snprintf(ret, cap, "/%s/%s/udp/%u/webrtc-direct", place->v6 ? "ip6" : "ip4", ip, (unsigned)place->port[0] << 8 | place->port[1]);
}

bool hf_webrtc_conn_up(hf_webrtc_conn *conn) {
    uint8_t peer[32], prologue[HF_DIRECT_PROLOGUE_LEN];
    char remote[128];
    const hf_webrtc_events *events = &conn->webrtc->events;
    if (!hf_webrtc_dtls_peer_digest(conn->ssl, peer)) return false;
    conn->state = HF_WEBRTC_UP;
    conn->told = true;
    hf_direct_prologue(conn->outbound ? conn->own_digest : peer, conn->listener_digest, prologue);
    remote_text(&conn->remote, remote, sizeof remote);
    if (events->up(events->ctx, conn, HF_BYTES(prologue, sizeof prologue), remote)) return true;
    conn->told = false;
    return false;
}

/* SCTP's window is that of the whole connection: one stream that is not read would hold up all others, so it does for a while only. */
bool hf_webrtc_conn_waits(hf_webrtc_conn *conn) {
    const hf_webrtc_events *events = &conn->webrtc->events;
    uint64_t now = hf_webrtc_now(conn->webrtc);
    if (!conn->told || conn->state != HF_WEBRTC_UP || !events->full(events->ctx, conn)) return conn->full_ms = 0, false;
    if (!conn->full_ms) conn->full_ms = now;
    return now < conn->full_ms + HF_WEBRTC_FULL_MS;
}

static bool is_who_was_called(const hf_webrtc_conn *conn) {
    uint8_t peer[32];
    return hf_webrtc_dtls_peer_digest(conn->ssl, peer) && !memcmp(peer, conn->listener_digest, sizeof peer);
}

static void begin_sctp(hf_webrtc_conn *conn) {
    if (conn->outbound && !is_who_was_called(conn)) return hf_webrtc_conn_fail(conn, "another certificate than the address names");
    conn->state = HF_WEBRTC_SCTP;
    conn->heard_ms = hf_webrtc_now(conn->webrtc);
    conn->channels = hf_webrtc_channels_new(conn);
    if (!conn->channels || !hf_webrtc_sctp_open(conn)) hf_webrtc_conn_fail(conn, "no memory for SCTP");
}

/* ---- packets ---- */

static void shake_hands(hf_webrtc_conn *conn) {
    ERR_clear_error();
    int n = SSL_do_handshake(conn->ssl), why = SSL_get_error(conn->ssl, n);
    ERR_clear_error();
    if (n == 1) begin_sctp(conn);
    else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) hf_webrtc_conn_fail(conn, "the DTLS handshake failed");
}

/* One record after another; what does not decrypt is as if it had not come. True: something did. */
static bool read_records(hf_webrtc_conn *conn) {
    uint8_t bytes[HF_WEBRTC_PACKET_MAX];
    bool any = false;
    while (conn->state != HF_WEBRTC_DEAD) {
        ERR_clear_error();
        int n = SSL_read(conn->ssl, bytes, sizeof bytes), why = SSL_get_error(conn->ssl, n);
        ERR_clear_error();
        if (n <= 0 && why == SSL_ERROR_WANT_READ) break;
        if (n <= 0) hf_webrtc_conn_fail(conn, why == SSL_ERROR_ZERO_RETURN ? "the other side ended the connection" : "DTLS broke");
        else {
            any = true;
            hf_webrtc_sctp_input(conn->sctp, HF_BYTES(bytes, (size_t)n));
        }
    }
    return any;
}

void hf_webrtc_conn_feed(hf_webrtc_conn *conn, const hf_webrtc_place *from, hf_bytes packet) {
    conn->pipe.in = packet;
    if (conn->state == HF_WEBRTC_DTLS) {
        conn->remote = *from;
        shake_hands(conn);
    }
    if (conn->state != HF_WEBRTC_DTLS && conn->state != HF_WEBRTC_DEAD && read_records(conn)) {
        conn->remote = *from; /* only what it has encrypted shows that it has moved */
        conn->heard_ms = hf_webrtc_now(conn->webrtc);
    }
    conn->pipe.in = HF_BYTES(NULL, 0);
    hf_webrtc_conn_turn(conn);
}

/* ---- time ---- */

static bool is_overdue(const hf_webrtc_conn *conn, const char **ret_reason) {
    uint64_t now = hf_webrtc_now(conn->webrtc);
    *ret_reason = "the other side has fallen silent";
    if (now > conn->heard_ms + HF_WEBRTC_SILENCE_MS) return true;
    *ret_reason = conn->state == HF_WEBRTC_ICE ? "the address did not answer in time" : "the handshake took too long";
    return conn->state != HF_WEBRTC_UP && now > conn->deadline_ms;
}

void hf_webrtc_conn_turn(hf_webrtc_conn *conn) {
    const char *reason = "";
    conn->pending = false;
    if (conn->state == HF_WEBRTC_DEAD) return;
    if (conn->broken) return hf_webrtc_conn_fail(conn, conn->broken);
    if (is_overdue(conn, &reason)) return hf_webrtc_conn_fail(conn, reason);
    if (conn->outbound) hf_webrtc_conn_check(conn);
    if (conn->state == HF_WEBRTC_ICE) return;
    if (conn->state == HF_WEBRTC_DTLS) {
        if (DTLSv1_handle_timeout(conn->ssl) < 0) hf_webrtc_conn_fail(conn, "the DTLS handshake failed");
        ERR_clear_error();
        return;
    }
    if (!hf_webrtc_sctp_read(conn->sctp, &reason)) return hf_webrtc_conn_fail(conn, reason);
    if (conn->state == HF_WEBRTC_SCTP || conn->state == HF_WEBRTC_DEAD) return;
    if (!hf_webrtc_channels_flush(conn->channels)) return hf_webrtc_conn_fail(conn, "SCTP takes no more");
    if (conn->state == HF_WEBRTC_CLOSING && hf_webrtc_channels_is_empty(conn->channels) && hf_webrtc_sctp_is_dry(conn->sctp)) conn->state = HF_WEBRTC_DEAD;
}

/* ---- for the owner ---- */

void hf_webrtc_set_owner(hf_webrtc_conn *conn, void *owner) { conn->owner = owner; }
void *hf_webrtc_owner(const hf_webrtc_conn *conn) { return conn->owner; }

/* Only queued: the records are the core's, and whatever it is told meanwhile may take them away. */
void hf_webrtc_send(hf_webrtc_conn *conn, hf_bytes records) {
    if (conn->state != HF_WEBRTC_UP) return;
    if (!hf_webrtc_channels_records(conn->channels, records)) conn->broken = "more is to be sent than can be kept";
    hf_webrtc_conn_soon(conn);
}

void hf_webrtc_conn_close(hf_webrtc_conn *conn) {
    if (conn->state == HF_WEBRTC_DEAD) return;
    conn->told = false;
    conn->state = conn->state == HF_WEBRTC_UP ? HF_WEBRTC_CLOSING : HF_WEBRTC_DEAD;
    conn->deadline_ms = hf_webrtc_now(conn->webrtc) + HF_WEBRTC_CLOSE_MS;
    hf_webrtc_conn_soon(conn);
}

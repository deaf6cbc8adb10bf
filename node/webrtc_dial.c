/* webrtc_dial: see webrtc_private.h. Calling a listener of webrtc-direct, as a browser does it by version 1: ufrag and password of both sides are one text that
 * we choose, checks are made from there on (ICE, controlling), then we are DTLS's client, and the certificate must be the one that the address names. */
#include "webrtc_private.h"

#include "../core/codec/multiaddr.h"

#include <netinet/in.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHECK_MS = 200, CONSENT_MS = 2500, /* between checks until one is answered, and from then on: RFC 7675 */
    RANDOM_CHARS = 32, COUNTED = 4, DIGEST_LEN = 32,
    PRIORITY = 110 << 24 | 65535 << 8 | 255, /* of a candidate that is found by calling: RFC 8445 section 5.1.2 */
};

/* ---- addresses ---- */

/* sha2-256 and nothing else. */
static bool read_certhash(hf_bytes multihash, uint8_t ret[DIGEST_LEN]) {
    if (multihash.len != 2 + DIGEST_LEN || multihash.ptr[0] != 0x12 || multihash.ptr[1] != DIGEST_LEN) return false;
    memcpy(ret, multihash.ptr + 2, DIGEST_LEN);
    return true;
}

bool hf_webrtc_read_address(hf_bytes address, struct sockaddr_storage *ret, uint8_t ret_certificate[32]) {
    hf_multiaddr m;
    if (hf_multiaddr_read(address, &m, NULL) || m.n < 4 || m.parts[1].code != HF_MA_UDP || m.parts[2].code != HF_MA_WEBRTC_DIRECT) return false;
    if (m.parts[3].code != HF_MA_CERTHASH || !read_certhash(m.parts[3].value, ret_certificate)) return false;
    if (m.n > 5 || (m.n == 5 && m.parts[4].code != HF_MA_P2P)) return false;
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    memcpy(&v4->sin_port, m.parts[1].value.ptr, 2); /* the same place in both families */
    ret->ss_family = m.parts[0].code == HF_MA_IP6 ? AF_INET6 : AF_INET;
    if (m.parts[0].code == HF_MA_IP4) memcpy(&v4->sin_addr, m.parts[0].value.ptr, 4);
    else if (m.parts[0].code == HF_MA_IP6) memcpy(&v6->sin6_addr, m.parts[0].value.ptr, 16);
    else return false;
    return v4->sin_port != 0;
}

/* ---- checks ---- */

static hf_bytes ufrag_of(const hf_webrtc_conn *conn) { return HF_BYTES(conn->ufrag, conn->ufrag_len); }

static void check(hf_webrtc_conn *conn) {
    hf_webrtc *w = conn->webrtc;
    char name[2 * sizeof conn->ufrag + 1];
    hf_stun_message request = {.kind = HF_STUN_REQUEST, .has_priority = true, .priority = PRIORITY, .use_candidate = true, .controlling = true};
    size_t len = conn->ufrag_len;
    memcpy(name, conn->ufrag, len);
    name[len] = ':';
    memcpy(name + len + 1, conn->ufrag, len);
    request.username = HF_BYTES(name, 2 * len + 1);
    request.tie_breaker = conn->tie_breaker;
    conn->n_checks++;
    memcpy(request.transaction, conn->transaction, sizeof request.transaction);
    memcpy(request.transaction + sizeof conn->transaction - COUNTED, &conn->n_checks, COUNTED);
    hf_buf_clear(&w->packet);
    if (!hf_stun_write(&w->packet, &request, ufrag_of(conn), (hf_stun_mac){hf_webrtc_hmac_sha1, NULL})) hf_webrtc_packet_out(w, &conn->remote, hf_buf_bytes(&w->packet));
}

void hf_webrtc_conn_check(hf_webrtc_conn *conn) {
    uint64_t now = hf_webrtc_now(conn->webrtc);
    if (now < conn->check_ms || conn->state == HF_WEBRTC_CLOSING || conn->state == HF_WEBRTC_DEAD) return;
    conn->check_ms = now + (conn->state == HF_WEBRTC_ICE ? CHECK_MS : CONSENT_MS);
    check(conn);
}

bool hf_webrtc_is_dialled(const hf_webrtc *w, hf_bytes ufrag) {
    for (const hf_webrtc_conn *c = w->conns; c; c = c->next)
        if (c->outbound && c->state != HF_WEBRTC_DEAD && hf_eq(ufrag_of(c), ufrag)) return true;
    return false;
}

static hf_webrtc_conn *asker_of(hf_webrtc *w, const hf_stun_message *answer) {
    hf_webrtc_conn *c = w->conns;
    while (c && !(c->outbound && c->state != HF_WEBRTC_DEAD && !memcmp(c->transaction, answer->transaction, sizeof c->transaction - COUNTED))) c = c->next;
    return c;
}

/* The listener is there, and at this address of ours. */
static void reached(hf_webrtc_conn *conn, const hf_webrtc_place *at) {
    hf_webrtc *w = conn->webrtc;
    if (!w->dtls_out) w->dtls_out = hf_webrtc_dtls_open(&w->cert, true);
    conn->ssl = w->dtls_out ? hf_webrtc_dtls_call(w->dtls_out, &conn->pipe) : NULL;
    conn->state = HF_WEBRTC_DTLS;
    conn->remote = conn->proven = *at;
    memcpy(conn->own_digest, w->cert.digest, sizeof conn->own_digest);
    bool ok = conn->ssl && hf_webrtc_attach(conn, at) && !hf_map_put(&w->by_tag, HF_BYTES(&conn->tag, sizeof conn->tag), conn);
    if (ok) hf_webrtc_conn_feed(conn, at, HF_BYTES(NULL, 0));
    else hf_webrtc_conn_fail(conn, "no memory");
}

void hf_webrtc_answered(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet, const hf_stun_message *answer) {
    hf_webrtc_conn *conn = asker_of(w, answer);
    if (!conn || hf_stun_check(packet, answer, ufrag_of(conn), (hf_stun_mac){hf_webrtc_hmac_sha1, NULL})) return;
    if (conn->state != HF_WEBRTC_ICE) conn->heard_ms = hf_webrtc_now(w);
    else if (!memcmp(from->ip, conn->remote.ip, sizeof from->ip) && !memcmp(from->port, conn->remote.port, 2)) reached(conn, from);
}

/* ---- life ---- */

/* "libp2p+webrtc+v1/" and random letters. */
static bool make_ufrag(hf_webrtc_conn *conn) {
    static const char head[] = "libp2p+webrtc+v1/", chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t random[RANDOM_CHARS];
    if (RAND_bytes(random, sizeof random) != 1 || RAND_bytes(conn->transaction, sizeof conn->transaction) != 1 ||
        RAND_bytes((uint8_t *)&conn->tie_breaker, sizeof conn->tie_breaker) != 1)
        return false;
    conn->ufrag_len = sizeof head - 1 + sizeof random;
    memcpy(conn->ufrag, head, sizeof head - 1);
    for (size_t i = 0; i < sizeof random; i++) conn->ufrag[sizeof head - 1 + i] = (uint8_t)chars[random[i] % 64];
    return true;
}

static void write_place(const struct sockaddr *address, hf_webrtc_place *ret) {
    *ret = (hf_webrtc_place){.v6 = address->sa_family == AF_INET6};
    memcpy(ret->port, &((const struct sockaddr_in *)address)->sin_port, 2); /* the same place in both families */
    if (ret->v6) memcpy(ret->ip, &((const struct sockaddr_in6 *)address)->sin6_addr, 16);
    else memcpy(ret->ip, &((const struct sockaddr_in *)address)->sin_addr, 4);
}

/* A listener tells its callers apart by where they call from: so there is one call from a socket to each. */
static bool has_room(const hf_webrtc *w, const hf_webrtc_place *to) {
    size_t n = 0;
    for (const hf_webrtc_conn *c = w->conns; c; c = c->next) {
        n += c->outbound && c->state < HF_WEBRTC_UP;
        if (!memcmp(c->remote.ip, to->ip, sizeof to->ip) && !memcmp(c->remote.port, to->port, sizeof to->port)) return false;
    }
    return n < HF_WEBRTC_DIALS_MAX && w->n_conns < HF_WEBRTC_CONNS_MAX;
}

static bool dial_from(hf_webrtc *w, uint64_t dial, const hf_webrtc_place *to, const uint8_t certificate[32]) {
    if (w->six != to->v6 || !has_room(w, to)) return false;
    hf_webrtc_conn *conn = hf_webrtc_conn_call(w);
    if (!conn || !make_ufrag(conn)) return free(conn), false;
    conn->dial = dial;
    conn->tag = hf_webrtc_tag_of(w, ufrag_of(conn));
    memcpy(conn->listener_digest, certificate, sizeof conn->listener_digest);
    conn->remote = *to;
    conn->next = w->conns;
    w->conns = conn;
    w->n_conns++;
    hf_webrtc_conn_soon(conn);
    return true;
}

static const char *open_caller(hf_webrtc **at, uv_loop_t *loop, const hf_webrtc_events *events, bool six) {
    struct sockaddr_storage any = {.ss_family = six ? AF_INET6 : AF_INET};
    const char *problem = NULL;
    *at = hf_webrtc_open(loop, &(hf_webrtc_config){.address = (struct sockaddr *)&any, .v6_only = true, .dials_only = true, .events = *events}, &problem);
    return *at ? NULL : problem;
}

/* In turns, so that whoever was called from a socket lately is called from another. */
const char *hf_webrtc_call(hf_webrtc_callers *callers, uv_loop_t *loop, const hf_webrtc_events *events, uint64_t dial, hf_bytes address) {
    struct sockaddr_storage to;
    uint8_t certificate[32];
    hf_webrtc_place place;
    if (!hf_webrtc_read_address(address, &to, certificate)) return "the address cannot be dialled";
    write_place((struct sockaddr *)&to, &place);
    for (size_t i = 0; i < HF_WEBRTC_CALLERS_MAX; i++) {
        hf_webrtc **at = &callers->at[place.v6][callers->next++ % HF_WEBRTC_CALLERS_MAX];
        const char *problem = *at ? NULL : open_caller(at, loop, events, place.v6);
        if (!*at) return problem;
        if (dial_from(*at, dial, &place, certificate)) return NULL;
    }
    return "too many are called at once";
}

static bool call_off(hf_webrtc *w, uint64_t dial) {
    for (hf_webrtc_conn *c = w->conns; c; c = c->next) {
        if (c->dial != dial || c->state >= HF_WEBRTC_UP) continue;
        c->dial = 0;
        c->broken = "called off";
        hf_webrtc_conn_soon(c);
        return true;
    }
    return false;
}

void hf_webrtc_call_off(hf_webrtc_callers *callers, uint64_t dial) {
    for (size_t i = 0; i < 2 * HF_WEBRTC_CALLERS_MAX; i++) {
        hf_webrtc *w = callers->at[i % 2][i / 2];
        if (w && call_off(w, dial)) return;
    }
}

void hf_webrtc_callers_close(hf_webrtc_callers *callers) {
    for (size_t i = 0; i < 2 * HF_WEBRTC_CALLERS_MAX; i++) hf_webrtc_close(callers->at[i % 2][i / 2]);
}

uint64_t hf_webrtc_dial_of(const hf_webrtc_conn *conn) { return conn->dial; }

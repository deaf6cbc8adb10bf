/* webrtc: see webrtc.h; webrtc_private.h says which file holds what. */
#include "webrtc_private.h"

#include "../core/crypto/crypto.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TICK_MS = 20, IDLE_TICK_MS = 250, LATELY_MS = 2000, RENEW_LOOK_MS = 3600 * 1000, QUIET_MS = 10 * 1000, /* after which another may come from its place */
    SET = 8, /* slots of the table of checks that a place may stand in */
    DTLS_FIRST = 20, DTLS_LAST = 63, UNKNOWN_ATTRIBUTE = 420,
};

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

uint64_t hf_webrtc_now(const hf_webrtc *w) { return uv_now(w->loop); }

void hf_webrtc_hmac_sha1(void *ctx, hf_bytes key, hf_bytes bytes, uint8_t ret[20]) {
    unsigned len = 20;
    (void)ctx;
    if (!HMAC(EVP_sha1(), key.ptr, (int)key.len, bytes.ptr, bytes.len, ret, &len)) memset(ret, 0, 20);
}

/* ---- places ---- */

static hf_bytes key_of(const hf_webrtc_place *place) { return HF_BYTES(place, sizeof *place); }

static void detach(hf_webrtc_conn *conn, size_t i) {
    if (hf_map_get(&conn->webrtc->by_place, key_of(&conn->places[i])) == conn) hf_map_remove(&conn->webrtc->by_place, key_of(&conn->places[i]));
}

/* The map borrows its keys, so a place keeps its slot. */
bool hf_webrtc_attach(hf_webrtc_conn *conn, const hf_webrtc_place *place) {
    size_t i = conn->n_places;
    if (i == HF_WEBRTC_PLACES_MAX) {
        i = conn->next_place++ % HF_WEBRTC_PLACES_MAX;
        if (!memcmp(&conn->places[i], &conn->remote, sizeof *place)) i = conn->next_place++ % HF_WEBRTC_PLACES_MAX;
        detach(conn, i);
    } else conn->n_places++;
    conn->places[i] = *place;
    hf_map_remove(&conn->webrtc->by_place, key_of(place));
    return !hf_map_put(&conn->webrtc->by_place, key_of(&conn->places[i]), conn);
}

/* ---- checks ---- */

hf_webrtc_tag hf_webrtc_tag_of(const hf_webrtc *w, hf_bytes ufrag) {
    uint8_t mac[32];
    hf_webrtc_tag tag;
    hf_hmac_sha256(HF_BYTES(w->secret, sizeof w->secret), ufrag, mac);
    memcpy(&tag, mac, sizeof tag);
    return tag;
}

/* A table of fixed size, in sets of a few slots, of which the oldest goes. Where a place belongs is not to be guessed, and a browser repeats its checks. */
static hf_webrtc_check *check_slot(hf_webrtc *w, const hf_webrtc_place *place) {
    uint64_t hash = w->hash_seed;
    const uint8_t *bytes = (const uint8_t *)place;
    for (size_t i = 0; i < sizeof *place; i++) {
        hash = (hash ^ bytes[i]) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    hf_webrtc_check *set = &w->checks[hash % (HF_WEBRTC_CHECKS / SET) * SET], *oldest = set;
    for (size_t i = 0; i < SET; i++) {
        if (set[i].at_ms && !memcmp(&set[i].place, place, sizeof *place)) return &set[i];
        if (set[i].at_ms < oldest->at_ms) oldest = &set[i];
    }
    return oldest;
}

static const hf_webrtc_check *find_check(hf_webrtc *w, const hf_webrtc_place *place) {
    const hf_webrtc_check *check = w->checks ? check_slot(w, place) : NULL;
    if (!check || !check->at_ms || memcmp(&check->place, place, sizeof *place) != 0 || hf_webrtc_now(w) > check->at_ms + HF_WEBRTC_CHECK_MS) return NULL;
    return check;
}

static void remember_check(hf_webrtc *w, const hf_webrtc_place *place, hf_bytes ufrag) {
    uint64_t now = hf_webrtc_now(w);
    hf_webrtc_tag tag = hf_webrtc_tag_of(w, ufrag);
    *check_slot(w, place) = (hf_webrtc_check){.place = *place, .tag = tag, .at_ms = now ? now : 1};
    hf_webrtc_conn *conn = hf_map_get(&w->by_tag, HF_BYTES(&tag, sizeof tag));
    if (conn && hf_map_get(&w->by_place, key_of(place)) == conn) conn->heard_ms = now; /* the browser consents: RFC 7675 */
}

static void answer_check(hf_webrtc *w, const hf_webrtc_place *to, const hf_stun_message *request, hf_bytes ufrag, hf_stun_mac mac) {
    hf_stun_message answer = {.kind = HF_STUN_SUCCESS, .has_mapped = true, .mapped = {.port = (uint16_t)(to->port[0] << 8 | to->port[1]), .v6 = to->v6}};
    memcpy(answer.transaction, request->transaction, sizeof answer.transaction);
    memcpy(answer.mapped.ip, to->ip, sizeof answer.mapped.ip);
    if (request->n_unknown) {
        answer = (hf_stun_message){.kind = HF_STUN_ERROR, .error = UNKNOWN_ATTRIBUTE, .n_unknown = request->n_unknown};
        memcpy(answer.transaction, request->transaction, sizeof answer.transaction);
        memcpy(answer.unknown, request->unknown, sizeof answer.unknown);
    }
    hf_buf_clear(&w->packet);
    if (!hf_stun_write(&w->packet, &answer, ufrag, mac)) hf_webrtc_packet_out(w, to, hf_buf_bytes(&w->packet));
}

/* ICE-lite: checks are answered, none are made. The answer needs nothing that does not stand in the request, and is not longer. */
static void on_check(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet) {
    hf_stun_message request;
    hf_direct_username name;
    hf_stun_mac mac = {hf_webrtc_hmac_sha1, NULL};
    if (hf_stun_read(packet, &request, NULL) || !request.fingerprinted) return;
    if (request.kind == HF_STUN_SUCCESS) return hf_webrtc_answered(w, from, packet, &request);
    if (request.kind != HF_STUN_REQUEST || hf_direct_username_read(request.username, &name)) return;
    if ((w->dials_only && !hf_webrtc_is_dialled(w, name.listener)) || hf_stun_check(packet, &request, name.listener, mac)) return;
    if (!request.n_unknown && w->checks) remember_check(w, from, name.listener);
    answer_check(w, from, &request, name.listener, mac);
}

/* ---- DTLS: of a connection, or the beginning of one ---- */

static bool same_neighbour(const hf_webrtc_place *a, const hf_webrtc_place *b) { return a->v6 == b->v6 && !memcmp(a->ip, b->ip, a->v6 ? 8 : 4); }

static bool has_room(const hf_webrtc *w, const hf_webrtc_place *place) {
    size_t conns = 0, handshakes = 0, all_handshakes = 0;
    for (const hf_webrtc_conn *c = w->conns; c; c = c->next) {
        bool young = c->state == HF_WEBRTC_DTLS || c->state == HF_WEBRTC_SCTP, near = same_neighbour(&c->proven, place);
        all_handshakes += young;
        conns += near;
        handshakes += near && young;
    }
    return w->n_conns < HF_WEBRTC_CONNS_MAX && conns < HF_WEBRTC_CONNS_PER_ADDRESS_MAX && all_handshakes < HF_WEBRTC_HANDSHAKES_MAX &&
           handshakes < HF_WEBRTC_HANDSHAKES_PER_ADDRESS_MAX;
}

static void tick_soon(hf_webrtc *w, bool at_once);

static void admit(hf_webrtc *w, SSL *ssl) {
    hf_webrtc_conn *conn = hf_webrtc_conn_new(w, ssl);
    if (!conn) return;
    conn->next = w->conns;
    w->conns = conn;
    w->n_conns++;
    if (!hf_webrtc_attach(conn, &w->visit.place) || hf_map_put(&w->by_tag, HF_BYTES(&conn->tag, sizeof conn->tag), conn)) hf_webrtc_conn_fail(conn, "no memory");
    else hf_webrtc_conn_feed(conn, &w->visit.place, HF_BYTES(NULL, 0)); /* OpenSSL has kept the ClientHello */
    tick_soon(w, false);
}

static void greet(hf_webrtc *w, const hf_webrtc_place *from, const hf_webrtc_check *check, hf_bytes packet) {
    if (!has_room(w, from)) return; /* the browser says it again */
    if (!w->listening) w->listening = hf_webrtc_dtls_new(w->dtls, &w->pipe, &w->visit);
    if (!w->listening) return;
    w->visit = (hf_webrtc_visit){.place = *from, .tag = check->tag, .now_s = (uint32_t)(hf_webrtc_now(w) / 1000), .secret = w->secret};
    w->pipe.in = packet;
    hf_webrtc_greeting how = hf_webrtc_dtls_greet(w->listening);
    w->pipe.in = HF_BYTES(NULL, 0);
    if (how == HF_WEBRTC_UNGREETED) return;
    SSL *ssl = w->listening;
    w->listening = NULL;
    if (how == HF_WEBRTC_GREETED && has_room(w, &w->visit.proven)) admit(w, ssl);
    else SSL_free(ssl);
}

static void on_record(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet) {
    const hf_webrtc_check *check = find_check(w, from);
    hf_webrtc_conn *conn = hf_map_get(&w->by_place, key_of(from));
    if (conn && check && memcmp(&conn->tag, &check->tag, sizeof conn->tag) != 0 && hf_webrtc_now(w) > conn->heard_ms + QUIET_MS) conn = NULL;
    if (!conn && !check) return;
    if (!conn) {
        conn = hf_map_get(&w->by_tag, HF_BYTES(&check->tag, sizeof check->tag));
        if (conn && !hf_webrtc_attach(conn, from)) return;
    }
    if (!conn && w->dials_only) return;
    if (!conn) return greet(w, from, check, packet);
    w->packet_ms = hf_webrtc_now(w);
    hf_webrtc_conn_feed(conn, from, packet);
    tick_soon(w, false);
}

/* ---- packets, and the turns that follow ---- */

static void free_dead(hf_webrtc *w) {
    for (hf_webrtc_conn **at = &w->conns; *at;) {
        hf_webrtc_conn *conn = *at;
        if (conn->state != HF_WEBRTC_DEAD) {
            at = &conn->next;
            continue;
        }
        for (size_t i = 0; i < conn->n_places; i++) detach(conn, i);
        if (hf_map_get(&w->by_tag, HF_BYTES(&conn->tag, sizeof conn->tag)) == conn) hf_map_remove(&w->by_tag, HF_BYTES(&conn->tag, sizeof conn->tag));
        *at = conn->next;
        w->n_conns--;
        hf_webrtc_conn_free(conn);
    }
}

/* What was queued while another had its turn, then those that ended. */
static void finish_turn(hf_webrtc *w) {
    while (w->pending) {
        w->pending = false;
        for (hf_webrtc_conn *c = w->conns; c; c = c->next)
            if (c->pending) hf_webrtc_conn_turn(c);
    }
    w->turning = false;
    free_dead(w);
}

void hf_webrtc_packet_in(hf_webrtc *w, const hf_webrtc_place *from, hf_bytes packet) {
    if (packet.len > HF_WEBRTC_PACKET_MAX) return;
    w->turning = true;
    if (hf_stun_is(packet)) on_check(w, from, packet);
    else if (packet.ptr[0] >= DTLS_FIRST && packet.ptr[0] <= DTLS_LAST) on_record(w, from, packet);
    finish_turn(w);
}

static void greeting_out(void *ctx, hf_bytes packet) {
    hf_webrtc *w = ctx;
    hf_webrtc_packet_out(w, &w->visit.place, packet);
}

/* ---- time ---- */

static void on_tick(uv_timer_t *timer) {
    hf_webrtc *w = timer->data;
    w->turning = true;
    hf_webrtc_sctp_time(hf_webrtc_now(w));
    for (hf_webrtc_conn *c = w->conns; c; c = c->next) hf_webrtc_conn_turn(c);
    finish_turn(w);
    if (w->n_conns) tick_soon(w, false);
}

/* Often while something goes on; SCTP's and DTLS's timers are all much slower than the slow ticks otherwise. */
static void tick_soon(hf_webrtc *w, bool at_once) {
    uint64_t wait = at_once ? 0 : hf_webrtc_now(w) < w->packet_ms + LATELY_MS ? TICK_MS : IDLE_TICK_MS;
    if (uv_is_active((uv_handle_t *)&w->ticking) && uv_timer_get_due_in(&w->ticking) <= wait) return;
    uv_timer_start(&w->ticking, on_tick, wait, 0);
}

void hf_webrtc_conn_soon(hf_webrtc_conn *conn) {
    hf_webrtc *w = conn->webrtc;
    conn->pending = w->pending = true;
    if (w->turning || w->fd < 0) return;
    w->packet_ms = hf_webrtc_now(w);
    tick_soon(w, true);
}

static void on_look(uv_timer_t *timer) {
    hf_webrtc *w = timer->data;
    hf_webrtc_cert cert;
    const char *problem;
    if (!hf_webrtc_cert_is_old(&w->cert) || !hf_webrtc_cert_open(&cert, w->cert_path, &problem)) return;
    SSL_CTX *dtls = hf_webrtc_dtls_open(&cert, false);
    if (!dtls) return hf_webrtc_cert_drop(&cert);
    SSL_free(w->listening);
    w->listening = NULL;
    SSL_CTX_free(w->dtls); /* connections keep theirs */
    SSL_CTX_free(w->dtls_out);
    w->dtls_out = NULL;
    hf_webrtc_cert_drop(&w->cert);
    w->dtls = dtls;
    w->cert = cert;
    w->events.renewed(w->events.ctx);
}

/* ---- life ---- */

static void on_closed(uv_handle_t *handle) {
    hf_webrtc *w = handle->data;
    w->n_handles--;
}

static const char *begin(hf_webrtc *w, const struct sockaddr *address) {
    const char *problem;
    hf_mem *mem = &w->mem;
    if (!w->dials_only && !(w->checks = calloc(HF_WEBRTC_CHECKS, sizeof *w->checks))) return "out of memory";
    if (RAND_bytes(w->secret, sizeof w->secret) != 1 || RAND_bytes((uint8_t *)&w->hash_seed, sizeof w->hash_seed) != 1) return "no random numbers";
    hf_map_init(&w->by_place, mem, w->hash_seed);
    hf_map_init(&w->by_tag, mem, w->hash_seed);
    if (!hf_webrtc_cert_open(&w->cert, w->cert_path, &problem)) return problem;
    w->dtls = hf_webrtc_dtls_open(&w->cert, false);
    if (!w->dtls) return "DTLS cannot be set up";
    if ((problem = hf_webrtc_socket_open(w, address))) return problem;
    uv_timer_start(&w->renewing, on_look, RENEW_LOOK_MS, RENEW_LOOK_MS);
    return NULL;
}

hf_webrtc *hf_webrtc_open(uv_loop_t *loop, const hf_webrtc_config *config, const char **ret_problem) {
    hf_webrtc *w = calloc(1, sizeof *w);
    if (!w) return *ret_problem = "out of memory", NULL;
    w->loop = loop;
    w->mem = (hf_mem){resize, NULL};
    w->events = config->events;
    w->cert_path = config->certificate;
    w->v6_only = config->v6_only;
    w->dials_only = config->dials_only;
    w->pipe = (hf_webrtc_pipe){.out = greeting_out, .ctx = w};
    hf_buf_init(&w->packet, &w->mem);
    w->fd = -1;
    uv_timer_init(loop, &w->ticking);
    uv_timer_init(loop, &w->renewing);
    w->ticking.data = w->renewing.data = w;
    w->n_handles = 2;
    *ret_problem = begin(w, config->address);
    if (!*ret_problem) return w;
    hf_webrtc_close(w);
    return NULL;
}

void hf_webrtc_close(hf_webrtc *w) {
    if (!w) return;
    for (hf_webrtc_conn *c = w->conns; c; c = c->next) c->state = HF_WEBRTC_DEAD;
    free_dead(w);
    hf_webrtc_socket_close(w, on_closed);
    hf_webrtc_sctp_end();
    uv_close((uv_handle_t *)&w->ticking, on_closed);
    uv_close((uv_handle_t *)&w->renewing, on_closed);
    while (w->n_handles) uv_run(w->loop, UV_RUN_NOWAIT); /* again when a stop was asked for: such a run does nothing */
    SSL_free(w->listening);
    SSL_CTX_free(w->dtls);
    SSL_CTX_free(w->dtls_out);
    hf_webrtc_cert_drop(&w->cert);
    hf_map_deinit(&w->by_place);
    hf_map_deinit(&w->by_tag);
    hf_buf_deinit(&w->packet);
    free(w->checks);
    free(w);
}

void hf_webrtc_add_certhash(const hf_webrtc *w, hf_buf *buf) { hf_direct_add_certhash(buf, w->cert.digest); }

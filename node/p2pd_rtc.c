/* p2pd_rtc: WebRTC from browsers, and to whoever listens as we do: see p2pd_private.h. */
#include "p2pd_private.h"

#include "../core/codec/multiaddr.h"
#include "webrtc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LISTENERS_MAX = 8, HIGH_WATER = 1 << 20, LOW_WATER = 1 << 18, HELD_MAX = 256 * 1024 }; /* held: for streams that do not read; then the browser waits */

typedef struct browser {
    struct browser *next;
    uint64_t number;
    hf_webrtc_conn *conn;
    size_t queued_bytes;
    bool busy;
} browser;

struct hf_p2pd_rtc {
    hf_p2pd *d;
    hf_webrtc *listeners[LISTENERS_MAX];
    size_t n_listeners;
    hf_webrtc_callers callers;
    browser *browsers;
    char certificate[4200]; /* beside the key; empty: neither is kept */
};

hf_p2pd_rtc *hf_p2pd_rtc_new(hf_p2pd *d) {
    hf_p2pd_rtc *rtc = calloc(1, sizeof *rtc);
    if (!rtc) return NULL;
    rtc->d = d;
    if (d->flags->id) snprintf(rtc->certificate, sizeof rtc->certificate, "%s.webrtc.pem", d->flags->id);
    return rtc;
}

static browser *find(hf_p2pd_rtc *rtc, uint64_t number) {
    browser *b = rtc->browsers;
    while (b && b->number != number) b = b->next;
    return b;
}

static void forget(hf_p2pd_rtc *rtc, browser *b) {
    browser **at = &rtc->browsers;
    while (*at != b) at = &(*at)->next;
    *at = b->next;
    free(b);
}

/* ---- what happens ---- */

static bool on_up(void *ctx, hf_webrtc_conn *conn, hf_bytes prologue, const char *remote) {
    hf_p2pd_rtc *rtc = ctx;
    hf_p2pd *d = rtc->d;
    browser *b = calloc(1, sizeof *b);
    hf_buf address;
    if (!b) return false;
    *b = (browser){.next = rtc->browsers, .number = hf_p2pd_net_number(d->net), .conn = conn};
    rtc->browsers = b;
    hf_webrtc_set_owner(conn, b);
    hf_buf_init(&address, &d->mem);
    if (hf_multiaddr_parse(hf_str(remote), &address, NULL)) hf_buf_clear(&address);
    uint64_t dial = hf_webrtc_dial_of(conn);
    hf_channels_open open = {.dialer = dial != 0, .noise_initiator = !dial, .prologue = prologue, .remote = hf_buf_bytes(&address)};
    bool ok = !hf_host_conn_open_channels(d->host, hf_p2pd_now(d), b->number, dial, &open);
    hf_buf_deinit(&address);
    if (!ok) forget(rtc, b);
    hf_p2pd_pump(d);
    return ok;
}

/* A channel that cannot be is closed with its connection: the host has no memory. */
static void told(hf_p2pd_rtc *rtc, hf_webrtc_conn *conn, hf_err err) {
    browser *b = hf_webrtc_owner(conn);
    if (err == HF_NOMEM) {
        hf_host_conn_lost(rtc->d->host, hf_p2pd_now(rtc->d), b->number);
        hf_webrtc_conn_close(conn);
        forget(rtc, b);
    }
    hf_p2pd_pump(rtc->d);
}

static void on_opened(void *ctx, hf_webrtc_conn *conn, uint32_t channel) {
    hf_p2pd_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    told(rtc, conn, hf_host_channel_opened(rtc->d->host, hf_p2pd_now(rtc->d), b->number, channel));
}

static void on_received(void *ctx, hf_webrtc_conn *conn, uint32_t channel, hf_bytes message) {
    hf_p2pd_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    told(rtc, conn, hf_host_channel_recv(rtc->d->host, hf_p2pd_now(rtc->d), b->number, channel, message));
}

static void on_channel_closed(void *ctx, hf_webrtc_conn *conn, uint32_t channel) {
    hf_p2pd_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    hf_host_channel_closed(rtc->d->host, hf_p2pd_now(rtc->d), b->number, channel);
    hf_p2pd_pump(rtc->d);
}

static void on_channel_busy(void *ctx, hf_webrtc_conn *conn, uint32_t channel, bool busy) {
    hf_p2pd_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    hf_host_channel_busy(rtc->d->host, hf_p2pd_now(rtc->d), b->number, channel, busy);
    hf_p2pd_pump(rtc->d);
}

static bool is_full(void *ctx, hf_webrtc_conn *conn) {
    const browser *b = hf_webrtc_owner(conn);
    return hf_swarm_channels_held(((const hf_p2pd_rtc *)ctx)->d->swarm, b->number) > HELD_MAX;
}

static void on_sent(void *ctx, hf_webrtc_conn *conn, size_t len) {
    hf_p2pd *d = ((hf_p2pd_rtc *)ctx)->d;
    browser *b = hf_webrtc_owner(conn);
    b->queued_bytes -= len < b->queued_bytes ? len : b->queued_bytes;
    if (!b->busy || b->queued_bytes > LOW_WATER) return;
    b->busy = false;
    hf_host_conn_busy(d->host, hf_p2pd_now(d), b->number, false);
    hf_p2pd_pump(d);
}

static void on_lost(void *ctx, hf_webrtc_conn *conn, const char *reason) {
    hf_p2pd_rtc *rtc = ctx;
    browser *b = hf_webrtc_owner(conn);
    (void)reason;
    hf_host_conn_lost(rtc->d->host, hf_p2pd_now(rtc->d), b->number);
    forget(rtc, b);
    hf_p2pd_pump(rtc->d);
}

static void on_undialled(void *ctx, uint64_t dial, const char *reason) {
    hf_p2pd *d = ((hf_p2pd_rtc *)ctx)->d;
    hf_host_dial_failed(d->host, hf_p2pd_now(d), dial, reason);
    hf_p2pd_pump(d);
}

static void on_renewed(void *ctx) { hf_p2pd_announce_again(((hf_p2pd_rtc *)ctx)->d); }

/* ---- for the net ---- */

void hf_p2pd_rtc_send(hf_p2pd_rtc *rtc, uint64_t number, hf_bytes records) {
    browser *b = find(rtc, number);
    if (!b) return;
    b->queued_bytes += records.len;
    hf_webrtc_send(b->conn, records);
    if (b->busy || b->queued_bytes < HIGH_WATER) return;
    b->busy = true;
    hf_host_conn_busy(rtc->d->host, hf_p2pd_now(rtc->d), number, true);
}

void hf_p2pd_rtc_close_conn(hf_p2pd_rtc *rtc, uint64_t number) {
    browser *b = find(rtc, number);
    if (!b) return;
    hf_webrtc_conn_close(b->conn);
    forget(rtc, b);
}

static hf_webrtc_events events_of(hf_p2pd_rtc *rtc) {
    return (hf_webrtc_events){on_up, on_opened, on_received, on_channel_closed, on_channel_busy, is_full, on_sent, on_lost, on_undialled, on_renewed, rtc};
}

void hf_p2pd_rtc_dial(hf_p2pd_rtc *rtc, uint64_t dial, hf_bytes address) {
    hf_webrtc_events events = events_of(rtc);
    const char *problem = hf_webrtc_call(&rtc->callers, rtc->d->loop, &events, dial, address);
    if (problem) hf_host_dial_failed(rtc->d->host, hf_p2pd_now(rtc->d), dial, problem);
}

void hf_p2pd_rtc_dial_off(hf_p2pd_rtc *rtc, uint64_t dial) { hf_webrtc_call_off(&rtc->callers, dial); }

const char *hf_p2pd_rtc_listen(hf_p2pd_rtc *rtc, const struct sockaddr *address) {
    const char *problem = "more than 8 addresses for WebRTC to listen on";
    hf_webrtc_config config = {.address = address, .v6_only = true, .certificate = rtc->certificate[0] ? rtc->certificate : NULL, .events = events_of(rtc)};
    if (rtc->n_listeners == LISTENERS_MAX) return problem;
    if (rtc->d->flags->id && strlen(rtc->d->flags->id) + sizeof ".webrtc.pem.new" > sizeof rtc->certificate) return "the path of the key is too long";
    hf_webrtc *webrtc = hf_webrtc_open(rtc->d->loop, &config, &problem);
    if (!webrtc) return problem;
    rtc->listeners[rtc->n_listeners++] = webrtc;
    return NULL;
}

bool hf_p2pd_rtc_address(const hf_p2pd_rtc *rtc, size_t i, struct sockaddr_storage *ret, hf_buf *ret_certhash) {
    if (i >= rtc->n_listeners || hf_webrtc_address(rtc->listeners[i], ret)) return false;
    hf_webrtc_add_certhash(rtc->listeners[i], ret_certhash);
    return true;
}

/* The host is not asked any more. */
void hf_p2pd_rtc_free(hf_p2pd_rtc *rtc) {
    if (!rtc) return;
    for (size_t i = 0; i < rtc->n_listeners; i++) hf_webrtc_close(rtc->listeners[i]);
    hf_webrtc_callers_close(&rtc->callers);
    while (rtc->browsers) forget(rtc, rtc->browsers);
    free(rtc);
}

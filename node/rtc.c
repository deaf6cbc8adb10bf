/* rtc: see rtc.h. */
#include "rtc.h"

#include "../core/codec/multiaddr.h"
#include "describe.h"
#include "say.h"
#include "webrtc.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELD_MAX = 256 * 1024 }; /* for streams that do not read; then the browser waits */

struct hf_rtc {
    hf_node *node;
    hf_webrtc *webrtc;      /* listening; NULL: not asked for */
    hf_webrtc_callers callers;
    char certificate[4200];
};

typedef struct browser { hf_channel channel; hf_webrtc_conn *conn; } browser;

static browser *browser_of(hf_channel *channel) { return (browser *)((char *)channel - offsetof(browser, channel)); }

static void rtc_send(hf_channel *channel, hf_bytes records) { hf_webrtc_send(browser_of(channel)->conn, records); }

static void rtc_close(hf_channel *channel) {
    browser *b = browser_of(channel);
    hf_webrtc_conn_close(b->conn);
    free(b);
}

/* ---- what happens ---- */

static bool on_up(void *ctx, hf_webrtc_conn *conn, hf_bytes prologue, const char *remote) {
    hf_node *node = ((hf_rtc *)ctx)->node;
    browser *b = calloc(1, sizeof *b);
    hf_buf address;
    if (!b) return false;
    *b = (browser){.channel = {.via = "webrtc", .send = rtc_send, .close = rtc_close}, .conn = conn};
    hf_webrtc_set_owner(conn, b);
    hf_buf_init(&address, &node->mem);
    if (hf_multiaddr_parse(hf_str(remote), &address, NULL)) hf_buf_clear(&address);
    uint64_t dial = hf_webrtc_dial_of(conn);
    hf_channels_open open = {.dialer = dial != 0, .noise_initiator = !dial, .prologue = prologue, .remote = hf_buf_bytes(&address)};
    bool ok = !hf_node_channels_up(node, &b->channel, dial, &open);
    hf_buf_deinit(&address);
    if (!ok) free(b);
    return ok;
}

static void pump(const hf_rtc *rtc, hf_err err) {
    if (err && err != HF_NOT_FOUND) hf_say(HF_LEVEL_ERROR, "peer input", "error", hf_err_name(err), NULL);
    hf_node_pump(rtc->node);
}

static void on_opened(void *ctx, hf_webrtc_conn *conn, uint32_t channel) {
    const hf_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    pump(rtc, hf_core_channel_opened(rtc->node->core, hf_node_now(rtc->node), b->channel.conn, channel));
}

static void on_received(void *ctx, hf_webrtc_conn *conn, uint32_t channel, hf_bytes message) {
    const hf_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    pump(rtc, hf_core_channel_recv(rtc->node->core, hf_node_now(rtc->node), b->channel.conn, channel, message));
}

static void on_channel_closed(void *ctx, hf_webrtc_conn *conn, uint32_t channel) {
    const hf_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    hf_core_channel_closed(rtc->node->core, hf_node_now(rtc->node), b->channel.conn, channel);
    hf_node_pump(rtc->node);
}

static void on_channel_busy(void *ctx, hf_webrtc_conn *conn, uint32_t channel, bool busy) {
    const hf_rtc *rtc = ctx;
    const browser *b = hf_webrtc_owner(conn);
    hf_core_channel_busy(rtc->node->core, hf_node_now(rtc->node), b->channel.conn, channel, busy);
    hf_node_pump(rtc->node);
}

static bool is_full(void *ctx, hf_webrtc_conn *conn) {
    const browser *b = hf_webrtc_owner(conn);
    return hf_core_channels_held(((const hf_rtc *)ctx)->node->core, b->channel.conn) > HELD_MAX;
}

static void on_sent(void *ctx, hf_webrtc_conn *conn, size_t len) {
    browser *b = hf_webrtc_owner(conn);
    hf_node_channel_sent(((hf_rtc *)ctx)->node, &b->channel, len);
}

static void on_lost(void *ctx, hf_webrtc_conn *conn, const char *reason) {
    browser *b = hf_webrtc_owner(conn);
    hf_say(HF_LEVEL_DEBUG, "connection lost", "via", "webrtc", "reason", reason, NULL);
    hf_node_channel_down(((hf_rtc *)ctx)->node, &b->channel);
    free(b);
}

static void on_undialled(void *ctx, uint64_t dial, const char *reason) {
    hf_node *node = ((hf_rtc *)ctx)->node;
    hf_host_dial_failed(hf_core_host(node->core), hf_node_now(node), dial, reason);
    hf_node_pump(node);
}

/* Peers hear of it when addresses are looked at next (p2p.c). */
static void on_renewed(void *ctx) {
    hf_say(HF_LEVEL_INFO, "the certificate of WebRTC was renewed: the address for browsers is another now", NULL);
    if (!hf_describe_to_lock(((hf_rtc *)ctx)->node)) hf_say(HF_LEVEL_WARN, "the addresses beside the lock are out of date", NULL);
}

/* ---- life ---- */

static bool read_address(const char *host, int port, struct sockaddr_storage *ret) {
    return !uv_ip4_addr(host, port, (struct sockaddr_in *)ret) || !uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret);
}

static hf_webrtc_events events_of(hf_rtc *rtc) {
    return (hf_webrtc_events){on_up, on_opened, on_received, on_channel_closed, on_channel_busy, is_full, on_sent, on_lost, on_undialled, on_renewed, rtc};
}

hf_rtc *hf_rtc_open(hf_node *node, const char **ret_problem) {
    struct sockaddr_storage address;
    const hf_options *o = node->options;
    hf_rtc *rtc = calloc(1, sizeof *rtc);
    if (!rtc) return *ret_problem = "out of memory", NULL;
    rtc->node = node;
    if (o->webrtc_port < 0) return rtc;
    hf_webrtc_config config = {.address = (const struct sockaddr *)&address, .certificate = rtc->certificate, .events = events_of(rtc)};
    *ret_problem = "the path of the data folder is too long";
    bool ok = snprintf(rtc->certificate, sizeof rtc->certificate, "%s/webrtc.pem", o->dir) < (int)sizeof rtc->certificate - 8;
    if (ok && !read_address(o->webrtc_host, o->webrtc_port, &address)) *ret_problem = "not an IP address", ok = false;
    if (ok) rtc->webrtc = hf_webrtc_open(node->loop, &config, ret_problem);
    if (rtc->webrtc) return rtc;
    free(rtc);
    return NULL;
}

int hf_rtc_port(const hf_rtc *rtc) {
    struct sockaddr_storage address;
    if (!rtc || !rtc->webrtc || hf_webrtc_address(rtc->webrtc, &address)) return 0;
    return ntohs(((struct sockaddr_in *)&address)->sin_port); /* the same place in both families */
}

void hf_rtc_add_certhash(const hf_rtc *rtc, hf_buf *buf) { hf_webrtc_add_certhash(rtc->webrtc, buf); }

void hf_rtc_dial(hf_node *node, const hf_out *out) {
    hf_rtc *rtc = node->rtc;
    hf_webrtc_events events = events_of(rtc);
    const char *problem = rtc ? hf_webrtc_call(&rtc->callers, node->loop, &events, out->dial, out->bytes) : "the address cannot be dialled";
    if (problem) hf_host_dial_failed(hf_core_host(node->core), hf_node_now(node), out->dial, problem);
}

void hf_rtc_dial_off(hf_rtc *rtc, uint64_t dial) {
    if (rtc) hf_webrtc_call_off(&rtc->callers, dial);
}

void hf_rtc_close(hf_rtc *rtc) {
    if (!rtc) return;
    for (hf_channel *c = rtc->node->channels; c; c = rtc->node->channels) { /* from the front again: much may happen when one goes */
        while (c && strcmp(c->via, "webrtc") != 0) c = c->next;
        if (!c) break;
        hf_node_channel_down(rtc->node, c);
        rtc_close(c);
    }
    hf_webrtc_close(rtc->webrtc);
    hf_webrtc_callers_close(&rtc->callers);
    free(rtc);
}

/* node_pump: what goes through the core: channels tell it what comes in, then it is drained: blocks to the store, bytes to channels, news to those who
 * listen. */
#include "control.h"
#include "http.h"
#include "node_private.h"
#include "p2p.h"
#include "rtc.h"
#include "say.h"
#include "tcp.h"
#include "warm.h"

#include <stdlib.h>
#include <string.h>

enum { HIGH_WATER = 1 << 20, LOW_WATER = 1 << 18 };

/* ---- channels ---- */

static hf_err enlist(hf_node *node, hf_channel *channel, hf_err err) {
    if (err) return err;
    if (node->parted) hf_core_conn_close(node->core, hf_node_now(node), channel->conn, "the node cannot store now");
    channel->next = node->channels;
    node->channels = channel;
    hf_node_pump(node);
    return HF_OK;
}

hf_err hf_node_channel_up(hf_node *node, hf_channel *channel, bool dialer, const hf_peer_id *expected, hf_bytes remote) {
    channel->conn = ++node->next_conn;
    channel->dialer = dialer;
    return enlist(node, channel, hf_core_conn_open(node->core, hf_node_now(node), channel->conn, dialer, expected, remote));
}

hf_err hf_node_channel_dialled(hf_node *node, hf_channel *channel, uint64_t dial, hf_bytes remote) {
    channel->conn = ++node->next_conn;
    channel->dialer = true;
    return enlist(node, channel, hf_host_conn_open(hf_core_host(node->core), hf_node_now(node), channel->conn, dial, remote));
}

hf_err hf_node_channels_up(hf_node *node, hf_channel *channel, uint64_t dial, const hf_channels_open *open) {
    channel->conn = ++node->next_conn;
    channel->dialer = open->dialer;
    return enlist(node, channel, hf_host_conn_open_channels(hf_core_host(node->core), hf_node_now(node), channel->conn, dial, open));
}

hf_channel *hf_node_channel_of(const hf_node *node, uint64_t conn) {
    hf_channel *c = node->channels;
    while (c && c->conn != conn) c = c->next;
    return c;
}

static void forget(hf_node *node, hf_channel *channel) {
    for (hf_channel **at = &node->channels; *at; at = &(*at)->next)
        if (*at == channel) {
            *at = channel->next;
            return;
        }
}

void hf_node_channel_recv(hf_node *node, hf_channel *channel, hf_bytes bytes) {
    hf_err err = hf_core_conn_recv(node->core, hf_node_now(node), channel->conn, bytes);
    if (err && err != HF_NOT_FOUND) hf_say(HF_LEVEL_ERROR, "peer input", "error", hf_err_name(err), NULL);
    hf_node_pump(node);
}

void hf_node_channel_sent(hf_node *node, hf_channel *channel, size_t len) {
    channel->queued_bytes -= len < channel->queued_bytes ? len : channel->queued_bytes;
    if (!channel->busy || channel->queued_bytes > LOW_WATER) return;
    channel->busy = false;
    hf_core_conn_busy(node->core, hf_node_now(node), channel->conn, false);
    hf_node_pump(node);
}

void hf_node_channel_down(hf_node *node, hf_channel *channel) {
    forget(node, channel);
    if (!node->core) return;
    hf_core_conn_lost(node->core, hf_node_now(node), channel->conn);
    hf_node_pump(node);
}

/* ---- the core's outputs ---- */

static void out_store(hf_node *node, const hf_out *out) {
    hf_bytes address = out->database ? hf_core_address(node->core, out->database) : HF_BYTES(NULL, 0);
    if (!hf_store_put(node->store, out->seq, address, HF_BYTES(out->cid, sizeof out->cid), out->bytes)) return;
    if (!node->failed) hf_say(HF_LEVEL_ERROR, "no memory for a block to store; stopping so that nothing is acknowledged falsely", NULL);
    node->ready = false;
    node->failed = true;
    uv_stop(node->loop);
}

static void out_send(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!channel) return;
    channel->queued_bytes += out->bytes.len;
    channel->send(channel, out->bytes);
    if (channel->busy || channel->queued_bytes < HIGH_WATER) return;
    channel->busy = true;
    hf_core_conn_busy(node->core, hf_node_now(node), channel->conn, true);
}

static void out_close(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!channel) return;
    forget(node, channel);
    hf_say(HF_LEVEL_DEBUG, "connection closed", "via", channel->via, "reason", out->reason ? out->reason : "", NULL);
    channel->close(channel);
}

static void say_peer(hf_node *node, const char *event, const hf_out *out) {
    hf_buf id;
    hf_buf_init(&id, &node->mem);
    hf_peer_id_add_text(&id, &out->peer);
    hf_buf_add_byte(&id, 0);
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!id.err) hf_say(HF_LEVEL_INFO, event, "peer", (const char *)id.ptr, "via", channel ? channel->via : "-", "reason", out->reason ? out->reason : "-", NULL);
    hf_buf_deinit(&id);
}

/* So that they are dialled again after a restart, before anybody tells of them. Written when no commit runs. */
static void keep_peers(hf_node *node) {
    if (!node->tcp || !hf_store_idle(node->store)) return;
    hf_buf lines;
    hf_buf_init(&lines, &node->mem);
    if (hf_tcp_news(node->tcp, &lines) && (lines.err || !hf_store_meta_set(node->store, "peers", hf_buf_bytes(&lines))))
        hf_say(HF_LEVEL_WARN, "found peers are not remembered", NULL);
    hf_buf_deinit(&lines);
}

static void peer_up(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (channel) channel->peer = out->peer;
    if (channel && !strcmp(channel->via, "tcp")) hf_tcp_reached(channel);
    say_peer(node, "peer up", out);
}

static void keep_refusal(hf_node *node, const hf_out *out) {
    hf_refused *r = &node->refused[node->n_refused++ % HF_REFUSED_KEPT];
    memcpy(r->digest, out->cid + HF_CID_LEN - sizeof r->digest, sizeof r->digest);
    r->reason = out->reason;
}

static void take(hf_node *node, const hf_out *out) {
    switch (out->kind) {
    case HF_OUT_STORE: out_store(node, out); break;
    case HF_OUT_SEND: out_send(node, out); break;
    case HF_OUT_CONN_CLOSE: out_close(node, out); break;
    case HF_OUT_CHANGED:
        if (node->http && hf_core_collection(node->core, out->database))
            hf_http_changed(node->http, hf_collection_schema(hf_core_collection(node->core, out->database))->name);
        break;
    case HF_OUT_DATABASE: hf_node_database_news(node, out); break;
    case HF_OUT_PEER_UP: peer_up(node, out); break;
    case HF_OUT_PEER_DOWN: say_peer(node, "peer down", out); break;
    case HF_OUT_REFUSED:
        if (!out->waits) keep_refusal(node, out);
        say_peer(node, out->waits ? "entry waits for a grant" : "entry refused", out);
        break;
    case HF_OUT_PEER_KNOWN:
    case HF_OUT_LEVEL:
    case HF_OUT_INTRODUCED:
    case HF_OUT_SIGNAL:
    case HF_OUT_REACHABLE: /* a node keeps no reservations */
    case HF_OUT_RTC_CALL:
    case HF_OUT_RTC_HEARD:
    case HF_OUT_RTC_ENDED:
    case HF_OUT_NONE: break;
    case HF_OUT_DIAL:
        if (hf_tcp_can_dial(NULL, out->bytes)) hf_tcp_dial(node, out);
        else hf_rtc_dial(node, out);
        break;
    case HF_OUT_DIAL_OFF:
        hf_tcp_dial_off(node->tcp, out->dial);
        hf_rtc_dial_off(node->rtc, out->dial);
        break;
    case HF_OUT_CONNECTED:
    case HF_OUT_SAID:
    case HF_OUT_NAMED: hf_p2p_said(node->p2p, out); break;
    }
}

static void on_timer(uv_timer_t *timer) {
    hf_node *node = timer->data;
    hf_core_tick(node->core, hf_node_now(node));
    hf_node_pump(node);
}

static void drain(hf_node *node) {
    hf_out out;
    while (hf_core_next(node->core, hf_node_now(node), &out)) take(node, &out);
}

static void take_steps(hf_node *node) {
    if (!node->control || node->turning) return;
    node->turning = true;
    hf_control_turn(node->control);
    node->turning = false;
    drain(node);
}

/* The last eighth is for what is written here. Once shut, the door stays so until there is room for some time. */
static void mind_the_door(hf_node *node) {
    uint64_t max = node->options->store_bytes, now_bytes = max ? hf_store_bytes(node->store) : 0;
    bool full = max && now_bytes >= (node->full ? max / 16 * 13 : max / 8 * 7);
    if (full == node->full) return;
    node->full = full;
    if (full) hf_say(HF_LEVEL_WARN, "the store is nearly as large as it may be (--max-store); entries of others are turned away", NULL);
    else hf_say(HF_LEVEL_INFO, "there is room in the store again; entries of others are asked for", NULL);
    hf_core_full(node->core, hf_node_now(node), full ? "this node has no room for others' entries" : NULL);
}

void hf_node_pump(hf_node *node) {
    mind_the_door(node);
    drain(node);
    take_steps(node);
    keep_peers(node);
    hf_blocks_rest(node->blocks);
    hf_store_commit(node->store);
    uint64_t at = hf_core_deadline(node->core), now = hf_node_now(node);
    if (at == UINT64_MAX) uv_timer_stop(&node->timer);
    else uv_timer_start(&node->timer, on_timer, at > now ? at - now : 0, 0);
}

void hf_node_stored(void *ctx, uint64_t seq) {
    hf_node *node = ctx;
    hf_core_stored(node->core, hf_node_now(node), seq);
    if (node->http) hf_http_stored(node->http, seq);
    hf_warm_turn(node->warm);
    hf_node_pump(node);
}

/* What peers send would have to wait in memory for the disk. They dial again, and are let in when it works. */
static void part_from_peers(hf_node *node) {
    for (hf_channel *c = node->channels; c; c = c->next) hf_core_conn_close(node->core, hf_node_now(node), c->conn, "the node cannot store now");
}

/* To answer a write would be a lie; to read is none. */
void hf_node_store_failed(void *ctx, const char *why) {
    hf_node *node = ctx;
    node->refuses = why != NULL;
    node->ready = !why && !node->stopping;
    if (why) hf_say(HF_LEVEL_ERROR, "the store cannot write; forms are refused until it can", "why", why, "dir", node->options->dir, NULL);
    else hf_say(HF_LEVEL_INFO, "the store can write again", NULL);
    node->parted = why && !hf_store_is_at_bound(node->store);
    if (!why) return;
    if (node->parted) part_from_peers(node);
    if (node->http) hf_http_refuse_waiting(node->http);
    hf_node_pump(node);
}

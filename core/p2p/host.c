/* host: see host.h. The swarm's events and the parts. */
#include "host_private.h"

#include <string.h>

/* ---- life ---- */

hf_host *hf_host_new(hf_mem *mem, const hf_host_config *config) {
    hf_host *host = hf_alloc(mem, sizeof *host);
    if (!host) return NULL;
    host->mem = mem;
    host->config = *config;
    host->swarm = hf_swarm_new(mem, &config->swarm);
    hf_err err = host->swarm ? HF_OK : HF_NOMEM;
    if (!err && config->dialling) err = config->dialling->start(host);
    host->config.swarm.ed25519_seed = NULL; /* the swarm has its copy */
    host->config.swarm.key = NULL;
    if (!err) return host;
    hf_host_free(host);
    return NULL;
}

void hf_host_free(hf_host *host) {
    if (!host) return;
    while (host->n_parts) {
        const hf_host_part *part = &host->parts[--host->n_parts];
        part->free(part->ctx);
    }
    if (host->config.dialling) host->config.dialling->stop(host);
    hf_swarm_free(host->swarm);
    hf_release(host->mem, host, sizeof *host);
}

hf_swarm *hf_host_swarm(const hf_host *host) { return host->swarm; }
hf_book *hf_host_book(const hf_host *host) { return host->book; }
const hf_peer_id *hf_host_self(const hf_host *host) { return hf_swarm_self(host->swarm); }

hf_err hf_host_add(hf_host *host, const hf_host_part *part) {
    if (host->n_parts == HF_HOST_PARTS_MAX) return HF_LIMIT;
    host->parts[host->n_parts++] = *part;
    return HF_OK;
}

/* ---- carriage ---- */

static void tell_ended(hf_host *host, uint64_t now_ms, uint64_t conn, const char *reason) {
    if (host->config.dialling) host->config.dialling->lost(host, now_ms, conn, reason);
    for (size_t i = 0; i < host->n_parts; i++)
        if (host->parts[i].ended) host->parts[i].ended(host->parts[i].ctx, now_ms, conn, reason);
}

hf_err hf_host_conn_open_own(hf_host *host, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote) {
    return hf_swarm_conn_open(host->swarm, now_ms, conn, dialer, expected, remote);
}

hf_err hf_host_conn_open_channels(hf_host *host, uint64_t now_ms, uint64_t conn, uint64_t dial, const hf_channels_open *open) {
    hf_peer_id expected = {.len = 0};
    hf_channels_open with = *open;
    if (dial && !hf_dialer_opened(host->dialer, dial, conn, &expected)) return HF_STATE;
    if (expected.len) with.expected = &expected;
    hf_err err = hf_swarm_conn_open_channels(host->swarm, now_ms, conn, &with);
    if (err) hf_dialer_conn_failed(host->dialer, now_ms, conn, err == HF_LIMIT ? "we have too many connections" : "it could not be opened");
    return err;
}

hf_err hf_host_channel_opened(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel) {
    return hf_swarm_channel_opened(host->swarm, now_ms, conn, channel);
}

hf_err hf_host_channel_recv(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message) {
    return hf_swarm_channel_recv(host->swarm, now_ms, conn, channel, message);
}

void hf_host_channel_closed(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel) {
    hf_swarm_channel_closed(host->swarm, now_ms, conn, channel);
}

void hf_host_channel_busy(hf_host *host, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy) {
    hf_swarm_channel_busy(host->swarm, now_ms, conn, channel, busy);
}

hf_err hf_host_conn_recv(hf_host *host, uint64_t now_ms, uint64_t conn, hf_bytes bytes) {
    return hf_swarm_conn_recv(host->swarm, now_ms, conn, bytes);
}

void hf_host_conn_lost(hf_host *host, uint64_t now_ms, uint64_t conn) {
    hf_swarm_conn_lost(host->swarm, now_ms, conn);
    tell_ended(host, now_ms, conn, "the connection was lost while it was being authenticated");
}

void hf_host_conn_busy(hf_host *host, uint64_t now_ms, uint64_t conn, bool busy) { hf_swarm_conn_busy(host->swarm, now_ms, conn, busy); }

bool hf_host_disconnect(hf_host *host, uint64_t now_ms, const hf_peer_id *peer) {
    uint64_t conn;
    bool any = false;
    while (hf_swarm_peer_conn(host->swarm, peer, 0, &conn)) {
        hf_swarm_conn_close(host->swarm, now_ms, conn, "we were told to disconnect");
        any = true;
    }
    return any;
}

/* ---- the swarm's events ---- */

static bool is_of_conn(hf_swarm_kind kind) { return kind == HF_SWARM_CONN_UP || kind == HF_SWARM_IDENTIFIED || kind == HF_SWARM_CONN_DOWN; }

static bool carried(hf_host *host, uint64_t now_ms, const hf_swarm_out *e) {
    bool taken = false;
    for (size_t i = 0; i < host->n_parts && !taken; i++)
        if (host->parts[i].carrier) taken = host->parts[i].event(host->parts[i].ctx, now_ms, e);
    return taken;
}

/* True: it is for the shell. */
static bool dispatch(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    const hf_swarm_out *e = &host->event;
    bool of_conn = is_of_conn(e->kind), taken = false;
    for (size_t i = 0; i < host->n_parts; i++) {
        const hf_host_part *part = &host->parts[i];
        bool own = !of_conn && e->tag >= part->tag && e->tag - part->tag < part->n_tags;
        if (!part->carrier && (own || of_conn)) (void)part->event(part->ctx, now_ms, e);
        taken = taken || own;
    }
    *out = (hf_host_out){.kind = HF_HOST_EVENT, .conn = e->conn, .peer = e->peer, .event = e};
    return !taken;
}

static bool take_event(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    const hf_swarm_out *e = &host->event;
    if (is_of_conn(e->kind) && host->config.dialling) host->config.dialling->event(host, now_ms, e);
    if (e->kind == HF_SWARM_CONN_CLOSE) tell_ended(host, now_ms, e->conn, e->reason);
    if (carried(host, now_ms, e)) return false;
    if (e->kind != HF_SWARM_SEND && e->kind != HF_SWARM_CONN_CLOSE) return dispatch(host, now_ms, out);
    *out = (hf_host_out){.kind = e->kind == HF_SWARM_SEND ? HF_HOST_SEND : HF_HOST_CLOSE, .conn = e->conn, .bytes = e->bytes, .reason = e->reason};
    return true;
}

/* ---- what comes out ---- */

static bool drain_part(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    for (size_t i = 0; i < host->n_parts; i++) {
        *out = (hf_host_out){.part = host->parts[i].name};
        if (!host->parts[i].next(host->parts[i].ctx, now_ms, out)) continue;
        if (out->kind == HF_HOST_DIAL || out->kind == HF_HOST_DIAL_OFF) out->dial |= HF_HOST_OF_PART | (uint64_t)i << HF_HOST_PART_SHIFT;
        return true;
    }
    return false;
}

hf_host_kind hf_host_next(hf_host *host, uint64_t now_ms, hf_host_out *ret_out) {
    const struct hf_host_dialling *dialling = host->config.dialling;
    bool shell;
    for (;;) {
        if (hf_swarm_next(host->swarm, &host->event)) {
            if (take_event(host, now_ms, ret_out)) return ret_out->kind;
            continue;
        }
        if (dialling && dialling->answer(host, now_ms, ret_out)) return ret_out->kind;
        if (drain_part(host, now_ms, ret_out)) {
            if (ret_out->kind) return ret_out->kind;
            continue;
        }
        if (!dialling || !dialling->next(host, now_ms, ret_out, &shell)) break;
        if (shell) return ret_out->kind;
    }
    *ret_out = (hf_host_out){.kind = HF_HOST_NONE};
    return HF_HOST_NONE;
}

/* ---- time ---- */

uint64_t hf_host_deadline(const hf_host *host) {
    uint64_t first = hf_swarm_deadline(host->swarm), d = host->config.dialling ? host->config.dialling->deadline(host) : UINT64_MAX;
    if (d < first) first = d;
    for (size_t i = 0; i < host->n_parts; i++) {
        const hf_host_part *part = &host->parts[i];
        d = part->deadline ? part->deadline(part->ctx) : UINT64_MAX;
        if (d < first) first = d;
    }
    return first;
}

void hf_host_tick(hf_host *host, uint64_t now_ms) {
    hf_swarm_tick(host->swarm, now_ms);
    if (host->config.dialling) host->config.dialling->tick(host, now_ms);
    for (size_t i = 0; i < host->n_parts; i++)
        if (host->parts[i].tick) host->parts[i].tick(host->parts[i].ctx, now_ms);
}

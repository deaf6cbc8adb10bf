/* host: see host.h. */
#include "host.h"

#include "../codec/multiaddr.h"

#include <string.h>

enum { ANSWERS_MAX = 64, PART_SHIFT = 48 };
static const uint64_t OF_PART = (uint64_t)1 << 63; /* contexts: this bit, the part's number, the part's own context */

struct hf_host {
    hf_mem *mem;
    hf_host_config config;
    hf_swarm *swarm;
    hf_book *book;
    hf_dialer *dialer;
    hf_host_part parts[HF_HOST_PARTS_MAX];
    size_t n_parts;
    hf_swarm_out event;
    /* Wishes that were granted before they were made. */
    struct answer { uint64_t context; hf_peer_id peer; } answers[ANSWERS_MAX];
    size_t n_answers;
};

/* ---- life ---- */

static bool is_relayed(hf_bytes address) {
    hf_multiaddr parts;
    return !hf_multiaddr_read(address, &parts, NULL) && hf_multiaddr_find(&parts, HF_MA_P2P_CIRCUIT);
}

/* The first part that carries such connections; n_parts: none. */
static size_t carrier_of(const hf_host *host, hf_bytes address) {
    size_t i = 0;
    while (i < host->n_parts && !(host->parts[i].can_dial && host->parts[i].can_dial(host->parts[i].ctx, address))) i++;
    return i;
}

static bool can_dial(void *ctx, hf_bytes address) {
    const hf_host *host = ctx;
    if (is_relayed(address)) return carrier_of(host, address) < host->n_parts;
    return host->config.can_dial && host->config.can_dial(host->config.ctx, address);
}

hf_host *hf_host_new(hf_mem *mem, const hf_host_config *config) {
    hf_host *host = hf_alloc(mem, sizeof *host);
    if (!host) return NULL;
    uint64_t seed;
    config->swarm.random(config->swarm.random_ctx, (uint8_t *)&seed, sizeof seed);
    host->mem = mem;
    host->config = *config;
    host->config.swarm.ed25519_seed = NULL; /* the swarm has its copy */
    host->config.swarm.key = NULL;
    host->swarm = hf_swarm_new(mem, &config->swarm);
    host->book = hf_book_new(mem, seed);
    host->dialer = host->book ? hf_dialer_new(mem, host->book, can_dial, host) : NULL;
    if (host->swarm && host->dialer) return host;
    hf_host_free(host);
    return NULL;
}

void hf_host_free(hf_host *host) {
    if (!host) return;
    while (host->n_parts) {
        const hf_host_part *part = &host->parts[--host->n_parts];
        part->free(part->ctx);
    }
    hf_dialer_free(host->dialer);
    hf_book_free(host->book);
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

hf_err hf_host_conn_open(hf_host *host, uint64_t now_ms, uint64_t conn, uint64_t dial, hf_bytes remote) {
    hf_peer_id expected = {.len = 0};
    if (dial && !hf_dialer_opened(host->dialer, dial, conn, &expected)) return HF_STATE;
    hf_err err = hf_swarm_conn_open(host->swarm, now_ms, conn, dial != 0, expected.len ? &expected : NULL, remote);
    if (err) hf_dialer_conn_failed(host->dialer, now_ms, conn, err == HF_LIMIT ? "we have too many connections" : "out of memory");
    return err;
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
    hf_dialer_conn_failed(host->dialer, now_ms, conn, "the connection was lost while it was being authenticated");
    hf_swarm_conn_lost(host->swarm, now_ms, conn);
}

void hf_host_conn_busy(hf_host *host, uint64_t now_ms, uint64_t conn, bool busy) { hf_swarm_conn_busy(host->swarm, now_ms, conn, busy); }

void hf_host_dial_failed(hf_host *host, uint64_t now_ms, uint64_t dial, const char *reason) {
    hf_dialer_failed(host->dialer, now_ms, dial, reason);
}

/* ---- wishes ---- */

static hf_err wish(hf_host *host, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                   uint64_t context) {
    if (peer && hf_peer_id_eq(peer, hf_host_self(host))) return HF_DENIED;
    if (!peer || !hf_swarm_connected(host->swarm, peer))
        return hf_dialer_wish(host->dialer, now_ms, peer, addrs, n_addrs, timeout_ms, context);
    if (host->n_answers == ANSWERS_MAX) return HF_LIMIT;
    host->answers[host->n_answers++] = (struct answer){context, *peer};
    return HF_OK;
}

hf_err hf_host_connect(hf_host *host, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                       uint64_t context) {
    hf_err err = HF_OK;
    if (peer && n_addrs) err = hf_book_add(host->book, now_ms, peer, HF_BOOK_USER, addrs, n_addrs, HF_BOOK_USER_MS);
    return err == HF_NOMEM ? err : wish(host, now_ms, peer, addrs, n_addrs, timeout_ms, context);
}

hf_err hf_host_part_connect(hf_host *host, uint64_t now_ms, const void *part_ctx, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs,
                            uint64_t context) {
    uint64_t part = 0;
    while (part < host->n_parts && host->parts[part].ctx != part_ctx) part++;
    HF_ASSERT(part < host->n_parts && context < (uint64_t)1 << PART_SHIFT);
    return wish(host, now_ms, peer, addrs, n_addrs, 0, OF_PART | part << PART_SHIFT | context);
}

bool hf_host_dial_opened(hf_host *host, uint64_t dial, uint64_t conn) {
    hf_peer_id expected;
    return hf_dialer_opened(host->dialer, dial, conn, &expected);
}

void hf_host_forget(hf_host *host, uint64_t context) { hf_dialer_forget(host->dialer, context); }

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

static void learn(hf_host *host, uint64_t now_ms, const hf_swarm_out *e) {
    const hf_identify *said = e->identify;
    hf_err err = hf_book_add(host->book, now_ms, &e->peer, HF_BOOK_SELF, said->addresses, said->n_addresses, HF_BOOK_KNOWN_MS);
    if (!err || err == HF_DENIED) err = hf_book_speaks(host->book, now_ms, &e->peer, said->protocols, said->n_protocols);
    (void)err; /* what the book has no room for is not known; nothing depends on it */
}

static void note_conn(hf_host *host, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_CONN_UP) {
        hf_book_keep(host->book, now_ms, &e->peer, true);
        hf_dialer_up(host->dialer, now_ms, e->conn, &e->peer);
    }
    if (e->kind == HF_SWARM_IDENTIFIED) learn(host, now_ms, e);
    if (e->kind == HF_SWARM_CONN_DOWN && e->last) hf_book_keep(host->book, now_ms, &e->peer, false);
}

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
    if (is_of_conn(e->kind)) note_conn(host, now_ms, e);
    if (e->kind == HF_SWARM_CONN_CLOSE) hf_dialer_conn_failed(host->dialer, now_ms, e->conn, e->reason);
    if (carried(host, now_ms, e)) return false;
    if (e->kind != HF_SWARM_SEND && e->kind != HF_SWARM_CONN_CLOSE) return dispatch(host, now_ms, out);
    *out = (hf_host_out){.kind = e->kind == HF_SWARM_SEND ? HF_HOST_SEND : HF_HOST_CLOSE, .conn = e->conn, .bytes = e->bytes, .reason = e->reason};
    return true;
}

/* ---- the dialer's ---- */

static bool dial(hf_host *host, uint64_t now_ms, const hf_dialer_out *d, hf_host_out *out) {
    *out = (hf_host_out){.kind = HF_HOST_DIAL, .dial = d->dial, .peer = d->peer, .bytes = d->address};
    if (!is_relayed(d->address)) return true;
    size_t i = carrier_of(host, d->address);
    if (i == host->n_parts) hf_dialer_failed(host->dialer, now_ms, d->dial, "no relay is known for this address");
    else host->parts[i].dial(host->parts[i].ctx, now_ms, d->dial, &d->peer, d->address);
    return false;
}

/* What a carrier has not opened yet it will hear about when it asks. */
static bool call_off(hf_host *host, uint64_t now_ms, const hf_dialer_out *d, hf_host_out *out) {
    *out = (hf_host_out){.kind = HF_HOST_DIAL_OFF, .dial = d->dial};
    if (d->conn) hf_swarm_conn_close(host->swarm, now_ms, d->conn, "another way to the peer was faster");
    return !d->conn;
}

static bool say_connected(hf_host *host, uint64_t now_ms, uint64_t context, const hf_peer_id *peer, const char *reason, hf_host_out *out) {
    *out = (hf_host_out){.kind = HF_HOST_CONNECTED, .context = context, .peer = *peer, .reason = reason};
    if (!(context & OF_PART)) return true;
    const hf_host_part *part = &host->parts[(context & ~OF_PART) >> PART_SHIFT];
    if (part->connected) part->connected(part->ctx, now_ms, peer, context & (((uint64_t)1 << PART_SHIFT) - 1), reason);
    return false;
}

static bool take_dialer(hf_host *host, uint64_t now_ms, const hf_dialer_out *d, hf_host_out *out) {
    if (d->kind == HF_DIALER_DIAL) return dial(host, now_ms, d, out);
    if (d->kind == HF_DIALER_CANCEL) return call_off(host, now_ms, d, out);
    return say_connected(host, now_ms, d->context, &d->peer, d->reason, out);
}

/* ---- what comes out ---- */

static bool answer(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    while (host->n_answers) {
        struct answer a = host->answers[0];
        memmove(host->answers, host->answers + 1, --host->n_answers * sizeof host->answers[0]);
        if (say_connected(host, now_ms, a.context, &a.peer, NULL, out)) return true;
    }
    return false;
}

static bool drain_part(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    for (size_t i = 0; i < host->n_parts; i++) {
        *out = (hf_host_out){.part = host->parts[i].name};
        if (host->parts[i].next(host->parts[i].ctx, now_ms, out)) return true;
    }
    return false;
}

hf_host_kind hf_host_next(hf_host *host, uint64_t now_ms, hf_host_out *ret_out) {
    hf_dialer_out dialled;
    for (;;) {
        if (hf_swarm_next(host->swarm, &host->event)) {
            if (take_event(host, now_ms, ret_out)) return ret_out->kind;
            continue;
        }
        if (answer(host, now_ms, ret_out)) return ret_out->kind;
        if (drain_part(host, now_ms, ret_out)) {
            if (ret_out->kind) return ret_out->kind;
            continue;
        }
        if (!hf_dialer_next(host->dialer, now_ms, &dialled)) break;
        if (take_dialer(host, now_ms, &dialled, ret_out)) return ret_out->kind;
    }
    *ret_out = (hf_host_out){.kind = HF_HOST_NONE};
    return HF_HOST_NONE;
}

/* ---- time ---- */

uint64_t hf_host_deadline(const hf_host *host) {
    uint64_t first = hf_swarm_deadline(host->swarm), d = hf_dialer_deadline(host->dialer);
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
    hf_dialer_tick(host->dialer, now_ms);
    for (size_t i = 0; i < host->n_parts; i++)
        if (host->parts[i].tick) host->parts[i].tick(host->parts[i].ctx, now_ms);
}

/* host_dial: the book and the dialer of a host, and wishes for connections: see host.h, host_private.h. */
#include "host_private.h"

#include "../codec/multiaddr.h"
#include "host_named.h"

#include <string.h>

/* ---- which addresses ---- */

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

/* ---- life ---- */

static hf_err start(hf_host *host) {
    uint64_t seed;
    host->config.swarm.random(host->config.swarm.random_ctx, (uint8_t *)&seed, sizeof seed);
    host->book = hf_book_new(host->mem, seed);
    host->dialer = host->book ? hf_dialer_new(host->mem, host->book, can_dial, host) : NULL;
    return host->dialer ? HF_OK : HF_NOMEM;
}

static void stop(hf_host *host) {
    hf_dialer_free(host->dialer);
    hf_book_free(host->book);
}

/* ---- the channels that were asked for ---- */

hf_err hf_host_conn_open(hf_host *host, uint64_t now_ms, uint64_t conn, uint64_t dial, hf_bytes remote) {
    hf_peer_id expected = {.len = 0};
    if (dial & HF_HOST_OF_PART) {
        const hf_host_part *part = hf_host_part_of(host, dial);
        return part->opened(part->ctx, now_ms, hf_host_own_number(dial), conn, remote);
    }
    if (dial && !hf_dialer_opened(host->dialer, dial, conn, &expected)) return HF_STATE;
    hf_err err = hf_swarm_conn_open(host->swarm, now_ms, conn, dial != 0, expected.len ? &expected : NULL, remote);
    if (err) hf_dialer_conn_failed(host->dialer, now_ms, conn, err == HF_LIMIT ? "we have too many connections" : "out of memory");
    return err;
}

void hf_host_dial_failed(hf_host *host, uint64_t now_ms, uint64_t dial, const char *reason) {
    if (!(dial & HF_HOST_OF_PART)) {
        hf_dialer_failed(host->dialer, now_ms, dial, reason);
        return;
    }
    const hf_host_part *part = hf_host_part_of(host, dial);
    part->failed(part->ctx, now_ms, hf_host_own_number(dial), reason);
}

bool hf_host_dial_opened(hf_host *host, uint64_t dial, uint64_t conn) {
    hf_peer_id expected;
    return hf_dialer_opened(host->dialer, dial, conn, &expected);
}

static void lost(hf_host *host, uint64_t now_ms, uint64_t conn, const char *reason) { hf_dialer_conn_failed(host->dialer, now_ms, conn, reason); }

/* ---- wishes ---- */

static hf_err wish(hf_host *host, uint64_t now_ms, const hf_peer_id *peer, const hf_bytes *addrs, size_t n_addrs, uint32_t timeout_ms,
                   uint64_t context) {
    if (peer && hf_peer_id_eq(peer, hf_host_self(host))) return HF_DENIED;
    if (!peer || !hf_swarm_connected(host->swarm, peer))
        return hf_dialer_wish(host->dialer, now_ms, peer, addrs, n_addrs, timeout_ms, context);
    if (host->n_answers == HF_HOST_ANSWERS_MAX) return HF_LIMIT;
    host->answers[host->n_answers++] = (struct hf_host_answer){context, *peer};
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
    HF_ASSERT(part < host->n_parts && context < (uint64_t)1 << HF_HOST_PART_SHIFT);
    return wish(host, now_ms, peer, addrs, n_addrs, 0, HF_HOST_OF_PART | part << HF_HOST_PART_SHIFT | context);
}

void hf_host_forget(hf_host *host, uint64_t context) { hf_dialer_forget(host->dialer, context); }

/* ---- the swarm's events ---- */

/* A peer out there cannot make us knock at doors of this machine or of its network. */
static void learn(hf_host *host, uint64_t now_ms, const hf_swarm_out *e) {
    const hf_identify *said = e->identify;
    hf_bytes remote = hf_swarm_conn_remote(host->swarm, e->conn), believed[HF_BOOK_ADDRESSES_MAX];
    size_t n = hf_host_believed(said->addresses, said->n_addresses, remote, believed);
    hf_peer_record record = {.peer = e->peer, .seq = said->record_seq, .addresses = believed, .n_addresses = n};
    hf_err err = said->record.len ? hf_book_certify(host->book, now_ms, &record, true, HF_BOOK_KNOWN_MS)
                                  : hf_book_add(host->book, now_ms, &e->peer, HF_BOOK_SELF, believed, n, HF_BOOK_KNOWN_MS);
    if (!err) err = hf_book_speaks(host->book, now_ms, &e->peer, said->protocols, said->n_protocols);
    (void)err; /* what the book has no room for is not known; nothing depends on it */
}

static void on_event(hf_host *host, uint64_t now_ms, const hf_swarm_out *e) {
    if (e->kind == HF_SWARM_CONN_UP) {
        hf_book_keep(host->book, now_ms, &e->peer, true);
        hf_dialer_up(host->dialer, now_ms, e->conn, &e->peer);
    }
    if (e->kind == HF_SWARM_IDENTIFIED) learn(host, now_ms, e);
    if (e->kind == HF_SWARM_CONN_DOWN && e->last) hf_book_keep(host->book, now_ms, &e->peer, false);
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
    if (!(context & HF_HOST_OF_PART)) return true;
    const hf_host_part *part = hf_host_part_of(host, context);
    if (part->connected) part->connected(part->ctx, now_ms, peer, hf_host_own_number(context), reason);
    return false;
}

static bool answer(hf_host *host, uint64_t now_ms, hf_host_out *out) {
    while (host->n_answers) {
        struct hf_host_answer a = host->answers[0];
        memmove(host->answers, host->answers + 1, --host->n_answers * sizeof host->answers[0]);
        if (say_connected(host, now_ms, a.context, &a.peer, NULL, out)) return true;
    }
    return false;
}

static bool next(hf_host *host, uint64_t now_ms, hf_host_out *out, bool *ret_shell) {
    hf_dialer_out d;
    if (!hf_dialer_next(host->dialer, now_ms, &d)) return false;
    if (d.kind == HF_DIALER_DIAL) *ret_shell = dial(host, now_ms, &d, out);
    else if (d.kind == HF_DIALER_CANCEL) *ret_shell = call_off(host, now_ms, &d, out);
    else *ret_shell = say_connected(host, now_ms, d.context, &d.peer, d.reason, out);
    return true;
}

static uint64_t deadline(const hf_host *host) { return hf_dialer_deadline(host->dialer); }
static void tick(hf_host *host, uint64_t now_ms) { hf_dialer_tick(host->dialer, now_ms); }

const struct hf_host_dialling hf_host_dialling = {start, stop, on_event, lost, answer, next, deadline, tick};

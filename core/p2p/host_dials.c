/* host_dials: see host_dials.h. */
#include "host_dials.h"

#include <string.h>

hf_err hf_host_dials_add(hf_host_dials *t, uint64_t now_ms, const hf_peer_id *peer, hf_bytes addr, const hf_host_way *way, uint64_t context) {
    hf_host_dial *d = t->dials;
    while (d < t->dials + HF_HOST_DIALS_MAX && d->number) d++;
    if (d == t->dials + HF_HOST_DIALS_MAX || addr.len > sizeof d->addr) return HF_LIMIT;
    uint64_t from = way->at_ms > now_ms ? way->at_ms : now_ms;
    *d = (hf_host_dial){.number = ++t->n_numbers, .context = context, .at_ms = way->at_ms, .deadline_ms = from + HF_HOST_DIALS_MS, .peer = *peer,
                        .addr_len = (uint16_t)addr.len, .port = way->port, .dialer = way->dialer, .aside = way->aside, .due = true};
    memcpy(d->addr, addr.ptr, addr.len);
    return HF_OK;
}

bool hf_host_dials_next(hf_host_dials *t, hf_host_out *out) {
    for (hf_host_dial *d = t->dials; d < t->dials + HF_HOST_DIALS_MAX; d++) {
        if (!d->number || (!d->due && !d->off)) continue;
        out->kind = d->off ? HF_HOST_DIAL_OFF : HF_HOST_DIAL;
        out->dial = d->number;
        out->peer = d->peer;
        out->bytes = HF_BYTES(d->addr, d->addr_len);
        out->port = d->port;
        out->at_ms = d->at_ms;
        if (d->off) d->number = 0;
        d->due = d->off = false;
        return true;
    }
    return false;
}

uint64_t hf_host_dials_deadline(const hf_host_dials *t) {
    uint64_t first = UINT64_MAX;
    for (const hf_host_dial *d = t->dials; d < t->dials + HF_HOST_DIALS_MAX; d++)
        if (d->number && !d->off && d->deadline_ms < first) first = d->deadline_ms;
    return first;
}

/* One that has a channel is ended by the swarm, which has its own time for handshakes. */
bool hf_host_dials_late(hf_host_dials *t, uint64_t now_ms, uint64_t *ret_context) {
    for (hf_host_dial *d = t->dials; d < t->dials + HF_HOST_DIALS_MAX; d++) {
        if (!d->number || d->off || d->deadline_ms > now_ms) continue;
        *ret_context = d->context;
        d->deadline_ms = UINT64_MAX;
        if (d->conn) hf_swarm_conn_close(t->swarm, now_ms, d->conn, "the dial took too long");
        if (d->conn || d->due) d->number = 0;
        else d->off = true;
        return true;
    }
    return false;
}

static hf_host_dial *find(hf_host_dials *t, uint64_t number, uint64_t conn) {
    for (hf_host_dial *d = t->dials; d < t->dials + HF_HOST_DIALS_MAX; d++)
        if (d->number && !d->off && (number ? d->number == number : d->conn == conn)) return d;
    return NULL;
}

hf_err hf_host_dials_opened(hf_host_dials *t, uint64_t now_ms, uint64_t number, uint64_t conn, hf_bytes remote) {
    hf_host_dial *d = find(t, number, 0);
    if (!d || d->conn) return HF_STATE;
    hf_err err = hf_swarm_conn_open(t->swarm, now_ms, conn, d->dialer, &d->peer, remote);
    if (err) return err;
    d->conn = conn;
    if (d->aside) hf_swarm_conn_aside(t->swarm, conn);
    return HF_OK;
}

bool hf_host_dials_over(hf_host_dials *t, uint64_t number, uint64_t conn, uint64_t *ret_context) {
    hf_host_dial *d = number || conn ? find(t, number, conn) : NULL;
    if (!d) return false;
    *ret_context = d->context;
    d->number = 0;
    return true;
}

bool hf_host_dials_up(hf_host_dials *t, uint64_t conn, uint64_t *ret_context) { return hf_host_dials_over(t, 0, conn, ret_context); }

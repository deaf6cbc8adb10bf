/* host_relay: see host_relay.h. */
#include "host_relay.h"

#include "../codec/multiaddr.h"

enum { WAITING_MAX = 64, FOR_RESERVATION = WAITING_MAX };

/* A dial that waits for a connection to its relay. */
typedef struct waiting { uint64_t dial; hf_peer_id via, target; } waiting; /* dial 0: free */

typedef struct relay_part {
    hf_mem *mem;
    hf_host *host;
    hf_relay *relay;
    waiting waiting[WAITING_MAX];
    hf_relay_out said;
} relay_part;

static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *event) { return hf_relay_event(((relay_part *)ctx)->relay, now_ms, event); }
static uint64_t deadline(void *ctx) { return hf_relay_deadline(((relay_part *)ctx)->relay); }
static void tick(void *ctx, uint64_t now_ms) { hf_relay_tick(((relay_part *)ctx)->relay, now_ms); }

static void free_part(void *ctx) {
    relay_part *p = ctx;
    hf_relay_free(p->relay);
    hf_release(p->mem, p, sizeof *p);
}

/* Why not, with the specification's name of the status: programs look for it. */
static const char *reason_of(const hf_relay_out *out) {
    switch (out->status) {
    case HF_RELAY_REFUSED: return "relay: RESERVATION_REFUSED (200)";
    case HF_RELAY_NO_ROOM: return "relay: RESOURCE_LIMIT_EXCEEDED (201)";
    case HF_RELAY_FORBIDDEN: return "relay: PERMISSION_DENIED (202)";
    case HF_RELAY_UNREACHED: return "relay: CONNECTION_FAILED (203)";
    case HF_RELAY_NO_RESERVATION: return "relay: NO_RESERVATION (204)";
    case HF_RELAY_MALFORMED: return "relay: MALFORMED_MESSAGE (400)";
    case HF_RELAY_UNEXPECTED: return "relay: UNEXPECTED_MESSAGE (401)";
    default: return out->reason ? out->reason : "relay: it did not work";
    }
}

/* ---- dialling ---- */

/* ADDRESS/p2p/VIA/p2p-circuit. *ret_of_via: ADDRESS, may be empty. */
static bool read_circuit(hf_bytes address, hf_peer_id *ret_via, hf_bytes *ret_of_via) {
    hf_multiaddr parts;
    if (hf_multiaddr_read(address, &parts, NULL) || parts.n < 2) return false;
    const hf_multiaddr_part *via = &parts.parts[parts.n - 2];
    if (parts.parts[parts.n - 1].code != HF_MA_P2P_CIRCUIT || via->code != HF_MA_P2P || hf_peer_id_read(via->value, ret_via)) return false;
    for (size_t i = 0; i + 1 < parts.n; i++)
        if (parts.parts[i].code == HF_MA_P2P_CIRCUIT) return false; /* a hop over a hop */
    *ret_of_via = hf_sub(address, 0, (size_t)(via->value.ptr - address.ptr) - 3); /* two bytes of code, one of length */
    return true;
}

static bool can_dial(void *ctx, hf_bytes address) {
    hf_peer_id via;
    hf_bytes of_via;
    (void)ctx;
    return read_circuit(address, &via, &of_via);
}

static void call(relay_part *p, uint64_t now_ms, uint64_t dial, const hf_peer_id *via, const hf_peer_id *target) {
    hf_err err = hf_relay_connect(p->relay, now_ms, via, target, dial);
    if (err) hf_host_dial_failed(p->host, now_ms, dial, err == HF_LIMIT ? "relay: too many connections are made" : "relay: no direct connection to it");
}

static void dial(void *ctx, uint64_t now_ms, uint64_t dial, const hf_peer_id *peer, hf_bytes address) {
    relay_part *p = ctx;
    hf_peer_id via;
    hf_bytes of_via;
    uint64_t conn;
    if (!peer->len || !read_circuit(address, &via, &of_via)) return hf_host_dial_failed(p->host, now_ms, dial, "relay: the address names no peer");
    if (!hf_swarm_direct(hf_host_swarm(p->host), &via, &conn)) return call(p, now_ms, dial, &via, peer);
    size_t i = 0;
    while (i < WAITING_MAX && p->waiting[i].dial) i++;
    hf_err err = i == WAITING_MAX ? HF_LIMIT : hf_host_part_connect(p->host, now_ms, p, &via, &of_via, of_via.len != 0, i);
    if (err) return hf_host_dial_failed(p->host, now_ms, dial, "relay: it cannot be dialled now");
    p->waiting[i] = (waiting){dial, via, *peer};
}

static void connected(void *ctx, uint64_t now_ms, const hf_peer_id *peer, uint64_t context, const char *reason) {
    relay_part *p = ctx;
    (void)peer;
    if (context >= WAITING_MAX || !p->waiting[context].dial) return;
    waiting w = p->waiting[context];
    p->waiting[context].dial = 0;
    if (reason) hf_host_dial_failed(p->host, now_ms, w.dial, reason);
    else call(p, now_ms, w.dial, &w.via, &w.target);
}

/* ---- what comes out ---- */

static bool next(void *ctx, uint64_t now_ms, hf_host_out *out) {
    relay_part *p = ctx;
    const hf_relay_out *said = &p->said;
    if (!hf_relay_next(p->relay, &p->said)) return false;
    bool ours = said->context && !said->inbound;
    /* When the dial was called off meanwhile, the connection stays all the same: it is one more way to the peer. */
    if (said->kind == HF_RELAY_CONNECTED && ours) (void)hf_host_dial_opened(p->host, said->context, said->conn);
    else if (said->kind == HF_RELAY_FAILED) hf_host_dial_failed(p->host, now_ms, said->context, reason_of(said));
    else if (said->kind == HF_RELAY_DIAL) (void)!hf_host_part_connect(p->host, now_ms, p, &said->via, NULL, 0, FOR_RESERVATION); /* asked again */
    else *out = (hf_host_out){.kind = HF_HOST_SAID, .part = HF_HOST_RELAY, .said = said};
    return true;
}

hf_err hf_host_add_relay(hf_host *host, hf_mem *mem, uint32_t tag, const hf_relay_config *config, hf_relay **ret_relay) {
    relay_part *p = hf_alloc(mem, sizeof *p);
    if (!p) return HF_NOMEM;
    *p = (relay_part){.mem = mem, .host = host, .relay = hf_relay_new(mem, hf_host_swarm(host), tag, config)};
    hf_host_part part = {.name = HF_HOST_RELAY, .ctx = p, .tag = tag, .n_tags = 2, .carrier = true, .event = on_event, .next = next, .deadline = deadline,
                         .tick = tick, .free = free_part, .connected = connected, .can_dial = can_dial, .dial = dial};
    hf_err err = p->relay ? hf_host_add(host, &part) : HF_NOMEM;
    if (err) free_part(p);
    else *ret_relay = p->relay;
    return err;
}

/* core_relay: others through relays: reservations, calls, the setting up of WebRTC connections. See core.h. */
#include "core_private.h"

#include "codec/multiaddr.h"
#include "core_tags.h"
#include "p2p/relay.h"

#include <string.h>

enum {
    RELAYS_MAX = 8,      /* as in relay.h */
    CALLS_MAX = 16,
    ADDRS_OF_RELAY_MAX = 2,
    ADDR_BYTES_MAX = 128,
    ALL_BYTES_MAX = 1000, /* identify's share for addresses */
};

/* Addresses at one relay: "…/p2p/RELAY/p2p-circuit/webrtc/p2p/SELF". */
typedef struct place {
    hf_peer_id relay; /* len 0: free */
    uint8_t addrs[ADDRS_OF_RELAY_MAX][ADDR_BYTES_MAX];
    uint8_t lens[ADDRS_OF_RELAY_MAX];
} place;

/* A relayed connection that is being made to call somebody. */
typedef struct call {
    uint64_t conn; /* 0: asked of the relay */
    uint32_t number; /* 0: free */
    hf_peer_id peer;
} call;

struct hf_core_relay {
    hf_relay *relay;
    hf_webrtc_signal *signal;
    place places[RELAYS_MAX];
    call calls[CALLS_MAX];
    uint32_t last_call;
    bool moved; /* addresses are to be told */
    hf_buf text;
    struct failed { hf_peer_id peer; const char *reason; } failed[CALLS_MAX];
    size_t n_failed;
};

/* ---- reservations ---- */

hf_err hf_core_reserve(hf_core *core, uint64_t now_ms, const hf_peer_id *relay) {
    return core->relay ? hf_relay_reserve(core->relay->relay, now_ms, relay) : HF_STATE;
}

static place *place_of(hf_core_relay *r, const hf_peer_id *relay) {
    size_t i = 0;
    while (i < RELAYS_MAX && !hf_peer_id_eq(&r->places[i].relay, relay)) i++;
    return i < RELAYS_MAX ? &r->places[i] : NULL;
}

static void forget_place(hf_core_relay *r, const hf_peer_id *relay) {
    place *p = place_of(r, relay);
    if (!p) return;
    *p = (place){.relay = {.len = 0}};
    r->moved = true;
}

void hf_core_unreserve(hf_core *core, const hf_peer_id *relay) {
    if (!core->relay) return;
    hf_relay_unreserve(core->relay->relay, relay);
    forget_place(core->relay, relay);
}

/* …/p2p-circuit/p2p/SELF -> …/p2p-circuit/webrtc/p2p/SELF. 0: not such an address, or too long. */
static size_t with_webrtc(hf_bytes address, uint8_t ret[ADDR_BYTES_MAX]) {
    static const uint8_t webrtc[] = {0x99, 0x02};
    hf_multiaddr parts;
    if (hf_multiaddr_read(address, &parts, NULL) || parts.n < 2 || parts.parts[parts.n - 2].code != HF_MA_P2P_CIRCUIT) return 0;
    if (parts.parts[parts.n - 1].code != HF_MA_P2P || address.len + sizeof webrtc > ADDR_BYTES_MAX) return 0;
    size_t head = (size_t)(parts.parts[parts.n - 1].value.ptr - address.ptr) - 3; /* two bytes of code, one of length */
    memcpy(ret, address.ptr, head);
    memcpy(ret + head, webrtc, sizeof webrtc);
    memcpy(ret + head + sizeof webrtc, address.ptr + head, address.len - head);
    return address.len + sizeof webrtc;
}

static void reserved(hf_core_relay *r, const hf_relay_out *said) {
    static const hf_peer_id nobody = {.len = 0};
    place *p = place_of(r, &said->via), before;
    size_t n = 0;
    if (!p) p = place_of(r, &nobody);
    if (!p) return;
    before = *p;
    *p = (place){.relay = said->via};
    for (size_t i = 0; i < said->n_addrs && n < ADDRS_OF_RELAY_MAX; i++) {
        size_t len = with_webrtc(said->addrs[i], p->addrs[n]);
        if (len) p->lens[n++] = (uint8_t)len;
    }
    if (memcmp(&before, p, sizeof before) != 0) r->moved = true;
}

/* Tells identify and the shell. */
static bool show_addresses(hf_core *core, hf_out *out) {
    hf_core_relay *r = core->relay;
    hf_bytes addrs[RELAYS_MAX * ADDRS_OF_RELAY_MAX];
    size_t n = 0, total = 0;
    if (!r->moved) return false;
    r->moved = false;
    hf_buf_clear(&r->text);
    for (size_t i = 0; i < RELAYS_MAX * ADDRS_OF_RELAY_MAX; i++) {
        const place *p = &r->places[i / ADDRS_OF_RELAY_MAX];
        hf_bytes addr = HF_BYTES(p->addrs[i % ADDRS_OF_RELAY_MAX], p->lens[i % ADDRS_OF_RELAY_MAX]);
        total += addr.len + 3;
        if (!addr.len || total > ALL_BYTES_MAX || hf_multiaddr_text(addr, &r->text)) continue;
        hf_buf_add_byte(&r->text, '\n');
        addrs[n++] = addr;
    }
    (void)!hf_swarm_addresses(core->swarm, addrs, n); /* without memory identify says what it said before */
    out->kind = HF_OUT_REACHABLE;
    out->bytes = hf_buf_bytes(&r->text);
    return true;
}

/* ---- calls ---- */

static void call_failed(hf_core_relay *r, const hf_peer_id *peer, const char *reason) {
    if (r->n_failed < CALLS_MAX) r->failed[r->n_failed++] = (struct failed){*peer, reason};
}

/* The relayed connection stands and is authenticated. */
static void ring(hf_core *core, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer) {
    uint32_t session;
    if (hf_webrtc_signal_call(core->relay->signal, now_ms, conn, peer, &session)) call_failed(core->relay, peer, "webrtc signalling: too much is under way");
}

static call *find_call(hf_core_relay *r, uint32_t number, uint64_t conn) {
    for (size_t i = 0; i < CALLS_MAX; i++)
        if (number ? r->calls[i].number == number : r->calls[i].number && r->calls[i].conn == conn) return &r->calls[i];
    return NULL;
}

/* The first connection to the peer, relayed or not as asked; false: none. */
static bool conn_to(const hf_core *core, const hf_peer_id *peer, bool relayed, uint64_t *ret_conn) {
    for (size_t i = 0; hf_swarm_peer_conn(core->swarm, peer, i, ret_conn); i++)
        if (hf_relay_is_conn(*ret_conn) == relayed) return true;
    return false;
}

hf_err hf_core_meet(hf_core *core, uint64_t now_ms, const hf_peer_id *relay, const hf_peer_id *peer) {
    hf_core_relay *r = core->relay;
    uint64_t conn;
    if (!r) return HF_STATE;
    if (hf_peer_id_eq(peer, hf_core_self(core)) || conn_to(core, peer, false, &conn)) return HF_EXISTS;
    if (conn_to(core, peer, true, &conn)) return ring(core, now_ms, conn, peer), HF_OK;
    size_t i = 0;
    while (i < CALLS_MAX && r->calls[i].number) i++;
    if (i == CALLS_MAX) return HF_LIMIT;
    hf_err err = hf_relay_connect(r->relay, now_ms, relay, peer, ++r->last_call);
    if (!err) r->calls[i] = (call){0, r->last_call, *peer};
    return err;
}

static void relay_said(hf_core_relay *r, const hf_relay_out *said) {
    if (said->kind == HF_RELAY_RESERVED) reserved(r, said);
    if (said->kind == HF_RELAY_LOST) forget_place(r, &said->via);
    call *c = said->context && !said->inbound ? find_call(r, (uint32_t)said->context, 0) : NULL;
    if (!c) return;
    if (said->kind == HF_RELAY_CONNECTED) c->conn = said->conn;
    if (said->kind != HF_RELAY_FAILED) return;
    call_failed(r, &c->peer, said->reason ? said->reason : "relay: it did not work");
    c->number = 0;
}

/* ---- the swarm's events ---- */

static void take_conn(hf_core *core, uint64_t now_ms, const hf_swarm_out *e) {
    hf_core_relay *r = core->relay;
    call *c = hf_relay_is_conn(e->conn) ? find_call(r, 0, e->conn) : NULL;
    if (c && e->kind != HF_SWARM_IDENTIFIED) {
        if (e->kind == HF_SWARM_CONN_UP) ring(core, now_ms, e->conn, &e->peer);
        else call_failed(r, &c->peer, e->reason);
        c->number = 0;
    }
}

/* A carrier of the host (p2p/host.h): every event comes here first. */
static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *e) {
    hf_core *core = ctx;
    hf_core_relay *r = core->relay;
    bool of_conn = e->kind == HF_SWARM_CONN_UP || e->kind == HF_SWARM_IDENTIFIED || e->kind == HF_SWARM_CONN_DOWN;
    if (of_conn || (e->kind == HF_SWARM_CONN_CLOSE && hf_relay_is_conn(e->conn))) take_conn(core, now_ms, e);
    if (hf_relay_event(r->relay, now_ms, e)) return true;
    if (of_conn) return e->limited; /* those are nobody's but ours */
    if (e->kind == HF_SWARM_SEND || e->kind == HF_SWARM_CONN_CLOSE || e->tag != TAG_WEBRTC) return false;
    hf_webrtc_signal_event(r->signal, now_ms, e);
    return true;
}

/* ---- life; the core asks what comes out and keeps the time ---- */

static bool nothing(void *ctx, uint64_t now_ms, hf_host_out *out) { return (void)ctx, (void)now_ms, (void)out, false; }
static void stays(void *ctx) { (void)ctx; }

hf_err hf_core_relay_init(hf_core *core) {
    hf_core_relay *r = core->relay = hf_alloc(core->mem, sizeof *r);
    if (!r) return HF_NOMEM;
    hf_buf_init(&r->text, core->mem);
    r->relay = hf_relay_new(core->mem, core->swarm, TAG_RELAY, &(hf_relay_config){.unix_offset_ms = core->config.unix_offset_ms});
    r->signal = r->relay ? hf_webrtc_signal_new(core->mem, core->swarm, TAG_WEBRTC) : NULL;
    if (!r->signal) return HF_NOMEM;
    hf_host_part part = {.name = "meet", .ctx = core, .carrier = true, .event = on_event, .next = nothing, .free = stays};
    return hf_host_add(core->host, &part);
}

void hf_core_relay_free(hf_core *core) {
    hf_core_relay *r = core->relay;
    if (!r) return;
    hf_webrtc_signal_free(r->signal);
    hf_relay_free(r->relay);
    hf_buf_deinit(&r->text);
    hf_release(core->mem, r, sizeof *r);
}

/* ---- sessions ---- */

hf_err hf_core_rtc_say(hf_core *core, uint64_t now_ms, uint32_t session, hf_webrtc_signal_type type, hf_bytes data) {
    return core->relay ? hf_webrtc_signal_say(core->relay->signal, now_ms, session, type, data) : HF_STATE;
}

/* For identify: "/webrtc/p2p/PEER", as js has it. */
static size_t remote_of(const hf_peer_id *peer, uint8_t ret[64]) {
    static const uint8_t head[] = {0x99, 0x02, 0xa5, 0x03};
    hf_bytes id = hf_peer_id_bytes(peer);
    memcpy(ret, head, sizeof head);
    ret[sizeof head] = (uint8_t)id.len;
    memcpy(ret + sizeof head + 1, id.ptr, id.len);
    return sizeof head + 1 + id.len;
}

hf_err hf_core_rtc_up(hf_core *core, uint64_t now_ms, uint32_t session, uint64_t conn) {
    hf_peer_id peer;
    bool caller;
    uint8_t remote[64];
    if (!core->relay) return HF_STATE;
    hf_err err = hf_webrtc_signal_with(core->relay->signal, session, &peer, &caller);
    if (err) return err;
    hf_channels_open open = {.dialer = caller, .peer = &peer, .remote = HF_BYTES(remote, remote_of(&peer, remote))};
    err = hf_swarm_conn_open_channels(core->swarm, now_ms, conn, &open);
    hf_webrtc_signal_end(core->relay->signal, now_ms, session, !err);
    return err;
}

void hf_core_rtc_failed(hf_core *core, uint64_t now_ms, uint32_t session) {
    if (core->relay) hf_webrtc_signal_end(core->relay->signal, now_ms, session, false);
}

/* ---- what comes out, and time ---- */

static bool show_signal(hf_core_relay *r, hf_out *out) {
    hf_webrtc_signal_out s;
    if (!hf_webrtc_signal_next(r->signal, &s)) return false;
    out->kind = s.kind == HF_WEBRTC_SIGNAL_CALL ? HF_OUT_RTC_CALL : s.kind == HF_WEBRTC_SIGNAL_HEARD ? HF_OUT_RTC_HEARD : HF_OUT_RTC_ENDED;
    out->session = s.session;
    out->peer = s.peer;
    out->type = s.type;
    out->bytes = s.data;
    out->reason = s.reason;
    return true;
}

bool hf_core_relay_next(hf_core *core, uint64_t now_ms, hf_out *out) {
    hf_core_relay *r = core->relay;
    hf_relay_out said;
    (void)now_ms;
    if (!r) return false;
    if (hf_relay_next(r->relay, &said)) return relay_said(r, &said), true;
    if (r->n_failed) {
        struct failed f = r->failed[--r->n_failed];
        out->kind = HF_OUT_RTC_ENDED;
        out->peer = f.peer;
        out->reason = f.reason;
        return true;
    }
    return show_signal(r, out) || show_addresses(core, out);
}

void hf_core_relay_tick(hf_core *core, uint64_t now_ms) {
    if (!core->relay) return;
    hf_relay_tick(core->relay->relay, now_ms);
    hf_webrtc_signal_tick(core->relay->signal, now_ms);
}

uint64_t hf_core_relay_deadline(const hf_core *core) {
    if (!core->relay) return UINT64_MAX;
    uint64_t a = hf_relay_deadline(core->relay->relay), b = hf_webrtc_signal_deadline(core->relay->signal);
    return a < b ? a : b;
}

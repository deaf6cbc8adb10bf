/* swarm_identify: the protocols that the swarm speaks by itself: identify and its push in both roles, ping in both
 * roles. They run on ordinary streams. Specs: libp2p/specs identify/README.md, ping/ping.md.
 *
 * Asking is bounded by the negotiation's time: an identify or ping that is not done then is reset. js gives 5 s and 10
 * s.
 */
#include "swarm_private.h"

#include "../codec/varint.h"
#include "peer_record.h"
#include "reach.h"

#include <string.h>

static const struct service {
    const char *name;
    hf_role in, out;
} services[] = {
    {HF_IDENTIFY_PROTOCOL, HF_ROLE_IDENTIFY_IN, HF_ROLE_IDENTIFY_OUT},
    {HF_IDENTIFY_PUSH_PROTOCOL, HF_ROLE_PUSH_IN, HF_ROLE_PUSH_OUT},
    {HF_PING_PROTOCOL, HF_ROLE_PING_IN, HF_ROLE_PING_OUT},
};

hf_role hf_service_role(hf_bytes protocol) {
    for (size_t i = 0; i < HF_COUNT(services); i++)
        if (hf_eq(protocol, hf_str(services[i].name))) return services[i].in;
    return HF_ROLE_UNKNOWN;
}

bool hf_link_speaks(const hf_link *link, hf_bytes protocol) {
    for (size_t i = 0; i < link->identify.n_protocols; i++)
        if (hf_eq(link->identify.protocols[i], protocol)) return true;
    return false;
}

/* ---- saying who we are ---- */

/* Of our addresses those that concern who is at the other end: what leads into our own network is nobody's business outside. */
static hf_err list_ours(const hf_link *link, hf_arena *arena, hf_identify *said) {
    const hf_swarm *swarm = link->swarm;
    size_t n = HF_COUNT(services) + swarm->n_protocols;
    hf_bytes *items = hf_arena_alloc(arena, (n + swarm->n_addresses + 1) * sizeof *items);
    if (!items) return HF_NOMEM;
    said->protocols = items;
    said->n_protocols = n;
    for (size_t i = 0; i < HF_COUNT(services); i++) *items++ = hf_str(services[i].name);
    for (size_t i = 0; i < swarm->n_protocols; i++)
        *items++ = HF_BYTES(swarm->protocols[i].name, swarm->protocols[i].len);
    said->addresses = items;
    const uint8_t *p = swarm->addresses.ptr;
    for (size_t i = 0; i < swarm->n_addresses; i++) {
        uint16_t len;
        memcpy(&len, p, sizeof len);
        hf_bytes address = HF_BYTES(p + sizeof len, len);
        if (hf_reach_concerns(address, HF_BYTES(link->remote, link->remote_len))) items[said->n_addresses++] = address;
        p += sizeof len + len;
    }
    return HF_OK;
}

static void add_record(hf_swarm *swarm, const hf_identify *said, uint64_t seq, hf_buf *payload) {
    hf_peer_record record = {.peer = swarm->self, .seq = seq, .addresses = said->addresses, .n_addresses = said->n_addresses};
    hf_buf_clear(payload);
    hf_peer_record_add(payload, &record);
}

/* Made anew when the addresses are others than in the last one (some concern only who is near), with a higher number than any before, of an earlier life
 * too. */
static hf_err make_record(hf_swarm *swarm, const hf_identify *said) {
    uint64_t unix_ms = (uint64_t)(swarm->config.unix_offset_ms + (int64_t)swarm->now_ms);
    uint64_t seq = unix_ms > swarm->record_seq ? unix_ms : swarm->record_seq + 1;
    hf_buf payload;
    hf_buf_init(&payload, swarm->mem);
    add_record(swarm, said, swarm->record_seq, &payload);
    bool same = swarm->record.len && !payload.err && hf_eq(hf_buf_bytes(&payload), hf_buf_bytes(&swarm->record_payload));
    if (!same) {
        hf_buf_clear(&swarm->record);
        add_record(swarm, said, seq, &payload);
        if (!payload.err) hf_swarm_seal(swarm, HF_TEXT(HF_PEER_RECORD_DOMAIN), HF_TEXT(HF_PEER_RECORD_TYPE), hf_buf_bytes(&payload), &swarm->record);
        hf_buf_clear(&swarm->record_payload);
        hf_buf_add(&swarm->record_payload, hf_buf_bytes(&payload));
        swarm->record_seq = seq;
    }
    hf_err err = payload.err ? payload.err : swarm->record_payload.err ? swarm->record_payload.err : swarm->record.err;
    hf_buf_deinit(&payload);
    if (err) hf_buf_clear(&swarm->record);
    return err;
}

/* The record goes along where it can be made and has room. */
static hf_err add_message(hf_swarm *swarm, hf_identify_message *m, hf_buf *message) {
    bool sealable = swarm->config.unix_offset_ms && !swarm->is_foreign;
    hf_err err = sealable ? make_record(swarm, &m->said) : HF_OK;
    m->said.record = hf_buf_bytes(&swarm->record);
    hf_identify_add(message, m);
    if (message->len > HF_IDENTIFY_BYTES_MAX) {
        hf_buf_clear(message);
        m->said.record = (hf_bytes){0};
        hf_identify_add(message, m);
    }
    return err ? err : message->err;
}

static hf_err make_message(hf_link *link, hf_buf *ret) {
    hf_swarm *swarm = link->swarm;
    hf_arena arena;
    hf_buf message;
    hf_arena_init(&arena, swarm->mem);
    hf_buf_init(&message, swarm->mem);
    hf_identify_message m = {.public_key = hf_buf_bytes(&swarm->key_message)};
    m.said.agent = hf_buf_bytes(&swarm->agent);
    m.said.protocol_version = HF_TEXT(HF_IDENTIFY_VERSION);
    m.said.observed = HF_BYTES(link->remote, link->remote_len);
    hf_err err = list_ours(link, &arena, &m.said);
    if (!err) err = add_message(swarm, &m, &message);
    if (!err) {
        hf_varint_add(ret, message.len);
        hf_buf_add(ret, hf_buf_bytes(&message));
        err = ret->err;
    }
    hf_buf_deinit(&message);
    hf_arena_deinit(&arena);
    return err;
}

/* Writes our message and finishes. */
static hf_err say(hf_stream *s, uint64_t now_ms) {
    hf_buf framed;
    hf_buf_init(&framed, s->link->swarm->mem);
    hf_err err = make_message(s->link, &framed);
    if (!err) err = hf_mux_write(s->link->mux, now_ms, s->mux, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
    hf_mux_finish(s->link->mux, s->mux);
    return err == HF_NOMEM ? err : HF_OK;
}

static void push(hf_link *link, uint64_t now_ms) {
    hf_stream *s;
    if (!link->up || link->closing || !hf_link_speaks(link, HF_TEXT(HF_IDENTIFY_PUSH_PROTOCOL))) return;
    if (hf_stream_open(link, now_ms, HF_TEXT(HF_IDENTIFY_PUSH_PROTOCOL), HF_ROLE_PUSH_OUT, 0, &s)) return;
    if (say(s, now_ms)) hf_link_fail(link, "out of memory", HF_YAMUX_INTERNAL_ERROR);
}

void hf_service_push_all(hf_swarm *swarm, uint64_t now_ms) {
    for (hf_link *link = swarm->first; link; link = link->next) push(link, now_ms);
}

/* ---- hearing who they are ---- */

static hf_err learn(hf_link *link, const hf_identify *said) {
    hf_arena fresh;
    hf_identify merged;
    hf_arena_init(&fresh, link->swarm->mem);
    hf_err err = hf_identify_merge(&fresh, &link->identify, said, &merged);
    if (err) {
        hf_arena_deinit(&fresh);
        return err;
    }
    hf_arena_deinit(&link->identify_arena);
    link->identify_arena = fresh;
    link->identify = merged;
    link->identified = true;
    hf_event_push(link->swarm, &link->identified_event, HF_SWARM_IDENTIFIED, link, NULL);
    return HF_OK;
}

/* Somebody else's key under this channel is a lie; the message is dropped, the connection is still its owner's. */
static bool is_own_key(const hf_link *link, hf_bytes public_key) {
    hf_peer_id id;
    return public_key.len == 0 || (!hf_peer_id_of_key(public_key, &id) && hf_peer_id_eq(&id, &link->conn.peer));
}

/* A sound record is what counts of its addresses; one that is not, or is somebody else's, is as if it had not been sent. */
static hf_err check_record(hf_link *link, hf_arena *arena, hf_identify *said) {
    hf_peer_record record;
    hf_err err = said->record.len ? hf_peer_record_open(arena, said->record, &record) : HF_DENIED;
    if (err == HF_NOMEM) return err;
    if (err || !hf_peer_id_eq(&record.peer, &link->conn.peer)) {
        said->record = (hf_bytes){0};
        return HF_OK;
    }
    said->addresses = record.addresses;
    said->n_addresses = record.n_addresses;
    said->record_seq = record.seq;
    return HF_OK;
}

static hf_err hear(hf_stream *s, hf_bytes message) {
    hf_link *link = s->link;
    hf_arena arena;
    hf_identify_message m;
    hf_arena_init(&arena, link->swarm->mem);
    hf_err err = hf_identify_read(&arena, message, &m, NULL);
    bool refused = err == HF_MALFORMED || err == HF_LIMIT || (!err && !is_own_key(link, m.public_key));
    if (!err && !refused) err = check_record(link, &arena, &m.said);
    if (!err && !refused) err = learn(link, &m.said);
    hf_arena_deinit(&arena);
    if (refused)
        hf_stream_gone(s, true, NULL);
    else if (!err)
        hf_mux_finish(link->mux, s->mux);
    return err == HF_NOMEM ? err : HF_OK;
}

static hf_err collect(hf_stream *s, hf_bytes bytes) {
    enum { FRAMED_MAX = HF_IDENTIFY_BYTES_MAX + HF_VARINT_MAX };
    hf_bytes message;
    hf_buf_add(&s->collect, hf_sub(bytes, 0, FRAMED_MAX - s->collect.len));
    if (s->collect.err) return HF_NOMEM;
    hf_err err = hf_identify_unframe(hf_buf_bytes(&s->collect), &message);
    if (err == HF_TRUNCATED) return HF_OK;
    if (!err) return hear(s, message);
    hf_stream_gone(s, true, NULL);
    return HF_OK;
}

/* ---- ping ---- */

void hf_service_ping(hf_link *link, uint64_t now_ms) {
    hf_swarm *swarm = link->swarm;
    hf_stream *s;
    if (link->pinging || !hf_link_speaks(link, HF_TEXT(HF_PING_PROTOCOL))) return;
    if (hf_stream_open(link, now_ms, HF_TEXT(HF_PING_PROTOCOL), HF_ROLE_PING_OUT, 0, &s)) return;
    uint8_t *p = hf_buf_extend(&s->collect, HF_PING_LEN);
    if (p) swarm->config.random(swarm->config.random_ctx, p, HF_PING_LEN);
    if (!p || hf_mux_write(link->mux, now_ms, s->mux, HF_BYTES(p, HF_PING_LEN))) {
        hf_stream_gone(s, true, NULL);
        return;
    }
    link->pinging = true;
    link->ping_sent_ms = now_ms;
}

/* A peer that echoes something else has lost count: this stream says nothing about the connection any more. */
static hf_err take_pong(hf_stream *s, uint64_t now_ms, hf_bytes bytes) {
    hf_link *link = s->link;
    if (bytes.len > s->collect.len || !hf_eq(bytes, hf_sub(hf_buf_bytes(&s->collect), 0, bytes.len))) {
        hf_stream_gone(s, true, NULL);
        return HF_OK;
    }
    hf_buf_consume(&s->collect, bytes.len);
    if (s->collect.len) return HF_OK;
    link->ping_rtt_ms = (uint32_t)(now_ms - link->ping_sent_ms);
    hf_mux_finish(link->mux, s->mux);
    return HF_OK;
}

/* Echoes what comes, in the cuts it comes in. A peer that pings and does not read the answers fills its own stream's
 * buffer. */
static hf_err echo(hf_stream *s, uint64_t now_ms, hf_bytes bytes) {
    hf_err err = hf_mux_write(s->link->mux, now_ms, s->mux, bytes);
    if (err == HF_NOMEM) return err;
    if (err) hf_stream_gone(s, true, NULL);
    return HF_OK;
}

/* ---- by role ---- */

hf_err hf_service_open(hf_stream *s, uint64_t now_ms) {
    if (s->role == HF_ROLE_PING_IN) s->deadline_ms = UINT64_MAX; /* some peers keep one ping stream for ever */
    return s->role == HF_ROLE_IDENTIFY_IN ? say(s, now_ms) : HF_OK;
}

hf_err hf_service_data(hf_stream *s, uint64_t now_ms, hf_bytes bytes) {
    switch (s->role) {
        case HF_ROLE_IDENTIFY_OUT:
        case HF_ROLE_PUSH_IN: return collect(s, bytes);
        case HF_ROLE_PING_IN: return echo(s, now_ms, bytes);
        case HF_ROLE_PING_OUT: return take_pong(s, now_ms, bytes);
        default: return HF_OK; /* nothing is to be said on these */
    }
}

void hf_service_fin(hf_stream *s) {
    hf_mux_finish(s->link->mux, s->mux);
    if (hf_mux_over(s->link->mux, s->mux)) hf_stream_gone(s, false, NULL);
}

void hf_service_start(hf_link *link, uint64_t now_ms) {
    for (const hf_stream *s = link->first; s; s = s->next)
        if (s->role == HF_ROLE_IDENTIFY_OUT) return;
    hf_stream *s;
    hf_err err = hf_stream_open(link, now_ms, HF_TEXT(HF_IDENTIFY_PROTOCOL), HF_ROLE_IDENTIFY_OUT, 0, &s);
    if (err) hf_link_fail(link, "out of memory", HF_YAMUX_INTERNAL_ERROR);
}

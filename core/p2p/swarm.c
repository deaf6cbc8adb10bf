/* swarm: the face: life, protocols, carriage, looking in. See swarm.h; swarm_private.h says which file holds what. */
#include "swarm_private.h"

#include "../crypto/crypto.h"
#include "envelope.h"

#include <string.h>

/* What goes into identify must fit 8 KiB, which is all that js reads: 80 heads protocols of OrbitDB (77 bytes each) and
 * some addresses. */
enum {
    PROTOCOL_BYTES_MAX = 6400,
    PROTOCOLS_MAX = 400,
    ADDRESS_BYTES_MAX = 1024,
    ADDRESSES_MAX = 64,
    LIMITED_PROTOCOLS_MAX = 32,
    AGENT_BYTES_MAX = 128
};

/* ---- life ---- */

static uint32_t or_default(uint32_t value, uint32_t fallback) { return value ? value : fallback; }

static void take_config(hf_swarm *swarm, const hf_swarm_config *config) {
    hf_swarm_config *c = &swarm->config;
    *c = *config;
    c->ed25519_seed = NULL; /* copied below; the caller's memory is not ours to keep */
    c->key = NULL;
    c->agent = HF_BYTES(NULL, 0);
    c->conns_max = or_default(c->conns_max, 200);
    c->conns_per_peer_max = or_default(c->conns_per_peer_max, 4);
    c->streams_in_max = or_default(c->streams_in_max, 256);
    c->handshake_ms = or_default(c->handshake_ms, 10000);
    c->negotiate_ms = or_default(c->negotiate_ms, 10000);
    c->ping_ms = or_default(c->ping_ms, 15000);
    c->send_buffer_bytes_max = or_default(c->send_buffer_bytes_max, 1024 * 1024);
}

static hf_err make_payload(hf_swarm *swarm, const hf_swarm_config *config) {
    const uint8_t *static_public = swarm->keys.static_public;
    swarm->is_foreign = config->key != NULL;
    if (config->key) {
        hf_buf_add(&swarm->key_message, config->key->public_key_message);
        return hf_noise_payload_add_key(&swarm->payload, config->key, static_public, false);
    }
    memcpy(swarm->seed, config->ed25519_seed, sizeof swarm->seed);
    hf_ed25519_public(swarm->seed, swarm->public_key);
    hf_public_key_add(&swarm->key_message, swarm->public_key);
    hf_noise_payload_add(&swarm->payload, swarm->seed, swarm->public_key, static_public, false);
    return swarm->payload.err;
}

static hf_err make_keys(hf_swarm *swarm, const hf_swarm_config *config) {
    config->random(config->random_ctx, swarm->keys.static_secret, sizeof swarm->keys.static_secret);
    hf_x25519_public(swarm->keys.static_secret, swarm->keys.static_public);
    hf_err err = make_payload(swarm, config);
    size_t plain_len = swarm->payload.len;
    hf_noise_payload_add_yamux(&swarm->payload);
    if (!err) err = swarm->payload.err;
    hf_buf_add(&swarm->agent, hf_sub(config->agent, 0, AGENT_BYTES_MAX));
    swarm->keys.payload = hf_buf_bytes(&swarm->payload);
    swarm->keys.plain_payload = hf_sub(swarm->keys.payload, 0, plain_len);
    swarm->keys.check = config->check;
    if (err || swarm->key_message.err || swarm->agent.err) return err ? err : HF_NOMEM;
    return hf_peer_id_of_key(hf_buf_bytes(&swarm->key_message), &swarm->self);
}

hf_swarm *hf_swarm_new(hf_mem *mem, const hf_swarm_config *config) {
    hf_swarm *swarm = hf_alloc(mem, sizeof *swarm);
    if (!swarm) return NULL;
    swarm->mem = mem;
    swarm->deadline_ms = UINT64_MAX;
    take_config(swarm, config);
    hf_buf_init(&swarm->agent, mem);
    hf_buf_init(&swarm->key_message, mem);
    hf_buf_init(&swarm->payload, mem);
    hf_buf_init(&swarm->addresses, mem);
    hf_buf_init(&swarm->record, mem);
    hf_buf_init(&swarm->record_payload, mem);
    hf_buf_init(&swarm->limited_protocols, mem);
    hf_arena_init(&swarm->events, mem);
    hf_err err = make_keys(swarm, config);
    config->random(config->random_ctx, (uint8_t *)&swarm->map_seed, sizeof swarm->map_seed);
    hf_map_init(&swarm->links, mem, swarm->map_seed);
    hf_map_init(&swarm->streams, mem, swarm->map_seed);
    hf_map_init(&swarm->peers, mem, swarm->map_seed);
    if (!err) return swarm;
    hf_swarm_free(swarm);
    return NULL;
}

/* Streams that are gone and were not told about live in the queue only. */
static void drop_events(hf_swarm *swarm) {
    hf_event *next;
    for (hf_event *event = swarm->event_first; event; event = next) {
        next = event->next;
        if (event->kind == HF_SWARM_STREAM_GONE)
            hf_stream_free(event->stream);
        else
            event->queued = false;
    }
    swarm->event_first = swarm->event_last = NULL;
}

void hf_swarm_free(hf_swarm *swarm) {
    if (!swarm) return;
    for (hf_link *link = swarm->first; link; link = link->next) hf_link_fail(link, "the swarm ends", HF_YAMUX_NORMAL);
    drop_events(swarm);
    while (swarm->first) hf_link_free(swarm->first);
    for (size_t i = 0; i < swarm->n_protocols; i++)
        hf_release(swarm->mem, swarm->protocols[i].name, swarm->protocols[i].len);
    hf_release(swarm->mem, swarm->protocols, swarm->cap_protocols * sizeof *swarm->protocols);
    hf_buf_deinit(&swarm->agent);
    hf_buf_deinit(&swarm->key_message);
    hf_buf_deinit(&swarm->payload);
    hf_buf_deinit(&swarm->addresses);
    hf_buf_deinit(&swarm->record);
    hf_buf_deinit(&swarm->record_payload);
    hf_buf_deinit(&swarm->limited_protocols);
    hf_arena_deinit(&swarm->events);
    hf_map_deinit(&swarm->links);
    hf_map_deinit(&swarm->streams);
    hf_map_deinit(&swarm->peers);
    hf_mem *mem = swarm->mem;
    hf_wipe(swarm, sizeof *swarm);
    hf_release(mem, swarm, sizeof *swarm);
}

const hf_peer_id *hf_swarm_self(const hf_swarm *swarm) { return &swarm->self; }

/* ---- what we say of ourselves ---- */

static bool is_known(const hf_swarm *swarm, hf_bytes name) {
    for (size_t i = 0; i < swarm->n_protocols; i++)
        if (hf_eq(name, HF_BYTES(swarm->protocols[i].name, swarm->protocols[i].len))) return true;
    return hf_service_role(name) != HF_ROLE_UNKNOWN;
}

hf_err hf_swarm_protocol(hf_swarm *swarm, hf_bytes name, uint32_t tag) {
    if (name.len == 0 || name.len >= HF_MULTISTREAM_LINE_MAX || hf_find(name, '\n', 0) < name.len) return HF_MALFORMED;
    if (is_known(swarm, name)) return HF_EXISTS;
    size_t bytes = swarm->protocol_bytes + name.len + 3;
    if (bytes > PROTOCOL_BYTES_MAX || swarm->n_protocols >= PROTOCOLS_MAX) return HF_LIMIT;
    if (hf_grow(swarm->mem, (void **)&swarm->protocols, &swarm->cap_protocols, sizeof *swarm->protocols,
                swarm->n_protocols + 1))
        return HF_NOMEM;
    uint8_t *copy = hf_alloc(swarm->mem, name.len);
    if (!copy) return HF_NOMEM;
    memcpy(copy, name.ptr, name.len);
    swarm->protocols[swarm->n_protocols++] = (hf_protocol){copy, name.len, tag};
    swarm->protocol_bytes = bytes;
    swarm->push_wanted = swarm->first_peer != NULL;
    return HF_OK;
}

/* The list is 2-byte lengths and bytes. Empty past the end. */
static hf_bytes nth(const hf_buf *list, size_t i) {
    for (size_t at = 0; at < list->len; i--) {
        uint16_t len;
        memcpy(&len, list->ptr + at, sizeof len);
        if (i == 0) return HF_BYTES(list->ptr + at + sizeof len, len);
        at += sizeof len + len;
    }
    return HF_BYTES(NULL, 0);
}

hf_err hf_swarm_allow_limited(hf_swarm *swarm, hf_bytes protocol) {
    hf_buf *list = &swarm->limited_protocols;
    if (protocol.len == 0 || protocol.len >= HF_MULTISTREAM_LINE_MAX) return HF_MALFORMED;
    if (swarm->n_limited_protocols >= LIMITED_PROTOCOLS_MAX) return HF_LIMIT;
    uint16_t len = (uint16_t)protocol.len;
    uint8_t *p = hf_buf_extend(list, sizeof len + protocol.len);
    if (!p) {
        list->err = HF_OK; /* what it held is whole */
        return HF_NOMEM;
    }
    memcpy(p, &len, sizeof len);
    memcpy(p + sizeof len, protocol.ptr, protocol.len);
    swarm->n_limited_protocols++;
    return HF_OK;
}

bool hf_link_carries(const hf_link *link, hf_bytes protocol) {
    const hf_swarm *swarm = link->swarm;
    if (!link->limited || hf_service_role(protocol) != HF_ROLE_UNKNOWN) return true;
    for (size_t i = 0; i < swarm->n_limited_protocols; i++)
        if (hf_eq(nth(&swarm->limited_protocols, i), protocol)) return true;
    return false;
}

hf_bytes hf_swarm_address(const hf_swarm *swarm, size_t i) { return nth(&swarm->addresses, i); }

void hf_swarm_seal(const hf_swarm *swarm, hf_bytes domain, hf_bytes payload_type, hf_bytes payload, hf_buf *envelope) {
    if (swarm->is_foreign) {
        envelope->err = HF_STATE;
        return;
    }
    hf_envelope_add(envelope, swarm->seed, swarm->public_key, domain, payload_type, payload);
}

void hf_swarm_protocol_drop(hf_swarm *swarm, hf_bytes name) {
    for (size_t i = 0; i < swarm->n_protocols; i++) {
        hf_protocol *p = &swarm->protocols[i];
        if (!hf_eq(name, HF_BYTES(p->name, p->len))) continue;
        hf_release(swarm->mem, p->name, p->len);
        swarm->protocol_bytes -= name.len + 3;
        *p = swarm->protocols[--swarm->n_protocols];
        swarm->push_wanted = swarm->first_peer != NULL;
        return;
    }
}

hf_err hf_swarm_addresses(hf_swarm *swarm, const hf_bytes *addrs, size_t n_addrs) {
    hf_buf fresh;
    if (n_addrs > ADDRESSES_MAX) return HF_LIMIT;
    hf_buf_init(&fresh, swarm->mem);
    size_t total = 0;
    for (size_t i = 0; i < n_addrs; i++) {
        uint16_t len = (uint16_t)addrs[i].len;
        total += addrs[i].len + 3;
        if (addrs[i].len > ADDRESS_BYTES_MAX || total > ADDRESS_BYTES_MAX) fresh.err = HF_LIMIT;
        hf_buf_add(&fresh, HF_BYTES(&len, sizeof len));
        hf_buf_add(&fresh, addrs[i]);
    }
    hf_err err = fresh.err;
    if (err) {
        hf_buf_deinit(&fresh);
        return err;
    }
    hf_buf_deinit(&swarm->addresses);
    swarm->addresses = fresh;
    swarm->n_addresses = n_addrs;
    hf_buf_clear(&swarm->record);
    swarm->push_wanted = swarm->first_peer != NULL;
    return HF_OK;
}

/* ---- carriage ---- */

static hf_link *find_link(const hf_swarm *swarm, uint64_t conn) { return hf_link_find(swarm, conn); }

hf_err hf_link_open(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote,
                    const hf_channels_open *channels, hf_link **ret) {
    hf_link *link = NULL;
    swarm->now_ms = now_ms;
    if (find_link(swarm, conn)) return HF_EXISTS;
    if (swarm->links.n >= swarm->config.conns_max) return HF_LIMIT;
    hf_err err = hf_link_new(swarm, now_ms, conn, dialer, expected, remote, channels, &link);
    if (err) return err;
    uint64_t deadline = hf_link_deadline(link);
    if (deadline < swarm->deadline_ms) swarm->deadline_ms = deadline;
    hf_link_dirty(link);
    *ret = link;
    return HF_OK;
}

hf_err hf_swarm_conn_open(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected,
                          hf_bytes remote) {
    hf_link *link;
    return hf_link_open(swarm, now_ms, conn, dialer, expected, remote, NULL, &link);
}

hf_err hf_swarm_conn_open_relayed(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer,
                                  const hf_peer_id *expected, hf_bytes remote, bool limited) {
    hf_link *link = NULL;
    hf_err err = hf_link_open(swarm, now_ms, conn, dialer, expected, remote, NULL, &link);
    if (err) return err;
    link->relayed = true;
    link->limited = limited;
    return HF_OK;
}

hf_err hf_swarm_conn_recv(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, hf_bytes bytes) {
    hf_link *link = find_link(swarm, conn);
    swarm->now_ms = now_ms;
    return link && !link->channels ? hf_link_recv(link, now_ms, bytes) : HF_NOT_FOUND;
}

void hf_swarm_conn_lost(hf_swarm *swarm, uint64_t now_ms, uint64_t conn) {
    hf_link *link = find_link(swarm, conn);
    swarm->now_ms = now_ms;
    if (!link) return;
    link->lost = true;
    hf_map_remove(&swarm->links, HF_BYTES(&conn, sizeof conn)); /* the number is free at once */
    hf_link_fail(link, "the connection was lost", HF_YAMUX_NORMAL);
    hf_link_dirty(link);
}

void hf_swarm_conn_close(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, const char *reason) {
    hf_link *link = find_link(swarm, conn);
    swarm->now_ms = now_ms;
    if (link) hf_link_fail(link, reason, HF_YAMUX_NORMAL);
}

void hf_swarm_conn_busy(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool busy) {
    hf_link *link = find_link(swarm, conn);
    swarm->now_ms = now_ms;
    if (!link || link->closing) return;
    link->busy = busy;
    if (!link->mux.self) return;
    link->mux.table->block(link->mux.self, now_ms, busy);
    hf_link_notices(link);
    hf_link_dirty(link);
}

void hf_swarm_conn_aside(hf_swarm *swarm, uint64_t conn) {
    hf_link *link = find_link(swarm, conn);
    if (link) link->aside = true;
}

/* ---- streams ---- */

static unsigned distance(const hf_link *link) { return (unsigned)link->relayed + (unsigned)link->limited + 4U * link->aside; }

static uint32_t link_rtt_ms(const hf_link *link) {
    return link->channels ? link->ping_rtt_ms : link->mux.table->rtt_ms(link->mux.self);
}

/* Direct before relayed before limited before those set aside; of those the one with the shortest known round trip, the oldest among equals. */
static hf_link *best_link(const hf_swarm *swarm, const hf_peer_id *peer) {
    const hf_peer *p = hf_map_get(&swarm->peers, hf_peer_id_bytes(peer));
    hf_link *best = NULL;
    uint32_t best_rtt = UINT32_MAX;
    for (hf_link *i = p ? p->links : NULL; i; i = i->next_of_peer) {
        uint32_t rtt = link_rtt_ms(i);
        if (best && (distance(i) > distance(best) || (distance(i) == distance(best) && rtt >= best_rtt))) continue;
        best = i;
        best_rtt = rtt;
    }
    return best;
}

static hf_err open_app_stream(hf_link *link, uint64_t now_ms, hf_bytes protocol, uint32_t tag, uint64_t *ret_stream) {
    hf_stream *s = NULL;
    if (!link || !link->up || link->closing) return HF_NOT_FOUND;
    if (!hf_link_carries(link, protocol)) return HF_DENIED;
    link->swarm->now_ms = now_ms;
    hf_err err = hf_stream_open(link, now_ms, protocol, HF_ROLE_APP, tag, &s);
    if (!err) *ret_stream = s->id;
    return err;
}

hf_err hf_swarm_stream_open(hf_swarm *swarm, uint64_t now_ms, const hf_peer_id *peer, hf_bytes protocol, uint32_t tag,
                            uint64_t *ret_stream) {
    return open_app_stream(best_link(swarm, peer), now_ms, protocol, tag, ret_stream);
}

hf_err hf_swarm_stream_open_on(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, hf_bytes protocol, uint32_t tag,
                               uint64_t *ret_stream) {
    return open_app_stream(find_link(swarm, conn), now_ms, protocol, tag, ret_stream);
}

/* Only streams that protocols know of; the swarm's own are not theirs to touch. */
static hf_stream *find_stream(const hf_swarm *swarm, uint64_t stream) {
    hf_stream *s = hf_map_get(&swarm->streams, HF_BYTES(&stream, sizeof stream));
    return s && s->role == HF_ROLE_APP ? s : NULL;
}

hf_err hf_swarm_stream_write(hf_swarm *swarm, uint64_t now_ms, uint64_t stream, hf_bytes bytes) {
    hf_stream *s = find_stream(swarm, stream);
    swarm->now_ms = now_ms;
    if (!s) return HF_STATE;
    hf_link_dirty(s->link);
    return hf_mux_write(s->link->mux, now_ms, s->mux, bytes);
}

size_t hf_swarm_stream_buffered(const hf_swarm *swarm, uint64_t stream) {
    const hf_stream *s = find_stream(swarm, stream);
    return s ? s->link->mux.table->buffered(s->mux) : 0;
}

bool hf_swarm_stream_when_drained(hf_swarm *swarm, uint64_t stream) {
    hf_stream *s = find_stream(swarm, stream);
    return s && s->link->mux.table->when_drained(s->mux);
}

void hf_swarm_stream_finish(hf_swarm *swarm, uint64_t now_ms, uint64_t stream) {
    hf_stream *s = find_stream(swarm, stream);
    swarm->now_ms = now_ms;
    if (!s) return;
    hf_link *link = s->link;
    hf_mux_finish(link->mux, s->mux);
    hf_link_notices(link);
    hf_link_dirty(link);
}

void hf_swarm_stream_reset(hf_swarm *swarm, uint64_t now_ms, uint64_t stream) {
    hf_stream *s = find_stream(swarm, stream);
    swarm->now_ms = now_ms;
    if (!s) return;
    hf_link_dirty(s->link);
    s->muted = true;
    hf_stream_gone(s, true, "reset by us");
}

void hf_swarm_stream_reading(hf_swarm *swarm, uint64_t now_ms, uint64_t stream, bool on) {
    hf_stream *s = find_stream(swarm, stream);
    swarm->now_ms = now_ms;
    if (!s) return;
    hf_link *link = s->link;
    link->mux.table->reading(link->mux.self, now_ms, s->mux, on);
    if (on && link->channels) link->resumed = true;
    hf_link_dirty(link);
}

/* ---- time ---- */

uint64_t hf_swarm_deadline(const hf_swarm *swarm) { return swarm->push_wanted ? 0 : swarm->deadline_ms; }

void hf_swarm_tick(hf_swarm *swarm, uint64_t now_ms) {
    swarm->now_ms = now_ms;
    if (swarm->push_wanted) {
        swarm->push_wanted = false;
        hf_service_push_all(swarm, now_ms);
    }
    if (now_ms < swarm->deadline_ms) return;
    uint64_t deadline = UINT64_MAX;
    for (hf_link *link = swarm->first; link; link = link->next) {
        hf_link_tick(link, now_ms);
        uint64_t d = hf_link_deadline(link);
        if (d < deadline) deadline = d;
    }
    swarm->deadline_ms = deadline;
}

/* ---- looking in ---- */

bool hf_swarm_connected(const hf_swarm *swarm, const hf_peer_id *peer) {
    return hf_map_get(&swarm->peers, hf_peer_id_bytes(peer)) != NULL;
}

bool hf_swarm_peer_speaks(const hf_swarm *swarm, const hf_peer_id *peer, hf_bytes protocol) {
    const hf_peer *p = hf_map_get(&swarm->peers, hf_peer_id_bytes(peer));
    for (const hf_link *i = p ? p->links : NULL; i; i = i->next_of_peer)
        if (hf_link_speaks(i, protocol)) return true;
    return false;
}

hf_bytes hf_swarm_peer_agent(const hf_swarm *swarm, const hf_peer_id *peer) {
    const hf_peer *p = hf_map_get(&swarm->peers, hf_peer_id_bytes(peer));
    for (const hf_link *i = p ? p->links : NULL; i; i = i->next_of_peer)
        if (i->identify.agent.len) return i->identify.agent;
    return HF_BYTES(NULL, 0);
}

size_t hf_swarm_n_peers(const hf_swarm *swarm) { return swarm->peers.n; }

const hf_peer_id *hf_swarm_peer(const hf_swarm *swarm, size_t i) {
    const hf_peer *peer = swarm->first_peer;
    while (peer && i--) peer = peer->next;
    return peer ? &peer->id : NULL;
}

hf_err hf_swarm_direct(const hf_swarm *swarm, const hf_peer_id *peer, uint64_t *ret_conn) {
    const hf_link *link = best_link(swarm, peer);
    if (!link || link->relayed) return HF_NOT_FOUND;
    *ret_conn = link->number;
    return HF_OK;
}

bool hf_swarm_peer_conn(const hf_swarm *swarm, const hf_peer_id *peer, size_t i, uint64_t *ret_conn) {
    const hf_peer *p = hf_map_get(&swarm->peers, hf_peer_id_bytes(peer));
    const hf_link *link = p ? p->links : NULL;
    while (link && i--) link = link->next_of_peer;
    if (link) *ret_conn = link->number;
    return link != NULL;
}

hf_bytes hf_swarm_conn_remote(const hf_swarm *swarm, uint64_t conn) {
    const hf_link *link = find_link(swarm, conn);
    return link ? HF_BYTES(link->remote, link->remote_len) : HF_BYTES(NULL, 0);
}

bool hf_swarm_conn_is_inbound(const hf_swarm *swarm, uint64_t conn) {
    const hf_link *link = find_link(swarm, conn);
    return link && !link->conn.dialer;
}

uint32_t hf_swarm_conn_rtt_ms(const hf_swarm *swarm, uint64_t conn) {
    const hf_link *link = find_link(swarm, conn);
    if (!link || !link->mux.self) return UINT32_MAX;
    return link->ping_rtt_ms != UINT32_MAX ? link->ping_rtt_ms : link_rtt_ms(link);
}

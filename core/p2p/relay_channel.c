/* relay_channel: a connection of ours inside a stream: what the swarm sends on it goes to the stream, what comes on the stream goes to
 * the swarm. See relay_private.h.
 *
 * The swarm feeds itself here, one turn at a time: a SEND of the relayed connection is copied into the stream of the carrying
 * connection, whose own SEND comes out later; bytes of a stream's DATA are views into the carrier's memory, which handing them to the
 * relayed connection does not touch. Carriers are direct connections, so there is no deeper nesting. */
#include "relay_private.h"

#include <string.h>

/* "/p2p/RELAY/p2p-circuit" */
static size_t write_remote(const hf_peer_id *relay, uint8_t ret[HF_PEER_ID_BYTES_MAX + 5]) {
    size_t n = 0;
    ret[n++] = 0xa5; /* 421 p2p */
    ret[n++] = 0x03;
    ret[n++] = relay->len;
    memcpy(ret + n, relay->bytes, relay->len);
    n += relay->len;
    ret[n++] = 0xa2; /* 290 p2p-circuit */
    ret[n++] = 0x02;
    return n;
}

static bool is_limited(hf_relay_limit limit) { return limit.duration_s || limit.bytes; }

static hf_err give(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    hf_err err = hf_swarm_conn_recv(r->swarm, now_ms, s->conn, bytes);
    return err == HF_NOT_FOUND ? HF_OK : err; /* its CONN_CLOSE is on the way */
}

hf_err hf_relay_channel_open(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    uint8_t remote[HF_PEER_ID_BYTES_MAX + 5];
    size_t len = write_remote(&s->peer, remote);
    if (r->channels.n >= HF_RELAY_CHANNELS_MAX) return HF_LIMIT;
    s->conn = HF_RELAY_CONN_FLAG | ++r->next_conn;
    hf_err err = hf_map_put(&r->channels, hf_relay_key(&s->conn), s);
    if (!err)
        err = hf_swarm_conn_open_relayed(r->swarm, now_ms, s->conn, !s->inbound, s->inbound ? NULL : &s->target,
                                         HF_BYTES(remote, len), is_limited(s->limit));
    if (err) {
        hf_map_remove(&r->channels, hf_relay_key(&s->conn));
        s->conn = 0;
        return err;
    }
    s->role = HF_RELAY_CHANNEL;
    s->deadline_ms = UINT64_MAX;
    hf_relay_tell(r, s, HF_RELAY_CONNECTED, HF_RELAY_OK, NULL);
    if (s->in.len) (void)!give(r, now_ms, s, hf_buf_bytes(&s->in));
    hf_buf_deinit(&s->in);
    return HF_OK; /* what is wrong with these bytes comes out as CONN_CLOSE */
}

void hf_relay_channel_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    (void)!give(r, now_ms, s, bytes);
}

void hf_relay_channel_end(hf_relay *r, uint64_t now_ms, hf_relay_stream *s) {
    s->role = HF_RELAY_ANSWERED;
    hf_map_remove(&r->channels, hf_relay_key(&s->conn));
    hf_swarm_conn_lost(r->swarm, now_ms, s->conn);
}

static void send(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes) {
    if (hf_relay_pass(r, now_ms, s, bytes)) {
        hf_relay_channel_end(r, now_ms, s);
        hf_relay_drop(r, now_ms, s);
        return;
    }
    if (s->paused || !hf_relay_is_full(r, s)) return;
    s->paused = true;
    hf_swarm_conn_busy(r->swarm, now_ms, s->conn, true);
}

void hf_relay_channel_out(hf_relay *r, uint64_t now_ms, const hf_swarm_out *e) {
    hf_relay_stream *s = hf_map_get(&r->channels, hf_relay_key(&e->conn));
    if (!s) return;
    if (e->kind == HF_SWARM_SEND) {
        send(r, now_ms, s, e->bytes);
        return;
    }
    hf_map_remove(&r->channels, hf_relay_key(&s->conn));
    s->role = HF_RELAY_ANSWERED;
    hf_relay_finish(r, now_ms, s);
    hf_relay_set_deadline(r, s, now_ms + HF_RELAY_LINGER_MS);
}

/* swarm_channels: what a connection of data channels has of its own: its beginning, Noise on channel 0 for webrtc-direct, what the shell tells of
 * its channels. See swarm.h, channels.h. */
#include "swarm_private.h"

/* What Noise has to say goes into messages of its channel. */
static void say_noise(hf_link *link) {
    hf_buf *out = &link->conn.out;
    if (out->len) hf_channels_say(link->channels, HF_CHANNEL_NOISE, hf_buf_bytes(out));
    hf_buf_clear(out);
}

hf_err hf_link_start_channels(hf_link *link, uint64_t now_ms, const hf_channels_open *open, uint8_t ephemeral[32]) {
    const hf_swarm_config *c = &link->swarm->config;
    hf_channels_config config = {c->streams_in_max, HF_LINK_STREAMS_OUT_MAX, c->send_buffer_bytes_max, link->swarm->map_seed};
    hf_err err = hf_conn_init_channels(&link->conn, link->swarm->mem, &link->swarm->keys, open, ephemeral);
    if (err) return err;
    link->channels = hf_channels_new(link->swarm->mem, &config, now_ms);
    link->mux = hf_channels_mux(link->channels);
    if (!link->channels) return HF_NOMEM;
    link->limited = open->limited;
    say_noise(link);
    return HF_OK;
}

static void fail_for_memory(hf_link *link) { hf_link_fail(link, "out of memory", HF_YAMUX_INTERNAL_ERROR); }

/* What came of it: streams are told, the muxer has news. */
static hf_err settle(hf_link *link, uint64_t now_ms) {
    hf_err err = hf_link_advance(link, now_ms);
    if (err) fail_for_memory(link);
    hf_link_dirty(link);
    return err;
}

void hf_link_resume(hf_link *link) {
    link->resumed = false;
    if (link->closing || !link->up) return;
    hf_link_make_room(link);
    (void)!settle(link, link->swarm->now_ms); /* a failure has ended the link */
}

hf_err hf_swarm_conn_open_channels(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, const hf_channels_open *open) {
    hf_link *link = NULL;
    if (open->peer && hf_peer_id_eq(open->peer, &swarm->self)) return HF_DENIED;
    hf_err err = hf_link_open(swarm, now_ms, conn, open->dialer, open->expected, open->remote, open, &link);
    return err ? err : settle(link, now_ms);
}

/* The responder's side hears the end of the handshake, so it closes the channel: what the initiator said last has arrived. */
static hf_err recv_noise(hf_link *link, uint64_t now_ms, hf_bytes message) {
    hf_channel_message m;
    bool responder = !link->conn.noise.initiator;
    if (link->up || link->conn.phase != HF_CONN_NOISE) return HF_OK;
    hf_err err = message.len > HF_CHANNELS_MESSAGE_BYTES_MAX ? HF_MALFORMED : HF_OK;
    while (!err && message.len && link->conn.phase == HF_CONN_NOISE) {
        err = hf_channel_message_read(&message, &m);
        if (!err && m.payload.len) err = hf_conn_recv(&link->conn, m.payload);
    }
    say_noise(link);
    if (link->conn.phase == HF_CONN_OPEN && responder) hf_channels_shut(link->channels, HF_CHANNEL_NOISE);
    if (!err) return settle(link, now_ms);
    bool of_conn = link->conn.phase == HF_CONN_DEAD;
    hf_link_fail(link, of_conn ? link->conn.reason : "noise: not a message of the handshake's channel", HF_YAMUX_PROTOCOL_ERROR);
    return err == HF_NOMEM ? err : HF_OK;
}

/* NULL: no such connection of data channels. One that is closing takes nothing more. */
static hf_link *find(hf_swarm *swarm, uint64_t now_ms, uint64_t conn) {
    hf_link *link = hf_link_find(swarm, conn);
    swarm->now_ms = now_ms;
    if (!link || !link->channels) return NULL;
    if (!link->closing) hf_link_make_room(link);
    link->recv_ms = now_ms;
    return link;
}

static hf_err done(hf_link *link, uint64_t now_ms, hf_err err) {
    if (err == HF_NOMEM) fail_for_memory(link);
    return err ? err : settle(link, now_ms);
}

hf_err hf_swarm_channel_opened(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel) {
    hf_link *link = find(swarm, now_ms, conn);
    if (!link) return HF_NOT_FOUND;
    if (link->closing) return HF_OK;
    return done(link, now_ms, channel == HF_CHANNEL_NOISE && !link->up ? HF_EXISTS : hf_channels_opened(link->channels, now_ms, channel));
}

hf_err hf_swarm_channel_recv(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message) {
    hf_link *link = find(swarm, now_ms, conn);
    if (!link) return HF_NOT_FOUND;
    if (link->closing) return HF_OK;
    if (channel == HF_CHANNEL_NOISE && !link->up) return recv_noise(link, now_ms, message);
    return done(link, now_ms, hf_channels_recv(link->channels, now_ms, channel, message));
}

void hf_swarm_channel_closed(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel) {
    hf_link *link = find(swarm, now_ms, conn);
    if (!link || link->closing) return;
    if (channel == HF_CHANNEL_NOISE && !link->up) hf_link_fail(link, "noise: its channel closed during the handshake", HF_YAMUX_NORMAL);
    hf_channels_closed(link->channels, now_ms, channel);
    (void)!settle(link, now_ms); /* a failure has ended the link */
}

void hf_swarm_channel_busy(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy) {
    hf_link *link = find(swarm, now_ms, conn);
    if (!link || link->closing) return;
    hf_channels_busy(link->channels, now_ms, channel, busy);
    hf_link_notices(link);
    hf_link_dirty(link);
}

size_t hf_swarm_channels_held(const hf_swarm *swarm, uint64_t conn) {
    const hf_link *link = hf_link_find(swarm, conn);
    return link && link->channels && !link->closing ? hf_channels_held(link->channels) : 0;
}

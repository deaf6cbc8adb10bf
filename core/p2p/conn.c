/* conn: see conn.h. */
#include "conn.h"

#include "yamux.h"
#include "../crypto/crypto.h"

#define NOISE_PROTOCOL "/noise"

static hf_err die(hf_conn *conn, hf_err err, const char *reason) {
    conn->phase = HF_CONN_DEAD;
    conn->reason = err == HF_NOMEM ? "out of memory" : reason;
    return err == HF_NOMEM ? err : HF_DENIED;
}

static hf_err start_select(hf_conn *conn, const char *protocol, hf_buf *out) {
    if (conn->dialer) return hf_multistream_dial(&conn->select, conn->mem, hf_str(protocol), out);
    hf_multistream_listen(&conn->select, conn->mem);
    return HF_OK;
}

static void init(hf_conn *conn, hf_mem *mem, const hf_conn_keys *keys, bool dialer, const hf_peer_id *expected) {
    *conn = (hf_conn){.mem = mem, .keys = keys, .dialer = dialer};
    if (expected) conn->expected = *expected;
    hf_buf_init(&conn->partial, mem);
    hf_buf_init(&conn->plain, mem);
    hf_buf_init(&conn->out, mem);
}

hf_err hf_conn_init(hf_conn *conn, hf_mem *mem, const hf_conn_keys *keys, bool dialer, const hf_peer_id *expected,
                    uint8_t ephemeral[32]) {
    init(conn, mem, keys, dialer, expected);
    hf_noise_init(&conn->noise, dialer, HF_BYTES("", 0), keys->static_secret, keys->static_public, ephemeral);
    hf_wipe(ephemeral, 32);
    return start_select(conn, NOISE_PROTOCOL, &conn->out);
}

hf_err hf_conn_init_channels(hf_conn *conn, hf_mem *mem, const hf_conn_keys *keys, const hf_channels_open *open, uint8_t ephemeral[32]) {
    init(conn, mem, keys, open->dialer, open->expected);
    conn->channels = true;
    conn->phase = open->peer ? HF_CONN_OPEN : HF_CONN_NOISE;
    if (open->peer) {
        conn->peer = *open->peer;
        return open->expected && !hf_peer_id_eq(open->expected, open->peer) ? HF_DENIED : HF_OK;
    }
    hf_noise_init(&conn->noise, open->noise_initiator, open->prologue, keys->static_secret, keys->static_public, ephemeral);
    hf_wipe(ephemeral, 32);
    return open->noise_initiator ? hf_noise_write(&conn->noise, HF_BYTES("", 0), &conn->out) : HF_OK;
}

void hf_conn_deinit(hf_conn *conn) {
    hf_multistream_deinit(&conn->select);
    hf_noise_deinit(&conn->noise);
    hf_wipe(&conn->tx, sizeof conn->tx);
    hf_wipe(&conn->rx, sizeof conn->rx);
    hf_buf_deinit(&conn->partial);
    hf_buf_deinit(&conn->plain);
    hf_buf_deinit(&conn->out);
}

void hf_conn_rest(hf_conn *conn) {
    if (conn->partial.len == 0) hf_buf_deinit(&conn->partial);
    if (conn->plain.len == 0) hf_buf_deinit(&conn->plain);
    if (conn->out.len == 0) hf_buf_deinit(&conn->out);
}

/* ---- multistream-select, in the open and inside Noise ---- */

/* Moves the negotiation on; *ret_agreed when `protocol` stands. What follows stays in *bytes. */
static hf_err negotiate(hf_conn *conn, const char *protocol, hf_bytes *bytes, hf_buf *out, bool *ret_agreed) {
    hf_multistream_kind kind = HF_MULTISTREAM_PROPOSED;
    while (kind == HF_MULTISTREAM_PROPOSED && !*ret_agreed) {
        if (hf_multistream_recv(&conn->select, bytes, out, &kind)) return HF_NOMEM;
        if (kind == HF_MULTISTREAM_REFUSED)
            return die(conn, HF_DENIED, "the peer speaks neither /noise nor /yamux/1.0.0");
        if (kind == HF_MULTISTREAM_BROKEN) return die(conn, HF_DENIED, conn->select.fault.what);
        if (kind == HF_MULTISTREAM_AGREED) *ret_agreed = true;
        if (kind != HF_MULTISTREAM_PROPOSED) continue;
        *ret_agreed = hf_eq(conn->select.text, hf_str(protocol));
        hf_multistream_answer(&conn->select, *ret_agreed, out);
    }
    if (*ret_agreed) hf_multistream_deinit(&conn->select);
    return out->err;
}

static hf_err recv_security(hf_conn *conn, hf_bytes *bytes) {
    bool agreed = false;
    hf_err err = negotiate(conn, NOISE_PROTOCOL, bytes, &conn->out, &agreed);
    if (err || !agreed) return err;
    conn->phase = HF_CONN_NOISE;
    return conn->dialer ? hf_noise_write(&conn->noise, HF_BYTES("", 0), &conn->out) : HF_OK;
}

static hf_err recv_muxer(hf_conn *conn) {
    bool agreed = false;
    hf_buf answer;
    hf_buf_init(&answer, conn->mem);
    hf_bytes rest = hf_sub(hf_buf_bytes(&conn->plain), conn->plain_at, conn->plain.len);
    hf_err err = negotiate(conn, HF_YAMUX_PROTOCOL, &rest, &answer, &agreed);
    conn->plain_at = conn->plain.len - rest.len;
    if (!err) err = hf_conn_send(conn, hf_buf_bytes(&answer));
    if (!err && agreed) conn->phase = HF_CONN_OPEN;
    hf_buf_deinit(&answer);
    return err;
}

/* ---- Noise ---- */

static hf_err check_payload(hf_conn *conn, hf_bytes bytes, bool *ret_yamux) {
    hf_noise_payload payload;
    if (hf_noise_payload_read(bytes, &payload))
        return die(conn, HF_DENIED, "noise: the payload is not a protobuf message");
    hf_err err = hf_noise_payload_check_with(&payload, conn->noise.rs, &conn->keys->check, &conn->peer);
    if (err == HF_MALFORMED) return die(conn, err, "noise: unknown kind of identity key");
    if (err) return die(conn, err, "noise: the signature of the static key does not verify");
    if (conn->expected.len && !hf_peer_id_eq(&conn->expected, &conn->peer))
        return die(conn, HF_DENIED, "noise: not the peer we dialled");
    *ret_yamux = payload.yamux;
    return HF_OK;
}

/* inlined-muxer-negotiation.md: both sides named yamux, so it is in use at once; else it is negotiated inside the
 * channel. */
static hf_err enter_channel(hf_conn *conn, bool yamux) {
    hf_noise_split(&conn->noise, &conn->tx, &conn->rx);
    conn->phase = yamux || conn->channels ? HF_CONN_OPEN : HF_CONN_MUXER;
    if (conn->phase == HF_CONN_OPEN) return HF_OK;
    hf_buf opening;
    hf_buf_init(&opening, conn->mem);
    hf_err err = start_select(conn, HF_YAMUX_PROTOCOL, &opening);
    if (!err) err = hf_conn_send(conn, hf_buf_bytes(&opening));
    hf_buf_deinit(&opening);
    return err;
}

static hf_bytes payload_of(const hf_conn *conn) { return conn->channels ? conn->keys->plain_payload : conn->keys->payload; }

static hf_err recv_handshake(hf_conn *conn, hf_bytes message) {
    uint8_t payload[HF_NOISE_PAYLOAD_MAX];
    size_t payload_len = 0;
    bool yamux = false;
    if (message.len > sizeof payload) return die(conn, HF_DENIED, "noise: handshake message too long");
    hf_err err = hf_noise_read(&conn->noise, message, payload, &payload_len);
    if (err) return die(conn, err, "noise: handshake message does not decrypt");
    /* the payload of the first message is in the open: nothing in it counts */
    if (conn->noise.step > 1) err = check_payload(conn, HF_BYTES(payload, payload_len), &yamux);
    if (!err && hf_noise_my_turn(&conn->noise)) err = hf_noise_write(&conn->noise, payload_of(conn), &conn->out);
    if (err) return err == HF_NOMEM || conn->reason ? err : die(conn, err, "noise: low-order key");
    return hf_noise_done(&conn->noise) ? enter_channel(conn, yamux) : HF_OK;
}

static hf_err recv_message(hf_conn *conn, hf_bytes message) {
    if (conn->phase == HF_CONN_NOISE) return recv_handshake(conn, message);
    if (message.len < HF_NOISE_TAG_LEN) return die(conn, HF_DENIED, "noise: message too short");
    uint8_t nothing[1], *p = nothing; /* an empty message is allowed */
    if (message.len > HF_NOISE_TAG_LEN) p = hf_buf_extend(&conn->plain, message.len - HF_NOISE_TAG_LEN);
    if (!p) return HF_NOMEM;
    hf_err err = hf_noise_open(&conn->rx, message, p);
    if (err) conn->plain.len -= message.len - HF_NOISE_TAG_LEN; /* what came before it is still good */
    if (err) return die(conn, err, err == HF_LIMIT ? "noise: nonces are used up" : "noise: message does not decrypt");
    return conn->phase == HF_CONN_MUXER ? recv_muxer(conn) : HF_OK;
}

static size_t message_len(const uint8_t *p) { return 2 + ((size_t)p[0] << 8 | p[1]); }

/* Adds to the message that is not whole yet what it lacks. */
static hf_err recv_partial(hf_conn *conn, hf_bytes *bytes) {
    hf_buf *partial = &conn->partial;
    size_t want = partial->len < 2 ? 2 : message_len(partial->ptr);
    hf_bytes part = hf_sub(*bytes, 0, want - partial->len);
    hf_buf_add(partial, part);
    if (partial->err) return HF_NOMEM;
    *bytes = hf_sub(*bytes, part.len, bytes->len);
    if (partial->len < 2) return HF_OK;
    if (conn->phase == HF_CONN_NOISE &&
        message_len(partial->ptr) > 2 + HF_NOISE_PAYLOAD_MAX) /* a stranger gets no 64 KiB */
        return die(conn, HF_DENIED, "noise: handshake message too long");
    if (partial->len < message_len(partial->ptr)) return HF_OK;
    hf_err err = recv_message(conn, hf_sub(hf_buf_bytes(partial), 2, partial->len));
    hf_buf_clear(partial);
    return err;
}

/* A message that lies whole in the input is opened from there; only a cut one is copied. */
static hf_err recv_noise(hf_conn *conn, hf_bytes *bytes) {
    bool whole = conn->partial.len == 0 && bytes->len >= 2 && bytes->len >= message_len(bytes->ptr);
    if (!whole) return recv_partial(conn, bytes);
    hf_bytes message = hf_sub(*bytes, 2, message_len(bytes->ptr) - 2);
    *bytes = hf_sub(*bytes, message.len + 2, bytes->len);
    return recv_message(conn, message);
}

hf_err hf_conn_recv(hf_conn *conn, hf_bytes bytes) {
    hf_err err = HF_OK;
    while (bytes.len && !err) {
        if (conn->phase == HF_CONN_DEAD) return HF_DENIED;
        if (conn->channels && conn->phase == HF_CONN_OPEN) return HF_OK; /* the Noise channel has done its work */
        err = conn->phase == HF_CONN_SECURITY ? recv_security(conn, &bytes) : recv_noise(conn, &bytes);
    }
    if (!err) err = conn->out.err;
    if (err && conn->phase != HF_CONN_DEAD) err = die(conn, err, "connection broke");
    return err;
}

hf_err hf_conn_send(hf_conn *conn, hf_bytes bytes) {
    hf_err err = hf_noise_seal(&conn->tx, bytes, &conn->out);
    return err == HF_LIMIT ? die(conn, err, "noise: nonces are used up") : err;
}

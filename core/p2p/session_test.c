/* A whole recorded session of two js peers over TCP (session.json): every byte read with the recorded Noise keys must
 * give the recorded yamux frames (session-frames.json), at any cut; and a swarm with the listener's keys takes the
 * recorded dialer for a living peer. */
#include "conn.h"
#include "swarm.h"
#include "yamux_frame.h"

#include "../../tests/kit/check.h"
#include "../crypto/crypto.h"

#include <string.h>

static hf_bytes text_of(const hf_value *v, const char *key) { return hf_value_as_text(hf_value_get(v, key)); }
static hf_bytes hex_of(const hf_value *v, const char *key) { return hf_test_hex(text_of(v, key)); }

/* All bytes of one direction. */
static hf_bytes stream_of(const hf_value *session, const char *direction) {
    const hf_value *chunks = hf_value_get(session, "chunks");
    hf_buf all;
    hf_buf_init(&all, hf_test_mem());
    for (size_t i = 0; i < chunks->as.list.n; i++)
        if (hf_eq(text_of(&chunks->as.list.items[i], "dir"), hf_str(direction)))
            hf_buf_add(&all, hex_of(&chunks->as.list.items[i], "bytes"));
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&all));
    hf_buf_deinit(&all);
    return kept;
}

/* A conn with the recorded keys of one side, fed with what the other side said. Its own answers are the recorded ones,
 * so all decrypts. */
static void replay(const hf_value *session, bool dialer, size_t cut, hf_conn *conn) {
    const hf_value *keys = hf_value_get(session, "noise");
    uint8_t ephemeral[32], public_key[32];
    static hf_conn_keys side;
    hf_buf payload;
    hf_bytes seed =
        hex_of(hf_value_get(session, "libp2p"), dialer ? "bobPeerPrivateKeySeed" : "alicePeerPrivateKeySeed");
    hf_buf_init(&payload, hf_test_mem());
    memcpy(side.static_secret, hex_of(keys, dialer ? "initiatorStaticPrivate" : "responderStaticPrivate").ptr, 32);
    memcpy(ephemeral, hex_of(keys, dialer ? "initiatorEphemeralPrivate" : "responderEphemeralPrivate").ptr, 32);
    hf_x25519_public(side.static_secret, side.static_public);
    hf_ed25519_public(seed.ptr, public_key);
    hf_noise_payload_add(&payload, seed.ptr, public_key, side.static_public, true);
    side.payload = hf_buf_bytes(&payload);
    CHECK_ERR(hf_conn_init(conn, hf_test_mem(), &side, dialer, NULL, ephemeral), HF_OK);
    hf_bytes in = stream_of(session, dialer ? "listener->dialer" : "dialer->listener");
    for (size_t at = 0; at < in.len; at += cut) CHECK_ERR(hf_conn_recv(conn, hf_sub(in, at, cut)), HF_OK);
    CHECK_U64(conn->phase, HF_CONN_OPEN);
    hf_bytes ours = stream_of(session, dialer ? "dialer->listener" : "listener->dialer");
    CHECK_BYTES(hf_buf_bytes(&conn->out), hf_sub(ours, 0, conn->out.len)); /* multistream and Noise, byte for byte */
    CHECK(conn->out.len > 100);
    hf_buf_deinit(&payload);
}

static uint8_t type_named(hf_bytes name) {
    static const char *const names[] = {"data", "window", "ping", "goaway"};
    for (uint8_t i = 0; i < 4; i++)
        if (hf_starts(name, hf_str(names[i]))) return i;
    CHECK_MSG(hf_starts(name, HF_TEXT("go")), "unknown type %.*s", (int)name.len, (const char *)name.ptr);
    return HF_YAMUX_TYPE_AWAY;
}

static bool has(hf_bytes text, const char *part) {
    for (size_t i = 0; i < text.len; i++)
        if (hf_starts(hf_sub(text, i, text.len), hf_str(part))) return true;
    return false;
}

static void check_frames(hf_bytes plain, const char *direction) {
    const hf_value *frames = hf_value_get(hf_test_json("orbitdb/session-frames.json"), "frames");
    size_t at = 0, n = 0;
    for (size_t i = 0; i < frames->as.list.n; i++) {
        const hf_value *want = &frames->as.list.items[i];
        hf_yamux_frame f;
        hf_bytes flags = text_of(want, "flags");
        if (!hf_eq(text_of(want, "dir"), hf_str(direction))) continue;
        CHECK(plain.len - at >= HF_YAMUX_HEADER_LEN);
        CHECK_ERR(hf_yamux_frame_read(plain.ptr + at, &f, NULL), HF_OK);
        CHECK_U64(f.type, type_named(text_of(want, "type")));
        CHECK_U64(f.stream, hf_value_as_i64(hf_value_get(want, "stream"), -1));
        CHECK_U64(f.length, hf_value_as_i64(hf_value_get(want, "length"), -1));
        CHECK_U64(f.flags,
                  has(flags, "SYN") * 1u + has(flags, "ACK") * 2u + has(flags, "FIN") * 4u + has(flags, "RST") * 8u);
        at += HF_YAMUX_HEADER_LEN + (f.type == HF_YAMUX_TYPE_DATA ? f.length : 0);
        n++;
    }
    CHECK_U64(at, plain.len);
    CHECK(n > 100);
}

HF_TEST(session_decrypts_to_the_recorded_frames) {
    const hf_value *session = hf_test_json("orbitdb/session.json");
    static const size_t cuts[] = {1, 17, 65536};
    for (size_t i = 0; i < HF_COUNT(cuts); i++)
        for (int dialer = 0; dialer < 2; dialer++) {
            hf_conn conn;
            replay(session, dialer, cuts[i], &conn);
            hf_buf text;
            hf_buf_init(&text, hf_test_mem());
            hf_peer_id_add_text(&text, &conn.peer);
            CHECK_BYTES(hf_buf_bytes(&text),
                        text_of(hf_value_get(session, "libp2p"), dialer ? "alicePeerId" : "bobPeerId"));
            check_frames(hf_buf_bytes(&conn.plain), dialer ? "listener->dialer" : "dialer->listener");
            hf_buf_deinit(&text);
            hf_conn_deinit(&conn);
        }
}

/* The recorded keys, in the order in which a swarm asks for randomness: static key, seed of tables, ephemeral key. */
static void recorded_random(void *ctx, uint8_t *out, size_t len) {
    const hf_value *session = ctx;
    static size_t n_keys;
    memset(out, 7, len);
    if (len != 32) return;
    const char *name = n_keys++ % 2 ? "responderEphemeralPrivate" : "responderStaticPrivate";
    memcpy(out, hex_of(hf_value_get(session, "noise"), name).ptr, 32);
}

HF_TEST(session_dialer_is_a_peer_to_the_swarm) {
    const hf_value *session = hf_test_json("orbitdb/session.json");
    hf_swarm_config config = {
        .random = recorded_random, .random_ctx = (void *)(uintptr_t)session, .agent = HF_TEXT("x")};
    config.ed25519_seed = hex_of(hf_value_get(session, "libp2p"), "alicePeerPrivateKeySeed").ptr;
    hf_swarm *swarm = hf_swarm_new(hf_test_mem(), &config);
    hf_swarm_out out;
    hf_bytes in = stream_of(session, "dialer->listener");
    size_t n_up = 0, n_identified = 0, n_open = 0, n_data = 0;
    CHECK_ERR(hf_swarm_protocol(swarm, HF_TEXT("/meshsub/1.2.0"), 1), HF_OK);
    CHECK_ERR(hf_swarm_protocol(swarm, HF_TEXT("/ipfs/bitswap/1.2.0"), 2), HF_OK);
    CHECK_ERR(hf_swarm_conn_open(swarm, 0, 1, false, NULL, HF_TEXT("")), HF_OK);
    CHECK_ERR(hf_swarm_conn_recv(swarm, 0, 1, in), HF_OK);
    while (hf_swarm_next(swarm, &out)) {
        if (out.kind == HF_SWARM_CONN_UP) n_up++;
        if (out.kind == HF_SWARM_STREAM_OPEN) n_open++;
        if (out.kind == HF_SWARM_STREAM_DATA) n_data += out.bytes.len;
        if (out.kind == HF_SWARM_IDENTIFIED) {
            n_identified++;
            CHECK(hf_starts(out.identify->agent, HF_TEXT("js-libp2p/2.10.0")));
        }
        CHECK_MSG(out.kind != HF_SWARM_CONN_CLOSE ||
                      hf_starts(hf_str(out.reason), HF_TEXT("yamux: the peer goes away")),
                  "%s", out.reason);
    }
    CHECK_U64(n_up, 1);
    CHECK_MSG(n_identified >= 1 && n_open >= 10 && n_data > 1000, "%zu identified, %zu open, %zu bytes", n_identified,
              n_open, n_data);
    CHECK(hf_swarm_n_peers(swarm) <= 1);
    hf_swarm_free(swarm);
}

/* conn: the upgrade of one byte channel: multistream-select -> Noise XX -> muxer; then the sealing and opening of what
 * the muxer says. Private to the swarm. Specs: libp2p/specs connections/README.md,
 * connections/inlined-muxer-negotiation.md, noise/README.md.
 *
 * Refuses: plaintext, any security but /noise, any muxer but yamux, another peer than the expected one. Handshake
 * messages over 4 KiB. Memory: at most one Noise message (64 KiB) that is not whole, and what was decrypted and not yet
 * cleared.
 */
#ifndef HF_CONN_H
#define HF_CONN_H
#include "multistream.h"
#include "noise.h"
#include "swarm.h"

/* What all connections of a peer share; borrowed. One static key and one signature for all handshakes: noise/README.md,
 * "Static Key Authentication", allows it, and a handshake costs one signature less. */
typedef struct hf_conn_keys {
    uint8_t static_secret[32], static_public[32];
    hf_bytes payload, plain_payload; /* the plain one names no muxer */
    hf_key_check check;
} hf_conn_keys;

typedef enum hf_conn_phase {
    HF_CONN_SECURITY, /* multistream-select for /noise */
    HF_CONN_NOISE,
    HF_CONN_MUXER, /* multistream-select for /yamux/1.0.0, inside Noise; skipped when both named it in the handshake */
    HF_CONN_OPEN,
    HF_CONN_DEAD,
} hf_conn_phase;

typedef struct hf_conn {
    hf_mem *mem;
    const hf_conn_keys *keys;
    bool dialer;
    bool channels; /* over data channels: Noise only, and nothing after it */
    hf_conn_phase phase;
    hf_multistream select;
    hf_noise noise;
    hf_noise_cipher tx, rx;
    hf_peer_id expected, peer; /* peer: valid from HF_CONN_MUXER on */
    hf_buf partial;            /* the start of a Noise message */
    hf_buf plain;              /* decrypted; muxer bytes from plain_at on are not yet read */
    size_t plain_at;
    hf_buf out;         /* for the channel */
    const char *reason; /* why it is dead */
} hf_conn;

/* `ephemeral` is wiped. HF_NOMEM: deinit it all the same. */
HF_MUST_USE hf_err hf_conn_init(hf_conn *conn, hf_mem *mem, const hf_conn_keys *keys, bool dialer,
                                const hf_peer_id *expected, uint8_t ephemeral[32]);
/* Over the data channels of WebRTC. `peer` not NULL: it is authenticated already, and so is the phase HF_CONN_OPEN. Else (webrtc-direct) Noise runs,
 * begun by the `noise_initiator`: hf_conn_recv takes what comes on the Noise channel, `out` is for it. */
HF_MUST_USE hf_err hf_conn_init_channels(hf_conn *conn, hf_mem *mem, const hf_conn_keys *keys, const hf_channels_open *open, uint8_t ephemeral[32]);
void hf_conn_deinit(hf_conn *conn);
/* Bytes from the channel, any cut. Muxer bytes are added to `plain`. HF_DENIED: the peer did wrong, `reason` says what,
 * the phase is HF_CONN_DEAD. HF_NOMEM: likewise. */
HF_MUST_USE hf_err hf_conn_recv(hf_conn *conn, hf_bytes bytes);
/* Seals muxer bytes into `out`. HF_DENIED: nonces are used up, `reason` says so. HF_NOMEM. */
HF_MUST_USE hf_err hf_conn_send(hf_conn *conn, hf_bytes bytes);
/* Nothing went by for a while: gives memory back. */
void hf_conn_rest(hf_conn *conn);
#endif

/* webrtc_signal: /webrtc-signaling: two peers that meet through a relay set up a WebRTC connection between them. Spec: libp2p/specs
 * webrtc/webrtc.md. Sits on the swarm; the shell owns the RTCPeerConnection (in a browser, its page).
 *
 * The peer that dialled the relayed connection calls: it opens the stream and offers. Offer and answer go once each way, then candidates as they are
 * found. What is said can be trusted as coming from `peer`, for the relayed connection runs Noise: so the certificates' fingerprints in it
 * authenticate the WebRTC connection, and no handshake follows there.
 *
 *      caller:  CALL -> say OFFER, CANDIDATE* ; ANSWER, CANDIDATE* come                              -> end (connected or not)
 *      called:  OFFER comes -> say ANSWER, CANDIDATE* ; CANDIDATE* come                              -> end
 *
 * Limits: 16 sessions at once, 2 that the same peer began; 30 s for a session; messages of 16 KiB; 128 messages of a peer in one session.
 * A peer that breaks the order or a limit loses its stream; ENDED says why.
 */
#ifndef HF_WEBRTC_SIGNAL_H
#define HF_WEBRTC_SIGNAL_H
#include "swarm.h"
#include "webrtc_signal_message.h"

#define HF_WEBRTC_SIGNAL_PROTOCOL "/webrtc-signaling/0.0.1"

typedef struct hf_webrtc_signal hf_webrtc_signal;

/* Makes the protocol known, on limited connections too. NULL: no memory, or known already. */
hf_webrtc_signal *hf_webrtc_signal_new(hf_mem *mem, hf_swarm *swarm, uint32_t tag);
void hf_webrtc_signal_free(hf_webrtc_signal *w); /* before the swarm; NULL allowed */
/* Every event of the swarm with our tag. */
void hf_webrtc_signal_event(hf_webrtc_signal *w, uint64_t now_ms, const hf_swarm_out *event);

/* Calls the peer over this authenticated connection. CALL comes when it speaks the protocol, else ENDED. HF_LIMIT; HF_NOT_FOUND: no such connection. */
HF_MUST_USE hf_err hf_webrtc_signal_call(hf_webrtc_signal *w, uint64_t now_ms, uint64_t conn, const hf_peer_id *peer, uint32_t *ret_session);
/* HF_NOT_FOUND: no such session (any more). HF_STATE: not its turn: an offer is the caller's and an answer the called one's first word, said once.
 * HF_LIMIT: too long, or too much is buffered. */
HF_MUST_USE hf_err hf_webrtc_signal_say(hf_webrtc_signal *w, uint64_t now_ms, uint32_t session, hf_webrtc_signal_type type, hf_bytes data);
/* With whom, and did we call? HF_NOT_FOUND. HF_STATE: offer and answer are not both told yet. */
HF_MUST_USE hf_err hf_webrtc_signal_with(const hf_webrtc_signal *w, uint32_t session, hf_peer_id *ret_peer, bool *ret_caller);
/* The connection stands (the stream is finished), or it came to nothing (it is reset). Nothing more is told of the session. */
void hf_webrtc_signal_end(hf_webrtc_signal *w, uint64_t now_ms, uint32_t session, bool connected);

typedef enum hf_webrtc_signal_kind {
    HF_WEBRTC_SIGNAL_NONE = 0,
    HF_WEBRTC_SIGNAL_CALL,  /* session, peer: make an offer */
    HF_WEBRTC_SIGNAL_HEARD, /* session, peer, type, data: an offer to be answered, the answer to ours, a candidate */
    HF_WEBRTC_SIGNAL_ENDED, /* session, peer, reason: over, unless the connection stands already */
} hf_webrtc_signal_kind;
typedef struct hf_webrtc_signal_out {
    hf_webrtc_signal_kind kind;
    uint32_t session;
    hf_peer_id peer;
    hf_webrtc_signal_type type;
    hf_bytes data;      /* valid until the next call of next */
    const char *reason; /* static text */
} hf_webrtc_signal_out;
hf_webrtc_signal_kind hf_webrtc_signal_next(hf_webrtc_signal *w, hf_webrtc_signal_out *ret_out);
uint64_t hf_webrtc_signal_deadline(const hf_webrtc_signal *w); /* UINT64_MAX: none */
void hf_webrtc_signal_tick(hf_webrtc_signal *w, uint64_t now_ms);
#endif

/* swarm: all connections of one peer, and the streams within them. Over any ordered byte channel (TCP, WebSocket, a data channel,
 * a relayed stream) it runs multistream-select -> Noise XX -> yamux, then identify and ping; above it protocols see only
 * streams with a peer ID. Over the data channels of a WebRTC connection every stream is a channel, with no yamux, and Noise only where the
 * peer is not known before. Sans-IO: the shell owns the channels and moves the bytes.
 *
 * Specs: libp2p/specs connections/README.md, noise/README.md, yamux/README.md, webrtc/README.md, identify/README.md, ping/ping.md.
 *
 * Life:    new -> protocol* -> (conn_* | stream_* | tick)* -> free; after each call drain hf_swarm_next() until HF_SWARM_NONE.
 * Memory:  from `mem`; per connection at most cfg limits; a peer that overruns one is closed with a reason.
 * Views:   everything an event points at is valid until the next call on the swarm that is not hf_swarm_next's end.
 * Order:   same calls, same outputs, byte for byte.
 */
#ifndef HF_SWARM_H
#define HF_SWARM_H
#include "peer_id.h"

typedef struct hf_swarm hf_swarm;

typedef struct hf_swarm_config {
    const uint8_t *ed25519_seed;       /* 32 bytes, copied */
    const hf_peer_key *key;            /* instead of the seed: a key of any kind, asked once, in hf_swarm_new; NULL: the seed counts */
    hf_key_check check;                /* for peers whose kind of key the core does not compute with; `verify` NULL: they are refused */
    hf_bytes agent;                    /* "holdfast/0.1.0", copied */
    void (*random)(void *ctx, uint8_t *out, size_t len); /* ephemeral keys */
    void *random_ctx;
    int64_t unix_offset_ms;            /* UTC in ms since 1970 minus now_ms: numbers the signed peer records of identify; 0: none are sent */
    /* 0 means the default in brackets. */
    uint32_t conns_max;                /* [1,200] connections in all; one more is refused */
    uint32_t conns_per_peer_max;       /* [4] */
    uint32_t streams_in_max;           /* [256] inbound streams a connection */
    uint32_t handshake_ms;             /* [10,000] from conn_open to authenticated */
    uint32_t negotiate_ms;             /* [10,000] a stream's protocol negotiation */
    uint32_t ping_ms;                  /* [15,000] between pings; a peer silent for 2 intervals is closed */
    uint32_t send_buffer_bytes_max;    /* [1 MiB] written to a stream but not yet taken by the peer's window */
} hf_swarm_config;

hf_swarm *hf_swarm_new(hf_mem *mem, const hf_swarm_config *config);
void hf_swarm_free(hf_swarm *swarm);   /* NULL allowed */
const hf_peer_id *hf_swarm_self(const hf_swarm *swarm);

/* Makes a protocol known: it is listed in identify and accepted on inbound streams. `tag` comes back in stream events.
 * A protocol added later is announced by identify push to peers that speak it. */
HF_MUST_USE hf_err hf_swarm_protocol(hf_swarm *swarm, hf_bytes name, uint32_t tag);
/* Lets a protocol run on limited connections too, both ways; others are refused there. HF_LIMIT: more than 32. */
HF_MUST_USE hf_err hf_swarm_allow_limited(hf_swarm *swarm, hf_bytes protocol);
/* Forgets it: new streams of it are refused; those that are open go on. Peers that speak identify push are told. */
void hf_swarm_protocol_drop(hf_swarm *swarm, hf_bytes name);
/* Addresses told to others in identify (binary multiaddrs, copied; replaces the earlier set). */
HF_MUST_USE hf_err hf_swarm_addresses(hf_swarm *swarm, const hf_bytes *addrs, size_t n_addrs);

/* ---- carriage: what the shell tells ---- */

/* A byte channel is up. `conn` is the shell's number for it, unique among open ones. `dialer`: did we dial? `expected`: the peer
 * we meant to reach, or NULL. `remote`: binary multiaddr of the other end for identify's observedAddr, may be empty.
 * HF_LIMIT: too many connections (the shell closes the channel). */
HF_MUST_USE hf_err hf_swarm_conn_open(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote);
/* The same for a channel through a relay (core/p2p/relay.h does this). `limited`: the relay cuts it off after some time or some bytes, so only
 * identify, ping and what hf_swarm_allow_limited names run on it. Direct connections go before relayed ones: for new streams, and when a peer
 * has too many (a relayed one makes room). */
HF_MUST_USE hf_err hf_swarm_conn_open_relayed(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote,
                                              bool limited);
/* A WebRTC connection is up: every stream is a data channel of its own (channels.h). The shell numbers the channels that the peer opens as it
 * likes below 2^31 (their SCTP stream id will do); those that we open are named in HF_CHANNEL_OPEN and keep that number. SEND's bytes are whole
 * records for such a connection. Specs: libp2p/specs webrtc/webrtc.md, webrtc/webrtc-direct.md. */
typedef struct hf_channels_open {
    bool dialer;
    const hf_peer_id *peer;     /* /webrtc: who it is; the fingerprints of both came over an authenticated channel. NULL: webrtc-direct: Noise
                                   runs first, on channel HF_CHANNEL_NOISE */
    bool noise_initiator;       /* the server of webrtc-direct */
    hf_bytes prologue;          /* "libp2p-webrtc-noise:", the client's certificate's multihash, the server's; not kept */
    const hf_peer_id *expected; /* or NULL */
    hf_bytes remote;            /* as in conn_open */
    bool limited;
} hf_channels_open;
/* HF_LIMIT: too many connections. HF_DENIED: `peer` is not the expected one, or is ourselves. */
HF_MUST_USE hf_err hf_swarm_conn_open_channels(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, const hf_channels_open *open);
/* The peer opened a channel. HF_EXISTS: the number is taken: the shell closes the channel. HF_NOT_FOUND: no such connection (here and below). */
HF_MUST_USE hf_err hf_swarm_channel_opened(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel);
/* One whole message came in. */
HF_MUST_USE hf_err hf_swarm_channel_recv(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message);
/* A channel is gone, by the peer or because it could not be opened; nothing is told for those that we closed. */
void hf_swarm_channel_closed(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel);
/* The channel's send queue is above (true; a good mark is 1 MiB) or below (256 KiB) its mark: while above, no stream data goes to it. */
void hf_swarm_channel_busy(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy);
/* Bytes of this connection that are kept for streams that do not read. A shell that can make its peer wait does so while it is much. 0: none, or no such
 * connection. */
size_t hf_swarm_channels_held(const hf_swarm *swarm, uint64_t conn);
/* Bytes came in, any cut. All are consumed; what the peer did wrong comes out as CONN_CLOSE. HF_NOT_FOUND: no such conn. */
HF_MUST_USE hf_err hf_swarm_conn_recv(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, hf_bytes bytes);
/* The channel is gone; its streams are reset. */
void hf_swarm_conn_lost(hf_swarm *swarm, uint64_t now_ms, uint64_t conn);
/* We want it gone: go-away, then CONN_CLOSE comes out. */
void hf_swarm_conn_close(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, const char *reason);
/* From now on new streams go over this connection only when they are opened on it, unless there is no other: it was made to see whether it can be. */
void hf_swarm_conn_aside(hf_swarm *swarm, uint64_t conn);
/* The shell's send queue for this conn is above (true) or below (false) its high-water mark: while above, the swarm sends no stream data on it. */
void hf_swarm_conn_busy(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, bool busy);

/* ---- streams: what protocols do ---- */

/* Opens a stream to the peer over its best connection (direct, else relayed, else limited; the quickest of these) and starts negotiating. Writing is
 * allowed at once (bytes follow the negotiation). *ret_stream is unique for the swarm's life. HF_NOT_FOUND: no authenticated connection to that
 * peer. HF_LIMIT: the peer's stream limit. HF_DENIED: there are only limited connections, and the protocol does not run on those. */
HF_MUST_USE hf_err hf_swarm_stream_open(hf_swarm *swarm, uint64_t now_ms, const hf_peer_id *peer, hf_bytes protocol, uint32_t tag, uint64_t *ret_stream);
/* As above over one given connection. */
HF_MUST_USE hf_err hf_swarm_stream_open_on(hf_swarm *swarm, uint64_t now_ms, uint64_t conn, hf_bytes protocol, uint32_t tag, uint64_t *ret_stream);
/* Takes all the bytes or none. HF_LIMIT: the send buffer would overflow; STREAM_DRAINED will come. HF_STATE: finished or reset.
 * One call is one yamux DATA frame when it fits the peer's window and 64 KiB, one message of a data channel up to 16,377 bytes (OrbitDB heads
 * rely on that). */
HF_MUST_USE hf_err hf_swarm_stream_write(hf_swarm *swarm, uint64_t now_ms, uint64_t stream, hf_bytes bytes);
size_t hf_swarm_stream_buffered(const hf_swarm *swarm, uint64_t stream); /* bytes written and not yet sent */
/* STREAM_DRAINED will come when the send buffer is empty. False: it is empty now, nothing will come. */
bool hf_swarm_stream_when_drained(hf_swarm *swarm, uint64_t stream);
void hf_swarm_stream_finish(hf_swarm *swarm, uint64_t now_ms, uint64_t stream); /* no more writes: FIN after what is buffered */
void hf_swarm_stream_reset(hf_swarm *swarm, uint64_t now_ms, uint64_t stream);
/* Stops (false) or resumes (true) granting window: back-pressure for a reader that cannot keep up. On by default. Data channels have no window: what
 * comes meanwhile is kept, up to 1 MiB; then the stream is reset. */
void hf_swarm_stream_reading(hf_swarm *swarm, uint64_t now_ms, uint64_t stream, bool on);

/* ---- what comes out ---- */

typedef enum hf_swarm_kind {
    HF_SWARM_NONE = 0,
    HF_SWARM_SEND,          /* conn, bytes: give to the channel, in this order */
    HF_SWARM_CONN_CLOSE,    /* conn, reason: close the channel after what was sent; do not call conn_lost for it */
    HF_SWARM_CONN_UP,       /* conn, peer: authenticated (before identify) */
    HF_SWARM_IDENTIFIED,    /* conn, peer, identify, inbound (it dialled us): the peer's protocols and addresses are known (again after each push) */
    HF_SWARM_CONN_DOWN,     /* conn, peer, last (no connection to this peer is left), reason: after CONN_UP only */
    HF_SWARM_STREAM_OPEN,   /* stream, tag, peer, inbound: negotiated */
    HF_SWARM_STREAM_DATA,   /* stream, tag, peer, bytes: one yamux DATA frame's or one message's bytes at most */
    HF_SWARM_STREAM_FIN,    /* stream, tag, peer: the peer will write no more; we may */
    HF_SWARM_STREAM_DRAINED,/* stream, tag, peer: the send buffer is empty again after HF_LIMIT, or after hf_swarm_stream_when_drained */
    HF_SWARM_STREAM_GONE,   /* stream, tag, peer, reset, reason: over (both sides finished, reset, refused protocol, or the conn is gone) */
} hf_swarm_kind;

typedef struct hf_identify {
    hf_bytes agent, protocol_version, observed;     /* observed: binary multiaddr, what the peer sees of us */
    hf_bytes record;                                /* its signed peer record (peer_record.h), sound and its own; the addresses are this one's. Or empty */
    uint64_t record_seq;
    const hf_bytes *protocols;
    const hf_bytes *addresses;                      /* binary multiaddrs */
    size_t n_protocols, n_addresses;
} hf_identify;

typedef struct hf_swarm_out {
    hf_swarm_kind kind;
    uint64_t conn, stream;
    uint32_t tag;
    bool inbound, last, reset;
    bool relayed, limited;            /* the connection that this is about: through a relay, and one that cuts it off */
    hf_peer_id peer;
    hf_bytes bytes;
    const char *reason;               /* static text */
    const hf_identify *identify;
} hf_swarm_out;

hf_swarm_kind hf_swarm_next(hf_swarm *swarm, hf_swarm_out *ret_out);

/* The bytes of this stream that came and will be told next, a DATA event after another, while `each` returns true: so that costly work on them can be done
 * at a time. They are told all the same. */
void hf_swarm_stream_ahead(const hf_swarm *swarm, uint64_t stream, bool (*each)(void *ctx, hf_bytes bytes), void *ctx);

/* When tick must be called at the latest; UINT64_MAX: no need. */
uint64_t hf_swarm_deadline(const hf_swarm *swarm);
void hf_swarm_tick(hf_swarm *swarm, uint64_t now_ms);

/* ---- looking in ---- */
bool hf_swarm_connected(const hf_swarm *swarm, const hf_peer_id *peer);
bool hf_swarm_peer_speaks(const hf_swarm *swarm, const hf_peer_id *peer, hf_bytes protocol); /* by its identify */
/* What it says it is, by its identify; empty: it has not said. Valid until the next call. */
hf_bytes hf_swarm_peer_agent(const hf_swarm *swarm, const hf_peer_id *peer);
size_t hf_swarm_n_peers(const hf_swarm *swarm);
/* The i-th connected peer in order of first connection; NULL past the end. */
const hf_peer_id *hf_swarm_peer(const hf_swarm *swarm, size_t i);
/* The quickest connection to the peer that does not go through a relay. HF_NOT_FOUND: none. */
HF_MUST_USE hf_err hf_swarm_direct(const hf_swarm *swarm, const hf_peer_id *peer, uint64_t *ret_conn);
/* The multiaddr of the other end as it was told in conn_open; empty: not known. Valid while the connection is. */
hf_bytes hf_swarm_conn_remote(const hf_swarm *swarm, uint64_t conn);
bool hf_swarm_conn_is_inbound(const hf_swarm *swarm, uint64_t conn); /* the other side dialled */
/* What hf_swarm_addresses set; empty past the end. Valid until the next hf_swarm_addresses. */
hf_bytes hf_swarm_address(const hf_swarm *swarm, size_t i);
/* Adds an envelope signed with this peer's key (envelope.h). A failure sticks in the buffer;
 * HF_STATE: the peer's key is not Ed25519. */
void hf_swarm_seal(const hf_swarm *swarm, hf_bytes domain, hf_bytes payload_type, hf_bytes payload, hf_buf *envelope);
/* The i-th connection to a peer, the oldest first. False: there are not so many. */
bool hf_swarm_peer_conn(const hf_swarm *swarm, const hf_peer_id *peer, size_t i, uint64_t *ret_conn);
/* Round-trip time of the last ping over this connection in ms, UINT32_MAX when not known. */
uint32_t hf_swarm_conn_rtt_ms(const hf_swarm *swarm, uint64_t conn);

#endif

/* relay_private: what the files of the relay share.
 *
 *      relay.c           the face: life, events, what comes out, time
 *      relay_stream.c    one stream: messages off and onto it, bytes with back-pressure, its end
 *      relay_client.c    reservations of ours, connecting, being called
 *      relay_channel.c   a connection of ours inside a stream: between the swarm and itself
 *      relay_server.c    reservations of others, circuits between them
 */
#ifndef HF_RELAY_PRIVATE_H
#define HF_RELAY_PRIVATE_H
#include "relay.h"

#define HF_RELAY_CONN_FLAG ((uint64_t)1 << 63)
enum {
    HF_RELAY_HOLDS_MAX = 8,
    HF_RELAY_CHANNELS_MAX = 256,
    HF_RELAY_STREAMS_PER_PEER_MAX = 64, /* inbound, of one peer; circuits are counted apart */
    HF_RELAY_EARLY_MAX = 64 << 10,      /* bytes that may follow a CONNECT before it is answered */
    HF_RELAY_MESSAGE_MS = 10000,
    HF_RELAY_STOP_MS = 15000,  /* until the far peer has said yes */
    HF_RELAY_DIAL_MS = 30000,  /* until the relay has answered our CONNECT */
    HF_RELAY_LINGER_MS = 5000, /* from our last word to the stream's end */
    HF_RELAY_RETRY_MS = 5000,
    HF_RELAY_RETRY_MAX_MS = 600000,
    HF_RELAY_CHUNK = 64 << 10,
    HF_RELAY_HIGH_WATER = 256 << 10, /* unsent bytes of a stream from which on its source is held back */
};

typedef enum hf_relay_role {
    HF_RELAY_ASKED,     /* hop in: its message must come */
    HF_RELAY_CALLED,    /* stop in: likewise */
    HF_RELAY_RESERVING, /* hop out: our RESERVE */
    HF_RELAY_DIALLING,  /* hop out: our CONNECT */
    HF_RELAY_CHANNEL,   /* either: carries a connection of ours */
    HF_RELAY_WAITING,   /* hop in: CONNECT, the far peer is being asked by `other` */
    HF_RELAY_STOPPING,  /* stop out: the far peer is being asked, for `other` */
    HF_RELAY_CIRCUIT,   /* either: bytes go to and from `other` */
    HF_RELAY_ANSWERED,  /* nothing more is to be said or heard */
} hf_relay_role;

typedef struct hf_relay_hold hf_relay_hold;
typedef struct hf_relay_stream hf_relay_stream;

struct hf_relay_stream {
    hf_relay_stream *next, *prev;
    uint64_t id, carrier;   /* the stream; the connection that it is on */
    hf_peer_id peer, target; /* at the other end of the stream; whom the relayed connection is with */
    hf_relay_role role;
    bool inbound, gone;      /* gone: only the news of it is left */
    hf_buf in;               /* until the message is whole; then bytes that came too early */
    uint64_t deadline_ms;    /* UINT64_MAX: none */
    hf_relay_limit limit;

    hf_buf held;             /* on their way to this stream, not taken by the swarm */
    bool watched;            /* DRAINED will come; until then the source rests */
    bool finish;             /* after what is held: no more bytes will come for it */

    hf_relay_stream *other;  /* of a circuit */
    uint64_t n_bytes;        /* that came from here */
    int64_t tokens;          /* of a circuit's stop stream: bytes that may pass now */
    uint64_t filled_ms;      /* when they were counted last */
    bool resting;            /* of a circuit's stop stream: both halves wait for the deadline, they were too fast */
    bool paused;             /* not read from now; of a channel: the swarm knows that it is busy */

    uint64_t conn, context;  /* of a channel; of a connect */
    bool told;               /* CONNECTED or FAILED: in the list of news */
    hf_relay_kind news;
    uint32_t status;
    const char *reason;
    hf_relay_stream *next_news;
};

/* A reservation that we want. */
struct hf_relay_hold {
    hf_peer_id at;
    bool used, reserved, lost_due, reserved_due, dial_due;
    bool dialling;           /* the shell was asked to connect */
    hf_relay_stream *stream; /* asking now */
    uint64_t due_ms;         /* of the next try or refresh */
    uint64_t expires_ms;
    unsigned n_failures;
    uint32_t status;
    const char *reason;
    hf_relay_limit limit;
    hf_buf addrs;
    hf_bytes views[HF_RELAY_ADDRS_MAX];
    size_t n_addrs, ends[HF_RELAY_ADDRS_MAX]; /* where each address ends in `addrs` */
};

/* A reservation that we gave. */
typedef struct hf_relay_guest {
    struct hf_relay_guest *next;
    hf_peer_id peer;
    uint64_t expires_ms;
    uint8_t ip[16], ip_len;
} hf_relay_guest;

struct hf_relay {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_relay_config config;
    hf_map streams, channels; /* by stream id; by connection number */
    hf_relay_stream *first, *last, *news_first, *news_last, *cursor;
    hf_relay_hold holds[HF_RELAY_HOLDS_MAX];
    hf_relay_guest *guests;
    size_t n_guests, n_circuits, n_held;
    uint64_t next_conn, jitter, due_ms, n_relayed;
};

static inline hf_bytes hf_relay_key(const uint64_t *number) { return HF_BYTES(number, sizeof *number); }
void hf_relay_due(hf_relay *r, uint64_t at_ms);

/* ---- relay_stream.c ---- */
hf_relay_stream *hf_relay_stream_new(hf_relay *r, uint64_t id, uint64_t carrier, const hf_peer_id *peer, hf_relay_role role);
void hf_relay_stream_free(hf_relay *r, hf_relay_stream *s);
void hf_relay_set_deadline(hf_relay *r, hf_relay_stream *s, uint64_t at_ms);
/* Opens a stream on this connection and says the message. HF_NOMEM, HF_LIMIT, HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_relay_stream_open(hf_relay *r, uint64_t now_ms, uint64_t carrier, const hf_peer_id *peer, bool stop,
                                        const hf_relay_message *message, hf_relay_stream **ret);
HF_MUST_USE hf_err hf_relay_say(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool stop, const hf_relay_message *message);
/* Says a status and finishes. */
void hf_relay_answer(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool stop, hf_relay_status status);
/* Ends the stream at once; the module's record of it goes (a circuit's or a channel's other half is not touched). */
void hf_relay_drop(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
/* Bytes to the stream, held when the swarm does not take them. HF_LIMIT: too much is held. */
HF_MUST_USE hf_err hf_relay_pass(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes);
bool hf_relay_is_full(hf_relay *r, hf_relay_stream *s); /* its source is to rest; DRAINED will come */
void hf_relay_finish(hf_relay *r, uint64_t now_ms, hf_relay_stream *s); /* after what is held */
void hf_relay_drained(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
void hf_relay_tell(hf_relay *r, hf_relay_stream *s, hf_relay_kind news, uint32_t status, const char *reason);
void hf_relay_stream_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes);
void hf_relay_stream_fin(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
void hf_relay_stream_gone(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool reset, const char *reason);
void hf_relay_stream_late(hf_relay *r, uint64_t now_ms, hf_relay_stream *s); /* its deadline has come */

/* ---- relay_client.c ---- */
void hf_relay_reserve_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m);
void hf_relay_reserve_failed(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const char *reason);
void hf_relay_connect_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m);
void hf_relay_called(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m);
void hf_relay_hold_conn(hf_relay *r, uint64_t now_ms, const hf_swarm_out *event); /* a relay of ours came or went */
void hf_relay_holds_tick(hf_relay *r, uint64_t now_ms);
bool hf_relay_hold_news(hf_relay *r, hf_relay_out *out);

/* ---- relay_channel.c ---- */
HF_MUST_USE hf_err hf_relay_channel_open(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
void hf_relay_channel_out(hf_relay *r, uint64_t now_ms, const hf_swarm_out *event); /* SEND, CONN_CLOSE of a relayed connection */
void hf_relay_channel_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes);
void hf_relay_channel_end(hf_relay *r, uint64_t now_ms, hf_relay_stream *s); /* the stream ended: so does the connection */

/* ---- relay_server.c ---- */
void hf_relay_asked(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m);
void hf_relay_stop_answered(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, const hf_relay_message *m);
void hf_relay_circuit_data(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_bytes bytes);
void hf_relay_circuit_fin(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
void hf_relay_circuit_rest(hf_relay *r, uint64_t now_ms, hf_relay_stream *s); /* reading from s stops or goes on */
void hf_relay_circuit_gone(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, bool reset);
void hf_relay_circuit_late(hf_relay *r, uint64_t now_ms, hf_relay_stream *s);
/* Ends a circuit or its making from either half. `status`: what the asking peer is told if it was not answered yet. */
void hf_relay_circuit_end(hf_relay *r, uint64_t now_ms, hf_relay_stream *s, hf_relay_status status);
void hf_relay_guests_leave(hf_relay *r, const hf_peer_id *peer);
void hf_relay_guests_tick(hf_relay *r, uint64_t now_ms);
void hf_relay_guests_free(hf_relay *r);
#endif

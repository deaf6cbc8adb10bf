/* autonat2_private: what the files of AutoNAT v2 share.
 *
 *      autonat2.c          the face, the streams
 *      autonat2_client.c   our addresses, asking, and what the answers come to
 *      autonat2_server.c   dialling back for others
 */
#ifndef HF_AUTONAT2_PRIVATE_H
#define HF_AUTONAT2_PRIVATE_H
#include "autonat2.h"
#include "autonat2_message.h"
#include "observed.h"

enum {
    HF_AUTONAT2_MESSAGE_MS = 10000,
    HF_AUTONAT2_DATA_MS = 60000,
    HF_AUTONAT2_WAIT_MS = 3000,
    HF_AUTONAT2_DIAL_MS = 20000,
    HF_AUTONAT2_BACK_MS = 10000,
    HF_AUTONAT2_LINGER_MS = 5000,
    HF_AUTONAT2_ASKING_MS = 100000, /* of a request of ours: what a server may take in all */
    HF_AUTONAT2_ASK_MS = 5000,
    HF_AUTONAT2_AGAIN_MS = 300000,
    HF_AUTONAT2_RECHECK_MS = 900000,
    HF_AUTONAT2_VERDICT_MS = 3600000,
    HF_AUTONAT2_MINUTE_MS = 60000,
    HF_AUTONAT2_REQUESTS_MAX = 30, /* a minute */
    HF_AUTONAT2_PER_PEER_MAX = 6,
    HF_AUTONAT2_WITH_DATA_MAX = 12,
    HF_AUTONAT2_AT_ONCE_MAX = 16,
    HF_AUTONAT2_AT_ONCE_PEER_MAX = 2,
    HF_AUTONAT2_STREAMS_MAX = 64,
    HF_AUTONAT2_VERDICTS_MAX = 16,
    HF_AUTONAT2_PIECE_MIN = 100,      /* bytes of data in a message that counts, but for the last */
    HF_AUTONAT2_DATA_SENT_MAX = 100000,
};

typedef enum hf_autonat2_role {
    HF_AUTONAT2_ASKED,    /* server: the request must come */
    HF_AUTONAT2_PAYING,   /* server: data must come */
    HF_AUTONAT2_WAITING,  /* server: until the dial's moment */
    HF_AUTONAT2_DIALLING, /* server: the host dials */
    HF_AUTONAT2_GIVING,   /* server: the number is on its way */
    HF_AUTONAT2_ASKING,   /* client: the answer must come */
    HF_AUTONAT2_CALLED,   /* client: a dial-back; its number must come */
    HF_AUTONAT2_OVER,     /* nothing more is to be said or heard */
} hf_autonat2_role;

typedef struct hf_autonat2_stream {
    struct hf_autonat2_stream *next;
    uint64_t id, conn;
    hf_peer_id peer;
    hf_autonat2_role role;
    uint64_t deadline_ms, nonce;
    hf_buf in;
    hf_observed_addr addr;          /* that is dialled, or asked about */
    uint32_t index;
    uint64_t n_due, n_got;          /* PAYING: bytes */
    bool dial_due;                  /* DIALLING: not told yet */
    uint64_t back_conn, back_stream;/* GIVING; 0: none */
    bool heard;                     /* ASKING: the number came in on another connection */
} hf_autonat2_stream;

typedef struct hf_autonat2_verdict {
    hf_peer_id peer;                /* len 0: free */
    uint8_t net[4], net_len;
    hf_autonat_reach said;          /* UNKNOWN: it did not try */
    uint64_t at_ms;
} hf_autonat2_verdict;

/* An address of ours, perhaps. */
typedef struct hf_autonat2_ours {
    hf_observed_addr addr;
    hf_autonat2_verdict verdicts[HF_AUTONAT2_VERDICTS_MAX];
    hf_autonat_reach reach;
    bool news;
    uint64_t asked_ms;
} hf_autonat2_ours;

struct hf_autonat2 {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_autonat2_config config;
    hf_autonat2_stream *streams;
    size_t n_streams;
    uint64_t due_ms;

    uint64_t ask_ms;
    hf_observed observed;
    hf_autonat2_ours ours[HF_OBSERVED_MAX];
    size_t n_ours;

    struct { hf_peer_id peer; uint64_t at_ms; bool with_data; } requests[HF_AUTONAT2_REQUESTS_MAX]; /* the last ones, a ring */
    size_t next_request;
};

void hf_autonat2_due(hf_autonat2 *a, uint64_t at_ms);
void hf_autonat2_set_deadline(hf_autonat2 *a, hf_autonat2_stream *s, uint64_t at_ms);
hf_autonat2_stream *hf_autonat2_stream_new(hf_autonat2 *a, uint64_t id, uint64_t conn, const hf_peer_id *peer, hf_autonat2_role role, uint64_t deadline_ms);
/* Writes a message on its stream; a failure resets it, and its GONE ends it. */
void hf_autonat2_say(hf_autonat2 *a, uint64_t now_ms, uint64_t stream, const hf_autonat2_message *message);
void hf_autonat2_end(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s); /* finished from our side */

void hf_autonat2_identified(hf_autonat2 *a, uint64_t now_ms, const hf_swarm_out *event);
void hf_autonat2_client_tick(hf_autonat2 *a, uint64_t now_ms);
void hf_autonat2_answered(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m);
void hf_autonat2_unanswered(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s);
void hf_autonat2_number_came(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, uint64_t nonce);
bool hf_autonat2_client_news(hf_autonat2 *a, hf_autonat2_out *out);

void hf_autonat2_asked(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m);
void hf_autonat2_paid(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m);
void hf_autonat2_taken(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, bool taken); /* or not, in GIVING */
void hf_autonat2_server_late(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s);
#endif

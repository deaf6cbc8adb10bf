/* autonat_private: what the files of AutoNAT share.
 *
 *      autonat.c          the face, the streams
 *      autonat_client.c   asking, and what the answers come to
 *      autonat_server.c   dialling back for others
 */
#ifndef HF_AUTONAT_PRIVATE_H
#define HF_AUTONAT_PRIVATE_H
#include "autonat.h"
#include "autonat_message.h"
#include "observed.h"

enum {
    HF_AUTONAT_MESSAGE_MS = 10000,
    HF_AUTONAT_DIAL_MS = 20000,
    HF_AUTONAT_LINGER_MS = 5000,
    HF_AUTONAT_ASK_MS = 15000,
    HF_AUTONAT_RECHECK_MS = 900000,
    HF_AUTONAT_VERDICT_MS = 3600000,
    HF_AUTONAT_MINUTE_MS = 60000,
    HF_AUTONAT_REQUESTS_MAX = 30, /* a minute */
    HF_AUTONAT_PER_PEER_MAX = 3,
    HF_AUTONAT_DIALS_MAX = 16, /* at once */
    HF_AUTONAT_STREAMS_MAX = 64,
    HF_AUTONAT_VERDICTS_MAX = 16,
    HF_AUTONAT_ADDR_MAX = 128,
};

typedef struct hf_autonat_stream {
    struct hf_autonat_stream *next;
    uint64_t id, conn;
    hf_peer_id peer;
    enum { HF_AUTONAT_ASKED, HF_AUTONAT_DIALLING, HF_AUTONAT_ASKING, HF_AUTONAT_OVER } state;
    uint64_t deadline_ms;
    hf_buf in;             /* DIALLING: the request, which `addrs` point into */
    hf_bytes addrs[HF_AUTONAT_ADDRS_MAX];
    size_t n_addrs;
    bool dial_due;
} hf_autonat_stream;

/* What one peer said of us. */
typedef struct hf_autonat_verdict {
    hf_peer_id peer;
    uint8_t net[16], net_len;
    hf_autonat_reach said; /* UNKNOWN: it did not try */
    uint64_t at_ms;
    uint8_t addr[HF_AUTONAT_ADDR_MAX], addr_len;
} hf_autonat_verdict;

struct hf_autonat {
    hf_mem *mem;
    hf_swarm *swarm;
    uint32_t tag;
    hf_autonat_config config;
    hf_autonat_stream *streams;
    size_t n_streams;
    uint64_t due_ms;

    uint64_t ask_ms; /* when somebody is asked next */
    hf_autonat_verdict verdicts[HF_AUTONAT_VERDICTS_MAX];
    size_t n_verdicts;
    hf_autonat_reach reach;
    bool reach_due;
    hf_bytes views[HF_AUTONAT_VERDICTS_MAX];
    hf_observed observed;
    hf_observed_addr asked[HF_AUTONAT_ADDRS_MAX]; /* what `ask` asks about */

    struct { hf_peer_id peer; uint64_t at_ms; } requests[HF_AUTONAT_REQUESTS_MAX]; /* the last ones, a ring */
    size_t next_request;
};

void hf_autonat_due(hf_autonat *a, uint64_t at_ms);
hf_autonat_stream *hf_autonat_stream_new(hf_autonat *a, uint64_t id, uint64_t conn, const hf_peer_id *peer, uint64_t deadline_ms);
void hf_autonat_say(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *message);
void hf_autonat_end(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s); /* finished from our side */

void hf_autonat_identified(hf_autonat *a, uint64_t now_ms, const hf_swarm_out *event);
void hf_autonat_client_tick(hf_autonat *a, uint64_t now_ms);
void hf_autonat_answered(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *m);
void hf_autonat_unanswered(hf_autonat *a, uint64_t now_ms, const hf_autonat_stream *s);
bool hf_autonat_client_news(hf_autonat *a, hf_autonat_out *out);

void hf_autonat_asked(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *m);
void hf_autonat_refuse(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, hf_autonat_status status, const char *text);
#endif

/* core: the whole of Holdfast behind one face, the same for the node, the browser and the simulator: an app over its logs, and a peer.
 *
 * Sans-IO. The shell hands in bytes, clock readings, random bytes and stored blocks; it gets back answers, blocks to store, bytes to send
 * and news. One owner, no locks; nothing re-enters.
 *
 * Life:      new -> load* -> start -> (handle | conn_* | stored | signal | tick)* -> free. After each call drain hf_core_next() until NONE.
 * Durable:   what is written gets a sequence number; STORE outputs come in that order. The shell makes them durable in batches of its liking and says
 *            so with hf_core_stored(). Answers to writes wait for that in the shell; other peers see an entry of ours only after it.
 * Views:     what a call returns or an output points at is valid until the next call on the core other than hf_core_stored/next of the same drain;
 *            blocks of STORE outputs stay valid until they are reported stored.
 * Same calls, same outputs, byte for byte.
 */
#ifndef HF_CORE_H
#define HF_CORE_H
#include "app/app.h"
#include "p2p/bitswap.h"
#include "p2p/swarm.h"

typedef struct hf_core hf_core;

/* What makes this peer itself; the shell keeps it (32 bytes each). */
typedef struct hf_secrets { uint8_t root[32], signing[32], peer[32]; } hf_secrets;
/* Draws fresh valid secrets. */
void hf_secrets_make(void (*random)(void *ctx, uint8_t *out, size_t len), void *ctx, hf_secrets *ret);

typedef struct hf_core_config {
    const hf_file *files;            /* the app folder; none: a pure peer */
    size_t n_files;
    hf_bytes release, script_url;    /* see hf_app_release; borrowed for the core's life */
    const hf_secrets *secrets;       /* borrowed for hf_core_new */
    hf_bytes agent;                  /* "holdfast/0.1.0 node" */
    bool by_session;                 /* a node: it signs for sessions */
    bool wants_introductions;        /* a browser: it can be reached by being told how */
    void (*random)(void *ctx, uint8_t *out, size_t len);
    hf_block_source blocks;          /* the store: blocks reported stored; the core itself remembers those that are not yet */
    void *random_ctx;
} hf_core_config;

/* NULL: no memory, or the app does not parse: then *ret_problem (in the arena) says why. */
hf_core *hf_core_new(hf_mem *mem, const hf_core_config *config, hf_arena *arena, hf_bytes *ret_problem);
void hf_core_free(hf_core *core);

/* A stored block again, in the order of its STORE output. HF_MISSING / HF_MALFORMED with a reason: the store is damaged here; loading may go on,
 * what depends on this block will be fetched from peers. */
HF_MUST_USE hf_err hf_core_load(hf_core *core, uint32_t database, hf_bytes block, hf_fault *fault);
/* Everything is loaded. */
HF_MUST_USE hf_err hf_core_start(hf_core *core, uint64_t now_ms);

/* ---- the app ---- */

/* Answers a request. *ret_seq: 0, or the sequence number that must be stored before the answer may be sent.
 * nonce and new_session are drawn by the core when all zero. HF_NOMEM only. */
HF_MUST_USE hf_err hf_core_handle(hf_core *core, uint64_t now_ms, const hf_request *request, hf_response *ret, uint64_t *ret_seq);
/* A block from somebody who is not a connection (a form that carries the browser's own signed entry): an identity or an entry of one of our
 * databases. HF_OK: joined (STORE follows); HF_EXISTS; HF_MISSING: waits; HF_DENIED / HF_MALFORMED / HF_LIMIT / HF_NOT_FOUND: refused. */
HF_MUST_USE hf_err hf_core_offer(hf_core *core, uint64_t now_ms, hf_bytes block, hf_fault *fault);
/* The blocks that operation `seq` wrote (identity and entry), for such a form: appended one after another, each as varint length + block. */
HF_MUST_USE hf_err hf_core_written(hf_core *core, uint64_t seq, hf_buf *buf);

/* ---- the peer: as in p2p/swarm.h ---- */
HF_MUST_USE hf_err hf_core_conn_open(hf_core *core, uint64_t now_ms, uint64_t conn, bool dialer, const hf_peer_id *expected, hf_bytes remote);
HF_MUST_USE hf_err hf_core_conn_recv(hf_core *core, uint64_t now_ms, uint64_t conn, hf_bytes bytes);
void hf_core_conn_lost(hf_core *core, uint64_t now_ms, uint64_t conn);
void hf_core_conn_close(hf_core *core, uint64_t now_ms, uint64_t conn, const char *reason);
void hf_core_conn_busy(hf_core *core, uint64_t now_ms, uint64_t conn, bool busy);
HF_MUST_USE hf_err hf_core_addresses(hf_core *core, const hf_bytes *addrs, size_t n_addrs);
/* A small message to a peer, direct or through a carrier. HF_NOT_FOUND: nobody can reach it now. */
HF_MUST_USE hf_err hf_core_signal(hf_core *core, uint64_t now_ms, const hf_peer_id *to, hf_bytes data);

/* Everything up to and including `seq` is durable. */
void hf_core_stored(hf_core *core, uint64_t now_ms, uint64_t seq);

/* ---- what comes out ---- */
typedef enum hf_out_kind {
    HF_OUT_NONE = 0,
    HF_OUT_STORE,        /* seq, database (0: not an entry), cid, bytes: the block */
    HF_OUT_SEND,         /* conn, bytes */
    HF_OUT_CONN_CLOSE,   /* conn, reason */
    HF_OUT_CHANGED,      /* database (its collection shows something new), seq (of the newest write in it) */
    HF_OUT_PEER_UP,      /* conn, peer: authenticated */
    HF_OUT_PEER_KNOWN,   /* conn, peer, identify */
    HF_OUT_PEER_DOWN,    /* conn, peer, last, reason */
    HF_OUT_LEVEL,        /* peer: has what we have, for now */
    HF_OUT_INTRODUCED,   /* peer (who introduces), peers, n_peers: can be reached by signals */
    HF_OUT_SIGNAL,       /* peer (from), bytes */
    HF_OUT_REFUSED,      /* peer, database, reason: an entry that was not taken */
} hf_out_kind;

typedef struct hf_out {
    hf_out_kind kind;
    uint64_t seq, conn;
    uint32_t database;           /* 1 + index of the schema; 0: none */
    uint8_t cid[HF_CID_LEN];
    hf_bytes bytes;
    hf_peer_id peer;
    const hf_peer_id *peers;
    size_t n_peers;
    bool last;
    const char *reason;
    const hf_identify *identify;
} hf_out;

hf_out_kind hf_core_next(hf_core *core, uint64_t now_ms, hf_out *ret_out);
uint64_t hf_core_deadline(const hf_core *core);
void hf_core_tick(hf_core *core, uint64_t now_ms);

/* ---- looking in ---- */
const hf_peer_id *hf_core_self(const hf_core *core);
hf_app *hf_core_app(hf_core *core);                          /* NULL: a pure peer */
size_t hf_core_n_databases(const hf_core *core);
hf_bytes hf_core_address(const hf_core *core, uint32_t database);        /* "/orbitdb/zdpu…" */
hf_collection *hf_core_collection(hf_core *core, uint32_t database);
size_t hf_core_n_entries(const hf_core *core, uint32_t database);
void hf_core_version(const hf_core *core, uint32_t database, uint8_t ret_version[32]);
uint64_t hf_core_seq(const hf_core *core);                   /* of the newest write */
uint64_t hf_core_seq_stored(const hf_core *core);
size_t hf_core_n_peers(const hf_core *core);
bool hf_core_connected(const hf_core *core, const hf_peer_id *peer);
/* Entries of ours that no connected peer has confirmed yet (over all databases). */
size_t hf_core_pending(const hf_core *core);
/* JSON of /.well-known/holdfast.json without the addresses that only the shell knows: {"peerId","databases":{NAME: ADDRESS},"release"} members, no braces. */
void hf_core_describe(const hf_core *core, hf_buf *buf);
#endif

/* core: the whole of Holdfast behind one face, the same for the node, the browser and the simulator: an app over its logs, and a peer.
 *
 * Sans-IO. The shell hands in bytes, clock readings, random bytes and stored blocks; it gets back answers, blocks to store, bytes to send
 * and news. One owner, no locks; nothing re-enters.
 *
 * Life:      new -> restore* -> load* -> start -> (handle | conn_* | stored | signal | tick)* -> free. After each call drain hf_core_next() until NONE.
 * Durable:   what is written gets a sequence number; STORE outputs come in that order. The shell makes them durable in batches of its liking and says
 *            so with hf_core_stored(). Answers to writes wait for that in the shell; other peers see an entry of ours only after it.
 * Views:     what a call returns or an output points at is valid until the next call on the core other than hf_core_stored/next of the same drain;
 *            blocks of STORE outputs stay valid until they are reported stored.
 * Same calls, same outputs, byte for byte.
 */
#ifndef HF_CORE_H
#define HF_CORE_H
#include "app/app.h"
#include "log/log.h"
#include "orbit/operation.h"
#include "p2p/bitswap.h"
#include "p2p/host.h"
#include "p2p/webrtc_signal.h"

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
    bool relayed;                    /* a browser: it is reached, and reaches others, through circuit relays, and sets up WebRTC connections there */
    int64_t unix_offset_ms;          /* UTC in ms since 1970 minus now_ms; 0: not known: not with `relayed`, and no signed peer records are sent */
    void (*random)(void *ctx, uint8_t *out, size_t len);
    const hf_spread *spread;         /* for checking many signatures at a time; NULL: one after another. Borrowed for the core's life. */
    hf_block_source blocks;          /* the store: blocks reported stored; the core itself remembers those that are not yet; none that does not fit its CID */
    /* Many blocks will be asked for, one after the other (true); they were (false): always within one call of the core. For a store that can do with one
     * transaction what would be as many. NULL allowed. */
    void (*blocks_run)(void *ctx, bool begins);
    void *random_ctx;
    /* As in host.h; NULL: the core never asks for a channel. */
    const struct hf_host_dialling *dialling;
    bool (*can_dial)(void *ctx, hf_bytes address);
    void *dial_ctx;
    uint32_t conns_max;              /* 0: 1,200 connections in all */
    uint64_t writer_bytes, writer_day_bytes; /* of others' entries, see hf_sync_limits; 0: no bound */
    bool names_peers;                /* names other peers to those that a gossip mesh has no room for */
} hf_core_config;

/* NULL: no memory, or the app does not parse: then *ret_problem (in the arena) says why. */
hf_core *hf_core_new(hf_mem *mem, const hf_core_config *config, hf_arena *arena, hf_bytes *ret_problem);
void hf_core_free(hf_core *core);

/* A stored block again, in the order of its STORE output. HF_MISSING / HF_MALFORMED with a reason: the store is damaged here; loading may go on,
 * what depends on this block will be fetched from peers. */
HF_MUST_USE hf_err hf_core_load(hf_core *core, uint32_t database, hf_bytes block, hf_fault *fault);
/* The source of blocks has some that nobody gave it through the core, such as files: peers that wait for one get it. */
void hf_core_blocks_came(hf_core *core, uint64_t now_ms);

/* A database as one piece of bytes: the index of its log and what shows of it. The shell keeps it beside the blocks, so that the next start, or the next
 * hf_core_db_open, reads only those that came later. It holds all entries there are, so all must be stored: HF_STATE when one is not yet, or could not be
 * taken in for want of memory, or when the database is not open. HF_NOT_FOUND: no such database. Appended to buf. */
HF_MUST_USE hf_err hf_core_snapshot(const hf_core *core, uint32_t database, hf_buf *buf);
/* Before any entry of this database is loaded (of one added at run time: in phase LOADING); then hf_core_load only those that it does not hold. Blocks
 * that are no entries (identities) are loaded as always, before or after. The bytes come from our own store: they are held against damage, not against
 * malice. HF_MALFORMED with a reason: damaged, or of another program, app or database; nothing was taken, load everything. HF_STATE: too late. HF_NOMEM:
 * the core is of no use any more. */
HF_MUST_USE hf_err hf_core_restore(hf_core *core, uint32_t database, hf_bytes saved, hf_fault *fault);
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
/* A WebRTC connection: SEND's bytes are records (p2p/channels.h). */
HF_MUST_USE hf_err hf_core_conn_open_channels(hf_core *core, uint64_t now_ms, uint64_t conn, const hf_channels_open *open);
HF_MUST_USE hf_err hf_core_channel_opened(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel);
HF_MUST_USE hf_err hf_core_channel_recv(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel, hf_bytes message);
void hf_core_channel_closed(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel);
void hf_core_channel_busy(hf_core *core, uint64_t now_ms, uint64_t conn, uint32_t channel, bool busy);
size_t hf_core_channels_held(const hf_core *core, uint64_t conn);
void hf_core_conn_lost(hf_core *core, uint64_t now_ms, uint64_t conn);
void hf_core_conn_close(hf_core *core, uint64_t now_ms, uint64_t conn, const char *reason);
void hf_core_conn_busy(hf_core *core, uint64_t now_ms, uint64_t conn, bool busy);
HF_MUST_USE hf_err hf_core_addresses(hf_core *core, const hf_bytes *addrs, size_t n_addrs);
/* The libp2p peer below (host.h): parts are added to it between hf_core_new and hf_core_start, wishes for connections made; their tags are from
 * HF_CORE_TAG_PARTS on. The core drains it: what a part says comes as HF_OUT_SAID. */
hf_host *hf_core_host(const hf_core *core);
enum { HF_CORE_TAG_PARTS = 0x1000 };
/* A small message to a peer, direct or through a carrier. HF_NOT_FOUND: nobody can reach it now. */
HF_MUST_USE hf_err hf_core_signal(hf_core *core, uint64_t now_ms, const hf_peer_id *to, hf_bytes data);

/* ---- others, through relays (with config.relayed; HF_STATE without): p2p/relay.h, p2p/webrtc_signal.h ----
 * The shell holds a connection to each relay and owns the RTCPeerConnections. On a connection that a relay limits nothing runs but the setting up. */
/* Keeps a reservation at this peer, a circuit relay, whenever it is connected; REACHABLE tells the addresses. HF_LIMIT: 8. HF_EXISTS. */
HF_MUST_USE hf_err hf_core_reserve(hf_core *core, uint64_t now_ms, const hf_peer_id *relay);
void hf_core_unreserve(hf_core *core, const hf_peer_id *relay);
/* Calls a peer through a relay and sets up a WebRTC connection to it: RTC_CALL, or RTC_ENDED with session 0. HF_NOT_FOUND: the relay is not connected.
 * HF_EXISTS: there is a direct connection to the peer. HF_LIMIT. */
HF_MUST_USE hf_err hf_core_meet(hf_core *core, uint64_t now_ms, const hf_peer_id *relay, const hf_peer_id *peer);
/* What the RTCPeerConnection of a session has to tell: its offer or answer, then candidates. Errors as of hf_webrtc_signal_say. */
HF_MUST_USE hf_err hf_core_rtc_say(hf_core *core, uint64_t now_ms, uint32_t session, hf_webrtc_signal_type type, hf_bytes data);
/* It is connected, and is connection `conn` (of channels) from now on. HF_NOT_FOUND, HF_STATE: not a session that can be; close it. */
HF_MUST_USE hf_err hf_core_rtc_up(hf_core *core, uint64_t now_ms, uint32_t session, uint64_t conn);
void hf_core_rtc_failed(hf_core *core, uint64_t now_ms, uint32_t session);

/* There is no room for others' entries now, and why (static): they are turned away, REFUSED tells the first of each stream; ours go on. NULL: there is
 * again, and what was turned away is asked for. hf_core_offer and hf_core_db_join say HF_LIMIT. */
void hf_core_full(hf_core *core, uint64_t now_ms, const char *why);

/* Everything up to and including `seq` is durable. */
void hf_core_stored(hf_core *core, uint64_t now_ms, uint64_t seq);

/* ---- what comes out ---- */
typedef enum hf_out_kind {
    HF_OUT_NONE = 0,
    HF_OUT_STORE,        /* seq, database (0: not an entry), cid, bytes: the block */
    HF_OUT_SEND,         /* conn, bytes */
    HF_OUT_CONN_CLOSE,   /* conn, reason */
    HF_OUT_CHANGED,      /* database (its collection shows something new), seq (of the newest write in it) */
    HF_OUT_PEER_UP,      /* conn, peer: authenticated. conn >= 2^63: through a relay that sets no limit; those that are limited are not told of */
    HF_OUT_PEER_KNOWN,   /* conn, peer, identify */
    HF_OUT_PEER_DOWN,    /* conn, peer, last, reason */
    HF_OUT_LEVEL,        /* peer: has what we have, for now */
    HF_OUT_INTRODUCED,   /* peer (who introduces), peers, n_peers: can be reached by signals */
    HF_OUT_SIGNAL,       /* peer (from), bytes */
    HF_OUT_REFUSED,      /* peer, database, cid, reason: an entry that was not taken; waits: it may be, when its writer is granted access */
    HF_OUT_DATABASE,     /* database, reason (BROKEN): its phase changed, see hf_core_db_info. In LOADING the shell hands in what it has stored under
                            its address (hf_core_load), then calls hf_core_db_loaded. */
    HF_OUT_REACHABLE,    /* bytes: our addresses for WebRTC at relays (text, each with a newline behind it); none: empty */
    HF_OUT_RTC_CALL,     /* session, peer: make an offer */
    HF_OUT_RTC_HEARD,    /* session, peer, type, bytes: an offer to be answered, the answer to ours, a candidate */
    HF_OUT_RTC_ENDED,    /* session (0: there was none yet), peer, reason: it came to nothing */
    HF_OUT_DIAL,         /* dial, bytes (a binary multiaddr), port, at_ms: open a channel; answer with hf_host_conn_open or hf_host_dial_failed */
    HF_OUT_DIAL_OFF,     /* dial: not wanted any more, no answer is needed */
    HF_OUT_CONNECTED,    /* context, peer, reason: how a wish of hf_host_connect went */
    HF_OUT_SAID,         /* part, said: as HF_HOST_SAID */
    HF_OUT_NAMED,        /* peer: to be tried, said one (over conn) whose gossip mesh had no room for us; bytes: where it is, signed by itself (peer_record.h), or empty */
} hf_out_kind;

typedef struct hf_out {
    hf_out_kind kind;
    uint64_t seq, conn, dial, context, at_ms;
    hf_host_port port;
    uint32_t session;
    hf_webrtc_signal_type type;
    uint32_t database;           /* 1 + index of the schema, or the number of one added at run time; 0: none */
    uint8_t cid[HF_CID_LEN];
    hf_bytes bytes;
    hf_peer_id peer;
    const hf_peer_id *peers;
    size_t n_peers;
    bool last, waits;
    const char *reason, *part;
    const hf_identify *identify;
    const void *said;
} hf_out;

hf_out_kind hf_core_next(hf_core *core, uint64_t now_ms, hf_out *ret_out);
uint64_t hf_core_deadline(const hf_core *core);
void hf_core_tick(hf_core *core, uint64_t now_ms);

/* ---- OrbitDB databases beyond the app's, added at run time ----
 * They are js's own types, readable and writable by js peers, and live until they are closed: the core stores the list of them, and loads it again.
 * A guarded one (orbitdb access controller) opens a second database, which says who may write; that one has a number too.
 * At most 64 in all, as many as identify can name. */
typedef enum hf_core_phase {
    HF_CORE_SEEKING,     /* asks connected peers for its manifest or access list, and those that come, until it has them */
    HF_CORE_WAITING,     /* for the database that guards it */
    HF_CORE_LOADING,     /* for the shell's stored blocks */
    HF_CORE_OPEN,        /* replicates, can be read and written */
    HF_CORE_BROKEN,      /* what stands under that address is no database: see problem */
} hf_core_phase;

typedef struct hf_core_db_access {
    const hf_bytes *write; /* ids or "*"; none (NULL): our own id. Guarded: who may grant and revoke */
    size_t n_write;
    bool guarded;          /* grants can be changed at run time */
} hf_core_db_access;

/* Makes a database, or opens the one that was made with the same name, type ("events", "keyvalue", "keyvalue-indexed", "documents") and access.
 * HF_MALFORMED: no name or no such type. HF_LIMIT: too many. */
HF_MUST_USE hf_err hf_core_db_create(hf_core *core, uint64_t now_ms, hf_bytes name, hf_bytes type, const hf_core_db_access *access, uint32_t *ret_db);
/* Opens what stands under "/orbitdb/zdpu…"; what is missing of it comes from peers. HF_OK also when it is open. HF_MALFORMED: no address. HF_LIMIT. */
HF_MUST_USE hf_err hf_core_db_open(hf_core *core, uint64_t now_ms, hf_bytes address, uint32_t *ret_db);
/* In phase LOADING: all that the shell had of it was handed in. */
HF_MUST_USE hf_err hf_core_db_loaded(hf_core *core, uint64_t now_ms, uint32_t db);
/* It is not replicated or served any more, and not opened again by the next start. What is stored stays. HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_core_db_close(hf_core *core, uint64_t now_ms, uint32_t db);

/* Writes: see hf_orbit_operation for what each type takes. *ret_seq must be stored before it is acknowledged. HF_DENIED: we may not write here.
 * HF_STATE: not open. */
HF_MUST_USE hf_err hf_core_db_append(hf_core *core, uint64_t now_ms, uint32_t db, hf_orbit_op op, const hf_value *key, const hf_value *value,
                                     uint8_t ret_digest[32], uint64_t *ret_seq, hf_fault *fault);
/* Gives or takes a capability ("write", "admin", any name) of an identity id. HF_EXISTS: it is so. HF_STATE: not guarded, or not open. HF_DENIED. */
HF_MUST_USE hf_err hf_core_db_grant(hf_core *core, uint64_t now_ms, uint32_t db, hf_bytes capability, hf_bytes id, uint64_t *ret_seq);
HF_MUST_USE hf_err hf_core_db_revoke(hf_core *core, uint64_t now_ms, uint32_t db, hf_bytes capability, hf_bytes id, uint64_t *ret_seq);
/* Who has it, by the guarding database; valid until the next call. Not guarded: none. */
const hf_bytes *hf_core_db_capability(hf_core *core, uint32_t db, hf_bytes capability, size_t *ret_n);

/* One thing that a database shows. Views are valid during the visit. */
typedef struct hf_core_row {
    uint8_t digest[32];          /* of the entry: js's hash */
    const hf_value *key, *value; /* NULL: undefined. events have no key */
    uint64_t time;
    hf_bytes writer;             /* public key, hex */
} hf_core_row;
typedef struct hf_core_query {
    const uint8_t *lt, *lte, *gt, *gte; /* events: digests of entries, NULL: not given; see hf_orbit_range */
    size_t amount;               /* SIZE_MAX: all; of the newest, unless gt or gte say otherwise */
    bool oldest_first;           /* js's all() */
} hf_core_query;
/* What iterator() shows now, to be visited in pieces: what comes later is not in it. `query` is as for hf_core_db_each, and may go. Freed before the core. */
typedef struct hf_core_rows hf_core_rows;
HF_MUST_USE hf_err hf_core_rows_new(hf_core *core, uint32_t db, const hf_core_query *query, hf_core_rows **ret);
void hf_core_rows_free(hf_core_rows *rows);
/* Visits the next ones until visit returns false (that one was visited) or none is left: then *ret_more is false. HF_STATE: the database was closed since.
 * HF_MISSING: the store lost a block. */
HF_MUST_USE hf_err hf_core_rows_visit(hf_core_rows *rows, bool (*visit)(void *ctx, const hf_core_row *row), void *ctx, bool *ret_more);
/* Visits what iterator() shows, newest first, until visit returns false. HF_STATE: not open. HF_NOT_FOUND: no such entry in the range. HF_MISSING: the
 * store lost a block. NULL query: all. */
HF_MUST_USE hf_err hf_core_db_each(hf_core *core, uint32_t db, const hf_core_query *query, bool (*visit)(void *ctx, const hf_core_row *row), void *ctx);
/* js's get: by key; in events by hash text. ret is valid until the next call. HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_core_db_get(hf_core *core, uint32_t db, const hf_value *key, hf_core_row *ret);
/* May whoever has this identity id write, as far as is known here? False also when the database is not open. */
bool hf_core_db_allows(const hf_core *core, uint32_t db, hf_bytes id);
/* Digests of the heads, newest first, at most n_max; returns how many there are (0 also when there is no memory). */
size_t hf_core_db_heads(const hf_core *core, uint32_t db, uint8_t (*ret)[32], size_t n_max);

/* The CID of an entry is made of its digest: of the i-th in the order indexed, ancestors first; i below hf_core_n_entries. */
void hf_core_entry_digest(const hf_core *core, uint32_t db, size_t i, uint8_t ret[32]);
/* A block of ours, such as an entry, an identity or a manifest; valid until the next call. HF_NOT_FOUND. */
HF_MUST_USE hf_err hf_core_block(const hf_core *core, hf_bytes cid, hf_bytes *ret);

/* Blocks from an archive (see orbit/archive.h, which judges them first): an identity, a manifest or an access list is kept, so that databases which need
 * it find it. HF_MALFORMED, HF_DENIED with a reason. */
HF_MUST_USE hf_err hf_core_keep(hf_core *core, hf_bytes block, hf_fault *fault);
/* An entry of a database that is open, the app's too: joined as one from a peer. HF_EXISTS: it was there. HF_MISSING: it waits for what it stands on, or
 * for a grant. HF_DENIED, HF_MALFORMED, HF_LIMIT: refused. HF_STATE: not open. checked: the digest of an entry whose signature hf_archive_check found
 * good, so that it is not checked once more when the block is this one; NULL: none. */
HF_MUST_USE hf_err hf_core_db_join(hf_core *core, uint64_t now_ms, uint32_t db, hf_bytes block, const uint8_t *checked, hf_fault *fault);

typedef struct hf_core_db_about {
    hf_bytes address, name, type;/* name and type are empty while SEEKING the manifest */
    hf_core_phase phase;
    uint32_t guard;              /* number of the database that says who may write; 0: the access list is fixed */
    bool listed;                 /* false: only there because it guards another */
    bool may_write;              /* we */
    size_t n_entries, n_waiting; /* waiting: for ancestors, identities or grants */
    hf_log_counters counters;
    const char *problem;         /* BROKEN */
} hf_core_db_about;
/* HF_NOT_FOUND: no database added at run time has this number. */
HF_MUST_USE hf_err hf_core_db_info(const hf_core *core, uint32_t db, hf_core_db_about *ret);
/* Our own identity id: what access lists hold. */
hf_bytes hf_core_identity(const hf_core *core);
/* The CID of the block that is our identity: hf_core_block has it without a store. A shell that may lose the secrets stores it, so that our entries can be
 * loaded without them. */
void hf_core_identity_cid(const hf_core *core, uint8_t ret_cid[HF_CID_LEN]);

/* ---- why: where an entry or a peer stands ---- */
typedef enum hf_core_standing {
    HF_CORE_UNKNOWN,     /* never seen, or refused and forgotten */
    HF_CORE_WAITS,       /* for what `missing` names, or for a grant */
    HF_CORE_JOINED,      /* in the log, not durable yet: others do not see it */
    HF_CORE_KEPT,        /* in the log and durable: peers are told of it */
} hf_core_standing;
enum { HF_CORE_MISSING_MAX = 8 };
typedef struct hf_core_entry_about {
    hf_core_standing standing;
    uint32_t database;
    bool waits_for_grant, head;
    uint64_t time;                                   /* JOINED, KEPT */
    hf_bytes writer;                                 /* JOINED, KEPT: public key, hex */
    hf_log_want missing[HF_CORE_MISSING_MAX];
    size_t n_missing;                                /* may be more than stand there */
} hf_core_entry_about;
void hf_core_entry_info(const hf_core *core, const uint8_t digest[32], hf_core_entry_about *ret);

typedef struct hf_core_peer_about {
    bool connected, speaks_sync;
    uint32_t rtt_ms;             /* UINT32_MAX: not known */
    size_t n_behind;             /* entries of ours that it has not confirmed; SIZE_MAX: not known */
} hf_core_peer_about;
void hf_core_peer_info(const hf_core *core, const hf_peer_id *peer, hf_core_peer_about *ret);

/* ---- looking in ---- */
const hf_peer_id *hf_core_self(const hf_core *core);
hf_app *hf_core_app(hf_core *core);                          /* NULL: a pure peer */
size_t hf_core_n_collections(const hf_core *core);           /* the app's databases: 1 ... n */
size_t hf_core_n_databases(const hf_core *core);             /* the highest number in use */
hf_bytes hf_core_address(const hf_core *core, uint32_t database);        /* "/orbitdb/zdpu…"; empty: no database has this number; a closed one does until all of it is stored */
hf_collection *hf_core_collection(hf_core *core, uint32_t database);     /* NULL: not the app's */
size_t hf_core_n_entries(const hf_core *core, uint32_t database);
size_t hf_core_n_equivocations(const hf_core *core, uint32_t database);  /* entries of a writer that had another one with the same clock time */
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

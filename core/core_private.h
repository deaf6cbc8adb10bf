/* core_private: what the files of the core share.
 *
 *      core.c           life; the app; the peer's calls; looking in
 *      core_blocks.c    blocks: to the store, back from it, and what they mean to the logs
 *      core_snapshot.c  a database's state as one piece of bytes, and back
 *      core_out.c       what comes out, and time
 *      core_relay.c     others through relays: reservations, calls, the setting up of WebRTC connections
 *      core_db.c        databases added at run time: created, opened by address, closed, remembered
 *      core_why.c       where an entry or a peer stands
 *      core_db_data.c   writing to them and reading what they show
 */
#ifndef HF_CORE_PRIVATE_H
#define HF_CORE_PRIVATE_H
#include "core.h"
#include "log/log.h"
#include "log/manifest.h"
#include "log/sync.h"
#include "orbit/rights.h"
#include "orbit/state.h"
#include "services/signal.h"

/* A block on its way to the store. */
typedef struct hf_core_record {
    struct hf_core_record *next;
    uint64_t seq;
    uint32_t database;
    uint8_t cid[HF_CID_LEN];
    size_t len;
    uint8_t bytes[];
} hf_core_record;

typedef struct hf_core_db hf_core_db;
struct hf_core_db {
    uint32_t number;             /* 1 + its place in hf_core.databases */
    uint64_t serial;             /* a place may be taken again; no two databases of a core have the same */
    hf_buf access_block, manifest_block; /* empty: not here yet; a guarded one has no access block */
    uint8_t access_cid[HF_CID_LEN], manifest_cid[HF_CID_LEN];
    char address[HF_ADDRESS_LEN];
    hf_log *log;
    hf_collection *collection;   /* of the app; NULL: added at run time */
    size_t n_durable;            /* entries of the log's index that are stored */
    size_t n_unconfirmed;        /* own entries written since some peer last had everything */
    size_t n_records;            /* on their way to the store */
    bool incomplete;             /* the collection lacks an entry of the log, for want of memory */
    bool changed;                /* shows something new that CHANGED has not told yet */

    /* added at run time */
    hf_core_phase phase;
    bool listed;                 /* asked for by the shell, not only needed to guard another */
    bool telling;                /* the phase is to be told */
    bool closed;                 /* only waits for its records to be stored */
    hf_buf name;
    hf_orbit_type type;
    bool guarded;
    hf_core_db *guard;           /* whose capabilities say who may write here */
    size_t n_guarded;            /* databases that this one guards, closed ones included */
    hf_orbit_rights *rights;     /* of one that guards */
    hf_orbit_state *state;
    const char *problem;         /* HF_CORE_BROKEN */
    uint64_t retry_ms;           /* SEEKING: when to ask again; 0: an answer is awaited */
};

typedef struct hf_core_conn { uint64_t conn; hf_peer_id peer; } hf_core_conn;

typedef struct hf_core_relay hf_core_relay;

struct hf_core {
    hf_mem *mem;
    hf_core_config config;
    hf_secp *secp;
    hf_writer writer;
    hf_identity self;            /* our own identity, as others read it */
    hf_app *app;
    uint8_t app_id[32];          /* what a snapshot must be of: this program and these schemas */
    uint8_t program_id[32];      /* of a database added at run time: this program */
    hf_core_db **databases;      /* the app's first; NULL: a place that is free */
    size_t n_databases, databases_cap;
    hf_collection **collections; /* of the app, in the same order, for hf_app_state */
    uint8_t (*versions)[32];
    size_t n_collections;
    hf_host *host;
    hf_swarm *swarm;             /* the host's */
    hf_bitswap *bitswap;
    hf_gossip *gossip;
    hf_sync *sync;
    hf_signal *signal;
    hf_core_relay *relay;        /* NULL: not config.relayed */
    hf_core_record *first, **last, *unsent; /* oldest first; unsent: first that STORE has not shown */
    hf_map in_flight;            /* cid -> record */
    /* An entry of ours that is in its log, and found no memory on its way to the store: none of ours stands on it before it is on its way. */
    hf_buf unkept;
    uint32_t unkept_db, unkept_index; /* unkept_db 0: there is none */
    uint64_t seq, seq_stored;
    hf_core_conn *conns;
    size_t n_conns, conns_cap;
    uint64_t list_version;       /* of the stored list of databases */
    uint64_t n_made;             /* databases, ever */
    unsigned n_runs;             /* of blocks that are read one after the other: one in the other */
    bool started;
    hf_arena request_arena, scratch, rows;
};

/* ---- core_blocks.c ---- */
hf_err hf_core_block_get(void *core, hf_bytes cid, hf_bytes *ret); /* hf_block_source.get: in memory, on their way, then the store's */
HF_MUST_USE hf_err hf_core_store(hf_core *core, uint32_t database, const uint8_t cid[HF_CID_LEN], hf_bytes block);
/* An entry that the log took: remembers it for the store and shows it. */
HF_MUST_USE hf_err hf_core_take_entry(hf_core *core, uint64_t now_ms, uint32_t number, const hf_entry *entry, uint32_t index);
/* Writes an entry of ours and shows it. HF_DENIED: we may not. */
HF_MUST_USE hf_err hf_core_append(hf_core *core, uint64_t now_ms, hf_core_db *d, hf_bytes payload_cbor, uint32_t *ret_index);
HF_MUST_USE hf_err hf_core_learn_identity(hf_core *core, hf_bytes block, bool keep, hf_fault *fault);
/* Joins what waited for an entry that has just come. */
HF_MUST_USE hf_err hf_core_join_ready(hf_core *core, uint64_t now_ms, hf_core_db *d);
void hf_core_record_free(hf_core *core, hf_core_record *record);

/* ---- core_snapshot.c ---- */
/* SHA-256 over what decides how an entry is read: the agent's version and app.json (with no files: the version alone). */
void hf_core_app_id(const hf_core_config *config, uint8_t ret[32]);

/* ---- core_relay.c: nothing of it does anything without config.relayed ---- */
HF_MUST_USE hf_err hf_core_relay_init(hf_core *core);
void hf_core_relay_free(hf_core *core);                             /* before the swarm */
bool hf_core_relay_next(hf_core *core, uint64_t now_ms, hf_out *out); /* false: nothing is due; `kind` NONE: nothing for the shell */
void hf_core_relay_tick(hf_core *core, uint64_t now_ms);
uint64_t hf_core_relay_deadline(const hf_core *core);

/* ---- core_db.c ---- */
enum { HF_CORE_DATABASES_MAX = 64 /* beside the collections */, HF_CORE_NAME_BYTES_MAX = 1024 };
hf_core_db *hf_core_db_at(const hf_core *core, uint32_t number);    /* NULL: none, or closed */
hf_core_db *hf_core_db_next(const hf_core *core, size_t *cursor);   /* of those added at run time and not closed; NULL: no more */
/* A place for it. NULL: no memory, or too many. */
hf_core_db *hf_core_db_new(hf_core *core);
void hf_core_db_free(hf_core *core, hf_core_db *d);
hf_core_db *hf_core_db_find_or_make(hf_core *core, const uint8_t digest[32]); /* by its manifest; NULL: as hf_core_db_new */
HF_MUST_USE hf_err hf_core_db_seed(hf_core *core, uint64_t *ret);
HF_MUST_USE hf_err hf_core_db_store_block(hf_core *core, const hf_buf *block); /* that it is made of; an empty one: nothing to do */
void hf_core_db_set_phase(hf_core_db *d, hf_core_phase phase, const char *problem); /* and the shell is told */
/* Takes `first` (NULL: none) as far as it gets, and whatever can go on because of it. */
void hf_core_db_advance(hf_core *core, uint64_t now_ms, hf_core_db *first);
void hf_core_db_ask(hf_core *core, uint64_t now_ms, hf_core_db *d); /* all peers, for the block that it needs */
HF_MUST_USE hf_err hf_core_db_open_sync(hf_core *core, uint64_t now_ms, hf_core_db *d); /* its entries are loaded: it is open */
HF_MUST_USE hf_err hf_core_db_make_rights(hf_core *core, hf_core_db *d); /* of one that guards others: from the entries of its log */
void hf_core_db_bitswap(hf_core *core, uint64_t now_ms, const hf_bitswap_out *out);
void hf_core_db_peer(hf_core *core, uint64_t now_ms, const hf_peer_id *peer); /* it was identified */
void hf_core_db_tick(hf_core *core, uint64_t now_ms);
uint64_t hf_core_db_deadline(const hf_core *core);
bool hf_core_db_show(hf_core *core, hf_out *out);                   /* a phase that is to be told */
/* What a new entry of a guard's changes for those it guards. */
void hf_core_db_rights_changed(hf_core *core, uint64_t now_ms, const hf_core_db *guard);

/* ---- core_db_list.c ---- */
HF_MUST_USE hf_err hf_core_db_load_list(hf_core *core, const hf_value *list); /* a stored one */
HF_MUST_USE hf_err hf_core_db_start_all(hf_core *core, uint64_t now_ms);
void hf_core_db_stored(hf_core *core, hf_core_db *d);               /* a record of it was stored */
#endif

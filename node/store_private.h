/* store_private: what the store's files share: store.c (opening, committing), store_read.c (reading), store_repair.c (what is done about damage). */
#ifndef HF_NODE_STORE_PRIVATE_H
#define HF_NODE_STORE_PRIVATE_H
#include "store.h"

#include <sqlite3.h>

/* A block that waits for its commit. */
typedef struct hf_store_item {
    struct hf_store_item *next;
    uint64_t seq;
    uint16_t address_len, cid_len;
    size_t block_len;
    uint8_t bytes[]; /* address, cid, block */
} hf_store_item;

struct hf_store {
    uv_loop_t *loop;
    uv_work_t work;
    uv_prepare_t before_wait;
    uv_check_t behind_wait;
    uv_idle_t no_wait; /* what comes while a commit is told of, before the wait, must not lie there until something else happens */
    uv_timer_t retry;
    unsigned n_handles; /* that are not closed yet */
    sqlite3 *writer, *reader;
    sqlite3_stmt *begin, *commit, *rollback, *insert, *get;
    sqlite3_stmt *run_begin, *run_commit, *up, *down; /* the reader's; see store_read.c */
    void (*stored)(void *ctx, uint64_t seq);
    void (*failed)(void *ctx, const char *why);
    void *ctx;
    hf_store_item *waiting, **waiting_last; /* handed over */
    size_t n_waiting;
    hf_store_item *batch;          /* being committed */
    int64_t commit_ns;             /* what the last ones took */
    uint64_t room_looked_ns;       /* when the disk was last asked how much room there is */
    uint64_t bytes_max, bytes_beside, bytes_looked, bytes_put; /* see hf_store_bound; looked: what it took then; put: handed over since */
    bool at_bound;                 /* what is being committed had no room */
    bool running, failing;         /* failing: the last commit did not work; it is tried again */
    bool refuses, dead;            /* refuses: the loop knows that it is failing; dead: a block was lost on the way here */
    bool damaged, commit_damage;   /* something that was read is not what was written; the commit found so, on its thread */
    struct hf_store_scrub *scrub;  /* NULL: none runs */
    int wal;                       /* its file; -1: not known */
    int64_t wal_used, wal_len;
    bool in_run;                   /* reading one after the other */
    sqlite3_stmt *along;           /* up or down, on the row that was last got; NULL: neither */
    int64_t last_at;               /* place of the block that was last found in this run; 0: none yet */
    uint8_t *got;                  /* the block that was last asked for */
    size_t got_cap;
    char dir[4000], why[256];
};

const char *hf_store_fail(hf_store *store, sqlite3 *db, const char *what);
bool hf_store_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret);
/* Did it fail because the file is not what it was? */
bool hf_store_is_damage(int code);
/* The tables; `db` is a new or an opened one. */
extern const char HF_STORE_SCHEMA[];
/* Is this the block of that CID, and an entry of this database (or of none: empty)? */
bool hf_store_block_fits(hf_bytes cid, hf_bytes address, hf_bytes block);
/* Ends the look at everything, if it runs. */
void hf_store_scrub_end(hf_store *store);
/* Keys with their checksum, as they are kept. False: they are damaged. */
enum { HF_STORE_SECRETS_LEN = sizeof(hf_secrets) + 32 };
bool hf_store_secrets_read(hf_bytes kept, hf_secrets *ret);
#endif

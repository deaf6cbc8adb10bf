/* log_state: what a log consists of, for the files that are the log (log.c, log_append.c, log_look.c). */
#ifndef HF_LOG_STATE_H
#define HF_LOG_STATE_H
#include "log_index.h"
#include "log_pool.h"

typedef struct hf_log_identity_known {
    hf_identity identity;
    bool refused;            /* for good: the access list never changes */
    hf_index_writer *writer; /* NULL before its first entry */
} hf_log_identity_known;

enum { HF_LOG_RECENT = 32 }; /* a power of two, above what a log of one writer names in one entry */

/* CID texts of items written about lately: in a log without forks the refs of one entry are those of the last, moved by one. */
typedef struct hf_log_text {
    uint32_t item_plus_one;  /* 0: empty */
    char text[HF_CID_TEXT_LEN];
} hf_log_text;

enum { HF_LOG_CHECKED = 4 * HF_LOG_AHEAD_MAX };

struct hf_log {
    hf_mem *mem;
    hf_arena arena;          /* address, access list, identities: what lives as long as the log */
    hf_arena scratch;        /* for one call */
    hf_bytes address;
    hf_bytes *write;
    size_t n_write;
    hf_log_access (*access)(void *ctx, hf_bytes id); /* NULL: `write` alone */
    void *access_ctx;
    const char *(*closed)(void *ctx, uint32_t writer, bool needed); /* NULL: no door */
    void *door_ctx;
    hf_map identities;       /* digest -> hf_log_identity_known */
    size_t n_strangers;
    hf_index index;
    hf_pool pool;
    hf_index_list parents;   /* of the entry at hand, see find_parents in log.c */
    const uint8_t **missing;
    size_t cap_missing;
    hf_log_text recent[HF_LOG_RECENT];
    hf_log_counters counters;
    hf_arena ahead;
    uint8_t (*checked)[32];  /* entries whose signatures hold, HF_LOG_CHECKED of them, the oldest overwritten; NULL: none was looked at ahead */
    size_t n_checked;
};

/* ---- log.c ---- */
hf_log_identity_known *hf_log_known(const hf_log *log, const uint8_t digest[32]);
/* ---- log_ahead.c ---- */
bool hf_log_was_checked(const hf_log *log, const uint8_t digest[32]);
#endif

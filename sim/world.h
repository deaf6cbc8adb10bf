/* world: virtual time, the queue of events with one order, random numbers, and the digest of what happened. */
#ifndef HF_SIM_WORLD_H
#define HF_SIM_WORLD_H
#include "check.h"
#include "disk.h"
#include "host.h"
#include "link.h"
#include "load.h"
#include "part.h"
#include "peer.h"
#include "scene.h"
#include "sim.h"
#include "wave.h"

typedef enum hf_sim_event_kind {
    HF_EVENT_PACKET,    /* link, end: its next packet arrives */
    HF_EVENT_LOST,      /* link, end: that end learns that the channel is gone */
    HF_EVENT_UP,        /* link: both ends have it */
    HF_EVENT_TICK,      /* peer, number of the tick */
    HF_EVENT_SYNCED,    /* peer, life: what the disk was told to sync is */
    HF_EVENT_DIAL,      /* peer, life */
    HF_EVENT_START,     /* peer */
    HF_EVENT_USER,      /* number of the operation: sent, or sent again */
    HF_EVENT_HARM,      /* the next fault */
    HF_EVENT_ATTACK,    /* a hostile peer's turn */
    HF_EVENT_CHURN,     /* somebody leaves */
    HF_EVENT_JOIN,      /* peer: a host looks whether it has connections enough */
    HF_EVENT_SCENE,     /* what; its number */
    HF_EVENT_WAVE,      /* of hf_wave_step: what comes next */
    HF_EVENT_SAMPLE,    /* look at everything */
} hf_sim_event_kind;

typedef struct hf_sim_event {
    uint64_t at_ms, number;     /* events of one moment in the order in which they were made */
    uint64_t a, b;
    hf_sim_event_kind kind;
} hf_sim_event;

typedef struct hf_world {
    hf_sim_config config;
    hf_sim_result *result;
    hf_mem mem;
    uint64_t now_ms, end_ms;    /* end: of writing and of faults */
    uint64_t random, n_events;
    hf_sim_event *heap;
    size_t n_heap, heap_cap;
    hf_sha256 history;
    hf_sim_peer *peers;         /* nodes, then browsers, then hostile ones */
    uint32_t n_nodes, n_honest;
    hf_map by_id;               /* peer ID -> hf_sim_peer */
    hf_sim_links links;
    hf_parting parting;
    hf_sim_blocks blocks;
    hf_load load;
    hf_wave wave;
    hf_stage stage;
    hf_checks check;
    hf_buf app_json, loose_json;
    uint64_t churn_us;          /* when the next one leaves */
    bool mended;                /* no more faults */
    bool failed;                /* a property does not hold */
} hf_world;

uint64_t hf_world_draw(hf_world *w, uint64_t below);               /* 0 ... below - 1 */
bool hf_world_chance(hf_world *w, unsigned in_thousand);
void hf_random_fill(void *state, uint8_t *out, size_t len);        /* splitmix64; state: a uint64_t */
void hf_world_push(hf_world *w, uint64_t at_ms, hf_sim_event_kind kind, uint64_t a, uint64_t b);
bool hf_world_pop(hf_world *w, hf_sim_event *ret);
/* Makes it part of the history. */
void hf_world_note(hf_world *w, uint64_t what, uint64_t a, uint64_t b);
uint64_t hf_world_hash(hf_bytes bytes);
bool hf_world_harms(const hf_world *w, hf_harm harm);              /* is this kind asked for, and is it not over? */
void hf_world_count(hf_world *w, hf_harm harm);
/* The first property that does not hold ends the run. */
void hf_world_fail(hf_world *w, const char *property, const char *format, ...) __attribute__((format(printf, 3, 4)));
void *hf_world_alloc(hf_world *w, size_t len);                     /* never NULL: what a world needs it has, or the program ends */
void hf_world_grow(hf_world *w, void **items, size_t *cap, size_t item_len, size_t n);
/* One of the faults that come from outside, at a random place. */
void hf_world_harm(hf_world *w);
/* Somebody leaves or crashes, and comes back; then the next one. */
void hf_world_churn(hf_world *w);
/* All faults are over: everybody starts, partitions heal, clocks are right again. */
void hf_world_mend(hf_world *w);
#endif

/* check: what must be true. While it runs: what was acknowledged is on the disk that acknowledged it, after every start; others see only what is durable
 * where it was written; replicas with equal entries show equal pages, ever; memory and queues are bounded; nothing against the rules shows; nobody dials
 * more than its budget; nobody stays alone whose node can be reached. At the end:
 * all replicas are equal; every acknowledged operation is there; counters are as high as there are operations, each counted once. */
#ifndef HF_SIM_CHECK_H
#define HF_SIM_CHECK_H
#include "sim.h"

struct hf_world;
struct hf_sim_peer;

enum { HF_DIALS_BURST = 40, HF_DIAL_EVERY_MS = 4000, HF_ALONE_MS = 110000 }; /* alone: a partition holds packets for 51 s, silence is noticed after 45 s, then it is dialled again */

typedef struct hf_track hf_track;       /* one entry on its way */
typedef struct hf_page_seen hf_page_seen;

typedef struct hf_checks {
    hf_map tracks;                      /* by digest */
    hf_map pages;                       /* by the versions of what they show */
    uint64_t n_hops, sum_hops;
    bool level;                         /* all are equal, after the faults */
} hf_checks;

void hf_check_init(struct hf_world *w);
void hf_check_deinit(struct hf_world *w);
void hf_check_stored(struct hf_world *w, struct hf_sim_peer *p, const hf_out *out);   /* a peer has this entry now */
void hf_check_loaded(struct hf_world *w, struct hf_sim_peer *p);                      /* a peer has started */
void hf_check_peer(struct hf_world *w, struct hf_sim_peer *p);                        /* a peer that is up, from outside */
bool hf_check_level(struct hf_world *w, uint32_t *ret_n_states);                      /* all honest peers are up and have the same entries */
/* This peer dials, or asks to be introduced: at most HF_DIALS_BURST times at once, one more each HF_DIAL_EVERY_MS. */
void hf_check_alone(struct hf_world *w);
/* Has this peer every entry that was written before then? */
bool hf_check_has_all(struct hf_world *w, uint32_t peer, uint64_t before_ms);
/* What became of the entries that were written in this time: into *ret. */
void hf_check_reached(struct hf_world *w, uint64_t from_ms, uint64_t to_ms, hf_sim_wave *ret);
void hf_check_dial(struct hf_world *w, struct hf_sim_peer *p);
void hf_check_sample(struct hf_world *w);
void hf_check_end(struct hf_world *w);
void hf_check_figures(struct hf_world *w);                                            /* medians, means: into the result */
/* The page that a peer shows to somebody, with numbers that are not random. Valid until the next call on the core. */
hf_bytes hf_check_page(struct hf_world *w, struct hf_sim_peer *p, const char *path);
#endif

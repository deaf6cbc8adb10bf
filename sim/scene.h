/* scene: worlds of bare hosts: what the DHT, gossip and relays of core/p2p do among many, and among sybils. The app's peers and their faults stay out;
 * time, links and random numbers are the same. Each scene has a mark that it must pass. */
#ifndef HF_SIM_SCENE_H
#define HF_SIM_SCENE_H
#include "../core/core.h"
#include "../core/p2p/host.h"

struct hf_world;
struct hf_sim_peer;

typedef enum hf_scene {
    HF_SCENE_NONE,
    HF_SCENE_KAD,       /* everybody provides something; others find it, and each other. 99 of 100 found */
    HF_SCENE_GOSSIP,    /* 500 messages, one packet in ten lost. All delivered, 99 of 100 within 2 s */
    HF_SCENE_RELAY,     /* half of them behind NATs, reached through relays. 95 of 100 */
    HF_SCENE_ECLIPSE,   /* twenty-five sybils to an honest one near that one's key, from two addresses. It is found, and has an honest link 10 s after a restart; two of them in a bucket at most */
    HF_SCENE_CENSOR,    /* 45 sybils nearer to a key than everybody else, in 45 /24s, who store and tell nothing. 95 of 100 lookups find it */
    HF_SCENE_LIES,      /* half of the peers answer lies. 95 of 100 lookups succeed */
    HF_SCENE_TAKEOVER,  /* two sybils to an honest one, in all meshes, who fall silent. All delivered, 99 of 100 within 6 s */
    HF_SCENES,
} hf_scene;
const char *hf_scene_name(hf_scene scene);

/* Times in ms, of half and of 99 in a hundred. */
typedef struct hf_sim_scene {
    uint64_t n_lookups, n_found, n_no_answer, lookup_ms[2], hops_mean_milli, hops_max, asked_mean_milli;
    uint64_t n_messages, n_wanted, n_delivered, n_twice, delay_ms[2];
    uint64_t n_relayed, n_reached, relay_ms[2];
    uint64_t n_sybils, in_bucket_most, in_tables_mean_milli;
    uint64_t restarts, relinked_ms;     /* relinked: from the start to the first link with an honest one, of the slowest */
    uint64_t same_dials_most;           /* dials of one peer by one other in a minute */
} hf_sim_scene;

enum { HF_STAGE_TRIES_MAX = 600, HF_STAGE_SAMPLES_MAX = 64000 };

/* Something that one peer tried, and what became of it. */
typedef struct hf_try { uint64_t op, from_ms, took_ms, n_asked, n_hops; uint32_t by, whom; bool over, worked, none; } hf_try;
typedef struct hf_stage {
    hf_try *tries;
    uint32_t n_tries;
    uint8_t (*things)[34];      /* multihashes of what is provided */
    uint32_t n_things, n_honest, n_networks, sybil_conns;   /* the sybils' addresses are in so many /24s; so many connections has each */
    uint64_t *said_ms;          /* by message */
    uint8_t *heard;             /* by message and peer: how often */
    uint32_t *delays;
    size_t n_delays;
    uint8_t target[32];         /* of the sybils */
    bool silent;                /* they are */
    uint64_t restarted_ms;      /* when the one whom they surround came back; 0: it has not, or has a link */
} hf_stage;

uint32_t hf_scene_peers(hf_scene scene);            /* how many it has unless asked otherwise */
bool hf_scene_is_kad(hf_scene scene);               /* the hosts have a DHT */
void hf_scene_prepare(struct hf_world *w);
void hf_scene_cast(struct hf_world *w, struct hf_sim_peer *p);
hf_err hf_scene_dress(struct hf_world *w, struct hf_sim_peer *p);       /* it has its parts */
void hf_scene_begin(struct hf_world *w);
void hf_scene_step(struct hf_world *w, uint64_t what, uint64_t number);
void hf_scene_end(struct hf_world *w);
void hf_scene_free(struct hf_world *w);
/* What hosts tell. */
void hf_scene_said(struct hf_world *w, struct hf_sim_peer *p, const hf_host_out *out);
void hf_scene_connected(struct hf_world *w, struct hf_sim_peer *p, uint64_t context, const char *reason);
/* Sybils: they are made near w->stage.target, and answer what the scene has them answer. */
void hf_sybil_make(struct hf_world *w, struct hf_sim_peer *p, unsigned n_bits);
void hf_sybil_event(struct hf_world *w, struct hf_sim_peer *p, const hf_swarm_out *event);
#endif

/* sim: a whole network of real cores (core/core.h) in one process, under virtual time and one seed, with everything that goes wrong in a network.
 *
 *      world    virtual time, one queue of events, one generator of random numbers, the digest of all that happened
 *      link     byte channels between peers: latency, rate, loss, partitions, who can be dialled
 *      disk     stored blocks: synced or not; slow, full, torn
 *      peer     the shell of one core: a node or a browser; starts, loads, crashes at any output, sleeps, has a clock of its own
 *      load     people who send forms, and send them again elsewhere when no answer comes
 *      hostile  peers that send garbage, flood, forge and break rules
 *      part     partitions, in the shapes of Jepsen's
 *      wave     one node with many browsers that dies while they write, and comes back
 *      host     the shell of a bare libp2p peer; scene: worlds of them (DHT, gossip, relays, sybils)
 *      check    what must be true, while it runs and at its end
 *      report   what happened: text, JSON, a picture
 *
 * Sans-IO as the core is: no sockets, files, threads, clocks. Same config, same run, bit for bit, on every machine. */
#ifndef HF_SIM_H
#define HF_SIM_H
#include "part.h"
#include "scene.h"

typedef enum hf_harm {
    HF_HARM_DELAY,      /* packets are lost and sent again: what follows on that connection waits */
    HF_HARM_CUT,        /* a connection breaks, in the middle of a packet */
    HF_HARM_PARTITION,  /* no packet passes between two parts of the network for some time */
    HF_HARM_NAT,        /* a node that nobody can dial, from the start */
    HF_HARM_CRASH,      /* the process dies between two outputs of the core */
    HF_HARM_TORN,       /* a crash leaves part of what was not synced */
    HF_HARM_SLOW_DISK,  /* a sync takes up to 2 s */
    HF_HARM_FULL_DISK,  /* a sync fails: the process ends, and comes back when there is room */
    HF_HARM_EVICT,      /* a browser loses its storage, keys and all */
    HF_HARM_SLEEP,      /* a process is frozen; then its clock leaps */
    HF_HARM_CLOCK,      /* a wall clock jumps; a steady clock runs up to 5 % wrong */
    HF_HARM_MEMORY,     /* an allocation fails: the process ends */
    HF_HARM_HOSTILE,    /* an attack by one of the hostile peers */
    HF_HARM_TWICE,      /* an action that was answered is sent again to somebody else */
    HF_HARM_LIE,        /* the disk says it synced and did not: against the contract, so the checks must find it. Not among "all". */
    HF_HARMS,
} hf_harm;
const char *hf_harm_name(hf_harm harm);
enum { HF_HARM_ALL = (1 << HF_HARM_LIE) - 1 };

typedef struct hf_sim_config {
    uint64_t seed;
    uint32_t n_peers;
    uint32_t minutes;       /* of virtual time in which people write and faults are dealt; then all are mended, and the network has settle_ms */
    uint32_t harms;         /* bit per hf_harm */
    uint32_t n_writes;
    uint32_t degree;        /* connections that a peer dials, at most; about as many come in */
    uint32_t churn;         /* percent of the peers that leave, or crash, and come back each minute */
    bool wave;              /* one node, all others browsers; it dies when a third of the time is over and comes back when two are */
    hf_scene scene;         /* NONE: the app; else a world of bare hosts */
    uint32_t loss;          /* in a thousand packets, lost and sent again after 200 ms, and that one lost ... */
    uint32_t settle_ms;     /* 0: 120,000 */
    bool hops;              /* count how far each entry goes: needs n_peers bytes an entry */
} hf_sim_config;

/* What a failover wave was like. Times in ms; UINT64_MAX: it did not happen. */
typedef struct hf_sim_wave {
    uint64_t n_links_before;            /* of the node when it died */
    uint64_t n_dials, n_asks;           /* between death and return, all browsers together: of the node and of each other; to be introduced */
    uint64_t n_most;                    /* of one browser */
    uint64_t n_back_dials;              /* after the return, until all were connected to the node again */
    uint64_t reach_ms[2];               /* after the death: until something that was written after it was at half, at 99 % of the browsers */
    uint64_t n_written, n_reached;      /* entries of that time, and those of them that were at 99 % before the return */
    uint64_t connected_ms[2];           /* after the return: half of the browsers, all, were connected to the node */
    uint64_t level_ms;                  /* after the return: the node had all that had been written without it */
} hf_sim_wave;

enum { HF_SIM_SAMPLES_MAX = 512, HF_SIM_PROPERTY_LEN = 64, HF_SIM_DETAIL_LEN = 256 };
typedef struct hf_sim_sample { uint64_t at_ms; uint32_t held_permille, n_states, n_up, n_links; } hf_sim_sample;

typedef struct hf_sim_result {
    bool ok;
    char property[HF_SIM_PROPERTY_LEN], detail[HF_SIM_DETAIL_LEN];  /* what did not hold, and where */
    uint8_t digest[32];                 /* of all that happened */
    uint64_t virtual_ms, n_events, n_packets, n_bytes, n_links, n_dials, n_refused;
    uint64_t n_harms[HF_HARMS], n_parts[HF_PARTS], n_churned;
    uint64_t dials_most;                /* of one peer's budget that were taken at once, see hf_check_dial */
    hf_sim_wave wave;
    hf_sim_scene scene;
    uint64_t n_ops, n_acked, n_tries, n_entries, n_checks, n_starts, n_restored;
    uint64_t converge_ms;               /* after the last fault was mended */
    uint64_t spread_ms[3];              /* from the writing of an entry until half, 99 % of and all peers that were up had it: medians over entries */
    uint64_t hops_mean_milli, hops_max;
    uint64_t memory_mean, memory_max, queue_max;
    hf_sim_sample samples[HF_SIM_SAMPLES_MAX];
    size_t n_samples;
} hf_sim_result;

/* Runs it. `picture` (NULL: none): the network and its convergence as SVG is appended. The world's own memory is taken as endless. */
void hf_sim_run(const hf_sim_config *config, hf_sim_result *ret, hf_buf *picture);
/* The verb `sim` of the program. Exit status: 0 all held, 1 something did not, 2 wrong usage. */
int hf_sim_command(int argc, char **argv);
/* A failing config made smaller while it fails in the same property, in at most `tries` runs. `tell` hears of each step. */
void hf_sim_shrink(hf_sim_config *config, const char *property, unsigned tries, void (*tell)(const hf_sim_config *config));
#endif

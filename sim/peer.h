/* peer: the shell of one core, and one whose core is not ours (hostile.h). */
#ifndef HF_SIM_PEER_H
#define HF_SIM_PEER_H
#include "disk.h"
#include "sim.h"

struct hf_world;

typedef enum hf_sim_role {
    HF_ROLE_NODE,       /* can be dialled, unless behind a NAT */
    HF_ROLE_BROWSER,    /* dials nodes, and browsers that it is introduced to */
    HF_ROLE_LOOSE,      /* hostile: a real core whose app lets everything pass */
    HF_ROLE_GARBAGE,    /* hostile: random bytes instead of a handshake */
    HF_ROLE_STREAMS,    /* hostile: shakes hands, then random bytes and floods on every protocol */
    HF_ROLE_FORGER,     /* hostile: entries that are not in order, handed in with forms */
    HF_ROLE_HOST,       /* a bare libp2p peer with parts, see host.h */
} hf_sim_role;

/* Memory of one core, counted; one allocation of it can be made to fail. */
typedef struct hf_meter { size_t now, peak; uint64_t fail_in; bool failed; } hf_meter;

enum { HF_INTRODUCED_MAX = 16, HF_WAITING_MAX = 32, HF_PROTOCOLS_MAX = 12, HF_HEARD_MAX = 4096 };

/* What a hostile one learned: names of protocols, and the last thing that it was told. */
typedef struct hf_spoils { char protocols[HF_PROTOCOLS_MAX][128]; uint8_t heard[HF_HEARD_MAX]; size_t n_protocols, n_heard; } hf_spoils;

typedef struct hf_sim_peer {
    uint32_t index, life;       /* life: rises with each start */
    hf_sim_role role;
    bool up, natted;
    hf_core *core;              /* NULL: down, or of a hostile role without one */
    struct hf_sim_host *host;   /* HOST */
    hf_swarm *swarm;            /* STREAMS */
    hf_spoils *spoils;          /* hostile */
    hf_secrets secrets;
    hf_meter meter;
    hf_mem mem;
    hf_disk disk;
    uint64_t random;
    /* its clocks: steady = base + world * (1,000,000 + ppm) / 1,000,000 */
    int64_t ppm, wall_ms;       /* wall: how far it is off */
    uint64_t clock_base, clock_from;
    uint64_t asleep_until_ms, tick_ms, n_tick, up_ms;
    uint64_t crash_in;          /* outputs until the crash; 0: none is planned */
    bool writing;               /* what it stores now is its own */
    uint64_t *links;
    size_t n_links, links_cap, n_dialled;
    uint64_t *written;          /* links with bytes that are not on the wire yet */
    size_t n_written, written_cap;
    uint32_t join;              /* the node that it always comes back to */
    uint32_t backoff_ms;
    uint64_t dials_ms;          /* when the dials made so far are all paid for, see hf_check_dial */
    uint32_t n_dials, n_wave_dials;
    uint64_t alone_ms;          /* since when it has had no connection though its node can be reached; 0: not so */
    bool dial_planned;
    uint32_t source;            /* who sent what is being taken in; UINT32_MAX: nobody */
    hf_peer_id id;
    uint32_t introduced[HF_INTRODUCED_MAX];
    size_t n_introduced;
    struct { uint32_t peer; char what; } replies[HF_INTRODUCED_MAX]; /* signals to send when the core has said all it has to say */
    size_t n_replies;
    struct { uint64_t seq; uint32_t op; } waiting[HF_WAITING_MAX]; /* answers held until the write is durable */
    size_t n_waiting;
} hf_sim_peer;

void *hf_meter_resize(void *meter, void *ptr, size_t old_len, size_t new_len);
bool hf_peer_honest(const hf_sim_peer *p);
uint64_t hf_peer_clock(const struct hf_world *w, const hf_sim_peer *p);
uint64_t hf_peer_wall(const struct hf_world *w, const hf_sim_peer *p);
void hf_peer_start(struct hf_world *w, hf_sim_peer *p);             /* loads what its disk has */
void hf_peer_stop(struct hf_world *w, hf_sim_peer *p, uint64_t again_ms, bool silent); /* the process dies and comes back then; UINT64_MAX: never */
/* After any call on its core: everything that comes out, then the disk and the next tick. It may be down afterwards. */
void hf_peer_pump(struct hf_world *w, hf_sim_peer *p);
void hf_peer_tick(struct hf_world *w, hf_sim_peer *p, uint64_t n_tick);
void hf_peer_synced(struct hf_world *w, hf_sim_peer *p, uint64_t life);
void hf_peer_dial(struct hf_world *w, hf_sim_peer *p, uint64_t life);
void hf_peer_dial_again(struct hf_world *w, hf_sim_peer *p, bool failed);
void hf_peer_opened(struct hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialer);
void hf_peer_dial_failed(struct hf_world *w, hf_sim_peer *p, uint64_t dial);
void hf_peer_received(struct hf_world *w, hf_sim_peer *p, uint64_t conn, hf_bytes bytes);
void hf_peer_busy(struct hf_world *w, hf_sim_peer *p, uint64_t conn, bool busy);
void hf_peer_link_gone(struct hf_world *w, hf_sim_peer *p, uint64_t conn, bool dialled, bool tell);
void hf_peers_make(struct hf_world *w);
void hf_peer_wipe(struct hf_world *w, hf_sim_peer *p);               /* while it is down: storage and keys are gone; it will be another peer */
void hf_peers_free(struct hf_world *w);
#endif

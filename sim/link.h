/* link: byte channels between peers, in order and whole as TCP's are, until they break. Packets of different links overtake each other. */
#ifndef HF_SIM_LINK_H
#define HF_SIM_LINK_H
#include "../core/core.h"

struct hf_world;
struct hf_sim_peer;
enum { HF_LINK_HIGH = 1 << 20, HF_LINK_LOW = 1 << 18, HF_LINK_QUEUE_MAX = HF_LINK_HIGH + (1 << 19) };

typedef struct hf_sim_packet { struct hf_sim_packet *next; size_t len; uint8_t bytes[]; } hf_sim_packet;

typedef struct hf_sim_link_end {
    uint32_t peer, life;        /* whose; a peer that started anew does not know it */
    bool open, busy;
    size_t n_queued;            /* sent by this end, not yet arrived */
    uint64_t sent_ms, due_ms;   /* when the last byte has left, and when it arrives */
    hf_buf out;                 /* written in this turn */
    hf_sim_packet *first, *last; /* on their way from this end */
} hf_sim_link_end;

typedef struct hf_sim_link {
    uint64_t number;            /* what the cores call it; 0: free */
    uint64_t dial;              /* what the dialler calls its dial; 0: nothing */
    uint32_t latency_ms, bytes_per_ms;
    bool cut;
    hf_sim_link_end ends[2];        /* 0 dialled */
} hf_sim_link;

typedef struct hf_sim_links {
    hf_sim_link *items;
    uint32_t *free;
    size_t n, cap, n_free, free_cap;
    uint64_t n_made, n_open, busiest;
} hf_sim_links;

/* Begins to dial; later both get conn_open, or the dialer tries again later. False: it cannot be reached now. */
bool hf_sim_link_dial(struct hf_world *w, uint32_t from, uint32_t to, bool introduced);
/* Of a link that is up: the number of the dial, and who is at the other end. */
uint64_t hf_sim_link_dial_of(const struct hf_world *w, uint64_t number);
uint32_t hf_sim_link_other(const struct hf_world *w, uint64_t number, uint32_t peer);
/* Dials with a number for it, see hf_sim_link_dial_of and hf_peer_dial_failed. */
bool hf_sim_link_dial_as(struct hf_world *w, uint32_t from, uint32_t to, uint64_t dial);
void hf_sim_link_up(struct hf_world *w, uint64_t number);
void hf_sim_link_send(struct hf_world *w, uint32_t from, uint64_t number, hf_bytes bytes);
/* What was sent in this turn goes onto the wire, as one packet a link. */
void hf_sim_link_flush(struct hf_world *w, uint32_t from);
void hf_sim_link_arrive(struct hf_world *w, uint64_t number, uint64_t end);
void hf_sim_link_close(struct hf_world *w, uint32_t from, uint64_t number);     /* what was sent still arrives */
/* One of the peer's channels breaks: what is under way is lost, and one packet torn. */
void hf_sim_link_cut_of(struct hf_world *w, uint32_t peer, uint64_t number);
void hf_sim_link_lost(struct hf_world *w, uint64_t number, uint64_t end);
/* A process is gone: its ends are, at once; the others hear of it, or (silent) do not. */
void hf_sim_link_drop_all(struct hf_world *w, uint32_t peer, bool silent);
/* Has this peer a channel whose other end is there, too? */
bool hf_sim_link_has_whole(const struct hf_world *w, const struct hf_sim_peer *p);
/* Does a have a channel with b? */
bool hf_sim_link_between(const struct hf_world *w, uint32_t a, uint32_t b);
void hf_sim_links_free(struct hf_world *w);
#endif

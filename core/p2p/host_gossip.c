/* host_gossip: see host_gossip.h. */
#include "host_gossip.h"

#include "host_named.h"

typedef struct gossip_part {
    hf_mem *mem;
    hf_host *host;
    hf_gossip *gossip;
    hf_gossip_out said;
} gossip_part;

static uint64_t deadline(void *ctx) { return hf_gossip_deadline(((gossip_part *)ctx)->gossip); }
static void tick(void *ctx, uint64_t now_ms) { hf_gossip_tick(((gossip_part *)ctx)->gossip, now_ms); }

static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *event) {
    hf_gossip_event(((gossip_part *)ctx)->gossip, now_ms, event);
    return false;
}

static void free_part(void *ctx) {
    gossip_part *p = ctx;
    hf_gossip_free(p->gossip);
    hf_release(p->mem, p, sizeof *p);
}

/* Whoever is named is tried; that it cannot be is no loss. */
static void try_peer(gossip_part *p, uint64_t now_ms, const hf_gossip_out *said) {
    uint64_t conn = 0;
    (void)!hf_swarm_peer_conn(hf_host_swarm(p->host), &said->peer, 0, &conn);
    (void)hf_host_named(p->host, p->mem, now_ms, conn, &said->other, said->record);
    (void)!hf_host_part_connect(p->host, now_ms, p, &said->other, NULL, 0, 0);
}

static bool next(void *ctx, uint64_t now_ms, hf_host_out *out) {
    gossip_part *p = ctx;
    if (!hf_gossip_next(p->gossip, &p->said)) return false;
    if (p->said.kind == HF_GOSSIP_PEER) try_peer(p, now_ms, &p->said);
    else *out = (hf_host_out){.kind = HF_HOST_SAID, .part = HF_HOST_GOSSIP, .said = &p->said};
    return true;
}

hf_err hf_host_add_gossip(hf_host *host, hf_mem *mem, uint32_t tag, const hf_gossip_config *config, hf_gossip **ret_gossip) {
    gossip_part *p = hf_alloc(mem, sizeof *p);
    if (!p) return HF_NOMEM;
    *p = (gossip_part){.mem = mem, .host = host, .gossip = hf_gossip_new(mem, hf_host_swarm(host), tag, config)};
    hf_host_part part = {.name = HF_HOST_GOSSIP, .ctx = p, .tag = tag, .n_tags = HF_GOSSIP_TAGS, .event = on_event, .next = next, .deadline = deadline,
                         .tick = tick, .free = free_part};
    hf_err err = p->gossip ? hf_host_add(host, &part) : HF_NOMEM;
    if (err) free_part(p);
    else *ret_gossip = p->gossip;
    return err;
}

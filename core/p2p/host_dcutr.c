/* host_dcutr: see host_dcutr.h. */
#include "host_dcutr.h"

#include "host_dials.h"

typedef struct dcutr_part {
    hf_mem *mem;
    hf_dcutr *dcutr;
    hf_host_dials dials;
    hf_dcutr_out said;
} dcutr_part;

static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *event) {
    dcutr_part *p = ctx;
    uint64_t context;
    if (event->kind == HF_SWARM_CONN_UP) (void)hf_host_dials_up(&p->dials, event->conn, &context);
    hf_dcutr_event(p->dcutr, now_ms, event);
    return false;
}

static bool next(void *ctx, uint64_t now_ms, hf_host_out *out) {
    dcutr_part *p = ctx;
    const hf_dcutr_out *said = &p->said;
    if (hf_host_dials_next(&p->dials, out)) return true;
    if (!hf_dcutr_next(p->dcutr, &p->said)) return false;
    hf_host_way way = {.port = HF_HOST_PORT_OWN, .at_ms = said->at_ms, .dialer = said->dialer};
    if (said->kind == HF_DCUTR_DIAL)
        for (size_t i = 0; i < said->n_addrs; i++) (void)!hf_host_dials_add(&p->dials, now_ms, &said->peer, said->addrs[i], &way, 0); /* it tries again */
    else *out = (hf_host_out){.kind = HF_HOST_SAID, .part = HF_HOST_DCUTR, .said = said};
    return true;
}

static uint64_t deadline(void *ctx) {
    const dcutr_part *p = ctx;
    uint64_t a = hf_dcutr_deadline(p->dcutr), b = hf_host_dials_deadline(&p->dials);
    return a < b ? a : b;
}

static void tick(void *ctx, uint64_t now_ms) {
    dcutr_part *p = ctx;
    uint64_t context;
    while (hf_host_dials_late(&p->dials, now_ms, &context)) continue;
    hf_dcutr_tick(p->dcutr, now_ms);
}

static hf_err opened(void *ctx, uint64_t now_ms, uint64_t dial, uint64_t conn, hf_bytes remote) {
    return hf_host_dials_opened(&((dcutr_part *)ctx)->dials, now_ms, dial, conn, remote);
}

static void failed(void *ctx, uint64_t now_ms, uint64_t dial, const char *reason) {
    uint64_t context;
    (void)now_ms, (void)reason;
    (void)hf_host_dials_over(&((dcutr_part *)ctx)->dials, dial, 0, &context);
}

static void ended(void *ctx, uint64_t now_ms, uint64_t conn, const char *reason) {
    uint64_t context;
    (void)now_ms, (void)reason;
    (void)hf_host_dials_over(&((dcutr_part *)ctx)->dials, 0, conn, &context);
}

static void free_part(void *ctx) {
    dcutr_part *p = ctx;
    hf_dcutr_free(p->dcutr);
    hf_release(p->mem, p, sizeof *p);
}

hf_err hf_host_add_dcutr(hf_host *host, hf_mem *mem, uint32_t tag, bool any_address) {
    dcutr_part *p = hf_alloc(mem, sizeof *p);
    if (!p) return HF_NOMEM;
    p->mem = mem;
    p->dials.swarm = hf_host_swarm(host);
    p->dcutr = hf_dcutr_new(mem, hf_host_swarm(host), tag, any_address);
    hf_host_part part = {.name = HF_HOST_DCUTR, .ctx = p, .tag = tag, .n_tags = 1, .event = on_event, .next = next, .deadline = deadline, .tick = tick,
                         .free = free_part, .opened = opened, .failed = failed, .ended = ended};
    hf_err err = p->dcutr ? hf_host_add(host, &part) : HF_NOMEM;
    if (err) free_part(p);
    return err;
}

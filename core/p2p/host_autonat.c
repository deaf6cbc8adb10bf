/* host_autonat: see host_autonat.h. */
#include "host_autonat.h"

#include "host_dials.h"
#include "observed.h"

#include <string.h>

enum { OF_V2 = 1, TRIES_MAX = 16, TRY_ADDRS_MAX = 4, REQUEST = 2 * TRY_ADDRS_MAX }; /* contexts of dials: REQUEST * its number, 2 * the address, version */

struct hf_host_autonat {
    hf_mem *mem;
    hf_host *host;
    hf_autonat *v1;
    hf_autonat2 *v2;
    hf_host_dials dials;
    struct try { uint64_t dial; size_t n; hf_observed_addr addrs[TRY_ADDRS_MAX]; } tries[TRIES_MAX]; /* of version 1: n dials are under way; 0: free */
    uint8_t told_addrs[HF_HOST_REACH_ADDRS_MAX][HF_BOOK_ADDRESS_BYTES_MAX];
    hf_bytes v1_addrs[HF_HOST_REACH_ADDRS_MAX], addrs[HF_HOST_REACH_ADDRS_MAX];
    size_t n_v1_addrs;
    hf_host_reach said;
    bool changed;
};

/* ---- what both come to ---- */

void hf_host_autonat_look(hf_host_autonat *p, uint64_t now_ms, hf_host_reach *ret) {
    size_t n_unknown = 0, n_private = 0, n_yes = 0, n_no = 0, yes, no;
    hf_autonat_reach reach;
    *ret = (hf_host_reach){.addrs = p->addrs};
    hf_bytes addr;
    for (size_t i = 0; (addr = hf_autonat2_address(p->v2, now_ms, i, &reach, &yes, &no)).len; i++) {
        n_unknown += reach == HF_AUTONAT_UNKNOWN;
        n_private += reach == HF_AUTONAT_PRIVATE;
        n_yes += yes;
        n_no += no;
        if (reach == HF_AUTONAT_PUBLIC && ret->n_addrs < HF_HOST_REACH_ADDRS_MAX) p->addrs[ret->n_addrs++] = addr;
    }
    hf_autonat_reach v1 = hf_autonat_look(p->v1);
    bool all_private = n_private && !n_unknown;
    ret->reach = ret->n_addrs ? HF_AUTONAT_PUBLIC : all_private ? HF_AUTONAT_PRIVATE : v1;
    for (size_t i = 0; ret->reach == HF_AUTONAT_PUBLIC && !ret->n_addrs && i < p->n_v1_addrs; i++) p->addrs[i] = p->v1_addrs[i];
    if (ret->reach == HF_AUTONAT_PUBLIC && !ret->n_addrs) ret->n_addrs = p->n_v1_addrs;
    ret->leans_private = ret->reach == HF_AUTONAT_UNKNOWN && ((n_no && !n_yes) || (!n_yes && hf_autonat_leans_private(p->v1, now_ms)));
}

static void note_v1(hf_host_autonat *p, const hf_autonat_out *out) {
    p->n_v1_addrs = 0;
    for (size_t i = 0; i < out->n_addrs && p->n_v1_addrs < HF_HOST_REACH_ADDRS_MAX; i++) {
        if (out->addrs[i].len > HF_BOOK_ADDRESS_BYTES_MAX) continue;
        uint8_t *copy = p->told_addrs[p->n_v1_addrs];
        memcpy(copy, out->addrs[i].ptr, out->addrs[i].len);
        p->v1_addrs[p->n_v1_addrs++] = HF_BYTES(copy, out->addrs[i].len);
    }
}

/* ---- dialling back ---- */

static void try_over(hf_host_autonat *p, uint64_t now_ms, uint64_t context, bool reached) {
    for (struct try *t = p->tries; t < p->tries + TRIES_MAX; t++) {
        if (!t->n || t->dial != context / REQUEST) continue;
        const hf_observed_addr *addr = &t->addrs[context / 2 % TRY_ADDRS_MAX];
        hf_bytes view = HF_BYTES(addr->bytes, addr->len);
        if (--t->n && !reached) return;
        t->n = 0;
        hf_autonat_dialled(p->v1, now_ms, t->dial, reached ? &view : NULL);
        return;
    }
}

static void dial_back(hf_host_autonat *p, uint64_t now_ms, const hf_autonat_out *out) {
    hf_host_way way = {.port = HF_HOST_PORT_FRESH, .dialer = true, .aside = true};
    struct try *t = p->tries;
    while (t < p->tries + TRIES_MAX && t->n) t++;
    if (t == p->tries + TRIES_MAX) return hf_autonat_dialled(p->v1, now_ms, out->dial, NULL);
    t->dial = out->dial;
    for (size_t i = 0; i < out->n_addrs && t->n < TRY_ADDRS_MAX; i++) {
        hf_bytes addr = out->addrs[i];
        if (addr.len > HF_OBSERVED_ADDR_MAX || hf_host_dials_add(&p->dials, now_ms, &out->peer, addr, &way, out->dial * REQUEST + t->n * 2)) continue;
        memcpy(t->addrs[t->n].bytes, addr.ptr, addr.len);
        t->addrs[t->n++].len = (uint8_t)addr.len;
    }
    if (!t->n) hf_autonat_dialled(p->v1, now_ms, out->dial, NULL);
}

static void dial_back2(hf_host_autonat *p, uint64_t now_ms, const hf_autonat2_out *out) {
    hf_host_way way = {.port = HF_HOST_PORT_FRESH, .dialer = true, .aside = true};
    if (hf_host_dials_add(&p->dials, now_ms, &out->peer, out->addr, &way, out->dial * REQUEST + OF_V2)) (void)hf_autonat2_dialled(p->v2, now_ms, out->dial, false, 0);
}

static void missed(hf_host_autonat *p, uint64_t now_ms, uint64_t context) {
    if (context & OF_V2) (void)hf_autonat2_dialled(p->v2, now_ms, context / REQUEST, false, 0);
    else try_over(p, now_ms, context, false);
}

static void reached(hf_host_autonat *p, uint64_t now_ms, uint64_t conn, uint64_t context) {
    bool used = context & OF_V2 && hf_autonat2_dialled(p->v2, now_ms, context / REQUEST, true, conn);
    if (!(context & OF_V2)) try_over(p, now_ms, context, true);
    if (!used) hf_swarm_conn_close(hf_host_swarm(p->host), now_ms, conn, "autonat: the address was tried");
}

/* ---- the part ---- */

static bool on_event(void *ctx, uint64_t now_ms, const hf_swarm_out *event) {
    hf_host_autonat *p = ctx;
    uint64_t context;
    hf_autonat_event(p->v1, now_ms, event);
    hf_autonat2_event(p->v2, now_ms, event);
    if (event->kind == HF_SWARM_CONN_UP && hf_host_dials_up(&p->dials, event->conn, &context)) reached(p, now_ms, event->conn, context);
    return false;
}

static bool next(void *ctx, uint64_t now_ms, hf_host_out *out) {
    hf_host_autonat *p = ctx;
    hf_autonat_out v1;
    hf_autonat2_out v2;
    if (hf_host_dials_next(&p->dials, out)) return true;
    if (hf_autonat_next(p->v1, &v1)) {
        if (v1.kind == HF_AUTONAT_DIAL_BACK) dial_back(p, now_ms, &v1);
        else note_v1(p, &v1), p->changed = true;
        return true;
    }
    if (hf_autonat2_next(p->v2, &v2)) {
        if (v2.kind == HF_AUTONAT2_DIAL_BACK) dial_back2(p, now_ms, &v2);
        else p->changed = true;
        return true;
    }
    hf_host_reach before = p->said;
    hf_host_autonat_look(p, now_ms, &p->said);
    if (!p->changed && before.reach == p->said.reach && before.leans_private == p->said.leans_private) return false;
    p->changed = false;
    *out = (hf_host_out){.kind = HF_HOST_SAID, .part = HF_HOST_AUTONAT, .said = &p->said};
    return true;
}

static uint64_t deadline(void *ctx) {
    const hf_host_autonat *p = ctx;
    uint64_t at = hf_autonat_deadline(p->v1), v2 = hf_autonat2_deadline(p->v2), dials = hf_host_dials_deadline(&p->dials);
    if (v2 < at) at = v2;
    return dials < at ? dials : at;
}

static void tick(void *ctx, uint64_t now_ms) {
    hf_host_autonat *p = ctx;
    uint64_t context;
    while (hf_host_dials_late(&p->dials, now_ms, &context)) missed(p, now_ms, context);
    hf_autonat_tick(p->v1, now_ms);
    hf_autonat2_tick(p->v2, now_ms);
}

static hf_err opened(void *ctx, uint64_t now_ms, uint64_t dial, uint64_t conn, hf_bytes remote) {
    return hf_host_dials_opened(&((hf_host_autonat *)ctx)->dials, now_ms, dial, conn, remote);
}

static void failed(void *ctx, uint64_t now_ms, uint64_t dial, const char *reason) {
    uint64_t context;
    (void)reason;
    if (hf_host_dials_over(&((hf_host_autonat *)ctx)->dials, dial, 0, &context)) missed(ctx, now_ms, context);
}

static void ended(void *ctx, uint64_t now_ms, uint64_t conn, const char *reason) {
    uint64_t context;
    (void)reason;
    if (hf_host_dials_over(&((hf_host_autonat *)ctx)->dials, 0, conn, &context)) missed(ctx, now_ms, context);
}

static void free_part(void *ctx) {
    hf_host_autonat *p = ctx;
    hf_autonat_free(p->v1);
    hf_autonat2_free(p->v2);
    hf_release(p->mem, p, sizeof *p);
}

/* js-libp2p (read in 2.0 and 3.0 of @libp2p/autonat) takes the connection that it is asked over for the one it was to make, and closes it: asking would cost us
 * the peer. Its agent is "NAME/VERSION PLATFORM/VERSION", whatever the name. It answers version 2 well. */
static bool may_ask(void *ctx, const hf_peer_id *peer) {
    static const char *const platforms[] = {" node/", " browser/", " deno/", " bun/", " electron/", " react-native/"};
    const hf_host_autonat *p = ctx;
    hf_bytes agent = hf_swarm_peer_agent(p->dials.swarm, peer);
    for (size_t at = 0; at < agent.len; at++)
        for (size_t i = 0; i < HF_COUNT(platforms); i++)
            if (hf_eq(hf_sub(agent, at, strlen(platforms[i])), hf_str(platforms[i]))) return false;
    return true;
}

hf_err hf_host_add_autonat(hf_host *host, hf_mem *mem, uint32_t tag, const hf_autonat2_config *config, hf_host_autonat **ret_autonat) {
    hf_host_autonat *p = hf_alloc(mem, sizeof *p);
    if (!p) return HF_NOMEM;
    hf_autonat_config v1 = {.serve = config->serve, .any_address = config->any_address, .confidence = config->confidence, .may_ask = may_ask,
                            .may_ask_ctx = p};
    p->mem = mem;
    p->host = host;
    p->dials.swarm = hf_host_swarm(host);
    p->v1 = hf_autonat_new(mem, p->dials.swarm, tag, &v1);
    p->v2 = p->v1 ? hf_autonat2_new(mem, p->dials.swarm, tag + 1, config) : NULL;
    hf_host_part part = {.name = HF_HOST_AUTONAT, .ctx = p, .tag = tag, .n_tags = HF_HOST_AUTONAT_TAGS, .event = on_event, .next = next, .deadline = deadline,
                         .tick = tick, .free = free_part, .opened = opened, .failed = failed, .ended = ended};
    hf_err err = p->v2 ? hf_host_add(host, &part) : HF_NOMEM;
    if (err) free_part(p);
    else *ret_autonat = p;
    return err;
}

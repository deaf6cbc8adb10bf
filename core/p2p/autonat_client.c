/* autonat_client: asking, and what the answers come to. See autonat_private.h. */
#include "autonat_private.h"

#include "reach.h"

#include <string.h>

/* ---- what is believed ---- */

static bool same_net(const hf_autonat *a, const hf_autonat_verdict *x, const hf_autonat_verdict *y) {
    if (hf_peer_id_eq(&x->peer, &y->peer)) return true;
    return !a->config.any_address && x->net_len && hf_eq(HF_BYTES(x->net, x->net_len), HF_BYTES(y->net, y->net_len));
}

static size_t count(const hf_autonat *a, uint64_t now_ms, hf_autonat_reach said) {
    size_t n = 0;
    for (size_t i = 0; i < a->n_verdicts; i++)
        n += a->verdicts[i].said == said && now_ms - a->verdicts[i].at_ms < HF_AUTONAT_VERDICT_MS;
    return n;
}

static void believe(hf_autonat *a, uint64_t now_ms) {
    size_t n_public = count(a, now_ms, HF_AUTONAT_PUBLIC), n_private = count(a, now_ms, HF_AUTONAT_PRIVATE);
    size_t most = n_public > n_private ? n_public : n_private;
    hf_autonat_reach reach = most < a->config.confidence ? HF_AUTONAT_UNKNOWN
                             : n_public > n_private     ? HF_AUTONAT_PUBLIC
                             : n_private > n_public     ? HF_AUTONAT_PRIVATE
                                                        : a->reach;
    if (reach == a->reach) return;
    a->reach = reach;
    a->reach_due = true;
}

/* One verdict a network; a full table loses its oldest. */
static hf_autonat_verdict *place_for(hf_autonat *a, const hf_autonat_verdict *v) {
    hf_autonat_verdict *oldest = &a->verdicts[0];
    for (size_t i = 0; i < a->n_verdicts; i++) {
        if (same_net(a, &a->verdicts[i], v)) return &a->verdicts[i];
        if (a->verdicts[i].at_ms < oldest->at_ms) oldest = &a->verdicts[i];
    }
    return a->n_verdicts < HF_AUTONAT_VERDICTS_MAX ? &a->verdicts[a->n_verdicts++] : oldest;
}

static void judge(hf_autonat *a, uint64_t now_ms, const hf_autonat_stream *s, hf_autonat_reach said, hf_bytes addr) {
    hf_autonat_verdict v = {.peer = s->peer, .said = said, .at_ms = now_ms};
    hf_bytes ip = hf_reach_ip(hf_swarm_conn_remote(a->swarm, s->conn));
    v.net_len = ip.len == 16 ? 4 : ip.len == 4 ? 2 : 0;
    if (v.net_len) memcpy(v.net, ip.ptr, v.net_len);
    if (addr.len && addr.len <= sizeof v.addr) {
        memcpy(v.addr, addr.ptr, addr.len);
        v.addr_len = (uint8_t)addr.len;
    }
    *place_for(a, &v) = v;
    believe(a, now_ms);
    a->ask_ms = now_ms + (a->reach == HF_AUTONAT_UNKNOWN ? HF_AUTONAT_ASK_MS : HF_AUTONAT_RECHECK_MS);
    hf_autonat_due(a, a->ask_ms);
}

void hf_autonat_answered(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *m) {
    hf_autonat_reach said = m->status == HF_AUTONAT_OK           ? HF_AUTONAT_PUBLIC
                            : m->status == HF_AUTONAT_DIAL_ERROR ? HF_AUTONAT_PRIVATE
                                                                 : HF_AUTONAT_UNKNOWN;
    judge(a, now_ms, s, said, said == HF_AUTONAT_PUBLIC ? m->addr : HF_BYTES(NULL, 0));
    hf_autonat_end(a, now_ms, s);
}

/* It did not try, as far as we know; the next one is asked. */
void hf_autonat_unanswered(hf_autonat *a, uint64_t now_ms, const hf_autonat_stream *s) {
    judge(a, now_ms, s, HF_AUTONAT_UNKNOWN, HF_BYTES(NULL, 0));
}

hf_autonat_reach hf_autonat_look(const hf_autonat *a) { return a->reach; }

bool hf_autonat_leans_private(const hf_autonat *a, uint64_t now_ms) {
    return count(a, now_ms, HF_AUTONAT_PRIVATE) && !count(a, now_ms, HF_AUTONAT_PUBLIC);
}

/* ---- asking ---- */

static void list_ours(hf_autonat *a, hf_autonat_message *m) {
    m->n_addrs = hf_observed_list(&a->observed, a->swarm, a->config.any_address, a->asked, HF_AUTONAT_ADDRS_MAX);
    for (size_t i = 0; i < m->n_addrs; i++) m->addrs[i] = HF_BYTES(a->asked[i].bytes, a->asked[i].len);
}

/* When this peer, or one from its network, was asked last; 0: never. */
static uint64_t asked_ms(const hf_autonat *a, const hf_peer_id *peer) {
    for (size_t i = 0; i < a->n_verdicts; i++)
        if (hf_peer_id_eq(&a->verdicts[i].peer, peer)) return a->verdicts[i].at_ms + 1;
    return 0;
}

/* The direct peer that speaks it and was asked longest ago. */
static const hf_peer_id *choose(const hf_autonat *a, uint64_t *ret_conn) {
    const hf_peer_id *best = NULL, *peer;
    for (size_t i = 0; (peer = hf_swarm_peer(a->swarm, i)); i++) {
        uint64_t conn;
        if (!hf_swarm_peer_speaks(a->swarm, peer, HF_TEXT(HF_AUTONAT_PROTOCOL))) continue;
        if (a->config.may_ask && !a->config.may_ask(a->config.may_ask_ctx, peer)) continue;
        if ((best && asked_ms(a, peer) >= asked_ms(a, best)) || hf_swarm_direct(a->swarm, peer, &conn)) continue;
        best = peer;
        *ret_conn = conn;
    }
    return best;
}

static bool is_asking(const hf_autonat *a) {
    for (const hf_autonat_stream *s = a->streams; s; s = s->next)
        if (s->state == HF_AUTONAT_ASKING) return true;
    return false;
}

static void ask(hf_autonat *a, uint64_t now_ms) {
    hf_autonat_message m = {.peer = *hf_swarm_self(a->swarm)};
    uint64_t conn = 0, id;
    if (is_asking(a)) return;
    a->ask_ms = UINT64_MAX; /* until a peer comes that speaks it */
    const hf_peer_id *peer = choose(a, &conn);
    if (!peer) return;
    a->ask_ms = now_ms + HF_AUTONAT_ASK_MS;
    hf_autonat_due(a, a->ask_ms);
    list_ours(a, &m);
    if (!m.n_addrs || hf_swarm_stream_open_on(a->swarm, now_ms, conn, HF_TEXT(HF_AUTONAT_PROTOCOL), a->tag, &id)) return;
    hf_autonat_stream *s = hf_autonat_stream_new(a, id, conn, peer, now_ms + HF_AUTONAT_MESSAGE_MS + HF_AUTONAT_DIAL_MS);
    if (!s) {
        hf_swarm_stream_reset(a->swarm, now_ms, id);
        return;
    }
    s->state = HF_AUTONAT_ASKING;
    hf_autonat_say(a, now_ms, s, &m);
}

void hf_autonat_identified(hf_autonat *a, uint64_t now_ms, const hf_swarm_out *e) {
    hf_observed_note(&a->observed, hf_swarm_self(a->swarm), e, a->config.any_address);
    if (e->relayed) return;
    if (a->ask_ms != UINT64_MAX || !hf_swarm_peer_speaks(a->swarm, &e->peer, HF_TEXT(HF_AUTONAT_PROTOCOL))) return;
    a->ask_ms = now_ms + 1000; /* others may come at the same time */
    hf_autonat_due(a, a->ask_ms);
}

void hf_autonat_client_tick(hf_autonat *a, uint64_t now_ms) {
    if (a->reach != HF_AUTONAT_UNKNOWN) believe(a, now_ms); /* verdicts grow old */
    if (a->ask_ms <= now_ms) ask(a, now_ms);
    if (a->ask_ms > now_ms) hf_autonat_due(a, a->ask_ms);
}

bool hf_autonat_client_news(hf_autonat *a, hf_autonat_out *out) {
    if (!a->reach_due) return false;
    a->reach_due = false;
    out->kind = HF_AUTONAT_REACHABILITY;
    out->reach = a->reach;
    out->addrs = a->views;
    for (size_t i = 0; i < a->n_verdicts && a->reach == HF_AUTONAT_PUBLIC; i++) {
        hf_autonat_verdict *v = &a->verdicts[i];
        hf_bytes addr = HF_BYTES(v->addr, v->addr_len);
        bool known = !addr.len || v->said != HF_AUTONAT_PUBLIC;
        for (size_t k = 0; k < out->n_addrs && !known; k++) known = hf_eq(a->views[k], addr);
        if (!known) a->views[out->n_addrs++] = addr;
    }
    return true;
}

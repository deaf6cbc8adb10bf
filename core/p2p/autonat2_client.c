/* autonat2_client: our addresses, asking, and what the answers come to. See autonat2_private.h. */
#include "autonat2_private.h"

#include "frame.h"
#include "reach.h"

#include <string.h>

/* ---- what is believed ---- */

static bool is_fresh(const hf_autonat2_verdict *v, uint64_t now_ms) { return v->peer.len && now_ms - v->at_ms < HF_AUTONAT2_VERDICT_MS; }

static size_t count(const hf_autonat2_ours *o, uint64_t now_ms, hf_autonat_reach said) {
    size_t n = 0;
    for (size_t i = 0; i < HF_AUTONAT2_VERDICTS_MAX; i++) n += o->verdicts[i].said == said && is_fresh(&o->verdicts[i], now_ms);
    return n;
}

static void believe(const hf_autonat2 *a, uint64_t now_ms, hf_autonat2_ours *o) {
    size_t n_yes = count(o, now_ms, HF_AUTONAT_PUBLIC), n_no = count(o, now_ms, HF_AUTONAT_PRIVATE);
    size_t most = n_yes > n_no ? n_yes : n_no;
    hf_autonat_reach reach = most < a->config.confidence ? HF_AUTONAT_UNKNOWN : n_yes > n_no ? HF_AUTONAT_PUBLIC : n_no > n_yes ? HF_AUTONAT_PRIVATE : o->reach;
    if (reach == o->reach) return;
    o->reach = reach;
    o->news = true;
}

static bool same_net(const hf_autonat2 *a, const hf_autonat2_verdict *x, const hf_autonat2_verdict *y) {
    if (hf_peer_id_eq(&x->peer, &y->peer)) return true;
    return !a->config.any_address && x->net_len && x->peer.len && hf_eq(HF_BYTES(x->net, x->net_len), HF_BYTES(y->net, y->net_len));
}

/* One verdict a network; a full table loses its oldest. */
static void judge(hf_autonat2 *a, uint64_t now_ms, const hf_autonat2_stream *s, hf_autonat2_ours *o, hf_autonat_reach said) {
    hf_autonat2_verdict v = {.peer = s->peer, .said = said, .at_ms = now_ms}, *place = &o->verdicts[0];
    hf_bytes ip = hf_reach_ip(hf_swarm_conn_remote(a->swarm, s->conn));
    v.net_len = ip.len == 16 ? 4 : ip.len == 4 ? 2 : 0;
    if (v.net_len) memcpy(v.net, ip.ptr, v.net_len);
    for (size_t i = 0; i < HF_AUTONAT2_VERDICTS_MAX; i++) {
        hf_autonat2_verdict *here = &o->verdicts[i];
        if (same_net(a, here, &v)) {
            place = here;
            break;
        }
        if (!here->peer.len || (place->peer.len && here->at_ms < place->at_ms)) place = here;
    }
    if (said == HF_AUTONAT_UNKNOWN && !hf_peer_id_eq(&place->peer, &v.peer) && same_net(a, place, &v)) return; /* a neighbour's word counts more than none */
    *place = v;
    believe(a, now_ms, o);
}

static hf_autonat2_ours *ours_of(hf_autonat2 *a, const hf_observed_addr *addr) {
    for (size_t i = 0; i < a->n_ours; i++)
        if (hf_eq(HF_BYTES(a->ours[i].addr.bytes, a->ours[i].addr.len), HF_BYTES(addr->bytes, addr->len))) return &a->ours[i];
    return NULL;
}

/* ---- answers ---- */

static void settle(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, hf_autonat_reach said) {
    hf_autonat2_ours *o = ours_of(a, &s->addr);
    if (o) judge(a, now_ms, s, o, said);
    a->ask_ms = now_ms + HF_AUTONAT2_ASK_MS;
    hf_autonat2_due(a, a->ask_ms);
}

void hf_autonat2_unanswered(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) { settle(a, now_ms, s, HF_AUTONAT_UNKNOWN); }

static void pay(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m) {
    static const uint8_t nothing[HF_AUTONAT2_DATA_MAX];
    if (m->index || !m->n_bytes || m->n_bytes > HF_AUTONAT2_DATA_SENT_MAX || s->n_due) {
        hf_swarm_stream_reset(a->swarm, now_ms, s->id); /* too dear, or asked twice */
        return;
    }
    s->n_due = m->n_bytes;
    hf_autonat2_message piece = {.type = HF_AUTONAT2_DATA_RESPONSE, .data = HF_BYTES(nothing, sizeof nothing)};
    for (uint64_t sent = 0; sent < m->n_bytes; sent += sizeof nothing) hf_autonat2_say(a, now_ms, s->id, &piece);
}

/* Its word that it reached us counts with our number only. */
void hf_autonat2_answered(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m) {
    if (m->type == HF_AUTONAT2_DATA_REQUEST) {
        pay(a, now_ms, s, m);
        return;
    }
    if (m->type != HF_AUTONAT2_DIAL_RESPONSE) {
        hf_swarm_stream_reset(a->swarm, now_ms, s->id);
        return;
    }
    bool tried = m->status == HF_AUTONAT2_OK && m->index == 0;
    bool reached = tried && m->dial_status == HF_AUTONAT2_REACHED && s->heard;
    bool missed = tried && m->dial_status == HF_AUTONAT2_DIAL_ERROR && !s->heard;
    settle(a, now_ms, s, reached ? HF_AUTONAT_PUBLIC : missed ? HF_AUTONAT_PRIVATE : HF_AUTONAT_UNKNOWN);
    hf_autonat2_end(a, now_ms, s);
}

void hf_autonat2_number_came(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, uint64_t nonce) {
    hf_buf out;
    hf_autonat2_stream *asking = a->streams;
    while (asking && !(asking->role == HF_AUTONAT2_ASKING && asking->nonce == nonce && asking->conn != s->conn)) asking = asking->next;
    if (!asking || !hf_swarm_conn_is_inbound(a->swarm, s->conn)) { /* what we dialled shows nothing */
        hf_swarm_stream_reset(a->swarm, now_ms, s->id);
        s->role = HF_AUTONAT2_OVER;
        return;
    }
    asking->heard = true;
    hf_buf_init(&out, a->mem);
    hf_autonat2_taken_add(&out);
    hf_frame_close(&out, 0);
    hf_err err = out.err;
    if (!err) err = hf_swarm_stream_write(a->swarm, now_ms, s->id, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    if (err) hf_swarm_stream_reset(a->swarm, now_ms, s->id);
    hf_autonat2_end(a, now_ms, s);
}

/* ---- asking ---- */

/* What is believed of addresses that may still be ours stays. */
static void refresh(hf_autonat2 *a) {
    hf_observed_addr now[HF_OBSERVED_MAX];
    size_t n = hf_observed_list(&a->observed, a->swarm, a->config.any_address, now, HF_OBSERVED_MAX), kept = 0;
    for (size_t i = 0; i < a->n_ours; i++) {
        bool found = false;
        for (size_t k = 0; k < n && !found; k++) found = hf_eq(HF_BYTES(now[k].bytes, now[k].len), HF_BYTES(a->ours[i].addr.bytes, a->ours[i].addr.len));
        if (!found) continue;
        if (kept != i) a->ours[kept] = a->ours[i];
        kept++;
    }
    a->n_ours = kept;
    for (size_t k = 0; k < n && a->n_ours < HF_OBSERVED_MAX; k++)
        if (!ours_of(a, &now[k])) a->ours[a->n_ours++] = (hf_autonat2_ours){.addr = now[k]};
}

/* When this peer was asked about the address last; 0: never. */
static uint64_t asked_ms(const hf_autonat2_ours *o, const hf_peer_id *peer) {
    for (size_t i = 0; i < HF_AUTONAT2_VERDICTS_MAX; i++)
        if (o->verdicts[i].peer.len && hf_peer_id_eq(&o->verdicts[i].peer, peer)) return o->verdicts[i].at_ms + 1;
    return 0;
}

/* The direct peer that was asked longest ago; none that was asked just now. */
static const hf_peer_id *choose_peer(const hf_autonat2 *a, uint64_t now_ms, const hf_autonat2_ours *o, uint64_t *ret_conn) {
    const hf_peer_id *best = NULL, *peer;
    for (size_t i = 0; (peer = hf_swarm_peer(a->swarm, i)); i++) {
        uint64_t conn, at = asked_ms(o, peer);
        if (!hf_swarm_peer_speaks(a->swarm, peer, HF_TEXT(HF_AUTONAT2_PROTOCOL)) || (at && now_ms - (at - 1) < HF_AUTONAT2_AGAIN_MS)) continue;
        if ((best && at >= asked_ms(o, best)) || hf_swarm_direct(a->swarm, peer, &conn)) continue;
        best = peer;
        *ret_conn = conn;
    }
    return best;
}

/* Sure ones are looked at again after a while. The one that was asked about longest ago comes first. */
static hf_autonat2_ours *choose(hf_autonat2 *a, uint64_t now_ms, const hf_peer_id **ret_peer, uint64_t *ret_conn) {
    hf_autonat2_ours *best = NULL;
    for (size_t i = 0; i < a->n_ours; i++) {
        hf_autonat2_ours *o = &a->ours[i];
        uint64_t conn = 0;
        if (o->reach != HF_AUTONAT_UNKNOWN && now_ms - o->asked_ms < HF_AUTONAT2_RECHECK_MS) continue;
        if (best && best->asked_ms <= o->asked_ms) continue;
        const hf_peer_id *peer = choose_peer(a, now_ms, o, &conn);
        if (!peer) continue;
        best = o;
        *ret_peer = peer;
        *ret_conn = conn;
    }
    return best;
}

static bool is_asking(const hf_autonat2 *a) {
    for (const hf_autonat2_stream *s = a->streams; s; s = s->next)
        if (s->role == HF_AUTONAT2_ASKING) return true;
    return false;
}

static bool has_servers(const hf_autonat2 *a) {
    const hf_peer_id *peer;
    for (size_t i = 0; (peer = hf_swarm_peer(a->swarm, i)); i++)
        if (hf_swarm_peer_speaks(a->swarm, peer, HF_TEXT(HF_AUTONAT2_PROTOCOL))) return true;
    return false;
}

static void ask(hf_autonat2 *a, uint64_t now_ms) {
    const hf_peer_id *peer = NULL;
    uint64_t conn = 0, id;
    if (is_asking(a)) return;
    a->ask_ms = has_servers(a) ? now_ms + HF_AUTONAT2_ASK_MS : UINT64_MAX; /* else until one comes */
    refresh(a);
    hf_autonat2_ours *o = choose(a, now_ms, &peer, &conn);
    if (!o) return;
    o->asked_ms = now_ms;
    if (hf_swarm_stream_open_on(a->swarm, now_ms, conn, HF_TEXT(HF_AUTONAT2_PROTOCOL), a->tag, &id)) return;
    hf_autonat2_stream *s = hf_autonat2_stream_new(a, id, conn, peer, HF_AUTONAT2_ASKING, now_ms + HF_AUTONAT2_ASKING_MS);
    if (!s) {
        hf_swarm_stream_reset(a->swarm, now_ms, id);
        return;
    }
    s->addr = o->addr;
    a->config.random(a->config.random_ctx, (uint8_t *)&s->nonce, sizeof s->nonce);
    hf_autonat2_message m = {.type = HF_AUTONAT2_DIAL_REQUEST, .n_addrs = 1, .nonce = s->nonce};
    m.addrs[0] = HF_BYTES(s->addr.bytes, s->addr.len);
    hf_autonat2_say(a, now_ms, id, &m);
}

void hf_autonat2_identified(hf_autonat2 *a, uint64_t now_ms, const hf_swarm_out *e) {
    hf_observed_note(&a->observed, hf_swarm_self(a->swarm), e, a->config.any_address);
    if (a->ask_ms != UINT64_MAX || !hf_swarm_peer_speaks(a->swarm, &e->peer, HF_TEXT(HF_AUTONAT2_PROTOCOL))) return;
    a->ask_ms = now_ms + 1000; /* others may come at the same time */
    hf_autonat2_due(a, a->ask_ms);
}

void hf_autonat2_client_tick(hf_autonat2 *a, uint64_t now_ms) {
    for (size_t i = 0; i < a->n_ours; i++)
        if (a->ours[i].reach != HF_AUTONAT_UNKNOWN) believe(a, now_ms, &a->ours[i]); /* verdicts grow old */
    if (a->ask_ms <= now_ms) ask(a, now_ms);
    if (a->ask_ms > now_ms) hf_autonat2_due(a, a->ask_ms);
}

bool hf_autonat2_client_news(hf_autonat2 *a, hf_autonat2_out *out) {
    for (size_t i = 0; i < a->n_ours; i++) {
        if (!a->ours[i].news) continue;
        a->ours[i].news = false;
        *out = (hf_autonat2_out){.kind = HF_AUTONAT2_ADDRESS, .addr = HF_BYTES(a->ours[i].addr.bytes, a->ours[i].addr.len), .reach = a->ours[i].reach};
        return true;
    }
    return false;
}

hf_bytes hf_autonat2_address(const hf_autonat2 *a, uint64_t now_ms, size_t i, hf_autonat_reach *ret_reach, size_t *ret_n_yes, size_t *ret_n_no) {
    if (i >= a->n_ours) return HF_BYTES(NULL, 0);
    const hf_autonat2_ours *o = &a->ours[i];
    *ret_reach = o->reach;
    *ret_n_yes = count(o, now_ms, HF_AUTONAT_PUBLIC);
    *ret_n_no = count(o, now_ms, HF_AUTONAT_PRIVATE);
    return HF_BYTES(o->addr.bytes, o->addr.len);
}

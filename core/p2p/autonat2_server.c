/* autonat2_server: dialling back for others. See autonat2_private.h. */
#include "autonat2_private.h"

#include "frame.h"
#include "reach.h"

#include <string.h>

static void respond(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, uint32_t status, uint32_t dial_status) {
    hf_autonat2_message m = {.type = HF_AUTONAT2_DIAL_RESPONSE, .status = status, .index = s->index, .dial_status = dial_status};
    uint64_t conn = s->back_conn;
    s->back_conn = 0;
    hf_autonat2_say(a, now_ms, s->id, &m);
    hf_autonat2_end(a, now_ms, s);
    if (conn) hf_swarm_conn_close(a->swarm, now_ms, conn, "autonat: the address was tried");
}

/* ---- may it? ---- */

static bool is_busy_with(const hf_autonat2 *a, const hf_autonat2_stream *asking) {
    size_t n_all = 0, n_peer = 0;
    for (const hf_autonat2_stream *s = a->streams; s; s = s->next) {
        if (s == asking || s->role < HF_AUTONAT2_PAYING || s->role > HF_AUTONAT2_GIVING) continue;
        n_all++;
        n_peer += hf_peer_id_eq(&s->peer, &asking->peer);
    }
    return n_all >= HF_AUTONAT2_AT_ONCE_MAX || n_peer >= HF_AUTONAT2_AT_ONCE_PEER_MAX;
}

/* A place in the ring of the last minute's requests. */
static bool may_ask(hf_autonat2 *a, uint64_t now_ms, const hf_autonat2_stream *s, bool with_data) {
    size_t n_all = 0, n_peer = 0, n_data = 0;
    for (size_t i = 0; i < HF_AUTONAT2_REQUESTS_MAX; i++) {
        if (!a->requests[i].peer.len || now_ms - a->requests[i].at_ms >= HF_AUTONAT2_MINUTE_MS) continue;
        n_all++;
        n_peer += hf_peer_id_eq(&a->requests[i].peer, &s->peer);
        n_data += a->requests[i].with_data;
    }
    if (n_all >= HF_AUTONAT2_REQUESTS_MAX || n_peer >= HF_AUTONAT2_PER_PEER_MAX) return false;
    if ((with_data && n_data >= HF_AUTONAT2_WITH_DATA_MAX) || is_busy_with(a, s)) return false;
    size_t at = a->next_request++ % HF_AUTONAT2_REQUESTS_MAX;
    a->requests[at].peer = s->peer;
    a->requests[at].at_ms = now_ms;
    a->requests[at].with_data = with_data;
    return true;
}

static bool choose(const hf_autonat2 *a, hf_autonat2_stream *s, const hf_autonat2_message *m) {
    for (size_t i = 0; i < m->n_addrs; i++) {
        hf_bytes addr = m->addrs[i], ip = hf_reach_ip(addr);
        if (!ip.len || addr.len > sizeof s->addr.bytes || (ip.len == 16 && a->config.no_ip6)) continue;
        if (!hf_reach_is_dialable(addr, hf_peer_id_bytes(&s->peer), a->config.any_address)) continue;
        memcpy(s->addr.bytes, addr.ptr, addr.len);
        s->addr.len = (uint8_t)addr.len;
        s->index = (uint32_t)i;
        return true;
    }
    return false;
}

/* ---- dialling ---- */

static void dial(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) {
    s->role = HF_AUTONAT2_DIALLING;
    s->dial_due = true;
    hf_autonat2_set_deadline(a, s, now_ms + HF_AUTONAT2_DIAL_MS);
}

void hf_autonat2_asked(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m) {
    s->nonce = m->nonce;
    if (!choose(a, s, m)) {
        respond(a, now_ms, s, HF_AUTONAT2_REFUSED, HF_AUTONAT2_UNUSED);
        return;
    }
    hf_bytes seen = hf_reach_ip(hf_swarm_conn_remote(a->swarm, s->conn));
    bool own = seen.len && hf_eq(seen, hf_reach_ip(HF_BYTES(s->addr.bytes, s->addr.len)));
    if (!may_ask(a, now_ms, s, !own)) {
        respond(a, now_ms, s, HF_AUTONAT2_REJECTED, HF_AUTONAT2_UNUSED);
        return;
    }
    if (own) {
        dial(a, now_ms, s);
        return;
    }
    hf_autonat2_message ask = {.type = HF_AUTONAT2_DATA_REQUEST, .index = s->index, .n_bytes = a->config.data_bytes};
    s->role = HF_AUTONAT2_PAYING;
    s->n_due = a->config.data_bytes;
    hf_autonat2_set_deadline(a, s, now_ms + HF_AUTONAT2_DATA_MS);
    hf_autonat2_say(a, now_ms, s->id, &ask);
}

/* Many who paid little by little cannot make many of us dial at one moment. */
void hf_autonat2_paid(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, const hf_autonat2_message *m) {
    uint16_t random;
    s->n_got += m->data.len;
    bool enough = s->n_got >= s->n_due;
    if (m->data.len > HF_AUTONAT2_DATA_MAX || (!enough && m->data.len < HF_AUTONAT2_PIECE_MIN)) {
        hf_swarm_stream_reset(a->swarm, now_ms, s->id); /* its GONE ends it */
        s->role = HF_AUTONAT2_OVER;
        return;
    }
    if (!enough) return;
    a->config.random(a->config.random_ctx, (uint8_t *)&random, sizeof random);
    s->role = HF_AUTONAT2_WAITING;
    hf_autonat2_set_deadline(a, s, now_ms + random % HF_AUTONAT2_WAIT_MS);
}

static hf_err give(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) {
    hf_buf out;
    hf_err err = hf_swarm_stream_open_on(a->swarm, now_ms, s->back_conn, HF_TEXT(HF_AUTONAT2_BACK_PROTOCOL), a->tag + 1, &s->back_stream);
    if (err) return err;
    hf_buf_init(&out, a->mem);
    hf_autonat2_back_add(&out, s->nonce);
    hf_frame_close(&out, 0);
    err = out.err;
    if (!err) err = hf_swarm_stream_write(a->swarm, now_ms, s->back_stream, hf_buf_bytes(&out));
    hf_buf_deinit(&out);
    return err;
}

bool hf_autonat2_dialled(hf_autonat2 *a, uint64_t now_ms, uint64_t dial, bool reached, uint64_t conn) {
    hf_autonat2_stream *s = a->streams;
    while (s && s->id != dial) s = s->next;
    if (!s || s->role != HF_AUTONAT2_DIALLING) return false;
    if (!reached) {
        respond(a, now_ms, s, HF_AUTONAT2_OK, HF_AUTONAT2_DIAL_ERROR);
        return true;
    }
    s->role = HF_AUTONAT2_GIVING;
    s->back_conn = conn;
    hf_buf_clear(&s->in);
    hf_autonat2_set_deadline(a, s, now_ms + HF_AUTONAT2_BACK_MS);
    if (give(a, now_ms, s)) respond(a, now_ms, s, HF_AUTONAT2_OK, HF_AUTONAT2_BACK_ERROR);
    return true;
}

void hf_autonat2_taken(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s, bool taken) {
    if (s->back_stream) hf_swarm_stream_finish(a->swarm, now_ms, s->back_stream);
    s->back_stream = 0;
    respond(a, now_ms, s, HF_AUTONAT2_OK, taken ? HF_AUTONAT2_REACHED : HF_AUTONAT2_BACK_ERROR);
}

void hf_autonat2_server_late(hf_autonat2 *a, uint64_t now_ms, hf_autonat2_stream *s) {
    if (s->role == HF_AUTONAT2_WAITING) dial(a, now_ms, s);
    else if (s->role == HF_AUTONAT2_DIALLING) respond(a, now_ms, s, HF_AUTONAT2_OK, HF_AUTONAT2_DIAL_ERROR);
    else hf_autonat2_taken(a, now_ms, s, false);
}

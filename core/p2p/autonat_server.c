/* autonat_server: dialling back for others. See autonat_private.h. */
#include "autonat_private.h"

#include "reach.h"

#include <string.h>

void hf_autonat_refuse(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, hf_autonat_status status, const char *text) {
    hf_autonat_message m = {.response = true, .status = status, .text = hf_str(text)};
    hf_autonat_say(a, now_ms, s, &m);
    hf_autonat_end(a, now_ms, s);
}

/* A place in the ring of the last minute's requests. */
static bool may_ask(hf_autonat *a, uint64_t now_ms, const hf_peer_id *peer) {
    size_t n_all = 0, n_peer = 0, n_dials = 0;
    for (size_t i = 0; i < HF_AUTONAT_REQUESTS_MAX; i++) {
        if (!a->requests[i].peer.len || now_ms - a->requests[i].at_ms >= HF_AUTONAT_MINUTE_MS) continue;
        n_all++;
        n_peer += hf_peer_id_eq(&a->requests[i].peer, peer);
    }
    for (const hf_autonat_stream *s = a->streams; s; s = s->next) n_dials += s->state == HF_AUTONAT_DIALLING;
    if (n_all >= HF_AUTONAT_REQUESTS_MAX || n_peer >= HF_AUTONAT_PER_PEER_MAX || n_dials >= HF_AUTONAT_DIALS_MAX) return false;
    size_t at = a->next_request++ % HF_AUTONAT_REQUESTS_MAX;
    a->requests[at].peer = *peer;
    a->requests[at].at_ms = now_ms;
    return true;
}

/* "implementations MUST NOT dial any multiaddress unless it is based on the IP address the requesting node is observed as" */
static void choose(hf_autonat *a, hf_autonat_stream *s, const hf_autonat_message *m) {
    hf_bytes seen = hf_reach_ip(hf_swarm_conn_remote(a->swarm, s->conn));
    for (size_t i = 0; i < m->n_addrs; i++) {
        if (!seen.len || !hf_eq(hf_reach_ip(m->addrs[i]), seen)) continue;
        if (hf_reach_is_dialable(m->addrs[i], hf_peer_id_bytes(&s->peer), a->config.any_address))
            s->addrs[s->n_addrs++] = m->addrs[i];
    }
}

void hf_autonat_asked(hf_autonat *a, uint64_t now_ms, hf_autonat_stream *s, const hf_autonat_message *m) {
    if (!m->peer.len || !hf_peer_id_eq(&m->peer, &s->peer)) {
        hf_autonat_refuse(a, now_ms, s, HF_AUTONAT_BAD_REQUEST, "not your own peer ID");
        return;
    }
    choose(a, s, m);
    if (!s->n_addrs || !may_ask(a, now_ms, &s->peer)) {
        hf_autonat_refuse(a, now_ms, s, HF_AUTONAT_DIAL_REFUSED, s->n_addrs ? "too many requests" : "no address that we dial");
        return;
    }
    s->state = HF_AUTONAT_DIALLING;
    s->dial_due = true;
    s->deadline_ms = now_ms + HF_AUTONAT_DIAL_MS;
    hf_autonat_due(a, s->deadline_ms);
}

void hf_autonat_dialled(hf_autonat *a, uint64_t now_ms, uint64_t dial, const hf_bytes *addr) {
    hf_autonat_stream *s = a->streams;
    while (s && s->id != dial) s = s->next;
    if (!s || s->state != HF_AUTONAT_DIALLING) return;
    if (!addr) {
        hf_autonat_refuse(a, now_ms, s, HF_AUTONAT_DIAL_ERROR, "no address answers");
        return;
    }
    hf_autonat_message m = {.response = true, .status = HF_AUTONAT_OK, .addr = *addr};
    hf_autonat_say(a, now_ms, s, &m);
    hf_autonat_end(a, now_ms, s);
}

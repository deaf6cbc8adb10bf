/* p2p_join: peers to stay connected to that listen by webrtc-direct. Those of TCP are kept by tcp.c. */
#include "p2p_private.h"

#include "webrtc.h"

#include "../core/codec/multiaddr.h"

#include <string.h>

enum { WAIT_MS = 1000, WAIT_DOUBLINGS = 8, CONTEXT_JOINED = 4 };

static bool read_peer(hf_bytes address, hf_peer_id *ret) {
    hf_multiaddr m;
    return !hf_multiaddr_read(address, &m, NULL) && m.parts[m.n - 1].code == HF_MA_P2P && !hf_peer_id_read(m.parts[m.n - 1].value, ret);
}

bool hf_p2p_join(hf_p2p *p, const char *text) {
    struct sockaddr_storage place;
    uint8_t certificate[32];
    hf_buf binary;
    hf_p2p_joined *j = p && p->n_joined < HF_COUNT(p->joined) ? &p->joined[p->n_joined] : NULL;
    if (!j) return false;
    hf_buf_init(&binary, &p->node->mem);
    bool ok = !hf_multiaddr_parse(hf_str(text), &binary, NULL) && binary.len <= sizeof j->address &&
              hf_webrtc_read_address(hf_buf_bytes(&binary), &place, certificate) && read_peer(hf_buf_bytes(&binary), &j->peer);
    if (ok) memcpy(j->address, binary.ptr, binary.len);
    j->len = ok ? binary.len : 0;
    p->n_joined += ok;
    hf_buf_deinit(&binary);
    return ok;
}

/* Again and again while it is not connected, ever more rarely, up to some minutes. */
void hf_p2p_join_turn(hf_p2p *p) {
    uint64_t now = hf_node_now(p->node);
    for (size_t i = 0; i < p->n_joined; i++) {
        hf_p2p_joined *j = &p->joined[i];
        if (hf_swarm_connected(p->swarm, &j->peer)) j->n_failures = 0, j->next_ms = now + WAIT_MS;
        if (now < j->next_ms) continue;
        hf_bytes address = HF_BYTES(j->address, j->len);
        j->next_ms = now + ((uint64_t)WAIT_MS << j->n_failures);
        if (j->n_failures < WAIT_DOUBLINGS) j->n_failures++;
        (void)!hf_host_connect(p->host, now, &j->peer, &address, 1, 0, CONTEXT_JOINED);
    }
}

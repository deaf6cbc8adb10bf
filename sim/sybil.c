/* sybil: peers of one mind in the DHT. Near a key: each answers with others of its kind and knows of no provider, and forgets what it is told. Elsewhere
 * every one lies in a way of its own. See scene.h. */
#include "world.h"

#include "../core/codec/varint.h"
#include "../core/crypto/crypto.h"
#include "../core/p2p/kad_private.h"

#include <string.h>

enum { TOLD = 20 };

static void key_of_seed(hf_world *w, const uint8_t seed[32], uint8_t ret[32]) {
    uint8_t public_key[32];
    hf_peer_id id;
    hf_buf message;
    hf_buf_init(&message, &w->mem);
    hf_ed25519_public(seed, public_key);
    hf_public_key_add(&message, public_key);
    hf_err err = hf_peer_id_of_key(hf_buf_bytes(&message), &id);
    HF_ASSERT(!err);
    hf_sha256_of(hf_peer_id_bytes(&id), ret);
    hf_buf_deinit(&message);
}

/* Draws keys until one lies near enough: what it costs to surround somebody. */
void hf_sybil_make(hf_world *w, hf_sim_peer *p, unsigned n_bits) {
    uint8_t key[32], target[32];
    memcpy(target, w->stage.target, 32);
    if (w->config.scene == HF_SCENE_ECLIPSE) key_of_seed(w, w->peers[0].secrets.peer, target);
    do {
        hf_random_fill(&p->random, p->secrets.peer, 32);
        key_of_seed(w, p->secrets.peer, key);
    } while (hf_kad_shared(key, target) < n_bits);
}

static void add_peer(hf_world *w, hf_buf *answer, const hf_peer_id *id, const uint8_t address[HF_SIM_ADDRESS_LEN]) {
    hf_kad_addresses a = {NULL, 0, 0};
    hf_err err = hf_kad_addresses_add(&w->mem, &a, ~0u, id, HF_BYTES(address, HF_SIM_ADDRESS_LEN));
    HF_ASSERT(!err);
    hf_kad_add_closer(answer, id, hf_kad_addresses_packed(&a));
    hf_kad_addresses_clear(&w->mem, &a);
}

static void answer_sybils(hf_world *w, hf_buf *answer) {
    uint32_t n = w->config.n_peers - w->n_honest;
    for (uint32_t i = 0; i < TOLD; i++) {
        const hf_sim_peer *other = &w->peers[w->n_honest + hf_world_draw(w, n)];
        if (other->id.len) add_peer(w, answer, &other->id, other->host->address);
    }
}

/* Names that nobody has, at addresses where nobody is. */
static void answer_nobodies(hf_world *w, hf_buf *answer) {
    for (uint32_t i = 0; i < TOLD; i++) {
        hf_peer_id id = {.bytes = {0x12, 32}, .len = 34};
        uint8_t address[HF_SIM_ADDRESS_LEN] = {4, 99, (uint8_t)hf_world_draw(w, 256), (uint8_t)hf_world_draw(w, 256), 1, 6, 0xff, 0xff};
        hf_random_fill(&w->random, id.bytes + 2, 32);
        add_peer(w, answer, &id, address);
    }
}

static void answer(hf_world *w, hf_sim_peer *p, uint64_t stream, const hf_kad_message *question) {
    hf_buf message, framed;
    unsigned way = w->config.scene == HF_SCENE_LIES ? p->index % 4 : 0;
    if (way == 1) return; /* silence */
    hf_buf_init(&message, &w->mem);
    hf_buf_init(&framed, &w->mem);
    hf_kad_add_head(&message, question->type, question->key, NULL);
    if (way == 2) hf_random_fill(&w->random, hf_buf_extend(&message, 100), 100);
    else if (way == 3) answer_nobodies(w, &message);
    else answer_sybils(w, &message);
    hf_varint_add(&framed, message.len);
    hf_buf_add(&framed, hf_buf_bytes(&message));
    hf_err err = hf_swarm_stream_write(hf_host_swarm(p->host->host), hf_peer_clock(w, p), stream, hf_buf_bytes(&framed));
    (void)err;
    hf_buf_deinit(&message);
    hf_buf_deinit(&framed);
}

void hf_sybil_event(hf_world *w, hf_sim_peer *p, const hf_swarm_out *event) {
    uint64_t len;
    size_t head;
    hf_kad_message m;
    if (event->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(hf_host_swarm(p->host->host), hf_peer_clock(w, p), event->stream);
    if (event->kind != HF_SWARM_STREAM_DATA || hf_varint_read(event->bytes, &len, &head)) return;
    if (hf_kad_read(hf_sub(event->bytes, head, (size_t)len), &m, NULL) || m.type == HF_KAD_ADD_PROVIDER) return;
    answer(w, p, event->stream, &m);
}

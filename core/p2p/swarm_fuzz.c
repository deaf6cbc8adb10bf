/* A swarm at the mercy of the bytes. The first byte chooses: 0 straight from the channel; 1 after a real handshake, the
 * bytes being what the peer's muxer says, cut into pieces with time passing between. Whatever comes, the swarm must
 * live, drain, and free all. */
#include "swarm.h"

#include "../../tests/kit/fuzz.h"
#include "../crypto/crypto.h"
#include "conn.h"

#include <stdlib.h>
#include <string.h>

static size_t mem_out;
static hf_mem mem = {hf_fuzz_resize, &mem_out};

typedef struct fuzz {
    hf_swarm *swarm;
    hf_conn peer;
    bool shaking, closed;
    uint64_t now_ms;
} fuzz;

/* An application that answers, so that our sending side moves as well. */
static void react(fuzz *f, const hf_swarm_out *o) {
    if (o->kind == HF_SWARM_STREAM_DATA) {
        uint8_t first = o->bytes.ptr[0];
        hf_err err = hf_swarm_stream_write(f->swarm, f->now_ms, o->stream, o->bytes);
        if (err && err != HF_LIMIT && err != HF_STATE) abort();
        if (first == 'r') hf_swarm_stream_reset(f->swarm, f->now_ms, o->stream);
        if (first == 'p') hf_swarm_stream_reading(f->swarm, f->now_ms, o->stream, false);
    }
    if (o->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(f->swarm, f->now_ms, o->stream);
    uint64_t s;
    if (o->kind == HF_SWARM_IDENTIFIED)
        (void)!hf_swarm_stream_open(f->swarm, f->now_ms, &o->peer, HF_TEXT("/b"), 2, &s);
}

static void drain(fuzz *f) {
    hf_swarm_out out;
    while (hf_swarm_next(f->swarm, &out)) {
        if (out.kind == HF_SWARM_SEND && f->shaking && hf_conn_recv(&f->peer, out.bytes)) abort();
        if (out.kind == HF_SWARM_CONN_CLOSE) f->closed = true;
        react(f, &out);
    }
    f->peer.plain.len = f->peer.plain_at = 0;
}

static void feed(fuzz *f, hf_bytes bytes) {
    if (f->closed) return;
    if (hf_swarm_conn_recv(f->swarm, f->now_ms, 1, bytes)) abort();
    drain(f);
}

static void shake(fuzz *f, hf_conn_keys *keys, hf_buf *payload) {
    uint8_t seed[32] = {9}, public_key[32], ephemeral[32] = {8};
    memset(keys, 7, sizeof *keys);
    hf_x25519_public(keys->static_secret, keys->static_public);
    hf_ed25519_public(seed, public_key);
    hf_buf_init(payload, &mem);
    hf_noise_payload_add(payload, seed, public_key, keys->static_public, true);
    keys->payload = hf_buf_bytes(payload);
    if (hf_conn_init(&f->peer, &mem, keys, true, NULL, ephemeral)) abort();
    f->shaking = true;
    for (int i = 0; i < 3; i++) {
        hf_buf out = f->peer.out;
        hf_buf_init(&f->peer.out, &mem);
        feed(f, hf_buf_bytes(&out));
        hf_buf_deinit(&out);
    }
    if (f->peer.phase != HF_CONN_OPEN) abort();
}

static void say(fuzz *f, bool sealed, hf_bytes bytes) {
    if (!sealed) {
        feed(f, bytes);
        return;
    }
    hf_buf_clear(&f->peer.out);
    if (hf_conn_send(&f->peer, bytes)) abort();
    feed(f, hf_buf_bytes(&f->peer.out));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint8_t seed[32] = {1};
    uint64_t random = 1;
    if (len < 2) return 0;
    bool sealed = data[0] & 1;
    size_t cut = 1 + data[1];
    hf_bytes bytes = HF_BYTES(data + 2, len - 2);
    hf_swarm_config config = {.ed25519_seed = seed,
                              .agent = HF_TEXT("fuzz"),
                              .random = hf_fuzz_fill,
                              .random_ctx = &random,
                              .streams_in_max = 8,
                              .send_buffer_bytes_max = 4096};
    fuzz f = {.swarm = hf_swarm_new(&mem, &config)};
    hf_conn_keys keys;
    hf_buf payload = {.mem = &mem};
    if (hf_swarm_protocol(f.swarm, HF_TEXT("/a"), 1)) abort();
    if (hf_swarm_conn_open(f.swarm, 0, 1, data[0] & 2 && !sealed, NULL, HF_BYTES("", 0))) abort();
    if (sealed) shake(&f, &keys, &payload);
    for (size_t at = 0; at < bytes.len; at += cut) {
        say(&f, sealed, hf_sub(bytes, at, cut));
        f.now_ms += data[0] & 4 ? 900 : 1;
        if (hf_swarm_deadline(f.swarm) <= f.now_ms) hf_swarm_tick(f.swarm, f.now_ms);
        drain(&f);
    }
    if (mem_out > (8u << 20)) abort();
    if (sealed) hf_conn_deinit(&f.peer);
    hf_buf_deinit(&payload);
    hf_swarm_free(f.swarm);
    if (mem_out) abort();
    return 0;
}

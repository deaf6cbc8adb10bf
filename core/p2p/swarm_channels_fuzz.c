/* Fuzz: a swarm on a WebRTC connection: of a peer that is known, or (first byte odd) of one whose Noise handshake is still to come. Steps: what (1 byte), channel
 * (1), length (1), that many bytes: channels come and go, messages come framed and not. The swarm must live, stay within bounds, and free all. */
#include "channels.h"

#include "../../tests/kit/fuzz.h"
#include "swarm.h"

#include <string.h>

enum { STEPS_MAX = 96, CONN = 1, MEMORY_MAX = 8 << 20 };

static size_t mem_out;
static hf_mem mem = {hf_fuzz_resize, &mem_out};

/* An application that answers. False: the connection is over. */
static bool drain(hf_swarm *swarm, uint64_t now_ms) {
    hf_swarm_out o;
    bool open = true;
    while (hf_swarm_next(swarm, &o)) {
        if (o.kind == HF_SWARM_CONN_CLOSE) open = false;
        if (o.kind == HF_SWARM_STREAM_DATA) {
            hf_err err = hf_swarm_stream_write(swarm, now_ms, o.stream, o.bytes);
            HF_ASSERT(!err || err == HF_LIMIT || err == HF_STATE);
            if (o.bytes.ptr[0] == 'n') hf_swarm_stream_reading(swarm, now_ms, o.stream, false);
        }
        if (o.kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(swarm, now_ms, o.stream);
    }
    return open;
}

static hf_err say(hf_swarm *swarm, uint64_t now_ms, uint32_t channel, uint8_t flags, hf_bytes payload) {
    hf_channel_message m = {flags & 1 ? (hf_channel_flag)(flags >> 1 & 3) : HF_CHANNEL_NO_FLAG, payload};
    hf_buf framed;
    hf_buf_init(&framed, &mem);
    hf_channel_message_add(&framed, &m);
    hf_err err = hf_swarm_channel_recv(swarm, now_ms, CONN, channel, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
    return err;
}

static void step(hf_swarm *swarm, const hf_peer_id *peer, uint64_t now_ms, const uint8_t *head, hf_bytes bytes) {
    uint32_t channel = head[1] & 128 ? HF_CHANNEL_OURS | (head[1] & 7) : head[1] & 15;
    uint64_t stream;
    hf_err err = HF_OK;
    switch (head[0] % 8) {
    case 0: err = hf_swarm_channel_opened(swarm, now_ms, CONN, channel); break;
    case 1: hf_swarm_channel_closed(swarm, now_ms, CONN, channel); break;
    case 2: hf_swarm_channel_busy(swarm, now_ms, CONN, channel, head[0] & 8); break;
    case 3: err = hf_swarm_channel_recv(swarm, now_ms, CONN, channel, bytes); break;
    case 4: (void)!hf_swarm_stream_open(swarm, now_ms, peer, HF_TEXT("/b"), 2, &stream); break;
    case 5: hf_swarm_tick(swarm, now_ms); break;
    default: err = say(swarm, now_ms, channel, head[0] / 8, bytes);
    }
    HF_ASSERT(!err || err == HF_EXISTS);
    HF_ASSERT(hf_swarm_channels_held(swarm, CONN) <= HF_CHANNELS_ALL_HELD_BYTES_MAX && mem_out < MEMORY_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint8_t seed[32] = {1};
    const hf_peer_id peer = {{0x12, 0x20, 3}, 34};
    uint64_t random = 1;
    if (!len) return 0;
    hf_bytes in = HF_BYTES(data + 1, len - 1);
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("fuzz"), .random = hf_fuzz_fill, .random_ctx = &random, .streams_in_max = 8, .send_buffer_bytes_max = 4096};
    hf_channels_open open = {.dialer = data[0] & 2, .peer = data[0] & 1 ? NULL : &peer, .noise_initiator = data[0] & 4, .prologue = HF_TEXT("p")};
    hf_swarm *swarm = hf_swarm_new(&mem, &config);
    HF_ASSERT(swarm && !hf_swarm_protocol(swarm, HF_TEXT("/a"), 1) && !hf_swarm_conn_open_channels(swarm, 0, CONN, &open));
    uint64_t now_ms = 0;
    bool up = drain(swarm, now_ms);
    const uint8_t *head;
    hf_bytes bytes;
    for (size_t n = 0; up && n < STEPS_MAX && hf_fuzz_step(&in, 1, &head, &bytes); n++, now_ms += data[0] & 8 ? 900 : 1) {
        step(swarm, &peer, now_ms, head, bytes);
        up = drain(swarm, now_ms);
    }
    hf_swarm_free(swarm);
    HF_ASSERT(mem_out == 0);
    return 0;
}

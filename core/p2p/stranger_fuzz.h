/* stranger_fuzz: for fuzz targets of protocols on the swarm: our swarm with one protocol on it, and one or two strangers behind real handshakes who say
 * anything, on any stream, at any time. A target fills in a hf_stranger_part and hands its input to hf_stranger_play.
 *
 * The input is steps: what (1 byte), length (2 bytes, big-endian), that many bytes; `arg` is the first of them. After each step all that the swarms and
 * the protocol have to say to each other is said: that must come to an end, within bounded memory, and at the very end all memory is back. */
#ifndef HF_STRANGER_FUZZ_H
#define HF_STRANGER_FUZZ_H
#include "swarm.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/varint.h"

#include <stdlib.h>
#include <string.h>

enum {
    HF_STRANGER_TAG_OURS = 10,     /* what the protocol's streams carry at our swarm; the next three as well */
    HF_STRANGER_TAG_THEIRS = 90,
    HF_STRANGERS_MAX = 2,
    HF_STRANGER_STREAMS = 8,
    HF_STRANGER_STEPS_MAX = 64,
    HF_STRANGER_ROUNDS_MAX = 20000,
    HF_STRANGER_MEMORY_MAX = 24 << 20,
};

typedef struct hf_stranger {
    hf_mem mem;
    size_t mem_out;
    uint64_t random, now_ms, n_conns;
    hf_swarm *us, *them[HF_STRANGERS_MAX];
    uint64_t conns[HF_STRANGERS_MAX];               /* 0: none now */
    struct { size_t who; uint64_t id; } streams[HF_STRANGER_STREAMS];
    size_t n_streams, at;                           /* at: the one that is spoken on */
    const struct hf_stranger_part *part;
    void *self;                                     /* the protocol */
} hf_stranger;

/* What is tried. Protocols are NULL-terminated names that the strangers speak and open. */
typedef struct hf_stranger_part {
    const char *const *protocols;
    size_t n_strangers;
    bool limited;                                                   /* their connections come through a relay that limits them */
    void *(*make)(hf_stranger *s);
    bool (*event)(hf_stranger *s, const hf_swarm_out *event);       /* true: nobody else is to see it */
    bool (*next)(hf_stranger *s);                                   /* one thing that it has to say; false: nothing */
    void (*own)(hf_stranger *s, uint8_t what, hf_bytes bytes);      /* what its user asks of it: steps from 8 on */
    void (*tick)(hf_stranger *s);
    void (*free)(hf_stranger *s);
} hf_stranger_part;

static inline uint8_t hf_stranger_arg(hf_bytes bytes) { return bytes.len ? bytes.ptr[0] : 0; }
static inline const hf_peer_id *hf_stranger_id(const hf_stranger *s, size_t i) { return hf_swarm_self(s->them[i % s->part->n_strangers]); }

/* What a protocol on `n_tags` tags is told of: its streams, and every connection's coming and going. */
static inline bool hf_stranger_concerns(const hf_swarm_out *o, uint32_t n_tags) {
    if (o->kind == HF_SWARM_CONN_UP || o->kind == HF_SWARM_IDENTIFIED || o->kind == HF_SWARM_CONN_DOWN) return true;
    return o->kind >= HF_SWARM_STREAM_OPEN && o->tag >= HF_STRANGER_TAG_OURS && o->tag < HF_STRANGER_TAG_OURS + n_tags;
}

static inline void hf_stranger_take_stream(hf_stranger *s, size_t who, uint64_t id) {
    s->at = s->n_streams++ % HF_STRANGER_STREAMS;
    s->streams[s->at].who = who;
    s->streams[s->at].id = id;
}

static inline bool hf_stranger_ours(hf_stranger *s) {
    hf_swarm_out o;
    if (!hf_swarm_next(s->us, &o)) return false;
    if (s->part->event(s, &o)) return true;
    if (o.kind != HF_SWARM_SEND && o.kind != HF_SWARM_CONN_CLOSE) return true;
    for (size_t i = 0; i < s->part->n_strangers; i++) {
        if (s->conns[i] != o.conn) continue;
        if (o.kind == HF_SWARM_SEND) (void)!hf_swarm_conn_recv(s->them[i], s->now_ms, o.conn, o.bytes);
        else hf_swarm_conn_lost(s->them[i], s->now_ms, o.conn), s->conns[i] = 0;
    }
    return true;
}

static inline bool hf_stranger_theirs(hf_stranger *s, size_t who) {
    hf_swarm_out o;
    if (!hf_swarm_next(s->them[who], &o)) return false;
    if (o.kind == HF_SWARM_SEND && o.conn == s->conns[who]) (void)!hf_swarm_conn_recv(s->us, s->now_ms, o.conn, o.bytes);
    if (o.kind == HF_SWARM_CONN_CLOSE && o.conn == s->conns[who]) hf_swarm_conn_lost(s->us, s->now_ms, o.conn), s->conns[who] = 0;
    if (o.kind == HF_SWARM_STREAM_OPEN && o.inbound) hf_stranger_take_stream(s, who, o.stream);
    return true;
}

/* What one says the others hear at once. */
static inline void hf_stranger_run(hf_stranger *s) {
    size_t n_rounds = 0;
    for (bool any = true; any; n_rounds++) {
        HF_ASSERT(n_rounds < HF_STRANGER_ROUNDS_MAX);
        any = hf_stranger_ours(s);
        while (s->part->next(s)) any = true;
        for (size_t i = 0; i < s->part->n_strangers; i++) any |= hf_stranger_theirs(s, i);
    }
}

/* Where the i-th swarm is: 0 is ours. */
static inline hf_bytes hf_stranger_place(size_t i, uint8_t ret[8]) {
    const uint8_t address[8] = {0x04, 93, 184, (uint8_t)(216 + i), 34, 0x06, 0x0f, 0xa1};
    memcpy(ret, address, sizeof address);
    return HF_BYTES(ret, sizeof address);
}

static inline void hf_stranger_connect(hf_stranger *s, size_t who) {
    if (s->conns[who]) return;
    uint64_t conn = s->conns[who] = ++s->n_conns;
    uint8_t place[8];
    hf_bytes remote = hf_stranger_place(1 + who, place), none = HF_BYTES("", 0);
    if (s->part->limited) {
        HF_ASSERT(!hf_swarm_conn_open_relayed(s->us, s->now_ms, conn, false, NULL, remote, true));
        HF_ASSERT(!hf_swarm_conn_open_relayed(s->them[who], s->now_ms, conn, true, NULL, none, true));
        return;
    }
    HF_ASSERT(!hf_swarm_conn_open(s->us, s->now_ms, conn, false, NULL, remote));
    HF_ASSERT(!hf_swarm_conn_open(s->them[who], s->now_ms, conn, true, NULL, none));
}

static inline void hf_stranger_disconnect(hf_stranger *s, size_t who) {
    uint64_t conn = s->conns[who];
    if (!conn) return;
    s->conns[who] = 0;
    hf_swarm_conn_lost(s->them[who], s->now_ms, conn);
    hf_swarm_conn_lost(s->us, s->now_ms, conn);
}

static inline void hf_stranger_open(hf_stranger *s, uint8_t arg) {
    uint64_t id;
    size_t n = 0, n_strangers = s->part->n_strangers;
    while (s->part->protocols[n]) n++;
    HF_ASSERT(n > 0 && n_strangers > 0);
    size_t who = arg / 16 % n_strangers;
    if (!hf_swarm_stream_open(s->them[who], s->now_ms, hf_swarm_self(s->us), hf_str(s->part->protocols[arg % 16 % n]), HF_STRANGER_TAG_THEIRS, &id))
        hf_stranger_take_stream(s, who, id);
}

static inline void hf_stranger_say(hf_stranger *s, hf_bytes bytes, bool framed) {
    if (!s->n_streams) return;
    hf_swarm *them = s->them[s->streams[s->at].who];
    uint64_t id = s->streams[s->at].id;
    uint8_t head[HF_VARINT_MAX];
    if (framed && hf_swarm_stream_write(them, s->now_ms, id, HF_BYTES(head, hf_varint_write(bytes.len, head)))) return;
    if (bytes.len) (void)!hf_swarm_stream_write(them, s->now_ms, id, bytes);
}

static inline void hf_stranger_wait(hf_stranger *s, uint64_t ms) {
    s->now_ms += ms;
    hf_swarm_tick(s->us, s->now_ms);
    for (size_t i = 0; i < s->part->n_strangers; i++) hf_swarm_tick(s->them[i], s->now_ms);
    s->part->tick(s);
}

static inline void hf_stranger_step(hf_stranger *s, uint8_t what, hf_bytes bytes) {
    uint8_t arg = hf_stranger_arg(bytes);
    if (what >= 8) s->part->own(s, what, bytes);
    else if (what == 0) hf_stranger_wait(s, 1u << arg % 24);
    else if (what == 1) hf_stranger_say(s, bytes, false);
    else if (what == 2) hf_stranger_say(s, bytes, true);
    else if (what == 3) hf_stranger_open(s, arg);
    else if (what == 6 && s->n_streams) s->at = arg % (s->n_streams < HF_STRANGER_STREAMS ? s->n_streams : HF_STRANGER_STREAMS);
    else if (what == 7 && arg & 2) hf_stranger_disconnect(s, arg % s->part->n_strangers);
    else if (what == 7) hf_stranger_connect(s, arg % s->part->n_strangers);
    else if (s->n_streams && what == 4) hf_swarm_stream_finish(s->them[s->streams[s->at].who], s->now_ms, s->streams[s->at].id);
    else if (s->n_streams && what == 5) hf_swarm_stream_reset(s->them[s->streams[s->at].who], s->now_ms, s->streams[s->at].id);
    hf_stranger_run(s);
    HF_ASSERT(s->mem_out < HF_STRANGER_MEMORY_MAX);
}

static inline void hf_stranger_start(hf_stranger *s) {
    for (size_t i = 0; i <= s->part->n_strangers; i++) {
        uint8_t seed[32] = {(uint8_t)(1 + i)};
        hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("f"), .random = hf_fuzz_fill, .random_ctx = &s->random,
                                  .send_buffer_bytes_max = 1 << 16};
        hf_swarm *swarm = hf_swarm_new(&s->mem, &config);
        uint8_t place[8];
        hf_bytes address = hf_stranger_place(i, place);
        HF_ASSERT(swarm && !hf_swarm_addresses(swarm, &address, 1));
        if (!i) s->us = swarm;
        else s->them[i - 1] = swarm;
        for (size_t k = 0; i && s->part->protocols[k]; k++) {
            HF_ASSERT(!hf_swarm_protocol(swarm, hf_str(s->part->protocols[k]), HF_STRANGER_TAG_THEIRS));
            HF_ASSERT(!hf_swarm_allow_limited(swarm, hf_str(s->part->protocols[k])));
        }
    }
    s->self = s->part->make(s);
    HF_ASSERT(s->self != NULL);
    for (size_t i = 0; i < s->part->n_strangers; i++) hf_stranger_connect(s, i);
    hf_stranger_run(s);
}

static inline void hf_stranger_play(const hf_stranger_part *part, hf_bytes in) {
    hf_stranger s = {.part = part, .random = 1, .now_ms = 1000};
    s.mem = (hf_mem){hf_fuzz_resize, &s.mem_out};
    hf_stranger_start(&s);
    const uint8_t *head;
    hf_bytes bytes;
    for (size_t n = 0; n < HF_STRANGER_STEPS_MAX && hf_fuzz_step(&in, 2, &head, &bytes); n++) hf_stranger_step(&s, head[0] % 16, bytes);
    part->free(&s);
    hf_swarm_free(s.us);
    for (size_t i = 0; i < part->n_strangers; i++) hf_swarm_free(s.them[i]);
    HF_ASSERT(s.mem_out == 0);
}
#endif

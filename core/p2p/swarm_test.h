/* swarm_test: two swarms back to back in memory for the tests of the swarm: bytes travel in pieces of a chosen size,
 * time is turned by hand, everything that comes out is kept in a log. */
#ifndef HF_SWARM_TEST_H
#define HF_SWARM_TEST_H
#include "swarm.h"

#include "../../tests/kit/check.h"

#include <stdio.h>
#include <string.h>

enum { CONN = 7, TAG_ECHO = 1, TAG_SINK = 2, LOG_MAX = 4096 };
#define ECHO "/test/echo/1"
#define SINK "/test/sink/1"

typedef struct end {
    hf_swarm *swarm;
    uint64_t random;
    hf_buf inbox; /* on its way to this end */
    size_t inbox_at;
    hf_swarm_out log[LOG_MAX];
    size_t n_log, n_sends;
    bool closed; /* its channel is gone */
    bool echo;   /* answers on TAG_ECHO streams */
    bool keep;   /* copies the bytes of DATA into the log */
} end;

typedef struct world {
    end a, b; /* a dials */
    uint64_t now_ms;
    size_t cut;
    uint64_t random; /* not 0: cuts are random up to `cut` */
} world;

static inline void end_start(end *e, uint8_t name, const hf_swarm_config *base) {
    uint8_t seed[32] = {name};
    hf_swarm_config config = base ? *base : (hf_swarm_config){.conns_max = 0};
    e->random = name;
    config.ed25519_seed = seed;
    config.agent = HF_TEXT("holdfast/test");
    config.random = hf_test_random_fill;
    config.random_ctx = &e->random;
    e->n_log = e->n_sends = e->inbox_at = 0;
    e->closed = e->echo = false;
    e->keep = true;
    hf_buf_init(&e->inbox, hf_test_mem());
    e->swarm = hf_swarm_new(hf_test_mem(), &config);
}

static inline void end_stop(end *e) {
    hf_swarm_free(e->swarm);
    hf_buf_deinit(&e->inbox);
}

/* The echo protocol; returns NOMEM only. */
static inline void end_react(end *e, uint64_t now_ms, const hf_swarm_out *out) {
    if (!e->echo || out->tag != TAG_ECHO) return;
    if (out->kind == HF_SWARM_STREAM_DATA && hf_swarm_stream_write(e->swarm, now_ms, out->stream, out->bytes))
        hf_swarm_stream_reset(e->swarm, now_ms, out->stream);
    if (out->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(e->swarm, now_ms, out->stream);
}

static inline void end_log(end *e, const hf_swarm_out *out) {
    if (e->n_log == LOG_MAX) return;
    hf_swarm_out *kept = &e->log[e->n_log++];
    *kept = *out;
    if (e->keep && out->bytes.len) kept->bytes = hf_arena_copy(hf_test_arena(), out->bytes);
}

/* Hands out everything; SEND goes to the other end's inbox. */
static inline void end_drain(end *e, uint64_t now_ms, hf_buf *peer_inbox) {
    hf_swarm_out out;
    while (hf_swarm_next(e->swarm, &out)) {
        if (out.kind == HF_SWARM_SEND) {
            e->n_sends++;
            hf_buf_add(peer_inbox, out.bytes);
            continue;
        }
        if (out.kind == HF_SWARM_CONN_CLOSE) e->closed = true;
        end_log(e, &out);
        end_react(e, now_ms, &out);
    }
}

static inline bool end_deliver(world *w, end *e) {
    size_t left = e->inbox.len - e->inbox_at, n = w->cut;
    if (w->random) n = 1 + hf_test_random(&w->random) % w->cut;
    if (n > left) n = left;
    if (n == 0) return false;
    hf_bytes part = hf_sub(hf_buf_bytes(&e->inbox), e->inbox_at, n);
    e->inbox_at += n;
    if (!e->closed) (void)!hf_swarm_conn_recv(e->swarm, w->now_ms, CONN, part);
    if (e->inbox_at == e->inbox.len) {
        hf_buf_clear(&e->inbox);
        e->inbox_at = 0;
    }
    return true;
}

/* Until nothing moves. */
static inline void world_run(world *w) {
    bool moved = true;
    while (moved) {
        end_drain(&w->a, w->now_ms, &w->b.inbox);
        end_drain(&w->b, w->now_ms, &w->a.inbox);
        moved = end_deliver(w, &w->a);
        if (end_deliver(w, &w->b)) moved = true;
        if (!moved && w->a.closed != w->b.closed) {
            end *open = w->a.closed ? &w->b : &w->a;
            open->closed = true;
            hf_swarm_conn_lost(open->swarm, w->now_ms, CONN);
            moved = true;
        }
    }
}

static inline void world_start_with(world *w, size_t cut, const hf_swarm_config *a, const hf_swarm_config *b) {
    w->now_ms = 1000;
    w->cut = cut;
    w->random = 0;
    end_start(&w->a, 1, a);
    end_start(&w->b, 2, b);
}

/* Both know both protocols; a dials b. */
static inline hf_err world_connect(world *w, const hf_peer_id *expected) {
    end *ends[] = {&w->a, &w->b};
    if (!w->a.swarm || !w->b.swarm) return HF_NOMEM;
    for (size_t i = 0; i < 2; i++) {
        hf_err err = hf_swarm_protocol(ends[i]->swarm, HF_TEXT(ECHO), TAG_ECHO);
        if (!err) err = hf_swarm_protocol(ends[i]->swarm, HF_TEXT(SINK), TAG_SINK);
        if (err) return err;
    }
    hf_err err =
        hf_swarm_conn_open(w->a.swarm, w->now_ms, CONN, true, expected, HF_BYTES("\x04\x7f\0\0\1\x06\x0f\xa1", 8));
    if (!err) err = hf_swarm_conn_open(w->b.swarm, w->now_ms, CONN, false, NULL, HF_BYTES("", 0));
    if (!err) world_run(w);
    return err;
}

static inline void world_start(world *w, size_t cut) {
    world_start_with(w, cut, NULL, NULL);
    CHECK_ERR(world_connect(w, NULL), HF_OK);
}

static inline void world_stop(world *w) {
    end_stop(&w->a);
    end_stop(&w->b);
}

/* Turns time on, ticking both ends when they ask for it. */
static inline void world_wait(world *w, uint64_t ms) {
    uint64_t until = w->now_ms + ms;
    for (;;) {
        uint64_t da = hf_swarm_deadline(w->a.swarm), db = hf_swarm_deadline(w->b.swarm), next = da < db ? da : db;
        if (next > until) break;
        if (next > w->now_ms) w->now_ms = next;
        hf_swarm_tick(w->a.swarm, w->now_ms);
        hf_swarm_tick(w->b.swarm, w->now_ms);
        world_run(w);
    }
    w->now_ms = until;
}

/* The n-th event of a kind (from 0) in an end's log; NULL: there are not so many. */
static inline const hf_swarm_out *find_event(const end *e, hf_swarm_kind kind, size_t n) {
    for (size_t i = 0; i < e->n_log; i++)
        if (e->log[i].kind == kind && n-- == 0) return &e->log[i];
    return NULL;
}

static inline size_t count_events(const end *e, hf_swarm_kind kind) {
    size_t n = 0;
    while (find_event(e, kind, n)) n++;
    return n;
}

/* All bytes that came on a stream, joined in the test's arena. */
static inline hf_bytes received(const end *e, uint64_t stream) {
    size_t len = 0;
    for (size_t i = 0; i < e->n_log; i++)
        if (e->log[i].kind == HF_SWARM_STREAM_DATA && e->log[i].stream == stream) len += e->log[i].bytes.len;
    uint8_t *p = hf_arena_alloc(hf_test_arena(), len + 1);
    size_t at = 0;
    for (size_t i = 0; i < e->n_log; i++) {
        if (e->log[i].kind != HF_SWARM_STREAM_DATA || e->log[i].stream != stream) continue;
        memcpy(p + at, e->log[i].bytes.ptr, e->log[i].bytes.len);
        at += e->log[i].bytes.len;
    }
    return HF_BYTES(p, len);
}
#endif

/* Two cores of one app and the channel between them, at the mercy of the input: what is on its way comes in any pieces, is bent, or is lost; forms are sent to both,
 * disks lag, processes are killed and start again from what was durable. Then all is mended, and both must hold the same entries within a bound of time: every
 * note that was acknowledged (its entry was durable before the answer), and none that nobody sent.
 *
 * Steps of 3 bytes: what (and which side, its top bit), two bytes of how much. */
#include "shell_fuzz.h"

#include <stdio.h>

enum { SIDES = 2, STEPS_MAX = 64, HEAL_MS = 120000, HEAL_STEP_MS = 50 };

static hf_mem mem = {hf_fuzz_resize, NULL};

typedef struct world {
    hf_shell sides[SIDES];
    hf_buf pipes[SIDES];        /* from that side, on its way */
    uint64_t now_ms, conn, n_conns;
    uint64_t waiting[SIDES];    /* the answer to the last form there waits for this; 0: none */
    size_t n_sent, n_acked;
} world;

static void lose(world *w) {
    for (size_t i = 0; i < SIDES; i++) {
        hf_buf_clear(&w->pipes[i]);
        if (w->conn) hf_core_conn_lost(w->sides[i].core, w->now_ms, w->conn);
    }
    w->conn = 0;
}

static void drain_one(world *w, size_t side) {
    hf_out o;
    bool closed = false;
    hf_shell *s = &w->sides[side];
    while (hf_core_next(s->core, w->now_ms, &o)) {
        if (o.kind == HF_OUT_STORE) hf_shell_keep(s, &o);
        if (o.kind == HF_OUT_SEND && o.conn == w->conn) hf_buf_add(&w->pipes[side], o.bytes);
        if (o.kind == HF_OUT_CONN_CLOSE && o.conn == w->conn) closed = true;
        HF_ASSERT(o.kind != HF_OUT_REFUSED);
    }
    HF_ASSERT(s->mem_out < HF_SHELL_MEMORY_MAX);
    if (!closed) return;
    hf_core_conn_lost(w->sides[!side].core, w->now_ms, w->conn);
    w->conn = 0;
    for (size_t i = 0; i < SIDES; i++) hf_buf_clear(&w->pipes[i]);
}

static void drain(world *w) {
    for (size_t i = 0; i < SIDES; i++) drain_one(w, i);
    for (size_t i = 0; i < SIDES; i++) drain_one(w, i); /* the first to be drained may have lost its connection since */
}

static void connect(world *w) {
    if (w->conn) return;
    w->conn = ++w->n_conns;
    for (size_t i = 0; i < SIDES; i++) HF_ASSERT(!hf_core_conn_open(w->sides[i].core, w->now_ms, w->conn, i == w->n_conns % 2, NULL, HF_BYTES(NULL, 0)));
}

static void deliver(world *w, size_t from, size_t n) {
    hf_buf bytes;
    hf_buf_init(&bytes, &mem);
    hf_buf_add(&bytes, hf_sub(hf_buf_bytes(&w->pipes[from]), 0, n));
    hf_buf_consume(&w->pipes[from], bytes.len);
    if (w->conn && bytes.len) HF_ASSERT(!hf_core_conn_recv(w->sides[!from].core, w->now_ms, w->conn, hf_buf_bytes(&bytes)));
    hf_buf_deinit(&bytes);
}

static void sync(world *w, size_t side, size_t n) {
    hf_shell *s = &w->sides[side];
    hf_shell_sync(s, w->now_ms, n);
    if (!w->waiting[side] || hf_core_seq_stored(s->core) < w->waiting[side]) return;
    w->waiting[side] = 0;
    w->n_acked++;
}

/* One at a time, so that the model stays simple: the next form waits for this one's answer. */
static void post(world *w, size_t side) {
    char body[64];
    if (w->waiting[side]) return;
    int len = snprintf(body, sizeof body, "text=%zu&op=aaaa%04zu", w->n_sent, w->n_sent);
    HF_ASSERT(hf_shell_post(&w->sides[side], w->now_ms, HF_TEXT("/notes"), HF_BYTES(body, (size_t)len), &w->waiting[side]) == 303 && w->waiting[side]);
    w->n_sent++;
}

static void kill_and_start(world *w, size_t side) {
    uint64_t conn = w->conn;
    for (size_t i = 0; i < SIDES; i++) hf_buf_clear(&w->pipes[i]);
    w->conn = w->waiting[side] = 0;
    if (conn) hf_core_conn_lost(w->sides[!side].core, w->now_ms, conn);
    hf_shell_stop(&w->sides[side]);
    HF_ASSERT(hf_shell_start(&w->sides[side], w->now_ms));
}

static void wait_a_little(world *w, uint64_t ms) {
    w->now_ms += ms;
    for (size_t i = 0; i < SIDES; i++) hf_core_tick(w->sides[i].core, w->now_ms);
}

static void step(world *w, uint8_t what, size_t side, size_t n) {
    switch (what % 10) {
    case 0: wait_a_little(w, n); break;
    case 1: post(w, side); break;
    case 2: deliver(w, side, n); break;
    case 3: deliver(w, side, SIZE_MAX); break;
    case 4: lose(w); break;
    case 5: connect(w); break;
    case 6:
        if (w->pipes[side].len) w->pipes[side].ptr[n % w->pipes[side].len] ^= (uint8_t)(1u << n % 8);
        break;
    case 7: sync(w, side, n); break;
    case 8: kill_and_start(w, side); break;
    default: if (w->conn) hf_core_conn_busy(w->sides[side].core, w->now_ms, w->conn, n % 2);
    }
    drain(w);
}

static bool equal(world *w) {
    uint8_t versions[SIDES][32];
    for (size_t i = 0; i < SIDES; i++) {
        hf_core_version(w->sides[i].core, 1, versions[i]);
        if (w->sides[i].n_stored != w->sides[i].n_records) return false;
    }
    return !memcmp(versions[0], versions[1], 32);
}

static void heal(world *w) {
    for (uint64_t end = w->now_ms + HEAL_MS; w->now_ms < end;) {
        connect(w);
        for (size_t i = 0; i < SIDES; i++) {
            if (w->conn) hf_core_conn_busy(w->sides[i].core, w->now_ms, w->conn, false);
            deliver(w, i, SIZE_MAX);
            sync(w, i, SIZE_MAX);
        }
        drain(w);
        if (w->pipes[0].len || w->pipes[1].len) continue;
        if (equal(w)) return;
        wait_a_little(w, HEAL_STEP_MS);
    }
    HF_ASSERT(!"they did not become equal");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static world w;
    w = (world){.now_ms = 1000};
    for (size_t i = 0; i < SIDES; i++) {
        hf_buf_init(&w.pipes[i], &mem);
        hf_shell_init(&w.sides[i], 1 + i, i == 1);
        HF_ASSERT(hf_shell_start(&w.sides[i], w.now_ms));
    }
    connect(&w);
    drain(&w);
    for (size_t i = 0; i + 3 <= len && i < 3 * STEPS_MAX; i += 3) step(&w, data[i] & 127, data[i] >> 7, (size_t)data[i + 1] << 8 | data[i + 2]);
    heal(&w);
    for (size_t i = 0; i < SIDES; i++) {
        size_t n = hf_collection_n(hf_core_collection(w.sides[i].core, 1));
        HF_ASSERT(n >= w.n_acked && n <= w.n_sent);
    }
    for (size_t i = 0; i < SIDES; i++) {
        hf_buf_deinit(&w.pipes[i]);
        hf_shell_deinit(&w.sides[i]);
    }
    return 0;
}

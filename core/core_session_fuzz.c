/* A whole core, a node's (first byte even) or a browser's, and a stranger behind a real handshake who speaks all the protocols that the core has, in any bytes, while
 * people send forms, the disk lags, the process is killed and starts again, and an allocation fails. The core must live or say that it has no memory; what it
 * stores comes in order; memory is bounded, and all of it comes back.
 *
 * Steps: what (1 byte), length (2 bytes, big-endian), that many bytes; `arg` is the first of them. */
#include "shell_fuzz.h"

#include "codec/varint.h"

enum { STEPS_MAX = 48, STREAMS_MAX = 8, NAMES_MAX = 24, NAME_BYTES = 128, TAG = 90, CONN_TOP_MAX = 1 << 20 };

typedef struct world {
    hf_shell shell;
    hf_mem mem;
    uint64_t now_ms, conn, n_conns, random;
    hf_swarm *them;
    char names[NAMES_MAX][NAME_BYTES];
    size_t n_names;
    uint64_t streams[STREAMS_MAX];
    size_t n_streams, at;
    uint32_t session, db;
    bool broke; /* the core has no memory */
} world;

static void check(world *w, hf_err err) {
    HF_ASSERT(err != HF_NOMEM || w->shell.failed);
    if (err == HF_NOMEM) w->broke = true;
}

static void learn(world *w, const hf_identify *identify) {
    for (size_t i = 0; i < identify->n_protocols && w->n_names < NAMES_MAX; i++) {
        hf_bytes name = identify->protocols[i];
        bool known = name.len >= NAME_BYTES;
        for (size_t k = 0; k < w->n_names; k++) known = known || hf_eq(name, hf_str(w->names[k]));
        if (known) continue;
        memcpy(w->names[w->n_names++], name.ptr, name.len);
        (void)!hf_swarm_protocol(w->them, name, TAG); /* those of the swarm itself it has */
    }
}

static void take_stream(world *w, uint64_t id) { w->streams[w->at = w->n_streams++ % STREAMS_MAX] = id; }

/* What is to be dialled is the stranger, when there is no connection to him, else nobody. */
static void dial(world *w, uint64_t number) {
    hf_host *host = hf_core_host(w->shell.core);
    if (w->conn || number % 4 == 0) {
        hf_host_dial_failed(host, w->now_ms, number, "nobody is there");
        return;
    }
    uint64_t conn = ++w->n_conns;
    hf_err err = hf_host_conn_open(host, w->now_ms, conn, number, HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa1", 8));
    check(w, err);
    if (err) return;
    w->conn = conn;
    if (hf_swarm_conn_open(w->them, w->now_ms, conn, false, NULL, HF_BYTES("", 0))) abort();
}

static bool drain_ours(world *w) {
    hf_out o;
    if (w->broke || !hf_core_next(w->shell.core, w->now_ms, &o)) return false;
    bool ours = o.conn == w->conn && w->conn;
    if (o.kind == HF_OUT_STORE) hf_shell_keep(&w->shell, &o);
    if (o.kind == HF_OUT_SEND && ours) (void)!hf_swarm_conn_recv(w->them, w->now_ms, w->conn, o.bytes);
    if (o.kind == HF_OUT_CONN_CLOSE && ours) hf_swarm_conn_lost(w->them, w->now_ms, w->conn), w->conn = 0;
    if (o.kind == HF_OUT_DIAL) dial(w, o.dial);
    if (o.kind == HF_OUT_RTC_CALL || o.kind == HF_OUT_RTC_HEARD) w->session = o.session;
    if (o.kind == HF_OUT_REFUSED || o.kind == HF_OUT_CONN_CLOSE) HF_ASSERT(o.reason != NULL);
    return true;
}

static bool drain_theirs(world *w) {
    hf_swarm_out o;
    if (!hf_swarm_next(w->them, &o)) return false;
    if (o.kind == HF_SWARM_SEND && o.conn == w->conn && !w->broke) check(w, hf_core_conn_recv(w->shell.core, w->now_ms, w->conn, o.bytes));
    if (o.kind == HF_SWARM_CONN_CLOSE && o.conn == w->conn && !w->broke) hf_core_conn_lost(w->shell.core, w->now_ms, w->conn), w->conn = 0;
    if (o.kind == HF_SWARM_IDENTIFIED) learn(w, o.identify);
    if (o.kind == HF_SWARM_STREAM_OPEN && o.inbound) take_stream(w, o.stream);
    return true;
}

static void run(world *w) {
    size_t n_rounds = 0;
    while (drain_ours(w) || drain_theirs(w)) HF_ASSERT(++n_rounds < 50000);
    HF_ASSERT(w->shell.mem_out < HF_SHELL_MEMORY_MAX);
}

static void connect(world *w) {
    if (w->conn) return;
    w->conn = ++w->n_conns;
    check(w, hf_core_conn_open(w->shell.core, w->now_ms, w->conn, w->n_conns % 2 == 0, NULL, HF_BYTES("\x04\x0a\0\0\1\x06\x0f\xa1", 8)));
    if (hf_swarm_conn_open(w->them, w->now_ms, w->conn, w->n_conns % 2 != 0, NULL, HF_BYTES("", 0))) abort();
}

static void disconnect(world *w) {
    uint64_t conn = w->conn;
    w->conn = 0;
    if (!conn) return;
    hf_core_conn_lost(w->shell.core, w->now_ms, conn);
    hf_swarm_conn_lost(w->them, w->now_ms, conn);
}

/* A wish for a connection, to him or to whoever is there. */
static void wish(world *w, uint8_t arg, hf_bytes address) {
    hf_host *host = hf_core_host(w->shell.core);
    if (!w->shell.dialling) return;
    if (arg & 4) hf_host_forget(host, 1u + arg % 4);
    else if (arg & 8) (void)hf_host_disconnect(host, w->now_ms, hf_swarm_self(w->them));
    else check(w, hf_host_connect(host, w->now_ms, arg & 16 ? NULL : hf_swarm_self(w->them), &address, address.len > 0, 0, 1u + arg % 4));
}

static void again(world *w) {
    if (w->conn) hf_swarm_conn_lost(w->them, w->now_ms, w->conn);
    w->conn = 0;
    hf_shell_stop(&w->shell);
    w->broke = !hf_shell_start(&w->shell, w->now_ms);
    if (!w->broke) connect(w);
}

static void say(world *w, hf_bytes bytes, bool framed) {
    uint8_t head[HF_VARINT_MAX];
    if (!w->n_streams) return;
    if (framed && hf_swarm_stream_write(w->them, w->now_ms, w->streams[w->at], HF_BYTES(head, hf_varint_write(bytes.len, head)))) return;
    if (bytes.len) (void)!hf_swarm_stream_write(w->them, w->now_ms, w->streams[w->at], bytes);
}

static void open_stream(world *w, uint8_t arg) {
    uint64_t id;
    if (w->n_names && !hf_swarm_stream_open(w->them, w->now_ms, hf_core_self(w->shell.core), hf_str(w->names[arg % w->n_names]), TAG, &id)) take_stream(w, id);
}

/* As a browser does it: relays and WebRTC. A node says HF_STATE. */
static void relayed(world *w, uint8_t arg, hf_bytes bytes) {
    hf_core *core = w->shell.core;
    const hf_peer_id *relay = hf_swarm_self(w->them);
    hf_peer_id peer = {{0x12, 0x20, 5}, 34};
    switch (arg % 6) {
    case 0: check(w, hf_core_reserve(core, w->now_ms, relay)); break;
    case 1: hf_core_unreserve(core, relay); break;
    case 2: check(w, hf_core_meet(core, w->now_ms, relay, &peer)); break;
    case 3: check(w, hf_core_rtc_say(core, w->now_ms, w->session, (hf_webrtc_signal_type)(arg / 8 % 3), bytes)); break;
    case 4: check(w, hf_core_rtc_up(core, w->now_ms, w->session, CONN_TOP_MAX + w->n_conns++)); break;
    default: hf_core_rtc_failed(core, w->now_ms, w->session);
    }
}

/* Databases beyond the app's. */
static void databases(world *w, uint8_t arg, hf_bytes bytes) {
    static const hf_bytes types[] = {{(const uint8_t *)"events", 6}, {(const uint8_t *)"keyvalue", 8}, {(const uint8_t *)"documents", 9}};
    hf_core *core = w->shell.core;
    hf_core_db_access access = {.guarded = arg & 64};
    hf_value key = hf_value_text(HF_TEXT("k")), value = hf_value_bytes(bytes);
    hf_fault fault = {"", 0};
    uint8_t digest[32];
    uint64_t seq;
    switch (arg % 6) {
    case 0: check(w, hf_core_db_create(core, w->now_ms, HF_TEXT("n"), types[arg / 8 % 3], &access, &w->db)); break;
    case 1: check(w, hf_core_db_open(core, w->now_ms, bytes.len > 40 ? bytes : hf_core_address(core, 1), &w->db)); break;
    case 2: check(w, hf_core_db_loaded(core, w->now_ms, w->db)); break;
    case 3: check(w, hf_core_db_append(core, w->now_ms, w->db, (hf_orbit_op)(arg / 8 % 3), &key, &value, digest, &seq, &fault)); break;
    case 4: check(w, hf_core_db_grant(core, w->now_ms, w->db, HF_TEXT("write"), bytes, &seq)); break;
    default: check(w, hf_core_db_close(core, w->now_ms, w->db));
    }
}

static void step(world *w, uint8_t what, hf_bytes bytes) {
    uint8_t arg = bytes.len ? bytes.ptr[0] : 0;
    uint64_t seq;
    hf_fault fault = {"", 0};
    switch (what) {
    case 0:
        w->now_ms += 1u << arg % 20;
        hf_core_tick(w->shell.core, w->now_ms);
        hf_swarm_tick(w->them, w->now_ms);
        break;
    case 1: say(w, bytes, false); break;
    case 2: say(w, bytes, true); break;
    case 3: open_stream(w, arg); break;
    case 4:
        if (w->n_streams && arg % 2) hf_swarm_stream_finish(w->them, w->now_ms, w->streams[w->at]);
        else if (w->n_streams) hf_swarm_stream_reset(w->them, w->now_ms, w->streams[w->at]);
        break;
    case 5: w->at = w->n_streams ? arg % (w->n_streams < STREAMS_MAX ? w->n_streams : STREAMS_MAX) : 0; break;
    case 6: arg % 2 ? disconnect(w) : connect(w); break;
    case 7: w->broke = !hf_shell_post(&w->shell, w->now_ms, HF_TEXT("/notes"), bytes, &seq); break;
    case 8: w->broke = !hf_shell_post(&w->shell, w->now_ms, bytes.len ? bytes : HF_TEXT("/"), HF_BYTES(NULL, 0), &seq); break;
    case 9: hf_shell_sync(&w->shell, w->now_ms, 1u + arg); break;
    case 10: check(w, hf_core_offer(w->shell.core, w->now_ms, bytes, &fault)); break;
    case 11: w->shell.fail_in = 1u + arg + (bytes.len > 1 ? bytes.ptr[1] * 256u : 0); break;
    case 12: relayed(w, arg, hf_sub(bytes, 1, bytes.len)); break;
    case 13: databases(w, arg, hf_sub(bytes, 1, bytes.len)); break;
    case 14:
        if (arg & 128) wish(w, arg, hf_sub(bytes, 1, bytes.len));
        else check(w, hf_core_signal(w->shell.core, w->now_ms, hf_swarm_self(w->them), bytes));
        break;
    default: again(w);
    }
    run(w);
    if (!w->shell.failed) return;
    w->broke = true; /* whatever it said: a shell ends then */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint8_t seed[32] = {2};
    static world w;
    if (!len) return 0;
    w = (world){.mem = {hf_fuzz_resize, NULL}, .now_ms = 1000, .random = 1};
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("f"), .random = hf_fuzz_fill, .random_ctx = &w.random};
    w.them = hf_swarm_new(&w.mem, &config);
    hf_shell_init(&w.shell, 1, data[0] & 1);
    w.shell.dialling = !w.shell.browser;
    HF_ASSERT(hf_shell_start(&w.shell, w.now_ms));
    connect(&w);
    run(&w);
    hf_bytes in = HF_BYTES(data + 1, len - 1);
    const uint8_t *head;
    hf_bytes bytes;
    for (size_t n = 0; n < STEPS_MAX && !w.broke && hf_fuzz_step(&in, 2, &head, &bytes); n++) step(&w, head[0] % 16, bytes);
    hf_shell_deinit(&w.shell);
    hf_swarm_free(w.them);
    return 0;
}

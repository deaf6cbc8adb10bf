/* transport: one end of a transport test as libp2p's unified-testing runs them (docs/write-a-transport-test-app.md there), around the shell of
 * `holdfast p2pd`. The settings come from the environment:
 *
 *      IS_DIALER        true or false
 *      TRANSPORT        tcp, ws, webrtc-direct
 *      SECURE_CHANNEL   noise; not set with transports that bring their own
 *      MUXER            yamux; likewise
 *      REDIS_ADDR       HOST:PORT, where the listener leaves its address: the list TEST_KEY_listener_multiaddr
 *      TEST_KEY, LISTENER_IP (0.0.0.0), DEBUG, TEST_TIMEOUT_SECS (180)
 *
 * The listener runs until it is ended. The dialer connects, pings twice on one stream, prints what it measured as YAML, and ends with 0; anything else
 * goes to stderr and ends with 1. stdout has nothing but the result. */
#include "../../../core/codec/multiaddr.h"
#include "../../../node/p2pd_private.h"

#include <hiredis/hiredis.h>
#include <sodium/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PING "/ipfs/ping/1.0.0"
enum { PING_LEN = 32, POLL_US = 50 * 1000, ADDRESSES_MAX = 16 };

static struct test {
    hf_p2pd *d;
    bool dialer, debug, first_done, done;
    const char *transport, *key, *redis_host;
    int redis_port;
    double timeout_s;
    char target[1024];               /* what the listener left */
    hf_peer_id peer;
    uint64_t from_ns, ping_ns, stream;
    double handshake_ms;
    uint8_t ping[PING_LEN];
    size_t n_back;
    uv_timer_t overdue;
} t;

static void must(bool ok, const char *what, const char *more) {
    if (ok) return;
    fprintf(stderr, "transport: %s%s%s\n", what, *more ? ": " : "", more);
    exit(1);
}

static uint64_t now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000000u + (uint64_t)at.tv_nsec;
}

static double ms_since(uint64_t ns) { return (double)(now_ns() - ns) / 1e6; }

/* ---- the settings ---- */

static const char *setting(const char *name, const char *fallback) {
    const char *value = getenv(name);
    if (value && *value) return value;
    must(fallback != NULL, "not set", name);
    return fallback;
}

static bool yes(const char *name, const char *fallback) {
    const char *value = setting(name, fallback);
    must(!strcmp(value, "true") || !strcmp(value, "false"), "expected true or false", name);
    return !strcmp(value, "true");
}

static void read_settings(void) {
    static char redis[256];
    t.dialer = yes("IS_DIALER", NULL);
    t.debug = yes("DEBUG", "false");
    t.transport = setting("TRANSPORT", NULL);
    t.key = setting("TEST_KEY", NULL);
    t.timeout_s = strtod(setting("TEST_TIMEOUT_SECS", "180"), NULL);
    must(t.timeout_s > 0, "expected a number of seconds", "TEST_TIMEOUT_SECS");
    must(!strcmp(setting("SECURE_CHANNEL", "noise"), "noise"), "no such security here", setting("SECURE_CHANNEL", "noise"));
    must(!strcmp(setting("MUXER", "yamux"), "yamux"), "no such muxer here", setting("MUXER", "yamux"));
    snprintf(redis, sizeof redis, "%s", setting("REDIS_ADDR", NULL));
    char *colon = strrchr(redis, ':');
    if (colon) *colon = 0;
    t.redis_host = redis;
    t.redis_port = colon ? atoi(colon + 1) : 6379;
}

/* The multiaddr to listen on. */
static const char *listen_address(void) {
    static const struct { const char *name, *format; } known[] = {
        {"tcp", "-hostAddrs=/ip4/%s/tcp/0"}, {"ws", "-hostAddrs=/ip4/%s/tcp/0/ws"}, {"webrtc-direct", "-hostAddrs=/ip4/%s/udp/0/webrtc-direct"}};
    static char flag[128];
    for (size_t i = 0; i < HF_COUNT(known); i++)
        if (!strcmp(known[i].name, t.transport)) snprintf(flag, sizeof flag, known[i].format, setting("LISTENER_IP", "0.0.0.0"));
    must(flag[0], "no such transport here", t.transport);
    return flag;
}

/* ---- Redis ---- */

static redisContext *redis_open(void) {
    uint64_t from = now_ns();
    for (;;) {
        redisContext *redis = redisConnectWithTimeout(t.redis_host, t.redis_port, (struct timeval){5, 0});
        if (redis && !redis->err) return redis;
        must(ms_since(from) < t.timeout_s * 1000, "Redis cannot be reached", redis ? redis->errstr : "");
        if (redis) redisFree(redis);
        usleep(POLL_US);
    }
}

static void leave_address(const char *address) {
    redisContext *redis = redis_open();
    redisReply *gone = redisCommand(redis, "DEL %s_listener_multiaddr", t.key);
    redisReply *left = redisCommand(redis, "RPUSH %s_listener_multiaddr %s", t.key, address);
    must(gone && left && left->type == REDIS_REPLY_INTEGER, "Redis does not take the address", redis->errstr);
    freeReplyObject(gone);
    freeReplyObject(left);
    redisFree(redis);
    if (t.debug) fprintf(stderr, "transport: listening on %s\n", address);
}

/* Most listeners push it to a list, some set a plain value. */
static bool take_address(redisContext *redis) {
    redisReply *reply = redisCommand(redis, "LINDEX %s_listener_multiaddr 0", t.key);
    if (reply && reply->type == REDIS_REPLY_ERROR) {
        freeReplyObject(reply);
        reply = redisCommand(redis, "GET %s_listener_multiaddr", t.key);
    }
    must(reply != NULL, "Redis does not answer", redis->errstr);
    bool there = reply->type == REDIS_REPLY_STRING;
    if (there) snprintf(t.target, sizeof t.target, "%s", reply->str);
    freeReplyObject(reply);
    return there;
}

static void await_address(void) {
    uint64_t from = now_ns();
    redisContext *redis = redis_open();
    while (!take_address(redis)) {
        must(ms_since(from) < t.timeout_s * 1000, "no listener has left its address", t.key);
        usleep(POLL_US);
    }
    redisFree(redis);
    if (t.debug) fprintf(stderr, "transport: dialling %s\n", t.target);
}

/* ---- the listener ---- */

/* The first that others can reach, else the first. */
static void tell_address(hf_p2pd *d) {
    hf_arena arena;
    hf_bytes found[ADDRESSES_MAX];
    hf_buf text, best;
    hf_arena_init(&arena, &d->mem);
    hf_buf_init(&text, &d->mem);
    hf_buf_init(&best, &d->mem);
    size_t n = hf_p2pd_net_addresses(d->net, &arena, found, ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++) {
        hf_buf_clear(&text);
        if (hf_multiaddr_text(found[i], &text)) continue;
        bool local = text.len > 9 && !memcmp(text.ptr, "/ip4/127.", 9);
        if (best.len && local) continue;
        hf_buf_clear(&best);
        hf_buf_add(&best, hf_buf_bytes(&text));
        if (!local) break;
    }
    must(best.len > 0, "there is no address to be reached at", "");
    hf_buf_add_str(&best, "/p2p/");
    hf_peer_id_add_text(&best, hf_host_self(d->host));
    hf_buf_add_byte(&best, 0);
    must(!best.err, "out of memory", "");
    leave_address((const char *)best.ptr);
    hf_buf_deinit(&text);
    hf_buf_deinit(&best);
    hf_arena_deinit(&arena);
}

/* ---- the dialer ---- */

static void dial(hf_p2pd *d) {
    hf_buf address;
    hf_multiaddr parts;
    hf_buf_init(&address, &d->mem);
    bool ok = !hf_multiaddr_parse(hf_str(t.target), &address, NULL) && !hf_multiaddr_read(hf_buf_bytes(&address), &parts, NULL) && parts.n &&
              parts.parts[parts.n - 1].code == HF_MA_P2P && !hf_peer_id_read(parts.parts[parts.n - 1].value, &t.peer);
    must(ok, "the listener's address is not one with /p2p/ID", t.target);
    hf_bytes bytes = hf_buf_bytes(&address);
    t.from_ns = now_ns();
    must(!hf_host_connect(d->host, hf_p2pd_now(d), &t.peer, &bytes, 1, 0, ++d->next_number), "cannot be dialled", t.target);
    hf_buf_deinit(&address);
}

static void send_ping(void) {
    hf_p2pd_random(NULL, t.ping, sizeof t.ping);
    t.n_back = 0;
    t.ping_ns = now_ns();
    must(!hf_swarm_stream_write(t.d->swarm, hf_p2pd_now(t.d), t.stream, HF_BYTES(t.ping, sizeof t.ping)), "the ping cannot be sent", "");
}

static void on_connected(void *ctx, const hf_host_out *out) {
    (void)ctx;
    if (!t.dialer) return;
    must(!out->reason, "cannot be reached", out->reason ? out->reason : "");
    hf_err err = hf_swarm_stream_open(t.d->swarm, hf_p2pd_now(t.d), &t.peer, HF_TEXT(PING), HF_P2PD_TAG_PROGRAM, &t.stream);
    must(!err, "no stream for a ping", hf_err_name(err));
    send_ping();
}

static void came_back(void) {
    double ms = ms_since(t.ping_ns);
    if (!t.first_done) {
        t.first_done = true;
        t.handshake_ms = ms_since(t.from_ns);
        return send_ping();
    }
    t.done = true;
    printf("latency:\n  handshake_plus_one_rtt: %.3f\n  ping_rtt: %.3f\n  unit: ms\n", t.handshake_ms, ms);
    fflush(stdout);
    hf_swarm_stream_finish(t.d->swarm, hf_p2pd_now(t.d), t.stream);
    uv_stop(t.d->loop);
}

static void on_event(void *ctx, const hf_swarm_out *e) {
    (void)ctx;
    if (e->kind < HF_SWARM_STREAM_OPEN || e->stream != t.stream || t.done) return;
    must(e->kind != HF_SWARM_STREAM_GONE && e->kind != HF_SWARM_STREAM_FIN, "the ping has ended", e->reason ? e->reason : "");
    if (e->kind != HF_SWARM_STREAM_DATA) return;
    bool same = t.n_back + e->bytes.len <= sizeof t.ping && !memcmp(t.ping + t.n_back, e->bytes.ptr, e->bytes.len);
    must(same, "something else than the ping came back", "");
    t.n_back += e->bytes.len;
    if (t.n_back == sizeof t.ping) came_back();
}

static void on_overdue(uv_timer_t *timer) {
    (void)timer;
    must(false, "it took too long", "");
}

static bool on_start(void *ctx, hf_p2pd *d) {
    (void)ctx;
    t.d = d;
    uv_timer_init(d->loop, &t.overdue);
    if (!t.dialer) return tell_address(d), true;
    uv_timer_start(&t.overdue, on_overdue, (uint64_t)(t.timeout_s * 1000), 0);
    dial(d);
    return true;
}

int main(void) {
    static const hf_p2pd_program program = {.start = on_start, .event = on_event, .connected = on_connected};
    if (sodium_init() < 0) return 1;
    read_settings();
    const char *listens = listen_address();
    if (t.dialer) await_address();
    char *flags[] = {"-q", "-listen=/ip4/127.0.0.1/tcp/0", (char *)(uintptr_t)(t.dialer ? "-noListenAddrs" : listens)};
    int status = hf_p2pd_run_with(HF_COUNT(flags), flags, &program);
    return status ? status : t.dialer && !t.done;
}

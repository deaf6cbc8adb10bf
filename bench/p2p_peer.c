/* p2p_peer: what `holdfast p2pd` is, with a measuring program inside: bench/libp2p.mjs runs two or three of it, as it runs so many js peers.
 *      p2p_peer [FLAG of p2pd]...    prints "ready ADDRESS", then does what its input says, a line at a time, and answers each with one line:
 *      connect ADDRESS N             connects and disconnects so many times            connected SECONDS
 *      flow ADDRESS BYTES            one stream, written until so many are read there   flowed SECONDS
 *      expect N                      waits for so many messages of the topic            got SECONDS, from the first to the last
 *      publish N BYTES               so many messages, as fast as they go               published
 *      join ADDRESS                  connects, and subscribes                           joined
 *      reserve ADDRESS               asks for a place at a relay                        reserved ADDRESS
 *      count                         how many connections there are                     count N                                    */
#include "../core/codec/multiaddr.h"
#include "../node/p2pd_private.h"

#include <malloc.h>
#include <sodium/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FLOW "/bench/flow/1"
#define TOPIC HF_TEXT("bench")
enum { TAG_OUT = HF_P2PD_TAG_PROGRAM, TAG_IN, CHUNK = 64 * 1024, QUEUED_MAX = 256 * 1024, BURST = 32, NUMBER_LEN = 8 };

static struct peer {
    hf_p2pd *d;
    uv_pipe_t input;
    uv_timer_t again;
    hf_buf lines, address;
    hf_peer_id to;
    uint64_t context, from_ns, first_ns;
    size_t left;                             /* connections; bytes; messages to publish */
    size_t expected, n_got, message_len, n_conns;
    bool connects, flows, joins;
    uint64_t stream, received, announced;    /* flow: ours; of the other side's, read and to come, its first eight bytes aside */
} me;

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void answer(const char *what, uint64_t from_ns) {
    printf("%s %.6f\n", what, (double)(now_ns() - from_ns) / 1e9);
    fflush(stdout);
}

static void must(bool ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "p2p_peer: %s\n", what);
    exit(1);
}

/* ---- connections ---- */

static void read_address(const char *text) {
    hf_multiaddr parts;
    hf_buf_clear(&me.address);
    must(!hf_multiaddr_parse(hf_str(text), &me.address, NULL) && !hf_multiaddr_read(hf_buf_bytes(&me.address), &parts, NULL), "no address");
    must(parts.parts[parts.n - 1].code == HF_MA_P2P && !hf_peer_id_read(parts.parts[parts.n - 1].value, &me.to), "no peer id");
}

static void connect_now(void) {
    hf_bytes address = hf_buf_bytes(&me.address);
    me.context = ++me.d->next_number;
    must(!hf_host_connect(me.d->host, hf_p2pd_now(me.d), &me.to, &address, 1, 0, me.context), "connect");
}

static void write_number(uint64_t n) {
    uint8_t bytes[NUMBER_LEN];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(n >> (56 - 8 * i));
    must(!hf_swarm_stream_write(me.d->swarm, hf_p2pd_now(me.d), me.stream, HF_BYTES(bytes, sizeof bytes)), "write");
}

/* A flow: how many bytes come, the bytes; and back how many were read, as soon as they were. */
static void write_flow(void) {
    static uint8_t chunk[CHUNK];
    while (me.left) {
        size_t len = me.left < CHUNK ? me.left : CHUNK;
        hf_err err = hf_swarm_stream_write(me.d->swarm, hf_p2pd_now(me.d), me.stream, HF_BYTES(chunk, len));
        if (err == HF_LIMIT) return; /* it will be told when it is drained */
        must(!err, "write");
        me.left -= len;
    }
}

static void open_flow(void) {
    me.from_ns = now_ns();
    must(!hf_swarm_stream_open(me.d->swarm, hf_p2pd_now(me.d), &me.to, HF_TEXT(FLOW), TAG_OUT, &me.stream), "stream");
    write_number(me.left);
    write_flow();
}

static void on_connected(void *ctx, const hf_host_out *out) {
    (void)ctx;
    if (out->context != me.context) return;
    must(!out->reason, out->reason ? out->reason : "");
    if (me.connects) (void)hf_host_disconnect(me.d->host, hf_p2pd_now(me.d), &me.to);
    if (me.flows) open_flow();
    if (me.joins) puts("joined"), fflush(stdout);
}

static void disconnected(void) {
    if (!me.connects) return;
    if (--me.left) return connect_now();
    me.connects = false;
    answer("connected", me.from_ns);
}

/* ---- flows ---- */

static void flow_in(const hf_swarm_out *e) {
    hf_p2pd *d = me.d;
    if (e->kind == HF_SWARM_STREAM_OPEN) me.received = me.announced = 0;
    if (e->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(d->swarm, hf_p2pd_now(d), e->stream);
    if (e->kind != HF_SWARM_STREAM_DATA) return;
    for (size_t i = 0; i < e->bytes.len && me.received + i < NUMBER_LEN; i++) me.announced = me.announced << 8 | e->bytes.ptr[i];
    me.received += e->bytes.len;
    if (me.received < NUMBER_LEN || me.received - NUMBER_LEN != me.announced) return;
    me.stream = e->stream;
    write_number(me.announced);
}

static void flow_out(const hf_swarm_out *e) {
    if (e->stream != me.stream) return;
    if (e->kind == HF_SWARM_STREAM_DRAINED) write_flow();
    if (e->kind == HF_SWARM_STREAM_DATA) {
        uint64_t n = 0;
        for (size_t i = 0; i < e->bytes.len; i++) n = n << 8 | e->bytes.ptr[i];
        must(e->bytes.len == NUMBER_LEN && n == me.expected && !me.left, "the other side read something else");
        me.flows = false;
        hf_swarm_stream_finish(me.d->swarm, hf_p2pd_now(me.d), me.stream);
        answer("flowed", me.from_ns);
    }
    must(e->kind != HF_SWARM_STREAM_GONE || !me.flows, e->reason ? e->reason : "the stream is gone");
}

static void on_event(void *ctx, const hf_swarm_out *e) {
    (void)ctx;
    if (e->kind == HF_SWARM_CONN_UP) me.n_conns++;
    if (e->kind == HF_SWARM_CONN_DOWN) {
        me.n_conns--;
        if (e->last && hf_peer_id_eq(&e->peer, &me.to)) disconnected();
    } else if (e->tag == TAG_IN) flow_in(e);
    else if (e->tag == TAG_OUT) flow_out(e);
}

/* ---- messages ---- */

static void publish(uv_timer_t *timer) {
    static uint8_t data[1 << 16];
    (void)timer;
    hf_gossip_stats stats;
    for (;;) {
        hf_gossip_stats_of(me.d->gossip, &stats);
        if (!me.left || stats.queue_bytes > QUEUED_MAX) break;
        for (size_t i = 0; i < BURST && me.left; i++, me.left--)
            must(!hf_gossip_publish(me.d->gossip, hf_p2pd_now(me.d), TOPIC, HF_BYTES(data, me.message_len), NULL, NULL), "publish");
        hf_p2pd_pump(me.d);
    }
    if (me.left) uv_timer_start(&me.again, publish, 1, 0);
    else puts("published"), fflush(stdout);
}

static void on_said(void *ctx, const hf_host_out *out) {
    (void)ctx;
    if (!strcmp(out->part, HF_HOST_RELAY)) {
        const hf_relay_out *said = out->said;
        hf_buf text;
        if (said->kind != HF_RELAY_RESERVED || !said->n_addrs) return;
        hf_buf_init(&text, &me.d->mem);
        must(!hf_multiaddr_text(said->addrs[0], &text), "address");
        printf("reserved %.*s\n", (int)text.len, (const char *)text.ptr);
        fflush(stdout);
        hf_buf_deinit(&text);
    }
    if (strcmp(out->part, HF_HOST_GOSSIP) != 0 || ((const hf_gossip_out *)out->said)->kind != HF_GOSSIP_MESSAGE) return;
    if (!me.n_got++) me.first_ns = now_ns();
    if (me.n_got == me.expected) answer("got", me.first_ns);
}

static hf_relay_verdict allow(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)ask, (void)peer, (void)target;
    return HF_RELAY_UNLIMITED;
}

static void on_relay(void *ctx, hf_relay_config *config) {
    (void)ctx;
    config->allow = allow;
}

/* ---- commands ---- */

static void run(const char *line) {
    char address[512] = "";
    size_t n = 0, len = 0;
    me.connects = me.flows = me.joins = false;
    if (sscanf(line, "connect %511s %zu", address, &n) == 2) {
        me.connects = true;
        me.left = n;
        me.from_ns = now_ns();
    } else if (sscanf(line, "flow %511s %zu", address, &n) == 2) {
        me.flows = true;
        me.left = me.expected = n;
    } else if (sscanf(line, "expect %zu", &n) == 1) {
        me.n_got = 0;
        me.expected = n;
    } else if (sscanf(line, "publish %zu %zu", &n, &len) == 2 && len <= 1 << 16) {
        me.left = n;
        me.message_len = len;
        publish(NULL);
    } else if (sscanf(line, "join %511s", address) == 1) me.joins = true;
    else if (sscanf(line, "reserve %511s", address) == 1) {
        read_address(address);
        connect_now();
        must(!hf_relay_reserve(me.d->relay, hf_p2pd_now(me.d), &me.to), "reserve");
        address[0] = 0;
    } else if (!strcmp(line, "count")) printf("count %zu\n", me.n_conns), fflush(stdout);
    else must(false, line);
    if (!address[0]) return;
    read_address(address);
    connect_now();
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret) {
    static char bytes[4096];
    (void)handle, (void)suggested;
    *ret = uv_buf_init(bytes, sizeof bytes);
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    (void)stream;
    if (n < 0) return uv_stop(me.d->loop);
    hf_buf_add(&me.lines, HF_BYTES(buf->base, (size_t)n));
    uint8_t *end;
    while (me.lines.len && (end = memchr(me.lines.ptr, '\n', me.lines.len))) {
        *end = 0;
        size_t len = (size_t)(end - me.lines.ptr) + 1;
        run((const char *)me.lines.ptr);
        hf_buf_consume(&me.lines, len);
    }
    hf_p2pd_pump(me.d);
}

static void print_ready(hf_p2pd *d) {
    hf_arena arena;
    hf_bytes address;
    hf_buf text;
    hf_arena_init(&arena, &d->mem);
    hf_buf_init(&text, &d->mem);
    if (hf_p2pd_net_addresses(d->net, &arena, &address, 1)) must(!hf_multiaddr_text(address, &text), "address");
    hf_buf_add_str(&text, "/p2p/");
    hf_peer_id_add_text(&text, hf_host_self(d->host));
    printf("ready %.*s\n", (int)text.len, (const char *)text.ptr);
    fflush(stdout);
    hf_buf_deinit(&text);
    hf_arena_deinit(&arena);
}

static bool on_start(void *ctx, hf_p2pd *d) {
    (void)ctx;
    static const hf_gossip_subscription options = {.auto_accept = true};
    me.d = d;
    hf_buf_init(&me.lines, &d->mem);
    hf_buf_init(&me.address, &d->mem);
    uv_timer_init(d->loop, &me.again);
    uv_pipe_init(d->loop, &me.input, 0);
    must(!uv_pipe_open(&me.input, 0) && !uv_read_start((uv_stream_t *)&me.input, on_alloc, on_input), "input");
    must(!hf_swarm_protocol(d->swarm, HF_TEXT(FLOW), TAG_IN), "protocol");
    if (d->gossip) must(!hf_gossip_subscribe(d->gossip, hf_p2pd_now(d), TOPIC, &options), "subscribe");
    print_ready(d);
    return true;
}

int main(int argc, char **argv) {
    static const hf_p2pd_program program = {.relay = on_relay, .start = on_start, .event = on_event, .connected = on_connected, .said = on_said};
    mallopt(M_MMAP_THRESHOLD, 128 << 10); /* these two as node/main.c has them */
    if (sodium_init() < 0) return 1;
    return hf_p2pd_run_with(argc - 1, argv + 1, &program);
}

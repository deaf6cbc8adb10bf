/* relay_node: relaying, hole punching and AutoNAT on real TCP sockets, for tests against other libp2p programs (tests/interop/relay.mjs).
 *
 *      relay_node SEED_BYTE [serve] [unlimited] [bytes=N] [seconds=N] [punch] [named]
 *          serve: be a relay; unlimited: without limits; punch: upgrade to direct connections; named: announce /dns4/localhost, which js
 *          takes for a public address, and not /ip4/127.0.0.1
 *      reserve PEER           connect VIA PEER           stats
 *      open PEER PROTOCOL N   writes N bytes, finishes; `done sent N got N …` when the stream is over
 *
 * It speaks /test/echo/1 (gives back what comes), /test/signal/1 (the same, on limited connections too), /test/sink/1 (says how much came).
 */
#include "../../core/codec/multiaddr.h"
#include "../../core/p2p/autonat.h"
#include "../../core/p2p/dcutr.h"
#include "../../core/p2p/relay.h"
#include "shell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TAG_ECHO = 1, TAG_SINK, TAG_CLIENT, TAG_RELAY = 10, TAG_DCUTR = 20, TAG_AUTONAT = 30, JOBS = 64 };

static hf_relay *relay;
static hf_dcutr *dcutr;
static hf_autonat *autonat;
static hf_relay_config relay_config;
static bool punch, named;

/* An own stream: what it still has to write; or one of the peer's: what waits to be given back. */
static struct job {
    uint64_t stream;
    bool echo, fin, wrong;
    size_t to_write, written, got;
    hf_buf waiting;
} jobs[JOBS];

static struct { uint64_t dial, conn; hf_bytes addr; uint8_t bytes[128]; } dials[16];

static uint8_t pattern(size_t at) { return (uint8_t)(at * 7 + at / 251); }

/* ---- streams ---- */

static struct job *job_of(uint64_t stream) {
    for (size_t i = 0; i < JOBS; i++)
        if (jobs[i].stream == stream) return &jobs[i];
    return NULL;
}

static void write_job(struct job *j) {
    static uint8_t block[32768];
    while (j->written < j->to_write) {
        size_t len = j->to_write - j->written < sizeof block ? j->to_write - j->written : sizeof block;
        for (size_t i = 0; i < len; i++) block[i] = pattern(j->written + i);
        if (hf_swarm_stream_write(shell_swarm, shell_now(), j->stream, HF_BYTES(block, len))) return;
        j->written += len;
    }
    hf_swarm_stream_finish(shell_swarm, shell_now(), j->stream);
}

static void give_back(struct job *j) {
    while (j->waiting.len) {
        hf_bytes part = hf_sub(hf_buf_bytes(&j->waiting), 0, 65536);
        if (hf_swarm_stream_write(shell_swarm, shell_now(), j->stream, part)) return;
        hf_buf_consume(&j->waiting, part.len);
    }
    hf_swarm_stream_reading(shell_swarm, shell_now(), j->stream, true);
    if (j->fin) hf_swarm_stream_finish(shell_swarm, shell_now(), j->stream);
}

static void on_data(struct job *j, const hf_swarm_out *o) {
    for (size_t i = 0; i < o->bytes.len && !j->echo; i++) j->wrong |= o->bytes.ptr[i] != pattern(j->got + i);
    j->got += o->bytes.len;
    if (!j->echo) return;
    if (!j->waiting.len && !hf_swarm_stream_write(shell_swarm, shell_now(), o->stream, o->bytes)) return;
    hf_buf_add(&j->waiting, o->bytes);
    hf_swarm_stream_reading(shell_swarm, shell_now(), o->stream, false);
}

static void on_fin(struct job *j, const hf_swarm_out *o) {
    j->fin = true;
    if (o->tag == TAG_SINK) printf("sunk %zu%s\n", j->got, j->wrong ? " WRONG" : "");
    if (o->tag != TAG_CLIENT && !j->waiting.len) hf_swarm_stream_finish(shell_swarm, shell_now(), j->stream);
}

static void on_gone(struct job *j, const hf_swarm_out *o) {
    if (o->tag == TAG_CLIENT)
        printf("done sent %zu got %zu%s reset %d %s\n", j->written, j->got, j->wrong ? " WRONG" : "", o->reset, o->reason ? o->reason : "");
    hf_buf_deinit(&j->waiting);
    j->stream = 0;
}

static void on_stream(const hf_swarm_out *o) {
    struct job *j = job_of(o->stream);
    if (o->kind == HF_SWARM_STREAM_OPEN && o->inbound && (j = job_of(0))) {
        *j = (struct job){.stream = o->stream, .echo = o->tag == TAG_ECHO};
        hf_buf_init(&j->waiting, &shell_mem);
    }
    if (!j) return;
    switch (o->kind) {
    case HF_SWARM_STREAM_DATA: return on_data(j, o);
    case HF_SWARM_STREAM_FIN: return on_fin(j, o);
    case HF_SWARM_STREAM_DRAINED: return j->echo ? give_back(j) : write_job(j);
    case HF_SWARM_STREAM_GONE: return on_gone(j, o);
    default: return;
    }
}

/* ---- addresses ---- */

static uint16_t port_of(hf_bytes addr) {
    hf_multiaddr ma;
    if (hf_multiaddr_read(addr, &ma, NULL)) return 0;
    const hf_multiaddr_part *tcp = hf_multiaddr_find(&ma, HF_MA_TCP);
    return tcp ? (uint16_t)(tcp->value.ptr[0] << 8 | tcp->value.ptr[1]) : 0;
}

static void print_addr(hf_bytes addr) {
    hf_buf text;
    hf_buf_init(&text, &shell_mem);
    if (!hf_multiaddr_text(addr, &text)) printf(" %.*s", (int)text.len, (const char *)text.ptr);
    hf_buf_deinit(&text);
}

static void announce(void) {
    char text[64];
    static bool done;
    hf_buf addr;
    if (done || !shell_port()) return;
    done = true;
    snprintf(text, sizeof text, named ? "/dns4/localhost/tcp/%u" : "/ip4/127.0.0.1/tcp/%u", shell_port());
    hf_buf_init(&addr, &shell_mem);
    if (hf_multiaddr_parse(hf_str(text), &addr, NULL)) abort();
    hf_bytes view = hf_buf_bytes(&addr);
    if (hf_swarm_addresses(shell_swarm, &view, 1)) abort();
    hf_buf_deinit(&addr);
}

/* ---- what the modules say ---- */

static void on_relay(const hf_relay_out *o) {
    static const char *const names[] = {"", "want", "reserved", "lost", "connected", "failed"};
    shell_print_peer(names[o->kind], &o->via, NULL);
    if (o->kind == HF_RELAY_RESERVED) {
        printf("address");
        for (size_t i = 0; i < o->n_addrs; i++) print_addr(o->addrs[i]);
        printf("\n");
    }
    if (o->kind == HF_RELAY_RESERVED || o->kind == HF_RELAY_CONNECTED)
        printf("limit %" PRIu64 " %" PRIu64 "\n", o->limit.duration_s, o->limit.bytes);
    if (o->reason) printf("because %u %s\n", o->status, o->reason);
}

static void on_dcutr(const hf_dcutr_out *o) {
    static const char *const names[] = {"", "dialling", "upgraded", "unpunched"};
    shell_print_peer(names[o->kind], &o->peer, o->dialer ? "as dialer" : o->reason);
    for (size_t i = 0; i < o->n_addrs; i++) shell_dial_as(port_of(o->addrs[i]), &o->peer, o->dialer); /* its time is a few ms off: here nothing punches */
}

static void dial_back(const hf_autonat_out *o) {
    size_t i = 0;
    while (i < 16 && dials[i].dial) i++;
    uint64_t conn = i < 16 ? shell_dial_as(port_of(o->addrs[0]), &o->peer, true) : UINT64_MAX;
    printf("dialback\n");
    if (conn == UINT64_MAX || o->addrs[0].len > sizeof dials[i].bytes) {
        hf_autonat_dialled(autonat, shell_now(), o->dial, NULL);
        return;
    }
    memcpy(dials[i].bytes, o->addrs[0].ptr, o->addrs[0].len);
    dials[i].addr = HF_BYTES(dials[i].bytes, o->addrs[0].len);
    dials[i].conn = conn;
    dials[i].dial = o->dial;
}

static void dialled(uint64_t conn) {
    for (size_t i = 0; i < 16; i++) {
        if (!dials[i].dial || dials[i].conn != conn) continue;
        hf_autonat_dialled(autonat, shell_now(), dials[i].dial, &dials[i].addr);
        hf_swarm_conn_close(shell_swarm, shell_now(), conn, "it was reached");
        dials[i].dial = 0;
    }
}

static bool drain(void) {
    hf_relay_out r;
    hf_dcutr_out d;
    hf_autonat_out a;
    bool any = false;
    announce();
    while (hf_relay_next(relay, &r)) on_relay(&r), any = true;
    while (dcutr && hf_dcutr_next(dcutr, &d)) on_dcutr(&d), any = true;
    while (hf_autonat_next(autonat, &a)) {
        any = true;
        if (a.kind == HF_AUTONAT_DIAL_BACK) dial_back(&a);
        else printf("reach %d\n", a.reach);
    }
    return any;
}

/* ---- hooks ---- */

static bool first(const hf_swarm_out *o) { return hf_relay_event(relay, shell_now(), o); }

static void event(const hf_swarm_out *o) {
    if (o->kind == HF_SWARM_CONN_UP) {
        shell_print_peer("path", &o->peer, o->limited ? "limited" : o->relayed ? "relayed" : "direct");
        dialled(o->conn);
    }
    if (dcutr) hf_dcutr_event(dcutr, shell_now(), o);
    hf_autonat_event(autonat, shell_now(), o);
    if (o->tag >= TAG_ECHO && o->tag <= TAG_CLIENT) on_stream(o);
}

static hf_relay_verdict unlimited(void *ctx, hf_relay_ask ask, const hf_peer_id *peer, const hf_peer_id *target) {
    (void)ctx, (void)ask, (void)peer, (void)target;
    return HF_RELAY_UNLIMITED;
}

static bool start(void) {
    struct timespec t;
    hf_autonat_config nat = {.serve = true, .any_address = true, .confidence = 1};
    clock_gettime(CLOCK_REALTIME, &t);
    relay_config.unix_offset_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 - (int64_t)shell_now();
    hf_err err = hf_swarm_protocol(shell_swarm, HF_TEXT("/test/echo/1"), TAG_ECHO);
    if (!err) err = hf_swarm_protocol(shell_swarm, HF_TEXT("/test/signal/1"), TAG_ECHO);
    if (!err) err = hf_swarm_protocol(shell_swarm, HF_TEXT("/test/sink/1"), TAG_SINK);
    if (!err) err = hf_swarm_allow_limited(shell_swarm, HF_TEXT("/test/signal/1"));
    relay = hf_relay_new(&shell_mem, shell_swarm, TAG_RELAY, &relay_config);
    autonat = hf_autonat_new(&shell_mem, shell_swarm, TAG_AUTONAT, &nat);
    if (punch) dcutr = hf_dcutr_new(&shell_mem, shell_swarm, TAG_DCUTR, true);
    return !err && relay && autonat && (dcutr || !punch);
}

static void stop(void) {
    hf_dcutr_free(dcutr);
    hf_autonat_free(autonat);
    hf_relay_free(relay);
    for (size_t i = 0; i < JOBS; i++) hf_buf_deinit(&jobs[i].waiting);
}

static uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }

static uint64_t deadline(void) {
    uint64_t at = min_u64(hf_relay_deadline(relay), hf_autonat_deadline(autonat));
    return dcutr ? min_u64(at, hf_dcutr_deadline(dcutr)) : at;
}

static void tick(void) {
    hf_relay_tick(relay, shell_now());
    hf_autonat_tick(autonat, shell_now());
    if (dcutr) hf_dcutr_tick(dcutr, shell_now());
}

/* ---- commands ---- */

static void say_error(hf_err err) {
    if (err) printf("error %s\n", hf_err_name(err));
}

static void open_job(const hf_peer_id *peer, const char *protocol, size_t n_bytes) {
    struct job *j = job_of(0);
    uint64_t stream = 0;
    hf_err err = hf_swarm_stream_open(shell_swarm, shell_now(), peer, hf_str(protocol), TAG_CLIENT, &stream);
    say_error(j ? err : HF_LIMIT);
    if (err || !j) return;
    *j = (struct job){.stream = stream, .to_write = n_bytes};
    hf_buf_init(&j->waiting, &shell_mem);
    write_job(j);
}

static bool command(const char *line) {
    char name[128] = "", other[128] = "";
    size_t n = 0;
    hf_peer_id a, b;
    if (sscanf(line, "reserve %127s", name) == 1 && !hf_peer_id_parse(hf_str(name), &a))
        say_error(hf_relay_reserve(relay, shell_now(), &a));
    else if (sscanf(line, "connect %127s %127s", name, other) == 2 && !hf_peer_id_parse(hf_str(name), &a) && !hf_peer_id_parse(hf_str(other), &b))
        say_error(hf_relay_connect(relay, shell_now(), &a, &b, 0));
    else if (sscanf(line, "open %127s %127s %zu", name, other, &n) == 3 && !hf_peer_id_parse(hf_str(name), &a)) open_job(&a, other, n);
    else if (strcmp(line, "stats") == 0) {
        hf_relay_stats s = hf_relay_look(relay);
        printf("stats reservations %zu circuits %zu channels %zu relayed %" PRIu64 " held %zu\n", s.n_reservations, s.n_circuits, s.n_channels,
               s.n_bytes_relayed, s.n_bytes_held);
    } else return false;
    return true;
}

static void option(const char *text) {
    uint64_t n = 0;
    if (strcmp(text, "serve") == 0) relay_config.serve = true;
    if (strcmp(text, "unlimited") == 0) relay_config.allow = unlimited;
    if (strcmp(text, "punch") == 0) punch = true;
    if (strcmp(text, "named") == 0) named = true;
    if (sscanf(text, "bytes=%" SCNu64, &n) == 1) relay_config.bytes_max = n;
    if (sscanf(text, "seconds=%" SCNu64, &n) == 1) relay_config.duration_s = (uint32_t)n;
}

int main(int argc, char **argv) {
    uint8_t seed[32] = {argc > 1 ? (uint8_t)atoi(argv[1]) : 1, 43};
    for (int i = 2; i < argc; i++) option(argv[i]);
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast/relay-node"), .ping_ms = 2000};
    static const shell_program program = {start, first, event, command, drain, deadline, tick, stop};
    return shell_run(&config, &program);
}

/* p2pd: see p2pd.h; p2pd_private.h says which file holds what. */
#include "p2pd.h"

#include "p2pd_private.h"
#include "spread.h"

#include "../core/codec/multiaddr.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 16, CONNS_MAX = 1024, CONNS_PER_PEER_MAX = 8, STREAMS_IN_MAX = 1024 };

uint64_t hf_p2pd_now(const hf_p2pd *d) { return uv_now(d->loop); }

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

void hf_p2pd_random(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    while (len) {
        ssize_t n = getrandom(out, len < 256 ? len : 256, 0);
        if (n < 0 && errno == EINTR) continue;
        HF_ASSERT(n > 0);
        out += n;
        len -= (size_t)n;
    }
}

static int fail(const char *what, const char *why) {
    fprintf(stderr, "holdfast: %s: %s\n", what, why);
    return 1;
}

/* ---- the host's outputs ---- */

static void on_event(hf_p2pd *d, const hf_swarm_out *e) {
    bool of_conn = e->kind == HF_SWARM_CONN_UP || e->kind == HF_SWARM_IDENTIFIED || e->kind == HF_SWARM_CONN_DOWN;
    if (d->program->event && (of_conn || e->tag >= HF_P2PD_TAG_PROGRAM)) d->program->event(d->program->ctx, e);
    if (!of_conn && e->tag >= HF_P2PD_TAG_PROGRAM) return;
    switch (e->kind) {
    case HF_SWARM_CONN_UP:
    case HF_SWARM_CONN_DOWN:
        hf_p2pd_manager_event(d->manager, e);
        if (e->kind == HF_SWARM_CONN_DOWN && e->last) hf_p2pd_pubsub_peer_gone(d, &e->peer);
        break;
    case HF_SWARM_STREAM_OPEN:
        if (e->inbound && e->tag > HF_HOST_TAG_USER) hf_p2pd_handle_stream(d, e);
        else hf_p2pd_stream_event(d, e);
        break;
    case HF_SWARM_STREAM_DATA:
    case HF_SWARM_STREAM_FIN:
    case HF_SWARM_STREAM_DRAINED:
    case HF_SWARM_STREAM_GONE: hf_p2pd_stream_event(d, e); break;
    default: break;
    }
}

static void take(hf_p2pd *d, const hf_host_out *out) {
    switch (out->kind) {
    case HF_HOST_SEND: hf_p2pd_net_send(d->net, out->conn, out->bytes); break;
    case HF_HOST_CLOSE: hf_p2pd_net_close(d->net, out->conn); break;
    case HF_HOST_DIAL: hf_p2pd_net_dial(d->net, out->dial, out->bytes); break;
    case HF_HOST_DIAL_OFF: hf_p2pd_net_dial_off(d->net, out->dial); break;
    case HF_HOST_CONNECTED:
        hf_p2pd_control_connected(d, out);
        if (d->program->connected) d->program->connected(d->program->ctx, out);
        break;
    case HF_HOST_EVENT: on_event(d, out->event); break;
    case HF_HOST_SAID:
        hf_p2pd_said(d, out);
        if (d->program->said) d->program->said(d->program->ctx, out);
        break;
    case HF_HOST_NONE: break;
    }
}

static void on_timer(uv_timer_t *timer) {
    hf_p2pd *d = timer->data;
    hf_host_tick(d->host, hf_p2pd_now(d));
    hf_p2pd_pump(d);
}

void hf_p2pd_pump(hf_p2pd *d) {
    hf_host_out out;
    if (d->pumping || d->stopping) return;
    d->pumping = true;
    while (hf_host_next(d->host, hf_p2pd_now(d), &out)) take(d, &out);
    d->pumping = false;
    uint64_t at = hf_host_deadline(d->host), now = hf_p2pd_now(d);
    if (at == UINT64_MAX) uv_timer_stop(&d->timer);
    else uv_timer_start(&d->timer, on_timer, at > now ? at - now : 0, 0);
}

/* ---- starting ---- */

static const char *make_host(hf_p2pd *d) {
    const char *bad = hf_p2pd_key_load(&d->key, &d->mem, d->flags->id);
    if (bad) return bad;
    hf_host_config config = {
        .swarm = {.ed25519_seed = d->key.seed, .key = d->key.is_seed ? NULL : &d->key.key, .check = {hf_p2pd_key_verify, NULL},
                  .agent = HF_TEXT("holdfast/0.1.0 p2pd"), .random = hf_p2pd_random, .conns_max = CONNS_MAX,
                  .conns_per_peer_max = CONNS_PER_PEER_MAX, .streams_in_max = STREAMS_IN_MAX,
                  .unix_offset_ms = (int64_t)(hf_p2pd_unix_ms() - hf_p2pd_now(d))},
        .can_dial = hf_p2pd_net_can_dial,
        .dialling = &hf_host_dialling,
    };
    d->host = hf_host_new(&d->mem, &config);
    if (!d->host) return "out of memory";
    d->swarm = hf_host_swarm(d->host);
    d->manager = hf_p2pd_manager_new(d);
    if (!d->manager || !hf_p2pd_pubsub_open(d) || (d->flags->echo && hf_p2pd_add_echo(d))) return "out of memory";
    return hf_p2pd_add_protocols(d);
}

static size_t announced(hf_p2pd *d, hf_arena *arena, hf_bytes *ret) {
    const hf_p2pd_list *list = &d->flags->announce_addrs;
    size_t n = 0;
    if (!list->n) return hf_p2pd_net_addresses(d->net, arena, ret, ADDRESSES_MAX);
    for (size_t i = 0; i < list->n && n < ADDRESSES_MAX; i++) {
        hf_buf binary;
        hf_buf_init(&binary, &d->mem);
        if (!hf_multiaddr_parse(hf_str(list->items[i]), &binary, NULL)) ret[n++] = hf_arena_copy(arena, hf_buf_bytes(&binary));
        hf_buf_deinit(&binary);
    }
    return n;
}

/* Tells identify where we listen; prints it, as go does. */
static const char *announce(hf_p2pd *d) {
    hf_arena arena;
    hf_bytes addresses[ADDRESSES_MAX];
    hf_buf text;
    hf_arena_init(&arena, &d->mem);
    hf_buf_init(&text, &d->mem);
    size_t n = announced(d, &arena, addresses);
    hf_err err = hf_swarm_addresses(d->swarm, addresses, n);
    hf_buf_add_str(&text, "Peer ID: ");
    hf_peer_id_add_text(&text, hf_host_self(d->host));
    hf_buf_add_str(&text, "\nPeer Addrs:\n");
    for (size_t i = 0; i < n; i++) {
        if (hf_multiaddr_text(addresses[i], &text)) continue;
        hf_buf_add_byte(&text, '\n');
    }
    if (!d->flags->quiet) printf("Control socket: %s\n%.*s", d->listening, (int)text.len, (const char *)text.ptr);
    fflush(stdout);
    hf_buf_deinit(&text);
    hf_arena_deinit(&arena);
    return err ? "the addresses to announce are too many or too long" : NULL;
}

void hf_p2pd_announce_again(hf_p2pd *d) {
    hf_arena arena;
    hf_bytes addresses[ADDRESSES_MAX];
    hf_arena_init(&arena, &d->mem);
    (void)!hf_swarm_addresses(d->swarm, addresses, announced(d, &arena, addresses)); /* without memory the old ones stay */
    hf_arena_deinit(&arena);
    hf_p2pd_pump(d);
}

static const char *dial_bootstrap(hf_p2pd *d, const char *text) {
    hf_buf binary;
    hf_multiaddr parts;
    hf_peer_id peer;
    hf_buf_init(&binary, &d->mem);
    bool ok = !hf_multiaddr_parse(hf_str(text), &binary, NULL) && !hf_multiaddr_read(hf_buf_bytes(&binary), &parts, NULL) && parts.n &&
              parts.parts[parts.n - 1].code == HF_MA_P2P && !hf_peer_id_read(parts.parts[parts.n - 1].value, &peer);
    hf_bytes address = hf_buf_bytes(&binary);
    hf_err err = ok ? hf_host_connect(d->host, hf_p2pd_now(d), &peer, &address, 1, 0, ++d->next_number) : HF_OK;
    hf_buf_deinit(&binary);
    if (!ok) return "expected a multiaddr that ends in /p2p/ID";
    return err == HF_NOMEM ? "out of memory" : NULL;
}

static int bootstrap(hf_p2pd *d) {
    const hf_p2pd_list *list = &d->flags->bootstrap_peers;
    if (d->flags->bootstrap && !list->n) return fail("-bootstrap", "needs -bootstrapPeers: no public peers are built in");
    for (size_t i = 0; i < list->n && d->flags->bootstrap; i++) {
        const char *bad = dial_bootstrap(d, list->items[i]);
        if (bad) return fail(list->items[i], bad);
    }
    return 0;
}

static void on_signal(uv_signal_t *handle, int number) {
    hf_p2pd *d = handle->data;
    (void)number;
    uv_stop(d->loop);
}

static void watch(hf_p2pd *d) {
    static const int numbers[] = {SIGTERM, SIGINT};
    uv_timer_init(d->loop, &d->timer);
    d->timer.data = d;
    for (size_t i = 0; i < HF_COUNT(numbers); i++) {
        uv_signal_init(d->loop, &d->signals[i]);
        d->signals[i].data = d;
        uv_signal_start(&d->signals[i], on_signal, numbers[i]);
    }
}

static int start(hf_p2pd *d) {
    const char *bad = make_host(d);
    if (bad) return fail(d->flags->id ? d->flags->id : "p2pd", bad);
    d->rtc = hf_p2pd_rtc_new(d);
    if (!d->rtc) return fail("p2pd", "out of memory");
    d->net = hf_p2pd_net_open(d, &bad);
    if (!d->net) return fail("-hostAddrs", bad);
    if (!hf_p2pd_listen(d, d->flags->listen, &bad)) return fail(d->flags->listen, bad);
    if ((bad = announce(d))) return fail("-announceAddrs", bad);
    int status = bootstrap(d);
    if (!status && d->program->start && !d->program->start(d->program->ctx, d)) status = 1;
    hf_p2pd_pump(d);
    return status;
}

/* ---- stopping ---- */

static void close_if_open(uv_handle_t *handle, void *ctx) {
    (void)ctx;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

static void stop(hf_p2pd *d) {
    d->stopping = true;
    for (hf_p2pd_sock *s = d->socks, *next; s; s = next) {
        next = s->next;
        hf_p2pd_sock_close(s);
    }
    if (d->net) hf_p2pd_net_shut(d->net);
    hf_p2pd_rtc_free(d->rtc);
    d->rtc = NULL;
    uv_run(d->loop, UV_RUN_NOWAIT);
    uv_walk(d->loop, close_if_open, NULL); /* the listener, timer and signals are left */
    uv_run(d->loop, UV_RUN_DEFAULT);
    HF_ASSERT(uv_loop_close(d->loop) == 0);
    if (d->net) hf_p2pd_net_free(d->net);
    hf_p2pd_manager_free(d->manager);
    hf_p2pd_pubsub_free(d);
    hf_host_free(d->host);
    hf_threads_close(d->threads);
    hf_p2pd_key_drop(&d->key);
    hf_map_deinit(&d->streams);
    for (size_t i = 0; i < d->n_handlers; i++) {
        hf_buf_deinit(&d->handlers[i].protocol);
        hf_buf_deinit(&d->handlers[i].address);
    }
}

int hf_p2pd_run(int argc, char **argv) { return hf_p2pd_run_with(argc, argv, &(hf_p2pd_program){0}); }

int hf_p2pd_run_with(int argc, char **argv, const hf_p2pd_program *program) {
    static hf_p2pd_flags flags;
    uv_loop_t loop;
    const char *problem;
    if (!hf_p2pd_flags_read(&flags, argc, argv, &problem)) return fprintf(stderr, "holdfast: %s\n", problem), 2;
    if (flags.help) return hf_p2pd_flags_help(), 0;
    hf_p2pd *d = calloc(1, sizeof *d);
    if (!d) return fail("p2pd", "out of memory");
    uv_loop_init(&loop);
    signal(SIGPIPE, SIG_IGN);
    d->flags = &flags;
    d->program = program;
    d->loop = &loop;
    d->mem = (hf_mem){resize, NULL};
    hf_map_init(&d->streams, &d->mem, 0); /* keys are numbers of our own */
    watch(d);
    int status = start(d);
    if (!status) uv_run(&loop, UV_RUN_DEFAULT);
    stop(d);
    free(d);
    return status;
}

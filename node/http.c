/* http: see http.h. Here: opening and closing. Requests are read by llhttp, WebSocket frames by wslay, TLS is OpenSSL's; what is ours is who waits for
 * whom, for how long, and with how much memory. */
#include "http.h"

#include "http_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CLIENTS_MAX = 10000, TICK_MS = 250, TICKS_PER_BEAT = 80, AWAKE_NS = 50 * 1000 };

/* Leaves descriptors for the store, peers and what else there is. */
static size_t clients_max(void) {
    struct rlimit files;
    size_t n = getrlimit(RLIMIT_NOFILE, &files) ? 1024 : files.rlim_cur;
    n -= n / 4;
    return n < CLIENTS_MAX ? n : CLIENTS_MAX;
}

static void on_tick(uv_timer_t *timer) {
    hf_http *http = timer->data;
    if (++http->n_ticks % TICKS_PER_BEAT == 0) hf_events_beat(http);
    for (hf_client *c = http->clients, *next; c; c = next) {
        next = c->next;
        hf_client_tick(c);
    }
}

static void on_awake(uv_idle_t *awake) {
    const hf_http *http = awake->data;
    if (uv_hrtime() > http->awake_until_ns) uv_idle_stop(awake);
}

void hf_http_stay_awake(hf_http *http) {
    if (uv_is_closing((uv_handle_t *)&http->awake)) return;
    http->awake_until_ns = uv_hrtime() + AWAKE_NS;
    uv_idle_start(&http->awake, on_awake);
}

static void take_connection(void *ctx, int fd) { hf_client_new(ctx, fd); }

static bool open_all(hf_http *http, const char **ret_problem) {
    const hf_options *o = http->node->options;
    if (o->tls_cert && !(http->tls = hf_tls_open(o->tls_cert, o->tls_key, ret_problem))) return false;
    return hf_listen_open(&http->listener, http->node->loop, o->http_host, o->http_port, ret_problem);
}

hf_http *hf_http_open(hf_node *node, const char **ret_problem) {
    hf_http *http = calloc(1, sizeof *http);
    if (!http) return *ret_problem = "out of memory", NULL;
    http->node = node;
    http->place = hf_http_place_of(node->options->http_host);
    http->n_clients_max = clients_max();
    http->waiting_last = &http->waiting;
    http->listener.taken = take_connection;
    http->listener.ctx = http;
    if (!open_all(http, ret_problem)) {
        hf_tls_close(http->tls);
        free(http);
        return NULL;
    }
    hf_arena_init(&http->arena, &node->mem);
    hf_buf_init(&http->scratch, &node->mem);
    uv_timer_init(node->loop, &http->tick);
    http->tick.data = http;
    uv_timer_start(&http->tick, on_tick, TICK_MS, TICK_MS);
    uv_idle_init(node->loop, &http->awake);
    http->awake.data = http;
    return http;
}

int hf_http_port(const hf_http *http) { return http->listener.port; }

void hf_http_stop(hf_http *http) { http->stopping = true; }

void hf_http_refuse_more(hf_http *http) { hf_listen_close(&http->listener); }

bool hf_http_is_busy(const hf_http *http) {
    for (const hf_client *c = http->clients; c; c = c->next)
        if (hf_client_is_busy(c)) return true;
    return false;
}

void hf_http_count(const hf_http *http, hf_http_counts *ret) {
    *ret = (hf_http_counts){.held_bytes = http->n_held_bytes};
    for (const hf_client *c = http->clients; c; c = c->next) {
        if (c->phase == HF_PHASE_EVENTS) ret->listeners++;
        else if (c->phase == HF_PHASE_PEER) ret->websockets++;
        else ret->pages++;
    }
    for (size_t i = 0; i < HF_COUNT(ret->answers); i++) ret->answers[i] = http->n_answers[i];
}

static void on_handle_closed(uv_handle_t *handle) {
    hf_http *http = handle->data;
    http->n_handles--;
}

void hf_http_close(hf_http *http) {
    if (!http) return;
    hf_listen_close(&http->listener);
    while (http->clients) hf_client_shut(http->clients);
    http->n_handles = 2;
    uv_close((uv_handle_t *)&http->tick, on_handle_closed);
    uv_close((uv_handle_t *)&http->awake, on_handle_closed);
    while (http->n_clients || http->n_handles) uv_run(http->node->loop, UV_RUN_ONCE);
    hf_tls_close(http->tls);
    hf_arena_deinit(&http->arena);
    hf_buf_deinit(&http->scratch);
    free(http);
}

/* node: see node.h. A node's life: starting, signals, stopping. */
#include "control.h"
#include "describe.h"
#include "http.h"
#include "lock.h"
#include "mdns.h"
#include "node_private.h"
#include "p2p.h"
#include "rtc.h"
#include "webrtc.h"
#include "say.h"
#include "site.h"
#include "spread.h"
#include "tcp.h"
#include "warm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { DRAIN_MIN_MS = 50, DRAIN_MAX_MS = 5000, DRAIN_TICK_MS = 5, LOOK_MS = 1000, FILES_MAX = 65536 };

uint64_t hf_node_now(const hf_node *node) { return uv_now(node->loop); }

uint64_t hf_node_wall(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static void random_fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    while (len) {
        ssize_t n = getrandom(out, len < 256 ? len : 256, 0);
        if (n < 0 && errno == EINTR) continue;
        HF_ASSERT(n > 0);
        out += n;
        len -= (size_t)n;
    }
}

/* ---- starting ---- */

bool hf_node_fail(const char *what, const char *why) {
    hf_say(HF_LEVEL_ERROR, what, "why", why, NULL);
    return false;
}

/* Two processes on one folder would be one identity writing in two places. Held until the process ends. */
static bool lock_dir(hf_node *node) {
    const char *dir = node->options->dir;
    if (mkdir(dir, 0700) && errno != EEXIST) return hf_node_fail("cannot make the data folder", strerror(errno));
    bool taken;
    node->lock = hf_lock_take(dir, &taken);
    if (node->lock >= 0) return true;
    return hf_node_fail(taken ? "the data folder is in use by another node" : "cannot open the data folder", taken ? dir : strerror(errno));
}

static bool get_secrets(hf_node *node, hf_secrets *ret) {
    hf_err err = hf_store_secrets_get(node->store, ret);
    if (!err) return true;
    if (err != HF_NOT_FOUND) return hf_node_fail("cannot read the node's keys", hf_err_name(err));
    hf_secrets_make(random_fill, NULL, ret);
    return hf_store_secrets_set(node->store, ret) || hf_node_fail("cannot keep the node's keys", node->options->dir);
}

/* hf_block_source.get: of the logs, then of files. */
static hf_err get_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const hf_node *node = ctx;
    hf_err err = hf_store_get(node->store, cid, ret);
    return err == HF_NOT_FOUND ? hf_blocks_get(node->blocks, cid, ret) : err;
}

static void run_blocks(void *ctx, bool begins) { hf_store_run(((const hf_node *)ctx)->store, begins); }

static void begin_stop(hf_node *node);

/* What is damaged is repaired at a start. */
static void look_for_damage(hf_node *node) {
    if (node->stopping || !hf_store_is_damaged(node->store)) return;
    hf_say(HF_LEVEL_ERROR, "the store is damaged; starting anew to repair it", "dir", node->options->dir, NULL);
    node->again = true;
    begin_stop(node);
}

static void look_for_room(hf_node *node) {
    uint64_t max = node->options->store_bytes;
    if (max) hf_store_bound(node->store, max, hf_blocks_disk_bytes(node->blocks));
}

static void on_look(uv_timer_t *timer) {
    hf_node *node = timer->data;
    if (!node->looked) hf_store_scrub(node->store); /* not before: those who wait for a start want the processor, and the store */
    node->looked = true;
    look_for_damage(node);
    hf_p2p_turn(node->p2p);
    look_for_room(node);
    if (hf_blocks_changed(node->blocks)) hf_core_blocks_came(node->core, hf_node_now(node));
    hf_node_pump(node);
}

static bool can_dial(void *ctx, hf_bytes address) {
    struct sockaddr_storage place;
    uint8_t certificate[32];
    return hf_tcp_can_dial(ctx, address) || hf_webrtc_read_address(address, &place, certificate);
}

static bool make_core(hf_node *node) {
    hf_secrets secrets;
    if (!get_secrets(node, &secrets)) return false;
    hf_arena arena;
    hf_arena_init(&arena, &node->mem);
    hf_bytes problem;
    hf_core_config config = {
        .release = hf_site_release(node->site),
        .script_url = hf_site_script_url(node->site),
        .secrets = &secrets,
        .agent = HF_TEXT("holdfast/0.1.0 node"),
        .by_session = true,
        .random = random_fill,
        .spread = hf_threads_spread(node->threads = hf_threads_open()),
        .blocks = {get_block, node},
        .blocks_run = run_blocks,
        .dialling = &hf_host_dialling,
        .can_dial = can_dial,
        .names_peers = true,
        .writer_bytes = node->options->writer_bytes,
        .writer_day_bytes = node->options->writer_day_bytes,
        .unix_offset_ms = (int64_t)(hf_node_wall() - hf_node_now(node)),
    };
    config.files = hf_site_app_files(node->site, &config.n_files);
    node->core = hf_core_new(&node->mem, &config, &arena, &problem);
    memset(&secrets, 0, sizeof secrets);
    char text[1024];
    if (!problem.len) problem = HF_TEXT("no memory");
    if (!node->core) snprintf(text, sizeof text, "%.*s", (int)problem.len, (const char *)problem.ptr);
    hf_arena_deinit(&arena);
    return node->core || hf_node_fail("the app does not load", text);
}

static void found_on_lan(hf_node *node, const char *multiaddr) {
    const char *problem;
    if (!hf_tcp_found(node->tcp, multiaddr, &problem)) hf_say(HF_LEVEL_DEBUG, "an address on the LAN is not used", "address", multiaddr, "why", problem, NULL);
}

static void remember_peers(hf_node *node) {
    hf_buf lines;
    hf_buf_init(&lines, &node->mem);
    if (hf_store_meta_get(node->store, "peers", &lines)) hf_tcp_remember(node->tcp, hf_buf_bytes(&lines));
    hf_buf_deinit(&lines);
}

static bool open_network(hf_node *node) {
    const hf_options *o = node->options;
    const char *problem = "";
    node->tcp = hf_tcp_open(node, &problem);
    if (!node->tcp) return hf_node_fail("cannot listen for peers", problem);
    if (!(node->rtc = hf_rtc_open(node, &problem))) return hf_node_fail("cannot listen for browsers over WebRTC", problem);
    node->http = hf_http_open(node, &problem);
    if (!node->http) return hf_node_fail("cannot serve pages", problem);
    for (size_t i = 0; i < o->n_join; i++)
        if (!hf_p2p_join(node->p2p, o->join[i]) && !hf_tcp_join(node->tcp, o->join[i], &problem)) return hf_node_fail(o->join[i], problem);
    remember_peers(node);
    if (o->mdns && hf_tcp_port(node->tcp)) node->mdns = hf_mdns_open(node, o->mdns_service, hf_tcp_port(node->tcp), found_on_lan, &problem);
    if (o->mdns && hf_tcp_port(node->tcp) && !node->mdns) hf_say(HF_LEVEL_WARN, "no peers will be found on the LAN", "why", problem, NULL);
    return true;
}

static void tell_ready(hf_node *node) {
    char http[256];
    const hf_options *o = node->options;
    bool v6 = strchr(o->http_host, ':') != NULL;
    snprintf(http, sizeof http, "%s://%s%s%s:%d", o->tls_cert ? "https" : "http", v6 ? "[" : "", o->http_host, v6 ? "]" : "", hf_http_port(node->http));
    hf_buf p2p;
    hf_buf_init(&p2p, &node->mem);
    hf_describe_first_address(node, &p2p);
    hf_buf_add_byte(&p2p, 0);
    const char *address = p2p.err || p2p.len == 1 ? "off" : (const char *)p2p.ptr;
    hf_say(HF_LEVEL_INFO, "ready", "peer", node->peer_id, "http", http, "p2p", address, NULL);
    printf("ready %s %s %s\n", node->peer_id, http, address);
    fflush(stdout);
    hf_buf_deinit(&p2p);
}

/* ---- stopping ---- */

/* What was asked before the signal may still be on its way in; then whatever is begun gets its answer, unless it takes too long. */
static void on_drain(uv_timer_t *timer) {
    hf_node *node = timer->data;
    uint64_t waited = hf_node_now(node) - node->stopping_ms;
    if (waited >= DRAIN_MIN_MS) hf_http_refuse_more(node->http);
    bool idle = !hf_http_is_busy(node->http) && (hf_core_seq(node->core) == hf_core_seq_stored(node->core) || node->refuses);
    if (waited >= DRAIN_MAX_MS || (waited >= DRAIN_MIN_MS && idle)) uv_stop(node->loop);
}

static void begin_stop(hf_node *node) {
    node->stopping = true;
    node->ready = false;
    node->stopping_ms = hf_node_now(node);
    hf_http_stop(node->http);
    uv_timer_start(&node->drain, on_drain, DRAIN_TICK_MS, DRAIN_TICK_MS);
}

static bool app_is_fine(hf_node *node) {
    const hf_options *o = node->options;
    const char *problem = "";
    hf_site *site = hf_site_open(&node->mem, o->app, o->assets, o->worker, &problem);
    if (!site) return hf_node_fail("not reloaded", problem);
    hf_arena arena;
    hf_arena_init(&arena, &node->mem);
    size_t n;
    const hf_file *files = hf_site_app_files(site, &n);
    hf_bytes why = {NULL, 0};
    hf_app *app = n ? hf_app_new(&node->mem, files, n, 0, &arena, &why) : NULL;
    char text[1024];
    snprintf(text, sizeof text, "%.*s", (int)why.len, (const char *)why.ptr);
    bool fine = app || !n || hf_node_fail("not reloaded", text);
    hf_app_free(app);
    hf_arena_deinit(&arena);
    hf_site_close(site);
    return fine;
}

/* Files and certificate are read anew by starting anew, if the app is still one. */
static void reload(hf_node *node) {
    if (!app_is_fine(node)) return;
    hf_say(HF_LEVEL_INFO, "reloading", NULL);
    node->again = true;
    begin_stop(node);
}

static void on_signal(uv_signal_t *handle, int number) {
    hf_node *node = handle->data;
    if (number == SIGHUP && !node->stopping) return reload(node);
    if (number == SIGHUP) return;
    node->again = false;
    if (node->stopping) return uv_stop(node->loop);
    hf_say(HF_LEVEL_INFO, "stopping", NULL);
    begin_stop(node);
}

static void watch_signals(hf_node *node) {
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < HF_COUNT(numbers); i++) {
        uv_signal_init(node->loop, &node->signals[i]);
        node->signals[i].data = node;
        uv_signal_start(&node->signals[i], on_signal, numbers[i]);
    }
}

static bool repair_store(hf_node *node) {
    const char *problem = "";
    char n[32];
    hf_store_repair_report report;
    if (!hf_store_repair(node->options->dir, &report, &problem)) return hf_node_fail("the store cannot be repaired", problem);
    if (!report.repaired) return true;
    snprintf(n, sizeof n, "%zu", report.n_blocks);
    hf_say(HF_LEVEL_WARN, "the store was damaged; what is whole of it is in a new one, and peers are asked for the rest", "dir", node->options->dir, "aside",
           report.aside, "blocks", n, NULL);
    if (!report.keys) hf_say(HF_LEVEL_WARN, "the node's keys were damaged, too: it makes new ones and is another peer from now on", NULL);
    return true;
}

bool hf_node_open_inside(hf_node *node) {
    const hf_options *o = node->options;
    const char *problem = "";
    if (!lock_dir(node)) return false;
    node->site = hf_site_open(&node->mem, o->app, o->assets, o->worker, &problem);
    if (!node->site) return hf_node_fail("the app cannot be read", problem);
    if (!repair_store(node)) return false;
    node->store = hf_store_open(node->loop, o->dir, hf_node_stored, hf_node_store_failed, node, &problem);
    if (!node->store) return hf_node_fail("the store cannot be opened", problem);
    node->blocks = hf_blocks_open(o->dir, 0, &problem);
    if (!node->blocks) return hf_node_fail("the store of files cannot be opened", problem);
    return make_core(node);
}

static bool start(hf_node *node) {
    const char *problem = "";
    if (!hf_node_open_inside(node)) return false;
    node->p2p = hf_p2p_open(node);
    if (!node->p2p) return hf_node_fail("cannot start", "no memory");
    if (!hf_node_load(node) || !open_network(node)) return false;
    node->control = hf_control_open(node, &problem);
    if (!node->control) hf_say(HF_LEVEL_WARN, "the command line will not reach this node", "why", problem, NULL);
    watch_signals(node);
    hf_describe_self(node);
    hf_p2p_start(node->p2p);
    if (!hf_describe_to_lock(node)) return hf_node_fail("cannot write to the data folder", strerror(errno));
    uv_timer_start(&node->look, on_look, LOOK_MS, LOOK_MS);
    look_for_room(node);
    node->ready = true;
    hf_node_pump(node);
    tell_ready(node);
    return true;
}

/* Each connection is one. */
static void allow_many_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files)) return;
    files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
    setrlimit(RLIMIT_NOFILE, &files);
}

static void close_if_open(uv_handle_t *handle, void *ctx) {
    (void)ctx;
    if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void hf_node_close(hf_node *node) {
    hf_control_close(node->control);
    node->control = NULL;
    hf_mdns_close(node->mdns);
    hf_p2p_close(node->p2p);
    node->p2p = NULL;
    hf_tcp_close(node->tcp);
    hf_rtc_close(node->rtc);
    node->rtc = NULL;
    hf_http_close(node->http);
    hf_warm_close(node->warm);
    node->warm = NULL;
    hf_store_close(node->store);
    hf_core_free(node->core);
    node->core = NULL;
    hf_threads_close(node->threads);
    hf_blocks_close(node->blocks);
    hf_site_close(node->site);
    uv_walk(node->loop, close_if_open, NULL); /* timers and signals are left */
    uv_run(node->loop, UV_RUN_DEFAULT);
    HF_ASSERT(uv_loop_close(node->loop) == 0);
    if (node->lock >= 0) close(node->lock);
}

void hf_node_prepare(hf_node *node, const hf_options *options, uv_loop_t *loop) {
    if (uv_loop_init(loop)) {
        hf_node_fail("cannot start", "no memory");
        exit(1);
    }
    hf_threads_make_pool(loop);
    *node = (hf_node){.options = options, .loop = loop, .mem = {resize, NULL}, .lock = -1};
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    uv_timer_init(loop, &node->timer);
    node->timer.data = node;
    uv_timer_init(loop, &node->drain);
    node->drain.data = node;
    uv_timer_init(loop, &node->look);
    node->look.data = node;
    node->started_ms = hf_node_wall();
}

int hf_node_run(const hf_options *options) {
    uv_loop_t loop;
    hf_node node;
    hf_node_prepare(&node, options, &loop);
    allow_many_files();
    bool ok = start(&node);
    if (ok) uv_run(&loop, UV_RUN_DEFAULT);
    bool damaged = !ok && node.store && hf_store_is_damaged(node.store);
    bool clean = ok && node.stopping && !node.failed && !node.refuses;
    hf_node_close(&node);
    return damaged ? HF_NODE_AGAIN : !clean ? 1 : node.again ? HF_NODE_AGAIN : 0;
}

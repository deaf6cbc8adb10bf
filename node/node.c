/* node: see node.h. The loop: everything that happens is told to the core, then the core is drained: blocks to the store, bytes to channels, news to
 * those who listen. */
#include "node.h"

#include "../core/log/manifest.h"
#include "control.h"
#include "describe.h"
#include "http.h"
#include "lock.h"
#include "mdns.h"
#include "p2p.h"
#include "rtc.h"
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

enum { HIGH_WATER = 1 << 20, LOW_WATER = 1 << 18, DRAIN_MIN_MS = 50, DRAIN_MAX_MS = 5000, DRAIN_TICK_MS = 5, LOOK_MS = 1000, FILES_MAX = 65536, READ_LEN = 65536 };

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

/* ---- channels ---- */

static hf_err enlist(hf_node *node, hf_channel *channel, hf_err err) {
    if (err) return err;
    channel->next = node->channels;
    node->channels = channel;
    hf_node_pump(node);
    return HF_OK;
}

hf_err hf_node_channel_up(hf_node *node, hf_channel *channel, bool dialer, const hf_peer_id *expected, hf_bytes remote) {
    channel->conn = ++node->next_conn;
    channel->dialer = dialer;
    return enlist(node, channel, hf_core_conn_open(node->core, hf_node_now(node), channel->conn, dialer, expected, remote));
}

hf_err hf_node_channel_dialled(hf_node *node, hf_channel *channel, uint64_t dial, hf_bytes remote) {
    channel->conn = ++node->next_conn;
    channel->dialer = true;
    return enlist(node, channel, hf_host_conn_open(hf_core_host(node->core), hf_node_now(node), channel->conn, dial, remote));
}

hf_err hf_node_channels_up(hf_node *node, hf_channel *channel, const hf_channels_open *open) {
    channel->conn = ++node->next_conn;
    channel->dialer = open->dialer;
    return enlist(node, channel, hf_core_conn_open_channels(node->core, hf_node_now(node), channel->conn, open));
}

hf_channel *hf_node_channel_of(const hf_node *node, uint64_t conn) {
    hf_channel *c = node->channels;
    while (c && c->conn != conn) c = c->next;
    return c;
}

static void forget(hf_node *node, hf_channel *channel) {
    for (hf_channel **at = &node->channels; *at; at = &(*at)->next)
        if (*at == channel) {
            *at = channel->next;
            return;
        }
}

void hf_node_channel_recv(hf_node *node, hf_channel *channel, hf_bytes bytes) {
    hf_err err = hf_core_conn_recv(node->core, hf_node_now(node), channel->conn, bytes);
    if (err && err != HF_NOT_FOUND) hf_say(HF_LEVEL_ERROR, "peer input", "error", hf_err_name(err), NULL);
    hf_node_pump(node);
}

void hf_node_channel_sent(hf_node *node, hf_channel *channel, size_t len) {
    channel->queued_bytes -= len < channel->queued_bytes ? len : channel->queued_bytes;
    if (!channel->busy || channel->queued_bytes > LOW_WATER) return;
    channel->busy = false;
    hf_core_conn_busy(node->core, hf_node_now(node), channel->conn, false);
    hf_node_pump(node);
}

void hf_node_channel_down(hf_node *node, hf_channel *channel) {
    forget(node, channel);
    if (!node->core) return;
    hf_core_conn_lost(node->core, hf_node_now(node), channel->conn);
    hf_node_pump(node);
}

/* ---- the core's outputs ---- */

static void out_store(hf_node *node, const hf_out *out) {
    hf_bytes address = out->database ? hf_core_address(node->core, out->database) : HF_BYTES(NULL, 0);
    if (!hf_store_put(node->store, out->seq, address, HF_BYTES(out->cid, sizeof out->cid), out->bytes)) return;
    hf_say(HF_LEVEL_ERROR, "no memory for a block to store; stopping so that nothing is acknowledged falsely", NULL);
    abort();
}

static void out_send(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!channel) return;
    channel->queued_bytes += out->bytes.len;
    channel->send(channel, out->bytes);
    if (channel->busy || channel->queued_bytes < HIGH_WATER) return;
    channel->busy = true;
    hf_core_conn_busy(node->core, hf_node_now(node), channel->conn, true);
}

static void out_close(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!channel) return;
    forget(node, channel);
    hf_say(HF_LEVEL_DEBUG, "connection closed", "via", channel->via, "reason", out->reason ? out->reason : "", NULL);
    channel->close(channel);
}

static void say_peer(hf_node *node, const char *event, const hf_out *out) {
    hf_buf id;
    hf_buf_init(&id, &node->mem);
    hf_peer_id_add_text(&id, &out->peer);
    hf_buf_add_byte(&id, 0);
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (!id.err) hf_say(HF_LEVEL_INFO, event, "peer", (const char *)id.ptr, "via", channel ? channel->via : "-", "reason", out->reason ? out->reason : "-", NULL);
    hf_buf_deinit(&id);
}

/* So that they are dialled again after a restart, before anybody tells of them. Written when no commit runs. */
static void keep_peers(hf_node *node) {
    if (!node->tcp || !hf_store_idle(node->store)) return;
    hf_buf lines;
    hf_buf_init(&lines, &node->mem);
    if (hf_tcp_news(node->tcp, &lines) && (lines.err || !hf_store_meta_set(node->store, "peers", hf_buf_bytes(&lines))))
        hf_say(HF_LEVEL_WARN, "found peers are not remembered", NULL);
    hf_buf_deinit(&lines);
}

static void peer_up(hf_node *node, const hf_out *out) {
    hf_channel *channel = hf_node_channel_of(node, out->conn);
    if (channel) channel->peer = out->peer;
    if (channel && !strcmp(channel->via, "tcp")) hf_tcp_reached(channel);
    say_peer(node, "peer up", out);
}

/* ---- databases added at run time ---- */

typedef struct replay { hf_node *node; uint32_t database; size_t n, n_damaged; } replay;

static bool replay_one(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    replay *r = ctx;
    (void)at;
    hf_fault fault = {"", 0};
    if (!hf_eq(address, hf_core_address(r->node->core, r->database))) return true;
    r->n++;
    if (!hf_core_load(r->node->core, r->database, block, &fault)) return true;
    r->n_damaged++;
    hf_say(HF_LEVEL_ERROR, "a stored block does not load; peers will be asked for it", "reason", fault.what, NULL);
    return true;
}

static void say_opened(const replay *r) {
    char address[HF_ADDRESS_LEN + 1], n[32];
    snprintf(address, sizeof address, "%.*s", HF_ADDRESS_LEN, (const char *)hf_core_address(r->node->core, r->database).ptr);
    snprintf(n, sizeof n, "%zu", r->n);
    hf_say(HF_LEVEL_INFO, "database opened", "address", address, "blocks", n, NULL);
}

/* It was open once, perhaps: what the store has of it comes before what peers have. */
static void database_news(hf_node *node, const hf_out *out) {
    hf_core_db_about about;
    if (hf_core_db_info(node->core, out->database, &about)) return;
    if (about.phase == HF_CORE_BROKEN) hf_say(HF_LEVEL_WARN, "a database cannot be opened", "reason", out->reason ? out->reason : "", NULL);
    if (about.phase != HF_CORE_LOADING) return;
    replay r = {.node = node, .database = out->database};
    const char *why = "";
    uint64_t after = 0;
    hf_err err = !node->warm || hf_warm_take(node->warm, out->database, &after) ? HF_OK : HF_NOMEM;
    if (!err) err = hf_store_each(node->store, HF_STORE_ENTRIES, after, replay_one, &r, &why);
    if (node->warm && r.n_damaged) hf_warm_loaded(node->warm, false);
    if (!err) err = hf_core_db_loaded(node->core, hf_node_now(node), out->database);
    if (err) hf_say(HF_LEVEL_ERROR, "a database cannot be opened", "error", hf_err_name(err), "why", why, NULL);
    else say_opened(&r);
}

static void keep_refusal(hf_node *node, const hf_out *out) {
    hf_refused *r = &node->refused[node->n_refused++ % HF_REFUSED_KEPT];
    memcpy(r->digest, out->cid + HF_CID_LEN - sizeof r->digest, sizeof r->digest);
    r->reason = out->reason;
}

static void take(hf_node *node, const hf_out *out) {
    switch (out->kind) {
    case HF_OUT_STORE: out_store(node, out); break;
    case HF_OUT_SEND: out_send(node, out); break;
    case HF_OUT_CONN_CLOSE: out_close(node, out); break;
    case HF_OUT_CHANGED:
        if (node->http && hf_core_collection(node->core, out->database))
            hf_http_changed(node->http, hf_collection_schema(hf_core_collection(node->core, out->database))->name);
        break;
    case HF_OUT_DATABASE: database_news(node, out); break;
    case HF_OUT_PEER_UP: peer_up(node, out); break;
    case HF_OUT_PEER_DOWN: say_peer(node, "peer down", out); break;
    case HF_OUT_REFUSED:
        if (!out->waits) keep_refusal(node, out);
        say_peer(node, out->waits ? "entry waits for a grant" : "entry refused", out);
        break;
    case HF_OUT_PEER_KNOWN:
    case HF_OUT_LEVEL:
    case HF_OUT_INTRODUCED:
    case HF_OUT_SIGNAL:
    case HF_OUT_REACHABLE: /* a node keeps no reservations */
    case HF_OUT_RTC_CALL:
    case HF_OUT_RTC_HEARD:
    case HF_OUT_RTC_ENDED:
    case HF_OUT_NONE: break;
    case HF_OUT_DIAL: hf_tcp_dial(node, out); break;
    case HF_OUT_DIAL_OFF: hf_tcp_dial_off(node->tcp, out->dial); break;
    case HF_OUT_CONNECTED:
    case HF_OUT_SAID:
    case HF_OUT_NAMED: hf_p2p_said(node->p2p, out); break;
    }
}

static void on_timer(uv_timer_t *timer) {
    hf_node *node = timer->data;
    hf_core_tick(node->core, hf_node_now(node));
    hf_node_pump(node);
}

static void drain(hf_node *node) {
    hf_out out;
    while (hf_core_next(node->core, hf_node_now(node), &out)) take(node, &out);
}

static void take_steps(hf_node *node) {
    if (!node->control || node->turning) return;
    node->turning = true;
    hf_control_turn(node->control);
    node->turning = false;
    drain(node);
}

void hf_node_pump(hf_node *node) {
    drain(node);
    take_steps(node);
    keep_peers(node);
    hf_blocks_rest(node->blocks);
    hf_store_commit(node->store);
    uint64_t at = hf_core_deadline(node->core), now = hf_node_now(node);
    if (at == UINT64_MAX) uv_timer_stop(&node->timer);
    else uv_timer_start(&node->timer, on_timer, at > now ? at - now : 0, 0);
}

static void on_stored(void *ctx, uint64_t seq) {
    hf_node *node = ctx;
    hf_core_stored(node->core, hf_node_now(node), seq);
    if (node->http) hf_http_stored(node->http, seq);
    hf_warm_turn(node->warm);
    hf_node_pump(node);
}

/* The disk refused: answering any further write would be a lie, and what was told to others must stay true after a restart. */
static void on_store_failed(void *ctx, const char *why) {
    hf_node *node = ctx;
    hf_say(HF_LEVEL_ERROR, "the store cannot write; stopping", "why", why, "dir", node->options->dir, NULL);
    node->ready = false;
    node->failed = true;
    uv_stop(node->loop);
}

/* ---- starting ---- */

static bool fail(const char *what, const char *why) {
    hf_say(HF_LEVEL_ERROR, what, "why", why, NULL);
    return false;
}

/* Two processes on one folder would be one identity writing in two places. Held until the process ends. */
static bool lock_dir(hf_node *node) {
    const char *dir = node->options->dir;
    if (mkdir(dir, 0700) && errno != EEXIST) return fail("cannot make the data folder", strerror(errno));
    bool taken;
    node->lock = hf_lock_take(dir, &taken);
    if (node->lock >= 0) return true;
    return fail(taken ? "the data folder is in use by another node" : "cannot open the data folder", taken ? dir : strerror(errno));
}

static bool get_secrets(hf_node *node, hf_secrets *ret) {
    hf_buf kept;
    hf_buf_init(&kept, &node->mem);
    bool ok = hf_store_meta_get(node->store, "secrets", &kept) && kept.len == sizeof *ret;
    if (ok) memcpy(ret, kept.ptr, sizeof *ret);
    else {
        hf_secrets_make(random_fill, NULL, ret);
        ok = hf_store_meta_set(node->store, "secrets", HF_BYTES(ret, sizeof *ret));
    }
    hf_buf_deinit(&kept);
    return ok || fail("cannot keep the node's keys", node->options->dir);
}

/* hf_block_source.get: of the logs, then of files. */
static hf_err get_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const hf_node *node = ctx;
    hf_err err = hf_store_get(node->store, cid, ret);
    return err == HF_NOT_FOUND ? hf_blocks_get(node->blocks, cid, ret) : err;
}

static void on_look(uv_timer_t *timer) {
    hf_node *node = timer->data;
    hf_p2p_turn(node->p2p);
    if (hf_blocks_changed(node->blocks)) hf_core_blocks_came(node->core, hf_node_now(node));
    hf_node_pump(node);
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
        .dialling = &hf_host_dialling,
        .can_dial = hf_tcp_can_dial,
        .names_peers = true,
    };
    config.files = hf_site_app_files(node->site, &config.n_files);
    node->core = hf_core_new(&node->mem, &config, &arena, &problem);
    memset(&secrets, 0, sizeof secrets);
    char text[1024];
    if (!node->core) snprintf(text, sizeof text, "%.*s", (int)problem.len, (const char *)problem.ptr);
    hf_arena_deinit(&arena);
    return node->core || fail("the app does not load", text);
}

typedef struct loading { hf_node *node; const hf_warm *warm; size_t n, n_damaged; } loading;

static bool load_one(void *ctx, uint64_t at, hf_bytes address, hf_bytes block) {
    loading *l = ctx;
    hf_fault fault = {"", 0};
    uint32_t number = 0;
    for (uint32_t i = 1; address.len && i <= hf_core_n_databases(l->node->core); i++)
        if (hf_eq(address, hf_core_address(l->node->core, i))) number = i;
    if (address.len && !number) return true; /* of a collection that the app has no more: kept, not shown */
    if (hf_warm_has(l->warm, number, at)) return true;
    l->n++;
    if (!hf_core_load(l->node->core, number, block, &fault)) return true;
    l->n_damaged++;
    hf_say(HF_LEVEL_ERROR, "a stored block does not load; peers will be asked for it", "reason", fault.what, NULL);
    return true;
}

/* What is no entry first: it says which databases there are beside the app's. */
static hf_err load_all(loading *l, hf_warm *warm, const char **ret_why) {
    hf_core_db_about about;
    hf_err err = hf_store_each(l->node->store, HF_STORE_OTHERS, 0, load_one, l, ret_why);
    for (uint32_t i = 1; i <= hf_core_n_databases(l->node->core) && !err; i++) {
        uint64_t after;
        if (hf_core_db_info(l->node->core, i, &about) || about.phase != HF_CORE_LOADING) continue;
        if (!hf_warm_take(warm, i, &after)) *ret_why = "no memory", err = HF_NOMEM;
    }
    return err ? err : hf_store_each(l->node->store, HF_STORE_ENTRIES, hf_warm_after(warm), load_one, l, ret_why);
}

static bool load(hf_node *node) {
    loading l = {.node = node};
    const char *why;
    node->warm = hf_warm_open(node);
    if (!node->warm) return fail("cannot start", "no memory");
    l.warm = node->warm;
    if (load_all(&l, node->warm, &why)) return fail("the store is damaged", why);
    hf_warm_loaded(node->warm, l.n_damaged == 0);
    char n[32], damaged[32];
    snprintf(n, sizeof n, "%zu", l.n);
    snprintf(damaged, sizeof damaged, "%zu", l.n_damaged);
    hf_say(HF_LEVEL_INFO, "loaded", "blocks", n, "damaged", damaged, NULL);
    return hf_core_start(node->core, hf_node_now(node)) == HF_OK || fail("cannot start", "no memory");
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
    if (!node->tcp) return fail("cannot listen for peers", problem);
    if (o->webrtc_port >= 0 && !(node->rtc = hf_rtc_open(node, &problem))) return fail("cannot listen for browsers over WebRTC", problem);
    node->http = hf_http_open(node, &problem);
    if (!node->http) return fail("cannot serve pages", problem);
    for (size_t i = 0; i < o->n_join; i++)
        if (!hf_tcp_join(node->tcp, o->join[i], &problem)) return fail(o->join[i], problem);
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
    bool idle = !hf_http_is_busy(node->http) && hf_core_seq(node->core) == hf_core_seq_stored(node->core);
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
    if (!site) return fail("not reloaded", problem);
    hf_arena arena;
    hf_arena_init(&arena, &node->mem);
    size_t n;
    const hf_file *files = hf_site_app_files(site, &n);
    hf_bytes why = {NULL, 0};
    hf_app *app = n ? hf_app_new(&node->mem, files, n, 0, &arena, &why) : NULL;
    char text[1024];
    snprintf(text, sizeof text, "%.*s", (int)why.len, (const char *)why.ptr);
    bool fine = app || !n || fail("not reloaded", text);
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

/* Everything but the network. */
static bool open_inside(hf_node *node) {
    const hf_options *o = node->options;
    const char *problem = "";
    if (!lock_dir(node)) return false;
    node->site = hf_site_open(&node->mem, o->app, o->assets, o->worker, &problem);
    if (!node->site) return fail("the app cannot be read", problem);
    node->store = hf_store_open(node->loop, o->dir, on_stored, on_store_failed, node, &problem);
    if (!node->store) return fail("the store cannot be opened", problem);
    node->blocks = hf_blocks_open(o->dir, 0, &problem);
    if (!node->blocks) return fail("the store of files cannot be opened", problem);
    return make_core(node);
}

static bool start(hf_node *node) {
    const char *problem = "";
    if (!open_inside(node)) return false;
    node->p2p = hf_p2p_open(node);
    if (!node->p2p) return fail("cannot start", "no memory");
    if (!load(node) || !open_network(node)) return false;
    node->control = hf_control_open(node, &problem);
    if (!node->control) hf_say(HF_LEVEL_WARN, "the command line will not reach this node", "why", problem, NULL);
    watch_signals(node);
    hf_describe_self(node);
    hf_p2p_start(node->p2p);
    if (!hf_describe_to_lock(node)) return fail("cannot write to the data folder", strerror(errno));
    uv_timer_start(&node->look, on_look, LOOK_MS, LOOK_MS);
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

static void stop(hf_node *node) {
    hf_control_close(node->control);
    node->control = NULL;
    hf_mdns_close(node->mdns);
    hf_p2p_close(node->p2p);
    node->p2p = NULL;
    hf_tcp_close(node->tcp);
    hf_rtc_close(node->rtc);
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

static void prepare(hf_node *node, const hf_options *options, uv_loop_t *loop) {
    uv_loop_init(loop);
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
    prepare(&node, options, &loop);
    allow_many_files();
    bool ok = start(&node);
    if (ok) uv_run(&loop, UV_RUN_DEFAULT);
    bool clean = ok && node.stopping && !node.failed;
    stop(&node);
    return !clean ? 1 : node.again ? HF_NODE_AGAIN : 0;
}

/* The file that a verb takes. */
static void read_file(hf_ask *ask, int fd) {
    uint8_t *room = ask->in.len < HF_ASK_IN_MAX ? hf_buf_extend(&ask->in, READ_LEN) : NULL;
    if (!room) return;
    ssize_t n = read(fd, room, READ_LEN);
    ask->in.len -= READ_LEN - (size_t)(n > 0 ? n : 0);
    ask->in_over = n == 0;
    if (n < 0 && errno != EINTR) hf_ask_fail(ask, 1, "the file cannot be read: %s", strerror(errno));
}

static void say(hf_ask *ask, FILE *out) {
    if (ask->out.len && fwrite(ask->out.ptr, 1, ask->out.len, out) != ask->out.len) hf_ask_fail(ask, 1, "cannot be written: %s", strerror(errno));
    hf_buf_clear(&ask->out);
}

static int answer_one(hf_node *node, bool json, size_t n_words, const char *const *words, const hf_ask_files *files) {
    hf_ask *ask = hf_ask_new(node, json, n_words, words);
    if (!ask) return fail("cannot ask", "no memory"), 1;
    if (!hf_verb_run(ask)) hf_ask_fail(ask, 2, "no verb '%s'", words[0]);
    hf_node_pump(node);
    while (!hf_ask_turn(ask) && !node->failed) {
        say(ask, files->out);
        if (ask->wants_in && !ask->in_over) read_file(ask, files->in);
        hf_node_pump(node);
        uv_run(node->loop, ask->hurry || (ask->wants_in && !ask->in_over) ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    }
    say(ask, files->out);
    int status = node->failed ? 1 : ask->status;
    if (ask->problem.len) fprintf(stderr, "holdfast: %.*s\n", (int)ask->problem.len, (const char *)ask->problem.ptr);
    hf_ask_free(ask);
    return status;
}

int hf_node_run_once(const char *dir, bool json, size_t n_words, const char *const *words, const hf_ask_files *files) {
    uv_loop_t loop;
    hf_node node;
    hf_options options = {.dir = dir, .name = "holdfast", .p2p_host = "127.0.0.1", .p2p_port = -1, .webrtc_port = -1, .assets = "", .log_level = HF_LEVEL_WARN};
    if (access(dir, F_OK)) return fprintf(stderr, "holdfast: %s: no node has run here; `holdfast serve --dir` makes it\n", dir), 1;
    hf_say_setup(options.log_level, false);
    prepare(&node, &options, &loop);
    int status = open_inside(&node) && load(&node) ? answer_one(&node, json, n_words, words, files) : 1;
    stop(&node);
    return status;
}

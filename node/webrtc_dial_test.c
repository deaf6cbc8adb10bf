/* Calling a listener of webrtc-direct, both ends in one loop: who is reached, who is not, and what the addresses must be. */
#include "webrtc_private.h"

#include "../core/codec/multiaddr.h"
#include "../tests/kit/check.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { DIAL = 7, LONG_MS = 20000 };

typedef struct side {
    size_t n_up, n_undialled, n_lost;
    uint64_t dial;
    uint8_t prologue[HF_DIRECT_PROLOGUE_LEN];
    char reason[128];
    hf_webrtc_conn *conn;
} side;

typedef struct world {
    uv_loop_t loop;
    uv_timer_t limit;
    side listener, caller;
    hf_webrtc *webrtc;
    hf_webrtc_callers callers;
    hf_webrtc_events events;
} world;

static bool on_up(void *ctx, hf_webrtc_conn *conn, hf_bytes prologue, const char *remote) {
    side *s = ctx;
    CHECK(prologue.len == sizeof s->prologue && !strncmp(remote, "/ip4/127.0.0.1/udp/", 19));
    memcpy(s->prologue, prologue.ptr, prologue.len);
    s->n_up++;
    s->conn = conn;
    s->dial = hf_webrtc_dial_of(conn);
    return true;
}

static void on_channel(void *ctx, hf_webrtc_conn *conn, uint32_t channel) { (void)ctx, (void)conn, (void)channel; }
static void on_received(void *ctx, hf_webrtc_conn *conn, uint32_t channel, hf_bytes message) { (void)ctx, (void)conn, (void)channel, (void)message; }
static void on_busy(void *ctx, hf_webrtc_conn *conn, uint32_t channel, bool busy) { (void)ctx, (void)conn, (void)channel, (void)busy; }
static bool is_full(void *ctx, hf_webrtc_conn *conn) { return (void)ctx, (void)conn, false; }
static void on_sent(void *ctx, hf_webrtc_conn *conn, size_t len) { (void)ctx, (void)conn, (void)len; }
static void on_renewed(void *ctx) { (void)ctx; }

static void on_lost(void *ctx, hf_webrtc_conn *conn, const char *reason) {
    (void)conn, (void)reason;
    ((side *)ctx)->n_lost++;
}

static void on_undialled(void *ctx, uint64_t dial, const char *reason) {
    side *s = ctx;
    s->n_undialled++;
    s->dial = dial;
    snprintf(s->reason, sizeof s->reason, "%s", reason);
}

static hf_webrtc_events events_of(side *s) {
    return (hf_webrtc_events){on_up, on_channel, on_received, on_channel, on_busy, is_full, on_sent, on_lost, on_undialled, on_renewed, s};
}

static void on_limit(uv_timer_t *timer) { CHECK_MSG(false, "nothing happened for %d ms", (int)uv_timer_get_repeat(timer)); }

static void world_start(world *w) {
    struct sockaddr_in address;
    const char *problem = "";
    *w = (world){.webrtc = NULL};
    uv_loop_init(&w->loop);
    uv_timer_init(&w->loop, &w->limit);
    uv_timer_start(&w->limit, on_limit, LONG_MS, LONG_MS);
    uv_ip4_addr("127.0.0.1", 0, &address);
    w->events = events_of(&w->caller);
    w->webrtc = hf_webrtc_open(&w->loop, &(hf_webrtc_config){.address = (struct sockaddr *)&address, .events = events_of(&w->listener)}, &problem);
    CHECK_MSG(w->webrtc != NULL, "%s", problem);
}

static void world_stop(world *w) {
    hf_webrtc_callers_close(&w->callers);
    hf_webrtc_close(w->webrtc);
    uv_close((uv_handle_t *)&w->limit, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&w->loop) == 0);
}

/* Where the listener is, as others are told; `spoil` is added to a byte of the hash. */
static const char *call(world *w, uint64_t dial, uint8_t spoil) {
    struct sockaddr_storage at;
    uint8_t digest[32];
    char head[64];
    hf_buf text, binary;
    hf_buf_init(&text, hf_test_mem());
    hf_buf_init(&binary, hf_test_mem());
    CHECK(!hf_webrtc_address(w->webrtc, &at));
    snprintf(head, sizeof head, "/ip4/127.0.0.1/udp/%u", (unsigned)ntohs(((struct sockaddr_in *)&at)->sin_port));
    memcpy(digest, w->webrtc->cert.digest, sizeof digest);
    digest[9] = (uint8_t)(digest[9] + spoil);
    hf_buf_add_str(&text, head);
    hf_direct_add_certhash(&text, digest);
    CHECK_ERR(hf_multiaddr_parse(hf_buf_bytes(&text), &binary, NULL), HF_OK);
    const char *problem = hf_webrtc_call(&w->callers, &w->loop, &w->events, dial, hf_buf_bytes(&binary));
    hf_buf_deinit(&text);
    hf_buf_deinit(&binary);
    return problem;
}

HF_TEST(webrtc_calls_who_has_the_certificate) {
    world w;
    world_start(&w);
    CHECK(!call(&w, DIAL, 0));
    CHECK_U64(w.caller.n_up, 0); /* not at once */
    while (!w.caller.n_up || !w.listener.n_up) uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(w.caller.dial == DIAL && w.listener.dial == 0);
    CHECK(!memcmp(w.caller.prologue, w.listener.prologue, sizeof w.caller.prologue)); /* which Noise will find out */
    hf_webrtc_conn_close(w.caller.conn);
    while (!w.listener.n_lost) uv_run(&w.loop, UV_RUN_ONCE);
    CHECK_U64(w.caller.n_lost + w.caller.n_undialled, 0);
    world_stop(&w);
}

HF_TEST(webrtc_calls_nobody_else) {
    world w;
    world_start(&w);
    CHECK(!call(&w, DIAL, 1));
    while (!w.caller.n_undialled) uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(!strcmp(w.caller.reason, "another certificate than the address names"));
    CHECK(w.caller.dial == DIAL && !w.caller.n_up);
    world_stop(&w);
}

/* Several at once to one listener leave from sockets of their own, as many as there are; what is called off is not heard of again. */
HF_TEST(webrtc_calls_off) {
    world w;
    world_start(&w);
    for (uint64_t i = 1; i <= HF_WEBRTC_CALLERS_MAX; i++) CHECK(!call(&w, i, 0));
    CHECK(!strcmp(call(&w, 99, 0), "too many are called at once"));
    for (uint64_t i = 2; i <= HF_WEBRTC_CALLERS_MAX; i++) hf_webrtc_call_off(&w.callers, i);
    hf_webrtc_call_off(&w.callers, 99);
    while (!w.caller.n_up) uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(w.caller.dial == 1);
    CHECK(!call(&w, 5, 0)); /* there is room again */
    while (w.caller.n_up < 2) uv_run(&w.loop, UV_RUN_ONCE);
    CHECK(w.caller.dial == 5 && !w.caller.n_undialled);
    world_stop(&w);
}

static bool reads(const char *text) {
    struct sockaddr_storage place;
    uint8_t certificate[32];
    hf_buf binary;
    hf_buf_init(&binary, hf_test_mem());
    CHECK_ERR(hf_multiaddr_parse(hf_str(text), &binary, NULL), HF_OK);
    bool ok = hf_webrtc_read_address(hf_buf_bytes(&binary), &place, certificate);
    if (ok && place.ss_family == AF_INET) CHECK(((struct sockaddr_in *)&place)->sin_port == htons(9) && certificate[0] == 0x4c);
    hf_buf_deinit(&binary);
    return ok;
}

#define HASH "/certhash/uEiBM9JgbBXA0sqMJ9OfC0qBGhMYB4MnJNsRmEOjwRVnhEg"
HF_TEST(webrtc_reads_addresses_that_can_be_called) {
    CHECK(reads("/ip4/1.2.3.4/udp/9/webrtc-direct" HASH));
    CHECK(reads("/ip6/::1/udp/9/webrtc-direct" HASH "/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN"));
    CHECK(!reads("/ip4/1.2.3.4/udp/9/webrtc-direct"));
    CHECK(!reads("/ip4/1.2.3.4/udp/0/webrtc-direct" HASH));
    CHECK(!reads("/ip4/1.2.3.4/tcp/9"));
    CHECK(!reads("/dns4/example.org/udp/9/webrtc-direct" HASH));
    CHECK(!reads("/ip4/1.2.3.4/udp/9/webrtc-direct" HASH "/p2p/12D3KooWAsK6AytDZUSMpuvBBi4JKYDsgaBrph7QtJ32vsBQkVPN/p2p-circuit"));
}

/* What there is no room for: it is turned away, costs the peer nothing, and comes when there is room. Peer 0 has the bounds. */
#include "sync.h"

#include "../../tests/kit/net.h"

#include <string.h>

enum { HALF_A_DAY_MS = 12 * 60 * 60 * 1000 };

static size_t n_here(hf_net *net, size_t peer) { return hf_log_n(hf_net_at(net, peer)->logs[0]); }

static void append_n(hf_net *net, size_t peer, size_t n) {
    for (size_t i = 0; i < n; i++) hf_net_append(net, peer, 0);
}

static uint64_t bytes_of(hf_net *net, size_t at, size_t writer) {
    const hf_log *log = hf_net_at(net, at)->logs[0];
    for (uint32_t i = 0; i < hf_log_n_writers(log); i++)
        if (hf_eq(hf_log_writer_key(log, i), HF_BYTES(hf_net_at(net, writer)->writer.public_key, HF_PUBLIC_KEY_HEX_LEN))) return hf_log_writer_bytes(log, i);
    return 0;
}

HF_TEST(sync_quota_full_and_room_again) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 5, .n_peers = 3, .heads_only = {false, false, true}});
    hf_net_peer *us = hf_net_at(net, 0);
    append_n(net, 0, 3);
    hf_net_connect(net, 1, 0);
    hf_net_connect(net, 2, 0);
    CHECK(hf_net_settle(net, 2000));
    hf_sync_full(us->sync, hf_net_now(net), "full");
    append_n(net, 1, 100);
    append_n(net, 2, 20);
    hf_net_run(net, 60000);
    CHECK_U64(n_here(net, 0), 3);
    CHECK(us->n_refused > 0 && us->n_refused < 60);
    CHECK_MSG(!strcmp(us->reason, "full"), "%s", us->reason);
    CHECK_U64(us->n_abuse, 0);
    CHECK(hf_net_connected(net, 0, 1) && hf_net_connected(net, 0, 2));
    append_n(net, 0, 2); /* ours go on, and are told to others */
    hf_net_run(net, 2000);
    CHECK_U64(n_here(net, 0), 5);
    CHECK_U64(n_here(net, 1), 105);
    hf_sync_full(us->sync, hf_net_now(net), NULL);
    CHECK(hf_net_settle(net, 2500)); /* at once, and not when heads are compared */
    CHECK_U64(n_here(net, 0), 125);
    hf_net_free(net);
}

/* A writer over its bound, and one who wrote after it had seen all of that. */
static hf_net *flood(hf_sync_limits limits, size_t n) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 6, .n_peers = 3});
    hf_sync_quota(hf_net_at(net, 0)->sync, &limits);
    hf_net_connect(net, 1, 0);
    hf_net_append(net, 1, 0);
    CHECK(hf_net_settle(net, 1000) || true);
    append_n(net, 1, n);
    hf_net_run(net, 20000);
    return net;
}

HF_TEST(sync_quota_of_a_writer_in_all) {
    hf_net *net = flood((hf_sync_limits){.total_bytes = 20000}, 200);
    hf_net_peer *us = hf_net_at(net, 0);
    size_t here = n_here(net, 0);
    CHECK_MSG(bytes_of(net, 0, 1) >= 20000 && bytes_of(net, 0, 1) < 22000, "%u bytes", (unsigned)bytes_of(net, 0, 1));
    CHECK(here > 5 && here < 100 && us->n_abuse == 0 && us->n_refused == 1);
    CHECK_MSG(!strcmp(us->reason, "sync: this writer has as much here as one may have"), "%s", us->reason);
    hf_net_run(net, 2 * HALF_A_DAY_MS);
    CHECK_U64(n_here(net, 0), here);
    append_n(net, 0, 1); /* ours */
    hf_net_run(net, 1000);
    CHECK_U64(n_here(net, 0), here + 1);
    /* Somebody else, who saw it all: what its entry stands on comes with it. */
    hf_net_connect(net, 2, 1);
    hf_net_run(net, 20000);
    CHECK_U64(n_here(net, 2), 202);
    append_n(net, 2, 1);
    hf_net_connect(net, 2, 0);
    hf_net_run(net, 60000);
    CHECK_U64(n_here(net, 0), 203);
    CHECK_U64(us->n_abuse, 0);
    hf_net_free(net);
}

HF_TEST(sync_quota_of_a_writer_a_day) {
    hf_net *net = flood((hf_sync_limits){.day_bytes = 40000}, 150);
    hf_net_peer *us = hf_net_at(net, 0);
    size_t here = n_here(net, 0);
    CHECK(here > 5 && here < 100);
    CHECK_MSG(bytes_of(net, 0, 1) < 42000, "%u bytes", (unsigned)bytes_of(net, 0, 1));
    CHECK_MSG(!strcmp(us->reason, "sync: this writer wrote more than one may in a day"), "%s", us->reason);
    hf_net_run(net, HALF_A_DAY_MS / 2);
    CHECK_U64(n_here(net, 0), here); /* not a trickle */
    hf_net_run(net, HALF_A_DAY_MS / 2 + 2 * 60 * 60 * 1000); /* what came at once was more than a bucket */
    CHECK_MSG(n_here(net, 0) > here + here / 4 && n_here(net, 0) < here * 2, "%zu after %zu", n_here(net, 0), here);
    CHECK(bytes_of(net, 0, 1) < 62000);
    hf_net_run(net, 12 * (uint64_t)HALF_A_DAY_MS);
    CHECK_U64(n_here(net, 0), 151);
    CHECK_U64(us->n_abuse, 0);
    hf_net_free(net);
}

HF_TEST(sync_quota_does_not_count_what_is_ours) {
    hf_net *net = hf_net_new(&(hf_net_config){.seed = 8, .n_peers = 2, .writer_of = {0, 1}});
    hf_net_peer *us = hf_net_at(net, 0);
    hf_sync_limits limits = {.total_bytes = 1000, .day_bytes = 1000, .exempt = HF_BYTES(us->writer.public_key, HF_PUBLIC_KEY_HEX_LEN)};
    hf_sync_quota(us->sync, &limits);
    append_n(net, 1, 50);
    hf_net_connect(net, 1, 0);
    CHECK(hf_net_settle(net, 20000));
    hf_net_free(net);
}

/* Hosts in a network in memory: host n is at /ip4/10.0.0.n/tcp/1. What they want dialled is dialled, what they send arrives. */
#include "host.h"
#include "host_autonat.h"
#include "host_dcutr.h"
#include "host_gossip.h"
#include "host_kad.h"
#include "host_named.h"
#include "host_relay.h"

#include "../../tests/kit/check.h"
#include "../codec/multiaddr.h"
#include "../crypto/crypto.h"

#include <string.h>

enum { HOSTS_MAX = 4, WIRES_MAX = 64, EVENTS_MAX = 64, TAG_TEST = HF_HOST_TAG_USER + 1 };
#define TEST_PROTOCOL "/test/1"

typedef struct end {
    hf_host *host;
    uint64_t random, conn; /* conn: the next number */
    hf_relay *relay;
    hf_gossip *gossip;
    hf_kad *kad;
    /* what came out */
    uint64_t contexts[EVENTS_MAX];
    const char *reasons[EVENTS_MAX];
    size_t n_answers, n_up, n_down, n_dials;
    uint64_t stream;
    hf_buf received, news;
    uint64_t found_op;
    bool found;
    hf_autonat_reach reach;
    size_t n_reach, n_upgraded, n_reached_at;
} end;

/* A channel between two hosts; what is under way stands in `inbox` of the side that it goes to. */
typedef struct wire {
    struct side { end *end; uint64_t conn; hf_buf inbox; bool open; } sides[2];
} wire;

typedef struct net {
    end ends[HOSTS_MAX];
    wire wires[WIRES_MAX];
    size_t n_ends, n_wires;
    uint64_t now_ms;
    bool deaf[HOSTS_MAX]; /* refuses dials */
    bool far;             /* who is dialled sees a public address, who dials believes to be at home */
} net;

static hf_bytes address_of(size_t i) {
    uint8_t bytes[] = {4, 10, 0, 0, (uint8_t)i, 6, 0, 1};
    return hf_arena_copy(hf_test_arena(), HF_BYTES(bytes, sizeof bytes));
}

static bool can_dial(void *ctx, hf_bytes address) {
    (void)ctx;
    return address.len == 8;
}

static net *start(size_t n) {
    net *w = hf_arena_alloc(hf_test_arena(), sizeof *w);
    w->n_ends = n;
    w->now_ms = 1000;
    for (size_t i = 0; i < n; i++) {
        end *e = &w->ends[i];
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        e->random = i + 1;
        hf_host_config config = {.swarm = {.ed25519_seed = seed, .agent = HF_TEXT("test"), .random = hf_test_random_fill, .random_ctx = &e->random},
                                 .can_dial = can_dial, .dialling = &hf_host_dialling};
        e->host = hf_host_new(hf_test_mem(), &config);
        hf_buf_init(&e->received, hf_test_mem());
        hf_buf_init(&e->news, hf_test_mem());
        hf_bytes address = address_of(i);
        CHECK_ERR(hf_swarm_protocol(hf_host_swarm(e->host), HF_TEXT(TEST_PROTOCOL), TAG_TEST), HF_OK);
        CHECK_ERR(hf_swarm_addresses(hf_host_swarm(e->host), &address, 1), HF_OK);
    }
    return w;
}

static void stop(net *w) {
    for (size_t i = 0; i < w->n_wires; i++)
        for (size_t k = 0; k < 2; k++) hf_buf_deinit(&w->wires[i].sides[k].inbox);
    for (size_t i = 0; i < w->n_ends; i++) {
        hf_host_free(w->ends[i].host);
        hf_buf_deinit(&w->ends[i].received);
        hf_buf_deinit(&w->ends[i].news);
    }
}

static void connect_wire(net *w, end *from, uint64_t dial, hf_bytes address) {
    size_t to = address.ptr[4];
    if (to >= w->n_ends || w->deaf[to]) return hf_host_dial_failed(from->host, w->now_ms, dial, "refused");
    CHECK(w->n_wires < WIRES_MAX);
    wire *x = &w->wires[w->n_wires++];
    *x = (wire){.sides = {{.end = from, .conn = ++from->conn, .open = true}, {.end = &w->ends[to], .conn = ++w->ends[to].conn, .open = true}}};
    for (size_t k = 0; k < 2; k++) hf_buf_init(&x->sides[k].inbox, hf_test_mem());
    hf_bytes home = HF_BYTES("\x04\x7f\0\0\1\x06\0\1", 8), out_there = HF_BYTES("\x04\x08\x08\x08\x08\x06\0\1", 8);
    if (hf_host_conn_open(from->host, w->now_ms, x->sides[0].conn, dial, w->far ? home : address)) x->sides[0].open = false;
    if (hf_host_conn_open(w->ends[to].host, w->now_ms, x->sides[1].conn, 0, w->far ? out_there : address_of((size_t)(from - w->ends))))
        x->sides[1].open = false;
}

static struct side *find_side(net *w, const end *e, uint64_t conn, struct side **ret_other) {
    for (size_t i = 0; i < w->n_wires; i++)
        for (size_t k = 0; k < 2; k++)
            if (w->wires[i].sides[k].end == e && w->wires[i].sides[k].conn == conn) {
                *ret_other = &w->wires[i].sides[1 - k];
                return &w->wires[i].sides[k];
            }
    return NULL;
}

static void on_event(end *e, const hf_swarm_out *event) {
    e->n_up += event->kind == HF_SWARM_CONN_UP;
    e->n_down += event->kind == HF_SWARM_CONN_DOWN;
    if (event->kind == HF_SWARM_STREAM_OPEN) e->stream = event->stream;
    if (event->kind == HF_SWARM_STREAM_DATA) hf_buf_add(&e->received, event->bytes);
}

static void on_said(end *e, const hf_host_out *out) {
    const hf_gossip_out *gossip = out->said;
    const hf_kad_out *kad = out->said;
    if (!strcmp(out->part, HF_HOST_GOSSIP) && gossip->kind == HF_GOSSIP_MESSAGE) hf_buf_add(&e->news, gossip->data);
    if (!strcmp(out->part, HF_HOST_AUTONAT)) {
        const hf_host_reach *reach = out->said;
        e->reach = reach->reach;
        e->n_reached_at = reach->n_addrs;
        e->n_reach++;
    }
    if (!strcmp(out->part, HF_HOST_DCUTR)) e->n_upgraded += ((const hf_dcutr_out *)out->said)->kind == HF_DCUTR_UPGRADED;
    if (!strcmp(out->part, HF_HOST_KAD) && kad->kind == HF_KAD_PEER) e->found = kad->op == e->found_op;
}

static void take(net *w, end *e, const hf_host_out *out) {
    struct side *other = NULL, *side = out->conn ? find_side(w, e, out->conn, &other) : NULL;
    switch (out->kind) {
    case HF_HOST_SEND:
        CHECK(side);
        if (other->open) hf_buf_add(&other->inbox, out->bytes);
        break;
    case HF_HOST_CLOSE:
        CHECK(side);
        side->open = false;
        break;
    case HF_HOST_DIAL:
        e->n_dials++;
        connect_wire(w, e, out->dial, out->bytes);
        break;
    case HF_HOST_CONNECTED:
        CHECK(e->n_answers < EVENTS_MAX);
        e->contexts[e->n_answers] = out->context;
        e->reasons[e->n_answers++] = out->reason;
        break;
    case HF_HOST_EVENT: on_event(e, out->event); break;
    case HF_HOST_SAID: on_said(e, out); break;
    default: break;
    }
}

static bool deliver(net *w, struct side *side, struct side *from) {
    if (side->inbox.len && side->open) {
        hf_bytes bytes = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&side->inbox));
        hf_buf_clear(&side->inbox);
        (void)!hf_host_conn_recv(side->end->host, w->now_ms, side->conn, bytes);
        return true;
    }
    if (from->open || !side->open) return false;
    side->open = false;
    hf_host_conn_lost(side->end->host, w->now_ms, side->conn);
    return true;
}

/* Until nothing moves. */
static void settle(net *w) {
    hf_host_out out;
    bool moved = true;
    while (moved) {
        moved = false;
        for (size_t i = 0; i < w->n_ends; i++)
            while (hf_host_next(w->ends[i].host, w->now_ms, &out)) {
                take(w, &w->ends[i], &out);
                moved = true;
            }
        for (size_t i = 0; i < w->n_wires; i++)
            for (size_t k = 0; k < 2; k++)
                if (deliver(w, &w->wires[i].sides[k], &w->wires[i].sides[1 - k])) moved = true;
    }
}

static void wait(net *w, uint64_t ms) {
    uint64_t until = w->now_ms + ms;
    settle(w);
    for (;;) {
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < w->n_ends; i++) {
            uint64_t d = hf_host_deadline(w->ends[i].host);
            if (d < next) next = d;
        }
        if (next > until) break;
        if (next > w->now_ms) w->now_ms = next;
        for (size_t i = 0; i < w->n_ends; i++) hf_host_tick(w->ends[i].host, w->now_ms);
        settle(w);
    }
    w->now_ms = until;
}

static const hf_peer_id *id_of(net *w, size_t i) { return hf_host_self(w->ends[i].host); }

static hf_err join(net *w, size_t from, size_t to, uint64_t context) {
    hf_bytes address = address_of(to);
    return hf_host_connect(w->ends[from].host, w->now_ms, id_of(w, to), &address, 1, 0, context);
}

static void check_answer(const end *e, size_t i, uint64_t context, const char *reason) {
    CHECK(e->n_answers > i);
    CHECK_U64(e->contexts[i], context);
    CHECK_MSG(!reason == !e->reasons[i] && (!reason || !strcmp(reason, e->reasons[i])), "%s", e->reasons[i] ? e->reasons[i] : "worked");
}

/* ---- */

HF_TEST(host_connects_and_carries_streams) {
    net *w = start(2);
    uint64_t stream;
    hf_bytes known;
    CHECK_ERR(join(w, 0, 1, 7), HF_OK);
    settle(w);
    check_answer(&w->ends[0], 0, 7, NULL);
    CHECK(w->ends[0].n_up == 1 && w->ends[1].n_up == 1);
    hf_swarm *swarm = hf_host_swarm(w->ends[0].host);
    CHECK_ERR(hf_swarm_stream_open(swarm, w->now_ms, id_of(w, 1), HF_TEXT(TEST_PROTOCOL), TAG_TEST, &stream), HF_OK);
    CHECK_ERR(hf_swarm_stream_write(swarm, w->now_ms, stream, HF_TEXT("hello")), HF_OK);
    settle(w);
    CHECK_BYTES(hf_buf_bytes(&w->ends[1].received), HF_TEXT("hello"));
    /* identify filled the book of the one that was dialled */
    CHECK(hf_book_address(hf_host_book(w->ends[1].host), w->now_ms, id_of(w, 0), 0, &known) && hf_eq(known, address_of(0)));
    bool speaks = false;
    for (size_t i = 0; hf_book_protocol(hf_host_book(w->ends[1].host), id_of(w, 0), i, &known); i++) speaks |= hf_eq(known, HF_TEXT(TEST_PROTOCOL));
    CHECK(speaks);
    CHECK_ERR(join(w, 0, 1, 8), HF_OK); /* it is there: no dial */
    settle(w);
    check_answer(&w->ends[0], 1, 8, NULL);
    CHECK_U64(w->ends[0].n_dials, 1);
    CHECK(hf_host_disconnect(w->ends[0].host, w->now_ms, id_of(w, 1)));
    CHECK(!hf_host_disconnect(w->ends[0].host, w->now_ms, id_of(w, 1)));
    settle(w);
    CHECK(w->ends[0].n_down == 1 && w->ends[1].n_down == 1);
    CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, id_of(w, 0), NULL, 0, 0, 9), HF_OK); /* by the book */
    settle(w);
    check_answer(&w->ends[1], 0, 9, NULL);
    stop(w);
}

static size_t n_known(net *w, size_t at, size_t of, hf_bytes *ret_first) {
    size_t n = 0;
    for (hf_bytes address; hf_book_address(hf_host_book(w->ends[at].host), w->now_ms, id_of(w, of), n, &address); n++)
        if (!n) *ret_first = hf_arena_copy(hf_test_arena(), address);
    return n;
}

/* Host 1 comes from the Internet and says of itself what would make host 0 knock at doors of its own machine and network. Nor is it told of them. */
HF_TEST(host_does_not_knock_for_strangers) {
    static const char *const theirs[] = {"/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.3/tcp/6379", "/ip4/169.254.169.254/tcp/80", "/ip6/::1/tcp/4001",
                                         "/ip4/9.9.9.9/tcp/25", "/ip4/0.0.0.0/tcp/4001", "/ip4/9.9.9.9/tcp/4001"};
    net *w = start(2);
    hf_bytes list[HF_COUNT(theirs)], ours[2], known = HF_BYTES(NULL, 0);
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(theirs); i++) {
        hf_buf_clear(&text);
        CHECK_ERR(hf_multiaddr_parse(hf_str(theirs[i]), &text, NULL), HF_OK);
        list[i] = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&text));
    }
    hf_buf_deinit(&text);
    ours[0] = address_of(0), ours[1] = list[HF_COUNT(theirs) - 1];
    CHECK_ERR(hf_swarm_addresses(hf_host_swarm(w->ends[1].host), list, HF_COUNT(list)), HF_OK);
    CHECK_ERR(hf_swarm_addresses(hf_host_swarm(w->ends[0].host), ours, 2), HF_OK);
    w->far = true;
    hf_bytes to = address_of(0);
    CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, NULL, &to, 1, 0, 1), HF_OK);
    wait(w, 1000);
    CHECK(hf_swarm_connected(hf_host_swarm(w->ends[0].host), id_of(w, 1)));
    CHECK_U64(n_known(w, 0, 1, &known), 1);
    CHECK_BYTES(known, list[HF_COUNT(theirs) - 1]);
    CHECK_U64(n_known(w, 1, 0, &known), 1); /* it was told of the public one only */
    CHECK_BYTES(known, ours[1]);
    CHECK(hf_host_disconnect(w->ends[0].host, w->now_ms, id_of(w, 1)));
    wait(w, 1000);
    CHECK_ERR(hf_host_connect(w->ends[0].host, w->now_ms, id_of(w, 1), NULL, 0, 0, 2), HF_OK);
    wait(w, 70000);
    CHECK_U64(w->ends[0].n_dials, 1);
    stop(w);
}

static size_t n_named(net *w, uint64_t conn, const hf_bytes *list, size_t n_list, uint8_t who, hf_bytes *ret_first) {
    uint8_t seed[32] = {who}, message[36] = {8, 1, 18, 32};
    hf_peer_id peer;
    hf_buf envelope;
    hf_buf_init(&envelope, hf_test_mem());
    hf_ed25519_public(seed, message + 4);
    CHECK_ERR(hf_peer_id_of_key(HF_BYTES(message, sizeof message), &peer), HF_OK);
    CHECK_ERR(hf_peer_record_seal(hf_test_mem(), seed, 1, list, n_list, &envelope), HF_OK);
    CHECK(!hf_host_named(w->ends[0].host, hf_test_mem(), w->now_ms, conn, id_of(w, 1), hf_buf_bytes(&envelope))); /* another's */
    CHECK(hf_host_named(w->ends[0].host, hf_test_mem(), w->now_ms, conn, &peer, hf_buf_bytes(&envelope)));
    size_t n = 0;
    for (hf_bytes address; hf_book_address(hf_host_book(w->ends[0].host), w->now_ms, &peer, n, &address); n++)
        if (!n) *ret_first = hf_arena_copy(hf_test_arena(), address);
    hf_buf_deinit(&envelope);
    return n;
}

/* Host 1 names others, with records that these signed: from the Internet, then from our own network. */
HF_TEST(host_does_not_knock_where_others_are_named) {
    static const char *const theirs[] = {"/ip4/127.0.0.1/tcp/4001", "/ip4/10.0.0.3/tcp/6379", "/ip4/169.254.169.254/tcp/80", "/ip6/::1/tcp/4001",
                                         "/ip6/::ffff:127.0.0.1/tcp/4001", "/ip4/9.9.9.9/tcp/25", "/dns4/localhost/tcp/4001", "/ip4/9.9.9.9/tcp/4001"};
    hf_bytes list[HF_COUNT(theirs)], first = HF_BYTES(NULL, 0);
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(theirs); i++) {
        hf_buf_clear(&text);
        CHECK_ERR(hf_multiaddr_parse(hf_str(theirs[i]), &text, NULL), HF_OK);
        list[i] = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&text));
    }
    hf_buf_deinit(&text);
    for (int far = 0; far < 2; far++) {
        net *w = start(2);
        hf_bytes to = address_of(0);
        uint64_t conn;
        w->far = far;
        CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, NULL, &to, 1, 0, 1), HF_OK);
        wait(w, 1000);
        CHECK(hf_swarm_peer_conn(hf_host_swarm(w->ends[0].host), id_of(w, 1), 0, &conn));
        CHECK_U64(n_named(w, conn, list, HF_COUNT(list), 77, &first), far ? 1 : 3);
        if (far) CHECK_BYTES(first, list[HF_COUNT(theirs) - 1]);
        CHECK_U64(n_named(w, 0, list, HF_COUNT(list), 78, &first), 1); /* it has gone */
        stop(w);
    }
}

HF_TEST(host_says_why_not) {
    net *w = start(2);
    w->deaf[1] = true;
    CHECK_ERR(join(w, 0, 1, 7), HF_OK);
    settle(w);
    check_answer(&w->ends[0], 0, 7, "refused");
    w->deaf[1] = false;
    hf_bytes wrong = address_of(0); /* its own: somebody else is there */
    hf_peer_id stranger = {.bytes = {0x12, 0x20}, .len = 34};
    CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, &stranger, &wrong, 1, 0, 8), HF_OK);
    settle(w);
    check_answer(&w->ends[1], 0, 8, "noise: not the peer we dialled");
    CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, id_of(w, 1), &wrong, 1, 0, 9), HF_DENIED);
    CHECK_ERR(hf_host_connect(w->ends[1].host, w->now_ms, NULL, &wrong, 1, 0, 10), HF_OK); /* whoever is there */
    settle(w);
    check_answer(&w->ends[1], 1, 10, NULL);
    stop(w);
}

/* Both dial at once: both wishes are granted, and what is left works. */
HF_TEST(host_dials_both_ways_at_once) {
    net *w = start(2);
    uint64_t stream;
    CHECK_ERR(join(w, 0, 1, 7), HF_OK);
    CHECK_ERR(join(w, 1, 0, 8), HF_OK);
    settle(w);
    wait(w, 20000);
    check_answer(&w->ends[0], 0, 7, NULL);
    check_answer(&w->ends[1], 0, 8, NULL);
    CHECK(hf_swarm_connected(hf_host_swarm(w->ends[0].host), id_of(w, 1)));
    CHECK_ERR(hf_swarm_stream_open(hf_host_swarm(w->ends[0].host), w->now_ms, id_of(w, 1), HF_TEXT(TEST_PROTOCOL), TAG_TEST, &stream), HF_OK);
    settle(w);
    CHECK(w->ends[1].stream != 0);
    stop(w);
}

HF_TEST(host_reaches_peers_over_a_relay) {
    net *w = start(3); /* 0 dials 1 over 2 */
    for (size_t i = 0; i < 3; i++) {
        hf_relay_config config = {.serve = i == 2};
        CHECK_ERR(hf_host_add_relay(w->ends[i].host, hf_test_mem(), 0x100, &config, &w->ends[i].relay), HF_OK);
    }
    w->deaf[0] = w->deaf[1] = true; /* behind NATs */
    hf_buf address;
    hf_buf_init(&address, hf_test_mem());
    hf_buf_add(&address, address_of(2));
    hf_buf_add(&address, HF_BYTES("\xa5\x03\x26", 3));
    hf_buf_add(&address, hf_peer_id_bytes(id_of(w, 2)));
    hf_buf_add(&address, HF_BYTES("\xa2\x02", 2));
    const hf_bytes over = hf_buf_bytes(&address);
    CHECK_ERR(join(w, 1, 2, 1), HF_OK);
    settle(w);
    CHECK_ERR(hf_host_connect(w->ends[0].host, w->now_ms, id_of(w, 1), &over, 1, 0, 7), HF_OK);
    settle(w);
    check_answer(&w->ends[0], 0, 7, "relay: NO_RESERVATION (204)");
    CHECK_ERR(hf_relay_reserve(w->ends[1].relay, w->now_ms, id_of(w, 2)), HF_OK);
    wait(w, 1000);
    CHECK_ERR(hf_host_connect(w->ends[0].host, w->now_ms, id_of(w, 1), &over, 1, 0, 8), HF_OK);
    wait(w, 1000);
    check_answer(&w->ends[0], 1, 8, NULL);
    CHECK(hf_swarm_connected(hf_host_swarm(w->ends[0].host), id_of(w, 1)));
    hf_buf_deinit(&address);
    stop(w);
}

HF_TEST(host_carries_gossip_and_the_dht) {
    net *w = start(3);
    for (size_t i = 0; i < 3; i++) {
        end *e = &w->ends[i];
        uint8_t seed[32] = {(uint8_t)(i + 1)};
        hf_gossip_config gossip = {.ed25519_seed = seed, .random = hf_test_random_fill, .random_ctx = &e->random};
        hf_kad_config kad = {.server = true, .network = HF_KAD_ANY_NETWORK, .random = hf_test_random_fill, .random_ctx = &e->random};
        CHECK_ERR(hf_host_add_gossip(e->host, hf_test_mem(), 0x200, &gossip, &e->gossip), HF_OK);
        CHECK_ERR(hf_host_add_kad(e->host, hf_test_mem(), 0x300, &kad, &e->kad), HF_OK);
    }
    const hf_gossip_subscription at_once = {.auto_accept = true};
    CHECK_ERR(hf_gossip_subscribe(w->ends[2].gossip, w->now_ms, HF_TEXT("topic"), &at_once), HF_OK);
    CHECK_ERR(hf_gossip_subscribe(w->ends[1].gossip, w->now_ms, HF_TEXT("topic"), &at_once), HF_OK);
    CHECK_ERR(join(w, 0, 1, 1), HF_OK);
    CHECK_ERR(join(w, 2, 1, 1), HF_OK);
    wait(w, 3000);
    CHECK_ERR(hf_gossip_publish(w->ends[0].gossip, w->now_ms, HF_TEXT("topic"), HF_TEXT("news"), NULL, NULL), HF_OK);
    wait(w, 3000);
    CHECK_BYTES(hf_buf_bytes(&w->ends[2].news), HF_TEXT("news")); /* over the one in the middle */
    /* 0 does not know 2; 1 does */
    CHECK_ERR(hf_kad_find_peer(w->ends[0].kad, w->now_ms, id_of(w, 2), &w->ends[0].found_op), HF_OK);
    wait(w, 3000);
    CHECK(w->ends[0].found);
    stop(w);
}

/* Both versions, over connections made for it, which leave nothing behind. */
HF_TEST(host_finds_out_whether_it_can_be_reached) {
    for (int reachable = 0; reachable < 2; reachable++) {
        net *w = start(2);
        for (size_t i = 0; i < 2; i++) {
            hf_host_autonat *autonat;
            hf_autonat2_config config = {.serve = true, .any_address = true, .confidence = 1, .random = hf_test_random_fill, .random_ctx = &w->ends[i].random};
            CHECK_ERR(hf_host_add_autonat(w->ends[i].host, hf_test_mem(), 0x500, &config, &autonat), HF_OK);
        }
        w->deaf[0] = !reachable;
        CHECK_ERR(join(w, 0, 1, 1), HF_OK);
        wait(w, 60000);
        CHECK_U64(w->ends[0].reach, reachable ? HF_AUTONAT_PUBLIC : HF_AUTONAT_PRIVATE);
        CHECK_U64(w->ends[0].n_reached_at, reachable);
        CHECK_U64(w->ends[1].reach, HF_AUTONAT_PUBLIC);
        uint64_t conn;
        CHECK(hf_swarm_peer_conn(hf_host_swarm(w->ends[0].host), id_of(w, 1), 0, &conn));
        CHECK(!hf_swarm_peer_conn(hf_host_swarm(w->ends[0].host), id_of(w, 1), 1, &conn));
        stop(w);
    }
}

/* Who was called over a relay dials whoever called, and the relay is left. */
HF_TEST(host_leaves_a_relay_for_a_direct_connection) {
    net *w = start(3);
    for (size_t i = 0; i < 3; i++) {
        hf_relay_config config = {.serve = i == 2};
        CHECK_ERR(hf_host_add_relay(w->ends[i].host, hf_test_mem(), 0x100, &config, &w->ends[i].relay), HF_OK);
        CHECK_ERR(hf_host_add_dcutr(w->ends[i].host, hf_test_mem(), 0x600, true), HF_OK);
    }
    w->deaf[1] = true;
    CHECK_ERR(join(w, 1, 2, 1), HF_OK);
    CHECK_ERR(join(w, 0, 2, 1), HF_OK);
    settle(w);
    CHECK_ERR(hf_relay_reserve(w->ends[1].relay, w->now_ms, id_of(w, 2)), HF_OK);
    wait(w, 1000);
    CHECK_ERR(hf_relay_connect(w->ends[0].relay, w->now_ms, id_of(w, 2), id_of(w, 1), 0), HF_OK);
    wait(w, 30000);
    uint64_t conn;
    CHECK(w->ends[0].n_upgraded == 1 && w->ends[1].n_upgraded == 1);
    CHECK_ERR(hf_swarm_direct(hf_host_swarm(w->ends[0].host), id_of(w, 1), &conn), HF_OK);
    CHECK(!hf_swarm_peer_conn(hf_host_swarm(w->ends[0].host), id_of(w, 1), 1, &conn));
    stop(w);
}

/* ---- parts ---- */

typedef struct probe { size_t n_conns, n_streams, n_freed, n_connected; uint64_t context; uint64_t due_ms; } probe;

static bool probe_event(void *ctx, uint64_t now_ms, const hf_swarm_out *e) {
    (void)now_ms;
    probe *p = ctx;
    bool conn = e->kind == HF_SWARM_CONN_UP || e->kind == HF_SWARM_IDENTIFIED || e->kind == HF_SWARM_CONN_DOWN;
    p->n_conns += conn;
    p->n_streams += !conn;
    return true; /* counts for carriers only */
}

static bool probe_next(void *ctx, uint64_t now_ms, hf_host_out *out) { return (void)ctx, (void)now_ms, (void)out, false; }
static uint64_t probe_deadline(void *ctx) { return ((probe *)ctx)->due_ms; }
static void probe_tick(void *ctx, uint64_t now_ms) { ((probe *)ctx)->due_ms = now_ms + 1000000; }
static void probe_free(void *ctx) { ((probe *)ctx)->n_freed++; }

static void probe_connected(void *ctx, uint64_t now_ms, const hf_peer_id *peer, uint64_t context, const char *reason) {
    (void)now_ms, (void)peer;
    probe *p = ctx;
    p->context = context;
    p->n_connected += !reason;
}

HF_TEST(host_gives_parts_their_events) {
    net *w = start(2);
    probe own = {.due_ms = 5000}, other = {.due_ms = UINT64_MAX};
    hf_host_part part = {.name = "own", .ctx = &own, .tag = 0x400, .n_tags = 2, .event = probe_event, .next = probe_next, .deadline = probe_deadline,
                         .tick = probe_tick, .free = probe_free, .connected = probe_connected};
    CHECK_ERR(hf_host_add(w->ends[0].host, &part), HF_OK);
    part = (hf_host_part){.name = "other", .ctx = &other, .tag = 0x402, .n_tags = 1, .event = probe_event, .next = probe_next, .free = probe_free};
    CHECK_ERR(hf_host_add(w->ends[0].host, &part), HF_OK);
    CHECK_ERR(hf_swarm_protocol(hf_host_swarm(w->ends[0].host), HF_TEXT("/own/1"), 0x401), HF_OK);
    CHECK(hf_host_deadline(w->ends[0].host) <= 5000);
    hf_bytes address = address_of(1);
    CHECK_ERR(hf_host_part_connect(w->ends[0].host, w->now_ms, &own, id_of(w, 1), &address, 1, 77), HF_OK);
    settle(w);
    CHECK(own.n_connected == 1 && own.context == 77 && w->ends[0].n_answers == 0);
    CHECK(own.n_conns == 2 && other.n_conns == 2); /* up, identified */
    uint64_t stream;
    hf_swarm *swarm = hf_host_swarm(w->ends[1].host);
    CHECK_ERR(hf_swarm_stream_open(swarm, w->now_ms, id_of(w, 0), HF_TEXT("/own/1"), TAG_TEST, &stream), HF_OK);
    settle(w);
    CHECK(own.n_streams == 1 && other.n_streams == 0 && w->ends[0].stream == 0);
    for (size_t i = 2; i < HF_HOST_PARTS_MAX; i++) CHECK_ERR(hf_host_add(w->ends[0].host, &part), HF_OK);
    CHECK_ERR(hf_host_add(w->ends[0].host, &part), HF_LIMIT);
    stop(w);
    CHECK(own.n_freed == 1 && other.n_freed == HF_HOST_PARTS_MAX - 1);
}

HF_TEST(host_survives_no_memory) {
    for (size_t n = 1; n < 400; n++) {
        uint8_t seed[32] = {1};
        uint64_t random = 1;
        hf_relay *relay;
        hf_relay_config relay_config = {.serve = true};
        hf_host_config config = {.swarm = {.ed25519_seed = seed, .random = hf_test_random_fill, .random_ctx = &random}, .can_dial = can_dial, .dialling = &hf_host_dialling};
        hf_bytes address = HF_BYTES("\x04\x0a\0\0\1\x06\0\1", 8);
        hf_peer_id peer = {.bytes = {0x12, 0x20}, .len = 34};
        hf_test_mem_fail_at(n);
        hf_host *host = hf_host_new(hf_test_mem(), &config);
        hf_err err = host ? hf_host_add_relay(host, hf_test_mem(), 0x100, &relay_config, &relay) : HF_NOMEM;
        if (!err) err = hf_host_connect(host, 0, &peer, &address, 1, 0, 7);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == (err == HF_NOMEM));
        hf_host_free(host);
        if (!failed) return;
    }
    CHECK_MSG(false, "never enough memory");
}

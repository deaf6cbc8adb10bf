/* Which addresses are dialled when. Time is turned by hand; what comes out is written down as text: d1 a dial, x1 its cancellation,
 * +7 and -7 the answers to the wish with context 7. */
#include "dialer.h"

#include "../../tests/kit/check.h"
#include "../codec/multiaddr.h"

#include <stdio.h>
#include <string.h>

typedef struct scene {
    hf_book *book;
    hf_dialer *dialer;
    uint64_t now_ms;
    char log[1024];
    char addresses[64][64]; /* of the dials, by number */
    const char *reason;
} scene;

static bool can(void *ctx, hf_bytes address) {
    (void)ctx;
    hf_multiaddr parts;
    return !hf_multiaddr_read(address, &parts, NULL) && !hf_multiaddr_find(&parts, HF_MA_UDP);
}

static scene *start(void) {
    scene *s = hf_arena_alloc(hf_test_arena(), sizeof *s);
    s->book = hf_book_new(hf_test_mem(), 1);
    s->dialer = hf_dialer_new(hf_test_mem(), s->book, can, NULL);
    return s;
}

static void stop(scene *s) {
    hf_dialer_free(s->dialer);
    hf_book_free(s->book);
}

static hf_peer_id peer_named(uint32_t n) { return (hf_peer_id){.bytes = {0x12, 0x20, (uint8_t)n, (uint8_t)(n >> 8)}, .len = 34}; }

static void note(scene *s, const hf_dialer_out *out) {
    size_t len = strlen(s->log), room = sizeof s->log - len;
    if (out->kind == HF_DIALER_DONE) {
        snprintf(s->log + len, room, "%c%d ", out->reason ? '-' : '+', (int)out->context);
        s->reason = out->reason;
        return;
    }
    snprintf(s->log + len, room, "%c%d ", out->kind == HF_DIALER_DIAL ? 'd' : 'x', (int)out->dial);
    if (out->kind != HF_DIALER_DIAL) return;
    hf_buf text;
    hf_buf_init(&text, hf_test_mem());
    CHECK_ERR(hf_multiaddr_text(out->address, &text), HF_OK);
    snprintf(s->addresses[out->dial % 64], 64, "%.*s", (int)text.len, (const char *)text.ptr);
    hf_buf_deinit(&text);
}

/* Everything that comes until `now_ms`. */
static void run_until(scene *s, uint64_t now_ms) {
    hf_dialer_out out;
    for (;;) {
        while (hf_dialer_next(s->dialer, s->now_ms, &out)) note(s, &out);
        uint64_t due = hf_dialer_deadline(s->dialer);
        if (due > now_ms) break;
        CHECK(due >= s->now_ms);
        s->now_ms = due;
        hf_dialer_tick(s->dialer, s->now_ms);
    }
    s->now_ms = now_ms;
}

/* What came since the last look. */
static void check_log(scene *s, const char *want) {
    run_until(s, s->now_ms);
    CHECK_BYTES(hf_str(s->log), hf_str(want));
    s->log[0] = 0;
}

/* Texts with spaces between. */
static hf_err wish(scene *s, const hf_peer_id *peer, const char *texts, uint64_t context) {
    hf_bytes addrs[40];
    hf_buf binaries[40];
    size_t n = 0;
    hf_bytes rest = hf_str(texts);
    while (rest.len) {
        size_t end = hf_find(rest, ' ', 0);
        hf_buf_init(&binaries[n], hf_test_mem());
        CHECK_ERR(hf_multiaddr_parse(hf_sub(rest, 0, end), &binaries[n], NULL), HF_OK);
        addrs[n] = hf_buf_bytes(&binaries[n]);
        n++;
        rest = hf_sub(rest, end + 1, rest.len);
    }
    hf_err err = hf_dialer_wish(s->dialer, s->now_ms, peer, addrs, n, 0, context);
    while (n) hf_buf_deinit(&binaries[--n]);
    return err;
}

HF_TEST(dialer_staggers_and_the_first_wins) {
    scene *s = start();
    hf_peer_id p = peer_named(1), expected;
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1 /ip4/10.0.0.3/tcp/1", 7), HF_OK);
    check_log(s, "d1 ");
    run_until(s, 249);
    check_log(s, "");
    run_until(s, 250);
    check_log(s, "d2 ");
    CHECK(hf_dialer_opened(s->dialer, 2, 99, &expected) && hf_peer_id_eq(&expected, &p));
    hf_dialer_up(s->dialer, s->now_ms, 99, &p);
    check_log(s, "x1 +7 ");
    CHECK(!hf_dialer_opened(s->dialer, 1, 98, &expected)); /* it comes too late */
    run_until(s, 100000);
    check_log(s, "");
    stop(s);
}

HF_TEST(dialer_goes_on_at_once_after_a_failure) {
    scene *s = start();
    hf_peer_id p = peer_named(1), expected;
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1", 7), HF_OK);
    check_log(s, "d1 ");
    hf_dialer_failed(s->dialer, s->now_ms, 1, "refused");
    check_log(s, "d2 ");
    CHECK(hf_dialer_opened(s->dialer, 2, 5, &expected));
    hf_dialer_conn_failed(s->dialer, s->now_ms, 5, "not the peer");
    check_log(s, "-7 ");
    CHECK_BYTES(hf_str(s->reason), HF_TEXT("not the peer"));
    stop(s);
}

HF_TEST(dialer_takes_families_in_turns_and_relays_last) {
    scene *s = start();
    hf_peer_id p = peer_named(1);
    CHECK_ERR(wish(s, &p,
                   "/ip4/10.0.0.9/tcp/1/p2p/12D3KooWLkkKhBymAqZ7Cxvv5vi2wKtQACQq9nrYhuse2k25RT7p/p2p-circuit /ip4/10.0.0.1/tcp/1 /ip4/10.0.0.2/tcp/1 "
                   "/ip6/fd00::1/tcp/1 /ip4/10.0.0.3/udp/1/quic-v1",
                   7),
              HF_OK);
    run_until(s, 5000);
    check_log(s, "d1 d2 d3 d4 "); /* never the one that the shell cannot dial */
    CHECK_BYTES(hf_str(s->addresses[1]), HF_TEXT("/ip6/fd00::1/tcp/1"));
    CHECK_BYTES(hf_str(s->addresses[2]), HF_TEXT("/ip4/10.0.0.1/tcp/1"));
    CHECK_BYTES(hf_str(s->addresses[3]), HF_TEXT("/ip4/10.0.0.2/tcp/1"));
    CHECK(hf_starts(hf_str(s->addresses[4]), HF_TEXT("/ip4/10.0.0.9/")));
    stop(s);
}

HF_TEST(dialer_gives_up_in_time) {
    scene *s = start();
    hf_peer_id p = peer_named(1);
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 7), HF_OK);
    run_until(s, HF_DIAL_ATTEMPT_MS - 1);
    check_log(s, "d1 ");
    run_until(s, HF_DIAL_ATTEMPT_MS);
    check_log(s, "x1 -7 ");
    CHECK_U64(hf_dialer_deadline(s->dialer), UINT64_MAX);
    stop(s);
}

HF_TEST(dialer_joins_wishes_for_one_peer) {
    scene *s = start();
    hf_peer_id p = peer_named(1);
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 7), HF_OK);
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 8), HF_OK);
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.2/tcp/1", 9), HF_OK);
    run_until(s, 1000);
    check_log(s, "d1 d2 ");
    hf_dialer_forget(s->dialer, 8);
    hf_dialer_up(s->dialer, s->now_ms, 55, &p); /* it dialled us meanwhile */
    check_log(s, "x1 x2 +7 +9 ");
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 7), HF_OK);
    check_log(s, "d3 ");
    hf_dialer_forget(s->dialer, 7);
    check_log(s, "x3 ");
    stop(s);
}

HF_TEST(dialer_keeps_the_rests_of_known_addresses) {
    scene *s = start();
    hf_peer_id p = peer_named(1);
    hf_bytes a = HF_BYTES("\x04\x0a\0\0\1\x06\0\1", 8);
    CHECK_ERR(wish(s, &p, "", 7), HF_OK);
    check_log(s, "-7 "); /* no address */
    CHECK_ERR(hf_book_add(s->book, 0, &p, HF_BOOK_NAMED, &a, 1, 1000000), HF_OK);
    CHECK_ERR(wish(s, &p, "", 7), HF_OK);
    check_log(s, "d1 ");
    hf_dialer_failed(s->dialer, s->now_ms, 1, "refused");
    check_log(s, "-7 ");
    CHECK_ERR(wish(s, &p, "", 7), HF_OK);
    check_log(s, "-7 ");
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 7), HF_OK); /* said by whoever wishes: at once */
    check_log(s, "d2 ");
    hf_dialer_failed(s->dialer, s->now_ms, 2, "refused");
    check_log(s, "-7 ");
    run_until(s, 20000);
    CHECK_ERR(wish(s, &p, "", 7), HF_OK);
    check_log(s, "d3 ");
    stop(s);
}

HF_TEST(dialer_is_bounded) {
    scene *s = start();
    char texts[40 * 24] = "";
    for (int i = 0; i < 40; i++) snprintf(texts + strlen(texts), 24, "%s/ip4/10.0.1.%d/tcp/1", i ? " " : "", i);
    hf_dialer_out out;
    size_t n_dials = 0, n_done = 0;
    for (uint32_t i = 0; i < HF_DIAL_TASKS_MAX; i++) {
        hf_peer_id p = peer_named(i);
        CHECK_ERR(wish(s, &p, texts, i + 1), HF_OK);
    }
    hf_peer_id more = peer_named(5000);
    CHECK_ERR(wish(s, &more, texts, 1), HF_LIMIT);
    while (hf_dialer_next(s->dialer, 0, &out)) n_dials += out.kind == HF_DIALER_DIAL;
    CHECK_U64(n_dials, HF_DIAL_AT_ONCE_MAX);
    while (hf_dialer_deadline(s->dialer) != UINT64_MAX) {
        s->now_ms = hf_dialer_deadline(s->dialer);
        hf_dialer_tick(s->dialer, s->now_ms);
        while (hf_dialer_next(s->dialer, s->now_ms, &out)) n_done += out.kind == HF_DIALER_DONE;
    }
    CHECK_U64(n_done, HF_DIAL_TASKS_MAX); /* everybody gets an answer */
    CHECK(s->now_ms <= HF_DIAL_TASK_MS);
    hf_peer_id p = peer_named(1);
    for (uint64_t i = 0; i < HF_DIAL_WISHES_MAX; i++) CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", i + 1), HF_OK);
    CHECK_ERR(wish(s, &p, "/ip4/10.0.0.1/tcp/1", 99), HF_LIMIT);
    stop(s);
}

HF_TEST(dialer_dials_whoever_is_there) {
    scene *s = start();
    hf_peer_id p = peer_named(1), expected = p;
    CHECK_ERR(wish(s, NULL, "/ip4/10.0.0.1/tcp/1", 7), HF_OK);
    CHECK_ERR(wish(s, NULL, "/ip4/10.0.0.2/tcp/1", 8), HF_OK); /* not the same one */
    check_log(s, "d1 d2 ");
    CHECK(hf_dialer_opened(s->dialer, 2, 5, &expected) && expected.len == 0);
    hf_dialer_up(s->dialer, s->now_ms, 5, &p);
    check_log(s, "+8 ");
    stop(s);
}

HF_TEST(dialer_survives_no_memory) {
    hf_peer_id p = peer_named(1);
    hf_bytes a = HF_BYTES("\x04\x0a\0\0\1\x06\0\1", 8);
    for (size_t n = 1; n < 20; n++) {
        hf_test_mem_fail_at(n);
        hf_book *book = hf_book_new(hf_test_mem(), 1);
        hf_dialer *d = book ? hf_dialer_new(hf_test_mem(), book, can, NULL) : NULL;
        hf_err err = d ? hf_dialer_wish(d, 0, &p, &a, 1, 0, 7) : HF_NOMEM;
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK(failed == (err == HF_NOMEM));
        hf_dialer_free(d);
        hf_book_free(book);
        if (!failed) return;
    }
    CHECK_MSG(false, "never enough memory");
}

/* Fetching whole files between complete peers: from one, from several of which each has a part, from nobody, from one that goes away. */
#include "fetch.h"
#include "import.h"
#include "walk.h"

#include "../../tests/kit/blocks.h"
#include "../../tests/kit/net.h"

#include <string.h>

typedef struct scene {
    hf_net *net;
    hf_test_blocks all, here;
    hf_imported root;
    hf_fetch *fetch;
    hf_fetch_out out; /* the last that was told */
    size_t most_asked;
} scene;

static const hf_peer_id *id_of(scene *s, size_t i) { return hf_swarm_self(hf_net_at(s->net, i)->swarm); }

static void look(scene *s) {
    hf_fetch_out out;
    if (hf_fetch_next(s->fetch, hf_net_now(s->net), &out)) s->out = out;
    hf_fetch_count count = hf_fetch_counted(s->fetch);
    if (count.n_asked > s->most_asked) s->most_asked = count.n_asked;
}

static void on_bitswap(void *ctx, hf_net *net, size_t peer, const hf_bitswap_out *out) {
    scene *s = ctx;
    if (peer != 0 || !s->fetch) return;
    hf_fetch_bitswap(s->fetch, hf_net_now(net), out);
    look(s);
}

static void begin(scene *s, size_t n_peers, size_t file_bytes, const hf_import_config *config) {
    static uint8_t content[3 << 20];
    *s = (scene){.net = hf_net_new(&(hf_net_config){.seed = 31, .n_peers = n_peers, .delay_ms_max = 10, .cut_max = 40000})};
    hf_test_blocks_init(&s->all, hf_test_mem());
    hf_test_blocks_init(&s->here, hf_test_mem());
    hf_import *i = hf_import_new(hf_test_mem(), config, hf_test_blocks_sink(&s->all));
    hf_test_content(7, content, file_bytes);
    CHECK_ERR(hf_import_add(i, HF_BYTES(content, file_bytes)), HF_OK);
    CHECK_ERR(hf_import_end(i, &s->root), HF_OK);
    hf_import_free(i);
    hf_net_at(s->net, 0)->on_bitswap = on_bitswap;
    hf_net_at(s->net, 0)->on_bitswap_ctx = s;
    for (size_t p = 1; p < n_peers; p++) hf_net_connect(s->net, 0, p);
    hf_net_run(s->net, 1000);
    hf_fetch_config fetch = {.source = hf_test_blocks_source(&s->here), .sink = hf_test_blocks_sink(&s->here)};
    s->fetch = hf_fetch_new(hf_test_mem(), hf_net_at(s->net, 0)->bitswap, HF_BYTES(s->root.cid, HF_CID_LEN), &fetch);
    CHECK(s->fetch != NULL);
}

static void end(scene *s) {
    hf_fetch_free(s->fetch, hf_net_now(s->net));
    s->fetch = NULL;
    hf_net_free(s->net);
    hf_test_blocks_deinit(&s->all);
    hf_test_blocks_deinit(&s->here);
}

/* Gives a peer the blocks whose running number fits; of the root all have a copy when `root_too`. */
static void give(scene *s, size_t peer, size_t part, size_t of) {
    hf_walk *w = hf_walk_new(hf_test_mem(), HF_BYTES(s->root.cid, HF_CID_LEN), HF_LINKS_ALL, hf_test_blocks_source(&s->all));
    size_t n = 0;
    for (hf_walk_out out; hf_walk_next(w, &out); n++)
        if (n % of == part) hf_net_put_as(s->net, peer, out.cid, out.block);
    hf_walk_free(w);
}

static void run(scene *s, uint64_t ms) {
    for (uint64_t t = 0; t < ms && s->out.kind != HF_FETCH_DONE; t += 5) {
        look(s);
        hf_net_drain(s->net, 0);
        hf_net_run(s->net, 5);
    }
}

static const hf_import_config SMALL = {1000, 20};

HF_TEST(fetch_from_one_peer) {
    scene s;
    begin(&s, 2, 3 << 20, &(hf_import_config){4096, 300});
    give(&s, 1, 0, 1);
    CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, 1)), HF_OK);
    uint64_t from = hf_net_now(s.net);
    run(&s, 20000);
    CHECK(s.out.kind == HF_FETCH_DONE);
    CHECK_U64(s.here.n, s.all.n);
    CHECK_MSG(hf_net_now(s.net) - from < 700, "%u ms", (unsigned)(hf_net_now(s.net) - from)); /* 773 blocks: not by round trips */
    CHECK(s.most_asked > 100);
    CHECK_U64(hf_fetch_counted(s.fetch).n_blocks, s.all.n);
    CHECK_U64(hf_fetch_counted(s.fetch).n_asked, 0);
    end(&s);
}

HF_TEST(fetch_from_peers_that_have_parts) {
    scene s;
    begin(&s, 4, 300000, &SMALL);
    for (size_t p = 1; p < 4; p++) {
        give(&s, p, p - 1, 3);
        CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, p)), HF_OK);
    }
    run(&s, 20000);
    CHECK(s.out.kind == HF_FETCH_DONE);
    CHECK_U64(s.here.n, s.all.n);
    end(&s);
}

HF_TEST(fetch_tells_when_nobody_has_it_and_goes_on_with_another) {
    scene s;
    begin(&s, 3, 50000, &SMALL);
    give(&s, 1, 0, 2);
    CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, 1)), HF_OK);
    run(&s, 3000);
    CHECK(s.out.kind == HF_FETCH_STUCK);
    CHECK(s.here.n > 0 && s.here.n < s.all.n);
    give(&s, 2, 0, 1);
    CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, 2)), HF_OK);
    run(&s, 3000);
    CHECK(s.out.kind == HF_FETCH_DONE);
    end(&s);
}

HF_TEST(fetch_goes_on_when_a_peer_leaves) {
    scene s;
    begin(&s, 3, 600000, &SMALL);
    for (size_t p = 1; p < 3; p++) {
        give(&s, p, 0, 1);
        CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, p)), HF_OK);
    }
    run(&s, 30);
    CHECK(s.here.n < s.all.n);
    hf_fetch_peer_gone(s.fetch, id_of(&s, 1));
    hf_net_disconnect(s.net, 0, 1);
    run(&s, 5000);
    CHECK(s.out.kind == HF_FETCH_DONE);
    end(&s);
}

/* Half of it is here already: only the rest is asked for. */
HF_TEST(fetch_takes_up_where_the_store_ends) {
    scene s;
    begin(&s, 2, 300000, &SMALL);
    give(&s, 1, 0, 1);
    hf_walk *w = hf_walk_new(hf_test_mem(), HF_BYTES(s.root.cid, HF_CID_LEN), HF_LINKS_ALL, hf_test_blocks_source(&s.all));
    size_t n = 0;
    for (hf_walk_out out; hf_walk_next(w, &out); n++)
        if (n % 2) CHECK_ERR(hf_test_blocks_put(&s.here, out.cid, out.block), HF_OK);
    hf_walk_free(w);
    size_t n_before = s.here.n;
    CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, 1)), HF_OK);
    run(&s, 5000);
    CHECK(s.out.kind == HF_FETCH_DONE);
    CHECK_U64(hf_fetch_counted(s.fetch).n_blocks, s.all.n - n_before);
    end(&s);
}

HF_TEST(fetch_ends_when_the_store_refuses) {
    scene s;
    begin(&s, 2, 50000, &SMALL);
    give(&s, 1, 0, 1);
    s.here.refuse = HF_LIMIT;
    CHECK_ERR(hf_fetch_peer(s.fetch, hf_net_now(s.net), id_of(&s, 1)), HF_OK);
    run(&s, 1000);
    CHECK(s.out.kind == HF_FETCH_FAILED);
    end(&s);
}

/* Peers that do the DHT no good: dead ones, silent ones, liars, floods; and want of memory. */
#include "../codec/varint.h"
#include "kad_test.h"

#include <stdio.h>

enum { RAW_STREAMS = 512 };

/* What the raw peers answer with. */
typedef struct liar {
    void (*answer)(kad_net *net, size_t node, const hf_kad_message *question, hf_buf *answer);
    uint64_t random;
    size_t n_questions;
    uint64_t only; /* 0, or the stream that counts */
    uint64_t n_fakes;
} liar;

static hf_peer_id fake_id(uint64_t number) {
    hf_peer_id id = {.bytes = {0x12, 32}, .len = 34};
    hf_sha256_of(HF_BYTES(&number, sizeof number), id.bytes + 2);
    return id;
}

static void add_fake(hf_buf *answer, const hf_peer_id *id, bool provider) {
    uint64_t n;
    memcpy(&n, id->bytes + 2, sizeof n);
    uint8_t at[8] = {4, 77, (uint8_t)n, (uint8_t)(n >> 8), 1, 6, 0x0f, 0xa1};
    hf_kad_addresses a = {NULL, 0, 0};
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, HF_KAD_TAKES_PUBLIC, id, HF_BYTES(at, sizeof at)), HF_OK);
    if (provider)
        hf_kad_add_provider(answer, id, hf_kad_addresses_packed(&a));
    else
        hf_kad_add_closer(answer, id, hf_kad_addresses_packed(&a));
    hf_kad_addresses_clear(hf_test_mem(), &a);
}

static void write_framed(kad_net *net, size_t node, uint64_t stream, const hf_buf *message) {
    hf_buf framed;
    hf_buf_init(&framed, hf_test_mem());
    hf_varint_add(&framed, message->len);
    hf_buf_add(&framed, hf_buf_bytes(message));
    (void)!hf_swarm_stream_write(net->nodes[node].swarm, net->now_ms, stream, hf_buf_bytes(&framed));
    hf_buf_deinit(&framed);
}

static void raw_event(kad_net *net, size_t node, const hf_swarm_out *e) {
    liar *l = net->raw_ctx;
    uint64_t len;
    size_t head;
    hf_kad_message m;
    if (e->kind == HF_SWARM_STREAM_FIN) hf_swarm_stream_finish(net->nodes[node].swarm, net->now_ms, e->stream);
    if (e->kind != HF_SWARM_STREAM_DATA || hf_varint_read(e->bytes, &len, &head) ||
        hf_kad_read(hf_sub(e->bytes, head, (size_t)len), &m, NULL))
        return;
    hf_buf answer;
    hf_buf_init(&answer, hf_test_mem());
    l->n_questions += !l->only || l->only == e->stream;
    l->answer(net, node, &m, &answer);
    if (answer.len) write_framed(net, node, e->stream, &answer);
    hf_buf_deinit(&answer);
}

/* n honest peers, then n_liars who say that they serve. */
static kad_net *with_liars(size_t n, size_t n_liars, const hf_kad_config *config, liar *l) {
    kad_net *net = kad_net_up(n, config, 11);
    net->raw_event = raw_event;
    net->raw_ctx = l;
    for (size_t i = n; i < n + n_liars; i++) {
        net->n = i + 1;
        kad_node_start(net, i, false);
        hf_kad_free(net->nodes[i].kad);
        net->nodes[i].kad = NULL;
        net->nodes[i].raw = true;
        CHECK_ERR(hf_swarm_protocol(net->nodes[i].swarm, HF_TEXT(HF_KAD_PROTOCOL), KAD_TAG), HF_OK);
        for (size_t j = 0; j < n; j += 2) kad_connect(net, i, j, NULL);
    }
    kad_run(net, 2000);
    return net;
}

/* How many of the true k closest (liars apart) come out. */
static size_t n_right(kad_net *net, size_t i, hf_bytes key, size_t k) {
    uint8_t target[32];
    size_t truth[64], n = 0;
    hf_sha256_of(key, target);
    const kad_result *r = KAD_DO(net, i, hf_kad_closest_peers, key);
    size_t n_truth = kad_truth(net, target, i, k, truth);
    for (size_t a = 0; a < r->n_found; a++)
        for (size_t b = 0; b < n_truth; b++) n += hf_peer_id_eq(&r->found[a], kad_id(net, truth[b]));
    return n;
}

HF_TEST(kad_dead_and_silent_peers) {
    kad_net *net = kad_net_up(24, &(hf_kad_config){.k = 6, .alpha = 3}, 4);
    kad_disconnect_all(net);
    for (size_t i = 1; i < 24; i += 3) net->nodes[i].dead = true;
    for (size_t i = 2; i < 24; i += 6) net->nodes[i].hole = true;
    size_t n_all = 0;
    for (unsigned round = 0; round < 10; round++) {
        char key[16];
        snprintf(key, sizeof key, "key %u", round);
        size_t n = n_right(net, 0, hf_str(key), 6);
        CHECK_MSG(n >= 5, "%zu of 6", n);
        n_all += n;
        CHECK(net->nodes[0].result.done.n_asked <= 24);
    }
    CHECK_MSG(n_all >= 55, "%zu of 60", n_all); /* half is gone at once, and nobody has looked around since */
    for (size_t i = 1; i < 24; i += 3) {
        const hf_kad_contact *c = hf_kad_contact_of(net->nodes[0].kad, kad_id(net, i));
        CHECK(!c || c->place != HF_KAD_IN ||
              hf_kad_shared(c->key, net->nodes[0].key) < 2); /* who did not answer is out; not everybody was asked */
    }
    CHECK(net->n_dead_dials > 0);
    kad_net_free(net);
}

/* Nobody at all answers any more: time ends it. */
HF_TEST(kad_an_operation_ends_in_time) {
    kad_net *net = kad_net_up(12, &(hf_kad_config){.k = 8, .alpha = 1, .lookup_ms = 30000}, 4);
    kad_disconnect_all(net);
    for (size_t i = 1; i < 12; i++) net->nodes[i].hole = true;
    uint64_t from_ms = net->now_ms;
    const kad_result *r = KAD_DO(net, 0, hf_kad_closest_peers, HF_TEXT("x"));
    CHECK_ERR(r->done.err, HF_LIMIT);
    CHECK_U64(net->now_ms - from_ms, 30000);
    CHECK_ERR(KAD_DO(net, 0, hf_kad_get_value, HF_TEXT("/test/a"), 0)->done.err, HF_LIMIT);
    CHECK(!net->nodes[0].kad->first_request || net->nodes[0].kad->first_op);
    kad_net_free(net);
}

/* ---- liars ---- */

static void answer_garbage(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    (void)node, (void)m;
    liar *l = net->raw_ctx;
    size_t n = 1 + hf_test_random(&l->random) % 300;
    uint8_t *p = hf_buf_extend(answer, n);
    hf_test_random_fill(&l->random, p, n);
}

static void answer_wrong_type(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    (void)net, (void)node;
    hf_kad_add_head(answer, m->type == HF_KAD_FIND_NODE ? HF_KAD_GET_VALUE : HF_KAD_FIND_NODE, m->key, NULL);
}

static void answer_nothing(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    (void)net, (void)node, (void)m, (void)answer;
}

/* Itself and the asker, over and over. */
static void answer_itself(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    hf_kad_addresses a = {NULL, 0, 0};
    CHECK_ERR(hf_kad_addresses_add(hf_test_mem(), &a, ~0u, kad_id(net, node), HF_BYTES(net->nodes[node].address, 8)),
              HF_OK);
    hf_kad_add_head(answer, m->type, m->key, NULL);
    for (unsigned i = 0; i < 30; i++)
        hf_kad_add_closer(answer, kad_id(net, i % 2 ? node : 0), hf_kad_addresses_packed(&a));
    hf_kad_addresses_clear(hf_test_mem(), &a);
}

/* Twenty new ones each time, each closer to the key than one would find by chance. */
static void answer_fakes(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    (void)node;
    liar *l = net->raw_ctx;
    uint8_t target[32], key[32];
    hf_sha256_of(m->key, target);
    hf_kad_add_head(answer, m->type, m->key, NULL);
    for (unsigned i = 0; i < 20;) {
        hf_peer_id id = fake_id(l->n_fakes++);
        hf_sha256_of(hf_peer_id_bytes(&id), key);
        if (hf_kad_shared(key, target) < 8) continue;
        add_fake(answer, &id, false);
        i++;
    }
}

static void answer_with_fake_record(kad_net *net, size_t node, const hf_kad_message *m, hf_buf *answer) {
    (void)net;
    hf_buf record;
    hf_buf_init(&record, hf_test_mem());
    hf_kad_record_add(&record, node % 2 ? HF_TEXT("/test/other") : m->key, node % 2 ? HF_TEXT("zzz") : HF_TEXT("!zzz"),
                      0);
    hf_bytes bytes = hf_buf_bytes(&record);
    hf_kad_add_head(answer, m->type, m->key, &bytes);
    hf_buf_deinit(&record);
}

HF_TEST(kad_liars_do_not_lead_astray) {
    static void (*const lies[])(kad_net *, size_t, const hf_kad_message *, hf_buf *) = {
        answer_garbage, answer_wrong_type, answer_nothing, answer_itself, answer_fakes};
    for (size_t kind = 0; kind < HF_COUNT(lies); kind++) {
        liar l = {.answer = lies[kind], .random = kind};
        kad_net *net = with_liars(16, 6, &(hf_kad_config){.k = 6, .alpha = 3, .lookup_ms = 120000}, &l);
        size_t n = 0;
        for (unsigned round = 0; round < 5; round++) {
            char key[16];
            snprintf(key, sizeof key, "key %u", round);
            n += n_right(net, round * 2, hf_str(key), 6);
            const hf_kad_out *done = &net->nodes[round * 2].result.done;
            CHECK_MSG(done->n_asked <= HF_KAD_ASKED_MAX, "%zu asked", done->n_asked);
            CHECK_U64(net->nodes[round * 2].kad->n_ops, net->nodes[round * 2].kad->refresh_op != NULL);
        }
        /* those that answer well-formed lies are counted among the closest themselves; the others are left out */
        CHECK_MSG(l.n_questions > 0 && n >= (kind < 3 ? 30 : 20), "lie %zu: %zu of 30 after %zu questions", kind, n,
                  l.n_questions);
        for (size_t i = 0; i < 16; i++)
            for (size_t j = 0; j < kad_id(net, 0)->len; j++) CHECK(hf_kad_table_size(net->nodes[i].kad) <= 22);
        kad_net_free(net);
    }
}

HF_TEST(kad_wrong_records_never_come_out) {
    liar l = {.answer = answer_with_fake_record};
    kad_net *net = with_liars(8, 6, &(hf_kad_config){.k = 8, .alpha = 3}, &l);
    const kad_result *r = KAD_DO(net, 0, hf_kad_get_value, HF_TEXT("/test/a"), 0);
    CHECK_ERR(r->done.err, HF_NOT_FOUND);
    CHECK_U64(r->n_values, 0);
    CHECK(l.n_questions > 0);
    CHECK(KAD_DO(net, 1, hf_kad_put_value, HF_TEXT("/test/a"), HF_TEXT("v"))->done.n <= 8);
    r = KAD_DO(net, 0, hf_kad_get_value, HF_TEXT("/test/a"), 0);
    CHECK_BYTES(r->value, HF_TEXT("v"));
    kad_net_free(net);
}

/* Many peers of one network want into the bucket of a victim; by their own word they are everywhere. */
HF_TEST(kad_eclipse_within_a_network) {
    liar l = {.answer = answer_nothing};
    kad_net *net = kad_net_up(10, &(hf_kad_config){.k = 8}, 6);
    net->raw_event = raw_event;
    net->raw_ctx = &l;
    for (size_t i = 10; i < 60; i++) {
        net->n = i + 1;
        kad_node_start(net, i, false);
        hf_kad_free(net->nodes[i].kad);
        net->nodes[i].kad = NULL;
        net->nodes[i].raw = true;
        memcpy(net->nodes[i].address, "\x04\x42\x42\x42\0\x06\x0f\xa1", 8); /* where its connections come from */
        net->nodes[i].address[4] = (uint8_t)i;
        CHECK_ERR(hf_swarm_protocol(net->nodes[i].swarm, HF_TEXT(HF_KAD_PROTOCOL), KAD_TAG), HF_OK);
        kad_connect(net, i, 0, NULL);
    }
    kad_run(net, 3000);
    size_t n_of_them = 0;
    const hf_kad_table *t = &net->nodes[0].kad->table;
    for (size_t b = 0; b < HF_KAD_BUCKETS; b++) {
        size_t n = 0;
        for (size_t i = 0; t->buckets[b] && i < t->buckets[b]->n; i++)
            n += kad_find_node(net, &t->buckets[b]->items[i]->id) >= 10;
        CHECK(n <= 2);
        n_of_them += n;
    }
    CHECK(n_of_them > 0 && n_of_them <= 6);
    CHECK_U64(t->n - n_of_them, 9);
    kad_net_free(net);
}

/* A full bucket whose first member is gone: it is asked, and the newcomer takes its place. */
HF_TEST(kad_a_dead_member_makes_room) {
    kad_net *net = kad_net_up(30, &(hf_kad_config){.k = 3}, 8);
    hf_kad_table *t = &net->nodes[0].kad->table;
    CHECK(t->buckets[0] && t->buckets[0]->n == 3 && t->buckets[0]->n_spares > 0);
    hf_kad_contact *oldest = t->buckets[0]->items[0];
    hf_peer_id gone = oldest->id;
    kad_kill(net, kad_find_node(net, &gone));
    oldest->seen_ms = 0;
    net->now_ms += HF_KAD_FRESH_MS;
    size_t newcomer = 29;
    do {
        net->n = ++newcomer + 1;
        kad_node_start(net, newcomer, true);
    } while (hf_kad_shared(net->nodes[newcomer].key, net->nodes[0].key) != 0);
    kad_connect(net, newcomer, 0, NULL);
    kad_run(net, 30000);
    for (size_t i = 0; i < t->buckets[0]->n; i++) CHECK(!hf_peer_id_eq(&t->buckets[0]->items[i]->id, &gone));
    CHECK_U64(t->buckets[0]->n, 3);
    kad_net_free(net);
}

/* ---- a server under fire ---- */

/* A raw peer 1 that is connected to server 0. */
static kad_net *attack(hf_kad_config config, liar *l) {
    l->answer = answer_nothing;
    return with_liars(1, 1, &config, l);
}

static uint64_t open_stream(kad_net *net) {
    uint64_t stream = 0;
    CHECK_ERR(hf_swarm_stream_open(net->nodes[1].swarm, net->now_ms, kad_id(net, 0), HF_TEXT(HF_KAD_PROTOCOL), KAD_TAG,
                                   &stream),
              HF_OK);
    return stream;
}

static void say(kad_net *net, uint64_t stream, const hf_buf *message) {
    write_framed(net, 1, stream, message);
    kad_run(net, 1);
}

static void say_hex(kad_net *net, const char *hex) {
    uint64_t stream = open_stream(net);
    CHECK_ERR(hf_swarm_stream_write(net->nodes[1].swarm, net->now_ms, stream, hf_test_hex(hf_str(hex))), HF_OK);
    kad_run(net, 1);
}

static size_t n_served(const kad_net *net) {
    size_t n = 0;
    for (const hf_kad_served *s = net->nodes[0].kad->first_served; s; s = s->next) n++;
    return n;
}

HF_TEST(kad_server_refuses_garbage) {
    static const char *const cases[] = {"00",     "01ff",   "ffffffffffffffffff", "8080",       "81808001",
                                        "020806", "020800", "0408001201",         "0208021200", "0208041200",
                                        "020801", "020803"};
    liar l = {.n_fakes = 0};
    kad_net *net = attack((hf_kad_config){.k = 4}, &l);
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        say_hex(net, cases[i]);
        CHECK_MSG(n_served(net) == (i >= 3), "%s", cases[i]); /* the fourth may go on */
    }
    kad_run(net, 11000); /* what breaks off is given up */
    CHECK(!net->nodes[0].kad->first_served);
    CHECK(hf_swarm_connected(net->nodes[0].swarm, kad_id(net, 1)));
    kad_net_free(net);
}

static void put_message(hf_buf *message, hf_bytes key, hf_bytes record_key, hf_bytes value) {
    hf_buf record;
    hf_buf_init(&record, hf_test_mem());
    hf_kad_record_add(&record, record_key, value, 0);
    hf_bytes bytes = hf_buf_bytes(&record);
    hf_buf_clear(message);
    hf_kad_add_head(message, HF_KAD_PUT_VALUE, key, &bytes);
    hf_buf_deinit(&record);
}

HF_TEST(kad_server_stores_only_what_is_right) {
    static const struct {
        const char *key, *record_key, *value;
        size_t n;
    } puts[] = {
        {"/test/a", "/test/b", "v", 0}, {"/test/a", "/test/a", "!v", 0}, {"/other/a", "/other/a", "v", 0},
        {"/test/", "/test/", "v", 0},   {"test", "test", "v", 0},        {"/test/a", "/test/a", "v", 1},
        {"/test/a", "/test/a", "w", 1},
    };
    liar l = {.n_fakes = 0};
    kad_net *net = attack((hf_kad_config){.k = 4}, &l);
    hf_buf message;
    hf_buf_init(&message, hf_test_mem());
    for (size_t i = 0; i < HF_COUNT(puts); i++) {
        put_message(&message, hf_str(puts[i].key), hf_str(puts[i].record_key), hf_str(puts[i].value));
        say(net, open_stream(net), &message);
        CHECK_MSG(hf_kad_n_values(net->nodes[0].kad) == puts[i].n, "put %zu", i);
    }
    uint8_t hash[34] = {0x12, 32};
    for (unsigned i = 0; i < 3; i++) { /* for somebody else; without a hash; as it should be */
        hf_buf_clear(&message);
        hf_kad_add_head(&message, HF_KAD_ADD_PROVIDER, i == 1 ? HF_TEXT("nothing") : HF_BYTES(hash, sizeof hash), NULL);
        hf_peer_id somebody = i == 0 ? fake_id(1) : *kad_id(net, 1);
        add_fake(&message, &somebody, true);
        say(net, open_stream(net), &message);
        CHECK_MSG(hf_kad_n_providers(net->nodes[0].kad) == (i == 2), "provide %u", i);
    }
    hf_buf_deinit(&message);
    kad_net_free(net);
}

HF_TEST(kad_server_meters_a_peer) {
    liar l = {.n_fakes = 0};
    kad_net *net = attack(
        (hf_kad_config){
            .k = 4, .values_max = 100, .values_per_peer_max = 50, .providers_max = 1000, .providers_per_peer_max = 300},
        &l);
    hf_buf message;
    hf_buf_init(&message, hf_test_mem());
    for (unsigned i = 0; i < 300; i++) { /* more values than one peer may have here, and than it may write at once */
        char key[32];
        snprintf(key, sizeof key, "/test/%u", i);
        put_message(&message, hf_str(key), hf_str(key), HF_TEXT("v"));
        uint64_t stream = open_stream(net);
        write_framed(net, 1, stream, &message);
        hf_swarm_stream_finish(net->nodes[1].swarm, net->now_ms, stream);
        if (i % 16 == 0) kad_run(net, 1);
    }
    kad_run(net, 1);
    CHECK_U64(hf_kad_n_values(net->nodes[0].kad), 50);
    for (unsigned i = 0; i < 600; i++) {
        uint8_t hash[34] = {0x12, 32, (uint8_t)i, (uint8_t)(i >> 8)};
        hf_buf_clear(&message);
        hf_kad_add_head(&message, HF_KAD_ADD_PROVIDER, HF_BYTES(hash, sizeof hash), NULL);
        add_fake(&message, kad_id(net, 1), true);
        uint64_t stream = open_stream(net);
        write_framed(net, 1, stream, &message);
        hf_swarm_stream_finish(net->nodes[1].swarm, net->now_ms, stream);
        if (i % 16 == 0) kad_run(net, 1);
    }
    kad_run(net, 1);
    CHECK_MSG(hf_kad_n_providers(net->nodes[0].kad) < 16, "%zu providers",
              hf_kad_n_providers(net->nodes[0].kad)); /* no writes left */
    kad_run(net, 10000);
    for (unsigned i = 0; i < 100; i++) (void)open_stream(net); /* more streams than a peer may have */
    kad_run(net, 1);
    CHECK_U64(n_served(net), HF_KAD_STREAMS_IN_MAX);
    kad_run(net, 70000);
    CHECK(!net->nodes[0].kad->first_served);
    hf_buf_deinit(&message);
    kad_net_free(net);
}

/* Several questions on one stream, cut anywhere, are answered in turn. */
HF_TEST(kad_server_answers_many_on_a_stream) {
    liar l = {.n_fakes = 0};
    kad_net *net = attack((hf_kad_config){.k = 4}, &l);
    uint64_t stream = open_stream(net);
    l.only = stream;
    l.n_questions = 0;
    hf_buf all, m;
    hf_buf_init(&all, hf_test_mem());
    hf_buf_init(&m, hf_test_mem());
    for (unsigned i = 0; i < 5; i++) {
        hf_buf_clear(&m);
        hf_kad_add_head(&m, i == 4 ? HF_KAD_PING : HF_KAD_FIND_NODE, hf_peer_id_bytes(kad_id(net, 0)), NULL);
        hf_varint_add(&all, m.len);
        hf_buf_add(&all, hf_buf_bytes(&m));
    }
    for (size_t i = 0; i < all.len; i++) {
        CHECK_ERR(hf_swarm_stream_write(net->nodes[1].swarm, net->now_ms, stream, hf_sub(hf_buf_bytes(&all), i, 1)),
                  HF_OK);
        kad_run(net, 1);
    }
    CHECK_U64(l.n_questions, 5); /* the raw peer counts what comes */
    hf_swarm_stream_finish(net->nodes[1].swarm, net->now_ms, stream);
    kad_run(net, 1);
    CHECK(!net->nodes[0].kad->first_served);
    hf_buf_deinit(&all);
    hf_buf_deinit(&m);
    kad_net_free(net);
}

/* ---- want of memory ---- */

static void *world_resize(void *ctx, void *ptr, size_t old_len, size_t new_len);

HF_TEST(kad_survives_want_of_memory) {
    static hf_mem world = {world_resize, NULL};
    size_t n_failures = 0;
    for (size_t n = 1; n < 4000; n += 1 + n / 16) {
        kad_net *net = kad_net_new_in(&world, 5, &(hf_kad_config){.k = 4}, 2);
        uint64_t op;
        for (size_t i = 1; i < 5; i++) kad_connect(net, i, 0, NULL);
        kad_settle(net);
        hf_test_mem_fail_at(n);
        for (size_t i = 0; i < 5; i++) {
            hf_kad *kad = net->nodes[i].kad;
            (void)!hf_kad_put_value(kad, net->now_ms, HF_TEXT("/test/a"), HF_TEXT("v"), &op);
            (void)!hf_kad_provide(kad, net->now_ms,
                                  HF_TEXT("\x12\x20"
                                          "01234567890123456789012345678901"),
                                  &op);
            (void)!hf_kad_get_value(kad, net->now_ms, HF_TEXT("/test/b"), 0, &op);
            (void)!hf_kad_find_peer(kad, net->now_ms, kad_id(net, (i + 2) % 5), &op);
            (void)!hf_kad_find_providers(kad, net->now_ms,
                                         HF_TEXT("\x12\x20"
                                                 "01234567890123456789012345678901"),
                                         0, &op);
        }
        n_failures += hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        kad_run(net, 30000);
        for (size_t i = 0; i < 5; i++) CHECK(!net->nodes[i].kad->n_ops);
        kad_net_free(net);
    }
    CHECK(n_failures > 0);
}

#include <stdlib.h>
static void *world_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

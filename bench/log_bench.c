/* log_bench: what a log costs beside its signatures. Appending against bare signing, joining an entry whose parents are known against bare
 * verifying (libsecp256k1 called directly, on 32 bytes), interleaved in one run; medians over rounds. Joining is measured twice: entry by entry on one
 * processor, and as the node does it, with the signatures of what came together checked on all of them. Then loading, which checks no
 * signature. Each ratio on a line of its own: 1.00 would be a log for nothing. */
#include "../core/codec/dag_cbor.h"
#include "../core/log/log.h"
#ifndef __wasm__
#include "../node/spread.h"
#endif

#include <secp256k1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 31, PER_ROUND = 250, LOADED = 35000 };

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void must(bool ok, const char *what) {
    if (ok) return;
    printf("failed: %s\n", what);
    exit(1);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *rates, size_t n) {
    qsort(rates, n, sizeof *rates, compare);
    return rates[n / 2];
}

/* ---- bare libsecp256k1 ---- */

typedef struct bare {
    secp256k1_context *context;
    secp256k1_pubkey key;
    secp256k1_ecdsa_signature signatures[PER_ROUND];
    uint8_t secret[32], digests[PER_ROUND][32];
} bare;

static void open_bare(bare *b) {
    static const uint8_t seed[32] = {4, 5, 6};
    memset(b->secret, 7, sizeof b->secret);
    b->context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    must(secp256k1_context_randomize(b->context, seed), "randomize");
    must(secp256k1_ec_pubkey_create(b->context, &b->key, b->secret), "public key");
    for (size_t i = 0; i < PER_ROUND; i++) hf_sha256_of(HF_BYTES(&i, sizeof i), b->digests[i]);
}

static double bare_sign(bare *b) {
    double from = seconds();
    for (size_t i = 0; i < PER_ROUND; i++)
        must(secp256k1_ecdsa_sign(b->context, &b->signatures[i], b->digests[i], b->secret, NULL, NULL), "sign");
    return PER_ROUND / (seconds() - from);
}

static double bare_verify(bare *b) {
    double from = seconds();
    for (size_t i = 0; i < PER_ROUND; i++)
        must(secp256k1_ecdsa_verify(b->context, &b->signatures[i], b->digests[i], &b->key), "verify");
    return PER_ROUND / (seconds() - from);
}

/* ---- the log ---- */

typedef struct side {
    hf_secp *secp;
    hf_writer writer;
    hf_identity identity;
    hf_buf blocks[LOADED];
    size_t n;
} side;

static void open_side(side *s) {
    static const uint8_t seed[32] = {1}, root[32] = {2}, signing[32] = {3};
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    s->secp = hf_secp_new(&mem, seed);
    must(s->secp && !hf_writer_init(&s->writer, &mem, s->secp, root, signing), "writer");
    must(!hf_identity_read(hf_buf_bytes(&s->writer.block), &arena, &s->identity, NULL), "identity");
    hf_arena_deinit(&arena);
    for (size_t i = 0; i < LOADED; i++) hf_buf_init(&s->blocks[i], &mem);
}

static hf_log *open_log(const side *s) {
    hf_bytes write[] = {HF_BYTES(s->writer.id, sizeof s->writer.id)};
    hf_log_config config = {HF_TEXT("/orbitdb/zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3"), write, 1, 1, NULL, NULL};
    hf_log *log = hf_log_new(&mem, &config);
    must(log && !hf_log_identity(log, &s->identity), "log");
    return log;
}

/* {op: "PUT", key: "item-…", value: {title, done}}: an entry of a small app. */
static void write_payload(hf_buf *buf, size_t n) {
    char key[32];
    snprintf(key, sizeof key, "item-%08zu", n);
    hf_buf_clear(buf);
    hf_buf_add(buf, HF_TEXT("\xa3\x62op\x63PUT\x63key"));
    hf_cbor_add_text(buf, hf_str(key));
    hf_buf_add(buf, HF_TEXT("\x65value\xa2\x64" "done\xf4\x65title\x70water the garden"));
}

static double append(side *s, hf_log *log) {
    hf_buf payload;
    hf_buf_init(&payload, &mem);
    double from = seconds();
    for (size_t i = 0; i < PER_ROUND; i++, s->n++) {
        uint32_t index;
        write_payload(&payload, s->n);
        must(!hf_log_append(log, &s->writer, hf_buf_bytes(&payload), &s->blocks[s->n], &index), "append");
    }
    double rate = PER_ROUND / (seconds() - from);
    hf_buf_deinit(&payload);
    return rate;
}

static void look_ahead(const side *s, hf_log *log, size_t from, size_t to, const hf_spread *spread) {
    hf_bytes blocks[HF_LOG_AHEAD_MAX];
    size_t n = 0;
    for (size_t i = from; i < to && n < HF_LOG_AHEAD_MAX; i++) blocks[n++] = hf_buf_bytes(&s->blocks[i]);
    hf_log_look_ahead(log, spread, blocks, n);
}

/* spread NULL: one after another, on this processor. */
static double join(const side *s, hf_log *log, size_t first, const hf_spread *spread) {
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    double from = seconds();
    for (size_t i = first; i < first + PER_ROUND; i++) {
        if (spread && (i - first) % HF_LOG_AHEAD_MAX == 0) look_ahead(s, log, i, first + PER_ROUND, spread);
        hf_entry entry;
        uint32_t index;
        must(!hf_log_join(log, hf_buf_bytes(&s->blocks[i]), &arena, &entry, &index, NULL), "join");
        hf_arena_clear(&arena);
    }
    double rate = PER_ROUND / (seconds() - from);
    hf_arena_deinit(&arena);
    return rate;
}

static double load(const side *s) {
    hf_log *log = open_log(s);
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    double from = seconds();
    for (size_t i = 0; i < s->n; i++) {
        hf_entry entry;
        must(!hf_log_load(log, hf_buf_bytes(&s->blocks[i]), &entry, &arena, NULL), "load");
        hf_arena_clear(&arena);
    }
    double took = seconds() - from;
    hf_arena_deinit(&arena);
    hf_log_free(log);
    return took;
}

static void show(const char *what, double *ours, const char *bare_what, double *theirs) {
    double a = median(ours, ROUNDS), b = median(theirs, ROUNDS);
    printf("%s: %.0f/s, bare %s: %.0f/s, ratio %.2f\n", what, a, bare_what, b, a / b);
}

int main(void) {
    static bare b;
    static side s;
    double appends[ROUNDS], joins[ROUNDS], spread_joins[ROUNDS], signs[ROUNDS], verifies[ROUNDS];
    open_bare(&b);
    open_side(&s);
    hf_log *writing = open_log(&s), *reading = open_log(&s), *reading_spread = open_log(&s);
#ifdef __wasm__
    const hf_spread *spread = NULL;
#else
    hf_threads *threads = hf_threads_open();
    const hf_spread *spread = hf_threads_spread(threads);
#endif
    for (size_t i = 0; i < ROUNDS; i++) {
        signs[i] = bare_sign(&b);
        appends[i] = append(&s, writing);
        verifies[i] = bare_verify(&b);
        joins[i] = join(&s, reading, s.n - PER_ROUND, NULL);
        spread_joins[i] = join(&s, reading_spread, s.n - PER_ROUND, spread);
    }
    show("append", appends, "sign", signs);
    show("join", joins, "verify", verifies);
    if (spread) show("join on all processors", spread_joins, "verify", verifies);
    while (s.n < LOADED) append(&s, writing);
    double loads[3];
    for (size_t i = 0; i < 3; i++) loads[i] = load(&s);
    printf("load: %zu entries of %zu bytes in %.0f ms\n", s.n, s.blocks[s.n - 1].len, median(loads, 3) * 1e3);
    hf_log_free(writing);
    hf_log_free(reading);
    hf_log_free(reading_spread);
#ifndef __wasm__
    hf_threads_close(threads);
#endif
    for (size_t i = 0; i < s.n; i++) hf_buf_deinit(&s.blocks[i]);
    hf_writer_deinit(&s.writer);
    hf_secp_free(s.secp);
    secp256k1_context_destroy(b.context);
    return 0;
}

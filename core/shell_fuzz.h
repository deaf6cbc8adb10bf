/* shell_fuzz: for fuzz targets of whole cores: a core with a small app and what a shell keeps for it. Memory is counted, and an allocation can be made to fail. */
#ifndef HF_SHELL_FUZZ_H
#define HF_SHELL_FUZZ_H
#include "core.h"

#include "../tests/kit/fuzz.h"

#include <stdlib.h>
#include <string.h>

enum { HF_SHELL_RECORDS_MAX = 1024, HF_SHELL_MEMORY_MAX = 64 << 20 };

typedef struct hf_shell {
    hf_mem mem;
    size_t mem_out, fail_in;        /* fail_in: that allocation fails; 0: none */
    bool failed, browser, dialling;
    hf_core *core;
    uint64_t random;
    hf_secrets secrets;
    struct { uint64_t seq; uint32_t database; uint8_t cid[HF_CID_LEN]; uint8_t *block; size_t len; } records[HF_SHELL_RECORDS_MAX];
    size_t n_records, n_stored;     /* the first n_stored are durable */
    uint64_t seq_life;              /* of the newest record in this life */
} hf_shell;

static inline void *hf_shell_resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    hf_shell *s = ctx;
    if (new_len > old_len && s->fail_in && !--s->fail_in) {
        s->failed = true;
        return NULL;
    }
    return hf_fuzz_resize(&s->mem_out, ptr, old_len, new_len);
}

static inline hf_err hf_shell_block(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const hf_shell *s = ctx;
    for (size_t i = 0; i < s->n_records; i++) {
        if (!hf_eq(cid, HF_BYTES(s->records[i].cid, HF_CID_LEN))) continue;
        *ret = HF_BYTES(s->records[i].block, s->records[i].len);
        return HF_OK;
    }
    return HF_NOT_FOUND;
}

static inline bool hf_shell_can_dial(void *ctx, hf_bytes address) {
    (void)ctx;
    return address.len > 0;
}

/* Starts a life: what is durable is loaded. False: an allocation failed. */
static inline bool hf_shell_start(hf_shell *s, uint64_t now_ms) {
    static const char app[] =
        "{\"name\":\"t\",\"title\":\"T\",\"description\":\"d\",\"lang\":\"en\",\"collections\":{\"notes\":{\"write\":[\"*\"],\"fields\":{"
        "\"text\":{\"type\":\"text\",\"required\":true,\"max\":50},\"done\":{\"type\":\"bool\",\"default\":false},\"n\":{\"type\":\"counter\"}}}},"
        "\"routes\":[{\"path\":\"/\",\"template\":\"index\",\"title\":\"T\",\"description\":\"d\",\"lists\":{\"notes\":{\"from\":\"notes\"}}}],"
        "\"actions\":[{\"path\":\"/notes\",\"do\":\"create\",\"in\":\"notes\",\"fields\":[\"text\"],\"then\":\"/\",\"failed\":\"/\"}]}";
    const hf_file files[] = {
        {HF_TEXT("app.json"), {(const uint8_t *)app, sizeof app - 1}},
        {HF_TEXT("templates/layout.mustache"), HF_TEXT("<html>{{{content}}}</html>")},
        {HF_TEXT("templates/index.mustache"), HF_TEXT("<form><input name=op value={{op}}></form>{{#notes.items}}[{{text}}]{{/notes.items}}")},
    };
    hf_core_config config = {
        .files = files, .n_files = HF_COUNT(files), .release = HF_TEXT("r"), .secrets = &s->secrets, .agent = HF_TEXT("f"), .by_session = !s->browser,
        .wants_introductions = s->browser, .relayed = s->browser, .unix_offset_ms = 1700000000000, .names_peers = !s->browser, .random = hf_fuzz_fill,
        .random_ctx = &s->random, .blocks = {hf_shell_block, s},
        .dialling = s->dialling ? &hf_host_dialling : NULL, .can_dial = hf_shell_can_dial,
    };
    hf_bytes problem;
    hf_arena arena;
    hf_arena_init(&arena, &s->mem);
    s->n_records = s->n_stored;
    s->seq_life = 0;
    s->core = hf_core_new(&s->mem, &config, &arena, &problem);
    hf_err err = s->core ? HF_OK : HF_NOMEM;
    hf_fault fault = {"", 0};
    for (size_t i = 0; !err && i < s->n_stored; i++) err = hf_core_load(s->core, s->records[i].database, HF_BYTES(s->records[i].block, s->records[i].len), &fault);
    if (!err) err = hf_core_start(s->core, now_ms);
    hf_arena_deinit(&arena);
    HF_ASSERT(!err || s->failed);
    return !err;
}

static inline void hf_shell_init(hf_shell *s, uint64_t seed, bool browser) {
    *s = (hf_shell){.random = seed, .browser = browser};
    s->mem = (hf_mem){hf_shell_resize, s};
    hf_secrets_make(hf_fuzz_fill, &s->random, &s->secrets);
}

static inline void hf_shell_keep(hf_shell *s, const hf_out *out) {
    HF_ASSERT(out->seq == s->seq_life + 1 && s->n_records < HF_SHELL_RECORDS_MAX);
    s->seq_life = out->seq;
    size_t i = s->n_records++;
    free(s->records[i].block);
    s->records[i].block = malloc(out->bytes.len + 1);
    if (out->bytes.len) memcpy(s->records[i].block, out->bytes.ptr, out->bytes.len);
    s->records[i].len = out->bytes.len;
    s->records[i].seq = out->seq;
    s->records[i].database = out->database;
    memcpy(s->records[i].cid, out->cid, HF_CID_LEN);
}

/* The next `n` records become durable. */
static inline void hf_shell_sync(hf_shell *s, uint64_t now_ms, size_t n) {
    if (s->n_stored == s->n_records || !n) return;
    s->n_stored = n < s->n_records - s->n_stored ? s->n_stored + n : s->n_records;
    hf_core_stored(s->core, now_ms, s->records[s->n_stored - 1].seq);
}

/* The process ends, as killed; all its memory comes back. */
static inline void hf_shell_stop(hf_shell *s) {
    hf_core_free(s->core);
    s->core = NULL;
    HF_ASSERT(s->mem_out == 0);
}

static inline void hf_shell_deinit(hf_shell *s) {
    if (s->core) hf_shell_stop(s);
    for (size_t i = 0; i < HF_SHELL_RECORDS_MAX; i++) free(s->records[i].block);
}

/* A form is sent. *ret_seq: what must be durable before its answer is given; 0: nothing. Returns the status, 0 when there is no memory. */
static inline unsigned hf_shell_post(hf_shell *s, uint64_t now_ms, hf_bytes path, hf_bytes body, uint64_t *ret_seq) {
    hf_request r = {.method = body.ptr ? HF_TEXT("POST") : HF_TEXT("GET"), .path = path, .origin = HF_TEXT("http://localhost"), .now_ms = 1700000000000u + now_ms, .body = body};
    if (body.ptr) r.content_type = HF_TEXT("application/x-www-form-urlencoded");
    hf_response response = {0};
    *ret_seq = 0;
    hf_err err = hf_core_handle(s->core, now_ms, &r, &response, ret_seq);
    HF_ASSERT(!err || s->failed);
    return err ? 0 : response.status;
}
#endif

/* exports: the core's face for script: integers and offsets in, records out. No logic; the calls are core.h's.
 *
 * One core a module instance: a worker has one replica. The only import is `env.random`.
 * Input:  script writes bytes into hf_w_input(len) and names its length in the call that follows.
 * Output: hf_w_result() / hf_w_result_len(): a record of little-endian u32s and length-prefixed bytes, valid until the next call.
 */
#include "../../core/app/bundle.h"
#include "glue.h"

#include <stdlib.h>
#include <string.h>

__attribute__((import_module("env"), import_name("random"))) void env_random(uint8_t *out, size_t len);

/* A block of the store: the worker keeps all of them in memory, in front of IndexedDB, since the core reads at once. */
typedef struct kept {
    size_t len;
    uint8_t cid[HF_CID_LEN];
    uint8_t bytes[];
} kept;

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}

static hf_mem mem = {resize, NULL};
static hf_core *core;
static hf_buf input, result, release_text, script_text;
static hf_map blocks;
static hf_arena arena;

static void random_fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    env_random(out, len);
}

static hf_err kept_get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    (void)ctx;
    kept *k = hf_map_get(&blocks, cid);
    if (!k) return HF_NOT_FOUND;
    *ret = HF_BYTES(k->bytes, k->len);
    return HF_OK;
}

hf_err hf_w_keep_block(const uint8_t cid[HF_CID_LEN], hf_bytes block) {
    if (hf_map_get(&blocks, HF_BYTES(cid, HF_CID_LEN))) return HF_OK;
    kept *k = malloc(sizeof *k + block.len);
    if (!k) return HF_NOMEM;
    k->len = block.len;
    memcpy(k->cid, cid, HF_CID_LEN);
    if (block.len) memcpy(k->bytes, block.ptr, block.len); /* an empty one may be NULL */
    hf_err err = hf_map_put(&blocks, HF_BYTES(k->cid, HF_CID_LEN), k);
    if (err) free(k);
    return err;
}

/* ---- records ---- */

static void put_u32(uint32_t v) {
    uint8_t *p = hf_buf_extend(&result, 4);
    if (p) memcpy(p, &v, 4); /* WebAssembly is little-endian */
}

static void put_bytes(hf_bytes b) {
    put_u32((uint32_t)b.len);
    hf_buf_add(&result, b);
}

static void put_peer(const hf_peer_id *peer) {
    hf_buf text;
    hf_buf_init(&text, &mem);
    if (peer->len) hf_peer_id_add_text(&text, peer);
    put_bytes(hf_buf_bytes(&text));
    hf_buf_deinit(&text);
}

/* The next length-prefixed piece of the input. */
hf_bytes hf_w_take(size_t *at) {
    uint32_t len = 0;
    if (input.len - *at < 4) return HF_BYTES(NULL, 0);
    memcpy(&len, input.ptr + *at, 4);
    *at += 4;
    hf_bytes b = hf_sub(hf_buf_bytes(&input), *at, len);
    *at += b.len;
    return b;
}

hf_core *hf_w_core(void) { return core; }
hf_bytes hf_w_given(uint32_t len) { return hf_sub(hf_buf_bytes(&input), 0, len); }

hf_buf *hf_w_answer(void) {
    hf_buf_clear(&result);
    return &result;
}

hf_arena *hf_w_scratch(void) {
    hf_arena_clear(&arena);
    return &arena;
}

uint8_t *EXPORT(hf_w_input)(uint32_t len) {
    if (!input.mem) hf_buf_init(&input, &mem);
    hf_buf_clear(&input);
    return hf_buf_extend(&input, len ? len : 1);
}

const uint8_t *EXPORT(hf_w_result)(void) { return result.ptr; }
uint32_t EXPORT(hf_w_result_len)(void) { return (uint32_t)result.len; }

/* Fresh secrets (96 bytes) as the result. */
uint32_t EXPORT(hf_w_secrets)(void) {
    hf_secrets s;
    hf_secrets_make(random_fill, NULL, &s);
    result.mem = &mem;
    hf_buf_clear(&result);
    hf_buf_add(&result, HF_BYTES(&s, sizeof s));
    return result.err;
}

/* Input: secrets (96), release, script URL, bundle, agent, each length-prefixed. unix_offset_ms: UTC minus the clock of all other calls. On failure the
 * result is the reason. */
uint32_t EXPORT(hf_w_new)(double unix_offset_ms) {
    result.mem = &mem;
    hf_buf_clear(&result);
    hf_arena_init(&arena, &mem);
    hf_buf_init(&release_text, &mem);
    hf_buf_init(&script_text, &mem);
    size_t at = 0;
    hf_bytes secrets = hf_w_take(&at);
    hf_buf_add(&release_text, hf_w_take(&at));
    hf_buf_add(&script_text, hf_w_take(&at));
    hf_bytes bundle = hf_w_take(&at), agent = hf_w_take(&at), problem = HF_TEXT("the app bundle is malformed");
    hf_secrets s;
    if (secrets.len != sizeof s) return HF_MALFORMED;
    memcpy(&s, secrets.ptr, sizeof s);
    uint64_t seed;
    random_fill(NULL, (uint8_t *)&seed, sizeof seed);
    hf_map_init(&blocks, &mem, seed);
    hf_core_config config = {
        .secrets = &s,
        .release = hf_buf_bytes(&release_text),
        .script_url = hf_buf_bytes(&script_text),
        .agent = agent,
        .wants_introductions = true,
        .relayed = true,
        .unix_offset_ms = (int64_t)unix_offset_ms,
        .random = random_fill,
        .blocks = {kept_get, NULL},
    };
    hf_file *files = NULL;
    hf_fault fault;
    hf_err err = hf_bundle_decode(&arena, bundle, &files, &config.n_files, &fault);
    config.files = files;
    if (!err) core = hf_core_new(&mem, &config, &arena, &problem);
    if (!err && !core) err = HF_MALFORMED;
    if (err) hf_buf_add(&result, problem);
    hf_arena_clear(&arena);
    return err;
}

/* Input: a stored block (raw cid, then block, length-prefixed), in the order of its STORE record. */
uint32_t EXPORT(hf_w_load)(uint32_t database) {
    size_t at = 0;
    hf_bytes cid = hf_w_take(&at), block = hf_w_take(&at);
    hf_fault fault = {"", 0};
    if (cid.len != HF_CID_LEN) return HF_MALFORMED;
    hf_err err = hf_w_keep_block(cid.ptr, block);
    return err ? err : hf_core_load(core, database, block, &fault);
}

uint32_t EXPORT(hf_w_start)(double now_ms) { return hf_core_start(core, (uint64_t)now_ms); }

/* Input: method, path, query, origin, content-type, body, if-none-match, if-match, accept, origin header, sec-fetch-site, referer,
 * idempotency-key, session, nonce (16 bytes or empty). Result: status, seq, n headers, (name, value)*, body. */
uint32_t EXPORT(hf_w_handle)(double now_ms, double wall_ms) {
    hf_request r = {.now_ms = (uint64_t)wall_ms};
    hf_bytes *fields[] = {&r.method, &r.path, &r.query, &r.origin, &r.content_type, &r.body, &r.if_none_match, &r.if_match,
                          &r.accept, &r.header_origin, &r.sec_fetch_site, &r.referer, &r.client_op, &r.session};
    size_t at = 0;
    for (size_t i = 0; i < HF_COUNT(fields); i++) *fields[i] = hf_w_take(&at);
    hf_bytes nonce = hf_w_take(&at);
    if (nonce.len == sizeof r.nonce) memcpy(r.nonce, nonce.ptr, nonce.len);
    hf_response response = {0};
    uint64_t seq = 0;
    hf_err err = hf_core_handle(core, (uint64_t)now_ms, &r, &response, &seq);
    hf_buf_clear(&result);
    if (err) return err;
    put_u32(response.status);
    put_u32((uint32_t)seq);
    put_u32((uint32_t)response.n_headers);
    for (size_t i = 0; i < response.n_headers; i++) {
        put_bytes(response.headers[i].name);
        put_bytes(response.headers[i].value);
    }
    put_bytes(response.body);
    return result.err;
}

/* Result: the blocks that operation `seq` wrote, as hf_core_written has them. */
uint32_t EXPORT(hf_w_written)(uint32_t seq) {
    hf_buf_clear(&result);
    return hf_core_written(core, seq, &result);
}

/* Input: expected peer ID text (may be empty). */
uint32_t EXPORT(hf_w_conn_open)(double now_ms, uint32_t conn, uint32_t dialer) {
    size_t at = 0;
    hf_bytes text = hf_w_take(&at);
    hf_peer_id expected;
    if (text.len && hf_peer_id_parse(text, &expected)) return HF_MALFORMED;
    return hf_core_conn_open(core, (uint64_t)now_ms, conn, dialer != 0, text.len ? &expected : NULL, HF_BYTES(NULL, 0));
}

/* Input: the bytes, not prefixed. */
uint32_t EXPORT(hf_w_conn_recv)(double now_ms, uint32_t conn, uint32_t len) {
    return hf_core_conn_recv(core, (uint64_t)now_ms, conn, hf_sub(hf_buf_bytes(&input), 0, len));
}

void EXPORT(hf_w_conn_lost)(double now_ms, uint32_t conn) { hf_core_conn_lost(core, (uint64_t)now_ms, conn); }
void EXPORT(hf_w_conn_busy)(double now_ms, uint32_t conn, uint32_t busy) { hf_core_conn_busy(core, (uint64_t)now_ms, conn, busy != 0); }

/* Input: peer ID text, data. */
uint32_t EXPORT(hf_w_signal)(double now_ms) {
    size_t at = 0;
    hf_bytes text = hf_w_take(&at), data = hf_w_take(&at);
    hf_peer_id to;
    hf_err err = hf_peer_id_parse(text, &to);
    return err ? err : hf_core_signal(core, (uint64_t)now_ms, &to, data);
}

/* ---- others, through relays ---- */

/* Input: peer ID text. on 0: not any more. */
uint32_t EXPORT(hf_w_reserve)(double now_ms, uint32_t on) {
    size_t at = 0;
    hf_peer_id relay;
    hf_err err = hf_peer_id_parse(hf_w_take(&at), &relay);
    if (!err && on) return hf_core_reserve(core, (uint64_t)now_ms, &relay);
    if (!err) hf_core_unreserve(core, &relay);
    return err;
}

/* Input: peer ID texts of the relay and of whom to meet. */
uint32_t EXPORT(hf_w_meet)(double now_ms) {
    size_t at = 0;
    hf_peer_id relay, peer;
    hf_err err = hf_peer_id_parse(hf_w_take(&at), &relay);
    if (!err) err = hf_peer_id_parse(hf_w_take(&at), &peer);
    return err ? err : hf_core_meet(core, (uint64_t)now_ms, &relay, &peer);
}

/* Input: the text. */
uint32_t EXPORT(hf_w_rtc_say)(double now_ms, uint32_t session, uint32_t type) {
    size_t at = 0;
    return type > HF_WEBRTC_CANDIDATE ? HF_MALFORMED : hf_core_rtc_say(core, (uint64_t)now_ms, session, (hf_webrtc_signal_type)type, hf_w_take(&at));
}

uint32_t EXPORT(hf_w_rtc_up)(double now_ms, uint32_t session, uint32_t conn) { return hf_core_rtc_up(core, (uint64_t)now_ms, session, conn); }
void EXPORT(hf_w_rtc_failed)(double now_ms, uint32_t session) { hf_core_rtc_failed(core, (uint64_t)now_ms, session); }
uint32_t EXPORT(hf_w_channel_opened)(double now_ms, uint32_t conn, uint32_t channel) { return hf_core_channel_opened(core, (uint64_t)now_ms, conn, channel); }

/* Input: the bytes, not prefixed. */
uint32_t EXPORT(hf_w_channel_recv)(double now_ms, uint32_t conn, uint32_t channel, uint32_t len) {
    return hf_core_channel_recv(core, (uint64_t)now_ms, conn, channel, hf_sub(hf_buf_bytes(&input), 0, len));
}

void EXPORT(hf_w_channel_closed)(double now_ms, uint32_t conn, uint32_t channel) { hf_core_channel_closed(core, (uint64_t)now_ms, conn, channel); }
void EXPORT(hf_w_channel_busy)(double now_ms, uint32_t conn, uint32_t channel, uint32_t busy) {
    hf_core_channel_busy(core, (uint64_t)now_ms, conn, channel, busy != 0);
}

void EXPORT(hf_w_stored)(double now_ms, uint32_t seq) { hf_core_stored(core, (uint64_t)now_ms, seq); }

/* 0 when there is nothing; else the kind, with the result: seq, conn, database, last, cid, bytes, peer text, reason, n peers, peer text*,
 * n protocols, protocol*, agent, session, type. A connection through a relay has the top bit set; script's own have not. */
uint32_t EXPORT(hf_w_next)(double now_ms) {
    hf_out out;
    hf_buf_clear(&result);
    if (!hf_core_next(core, (uint64_t)now_ms, &out)) return 0;
    if (out.kind == HF_OUT_STORE && hf_w_keep_block(out.cid, out.bytes)) __builtin_trap();
    put_u32((uint32_t)out.seq);
    put_u32(out.conn >> 63 ? (uint32_t)out.conn | 0x80000000u : (uint32_t)out.conn);
    put_u32(out.database);
    put_u32(out.last);
    put_bytes(HF_BYTES(out.cid, sizeof out.cid));
    put_bytes(out.bytes);
    put_peer(&out.peer);
    put_bytes(hf_str(out.reason));
    put_u32((uint32_t)out.n_peers);
    for (size_t i = 0; i < out.n_peers; i++) put_peer(&out.peers[i]);
    size_t n = out.identify ? out.identify->n_protocols : 0;
    put_u32((uint32_t)n);
    for (size_t i = 0; i < n; i++) put_bytes(out.identify->protocols[i]);
    put_bytes(out.identify ? out.identify->agent : HF_BYTES(NULL, 0));
    put_u32(out.session);
    put_u32((uint32_t)out.type);
    return result.err ? 0 : out.kind;
}

/* Milliseconds on the same clock as now_ms; Infinity when there is no need. */
double EXPORT(hf_w_deadline)(void) {
    uint64_t at = hf_core_deadline(core);
    return at == UINT64_MAX ? __builtin_inf() : (double)at;
}

void EXPORT(hf_w_tick)(double now_ms) { hf_core_tick(core, (uint64_t)now_ms); }
uint32_t EXPORT(hf_w_pending)(void) { return (uint32_t)hf_core_pending(core); }
uint32_t EXPORT(hf_w_peers)(void) { return (uint32_t)hf_core_n_peers(core); }

/* Result: JSON object of core.h's hf_core_describe, with "entries": {NAME: number} and "versions": {NAME: hex}. */
uint32_t EXPORT(hf_w_describe)(void) {
    hf_buf_clear(&result);
    hf_buf_add_byte(&result, '{');
    hf_core_describe(core, &result);
    for (int pass = 0; pass < 2; pass++) {
        hf_buf_add_str(&result, pass ? ",\"versions\":{" : ",\"entries\":{");
        for (uint32_t i = 1; i <= hf_core_n_collections(core); i++) {
            uint8_t version[32];
            hf_core_version(core, i, version);
            if (i > 1) hf_buf_add_byte(&result, ',');
            hf_buf_add_byte(&result, '"');
            hf_buf_add(&result, hf_collection_schema(hf_core_collection(core, i))->name);
            hf_buf_add_str(&result, "\":");
            if (pass) hf_buf_add_byte(&result, '"'), hf_buf_add_hex(&result, HF_BYTES(version, 32)), hf_buf_add_byte(&result, '"');
            else hf_buf_add_u64(&result, hf_core_n_entries(core, i));
        }
        hf_buf_add_byte(&result, '}');
    }
    hf_buf_add_byte(&result, '}');
    return result.err;
}

/* files_node: bitswap, UnixFS and CARs on the shell, with blocks in memory.
 *
 *      files_node SEED_BYTE
 *      import SEED BYTES         a file of content.mjs's bytes             -> imported CID BLOCKS MS
 *      fetch CID                 from every connected peer                  -> fetched BLOCKS BYTES MS twice N | stuck CID | failed WHY
 *      check CID SEED            reads the file and compares                -> equal BYTES | differs at AT | needs CID
 *      path CID/NAME/...         follows names                              -> found CID | not found WHY
 *      export CID FILE           the DAG as a CAR                           -> exported BLOCKS
 *      read FILE                 blocks of a CAR into the store             -> read ROOT BLOCKS | failed WHY
 *      forget                    empties the store
 */
#include "../../core/files/car.h"
#include "../../core/files/export.h"
#include "../../core/files/fetch.h"
#include "../../core/files/import.h"
#include "../../core/files/path.h"
#include "../../core/files/walk.h"
#include "shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TAG = 7 };

typedef struct stored { size_t key_len, len; uint8_t bytes[]; } stored;

static hf_bitswap *bitswap;
static hf_fetch *fetch;
static uint64_t fetch_from_ms;
static hf_map blocks;

/* ---- the store ---- */

static hf_err put(void *ctx, hf_bytes cid, hf_bytes block) {
    (void)ctx;
    hf_bytes key = hf_cid_multihash(cid);
    if (hf_map_get(&blocks, key)) return HF_OK;
    stored *s = malloc(sizeof *s + key.len + block.len);
    if (!s) return HF_NOMEM;
    *s = (stored){key.len, block.len};
    memcpy(s->bytes, key.ptr, key.len);
    if (block.len) memcpy(s->bytes + key.len, block.ptr, block.len);
    return hf_map_put(&blocks, HF_BYTES(s->bytes, key.len), s);
}

static hf_err get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    (void)ctx;
    stored *s = hf_map_get(&blocks, hf_cid_multihash(cid));
    if (!s) return HF_NOT_FOUND;
    *ret = HF_BYTES(s->bytes + s->key_len, s->len);
    return HF_OK;
}

static bool has(void *ctx, hf_bytes cid) {
    (void)ctx;
    return hf_map_get(&blocks, hf_cid_multihash(cid)) != NULL;
}

static const hf_block_source source = {get, NULL};
static const hf_block_sink sink = {put, NULL};

static void forget(void) {
    size_t at = 0;
    for (hf_map_slot *slot; (slot = hf_map_next(&blocks, &at));) free(slot->value);
    hf_map_deinit(&blocks);
    hf_map_init(&blocks, &shell_mem, 1);
}

/* ---- CIDs and content ---- */

static void print_cid(const char *before, hf_bytes binary, const char *after) {
    hf_cid cid;
    hf_buf text;
    hf_buf_init(&text, &shell_mem);
    if (!hf_cid_read(binary, &cid)) hf_cid_add_text(&text, &cid);
    printf("%s %.*s%s", before, (int)text.len, (const char *)text.ptr, after);
    hf_buf_deinit(&text);
}

/* Binary form of a CID's text; false: it is none. */
static bool parse_cid(const char *text, hf_buf *ret) {
    hf_cid cid;
    hf_buf_init(ret, &shell_mem);
    if (hf_cid_parse(hf_str(text), &cid)) return printf("no CID: %s\n", text), false;
    hf_cid_add(ret, &cid);
    return true;
}

static uint32_t content_start(uint32_t seed) {
    uint32_t x = seed * 2654435761u;
    return x ? x : 1;
}

static void content_more(uint32_t *state, uint8_t *out, size_t len) {
    uint32_t x = *state;
    for (size_t i = 0; i < len; i++) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        out[i] = (uint8_t)x;
    }
    *state = x;
}

/* ---- commands ---- */

static void import_file(uint32_t seed, size_t len) {
    static uint8_t bytes[65536];
    uint32_t state = content_start(seed);
    uint64_t from = shell_now();
    size_t before = blocks.n;
    hf_imported root;
    hf_import *i = hf_import_new(&shell_mem, &HF_IMPORT_HELIA, sink);
    hf_err err = i ? HF_OK : HF_NOMEM;
    for (size_t at = 0; at < len && !err; at += sizeof bytes) {
        size_t n = len - at < sizeof bytes ? len - at : sizeof bytes;
        content_more(&state, bytes, n);
        err = hf_import_add(i, HF_BYTES(bytes, n));
    }
    if (!err) err = hf_import_end(i, &root);
    hf_import_free(i);
    if (err) {
        printf("failed %s\n", hf_err_name(err));
        return;
    }
    print_cid("imported", HF_BYTES(root.cid, HF_CID_LEN), "");
    printf(" %zu %zu\n", blocks.n - before, (size_t)(shell_now() - from));
}

static void compare(hf_bytes root, uint32_t seed) {
    static uint8_t expected[HF_BLOCK_MAX];
    uint32_t state = content_start(seed);
    hf_export *x = hf_export_new(&shell_mem, root, 0, UINT64_MAX, source);
    hf_export_out out;
    uint64_t n = 0;
    bool equal = true;
    while (equal && hf_export_next(x, &out) == HF_EXPORT_BLOCK) {
        content_more(&state, expected, out.bytes.len);
        equal = hf_eq(out.bytes, HF_BYTES(expected, out.bytes.len));
        n += out.bytes.len;
    }
    if (!equal) printf("differs at %zu\n", (size_t)out.at);
    else if (out.kind == HF_EXPORT_NEED) print_cid("needs", out.cid, "\n");
    else if (out.kind) printf("failed %s\n", out.reason);
    else printf("equal %zu\n", (size_t)n);
    hf_export_free(x);
}

static void follow(const char *text) {
    char cid[256];
    hf_buf root;
    hf_path path;
    hf_path_out out = {.kind = HF_PATH_FAILED, .reason = "too long"};
    const char *slash = strchr(text, '/');
    snprintf(cid, sizeof cid, "%.*s", (int)(slash ? slash - text : (long)strlen(text)), text);
    if (!parse_cid(cid, &root)) return;
    if (!hf_path_init(&path, hf_buf_bytes(&root), hf_str(slash)))
        while (hf_path_next(&path, &source, &out) == HF_PATH_BLOCK) continue;
    if (out.kind == HF_PATH_FOUND) print_cid("found", out.cid, "\n");
    else if (out.kind == HF_PATH_NEED) print_cid("needs", out.cid, "\n");
    else printf("not found %s\n", out.reason);
    hf_buf_deinit(&root);
}

static void export_car(hf_bytes root, const char *name) {
    FILE *file = fopen(name, "wb");
    hf_walk *w = hf_walk_new(&shell_mem, root, HF_LINKS_ALL, source);
    hf_buf head;
    size_t n = 0;
    hf_buf_init(&head, &shell_mem);
    hf_car_add_header(&head, &root, 1);
    for (hf_walk_out out; file && hf_walk_next(w, &out) == HF_WALK_BLOCK; n++) {
        hf_car_add_section(&head, out.cid, out.block.len);
        fwrite(head.ptr, 1, head.len, file);
        fwrite(out.block.ptr, 1, out.block.len, file);
        hf_buf_clear(&head);
    }
    hf_buf_deinit(&head);
    hf_walk_free(w);
    if (file) fclose(file);
    printf("exported %zu\n", n);
}

static void read_car(const char *name) {
    static uint8_t bytes[65536];
    FILE *file = fopen(name, "rb");
    hf_car *car = hf_car_new(&shell_mem);
    hf_buf root;
    size_t n = 0;
    const char *why = file ? NULL : "no such file";
    hf_buf_init(&root, &shell_mem);
    for (size_t got; !why && (got = fread(bytes, 1, sizeof bytes, file)) > 0;) {
        hf_bytes rest = HF_BYTES(bytes, got);
        for (hf_car_out out; !why && hf_car_recv(car, &rest, &out);) {
            why = out.reason;
            if (out.kind == HF_CAR_ROOT && !root.len) hf_buf_add(&root, out.cid);
            if (out.kind == HF_CAR_BLOCK) n += !put(NULL, out.cid, out.block);
        }
    }
    if (!why && hf_car_end(car)) why = "it breaks off";
    if (file) fclose(file);
    hf_car_free(car);
    if (why) printf("failed %s\n", why);
    else print_cid("read", hf_buf_bytes(&root), "");
    if (!why) printf(" %zu\n", n);
    hf_buf_deinit(&root);
}

static void start_fetch(hf_bytes root) {
    hf_fetch_free(fetch, shell_now());
    fetch_from_ms = shell_now();
    fetch = hf_fetch_new(&shell_mem, bitswap, root, &(hf_fetch_config){.source = source, .has = has, .sink = sink});
    for (size_t i = 0; i < hf_swarm_n_peers(shell_swarm); i++)
        (void)!hf_fetch_peer(fetch, shell_now(), hf_swarm_peer(shell_swarm, i));
}

static void end_fetch(const hf_fetch_out *out) {
    hf_fetch_count count = hf_fetch_counted(fetch);
    size_t twice = 0;
    for (size_t i = 0; i < hf_swarm_n_peers(shell_swarm); i++) twice += hf_bitswap_n_twice(bitswap, hf_swarm_peer(shell_swarm, i));
    if (out->kind == HF_FETCH_STUCK) print_cid("stuck", out->cid, "\n");
    else if (out->kind == HF_FETCH_FAILED) printf("failed %s\n", out->reason);
    else printf("fetched %zu %zu %zu twice %zu\n", (size_t)count.n_blocks, (size_t)count.n_bytes, (size_t)(shell_now() - fetch_from_ms), twice);
    if (out->kind == HF_FETCH_STUCK) return;
    hf_fetch_free(fetch, shell_now());
    fetch = NULL;
}

static bool command(const char *line) {
    char a[512], b[512];
    size_t n = 0, m = 0;
    hf_buf cid;
    if (sscanf(line, "import %zu %zu", &n, &m) == 2) import_file((uint32_t)n, m);
    else if (sscanf(line, "path %511[^\n]", a) == 1) follow(a);
    else if (sscanf(line, "read %511s", a) == 1) read_car(a);
    else if (!strncmp(line, "forget", 6)) forget();
    else if (sscanf(line, "fetch %511s", a) == 1 || sscanf(line, "check %511s %zu", a, &n) == 2 || sscanf(line, "export %511s %511s", a, b) == 2) {
        if (!parse_cid(a, &cid)) return true;
        if (line[0] == 'f') start_fetch(hf_buf_bytes(&cid));
        else if (line[0] == 'c') compare(hf_buf_bytes(&cid), (uint32_t)n);
        else export_car(hf_buf_bytes(&cid), b);
        hf_buf_deinit(&cid);
    } else return false;
    return true;
}

/* ---- hooks ---- */

static void event(const hf_swarm_out *o) {
    if (o->tag == TAG || o->kind == HF_SWARM_CONN_DOWN) hf_bitswap_event(bitswap, shell_now(), o);
}

static bool drain(void) {
    bool any = false;
    for (hf_bitswap_out out; hf_bitswap_next(bitswap, &out); any = true) {
        if (out.kind == HF_BITSWAP_ABUSE) printf("abuse %s\n", out.reason);
        else if (fetch) hf_fetch_bitswap(fetch, shell_now(), &out);
    }
    hf_fetch_out out;
    size_t before = fetch ? hf_fetch_counted(fetch).n_asked : 0;
    if (fetch && hf_fetch_next(fetch, shell_now(), &out)) end_fetch(&out);
    return any || (fetch && hf_fetch_counted(fetch).n_asked != before);
}

static uint64_t deadline(void) {
    uint64_t a = hf_bitswap_deadline(bitswap), b = fetch ? hf_fetch_deadline(fetch) : UINT64_MAX;
    return a < b ? a : b;
}

static void tick(void) { hf_bitswap_tick(bitswap, shell_now()); } /* the fetch looks at its own time in drain */

static bool start(void) {
    hf_map_init(&blocks, &shell_mem, 1);
    bitswap = hf_bitswap_new(&shell_mem, shell_swarm, TAG, source);
    return bitswap != NULL;
}

static void stop(void) {
    hf_fetch_free(fetch, shell_now());
    hf_bitswap_free(bitswap);
    forget();
}

int main(int argc, char **argv) {
    uint8_t seed[32] = {argc > 1 ? (uint8_t)atoi(argv[1]) : 1, 7};
    hf_swarm_config config = {.ed25519_seed = seed, .agent = HF_TEXT("holdfast/files-node")};
    return shell_run(&config, &(shell_program){.start = start, .event = event, .command = command, .drain = drain, .deadline = deadline, .tick = tick, .stop = stop});
}

/* Fuzz: a request to the gateway over a small tree that is always the same. Lines: path?query, accept, range, if-none-match, cache-control. An
 * answer has a head, ends, and is as long as it says; whatever is needed is missing. Then the same tree's bytes, spoilt by the input: export,
 * walk and path end. */
#include "../../tests/kit/fuzz.h"
#include "directory.h"
#include "export.h"
#include "gateway.h"
#include "node.h"
#include "path.h"
#include "walk.h"

#include <string.h>

static hf_mem mem = {hf_fuzz_resize, NULL};

enum { KEPT_MAX = 64, KEPT_BYTES = 512 };
static struct { uint8_t cid[HF_CID_LEN], bytes[KEPT_BYTES]; size_t len; } kept[KEPT_MAX];
static size_t n_kept;

static hf_err put(void *ctx, hf_bytes cid, hf_bytes block) {
    (void)ctx;
    HF_ASSERT(n_kept < KEPT_MAX && block.len <= KEPT_BYTES && cid.len == HF_CID_LEN);
    memcpy(kept[n_kept].cid, cid.ptr, HF_CID_LEN);
    if (block.len) memcpy(kept[n_kept].bytes, block.ptr, block.len);
    kept[n_kept++].len = block.len;
    return HF_OK;
}

/* The input, when there is one, in place of the block that it names by its first byte. */
typedef struct spoilt { size_t which; hf_bytes bytes; } spoilt;

static hf_err get(void *ctx, hf_bytes cid, hf_bytes *ret) {
    const spoilt *s = ctx;
    for (size_t i = 0; i < n_kept; i++) {
        if (!hf_eq(cid, HF_BYTES(kept[i].cid, HF_CID_LEN))) continue;
        *ret = s && s->which == i ? s->bytes : HF_BYTES(kept[i].bytes, kept[i].len);
        return HF_OK;
    }
    return HF_NOT_FOUND;
}

static hf_imported root, file;

static void make_tree(void) {
    static const uint8_t bytes[100] = {1, 2, 3};
    hf_block_sink sink = {put, NULL};
    hf_import *i = hf_import_new(&mem, &(hf_import_config){16, 3}, sink);
    HF_ASSERT(!hf_import_add(i, HF_BYTES(bytes, sizeof bytes)) && !hf_import_end(i, &file));
    hf_import_free(i);
    hf_directory *d = hf_directory_new(&mem, sink);
    HF_ASSERT(!hf_directory_add(d, HF_TEXT("f"), HF_BYTES(file.cid, HF_CID_LEN), file.dag_bytes) && !hf_directory_end(d, &root));
    hf_directory_free(d);
}

static void check_gateway(hf_bytes input) {
    hf_buf target;
    hf_cid cid;
    hf_buf_init(&target, &mem);
    hf_bytes first = hf_fuzz_until(&input, '\n');
    if (first.len && first.ptr[0] == '/') { /* of our tree */
        HF_ASSERT(!hf_cid_read(HF_BYTES(root.cid, HF_CID_LEN), &cid));
        hf_cid_add_text(&target, &cid);
    }
    hf_buf_add(&target, first);
    size_t mark = hf_find(hf_buf_bytes(&target), '?', 0);
    hf_gateway_request r = {.path = hf_sub(hf_buf_bytes(&target), 0, mark), .query = hf_sub(hf_buf_bytes(&target), mark + 1, target.len)};
    r.accept = hf_fuzz_until(&input, '\n');
    r.range = hf_fuzz_until(&input, '\n');
    r.if_none_match = hf_fuzz_until(&input, '\n');
    r.cache_control = hf_fuzz_until(&input, '\n');
    hf_gateway *g = hf_gateway_new(&mem, &r, (hf_block_source){get, NULL});
    uint64_t n = 0, length = 0;
    bool has_length = false, has_head = false;
    hf_gateway_out out;
    while (hf_gateway_next(g, &out) && out.kind != HF_GATEWAY_BROKEN) {
        if (out.kind == HF_GATEWAY_NEED) hf_gateway_missing(g);
        if (out.kind == HF_GATEWAY_HEAD) has_head = true, has_length = out.has_length, length = out.length;
        n += out.bytes.len;
    }
    HF_ASSERT(has_head && (!has_length || out.kind || n == length));
    hf_gateway_free(g);
    hf_buf_deinit(&target);
}

static void check_spoilt(hf_bytes input) {
    spoilt s = {input.len ? input.ptr[0] % n_kept : 0, hf_sub(input, 1, input.len)};
    hf_block_source source = {get, &s};
    hf_export *x = hf_export_new(&mem, HF_BYTES(file.cid, HF_CID_LEN), 5, 90, source);
    hf_walk *w = hf_walk_new(&mem, HF_BYTES(root.cid, HF_CID_LEN), HF_LINKS_ALL, source);
    hf_export_out read;
    hf_walk_out step;
    hf_path path;
    hf_path_out found;
    uint64_t n = 0;
    while (hf_export_next(x, &read) == HF_EXPORT_BLOCK) n += read.bytes.len;
    HF_ASSERT(read.kind != HF_EXPORT_END || n <= 85);
    for (int i = 0; i < 10000 && hf_walk_next(w, &step) && step.kind != HF_WALK_FAILED; i++)
        if (step.kind == HF_WALK_NEED) hf_walk_skip(w);
    HF_ASSERT(!hf_path_init(&path, HF_BYTES(root.cid, HF_CID_LEN), HF_TEXT("f/g/h")));
    while (hf_path_next(&path, &source, &found) == HF_PATH_BLOCK) continue;
    hf_export_free(x);
    hf_walk_free(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!n_kept) make_tree();
    check_gateway(HF_BYTES(data, len));
    check_spoilt(HF_BYTES(data, len));
    return 0;
}

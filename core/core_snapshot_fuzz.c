/* A snapshot in any bytes, with checksums that fit: refused with a reason and nothing taken, or restored, and then saved and restored again as the same. */
#include "../tests/kit/fuzz.h"
#include "app/test_tools.h"
#include "codec/varint.h"
#include "core.h"

enum { ID_AT = 4, ID_LEN = 32 };

static hf_mem mem = {hf_fuzz_resize, NULL};
static hf_core *spare; /* without entries: making one costs more than most inputs do */

static void fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    memset(out, 7, len);
}

static hf_core *take_core(void) {
    hf_core *core = spare;
    spare = NULL;
    if (core) return core;
    hf_arena arena;
    size_t n;
    hf_bytes problem;
    hf_secrets secrets;
    hf_arena_init(&arena, &mem);
    hf_secrets_make(fill, NULL, &secrets);
    hf_file *files = sample_file_list(&arena, &n);
    hf_core_config config = {.files = files, .n_files = n, .secrets = &secrets, .agent = HF_TEXT("fuzz"), .random = fill};
    core = hf_core_new(&mem, &config, &arena, &problem);
    HF_ASSERT(core != NULL);
    hf_arena_deinit(&arena);
    return core;
}

static void seal(hf_buf *buf, size_t from) {
    uint8_t checksum[32];
    hf_sha256_of(hf_sub(hf_buf_bytes(buf), from, buf->len), checksum);
    hf_buf_add(buf, HF_BYTES(checksum, sizeof checksum));
}

/* Input: how many bytes of it are the operations (2 bytes), how many were ignored (1), the operations, the log's index behind its address. */
static void build(hf_core *core, hf_bytes data, hf_buf *ret) {
    hf_buf empty;
    hf_buf_init(&empty, &mem);
    HF_ASSERT(!hf_core_snapshot(core, 1, &empty));
    hf_buf_add(ret, hf_sub(hf_buf_bytes(&empty), 0, ID_AT + ID_LEN));
    hf_buf_deinit(&empty);
    hf_bytes rest = hf_sub(data, 3, data.len), address = hf_core_address(core, 1);
    size_t n = (data.ptr[0] | (size_t)data.ptr[1] << 8) % (rest.len + 1);
    hf_varint_add(ret, data.ptr[2]);
    hf_varint_add(ret, n);
    hf_buf_add(ret, hf_sub(rest, 0, n));
    size_t log = ret->len;
    hf_buf_add_str(ret, "HFL1");
    hf_varint_add(ret, address.len);
    hf_buf_add(ret, address);
    hf_buf_add(ret, hf_sub(rest, n, rest.len));
    seal(ret, log);
    seal(ret, 0);
    HF_ASSERT(!ret->err);
}

static void check_again(hf_core *core) {
    hf_buf saved[2];
    hf_core *other = take_core();
    for (size_t i = 0; i < 2; i++) hf_buf_init(&saved[i], &mem);
    HF_ASSERT(!hf_core_snapshot(core, 1, &saved[0]));
    HF_ASSERT(!hf_core_restore(other, 1, hf_buf_bytes(&saved[0]), NULL));
    HF_ASSERT(!hf_core_snapshot(other, 1, &saved[1]));
    HF_ASSERT(hf_eq(hf_buf_bytes(&saved[0]), hf_buf_bytes(&saved[1])));
    HF_ASSERT(hf_collection_n(hf_core_collection(core, 1)) == hf_collection_n(hf_core_collection(other, 1)));
    for (size_t i = 0; i < 2; i++) hf_buf_deinit(&saved[i]);
    hf_core_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len < 3) return 0;
    hf_core *core = take_core();
    hf_buf saved;
    hf_fault fault = {NULL, 0};
    hf_buf_init(&saved, &mem);
    build(core, HF_BYTES(data, len), &saved);
    hf_err err = hf_core_restore(core, 1, hf_buf_bytes(&saved), &fault);
    hf_buf_deinit(&saved);
    HF_ASSERT(err ? fault.what != NULL && hf_core_n_entries(core, 1) == 0 : true);
    if (err) return spare = core, 0;
    check_again(core);
    hf_core_free(core);
    return 0;
}

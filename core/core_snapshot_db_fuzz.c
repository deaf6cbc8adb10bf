/* A snapshot of a database added at run time, in any bytes, with checksums that fit: refused with a reason and nothing taken, or restored, and then saved
 * and restored again as the same. */
#include "../tests/kit/fuzz.h"
#include "codec/varint.h"
#include "core.h"

#include <string.h>

enum { HEAD_LEN = 4 + 32 };

static hf_mem mem = {hf_fuzz_resize, NULL};
static hf_core *spare[2]; /* by type, without entries: making one costs more than most inputs do */
static uint8_t head[HEAD_LEN];

static void fill(void *ctx, uint8_t *out, size_t len) {
    (void)ctx;
    memset(out, 7, len);
}

/* Its first database waits for what the store has of it. */
static hf_core *take_core(bool documents) {
    hf_core *core = spare[documents];
    spare[documents] = NULL;
    if (core) return core;
    hf_arena arena;
    hf_bytes problem;
    hf_secrets secrets;
    uint32_t db;
    hf_core_db_access access = {.write = NULL};
    hf_arena_init(&arena, &mem);
    hf_secrets_make(fill, NULL, &secrets);
    hf_core_config config = {.secrets = &secrets, .agent = HF_TEXT("fuzz"), .random = fill};
    core = hf_core_new(&mem, &config, &arena, &problem);
    HF_ASSERT(core && !hf_core_db_create(core, 1, HF_TEXT("any"), documents ? HF_TEXT("documents") : HF_TEXT("keyvalue"), &access, &db) && db == 1);
    hf_arena_deinit(&arena);
    return core;
}

static void save(hf_core *core, hf_buf *ret) {
    hf_out out;
    hf_buf_init(ret, &mem);
    HF_ASSERT(!hf_core_db_loaded(core, 1, 1));
    while (hf_core_next(core, 1, &out)) continue;
    hf_core_stored(core, 1, hf_core_seq(core));
    HF_ASSERT(!hf_core_snapshot(core, 1, ret));
}

static void seal(hf_buf *buf, size_t from) {
    uint8_t checksum[32];
    hf_sha256_of(hf_sub(hf_buf_bytes(buf), from, buf->len), checksum);
    hf_buf_add(buf, HF_BYTES(checksum, sizeof checksum));
}

/* Input: the type (1 byte), how many bytes of it are what shows (2), that, the log's index behind its address. */
static void build(const hf_core *core, hf_bytes data, hf_buf *ret) {
    hf_bytes rest = hf_sub(data, 3, data.len), address = hf_core_address(core, 1);
    size_t n = (data.ptr[1] | (size_t)data.ptr[2] << 8) % (rest.len + 1);
    hf_buf_add(ret, HF_BYTES(head, sizeof head));
    hf_varint_add(ret, 0);
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

static void learn_head(void) {
    hf_buf empty;
    hf_core *core = take_core(false);
    save(core, &empty);
    memcpy(head, empty.ptr, sizeof head);
    hf_buf_deinit(&empty);
    hf_core_free(core);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len < 3) return 0;
    if (!head[0]) learn_head();
    bool documents = data[0] & 1;
    hf_core *core = take_core(documents);
    hf_buf given, saved[2];
    hf_fault fault = {NULL, 0};
    hf_buf_init(&given, &mem);
    build(core, HF_BYTES(data, len), &given);
    hf_err err = hf_core_restore(core, 1, hf_buf_bytes(&given), &fault);
    hf_buf_deinit(&given);
    HF_ASSERT(err ? fault.what != NULL && hf_core_n_entries(core, 1) == 0 : true);
    if (err) return spare[documents] = core, 0;
    hf_core *other = take_core(documents);
    save(core, &saved[0]);
    HF_ASSERT(!hf_core_restore(other, 1, hf_buf_bytes(&saved[0]), NULL));
    save(other, &saved[1]);
    HF_ASSERT(hf_eq(hf_buf_bytes(&saved[0]), hf_buf_bytes(&saved[1])));
    for (size_t i = 0; i < 2; i++) hf_buf_deinit(&saved[i]);
    hf_core_free(core);
    hf_core_free(other);
    return 0;
}

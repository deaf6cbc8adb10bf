/* A stranger's manifest, access controller or address in any bytes. What is taken is written again and must read the same. */
#include "manifest.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/value.h"

#include <string.h>

static void manifest(hf_arena *arena, hf_bytes bytes) {
    hf_manifest m, again;
    if (hf_manifest_read(bytes, arena, &m, NULL)) return;
    uint8_t cid[HF_CID_LEN];
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    hf_cid_from_digest(m.access_digest, cid);
    hf_manifest_add_block(&buf, m.name, m.type, cid);
    HF_ASSERT(hf_manifest_read(hf_buf_bytes(&buf), arena, &again, NULL) == HF_OK);
    HF_ASSERT(hf_eq(m.name, again.name) && hf_eq(m.type, again.type) && memcmp(m.access_digest, again.access_digest, 32) == 0);
    hf_buf_deinit(&buf);
}

static void access_list(hf_arena *arena, hf_bytes bytes) {
    hf_bytes *write, *again;
    size_t n, n_again;
    if (hf_access_read(bytes, arena, &write, &n, NULL)) return;
    hf_buf buf;
    hf_buf_init(&buf, arena->mem);
    hf_access_add_block(&buf, write, n);
    HF_ASSERT(hf_access_read(hf_buf_bytes(&buf), arena, &again, &n_again, NULL) == HF_OK && n == n_again);
    for (size_t i = 0; i < n; i++) HF_ASSERT(hf_eq(write[i], again[i]));
    hf_buf_deinit(&buf);
}

static void address(hf_bytes text) {
    uint8_t digest[32], again[32], cid[HF_CID_LEN];
    char canonical[HF_ADDRESS_LEN];
    if (hf_address_parse(text, digest)) return;
    hf_cid_from_digest(digest, cid);
    hf_manifest_address(cid, canonical);
    HF_ASSERT(hf_address_parse(HF_BYTES(canonical, sizeof canonical), again) == HF_OK && memcmp(digest, again, 32) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_arena_init(&arena, &mem);
    manifest(&arena, HF_BYTES(data, len));
    access_list(&arena, HF_BYTES(data, len));
    address(HF_BYTES(data, len));
    hf_arena_deinit(&arena);
    return 0;
}

/* Fuzz: a payload from anybody goes through keys, rights and operations. */
#include "../../tests/kit/fuzz.h"
#include "../codec/dag_cbor.h"
#include "key.h"
#include "rights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_value payload;
    hf_buf buf;
    bool changed;
    hf_arena_init(&arena, &mem);
    hf_buf_init(&buf, &mem);
    hf_orbit_rights *rights = hf_orbit_rights_new(&mem, NULL, 0, len);
    if (rights && !hf_cbor_decode(&arena, HF_BYTES(data, len), &payload, NULL)) {
        hf_orbit_key_add_name(&buf, &payload);
        (void)hf_orbit_key_add_exact(&buf, &payload);
        (void)!hf_orbit_rights_apply(rights, &payload, true, &changed);
        (void)hf_orbit_rights_of(rights, HF_TEXT("a"));
        hf_buf_clear(&buf);
        if (!hf_orbit_rights_grant(rights, HF_TEXT("write"), HF_TEXT("a"), &buf)) HF_ASSERT(!hf_cbor_decode(&arena, hf_buf_bytes(&buf), &payload, NULL));
        hf_buf_clear(&buf);
        if (!hf_orbit_rights_revoke(rights, HF_TEXT("write"), HF_TEXT("b"), &buf)) HF_ASSERT(!hf_cbor_decode(&arena, hf_buf_bytes(&buf), &payload, NULL));
    }
    hf_orbit_rights_free(rights);
    hf_buf_deinit(&buf);
    hf_arena_deinit(&arena);
    return 0;
}

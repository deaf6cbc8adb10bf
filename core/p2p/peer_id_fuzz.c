/* A peer's name as bytes, as text, and as a key: what reads is written and reads the same. */
#include "peer_id.h"

#include "../../tests/kit/fuzz.h"

static void check(const hf_peer_id *id) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_peer_id again;
    hf_buf text;
    hf_buf_init(&text, &mem);
    HF_ASSERT(id->len && id->len <= HF_PEER_ID_BYTES_MAX);
    HF_ASSERT(!hf_peer_id_read(hf_peer_id_bytes(id), &again) && hf_peer_id_eq(id, &again));
    hf_peer_id_add_text(&text, id);
    HF_ASSERT(text.len <= HF_PEER_ID_TEXT_MAX && !hf_peer_id_parse(hf_buf_bytes(&text), &again) && hf_peer_id_eq(id, &again));
    hf_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes in = HF_BYTES(data, len);
    hf_peer_id id;
    if (!hf_peer_id_read(in, &id)) check(&id);
    if (!hf_peer_id_parse(in, &id)) check(&id);
    if (!hf_peer_id_of_key(in, &id)) check(&id);
    HF_ASSERT(hf_public_key_verify(in, HF_TEXT("m"), hf_sub(in, 0, 64)) != HF_OK);
    return 0;
}

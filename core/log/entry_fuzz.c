/* A stranger's entry in any bytes. The two readers (of canonical blocks, of all others) must agree with the codec: what is called canonical is
 * what decoding and encoding again gives, and the signed bytes are the six fields in canonical form. */
#include "../../tests/kit/fuzz.h"
#include "../codec/dag_cbor.h"
#include "canonical.h"
#include "entry_read.h"

static void canonical(hf_arena *arena, hf_bytes bytes) {
    hf_value value;
    hf_buf buf;
    size_t len;
    bool said = hf_canonical_item(bytes, &len) && len == bytes.len;
    hf_buf_init(&buf, arena->mem);
    bool is = !hf_cbor_decode(arena, bytes, &value, NULL) && !hf_cbor_encode(&value, &buf) && hf_eq(hf_buf_bytes(&buf), bytes);
    HF_ASSERT(!is || said);
    hf_buf_deinit(&buf);
}

/* The signed bytes, decoded, encoded: the same; and the payload in them is the entry's. */
static void signed_bytes(hf_arena *arena, const hf_entry *e) {
    hf_bytes message;
    hf_value six;
    hf_buf buf;
    HF_ASSERT(hf_entry_signed(e, arena, &message) == HF_OK && message.ptr[0] == 0xa6);
    HF_ASSERT(hf_cbor_decode(arena, message, &six, NULL) == HF_OK && six.as.map.n == 6);
    HF_ASSERT(hf_eq(hf_value_as_text(hf_value_get(&six, "id")), e->id));
    hf_buf_init(&buf, arena->mem);
    HF_ASSERT(hf_cbor_encode(&six, &buf) == HF_OK && hf_eq(hf_buf_bytes(&buf), message));
    hf_buf_clear(&buf);
    HF_ASSERT(hf_cbor_encode(&e->payload, &buf) == HF_OK && hf_eq(hf_buf_bytes(&buf), e->payload_bytes));
    hf_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_arena arena;
    hf_entry entry;
    hf_fault fault = {NULL, 0};
    hf_arena_init(&arena, &mem);
    canonical(&arena, HF_BYTES(data, len));
    hf_err err = hf_entry_read(HF_BYTES(data, len), &arena, &entry, &fault);
    HF_ASSERT(err == HF_OK || fault.what);
    if (!err) signed_bytes(&arena, &entry);
    hf_arena_deinit(&arena);
    return 0;
}

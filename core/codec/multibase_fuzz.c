/* Strictness means one spelling: text that decodes is what its bytes encode to. And any bytes come back through
 * every base. */
#include "multibase.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check_bytes(hf_base base, hf_bytes bytes) {
    hf_buf text, again;
    hf_buf_init(&text, &mem);
    hf_buf_init(&again, &mem);
    hf_multibase_add(&text, base, bytes);
    if (text.err) HF_ASSERT(text.err == HF_LIMIT && base == HF_BASE58BTC && bytes.len > HF_BASE58_BYTES_MAX);
    else HF_ASSERT(hf_multibase_decode(hf_buf_bytes(&text), &again) == HF_OK && hf_eq(hf_buf_bytes(&again), bytes));
    hf_buf_deinit(&text);
    hf_buf_deinit(&again);
}

static void check_text(hf_bytes text) {
    hf_buf bytes, again;
    hf_buf_init(&bytes, &mem);
    hf_buf_init(&again, &mem);
    if (hf_multibase_decode(text, &bytes) == HF_OK) {
        hf_multibase_add(&again, (hf_base)text.ptr[0], hf_buf_bytes(&bytes));
        HF_ASSERT(hf_eq(hf_buf_bytes(&again), text));
    }
    hf_buf_deinit(&bytes);
    hf_buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const hf_base bases[] = {HF_BASE16, HF_BASE32, HF_BASE58BTC, HF_BASE64, HF_BASE64URL};
    check_text(HF_BYTES(data, len));
    for (size_t i = 0; i < HF_COUNT(bases); i++) check_bytes(bases[i], HF_BYTES(data, len));
    return 0;
}

/* Bytes that read have a text that parses to the same parts; text that parses has bytes that read, and their text is
 * stable. */
#include "multiaddr.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

/* Binary -> text -> binary -> text: both pairs are equal, since varints have one form only. */
static void check_binary(hf_bytes binary) {
    hf_buf text, again, text_again;
    hf_buf_init(&text, &mem);
    hf_buf_init(&again, &mem);
    hf_buf_init(&text_again, &mem);
    HF_ASSERT(hf_multiaddr_text(binary, &text) == HF_OK);
    if (text.len) {
        HF_ASSERT(hf_multiaddr_parse(hf_buf_bytes(&text), &again, NULL) == HF_OK &&
                  hf_eq(hf_buf_bytes(&again), binary));
        HF_ASSERT(hf_multiaddr_text(hf_buf_bytes(&again), &text_again) == HF_OK);
        HF_ASSERT(hf_eq(hf_buf_bytes(&text), hf_buf_bytes(&text_again)));
    }
    hf_buf_deinit(&text);
    hf_buf_deinit(&again);
    hf_buf_deinit(&text_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes input = HF_BYTES(data, len);
    hf_multiaddr addr;
    hf_buf binary;
    hf_fault fault = {NULL, 0};
    if (hf_multiaddr_read(input, &addr, &fault) == HF_OK) check_binary(input);
    else HF_ASSERT(fault.what && fault.at <= len);
    hf_buf_init(&binary, &mem);
    if (hf_multiaddr_parse(input, &binary, &fault) == HF_OK) check_binary(hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
    return 0;
}

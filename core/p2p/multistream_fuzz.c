/* A listener and a dialer at the mercy of the bytes; a line that reads writes the same. */
#include "multistream.h"

#include "../../tests/kit/fuzz.h"

#include <stdlib.h>

static void negotiate(hf_mem *mem, bool dialer, size_t cut, hf_bytes bytes) {
    hf_multistream ms;
    hf_multistream_kind kind = HF_MULTISTREAM_MORE;
    hf_buf out;
    hf_buf_init(&out, mem);
    if (!dialer)
        hf_multistream_listen(&ms, mem);
    else if (hf_multistream_dial(&ms, mem, HF_TEXT("/a"), &out))
        abort();
    while (bytes.len && (kind == HF_MULTISTREAM_MORE || kind == HF_MULTISTREAM_PROPOSED)) {
        hf_bytes part = hf_sub(bytes, 0, cut), rest = part;
        if (hf_multistream_recv(&ms, &rest, &out, &kind)) abort();
        bytes = hf_sub(bytes, part.len - rest.len, bytes.len);
        if (kind == HF_MULTISTREAM_PROPOSED) hf_multistream_answer(&ms, hf_eq(ms.text, HF_TEXT("/a")), &out);
    }
    hf_multistream_deinit(&ms);
    hf_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_bytes text;
    hf_buf again;
    size_t taken;
    if (len == 0) return 0;
    size_t cut = 1 + data[0] / 2;
    hf_bytes bytes = HF_BYTES(data + 1, len - 1);
    negotiate(&mem, data[0] & 1, cut, bytes);
    hf_buf_init(&again, &mem);
    if (!hf_multistream_read(bytes, &text, &taken, NULL)) {
        hf_multistream_add(&again, text);
        if (!hf_eq(hf_buf_bytes(&again), hf_sub(bytes, 0, taken))) abort();
    }
    hf_buf_deinit(&again);
    return 0;
}

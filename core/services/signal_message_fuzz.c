/* A stranger's signal message: when it reads, writing and reading it again agrees. */
#include "signal_message.h"

#include "../../tests/kit/fuzz.h"
#include "../codec/varint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static hf_signal_message first, second;
    if (hf_signal_message_read(HF_BYTES(data, len), &first)) return 0;
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf frame;
    uint64_t body;
    size_t head;
    hf_buf_init(&frame, &mem);
    hf_signal_message_add(&frame, &first);
    HF_ASSERT(!hf_varint_read(hf_buf_bytes(&frame), &body, &head) && head + body == frame.len);
    HF_ASSERT(!hf_signal_message_read(hf_sub(hf_buf_bytes(&frame), head, body), &second));
    HF_ASSERT(first.kind == second.kind && first.n_peers == second.n_peers && hf_eq(first.data, second.data));
    hf_buf_deinit(&frame);
    return 0;
}

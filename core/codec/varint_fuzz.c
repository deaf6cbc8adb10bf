/* What reads is written as the same bytes. */
#include "varint.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    uint64_t value;
    size_t taken;
    uint8_t again[HF_VARINT_MAX];
    hf_err err = hf_varint_read(HF_BYTES(data, len), &value, &taken);
    if (err == HF_TRUNCATED) HF_ASSERT(len < HF_VARINT_MAX);
    if (!err) HF_ASSERT(hf_eq(HF_BYTES(again, hf_varint_write(value, again)), HF_BYTES(data, taken)));
    return 0;
}

/* A message that reads to its end, written again field by field, reads as the same fields. */
#include "protobuf.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

/* Writes the varint and byte fields anew; false when the message does not read. */
static bool rewrite(hf_bytes message, hf_buf *ret) {
    hf_pb_reader r = hf_pb_read(message);
    hf_pb_field field;
    while (hf_pb_next(&r, &field)) {
        HF_ASSERT(field.number > 0 && field.bytes.len <= message.len);
        if (field.wire == 0) hf_pb_add_u64(ret, field.number, field.u);
        if (field.wire == 2) hf_pb_add_bytes(ret, field.number, field.bytes);
    }
    return !r.err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_buf first, second;
    hf_buf_init(&first, &mem);
    hf_buf_init(&second, &mem);
    rewrite(HF_BYTES(data, len), &first);
    HF_ASSERT(rewrite(hf_buf_bytes(&first), &second));
    HF_ASSERT(hf_eq(hf_buf_bytes(&first), hf_buf_bytes(&second)));
    hf_buf_deinit(&first);
    hf_buf_deinit(&second);
    return 0;
}

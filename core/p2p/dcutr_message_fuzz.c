/* Fuzz: a message; what reads is written and reads the same. */
#include "dcutr_message.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_dcutr_message m, again;
    hf_buf out;
    if (hf_dcutr_message_read(HF_BYTES(data, len), &m)) return 0;
    hf_buf_init(&out, &mem);
    hf_dcutr_message_add(&out, &m);
    HF_ASSERT(!out.err && !hf_dcutr_message_read(hf_buf_bytes(&out), &again));
    HF_ASSERT(again.type == m.type && again.n_addrs == m.n_addrs);
    for (size_t i = 0; i < m.n_addrs; i++) HF_ASSERT(hf_eq(m.addrs[i], again.addrs[i]));
    hf_buf_deinit(&out);
    return 0;
}

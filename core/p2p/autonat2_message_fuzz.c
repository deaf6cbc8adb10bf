/* Fuzz: messages; what reads is written and reads the same. */
#include "autonat2_message.h"

#include "../../tests/kit/fuzz.h"

static void check_message(hf_bytes input) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_autonat2_message m, again;
    hf_buf out;
    if (hf_autonat2_message_read(input, &m)) return;
    hf_buf_init(&out, &mem);
    hf_autonat2_message_add(&out, &m);
    HF_ASSERT(!out.err && !hf_autonat2_message_read(hf_buf_bytes(&out), &again));
    HF_ASSERT(again.type == m.type && again.nonce == m.nonce && again.n_addrs == m.n_addrs && again.n_bytes == m.n_bytes);
    HF_ASSERT(again.status == m.status && again.index == m.index && again.dial_status == m.dial_status && hf_eq(again.data, m.data));
    for (size_t i = 0; i < again.n_addrs; i++) HF_ASSERT(hf_eq(m.addrs[i], again.addrs[i]));
    hf_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    uint64_t nonce;
    bool taken;
    check_message(HF_BYTES(data, len));
    (void)!hf_autonat2_back_read(HF_BYTES(data, len), &nonce);
    (void)!hf_autonat2_taken_read(HF_BYTES(data, len), &taken);
    return 0;
}

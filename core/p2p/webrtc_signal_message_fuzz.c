/* Fuzz: a message of /webrtc-signaling; what reads is written and reads the same. */
#include "webrtc_signal_message.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_webrtc_signal_message m, again;
    hf_buf out;
    if (hf_webrtc_signal_message_read(HF_BYTES(data, len), &m)) return 0;
    hf_buf_init(&out, &mem);
    hf_webrtc_signal_message_add(&out, &m);
    HF_ASSERT(!out.err && !hf_webrtc_signal_message_read(hf_buf_bytes(&out), &again));
    HF_ASSERT(again.type == m.type && hf_eq(again.data, m.data));
    hf_buf_deinit(&out);
    return 0;
}

/* Fuzz: a message of hop or stop (the first byte chooses), a voucher; what reads is written and reads the same. */
#include "relay_message.h"

#include "../../tests/kit/fuzz.h"

static void check_again(hf_mem *mem, const hf_relay_message *m, bool stop) {
    hf_relay_message again;
    hf_buf out;
    hf_buf_init(&out, mem);
    hf_relay_message_add(&out, m, stop);
    HF_ASSERT(!out.err && !hf_relay_message_read(hf_buf_bytes(&out), stop, &again));
    HF_ASSERT(again.type == m->type && hf_peer_id_eq(&again.peer, &m->peer));
    HF_ASSERT(again.limit.duration_s == m->limit.duration_s && again.limit.bytes == m->limit.bytes);
    if (m->type == HF_RELAY_STATUS) HF_ASSERT(again.status == m->status);
    if (m->has_reservation && !stop) HF_ASSERT(again.expires_s == m->expires_s && hf_eq(again.voucher, m->voucher));
    hf_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_relay_message m;
    hf_relay_voucher v;
    if (!len) return 0;
    hf_bytes bytes = HF_BYTES(data + 1, len - 1);
    if (!hf_relay_message_read(bytes, data[0] & 1, &m)) check_again(&mem, &m, data[0] & 1);
    (void)!hf_relay_voucher_open(&mem, bytes, &v);
    return 0;
}

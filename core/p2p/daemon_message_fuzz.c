/* Any bytes as requests of a program: nothing outside them is looked at, and no list grows past its bound. */
#include "daemon_message.h"

#include "../../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes rest = HF_BYTES(data, len), message;
    size_t taken;
    while (!hf_daemon_unframe(rest, &message, &taken)) {
        hf_daemon_request r;
        HF_ASSERT(taken && taken <= rest.len);
        HF_ASSERT(hf_fuzz_lies_in(message, rest));
        if (!hf_daemon_read(message, &r, NULL)) {
            HF_ASSERT(r.n_addrs <= HF_DAEMON_ITEMS_MAX && r.n_protocols <= HF_DAEMON_ITEMS_MAX);
            for (size_t i = 0; i < r.n_addrs; i++) HF_ASSERT(hf_fuzz_lies_in(r.addrs[i], message));
            for (size_t i = 0; i < r.n_protocols; i++) HF_ASSERT(hf_fuzz_lies_in(r.protocols[i], message));
            const hf_bytes parts[] = {r.peer, r.addr, r.cid, r.key, r.value, r.tag, r.topic, r.data};
            for (size_t i = 0; i < HF_COUNT(parts); i++) HF_ASSERT(hf_fuzz_lies_in(parts[i], message));
        }
        rest = hf_sub(rest, taken, rest.len);
    }
    return 0;
}

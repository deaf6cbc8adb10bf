/* Any bytes as requests of a program: nothing outside them is looked at, and no list grows past its bound. */
#include "daemon_message.h"

#include <stdlib.h>

static void check_inside(hf_bytes part, hf_bytes whole) {
    if (part.len && (part.ptr < whole.ptr || part.ptr + part.len > whole.ptr + whole.len)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes rest = HF_BYTES(data, len), message;
    size_t taken;
    while (!hf_daemon_unframe(rest, &message, &taken)) {
        hf_daemon_request r;
        if (taken == 0 || taken > rest.len) abort();
        check_inside(message, rest);
        if (!hf_daemon_read(message, &r, NULL)) {
            if (r.n_addrs > HF_DAEMON_ITEMS_MAX || r.n_protocols > HF_DAEMON_ITEMS_MAX) abort();
            for (size_t i = 0; i < r.n_addrs; i++) check_inside(r.addrs[i], message);
            for (size_t i = 0; i < r.n_protocols; i++) check_inside(r.protocols[i], message);
            const hf_bytes parts[] = {r.peer, r.addr, r.cid, r.key, r.value, r.tag, r.topic, r.data};
            for (size_t i = 0; i < HF_COUNT(parts); i++) check_inside(parts[i], message);
        }
        rest = hf_sub(rest, taken, rest.len);
    }
    return 0;
}

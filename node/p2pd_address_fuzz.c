/* An address to be dialled or listened at: what the system would take says the same place again. */
#include "p2pd_address.h"

#include "../tests/kit/fuzz.h"

#include <string.h>

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(const hf_multiaddr *address, uint16_t port, const char *protocol) {
    struct sockaddr_storage place, again;
    hf_multiaddr read;
    hf_buf written;
    if (!hf_p2pd_sockaddr_of(&address->parts[0], port, &place)) return;
    hf_buf_init(&written, &mem);
    hf_p2pd_add_place(&written, &place, protocol, HF_BYTES("", 0));
    HF_ASSERT(!hf_multiaddr_read(hf_buf_bytes(&written), &read, NULL) && read.n == 2);
    HF_ASSERT(hf_eq(read.parts[0].value, address->parts[0].value) && hf_eq(read.parts[1].value, address->parts[1].value));
    HF_ASSERT(hf_p2pd_sockaddr_of(&read.parts[0], port, &again) && !memcmp(&place, &again, sizeof place));
    hf_buf_deinit(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_multiaddr address;
    uint16_t port;
    if (hf_p2pd_read_tcp(HF_BYTES(data, len), &address, &port)) check(&address, port, "tcp");
    if (hf_p2pd_read_rtc(HF_BYTES(data, len), &address, &port)) check(&address, port, "udp");
    return 0;
}

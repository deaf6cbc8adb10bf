/* An address to be dialled or listened at: what the system would take says the same place again. */
#include "p2pd_address.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_multiaddr address;
    uint16_t port;
    if (hf_p2pd_read_tcp(HF_BYTES(data, len), &address, &port)) check(&address, port, "tcp");
    if (hf_p2pd_read_rtc(HF_BYTES(data, len), &address, &port)) check(&address, port, "udp");
    return 0;
}

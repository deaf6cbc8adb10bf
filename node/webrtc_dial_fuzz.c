/* An address of webrtc-direct, as bytes and as text: what is taken has a host, a port and the digest of a certificate. */
#include "webrtc_private.h"

#include "../tests/kit/fuzz.h"
#include "../core/codec/multiaddr.h"

#include <netinet/in.h>
#include <string.h>

static void check(hf_bytes address) {
    struct sockaddr_storage place;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&place;
    uint8_t certificate[32] = {0};
    hf_multiaddr m;
    if (!hf_webrtc_read_address(address, &place, certificate)) return;
    HF_ASSERT((place.ss_family == AF_INET || place.ss_family == AF_INET6) && v4->sin_port);
    HF_ASSERT(!hf_multiaddr_read(address, &m, NULL) && !memcmp(&v4->sin_port, m.parts[1].value.ptr, 2) && !memcmp(certificate, m.parts[3].value.ptr + 2, 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf binary;
    check(HF_BYTES(data, len));
    hf_buf_init(&binary, &mem);
    if (!hf_multiaddr_parse(HF_BYTES(data, len), &binary, NULL)) check(hf_buf_bytes(&binary));
    hf_buf_deinit(&binary);
    return 0;
}

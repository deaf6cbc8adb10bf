/* Text that is an IP address is written in one way (which for IPv4 is the only one that reads), and that reads as the same address; any bytes are an address
 * whose text reads. */
#include "ip.h"

#include "../../tests/kit/fuzz.h"

#include <string.h>

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check(const uint8_t *ip, bool v6, hf_bytes from) {
    uint8_t again[16];
    hf_buf text;
    hf_buf_init(&text, &mem);
    if (v6) hf_ip6_add(&text, ip);
    else hf_ip4_add(&text, ip);
    hf_err err = v6 ? hf_ip6_parse(hf_buf_bytes(&text), again) : hf_ip4_parse(hf_buf_bytes(&text), again);
    HF_ASSERT(!err && !memcmp(ip, again, v6 ? 16 : 4));
    HF_ASSERT(v6 || !from.len || hf_eq(hf_buf_bytes(&text), from));
    hf_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    uint8_t ip[16];
    hf_bytes in = HF_BYTES(data, len), none = HF_BYTES(NULL, 0);
    if (!hf_ip4_parse(in, ip)) check(ip, false, in);
    if (!hf_ip6_parse(in, ip)) check(ip, true, in);
    if (len >= 4) check(data, false, none);
    if (len >= 16) check(data, true, none);
    return 0;
}

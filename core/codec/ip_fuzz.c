/* Text that is an IP address is written in one way, and that reads as the same address; any bytes are an address whose text reads. */
#include "ip.h"

#include <stdlib.h>
#include <string.h>

static void *resize(void *ctx, void *ptr, size_t old_len, size_t new_len) {
    (void)ctx, (void)old_len;
    if (new_len) return realloc(ptr, new_len);
    free(ptr);
    return NULL;
}
static hf_mem mem = {resize, NULL};

static void check(const uint8_t *ip, bool v6) {
    uint8_t again[16];
    hf_buf text;
    hf_buf_init(&text, &mem);
    if (v6) hf_ip6_add(&text, ip);
    else hf_ip4_add(&text, ip);
    hf_err err = v6 ? hf_ip6_parse(hf_buf_bytes(&text), again) : hf_ip4_parse(hf_buf_bytes(&text), again);
    HF_ASSERT(!err && !memcmp(ip, again, v6 ? 16 : 4));
    hf_buf_deinit(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    uint8_t ip[16];
    if (!hf_ip4_parse(HF_BYTES(data, len), ip)) check(ip, false);
    if (!hf_ip6_parse(HF_BYTES(data, len), ip)) check(ip, true);
    if (len >= 4) check(data, false);
    if (len >= 16) check(data, true);
    return 0;
}

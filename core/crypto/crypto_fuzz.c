/* A stranger's signature, key and sealed message in any bytes. What strict DER lets through must be canonical: taking R and
 * S out and writing them down again gives the same bytes. */
#include "crypto.h"

#include "../../tests/kit/fuzz.h"

#include <string.h>

/* The shortest DER INTEGER of the one that begins at `from`; returns its length. */
static size_t rewrite(const uint8_t *from, uint8_t *to) {
    size_t len = from[1], skip = 0;
    const uint8_t *n = from + 2;
    while (skip + 1 < len && n[skip] == 0) skip++;
    size_t pad = n[skip] >> 7;
    to[0] = 0x02;
    to[1] = (uint8_t)(len - skip + pad);
    to[2] = 0;
    memcpy(to + 2 + pad, n + skip, len - skip);
    return 2 + pad + len - skip;
}

static void check_canonical(hf_bytes der) {
    uint8_t again[HF_DER_MAX + 8] = {0x30};
    size_t r_len = rewrite(der.ptr + 2, again + 2);
    size_t s_len = rewrite(der.ptr + 4 + der.ptr[3], again + 2 + r_len);
    again[1] = (uint8_t)(r_len + s_len);
    HF_ASSERT(hf_eq(HF_BYTES(again, 2 + r_len + s_len), der));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const uint8_t generator[33] = {2,    0x79, 0xbe, 0x66, 0x7e, 0xf9, 0xdc, 0xbb, 0xac, 0x55, 0xa0,
                                          0x62, 0x95, 0xce, 0x87, 0x0b, 0x07, 0x02, 0x9b, 0xfc, 0xdb, 0x2d,
                                          0xce, 0x28, 0xd9, 0x59, 0xf2, 0x81, 0x5b, 0x16, 0xf8, 0x17, 0x98};
    hf_bytes input = HF_BYTES(data, len);
    hf_secp_key key;
    HF_ASSERT(hf_secp_parse(HF_BYTES(generator, sizeof generator), &key) == HF_OK);
    if (hf_secp_verify(&key, HF_TEXT("message"), input) != HF_MALFORMED) check_canonical(input);
    hf_err parsed = hf_secp_parse(input, &key);
    HF_ASSERT(parsed == HF_OK || parsed == HF_MALFORMED);
    if (len < 32) return 0;
    HF_ASSERT(hf_ed25519_verify(data, HF_TEXT("message"), hf_sub(input, 32, len)) == HF_DENIED);
    uint8_t nonce[12] = {0}, out[4096];
    if (len - 32 <= sizeof out) HF_ASSERT(hf_aead_open(data, nonce, HF_TEXT(""), hf_sub(input, 32, len), out) == HF_DENIED);
    return 0;
}

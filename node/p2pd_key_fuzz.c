/* A stranger's RSA or ECDSA key and signature, read by OpenSSL: the first byte says how long the key message is. Nothing verifies that was not signed, twice
 * the same answer. */
#include "p2pd_key.h"

#include "../tests/kit/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len < 2) return 0;
    hf_bytes in = HF_BYTES(data + 2, len - 2), key = hf_sub(in, 0, (size_t)data[0] << 8 | data[1]), signature = hf_sub(in, key.len, in.len);
    hf_peer_id id;
    hf_err err = hf_p2pd_key_verify(NULL, key, HF_TEXT("message"), signature);
    HF_ASSERT(err == HF_DENIED || err == HF_MALFORMED || (err == HF_OK && signature.len > 0));
    HF_ASSERT(err == hf_p2pd_key_verify(NULL, key, HF_TEXT("message"), signature));
    (void)!hf_peer_id_of_key(key, &id);
    return 0;
}

/* Both sides of a handshake read the bytes as messages; the payload decoder reads them as a payload; a cipher opens
 * them. */
#include "noise.h"

#include "../../tests/kit/fuzz.h"
#include "../crypto/crypto.h"

#include <stdlib.h>

static void shake(hf_mem *mem, bool initiator, hf_bytes bytes) {
    static const uint8_t s[32] = {1}, e[32] = {2};
    uint8_t s_public[32];
    hf_noise n;
    hf_buf out;
    hf_buf_init(&out, mem);
    hf_x25519_public(s, s_public);
    hf_noise_init(&n, initiator, HF_BYTES("", 0), s, s_public, e);
    hf_err err = HF_OK;
    while (!err && bytes.len && !hf_noise_done(&n)) {
        size_t payload_len = 0;
        hf_bytes message = hf_sub(bytes, 1, bytes.ptr[0]);
        bytes = hf_sub(bytes, 1 + message.len, bytes.len);
        uint8_t payload[256];
        err = hf_noise_my_turn(&n) ? hf_noise_write(&n, message, &out)
                                   : hf_noise_read(&n, message, payload, &payload_len);
        if (!err && payload_len > message.len) abort();
    }
    hf_noise_deinit(&n);
    hf_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_noise_payload payload;
    hf_peer_id peer;
    static const uint8_t some_key[32] = {3};
    shake(&mem, true, HF_BYTES(data, len));
    shake(&mem, false, HF_BYTES(data, len));
    if (!hf_noise_payload_read(HF_BYTES(data, len), &payload) && !hf_noise_payload_check(&payload, some_key, &peer))
        abort();
    hf_noise_cipher c = {.nonce = 0};
    uint8_t *plain = malloc(len + 1);
    if (!hf_noise_open(&c, HF_BYTES(data, len), plain)) { /* what opens is what we would have sealed */
        hf_buf again;
        hf_noise_cipher t = {.nonce = 0};
        hf_buf_init(&again, &mem);
        if (len > 16 && (hf_noise_seal(&t, HF_BYTES(plain, len - 16), &again) || again.len != len + 2)) abort();
        hf_buf_deinit(&again);
    }
    free(plain);
    return 0;
}

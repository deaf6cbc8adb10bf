/* direct: see direct.h. */
#include "direct.h"

#include "../codec/multibase.h"

#include <string.h>

enum { UFRAG_MIN = 4, UFRAG_MAX = 256, PASSWORD_MIN = 22 }; /* the listener's is a password, too */

static bool is_ice_char(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/'; }

static bool is_ice_text(hf_bytes text, size_t min) {
    if (text.len < min || text.len > UFRAG_MAX) return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_ice_char(text.ptr[i])) return false;
    return true;
}

hf_err hf_direct_username_read(hf_bytes text, hf_direct_username *ret) {
    const hf_bytes one = HF_TEXT("libp2p+webrtc+v1/"), two = HF_TEXT("libp2p+webrtc+v2/");
    size_t colon = hf_find(text, ':', 0);
    hf_bytes listener = hf_sub(text, 0, colon), browser = hf_sub(text, colon + 1, text.len);
    if (!is_ice_text(listener, PASSWORD_MIN) || !is_ice_text(browser, UFRAG_MIN)) return HF_MALFORMED;
    *ret = (hf_direct_username){.listener = listener, .browser = browser};
    ret->version = hf_starts(listener, one) ? 1 : hf_starts(listener, two) ? 2 : 0;
    if (!ret->version) return HF_DENIED;
    ret->browser_password = ret->version == 1 ? browser : hf_sub(listener, two.len, listener.len);
    return ret->version == 1 || is_ice_text(ret->browser_password, PASSWORD_MIN) ? HF_OK : HF_MALFORMED;
}

static void multihash(const uint8_t digest[32], uint8_t ret[34]) {
    ret[0] = 0x12; /* sha2-256, 32 bytes */
    ret[1] = 32;
    memcpy(ret + 2, digest, 32);
}

void hf_direct_prologue(const uint8_t browser[32], const uint8_t listener[32], uint8_t ret[HF_DIRECT_PROLOGUE_LEN]) {
    memcpy(ret, "libp2p-webrtc-noise:", 20);
    multihash(browser, ret + 20);
    multihash(listener, ret + 54);
}

void hf_direct_add_certhash(hf_buf *buf, const uint8_t certificate[32]) {
    uint8_t hash[34];
    multihash(certificate, hash);
    hf_buf_add_str(buf, "/webrtc-direct/certhash/");
    hf_multibase_add(buf, HF_BASE64URL, HF_BYTES(hash, sizeof hash));
}

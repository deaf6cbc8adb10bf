/* direct: what webrtc-direct says in its own words: the USERNAME of the first connectivity checks, the prologue of the Noise handshake, the address.
 *
 * Specs: libp2p/specs webrtc/webrtc-direct.md; version 2 (pull request 715 there): the browser leaves its own credentials alone and tells its password in
 * the listener's ufrag. In both versions the listener's ufrag and password are the same text, which the browser chose.
 */
#ifndef HF_DIRECT_H
#define HF_DIRECT_H
#include "../base/base.h"

enum { HF_DIRECT_PROLOGUE_LEN = 20 + 2 * 34 };

typedef struct hf_direct_username {
    unsigned version;            /* 1 or 2 */
    hf_bytes listener, browser;  /* ufrags, views into the text */
    hf_bytes browser_password;   /* for checks of ours, if we made any */
} hf_direct_username;

/* "LISTENER:BROWSER". HF_MALFORMED: no two ufrags (RFC 8839 section 5.4: 4 to 256 letters, digits, '+' and '/'; 22
 * and more for the listener's, a password as well). HF_DENIED: of neither version. */
HF_MUST_USE hf_err hf_direct_username_read(hf_bytes text, hf_direct_username *ret);
/* "libp2p-webrtc-noise:" and the SHA-256 of both DTLS certificates as multihashes, the browser's first. */
void hf_direct_prologue(const uint8_t browser[32], const uint8_t listener[32], uint8_t ret[HF_DIRECT_PROLOGUE_LEN]);
/* Appends "/webrtc-direct/certhash/u…", what stands in an address behind the UDP port. */
void hf_direct_add_certhash(hf_buf *buf, const uint8_t certificate[32]);
#endif

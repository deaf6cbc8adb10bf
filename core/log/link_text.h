/* link_text: the text of our own kind of CID ("zdpu…", 49 characters) and its digest, both ways, fast. An entry carries up to seventeen of
 * them and general base58 is quadratic in bytes: that would cost more than checking the entry's signature. These work in 32-bit limbs, five
 * digits at a time. Everything that is not exactly this kind is refused; OrbitDB itself reads nothing else in an entry. */
#ifndef HF_LINK_TEXT_H
#define HF_LINK_TEXT_H
#include "../codec/cid.h"

HF_MUST_USE hf_err hf_link_text_read(hf_bytes text, uint8_t ret_digest[32]); /* HF_MALFORMED */
void hf_link_text_write(const uint8_t digest[32], char ret_text[HF_CID_TEXT_LEN]);
#endif

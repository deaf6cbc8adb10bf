/* utf8: for the decoders: is a text well-formed, and what stands for the broken part of one that is not. Spec:
 * Unicode 3.9 D92 and the WHATWG encoding standard (one U+FFFD per maximal broken part), as JavaScript's TextDecoder
 * does it. */
#ifndef HF_UTF8_H
#define HF_UTF8_H
#include "../base/base.h"

/* hf_utf8_valid, eight bytes at a time while they are ASCII. */
bool hf_utf8_check(hf_bytes s);
/* Length of the character at the front of s (s.len > 0) with *ret_valid true, or of the broken part there with
 * false. */
size_t hf_utf8_step(hf_bytes s, bool *ret_valid);
/* Appends s with each broken part replaced by U+FFFD. */
void hf_utf8_add_repaired(hf_buf *buf, hf_bytes s);
/* The same into the arena. `ptr` is NULL on NOMEM. */
hf_bytes hf_utf8_repair(hf_arena *arena, hf_bytes s);
/* Writes the code point (no surrogate, <= 0x10ffff) and returns the number of bytes, 1..4. */
size_t hf_utf8_write(uint32_t code, uint8_t ret[4]);
#endif

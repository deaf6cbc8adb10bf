/* fold: text without regard to case, for searching and sorting. Simple case folding (Unicode 14, CaseFolding.txt,
 * statuses C and S) of Latin, Greek and Cyrillic: one character becomes one character, so "ß" does not equal "ss", and
 * accents are kept. Private to collections. Broken UTF-8 counts as U+FFFD. */
#ifndef HF_FOLD_H
#define HF_FOLD_H
#include "../base/base.h"

/* The character at *at (< s.len), which moves on behind it. */
uint32_t hf_fold_next(hf_bytes s, size_t *at);
uint32_t hf_fold_char(uint32_t code);
/* The folded text; `ptr` is NULL on NOMEM. */
hf_bytes hf_fold_text(hf_arena *arena, hf_bytes text);

/* A text to look for, made once and held against many. */
typedef struct hf_needle {
    hf_bytes text;          /* folded */
    const uint32_t *border; /* border[i]: the longest proper prefix of text[0..i] that also ends there */
} hf_needle;
HF_MUST_USE hf_err hf_needle_make(hf_arena *arena, hf_bytes text, hf_needle *ret);
/* Linear in the text, whatever either holds: both are a stranger's choice. */
bool hf_needle_in(const hf_needle *needle, hf_bytes text);
#endif

/* number: doubles <-> decimal text, exactly: the nearest double to a text, and the shortest text that reads back as
 * the same double, in the form of JavaScript's Number.prototype.toString (ECMA-262 section 6.1.6.1.20). Without
 * libc, whose printf and strtod are large and follow a locale. */
#ifndef HF_NUMBER_H
#define HF_NUMBER_H
#include "../base/base.h"

enum { HF_NUMBER_TEXT_MAX = 32 };
/* Writes "0.1", "1e+21", "5e-324", "NaN", "-Infinity" …, no NUL, and returns the length. Minus zero is "0". */
size_t hf_number_print(double f, char ret[HF_NUMBER_TEXT_MAX]);
/* The whole text is a number as JSON writes it (RFC 8259 section 6). Rounds to nearest, ties to even.
 * HF_MALFORMED: it is none. HF_LIMIT: too large for a double. */
HF_MUST_USE hf_err hf_number_parse(hf_bytes text, double *ret);
#endif

/* Text that is a number is read as the C library reads it, and printed so that it is read as the same number again. */
#include "number.h"

#include "../../tests/kit/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    char text[4096];
    double f, again;
    if (len >= sizeof text || hf_number_parse(HF_BYTES(data, len), &f)) return 0;
    memcpy(text, data, len);
    text[len] = 0;
    HF_ASSERT(f == strtod(text, NULL));
    HF_ASSERT(hf_number_parse(HF_BYTES(text, hf_number_print(f, text)), &again) == HF_OK && again == f);
    return 0;
}

/* What reads as OPEN is as long as its parts say, and they lie in it. */
#include "dcep.h"

#include "../../tests/kit/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_dcep dcep;
    if (hf_dcep_read(HF_BYTES(data, len), &dcep)) return 0;
    if (!dcep.open) return len == 1 ? 0 : (abort(), 0);
    if (12 + dcep.label.len + dcep.protocol.len != len || len > HF_DCEP_BYTES_MAX) abort();
    if (dcep.protocol.len && dcep.protocol.ptr + dcep.protocol.len != data + len) abort();
    return 0;
}

/* A saved index in any bytes, with a checksum that fits: refused with a reason, or restored, and then saved as it was. */
#include "snapshot.h"

#include "../../tests/kit/fuzz.h"

static void restore(hf_mem *mem, hf_bytes saved) {
    hf_log_config config = {.address = HF_TEXT("/orbitdb/zdpuA"), .seed = 7};
    hf_fault fault = {NULL, 0};
    hf_buf again;
    hf_log *log = hf_log_new(mem, &config);
    HF_ASSERT(log);
    hf_buf_init(&again, mem);
    hf_err err = hf_log_restore(log, saved, &fault);
    HF_ASSERT(err ? fault.what != NULL && hf_log_n(log) == 0 : true);
    if (!err) {
        hf_log_save(log, hf_log_n(log), &again);
        HF_ASSERT(hf_eq(hf_buf_bytes(&again), saved));
    }
    hf_buf_deinit(&again);
    hf_log_free(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_mem mem = {hf_fuzz_resize, NULL};
    hf_buf saved;
    uint8_t checksum[32];
    hf_buf_init(&saved, &mem);
    hf_buf_add_str(&saved, "HFL1\x0e/orbitdb/zdpuA");
    hf_buf_add(&saved, HF_BYTES(data, len));
    hf_sha256_of(hf_buf_bytes(&saved), checksum);
    hf_buf_add(&saved, HF_BYTES(checksum, sizeof checksum));
    HF_ASSERT(!saved.err);
    restore(&mem, hf_buf_bytes(&saved));
    hf_buf_deinit(&saved);
    return 0;
}

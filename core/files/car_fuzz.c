/* Fuzz: a CAR. The first byte gives the cut; any cut tells the same, and ends the same. */
#include "car.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

typedef struct result { size_t n_roots, n_blocks, n_bytes; bool failed; hf_err end; } result;

static result read_car(hf_bytes input, size_t cut_len) {
    result r = {.n_roots = 0};
    hf_car *car = hf_car_new(&mem);
    for (size_t at = 0; at < input.len && !r.failed;) {
        hf_bytes cut = hf_sub(input, at, cut_len);
        at += cut.len;
        for (hf_car_out out; !r.failed && hf_car_recv(car, &cut, &out);) {
            hf_cid cid;
            r.failed = out.kind == HF_CAR_FAILED;
            r.n_roots += out.kind == HF_CAR_ROOT;
            if (out.kind != HF_CAR_BLOCK) continue;
            r.n_blocks++;
            r.n_bytes += out.block.len;
            HF_ASSERT(!hf_cid_read(out.cid, &cid) && !hf_cid_check(&cid, out.block));
        }
        HF_ASSERT(r.failed || !cut.len);
    }
    r.end = hf_car_end(car);
    HF_ASSERT(!r.failed || r.end == HF_MALFORMED);
    hf_car_free(car);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    hf_bytes input = HF_BYTES(data + 1, len - 1);
    result whole = read_car(input, input.len ? input.len : 1), cut = read_car(input, 1 + data[0] % 64);
    HF_ASSERT(whole.failed == cut.failed && whole.n_roots == cut.n_roots && whole.n_blocks == cut.n_blocks);
    HF_ASSERT(whole.n_bytes == cut.n_bytes && whole.end == cut.end);
    return 0;
}

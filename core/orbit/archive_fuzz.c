/* Fuzz: a CAR from anybody, judged as an import does it. What is refused has a reason; what is accepted is in order and whole. */
#include "archive.h"

#include "../../tests/kit/fuzz.h"
#include "../files/car.h"

#include <string.h>

static hf_mem mem = {hf_fuzz_resize, NULL};

/* False: refused. */
static bool take(hf_archive *a, const hf_car_out *out, hf_bytes input, uint64_t end) {
    hf_fault fault = {NULL, 0};
    if (out->kind == HF_CAR_FAILED) return false;
    if (out->kind == HF_CAR_ROOT) return !hf_archive_root(a, out->cid);
    uint64_t place = end - out->block.len;
    HF_ASSERT(!memcmp(input.ptr + place, out->block.ptr, out->block.len));
    hf_err err = hf_archive_block(a, out->cid, out->block, place, &fault);
    HF_ASSERT(!err || fault.what);
    return !err;
}

static bool judge(hf_archive *a, hf_bytes input) {
    hf_fault fault = {NULL, 0};
    const hf_archive_entry *about;
    hf_err err = hf_archive_end(a, &fault, &about);
    HF_ASSERT(!err || fault.what);
    for (size_t i = 0; !err && i < hf_archive_n_entries(a); i++) {
        const hf_archive_entry *e = hf_archive_entry_at(a, i);
        fault.what = NULL;
        err = hf_archive_check(a, i, hf_sub(input, (size_t)e->place, e->len), &fault);
        HF_ASSERT(!err || fault.what);
        HF_ASSERT(i == 0 || e->database != e[-1].database || e->time >= e[-1].time);
    }
    return !err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes input = HF_BYTES(data, len), rest = input;
    hf_car *car = hf_car_new(&mem);
    hf_archive *a = hf_archive_new(&mem, len, (hf_block_source){NULL, NULL});
    hf_car_out out;
    bool going = car && a;
    while (going && hf_car_recv(car, &rest, &out)) going = take(a, &out, input, len - rest.len);
    if (going && !hf_car_end(car)) judge(a, input);
    hf_car_free(car);
    hf_archive_free(a);
    return 0;
}

/* Bytes from anywhere to the end of a WebSocket that is asked, come at once or cut in two: the same is made of them. The first byte says where to cut. */
#include "wsock.h"

#include "../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static bool feed(hf_bytes first, hf_bytes second, hf_buf *in, hf_buf *out) {
    hf_wsock *ws = hf_wsock_new(&mem, NULL);
    hf_buf_init(in, &mem);
    hf_buf_init(out, &mem);
    if (!ws) return false;
    bool goes_on = hf_wsock_recv(ws, first, in, out);
    if (goes_on && second.len) goes_on = hf_wsock_recv(ws, second, in, out);
    hf_wsock_free(ws);
    return goes_on;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (!len) return 0;
    hf_bytes all = HF_BYTES(data + 1, len - 1);
    hf_buf in, out, in_cut, out_cut;
    bool whole = feed(all, HF_BYTES(NULL, 0), &in, &out);
    bool cut = feed(hf_sub(all, 0, data[0]), hf_sub(all, data[0], all.len), &in_cut, &out_cut);
    HF_ASSERT(whole == cut && hf_eq(hf_buf_bytes(&in), hf_buf_bytes(&in_cut)) && in.len <= len);
    hf_buf_deinit(&in);
    hf_buf_deinit(&out);
    hf_buf_deinit(&in_cut);
    hf_buf_deinit(&out_cut);
    return 0;
}

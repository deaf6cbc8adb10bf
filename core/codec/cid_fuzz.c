/* Bytes that read are written as the same bytes; text that parses names the CID that its binary form names. */
#include "cid.h"

#include "../../tests/kit/fuzz.h"

static hf_mem mem = {hf_fuzz_resize, NULL};

static void check_same_bytes(const hf_cid *cid, hf_bytes bytes) {
    hf_buf buf;
    hf_buf_init(&buf, &mem);
    hf_cid_add(&buf, cid);
    HF_ASSERT(hf_eq(hf_buf_bytes(&buf), bytes));
    hf_buf_deinit(&buf);
}

static void check_text(hf_bytes text) {
    hf_cid cid, again;
    hf_buf buf;
    uint8_t digest[32];
    if (hf_cid_parse(text, &cid)) return;
    hf_buf_init(&buf, &mem);
    hf_cid_add(&buf, &cid);
    HF_ASSERT(hf_cid_read(hf_buf_bytes(&buf), &again) == HF_OK && hf_cid_eq(&cid, &again));
    bool ours =
        cid.version == 1 && cid.codec == HF_CODEC_DAG_CBOR && cid.hash == HF_HASH_SHA256 && cid.digest_len == 32;
    HF_ASSERT((hf_cid_digest(text, digest) == HF_OK) == ours);
    hf_buf_deinit(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    hf_bytes input = HF_BYTES(data, len);
    hf_cid cid;
    size_t taken;
    hf_err err = hf_cid_read_prefix(input, &cid, &taken);
    if (!err) check_same_bytes(&cid, hf_sub(input, 0, taken));
    if (err != HF_LIMIT) HF_ASSERT(hf_cid_valid(input) == (!err && taken == len));
    check_text(input);
    return 0;
}

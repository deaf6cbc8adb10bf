/* The fast way must be the general way. */
#include "link_text.h"

#include "../../tests/kit/check.h"

#include <string.h>

HF_TEST(link_text_is_the_text_of_the_cid) {
    uint64_t random = 1;
    for (size_t i = 0; i < 3000; i++) {
        uint8_t digest[32], cid[HF_CID_LEN], back[32];
        char fast[HF_CID_TEXT_LEN], general[HF_CID_TEXT_LEN];
        hf_test_random_fill(&random, digest, sizeof digest);
        if (i < 2) memset(digest, i ? 0xff : 0, sizeof digest);
        hf_cid_from_digest(digest, cid);
        hf_cid_text(cid, general);
        hf_link_text_write(digest, fast);
        CHECK_BYTES(HF_BYTES(fast, sizeof fast), HF_BYTES(general, sizeof general));
        CHECK_ERR(hf_link_text_read(HF_BYTES(fast, sizeof fast), back), HF_OK);
        CHECK_BYTES(HF_BYTES(back, 32), HF_BYTES(digest, 32));
    }
}

/* Any one character changed: the same verdict and digest as the general decoder gives. */
HF_TEST(link_text_refuses_what_is_not_one) {
    static const char good[] = "zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ3";
    uint8_t fast[32], general[32];
    size_t n_refused = 0;
    for (size_t i = 0; i < HF_CID_TEXT_LEN; i++)
        for (unsigned c = 0; c < 256; c++) {
            char text[HF_CID_TEXT_LEN];
            memcpy(text, good, sizeof text);
            text[i] = (char)c;
            hf_err err = hf_link_text_read(HF_BYTES(text, sizeof text), fast);
            CHECK_ERR(err, hf_cid_digest(HF_BYTES(text, sizeof text), general));
            if (err) n_refused++;
            else CHECK_BYTES(HF_BYTES(fast, 32), HF_BYTES(general, 32));
        }
    CHECK(n_refused > 9000);
    for (size_t len = 0; len < HF_CID_TEXT_LEN; len++) CHECK_ERR(hf_link_text_read(HF_BYTES(good, len), fast), HF_MALFORMED);
    CHECK_ERR(hf_link_text_read(HF_TEXT("zdpuAymFFiGtazv2yxFnxQvy3KTn3PtSqs91WJzGdBTdu9kQ31"), fast), HF_MALFORMED);
    CHECK_ERR(hf_link_text_read(HF_TEXT("zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz"), fast), HF_MALFORMED);
    CHECK_ERR(hf_link_text_read(HF_TEXT("bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevt"), fast), HF_MALFORMED);
}

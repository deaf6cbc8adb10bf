/* The canonical payload: its bytes, what it refuses, and that a collection reads what was written. */
#include "../codec/dag_cbor.h"
#include "test_tools.h"

HF_TEST(operation_bytes) {
    static const struct {
        const char *op, *value, *by, *hex;
    } cases[] = {
        {"NEW", "{'text':'milk','done':false}", "",
         "a5 626174 01 626f70 634e4557 636b6579 6164 646f706964 6131 6576616c7565 a2 64646f6e65 f4 6474657874 "
         "646d696c6b"},
        {"SET", "{'n':1.5}", "ann",
         "a6 626174 01 626279 63616e6e 626f70 63534554 636b6579 6164 646f706964 6131 6576616c7565 a1 616e "
         "fb3ff8000000000000"},
        {"DEL", "null", "", "a5 626174 01 626f70 6344454c 636b6579 6164 646f706964 6131 6576616c7565 f6"},
        {"INC", "{'hits':-2}", "",
         "a5 626174 01 626f70 63494e43 636b6579 6164 646f706964 6131 6576616c7565 a1 6468697473 21"},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        uint8_t hex[256];
        size_t len = 0;
        for (const char *p = cases[i].hex; *p; p++)
            if (*p != ' ') hex[len++] = (uint8_t)*p;
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_value value = json_value(cases[i].value);
        CHECK_ERR(hf_operation_encode(&buf, cases[i].op, HF_TEXT("d"), &value, HF_TEXT("1"), 1, hf_str(cases[i].by)),
                  HF_OK);
        CHECK_BYTES(hf_buf_bytes(&buf), hf_test_hex(HF_BYTES(hex, len)));
        hf_value back;
        CHECK_ERR(hf_cbor_decode(hf_test_arena(), hf_buf_bytes(&buf), &back, NULL), HF_OK);
        CHECK(hf_value_eq(hf_value_get(&back, "value"), &value));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(operation_refuses) {
    static const char many[130] = {0};
    hf_value value = hf_value_null(), nan = hf_value_float(__builtin_nan(""));
    const struct {
        const char *op;
        size_t key_len, opid_len, by_len;
        uint64_t at;
        const hf_value *value;
        hf_err err;
    } cases[] = {
        {"DEL", 128, 64, 128, 8640000000000000u, &value, HF_OK},
        {"DEL", 1, 1, 0, 0, &value, HF_OK},
        {"del", 1, 1, 0, 0, &value, HF_MALFORMED},
        {"", 1, 1, 0, 0, &value, HF_MALFORMED},
        {"DELE", 1, 1, 0, 0, &value, HF_MALFORMED},
        {"DEL", 0, 1, 0, 0, &value, HF_MALFORMED},
        {"DEL", 129, 1, 0, 0, &value, HF_MALFORMED},
        {"DEL", 1, 0, 0, 0, &value, HF_MALFORMED},
        {"DEL", 1, 65, 0, 0, &value, HF_MALFORMED},
        {"DEL", 1, 1, 129, 0, &value, HF_MALFORMED},
        {"DEL", 1, 1, 0, 8640000000000001u, &value, HF_MALFORMED},
        {"SET", 1, 1, 0, 0, &nan, HF_MALFORMED},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_buf_add_str(&buf, "before");
        hf_err err =
            hf_operation_encode(&buf, cases[i].op, HF_BYTES(many, cases[i].key_len), cases[i].value,
                                HF_BYTES(many, cases[i].opid_len), cases[i].at, HF_BYTES(many, cases[i].by_len));
        CHECK_MSG(err == cases[i].err, "case %zu: %s", i, hf_err_name(err));
        if (err) CHECK_BYTES(hf_buf_bytes(&buf), HF_TEXT("before"));
        hf_buf_deinit(&buf);
    }
}

HF_TEST(operation_survives_no_memory) {
    hf_value value = json_value(
        "{'text':'a text that is long enough for the buffer to grow more than once, which it does by doubling'}");
    hf_err err = HF_NOMEM;
    size_t n = 1;
    for (; err; n++) {
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_test_mem_fail_at(n);
        err = hf_operation_encode(&buf, "NEW", HF_TEXT("d"), &value, HF_TEXT("1"), 1, HF_TEXT("ann"));
        CHECK(!err || (err == HF_NOMEM && buf.len == 0));
        hf_test_mem_fail_at(0);
        hf_buf_deinit(&buf);
    }
    CHECK(n > 3);
}

/* The order of the log: time as a number, then the writer as text, then the digest. */
HF_TEST(order_is_total) {
    const hf_order orders[] = {
        {1, HF_TEXT("b"), {9}}, {2, HF_TEXT("a"), {9}}, {2, HF_TEXT("ab"), {0}},         {2, HF_TEXT("b"), {1}},
        {2, HF_TEXT("b"), {2}}, {10, HF_TEXT(""), {0}}, {UINT64_MAX, HF_TEXT("a"), {0}},
    };
    for (size_t i = 0; i < HF_COUNT(orders); i++)
        for (size_t k = 0; k < HF_COUNT(orders); k++) {
            int c = hf_order_compare(&orders[i], &orders[k]);
            CHECK_MSG((c > 0) - (c < 0) == (i > k) - (i < k), "%zu and %zu", i, k);
        }
}

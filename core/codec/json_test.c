/* JSON is read strictly and written so that it reads back as the same value, also out of an HTML script element. */
#include "../../tests/kit/check.h"
#include "json.h"

#include <string.h>

static hf_bytes write_value(const hf_value *v) {
    hf_buf buf;
    hf_buf_init(&buf, hf_test_mem());
    hf_json_add(&buf, v);
    CHECK_ERR(buf.err, HF_OK);
    hf_bytes kept = hf_arena_copy(hf_test_arena(), hf_buf_bytes(&buf));
    hf_buf_deinit(&buf);
    return kept;
}

static hf_err read_text(hf_bytes text, hf_value *ret, hf_fault *fault) {
    return hf_json_decode(hf_test_arena(), text, ret, fault);
}

/* Text, and how it is written again. */
HF_TEST(json_reads_and_writes) {
    static const struct { const char *in, *out; } rows[] = {
        {"null", "null"},
        {" true ", "true"},
        {"\t\r\n false\n", "false"},
        {"0", "0"},
        {"-0", "0"},
        {"-1", "-1"},
        {"1.0", "1"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "9223372036854776000"},
        {"-9223372036854775809", "-9223372036854776000"},
        {"0.1", "0.1"},
        {"1e21", "1e+21"},
        {"5e-324", "5e-324"},
        {"123e-2", "1.23"},
        {"-0.0", "0"},
        {"\"\"", "\"\""},
        {"\"a\\u0041\\n\\\"\\\\\\/\"", "\"aA\\n\\\"\\\\/\""},
        {"\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\""},
        {"\"\\u0000\\u001f\"", "\"\\u0000\\u001f\""},
        {"\"\\ud83d\\ude42\"", "\"\xf0\x9f\x99\x82\""},
        {"\"\\u00e9\\u65e5\"", "\"\xc3\xa9\xe6\x97\xa5\""},
        {"\"\x7f\"", "\"\x7f\""},
        {"\"\\uFFFF\\uabCD\"", "\"\xef\xbf\xbf\xea\xaf\x8d\""},
        {"\"</script><!-- & -->\"", "\"\\u003c/script\\u003e\\u003c!-- \\u0026 --\\u003e\""},
        {"\"\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa\xe2\x81\xa8\"", "\"\\u2028\\u2029\xe2\x80\xaa\xe2\x81\xa8\""},
        {"[]", "[]"},
        {"[ ]", "[]"},
        {"{ }", "{}"},
        {"[1, [2,[ 3]] ,{}]", "[1,[2,[3]],{}]"},
        {"{\"b\":1, \"a\" : {\"\":[null]}}", "{\"b\":1,\"a\":{\"\":[null]}}"},
        {"{\"a\":1,\"A\":1,\"aa\":1}", "{\"a\":1,\"A\":1,\"aa\":1}"},
        {"{\"<\":0}", "{\"\\u003c\":0}"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_value v, again;
        hf_fault fault = {"", 0};
        hf_err err = read_text(hf_str(rows[i].in), &v, &fault);
        CHECK_MSG(!err, "%s: %s at %zu", rows[i].in, fault.what, fault.at);
        CHECK_BYTES(write_value(&v), hf_str(rows[i].out));
        CHECK_ERR(read_text(hf_str(rows[i].out), &again, NULL), HF_OK);
        CHECK(hf_value_eq(&v, &again));
    }
}

HF_TEST(json_refuses_and_says_where) {
    static const struct { const char *in; hf_err err; size_t at; } rows[] = {
        {"", HF_TRUNCATED, 0},
        {"  ", HF_TRUNCATED, 2},
        {"nul", HF_TRUNCATED, 3},
        {"nulL", HF_MALFORMED, 3},
        {"True", HF_MALFORMED, 0},
        {"1 2", HF_MALFORMED, 2},
        {"null,", HF_MALFORMED, 4},
        {"\xef\xbb\xbf"
         "1",
         HF_MALFORMED, 0},
        {"'a'", HF_MALFORMED, 0},
        {"01", HF_MALFORMED, 0},
        {"+1", HF_MALFORMED, 0},
        {".5", HF_MALFORMED, 0},
        {"1.x", HF_MALFORMED, 0},
        {"-", HF_TRUNCATED, 0},
        {"1e", HF_TRUNCATED, 0},
        {"[1e999]", HF_MALFORMED, 1},
        {"--1", HF_MALFORMED, 0},
        {"[0x1]", HF_MALFORMED, 2},
        {"NaN", HF_MALFORMED, 0},
        {"\"", HF_TRUNCATED, 1},
        {"\"a\\", HF_TRUNCATED, 3},
        {"\"a\nb\"", HF_MALFORMED, 2},
        {"\"\x1f\"", HF_MALFORMED, 1},
        {"\"\\x\"", HF_MALFORMED, 3},
        {"\"\\u12\"", HF_MALFORMED, 5},
        {"\"\\u12g4\"", HF_MALFORMED, 5},
        {"\"\\ud83d\"", HF_MALFORMED, 7},
        {"\"\\ud83dx\"", HF_MALFORMED, 7},
        {"\"\\ud83d\\n\"", HF_MALFORMED, 8},
        {"\"\\ude42\"", HF_MALFORMED, 7},
        {"\"\\ud83d\\ud83d\"", HF_MALFORMED, 13},
        {"\"\xff\"", HF_MALFORMED, 1},
        {"\"\xed\xa0\x80\"", HF_MALFORMED, 1},
        {"\"\\\x01\"", HF_MALFORMED, 3},
        {"[", HF_TRUNCATED, 1},
        {"[1", HF_TRUNCATED, 2},
        {"[1,", HF_TRUNCATED, 3},
        {"[1,]", HF_MALFORMED, 3},
        {"[,1]", HF_MALFORMED, 1},
        {"[1 2]", HF_MALFORMED, 3},
        {"[1}", HF_MALFORMED, 2},
        {"]", HF_MALFORMED, 0},
        {"{", HF_TRUNCATED, 1},
        {"{\"a\"", HF_TRUNCATED, 4},
        {"{\"a\":", HF_TRUNCATED, 5},
        {"{\"a\":1", HF_TRUNCATED, 6},
        {"{\"a\" 1}", HF_MALFORMED, 5},
        {"{a:1}", HF_MALFORMED, 1},
        {"{1:1}", HF_MALFORMED, 1},
        {"{\"a\":1,}", HF_MALFORMED, 7},
        {"{\"a\":1]", HF_MALFORMED, 6},
        {"{\"a\":1,\"b\":2,\"a\":3}", HF_MALFORMED, 19},
        {"{\"a\":1,\"\\u0061\":3}", HF_MALFORMED, 18},
        {"[1]//", HF_MALFORMED, 3},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        hf_value v = hf_value_u64(42);
        hf_fault fault = {NULL, 0};
        hf_err err = read_text(hf_str(rows[i].in), &v, &fault);
        CHECK_MSG(err == rows[i].err, "%s: %s", rows[i].in, hf_err_name(err));
        CHECK_MSG(fault.what && fault.at == rows[i].at, "%s: at %zu, expected %zu", rows[i].in, fault.at, rows[i].at);
        CHECK_U64(v.as.u, 42);
    }
}

HF_TEST(json_depth_is_bounded) {
    char text[4 * HF_VALUE_DEPTH_MAX];
    for (size_t depth = 1; depth <= HF_VALUE_DEPTH_MAX + 1; depth++) {
        hf_value v;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK_ERR(read_text(HF_BYTES(text, 2 * depth), &v, NULL), depth > HF_VALUE_DEPTH_MAX ? HF_LIMIT : HF_OK);
        if (depth <= HF_VALUE_DEPTH_MAX) CHECK_BYTES(write_value(&v), HF_BYTES(text, 2 * depth));
    }
}

HF_TEST(json_any_cut_is_an_error_not_a_crash) {
    hf_bytes text = HF_TEXT("{\"a\":[1.5,-2,true,null,\"x\\ud83d\\ude42\"],\"b\":{\"c\":\"\xc3\xa9\"}}");
    for (size_t len = 0; len < text.len; len++) {
        hf_value v;
        uint8_t *exact = hf_alloc(hf_test_mem(), len + 1); /* so that reading one byte too many is seen */
        memcpy(exact, text.ptr, len);
        hf_err err = read_text(HF_BYTES(exact, len), &v, NULL);
        hf_release(hf_test_mem(), exact, len + 1);
        CHECK_MSG(err == HF_TRUNCATED, "cut at %zu: %s", len, hf_err_name(err));
    }
}

HF_TEST(json_text_views_the_input_when_it_can) {
    hf_bytes text = HF_TEXT("[\"plain\",\"esc\\u0061ped\"]");
    hf_value v;
    CHECK_ERR(read_text(text, &v, NULL), HF_OK);
    CHECK(hf_value_as_text(&v.as.list.items[0]).ptr == text.ptr + 2);
    CHECK_BYTES(hf_value_as_text(&v.as.list.items[1]), HF_TEXT("escaped"));
}

HF_TEST(json_writes_what_it_has_no_word_for) {
    hf_value map = hf_value_map(hf_test_arena(), 9);
    uint8_t v0[34] = {0x12, 0x20};
    hf_map_add(&map, "bytes", hf_value_bytes(HF_TEXT("\x01\xff")));
    hf_map_add(&map, "link", (hf_value){.kind = HF_LINK, .as.s = HF_TEXT("\x01\x55\x00\x01\x02")});
    hf_map_add(&map, "v0", (hf_value){.kind = HF_LINK, .as.s = HF_BYTES(v0, sizeof v0)});
    hf_map_add(&map, "nan", hf_value_float(__builtin_nan("")));
    hf_map_add(&map, "inf", hf_value_float(-__builtin_inf()));
    hf_map_add(&map, "max", hf_value_u64(UINT64_MAX));
    hf_map_add(&map, "min", (hf_value){.kind = HF_INT, .negative = true, .as.u = UINT64_MAX});
    hf_map_add(&map, "low", (hf_value){.kind = HF_INT, .negative = true, .as.u = UINT64_MAX - 1});
    hf_map_add(&map, "broken", hf_value_text(HF_TEXT("<\xff\xc3>")));
    CHECK_BYTES(
        write_value(&map),
        HF_TEXT("{\"bytes\":{\"$bytes\":\"01ff\"},\"link\":{\"$cid\":\"bafkqaaic\"},"
                "\"v0\":{\"$cid\":\"QmNLei78zWmzUdbeRB3CiUfAizWUrbeeZh5K1rhAQKCh51\"},\"nan\":null,\"inf\":null,"
                "\"max\":18446744073709551615,\"min\":-18446744073709551616,\"low\":-18446744073709551615,"
                "\"broken\":\"\\u003c\xef\xbf\xbd\xef\xbf\xbd\\u003e\"}"));
}

HF_TEST(json_writing_says_what_went_wrong) {
    hf_buf buf;
    hf_value spoiled = hf_value_list(hf_test_arena(), SIZE_MAX), v = hf_value_null();
    hf_buf_init(&buf, hf_test_mem());
    hf_json_add(&buf, &spoiled);
    CHECK_ERR(buf.err, HF_NOMEM);
    hf_buf_clear(&buf);
    for (int i = 0; i < 2 * HF_VALUE_DEPTH_MAX + 1; i++) {
        hf_value outer = hf_value_list(hf_test_arena(), 1);
        hf_list_add(&outer, v);
        v = outer;
    }
    hf_json_add(&buf, &v);
    CHECK_ERR(buf.err, HF_LIMIT);
    hf_buf_deinit(&buf);
}

/* Each byte at each place among plain ones: escaped if and only if it has to be, whatever is looked at together. */
HF_TEST(json_escapes_at_each_place) {
    uint8_t text[20];
    for (unsigned c = 0; c < 0x80; c++)
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'a', sizeof text);
            text[at] = (uint8_t)c;
            hf_value v = hf_value_text(HF_BYTES(text, sizeof text)), again;
            hf_bytes written = write_value(&v);
            size_t extra = c < 0x20 && !memchr("\b\f\n\r\t", (int)c, 5) ? 5
                           : c < 0x20 || c == '"' || c == '\\'          ? 1
                           : memchr("<>&", (int)c, 3)                   ? 5
                                                                        : 0;
            CHECK_U64(written.len, sizeof text + 2 + extra);
            CHECK_ERR(read_text(written, &again, NULL), HF_OK);
            CHECK_BYTES(again.as.s, HF_BYTES(text, sizeof text));
        }
}

HF_TEST(json_large_vector_files_read_back_the_same) {
    static const char *const files[] = {"orbitdb/log200.json", "orbitdb/session-frames.json",
                                        "wycheproof/x25519_test.json"};
    for (size_t i = 0; i < HF_COUNT(files); i++) {
        const hf_value *v = hf_test_json(files[i]);
        hf_value again;
        CHECK_ERR(read_text(write_value(v), &again, NULL), HF_OK);
        CHECK(hf_value_eq(v, &again));
    }
}

HF_TEST(json_without_memory) {
    hf_bytes text = HF_TEXT("{\"z\":[1,2,3,4,5,6,7,8,9,10],\"a\":\"\\n\",\"b\":{\"c\":[[[\"\\u00e9\"]]]}}");
    size_t n_failures = 0;
    for (size_t n = 1;; n++) {
        hf_arena arena;
        hf_buf buf;
        hf_value v;
        hf_fault fault = {NULL, 0};
        hf_arena_init(&arena, hf_test_mem());
        hf_buf_init(&buf, hf_test_mem());
        hf_test_mem_fail_at(n);
        hf_err err = hf_json_decode(&arena, text, &v, &fault);
        if (err) CHECK_BYTES(hf_str(fault.what), HF_TEXT("no memory"));
        else hf_json_add(&buf, &v);
        bool failed = hf_test_mem_failed();
        hf_test_mem_fail_at(0);
        CHECK_ERR(err ? err : buf.err, failed ? HF_NOMEM : HF_OK);
        hf_buf_deinit(&buf);
        hf_arena_deinit(&arena);
        if (!failed) break;
        n_failures++;
    }
    CHECK(n_failures > 2);
}

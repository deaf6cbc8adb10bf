/* Doubles are printed as JavaScript prints them and read as the nearest, checked against a table made with
 * JavaScript and against the test machine's own printf and strtod on random bit patterns. */
#include "../../tests/kit/check.h"
#include "number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double from_bits(uint64_t bits) {
    double f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint64_t to_bits(double f) {
    uint64_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

static hf_bytes print(double f) {
    char text[HF_NUMBER_TEXT_MAX];
    return hf_arena_copy(hf_test_arena(), HF_BYTES(text, hf_number_print(f, text)));
}

HF_TEST(number_prints_as_javascript_does) {
    static const struct { uint64_t bits; const char *text; } rows[] = {
        {0x3fb999999999999a, "0.1"},
        {0x3fd5555555555555, "0.3333333333333333"},
        {0x4059000000000000, "100"},
        {0x441ac53a7e04bcda, "123456789012345680000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x4454542ba12a337c, "1.5e+21"},
        {0x3ee9cb8320b15070, "0.0000123"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x3e7ad7f29abcaf48, "1e-7"},
        {0x3e80c6f7a0b5ed8d, "1.25e-7"},
        {0x0000000000000001, "5e-324"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x000fffffffffffff, "2.225073858507201e-308"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0x4011666666666666, "4.35"},
        {0x4340000000000000, "9007199254740992"},
        {0x4340000000000000, "9007199254740992"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x447c7e83209e90b2, "8.41e+21"},
        {0x43b0000000000000, "1152921504606847000"},
        {0x3d30000000000000, "5.684341886080802e-14"},
        {0x7fe0000000000000, "8.98846567431158e+307"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0xbff8000000000000, "-1.5"},
        {0x3fd3333333333334, "0.30000000000000004"},
        {0x4480f0cf064dd592, "1e+22"},
        {0x40fe240c9fbe76c9, "123456.789"},
        {0x3ea0c6f7a0b5ed8d, "5e-7"},
        {0x4330000000000002, "4503599627370498"},
        {0x4340000000000001, "9007199254740994"},
        {0x3eb0000000000000, "9.5367431640625e-7"},
        {0x0000000000000002, "1e-323"},
        {0x3ff1c71c71c71c72, "1.1111111111111112"},
        {0x40f4241a31a5a515, "82497.63712086187"},
        {0x3e78000000000000, "8.940696716308594e-8"},
        {0x4420000000000000, "147573952589676410000"},
        {0x0000000000000003, "1.5e-323"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x3fe9999999999999, "0.7999999999999999"},
        {0x3ff0000000000001, "1.0000000000000002"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x981687d37c63856f, "-1.23456789123e-192"},
        {0x41324f8000000000, "1200000"},
        {0xbeb0c6f7a0b5ed8d, "-0.000001"},
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x3ff0000000000000, "1"},
        {0xc341c37937e08000, "-10000000000000000"},
        {0x7ff0000000000000, "Infinity"},
        {0xfff0000000000000, "-Infinity"},
        {0x7ff8000000000000, "NaN"},
        {0xfff8000000000001, "NaN"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        CHECK_BYTES(print(from_bits(rows[i].bits)), hf_str(rows[i].text));
        double f;
        if (rows[i].text[0] == 'N' || rows[i].bits << 1 >> 53 == 2047 || rows[i].bits == 0x8000000000000000) continue;
        CHECK_ERR(hf_number_parse(hf_str(rows[i].text), &f), HF_OK);
        CHECK_U64(to_bits(f), rows[i].bits);
    }
}

/* The digits alone: "1.25e-7" -> "125"; those of an integer without its closing zeros. */
static hf_bytes digits_of(hf_bytes text) {
    uint8_t *out = hf_arena_alloc(hf_test_arena(), text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len && text.ptr[i] != 'e'; i++)
        if (text.ptr[i] >= '0' && text.ptr[i] <= '9' && (n || text.ptr[i] != '0')) out[n++] = text.ptr[i];
    while (n && out[n - 1] == '0') n--;
    return HF_BYTES(out, n);
}

/* The fewest digits that libc reads back as the same number, and of those the nearest. */
static hf_bytes shortest_by_search(double f) {
    static char text[64];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, f);
        if (strtod(text, NULL) == f) break;
    }
    return digits_of(hf_str(text));
}

static void check_pattern(uint64_t bits) {
    char long_text[64];
    double f = from_bits(bits), again;
    if (f - f != 0) return;
    hf_bytes text = print(f);
    CHECK_ERR(hf_number_parse(text, &again), HF_OK);
    CHECK_MSG(again == f, "%.17g printed as %.*s is read as %.17g", f, (int)text.len, (const char *)text.ptr, again);
    CHECK_BYTES(digits_of(text), shortest_by_search(f));
    snprintf(long_text, sizeof long_text, "%.17g", f);
    CHECK_ERR(hf_number_parse(hf_str(long_text), &again), HF_OK);
    CHECK_MSG(again == f, "%s is read as %.17g", long_text, again);
    hf_arena_clear(hf_test_arena());
}

HF_TEST(number_random_bit_patterns_agree_with_libc) {
    uint64_t seed = 7;
    for (int i = 0; i < 3000; i++) {
        uint64_t bits = hf_test_random(&seed);
        check_pattern(bits);                                     /* any exponent */
        check_pattern((bits & 0x800fffffffffffff) | (uint64_t)(1000 + bits % 80) << 52); /* everyday sizes */
        check_pattern(bits & 0x800fffffffffffff);                /* subnormal */
        check_pattern(to_bits((double)(int64_t)(bits >> 34) / 1000)); /* few digits */
    }
}

HF_TEST(number_powers_of_two_and_their_neighbours) {
    for (uint64_t exponent = 1; exponent < 2047; exponent++) {
        double f = from_bits(exponent << 52), again;
        CHECK_ERR(hf_number_parse(print(f), &again), HF_OK);
        CHECK(again == f);
        check_pattern((exponent << 52) + 1);
        check_pattern((exponent << 52) - 1);
    }
}

/* Text of any length against strtod: midpoints between doubles, and what lies a digit beside them. */
HF_TEST(number_reads_as_strtod_does) {
    static const char *const texts[] = {
        "9007199254740993",
        "9007199254740992.9999999999999999999",
        "9007199254740993.0000000000000000000000000000000000000000000001",
        "9007199254740995",
        "2.4703282292062327208e-324",
        "2.4703282292062328e-324",
        "1e-400",
        "0.0000e999999999999999999999",
        "4.9406564584124654417656879286822137236505980e-324",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        ("17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
         "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
         "59622842914819860834936475292719074168444365510704342711559699508093042880e0"),
        "6.9294956446009195e15",
        "0.5e1",
        "0E+5",
        "-0.0",
        "-0",
        "12345678901234567890",
        "0.1e-5",
        "123456789e-30",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "3.2378839133029012895883524125015321748630094230e-319",
    };
    for (size_t i = 0; i < HF_COUNT(texts); i++) {
        double f;
        CHECK_ERR(hf_number_parse(hf_str(texts[i]), &f), HF_OK);
        CHECK_MSG(to_bits(f) == to_bits(strtod(texts[i], NULL)), "%s is read as %.17g", texts[i], f);
    }
}

static void parse_long(const char *head, char fill, size_t n, const char *tail, double want) {
    char *text = hf_arena_alloc(hf_test_arena(), n + 64);
    size_t len = strlen(head);
    double f;
    memcpy(text, head, len);
    memset(text + len, fill, n);
    memcpy(text + len + n, tail, strlen(tail) + 1);
    CHECK_ERR(hf_number_parse(hf_str(text), &f), HF_OK);
    CHECK_MSG(f == want, "%s%c… is read as %.17g", head, fill, f);
}

HF_TEST(number_many_digits_are_exact) {
    parse_long("0.", '0', 5000, "1e5001", 1);
    parse_long("1", '0', 5000, "e-5000", 1);
    parse_long("9007199254740993.", '0', 5000, "", 9007199254740992);
    parse_long("9007199254740993.", '0', 5000, "1", 9007199254740994); /* the last digit of thousands decides */
    parse_long("0.", '9', 5000, "", 1);
    parse_long("", '9', 300, "", 1e300);
    parse_long("1", '0', 308, "", 1e308);
}

HF_TEST(number_random_texts_agree_with_strtod) {
    uint64_t seed = 11;
    char text[1100];
    for (int i = 0; i < 1500; i++) {
        size_t n = 1 + hf_test_random(&seed) % (i % 10 ? 40 : 1000), at = 0;
        text[at++] = (char)('1' + hf_test_random(&seed) % 9);
        text[at++] = '.';
        for (size_t k = 0; k < n; k++) text[at++] = (char)('0' + hf_test_random(&seed) % 10);
        snprintf(text + at, sizeof text - at, "e%d", (int)(hf_test_random(&seed) % 650) - 340);
        double f, want = strtod(text, NULL);
        hf_err err = hf_number_parse(hf_str(text), &f);
        CHECK_ERR(err, want > 1.7976931348623157e308 ? HF_LIMIT : HF_OK);
        CHECK_MSG(err || f == want, "%s is read as %.17g", text, f);
    }
}

HF_TEST(number_refuses) {
    static const struct { const char *text; hf_err err; } rows[] = {
        {"", HF_MALFORMED},           {"-", HF_MALFORMED},
        {"+1", HF_MALFORMED},         {"01", HF_MALFORMED},
        {"-01", HF_MALFORMED},        {"1.", HF_MALFORMED},
        {".5", HF_MALFORMED},         {"1e", HF_MALFORMED},
        {"1e+", HF_MALFORMED},        {"1.e1", HF_MALFORMED},
        {"0x10", HF_MALFORMED},       {"1 ", HF_MALFORMED},
        {" 1", HF_MALFORMED},         {"--1", HF_MALFORMED},
        {"1e5.5", HF_MALFORMED},      {"NaN", HF_MALFORMED},
        {"Infinity", HF_MALFORMED},   {"1,5", HF_MALFORMED},
        {"1e309", HF_LIMIT},          {"-1e309", HF_LIMIT},
        {"1e999999999999", HF_LIMIT}, {"1.7976931348623159e308", HF_LIMIT},
        {"9e309", HF_LIMIT},          {"99999e305", HF_LIMIT},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        double f = 42;
        hf_err err = hf_number_parse(hf_str(rows[i].text), &f);
        CHECK_MSG(err == rows[i].err, "%s: %s", rows[i].text, hf_err_name(err));
        CHECK(f == 42);
    }
}

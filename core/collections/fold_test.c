/* Folding and searching; examples from CaseFolding.txt, searching against the obvious loop. */
#include "fold.h"
#include "test_tools.h"

static uint32_t first(const char *utf8) {
    size_t at = 0;
    return hf_fold_next(hf_str(utf8), &at);
}

HF_TEST(fold_characters) {
    static const char *const pairs[][2] = {
        {"A", "a"}, {"Z", "z"},   {"a", "a"},   {"@", "@"},     {"[", "["},   {"5", "5"}, {"É", "é"}, {"Þ", "þ"},
        {"×", "×"}, {"÷", "÷"},   {"ß", "ß"},   {"ẞ", "ß"},     {"Ā", "ā"},   {"ā", "ā"}, {"Į", "į"}, {"İ", "İ"},
        {"ı", "ı"}, {"Ĺ", "ĺ"},   {"ĺ", "ĺ"},   {"Ľ", "ľ"},     {"Ŋ", "ŋ"},   {"Ÿ", "ÿ"}, {"Ž", "ž"}, {"ž", "ž"},
        {"ſ", "s"}, {"Ɓ", "ɓ"},   {"Ə", "ə"},   {"Ǆ", "ǆ"},     {"ǅ", "ǆ"},   {"Ǹ", "ǹ"}, {"Ⱥ", "ⱥ"}, {"Ệ", "ệ"},
        {"Α", "α"}, {"Ω", "ω"},   {"Σ", "σ"},   {"ς", "σ"},     {"Ά", "ά"},   {"Ώ", "ώ"}, {"Ϊ", "ϊ"}, {"ϐ", "β"},
        {"ϴ", "θ"}, {"Ἀ", "ἀ"},   {"Ὑ", "ὑ"},   {"Ὼ", "ὼ"},     {"А", "а"},   {"Я", "я"}, {"Ё", "ё"}, {"Џ", "џ"},
        {"Ѣ", "ѣ"}, {"Ґ", "ґ"},   {"Ӂ", "ӂ"},   {"Ӏ", "ӏ"},     {"Ԯ", "ԯ"}, {"Ꙃ", "ꙃ"}, {"µ", "μ"}, {"K", "k"},
        {"Å", "å"}, {"Ａ", "ａ"}, {"漢", "漢"}, {"Ა", "Ა"}, {"😀", "😀"},
    };
    for (size_t i = 0; i < HF_COUNT(pairs); i++) {
        CHECK_MSG(hf_fold_char(first(pairs[i][0])) == first(pairs[i][1]), "%s should fold to %s", pairs[i][0],
                  pairs[i][1]);
        CHECK_BYTES(hf_fold_text(hf_test_arena(), hf_str(pairs[i][0])), hf_str(pairs[i][1]));
    }
}

/* Folding twice is folding once: what is folded stands in no range. */
HF_TEST(fold_is_stable) {
    size_t n_folded = 0;
    for (uint32_t code = 0; code < 0x11000; code++) {
        uint32_t folded = hf_fold_char(code);
        CHECK_MSG(hf_fold_char(folded) == folded, "U+%04X", code);
        n_folded += folded != code;
    }
    CHECK_U64(n_folded, 832); /* counted in Unicode 14 by another program */
}

HF_TEST(fold_searches) {
    static const struct {
        const char *text, *needle;
        bool in;
    } cases[] = {
        {"Buy milk", "MILK", true},
        {"Buy milk", "buy", true},
        {"Buy milk", "y m", true},
        {"Buy milk", "silk", false},
        {"Buy milk", "", true},
        {"", "", true},
        {"", "a", false},
        {"ab", "abc", false},
        {"aab", "ab", true},
        {"ababac", "abac", true},
        {"aaaaab", "aaab", true},
        {"aaaaaa", "aab", false},
        {"ЩЁТКА", "щётка", true},
        {"ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς", true},
        {"STRASSE", "straße", false},
        {"GROẞ", "groß", true},
        {"Ⱥb", "ⱥB", true},
        {"x\xff", "\xfe", true},
        {"x", "\xfe", false},
        {"\xd0", "\xd0\x90", false},
    };
    for (size_t i = 0; i < HF_COUNT(cases); i++) {
        hf_needle needle;
        CHECK_ERR(hf_needle_make(hf_test_arena(), hf_str(cases[i].needle), &needle), HF_OK);
        CHECK_MSG(hf_needle_in(&needle, hf_str(cases[i].text)) == cases[i].in, "\"%s\" in \"%s\"", cases[i].needle,
                  cases[i].text);
    }
}

static bool obvious(hf_bytes needle, hf_bytes text) {
    for (size_t i = 0; i + needle.len <= text.len; i++)
        if (hf_eq(hf_sub(text, i, needle.len), needle)) return true;
    return false;
}

HF_TEST(fold_searches_as_the_obvious_loop_does) {
    uint64_t seed = 3;
    for (int round = 0; round < 20000; round++) {
        uint8_t text[24], want[6];
        size_t len = hf_test_random(&seed) % sizeof text, want_len = hf_test_random(&seed) % sizeof want;
        for (size_t i = 0; i < len; i++) text[i] = "ab"[hf_test_random(&seed) % 2];
        for (size_t i = 0; i < want_len; i++) want[i] = "aB"[hf_test_random(&seed) % 2];
        hf_needle needle;
        CHECK_ERR(hf_needle_make(hf_test_arena(), HF_BYTES(want, want_len), &needle), HF_OK);
        CHECK(hf_needle_in(&needle, HF_BYTES(text, len)) == obvious(needle.text, HF_BYTES(text, len)));
    }
}

/* Broken UTF-8 is found, and replaced exactly as JavaScript's TextDecoder replaces it. */
#include "../../tests/kit/check.h"
#include "utf8.h"

/* Expected values from new TextDecoder().decode(bytes), as UTF-8 again. */
static const struct { const char *hex, *repaired; } ROWS[] = {
    {"", ""},
    {"61", "61"},
    {"c3a9", "c3a9"},
    {"c328", "efbfbd28"},
    {"eda080", "efbfbdefbfbdefbfbd"},
    {"f09f9982", "f09f9982"},
    {"f09f99", "efbfbd"},
    {"f09f9941", "efbfbd41"},
    {"e697", "efbfbd"},
    {"e6e697a5", "efbfbde697a5"},
    {"c080", "efbfbdefbfbd"},
    {"e08080", "efbfbdefbfbdefbfbd"},
    {"f0808080", "efbfbdefbfbdefbfbdefbfbd"},
    {"f4908080", "efbfbdefbfbdefbfbdefbfbd"},
    {"f48fbfbf", "f48fbfbf"},
    {"f5808080", "efbfbdefbfbdefbfbdefbfbd"},
    {"80", "efbfbd"},
    {"ff", "efbfbd"},
    {"41ff42fe43", "41efbfbd42efbfbd43"},
    {"ed9fbf", "ed9fbf"},
    {"ee8080", "ee8080"},
    {"4142434445464748c3", "4142434445464748efbfbd"},
    {"414243444546474849c3a9", "414243444546474849c3a9"},
};

HF_TEST(utf8_repairs_like_textdecoder) {
    for (size_t i = 0; i < HF_COUNT(ROWS); i++) {
        hf_bytes s = hf_test_hex(hf_str(ROWS[i].hex)), want = hf_test_hex(hf_str(ROWS[i].repaired));
        CHECK_BYTES(hf_utf8_repair(hf_test_arena(), s), want);
        CHECK(hf_utf8_check(s) == hf_eq(s, want));
        hf_buf buf;
        hf_buf_init(&buf, hf_test_mem());
        hf_utf8_add_repaired(&buf, s);
        CHECK_BYTES(hf_buf_bytes(&buf), want);
        hf_buf_deinit(&buf);
    }
}

/* A broken byte anywhere among ASCII is seen, whatever its place in the eight that are looked at together. */
HF_TEST(utf8_check_sees_each_place) {
    uint8_t text[40];
    for (size_t len = 1; len <= sizeof text; len++)
        for (size_t at = 0; at < len; at++) {
            for (size_t i = 0; i < len; i++) text[i] = 'a';
            CHECK(hf_utf8_check(HF_BYTES(text, len)));
            text[at] = 0x80;
            CHECK(!hf_utf8_check(HF_BYTES(text, len)));
        }
}

HF_TEST(utf8_random_bytes_become_valid) {
    uint64_t seed = 3;
    for (int i = 0; i < 2000; i++) {
        uint8_t bytes[24];
        hf_test_random_fill(&seed, bytes, sizeof bytes);
        for (size_t k = 0; k < sizeof bytes; k += 2) bytes[k] = (uint8_t)(bytes[k] % 64 + 0xc0);
        hf_bytes s = HF_BYTES(bytes, hf_test_random(&seed) % sizeof bytes), fixed = hf_utf8_repair(hf_test_arena(), s);
        CHECK(hf_utf8_valid(fixed));
        CHECK(hf_utf8_check(s) == hf_utf8_valid(s));
        if (hf_utf8_valid(s)) CHECK_BYTES(fixed, s);
    }
}

HF_TEST(utf8_write_makes_each_length) {
    static const struct { uint32_t code; const char *hex; } rows[] = {
        {0, "00"},          {0x7f, "7f"},       {0x80, "c280"},        {0x7ff, "dfbf"},         {0x800, "e0a080"},
        {0xd7ff, "ed9fbf"}, {0xffff, "efbfbf"}, {0x10000, "f0908080"}, {0x10ffff, "f48fbfbf"},
    };
    for (size_t i = 0; i < HF_COUNT(rows); i++) {
        uint8_t bytes[4];
        size_t len = hf_utf8_write(rows[i].code, bytes);
        CHECK_BYTES(HF_BYTES(bytes, len), hf_test_hex(hf_str(rows[i].hex)));
    }
}

HF_TEST(utf8_repair_without_memory) {
    hf_arena arena;
    hf_arena_init(&arena, hf_test_mem());
    hf_test_mem_fail_at(1);
    CHECK(hf_utf8_repair(&arena, HF_TEXT("\xff")).ptr == NULL);
    hf_test_mem_fail_at(0);
    hf_arena_deinit(&arena);
}
